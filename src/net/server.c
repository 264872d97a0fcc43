/* net/server.c: life of the server: listeners, loops, start, graceful end, completions from other threads.
 *
 * All listening sockets are bound in http_server_new, so that an address in use is an error before anything runs. Each
 * loop has its thread; what others want from a loop (stop, cut, completed requests) is posted to it. */
#define LOG_FOLDER "net"
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "net/priv.h"
#include "os/sock.h"

#define BACKLOG 4096
#define REPORT_EVERY 10u /* seconds */

static void set_default_ns(int64_t *v, int64_t def)
{
        if (*v <= 0)
                *v = def;
}

static void fill_limits(struct http_limits *l, bool internal)
{
        struct rlimit nofile = { 1024, 1024 };
        (void)getrlimit(RLIMIT_NOFILE, &nofile);
        if (l->small_body == 0)
                l->small_body = (size_t)64 * 1024;
        set_default_ns(&l->head_timeout_ns, 30 * NS_PER_SEC);
        set_default_ns(&l->idle_timeout_ns, 75 * NS_PER_SEC);
        if (l->min_rate == 0)
                l->min_rate = 1024;
        set_default_ns(&l->min_rate_grace_ns, 10 * NS_PER_SEC);
        if (l->max_connections == 0)
                l->max_connections = (unsigned)MIN(internal ? nofile.rlim_cur / 16 : nofile.rlim_cur / 4 * 3, (rlim_t)1 << 24);
        if (l->max_per_address == 0)
                l->max_per_address = 1024;
        set_default_ns(&l->linger_ns, 10 * NS_PER_SEC);
}

static void task_stop(struct loop_task *t)
{
        struct net_loop *lp = CONTAINER_OF(t, struct net_loop, stop_task);
        struct http_server *s = lp->server;
        net__accept_stop(lp);
        net__conn_stop_all(lp);
        LOCK_SCOPE(&s->lock);
        s->stopped_loops++;
        cond_broadcast(&s->gone);
}

static void task_cut(struct loop_task *t)
{
        net__conn_cut_all(CONTAINER_OF(t, struct net_loop, cut_task));
}

static void task_report(struct loop_task *t)
{
        struct net_loop *lp = CONTAINER_OF(t, struct net_loop, report_task);
        atomic_store(&lp->report_posted, false);
        net__conn_report_all(lp);
}

static void task_again(struct loop_task *t)
{
        net__conn_again_all(CONTAINER_OF(t, struct net_loop, again_task));
}

/* Completions, in the order in which they were queued. */
static void task_done(struct loop_task *t)
{
        struct net_loop *lp = CONTAINER_OF(t, struct net_loop, done_task);
        struct exchange *x, *fifo = NULL;
        atomic_store(&lp->done_posted, false);
        x = atomic_exchange_explicit(&lp->done, NULL, memory_order_acquire);
        while (x) {
                struct exchange *next = x->next;
                x->next = fifo;
                fifo = x;
                x = next;
        }
        while (fifo) {
                x = fifo;
                fifo = x->next;
                net__conn_completed(x);
        }
}

static void round_hook(void *arg)
{
        struct net_loop *lp = arg;
        if (!list_empty(&lp->dead))
                net__conn_free_dead(lp);
}

static struct err *loop_setup(struct http_server *s, unsigned index)
{
        struct net_loop *lp = &s->loops[index];
        lp->server = s;
        lp->index = index;
        lp->next_id = (uint64_t)(index + 1) << 48;
        lp->reserve_fd = -1;
        list_init(&lp->conns);
        list_init(&lp->dead);
        list_init(&lp->again);
        lp->stop_task.run = task_stop;
        lp->cut_task.run = task_cut;
        lp->done_task.run = task_done;
        lp->again_task.run = task_again;
        lp->report_task.run = task_report;
        lp->listeners = calloc(s->nlisteners, sizeof(*lp->listeners));
        if (!lp->listeners)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < s->nlisteners; i++)
                lp->listeners[i] = (struct net_listener){ .w = { .fd = -1 }, .lp = lp, .index = i };
        TRY(loop_new(&lp->loop));
        loop_set_round_hook(lp->loop, round_hook, lp);
        return NULL;
}

/* The first loop's socket decides the port; the others join it. TCP_NODELAY is inherited by what is accepted. */
static struct err *bind_listener(struct http_server *s, unsigned i)
{
        struct str address = str_of(s->listeners[i].address), host;
        uint16_t port;
        TRY(sock_split_address(address, &host, &port));
        if (s->nloops > 1 && port != 0) {
                /* With SO_REUSEPORT two servers of one user would share an address without notice: first see whether it
                 * is free. */
                int probe;
                TRY_WRAP(sock_listen(address, false, 1, &probe), "listen on %s", s->listeners[i].address);
                (void)close(probe);
        }
        for (unsigned l = 0; l < s->nloops; l++) {
                int fd, one = 1;
                TRY_WRAP(sock_listen(address, s->nloops > 1, BACKLOG, &fd), "listen on %s", s->listeners[i].address);
                s->loops[l].listeners[i].w.fd = fd;
                (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
                if (l == 0)
                        (void)sock_local_text(fd, s->bound[i]);
                address = str_of(s->bound[i]);
        }
        return NULL;
}

static struct err *setup(struct http_server *s, const struct http_server_options *o)
{
        s->listeners = calloc(o->nlisteners, sizeof(*s->listeners));
        s->bound = calloc(o->nlisteners, sizeof(*s->bound));
        s->loops = calloc(s->nloops, sizeof(*s->loops));
        s->addrs = net__addrs_new(s->limits.max_per_address);
        if (!s->listeners || !s->bound || !s->loops || !s->addrs)
                return err_static(ERR_NO_MEMORY);
        s->nlisteners = o->nlisteners;
        memcpy(s->listeners, o->listeners, o->nlisteners * sizeof(*s->listeners));
        for (unsigned i = 0; i < s->nlisteners; i++) {
                if (!s->listeners[i].app)
                        s->listeners[i].app = &s->app;
                if (!s->listeners[i].app->handle)
                        return err_new(ERR_INVALID, "listener %s has no handler", s->listeners[i].address);
        }
        for (unsigned l = 0; l < s->nloops; l++)
                TRY(loop_setup(s, l));
        for (unsigned i = 0; i < s->nlisteners; i++)
                TRY(bind_listener(s, i));
        return NULL;
}

static bool all_internal(const struct http_server_options *o)
{
        for (unsigned i = 0; i < o->nlisteners; i++)
                if (!o->listeners[i].internal)
                        return false;
        return true;
}

struct err *http_server_new(const struct http_server_options *o, struct http_server **ret)
{
        if (o->nlisteners == 0 || !o->pool)
                return err_new(ERR_INVALID, "a server needs a listener and a pool");
        struct http_server *s = calloc(1, sizeof(*s));
        if (!s)
                return err_static(ERR_NO_MEMORY);
        long cpus = sysconf(_SC_NPROCESSORS_ONLN);
        s->app = o->app;
        s->limits = o->limits;
        s->limit_loopback = o->limits.max_per_address != 0;
        fill_limits(&s->limits, all_internal(o));
        s->pool = o->pool;
        s->nloops = o->loops ? o->loops : (unsigned)MAX(cpus, 1);
        mutex_init(&s->lock, "net.server", RANK_NET);
        cond_init(&s->gone);
        struct err *e = setup(s, o);
        if (e) {
                http_server_free(s);
                return e;
        }
        *ret = s;
        return NULL;
}

const char *http_server_address(struct http_server *s, unsigned listener, char buf[static 64])
{
        ASSERT(listener < s->nlisteners);
        memcpy(buf, s->bound[listener], 64);
        return buf;
}

/* Listeners of the server's own app share its state of this loop. */
static void apps_init(struct net_loop *lp)
{
        struct http_server *s = lp->server;
        void *shared = s->app.loop_init ? s->app.loop_init(s->app.ctx) : NULL;
        for (unsigned i = 0; i < s->nlisteners; i++) {
                const struct http_app *app = s->listeners[i].app;
                if (app == &s->app)
                        lp->listeners[i].app_ctx = shared;
                else if (app->loop_init)
                        lp->listeners[i].app_ctx = app->loop_init(app->ctx);
        }
        lp->shared_ctx = shared;
}

static void apps_fini(struct net_loop *lp)
{
        struct http_server *s = lp->server;
        for (unsigned i = 0; i < s->nlisteners; i++) {
                const struct http_app *app = s->listeners[i].app;
                if (app != &s->app && app->loop_fini)
                        app->loop_fini(app->ctx, lp->listeners[i].app_ctx);
        }
        if (s->app.loop_fini)
                s->app.loop_fini(s->app.ctx, lp->shared_ctx);
}

static void loop_main(void *arg)
{
        struct net_loop *lp = arg;
        apps_init(lp);
        struct err *e = net__accept_start(lp);
        if (e)
                log_err(LOG_ERROR, LOG_FOLDER, e, "loop %u does not accept", lp->index);
        loop_run(lp->loop);
        net__conn_free_dead(lp);
        apps_fini(lp);
}

struct err *http_server_start(struct http_server *s)
{
        for (unsigned l = 0; l < s->nloops; l++) {
                char name[16];
                (void)snprintf(name, sizeof(name), "http-%u", l);
                TRY(thread_start(&s->loops[l].thread, name, THREAD_LOOP, loop_main, &s->loops[l]));
                s->nstarted++;
        }
        return NULL;
}

static bool is_gone_locked(struct http_server *s)
{
        return s->stopped_loops == s->nstarted && atomic_load(&s->open) == 0;
}

/* Waits until no loop accepts and no connection is left; false at the deadline. */
static bool wait_gone(struct http_server *s, int64_t deadline)
{
        LOCK_SCOPE(&s->lock);
        while (!is_gone_locked(s)) {
                if (!cond_wait_until(&s->gone, &s->lock, deadline))
                        return is_gone_locked(s);
        }
        return true;
}

/* Names what does not end. */
static void report(struct http_server *s)
{
        log_warn("waiting for %u requests in progress", atomic_load(&s->open));
        for (unsigned l = 0; l < s->nstarted; l++) {
                if (!atomic_exchange(&s->loops[l].report_posted, true))
                        loop_post(s->loops[l].loop, &s->loops[l].report_task);
        }
}

void http_server_stop(struct http_server *s, int64_t deadline_mono_ns)
{
        ASSERT_MAY_BLOCK();
        if (s->nstarted == 0 || atomic_exchange(&s->stopping, true))
                return;
        for (unsigned l = 0; l < s->nstarted; l++)
                loop_post(s->loops[l].loop, &s->loops[l].stop_task);
        if (!wait_gone(s, deadline_mono_ns)) {
                log_warn("%u connections are cut", atomic_load(&s->open));
                /* Workers and pending requests end by themselves, now that their sockets are dead. */
                for (unsigned l = 0; l < s->nstarted; l++)
                        loop_post(s->loops[l].loop, &s->loops[l].cut_task);
                for (unsigned i = 0; !wait_gone(s, clock_mono_ns() + NS_PER_SEC); i++) {
                        if (i % REPORT_EVERY == 0)
                                report(s);
                }
        }
        for (unsigned l = 0; l < s->nstarted; l++)
                loop_stop(s->loops[l].loop);
        for (unsigned l = 0; l < s->nstarted; l++) {
                thread_join(s->loops[l].thread);
                s->loops[l].thread = NULL;
        }
        while (atomic_load(&s->posting) > 0) /* microseconds */
                clock_sleep_ns(NS_PER_MS / 10);
}

static void loop_teardown(struct net_loop *lp, unsigned nlisteners)
{
        while (lp->spare) {
                struct exchange *x = lp->spare;
                lp->spare = x->next;
                net__exchange_free(x);
        }
        for (unsigned i = 0; lp->listeners && i < nlisteners; i++) {
                if (lp->listeners[i].w.fd >= 0)
                        (void)close(lp->listeners[i].w.fd);
        }
        if (lp->server && lp->reserve_fd >= 0)
                (void)close(lp->reserve_fd);
        free(lp->listeners);
        loop_free(lp->loop);
}

void http_server_free(struct http_server *s)
{
        if (!s)
                return;
        ASSERT(s->nstarted == 0 || atomic_load(&s->stopping));
        for (unsigned l = 0; s->loops && l < s->nloops; l++)
                loop_teardown(&s->loops[l], s->nlisteners);
        free(s->loops);
        free(s->listeners);
        free(s->bound);
        net__addrs_free(s->addrs);
        cond_fini(&s->gone);
        mutex_fini(&s->lock);
        free(s);
}

static void loop_flush(struct net_loop *lp)
{
        if (atomic_load(&lp->done) && !atomic_exchange(&lp->done_posted, true))
                loop_post(lp->loop, &lp->done_task);
}

void http_server_complete_queue(struct http_req *rq)
{
        struct exchange *x = CONTAINER_OF(rq, struct exchange, rq);
        struct net_loop *lp = x->conn->lp;
        struct exchange *head = atomic_load_explicit(&lp->done, memory_order_relaxed);
        do
                x->next = head;
        while (!atomic_compare_exchange_weak(&lp->done, &head, x));
}

void http_server_complete(struct http_req *rq)
{
        struct net_loop *lp = CONTAINER_OF(rq, struct exchange, rq)->conn->lp;
        struct http_server *s = lp->server;
        atomic_fetch_add(&s->posting, 1);
        http_server_complete_queue(rq); /* from here on the request may be gone, and with the last one the server's loops */
        loop_flush(lp);
        atomic_fetch_sub(&s->posting, 1);
}

void http_server_complete_flush(struct http_server *s)
{
        for (unsigned l = 0; l < s->nloops; l++)
                loop_flush(&s->loops[l]);
}

void http_server_stats(struct http_server *s, struct http_server_stats *ret)
{
        struct http_server_stats sum = { .open = atomic_load(&s->open) };
        for (unsigned l = 0; l < s->nloops; l++) {
                struct net_loop *lp = &s->loops[l];
                sum.accepted += atomic_load_explicit(&lp->accepted, memory_order_relaxed);
                sum.idle += atomic_load_explicit(&lp->count[CONN_IDLE], memory_order_relaxed);
                sum.requests += atomic_load_explicit(&lp->requests, memory_order_relaxed);
                sum.refused += atomic_load_explicit(&lp->refused, memory_order_relaxed);
                sum.bytes_in += atomic_load_explicit(&lp->bytes_in, memory_order_relaxed);
                sum.bytes_out += atomic_load_explicit(&lp->bytes_out, memory_order_relaxed);
                sum.lingering += atomic_load_explicit(&lp->count[CONN_LINGER], memory_order_relaxed);
                sum.parked_uploads += atomic_load_explicit(&lp->count[CONN_PARKED], memory_order_relaxed);
                sum.parked_tails += atomic_load_explicit(&lp->count[CONN_SEND], memory_order_relaxed);
        }
        *ret = sum;
}
