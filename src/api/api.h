/* api/api.h: the fronts: native API (and later S3) over one node. The daemon makes one and gives its http_app to the
 * server. Threads: as net/server.h says for an app. */
#ifndef ORLOP_API_API_H
#define ORLOP_API_API_H

#include "flow/flow.h"
#include "jobs/jobs.h"
#include "net/server.h"
#include "os/logfile.h"

struct api;
struct rpc_server;
struct api_options {
        struct node *node;
        struct rpc_server *rpc;        /* of the cluster port: gets the routes for other nodes; null: none */
        struct pool *pool;
        struct logfile *log;
        struct tls_ctx *tls;           /* of the public listener; null: plain */
        const char *state_dir, *log_dir; /* told to clients; log_dir null: none. Borrowed for the life of the front */
        /* Who may sign S3 requests, beside the keys of the cluster's state: a file (null: none) and one pair (empty: none).
         * While there is no key at all, nobody is asked. */
        const char *s3_keys;
        struct str s3_access, s3_secret;
        void (*shutdown)(void *arg);   /* asks the daemon to end; after the answer has left */
        void *shutdown_arg;
        size_t memory;                 /* bytes that requests in progress may hold together; 0: 256 MiB */
        unsigned uploads;              /* contents that may be received at once; 0: 1,024 */
};
/* A front over the node. Errors of the keys' file: FORBIDDEN, MALFORMED, INVALID, IO. */
MUST_CHECK struct err *api_new(const struct api_options *o, struct api **ret);
/* After the server stopped. */
void api_free(struct api *a);
/* Fills the server's app. */
void api_app(struct api *a, struct http_app *ret);
/* Fills the app of a listener that speaks S3 alone. */
void api_s3_app(struct api *a, struct http_app *ret);
/* Ends what it does by itself, before the cluster closes. */
void api_stop(struct api *a);
/* Hands over what exists only after the server is bound and the store open, before the server and the cluster
 * (cluster_start) start. url: "http://127.0.0.1:8080". */
MUST_CHECK struct err *api_ready(struct api *a, struct jobs *jobs, const char *url, struct http_server *s);
/* Renders the ready-made header lines of an object's GET answer (store_options.render). */
void api_render_object(const struct obj_key *key, const struct obj_meta *meta, struct buf *out);

#endif
