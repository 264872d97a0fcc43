/* jobs/move.c: move-bck: gives a bucket another name. The bucket keeps its id, so not one object moves: it is one
 * change of the cluster's state, done before the call returns, and the job is only its record (clients wait for it by
 * id). */
#include "jobs/priv.h"

#include <stdio.h>

struct err *job_start_move(struct jobs *js, const struct bck *from, const struct bck *to, char ret_id[static 40])
{
        struct job_spec spec = { .kind = "move-bck", .bck = *to, .src = *from, .dst = *to };
        char src[192], dst[192];

        TRY(cluster_bucket_rename(jobs__node(js)->cluster, from, to));
        snprintf(spec.ctlmsg, sizeof(spec.ctlmsg), "mv %.100s=>%.100s", bck_text(from, src), bck_text(to, dst));
        return jobs__note_done(js, &spec, ret_id);
}
