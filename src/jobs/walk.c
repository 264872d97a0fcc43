/* jobs/walk.c: the walk over the objects that a job means, as far as they are this node's: it owns their keys.
 *
 * Names of a list or template are filtered, records of this node are scanned, page by page. Each page looks the
 * bucket up again; its names are visited by several workers (crew.c). A walk that deletes what it visits is safe:
 * the next page starts after the last name of the page before. When the set of targets changes, keys move past a
 * walk: then it begins again, or ends, as the kind says; see enum job_change. */
#include "jobs/names.h"
#include "jobs/priv.h"
#include "os/clock.h"

#define PAGE_NAMES 1000
#define SETTLE_POLL_NS (200 * NS_PER_MS)
#define SYNC_TIMEOUT_NS (5 * NS_PER_SEC)
#define PATIENCE_NS (120 * NS_PER_SEC) /* for a target that is down */

/* A bucket that was made just before the job was started may not be known here yet. */
static const struct bucket *find(struct job *j, uint64_t bid, const struct snapshot **ret_snap)
{
        struct cluster *c = job_node(j)->cluster;
        const struct snapshot *snap = cluster_pin(c);
        const struct bucket *b = snapshot_bucket_by_id(snap, bid);

        if (!b && cluster_rpc(c)) {
                err_free(cluster_sync(c, clock_mono_ns() + SYNC_TIMEOUT_NS));
                cluster_unpin(snap);
                snap = cluster_pin(c);
                b = snapshot_bucket_by_id(snap, bid);
        }
        *ret_snap = snap;
        return b;
}

struct err *job__bucket(struct job *j, uint64_t bid, const struct snapshot **ret_snap, const struct bucket **ret)
{
        const struct snapshot *snap;
        const struct bucket *b = find(j, bid, &snap);

        if (!b) {
                cluster_unpin(snap);
                return err_new(ERR_BUCKET_NOT_FOUND, "the bucket was destroyed while the job was running");
        }
        *ret_snap = snap;
        *ret = b;
        return NULL;
}

/* Work on the keys of one set of targets: the snapshot that a page works with. NOT_OWNER when there is another set by
 * now: the walk ends, and job__each() decides. */
static struct err *page_begin(struct job *j, const struct job_walk *walk, uint64_t epoch,
                              const struct snapshot **ret_snap,
                              const struct bucket **ret)
{
        if (!job_go_on(j))
                return job__cancelled();
        TRY(job__bucket(j, walk->bid, ret_snap, ret));
        if (job__kind(j)->change != JOB_CHANGE_NOTHING && (*ret_snap)->placement.epoch != epoch)
                return err_static(ERR_NOT_OWNER);
        return NULL;
}

/* One page of this node's records; *after is where the next one starts. */
static struct err *prefix_page(struct job *j, const struct job_walk *walk, uint64_t epoch, struct str prefix,
                               struct buf *after,
                               bool *ret_more)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        const struct bucket *b;
        AUTO_ARENA struct arena arena;
        struct str *names, name;
        struct obj_meta meta;
        struct scan *scan;
        unsigned n = 0, seen = 0;
        struct err *e = NULL;

        arena_init(&arena, 64 * 1024, 0);
        TRY(page_begin(j, walk, epoch, &snap, &b));
        names = arena_alloc(&arena, PAGE_NAMES * sizeof(*names));
        if (!names)
                return err_static(ERR_NO_MEMORY);
        TRY(store_scan_open(job_node(j)->store, b->bid, prefix, buf_str(after), &scan));
        while (!e && seen < PAGE_NAMES && store_scan_next(scan, false, &name, &meta)) {
                if (++seen == PAGE_NAMES) {
                        buf_clear(after);
                        buf_adds(after, name);
                        e = buf_err(after);
                }
                if (!job__is_ours(snap, b, name))
                        continue;
                names[n] = str_arena(&arena, name);
                if (!names[n++].p)
                        e = err_static(ERR_NO_MEMORY);
        }
        TRY(err_first(e, store_scan_close(scan)));
        *ret_more = seen == PAGE_NAMES;
        return job__crew_run(j, walk, b, names, n);
}

static struct err *each_prefix(struct job *j, const struct job_walk *walk, uint64_t epoch, struct str prefix)
{
        AUTO_BUF struct buf after = BUF_INIT;
        bool more = true;

        while (more)
                TRY(prefix_page(j, walk, epoch, prefix, &after, &more));
        return NULL;
}

/* Of the names i and following of a list or template, n at most, those that are this node's. */
static struct err *known_page(struct job *j, const struct job_walk *walk, uint64_t epoch, uint64_t i, unsigned n)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        const struct job_names *s = walk->sel;
        const struct bucket *b;
        AUTO_BUF struct buf text = BUF_INIT;
        struct str names[PAGE_NAMES];
        size_t ends[PAGE_NAMES];
        unsigned ours = 0;

        TRY(page_begin(j, walk, epoch, &snap, &b));
        for (unsigned k = 0; s->n == 0 && k < n; k++) {
                selection_name(&s->sel, i + k, &text);
                ends[k] = text.n;
        }
        TRY(buf_err(&text));
        for (unsigned k = 0; k < n; k++) { /* only now: the buffer moved while it grew */
                size_t start = s->n == 0 && k ? ends[k - 1] : 0;
                struct str name = s->n > 0 ? job__names_at(s, i + k) : (struct str){ text.p + start, ends[k] - start };

                if (job__is_ours(snap, b, name))
                        names[ours++] = name;
        }
        return job__crew_run(j, walk, b, names, ours);
}

static struct err *each_known(struct job *j, const struct job_walk *walk, uint64_t epoch)
{
        uint64_t n = walk->sel->n > 0 ? walk->sel->n : walk->sel->sel.count;

        for (uint64_t i = 0; i < n; i += PAGE_NAMES)
                TRY(known_page(j, walk, epoch, i, (unsigned)MIN(n - i, PAGE_NAMES)));
        return NULL;
}

/* A walk over records sees what lies here: it waits until everything is where it belongs. Names that are known need not
 * wait, since their owner settles each. *ret_epoch: the set of targets that the walk is for. */
static struct err *wait_settled(struct job *j, bool records, uint64_t *ret_epoch)
{
        int64_t patience = PATIENCE_NS;

        for (;;) {
                AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(job_node(j)->cluster);

                *ret_epoch = snap->placement.epoch;
                if (!records || snap->earlier_count == 0)
                        return NULL;
                if (job__kind(j)->change == JOB_CHANGE_NOTHING)
                        return NULL; /* what it misses does not matter */
                if (job__is_stuck(j, snap) && (patience -= SETTLE_POLL_NS) <= 0)
                        return err_new(ERR_UNAVAILABLE, "objects that lie on a target that is down, or that were not "
                                                        "rebalanced, can not be reached");
                if (!job__sleep(j, SETTLE_POLL_NS))
                        return job__cancelled();
        }
}

static struct err *one_walk(struct job *j, const struct job_walk *walk, uint64_t epoch)
{
        const struct job_names *s = walk->sel;

        if (s && (s->n > 0 || s->sel.kind == SELECT_TEMPLATE))
                return each_known(j, walk, epoch);
        return each_prefix(j, walk, epoch, s && s->sel.kind == SELECT_PREFIX ? s->sel.prefix : STR(""));
}

struct err *job__each(struct job *j, const struct job_walk *walk)
{
        const struct job_names *s = walk->sel;
        bool records = !s || (s->n == 0 && s->sel.kind != SELECT_TEMPLATE);
        enum job_change change = job__kind(j)->change;
        uint64_t epoch, first = job__epoch(j);
        struct err *e;

        if (s && s->none)
                return NULL;
        for (;;) {
                TRY(wait_settled(j, records, &epoch));
                if (first != 0 && epoch != first && (change == JOB_CHANGE_ENDS || walk->spread))
                        return err_new(ERR_CONFLICT, "%s ended because the set of targets has changed",
                                       job__kind(j)->name);
                job__set_epoch(j, epoch);
                first = epoch;
                e = one_walk(j, walk, epoch);
                if (err_code(e) != ERR_NOT_OWNER || job__same_targets(j, epoch))
                        return e;
                err_free(e); /* keys have moved: what is ours is no longer what was walked */
        }
}
