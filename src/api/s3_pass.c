/* api/s3_pass.c: having an operation done where it belongs. Both ends.
 *
 * "/s3/bucket/key?query" on the cluster port is the operation as the client asked for it, in path style, without what
 * proved who it was; Orlop-S3-User says who that is, Orlop-S3-Cksum which checksum of the body is wanted. The answer is
 * 2xx for the transport; its own status is in Orlop-Status. NOT_OWNER, NOT_PRIMARY and STARTING are errors of the call
 * itself: nothing was done, and nothing of the body was taken.
 *
 * A body is passed on as it comes: the other end answers "100 Continue" when it is the owner. The edge gives the last
 * byte only when all was right (s3/body.h), and the other end stores nothing that is shorter than announced. */
#define LOG_FOLDER "api"
#include "api/s3.h"

#include "api/redirect.h"
#include "api/relay.h"
#include "api/request.h"
#include "base/log.h"
#include "net/rpc.h"
#include "os/clock.h"

#define CALL_NS (30 * NS_PER_SEC)
#define ELECTION_NS (8 * NS_PER_SEC)
#define VISIBLE_NS (5 * NS_PER_SEC)
#define AGAIN_NS (50 * NS_PER_MS)

/* ---- the side that asks ---- */

static bool goes_along(struct str name)
{
        static const char *const own[] = {
                "Host", "Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding", "Expect", "Authorization", "TE", "Trailer", "Upgrade", "Content-MD5",
                "x-amz-content-sha256", "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-sdk-checksum-algorithm", "x-amz-date", "x-amz-security-token",
        };
        enum s3_cksum k;
        for (size_t i = 0; i < ARRAY_LEN(own); i++)
                if (str_eq_nocase(name, str_of(own[i])))
                        return false;
        if (s3_cksum_from_header(name, &k))
                return false;
        return name.n < 6 || !str_eq_nocase((struct str){ name.p, 6 }, STR("Orlop-"));
}

static void call_head(struct s3_req *q, struct buf *b)
{
        const struct http_head *h = q->r->rq->head;
        for (unsigned i = 0; i < h->nheaders; i++)
                if (goes_along(h->headers[i].name))
                        buf_printf(b, STR_FMT ": " STR_FMT "\r\n", STR_ARG(h->headers[i].name), STR_ARG(h->headers[i].value));
        buf_printf(b, "Orlop-S3-Id: %s\r\n", q->id);
        if (q->open)
                buf_adds(b, STR("Orlop-S3-Open: yes\r\n"));
        if (q->user.p != NULL)
                buf_printf(b, "Orlop-S3-User: " STR_FMT "\r\n", STR_ARG(q->user));
        if (q->body.rules.cksum != S3_CKSUM_NONE)
                buf_printf(b, "Orlop-S3-Cksum: %s\r\n", s3_cksum_name(q->body.rules.cksum));
}

/* The parts of a key that must be escaped in a path. */
static void add_path(struct buf *b, struct str s)
{
        static const char hex[] = "0123456789ABCDEF";
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~' || c == '/';
                if (plain)
                        buf_addc(b, (char)c);
                else
                        buf_add(b, (const char[]){ '%', hex[c >> 4], hex[c & 15] }, 3);
        }
}

static void call_target(struct s3_req *q, struct buf *b)
{
        buf_adds(b, STR("/s3/"));
        add_path(b, q->t.bucket);
        if (q->t.key.p != NULL) {
                buf_addc(b, '/');
                add_path(b, q->t.key);
        }
        if (q->r->rq->query.n > 0) {
                buf_addc(b, '?');
                buf_adds(b, q->r->rq->query);
        }
}

static struct err *read_body(void *arg, void *p, size_t n, size_t *ret_n)
{
        return s3_read(arg, p, n, ret_n);
}

static struct err *call(struct s3_req *q, const struct cluster_member *m, bool *ret_answered, uint64_t *ret_index)
{
        AUTO_BUF struct buf head = BUF_INIT, target = BUF_INIT;
        struct rpc_client *c = cluster_rpc(q->r->node->cluster);
        struct rpc_peer peer = { .port = m->port };
        struct http_reply *reply;
        *ret_answered = false;
        if (c == NULL)
                return err_new(ERR_UNAVAILABLE, "this node has no cluster port");
        str_copy(peer.id, sizeof(peer.id), str_of(m->id));
        str_copy(peer.host, sizeof(peer.host), str_of(m->host));
        call_head(q, &head);
        call_target(q, &target);
        TRY(buf_err(&head));
        TRY(buf_err(&target));
        struct rpc_request rq = { .method = http_method_name(q->r->rq->method), .target = buf_str(&target), .head = buf_str(&head), .ret_answered = ret_answered };
        int64_t length = q->body.rules.length;
        if (length != 0) {
                rq.body_read = read_body;
                rq.body_arg = q;
                rq.body_length = length;
                rq.expect_continue = true;
        } else {
                rq.deadline_ns = clock_mono_ns() + CALL_NS;
        }
        TRY(rpc_send(c, &peer, &rq, &reply));
        *ret_answered = true;
        return api__take_answer(q->r, reply, ret_index);
}

/* Whether it may be asked for again: nothing was done, and the body is still whole. */
static bool may_repeat(const struct s3_req *q, enum err_code code, bool answered)
{
        if (q->body.got > 0 || q->fault.code != S3_OK)
                return false;
        if (answered)
                return code == ERR_NOT_OWNER || code == ERR_NOT_PRIMARY || code == ERR_STARTING;
        return code == ERR_IO || code == ERR_FOREIGN;
}

static bool is_here(const struct s3_req *q, const struct cluster_node *n)
{
        return strcmp(n->member, q->r->snap->member_id) == 0;
}

/* Who is meant, in the newest state: an upload's target, or the owner of the key. */
static struct err *place(struct s3_req *q, const struct cluster_node **ret)
{
        struct str upload = s3_param(q, S3_P_UPLOAD_ID);
        if (upload.p != NULL)
                *ret = flow_upload_target(q->r->snap, upload);
        else
                *ret = snapshot_owner_of(q->r->snap, snapshot_digest(q->r->bucket, q->t.key));
        if (*ret != NULL)
                return NULL;
        if (upload.p != NULL)
                return s3_refuse(q, S3_NO_SUCH_UPLOAD, NULL);
        return err_new(ERR_UNAVAILABLE, "the cluster has no target");
}

static struct err *again(struct s3_req *q)
{
        struct bck bck = q->r->bck;
        http_resp_reset(q->r->rs);
        clock_sleep_ns(AGAIN_NS);
        api__repin(q->r);
        if (bck.name[0] == '\0')
                return NULL;
        return api_find_bucket(q->r, &bck, &q->r->bucket);
}

struct err *s3_do_at_owner(struct s3_req *q)
{
        int64_t deadline = clock_mono_ns() + ELECTION_NS;
        for (;;) {
                const struct cluster_node *n;
                bool answered = true;
                uint64_t index;
                TRY(place(q, &n));
                const struct cluster_member *m = snapshot_member(q->r->snap, str_of(n->member));
                struct err *e;
                if (is_here(q, n))
                        e = s3_handle(q);
                else if (m == NULL)
                        e = err_static(ERR_NOT_OWNER);
                else
                        e = call(q, m, &answered, &index);
                if (e == NULL || !may_repeat(q, e->code, answered))
                        return e;
                if (clock_mono_ns() > deadline)
                        return err_recode(e, ERR_UNAVAILABLE, "the owner does not answer");
                err_free(e);
                TRY(again(q));
        }
}

struct err *s3_do_at_leader(struct s3_req *q)
{
        int64_t deadline = clock_mono_ns() + ELECTION_NS;
        for (;;) {
                const struct cluster_member *m = cluster_leader(q->r->snap);
                bool answered = true;
                uint64_t index = 0;
                struct err *e = err_static(ERR_NOT_PRIMARY);
                if (cluster_is_leader(q->r->node->cluster))
                        e = s3_handle(q);
                else if (m != NULL && strcmp(m->id, q->r->snap->member_id) != 0)
                        e = call(q, m, &answered, &index);
                if (e == NULL && index > 0)
                        log_err(LOG_WARN, LOG_FOLDER, api__wait_index(q->r->api, index, clock_mono_ns() + VISIBLE_NS), "a change made by the primary");
                if (e == NULL || !may_repeat(q, e->code, answered))
                        return e;
                if (clock_mono_ns() > deadline)
                        return err_recode(e, ERR_UNAVAILABLE, "no primary answers");
                err_free(e);
                http_resp_reset(q->r->rs);
                clock_sleep_ns(AGAIN_NS);
                api__repin(q->r);
        }
}

/* One delete at another member. */
static struct err *call_delete(struct s3_req *q, const struct cluster_member *m, struct str key)
{
        AUTO_BUF struct buf target = BUF_INIT;
        struct rpc_client *c = cluster_rpc(q->r->node->cluster);
        struct rpc_peer peer = { .port = m->port };
        struct http_reply *reply;
        uint64_t status = 0;
        if (c == NULL)
                return err_new(ERR_UNAVAILABLE, "this node has no cluster port");
        str_copy(peer.id, sizeof(peer.id), str_of(m->id));
        str_copy(peer.host, sizeof(peer.host), str_of(m->host));
        buf_adds(&target, STR("/s3/"));
        add_path(&target, q->t.bucket);
        buf_addc(&target, '/');
        add_path(&target, key);
        TRY(buf_err(&target));
        struct rpc_request rq = { .method = "DELETE", .target = buf_str(&target), .deadline_ns = clock_mono_ns() + CALL_NS };
        TRY(rpc_send(c, &peer, &rq, &reply));
        bool known = str_u64(http_reply_header(reply, STR("Orlop-Status")), &status);
        http_reply_close(reply);
        return known && status == 204 ? NULL : err_new(ERR_UNAVAILABLE, "the owner could not delete it (%lu)", (unsigned long)status);
}

struct err *s3_delete_anywhere(struct s3_req *q, struct str key)
{
        int64_t deadline = clock_mono_ns() + ELECTION_NS;
        for (;;) {
                const struct cluster_node *n = snapshot_owner_of(q->r->snap, snapshot_digest(q->r->bucket, key));
                const struct cluster_member *m = n != NULL ? snapshot_member(q->r->snap, str_of(n->member)) : NULL;
                struct err *e = err_static(ERR_NOT_OWNER);
                if (m != NULL)
                        e = is_here(q, n) ? flow_delete(q->r->node, q->r->bucket, key) : call_delete(q, m, key);
                if (err_code(e) == ERR_NOT_FOUND) {
                        err_free(e);
                        return NULL;
                }
                if (err_code(e) != ERR_NOT_OWNER)
                        return e;
                if (clock_mono_ns() > deadline)
                        return err_recode(e, ERR_UNAVAILABLE, "the owner does not answer");
                err_free(e);
                TRY(again(q));
        }
}

/* ---- the side that answers ---- */

static struct err *read_plain(void *rq, void *p, size_t n, size_t *ret_n)
{
        return http_req_read(rq, p, n, ret_n);
}

/* Takes what the edge has judged. */
static struct err *take_over(struct s3_req *q)
{
        const struct s3_target_rules rules = { .mount = STR("/s3") };
        struct http_req *rq = q->r->rq;
        struct s3_body_rules body = { .payload = S3_PAYLOAD_UNSIGNED, .length = rq->body_length };
        struct str cksum = http_req_header(rq, STR("Orlop-S3-Cksum"));
        str_copy(q->id, sizeof(q->id), http_req_header(rq, STR("Orlop-S3-Id")));
        q->user = http_req_header(rq, STR("Orlop-S3-User"));
        q->passed_on = true;
        q->open = http_req_header(rq, STR("Orlop-S3-Open")).p != NULL;
        if (cksum.n > 0 && !s3_cksum_from_name(cksum, &body.cksum))
                return err_new(ERR_MALFORMED, "unknown checksum");
        s3_body_init(&q->body, &body, read_plain, rq);
        TRY(s3_judge(q, s3_target_parse(&rules, rq->head, q->r->arena, &q->t, &q->fault)));
        return s3_find_bucket(q);
}

static struct err *answer(struct rpc_req *rq)
{
        struct api *a = rq->ctx;
        if (!atomic_load(&a->ready))
                return err_static(ERR_STARTING);
        const struct snapshot *snap = cluster_pin(a->node->cluster);
        struct api_req *r = api__request_new(a, rq->http, rq->resp, snap);
        struct s3_req *q = r != NULL ? arena_new(r->arena, struct s3_req) : NULL;
        if (q == NULL) {
                cluster_unpin(snap);
                return err_static(ERR_NO_MEMORY);
        }
        q->r = r;
        struct err *e = take_over(q);
        if (e == NULL)
                e = s3_handle(q);
        enum err_code code = q->fault.code == S3_OK ? err_code(e) : ERR_NONE;
        if (code == ERR_NOT_OWNER || code == ERR_NOT_PRIMARY) {
                api__request_end(r);
                return e;
        }
        if (e != NULL)
                s3_reply_err(q, e);
        AUTO_SNAPSHOT const struct snapshot *after = cluster_pin(a->node->cluster);
        http_resp_headerf(rq->resp, "Orlop-Status", "%d", rq->resp->status);
        http_resp_headerf(rq->resp, "Orlop-Index", "%lu", (unsigned long)after->index);
        http_resp_status(rq->resp, 200);
        api__request_end(r);
        return NULL;
}

/* Workers of their own: these never wait for another member's workers of this kind but to read a source. */
#define ROW(name) { .method = name, .path = "/s3/", .prefix = true, .cls = POOL_PEER, .handle = answer }
static const struct rpc_route routes[] = { ROW("GET"), ROW("HEAD"), ROW("PUT"), ROW("POST"), ROW("DELETE"), { .method = NULL } };

struct err *s3_pass_routes(struct api *a, struct rpc_server *s)
{
        return rpc_server_add(s, routes, a);
}
