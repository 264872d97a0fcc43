/* jobs/delete.c: delete-listrange: removes a selection of objects.
 * A name that does not exist is an error only when the client listed it, and never ends the job; any other failure ends
 * it unless the client asked to go on. */
#include "jobs/priv.h"

#include <stdio.h>

static struct err *visit(struct job *j, const struct bucket *b, struct str name, void *arg)
{
        const struct job_plan *p = arg;
        struct err *e = flow_delete(job_node(j), b, name);

        if (!e) {
                job_progress(j, 1, 0);
                return NULL;
        }
        if (err_code(e) == ERR_NOT_FOUND) {
                if (job__names_explicit(p->names))
                        job_note_error(j, e);
                else
                        err_free(e);
                return NULL;
        }
        if (!p->copy.limits.continue_on_error)
                return e;
        job_note_error(j, e);
        return NULL;
}

struct err *job__delete(struct job *j, void *plan)
{
        const struct job_plan *p = plan;

        return job__each(j, &(struct job_walk){ p->bid, p->names, visit, plan, p->copy.limits.workers, p->spread });
}

struct err *job_start_delete(struct jobs *js, const struct bucket *b, struct job_names *sel, const struct job_limits *l,
                             char ret_id[static 40])
{
        struct job_plan *p;
        struct err *e = NULL;
        char text[128];

        if (l->workers < -1)
                e = err_new(ERR_INVALID, "invalid num-workers=%lld (expecting -1, 0, or a positive number)",
                            (long long)l->workers);
        if (!e)
                e = job__plan_new("delete-listrange", &p);
        if (e) {
                job_names_free(sel);
                return e;
        }
        p->bck = b->bck;
        p->bid = b->bid;
        p->names = sel;
        p->copy.limits = *l;
        snprintf(p->ctlmsg, sizeof(p->ctlmsg), "%s", job_names_text(sel, text));
        return jobs__launch(js, p, ret_id);
}
