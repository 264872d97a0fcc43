/* flow/owner.h: acting on a key as its owner: the four rules of docs/adr/0008-many-nodes.md.
 *
 * Every operation on an object begins with flow_own() and, if it changes something, commits inside flow_enter() and
 * flow_leave(); the operations of flow.h do both by themselves. A cluster of one passes through both in a few
 * instructions.
 * Threads: workers, unless a comment says loop. */
#ifndef ORLOP_FLOW_OWNER_H
#define ORLOP_FLOW_OWNER_H

#include "flow/flow.h"

/* What the flow keeps beside the stores: settling under way, and a thread for what is due later (purges). After
 * cluster_open, before the first flow_follow(). */
MUST_CHECK struct err *flow_start(struct node *n);
/* Ends it, when no operation is under way. Not started is fine. */
void flow_stop(struct node *n);

/* What an operation may rely on: this node owned the key under `snap` when it was made, and nothing newer is elsewhere.
 */
struct flow_ownership {
        const struct snapshot *snap; /* a reference */
        uint64_t digest;             /* 0 when all keys are this node's */
        bool partial;                /* for writes that replace: who is down was passed by, and may hold something older than they are */
};
/* Makes this node ready to act on a key: waits until an epoch that gives it the key is open (bounded by
 * deadline_mono_ns), checks the lease, takes over what an earlier owner may hold (rule 2). for_read: a large content
 * stays where it is; then *ret_source (may be null if !for_read) names the target it must be read from
 * (flow_relay_open), else null; it lives as long as ret->snap.
 * NOT_OWNER: the caller redirects (snapshot_owner_of); UNAVAILABLE: no lease, not open in time, or an earlier owner is
 * down or does not answer. */
MUST_CHECK struct err *flow_own(struct node *n, const struct bucket *b, struct str name, bool for_read,
                                int64_t deadline_mono_ns, struct flow_ownership *ret,
                                const struct cluster_member **ret_source);
/* Ends it. All-zero is fine. */
void flow_own_end(struct flow_ownership *o);
#define AUTO_OWN __attribute__((cleanup(flow_own_end)))
/* Whether the hot path may answer for this key without waiting: owned, open, settled, leased. Ask before the content is
 * taken from the cache. Loop; no allocation, no lock. */
bool flow_owns_now(struct node *n, const struct snapshot *s, const struct bucket *b, struct str name,
                   int64_t now_mono_ns);

/* The gate at the commit point. NOT_OWNER or UNAVAILABLE: nothing was changed; the operation may begin again with
 * flow_own(). After the commit, before the answer: flow_leave() says UNAVAILABLE when the lease ran out meanwhile: then
 * the outcome must be reported as unknown. */
MUST_CHECK struct err *flow_enter(struct node *n, const struct flow_ownership *o, struct gate_pass *ret);
/* See flow_enter. Any thread. */
MUST_CHECK struct err *flow_leave(struct node *n, struct gate_pass pass);
/* As flow_owns_now, and enters the gate: for commits that are handed over on a loop; flow_leave() when they are done. */
bool flow_enter_now(struct node *n, const struct snapshot *s, const struct bucket *b, struct str name,
                    int64_t now_mono_ns, struct gate_pass *ret) MUST_CHECK;

struct flow_relay;
/* Reads a content that lies at another member, as a stream of bytes [offset, offset + length): for readers, while a
 * large object moves. Should it arrive here meanwhile, it is read here. CONFLICT: it does not lie there any more. */
MUST_CHECK struct err *flow_relay_open(struct node *n, const struct cluster_member *from, const struct bucket *b,
                                       struct str name, struct arena *a, struct obj_meta *ret_meta,
                                       struct flow_relay **ret);
/* The next len bytes from offset on, exactly; offsets that go on where the last read ended are one stream. Verified
 * block by block as far as the source does, and against the stamp. */
MUST_CHECK struct err *flow_relay_read(struct flow_relay *r, uint64_t offset, void *p, size_t len);
/* Ends it. Null is fine. */
void flow_relay_close(struct flow_relay *r);

/* Sends this node's record of a key (live or tombstone) to its owner, waits for the acknowledgement, leaves a moved
 * marker. *ret_bytes: content sent. Nothing to send, or it is this node's own: no error. CONFLICT: the epoch changed
 * meanwhile; UNAVAILABLE: the owner is down, or not ready. */
MUST_CHECK struct err *flow_hand_over(struct node *n, uint64_t bid, struct str name, uint64_t *ret_bytes);

struct flow_moved {
        uint64_t objects, bytes, left;
};
typedef bool flow_go_on_fn(void *arg, const struct flow_moved *so_far);
/* One pass of rebalance over this node's records under the newest epoch: hands over everything foreign with up to
 * `workers` calls at a time; ret->left counts what could not be handed over (owner down, corrupt here). go_on may be
 * null; it is asked before each piece of work and may block to throttle; false: CANCELLED. Ends with CONFLICT when
 * `epoch` is not the newest (any more), UNAVAILABLE when it is not open in time. A pass with nothing left is reported to
 * the leader by the caller (cluster_report_clean). A pass that was ended begins anew: what has moved is gone. */
MUST_CHECK struct err *flow_rebalance_pass(struct node *n, uint64_t epoch, unsigned workers, flow_go_on_fn *go_on,
                                           void *arg, struct flow_moved *ret);

struct rpc_server;
/* The routes "/data/…" by which nodes serve each other (both ends are in flow/peer_*.c); added to the process's server
 * at start. EXISTS: they were added before. */
MUST_CHECK struct err *flow_routes(struct node *n, struct rpc_server *s);
/* Follows the cluster: sets the store's epoch and tombstones with each snapshot, purges after settling, drops destroyed
 * buckets. Called by the daemon's watcher, and once before it with `before` null: then nothing is dropped. Short. */
void flow_follow(struct node *n, const struct snapshot *before, const struct snapshot *after);
/* Drops what lies here of buckets that do not exist: for a node that was away. The state is brought up to date first
 * (cluster_sync): an old one lacks buckets that hold objects. May run beside everything else. UNAVAILABLE when no leader
 * answers until the deadline: nothing was dropped. */
MUST_CHECK struct err *flow_keep_buckets(struct node *n, int64_t deadline_mono_ns);

#endif
