/* jobs/rebalance_bucket.c: a target's part of a rebalance of one bucket, or of what begins with a prefix in it: brings
 * what lies here and belongs elsewhere to its owners, one object after the other, by several workers.
 *
 * It does not make a target clean: that is what the rebalance of all buckets does, beside which it may run. Both may
 * meet the same object: whoever is second finds it moved. What can not be handed over stays, and is the job's error at
 * the end. A newer set of targets ends it with CONFLICT. */
#include "flow/owner.h"

#include "jobs/priv.h"
#include "os/clock.h"

#define PAGE_NAMES 1000
#define OPEN_WAIT_NS (10 * NS_PER_SEC)

struct scope {
        const struct job_plan *plan;
        atomic_uint_fast64_t objects, bytes, left;
};

static struct err *hand_over(struct job *j, const struct bucket *b, struct str name, void *arg)
{
        struct scope *s = arg;
        uint64_t bytes = 0;
        struct err *e = flow_hand_over(job_node(j), b->bid, name, &bytes);

        if (err_code(e) == ERR_CONFLICT || err_code(e) == ERR_NO_MEMORY)
                return e;
        if (e) {
                atomic_fetch_add(&s->left, 1);
                job_note_error(j, e);
                return NULL;
        }
        atomic_fetch_add(&s->objects, 1);
        atomic_fetch_add(&s->bytes, bytes);
        job__sent(j, atomic_load(&s->objects), atomic_load(&s->bytes));
        return NULL;
}

/* Of the records after `after`, a page of those that are not this target's. */
static struct err *page(struct job *j, struct scope *s, struct buf *after, bool *ret_more)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        const struct bucket *b;
        AUTO_ARENA struct arena a;
        const struct job_walk w = { .bid = s->plan->bid, .fn = hand_over, .arg = s };
        struct str *names, name;
        struct obj_meta m;
        struct scan *scan;
        unsigned n = 0, seen = 0;
        struct err *e = NULL;

        arena_init(&a, 64 * 1024, 0);
        TRY(job__bucket(j, s->plan->bid, &snap, &b));
        if (snap->placement.epoch != s->plan->epoch)
                return err_new(ERR_CONFLICT, "the set of targets has changed");
        names = arena_alloc(&a, PAGE_NAMES * sizeof(*names));
        if (!names)
                return err_static(ERR_NO_MEMORY);
        TRY(store_scan_open_all(job_node(j)->store, b->bid, s->plan->under, buf_str(after), &scan));
        while (!e && seen < PAGE_NAMES && store_scan_next(scan, false, &name, &m)) {
                if (++seen == PAGE_NAMES) {
                        buf_clear(after);
                        buf_adds(after, name);
                        e = buf_err(after);
                }
                if (m.moved || job__is_ours(snap, b, name))
                        continue;
                names[n] = str_arena(&a, name);
                if (!names[n++].p)
                        e = err_static(ERR_NO_MEMORY);
        }
        TRY(err_first(e, store_scan_close(scan)));
        *ret_more = seen == PAGE_NAMES;
        return job__crew_run(j, &w, b, names, n);
}

struct err *job__rebalance_bucket(struct job *j, const struct job_plan *plan)
{
        struct scope s = { .plan = plan };
        AUTO_BUF struct buf after = BUF_INIT;
        bool more = true;

        TRY(cluster_wait_open(job_node(j)->cluster, plan->epoch, clock_mono_ns() + OPEN_WAIT_NS));
        while (more)
                TRY(page(j, &s, &after, &more));
        if (atomic_load(&s.left) > 0)
                return err_new(ERR_UNAVAILABLE, "%llu objects could not be handed over to their targets",
                               (unsigned long long)atomic_load(&s.left));
        return NULL;
}
