/* net/priv.h: what the files of the server share and nobody else sees.
 *
 * A connection (`struct conn`) lives from accept to close on one loop. While it waits between requests it holds no
 * buffer: what a request needs (`struct exchange`: input bytes, head, request, response, arena) is taken from the
 * loop's stack of spare ones when bytes arrive, and goes back when the connection is idle again.
 *
 * Ownership: a connection and its exchange belong to the loop, but for CONN_WORKER, where the exchange (and the socket)
 * belongs to one worker. They pass to the worker by pool_submit and back by loop_post. `state`, `readable` and the
 * timer are the loop's at all times. */
#ifndef ORLOP_NET_PRIV_H
#define ORLOP_NET_PRIV_H

#include <stdatomic.h>
#include <sys/socket.h>

#include "base/list.h"
#include "net/http.h"
#include "net/server.h"
#include "os/clock.h"
#include "os/loop.h"
#include "os/pool.h"
#include "os/thread.h"
#include "os/tls.h"

#define NET_IN_FIRST ((size_t)8 * 1024)     /* first size of an exchange's input buffer */
#define NET_IN_ROOM ((size_t)4 * 1024)      /* at least so much behind a head for workers: chunk framing is read there */
#define NET_SPARE_MAX 256u                  /* exchanges kept per loop */
#define NET_SCRATCH ((size_t)64 * 1024)     /* per loop: where dropped input lands */
#define NET_DROP_MAX ((uint64_t)256 * 1024) /* an unread body up to this is dropped to keep the connection */
#define NET_LINGER_MAX ((uint64_t)64 << 20) /* bytes dropped in a lingering close */
#define NET_SLICE ((size_t)1024 * 1024)     /* a loop gives one connection so much at a time */
#define NET_PIECE ((size_t)64 * 1024)       /* of a generated body, or of a file read for TLS */
#define NET_TAILS_FEW 64u                   /* per loop: above so many waiting tails, the kernel's memory is shared out: */
#define NET_UNSENT 64 * 1024                /* what each connection may have in it that can not be sent yet */

enum conn_state {
        CONN_HANDSHAKE,
        CONN_IDLE,
        CONN_HEAD,
        CONN_BODY,
        CONN_WORKER,
        CONN_PARKED,
        CONN_PENDING,
        CONN_SEND,
        CONN_DRAIN,
        CONN_LINGER,
        CONN_CLOSED,
        CONN_STATE_COUNT
};

/* How a step of receiving ended. */
enum net_got { NET_GOT, NET_GOT_AGAIN, NET_GOT_END, NET_GOT_LOST };
/* How a step of sending ended. */
enum net_sent {
        NET_SENT_ALL,
        NET_SENT_FULL,   /* wait until the socket is writable */
        NET_SENT_SLICE,  /* the loop's slice is used up: come back after the others */
        NET_SENT_WORKER, /* what comes next may block: a generator, or a file that is not in memory */
        NET_SENT_LOST,
        NET_SENT_PARK /* nothing yet: more of the body is to come, and not here */
};

/* The request's body as far as it was read. */
struct net_body {
        bool chunked, ended, failed;
        bool no_wait;   /* the reader takes what is here */
        bool expect;    /* "100 Continue" was asked for and not sent */
        uint64_t left;  /* announced and not read */
        size_t mem_off; /* read from body_mem */
        size_t base;    /* of the input buffer: bytes below belong to the head */
        struct http_chunked dec;
        struct str pending; /* decoded, in the input buffer, not read */
        int64_t waited_ns;  /* time spent waiting for the client in this window of the minimum rate */
        uint64_t window_bytes;
        int64_t window_queued; /* of these, so many were in the socket when the window began (sinks only) */
        unsigned visits;       /* of workers, to hand it to its sink */
        enum err_code lost;    /* the loop ends it for this reason */
};

/* The answer as far as it was sent. */
struct net_out {
        struct buf head;
        size_t head_off;
        int64_t left; /* body bytes not sent (MEM, FILE, GEN of known length) */
        size_t mem_off;
        unsigned part;
        int64_t part_off;
        struct buf piece; /* of a generated body, or of a file on a TLS connection */
        size_t piece_off, piece_content;
        bool gen_end, gen_chunked;
        uint64_t wire; /* bytes written to the socket */
        uint64_t sent; /* of these, body */
};

struct conn;
struct exchange {
        struct http_req rq;
        struct http_resp rs;
        struct arena arena;
        struct conn *conn;
        struct exchange *next; /* spare, or completed */
        char *in;
        size_t cap, start, end; /* [start, end) of `in` is not consumed */
        size_t resume;          /* of the head parser, from start */
        struct net_body body;
        struct net_out out;
        struct http_sink sink; /* takes the rest of the body; end null: none */
        void *sink_arg;
        struct buf collected; /* body of a request that is received whole */
        enum pool_class cls;
        bool keep;             /* the connection goes on after this answer */
        bool active;           /* a request was handed to the app, or refused: on_sent is due */
        struct http_head head; /* last: large, and only its used part is touched */
};

struct net_addr {
        unsigned char bytes[16];
};

/* What the certificate of an internal connection said. */
struct net_ident {
        char id[64], org[64];
};

struct net_loop;
struct conn {
        struct loop_fd w;
        struct loop_timer timer;
        struct loop_task task;
        struct pool_task work;
        struct list link;  /* net_loop.conns, or .dead */
        struct list again; /* net_loop.again: goes on after the others had their turn */
        struct net_loop *lp;
        struct tls_conn *tls;
        struct exchange *x; /* null when idle */
        struct net_ident *who; /* internal TLS connections, else null */
        enum conn_state state;
        enum net_sent result; /* of the worker, passed with task */
        bool readable;        /* an edge came and was not used up */
        bool hungup;          /* the peer closed its sending side: read until the end */
        bool counted;         /* in the table of addresses */
        bool cold_ok;         /* no worker was free: read a cold file on the loop */
        bool writable;        /* the socket became writable while a worker had it */
        bool told_due, told_gone; /* PENDING: on_wake was called */
        bool lean;            /* NET_UNSENT is in force */
        unsigned low_water;   /* SO_RCVLOWAT, 0: never set */
        unsigned listener;
        int64_t since_ns;      /* of this state; HEAD: first byte; PARKED: since when waiting is not counted yet */
        int64_t window_ns;     /* minimum rate: start and bytes of this window */
        uint64_t window_bytes; /* BODY, DRAIN: received; SEND: net_out.wire at its start */
        uint64_t dropped;      /* LINGER: so far; DRAIN: still to drop */
        struct net_addr addr;
        char peer[56];
};

_Static_assert(sizeof(struct conn) <= 512, "ten thousand idle connections are to cost little");

struct net_listener {
        struct loop_fd w;
        struct net_loop *lp;
        unsigned index;
        void *app_ctx; /* what loop_init of this listener's app returned */
};

struct net_loop {
        struct http_server *server;
        struct loop *loop;
        struct thread *thread;
        unsigned index;
        void *shared_ctx; /* of the server's app */
        uint64_t next_id;
        struct list conns, dead, again;
        bool again_posted;
        struct exchange *spare;
        unsigned nspare;
        struct net_listener *listeners;
        struct loop_timer resume; /* of accepting */
        int64_t warn_again_ns;
        bool stopping;
        int reserve_fd;
        struct loop_task stop_task, cut_task, done_task, again_task, report_task;
        atomic_bool report_posted;
        _Atomic(struct exchange *) done; /* completed by the app, newest first */
        atomic_bool done_posted;
        atomic_uint_fast64_t count[CONN_STATE_COUNT]; /* written by the loop alone */
        atomic_uint_fast64_t accepted, requests, refused;
        atomic_uint_fast64_t bytes_in, bytes_out; /* also by workers */
        char scratch[NET_SCRATCH];
};

struct net_addrs;
struct http_server {
        struct http_app app;
        struct http_limits limits;
        struct pool *pool;
        struct http_listener *listeners; /* own copies, `app` filled in */
        char (*bound)[64];
        unsigned nlisteners, nloops;
        struct net_loop *loops;
        struct net_addrs *addrs;
        bool limit_loopback;
        atomic_uint open;
        atomic_uint posting; /* threads that give a connection back and still have a foot in its loop */
        atomic_bool stopping;
        unsigned nstarted; /* loops that run */
        struct mutex lock; /* with `gone`: a loop stopped, or the last connection ended */
        unsigned stopped_loops;
        struct cond gone;
};

/* accept.c */
/* Starts and stops taking connections on this loop. */
struct err *net__accept_start(struct net_loop *lp);
void net__accept_stop(struct net_loop *lp);

/* addrs.c: connections per client address. Any thread. */
struct net_addrs *net__addrs_new(unsigned max);
void net__addrs_free(struct net_addrs *t);
/* False when this address has its fill; then nothing was counted. */
bool net__addrs_add(struct net_addrs *t, const struct net_addr *a);
void net__addrs_remove(struct net_addrs *t, const struct net_addr *a);
/* The address as a key, IPv4 mapped; false if it is neither IPv4 nor IPv6. */
bool net__addr_of(const struct sockaddr *sa, struct net_addr *ret);
/* 127.0.0.0/8 or ::1. */
bool net__addr_is_loopback(const struct net_addr *a);

#define NET_EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
static inline const struct http_limits *net__limits(const struct conn *c)
{
        return &c->lp->server->limits;
}

static inline const struct http_app *net__app(const struct conn *c)
{
        return c->lp->server->listeners[c->listener].app;
}

static inline bool net__is_reading(const struct conn *c)
{
        return c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY;
}

/* conn.c: the state machine, on the loop. */
/* Enters a state; the move must be allowed. */
void net__conn_move(struct conn *c, enum conn_state to);
/* Sets the timer for this state, unless it fires earlier anyway: it looks again then. */
void net__conn_arm(struct conn *c);
/* Starts a window of the minimum rate. */
void net__conn_window(struct conn *c);
/* Gives the other connections a turn first, then goes on. */
void net__conn_again(struct conn *c);
/* The app has the request: waits for its completion, and tells it what happens meanwhile. */
void net__conn_pending(struct conn *c);
/* Ends the connection at once; it is freed at the end of the round. */
void net__conn_close(struct conn *c);
/* Back to waiting; gives the buffers back when they are empty. Closes when the server stops. */
void net__conn_idle(struct conn *c);
/* The answer was sent, or can not be. Afterwards the state is IDLE, DRAIN, LINGER or CLOSED. */
void net__conn_done(struct conn *c, bool complete);
/* After an answer, or after a turn of others: whatever this state can do now. */
void net__conn_go_on(struct conn *c);
/* Takes over fd and the count of its address (`counted`, or null); gives both up on failure. */
void net__conn_new(struct net_loop *lp, unsigned listener, int fd, const struct sockaddr *sa, socklen_t len,
                   const struct net_addr *counted);
/* Runs lp->again. */
void net__conn_again_all(struct net_loop *lp);
/* Tasks of the loop, see server.c. */
void net__conn_stop_all(struct net_loop *lp);
void net__conn_cut_all(struct net_loop *lp);
/* Logs which requests are in progress: who waits for the end wants to know what for. */
void net__conn_report_all(struct net_loop *lp);
/* Frees what closed in this round. */
void net__conn_free_dead(struct net_loop *lp);

/* conn_answer.c: on the loop. */
/* Hands the request to a worker, or refuses it. */
void net__conn_work(struct conn *c);
/* PARKED: a worker is to look after the body, now or soon. */
void net__conn_resume(struct conn *c);
/* The app completed a PENDING request. */
void net__conn_completed(struct exchange *x);
/* Sends the response that the app made. */
void net__conn_answer(struct conn *c);
/* Goes by the result of a step of sending. */
void net__conn_push(struct conn *c, enum net_sent r);
/* Answers a request that the server itself refuses. */
void net__conn_refuse(struct conn *c, enum err_code code, const char *why, int status, bool close);

/* conn_input.c: on the loop. */
/* Reads while there is something to read, and uses it. */
void net__input_read(struct conn *c);
/* Uses the input that is here, request by request, until more is needed or the connection is not reading. */
void net__input_process(struct conn *c);
/* LINGER and DRAIN: reads and forgets. */
void net__input_drop(struct conn *c);
/* Answers a head that is no head. */
void net__input_refuse(struct conn *c, enum err_code code, const char *why, int status);

/* upgrade.c: on the loop. */
/* The 101 is out: the socket is the taker's, the connection ends. */
void net__conn_upgrade(struct conn *c);

/* exchange.c */
struct exchange *net__exchange_take(struct net_loop *lp);
void net__exchange_give(struct net_loop *lp, struct exchange *x);
void net__exchange_free(struct exchange *x);
/* Ends the request: releases the body source, forgets request and response, keeps unconsumed input. */
void net__exchange_reset(struct exchange *x);
/* Room for n bytes behind `end`; moves the unconsumed input to the front or grows. False: out of memory. Borrowed
 * strings die. */
bool net__exchange_room(struct exchange *x, size_t n);

/* recv.c */
/* One receive without waiting. */
enum net_got net__recv(struct conn *c, void *p, size_t n, size_t *ret_n);

/* On a worker: the next up to n bytes of the body that are here. Both zero: its end. */
struct err *net__read_some(struct http_req *rq, void *p, size_t n, size_t *ret_n, bool *ret_dry);

/* receive.c */
/* On a worker: hands to the sink what is here. True: the sink has ended. False: the connection is to be parked. */
bool net__receive(struct conn *c);
/* Receives the body whole, then handles the request. */
void net__receive_whole(struct conn *c);
/* On the loop, PARKED: sets body.lost if the client is too slow, or begins a new window. */
void net__receive_judge(struct conn *c, int64_t now);

/* send.c */
/* Renders the head and decides x->keep. The request's body must not be read after it. */
void net__answer_prepare(struct conn *c);
/* Sends what the socket takes. May block only on a worker. */
enum net_sent net__send(struct conn *c, bool on_worker);
/* Sends "100 Continue" without waiting: a fresh socket buffer takes 25 bytes. False: it did not. */
bool net__send_continue(struct conn *c);
/* Lets the app (or the table of statuses) fill a refusal; the connection is closed after it if `close`. */
void net__refuse(struct conn *c, enum err_code code, const char *why, int status, bool close);

/* Counters that only the loop writes. */
static inline void net__count(atomic_uint_fast64_t *n, uint64_t add)
{
        atomic_store_explicit(n, atomic_load_explicit(n, memory_order_relaxed) + add, memory_order_relaxed);
}
/* Counters that workers write too. */
static inline void net__count_shared(atomic_uint_fast64_t *n, uint64_t add)
{
        atomic_fetch_add_explicit(n, add, memory_order_relaxed);
}

#endif
