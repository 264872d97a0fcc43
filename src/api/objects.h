/* api/objects.h (inside api): what the object handlers and the hot path share. */
#ifndef ORLOP_API_OBJECTS_H
#define ORLOP_API_OBJECTS_H

#include "api/priv.h"

/* Header lines of an object's read and write answers: Ais-Atime, Ais-Checksum-*, Ais-Version, Ais-Custom-Md. */
void api__object_headers(const struct obj_meta *m, struct buf *out);
/* Makes a byte range of an open content the response's body; takes over the caller's reference on success only. The
 * range must be verified (content_range_ready) unless the content is in memory: else ERR_CORRUPT. Any thread. */
MUST_CHECK struct err *api__object_body(struct http_req *rq, struct http_resp *rs, struct content *c, uint64_t offset,
                                        uint64_t length);
/* Makes a byte range of an open object the response's body, verified before it leaves; takes o->content or o->relay, on
 * success only. Worker. */
MUST_CHECK struct err *api__object_send(struct api_req *r, struct flow_object *o, uint64_t offset, uint64_t length);
/* Answers a failed small write; takes e. Commit threads. */
void api__object_put_failed(struct api *a, struct http_req *rq, struct http_resp *rs, const struct snapshot *snap,
                            struct err *e);
/* The client's checksum headers: *ret_has tells whether both are there; an unknown type is INVALID. */
MUST_CHECK struct err *api__checksum_headers(struct api_req *r, bool *ret_has, enum cksum_type *ret_type,
                                             struct str *ret_value);
/* The request's Ais-Custom-Md headers as packed pairs in the arena; *ret_has false if there are none. */
MUST_CHECK struct err *api__custom_headers(struct api_req *r, bool *ret_has, struct str *ret_packed);

/* Handlers of the other files of this family. */
api_handler_fn api__object_get, api__object_head, api__object_put_any, api__object_append, api__upload_create,
        api__upload_part, api__upload_complete, api__upload_abort, api__object_patch, api__object_promote;

#endif
