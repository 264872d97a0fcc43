/* store/store.h: one node's disks.
 *
 * An object is one record {bucket id, name} → {stamp, version, size, checksum, custom metadata, where the content is}
 * in the RocksDB of one mountpath, and its content: small ones in the same RocksDB (a column family of their own, blob
 * files), larger ones in immutable content files, or chunks of them.
 *
 * Commit: content file written and synced, then one batch of records, synced, by the mountpath's commit thread (group
 * commit); only then the call returns or the callback runs. All changes of a mountpath's records go through its commit
 * thread, in order: numbering, conditions and "same content" are decided there, so that each key is a linearizable
 * register without name locks. Readers never wait for writers: they see the record before or after.
 *
 * Cache: contents (record, and bytes or verified descriptors) are shared, immutable, reference-counted, kept in a
 * bounded cache that commits keep coherent: once a write has been acknowledged no reader gets an older content.
 *
 * Threads: any worker unless a comment says "loop". Errors: NOT_FOUND, CORRUPT, IO, NO_SPACE, PRECONDITION, INVALID. */
#ifndef ORLOP_STORE_STORE_H
#define ORLOP_STORE_STORE_H

#include "base/arena.h"
#include "base/buf.h"
#include "os/file.h"
#include "store/object.h"

struct store;

/* ---- life ---- */
struct store_options {
        const char *const *paths; /* mountpaths: one directory per disk; created if absent */
        const char *const *labels;/* may be null; items may be null */
        unsigned npaths;
        /* May be null. True: the path was in use before, so one where nothing lies (a disk that is not mounted) is not
         * made anew, it could not be opened. */
        const bool *known;
        /* Written into each mountpath's identity at first use; else compared: ERR_FOREIGN. */
        const char *cluster_uuid, *target_id;
        uint32_t node;            /* number in stamps */
        size_t small_max;         /* contents up to this live in RocksDB; 0: 32 KiB */
        size_t cache_bytes; /* bound of the content cache (memory); 0: 64 MiB, and never above 1/8 of the machine's */
        unsigned cache_files;     /* bound of open descriptors; 0: 1/4 of RLIMIT_NOFILE, at most 8,192 */
        int64_t verify_expiry_ns; /* contents in the cache are verified again after this; 0: 1 h */
        /* The time of the cluster, ns since 1970: the physical part of stamps. now_ns may be null: the wall clock.
         * Called by any thread, often; must not block. It may jump: stamps never go back. */
        struct {
                int64_t (*now_ns)(void *arg);
                void *arg;
        } clock;
        /* Renders bytes that the upper layer wants beside a cached content (ready-made response headers); may be null.
         * Pure, any thread. */
        void (*render)(const struct obj_key *key, const struct obj_meta *meta, struct buf *out);
};
/* Opens (or makes) all mountpaths, takes their locks (ERR_IN_USE), rolls recovery, starts commit threads and background
 * cleaning. A mountpath that can not be opened is reported and disabled if others remain, and until it is enabled,
 * disabled or detached what is not found elsewhere is an error (IO), and so are listings; none left is an error. */
MUST_CHECK struct err *store_open(const struct store_options *o, struct store **ret);
/* Ends background work, waits for commits, syncs, closes. */
void store_close(struct store *s);

/* ---- reading ---- */
struct content; /* one version of one object, pinned */

/* From the cache only: a reference, or null when absent, expired, or not wholly in memory or verified. Never blocks:
 * loops may call it. */
struct content *store_cached(struct store *s, const struct obj_key *key);
/* The current content, through the cache. A small one is verified; of a large one what is asked for is, by
 * content_verify, content_parts or content_read. NOT_FOUND, CORRUPT, IO. The caller content_unref()s. */
MUST_CHECK struct err *store_open_object(struct store *s, const struct obj_key *key, struct content **ret);
/* Metadata alone (no content is opened); strings are valid until the arena ends. */
MUST_CHECK struct err *store_head(struct store *s, const struct obj_key *key, struct arena *a, struct obj_meta *ret);
/* One more reference. Any thread. */
struct content *content_ref(struct content *c);
/* Gives a reference back. Any thread, loops too (descriptors are closed by the background). */
void content_unref(struct content *c);
/* As content_unref, for body sources. */
void content_release(void *content);
/* Metadata; lives as long as the content. */
const struct obj_meta *content_meta(const struct content *c);
/* What options.render made for it. */
struct str content_rendered(const struct content *c);
/* The bytes when they are in memory, else p null. */
struct str content_mem(const struct content *c);
/* Marks it as read now (atime); cheap; loops too. */
void content_touch(struct content *c);
struct content_part {
        int fd;
        int64_t offset, length;
};
/* Whether a range may be sent straight from descriptors: all of it verified and not expired. Loops may call it. */
bool content_range_ready(const struct content *c, uint64_t offset, uint64_t length);
/* Descriptor ranges of a byte range, in order, in the arena; they live as long as the content. What of it is not ready
 * is verified first (reads it: ask for a large object piece by piece). Contents in memory have none (ERR_INTERNAL). */
MUST_CHECK struct err *content_parts(struct content *c, uint64_t offset, uint64_t length, struct arena *a,
                                     const struct content_part **ret, unsigned *ret_n);
/* Verifies the blocks of a range (reads them). ERR_CORRUPT, IO. */
MUST_CHECK struct err *content_verify(struct content *c, uint64_t offset, uint64_t length);
/* Reads and verifies bytes. Exactly n. */
MUST_CHECK struct err *content_read(struct content *c, uint64_t offset, void *p, size_t n);

/* ---- writing ---- */
struct put; /* a content being written; nobody sees it before commit */

/* Begins. `size_hint` in bytes, or -1 when unknown. Small contents stay in memory, larger ones go to a file as they
 * grow. NO_SPACE above the out-of-space mark. */
MUST_CHECK struct err *store_put_begin(struct store *s, const struct obj_key *key, int64_t size_hint, struct put **ret);
/* Adds bytes. On error the put must be aborted. */
MUST_CHECK struct err *store_put_write(struct put *p, const void *data, size_t n);
/* Bytes so far. */
uint64_t store_put_size(const struct put *p);
/* Makes it the object's content. Ends the put whatever the outcome. */
MUST_CHECK struct err *store_put_commit(struct put *p, const struct put_attrs *a, struct put_result *ret);
/* Drops it. Null is fine. */
void store_put_abort(struct put *p);
/* A whole small content (n <= small_max) in one call that never blocks: loops may call it. key->name and attrs' strings
 * are copied; `data` stays the caller's and must live until `done` is called. `done` runs later on the commit thread,
 * exactly once: it owns e. Returns false when the commit queue is full: nothing was taken. */
typedef void store_put_done_fn(void *arg, struct err *e, const struct put_result *r);
bool store_put_small_async(struct store *s, const struct obj_key *key, const void *data, size_t n,
                           const struct put_attrs *a, store_put_done_fn *done, void *arg) MUST_CHECK;
/* Called on a commit thread after each batch's `done` calls: for batching wake-ups. Null: none; when this returns the
 * one before is not called any more. */
void store_set_batch_hook(struct store *s, void (*fn)(void *arg), void *arg);
/* Largest content for store_put_small_async. */
size_t store_small_max(const struct store *s);

/* Removes the object. NOT_FOUND, PRECONDITION. */
MUST_CHECK struct err *store_delete(struct store *s, const struct obj_key *key, const struct obj_cond *cond, bool fast);
/* Changes custom metadata only; size, version and content stay, the stamp is new. */
MUST_CHECK struct err *store_set_custom(struct store *s, const struct obj_key *key, struct str custom, bool replace,
                                        bool fast);
/* Gives an object another name within its bucket (or another bucket id); an object that has the new name is replaced.
 * Readers see one of the names at any time after a crash, never neither. NOT_FOUND. */
MUST_CHECK struct err *store_rename(struct store *s, const struct obj_key *from, const struct obj_key *to, bool fast);

/* ---- many nodes: order, epochs, tombstones, copies from elsewhere ----
 *
 * The larger stamp wins. A record is live (an object), a tombstone, or a moved marker of either; ordinary reads, heads,
 * conditions and scans take the last two for absent. */

/* Stamps given from now on are larger than this. Loops may call it. Kept over a restart with the next change only. */
void store_clock_observe(struct store *s, uint64_t hlc);
/* The largest stamp given or observed. Loops may call it. */
uint64_t store_clock_now(struct store *s);
/* What changes record as their epoch from now on (obj_meta.epoch); 0 at first, not kept over a restart. */
void store_set_epoch(struct store *s, uint64_t epoch);
/* While on, a delete, or a rename for the old name, leaves a tombstone. Off at first, not kept over a restart. */
void store_set_tombstones(struct store *s, bool on);
/* Removes tombstones and moved markers with stamp.hlc < hlc_before, one by one. None go while a mountpath is away that may
 * come back, or objects may lie on the wrong one (store_resilver). go_on may be null; false from it: CANCELLED. */
MUST_CHECK struct err *store_purge(struct store *s, uint64_t hlc_before, bool (*go_on)(void *arg), void *arg,
                                   uint64_t *ret_n);
/* As store_head, with tombstones and moved markers; NOT_FOUND only if there is no record at all. */
MUST_CHECK struct err *store_record_head(struct store *s, const struct obj_key *key, struct arena *a,
                                         struct obj_meta *ret);
/* The record has been handed to another node, which acknowledged it: drops the content and leaves a moved marker with
 * the metadata (custom pairs aside), durably. PRECONDITION when the current record does not carry this stamp; marked
 * already is fine. Call it from many workers: they share one sync. */
MUST_CHECK struct err *store_mark_moved(struct store *s, const struct obj_key *key, struct stamp stamp);
struct store_moved {
        const struct obj_key *key;
        struct stamp stamp;
        struct err *err; /* out: as store_mark_moved; the caller's */
};
/* store_mark_moved() for n records, which share one sync. */
void store_mark_moved_all(struct store *s, struct store_moved *list, unsigned n);
/* A delete that another node sent: installed by the rule of put_attrs.given; one that is superseded is no error. Durable. */
MUST_CHECK struct err *store_put_tombstone(struct store *s, const struct obj_key *key, struct stamp stamp,
                                           uint64_t epoch);
/* Nobody has anything newer: raises the epoch of an object or tombstone that carries this stamp, else PRECONDITION. Not
 * synced: a power cut takes the epoch back. */
MUST_CHECK struct err *store_confirm(struct store *s, const struct obj_key *key, struct stamp stamp, uint64_t epoch);

/* ---- append and multipart: work that outlives requests and restarts ---- */

/* Starts a multipart upload; id is 16 characters. custom: packed pairs for the finished object. */
MUST_CHECK struct err *store_upload_create(struct store *s, const struct obj_key *key, struct str custom,
                                           char ret_id[static 17]);
/* Begins writing one part (1..10,000); commit with store_upload_part_commit, or store_put_abort. UPLOAD_NOT_FOUND. */
MUST_CHECK struct err *store_upload_part_begin(struct store *s, const struct obj_key *key, struct str id, unsigned part,
                                               int64_t size_hint, struct put **ret);
/* Ends the part; the last one of a number counts. cksum: of the part, may be empty. */
MUST_CHECK struct err *store_upload_part_commit(struct put *p, enum cksum_type type, struct str cksum);
struct upload_part {
        unsigned part;
        uint64_t size;
        int64_t mtime_ns;
        struct str cksum; /* arena */
        enum cksum_type cksum_type;
};
/* Parts stored so far, ascending. */
MUST_CHECK struct err *store_upload_parts(struct store *s, const struct obj_key *key, struct str id, struct arena *a,
                                          struct upload_part **ret, unsigned *ret_n);
/* The packed pairs that an upload was started with; in the arena. UPLOAD_NOT_FOUND. */
MUST_CHECK struct err *store_upload_custom(struct store *s, const struct obj_key *key, struct str id, struct arena *a,
                                           struct str *ret);
/* Makes the listed parts (ascending, all present: else INVALID) the object; others are dropped. a->cksum may be empty
 * with a type other than none: it is then computed by reading the parts (wire: whole-object checksum). On error the
 * upload stays. */
MUST_CHECK struct err *store_upload_complete(struct store *s, const struct obj_key *key, struct str id,
                                             const unsigned *parts, unsigned n, const struct put_attrs *a,
                                             struct put_result *ret);
/* The listed parts (ascending, all present: else INVALID) as one content, to be read; custom: the upload's packed pairs,
 * in the arena. The upload stays. The caller content_unref()s. */
MUST_CHECK struct err *store_upload_open(struct store *s, const struct obj_key *key, struct str id,
                                         const unsigned *parts, unsigned n, struct arena *a, struct str *ret_custom,
                                         struct content **ret);
/* Drops an upload. UPLOAD_NOT_FOUND. */
MUST_CHECK struct err *store_upload_abort(struct store *s, const struct obj_key *key, struct str id);
struct upload_info {
        struct str id, name; /* arena */
        int64_t created_ns;
};
/* Uploads of a bucket, by name. */
MUST_CHECK struct err *store_uploads(struct store *s, uint64_t bid, struct arena *a, struct upload_info **ret,
                                     unsigned *ret_n);

/* Opens an append: with an empty id a new one that starts with a copy of the object's content (or nothing); else the
 * one that exists. Adds n bytes of data through put_write; the put is ended by store_append_end. Appends to one id are
 * serialized; two at a time: BUSY. */
MUST_CHECK struct err *store_append_begin(struct store *s, const struct obj_key *key, struct str id,
                                          char ret_id[static 17], struct put **ret);
/* Keeps what was written so far (durable unless fast); the id stays usable, also after a restart. */
MUST_CHECK struct err *store_append_end(struct put *p, bool fast);
/* Makes the appended content the object. a->cksum may be empty: computed here. When expect is not empty the content's
 * checksum of expect_type must equal it (BAD_CHECKSUM). */
MUST_CHECK struct err *store_append_flush(struct store *s, const struct obj_key *key, struct str id,
                                          const struct put_attrs *a, enum cksum_type expect_type, struct str expect,
                                          struct put_result *ret);
struct append_source;
/* The content of an append whose object is another node's by now, for who writes it there; checked against `expect` as by
 * store_append_flush. The append is worked on until it is closed. */
MUST_CHECK struct err *store_append_open(struct store *s, const struct obj_key *key, struct str id,
                                         enum cksum_type expect_type, struct str expect, struct append_source **ret,
                                         uint64_t *ret_size);
/* Exactly n bytes. CORRUPT, IO. */
MUST_CHECK struct err *store_append_source_read(struct append_source *a, uint64_t offset, void *p, size_t n);
/* Ends it. drop: it has become an object elsewhere, and nothing is left here. */
MUST_CHECK struct err *store_append_close(struct append_source *a, bool drop);

/* ---- scanning ---- */
struct scan;
/* Iterates a bucket's records in bytewise order of names, merged over mountpaths; with this prefix, strictly after
 * start_after (may be empty). Sees a state not older than the open. */
MUST_CHECK struct err *store_scan_open(struct store *s, uint64_t bid, struct str prefix, struct str start_after,
                                       struct scan **ret);
/* As store_scan_open, with tombstones and moved markers (obj_meta.tombstone, moved). */
MUST_CHECK struct err *store_scan_open_all(struct store *s, uint64_t bid, struct str prefix, struct str start_after,
                                           struct scan **ret);
/* As store_scan_open_all, over all buckets from this one on: bucket ids ascending, names ascending within; of the first
 * bucket only names after start_after. It holds a state of the records as long as it is open: a long walk ends it after
 * some thousand records and begins a new one at store_scan_bid and the last name. */
MUST_CHECK struct err *store_scan_open_node(struct store *s, uint64_t bid, struct str start_after, struct scan **ret);
/* The bucket of the record that store_scan_next gave last. */
uint64_t store_scan_bid(const struct scan *sc);
/* The next record; *ret_name and *ret_meta are valid until the next call. False at the end or on error. full: decode
 * all members; else size, version, times, flags only. */
bool store_scan_next(struct scan *sc, bool full, struct str *ret_name, struct obj_meta *ret_meta);
/* Goes on at the first name >= this one. */
void store_scan_seek(struct scan *sc, struct str name);
/* Ends it; returns the error that stopped it, if any. */
MUST_CHECK struct err *store_scan_close(struct scan *sc);

/* ---- buckets ---- */

/* Forgets a bucket: all its objects and uploads are gone for readers of that id at once (the caller has unpublished
 * it), removed in the background, also after a restart. */
MUST_CHECK struct err *store_bucket_drop(struct store *s, uint64_t bid);
/* Visits the id of each bucket of which something lies here and that is not dropped; an id may come more than once. */
MUST_CHECK struct err *store_buckets_each(struct store *s, struct err *(*fn)(void *arg, uint64_t bid), void *arg);

/* ---- mountpaths and space ---- */
enum mountpath_state { MOUNTPATH_ACTIVE, MOUNTPATH_DISABLED, MOUNTPATH_FAILED };
struct mountpath_info {
        char path[512], label[64];
        enum mountpath_state state;
        struct fs_usage fs;
        uint64_t objects_estimate;
        unsigned index;
        bool unopened; /* DISABLED by no one's will: it could not be opened */
};
/* All mountpaths; n <= max. */
MUST_CHECK struct err *store_mountpaths(struct store *s, struct mountpath_info *ret, unsigned max, unsigned *ret_n);
/* "/path" of an index, "" if unknown; static for the life of the store. Loops may call it. */
const char *store_mountpath_path(struct store *s, unsigned index);
/* "sda" of an index, "" if none; label likewise. */
const char *store_mountpath_disk(struct store *s, unsigned index);
/* Adds a directory. NOT_FOUND (absent), INVALID (nested, duplicate), FOREIGN, IN_USE. */
MUST_CHECK struct err *store_mountpath_attach(struct store *s, const char *path, const char *label);
/* Takes it out: disable keeps what it holds for a later enable; detach moves its objects to the others first (blocks;
 * progress by store_mountpaths) unless no_resilver. MOUNTPATH_NOT_FOUND; the last active one: INVALID. *ret_changed
 * false: it was in that state already. With objects to be moved: CONFLICT while uploads or appends in progress lie on it;
 * CORRUPT when some objects can not be read: it takes no new ones then and goes on to answer for these; call again once
 * they are deleted, or with no_resilver. */
MUST_CHECK struct err *store_mountpath_detach(struct store *s, const char *path, bool no_resilver, bool *ret_changed);
/* See store_mountpath_detach. */
MUST_CHECK struct err *store_mountpath_disable(struct store *s, const char *path, bool no_resilver, bool *ret_changed);
/* Brings a disabled one back; objects that were replaced or deleted meanwhile do not come back. */
MUST_CHECK struct err *store_mountpath_enable(struct store *s, const char *path, bool *ret_changed);
/* Moves every object to the mountpath that HRW gives it. `go_on` may be null; false from it stops the work
 * (CANCELLED). CORRUPT tells how many objects can not be read and stay where they are; all others have been moved. */
MUST_CHECK struct err *store_resilver(struct store *s, bool (*go_on)(void *arg, uint64_t objects, uint64_t bytes),
                                      void *arg);

struct watermarks {
        int cleanup_pct, low_pct, high_pct, out_of_space_pct;
};
/* Sets the marks (from the configuration). */
void store_set_watermarks(struct store *s, const struct watermarks *w);
enum space_state { SPACE_OK, SPACE_LOW, SPACE_HIGH, SPACE_OUT };
struct store_usage {
        uint64_t used, avail;      /* bytes over distinct file systems */
        int pct_max, pct_avg, pct_min;
        enum space_state state;
};
/* Sampled every few seconds; cheap; loops may call it. */
void store_usage(struct store *s, struct store_usage *ret);
/* Removes work files, trash and contents without a record that are older than min_age; returns what was freed. */
MUST_CHECK struct err *store_cleanup(struct store *s, int64_t min_age_ns, uint64_t *ret_files, uint64_t *ret_bytes);

struct store_stats {
        uint64_t cache_bytes, cache_entries, cache_files, cache_hits, cache_misses;
        uint64_t commits, batches, io_errors, corrupt, verify_bytes;
};
/* Numbers of this moment. Loops may call it. */
void store_stats(struct store *s, struct store_stats *ret);

#endif
