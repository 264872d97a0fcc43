/* base/digest.c: digests as values over OpenSSL's plain functions, whose state can be copied and needs no allocation;
 * the newer interface allocates for each message, which is dear for the short texts of signatures. Nothing here can
 * fail. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <openssl/md5.h>
#include <openssl/sha.h>
#include <string.h>

#include "base/digest.h"
#include "base/macros.h"

#define STATE_SIZE sizeof(((struct digest *)NULL)->state)
_Static_assert(sizeof(MD5_CTX) <= STATE_SIZE && sizeof(SHA_CTX) <= STATE_SIZE && sizeof(SHA256_CTX) <= STATE_SIZE,
               "each state fits a digest");

union state {
        MD5_CTX md5;
        SHA_CTX sha1;
        SHA256_CTX sha256;
};

size_t digest_size(enum digest_kind kind)
{
        static const unsigned char sizes[DIGEST_KIND_COUNT] = { MD5_DIGEST_LENGTH, SHA_DIGEST_LENGTH,
                                                                SHA256_DIGEST_LENGTH };
        ASSERT((unsigned)kind < DIGEST_KIND_COUNT);
        return sizes[kind];
}

void digest_init(struct digest *d, enum digest_kind kind)
{
        union state *s = (void *)d->state;
        ASSERT((unsigned)kind < DIGEST_KIND_COUNT);
        d->kind = kind;
        if (kind == DIGEST_MD5)
                (void)MD5_Init(&s->md5);
        else if (kind == DIGEST_SHA1)
                (void)SHA1_Init(&s->sha1);
        else
                (void)SHA256_Init(&s->sha256);
}

void digest_update(struct digest *d, const void *p, size_t n)
{
        union state *s = (void *)d->state;
        if (n == 0)
                return;
        if (d->kind == DIGEST_MD5)
                (void)MD5_Update(&s->md5, p, n);
        else if (d->kind == DIGEST_SHA1)
                (void)SHA1_Update(&s->sha1, p, n);
        else
                (void)SHA256_Update(&s->sha256, p, n);
}

size_t digest_final(struct digest *d, unsigned char out[static DIGEST_MAX])
{
        union state *s = (void *)d->state;
        if (d->kind == DIGEST_MD5)
                (void)MD5_Final(out, &s->md5);
        else if (d->kind == DIGEST_SHA1)
                (void)SHA1_Final(out, &s->sha1);
        else
                (void)SHA256_Final(out, &s->sha256);
        return digest_size(d->kind);
}

void digest_of(enum digest_kind kind, const void *p, size_t n, unsigned char out[static DIGEST_MAX])
{
        struct digest d;
        digest_init(&d, kind);
        digest_update(&d, p, n);
        (void)digest_final(&d, out);
}
