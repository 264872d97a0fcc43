/* flow/list_local.c: this process's own part of a listing: a scan of its store.
 *
 * The scan sees one state of the records. That state counts only if, once it is fixed, this process still held its
 * lease and knew of no newer epoch: a target without a lease may have been replaced, and one that has seen a newer
 * epoch may have given keys away to somebody who is not asked. */
#include "flow/list_merge.h"

#include "os/clock.h"

struct local {
        struct list_source src;
        struct node *n;
        struct list_part part;
        struct scan *scan;    /* null: ended */
        struct list_row row;
        size_t dir;           /* > 0: the row is a directory of this length, and the scan stands inside it */
        char name[OBJECT_NAME_MAX]; /* of a directory */
        char target[NODE_ID_MAX + 1];
        unsigned place_index;     /* of the place below */
        struct list_place place;
};

unsigned flow__list_places(struct node *n, struct list_place ret[static LIST_PLACES_MAX])
{
        unsigned count = 0;
        for (unsigned i = 0; i < LIST_PLACES_MAX; i++) {
                ret[i].path = str_of(store_mountpath_path(n->store, i));
                ret[i].disk = str_of(store_mountpath_disk(n->store, i));
                if (ret[i].path.n)
                        count = i + 1;
        }
        return count;
}

static struct err *check_moment(struct local *l)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(l->n->cluster);
        if (s->placement.epoch != l->part.epoch)
                return err_new(ERR_CONFLICT, "epoch %lu is in force, not %lu", (unsigned long)s->placement.epoch,
                               (unsigned long)l->part.epoch);
        if (!cluster_has_lease(l->n->cluster, clock_mono_ns()))
                return err_new(ERR_UNAVAILABLE, "this node has no lease");
        const char *id = s->target ? s->target->id : "";
        str_copy(l->target, sizeof(l->target), str_of(id));
        return NULL;
}

static struct err *end_scan(struct local *l)
{
        struct err *e = l->scan ? store_scan_close(l->scan) : NULL;
        l->scan = NULL;
        l->src.row = NULL;
        return e;
}

static struct err *begin_scan(struct local *l, struct str from)
{
        const struct list_part *p = &l->part;
        TRY((p->all ? store_scan_open_all : store_scan_open)(l->n->store, p->bid, p->prefix, STR_NONE, &l->scan));
        if (str_cmp(from, p->prefix) > 0)
                store_scan_seek(l->scan, from);
        l->dir = 0;
        struct err *e = check_moment(l);
        return e ? err_first(e, end_scan(l)) : NULL;
}

static void set_dir(struct local *l, size_t dir)
{
        memcpy(l->name, l->row.name.p, dir);
        l->row = (struct list_row){ .name = { l->name, dir }, .kind = LIST_DIR };
        l->dir = dir;
}

/* The row is a directory: what lies in it is not read. */
static void leave_dir(struct local *l)
{
        char behind[LIST_FROM_MAX];
        store_scan_seek(l->scan, (struct str){ behind, flow__list_behind(l->row.name, true, behind) });
        l->dir = 0;
}

static struct list_place place_at(struct local *l, unsigned index)
{
        if (l->place_index != index || !l->place.path.p)
                l->place = (struct list_place){ str_of(store_mountpath_path(l->n->store, index)),
                                                str_of(store_mountpath_disk(l->n->store, index)) };
        l->place_index = index;
        return l->place;
}

static struct err *next(struct list_source *s)
{
        struct local *l = CONTAINER_OF(s, struct local, src);
        if (!l->scan)
                return NULL;
        if (l->dir)
                leave_dir(l);
        struct obj_meta *m = &l->row.meta;
        if (!store_scan_next(l->scan, l->part.full, &l->row.name, m))
                return end_scan(l);
        l->row.kind = m->tombstone ? LIST_TOMBSTONE : m->moved ? LIST_MOVED : LIST_LIVE;
        size_t dir = l->part.dirs ? flow__list_dir_length(l->row.name, l->part.prefix.n) : 0;
        if (dir)
                set_dir(l, dir);
        else if (l->part.full)
                l->row.place = place_at(l, m->mountpath);
        s->row = &l->row;
        return NULL;
}

static struct err *seek(struct list_source *s, struct str from, size_t want)
{
        struct local *l = CONTAINER_OF(s, struct local, src);
        (void)want;
        if (l->scan)
                store_scan_seek(l->scan, from);
        l->dir = 0;
        return NULL;
}

static struct err *restart(struct list_source *s, struct str from, size_t want)
{
        struct local *l = CONTAINER_OF(s, struct local, src);
        (void)want;
        TRY(end_scan(l));
        return begin_scan(l, from);
}

static const struct list_source_ops ops = { next, seek, restart };

struct err *flow__list_local_open(struct node *n, const struct list_part *part, struct str from,
                                  struct list_source **ret)
{
        struct local *l = calloc(1, sizeof(*l));
        if (!l)
                return err_static(ERR_NO_MEMORY);
        l->src.ops = &ops;
        l->src.target = l->target;
        l->n = n;
        l->part = *part;
        struct err *e = begin_scan(l, from);
        if (e) {
                free(l);
                return e;
        }
        *ret = &l->src;
        return NULL;
}

void flow__list_local_close(struct list_source *s)
{
        if (!s)
                return;
        struct local *l = CONTAINER_OF(s, struct local, src);
        err_free(end_scan(l)); /* an error of the scan has come out of next() */
        free(l);
}
