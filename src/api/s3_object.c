/* api/s3_object.c: reading, describing, tagging and deleting an object, at its owner. */
#include "api/objects.h"
#include "api/s3.h"

#include "os/clock.h"
#include "s3/write.h"

/* ---- get, head ---- */

bool s3_part_of(struct str parts, unsigned number, uint64_t *ret_offset, uint64_t *ret_length, unsigned *ret_count)
{
        uint64_t offset = 0;
        unsigned count = 0;
        bool found = false;
        while (parts.n > 0) {
                struct str size = str_cut(&parts, ',');
                struct str repeat = str_find(size, '*') >= 0 ? str_cut(&size, '*') : STR("1");
                uint64_t n, bytes;
                if (!str_u64(repeat, &n) || !str_u64(size, &bytes) || n == 0 || n > S3_PARTS_MAX)
                        return false;
                if (number > count && number <= count + n) {
                        *ret_offset = offset + (number - count - 1) * bytes;
                        *ret_length = bytes;
                        found = true;
                }
                offset += n * bytes;
                count += (unsigned)n;
        }
        *ret_count = count;
        return found;
}

struct wanted {
        bool partial;
        uint64_t offset, length;
};

static struct err *judge_part(struct s3_req *q, const struct obj_meta *m, struct wanted *w)
{
        struct str parts = store_custom_get(m->custom, STR(S3_PAIR_PARTS));
        unsigned count = 1;
        *w = (struct wanted){ true, 0, m->size };
        if (parts.n == 0 ? q->t.part_number != 1 : !s3_part_of(parts, q->t.part_number, &w->offset, &w->length, &count))
                return s3_refuse(q, S3_INVALID_PART_NUMBER, NULL);
        if (parts.n > 0)
                http_resp_headerf(q->r->rs, "x-amz-mp-parts-count", "%u", count);
        w->partial = w->length > 0;
        return NULL;
}

static struct err *judge_range(struct s3_req *q, const struct obj_meta *m, struct wanted *w)
{
        struct str range = s3_header(q, "range");
        char etag[80];
        *w = (struct wanted){ false, 0, m->size };
        if (q->t.part_number != 0 && range.n > 0)
                return s3_refuse(q, S3_INVALID_REQUEST, "Cannot specify both Range header and partNumber query parameter");
        if (q->t.part_number != 0)
                return judge_part(q, m, w);
        struct str only_if = s3_header(q, "if-range");
        if (range.n == 0 || (only_if.n > 0 && !s3_names_etag(only_if, str_of(s3_etag(m, etag)))))
                return NULL;
        switch (http_range(range, m->size, &w->offset, &w->length)) {
        case RANGE_ONE:
                w->partial = true;
                return NULL;
        case RANGE_UNSATISFIABLE:
                http_resp_headerf(q->r->rs, "Content-Range", "bytes */%lu", (unsigned long)m->size);
                return s3_refuse(q, S3_INVALID_RANGE, NULL);
        case RANGE_MULTI: /* S3 answers with the whole object */
        case RANGE_NONE:
        case RANGE_MALFORMED:
                break;
        }
        return NULL;
}

static struct err *answer_object(struct s3_req *q, struct flow_object *o)
{
        struct http_resp *rs = q->r->rs;
        const struct obj_meta *m = o->content != NULL ? content_meta(o->content) : &o->meta;
        struct wanted w;
        char etag[80];
        struct err *e = s3_judge_conditions(q, "", m);
        if (e != NULL) {
                if (q->fault.code == S3_NOT_MODIFIED)
                        http_resp_header(rs, "ETag", str_of(s3_etag(m, etag)));
                return e;
        }
        TRY(judge_range(q, m, &w));
        http_resp_status(rs, w.partial ? 206 : 200);
        if (w.partial)
                http_resp_headerf(rs, "Content-Range", "bytes %lu-%lu/%lu", (unsigned long)w.offset, (unsigned long)(w.offset + w.length - 1), (unsigned long)m->size);
        s3_object_headers(q, m, !w.partial);
        if (q->r->rq->method == HTTP_HEAD) {
                http_resp_head_length(rs, (int64_t)w.length);
                return NULL;
        }
        return api__object_send(q->r, o, w.offset, w.length);
}

struct err *s3__get_object(struct s3_req *q)
{
        struct api_req *r = q->r;
        struct flow_object o;
        TRY(flow_open_read(r->node, r->bucket, r->object, r->arena, &o));
        struct err *e = answer_object(q, &o);
        flow_object_close(&o); /* what the answer needs it has taken */
        return e;
}

static unsigned part_count(const struct obj_meta *m)
{
        struct str parts = store_custom_get(m->custom, STR(S3_PAIR_PARTS));
        uint64_t offset, length;
        unsigned count = 0;
        return parts.n > 0 && s3_part_of(parts, 1, &offset, &length, &count) ? count : 0;
}

struct err *s3__get_attributes(struct s3_req *q)
{
        struct obj_meta m;
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_attributes t = { .etag = STR_NONE };
        struct str rest = s3_header(q, "x-amz-object-attributes");
        char etag[80], date[32];
        if (rest.n == 0)
                return s3_refuse(q, S3_INVALID_ARGUMENT,
                                 "The x-amz-object-attributes header specifying the attributes to be retrieved is missing");
        TRY(flow_head(q->r->node, q->r->bucket, q->r->object, q->r->arena, &m));
        while (rest.n > 0) {
                struct str one = str_trim(str_cut(&rest, ','));
                if (str_eq(one, STR("ETag")))
                        t.etag = s3_bare(str_of(s3_etag(&m, etag)));
                else if (str_eq(one, STR("ObjectSize")))
                        t.size = true;
                else if (str_eq(one, STR("StorageClass")))
                        t.storage_class = true;
                else if (str_eq(one, STR("ObjectParts")))
                        t.parts = part_count(&m);
                else if (!str_eq(one, STR("Checksum")))
                        return s3_refuse(q, S3_INVALID_ARGUMENT, "Invalid attribute name specified");
                else if (!s3_object_cksum(&m, &t.cksum, &t.cksum_type, &t.cksum_text))
                        t.cksum = S3_CKSUM_NONE;
        }
        t.size_bytes = m.size;
        s3_write_attributes(&b, &t);
        http_resp_header(q->r->rs, "Last-Modified", str_of(clock_http_date(m.mtime_ns, date)));
        return s3_reply_xml(q, &b);
}

/* ---- delete ---- */

struct err *s3__delete_object(struct s3_req *q)
{
        if (s3_header(q, "if-match").n > 0)
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "Conditional deletes are not implemented");
        struct err *e = flow_delete(q->r->node, q->r->bucket, q->r->object);
        if (e != NULL && e->code != ERR_NOT_FOUND)
                return e;
        err_free(e);
        s3_reply_empty(q, 204);
        return NULL;
}

/* ---- tags ---- */

struct err *s3__get_tags(struct s3_req *q)
{
        struct obj_meta m;
        struct s3_tags tags = { .n = 0 };
        AUTO_BUF struct buf b = BUF_INIT;
        TRY(flow_head(q->r->node, q->r->bucket, q->r->object, q->r->arena, &m));
        struct str text = store_custom_get(m.custom, STR(S3_PAIR_TAGS));
        if (text.n > 0)
                TRY(s3_judge(q, s3_read_tagging_header(q->r->arena, text, S3_OBJECT_TAGS_MAX, &tags, &q->fault)));
        s3_write_tagging(&b, &tags);
        return s3_reply_xml(q, &b);
}

static struct err *set_tags(struct s3_req *q, struct str text)
{
        AUTO_BUF struct buf pairs = BUF_INIT;
        buf_add_lstr(&pairs, STR(S3_PAIR_TAGS));
        buf_add_lstr(&pairs, text);
        TRY(buf_err(&pairs));
        return flow_set_custom(q->r->node, q->r->bucket, q->r->object, buf_str(&pairs), false);
}

static void add_escaped(struct buf *b, struct str s)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                if (plain)
                        buf_addc(b, (char)c);
                else
                        buf_printf(b, "%%%02X", c);
        }
}

struct err *s3__put_tags(struct s3_req *q)
{
        struct s3_tags tags;
        struct str text;
        AUTO_BUF struct buf b = BUF_INIT;
        TRY(s3_read_all(q, S3_READ_MAX, &text));
        TRY(s3_judge(q, s3_read_tagging(q->r->arena, text, S3_OBJECT_TAGS_MAX, &tags, &q->fault)));
        for (unsigned i = 0; i < tags.n; i++) {
                if (i > 0)
                        buf_addc(&b, '&');
                add_escaped(&b, tags.tags[i].key);
                buf_addc(&b, '=');
                add_escaped(&b, tags.tags[i].value);
        }
        TRY(buf_err(&b));
        TRY(set_tags(q, buf_str(&b)));
        s3_reply_empty(q, 200);
        return NULL;
}

struct err *s3__delete_tags(struct s3_req *q)
{
        TRY(set_tags(q, STR_NONE));
        s3_reply_empty(q, 204);
        return NULL;
}
