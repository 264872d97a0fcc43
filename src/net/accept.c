/* net/accept.c: taking connections. Each loop has a socket of its own per listener (SO_REUSEPORT), so loops share
 * nothing here.
 *
 * When descriptors run out, or the limit of connections is reached, accepting pauses for a moment and the kernel's
 * backlog holds the clients. At EMFILE the reserved descriptor is given up for one accept, so that at least this client
 * hears an end at once instead of waiting in a backlog that may never move. */
#define LOG_FOLDER "net"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/log.h"
#include "net/priv.h"

#define ACCEPT_BATCH 64u
#define PAUSE_NS (100 * NS_PER_MS)
#define WARN_EVERY_NS (10 * NS_PER_SEC)

/* Clients may hold so many connections; peers come in above that, lest a node that is busy looks like a dead one. */
static unsigned limit_of(const struct http_server *s, unsigned listener)
{
        unsigned max = s->limits.max_connections;
        return s->listeners[listener].internal ? max + max / 8 + 1 : max;
}

/* Stops for a moment: all listeners, or those of clients. */
static void pause_accept(struct net_loop *lp, bool all)
{
        int64_t now = loop_now_ns(lp->loop);
        if (now >= lp->warn_again_ns) {
                log_warn("accepting pauses: %u connections are open", atomic_load(&lp->server->open));
                lp->warn_again_ns = now + WARN_EVERY_NS;
        }
        for (unsigned i = 0; i < lp->server->nlisteners; i++) {
                if (all || !lp->server->listeners[i].internal)
                        loop_fd_remove(lp->loop, &lp->listeners[i].w);
        }
        loop_timer_set(lp->loop, &lp->resume, now + PAUSE_NS);
}

static void out_of_descriptors(struct net_loop *lp, int listen_fd)
{
        if (lp->reserve_fd >= 0) {
                (void)close(lp->reserve_fd);
                int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
                if (fd >= 0)
                        (void)close(fd);
        }
        lp->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        pause_accept(lp, true);
}

static void take(struct net_loop *lp, unsigned listener, int fd, const struct sockaddr *sa, socklen_t len)
{
        struct http_server *s = lp->server;
        struct net_addr addr;
        bool count = !s->listeners[listener].internal && net__addr_of(sa, &addr) &&
                     (s->limit_loopback || !net__addr_is_loopback(&addr));
        if (count && !net__addrs_add(s->addrs, &addr)) {
                net__count_shared(&lp->refused, 1);
                (void)close(fd);
                return;
        }
        net__conn_new(lp, listener, fd, sa, len, count ? &addr : NULL);
}

static void on_listener(struct loop_fd *w, uint32_t events)
{
        struct net_listener *l = CONTAINER_OF(w, struct net_listener, w);
        struct net_loop *lp = l->lp;
        (void)events;
        for (unsigned i = 0; i < ACCEPT_BATCH; i++) {
                struct sockaddr_storage ss;
                socklen_t len = sizeof(ss);
                if (atomic_load_explicit(&lp->server->open, memory_order_relaxed) >= limit_of(lp->server, l->index)) {
                        pause_accept(lp, lp->server->listeners[l->index].internal);
                        return;
                }
                int fd = accept4(w->fd, (struct sockaddr *)&ss, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
                if (fd < 0) {
                        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
                                out_of_descriptors(lp, w->fd);
                        if (errno == ECONNABORTED || errno == EINTR)
                                continue;
                        return;
                }
                take(lp, l->index, fd, (struct sockaddr *)&ss, len);
        }
}

static void on_resume(struct loop_timer *t)
{
        struct net_loop *lp = CONTAINER_OF(t, struct net_loop, resume);
        struct err *e = lp->stopping ? NULL : net__accept_start(lp);
        if (e) {
                log_err(LOG_ERROR, LOG_FOLDER, e, "accepting can not resume");
                pause_accept(lp, true);
        }
}

struct err *net__accept_start(struct net_loop *lp)
{
        lp->resume.on_timer = on_resume;
        if (lp->reserve_fd < 0)
                lp->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
        for (unsigned i = 0; i < lp->server->nlisteners; i++) {
                lp->listeners[i].w.on_event = on_listener;
                TRY(loop_fd_set(lp->loop, &lp->listeners[i].w, EPOLLIN));
        }
        return NULL;
}

void net__accept_stop(struct net_loop *lp)
{
        lp->stopping = true;
        loop_timer_clear(lp->loop, &lp->resume);
        for (unsigned i = 0; i < lp->server->nlisteners; i++) {
                struct net_listener *l = &lp->listeners[i];
                if (l->w.fd < 0)
                        continue;
                if (l->w.events)
                        on_listener(&l->w, EPOLLIN); /* whom the kernel has welcomed already */
                loop_fd_remove(lp->loop, &l->w);
                (void)close(l->w.fd);
                l->w.fd = -1;
        }
}
