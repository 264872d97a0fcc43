/* The loop: order of posted tasks from many threads, timers far and near, descriptors removed in mid-round. */
#include "os/test_util.h"

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/loop.h"
#include "os/thread.h"

enum { POSTERS = 4, POSTS = 20000 };

struct post {
        struct loop_task task;
        unsigned poster, seq;
};
static struct loop *loop;
static struct post posts[POSTERS][POSTS];
static unsigned next_seq[POSTERS], total_run;

static void run_loop(void *arg)
{
        loop_run(arg);
}

static void on_post(struct loop_task *t)
{
        struct post *p = CONTAINER_OF(t, struct post, task);

        ASSERT_ON_LOOP();
        ASSERT(next_seq[p->poster] == p->seq);
        next_seq[p->poster]++;
        if (++total_run == POSTERS * POSTS)
                loop_stop(loop);
}

static void post_many(void *arg)
{
        unsigned me = *(unsigned *)arg;

        for (unsigned i = 0; i < POSTS; i++) {
                posts[me][i] = (struct post){ .task.run = on_post, .poster = me, .seq = i };
                loop_post(loop, &posts[me][i].task);
                if (i % 1000 == 0)
                        clock_sleep_ns(200 * NS_PER_US); /* lets the loop fall asleep now and then */
        }
}

static void test_posts_in_order(void **state)
{
        struct thread *runner, *t[POSTERS];
        unsigned id[POSTERS];

        (void)state;
        assert_ok(loop_new(&loop));
        assert_ok(thread_start(&runner, "loop", THREAD_LOOP, run_loop, loop));
        for (unsigned i = 0; i < POSTERS; i++) {
                id[i] = i;
                assert_ok(thread_start(&t[i], "poster", THREAD_OTHER, post_many, &id[i]));
        }
        for (unsigned i = 0; i < POSTERS; i++)
                thread_join(t[i]);
        thread_join(runner); /* a lost wake-up would hang here */
        assert_int_equal(total_run, POSTERS * POSTS);
        loop_free(loop);
}

static unsigned left_run;
static void on_left(struct loop_task *t)
{
        (void)t;
        left_run++;
}

static void test_free_runs_what_is_left(void **state)
{
        struct loop_task a = { .run = on_left }, b = { .run = on_left };

        (void)state;
        assert_ok(loop_new(&loop));
        loop_post(loop, &a);
        loop_post(loop, &b);
        loop_free(loop);
        assert_int_equal(left_run, 2);
}

struct timed {
        struct loop_timer timer;
        int64_t due;
        unsigned fired;
};
static struct timed timers[200];
static struct loop_timer last;
static struct timed moved, cleared;

static void on_timed(struct loop_timer *t)
{
        struct timed *x = CONTAINER_OF(t, struct timed, timer);
        int64_t late = loop_now_ns(loop) - x->due;

        ASSERT(t->deadline_ns == 0);
        ASSERT(late >= 0);
        ASSERT(late < 2 * NS_PER_SEC); /* promise is 50 ms; a busy test machine may be slower */
        x->fired++;
        if (x == &timers[0])
                loop_timer_clear(loop, &cleared.timer); /* both hang in the same slot */
}

static void on_last(struct loop_timer *t)
{
        (void)t;
        loop_stop(loop);
}

static void test_timers(void **state)
{
        int64_t now = clock_mono_ns();

        (void)state;
        assert_ok(loop_new(&loop));
        for (unsigned i = 0; i < ARRAY_LEN(timers); i++) {
                timers[i].timer.on_timer = on_timed;
                timers[i].due = now + (int64_t)(i * i % 200) * NS_PER_MS;
                loop_timer_set(loop, &timers[i].timer, timers[i].due);
        }
        cleared.timer.on_timer = on_timed;
        loop_timer_set(loop, &cleared.timer, timers[0].due);
        moved.timer.on_timer = on_timed;
        moved.due = now + 120 * NS_PER_MS;
        loop_timer_set(loop, &moved.timer, now + 20 * NS_PER_MS);
        loop_timer_set(loop, &moved.timer, moved.due); /* later: moved when its first slot comes by */
        struct timed far = { .timer.on_timer = on_timed, .due = now + 3600 * NS_PER_SEC };
        loop_timer_set(loop, &far.timer, far.due);
        struct timed earlier = { .timer.on_timer = on_timed, .due = now + 30 * NS_PER_MS };
        loop_timer_set(loop, &earlier.timer, now + 3600 * NS_PER_SEC);
        loop_timer_set(loop, &earlier.timer, earlier.due);
        last.on_timer = on_last;
        loop_timer_set(loop, &last, now + 300 * NS_PER_MS);
        loop_run(loop);
        for (unsigned i = 0; i < ARRAY_LEN(timers); i++)
                assert_int_equal(timers[i].fired, 1);
        assert_int_equal(moved.fired, 1);
        assert_int_equal(earlier.fired, 1);
        assert_int_equal(far.fired, 0);
        assert_int_equal(cleared.fired, 0);
        assert_true(far.timer.deadline_ns != 0);
        loop_timer_clear(loop, &far.timer);
        loop_timer_clear(loop, &far.timer);
        loop_free(loop);
}

static struct loop_fd pair_fd[2];
static unsigned events_seen, rounds;

/* Whoever comes first removes the other, whose event was fetched in the same round. */
static void on_pair(struct loop_fd *w, uint32_t events)
{
        assert_true(events & EPOLLIN);
        events_seen++;
        loop_fd_remove(loop, w == &pair_fd[0] ? &pair_fd[1] : &pair_fd[0]);
        loop_fd_remove(loop, w);
        loop_stop(loop);
}

static void on_round(void *arg)
{
        (*(unsigned *)arg)++;
}

static void test_remove_in_round(void **state)
{
        int a[2], b[2];

        (void)state;
        assert_ok(loop_new(&loop));
        loop_set_round_hook(loop, on_round, &rounds);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, a), 0);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, b), 0);
        pair_fd[0] = (struct loop_fd){ .fd = a[0], .on_event = on_pair };
        pair_fd[1] = (struct loop_fd){ .fd = b[0], .on_event = on_pair };
        assert_ok(loop_fd_set(loop, &pair_fd[0], EPOLLIN));
        assert_ok(loop_fd_set(loop, &pair_fd[0], EPOLLIN));
        assert_ok(loop_fd_set(loop, &pair_fd[1], EPOLLIN | EPOLLOUT));
        assert_ok(loop_fd_set(loop, &pair_fd[1], EPOLLIN));
        assert_int_equal(write(a[1], "x", 1), 1);
        assert_int_equal(write(b[1], "x", 1), 1);
        loop_run(loop);
        assert_int_equal(events_seen, 1);
        assert_true(rounds >= 1);
        assert_int_equal(pair_fd[0].events | pair_fd[1].events, 0);
        struct loop_fd bad = { .fd = -1, .on_event = on_pair };
        assert_err(loop_fd_set(loop, &bad, EPOLLIN), ERR_IO);
        for (unsigned i = 0; i < 2; i++) {
                (void)close(a[i]);
                (void)close(b[i]);
        }
        loop_free(loop);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_posts_in_order),
                cmocka_unit_test(test_free_runs_what_is_left),
                cmocka_unit_test(test_timers),
                cmocka_unit_test(test_remove_in_round),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
