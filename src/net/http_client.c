/* Requests of the client, and its pool of idle connections.
 *
 * Happy path: take an idle connection of this host (youngest first, if it still looks open) or connect; send head
 * and body; read the head of the answer. The peer may answer before it has the whole body (a refusal, a redirect):
 * then sending stops, and the connection is not used again. When sending fails because the peer closed, its answer
 * may still be waiting, so it is looked for before the error is reported.
 *
 * An idle connection may be closed by the peer at the moment we use it. No byte of an answer means that the request
 * may be sent again, once, on a fresh connection, as the header says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "net/chars.h"
#include "net/http_client_priv.h"
#include "os/clock.h"
#include "os/sock.h"
#include "os/tls.h"

#define CONTINUE_WAIT_NS (1 * NS_PER_SEC)
#define IDLE_MAX_NS (60 * NS_PER_SEC)

struct err *http_client_new(const struct http_client_options *o, struct http_client **ret)
{
        struct http_client *c = calloc(1, sizeof(*c));

        if (!c)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&c->lock, "http client", RANK_NET);
        list_init(&c->idle);
        if (o)
                c->o = *o;
        if (!c->o.connect_timeout_ns)
                c->o.connect_timeout_ns = 10 * NS_PER_SEC;
        if (!c->o.idle_timeout_ns)
                c->o.idle_timeout_ns = 60 * NS_PER_SEC;
        if (!c->o.max_idle)
                c->o.max_idle = 64;
        if (!c->o.user_agent)
                c->o.user_agent = "orlop";
        *ret = c;
        return NULL;
}

void http_client_free(struct http_client *c)
{
        if (!c)
                return;
        LIST_FOREACH_SAFE(l, tmp, &c->idle)
                client__conn_close(LIST_ENTRY(l, struct client_conn, link));
        tls_ctx_free(c->own_tls);
        mutex_fini(&c->lock);
        free(c);
}

struct err *http_endpoint_parse(struct str url, struct http_endpoint *ret)
{
        struct http_endpoint at = { .tls = false };
        struct str rest, authority, name;
        char text[CLIENT_HOST_MAX + 16];

        if (str_starts(url, STR("http://")))
                rest = str_skip(url, 7);
        else if (str_starts(url, STR("https://")))
                rest = str_skip(url, 8);
        else
                return err_new(ERR_INVALID, "URL \"" STR_FMT "\": expected http:// or https://", STR_ARG(url));
        at.tls = str_starts(url, STR("https"));
        authority = rest;
        if (str_find(rest, '/') >= 0)
                authority.n = (size_t)str_find(rest, '/');
        at.base = str_skip(rest, authority.n);
        while (at.base.n > 0 && at.base.p[at.base.n - 1] == '/')
                at.base.n--;
        for (size_t i = 0; i < at.base.n; i++)
                if (!(net__chars[(unsigned char)at.base.p[i]] & CHAR_TARGET) || at.base.p[i] == '?')
                        return err_new(ERR_INVALID, "URL \"" STR_FMT "\": bad path", STR_ARG(url));
        /* Without a port: borrow a text that has one, then point into the caller's. */
        name = authority;
        if (name.n > 0 && name.p[0] == '[' && str_find(name, ']') > 0)
                name = str_skip(name, (size_t)str_find(name, ']'));
        if (str_find(name, ':') >= 0) {
                TRY(sock_split_address(authority, &at.host, &at.port));
        } else {
                struct str host;

                if (authority.n > CLIENT_HOST_MAX)
                        return err_new(ERR_INVALID, "URL \"" STR_FMT "\": host name is too long", STR_ARG(url));
                (void)snprintf(text, sizeof(text), STR_FMT ":%u", STR_ARG(authority), at.tls ? 443u : 80u);
                TRY(sock_split_address(str_of(text), &host, &at.port));
                at.host = (struct str){ authority.p + (host.p - text), host.n };
        }
        if (at.host.n == 0 || at.port == 0)
                return err_new(ERR_INVALID, "URL \"" STR_FMT "\": no host", STR_ARG(url));
        for (size_t i = 0; i < at.host.n; i++)
                if (!(net__chars[(unsigned char)at.host.p[i]] & CHAR_HOST))
                        return err_new(ERR_INVALID, "URL \"" STR_FMT "\": bad host", STR_ARG(url));
        *ret = at;
        return NULL;
}

/* The pool. */

void client__pool_put(struct http_client *c, struct client_conn *conn)
{
        struct client_conn *drop = NULL;

        conn->reused = true;
        conn->idle_since_ns = clock_mono_ns();
        mutex_lock(&c->lock);
        list_prepend(&c->idle, &conn->link);
        if (++c->idle_count > c->o.max_idle) {
                drop = LIST_ENTRY(c->idle.prev, struct client_conn, link);
                list_remove(&drop->link);
                c->idle_count--;
        }
        mutex_unlock(&c->lock);
        client__conn_close(drop);
}

/* Whether the one whom the caller wants to talk to is at the other end. */
static bool is_expected(const struct client_conn *conn, const char *peer_id)
{
        return !peer_id || !strcmp(conn->peer_id, peer_id);
}

static struct client_conn *pool_take_any(struct http_client *c, const struct http_endpoint *at, const char *peer_id)
{
        LOCK_SCOPE(&c->lock);
        LIST_FOREACH(l, &c->idle) {
                struct client_conn *conn = LIST_ENTRY(l, struct client_conn, link);

                if (conn->port != at->port || conn->is_tls != at->tls ||
                    !str_eq_nocase(str_of(conn->host), at->host) || !is_expected(conn, peer_id))
                        continue;
                list_remove(l);
                c->idle_count--;
                return conn;
        }
        return NULL;
}

/* A kept-alive connection that still looks open, or null. */
static struct client_conn *pool_take(struct http_client *c, const struct http_endpoint *at, const char *peer_id)
{
        struct client_conn *conn;

        while ((conn = pool_take_any(c, at, peer_id))) {
                if (clock_mono_ns() - conn->idle_since_ns < IDLE_MAX_NS && client__conn_alive(conn))
                        return conn;
                client__conn_close(conn);
        }
        return NULL;
}

static struct err *tls_of(struct http_client *c, struct tls_ctx **ret)
{
        if (!c->o.tls) {
                LOCK_SCOPE(&c->lock);
                if (!c->own_tls)
                        TRY(tls_client_new(NULL, false, &c->own_tls));
        }
        *ret = c->o.tls ? c->o.tls : c->own_tls;
        return NULL;
}

static struct err *connect_fresh(struct http_client *c, const struct http_client_request *rq, int64_t total_deadline_ns,
                                 struct client_conn **ret)
{
        const struct http_endpoint *at = &rq->endpoint;
        int64_t deadline = MIN(clock_mono_ns() + c->o.connect_timeout_ns, total_deadline_ns);
        struct tls_ctx *tls = NULL;
        struct client_conn *conn;

        if (at->tls)
                TRY(tls_of(c, &tls));
        TRY(client__conn_open(at, tls, deadline, &conn));
        if (!is_expected(conn, rq->peer_id)) {
                struct err *e = err_new(ERR_FOREIGN, STR_FMT ":%u is \"%s\", not \"%s\"", STR_ARG(at->host), at->port,
                                        conn->peer_id, rq->peer_id);

                client__conn_close(conn);
                return e;
        }
        *ret = conn;
        return NULL;
}

/* The request. */

static bool has_class(struct str s, uint8_t cls)
{
        for (size_t i = 0; i < s.n; i++)
                if (!(net__chars[(unsigned char)s.p[i]] & cls))
                        return false;
        return s.n > 0;
}

/* Header lines as the caller made them: whole lines, no empty one, no control bytes, none of those that we write. */
static bool head_is_clean(struct str head)
{
        static const char *const ours[] = { "host", "content-length", "transfer-encoding", "connection", "expect" };

        while (head.n > 0) {
                ptrdiff_t end = str_find_str(head, STR("\r\n"));
                struct str line = { head.p, end < 0 ? 0 : (size_t)end }, value = line, name = str_cut(&value, ':');

                if (end <= 0 || name.n == line.n || !has_class(name, CHAR_TOKEN) ||
                    (value.n && !has_class(value, CHAR_FIELD)))
                        return false;
                for (unsigned i = 0; i < ARRAY_LEN(ours); i++)
                        if (str_eq_nocase(name, str_of(ours[i])))
                                return false;
                head = str_skip(head, (size_t)end + 2);
        }
        return true;
}

static bool has_body(const struct http_client_request *rq)
{
        return rq->body_read || rq->body.p;
}

/* Asking is for bodies worth not sending. */
static bool asks_first(const struct http_client_request *rq)
{
        return rq->expect_continue && (rq->body_read ? rq->body_length != 0 : rq->body.n > 0);
}

static struct err *check_request(const struct http_client_request *rq)
{
        if (!has_class(str_of(rq->method), CHAR_TOKEN))
                return err_new(ERR_INVALID, "bad method");
        if (!has_class(rq->target, CHAR_TARGET) || (rq->target.p[0] != '/' && rq->target.p[0] != '*'))
                return err_new(ERR_INVALID, "bad request target \"" STR_FMT "\"", STR_ARG(rq->target));
        if (!head_is_clean(rq->head))
                return err_new(ERR_INVALID, "bad request headers");
        if (rq->endpoint.host.n == 0 || !has_class(rq->endpoint.host, CHAR_HOST))
                return err_new(ERR_INVALID, "bad host");
        return NULL;
}

static void build_head(const struct http_client *c, const struct http_client_request *rq, const char *upgrade,
                       struct buf *b)
{
        const struct http_endpoint *at = &rq->endpoint;
        bool v6 = str_find(at->host, ':') >= 0;

        buf_printf(b, "%s " STR_FMT " HTTP/1.1\r\nHost: %s" STR_FMT "%s", rq->method, STR_ARG(rq->target),
                   v6 ? "[" : "", STR_ARG(at->host), v6 ? "]" : "");
        if (at->port != (at->tls ? 443 : 80))
                buf_printf(b, ":%u", at->port);
        buf_printf(b, "\r\nUser-Agent: %s\r\n", c->o.user_agent);
        buf_adds(b, rq->head);
        if (rq->body_read && rq->body_length < 0)
                buf_adds(b, STR("Transfer-Encoding: chunked\r\n"));
        else if (has_body(rq) || !strcmp(rq->method, "PUT") || !strcmp(rq->method, "POST"))
                buf_printf(b, "Content-Length: %llu\r\n",
                           rq->body_read ? (unsigned long long)rq->body_length : (unsigned long long)rq->body.n);
        if (upgrade)
                buf_printf(b, "Connection: Upgrade\r\nUpgrade: %s\r\n", upgrade);
        if (asks_first(rq))
                buf_adds(b, STR("Expect: 100-continue\r\n"));
        buf_adds(b, STR("\r\n"));
}

/* The peer said something while we were sending: true when it is a final answer, which ends the sending. */
static struct err *answered_early(struct http_reply *r, bool *ret)
{
        TRY(client__reply_fill(r));
        TRY(client__reply_advance(r, NULL));
        *ret = r->have_head;
        return NULL;
}

/* Sends n bytes; *ret_stop when a final answer came first. */
static struct err *send_all(struct http_reply *r, const char *p, size_t n, bool more, bool *ret_stop)
{
        while (n > 0 && !*ret_stop) {
                bool readable = false;
                size_t sent;

                TRY(client__conn_send(r->conn, p, n, more, &r->patience, &readable, &sent));
                p += sent;
                n -= sent;
                if (readable)
                        TRY(answered_early(r, ret_stop));
        }
        return NULL;
}

/* A body from a callback, as it is or in chunks. 16 bytes before the piece and 8 behind it are room for the chunk's
 * framing. */
static struct err *send_stream(struct http_reply *r, const struct http_client_request *rq, bool *ret_stop)
{
        AUTO_FREE char *piece = malloc(16 + CLIENT_PIECE + 8);
        bool chunked = rq->body_length < 0, end = false;
        uint64_t total = 0;

        if (!piece)
                return err_static(ERR_NO_MEMORY);
        while (!end && !*ret_stop) {
                size_t n = 0;
                char *from = piece + 16;

                if (client__conn_readable(r->conn)) {
                        TRY(answered_early(r, ret_stop));
                        continue;
                }
                TRY(rq->body_read(rq->body_arg, piece + 16, CLIENT_PIECE, &n));
                end = n == 0;
                total += n;
                if (!chunked && (total > (uint64_t)rq->body_length || (end && total < (uint64_t)rq->body_length)))
                        return err_new(ERR_INVALID, "body is not of the announced length");
                if (chunked) {
                        char size[17];
                        int digits = snprintf(size, sizeof(size), "%zx\r\n", n);

                        from -= digits;
                        memcpy(from, size, (size_t)digits);
                        memcpy(piece + 16 + n, "\r\n", 2); /* behind the last chunk: the end of no trailers */
                        n += (size_t)digits + 2;
                }
                TRY(send_all(r, from, n, !end && chunked, ret_stop));
                if (!chunked && total == (uint64_t)rq->body_length && rq->body_length > 0)
                        end = true;
        }
        return NULL;
}

/* After "Expect: 100-continue": waits until the peer agrees, refuses, or a second has passed. */
static struct err *await_continue(struct http_reply *r, bool *ret_stop)
{
        struct client_patience all = r->patience;
        struct err *e = NULL;
        bool go = false;

        r->patience.total_deadline_ns = MIN(all.total_deadline_ns, clock_mono_ns() + CONTINUE_WAIT_NS);
        while (!e && !go && !r->have_head) {
                e = client__reply_fill(r);
                if (!e)
                        e = client__reply_advance(r, &go);
        }
        r->patience = all;
        *ret_stop = r->have_head;
        if (err_code(e) == ERR_TIMEOUT && clock_mono_ns() < all.total_deadline_ns) {
                err_free(e); /* RFC 9110 §10.1.1: a client should not wait indefinitely */
                return NULL;
        }
        return e;
}

static struct err *send_request(struct http_reply *r, const struct http_client_request *rq, const char *upgrade)
{
        AUTO_BUF struct buf head = BUF_INIT;
        bool stop = false, ask = asks_first(rq), together;

        build_head(r->client, rq, upgrade, &head);
        together = !rq->body_read && !ask && rq->body.n <= CLIENT_PIECE;
        if (together)
                buf_adds(&head, rq->body);
        TRY(buf_err(&head));
        TRY(send_all(r, head.p, head.n, !together && !ask && (rq->body.n > 0 || rq->body_read), &stop));
        if (ask && !stop)
                TRY(await_continue(r, &stop));
        if (!together && !stop && rq->body_read)
                TRY(send_stream(r, rq, &stop));
        else if (!together && !stop)
                TRY(send_all(r, rq->body.p, rq->body.n, false, &stop));
        r->all_sent = !stop;
        return NULL;
}

static struct err *read_head(struct http_reply *r)
{
        while (!r->have_head) {
                TRY(client__reply_fill(r));
                TRY(client__reply_advance(r, NULL));
        }
        return NULL;
}

/* One attempt on one connection, which it owns from now on. *ret_again: the connection was closed before any answer. */
static struct err *attempt(struct http_client *c, const struct http_client_request *rq, const char *upgrade,
                           struct client_conn *conn, int64_t total_deadline_ns, bool *ret_again,
                           struct http_reply **ret)
{
        struct http_reply *r = calloc(1, sizeof(*r));
        struct err *e;

        if (!r) {
                client__conn_close(conn);
                return err_static(ERR_NO_MEMORY);
        }
        r->client = c;
        r->conn = conn;
        r->patience.idle_ns = rq->idle_timeout_ns ? rq->idle_timeout_ns : c->o.idle_timeout_ns;
        r->patience.total_deadline_ns = total_deadline_ns;
        r->is_head = !strcmp(rq->method, "HEAD");
        r->upgrades = upgrade != NULL;
        e = send_request(r, rq, upgrade);
        if (!e || err_code(e) == ERR_CLOSED) {
                struct err *later = read_head(r); /* after CLOSED: a refusal may have been sent before */

                if (!later) {
                        err_free(e);
                        *ret = r;
                        return NULL;
                }
                e = err_first(e, later);
        }
        *ret_again = conn->reused && !r->got_bytes && err_code(e) == ERR_CLOSED;
        r->failed = true;
        http_reply_close(r);
        return err_wrap(e, "%s " STR_FMT ":%u", rq->method, STR_ARG(rq->endpoint.host), rq->endpoint.port);
}

static bool may_repeat(const struct http_client_request *rq)
{
        static const char *const idempotent[] = { "GET", "HEAD", "PUT", "DELETE", "OPTIONS" };
        bool ok = rq->replay_any;

        for (unsigned i = 0; i < ARRAY_LEN(idempotent) && !ok; i++)
                ok = !strcmp(rq->method, idempotent[i]);
        return ok && (!rq->body_read || rq->body_rewind);
}

static int64_t deadline_of(const struct http_client *c, const struct http_client_request *rq)
{
        int64_t total = rq->total_timeout_ns ? rq->total_timeout_ns : c->o.total_timeout_ns;

        return total ? clock_mono_ns() + total : INT64_MAX;
}

struct err *http_client_send(struct http_client *c, const struct http_client_request *rq, struct http_reply **ret)
{
        int64_t deadline = deadline_of(c, rq);
        struct client_conn *conn;
        bool again = false;

        TRY(check_request(rq));
        conn = pool_take(c, &rq->endpoint, rq->peer_id);
        if (conn) {
                struct err *e = attempt(c, rq, NULL, conn, deadline, &again, ret);

                if (!e || !again || !may_repeat(rq))
                        return e;
                err_free(e);
                if (rq->body_read)
                        TRY(rq->body_rewind(rq->body_arg));
        }
        TRY(connect_fresh(c, rq, deadline, &conn));
        return attempt(c, rq, NULL, conn, deadline, &again, ret);
}

struct err *http_client_upgrade(struct http_client *c, const struct http_client_request *rq, const char *protocol,
                                struct http_upgraded *ret, struct http_reply **ret_refusal)
{
        int64_t deadline = deadline_of(c, rq);
        struct http_reply *r;
        struct client_conn *conn;
        bool again;

        TRY(check_request(rq));
        if (!has_class(str_of(protocol), CHAR_TOKEN))
                return err_new(ERR_INVALID, "bad name of a protocol");
        TRY(connect_fresh(c, rq, deadline, &conn));
        TRY(attempt(c, rq, protocol, conn, deadline, &again, &r));
        if (r->head.status != 101) {
                *ret = (struct http_upgraded){ .fd = -1 };
                *ret_refusal = r;
                return NULL;
        }
        /* RFC 9110 §7.8: the server names the protocol that it switches to. */
        if (!str_eq_nocase(http_reply_header(r, STR("Upgrade")), str_of(protocol))) {
                http_reply_close(r);
                return err_new(ERR_MALFORMED, "the peer switched to another protocol than %s", protocol);
        }
        *ret = (struct http_upgraded){ .fd = conn->fd, .tls = conn->tls };
        buf_adds(&ret->early, r->rest);
        conn->fd = -1;
        conn->tls = NULL;
        http_reply_close(r);
        if (ret->early.bad) {
                http_upgraded_close(ret);
                return err_static(ERR_NO_MEMORY);
        }
        *ret_refusal = NULL;
        return NULL;
}

void http_upgraded_close(struct http_upgraded *u)
{
        tls_conn_free(u->tls);
        u->tls = NULL;
        if (u->fd >= 0)
                (void)close(u->fd);
        u->fd = -1;
        buf_fini(&u->early);
}
