/* cluster/control.h: the only door to the cluster's state: who the nodes are, which buckets exist, how it is
 * configured.
 *
 * Reading: an immutable, reference-counted snapshot. A request takes one at its start and keeps it to its end, so that
 * all it sees belongs together. Changing: small typed commands; each is decided against the current state, made durable
 * in the state directory, published as the next snapshot, told to the watchers, and only then returns.
 * Threads: reading from anywhere (loops use cluster_snapshot_cached); changes block for the disk: workers only.
 * Errors: those of each call, and IO, NO_SPACE when the state could not be written; then nothing has changed.
 *
 * Commands are decided by the leader alone (docs/adr/0008-many-nodes.md); elsewhere they end with NOT_PRIMARY, and the
 * caller passes the request on to cluster_leader(). A node without a cluster port is its own leader. UNAVAILABLE: no
 * leader, or it was lost meanwhile and the outcome is not known. */
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
/* The control and data nets carry the address of the cluster port, where there is one. */
struct cluster_node {
        char id[NODE_ID_MAX + 1];
        char member[NODE_ID_MAX + 1]; /* the process it belongs to */
        bool target; /* else a proxy */
        unsigned flags;
        uint64_t digest; /* placement_digest(id) */
        struct cluster_addr addr[CLUSTER_NETS];
};

/* One process of the cluster: up to two nodes. */
struct cluster_member {
        char id[NODE_ID_MAX + 1];
        char proxy[NODE_ID_MAX + 1], target[NODE_ID_MAX + 1]; /* "" if it has not this role */
        char host[256];       /* of its cluster port; "" when it has none (a cluster of one) */
        uint16_t port;
        bool up;              /* else down: not in the map, but what it stores counts */
        bool voter;           /* wanted as a voter (the cluster chooses) */
        unsigned proxy_flags, target_flags; /* NODE_MAINTENANCE … */
        int64_t joined_ns, down_ns;         /* wall clock; down_ns 0: up */
        uint64_t incarnation; /* differs with each start of the process */
};

/* A set of targets that own keys, from one epoch to the next. */
struct placement {
        uint64_t epoch;
        unsigned n;
        const char (*ids)[NODE_ID_MAX + 1];
        const uint64_t *digests;
        const bool *pending; /* of an earlier placement: this target may still hold something of it; of the current: all false */
};
#define CLUSTER_EARLIER_MAX 32 /* placements that are not settled; above it changes that are not forced are refused (CONFLICT) */

struct cluster_mountpath {
        const char *path;  /* absolute, clean */
        const char *label; /* "" if none */
        bool enabled;
};

/* One state of the cluster: immutable. Everything reachable from it lives as long as a reference to it is held. */
struct cluster_key;
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
        const struct cluster_node *aside;   /* in maintenance, and down: clients are told of them, nobody asks them */
        unsigned aside_count;

        const struct bucket *const *buckets; /* sorted by bck_cmp; system buckets included */
        size_t bucket_count;

        const struct cluster_mountpath *mountpaths; /* of this node, sorted by path */
        size_t mountpath_count;

        const char *member_id;                 /* this process */
        const struct cluster_member *members;  /* all, down ones too, sorted by id */
        unsigned member_count;
        uint64_t index;                        /* of the state's last command; follows its order; 0 without a cluster port */
        struct placement placement;            /* the current one */
        const struct placement *earlier;       /* not settled yet, newest first */
        unsigned earlier_count;
        bool tombstones;                       /* deletes must leave one: something is not settled, or a target is down */
        uint64_t settled_hlc;                  /* stamps below it, on tombstones and moved markers, serve nothing any more */
        const struct cluster_key *keys;        /* for signatures, newest first; the first signs, all verify */
        unsigned key_count;
};

/* A secret that all nodes share, for signed redirects. */
struct cluster_key {
        char id[9];
        unsigned char secret[32];
};

struct rpc_client;
struct rpc_server;
/* What a process does. BOTH is the default. */
enum cluster_role { CLUSTER_ROLE_BOTH, CLUSTER_ROLE_PROXY, CLUSTER_ROLE_TARGET };
struct cluster_opts {
        enum cluster_role role; /* of a new member; later it must agree with the stored one */
        /* A cluster port exists: this process can be one of several. Null: it is a cluster of one, and stays one until
         * it is started with a port. The server gets the control plane's routes; both are borrowed. */
        const char *cluster_host;
        uint16_t cluster_port;
        struct rpc_server *rpc;
        struct pool *pool;
        /* Text of a join token: used when the state directory is new (later it is ignored). Null: a new directory
         * becomes a new cluster. */
        const char *join;
        bool non_electable;     /* never a voter */
        /* Claims no newer abilities than this level, as an older program does; false: this program's. */
        bool old_level;
        uint64_t feature_level;
        /* Called whenever the credentials for the cluster port are new (start, joined, renewed): PEM texts, borrowed. */
        struct err *(*credentials)(void *arg, const char *cert, const char *key, const char *ca);
        void *credentials_arg;
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
/* Digest that places an object: that of the bucket's name at its creation, so that a rename moves nothing. */
uint64_t snapshot_digest(const struct bucket *b, struct str object);
/* The target in this placement for a digest, as an index into ids; -1 when the placement is empty. */
int placement_owner(const struct placement *p, uint64_t digest);
/* Owner under the current placement; null when no target is active. */
const struct cluster_node *snapshot_owner_of(const struct snapshot *s, uint64_t digest);
/* Whether this process owns the digest now. */
bool snapshot_owns(const struct snapshot *s, uint64_t digest);
/* Whether another target may hold something newer of a digest that this one owns (rule 2): then settle first. Cheap when all is settled. */
bool snapshot_is_unsettled(const struct snapshot *s, uint64_t digest);
/* The member of this id, or of this node's id; null if unknown. */
const struct cluster_member *snapshot_member(const struct snapshot *s, struct str id);

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
/* Back to defaults and configuration file; transient values of this process are dropped. */
MUST_CHECK struct err *cluster_config_reset(struct cluster *c);

/* As cluster_config_edit, for this process alone: kept in its directory, in force over what the cluster has. Any member. */
MUST_CHECK struct err *cluster_config_edit_own(struct cluster *c, struct err *(*fn)(void *arg, struct config *config), void *arg);
/* Forgets those, and the transient values of this process. */
MUST_CHECK struct err *cluster_config_reset_own(struct cluster *c);
/* Drops the transient values of this process, and those alone: for a reset that another process leads. */
MUST_CHECK struct err *cluster_config_drop_transient(struct cluster *c);

/* Replaces the list of this node's mountpaths (copied). ERR_INVALID for a duplicate path or more than
 * CLUSTER_MOUNTPATHS_MAX. */
MUST_CHECK struct err *cluster_mountpaths_set(struct cluster *c, const struct cluster_mountpath *mps, size_t n);
/* A new version of the map without another difference: what clients take for "look again". */
MUST_CHECK struct err *cluster_smap_bump(struct cluster *c);

/* ---- many nodes ---- */

/* The leader's member; null while none is known. Borrowed from s. */
const struct cluster_member *cluster_leader(const struct snapshot *s);
/* Whether this process leads and may decide: cheap; any thread. */
bool cluster_is_leader(struct cluster *c);
/* Whether a member takes part in decisions, as far as this process knows: who is a proxy knows it of all, others of nobody. Any thread. */
bool cluster_member_votes(struct cluster *c, const struct cluster_member *m);
/* Whether this process may act on keys at this moment (clock_mono): it holds a lease. Always true for a cluster of one. One atomic
 * load: loops too. */
bool cluster_has_lease(struct cluster *c, int64_t now_mono_ns);
/* The cluster's time (see ADR 0008) as ns since 1970: for stamps. Never goes back in one run. Any thread. */
int64_t cluster_time_ns(struct cluster *c);
/* Newest epoch that the leader has opened: a target may act on keys that it gained with it. Any thread. */
uint64_t cluster_open_epoch(struct cluster *c);

/* The gate (rule 1). Enter at the commit point, with the epoch of the snapshot by which ownership was judged; leave when the outcome of the commit is
 * known. False: that epoch is no longer the newest one here, or there is no lease: judge again with a new snapshot. Neither blocks; any thread; leaving may be on another one. */
struct gate_pass {
        unsigned slot;
};
/* Into the gate; see struct gate_pass. */
bool cluster_gate_enter(struct cluster *c, uint64_t epoch, struct gate_pass *ret) MUST_CHECK;
/* See cluster_gate_enter. */
void cluster_gate_leave(struct cluster *c, struct gate_pass pass);
/* Blocks until a snapshot of this epoch or a newer one is here and open, or the deadline (UNAVAILABLE). Workers. */
MUST_CHECK struct err *cluster_wait_open(struct cluster *c, uint64_t epoch, int64_t deadline_mono_ns);
/* Blocks until a snapshot with this map version or a newer one is here, or the deadline (UNAVAILABLE). Workers. */
MUST_CHECK struct err *cluster_wait_smap(struct cluster *c, uint64_t smap_version, int64_t deadline_mono_ns);
/* The largest stamp that this process has given or seen goes out with each beat; the daemon sets where it comes from. And where stamps that must be
 * observed go (both any thread, short). */
void cluster_set_stamps(struct cluster *c, uint64_t (*largest)(void *arg), void (*observe)(void *arg, uint64_t hlc), void *arg);

/* This target has nothing that is not its own under this epoch (rule 4). Told to the leader; another epoch by now: CONFLICT. */
MUST_CHECK struct err *cluster_report_clean(struct cluster *c, uint64_t epoch);

/* Leader: a token for one joiner or several; text in an arena string of the caller's buffer. ttl_ns > 0; uses 1 to 1,000. */
MUST_CHECK struct err *cluster_token_new(struct cluster *c, int64_t ttl_ns, unsigned uses, struct buf *ret_text);
/* Leader: sets and clears NODE_MAINTENANCE, NODE_DECOMMISSION, NODE_POST_REBALANCE, NODE_NON_ELECTABLE of a node (or of both nodes of a member, by
 * the member's id). A target's set of
 * owners follows. NODE_NOT_FOUND; INVALID for the primary itself (maintenance, decommission). */
MUST_CHECK struct err *cluster_node_set_flags(struct cluster *c, struct str id, unsigned set, unsigned clear);
/* Leader: forgets a member for good: it leaves the map, its certificate is refused. While it may still hold something that nobody else has: CONFLICT
 * unless lost is set (then that is
 * gone). NODE_NOT_FOUND; INVALID for the primary itself. */
MUST_CHECK struct err *cluster_member_remove(struct cluster *c, struct str id, bool lost);
/* Leader: makes another proxy the primary. NODE_NOT_FOUND, INVALID (not a proxy, in maintenance). Itself: nothing happens. */
MUST_CHECK struct err *cluster_set_primary(struct cluster *c, struct str proxy_id);
/* A small document of another folder ("job/<id>"): body null removes it. A node that does not lead passes it on, and has seen it when the call returns.
 * INVALID for keys of the control plane's own. UNAVAILABLE: no leader, or the outcome is not known. */
MUST_CHECK struct err *cluster_doc_put(struct cluster *c, struct str key, struct str body);
/* Visits the documents whose key begins with prefix ("job/"), in order of keys, as of the newest applied command. Borrowed during the call. */
MUST_CHECK struct err *cluster_doc_each(struct cluster *c, struct str prefix, struct err *(*fn)(void *arg, struct str key, struct str body), void *arg);
/* Waits until what is decided by the leader so far is visible here (read-your-writes across nodes): UNAVAILABLE at the deadline. */
MUST_CHECK struct err *cluster_sync(struct cluster *c, int64_t deadline_mono_ns);
/* Leader: returns when every member that is up has seen what was decided here so far, so that a client finds it at whichever node it asks next. Who does
 * not answer until the deadline is not waited for. */
void cluster_spread(struct cluster *c, int64_t deadline_mono_ns);
/* The client for calls to other members, with this process's certificate; null without a cluster port. Lives as long as c. */
struct rpc_client *cluster_rpc(struct cluster *c);
/* Starts beats, watching, the leader's duties: after the cluster port listens. Blocks until a lease is held or the deadline passes (no error: it goes on trying). */
MUST_CHECK struct err *cluster_start(struct cluster *c, int64_t deadline_mono_ns);
/* Ends them, before the port closes; leadership is handed over first. Afterwards no watcher is called any more, and nothing is waited for. */
void cluster_stop(struct cluster *c);

/* Called after each change became durable and visible, in the order of changes (several may be one call), one at a time,
 * on the publishing thread; a command returns after the watchers have seen it. Both snapshots are borrowed. It may pin and
 * read, must not change the cluster. With a new epoch: watchers run before it is confirmed. */
typedef void cluster_watch_fn(void *arg, const struct snapshot *before, const struct snapshot *after);
#define CLUSTER_WATCHES_MAX 16
/* Registers a watcher for the life of the cluster: at start only, before other threads use it. More than
 * CLUSTER_WATCHES_MAX is a bug. */
void cluster_watch(struct cluster *c, cluster_watch_fn *fn, void *arg);

#endif
