/* net/http.h: what a handler sees of one request, and how it answers.
 *
 * A handler fills a `struct http_resp` (status, headers, one body source) and returns; server.c and send.c move the bytes. Request and response belong to
 * the connection and live until the answer is sent; strings in the request are borrowed from it.
 * Threads: the thread that handles the request. http_req_read* and generators block: workers only. */
#ifndef ORLOP_NET_HTTP_H
#define ORLOP_NET_HTTP_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/http_parse.h"

struct http_req {
        const struct http_head *head;
        enum http_method method;
        struct str path, query;     /* raw */
        struct arena *arena;        /* lives until the answer is sent; ceiling 64 MiB */
        uint64_t id;                /* of this request, unique in the process: for logs and x-amz-request-id */
        const char *peer;           /* "ip:port" of the client */
        const char *peer_id, *peer_org; /* internal listeners: CN and O of its verified certificate; "" when it showed none */
        unsigned listener;          /* index of the listener that accepted it */
        bool tls;
        int64_t start_ns;           /* clock_mono when its head was complete */
        int64_t body_length;        /* bytes announced; -1: chunked; 0: none */
        struct str body_mem;        /* small body, received whole before the handler ran; p null: read it */
        void *loop_ctx;             /* what http_app.loop_init returned for the loop of this connection */
        size_t collect;             /* on_loop may set it before it returns HTTP_WORKER: a body of up to so many bytes is received whole (body_mem) before a
                                     * worker handles it, however slowly it comes; a longer one is refused (TOO_LARGE). 0: the handler reads it */
        int64_t due_ns;             /* on_loop may set it before it returns HTTP_PENDING: on_wake comes then (clock_mono, to 50 ms); 0: never */
};
/* First header of this name, or STR_NONE. */
struct str http_req_header(const struct http_req *rq, struct str name);
/* Next header of this name at or after *i; advances *i. False at the end: for repeated headers. */
bool http_req_header_next(const struct http_req *rq, struct str name, unsigned *i, struct str *ret_value);
/* Reads the next up to n bytes of the body; *ret_n = 0 at its end. Sends "100 Continue" first if that was asked for. Errors: MALFORMED, CLOSED, TIMEOUT
 * (slower than the minimum rate). Works for body_mem too. */
MUST_CHECK struct err *http_req_read(struct http_req *rq, void *p, size_t n, size_t *ret_n);
/* The whole body into the arena; longer than max: TOO_LARGE. */
MUST_CHECK struct err *http_req_read_all(struct http_req *rq, size_t max, struct str *ret);

/* A body that is taken as it comes. */
struct http_sink {
        /* The next n > 0 bytes of the body. On a worker, may block. After an error no more come. */
        struct err *(*take)(void *arg, const void *p, size_t n);
        /* Once: the body was taken whole (e null), or it ended early: e (taken) is what take() said, MALFORMED, CLOSED or TIMEOUT. On a worker, may
         * block; must leave a complete response, or call http_req_receive again. */
        void (*end)(void *arg, struct err *e);
};
/* Only from handle() or an end(), as its last act: goes on with the body, and holds no worker while the client is slow. The response is made by
 * sink->end(). Sends "100 Continue" first if that was asked for. Works for body_mem too. */
void http_req_receive(struct http_req *rq, const struct http_sink *sink, void *arg);

struct body_part {
        int fd;
        int64_t offset, length;
};
enum body_kind { BODY_NONE, BODY_MEM, BODY_FILE, BODY_GEN };
/* Appends the next piece of the body to `out` (64 KiB or so at a time); *ret_end at the end. An error closes the connection mid-stream. */
typedef struct err *body_gen_fn(void *arg, struct buf *out, bool *ret_end);

struct tls_conn;
/* Takes over a connection that has been upgraded: fd (non-blocking) and tls (null when plain) are the taker's, who ends them with tls_conn_free and
 * close; `early` is what the client sent behind its request, borrowed. Runs on a worker of the request's class, of no further use to the server: a
 * long stay wants a thread of its own. fd -1: it did not come to that (client lost, no worker, server stopping); then any thread, must not block. */
typedef void http_taker_fn(void *arg, int fd, struct tls_conn *tls, const char *early, size_t early_n);

struct http_resp {
        int status;
        struct buf head;               /* header lines, each "Name: value\r\n" */
        enum body_kind kind;
        struct str mem;                /* BODY_MEM */
        struct body_part one;          /* BODY_FILE with a single part */
        const struct body_part *parts; /* BODY_FILE; in order */
        unsigned nparts;
        body_gen_fn *gen;              /* BODY_GEN */
        int64_t length;                /* of the body; -1 for a generator of unknown length (sent chunked) */
        void (*release)(void *arg);    /* called once when the body is sent or given up; any thread; may be null */
        void *arg;                     /* for gen and release */
        bool close;                    /* close the connection after this answer */
        void *user;                    /* the app's, for on_sent */
        http_taker_fn *taker;          /* the answer is 101, then the connection is its */
        void *taker_arg;
};
/* Sets the status. */
static inline void http_resp_status(struct http_resp *rs, int status)
{
        rs->status = status;
}
/* Adds a header line. Values with control bytes are percent-escaped (no header injection). */
void http_resp_header(struct http_resp *rs, const char *name, struct str value);
/* Adds a formatted header line. */
void http_resp_headerf(struct http_resp *rs, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Adds ready-made header lines (each with CRLF). */
void http_resp_head_raw(struct http_resp *rs, struct str lines);
/* A body in memory; release(arg) when done (may be null: static or arena memory). */
void http_resp_mem(struct http_resp *rs, struct str body, void (*release)(void *), void *arg);
/* A range of one open file. The descriptor stays the caller's, closed in release if at all. */
void http_resp_file(struct http_resp *rs, int fd, int64_t offset, int64_t length, void (*release)(void *), void *arg);
/* Ranges of several files, in order; `parts` must live until release. */
void http_resp_files(struct http_resp *rs, const struct body_part *parts, unsigned n, void (*release)(void *), void *arg);
/* A generated body; length -1 if unknown. */
void http_resp_gen(struct http_resp *rs, body_gen_fn *gen, int64_t length, void (*release)(void *), void *arg);
/* Only for HEAD: announces this Content-Length without a body. */
void http_resp_head_length(struct http_resp *rs, int64_t length);
/* Whether the client asks to go on in this protocol (RFC 9110 §7.8), with nothing else to be read before. */
bool http_req_upgrades(const struct http_req *rq, struct str protocol);
/* Answers 101 and hands the connection to taker(arg), which is called exactly once. Only if http_req_upgrades(). */
void http_resp_upgrade(struct http_resp *rs, const char *protocol, http_taker_fn *taker, void *arg);
/* Forgets status, headers and body (releasing it), to answer something else. */
void http_resp_reset(struct http_resp *rs);

#endif
