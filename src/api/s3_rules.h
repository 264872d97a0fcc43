/* api/s3_rules.h (inside api): what a bucket's owner has laid down for S3, and who may do what by it.
 *
 * The rules of a bucket are one document of the cluster's state, "s3b/<bucket id>": owner, canned ACL, texts of policy
 * and CORS as they were sent. A bucket without one (made by the native API) belongs to every user, and to nobody else.
 * Threads: workers. */
#ifndef ORLOP_API_S3_RULES_H
#define ORLOP_API_S3_RULES_H

#include "api/s3.h"

struct s3_rules {
        struct str owner;        /* n 0: every user */
        enum s3_acl acl;
        struct str policy, cors; /* n 0: none */
};
/* Reads the rules of q's bucket, into the arena. */
MUST_CHECK struct err *s3_rules_load(struct s3_req *q, struct s3_rules *ret);
/* Replaces them; returns when every node knows. */
MUST_CHECK struct err *s3_rules_store(struct s3_req *q, const struct s3_rules *r);
/* Makes q's user the owner of a bucket that he has just made. */
MUST_CHECK struct err *s3_rules_create(struct s3_req *q, uint64_t bid, enum s3_acl acl);
/* Whether the bucket of this id is q's user's. */
MUST_CHECK struct err *s3_rules_owned(struct s3_req *q, uint64_t bid, bool *ret);
/* Forgets them, with the bucket of this id. */
MUST_CHECK struct err *s3_rules_drop(struct s3_req *q, uint64_t bid);

/* Whether q's user may do what q asks for. AccessDenied. After s3_find_bucket(). */
MUST_CHECK struct err *s3_authorize(struct s3_req *q);
/* Whether he may do `op` to one object of a bucket (deletes of many, sources of copies). AccessDenied. */
MUST_CHECK struct err *s3_authorize_object(struct s3_req *q, const struct bucket *b, struct str key, enum s3_op op);
/* Adds the headers that a page of another site needs, if the bucket's CORS rules let it. */
void s3_cors_answer(struct s3_req *q);

#endif
