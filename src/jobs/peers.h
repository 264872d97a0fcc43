/* jobs/peers.h (inside jobs): the jobs of a cluster: what nodes ask each other, and the thread that looks after jobs
 * with documents. */
#ifndef ORLOP_JOBS_PEERS_H
#define ORLOP_JOBS_PEERS_H

#include "jobs/core.h"
#include "jobs/steps.h"
#include "net/rpc.h"

struct peers {
        struct jobs *js;
        struct rpc_client *rpc;
        atomic_bool ready; /* parts may run here */
        struct thread *thread; /* null until jobs_begin(); that call's and jobs_free()'s */
        struct mutex lock;     /* rank LEAF */
        struct cond wake;
        bool due, stop;   /* lock: the thread is to look at once; to end */
        struct list ends; /* lock: of told_end: parts that ended, as this node was told while it leads */
        unsigned nends;   /* lock */
};
#define JOB_ENDS_MAX 65536
struct told_end {
        struct list link;
        char job[40];
        struct job_part_end end;
};

/* Makes the thread look at the state now. Any thread; null is fine. */
void jobs__peers_wake(struct peers *p);
/* Ends the thread; null is fine. */
void jobs__peers_stop(struct peers *p);
/* Frees it; null is fine. */
void jobs__peers_free(struct peers *p);

/* ---- peer_srv.c: what is asked of a node; called by the routes, and directly when a node asks itself ---- */

/* Does what a message says; the answer is appended to out. */
typedef struct err *jobs_peer_fn(struct jobs *js, struct str message, struct buf *out);
/* "/jobs/start": a message of plan.h. Known already: nothing happens. CONFLICT, OVERLOAD, … */
struct err *jobs__peer_start(struct jobs *js, struct str message, struct buf *out);
/* "/jobs/abort": {query, "why"}. */
struct err *jobs__peer_abort(struct jobs *js, struct str message, struct buf *out);
/* "/jobs/query": query; answers {"snaps": [...]}. */
struct err *jobs__peer_query(struct jobs *js, struct str message, struct buf *out);
/* "/jobs/summary": {"id"}; answers {"done", "disks", "rows"}. */
struct err *jobs__peer_summary(struct jobs *js, struct str message, struct buf *out);
/* "/jobs/done": the end of a part, told to the leader. */
struct err *jobs__peer_done(struct jobs *js, struct str message, struct buf *out);
/* Adds the routes. */
MUST_CHECK struct err *jobs__routes(struct jobs *js, struct rpc_server *s);

/* ---- peer_cli.c: asking ---- */

struct job_answer {
        const struct cluster_node *target; /* borrowed from the snapshot */
        struct buf body;
        struct err *err;
        bool answered; /* err is the target's own word: else it is not known whether it has heard */
};
/* A question to the targets of the map for which wanted() is true (null: all); write() makes the message for one. */
struct job_ask {
        const char *path;
        void (*write)(void *arg, const struct cluster_node *target, struct buf *b);
        bool (*wanted)(void *arg, const struct cluster_node *target);
        void *arg;
        int64_t timeout_ns;
};
/* Asks them all at once, this node among them. The answers are the caller's: jobs__answers_free(). Blocks up to
 * timeout_ns. */
MUST_CHECK struct err *jobs__ask(struct jobs *js, const struct snapshot *snap, const struct job_ask *ask,
                                 struct job_answer **ret, unsigned *ret_n);
/* Ends them. Null is fine. */
void jobs__answers_free(struct job_answer *a, unsigned n);
/* Tells the leader how a part ended. UNAVAILABLE. */
MUST_CHECK struct err *jobs__tell_done(struct jobs *js, const struct snapshot *snap, const char *id,
                                       const struct job_part_end *end);

/* ---- docs.c: documents ---- */

/* Writes a job's document. Leader: NOT_PRIMARY. */
MUST_CHECK struct err *jobs__doc_put(struct jobs *js, const struct job_doc *d);
/* Removes it. */
MUST_CHECK struct err *jobs__doc_remove(struct jobs *js, const char *id);
/* Visits all documents, those that have ended only if `ended`; they are freed afterwards. What can not be read is
 * logged and left out. */
MUST_CHECK struct err *jobs__doc_each(struct jobs *js, bool ended, struct err *(*fn)(void *arg, struct job_doc *d),
                                      void *arg);
/* Whether a document is there, of whatever state. */
bool jobs__doc_exists(struct jobs *js, const char *id);
/* Forgets the oldest of those that have ended, beyond a number. Leader. */
void jobs__doc_trim(struct jobs *js);

/* ---- snap_json.c ---- */

/* Writes a question, members of the object that is open in w. */
void jobs__query_write(struct json_w *w, const struct job_query *q);
/* Reads one; borrows from doc. */
MUST_CHECK struct err *jobs__query_read(const json_t *doc, struct job_query *ret);
/* Writes a snapshot. */
void jobs__snap_write(struct json_w *w, const struct job_snap *s);
/* Reads one. MALFORMED, INVALID. */
MUST_CHECK struct err *jobs__snap_read(const json_t *doc, struct job_snap *ret);

/* ---- rebalance.c ---- */

/* Leader: starts the rebalance that the newest set of targets asks for, unless it was started before, or is off.
 * *ret_id (may be null): its id, "" if there is none. */
MUST_CHECK struct err *jobs__rebalance_follow(struct jobs *js, const struct snapshot *snap, char *ret_id);

#endif
