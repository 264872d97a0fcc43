/* api/s3_meta.c: an object's metadata as S3's headers, and back.
 *
 * What is kept are the record's custom pairs: standard headers and x-amz-meta-* under their names in lower case, what only S3's rules may change under
 * names of its own (docs/adr/0009-s3.md, 4). */
#include "api/s3.h"

#include <stdio.h>

#include "os/clock.h"
#include "s3/when.h"

#define META_MAX 2048 /* bytes of x-amz-meta-* names and values, as S3 has it */

static const char *const kept[] = { "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
                                    "x-amz-website-redirect-location" };

static bool is_user_meta(struct str name)
{
        return name.n > 11 && str_starts(name, STR("x-amz-meta-"));
}

void s3_pair_set(struct buf *pairs, const char *name, struct str value)
{
        AUTO_BUF struct buf one = BUF_INIT, all = BUF_INIT;
        buf_add_lstr(&one, str_of(name));
        buf_add_lstr(&one, value);
        store_custom_merge(buf_str(pairs), buf_str(&one), &all);
        buf_clear(pairs);
        buf_adds(pairs, buf_str(&all));
        pairs->bad = pairs->bad || one.bad || all.bad;
}

/* ---- in ---- */

struct err *s3_pairs_of_request(struct s3_req *q, bool tags, struct buf *ret)
{
        const struct http_head *h = q->r->rq->head;
        AUTO_BUF struct buf b = BUF_INIT;
        size_t user = 0;
        for (unsigned i = 0; i < h->nheaders; i++) {
                char *low = arena_dup(q->r->arena, h->headers[i].name.p, h->headers[i].name.n);
                struct str name = { low, h->headers[i].name.n }, value = h->headers[i].value;
                bool keep = false;
                if (low == NULL)
                        return err_static(ERR_NO_MEMORY);
                for (size_t k = 0; k < name.n; k++)
                        if (low[k] >= 'A' && low[k] <= 'Z')
                                low[k] = (char)(low[k] + ('a' - 'A'));
                for (size_t k = 0; k < ARRAY_LEN(kept); k++)
                        keep = keep || str_eq(name, str_of(kept[k]));
                if (str_eq(name, STR("content-encoding")))
                        value = s3_content_encoding(q->r->arena, value);
                if (is_user_meta(name)) {
                        user += name.n - 11 + value.n;
                        keep = true;
                }
                if (!keep || value.n == 0)
                        continue;
                buf_add_lstr(&b, name);
                buf_add_lstr(&b, value);
        }
        if (user > META_MAX)
                return s3_refuse(q, S3_METADATA_TOO_LARGE, NULL);
        struct str asked = tags ? s3_header(q, "x-amz-tagging") : STR_NONE;
        if (asked.n > 0) {
                struct s3_tags checked;
                TRY(s3_judge(q, s3_read_tagging_header(q->r->arena, asked, S3_OBJECT_TAGS_MAX, &checked, &q->fault)));
                buf_add_lstr(&b, STR(S3_PAIR_TAGS));
                buf_add_lstr(&b, asked);
        }
        struct str acl = tags ? s3_header(q, "x-amz-acl") : STR_NONE;
        if (acl.n > 0 && !str_eq(acl, STR("private"))) {
                buf_add_lstr(&b, STR(S3_PAIR_ACL));
                buf_add_lstr(&b, acl);
        }
        TRY(buf_err(&b));
        store_custom_merge(STR_NONE, buf_str(&b), ret);
        return buf_err(ret);
}

/* ---- out ---- */

const char *s3_etag(const struct obj_meta *m, char buf[static 80])
{
        struct str own = store_custom_get(m->custom, STR(S3_PAIR_ETAG));
        if (own.n > 0 && own.n <= 64)
                snprintf(buf, 80, "\"" STR_FMT "\"", STR_ARG(own));
        else if (m->cksum_type == CKSUM_MD5 && m->cksum.n == 32)
                snprintf(buf, 80, "\"" STR_FMT "\"", STR_ARG(m->cksum));
        else
                snprintf(buf, 80, "\"%016lx%016lx-0\"", (unsigned long)m->stamp.hlc, (unsigned long)m->stamp.node);
        return buf;
}

bool s3_object_cksum(const struct obj_meta *m, enum s3_cksum *ret_kind, enum s3_cksum_type *ret_type, struct str *ret_text)
{
        struct str rest = store_custom_get(m->custom, STR(S3_PAIR_CKSUM));
        struct str kind = str_cut(&rest, ' '), type = str_cut(&rest, ' ');
        if (!s3_cksum_from_name(kind, ret_kind) || !s3_cksum_type_parse(type, ret_type))
                return false;
        *ret_text = rest;
        return rest.n > 0;
}

/* A header line, as it was kept or as the reader wants it. */
static void kept_header(struct s3_req *q, const struct obj_meta *m, const char *name)
{
        static const struct {
                const char *name;
                enum s3_param param;
        } wishes[] = {
                { "content-type", S3_P_RESPONSE_CONTENT_TYPE },
                { "content-language", S3_P_RESPONSE_CONTENT_LANGUAGE },
                { "expires", S3_P_RESPONSE_EXPIRES },
                { "cache-control", S3_P_RESPONSE_CACHE_CONTROL },
                { "content-disposition", S3_P_RESPONSE_CONTENT_DISPOSITION },
                { "content-encoding", S3_P_RESPONSE_CONTENT_ENCODING },
        };
        struct str v = store_custom_get(m->custom, str_of(name));
        for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
                if (strcmp(wishes[i].name, name) == 0 && s3_param(q, wishes[i].param).n > 0)
                        v = s3_param(q, wishes[i].param);
        if (v.n == 0 && strcmp(name, "content-type") == 0)
                v = STR("binary/octet-stream");
        if (v.n > 0)
                http_resp_header(q->r->rs, name, v);
}

void s3_object_headers(struct s3_req *q, const struct obj_meta *m, bool whole)
{
        char etag[80], date[32];
        struct http_resp *rs = q->r->rs;
        struct str rest = m->custom, key, value;
        http_resp_header(rs, "ETag", str_of(s3_etag(m, etag)));
        http_resp_header(rs, "Last-Modified", str_of(clock_http_date(m->mtime_ns, date)));
        http_resp_head_raw(rs, STR("Accept-Ranges: bytes\r\n"));
        for (size_t i = 0; i < ARRAY_LEN(kept); i++)
                kept_header(q, m, kept[i]);
        while (store_custom_next(&rest, &key, &value))
                if (is_user_meta(key)) {
                        struct str name = str_arena(q->r->arena, key);
                        if (name.p != NULL)
                                http_resp_header(rs, name.p, value);
                }
        struct str tags = store_custom_get(m->custom, STR(S3_PAIR_TAGS));
        if (tags.n > 0) {
                unsigned n = 0;
                while (http_query_next(&tags, &key, &value))
                        n++;
                http_resp_headerf(rs, "x-amz-tagging-count", "%u", n);
        }
        enum s3_cksum kind;
        enum s3_cksum_type type;
        struct str text;
        if (whole && str_eq_nocase(s3_header(q, "x-amz-checksum-mode"), STR("ENABLED")) && s3_object_cksum(m, &kind, &type, &text)) {
                http_resp_header(rs, s3_cksum_header(kind), text);
                http_resp_header(rs, "x-amz-checksum-type", str_of(s3_cksum_type_name(type)));
        }
}

/* ---- conditions ---- */

/* Whether a list of entity tags names this one; "*" names all. Quotes are optional, as S3 has it. */
bool s3_names_etag(struct str list, struct str etag)
{
        struct str bare = { etag.p + 1, etag.n - 2 };
        while (list.n > 0) {
                struct str item = str_trim(str_cut(&list, ','));
                if (item.n > 2 && item.p[0] == 'W' && item.p[1] == '/')
                        item = str_skip(item, 2);
                if (str_eq(item, STR("*")) || str_eq(item, etag) || str_eq(item, bare))
                        return true;
        }
        return false;
}

static struct str conditional(const struct s3_req *q, const char *prefix, const char *name)
{
        char full[64];
        snprintf(full, sizeof(full), "%s%s", prefix, name);
        return s3_header(q, full);
}

struct err *s3_judge_conditions(struct s3_req *q, const char *prefix, const struct obj_meta *m)
{
        char text[80];
        struct str etag = str_of(s3_etag(m, text));
        struct str match = conditional(q, prefix, "if-match"), none = conditional(q, prefix, "if-none-match");
        struct str since = conditional(q, prefix, "if-modified-since"), unmodified = conditional(q, prefix, "if-unmodified-since");
        int64_t when, changed = m->mtime_ns / NS_PER_SEC;
        bool unchanged = false;
        if (match.p != NULL && !s3_names_etag(match, etag))
                return s3_refuse(q, S3_PRECONDITION_FAILED, NULL);
        if (match.p == NULL && unmodified.p != NULL && s3_when_http(unmodified, &when) && changed > when)
                return s3_refuse(q, S3_PRECONDITION_FAILED, NULL);
        if (none.p != NULL)
                unchanged = s3_names_etag(none, etag);
        else if (since.p != NULL && s3_when_http(since, &when))
                unchanged = changed <= when;
        if (!unchanged)
                return NULL;
        return s3_refuse(q, prefix[0] != '\0' ? S3_PRECONDITION_FAILED : S3_NOT_MODIFIED, NULL);
}
