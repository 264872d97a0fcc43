/* api/object_upload.c: native multipart upload: create, part, complete, abort.
 *
 * Wire rules: parts are numbered from 1 without gaps; completing must name all that were uploaded; a failed complete
 * keeps the upload. The id names the target that holds the parts; requests with it go there (redirect.c). */
#include "api/objects.h"
#include "api/request.h"

#define PART_MAX 10000

static struct err *upload_id(struct api_req *r, struct str *ret)
{
        struct str id = api_param(r, "uploadId");
        if (id.n == 0)
                return err_new(ERR_UPLOAD_NOT_FOUND, "upload \"" STR_FMT "\" does not exist", STR_ARG(id));
        *ret = id;
        return NULL;
}

struct err *api__upload_create(struct api_req *r)
{
        r->role_target = true;
        bool has;
        struct str custom;
        char id[FLOW_UPLOAD_ID_MAX];
        TRY(api__custom_headers(r, &has, &custom));
        TRY(flow_upload_create(r->node, r->bucket, r->object, custom, id));
        api_reply_text(r, 200, str_of(id));
        return NULL;
}

struct part_sink {
        struct put *put;
        struct cksum_ctx *sum, *verify; /* verify may be null */
        uint64_t size;
        enum cksum_type stored;
        struct str expect;
};

static struct err *take(void *arg, const void *p, size_t n)
{
        struct part_sink *s = arg;
        s->size += n;
        cksum_update(s->sum, p, n);
        if (s->verify != NULL)
                cksum_update(s->verify, p, n);
        return store_put_write(s->put, p, n);
}

static struct err *check_part(struct api_req *r, struct cksum_ctx *verify, struct str expect)
{
        char hex[CKSUM_HEX_MAX];
        if (verify == NULL)
                return NULL;
        cksum_final(verify, hex);
        if (str_eq_nocase(str_of(hex), expect))
                return NULL;
        stat_add(&r->node->stats, STAT_ERR_PUT_CKSUM_N, 1);
        return err_new(ERR_BAD_CHECKSUM, "BAD CHECKSUM: part of " STR_FMT ": expected " STR_FMT ", got %s",
                       STR_ARG(r->object), STR_ARG(expect), hex);
}

/* All of it has arrived. */
static struct err *part_sum(struct api_req *r, struct part_sink *s, char hex[static CKSUM_HEX_MAX])
{
        if (s->size == 0) /* wire: a part has bytes */
                return err_new(ERR_INVALID, "part of " STR_FMT " has invalid size (0)", STR_ARG(r->object));
        TRY(check_part(r, s->verify, s->expect));
        cksum_final(s->sum, hex);
        return NULL;
}

static struct err *part_end(struct api_req *r, void *arg, struct err *e)
{
        struct part_sink *s = arg;
        char hex[CKSUM_HEX_MAX] = "";
        if (e == NULL)
                e = part_sum(r, s, hex);
        cksum_free(s->sum);
        cksum_free(s->verify);
        if (e != NULL) {
                store_put_abort(s->put);
                return e;
        }
        TRY(store_upload_part_commit(s->put, s->stored, str_of(hex)));
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__upload_part(struct api_req *r)
{
        struct str id, number = api_param(r, "partNumber");
        uint64_t part;
        if (!str_u64(number, &part) || part < 1 || part > PART_MAX)
                return err_new(ERR_INVALID, "invalid part number \"" STR_FMT "\" (expecting 1 to %d)", STR_ARG(number),
                               PART_MAX);
        TRY(upload_id(r, &id));
        bool has;
        enum cksum_type type = CKSUM_NONE;
        struct str value = STR_NONE;
        TRY(api__checksum_headers(r, &has, &type, &value));
        struct part_sink *s = arena_new(r->arena, struct part_sink);
        struct put *put;
        if (s == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(flow_upload_part_begin(r->node, r->bucket, r->object, id, (unsigned)part, r->rq->body_length, &put));
        enum cksum_type stored = r->bucket->props.checksum.type;
        *s = (struct part_sink){ .put = put, .sum = cksum_new(stored), .verify = has ? cksum_new(type) : NULL,
                                 .stored = stored, .expect = value };
        if (s->sum == NULL || (has && s->verify == NULL))
                return part_end(r, s, err_static(ERR_NO_MEMORY));
        return api__body_take(r, take, part_end, s);
}

static int cmp_unsigned(const void *a, const void *b)
{
        unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
        return (x > y) - (x < y);
}

/* The numbers that the message names, ascending: all `have` that were uploaded; gaps and repeats are refused. */
static struct err *decode_parts(struct api_req *r, unsigned have, unsigned **ret, unsigned *ret_n)
{
        struct part { int64_t number; struct str etag; };
        static const struct json_field fields[] = {
                JSON_FIELD(struct part, "part-number", JSON_F_INT, number),
                JSON_FIELD(struct part, "etag", JSON_F_STR, etag),
        };
        if (!json_is_array(r->env.value) || json_array_size(r->env.value) == 0)
                return err_new(ERR_INVALID, "failed to complete the upload: no chunks (expecting a list of parts)");
        size_t n = json_array_size(r->env.value);
        if (n > PART_MAX)
                return err_new(ERR_INVALID, "too many parts (%zu > %d)", n, PART_MAX);
        unsigned *list = arena_alloc(r->arena, n * sizeof(*list));
        if (list == NULL)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++) {
                struct part p = { 0, STR_NONE };
                const json_t *item = json_array_get(r->env.value, i);
                if (!json_is_object(item))
                        return err_new(ERR_MALFORMED, "part %zu of the list is not an object", i);
                TRY(json_decode(item, fields, ARRAY_LEN(fields), true, "part", &p));
                if (p.number < 1 || p.number > PART_MAX)
                        return err_new(ERR_INVALID, "invalid part number %ld", (long)p.number);
                list[i] = (unsigned)p.number;
        }
        if (n != have)
                return err_new(ERR_INVALID, "partial completion is not allowed: requested %zu parts, have %u", n, have);
        qsort(list, n, sizeof(*list), cmp_unsigned);
        for (size_t i = 0; i < n; i++)
                if (list[i] != i + 1)
                        return err_new(ERR_INVALID, "chunk at (%zu) has invalid number %u (count=%zu)", i, list[i], n);
        *ret = list;
        *ret_n = (unsigned)n;
        return NULL;
}

struct err *api__upload_complete(struct api_req *r)
{
        r->role_target = true;
        struct str id;
        unsigned *parts = NULL, n = 0, have_n;
        struct upload_part *have;
        TRY(upload_id(r, &id));
        TRY(flow_upload_parts(r->node, r->bucket, r->object, id, r->arena, &have, &have_n));
        TRY(decode_parts(r, have_n, &parts, &n));
        TRY(flow_upload_complete(r->node, r->bucket, r->object, id, parts, n, NULL));
        stat_add(&r->node->stats, STAT_PUT_N, 1);
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__upload_abort(struct api_req *r)
{
        r->role_target = true;
        struct str id;
        TRY(upload_id(r, &id));
        TRY(flow_upload_abort(r->node, r->bucket, r->object, id));
        api_reply_empty(r, 200);
        return NULL;
}
