/* cluster/many.h (inside cluster): what a process with a cluster port has besides: engine, feed, beats, duties.
 *
 * Threads: the publisher (feed.c) turns what the engine or a watch has brought into snapshots; the beater (beat.c) asks
 * the leader for leases and confirms epochs; the duty thread (duty.c) does the leader's work while this process leads;
 * the watcher (watch.c) follows another process while no engine of ours does. Locks of this struct are leaves: taken
 * after those of struct cluster, and alone. */
#ifndef ORLOP_CLUSTER_MANY_H
#define ORLOP_CLUSTER_MANY_H

#include "base/list.h"
#include "cluster/leases.h"
#include "cluster/priv.h"
#include "net/pump.h"
#include "net/rpc.h"
#include "os/pki.h"

/* What the state directory, or the cluster that was joined, gave at the start. */
struct found {
        struct docs table;
        uint64_t index;
        enum state_engine engine;
        struct state local; /* mountpaths only */
};

/* keys.json: what this process proves itself with. Texts are heap memory. */
struct credentials {
        char *ca, *cert, *key;
        char *ca_key; /* only with the founder, until the state has it */
        unsigned char member_key[PKI_SEAL_KEY]; /* seals what all members may know */
        unsigned char voter_key[PKI_SEAL_KEY];  /* seals what voters may know: the authority's key, tokens */
        bool has_voter_key;
};

struct feed_item;
struct watch_waiter;
#define NEWS_MAX 64
#define WATCH_REMOVED_MAX 4096

struct many {
        struct cluster *c;
        char state_dir[4096], host[256], address[272];
        uint16_t port;
        struct rpc_server *rpc;
        struct pool *pool;
        bool non_electable;
        struct cluster_addr addr[CLUSTER_NETS];
        struct err *(*credentials)(void *arg, const char *cert, const char *key, const char *ca);
        void *credentials_arg;
        struct credentials cred;
        struct tls_ctx *tls;
        struct rpc_client *client;
        struct pumps *pumps;
        uint64_t recoveries; /* how often this voter was made the only one by hand */
        struct engine *engine; /* null: never votes */
        _Atomic bool stopping;

        /* feed.c */
        struct mutex feed;
        struct cond fed;
        struct feed_item *first, *last; /* guarded by feed */
        uint64_t fed_index, fed_generation;
        bool fed_last;                 /* nothing is published any more; guarded by feed */
        struct thread *publisher;
        _Atomic bool broken; /* a state came that this program does not understand */

        /* Of the engine's last report. */
        _Atomic bool led;              /* its role is leader */
        _Atomic uint64_t term, leader_voter;
        _Atomic bool deciding;         /* and the takeover is published */

        struct mutex lease;
        struct leases leases;          /* guarded by lease */
        struct member news[NEWS_MAX];  /* guarded by lease: what members say of themselves, to be written down */
        unsigned news_count;
        uint64_t largest_heard;        /* guarded by lease */
        struct {
                uint64_t id;
                char address[272];
        } told[RAFT_VOTERS_MAX];       /* guarded by lease: where voters said that they are, when they called */

        /* beat.c */
        struct mutex beat;
        struct cond beat_now;
        bool kicked;                   /* guarded by beat */
        struct thread *beater;
        _Atomic uint64_t confirmed;
        struct rpc_peer hint;          /* the beater's: whom to ask next; port 0: unknown */
        unsigned turn;
        uint64_t (*stamps_largest)(void *arg);
        void (*stamps_observe)(void *arg, uint64_t hlc);
        void *stamps_arg;
        int64_t lost_since_ns;         /* the beater's: for one line of log */

        /* clock.c */
        struct mutex clock;
        int64_t base_ns, base_mono_ns, ceiling_ns, wall_ns; /* wall_ns: a leader's own at base_mono_ns; else 0 */

        /* watch.c */
        struct mutex watch;
        struct list waiters;
        struct { uint64_t index; char key[DOC_KEY_MAX + 1]; } *removed; /* ring */
        unsigned removed_count;
        uint64_t removed_floor;        /* removals up to this index are forgotten */
        struct thread *follower;

        struct thread *duty;
        struct cond duty_now, voters_now; /* with lease */
        bool duty_kicked, voters_kicked;
        bool founder;                  /* the state was brought along in this run: nobody ever led before */
        unsigned char nonce_key[32];   /* join.c */
        _Atomic uint64_t joins_refused;
};

/* control.c: a new identity; uuid null: a new cluster's. INVALID. */
MUST_CHECK struct err *cluster__identity_new(const struct cluster_opts *o, const char *uuid, struct identity *ret);

/* ---- many.c ---- */

/* Whether a voter's directory is there. */
bool cluster__many_has_engine(struct cluster *c);
/* Makes c->many: credentials, client. */
MUST_CHECK struct err *cluster__many_open(struct cluster *c, const struct cluster_opts *o, struct found *f);
/* After the first snapshot: opens the engine, brings the state of a cluster of one along, starts publishing. */
MUST_CHECK struct err *cluster__many_run(struct cluster *c, const struct found *f);
/* Whether it is being stopped: what is waited for may never come. */
bool cluster__many_ends(const struct cluster *c);
/* Ends it. Nothing there is fine. */
void cluster__many_close(struct cluster *c);
/* Whether this process may decide. NOT_PRIMARY, UNAVAILABLE. */
MUST_CHECK struct err *cluster__many_may_decide(struct cluster *c);
/* Orders what differs; returns when it is published here. Errors of engine_propose. */
MUST_CHECK struct err *cluster__many_order(struct cluster *c, const struct diff *d);
/* Whether this process leads and its leadership is fresh. */
bool cluster__many_leads(const struct many *m);
/* Where a member's cluster port is. */
struct rpc_peer cluster__peer_of(const struct cluster_member *m);
/* The leader of which this process knows; false: none but itself, or none. */
bool cluster__leader_peer(struct cluster *c, struct rpc_peer *ret);
/* An error that says who leads, for answers of those who do not. */
MUST_CHECK struct err *cluster__not_leader(struct many *m, struct rpc_req *rq);
/* How this process describes itself to the leader. */
void cluster__many_self(const struct many *m, struct member *ret);

/* ---- credentials.c ---- */

/* Reads keys.json, NOT_FOUND. */
MUST_CHECK struct err *cluster__credentials_read(int dir, struct credentials *ret);
/* Replaces it. */
MUST_CHECK struct err *cluster__credentials_write(int dir, const struct credentials *cr);
/* Wipes and frees. */
void cluster__credentials_fini(struct credentials *cr);
/* A new authority, and the founder's own certificate. */
MUST_CHECK struct err *cluster__credentials_found(const struct identity *id, struct credentials *ret);
/* The document "ca" of a founder. */
MUST_CHECK struct err *cluster__ca_document(const struct credentials *cr, struct buf *b);
/* Signs a request for a member. Voters only: UNAVAILABLE. */
MUST_CHECK struct err *cluster__ca_sign(struct many *m, const char *csr, const char *member, char **ret_cert);
/* Puts credentials in force: the client's, the port's. */
MUST_CHECK struct err *cluster__credentials_use(struct many *m);
/* Asks the leader for a new certificate when two thirds of this one's life are over. */
void cluster__credentials_renew(struct many *m);
/* A new key for signatures, if the newest is a day old; the two newest stay. *ret_changed tells. */
MUST_CHECK struct err *cluster__keys_rotate(struct many *m, struct state *s, bool *ret_changed);

/* ---- feed.c ---- */

/* Starts and stops the publisher: afterwards no watcher is called any more. */
MUST_CHECK struct err *cluster__feed_start(struct many *m);
/* See cluster__feed_start. */
void cluster__feed_stop(struct many *m);
/* Documents from an engine or a watch, borrowed; older than what is here is dropped. Any thread, does not block. */
void cluster__feed(struct many *m, uint64_t generation, uint64_t index, bool whole, const struct doc *docs, size_t n);

/* Index of the last command that was fed. */
uint64_t cluster__fed_index(struct many *m);
/* Takes what was fed before the publisher runs into a table. */
MUST_CHECK struct err *cluster__feed_drain(struct many *m, struct docs *table, uint64_t *ret_index);

/* ---- beat.c, duty.c, watch.c, join.c, relay.c: routes and threads ---- */

/* Starts beats. */
MUST_CHECK struct err *cluster__beats_start(struct many *m);
/* See cluster__beats_start. */
void cluster__beats_stop(struct many *m);
/* A beat at once. */
void cluster__beat_kick(struct many *m);
/* After the last beat: tells the leader that this process ends, and acts no more. Waits half a second at most. */
void cluster__beat_goodbye(struct many *m);
/* After a publication: moves the gate if it can. */
void cluster__gate_follow(struct many *m);
/* Starts the leader's duties, which begin when this process leads. */
MUST_CHECK struct err *cluster__duties_start(struct many *m);
/* See cluster__duties_start. */
void cluster__duties_stop(struct many *m);
/* The duties look at once. */
void cluster__duty_kick(struct many *m);
/* Starts following others. */
MUST_CHECK struct err *cluster__watch_start(struct many *m);
/* See cluster__watch_start. */
void cluster__watch_stop(struct many *m);
/* Answers those who wait for news: all (null), or one member. */
void cluster__watch_wake(struct many *m, const char *peer);
/* Notes a removal, before it is published. */
void cluster__watch_removed(struct many *m, uint64_t index, struct str key);
/* The whole state of a peer: for a joiner. */
MUST_CHECK struct err *cluster__watch_fetch(struct rpc_client *client, const struct rpc_peer *peer, uint64_t generation,
                                            uint64_t from, json_t **ret);
/* Feeds what cluster__watch_fetch has brought. */
MUST_CHECK struct err *cluster__watch_take(const json_t *j, struct docs *table, uint64_t *ret_index);
/* Joins by the token of the options: identity, credentials and first state are written; the identity last. */
MUST_CHECK struct err *cluster__join(struct cluster *c, const struct cluster_opts *o, struct found *f);
extern const struct rpc_route cluster__beat_routes[], cluster__watch_routes[], cluster__join_routes[],
        cluster__relay_routes[];

/* ---- clock.c ---- */

/* The leader's clock begins: not before the ceiling that the state has. */
void cluster__clock_lead(struct many *m, int64_t ceiling_ns);
/* The ceiling in the state is this now. */
void cluster__clock_ceiling(struct many *m, int64_t ceiling_ns);
/* The leader said so just now. */
void cluster__clock_follow(struct many *m, int64_t told_ns);
/* Time by this process's knowledge. */
int64_t cluster__clock_now(struct many *m);

#endif
