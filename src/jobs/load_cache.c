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
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        if (!e)
                job_progress(j, 1, meta.size);
        return e;
}

static struct err *run(struct job *j, void *arg)
{
        return job__each(j, &(struct job_walk){ .bid = *(uint64_t *)arg, .fn = visit });
}

struct err *job__start_load_cache(struct jobs *js, const struct job_start_args *a, char ret_id[static 40])
{
        struct job_spec spec = { .kind = "load-lom-cache", .bck = a->bucket->bck, .run = run, .free_arg = free };
        uint64_t *bid = malloc(sizeof(*bid));

        if (!bid)
                return err_static(ERR_NO_MEMORY);
        *bid = a->bucket->bid;
        spec.arg = bid;
        return jobs_start(js, &spec, ret_id);
}
