/* os/test_cert.h: a certificate for tests, made on the spot. */
#ifndef ORLOP_OS_TEST_CERT_H
#define ORLOP_OS_TEST_CERT_H

#include "os/test_util.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* A self-signed certificate for `name` and 127.0.0.1, good for an hour, as DIR/cert.pem and DIR/key.pem; the paths
 * are written too. */
static inline void test_cert_make(const char *dir, const char *name, long serial, char cert_path[static 400],
                                  char key_path[static 400])
{
        EVP_PKEY *key = EVP_EC_gen("P-256");
        X509 *x = X509_new();
        char alt[100];
        X509_EXTENSION *ext;
        FILE *f;

        (void)snprintf(cert_path, 400, "%s/cert.pem", dir);
        (void)snprintf(key_path, 400, "%s/key.pem", dir);
        assert_true(key && x);
        X509_set_version(x, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(x), serial);
        X509_gmtime_adj(X509_getm_notBefore(x), -60);
        X509_gmtime_adj(X509_getm_notAfter(x), 3600);
        X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1,
                                   0);
        X509_set_issuer_name(x, X509_get_subject_name(x));
        (void)snprintf(alt, sizeof(alt), "DNS:%s,IP:127.0.0.1", name);
        ext = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, alt);
        assert_non_null(ext);
        X509_add_ext(x, ext, -1);
        X509_EXTENSION_free(ext);
        X509_set_pubkey(x, key);
        assert_true(X509_sign(x, key, EVP_sha256()) > 0);
        f = fopen(cert_path, "w");
        assert_true(f && PEM_write_X509(f, x) == 1 && fclose(f) == 0);
        f = fopen(key_path, "w");
        assert_true(f && PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1 && fclose(f) == 0);
        X509_free(x);
        EVP_PKEY_free(key);
}

#endif
