/* net/rpc.h: calls between nodes, over the intra-cluster port: HTTP/1.1 under mutual TLS.
 *
 * Folders register tables of routes in one struct rpc_server, whose http_app is given to the internal listener; a
 * struct rpc_client calls others. Control messages are JSON, data are raw bytes. A failed handler is answered as
 * {"code": "NOT_FOUND", "message": "…", …} and comes out of the caller's function as an error with the same code, its
 * text prefixed by the peer's id.
 *
 * Who may call: a peer whose certificate names this cluster (O) and a node (CN) that peer_allowed does not refuse. A
 * peer without certificate reaches anonymous routes alone. Before the cluster's uuid is set, nobody else does
 * (STARTING).
 *
 * Threads: routes are added before the server starts; rpc_server_set_* and all of the client from any thread, calls
 * block: never from a loop. */
#ifndef ORLOP_NET_RPC_H
#define ORLOP_NET_RPC_H

#include "base/json.h"
#include "net/http.h"
#include "net/http_client.h"
#include "net/server.h"
#include "os/pool.h"

#define RPC_ID_MAX 32
#define RPC_JSON_MAX ((size_t)4 * 1024 * 1024) /* of a JSON body, both ways, unless a call says otherwise */

/* --- answering --- */

struct rpc_route;
/* One call, as a handler sees it; lives until the answer is sent. */
struct rpc_req {
        struct http_req *http;         /* body: http_req_read(), or rpc_read_json() */
        struct http_resp *resp;        /* the answer; 200 unless set */
        const struct rpc_route *route;
        const char *peer_id;           /* node that calls; "" on anonymous routes */
        struct str rest;               /* of the path, behind a prefix route's, percent-decoded */
        void *ctx;                     /* as given to rpc_server_add() */
        void *user;                    /* the handler's, from on_loop to on_wake and handle */
        json_t *extra;                 /* see rpc_error_extra() */
};
/* Answers a call: fills rq->resp, or returns an error. What it put into resp before an error is dropped. */
typedef struct err *rpc_handler_fn(struct rpc_req *rq);
struct rpc_route {
        const char *method;            /* "GET", …; null ends a table */
        const char *path;              /* "/v1/beat"; compared with the raw path */
        bool prefix;                   /* all paths that begin with it; the longest match wins */
        bool anonymous;                /* allowed to peers without certificate, or of no known cluster: joining only */
        enum pool_class cls;           /* of the worker that runs handle */
        rpc_handler_fn *handle;        /* on a worker; null if on_loop never returns HTTP_WORKER */
        /* On the loop, must not block: HTTP_ANSWERED (rq->resp is the answer, or *ret_err is set), HTTP_WORKER, or
         * HTTP_PENDING: rpc_complete() later. Null: a worker. */
        enum http_next (*on_loop)(struct rpc_req *rq, struct err **ret_err);
        /* On the loop, about a pending call: see http_app.on_wake; rq->http->due_ns is the alarm. May be null. When
         * another thread may rpc_complete() the same call, take it off whatever list it is found on, under that list's
         * lock: who takes it off completes it. */
        void (*on_wake)(struct rpc_req *rq, enum http_wake why);
};
struct rpc_server;
/* A server without routes. */
MUST_CHECK struct err *rpc_server_new(struct rpc_server **ret);
/* After the HTTP server has ended. Null is fine. */
void rpc_server_free(struct rpc_server *s);
/* Adds a table, which must live as long; ends with a null method. EXISTS if a method and path are taken. Before the
 * server starts. */
MUST_CHECK struct err *rpc_server_add(struct rpc_server *s, const struct rpc_route *routes, void *ctx);
/* The cluster whose nodes may call. "" again: none. Any thread. */
void rpc_server_set_uuid(struct rpc_server *s, const char *uuid);
/* Whether a node may (still) call: false refuses it, FORBIDDEN. Runs on loops, for each request, must not block. Null
 * fn: all may. Any thread. */
void rpc_server_set_peer_allowed(struct rpc_server *s, bool (*fn)(void *ctx, const char *id), void *ctx);
/* For http_listener.app (or http_server_options.app). Lives with s. */
const struct http_app *rpc_server_app(struct rpc_server *s);

/* A value of the query, decoded, in the request's arena; STR_NONE when the key is absent or malformed. */
struct str rpc_query(const struct rpc_req *rq, const char *key);
/* A number of the query; `absent` when there is no such key. MALFORMED. */
MUST_CHECK struct err *rpc_query_u64(const struct rpc_req *rq, const char *key, uint64_t absent, uint64_t *ret);
/* The body as JSON (an empty one: null). Caller json_decref()s. MALFORMED, TOO_LARGE (RPC_JSON_MAX). Workers only, or
 * small bodies (body_mem). */
MUST_CHECK struct err *rpc_read_json(struct rpc_req *rq, json_t **ret);
/* Answers with a JSON value, whose reference it takes, also on error. */
MUST_CHECK struct err *rpc_reply_json(struct rpc_req *rq, json_t *body);
/* Answers with raw bytes, copied. */
MUST_CHECK struct err *rpc_reply_bytes(struct rpc_req *rq, struct str body);
/* Members that go into the error's JSON if this call fails ("leader", "epoch"); takes the reference. */
void rpc_error_extra(struct rpc_req *rq, json_t *object);
/* Ends a pending call: rq->resp is the answer, or e says why not (taken). Any thread, exactly once; rq is gone
 * afterwards. */
void rpc_complete(struct rpc_req *rq, struct err *e);

/* --- calling --- */

struct rpc_peer {
        char id[RPC_ID_MAX + 1]; /* its certificate must say this; "": anybody of the cluster */
        char host[256];
        uint16_t port;
};
struct rpc_client_options {
        struct tls_ctx *tls;        /* tls_mutual_client_new() or tls_pinned_client_new(), borrowed; null: plain, for
                                       tests */
        struct pool *pool;          /* for rpc_fanout (POOL_BACKEND); null: threads of its own */
        int64_t connect_timeout_ns; /* 0: 1 s, with the handshake */
        int64_t idle_timeout_ns;    /* longest silence of a peer; 0: 30 s */
        unsigned max_idle;          /* kept connections; 0: 256 */
};
struct rpc_client;
/* A client without connections. */
MUST_CHECK struct err *rpc_client_new(const struct rpc_client_options *o, struct rpc_client **ret);
/* No call may be in progress and no reply open. Null is fine. */
void rpc_client_free(struct rpc_client *c);

/* What a call says. Zero members are fine but for method and target. Strings are borrowed. */
struct rpc_request {
        const char *method;
        struct str target;              /* path and query, percent-encoded */
        struct str head;                /* further header lines, each with CRLF */
        struct str body;                /* when body_read is null; p null: none */
        http_body_read_fn *body_read;   /* see http_client.h */
        struct err *(*body_rewind)(void *arg);
        void *body_arg;
        int64_t body_length;            /* of body_read; -1: unknown */
        bool expect_continue;           /* the peer may refuse before the body is sent */
        bool replay_any;                /* may be sent twice: GET, HEAD, PUT and DELETE always may, on a kept connection
                                           that was closed */
        int64_t deadline_ns;            /* clock_mono, until the reply is read; 0: none, only silence ends it */
        int64_t idle_timeout_ns;        /* 0: the client's */
        size_t max;                     /* of the answer's body, for rpc_call_*; 0: RPC_JSON_MAX */
        json_t **ret_extra;             /* may be null; set (else left alone) when the peer failed: the whole error
                                           object; caller json_decref()s */
        bool *ret_answered;             /* may be null; whether an error is the peer's own answer: else it may, or may
                                           not, have done what was asked */
};
/* Sends and reads the head of the answer. 2xx: *ret, ended by http_reply_close(). Else the peer's error. Errors
 * besides: those of http_client.h; FOREIGN: another node is there. */
MUST_CHECK struct err *rpc_send(struct rpc_client *c, const struct rpc_peer *peer, const struct rpc_request *rq,
                                struct http_reply **ret);
/* rpc_send, and the answer's body is appended to b (null: dropped). */
MUST_CHECK struct err *rpc_call_with(struct rpc_client *c, const struct rpc_peer *peer, const struct rpc_request *rq,
                                     struct buf *b);
/* A call with a small body (p null: none); the answer's body, at most max bytes, is appended to b (may be null). */
MUST_CHECK struct err *rpc_call(struct rpc_client *c, const struct rpc_peer *peer, const char *method,
                                const char *target, struct str body, int64_t deadline_ns, size_t max, struct buf *b);
/* JSON there and back. `in` may be null: no body. ret_out may be null; an empty answer is JSON null. */
MUST_CHECK struct err *rpc_call_json(struct rpc_client *c, const struct rpc_peer *peer, const char *method,
                                     const char *target, const json_t *in, int64_t deadline_ns, json_t **ret_out);
/* A byte stream by HTTP Upgrade (see http_upgraded); the peer's refusal is an error. */
MUST_CHECK struct err *rpc_upgrade(struct rpc_client *c, const struct rpc_peer *peer, const char *target,
                                   const char *protocol, int64_t deadline_ns, struct http_upgraded *ret);

/* One of several calls made at once. */
struct rpc_fan {
        struct rpc_peer peer;
        struct rpc_request rq;
        struct buf body;  /* out: of the answer; the caller buf_fini()s */
        struct err *err;  /* out: null or why not; the caller err_free()s */
};
/* Makes n calls at once and waits for all. deadline_ns: for those that have none. At most 64 run at the same time; each
 * that can not get a thread is made by the caller's. */
void rpc_fanout(struct rpc_client *c, struct rpc_fan *calls, size_t n, int64_t deadline_ns);

#endif
