/* api/s3_write.c: storing an object, and copying one, at the owner of the new name.
 *
 * The body streams into the store while its digests are computed; what was promised about it is judged before its last
 * byte is given (s3/body.h), and nothing is visible until the commit. */
#include "api/s3.h"

#include "flow/owner.h"
#include "os/clock.h"
#include "s3/write.h"

#include <stdio.h>

/* ---- conditions on what is there ---- */

static struct err *write_condition(struct s3_req *q, struct obj_cond *ret)
{
        struct str none = s3_header(q, "if-none-match"), match = s3_header(q, "if-match");
        struct obj_meta m;
        char etag[80];
        if (none.n > 0 && match.n > 0)
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "If-Match and If-None-Match together are not implemented");
        if (none.n > 0 && !str_eq(none, STR("*")))
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "If-None-Match of a write takes * alone");
        if (none.n > 0)
                ret->kind = COND_ABSENT;
        if (match.n == 0)
                return NULL;
        TRY(flow_head(q->r->node, q->r->bucket, q->r->object, q->r->arena, &m));
        if (!s3_names_etag(match, str_of(s3_etag(&m, etag))))
                return s3_refuse(q, S3_PRECONDITION_FAILED, NULL);
        *ret = (struct obj_cond){ .kind = COND_STAMP, .stamp = m.stamp };
        return NULL;
}

/* ---- put ---- */

static void hex_of(const unsigned char *p, size_t n, char *ret)
{
        for (size_t i = 0; i < n; i++)
                snprintf(ret + 2 * i, 3, "%02x", p[i]);
}

struct err *s3__take_body(struct s3_req *q, struct err *(*take)(void *arg, const void *p, size_t n), void *arg, char ret_md5[static 33])
{
        unsigned char md5[DIGEST_MAX];
        struct digest d;
        AUTO_FREE char *step = malloc(S3_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        digest_init(&d, DIGEST_MD5);
        for (;;) {
                size_t n;
                TRY(s3_read(q, step, S3_STEP, &n));
                if (n == 0)
                        break;
                digest_update(&d, step, n);
                TRY(take(arg, step, n));
        }
        hex_of(md5, digest_final(&d, md5), ret_md5);
        return NULL;
}

static struct err *take_put(void *put, const void *p, size_t n)
{
        return flow_put_write(put, p, n);
}

/* The pairs of the finished content. */
static struct err *describe(struct s3_req *q, struct buf *pairs, const char *etag)
{
        const struct s3_body *body = &q->body;
        char text[S3_CKSUM_TEXT_MAX], value[128];
        s3_pair_set(pairs, S3_PAIR_ETAG, str_of(etag));
        if (body->rules.cksum != S3_CKSUM_NONE) {
                s3_cksum_text(body->rules.cksum, body->cksum_value, text);
                snprintf(value, sizeof(value), "%s %s %s", s3_cksum_name(body->rules.cksum), s3_cksum_type_name(S3_CKSUM_FULL_OBJECT), text);
                s3_pair_set(pairs, S3_PAIR_CKSUM, str_of(value));
                http_resp_header(q->r->rs, s3_cksum_header(body->rules.cksum), str_of(text));
                http_resp_header(q->r->rs, "x-amz-checksum-type", str_of(s3_cksum_type_name(S3_CKSUM_FULL_OBJECT)));
        }
        return buf_err(pairs);
}

struct err *s3__put_object(struct s3_req *q)
{
        AUTO_BUF struct buf pairs = BUF_INIT;
        struct flow_put_options o = { .size = q->body.rules.length, .custom_replace = true };
        struct flow_put *put;
        struct obj_meta m;
        char md5[33], etag[80];
        bool noop;
        if (o.size < 0)
                return s3_refuse(q, S3_MISSING_CONTENT_LENGTH, NULL);
        TRY(s3_pairs_of_request(q, true, &pairs));
        TRY(write_condition(q, &o.cond));
        TRY(flow_put_begin(q->r->node, q->r->bucket, q->r->object, &o, &put));
        struct err *e = s3__take_body(q, take_put, put, md5);
        if (e == NULL)
                e = describe(q, &pairs, md5);
        if (e == NULL)
                e = flow_put_set_custom(put, buf_str(&pairs));
        if (e != NULL) {
                flow_put_abort(put);
                return e;
        }
        TRY(flow_put_commit(put, q->r->arena, &m, &noop));
        http_resp_header(q->r->rs, "ETag", str_of(s3_etag(&m, etag)));
        s3_reply_empty(q, 200);
        return NULL;
}

/* ---- copy ---- */

/* An object that is not there (any more) is CONFLICT there; whether it exists at all its owner tells. */
static struct err *open_away(struct api_req *r, const struct cluster_member *m, struct s3_source *s)
{
        struct err *e = flow_relay_open(r->node, m, s->bucket, s->key, r->arena, &s->object.meta, &s->object.relay);
        if (err_code(e) != ERR_CONFLICT)
                return e;
        struct obj_meta meta;
        struct err *absent = flow_head_anywhere(r->node, s->bucket, s->key, r->arena, &meta);
        if (absent == NULL)
                return err_recode(e, ERR_UNAVAILABLE, "the source changes");
        err_free(e);
        return absent;
}

struct err *s3__source_open(struct s3_req *q, struct s3_source *ret)
{
        struct api_req *r = q->r;
        struct str bucket, key, version;
        *ret = (struct s3_source){ .bucket = NULL };
        if (!s3_copy_source_parse(r->arena, s3_header(q, "x-amz-copy-source"), &bucket, &key, &version))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Invalid copy source object key");
        if (version.n > 0 && !str_eq(version, STR("null")))
                return s3_refuse(q, S3_NO_SUCH_VERSION, NULL);
        ret->bucket = snapshot_bucket_ais(r->snap, bucket);
        ret->key = key;
        if (ret->bucket == NULL)
                return s3_refuse(q, S3_NO_SUCH_BUCKET, NULL);
        const struct cluster_node *n = snapshot_owner_of(r->snap, snapshot_digest(ret->bucket, key));
        const struct cluster_member *m = n != NULL ? snapshot_member(r->snap, str_of(n->member)) : NULL;
        if (m == NULL)
                return err_new(ERR_UNAVAILABLE, "the cluster has no target");
        struct err *e;
        if (strcmp(n->member, r->snap->member_id) == 0)
                e = flow_open_read(r->node, ret->bucket, key, r->arena, &ret->object);
        else
                e = open_away(r, m, ret);
        if (err_code(e) == ERR_NOT_OWNER) /* of the source: not what the edge asked for */
                return err_recode(e, ERR_UNAVAILABLE, "the cluster's targets are changing");
        TRY(e);
        ret->meta = ret->object.content != NULL ? content_meta(ret->object.content) : &ret->object.meta;
        e = s3_judge_conditions(q, "x-amz-copy-source-", ret->meta);
        if (e != NULL)
                flow_object_close(&ret->object);
        return e;
}

struct err *s3__source_read(struct s3_source *s, uint64_t offset, void *p, size_t n)
{
        return s->object.content != NULL ? content_read(s->object.content, offset, p, n) : flow_relay_read(s->object.relay, offset, p, n);
}

static struct err *copy_bytes(struct s3_source *s, struct flow_put *put)
{
        AUTO_FREE char *step = malloc(S3_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        for (uint64_t at = 0; at < s->meta->size;) {
                size_t n = (size_t)MIN((uint64_t)S3_STEP, s->meta->size - at);
                TRY(s3__source_read(s, at, step, n));
                TRY(flow_put_write(put, step, n));
                at += n;
        }
        return NULL;
}

static struct err *directive(struct s3_req *q, const char *header, bool *ret_replace)
{
        struct str v = s3_header(q, header);
        *ret_replace = str_eq(v, STR("REPLACE"));
        if (v.n > 0 && !*ret_replace && !str_eq(v, STR("COPY")))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Unknown %s", header);
        return NULL;
}

/* The pairs of the copy: those of the source, or of the request, as the directives say; those of the content always. */
static struct err *pairs_of_copy(struct s3_req *q, const struct obj_meta *source, bool *ret_replaced, struct buf *ret)
{
        bool meta, tags;
        struct str rest = source->custom, key, value;
        AUTO_BUF struct buf kept = BUF_INIT, own = BUF_INIT;
        char etag[80];
        TRY(directive(q, "x-amz-metadata-directive", &meta));
        TRY(directive(q, "x-amz-tagging-directive", &tags));
        while (store_custom_next(&rest, &key, &value)) {
                bool is_tags = str_eq(key, STR(S3_PAIR_TAGS));
                if (str_eq(key, STR(S3_PAIR_ACL)) || (is_tags ? tags : meta && !store_custom_is_content(key)))
                        continue;
                buf_add_lstr(&kept, key);
                buf_add_lstr(&kept, value);
        }
        if (meta)
                TRY(s3_pairs_of_request(q, tags, &own));
        else if (tags)
                s3_pair_set(&own, S3_PAIR_TAGS, s3_header(q, "x-amz-tagging"));
        struct str acl = s3_header(q, "x-amz-acl");
        if (acl.n > 0 && !str_eq(acl, STR("private")))
                s3_pair_set(&own, S3_PAIR_ACL, acl);
        TRY(buf_err(&kept));
        TRY(buf_err(&own));
        store_custom_merge(buf_str(&kept), buf_str(&own), ret);
        if (store_custom_get(source->custom, STR(S3_PAIR_ETAG)).n == 0 && source->cksum_type == CKSUM_MD5)
                s3_pair_set(ret, S3_PAIR_ETAG, s3_bare(str_of(s3_etag(source, etag))));
        *ret_replaced = meta || tags;
        return buf_err(ret);
}

static struct err *copy_from(struct s3_req *q, struct s3_source *s, struct obj_meta *ret_meta)
{
        struct api_req *r = q->r;
        AUTO_BUF struct buf pairs = BUF_INIT;
        struct flow_put_options o = { .size = (int64_t)s->meta->size, .custom_replace = true, .has_custom = true };
        struct flow_put *put;
        bool replaced, noop;
        TRY(pairs_of_copy(q, s->meta, &replaced, &pairs));
        TRY(write_condition(q, &o.cond));
        bool onto_itself = s->bucket->bid == r->bucket->bid && str_eq(s->key, r->object);
        if (onto_itself && !replaced)
                return s3_refuse(q, S3_INVALID_REQUEST,
                                 "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata");
        o.custom = buf_str(&pairs);
        TRY(flow_put_begin(r->node, r->bucket, r->object, &o, &put));
        struct err *e = copy_bytes(s, put);
        if (e != NULL) {
                flow_put_abort(put);
                return e;
        }
        return flow_put_commit(put, r->arena, ret_meta, &noop);
}

struct err *s3__copy_object(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_source s;
        struct obj_meta m;
        char etag[80];
        TRY(s3__source_open(q, &s));
        struct err *e = copy_from(q, &s, &m);
        flow_object_close(&s.object);
        TRY(e);
        s3_write_copy(&b, false, s3_bare(str_of(s3_etag(&m, etag))), m.mtime_ns, S3_CKSUM_NONE, STR_NONE);
        return s3_reply_xml(q, &b);
}
