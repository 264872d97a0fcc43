/* jobs/rebalance_part.c: a target's part of a rebalance: brings every object that lies here to the target that owns
 * it.
 *
 * Passes over the records, with pauses that grow while something can not be handed over (its owner is down), until
 * nothing is left; that is reported to the leader (rule 4 of docs/adr/0008-many-nodes.md), and the part ends. It
 * begins a little after the change, since changes come in groups. A newer set of targets ends it with CONFLICT: then
 * the leader has started, or will start, the rebalance of that one. What a pass finds broken here is met again by
 * the next. */
#define LOG_FOLDER "jobs"
#include "flow/owner.h"

#include "base/log.h"
#include "jobs/priv.h"
#include "os/clock.h"

#define DEBOUNCE_NS NS_PER_SEC
#define FIRST_PAUSE_NS (500 * NS_PER_MS)
#define LONGEST_PAUSE_NS (30 * NS_PER_SEC)
#define WORKERS 16u
#define YIELD_NS (2 * NS_PER_MS) /* for each request of clients that is in progress */
#define YIELD_MAX_NS (50 * NS_PER_MS)

/* One pass. */
struct pass {
        struct job *job;
        struct flow_moved before, so_far; /* passes before; this one */
};

/* Asked before each piece of work: foreground load makes the pieces fewer. */
static bool go_on(void *arg, const struct flow_moved *so_far)
{
        struct pass *p = arg;
        unsigned busy = job__load(p->job);

        p->so_far = *so_far;
        job__sent(p->job, p->before.objects + so_far->objects, p->before.bytes + so_far->bytes);
        if (busy > 0)
                clock_sleep_ns(MIN(busy * YIELD_NS, YIELD_MAX_NS));
        return !job__aborted(p->job);
}

static struct err *one_pass(struct pass *p, uint64_t epoch, bool *ret_done)
{
        struct node *n = job_node(p->job);
        struct flow_moved moved = { .objects = 0 };
        struct err *e;

        p->so_far = moved;
        e = flow_rebalance_pass(n, epoch, WORKERS, go_on, p, &moved);
        if (e)
                moved = p->so_far;
        p->before.objects += moved.objects;
        p->before.bytes += moved.bytes;
        job__sent(p->job, p->before.objects, p->before.bytes);
        if (!e && moved.left == 0) {
                e = cluster_report_clean(n->cluster, epoch);
                *ret_done = e == NULL;
        }
        return e;
}

struct err *job__rebalance(struct job *j, void *plan)
{
        const struct job_plan *p = plan;
        struct pass pass = { .job = j };
        int64_t pause = FIRST_PAUSE_NS;
        bool done = false;

        job__receives(j);
        if (p->bid != 0)
                return job__rebalance_bucket(j, p);
        if (!job__sleep(j, DEBOUNCE_NS))
                return job__cancelled();
        for (;;) {
                uint64_t moved = pass.before.objects;
                struct err *e = one_pass(&pass, p->epoch, &done);
                enum err_code code = err_code(e);

                if (done)
                        return NULL;
                if (code == ERR_CONFLICT || code == ERR_CANCELLED)
                        return e;
                log_err(LOG_INFO, LOG_FOLDER, e, "rebalance[%s]: again in a while", p->id);
                pause = pass.before.objects > moved ? FIRST_PAUSE_NS : MIN(2 * pause, LONGEST_PAUSE_NS);
                if (!job__sleep(j, pause))
                        return job__cancelled();
        }
}
