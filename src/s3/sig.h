/* s3/sig.h: AWS Signature Version 4, the checking and the signing side over one canonical form. Pure but for the lock
 * of the key cache; any thread.
 *
 * The canonical form is made from what the request *means*: path and query are percent-decoded and encoded anew. So
 * every spelling of a request that has one meaning has one signature, and s3/target.h, which reads the same decoded
 * text, can not be led to another meaning than the signed one. Repeated query parameters are sorted here, so their
 * order is not signed: target.h refuses them.
 *
 * Source: "Authenticating Requests (AWS Signature Version 4)" of the Amazon S3 API reference. Version 2 is refused.
 * There are no session tokens. */
#ifndef ORLOP_S3_SIG_H
#define ORLOP_S3_SIG_H

#include "base/hash.h"
#include "net/http_parse.h"
#include "s3/code.h"

#define S3_SKEW_S 900 /* how far clocks may differ */
#define S3_PRESIGNED_MAX_S (7 * 86400)
#define S3_ACCESS_KEY_MAX 128
#define S3_REGION_MAX 64
#define S3_SECRET_MAX 128 /* longer secrets work but are not cached */
#define S3_SIGNATURE_CHARS 64

/* ---- keys ---- */

/* Signing keys by secret, day and region: deriving one costs more than all the rest of a short signature. Bounded;
 * guarded by its own locks. */
struct s3_sig_keys;
/* An empty cache. NO_MEMORY. */
MUST_CHECK struct err *s3_sig_keys_new(struct s3_sig_keys **ret);
/* Wipes and frees. Null is fine. */
void s3_sig_keys_free(struct s3_sig_keys *k);
/* The signing key for a secret, a day ("20130524") and a region. k null: derived anew. */
void s3_sig_key(struct s3_sig_keys *k, struct str secret, struct str day, struct str region, struct hash_hmac_key *ret);

/* ---- requests ---- */

/* What is signed of a request; strings as sent. */
struct s3_sig_request {
        struct str method, path, query; /* raw; query without '?' */
        const struct http_header *headers;
        unsigned nheaders;
};

enum s3_auth { S3_AUTH_ANONYMOUS, S3_AUTH_HEADER, S3_AUTH_QUERY, S3_AUTH_BEARER };
/* How the body is protected: x-amz-content-sha256. */
enum s3_payload {
        S3_PAYLOAD_UNSIGNED,                /* UNSIGNED-PAYLOAD, or no word about it */
        S3_PAYLOAD_SHA256,                  /* a digest of the whole body */
        S3_PAYLOAD_STREAM,                  /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
        S3_PAYLOAD_STREAM_TRAILER,          /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER */
        S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
};
/* Where the chain of chunk signatures stands: a plain value. Wipe it as a key. */
struct s3_sig_chain {
        struct hash_hmac_key key;
        char date[17];
        char scope[S3_REGION_MAX + 32];
        char previous[S3_SIGNATURE_CHARS + 1];
};
/* Who asks, and what protects the body. Strings are borrowed from the request or its arena. */
struct s3_sig {
        enum s3_auth auth;
        struct str access_key; /* HEADER, QUERY */
        const void *user;      /* what `find` gave */
        struct str bearer;     /* BEARER: the token, unchecked */
        enum s3_payload payload;
        unsigned char sha256[32];  /* PAYLOAD_SHA256 */
        struct s3_sig_chain chain; /* PAYLOAD_STREAM and _STREAM_TRAILER: seeded */
};
/* Looks an access key up. False: unknown or disabled. The secret is borrowed until s3_sig_verify returns. */
typedef bool s3_sig_find_fn(void *arg, struct str access_key, struct str *ret_secret, const void **ret_user);
struct s3_sig_rules {
        const struct str *regions; /* that a scope may name; the first is the one we name in answers */
        unsigned nregions;         /* 0: any */
        int64_t now_s;
        s3_sig_find_fn *find;
        void *arg;
        struct s3_sig_keys *keys; /* may be null */
};
/* Judges who signed the request. S3_OK fills *ret (a request without credentials is ANONYMOUS); else *ret_fault says
 * why. The time and the scope are looked at before the signature, as S3 does; nothing of the body is. a: for the sorted
 * query. */
MUST_CHECK enum s3_code s3_sig_verify(const struct s3_sig_rules *rules, const struct s3_sig_request *rq,
                                      struct arena *a, struct s3_sig *ret, struct s3_fault *ret_fault);
/* The same for a form (POST policy): algorithm, credential, date and signature are fields of it; what was signed is the
 * text of the field "policy". */
MUST_CHECK enum s3_code s3_sig_verify_form(const struct s3_sig_rules *rules, struct str algorithm,
                                           struct str credential, struct str date, struct str policy,
                                           struct str signature, struct s3_sig *ret, struct s3_fault *ret_fault);

/* ---- chunks ---- */

/* The signature of the next chunk, from the digest of its bytes; moves the chain on. The final chunk has the digest of
 * nothing. */
void s3_sig_chain_chunk(struct s3_sig_chain *c, const unsigned char sha256[static 32],
                        char ret[static S3_SIGNATURE_CHARS + 1]);
/* The signature of the trailer, from the digest of its lines ("name:value\n" each). */
void s3_sig_chain_trailer(struct s3_sig_chain *c, const unsigned char sha256[static 32],
                          char ret[static S3_SIGNATURE_CHARS + 1]);

/* ---- the signing side ---- */

struct s3_sig_signer {
        struct str access_key, secret, region;
        struct s3_sig_keys *keys; /* may be null */
};
/* Appends the header lines x-amz-date, x-amz-content-sha256 and Authorization for a request whose headers (with Host)
 * all get signed. payload: 64 hex digits, or one of the words. ret_chain may be null; it is for bodies in signed
 * chunks. NO_MEMORY, MALFORMED (bad escape). */
MUST_CHECK struct err *s3_sig_authorize(const struct s3_sig_signer *s, const struct s3_sig_request *rq,
                                        struct str payload, int64_t now_s, struct arena *a, struct buf *lines,
                                        struct s3_sig_chain *ret_chain);
/* Appends to `query` the parameters that make the request one for everybody until life_s have passed, rq->query and its
 * '&' first. */
MUST_CHECK struct err *s3_sig_presign(const struct s3_sig_signer *s, const struct s3_sig_request *rq, int64_t life_s,
                                      int64_t now_s, struct arena *a, struct buf *query);

#endif
