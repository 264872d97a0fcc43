/* store/priv.h: what the files of this folder share: the store, a mountpath, a put, a change on its way to a commit
 * thread.
 *
 * Locks, outer first: store.lock (mountpaths, sets, dropped buckets), committer.lock (its queue), cache shard,
 * background.lock. No lock is held while records are read or written, store.lock aside (changes of the set of
 * mountpaths). */
#ifndef ORLOP_STORE_PRIV_H
#define ORLOP_STORE_PRIV_H

#ifndef LOG_FOLDER
#define LOG_FOLDER "store"
#endif
#include <stdatomic.h>

#include "base/list.h"
#include "base/log.h"
#include "os/clock.h"
#include "os/fault.h"
#include "os/thread.h"
#include "store/record.h"
#include "store/records.h"
#include "store/store.h"

#define STORE_MOUNTPATHS_MAX 64
#define STORE_SMALL_MAX_DEFAULT (32u * 1024u)
#define STORE_FORMAT 1 /* of the directory: identity file */

struct committer;
struct cache;
struct background;
struct space;   /* space.c: watermarks and samples */
struct uploads; /* upload.c, append.c: what is open in memory */

/* ---- mountpaths ---- */

/* One directory. Lives as long as the store; `records`, `contents` and `committer` only from mountpath open to close
 * (see users). */
struct mountpath {
        struct store *store;
        unsigned index;
        char path[512], label[64], disk[32];
        char id[32];     /* of the identity file: text, also the key of placement */
        uint64_t digest; /* of id */
        dev_t dev;
        int orlop_fd; /* <path>/orlop, locked */
        struct records *records;
        struct content_dir *contents;
        struct committer *committer;
        _Atomic int state;      /* enum mountpath_state; FAILED: reads go on, writes are refused */
        _Atomic unsigned users; /* scans, puts in progress, background: close waits for them */
        _Atomic bool closing;   /* disabled: closed when the last user leaves */
        _Atomic bool open;
        _Atomic bool full;      /* FAILED for want of space: opened again when there is some */
        _Atomic bool detached;  /* not listed; the place is kept for its index and for another attach */
        _Atomic bool unopened;  /* asked for, and could not be opened: what it holds is not known */
};
/* The active mountpaths at a moment: immutable but for `users`. Whoever reads or changes objects enters the set for
 * that time; a change of the set waits until all left. */
struct mp_set {
        struct mountpath *mp[STORE_MOUNTPATHS_MAX];
        unsigned n;      /* the first n take new objects */
        unsigned nall;   /* those from n on are being emptied: they are only looked at */
        bool mixed; /* objects may lie on another mountpath than the chosen one: look on all, the largest stamp wins */
        bool tombstones; /* a mountpath is away that may come back: deletes leave a tombstone */
        const struct mountpath *unopened; /* one that could not be opened, or null: what is not found may lie there */
        _Atomic unsigned users;
        struct mp_set *older;
};

struct store {
        struct store_options o; /* texts are owned copies below */
        char cluster_uuid[64], target_id[64];
        struct records_env *env;
        struct mutex lock; /* RANK_STORE: mountpaths, changes of the set */
        struct mountpath *mp[STORE_MOUNTPATHS_MAX]; /* by index; filled upwards, never emptied */
        _Atomic unsigned nmp;
        _Atomic(struct mp_set *) set; /* null while it is being changed */
        struct mp_set *sets;          /* all there ever were, freed at close */
        /* RANK_STORE_MPATH: held while a copy is placed and the old one forgotten, so that a scan sees one of them. */
        struct mutex move_lock;
        _Atomic uint64_t hlc;         /* last stamp given or observed */
        _Atomic uint64_t epoch;       /* what changes record */
        _Atomic bool tombstones;      /* deletes leave one */
        struct cache *cache;
        _Atomic unsigned content_files; /* open in contents, cached or not */
        unsigned content_files_max;     /* beyond it reads are refused, so that the records never lack a descriptor */
        struct background *background;
        struct space *space;
        struct uploads *uploads;
        struct mutex drop_lock; /* RANK_LEAF */
        uint64_t *dropped;      /* bucket ids dropped since the start, sorted */
        unsigned ndropped;
        _Atomic unsigned dropped_any;
        _Atomic(void (*)(void *)) batch_hook;
        _Atomic(void *) batch_hook_arg;
        _Atomic unsigned batch_hook_users; /* commit threads that may be inside the hook */
        _Atomic uint64_t stat_commits, stat_batches, stat_io_errors, stat_corrupt, stat_verify_bytes;
        _Atomic bool stopping;
};

/* mp_set.c */
/* Enters the current set; waits while it is being changed. Pairs with store__set_leave. */
struct mp_set *store__set_enter(struct store *s);
/* As store__set_enter, null instead of waiting: loops. */
struct mp_set *store__set_try_enter(struct store *s);
/* Leaves a set. */
void store__set_leave(struct mp_set *set);
/* Takes the set away and waits until all left it (new ones wait); store.lock held. Pairs with store__set_publish. */
void store__set_withdraw(struct store *s);
/* Makes a set the current one; it belongs to the store. store.lock held. */
void store__set_publish(struct store *s, struct mp_set *set);
/* The mountpath that HRW gives to this digest (obj_key_digest). */
struct mountpath *store__set_choose(const struct mp_set *set, uint64_t digest);
/* Takes a hold on a mountpath beyond a set: false when it is not open. */
bool mountpath_enter(struct mountpath *mp);
/* Gives the hold back. */
void mountpath_leave(struct mountpath *mp);
/* The next stamp of this node: after every stamp given or observed before and not before the clock (options). */
struct stamp store__stamp_next(struct store *s);
/* Makes sure that later stamps are after this one. */
void store__stamp_seen(struct store *s, struct stamp st);
/* INVALID for a stamp that no clock gave: none, or so late that the clock would run out. */
MUST_CHECK struct err *store__stamp_check(struct stamp st);

/* mountpath.c */
/* Opens or makes the directory's identity and lock; for fsck too. ERR_IN_USE, FOREIGN (uuid or target given and
 * different), FORMAT, NOT_FOUND (create false and none there). */
struct mountpath_identity {
        char id[32], cluster_uuid[64], target_id[64];
        unsigned format;
};
MUST_CHECK struct err *mountpath_lock(const char *path, bool create, const char *cluster_uuid, const char *target_id,
                                      int *ret_orlop_fd, struct mountpath_identity *ret);

/* ---- changes of records: commit.c ---- */

enum commit_kind {
        COMMIT_PUT,    /* a new content, or the same with other attributes */
        COMMIT_DELETE,
        COMMIT_CUSTOM, /* attrs->custom and custom_mode only */
        COMMIT_RENAME, /* key → to, both on this mountpath */
        COMMIT_PLACE,  /* `record` as it is, if no record here has a stamp as large (resilver, restored copies) */
        COMMIT_FORGET, /* remove the record and content here if its stamp is cond.stamp: it lives elsewhere now */
        COMMIT_PURGE,  /* remove the record if it is no object and its stamp is cond.stamp */
        COMMIT_MOVED,  /* a moved marker instead of the record whose stamp is cond.stamp */
        COMMIT_TOMBSTONE, /* `record`, a tombstone that another node sent */
        COMMIT_CONFIRM, /* raise the epoch to `epoch` if the stamp is cond.stamp */
        COMMIT_ATIME,  /* lazily kept access time, if the stamp still is cond.stamp */
        COMMIT_ROWS,   /* nothing but `rows` */
};
struct commit_row {
        enum records_family family;
        struct str key, value;
        bool remove;
};
/* One change. All pointers are borrowed until `done`, or until store__commit returns. */
struct commit_op {
        struct list link; /* the queue's */
        enum commit_kind kind;
        bool fast; /* the answer need not wait for stable storage */
        struct obj_key key, to;
        const struct put_attrs *attrs;  /* PUT, CUSTOM */
        const struct obj_cond *cond;    /* DELETE, FORGET, PURGE, MOVED, CONFIRM, ATIME; may be null for DELETE */
        uint64_t size;                  /* PUT: of the whole content */
        enum record_where where; /* PUT: FILE or CHUNKS; SMALL and EMPTY are chosen by size when `small` is set */
        struct str small;               /* PUT, PLACE: bytes of a small content */
        struct content_id id;           /* PUT: content file */
        struct str chunks;              /* PUT: packed, see record_chunk_next */
        uint32_t nchunks;
        uint64_t max_chunk_size;
        const struct record *record;    /* PLACE, TOMBSTONE */
        uint64_t epoch;                 /* CONFIRM */
        int64_t atime_ns;               /* ATIME */
        const struct commit_row *rows;  /* further rows of the same batch, written only if the change happens */
        unsigned nrows;
        struct mp_set *set;             /* entered by the caller; left by him after the change (null for ROWS, ATIME) */
        /* Outcome. After an I/O error (code IO, mountpath FAILED) nobody knows whether it happened: contents must not
         * be removed then. */
        struct err *err;
        struct put_result result;
        bool happened; /* it is in the records (not a no-op, no error) */
        /* Completion: called on the commit thread, once; the op belongs to the callee again. */
        void (*done)(struct commit_op *op);
        void *done_arg;
        size_t bytes; /* commit.c's: size in the queue */
};
/* Hands over a change and waits for its outcome. Contents of the record that it replaced are removed in the background
 * afterwards. Returns op->err. */
MUST_CHECK struct err *store__commit(struct mountpath *mp, struct commit_op *op);
/* As store__commit with op->done; false when the queue is full or the mountpath can not be written. Never blocks. */
bool store__commit_async(struct mountpath *mp, struct commit_op *op) MUST_CHECK;
/* Writes rows alone: for uploads and appends. */
MUST_CHECK struct err *store__commit_rows(struct mountpath *mp, const struct commit_row *rows, unsigned n, bool fast);
/* Starts and ends the commit thread of an open mountpath. */
MUST_CHECK struct err *committer_start(struct mountpath *mp, struct committer **ret);
/* Has what was written without sync synced soon. Any thread; never blocks. */
void committer_sync_soon(struct committer *c);
/* Commits what is queued, then ends. Null is fine. */
void committer_stop(struct committer *c);

/* ---- reading: object_read.c ---- */

/* That nothing was found: NOT_FOUND, or IO while a mountpath could not be opened, since nobody knows what it holds.
 * Never null. */
MUST_CHECK struct err *store__not_found(const struct mp_set *set, const struct obj_key *key);
/* The newest record of a key over the mountpaths of the set (mixed: all; else the chosen one), its mountpath, and its
 * encoded bytes in b, which *ret borrows. NOT_FOUND for tombstones and moved markers too, unless want_dead. */
MUST_CHECK struct err *store__record_get(struct mp_set *set, const struct obj_key *key, bool want_dead,
                                         struct buf *b, struct record *ret, struct mountpath **ret_mp);
/* Metadata of a record; texts are borrowed from it. */
void store__meta_of(const struct record *r, const struct mountpath *mp, struct obj_meta *ret);
/* Copies a content file to another mountpath (or the same one) under a new id, verified as it is read; self describes
 * the copy. */
MUST_CHECK struct err *store__content_copy(struct mountpath *from, struct content_id id, uint64_t size,
                                           struct mountpath *to, struct str self, bool fast, struct content_id *ret);
/* Opens one version for reading outside the cache, from its record: append copies, checksums of completed uploads. The
 * caller content_unref()s. */
MUST_CHECK struct err *store__content_open(struct mountpath *mp, const struct obj_key *key, const struct record *r,
                                           struct content **ret);

/* ---- puts: put.c ---- */

enum put_kind { PUT_OBJECT, PUT_PART, PUT_APPEND };
/* A content being written. Owned by one worker at a time. */
struct put {
        struct store *store;
        enum put_kind kind;
        struct obj_key key; /* name owned */
        struct mountpath *mp; /* held by mountpath_enter */
        uint64_t size;
        int64_t size_hint;
        size_t small_max;   /* contents above it go to the writer; 0: always a file */
        struct buf small;   /* while size <= small_max */
        struct content_writer *writer;
        void *ext;          /* of parts and appends */
        void (*ext_end)(struct put *p); /* called before a put of that kind ends, whatever the outcome */
};
/* A put on this mountpath; refuses with NO_SPACE above the out-of-space mark. */
MUST_CHECK struct err *store__put_new(struct store *s, enum put_kind kind, const struct obj_key *key,
                                      struct mountpath *mp, int64_t size_hint, size_t small_max, struct put **ret);
/* Ends a put and frees it; its writer is aborted if there still is one. */
void store__put_free(struct put *p);

/* ---- background: background.c ---- */

/* Moves a content file to trash soon. */
void store__discard(struct mountpath *mp, struct content_id id);
/* Ends a content on the background thread: its descriptors are closed there. */
void store__close_later(struct content *c);
/* Asks for a cleaning of trash soon. */
void store__trash_kick(struct store *s);

/* Called by the background thread every 3 s, and once at open: samples file systems. space.c */
void store__space_tick(struct store *s);
/* ERR_NO_SPACE when writes must be refused. Cheap. space.c */
MUST_CHECK struct err *store__space_check(struct store *s);
/* Makes and ends the state of space.c. */
MUST_CHECK struct err *store__space_new(struct store *s, struct space **ret);
/* See store__space_new. Null is fine. */
void store__space_free(struct space *sp);
/* Reads the open uploads and appends of a mountpath that was just opened (roll forward or drop what a crash left).
 * upload.c */
MUST_CHECK struct err *store__uploads_load(struct store *s, struct mountpath *mp);
/* Makes and ends the state of uploads and appends. */
MUST_CHECK struct err *store__uploads_new(struct store *s, struct uploads **ret);
/* See store__uploads_new. Null is fine. */
void store__uploads_free(struct uploads *u);
/* Removes work and trash of a mountpath after open, work that open uploads and appends want aside. cleanup.c */
MUST_CHECK struct err *store__cleanup_mountpath(struct store *s, struct mountpath *mp, int64_t min_age_ns,
                                                uint64_t *ret_files, uint64_t *ret_bytes);
/* Drops uploads and appends of a bucket on one mountpath (contents too); the rows in RECORDS_UPLOADS are removed by the
 * caller. upload.c */
void store__uploads_drop(struct store *s, struct mountpath *mp, uint64_t bid);
/* Whether a bucket was dropped. */
bool store__dropped(struct store *s, uint64_t bid);

#endif
