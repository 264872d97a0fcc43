/* What other nodes ask over the cluster port: the answering side, over mutual TLS, with a client as a member has it. */
#include "os/test_pki.h"

#include "api/priv.h"
#include "net/rpc.h"
#include "os/sock.h"

#define HOUR 3600

static struct {
        struct test_ca ca, other_ca;
        struct test_node server_node, member, stranger, forger;
        char *dir;
        struct node node;
        struct api *api;
        struct pool *pool;
        struct tls_ctx *tls;
        struct rpc_server *rpc;
        struct http_server *server;
        uint16_t port;
        unsigned ended;
} f;

static void on_end(void *arg)
{
        (void)arg;
        f.ended++;
}

static void start(void)
{
        static const struct pool_limits limits = { .max_running = { [POOL_CONTROL] = 8, [POOL_PEER] = 8 },
                                                   .max_queued = { [POOL_CONTROL] = 64, [POOL_PEER] = 64 } };
        struct cluster_opts o = {
                .state_dir = f.dir, .cluster_uuid = "cluster-1", .proxy_id = "prx00001", .target_id = "tgt00001"
        };
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                o.addr[i] = (struct cluster_addr){ "127.0.0.1", "8080", "http://127.0.0.1:8080" };
        assert_ok(cluster_open(&o, &f.node.cluster));
        assert_ok(pool_new(&limits, &f.pool));
        assert_ok(tls_mutual_server_new(&f.server_node.pem, &f.tls));
        assert_ok(rpc_server_new(&f.rpc));
        rpc_server_set_uuid(f.rpc, "cluster-1");
        struct api_options ao = { .node = &f.node, .rpc = f.rpc, .pool = f.pool, .shutdown = on_end };
        assert_ok(api_new(&ao, &f.api));
        struct http_listener l = {
                .address = "127.0.0.1:0", .tls = f.tls, .internal = true, .app = rpc_server_app(f.rpc)
        };
        struct http_server_options so = { .listeners = &l, .nlisteners = 1, .loops = 1, .pool = f.pool };
        assert_ok(http_server_new(&so, &f.server));
        assert_ok(http_server_start(f.server));
        char text[64];
        struct str host;
        assert_ok(sock_split_address(str_of(http_server_address(f.server, 0, text)), &host, &f.port));
}

static int setup(void **state)
{
        (void)state;
        test_ca_init(&f.ca, "cluster-1");
        test_ca_init(&f.other_ca, "cluster-1");
        test_node_init(&f.server_node, &f.ca, "node-a", "cluster-1", HOUR);
        test_node_init(&f.member, &f.ca, "node-b", "cluster-1", HOUR);
        test_node_init(&f.stranger, &f.ca, "node-b", "cluster-2", HOUR);
        test_node_init(&f.forger, &f.other_ca, "node-b", "cluster-1", HOUR);
        f.dir = strdup("/tmp/orlop-api-XXXXXX");
        assert_non_null(mkdtemp(f.dir));
        start();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        http_server_stop(f.server, clock_mono_ns() + 2 * NS_PER_SEC);
        http_server_free(f.server);
        rpc_server_free(f.rpc);
        pool_free(f.pool);
        api_stop(f.api);
        cluster_close(f.node.cluster);
        api_free(f.api);
        tls_ctx_free(f.tls);
        test_node_fini(&f.forger);
        test_node_fini(&f.stranger);
        test_node_fini(&f.member);
        test_node_fini(&f.server_node);
        test_ca_fini(&f.other_ca);
        test_ca_fini(&f.ca);
        assert_ok(file_remove_tree(AT_FDCWD, f.dir));
        free(f.dir);
        return 0;
}

/* One call; `as` null: without a certificate. The text of the answer is added to b; *ret_status is the status that it
 * carries for the client. */
static struct err *call(const struct test_node *as, const char *method, const char *target, const char *head,
                        const char *body, int *ret_status, struct buf *b)
{
        struct tls_ctx *tls;
        struct rpc_client *c;
        struct http_reply *reply;
        struct rpc_peer peer = { .id = "node-a", .host = "127.0.0.1", .port = f.port };
        if (as != NULL)
                assert_ok(tls_mutual_client_new(&as->pem, &tls));
        else
                assert_ok(tls_pinned_client_new(f.ca.print, &tls));
        struct rpc_client_options o = { .tls = tls, .idle_timeout_ns = 20 * NS_PER_SEC };
        assert_ok(rpc_client_new(&o, &c));
        struct rpc_request rq = {
                .method = method, .target = str_of(target), .head = str_of(head), .body = str_of(body)
        };
        struct err *e = rpc_send(c, &peer, &rq, &reply);
        if (e == NULL) {
                uint64_t status = 0, index;
                assert_true(str_u64(http_reply_header(reply, STR("Orlop-Status")), &status));
                assert_true(str_u64(http_reply_header(reply, STR("Orlop-Index")), &index));
                *ret_status = (int)status;
                assert_ok(http_reply_read_all(reply, 1 << 20, b));
                http_reply_close(reply);
        }
        rpc_client_free(c);
        tls_ctx_free(tls);
        return e;
}

static int status_of(const char *method, const char *target, const char *body, struct buf *b)
{
        int status = 0;
        buf_clear(b);
        assert_ok(call(&f.member, method, target, NULL, body, &status, b));
        return status;
}

static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "PATCH", "DELETE" };
static const char *const paths[] = { "/api/v1/cluster?what=smap",
                                     "/api/v1/daemon?what=config",
                                     "/api/v1/health",
                                     "/api/v1/buckets/b",
                                     "/api/v1/objects/b/o",
                                     "/api/",
                                     "/api",
                                     "/node/end",
                                     "/nothing" };

/* Before the store is open nobody is answered. */
static void test_starting(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        int status;
        (void)state;
        assert_err(call(&f.member, "GET", "/api/v1/daemon?what=smap", NULL, NULL, &status, &b), ERR_STARTING);
        assert_err(call(&f.member, "POST", "/node/end", NULL, "{}", &status, &b), ERR_STARTING);
        assert_ok(api_ready(f.api, NULL, "http://127.0.0.1:8080", f.server));
}

static void test_who_may(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        int status;
        (void)state;
        for (size_t m = 0; m < ARRAY_LEN(methods); m++)
                for (size_t p = 0; p < ARRAY_LEN(paths); p++) {
                        const char *body = m < 2 ? NULL : "{}";
                        struct err *none = call(NULL, methods[m], paths[p], NULL, body, &status, &b);
                        struct err *other = call(&f.stranger, methods[m], paths[p], NULL, body, &status, &b);
                        struct err *forged = call(&f.forger, methods[m], paths[p], NULL, body, &status, &b);
                        /* The text of HEAD is not sent: its status stands for a class of errors. */
                        assert_true(none != NULL && other != NULL && forged != NULL);
                        if (m != 1) {
                                assert_int_equal(err_code(none), ERR_UNAUTHORIZED);
                                assert_int_equal(err_code(other), ERR_FOREIGN);
                        }
                        err_free(none);
                        err_free(other);
                        err_free(forged);
                }
        assert_int_equal(b.n, 0);
        assert_int_equal(f.ended, 0);
}

static void test_passed_on(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        (void)state;
        assert_int_equal(status_of("GET", "/api/v1/daemon?what=smap", NULL, &b), 200);
        assert_true(str_find_str(buf_str(&b), STR("\"prx00001\"")) > 0);
        assert_int_equal(status_of("POST", "/api/v1/buckets/abc", "{\"action\":\"create-bck\"}", &b), 200);
        assert_int_equal(status_of("POST", "/api/v1/buckets/abc", "{\"action\":\"create-bck\"}", &b), 409);
        assert_true(str_find_str(buf_str(&b), STR("\"url_path\":\"/v1/buckets/abc\"")) > 0);
        assert_true(str_find_str(buf_str(&b), STR("\"tcode\":\"ErrBucketAlreadyExists\"")) > 0);
        assert_int_equal(status_of("HEAD", "/api/v1/buckets/abc", NULL, &b), 200);
        assert_int_equal(status_of("HEAD", "/api/v1/buckets/abcd", NULL, &b), 404);
        assert_int_equal(b.n, 0);
        assert_int_equal(status_of("PUT", "/api/v1/cluster/set-config?lru.batch_size=40000", NULL, &b), 200);
        assert_int_equal(status_of("PUT", "/api/v1/daemon/set-config?mirror.copies=3", NULL, &b), 400);
        assert_int_equal(status_of("PUT", "/api/v1/daemon/set-cluster-config?mirror.copies=3&transient=true", NULL, &b),
                         200);
        assert_int_equal(status_of("DELETE", "/api/v1/daemon/nothing", "{\"action\":\"x\"}", &b), 400);
        assert_int_equal(status_of("GET", "/api/v1/nothing", NULL, &b), 400);
        assert_int_equal(status_of("GET", "/api/v1/health", NULL, &b), 200);
}

/* Which of a member's two nodes is meant. */
static void test_two_ids(void **state)
{
        static const char *const ids[] = { "prx00001", "tgt00001" };
        (void)state;
        for (unsigned i = 0; i < 2; i++) {
                AUTO_BUF struct buf b = BUF_INIT;
                char head[64], expect[64];
                int status;
                snprintf(head, sizeof(head), "Ais-Node-Id: %s\r\n", ids[i]);
                snprintf(expect, sizeof(expect), "\"daemon_id\":\"%s\"", ids[i]);
                assert_ok(call(&f.member, "GET", "/api/v1/daemon?what=snode", head, NULL, &status, &b));
                assert_int_equal(status, 200);
                assert_true(str_find_str(buf_str(&b), str_of(expect)) > 0);
        }
}

/* Who asks several nodes wants errors as errors. */
static void test_plain(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        int status;
        (void)state;
        assert_err(call(&f.member, "GET", "/api/v1/daemon?what=nothing", "Orlop-Plain: yes\r\n", NULL, &status, &b),
                   ERR_INVALID);
        assert_err(call(&f.member, "PUT", "/api/v1/daemon/load-x509", "Orlop-Plain: yes\r\n", "{}", &status, &b),
                   ERR_INVALID);
}

static void test_end(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct err *e;
        int status = 0;
        (void)state;
        e = call(&f.member, "POST", "/node/end", NULL, "{\"kind\":", &status, &b);
        assert_int_equal(err_code(e), ERR_MALFORMED);
        err_free(e);
        assert_int_equal(f.ended, 0);
        struct tls_ctx *tls;
        struct rpc_client *c;
        struct rpc_peer peer = { .id = "node-a", .host = "127.0.0.1", .port = f.port };
        assert_ok(tls_mutual_client_new(&f.member.pem, &tls));
        struct rpc_client_options o = { .tls = tls };
        assert_ok(rpc_client_new(&o, &c));
        static const char keep[] = "{\"kind\":\"decommission\",\"no_shutdown\":true}",
                          end[] = "{\"kind\":\"shutdown\"}";
        assert_ok(rpc_call(c, &peer, "POST", "/node/end", str_of(keep), clock_mono_ns() + 5 * NS_PER_SEC, 0, NULL));
        assert_int_equal(f.ended, 0);
        assert_ok(rpc_call(c, &peer, "POST", "/node/end", str_of(end), clock_mono_ns() + 5 * NS_PER_SEC, 0, NULL));
        assert_int_equal(f.ended, 1);
        rpc_client_free(c);
        tls_ctx_free(tls);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_starting), cmocka_unit_test(test_who_may), cmocka_unit_test(test_passed_on),
                cmocka_unit_test(test_two_ids),  cmocka_unit_test(test_plain),   cmocka_unit_test(test_end),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
