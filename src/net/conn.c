/* net/conn.c: the life of a connection, as a state machine on its loop.
 *
 *   HANDSHAKE  TLS only: until the session stands
 *   IDLE       between requests; no buffer is held
 *   HEAD       a part of a head is here
 *   BODY       the head is complete, a small body is being received
 *   WORKER     a worker has the request, and the socket
 *   PARKED     a worker has taken what was here of the body; the rest is waited for (receive.c)
 *   PENDING    the app has the request and will complete it
 *   SEND       the loop sends the rest of an answer
 *   DRAIN      the answer is out; the short rest of the request's body is dropped, then the next request may come
 *   LINGER     the answer is out and our side is shut; input is dropped until the client closes, so that it can read
 *              the answer (RFC 9112 §9.6)
 *   CLOSED     freed at the end of the round
 *
 * The descriptor is in the epoll set edge-triggered, for both directions, from accept to close: `readable` remembers an
 * edge until the socket was read empty, so the common request costs one recv and one sendmsg. Only while a worker reads
 * a body is the descriptor taken out, since each arriving segment would wake the loop.
 *
 * Failure: input that is no HTTP is answered by the app's refuse() and the connection closed, lingering. Time limits:
 * one timer per connection that is set anew when it fires; a connection that lives does not touch it. A lost client is
 * noticed by whoever reads or writes next; while a request is pending, the app is told. */
#define LOG_FOLDER "net"
#include <unistd.h>

#include "base/log.h"
#include "net/priv.h"
#include "os/sock.h"

#define SEND_WINDOWS 3 /* a send's rate is judged over longer windows: the client's buffer opens in leaps */

#define TO(s) (1u << CONN_##s)
static const uint16_t allowed_moves[CONN_STATE_COUNT] = {
        [CONN_HANDSHAKE] = TO(IDLE) | TO(CLOSED),
        [CONN_IDLE] = TO(HEAD) | TO(BODY) | TO(WORKER) | TO(PENDING) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_HEAD] = TO(IDLE) | TO(BODY) | TO(WORKER) | TO(PENDING) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_BODY] = TO(IDLE) | TO(WORKER) | TO(PENDING) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_WORKER] = TO(PARKED) | TO(IDLE) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_PARKED] = TO(WORKER),
        [CONN_PENDING] = TO(IDLE) | TO(WORKER) | TO(SEND) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_SEND] = TO(IDLE) | TO(WORKER) | TO(DRAIN) | TO(LINGER) | TO(CLOSED),
        [CONN_DRAIN] = TO(IDLE) | TO(CLOSED),
        [CONN_LINGER] = TO(CLOSED),
        [CONN_CLOSED] = 0,
};

void net__conn_move(struct conn *c, enum conn_state to)
{
        if (c->state == to)
                return;
        ASSERT(allowed_moves[c->state] & (1u << to));
        net__count(&c->lp->count[c->state], (uint64_t)-1);
        net__count(&c->lp->count[to], 1);
        c->state = to;
        c->since_ns = loop_now_ns(c->lp->loop);
}

static int64_t rate_window(const struct conn *c)
{
        return c->state == CONN_SEND ? SEND_WINDOWS * net__limits(c)->min_rate_grace_ns
                                     : net__limits(c)->min_rate_grace_ns;
}

/* Sets the timer for this state, unless it fires earlier anyway: on_timer looks again. */
void net__conn_arm(struct conn *c)
{
        int64_t at = c->since_ns;
        switch (c->state) {
        case CONN_HANDSHAKE:
        case CONN_HEAD:
                at += net__limits(c)->head_timeout_ns;
                break;
        case CONN_IDLE:
                at += net__limits(c)->idle_timeout_ns;
                break;
        case CONN_BODY:
        case CONN_DRAIN:
        case CONN_SEND:
                at = c->window_ns + rate_window(c);
                break;
        case CONN_LINGER:
                at += net__limits(c)->linger_ns;
                break;
        case CONN_PARKED:
                at += net__limits(c)->min_rate_grace_ns - c->x->body.waited_ns;
                break;
        case CONN_PENDING:
                if (c->x->rq.due_ns == 0 || c->told_due)
                        return;
                at = c->x->rq.due_ns;
                break;
        case CONN_WORKER:
        case CONN_CLOSED:
        case CONN_STATE_COUNT:
                return;
        }
        if (c->timer.deadline_ns == 0 || at < c->timer.deadline_ns)
                loop_timer_set(c->lp->loop, &c->timer, at);
}

void net__conn_window(struct conn *c)
{
        c->window_ns = loop_now_ns(c->lp->loop);
        c->window_bytes = c->state == CONN_SEND ? c->x->out.wire : 0;
        net__conn_arm(c);
}

/* Gives the other connections a turn first. */
void net__conn_again(struct conn *c)
{
        struct net_loop *lp = c->lp;
        if (list_empty(&c->again))
                list_append(&lp->again, &c->again);
        if (!lp->again_posted) {
                lp->again_posted = true;
                loop_post(lp->loop, &lp->again_task);
        }
}

void net__conn_close(struct conn *c)
{
        struct net_loop *lp = c->lp;
        net__conn_move(c, CONN_CLOSED);
        loop_timer_clear(lp->loop, &c->timer);
        loop_fd_remove(lp->loop, &c->w);
        if (c->tls) {
                tls_shutdown(c->tls);
                tls_conn_free(c->tls);
                c->tls = NULL;
        }
        if (c->w.fd >= 0)
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
                free(c->who);
                free(c);
                if (atomic_fetch_sub(&s->open, 1) == 1 && atomic_load(&s->stopping)) {
                        LOCK_SCOPE(&s->lock);
                        cond_broadcast(&s->gone);
                }
        }
}

/* The answer is out and the connection ends. Without a lingering close, a kernel that holds unread input would reset
 * the connection, and the client might never see the answer. */
static void conn_finish(struct conn *c, bool all_read)
{
        if (all_read) {
                net__conn_close(c);
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
        net__conn_move(c, CONN_LINGER);
        net__conn_arm(c);
}

/* Back to waiting; gives the buffers back when they are empty. A server that stops waits for no further request: an
 * answer may have promised to go on before the stop began. */
void net__conn_idle(struct conn *c)
{
        if (c->lp->stopping) {
                net__conn_close(c);
                return;
        }
        net__conn_move(c, CONN_IDLE);
        c->since_ns = loop_now_ns(c->lp->loop);
        if (c->x && c->x->start == c->x->end) {
                net__exchange_give(c->lp, c->x);
                c->x = NULL;
        }
        net__conn_arm(c);
}

/* The answer was sent, or can not be. Afterwards the state is IDLE, DRAIN, LINGER or CLOSED. */
void net__conn_done(struct conn *c, bool complete)
{
        struct exchange *x = c->x;
        const struct http_app *app = net__app(c);
        net__count(&c->lp->requests, 1);
        if (app->on_sent && x->active)
                app->on_sent(app->ctx, &x->rq, &x->rs, x->out.sent, complete);
        if (!complete) {
                net__conn_close(c);
                return;
        }
        if (x->rs.taker) {
                net__conn_upgrade(c);
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
                net__conn_move(c, CONN_IDLE);
                c->since_ns = loop_now_ns(c->lp->loop);
                return;
        }
        size_t here = (size_t)MIN(left, (uint64_t)(x->end - x->start));
        x->start += here;
        c->dropped = left - here;
        net__conn_move(c, CONN_DRAIN);
        net__conn_window(c);
}

/* After an answer, or after a turn of others: whatever this state can do now. */
void net__conn_go_on(struct conn *c)
{
        switch (c->state) {
        case CONN_IDLE:
        case CONN_HEAD:
                if (c->x && c->x->start < c->x->end)
                        net__input_process(c);
                if (net__is_reading(c))
                        net__input_read(c);
                else if (c->state == CONN_DRAIN || c->state == CONN_LINGER)
                        net__input_drop(c);
                break;
        case CONN_BODY:
                net__input_read(c);
                break;
        case CONN_DRAIN:
        case CONN_LINGER:
                net__input_drop(c);
                break;
        default:
                break;
        }
}

/* What the app is told while it has the request; each once. */
static void wake(struct conn *c, bool *told, enum http_wake why)
{
        const struct http_app *app = net__app(c);
        if (*told)
                return;
        *told = true;
        if (app->on_wake)
                app->on_wake(app->ctx, &c->x->rq, &c->x->rs, why);
}

void net__conn_pending(struct conn *c)
{
        c->told_due = c->told_gone = false;
        net__conn_move(c, CONN_PENDING);
        net__conn_arm(c);
        if (c->hungup)
                wake(c, &c->told_gone, HTTP_WAKE_GONE);
}

/* Who is there, for internal listeners. False: out of memory. */
static bool identify(struct conn *c)
{
        if (!c->lp->server->listeners[c->listener].internal)
                return true;
        c->who = calloc(1, sizeof(*c->who));
        if (c->who)
                tls_peer_id(c->tls, c->who->id, c->who->org);
        return c->who != NULL;
}

static void handshake(struct conn *c)
{
        switch (tls_handshake(c->tls)) {
        case TLS_OK:
                if (!identify(c)) {
                        net__conn_close(c);
                        break;
                }
                net__conn_move(c, CONN_IDLE);
                c->readable = true;
                net__conn_arm(c);
                net__input_read(c);
                break;
        case TLS_WANT_READ:
        case TLS_WANT_WRITE:
                break;
        case TLS_CLOSED:
        case TLS_FAILED:
                log_debug("TLS handshake with %s: %s", c->peer, tls_failure(c->tls));
                net__conn_close(c);
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
                net__input_read(c);
                break;
        case CONN_SEND:
                net__conn_push(c, net__send(c, false));
                net__conn_go_on(c);
                break;
        case CONN_DRAIN:
        case CONN_LINGER:
                net__input_drop(c);
                break;
        case CONN_PARKED:
                if (c->readable)
                        net__conn_resume(c);
                break;
        case CONN_WORKER:
                c->writable = c->writable || (events & EPOLLOUT);
                break;
        case CONN_PENDING:
                if (c->hungup)
                        wake(c, &c->told_gone, HTTP_WAKE_GONE);
                break;
        case CONN_CLOSED:
        case CONN_STATE_COUNT:
                break;
        }
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
                        net__conn_push(c, net__send(c, false));
                net__conn_go_on(c);
        }
}

/* Whether the rate of this window is below the minimum. */
static bool too_slow(const struct conn *c, int64_t now)
{
        uint64_t bytes = c->state == CONN_SEND ? c->x->out.wire - c->window_bytes : c->window_bytes;
        return (double)bytes < (double)net__limits(c)->min_rate * (double)(now - c->window_ns) / 1e9;
}

/* Who does not read keeps what the kernel has for him, beyond the close: it is dropped, and he is told by a reset. */
static void forget_unsent(struct conn *c)
{
        const struct linger none = { .l_onoff = 1, .l_linger = 0 };
        (void)setsockopt(c->w.fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
}

static void on_window(struct conn *c, int64_t now)
{
        bool over = now >= c->window_ns + rate_window(c);
        if (over && too_slow(c, now)) {
                log_debug("%s is slower than the minimum rate", c->peer);
                if (c->state == CONN_BODY) {
                        c->x->body.failed = true;
                        net__conn_refuse(c, ERR_TIMEOUT, "request body is too slow", 408, true);
                        net__conn_go_on(c);
                } else if (c->state == CONN_SEND) {
                        forget_unsent(c);
                        net__conn_done(c, false);
                } else {
                        net__conn_close(c);
                }
                return;
        }
        if (over)
                net__conn_window(c);
        if (c->state == CONN_SEND) { /* perhaps a worker is free now */
                net__conn_push(c, net__send(c, false));
                net__conn_go_on(c);
        }
}

static void on_timer(struct loop_timer *t)
{
        struct conn *c = CONTAINER_OF(t, struct conn, timer);
        int64_t now = loop_now_ns(c->lp->loop), age = now - c->since_ns;
        switch (c->state) {
        case CONN_HANDSHAKE:
                if (age >= net__limits(c)->head_timeout_ns)
                        net__conn_close(c);
                break;
        case CONN_IDLE:
                if (age >= net__limits(c)->idle_timeout_ns)
                        net__conn_close(c);
                break;
        case CONN_HEAD:
                if (age >= net__limits(c)->head_timeout_ns) {
                        net__input_refuse(c, ERR_TIMEOUT, "request head is too slow", 408);
                        net__conn_go_on(c);
                }
                break;
        case CONN_BODY:
        case CONN_DRAIN:
        case CONN_SEND:
                on_window(c, now);
                break;
        case CONN_LINGER:
                if (age >= net__limits(c)->linger_ns)
                        net__conn_close(c);
                break;
        case CONN_PARKED:
                if (!c->readable) /* else no worker was free */
                        net__receive_judge(c, now);
                if (c->readable || c->x->body.lost)
                        net__conn_resume(c);
                break;
        case CONN_PENDING:
                if (c->x->rq.due_ns && now >= c->x->rq.due_ns)
                        wake(c, &c->told_due, HTTP_WAKE_DUE);
                break;
        case CONN_WORKER:
        case CONN_CLOSED:
        case CONN_STATE_COUNT:
                return;
        }
        if (c->timer.deadline_ns == 0)
                net__conn_arm(c);
}

void net__conn_new(struct net_loop *lp, unsigned listener, int fd, const struct sockaddr *sa, socklen_t len,
                   const struct net_addr *counted)
{
        struct http_server *s = lp->server;
        struct tls_ctx *tls = s->listeners[listener].tls;
        struct conn *c = calloc(1, sizeof(*c));
        struct err *e = c ? NULL : err_static(ERR_NO_MEMORY);
        if (c) {
                char text[64];
                *c = (struct conn){ .w = { .fd = fd, .on_event = on_event },
                                    .timer = { .on_timer = on_timer },
                                    .lp = lp,
                                    .listener = listener };
                c->state = tls ? CONN_HANDSHAKE : CONN_IDLE;
                c->since_ns = loop_now_ns(lp->loop);
                c->counted = counted != NULL;
                if (counted)
                        c->addr = *counted;
                (void)str_copy(c->peer, sizeof(c->peer), str_of(sock_addr_text(sa, len, text)));
                e = tls ? tls_conn_new(tls, fd, NULL, &c->tls) : NULL;
        }
        if (!e)
                e = loop_fd_set(lp->loop, &c->w, NET_EDGES);
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
        net__conn_arm(c);
}

void net__conn_stop_all(struct net_loop *lp)
{
        LIST_FOREACH_SAFE(l, next, &lp->conns) {
                struct conn *c = LIST_ENTRY(l, struct conn, link);
                if (c->state == CONN_IDLE) { /* a request may be in the socket already */
                        c->readable = true;
                        net__conn_go_on(c);
                }
                if (c->state == CONN_IDLE || c->state == CONN_HANDSHAKE)
                        net__conn_close(c);
        }
}

void net__conn_cut_all(struct net_loop *lp)
{
        LIST_FOREACH_SAFE(l, next, &lp->conns) {
                struct conn *c = LIST_ENTRY(l, struct conn, link);
                if (c->state == CONN_WORKER || c->state == CONN_PENDING || c->state == CONN_PARKED)
                        (void)shutdown(c->w.fd, SHUT_RDWR); /* whoever has it will notice */
                else if (c->state == CONN_SEND)
                        net__conn_done(c, false);
                else
                        net__conn_close(c);
        }
}

void net__conn_report_all(struct net_loop *lp)
{
        int64_t now = clock_mono_ns();
        LIST_FOREACH(l, &lp->conns) {
                const struct conn *c = LIST_ENTRY(l, struct conn, link);
                if (c->state != CONN_WORKER && c->state != CONN_PENDING && c->state != CONN_PARKED)
                        continue;
                const struct http_req *rq = &c->x->rq;
                log_warn("request %llu of %s in progress for %lld s: %s " STR_FMT, (unsigned long long)rq->id, c->peer,
                         (long long)((now - rq->start_ns) / NS_PER_SEC), http_method_name(rq->method),
                         STR_ARG(rq->path));
        }
}
