/* api/relay.c: see relay.h.
 *
 * Passing on: the headers that mean something to the answer go along, the body is what was read already or is read now
 * (control messages: bounded). A short answer is taken whole; of a long one (logs) the head is passed back and the body
 * streams. Failure: a call that certainly did nothing is made again until the deadline; one whose outcome is not known
 * is an error, which the client may judge. */
#define LOG_FOLDER "api"
#include "api/relay.h"

#include "api/leave.h"
#include "api/redirect.h"
#include "api/request.h"
#include "base/log.h"
#include "net/rpc.h"
#include "os/clock.h"

#define ELECTION_NS (8 * NS_PER_SEC) /* how long a request waits for a leader */
#define AGAIN_NS (50 * NS_PER_MS)
#define LONELY_NS (3 * NS_PER_SEC)   /* so long after the end of its lease a node does not hope for one any more */
#define CALL_NS (30 * NS_PER_SEC)   /* one passed on */
#define ASK_NS (5 * NS_PER_SEC)     /* one of several questions */
#define VISIBLE_NS (5 * NS_PER_SEC) /* until a change that the leader made is here too */
#define WHOLE_MAX ((int64_t)1024 * 1024)
#define STREAM_STEP ((size_t)64 * 1024)

/* ---- the side that asks ---- */

bool api__is_own(const struct api_req *r, const struct cluster_node *n)
{
        return strcmp(n->member, r->snap->member_id) == 0;
}

static bool goes_along(struct str name)
{
        static const char *const names[] = { "Accept", "Content-Type", "Range" };
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (str_eq_nocase(name, str_of(names[i])))
                        return true;
        return name.n > 4 && str_eq_nocase((struct str){ name.p, 4 }, STR("Ais-"));
}

static bool comes_back(struct str name)
{
        static const char *const own[] = { "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Date" };
        for (size_t i = 0; i < ARRAY_LEN(own); i++)
                if (str_eq_nocase(name, str_of(own[i])))
                        return false;
        return name.n < 6 || !str_eq_nocase((struct str){ name.p, 6 }, STR("Orlop-"));
}

static void copy_headers(const struct http_head *h, struct buf *out)
{
        for (unsigned i = 0; i < h->nheaders; i++)
                if (goes_along(h->headers[i].name))
                        buf_printf(out, STR_FMT ": " STR_FMT "\r\n", STR_ARG(h->headers[i].name),
                                   STR_ARG(h->headers[i].value));
}

static struct rpc_peer peer_of(const struct cluster_member *m)
{
        struct rpc_peer p = { .port = m->port };
        str_copy(p.id, sizeof(p.id), str_of(m->id));
        str_copy(p.host, sizeof(p.host), str_of(m->host));
        return p;
}

/* The request's body, as it was read for the envelope or is read now. */
static struct err *whole_body(struct api_req *r, struct str *ret)
{
        if (r->body.p == NULL && r->rq->body_length != 0)
                TRY(http_req_read_all(r->rq, CONTROL_BODY_MAX, &r->body));
        *ret = r->body;
        return NULL;
}

static struct err *stream_next(void *arg, struct buf *out, bool *ret_end)
{
        size_t n;
        char *p = buf_reserve(out, STREAM_STEP);
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(http_reply_read(arg, p, STREAM_STEP, &n));
        out->n += n;
        *ret_end = n == 0;
        return NULL;
}

static void stream_end(void *arg)
{
        http_reply_close(arg);
}

struct err *api__take_answer(struct api_req *r, struct http_reply *reply, uint64_t *ret_index)
{
        AUTO_REPLY struct http_reply *own = reply;
        struct str name, value;
        uint64_t status = 0, index = 0;
        int64_t length = http_reply_length(reply);
        if (!str_u64(http_reply_header(reply, STR("Orlop-Status")), &status) || status < 200 || status > 599)
                return err_new(ERR_MALFORMED, "an answer without a status");
        (void)str_u64(http_reply_header(reply, STR("Orlop-Index")), &index);
        *ret_index = index;
        http_resp_status(r->rs, (int)status);
        for (unsigned i = 0; http_reply_header_at(reply, i, &name, &value); i++)
                if (comes_back(name)) {
                        struct str n = str_arena(r->arena, name);
                        if (n.p == NULL)
                                return err_static(ERR_NO_MEMORY);
                        http_resp_header(r->rs, n.p, value);
                }
        if (r->rq->method == HTTP_HEAD) {
                http_resp_head_length(r->rs, MAX(length, 0));
                return NULL;
        }
        if (length < 0 || length > WHOLE_MAX) {
                http_resp_gen(r->rs, stream_next, length, stream_end, own);
                own = NULL;
                return NULL;
        }
        AUTO_BUF struct buf b = BUF_INIT;
        TRY(http_reply_read_all(reply, (size_t)WHOLE_MAX, &b));
        TRY(api_reserve(r, b.n));
        size_t n;
        char *p = buf_take(&b, &n);
        http_resp_mem(r->rs, (struct str){ p, n }, free, p);
        return NULL;
}

/* One call. *ret_answered: an error is the peer's own. */
static struct err *pass_on(struct api_req *r, const struct cluster_member *m, struct str target, bool *ret_answered,
                           uint64_t *ret_index)
{
        AUTO_BUF struct buf head = BUF_INIT;
        struct rpc_peer peer = peer_of(m);
        struct rpc_client *c = cluster_rpc(r->node->cluster);
        struct http_reply *reply;
        *ret_answered = false;
        if (c == NULL)
                return err_new(ERR_UNAVAILABLE, "this node has no cluster port");
        copy_headers(r->rq->head, &head);
        struct str path = str_printf(r->arena, "/api" STR_FMT, STR_ARG(target));
        struct rpc_request rq = { .method = http_method_name(r->rq->method),
                                  .target = path,
                                  .deadline_ns = clock_mono_ns() + CALL_NS,
                                  .ret_answered = ret_answered };
        if (path.p == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(whole_body(r, &rq.body));
        TRY(buf_err(&head));
        rq.head = buf_str(&head);
        TRY(rpc_send(c, &peer, &rq, &reply));
        *ret_answered = true;
        return api__take_answer(r, reply, ret_index);
}

static struct str own_target(const struct api_req *r)
{
        return r->rq->head->target;
}

/* Whether nothing can have happened: asking again is safe. */
static bool did_nothing(const struct err *e, bool answered)
{
        enum err_code code = err_code(e);
        if (answered)
                return code == ERR_NOT_PRIMARY || code == ERR_STARTING;
        return code == ERR_IO || code == ERR_FOREIGN; /* refused, unreachable, somebody else by now */
}

struct err *api__relay_primary(struct api_req *r, bool *ret_done)
{
        struct cluster *c = r->node->cluster;
        int64_t deadline = clock_mono_ns() + ELECTION_NS;
        *ret_done = false;
        if (r->internal && !cluster_is_leader(c))
                return err_new(ERR_NOT_PRIMARY, "this node is not the primary");
        while (!cluster_is_leader(c)) {
                const struct cluster_member *m = cluster_leader(r->snap);
                bool answered = false;
                uint64_t index = 0;
                struct err *e = err_static(ERR_NOT_PRIMARY);
                if (m != NULL && strcmp(m->id, r->snap->member_id) != 0)
                        e = pass_on(r, m, own_target(r), &answered, &index);
                else
                        answered = true;
                if (e == NULL) {
                        if (index > 0)
                                log_err(LOG_WARN, LOG_FOLDER,
                                        api__wait_index(r->api, index, clock_mono_ns() + VISIBLE_NS),
                                        "a change made by the primary");
                        *ret_done = true;
                        return NULL;
                }
                http_resp_reset(r->rs);
                if (!did_nothing(e, answered))
                        return err_recode(e, ERR_UNAVAILABLE, "the primary's answer is missing: it may have done it");
                int64_t now = clock_mono_ns();
                if (now > deadline || !cluster_has_lease(c, now - LONELY_NS))
                        return err_recode(e, ERR_UNAVAILABLE, "no primary answers");
                err_free(e);
                clock_sleep_ns(AGAIN_NS);
                api__repin(r);
        }
        return NULL;
}

struct err *api__relay_again(struct api_req *r, struct err *e)
{
        bool done = false;
        if (r->internal) /* the node that was asked first knows where to go on */
                return e;
        http_resp_reset(r->rs);
        struct err *e2 = api__relay_primary(r, &done);
        if (e2 != NULL || done) {
                err_free(e);
                return e2;
        }
        return err_recode(e, ERR_UNAVAILABLE, "the primary changes");
}

struct err *api__relay_member(struct api_req *r, const struct cluster_member *m, struct str target)
{
        bool answered;
        uint64_t index;
        struct err *e = pass_on(r, m, target, &answered, &index);
        if (e == NULL || answered)
                return e;
        log_err(LOG_WARN, LOG_FOLDER, e, "request %lu for member %s", (unsigned long)r->rq->id, m->id);
        http_resp_reset(r->rs);
        api_reply_empty(r, 502);
        return NULL;
}

/* ---- the same question to several ---- */

static struct err *prepare_ask(struct api_req *r, const char *method, struct str path, struct str body,
                               const struct cluster_node *n, struct rpc_fan *ret)
{
        const struct cluster_member *m = snapshot_member(r->snap, str_of(n->member));
        if (m == NULL)
                return err_new(ERR_UNAVAILABLE, "node %s belongs to no member", n->id);
        static const char lines[] = "Ais-Node-Id: %s\r\nOrlop-Plain: yes\r\nContent-Type: application/json\r\n";
        struct str head = str_printf(r->arena, lines, n->id);
        if (head.p == NULL)
                return err_static(ERR_NO_MEMORY);
        *ret = (struct rpc_fan){ .peer = peer_of(m),
                                 .rq = { .method = method, .target = path, .head = head, .body = body } };
        return NULL;
}

struct err *api__ask(struct api_req *r, const char *method, struct str target, struct str body, struct api_ask *list,
                     unsigned n)
{
        struct rpc_client *c = cluster_rpc(r->node->cluster);
        struct rpc_fan *calls = arena_alloc(r->arena, (n + 1) * sizeof(*calls));
        struct str path = str_printf(r->arena, "/api" STR_FMT, STR_ARG(target));
        struct err *first = NULL;
        if (n == 0)
                return NULL;
        if (c == NULL)
                return err_new(ERR_UNAVAILABLE, "this node has no cluster port");
        if (calls == NULL || path.p == NULL)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n; i++)
                TRY(prepare_ask(r, method, path, body, list[i].node, &calls[i]));
        rpc_fanout(c, calls, n, clock_mono_ns() + ASK_NS);
        for (unsigned i = 0; i < n; i++) {
                struct err *e = calls[i].err;
                list[i].answer = str_arena(r->arena, str_trim(buf_str(&calls[i].body)));
                if (e == NULL && calls[i].body.n > 0 && list[i].answer.p == NULL)
                        e = err_static(ERR_NO_MEMORY);
                buf_fini(&calls[i].body);
                if (first == NULL)
                        first = e;
                else
                        err_free(e);
        }
        if (first == NULL || err_code(first) == ERR_INVALID)
                return first;
        return err_recode(first, ERR_UNAVAILABLE, "a node does not answer");
}

struct err *api__ask_members(struct api_req *r, const char *method, struct str target, struct str body)
{
        struct api_ask *list = arena_alloc(r->arena, (r->snap->member_count + 1) * sizeof(*list));
        unsigned n = 0;
        if (list == NULL)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < r->snap->member_count; i++) {
                const struct cluster_member *m = &r->snap->members[i];
                const struct cluster_node *node = snapshot_node(r->snap, str_of(m->proxy[0] ? m->proxy : m->target));
                if (m->up && node != NULL && !api__is_own(r, node))
                        list[n++] = (struct api_ask){ .node = node };
        }
        return api__ask(r, method, target, body, list, n);
}

/* ---- the side that answers ---- */

static const char *caller_of(struct api_req *r, const char *peer)
{
        const struct cluster_member *m = snapshot_member(r->snap, str_of(peer));
        if (m == NULL)
                return "";
        bool proxy = m->proxy[0] != '\0';
        struct str text = str_printf(r->arena, "%c[%s]", proxy ? 'p' : 't', proxy ? m->proxy : m->target);
        return text.p != NULL ? text.p : "";
}

/* The asker goes by code and text of the call itself: it was not passed on, or it asks several. */
static bool is_error_of_call(struct api_req *r, const struct err *e)
{
        return err_code(e) == ERR_NOT_PRIMARY || http_req_header(r->rq, STR("Orlop-Plain")).p != NULL;
}

/* Which of this member's two nodes is meant. */
static bool is_about_target(const struct api_req *r)
{
        const struct snapshot *s = r->snap;
        return s->target != NULL && !str_starts(r->rq->path, STR("/v1/cluster")) &&
               str_eq(http_req_header(r->rq, STR("Ais-Node-Id")), str_of(s->target->id));
}

static struct err *answer(struct rpc_req *rq)
{
        struct api *a = rq->ctx;
        if (!atomic_load(&a->ready))
                return err_static(ERR_STARTING);
        rq->http->path = str_skip(rq->http->path, sizeof("/api") - 1);
        const struct snapshot *snap = cluster_pin(a->node->cluster);
        struct api_req *r = api__request_new(a, rq->http, rq->resp, snap);
        if (r == NULL) {
                cluster_unpin(snap);
                return err_static(ERR_NO_MEMORY);
        }
        r->internal = true;
        r->caller = caller_of(r, rq->peer_id);
        if (is_about_target(r))
                r->role_target = true;
        struct err *e = api__dispatch(r);
        if (e != NULL && is_error_of_call(r, e)) {
                api__request_end(r);
                return e;
        }
        if (e != NULL)
                api_reply_err(r, e);
        AUTO_SNAPSHOT const struct snapshot *after = cluster_pin(a->node->cluster);
        http_resp_headerf(rq->resp, "Orlop-Status", "%d", rq->resp->status);
        http_resp_headerf(rq->resp, "Orlop-Index", "%lu", (unsigned long)after->index);
        http_resp_status(rq->resp, 200);
        api__request_end(r);
        return NULL;
}

#define METHODS(where, class)                                                                         \
        { .method = "GET", .path = where, .prefix = true, .cls = class, .handle = answer },           \
                { .method = "HEAD", .path = where, .prefix = true, .cls = class, .handle = answer },  \
                { .method = "PUT", .path = where, .prefix = true, .cls = class, .handle = answer },   \
                { .method = "POST", .path = where, .prefix = true, .cls = class, .handle = answer },  \
                { .method = "PATCH", .path = where, .prefix = true, .cls = class, .handle = answer }, \
        {                                                                                             \
                .method = "DELETE", .path = where, .prefix = true, .cls = class, .handle = answer     \
        }

/* What a node tells of itself needs no other node, and so must not wait behind what does. */
static const struct rpc_route routes[] = {
        METHODS("/api/", POOL_CONTROL),
        METHODS("/api/v1/daemon", POOL_PEER),
        METHODS("/api/v1/health", POOL_PEER),
        { .method = "POST", .path = "/node/end", .cls = POOL_PEER, .handle = api__leave_end },
        { .method = NULL },
};

struct err *api__relay_routes(struct api *a, struct rpc_server *s)
{
        return rpc_server_add(s, routes, a);
}
