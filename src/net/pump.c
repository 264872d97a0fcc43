/* net/pump.c: one thread per stream, which copies between a TLS connection and one end of a socket pair.
 *
 * A TLS session may not be read and written by two threads at once, so one thread does both, with one buffer for each
 * direction: whatever can go on goes on, and only when nothing can, it waits in poll. When a side ends, what it had said
 * is still delivered; then both sockets are closed, so that the other side sees the end. A peer that vanishes without
 * an end is found by TCP (keep-alive, and a limit for bytes that nobody acknowledges).
 *
 * Lock: a pump's descriptors are closed, and its end is noted, under the owner's lock, so that pumps_free never shuts
 * down a descriptor that is somebody else's by now. */
#include "net/pump.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/list.h"
#include "os/thread.h"
#include "os/tls.h"

#define PIECE ((size_t)16 * 1024) /* one TLS record */
#define SILENT_MS 10000           /* a peer that acknowledges nothing for so long is gone */

struct flow {
        char bytes[PIECE];
        size_t at, n;
        bool end; /* nothing more comes from its source */
};

struct pump {
        struct list link;
        struct pumps *owner;
        struct thread *thread;
        int fd, inner;    /* peer; our end of the pair. Guarded by the owner's lock as to closing */
        bool ended;       /* guarded by the owner's lock */
        struct tls_conn *tls;
        char *early;      /* goes out before anything from the peer */
        size_t early_n, early_at;
        struct flow in, out; /* from the peer; to the peer */
        short peer_events;   /* to wait for */
};

struct pumps {
        struct mutex lock;
        struct list all;
};

enum step { STEP_MOVED, STEP_WAIT, STEP_END };

static enum step of_syscall(struct pump *p, ssize_t k, short events, size_t *ret_n)
{
        if (k > 0) {
                *ret_n = (size_t)k;
                return STEP_MOVED;
        }
        if (k < 0 && (errno == EAGAIN || errno == EINTR)) {
                p->peer_events |= events;
                return STEP_WAIT;
        }
        return STEP_END;
}

static enum step of_tls(struct pump *p, enum tls_result r)
{
        switch (r) {
        case TLS_OK:
                return STEP_MOVED;
        case TLS_WANT_READ:
                p->peer_events |= POLLIN;
                return STEP_WAIT;
        case TLS_WANT_WRITE:
                p->peer_events |= POLLOUT;
                return STEP_WAIT;
        case TLS_CLOSED:
        case TLS_FAILED:
                break;
        }
        return STEP_END;
}

static enum step read_peer(struct pump *p, void *to, size_t n, size_t *ret_n)
{
        if (p->early_at < p->early_n) {
                *ret_n = MIN(n, p->early_n - p->early_at);
                memcpy(to, p->early + p->early_at, *ret_n);
                p->early_at += *ret_n;
                return STEP_MOVED;
        }
        if (p->tls)
                return of_tls(p, tls_read(p->tls, to, n, ret_n));
        return of_syscall(p, recv(p->fd, to, n, MSG_DONTWAIT), POLLIN, ret_n);
}

static enum step write_peer(struct pump *p, const void *from, size_t n, size_t *ret_n)
{
        if (p->tls)
                return of_tls(p, tls_write(p->tls, from, n, ret_n));
        return of_syscall(p, send(p->fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL), POLLOUT, ret_n);
}

/* Moves what can be moved of one direction. The inner side is a plain socket. */
static enum step inwards(struct pump *p)
{
        struct flow *f = &p->in;
        if (f->at == f->n && !f->end) {
                enum step s = read_peer(p, f->bytes, PIECE, &f->n);
                f->at = 0;
                if (s != STEP_MOVED)
                        f->n = 0;
                f->end = s == STEP_END;
                return s == STEP_END ? STEP_MOVED : s;
        }
        if (f->at == f->n)
                return STEP_END;
        ssize_t k = send(p->inner, f->bytes + f->at, f->n - f->at, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (k < 0)
                return errno == EAGAIN || errno == EINTR ? STEP_WAIT : STEP_END;
        f->at += (size_t)k;
        return STEP_MOVED;
}

static enum step outwards(struct pump *p)
{
        struct flow *f = &p->out;
        if (f->at == f->n && !f->end) {
                ssize_t k = recv(p->inner, f->bytes, PIECE, MSG_DONTWAIT);
                if (k < 0 && (errno == EAGAIN || errno == EINTR))
                        return STEP_WAIT;
                f->at = 0;
                f->n = k > 0 ? (size_t)k : 0;
                f->end = k <= 0;
                return STEP_MOVED;
        }
        if (f->at == f->n)
                return STEP_END;
        size_t k = 0;
        enum step s = write_peer(p, f->bytes + f->at, f->n - f->at, &k);
        if (s == STEP_MOVED)
                f->at += k;
        return s;
}

/* Carries bytes until a side has ended and all that it said is delivered. */
static void carry(struct pump *p)
{
        for (;;) {
                p->peer_events = 0;
                enum step in = inwards(p), out = outwards(p);
                if (in == STEP_END || out == STEP_END)
                        return;
                if (in == STEP_MOVED || out == STEP_MOVED)
                        continue;
                struct pollfd w[2] = { { .fd = p->fd, .events = p->peer_events }, { .fd = p->inner, .events = 0 } };
                if (p->in.at < p->in.n)
                        w[1].events |= POLLOUT;
                if (p->out.at == p->out.n)
                        w[1].events |= POLLIN;
                /* Whose end does not matter now is left out: poll would tell of nothing else. */
                for (unsigned i = 0; i < 2; i++)
                        w[i].fd = w[i].events ? w[i].fd : -1;
                (void)poll(w, 2, -1);
        }
}

static void pump_main(void *arg)
{
        struct pump *p = arg;
        carry(p);
        if (p->tls)
                tls_shutdown(p->tls);
        LOCK_SCOPE(&p->owner->lock);
        p->ended = true;
        (void)close(p->fd);
        (void)close(p->inner);
}

static void pump_free(struct pump *p)
{
        tls_conn_free(p->tls);
        free(p->early);
        free(p);
}

/* Takes the pumps that have ended (all: every one) off the list, then waits for their threads. */
static void reap(struct pumps *o, bool all)
{
        struct list done = { &done, &done };
        mutex_lock(&o->lock);
        LIST_FOREACH_SAFE(l, next, &o->all) {
                struct pump *p = LIST_ENTRY(l, struct pump, link);
                if (!p->ended && !all)
                        continue;
                if (!p->ended) {
                        (void)shutdown(p->fd, SHUT_RDWR);
                        (void)shutdown(p->inner, SHUT_RDWR);
                }
                list_remove(l);
                list_append(&done, l);
        }
        mutex_unlock(&o->lock);
        LIST_FOREACH_SAFE(l, next, &done) {
                struct pump *p = LIST_ENTRY(l, struct pump, link);
                thread_join(p->thread);
                pump_free(p);
        }
}

struct err *pumps_new(struct pumps **ret)
{
        struct pumps *o = calloc(1, sizeof(*o));
        if (!o)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&o->lock, "net.pumps", RANK_NET);
        list_init(&o->all);
        *ret = o;
        return NULL;
}

void pumps_free(struct pumps *o)
{
        if (!o)
                return;
        reap(o, true);
        mutex_fini(&o->lock);
        free(o);
}

static void watch_peer(int fd)
{
        int on = 1, idle_s = 5, every_s = 2, times = 3;
        unsigned silent_ms = SILENT_MS;
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every_s, sizeof(every_s));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &times, sizeof(times));
        (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silent_ms, sizeof(silent_ms));
}

/* fd and tls are p's already. */
static struct err *start(struct pump *p, struct str early, int *ret_fd)
{
        int pair[2];
        p->early = early.n ? malloc(early.n) : NULL;
        if (early.n && !p->early)
                return err_static(ERR_NO_MEMORY);
        if (early.n)
                memcpy(p->early, early.p, early.n);
        p->early_n = early.n;
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
                return err_sys(errno, "socket pair");
        p->inner = pair[1];
        /* Under the lock, so that the thread's pointer is there before anyone looks at the list. */
        LOCK_SCOPE(&p->owner->lock);
        struct err *e = thread_start(&p->thread, "net-pump", THREAD_OTHER, pump_main, p);
        if (e) {
                (void)close(pair[0]);
                (void)close(pair[1]);
                return e;
        }
        list_append(&p->owner->all, &p->link);
        *ret_fd = pair[0];
        return NULL;
}

struct err *pumps_add(struct pumps *o, int fd, struct tls_conn *tls, struct str early, int *ret_fd)
{
        reap(o, false);
        watch_peer(fd);
        if (!tls && early.n == 0) {
                *ret_fd = fd;
                return NULL;
        }
        struct pump *p = calloc(1, sizeof(*p));
        struct err *e = p ? NULL : err_static(ERR_NO_MEMORY);
        if (p) {
                p->owner = o;
                p->fd = fd;
                p->tls = tls;
                e = start(p, early, ret_fd);
        }
        if (!e)
                return NULL;
        if (p)
                pump_free(p);
        else
                tls_conn_free(tls);
        (void)close(fd);
        return e;
}
