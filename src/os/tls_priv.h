/* os/tls_priv.h: what tls.c (contexts of the public, connections) and tls_nodes.c (contexts between nodes) share. */
#ifndef ORLOP_OS_TLS_PRIV_H
#define ORLOP_OS_TLS_PRIV_H

#include <openssl/ssl.h>

#include "os/pki_priv.h"
#include "os/thread.h"
#include "os/tls.h"

/* Whom a context is for: clients of the public, or nodes among themselves. */
enum ctx_kind { KIND_PUBLIC, KIND_MUTUAL, KIND_PINNED };
#define PIN_BYTES 32

struct tls_ctx {
        struct mutex lock;
        SSL_CTX *ssl; /* guarded by lock */
        char *cert_file, *key_file;
        bool client, insecure;
        enum ctx_kind kind;
        unsigned char pin[PIN_BYTES]; /* KIND_PINNED */
};

struct tls_conn {
        SSL *ssl;
        bool failed;
        bool of_nodes; /* its peer's certificate tells who it is */
        unsigned char pin[PIN_BYTES];
        char failure[160];
};

/* A context without certificate; its lock is ready. */
MUST_CHECK struct err *os__tls_ctx_new(bool client, struct tls_ctx **ret);
/* OpenSSL's context with our parameters, ALPN http/1.1 included. */
MUST_CHECK struct err *os__ssl_ctx_new(bool client, SSL_CTX **ret);
/* New handshakes take the fresh one; connections hold on to theirs. */
void os__tls_ctx_swap(struct tls_ctx *c, SSL_CTX *fresh);

#endif
