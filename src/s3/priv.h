/* s3/priv.h: what the files of this folder share. */
#ifndef ORLOP_S3_PRIV_H
#define ORLOP_S3_PRIV_H

#include "s3/sig.h"

#define SIG_ALGORITHM "AWS4-HMAC-SHA256"
#define SIG_UNSIGNED "UNSIGNED-PAYLOAD"
#define SIG_DAY_CHARS 8

/* A canonical request's ingredients. */
struct s3__canon {
        const struct s3_sig_request *rq;
        struct str signed_headers; /* "host;x-amz-date" */
        struct str skip_param;     /* left out of the query, decoded name; STR_NONE: none */
        struct str payload;
};
enum s3__canon_result { CANON_OK, CANON_BAD_ESCAPE, CANON_NO_HEADER, CANON_NO_MEMORY };
/* Digest of the canonical request; its text is appended to `copy` when that is not null. */
enum s3__canon_result s3__canon_digest(const struct s3__canon *c, struct arena *a, unsigned char ret[static 32],
                                       struct buf *copy);
/* hex(HMAC(key, "AWS4-HMAC-SHA256" date scope hex(digest))). */
void s3__sign_digest(const struct hash_hmac_key *key, const char *date, const char *scope,
                     const unsigned char digest[static 32], char ret[static S3_SIGNATURE_CHARS + 1]);
/* Appends the canonical encoding of decoded bytes: all but unreserved characters as %XX, '/' too unless kept. */
void s3__encode(struct buf *b, struct str s, bool keep_slash);

#endif
