/* os/pki_priv.h: what pki.c and tls.c share of OpenSSL. */
#ifndef ORLOP_OS_PKI_PRIV_H
#define ORLOP_OS_PKI_PRIV_H

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "os/pki.h"

/* OpenSSL's first reason as an error; empties its queue. */
struct err *os__ssl_err(enum err_code code, const char *what);
/* The one value of this kind (NID_commonName …) in a name; "" when absent, repeated, too long, or with a zero byte. */
void os__name_part(const X509_NAME *name, int nid, char ret[static PKI_NAME_MAX + 1]);
/* Unix seconds; 0 if it is none. */
int64_t os__unix_seconds(const ASN1_TIME *t);
/* The first certificate of a PEM text. INVALID. */
MUST_CHECK struct err *os__cert_read(const char *pem, X509 **ret);
/* All certificates of a PEM text, at least one. INVALID. */
MUST_CHECK struct err *os__certs_read(const char *pem, STACK_OF(X509) **ret);
/* A private key. INVALID. Never asks for a passphrase. */
MUST_CHECK struct err *os__key_read(const char *pem, EVP_PKEY **ret);
/* SHA-256 of a certificate's DER form. */
bool os__cert_digest(const X509 *x, unsigned char ret[static 32]);

#endif
