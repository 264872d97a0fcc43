/* base/hash.h: checksums of the wire and of our disk formats. Pure; any thread. OpenSSL and xxHash stay behind this header.
 *
 * Wire types (wire: Ais-Checksum-Type): values are lower-case hex; XXH64 as 16 big-endian digits, CRC32C as 8. */
#ifndef ORLOP_BASE_HASH_H
#define ORLOP_BASE_HASH_H

#include "base/str.h"

/* XXH64 with a seed. */
uint64_t hash_xxh64(const void *p, size_t n, uint64_t seed);
/* CRC32C (Castagnoli), continuing from `crc` (0 to start); fastest the CPU offers. */
uint32_t hash_crc32c(uint32_t crc, const void *p, size_t n);
/* The placement mixer: first output of xoshiro256** seeded by splitmix64 (wire-level fact of client-side placement). */
uint64_t hash_mix(uint64_t x);

enum cksum_type {
        CKSUM_NONE, /* "none" */
        CKSUM_XXHASH, /* "xxhash": XXH64 seed 0 */
        CKSUM_XXHASH2, /* "xxhash2": the same algorithm under its newer name */
        CKSUM_MD5,
        CKSUM_CRC32C,
        CKSUM_SHA256,
        CKSUM_SHA512,
        CKSUM_TYPE_COUNT
};
#define CKSUM_HEX_MAX 129 /* longest value in hex, with NUL */

/* The wire's name. */
const char *cksum_type_name(enum cksum_type t);
/* Parses a wire name; false if unknown. */
bool cksum_type_parse(struct str s, enum cksum_type *ret);

/* A checksum being computed. new/free; one thread at a time. */
struct cksum_ctx;
/* Null only when out of memory. CKSUM_NONE gives a context that does nothing. */
struct cksum_ctx *cksum_new(enum cksum_type t);
/* Adds bytes. */
void cksum_update(struct cksum_ctx *c, const void *p, size_t n);
/* Writes the hex value ("" for none); the context can not be updated further. */
void cksum_final(struct cksum_ctx *c, char hex[static CKSUM_HEX_MAX]);
/* An independent copy with the same state; null when out of memory. */
struct cksum_ctx *cksum_clone(const struct cksum_ctx *c);
/* Ends a context. Null is fine. */
void cksum_free(struct cksum_ctx *c);
/* All at once. */
void cksum_of(enum cksum_type t, const void *p, size_t n, char hex[static CKSUM_HEX_MAX]);

#define HASH_SHA256_BYTES 32
/* HMAC-SHA256 (RFC 2104) of data. */
void hash_hmac_sha256(const void *key, size_t key_n, const void *data, size_t n, unsigned char out[static HASH_SHA256_BYTES]);
/* A key made ready: two SHA-256 states. A plain value; wipe it as a key. */
struct hash_hmac_key {
        uint64_t inner[14], outer[14];
};
/* Makes a key ready for many messages. */
void hash_hmac_init(struct hash_hmac_key *k, const void *key, size_t key_n);
/* HMAC-SHA256 with it: no allocation; k is not changed and may be shared by threads. */
void hash_hmac(const struct hash_hmac_key *k, const void *data, size_t n, unsigned char out[static HASH_SHA256_BYTES]);
/* Whether n bytes are equal, in a time that tells nothing about them. */
bool hash_equal_ct(const void *a, const void *b, size_t n);

#endif
