/* A connection leaves HTTP: what its taker gets, in each way it can end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/test_assert.h"
#include "net/http_client.h"
#include "net/server.h"
#include "os/clock.h"
#include "os/sock.h"

static struct {
        struct pool *pool;
        struct http_server *server;
        char host[64];
        uint16_t port;
        atomic_int taken, missed;
        char early[64]; /* written before `taken` */
} f;

static int64_t in_seconds(int n)
{
        return clock_mono_ns() + n * NS_PER_SEC;
}

/* Keeps what came early, says "hello", then ends. */
static void take(void *arg, int fd, struct tls_conn *tls, const char *early, size_t n)
{
        assert_ptr_equal(arg, &f);
        assert_null(tls);
        if (fd < 0) {
                atomic_fetch_add(&f.missed, 1);
                return;
        }
        (void)str_copy(f.early, sizeof(f.early), (struct str){ early, n });
        assert_int_equal(send(fd, "hello", 5, MSG_NOSIGNAL), 5);
        (void)close(fd);
        atomic_fetch_add(&f.taken, 1);
}

static enum http_next on_loop(void *ctx, struct http_req *rq, struct http_resp *rs, enum pool_class *ret_class)
{
        (void)ctx;
        *ret_class = str_eq(rq->path, STR("/crowded")) ? POOL_JOBS : POOL_CONTROL;
        assert_string_equal(rq->peer_id, "");
        if (!http_req_upgrades(rq, STR("raft"))) {
                http_resp_status(rs, 400);
                return HTTP_ANSWERED;
        }
        if (str_eq(rq->path, STR("/worker")))
                return HTTP_WORKER;
        http_resp_upgrade(rs, "raft", take, &f);
        if (str_eq(rq->path, STR("/changed-its-mind"))) {
                http_resp_reset(rs);
                http_resp_status(rs, 503);
        }
        return HTTP_ANSWERED;
}

static void handle(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        (void)ctx;
        (void)rq;
        http_resp_upgrade(rs, "raft", take, &f);
}

static int setup(void **state)
{
        /* No worker at all for jobs: an upgrade finds nobody. */
        static const struct pool_limits limits = { .max_running = { [POOL_CONTROL] = 4 },
                                                   .max_queued = { [POOL_CONTROL] = 4 } };
        struct http_listener l = { .address = "127.0.0.1:0" };
        struct http_server_options o = {
                .listeners = &l, .nlisteners = 1, .loops = 1, .app = { .on_loop = on_loop, .handle = handle }
        };
        char text[64];
        struct str host;
        (void)state;
        assert_ok(pool_new(&limits, &f.pool));
        o.pool = f.pool;
        assert_ok(http_server_new(&o, &f.server));
        assert_ok(http_server_start(f.server));
        assert_ok(sock_split_address(str_of(http_server_address(f.server, 0, text)), &host, &f.port));
        (void)str_copy(f.host, sizeof(f.host), host);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        http_server_stop(f.server, in_seconds(2));
        http_server_free(f.server);
        pool_free(f.pool);
        return 0;
}

/* Sends the text and returns all that comes until the end. */
static const char *talk(const char *text, char buf[static 1024])
{
        size_t n = 0;
        int fd;
        assert_ok(sock_connect(str_of(f.host), f.port, in_seconds(5), &fd));
        assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
        for (;;) {
                assert_ok(sock_wait(fd, POLLIN, in_seconds(10)));
                ssize_t k = recv(fd, buf + n, 1023 - n, 0);
                if (k <= 0)
                        break;
                n += (size_t)k;
        }
        (void)close(fd);
        buf[n] = '\0';
        return buf;
}

#define HEAD(path) "GET " path " HTTP/1.1\r\nHost: x\r\n"

static void test_taken(void **state)
{
        static const char *const paths[] = { HEAD("/loop"), HEAD("/worker") };
        char buf[1024], text[256];
        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                int taken = atomic_load(&f.taken);
                (void)snprintf(text, sizeof(text), "%s%s", paths[i],
                               "connection: keep-alive, UPGRADE\r\nupgrade: h9, Raft\r\n\r\nearly bytes");
                assert_int_equal(strncmp(talk(text, buf), "HTTP/1.1 101 Switching Protocols\r\n", 34), 0);
                assert_non_null(strstr(buf, "Upgrade: raft\r\n"));
                assert_non_null(strstr(buf, "Connection: Upgrade\r\n"));
                assert_null(strstr(buf, "Content-Length"));
                assert_string_equal(strstr(buf, "\r\n\r\n"), "\r\n\r\nhello");
                while (atomic_load(&f.taken) == taken)
                        clock_sleep_ns(NS_PER_MS);
                assert_string_equal(f.early, "early bytes");
        }
        assert_int_equal(atomic_load(&f.missed), 0);
}

static void test_not_asked(void **state)
{
        static const char *const texts[] = {
                HEAD("/loop") "Connection: close\r\n\r\n",
                HEAD("/loop") "Connection: close\r\nUpgrade: raft\r\n\r\n", /* RFC 9110 §7.8: both headers */
                HEAD("/loop") "Connection: close, upgrade\r\nUpgrade: raft2\r\n\r\n",
                HEAD("/loop") "Connection: close, upgrade\r\nUpgrade: raft\r\nContent-Length: 1\r\n\r\nx",
                "GET /loop HTTP/1.0\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: raft\r\n\r\n",
        };
        char buf[1024];
        int taken = atomic_load(&f.taken);
        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
                assert_int_equal(strncmp(talk(texts[i], buf), "HTTP/1.1 400 ", 13), 0);
        assert_int_equal(atomic_load(&f.taken), taken);
}

static void test_taker_hears_of_failure(void **state)
{
        char buf[1024];
        int taken = atomic_load(&f.taken), missed = atomic_load(&f.missed);
        (void)state;
        /* no worker: the connection ends behind the 101 */
        (void)talk(HEAD("/crowded") "Connection: upgrade\r\nUpgrade: raft\r\n\r\n", buf);
        assert_string_equal(strstr(buf, "\r\n\r\n"), "\r\n\r\n");
        /* the handler answers something else after all */
        (void)talk(HEAD("/changed-its-mind") "Connection: close, upgrade\r\nUpgrade: raft\r\n\r\n", buf);
        assert_int_equal(strncmp(buf, "HTTP/1.1 503 ", 13), 0);
        assert_int_equal(atomic_load(&f.missed), missed + 2);
        assert_int_equal(atomic_load(&f.taken), taken);
        struct http_server_stats st;
        for (unsigned i = 0; i < 100; i++) {
                http_server_stats(f.server, &st);
                if (st.open == 0)
                        break;
                clock_sleep_ns(10 * NS_PER_MS);
        }
        assert_int_equal(st.open, 0);
}

static void test_client(void **state)
{
        struct http_client *c;
        struct http_client_request rq = {
                .method = "GET", .target = STR("/loop"), .endpoint = { .host = str_of(f.host), .port = f.port }
        };
        struct http_upgraded up;
        struct http_reply *refusal;
        char buf[16] = "";
        size_t n;
        (void)state;
        assert_ok(http_client_new(NULL, &c));
        assert_ok(http_client_upgrade(c, &rq, "raft", &up, &refusal));
        assert_null(refusal);
        assert_null(up.tls);
        n = up.early.n;
        if (n)
                memcpy(buf, up.early.p, n);
        while (n < 5) { /* as much of it as did not come with the head */
                assert_ok(sock_wait(up.fd, POLLIN, in_seconds(5)));
                ssize_t k = recv(up.fd, buf + n, sizeof(buf) - n, 0);
                assert_true(k > 0);
                n += (size_t)k;
        }
        assert_string_equal(buf, "hello");
        http_upgraded_close(&up);
        assert_ok(http_client_upgrade(c, &rq, "other", &up, &refusal));
        assert_int_equal(up.fd, -1);
        assert_int_equal(http_reply_status(refusal), 400);
        http_reply_close(refusal);
        assert_err(http_client_upgrade(c, &rq, "a b", &up, &refusal), ERR_INVALID);
        http_client_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_not_asked),
                cmocka_unit_test(test_taker_hears_of_failure),
                cmocka_unit_test(test_client),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
