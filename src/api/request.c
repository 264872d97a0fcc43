/* api/request.c: from a request's head and body to path items, parameters, bucket and envelope.
 *
 * Path: split at '/', empty items dropped, each item percent-decoded. For objects only the bucket is split off: the
 * rest of the path, decoded, is the name, inner "//" kept. Failures are INVALID, MALFORMED, INVALID_NAME,
 * BUCKET_NOT_FOUND, TOO_LARGE: all answered in the wire's form. */
#include "api/request.h"

#define BODY_STEP ((size_t)256 * 1024)

struct api_req *api__request_new(struct api *a, struct http_req *rq, struct http_resp *rs, const struct snapshot *snap)
{
        struct api_req *r = arena_new(rq->arena, struct api_req);
        if (r == NULL) {
                http_resp_status(rs, 503);
                http_resp_mem(rs, STR_NONE, NULL, NULL);
                return NULL;
        }
        r->api = a;
        r->node = a->node;
        r->rq = rq;
        r->rs = rs;
        r->snap = snap;
        r->arena = rq->arena;
        r->caller = "";
        r->role_target = snap->proxy == NULL;
        return r;
}

struct err *api__body_each(struct api_req *r, struct err *(*take)(void *arg, const void *p, size_t n), void *arg)
{
        if (r->rq->body_mem.p != NULL)
                return r->rq->body_mem.n > 0 ? take(arg, r->rq->body_mem.p, r->rq->body_mem.n) : NULL;
        AUTO_FREE char *step = malloc(BODY_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        for (;;) {
                size_t n;
                TRY(http_req_read(r->rq, step, BODY_STEP, &n));
                if (n == 0)
                        return NULL;
                TRY(take(arg, step, n));
        }
}

struct str api_param(const struct api_req *r, const char *key)
{
        struct str k = str_of(key);
        for (unsigned i = 0; i < r->nparams; i++)
                if (str_eq(r->params[i].key, k))
                        return r->params[i].value.p ? r->params[i].value : STR("");
        return STR_NONE;
}

struct err *api_param_bool(const struct api_req *r, const char *key, bool *ret)
{
        struct str v = api_param(r, key);
        bool b = false;
        if (v.p != NULL && !str_bool(v, &b))
                return err_new(ERR_INVALID,
                               "invalid value of query parameter %s: \"" STR_FMT "\" (expecting true or false)", key,
                               STR_ARG(v));
        *ret = b;
        return NULL;
}

static struct err *parse_query(struct api_req *r)
{
        struct str rest = r->rq->query, key, value;
        while (http_query_next(&rest, &key, &value)) {
                if (r->nparams == API_QUERY_MAX)
                        return err_new(ERR_INVALID, "too many query parameters (more than %d)", API_QUERY_MAX);
                struct api_param *p = &r->params[r->nparams];
                TRY_WRAP(str_percent_decode(r->arena, key, true, &p->key), "query");
                TRY_WRAP(str_percent_decode(r->arena, value, true, &p->value), "query parameter " STR_FMT,
                         STR_ARG(p->key));
                r->nparams++;
        }
        return NULL;
}

/* Cuts the next non-empty raw item off *path. */
static bool next_item(struct str *path, struct str *ret)
{
        while (path->n > 0) {
                struct str item = str_cut(path, '/');
                if (item.n > 0) {
                        *ret = item;
                        return true;
                }
        }
        return false;
}

static struct err *add_item(struct api_req *r, struct str raw)
{
        if (r->nitems == ARRAY_LEN(r->items))
                return err_new(ERR_INVALID, "URL path has too many items");
        return str_percent_decode(r->arena, raw, false, &r->items[r->nitems++]);
}

/* "/ais/b/o" stands for "/v1/objects/b/o?provider=ais", "/ais/b" for "/v1/buckets/b". */
static bool easy_provider(struct str item, const char **ret_provider)
{
        static const char *const names[][2] = { { "ais", "ais" }, { "gs", "gcp" }, { "az", "azure" } };
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (str_eq(item, str_of(names[i][0]))) {
                        *ret_provider = names[i][1];
                        return true;
                }
        return false;
}

static struct err *parse_path(struct api_req *r)
{
        struct str path = r->rq->path, item;
        const char *easy = NULL;
        if (!next_item(&path, &item))
                return NULL;
        bool v1 = str_eq(item, STR("v1"));
        if (v1) {
                if (!next_item(&path, &item))
                        return NULL;
        } else if (easy_provider(item, &easy)) {
                if (r->nparams == API_QUERY_MAX)
                        return err_new(ERR_INVALID, "too many query parameters (more than %d)", API_QUERY_MAX);
                r->params[r->nparams++] = (struct api_param){ STR("provider"), str_of(easy) };
                struct str rest = path, bucket, object;
                bool has_object = next_item(&rest, &bucket) && next_item(&rest, &object);
                item = has_object ? STR("objects") : STR("buckets");
        } else if (!str_eq(item, STR("metrics")) && !str_eq(item, STR("s3"))) {
                return err_new(ERR_INVALID, "invalid request URI: '" STR_FMT " " STR_FMT "' from %s",
                               STR_ARG(r->rq->head->method_text), STR_ARG(r->rq->path), r->rq->peer);
        }
        TRY(add_item(r, item));
        item = r->items[0]; /* judged as it will be routed: decoded */
        if (!str_eq(item, STR("objects")) && !str_eq(item, STR("buckets"))) {
                while (next_item(&path, &item))
                        TRY(add_item(r, item));
                return NULL;
        }
        if (!next_item(&path, &item))
                return NULL;
        TRY(add_item(r, item));
        bool buckets = str_eq(r->items[0], STR("buckets"));
        if (buckets && r->rq->method != HTTP_HEAD && next_item(&path, &item)) /* HEAD alone takes a prefix there */
                return err_new(
                        ERR_INVALID_NAME,
                        "bucket name \"" STR_FMT "/" STR_FMT
                        "\" is invalid: may only contain letters, numbers, dashes (-), underscores (_), and dots (.)",
                        STR_ARG(r->items[1]), STR_ARG(item));
        return str_percent_decode(r->arena, path, false, &r->object);
}

struct err *api__parse_target(struct api_req *r)
{
        TRY(parse_query(r));
        return parse_path(r);
}

struct err *api__parse_bucket(struct api_req *r)
{
        if (r->nitems < 2)
                return err_new(ERR_INVALID, "URL '" STR_FMT "' is too short: expected %u items, got %u",
                               STR_ARG(str_skip(r->rq->path, 1)), 3u, r->nitems + 1);
        return bck_make(r->items[1], api_param(r, "provider"), api_param(r, "namespace"), &r->bck);
}

struct err *api_find_bucket(struct api_req *r, const struct bck *bck, const struct bucket **ret)
{
        const struct bucket *b = snapshot_bucket(r->snap, bck);
        char text[192];
        if (b == NULL && bck_is_remote(bck))
                return err_new(ERR_REMOTE_BUCKET_NOT_FOUND,
                               "remote bucket \"%s\" does not exist (backend is not configured)", bck_text(bck, text));
        if (b == NULL)
                return err_new(ERR_BUCKET_NOT_FOUND, "bucket \"%s\" does not exist", bck_text(bck, text));
        *ret = b;
        return NULL;
}

static const char *const access_names[] = { "GET",           "HEAD-OBJECT",  "PUT",           "APPEND",
                                            "DELETE-OBJECT", "MOVE-OBJECT",  "PROMOTE",       "UPDATE-OBJECT",
                                            "HEAD-BUCKET",   "LIST-OBJECTS", "PATCH",         "SET-BUCKET-ACL",
                                            "LIST-BUCKETS",  "SHOW-CLUSTER", "CREATE-BUCKET", "DESTROY-BUCKET",
                                            "MOVE-BUCKET",   "ADMIN" };

static void access_list(uint64_t bits, struct buf *b)
{
        const char *sep = "";
        for (size_t i = 0; i < ARRAY_LEN(access_names); i++)
                if (bits & (UINT64_C(1) << i)) {
                        buf_printf(b, "%s%s", sep, access_names[i]);
                        sep = ",";
                }
}

struct err *api_check_access(struct api_req *r, const struct bucket *b, uint64_t bits)
{
        uint64_t denied = bits & ~b->props.access;
        stat_add(&r->node->stats, STAT_ACL_TOTAL_N, 1);
        if (LIKELY(denied == 0))
                return NULL;
        stat_add(&r->node->stats, STAT_ACL_DENIED_N, 1);
        AUTO_BUF struct buf want = BUF_INIT;
        AUTO_BUF struct buf have = BUF_INIT;
        char text[192];
        access_list(denied, &want);
        access_list(b->props.access, &have);
        return err_new(ERR_ACCESS, "bucket %s: %s access denied (allowed: [%s])", bck_text(&b->bck, text),
                       buf_cstr(&want), buf_cstr(&have));
}

struct err *api_param_bck_to(struct api_req *r, struct bck *ret)
{
        struct str v = api_param(r, "bck_to");
        if (v.n == 0)
                return err_new(ERR_INVALID, "destination bucket is missing (query parameter bck_to)");
        TRY_WRAP(uname_parse(v, ret, NULL), "bck_to");
        return NULL;
}

struct err *api__reserve(struct api *a, struct http_resp *rs, size_t n)
{
        if (n > a->reserve_max)
                return err_new(ERR_TOO_LARGE, "a request that holds %zu bytes is more than all may hold here (%zu)", n,
                               a->reserve_max);
        size_t all = atomic_fetch_add_explicit(&a->reserved, n, memory_order_relaxed) + n;
        if (all > a->reserve_max) {
                atomic_fetch_sub_explicit(&a->reserved, n, memory_order_relaxed);
                return err_new(ERR_OVERLOAD,
                               "requests in progress hold too much memory (%zu of %zu bytes), cannot take %zu more",
                               all - n, a->reserve_max, n);
        }
        rs->user = (void *)((uintptr_t)rs->user + n);
        return NULL;
}

struct err *api_reserve(struct api_req *r, size_t n)
{
        if (r->internal) /* the node that passed it on has done so */
                return NULL;
        return api__reserve(r->api, r->rs, n);
}

struct err *api__reserve_held(struct api_req *r, size_t n)
{
        size_t all = atomic_load_explicit(&r->api->reserved, memory_order_relaxed);
        if (!r->internal && all + n > r->api->reserve_max / 2)
                return err_new(ERR_OVERLOAD,
                               "requests of slow clients hold too much memory (%zu of %zu bytes), cannot take %zu more",
                               all, r->api->reserve_max / 2, n);
        return api_reserve(r, n);
}

void api__reserve_end(struct api *a, struct http_resp *rs)
{
        if (rs->user != NULL)
                atomic_fetch_sub_explicit(&a->reserved, (uintptr_t)rs->user, memory_order_relaxed);
        rs->user = NULL;
}

struct err *api__read_envelope(struct api_req *r, size_t max)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct api_envelope, "action", JSON_F_STR, action),
                JSON_FIELD(struct api_envelope, "name", JSON_F_STR, name),
                JSON_FIELD(struct api_envelope, "value", JSON_F_ANY, value),
        };
        struct str body;
        if (r->rq->body_length < 0)
                max = MIN(max, CONTROL_BODY_MAX); /* how much it will be is not known: only what is cheap */
        else if (r->rq->body_length > CONTROL_BODY_MAX && (uint64_t)r->rq->body_length <= max && r->rq->collect == 0)
                TRY(api_reserve(r, (size_t)r->rq->body_length * API_MESSAGE_COST));
        TRY(http_req_read_all(r->rq, max, &body));
        r->body = body;
        if (str_trim(body).n == 0)
                return NULL;
        TRY_WRAP(json_parse(body, max, &r->env.doc), "failed to unmarshal the request's message");
        if (!json_is_object(r->env.doc))
                return err_new(ERR_MALFORMED, "failed to unmarshal the request's message: expecting an object");
        return json_decode(r->env.doc, fields, ARRAY_LEN(fields), false, "message", &r->env);
}

struct err *api_value(struct api_req *r, const struct json_field *f, size_t n, const char *what, void *out)
{
        return json_decode(r->env.value, f, n, true, what, out);
}
