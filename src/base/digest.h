/* base/digest.h: message digests as plain values, and the CRCs that S3 clients send. Pure; any thread; nothing
 * allocates, nothing fails.
 *
 * The contexts of hash.h (cksum_new) are for the wire's types; these are for code that keeps several digests inside a
 * struct of its own. */
#ifndef ORLOP_BASE_DIGEST_H
#define ORLOP_BASE_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum digest_kind { DIGEST_MD5, DIGEST_SHA1, DIGEST_SHA256, DIGEST_KIND_COUNT };
#define DIGEST_MAX 32 /* bytes of the longest */

/* A digest being computed: a plain value, copied by assignment. */
struct digest {
        enum digest_kind kind;
        uint64_t state[14];
};
/* Ready for the first byte. */
void digest_init(struct digest *d, enum digest_kind kind);
/* Adds n bytes. */
void digest_update(struct digest *d, const void *p, size_t n);
/* Writes the digest and returns its length (digest_size); d must be initialised again before further use. */
size_t digest_final(struct digest *d, unsigned char out[static DIGEST_MAX]);
/* 16, 20 or 32 bytes. */
size_t digest_size(enum digest_kind kind);
/* All at once. */
void digest_of(enum digest_kind kind, const void *p, size_t n, unsigned char out[static DIGEST_MAX]);

/* CRC-32 of zlib and Ethernet, continuing from `crc` (0 to start). */
uint32_t hash_crc32(uint32_t crc, const void *p, size_t n);
/* CRC-64/NVME (reflected polynomial 0x9a6c9329ac4bc9b5), continuing from `crc` (0 to start); carry-less multiplication
 * where the CPU has it. */
uint64_t hash_crc64nvme(uint64_t crc, const void *p, size_t n);
/* The CRC of A followed by B, from those of A and B and the length of B in bytes. */
uint32_t hash_crc32_combine(uint32_t a, uint32_t b, uint64_t b_length);
/* The same for CRC32C. */
uint32_t hash_crc32c_combine(uint32_t a, uint32_t b, uint64_t b_length);
/* The same for CRC-64/NVME. */
uint64_t hash_crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_length);

#endif
