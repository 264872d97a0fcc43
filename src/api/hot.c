/* api/hot.c: the two requests that training makes all day, answered without a worker.
 *
 * GET of a whole object that is in the cache: bytes or verified descriptors go out with header lines that were rendered
 * when the content entered the cache. PUT of a small object whose body has arrived: checksum on the loop, then the
 * mountpath's commit thread, which completes the request (group commit). Anything unusual (other parameters, ranges,
 * checksums of other algorithms, metadata) goes to a worker and the full path of core.c: the two must answer alike
 * (tests/blackbox/test_two_paths.py compares them).
 *
 * Both are answered here only where the key is this node's at once (flow_owns_now, flow_enter_now). Where it is
 * another's, the redirect is made here too: it is all that a proxy does for most requests.
 *
 * Loop threads; nothing here blocks. A snapshot reference is held per loop. */
#include "api/hot.h"

#include "api/core.h"
#include "api/objects.h"
#include "api/redirect.h"
#include "api/request.h"
#include "flow/owner.h"
#include "os/clock.h"

struct hot_loop {
        struct snapshot_cache snap;
};

void *api__hot_loop_init(void *ctx)
{
        (void)ctx;
        return calloc(1, sizeof(struct hot_loop));
}

void api__hot_loop_fini(void *ctx, void *loop_ctx)
{
        (void)ctx;
        struct hot_loop *h = loop_ctx;
        if (h != NULL)
                snapshot_cache_drop(&h->snap);
        free(h);
}

void api__hot_flush(void *arg)
{
        struct api *a = arg;
        http_server_complete_flush(a->server);
}

/* Splits "/v1/objects/<bucket>/<object>" without escapes and doubled slashes before the object. */
static bool hot_path(struct str path, struct str *ret_bucket, struct str *ret_object)
{
        static const struct str prefix = { "/v1/objects/", 12 };
        if (!str_starts(path, prefix) || memchr(path.p, '%', path.n) != NULL)
                return false;
        struct str rest = str_skip(path, prefix.n);
        *ret_bucket = str_cut(&rest, '/');
        *ret_object = rest;
        return ret_bucket->n > 0 && rest.n > 0 && rest.n <= OBJECT_NAME_MAX && rest.p[0] != '/';
}

/* What a redirect adds to a query; which of it must be there, api__route() judges. */
static bool redirect_mark(struct str item)
{
        return str_starts(item, STR("pid=")) || str_starts(item, STR("utm=")) || str_starts(item, STR("vpams=")) ||
               str_starts(item, STR("x=")) || str_starts(item, STR("u="));
}

/* Only provider=ais (and, for writes, skip_vc=true) may stand in the query. */
static bool hot_query(struct str query, bool *ret_skip_vc)
{
        while (query.n > 0) {
                struct str item = str_cut(&query, '&');
                if (str_eq(item, STR("skip_vc=true")))
                        *ret_skip_vc = true;
                else if (!str_eq(item, STR("provider=ais")) && item.n > 0 && !redirect_mark(item))
                        return false;
        }
        return true;
}

static const struct bucket *hot_bucket(struct api *a, struct http_req *rq, struct str name, uint64_t access)
{
        struct hot_loop *h = rq->loop_ctx;
        if (UNLIKELY(h == NULL))
                return NULL;
        const struct bucket *b = snapshot_bucket_ais(cluster_snapshot_cached(a->node->cluster, &h->snap), name);
        return b != NULL && (b->props.access & access) == access ? b : NULL;
}

/* The snapshot by which hot_bucket() answered. */
static const struct snapshot *hot_snapshot(const struct http_req *rq)
{
        const struct hot_loop *h = rq->loop_ctx;
        return h->snap.s;
}

/* All keys are this node's, whoever asks: a cluster of one. */
static bool owns_all(const struct snapshot *s)
{
        return s->proxy != NULL && s->target != NULL && s->placement.n == 1 && s->earlier_count == 0 &&
               strcmp(s->placement.ids[0], s->target->id) == 0 && s->key_count == 0;
}

static bool redirect_away(struct api *a, struct http_req *rq, struct http_resp *rs, const struct route *w)
{
        struct redirect d = { .base = str_of(w->owner->addr[CLUSTER_NET_PUBLIC].url), .target = w->owner->id,
                              .path = rq->path, .query = rq->query, .hops = w->hops + 1 };
        return memchr(rq->path.p, '+', rq->path.n) == NULL && api__redirect(a, hot_snapshot(rq), rq, rs, &d);
}

/* Whether the request may be answered here, as far as its sender is concerned; else *ret_next tells what becomes of it.
 */
static bool hot_route(struct api *a, struct http_req *rq, struct http_resp *rs, const struct bucket *b,
                      struct str object, enum http_next *ret_next)
{
        const struct snapshot *s = hot_snapshot(rq);
        struct route w;
        *ret_next = HTTP_WORKER;
        if (LIKELY(owns_all(s)))
                return true;
        api__route(a, s, rq, snapshot_digest(b, object), NULL, &w);
        if (route_is_ahead(&w, s))
                return false;
        if (w.kind == ROUTE_AWAY && redirect_away(a, rq, rs, &w))
                *ret_next = HTTP_ANSWERED;
        return w.kind == ROUTE_HERE;
}

static bool hot_name(struct str object)
{
        struct err *e = object_name_check(object);
        err_free(e);
        return e == NULL;
}

/* Headers by which the full path refuses a request. */
static bool has_refused_header(const struct http_head *h)
{
        return http_head_find(h, STR("Ais-Caller-Id")).p != NULL || http_head_find(h, STR("Origin")).p != NULL;
}

/* The access that a request without a message asks for; 0: it is not for the loop. */
static uint64_t access_of(const struct http_req *rq)
{
        switch (rq->method) {
        case HTTP_GET:
                return ACCESS_GET;
        case HTTP_HEAD:
                return ACCESS_HEAD_OBJ;
        case HTTP_PUT:
                return ACCESS_PUT;
        case HTTP_DELETE:
                return rq->body_length == 0 ? ACCESS_DELETE_OBJ : 0;
        default:
                return 0;
        }
}

bool api__hot_redirect(struct api *a, struct http_req *rq, struct http_resp *rs)
{
        struct hot_loop *h = rq->loop_ctx;
        struct str bucket, object;
        struct route w;
        uint64_t access = access_of(rq);
        bool skip_vc = false;
        if (access == 0 || h == NULL || owns_all(cluster_snapshot_cached(a->node->cluster, &h->snap)) ||
            !hot_path(rq->path, &bucket, &object) || !hot_query(rq->query, &skip_vc))
                return false;
        const struct bucket *b = hot_bucket(a, rq, bucket, access);
        if (b == NULL || !hot_name(object) || has_refused_header(rq->head))
                return false;
        uint64_t digest = snapshot_digest(b, object);
        if (snapshot_owns(h->snap.s, digest)) /* before the signature is looked at: that is for who answers */
                return false;
        api__route(a, h->snap.s, rq, digest, NULL, &w);
        return w.kind == ROUTE_AWAY && !route_is_ahead(&w, h->snap.s) && redirect_away(a, rq, rs, &w);
}

/* Headers that change what a read means. */
static bool hot_get_headers(const struct http_head *h)
{
        for (unsigned i = 0; i < h->nheaders; i++) {
                struct str n = h->headers[i].name;
                char c = (char)(n.p[0] | 0x20);
                if (c == 'r' && str_eq_nocase(n, STR("Range")))
                        return false;
                if (c == 'o' && str_eq_nocase(n, STR("Origin")))
                        return false;
                if (c == 'a' && n.n > 4 && n.p[3] == '-' && str_eq_nocase((struct str){ n.p, 4 }, STR("Ais-")))
                        return false;
        }
        return true;
}

static enum http_next hot_get(struct api *a, struct http_req *rq, struct http_resp *rs)
{
        struct str bucket, object;
        bool skip_vc = false;
        if (rq->body_length != 0 || !hot_path(rq->path, &bucket, &object) || !hot_query(rq->query, &skip_vc) ||
            !hot_get_headers(rq->head))
                return HTTP_WORKER;
        const struct bucket *b = hot_bucket(a, rq, bucket, ACCESS_GET);
        enum http_next next;
        if (b == NULL)
                return HTTP_WORKER;
        if (!hot_route(a, rq, rs, b, object, &next))
                return next;
        if (!flow_owns_now(a->node, hot_snapshot(rq), b, object, clock_mono_coarse_ns()))
                return HTTP_WORKER;
        struct obj_key key = { b->bid, object };
        struct content *c = store_cached(a->node->store, &key);
        if (c == NULL)
                return HTTP_WORKER;
        if (api__object_body(rq, rs, c, 0, content_meta(c)->size) != NULL) {
                content_unref(c);
                return HTTP_WORKER;
        }
        http_resp_status(rs, 200);
        http_resp_head_raw(rs, content_rendered(c));
        content_touch(c);
        stat_add(&a->node->stats, STAT_GET_N, 1);
        stat_add(&a->node->stats, STAT_GET_SIZE, (int64_t)content_meta(c)->size);
        stat_add(&a->node->stats, STAT_GET_NS_TOTAL, clock_mono_ns() - rq->start_ns);
        return HTTP_ANSWERED;
}

/* A small write on its way through the commit thread; in the request's arena. */
struct hot_put {
        struct api *api;
        struct http_req *rq;
        struct http_resp *rs;
        enum cksum_type type;
        char cksum[CKSUM_HEX_MAX];
        size_t size;
        const struct snapshot *snap; /* for error texts */
        struct gate_pass pass;
};

static void hot_put_done(void *arg, struct err *e, const struct put_result *r)
{
        struct hot_put *p = arg;
        struct api *a = p->api;
        struct err *lost = flow_leave(a->node, p->pass);
        if (e == NULL)
                e = lost; /* whether it counts is for others to say by now */
        else
                err_free(lost); /* nothing was changed */
        if (UNLIKELY(e != NULL)) {
                api__object_put_failed(a, p->rq, p->rs, p->snap, e);
        } else {
                struct obj_meta m = {
                        .version = r->version, .atime_ns = r->atime_ns, .cksum_type = p->type, .cksum = str_of(p->cksum)
                };
                http_resp_status(p->rs, 200);
                if (!r->noop)
                        api__object_headers(&m, &p->rs->head);
                stat_add(&a->node->stats, STAT_PUT_N, 1);
                stat_add(&a->node->stats, STAT_PUT_SIZE, (int64_t)p->size);
                stat_add(&a->node->stats, STAT_PUT_NS_TOTAL, clock_mono_ns() - p->rq->start_ns);
        }
        cluster_unpin(p->snap);
        http_server_complete_queue(p->rq);
}

/* The client's checksum, if it is of the bucket's algorithm; false sends the request to a worker. */
static bool hot_put_headers(const struct http_head *h, struct str *ret_type, struct str *ret_value)
{
        for (unsigned i = 0; i < h->nheaders; i++) {
                struct str n = h->headers[i].name;
                char c = (char)(n.p[0] | 0x20);
                if ((c == 'i' && str_starts(n, STR("If-"))) || (c == 'o' && str_eq_nocase(n, STR("Origin"))))
                        return false;
                if (c != 'a' || n.n < 4 || n.p[3] != '-')
                        continue;
                if (str_eq_nocase(n, STR("Ais-Checksum-Type")) && ret_type->p == NULL)
                        *ret_type = h->headers[i].value;
                else if (str_eq_nocase(n, STR("Ais-Checksum-Value")) && ret_value->p == NULL)
                        *ret_value = h->headers[i].value;
                else
                        return false;
        }
        return (ret_type->n > 0) == (ret_value->n > 0);
}

static enum http_next hot_put(struct api *a, struct http_req *rq, struct http_resp *rs)
{
        struct str bucket, object, type = STR_NONE, value = STR_NONE;
        bool skip_vc = false;
        if (a->node->store == NULL || rq->body_mem.p == NULL || rq->body_mem.n > store_small_max(a->node->store) ||
            !hot_path(rq->path, &bucket, &object) || !hot_query(rq->query, &skip_vc) ||
            !hot_put_headers(rq->head, &type, &value))
                return HTTP_WORKER;
        const struct bucket *b = hot_bucket(a, rq, bucket, ACCESS_PUT);
        enum http_next next;
        enum cksum_type t;
        if (b == NULL || (b->props.checksum.type != CKSUM_XXHASH2 && b->props.checksum.type != CKSUM_XXHASH) ||
            (type.n > 0 && (!cksum_type_parse(type, &t) || (t != CKSUM_XXHASH && t != CKSUM_XXHASH2))))
                return HTTP_WORKER;
        if (!hot_route(a, rq, rs, b, object, &next))
                return next;
        struct hot_put *p = hot_name(object) ? arena_new(rq->arena, struct hot_put) : NULL;
        if (p == NULL)
                return HTTP_WORKER;
        struct put_attrs attrs;
        flow_put_attrs(b, &attrs);
        p->type = attrs.cksum_type;
        cksum_of(p->type, rq->body_mem.p, rq->body_mem.n, p->cksum);
        if (type.n > 0 && !str_eq(value, str_of(p->cksum)))
                return HTTP_WORKER; /* the full path makes the error */
        p->api = a;
        p->rq = rq;
        p->rs = rs;
        p->size = rq->body_mem.n;
        attrs.cksum = str_of(p->cksum);
        attrs.custom_mode = CUSTOM_MERGE;
        attrs.same_is_noop = type.n > 0 && !skip_vc;
        if (!flow_enter_now(a->node, hot_snapshot(rq), b, object, clock_mono_coarse_ns(), &p->pass))
                return HTTP_WORKER;
        p->snap = snapshot_ref(hot_snapshot(rq));
        struct obj_key key = { b->bid, object };
        if (store_put_small_async(a->node->store, &key, rq->body_mem.p, rq->body_mem.n, &attrs, hot_put_done, p))
                return HTTP_PENDING;
        cluster_gate_leave(a->node->cluster, p->pass);
        cluster_unpin(p->snap);
        return HTTP_WORKER;
}

/* A body that is yet to come keeps its worker as long as the client likes: neither reads nor control may wait for such
 * a one. */
static enum pool_class class_of(const struct http_req *rq)
{
        if (rq->body_length != 0 && rq->body_mem.p == NULL)
                return POOL_UPLOAD;
        bool data = str_starts(rq->path, STR("/v1/objects/")) || str_starts(rq->path, STR("/s3/"));
        return data ? POOL_DATA : POOL_CONTROL;
}

/* Bytes of a message that is to come before anything can be done with it; 0: a content, or one that is refused unread.
 */
static size_t message_length(const struct http_req *rq)
{
        bool own = str_starts(rq->path, STR("/v1/")); /* "/ais/BUCKET/OBJECT" is for contents alone */
        if (rq->method == HTTP_PUT && (!own || str_starts(rq->path, STR("/v1/objects/"))))
                return 0;
        uint64_t max = str_starts(rq->path, STR("/v1/buckets")) ? LIST_BODY_MAX : CONTROL_BODY_MAX;
        uint64_t n = rq->body_length < 0 ? CONTROL_BODY_MAX : (uint64_t)rq->body_length;
        return n <= max ? (size_t)n : 0;
}

/* A message that may come slowly is received before a worker is taken, if there is memory for it. */
static enum http_next receive_message(struct api *a, struct http_req *rq, struct http_resp *rs)
{
        char text[256];
        size_t n = message_length(rq);
        if (n == 0)
                return HTTP_WORKER;
        struct err *e = api__reserve(a, rs, n * API_MESSAGE_COST);
        if (e == NULL) {
                rq->collect = n;
                return HTTP_WORKER;
        }
        api__core_refuse(a, rq, rs, err_code(e), err_text(e, text, sizeof(text)));
        err_free(e);
        return HTTP_ANSWERED;
}

enum http_next api__hot_on_loop(void *ctx, struct http_req *rq, struct http_resp *rs, enum pool_class *ret_class)
{
        enum http_next next = HTTP_WORKER;
        *ret_class = class_of(rq);
        if (rq->method == HTTP_GET)
                next = hot_get(ctx, rq, rs);
        else if (rq->method == HTTP_PUT)
                next = hot_put(ctx, rq, rs);
        if (next == HTTP_WORKER && api__hot_redirect(ctx, rq, rs))
                next = HTTP_ANSWERED;
        if (next == HTTP_WORKER && *ret_class == POOL_UPLOAD)
                next = receive_message(ctx, rq, rs);
        return next;
}
