/* s3/policy.h: who may do what: bucket policies, parsed once and evaluated often, and canned access control lists.
 * Pure; any thread.
 *
 * A policy that says something that we can not judge is refused when it is put (MalformedPolicy, NotImplemented), never
 * ignored when it is evaluated: unknown elements, operators and condition keys, and policy variables ("${…}"). A parsed
 * policy is immutable and lives in its arena.
 *
 * Principals: "*", a user's name, "arn:aws:iam::<anything>:user/<name>", "arn:aws:iam::<name>:root", {"CanonicalUser":
 * "<name>"}: here every user is an account of its own. Source: "Policies and permissions in Amazon S3", and the IAM
 * reference of JSON policy elements. */
#ifndef ORLOP_S3_POLICY_H
#define ORLOP_S3_POLICY_H

#include "base/arena.h"
#include "s3/code.h"
#include "s3/read.h"
#include "s3/target.h"

#define S3_POLICY_MAX (20 * 1024) /* bytes of a policy's text */

/* X(name, key): condition keys. A '/' at the end: the tag's key follows. */
#define S3_CONDITIONS(X)                                                      \
        X(SOURCE_IP, "aws:SourceIp")                                          \
        X(SECURE_TRANSPORT, "aws:SecureTransport")                            \
        X(USER_AGENT, "aws:UserAgent")                                        \
        X(REFERER, "aws:Referer")                                             \
        X(USERNAME, "aws:username")                                           \
        X(USERID, "aws:userid")                                               \
        X(CURRENT_TIME, "aws:CurrentTime")                                    \
        X(EPOCH_TIME, "aws:EpochTime")                                        \
        X(PREFIX, "s3:prefix")                                                \
        X(DELIMITER, "s3:delimiter")                                          \
        X(MAX_KEYS, "s3:max-keys")                                            \
        X(VERSION_ID, "s3:VersionId")                                         \
        X(LOCATION, "s3:LocationConstraint")                                  \
        X(ACL, "s3:x-amz-acl")                                                \
        X(GRANT_READ, "s3:x-amz-grant-read")                                  \
        X(GRANT_WRITE, "s3:x-amz-grant-write")                                \
        X(GRANT_READ_ACP, "s3:x-amz-grant-read-acp")                          \
        X(GRANT_WRITE_ACP, "s3:x-amz-grant-write-acp")                        \
        X(GRANT_FULL_CONTROL, "s3:x-amz-grant-full-control")                  \
        X(COPY_SOURCE, "s3:x-amz-copy-source")                                \
        X(METADATA_DIRECTIVE, "s3:x-amz-metadata-directive")                  \
        X(SSE, "s3:x-amz-server-side-encryption")                             \
        X(SSE_KMS_KEY, "s3:x-amz-server-side-encryption-aws-kms-key-id")      \
        X(SSE_CUSTOMER, "s3:x-amz-server-side-encryption-customer-algorithm") \
        X(STORAGE_CLASS, "s3:x-amz-storage-class")                            \
        X(CONTENT_SHA256, "s3:x-amz-content-sha256")                          \
        X(IF_MATCH, "s3:if-match")                                            \
        X(IF_NONE_MATCH, "s3:if-none-match")                                  \
        X(AUTH_TYPE, "s3:authType")                                           \
        X(SIGNATURE_VERSION, "s3:signatureversion")                           \
        X(SIGNATURE_AGE, "s3:signatureAge")                                   \
        X(LOCK_MODE, "s3:object-lock-mode")                                   \
        X(LOCK_UNTIL, "s3:object-lock-retain-until-date")                     \
        X(LOCK_DAYS, "s3:object-lock-remaining-retention-days")               \
        X(LOCK_HOLD, "s3:object-lock-legal-hold")                             \
        X(EXISTING_TAG, "s3:ExistingObjectTag/")                              \
        X(REQUEST_TAG, "s3:RequestObjectTag/")                                \
        X(REQUEST_TAG_KEYS, "s3:RequestObjectTagKeys")

enum s3_condition {
#define X(name, key) S3_C_##name,
        S3_CONDITIONS(X)
#undef X
                S3_C_COUNT
};

struct s3_policy;
/* Parses and checks. MalformedPolicy with what is wrong; NotImplemented; SlowDown when the arena is full. */
MUST_CHECK enum s3_code s3_policy_parse(struct arena *a, struct str text, const struct s3_policy **ret,
                                        struct s3_fault *ret_fault);
/* Whether it lets everybody in: some Allow for "*" that no condition of place or person narrows. */
bool s3_policy_is_public(const struct s3_policy *p);
/* Whether some statement asks for this condition: what is dear to find out (tags of the object) need not be otherwise.
 */
bool s3_policy_asks(const struct s3_policy *p, enum s3_condition c);

/* What is asked. CURRENT_TIME and EPOCH_TIME are answered from now_ns; all others come from value(). */
struct s3_ask {
        struct str user;        /* name; p null: anonymous */
        struct str action;      /* "s3:GetObject" */
        struct str bucket, key; /* key.p null: the bucket itself */
        int64_t now_ns;
        /* The i-th value of a condition key of this request (tag: what follows the '/'); false when there are no more.
         * May be null: no values. */
        bool (*value)(void *arg, enum s3_condition c, struct str tag, unsigned i, struct str *ret);
        void *arg;
};
enum s3_verdict { S3_VERDICT_NONE, S3_VERDICT_ALLOW, S3_VERDICT_DENY };
/* What the policy says: a Deny that fits outweighs every Allow. p null: NONE. */
enum s3_verdict s3_policy_judge(const struct s3_policy *p, const struct s3_ask *q);

/* Whether a canned ACL grants an operation to somebody who is not the owner. `acl` is the bucket's for operations on
 * the bucket and for writing and deleting objects, the object's for reading them. */
bool s3_acl_allows(enum s3_acl acl, enum s3_op op, bool authenticated);
/* Who decides what: Deny of the policy, then ownership, then Allow of the policy, then the ACL. The owner can always
 * read, replace and delete the policy, so that no policy locks everybody out. */
bool s3_access_allowed(const struct s3_policy *p, const struct s3_ask *q, bool owner, enum s3_acl acl, enum s3_op op);

#endif
