/* net/rpc_client.c: calls to other nodes: one at a time, or many at once.
 *
 * Happy path: a kept connection of the HTTP client, whose certificate names the peer that is meant; an answer of 2xx is
 * the caller's, everything else the peer's error. rpc_fanout shares the calls out among helpers (workers, or threads of
 * its own) and the calling thread, which works along: so it ends even if no helper ever comes, only later.
 *
 * Failure: what the peer said is told apart from what happened on the way (ret_answered), since after the latter nobody
 * knows whether the call was carried out. */
#include "net/rpc.h"

#include <stdatomic.h>
#include <stdio.h>

#include "net/rpc_priv.h"
#include "os/clock.h"
#include "os/thread.h"

#define FAN_MAX 64u

struct rpc_client {
        struct http_client *http;
        struct pool *pool;
        bool tls;
};

struct err *rpc_client_new(const struct rpc_client_options *o, struct rpc_client **ret)
{
        struct rpc_client *c = calloc(1, sizeof(*c));
        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->pool = o->pool;
        c->tls = o->tls != NULL;
        struct http_client_options ho = {
                .connect_timeout_ns = o->connect_timeout_ns ? o->connect_timeout_ns : NS_PER_SEC,
                .idle_timeout_ns = o->idle_timeout_ns ? o->idle_timeout_ns : 30 * NS_PER_SEC,
                .max_idle = o->max_idle ? o->max_idle : 256,
                .tls = o->tls,
        };
        struct err *e = http_client_new(&ho, &c->http);
        if (e) {
                free(c);
                return e;
        }
        *ret = c;
        return NULL;
}

void rpc_client_free(struct rpc_client *c)
{
        if (!c)
                return;
        http_client_free(c->http);
        free(c);
}

/* One call. */

/* "node-a", or where it is when nobody in particular is meant. */
static const char *peer_text(const struct rpc_peer *peer, char buf[static 300])
{
        if (peer->id[0])
                return peer->id;
        (void)snprintf(buf, 300, "%s:%u", peer->host, peer->port);
        return buf;
}

static struct err *http_request(const struct rpc_client *c, const struct rpc_peer *peer, const struct rpc_request *rq,
                                struct http_client_request *ret)
{
        int64_t left = rq->deadline_ns ? rq->deadline_ns - clock_mono_ns() : 0;
        if (rq->deadline_ns && left <= 0)
                return err_static(ERR_TIMEOUT);
        *ret = (struct http_client_request){
                .method = rq->method,
                .endpoint = { .tls = c->tls, .host = str_of(peer->host), .port = peer->port },
                .target = rq->target,
                .head = rq->head,
                .body = rq->body,
                .body_read = rq->body_read,
                .body_rewind = rq->body_rewind,
                .body_arg = rq->body_arg,
                .body_length = rq->body_length,
                .expect_continue = rq->expect_continue,
                .replay_any = rq->replay_any,
                .total_timeout_ns = left,
                .idle_timeout_ns = rq->idle_timeout_ns,
                .peer_id = c->tls && peer->id[0] ? peer->id : NULL,
        };
        return NULL;
}

/* The peer said no: its error. Ends r. */
static struct err *peer_error(struct http_reply *r, const char *peer, const struct rpc_request *rq)
{
        AUTO_BUF struct buf b = BUF_INIT;
        int status = http_reply_status(r);
        struct err *e = http_reply_read_all(r, RPC_ERROR_MAX, &b);
        http_reply_close(r);
        if (e)
                return err_wrap(e, "%s", peer);
        if (rq->ret_answered)
                *rq->ret_answered = true;
        return rpc__error_read(buf_str(&b), status, peer, rq->ret_extra);
}

struct err *rpc_send(struct rpc_client *c, const struct rpc_peer *peer, const struct rpc_request *rq,
                     struct http_reply **ret)
{
        struct http_client_request hr;
        struct http_reply *r;
        char text[300];
        ASSERT_MAY_BLOCK();
        if (rq->ret_answered)
                *rq->ret_answered = false;
        TRY_WRAP(http_request(c, peer, rq, &hr), "%s", peer_text(peer, text));
        TRY_WRAP(http_client_send(c->http, &hr, &r), "%s", peer_text(peer, text));
        int status = http_reply_status(r);
        if (status < 200 || status > 299)
                return peer_error(r, peer_text(peer, text), rq);
        *ret = r;
        return NULL;
}

struct err *rpc_call_with(struct rpc_client *c, const struct rpc_peer *peer, const struct rpc_request *rq,
                          struct buf *b)
{
        AUTO_REPLY struct http_reply *r = NULL;
        AUTO_BUF struct buf dropped = BUF_INIT;
        struct buf *to = b ? b : &dropped;
        size_t before = to->n;
        char text[300];
        TRY(rpc_send(c, peer, rq, &r));
        struct err *e = http_reply_read_all(r, rq->max ? rq->max : RPC_JSON_MAX, to);
        if (e)
                to->n = before;
        return e ? err_wrap(e, "%s", peer_text(peer, text)) : NULL;
}

struct err *rpc_call(struct rpc_client *c, const struct rpc_peer *peer, const char *method, const char *target,
                     struct str body, int64_t deadline_ns, size_t max, struct buf *b)
{
        struct rpc_request rq = {
                .method = method, .target = str_of(target), .body = body, .deadline_ns = deadline_ns, .max = max
        };
        return rpc_call_with(c, peer, &rq, b);
}

struct err *rpc_call_json(struct rpc_client *c, const struct rpc_peer *peer, const char *method, const char *target,
                          const json_t *in, int64_t deadline_ns, json_t **ret_out)
{
        AUTO_FREE char *text = in ? json_dumps(in, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        struct rpc_request rq = {
                .method = method, .target = str_of(target), .body = str_of(text), .deadline_ns = deadline_ns
        };
        char name[300];
        if (in && !text)
                return err_new(ERR_INVALID, "a question that is no JSON");
        if (in)
                rq.head = STR("Content-Type: application/json\r\n");
        TRY(rpc_call_with(c, peer, &rq, &b));
        if (!ret_out)
                return NULL;
        if (b.n) {
                TRY_WRAP(json_parse(buf_str(&b), RPC_JSON_MAX, ret_out), "%s", peer_text(peer, name));
                return NULL;
        }
        *ret_out = json_null();
        return NULL;
}

struct err *rpc_upgrade(struct rpc_client *c, const struct rpc_peer *peer, const char *target, const char *protocol,
                        int64_t deadline_ns, struct http_upgraded *ret)
{
        struct rpc_request rq = { .method = "GET", .target = str_of(target), .deadline_ns = deadline_ns };
        struct http_client_request hr;
        struct http_reply *refusal = NULL;
        struct http_upgraded up;
        char text[300];
        ASSERT_MAY_BLOCK();
        TRY_WRAP(http_request(c, peer, &rq, &hr), "%s", peer_text(peer, text));
        TRY_WRAP(http_client_upgrade(c->http, &hr, protocol, &up, &refusal), "%s", peer_text(peer, text));
        if (refusal)
                return peer_error(refusal, peer_text(peer, text), &rq);
        *ret = up;
        return NULL;
}

/* Many at once. */

struct fan;
struct helper {
        struct pool_task task;
        struct thread *thread;
        struct fan *fan;
};

/* Shared by the caller and its helpers; a helper may come so late that the caller has left. */
struct fan {
        struct rpc_client *c;
        struct rpc_fan *calls; /* the caller's: not touched once `left` is 0 */
        size_t n;
        int64_t deadline_ns;
        atomic_size_t next;  /* the first call that nobody makes yet */
        atomic_uint refs;
        struct mutex lock;   /* with `done` */
        struct cond done;
        size_t left;         /* guarded by lock: calls that have not ended */
        struct helper helpers[FAN_MAX];
};

static void fan_unref(struct fan *f)
{
        if (atomic_fetch_sub(&f->refs, 1) != 1)
                return;
        cond_fini(&f->done);
        mutex_fini(&f->lock);
        free(f);
}

static void make_call(struct rpc_client *c, struct rpc_fan *call, int64_t deadline_ns)
{
        struct rpc_request rq = call->rq;
        if (!rq.deadline_ns)
                rq.deadline_ns = deadline_ns;
        call->err = rpc_call_with(c, &call->peer, &rq, &call->body);
}

/* Makes calls until all are taken. */
static void work(struct fan *f)
{
        for (;;) {
                size_t i = atomic_fetch_add(&f->next, 1);
                if (i >= f->n)
                        return;
                make_call(f->c, &f->calls[i], f->deadline_ns);
                LOCK_SCOPE(&f->lock);
                if (--f->left == 0)
                        cond_broadcast(&f->done);
        }
}

static void help(struct helper *h)
{
        struct fan *f = h->fan;
        work(f);
        fan_unref(f);
}

static void help_task(struct pool_task *t)
{
        help(CONTAINER_OF(t, struct helper, task));
}

static void help_thread(void *arg)
{
        help(arg);
}

static void start_helper(struct fan *f, struct helper *h)
{
        struct err *e = NULL;
        bool ok;
        h->fan = f;
        h->task.run = help_task;
        atomic_fetch_add(&f->refs, 1);
        if (f->c->pool) {
                ok = pool_submit(f->c->pool, POOL_BACKEND, &h->task);
        } else {
                e = thread_start(&h->thread, "rpc-fan", THREAD_OTHER, help_thread, h);
                ok = !e;
        }
        err_free(e); /* the others, and the caller, make its calls */
        if (!ok)
                fan_unref(f);
}

void rpc_fanout(struct rpc_client *c, struct rpc_fan *calls, size_t n, int64_t deadline_ns)
{
        ASSERT_MAY_BLOCK();
        for (size_t i = 0; i < n; i++) {
                calls[i].err = NULL;
                calls[i].body = (struct buf)BUF_INIT;
        }
        struct fan *f = n > 1 ? calloc(1, sizeof(*f)) : NULL;
        if (!f) {
                for (size_t i = 0; i < n; i++)
                        make_call(c, &calls[i], deadline_ns);
                return;
        }
        f->c = c;
        f->calls = calls;
        f->n = f->left = n;
        f->deadline_ns = deadline_ns;
        atomic_init(&f->refs, 1);
        mutex_init(&f->lock, "rpc.fan", RANK_NET);
        cond_init(&f->done);
        size_t helpers = MIN(n, FAN_MAX) - 1;
        for (size_t i = 0; i < helpers; i++)
                start_helper(f, &f->helpers[i]);
        work(f);
        mutex_lock(&f->lock);
        while (f->left > 0)
                cond_wait(&f->done, &f->lock);
        mutex_unlock(&f->lock);
        for (size_t i = 0; i < helpers; i++)
                thread_join(f->helpers[i].thread);
        fan_unref(f);
}
