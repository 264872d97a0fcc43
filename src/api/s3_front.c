/* api/s3_front.c: one S3 request at the node that was asked: what is wanted (s3/target.h), who wants it (s3/sig.h),
 * whether he may, and where it belongs. Nothing of the body is read before all that is known. */
#define LOG_FOLDER "api"
#include "api/s3.h"

#include "api/core.h"
#include "api/redirect.h"
#include "api/request.h"
#include "api/s3_keys.h"
#include "api/s3_rules.h"
#include "base/log.h"
#include "net/server.h"
#include "os/clock.h"
#include "s3/sig.h"

enum where { HERE, LEADER, OWNER };
static const struct op_row {
        s3_handler_fn *fn; /* null: not implemented */
        enum where where;
        bool needs_bucket;
} ops[S3_OP_COUNT] = {
        [S3_OP_LIST_BUCKETS] = { s3__list_buckets, HERE, false },
        [S3_OP_CREATE_BUCKET] = { s3__create_bucket, LEADER, false },
        [S3_OP_HEAD_BUCKET] = { s3__head_bucket, HERE, true },
        [S3_OP_DELETE_BUCKET] = { s3__delete_bucket, LEADER, true },
        [S3_OP_LIST_OBJECTS] = { s3__list_objects, HERE, true },
        [S3_OP_LIST_OBJECTS_V2] = { s3__list_objects, HERE, true },
        [S3_OP_LIST_VERSIONS] = { s3__list_objects, HERE, true },
        [S3_OP_DELETE_OBJECTS] = { s3__delete_objects, HERE, true },
        [S3_OP_GET_LOCATION] = { s3__get_location, HERE, true },
        [S3_OP_GET_VERSIONING] = { s3__get_versioning, HERE, true },
        [S3_OP_GET_BUCKET_ACL] = { s3__get_bucket_acl, HERE, true },
        [S3_OP_PUT_BUCKET_ACL] = { s3__put_bucket_acl, LEADER, true },
        [S3_OP_GET_POLICY] = { s3__get_policy, HERE, true },
        [S3_OP_PUT_POLICY] = { s3__put_policy, LEADER, true },
        [S3_OP_DELETE_POLICY] = { s3__delete_policy, LEADER, true },
        [S3_OP_GET_POLICY_STATUS] = { s3__get_policy_status, HERE, true },
        [S3_OP_GET_CORS] = { s3__get_cors, HERE, true },
        [S3_OP_PUT_CORS] = { s3__put_cors, LEADER, true },
        [S3_OP_DELETE_CORS] = { s3__delete_cors, LEADER, true },
        [S3_OP_PREFLIGHT] = { s3__preflight, HERE, false },
        [S3_OP_GET_OBJECT_ACL] = { s3__get_object_acl, OWNER, true },
        [S3_OP_PUT_OBJECT_ACL] = { s3__put_object_acl, OWNER, true },
        [S3_OP_GET_OBJECT] = { s3__get_object, OWNER, true },
        [S3_OP_HEAD_OBJECT] = { s3__get_object, OWNER, true },
        [S3_OP_PUT_OBJECT] = { s3__put_object, OWNER, true },
        [S3_OP_COPY_OBJECT] = { s3__copy_object, OWNER, true },
        [S3_OP_DELETE_OBJECT] = { s3__delete_object, OWNER, true },
        [S3_OP_GET_ATTRIBUTES] = { s3__get_attributes, OWNER, true },
        [S3_OP_GET_OBJECT_TAGGING] = { s3__get_tags, OWNER, true },
        [S3_OP_PUT_OBJECT_TAGGING] = { s3__put_tags, OWNER, true },
        [S3_OP_DELETE_OBJECT_TAGGING] = { s3__delete_tags, OWNER, true },
        [S3_OP_CREATE_UPLOAD] = { s3__create_upload, OWNER, true },
        [S3_OP_UPLOAD_PART] = { s3__upload_part, OWNER, true },
        [S3_OP_UPLOAD_PART_COPY] = { s3__upload_part_copy, OWNER, true },
        [S3_OP_COMPLETE_UPLOAD] = { s3__complete_upload, OWNER, true },
        [S3_OP_ABORT_UPLOAD] = { s3__abort_upload, OWNER, true },
        [S3_OP_LIST_PARTS] = { s3__list_parts, OWNER, true },
};

/* ---- what must not be passed over ---- */

/* Headers that the target allows, whose meaning is not built yet. */
static struct err *refuse_unbuilt(struct s3_req *q)
{
        static const char *const names[] = {
                "x-amz-server-side-encryption", "x-amz-server-side-encryption-customer-algorithm", "x-amz-server-side-encryption-customer-key",
                "x-amz-copy-source-server-side-encryption-customer-algorithm", "x-amz-object-lock-mode", "x-amz-object-lock-legal-hold",
                "x-amz-object-lock-retain-until-date", "x-amz-website-redirect-location",
        };
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (s3_header(q, names[i]).n > 0)
                        return s3_refuse(q, S3_NOT_IMPLEMENTED, "The header %s is not implemented", names[i]);
        struct str lock = s3_header(q, "x-amz-bucket-object-lock-enabled"), class = s3_header(q, "x-amz-storage-class"), acl = s3_header(q, "x-amz-acl");
        enum s3_acl canned;
        if (lock.n > 0 && !str_eq_nocase(lock, STR("false")))
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "Object lock is not implemented");
        if (class.n > 0 && !str_eq(class, STR("STANDARD")))
                return s3_refuse(q, S3_INVALID_STORAGE_CLASS, NULL);
        if (acl.n > 0 && !s3_acl_parse(acl, &canned))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "The ACL is not a canned one");
        struct str version = s3_param(q, S3_P_VERSION_ID);
        if (version.p != NULL && !str_eq(version, STR("null")))
                return s3_refuse(q, S3_NO_SUCH_VERSION, NULL);
        return NULL;
}

struct err *s3_find_bucket(struct s3_req *q)
{
        struct api_req *r = q->r;
        if (q->t.bucket.p == NULL)
                return NULL;
        r->bucket = NULL;
        if (q->t.bucket.n > BUCKET_NAME_MAX || !str_copy(r->bck.name, sizeof(r->bck.name), q->t.bucket))
                return ops[q->t.op].needs_bucket ? s3_refuse(q, S3_NO_SUCH_BUCKET, NULL) : NULL;
        r->object = q->t.key;
        if (!ops[q->t.op].needs_bucket && q->t.op != S3_OP_PREFLIGHT)
                return NULL;
        r->bucket = snapshot_bucket_ais(r->snap, q->t.bucket);
        if (r->bucket == NULL && r->snap->member_count > 1) { /* another node may have made it a moment ago */
                TRY(cluster_sync(r->node->cluster, clock_mono_ns() + NS_PER_SEC));
                api__repin(r);
                r->bucket = snapshot_bucket_ais(r->snap, q->t.bucket);
        }
        return r->bucket != NULL || q->t.op == S3_OP_PREFLIGHT ? NULL : s3_refuse(q, S3_NO_SUCH_BUCKET, NULL);
}

/* S3's names, as far as the native API has them: a last '/' is fine here, and marks a directory for some clients. */
static struct err *check_key(struct s3_req *q)
{
        struct str key = q->t.key;
        if (key.p == NULL)
                return NULL;
        if (key.n > OBJECT_NAME_MAX)
                return s3_refuse(q, S3_KEY_TOO_LONG, NULL);
        if (key.n > 1 && key.p[key.n - 1] == '/')
                key.n--;
        struct err *e = object_name_check(key);
        if (e == NULL)
                return NULL;
        char text[200];
        err_text(e, text, sizeof(text));
        err_free(e);
        return s3_refuse(q, S3_INVALID_ARGUMENT, "%s", text);
}

/* ---- who ---- */

struct finding {
        struct s3_req *q;
        struct str user;
};

static bool find_key(void *arg, struct str access, struct str *ret_secret, const void **ret_user)
{
        struct finding *f = arg;
        *ret_user = f;
        return api__s3_keys_find(f->q->r->api->s3_keys, f->q->r->node->cluster, f->q->r->arena, access, ret_secret, &f->user);
}

/* Nobody is asked who he is: how the body is packed is still looked at. */
static enum s3_payload unproven_payload(const struct s3_req *q)
{
        struct str v = s3_header(q, "x-amz-content-sha256");
        if (str_eq(v, STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")))
                return S3_PAYLOAD_STREAM;
        if (str_eq(v, STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")))
                return S3_PAYLOAD_STREAM_TRAILER;
        return str_starts(v, STR("STREAMING-")) ? S3_PAYLOAD_STREAM_UNSIGNED_TRAILER : S3_PAYLOAD_UNSIGNED;
}

static struct err *identify(struct s3_req *q, struct s3_sig *sig, bool *ret_unproven)
{
        struct api *a = q->r->api;
        const struct http_head *h = q->r->rq->head;
        struct finding f = { q, STR_NONE };
        if (!api__s3_keys_exist(a->s3_keys, q->r->node->cluster)) {
                *sig = (struct s3_sig){ .payload = unproven_payload(q) };
                q->user = STR("anyone");
                *ret_unproven = q->open = true;
                return NULL;
        }
        *ret_unproven = false;
        struct s3_sig_rules rules = { .now_s = clock_wall_ns() / NS_PER_SEC, .find = find_key, .arg = &f, .keys = api__s3_keys_cache(a->s3_keys) };
        struct s3_sig_request rq = { h->method_text, h->path, h->query, h->headers, h->nheaders };
        TRY(s3_judge(q, s3_sig_verify(&rules, &rq, q->r->arena, sig, &q->fault)));
        if (sig->auth == S3_AUTH_BEARER)
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "Bearer tokens are not implemented");
        q->user = sig->auth == S3_AUTH_ANONYMOUS ? STR_NONE : f.user;
        return NULL;
}

static struct err *read_client(void *rq, void *p, size_t n, size_t *ret_n)
{
        return http_req_read(rq, p, n, ret_n);
}

/* ---- one request ---- */

struct err *s3_handle(struct s3_req *q)
{
        s3_handler_fn *fn = ops[q->t.op].fn;
        return fn != NULL ? fn(q) : s3_refuse(q, S3_NOT_IMPLEMENTED, NULL);
}

static struct err *run(struct s3_req *q, const struct s3_target_rules *rules)
{
        struct http_req *rq = q->r->rq;
        struct s3_sig sig;
        struct s3_body_rules body;
        bool unproven;
        TRY(s3_judge(q, s3_target_parse(rules, rq->head, q->r->arena, &q->t, &q->fault)));
        TRY(identify(q, &sig, &unproven));
        if (ops[q->t.op].fn == NULL)
                return s3_refuse(q, S3_NOT_IMPLEMENTED, NULL);
        TRY(refuse_unbuilt(q));
        TRY(check_key(q));
        TRY(s3_judge(q, s3_body_rules_of(&sig, q->t.headers, q->t.nheaders, rq->body_length, &body, &q->fault)));
        body.unproven = unproven;
        s3_body_init(&q->body, &body, read_client, rq);
        TRY(s3_find_bucket(q));
        TRY(s3_authorize(q));
        switch (ops[q->t.op].where) {
        case LEADER:
                return s3_do_at_leader(q);
        case OWNER:
                return s3_do_at_owner(q);
        case HERE:
                break;
        }
        return s3_handle(q);
}

static void serve(struct api *a, struct http_req *rq, struct http_resp *rs, struct str mount)
{
        const struct s3_target_rules rules = { .mount = mount };
        const struct snapshot *snap = cluster_pin(a->node->cluster);
        struct api_req *r = api__request_new(a, rq, rs, snap);
        struct s3_req *q = r != NULL ? arena_new(rq->arena, struct s3_req) : NULL;
        if (q == NULL) {
                cluster_unpin(snap);
                http_resp_status(rs, 503);
                http_resp_mem(rs, STR_NONE, NULL, NULL);
                return;
        }
        q->r = r;
        snprintf(q->id, sizeof(q->id), "%016lX", (unsigned long)rq->id);
        struct err *e = run(q, &rules);
        if (e != NULL)
                s3_reply_err(q, e);
        else
                http_resp_header(rs, "x-amz-request-id", str_of(q->id));
        s3_cors_answer(q);
        api__request_end(r);
}

void s3_mounted(struct api *a, struct http_req *rq, struct http_resp *rs)
{
        serve(a, rq, rs, STR("/s3"));
}

static void handle(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        serve(ctx, rq, rs, STR_NONE);
}

/* Bodies have workers of their own, so that slow writers do not keep readers waiting. */
static enum http_next on_loop(void *ctx, struct http_req *rq, struct http_resp *rs, enum pool_class *ret_class)
{
        (void)ctx, (void)rs;
        *ret_class = rq->body_length != 0 && rq->body_mem.p == NULL ? POOL_UPLOAD : POOL_DATA;
        return HTTP_WORKER;
}

/* What the server itself refuses: there may be no target yet. */
static void refuse(void *ctx, struct http_req *rq, struct http_resp *rs, enum err_code code, const char *why)
{
        struct api *a = ctx;
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(a->node->cluster);
        struct api_req *r = api__request_new(a, rq, rs, snap);
        struct s3_req *q = r != NULL ? arena_new(rq->arena, struct s3_req) : NULL;
        if (q == NULL)
                return;
        q->r = r;
        snprintf(q->id, sizeof(q->id), "%016lX", (unsigned long)rq->id);
        s3_reply_err(q, err_new(code, "%s", why));
        r->snap = NULL;
}

void s3_app(struct api *a, struct http_app *ret)
{
        *ret = (struct http_app){ .ctx = a, .on_loop = on_loop, .handle = handle, .refuse = refuse, .on_sent = api__core_sent };
}
