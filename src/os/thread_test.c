/* Locks, conditions, roles; and in debug builds that a wrong order ends the process. */
#include "os/test_util.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/thread.h"

struct shared {
        struct mutex lock;
        struct cond changed;
        unsigned value;
        enum thread_role role;
};

static void add_many(void *arg)
{
        struct shared *s = arg;

        for (unsigned i = 0; i < 10000; i++) {
                LOCK_SCOPE(&s->lock);
                s->value++;
        }
        LOCK_SCOPE(&s->lock);
        s->role = thread_role();
        cond_broadcast(&s->changed);
}

static void shared_init(struct shared *s)
{
        *s = (struct shared){ .value = 0 };
        mutex_init(&s->lock, "test", RANK_FLOW);
        cond_init(&s->changed);
}

static void shared_fini(struct shared *s)
{
        cond_fini(&s->changed);
        mutex_fini(&s->lock);
}

static void test_mutual_exclusion(void **state)
{
        struct shared s;
        struct thread *t[4];

        (void)state;
        shared_init(&s);
        for (unsigned i = 0; i < 4; i++)
                assert_ok(thread_start(&t[i], "adder", THREAD_WORKER, add_many, &s));
        for (unsigned i = 0; i < 4; i++)
                thread_join(t[i]);
        assert_int_equal(s.value, 40000);
        assert_int_equal(s.role, THREAD_WORKER);
        assert_int_equal(thread_role(), THREAD_OTHER);
        shared_fini(&s);
}

static void test_cond(void **state)
{
        struct shared s;
        struct thread *t;
        int64_t before;

        (void)state;
        shared_init(&s);
        mutex_lock(&s.lock);
        before = clock_mono_ns();
        assert_false(cond_wait_until(&s.changed, &s.lock, before + 20 * NS_PER_MS));
        assert_true(clock_mono_ns() - before >= 20 * NS_PER_MS);
        assert_false(cond_wait_until(&s.changed, &s.lock, -1));
        assert_ok(thread_start(&t, "adder", THREAD_LOOP, add_many, &s));
        while (s.role != THREAD_LOOP)
                assert_true(cond_wait_until(&s.changed, &s.lock, before + 60 * NS_PER_SEC));
        mutex_assert_held(&s.lock);
        mutex_unlock(&s.lock);
        thread_join(t);
        shared_fini(&s);
}

static void try_it(void *arg)
{
        struct shared *s = arg;

        s->value = mutex_trylock(&s->lock);
        if (s->value)
                mutex_unlock(&s->lock);
}

static void test_trylock(void **state)
{
        struct shared s;
        struct thread *t;

        (void)state;
        shared_init(&s);
        mutex_lock(&s.lock);
        assert_ok(thread_start(&t, "try", THREAD_OTHER, try_it, &s));
        thread_join(t);
        assert_int_equal(s.value, 0);
        mutex_unlock(&s.lock);
        assert_ok(thread_start(&t, "try", THREAD_OTHER, try_it, &s));
        thread_join(t);
        assert_int_equal(s.value, 1);
        shared_fini(&s);
}

static void see_signals(void *arg)
{
        sigset_t *set = arg;

        (void)pthread_sigmask(SIG_SETMASK, NULL, set);
}

static void test_signals_blocked(void **state)
{
        struct thread *t;
        sigset_t inside, here;

        (void)state;
        sigemptyset(&inside);
        assert_ok(thread_start(&t, "a name longer than the kernel takes", THREAD_OTHER, see_signals, &inside));
        thread_join(t);
        assert_true(sigismember(&inside, SIGTERM));
        assert_true(sigismember(&inside, SIGHUP));
        (void)pthread_sigmask(SIG_SETMASK, NULL, &here);
        assert_false(sigismember(&here, SIGTERM));
}

#ifdef ORLOP_DEBUG
/* Runs fn in a child and tells the signal that ended it. */
static int ends_with(void (*fn)(void))
{
        pid_t pid = fork();
        int status = 0;

        if (pid == 0) {
                (void)freopen("/dev/null", "w", stderr);
                (void)signal(SIGABRT, SIG_DFL); /* cmocka's own handler would go on with the next test */
                fn();
                _exit(0);
        }
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
        return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void lock_in_order(void)
{
        struct mutex a, b;

        mutex_init(&a, "a", RANK_FLOW);
        mutex_init(&b, "b", RANK_STORE);
        mutex_lock(&a);
        mutex_lock(&b);
        mutex_unlock(&a);
        mutex_unlock(&b);
}

static void lock_against_order(void)
{
        struct mutex a, b;

        mutex_init(&a, "a", RANK_STORE);
        mutex_init(&b, "b", RANK_FLOW);
        mutex_lock(&a);
        mutex_lock(&b);
}

static void unlock_not_held(void)
{
        struct mutex a;

        mutex_init(&a, "a", RANK_STORE);
        mutex_unlock(&a);
}

static void test_ranks(void **state)
{
        (void)state;
        assert_int_equal(ends_with(lock_in_order), 0);
        assert_int_equal(ends_with(lock_against_order), SIGABRT);
        assert_int_equal(ends_with(unlock_not_held), SIGABRT);
}
#endif

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mutual_exclusion), cmocka_unit_test(test_cond), cmocka_unit_test(test_trylock),
                cmocka_unit_test(test_signals_blocked),
#ifdef ORLOP_DEBUG
                cmocka_unit_test(test_ranks),
#endif
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
