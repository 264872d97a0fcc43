/* net/send.c: who moves the bytes of an answer, and how.
 *
 * Happy path: the thread that has the answer (loop or worker) writes head and memory body in one sendmsg, or the head
 * (MSG_MORE) and then the file by sendfile, until all is out. When the socket is full, the rest is the loop's: it goes
 * on when the socket is writable, at most NET_SLICE at a time, so that one large body does not starve the others. What
 * may block never runs on the loop: a generator's next piece and a file that is not in memory go to a worker
 * (NET_SENT_WORKER), who sends until the socket is full again. So a reader who stops reading holds a connection, and no
 * thread.
 *
 * Failure: once a byte of the head is out, the only way to tell the client is to close the connection (NET_SENT_LOST).
 * A generator that fails before that is answered with its error. */
#define LOG_FOLDER "net"
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "base/log.h"
#include "net/priv.h"

#define CHUNK_HEAD 10u               /* "0001f3a0\r\n": room kept before a generated piece */
#define TLS_JOIN ((size_t)16 * 1024) /* head and body up to this leave as one record */

static const char *reason_of(int status)
{
        static const struct {
                int status;
                const char *reason;
        } table[] = {
                { 101, "Switching Protocols" },
                { 200, "OK" },
                { 201, "Created" },
                { 202, "Accepted" },
                { 204, "No Content" },
                { 206, "Partial Content" },
                { 301, "Moved Permanently" },
                { 302, "Found" },
                { 304, "Not Modified" },
                { 307, "Temporary Redirect" },
                { 308, "Permanent Redirect" },
                { 400, "Bad Request" },
                { 401, "Unauthorized" },
                { 403, "Forbidden" },
                { 404, "Not Found" },
                { 405, "Method Not Allowed" },
                { 406, "Not Acceptable" },
                { 408, "Request Timeout" },
                { 409, "Conflict" },
                { 410, "Gone" },
                { 411, "Length Required" },
                { 412, "Precondition Failed" },
                { 413, "Content Too Large" },
                { 414, "URI Too Long" },
                { 415, "Unsupported Media Type" },
                { 416, "Range Not Satisfiable" },
                { 417, "Expectation Failed" },
                { 429, "Too Many Requests" },
                { 431, "Request Header Fields Too Large" },
                { 500, "Internal Server Error" },
                { 501, "Not Implemented" },
                { 502, "Bad Gateway" },
                { 503, "Service Unavailable" },
                { 504, "Gateway Timeout" },
                { 505, "HTTP Version Not Supported" },
                { 507, "Insufficient Storage" },
        };
        for (unsigned i = 0; i < ARRAY_LEN(table); i++) {
                if (table[i].status == status)
                        return table[i].reason;
        }
        return "Status";
}

/* "Date: …\r\n" of this second; made once per second and thread. */
static struct str date_line(void)
{
        static _Thread_local char line[48];
        static _Thread_local size_t n;
        static _Thread_local int64_t second = -1;
        int64_t now = clock_wall_ns(), s = now / NS_PER_SEC;
        if (s != second) {
                char date[32];
                n = (size_t)snprintf(line, sizeof(line), "Date: %s\r\n", clock_http_date(now, date));
                second = s;
        }
        return (struct str){ line, n };
}

/* Default texts of refusals, for apps without refuse(). */
static int refusal_status(enum err_code code)
{
        switch (code) {
        case ERR_URI_TOO_LONG:
                return 414;
        case ERR_HEADERS_TOO_LARGE:
                return 431;
        case ERR_TOO_LARGE:
                return 413;
        case ERR_TIMEOUT:
                return 408;
        case ERR_OVERLOAD:
                return 503;
        case ERR_UNSUPPORTED:
                return 501;
        case ERR_INTERNAL:
        case ERR_NO_MEMORY:
        case ERR_IO:
                return 500;
        default:
                return 400;
        }
}

void net__refuse(struct conn *c, enum err_code code, const char *why, int status, bool close)
{
        struct exchange *x = c->x;
        const struct http_app *app = net__app(c);
        http_resp_reset(&x->rs);
        if (app->refuse) {
                app->refuse(app->ctx, &x->rq, &x->rs, code, why);
        } else {
                x->rs.status = refusal_status(code);
                http_resp_header(&x->rs, "Content-Type", STR("text/plain"));
                http_resp_mem(&x->rs, str_of(why), NULL, NULL);
        }
        if (status)
                x->rs.status = status;
        x->rs.close = x->rs.close || close;
        net__count_shared(&c->lp->refused, 1);
}

/* Whether the next request can follow: the rest of this one's body is known to be short, or was read. */
static bool body_permits_keep(const struct net_body *b)
{
        if (b->failed)
                return false;
        return b->ended || (!b->chunked && !b->expect && b->left <= NET_DROP_MAX);
}

/* RFC 9110 §6.4.1: no content in answers to HEAD and with 204 and 304. */
static void strip_body(struct http_resp *rs, bool head_method)
{
        if (!head_method && rs->status != 204 && rs->status != 304)
                return;
        rs->kind = BODY_NONE; /* the length stays, to be announced; release still gets its turn */
        if (!head_method)
                rs->length = 0;
}

static void render_framing(struct exchange *x, struct buf *b, bool head_method)
{
        const struct http_resp *rs = &x->rs;
        if (rs->status == 204 || rs->status == 304 || rs->status == 101)
                return;
        if (rs->length >= 0) {
                buf_adds(b, STR("Content-Length: "));
                buf_addu(b, (uint64_t)rs->length);
                buf_adds(b, STR("\r\n"));
        } else if (x->rq.head->minor > 0) {
                buf_adds(b, STR("Transfer-Encoding: chunked\r\n"));
                x->out.gen_chunked = !head_method;
        } else {
                x->keep = false; /* RFC 9112 §6.3: to a 1.0 client, the end of the connection is the end of the body */
        }
}

static void render_head(struct conn *c, bool head_method)
{
        struct exchange *x = c->x;
        struct http_resp *rs = &x->rs;
        struct buf *b = &x->out.head;
        if (LIKELY(rs->status == 200)) {
                buf_adds(b, STR("HTTP/1.1 200 OK\r\n"));
        } else {
                buf_adds(b, STR("HTTP/1.1 "));
                buf_addi(b, rs->status);
                buf_addc(b, ' ');
                buf_adds(b, str_of(reason_of(rs->status)));
                buf_adds(b, STR("\r\n"));
        }
        buf_adds(b, buf_str(&rs->head));
        buf_adds(b, date_line());
        render_framing(x, b, head_method);
        if (rs->taker)
                buf_adds(b, STR("Connection: Upgrade\r\n"));
        else if (!x->keep)
                buf_adds(b, STR("Connection: close\r\n"));
        else if (x->rq.head->minor == 0)
                buf_adds(b, STR("Connection: keep-alive\r\n"));
        buf_adds(b, STR("\r\n"));
}

/* Readers who stop pin what the kernel holds for them, megabytes each, of memory that all connections of the machine
 * share. So when many have stopped, large answers are fed to the kernel in small pieces. */
static void share_kernel_memory(struct conn *c)
{
        const struct http_resp *rs = &c->x->rs;
        int most = NET_UNSENT;
        if (LIKELY(c->lean || (rs->length >= 0 && rs->length <= most)) || rs->kind == BODY_NONE ||
            atomic_load_explicit(&c->lp->count[CONN_SEND], memory_order_relaxed) < NET_TAILS_FEW)
                return;
        c->lean = true;
        (void)setsockopt(c->w.fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most, sizeof(most));
}

void net__answer_prepare(struct conn *c)
{
        struct exchange *x = c->x;
        struct http_resp *rs = &x->rs;
        bool head_method = x->rq.method == HTTP_HEAD;
        if (UNLIKELY(rs->head.bad || rs->status < (rs->taker ? 101 : 200) || rs->status > (rs->taker ? 101 : 599)))
                net__refuse(c, ERR_INTERNAL, "the response could not be built", 0, true);
        if (UNLIKELY(rs->taker && (!x->body.ended || atomic_load(&c->lp->server->stopping))))
                net__refuse(c, ERR_CLOSED, "no upgrade now", 503, true);
        x->keep = x->rq.head->keep_alive && !rs->close && body_permits_keep(&x->body) &&
                  !atomic_load_explicit(&c->lp->server->stopping, memory_order_relaxed);
        if (rs->kind == BODY_NONE && !head_method)
                rs->length = 0;
        strip_body(rs, head_method);
        render_head(c, head_method);
        x->out.left = rs->kind == BODY_NONE ? 0 : rs->length;
        share_kernel_memory(c);
        if (c->tls && rs->kind == BODY_MEM && rs->mem.n <= TLS_JOIN) {
                buf_adds(&x->out.head, rs->mem);
                x->out.mem_off = x->out.sent = rs->mem.n;
        }
}

static enum net_sent write_tls(struct conn *c, const struct iovec *iov, unsigned n, size_t *ret_n)
{
        size_t all = 0;
        enum net_sent r = NET_SENT_ALL;
        for (unsigned i = 0; i < n && r == NET_SENT_ALL; i++) {
                size_t off = 0;
                while (off < iov[i].iov_len && r == NET_SENT_ALL) {
                        size_t done = 0;
                        switch (tls_write(c->tls, (char *)iov[i].iov_base + off, iov[i].iov_len - off, &done)) {
                        case TLS_OK:
                                off += done;
                                break;
                        case TLS_WANT_READ:
                        case TLS_WANT_WRITE:
                                r = NET_SENT_FULL;
                                break;
                        case TLS_CLOSED:
                        case TLS_FAILED:
                                r = NET_SENT_LOST;
                                break;
                        }
                }
                all += off;
        }
        *ret_n = all;
        return all ? NET_SENT_ALL : r;
}

/* One write. ALL here means: *ret_n bytes went out, perhaps fewer than given. */
static enum net_sent write_some(struct conn *c, struct iovec *iov, unsigned n, int flags, size_t *ret_n)
{
        enum net_sent r = NET_SENT_ALL;
        if (c->tls) {
                r = write_tls(c, iov, n, ret_n);
        } else {
                struct msghdr m = { .msg_iov = iov, .msg_iovlen = n };
                ssize_t k;
                do
                        k = sendmsg(c->w.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT | flags);
                while (k < 0 && errno == EINTR);
                if (k < 0)
                        return errno == EAGAIN ? NET_SENT_FULL : NET_SENT_LOST;
                *ret_n = (size_t)k;
        }
        if (r == NET_SENT_ALL)
                c->x->out.wire += *ret_n;
        return r;
}

/* The bytes in memory that go out next: of the body itself, or of the piece made last. */
static struct str memory_span(const struct exchange *x)
{
        if (x->rs.kind == BODY_MEM)
                return str_skip(x->rs.mem, x->out.mem_off);
        return str_skip(buf_str(&x->out.piece), x->out.piece_off);
}

static void memory_sent(struct exchange *x, size_t n)
{
        struct net_out *o = &x->out;
        if (x->rs.kind == BODY_MEM) {
                o->mem_off += n;
                o->sent += n;
                return;
        }
        o->piece_off += n;
        if (o->piece_off == o->piece.n) {
                o->sent += o->piece_content;
                o->piece_content = 0;
        }
}

/* Head and memory, as much as the socket takes at once. `budget`: what the loop may still send in this slice. */
static enum net_sent send_memory(struct conn *c, size_t *budget)
{
        struct exchange *x = c->x;
        struct net_out *o = &x->out;
        struct str head = str_skip(buf_str(&o->head), o->head_off), span = memory_span(x);
        struct iovec iov[2];
        unsigned n = 0;
        size_t want = head.n, done = 0;
        if (head.n)
                iov[n++] = (struct iovec){ (void *)(uintptr_t)head.p, head.n };
        if (span.n) {
                iov[n] = (struct iovec){ (void *)(uintptr_t)span.p, MIN(span.n, *budget) };
                want += iov[n++].iov_len;
        }
        bool file_follows = x->rs.kind == BODY_FILE && !c->tls && o->left > 0;
        enum net_sent r = write_some(c, iov, n, file_follows ? MSG_MORE : 0, &done);
        if (r != NET_SENT_ALL)
                return r;
        net__count_shared(&c->lp->bytes_out, done);
        size_t of_head = MIN(done, head.n);
        o->head_off += of_head;
        if (done > of_head)
                memory_sent(x, done - of_head);
        *budget -= MIN(*budget, done - of_head); /* a head counts for nothing: a body of a slice goes out whole */
        /* A plain socket that took less than offered is full, and will tell when it is not. */
        return done < want && !c->tls ? NET_SENT_FULL : NET_SENT_ALL;
}

/* Nothing was sent yet: the client can be told properly. */
static enum net_sent answer_error(struct conn *c, struct err *e)
{
        struct exchange *x = c->x;
        enum err_code code = err_code(e);
        char text[256];
        struct str why = str_arena(&x->arena, str_of(err_text(e, text, sizeof(text))));
        err_free(e);
        buf_clear(&x->out.head);
        buf_clear(&x->out.piece);
        x->out.piece_off = 0;
        x->out.gen_chunked = false;
        net__refuse(c, code, why.p ? why.p : err_code_text(code), 0, true);
        net__answer_prepare(c);
        return NET_SENT_ALL;
}

/* Calls the generator for the next piece, and frames it. */
static enum net_sent fill_generated(struct conn *c)
{
        struct exchange *x = c->x;
        struct net_out *o = &x->out;
        size_t room = o->gen_chunked ? CHUNK_HEAD : 0;
        buf_clear(&o->piece);
        o->piece_off = 0;
        if (!buf_reserve(&o->piece, room))
                return NET_SENT_LOST;
        o->piece.n = room;
        struct err *e = x->rs.gen(x->rs.arg, &o->piece, &o->gen_end);
        if (!e)
                e = buf_err(&o->piece);
        size_t n = o->piece.n - room;
        if (!e && x->rs.length >= 0 && ((int64_t)n > o->left || (o->gen_end && (int64_t)n != o->left)))
                e = err_new(ERR_INTERNAL, "generated body has another length than announced");
        if (e && o->head_off == 0)
                return answer_error(c, e);
        if (e) {
                log_err(LOG_WARN, LOG_FOLDER, e, "request %llu: body ends early", (unsigned long long)x->rq.id);
                return NET_SENT_LOST;
        }
        o->left -= x->rs.length >= 0 ? (int64_t)n : 0;
        o->piece_content = n;
        if (!o->gen_chunked)
                return NET_SENT_ALL;
        if (n) {
                char line[CHUNK_HEAD + 1];
                int k = snprintf(line, sizeof(line), "%zx\r\n", n);
                ASSERT(k > 0 && (size_t)k <= CHUNK_HEAD);
                o->piece_off = CHUNK_HEAD - (size_t)k;
                memcpy(o->piece.p + o->piece_off, line, (size_t)k);
                buf_adds(&o->piece, STR("\r\n"));
        } else {
                o->piece_off = CHUNK_HEAD;
        }
        if (o->gen_end)
                buf_adds(&o->piece, STR("0\r\n\r\n"));
        return o->piece.bad ? NET_SENT_LOST : NET_SENT_ALL;
}

/* The rest of the current part of the file body; skips empty parts. */
static const struct body_part *file_part(struct exchange *x)
{
        struct net_out *o = &x->out;
        while (o->part < x->rs.nparts && o->part_off == x->rs.parts[o->part].length) {
                o->part++;
                o->part_off = 0;
        }
        ASSERT(o->part < x->rs.nparts);
        return &x->rs.parts[o->part];
}

/* Whether reading this byte would not wait for a disk. File systems that can not tell are taken for fast ones. */
static bool byte_is_warm(int fd, int64_t offset)
{
        char byte;
        struct iovec iov = { &byte, 1 };
        return preadv2(fd, &iov, 1, offset, RWF_NOWAIT) >= 0 || errno != EAGAIN;
}

/* Whether the loop may send the next n bytes of this part: asked of the last of them, and of the first where the part
 * begins, since each slice goes on where the one before ended. */
static bool slice_is_warm(const struct exchange *x, const struct body_part *part, size_t n)
{
        int64_t at = part->offset + x->out.part_off;
        return (x->out.part_off > 0 || byte_is_warm(part->fd, at)) && byte_is_warm(part->fd, at + (int64_t)n - 1);
}

static void file_sent(struct exchange *x, size_t n)
{
        x->out.part_off += (int64_t)n;
        x->out.left -= (int64_t)n;
}

/* Plain connections: the kernel moves the bytes. */
static enum net_sent send_file(struct conn *c, bool on_worker, size_t *budget)
{
        struct exchange *x = c->x;
        const struct body_part *part = file_part(x);
        off_t at = part->offset + x->out.part_off;
        size_t n = (size_t)MIN(part->length - x->out.part_off, (int64_t)*budget);
        if (!on_worker && !c->cold_ok && !slice_is_warm(x, part, n))
                return NET_SENT_WORKER;
        ssize_t k;
        do
                k = sendfile(c->w.fd, part->fd, &at, n);
        while (k < 0 && errno == EINTR);
        if (k < 0)
                return errno == EAGAIN ? NET_SENT_FULL : NET_SENT_LOST;
        if (k == 0) {
                log_warn("request %llu: file is shorter than its announced body", (unsigned long long)x->rq.id);
                return NET_SENT_LOST;
        }
        net__count_shared(&c->lp->bytes_out, (uint64_t)k);
        file_sent(x, (size_t)k);
        x->out.wire += (uint64_t)k;
        x->out.sent += (uint64_t)k;
        *budget -= (size_t)k;
        return NET_SENT_ALL;
}

/* TLS connections: through memory, a piece at a time. */
static enum net_sent fill_from_file(struct conn *c, bool on_worker)
{
        struct exchange *x = c->x;
        struct net_out *o = &x->out;
        const struct body_part *part = file_part(x);
        size_t n = (size_t)MIN(part->length - o->part_off, (int64_t)NET_PIECE);
        buf_clear(&o->piece);
        o->piece_off = 0;
        char *p = buf_reserve(&o->piece, NET_PIECE);
        if (!p)
                return NET_SENT_LOST;
        struct iovec iov = { p, n };
        int64_t at = part->offset + o->part_off;
        int flags = on_worker || c->cold_ok ? 0 : RWF_NOWAIT;
        ssize_t k;
        do {
                k = preadv2(part->fd, &iov, 1, at, flags);
                if (k < 0 && errno == EOPNOTSUPP && flags) {
                        flags = 0; /* tmpfs and others that never wait long */
                        errno = EINTR;
                }
        } while (k < 0 && errno == EINTR);
        if (k < 0 && errno == EAGAIN)
                return NET_SENT_WORKER;
        if (k <= 0) {
                log_warn("request %llu: file body can not be read", (unsigned long long)x->rq.id);
                return NET_SENT_LOST;
        }
        o->piece.n = o->piece_content = (size_t)k;
        file_sent(x, (size_t)k);
        return NET_SENT_ALL;
}

/* Makes the next bytes of the body ready, or moves them. ALL with *ret_end: there are none. */
static enum net_sent advance_body(struct conn *c, bool on_worker, size_t *budget, bool *ret_end)
{
        struct net_out *o = &c->x->out;
        *ret_end = false;
        switch (c->x->rs.kind) {
        case BODY_FILE:
                if (o->left > 0)
                        return c->tls ? fill_from_file(c, on_worker) : send_file(c, on_worker, budget);
                break;
        case BODY_GEN:
                if (!o->gen_end)
                        return on_worker ? fill_generated(c) : NET_SENT_WORKER;
                break;
        case BODY_NONE:
        case BODY_MEM:
                break;
        }
        *ret_end = true;
        return NET_SENT_ALL;
}

enum net_sent net__send(struct conn *c, bool on_worker)
{
        struct exchange *x = c->x;
        size_t budget = on_worker ? SIZE_MAX / 2 : NET_SLICE;
        /* A generator's first piece travels with the head. */
        bool fill_first = x->rs.kind == BODY_GEN && x->out.head_off == 0 && x->out.piece.n == 0 && !x->out.gen_end;
        for (;;) {
                enum net_sent r;
                bool end = false;
                if (!fill_first && (x->out.head_off < x->out.head.n || memory_span(x).n))
                        r = send_memory(c, &budget);
                else
                        r = advance_body(c, on_worker, &budget, &end);
                fill_first = false;
                if (r != NET_SENT_ALL || end)
                        return r;
                /* A file's last bytes leave in this turn, unless (TLS) they are read and not sent. */
                if (budget == 0 && (x->rs.kind != BODY_FILE || x->out.left > 0 || memory_span(x).n))
                        return NET_SENT_SLICE;
        }
}

bool net__send_continue(struct conn *c)
{
        static char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
        struct iovec iov = { text, sizeof(text) - 1 };
        size_t n = 0;
        return write_some(c, &iov, 1, 0, &n) == NET_SENT_ALL && n == sizeof(text) - 1;
}
