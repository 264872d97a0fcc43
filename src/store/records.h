/* store/records.h (inside store): the database of one mountpath: ordered keys and values in four families, changed by
 * atomic batches.
 *
 * Two implementers, chosen by the build: records_rocksdb.c, and records_mem.c (nothing survives a close; for
 * ThreadSanitizer and unit tests). Both guarantee: a batch is seen whole or not at all; once records_write returned
 * every later get and every later iterator sees it; a synced batch and all before it survive a power cut. Values are
 * checked against the engine's checksums when they are read: ERR_CORRUPT. Threads: all calls from any worker, several
 * at once; an iterator or batch belongs to one thread at a time. Every call may block. */
#ifndef ORLOP_STORE_RECORDS_H
#define ORLOP_STORE_RECORDS_H

#include "base/err.h"
#include "base/str.h"

enum records_family {
        RECORDS_OBJECTS, /* {bid, name} → record (store/record.h) */
        RECORDS_SMALL,   /* {bid, name} → small content (store/record.h) */
        RECORDS_UPLOADS, /* uploads and appends in progress; keys begin with the bucket id too, for a bucket's drop */
        RECORDS_META,    /* state of the mountpath: stamp high-water, peers, intents, dropped buckets; keys are text */
        RECORDS_FAMILIES
};

/* What mountpaths share: block cache and background threads. */
struct records_env;
/* `cache_bytes` bounds the cache of blocks of all databases; 0: 24 MiB. */
MUST_CHECK struct err *records_env_new(size_t cache_bytes, struct records_env **ret);
/* Ends it; all databases are closed. Null is fine. */
void records_env_free(struct records_env *e);

struct records;
/* Opens or makes the database in `dir` (an absolute path; made if absent). An incomplete tail of the log is what a
 * crash leaves and is dropped; any other damage is ERR_CORRUPT. `create` false: an absent database is NOT_FOUND. */
MUST_CHECK struct err *records_open(struct records_env *e, const char *dir, bool create, struct records **ret);
/* Writes out what is in memory (so that the next open is fast) and closes. Iterators and values are released before.
 * Null is fine. */
void records_close(struct records *r);
/* As records_close, but as a crash would leave it: for tests. */
void records_close_abruptly(struct records *r);
/* Lets the engine rescue what it can of a damaged, closed database. */
MUST_CHECK struct err *records_repair(struct records_env *e, const char *dir);

/* ---- changes ---- */
struct records_batch;
/* An empty batch; null when out of memory. */
struct records_batch *records_batch_new(void);
/* Ends it. Null is fine. */
void records_batch_free(struct records_batch *b);
/* Empties it for the next use. */
void records_batch_clear(struct records_batch *b);
/* Adds a change; later ones of the same key win. Key and value are copied. `r` is the database that it will be written
 * to. */
void records_batch_put(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                       struct str value);
/* As records_batch_put with the value in two parts, put together here. */
void records_batch_put2(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                        struct str head, struct str tail);
/* Removes a key; absent is fine. */
void records_batch_delete(struct records_batch *b, struct records *r, enum records_family f, struct str key);
/* Removes all keys of [from, to). */
void records_batch_delete_range(struct records_batch *b, struct records *r, enum records_family f, struct str from,
                                struct str to);
/* Number of changes in it. */
unsigned records_batch_count(const struct records_batch *b);
/* Applies a batch. sync: returns when it is on stable storage; else it survives the end of the process only. After an
 * error the state of the database on disk is unknown: the caller must not write again (promise 1). Counts as one call
 * of the fault class "records". */
MUST_CHECK struct err *records_write(struct records *r, struct records_batch *b, bool sync);
/* Puts on stable storage what was written without sync. */
MUST_CHECK struct err *records_sync(struct records *r);

/* ---- reading ---- */
struct records_value {
        struct str data; /* lives until records_value_release */
        void *pin;       /* the engine's */
};
/* The value of a key. NOT_FOUND (the static error), CORRUPT, IO. On success the caller releases *ret. */
MUST_CHECK struct err *records_get(struct records *r, enum records_family f, struct str key, struct records_value *ret);
/* Gives a value back. A zeroed one is fine. */
void records_value_release(struct records_value *v);

struct records_iter;
/* Iterates keys of [lower, upper) in bytewise order; an empty upper means no end. Both are copied. bulk: reads ahead
 * and keeps out of the block cache (whole scans). Positioned before the first key: seek first. The engine's sees one
 * snapshot; the double sees each key as it is when it is reached. */
MUST_CHECK struct err *records_iter_new(struct records *r, enum records_family f, struct str lower, struct str upper,
                                        bool bulk, struct records_iter **ret);
/* Goes to the first key >= this one within the bounds (empty: the first of all). */
void records_iter_seek(struct records_iter *it, struct str key);
/* Goes to the next key. Only when valid. */
void records_iter_next(struct records_iter *it);
/* Whether there is a current key. False at the end or on error: see records_iter_free. */
bool records_iter_valid(const struct records_iter *it);
/* Key and value, valid until the next call on it. */
struct str records_iter_key(const struct records_iter *it);
/* See records_iter_key. */
struct str records_iter_value(const struct records_iter *it);
/* The error that stopped it, if any; it goes on from a new seek only. */
MUST_CHECK struct err *records_iter_error(const struct records_iter *it);
/* Ends it. Null is fine. */
void records_iter_free(struct records_iter *it);

/* ---- upkeep ---- */
/* Reclaims the space of removed keys in [from, to). Slow; background only. */
void records_compact(struct records *r, enum records_family f, struct str from, struct str to);
/* To be called every few seconds by one thread: lets the engine rewrite its files of small contents once half of them
 * is garbage, and no longer than that pays. Does not wait for the rewriting. */
void records_tend(struct records *r);
/* To be called while nothing is written: what gathered in memory is written out, if that is more than a few MiB, so that
 * the memory is free and the next open is fast. Does not wait for it. */
void records_rest(struct records *r);
/* About how many keys a family has. */
uint64_t records_estimate(struct records *r, enum records_family f);

#define AUTO_RECORDS_VALUE __attribute__((cleanup(records_value_release)))

#endif
