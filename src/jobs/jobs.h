/* jobs/jobs.h: the job core: kinds, identity, progress, abort, wait, history; and the same over all nodes (jobs_join).
 *
 * A job runs on a pool worker of class JOBS as a loop of bounded steps; it asks job_go_on() between steps. Where there
 * are other nodes, each target runs its part of a job under the job's id. Wire: xactions. Threads: any worker; nothing
 * here is for loops. */
#ifndef ORLOP_JOBS_JOBS_H
#define ORLOP_JOBS_JOBS_H

#include "flow/flow.h"
#include "os/pool.h"

enum job_scope { JOB_CLUSTER, JOB_BUCKET, JOB_BUCKET_OR_ALL, JOB_NODE };
/* Nothing; its parts work again, since keys have moved behind their backs; it ends, as an aborted one (wire). */
enum job_change { JOB_CHANGE_NOTHING, JOB_CHANGE_AGAIN, JOB_CHANGE_ENDS };
struct job_kind {
        const char *name, *display; /* "copy-bck", "copy-bucket" */
        enum job_scope scope;
        bool startable; /* by the generic start */
        bool notifies;  /* appears in status and status_all (wire: IC) */
        bool conflicts; /* refuses to start during rebalance or resilver */
        bool idle;      /* demand-driven */
        bool built;     /* false: starting it is NOT_IMPLEMENTED */
        enum job_change change; /* what a change of the set of targets means to it */
};
/* All kinds of the wire, by name or display name; null if unknown. */
const struct job_kind *job_kind_find(struct str name);
/* The table. */
const struct job_kind *job_kinds(unsigned *ret_n);

struct jobs;
struct job;
/* The core over a node. */
MUST_CHECK struct err *jobs_new(struct node *n, struct pool *p, struct jobs **ret);
/* Aborts what runs here, waits, frees. Parts that did not end are started again by the next process of this node. */
void jobs_free(struct jobs *j);

/* What a job does; runs on a worker. Its error becomes the job's. `arg` is freed by `free_arg` at the end of the run.
 */
typedef struct err *job_fn(struct job *j, void *arg);
struct job_spec {
        const char *kind;
        struct bck bck, src, dst; /* empty names if none */
        /* null: generated (9 to 11 characters, optional prefix); known here: nothing happens */
        const char *id;
        bool again;               /* a known id that has ended runs again */
        uint64_t epoch;           /* see job_snap */
        size_t held;              /* bytes that arg keeps in memory; of all jobs they are bounded */
        const char *id_prefix;    /* "tco-", …; null */
        job_fn *run;
        void *arg;
        void (*free_arg)(void *arg);
        char ctlmsg[256]; /* free text shown in snapshots */
};
/* Starts a job; CONFLICT when one that excludes it runs. ret_id: at least 40 bytes. On error arg is freed. */
MUST_CHECK struct err *jobs_start(struct jobs *js, const struct job_spec *spec, char ret_id[static 40]);
/* The node it works on. */
struct node *job_node(struct job *j);
/* False when it has been aborted: end soon. Called between bounded steps; sleeps in proportion to foreground load. */
bool job_go_on(struct job *j);
/* Adds to its counters. */
void job_progress(struct job *j, uint64_t objects, uint64_t bytes);
/* Notes an error that does not end it (continue-on-error). Takes e. */
void job_note_error(struct job *j, struct err *e);

struct job_snap {
        char id[40];
        const struct job_kind *kind;
        struct bck bck, src, dst;
        int64_t start_ns, end_ns; /* wall; end 0: running */
        uint64_t objects, bytes;
        uint64_t out_objects, out_bytes, in_objects, in_bytes; /* sent to and received from other targets */
        uint64_t epoch;           /* of the target set that the work was done under; 0: it does not matter */
        bool aborted, idle;
        char abort_err[256], err[256], ctlmsg[256];
};
struct job_query {
        struct str id, kind;           /* empty: any; id may be several joined by commas */
        struct bck bck;                /* empty name: any */
        bool only_running, has_active; /* has_active: the query said show_active */
};
/* Copies matching snapshots, newest first, into an arena array. */
MUST_CHECK struct err *jobs_query(struct jobs *js, const struct job_query *q, struct arena *a, struct job_snap **ret,
                                  unsigned *ret_n);
/* Asks matching jobs to end (wire: stop). Nothing matching is fine. */
MUST_CHECK struct err *jobs_abort(struct jobs *js, const struct job_query *q, const char *why);
/* Waits for a job's end; TIMEOUT. For tests and synchronous callers. */
MUST_CHECK struct err *jobs_wait(struct jobs *js, const char *id, int64_t deadline_mono_ns, struct job_snap *ret);

/* ---- over all nodes; on a node without cluster port the same as above ---- */

struct rpc_server;
/* Makes the core one of a cluster's: adds the routes "/jobs/…", and watches the cluster's state. Once, at start, before
 * the cluster port is served. Does nothing without a cluster port. */
MUST_CHECK struct err *jobs_join(struct jobs *js, struct rpc_server *s);
/* From now on parts are run here, and jobs looked after while this node leads: once the store is open and the cluster
 * started. Until then calls of other nodes are refused (STARTING). */
MUST_CHECK struct err *jobs_begin(struct jobs *js);

struct job_target_snaps {
        char target[NODE_ID_MAX + 1];
        struct job_snap *snaps; /* newest first */
        unsigned n;
};
/* The matching snapshots of all targets in the map, in its order; in the arena. Asks them all. UNAVAILABLE when one
 * does not answer until it is out of the map. */
MUST_CHECK struct err *jobs_query_all(struct jobs *js, const struct job_query *q, struct arena *a,
                                      struct job_target_snaps **ret, unsigned *ret_n);
/* Jobs as wholes, of kinds that notify: newest first, in the arena. One is over when it is over on all targets. */
MUST_CHECK struct err *jobs_status(struct jobs *js, const struct job_query *q, struct arena *a, struct job_snap **ret,
                                   unsigned *ret_n);
/* Asks matching jobs to end, everywhere. Nothing matching is fine. Leader: NOT_PRIMARY elsewhere, when the question is
 * not about demand kinds alone. */
MUST_CHECK struct err *jobs_stop(struct jobs *js, const struct job_query *q, const char *why);

/* The id of the rebalance that a set of targets brings about, "g<number>": larger for a later one. Those that are
 * started by hand have the numbers in between. */
const char *job_rebalance_id(uint64_t epoch, unsigned run, char buf[static 40]);
/* What the next set of targets would bring about is not started by itself: whoever changes it wants nothing to be moved
 * now. Before the change; off: takes it back, when there was no change after all. Leader. */
MUST_CHECK struct err *jobs_rebalance_skip(struct jobs *js, uint64_t next_epoch, bool off);
/* Whether a question means rebalances: by kind, or by the form of the id. */
bool job_query_means_rebalance(const struct job_query *q);
/* The mountpaths of this node have changed: starts a resilver here, in place of one that runs. Nothing if
 * resilver.enabled is false, or this node is no target. */
MUST_CHECK struct err *jobs_resilver_of_change(struct jobs *js, const char *why);
/* The rebalance that the newest set of targets has brought about, for answers to who has changed it: "" if there is
 * nothing to move, or rebalance.enabled is false. Leader: NOT_PRIMARY. */
MUST_CHECK struct err *jobs_rebalance_of_change(struct jobs *js, char ret_id[static 40]);

#endif
