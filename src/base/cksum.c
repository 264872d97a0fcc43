/* base/cksum.c: the wire's checksum types behind one context.
 *
 * A context is one allocation for the light types and one OpenSSL context more for the digests. The digests are fetched once
 * per process: an implicit fetch on each use costs more than hashing a small object. */
#include <endian.h>
#include <openssl/evp.h>
#include <pthread.h>

#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

static const char *const cksum_names[CKSUM_TYPE_COUNT] = {
        [CKSUM_NONE] = "none",     [CKSUM_XXHASH] = "xxhash", [CKSUM_XXHASH2] = "xxhash2", [CKSUM_MD5] = "md5",
        [CKSUM_CRC32C] = "crc32c", [CKSUM_SHA256] = "sha256", [CKSUM_SHA512] = "sha512",
};

struct cksum_ctx {
        enum cksum_type type;
        uint32_t crc;
        EVP_MD_CTX *md;
        XXH64_state_t xxh;
};

static EVP_MD *cksum_md[CKSUM_TYPE_COUNT]; /* immutable once fetched */
static pthread_once_t cksum_once = PTHREAD_ONCE_INIT;

static void cksum_fetch(void)
{
        cksum_md[CKSUM_MD5] = EVP_MD_fetch(NULL, "MD5", NULL);
        cksum_md[CKSUM_SHA256] = EVP_MD_fetch(NULL, "SHA256", NULL);
        cksum_md[CKSUM_SHA512] = EVP_MD_fetch(NULL, "SHA512", NULL);
}

const char *cksum_type_name(enum cksum_type t)
{
        return (unsigned)t < CKSUM_TYPE_COUNT ? cksum_names[t] : "unknown";
}

bool cksum_type_parse(struct str s, enum cksum_type *ret)
{
        for (unsigned t = 0; t < CKSUM_TYPE_COUNT; t++) {
                if (str_eq(s, str_of(cksum_names[t]))) {
                        *ret = (enum cksum_type)t;
                        return true;
                }
        }
        return false;
}

static bool cksum_is_digest(enum cksum_type t)
{
        return t == CKSUM_MD5 || t == CKSUM_SHA256 || t == CKSUM_SHA512;
}

struct cksum_ctx *cksum_new(enum cksum_type t)
{
        ASSERT((unsigned)t < CKSUM_TYPE_COUNT);
        struct cksum_ctx *c = malloc(sizeof(*c));
        if (!c)
                return NULL;
        c->type = t;
        c->crc = 0;
        c->md = NULL;
        XXH64_reset(&c->xxh, 0);
        if (!cksum_is_digest(t))
                return c;
        pthread_once(&cksum_once, cksum_fetch);
        c->md = EVP_MD_CTX_new();
        /* A digest that the library lacks (MD5 under FIPS) reads as out of memory: there is no lesser lie at hand. */
        if (!c->md || !cksum_md[t] || EVP_DigestInit_ex2(c->md, cksum_md[t], NULL) != 1) {
                cksum_free(c);
                return NULL;
        }
        return c;
}

void cksum_update(struct cksum_ctx *c, const void *p, size_t n)
{
        if (n == 0)
                return;
        switch (c->type) {
        case CKSUM_XXHASH:
        case CKSUM_XXHASH2:
                XXH64_update(&c->xxh, p, n);
                break;
        case CKSUM_CRC32C:
                c->crc = hash_crc32c(c->crc, p, n);
                break;
        case CKSUM_MD5:
        case CKSUM_SHA256:
        case CKSUM_SHA512:
                ASSERT(EVP_DigestUpdate(c->md, p, n) == 1);
                break;
        case CKSUM_NONE:
        case CKSUM_TYPE_COUNT:
                break;
        }
}

void cksum_final(struct cksum_ctx *c, char hex[static CKSUM_HEX_MAX])
{
        unsigned char bin[EVP_MAX_MD_SIZE];
        unsigned n = 0;
        switch (c->type) {
        case CKSUM_XXHASH:
        case CKSUM_XXHASH2: {
                uint64_t v = htobe64(XXH64_digest(&c->xxh));
                memcpy(bin, &v, n = sizeof(v));
                break;
        }
        case CKSUM_CRC32C: {
                uint32_t v = htobe32(c->crc);
                memcpy(bin, &v, n = sizeof(v));
                break;
        }
        case CKSUM_MD5:
        case CKSUM_SHA256:
        case CKSUM_SHA512:
                ASSERT(EVP_DigestFinal_ex(c->md, bin, &n) == 1);
                break;
        case CKSUM_NONE:
        case CKSUM_TYPE_COUNT:
                break;
        }
        str_to_hex(bin, n, hex);
}

struct cksum_ctx *cksum_clone(const struct cksum_ctx *c)
{
        struct cksum_ctx *copy = malloc(sizeof(*copy));
        if (!copy)
                return NULL;
        memcpy(copy, c, sizeof(*copy));
        if (!c->md)
                return copy;
        copy->md = EVP_MD_CTX_new();
        if (!copy->md || EVP_MD_CTX_copy_ex(copy->md, c->md) != 1) {
                cksum_free(copy);
                return NULL;
        }
        return copy;
}

void cksum_free(struct cksum_ctx *c)
{
        if (!c)
                return;
        EVP_MD_CTX_free(c->md);
        free(c);
}

/* Light types without the context: checksums of small objects are computed on hot paths. */
void cksum_of(enum cksum_type t, const void *p, size_t n, char hex[static CKSUM_HEX_MAX])
{
        if (t == CKSUM_XXHASH || t == CKSUM_XXHASH2) {
                uint64_t v = htobe64(hash_xxh64(p, n, 0));
                str_to_hex(&v, sizeof(v), hex);
                return;
        }
        if (!cksum_is_digest(t)) {
                uint32_t v = htobe32(t == CKSUM_CRC32C ? hash_crc32c(0, p, n) : 0);
                str_to_hex(&v, t == CKSUM_CRC32C ? sizeof(v) : 0, hex);
                return;
        }
        unsigned char bin[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        pthread_once(&cksum_once, cksum_fetch);
        ASSERT(cksum_md[t] && EVP_Digest(p, n, bin, &len, cksum_md[t], NULL) == 1);
        str_to_hex(bin, len, hex);
}
