/* flow/list.c: listing and counting a bucket: a scan of its records, folded into directories when one level is asked
 * for.
 *
 * A directory is skipped, not walked: after "dir/" the scan goes on at the first name that does not begin with it. */
#include "flow/priv.h"

/* One listing under way. */
struct lister {
        const struct flow_list_options *o;
        struct scan *scan;
        size_t count;
        struct buf last; /* name of the last entry of the page */
};

/* Length of the directory that `name` lies in below the prefix, with its '/', or 0. */
static size_t dir_length(struct str name, size_t prefix)
{
        ptrdiff_t slash = str_find(str_skip(name, prefix), '/');
        return slash < 0 ? 0 : prefix + (size_t)slash + 1;
}

/* Goes on behind all names that begin with dir (which ends in '/'; '0' is the byte after it). */
static void skip_dir(struct lister *l, struct str dir)
{
        char next[OBJECT_NAME_MAX + 1];
        memcpy(next, dir.p, dir.n);
        next[dir.n - 1] = '/' + 1;
        store_scan_seek(l->scan, (struct str){ next, dir.n });
}

static void emit(struct lister *l, const struct flow_list_entry *e,
                 void (*visit)(void *, const struct flow_list_entry *), void *arg)
{
        visit(arg, e);
        if (++l->count == l->o->page_size) {
                buf_clear(&l->last);
                buf_adds(&l->last, e->name);
        }
}

static void list_run(struct lister *l, void (*visit)(void *, const struct flow_list_entry *), void *arg)
{
        const struct flow_list_options *o = l->o;
        struct str name;
        struct obj_meta meta;
        while (l->count < o->page_size && store_scan_next(l->scan, o->full, &name, &meta)) {
                size_t dir = o->no_recursion ? dir_length(name, o->prefix.n) : 0;
                if (dir == 0) {
                        emit(l, &(struct flow_list_entry){ .name = name, .meta = &meta }, visit, arg);
                        continue;
                }
                struct str d = { name.p, dir };
                char copy[OBJECT_NAME_MAX + 1];
                memcpy(copy, d.p, d.n);
                d.p = copy;
                /* A page that ended at "dir/" goes on after it: the directory itself is not repeated. */
                if (!o->no_dirs && str_cmp(d, o->start_after) > 0)
                        emit(l, &(struct flow_list_entry){ .name = d, .dir = true }, visit, arg);
                skip_dir(l, d);
        }
}

struct err *flow_list(struct node *n, const struct bucket *b, const struct flow_list_options *o,
                      void (*visit)(void *arg, const struct flow_list_entry *e), void *arg, struct arena *a,
                      bool *ret_more, struct str *ret_last)
{
        ASSERT(o->page_size > 0);
        struct lister l = { .o = o };
        TRY(store_scan_open(n->store, b->bid, o->prefix, o->start_after, &l.scan));
        list_run(&l, visit, arg);
        struct err *e = store_scan_close(l.scan);
        if (e == NULL)
                e = buf_err(&l.last);
        if (e == NULL) {
                *ret_more = l.count >= o->page_size;
                *ret_last = *ret_more ? str_arena(a, buf_str(&l.last)) : STR_NONE;
        }
        buf_fini(&l.last);
        return e;
}

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
