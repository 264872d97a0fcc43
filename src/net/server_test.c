/* The server as its clients meet it: what conversations can not show, since it takes many connections, time, TLS or
 * another thread. */
#include "os/test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "net/testapp/app.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/sock.h"
#include "os/test_cert.h"
#include "os/thread.h"

#define PATIENCE (120 * NS_PER_SEC) /* for what must happen, however busy the machine is */

struct fixture {
        struct testapp *app;
        struct http_server_options o;
        struct http_listener listener;
        uint16_t port;
};

static const char *pattern; /* bytes of all bodies of the running application */

/* Starts the application with so many workers and waiting requests. */
static void start_pool(struct fixture *f, struct http_limits limits, struct tls_ctx *tls, unsigned workers,
                       unsigned queued)
{
        char text[64];
        struct str host;
        *f = (struct fixture){ .o = { .loops = 2, .nlisteners = 1, .limits = limits } };
        f->listener = (struct http_listener){ .address = "127.0.0.1:0", .tls = tls };
        f->o.listeners = &f->listener;
        assert_ok(testapp_new(workers, queued, &f->app));
        pattern = testapp_bytes(f->app);
        assert_ok(testapp_serve(f->app, &f->o));
        assert_ok(sock_split_address(str_of(http_server_address(testapp_server(f->app), 0, text)), &host, &f->port));
}

static void start(struct fixture *f, struct http_limits limits, struct tls_ctx *tls)
{
        start_pool(f, limits, tls, 16, 4096);
}

static void stop(struct fixture *f)
{
        testapp_free(f->app, 5 * NS_PER_SEC);
}

static struct http_server_stats stats(struct fixture *f)
{
        struct http_server_stats s;
        http_server_stats(testapp_server(f->app), &s);
        return s;
}

/* Waits until cond(stats) holds. */
static bool eventually(struct fixture *f, bool (*cond)(const struct http_server_stats *s, uint64_t n), uint64_t n)
{
        for (int64_t end = clock_mono_ns() + PATIENCE; clock_mono_ns() < end; clock_sleep_ns(NS_PER_MS)) {
                struct http_server_stats s = stats(f);
                if (cond(&s, n))
                        return true;
        }
        return false;
}

static bool open_is(const struct http_server_stats *s, uint64_t n)
{
        return s->open == n;
}
static bool open_at_most(const struct http_server_stats *s, uint64_t n)
{
        return s->open <= n;
}
static bool idle_is(const struct http_server_stats *s, uint64_t n)
{
        return s->idle == n;
}
static bool parked_are(const struct http_server_stats *s, uint64_t n)
{
        return s->parked_uploads == n;
}
static bool tails_are(const struct http_server_stats *s, uint64_t n)
{
        return s->parked_tails == n;
}

/* Waits until so many workers stand in /gate, and so many tasks wait for a worker. */
static bool gate_and_queue(struct fixture *f, unsigned gated, unsigned queued)
{
        for (int64_t end = clock_mono_ns() + PATIENCE; clock_mono_ns() < end; clock_sleep_ns(NS_PER_MS))
                if (testapp_gated(f->app) == gated && testapp_queued(f->app) == queued)
                        return true;
        return false;
}

/* A client that blocks, with or without TLS. */
struct client {
        int fd;
        struct tls_conn *tls;
        char in[8192];
        size_t n;
        struct http_response_head head;
};

static int dial(struct fixture *f)
{
        int fd;
        assert_ok(sock_connect(STR("127.0.0.1"), f->port, clock_mono_ns() + PATIENCE, &fd));
        return fd;
}

static void client_open(struct client *c, struct fixture *f, struct tls_ctx *tls)
{
        c->fd = dial(f);
        c->tls = NULL;
        c->n = 0;
        if (!tls)
                return;
        assert_ok(tls_conn_new(tls, c->fd, "node.example", &c->tls));
        for (;;) {
                enum tls_result r = tls_handshake(c->tls);
                if (r == TLS_OK)
                        break;
                assert_true(r == TLS_WANT_READ || r == TLS_WANT_WRITE);
                assert_ok(sock_wait(c->fd, r == TLS_WANT_READ ? POLLIN : POLLOUT, clock_mono_ns() + PATIENCE));
        }
}

static void client_close(struct client *c)
{
        tls_conn_free(c->tls);
        (void)close(c->fd);
}

/* False when the connection is gone. */
static bool client_send(struct client *c, const void *p, size_t n)
{
        while (n) {
                size_t done = 0;
                if (c->tls) {
                        enum tls_result r = tls_write(c->tls, p, n, &done);
                        if (r == TLS_CLOSED || r == TLS_FAILED)
                                return false;
                } else {
                        ssize_t k = send(c->fd, p, n, MSG_NOSIGNAL);
                        if (k < 0 && errno != EAGAIN)
                                return false;
                        done = k < 0 ? 0 : (size_t)k;
                }
                p = (const char *)p + done;
                n -= done;
                if (!done)
                        assert_ok(sock_wait(c->fd, POLLOUT, clock_mono_ns() + PATIENCE));
        }
        return true;
}

/* 0 at the end. */
static size_t client_recv(struct client *c, void *p, size_t n)
{
        for (;;) {
                size_t done = 0;
                if (c->tls) {
                        enum tls_result r = tls_read(c->tls, p, n, &done);
                        if (r == TLS_OK)
                                return done;
                        if (r == TLS_CLOSED || r == TLS_FAILED)
                                return 0;
                } else {
                        ssize_t k = recv(c->fd, p, n, 0);
                        if (k >= 0)
                                return (size_t)k;
                        if (errno != EAGAIN)
                                return 0;
                }
                assert_ok(sock_wait(c->fd, POLLIN, clock_mono_ns() + PATIENCE));
        }
}

/* Reads a response head; 0 when the connection ended instead. */
static int client_head(struct client *c)
{
        for (size_t resume = 0;;) {
                size_t len;
                const char *why;
                enum http_parse_result r =
                        http_parse_response((struct str){ c->in, c->n }, &resume, &c->head, &len, &why);
                assert_true(r != HTTP_PARSE_BAD);
                if (r == HTTP_PARSE_OK) {
                        memmove(c->in, c->in + len, c->n - len);
                        c->n -= len;
                        return c->head.status;
                }
                size_t got = client_recv(c, c->in + c->n, sizeof(c->in) - c->n);
                if (got == 0)
                        return 0;
                c->n += got;
        }
}

/* More input, into the buffer. */
static bool client_fill(struct client *c)
{
        c->n = client_recv(c, c->in, sizeof(c->in));
        return c->n > 0;
}

static void check_pattern(struct str s, uint64_t at)
{
        assert_true(at + s.n <= TESTAPP_BYTES);
        assert_memory_equal(s.p, pattern + at, s.n);
}

/* Reads a body of the pattern; its length, or -1 when it was cut. */
static int64_t client_body(struct client *c)
{
        struct http_chunked dec;
        int64_t at = 0;
        bool end = !c->head.chunked && c->head.length == 0;
        http_chunked_init(&dec);
        while (!end) {
                struct str in = { c->in, c->n }, data;
                if (c->n == 0 && !client_fill(c))
                        return -1;
                in = (struct str){ c->in, c->n };
                if (c->head.chunked) {
                        assert_true(http_chunked_next(&dec, &in, &data, &end) != HTTP_PARSE_BAD);
                } else {
                        data = (struct str){ in.p, (size_t)MIN((uint64_t)in.n, c->head.length - (uint64_t)at) };
                        in = str_skip(in, data.n);
                        end = (uint64_t)at + data.n == c->head.length;
                }
                check_pattern(data, (uint64_t)at);
                at += (int64_t)data.n;
                memmove(c->in, in.p, in.n);
                c->n = in.n;
        }
        return at;
}

static void client_get(struct client *c, const char *target)
{
        char text[256];
        int n = snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target);
        assert_true(client_send(c, text, (size_t)n));
}

/* One request and its whole answer. */
static void round_trip(struct client *c, const char *target, int status, int64_t length)
{
        client_get(c, target);
        assert_int_equal(client_head(c), status);
        assert_int_equal(client_body(c), length);
}

static void test_bodies(void **state)
{
        static const char *const kinds[] = { "/mem", "/wmem", "/file", "/wfile", "/gen", "/genlen" };
        static const int64_t sizes[] = { 0, 1, 4096, 65536, 65537, 1000000, 16 << 20 };
        struct fixture f;
        struct client c;
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        client_open(&c, &f, NULL);
        unsigned requests = 0;
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
                for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
                        char target[64];
                        (void)snprintf(target, sizeof(target), "%s?n=%lld", kinds[k], (long long)sizes[s]);
                        round_trip(&c, target, 200, sizes[s]);
                        requests++;
                }
        }
        client_close(&c);
        assert_true(eventually(&f, open_is, 0));
        unsigned sent, complete;
        testapp_sent(f.app, &sent, &complete);
        assert_int_equal(sent, requests);
        assert_int_equal(complete, requests);
        stop(&f);
}

/* Sends n bytes of the pattern as one chunked body in chunks of odd sizes, or with a length. */
static void upload(struct client *c, const char *target, size_t n, bool chunked)
{
        char text[256];
        int k = chunked ? snprintf(text, sizeof(text),
                                   "PUT %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", target)
                        : snprintf(text, sizeof(text), "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n",
                                   target, n);
        assert_true(client_send(c, text, (size_t)k));
        for (size_t at = 0; at < n;) {
                size_t step = MIN(1 + at % 9973, n - at);
                if (chunked) {
                        k = snprintf(text, sizeof(text), "%zx\r\n", step);
                        assert_true(client_send(c, text, (size_t)k));
                }
                assert_true(client_send(c, pattern + at, step));
                if (chunked)
                        assert_true(client_send(c, "\r\n", 2));
                at += step;
        }
        if (chunked)
                assert_true(client_send(c, "0\r\n\r\n", 5));
}

static void check_count(struct client *c, size_t n)
{
        char want[32], got[32];
        size_t have = 0;
        int k = snprintf(want, sizeof(want), "%zu\n", n);
        assert_int_equal(client_head(c), 200);
        assert_int_equal(c->head.length, k);
        while (have < (size_t)k) {
                if (c->n == 0)
                        assert_true(client_fill(c));
                size_t step = MIN(c->n, (size_t)k - have);
                memcpy(got + have, c->in, step);
                memmove(c->in, c->in + step, c->n - step);
                c->n -= step;
                have += step;
        }
        assert_memory_equal(got, want, (size_t)k);
}

static void test_uploads(void **state)
{
        static const size_t sizes[] = { 0, 1, 65536, 65537, 3000000 };
        struct fixture f;
        struct client c;
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        client_open(&c, &f, NULL);
        for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
                for (int way = 0; way < 4; way++) {
                        upload(&c, way & 2 ? "/take" : "/count", sizes[s], way & 1);
                        check_count(&c, sizes[s]);
                }
        }
        client_close(&c);
        stop(&f);
}

/* Many threads of clients complete, on loops and workers and from another thread, and each gets its own answers. */
static void hammer_main(void *arg)
{
        struct fixture *f = arg;
        struct client *c = malloc(sizeof(*c));
        assert_non_null(c);
        client_open(c, f, NULL);
        for (unsigned i = 0; i < 150; i++) {
                char target[64];
                static const char *const kinds[] = { "/mem", "/wmem", "/gen", "/file" };
                unsigned n = i * 37 % 20000;
                (void)snprintf(target, sizeof(target), "%s?n=%u&piece=700", kinds[i % 4], n);
                round_trip(c, target, 200, n);
                client_get(c, "/pending");
                assert_int_equal(client_head(c), 200);
                while (c->n < c->head.length)
                        c->n += client_recv(c, c->in + c->n, sizeof(c->in) - c->n);
                c->n = 0;
        }
        client_close(c);
        free(c);
}

static void test_many_at_once(void **state)
{
        struct fixture f;
        struct thread *t[8];
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        for (size_t i = 0; i < ARRAY_LEN(t); i++)
                assert_ok(thread_start(&t[i], "client", THREAD_OTHER, hammer_main, &f));
        for (size_t i = 0; i < ARRAY_LEN(t); i++)
                thread_join(t[i]);
        assert_true(eventually(&f, open_is, 0));
        assert_int_equal(stats(&f).requests, ARRAY_LEN(t) * 300);
        stop(&f);
}

/* Clients who ask for a large body and do not read hold neither workers nor loops. */
static void test_readers_that_stop(void **state)
{
        static const char *const kinds[] = { "/wmem?n=16777216", "/wfile?n=16777216", "/gen?n=16777216",
                                             "/file?n=16777216", "/mem?n=16777216" };
        enum { SLOW = 400 };
        struct fixture f;
        struct client c, *slow;
        (void)state;
        start(&f, (struct http_limits){ .min_rate_grace_ns = PATIENCE }, NULL); /* nobody is to be cut here */
        slow = calloc(SLOW, sizeof(*slow));
        assert_non_null(slow);
        for (unsigned i = 0; i < SLOW; i++) {
                client_open(&slow[i], &f, NULL);
                client_get(&slow[i], kinds[i % ARRAY_LEN(kinds)]);
        }
        assert_true(eventually(&f, tails_are, SLOW));
        client_open(&c, &f, NULL);
        for (unsigned i = 0; i < 200; i++)
                round_trip(&c, i % 2 ? "/mem?n=4096" : "/wmem?n=4096", 200, 4096);
        assert_true(eventually(&f, tails_are, SLOW)); /* none of these was served or cut meanwhile */
        /* They go on where they stopped: one of each kind. */
        for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
                assert_int_equal(client_head(&slow[i]), 200);
                assert_int_equal(client_body(&slow[i]), 16777216);
        }
        for (unsigned i = 0; i < SLOW; i++)
                client_close(&slow[i]);
        client_close(&c);
        free(slow);
        assert_true(eventually(&f, open_is, 0));
        unsigned sent, complete;
        testapp_sent(f.app, &sent, &complete);
        assert_int_equal(sent, SLOW + 200);
        assert_int_equal(complete, 200 + ARRAY_LEN(kinds));
        stop(&f);
}

static void send_pattern(struct client *c, size_t from, size_t to)
{
        assert_true(client_send(c, pattern + from, to - from));
}

/* The first half of an upload of n bytes, or the rest. Chunked: one chunk per half, and an empty one. */
static void send_half(struct client *c, size_t n, bool chunked, bool second)
{
        size_t half = n / 2;
        char text[128] = "";
        int k = !second ? snprintf(text, sizeof(text), "PUT /take HTTP/1.1\r\nHost: a\r\n") : 0;
        if (!second && chunked)
                k += snprintf(text + k, sizeof(text) - (size_t)k, "Transfer-Encoding: chunked\r\n\r\n");
        else if (!second)
                k += snprintf(text + k, sizeof(text) - (size_t)k, "Content-Length: %zu\r\n\r\n", n);
        if (chunked)
                k += snprintf(text + k, sizeof(text) - (size_t)k, "%zx\r\n", second ? n - half : half);
        assert_true(client_send(c, text, (size_t)k));
        send_pattern(c, second ? half : 0, second ? n : half);
        if (chunked)
                assert_true(client_send(c, second ? "\r\n0\r\n\r\n" : "\r\n", second ? 7 : 2));
}

/* Uploads that stop half-way hold no worker: with one worker, others are served; then they go on. */
static void slow_uploads(struct tls_ctx *server, struct tls_ctx *tls)
{
        enum { SLOW = 40 };
        struct fixture f;
        struct client c, *slow = calloc(SLOW, sizeof(*slow));
        assert_non_null(slow);
        start_pool(&f, (struct http_limits){ .min_rate_grace_ns = PATIENCE }, server, 1, 4096);
        for (unsigned i = 0; i < SLOW; i++) {
                client_open(&slow[i], &f, tls);
                send_half(&slow[i], 100000 + 40000 * i, i % 2, false);
        }
        assert_true(eventually(&f, parked_are, SLOW));
        client_open(&c, &f, tls);
        for (unsigned i = 0; i < 20; i++)
                round_trip(&c, "/wmem?n=4096", 200, 4096);
        upload(&c, "/take", 3000000, false);
        check_count(&c, 3000000);
        assert_true(eventually(&f, parked_are, SLOW));
        for (unsigned i = 0; i < SLOW; i++) {
                if (i % 10 == 9) { /* or go away */
                        client_close(&slow[i]);
                        continue;
                }
                send_half(&slow[i], 100000 + 40000 * i, i % 2, true);
                check_count(&slow[i], 100000 + 40000 * i);
                round_trip(&slow[i], "/mem?n=10", 200, 10); /* a short request is noticed at once again */
                client_close(&slow[i]);
        }
        client_close(&c);
        free(slow);
        assert_true(eventually(&f, open_is, 0));
        assert_int_equal(testapp_taken_early(f.app), SLOW / 10);
        stop(&f);
}

static void test_slow_uploads(void **state)
{
        (void)state;
        slow_uploads(NULL, NULL);
}

/* A message that is received whole before it is handled holds no worker either; one that is too long is refused. */
static void test_whole(void **state)
{
        static const char put[] = "PUT /whole HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n";
        static const char chunked[] = "PUT /whole HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n";
        struct fixture f;
        struct client slow, c;
        (void)state;
        start_pool(&f, (struct http_limits){ .min_rate_grace_ns = PATIENCE }, NULL, 1, 16);
        client_open(&slow, &f, NULL);
        client_open(&c, &f, NULL);
        assert_true(client_send(&slow, put, sizeof(put) - 1));
        send_pattern(&slow, 0, 100000);
        assert_true(eventually(&f, parked_are, 1));
        round_trip(&c, "/wmem?n=4096", 200, 4096);
        assert_true(client_send(&c, chunked, sizeof(chunked) - 1));
        send_pattern(&c, 0, 0x20000);
        assert_true(client_send(&c, "\r\n0\r\n\r\n", 7));
        assert_int_equal(client_head(&c), 200);
        assert_int_equal(client_body(&c), 0x20000);
        send_pattern(&slow, 100000, 200000);
        assert_int_equal(client_head(&slow), 200);
        assert_int_equal(client_body(&slow), 200000);
        assert_true(client_send(&c, chunked, sizeof(chunked) - 1));
        send_pattern(&c, 0, 0x20000);
        assert_true(client_send(&c, "\r\nf0000\r\n", 9));
        send_pattern(&c, 0x20000, 0x20000 + 0xf0000);
        assert_int_equal(client_head(&c), 413);
        client_close(&slow);
        client_close(&c);
        stop(&f);
}

/* Takes the only worker, then the only place in its queue. A generator whose socket has room for a moment may be in that
 * place first: then `waiting` is refused, and asks again. */
static void take_all(struct fixture *f, struct client *busy, struct client *waiting, uint64_t tails)
{
        client_get(busy, "/gate");
        assert_true(gate_and_queue(f, 1, 0));
        client_get(waiting, "/gate");
        for (int64_t end = clock_mono_ns() + PATIENCE;;) {
                struct pollfd p = { waiting->fd, POLLIN, 0 };
                assert_true(clock_mono_ns() < end);
                if (testapp_queued(f->app) == 1 && stats(f).parked_tails == tails)
                        return;
                if (poll(&p, 1, 1) == 0)
                        continue;
                assert_int_equal(client_head(waiting), 503);
                waiting->n = 0;
                client_get(waiting, "/gate");
        }
}

/* With all workers taken, further requests are refused and the connection lives; what the loop can do goes on;
 * generators under way wait for their turn. */
static void test_overload(void **state)
{
        struct fixture f;
        struct client busy, waiting, refused, gen, loop;
        (void)state;
        start_pool(&f, (struct http_limits){ .min_rate_grace_ns = PATIENCE }, NULL, 1, 1);
        client_open(&busy, &f, NULL);
        client_open(&waiting, &f, NULL);
        client_open(&refused, &f, NULL);
        client_open(&gen, &f, NULL);
        client_open(&loop, &f, NULL);
        client_get(&gen, "/gen?n=16777216");
        assert_true(eventually(&f, tails_are, 1));
        take_all(&f, &busy, &waiting, 1);
        assert_int_equal(client_head(&gen), 200);
        for (unsigned i = 0; i < 3; i++) {
                client_get(&refused, "/wmem?n=1");
                assert_int_equal(client_head(&refused), 503);
                refused.n = 0;
        }
        static const char put[] = "PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
        assert_true(client_send(&refused, put, sizeof(put) - 1));
        assert_int_equal(client_head(&refused), 503);
        round_trip(&loop, "/mem?n=4096", 200, 4096);
        testapp_gate_open(f.app);
        assert_int_equal(client_body(&gen),
                         16777216); /* more than the socket held: a worker went on when it was free */
        assert_int_equal(client_head(&busy), 200);
        assert_int_equal(client_head(&waiting), 200);
        client_close(&busy);
        client_close(&waiting);
        client_close(&refused);
        client_close(&gen);
        client_close(&loop);
        stop(&f);
}

/* A file that is not in memory is not waited for on the loop; with all workers taken it is served all the same. */
static void test_cold_file(void **state)
{
        struct fixture f;
        struct client c, busy, waiting;
        (void)state;
        start_pool(&f, (struct http_limits){ .min_rate_grace_ns = PATIENCE }, NULL, 1, 1);
        client_open(&c, &f, NULL);
        client_open(&busy, &f, NULL);
        client_open(&waiting, &f, NULL);
        round_trip(&c, "/file?n=16777216", 200, 16777216); /* warm: it was just written */
        uint64_t before = testapp_tasks(f.app);
        testapp_cool(f.app);
        round_trip(&c, "/file?n=16777216", 200, 16777216);
        print_message("          %llu tasks for a cold file\n", (unsigned long long)(testapp_tasks(f.app) - before));
        take_all(&f, &busy, &waiting, 0);
        testapp_cool(f.app);
        round_trip(&c, "/file?n=16777216", 200, 16777216);
        testapp_gate_open(f.app);
        assert_int_equal(client_head(&busy), 200);
        assert_int_equal(client_head(&waiting), 200);
        client_close(&c);
        client_close(&busy);
        client_close(&waiting);
        stop(&f);
}

/* Waits until so many answers were given up. */
static bool cut_are(struct fixture *f, unsigned n)
{
        for (int64_t end = clock_mono_ns() + PATIENCE; clock_mono_ns() < end; clock_sleep_ns(NS_PER_MS)) {
                unsigned sent, complete;
                testapp_sent(f->app, &sent, &complete);
                if (sent - complete == n)
                        return true;
        }
        return false;
}

/* A reader that stops for too long is cut by the minimum rate; so is a head that drips, and an idle connection ends by
 * its own limit. */
static void test_slow_ones_are_cut(void **state)
{
        struct fixture f;
        struct client reader, dripping, idle, body, taken;
        (void)state;
        start(&f,
              (struct http_limits){ .head_timeout_ns = 300 * NS_PER_MS,
                                    .idle_timeout_ns = 400 * NS_PER_MS,
                                    .min_rate_grace_ns = 200 * NS_PER_MS,
                                    .linger_ns = 2 * NS_PER_SEC },
              NULL);
        client_open(&dripping, &f, NULL);
        client_open(&idle, &f, NULL);
        client_open(&body, &f, NULL);
        static const char put[] = "PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
        assert_true(client_send(&body, put, sizeof(put) - 1));
        client_open(&taken, &f, NULL);
        send_half(&taken, 200000, false, false);
        struct pollfd p = { dripping.fd, POLLIN, 0 };
        do /* each byte is in time, the head is not */
                assert_true(client_send(&dripping, "G", 1));
        while (poll(&p, 1, 20) == 0);
        assert_int_equal(client_head(&dripping), 408);
        assert_int_equal(client_head(&idle), 0);
        assert_int_equal(client_head(&body), 408);
        assert_int_equal(client_head(&taken), 408);
        assert_int_equal(testapp_taken_early(f.app), 1);
        client_open(&reader, &f, NULL);
        client_get(&reader, "/file?n=16777216");
        assert_true(cut_are(&f, 1));
        assert_int_equal(client_head(&reader), 200);
        assert_int_equal(client_body(&reader), -1);
        assert_true(eventually(&f, open_is, 0));
        client_close(&reader);
        client_close(&dripping);
        client_close(&idle);
        client_close(&body);
        client_close(&taken);
        stop(&f);
}

static uint64_t resident_kib(void)
{
        unsigned long pages = 0, resident = 0;
        FILE *f = fopen("/proc/self/statm", "r");
        assert_non_null(f);
        assert_int_equal(fscanf(f, "%lu %lu", &pages, &resident), 2);
        (void)fclose(f);
        return resident * 4;
}

/* Idle connections hold little memory, and do not disturb. */
static void test_idle_connections(void **state)
{
        enum { IDLE = 2000 };
        struct fixture f;
        struct client c;
        struct rlimit files = { 0, 0 };
        (void)state;
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
        if (files.rlim_cur < IDLE * 2 + 200)
                skip();
        start(&f, (struct http_limits){ 0 }, NULL);
        client_open(&c, &f, NULL);
        round_trip(&c, "/wmem?n=4096", 200, 4096);
        uint64_t before = resident_kib();
        int *fds = calloc(IDLE, sizeof(*fds));
        assert_non_null(fds);
        for (unsigned i = 0; i < IDLE; i++) {
                static const char get[] = "GET /mem?n=1 HTTP/1.1\r\nHost: a\r\n\r\n";
                fds[i] = dial(&f);
                assert_int_equal(send(fds[i], get, sizeof(get) - 1, MSG_NOSIGNAL), sizeof(get) - 1);
        }
        for (unsigned i = 0; i < IDLE; i++) {
                char in[512];
                assert_ok(sock_wait(fds[i], POLLIN, clock_mono_ns() + PATIENCE));
                assert_true(recv(fds[i], in, sizeof(in), 0) > 0);
        }
        assert_true(eventually(&f, idle_is, IDLE + 1));
        uint64_t each = (resident_kib() - before) / IDLE;
        print_message("          %llu KiB per idle connection\n", (unsigned long long)each);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
        assert_true(each <= 10);
#endif
        round_trip(&c, "/wmem?n=4096", 200, 4096);
        for (unsigned i = 0; i < IDLE; i++)
                (void)close(fds[i]);
        free(fds);
        client_close(&c);
        assert_true(eventually(&f, open_is, 0));
        stop(&f);
}

static void free_main(void *arg)
{
        struct fixture *f = arg;
        http_server_stop(testapp_server(f->app), clock_mono_ns() + PATIENCE);
}

/* Requests in flight are finished; idle connections end; nobody new gets in. */
static void test_graceful_stop(void **state)
{
        struct fixture f;
        struct client busy, reading, idle;
        struct thread *t;
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        client_open(&busy, &f, NULL);
        client_open(&reading, &f, NULL);
        client_open(&idle, &f, NULL);
        round_trip(&idle, "/mem?n=1", 200, 1);
        client_get(&busy, "/gate");
        client_get(&reading, "/wfile?n=16777216");
        assert_true(eventually(&f, tails_are, 1));
        assert_true(gate_and_queue(&f, 1, 0));
        assert_ok(thread_start(&t, "stopper", THREAD_OTHER, free_main, &f));
        assert_int_equal(client_head(&idle), 0); /* the end has begun */
        testapp_gate_open(f.app);
        assert_int_equal(client_head(&busy), 200);
        assert_true(str_eq(busy.head.headers[busy.head.nheaders - 1].value, STR("close")));
        assert_int_equal(client_head(&reading), 200);
        assert_int_equal(client_body(&reading), 16777216);
        client_close(&busy);
        client_close(&reading);
        client_close(&idle);
        thread_join(t);
        int fd;
        assert_err(sock_connect(STR("127.0.0.1"), f.port, clock_mono_ns() + NS_PER_SEC, &fd), ERR_IO);
        unsigned sent, complete;
        testapp_sent(f.app, &sent, &complete);
        assert_int_equal(sent, 3);
        assert_int_equal(complete, 3);
        stop(&f);
}

/* Past the deadline, what hangs is cut. */
static void test_stop_cuts(void **state)
{
        struct fixture f;
        struct client reading, sending, taken;
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        client_open(&reading, &f, NULL);
        client_open(&sending, &f, NULL);
        client_get(&reading, "/gen?n=16777216");
        static const char put[] = "PUT /count HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
        assert_true(client_send(&sending, put, sizeof(put) - 1));
        client_open(&taken, &f, NULL);
        send_half(&taken, 200000, false, false);
        assert_true(eventually(&f, tails_are, 1));
        assert_true(eventually(&f, parked_are, 1));
        testapp_free(f.app, 200 * NS_PER_MS); /* comes back although neither of them moves */
        size_t got = 0;
        for (size_t n; (n = client_recv(&reading, reading.in, sizeof(reading.in))) > 0;)
                got += n;
        assert_in_range(got, 1, 16777215);
        client_close(&reading);
        client_close(&sending);
        client_close(&taken);
}

/* Above the limit of connections the others wait in the backlog until one leaves. */
static void test_connection_limit(void **state)
{
        struct fixture f;
        struct client a, b, third;
        (void)state;
        start(&f, (struct http_limits){ .max_connections = 2 }, NULL);
        client_open(&a, &f, NULL);
        client_open(&b, &f, NULL);
        round_trip(&a, "/mem?n=1", 200, 1);
        round_trip(&b, "/mem?n=1", 200, 1);
        client_open(&third, &f, NULL);
        client_get(&third, "/mem?n=3");
        struct pollfd p = { third.fd, POLLIN, 0 };
        assert_int_equal(poll(&p, 1, 300), 0);
        client_close(&a);
        assert_int_equal(client_head(&third), 200);
        assert_int_equal(client_body(&third), 3);
        assert_true(eventually(&f, open_at_most, 2));
        client_close(&b);
        client_close(&third);
        stop(&f);
}

/* One address has its fill: its next connection is closed at once, and there is room again when one leaves. */
static void test_address_limit(void **state)
{
        struct fixture f;
        struct client a, b, third;
        (void)state;
        start(&f, (struct http_limits){ .max_per_address = 2 }, NULL);
        client_open(&a, &f, NULL);
        client_open(&b, &f, NULL);
        round_trip(&a, "/mem?n=1", 200, 1);
        round_trip(&b, "/mem?n=1", 200, 1);
        client_open(&third, &f, NULL);
        assert_int_equal(client_recv(&third, third.in, sizeof(third.in)), 0);
        client_close(&third);
        client_close(&a);
        assert_true(eventually(&f, open_is, 1));
        client_open(&third, &f, NULL);
        round_trip(&third, "/mem?n=1", 200, 1);
        client_close(&b);
        client_close(&third);
        stop(&f);
}

/* With no descriptor left, clients hear an end or wait, nothing crashes, and later ones are served. */
static void test_out_of_descriptors(void **state)
{
        struct fixture f;
        struct client c;
        struct rlimit before, few;
        struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fds[64];
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        to.sin_port = htons(f.port);
        assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
                fds[i] = socket(AF_INET, SOCK_STREAM, 0);
                assert_true(fds[i] >= 0);
        }
        few = before;
        few.rlim_cur = (rlim_t)fds[ARRAY_LEN(fds) - 1] + 9; /* the server can accept eight of them */
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
                assert_int_equal(connect(fds[i], (struct sockaddr *)&to, sizeof(to)), 0);
        clock_sleep_ns(300 * NS_PER_MS);
        assert_true(stats(&f).open < ARRAY_LEN(fds));
        for (size_t i = 0; i < ARRAY_LEN(fds); i++)
                (void)close(fds[i]);
        assert_true(eventually(&f, open_is, 0));
        client_open(&c, &f, NULL);
        round_trip(&c, "/mem?n=4096", 200, 4096);
        client_close(&c);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
        stop(&f);
}

static void test_address_in_use(void **state)
{
        struct fixture f;
        struct http_server *s;
        char text[64];
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        struct http_listener l = { .address = http_server_address(testapp_server(f.app), 0, text) };
        struct pool *pool;
        const struct pool_limits limits = { { 1, 1, 1, 1 }, { 1, 1, 1, 1 } };
        assert_ok(pool_new(&limits, &pool));
        struct http_server_options o = { .listeners = &l, .nlisteners = 1, .loops = 2, .pool = pool, .app = f.o.app };
        struct err *e = http_server_new(&o, &s);
        assert_non_null(e);
        err_free(e);
        pool_free(pool);
        stop(&f);
}

static char *dir;
static char cert_path[400], key_path[400];

/* A client that announces a body and sends none, since it only wants to know where to send it. */
static void before_body(struct fixture *f, struct tls_ctx *tls, const char *length)
{
        struct client c;
        char text[256], body[16];
        int n = snprintf(text, sizeof(text), "PUT /before?close HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n\r\n",
                         length);
        client_open(&c, f, tls);
        assert_true(client_send(&c, text, (size_t)n));
        assert_int_equal(client_head(&c), 307);
        assert_false(c.head.keep_alive);
        assert_int_equal(c.head.length, 10);
        while (c.n < 10)
                c.n += client_recv(&c, c.in + c.n, 10 - c.n);
        assert_memory_equal(c.in, "elsewhere\n", 10);
        assert_int_equal(client_recv(&c, body, sizeof(body)), 0);
        client_close(&c);
}

static void test_before_body(void **state)
{
        static const char *const lengths[] = { "Content-Length: 1", "Content-Length: 1000", "Content-Length: 1000000000",
                                               "Transfer-Encoding: chunked" };
        struct fixture f;
        struct client c;
        (void)state;
        start(&f, (struct http_limits){ 0 }, NULL);
        for (size_t i = 0; i < ARRAY_LEN(lengths); i++)
                before_body(&f, NULL, lengths[i]);
        /* Without a body it is not asked; when the body comes nevertheless, it is dropped and the connection goes on. */
        client_open(&c, &f, NULL);
        client_get(&c, "/before");
        assert_int_equal(client_head(&c), 404);
        client_close(&c);
        client_open(&c, &f, NULL);
        static const char request[] = "PUT /before HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
                                      "GET /wmem?n=100 HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_true(client_send(&c, request, sizeof(request) - 1));
        assert_int_equal(client_head(&c), 307);
        while (c.n < 10)
                c.n += client_recv(&c, c.in + c.n, sizeof(c.in) - c.n);
        memmove(c.in, c.in + 10, c.n -= 10);
        assert_int_equal(client_head(&c), 200);
        client_close(&c);
        stop(&f);
}

static void test_tls(void **state)
{
        struct tls_ctx *server, *client;
        struct fixture f;
        struct client old, fresh;
        (void)state;
        test_cert_make(dir, "node.example", 1, cert_path, key_path);
        assert_ok(tls_server_new(cert_path, key_path, &server));
        assert_ok(tls_client_new(cert_path, false, &client));
        start(&f, (struct http_limits){ 0 }, server);
        client_open(&old, &f, client);
        static const char *const kinds[] = { "/mem", "/wmem", "/file", "/wfile", "/gen", "/genlen" };
        for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
                char target[64];
                for (int64_t n = 0; n <= 4000000; n = n * 100 + 1) {
                        (void)snprintf(target, sizeof(target), "%s?n=%lld", kinds[k], (long long)n);
                        round_trip(&old, target, 200, n);
                }
        }
        upload(&old, "/count", 300000, false);
        check_count(&old, 300000);
        upload(&old, "/count", 300000, true);
        check_count(&old, 300000);
        upload(&old, "/take", 300000, true);
        check_count(&old, 300000);
        upload(&old, "/take", 300000, false);
        check_count(&old, 300000);
        upload(&old, "/count", 60000, false);
        check_count(&old, 60000);
        before_body(&f, client, "Content-Length: 1000");
        /* Another certificate: new connections see it, the old one lives on. */
        test_cert_make(dir, "node.example", 2, cert_path, key_path);
        assert_ok(tls_server_reload(server));
        struct tls_ctx *second;
        assert_ok(tls_client_new(cert_path, false, &second));
        client_open(&fresh, &f, second);
        round_trip(&fresh, "/mem?n=1000", 200, 1000);
        round_trip(&old, "/wfile?n=1000", 200, 1000);
        client_close(&old);
        client_close(&fresh);
        stop(&f);
        tls_ctx_free(server);
        tls_ctx_free(client);
        tls_ctx_free(second);
}

/* Plain text on a TLS port, and a reader that stops on a TLS connection. */
static void test_tls_misuse(void **state)
{
        struct tls_ctx *server, *client;
        struct fixture f;
        struct client plain, slow;
        (void)state;
        test_cert_make(dir, "node.example", 3, cert_path, key_path);
        assert_ok(tls_server_new(cert_path, key_path, &server));
        assert_ok(tls_client_new(cert_path, false, &client));
        start(&f, (struct http_limits){ 0 }, server);
        client_open(&plain, &f, NULL);
        client_get(&plain, "/mem");
        char in[256];
        while (client_recv(&plain, in, sizeof(in)) > 0)
                ;
        client_open(&slow, &f, client);
        client_get(&slow, "/wfile?n=16777216");
        assert_true(eventually(&f, tails_are, 1));
        assert_int_equal(client_head(&slow), 200);
        assert_int_equal(client_body(&slow), 16777216);
        client_close(&plain);
        client_close(&slow);
        stop(&f);
        tls_ctx_free(server);
        tls_ctx_free(client);
}

static void test_tls_slow_uploads(void **state)
{
        struct tls_ctx *server, *client;
        (void)state;
        test_cert_make(dir, "node.example", 5, cert_path, key_path);
        assert_ok(tls_server_new(cert_path, key_path, &server));
        assert_ok(tls_client_new(cert_path, false, &client));
        slow_uploads(server, client);
        tls_ctx_free(server);
        tls_ctx_free(client);
}

/* Over TLS a file's last piece may be read and only partly sent when the loop's slice is used up: the rest is the next
 * turn's. How a slice ends depends on how the socket fills, so many sizes are tried. */
static void test_tls_slices(void **state)
{
        struct tls_ctx *server, *client;
        struct fixture f;
        struct client c;
        char target[64];
        (void)state;
        test_cert_make(dir, "node.example", 4, cert_path, key_path);
        assert_ok(tls_server_new(cert_path, key_path, &server));
        assert_ok(tls_client_new(cert_path, false, &client));
        start(&f, (struct http_limits){ 0 }, server);
        client_open(&c, &f, client);
#ifdef __SANITIZE_THREAD__
        enum { SIZES = 24 }; /* five times slower */
#else
        enum { SIZES = 120 };
#endif
        for (int64_t i = 0; i < SIZES; i++) {
                int64_t n = 6100000 + i * (2401320 / SIZES);
                (void)snprintf(target, sizeof(target), "/%s?n=%lld", i % 2 ? "file" : "wfile", (long long)n);
                client_get(&c, target);
                clock_sleep_ns(2 * NS_PER_MS); /* the socket fills */
                assert_int_equal(client_head(&c), 200);
                assert_int_equal(client_body(&c), n);
        }
        client_close(&c);
        stop(&f);
        tls_ctx_free(server);
        tls_ctx_free(client);
}

static int setup(void **state)
{
        void *p = NULL;
        (void)state;
        if (test_dir_new(&p) != 0)
                return -1;
        dir = p;
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        assert_ok(file_remove_tree(AT_FDCWD, dir));
        free(dir);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_bodies),
                cmocka_unit_test(test_uploads),
                cmocka_unit_test(test_many_at_once),
                cmocka_unit_test(test_readers_that_stop),
                cmocka_unit_test(test_slow_uploads),
                cmocka_unit_test(test_whole),
                cmocka_unit_test(test_overload),
                cmocka_unit_test(test_cold_file),
                cmocka_unit_test(test_slow_ones_are_cut),
                cmocka_unit_test(test_idle_connections),
                cmocka_unit_test(test_graceful_stop),
                cmocka_unit_test(test_stop_cuts),
                cmocka_unit_test(test_connection_limit),
                cmocka_unit_test(test_address_limit),
                cmocka_unit_test(test_out_of_descriptors),
                cmocka_unit_test(test_address_in_use),
                cmocka_unit_test(test_before_body),
                cmocka_unit_test(test_tls),
                cmocka_unit_test(test_tls_misuse),
                cmocka_unit_test(test_tls_slow_uploads),
                cmocka_unit_test(test_tls_slices),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
