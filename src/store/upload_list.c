/* What uploads there are, and which parts they have. */
#include <stdlib.h>

#include "store/upload.h"

/* ---- parts ---- */

struct listing {
        struct arena *arena;
        struct upload_part *part;
        unsigned n, cap;
};

static struct err *list_part(void *arg, unsigned part, struct str key, const struct part_row *row)
{
        struct listing *l = arg;

        (void)key;
        if (l->n == l->cap) {
                unsigned cap = MAX(2 * l->cap, 64u);
                struct upload_part *more = arena_alloc(l->arena, cap * sizeof(*more));

                if (!more)
                        return err_static(ERR_NO_MEMORY);
                if (l->n)
                        memcpy(more, l->part, l->n * sizeof(*more));
                l->part = more;
                l->cap = cap;
        }
        l->part[l->n] = (struct upload_part){ part, row->size, row->mtime_ns, str_arena(l->arena, row->cksum),
                                              row->cksum_type };
        if (row->cksum.n && !l->part[l->n].cksum.p)
                return err_static(ERR_NO_MEMORY);
        l->n++;
        return NULL;
}

struct err *store_upload_parts(struct store *s, const struct obj_key *key, struct str id, struct arena *a,
                               struct upload_part **ret, unsigned *ret_n)
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        struct listing l = { .arena = a };
        struct upload_row row;

        TRY(upload_open(s, key, id, &b, &row, &mp));
        TRY(upload_each_part(mp, key->bid, id, list_part, &l));
        *ret = l.part;
        *ret_n = l.n;
        return NULL;
}

/* ---- uploads of a bucket ---- */

static int by_name(const void *a, const void *b)
{
        const struct upload_info *x = a, *y = b;
        int c = str_cmp(x->name, y->name);

        if (c == 0)
                c = x->created_ns < y->created_ns ? -1 : x->created_ns > y->created_ns;
        return c ? c : str_cmp(x->id, y->id);
}

struct upload_list {
        struct arena *arena;
        struct upload_info *u;
        unsigned n, cap;
};

static struct err *add_upload(struct upload_list *l, struct str key, struct str value)
{
        struct upload_key k;
        struct upload_row row;
        struct upload_info *u;

        TRY(upload_row_key_parse(key, &k));
        TRY(upload_row_decode(key, value, &row));
        if (l->n == l->cap) {
                unsigned cap = MAX(2 * l->cap, 64u);
                struct upload_info *more = arena_alloc(l->arena, cap * sizeof(*more));

                if (!more)
                        return err_static(ERR_NO_MEMORY);
                if (l->n)
                        memcpy(more, l->u, l->n * sizeof(*more));
                l->u = more;
                l->cap = cap;
        }
        u = &l->u[l->n];
        u->created_ns = row.created_ns;
        u->id = str_arena(l->arena, str_of(k.id));
        u->name = str_arena(l->arena, row.name);
        if (!u->id.p || !u->name.p)
                return err_static(ERR_NO_MEMORY);
        l->n++;
        return NULL;
}

static struct err *list_mountpath(struct mountpath *mp, uint64_t bid, struct upload_list *l)
{
        char from[UPLOAD_KEY_MAX], to[UPLOAD_KEY_MAX];
        struct str end, start = upload_row_range(bid, UPLOAD_ROW, STR_NONE, from, to, &end);
        struct records_iter *it;
        struct err *e = NULL;

        TRY(records_iter_new(mp->records, RECORDS_UPLOADS, start, end, false, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it))
                e = add_upload(l, records_iter_key(it), records_iter_value(it));
        if (!e)
                e = records_iter_error(it);
        records_iter_free(it);
        return e;
}

struct err *store_uploads(struct store *s, uint64_t bid, struct arena *a, struct upload_info **ret, unsigned *ret_n)
{
        struct upload_list l = { .arena = a };
        struct err *e = NULL;

        if (!store__dropped(s, bid)) {
                AUTO_SET struct mp_set *set = store__set_enter(s);

                for (unsigned i = 0; i < set->nall && !e; i++) {
                        if (!mountpath_enter(set->mp[i]))
                                continue;
                        e = list_mountpath(set->mp[i], bid, &l);
                        mountpath_leave(set->mp[i]);
                }
        }
        TRY(e);
        if (l.n)
                qsort(l.u, l.n, sizeof(*l.u), by_name);
        *ret = l.u;
        *ret_n = l.n;
        return NULL;
}
