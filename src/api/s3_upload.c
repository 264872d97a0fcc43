/* api/s3_upload.c: multipart uploads, at the target that has the parts.
 *
 * A part's checksum, as the store keeps it, is its MD5; a checksum of S3's follows behind ' ' as "NAME base64". So the
 * object's entity tag and checksum come out of the parts' own, without reading them again. */
#include "api/s3.h"

#include "os/clock.h"
#include "s3/write.h"

#include <stdio.h>

#define PARTS_LIST_MAX 1000u

static struct str upload_id(const struct s3_req *q)
{
        return s3_param(q, S3_P_UPLOAD_ID);
}

/* ---- create ---- */

/* Which checksum the finished object shall have; "" for none. */
static struct err *wanted_cksum(struct s3_req *q, char ret[static 64])
{
        struct str name = s3_header(q, "x-amz-checksum-algorithm"), type_name = s3_header(q, "x-amz-checksum-type");
        enum s3_cksum kind;
        enum s3_cksum_type type;
        ret[0] = '\0';
        if (name.n == 0)
                return NULL;
        if (!s3_cksum_from_name(name, &kind))
                return s3_refuse(q, S3_INVALID_REQUEST, "Checksum algorithm provided is unsupported.");
        type = s3_cksum_type_default(kind);
        if (type_name.n > 0 && !s3_cksum_type_parse(type_name, &type))
                return s3_refuse(q, S3_INVALID_REQUEST, "Value for x-amz-checksum-type header is invalid.");
        if (!s3_cksum_type_possible(kind, type))
                return s3_refuse(q, S3_INVALID_REQUEST, "The %s checksum type cannot be used with the %s checksum algorithm.", s3_cksum_type_name(type),
                                 s3_cksum_name(kind));
        snprintf(ret, 64, "%s %s", s3_cksum_name(kind), s3_cksum_type_name(type));
        http_resp_header(q->r->rs, "x-amz-checksum-algorithm", str_of(s3_cksum_name(kind)));
        http_resp_header(q->r->rs, "x-amz-checksum-type", str_of(s3_cksum_type_name(type)));
        return NULL;
}

struct err *s3__create_upload(struct s3_req *q)
{
        AUTO_BUF struct buf pairs = BUF_INIT, b = BUF_INIT;
        char id[FLOW_UPLOAD_ID_MAX], cksum[64];
        TRY(s3_pairs_of_request(q, true, &pairs));
        TRY(wanted_cksum(q, cksum));
        if (cksum[0] != '\0')
                s3_pair_set(&pairs, S3_PAIR_UPLOAD, str_of(cksum));
        TRY(buf_err(&pairs));
        TRY(flow_upload_create(q->r->node, q->r->bucket, q->r->object, buf_str(&pairs), id));
        s3_write_create_upload(&b, q->t.bucket, q->t.key, str_of(id));
        return s3_reply_xml(q, &b);
}

/* ---- parts ---- */

static struct err *take_part(void *put, const void *p, size_t n)
{
        return store_put_write(put, p, n);
}

struct err *s3__upload_part(struct s3_req *q)
{
        struct put *put;
        char md5[33], text[S3_CKSUM_TEXT_MAX], kept[128];
        const struct s3_body *body = &q->body;
        if (q->t.part_number == 0)
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Part number must be an integer between 1 and 10000, inclusive");
        if (body->rules.length < 0)
                return s3_refuse(q, S3_MISSING_CONTENT_LENGTH, NULL);
        TRY(flow_upload_part_begin(q->r->node, q->r->bucket, q->r->object, upload_id(q), q->t.part_number, body->rules.length, &put));
        struct err *e = s3__take_body(q, take_part, put, md5);
        if (e != NULL) {
                store_put_abort(put);
                return e;
        }
        snprintf(kept, sizeof(kept), "%s", md5);
        if (body->rules.cksum != S3_CKSUM_NONE) {
                s3_cksum_text(body->rules.cksum, body->cksum_value, text);
                snprintf(kept, sizeof(kept), "%s %s %s", md5, s3_cksum_name(body->rules.cksum), text);
                http_resp_header(q->r->rs, s3_cksum_header(body->rules.cksum), str_of(text));
        }
        TRY(store_upload_part_commit(put, CKSUM_MD5, str_of(kept)));
        http_resp_headerf(q->r->rs, "ETag", "\"%s\"", md5);
        s3_reply_empty(q, 200);
        return NULL;
}

/* "bytes=first-last", both given, inside the source. */
static struct err *source_range(struct s3_req *q, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
        struct str range = s3_header(q, "x-amz-copy-source-range");
        *ret_offset = 0;
        *ret_length = size;
        if (range.n == 0)
                return NULL;
        struct str rest = range, first, last;
        uint64_t from, to;
        if (!str_starts(range, STR("bytes=")))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "The x-amz-copy-source-range value must be of the form bytes=first-last");
        rest = str_skip(range, 6);
        first = str_cut(&rest, '-');
        last = rest;
        if (!str_u64(first, &from) || !str_u64(last, &to) || from > to)
                return s3_refuse(q, S3_INVALID_ARGUMENT, "The x-amz-copy-source-range value must be of the form bytes=first-last");
        if (to >= size)
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Range specified is not valid for source object of size: %lu", (unsigned long)size);
        *ret_offset = from;
        *ret_length = to - from + 1;
        return NULL;
}

static struct err *copy_part(struct s3_source *s, struct put *put, uint64_t offset, uint64_t length, char ret_md5[static 33])
{
        unsigned char md5[DIGEST_MAX];
        struct digest d;
        AUTO_FREE char *step = malloc(S3_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        digest_init(&d, DIGEST_MD5);
        for (uint64_t end = offset + length; offset < end;) {
                size_t n = (size_t)MIN((uint64_t)S3_STEP, end - offset);
                TRY(s3__source_read(s, offset, step, n));
                digest_update(&d, step, n);
                TRY(store_put_write(put, step, n));
                offset += n;
        }
        size_t n = digest_final(&d, md5);
        for (size_t i = 0; i < n; i++)
                snprintf(ret_md5 + 2 * i, 3, "%02x", md5[i]);
        return NULL;
}

static struct err *part_from(struct s3_req *q, struct s3_source *s, char ret_md5[static 33])
{
        uint64_t offset, length;
        struct put *put;
        TRY(source_range(q, s->meta->size, &offset, &length));
        TRY(flow_upload_part_begin(q->r->node, q->r->bucket, q->r->object, upload_id(q), q->t.part_number, (int64_t)length, &put));
        struct err *e = copy_part(s, put, offset, length, ret_md5);
        if (e != NULL) {
                store_put_abort(put);
                return e;
        }
        return store_upload_part_commit(put, CKSUM_MD5, str_of(ret_md5));
}

struct err *s3__upload_part_copy(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct s3_source s;
        char md5[33];
        if (q->t.part_number == 0)
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Part number must be an integer between 1 and 10000, inclusive");
        TRY(s3__source_open(q, &s));
        struct err *e = part_from(q, &s, md5);
        flow_object_close(&s.object);
        TRY(e);
        s3_write_copy(&b, true, str_of(md5), clock_wall_ns(), S3_CKSUM_NONE, STR_NONE);
        return s3_reply_xml(q, &b);
}

struct err *s3__list_parts(struct s3_req *q)
{
        struct upload_part *parts;
        unsigned n, first = 0, most;
        struct s3_parts_head h = { .bucket = q->t.bucket, .key = q->t.key, .upload_id = upload_id(q) };
        AUTO_BUF struct buf b = BUF_INIT;
        TRY(s3_judge(q, s3_target_count(&q->t, S3_P_MAX_PARTS, PARTS_LIST_MAX, PARTS_LIST_MAX, &most, &q->fault)));
        TRY(s3_judge(q, s3_target_count(&q->t, S3_P_PART_NUMBER_MARKER, 0, S3_PARTS_MAX, &h.marker, &q->fault)));
        TRY(flow_upload_parts(q->r->node, q->r->bucket, q->r->object, upload_id(q), q->r->arena, &parts, &n));
        while (first < n && parts[first].part <= h.marker)
                first++;
        unsigned end = MIN(n, first + most);
        h.max_parts = most;
        h.truncated = end < n;
        h.next_marker = end > first ? parts[end - 1].part : h.marker;
        h.url = str_eq(s3_param(q, S3_P_ENCODING_TYPE), STR("url"));
        s3_write_parts_begin(&b, &h);
        for (unsigned i = first; i < end; i++) {
                struct str rest = parts[i].cksum, md5 = str_cut(&rest, ' '), name = str_cut(&rest, ' ');
                enum s3_cksum kind = S3_CKSUM_NONE;
                if (!s3_cksum_from_name(name, &kind))
                        kind = S3_CKSUM_NONE;
                s3_write_part(&b, parts[i].part, md5, parts[i].size, parts[i].mtime_ns, kind, rest);
        }
        s3_write_parts_end(&b);
        return s3_reply_xml(q, &b);
}

struct err *s3__abort_upload(struct s3_req *q)
{
        TRY(flow_upload_abort(q->r->node, q->r->bucket, q->r->object, upload_id(q)));
        s3_reply_empty(q, 204);
        return NULL;
}

/* ---- complete ---- */

/* What comes out of the parts. */
struct finished {
        struct s3_cksum_parts etag, cksum;
        struct buf sizes; /* "N*size,…" */
        uint64_t run, run_size;
        unsigned *numbers;
};

static bool md5_value(struct str hex, unsigned char ret[static S3_CKSUM_MAX])
{
        uint64_t half[2];
        if (hex.n != 32 || !str_hex64((struct str){ hex.p, 16 }, &half[0]) || !str_hex64(str_skip(hex, 16), &half[1]))
                return false;
        for (unsigned i = 0; i < 16; i++)
                ret[i] = (unsigned char)(half[i / 8] >> (56 - 8 * (i % 8)));
        return true;
}

static void end_run(struct finished *f)
{
        if (f->run == 0)
                return;
        if (f->sizes.n > 0)
                buf_addc(&f->sizes, ',');
        if (f->run > 1)
                buf_printf(&f->sizes, "%lu*", (unsigned long)f->run);
        buf_addu(&f->sizes, f->run_size);
        f->run = 0;
}

/* Compares one named part with the stored one, and takes it in. */
static struct err *add_part(struct s3_req *q, struct finished *f, const struct s3_complete_part *want, const struct upload_part *have, bool last)
{
        unsigned char value[S3_CKSUM_MAX];
        struct str rest = have->cksum, md5 = str_cut(&rest, ' '), kind_name = str_cut(&rest, ' ');
        enum s3_cksum kind = S3_CKSUM_NONE;
        if (!md5_value(md5, value) || (want->etag.n > 0 && !str_eq_nocase(want->etag, md5)))
                return s3_refuse(q, S3_INVALID_PART, NULL);
        if (!last && have->size < S3_PART_LEAST)
                return s3_refuse(q, S3_ENTITY_TOO_SMALL, NULL);
        s3_cksum_parts_add(&f->etag, value, have->size);
        bool known = s3_cksum_from_name(kind_name, &kind) && s3_cksum_parse(kind, rest, value);
        if (want->cksum != S3_CKSUM_NONE && (!known || kind != want->cksum || memcmp(value, want->value, s3_cksum_size(kind)) != 0))
                return s3_refuse(q, S3_INVALID_PART, NULL);
        if (f->cksum.kind != S3_CKSUM_NONE) {
                if (!known || kind != f->cksum.kind)
                        return s3_refuse(q, S3_INVALID_REQUEST, "The upload was created using a %s checksum. The complete request must include the checksum for each part.",
                                         s3_cksum_name(f->cksum.kind));
                s3_cksum_parts_add(&f->cksum, value, have->size);
        }
        if (f->run > 0 && f->run_size != have->size)
                end_run(f);
        f->run_size = have->size;
        f->run++;
        return NULL;
}

static struct err *collect(struct s3_req *q, const struct s3_complete *c, struct finished *f)
{
        struct upload_part *have;
        unsigned n, at = 0;
        TRY(flow_upload_parts(q->r->node, q->r->bucket, q->r->object, upload_id(q), q->r->arena, &have, &n));
        for (unsigned i = 0; i < c->n; i++) {
                while (at < n && have[at].part < c->parts[i].number)
                        at++;
                if (at == n || have[at].part != c->parts[i].number)
                        return s3_refuse(q, S3_INVALID_PART, NULL);
                TRY(add_part(q, f, &c->parts[i], &have[at], i + 1 == c->n));
                f->numbers[i] = c->parts[i].number;
        }
        end_run(f);
        return buf_err(&f->sizes);
}

/* The checksum that the upload was made for, as its pairs tell. */
static void upload_cksum(struct str custom, enum s3_cksum *ret_kind, enum s3_cksum_type *ret_type)
{
        struct str rest = store_custom_get(custom, STR(S3_PAIR_UPLOAD)), name = str_cut(&rest, ' ');
        *ret_type = S3_CKSUM_COMPOSITE;
        if (!s3_cksum_from_name(name, ret_kind) || !s3_cksum_type_parse(rest, ret_type))
                *ret_kind = S3_CKSUM_NONE;
}

static struct err *finish(struct s3_req *q, const struct s3_complete *c, struct finished *f, char ret_etag[static S3_CKSUM_TEXT_MAX],
                          char ret_cksum[static S3_CKSUM_TEXT_MAX])
{
        AUTO_BUF struct buf pairs = BUF_INIT;
        struct flow_put_options o = { .has_custom = true };
        struct str none = s3_header(q, "if-none-match");
        char value[128];
        if (s3_header(q, "if-match").n > 0)
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "If-Match is not implemented for uploads");
        if (none.n > 0 && !str_eq(none, STR("*")))
                return s3_refuse(q, S3_NOT_IMPLEMENTED, "If-None-Match of a write takes * alone");
        if (none.n > 0)
                o.cond.kind = COND_ABSENT;
        TRY(collect(q, c, f));
        s3_cksum_parts_text(&f->etag, ret_etag);
        buf_add_lstr(&pairs, STR(S3_PAIR_ETAG));
        buf_add_lstr(&pairs, str_of(ret_etag));
        ret_cksum[0] = '\0';
        if (f->cksum.kind != S3_CKSUM_NONE) {
                s3_cksum_parts_text(&f->cksum, ret_cksum);
                snprintf(value, sizeof(value), "%s %s %s", s3_cksum_name(f->cksum.kind), s3_cksum_type_name(f->cksum.type), ret_cksum);
                buf_add_lstr(&pairs, STR(S3_PAIR_CKSUM));
                buf_add_lstr(&pairs, str_of(value));
        }
        buf_add_lstr(&pairs, STR(S3_PAIR_PARTS));
        buf_add_lstr(&pairs, buf_str(&f->sizes));
        buf_add_lstr(&pairs, STR(S3_PAIR_UPLOAD));
        buf_add_lstr(&pairs, STR_NONE); /* it is none any more */
        TRY(buf_err(&pairs));
        o.custom = buf_str(&pairs);
        return flow_upload_complete(q->r->node, q->r->bucket, q->r->object, upload_id(q), f->numbers, c->n, &o);
}

/* The same upload completed once more: the object is there, and its entity tag says that it was these parts. */
static bool was_completed(struct s3_req *q, const struct s3_complete *c, char ret_etag[static S3_CKSUM_TEXT_MAX])
{
        struct s3_cksum_parts p;
        unsigned char value[S3_CKSUM_MAX];
        struct obj_meta m;
        s3_cksum_parts_init(&p, S3_CKSUM_MD5, S3_CKSUM_COMPOSITE);
        for (unsigned i = 0; i < c->n; i++) {
                if (!md5_value(c->parts[i].etag, value))
                        return false;
                s3_cksum_parts_add(&p, value, 0);
        }
        s3_cksum_parts_text(&p, ret_etag);
        struct err *e = flow_head_anywhere(q->r->node, q->r->bucket, q->r->object, q->r->arena, &m);
        bool same = e == NULL && str_eq(store_custom_get(m.custom, STR(S3_PAIR_ETAG)), str_of(ret_etag));
        err_free(e);
        return same;
}

struct err *s3__complete_upload(struct s3_req *q)
{
        struct s3_complete c;
        struct str text, custom;
        struct finished f = { .sizes = BUF_INIT };
        char etag[S3_CKSUM_TEXT_MAX], cksum[S3_CKSUM_TEXT_MAX] = "";
        enum s3_cksum kind = S3_CKSUM_NONE;
        enum s3_cksum_type type = S3_CKSUM_COMPOSITE;
        AUTO_BUF struct buf b = BUF_INIT;
        TRY(s3_read_all(q, S3_READ_COMPLETE_MAX, &text));
        TRY(s3_judge(q, s3_read_complete(q->r->arena, text, &c, &q->fault)));
        f.numbers = arena_alloc(q->r->arena, c.n * sizeof(*f.numbers));
        if (f.numbers == NULL)
                return err_static(ERR_NO_MEMORY);
        struct err *e = flow_upload_custom(q->r->node, q->r->bucket, q->r->object, upload_id(q), q->r->arena, &custom);
        if (e == NULL) {
                upload_cksum(custom, &kind, &type);
                s3_cksum_parts_init(&f.etag, S3_CKSUM_MD5, S3_CKSUM_COMPOSITE);
                if (kind != S3_CKSUM_NONE)
                        s3_cksum_parts_init(&f.cksum, kind, type);
                e = finish(q, &c, &f, etag, cksum);
        }
        buf_fini(&f.sizes);
        if (err_code(e) == ERR_UPLOAD_NOT_FOUND && was_completed(q, &c, etag)) {
                err_free(e);
                e = NULL;
        }
        TRY(e);
        struct str location = str_printf(q->r->arena, "/" STR_FMT "/" STR_FMT, STR_ARG(q->t.bucket), STR_ARG(q->t.key));
        s3_write_complete_upload(&b, location, q->t.bucket, q->t.key, str_of(etag), kind, type, cksum[0] != '\0' ? str_of(cksum) : STR_NONE);
        return s3_reply_xml(q, &b);
}
