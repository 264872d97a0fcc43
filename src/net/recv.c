/* net/recv.c: receiving: one step without waiting for the loop, and reading a request's body for workers.
 *
 * A worker's read takes what came with the head first, then receives straight into the caller's memory; only the
 * framing of a chunked body passes through the connection's buffer. It fails with MALFORMED (bad framing), CLOSED (the
 * client went away), and TIMEOUT when the client is slower than the minimum rate: only time spent waiting for the
 * client counts, not what the caller does between reads. After a failure the connection ends with this answer. */
#include <errno.h>
#include <poll.h>

#include "net/priv.h"
#include "os/sock.h"

#define CROWDED_WINDOWS 5 /* a window of the minimum rate is so many times shorter while the pool is full */

enum net_got net__recv(struct conn *c, void *p, size_t n, size_t *ret_n)
{
        if (c->tls) {
                switch (tls_read(c->tls, p, n, ret_n)) {
                case TLS_OK:
                        net__count_shared(&c->lp->bytes_in, *ret_n);
                        return NET_GOT;
                case TLS_WANT_READ:
                case TLS_WANT_WRITE:
                        return NET_GOT_AGAIN;
                case TLS_CLOSED:
                        return NET_GOT_END;
                case TLS_FAILED:
                        break;
                }
                return NET_GOT_LOST;
        }
        ssize_t k;
        do
                k = recv(c->w.fd, p, n, MSG_DONTWAIT);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return errno == EAGAIN ? NET_GOT_AGAIN : NET_GOT_LOST;
        if (k == 0)
                return NET_GOT_END;
        net__count_shared(&c->lp->bytes_in, (uint64_t)k);
        *ret_n = (size_t)k;
        return NET_GOT;
}

/* While others wait for the worker that this client holds, its rate is judged sooner. */
static int64_t window_of(const struct conn *c)
{
        int64_t full = net__limits(c)->min_rate_grace_ns;
        return pool_is_crowded(c->lp->server->pool, c->x->cls) ? full / CROWDED_WINDOWS : full;
}

/* Waits for the client, and judges its rate when a window is over. */
static struct err *wait_readable(struct conn *c)
{
        const struct http_limits *lim = net__limits(c);
        struct net_body *b = &c->x->body;
        int64_t before = clock_mono_ns(), look_again = lim->min_rate_grace_ns / CROWDED_WINDOWS + 1;
        struct err *e = sock_wait(c->w.fd, POLLIN, before + look_again - b->waited_ns % look_again);
        if (e && err_code(e) != ERR_TIMEOUT)
                return e;
        err_free(e);
        b->waited_ns += clock_mono_ns() - before;
        if (b->waited_ns < look_again || b->waited_ns < window_of(c))
                return NULL;
        if ((double)b->window_bytes < (double)lim->min_rate * (double)b->waited_ns / 1e9)
                return err_new(ERR_TIMEOUT, "request body is slower than %llu bytes/s",
                               (unsigned long long)lim->min_rate);
        b->waited_ns = 0;
        b->window_bytes = 0;
        return NULL;
}

/* Zero bytes: there are none now, and the caller of net__read_some does not want to wait. */
static struct err *recv_wait(struct conn *c, void *p, size_t n, size_t *ret_n)
{
        struct net_body *b = &c->x->body;
        for (;;) {
                switch (net__recv(c, p, n, ret_n)) {
                case NET_GOT:
                        b->window_bytes += *ret_n;
                        return NULL;
                case NET_GOT_AGAIN:
                        if (b->no_wait) {
                                *ret_n = 0;
                                return NULL;
                        }
                        TRY(wait_readable(c));
                        break;
                case NET_GOT_END:
                case NET_GOT_LOST:
                        return err_new(ERR_CLOSED, "client closed the connection within the request body");
                }
        }
}

static size_t take_buffered(struct exchange *x, void *p, size_t n)
{
        n = MIN(n, x->end - x->start);
        memcpy(p, x->in + x->start, n);
        x->start += n;
        return n;
}

static struct err *read_plain(struct exchange *x, void *p, size_t n, size_t *ret_n)
{
        n = (size_t)MIN((uint64_t)n, x->body.left);
        size_t got = take_buffered(x, p, n);
        if (got == 0)
                TRY(recv_wait(x->conn, p, n, &got));
        x->body.left -= got;
        x->body.ended = x->body.left == 0;
        *ret_n = got;
        return NULL;
}

/* Receives framing bytes behind the head. */
static struct err *refill(struct exchange *x)
{
        ASSERT(x->start == x->end && x->cap > x->body.base);
        size_t got;
        x->start = x->end = x->body.base;
        TRY(recv_wait(x->conn, x->in + x->start, x->cap - x->start, &got));
        x->end += got;
        return NULL;
}

static struct err *read_chunked(struct exchange *x, void *p, size_t n, size_t *ret_n)
{
        struct net_body *b = &x->body;
        for (;;) {
                if (b->pending.n) {
                        *ret_n = MIN(n, b->pending.n);
                        memcpy(p, b->pending.p, *ret_n);
                        b->pending = str_skip(b->pending, *ret_n);
                        return NULL;
                }
                size_t plain = http_chunked_plain(&b->dec);
                if (x->start == x->end && plain >= NET_IN_ROOM) {
                        TRY(recv_wait(x->conn, p, MIN(n, plain), ret_n));
                        if (*ret_n)
                                http_chunked_took(&b->dec, *ret_n);
                        return NULL;
                }
                if (x->start == x->end)
                        TRY(refill(x));
                if (x->start == x->end) {
                        *ret_n = 0;
                        return NULL;
                }
                struct str in = { x->in + x->start, x->end - x->start };
                enum http_parse_result r = http_chunked_next(&b->dec, &in, &b->pending, &b->ended);
                x->start = x->end - in.n;
                if (r == HTTP_PARSE_BAD)
                        return err_new(ERR_MALFORMED, "malformed chunked body");
                if (b->ended) {
                        *ret_n = 0;
                        return NULL;
                }
        }
}

static size_t read_mem(struct http_req *rq, struct net_body *b, void *p, size_t n)
{
        struct str rest = str_skip(rq->body_mem, b->mem_off);
        n = MIN(n, rest.n);
        memcpy(p, rest.p, n);
        b->mem_off += n;
        return n;
}

struct err *net__read_some(struct http_req *rq, void *p, size_t n, size_t *ret_n, bool *ret_dry)
{
        struct net_body *b = &CONTAINER_OF(rq, struct exchange, rq)->body;
        size_t got = 0;
        b->no_wait = true;
        struct err *e = http_req_read(rq, p, n, &got);
        b->no_wait = false;
        *ret_n = got;
        *ret_dry = got == 0 && !b->ended && !rq->body_mem.p;
        return e;
}

struct err *http_req_read(struct http_req *rq, void *p, size_t n, size_t *ret_n)
{
        struct exchange *x = CONTAINER_OF(rq, struct exchange, rq);
        struct net_body *b = &x->body;
        if (rq->body_mem.p) {
                *ret_n = read_mem(rq, b, p, n);
                return NULL;
        }
        if (b->ended || n == 0) {
                *ret_n = 0;
                return NULL;
        }
        if (b->failed)
                return err_static(ERR_CLOSED);
        ASSERT_MAY_BLOCK();
        if (b->expect) {
                b->expect = false;
                /* RFC 9110 §10.1.1: not needed when content is here already. */
                if (x->start == x->end && !net__send_continue(x->conn)) {
                        b->failed = true;
                        return err_new(ERR_CLOSED, "client takes no interim response");
                }
        }
        struct err *e = b->chunked ? read_chunked(x, p, n, ret_n) : read_plain(x, p, n, ret_n);
        b->failed = e != NULL;
        return e;
}

static struct err *read_all_chunked(struct http_req *rq, size_t max, struct str *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        for (;;) {
                char *p = buf_reserve(&b, (size_t)16 * 1024);
                size_t got;
                if (!p)
                        return err_static(ERR_NO_MEMORY);
                TRY(http_req_read(rq, p, (size_t)16 * 1024, &got));
                if (got == 0)
                        break;
                b.n += got;
                if (b.n > max)
                        return err_new(ERR_TOO_LARGE, "request body is longer than %zu bytes", max);
        }
        char *copy = arena_dup(rq->arena, b.p, b.n);
        if (!copy)
                return err_static(ERR_NO_MEMORY);
        *ret = (struct str){ copy, b.n };
        return NULL;
}

struct err *http_req_read_all(struct http_req *rq, size_t max, struct str *ret)
{
        if (rq->body_length >= 0 && (uint64_t)rq->body_length > max)
                return err_new(ERR_TOO_LARGE, "request body is longer than %zu bytes", max);
        if (rq->body_mem.p || rq->body_length == 0) {
                *ret = rq->body_mem.p ? rq->body_mem : STR("");
                return NULL;
        }
        if (rq->body_length < 0)
                return read_all_chunked(rq, max, ret);
        size_t all = (size_t)rq->body_length, n = 0;
        char *p = arena_alloc(rq->arena, all);
        if (!p)
                return err_static(ERR_NO_MEMORY);
        while (n < all) {
                size_t got;
                TRY(http_req_read(rq, p + n, all - n, &got));
                n += got;
        }
        *ret = (struct str){ p, all };
        return NULL;
}
