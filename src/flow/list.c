/* flow/list.c: listing and counting a bucket.
 *
 * A listing is a merge of the parts of all targets that may hold records: those of the current placement, and those
 * that are not clean yet under an earlier one. Of a cluster of one that is a scan of its own store. Each part is the
 * state of one moment, at which its target held a lease and knew of no newer epoch than the one asked for: so no owner
 * that is not asked can have changed anything before. When the epoch moves on meanwhile the listing goes on from where
 * it is under the new one. When a target that counts does not answer, the listing fails: it is never short.
 *
 * A directory is skipped, not walked: after "dir/" it goes on at the first name that does not begin with it. While
 * everything is settled each target folds by itself; else only the merged listing knows what is live below. */
#include "flow/list_merge.h"

#include "os/clock.h"

#define CONFLICT_WAIT_NS (20 * NS_PER_MS)
#define CONFLICT_MAX_NS (15 * NS_PER_SEC) /* without one entry; targets hear of an epoch in milliseconds, or are down */
#define CALL_TIMEOUT_NS (10 * NS_PER_SEC)
#define SEEK_WANT 64 /* rows read behind a directory at first: the next one may be near */

/* ---- entries out of rows ---- */

size_t flow__list_dir_length(struct str name, size_t prefix)
{
        ptrdiff_t slash = str_find(str_skip(name, prefix), '/');
        return slash < 0 ? 0 : prefix + (size_t)slash + 1;
}

size_t flow__list_behind(struct str name, bool dir, char ret[static LIST_FROM_MAX])
{
        memcpy(ret, name.p, name.n);
        if (dir) {
                ret[name.n - 1] = '/' + 1;
                return name.n;
        }
        ret[name.n] = '\0';
        return name.n + 1;
}

static void set_from(struct lister *l, struct str name, bool dir)
{
        l->from_n = flow__list_behind(name, dir, l->from);
}

void flow__list_start(struct lister *l, const struct flow_list_options *o,
                 void (*visit)(void *arg, const struct flow_list_entry *e), void *arg)
{
        l->o = o;
        l->visit = visit;
        l->arg = arg;
        l->count = 0;
        l->stopped = false;
        l->only = NULL;
        struct str after = { o->start_after.p, MIN(o->start_after.n, (size_t)OBJECT_NAME_MAX) };
        l->from_n = MIN(o->prefix.n, sizeof(l->from));
        if (l->from_n)
                memcpy(l->from, o->prefix.p, l->from_n);
        if (after.n && str_cmp(after, o->prefix) >= 0)
                set_from(l, after, o->no_recursion && flow__list_dir_length(after, o->prefix.n) == after.n);
}

/* Undoes set_from() for the entry that ended the page. */
struct str flow__list_last(struct lister *l)
{
        ASSERT(l->stopped);
        if (l->from[l->from_n - 1] == '\0')
                return (struct str){ l->from, l->from_n - 1 };
        l->from[l->from_n - 1] = '/';
        return (struct str){ l->from, l->from_n };
}

static void emit(struct lister *l, const struct flow_list_entry *e)
{
        l->visit(l->arg, e);
        l->count++;
        l->stopped = l->count == l->o->page_size || (l->o->stop && l->o->stop(l->arg));
}

/* A page that ended at "dir/" goes on after it: the directory itself is not repeated. */
static void emit_dir(struct lister *l, struct str dir)
{
        if (!l->o->no_dirs && str_cmp(dir, l->o->start_after) > 0)
                emit(l, &(struct flow_list_entry){ .name = dir, .dir = true });
}

/* One row; returns whether the merge must be led behind the directory in which it lies. */
static bool take_row(struct lister *l, const struct list_row *row, const char *target)
{
        size_t dir = l->o->no_recursion ? flow__list_dir_length(row->name, l->o->prefix.n) : 0;
        bool fold = row->kind != LIST_DIR && dir > 0;
        struct str name = { row->name.p, fold ? dir : row->name.n };
        set_from(l, name, dir > 0);
        if (l->only && strcmp(l->only, target) != 0)
                return fold;
        if (dir > 0)
                emit_dir(l, name);
        else
                emit(l, &(struct flow_list_entry){ .name = name, .meta = &row->meta, .target = target,
                                                   .mountpath = row->place.path, .disk = row->place.disk });
        return fold;
}

struct err *flow__list_run(struct lister *l, struct list_merge *m)
{
        while (!l->stopped) {
                const struct list_row *row;
                const char *target;
                TRY(flow__list_merge_next(m, l->o->page_size - l->count, &row, &target));
                if (!row)
                        return NULL;
                if (take_row(l, row, target) && !l->stopped)
                        TRY(flow__list_merge_seek(m, (struct str){ l->from, l->from_n }, SEEK_WANT));
        }
        return NULL;
}

/* ---- whom to ask ---- */

/* The targets whose records count, under one snapshot. */
struct parts {
        struct list_part part;
        bool local; /* this process is one of them */
        unsigned n; /* others */
        const struct cluster_member **members; /* heap */
};

static struct err *add_target(struct parts *p, const struct snapshot *s, const char *id)
{
        const struct cluster_member *m = snapshot_member(s, str_of(id));
        if (m && strcmp(m->id, s->member_id) == 0) {
                p->local = true;
                return NULL;
        }
        if (!m || !m->up)
                return err_new(ERR_UNAVAILABLE, "cannot list: t[%s] is down, and may hold objects of the bucket", id);
        for (unsigned i = 0; i < p->n; i++)
                if (p->members[i] == m)
                        return NULL;
        p->members[p->n++] = m;
        return NULL;
}

static struct err *all_targets(struct parts *p, const struct snapshot *s)
{
        for (unsigned i = 0; i < s->placement.n; i++)
                TRY(add_target(p, s, s->placement.ids[i]));
        for (unsigned k = 0; k < s->earlier_count; k++)
                for (unsigned i = 0; i < s->earlier[k].n; i++)
                        if (s->earlier[k].pending[i])
                                TRY(add_target(p, s, s->earlier[k].ids[i]));
        return NULL;
}

static struct err *choose_parts(struct node *n, const struct snapshot *s, const struct bucket *b, struct lister *l,
                                struct parts *p)
{
        const struct flow_list_options *o = l->o;
        bool unsettled = s->earlier_count > 0;
        p->members = calloc(s->member_count + 1, sizeof(*p->members));
        if (!p->members)
                return err_static(ERR_NO_MEMORY);
        l->only = NULL;
        if (o->local) {
                p->local = true;
        } else if (o->target && !unsettled) { /* nobody else has anything under these names */
                TRY(add_target(p, s, o->target));
        } else {
                TRY(all_targets(p, s));
                l->only = o->target;
        }
        if (!p->local && p->n == 0)
                return err_new(ERR_UNAVAILABLE, "cannot list: the cluster has no targets");
        if (p->local && !n->store)
                return err_new(ERR_UNAVAILABLE, "cannot list: this node stores nothing");
        bool alone = p->local && p->n == 0;
        p->part = (struct list_part){ .bid = b->bid, .epoch = s->placement.epoch, .prefix = o->prefix, .full = o->full,
                                      .all = unsettled && !alone, .dirs = o->no_recursion && (!unsettled || alone) };
        return NULL;
}

/* ---- one attempt ---- */

static struct err *merge_parts(struct lister *l, const struct parts *p, struct list_source *local,
                               struct list_remotes *remotes)
{
        unsigned n = p->n + (local ? 1 : 0);
        AUTO_FREE struct list_source **src = calloc(n, sizeof(struct list_source *));
        if (!src)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < p->n; i++)
                src[i] = flow__list_remote(remotes, i);
        if (local)
                src[p->n] = local;
        struct list_merge m;
        flow__list_merge_init(&m, src, n);
        return flow__list_run(l, &m);
}

static struct err *list_parts(struct node *n, struct lister *l, const struct parts *p)
{
        struct str from = { l->from, l->from_n };
        struct list_remotes *remotes = NULL;
        struct list_source *local = NULL;
        struct err *e = NULL;
        struct list_remote_options o = { .part = &p->part, .from = from, .want = l->o->page_size - l->count,
                                         .targets = p->n + p->local, .timeout_ns = CALL_TIMEOUT_NS };
        if (p->n)
                e = flow__list_remotes_open(cluster_rpc(n->cluster), p->members, p->n, &o, &remotes);
        if (!e && p->local)
                e = flow__list_local_open(n, &p->part, from, &local);
        if (!e)
                e = merge_parts(l, p, local, remotes);
        flow__list_local_close(local);
        flow__list_remotes_close(remotes);
        return e;
}

static struct err *attempt(struct node *n, const struct bucket *b, struct lister *l)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        struct parts p = { .n = 0 };
        struct err *e = choose_parts(n, s, b, l, &p);
        if (!e)
                e = list_parts(n, l, &p);
        free(p.members);
        return e;
}

/* Under the next epoch, when the one of the last attempt has ended; the position stays. */
static struct err *list_all(struct node *n, const struct bucket *b, struct lister *l)
{
        int64_t end = clock_mono_ns() + CONFLICT_MAX_NS;
        for (;;) {
                size_t before = l->count;
                struct err *e = attempt(n, b, l);
                if (err_code(e) != ERR_CONFLICT)
                        return e;
                if (l->count > before)
                        end = clock_mono_ns() + CONFLICT_MAX_NS;
                else if (clock_mono_ns() >= end)
                        return err_recode(e, ERR_UNAVAILABLE, "cannot list");
                err_free(e);
                clock_sleep_ns(CONFLICT_WAIT_NS);
        }
}

struct err *flow_list(struct node *n, const struct bucket *b, const struct flow_list_options *o,
                      void (*visit)(void *arg, const struct flow_list_entry *e), void *arg, struct arena *a,
                      bool *ret_more, struct str *ret_last)
{
        ASSERT(o->page_size > 0);
        struct lister l;
        flow__list_start(&l, o, visit, arg);
        TRY(list_all(n, b, &l));
        *ret_more = l.stopped;
        *ret_last = l.stopped ? str_arena(a, flow__list_last(&l)) : STR_NONE;
        return NULL;
}

/* ---- counting ---- */

struct err *flow_summary(struct node *n, const struct bucket *b, struct str prefix,
                         bool (*go_on)(void *arg, const struct flow_summary *so_far), void *arg,
                         struct flow_summary *ret)
{
        struct scan *scan;
        TRY(store_scan_open(n->store, b->bid, prefix, STR_NONE, &scan));
        struct flow_summary sum = { .min_size = UINT64_MAX };
        struct str name;
        struct obj_meta meta;
        bool stopped = false;
        while (!stopped && store_scan_next(scan, false, &name, &meta)) {
                sum.objects++;
                sum.bytes += meta.size;
                sum.min_size = MIN(sum.min_size, meta.size);
                sum.max_size = MAX(sum.max_size, meta.size);
                if (go_on != NULL && sum.objects % 4096 == 0)
                        stopped = !go_on(arg, &sum);
        }
        TRY(store_scan_close(scan));
        if (stopped)
                return err_static(ERR_CANCELLED);
        if (sum.objects == 0)
                sum.min_size = 0;
        *ret = sum;
        return NULL;
}
