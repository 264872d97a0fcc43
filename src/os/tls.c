/* TLS over OpenSSL, non-blocking.
 *
 * A context is a pointer to an SSL_CTX under a lock; a reload builds a new SSL_CTX and swaps the pointer, and each
 * connection keeps the one it began with (SSL_new takes a reference). Contexts between nodes verify both ends against
 * the cluster's authority; that a client shows nothing is not a failure, since a joiner has nothing yet. The socket is driven by a BIO of our own,
 * because OpenSSL's writes with write(2), which raises SIGPIPE in programs that use liborlop.
 *
 * Failure: a handshake or record error makes the connection TLS_FAILED for good; the caller closes the socket.
 * OpenSSL's error queue is per thread and is emptied before each call, so that one connection's failure is not read
 * as another's. */
#include "os/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/str.h"
#include "os/clock.h"
#include "os/tls_priv.h"

/* The socket BIO: its data is the descriptor. */

static int bio_fd(BIO *b)
{
        return (int)(intptr_t)BIO_get_data(b);
}

static int bio_write(BIO *b, const char *p, int n)
{
        ssize_t r = send(bio_fd(b), p, (size_t)n, MSG_NOSIGNAL);

        BIO_clear_retry_flags(b);
        if (r < 0 && (errno == EAGAIN || errno == EINTR))
                BIO_set_retry_write(b);
        return (int)r;
}

static int bio_read(BIO *b, char *p, int n)
{
        ssize_t r = recv(bio_fd(b), p, (size_t)n, 0);

        BIO_clear_retry_flags(b);
        if (r < 0 && (errno == EAGAIN || errno == EINTR))
                BIO_set_retry_read(b);
        if (r == 0)
                BIO_set_flags(b, BIO_FLAGS_IN_EOF);
        return (int)r;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr)
{
        (void)num;
        (void)ptr;
        if (cmd == BIO_CTRL_EOF)
                return BIO_test_flags(b, BIO_FLAGS_IN_EOF) != 0;
        return cmd == BIO_CTRL_FLUSH;
}

static int bio_create(BIO *b)
{
        BIO_set_init(b, 1);
        return 1;
}

static BIO_METHOD *bio_method;
static pthread_once_t bio_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void)
{
        BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");

        if (m && BIO_meth_set_write(m, bio_write) && BIO_meth_set_read(m, bio_read) && BIO_meth_set_ctrl(m, bio_ctrl) &&
            BIO_meth_set_create(m, bio_create))
                bio_method = m;
}

/* Contexts. */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *outlen, const unsigned char *in,
                       unsigned inlen, void *arg)
{
        static const unsigned char ours[] = "\x08http/1.1";
        unsigned char *chosen;

        (void)ssl;
        (void)arg;
        /* RFC 7301 §3.2: a client that offers nothing we speak gets no_application_protocol. */
        if (SSL_select_next_proto(&chosen, outlen, ours, sizeof(ours) - 1, in, inlen) != OPENSSL_NPN_NEGOTIATED)
                return SSL_TLSEXT_ERR_ALERT_FATAL;
        *out = chosen;
        return SSL_TLSEXT_ERR_OK;
}

struct err *os__ssl_ctx_new(bool client, SSL_CTX **ret)
{
        static const unsigned char alpn[] = "\x08http/1.1";
        SSL_CTX *s;

        ERR_clear_error();
        s = SSL_CTX_new(client ? TLS_client_method() : TLS_server_method());
        if (!s)
                return os__ssl_err(ERR_INTERNAL, "TLS context");
        (void)SSL_CTX_set_options(s, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                             SSL_OP_PRIORITIZE_CHACHA);
        (void)SSL_CTX_set_mode(s, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                          SSL_MODE_RELEASE_BUFFERS);
        if (!client)
                SSL_CTX_set_alpn_select_cb(s, choose_alpn, NULL);
        if (!SSL_CTX_set_min_proto_version(s, TLS1_2_VERSION) ||
            !SSL_CTX_set_cipher_list(s, "ECDHE+AESGCM:ECDHE+CHACHA20") ||
            (client && SSL_CTX_set_alpn_protos(s, alpn, sizeof(alpn) - 1) != 0)) {
                SSL_CTX_free(s);
                return os__ssl_err(ERR_INTERNAL, "TLS parameters");
        }
        *ret = s;
        return NULL;
}

static struct err *load_server(const struct tls_ctx *c, SSL_CTX **ret)
{
        static const unsigned char id[] = "orlop";
        SSL_CTX *s;
        struct err *e;

        TRY(os__ssl_ctx_new(false, &s));
        if (!SSL_CTX_set_session_id_context(s, id, sizeof(id) - 1) ||
            SSL_CTX_use_certificate_chain_file(s, c->cert_file) != 1)
                e = os__ssl_err(ERR_INVALID, c->cert_file);
        else if (SSL_CTX_use_PrivateKey_file(s, c->key_file, SSL_FILETYPE_PEM) != 1 ||
                 SSL_CTX_check_private_key(s) != 1)
                e = os__ssl_err(ERR_INVALID, c->key_file);
        else {
                *ret = s;
                return NULL;
        }
        SSL_CTX_free(s);
        return e;
}

static struct err *load_client(const struct tls_ctx *c, const char *ca_file, SSL_CTX **ret)
{
        SSL_CTX *s;
        int ok = 1;

        TRY(os__ssl_ctx_new(true, &s));
        SSL_CTX_set_verify(s, c->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
        if (!c->insecure)
                ok = ca_file ? SSL_CTX_load_verify_locations(s, ca_file, NULL) : SSL_CTX_set_default_verify_paths(s);
        if (ok != 1) {
                SSL_CTX_free(s);
                return os__ssl_err(ERR_INVALID, ca_file ? ca_file : "certificate authorities");
        }
        *ret = s;
        return NULL;
}

struct err *os__tls_ctx_new(bool client, struct tls_ctx **ret)
{
        struct tls_ctx *c;

        (void)pthread_once(&bio_once, make_bio_method);
        c = calloc(1, sizeof(*c));
        if (!c || !bio_method) {
                free(c);
                return err_static(ERR_NO_MEMORY);
        }
        mutex_init(&c->lock, "tls", RANK_OS);
        c->client = client;
        *ret = c;
        return NULL;
}

struct err *tls_server_new(const char *cert_file, const char *key_file, struct tls_ctx **ret)
{
        struct tls_ctx *c;
        struct err *e;

        TRY(os__tls_ctx_new(false, &c));
        c->cert_file = str_dup(str_of(cert_file));
        c->key_file = str_dup(str_of(key_file));
        e = c->cert_file && c->key_file ? load_server(c, &c->ssl) : err_static(ERR_NO_MEMORY);
        if (e) {
                tls_ctx_free(c);
                return err_wrap(e, "TLS certificate");
        }
        *ret = c;
        return NULL;
}

void os__tls_ctx_swap(struct tls_ctx *c, SSL_CTX *fresh)
{
        SSL_CTX *old;

        mutex_lock(&c->lock);
        old = c->ssl;
        c->ssl = fresh;
        mutex_unlock(&c->lock);
        SSL_CTX_free(old);
}

struct err *tls_server_reload(struct tls_ctx *c)
{
        SSL_CTX *fresh;

        TRY_WRAP(load_server(c, &fresh), "reload TLS certificate");
        os__tls_ctx_swap(c, fresh);
        return NULL;
}

struct err *tls_client_new(const char *ca_file, bool insecure, struct tls_ctx **ret)
{
        struct tls_ctx *c;
        struct err *e;

        TRY(os__tls_ctx_new(true, &c));
        c->insecure = insecure;
        e = load_client(c, ca_file, &c->ssl);
        if (e) {
                tls_ctx_free(c);
                return e;
        }
        *ret = c;
        return NULL;
}

void tls_ctx_free(struct tls_ctx *c)
{
        if (!c)
                return;
        SSL_CTX_free(c->ssl);
        mutex_fini(&c->lock);
        free(c->cert_file);
        free(c->key_file);
        free(c);
}

/* Facts of a certificate. */

static void name_text(const X509_NAME *name, char *buf, size_t size)
{
        BIO *b = BIO_new(BIO_s_mem());
        char *p = NULL;
        long n;

        buf[0] = 0;
        if (!b)
                return;
        if (X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253) >= 0) {
                n = BIO_get_mem_data(b, &p);
                (void)str_copy(buf, size, (struct str){ p, n > 0 ? (size_t)n : 0 });
        }
        BIO_free(b);
}

struct err *tls_server_info(struct tls_ctx *c, struct tls_cert_info *ret)
{
        struct tls_cert_info info = { .not_before = 0 };
        const X509 *x;
        BIGNUM *serial;
        char *hex;
        int nid;

        LOCK_SCOPE(&c->lock);
        x = SSL_CTX_get0_certificate(c->ssl);
        if (!x)
                return err_new(ERR_NOT_FOUND, "no certificate");
        info.not_before = os__unix_seconds(X509_get0_notBefore(x));
        info.not_after = os__unix_seconds(X509_get0_notAfter(x));
        name_text(X509_get_subject_name(x), info.subject, sizeof(info.subject));
        name_text(X509_get_issuer_name(x), info.issuer, sizeof(info.issuer));
        serial = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
        hex = serial ? BN_bn2hex(serial) : NULL;
        (void)str_copy(info.serial, sizeof(info.serial), str_of(hex ? hex : ""));
        OPENSSL_free(hex);
        BN_free(serial);
        (void)snprintf(info.version, sizeof(info.version), "%ld", (X509_get_version(x) + 1) % 1000);
        if (X509_get0_pubkey(x))
                (void)str_copy(info.public_key_algorithm, sizeof(info.public_key_algorithm),
                               str_of(OBJ_nid2sn(EVP_PKEY_get_base_id(X509_get0_pubkey(x)))));
        nid = X509_get_signature_nid(x);
        (void)str_copy(info.signature_algorithm, sizeof(info.signature_algorithm), str_of(OBJ_nid2sn(nid)));
        *ret = info;
        return NULL;
}

/* Connections. */

/* Names are checked against the certificate and sent as SNI; addresses are only checked (RFC 6066 §3: no literals in
 * SNI). */
static bool expect_host(SSL *ssl, const char *host, bool insecure)
{
        unsigned char ip[sizeof(struct in6_addr)];
        bool literal = inet_pton(AF_INET, host, ip) == 1 || inet_pton(AF_INET6, host, ip) == 1;

        if (!literal && SSL_set_tlsext_host_name(ssl, host) != 1)
                return false;
        if (insecure)
                return true;
        if (literal)
                return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1;
        SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        return SSL_set1_host(ssl, host) == 1;
}

struct err *tls_conn_new(struct tls_ctx *ctx, int fd, const char *host, struct tls_conn **ret)
{
        struct tls_conn *c = calloc(1, sizeof(*c));
        BIO *bio = NULL;

        if (!c)
                return err_static(ERR_NO_MEMORY);
        ERR_clear_error();
        mutex_lock(&ctx->lock);
        c->ssl = SSL_new(ctx->ssl);
        mutex_unlock(&ctx->lock);
        if (c->ssl)
                bio = BIO_new(bio_method);
        c->of_nodes = ctx->kind != KIND_PUBLIC;
        memcpy(c->pin, ctx->pin, sizeof(c->pin));
        if (c->ssl && c->of_nodes) {
                X509_VERIFY_PARAM_set_time(SSL_get0_param(c->ssl), (time_t)(clock_wall_ns() / NS_PER_SEC));
                host = NULL;
        }
        if (!bio || SSL_set_app_data(c->ssl, c) != 1 ||
            (ctx->client && host && !expect_host(c->ssl, host, ctx->insecure))) {
                BIO_free(bio);
                tls_conn_free(c);
                return os__ssl_err(ERR_INTERNAL, "TLS connection");
        }
        BIO_set_data(bio, (void *)(intptr_t)fd);
        SSL_set_bio(c->ssl, bio, bio);
        if (ctx->client)
                SSL_set_connect_state(c->ssl);
        else
                SSL_set_accept_state(c->ssl);
        *ret = c;
        return NULL;
}

void tls_conn_free(struct tls_conn *c)
{
        if (!c)
                return;
        SSL_free(c->ssl);
        free(c);
}

/* What a failed call means, and why for the log. */
static enum tls_result result_of(struct tls_conn *c, int r)
{
        int saved = errno;
        unsigned long n;
        long verify;

        switch (SSL_get_error(c->ssl, r)) {
        case SSL_ERROR_WANT_READ:
                return TLS_WANT_READ;
        case SSL_ERROR_WANT_WRITE:
                return TLS_WANT_WRITE;
        case SSL_ERROR_ZERO_RETURN:
                return TLS_CLOSED;
        default:
                break;
        }
        c->failed = true;
        n = ERR_peek_error();
        verify = SSL_get_verify_result(c->ssl);
        if (verify != X509_V_OK && !SSL_is_server(c->ssl) && SSL_get_verify_mode(c->ssl) != SSL_VERIFY_NONE)
                (void)snprintf(c->failure, sizeof(c->failure), "certificate: %s",
                               X509_verify_cert_error_string(verify));
        else if (n)
                ERR_error_string_n(n, c->failure, sizeof(c->failure));
        else
                (void)snprintf(c->failure, sizeof(c->failure), "connection lost (errno %d)", saved);
        ERR_clear_error();
        return TLS_FAILED;
}

enum tls_result tls_handshake(struct tls_conn *c)
{
        int r;

        if (c->failed)
                return TLS_FAILED;
        ERR_clear_error();
        r = SSL_do_handshake(c->ssl);
        return r == 1 ? TLS_OK : result_of(c, r);
}

enum tls_result tls_read(struct tls_conn *c, void *p, size_t n, size_t *ret_n)
{
        int r;

        if (c->failed)
                return TLS_FAILED;
        ERR_clear_error();
        r = SSL_read_ex(c->ssl, p, n, ret_n);
        return r == 1 ? TLS_OK : result_of(c, r);
}

enum tls_result tls_write(struct tls_conn *c, const void *p, size_t n, size_t *ret_n)
{
        int r;

        if (c->failed)
                return TLS_FAILED;
        ERR_clear_error();
        r = SSL_write_ex(c->ssl, p, n, ret_n);
        return r == 1 ? TLS_OK : result_of(c, r);
}

size_t tls_pending(struct tls_conn *c)
{
        int n = SSL_pending(c->ssl);

        return n > 0 ? (size_t)n : 0;
}

void tls_shutdown(struct tls_conn *c)
{
        if (c->failed || !SSL_is_init_finished(c->ssl))
                return;
        ERR_clear_error();
        (void)SSL_shutdown(c->ssl);
        ERR_clear_error();
}

void tls_peer_id(const struct tls_conn *c, char ret_id[static 64], char ret_org[static 64])
{
        const X509 *x = c->of_nodes && SSL_is_init_finished(c->ssl) ? SSL_get0_peer_certificate(c->ssl) : NULL;

        ret_id[0] = ret_org[0] = '\0';
        if (!x || SSL_get_verify_result(c->ssl) != X509_V_OK)
                return;
        os__name_part(X509_get_subject_name(x), NID_commonName, ret_id);
        os__name_part(X509_get_subject_name(x), NID_organizationName, ret_org);
}

const char *tls_failure(const struct tls_conn *c)
{
        return c->failure;
}
