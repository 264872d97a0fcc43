/* s3/write.h: the documents of answers, appended to a buffer. Lists are written as they come: begin, then entries, then
 * end; nothing is built as a tree. Errors are in code.h. A bucket's policy, CORS, lifecycle and notification rules are
 * answered as the text that was stored. Nothing fails; the buffer keeps what went wrong. Pure; any thread. Strings with
 * p null are left out. */
#ifndef ORLOP_S3_WRITE_H
#define ORLOP_S3_WRITE_H

#include "base/buf.h"
#include "s3/cksum.h"
#include "s3/read.h"

struct s3_owner {
        struct str id, name;
};

/* ---- buckets ---- */

/* <ListAllMyBucketsResult>. */
void s3_write_buckets_begin(struct buf *b, const struct s3_owner *owner);
/* One bucket; region may be STR_NONE. */
void s3_write_bucket(struct buf *b, struct str name, int64_t created_ns, struct str region);
/* Ends it; prefix and token may be STR_NONE. */
void s3_write_buckets_end(struct buf *b, struct str prefix, struct str continuation_token);

/* ---- listings ---- */

enum s3_list_kind { S3_LIST_V1, S3_LIST_V2, S3_LIST_VERSIONS, S3_LIST_UPLOADS };
/* What was asked, and where the page ended. */
struct s3_list_head {
        enum s3_list_kind kind;
        struct str bucket, prefix, delimiter;
        struct str marker;    /* V1: marker; V2: start-after; VERSIONS, UPLOADS: key-marker */
        struct str id_marker; /* VERSIONS: version-id-marker; UPLOADS: upload-id-marker */
        struct str token;     /* V2: continuation-token as sent */
        unsigned max_keys;
        bool url;         /* encoding-type=url */
        bool fetch_owner; /* V2 */
};
struct s3_list_tail {
        bool truncated;
        unsigned count; /* V2: entries and common prefixes */
        struct str
                next_marker; /* V1 (with a delimiter), V2: NextContinuationToken, VERSIONS and UPLOADS: NextKeyMarker */
        struct str next_id_marker; /* VERSIONS, UPLOADS */
};
struct s3_list_entry {
        struct str key, etag; /* etag without quotes */
        uint64_t size;
        int64_t modified_ns;
        struct str storage_class; /* p null: STANDARD */
        enum s3_cksum cksum;
        enum s3_cksum_type cksum_type;
        const struct s3_owner *owner; /* null: none is written */
        struct str version_id;        /* VERSIONS */
        bool latest, marker;          /* VERSIONS */
        struct str upload_id;         /* UPLOADS */
};
/* Opens the document. */
void s3_write_list_begin(struct buf *b, const struct s3_list_head *h);
/* An object, a version, a delete marker or an upload. */
void s3_write_list_entry(struct buf *b, const struct s3_list_head *h, const struct s3_list_entry *e);
/* A common prefix; may come between entries. */
void s3_write_list_prefix(struct buf *b, const struct s3_list_head *h, struct str prefix);
/* Closes it. */
void s3_write_list_end(struct buf *b, const struct s3_list_head *h, const struct s3_list_tail *t);

/* ---- multipart ---- */

/* <InitiateMultipartUploadResult>. */
void s3_write_create_upload(struct buf *b, struct str bucket, struct str key, struct str upload_id);
/* <CompleteMultipartUploadResult>; checksum text as s3_cksum_parts_text gives it. */
void s3_write_complete_upload(struct buf *b, struct str location, struct str bucket, struct str key, struct str etag,
                              enum s3_cksum cksum, enum s3_cksum_type type, struct str cksum_text);
struct s3_parts_head {
        struct str bucket, key, upload_id;
        const struct s3_owner *owner;
        unsigned marker, next_marker, max_parts;
        bool truncated, url;
        enum s3_cksum cksum;
        enum s3_cksum_type cksum_type;
};
/* <ListPartsResult>. */
void s3_write_parts_begin(struct buf *b, const struct s3_parts_head *h);
/* One part; checksum text may be STR_NONE. */
void s3_write_part(struct buf *b, unsigned number, struct str etag, uint64_t size, int64_t modified_ns,
                   enum s3_cksum cksum, struct str cksum_text);
/* Closes it. */
void s3_write_parts_end(struct buf *b);

/* ---- objects ---- */

/* <CopyObjectResult> or, for a part, <CopyPartResult>. */
void s3_write_copy(struct buf *b, bool part, struct str etag, int64_t modified_ns, enum s3_cksum cksum,
                   struct str cksum_text);
/* <DeleteResult>: open, one of the two per key, close. */
void s3_write_delete_begin(struct buf *b);
/* A key that is gone; what was asked and what came of it. */
void s3_write_deleted(struct buf *b, struct str key, struct str version_id, bool marker, struct str marker_version_id);
/* A key that is not. */
void s3_write_delete_error(struct buf *b, struct str key, struct str version_id, enum s3_code c, struct str message);
/* Closes it. */
void s3_write_delete_end(struct buf *b);
struct s3_attributes {
        struct str etag; /* each part of the answer is written when asked for: p null or false leaves it out */
        enum s3_cksum cksum;
        enum s3_cksum_type cksum_type;
        struct str cksum_text;
        unsigned parts; /* total; 0: not multipart */
        bool storage_class, size;
        uint64_t size_bytes;
};
/* <GetObjectAttributesResponse>. */
void s3_write_attributes(struct buf *b, const struct s3_attributes *t);
/* <PostResponse>: success_action_status 201. */
void s3_write_post(struct buf *b, struct str location, struct str bucket, struct str key, struct str etag);

/* ---- configurations ---- */

/* <LocationConstraint>; the empty one is us-east-1's. */
void s3_write_location(struct buf *b, struct str region);
/* <Tagging>. */
void s3_write_tagging(struct buf *b, const struct s3_tags *t);
/* <VersioningConfiguration>; OFF is empty. */
void s3_write_versioning(struct buf *b, enum s3_versioning v);
/* <AccessControlPolicy> of a canned ACL. */
void s3_write_acl(struct buf *b, const struct s3_owner *owner, enum s3_acl acl);
/* <ObjectLockConfiguration>. */
void s3_write_object_lock(struct buf *b, const struct s3_object_lock *o);
/* <Retention>. */
void s3_write_retention(struct buf *b, const struct s3_retention *r);
/* <LegalHold>. */
void s3_write_legal_hold(struct buf *b, bool on);
/* <ServerSideEncryptionConfiguration> of AES256. */
void s3_write_encryption(struct buf *b);
/* <PolicyStatus>. */
void s3_write_policy_status(struct buf *b, bool is_public);

#endif
