/* s3/read.h: the documents that clients send, as plain structs. Each reader takes the whole body, checks names, numbers
 * and limits, and refuses elements that it does not know (MalformedXML), since ignoring one could change what is meant.
 * What S3 has and we have not is NotImplemented. Everything lives in the arena. Pure; any thread. CORS and lifecycle
 * rules are read by cors.h and lifecycle.h. */
#ifndef ORLOP_S3_READ_H
#define ORLOP_S3_READ_H

#include "base/xml.h"
#include "s3/cksum.h"
#include "s3/code.h"

#define S3_READ_DELETE_MAX ((size_t)8 << 20)   /* bytes of a Delete document: 1000 keys, escaped */
#define S3_READ_COMPLETE_MAX ((size_t)8 << 20) /* of a CompleteMultipartUpload */
#define S3_READ_MAX ((size_t)256 << 10)        /* of any other */
#define S3_DELETE_KEYS_MAX 1000
#define S3_BUCKET_TAGS_MAX 50
#define S3_OBJECT_TAGS_MAX 10

struct s3_delete_key {
        struct str key, version_id, etag; /* p null: not given */
};
struct s3_delete {
        bool quiet;
        struct s3_delete_key *keys;
        unsigned n;
};
/* <Delete>: 1 to 1000 keys. */
MUST_CHECK enum s3_code s3_read_delete(struct arena *a, struct str text, struct s3_delete *ret,
                                       struct s3_fault *ret_fault);

struct s3_complete_part {
        unsigned number;     /* 1…10000 */
        struct str etag;     /* without quotes */
        enum s3_cksum cksum; /* NONE: not given */
        unsigned char value[S3_CKSUM_MAX];
};
struct s3_complete {
        struct s3_complete_part *parts; /* ascending by number: else InvalidPartOrder */
        unsigned n;
};
/* <CompleteMultipartUpload>: at least one part. */
MUST_CHECK enum s3_code s3_read_complete(struct arena *a, struct str text, struct s3_complete *ret,
                                         struct s3_fault *ret_fault);

struct s3_tag {
        struct str key, value;
};
struct s3_tags {
        struct s3_tag *tags;
        unsigned n;
};
/* <Tagging>: at most `most` tags; keys to 128 and values to 256 characters, keys once: else InvalidTag. */
MUST_CHECK enum s3_code s3_read_tagging(struct arena *a, struct str text, unsigned most, struct s3_tags *ret,
                                        struct s3_fault *ret_fault);
/* The same from the header x-amz-tagging: "key=value&…", percent-encoded. */
MUST_CHECK enum s3_code s3_read_tagging_header(struct arena *a, struct str value, unsigned most, struct s3_tags *ret,
                                               struct s3_fault *ret_fault);

struct s3_create_bucket {
        struct str location; /* p null: not given */
        struct s3_tags tags;
};
/* <CreateBucketConfiguration>; an empty text is an empty configuration. */
MUST_CHECK enum s3_code s3_read_create_bucket(struct arena *a, struct str text, struct s3_create_bucket *ret,
                                              struct s3_fault *ret_fault);

enum s3_versioning { S3_VERSIONING_OFF, S3_VERSIONING_ENABLED, S3_VERSIONING_SUSPENDED };
/* <VersioningConfiguration>: Enabled or Suspended; MfaDelete is NotImplemented. */
MUST_CHECK enum s3_code s3_read_versioning(struct arena *a, struct str text, enum s3_versioning *ret,
                                           struct s3_fault *ret_fault);

enum s3_lock_mode { S3_LOCK_NONE, S3_LOCK_GOVERNANCE, S3_LOCK_COMPLIANCE };
/* "GOVERNANCE" or "COMPLIANCE"; false for anything else. */
bool s3_lock_mode_parse(struct str s, enum s3_lock_mode *ret);
/* "" for NONE. */
const char *s3_lock_mode_name(enum s3_lock_mode m);
struct s3_object_lock {
        enum s3_lock_mode mode; /* of new objects; NONE: no default */
        unsigned days, years;   /* one of them, when mode is not NONE */
};
/* <ObjectLockConfiguration>, which must say Enabled. */
MUST_CHECK enum s3_code s3_read_object_lock(struct arena *a, struct str text, struct s3_object_lock *ret,
                                            struct s3_fault *ret_fault);
struct s3_retention {
        enum s3_lock_mode mode; /* NONE: an empty document, which lifts the retention */
        int64_t until_ns;
};
/* <Retention>. */
MUST_CHECK enum s3_code s3_read_retention(struct arena *a, struct str text, struct s3_retention *ret,
                                          struct s3_fault *ret_fault);
/* <LegalHold>: ON or OFF. */
MUST_CHECK enum s3_code s3_read_legal_hold(struct arena *a, struct str text, bool *ret_on, struct s3_fault *ret_fault);

/* <ServerSideEncryptionConfiguration>: AES256 (true); aws:kms is NotImplemented. */
MUST_CHECK enum s3_code s3_read_encryption(struct arena *a, struct str text, struct s3_fault *ret_fault);

enum s3_acl {
        S3_ACL_PRIVATE,
        S3_ACL_PUBLIC_READ,
        S3_ACL_PUBLIC_READ_WRITE,
        S3_ACL_AUTHENTICATED_READ,
        S3_ACL_BUCKET_OWNER_READ,
        S3_ACL_BUCKET_OWNER_FULL_CONTROL,
        S3_ACL_COUNT
};
/* From x-amz-acl; false if unknown. */
bool s3_acl_parse(struct str name, enum s3_acl *ret);
/* "public-read". */
const char *s3_acl_name(enum s3_acl acl);
/* <AccessControlPolicy>: grants that are what a canned ACL grants (owner: full control). Other grants are
 * NotImplemented. */
MUST_CHECK enum s3_code s3_read_acl(struct arena *a, struct str text, struct str owner, enum s3_acl *ret,
                                    struct s3_fault *ret_fault);

struct s3_notify_rule {
        struct str id, destination; /* destination: text of Topic, Queue or CloudFunction */
        struct str *events;         /* "s3:ObjectCreated:*" … */
        unsigned nevents;
        struct str prefix, suffix; /* p null: any */
        enum { S3_NOTIFY_TOPIC, S3_NOTIFY_QUEUE, S3_NOTIFY_FUNCTION } kind;
};
struct s3_notify {
        struct s3_notify_rule *rules;
        unsigned n;
};
/* <NotificationConfiguration>: at most 100 rules; an empty one turns notification off. */
MUST_CHECK enum s3_code s3_read_notification(struct arena *a, struct str text, struct s3_notify *ret,
                                             struct s3_fault *ret_fault);
/* Whether an event ("s3:ObjectCreated:Put") for a key is one that the rule asks for. */
bool s3_notify_matches(const struct s3_notify_rule *r, struct str event, struct str key);

#endif
