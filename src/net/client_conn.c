/* One connection of the client: bytes in and out, plain or TLS, with patience.
 *
 * The socket is non-blocking; every wait is bounded by the shorter of "no byte for so long" and the request's total.
 * A peer that resets or vanishes is CLOSED, whichever call notices. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "net/http_client_priv.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/sock.h"
#include "os/tls.h"

static bool is_gone(int errnum)
{
        return errnum == EPIPE || errnum == ECONNRESET || errnum == ENOTCONN;
}

/* What to wait for after a TLS call that could not go on. */
static short tls_events(enum tls_result r)
{
        return r == TLS_WANT_WRITE ? POLLOUT : POLLIN;
}

static int64_t next_deadline(const struct client_patience *w)
{
        return MIN(clock_mono_ns() + w->idle_ns, w->total_deadline_ns);
}

static struct err *handshake(struct client_conn *c, struct tls_ctx *tls, int64_t deadline_ns)
{
        TRY(tls_conn_new(tls, c->fd, c->host, &c->tls));
        for (;;) {
                enum tls_result r = tls_handshake(c->tls);

                if (r == TLS_OK) {
                        char org[64];

                        tls_peer_id(c->tls, c->peer_id, org);
                        return NULL;
                }
                if (r == TLS_FAILED || r == TLS_CLOSED)
                        return err_new(ERR_IO, "TLS with %s: %s", c->host, tls_failure(c->tls));
                TRY(sock_wait(c->fd, tls_events(r), deadline_ns));
        }
}

struct err *client__conn_open(const struct http_endpoint *at, struct tls_ctx *tls, int64_t deadline_ns,
                              struct client_conn **ret)
{
        struct client_conn *c = calloc(1, sizeof(*c));
        struct err *e;

        if (!c)
                return err_static(ERR_NO_MEMORY);
        list_init(&c->link);
        c->fd = -1;
        c->port = at->port;
        c->is_tls = at->tls;
        if (!str_copy(c->host, sizeof(c->host), at->host))
                e = err_new(ERR_INVALID, "host name is too long");
        else
                e = sock_connect(at->host, at->port, deadline_ns, &c->fd);
        if (!e && tls)
                e = handshake(c, tls, deadline_ns);
        if (e) {
                client__conn_close(c);
                return e;
        }
        *ret = c;
        return NULL;
}

void client__conn_close(struct client_conn *c)
{
        if (!c)
                return;
        if (c->tls)
                tls_shutdown(c->tls);
        tls_conn_free(c->tls);
        cleanup_fd(&c->fd);
        free(c);
}

bool client__conn_alive(struct client_conn *c)
{
        char byte;
        size_t got;
        ssize_t n = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

        if (n < 0)
                return errno == EAGAIN;
        if (n == 0 || !c->tls)
                return false; /* its end, or bytes that nobody asked for: an HTTP error before closing */
        /* Session tickets, or the session's end: reading tells. */
        return tls_read(c->tls, &byte, 1, &got) == TLS_WANT_READ;
}

bool client__conn_readable(const struct client_conn *c)
{
        short events = 0;
        struct err *e;

        if (c->is_tls)
                return tls_pending(c->tls) > 0; /* a readable socket may be a session ticket only */
        e = sock_poll(c->fd, POLLIN, 0, &events);
        err_free(e); /* TIMEOUT: nothing there */
        return !e && events != 0;
}

/* One attempt; *ret_n = 0 with *ret_events set when it must be waited for. */
static struct err *send_some(struct client_conn *c, const void *p, size_t n, bool more, size_t *ret_n,
                             short *ret_events)
{
        ssize_t r;

        *ret_n = 0;
        if (c->tls) {
                enum tls_result t = tls_write(c->tls, p, n, ret_n);

                *ret_events = tls_events(t);
                if (t == TLS_FAILED || t == TLS_CLOSED)
                        return err_new(ERR_CLOSED, "TLS: %s", tls_failure(c->tls));
                return NULL;
        }
        r = send(c->fd, p, n, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
        *ret_events = POLLOUT;
        if (r >= 0)
                *ret_n = (size_t)r;
        else if (is_gone(errno))
                return err_static(ERR_CLOSED);
        else if (errno != EAGAIN && errno != EINTR)
                return err_sys(errno, "send");
        return NULL;
}

struct err *client__conn_send(struct client_conn *c, const void *p, size_t n, bool more,
                              const struct client_patience *w, bool *ret_readable, size_t *ret_sent)
{
        const char *at = p;

        *ret_sent = 0;
        while (*ret_sent < n) {
                size_t k;
                short events, got = 0;

                TRY(send_some(c, at + *ret_sent, n - *ret_sent, more, &k, &events));
                *ret_sent += k;
                if (k > 0)
                        continue;
                if (ret_readable && !c->is_tls)
                        events |= POLLIN;
                TRY(sock_poll(c->fd, events, next_deadline(w), &got));
                if (ret_readable && !c->is_tls && got & POLLIN) {
                        *ret_readable = true;
                        return NULL;
                }
        }
        return NULL;
}

struct err *client__conn_recv(struct client_conn *c, void *p, size_t n, const struct client_patience *w, size_t *ret_n)
{
        for (;;) {
                short events = POLLIN;

                if (c->tls) {
                        size_t k;
                        enum tls_result t = tls_read(c->tls, p, n, &k);

                        if (t == TLS_OK || t == TLS_CLOSED) {
                                *ret_n = t == TLS_OK ? k : 0;
                                return NULL;
                        }
                        if (t == TLS_FAILED) /* also an end without close_notify: a cut, not an end (RFC 8446 §6.1) */
                                return err_new(ERR_CLOSED, "TLS: %s", tls_failure(c->tls));
                        events = tls_events(t);
                } else {
                        ssize_t r = recv(c->fd, p, n, 0);

                        if (r >= 0) {
                                *ret_n = (size_t)r;
                                return NULL;
                        }
                        if (is_gone(errno))
                                return err_static(ERR_CLOSED);
                        if (errno != EAGAIN && errno != EINTR)
                                return err_sys(errno, "receive");
                }
                TRY(sock_wait(c->fd, events, next_deadline(w)));
        }
}
