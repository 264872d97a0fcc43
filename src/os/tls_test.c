/* TLS over a socket pair: handshake, data both ways, verification by name, refusal of old versions, reload under
 * live connections. */
#include "os/test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/ssl.h>

#include "os/file.h"
#include "os/test_cert.h"
#include "os/test_tls.h"
#include "os/tls.h"

static char cert_path[400], key_path[400];

static char *dir;
static int setup(void **state)
{
        void *p = NULL;

        (void)state;
        if (test_dir_new(&p) != 0)
                return -1;
        dir = p;
        test_cert_make(dir, "node.example", 7, cert_path, key_path);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        assert_ok(file_remove_tree(AT_FDCWD, dir));
        free(dir);
        return 0;
}

/* n bytes from one end to the other in whatever pieces come. */
static void pump(struct tls_conn *from, struct tls_conn *to, size_t n)
{
        char *sent = malloc(n), *got = malloc(n);
        size_t out = 0, in = 0;

        assert_true(sent && got);
        for (size_t i = 0; i < n; i++)
                sent[i] = (char)(i * 31 + i / 251);
        for (unsigned round = 0; in < n && round < 1000000; round++) {
                size_t k = 0;

                if (out < n && tls_write(from, sent + out, n - out, &k) == TLS_OK)
                        out += k;
                enum tls_result r = tls_read(to, got + in, n - in, &k);
                assert_true(r == TLS_OK || r == TLS_WANT_READ);
                if (r == TLS_OK)
                        in += k;
        }
        assert_int_equal(in, n);
        assert_memory_equal(sent, got, n);
        free(sent);
        free(got);
}

static void test_data(void **state)
{
        struct tls_ctx *server, *client;
        struct ends e;
        enum tls_result r[2];
        char byte;
        size_t n;

        (void)state;
        assert_ok(tls_server_new(cert_path, key_path, &server));
        assert_ok(tls_client_new(cert_path, false, &client));
        connect_ends(&e, server, client, "node.example", r);
        assert_int_equal(r[0], TLS_OK);
        assert_int_equal(r[1], TLS_OK);
        pump(e.client, e.server, 300000);
        pump(e.server, e.client, 300000);
        assert_int_equal(tls_pending(e.client), 0);
        assert_int_equal(tls_read(e.server, &byte, 1, &n), TLS_WANT_READ);
        tls_shutdown(e.client);
        assert_int_equal(tls_read(e.server, &byte, 1, &n), TLS_CLOSED);
        free_ends(&e);
        /* Cut without close_notify: not a clean end. */
        connect_ends(&e, server, client, "127.0.0.1", r);
        assert_int_equal(r[0], TLS_OK);
        (void)shutdown(e.fd[1], SHUT_RDWR);
        assert_int_equal(tls_read(e.server, &byte, 1, &n), TLS_FAILED);
        assert_true(strlen(tls_failure(e.server)) > 0);
        assert_int_equal(tls_write(e.server, "x", 1, &n), TLS_FAILED); /* and no SIGPIPE */
        free_ends(&e);
        tls_ctx_free(client);
        tls_ctx_free(server);
}

static void test_verification(void **state)
{
        struct tls_ctx *server, *client;
        struct ends e;
        enum tls_result r[2];

        (void)state;
        assert_ok(tls_server_new(cert_path, key_path, &server));
        assert_ok(tls_client_new(cert_path, false, &client));
        connect_ends(&e, server, client, "other.example", r);
        assert_int_equal(r[0], TLS_FAILED);
        assert_non_null(strstr(tls_failure(e.client), "certificate"));
        free_ends(&e);
        tls_ctx_free(client);
        assert_ok(tls_client_new(NULL, false, &client)); /* the system does not know our certificate */
        connect_ends(&e, server, client, "node.example", r);
        assert_int_equal(r[0], TLS_FAILED);
        free_ends(&e);
        tls_ctx_free(client);
        assert_ok(tls_client_new(NULL, true, &client));
        connect_ends(&e, server, client, "other.example", r);
        assert_int_equal(r[0], TLS_OK);
        free_ends(&e);
        tls_ctx_free(client);
        tls_ctx_free(server);
}

static void test_old_versions(void **state)
{
        struct tls_ctx *server;
        SSL_CTX *old = SSL_CTX_new(TLS_client_method());
        int fd[2];
        struct tls_conn *c;
        SSL *ssl;
        enum tls_result r = TLS_WANT_READ;

        (void)state;
        assert_ok(tls_server_new(cert_path, key_path, &server));
        SSL_CTX_set_security_level(old, 0);
        assert_int_equal(SSL_CTX_set_min_proto_version(old, TLS1_VERSION), 1);
        assert_int_equal(SSL_CTX_set_max_proto_version(old, TLS1_1_VERSION), 1);
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
        ssl = SSL_new(old);
        SSL_set_fd(ssl, fd[1]);
        SSL_set_connect_state(ssl);
        assert_ok(tls_conn_new(server, fd[0], NULL, &c));
        for (unsigned i = 0; i < 5 && r == TLS_WANT_READ; i++) {
                (void)SSL_do_handshake(ssl);
                r = tls_handshake(c);
        }
        assert_int_equal(r, TLS_FAILED);
        SSL_free(ssl);
        SSL_CTX_free(old);
        tls_conn_free(c);
        tls_ctx_free(server);
        (void)close(fd[0]);
        (void)close(fd[1]);
}

static void test_reload(void **state)
{
        struct tls_ctx *server, *client;
        struct tls_cert_info before, after;
        struct ends e;
        enum tls_result r[2];
        FILE *f;

        (void)state;
        assert_ok(tls_server_new(cert_path, key_path, &server));
        assert_ok(tls_client_new(NULL, true, &client));
        assert_ok(tls_server_info(server, &before));
        assert_string_equal(before.serial, "07");
        assert_string_equal(before.subject, "CN=node.example");
        assert_string_equal(before.version, "3");
        assert_true(before.not_after - before.not_before == 3660);
        connect_ends(&e, server, client, "node.example", r);
        test_cert_make(dir, "new.example", 8, cert_path, key_path);
        assert_ok(tls_server_reload(server));
        pump(e.client, e.server, 100000); /* the old connection lives on */
        free_ends(&e);
        assert_ok(tls_server_info(server, &after));
        assert_string_equal(after.serial, "08");
        f = fopen(key_path, "w");
        assert_true(f && fputs("garbage", f) >= 0 && fclose(f) == 0);
        assert_err(tls_server_reload(server), ERR_INVALID);
        assert_ok(tls_server_info(server, &after));
        assert_string_equal(after.serial, "08");
        connect_ends(&e, server, client, "new.example", r);
        assert_int_equal(r[0], TLS_OK);
        tls_ctx_free(server); /* connections keep what they need */
        pump(e.server, e.client, 1000);
        free_ends(&e);
        tls_ctx_free(client);
        assert_err(tls_server_new("/nonexistent", key_path, &server), ERR_INVALID);
        test_cert_make(dir, "node.example", 7, cert_path, key_path);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_data), cmocka_unit_test(test_verification),
                                            cmocka_unit_test(test_old_versions), cmocka_unit_test(test_reload) };
        return cmocka_run_group_tests(tests, setup, teardown);
}
