/* os/tls.h: TLS 1.2 (AEAD suites with forward secrecy only) and 1.3 over OpenSSL, non-blocking. OpenSSL is seen here,
 * in os/pki and in base/hash alone.
 *
 * A context holds certificate and key and can be reloaded while connections live: new handshakes take the new one. A
 * connection belongs to one thread at a time. */
#ifndef ORLOP_OS_TLS_H
#define ORLOP_OS_TLS_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct tls_ctx;
struct tls_conn;

/* A server context from PEM files; ERR_INVALID with OpenSSL's reason. No compression, no renegotiation, session
 * tickets on, ALPN http/1.1. */
MUST_CHECK struct err *tls_server_new(const char *cert_file, const char *key_file, struct tls_ctx **ret);
/* Reads the files again; on error the old pair stays. Any thread. */
MUST_CHECK struct err *tls_server_reload(struct tls_ctx *ctx);
struct tls_cert_info {
        int64_t not_before, not_after; /* Unix seconds */
        char subject[256], issuer[256], serial[64], version[8], public_key_algorithm[32], signature_algorithm[32];
};
/* Facts of the certificate in force. */
MUST_CHECK struct err *tls_server_info(struct tls_ctx *ctx, struct tls_cert_info *ret);
/* A client context: verifies against ca_file (null: the system's), or not at all when insecure. */
MUST_CHECK struct err *tls_client_new(const char *ca_file, bool insecure, struct tls_ctx **ret);

/* Between nodes: TLS 1.3 alone, certificates of the cluster's own authority at both ends. A peer is who its certificate
 * says (tls_peer_id); host names are neither sent nor looked at. Validity is judged by os/clock. Sessions are not
 * resumed: each handshake looks at the certificate in force. */
struct tls_pem {
        const char *cert; /* of this node */
        const char *key;
        const char *ca;   /* one or more authorities, the own first; a server sends the first one along */
};
/* Asks for a client's certificate, but takes a client without: it is anonymous. One that does not verify ends the
 * handshake. Texts are borrowed for the call. INVALID. */
MUST_CHECK struct err *tls_mutual_server_new(const struct tls_pem *pem, struct tls_ctx **ret);
/* A node's side of calls to others. INVALID. */
MUST_CHECK struct err *tls_mutual_client_new(const struct tls_pem *pem, struct tls_ctx **ret);
/* A joiner's: it has no certificate, and takes a server whose chain ends in the authority with this fingerprint
 * (pki_fingerprint). INVALID. */
MUST_CHECK struct err *tls_pinned_client_new(const char *ca_fingerprint, struct tls_ctx **ret);
/* New credentials for a mutual context; connections keep those they began with. On error the old ones stay. Any thread. */
MUST_CHECK struct err *tls_ctx_set_pem(struct tls_ctx *ctx, const struct tls_pem *pem);

/* Ends a context; connections in flight keep what they need. Null is fine. */
void tls_ctx_free(struct tls_ctx *ctx);

/* A connection on a connected, non-blocking socket; `host` is the expected name (clients; SNI and verification),
 * null for servers; not used by contexts between nodes. */
MUST_CHECK struct err *tls_conn_new(struct tls_ctx *ctx, int fd, const char *host, struct tls_conn **ret);
/* Ends it without closing fd. Null is fine. */
void tls_conn_free(struct tls_conn *c);
enum tls_result { TLS_OK, TLS_WANT_READ, TLS_WANT_WRITE, TLS_CLOSED, TLS_FAILED };
/* Goes on with the handshake. */
enum tls_result tls_handshake(struct tls_conn *c);
/* Reads up to n bytes; *ret_n is set with TLS_OK. */
enum tls_result tls_read(struct tls_conn *c, void *p, size_t n, size_t *ret_n);
/* Writes up to n bytes; partial writes happen. After WANT_* call again with the same bytes. */
enum tls_result tls_write(struct tls_conn *c, const void *p, size_t n, size_t *ret_n);
/* Bytes that can be read without the socket. */
size_t tls_pending(struct tls_conn *c);
/* Sends close_notify if possible without waiting. */
void tls_shutdown(struct tls_conn *c);
/* Node id (CN) and cluster (O) of the peer's verified certificate; "" when it has none, or before the handshake. */
void tls_peer_id(const struct tls_conn *c, char ret_id[static 64], char ret_org[static 64]);
/* Text of the last failure for logs. */
const char *tls_failure(const struct tls_conn *c);

#endif
