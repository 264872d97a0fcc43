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

static struct err *run(struct job *j, void *arg)
{
        struct resilver r = { .job = j };

        (void)arg;
        return store_resilver(job_node(j)->store, go_on, &r);
}

struct err *job__start_resilver(struct jobs *js, const struct job_start_args *a, char ret_id[static 40])
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(jobs__node(js)->cluster);
        struct job_spec spec = { .kind = "resilver", .run = run };
        const struct cluster_node *node;

        if (a->node.n == 0)
                return err_new(ERR_UNSUPPORTED,
                               "cannot run resilver on all targets in the cluster - operation not supported");
        node = snapshot_node(snap, a->node);
        if (!node || !node->target)
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%llu", STR_ARG(a->node),
                               (unsigned long long)snap->smap_version);
        return jobs_start(js, &spec, ret_id);
}
