/* api/s3_list.c: lists of objects, versions 1 and 2, and of versions (of each object there is one, "null"), over all
 * targets.
 *
 * The delimiter '/' is folded by each target (flow/list.c); another one here, by going on behind each common prefix:
 * what lies below it is skipped, not read. */
#include "api/s3.h"
#include "api/s3_keys.h"

#include "s3/write.h"

#define KEYS_MAX 1000u

struct page {
        struct s3_req *q;
        struct s3_list_head h;
        struct s3_owner owner;
        struct buf *b;
        unsigned most, n;
        bool full;                     /* there is more than fits */
        bool skip;                     /* go on behind the common prefix `last` */
        char last[OBJECT_NAME_MAX + 1]; /* the last entry or common prefix */
        size_t last_n;
        bool last_is_prefix;
};

static struct str last_of(const struct page *p)
{
        return (struct str){ p->last, p->last_n };
}

static void set_last(struct page *p, struct str name, bool prefix)
{
        p->last_n = MIN(name.n, sizeof(p->last));
        memcpy(p->last, name.p, p->last_n);
        p->last_is_prefix = prefix;
}

/* The common prefix of a name, or STR_NONE. */
static struct str common_prefix(const struct page *p, struct str name)
{
        if (p->h.delimiter.n == 0 || name.n < p->h.prefix.n)
                return STR_NONE;
        ptrdiff_t at = str_find_str(str_skip(name, p->h.prefix.n), p->h.delimiter);
        return at < 0 ? STR_NONE : (struct str){ name.p, p->h.prefix.n + (size_t)at + p->h.delimiter.n };
}

static void visit(void *arg, const struct flow_list_entry *e)
{
        struct page *p = arg;
        struct str folded = e->dir ? e->name : common_prefix(p, e->name);
        char etag[80];
        if (folded.p != NULL && p->last_is_prefix && str_eq(folded, last_of(p))) {
                p->skip = true;
                return;
        }
        if (p->n == p->most) {
                p->full = true;
                return;
        }
        p->n++;
        if (folded.p != NULL) {
                s3_write_list_prefix(p->b, &p->h, folded);
                set_last(p, folded, true);
                p->skip = !e->dir;
                return;
        }
        struct s3_list_entry out = { .key = e->name, .size = e->meta->size, .modified_ns = e->meta->mtime_ns };
        struct str unused;
        out.etag = s3_bare(str_of(s3_etag(e->meta, etag)));
        if (!s3_object_cksum(e->meta, &out.cksum, &out.cksum_type, &unused))
                out.cksum = S3_CKSUM_NONE;
        out.owner = p->h.kind != S3_LIST_V2 || p->h.fetch_owner ? &p->owner : NULL;
        if (p->h.kind == S3_LIST_VERSIONS) {
                out.version_id = STR("null");
                out.latest = true;
        }
        s3_write_list_entry(p->b, &p->h, &out);
        set_last(p, e->name, false);
}

static bool is_over(void *arg)
{
        struct page *p = arg;
        return p->full || p->skip;
}

/* One run until the page is full, or all is read, or a common prefix must be skipped. */
static struct err *run(struct page *p, struct str after, bool *ret_more)
{
        char behind[OBJECT_NAME_MAX];
        bool slash = str_eq(p->h.delimiter, STR("/"));
        struct str last;
        if (p->skip) { /* no name below the prefix is larger */
                memset(behind, 0xff, sizeof(behind));
                memcpy(behind, after.p, MIN(after.n, sizeof(behind)));
                after = (struct str){ behind, sizeof(behind) };
                p->skip = false;
        }
        struct flow_list_options o = { .prefix = p->h.prefix, .start_after = after, .page_size = KEYS_MAX + 1, .no_recursion = slash, .full = true, .stop = is_over };
        return flow_list(p->q->r->node, p->q->r->bucket, &o, visit, p, p->q->r->arena, ret_more, &last);
}

static struct err *fill(struct page *p, struct str after)
{
        bool more = true;
        char start[OBJECT_NAME_MAX];
        /* A marker that is a common prefix itself stands for all below it. */
        struct str folded = common_prefix(p, after);
        if (folded.p != NULL && str_starts(after, p->h.prefix) && folded.n == after.n && !str_eq(p->h.delimiter, STR("/"))) {
                set_last(p, folded, true);
                p->skip = true;
        }
        while (more && !p->full) {
                TRY(run(p, after, &more));
                if (p->skip)
                        more = true;
                memcpy(start, p->last, p->last_n);
                after = (struct str){ start, p->last_n };
        }
        return NULL;
}

static struct err *read_head(struct s3_req *q, struct s3_list_head *h)
{
        struct str encoding = s3_param(q, S3_P_ENCODING_TYPE), fetch = s3_param(q, S3_P_FETCH_OWNER);
        bool v2 = q->t.op == S3_OP_LIST_OBJECTS_V2, versions = q->t.op == S3_OP_LIST_VERSIONS;
        if (v2 && !str_eq(s3_param(q, S3_P_LIST_TYPE), STR("2")))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Invalid List Type specified in Request");
        if (encoding.n > 0 && !str_eq(encoding, STR("url")))
                return s3_refuse(q, S3_INVALID_ARGUMENT, "Invalid Encoding Method specified in Request");
        *h = (struct s3_list_head){
                .kind = v2 ? S3_LIST_V2 : versions ? S3_LIST_VERSIONS : S3_LIST_V1,
                .bucket = q->t.bucket,
                .prefix = s3_param(q, S3_P_PREFIX).p != NULL ? s3_param(q, S3_P_PREFIX) : STR(""),
                .delimiter = s3_param(q, S3_P_DELIMITER),
                .marker = s3_param(q, v2 ? S3_P_START_AFTER : versions ? S3_P_KEY_MARKER : S3_P_MARKER),
                .id_marker = s3_param(q, S3_P_VERSION_ID_MARKER),
                .token = v2 ? s3_param(q, S3_P_CONTINUATION_TOKEN) : STR_NONE,
                .url = encoding.n > 0,
                .fetch_owner = str_eq_nocase(fetch, STR("true")),
        };
        if (v2 && h->token.p != NULL && h->token.n == 0)
                return s3_refuse(q, S3_INVALID_ARGUMENT, "The continuation token provided is incorrect");
        return s3_judge(q, s3_target_count(&q->t, S3_P_MAX_KEYS, KEYS_MAX, KEYS_MAX, &h->max_keys, &q->fault));
}

struct err *s3__list_objects(struct s3_req *q)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct page *p = arena_new(q->r->arena, struct page);
        struct str after;
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        p->q = q;
        p->b = &b;
        p->owner = (struct s3_owner){ q->user, api__s3_keys_display(q->r->api->s3_keys, q->user) };
        TRY(read_head(q, &p->h));
        p->most = p->h.max_keys;
        after = p->h.marker;
        if (p->h.token.n > 0) {
                struct err *e = str_base64_decode(q->r->arena, p->h.token, &after);
                if (e != NULL) {
                        err_free(e);
                        return s3_refuse(q, S3_INVALID_ARGUMENT, "The continuation token provided is incorrect");
                }
        }
        s3_write_list_begin(&b, &p->h);
        if (p->most > 0)
                TRY(fill(p, after));
        struct s3_list_tail t = { .truncated = p->full, .count = p->n };
        if (p->full && p->h.kind == S3_LIST_V2)
                t.next_marker = str_base64url(q->r->arena, p->last, p->last_n);
        else if (p->full && (p->h.delimiter.n > 0 || p->h.kind == S3_LIST_VERSIONS))
                t.next_marker = last_of(p);
        if (p->full && p->h.kind == S3_LIST_VERSIONS)
                t.next_id_marker = STR("null");
        s3_write_list_end(&b, &p->h, &t);
        return s3_reply_xml(q, &b);
}
