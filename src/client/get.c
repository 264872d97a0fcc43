/* client/get.c: reading an object: stream, compare with its checksum, and go on after a lost connection.
 *
 * A body that breaks off is asked for again from where it stopped, at most three times, provided that the object is still the same: the answer's
 * checksum and version must not have changed. */
#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"
#include "client/priv.h"

#define READ_SIZE ((size_t)256 << 10)
#define RESUMES_MAX 3

struct get {
        struct orlop *h;
        const struct orlop_bucket *b;
        const char *object;
        const struct orlop_get_options *o;
        bool (*write)(void *arg, const void *p, size_t n);
        void *arg;
        struct orlop_info info;   /* of the first answer */
        uint64_t start, length;   /* of the body within the object; length of the whole body */
        uint64_t done;            /* bytes given to the caller */
        struct cksum_ctx *cksum;  /* null: not verified */
};

static bool is_range(const struct orlop_get_options *o)
{
        return o->offset != 0 || o->length != 0;
}

static void range_header(struct client_request *rq, const struct orlop_get_options *o)
{
        char text[64];
        if (o->offset < 0)
                snprintf(text, sizeof(text), "bytes=%" PRId64, o->offset);
        else if (o->length > 0)
                snprintf(text, sizeof(text), "bytes=%" PRId64 "-%" PRId64, o->offset, o->offset + o->length - 1);
        else
                snprintf(text, sizeof(text), "bytes=%" PRId64 "-", o->offset);
        client__header_add(rq, "Range", text);
}

/* Asks from what is already here. */
static enum orlop_code get_send(struct get *g, struct http_reply **ret, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        client__request_init(&rq, "GET", "/v1/objects");
        client__path_add(&rq, g->b->name);
        client__path_add(&rq, g->object);
        client__query_bucket(&rq, g->b);
        if (g->o->archive_path)
                client__query_add(&rq, "archpath", g->o->archive_path);
        if (g->done > 0) {
                char text[64];
                snprintf(text, sizeof(text), "bytes=%" PRIu64 "-%" PRIu64, g->start + g->done, g->start + g->length - 1);
                client__header_add(&rq, "Range", text);
        } else if (is_range(g->o)) {
                range_header(&rq, g->o);
        }
        return client__send(g->h, &rq, ret, ret_error);
}

/* Offset of "bytes 5-9/100". */
static uint64_t content_range_start(const struct http_reply *r)
{
        struct str v = http_reply_header(r, STR("Content-Range"));
        uint64_t n = 0;
        if (str_starts(v, STR("bytes ")))
                v = str_skip(v, 6);
        (void)str_u64(str_cut(&v, '-'), &n);
        return n;
}

/* Total size of "bytes 5-9/100". */
static bool content_range_size(const struct http_reply *r, uint64_t *ret)
{
        struct str v = http_reply_header(r, STR("Content-Range"));
        str_cut(&v, '/');
        return str_u64(v, ret);
}

static enum orlop_code first_head(struct get *g, const struct http_reply *r, struct orlop_error *ret_error)
{
        client__info(r, &g->info);
        g->length = g->info.size;
        g->start = content_range_start(r);
        (void)content_range_size(r, &g->info.size);
        bool whole = !is_range(g->o) && !g->o->archive_path && http_reply_status(r) == 200;
        enum cksum_type type;
        if (whole && !g->o->no_verify && g->info.cksum_value[0] && cksum_type_parse(str_of(g->info.cksum_type), &type)) {
                g->cksum = cksum_new(type);
                if (!g->cksum)
                        return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        }
        if (g->o->on_info && !g->o->on_info(g->arg, &g->info, g->length))
                return client__error(ret_error, ORLOP_CANCELLED, "cancelled");
        return ORLOP_OK;
}

/* Whether a later answer goes on with the same content. */
static enum orlop_code next_head(const struct get *g, const struct http_reply *r, struct orlop_error *ret_error)
{
        struct orlop_info now;
        client__info(r, &now);
        if (http_reply_status(r) != 206 || content_range_start(r) != g->start + g->done ||
            strcmp(now.cksum_value, g->info.cksum_value) != 0 || strcmp(now.version, g->info.version) != 0)
                return client__error(ret_error, ORLOP_CONFLICT, "the object changed while it was being read");
        return ORLOP_OK;
}

static enum orlop_code read_body(struct get *g, struct http_reply *r, char *piece, struct orlop_error *ret_error)
{
        for (;;) {
                size_t n;
                struct err *e = http_reply_read(r, piece, READ_SIZE, &n);
                if (e)
                        return client__error_of(ret_error, e);
                if (n == 0)
                        return ORLOP_OK;
                if (g->cksum)
                        cksum_update(g->cksum, piece, n);
                g->done += n;
                if (!g->write(g->arg, piece, n))
                        return client__error(ret_error, ORLOP_CANCELLED, "cancelled");
        }
}

static bool worth_resuming(const struct get *g, enum orlop_code code)
{
        return (code == ORLOP_CONNECTION || code == ORLOP_TIMEOUT) && g->done > 0 && g->done < g->length && !g->o->archive_path;
}

static enum orlop_code get_all(struct get *g, char *piece, struct orlop_error *ret_error)
{
        enum orlop_code code = ORLOP_OK;
        for (int attempt = 0; attempt <= RESUMES_MAX; attempt++) {
                struct http_reply *r;
                code = get_send(g, &r, ret_error);
                if (code)
                        return code;
                code = attempt == 0 ? first_head(g, r, ret_error) : next_head(g, r, ret_error);
                if (!code)
                        code = read_body(g, r, piece, ret_error);
                http_reply_close(r);
                if (!worth_resuming(g, code))
                        break;
        }
        return code;
}

static enum orlop_code verify(struct get *g, struct orlop_error *ret_error)
{
        char hex[CKSUM_HEX_MAX];
        if (!g->cksum)
                return ORLOP_OK;
        cksum_final(g->cksum, hex);
        if (str_eq_nocase(str_of(hex), str_of(g->info.cksum_value)))
                return ORLOP_OK;
        return client__error(ret_error, ORLOP_CHECKSUM, "%s of the content is %s, the server says %s", g->info.cksum_type, hex,
                             g->info.cksum_value);
}

enum orlop_code orlop_get(struct orlop *h, const struct orlop_bucket *b, const char *object, const struct orlop_get_options *o,
                          bool (*write)(void *arg, const void *p, size_t n), void *arg, struct orlop_info *ret_info,
                          struct orlop_error *ret_error)
{
        static const struct orlop_get_options none;
        struct get g = { .h = h, .b = b, .object = object, .o = o ? o : &none, .write = write, .arg = arg };
        AUTO_FREE char *piece = malloc(READ_SIZE);
        if (!piece)
                return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        enum orlop_code code = get_all(&g, piece, ret_error);
        if (!code)
                code = verify(&g, ret_error);
        cksum_free(g.cksum);
        if (!code && ret_info)
                *ret_info = g.info;
        return code;
}
