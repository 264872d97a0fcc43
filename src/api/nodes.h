/* api/nodes.h (inside api): handlers and helpers that the cluster's, the node's and the relayed routes share. Workers.
 */
#ifndef ORLOP_API_NODES_H
#define ORLOP_API_NODES_H

#include "api/views.h"

/* A handler of /v1/daemon after the "what"; role_target says which of the node's two ids is asked. */
api_handler_fn api__daemon_get, api__daemon_put, api__daemon_post, api__daemon_delete;
/* Any method of /v1/reverse: answers for the node of Ais-Node-Id. */
api_handler_fn api__reverse;
/* GET /v1/health, GET /metrics. */
api_handler_fn api__health_get, api__metrics_get;

/* Changes the configuration: by query parameters (transient among them), or by the envelope's value. Scope NODE refuses
 * cluster-wide sections. */
MUST_CHECK struct err *api__config_set_query(struct api_req *r, enum config_scope scope);
/* See api__config_set_query. */
MUST_CHECK struct err *api__config_set_value(struct api_req *r, enum config_scope scope);
/* Sets the counters to zero; the envelope's value true: only those of errors. */
MUST_CHECK struct err *api__reset_stats(struct api_req *r);
/* Reads the certificate again: INVALID on plain HTTP. */
MUST_CHECK struct err *api__load_x509(struct api_req *r);
/* The answer {"a": [], "ver": 0} about remote clusters. */
MUST_CHECK struct err *api__reply_remote(struct api_req *r);
/* The requests that several tables answer in the same way: smap, bmd, snode. True if `what` was one of them. */
MUST_CHECK struct err *api__common_what(struct api_req *r, struct str what, bool *ret_done);
/* A bucket's name out of {"name","provider","namespace":{…}}; null or absent leaves the empty name. */
MUST_CHECK struct err *api__decode_bck(const json_t *j, struct bck *ret);
/* "invalid request URI: …" of an unknown path. */
struct err *api__bad_uri(struct api_req *r);
/* Starts a JSON writer that follows api_wants_pretty. */
void api__json(struct api_req *r, struct json_w *w, struct buf *b);
/* Job routes of /v1/cluster: start, stop, and the questions status, status_all, qryxstats, running_all. */
api_handler_fn api__job_start, api__job_stop, api__job_status, api__job_status_all, api__job_snaps, api__job_running;

#endif
