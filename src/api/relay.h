/* api/relay.h (inside api): requests that another node must answer: passed on over the cluster port, whole, and the
 * answer back unchanged. Both ends.
 *
 * "/api" and the request's own path is the call. The answer is always 2xx for the transport; its own status is in
 * Orlop-Status, and Orlop-Index is the state of the cluster that it belongs to. NOT_PRIMARY and STARTING are errors of
 * the call itself.
 * Threads: workers; all of it waits for other nodes. */
#ifndef ORLOP_API_RELAY_H
#define ORLOP_API_RELAY_H

#include "api/priv.h"

struct rpc_server;
struct http_reply;
/* Adds the routes of this side. */
MUST_CHECK struct err *api__relay_routes(struct api *a, struct rpc_server *s);

/* Passes a request that only the leader decides on to it, through elections that take some seconds, and waits until
 * what has changed is visible here. *ret_done false: this node is the leader. NOT_PRIMARY (passed on to us, who are
 * not), UNAVAILABLE. */
MUST_CHECK struct err *api__relay_primary(struct api_req *r, bool *ret_done);
/* After a handler ended with NOT_PRIMARY, since this node leads no more: passes the request on; takes e. */
MUST_CHECK struct err *api__relay_again(struct api_req *r, struct err *e);
/* Passes a request on to this member, as a request for `target` ("/v1/daemon?what=…", raw). One that can not be reached:
 * 502 without a body (wire). */
MUST_CHECK struct err *api__relay_member(struct api_req *r, const struct cluster_member *m, struct str target);

/* Makes the answer of another node, whose status is in Orlop-Status, that of this request; *ret_index is its
 * Orlop-Index. Takes the reply, also on error. */
MUST_CHECK struct err *api__take_answer(struct api_req *r, struct http_reply *reply, uint64_t *ret_index);

/* One of several questions asked at once. */
struct api_ask {
        const struct cluster_node *node; /* who; which of a member's two ids is meant */
        struct str answer;               /* out: its body, in the request's arena */
};
/* Asks other nodes the same at the same time; all must answer. UNAVAILABLE. */
MUST_CHECK struct err *api__ask(struct api_req *r, const char *method, struct str target, struct str body,
                                struct api_ask *list, unsigned n);
/* Asks every other member that is up. */
MUST_CHECK struct err *api__ask_members(struct api_req *r, const char *method, struct str target, struct str body);
/* Whether this node belongs to this process. */
bool api__is_own(const struct api_req *r, const struct cluster_node *n);

#endif
