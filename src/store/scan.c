/* store/scan.c: the records of a bucket in order of names, merged over the mountpaths.
 *
 * Each mountpath contributes an iterator; the smallest current key comes next. When several have the same key (a mixed
 * set), the largest stamp wins, and a tombstone that wins hides the name, unless all records are wanted. The iterators
 * are made while nothing moves between mountpaths (move_lock), so that an object that is being moved is seen on one.
 *
 * A record that can not be read ends the scan with an error: a listing that silently lacks a name would be worse. */
#include "store/cache.h"

struct source {
        struct mountpath *mp;
        struct records_iter *it;
        struct str key; /* null p: at its end */
};
struct scan {
        struct store *store;
        uint64_t bid;
        bool all;  /* tombstones and moved markers too */
        bool node; /* goes on to the next bucket */
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

/* From sc->seek on, up to `upper`. */
static struct err *begin(struct scan *sc, struct str lower, struct str upper, struct scan **ret)
{
        struct mp_set *set = store__set_enter(sc->store);
        struct err *e = !sc->node && store__dropped(sc->store, sc->bid) ? NULL : add_sources(sc, set, lower, upper);
        store__set_leave(set);
        if (e)
                return err_first(e, store_scan_close(sc));
        *ret = sc;
        return NULL;
}

static void seek_behind(struct scan *sc, struct str name)
{
        name.n = MIN(name.n, (size_t)1024);
        sc->seek_n = record_key_bound(sc->bid, name, sc->seek).n;
        sc->seek[sc->seek_n++] = 0; /* the first name after it */
}

static struct err *open_bucket(struct store *s, uint64_t bid, struct str prefix, struct str start_after, bool all,
                               struct scan **ret)
{
        ASSERT_MAY_BLOCK();
        char lower_b[RECORD_KEY_MAX], upper_b[RECORD_KEY_MAX];
        struct scan *sc = calloc(1, sizeof *sc);
        if (!sc)
                return err_static(ERR_NO_MEMORY);
        sc->store = s;
        sc->bid = bid;
        sc->all = all;
        struct str lower = record_key_bound(bid, prefix, lower_b), upper = record_key_bound(bid, prefix, upper_b);
        memcpy(sc->seek, lower.p, lower.n);
        sc->seek_n = lower.n;
        if (start_after.n && str_cmp(start_after, prefix) >= 0)
                seek_behind(sc, start_after);
        return begin(sc, lower, successor(upper_b, upper.n), ret);
}

struct err *store_scan_open(struct store *s, uint64_t bid, struct str prefix, struct str start_after, struct scan **ret)
{
        return open_bucket(s, bid, prefix, start_after, false, ret);
}

struct err *store_scan_open_all(struct store *s, uint64_t bid, struct str prefix, struct str start_after,
                                struct scan **ret)
{
        return open_bucket(s, bid, prefix, start_after, true, ret);
}

struct err *store_scan_open_node(struct store *s, uint64_t bid, struct str start_after, struct scan **ret)
{
        ASSERT_MAY_BLOCK();
        char lower_b[RECORD_KEY_MAX];
        struct scan *sc = calloc(1, sizeof *sc);
        if (!sc)
                return err_static(ERR_NO_MEMORY);
        sc->store = s;
        sc->bid = bid;
        sc->all = sc->node = true;
        struct str lower = record_key_bound(bid, STR_NONE, lower_b);
        memcpy(sc->seek, lower.p, lower.n);
        sc->seek_n = lower.n;
        if (start_after.n)
                seek_behind(sc, start_after);
        return begin(sc, lower, STR_NONE, ret);
}

uint64_t store_scan_bid(const struct scan *sc)
{
        return sc->bid;
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
                        bool newer = record_cmp(&b, &a) > 0;
                        advance(sc, newer ? best : src);
                        best = newer ? src : best;
                }
        }
        return sc->error ? NULL : best;
}

/* Notes the bucket of a key. False: it was dropped, and the sources stand behind it now. */
static bool enter_bucket(struct scan *sc, struct str k)
{
        struct obj_key key;
        struct err *e = record_key_parse(k, &key);
        if (e) {
                sc->error = err_first(sc->error, e);
                return false;
        }
        sc->bid = key.bid;
        if (!store__dropped(sc->store, key.bid))
                return true;
        sc->seek_n = record_key_bound(key.bid + 1, STR_NONE, sc->seek).n;
        if (key.bid == UINT64_MAX) { /* no id after it: a key longer than all of its names */
                memset(sc->seek, 0xff, sizeof sc->seek);
                sc->seek_n = sizeof sc->seek;
        }
        seek_all(sc);
        return false;
}

/* Records hear of reads late; whose content is open knows. */
static void add_reads(struct scan *sc, struct str name, struct obj_meta *m)
{
        struct obj_key key = { sc->bid, name };
        struct content *c = cache_peek(sc->store->cache, &key, obj_key_digest(&key));
        if (!c)
                return;
        m->atime_ns = MAX(m->atime_ns, atomic_load_explicit(&c->atime_ns, memory_order_relaxed));
        content_unref(c);
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
                if (!src || !src->key.p)
                        return false;
                if (sc->node && !enter_bucket(sc, src->key)) {
                        if (sc->error)
                                return false;
                        continue;
                }
                if (!decode(sc, src, full, &sc->record))
                        return false;
                if (sc->all || record_alive(&sc->record)) {
                        *ret_name = str_skip(src->key, 8);
                        store__meta_of(&sc->record, src->mp, ret_meta);
                        if (!full && sc->record.where == RECORD_CHUNKS)
                                ret_meta->chunks = 1; /* not counted, but clients ask whether there are any */
                        if (full && record_alive(&sc->record))
                                add_reads(sc, *ret_name, ret_meta);
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
