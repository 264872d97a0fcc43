/* net/rpc_server.c: calls from other nodes: who may, which handler, and how it ends.
 *
 * Happy path: before the body of a call is waited for, its route is looked up and the caller checked; the call's struct
 * hangs on the response from then on. on_loop or a worker runs the handler; what it returns is the answer, or the error
 * as JSON. The table of routes does not change once the server runs; uuid and peer_allowed may, under the lock.
 *
 * Messages of middle size are received whole before a worker is taken, so that a peer that stops half-way holds none; all
 * such together are bounded. Larger bodies are read by their handlers, at the minimum rate at least.
 *
 * Failure: a caller who may not call learns that, and nothing about routes. An error of the handler drops whatever it
 * had put into the response. */
#include "net/rpc.h"

#include <stdatomic.h>
#include <stdio.h>

#include "net/rpc_priv.h"
#include "os/thread.h"

#define WHOLE_MAX ((size_t)1024 * 1024)     /* a message up to this is received before a worker is taken */
#define HELD_MAX ((size_t)32 * 1024 * 1024) /* of such messages together */

struct entry {
        const struct rpc_route *route;
        size_t path_n;
        void *ctx;
};

struct rpc_server {
        struct http_app app;
        struct entry *entries; /* immutable once served */
        size_t n;
        atomic_size_t held;    /* bytes of messages that are received whole */
        struct mutex lock;     /* guards the rest */
        char uuid[64];
        bool (*allowed)(void *ctx, const char *id);
        void *allowed_ctx;
};

/* Who may call. */

static struct err *check_peer(struct rpc_server *s, const struct http_req *rq)
{
        bool (*allowed)(void *ctx, const char *id);
        void *allowed_ctx;
        if (!rq->peer_id[0])
                return err_new(ERR_UNAUTHORIZED, "a certificate of the cluster is needed");
        mutex_lock(&s->lock);
        bool known = s->uuid[0], same = !strcmp(s->uuid, rq->peer_org);
        allowed = s->allowed;
        allowed_ctx = s->allowed_ctx;
        mutex_unlock(&s->lock);
        if (!known)
                return err_new(ERR_STARTING, "this node belongs to no cluster yet");
        if (!same)
                return err_new(ERR_FOREIGN, "%s is of another cluster: %s", rq->peer_id, rq->peer_org);
        if (allowed && !allowed(allowed_ctx, rq->peer_id))
                return err_new(ERR_FORBIDDEN, "%s is no member of this cluster any more", rq->peer_id);
        return NULL;
}

static const struct entry *find(const struct rpc_server *s, const struct http_req *rq)
{
        const struct entry *best = NULL;
        for (size_t i = 0; i < s->n; i++) {
                const struct entry *e = &s->entries[i];
                struct str path = { e->route->path, e->path_n };
                bool match = e->route->prefix ? str_starts(rq->path, path) : str_eq(rq->path, path);
                if (match && (!best || e->path_n > best->path_n) &&
                    str_eq(rq->head->method_text, str_of(e->route->method)))
                        best = e;
        }
        return best;
}

/* The call of this request, made once: it hangs on the response. */
static struct err *open_call(struct rpc_server *s, struct http_req *rq, struct http_resp *rs, struct rpc_req **ret)
{
        if (rs->user) {
                *ret = rs->user;
                return NULL;
        }
        const struct entry *at = find(s, rq);
        struct err *stranger = check_peer(s, rq);
        bool known = !stranger;
        if (stranger && !(at && at->route->anonymous))
                return stranger;
        err_free(stranger);
        if (!at)
                return err_new(ERR_NOT_IMPLEMENTED, "no such call: " STR_FMT " " STR_FMT,
                               STR_ARG(rq->head->method_text), STR_ARG(rq->path));
        struct rpc_req *call = arena_new(rq->arena, struct rpc_req);
        if (!call)
                return err_static(ERR_NO_MEMORY);
        *call = (struct rpc_req){ .http = rq, .resp = rs, .route = at->route, .ctx = at->ctx };
        call->peer_id = known ? rq->peer_id : "";
        if (at->route->prefix)
                TRY(str_percent_decode(rq->arena, str_skip(rq->path, at->path_n), false, &call->rest));
        rs->user = *ret = call;
        return NULL;
}

/* How calls end. */

/* Takes e. */
static void answer_error(struct http_req *rq, struct http_resp *rs, struct err *e, const json_t *extra)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char text[1024];
        enum err_code code = err_code(e);
        http_resp_reset(rs);
        rpc__error_write(code, err_text(e, text, sizeof(text)), extra, &b);
        err_free(e);
        char *copy = b.bad || b.n > RPC_ERROR_MAX ? NULL : arena_dup(rq->arena, b.p, b.n);
        http_resp_status(rs, rpc__error_status(code));
        http_resp_header(rs, "Content-Type", STR("application/json"));
        if (copy)
                http_resp_mem(rs, (struct str){ copy, b.n }, NULL, NULL);
        else
                http_resp_mem(rs, STR("{\"code\":\"NO_MEMORY\",\"message\":\"an error that could not be told\"}"), NULL,
                              NULL);
}

/* The handler is done: e (taken), or what is in the response. */
static void finish(struct rpc_req *call, struct err *e)
{
        if (e)
                answer_error(call->http, call->resp, e, call->extra);
        else if (call->resp->status == 0)
                http_resp_status(call->resp, 200);
        json_decref(call->extra);
        call->extra = NULL;
}

static bool before_body(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        struct rpc_req *call;
        struct err *e = open_call(ctx, rq, rs, &call);
        if (e)
                answer_error(rq, rs, e, NULL);
        return e != NULL;
}

/* A message that comes slowly, or not at all after its first half, must not hold a worker: as many as there is memory
 * for are received before one is taken. */
static void receive_whole(struct rpc_server *s, struct rpc_req *call)
{
        struct http_req *rq = call->http;
        if (rq->body_mem.p || rq->body_length <= 0 || (uint64_t)rq->body_length > WHOLE_MAX)
                return;
        size_t n = (size_t)rq->body_length;
        if (atomic_fetch_add(&s->held, n) + n <= HELD_MAX)
                rq->collect = n;
        else
                atomic_fetch_sub(&s->held, n);
}

static enum http_next on_loop(void *ctx, struct http_req *rq, struct http_resp *rs, enum pool_class *ret_class)
{
        struct rpc_req *call;
        struct err *e = open_call(ctx, rq, rs, &call);
        if (e) {
                answer_error(rq, rs, e, NULL);
                return HTTP_ANSWERED;
        }
        *ret_class = call->route->cls;
        enum http_next next = call->route->on_loop ? call->route->on_loop(call, &e) : HTTP_WORKER;
        if (next == HTTP_ANSWERED)
                finish(call, e);
        if (next == HTTP_WORKER)
                receive_whole(ctx, call);
        return next;
}

static void on_sent(void *ctx, struct http_req *rq, struct http_resp *rs, uint64_t body_bytes_sent, bool complete)
{
        struct rpc_server *s = ctx;
        (void)rs;
        (void)body_bytes_sent;
        (void)complete;
        if (rq->collect)
                atomic_fetch_sub(&s->held, rq->collect);
}

static void handle(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        struct rpc_req *call = rs->user;
        (void)ctx;
        (void)rq;
        ASSERT(call && call->route->handle);
        finish(call, call->route->handle(call));
}

static void on_wake(void *ctx, struct http_req *rq, struct http_resp *rs, enum http_wake why)
{
        struct rpc_req *call = rs->user;
        (void)ctx;
        (void)rq;
        if (call->route->on_wake)
                call->route->on_wake(call, why);
}

static void refuse(void *ctx, struct http_req *rq, struct http_resp *rs, enum err_code code, const char *why)
{
        (void)ctx;
        answer_error(rq, rs, err_new(code, "%s", why), NULL);
}

void rpc_complete(struct rpc_req *rq, struct err *e)
{
        finish(rq, e);
        http_server_complete(rq->http);
}

/* The server. */

struct err *rpc_server_new(struct rpc_server **ret)
{
        struct rpc_server *s = calloc(1, sizeof(*s));
        if (!s)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&s->lock, "rpc.server", RANK_NET);
        s->app = (struct http_app){ .ctx = s,
                                    .before_body = before_body,
                                    .on_loop = on_loop,
                                    .on_wake = on_wake,
                                    .handle = handle,
                                    .refuse = refuse,
                                    .on_sent = on_sent };
        *ret = s;
        return NULL;
}

void rpc_server_free(struct rpc_server *s)
{
        if (!s)
                return;
        mutex_fini(&s->lock);
        free(s->entries);
        free(s);
}

static bool is_taken(const struct rpc_server *s, const struct rpc_route *r)
{
        for (size_t i = 0; i < s->n; i++) {
                const struct rpc_route *o = s->entries[i].route;
                if (!strcmp(o->method, r->method) && !strcmp(o->path, r->path))
                        return true;
        }
        return false;
}

struct err *rpc_server_add(struct rpc_server *s, const struct rpc_route *routes, void *ctx)
{
        for (const struct rpc_route *r = routes; r->method; r++) {
                ASSERT(r->path[0] == '/' && (r->handle || r->on_loop));
                if (is_taken(s, r))
                        return err_new(ERR_EXISTS, "route %s %s is there already", r->method, r->path);
                struct entry *more = realloc(s->entries, (s->n + 1) * sizeof(*more));
                if (!more)
                        return err_static(ERR_NO_MEMORY);
                s->entries = more;
                s->entries[s->n++] = (struct entry){ .route = r, .path_n = strlen(r->path), .ctx = ctx };
        }
        return NULL;
}

void rpc_server_set_uuid(struct rpc_server *s, const char *uuid)
{
        LOCK_SCOPE(&s->lock);
        ASSERT(str_copy(s->uuid, sizeof(s->uuid), str_of(uuid)));
}

void rpc_server_set_peer_allowed(struct rpc_server *s, bool (*fn)(void *ctx, const char *id), void *ctx)
{
        LOCK_SCOPE(&s->lock);
        s->allowed = fn;
        s->allowed_ctx = ctx;
}

const struct http_app *rpc_server_app(struct rpc_server *s)
{
        return &s->app;
}

/* What handlers read and say. */

struct str rpc_query(const struct rpc_req *rq, const char *key)
{
        struct str query = rq->http->query, k, v, name, value;
        while (http_query_next(&query, &k, &v)) {
                AUTO_ERR struct err *e = str_percent_decode(rq->http->arena, k, false, &name);
                if (e || !str_eq(name, str_of(key)))
                        continue;
                AUTO_ERR struct err *bad = str_percent_decode(rq->http->arena, v, false, &value);
                return bad ? STR_NONE : value;
        }
        return STR_NONE;
}

struct err *rpc_query_u64(const struct rpc_req *rq, const char *key, uint64_t absent, uint64_t *ret)
{
        struct str text = rpc_query(rq, key);
        uint64_t n = absent;
        if (text.p && !str_u64(text, &n))
                return err_new(ERR_MALFORMED, "%s: not a number: " STR_FMT, key, STR_ARG(text));
        *ret = n;
        return NULL;
}

struct err *rpc_read_json(struct rpc_req *rq, json_t **ret)
{
        struct str text;
        TRY(http_req_read_all(rq->http, RPC_JSON_MAX, &text));
        if (text.n)
                return json_parse(text, RPC_JSON_MAX, ret);
        *ret = json_null();
        return NULL;
}

struct err *rpc_reply_json(struct rpc_req *rq, json_t *body)
{
        char *text = json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY);
        json_decref(body);
        if (!text)
                return err_new(ERR_INTERNAL, "an answer that is no JSON");
        http_resp_header(rq->resp, "Content-Type", STR("application/json"));
        http_resp_mem(rq->resp, str_of(text), free, text);
        return NULL;
}

struct err *rpc_reply_bytes(struct rpc_req *rq, struct str body)
{
        char *copy = arena_dup(rq->http->arena, body.p, body.n);
        if (!copy)
                return err_static(ERR_NO_MEMORY);
        http_resp_header(rq->resp, "Content-Type", STR("application/octet-stream"));
        http_resp_mem(rq->resp, (struct str){ copy, body.n }, NULL, NULL);
        return NULL;
}

void rpc_error_extra(struct rpc_req *rq, json_t *object)
{
        ASSERT(!object || json_is_object(object));
        json_decref(rq->extra);
        rq->extra = object;
}
