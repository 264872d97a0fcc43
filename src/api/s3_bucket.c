/* api/s3_bucket.c: buckets as S3 has them: those of provider ais in the global namespace. */
#include "api/buckets.h"
#include "api/redirect.h"
#include "api/s3_keys.h"
#include "api/s3_rules.h"

#include "s3/write.h"

static const struct s3_owner *owner_of(struct s3_req *q, struct s3_owner *o)
{
        *o = (struct s3_owner){ q->user, api__s3_keys_display(q->r->api->s3_keys, q->user) };
        return o;
}

static bool is_ours(const struct bucket *b)
{
        return b->bck.provider == PROVIDER_AIS && b->bck.ns_uuid[0] == '\0' && b->bck.ns_name[0] == '\0' && !bck_is_system(&b->bck);
}

struct err *s3__list_buckets(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_owner o;
        struct str prefix = s3_param(q, S3_P_PREFIX), after = s3_param(q, S3_P_CONTINUATION_TOKEN), last = STR_NONE;
        const struct snapshot *s = q->r->snap;
        unsigned most, n = 0;
        bool more = false;
        TRY(s3_judge(q, s3_target_count(&q->t, S3_P_MAX_BUCKETS, 10000, 10000, &most, &q->fault)));
        s3_write_buckets_begin(&b, owner_of(q, &o));
        for (size_t i = 0; i < s->bucket_count && !more; i++) {
                struct str name = str_of(s->buckets[i]->bck.name);
                bool own = true;
                if (!is_ours(s->buckets[i]) || !str_starts(name, prefix) || (after.n > 0 && str_cmp(name, after) <= 0))
                        continue;
                if (!q->open)
                        TRY(s3_rules_owned(q, s->buckets[i]->bid, &own));
                if (!own)
                        continue;
                more = n == most;
                if (more)
                        break;
                s3_write_bucket(&b, name, s->buckets[i]->created_ns, STR_NONE);
                last = name;
                n++;
        }
        s3_write_buckets_end(&b, prefix, more ? last : STR_NONE);
        return s3_reply_xml(q, &b);
}

struct err *s3__create_bucket(struct s3_req *q)
{
        struct s3_create_bucket c;
        struct str text;
        struct bucket_props props;
        uint64_t bid;
        if (!s3_bucket_name_ok(q->t.bucket))
                return s3_refuse(q, S3_INVALID_BUCKET_NAME, NULL);
        TRY(s3_read_all(q, S3_READ_MAX, &text));
        TRY(s3_judge(q, s3_read_create_bucket(q->r->arena, text, &c, &q->fault)));
        if (c.tags.n > 0)
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "Tags of buckets are not implemented");
        struct str name = s3_header(q, "x-amz-acl");
        enum s3_acl acl = S3_ACL_PRIVATE;
        if (name.n > 0 && !s3_acl_parse(name, &acl))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "The ACL is not a canned one");
        bucket_props_default(q->r->snap->config, PROVIDER_AIS, &props);
        struct err *e = cluster_bucket_create(q->r->node->cluster, &q->r->bck, &props, &bid);
        if (err_code(e) == ERR_BUCKET_EXISTS) {
                bool own = true;
                err_free(e);
                api__repin(q->r);
                const struct bucket *b = snapshot_bucket_ais(q->r->snap, q->t.bucket);
                if (b != NULL)
                        TRY(s3_rules_owned(q, b->bid, &own));
                return s3_refuse(q, own ? S3_BUCKET_ALREADY_OWNED : S3_BUCKET_ALREADY_EXISTS, NULL);
        }
        TRY(e);
        TRY(s3_rules_create(q, bid, acl));
        api__buckets_spread(q->r);
        http_resp_headerf(q->r->rs, "Location", "/" STR_FMT, STR_ARG(q->t.bucket));
        s3_reply_empty(q, 200);
        return NULL;
}

static void count_one(void *arg, const struct flow_list_entry *e)
{
        (void)e;
        ++*(unsigned *)arg;
}

struct err *s3__delete_bucket(struct s3_req *q)
{
        struct flow_list_options o = { .page_size = 1 };
        unsigned n = 0;
        bool more;
        struct str last;
        TRY(flow_list(q->r->node, q->r->bucket, &o, count_one, &n, q->r->arena, &more, &last));
        if (n > 0)
                return s3_refuse(q, S3_BUCKET_NOT_EMPTY, NULL);
        uint64_t bid;
        TRY(cluster_bucket_destroy(q->r->node->cluster, &q->r->bck, &bid));
        TRY(s3_rules_drop(q, bid));
        api__buckets_spread(q->r);
        s3_reply_empty(q, 204);
        return NULL;
}

struct err *s3__head_bucket(struct s3_req *q)
{
        http_resp_header(q->r->rs, "x-amz-bucket-region", STR(S3_REGION));
        s3_reply_empty(q, 200);
        return NULL;
}

struct err *s3__get_location(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        s3_write_location(&b, STR_NONE);
        return s3_reply_xml(q, &b);
}

struct err *s3__get_versioning(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        s3_write_versioning(&b, S3_VERSIONING_OFF);
        return s3_reply_xml(q, &b);
}

/* ---- many deletes ---- */

/* The code and text of a failure that is told within the document. */
static void tell_failure(struct s3_req *q, struct buf *b, const struct s3_delete_key *k, struct err *e)
{
        char text[256];
        enum s3_code code = q->fault.code != S3_OK ? q->fault.code : s3_code_of(e->code);
        err_text(e, text, sizeof(text));
        s3_write_delete_error(b, k->key, k->version_id, code, q->fault.code != S3_OK ? str_of(s3_code_text(code)) : str_of(text));
        q->fault.code = S3_OK;
        err_free(e);
}

struct err *s3__delete_objects(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_delete d;
        struct str text;
        if (!q->body.rules.has_md5 && q->body.rules.cksum == S3_CKSUM_NONE && !q->body.rules.unproven)
                return s3_refuse(q, S3_INVALID_REQUEST, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*");
        TRY(s3_read_all(q, S3_READ_DELETE_MAX, &text));
        TRY(s3_judge(q, s3_read_delete(q->r->arena, text, &d, &q->fault)));
        s3_write_delete_begin(&b);
        for (unsigned i = 0; i < d.n; i++) {
                const struct s3_delete_key *k = &d.keys[i];
                struct err *e = NULL;
                if (k->etag.p != NULL)
                        e = s3_refuse(q, S3_NOT_IMPLEMENTED, NULL);
                else if (k->version_id.n > 0 && !str_eq(k->version_id, STR("null")))
                        e = s3_refuse(q, S3_NO_SUCH_VERSION, NULL);
                else if (k->key.n <= OBJECT_NAME_MAX)
                        e = s3_authorize_object(q, q->r->bucket, k->key, S3_OP_DELETE_OBJECT);
                if (e == NULL && k->key.n <= OBJECT_NAME_MAX)
                        e = s3_delete_anywhere(q, k->key);
                if (e != NULL)
                        tell_failure(q, &b, k, e);
                else if (!d.quiet)
                        s3_write_deleted(&b, k->key, k->version_id, false, STR_NONE);
        }
        s3_write_delete_end(&b);
        return s3_reply_xml(q, &b);
}
