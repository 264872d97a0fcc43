/* s3/cksum.h: the checksums of S3: computed piece by piece, in and out of base64, and of a whole object from those of
 * its parts. Plain values; pure.
 *
 * Source: "Checking object integrity" of the Amazon S3 user guide. Values are bytes, big-endian for CRCs; on the wire
 * base64. */
#ifndef ORLOP_S3_CKSUM_H
#define ORLOP_S3_CKSUM_H

#include "base/digest.h"
#include "base/str.h"

enum s3_cksum {
        S3_CKSUM_NONE,
        S3_CKSUM_CRC32,
        S3_CKSUM_CRC32C,
        S3_CKSUM_CRC64NVME,
        S3_CKSUM_SHA1,
        S3_CKSUM_SHA256,
        S3_CKSUM_MD5, /* of Content-MD5 and entity tags; has no header of the family below */
        S3_CKSUM_COUNT
};
#define S3_CKSUM_MAX DIGEST_MAX /* bytes of a value */
#define S3_CKSUM_TEXT_MAX 56    /* base64, with "-10000" and NUL */
#define S3_PARTS_MAX 10000

/* "CRC64NVME": of x-amz-checksum-algorithm and documents; "" for NONE. */
const char *s3_cksum_name(enum s3_cksum k);
/* "x-amz-checksum-crc64nvme"; null for NONE and MD5. */
const char *s3_cksum_header(enum s3_cksum k);
/* "ChecksumCRC64NVME": the element in documents; null for NONE and MD5. */
const char *s3_cksum_element(enum s3_cksum k);
/* From a name, in any case. False if unknown; MD5 is. */
bool s3_cksum_from_name(struct str name, enum s3_cksum *ret);
/* From a header's name, in any case. False if it is none of them. */
bool s3_cksum_from_header(struct str name, enum s3_cksum *ret);
/* Bytes of a value. */
size_t s3_cksum_size(enum s3_cksum k);
/* Base64 of a value. buf of S3_CKSUM_TEXT_MAX; returns buf. */
const char *s3_cksum_text(enum s3_cksum k, const unsigned char *value, char buf[static S3_CKSUM_TEXT_MAX]);
/* A value from base64: exactly its length, padded, nothing else; else false. */
bool s3_cksum_parse(enum s3_cksum k, struct str text, unsigned char ret[static S3_CKSUM_MAX]);

/* A checksum being computed: copied by assignment. */
struct s3_cksum_ctx {
        enum s3_cksum kind;
        uint64_t crc;
        struct digest digest;
};
/* Ready for the first byte. NONE does nothing. */
void s3_cksum_init(struct s3_cksum_ctx *c, enum s3_cksum k);
/* Adds n bytes. */
void s3_cksum_update(struct s3_cksum_ctx *c, const void *p, size_t n);
/* Writes the value. */
void s3_cksum_final(struct s3_cksum_ctx *c, unsigned char ret[static S3_CKSUM_MAX]);

/* How the checksum of a multipart object is made. */
enum s3_cksum_type { S3_CKSUM_COMPOSITE, S3_CKSUM_FULL_OBJECT };
/* "COMPOSITE" or "FULL_OBJECT". */
const char *s3_cksum_type_name(enum s3_cksum_type t);
/* From that name. */
bool s3_cksum_type_parse(struct str s, enum s3_cksum_type *ret);
/* Which is meant when nothing is said, and whether the other is possible: CRC64NVME is of the full object alone, SHA-1
 * and SHA-256 composite alone. */
enum s3_cksum_type s3_cksum_type_default(enum s3_cksum k);
/* See above. */
bool s3_cksum_type_possible(enum s3_cksum k, enum s3_cksum_type t);

/* The checksum of an object from those of its parts, in order. */
struct s3_cksum_parts {
        enum s3_cksum kind;
        enum s3_cksum_type type;
        unsigned count;
        struct s3_cksum_ctx composite;
        uint64_t crc;
};
/* No part yet. The type must be possible; for MD5 it is COMPOSITE. */
void s3_cksum_parts_init(struct s3_cksum_parts *p, enum s3_cksum k, enum s3_cksum_type t);
/* The next part: its value and its length in bytes. */
void s3_cksum_parts_add(struct s3_cksum_parts *p, const unsigned char *value, uint64_t length);
/* The object's: "base64-N", or "base64" for the full object; for MD5 the entity tag "<32 hex>-N". */
const char *s3_cksum_parts_text(struct s3_cksum_parts *p, char buf[static S3_CKSUM_TEXT_MAX]);

#endif
