/* jobs/peers.c: the thread that looks after jobs with documents.
 *
 * It looks at the documents whenever the cluster's state has changed, a part has ended here, or the leader was told of
 * one, and once a second in any case; and does each job's next step (steps.h): as a target for its own part, as the
 * leader for the whole. Nothing is remembered between two looks but the ends of parts, which targets repeat until the
 * document says that the job has ended: so a new leader, or a restarted target, goes on where the last one was. What
 * fails is logged and done again at the next look. On close the thread is joined before jobs are ended. */
#define LOG_FOLDER "jobs"
#include "jobs/peers.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"

#define LOOK_NS NS_PER_SEC
#define TARGETS_MAX 4096

/* ---- this node's part ---- */

struct look {
        struct jobs *js;
        const struct snapshot *snap;
        bool leads, works; /* this node leads; is a target that can run parts */
        char newest_rebalance[40];
};

static enum job_part part_state(struct jobs *js, const char *id, struct job_snap *ret)
{
        struct job *j;

        LOCK_SCOPE(&js->lock);
        j = jobs__find_locked(js, id);
        if (!j)
                return JOB_PART_NONE;
        jobs__snap_locked(j, ret);
        ret->end_ns = j->snap.end_ns; /* idle or not */
        return ret->end_ns ? JOB_PART_ENDED : JOB_PART_RUNS;
}

static struct err *tell(struct look *l, const struct job_doc *d, const struct job_snap *part, bool lost)
{
        struct job_part_end end = { .epoch = part->epoch, .failed = part->aborted };

        str_copy(end.target, sizeof(end.target), str_of(l->snap->target->id));
        str_copy(end.err, sizeof(end.err), str_of(part->err[0] ? part->err : part->abort_err));
        if (lost) {
                end.failed = d->state == JOB_DOC_RUNNING;
                end.epoch = l->snap->placement.epoch;
                snprintf(end.err, sizeof(end.err), "target %s has restarted and no longer knows the list of names",
                         end.target);
        }
        return jobs__tell_done(l->js, l->snap, d->plan->id, &end);
}

static struct err *stop_part(struct look *l, const struct job_doc *d)
{
        struct job_query q = { .id = str_of(d->plan->id) };

        return jobs_abort(l->js, &q, d->abort_err[0] ? d->abort_err : "it has ended elsewhere");
}

static struct err *start_part(struct look *l, struct job_doc *d, bool again)
{
        struct job_plan *plan = d->plan;

        d->plan = NULL; /* taken */
        return jobs__start_part(l->js, plan, again);
}

static struct err *step_part(struct look *l, struct job_doc *d)
{
        const struct job_plan *p = d->plan;
        struct job_snap part = { .epoch = 0 };
        struct job_part_view v = { .doc = d->state, .change = p->kind->change, .lost = p->lost,
                                   .epoch_now = l->snap->placement.epoch };

        v.takes_part = p->node[0] == '\0' || strcmp(p->node, l->snap->target->id) == 0;
        v.part = part_state(l->js, p->id, &part);
        v.failed = part.aborted;
        v.part_epoch = part.epoch;
        switch (job__part_step(&v)) {
        case JOB_PART_START:
                return start_part(l, d, false);
        case JOB_PART_AGAIN:
                return start_part(l, d, true);
        case JOB_PART_STOP:
                return stop_part(l, d);
        case JOB_PART_TELL:
                return tell(l, d, &part, false);
        case JOB_PART_TELL_LOST:
                return tell(l, d, &part, true);
        case JOB_PART_WAIT:
                break;
        }
        return NULL;
}

/* ---- the leader's view of the whole ---- */

static unsigned ends_of(struct peers *p, const char *job, struct job_part_end *ret, unsigned max)
{
        unsigned n = 0;

        LOCK_SCOPE(&p->lock);
        LIST_FOREACH(pos, &p->ends) {
                const struct told_end *t = LIST_ENTRY(pos, struct told_end, link);

                if (n < max && strcmp(t->job, job) == 0)
                        ret[n++] = t->end;
        }
        return n;
}

/* All of one job, or, with null, all there are. */
static void forget_ends(struct peers *p, const char *job)
{
        LOCK_SCOPE(&p->lock);
        LIST_FOREACH_SAFE(pos, tmp, &p->ends) {
                struct told_end *t = LIST_ENTRY(pos, struct told_end, link);

                if (job && strcmp(t->job, job) != 0)
                        continue;
                list_remove(&t->link);
                p->nends--;
                free(t);
        }
}

static unsigned targets_of(const struct look *l, const struct job_plan *p, const char **ret)
{
        unsigned n = 0;

        for (unsigned i = 0; i < l->snap->node_count && n < TARGETS_MAX; i++)
                if (l->snap->nodes[i].target && (p->node[0] == '\0' || strcmp(p->node, l->snap->nodes[i].id) == 0))
                        ret[n++] = l->snap->nodes[i].id;
        return n;
}

static void set_stopped(const struct look *l, struct job_doc *d, const struct job_part_end *why, bool gone)
{
        const struct job_plan *p = d->plan;

        d->state = JOB_DOC_STOPPING;
        d->changed_ns = clock_wall_ns();
        if (why) {
                snprintf(d->err, sizeof(d->err), "%s", why->err);
                snprintf(d->abort_err, sizeof(d->abort_err), "%s[%s] aborted on target %s: %.128s", p->kind->name,
                         p->id, why->target, why->err);
        } else if (gone) {
                snprintf(d->abort_err, sizeof(d->abort_err), "%s[%s] aborted: its target has left the cluster",
                         p->kind->name, p->id);
        } else {
                snprintf(d->abort_err, sizeof(d->abort_err), "%s[%s] aborted: superseded by %s", p->kind->name, p->id,
                         l->newest_rebalance);
        }
}

static void set_ended(struct job_doc *d, const struct job_part_end *ends, unsigned n)
{
        d->state = JOB_DOC_ENDED;
        d->changed_ns = clock_wall_ns();
        for (unsigned i = 0; i < n && d->err[0] == '\0'; i++) /* what did not end the job: the first is shown */
                if (!ends[i].failed)
                        snprintf(d->err, sizeof(d->err), "%s", ends[i].err);
}

/* Of all buckets: the newest one takes the place of the others. */
static bool is_rebalance(const struct job_plan *p)
{
        return strcmp(p->kind->name, "rebalance") == 0 && p->bid == 0;
}

static struct err *step_whole(struct look *l, struct job_doc *d)
{
        const struct job_plan *p = d->plan;
        unsigned most = l->snap->target_count + 64; /* and those that have left the map */
        AUTO_FREE const char **targets = calloc(l->snap->target_count + 1, sizeof(*targets));
        AUTO_FREE struct job_part_end *ends = calloc(most, sizeof(*ends));
        const struct job_part_end *why;
        struct job_whole_view v = { .doc = d->state, .change = p->kind->change, .epoch_now = l->snap->placement.epoch,
                                    .ends = ends };

        if (!targets || !ends)
                return err_static(ERR_NO_MEMORY);
        v.ntargets = targets_of(l, p, targets);
        v.targets = targets;
        v.nends = ends_of(l->js->peers, p->id, ends, most);
        v.since_ns = clock_wall_ns() - d->changed_ns;
        v.superseded = is_rebalance(p) && strcmp(p->id, l->newest_rebalance) != 0;
        v.gone = p->node[0] != '\0' && !snapshot_member(l->snap, str_of(p->node));
        switch (job__whole_step(&v, &why)) {
        case JOB_WHOLE_WAIT:
                return NULL;
        case JOB_WHOLE_STOP:
                set_stopped(l, d, why, v.gone);
                break;
        case JOB_WHOLE_END:
                set_ended(d, ends, v.nends);
                break;
        }
        TRY(jobs__doc_put(l->js, d));
        if (d->state == JOB_DOC_ENDED)
                forget_ends(l->js->peers, p->id);
        jobs__peers_wake(l->js->peers);
        return NULL;
}

/* ---- one look ---- */

static struct err *look_at(void *arg, struct job_doc *d)
{
        struct look *l = arg;
        struct err *e = NULL;
        char id[40];

        memcpy(id, d->plan->id, sizeof(id));
        if (l->leads) {
                e = step_whole(l, d);
                log_err(LOG_DEBUG, LOG_FOLDER, e, "%s", id);
        }
        if (l->works && d->plan && d->state != JOB_DOC_ENDED) {
                e = step_part(l, d);
                log_err(LOG_DEBUG, LOG_FOLDER, e, "%s", id);
        }
        return NULL; /* the other jobs do not suffer */
}

static uint64_t number_of(const struct job_plan *p)
{
        uint64_t n;

        return str_u64(str_skip(str_of(p->id), 1), &n) ? n : 0;
}

static struct err *find_newest(void *arg, struct job_doc *d)
{
        struct look *l = arg;
        uint64_t newest = 0;

        if (!is_rebalance(d->plan))
                return NULL;
        str_u64(str_skip(str_of(l->newest_rebalance), 1), &newest);
        if (number_of(d->plan) >= newest)
                memcpy(l->newest_rebalance, d->plan->id, sizeof(l->newest_rebalance));
        return NULL;
}

static void look(struct jobs *js)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);
        struct look l = { .js = js, .snap = snap, .works = snap->target && js->node->store };
        struct err *e = NULL;

        l.leads = cluster_is_leader(js->node->cluster);
        if (l.leads)
                e = jobs__rebalance_follow(js, snap, NULL);
        else
                forget_ends(js->peers, NULL);
        log_err(LOG_DEBUG, LOG_FOLDER, e, "automatic rebalance");
        e = l.leads ? jobs__doc_each(js, false, find_newest, &l) : NULL;
        if (!e)
                e = jobs__doc_each(js, false, look_at, &l);
        log_err(LOG_WARN, LOG_FOLDER, e, "documents of jobs");
        if (l.leads)
                jobs__doc_trim(js);
}

static void run(void *arg)
{
        struct peers *p = arg;

        mutex_lock(&p->lock);
        while (!p->stop) {
                p->due = false;
                mutex_unlock(&p->lock);
                look(p->js);
                mutex_lock(&p->lock);
                int64_t until = clock_mono_ns() + LOOK_NS;
                while (!p->due && !p->stop && cond_wait_until(&p->wake, &p->lock, until))
                        ;
        }
        mutex_unlock(&p->lock);
}

void jobs__peers_wake(struct peers *p)
{
        if (!p)
                return;
        LOCK_SCOPE(&p->lock);
        p->due = true;
        cond_signal(&p->wake);
}

/* ---- life ---- */

static void on_change(void *arg, const struct snapshot *before, const struct snapshot *after)
{
        (void)before;
        (void)after;
        jobs__peers_wake(arg);
}

bool jobs__has_peers(const struct jobs *js)
{
        return js->peers != NULL;
}

struct err *jobs_join(struct jobs *js, struct rpc_server *s)
{
        struct rpc_client *rpc = cluster_rpc(js->node->cluster);
        struct peers *p;

        if (!rpc)
                return NULL;
        p = calloc(1, sizeof(*p));
        if (!p)
                return err_static(ERR_NO_MEMORY);
        p->js = js;
        p->rpc = rpc;
        mutex_init(&p->lock, "jobs of peers", RANK_LEAF);
        cond_init(&p->wake);
        list_init(&p->ends);
        js->peers = p;
        cluster_watch(js->node->cluster, on_change, p);
        return jobs__routes(js, s);
}

struct err *jobs_begin(struct jobs *js)
{
        struct peers *p = js->peers;

        if (!p)
                return NULL;
        atomic_store(&p->ready, true);
        return thread_start(&p->thread, "jobs", THREAD_OTHER, run, p);
}

void jobs__peers_stop(struct peers *p)
{
        if (!p)
                return;
        atomic_store(&p->ready, false);
        mutex_lock(&p->lock);
        p->stop = true;
        cond_signal(&p->wake);
        mutex_unlock(&p->lock);
        thread_join(p->thread);
        p->thread = NULL;
}

void jobs__peers_free(struct peers *p)
{
        if (!p)
                return;
        forget_ends(p, NULL);
        cond_fini(&p->wake);
        mutex_fini(&p->lock);
        free(p);
}
