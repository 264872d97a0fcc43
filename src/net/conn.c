/* net/conn.c: the life of a connection, as a state machine on its loop.
 *
 *   HANDSHAKE  TLS only: until the session stands
 *   IDLE       between requests; no buffer is held
 *   HEAD       a part of a head is here
 *   BODY       the head is complete, a small body is being received
 *   WORKER     a worker has the request, and the socket
 *   PENDING    the app has the request and will complete it
 *   SEND       the loop sends the rest of an answer
 *   DRAIN      the answer is out; the short rest of the request's body is dropped, then the next request may come
 *   LINGER     the answer is out and our side is shut; input is dropped until the client closes, so that it can read the answer (RFC 9112 §9.6)
 *   CLOSED     freed at the end of the round
 *
 * The descriptor is in the epoll set edge-triggered, for both directions, from accept to close: `readable` remembers an edge until the socket was read empty, so the
 * common request costs one recv and one sendmsg. Only while a worker reads a body is the descriptor taken out, since each arriving segment would wake the loop.
 *
 * Failure: input that is no HTTP is answered by the app's refuse() and the connection closed, lingering. Time limits: one timer per connection that is set anew when it
 * fires; a connection that lives does not touch it. A lost client is noticed by whoever reads or writes next. */
#define LOG_FOLDER "net"
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/log.h"
#include "net/priv.h"
#include "os/sock.h"

#define EDGES (EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET)
#define PIPELINE_MAX 32u /* requests of one connection per turn */
#define SEND_WINDOWS 3   /* a send's rate is judged over longer windows: the client's buffer opens in leaps */

#define NET_IN_LEAST ((size_t)1024) /* room for a receive */
#define RETRY_NS (50 * NS_PER_MS)
#define TURNS_MAX 16u /* receives of one connection per turn */

#define TO(s) (1u << CONN_##s)
static const uint16_t allowed_moves[CONN_STATE_COUNT] = {
        [CONN_HANDSHAKE] = TO(IDLE) | TO(CLOSED),
        [CONN_IDLE] = TO(HEAD) | TO(BODY) | TO(WORKER) | TO(PENDING) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_HEAD] = TO(IDLE) | TO(BODY) | TO(WORKER) | TO(PENDING) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_BODY] = TO(IDLE) | TO(WORKER) | TO(PENDING) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_WORKER] = TO(IDLE) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_PENDING] = TO(IDLE) | TO(WORKER) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_SEND] = TO(IDLE) | TO(WORKER) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_DRAIN] = TO(IDLE) | TO(CLOSED),
        [CONN_LINGER] = TO(CLOSED),
        [CONN_CLOSED] = 0,
};

static void move(struct conn *c, enum conn_state to)
{
        if (c->state == to)
                return;
        ASSERT(allowed_moves[c->state] & (1u << to));
        net__count(&c->lp->count[c->state], (uint64_t)-1);
        net__count(&c->lp->count[to], 1);
        c->state = to;
        c->since_ns = loop_now_ns(c->lp->loop);
}

static const struct http_limits *limits(const struct conn *c)
{
        return &c->lp->server->limits;
}

static int64_t rate_window(const struct conn *c)
{
        return c->state == CONN_SEND ? SEND_WINDOWS * limits(c)->min_rate_grace_ns : limits(c)->min_rate_grace_ns;
}

/* Sets the timer for this state, unless it fires earlier anyway: on_timer looks again. */
static void arm(struct conn *c)
{
        int64_t at = c->since_ns;
        switch (c->state) {
        case CONN_HANDSHAKE:
        case CONN_HEAD:
                at += limits(c)->head_timeout_ns;
                break;
        case CONN_IDLE:
                at += limits(c)->idle_timeout_ns;
                break;
        case CONN_BODY:
        case CONN_DRAIN:
        case CONN_SEND:
                at = c->window_ns + rate_window(c);
                break;
        case CONN_LINGER:
                at += limits(c)->linger_ns;
                break;
        case CONN_WORKER:
        case CONN_PENDING:
        case CONN_CLOSED:
        case CONN_STATE_COUNT:
                return;
        }
        if (c->timer.deadline_ns == 0 || at < c->timer.deadline_ns)
                loop_timer_set(c->lp->loop, &c->timer, at);
}

static void window_start(struct conn *c)
{
        c->window_ns = loop_now_ns(c->lp->loop);
        c->window_bytes = c->state == CONN_SEND ? c->x->out.wire : 0;
        arm(c);
}

/* Gives the other connections a turn first. */
static void again(struct conn *c)
{
        struct net_loop *lp = c->lp;
        if (list_empty(&c->again))
                list_append(&lp->again, &c->again);
        if (!lp->again_posted) {
                lp->again_posted = true;
                loop_post(lp->loop, &lp->again_task);
        }
}

static void conn_close(struct conn *c)
{
        struct net_loop *lp = c->lp;
        move(c, CONN_CLOSED);
        loop_timer_clear(lp->loop, &c->timer);
        loop_fd_remove(lp->loop, &c->w);
        if (c->tls) {
                tls_shutdown(c->tls);
                tls_conn_free(c->tls);
                c->tls = NULL;
        }
        (void)close(c->w.fd);
        if (c->x) {
                net__exchange_reset(c->x);
                net__exchange_give(lp, c->x);
                c->x = NULL;
        }
        list_remove(&c->again);
        list_remove(&c->link);
        list_append(&lp->dead, &c->link);
}

void net__conn_free_dead(struct net_loop *lp)
{
        struct http_server *s = lp->server;
        while (!list_empty(&lp->dead)) {
                struct conn *c = LIST_ENTRY(lp->dead.next, struct conn, link);
                list_remove(&c->link);
                net__count(&lp->count[CONN_CLOSED], (uint64_t)-1);
                if (c->counted)
                        net__addrs_remove(s->addrs, &c->addr);
                free(c);
                if (atomic_fetch_sub(&s->open, 1) == 1 && atomic_load(&s->stopping)) {
                        LOCK_SCOPE(&s->lock);
                        cond_broadcast(&s->gone);
                }
        }
}

/* The answer is out and the connection ends. Without a lingering close, a kernel that holds unread input would reset the connection, and the client might
 * never see the answer. */
static void conn_finish(struct conn *c, bool all_read)
{
        if (all_read) {
                conn_close(c);
                return;
        }
        if (c->tls) {
                tls_shutdown(c->tls);
                tls_conn_free(c->tls);
                c->tls = NULL; /* what is dropped need not be decrypted */
        }
        (void)shutdown(c->w.fd, SHUT_WR);
        net__exchange_reset(c->x);
        net__exchange_give(c->lp, c->x);
        c->x = NULL;
        c->dropped = 0;
        move(c, CONN_LINGER);
        arm(c);
}

/* Back to waiting; gives the buffers back when they are empty. */
static void conn_idle(struct conn *c)
{
        move(c, CONN_IDLE);
        c->since_ns = loop_now_ns(c->lp->loop);
        if (c->x && c->x->start == c->x->end) {
                net__exchange_give(c->lp, c->x);
                c->x = NULL;
        }
        arm(c);
}

/* The answer was sent, or can not be. Afterwards the state is IDLE, DRAIN, LINGER or CLOSED. */
static void request_done(struct conn *c, bool complete)
{
        struct exchange *x = c->x;
        const struct http_app *app = &c->lp->server->app;
        net__count(&c->lp->requests, 1);
        if (app->on_sent && x->active)
                app->on_sent(app->ctx, &x->rq, &x->rs, x->out.sent, complete);
        if (!complete) {
                conn_close(c);
                return;
        }
        bool keep = x->keep, body_read = x->body.ended && !x->body.failed;
        uint64_t left = body_read ? 0 : x->body.left;
        if (!keep) {
                conn_finish(c, body_read && !x->head.keep_alive && x->start == x->end);
                return;
        }
        net__exchange_reset(x);
        if (left == 0) {
                move(c, CONN_IDLE);
                c->since_ns = loop_now_ns(c->lp->loop);
                return;
        }
        size_t here = (size_t)MIN(left, (uint64_t)(x->end - x->start));
        x->start += here;
        c->dropped = left - here;
        move(c, CONN_DRAIN);
        window_start(c);
}

static void task_worker_done(struct loop_task *t);

/* On a worker. */
static void worker_handle(struct pool_task *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, work);
        const struct http_app *app = &c->lp->server->app;
        app->handle(app->ctx, &c->x->rq, &c->x->rs);
        net__answer_prepare(c);
        c->result = net__send(c, true);
        loop_post(c->lp->loop, &c->task);
}

/* On a worker: the next pieces of an answer. */
static void worker_send(struct pool_task *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, work);
        c->result = net__send(c, true);
        loop_post(c->lp->loop, &c->task);
}

static bool to_worker(struct conn *c, void (*run)(struct pool_task *t))
{
        bool reads = run == worker_handle && !c->x->body.ended;
        c->work.run = run;
        c->task.run = task_worker_done;
        c->writable = false;
        if (reads)
                loop_fd_remove(c->lp->loop, &c->w);
        enum conn_state before = c->state;
        move(c, CONN_WORKER);
        if (pool_submit(c->lp->server->pool, c->x->cls, &c->work))
                return true;
        /* Nothing was taken: the connection is the loop's as before. */
        net__count(&c->lp->count[CONN_WORKER], (uint64_t)-1);
        net__count(&c->lp->count[before], 1);
        c->state = before;
        return false;
}

/* Puts the descriptor back after a worker had it alone: epoll tells at once what is ready. */
static bool watch(struct conn *c)
{
        if (c->w.events)
                return true;
        struct err *e = loop_fd_set(c->lp->loop, &c->w, EDGES);
        if (!e)
                return true;
        log_err(LOG_WARN, LOG_FOLDER, e, "connection of %s", c->peer);
        return false;
}

/* The loop sends what it may. */
static void push(struct conn *c, enum net_sent r)
{
        switch (r) {
        case NET_SENT_ALL:
                request_done(c, true);
                return;
        case NET_SENT_LOST:
                request_done(c, false);
                return;
        case NET_SENT_FULL:
                break;
        case NET_SENT_SLICE:
                again(c);
                break;
        case NET_SENT_WORKER:
                if (to_worker(c, worker_send))
                        return;
                /* Every worker is taken. A cold file is read here rather than not at all; a generator must wait: see on_timer. */
                c->cold_ok = c->x->rs.kind == BODY_FILE;
                if (c->cold_ok)
                        again(c);
                break;
        }
        bool retry = r == NET_SENT_WORKER && !c->cold_ok;
        if (c->state != CONN_SEND || retry) {
                move(c, CONN_SEND);
                window_start(c);
        }
        if (retry)
                loop_timer_set(c->lp->loop, &c->timer, loop_now_ns(c->lp->loop) + RETRY_NS);
}

static void answer(struct conn *c)
{
        net__answer_prepare(c);
        push(c, net__send(c, false));
}

/* A request that the server itself refuses. */
static void refuse(struct conn *c, enum err_code code, const char *why, int status, bool close)
{
        c->x->active = true;
        net__refuse(c, code, why, status, close);
        answer(c);
}

static void dispatch(struct conn *c)
{
        struct exchange *x = c->x;
        const struct http_app *app = &c->lp->server->app;
        enum http_next next = HTTP_WORKER;
        x->cls = POOL_DATA;
        x->active = true;
        if (app->on_loop)
                next = app->on_loop(app->ctx, &x->rq, &x->rs, &x->cls);
        switch (next) {
        case HTTP_ANSWERED:
                answer(c);
                break;
        case HTTP_PENDING:
                move(c, CONN_PENDING);
                break;
        case HTTP_WORKER:
                if (to_worker(c, worker_handle))
                        break;
                if (!watch(c)) {
                        request_done(c, false);
                        break;
                }
                refuse(c, ERR_OVERLOAD, "too many requests in progress", 0, false);
                break;
        }
}

/* The request's members, from x->head and the connection. */
static void set_request(struct conn *c)
{
        struct exchange *x = c->x;
        struct http_req *rq = &x->rq;
        const struct http_head *h = &x->head;
        rq->method = h->method;
        rq->path = h->path;
        rq->query = h->query;
        rq->id = ++c->lp->next_id;
        rq->peer = c->peer;
        rq->listener = c->listener;
        rq->tls = c->tls != NULL;
        rq->start_ns = clock_mono_ns();
        rq->body_length = h->chunked ? -1 : (int64_t)h->length;
        rq->body_mem = STR_NONE;
        rq->loop_ctx = c->lp->app_ctx;
        x->body = (struct net_body){ .chunked = h->chunked, .left = h->length, .expect = h->expect_continue };
        x->body.ended = !h->chunked && h->length == 0;
        if (h->chunked)
                http_chunked_init(&x->body.dec);
        c->cold_ok = false;
}

/* A head that could not be parsed: the request has no fields. More may follow what we did not understand, so the close lingers. */
static void refuse_head(struct conn *c, enum err_code code, const char *why, int status)
{
        struct http_head *h = &c->x->head;
        h->method = HTTP_OTHER;
        h->method_text = h->target = h->path = h->query = h->host = STR_NONE;
        h->nheaders = 0;
        h->minor = 1;
        h->keep_alive = true;
        h->chunked = h->expect_continue = false;
        h->length = 0;
        set_request(c);
        c->x->body.ended = false;
        c->x->body.failed = true;
        refuse(c, code, why, status, true);
}

/* The part of the head and body that must be in one piece of memory. The input buffer may move: then the head is parsed again. */
static bool head_room(struct exchange *x, size_t head_len, size_t more)
{
        size_t have = x->cap - x->start;
        if (have >= head_len + more)
                return true;
        size_t resume = 0, len;
        enum err_code code;
        const char *why;
        if (!net__exchange_room(x, x->start + head_len + more - x->end))
                return false;
        enum http_parse_result r = http_parse_request((struct str){ x->in + x->start, x->end - x->start }, &resume, &x->head, &len, &code, &why);
        ASSERT(r == HTTP_PARSE_OK && len == head_len);
        return true;
}

/* A small body is here in whole. */
static void body_complete(struct conn *c)
{
        struct exchange *x = c->x;
        size_t n = (size_t)x->body.left;
        x->rq.body_mem = (struct str){ x->in + x->start, n };
        x->start += n;
        x->body.left = 0;
        x->body.ended = true;
        dispatch(c);
}

static void head_complete(struct conn *c, size_t head_len)
{
        struct exchange *x = c->x;
        const struct http_head *h = &x->head;
        bool small = !h->chunked && h->length <= limits(c)->small_body;
        bool grown = h->chunked || h->length ? head_room(x, head_len, small ? (size_t)h->length : NET_IN_ROOM) : true;
        set_request(c);
        x->start += head_len;
        x->resume = 0;
        x->body.base = x->start;
        if (!grown) {
                refuse(c, ERR_NO_MEMORY, "out of memory", 503, true);
        } else if (h->expect_other) {
                refuse(c, ERR_UNSUPPORTED, "unknown expectation", 417, false);
        } else if (!small || h->length == 0) {
                dispatch(c);
        } else if (x->end - x->start >= h->length) {
                body_complete(c);
        } else {
                if (x->body.expect && x->end == x->start && !net__send_continue(c)) {
                        request_done(c, false);
                        return;
                }
                x->body.expect = false;
                move(c, CONN_BODY);
                window_start(c);
        }
}

/* Uses the input that is here, request by request, until more is needed or the connection is not reading. */
static void process(struct conn *c)
{
        struct exchange *x = c->x;
        if (c->state == CONN_BODY) {
                if (x->end - x->start < x->body.left)
                        return;
                body_complete(c);
        }
        for (unsigned i = 0; c->state == CONN_IDLE || c->state == CONN_HEAD; i++) {
                size_t len;
                enum err_code code;
                const char *why;
                if (x->start == x->end)
                        return;
                if (i == PIPELINE_MAX) {
                        again(c);
                        return;
                }
                switch (http_parse_request((struct str){ x->in + x->start, x->end - x->start }, &x->resume, &x->head, &len, &code, &why)) {
                case HTTP_PARSE_MORE:
                        if (c->state == CONN_IDLE) {
                                move(c, CONN_HEAD);
                                arm(c);
                        }
                        return;
                case HTTP_PARSE_BAD:
                        refuse_head(c, code, why, why == http_bad_version ? 505 : 0);
                        return;
                case HTTP_PARSE_OK:
                        head_complete(c, len);
                        break;
                }
        }
}

static bool is_reading(const struct conn *c)
{
        return c->state == CONN_IDLE || c->state == CONN_HEAD || c->state == CONN_BODY;
}

/* An exchange with room to receive into. */
static struct exchange *input_exchange(struct conn *c)
{
        if (!c->x) {
                c->x = net__exchange_take(c->lp);
                if (!c->x)
                        return NULL;
                c->x->conn = c;
        }
        /* In BODY the input must stay where it is, and there is room (head_room). */
        if (c->state != CONN_BODY && !net__exchange_room(c->x, NET_IN_LEAST))
                return NULL;
        return c->x;
}

static void read_input(struct conn *c)
{
        for (unsigned turn = 0; c->readable && is_reading(c); turn++) {
                if (turn == TURNS_MAX) {
                        again(c);
                        return;
                }
                struct exchange *x = input_exchange(c);
                if (!x) {
                        conn_close(c);
                        return;
                }
                size_t room = x->cap - x->end, n;
                switch (net__recv(c, x->in + x->end, room, &n)) {
                case NET_GOT:
                        x->end += n;
                        c->window_bytes += n;
                        /* epoll(7): a short read from a stream socket says that it is empty, unless its end came with the data. */
                        if (n < room && !c->tls && !c->hungup)
                                c->readable = false;
                        process(c);
                        if (!list_empty(&c->again))
                                return; /* enough of a pipeline for this turn: what was received bounds the buffer */
                        break;
                case NET_GOT_AGAIN:
                        c->readable = false;
                        break;
                case NET_GOT_END:
                case NET_GOT_LOST:
                        conn_close(c);
                        return;
                }
        }
        if (c->state == CONN_IDLE)
                conn_idle(c);
}

static void go_on(struct conn *c);

static void drop_input(struct conn *c)
{
        for (unsigned turn = 0; c->readable && (c->state == CONN_LINGER || c->dropped); turn++) {
                if (turn == TURNS_MAX) {
                        again(c);
                        return;
                }
                size_t n, want = c->state == CONN_LINGER ? NET_SCRATCH : (size_t)MIN((uint64_t)NET_SCRATCH, c->dropped);
                switch (net__recv(c, c->lp->scratch, want, &n)) {
                case NET_GOT:
                        c->dropped = c->state == CONN_LINGER ? c->dropped + n : c->dropped - n;
                        c->window_bytes += n;
                        if (c->state != CONN_LINGER || c->dropped <= NET_LINGER_MAX)
                                break;
                        conn_close(c);
                        return;
                case NET_GOT_AGAIN:
                        c->readable = false;
                        break;
                case NET_GOT_END:
                case NET_GOT_LOST:
                        conn_close(c);
                        return;
                }
        }
        if (c->state == CONN_DRAIN && c->dropped == 0) {
                move(c, CONN_IDLE);
                go_on(c);
        }
}

/* After an answer, or after a turn of others: whatever this state can do now. */
static void go_on(struct conn *c)
{
        switch (c->state) {
        case CONN_IDLE:
        case CONN_HEAD:
                if (c->x && c->x->start < c->x->end)
                        process(c);
                if (is_reading(c))
                        read_input(c);
                else if (c->state == CONN_DRAIN || c->state == CONN_LINGER)
                        drop_input(c);
                break;
        case CONN_BODY:
                read_input(c);
                break;
        case CONN_DRAIN:
        case CONN_LINGER:
                drop_input(c);
                break;
        default:
                break;
        }
}

static void handshake(struct conn *c)
{
        switch (tls_handshake(c->tls)) {
        case TLS_OK:
                move(c, CONN_IDLE);
                c->readable = true;
                arm(c);
                read_input(c);
                break;
        case TLS_WANT_READ:
        case TLS_WANT_WRITE:
                break;
        case TLS_CLOSED:
        case TLS_FAILED:
                log_debug("TLS handshake with %s: %s", c->peer, tls_failure(c->tls));
                conn_close(c);
                break;
        }
}

static void on_event(struct loop_fd *w, uint32_t events)
{
        struct conn *c = CONTAINER_OF(w, struct conn, w);
        c->readable = c->readable || (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        c->hungup = c->hungup || (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
        switch (c->state) {
        case CONN_HANDSHAKE:
                handshake(c);
                break;
        case CONN_IDLE:
        case CONN_HEAD:
        case CONN_BODY:
                read_input(c);
                break;
        case CONN_SEND:
                push(c, net__send(c, false));
                go_on(c);
                break;
        case CONN_DRAIN:
        case CONN_LINGER:
                drop_input(c);
                break;
        case CONN_WORKER:
                c->writable = c->writable || (events & EPOLLOUT);
                break;
        case CONN_PENDING:
        case CONN_CLOSED:
        case CONN_STATE_COUNT:
                break;
        }
}

static void task_worker_done(struct loop_task *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, task);
        enum net_sent r = c->result;
        if (c->tls)
                c->readable = true; /* the session may hold decrypted bytes, of which no edge will tell */
        if (!watch(c))
                r = NET_SENT_LOST;
        if (r == NET_SENT_FULL && c->writable)
                r = net__send(c, false);
        push(c, r);
        go_on(c);
}

void net__conn_completed(struct exchange *x)
{
        struct conn *c = x->conn;
        ASSERT(c->state == CONN_PENDING);
        answer(c);
        go_on(c);
}

void net__conn_again_all(struct net_loop *lp)
{
        struct list turn = lp->again; /* those who need yet another turn queue up anew */
        lp->again_posted = false;
        if (list_empty(&lp->again))
                return;
        turn.next->prev = turn.prev->next = &turn;
        list_init(&lp->again);
        while (!list_empty(&turn)) {
                struct conn *c = LIST_ENTRY(turn.next, struct conn, again);
                list_remove(&c->again);
                if (c->state == CONN_SEND)
                        push(c, net__send(c, false));
                go_on(c);
        }
}

/* Whether the rate of this window is below the minimum. */
static bool too_slow(const struct conn *c, int64_t now)
{
        uint64_t bytes = c->state == CONN_SEND ? c->x->out.wire - c->window_bytes : c->window_bytes;
        return (double)bytes < (double)limits(c)->min_rate * (double)(now - c->window_ns) / 1e9;
}

static void on_window(struct conn *c, int64_t now)
{
        bool over = now >= c->window_ns + rate_window(c);
        if (over && too_slow(c, now)) {
                log_debug("%s is slower than the minimum rate", c->peer);
                if (c->state == CONN_BODY) {
                        c->x->body.failed = true;
                        refuse(c, ERR_TIMEOUT, "request body is too slow", 408, true);
                        go_on(c);
                } else if (c->state == CONN_SEND) {
                        request_done(c, false);
                } else {
                        conn_close(c);
                }
                return;
        }
        if (over)
                window_start(c);
        if (c->state == CONN_SEND) { /* perhaps a worker is free now */
                push(c, net__send(c, false));
                go_on(c);
        }
}

static void on_timer(struct loop_timer *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, timer);
        int64_t now = loop_now_ns(c->lp->loop), age = now - c->since_ns;
        switch (c->state) {
        case CONN_HANDSHAKE:
                if (age >= limits(c)->head_timeout_ns)
                        conn_close(c);
                break;
        case CONN_IDLE:
                if (age >= limits(c)->idle_timeout_ns)
                        conn_close(c);
                break;
        case CONN_HEAD:
                if (age >= limits(c)->head_timeout_ns) {
                        refuse_head(c, ERR_TIMEOUT, "request head is too slow", 408);
                        go_on(c);
                }
                break;
        case CONN_BODY:
        case CONN_DRAIN:
        case CONN_SEND:
                on_window(c, now);
                break;
        case CONN_LINGER:
                if (age >= limits(c)->linger_ns)
                        conn_close(c);
                break;
        case CONN_WORKER:
        case CONN_PENDING:
        case CONN_CLOSED:
        case CONN_STATE_COUNT:
                return;
        }
        if (c->timer.deadline_ns == 0)
                arm(c);
}

void net__conn_new(struct net_loop *lp, unsigned listener, int fd, const struct sockaddr *sa, socklen_t len, const struct net_addr *counted)
{
        struct http_server *s = lp->server;
        struct tls_ctx *tls = s->listeners[listener].tls;
        struct conn *c = calloc(1, sizeof(*c));
        struct err *e = c ? NULL : err_static(ERR_NO_MEMORY);
        if (c) {
                char text[64];
                *c = (struct conn){ .w = { .fd = fd, .on_event = on_event }, .timer = { .on_timer = on_timer }, .lp = lp, .listener = listener };
                c->state = tls ? CONN_HANDSHAKE : CONN_IDLE;
                c->since_ns = loop_now_ns(lp->loop);
                c->counted = counted != NULL;
                if (counted)
                        c->addr = *counted;
                (void)str_copy(c->peer, sizeof(c->peer), str_of(sock_addr_text(sa, len, text)));
                e = tls ? tls_conn_new(tls, fd, NULL, &c->tls) : NULL;
        }
        if (!e)
                e = loop_fd_set(lp->loop, &c->w, EDGES);
        if (e) {
                log_err(LOG_WARN, LOG_FOLDER, e, "connection can not be accepted");
                if (c)
                        tls_conn_free(c->tls);
                free(c);
                (void)close(fd);
                if (counted)
                        net__addrs_remove(s->addrs, counted);
                return;
        }
        list_init(&c->again);
        list_append(&lp->conns, &c->link);
        net__count(&lp->count[c->state], 1);
        net__count(&lp->accepted, 1);
        atomic_fetch_add(&s->open, 1);
        arm(c);
}

void net__conn_stop_all(struct net_loop *lp)
{
        LIST_FOREACH_SAFE(l, next, &lp->conns) {
                struct conn *c = LIST_ENTRY(l, struct conn, link);
                if (c->state == CONN_IDLE) { /* a request may be in the socket already */
                        c->readable = true;
                        go_on(c);
                }
                if (c->state == CONN_IDLE || c->state == CONN_HANDSHAKE)
                        conn_close(c);
        }
}

void net__conn_cut_all(struct net_loop *lp)
{
        LIST_FOREACH_SAFE(l, next, &lp->conns) {
                struct conn *c = LIST_ENTRY(l, struct conn, link);
                if (c->state == CONN_WORKER || c->state == CONN_PENDING)
                        (void)shutdown(c->w.fd, SHUT_RDWR); /* whoever has it will notice */
                else if (c->state == CONN_SEND)
                        request_done(c, false);
                else
                        conn_close(c);
        }
}
