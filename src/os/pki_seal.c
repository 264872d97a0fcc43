/* os/pki_seal.c: texts sealed by AES-256-GCM, for secrets that stand in documents.
 *
 * "s1." + base64url(12 bytes of nonce, the encrypted text, 16 bytes of tag). Nonces are random, so one key may seal 2^32
 * texts (NIST SP 800-38D §8.3). What fails to open was made with another key, or changed: which of them can not be told.
 * Plain bytes leave pki_unseal only after their tag was right. */
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "os/pki_priv.h"
#include "os/random.h"

enum { NONCE = 12, TAG = 16, TEXT_MAX = 1 << 24 };
#define PREFIX STR("s1.")

/* out holds n + TAG bytes. */
static bool encrypt(EVP_CIPHER_CTX *c, const unsigned char *key, const unsigned char *nonce, struct str plain,
                    unsigned char *out)
{
        int k = 0, rest = 0;

        return EVP_EncryptInit_ex2(c, EVP_aes_256_gcm(), key, nonce, NULL) == 1 &&
               (plain.n == 0 || EVP_EncryptUpdate(c, out, &k, (const unsigned char *)plain.p, (int)plain.n) == 1) &&
               EVP_EncryptFinal_ex(c, out + k, &rest) == 1 && (size_t)k + (size_t)rest == plain.n &&
               EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TAG, out + plain.n) == 1;
}

struct err *pki_seal(const unsigned char key[static PKI_SEAL_KEY], struct str plain, struct buf *b)
{
        AUTO_ARENA struct arena a = { .chunks = NULL };
        struct str text = STR_NONE;
        unsigned char *raw;
        EVP_CIPHER_CTX *c;
        bool ok;

        if (plain.n > TEXT_MAX)
                return err_new(ERR_TOO_LARGE, "text is too long to be sealed");
        arena_init(&a, 0, (size_t)4 * TEXT_MAX);
        raw = arena_alloc(&a, NONCE + plain.n + TAG);
        c = EVP_CIPHER_CTX_new();
        if (!raw || !c) {
                EVP_CIPHER_CTX_free(c);
                return err_static(ERR_NO_MEMORY);
        }
        random_bytes(raw, NONCE);
        ERR_clear_error();
        ok = encrypt(c, key, raw, plain, raw + NONCE);
        EVP_CIPHER_CTX_free(c);
        if (!ok)
                return os__ssl_err(ERR_INTERNAL, "seal");
        text = str_base64url(&a, raw, NONCE + plain.n + TAG);
        if (!text.p)
                return err_static(ERR_NO_MEMORY);
        buf_adds(b, PREFIX);
        buf_adds(b, text);
        return buf_err(b);
}

/* Decrypts n bytes at `raw + NONCE` in place. */
static bool decrypt(EVP_CIPHER_CTX *c, const unsigned char *key, unsigned char *raw, size_t n)
{
        unsigned char *text = raw + NONCE;
        int k = 0, rest = 0;

        return EVP_DecryptInit_ex2(c, EVP_aes_256_gcm(), key, raw, NULL) == 1 &&
               (n == 0 || EVP_DecryptUpdate(c, text, &k, text, (int)n) == 1) &&
               EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, TAG, text + n) == 1 &&
               EVP_DecryptFinal_ex(c, text + k, &rest) == 1 && (size_t)k + (size_t)rest == n;
}

struct err *pki_unseal(const unsigned char key[static PKI_SEAL_KEY], struct str sealed, struct buf *b)
{
        AUTO_ARENA struct arena a = { .chunks = NULL };
        struct str raw = STR_NONE;
        EVP_CIPHER_CTX *c;
        bool ok;

        if (!str_starts(sealed, PREFIX))
                return err_new(ERR_MALFORMED, "not a sealed text");
        if (sealed.n > (size_t)2 * TEXT_MAX)
                return err_static(ERR_TOO_LARGE);
        arena_init(&a, 0, (size_t)4 * TEXT_MAX);
        TRY_WRAP(str_base64_decode(&a, str_skip(sealed, PREFIX.n), &raw), "sealed text");
        if (raw.n < NONCE + TAG)
                return err_new(ERR_MALFORMED, "sealed text is too short");
        c = EVP_CIPHER_CTX_new();
        if (!c)
                return err_static(ERR_NO_MEMORY);
        ok = decrypt(c, key, (unsigned char *)(uintptr_t)raw.p, raw.n - NONCE - TAG);
        EVP_CIPHER_CTX_free(c);
        ERR_clear_error();
        if (ok)
                buf_add(b, raw.p + NONCE, raw.n - NONCE - TAG);
        OPENSSL_cleanse((void *)(uintptr_t)raw.p, raw.n);
        return ok ? buf_err(b) : err_new(ERR_CORRUPT, "sealed text: another key, or it was changed");
}
