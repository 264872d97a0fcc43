/* api/request.h (inside api): the steps by which core.c makes an api_req. Workers. */
#ifndef ORLOP_API_REQUEST_H
#define ORLOP_API_REQUEST_H

#include "api/priv.h"

/* Fills params, items and object from the request's target. */
MUST_CHECK struct err *api__parse_target(struct api_req *r);
/* Fills r->bck from items[1] and the query. */
MUST_CHECK struct err *api__parse_bucket(struct api_req *r);
/* Reads and parses the envelope, if there is a body; env.doc stays null without one. */
MUST_CHECK struct err *api__read_envelope(struct api_req *r, size_t max);

/* Gives back what api_reserve took for this request; when it ends. Any thread. */
void api__reserve_end(struct api *a, struct http_resp *rs);

#endif
