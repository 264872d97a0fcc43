/* jobs/rebalance.c: which rebalance there is: at the leader.
 *
 * A change of the set of targets makes a new epoch; the leader then writes the document of a rebalance "g<epoch *
 * 100>", unless rebalance.enabled is false, and every target finds it and starts its part (rebalance_part.c). A
 * newer epoch supersedes it. One that was stopped by hand, or that whoever changed the targets did not want, stays
 * away until the next epoch, or a start by hand, which has the numbers in between. One of a single bucket runs beside
 * the others. */
#include "jobs/peers.h"

#include <stdio.h>

#include "os/clock.h"

#define RUNS_PER_EPOCH 100

const char *job_rebalance_id(uint64_t epoch, unsigned run, char buf[static 40])
{
        snprintf(buf, 40, "g%llu", (unsigned long long)(epoch * RUNS_PER_EPOCH + run));
        return buf;
}

static struct err *make_plan(const struct snapshot *snap, unsigned run, struct job_plan **ret)
{
        struct job_plan *p;

        TRY(job__plan_new("rebalance", &p));
        job_rebalance_id(snap->placement.epoch, run, p->id);
        p->epoch = snap->placement.epoch;
        p->start_ns = clock_wall_ns();
        snprintf(p->ctlmsg, sizeof(p->ctlmsg), "epoch %llu, %s", (unsigned long long)p->epoch, run
                 ? "by hand" : "automatic");
        *ret = p;
        return NULL;
}

struct err *jobs__rebalance_follow(struct jobs *js, const struct snapshot *snap, char *ret_id)
{
        struct job_doc d = { .state = JOB_DOC_RUNNING };
        char id[40];
        struct err *e = NULL;

        if (ret_id)
                ret_id[0] = '\0';
        if (snap->earlier_count == 0 || snap->target_count == 0 || !config_bool(snap->config, "rebalance.enabled") ||
            !jobs__part_of(job_kind_find(STR("rebalance"))))
                return NULL;
        job_rebalance_id(snap->placement.epoch, 0, id);
        if (!jobs__doc_exists(js, id)) {
                TRY(make_plan(snap, 0, &d.plan));
                e = jobs__doc_put(js, &d);
                job__doc_fini(&d);
        }
        if (!e && ret_id)
                memcpy(ret_id, id, sizeof(id));
        return e;
}

struct err *jobs_rebalance_skip(struct jobs *js, uint64_t next_epoch, bool off)
{
        AUTO_JOB_DOC struct job_doc d = { .state = JOB_DOC_ENDED, .changed_ns = clock_wall_ns() };
        char id[40];

        if (!js->peers)
                return NULL;
        job_rebalance_id(next_epoch, 0, id);
        if (off)
                return jobs__doc_remove(js, id);
        TRY(job__plan_new("rebalance", &d.plan));
        memcpy(d.plan->id, id, sizeof(id));
        d.plan->epoch = next_epoch;
        d.plan->start_ns = d.changed_ns;
        snprintf(d.plan->ctlmsg, sizeof(d.plan->ctlmsg), "epoch %llu, skipped", (unsigned long long)next_epoch);
        snprintf(d.abort_err, sizeof(d.abort_err), "rebalance[%s] aborted: skipped on request", id);
        return jobs__doc_put(js, &d);
}

bool job_query_means_rebalance(const struct job_query *q)
{
        uint64_t number;

        if (q->kind.n > 0)
                return job_kind_find(q->kind) == job_kind_find(STR("rebalance"));
        return q->id.n > 1 && q->id.p[0] == 'g' && str_u64(str_skip(q->id, 1), &number);
}

struct err *jobs_rebalance_of_change(struct jobs *js, char ret_id[static 40])
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);

        ret_id[0] = '\0';
        return js->peers ? jobs__rebalance_follow(js, snap, ret_id) : NULL;
}

struct err *jobs__start_rebalance(struct jobs *js, const struct job_start_args *a, char ret_id[static 40])
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);
        struct job_plan *p;
        unsigned run = 1;
        char id[40];

        if (a->name.n > 0 && !a->bucket)
                return err_new(ERR_INVALID, "rebalance: a prefix (\"" STR_FMT "\") without a bucket", STR_ARG(a->name));
        if (snap->target_count < 2 || !js->peers)
                return err_new(ERR_NOT_ENOUGH_TARGETS, "not enough targets: Smap v%llu, need 2, have %u",
                               (unsigned long long)snap->smap_version, snap->target_count);
        if (!config_bool(snap->config, "rebalance.enabled"))
                return err_new(ERR_INVALID, "rebalance is disabled (rebalance.enabled)");
        while (run < RUNS_PER_EPOCH && jobs__doc_exists(js, job_rebalance_id(snap->placement.epoch, run, id)))
                run++;
        if (run == RUNS_PER_EPOCH)
                return err_new(ERR_CONFLICT, "rebalance was started %u times for the same set of targets", run - 1);
        TRY(make_plan(snap, run, &p));
        if (a->bucket) {
                struct err *e = job__plan_text(p, a->name, &p->under);

                if (e) {
                        job__plan_free(p);
                        return e;
                }
                p->bck = a->bucket->bck;
                p->bid = a->bucket->bid;
        }
        return jobs__launch(js, p, ret_id);
}
