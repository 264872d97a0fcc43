/* One event loop.
 *
 * A round: wait, callbacks of descriptors, one batch of posted tasks, due timers, the round hook.
 *
 * Posting is a lock-free push on a stack, reversed when the loop drains it. The poster writes the eventfd only when
 * the loop said that it is about to sleep, and the one who clears that flag is the one who writes: at most one write
 * per sleep. The eventfd is edge-triggered, so nobody ever reads it (its counter can not overflow in the life of a
 * machine).
 *
 * Timers hang in a hashed wheel of 2048 slots of 16.8 ms. Setting a later deadline, the common case of idle
 * connections, only changes a number: the timer is moved when its old slot comes by. A bitmap of used slots tells
 * how long to sleep.
 *
 * A callback may remove any descriptor, itself too: events already fetched for it are crossed out. Nothing fails
 * after loop_new but epoll_ctl, whose error goes to the caller of loop_fd_set. */
#include "os/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/priv.h"

enum { EVENT_BATCH = 256, WHEEL_SLOTS = 2048, TICK_SHIFT = 24, BITMAP_WORDS = WHEEL_SLOTS / 64 };

struct loop {
        int ep, wake;
        _Atomic(struct loop_task *) posted; /* newest first */
        atomic_bool sleeping;               /* set by the loop before it waits, cleared by whoever wakes it */
        atomic_bool stop;

        /* The rest is the loop thread's own. */
        struct epoll_event events[EVENT_BATCH];
        int event_count, event_at;
        int64_t now_ns;
        void (*hook)(void *arg);
        void *hook_arg;
        int64_t tick; /* last tick whose timers ran */
        struct list wheel[WHEEL_SLOTS];
        uint64_t used[BITMAP_WORDS]; /* a clear bit: the slot is empty; a set one: it may not be */
};

struct err *loop_new(struct loop **ret)
{
        struct loop *l = calloc(1, sizeof(*l));
        struct epoll_event ev = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };
        struct err *e;

        if (!l)
                return err_static(ERR_NO_MEMORY);
        l->wake = -1;
        l->ep = epoll_create1(EPOLL_CLOEXEC);
        if (l->ep < 0) {
                e = err_sys(errno, "epoll_create");
                goto fail;
        }
        l->wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (l->wake < 0) {
                e = err_sys(errno, "eventfd");
                goto fail;
        }
        if (epoll_ctl(l->ep, EPOLL_CTL_ADD, l->wake, &ev) != 0) {
                e = err_sys(errno, "epoll_ctl");
                goto fail;
        }
        for (unsigned i = 0; i < WHEEL_SLOTS; i++)
                list_init(&l->wheel[i]);
        l->now_ns = clock_mono_ns();
        l->tick = l->now_ns >> TICK_SHIFT;
        *ret = l;
        return NULL;
fail:
        if (l->wake >= 0)
                (void)close(l->wake);
        if (l->ep >= 0)
                (void)close(l->ep);
        free(l);
        return e;
}

static bool run_posted(struct loop *l)
{
        struct loop_task *t, *fifo = NULL;

        if (!atomic_load_explicit(&l->posted, memory_order_relaxed))
                return false;
        t = atomic_exchange_explicit(&l->posted, NULL, memory_order_acquire);
        while (t) {
                struct loop_task *next = t->next;

                t->next = fifo;
                fifo = t;
                t = next;
        }
        while (fifo) {
                t = fifo;
                fifo = t->next; /* read first: run may free t */
                t->run(t);
        }
        return true;
}

void loop_free(struct loop *l)
{
        enum thread_role before;

        if (!l)
                return;
        before = os__thread_set_role(THREAD_LOOP);
        while (run_posted(l))
                ;
        (void)os__thread_set_role(before);
        (void)close(l->wake);
        (void)close(l->ep);
        free(l);
}

static void wake(struct loop *l)
{
        uint64_t one = 1;

        if (atomic_exchange(&l->sleeping, false)) {
                ssize_t n = write(l->wake, &one, sizeof(one));

                ASSERT(n == (ssize_t)sizeof(one));
        }
}

void loop_stop(struct loop *l)
{
        atomic_store(&l->stop, true);
        wake(l);
}

void loop_post(struct loop *l, struct loop_task *t)
{
        struct loop_task *head = atomic_load_explicit(&l->posted, memory_order_relaxed);

        /* Sequentially consistent, as is the loop's "sleeping, then look": either it sees the task or we see the
         * flag. */
        do {
                t->next = head;
        } while (!atomic_compare_exchange_weak(&l->posted, &head, t));
        if (!head)
                wake(l);
}

static void forget_fetched(struct loop *l, const struct loop_fd *w)
{
        for (int i = l->event_at; i < l->event_count; i++)
                if (l->events[i].data.ptr == w)
                        l->events[i].data.ptr = NULL;
}

struct err *loop_fd_set(struct loop *l, struct loop_fd *w, uint32_t events)
{
        struct epoll_event ev = { .events = events, .data.ptr = w };
        int op = EPOLL_CTL_MOD;

        if (events == w->events && !(events & EPOLLONESHOT))
                return NULL;
        if (events == 0) {
                loop_fd_remove(l, w);
                return NULL;
        }
        if (w->events == 0)
                op = EPOLL_CTL_ADD;
        if (epoll_ctl(l->ep, op, w->fd, &ev) != 0)
                return err_sys(errno, "epoll_ctl");
        w->events = events;
        return NULL;
}

void loop_fd_remove(struct loop *l, struct loop_fd *w)
{
        if (w->events == 0)
                return;
        w->events = 0;
        (void)epoll_ctl(l->ep, EPOLL_CTL_DEL, w->fd, NULL); /* fails only if already closed, which is as good */
        forget_fetched(l, w);
}

/* Hangs t into the slot of the first tick that begins at or after its deadline, and after the present one. */
static void wheel_insert(struct loop *l, struct loop_timer *t)
{
        int64_t tick = (t->deadline_ns + ((INT64_C(1) << TICK_SHIFT) - 1)) >> TICK_SHIFT;
        unsigned slot;

        if (tick <= l->tick)
                tick = l->tick + 1;
        slot = (unsigned)(tick & (WHEEL_SLOTS - 1));
        list_append(&l->wheel[slot], &t->link);
        l->used[slot / 64] |= UINT64_C(1) << (slot % 64);
}

void loop_timer_set(struct loop *l, struct loop_timer *t, int64_t deadline_mono_ns)
{
        int64_t before = t->deadline_ns;

        if (deadline_mono_ns <= 0)
                deadline_mono_ns = 1;
        if (deadline_mono_ns > INT64_MAX - (INT64_C(1) << TICK_SHIFT))
                deadline_mono_ns = INT64_MAX - (INT64_C(1) << TICK_SHIFT);
        t->deadline_ns = deadline_mono_ns;
        if (before) {
                if (deadline_mono_ns >= before)
                        return;
                list_remove(&t->link);
        }
        wheel_insert(l, t);
}

void loop_timer_clear(struct loop *l, struct loop_timer *t)
{
        (void)l;
        if (!t->deadline_ns)
                return;
        t->deadline_ns = 0;
        list_remove(&t->link);
}

/* Runs the due timers of one slot and hangs the others where they belong now. */
static void run_slot(struct loop *l, unsigned slot)
{
        struct list *head = &l->wheel[slot], local;

        l->used[slot / 64] &= ~(UINT64_C(1) << (slot % 64));
        if (list_empty(head))
                return;
        local = *head; /* callbacks may set and clear timers: theirs and others' of this slot */
        local.next->prev = local.prev->next = &local;
        list_init(head);
        while (!list_empty(&local)) {
                struct loop_timer *t = LIST_ENTRY(local.next, struct loop_timer, link);

                list_remove(&t->link);
                if (t->deadline_ns <= l->now_ns) {
                        t->deadline_ns = 0;
                        t->on_timer(t);
                } else {
                        wheel_insert(l, t);
                }
        }
}

static void run_timers(struct loop *l)
{
        int64_t from = l->tick + 1, to = l->now_ns >> TICK_SHIFT;

        if (to < from)
                return;
        if (to - from >= WHEEL_SLOTS)
                from = to - WHEEL_SLOTS + 1;
        l->tick = to;
        for (int64_t tick = from; tick <= to; tick++) {
                unsigned slot = (unsigned)(tick & (WHEEL_SLOTS - 1));

                if (l->used[slot / 64] >> (slot % 64) & 1)
                        run_slot(l, slot);
        }
}

/* Milliseconds until the first slot in use begins, -1 without any. */
static int timer_wait_ms(const struct loop *l, int64_t now_ns)
{
        unsigned start = (unsigned)((l->tick + 1) & (WHEEL_SLOTS - 1));

        for (unsigned i = 0; i <= BITMAP_WORDS; i++) {
                unsigned w = (start / 64 + i) % BITMAP_WORDS, slot, ahead;
                uint64_t bits = l->used[w];
                int64_t at, ms;

                if (i == 0)
                        bits &= ~UINT64_C(0) << (start % 64);
                if (!bits)
                        continue;
                slot = w * 64 + (unsigned)__builtin_ctzll(bits);
                ahead = (slot - start) & (WHEEL_SLOTS - 1);
                at = (l->tick + 1 + ahead) << TICK_SHIFT;
                ms = (at - now_ns + NS_PER_MS - 1) / NS_PER_MS;
                return ms < 0 ? 0 : (int)ms;
        }
        return -1;
}

static void wait_events(struct loop *l)
{
        int timeout = timer_wait_ms(l, l->now_ns);

        atomic_store(&l->sleeping, true);
        if (atomic_load(&l->posted) || atomic_load(&l->stop))
                timeout = 0;
        l->event_at = 0;
        l->event_count = 0;
        int n = epoll_wait(l->ep, l->events, EVENT_BATCH, timeout);
        ASSERT(n >= 0 || errno == EINTR);
        l->event_count = n < 0 ? 0 : n;
        atomic_store(&l->sleeping, false);
        l->now_ns = clock_mono_ns();
}

static void run_events(struct loop *l)
{
        while (l->event_at < l->event_count) {
                const struct epoll_event *ev = &l->events[l->event_at++];
                struct loop_fd *w = ev->data.ptr;
                uint32_t events;

                if (!w)
                        continue;
                /* Interest may have changed since the event was fetched. */
                events = ev->events & (w->events | EPOLLERR | EPOLLHUP);
                if (events)
                        w->on_event(w, events);
        }
}

void loop_run(struct loop *l)
{
        enum thread_role before = os__thread_set_role(THREAD_LOOP);

        while (!atomic_load_explicit(&l->stop, memory_order_relaxed)) {
                wait_events(l);
                run_events(l);
                (void)run_posted(l);
                run_timers(l);
                if (l->hook)
                        l->hook(l->hook_arg);
        }
        (void)os__thread_set_role(before);
}

int64_t loop_now_ns(const struct loop *l)
{
        return l->now_ns;
}

void loop_set_round_hook(struct loop *l, void (*fn)(void *arg), void *arg)
{
        l->hook = fn;
        l->hook_arg = arg;
}
