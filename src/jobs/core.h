/* jobs/core.h (inside jobs): the core's two structs. Fields marked "lock" are guarded by jobs.lock (rank JOBS), which
 * is never held while a job works or another node is asked. */
#ifndef ORLOP_JOBS_CORE_H
#define ORLOP_JOBS_CORE_H

#include <stdatomic.h>

#include "jobs/priv.h"
#include "os/thread.h"

struct job {
        struct pool_task task; /* the pool's */
        struct list link;      /* lock */
        struct jobs *js;
        struct job_snap snap; /* lock; kind, id, buckets immutable once linked */
        _Atomic uint64_t objects, bytes, out_objects, out_bytes;
        _Atomic uint64_t epoch; /* of the target set that the work was done under */
        struct {
                bool counts, over; /* over: another one counts by now */
                uint64_t from_objects, from_bytes, until_objects, until_bytes; /* of the node's counters */
        } received; /* lock; see job__receives */
        atomic_bool abort;
        job_fn *run; /* worker's from here on */
        void *arg;
        void (*free_arg)(void *arg);
        _Atomic int64_t step_ns;
        size_t held;  /* bytes of arguments, counted in jobs.held until the end */
        void *result; /* lock */
        void (*free_result)(void *);
};

struct peers;
struct jobs {
        struct node *node;
        struct pool *pool;
        struct mutex lock;
        struct cond ended; /* a job has ended */
        struct list all;   /* newest first */
        unsigned running, finished;
        size_t held; /* of all jobs that have not ended */
        bool closing;
        struct peers *peers; /* the other nodes; null until jobs_join, immutable afterwards */
};

/* What is shown of a job. Lock held. */
void jobs__snap_locked(const struct job *j, struct job_snap *ret);
/* The job of this id, or null. Lock held. */
struct job *jobs__find_locked(struct jobs *js, const char *id);
/* Whether a snapshot answers a question; `kind` is the question's, null if unknown or any. */
bool jobs__matches(const struct job_snap *s, const struct job_query *q, const struct job_kind *kind);
/* "Limited coexistence": what a running job excludes. Null, or CONFLICT. Pure. */
MUST_CHECK struct err *jobs__excludes(const struct job_snap *running, const struct job_kind *kind,
                                      const struct bck *src, const struct bck *dst);

#endif
