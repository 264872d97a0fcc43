/* api/core.c: one request from the server to its handler and back.
 *
 * Happy path: parse the target, find the resource's rows, read the envelope if one of them has an action, choose the
 * row, pass on what only the leader decides (relay.c), look the bucket up, check access and names, send requests for
 * objects to their owner (redirect.c), call the handler. Any error on the way, or from the handler, is answered by
 * api_reply_err(). What can be answered without waiting never gets here (hot.c). */
#include "api/core.h"
#include "api/redirect.h"
#include "api/relay.h"
#include "api/request.h"
#include "api/s3.h"

#include "os/clock.h"

#define SYNC_NS NS_PER_SEC /* for news of buckets that other nodes have just made */

static const struct api_route *const tables[] = { api_routes_objects, api_routes_buckets, api_routes_cluster,
                                                  api_routes_daemon,  api_routes_other,   api_routes_own };

/* All rows that there are for this request. */
#define FOREACH_ROUTE(r, row)                                                                                          \
        for (size_t t_ = 0; t_ < ARRAY_LEN(tables); t_++)                                                              \
                for (const struct api_route *row = tables[t_]; row->fn != NULL; row++)                                 \
                        if ((row->needs & NEED_MEMBER) && !(r)->internal)                                              \
                                continue;                                                                              \
                        else

static bool method_matches(const struct api_route *row, struct str resource, enum http_method m)
{
        return row->method == m && str_eq(resource, str_of(row->resource));
}

static void reply_methods(struct api_req *r, struct str resource, int status)
{
        unsigned seen = 0;
        FOREACH_ROUTE(r, row)
                if (str_eq(resource, str_of(row->resource)))
                        seen |= 1u << row->method;
        AUTO_BUF struct buf allow = BUF_INIT;
        static const enum http_method order[] = { HTTP_DELETE, HTTP_GET, HTTP_HEAD, HTTP_PATCH, HTTP_POST, HTTP_PUT };
        for (size_t i = 0; i < ARRAY_LEN(order); i++)
                if (seen & (1u << order[i]))
                        buf_printf(&allow, "%s%s", allow.n ? ", " : "", http_method_name(order[i]));
        http_resp_header(r->rs, "Allow", buf_str(&allow));
        if (status == 200) {
                api_reply_empty(r, 200);
                return;
        }
        http_resp_status(r->rs, status);
        http_resp_head_raw(r->rs,
                           STR("Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"));
        http_resp_mem(r->rs, STR("Method Not Allowed\n"), NULL, NULL);
}

/* The row of an action: an exact match, else the row without one if the message has no action or the row takes any. */
static const struct api_route *choose(struct api_req *r, struct str resource)
{
        const struct api_route *any = NULL;
        FOREACH_ROUTE(r, row)
                if (method_matches(row, resource, r->rq->method)) {
                        if (row->action == NULL)
                                any = row;
                        else if (str_eq(r->env.action, str_of(row->action)))
                                return row;
                }
        if (any != NULL && (r->env.action.n == 0 || (any->needs & NEED_ANY_ACTION)))
                return any;
        return NULL;
}

static struct err *invalid_action(struct api_req *r)
{
        if (r->env.doc == NULL)
                return err_new(ERR_MALFORMED, "failed to unmarshal the request's message: EOF (the body is empty)");
        return err_new(ERR_INVALID, "invalid action \"" STR_FMT "\"", STR_ARG(r->env.action));
}

static struct err *too_short(struct api_req *r)
{
        return err_new(ERR_INVALID, "URL '" STR_FMT "' is too short: expected 4 items, got %u",
                       STR_ARG(str_skip(r->rq->path, 1)), r->nitems + 1);
}

static struct err *check_object(struct api_req *r)
{
        if (r->rq->method == HTTP_HEAD && r->object.p[r->object.n - 1] == '/')
                r->object.n--; /* wire: HEAD tolerates one */
        return object_name_check(r->object);
}

/* A web page that somebody looks at on this machine must not be able to use what listens on loopback: browsers name the
 * page's origin with whatever may change something. What they only read they do not give to the page. */
static struct err *refuse_other_sites(struct api_req *r)
{
        struct str origin = http_req_header(r->rq, STR("Origin"));
        ptrdiff_t scheme = str_find_str(origin, STR("://"));
        if (origin.p == NULL || r->rq->method == HTTP_GET || r->rq->method == HTTP_HEAD)
                return NULL;
        if (scheme >= 0 && str_eq_nocase(str_skip(origin, (size_t)scheme + 3), r->rq->head->host))
                return NULL;
        return err_new(ERR_FORBIDDEN, "requests of web pages of other sites are refused (Origin: " STR_FMT ")",
                       STR_ARG(origin));
}

/* What clients may ask a process that is no proxy: objects, what it tells of itself, reads of buckets. */
static struct err *check_role(struct api_req *r, struct str resource)
{
        bool read = r->rq->method == HTTP_GET || r->rq->method == HTTP_HEAD;
        if (r->snap->proxy != NULL || r->internal)
                return NULL;
        if (str_eq(resource, STR("objects")) || str_eq(resource, STR("health")) || str_eq(resource, STR("metrics")))
                return NULL;
        if (str_eq(resource, STR("daemon")))
                return read ? NULL : err_new(ERR_FORBIDDEN, "t[%s]: /v1/daemon is read-only on the public network",
                                             r->snap->target->id);
        if (read && str_eq(resource, STR("buckets")))
                return NULL;
        return err_new(ERR_INVALID, "invalid request URI: '" STR_FMT " " STR_FMT "' from %s",
                       STR_ARG(r->rq->head->method_text), STR_ARG(r->rq->path), r->rq->peer);
}

/* Another node may have made the bucket a moment ago: before "does not exist" is said, this one hears the news. */
static struct err *find_bucket(struct api_req *r)
{
        struct err *e = api_find_bucket(r, &r->bck, &r->bucket);
        if (err_code(e) != ERR_BUCKET_NOT_FOUND || r->snap->member_count < 2)
                return e;
        struct err *unheard = cluster_sync(r->node->cluster, clock_mono_ns() + SYNC_NS);
        err_free(e);
        TRY(unheard);
        api__repin(r);
        return api_find_bucket(r, &r->bck, &r->bucket);
}

struct err *api__core_outcome(struct api_req *r, struct err *e)
{
        return err_code(e) == ERR_NOT_OWNER && r->object.n > 0 ? api__route_again(r, e) : e;
}

struct err *api__dispatch(struct api_req *r)
{
        TRY(api__parse_target(r));
        struct str resource = r->nitems ? r->items[0] : STR("/");
        bool known = false, method = false, envelope = false;
        unsigned needs = 0;
        FOREACH_ROUTE(r, row) {
                if (!str_eq(resource, str_of(row->resource)))
                        continue;
                known = true;
                if (row->method != r->rq->method)
                        continue;
                method = true;
                needs |= row->needs;
                envelope = envelope || row->action != NULL || (row->needs & NEED_ENVELOPE);
        }
        if (!known && r->rq->method != HTTP_OTHER)
                return err_new(ERR_INVALID, "invalid request URI: '" STR_FMT " " STR_FMT "' from %s",
                               STR_ARG(r->rq->head->method_text), STR_ARG(r->rq->path), r->rq->peer);
        if (r->rq->method == HTTP_OPTIONS || !method) {
                reply_methods(r, resource, r->rq->method == HTTP_OPTIONS ? 200 : 405);
                return NULL;
        }
        if (http_req_header(r->rq, STR("Ais-Caller-Id")).p != NULL)
                return err_new(ERR_FORBIDDEN, "unexpected intra-cluster header on pub: 'Ais-Caller-Id'");
        TRY(refuse_other_sites(r));
        TRY(check_role(r, resource));
        if (str_eq(resource, STR("objects")))
                api__route_sender(r);
        if (envelope)
                TRY(api__read_envelope(r, str_eq(resource, STR("buckets")) ? LIST_BODY_MAX : CONTROL_BODY_MAX));
        /* A missing bucket is reported before an unknown action (wire). */
        if ((needs & (NEED_BUCKET | NEED_OBJECT)) && r->nitems >= 2)
                TRY(api__parse_bucket(r));
        const struct api_route *row = choose(r, resource);
        if (row == NULL) {
                if (r->bck.name[0] != '\0' && r->env.doc != NULL)
                        TRY(find_bucket(r));
                return invalid_action(r);
        }
        bool done = false;
        if (row->needs & NEED_PRIMARY)
                TRY(api__relay_primary(r, &done));
        if (done)
                return NULL;
        if ((row->needs & NEED_OBJECT) && r->object.n == 0)
                return too_short(r);
        if (row->needs & (NEED_BUCKET | NEED_BUCKET_NAME | NEED_OBJECT)) {
                TRY(api__parse_bucket(r));
                if (row->needs & (NEED_BUCKET | NEED_OBJECT)) {
                        TRY(find_bucket(r));
                        TRY(api_check_access(r, r->bucket, row->access));
                }
        }
        if (row->needs & NEED_OBJECT) {
                TRY(check_object(r));
                TRY(api__route_object(r, &done));
        }
        if (done)
                return NULL;
        struct err *e = api__core_outcome(r, row->fn(r));
        if (err_code(e) == ERR_NOT_PRIMARY && (row->needs & NEED_PRIMARY))
                return api__relay_again(r, e);
        return e;
}

void api__request_end(struct api_req *r)
{
        json_decref(r->env.doc);
        r->env.doc = NULL;
        cluster_unpin(r->snap);
        r->snap = NULL;
}

/* Counts a failed operation under the wire's name. */
static void count_error(struct api_req *r)
{
        if (r->nitems < 1 || !str_eq(r->items[0], STR("objects")))
                return;
        static const enum flow_stat stats[] = { [HTTP_GET] = STAT_ERR_GET_N,
                                                [HTTP_HEAD] = STAT_ERR_HEAD_N,
                                                [HTTP_PUT] = STAT_ERR_PUT_N,
                                                [HTTP_DELETE] = STAT_ERR_DEL_N };
        if (r->rq->method == HTTP_GET || r->rq->method == HTTP_HEAD || r->rq->method == HTTP_PUT ||
            r->rq->method == HTTP_DELETE)
                stat_add(&r->node->stats, stats[r->rq->method], 1);
}

void api__core_finish(struct api_req *r, struct err *e)
{
        if (e != NULL) {
                count_error(r);
                api_reply_err(r, e);
        }
        api__request_end(r);
}

void api__core_handle(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        struct api *api = ctx;
        if (str_eq(rq->path, STR("/s3")) || str_starts(rq->path, STR("/s3/"))) {
                s3_mounted(api, rq, rs);
                return;
        }
        const struct snapshot *snap = cluster_pin(api->node->cluster);
        struct api_req *r = api__request_new(api, rq, rs, snap);
        if (r == NULL) {
                cluster_unpin(snap);
                return;
        }
        struct err *e = api__dispatch(r);
        if (e != NULL || r->take == NULL) /* else the rest is done when the body is here */
                api__core_finish(r, e);
}

void api__core_refuse(void *ctx, struct http_req *rq, struct http_resp *rs, enum err_code code, const char *why)
{
        struct api *api = ctx;
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(api->node->cluster);
        struct api_req *r = api__request_new(api, rq, rs, snap);
        if (r == NULL)
                return;
        api_reply_err(r, err_new(code, "%s", why));
        r->snap = NULL;
}

void api__core_sent(void *ctx, struct http_req *rq, struct http_resp *rs, uint64_t bytes, bool complete)
{
        struct api *api = ctx;
        (void)bytes;
        api__reserve_end(api, rs);
        if (!complete && rq->method == HTTP_GET)
                stat_add(&api->node->stats, STAT_ERR_HTTP_WRITE_N, 1);
}
