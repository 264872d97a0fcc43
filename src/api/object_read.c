/* api/object_read.c: GET and HEAD of an object.
 *
 * GET opens the content through the cache, judges the range, and ends by giving the body source away: bytes in memory,
 * descriptors when all of the range is verified, else a generator that verifies as it reads. HEAD reads the record
 * alone. */
#include "api/objects.h"
#include "api/request.h"

#include "flow/owner.h"
#include "os/clock.h"

/* ---- body sources ---- */

struct err *api__object_body(struct http_req *rq, struct http_resp *rs, struct content *c, uint64_t offset,
                             uint64_t length)
{
        struct str mem = content_mem(c);
        if (mem.p != NULL || length == 0) {
                struct str part = length == 0 ? STR_NONE : (struct str){ mem.p + offset, length };
                http_resp_mem(rs, part, content_release, c);
                return NULL;
        }
        if (!content_range_ready(c, offset, length))
                return err_static(ERR_CORRUPT);
        const struct content_part *parts;
        unsigned n;
        TRY(content_parts(c, offset, length, rq->arena, &parts, &n));
        if (n == 1) {
                http_resp_file(rs, parts[0].fd, parts[0].offset, parts[0].length, content_release, c);
                return NULL;
        }
        struct body_part *list = arena_alloc(rq->arena, n * sizeof(*list));
        if (list == NULL)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n; i++)
                list[i] = (struct body_part){ parts[i].fd, parts[i].offset, parts[i].length };
        http_resp_files(rs, list, n, content_release, c);
        return NULL;
}

/* Bytes that are verified before the first byte is sent; above, as they go. */
#define VERIFY_AT_ONCE (32u * 1024 * 1024)
#define GEN_STEP (256u * 1024)

/* Reads and checks a large content piece by piece. */
struct verified_read {
        struct content *c;
        uint64_t at, end;
};

static struct err *verified_next(void *arg, struct buf *out, bool *ret_end)
{
        struct verified_read *v = arg;
        size_t n = (size_t)MIN((uint64_t)GEN_STEP, v->end - v->at);
        char *p = buf_reserve(out, n);
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(content_read(v->c, v->at, p, n));
        out->n += n;
        v->at += n;
        *ret_end = v->at == v->end;
        return NULL;
}

static void verified_release(void *arg)
{
        struct verified_read *v = arg;
        content_unref(v->c);
}

/* The body of a read that a worker handles: takes over c on success. */
static struct err *send_range(struct api_req *r, struct content *c, uint64_t offset, uint64_t length)
{
        if (content_mem(c).p != NULL || length == 0 || content_range_ready(c, offset, length))
                return api__object_body(r->rq, r->rs, c, offset, length);
        if (length <= VERIFY_AT_ONCE) {
                TRY(content_verify(c, offset, length));
                if (content_range_ready(c, offset, length))
                        return api__object_body(r->rq, r->rs, c, offset, length);
        }
        TRY(api__reserve_held(r, GEN_STEP)); /* a reader who stops keeps a piece */
        struct verified_read *v = arena_new(r->arena, struct verified_read);
        if (v == NULL)
                return err_static(ERR_NO_MEMORY);
        *v = (struct verified_read){ c, offset, offset + length };
        http_resp_gen(r->rs, verified_next, (int64_t)length, verified_release, v);
        return NULL;
}

/* A large content that has not arrived here yet is read where it lies. */
struct relayed_read {
        struct flow_relay *relay;
        uint64_t at, end;
};

static struct err *relayed_next(void *arg, struct buf *out, bool *ret_end)
{
        struct relayed_read *v = arg;
        size_t n = (size_t)MIN((uint64_t)GEN_STEP, v->end - v->at);
        char *p = buf_reserve(out, n);
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(flow_relay_read(v->relay, v->at, p, n));
        out->n += n;
        v->at += n;
        *ret_end = v->at == v->end;
        return NULL;
}

static void relayed_release(void *arg)
{
        struct relayed_read *v = arg;
        flow_relay_close(v->relay);
}

struct err *api__object_send(struct api_req *r, struct flow_object *o, uint64_t offset, uint64_t length)
{
        if (o->content != NULL) {
                TRY(send_range(r, o->content, offset, length));
                content_touch(o->content);
                o->content = NULL;
                return NULL;
        }
        TRY(api__reserve_held(r, GEN_STEP));
        struct relayed_read *v = arena_new(r->arena, struct relayed_read);
        if (v == NULL)
                return err_static(ERR_NO_MEMORY);
        *v = (struct relayed_read){ o->relay, offset, offset + length };
        o->relay = NULL;
        http_resp_gen(r->rs, relayed_next, (int64_t)length, relayed_release, v);
        return NULL;
}

/* ---- GET ---- */

static struct err *refuse_unbuilt(struct api_req *r)
{
        static const char *const archive[] = { "archpath", "archregx", "archmime", "archmode" };
        for (size_t i = 0; i < ARRAY_LEN(archive); i++)
                if (api_param(r, archive[i]).n > 0)
                        return err_new(ERR_NOT_IMPLEMENTED,
                                       "reading from archives (query parameter %s) is not implemented yet", archive[i]);
        if (api_param(r, "etl_name").n > 0 || api_param(r, "etl_pipeline").n > 0)
                return err_new(ERR_NOT_IMPLEMENTED, "inline transformation (etl_name) is not implemented yet");
        static const char *const blob[] = { "Ais-Blob-Download", "Ais-Blob-Chunk", "Ais-Blob-Workers",
                                            "Ais-Blob-Threshold" };
        char text[192];
        for (size_t i = 0; i < ARRAY_LEN(blob); i++)
                if (http_req_header(r->rq, str_of(blob[i])).n > 0)
                        return err_new(ERR_INVALID, "blob-downloader is not supported for local buckets: %s",
                                       bck_text(&r->bucket->bck, text));
        return NULL;
}

/* Judges the Range header: *ret_partial tells whether one applies. */
static struct err *judge_range(struct api_req *r, uint64_t size, bool *ret_partial, uint64_t *ret_offset,
                               uint64_t *ret_length)
{
        struct str range = http_req_header(r->rq, STR("Range"));
        *ret_partial = false;
        *ret_offset = 0;
        *ret_length = size;
        if (range.n == 0)
                return NULL;
        switch (http_range(range, size, ret_offset, ret_length)) {
        case RANGE_NONE:
                return NULL;
        case RANGE_ONE:
                *ret_partial = true;
                return NULL;
        case RANGE_MULTI:
                return err_new(ERR_MULTI_RANGE, "multiple ranges are not supported: \"" STR_FMT "\"", STR_ARG(range));
        case RANGE_UNSATISFIABLE:
                http_resp_headerf(r->rs, "Content-Range", "bytes */%lu", (unsigned long)size);
                return err_new(ERR_RANGE, "range \"" STR_FMT "\" is not satisfiable (size %lu)", STR_ARG(range),
                               (unsigned long)size);
        case RANGE_MALFORMED:
                break;
        }
        return err_new(ERR_MULTI_RANGE,
                       "read range \"" STR_FMT "\" is invalid (expecting bytes=a-b, bytes=a- or bytes=-n)",
                       STR_ARG(range));
}

/* Piece by piece: many may ask at once. */
static struct err *range_checksum(struct content *c, uint64_t offset, uint64_t length, char hex[static CKSUM_HEX_MAX])
{
        AUTO_FREE char *piece = malloc(GEN_STEP);
        struct cksum_ctx *sum = cksum_new(content_meta(c)->cksum_type);
        struct err *e = piece == NULL || sum == NULL ? err_static(ERR_NO_MEMORY) : NULL;
        for (uint64_t end = offset + length; e == NULL && offset < end;) {
                size_t n = (size_t)MIN((uint64_t)GEN_STEP, end - offset);
                e = content_read(c, offset, piece, n);
                if (e == NULL)
                        cksum_update(sum, piece, n);
                offset += n;
        }
        if (e == NULL)
                cksum_final(sum, hex);
        cksum_free(sum);
        return e;
}

/* Header lines of a ranged read; with checksum.enable_read_range the checksum is that of the range. */
static struct err *range_headers(struct api_req *r, struct content *c, uint64_t offset, uint64_t length)
{
        const struct obj_meta *m = content_meta(c);
        http_resp_headerf(r->rs, "Content-Range", "bytes %lu-%lu/%lu", (unsigned long)offset,
                          (unsigned long)(offset + length - 1), (unsigned long)m->size);
        http_resp_head_raw(r->rs, STR("Accept-Ranges: bytes\r\n"));
        if (!r->bucket->props.checksum.enable_read_range || m->cksum_type == CKSUM_NONE || length > VERIFY_AT_ONCE) {
                http_resp_head_raw(r->rs, content_rendered(c));
                return NULL;
        }
        char hex[CKSUM_HEX_MAX];
        TRY(range_checksum(c, offset, length, hex));
        struct obj_meta of_range = *m;
        of_range.cksum = str_of(hex);
        AUTO_BUF struct buf head = BUF_INIT;
        struct obj_key key = { r->bucket->bid, r->object };
        api_render_object(&key, &of_range, &head);
        http_resp_head_raw(r->rs, buf_str(&head));
        return NULL;
}

static void count_read(struct api_req *r, uint64_t length)
{
        stat_add(&r->node->stats, STAT_GET_N, 1);
        stat_add(&r->node->stats, STAT_GET_SIZE, (int64_t)length);
        stat_add(&r->node->stats, STAT_GET_NS_TOTAL, clock_mono_ns() - r->rq->start_ns);
}

static struct err *get_content(struct api_req *r, struct flow_object *o)
{
        struct content *c = o->content;
        const struct obj_meta *m = content_meta(c);
        bool partial;
        uint64_t offset, length;
        TRY(judge_range(r, m->size, &partial, &offset, &length));
        http_resp_status(r->rs, partial ? 206 : 200);
        if (partial)
                TRY(range_headers(r, c, offset, length));
        else
                http_resp_head_raw(r->rs, content_rendered(c));
        TRY(api__object_send(r, o, offset, length));
        count_read(r, length);
        return NULL;
}

static struct err *get_relayed(struct api_req *r, struct flow_object *o)
{
        AUTO_BUF struct buf head = BUF_INIT;
        struct obj_key key = { r->bucket->bid, r->object };
        bool partial;
        uint64_t offset, length;
        TRY(judge_range(r, o->meta.size, &partial, &offset, &length));
        struct obj_meta shown = o->meta;
        if (partial && r->bucket->props.checksum.enable_read_range)
                shown.cksum_type = CKSUM_NONE; /* that of the range is not known before it is read */
        api_render_object(&key, &shown, &head);
        TRY(buf_err(&head));
        http_resp_status(r->rs, partial ? 206 : 200);
        if (partial) {
                http_resp_headerf(r->rs, "Content-Range", "bytes %lu-%lu/%lu", (unsigned long)offset,
                                  (unsigned long)(offset + length - 1), (unsigned long)o->meta.size);
                http_resp_head_raw(r->rs, STR("Accept-Ranges: bytes\r\n"));
        }
        http_resp_head_raw(r->rs, buf_str(&head));
        TRY(api__object_send(r, o, offset, length));
        count_read(r, length);
        return NULL;
}

struct err *api__object_get(struct api_req *r)
{
        r->role_target = true;
        TRY(refuse_unbuilt(r));
        struct flow_object o;
        TRY(flow_open_read(r->node, r->bucket, r->object, r->arena, &o));
        struct err *e = o.content != NULL ? get_content(r, &o) : get_relayed(r, &o);
        flow_object_close(&o);
        return e;
}

/* ---- HEAD ---- */

static const char *location_text(struct api_req *r, const struct obj_meta *m)
{
        const char *path = store_mountpath_path(r->node->store, m->mountpath),
                   *disk = store_mountpath_disk(r->node->store, m->mountpath);
        return str_printf(r->arena, "t[%s]:mp[%s%s%s]", r->snap->target ? r->snap->target->id : "", path,
                          disk[0] ? ", " : "", disk).p;
}

static void head_v1(struct api_req *r, const struct obj_meta *m)
{
        http_resp_header(r->rs, "Ais-Name", r->object);
        http_resp_header(r->rs, "Ais-Bucket-Name", str_of(r->bck.name));
        http_resp_header(r->rs, "Ais-Bucket-Provider", str_of(provider_name(r->bck.provider)));
        if (r->bck.ns_uuid[0] != '\0' || r->bck.ns_name[0] != '\0') {
                http_resp_header(r->rs, "Ais-Bucket-Namespace-Uuid", str_of(r->bck.ns_uuid));
                http_resp_header(r->rs, "Ais-Bucket-Namespace-Name", str_of(r->bck.ns_name));
        }
        http_resp_head_raw(r->rs, STR("Ais-Present: true\r\n"));
        http_resp_headerf(r->rs, "Ais-Location", "%s", location_text(r, m));
        http_resp_headerf(r->rs, "Ais-Mirror-Copies", "%u", m->copies);
        http_resp_headerf(r->rs, "Ais-Mirror-Paths", "[%s]", store_mountpath_path(r->node->store, m->mountpath));
        api__object_headers(m, &r->rs->head);
}

/* Properties that a HEAD v2 may name. */
enum {
        P_NAME = 1,
        P_SIZE = 2,
        P_CHECKSUM = 4,
        P_ATIME = 8,
        P_VERSION = 16,
        P_CUSTOM = 32,
        P_LOCATION = 64,
        P_COPIES = 128,
        P_EC = 256,
        P_CHUNKED = 512,
        P_LAST_MODIFIED = 1024,
        P_ETAG = 2048
};

static struct err *parse_props(struct str csv, unsigned *ret)
{
        static const struct {
                const char *name;
                unsigned bit;
        } names[] = {
                { "name", P_NAME },
                { "size", P_SIZE },
                { "checksum", P_CHECKSUM },
                { "atime", P_ATIME },
                { "version", P_VERSION },
                { "custom", P_CUSTOM },
                { "location", P_LOCATION },
                { "copies", P_COPIES },
                { "ec", P_EC },
                { "chunked", P_CHUNKED },
                { "last-modified", P_LAST_MODIFIED },
                { "etag", P_ETAG },
        };
        unsigned bits = 0;
        while (csv.n > 0) {
                struct str item = str_trim(str_cut(&csv, ','));
                size_t i = 0;
                while (i < ARRAY_LEN(names) && !str_eq(item, str_of(names[i].name)))
                        i++;
                if (i == ARRAY_LEN(names))
                        return err_new(ERR_INVALID, "invalid property \"" STR_FMT "\"", STR_ARG(item));
                bits |= names[i].bit;
        }
        *ret = bits;
        return NULL;
}

static void head_v2(struct api_req *r, const struct obj_meta *m, unsigned props)
{
        struct obj_meta some = { .atime_ns = m->atime_ns };
        http_resp_head_raw(r->rs, STR("Ais-Present: true\r\n"));
        if (props & P_CHECKSUM) {
                some.cksum_type = m->cksum_type;
                some.cksum = m->cksum;
        }
        if (props & P_VERSION)
                some.version = m->version;
        if (props & P_CUSTOM)
                some.custom = m->custom;
        AUTO_BUF struct buf lines = BUF_INIT;
        api__object_headers(&some, &lines);
        struct str rest = buf_str(&lines);
        if (!(props & P_ATIME)) /* always the first line */
                str_cut(&rest, '\n');
        http_resp_head_raw(r->rs, rest);
        if (props & P_LOCATION)
                http_resp_headerf(r->rs, "Ais-Location", "%s", location_text(r, m));
        if (props & P_COPIES) {
                http_resp_headerf(r->rs, "Ais-Mirror-Copies", "%u", m->copies);
                http_resp_headerf(r->rs, "Ais-Mirror-Paths", "%s", store_mountpath_path(r->node->store, m->mountpath));
        }
        if ((props & P_CHUNKED) && m->chunks > 0) {
                http_resp_headerf(r->rs, "Ais-Chunks-Count", "%u", m->chunks);
                http_resp_headerf(r->rs, "Ais-Chunks-Max-Chunk-Size", "%lu", (unsigned long)m->max_chunk_size);
        }
        char text[32];
        if (props & P_LAST_MODIFIED)
                http_resp_header(r->rs, "Last-Modified", str_of(clock_http_date(m->mtime_ns, text)));
        if (props & P_ETAG) {
                struct str etag = store_custom_get(m->custom, STR("ETag"));
                if (etag.n > 0)
                        http_resp_headerf(r->rs, "Etag", "\"" STR_FMT "\"", STR_ARG(etag));
                else
                        http_resp_headerf(r->rs, "Etag", "\"v1-" STR_FMT "-%s\"", STR_ARG(m->cksum),
                                          str_base36((uint64_t)m->mtime_ns, text));
        }
}

struct err *api__object_head(struct api_req *r)
{
        r->role_target = true;
        uint64_t presence = 0;
        struct str p = api_param(r, "presence"), props = api_param(r, "props");
        unsigned bits = 0;
        if (p.n > 0 && (!str_u64(p, &presence) || presence > 4))
                return err_new(ERR_INVALID, "invalid presence \"" STR_FMT "\" (expecting 0 to 4)", STR_ARG(p));
        TRY(parse_props(props, &bits));
        struct obj_meta m;
        TRY(flow_head(r->node, r->bucket, r->object, r->arena, &m));
        http_resp_status(r->rs, 200);
        stat_add(&r->node->stats, STAT_HEAD_N, 1);
        stat_add(&r->node->stats, STAT_HEAD_NS_TOTAL, clock_mono_ns() - r->rq->start_ns);
        if (presence == 1 || presence == 3)
                return NULL; /* wire: exists, nothing else is told */
        if (props.n > 0)
                head_v2(r, &m, bits);
        else
                head_v1(r, &m);
        http_resp_head_length(r->rs, (int64_t)m.size);
        return NULL;
}
