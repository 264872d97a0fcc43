/* os/pki.h: keys and certificates of a cluster's own authority (EC P-256, SHA-256), and sealed texts.
 *
 * A node makes its key and a request; who holds the authority's key signs it. A certificate names the node (CN) and the
 * cluster (O), and serves both ends of a connection: os/tls.h verifies peers against the authority, not by host name.
 * Texts are PEM, heap memory, NUL-terminated. Keys end with pki_secret_free(), which wipes them.
 * Threads: any, nothing is shared. Nothing waits; making or signing takes less than a millisecond.
 * Errors: INVALID (bad PEM, request or name), NO_MEMORY, INTERNAL. */
#ifndef ORLOP_OS_PKI_H
#define ORLOP_OS_PKI_H

#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

#define PKI_NAME_MAX 63 /* bytes of CN and O */
#define PKI_SEAL_KEY 32

/* A new authority called `name`: a self-signed certificate for thirty years that may sign nodes and nothing else. */
MUST_CHECK struct err *pki_ca_new(const char *name, char **ret_cert_pem, char **ret_key_pem);
/* A new key of a node, and a request to certify it as `id`. */
MUST_CHECK struct err *pki_request_new(const char *id, char **ret_key_pem, char **ret_csr_pem);
/* Signs a request: the subject is {id, org} whatever the request says (its signature is checked: the asker has the
 * key), valid from a day ago, because clocks differ, to not_after (Unix seconds), for client and server. */
MUST_CHECK struct err *pki_sign(const char *ca_cert_pem, const char *ca_key_pem, const char *csr_pem, const char *id,
                                const char *org, int64_t not_after, char **ret_cert_pem);
/* SHA-256 of the first certificate of a text, in lower-case hex. */
MUST_CHECK struct err *pki_fingerprint(const char *cert_pem, char ret_hex[static 65]);
struct pki_facts {
        char id[PKI_NAME_MAX + 1], org[PKI_NAME_MAX + 1]; /* CN and O; "" when absent, repeated or too long */
        char serial[65];                                  /* hex */
        int64_t not_before, not_after;                    /* Unix seconds */
        bool authority;                                   /* may sign others */
};
/* Facts of the first certificate of a text. */
MUST_CHECK struct err *pki_cert_facts(const char *cert_pem, struct pki_facts *ret);
/* Whether this certificate was signed by that authority, and is in force now. ACCESS if not. */
MUST_CHECK struct err *pki_verify(const char *ca_cert_pem, const char *cert_pem);

/* Appends the sealed form of `plain` to b: "s1." and base64url of nonce, AES-256-GCM text and tag. One key may seal
 * 2^32 texts. */
MUST_CHECK struct err *pki_seal(const unsigned char key[static PKI_SEAL_KEY], struct str plain, struct buf *b);
/* Appends what was sealed. MALFORMED: not such a text; CORRUPT: another key, or it was changed. */
MUST_CHECK struct err *pki_unseal(const unsigned char key[static PKI_SEAL_KEY], struct str sealed, struct buf *b);

/* Wipes and frees a key. Null is fine. */
void pki_secret_free(char *pem);

#endif
