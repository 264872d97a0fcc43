/* os/pool.h: the elastic worker pool: one worker per task in progress, quotas by class.
 *
 * Threads are made on demand up to the sum of quotas, keep a small stack (256 KiB) and end after 10 s without work.
 * Tasks of a class above its quota wait in that class's bounded queue; when the queue is full pool_submit refuses.
 * Any thread may submit, loops too: it never blocks. */
#ifndef ORLOP_OS_POOL_H
#define ORLOP_OS_POOL_H

#include "base/err.h"
#include "base/list.h"

/* UPLOAD: what reads from a client while it works, and so lasts as long as the client likes. PEER: what other nodes ask;
 * it must not wait for calls to other nodes, so that two nodes whose other workers all wait for each other still answer. */
enum pool_class { POOL_CONTROL, POOL_DATA, POOL_UPLOAD, POOL_BACKEND, POOL_JOBS, POOL_PEER, POOL_CLASS_COUNT };

struct pool_task {
        struct list link; /* the pool's while queued */
        void (*run)(struct pool_task *t); /* on a worker; the task may be freed inside */
};
struct pool_limits {
        unsigned max_running[POOL_CLASS_COUNT];
        unsigned max_queued[POOL_CLASS_COUNT];
};
struct pool;
/* A pool without threads yet. */
MUST_CHECK struct err *pool_new(const struct pool_limits *limits, struct pool **ret);
/* Waits for running and queued tasks, ends all threads. */
void pool_free(struct pool *p);
/* Hands over a task. False when the class's queue is full: nothing was taken. */
bool pool_submit(struct pool *p, enum pool_class cls, struct pool_task *t) MUST_CHECK;
struct pool_stats {
        unsigned threads, running[POOL_CLASS_COUNT], queued[POOL_CLASS_COUNT];
        uint64_t done, refused;
};
/* Whether tasks of this class wait for a worker. */
bool pool_is_crowded(struct pool *p, enum pool_class cls);
/* Numbers of this moment. */
void pool_stats(struct pool *p, struct pool_stats *ret);

#endif
