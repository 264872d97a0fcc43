/* flow/follow.c: what this node's store does when the cluster changes.
 *
 * With a snapshot: the epoch that changes record, tombstones, buckets that were destroyed. Half a minute after all is
 * settled: deletes leave no tombstones any more, those that there are go, and moved markers with them. The delay covers
 * copies that are being installed at this moment; what arrives later is refused, since its sender is not pending any
 * more (peer_srv.c). */
#include "flow/priv.h"

#include "flow/work.h"

#define SETTLED_DELAY_NS (30 * NS_PER_SEC)
#define PURGE_AGAIN_NS (60 * NS_PER_SEC) /* after one that failed */

/* ---- the thread ---- */

static bool go_on(void *arg)
{
        struct node *n = arg;
        LOCK_SCOPE(&n->work->lock);
        return !n->work->stopping;
}

static void purge(struct node *n, uint64_t hlc)
{
        struct flow_work *w = n->work;
        uint64_t removed = 0;
        struct err *e = store_purge(n->store, hlc, go_on, n, &removed);
        mutex_lock(&w->lock);
        if (e == NULL)
                w->purged_hlc = MAX(w->purged_hlc, hlc);
        else if (w->purge_ns == 0) {
                w->purge_hlc = hlc;
                w->purge_ns = clock_mono_ns() + PURGE_AGAIN_NS;
        }
        mutex_unlock(&w->lock);
        if (e == NULL && removed > 0)
                log_info("%lu tombstones and markers of moved objects removed", (unsigned long)removed);
        if (e != NULL && err_code(e) != ERR_CANCELLED)
                log_err(LOG_WARN, LOG_FOLDER, e, "tombstones could not be removed");
        else
                err_free(e);
}

/* Waits until something is due. False at the end. */
static bool next_due(struct flow_work *w, bool *ret_tombstones_off, uint64_t *ret_purge)
{
        LOCK_SCOPE(&w->lock);
        for (;;) {
                int64_t now = clock_mono_ns(), until = INT64_MAX;
                if (w->stopping)
                        return false;
                *ret_tombstones_off = w->tombstones_off_ns != 0 && now >= w->tombstones_off_ns;
                if (*ret_tombstones_off)
                        w->tombstones_off_ns = 0;
                *ret_purge = w->purge_ns != 0 && now >= w->purge_ns ? w->purge_hlc : 0;
                if (*ret_purge != 0)
                        w->purge_ns = 0;
                if (*ret_tombstones_off || *ret_purge != 0)
                        return true;
                if (w->tombstones_off_ns != 0)
                        until = w->tombstones_off_ns;
                if (w->purge_ns != 0)
                        until = MIN(until, w->purge_ns);
                if (until == INT64_MAX)
                        cond_wait(&w->changed, &w->lock);
                else
                        cond_wait_until(&w->changed, &w->lock, until);
        }
}

static void keep(void *arg)
{
        struct node *n = arg;
        bool off;
        uint64_t hlc;
        while (next_due(n->work, &off, &hlc)) {
                if (off) {
                        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
                        if (!s->tombstones)
                                store_set_tombstones(n->store, false);
                        /* A snapshot that wants them again may have come just now: it must not be the one that loses. */
                        AUTO_SNAPSHOT const struct snapshot *again = cluster_pin(n->cluster);
                        if (again->tombstones)
                                store_set_tombstones(n->store, true);
                }
                if (hlc != 0)
                        purge(n, hlc);
        }
}

struct err *flow_start(struct node *n)
{
        struct flow_work *w = calloc(1, sizeof(*w));
        if (w == NULL)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&w->lock, "flow", RANK_FLOW);
        cond_init(&w->landed);
        cond_init(&w->changed);
        list_init(&w->flights);
        n->work = w;
        struct err *e = thread_start(&w->keeper, "flow", THREAD_OTHER, keep, n);
        if (e != NULL)
                flow_stop(n);
        return e;
}

void flow_stop(struct node *n)
{
        struct flow_work *w = n->work;
        if (w == NULL)
                return;
        mutex_lock(&w->lock);
        w->stopping = true;
        cond_broadcast(&w->changed);
        mutex_unlock(&w->lock);
        thread_join(w->keeper);
        ASSERT(list_empty(&w->flights));
        n->work = NULL;
        cond_fini(&w->landed);
        cond_fini(&w->changed);
        mutex_fini(&w->lock);
        free(w);
}

/* ---- following ---- */

static void follow_tombstones(struct node *n, const struct snapshot *after)
{
        struct flow_work *w = n->work;
        if (after->tombstones)
                store_set_tombstones(n->store, true);
        if (w == NULL)
                return;
        int64_t due = clock_mono_ns() + SETTLED_DELAY_NS;
        LOCK_SCOPE(&w->lock);
        if (after->tombstones)
                w->tombstones_off_ns = 0;
        else if (w->tombstones_off_ns == 0)
                w->tombstones_off_ns = due;
        if (after->settled_hlc > MAX(w->purged_hlc, w->purge_hlc)) {
                w->purge_hlc = after->settled_hlc;
                w->purge_ns = due;
        }
        cond_signal(&w->changed);
}

static void drop_destroyed(struct node *n, const struct snapshot *before, const struct snapshot *after)
{
        if (before->bmd_version == after->bmd_version)
                return;
        for (size_t i = 0; i < before->bucket_count; i++) {
                uint64_t bid = before->buckets[i]->bid;
                if (snapshot_bucket_by_id(after, bid) == NULL)
                        log_err(LOG_ERROR, LOG_FOLDER, store_bucket_drop(n->store, bid), "drop of bucket %lu",
                                (unsigned long)bid);
        }
}

void flow_follow(struct node *n, const struct snapshot *before, const struct snapshot *after)
{
        if (n->store == NULL)
                return;
        store_set_epoch(n->store, after->placement.epoch);
        follow_tombstones(n, after);
        if (before != NULL)
                drop_destroyed(n, before, after);
}

static struct err *note_bucket(void *arg, uint64_t bid)
{
        struct buf *ids = arg;
        buf_add(ids, &bid, sizeof(bid));
        return buf_err(ids);
}

static int by_id(const void *a, const void *b)
{
        uint64_t x, y;
        memcpy(&x, a, sizeof(x));
        memcpy(&y, b, sizeof(y));
        return (x > y) - (x < y);
}

/* What lies here is listed before the state is brought up to date: whatever it belongs to was made before, so that the
 * state that comes next knows it, or it was destroyed. */
struct err *flow_keep_buckets(struct node *n, int64_t deadline_mono_ns)
{
        AUTO_BUF struct buf ids = BUF_INIT;
        if (n->store == NULL)
                return NULL;
        TRY(store_buckets_each(n->store, note_bucket, &ids));
        TRY(cluster_sync(n->cluster, deadline_mono_ns));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        if (ids.n > 0)
                qsort(ids.p, ids.n / sizeof(uint64_t), sizeof(uint64_t), by_id);
        for (size_t at = 0; at < ids.n; at += sizeof(uint64_t)) {
                uint64_t bid;
                memcpy(&bid, ids.p + at, sizeof(bid));
                bool again = at > 0 && by_id(ids.p + at - sizeof(bid), &bid) == 0; /* on several disks */
                if (again || snapshot_bucket_by_id(s, bid) != NULL)
                        continue;
                log_info("bucket %016lx was destroyed while this node was away: its objects go", (unsigned long)bid);
                TRY(store_bucket_drop(n->store, bid));
        }
        return NULL;
}
