/* api/redirect.c: requests for objects go to the target that owns the key: by a redirect, signed (sign.h).
 *
 * A process that owns the key answers. One that does not sends the client on, at most SIGN_HOPS_MAX times in a row: the
 * map may change under way. A process that is no proxy takes changes only from redirects; reads it takes from anybody.
 *
 * Before a body: a PUT that belongs elsewhere is sent there before its body is read. And the Python SDK over https asks
 * twice: first with the real Content-Length, "Connection: close" and no body at all, only to learn from a redirect
 * where the bytes shall go; then there, with them. Any other answer would wait for a body that never comes: so it is
 * redirected even to where it came from; the wire's parameters (pid, utm) mark the second question. */
#include "api/redirect.h"

#include <stdio.h>

#include "api/hot.h"
#include "api/request.h"
#include "flow/flow.h"
#include "os/clock.h"

#define SENDER_WAIT_NS (2 * NS_PER_SEC) /* for the state that the sender of a request knew */

/* ---- whose is it ---- */

static bool is_read(const struct http_req *rq)
{
        return rq->method == HTTP_GET || rq->method == HTTP_HEAD;
}

static bool is_this(const struct snapshot *s, const struct cluster_node *target)
{
        return s->target != NULL && strcmp(s->target->id, target->id) == 0;
}

static bool is_marked(const struct http_req *rq)
{
        return api__query_has(rq->query, "pid") && api__query_has(rq->query, "utm");
}

/* The signature, as far as this process can be meant by one. */
static enum sign_result check(struct api *a, const struct snapshot *s, const struct http_req *rq,
                              struct sign_claims *ret)
{
        if (s->target == NULL || s->key_count == 0 || rq->query.n == 0)
                return SIGN_NONE;
        struct sign_request sr = { rq->method, rq->path, rq->query, rq->body_length, s->target->id };
        return api__sign_check(s, &sr, cluster_time_ns(a->node->cluster), ret);
}

void api__route(struct api *a, const struct snapshot *s, const struct http_req *rq, uint64_t digest,
                const struct cluster_node *named, struct route *ret)
{
        struct sign_claims c = { .hops = 0 };
        enum sign_result sign = check(a, s, rq, &c);
        *ret = (struct route){ .kind = ROUTE_HERE, .hops = c.hops, .smap_version = c.smap_version, .index = c.index };
        bool direct = s->proxy == NULL && !is_read(rq); /* a change, to what is no proxy */
        if (sign == SIGN_BAD) {
                ret->kind = ROUTE_FORBIDDEN;
        } else if (sign == SIGN_LATER) {
                ret->kind = ROUTE_EARLY;
        } else if (direct && !is_marked(rq)) {
                ret->kind = ROUTE_UNMARKED;
        } else if (direct && sign != SIGN_GOOD && s->key_count > 0) {
                ret->kind = ROUTE_FORBIDDEN;
        } else if (named != NULL ? !is_this(s, named) : !snapshot_owns(s, digest)) {
                ret->owner = named != NULL ? named : snapshot_owner_of(s, digest);
                ret->kind = ret->owner == NULL || ret->hops >= SIGN_HOPS_MAX ? ROUTE_LOST : ROUTE_AWAY;
        }
}

/* ---- the answer ---- */

/* What a redirect adds to the query. */
static bool is_mark(struct str key)
{
        static const char *const marks[] = { "pid", "utm", "vpams", "x", "u" };
        for (size_t i = 0; i < ARRAY_LEN(marks); i++)
                if (str_eq(key, str_of(marks[i])))
                        return true;
        return false;
}

static const char *own_id(const struct snapshot *s)
{
        return s->proxy != NULL ? s->proxy->id : s->target->id;
}

static void add_query(const struct snapshot *s, const struct redirect *d, struct buf *url)
{
        char utm[16];
        if (d->marked) {
                buf_adds(url, d->query);
                return;
        }
        struct str rest = d->query, key, value;
        for (const char *pair = rest.p; http_query_next(&rest, &key, &value); pair = rest.p) {
                while (pair < key.p)
                        pair++; /* empty items */
                if (is_mark(key))
                        continue;
                const char *end = key.p + key.n;
                if (value.p != NULL && value.p + value.n > end)
                        end = value.p + value.n;
                buf_add(url, pair, (size_t)(end - pair));
                buf_addc(url, '&');
        }
        buf_printf(url, "pid=%s&utm=%s", own_id(s), str_base36((uint64_t)clock_wall_ns(), utm));
}

static const char *html_escape(char c)
{
        switch (c) {
        case '&':
                return "&amp;";
        case '<':
                return "&lt;";
        case '>':
                return "&gt;";
        case '"':
                return "&#34;";
        case '\'':
                return "&#39;";
        default:
                return NULL;
        }
}

/* The link of the wire's tiny page, for clients that show it. */
static struct str link_page(struct arena *a, struct str url)
{
        static const char before[] = "<a href=\"", after[] = "\">Moved Permanently</a>.\n\n";
        size_t max = sizeof(before) + sizeof(after) + url.n * 6; /* "&#39;" is the longest, with room */
        char *p = arena_alloc(a, max), *to = p;
        if (p == NULL)
                return STR_NONE;
        memcpy(to, before, sizeof(before) - 1);
        to += sizeof(before) - 1;
        for (size_t i = 0; i < url.n; i++) {
                char c = url.p[i];
                const char *e = html_escape(c);
                if (e == NULL) {
                        *to++ = c;
                        continue;
                }
                size_t n = strlen(e);
                memcpy(to, e, n);
                to += n;
        }
        memcpy(to, after, sizeof(after) - 1);
        return (struct str){ p, (size_t)(to - p) + sizeof(after) - 1 };
}

bool api__redirect(struct api *a, const struct snapshot *s, struct http_req *rq, struct http_resp *rs,
                   const struct redirect *d)
{
        struct buf *h = &rs->head; /* the line is written where it will be sent from */
        size_t start = h->n;
        buf_adds(h, STR("Location: "));
        size_t url_at = h->n;
        buf_adds(h, d->base);
        buf_adds(h, d->path);
        buf_addc(h, '?');
        size_t query_at = h->n;
        add_query(s, d, h);
        struct sign_request sr = {
                .method = rq->method, .path = d->path, .length = rq->body_length, .target = d->target
        };
        if (!api__sign_add(s, &sr, d->hops, cluster_time_ns(a->node->cluster), h, query_at)) {
                h->n = start;
                return false;
        }
        struct str page = STR_NONE;
        if (rq->method == HTTP_GET)
                page = link_page(rq->arena, (struct str){ h->p + url_at, h->n - url_at });
        buf_adds(h, STR("\r\n"));
        if (is_read(rq)) /* nobody may keep a redirect that soon leads nowhere */
                buf_adds(h, STR("Content-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\n"));
        http_resp_status(rs, rq->method == HTTP_GET ? 301 : 307);
        http_resp_mem(rs, page, NULL, NULL);
        return true;
}

/* ---- on a worker ---- */

void api__repin(struct api_req *r)
{
        const struct snapshot *newer = cluster_pin(r->node->cluster);
        cluster_unpin(r->snap);
        r->snap = newer;
        r->bucket = NULL;
}

/* wire: where the decoded path has one of these, path and query are written anew, the parameters sorted. */
static bool must_rewrite(const struct api_req *r)
{
        for (size_t i = 0; i < r->object.n; i++)
                if (strchr("%?# +", r->object.p[i]) != NULL && r->object.p[i] != '\0')
                        return true;
        return false;
}

static int by_key(const void *a, const void *b)
{
        const struct api_param *x = a, *y = b;
        int c = str_cmp(x->key, y->key);
        if (c == 0) /* in the order in which they came */
                c = x < y ? -1 : x > y;
        return c;
}

/* Path and query, encoded anew from what was understood; easy URLs become what they stand for. */
static struct err *rewrite(struct api_req *r, struct redirect *d)
{
        char utm[16];
        struct api_param *list = arena_alloc(r->arena, (r->nparams + 2) * sizeof(*list));
        if (list == NULL)
                return err_static(ERR_NO_MEMORY);
        unsigned n = 0;
        for (unsigned i = 0; i < r->nparams; i++)
                if (!is_mark(r->params[i].key))
                        list[n++] = r->params[i];
        list[n++] = (struct api_param){ STR("pid"), str_of(own_id(r->snap)) };
        list[n++] = (struct api_param){ STR("utm"),
                                        str_arena(r->arena, str_of(str_base36((uint64_t)clock_wall_ns(), utm))) };
        qsort(list, n, sizeof(*list), by_key);
        AUTO_BUF struct buf b = BUF_INIT;
        buf_adds(&b, STR("/v1/objects/"));
        buf_adds(&b, str_percent_encode(r->arena, r->items[1], false));
        buf_addc(&b, '/');
        buf_adds(&b, str_percent_encode(r->arena, r->object, true));
        size_t path_n = b.n;
        for (unsigned i = 0; i < n; i++) {
                if (i > 0)
                        buf_addc(&b, '&');
                buf_adds(&b, str_percent_encode(r->arena, list[i].key, false));
                buf_addc(&b, '=');
                buf_adds(&b, str_percent_encode(r->arena, list[i].value, false));
        }
        TRY(buf_err(&b));
        struct str all = str_arena(r->arena, buf_str(&b));
        if (all.p == NULL)
                return err_static(ERR_NO_MEMORY);
        d->path = (struct str){ all.p, path_n };
        d->query = str_skip(all, path_n);
        d->marked = true;
        return NULL;
}

static struct err *redirect_to(struct api_req *r, const struct cluster_node *owner, unsigned hops)
{
        struct redirect d = { .base = str_of(owner->addr[CLUSTER_NET_PUBLIC].url),
                              .target = owner->id,
                              .path = r->rq->path,
                              .query = r->rq->query,
                              .hops = hops + 1 };
        if (must_rewrite(r) || !str_starts(r->rq->path, STR("/v1/objects/")))
                TRY(rewrite(r, &d));
        if (!api__redirect(r->api, r->snap, r->rq, r->rs, &d))
                return err_new(ERR_URI_TOO_LONG, "path and query are too long to be redirected");
        return NULL;
}

static bool is_target_down(const struct snapshot *s)
{
        for (unsigned i = 0; i < s->member_count; i++)
                if (!s->members[i].up && s->members[i].target[0] != '\0')
                        return true;
        return false;
}

/* Work that began at one target goes on there: append handles and upload ids name it. Null: the owner's. One that can
 * not be found may be at a target that is down: then it is not gone. */
static struct err *named_target(struct api_req *r, const struct cluster_node **ret)
{
        struct str upload = api_param(r, "uploadId"), handle = api_param(r, "append_handle");
        *ret = NULL;
        if (upload.n == 0 && handle.n == 0)
                return NULL;
        if (upload.n > 0)
                *ret = flow_upload_target(r->snap, upload);
        else
                TRY(flow_append_target(r->snap, handle, ret));
        if (*ret == NULL && is_target_down(r->snap))
                return err_new(ERR_UNAVAILABLE, "the target where this was begun is not available");
        if (*ret == NULL && handle.n > 0)
                return err_new(ERR_NOT_FOUND, "append \"" STR_FMT "\" does not exist", STR_ARG(handle));
        return NULL;
}

static struct err *refusal(struct api_req *r, enum route_kind kind)
{
        char text[192];
        if (kind == ROUTE_UNMARKED)
                return err_new(ERR_INVALID, "t[%s]: " STR_FMT "(obj) is expected to be redirected", r->snap->target->id,
                               STR_ARG(r->rq->head->method_text));
        if (kind == ROUTE_FORBIDDEN)
                return err_new(ERR_DIRECT_ACCESS, "direct target access denied");
        if (kind == ROUTE_EARLY)
                return err_new(ERR_UNAVAILABLE, "the key by which the redirect was signed is not known here yet");
        return err_new(ERR_UNAVAILABLE, "%s/" STR_FMT ": no target of the cluster owns it at the moment",
                       bck_text(&r->bucket->bck, text), STR_ARG(r->object));
}

/* Its sender may know a newer map, or a bucket that was made just now. What does not come in time is not needed to
 * answer rightly: ownership is settled by epochs. */
static void catch_up(struct api_req *r, const struct route *w)
{
        int64_t deadline = clock_mono_ns() + SENDER_WAIT_NS;
        if (w->index > r->snap->index)
                err_free(api__wait_index(r->api, w->index, deadline));
        if (w->smap_version > r->snap->smap_version)
                err_free(cluster_wait_smap(r->node->cluster, w->smap_version, deadline));
        api__repin(r);
}

void api__route_sender(struct api_req *r)
{
        struct sign_claims c = { .hops = 0 };
        if (check(r->api, r->snap, r->rq, &c) != SIGN_GOOD)
                return; /* judged with the object, when it is known */
        struct route w = { .smap_version = c.smap_version, .index = c.index };
        if (route_is_ahead(&w, r->snap))
                catch_up(r, &w);
}

struct err *api__route_object(struct api_req *r, bool *ret_done)
{
        const struct cluster_node *named;
        struct route w;
        TRY(named_target(r, &named));
        api__route(r->api, r->snap, r->rq, snapshot_digest(r->bucket, r->object), named, &w);
        *ret_done = w.kind == ROUTE_AWAY;
        switch (w.kind) {
        case ROUTE_HERE:
                return NULL;
        case ROUTE_AWAY:
                return redirect_to(r, w.owner, w.hops);
        case ROUTE_UNMARKED:
        case ROUTE_FORBIDDEN:
        case ROUTE_EARLY:
        case ROUTE_LOST:
                break;
        }
        return refusal(r, w.kind);
}

struct err *api__route_again(struct api_req *r, struct err *e)
{
        bool done = false;
        api__repin(r);
        http_resp_reset(r->rs);
        r->bucket = snapshot_bucket(r->snap, &r->bck);
        if (r->bucket == NULL)
                return err_recode(e, ERR_UNAVAILABLE, "the bucket is going away");
        struct err *e2 = api__route_object(r, &done);
        if (e2 != NULL || done) {
                err_free(e);
                return e2;
        }
        return err_recode(e, ERR_UNAVAILABLE, "ownership is changing");
}

/* ---- before a body ---- */

static bool asks_where(const struct http_req *rq)
{
        return rq->tls && !rq->head->keep_alive && rq->method == HTTP_PUT && rq->body_length > 0 &&
               str_starts(rq->path, STR("/v1/objects/")) &&
               str_starts(http_req_header(rq, STR("User-Agent")), STR("ais/python")) &&
               !api__query_has(rq->query, "pid");
}

/* To where it came from: the name by which this client knows us. */
static bool redirect_to_self(struct api *a, const struct snapshot *s, struct http_req *rq, struct http_resp *rs)
{
        char base[320];
        struct str host = rq->head->host;
        if (host.n == 0 || host.n > 255)
                str_copy(base, sizeof(base), str_of(a->public_url));
        else
                snprintf(base, sizeof(base), "https://" STR_FMT, STR_ARG(host));
        struct redirect d = { .base = str_of(base),
                              .target = s->target != NULL ? s->target->id : own_id(s),
                              .path = rq->path,
                              .query = rq->query,
                              .hops = 1 };
        return api__redirect(a, s, rq, rs, &d);
}

bool api__redirect_before_body(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        struct api *a = ctx;
        if (rq->method != HTTP_PUT)
                return false;
        if (UNLIKELY(asks_where(rq))) {
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(a->node->cluster);
                bool done = api__hot_redirect(a, rq, rs) || redirect_to_self(a, s, rq, rs);
                rs->close = rs->close || done;
                return done;
        }
        return api__hot_redirect(a, rq, rs);
}
