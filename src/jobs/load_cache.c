/* jobs/load_cache.c: load-lom-cache: reads the metadata of every object of a bucket once, so that later requests find
 * it in memory. */
#include "jobs/priv.h"

static struct err *visit(struct job *j, const struct bucket *b, struct str name, void *arg)
{
        AUTO_ARENA struct arena arena;
        struct obj_meta meta;
        struct err *e;

        (void)arg;
        arena_init(&arena, 4096, 0);
        e = flow_head(job_node(j), b, name, &arena, &meta);
        if (err_code(e) == ERR_NOT_FOUND || err_code(e) == ERR_NOT_OWNER) { /* it has moved meanwhile */
                err_free(e);
                return NULL;
        }
        if (!e)
                job_progress(j, 1, meta.size);
        return e;
}

struct err *job__load_cache(struct job *j, void *plan)
{
        return job__each(j, &(struct job_walk){ .bid = ((const struct job_plan *)plan)->bid, .fn = visit });
}
