/* s3/cksum.c: one table of kinds, and the joining of parts: CRCs of a full object are combined by their lengths, a
 * composite is the checksum of the values of the parts. Nothing fails. */
#include "s3/cksum.h"

#include <endian.h>
#include <stdio.h>

#include "base/hash.h"

static const struct {
        const char *name, *header, *element;
        size_t size;
} kinds[S3_CKSUM_COUNT] = {
        [S3_CKSUM_NONE] = { "", NULL, NULL, 0 },
        [S3_CKSUM_CRC32] = { "CRC32", "x-amz-checksum-crc32", "ChecksumCRC32", 4 },
        [S3_CKSUM_CRC32C] = { "CRC32C", "x-amz-checksum-crc32c", "ChecksumCRC32C", 4 },
        [S3_CKSUM_CRC64NVME] = { "CRC64NVME", "x-amz-checksum-crc64nvme", "ChecksumCRC64NVME", 8 },
        [S3_CKSUM_SHA1] = { "SHA1", "x-amz-checksum-sha1", "ChecksumSHA1", 20 },
        [S3_CKSUM_SHA256] = { "SHA256", "x-amz-checksum-sha256", "ChecksumSHA256", 32 },
        [S3_CKSUM_MD5] = { "MD5", NULL, NULL, 16 },
};

const char *s3_cksum_name(enum s3_cksum k)
{
        return kinds[k].name;
}

const char *s3_cksum_header(enum s3_cksum k)
{
        return kinds[k].header;
}

const char *s3_cksum_element(enum s3_cksum k)
{
        return kinds[k].element;
}

size_t s3_cksum_size(enum s3_cksum k)
{
        return kinds[k].size;
}

bool s3_cksum_from_name(struct str name, enum s3_cksum *ret)
{
        for (unsigned k = S3_CKSUM_CRC32; k < S3_CKSUM_MD5; k++) {
                if (str_eq_nocase(name, str_of(kinds[k].name))) {
                        *ret = (enum s3_cksum)k;
                        return true;
                }
        }
        return false;
}

bool s3_cksum_from_header(struct str name, enum s3_cksum *ret)
{
        for (unsigned k = S3_CKSUM_CRC32; k < S3_CKSUM_MD5; k++) {
                if (str_eq_nocase(name, str_of(kinds[k].header))) {
                        *ret = (enum s3_cksum)k;
                        return true;
                }
        }
        return false;
}

/* ---- base64 without an arena: values are short ---- */

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static size_t encode64(const unsigned char *p, size_t n, char *out)
{
        size_t o = 0;
        for (size_t i = 0; i < n; i += 3) {
                uint32_t v = (uint32_t)p[i] << 16 | (i + 1 < n ? (uint32_t)p[i + 1] << 8 : 0) |
                             (i + 2 < n ? p[i + 2] : 0u);
                out[o++] = alphabet[v >> 18];
                out[o++] = alphabet[v >> 12 & 63];
                out[o++] = i + 1 < n ? alphabet[v >> 6 & 63] : '=';
                out[o++] = i + 2 < n ? alphabet[v & 63] : '=';
        }
        out[o] = '\0';
        return o;
}

const char *s3_cksum_text(enum s3_cksum k, const unsigned char *value, char buf[static S3_CKSUM_TEXT_MAX])
{
        (void)encode64(value, kinds[k].size, buf);
        return buf;
}

bool s3_cksum_parse(enum s3_cksum k, struct str text, unsigned char ret[static S3_CKSUM_MAX])
{
        unsigned char out[S3_CKSUM_MAX + 3] = { 0 };
        char again[S3_CKSUM_TEXT_MAX];
        size_t n = kinds[k].size, o = 0;
        if (n == 0 || text.n != (n + 2) / 3 * 4)
                return false;
        for (size_t i = 0; i < text.n; i += 4) {
                uint32_t v = 0;
                for (size_t j = i; j < i + 4; j++) {
                        const char *at = text.p[j] == '='    ? alphabet
                                         : text.p[j] != '\0' ? strchr(alphabet, text.p[j])
                                                             : NULL;
                        if (at == NULL)
                                return false;
                        v = v << 6 | (uint32_t)(at - alphabet);
                }
                out[o++] = (unsigned char)(v >> 16);
                out[o++] = (unsigned char)(v >> 8);
                out[o++] = (unsigned char)v;
        }
        /* One spelling only: padding where it belongs, no stray bits. */
        (void)encode64(out, n, again);
        if (memcmp(again, text.p, text.n) != 0)
                return false;
        memcpy(ret, out, n);
        return true;
}

/* ---- computing ---- */

static bool digest_kind_of(enum s3_cksum k, enum digest_kind *ret)
{
        *ret = k == S3_CKSUM_SHA1 ? DIGEST_SHA1 : k == S3_CKSUM_SHA256 ? DIGEST_SHA256 : DIGEST_MD5;
        return k == S3_CKSUM_SHA1 || k == S3_CKSUM_SHA256 || k == S3_CKSUM_MD5;
}

void s3_cksum_init(struct s3_cksum_ctx *c, enum s3_cksum k)
{
        enum digest_kind d;
        ASSERT((unsigned)k < S3_CKSUM_COUNT);
        c->kind = k;
        c->crc = 0;
        if (digest_kind_of(k, &d))
                digest_init(&c->digest, d);
}

void s3_cksum_update(struct s3_cksum_ctx *c, const void *p, size_t n)
{
        switch (c->kind) {
        case S3_CKSUM_NONE:
        case S3_CKSUM_COUNT:
                break;
        case S3_CKSUM_CRC32:
                c->crc = hash_crc32((uint32_t)c->crc, p, n);
                break;
        case S3_CKSUM_CRC32C:
                c->crc = hash_crc32c((uint32_t)c->crc, p, n);
                break;
        case S3_CKSUM_CRC64NVME:
                c->crc = hash_crc64nvme(c->crc, p, n);
                break;
        case S3_CKSUM_SHA1:
        case S3_CKSUM_SHA256:
        case S3_CKSUM_MD5:
                digest_update(&c->digest, p, n);
                break;
        }
}

static void crc_bytes(enum s3_cksum k, uint64_t crc, unsigned char *out)
{
        uint64_t big = htobe64(kinds[k].size == 4 ? crc << 32 : crc);
        memcpy(out, &big, kinds[k].size);
}

void s3_cksum_final(struct s3_cksum_ctx *c, unsigned char ret[static S3_CKSUM_MAX])
{
        enum digest_kind d;
        if (digest_kind_of(c->kind, &d))
                (void)digest_final(&c->digest, ret);
        else
                crc_bytes(c->kind, c->crc, ret);
}

/* ---- parts ---- */

const char *s3_cksum_type_name(enum s3_cksum_type t)
{
        return t == S3_CKSUM_COMPOSITE ? "COMPOSITE" : "FULL_OBJECT";
}

bool s3_cksum_type_parse(struct str s, enum s3_cksum_type *ret)
{
        *ret = str_eq(s, STR("FULL_OBJECT")) ? S3_CKSUM_FULL_OBJECT : S3_CKSUM_COMPOSITE;
        return *ret == S3_CKSUM_FULL_OBJECT || str_eq(s, STR("COMPOSITE"));
}

enum s3_cksum_type s3_cksum_type_default(enum s3_cksum k)
{
        return k == S3_CKSUM_CRC64NVME ? S3_CKSUM_FULL_OBJECT : S3_CKSUM_COMPOSITE;
}

bool s3_cksum_type_possible(enum s3_cksum k, enum s3_cksum_type t)
{
        if (k == S3_CKSUM_CRC32 || k == S3_CKSUM_CRC32C)
                return true;
        return k != S3_CKSUM_NONE && t == s3_cksum_type_default(k);
}

void s3_cksum_parts_init(struct s3_cksum_parts *p, enum s3_cksum k, enum s3_cksum_type t)
{
        ASSERT(s3_cksum_type_possible(k, t));
        *p = (struct s3_cksum_parts){ .kind = k, .type = t };
        s3_cksum_init(&p->composite, k);
}

void s3_cksum_parts_add(struct s3_cksum_parts *p, const unsigned char *value, uint64_t length)
{
        uint64_t crc = 0;
        p->count++;
        if (p->type == S3_CKSUM_COMPOSITE) {
                s3_cksum_update(&p->composite, value, kinds[p->kind].size);
                return;
        }
        for (size_t i = 0; i < kinds[p->kind].size; i++)
                crc = crc << 8 | value[i];
        if (p->kind == S3_CKSUM_CRC64NVME)
                p->crc = hash_crc64nvme_combine(p->crc, crc, length);
        else if (p->kind == S3_CKSUM_CRC32)
                p->crc = hash_crc32_combine((uint32_t)p->crc, (uint32_t)crc, length);
        else
                p->crc = hash_crc32c_combine((uint32_t)p->crc, (uint32_t)crc, length);
}

const char *s3_cksum_parts_text(struct s3_cksum_parts *p, char buf[static S3_CKSUM_TEXT_MAX])
{
        unsigned char value[S3_CKSUM_MAX];
        size_t n;
        if (p->type == S3_CKSUM_FULL_OBJECT) {
                crc_bytes(p->kind, p->crc, value);
                return s3_cksum_text(p->kind, value, buf);
        }
        s3_cksum_final(&p->composite, value);
        if (p->kind == S3_CKSUM_MD5) {
                str_to_hex(value, 16, buf);
                n = 32;
        } else {
                n = encode64(value, kinds[p->kind].size, buf);
        }
        snprintf(buf + n, S3_CKSUM_TEXT_MAX - n, "-%u", p->count);
        return buf;
}
