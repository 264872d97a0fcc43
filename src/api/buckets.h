/* api/buckets.h (inside api): what the files of the bucket routes share. Workers. */
#ifndef ORLOP_API_BUCKETS_H
#define ORLOP_API_BUCKETS_H

#include "api/nodes.h"
#include "api/request.h"
#include "jobs/kinds.h"

/* GET /v1/buckets…: lists of buckets, lists of objects, summaries. */
api_handler_fn api__bucket_list_any, api__summary_get;
/* HEAD /v1/buckets/B with bsumm_remote. */
api_handler_fn api__summary_head;
/* Multi-object and whole-bucket jobs. */
api_handler_fn api__bucket_copy, api__bucket_copy_list, api__bucket_move, api__bucket_delete_list;
/* After a change of buckets, before it is answered: returns when all nodes know of it, so that a client finds it at
 * whichever it asks next. */
void api__buckets_spread(struct api_req *r);
/* Adds the header Ais-Bucket-Props. */
MUST_CHECK struct err *api__bucket_props_header(struct api_req *r, const struct bucket *b);

/* A Go time layout ("02 Jan 06 15:04 MST", "2006-01-02T15:04:05Z07:00"), applied in UTC: appended to b. Words that are
 * no part of a time are copied. */
void api__time_layout(struct buf *b, struct str layout, int64_t wall_ns);

/* "objnames", "template" and the limits of every multi-object message. */
struct selection_msg {
        json_t *names;
        struct str template_text;
        struct job_limits limits;
        bool non_recursive;
};
/* For messages that have nothing else. */
struct selection_msg_box {
        struct selection_msg sel;
};
/* The fields of a selection_msg that is the member `sel` of a message type. */
#define SELECTION_FIELDS(type, sel)                                                                                    \
        JSON_FIELD(type, "objnames", JSON_F_ARRAY, sel.names),                                                         \
                JSON_FIELD(type, "template", JSON_F_STR, sel.template_text),                                           \
                JSON_FIELD(type, "num-workers", JSON_F_INT, sel.limits.workers),                                       \
                JSON_FIELD(type, "coer", JSON_F_BOOL, sel.limits.continue_on_error),                                   \
                JSON_FIELD(type, "non-recurs", JSON_F_BOOL, sel.non_recursive)
/* Makes the job's selection of a message; names must be strings. Caller owns *ret. */
MUST_CHECK struct err *api__selection(struct api_req *r, const struct selection_msg *m, struct job_names **ret);

#endif
