/* store/scan.c: the records of a bucket in order of names, merged over the mountpaths.
 *
 * Each mountpath contributes an iterator; the smallest current key comes next. When several have the same key (a mixed
 * set), the largest stamp wins, and a tombstone that wins hides the name. The iterators are made while nothing moves
 * between mountpaths (move_lock), so that an object that is being moved is seen on one of them.
 *
 * A record that can not be read ends the scan with an error: a listing that silently lacks a name would be worse. */
#include "store/priv.h"

struct source {
        struct mountpath *mp;
        struct records_iter *it;
        struct str key; /* null p: at its end */
};
struct scan {
        struct store *store;
        uint64_t bid;
        unsigned n;
        struct source *sources;
        bool started;
        struct source *handed; /* its record was handed out: it goes on first */
        char seek[RECORD_KEY_MAX];
        size_t seek_n;
        struct record record;
        struct err *error;
};

/* The smallest key after all keys that begin with k: the last byte that can grow, grown. STR_NONE: there is none. */
static struct str successor(char *k, size_t n)
{
        while (n && (unsigned char)k[n - 1] == 0xff)
                n--;
        if (!n)
                return STR_NONE;
        k[n - 1]++;
        return (struct str){ k, n };
}

static struct err *add_source(struct scan *sc, struct mountpath *mp, struct str lower, struct str upper)
{
        if (!mountpath_enter(mp))
                return err_new(ERR_BUSY, "mountpath %s is being taken out", mp->path);
        struct source *src = &sc->sources[sc->n];
        struct err *e = records_iter_new(mp->records, RECORDS_OBJECTS, lower, upper, false, &src->it);
        if (e) {
                mountpath_leave(mp);
                return e;
        }
        src->mp = mp;
        sc->n++;
        return NULL;
}

static struct err *add_sources(struct scan *sc, struct mp_set *set, struct str lower, struct str upper)
{
        if (set->unopened)
                return err_new(ERR_IO, "mountpath %s could not be opened: what it holds can not be listed",
                               set->unopened->path);
        sc->sources = calloc(set->nall, sizeof *sc->sources);
        if (!sc->sources)
                return err_static(ERR_NO_MEMORY);
        struct mutex *lock = set->mixed ? &sc->store->move_lock : NULL;
        struct err *e = NULL;
        if (lock)
                mutex_lock(lock);
        for (unsigned i = 0; i < set->nall && !e; i++)
                e = add_source(sc, set->mp[i], lower, upper);
        if (lock)
                mutex_unlock(lock);
        return e;
}

struct err *store_scan_open(struct store *s, uint64_t bid, struct str prefix, struct str start_after, struct scan **ret)
{
        ASSERT_MAY_BLOCK();
        char lower_b[RECORD_KEY_MAX], upper_b[RECORD_KEY_MAX];
        struct scan *sc = calloc(1, sizeof *sc);
        if (!sc)
                return err_static(ERR_NO_MEMORY);
        sc->store = s;
        sc->bid = bid;
        struct str lower = record_key_bound(bid, prefix, lower_b), upper = record_key_bound(bid, prefix, upper_b);
        memcpy(sc->seek, lower.p, lower.n);
        sc->seek_n = lower.n;
        if (start_after.n && str_cmp(start_after, prefix) >= 0) {
                start_after.n = MIN(start_after.n, (size_t)1024);
                sc->seek_n = record_key_bound(bid, start_after, sc->seek).n;
                sc->seek[sc->seek_n++] = 0; /* the first name after it */
        }
        struct mp_set *set = store__set_enter(s);
        struct err *e = store__dropped(s, bid) ? NULL : add_sources(sc, set, lower, successor(upper_b, upper.n));
        store__set_leave(set);
        if (e)
                return err_first(e, store_scan_close(sc));
        *ret = sc;
        return NULL;
}

static void read_key(struct scan *sc, struct source *src)
{
        src->key = records_iter_valid(src->it) ? records_iter_key(src->it) : STR_NONE;
        if (!src->key.p && !sc->error)
                sc->error = records_iter_error(src->it);
}

static void seek_all(struct scan *sc)
{
        for (unsigned i = 0; i < sc->n; i++) {
                records_iter_seek(sc->sources[i].it, (struct str){ sc->seek, sc->seek_n });
                read_key(sc, &sc->sources[i]);
        }
        sc->started = true;
        sc->handed = NULL;
}

static void advance(struct scan *sc, struct source *src)
{
        records_iter_next(src->it);
        read_key(sc, src);
}

static bool decode(struct scan *sc, const struct source *src, bool full, struct record *ret)
{
        struct str v = records_iter_value(src->it);
        struct err *e = full ? record_decode(src->key, v, ret) : record_decode_brief(src->key, v, ret);
        if (!e)
                return true;
        atomic_fetch_add(&sc->store->stat_corrupt, 1);
        sc->error = err_first(sc->error, err_wrap(e, "scan of %s", src->mp->path));
        return false;
}

/* The source with the smallest key, and of several with that key the one with the largest stamp; the others go on. Null
 * at the end or on error. */
static struct source *smallest(struct scan *sc)
{
        struct source *best = NULL;
        for (unsigned i = 0; i < sc->n && !sc->error; i++) {
                struct source *src = &sc->sources[i];
                int order = !src->key.p ? 1 : !best ? -1 : str_cmp(src->key, best->key);
                if (order < 0)
                        best = src;
                else if (order == 0 && best) {
                        struct record a, b;
                        if (!decode(sc, best, false, &a) || !decode(sc, src, false, &b))
                                return NULL;
                        bool newer = stamp_cmp(b.stamp, a.stamp) > 0;
                        advance(sc, newer ? best : src);
                        best = newer ? src : best;
                }
        }
        return sc->error ? NULL : best;
}

bool store_scan_next(struct scan *sc, bool full, struct str *ret_name, struct obj_meta *ret_meta)
{
        if (!sc->started)
                seek_all(sc);
        else if (sc->handed)
                advance(sc, sc->handed);
        for (;;) {
                sc->handed = NULL;
                struct source *src = sc->n == 1 && !sc->error ? &sc->sources[0] : smallest(sc);
                if (!src || !src->key.p || !decode(sc, src, full, &sc->record))
                        return false;
                if (!sc->record.tombstone) {
                        *ret_name = str_skip(src->key, 8);
                        store__meta_of(&sc->record, src->mp, ret_meta);
                        if (!full && sc->record.where == RECORD_CHUNKS)
                                ret_meta->chunks = 1; /* not counted, but clients ask whether there are any */
                        sc->handed = src;
                        return true;
                }
                advance(sc, src);
        }
}

void store_scan_seek(struct scan *sc, struct str name)
{
        sc->seek_n = record_key_bound(sc->bid, name, sc->seek).n;
        sc->started = false;
}

struct err *store_scan_close(struct scan *sc)
{
        struct err *e = sc->error;
        for (unsigned i = 0; i < sc->n; i++) {
                records_iter_free(sc->sources[i].it);
                mountpath_leave(sc->sources[i].mp);
        }
        free(sc->sources);
        free(sc);
        return e;
}
