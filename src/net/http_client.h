/* net/http_client.h: a blocking HTTP/1.1 client with kept-alive connections, for liborlop, the command and calls to
 * peers.
 *
 * A client may be used by many threads at once; a reply belongs to one thread at a time. Every call that talks to
 * the network blocks: never from a loop. Redirects are not followed: the caller sees status and Location. Interim
 * answers (1xx) are skipped. Responses are parsed strictly (net/http_parse.h).
 *
 * Errors: TIMEOUT (connecting, no byte for idle_timeout, or the total past), CLOSED (the peer went away in the
 * middle), IO (refused, unreachable, TLS), MALFORMED (what came is not HTTP, or a head above 64 KiB), INVALID (bad
 * address or header), FOREIGN (somebody else answers at this address) and whatever the body callback returned. A status
 * of 4xx or 5xx is not an error here.
 *
 * A request on a kept-alive connection that turns out closed before the first byte of an answer is sent once more on
 * a fresh one, if its body can be sent again and its method is idempotent (RFC 9110 §9.2.2) or `replay_any` is set. */
#ifndef ORLOP_NET_HTTP_CLIENT_H
#define ORLOP_NET_HTTP_CLIENT_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct tls_conn;
struct tls_ctx;
struct http_client;
struct http_reply;

struct http_client_options {
        int64_t connect_timeout_ns; /* 0: 10 s; with TLS handshake */
        int64_t idle_timeout_ns;    /* longest wait for the next byte in either direction; 0: 60 s */
        int64_t total_timeout_ns;   /* of one request until its reply is read; 0: none */
        unsigned max_idle;          /* kept-alive connections in all; 0: 64 */
        const char *user_agent;     /* static text; null: "orlop" */
        struct tls_ctx *tls;        /* for https, borrowed; null: https verifies against the system's authorities */
};
/* A client without connections. `o` may be null. */
MUST_CHECK struct err *http_client_new(const struct http_client_options *o, struct http_client **ret);
/* Closes idle connections. No reply may be open. Null is fine. */
void http_client_free(struct http_client *c);

/* Where requests go. Strings are borrowed. */
struct http_endpoint {
        bool tls;
        struct str host; /* name or address, v6 without brackets */
        uint16_t port;
        struct str base; /* path of the URL without a trailing slash; may be empty */
};
/* "http://host[:port][/base]" or https. No user, query or fragment. Borrowed from url. ERR_INVALID. */
MUST_CHECK struct err *http_endpoint_parse(struct str url, struct http_endpoint *ret);

/* A body that is made while it is sent: up to n bytes into p; *ret_n = 0 at its end. */
typedef struct err *http_body_read_fn(void *arg, void *p, size_t n, size_t *ret_n);
struct http_client_request {
        const char *method;             /* "GET" … */
        struct http_endpoint endpoint;  /* `base` is not used: target is whole */
        struct str target;              /* origin-form, percent-encoded: "/v1/objects/b/o?x=y" */
        struct str head;                /* further header lines, each "Name: value\r\n"; without Host, Content-Length,
                                           Transfer-Encoding, Connection */
        struct str body;                /* when body_read is null; p null: no body at all */
        http_body_read_fn *body_read;
        struct err *(*body_rewind)(void *arg); /* back to the first byte; null: can not */
        void *body_arg;
        int64_t body_length; /* of body_read; -1: unknown, sent chunked. A callback that gives another number: INVALID
                              */
        bool expect_continue;           /* ask before sending the body; waits for the answer at most 1 s */
        bool replay_any;                /* see above */
        int64_t total_timeout_ns;       /* 0: the client's */
        int64_t idle_timeout_ns;        /* 0: the client's */
        const char *peer_id;            /* who must be there: CN of its verified certificate (os/tls.h), else FOREIGN;
                                           null: anybody */
};
/* Sends the request and reads the head of the final answer. The caller ends *ret with http_reply_close(). */
MUST_CHECK struct err *http_client_send(struct http_client *c, const struct http_client_request *rq,
                                        struct http_reply **ret);

/* The status code. */
int http_reply_status(const struct http_reply *r);
/* First header of this name (ASCII case ignored), or STR_NONE. Borrowed from the reply. */
struct str http_reply_header(const struct http_reply *r, struct str name);
/* The i-th header in order of arrival; false past the end. */
bool http_reply_header_at(const struct http_reply *r, unsigned i, struct str *ret_name, struct str *ret_value);
/* Content-Length, or -1 when unknown. For HEAD: what was announced. */
int64_t http_reply_length(const struct http_reply *r);
/* Reads the next up to n bytes of the body; *ret_n = 0 at its end. A body that ends early is CLOSED. */
MUST_CHECK struct err *http_reply_read(struct http_reply *r, void *p, size_t n, size_t *ret_n);
/* Appends the rest of the body to b; longer than max: TOO_LARGE. */
MUST_CHECK struct err *http_reply_read_all(struct http_reply *r, size_t max, struct buf *b);
/* Ends the reply. The connection is kept if the body was read to its end, or what is left is short and already here.
 * Null is fine. */
void http_reply_close(struct http_reply *r);

/* A connection that speaks another protocol now; the caller's. */
struct http_upgraded {
        int fd; /* non-blocking; -1: the peer did not agree */
        struct tls_conn *tls; /* null: plain */
        struct buf early;     /* what came behind the peer's answer */
};
/* Sends a request (a GET without body, as a rule) with "Upgrade: protocol", on a fresh connection. When the peer
 * answers anything but 101,
 * ret->fd is -1 and *ret_refusal its answer (to be closed); else *ret_refusal is null. */
MUST_CHECK struct err *http_client_upgrade(struct http_client *c, const struct http_client_request *rq,
                                           const char *protocol,
                                           struct http_upgraded *ret, struct http_reply **ret_refusal);
/* Closes what it holds. */
void http_upgraded_close(struct http_upgraded *u);

static inline void cleanup_http_reply(struct http_reply **r)
{
        http_reply_close(*r);
}
#define AUTO_REPLY __attribute__((cleanup(cleanup_http_reply)))

#endif
