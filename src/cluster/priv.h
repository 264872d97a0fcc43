/* cluster/priv.h: inside the control plane: the state, how it is stored, how it becomes a snapshot. For this folder
 * alone.
 *
 * Locks, in order: `change` (one command at a time, held while it is ordered), `publish` (state and table; held while
 * watchers run), `pin` and `wait` (leaves). Whoever publishes holds `publish`: the publisher thread for what an engine
 * has ordered, the caller for a cluster of one and for what concerns this process alone. */
#ifndef ORLOP_CLUSTER_PRIV_H
#define ORLOP_CLUSTER_PRIV_H

#include "cluster/control.h"
#include "cluster/docs.h"
#include "cluster/epochs.h"
#include "cluster/gate.h"
#include "os/thread.h"

/* What this program can do with the state: raised with each kind of document that an older one would not understand. */
#define FEATURE_LEVEL 1

/* Parts that several snapshots share; each counts its references. */
struct shared_bucket {
        atomic_uint refs;
        struct bucket b;
};
struct shared_config {
        atomic_uint refs;
        struct config *c;
};

/* Bit of the ids of ais buckets (wire). */
#define BID_AIS ((uint64_t)1 << 63)

/* Who this process is: written once. */
struct identity {
        char uuid[CLUSTER_UUID_MAX + 1], member[NODE_ID_MAX + 1];
        char proxy[NODE_ID_MAX + 1], target[NODE_ID_MAX + 1]; /* "": not its role */
        uint64_t voter_id;
        int64_t created_ns;
};

/* A process as the state knows it; compared as bytes, so padding is zero. */
struct member {
        struct cluster_member m;
        struct cluster_addr addr[CLUSTER_NETS];
        uint64_t voter_id, since, feature_level; /* since: epoch with which it came (back) */
};

/* The state as a value: what a change edits. */
struct state {
        char uuid[CLUSTER_UUID_MAX + 1];
        int64_t created_ns;
        uint64_t generation, feature_level;
        uint64_t smap_version, bmd_version, config_version, next_bid;
        char primary[NODE_ID_MAX + 1]; /* member; "" until one has led */
        uint64_t term;                 /* in which it began to */
        uint64_t settled_hlc;
        struct epochs epochs;
        struct member *members; /* sorted by id */
        unsigned member_count;
        struct shared_bucket **buckets; /* sorted by bck_cmp */
        size_t bucket_count;
        struct shared_config *config;   /* persistent */
        struct docs docs;               /* those that are not decoded here */
        /* Of this process alone, in no document: */
        struct doc_ref *overrides;      /* own_config.c; null: none */
        struct shared_config *own;      /* config with those; may be the same object */
        struct shared_config *in_force; /* with transient values, too; may be the same object */
        struct cluster_mountpath *mountpaths; /* heap, texts too; sorted by path */
        size_t mountpath_count;
};

/* local.json: what this process must know again at its next start. */
struct local {
        uint64_t starts;    /* counts them: the incarnation */
        uint64_t confirmed; /* largest epoch that this target has confirmed: it acts under no earlier one */
        uint64_t recoveries; /* for which the generation was raised */
};

struct watch {
        cluster_watch_fn *fn;
        void *arg;
};
struct many; /* what a process with a cluster port has besides (many.h) */

struct cluster {
        int dir;  /* "orlop/control" */
        int lock; /* held while the process lives */
        struct identity id;
        uint64_t feature_level; /* what this process understands */
        struct local local; /* guarded by publish */
        struct err *(*config_base)(void *arg, struct config *c);
        void *config_arg;

        struct mutex change;
        uint64_t bid_floor; /* guarded by change: ids that a failed command may have given */

        struct mutex publish;
        struct state state;   /* guarded by publish */
        struct docs table;    /* guarded by publish: all documents, as ordered */
        uint64_t index;       /* guarded by publish: of the last command in table */
        struct watch watches[CLUSTER_WATCHES_MAX];
        unsigned watch_count;

        struct mutex pin; /* guards `current` while its reference is taken */
        struct snapshot *current;
        _Atomic uint64_t seq; /* of current */

        struct mutex wait; /* with `news`: something below or `current` has changed */
        struct cond news;
        uint64_t published; /* guarded by wait: index that watchers have seen */
        _Atomic uint64_t published_epoch; /* newest that watchers have seen */

        struct gate gate;
        _Atomic int64_t last_time_ns; /* largest that cluster_time_ns has told */
        struct many *many;            /* null: a cluster of one */
};

/* ---- state.c: parts, copies ---- */

/* A shared bucket with one reference; null when out of memory. */
struct shared_bucket *cluster__state_bucket_new(const struct bucket *b);
/* One more, one less reference. */
struct shared_bucket *cluster__state_bucket_ref(struct shared_bucket *b);
/* See cluster__state_bucket_ref; null is fine. */
void cluster__state_bucket_unref(struct shared_bucket *b);
/* A shared configuration that owns c, also when it fails; null when out of memory. */
struct shared_config *cluster__state_config_new(struct config *c);
/* One more reference. */
struct shared_config *cluster__state_config_ref(struct shared_config *c);
/* One less; null is fine. */
void cluster__state_config_unref(struct shared_config *c);
/* A copy that can be edited; it shares what is shared. ERR_NO_MEMORY. */
MUST_CHECK struct err *cluster__state_clone(const struct state *s, struct state *ret);
/* Frees what it holds; zeroes it. */
void cluster__state_fini(struct state *s);
/* Index of the bucket, or of where it belongs. */
size_t cluster__state_bucket_find(const struct state *s, const struct bck *bck, bool *ret_found);
/* Puts a bucket at its place; takes the reference, also when it fails. ERR_NO_MEMORY. */
MUST_CHECK struct err *cluster__state_bucket_insert(struct state *s, struct shared_bucket *b);
/* Takes the bucket at index i out. */
void cluster__state_bucket_remove(struct state *s, size_t i);
/* The member of this id (only its own, not that of a node), or null. Valid until members come or go. */
struct member *cluster__state_member(const struct state *s, struct str id);
/* The member of this id, or of one of its nodes' ids. */
struct member *cluster__state_member_of(const struct state *s, struct str id);
/* Adds or replaces. ERR_NO_MEMORY. */
MUST_CHECK struct err *cluster__state_member_put(struct state *s, const struct member *m);
/* Takes it out, if it is there. */
void cluster__state_member_remove(struct state *s, struct str id);
/* The set of owners that members and flags ask for becomes the placement. Errors of cluster__epochs_change. */
MUST_CHECK struct err *cluster__state_place(struct state *s, bool forced);
/* Replaces the list of mountpaths by copies. ERR_INVALID, ERR_NO_MEMORY. */
MUST_CHECK struct err *cluster__state_mountpaths_set(struct state *s, const struct cluster_mountpath *mps, size_t n);
/* The persistent configuration becomes this one (the reference is taken); transient values stay in force. */
MUST_CHECK struct err *cluster__state_config_take(struct state *s, struct shared_config *next);
/* A state becomes that of a cluster that this process founds: itself as the only member, the first placement. Addresses
 * are still empty. */
MUST_CHECK struct err *cluster__state_found(struct state *s, const struct identity *id, uint64_t feature_level);
/* Writes identity, versions and the primary's URL into the persistent configuration of s. `now` is the time of the
 * change, 0: none. */
MUST_CHECK struct err *cluster__state_config_stamp(struct state *s, int64_t now_ns);

/* ---- own_config.c ---- */

/* The configuration with what this process has set for itself over it; itself, if there is nothing, or it does not fit.
 * The caller owns a reference. NO_MEMORY. */
MUST_CHECK struct err *cluster__own_config(struct shared_config *config, const struct doc_ref *overrides,
                                           struct shared_config **ret);

/* ---- state_docs.c: documents ---- */

/* Appends the document's text. */
MUST_CHECK struct err *cluster__encode_cluster(const struct state *s, struct buf *b);
/* See cluster__encode_cluster. */
MUST_CHECK struct err *cluster__encode_member(const struct member *m, struct buf *b);
/* See cluster__encode_cluster. */
MUST_CHECK struct err *cluster__encode_bucket(const struct bucket *bucket, struct buf *b);
/* See cluster__encode_cluster. */
MUST_CHECK struct err *cluster__encode_config(const struct config *c, struct buf *b);
/* A member out of its document. MALFORMED. */
MUST_CHECK struct err *cluster__decode_member(struct str id, const json_t *j, struct member *ret);
/* Whether it is decoded here, or kept as it is. */
bool cluster__doc_is_typed(struct str key);
/* One document put or removed. MALFORMED names it; then s may be changed in part. */
MUST_CHECK struct err *cluster__state_take(struct state *s, const struct doc *d);

/* ---- state_diff.c ---- */

/* Documents that differ between two states, each with the modify index that it has in the table (0: absent). */
struct diff {
        struct doc_ref **list;
        struct doc *docs; /* views into list, for an engine */
        size_t n, cap;
};
/* from may be all zero: then everything. NO_MEMORY. */
MUST_CHECK struct err *cluster__diff(const struct state *from, const struct state *to, const struct docs *table,
                                     struct diff *ret);
/* Frees it. */
void cluster__diff_fini(struct diff *d);

/* ---- state_file.c: the files ---- */

enum state_engine { STATE_FILE_ENGINE, STATE_FOLLOWED }; /* who wrote state.json */

/* Reads identity.json; NOT_FOUND at the first start. */
MUST_CHECK struct err *cluster__identity_read(int dir, struct identity *ret);
/* Writes it, once. */
MUST_CHECK struct err *cluster__identity_write(int dir, const struct identity *id);
/* Reads state.json into a table. uuid null: whatever it is. NOT_FOUND. A file of version 1 is turned into documents; what
 * it says of this process alone goes to *s (mountpaths), and *ret_old is set. */
MUST_CHECK struct err *cluster__state_read(int dir, const struct identity *id, struct docs *ret, uint64_t *ret_index,
                                           enum state_engine *ret_engine, struct state *s, bool *ret_old);
/* Replaces state.json durably. */
MUST_CHECK struct err *cluster__state_write(int dir, const char *uuid, const struct docs *table, uint64_t index,
                                            enum state_engine engine);
/* Reads local.json: counters, and the mountpaths into *s. NOT_FOUND. */
MUST_CHECK struct err *cluster__local_read(int dir, const char *uuid, struct local *ret, struct state *s);
/* Replaces it. */
MUST_CHECK struct err *cluster__local_write(int dir, const char *uuid, const struct local *l, const struct state *s);
/* Decodes a list of mountpaths into s. MALFORMED, INVALID. */
MUST_CHECK struct err *cluster__mountpaths_decode(const json_t *j, struct state *s);
/* state_v1.c: the document of state.json, version 1. */
MUST_CHECK struct err *cluster__state_decode_v1(const json_t *j, const char *uuid, struct state *ret);
/* A framed file of another kind ("keys.json"): the document's text is appended to b. NOT_FOUND, CORRUPT, FORMAT. */
MUST_CHECK struct err *cluster__file_read(int dir, const char *name, struct buf *b);
/* Replaces a framed file. doc is used up. */
MUST_CHECK struct err *cluster__file_write(int dir, const char *name, struct buf *doc);
/* Removes what a crash left of unfinished writes. */
MUST_CHECK struct err *cluster__sweep(int dir);
/* "YYYY-MM-DD HH:MM:SS" in UTC. */
void cluster__time_text(int64_t ns, char *buf, size_t size);

/* ---- snapshot.c ---- */

#define SNAPSHOT_KEYS_MAX 4

/* A snapshot of the state with one reference, or null when out of memory. */
struct snapshot *cluster__snapshot_new(const struct cluster *c, const struct state *s, uint64_t seq, uint64_t index);

/* Keys for signatures that the state holds, unsealed, newest first; returns how many. */
unsigned cluster__keys_open(const struct cluster *c, const struct state *s, struct cluster_key ret[SNAPSHOT_KEYS_MAX]);

/* ---- publish.c ---- */

/* What comes next, complete, so that nothing can fail any more. */
struct prepared {
        struct docs table;
        struct state state;
        struct snapshot *snapshot;
        uint64_t index;
};
/* Applies documents to copies of table and state. whole: what is not among them is gone. publish is held. MALFORMED,
 * NO_MEMORY. */
MUST_CHECK struct err *cluster__prepare(struct cluster *c, uint64_t index, bool whole, const struct doc *docs, size_t n,
                                        struct prepared *ret);
/* The same table with another state, of which only what concerns this process may differ. Takes *s, also on error. */
MUST_CHECK struct err *cluster__prepare_local(struct cluster *c, struct state *s, struct prepared *ret);
/* Makes it the current state, tells the watchers, wakes who waits. publish is held. */
void cluster__publish(struct cluster *c, struct prepared *p);
/* Frees what was not published. */
void cluster__prepared_fini(struct prepared *p);
/* Wakes those who wait for the gate or for a state. */
void cluster__news(struct cluster *c);
/* Waits until the watchers have seen this index. UNAVAILABLE at the deadline. */
MUST_CHECK struct err *cluster__wait_index(struct cluster *c, uint64_t index, int64_t deadline_mono_ns);

/* ---- propose.c ---- */

/* A change: begin takes the lock and copies the state; commit orders what differs and returns when the watchers have
 * seen it; end gives up what was not committed and releases the lock. */
struct change {
        struct cluster *c;
        struct state next, now;
};
/* See struct change. On error nothing is held: NOT_PRIMARY, UNAVAILABLE. */
MUST_CHECK struct err *cluster__change_begin(struct cluster *c, struct change *ch);
/* As cluster__change_begin for what the leader does of itself before it may decide for others. */
MUST_CHECK struct err *cluster__change_begin_duty(struct cluster *c, struct change *ch);
/* See struct change. No difference: nothing happens. */
MUST_CHECK struct err *cluster__change_commit(struct change *ch);
/* See struct change. */
void cluster__change_end(struct change *ch);
/* Edits what concerns this process alone, on any node. durable: local.json is written. */
MUST_CHECK struct err *cluster__change_local(struct cluster *c, bool durable,
                                             struct err *(*fn)(void *arg, struct state *s), void *arg);
/* cluster_doc_put() at the leader itself. NOT_PRIMARY elsewhere. */
MUST_CHECK struct err *cluster__doc_put(struct cluster *c, struct str key, struct str body);
/* Defaults with the configuration file over them, checked; the caller owns it. */
MUST_CHECK struct err *cluster__config_base(struct cluster *c, struct config **ret);
#define AUTO_CHANGE __attribute__((cleanup(cluster__change_end)))

#endif
