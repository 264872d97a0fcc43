/* Nodes among themselves: both certificates are verified against the cluster's authority and tell who the peer is; a
 * joiner pins the authority; credentials change under live connections. */
#include "os/test_util.h"

#include <openssl/ssl.h>

#include "os/test_pki.h"
#include "os/test_tls.h"

#define HOUR 3600

static struct test_ca ca, stranger;
static struct test_node node_a, node_b, foreign, brief;

static int setup(void **state)
{
        (void)state;
        test_ca_init(&ca, "cluster-1");
        test_ca_init(&stranger, "cluster-1");
        test_node_init(&node_a, &ca, "node-a", "uuid-1", HOUR);
        test_node_init(&node_b, &ca, "node-b", "uuid-1", HOUR);
        test_node_init(&brief, &ca, "node-c", "uuid-1", 100);
        test_node_init(&foreign, &stranger, "node-a", "uuid-1", HOUR);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        test_node_fini(&foreign);
        test_node_fini(&brief);
        test_node_fini(&node_b);
        test_node_fini(&node_a);
        test_ca_fini(&stranger);
        test_ca_fini(&ca);
        return 0;
}

static void assert_peer(const struct tls_conn *c, const char *id, const char *org)
{
        char got_id[64], got_org[64];

        tls_peer_id(c, got_id, got_org);
        assert_string_equal(got_id, id);
        assert_string_equal(got_org, org);
}

/* The handshake's end as the server sees it: in TLS 1.3 the client is done before its certificate was looked at. */
static enum tls_result server_result(const struct test_node *client_node)
{
        struct tls_ctx *server, *client;
        enum tls_result r[2];
        struct ends e;

        assert_ok(tls_mutual_server_new(&node_a.pem, &server));
        assert_ok(tls_mutual_client_new(&client_node->pem, &client));
        connect_ends(&e, server, client, "ignored.example", r);
        if (r[1] != TLS_OK)
                assert_peer(e.server, "", "");
        free_ends(&e);
        tls_ctx_free(client);
        tls_ctx_free(server);
        return r[1];
}

static void test_both_know_each_other(void **state)
{
        struct tls_ctx *server, *client;
        enum tls_result r[2];
        struct ends e;

        (void)state;
        assert_ok(tls_mutual_server_new(&node_a.pem, &server));
        assert_ok(tls_mutual_client_new(&node_b.pem, &client));
        connect_ends(&e, server, client, "127.0.0.1", r);
        assert_int_equal(r[0], TLS_OK);
        assert_int_equal(r[1], TLS_OK);
        assert_peer(e.client, "node-a", "uuid-1");
        assert_peer(e.server, "node-b", "uuid-1");
        free_ends(&e);
        tls_ctx_free(client);
        tls_ctx_free(server);
}

static void test_strangers(void **state)
{
        struct tls_ctx *server, *client;
        enum tls_result r[2];
        struct ends e;

        (void)state;
        assert_int_equal(server_result(&node_b), TLS_OK);
        assert_int_equal(server_result(&foreign), TLS_FAILED); /* it does not even believe the server */
        struct test_node spy = foreign; /* knows our authority, has no certificate of it */
        spy.pem.ca = ca.cert;
        assert_int_equal(server_result(&spy), TLS_FAILED);
        /* and a client does not take a server of another authority */
        assert_ok(tls_mutual_server_new(&foreign.pem, &server));
        assert_ok(tls_mutual_client_new(&node_b.pem, &client));
        connect_ends(&e, server, client, NULL, r);
        assert_int_equal(r[0], TLS_FAILED);
        assert_non_null(strstr(tls_failure(e.client), "certificate"));
        free_ends(&e);
        tls_ctx_free(client);
        tls_ctx_free(server);
}

static void test_time(void **state)
{
        (void)state;
        assert_int_equal(server_result(&brief), TLS_OK);
        clock_set_offset_ns((int64_t)200 * NS_PER_SEC);
        assert_int_equal(server_result(&brief), TLS_FAILED);
        assert_int_equal(server_result(&node_b), TLS_OK);
        clock_set_offset_ns((int64_t)-48 * HOUR * NS_PER_SEC); /* before all of them */
        assert_int_equal(server_result(&node_b), TLS_FAILED);
        clock_set_offset_ns(0);
}

static void test_joiner(void **state)
{
        struct tls_ctx *server, *client;
        enum tls_result r[2];
        struct ends e;

        (void)state;
        assert_ok(tls_mutual_server_new(&node_a.pem, &server));
        assert_ok(tls_pinned_client_new(ca.print, &client));
        connect_ends(&e, server, client, "127.0.0.1", r);
        assert_int_equal(r[0], TLS_OK);
        assert_int_equal(r[1], TLS_OK);
        assert_peer(e.client, "node-a", "uuid-1");
        assert_peer(e.server, "", ""); /* anonymous */
        free_ends(&e);
        tls_ctx_free(client);
        /* another authority's print: refused, though the server's chain is sound */
        assert_ok(tls_pinned_client_new(stranger.print, &client));
        connect_ends(&e, server, client, NULL, r);
        assert_int_equal(r[0], TLS_FAILED);
        assert_peer(e.client, "", "");
        free_ends(&e);
        tls_ctx_free(client);
        /* the print of the server's own certificate is not that of an authority: nothing signs for it */
        char print[65];
        assert_ok(pki_fingerprint(node_a.cert, print));
        assert_ok(tls_pinned_client_new(print, &client));
        connect_ends(&e, server, client, NULL, r);
        assert_int_equal(r[0], TLS_FAILED);
        free_ends(&e);
        tls_ctx_free(client);
        tls_ctx_free(server);
        assert_err(tls_pinned_client_new("abc", &client), ERR_INVALID);
}

/* Someone who shows the pinned authority's certificate, but was not signed by it. */
static void test_joiner_is_not_fooled(void **state)
{
        struct tls_ctx *server, *client;
        enum tls_result r[2];
        struct ends e;
        struct tls_pem fake = { .cert = foreign.cert, .key = foreign.key, .ca = ca.cert };

        (void)state;
        assert_ok(tls_mutual_server_new(&fake, &server));
        assert_ok(tls_pinned_client_new(ca.print, &client));
        connect_ends(&e, server, client, NULL, r);
        assert_int_equal(r[0], TLS_FAILED);
        free_ends(&e);
        tls_ctx_free(client);
        tls_ctx_free(server);
}

static void test_old_versions(void **state)
{
        struct tls_ctx *server;
        struct tls_conn *conn;
        int fd[2];
        SSL_CTX *old = SSL_CTX_new(TLS_client_method());
        SSL *ssl;
        enum tls_result r = TLS_WANT_READ;

        (void)state;
        assert_ok(tls_mutual_server_new(&node_a.pem, &server));
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
        assert_ok(tls_conn_new(server, fd[0], NULL, &conn));
        SSL_CTX_set_max_proto_version(old, TLS1_2_VERSION);
        ssl = SSL_new(old);
        SSL_set_fd(ssl, fd[1]);
        for (unsigned i = 0; i < 10 && r != TLS_FAILED; i++) {
                (void)SSL_connect(ssl);
                r = tls_handshake(conn);
        }
        assert_int_equal(r, TLS_FAILED);
        SSL_free(ssl);
        SSL_CTX_free(old);
        tls_conn_free(conn);
        tls_ctx_free(server);
        (void)close(fd[0]);
        (void)close(fd[1]);
}

static void test_renewal(void **state)
{
        struct tls_ctx *server, *client;
        enum tls_result r[2];
        struct ends before, after;
        char byte;
        size_t n;

        (void)state;
        assert_ok(tls_mutual_server_new(&node_a.pem, &server));
        assert_ok(tls_mutual_client_new(&node_b.pem, &client));
        connect_ends(&before, server, client, NULL, r);
        assert_int_equal(r[0], TLS_OK);
        struct tls_pem mixed = { .cert = node_a.cert, .key = node_b.key, .ca = ca.cert }; /* do not belong together */
        assert_err(tls_ctx_set_pem(server, &mixed), ERR_INVALID);
        assert_ok(tls_ctx_set_pem(server, &brief.pem));
        connect_ends(&after, server, client, NULL, r);
        assert_int_equal(r[0], TLS_OK);
        assert_peer(after.client, "node-c", "uuid-1");
        assert_peer(before.client, "node-a", "uuid-1");
        assert_int_equal(tls_write(before.server, "x", 1, &n), TLS_OK);
        assert_int_equal(tls_read(before.client, &byte, 1, &n), TLS_OK);
        free_ends(&after);
        tls_ctx_free(server); /* a connection outlives its context */
        assert_int_equal(tls_write(before.server, "y", 1, &n), TLS_OK);
        assert_int_equal(tls_read(before.client, &byte, 1, &n), TLS_OK);
        assert_int_equal(byte, 'y');
        free_ends(&before);
        tls_ctx_free(client);
}

static void test_bad_texts(void **state)
{
        struct tls_ctx *ctx;
        struct tls_pem none = { .cert = "", .key = node_a.key, .ca = ca.cert };
        struct tls_pem swapped = { .cert = node_a.key, .key = node_a.cert, .ca = ca.cert };
        struct tls_pem no_ca = { .cert = node_a.cert, .key = node_a.key, .ca = "x" };

        (void)state;
        assert_err(tls_mutual_server_new(&none, &ctx), ERR_INVALID);
        assert_err(tls_mutual_client_new(&swapped, &ctx), ERR_INVALID);
        assert_err(tls_mutual_server_new(&no_ca, &ctx), ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_both_know_each_other),
                cmocka_unit_test(test_strangers),
                cmocka_unit_test(test_time),
                cmocka_unit_test(test_joiner),
                cmocka_unit_test(test_joiner_is_not_fooled),
                cmocka_unit_test(test_old_versions),
                cmocka_unit_test(test_renewal),
                cmocka_unit_test(test_bad_texts),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
