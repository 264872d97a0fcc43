/* cluster/engine.h (inside cluster): who orders and keeps the documents of the cluster's state.
 *
 * A document is a key ("bucket/ais/@#/abc") and a JSON text. An engine applies commands (sets of documents put or
 * removed, all or nothing) in one order on every member and reports each through events.applied(), in order, exactly
 * once per run, beginning with the whole state as it was found at the start. The raft engine is raft.c and the files beside it;
 * raft_core.h alone includes <raft.h>.
 *
 * Threads: engines have a thread of their own; events run on it and must not block. engine_propose() and the other
 * calls block: workers only. */
#ifndef ORLOP_CLUSTER_ENGINE_H
#define ORLOP_CLUSTER_ENGINE_H

#include "base/err.h"
#include "base/str.h"

#define DOC_KEY_MAX 512
#define DOC_BODY_MAX (1024u * 1024u)       /* bytes of one document */
#define DOC_TOTAL_MAX (64u * 1024u * 1024u) /* bytes of all of them */

struct doc {
        struct str key, body;     /* body.p null: removed */
        uint64_t modified;        /* index of the command that wrote it; in a proposal: the one it must have (compare-and-set),
                                     0: must not exist, DOC_ANY: whatever it is */
};
#define DOC_ANY UINT64_MAX

struct engine_role {
        bool leader;               /* and ready: all earlier commands are applied here */
        uint64_t term;
        uint64_t leader_id;        /* voter id of the leader, 0: unknown */
};
struct engine_events {
        void *arg;
        /* Commands up to `index` are in force; n may be 0. whole: docs are all there are (start, installed snapshot); what is not
         * among them is gone. Borrowed for the call. */
        void (*applied)(void *arg, uint64_t index, bool whole, const struct doc *docs, size_t n);
        /* Leadership or its freshness has changed. */
        void (*role)(void *arg, const struct engine_role *role);
        /* Something that a person must look at: a full disk, a follower that stands still, two hashes for one index. */
        void (*alarm)(void *arg, const char *text);
};

struct raft_voter {
        uint64_t id;               /* not 0 */
        char address[272];         /* host:port of its cluster port */
        bool voting;               /* false: standby or spare */
};
#define RAFT_VOTERS_MAX 16

struct engine;
struct raft_options {
        const char *dir;           /* its own directory, 0700; made if absent */
        uint64_t id;
        const char *address;
        unsigned election_ms, heartbeat_ms; /* 0: 500 and 50; the same on all voters */
        bool bootstrap;            /* an empty directory becomes a cluster of this voter alone; else it waits to be added */
        /* A byte stream to another voter, as a connected socket that the engine then owns. Runs on threads of the
         * engine's, may block some seconds. */
        struct err *(*dial)(void *arg, uint64_t id, const char *address, int *ret_fd);
        struct engine_events events; /* events.arg is dial's arg too */
        uint64_t min_free_bytes;   /* below this much room on the disk: alarm, and a leader hands over; 0: 256 MiB */
        unsigned watch_ms;         /* how often the disk and the followers are looked at; 0: 5000 */
        unsigned stall_ms;         /* a follower that answers but stores nothing for so long stands still; 0: 10000 */
};
/* Starts it: tries the directory in a child process first, so that a damaged one is CORRUPT and not a crash. IO, CORRUPT,
 * FORMAT, IN_USE (another process has it), NO_MEMORY. The state found is reported through events.applied before it returns; what
 * the log holds beyond the last snapshot follows when a leader says that it is committed. */
MUST_CHECK struct err *raft_engine_open(const struct raft_options *o, struct engine **ret);
/* Hands over an incoming byte stream of another voter; the engine owns fd from now on, also on error. Any worker. */
MUST_CHECK struct err *raft_engine_accept(struct engine *e, uint64_t id, const char *address, int fd);

/* One command: all or nothing. Returns when it is applied here (its events.applied has run); *ret_index (may be null)
 * is its index. CONFLICT: a document was not at the modify index it must have. NOT_PRIMARY: not the leader, surely not
 * applied. UNAVAILABLE: outcome unknown (leadership lost, deadline): the caller looks at the state again. NO_SPACE,
 * TOO_LARGE. */
MUST_CHECK struct err *engine_propose(struct engine *e, const struct doc *docs, size_t n, int64_t deadline_mono_ns,
                                      uint64_t *ret_index);
/* As engine_propose, for a caller that asks again when the outcome is unknown: the same client (not 0) and sequence is
 * applied once, and a later try has the result of the first. The sequence grows; one that is smaller than the client's last
 * is INVALID. Of the 256 clients that were active last, the last result is kept. */
MUST_CHECK struct err *engine_propose_once(struct engine *e, uint64_t client, uint64_t sequence, const struct doc *docs,
                                           size_t n, int64_t deadline_mono_ns, uint64_t *ret_index);
/* Returns when everything that was committed anywhere before the call is applied here. Leader only: NOT_PRIMARY,
 * UNAVAILABLE. Calls in flight at the same time share one barrier. */
MUST_CHECK struct err *engine_fence(struct engine *e, int64_t deadline_mono_ns);
/* Whether this voter is the leader and has heard from a majority since it last stood still; false within two election
 * time-outs after any gap of its thread longer than one. Cheap, any thread, loops too. *ret_term may be null. */
bool engine_is_fresh_leader(struct engine *e, uint64_t *ret_term);
/* The voters of the moment; n <= RAFT_VOTERS_MAX. */
unsigned engine_voters(struct engine *e, struct raft_voter ret[static RAFT_VOTERS_MAX]);
/* Leader: adds a voter (spare, standby, caught up, voting: precaution 14) or removes one (never the leader itself: INVALID).
 * Blocks up to the deadline. CONFLICT: another change is under way. */
MUST_CHECK struct err *engine_voter_add(struct engine *e, uint64_t id, const char *address, int64_t deadline_mono_ns);
/* See engine_voter_add. */
MUST_CHECK struct err *engine_voter_remove(struct engine *e, uint64_t id, int64_t deadline_mono_ns);
/* Leader: hands leadership to this voter (0: any) and waits until another leads. */
MUST_CHECK struct err *engine_transfer(struct engine *e, uint64_t id, int64_t deadline_mono_ns);
struct engine_status {
        struct engine_role role;
        uint64_t last_index, applied_index, snapshot_index;
        uint64_t state_hash, documents, bytes;
        uint64_t messages_sent, bytes_sent;
};
/* Numbers of this moment. */
void engine_status(struct engine *e, struct engine_status *ret);
/* Stops it; pending proposals end with UNAVAILABLE. Null is fine. */
void engine_close(struct engine *e);

/* ---- offline, with the daemon stopped ---- */

struct raft_inspection {
        uint64_t term, last_index, state_hash, documents;
        unsigned voters;
        struct raft_voter voter[RAFT_VOTERS_MAX];
};
/* Reads a raft directory without changing it. CORRUPT, NOT_FOUND. */
MUST_CHECK struct err *raft_inspect(const char *dir, uint64_t id, const char *address, struct raft_inspection *ret);
/* Visits all documents of a raft directory, sorted by key. */
MUST_CHECK struct err *raft_export(const char *dir, uint64_t id, const char *address,
                                   struct err *(*visit)(void *arg, const struct doc *d), void *arg);
/* Makes this voter the only one of its directory (lost quorum); copies the directory to "<dir>.before-recover-N"
 * first. */
MUST_CHECK struct err *raft_recover_alone(const char *dir, uint64_t id, const char *address);

#endif
