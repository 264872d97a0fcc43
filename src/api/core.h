/* api/core.h (inside api): the members of the http_app that work with the whole of a request; see net/server.h. */
#ifndef ORLOP_API_CORE_H
#define ORLOP_API_CORE_H

#include "net/server.h"

/* On a worker: the whole way of a request. */
void api__core_handle(void *ctx, struct http_req *rq, struct http_resp *rs);
/* Any thread: the wire's form for what the server itself refuses. */
void api__core_refuse(void *ctx, struct http_req *rq, struct http_resp *rs, enum err_code code, const char *why);
/* Any thread: the request is over. */
void api__core_sent(void *ctx, struct http_req *rq, struct http_resp *rs, uint64_t bytes, bool complete);

#endif
