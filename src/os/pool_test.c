/* The pool: every task runs once, quotas and queue bounds hold, idle threads are used again, tasks may submit tasks. */
#include "os/test_util.h"

#include <stdatomic.h>

#include "os/clock.h"
#include "os/pool.h"
#include "os/thread.h"

static const struct pool_limits small = { .max_running = { [POOL_CONTROL] = 2, [POOL_DATA] = 3, [POOL_BACKEND] = 1 },
                                          .max_queued = {
                                                  [POOL_CONTROL] = 4, [POOL_DATA] = 100000, [POOL_BACKEND] = 4 } };

struct job {
        struct pool_task task;
        struct pool *pool;
        unsigned again;
};
static _Atomic unsigned done, inside, peak;

static void on_job(struct pool_task *t)
{
        struct job *j = CONTAINER_OF(t, struct job, task);
        unsigned now = atomic_fetch_add(&inside, 1) + 1, seen = atomic_load(&peak);

        ASSERT(thread_role() == THREAD_WORKER);
        ASSERT_MAY_BLOCK();
        while (now > seen && !atomic_compare_exchange_weak(&peak, &seen, now))
                ;
        if (j->again) {
                j->again--;
                atomic_fetch_sub(&inside, 1);
                ASSERT(pool_submit(j->pool, POOL_DATA, &j->task));
        } else {
                atomic_fetch_sub(&inside, 1);
                atomic_fetch_add(&done, 1);
        }
}

static void test_all_run(void **state)
{
        enum { JOBS = 5000 };
        static struct job jobs[JOBS];
        struct pool *p;
        struct pool_stats st;
        int64_t give_up = clock_mono_ns() + 60 * NS_PER_SEC;

        (void)state;
        assert_ok(pool_new(&small, &p));
        for (unsigned i = 0; i < JOBS; i++) {
                jobs[i] = (struct job){ .task.run = on_job, .pool = p, .again = i % 3 };
                assert_true(pool_submit(p, POOL_DATA, &jobs[i].task));
        }
        while (atomic_load(&done) < JOBS && clock_mono_ns() < give_up)
                clock_sleep_ns(NS_PER_MS);
        assert_int_equal(atomic_load(&done), JOBS);
        assert_in_range(atomic_load(&peak), 1, 3);
        pool_stats(p, &st);
        assert_in_range(st.threads, 1, 3);
        assert_int_equal(st.refused, 0);
        pool_free(p);
}

struct gate {
        struct pool_task task;
        struct mutex *lock;
        struct cond *open;
        bool *is_open;
        unsigned *entered;
};

static void on_gate(struct pool_task *t)
{
        struct gate *g = CONTAINER_OF(t, struct gate, task);

        LOCK_SCOPE(g->lock);
        (*g->entered)++;
        cond_broadcast(g->open);
        while (!*g->is_open)
                cond_wait(g->open, g->lock);
}

static void test_quota_and_refusal(void **state)
{
        struct gate g[8];
        struct mutex lock;
        struct cond open;
        bool is_open = false;
        unsigned entered = 0;
        struct pool *p;
        struct pool_stats st;
        struct job other = { .task.run = on_job };

        (void)state;
        atomic_store(&done, 0);
        mutex_init(&lock, "gate", RANK_ANY);
        cond_init(&open);
        assert_ok(pool_new(&small, &p));
        for (unsigned i = 0; i < 8; i++)
                g[i] = (struct gate){ { .run = on_gate }, &lock, &open, &is_open, &entered };
        for (unsigned i = 0; i < 6; i++) /* 2 run, 4 wait */
                assert_true(pool_submit(p, POOL_CONTROL, &g[i].task));
        mutex_lock(&lock);
        while (entered < 2)
                cond_wait(&open, &lock);
        mutex_unlock(&lock);
        assert_false(pool_submit(p, POOL_CONTROL, &g[6].task));
        pool_stats(p, &st);
        assert_int_equal(st.running[POOL_CONTROL], 2);
        assert_int_equal(st.queued[POOL_CONTROL], 4);
        assert_true(pool_is_crowded(p, POOL_CONTROL));
        assert_false(pool_is_crowded(p, POOL_DATA));
        assert_int_equal(st.refused, 1);
        /* A full class does not hold up another one. */
        assert_true(pool_submit(p, POOL_BACKEND, &other.task));
        while (atomic_load(&done) < 1)
                clock_sleep_ns(NS_PER_MS);
        mutex_lock(&lock);
        is_open = true;
        cond_broadcast(&open);
        mutex_unlock(&lock);
        pool_free(p); /* waits for what is queued */
        assert_int_equal(entered, 6);
        cond_fini(&open);
        mutex_fini(&lock);
}

static void test_reuse(void **state)
{
        struct pool *p;
        struct pool_stats st;
        struct job j = { .task.run = on_job };

        (void)state;
        atomic_store(&done, 0);
        assert_ok(pool_new(&small, &p));
        for (unsigned i = 1; i <= 100; i++) {
                assert_true(pool_submit(p, POOL_DATA, &j.task));
                do
                        pool_stats(p, &st);
                while (st.running[POOL_DATA] > 0);
        }
        pool_stats(p, &st);
        assert_int_equal(st.threads, 1);
        assert_int_equal(st.done, 100);
        pool_free(p);
        assert_ok(pool_new(&small, &p)); /* never used */
        pool_free(p);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_all_run), cmocka_unit_test(test_quota_and_refusal),
                                            cmocka_unit_test(test_reuse) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
