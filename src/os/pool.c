/* The elastic worker pool.
 *
 * Happy path: submit takes the youngest idle worker off a stack, leaves the task in the worker's own slot and wakes
 * it by a futex: one wake, no thundering herd, warm stacks first, and the oldest idle workers are the ones that time
 * out. Without an idle worker a thread is started. A worker that finishes looks for queued tasks before it goes
 * idle, so that a full class costs no wakes.
 *
 * Failure: when no thread can be started the task waits in its queue if any worker of this pool will come by; else
 * it is refused. End: each worker that leaves joins the one that left before it, and pool_free joins the last: no
 * thread is ever detached, so the pool's memory is not touched after it was freed.
 *
 * All fields are guarded by `lock` but a worker's `signal`. */
#include "os/pool.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/priv.h"

enum { STACK_SIZE = 256 * 1024, IDLE_SEC = 10 };

struct worker {
        struct pool *pool;
        struct worker *idle_next, *idle_prev; /* next is older */
        pthread_t id;
        struct pool_task *task;
        enum pool_class cls;
        _Atomic uint32_t signal; /* 1: look at `task` again */
};

struct pool {
        struct mutex lock;
        struct cond ended;
        struct pool_limits limits;
        struct list queue[POOL_CLASS_COUNT];
        struct worker *youngest; /* idle workers */
        struct pool_stats stats;
        pthread_t left; /* the last worker that left, not joined yet */
        bool has_left, closing;
};

struct err *pool_new(const struct pool_limits *limits, struct pool **ret)
{
        struct pool *p = calloc(1, sizeof(*p));

        if (!p)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&p->lock, "pool", RANK_OS);
        cond_init(&p->ended);
        p->limits = *limits;
        for (unsigned i = 0; i < POOL_CLASS_COUNT; i++)
                list_init(&p->queue[i]);
        *ret = p;
        return NULL;
}

static void idle_push(struct pool *p, struct worker *w)
{
        w->idle_prev = NULL;
        w->idle_next = p->youngest;
        if (p->youngest)
                p->youngest->idle_prev = w;
        p->youngest = w;
}

static void idle_remove(struct pool *p, struct worker *w)
{
        if (w->idle_prev)
                w->idle_prev->idle_next = w->idle_next;
        else
                p->youngest = w->idle_next;
        if (w->idle_next)
                w->idle_next->idle_prev = w->idle_prev;
}

static void wake_worker(struct worker *w)
{
        atomic_store_explicit(&w->signal, 1, memory_order_release);
        (void)syscall(SYS_futex, &w->signal, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* Sleeps until woken or idle for too long. */
static void wait_signal(struct worker *w)
{
        struct timespec ts = { .tv_sec = IDLE_SEC, .tv_nsec = 0 };

        while (!atomic_load_explicit(&w->signal, memory_order_acquire)) {
                if (syscall(SYS_futex, &w->signal, FUTEX_WAIT_PRIVATE, 0, &ts, NULL, 0) != 0 && errno == ETIMEDOUT)
                        return;
        }
}

/* The next queued task that its quota allows; classes take turns, beginning after the one that w served last. */
static bool take_queued_locked(struct pool *p, struct worker *w)
{
        for (unsigned i = 1; i <= POOL_CLASS_COUNT; i++) {
                enum pool_class cls = (enum pool_class)((w->cls + i) % POOL_CLASS_COUNT);
                struct list *first = p->queue[cls].next;

                if (list_empty(&p->queue[cls]) || p->stats.running[cls] >= p->limits.max_running[cls])
                        continue;
                list_remove(first);
                p->stats.queued[cls]--;
                p->stats.running[cls]++;
                w->task = LIST_ENTRY(first, struct pool_task, link);
                w->cls = cls;
                return true;
        }
        return false;
}

/* Leaves the pool with the lock held; it is released. */
static void worker_leave_locked(struct pool *p, struct worker *w)
{
        pthread_t previous = p->left;
        bool join = p->has_left;

        p->left = w->id;
        p->has_left = true;
        p->stats.threads--;
        if (p->stats.threads == 0)
                cond_broadcast(&p->ended);
        mutex_unlock(&p->lock);
        if (join)
                (void)pthread_join(previous, NULL);
        free(w);
}

static void *worker_main(void *arg)
{
        struct worker *w = arg;
        struct pool *p = w->pool;

        os__thread_begin("worker", THREAD_WORKER);
        mutex_lock(&p->lock);
        w->id = pthread_self();
        for (;;) {
                while (w->task) {
                        struct pool_task *t = w->task;

                        w->task = NULL;
                        mutex_unlock(&p->lock);
                        t->run(t);
                        mutex_lock(&p->lock);
                        p->stats.running[w->cls]--;
                        p->stats.done++;
                        (void)take_queued_locked(p, w);
                }
                if (p->closing)
                        break;
                atomic_store_explicit(&w->signal, 0, memory_order_relaxed);
                idle_push(p, w);
                mutex_unlock(&p->lock);
                wait_signal(w);
                mutex_lock(&p->lock);
                if (!atomic_load_explicit(&w->signal, memory_order_relaxed)) {
                        idle_remove(p, w); /* idle for too long */
                        break;
                }
        }
        worker_leave_locked(p, w);
        return NULL;
}

/* Starts a worker for a task that is already counted as running. Called without the lock: this may take a while. */
static bool start_worker(struct pool *p, enum pool_class cls, struct pool_task *t)
{
        struct worker *w = calloc(1, sizeof(*w));
        pthread_t id;

        if (!w)
                return false;
        w->pool = p;
        w->task = t;
        w->cls = cls;
        if (os__thread_spawn(&id, STACK_SIZE, worker_main, w) != 0) {
                free(w);
                return false;
        }
        return true;
}

static bool enqueue_locked(struct pool *p, enum pool_class cls, struct pool_task *t)
{
        if (p->stats.queued[cls] >= p->limits.max_queued[cls]) {
                p->stats.refused++;
                return false;
        }
        list_append(&p->queue[cls], &t->link);
        p->stats.queued[cls]++;
        return true;
}

/* No thread could be started: wait for another worker if there is one. */
static bool fall_back(struct pool *p, enum pool_class cls, struct pool_task *t)
{
        LOCK_SCOPE(&p->lock);
        p->stats.threads--;
        p->stats.running[cls]--;
        if (p->stats.running[cls] == 0) { /* nobody would come by for certain */
                p->stats.refused++;
                return false;
        }
        return enqueue_locked(p, cls, t);
}

bool pool_submit(struct pool *p, enum pool_class cls, struct pool_task *t)
{
        struct worker *w;
        bool queued;

        mutex_lock(&p->lock);
        ASSERT(!p->closing);
        if (p->stats.running[cls] >= p->limits.max_running[cls]) {
                queued = enqueue_locked(p, cls, t);
                mutex_unlock(&p->lock);
                return queued;
        }
        p->stats.running[cls]++;
        w = p->youngest;
        if (w) {
                idle_remove(p, w);
                w->task = t;
                w->cls = cls;
                /* Under the lock: past it the worker may time out by itself, see the task, run it and be gone. */
                atomic_store_explicit(&w->signal, 1, memory_order_release);
                mutex_unlock(&p->lock);
                (void)syscall(SYS_futex, &w->signal, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
                return true;
        }
        p->stats.threads++;
        mutex_unlock(&p->lock);
        return start_worker(p, cls, t) || fall_back(p, cls, t);
}

void pool_free(struct pool *p)
{
        if (!p)
                return;
        mutex_lock(&p->lock);
        p->closing = true;
        while (p->youngest) {
                struct worker *w = p->youngest;

                idle_remove(p, w);
                wake_worker(w);
        }
        while (p->stats.threads > 0)
                cond_wait(&p->ended, &p->lock);
        mutex_unlock(&p->lock);
        if (p->has_left)
                (void)pthread_join(p->left, NULL);
        cond_fini(&p->ended);
        mutex_fini(&p->lock);
        free(p);
}

bool pool_is_crowded(struct pool *p, enum pool_class cls)
{
        LOCK_SCOPE(&p->lock);
        return p->stats.queued[cls] > 0;
}

void pool_stats(struct pool *p, struct pool_stats *ret)
{
        LOCK_SCOPE(&p->lock);
        *ret = p->stats;
}
