/* api/hot.h (inside api): what is answered on the loop itself: small reads from the cache, small writes by the commit
 * thread. */
#ifndef ORLOP_API_HOT_H
#define ORLOP_API_HOT_H

#include "api/api.h"

/* http_app members; see net/server.h. Loop threads; never block. */
enum http_next api__hot_on_loop(void *ctx, struct http_req *rq, struct http_resp *rs, enum pool_class *ret_class);
/* See http_app.before_body and redirect.c. */
bool api__redirect_before_body(void *ctx, struct http_req *rq, struct http_resp *rs);
/* See http_app. */
void *api__hot_loop_init(void *ctx);
/* See http_app. */
void api__hot_loop_fini(void *ctx, void *loop_ctx);
/* Sends a request for an object that is another node's there, if that can be seen at once: true, rs is the answer. Its
 * body, if any, is not needed. */
bool api__hot_redirect(struct api *a, struct http_req *rq, struct http_resp *rs);
/* Store's batch hook: wakes the loops for the writes of one batch. Commit threads. */
void api__hot_flush(void *api);

#endif
