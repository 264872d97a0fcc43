/* net/conn_input.c: from received bytes to requests.
 *
 * Happy path: one receive brings one head (and its small body); it is parsed where it lies, the app answers, and the
 * buffer goes back to the loop's spare ones. What of the next request came along stays in the buffer and is used before
 * the socket is read again. Bytes are consumed in place; only an unfinished head or body moves, when room runs out, and
 * then the head is parsed anew, since requests borrow from the buffer. */
#include "net/priv.h"

#define IN_LEAST ((size_t)1024) /* room for a receive */
#define PIPELINE_MAX 32u        /* requests of one connection per turn */
#define TURNS_MAX 16u           /* receives of one connection per turn */

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
        rq->loop_ctx = c->lp->listeners[c->listener].app_ctx;
        rq->peer_id = c->who ? c->who->id : "";
        rq->peer_org = c->who ? c->who->org : "";
        rq->due_ns = 0;
        rq->collect = 0;
        x->body = (struct net_body){ .chunked = h->chunked, .left = h->length, .expect = h->expect_continue };
        x->body.ended = !h->chunked && h->length == 0;
        if (h->chunked)
                http_chunked_init(&x->body.dec);
        c->cold_ok = false;
}

/* A head that could not be parsed: the request has no fields. More may follow what we did not understand, so the close
 * lingers. */
void net__input_refuse(struct conn *c, enum err_code code, const char *why, int status)
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
        net__conn_refuse(c, code, why, status, true);
}

static void dispatch(struct conn *c)
{
        struct exchange *x = c->x;
        const struct http_app *app = net__app(c);
        enum http_next next = HTTP_WORKER;
        x->cls = POOL_DATA;
        x->active = true;
        if (app->on_loop)
                next = app->on_loop(app->ctx, &x->rq, &x->rs, &x->cls);
        switch (next) {
        case HTTP_ANSWERED:
                net__conn_answer(c);
                break;
        case HTTP_PENDING:
                net__conn_pending(c);
                break;
        case HTTP_WORKER:
                net__conn_work(c);
                break;
        }
}

/* The part of the head and body that must be in one piece of memory. The input buffer may move: then the head is parsed
 * again. */
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
        enum http_parse_result r = http_parse_request((struct str){ x->in + x->start, x->end - x->start }, &resume,
                                                      &x->head, &len, &code, &why);
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

/* Whether the app answers without the body, which may never come. */
static bool answered_before_body(struct conn *c)
{
        const struct http_app *app = net__app(c);
        struct exchange *x = c->x;
        if (!app->before_body || !app->before_body(app->ctx, &x->rq, &x->rs))
                return false;
        x->active = true;
        net__conn_answer(c);
        return true;
}

static void head_complete(struct conn *c, size_t head_len)
{
        struct exchange *x = c->x;
        const struct http_head *h = &x->head;
        bool small = !h->chunked && h->length <= net__limits(c)->small_body;
        bool grown = h->chunked || h->length ? head_room(x, head_len, small ? (size_t)h->length : NET_IN_ROOM) : true;
        set_request(c);
        x->start += head_len;
        x->resume = 0;
        x->body.base = x->start;
        if (!grown) {
                net__conn_refuse(c, ERR_NO_MEMORY, "out of memory", 503, true);
        } else if (h->expect_other) {
                /* Whether the body will come is not known: a kept connection might take it for the next request. */
                net__conn_refuse(c, ERR_UNSUPPORTED, "unknown expectation", 417, h->chunked || h->length);
        } else if ((h->chunked || h->length) && answered_before_body(c)) {
                return;
        } else if (!small || h->length == 0) {
                dispatch(c);
        } else if (x->end - x->start >= h->length) {
                body_complete(c);
        } else {
                if (x->body.expect && x->end == x->start && !net__send_continue(c)) {
                        net__conn_done(c, false);
                        return;
                }
                x->body.expect = false;
                net__conn_move(c, CONN_BODY);
                net__conn_window(c);
        }
}

/* Uses the input that is here, request by request, until more is needed or the connection is not reading. */
void net__input_process(struct conn *c)
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
                        net__conn_again(c);
                        return;
                }
                switch (http_parse_request((struct str){ x->in + x->start, x->end - x->start }, &x->resume, &x->head,
                                           &len, &code, &why)) {
                case HTTP_PARSE_MORE:
                        if (c->state == CONN_IDLE) {
                                net__conn_move(c, CONN_HEAD);
                                net__conn_arm(c);
                        }
                        return;
                case HTTP_PARSE_BAD:
                        net__input_refuse(c, code, why, why == http_bad_version ? 505 : 0);
                        return;
                case HTTP_PARSE_OK:
                        head_complete(c, len);
                        break;
                }
        }
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
        if (c->state != CONN_BODY && !net__exchange_room(c->x, IN_LEAST))
                return NULL;
        return c->x;
}

void net__input_read(struct conn *c)
{
        for (unsigned turn = 0; c->readable && net__is_reading(c); turn++) {
                if (turn == TURNS_MAX) {
                        net__conn_again(c);
                        return;
                }
                struct exchange *x = input_exchange(c);
                if (!x) {
                        net__conn_close(c);
                        return;
                }
                size_t room = x->cap - x->end, n;
                switch (net__recv(c, x->in + x->end, room, &n)) {
                case NET_GOT:
                        x->end += n;
                        c->window_bytes += n;
                        /* epoll(7): a short read from a stream socket says that it is empty, unless its end came with
                         * the data. */
                        if (n < room && !c->tls && !c->hungup)
                                c->readable = false;
                        net__input_process(c);
                        if (!list_empty(&c->again))
                                return; /* enough of a pipeline for this turn: what was received bounds the buffer */
                        break;
                case NET_GOT_AGAIN:
                        c->readable = false;
                        break;
                case NET_GOT_END:
                case NET_GOT_LOST:
                        net__conn_close(c);
                        return;
                }
        }
        if (c->state == CONN_IDLE)
                net__conn_idle(c);
        else if (c->state == CONN_DRAIN || c->state == CONN_LINGER)
                net__conn_again(c); /* what is to be dropped may be here already: no edge would tell */
}

void net__input_drop(struct conn *c)
{
        for (unsigned turn = 0; c->readable && (c->state == CONN_LINGER || c->dropped); turn++) {
                if (turn == TURNS_MAX) {
                        net__conn_again(c);
                        return;
                }
                size_t n, want = c->state == CONN_LINGER ? NET_SCRATCH : (size_t)MIN((uint64_t)NET_SCRATCH, c->dropped);
                switch (net__recv(c, c->lp->scratch, want, &n)) {
                case NET_GOT:
                        c->dropped = c->state == CONN_LINGER ? c->dropped + n : c->dropped - n;
                        c->window_bytes += n;
                        if (c->state != CONN_LINGER || c->dropped <= NET_LINGER_MAX)
                                break;
                        net__conn_close(c);
                        return;
                case NET_GOT_AGAIN:
                        c->readable = false;
                        break;
                case NET_GOT_END:
                case NET_GOT_LOST:
                        net__conn_close(c);
                        return;
                }
        }
        if (c->state == CONN_DRAIN && c->dropped == 0) {
                net__conn_move(c, CONN_IDLE);
                net__conn_again(c); /* not from here: each request of a pipeline would go one call deeper */
        }
}
