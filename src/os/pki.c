/* os/pki.c: keys, requests and certificates over OpenSSL. Sealed texts are in pki_seal.c.
 *
 * Happy path of a node: pki_request_new at the joiner, pki_sign where the authority's key is, and the certificate goes
 * back. A request is taken for the key in it alone: the subject and all extensions are ours, so that nobody asks for
 * more than a node's certificate. Failures come from bad texts (INVALID) or memory; OpenSSL's reason is in the message,
 * and its error queue, which is per thread, is left empty. */
#include "os/pki_priv.h"

#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "os/clock.h"
#include "os/random.h"

#define DAY ((int64_t)24 * 3600)
#define CA_YEARS 30

struct err *os__ssl_err(enum err_code code, const char *what)
{
        unsigned long n = ERR_get_error();
        char reason[160] = "unknown reason";

        if (n)
                ERR_error_string_n(n, reason, sizeof(reason));
        ERR_clear_error();
        return err_new(code, "%s: %s", what, reason);
}

/* Cleanup of OpenSSL's objects. */
static void cleanup_x509(X509 **p)
{
        X509_free(*p);
}
static void cleanup_req(X509_REQ **p)
{
        X509_REQ_free(*p);
}
static void cleanup_pkey(EVP_PKEY **p)
{
        EVP_PKEY_free(*p);
}
static void cleanup_bio(BIO **p)
{
        BIO_free_all(*p);
}
#define AUTO(name) __attribute__((cleanup(cleanup_##name)))

/* PEM texts. */

/* We are never asked for a passphrase: a text that needs one is refused. */
static int no_passphrase(char *buf, int size, int writing, void *arg)
{
        (void)buf;
        (void)size;
        (void)writing;
        (void)arg;
        return -1;
}

static BIO *text_bio(const char *pem)
{
        ERR_clear_error();
        return BIO_new_mem_buf(pem, -1);
}

struct err *os__cert_read(const char *pem, X509 **ret)
{
        AUTO(bio) BIO *b = text_bio(pem);
        X509 *x = b ? PEM_read_bio_X509(b, NULL, no_passphrase, NULL) : NULL;

        if (!x)
                return os__ssl_err(ERR_INVALID, "certificate");
        *ret = x;
        return NULL;
}

struct err *os__certs_read(const char *pem, STACK_OF(X509) **ret)
{
        AUTO(bio) BIO *b = text_bio(pem);
        STACK_OF(X509) *all = sk_X509_new_null();
        X509 *x;

        while (b && all && (x = PEM_read_bio_X509(b, NULL, no_passphrase, NULL)))
                if (!sk_X509_push(all, x)) {
                        X509_free(x);
                        break;
                }
        /* The text's end is "no start line"; anything else is damage behind the first certificate. */
        if (sk_X509_num(all) < 1 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
                sk_X509_pop_free(all, X509_free);
                return os__ssl_err(ERR_INVALID, "certificates");
        }
        ERR_clear_error();
        *ret = all;
        return NULL;
}

struct err *os__key_read(const char *pem, EVP_PKEY **ret)
{
        AUTO(bio) BIO *b = text_bio(pem);
        EVP_PKEY *k = b ? PEM_read_bio_PrivateKey(b, NULL, no_passphrase, NULL) : NULL;

        if (!k)
                return os__ssl_err(ERR_INVALID, "private key");
        *ret = k;
        return NULL;
}

/* What was written into a memory BIO as text; the BIO's own copy is wiped. */
static struct err *bio_text(BIO *b, char **ret)
{
        char *p = NULL, *copy;
        long n = BIO_get_mem_data(b, &p);

        copy = n > 0 ? malloc((size_t)n + 1) : NULL;
        if (!copy)
                return err_static(ERR_NO_MEMORY);
        memcpy(copy, p, (size_t)n);
        copy[n] = '\0';
        OPENSSL_cleanse(p, (size_t)n);
        *ret = copy;
        return NULL;
}

static struct err *cert_text(X509 *x, char **ret)
{
        AUTO(bio) BIO *b = BIO_new(BIO_s_mem());

        if (!b || PEM_write_bio_X509(b, x) != 1)
                return os__ssl_err(ERR_INTERNAL, "certificate");
        return bio_text(b, ret);
}

static struct err *key_text(EVP_PKEY *k, char **ret)
{
        AUTO(bio) BIO *b = BIO_new(BIO_s_mem());

        if (!b || PEM_write_bio_PrivateKey(b, k, NULL, NULL, 0, NULL, NULL) != 1)
                return os__ssl_err(ERR_INTERNAL, "private key");
        return bio_text(b, ret);
}

void pki_secret_free(char *pem)
{
        if (pem)
                OPENSSL_cleanse(pem, strlen(pem));
        free(pem);
}

/* Names and times. */

/* What may be a CN or O: short, printable, so that it can not be taken for another one in logs and headers. */
static bool name_is_fine(const char *s)
{
        size_t n = strlen(s);

        for (size_t i = 0; i < n; i++)
                if (s[i] <= ' ' || s[i] > '~')
                        return false;
        return n > 0 && n <= PKI_NAME_MAX;
}

static struct err *check_name(const char *s)
{
        return name_is_fine(s) ? NULL : err_new(ERR_INVALID, "not a name for a certificate: \"%.80s\"", s);
}

static bool name_add(X509_NAME *n, const char *field, const char *value)
{
        return X509_NAME_add_entry_by_txt(n, field, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1;
}

void os__name_part(const X509_NAME *name, int nid, char ret[static PKI_NAME_MAX + 1])
{
        int at = X509_NAME_get_index_by_NID(name, nid, -1), n;
        unsigned char *utf8 = NULL;

        ret[0] = '\0';
        if (at < 0 || X509_NAME_get_index_by_NID(name, nid, at) >= 0)
                return;
        n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        if (n > 0 && n <= PKI_NAME_MAX && !memchr(utf8, 0, (size_t)n)) {
                memcpy(ret, utf8, (size_t)n);
                ret[n] = '\0';
        }
        OPENSSL_free(utf8);
        ERR_clear_error();
}

int64_t os__unix_seconds(const ASN1_TIME *t)
{
        ASN1_TIME *epoch = ASN1_TIME_set(NULL, 0);
        int days = 0, seconds = 0;
        int ok = epoch && ASN1_TIME_diff(&days, &seconds, epoch, t);

        ASN1_TIME_free(epoch);
        return ok ? (int64_t)days * 86400 + seconds : 0;
}

bool os__cert_digest(const X509 *x, unsigned char ret[static 32])
{
        unsigned n = 0;

        return X509_digest(x, EVP_sha256(), ret, &n) == 1 && n == 32;
}

/* Certificates. */

/* A number of 127 random bits (RFC 5280 §4.1.2.2: positive, unique, at most 20 bytes). */
static bool set_serial(X509 *x)
{
        unsigned char bytes[16];
        BIGNUM *n;
        bool ok;

        random_bytes(bytes, sizeof(bytes));
        bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); /* always of the same length */
        n = BN_bin2bn(bytes, sizeof(bytes), NULL);
        ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));
        BN_free(n);
        return ok;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
        X509V3_CTX ctx;
        X509_EXTENSION *e;
        bool ok;

        X509V3_set_ctx_nodb(&ctx);
        X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
        e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
        ok = e && X509_add_ext(x, e, -1) == 1;
        X509_EXTENSION_free(e);
        return ok;
}

static bool set_validity(X509 *x, int64_t not_before, int64_t not_after)
{
        return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)not_before) &&
               ASN1_TIME_set(X509_getm_notAfter(x), (time_t)not_after);
}

struct err *pki_ca_new(const char *name, char **ret_cert_pem, char **ret_key_pem)
{
        AUTO(pkey) EVP_PKEY *key = NULL;
        AUTO(x509) X509 *x = NULL;
        int64_t now = clock_wall_ns() / NS_PER_SEC;
        char *cert = NULL, *secret = NULL;
        struct err *e;

        TRY(check_name(name));
        ERR_clear_error();
        key = EVP_EC_gen("P-256");
        x = X509_new();
        if (!key || !x || X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) ||
            !set_validity(x, now - DAY, now + CA_YEARS * 365 * DAY) ||
            !name_add(X509_get_subject_name(x), "CN", name) ||
            X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 || X509_set_pubkey(x, key) != 1 ||
            !add_extension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
            !add_extension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
            !add_extension(x, x, NID_subject_key_identifier, "hash") || X509_sign(x, key, EVP_sha256()) <= 0)
                return os__ssl_err(ERR_INTERNAL, "new authority");
        e = cert_text(x, &cert);
        if (!e)
                e = key_text(key, &secret);
        if (e) {
                free(cert);
                return e;
        }
        *ret_cert_pem = cert;
        *ret_key_pem = secret;
        return NULL;
}

struct err *pki_request_new(const char *id, char **ret_key_pem, char **ret_csr_pem)
{
        AUTO(pkey) EVP_PKEY *key = NULL;
        AUTO(req) X509_REQ *req = NULL;
        AUTO(bio) BIO *b = NULL;
        char *secret = NULL, *csr = NULL;
        struct err *e;

        TRY(check_name(id));
        ERR_clear_error();
        key = EVP_EC_gen("P-256");
        req = X509_REQ_new();
        b = BIO_new(BIO_s_mem());
        if (!key || !req || !b || X509_REQ_set_version(req, X509_REQ_VERSION_1) != 1 ||
            !name_add(X509_REQ_get_subject_name(req), "CN", id) || X509_REQ_set_pubkey(req, key) != 1 ||
            X509_REQ_sign(req, key, EVP_sha256()) <= 0 || PEM_write_bio_X509_REQ(b, req) != 1)
                return os__ssl_err(ERR_INTERNAL, "certificate request");
        e = key_text(key, &secret);
        if (!e)
                e = bio_text(b, &csr);
        if (e) {
                pki_secret_free(secret);
                return e;
        }
        *ret_key_pem = secret;
        *ret_csr_pem = csr;
        return NULL;
}

/* The request's key, if whoever asks has its private half, and it is of the kind that we use. */
static struct err *requested_key(const char *csr_pem, EVP_PKEY **ret)
{
        AUTO(bio) BIO *b = text_bio(csr_pem);
        AUTO(req) X509_REQ *req = b ? PEM_read_bio_X509_REQ(b, NULL, no_passphrase, NULL) : NULL;
        AUTO(pkey) EVP_PKEY *key = req ? X509_REQ_get_pubkey(req) : NULL;
        char group[64] = "";

        if (!key)
                return os__ssl_err(ERR_INVALID, "certificate request");
        if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) != 1 ||
            (strcmp(group, "prime256v1") != 0 && strcmp(group, "P-256") != 0))
                return err_new(ERR_INVALID, "certificate request: the key is not on P-256");
        if (X509_REQ_verify(req, key) != 1)
                return os__ssl_err(ERR_INVALID, "certificate request: bad signature");
        *ret = key;
        key = NULL;
        return NULL;
}

static struct err *sign_node(X509 *ca, EVP_PKEY *ca_key, EVP_PKEY *key, const char *id, const char *org,
                             int64_t not_after, char **ret_cert_pem)
{
        AUTO(x509) X509 *x = X509_new();
        int64_t now = clock_wall_ns() / NS_PER_SEC;

        if (!x || X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) ||
            !set_validity(x, now - DAY, not_after) || !name_add(X509_get_subject_name(x), "O", org) ||
            !name_add(X509_get_subject_name(x), "CN", id) ||
            X509_set_issuer_name(x, X509_get_subject_name(ca)) != 1 || X509_set_pubkey(x, key) != 1 ||
            !add_extension(x, ca, NID_basic_constraints, "critical,CA:FALSE") ||
            !add_extension(x, ca, NID_key_usage, "critical,digitalSignature") ||
            !add_extension(x, ca, NID_ext_key_usage, "serverAuth,clientAuth") ||
            !add_extension(x, ca, NID_subject_key_identifier, "hash") ||
            !add_extension(x, ca, NID_authority_key_identifier, "keyid:always") ||
            X509_sign(x, ca_key, EVP_sha256()) <= 0)
                return os__ssl_err(ERR_INTERNAL, "sign certificate");
        return cert_text(x, ret_cert_pem);
}

struct err *pki_sign(const char *ca_cert_pem, const char *ca_key_pem, const char *csr_pem, const char *id,
                     const char *org, int64_t not_after, char **ret_cert_pem)
{
        AUTO(x509) X509 *ca = NULL;
        AUTO(pkey) EVP_PKEY *ca_key = NULL;
        AUTO(pkey) EVP_PKEY *key = NULL;

        TRY(check_name(id));
        TRY(check_name(org));
        if (not_after <= clock_wall_ns() / NS_PER_SEC)
                return err_new(ERR_INVALID, "certificate would have ended already");
        TRY_WRAP(os__cert_read(ca_cert_pem, &ca), "authority");
        TRY_WRAP(os__key_read(ca_key_pem, &ca_key), "authority");
        if (X509_check_private_key(ca, ca_key) != 1)
                return os__ssl_err(ERR_INVALID, "authority: the key is of another certificate");
        TRY(requested_key(csr_pem, &key));
        return sign_node(ca, ca_key, key, id, org, not_after, ret_cert_pem);
}

struct err *pki_fingerprint(const char *cert_pem, char ret_hex[static 65])
{
        AUTO(x509) X509 *x = NULL;
        unsigned char digest[32];

        TRY(os__cert_read(cert_pem, &x));
        if (!os__cert_digest(x, digest))
                return os__ssl_err(ERR_INTERNAL, "fingerprint");
        str_to_hex(digest, sizeof(digest), ret_hex);
        return NULL;
}

struct err *pki_cert_facts(const char *cert_pem, struct pki_facts *ret)
{
        AUTO(x509) X509 *x = NULL;
        struct pki_facts f = { .id = "" };
        BIGNUM *n;
        char *hex;

        TRY(os__cert_read(cert_pem, &x));
        os__name_part(X509_get_subject_name(x), NID_commonName, f.id);
        os__name_part(X509_get_subject_name(x), NID_organizationName, f.org);
        f.not_before = os__unix_seconds(X509_get0_notBefore(x));
        f.not_after = os__unix_seconds(X509_get0_notAfter(x));
        f.authority = X509_check_ca(x) == 1;
        n = ASN1_INTEGER_to_BN(X509_get0_serialNumber(x), NULL);
        hex = n ? BN_bn2hex(n) : NULL;
        (void)str_copy(f.serial, sizeof(f.serial), str_of(hex ? hex : ""));
        OPENSSL_free(hex);
        BN_free(n);
        *ret = f;
        return NULL;
}

struct err *pki_verify(const char *ca_cert_pem, const char *cert_pem)
{
        AUTO(x509) X509 *ca = NULL;
        AUTO(x509) X509 *x = NULL;
        X509_STORE_CTX *ctx;
        STACK_OF(X509) *trusted;
        struct err *e = NULL;

        TRY_WRAP(os__cert_read(ca_cert_pem, &ca), "authority");
        TRY(os__cert_read(cert_pem, &x));
        ctx = X509_STORE_CTX_new();
        trusted = sk_X509_new_null();
        if (!ctx || !trusted || !sk_X509_push(trusted, ca) || X509_STORE_CTX_init(ctx, NULL, x, NULL) != 1) {
                e = os__ssl_err(ERR_INTERNAL, "verify certificate");
        } else {
                X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
                X509_STORE_CTX_set_time(ctx, 0, (time_t)(clock_wall_ns() / NS_PER_SEC));
                if (X509_verify_cert(ctx) != 1)
                        e = err_new(ERR_ACCESS, "certificate: %s",
                                    X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
        }
        X509_STORE_CTX_free(ctx);
        sk_X509_free(trusted);
        ERR_clear_error();
        return e;
}
