/* base/hash_hmac.c: HMAC-SHA256 (RFC 2104), and comparing secrets.
 *
 * A key made ready is the pair of SHA-256 states after the key's two padded blocks, so that a short message costs two
 * blocks. OpenSSL's plain SHA-256 functions are used because their state is a value: the newer interface allocates for
 * each message. Nothing here can fail. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "base/hash.h"

#define BLOCK 64

_Static_assert(sizeof(SHA256_CTX) == sizeof(((struct hash_hmac_key *)NULL)->inner), "a state fits the key exactly");
_Static_assert(SHA256_DIGEST_LENGTH == HASH_SHA256_BYTES, "the size of a digest");

/* SHA-256 of a block of the key, each byte changed by `pad`. */
static void begin(uint64_t state[static 14], const unsigned char block[static BLOCK], unsigned char pad)
{
        unsigned char padded[BLOCK];
        SHA256_CTX s;
        for (unsigned i = 0; i < BLOCK; i++)
                padded[i] = block[i] ^ pad;
        (void)SHA256_Init(&s);
        (void)SHA256_Update(&s, padded, BLOCK);
        memcpy(state, &s, sizeof(s));
        OPENSSL_cleanse(padded, sizeof(padded));
        OPENSSL_cleanse(&s, sizeof(s));
}

void hash_hmac_init(struct hash_hmac_key *k, const void *key, size_t key_n)
{
        unsigned char block[BLOCK] = { 0 };
        if (key_n > BLOCK)
                (void)SHA256(key, key_n, block);
        else if (key_n)
                memcpy(block, key, key_n);
        begin(k->inner, block, 0x36);
        begin(k->outer, block, 0x5c);
        OPENSSL_cleanse(block, sizeof(block));
}

void hash_hmac(const struct hash_hmac_key *k, const void *data, size_t n, unsigned char out[static HASH_SHA256_BYTES])
{
        unsigned char inner[HASH_SHA256_BYTES];
        SHA256_CTX s;
        memcpy(&s, k->inner, sizeof(s));
        if (n)
                (void)SHA256_Update(&s, data, n);
        (void)SHA256_Final(inner, &s);
        memcpy(&s, k->outer, sizeof(s));
        (void)SHA256_Update(&s, inner, sizeof(inner));
        (void)SHA256_Final(out, &s);
}

void hash_hmac_sha256(const void *key, size_t key_n, const void *data, size_t n,
                      unsigned char out[static HASH_SHA256_BYTES])
{
        struct hash_hmac_key k;
        hash_hmac_init(&k, key, key_n);
        hash_hmac(&k, data, n, out);
        OPENSSL_cleanse(&k, sizeof(k));
}

bool hash_equal_ct(const void *a, const void *b, size_t n)
{
        return CRYPTO_memcmp(a, b, n) == 0;
}
