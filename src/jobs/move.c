/* jobs/move.c: move-bck: gives a bucket another name. The bucket keeps its id and its objects' owners, so not one
 * object moves: it is one change of the cluster's state, done before the call returns, and the job is only its
 * record (clients wait for it by id), on all targets. */
#include "jobs/priv.h"

#include <stdio.h>

struct err *job_start_move(struct jobs *js, const struct bck *from, const struct bck *to, char ret_id[static 40])
{
        struct job_plan *p;
        char src[192], dst[192];
        struct err *e;

        TRY(job__plan_new("move-bck", &p));
        p->bck = p->dst = *to;
        p->src = *from;
        snprintf(p->ctlmsg, sizeof(p->ctlmsg), "mv %.100s=>%.100s", bck_text(from, src), bck_text(to, dst));
        e = cluster_bucket_rename(jobs__node(js)->cluster, from, to);
        if (e) {
                job__plan_free(p);
                return e;
        }
        return jobs__launch(js, p, ret_id);
}
