/* os/thread.h: threads, checked locks, roles.
 *
 * A lock knows its name, its rank and (in debug builds) its owner; taking a lock whose rank is not above every rank
 * held by this thread is a bug (ASSERT, debug builds). Ranks are listed below: the lock order of the whole program,
 * one page. Thread roles: a loop thread must not block; ASSERT_MAY_BLOCK() tells. */
#ifndef ORLOP_OS_THREAD_H
#define ORLOP_OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum lock_rank {
        RANK_ANY = 0, /* leaf locks of tests */
        RANK_CLUSTER = 10,
        RANK_CLUSTER_PUBLISH = 12, /* held while watchers run */
        RANK_JOBS = 20,
        RANK_FLOW = 30,
        RANK_STORE = 40,      /* store-wide: set of mountpaths, uploads */
        RANK_STORE_MPATH = 50,
        RANK_STORE_QUEUE = 60, /* commit queue */
        RANK_STORE_CACHE = 70,
        RANK_NET = 80,
        RANK_OS = 90,
        RANK_LEAF = 100,
};

struct mutex {
        pthread_mutex_t m;
        const char *name;
        enum lock_rank rank;
        pthread_t owner; /* debug builds */
        bool held;       /* debug builds */
};
/* A mutex ready to use; `name` is static text. */
void mutex_init(struct mutex *m, const char *name, enum lock_rank rank);
/* Ends a mutex that nobody holds. */
void mutex_fini(struct mutex *m);
/* Waits for the mutex. */
void mutex_lock(struct mutex *m);
/* Takes it only if free. */
bool mutex_trylock(struct mutex *m);
/* Gives it back. */
void mutex_unlock(struct mutex *m);
/* Caller holds it: checked in debug builds. */
void mutex_assert_held(const struct mutex *m);

struct cond {
        pthread_cond_t c;
};
/* A condition on the monotonic clock. */
void cond_init(struct cond *c);
/* Ends it. */
void cond_fini(struct cond *c);
/* Waits; the mutex is released meanwhile. */
void cond_wait(struct cond *c, struct mutex *m);
/* Waits until deadline (clock_mono_ns); false when it passed. */
bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_mono_ns);
/* Wakes one waiter. */
void cond_signal(struct cond *c);
/* Wakes all waiters. */
void cond_broadcast(struct cond *c);

static inline void cleanup_mutex(struct mutex **m)
{
        if (*m)
                mutex_unlock(*m);
}
#define LOCK_SCOPE_2(m, n) \
        __attribute__((cleanup(cleanup_mutex), unused)) struct mutex *lock_scope_##n = (mutex_lock(m), (m))
#define LOCK_SCOPE_1(m, n) LOCK_SCOPE_2(m, n)
/* Holds m until the end of the enclosing block. */
#define LOCK_SCOPE(m) LOCK_SCOPE_1(m, __LINE__)

enum thread_role { THREAD_OTHER, THREAD_LOOP, THREAD_WORKER, THREAD_COMMIT };
struct thread;
/* Starts a joinable thread with this role, a name (at most 15 bytes) and all signals blocked. */
MUST_CHECK struct err *thread_start(struct thread **ret, const char *name, enum thread_role role, void (*fn)(void *arg),
                                    void *arg);
/* Waits for its end and frees it. Null is fine. */
void thread_join(struct thread *t);
/* The role of the calling thread. */
enum thread_role thread_role(void);

#define ASSERT_MAY_BLOCK() ASSERT(thread_role() != THREAD_LOOP)
#define ASSERT_ON_LOOP() ASSERT(thread_role() == THREAD_LOOP)

#endif
