/* net/receive.c: bodies that are taken as they come, so that a slow client holds no worker.
 *
 * A handler that ends with http_req_receive() is done for now. Its worker goes on reading the body and hands it to the
 * sink in large pieces. When the socket is empty it waits a moment, for most clients are fast; then the connection is
 * parked: the loop watches it, and a worker comes back when a piece worth working on is there, or the end. Until then the
 * bytes stay in the kernel's buffer (SO_RCVLOWAT tells it when to wake us), so a parked upload costs no memory of ours
 * but what its sink keeps, and flow control stops a client that is ahead of us.
 *
 * How much may be waited for: never more than is certain to come, else the end of a body would be missed. Of a body with
 * a length that is the rest of it, of a chunked one the rest of the chunk and the shortest end; under TLS a record may be
 * inside the session in part.
 *
 * Failure: whatever ends the body early (the client goes, is too slow, talks nonsense, the server stops) brings a worker
 * too: the sink's end() is called exactly once, and may block.
 *
 * A request that http_req.collect names is received whole in the same way, before its handler runs. */
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include "net/priv.h"
#include "os/sock.h"

#define PIECE ((size_t)256 * 1024)      /* handed to the sink at a time, at most */
#define WORTH ((size_t)64 * 1024)       /* a worker comes for so much */
#define LEAST ((size_t)4 * 1024)        /* who brings less than this per visit is not waited for */
#define WAIT_NS (20 * NS_PER_MS)        /* of a worker, for the next bytes */
#define CHUNK_END 7u                    /* "\r\n0\r\n\r\n" */
#define RECORD ((size_t)17 * 1024)      /* of TLS, with its overhead */

void http_req_receive(struct http_req *rq, const struct http_sink *sink, void *arg)
{
        struct exchange *x = CONTAINER_OF(rq, struct exchange, rq);
        ASSERT(!x->sink.end && sink->take && sink->end);
        x->sink = *sink;
        x->sink_arg = arg;
}

/* So many bytes at least are still to come. */
static size_t certain(const struct conn *c)
{
        const struct net_body *b = &c->x->body;
        uint64_t n = b->chunked ? http_chunked_plain(&b->dec) : b->left;
        if (b->chunked && n > 0)
                n += CHUNK_END;
        n = MIN(n, (uint64_t)WORTH + RECORD);
        if (c->tls)
                n = n > RECORD ? n - RECORD : 1;
        return (size_t)MAX(MIN(n, (uint64_t)WORTH), 1u);
}

/* The kernel speaks up when so much is here. */
static void set_low_water(struct conn *c, size_t n)
{
        int v = (int)n;
        if (c->low_water == n || (c->low_water == 0 && n == 1))
                return;
        if (setsockopt(c->w.fd, SOL_SOCKET, SO_RCVLOWAT, &v, sizeof(v)) == 0)
                c->low_water = (unsigned)n;
}

/* Whether the worker stays for more. Its time is spent on those who use it, and only while nobody waits for it. */
static bool wait_for_more(struct conn *c, size_t brought)
{
        struct net_body *b = &c->x->body;
        short events;
        if ((b->visits > 1 && brought < LEAST) || pool_is_crowded(c->lp->server->pool, c->x->cls))
                return false;
        set_low_water(c, certain(c));
        int64_t before = clock_mono_ns();
        struct err *e = sock_poll(c->w.fd, POLLIN, before + WAIT_NS, &events);
        bool ready = e == NULL; /* the end too: the next read tells */
        err_free(e);
        b->waited_ns += clock_mono_ns() - before;
        return ready;
}

static struct err *take(struct exchange *x, const char *piece, size_t *n)
{
        size_t k = *n;
        *n = 0;
        return k ? x->sink.take(x->sink_arg, piece, k) : NULL;
}

/* Reads and hands over until the end, or until it has to be waited for: *ret_dry. */
static struct err *take_all(struct conn *c, char *piece, bool *ret_dry)
{
        struct exchange *x = c->x;
        size_t n = 0, brought = 0;
        *ret_dry = false;
        for (;;) {
                size_t got;
                bool dry;
                TRY(net__read_some(&x->rq, piece + n, PIECE - n, &got, &dry));
                n += got;
                brought += got;
                if (dry && !wait_for_more(c, brought)) {
                        *ret_dry = true;
                        return take(x, piece, &n);
                }
                if (!dry && got == 0)
                        return take(x, piece, &n);
                if (n == PIECE)
                        TRY(take(x, piece, &n));
        }
}

/* What the loop found out while the body was parked. */
static struct err *lost(const struct conn *c)
{
        if (c->x->body.lost == ERR_TIMEOUT)
                return err_new(ERR_TIMEOUT, "request body is slower than %llu bytes/s",
                               (unsigned long long)net__limits(c)->min_rate);
        return c->x->body.lost ? err_static(c->x->body.lost) : NULL;
}

bool net__receive(struct conn *c)
{
        struct exchange *x = c->x;
        bool dry = false;
        struct err *e = lost(c);
        x->body.visits++;
        if (!e) {
                AUTO_FREE char *piece = malloc(PIECE);
                e = piece ? take_all(c, piece, &dry) : err_static(ERR_NO_MEMORY);
        } else {
                x->body.failed = true;
        }
        if (!e && dry) {
                set_low_water(c, certain(c));
                return false;
        }
        set_low_water(c, 1);
        struct http_sink sink = x->sink;
        x->sink = (struct http_sink){ NULL, NULL };
        sink.end(x->sink_arg, e);
        return true;
}

/* ---- parked, on the loop ---- */

static int64_t queued(const struct conn *c)
{
        int n = 0;
        return ioctl(c->w.fd, SIOCINQ, &n) == 0 ? n : 0;
}

void net__receive_judge(struct conn *c, int64_t now)
{
        struct net_body *b = &c->x->body;
        int64_t waited = b->waited_ns + now - c->since_ns, grace = net__limits(c)->min_rate_grace_ns;
        if (waited < grace)
                return;
        int64_t here = queued(c), came = (int64_t)b->window_bytes + here - b->window_queued;
        if ((double)came < (double)net__limits(c)->min_rate * (double)waited / 1e9)
                b->lost = ERR_TIMEOUT;
        b->waited_ns = 0;
        b->window_bytes = 0;
        b->window_queued = here;
        c->since_ns = now;
}

/* ---- whole messages ---- */

static struct err *collect_take(void *arg, const void *p, size_t n)
{
        struct exchange *x = arg;
        if (n > x->rq.collect - x->collected.n)
                return err_new(ERR_TOO_LARGE, "request body is longer than %zu bytes", x->rq.collect);
        buf_add(&x->collected, p, n);
        return buf_err(&x->collected);
}

static void collect_end(void *arg, struct err *e)
{
        struct exchange *x = arg;
        struct conn *c = x->conn;
        const struct http_app *app = net__app(c);
        char text[256];
        if (e) {
                struct str why = str_arena(&x->arena, str_of(err_text(e, text, sizeof(text))));
                enum err_code code = err_code(e);
                err_free(e);
                net__refuse(c, code, why.p ? why.p : err_code_text(code), 0, true);
                return;
        }
        x->rq.body_mem = x->collected.n ? buf_str(&x->collected) : STR("");
        x->rq.body_length = (int64_t)x->rq.body_mem.n;
        app->handle(app->ctx, &x->rq, &x->rs);
}

void net__receive_whole(struct conn *c)
{
        static const struct http_sink whole = { collect_take, collect_end };
        struct exchange *x = c->x;
        if (x->rq.body_length > 0 && (uint64_t)x->rq.body_length <= x->rq.collect)
                buf_reserve(&x->collected, MIN((size_t)x->rq.body_length, WORTH));
        http_req_receive(&x->rq, &whole, x);
}
