/* api/redirect.h (inside api): which node a request for an object belongs to, and how it is sent there.
 *
 * Threads: any, loops too, unless a comment says worker. Nothing waits. */
#ifndef ORLOP_API_REDIRECT_H
#define ORLOP_API_REDIRECT_H

#include "api/priv.h"
#include "api/sign.h"

enum route_kind {
        ROUTE_HERE,      /* this process owns the key, and is asked in a way that it may answer */
        ROUTE_AWAY,      /* to `owner` */
        ROUTE_UNMARKED,  /* a change that comes to a target but not by a redirect */
        ROUTE_FORBIDDEN, /* the signature is missing where it must be, or bad */
        ROUTE_EARLY,     /* signed by a key of a state that has not come here yet */
        ROUTE_LOST       /* redirected too often already, or nobody owns it */
};
struct route {
        enum route_kind kind;
        const struct cluster_node *owner; /* of ROUTE_AWAY; borrowed from the snapshot */
        unsigned hops;                    /* redirects before this node */
        uint64_t smap_version, index;     /* of the node that sent the request here, when it is signed; else 0 */
};
/* Judges a request for the key with this digest. `named`: the target that the request names itself (work that was begun
 * there), else null: the owner. */
void api__route(struct api *a, const struct snapshot *s, const struct http_req *rq, uint64_t digest,
                const struct cluster_node *named, struct route *ret);
/* Whether the sender of the request knew a state that s is older than. */
static inline bool route_is_ahead(const struct route *w, const struct snapshot *s)
{
        return w->smap_version > s->smap_version || w->index > s->index;
}

/* Where a redirect leads. Strings are borrowed. */
struct redirect {
        struct str base;        /* "http://host:port" */
        const char *target;     /* id of the node there */
        struct str path, query; /* raw */
        bool marked;            /* the query has pid and utm; else they are added, and an earlier redirect's left out */
        unsigned hops;          /* this one counted */
};
/* Answers with a redirect: 301 for GET, else 307. False: it can not be signed, too long; rs is untouched. */
bool api__redirect(struct api *a, const struct snapshot *s, struct http_req *rq, struct http_resp *rs,
                   const struct redirect *d) MUST_CHECK;

/* Waits a while until this node has the state that the sender of a redirect knew; before anything is looked up. Worker.
 */
void api__route_sender(struct api_req *r);
/* Sends a request for an object where it belongs, or lets it pass: *ret_done tells. Worker: it may wait some seconds
 * for the state that the sender knew. Errors in the wire's words: INVALID, DIRECT_ACCESS, UNAVAILABLE. */
MUST_CHECK struct err *api__route_object(struct api_req *r, bool *ret_done);
/* After a handler ended with NOT_OWNER: the redirect to who owns it by now; takes e. Worker. */
MUST_CHECK struct err *api__route_again(struct api_req *r, struct err *e);
/* A newer snapshot for the request; what was looked up in the old one must be looked up again. Worker. */
void api__repin(struct api_req *r);

#endif
