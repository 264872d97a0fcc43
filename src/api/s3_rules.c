/* api/s3_rules.c: see s3_rules.h; and the requests that show and change the rules. */
#include "api/s3_rules.h"

#include <stdio.h>

#include "api/buckets.h"
#include "api/s3_keys.h"
#include "base/json.h"
#include "os/clock.h"
#include "s3/cors.h"
#include "s3/policy.h"
#include "s3/write.h"

#define DOC_MAX ((size_t)256 << 10)
#define CORS_MAX ((size_t)64 << 10)

/* ---- the document ---- */

struct reading {
        struct s3_req *q;
        struct s3_rules *rules;
};

static struct str kept(struct s3_req *q, const json_t *doc, const char *name)
{
        return str_arena(q->r->arena, json_str(json_object_get(doc, name)));
}

static struct err *on_doc(void *arg, struct str key, struct str body)
{
        struct reading *r = arg;
        json_t *doc;
        (void)key;
        TRY(json_parse(body, DOC_MAX, &doc));
        r->rules->owner = kept(r->q, doc, "owner");
        r->rules->policy = kept(r->q, doc, "policy");
        r->rules->cors = kept(r->q, doc, "cors");
        if (!s3_acl_parse(json_str(json_object_get(doc, "acl")), &r->rules->acl))
                r->rules->acl = S3_ACL_PRIVATE;
        json_decref(doc);
        return NULL;
}

static struct str doc_key(struct s3_req *q, uint64_t bid)
{
        return str_printf(q->r->arena, "s3b/%016lx", (unsigned long)bid);
}

static struct err *load(struct s3_req *q, uint64_t bid, struct s3_rules *ret)
{
        struct reading r = { q, ret };
        struct str key = doc_key(q, bid);
        *ret = (struct s3_rules){ .acl = S3_ACL_PRIVATE };
        return key.p != NULL ? cluster_doc_each(q->r->node->cluster, key, on_doc, &r) : err_static(ERR_NO_MEMORY);
}

struct err *s3_rules_load(struct s3_req *q, struct s3_rules *ret)
{
        return load(q, q->r->bucket->bid, ret);
}

static struct err *store(struct s3_req *q, uint64_t bid, const struct s3_rules *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        struct str key = doc_key(q, bid);
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_str(&w, "owner", r->owner);
        jw_cstr(&w, "acl", s3_acl_name(r->acl));
        if (r->policy.n > 0)
                jw_str(&w, "policy", r->policy);
        if (r->cors.n > 0)
                jw_str(&w, "cors", r->cors);
        jw_object_end(&w);
        TRY(buf_err(&b));
        if (key.p == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(cluster_doc_put(q->r->node->cluster, key, buf_str(&b)));
        api__buckets_spread(q->r);
        return NULL;
}

struct err *s3_rules_store(struct s3_req *q, const struct s3_rules *r)
{
        return store(q, q->r->bucket->bid, r);
}

struct err *s3_rules_create(struct s3_req *q, uint64_t bid, enum s3_acl acl)
{
        const struct s3_rules r = { .owner = q->user, .acl = acl };
        return q->open ? NULL : store(q, bid, &r);
}

struct err *s3_rules_owned(struct s3_req *q, uint64_t bid, bool *ret)
{
        struct s3_rules r;
        TRY(load(q, bid, &r));
        *ret = r.owner.n == 0 || str_eq(r.owner, q->user);
        return NULL;
}

/* Who is the first to lay something down for a bucket of nobody owns it. */
static void claim(const struct s3_req *q, struct s3_rules *r)
{
        if (r->owner.n == 0 && !q->open)
                r->owner = q->user;
}

struct err *s3_rules_drop(struct s3_req *q, uint64_t bid)
{
        struct s3_rules have;
        struct str key = doc_key(q, bid);
        if (key.p == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(load(q, bid, &have));
        bool any = have.owner.n > 0 || have.policy.n > 0 || have.cors.n > 0 || have.acl != S3_ACL_PRIVATE;
        return any ? cluster_doc_put(q->r->node->cluster, key, STR_NONE) : NULL;
}

/* ---- who may ---- */

/* One question to the policy, and where its conditions find their values. */
struct asking {
        struct s3_req *q;
        struct str tags; /* of the object that exists, as the pair has them */
};

static bool one(unsigned i, struct str v, struct str *ret)
{
        *ret = v;
        return i == 0 && v.p != NULL;
}

/* The value of a tag in "k=v&…"; with key.p null the i-th key. */
static bool of_tags(struct s3_req *q, struct str text, struct str key, unsigned i, struct str *ret)
{
        struct s3_tags tags;
        struct s3_fault unused;
        if (text.n == 0 || s3_read_tagging_header(q->r->arena, text, S3_OBJECT_TAGS_MAX, &tags, &unused) != S3_OK)
                return false;
        if (key.p == NULL) {
                if (i < tags.n)
                        *ret = tags.tags[i].key;
                return i < tags.n;
        }
        for (unsigned k = 0; k < tags.n && i == 0; k++)
                if (str_eq(tags.tags[k].key, key)) {
                        *ret = tags.tags[k].value;
                        return true;
                }
        return false;
}

static bool value(void *arg, enum s3_condition c, struct str tag, unsigned i, struct str *ret)
{
        struct asking *a = arg;
        struct s3_req *q = a->q;
        struct str peer = str_of(q->r->rq->peer);
        ptrdiff_t colon = -1;
        switch ((int)c) {
        case S3_C_SOURCE_IP:
                for (size_t k = 0; k < peer.n; k++)
                        if (peer.p[k] == ':')
                                colon = (ptrdiff_t)k;
                return one(i, colon > 0 ? (struct str){ peer.p, (size_t)colon } : peer, ret);
        case S3_C_SECURE_TRANSPORT:
                return one(i, q->r->rq->tls ? STR("true") : STR("false"), ret);
        case S3_C_USER_AGENT:
                return one(i, s3_header(q, "user-agent"), ret);
        case S3_C_REFERER:
                return one(i, s3_header(q, "referer"), ret);
        case S3_C_USERNAME:
        case S3_C_USERID:
                return one(i, q->user, ret);
        case S3_C_PREFIX:
                return one(i, s3_param(q, S3_P_PREFIX), ret);
        case S3_C_DELIMITER:
                return one(i, s3_param(q, S3_P_DELIMITER), ret);
        case S3_C_MAX_KEYS:
                return one(i, s3_param(q, S3_P_MAX_KEYS), ret);
        case S3_C_VERSION_ID:
                return one(i, s3_param(q, S3_P_VERSION_ID), ret);
        case S3_C_ACL:
                return one(i, s3_header(q, "x-amz-acl"), ret);
        case S3_C_COPY_SOURCE:
                return one(i, s3_header(q, "x-amz-copy-source"), ret);
        case S3_C_METADATA_DIRECTIVE:
                return one(i, s3_header(q, "x-amz-metadata-directive"), ret);
        case S3_C_SSE:
                return one(i, s3_header(q, "x-amz-server-side-encryption"), ret);
        case S3_C_STORAGE_CLASS:
                return one(i, s3_header(q, "x-amz-storage-class"), ret);
        case S3_C_CONTENT_SHA256:
                return one(i, s3_header(q, "x-amz-content-sha256"), ret);
        case S3_C_IF_MATCH:
                return one(i, s3_header(q, "if-match"), ret);
        case S3_C_IF_NONE_MATCH:
                return one(i, s3_header(q, "if-none-match"), ret);
        case S3_C_EXISTING_TAG:
                return of_tags(q, a->tags, tag, i, ret);
        case S3_C_REQUEST_TAG:
                return of_tags(q, s3_header(q, "x-amz-tagging"), tag, i, ret);
        case S3_C_REQUEST_TAG_KEYS:
                return of_tags(q, s3_header(q, "x-amz-tagging"), STR_NONE, i, ret);
        default:
                return false;
        }
}

static bool reads_object(enum s3_op op)
{
        return op == S3_OP_GET_OBJECT || op == S3_OP_HEAD_OBJECT || op == S3_OP_GET_ATTRIBUTES || op == S3_OP_GET_OBJECT_ACL;
}

static struct err *judge(struct s3_req *q, const struct bucket *b, struct str key, enum s3_op op)
{
        struct s3_rules rules;
        const struct s3_policy *policy = NULL;
        struct asking a = { q, STR_NONE };
        struct obj_meta m;
        TRY(load(q, b->bid, &rules));
        bool owner = q->user.p != NULL && (rules.owner.n == 0 || str_eq(rules.owner, q->user));
        if (q->open || (owner && rules.policy.n == 0))
                return NULL;
        if (rules.policy.n > 0)
                TRY(s3_judge(q, s3_policy_parse(q->r->arena, rules.policy, &policy, &q->fault)));
        struct s3_ask ask = { .user = q->user, .action = str_of(s3_op_action(op, s3_param(q, S3_P_VERSION_ID).n > 0)), .bucket = str_of(b->bck.name), .key = key,
                              .now_ns = clock_wall_ns(), .value = value, .arg = &a };
        enum s3_acl acl = rules.acl;
        bool by_object = key.p != NULL && reads_object(op);
        if (by_object)
                acl = S3_ACL_PRIVATE;
        bool needs_tags = policy != NULL && key.p != NULL && s3_policy_asks(policy, S3_C_EXISTING_TAG);
        if (!needs_tags && s3_access_allowed(policy, &ask, owner, acl, op))
                return NULL;
        if (!needs_tags && !by_object)
                return s3_refuse(q, S3_ACCESS_DENIED, NULL);
        struct err *e = flow_head_anywhere(q->r->node, b, key, q->r->arena, &m);
        if (e != NULL && e->code != ERR_NOT_FOUND)
                return e;
        bool found = e == NULL;
        err_free(e);
        if (!found && by_object) { /* that it is not there may be told to those who may list */
                ask.action = str_of(s3_op_action(S3_OP_LIST_OBJECTS, false));
                ask.key = STR_NONE;
                acl = rules.acl;
                op = S3_OP_LIST_OBJECTS;
        }
        if (found) {
                a.tags = store_custom_get(m.custom, STR(S3_PAIR_TAGS));
                if (by_object && !s3_acl_parse(store_custom_get(m.custom, STR(S3_PAIR_ACL)), &acl))
                        acl = S3_ACL_PRIVATE;
        }
        return s3_access_allowed(policy, &ask, owner, acl, op) ? NULL : s3_refuse(q, S3_ACCESS_DENIED, NULL);
}

struct err *s3_authorize_object(struct s3_req *q, const struct bucket *b, struct str key, enum s3_op op)
{
        return judge(q, b, key, op);
}

struct err *s3_authorize(struct s3_req *q)
{
        struct str bucket, key, version;
        if (q->t.op == S3_OP_PREFLIGHT)
                return NULL;
        if (q->r->bucket == NULL) /* of the service; what makes a bucket */
                return q->user.p != NULL ? NULL : s3_refuse(q, S3_ACCESS_DENIED, NULL);
        if (q->t.op == S3_OP_DELETE_OBJECTS) /* each key is judged by itself */
                return NULL;
        TRY(judge(q, q->r->bucket, q->t.key, q->t.op));
        if (q->t.op != S3_OP_COPY_OBJECT && q->t.op != S3_OP_UPLOAD_PART_COPY)
                return NULL;
        if (!s3_copy_source_parse(q->r->arena, s3_header(q, "x-amz-copy-source"), &bucket, &key, &version))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Invalid copy source object key");
        const struct bucket *from = snapshot_bucket_ais(q->r->snap, bucket);
        return from != NULL ? judge(q, from, key, S3_OP_GET_OBJECT) : s3_refuse(q, S3_NO_SUCH_BUCKET, NULL);
}

/* ---- policy ---- */

struct err *s3__get_policy(struct s3_req *q)
{
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        if (r.policy.n == 0)
                return s3_refuse(q, S3_NO_SUCH_BUCKET_POLICY, NULL);
        http_resp_status(q->r->rs, 200);
        http_resp_head_raw(q->r->rs, STR("Content-Type: application/json\r\n"));
        http_resp_mem(q->r->rs, r.policy, NULL, NULL);
        return NULL;
}

struct err *s3__put_policy(struct s3_req *q)
{
        const struct s3_policy *checked;
        struct s3_rules r;
        struct str text;
        TRY(s3_read_all(q, S3_POLICY_MAX, &text));
        TRY(s3_judge(q, s3_policy_parse(q->r->arena, text, &checked, &q->fault)));
        TRY(s3_rules_load(q, &r));
        claim(q, &r);
        r.policy = text;
        TRY(s3_rules_store(q, &r));
        s3_reply_empty(q, 204);
        return NULL;
}

struct err *s3__delete_policy(struct s3_req *q)
{
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        if (r.policy.n > 0) {
                r.policy = STR_NONE;
                TRY(s3_rules_store(q, &r));
        }
        s3_reply_empty(q, 204);
        return NULL;
}

struct err *s3__get_policy_status(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        const struct s3_policy *p;
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        bool open = r.acl == S3_ACL_PUBLIC_READ || r.acl == S3_ACL_PUBLIC_READ_WRITE || r.acl == S3_ACL_AUTHENTICATED_READ;
        if (r.policy.n > 0) {
                TRY(s3_judge(q, s3_policy_parse(q->r->arena, r.policy, &p, &q->fault)));
                open = open || s3_policy_is_public(p);
        }
        s3_write_policy_status(&b, open);
        return s3_reply_xml(q, &b);
}

/* ---- ACLs ---- */

/* The canned ACL that a request sets, by header or document. */
static struct err *wanted_acl(struct s3_req *q, struct str owner, enum s3_acl *ret)
{
        struct str name = s3_header(q, "x-amz-acl"), text;
        TRY(s3_read_all(q, S3_READ_MAX, &text));
        if (name.n > 0)
                return s3_acl_parse(name, ret) ? NULL : s3_refuse(q, S3_INVALID_ARGUMENT, "The ACL is not a canned one");
        return s3_judge(q, s3_read_acl(q->r->arena, text, owner, ret, &q->fault));
}

struct err *s3__get_bucket_acl(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        struct str who = r.owner.n > 0 ? r.owner : q->user;
        struct s3_owner o = { who, api__s3_keys_display(q->r->api->s3_keys, who) };
        s3_write_acl(&b, &o, r.acl);
        return s3_reply_xml(q, &b);
}

struct err *s3__put_bucket_acl(struct s3_req *q)
{
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        claim(q, &r);
        TRY(wanted_acl(q, r.owner, &r.acl));
        TRY(s3_rules_store(q, &r));
        s3_reply_empty(q, 200);
        return NULL;
}

struct err *s3__get_object_acl(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_rules r;
        struct obj_meta m;
        enum s3_acl acl = S3_ACL_PRIVATE;
        TRY(s3_rules_load(q, &r));
        TRY(flow_head(q->r->node, q->r->bucket, q->r->object, q->r->arena, &m));
        if (!s3_acl_parse(store_custom_get(m.custom, STR(S3_PAIR_ACL)), &acl))
                acl = S3_ACL_PRIVATE;
        struct str who = r.owner.n > 0 ? r.owner : q->user;
        struct s3_owner o = { who, api__s3_keys_display(q->r->api->s3_keys, who) };
        s3_write_acl(&b, &o, acl);
        return s3_reply_xml(q, &b);
}

struct err *s3__put_object_acl(struct s3_req *q)
{
        AUTO_BUF struct buf pairs = BUF_INIT;
        struct s3_rules r;
        enum s3_acl acl;
        TRY(s3_rules_load(q, &r));
        TRY(wanted_acl(q, r.owner.n > 0 ? r.owner : q->user, &acl));
        buf_add_lstr(&pairs, STR(S3_PAIR_ACL));
        buf_add_lstr(&pairs, acl != S3_ACL_PRIVATE ? str_of(s3_acl_name(acl)) : STR_NONE);
        TRY(buf_err(&pairs));
        TRY(flow_set_custom(q->r->node, q->r->bucket, q->r->object, buf_str(&pairs), false));
        s3_reply_empty(q, 200);
        return NULL;
}

/* ---- CORS ---- */

static struct err *load_cors(struct s3_req *q, struct s3_cors *ret)
{
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        if (r.cors.n == 0)
                return s3_refuse(q, S3_NO_SUCH_CORS, NULL);
        return s3_judge(q, s3_cors_read(q->r->arena, r.cors, ret, &q->fault));
}

struct err *s3__get_cors(struct s3_req *q)
{
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        if (r.cors.n == 0)
                return s3_refuse(q, S3_NO_SUCH_CORS, NULL);
        http_resp_status(q->r->rs, 200);
        http_resp_head_raw(q->r->rs, STR("Content-Type: application/xml\r\n"));
        http_resp_mem(q->r->rs, r.cors, NULL, NULL);
        return NULL;
}

struct err *s3__put_cors(struct s3_req *q)
{
        struct s3_rules r;
        struct s3_cors checked;
        struct str text;
        TRY(s3_read_all(q, CORS_MAX, &text));
        TRY(s3_judge(q, s3_cors_read(q->r->arena, text, &checked, &q->fault)));
        TRY(s3_rules_load(q, &r));
        claim(q, &r);
        r.cors = text;
        TRY(s3_rules_store(q, &r));
        s3_reply_empty(q, 200);
        return NULL;
}

struct err *s3__delete_cors(struct s3_req *q)
{
        struct s3_rules r;
        TRY(s3_rules_load(q, &r));
        if (r.cors.n > 0) {
                r.cors = STR_NONE;
                TRY(s3_rules_store(q, &r));
        }
        s3_reply_empty(q, 204);
        return NULL;
}

struct err *s3__preflight(struct s3_req *q)
{
        struct s3_cors cors;
        AUTO_BUF struct buf lines = BUF_INIT;
        struct err *e = q->r->bucket != NULL ? load_cors(q, &cors) : s3_refuse(q, S3_ACCESS_DENIED, NULL);
        bool none = e != NULL && q->fault.code == S3_NO_SUCH_CORS;
        if (e != NULL && !none)
                return e;
        err_free(e);
        q->fault.code = S3_OK;
        TRY(s3_judge(q, s3_cors_preflight(none ? NULL : &cors, s3_header(q, "origin"), s3_header(q, "access-control-request-method"),
                                          s3_header(q, "access-control-request-headers"), &lines, &q->fault)));
        TRY(buf_err(&lines));
        http_resp_head_raw(q->r->rs, buf_str(&lines));
        s3_reply_empty(q, 200);
        return NULL;
}

void s3_cors_answer(struct s3_req *q)
{
        struct str origin = s3_header(q, "origin");
        struct s3_fault before = q->fault;
        struct s3_cors cors;
        AUTO_BUF struct buf lines = BUF_INIT;
        if (origin.n == 0 || q->r->bucket == NULL || q->t.op == S3_OP_PREFLIGHT)
                return;
        struct err *e = load_cors(q, &cors);
        const struct s3_cors_rule *rule = e == NULL ? s3_cors_match(&cors, origin, q->r->rq->method, STR_NONE) : NULL;
        err_free(e);
        q->fault = before;
        if (rule == NULL)
                return;
        s3_cors_lines(&lines, rule, origin, STR_NONE);
        http_resp_head_raw(q->r->rs, buf_str(&lines));
}
