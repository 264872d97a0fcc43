/* store/drop.c: removing whole buckets.
 *
 * A drop first enters the bucket's id in memory (from then on nobody reads or writes it) and writes a marker on each
 * mountpath, synced. The background then walks the bucket's records, discards their content files, removes records,
 * small contents and uploads by range, and last the marker. A restart finds the markers and goes on. Ids are never used
 * again, so the ones in memory stay until the end. */
#include "store/background.h"
#include "store/cache.h"

#include <stdio.h>

bool store__dropped(struct store *s, uint64_t bid)
{
        if (!atomic_load_explicit(&s->dropped_any, memory_order_acquire))
                return false;
        LOCK_SCOPE(&s->drop_lock);
        for (unsigned i = 0; i < s->ndropped; i++)
                if (s->dropped[i] == bid)
                        return true;
        return false;
}

static struct err *remember(struct store *s, uint64_t bid)
{
        if (store__dropped(s, bid))
                return NULL;
        LOCK_SCOPE(&s->drop_lock);
        uint64_t *d = realloc(s->dropped, (s->ndropped + 1) * sizeof *d);
        if (!d)
                return err_static(ERR_NO_MEMORY);
        s->dropped = d;
        d[s->ndropped++] = bid;
        atomic_store(&s->dropped_any, s->ndropped);
        return NULL;
}

static struct str marker_key(uint64_t bid, char out[32])
{
        int n = snprintf(out, 32, "drop/%016llx", (unsigned long long)bid);
        return (struct str){ out, (size_t)n };
}

static bool in_bucket(void *arg, const struct content *x)
{
        return x->key.bid == *(uint64_t *)arg;
}

struct err *store_bucket_drop(struct store *s, uint64_t bid)
{
        ASSERT_MAY_BLOCK();
        char kb[32];
        struct commit_row row = { RECORDS_META, marker_key(bid, kb), STR(""), false };
        TRY(remember(s, bid));
        cache_drop(s->cache, in_bucket, &bid);
        struct mp_set *set = store__set_enter(s);
        struct err *e = NULL;
        for (unsigned i = 0; i < set->nall && !e; i++) /* also waits for the changes that were queued before */
                e = store__commit_rows(set->mp[i], &row, 1, false);
        store__set_leave(set);
        if (!e)
                background_drop_kick(s->background);
        return e;
}

struct err *store__drop_load(struct store *s, struct mountpath *mp)
{
        struct records_iter *it;
        TRY(records_iter_new(mp->records, RECORDS_META, STR("drop/"), STR("drop0"), false, &it));
        struct err *e = NULL;
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                uint64_t bid;
                e = str_hex64(str_skip(records_iter_key(it), 5), &bid)
                            ? remember(s, bid)
                            : err_new(ERR_CORRUPT, "marker of a dropped bucket");
        }
        e = err_first(e, records_iter_error(it));
        records_iter_free(it);
        return e;
}

/* Discards the content files of a bucket. A record that can not be read keeps its files: cleanup finds them. */
static struct err *discard_contents(struct store *s, struct mountpath *mp, struct str from, struct str to)
{
        struct records_iter *it;
        TRY(records_iter_new(mp->records, RECORDS_OBJECTS, from, to, true, &it));
        for (records_iter_seek(it, STR_NONE); records_iter_valid(it) && !atomic_load(&s->stopping);
             records_iter_next(it)) {
                struct record r;
                struct record_chunk c;
                struct err *e = record_decode(records_iter_key(it), records_iter_value(it), &r);
                if (!e && r.where == RECORD_FILE)
                        e = content_remove(mp->contents, r.id);
                while (!e && r.where == RECORD_CHUNKS && record_chunk_next(&r.chunks, &c))
                        e = content_remove(mp->contents, c.id);
                err_free(e);
        }
        struct err *e = records_iter_error(it);
        records_iter_free(it);
        return e;
}

static struct err *remove_ranges(struct mountpath *mp, struct str from, struct str to, struct str marker)
{
        struct records_batch *b = records_batch_new();
        if (!b)
                return err_static(ERR_NO_MEMORY);
        records_batch_delete_range(b, mp->records, RECORDS_OBJECTS, from, to);
        records_batch_delete_range(b, mp->records, RECORDS_SMALL, from, to);
        records_batch_delete_range(b, mp->records, RECORDS_UPLOADS, from, to);
        records_batch_delete(b, mp->records, RECORDS_META, marker);
        struct err *e = records_write(mp->records, b, true);
        records_batch_free(b);
        return e;
}

static struct err *drop_on(struct store *s, struct mountpath *mp, uint64_t bid)
{
        char kb[32], from_b[RECORD_KEY_MAX], to_b[RECORD_KEY_MAX];
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct str marker = marker_key(bid, kb), from = record_key_bound(bid, STR_NONE, from_b),
                   to = record_key_bound(bid + 1, STR_NONE, to_b);
        if (bid == UINT64_MAX) /* no id after it: a key longer than all of its names */
                to = (struct str){ memset(to_b, 0xff, sizeof to_b), sizeof to_b };
        struct err *e = records_get(mp->records, RECORDS_META, marker, &v);
        if (err_code(e) == ERR_NOT_FOUND)
                return NULL; /* done before */
        TRY(e);
        TRY(discard_contents(s, mp, from, to));
        if (atomic_load(&s->stopping))
                return NULL;
        store__uploads_drop(s, mp, bid);
        FAULT_POINT("store.drop.contents");
        TRY(remove_ranges(mp, from, to, marker));
        records_compact(mp->records, RECORDS_OBJECTS, from, to);
        records_compact(mp->records, RECORDS_SMALL, from, to);
        return NULL;
}

void store__drop_run(struct store *s)
{
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++) {
                struct mountpath *mp = s->mp[i];
                if (!mountpath_enter(mp))
                        continue;
                for (unsigned j = 0; j < atomic_load(&s->dropped_any) && !atomic_load(&s->stopping) &&
                                     atomic_load(&mp->state) != MOUNTPATH_FAILED;
                     j++) {
                        mutex_lock(&s->drop_lock);
                        uint64_t bid = s->dropped[j];
                        mutex_unlock(&s->drop_lock);
                        struct err *e = drop_on(s, mp, bid);
                        if (e)
                                log_err(LOG_ERROR, LOG_FOLDER, e, "%s: a dropped bucket was not removed", mp->path);
                }
                mountpath_leave(mp);
        }
        store__trash_kick(s);
}

/* The buckets of one family of one mountpath: one seek per bucket. */
static struct err *each_on(struct store *s, struct mountpath *mp, enum records_family f,
                           struct err *(*fn)(void *arg, uint64_t bid), void *arg)
{
        struct records_iter *it;
        char kb[RECORD_KEY_MAX];
        TRY(records_iter_new(mp->records, f, STR_NONE, STR_NONE, false, &it));
        struct err *e = NULL;
        records_iter_seek(it, STR_NONE);
        while (!e && records_iter_valid(it)) {
                struct obj_key key;
                e = record_key_parse(records_iter_key(it), &key);
                if (!e && !store__dropped(s, key.bid))
                        e = fn(arg, key.bid);
                if (e || key.bid == UINT64_MAX)
                        break;
                records_iter_seek(it, record_key_bound(key.bid + 1, STR_NONE, kb));
        }
        e = err_first(e, records_iter_error(it));
        records_iter_free(it);
        return e;
}

struct err *store_buckets_each(struct store *s, struct err *(*fn)(void *arg, uint64_t bid), void *arg)
{
        struct err *e = NULL;
        for (unsigned i = 0; i < atomic_load(&s->nmp) && !e; i++) {
                struct mountpath *mp = s->mp[i];
                if (!mountpath_enter(mp))
                        continue;
                e = each_on(s, mp, RECORDS_OBJECTS, fn, arg);
                if (!e)
                        e = each_on(s, mp, RECORDS_UPLOADS, fn, arg);
                mountpath_leave(mp);
        }
        return e;
}
