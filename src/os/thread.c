/* Threads and checked locks.
 *
 * In debug builds (ORLOP_DEBUG) each thread keeps the list of locks it holds. Taking one whose rank is not above all
 * of them is a bug that is found on the first passage, not on the night when two threads meet; trylock is exempt,
 * since it can not deadlock. Release builds pay for none of it. Failure of a pthread call on a valid lock is a bug
 * too. */
#include "os/thread.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/str.h"
#include "os/clock.h"
#include "os/priv.h"

static _Thread_local enum thread_role my_role = THREAD_OTHER;

#ifdef ORLOP_DEBUG
enum { HELD_MAX = 32 };
static _Thread_local const struct mutex *held[HELD_MAX];
static _Thread_local unsigned held_count;

static void check_order(const struct mutex *m)
{
        if (m->rank == RANK_ANY)
                return;
        for (unsigned i = 0; i < held_count; i++)
                ASSERT(held[i] != m && held[i]->rank < m->rank);
}

static void note_taken(struct mutex *m)
{
        ASSERT(!m->held && held_count < HELD_MAX);
        m->owner = pthread_self();
        m->held = true;
        held[held_count++] = m;
}

static void note_released(struct mutex *m)
{
        unsigned i = held_count;

        ASSERT(m->held && pthread_equal(m->owner, pthread_self()));
        m->held = false;
        while (i > 0 && held[i - 1] != m)
                i--;
        ASSERT(i > 0);
        for (; i < held_count; i++)
                held[i - 1] = held[i];
        held_count--;
}
#else
static void check_order(const struct mutex *m)
{
        (void)m;
}
static void note_taken(struct mutex *m)
{
        (void)m;
}
static void note_released(struct mutex *m)
{
        (void)m;
}
#endif

void mutex_init(struct mutex *m, const char *name, enum lock_rank rank)
{
        int r = pthread_mutex_init(&m->m, NULL);

        ASSERT(r == 0);
        m->name = name;
        m->rank = rank;
        m->held = false;
}

void mutex_fini(struct mutex *m)
{
        int r;

        ASSERT(!m->held);
        r = pthread_mutex_destroy(&m->m);
        ASSERT(r == 0);
}

void mutex_lock(struct mutex *m)
{
        int r;

        check_order(m);
        r = pthread_mutex_lock(&m->m);
        ASSERT(r == 0);
        note_taken(m);
}

bool mutex_trylock(struct mutex *m)
{
        int r = pthread_mutex_trylock(&m->m);

        if (r == EBUSY)
                return false;
        ASSERT(r == 0);
        note_taken(m);
        return true;
}

void mutex_unlock(struct mutex *m)
{
        int r;

        note_released(m);
        r = pthread_mutex_unlock(&m->m);
        ASSERT(r == 0);
}

void mutex_assert_held(const struct mutex *m)
{
#ifdef ORLOP_DEBUG
        ASSERT(m->held && pthread_equal(m->owner, pthread_self()));
#else
        (void)m;
#endif
}

void cond_init(struct cond *c)
{
        pthread_condattr_t a;
        int r = pthread_condattr_init(&a);

        ASSERT(r == 0);
        r = pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
        ASSERT(r == 0);
        r = pthread_cond_init(&c->c, &a);
        ASSERT(r == 0);
        (void)pthread_condattr_destroy(&a);
}

void cond_fini(struct cond *c)
{
        int r = pthread_cond_destroy(&c->c);

        ASSERT(r == 0);
}

void cond_wait(struct cond *c, struct mutex *m)
{
        int r;

        note_released(m);
        r = pthread_cond_wait(&c->c, &m->m);
        ASSERT(r == 0);
        note_taken(m);
}

bool cond_wait_until(struct cond *c, struct mutex *m, int64_t deadline_mono_ns)
{
        struct timespec ts = { .tv_sec = deadline_mono_ns / NS_PER_SEC, .tv_nsec = deadline_mono_ns % NS_PER_SEC };
        int r;

        if (deadline_mono_ns < 0)
                ts = (struct timespec){ 0, 0 };
        note_released(m);
        r = pthread_cond_timedwait(&c->c, &m->m, &ts);
        note_taken(m);
        ASSERT(r == 0 || r == ETIMEDOUT);
        return r == 0;
}

void cond_signal(struct cond *c)
{
        int r = pthread_cond_signal(&c->c);

        ASSERT(r == 0);
}

void cond_broadcast(struct cond *c)
{
        int r = pthread_cond_broadcast(&c->c);

        ASSERT(r == 0);
}

struct thread {
        pthread_t id;
        enum thread_role role;
        char name[16];
        void (*fn)(void *arg);
        void *arg;
};

static void *thread_main(void *arg)
{
        struct thread *t = arg;

        os__thread_begin(t->name, t->role);
        t->fn(t->arg);
        return NULL;
}

int os__thread_spawn(pthread_t *ret, size_t stack, void *(*fn)(void *arg), void *arg)
{
        pthread_attr_t a;
        sigset_t all, before;
        int r = pthread_attr_init(&a);

        if (r != 0)
                return r;
        if (stack)
                r = pthread_attr_setstacksize(&a, stack * OS__STACK_SCALE);
        if (r == 0) {
                /* The new thread inherits the mask: signals are for the main thread alone. */
                (void)sigfillset(&all);
                (void)pthread_sigmask(SIG_SETMASK, &all, &before);
                r = pthread_create(ret, &a, fn, arg);
                (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        }
        (void)pthread_attr_destroy(&a);
        return r;
}

void os__thread_begin(const char *name, enum thread_role role)
{
        (void)pthread_setname_np(pthread_self(), name); /* too long a name is cosmetic */
        my_role = role;
}

enum thread_role os__thread_set_role(enum thread_role role)
{
        enum thread_role before = my_role;

        my_role = role;
        return before;
}

struct err *thread_start(struct thread **ret, const char *name, enum thread_role role, void (*fn)(void *arg), void *arg)
{
        struct thread *t = calloc(1, sizeof(*t));
        int r;

        if (!t)
                return err_static(ERR_NO_MEMORY);
        t->role = role;
        (void)str_copy(t->name, sizeof(t->name), str_of(name));
        t->fn = fn;
        t->arg = arg;
        r = os__thread_spawn(&t->id, 0, thread_main, t);
        if (r != 0) {
                free(t);
                return err_sys(r, "start thread %s", name);
        }
        *ret = t;
        return NULL;
}

void thread_join(struct thread *t)
{
        int r;

        if (!t)
                return;
        r = pthread_join(t->id, NULL);
        ASSERT(r == 0);
        free(t);
}

enum thread_role thread_role(void)
{
        return my_role;
}
