/* s3/body.h: the body of an upload, as the client meant it: out of its chunks, and with all that was promised about it
 * checked.
 *
 * A body reads from a source of bytes and is one itself (net/http_client.h, http_body_read_fn), so it can stand between
 * a request and whoever stores. It undoes aws-chunked, checks the chain of chunk signatures, the trailer, the digest of
 * the signature, Content-MD5, the x-amz-checksum-* value and the announced length. **The last byte is held back until
 * all of that was right**: who stores only bodies of the announced length can not store a wrong one. A body without
 * bytes has none to hold back: read to the end (*ret_n = 0) before anything is committed.
 *
 * Memory: one struct of about 9 KiB, whatever the body. One thread at a time; it blocks when the source does. */
#ifndef ORLOP_S3_BODY_H
#define ORLOP_S3_BODY_H

#include "net/http_client.h"
#include "s3/cksum.h"
#include "s3/sig.h"

#define S3_BODY_STAGE 8192

/* What was promised; a plain value. */
struct s3_body_rules {
        enum s3_payload payload;
        unsigned char sha256[32];  /* PAYLOAD_SHA256 */
        struct s3_sig_chain chain; /* PAYLOAD_STREAM, _STREAM_TRAILER */
        int64_t length;            /* of the content, decoded; -1: not announced */
        bool has_md5;
        unsigned char md5[16]; /* Content-MD5 */
        enum s3_cksum cksum;   /* to compute; NONE: none */
        bool unproven;         /* nobody is asked who he is: signatures of chunks are read, and not judged */
        bool cksum_known;      /* its value came in a header */
        bool cksum_trails;     /* it comes in the trailer, which must have it */
        unsigned char cksum_value[S3_CKSUM_MAX];
};
/* Reads the promises off the headers of a request that s3_sig_verify let pass. */
MUST_CHECK enum s3_code s3_body_rules_of(const struct s3_sig *sig, const struct http_header *headers, unsigned nheaders,
                                         int64_t content_length, struct s3_body_rules *ret, struct s3_fault *ret_fault);

struct s3_body {
        struct s3_body_rules rules;
        http_body_read_fn *source;
        void *arg;
        struct s3_fault fault; /* S3_OK unless we refused the body; then what s3_body_read returned is only its echo */
        struct s3_cksum_ctx cksum, md5;
        unsigned char cksum_value[S3_CKSUM_MAX]; /* computed; valid at the end, when rules.cksum is not NONE */
        int state;
        uint64_t got, left; /* bytes of content so far; of the chunk still to come */
        struct digest chunk, trailer;
        char chunk_signature[S3_SIGNATURE_CHARS + 1];
        bool held, trailer_seen, trailer_signed;
        char held_byte;
        unsigned trailer_lines;
        size_t stage_at, stage_n;
        char stage[S3_BODY_STAGE];
};
/* Ready to read. `source` gives the bytes as they came (chunks of HTTP undone). */
void s3_body_init(struct s3_body *b, const struct s3_body_rules *rules, http_body_read_fn *source, void *arg);
/* An http_body_read_fn over a struct s3_body: the next up to n bytes; *ret_n = 0 at the end, when all was right.
 * Errors: those of the source; BAD_CHECKSUM, FORBIDDEN, MALFORMED when the body is refused, with b->fault set. */
struct err *s3_body_read(void *body, void *p, size_t n, size_t *ret_n);
/* What Content-Encoding is kept: the value without "aws-chunked". In the arena; p null when nothing is left or the
 * arena is full. */
struct str s3_content_encoding(struct arena *a, struct str value);

#endif
