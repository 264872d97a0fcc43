/* net/http_client_priv.h: shared by the files of the client: client_conn.c (one connection), http_client.c (requests
 * and the pool), http_reply.c (what comes back). */
#ifndef ORLOP_NET_HTTP_CLIENT_PRIV_H
#define ORLOP_NET_HTTP_CLIENT_PRIV_H

#include "base/list.h"
#include "net/http_client.h"
#include "net/http_parse.h"
#include "os/thread.h"

enum { CLIENT_HOST_MAX = 256, CLIENT_PIECE = 64 * 1024 };

struct tls_conn;

/* One connection; owned by the thread that uses it, or by the pool under its lock. */
struct client_conn {
        struct list link; /* in the pool */
        int fd;
        struct tls_conn *tls; /* null: plain */
        char host[CLIENT_HOST_MAX];
        uint16_t port;
        bool is_tls;
        char peer_id[64]; /* what its certificate says; "" without */
        bool reused;      /* has served a request before this one */
        int64_t idle_since_ns;
};

/* How long calls may take: never past `total_ns`, never longer than `idle_ns` without a byte. */
struct client_patience {
        int64_t idle_ns, total_deadline_ns;
};

/* Connects, with TLS when tls is not null. */
MUST_CHECK struct err *client__conn_open(const struct http_endpoint *at, struct tls_ctx *tls, int64_t deadline_ns,
                                         struct client_conn **ret);
/* Closes; null is fine. */
void client__conn_close(struct client_conn *c);
/* Whether an idle connection still looks open. Does not wait. */
bool client__conn_alive(struct client_conn *c);
/* Sends all n bytes. `more`: further bytes follow at once. With ret_readable, stops early and sets it when the peer
 * has something to say before everything went out; *ret_sent tells how far it got. CLOSED, TIMEOUT. */
MUST_CHECK struct err *client__conn_send(struct client_conn *c, const void *p, size_t n, bool more,
                                         const struct client_patience *w, bool *ret_readable, size_t *ret_sent);
/* Receives up to n bytes; 0 when the peer ended. CLOSED (reset), TIMEOUT. */
MUST_CHECK struct err *client__conn_recv(struct client_conn *c, void *p, size_t n, const struct client_patience *w,
                                         size_t *ret_n);
/* Whether bytes, or the end, can be received right now. */
bool client__conn_readable(const struct client_conn *c);

struct http_client {
        struct mutex lock;
        struct http_client_options o; /* defaults filled in; immutable */
        struct tls_ctx *own_tls;      /* made on demand; guarded by lock */
        struct list idle;             /* youngest first; guarded by lock */
        unsigned idle_count;          /* guarded by lock */
};

enum reply_body { REPLY_NONE, REPLY_LENGTH, REPLY_CHUNKED, REPLY_UNTIL_CLOSE };

struct http_reply {
        struct http_client *client;
        struct client_conn *conn;
        struct client_patience patience;
        bool is_head;      /* of a HEAD request */
        bool all_sent;     /* the request went out whole: else the connection can not be used again */
        bool got_bytes;    /* anything at all came back */
        bool upgrades;     /* a 101 was asked for, and is a final answer */
        bool have_head, ended, failed;
        struct buf in;     /* the head and what was received with it; not moved once have_head */
        size_t in_at;      /* consumed */
        size_t resume;
        struct http_response_head head;
        enum reply_body body;
        uint64_t left;     /* REPLY_LENGTH */
        struct http_chunked chunked;
        struct buf raw;    /* REPLY_CHUNKED: received, not yet parsed */
        struct str rest;   /* the unparsed part of `in` or `raw` */
};

/* Receives once into the head buffer. */
MUST_CHECK struct err *client__reply_fill(struct http_reply *r);
/* Looks for a final head in what was received; interim ones are dropped (*ret_continue is set by a 100; may be
 * null). MALFORMED. */
MUST_CHECK struct err *client__reply_advance(struct http_reply *r, bool *ret_continue);
/* Gives a connection back to the pool. */
void client__pool_put(struct http_client *c, struct client_conn *conn);

#endif
