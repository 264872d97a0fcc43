/* api/body.c: contents on their way from the client into the store.
 *
 * A handler looks at the head, begins what it has to begin, and returns; the server hands the body over as it comes
 * (http_req_receive), each piece on some worker, and the handler's second half runs when all of it is there, or when it
 * ended early. So an upload has a worker only while there are bytes to work on. The request, its snapshot and its arena
 * live until then.
 *
 * Once more than a few bytes have come, an upload may have a file, and keep a piece in the store that is not full yet, and
 * one more while a worker is at it. For files there is a share of the descriptors (api_options.uploads), and the memory is
 * reserved: more uploads than fit are refused (OVERLOAD), and tried again by their clients. Before that it costs next to
 * nothing, so clients that only announce contents keep nobody out. */
#include "api/request.h"

#define PIECE ((size_t)256 * 1024) /* of the store, and of the server */

#define FEW ((size_t)4 * 1024) /* bytes that may come before an upload counts */

static size_t kept(const struct http_req *rq)
{
        return 2 * (rq->body_length >= 0 ? (size_t)MIN((uint64_t)rq->body_length, (uint64_t)PIECE) : PIECE);
}

/* On success the upload counts. */
static struct err *admit(struct api_req *r)
{
        struct api *a = r->api;
        unsigned n = atomic_fetch_add_explicit(&a->uploads, 1, memory_order_relaxed);
        struct err *e = n < a->uploads_max ? api__reserve_held(r, kept(r->rq)) :
                                             err_new(ERR_OVERLOAD, "%u contents are being received already", n);
        if (e != NULL)
                atomic_fetch_sub_explicit(&a->uploads, 1, memory_order_relaxed);
        r->admitted = e == NULL;
        return e;
}

static struct err *take(void *arg, const void *p, size_t n)
{
        struct api_req *r = arg;
        r->taken_bytes += n;
        if (!r->admitted && r->taken_bytes > FEW && r->rq->body_mem.p == NULL)
                TRY(admit(r));
        return r->take(r->take_arg, p, n);
}

static void end(void *arg, struct err *e)
{
        struct api_req *r = arg;
        r->take = NULL;
        if (r->admitted)
                atomic_fetch_sub_explicit(&r->api->uploads, 1, memory_order_relaxed);
        api__core_finish(r, api__core_outcome(r, r->taken(r, r->take_arg, e)));
}

struct err *api__body_take(struct api_req *r, struct err *(*fn)(void *arg, const void *p, size_t n),
                           struct err *(*taken)(struct api_req *r, void *arg, struct err *e), void *arg)
{
        static const struct http_sink sink = { take, end };
        if (r->internal) /* another member's call: its answer is made when the handler returns */
                return taken(r, arg, api__body_each(r, fn, arg));
        r->take = fn;
        r->taken = taken;
        r->take_arg = arg;
        http_req_receive(r->rq, &sink, r);
        return NULL;
}
