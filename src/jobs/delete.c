/* jobs/delete.c: delete-listrange: removes a selection of objects.
 * A name that does not exist is an error only when the client listed it, and never ends the job; any other failure ends
 * it unless the client asked to go on. */
#include "jobs/priv.h"

#include <stdio.h>

struct delete_args {
        uint64_t bid;
        struct job_names *sel;
        struct job_limits limits;
};

static void free_args(void *p)
{
        struct delete_args *a = p;

        job_names_free(a->sel);
        free(a);
}

static struct err *visit(struct job *j, const struct bucket *b, struct str name, void *arg)
{
        const struct delete_args *a = arg;
        struct err *e = flow_delete(job_node(j), b, name);

        if (!e) {
                job_progress(j, 1, 0);
                return NULL;
        }
        if (err_code(e) == ERR_NOT_FOUND) {
                if (job__names_explicit(a->sel))
                        job_note_error(j, e);
                else
                        err_free(e);
                return NULL;
        }
        if (!a->limits.continue_on_error)
                return e;
        job_note_error(j, e);
        return NULL;
}

static struct err *run(struct job *j, void *arg)
{
        const struct delete_args *a = arg;

        return job__each(j, &(struct job_walk){ a->bid, a->sel, visit, arg, a->limits.workers });
}

struct err *job_start_delete(struct jobs *js, const struct bucket *b, struct job_names *sel, const struct job_limits *l,
                             char ret_id[static 40])
{
        struct job_spec spec = { .kind = "delete-listrange", .bck = b->bck, .run = run, .free_arg = free_args };
        struct delete_args *a;
        char text[128];

        if (l->workers < -1) {
                job_names_free(sel);
                return err_new(ERR_INVALID, "invalid num-workers=%lld (expecting -1, 0, or a positive number)",
                               (long long)l->workers);
        }
        a = calloc(1, sizeof(*a));
        if (!a) {
                job_names_free(sel);
                return err_static(ERR_NO_MEMORY);
        }
        *a = (struct delete_args){ b->bid, sel, *l };
        spec.arg = a;
        snprintf(spec.ctlmsg, sizeof(spec.ctlmsg), "%s", job_names_text(sel, text));
        return jobs_start(js, &spec, ret_id);
}
