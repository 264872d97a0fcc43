/* api/request.h (inside api): the steps by which core.c makes an api_req. Workers. */
#ifndef ORLOP_API_REQUEST_H
#define ORLOP_API_REQUEST_H

#include "api/priv.h"

/* A request in its own arena; null when that is full: then 503 is the answer already. */
struct api_req *api__request_new(struct api *a, struct http_req *rq, struct http_resp *rs, const struct snapshot *snap);
/* Hands the request's body to take(), piece by piece, until its end or an error. Blocks for the client. */
MUST_CHECK struct err *api__body_each(struct api_req *r, struct err *(*take)(void *arg, const void *p, size_t n),
                                      void *arg);
/* As a handler's last act: hands the request's body to take() as it comes, without holding a worker while the client is
 * slow; then, or when that failed (e, taken), end() does the rest of the handler's work, and returns its outcome. */
MUST_CHECK struct err *api__body_take(struct api_req *r, struct err *(*take)(void *arg, const void *p, size_t n),
                                      struct err *(*end)(struct api_req *r, void *arg, struct err *e), void *arg);
/* Answers with e, unless it is null, and ends the request. */
void api__core_finish(struct api_req *r, struct err *e);
/* What row->fn or end() returned: a last attempt to send the request to where it belongs. */
MUST_CHECK struct err *api__core_outcome(struct api_req *r, struct err *e);
/* Fills params, items and object from the request's target. */
MUST_CHECK struct err *api__parse_target(struct api_req *r);
/* Fills r->bck from items[1] and the query. */
MUST_CHECK struct err *api__parse_bucket(struct api_req *r);
/* Reads and parses the envelope, if there is a body; env.doc stays null without one. */
MUST_CHECK struct err *api__read_envelope(struct api_req *r, size_t max);

#define API_MESSAGE_COST 4 /* a message and what it is parsed to take about so many times its text, at most */
/* As api_reserve, for a request that has no api_req yet. */
MUST_CHECK struct err *api__reserve(struct api *a, struct http_resp *rs, size_t n);
/* As api_reserve, for what a client may make us hold as long as it likes: half of the memory is left for other
 * requests. */
MUST_CHECK struct err *api__reserve_held(struct api_req *r, size_t n);
/* Gives back what api_reserve took for this request; when it ends. Any thread. */
void api__reserve_end(struct api *a, struct http_resp *rs);

/* Runs a request that is ready (internal and caller set) from its target to its answer; on error rs is not an answer
 * yet. */
MUST_CHECK struct err *api__dispatch(struct api_req *r);
/* Ends what dispatch left in the request: its document, its snapshot. */
void api__request_end(struct api_req *r);
/* Blocks until the state with this index is here: UNAVAILABLE at the deadline. Worker. */
MUST_CHECK struct err *api__wait_index(struct api *a, uint64_t index, int64_t deadline_mono_ns);

#endif
