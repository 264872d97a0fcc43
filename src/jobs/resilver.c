/* jobs/resilver.c: resilver: moves every object of this node to the mountpath where it belongs. The store does the work
 * and is asked to stop between steps.
 *
 * A change of mountpaths starts one by itself, on the node that has them, in place of one that runs. Its document is the
 * leader's, so that a restart goes on with it; without a leader the part runs all the same. */
#define LOG_FOLDER "jobs"
#include "jobs/peers.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/random.h"

#define ID_LEN 10
#define STOP_WAIT_NS (10 * NS_PER_SEC)

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

/* What was begun for other mountpaths is not worth to be finished. */
static struct err *stop_running(struct jobs *js, const struct snapshot *snap)
{
        struct job_query q = { .kind = STR("resilver"), .only_running = true };
        AUTO_ARENA struct arena a;
        struct job_snap *snaps, ended;
        unsigned n;

        arena_init(&a, 16 * 1024, 0);
        TRY(jobs_query(js, &q, &a, &snaps, &n));
        for (unsigned i = 0; i < n; i++) {
                struct job_doc d = { .state = JOB_DOC_ENDED, .changed_ns = clock_wall_ns() };
                struct job_query one = { .id = str_of(snaps[i].id) };

                TRY(jobs_abort(js, &one, "the mountpaths have changed"));
                TRY(jobs_wait(js, snaps[i].id, clock_mono_ns() + STOP_WAIT_NS, &ended));
                if (!js->peers || job__plan_new("resilver", &d.plan))
                        continue;
                memcpy(d.plan->id, snaps[i].id, sizeof(d.plan->id));
                str_copy(d.plan->node, sizeof(d.plan->node), str_of(snap->target->id));
                snprintf(d.abort_err, sizeof(d.abort_err), "%s", ended.abort_err);
                log_err(LOG_WARN, LOG_FOLDER, jobs__doc_put(js, &d), "resilver[%s]", snaps[i].id);
                job__doc_fini(&d);
        }
        return NULL;
}

struct err *jobs_resilver_of_change(struct jobs *js, const char *why)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);
        struct job_doc d = { .state = JOB_DOC_RUNNING };
        struct job_plan *p;

        if (!js->node->store || !config_bool(snap->config, "resilver.enabled"))
                return NULL;
        TRY(stop_running(js, snap));
        TRY(job__plan_new("resilver", &p));
        random_id(p->id, ID_LEN);
        p->start_ns = clock_wall_ns();
        p->epoch = snap->placement.epoch;
        str_copy(p->node, sizeof(p->node), str_of(snap->target->id));
        snprintf(p->ctlmsg, sizeof(p->ctlmsg), "%s", why);
        d.plan = p;
        if (js->peers)
                log_err(LOG_WARN, LOG_FOLDER, jobs__doc_put(js, &d), "resilver[%s]", p->id);
        return jobs__start_part(js, p, false);
}
