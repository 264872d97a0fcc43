/* The client against a server thread that says exactly what a test wants, byte by byte where that matters. */
#include "os/test_cert.h"

#include <poll.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_client.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/sock.h"
#include "os/thread.h"
#include "os/tls.h"

/* The server: one connection at a time, each served by `serve`, which returns when the connection is to be closed. */

typedef void serve_fn(int fd, unsigned nth);
static struct {
        int listener;
        struct http_endpoint at;
        char text[64];
        serve_fn *serve;
        _Atomic unsigned connections;
        _Atomic bool stop;
        struct thread *thread;
        struct http_client *client;
} srv;

/* Reads until the head is complete; false at the end. What comes after the head stays in the socket. */
static bool read_head(int fd, char *head, size_t size)
{
        size_t n = 0;

        while (n + 1 < size) {
                if (read(fd, head + n, 1) != 1)
                        return false;
                head[++n] = 0;
                if (n >= 4 && !memcmp(head + n - 4, "\r\n\r\n", 4))
                        return true;
        }
        return false;
}

static void say(int fd, const char *text)
{
        size_t n = strlen(text);

        while (n > 0) {
                ssize_t r = send(fd, text, n, MSG_NOSIGNAL);

                if (r <= 0)
                        return;
                text += r;
                n -= (size_t)r;
        }
}

/* Reads and counts n body bytes whose value is their index modulo 251; false if one differs. */
static bool read_pattern(int fd, size_t from, size_t n)
{
        unsigned char piece[4096];

        while (n > 0) {
                ssize_t r = read(fd, piece, MIN(n, sizeof(piece)));

                if (r <= 0)
                        return false;
                for (ssize_t i = 0; i < r; i++)
                        if (piece[i] != (from + (size_t)i) % 251)
                                return false;
                from += (size_t)r;
                n -= (size_t)r;
        }
        return true;
}

static void server_main(void *arg)
{
        (void)arg;
        while (!atomic_load(&srv.stop)) {
                int fd;

                err_free(sock_wait(srv.listener, POLLIN, clock_mono_ns() + 50 * NS_PER_MS));
                fd = accept(srv.listener, NULL, NULL);
                if (fd < 0)
                        continue;
                struct timeval limit = { .tv_sec = 20 };
                (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
                srv.serve(fd, atomic_fetch_add(&srv.connections, 1));
                (void)close(fd);
        }
}

static void start(serve_fn *serve, const struct http_client_options *o)
{
        atomic_store(&srv.connections, 0);
        atomic_store(&srv.stop, false);
        srv.serve = serve;
        assert_ok(sock_listen(STR("127.0.0.1:0"), false, 16, &srv.listener));
        assert_ok(sock_split_address(str_of(sock_local_text(srv.listener, srv.text)), &srv.at.host, &srv.at.port));
        srv.at.tls = false;
        assert_ok(http_client_new(o, &srv.client));
        assert_ok(thread_start(&srv.thread, "server", THREAD_OTHER, server_main, NULL));
}

static void stop(void)
{
        http_client_free(srv.client); /* first: the server waits for more requests on kept connections */
        atomic_store(&srv.stop, true);
        thread_join(srv.thread);
        (void)close(srv.listener);
}

static struct http_client_request request(const char *method, const char *target)
{
        return (struct http_client_request){ .method = method, .endpoint = srv.at, .target = str_of(target) };
}

/* Sends, reads all of the body, closes; returns the status. */
static int get(const char *method, const char *target, struct buf *body)
{
        AUTO_REPLY struct http_reply *r = NULL;
        struct http_client_request rq = request(method, target);

        buf_clear(body);
        assert_ok(http_client_send(srv.client, &rq, &r));
        assert_ok(http_reply_read_all(r, 1 << 20, body));
        return http_reply_status(r);
}

/* Bodies of all kinds, on one kept connection. */

static void serve_kinds(int fd, unsigned nth)
{
        char head[8192];

        (void)nth;
        while (read_head(fd, head, sizeof(head))) {
                if (strstr(head, " /length "))
                        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a: 2\r\n\r\nhello");
                else if (strstr(head, " /chunked ")) {
                        static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                                   "5\r\nhello\r\n6\r\n world\r\n0\r\nT: x\r\n\r\n";
                        for (unsigned i = 0; text[i]; i++) /* every boundary is crossed */
                                (void)send(fd, text + i, 1, MSG_NOSIGNAL);
                } else if (strstr(head, " /interim "))
                        say(fd, "HTTP/1.1 102 Processing\r\nA: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 "
                                "Created\r\nContent-Length: 0\r\n\r\n");
                else if (strstr(head, " /none "))
                        say(fd, "HTTP/1.1 204 No Content\r\n\r\n");
                else if (strstr(head, " /same "))
                        say(fd, "HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n");
                else if (!strncmp(head, "HEAD ", 5))
                        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1234567\r\n\r\n");
                else if (strstr(head, " /away "))
                        say(fd, "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://x/y\r\nContent-Length: 0\r\n\r\n");
                else {
                        say(fd, "HTTP/1.1 200 OK\r\n\r\nto the end");
                        return;
                }
        }
}

static void test_kinds(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct http_client_request rq;

        (void)state;
        start(serve_kinds, NULL);
        assert_int_equal(get("GET", "/length", &b), 200);
        assert_true(str_eq(buf_str(&b), STR("hello")));
        assert_int_equal(get("GET", "/chunked", &b), 200);
        assert_true(str_eq(buf_str(&b), STR("hello world")));
        assert_int_equal(get("GET", "/interim", &b), 201);
        assert_int_equal(get("GET", "/none", &b), 204);
        assert_int_equal(get("GET", "/same", &b), 304);
        assert_int_equal(b.n, 0);
        assert_int_equal(get("HEAD", "/", &b), 200);
        assert_int_equal(b.n, 0);
        { /* small reads of a chunked body; headers; closing early keeps the connection when the rest is here */
                AUTO_REPLY struct http_reply *r = NULL;
                char piece[3];
                size_t n, total = 0;

                rq = request("GET", "/chunked");
                assert_ok(http_client_send(srv.client, &rq, &r));
                assert_int_equal(http_reply_length(r), -1);
                do {
                        assert_ok(http_reply_read(r, piece, sizeof(piece), &n));
                        assert_memory_equal(piece, &"hello world"[total], n);
                        total += n;
                } while (n > 0);
                assert_int_equal(total, 11);
        }
        {
                AUTO_REPLY struct http_reply *r = NULL;
                struct str name, value;

                rq = request("GET", "/length");
                assert_ok(http_client_send(srv.client, &rq, &r));
                assert_true(str_eq(http_reply_header(r, STR("x-A")), STR("1")));
                assert_null(http_reply_header(r, STR("none")).p);
                assert_true(http_reply_header_at(r, 2, &name, &value) && str_eq(value, STR("2")));
                assert_false(http_reply_header_at(r, 3, &name, &value));
                assert_int_equal(http_reply_length(r), 5);
        }
        assert_int_equal(get("GET", "/away", &b), 307);
        assert_int_equal(atomic_load(&srv.connections), 1); /* all of it on one */
        assert_int_equal(get("GET", "/rest", &b), 200);
        assert_true(str_eq(buf_str(&b), STR("to the end")));
        assert_int_equal(get("GET", "/length", &b), 200);
        assert_int_equal(atomic_load(&srv.connections), 2);
        stop();
}

/* Uploads. */

static void serve_upload(int fd, unsigned nth)
{
        char head[8192];

        (void)nth;
        while (read_head(fd, head, sizeof(head))) {
                const char *length = strstr(head, "Content-Length: ");
                bool ok = true;
                size_t at = 0;

                if (strstr(head, "Expect: 100-continue"))
                        say(fd, "HTTP/1.1 100 Continue\r\n\r\n");
                if (length) {
                        ok = read_pattern(fd, 0, strtoul(length + 16, NULL, 10));
                } else {
                        for (;;) {
                                char line[32], crlf[2];
                                size_t n = 0;

                                while (n + 1 < sizeof(line) && read(fd, line + n, 1) == 1 && line[n] != '\n')
                                        n++;
                                n = strtoul(line, NULL, 16);
                                ok = ok && read_pattern(fd, at, n) && read(fd, crlf, 2) == 2 &&
                                     !memcmp(crlf, "\r\n", 2);
                                at += n;
                                if (n == 0 || !ok)
                                        break;
                        }
                        ok = ok && at == 500000;
                }
                say(fd, ok ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                           : "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n");
        }
}

struct source {
        size_t at, size, piece;
        unsigned rewinds;
};

static struct err *source_read(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct source *s = arg;

        n = MIN(MIN(n, s->piece), s->size - s->at);
        for (size_t i = 0; i < n; i++)
                ((unsigned char *)p)[i] = (unsigned char)((s->at + i) % 251);
        s->at += n;
        *ret_n = n;
        return NULL;
}

static struct err *source_rewind(void *arg)
{
        struct source *s = arg;

        s->at = 0;
        s->rewinds++;
        return NULL;
}

static int put(struct http_client_request *rq)
{
        AUTO_REPLY struct http_reply *r = NULL;

        assert_ok(http_client_send(srv.client, rq, &r));
        return http_reply_status(r);
}

static void test_uploads(void **state)
{
        static const size_t sizes[] = { 0, 1, 65536, 65537, 3000000 };
        unsigned char *bytes = malloc(3000000);
        struct http_client_request rq;
        struct source s;

        (void)state;
        assert_non_null(bytes);
        for (size_t i = 0; i < 3000000; i++)
                bytes[i] = (unsigned char)(i % 251);
        start(serve_upload, NULL);
        for (unsigned i = 0; i < ARRAY_LEN(sizes) * 2; i++) {
                rq = request("PUT", "/x");
                rq.body = (struct str){ (const char *)bytes, sizes[i / 2] };
                rq.expect_continue = i % 2;
                assert_int_equal(put(&rq), 200);
                s = (struct source){ .size = sizes[i / 2], .piece = 10007 };
                rq = request("PUT", "/x");
                rq.body_read = source_read;
                rq.body_arg = &s;
                rq.body_length = (int64_t)s.size;
                rq.expect_continue = i % 2;
                assert_int_equal(put(&rq), 200);
        }
        s = (struct source){ .size = 500000, .piece = 70000 };
        rq.body_length = -1;
        assert_int_equal(put(&rq), 200);
        assert_int_equal(atomic_load(&srv.connections), 1);
        struct http_reply *r;
        s = (struct source){ .size = 99, .piece = 70000 };
        rq.body_length = 100; /* too few */
        assert_err(http_client_send(srv.client, &rq, &r), ERR_INVALID);
        s = (struct source){ .size = 101, .piece = 70000 };
        assert_err(http_client_send(srv.client, &rq, &r), ERR_INVALID);
        stop();
        free(bytes);
}

/* Refusals before the body is read. */

static void serve_refusal(int fd, unsigned nth)
{
        char head[8192], sink[65536];

        if (!read_head(fd, head, sizeof(head)))
                return;
        say(fd, nth % 2 ? "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!"
                        : "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!");
        (void)shutdown(fd, SHUT_WR);
        if (!strstr(head, "Expect"))
                while (read(fd, sink, sizeof(sink)) > 0 && nth < 4) /* lingers; later ones reset at once */
                        ;
}

static void test_refusals(void **state)
{
        (void)state;
        start(serve_refusal, NULL);
        for (unsigned i = 0; i < 4; i++) {
                AUTO_REPLY struct http_reply *r = NULL;
                AUTO_BUF struct buf b = BUF_INIT;
                struct source s = { .size = 64 << 20, .piece = 65536 };
                struct http_client_request rq = request("PUT", "/big");

                rq.body_read = source_read;
                rq.body_arg = &s;
                rq.body_length = i < 2 ? (int64_t)s.size : -1;
                rq.expect_continue = i == 3;
                assert_ok(http_client_send(srv.client, &rq, &r));
                assert_int_equal(http_reply_status(r), 413);
                assert_ok(http_reply_read_all(r, 100, &b));
                assert_true(str_eq(buf_str(&b), STR("no!")));
                assert_true(s.at < s.size);
                if (i == 3)
                        assert_int_equal(s.at, 0); /* asked first, not a byte was sent */
        }
        assert_int_equal(atomic_load(&srv.connections), 4);
        stop();
}

static void serve_silence(int fd, unsigned nth)
{
        char head[8192];

        (void)nth;
        if (!read_head(fd, head, sizeof(head)))
                return;
        if (strstr(head, " /slow ")) { /* a byte now and then, for ever */
                say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
                for (unsigned i = 0; i < 200 && send(fd, "x", 1, MSG_NOSIGNAL) == 1; i++)
                        clock_sleep_ns(10 * NS_PER_MS);
        } else if (strstr(head, "Expect")) { /* never says continue, but takes the body */
                if (read_pattern(fd, 0, 5))
                        say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        } else {
                err_free(sock_wait(fd, POLLIN, clock_mono_ns() + 20 * NS_PER_SEC)); /* until the client gives up */
        }
}

static void test_patience(void **state)
{
        struct http_client_options o = { .idle_timeout_ns = 100 * NS_PER_MS };
        struct http_client_request rq;
        struct http_reply *r = NULL;
        AUTO_BUF struct buf b = BUF_INIT;

        (void)state;
        start(serve_silence, &o);
        rq = request("GET", "/never");
        assert_err(http_client_send(srv.client, &rq, &r), ERR_TIMEOUT);
        rq = request("GET", "/slow");
        rq.total_timeout_ns = 300 * NS_PER_MS;
        assert_ok(http_client_send(srv.client, &rq, &r));
        assert_err(http_reply_read_all(r, 1 << 20, &b), ERR_TIMEOUT);
        http_reply_close(r);
        stop();
        start(serve_silence, NULL);
        rq = request("PUT", "/unasked");
        rq.body = STR("\0\1\2\3\4");
        rq.expect_continue = true;
        assert_int_equal(put(&rq), 200);
        stop();
}

/* Connections that close under our hands. */

static void serve_once(int fd, unsigned nth)
{
        char head[8192];

        if (nth % 2 == 0) { /* answers one request, and closes when it sees the second */
                if (!read_head(fd, head, sizeof(head)))
                        return;
                say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
                (void)read_head(fd, head, sizeof(head));
                return;
        }
        if (!read_head(fd, head, sizeof(head)))
                return;
        const char *length = strstr(head, "Content-Length: ");
        if (length && !read_pattern(fd, 0, strtoul(length + 16, NULL, 10)))
                return;
        say(fd, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

static void test_replay(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct source s = { .size = 1000, .piece = 100 };
        struct http_client_request rq;
        struct http_reply *r;

        (void)state;
        start(serve_once, NULL);
        assert_int_equal(get("GET", "/", &b), 200);
        assert_int_equal(get("GET", "/", &b), 201); /* sent twice */
        assert_int_equal(atomic_load(&srv.connections), 2);
        assert_int_equal(get("GET", "/", &b), 200);
        rq = request("PUT", "/x");
        rq.body_read = source_read;
        rq.body_rewind = source_rewind;
        rq.body_arg = &s;
        rq.body_length = 1000;
        assert_int_equal(put(&rq), 201);
        assert_int_equal(s.rewinds, 1);
        assert_int_equal(get("GET", "/", &b), 200);
        rq.body_rewind = NULL;
        s.at = 0;
        assert_err(http_client_send(srv.client, &rq, &r), ERR_CLOSED);
        assert_int_equal(get("GET", "/", &b), 201);
        assert_int_equal(get("GET", "/", &b), 200);
        rq = request("POST", "/x"); /* may have been done already */
        assert_err(http_client_send(srv.client, &rq, &r), ERR_CLOSED);
        assert_int_equal(get("GET", "/", &b), 201);
        assert_int_equal(get("GET", "/", &b), 200);
        rq.replay_any = true;
        assert_int_equal(put(&rq), 201);
        stop();
}

static const char *broken;
static void serve_broken(int fd, unsigned nth)
{
        char head[8192];

        (void)nth;
        if (read_head(fd, head, sizeof(head)))
                say(fd, broken);
}

static void test_broken(void **state)
{
        static const struct {
                const char *text;
                enum err_code code;
        } rows[] = {
                { "", ERR_CLOSED },
                { "HTTP/1.1 200 OK\r\nContent-Len", ERR_CLOSED },
                { "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", ERR_CLOSED },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", ERR_CLOSED },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", ERR_MALFORMED },
                { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
                  ERR_MALFORMED },
                { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", ERR_MALFORMED },
                { "HTTP/2 200\r\n\r\n", ERR_MALFORMED },
                { "220 smtp\r\n\r\n", ERR_MALFORMED },
                { "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", ERR_MALFORMED },
        };

        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
                struct http_reply *r = NULL;
                struct http_client_request rq;
                AUTO_BUF struct buf b = BUF_INIT;
                struct err *e;

                broken = rows[i].text;
                start(serve_broken, NULL);
                rq = request("GET", "/");
                e = http_client_send(srv.client, &rq, &r);
                if (!e)
                        e = http_reply_read_all(r, 1 << 20, &b);
                http_reply_close(r);
                assert_err(e, rows[i].code);
                stop();
        }
}

static void test_limits(void **state)
{
        char *big = malloc(100000);
        struct http_client_request rq;
        struct http_reply *r = NULL;
        AUTO_BUF struct buf b = BUF_INIT;

        (void)state;
        assert_non_null(big);
        memset(big, 'a', 99999);
        big[99999] = 0;
        memcpy(big, "HTTP/1.1 200 OK\r\nA: ", 20);
        broken = big;
        start(serve_broken, NULL);
        rq = request("GET", "/");
        assert_err(http_client_send(srv.client, &rq, &r), ERR_MALFORMED);
        stop();
        free(big);
        start(serve_kinds, NULL);
        rq = request("GET", "/length");
        assert_ok(http_client_send(srv.client, &rq, &r));
        assert_err(http_reply_read_all(r, 4, &b), ERR_TOO_LARGE);
        http_reply_close(r);
        stop();
}

static void test_bad_requests(void **state)
{
        static const char *const heads[] = { "A: b",    "A: b\r\n\r\n",   "A: b\r\nHost: x\r\n",
                                             "A b\r\n", "A: b\nC: d\r\n", "content-LENGTH: 3\r\n",
                                             ": x\r\n" };
        static const char *const targets[] = { "", "x", "/a b", "/a\r\nX: y", "/\x80" };
        struct http_client *c;
        struct http_reply *r;
        struct http_client_request rq = { .method = "GET", .endpoint = { false, STR("127.0.0.1"), 1, STR_NONE } };

        (void)state;
        assert_ok(http_client_new(NULL, &c));
        rq.target = STR("/");
        for (unsigned i = 0; i < ARRAY_LEN(heads); i++) {
                rq.head = str_of(heads[i]);
                assert_err(http_client_send(c, &rq, &r), ERR_INVALID);
        }
        rq.head = STR_NONE;
        for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
                rq.target = str_of(targets[i]);
                assert_err(http_client_send(c, &rq, &r), ERR_INVALID);
        }
        rq.target = STR("/");
        rq.method = "G T";
        assert_err(http_client_send(c, &rq, &r), ERR_INVALID);
        rq.method = "GET";
        assert_err(http_client_send(c, &rq, &r), ERR_IO); /* nobody listens on port 1 */
        http_client_free(c);
}

static void test_endpoints(void **state)
{
        static const struct {
                const char *url, *host;
                unsigned port; /* 0: refused */
                bool tls;
                const char *base;
        } rows[] = {
                { "http://h", "h", 80, false, "" },          { "https://h", "h", 443, true, "" },
                { "http://h:8080/", "h", 8080, false, "" },  { "http://h:8080/a/b/", "h", 8080, false, "/a/b" },
                { "http://[::1]:9", "::1", 9, false, "" },   { "https://[::1]/x", "::1", 443, true, "/x" },
                { "http://", NULL, 0, false, "" },           { "ftp://h", NULL, 0, false, "" },
                { "h:80", NULL, 0, false, "" },              { "http://u@h", NULL, 0, false, "" },
                { "http://h:0", NULL, 0, false, "" },        { "http://h/?q", NULL, 0, false, "" },
                { "http://h/a b", NULL, 0, false, "" },      { "http://h:80:80/", NULL, 0, false, "" },
                { "http://h\r\nX: y/", NULL, 0, false, "" }, { "http://[::1", NULL, 0, false, "" },
        };

        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
                struct http_endpoint at;

                if (rows[i].port == 0) {
                        assert_err(http_endpoint_parse(str_of(rows[i].url), &at), ERR_INVALID);
                        continue;
                }
                assert_ok(http_endpoint_parse(str_of(rows[i].url), &at));
                assert_true(str_eq(at.host, str_of(rows[i].host)));
                assert_int_equal(at.port, rows[i].port);
                assert_int_equal(at.tls, rows[i].tls);
                assert_true(str_eq(at.base, str_of(rows[i].base)));
        }
}

/* TLS: the same server behind a handshake. */

static struct tls_ctx *server_tls;

static enum tls_result step(int fd, enum tls_result r)
{
        struct pollfd p = { .fd = fd, .events = r == TLS_WANT_WRITE ? POLLOUT : POLLIN };

        return (r == TLS_WANT_READ || r == TLS_WANT_WRITE) && poll(&p, 1, 20000) == 1 ? TLS_OK : r;
}

static void serve_tls(int fd, unsigned nth)
{
        struct tls_conn *c;
        char head[8192];
        size_t n = 0, k;
        enum tls_result r;

        (void)nth;
        assert_ok(tls_conn_new(server_tls, fd, NULL, &c));
        while ((r = tls_handshake(c)) != TLS_OK && step(fd, r) == TLS_OK)
                ;
        while (r == TLS_OK) {
                r = tls_read(c, head + n, sizeof(head) - 1 - n, &k);
                if (r == TLS_OK) {
                        n += k;
                        head[n] = 0;
                        if (strstr(head, "\r\n\r\n")) {
                                (void)tls_write(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 43, &k);
                                n = 0;
                        }
                } else {
                        r = step(fd, r);
                }
        }
        tls_shutdown(c);
        tls_conn_free(c);
}

static void test_tls(void **state)
{
        char cert[400], key[400];
        void *dir = NULL;
        struct http_client_options o = { .connect_timeout_ns = 5 * NS_PER_SEC };
        AUTO_BUF struct buf b = BUF_INIT;
        struct http_client_request rq;
        struct http_reply *r;

        (void)state;
        assert_int_equal(test_dir_new(&dir), 0);
        test_cert_make(dir, "node.example", 1, cert, key);
        assert_ok(tls_server_new(cert, key, &server_tls));
        assert_ok(tls_client_new(cert, false, &o.tls));
        start(serve_tls, &o);
        srv.at.tls = true;
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(get("GET", "/", &b), 200);
                assert_true(str_eq(buf_str(&b), STR("hello")));
        }
        assert_int_equal(atomic_load(&srv.connections), 1);
        stop();
        tls_ctx_free(o.tls);
        o.tls = NULL; /* the system's authorities do not know our certificate */
        start(serve_tls, &o);
        srv.at.tls = true;
        rq = request("GET", "/");
        assert_err(http_client_send(srv.client, &rq, &r), ERR_IO);
        stop();
        tls_ctx_free(server_tls);
        assert_ok(file_remove_tree(AT_FDCWD, dir));
        free(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),    cmocka_unit_test(test_uploads),   cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_patience), cmocka_unit_test(test_replay),    cmocka_unit_test(test_broken),
                cmocka_unit_test(test_limits),   cmocka_unit_test(test_endpoints), cmocka_unit_test(test_bad_requests),
                cmocka_unit_test(test_tls),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
