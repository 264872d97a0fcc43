/* api/s3.h (inside api): one request of the S3 API, as its handlers see it (docs/adr/0009-s3.md).
 *
 * The node that is asked is the edge: it judges signature and rights (s3_front.c) and has the operation done where it
 * belongs, here or at another member (s3_pass.c). Handlers run there; they trust what they are told.
 * Threads: workers. Errors: a handler ends with s3_refuse() for what S3 has a code of its own for, or with an error from
 * below. */
#ifndef ORLOP_API_S3_H
#define ORLOP_API_S3_H

#include "api/priv.h"
#include "s3/body.h"
#include "s3/read.h"
#include "s3/target.h"

#define S3_REGION "us-east-1"
#define S3_STEP ((size_t)256 * 1024)
#define S3_PART_LEAST ((uint64_t)5 << 20) /* of an upload, but for the last */

struct s3_req {
        struct api_req *r;     /* snapshot, arena, bucket, object, the server's request and answer */
        struct s3_target t;    /* what is asked for */
        struct s3_fault fault; /* of s3_refuse() */
        struct s3_body body;   /* what undoes the client's encoding, and checks it */
        bool passed_on;        /* by the edge, which has judged it */
        struct str user;       /* who asks; p null: anonymous */
        bool open;             /* there is no key at all: nobody is asked who he is */
        char id[20];           /* x-amz-request-id */
};
/* Answers, or ends with an error; q->fault is set if it is S3's. */
typedef struct err *s3_handler_fn(struct s3_req *q);

/* ---- s3_reply.c ---- */

/* Sets the fault and returns an error that stands for it. text null: that of the code. */
struct err *s3_refuse(struct s3_req *q, enum s3_code code, const char *text, ...) PRINTF_LIKE(3, 4);
/* Turns a code that a function of s3/ returned into an error; q->fault was filled by it. Null for S3_OK. */
struct err *s3_judge(struct s3_req *q, enum s3_code code);
/* A header of the request (or what a presigned query says instead), or STR_NONE. */
struct str s3_header(const struct s3_req *q, const char *name);
/* A parameter, or STR_NONE. */
struct str s3_param(const struct s3_req *q, enum s3_param p);
/* The next bytes of the content; *ret_n 0 at its end, when all that was promised about it was true. */
MUST_CHECK struct err *s3_read(struct s3_req *q, void *p, size_t n, size_t *ret_n);
/* The whole body, in the arena; p is never null. MaxMessageLengthExceeded above max. */
MUST_CHECK struct err *s3_read_all(struct s3_req *q, size_t max, struct str *ret);
/* Answers without a body. */
void s3_reply_empty(struct s3_req *q, int status);
/* Answers with a document, whose memory it takes. */
MUST_CHECK struct err *s3_reply_xml(struct s3_req *q, struct buf *b);
/* Answers with the error document; takes e. */
void s3_reply_err(struct s3_req *q, struct err *e);

/* ---- s3_meta.c: headers and pairs ---- */

/* Pairs of a content that only S3's rules may change (CUSTOM_CONTENT). */
#define S3_PAIR_ETAG "s3:etag"
#define S3_PAIR_TAGS "s3:tags"       /* as the header has them */
#define S3_PAIR_ACL "s3:acl"         /* a canned ACL other than private */
#define S3_PAIR_PARTS "s3:parts"     /* sizes of parts, "N*size" joined by ',' */
#define S3_PAIR_CKSUM "s3:checksum"  /* "CRC32 FULL_OBJECT base64" */
#define S3_PAIR_UPLOAD "s3:upload"   /* of an upload in progress: "CRC32 COMPOSITE" */

/* The pairs that the request's headers ask for: content-type and its kin, x-amz-meta-*, and tags if wanted. */
MUST_CHECK struct err *s3_pairs_of_request(struct s3_req *q, bool tags, struct buf *ret);
/* Sets one pair in sorted pairs; an empty value removes it. */
void s3_pair_set(struct buf *pairs, const char *name, struct str value);
/* The entity tag, with its quotes; buf of 80; returns buf. */
const char *s3_etag(const struct obj_meta *m, char buf[static 80]);
/* A quoted text without its quotes. */
static inline struct str s3_bare(struct str quoted)
{
        return (struct str){ quoted.p + 1, quoted.n - 2 };
}
/* Header lines of an object: ETag, Last-Modified, all that was kept; the checksum too if `whole` and asked for. */
void s3_object_headers(struct s3_req *q, const struct obj_meta *m, bool whole);
/* The checksum of an object. False: none is known. */
bool s3_object_cksum(const struct obj_meta *m, enum s3_cksum *ret_kind, enum s3_cksum_type *ret_type,
                     struct str *ret_text);
/* Judges If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, each with this prefix ("" or
 * "x-amz-copy-source-"). PreconditionFailed, NotModified. */
MUST_CHECK struct err *s3_judge_conditions(struct s3_req *q, const char *prefix, const struct obj_meta *m);
/* Whether a list of entity tags names this one. */
bool s3_names_etag(struct str list, struct str etag);

/* ---- s3_pass.c: where ---- */

struct rpc_server;
/* Adds the routes by which other members have things done here. */
MUST_CHECK struct err *s3_pass_routes(struct api *a, struct rpc_server *s);
/* Has an operation on an object or an upload done by the target that has it: here, or by passing it on; then that answer is q's. */
MUST_CHECK struct err *s3_do_at_owner(struct s3_req *q);
/* The same by whoever leads, for changes of the cluster's state. */
MUST_CHECK struct err *s3_do_at_leader(struct s3_req *q);
/* Deletes one object wherever it lives; one that does not exist is fine. */
MUST_CHECK struct err *s3_delete_anywhere(struct s3_req *q, struct str key);

/* ---- s3_front.c ---- */

struct http_app;
/* The application of a listener that speaks S3 alone. */
void s3_app(struct api *a, struct http_app *ret);
/* Answers a request of the public port whose path begins with "/s3". */
void s3_mounted(struct api *a, struct http_req *rq, struct http_resp *rs);
/* Fills r->bck and r->bucket from the target, if it names a bucket; for operations that need it to exist: NoSuchBucket. */
MUST_CHECK struct err *s3_find_bucket(struct s3_req *q);

/* ---- s3_write.c ---- */

/* Hands the body to take(), piece by piece, and computes its MD5 as hex. */
MUST_CHECK struct err *s3__take_body(struct s3_req *q, struct err *(*take)(void *arg, const void *p, size_t n), void *arg,
                                     char ret_md5[static 33]);
/* What x-amz-copy-source names, wherever it lies. */
struct s3_source {
        const struct bucket *bucket;
        struct str key;
        const struct obj_meta *meta;
        struct flow_object object;
};
/* Opens it, and judges the conditions on it; ended by flow_object_close(&ret->object). */
MUST_CHECK struct err *s3__source_open(struct s3_req *q, struct s3_source *ret);
/* Reads exactly n bytes. */
MUST_CHECK struct err *s3__source_read(struct s3_source *s, uint64_t offset, void *p, size_t n);

/* ---- handlers ---- */

/* Runs the handler of q->t.op, which belongs here. */
MUST_CHECK struct err *s3_handle(struct s3_req *q);
s3_handler_fn s3__list_buckets, s3__create_bucket, s3__head_bucket, s3__delete_bucket, s3__get_location, s3__list_objects,
        s3__get_versioning, s3__delete_objects;
s3_handler_fn s3__get_policy, s3__put_policy, s3__delete_policy, s3__get_policy_status, s3__get_bucket_acl, s3__put_bucket_acl,
        s3__get_object_acl, s3__put_object_acl, s3__get_cors, s3__put_cors, s3__delete_cors, s3__preflight;
s3_handler_fn s3__get_object, s3__put_object, s3__delete_object, s3__copy_object, s3__get_attributes, s3__get_tags,
        s3__put_tags, s3__delete_tags;
s3_handler_fn s3__create_upload, s3__upload_part, s3__upload_part_copy, s3__complete_upload, s3__abort_upload,
        s3__list_parts;
/* Reads this part of an object's list of parts ("N*size,…"): where it lies and how many there are. False: no such part. */
bool s3_part_of(struct str parts, unsigned number, uint64_t *ret_offset, uint64_t *ret_length, unsigned *ret_count);

#endif
