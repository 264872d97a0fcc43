/* The raft thread: libraft 0.22 behind the seam of engine.h.
 *
 * One thread, one libuv loop, nothing else on it. Workers hand over calls (raft_priv.h). Six files see libraft, by
 * raft_core.h: this one, which opens, serves and closes; raft_state.c, the state machine; raft_net.c, transport and
 * messages; raft_lead.c, leadership and what others see of it; raft_calls.c, what is asked of the thread; and raft_load.c,
 * which reads a directory that nobody serves.
 *
 * Failing: assertions inside libraft end the process; the log is safe then. Closing: pending requests end with UNAVAILABLE,
 * streams are closed, threads that dial are waited for. */
#define LOG_FOLDER "cluster"
#include "cluster/raft_core.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"

#ifdef __SANITIZE_THREAD__
/* The two libraries are not instrumented: libuv closes descriptors behind the sanitizer's back, so that their numbers seem to be shared
 * when they are used again (also those that a dialling thread made), and libraft formats its trace into one static buffer, whichever of its instances writes. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
        return "called_from_lib:libuv.so.1\ncalled_from_lib:libraft.so.0\nrace:dial_main\n";
}
#endif

struct err *raft__error(int rv, const char *what, const char *message)
{
        enum err_code code = ERR_IO;

        switch (rv) {
        case RAFT_NOMEM:
                return err_static(ERR_NO_MEMORY);
        case RAFT_CORRUPT:
        case RAFT_MALFORMED:
                code = ERR_CORRUPT;
                break;
        case RAFT_NOSPACE:
                code = ERR_NO_SPACE;
                break;
        case RAFT_CANTBOOTSTRAP:
                code = ERR_EXISTS;
                break;
        default:
                break;
        }
        return err_new(code, "%s: %s (%s)", what, message, raft_strerror(rv));
}

PRINTF_LIKE(2, 3) void raft__alarm(struct raft_core *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(c->alarm, sizeof(c->alarm), fmt, ap);
        va_end(ap);
        log_warn("ordered state: %s", c->alarm);
        if (c->e && c->e->o.events.alarm)
                c->e->o.events.alarm(c->e->o.events.arg, c->alarm);
}

/* ---- the thread ---- */

void raft__closed(struct raft *r)
{
        (void)r; /* the loop ends when all its handles are closed */
}

static void begin_close(struct raft_core *c)
{
        struct engine *e = c->e;
        struct call *call;

        if (c->closing)
                return;
        c->led = c->ready = false;
        c->closing = true;
        memset(&c->told, 0, sizeof(c->told));
        raft__publish(c, clock_mono_ns());
        mutex_lock(&e->lock);
        e->core = NULL; /* no more calls, nobody wakes us */
        mutex_unlock(&e->lock);
        while ((call = raft__call_take(e)) != NULL)
                raft__call_end(c, call, RAFT_SHUTDOWN);
        raft__calls_end(c, &c->again, RAFT_SHUTDOWN);
        raft__calls_end(c, &c->fences, RAFT_SHUTDOWN);
        if (c->heir && c->transfer_call)
                raft__call_end(c, c->transfer_call, RAFT_SHUTDOWN);
        if (c->heir)
                c->transfer_call = NULL;
        c->heir = 0;
        if (c->holding)
                raft__install_free(&c->held);
        c->holding = false;
        uv_close((uv_handle_t *)&c->timer, NULL);
        uv_close((uv_handle_t *)&c->wake, NULL);
        raft_close(&c->raft, raft__closed);
}

static bool must_stop(struct raft_core *c)
{
        LOCK_SCOPE(&c->e->lock);
        return c->e->stopping || c->frozen;
}

static void on_wake(uv_async_t *a)
{
        struct raft_core *c = a->data;
        struct call *call;

        if (c->closing)
                return;
        raft__look(c);
        raft__take_dialed(c);
        while ((call = raft__call_take(c->e)) != NULL)
                raft__call_begin(c, call);
        raft__fence_next(c);
        if (must_stop(c))
                begin_close(c);
}

static void try_again(struct raft_core *c)
{
        struct list again = c->again;

        if (list_empty(&c->again))
                return;
        again.next->prev = again.prev->next = &again;
        list_init(&c->again);
        while (!list_empty(&again)) {
                struct call *call = LIST_ENTRY(again.next, struct call, link);
                list_remove(&call->link);
                raft__propose(c, call);
        }
}

static void on_timer(uv_timer_t *t)
{
        struct raft_core *c = t->data;
        int64_t now = clock_mono_ns();

        raft__look(c);
        raft__release_held(c);
        try_again(c);
        raft__fence_next(c);
        if (now >= c->next_disk_ns) {
                c->next_disk_ns = now + (int64_t)c->e->o.watch_ms * NS_PER_MS;
                raft__watch_disk(c, now);
        }
        if (c->led && now >= c->next_still_ns) {
                c->next_still_ns = now + (int64_t)c->e->o.stall_ms * NS_PER_MS / 10;
                raft__watch_followers(c, now);
        }
        raft__publish(c, now);
        if (must_stop(c))
                begin_close(c);
}

void raft__wake_locked(struct engine *e)
{
        if (e->core)
                uv_async_send(&e->core->wake);
}

struct err *raft__core_open(struct raft_core *c, const char *dir, uint64_t id, const char *address)
{
        int rv = uv_loop_init(&c->loop);

        if (rv != 0)
                return err_new(ERR_IO, "event loop: %s", uv_strerror(rv));
        list_init(&c->dials);
        list_init(&c->fences);
        list_init(&c->again);
        doc_set_init(&c->set);
        raft__transport_init(c);
        rv = raft_uv_init(&c->io, &c->loop, dir, &c->transport);
        if (rv != 0) {
                uv_loop_close(&c->loop);
                return raft__error(rv, dir, c->io.errmsg);
        }
        raft__front_init(c);
        raft_uv_set_auto_recovery(&c->io, false);
        raft_uv_set_connect_retry_delay(&c->io, CONNECT_RETRY_MS);
        raft_uv_set_disk_retry(&c->io, DISK_RETRY_MS);
        raft__state_init(c);
        rv = raft_init(&c->raft, &c->io, &c->fsm, id, address);
        if (rv != 0) {
                struct err *e = raft__error(rv, dir, c->raft.errmsg);
                raft_uv_close(&c->io);
                uv_loop_close(&c->loop);
                return e;
        }
        return NULL;
}

void raft__core_close(struct raft_core *c)
{
        uv_run(&c->loop, UV_RUN_DEFAULT);
        raft_uv_close(&c->io);
        int rv = uv_loop_close(&c->loop);
        ASSERT(rv == 0);
        while (!list_empty(&c->dials))
                raft__dial_free(LIST_ENTRY(c->dials.next, struct raft_dial, link));
        ASSERT(!c->change_call && !c->transfer_call && list_empty(&c->fences));
        doc_set_fini(&c->set);
}

struct err *raft__alone(struct raft_core *c, int (*fn)(struct raft *, const struct raft_configuration *), const char *what)
{
        struct raft_configuration conf;

        raft_configuration_init(&conf);
        int rv = raft_configuration_add(&conf, c->raft.id, c->raft.address, RAFT_VOTER);
        if (rv == 0)
                rv = fn(&c->raft, &conf);
        raft_configuration_close(&conf);
        return rv == 0 ? NULL : raft__error(rv, what, c->io.errmsg);
}

static struct err *core_start(struct raft_core *c)
{
        const struct raft_options *o = &c->e->o;

        raft_set_pre_vote(&c->raft, true);
        raft_set_election_timeout(&c->raft, o->election_ms);
        raft_set_heartbeat_timeout(&c->raft, o->heartbeat_ms);
        raft_set_install_snapshot_timeout(&c->raft, INSTALL_MS);
        raft_set_snapshot_threshold(&c->raft, SNAPSHOT_ENTRIES);
        raft_set_snapshot_trailing(&c->raft, TRAILING_ENTRIES);
        raft_fresh_init(&c->fresh, (int64_t)o->election_ms * NS_PER_MS, clock_mono_ns());
        if (o->bootstrap)
                TRY(raft__alone(c, raft_bootstrap, "first start"));
        int rv = raft_start(&c->raft);
        return rv == 0 ? NULL : raft__error(rv, o->dir, raft_errmsg(&c->raft));
}

static void serve(struct raft_core *c)
{
        uv_async_init(&c->loop, &c->wake, on_wake);
        uv_timer_init(&c->loop, &c->timer);
        c->wake.data = c->timer.data = c;
        uv_timer_start(&c->timer, on_timer, TICK_MS, TICK_MS);
        c->running = true;
        raft__report_whole(c);
        raft__look(c);
        raft__publish(c, clock_mono_ns());
        mutex_lock(&c->e->lock);
        c->e->core = c;
        c->e->started = true;
        cond_broadcast(&c->e->changed);
        mutex_unlock(&c->e->lock);
        uv_run(&c->loop, UV_RUN_DEFAULT);
}

void raft__run(void *engine)
{
        struct engine *e = engine;
        struct raft_core *c = calloc(1, sizeof(*c));
        struct err *err = c ? NULL : err_static(ERR_NO_MEMORY);
        bool opened = false;

        if (!err) {
                c->e = e;
                err = raft__core_open(c, e->o.dir, e->o.id, e->o.address);
                opened = !err;
        }
        if (!err)
                err = core_start(c);
        if (!err) {
                serve(c);
        } else if (opened) {
                c->closing = true;
                raft_close(&c->raft, raft__closed);
        }
        if (opened)
                raft__core_close(c);
        free(c);
        LOCK_SCOPE(&e->lock);
        e->start_error = err;
        e->ended = true;
        cond_broadcast(&e->changed);
}
