/* os/tls_nodes.c: contexts between nodes.
 *
 * Both ends hold a certificate of the cluster's authority and verify the other's; what it says is who the peer is. Two
 * exceptions make joining possible: a server lets a client in that shows nothing (the caller decides what such a client
 * may do), and a joiner, which has no authority yet, pins one by its fingerprint.
 *
 * Failure: texts that are no certificates or keys, or do not belong together, are INVALID, and nothing is replaced. */
#include <string.h>

#include "os/tls_priv.h"

/* A joiner knows its authority by a fingerprint alone: the certificate of that print in the server's chain is trusted,
 * and then everything is verified as ever. */
static int verify_pinned(X509_STORE_CTX *v, void *arg)
{
        const SSL *ssl = X509_STORE_CTX_get_ex_data(v, SSL_get_ex_data_X509_STORE_CTX_idx());
        const struct tls_conn *c = SSL_get_app_data(ssl);
        STACK_OF(X509) *chain = X509_STORE_CTX_get0_untrusted(v), *trusted = sk_X509_new_null();
        int ok = 0;

        (void)arg;
        if (!trusted)
                return 0;
        for (int i = 0; i < sk_X509_num(chain); i++) {
                unsigned char digest[32];
                X509 *x = sk_X509_value(chain, i);

                if (os__cert_digest(x, digest) && CRYPTO_memcmp(digest, c->pin, PIN_BYTES) == 0)
                        ok = sk_X509_push(trusted, x) > 0;
        }
        X509_STORE_CTX_set0_trusted_stack(v, trusted);
        if (ok)
                ok = X509_verify_cert(v);
        else
                X509_STORE_CTX_set_error(v, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT);
        sk_X509_free(trusted); /* the chain that was found has references of its own */
        return ok;
}

/* TLS 1.3, and no resumption: a resumed session would not look at certificates again. */
static struct err *new_node_ctx(bool client, SSL_CTX **ret)
{
        SSL_CTX *s;

        TRY(os__ssl_ctx_new(client, &s));
        (void)SSL_CTX_set_options(s, SSL_OP_NO_TICKET);
        (void)SSL_CTX_set_session_cache_mode(s, SSL_SESS_CACHE_OFF);
        if (!SSL_CTX_set_min_proto_version(s, TLS1_3_VERSION) || SSL_CTX_set_num_tickets(s, 0) != 1) {
                SSL_CTX_free(s);
                return os__ssl_err(ERR_INTERNAL, "TLS parameters");
        }
        *ret = s;
        return NULL;
}

/* Own certificate and key, the authorities to believe, and for servers the first of them in the chain, so that a joiner
 * can see whom it has pinned. */
static struct err *use_pem(SSL_CTX *s, bool client, X509 *cert, EVP_PKEY *key, STACK_OF(X509) *cas)
{
        if (SSL_CTX_use_certificate(s, cert) != 1 || SSL_CTX_use_PrivateKey(s, key) != 1 ||
            SSL_CTX_check_private_key(s) != 1)
                return os__ssl_err(ERR_INVALID, "certificate and key");
        for (int i = 0; i < sk_X509_num(cas); i++)
                if (X509_STORE_add_cert(SSL_CTX_get_cert_store(s), sk_X509_value(cas, i)) != 1)
                        return os__ssl_err(ERR_INVALID, "authority");
        (void)SSL_CTX_set_mode(s, SSL_MODE_NO_AUTO_CHAIN);
        if (!client && (SSL_CTX_add1_chain_cert(s, sk_X509_value(cas, 0)) != 1 ||
                        SSL_CTX_add_client_CA(s, sk_X509_value(cas, 0)) != 1))
                return os__ssl_err(ERR_INTERNAL, "authority");
        SSL_CTX_set_verify(s, SSL_VERIFY_PEER, NULL);
        return NULL;
}

static struct err *load_pem(bool client, const struct tls_pem *pem, SSL_CTX **ret)
{
        X509 *cert = NULL;
        EVP_PKEY *key = NULL;
        STACK_OF(X509) *cas = NULL;
        SSL_CTX *s = NULL;
        struct err *e = os__cert_read(pem->cert, &cert);

        if (!e)
                e = os__key_read(pem->key, &key);
        if (!e)
                e = os__certs_read(pem->ca, &cas);
        if (!e)
                e = new_node_ctx(client, &s);
        if (!e)
                e = use_pem(s, client, cert, key, cas);
        X509_free(cert);
        EVP_PKEY_free(key);
        sk_X509_pop_free(cas, X509_free);
        if (e) {
                SSL_CTX_free(s);
                return err_wrap(e, "TLS between nodes");
        }
        *ret = s;
        return NULL;
}

static struct err *mutual_new(bool client, const struct tls_pem *pem, struct tls_ctx **ret)
{
        struct tls_ctx *c;
        struct err *e;

        TRY(os__tls_ctx_new(client, &c));
        c->kind = KIND_MUTUAL;
        e = load_pem(client, pem, &c->ssl);
        if (e) {
                tls_ctx_free(c);
                return e;
        }
        *ret = c;
        return NULL;
}

struct err *tls_mutual_server_new(const struct tls_pem *pem, struct tls_ctx **ret)
{
        return mutual_new(false, pem, ret);
}

struct err *tls_mutual_client_new(const struct tls_pem *pem, struct tls_ctx **ret)
{
        return mutual_new(true, pem, ret);
}

struct err *tls_pinned_client_new(const char *ca_fingerprint, struct tls_ctx **ret)
{
        unsigned char pin[PIN_BYTES];
        struct tls_ctx *c;
        struct err *e;

        if (!str_from_hex(str_of(ca_fingerprint), pin, sizeof(pin)))
                return err_new(ERR_INVALID, "not the fingerprint of an authority: \"%.80s\"", ca_fingerprint);
        TRY(os__tls_ctx_new(true, &c));
        c->kind = KIND_PINNED;
        memcpy(c->pin, pin, sizeof(pin));
        e = new_node_ctx(true, &c->ssl);
        if (e) {
                tls_ctx_free(c);
                return e;
        }
        SSL_CTX_set_verify(c->ssl, SSL_VERIFY_PEER, NULL);
        SSL_CTX_set_cert_verify_callback(c->ssl, verify_pinned, NULL);
        *ret = c;
        return NULL;
}

struct err *tls_ctx_set_pem(struct tls_ctx *c, const struct tls_pem *pem)
{
        SSL_CTX *fresh;

        ASSERT(c->kind == KIND_MUTUAL);
        TRY(load_pem(c->client, pem, &fresh));
        os__tls_ctx_swap(c, fresh);
        return NULL;
}
