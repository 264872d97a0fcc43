/* store/object_read.c: finding a record and opening a content, through the cache.
 *
 * Record and content are read one after the other, while changes go on: a small content that carries another id than
 * its record, or a content file that is gone, means that the record was replaced meanwhile, if the record now is
 * another one: try again. If it is the same, the content is lost: CORRUPT. Each new try means that a change happened in
 * between, so they end; the bound only guards against a fault of ours.
 *
 * Mixed sets: the other mountpaths are asked before the chosen one. Whoever moves an object places it on the chosen one
 * before the old copy is forgotten, so that one of both is always seen.
 *
 * While a mountpath that was asked for could not be opened, a record that is not found is an error, not an absence: the
 * object may lie there. */
#include "store/cache.h"

#define TRIES_MAX 1000

static struct err *get_one(struct mountpath *mp, struct str k, struct buf *b, struct record *ret)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        TRY(records_get(mp->records, RECORDS_OBJECTS, k, &v));
        buf_clear(b);
        buf_adds(b, v.data);
        TRY(buf_err(b));
        struct err *e = record_decode(k, buf_str(b), ret);
        if (e && err_code(e) != ERR_NO_MEMORY)
                atomic_fetch_add(&mp->store->stat_corrupt, 1);
        return e ? err_wrap(e, "record on %s", mp->path) : NULL;
}

/* The newest of all mountpaths of the set; the chosen one comes last. */
static struct err *get_newest(struct mp_set *set, struct mountpath *chosen, struct str k, struct buf *b,
                              struct record *ret, struct mountpath **ret_mp)
{
        AUTO_BUF struct buf other = BUF_INIT;
        struct record best, r;
        bool found = false;
        for (unsigned i = 0; i <= set->nall; i++) {
                struct mountpath *mp = i < set->nall ? set->mp[i] : chosen;
                if (i < set->nall && mp == chosen)
                        continue;
                struct err *e = get_one(mp, k, &other, &r);
                if (err_code(e) == ERR_NOT_FOUND)
                        continue;
                TRY(e);
                if (found && record_cmp(&r, &best) < 0)
                        continue;
                struct buf t = *b; /* the better one moves to b, whose memory its texts borrow */
                *b = other;
                other = t;
                best = r;
                *ret_mp = mp;
                found = true;
        }
        if (!found)
                return err_static(ERR_NOT_FOUND);
        *ret = best;
        return NULL;
}

struct err *store__not_found(const struct mp_set *set, const struct obj_key *key)
{
        if (!set->unopened)
                return err_static(ERR_NOT_FOUND);
        return err_new(ERR_IO, "mountpath %s could not be opened: whether " STR_FMT " exists is not known",
                       set->unopened->path, STR_ARG(key->name));
}

struct err *store__record_get(struct mp_set *set, const struct obj_key *key, bool want_dead, struct buf *b,
                              struct record *ret, struct mountpath **ret_mp)
{
        char kb[RECORD_KEY_MAX];
        struct str k;
        struct record r;
        struct mountpath *mp = store__set_choose(set, obj_key_digest(key));
        TRY(record_key(key, kb, &k));
        if (store__dropped(mp->store, key->bid))
                return err_static(ERR_NOT_FOUND);
        struct err *e = set->mixed ? get_newest(set, mp, k, b, &r, &mp) : get_one(mp, k, b, &r);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return store__not_found(set, key);
        }
        TRY(e);
        if (!record_alive(&r) && !want_dead)
                return err_static(ERR_NOT_FOUND);
        *ret = r;
        *ret_mp = mp;
        return NULL;
}

/* ---- contents ---- */

/* STALE: the content belongs to another version than the record. */
static struct err *load_small(struct mountpath *mp, struct str k, const struct record *r, struct records_value *v,
                              struct str *ret, bool *ret_stale)
{
        struct content_id id;
        struct err *e = records_get(mp->records, RECORDS_SMALL, k, v);
        if (err_code(e) == ERR_NOT_FOUND) {
                *ret_stale = true;
                return NULL;
        }
        TRY(e);
        TRY(record_small_decode(k, v->data, &id, ret));
        *ret_stale = !content_id_eq(id, r->id) || ret->n != r->size;
        return NULL;
}

static struct err *load_first_file(struct content *c, bool *ret_stale)
{
        struct content_file *f;
        struct err *e = content__open_slot(c, &c->slots[0], &f);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                *ret_stale = true;
                return NULL;
        }
        return e;
}

/* A content of this record, or *ret_stale. */
static struct err *load_content(struct mountpath *mp, const struct obj_key *key, const struct record *r,
                                struct content **ret, bool *ret_stale)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        char kb[RECORD_KEY_MAX];
        struct str k, small = STR_NONE;
        struct content *c;
        *ret_stale = false;
        TRY(record_key(key, kb, &k));
        if (r->where == RECORD_SMALL)
                TRY(load_small(mp, k, r, &v, &small, ret_stale));
        if (*ret_stale)
                return NULL;
        TRY(content__new(mp->store, mp, key, obj_key_digest(key), r, small, &c));
        struct err *e = c->nslots ? load_first_file(c, ret_stale) : NULL;
        if (e || *ret_stale)
                content__free(c);
        else
                *ret = c;
        return e;
}

static struct err *lost(struct mountpath *mp, const struct obj_key *key)
{
        atomic_fetch_add(&mp->store->stat_corrupt, 1);
        return err_new(ERR_CORRUPT, "the content of " STR_FMT " on %s is missing", STR_ARG(key->name), mp->path);
}

struct err *store__content_open(struct mountpath *mp, const struct obj_key *key, const struct record *r,
                                struct content **ret)
{
        bool stale;
        TRY(load_content(mp, key, r, ret, &stale));
        return stale ? lost(mp, key) : NULL;
}

static struct err *load(struct store *s, struct mp_set *set, const struct obj_key *key, uint64_t digest,
                        struct content **ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct stamp last = { 0, 0 };
        struct content_id last_id = { 0, 0 };
        struct mountpath *last_mp = NULL;
        for (int i = 0; i < TRIES_MAX; i++) {
                struct record r;
                struct mountpath *mp;
                bool stale;
                uint64_t ticket = cache_ticket(s->cache, digest);
                TRY(store__record_get(set, key, false, &b, &r, &mp));
                TRY(load_content(mp, key, &r, ret, &stale));
                if (!stale) {
                        cache_insert(s->cache, *ret, ticket);
                        return NULL;
                }
                if (last_mp == mp && stamp_cmp(r.stamp, last) == 0 && content_id_eq(r.id, last_id))
                        return lost(mp, key);
                last = r.stamp;
                last_id = r.id;
                last_mp = mp;
        }
        return err_new(ERR_BUSY, "the object changes faster than it can be read");
}

struct err *store_open_object(struct store *s, const struct obj_key *key, struct content **ret)
{
        ASSERT_MAY_BLOCK();
        uint64_t digest = obj_key_digest(key);
        struct content *c = cache_get(s->cache, key, digest, true);
        if (!c) {
                struct mp_set *set = store__set_enter(s);
                struct err *e = load(s, set, key, digest, &c);
                store__set_leave(set);
                if (e)
                        return e;
        }
        *ret = c;
        return NULL;
}

struct content *store_cached(struct store *s, const struct obj_key *key)
{
        struct content *c = cache_get(s->cache, key, obj_key_digest(key), false);
        if (c && !content__ready(c)) {
                content_unref(c);
                return NULL;
        }
        return c;
}

static struct err *arena_texts(struct arena *a, struct obj_meta *m)
{
        m->cksum = str_arena(a, m->cksum);
        m->custom = m->custom.n ? str_arena(a, m->custom) : STR_NONE;
        return m->cksum.p ? NULL : err_static(ERR_NO_MEMORY);
}

static struct err *head(struct store *s, const struct obj_key *key, bool want_dead, struct arena *a,
                        struct obj_meta *ret)
{
        ASSERT_MAY_BLOCK();
        struct obj_meta m;
        struct content *c = cache_get(s->cache, key, obj_key_digest(key), true);
        if (c) {
                m = c->meta;
                m.atime_ns = atomic_load_explicit(&c->atime_ns, memory_order_relaxed);
                struct err *e = arena_texts(a, &m);
                content_unref(c);
                TRY(e);
                *ret = m;
                return NULL;
        }
        AUTO_BUF struct buf b = BUF_INIT;
        struct record r;
        struct mountpath *mp;
        struct mp_set *set = store__set_enter(s);
        struct err *e = store__record_get(set, key, want_dead, &b, &r, &mp);
        store__set_leave(set);
        TRY(e);
        store__meta_of(&r, mp, &m);
        TRY(arena_texts(a, &m));
        *ret = m;
        return NULL;
}

struct err *store_head(struct store *s, const struct obj_key *key, struct arena *a, struct obj_meta *ret)
{
        return head(s, key, false, a, ret);
}

struct err *store_record_head(struct store *s, const struct obj_key *key, struct arena *a, struct obj_meta *ret)
{
        return head(s, key, true, a, ret);
}

/* ---- copies of content files ---- */

#define COPY_PIECE (1u << 20)

static struct err *copy_bytes(struct content_file *f, uint64_t size, struct content_writer *w)
{
        size_t piece = (size_t)MIN(size, COPY_PIECE);
        AUTO_FREE char *p = malloc(piece + 1);
        if (!p)
                return err_static(ERR_NO_MEMORY);
        for (uint64_t at = 0; at < size;) {
                size_t n = (size_t)MIN(size - at, piece);
                TRY(content_file_read(f, at, p, n));
                TRY(content_writer_write(w, p, n));
                at += n;
        }
        return NULL;
}

struct err *store__content_copy(struct mountpath *from, struct content_id id, uint64_t size, struct mountpath *to,
                                struct str self, bool fast, struct content_id *ret)
{
        struct content_file *f;
        struct content_writer *w;
        TRY(content_file_open(from->contents, id, size, &f));
        struct err *e = content_writer_new(to->contents, (int64_t)size, &w);
        if (!e) {
                e = copy_bytes(f, size, w);
                *ret = content_writer_id(w);
                if (e)
                        content_writer_abort(w);
                else
                        e = content_writer_finish(w, self, fast);
        }
        content_file_close(f);
        return e;
}
