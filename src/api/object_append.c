/* api/object_append.c: the append API: pieces go to a work content that outlives requests; flush makes it the object.
 *
 * The handle is opaque to clients; it names the target where the pieces gather, and requests with it go there
 * (redirect.c). */
#include "api/objects.h"
#include "api/request.h"
#include "os/clock.h"

static struct err *take(void *piece, const void *p, size_t n)
{
        return flow_append_write(piece, p, n);
}

static struct err *append_end(struct api_req *r, void *arg, struct err *e)
{
        struct flow_append *piece = arg;
        if (e != NULL) {
                flow_append_abort(piece);
                return e;
        }
        TRY(flow_append_end(piece));
        api_reply_empty(r, 200);
        http_resp_header(r->rs, "Ais-Append-Handle", str_of(piece->handle));
        stat_add(&r->node->stats, STAT_APPEND_N, 1);
        stat_add(&r->node->stats, STAT_APPEND_NS_TOTAL, clock_mono_ns() - r->rq->start_ns);
        return NULL;
}

static struct err *append(struct api_req *r, struct str handle)
{
        struct flow_append *piece = arena_new(r->arena, struct flow_append);
        if (piece == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(flow_append_begin(r->node, r->bucket, r->object, handle, piece));
        return api__body_take(r, take, append_end, piece);
}

static struct err *flush(struct api_req *r, struct str handle)
{
        if (handle.n == 0)
                return err_new(ERR_INVALID, "failed to flush APPEND: the handle is empty");
        bool has;
        enum cksum_type type = CKSUM_NONE;
        struct str value = STR_NONE;
        TRY(api__checksum_headers(r, &has, &type, &value));
        TRY(flow_append_flush(r->node, r->bucket, r->object, handle, has ? type : CKSUM_NONE, has ? value : STR_NONE));
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__object_append(struct api_req *r)
{
        struct str type = api_param(r, "append_type"), handle = api_param(r, "append_handle");
        if (str_eq(type, STR("append")))
                return append(r, handle);
        if (str_eq(type, STR("flush")))
                return flush(r, handle);
        return err_new(ERR_INVALID, "invalid append_type \"" STR_FMT "\" (expecting append or flush)", STR_ARG(type));
}
