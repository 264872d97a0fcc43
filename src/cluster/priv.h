/* cluster/priv.h: inside the control plane: the state, how it is stored, how it becomes a snapshot. For this folder
 * alone. */
#ifndef ORLOP_CLUSTER_PRIV_H
#define ORLOP_CLUSTER_PRIV_H

#include "cluster/control.h"
#include "cluster/docs.h"
#include "cluster/gate.h"
#include "os/thread.h"

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

struct identity {
        char uuid[CLUSTER_UUID_MAX + 1], proxy[NODE_ID_MAX + 1], target[NODE_ID_MAX + 1], member[NODE_ID_MAX + 1];
        int64_t created_ns;
        char creation_time[24];
};

/* What a change edits: owned by one thread, or guarded by the cluster's change lock. */
struct state {
        uint64_t smap_version, bmd_version, config_version, next_bid;
        struct cluster_addr addr[CLUSTER_NETS];
        struct shared_bucket **buckets; /* sorted by bck_cmp */
        size_t bucket_count;
        struct shared_config *config;   /* persistent */
        struct shared_config *in_force; /* with transient values; may be the same object */
        struct cluster_mountpath *mountpaths; /* heap, texts too; sorted by path */
        size_t mountpath_count;
        struct docs docs; /* of other folders */
};

struct watch {
        cluster_watch_fn *fn;
        void *arg;
};

struct cluster {
        int dir;  /* "orlop/control" */
        int lock; /* held while the process lives */
        struct identity id;
        struct err *(*config_base)(void *arg, struct config *c);
        void *config_arg;

        struct mutex change; /* one change at a time; guards state and watches */
        struct state state;
        struct watch watches[CLUSTER_WATCHES_MAX];
        unsigned watch_count;

        struct mutex pin; /* guards `current` while its reference is taken */
        struct snapshot *current;
        _Atomic uint64_t seq; /* of current */

        struct gate gate;
        _Atomic int64_t last_time_ns; /* largest that cluster_time_ns has told */
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
/* Replaces the list of mountpaths by copies. ERR_INVALID, ERR_NO_MEMORY. */
MUST_CHECK struct err *cluster__state_mountpaths_set(struct state *s, const struct cluster_mountpath *mps, size_t n);
/* Writes identity, versions and URLs into both configurations of s (which are copied). `now` is the time of the change,
 * 0: none. */
MUST_CHECK struct err *cluster__state_config_stamp(struct state *s, const struct identity *id, int64_t now_ns);

/* ---- state_file.c: the files ---- */

/* Reads identity.json; NOT_FOUND at the first start. */
MUST_CHECK struct err *cluster__identity_read(int dir, struct identity *ret);
/* Writes it, once. */
MUST_CHECK struct err *cluster__identity_write(int dir, const struct identity *id);
/* Reads state.json into *ret (addresses included: those of the last start). */
MUST_CHECK struct err *cluster__state_read(int dir, const char *cluster_uuid, struct state *ret);
/* Replaces state.json durably. */
MUST_CHECK struct err *cluster__state_write(int dir, const char *cluster_uuid, const struct state *s);
/* Removes what a crash left of unfinished writes. */
MUST_CHECK struct err *cluster__sweep(int dir);
/* "YYYY-MM-DD HH:MM:SS" in UTC. */
void cluster__time_text(int64_t ns, char *buf, size_t size);

/* Reads state.json of a start that was not finished: no cluster to compare with. Bucket counter and mountpaths are what
 * callers may use. */
MUST_CHECK struct err *cluster__state_peek(int dir, struct state *ret);

/* ---- snapshot.c ---- */

/* A snapshot of the state with one reference, or null when out of memory. */
struct snapshot *cluster__snapshot_new(const struct identity *id, const struct state *s, uint64_t seq);

/* ---- control.c ---- */

/* A change: begin takes the lock and copies the state; commit writes (unless !durable), publishes and tells; end gives
 * up what was not committed and releases the lock. */
struct change {
        struct cluster *c;
        struct state next;
        bool done;
};
/* See struct change. On error nothing is held. */
MUST_CHECK struct err *cluster__change_begin(struct cluster *c, struct change *ch);
/* See struct change. */
MUST_CHECK struct err *cluster__change_commit(struct change *ch, bool durable);
/* See struct change. */
void cluster__change_end(struct change *ch);
/* Targets that take objects. */
unsigned cluster__targets_active(struct cluster *c);
/* Defaults with the configuration file over them, checked; the caller owns it. */
MUST_CHECK struct err *cluster__config_base(struct cluster *c, struct config **ret);
#define AUTO_CHANGE __attribute__((cleanup(cluster__change_end)))

#endif
