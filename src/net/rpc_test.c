/* Calls between nodes over mutual TLS: who may call, how errors travel, streams, pending calls, fan-out, byte streams. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "net/pump.h"
#include "net/rpc.h"
#include "os/random.h"
#include "os/sock.h"
#include "os/test_pki.h"
#include "os/thread.h"

#define HOUR 3600
#define BIG ((size_t)3 * 1024 * 1024)

static struct test_ca ca;
static struct test_node node_a, node_b, other_cluster;

static struct {
        struct pool *pool;
        struct tls_ctx *tls;
        struct rpc_server *rpc;
        struct http_server *server;
        struct pumps *pumps;
        uint16_t port;
        atomic_int handled, running, most_running, gone, due;
        atomic_bool refuse_b;
        _Atomic(struct rpc_req *) parked;
} f;

static int64_t in_seconds(int n)
{
        return clock_mono_ns() + n * NS_PER_SEC;
}

/* --- the server's side --- */

static struct err *do_echo(struct rpc_req *rq)
{
        json_t *in;
        TRY(rpc_read_json(rq, &in));
        return rpc_reply_json(rq, json_pack("{s:o, s:s, s:s%}", "in", in, "peer", rq->peer_id, "rest",
                                            rq->rest.p ? rq->rest.p : "", rq->rest.n));
}

static struct err *do_fail(struct rpc_req *rq)
{
        struct str code = rpc_query(rq, "code");
        uint64_t epoch;
        atomic_fetch_add(&f.handled, 1);
        TRY(rpc_query_u64(rq, "epoch", 7, &epoch));
        http_resp_header(rq->resp, "X-Dropped", STR("yes"));
        rpc_error_extra(rq, json_pack("{s:s}", "epoch", "to be replaced"));
        rpc_error_extra(rq, json_pack("{s:I, s:s}", "epoch", (json_int_t)epoch, "code", "not this one"));
        if (str_eq(code, STR("NOT_FOUND")))
                return err_static(ERR_NOT_FOUND);
        return err_wrap(err_new(ERR_CONFLICT, "inner"), "outer \"%s\"", "quoted");
}

static uint64_t sum_of(const char *p, size_t n, uint64_t sum)
{
        for (size_t i = 0; i < n; i++)
                sum = sum * 31 + (unsigned char)p[i];
        return sum;
}

static struct err *do_upload(struct rpc_req *rq)
{
        char piece[8192];
        uint64_t sum = 0;
        size_t n, all = 0;
        do {
                TRY(http_req_read(rq->http, piece, sizeof(piece), &n));
                sum = sum_of(piece, n, sum);
                all += n;
        } while (n);
        return rpc_reply_json(rq, json_pack("{s:I, s:I}", "n", (json_int_t)all, "sum", (json_int_t)(sum >> 1)));
}

static struct err *make_piece(void *arg, struct buf *out, bool *ret_end)
{
        size_t *left = arg;
        for (size_t i = 0; i < 60000 && *left > 0; i++, --*left)
                buf_addc(out, (char)(*left * 7));
        *ret_end = *left == 0;
        return NULL;
}

static struct err *do_download(struct rpc_req *rq)
{
        size_t *left = arena_alloc(rq->http->arena, sizeof(*left));
        *left = BIG;
        http_resp_gen(rq->resp, make_piece, -1, NULL, left);
        return NULL;
}

static struct err *do_slow(struct rpc_req *rq)
{
        int now = atomic_fetch_add(&f.running, 1) + 1, most = atomic_load(&f.most_running);
        while (now > most && !atomic_compare_exchange_weak(&f.most_running, &most, now))
                ;
        clock_sleep_ns(100 * NS_PER_MS);
        atomic_fetch_sub(&f.running, 1);
        return rpc_reply_bytes(rq, rpc_query(rq, "say"));
}

static enum http_next park(struct rpc_req *rq, struct err **ret_err)
{
        uint64_t ms;
        *ret_err = rpc_query_u64(rq, "ms", 60000, &ms);
        if (*ret_err)
                return HTTP_ANSWERED;
        rq->http->due_ns = clock_mono_ns() + (int64_t)ms * NS_PER_MS;
        atomic_store(&f.parked, rq);
        return HTTP_PENDING;
}

static void unpark(struct rpc_req *rq, enum http_wake why)
{
        struct rpc_req *mine = rq;
        atomic_fetch_add(why == HTTP_WAKE_DUE ? &f.due : &f.gone, 1);
        if (!atomic_compare_exchange_strong(&f.parked, &mine, NULL))
                return; /* somebody completes it just now */
        if (why == HTTP_WAKE_DUE)
                http_resp_status(rq->resp, 204);
        rpc_complete(rq, why == HTTP_WAKE_DUE ? NULL : err_static(ERR_CLOSED));
}

/* Sends back what it gets, through the pump, as a library would. */
static void take_stream(void *arg, int fd, struct tls_conn *tls, const char *early, size_t n)
{
        char piece[4096];
        ssize_t k;
        int plain;
        (void)arg;
        if (fd < 0)
                return;
        assert_ok(pumps_add(f.pumps, fd, tls, (struct str){ early, n }, &plain));
        for (;;) {
                struct err *e = sock_wait(plain, POLLIN, in_seconds(20));
                err_free(e);
                k = e ? -1 : recv(plain, piece, sizeof(piece), 0);
                if (k <= 0)
                        break;
                for (ssize_t at = 0; at < k;) {
                        ssize_t sent = send(plain, piece + at, (size_t)(k - at), MSG_NOSIGNAL);
                        if (sent > 0)
                                at += sent;
                        else
                                clock_sleep_ns(NS_PER_MS);
                }
        }
        (void)close(plain);
}

static struct err *do_stream(struct rpc_req *rq)
{
        if (!http_req_upgrades(rq->http, STR("raft")))
                return err_new(ERR_INVALID, "not an upgrade to raft");
        http_resp_upgrade(rq->resp, "raft", take_stream, NULL);
        return NULL;
}

static const struct rpc_route routes[] = {
        { .method = "POST", .path = "/v1/echo", .cls = POOL_CONTROL, .handle = do_echo },
        { .method = "POST", .path = "/v1/echo/", .prefix = true, .cls = POOL_CONTROL, .handle = do_echo },
        { .method = "POST", .path = "/v1/join", .anonymous = true, .cls = POOL_CONTROL, .handle = do_echo },
        { .method = "GET", .path = "/v1/fail", .cls = POOL_CONTROL, .handle = do_fail },
        { .method = "PUT", .path = "/v1/data", .cls = POOL_PEER, .handle = do_upload },
        { .method = "GET", .path = "/v1/data", .cls = POOL_PEER, .handle = do_download },
        { .method = "GET", .path = "/v1/slow", .cls = POOL_PEER, .handle = do_slow },
        { .method = "GET", .path = "/v1/watch", .cls = POOL_CONTROL, .on_loop = park, .on_wake = unpark },
        { .method = "GET", .path = "/v1/stream", .cls = POOL_CONTROL, .handle = do_stream },
        { .method = NULL },
};

static bool is_allowed(void *ctx, const char *id)
{
        (void)ctx;
        return !(atomic_load(&f.refuse_b) && !strcmp(id, "node-b"));
}

static void public_handle(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        (void)ctx;
        assert_string_equal(rq->peer_id, "");
        http_resp_status(rs, 200);
        http_resp_mem(rs, STR("public"), NULL, NULL);
}

static void start_server(const char *address)
{
        struct http_listener l[] = {
                { .address = address, .tls = f.tls, .internal = true, .app = rpc_server_app(f.rpc) },
                { .address = "127.0.0.1:0" },
        };
        struct http_server_options o = {
                .listeners = l, .nlisteners = 2, .loops = 2, .pool = f.pool, .app = { .handle = public_handle }
        };
        char text[64];
        struct str host;
        assert_ok(http_server_new(&o, &f.server));
        assert_ok(http_server_start(f.server));
        assert_ok(sock_split_address(str_of(http_server_address(f.server, 0, text)), &host, &f.port));
}

static int setup(void **state)
{
        static const struct pool_limits limits = {
                .max_running = { [POOL_CONTROL] = 8, [POOL_DATA] = 8, [POOL_BACKEND] = 16, [POOL_PEER] = 32 },
                .max_queued = { [POOL_CONTROL] = 64, [POOL_DATA] = 64, [POOL_BACKEND] = 2, [POOL_PEER] = 64 },
        };
        (void)state;
        test_ca_init(&ca, "cluster-1");
        test_node_init(&node_a, &ca, "node-a", "uuid-1", HOUR);
        test_node_init(&node_b, &ca, "node-b", "uuid-1", HOUR);
        test_node_init(&other_cluster, &ca, "node-b", "uuid-2", HOUR);
        assert_ok(pool_new(&limits, &f.pool));
        assert_ok(pumps_new(&f.pumps));
        assert_ok(tls_mutual_server_new(&node_a.pem, &f.tls));
        assert_ok(rpc_server_new(&f.rpc));
        assert_ok(rpc_server_add(f.rpc, routes, NULL));
        assert_err(rpc_server_add(f.rpc, routes, NULL), ERR_EXISTS);
        rpc_server_set_uuid(f.rpc, "uuid-1");
        rpc_server_set_peer_allowed(f.rpc, is_allowed, NULL);
        start_server("127.0.0.1:0");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        http_server_stop(f.server, in_seconds(2));
        http_server_free(f.server);
        rpc_server_free(f.rpc);
        pool_free(f.pool);
        pumps_free(f.pumps);
        tls_ctx_free(f.tls);
        test_node_fini(&other_cluster);
        test_node_fini(&node_b);
        test_node_fini(&node_a);
        test_ca_fini(&ca);
        return 0;
}

/* --- the client's side --- */

struct caller {
        struct tls_ctx *tls;
        struct rpc_client *c;
        struct rpc_peer peer;
};

static void caller_init(struct caller *k, const struct test_node *as)
{
        struct rpc_client_options o = { .idle_timeout_ns = 20 * NS_PER_SEC };
        if (as)
                assert_ok(tls_mutual_client_new(&as->pem, &k->tls));
        else
                assert_ok(tls_pinned_client_new(ca.print, &k->tls));
        o.tls = k->tls;
        assert_ok(rpc_client_new(&o, &k->c));
        k->peer = (struct rpc_peer){ .id = "node-a", .host = "127.0.0.1", .port = f.port };
}

static void caller_fini(struct caller *k)
{
        rpc_client_free(k->c);
        tls_ctx_free(k->tls);
}

static void test_json(void **state)
{
        struct caller k;
        (void)state;
        caller_init(&k, &node_b);
        for (unsigned i = 0; i < 3; i++) {
                AUTO_JSON json_t *in = json_pack("{s:i}", "x", i);
                AUTO_JSON json_t *out = NULL;
                assert_ok(rpc_call_json(k.c, &k.peer, "POST", i == 2 ? "/v1/echo/a%2Fb/c?q=1" : "/v1/echo", in,
                                        in_seconds(5), &out));
                assert_string_equal(json_string_value(json_object_get(out, "peer")), "node-b");
                assert_true(json_equal(json_object_get(out, "in"), in));
                assert_string_equal(json_string_value(json_object_get(out, "rest")), i == 2 ? "a/b/c" : "");
        }
        struct http_server_stats st;
        http_server_stats(f.server, &st);
        assert_int_equal(st.open, 1); /* one connection served all */
        AUTO_JSON json_t *none = NULL;
        assert_ok(rpc_call_json(k.c, &k.peer, "POST", "/v1/echo", NULL, in_seconds(5), &none));
        assert_true(json_is_null(json_object_get(none, "in")));
        AUTO_BUF struct buf b = BUF_INIT;
        assert_err(rpc_call(k.c, &k.peer, "POST", "/v1/echo", STR("{"), in_seconds(5), 0, &b), ERR_MALFORMED);
        assert_err(rpc_call(k.c, &k.peer, "POST", "/v1/echo", STR("[1]"), in_seconds(5), 3, &b), ERR_TOO_LARGE);
        assert_int_equal(b.n, 0);
        caller_fini(&k);
}

static void test_errors(void **state)
{
        struct caller k;
        char text[300];
        bool answered = false;
        AUTO_JSON json_t *extra = NULL;
        struct rpc_request rq = {
                .method = "GET", .target = STR("/v1/fail?epoch=42"), .ret_extra = &extra, .ret_answered = &answered
        };
        (void)state;
        caller_init(&k, &node_b);
        struct err *e = rpc_call_with(k.c, &k.peer, &rq, NULL);
        assert_int_equal(err_code(e), ERR_CONFLICT);
        assert_string_equal(err_text(e, text, sizeof(text)), "node-a: outer \"quoted\": inner");
        err_free(e);
        assert_true(answered);
        assert_int_equal(json_integer_value(json_object_get(extra, "epoch")), 42);
        assert_string_equal(json_string_value(json_object_get(extra, "code")), "CONFLICT");
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/fail?code=NOT_FOUND", STR_NONE, in_seconds(5), 0, NULL),
                   ERR_NOT_FOUND);
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/fail?epoch=x", STR_NONE, in_seconds(5), 0, NULL),
                   ERR_MALFORMED);
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/nothing", STR_NONE, in_seconds(5), 0, NULL),
                   ERR_NOT_IMPLEMENTED);
        assert_err(rpc_call(k.c, &k.peer, "DELETE", "/v1/fail", STR_NONE, in_seconds(5), 0, NULL),
                   ERR_NOT_IMPLEMENTED);
        assert_err(rpc_call(k.c, &k.peer, "POST", "/v1/echo/%zz", STR_NONE, in_seconds(5), 0, NULL), ERR_MALFORMED);
        /* What happens on the way is not the peer's answer. */
        struct rpc_peer nobody = k.peer;
        nobody.port = 1;
        answered = true;
        e = rpc_call_with(k.c, &nobody, &rq, NULL);
        assert_int_equal(err_code(e), ERR_IO);
        assert_false(answered);
        err_free(e);
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/slow", STR_NONE, clock_mono_ns() - 1, 0, NULL), ERR_TIMEOUT);
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/slow", STR_NONE, clock_mono_ns() + 20 * NS_PER_MS, 0, NULL),
                   ERR_TIMEOUT);
        caller_fini(&k);
}

static void expect_answer(struct caller *k, const char *target, enum err_code want)
{
        struct err *e = rpc_call(k->c, &k->peer, "POST", target, STR("{}"), in_seconds(5), 0, NULL);
        assert_string_equal(err_code_name(err_code(e)), err_code_name(want));
        err_free(e);
}

static void test_who_may_call(void **state)
{
        struct caller b, joiner, foreign;
        (void)state;
        caller_init(&b, &node_b);
        caller_init(&joiner, NULL);
        caller_init(&foreign, &other_cluster);
        expect_answer(&joiner, "/v1/join", ERR_NONE);
        expect_answer(&joiner, "/v1/echo", ERR_UNAUTHORIZED);
        expect_answer(&joiner, "/v1/nothing", ERR_UNAUTHORIZED); /* and learns nothing about routes */
        expect_answer(&foreign, "/v1/echo", ERR_FOREIGN);
        expect_answer(&foreign, "/v1/join", ERR_NONE);
        expect_answer(&b, "/v1/echo", ERR_NONE);
        atomic_store(&f.refuse_b, true); /* revoked, on a living connection */
        expect_answer(&b, "/v1/echo", ERR_FORBIDDEN);
        atomic_store(&f.refuse_b, false);
        rpc_server_set_uuid(f.rpc, "");
        expect_answer(&b, "/v1/echo", ERR_STARTING);
        expect_answer(&b, "/v1/join", ERR_NONE);
        rpc_server_set_uuid(f.rpc, "uuid-1");
        /* Another node at this address than the one that is meant. */
        (void)str_copy(b.peer.id, sizeof(b.peer.id), STR("node-c"));
        expect_answer(&b, "/v1/echo", ERR_FOREIGN);
        b.peer.id[0] = '\0'; /* anybody */
        expect_answer(&b, "/v1/echo", ERR_NONE);
        caller_fini(&foreign);
        caller_fini(&joiner);
        caller_fini(&b);
}

/* A caller who may not is told before its body is sent. */
static void test_refused_upload(void **state)
{
        struct caller joiner;
        AUTO_FREE char *body = calloc(1, BIG);
        struct http_reply *r;
        struct rpc_request rq = {
                .method = "PUT", .target = STR("/v1/data"), .body = { body, BIG }, .expect_continue = true
        };
        (void)state;
        caller_init(&joiner, NULL);
        assert_err(rpc_send(joiner.c, &joiner.peer, &rq, &r), ERR_UNAUTHORIZED);
        caller_fini(&joiner);
}

static struct err *read_body(void *arg, void *p, size_t n, size_t *ret_n)
{
        size_t *left = arg;
        n = MIN(MIN(n, *left), (size_t)10000);
        for (size_t i = 0; i < n; i++)
                ((char *)p)[i] = (char)((*left - i) * 7);
        *left -= n;
        *ret_n = n;
        return NULL;
}

static void test_streams(void **state)
{
        struct caller k;
        AUTO_FREE char *all = malloc(BIG);
        uint64_t want = 0;
        (void)state;
        for (size_t left = BIG, i = 0; left > 0; left--, i++)
                all[i] = (char)(left * 7);
        want = sum_of(all, BIG, 0);
        caller_init(&k, &node_b);
        for (int chunked = 0; chunked < 2; chunked++) {
                size_t left = BIG;
                AUTO_BUF struct buf b = BUF_INIT;
                AUTO_JSON json_t *j = NULL;
                struct rpc_request up = { .method = "PUT",
                                          .target = STR("/v1/data"),
                                          .body_read = read_body,
                                          .body_arg = &left,
                                          .body_length = chunked ? -1 : (int64_t)BIG };
                assert_ok(rpc_call_with(k.c, &k.peer, &up, &b));
                assert_ok(json_parse(buf_str(&b), 1000, &j));
                assert_int_equal(json_integer_value(json_object_get(j, "n")), BIG);
                assert_int_equal(json_integer_value(json_object_get(j, "sum")), want >> 1);
        }
        AUTO_REPLY struct http_reply *r = NULL;
        struct rpc_request down = { .method = "GET", .target = STR("/v1/data") };
        size_t n = 1, at = 0;
        char piece[5000];
        assert_ok(rpc_send(k.c, &k.peer, &down, &r));
        while (n) {
                assert_ok(http_reply_read(r, piece, sizeof(piece), &n));
                assert_true(at + n <= BIG && memcmp(piece, all + at, n) == 0);
                at += n;
        }
        assert_int_equal(at, BIG);
        http_reply_close(r);
        r = NULL;
        caller_fini(&k);
}

static void test_pending(void **state)
{
        struct caller k;
        AUTO_BUF struct buf b = BUF_INIT;
        (void)state;
        caller_init(&k, &node_b);
        int due = atomic_load(&f.due), gone = atomic_load(&f.gone);
        int64_t start = clock_mono_ns();
        assert_ok(rpc_call(k.c, &k.peer, "GET", "/v1/watch?ms=150", STR_NONE, in_seconds(10), 0, &b));
        assert_true(clock_mono_ns() - start >= 150 * NS_PER_MS);
        assert_int_equal(b.n, 0);
        assert_int_equal(atomic_load(&f.due), due + 1);
        /* The caller gives up: the handler is told, long before its alarm. */
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/watch", STR_NONE, clock_mono_ns() + 50 * NS_PER_MS, 0, &b),
                   ERR_TIMEOUT);
        for (unsigned i = 0; i < 500 && atomic_load(&f.gone) == gone; i++)
                clock_sleep_ns(10 * NS_PER_MS);
        assert_int_equal(atomic_load(&f.gone), gone + 1);
        assert_null(atomic_load(&f.parked));
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/watch?ms=x", STR_NONE, in_seconds(5), 0, &b), ERR_MALFORMED);
        caller_fini(&k);
}

static void complete_parked(void *arg)
{
        struct rpc_req *rq = NULL;
        (void)arg;
        while (!rq) {
                clock_sleep_ns(NS_PER_MS);
                rq = atomic_exchange(&f.parked, NULL);
        }
        rpc_complete(rq, rpc_reply_json(rq, json_pack("{s:s}", "changed", rq->peer_id)));
}

static void test_completed_elsewhere(void **state)
{
        struct caller k;
        struct thread *t;
        AUTO_JSON json_t *j = NULL;
        (void)state;
        caller_init(&k, &node_b);
        for (unsigned i = 0; i < 20; i++) {
                json_decref(j);
                j = NULL;
                assert_ok(thread_start(&t, "completer", THREAD_OTHER, complete_parked, NULL));
                /* now and then the alarm comes at the same moment */
                assert_ok(rpc_call_json(k.c, &k.peer, "GET", i % 2 ? "/v1/watch" : "/v1/watch?ms=2000", NULL,
                                        in_seconds(10), &j));
                assert_string_equal(json_string_value(json_object_get(j, "changed")), "node-b");
                thread_join(t);
        }
        caller_fini(&k);
}

static void fan(struct rpc_client *c, const struct caller *k, size_t n)
{
        struct rpc_fan calls[40] = { { .err = NULL } };
        char targets[40][40];
        int64_t start = clock_mono_ns();
        atomic_store(&f.most_running, 0);
        for (size_t i = 0; i < n; i++) {
                (void)snprintf(targets[i], sizeof(targets[i]), "/v1/slow?say=%zu", i);
                calls[i].peer = k->peer;
                if (i == 3)
                        calls[i].peer.port = 1;
                calls[i].rq = (struct rpc_request){ .method = "GET", .target = str_of(targets[i]) };
        }
        rpc_fanout(c, calls, n, in_seconds(10));
        for (size_t i = 0; i < n; i++) {
                char want[24];
                (void)snprintf(want, sizeof(want), "%zu", i);
                if (i == 3) {
                        assert_int_equal(err_code(calls[i].err), ERR_IO);
                        err_free(calls[i].err);
                } else {
                        assert_ok(calls[i].err);
                        assert_true(str_eq(buf_str(&calls[i].body), str_of(want)));
                }
                buf_fini(&calls[i].body);
        }
        if (n >= 10) { /* one after the other would be 100 ms each */
                assert_true(atomic_load(&f.most_running) > 3);
                assert_true(clock_mono_ns() - start < (int64_t)n * 100 * NS_PER_MS);
        }
}

static void test_fanout(void **state)
{
        struct caller k;
        struct rpc_client *pooled;
        (void)state;
        caller_init(&k, &node_b);
        struct rpc_client_options o = { .tls = k.tls, .pool = f.pool };
        assert_ok(rpc_client_new(&o, &pooled));
        fan(k.c, &k, 20);    /* threads of its own */
        fan(pooled, &k, 40); /* 16 workers, 2 places in the queue: the others are not taken */
        fan(pooled, &k, 1);
        rpc_fanout(pooled, NULL, 0, in_seconds(1));
        rpc_client_free(pooled);
        caller_fini(&k);
}

/* After a graceful restart the kept connections hold nothing but the session's end: a POST, which may not be sent
 * twice, must not be tried on them. */
/* A peer that says only this, and then neither reads nor writes. */
struct stuck {
        int fd;
        struct tls_conn *tls;
};

static void stuck_open(struct stuck *s, struct tls_ctx *tls, const char *text)
{
        size_t done = 0, n = strlen(text);
        assert_ok(sock_connect(STR("127.0.0.1"), f.port, in_seconds(60), &s->fd));
        assert_ok(tls_conn_new(tls, s->fd, "127.0.0.1", &s->tls));
        for (enum tls_result r; (r = tls_handshake(s->tls)) != TLS_OK;) {
                assert_true(r == TLS_WANT_READ || r == TLS_WANT_WRITE);
                assert_ok(sock_wait(s->fd, r == TLS_WANT_READ ? POLLIN : POLLOUT, in_seconds(60)));
        }
        if (n > 0)
                assert_int_equal(tls_write(s->tls, text, n, &done), TLS_OK);
        assert_int_equal(done, n);
}

static void stuck_close(struct stuck *s)
{
        tls_conn_free(s->tls);
        (void)close(s->fd);
}

/* Peers that send half a message, that stop reading a large answer, or only connect: more of each than there are
 * workers, and the others are answered. */
static void test_stuck_peers(void **state)
{
        static const char *const texts[] = {
                "POST /v1/echo HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n{\"half\":",
                "GET /v1/data HTTP/1.1\r\nHost: a\r\n\r\n",
                "POST /v1/ec",
                "",
        };
        enum { EACH = 12 };
        struct stuck stuck[EACH * ARRAY_LEN(texts)];
        struct http_server_stats st;
        struct caller k;
        (void)state;
        caller_init(&k, &node_b);
        for (size_t i = 0; i < ARRAY_LEN(stuck); i++)
                stuck_open(&stuck[i], k.tls, texts[i % ARRAY_LEN(texts)]);
        do {
                clock_sleep_ns(NS_PER_MS);
                http_server_stats(f.server, &st);
        } while (st.parked_uploads < EACH);
        for (unsigned i = 0; i < 20; i++) {
                AUTO_JSON json_t *in = json_pack("{s:i}", "x", i);
                AUTO_JSON json_t *out = NULL;
                assert_ok(rpc_call_json(k.c, &k.peer, "POST", "/v1/echo", in, in_seconds(60), &out));
                assert_true(json_equal(json_object_get(out, "in"), in));
        }
        for (size_t i = 0; i < ARRAY_LEN(stuck); i++)
                stuck_close(&stuck[i]);
        caller_fini(&k);
}

static void test_restart(void **state)
{
        struct caller k;
        char address[64];
        (void)state;
        caller_init(&k, &node_b);
        expect_answer(&k, "/v1/echo", ERR_NONE);
        (void)snprintf(address, sizeof(address), "127.0.0.1:%u", f.port);
        http_server_stop(f.server, in_seconds(2));
        http_server_free(f.server);
        start_server(address);
        expect_answer(&k, "/v1/echo", ERR_NONE);
        caller_fini(&k);
}

static void test_stream_upgrade(void **state)
{
        struct caller k, joiner;
        struct http_upgraded up;
        struct pumps *pumps;
        AUTO_FREE char *sent = malloc(BIG);
        AUTO_FREE char *got = malloc(BIG);
        size_t out = 0, in = 0;
        int fd;
        (void)state;
        caller_init(&joiner, NULL);
        assert_err(rpc_upgrade(joiner.c, &joiner.peer, "/v1/stream", "raft", in_seconds(5), &up), ERR_UNAUTHORIZED);
        caller_fini(&joiner);
        caller_init(&k, &node_b);
        assert_err(rpc_upgrade(k.c, &k.peer, "/v1/stream", "other", in_seconds(5), &up), ERR_INVALID);
        /* an ordinary answer is no error of the protocol, but not what was asked for */
        assert_err(rpc_call(k.c, &k.peer, "GET", "/v1/stream", STR_NONE, in_seconds(5), 0, NULL), ERR_INVALID);
        assert_ok(rpc_upgrade(k.c, &k.peer, "/v1/stream", "raft", in_seconds(5), &up));
        assert_ok(pumps_new(&pumps));
        assert_ok(pumps_add(pumps, up.fd, up.tls, buf_str(&up.early), &fd));
        buf_fini(&up.early);
        random_bytes(sent, BIG);
        while (in < BIG) {
                short events;
                assert_ok(sock_poll(fd, (short)(POLLIN | (out < BIG ? POLLOUT : 0)), in_seconds(10), &events));
                ssize_t n = out < BIG ? send(fd, sent + out, BIG - out, MSG_NOSIGNAL) : 0;
                if (n > 0)
                        out += (size_t)n;
                n = recv(fd, got + in, BIG - in, 0);
                assert_true(n != 0);
                if (n > 0)
                        in += (size_t)n;
        }
        assert_memory_equal(sent, got, BIG);
        (void)close(fd); /* the other side sees the end, and so does its taker */
        pumps_free(pumps);
        caller_fini(&k);
}

/* The public listener has another app, and knows no peers. */
static void test_two_apps(void **state)
{
        struct http_client *c;
        struct http_reply *r;
        struct http_client_request rq = { .method = "GET", .target = STR("/v1/echo") };
        char text[64];
        AUTO_BUF struct buf b = BUF_INIT;
        (void)state;
        assert_ok(http_client_new(NULL, &c));
        (void)http_server_address(f.server, 1, text);
        assert_ok(sock_split_address(str_of(text), &rq.endpoint.host, &rq.endpoint.port));
        assert_ok(http_client_send(c, &rq, &r));
        assert_ok(http_reply_read_all(r, 100, &b));
        assert_true(str_eq(buf_str(&b), STR("public")));
        http_reply_close(r);
        http_client_free(c);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_json),           cmocka_unit_test(test_errors),
                cmocka_unit_test(test_who_may_call),   cmocka_unit_test(test_refused_upload),
                cmocka_unit_test(test_streams),        cmocka_unit_test(test_pending),
                cmocka_unit_test(test_completed_elsewhere), cmocka_unit_test(test_fanout),
                cmocka_unit_test(test_stream_upgrade), cmocka_unit_test(test_restart),
                cmocka_unit_test(test_stuck_peers), cmocka_unit_test(test_two_apps),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
