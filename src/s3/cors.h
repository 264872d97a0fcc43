/* s3/cors.h: cross-origin rules of a bucket: read, matched, answered. Pure; any thread.
 * Source: "Using cross-origin resource sharing" of the Amazon S3 user guide; the Fetch standard for the headers. */
#ifndef ORLOP_S3_CORS_H
#define ORLOP_S3_CORS_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/http_parse.h"
#include "s3/code.h"

#define S3_CORS_RULES_MAX 100

struct s3_strs {
        struct str *items;
        unsigned n;
};
struct s3_cors_rule {
        struct str id;          /* p null: none */
        struct s3_strs origins; /* each with at most one '*' */
        unsigned methods;       /* bit 1 << enum http_method */
        struct s3_strs headers; /* likewise; compared without case */
        struct s3_strs expose;
        int64_t max_age_s; /* -1: not given */
};
struct s3_cors {
        struct s3_cors_rule *rules;
        unsigned n;
};
/* <CORSConfiguration>: 1 to 100 rules. In the arena. */
MUST_CHECK enum s3_code s3_cors_read(struct arena *a, struct str text, struct s3_cors *ret, struct s3_fault *ret_fault);
/* The first rule for a request from this origin, or null. headers: Access-Control-Request-Headers of a preflight, or
 * STR_NONE. */
const struct s3_cors_rule *s3_cors_match(const struct s3_cors *c, struct str origin, enum http_method m,
                                         struct str headers);
/* Appends the header lines of the answer to a request that `rule` matched. headers: see above. */
void s3_cors_lines(struct buf *lines, const struct s3_cors_rule *rule, struct str origin, struct str headers);
/* Answers OPTIONS: S3_OK with the header lines; 400 without what a preflight must have; 403 when no rule matches (c
 * null: no rules). */
MUST_CHECK enum s3_code s3_cors_preflight(const struct s3_cors *c, struct str origin, struct str method,
                                          struct str headers, struct buf *lines, struct s3_fault *ret_fault);

#endif
