/* s3/target.h: what a request asks for: bucket, key, operation, parameters; one table of operations, one of parameters,
 * one of headers. Pure; any thread.
 *
 * A sub-resource, parameter or x-amz-* header that is in no table is refused with NotImplemented and never taken for
 * the plain operation. Refused too: two sub-resources at once, a parameter given twice (its order is not signed) or
 * where it means nothing, an x-amz-* header given twice. Parameters whose names begin with "x-" but not "x-amz-" are
 * ignored, as S3 does. In a presigned request, x-amz-* parameters stand for headers. */
#ifndef ORLOP_S3_TARGET_H
#define ORLOP_S3_TARGET_H

#include "net/http_parse.h"
#include "s3/code.h"

#define S3_KEY_MAX 1024
#define S3_BUCKET_MAX 63

enum s3_level { S3_SERVICE, S3_BUCKET, S3_OBJECT };

/* X(name, method, level, sub-resource, action of policies, action when a version is named or "") */
#define S3_OPS(X)                                                                                                      \
        X(LIST_BUCKETS, GET, SERVICE, "", "s3:ListAllMyBuckets", "")                                                   \
        X(CREATE_BUCKET, PUT, BUCKET, "", "s3:CreateBucket", "")                                                       \
        X(HEAD_BUCKET, HEAD, BUCKET, "", "s3:ListBucket", "")                                                          \
        X(DELETE_BUCKET, DELETE, BUCKET, "", "s3:DeleteBucket", "")                                                    \
        X(LIST_OBJECTS, GET, BUCKET, "", "s3:ListBucket", "")                                                          \
        X(LIST_OBJECTS_V2, GET, BUCKET, "list-type", "s3:ListBucket", "")                                              \
        X(LIST_VERSIONS, GET, BUCKET, "versions", "s3:ListBucketVersions", "")                                         \
        X(LIST_UPLOADS, GET, BUCKET, "uploads", "s3:ListBucketMultipartUploads", "")                                   \
        X(DELETE_OBJECTS, POST, BUCKET, "delete", "s3:DeleteObject", "")                                               \
        X(POST_OBJECT, POST, BUCKET, "", "s3:PutObject", "")                                                           \
        X(GET_LOCATION, GET, BUCKET, "location", "s3:GetBucketLocation", "")                                           \
        X(GET_BUCKET_ACL, GET, BUCKET, "acl", "s3:GetBucketAcl", "")                                                   \
        X(PUT_BUCKET_ACL, PUT, BUCKET, "acl", "s3:PutBucketAcl", "")                                                   \
        X(GET_POLICY, GET, BUCKET, "policy", "s3:GetBucketPolicy", "")                                                 \
        X(PUT_POLICY, PUT, BUCKET, "policy", "s3:PutBucketPolicy", "")                                                 \
        X(DELETE_POLICY, DELETE, BUCKET, "policy", "s3:DeleteBucketPolicy", "")                                        \
        X(GET_POLICY_STATUS, GET, BUCKET, "policyStatus", "s3:GetBucketPolicyStatus", "")                              \
        X(GET_CORS, GET, BUCKET, "cors", "s3:GetBucketCORS", "")                                                       \
        X(PUT_CORS, PUT, BUCKET, "cors", "s3:PutBucketCORS", "")                                                       \
        X(DELETE_CORS, DELETE, BUCKET, "cors", "s3:PutBucketCORS", "")                                                 \
        X(GET_LIFECYCLE, GET, BUCKET, "lifecycle", "s3:GetLifecycleConfiguration", "")                                 \
        X(PUT_LIFECYCLE, PUT, BUCKET, "lifecycle", "s3:PutLifecycleConfiguration", "")                                 \
        X(DELETE_LIFECYCLE, DELETE, BUCKET, "lifecycle", "s3:PutLifecycleConfiguration", "")                           \
        X(GET_BUCKET_TAGGING, GET, BUCKET, "tagging", "s3:GetBucketTagging", "")                                       \
        X(PUT_BUCKET_TAGGING, PUT, BUCKET, "tagging", "s3:PutBucketTagging", "")                                       \
        X(DELETE_BUCKET_TAGGING, DELETE, BUCKET, "tagging", "s3:PutBucketTagging", "")                                 \
        X(GET_VERSIONING, GET, BUCKET, "versioning", "s3:GetBucketVersioning", "")                                     \
        X(PUT_VERSIONING, PUT, BUCKET, "versioning", "s3:PutBucketVersioning", "")                                     \
        X(GET_OBJECT_LOCK, GET, BUCKET, "object-lock", "s3:GetBucketObjectLockConfiguration", "")                      \
        X(PUT_OBJECT_LOCK, PUT, BUCKET, "object-lock", "s3:PutBucketObjectLockConfiguration", "")                      \
        X(GET_ENCRYPTION, GET, BUCKET, "encryption", "s3:GetEncryptionConfiguration", "")                              \
        X(PUT_ENCRYPTION, PUT, BUCKET, "encryption", "s3:PutEncryptionConfiguration", "")                              \
        X(DELETE_ENCRYPTION, DELETE, BUCKET, "encryption", "s3:PutEncryptionConfiguration", "")                        \
        X(GET_NOTIFICATION, GET, BUCKET, "notification", "s3:GetBucketNotification", "")                               \
        X(PUT_NOTIFICATION, PUT, BUCKET, "notification", "s3:PutBucketNotification", "")                               \
        X(GET_OBJECT, GET, OBJECT, "", "s3:GetObject", "s3:GetObjectVersion")                                          \
        X(HEAD_OBJECT, HEAD, OBJECT, "", "s3:GetObject", "s3:GetObjectVersion")                                        \
        X(PUT_OBJECT, PUT, OBJECT, "", "s3:PutObject", "")                                                             \
        X(COPY_OBJECT, COPY, OBJECT, "", "s3:PutObject", "")                                                           \
        X(DELETE_OBJECT, DELETE, OBJECT, "", "s3:DeleteObject", "s3:DeleteObjectVersion")                              \
        X(GET_ATTRIBUTES, GET, OBJECT, "attributes", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes")        \
        X(GET_OBJECT_ACL, GET, OBJECT, "acl", "s3:GetObjectAcl", "s3:GetObjectVersionAcl")                             \
        X(PUT_OBJECT_ACL, PUT, OBJECT, "acl", "s3:PutObjectAcl", "s3:PutObjectVersionAcl")                             \
        X(GET_OBJECT_TAGGING, GET, OBJECT, "tagging", "s3:GetObjectTagging", "s3:GetObjectVersionTagging")             \
        X(PUT_OBJECT_TAGGING, PUT, OBJECT, "tagging", "s3:PutObjectTagging", "s3:PutObjectVersionTagging")             \
        X(DELETE_OBJECT_TAGGING, DELETE, OBJECT, "tagging", "s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging") \
        X(GET_RETENTION, GET, OBJECT, "retention", "s3:GetObjectRetention", "")                                        \
        X(PUT_RETENTION, PUT, OBJECT, "retention", "s3:PutObjectRetention", "")                                        \
        X(GET_LEGAL_HOLD, GET, OBJECT, "legal-hold", "s3:GetObjectLegalHold", "")                                      \
        X(PUT_LEGAL_HOLD, PUT, OBJECT, "legal-hold", "s3:PutObjectLegalHold", "")                                      \
        X(CREATE_UPLOAD, POST, OBJECT, "uploads", "s3:PutObject", "")                                                  \
        X(UPLOAD_PART, PUT, OBJECT, "uploadId", "s3:PutObject", "")                                                    \
        X(UPLOAD_PART_COPY, COPY, OBJECT, "uploadId", "s3:PutObject", "")                                              \
        X(COMPLETE_UPLOAD, POST, OBJECT, "uploadId", "s3:PutObject", "")                                               \
        X(ABORT_UPLOAD, DELETE, OBJECT, "uploadId", "s3:AbortMultipartUpload", "")                                     \
        X(LIST_PARTS, GET, OBJECT, "uploadId", "s3:ListMultipartUploadParts", "")

enum s3_op {
        S3_OP_NONE,
#define X(name, method, level, sub, action, version_action) S3_OP_##name,
        S3_OPS(X)
#undef X
                S3_OP_PREFLIGHT, /* OPTIONS: CORS */
        S3_OP_COUNT
};
/* "PutObject"-like name in capitals ("PUT_OBJECT"): for logs and metrics. */
const char *s3_op_name(enum s3_op op);
/* The action that a policy must allow. PREFLIGHT has none (""). */
const char *s3_op_action(enum s3_op op, bool of_version);

/* X(name, parameter, levels, methods): parameters that carry a value. Levels and methods as letters: s b o; G H P(ut)
 * O(post) D. */
#define S3_PARAMS(X)                                                               \
        X(PREFIX, "prefix", "sb", "G")                                             \
        X(DELIMITER, "delimiter", "b", "G")                                        \
        X(MARKER, "marker", "b", "G")                                              \
        X(MAX_KEYS, "max-keys", "b", "G")                                          \
        X(ENCODING_TYPE, "encoding-type", "bo", "G")                               \
        X(LIST_TYPE, "list-type", "b", "G")                                        \
        X(START_AFTER, "start-after", "b", "G")                                    \
        X(CONTINUATION_TOKEN, "continuation-token", "sb", "G")                     \
        X(FETCH_OWNER, "fetch-owner", "b", "G")                                    \
        X(KEY_MARKER, "key-marker", "b", "G")                                      \
        X(VERSION_ID_MARKER, "version-id-marker", "b", "G")                        \
        X(UPLOAD_ID_MARKER, "upload-id-marker", "b", "G")                          \
        X(MAX_UPLOADS, "max-uploads", "b", "G")                                    \
        X(MAX_BUCKETS, "max-buckets", "s", "G")                                    \
        X(BUCKET_REGION, "bucket-region", "s", "G")                                \
        X(MAX_PARTS, "max-parts", "o", "G")                                        \
        X(PART_NUMBER_MARKER, "part-number-marker", "o", "G")                      \
        X(VERSION_ID, "versionId", "o", "GHPD")                                    \
        X(UPLOAD_ID, "uploadId", "o", "GPOD")                                      \
        X(PART_NUMBER, "partNumber", "o", "GHP")                                   \
        X(RESPONSE_CACHE_CONTROL, "response-cache-control", "o", "GH")             \
        X(RESPONSE_CONTENT_DISPOSITION, "response-content-disposition", "o", "GH") \
        X(RESPONSE_CONTENT_ENCODING, "response-content-encoding", "o", "GH")       \
        X(RESPONSE_CONTENT_LANGUAGE, "response-content-language", "o", "GH")       \
        X(RESPONSE_CONTENT_TYPE, "response-content-type", "o", "GH")               \
        X(RESPONSE_EXPIRES, "response-expires", "o", "GH")

enum s3_param {
#define X(name, text, levels, methods) S3_P_##name,
        S3_PARAMS(X)
#undef X
                S3_P_COUNT
};

struct s3_target_rules {
        struct str mount;          /* raw prefix of the path that is not S3's ("/s3"); may be empty */
        const struct str *domains; /* "s3.example.org": their sub-domains are buckets; none when mounted */
        unsigned ndomains;
};
struct s3_target {
        enum s3_op op;
        enum s3_level level;
        struct str bucket, key;            /* decoded; p null above their level */
        struct str params[S3_P_COUNT];     /* decoded; p null: absent */
        unsigned part_number;              /* 1…10000; 0: not given */
        const struct http_header *headers; /* of the request, and what a presigned query says instead of them */
        unsigned nheaders;
        bool presigned;
};
/* Reads a request. NO_MEMORY of the arena reads as SlowDown. */
MUST_CHECK enum s3_code s3_target_parse(const struct s3_target_rules *rules, const struct http_head *head,
                                        struct arena *a, struct s3_target *ret, struct s3_fault *ret_fault);
/* First header of this name in t->headers, or STR_NONE. */
struct str s3_target_header(const struct s3_target *t, const char *name);
/* A parameter that is a count: its default when absent or empty, at most `most`; else InvalidArgument. */
MUST_CHECK enum s3_code s3_target_count(const struct s3_target *t, enum s3_param p, unsigned fallback, unsigned most,
                                        unsigned *ret, struct s3_fault *ret_fault);

/* S3's rules for the name of a new bucket: 3 to 63 of lower-case letters, digits, '.', '-'; no IPv4 address, no
 * reserved prefix or suffix. */
bool s3_bucket_name_ok(struct str name);
/* "/bucket/key[?versionId=id]" of x-amz-copy-source, percent-decoded. False if malformed. */
bool s3_copy_source_parse(struct arena *a, struct str value, struct str *ret_bucket, struct str *ret_key,
                          struct str *ret_version);

#endif
