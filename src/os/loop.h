/* os/loop.h: one event loop: an epoll set, coarse timers, and a queue of tasks posted by other threads.
 *
 * Everything but loop_post and loop_stop is for the loop's own thread. Callbacks must not block. */
#ifndef ORLOP_OS_LOOP_H
#define ORLOP_OS_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "base/err.h"
#include "base/list.h"

struct loop;

/* A descriptor of interest; embedded in its owner. */
struct loop_fd {
        int fd;
        uint32_t events; /* EPOLLIN …; 0: not in the set */
        void (*on_event)(struct loop_fd *w, uint32_t events);
};
/* A timer; embedded. Resolution 50 ms or better; a hashed wheel, so that ten thousand idle timers cost nothing. */
struct loop_timer {
        struct list link;
        int64_t deadline_ns; /* clock_mono; 0: not set */
        void (*on_timer)(struct loop_timer *t);
};
/* A message from another thread; embedded. */
struct loop_task {
        struct loop_task *next;
        void (*run)(struct loop_task *t);
};

/* A loop without thread. */
MUST_CHECK struct err *loop_new(struct loop **ret);
/* After loop_run returned. Tasks still posted are run first. */
void loop_free(struct loop *l);
/* Runs on the calling thread (role THREAD_LOOP) until loop_stop. */
void loop_run(struct loop *l);
/* Ends loop_run soon. Any thread. */
void loop_stop(struct loop *l);
/* Runs t->run on the loop, in order of posting. Any thread; wakes the loop at most once per batch; never fails. */
void loop_post(struct loop *l, struct loop_task *t);
/* Sets the interest (adds, changes, or removes with events = 0; edge flags are the caller's). */
MUST_CHECK struct err *loop_fd_set(struct loop *l, struct loop_fd *w, uint32_t events);
/* Forgets the descriptor: no callback follows, also not for events already fetched in this round. The caller closes
 * it. */
void loop_fd_remove(struct loop *l, struct loop_fd *w);
/* Starts or moves a timer. */
void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t deadline_mono_ns);
/* Stops it; no callback follows. */
void loop_timer_clear(struct loop *l, struct loop_timer *t);
/* Time of this round (clock_mono_ns). */
int64_t loop_now_ns(const struct loop *l);
/* Called at the end of each round, before waiting: for work that batches what one round produced. One hook per loop. */
void loop_set_round_hook(struct loop *l, void (*fn)(void *arg), void *arg);

#endif
