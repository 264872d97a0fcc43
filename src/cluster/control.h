/* cluster/control.h: the only door to the cluster's state: who the nodes are, which buckets exist, how it is
 * configured.
 *
 * Reading: an immutable, reference-counted snapshot. A request takes one at its start and keeps it to its end, so that
 * all it sees belongs together. Changing: small typed commands; each is decided against the current state, made durable
 * in the state directory, published as the next snapshot, told to the watchers, and only then returns.
 * Threads: reading from anywhere (loops use cluster_snapshot_cached); changes block for the disk: workers only.
 * Errors: those of each call, and IO, NO_SPACE when the state could not be written; then nothing has changed.
 *
 * This node is the whole cluster for now. The commands are functions of the state they find, so that the replicated log
 * of docs/architecture.md can order them without a change here. */
#ifndef ORLOP_CLUSTER_CONTROL_H
#define ORLOP_CLUSTER_CONTROL_H

#include <stdatomic.h>

#include "meta/bucket.h"
#include "meta/config.h"
#include "meta/name.h"

struct cluster;

#define NODE_ID_MAX 32
#define CLUSTER_UUID_MAX 32
#define CLUSTER_MOUNTPATHS_MAX 256

/* Addresses of a node, as clients are told: text, since that is what the map carries. */
enum cluster_net { CLUSTER_NET_PUBLIC, CLUSTER_NET_DATA, CLUSTER_NET_CONTROL, CLUSTER_NETS };
struct cluster_addr {
        char host[256]; /* name or address, without brackets */
        char port[8];   /* decimal */
        char url[300];  /* "http://host:port" */
};

/* Node flags (wire values). */
enum { NODE_NON_ELECTABLE = 1, NODE_IC = 2, NODE_MAINTENANCE = 4, NODE_DECOMMISSION = 8, NODE_POST_REBALANCE = 16 };
struct cluster_node {
        char id[NODE_ID_MAX + 1];
        bool target; /* else a proxy */
        unsigned flags;
        uint64_t digest; /* placement_digest(id) */
        struct cluster_addr addr[CLUSTER_NETS];
};

struct cluster_mountpath {
        const char *path;  /* absolute, clean */
        const char *label; /* "" if none */
        bool enabled;
};

/* One state of the cluster: immutable. Everything reachable from it lives as long as a reference to it is held. */
struct snapshot {
        uint64_t seq; /* grows with every change of any kind; within one run of the process */
        const char *uuid;          /* of the cluster, and of its bucket metadata */
        const char *creation_time; /* "YYYY-MM-DD HH:MM:SS", UTC */
        int64_t created_ns;
        uint64_t smap_version, bmd_version, config_version;
        const struct config *config; /* in force: persistent and transient values */

        const struct cluster_node *proxy;   /* this node's entries; a role it does not have is null */
        const struct cluster_node *target;
        const struct cluster_node *primary; /* never null */
        const struct cluster_node *nodes;   /* all, proxies first, each kind sorted by id */
        unsigned node_count, proxy_count, target_count;

        const struct bucket *const *buckets; /* sorted by bck_cmp; system buckets included */
        size_t bucket_count;

        const struct cluster_mountpath *mountpaths; /* of this node, sorted by path */
        size_t mountpath_count;
};

struct cluster_opts {
        /* Directory of this node's state; "orlop/control" is made in it. Borrowed. */
        const char *state_dir;
        /* What clients are told; may differ from one start to the next. All three may be the same. */
        struct cluster_addr addr[CLUSTER_NETS];
        /* Wishes for the first start (identifiers of 8 characters or more), null: chosen at random. Later they must
         * agree with the stored identity (ERR_FOREIGN). */
        const char *cluster_uuid, *proxy_id, *target_id;
        /* Values of the configuration file and of the environment: applied over the defaults at the first start and at
         * reset. May be null; it runs once per use and must not fail for a configuration that it accepted before. */
        struct err *(*config_base)(void *arg, struct config *c);
        void *config_arg;
};

/* Reads the state, or creates it at the first start (the identity last and once: it completes the start). Blocks.
 * ERR_CORRUPT names the damaged or missing file and nothing is repaired or overwritten; ERR_IN_USE when another process
 * has it; ERR_FORMAT for a newer format; ERR_FOREIGN. */
MUST_CHECK struct err *cluster_open(const struct cluster_opts *opts, struct cluster **ret);
/* Ends it; nobody else uses it any more. Snapshots that are still held stay valid. Null is fine. */
void cluster_close(struct cluster *c);

/* A reference to the current snapshot, never null. Takes a lock of a few instructions: fine for workers; a loop uses
 * the cache below. */
const struct snapshot *cluster_pin(struct cluster *c);
/* One more reference to a snapshot that the caller already holds: to hand it to another thread. */
const struct snapshot *snapshot_ref(const struct snapshot *s);
/* Gives a reference back. Any thread. Null is fine. */
void cluster_unpin(const struct snapshot *s);
static inline void cleanup_snapshot(const struct snapshot **s)
{
        cluster_unpin(*s);
}
#define AUTO_SNAPSHOT __attribute__((cleanup(cleanup_snapshot)))

/* One per thread, all-zero at first; owned by that thread. */
struct snapshot_cache {
        const struct snapshot *s;
};
/* The current snapshot: one atomic load and a comparison unless something has changed. Borrowed: valid until this
 * thread's next call with this cache; snapshot_ref() keeps it longer. */
const struct snapshot *cluster_snapshot_cached(struct cluster *c, struct snapshot_cache *cache);
/* Gives back what the cache holds; it may be used again. */
void snapshot_cache_drop(struct snapshot_cache *cache);

/* The bucket of this name, or null. One hash probe. Borrowed from s. */
const struct bucket *snapshot_bucket(const struct snapshot *s, const struct bck *bck);
/* As snapshot_bucket, for provider ais in the global namespace, by the bare name: hot path. */
const struct bucket *snapshot_bucket_ais(const struct snapshot *s, struct str name);
/* By bucket id, or null. */
const struct bucket *snapshot_bucket_by_id(const struct snapshot *s, uint64_t bid);
/* By node id, or null. */
const struct cluster_node *snapshot_node(const struct snapshot *s, struct str id);
/* The target that owns an object (meta/placement.h); null when no target is active. */
const struct cluster_node *snapshot_owner(const struct snapshot *s, const struct bck *bck, struct str object);

/* Adds a bucket. props null: the defaults of its provider. The id is new for ever (also after a crash); bit 63 is set
 * for ais buckets. ERR_BUCKET_EXISTS `bucket "ais://abc" already exists`. */
MUST_CHECK struct err *cluster_bucket_create(struct cluster *c, const struct bck *bck, const struct bucket_props *props,
                                             uint64_t *ret_bid);
/* Removes a bucket; *ret_bid (may be null) tells which id is now without a name, so that its objects can be removed.
 * ERR_BUCKET_NOT_FOUND `bucket "ais://nope" does not exist`. */
MUST_CHECK struct err *cluster_bucket_destroy(struct cluster *c, const struct bck *bck, uint64_t *ret_bid);
/* Gives a local ais bucket another name; its id, properties and objects stay. ERR_BUCKET_NOT_FOUND,
 * ERR_BUCKET_EXISTS_TARGET; ERR_INVALID onto itself or for remote buckets. */
MUST_CHECK struct err *cluster_bucket_rename(struct cluster *c, const struct bck *from, const struct bck *to);
/* Applies a partial update (wire: BpropsToSet). *ret_old and *ret_new (may be null) are the properties before and
 * after. No difference: nothing is written, no version moves. Errors of bucket_props_update; ERR_BUCKET_NOT_FOUND. */
MUST_CHECK struct err *cluster_bucket_set_props(struct cluster *c, const struct bck *bck, const json_t *patch,
                                                struct bucket_props *ret_old, struct bucket_props *ret_new);
/* As cluster_bucket_set_props, by a function that edits a copy of the current properties. It may run more than once,
 * must not block and must not call the cluster; its error ends the change. */
MUST_CHECK struct err *cluster_bucket_edit_props(struct cluster *c, const struct bck *bck,
                                                 struct err *(*fn)(void *arg, struct bucket_props *props), void *arg);
/* Back to the cluster's defaults of this moment. ERR_BUCKET_NOT_FOUND. */
MUST_CHECK struct err *cluster_bucket_reset_props(struct cluster *c, const struct bck *bck);

/* Changes the configuration by a function that edits a copy (config_set, config_apply …); then config_check. The
 * function may run more than once (for the persistent and for the transient values), must not block and must not call
 * the cluster. transient: in force until the process ends, not written. */
MUST_CHECK struct err *cluster_config_edit(struct cluster *c, struct err *(*fn)(void *arg, struct config *config),
                                           void *arg, bool transient);
/* Back to defaults and configuration file; transient values are dropped. */
MUST_CHECK struct err *cluster_config_reset(struct cluster *c);

/* Replaces the list of this node's mountpaths (copied). ERR_INVALID for a duplicate path or more than
 * CLUSTER_MOUNTPATHS_MAX. */
MUST_CHECK struct err *cluster_mountpaths_set(struct cluster *c, const struct cluster_mountpath *mps, size_t n);
/* A new version of the map without another difference: what clients take for "look again". */
MUST_CHECK struct err *cluster_smap_bump(struct cluster *c);

/* Called after each change became durable and visible, in the order of changes, one at a time, on the changing thread,
 * before the change returns. Both snapshots are borrowed. It may pin and read, must not change the cluster. */
typedef void cluster_watch_fn(void *arg, const struct snapshot *before, const struct snapshot *after);
#define CLUSTER_WATCHES_MAX 16
/* Registers a watcher for the life of the cluster: at start only, before other threads use it. More than
 * CLUSTER_WATCHES_MAX is a bug. */
void cluster_watch(struct cluster *c, cluster_watch_fn *fn, void *arg);

#endif
