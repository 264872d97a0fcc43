/* api/sign.h (inside api): the signature of a redirect: by it a target knows that a request comes from a node of its
 * cluster, which has checked it, and that it is the request that was checked.
 *
 * Signed are: method (GET serves HEAD too), path and query as they are meant (decoded; without the signature itself),
 * the announced length where the method has a body, the id of the target, and in the query: the map's version (vpams),
 * and in x: nonce, expiry, number of redirects so far, index of the state, key. u is the HMAC-SHA256 of all that, in
 * URL-safe base64. Old clients carry the three along without looking at them. docs/format/redirect.md is the format.
 *
 * Threads: any, loops too: nothing is allocated, nothing waits. Comparison takes the same time for every signature. */
#ifndef ORLOP_API_SIGN_H
#define ORLOP_API_SIGN_H

#include "base/buf.h"
#include "cluster/control.h"
#include "net/http_parse.h"

#define SIGN_LIFE_S 60                   /* a redirect is good for so long */
#define SIGN_HOPS_MAX 3                  /* redirects of one request */
#define SIGN_TEXT_MAX ((size_t)8 * 1024) /* of what is signed; longer: not signed, never good */
#define SIGN_HMAC_CHARS 43

/* The request as its receiver sees it. Strings are borrowed. */
struct sign_request {
        enum http_method method;
        struct str path, query; /* raw */
        int64_t length;         /* of the announced body, -1: chunked; not looked at for GET and HEAD */
        const char *target;     /* id of the node that is to serve it */
};
/* What a good signature says besides. */
struct sign_claims {
        uint64_t smap_version, index; /* of the signer's snapshot */
        int64_t expiry_s;             /* cluster time */
        unsigned hops;                /* redirects so far, this one counted */
};
enum sign_result {
        SIGN_NONE,
        SIGN_GOOD,
        SIGN_BAD,
        SIGN_LATER, /* by a key of a later state than s, as it says: whether it is good can not be told yet */
};

/* Judges a request's signature by the newest two keys of s at this moment of cluster time. SIGN_NONE: it carries none
 * (no parameter u). *ret is set when it is good. */
enum sign_result api__sign_check(const struct snapshot *s, const struct sign_request *rq, int64_t now_ns,
                                 struct sign_claims *ret);
/* Signs a redirect by the newest key. `url` ends in the query that begins at byte `query_at`, with at least one
 * parameter; the rest of the parameters is appended. Without keys nothing is. False: it is too long to be signed (url
 * is spoilt). rq->query is not looked at. */
bool api__sign_add(const struct snapshot *s, const struct sign_request *rq, unsigned hops, int64_t now_ns,
                   struct buf *url, size_t query_at) MUST_CHECK;
/* Whether a query has this parameter (by its raw name). */
bool api__query_has(struct str query, const char *key);

#endif
