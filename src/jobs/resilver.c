/* jobs/resilver.c: resilver: moves every object of this node to the mountpath where it belongs. The store does the work
 * and is asked to stop between steps. */
#include "jobs/priv.h"

struct resilver {
        struct job *job;
        uint64_t objects, bytes; /* reported so far */
};

static bool go_on(void *arg, uint64_t objects, uint64_t bytes)
{
        struct resilver *r = arg;

        job_progress(r->job, objects - r->objects, bytes - r->bytes);
        r->objects = objects;
        r->bytes = bytes;
        return job_go_on(r->job);
}

struct err *job__resilver(struct job *j, void *plan)
{
        struct resilver r = { .job = j };

        (void)plan;
        return store_resilver(job_node(j)->store, go_on, &r);
}
