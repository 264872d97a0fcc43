/* net/server.h: the HTTP/1.1 server: loops, workers, listeners.
 *
 * One loop per core (epoll, SO_REUSEPORT) owns accept, TLS handshakes, request heads, small bodies, idle connections and the slow tails of bodies; everything
 * else runs on the worker pool, one worker per request in progress (docs/architecture.md). */
#ifndef ORLOP_NET_SERVER_H
#define ORLOP_NET_SERVER_H

#include "net/http.h"
#include "os/pool.h"
#include "os/tls.h"

enum http_next {
        HTTP_ANSWERED, /* the response is complete: send it */
        HTTP_WORKER,   /* run handle() on a worker of class *ret_class */
        HTTP_PENDING   /* the app calls http_server_complete(rq) later, from any thread, exactly once; never before on_loop returned */
};
/* What happened to a request while it was pending. */
enum http_wake {
        HTTP_WAKE_DUE, /* rq->due_ns has passed */
        HTTP_WAKE_GONE /* the client has closed, or at least will say no more: the answer may never be read */
};
struct http_app {
        void *ctx;
        /* On the loop, must not block: with the head of a request that announces a body, before any of it is waited for. True: rs is the answer,
         * and the body is not wanted. May be null. */
        bool (*before_body)(void *ctx, struct http_req *rq, struct http_resp *rs);
        /* On the loop, must not block: with the head complete, and the body too if it is small (body_mem). May be null: all go to POOL_DATA. */
        enum http_next (*on_loop)(void *ctx, struct http_req *rq, struct http_resp *rs, enum pool_class *ret_class);
        /* On the loop, must not block: about a PENDING request, once for each reason at most. rq is valid within the call; unless another thread
         * completes it just now, the app does (http_server_complete), and has to see to it that only one of the two happens. May be null: then a
         * client that is gone is noticed when its answer is sent. */
        void (*on_wake)(void *ctx, struct http_req *rq, struct http_resp *rs, enum http_wake why);
        /* On a worker: must leave a complete response, or take the body as it comes (http_req_receive). */
        void (*handle)(void *ctx, struct http_req *rq, struct http_resp *rs);
        /* Fills rs for a request that the server itself refuses (parse errors, limits, overload, time-outs): rq may lack head fields. */
        void (*refuse)(void *ctx, struct http_req *rq, struct http_resp *rs, enum err_code code, const char *why);
        /* After the last byte went out or the connection was lost; any thread. May be null. */
        void (*on_sent)(void *ctx, struct http_req *rq, struct http_resp *rs, uint64_t body_bytes_sent, bool complete);
        /* Per-loop state for hot paths, made and ended on the loop's thread. May be null. */
        void *(*loop_init)(void *ctx);
        void (*loop_fini)(void *ctx, void *loop_ctx);
};
struct http_limits {
        size_t small_body;        /* bodies up to this are received on the loop; default 64 KiB (announced length only) */
        int64_t head_timeout_ns;  /* 30 s from first byte to complete head */
        int64_t idle_timeout_ns;  /* 75 s between requests (clients keep idle connections for a while) */
        uint64_t min_rate;        /* bytes/s of bodies, both directions, after min_rate_grace; default 1 KiB/s */
        int64_t min_rate_grace_ns;/* 10 s */
        unsigned max_connections; /* all listeners; default 3/4 of RLIMIT_NOFILE (1/16 if all are internal); internal ones may go an eighth above it */
        unsigned max_per_address; /* default 0 = no limit on loopback, 1,024 otherwise */
        int64_t linger_ns;        /* lingering close: keep reading and dropping; default 10 s or 64 MiB */
};
struct http_listener {
        const char *address;  /* "127.0.0.1:8080"; port 0 for any */
        struct tls_ctx *tls;  /* null: plain */
        bool internal;        /* between nodes: requests carry peer_id and peer_org, and are not shut out when clients hold all connections */
        const struct http_app *app; /* of this listener, borrowed; its loop_init runs once per loop and listener. Null: the server's */
};
struct http_server;
struct http_server_options {
        const struct http_listener *listeners;
        unsigned nlisteners;
        unsigned loops;            /* 0: number of CPUs */
        struct pool *pool;
        struct http_app app;
        struct http_limits limits; /* zero members: defaults */
};
/* Binds all listeners; IO (address in use) and INVALID. Nothing is served yet. */
MUST_CHECK struct err *http_server_new(const struct http_server_options *o, struct http_server **ret);
/* The address a listener is bound to ("127.0.0.1:8080"); buf of 64; returns buf. */
const char *http_server_address(struct http_server *s, unsigned listener, char buf[static 64]);
/* Starts the loops. */
MUST_CHECK struct err *http_server_start(struct http_server *s);
/* Graceful end: stops accepting, closes idle connections, lets requests in flight finish until the deadline, then cuts. Blocks. Pending requests
 * are the app's to complete. Waits for workers as long as they take, and says in the log what for: who can not wait ends the process (daemon/ending.h). */
void http_server_stop(struct http_server *s, int64_t deadline_mono_ns);
/* After stop. */
void http_server_free(struct http_server *s);
/* Ends a HTTP_PENDING request: rs is complete. Any thread. */
void http_server_complete(struct http_req *rq);
/* For batches of completions made by one thread: the loops are woken once each at http_server_complete_flush. */
void http_server_complete_queue(struct http_req *rq);
/* See http_server_complete_queue. */
void http_server_complete_flush(struct http_server *s);
struct http_server_stats {
        uint64_t accepted, open, idle, requests, refused, bytes_in, bytes_out, lingering, parked_tails, parked_uploads;
};
/* Numbers of this moment. */
void http_server_stats(struct http_server *s, struct http_server_stats *ret);

#endif
