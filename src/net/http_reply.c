/* What comes back: the head, and the body as a stream.
 *
 * The head stays in `in`, from which its strings are borrowed; whatever of the body came with it is consumed first.
 * Then plain bodies are received straight into the caller's memory, chunked ones too but for their framing, which
 * passes through `raw`.
 *
 * Body length by RFC 9112 §6.3: none for HEAD, 1xx, 204, 304; chunked; Content-Length; else until the connection
 * ends. A connection serves again only if the request went out whole, the body came whole, nothing came after it,
 * and both sides want that. */
#include <stdlib.h>

#include "net/http_client_priv.h"
#include "os/clock.h"

struct err *client__reply_fill(struct http_reply *r)
{
        char *p = buf_reserve(&r->in, 8192);
        size_t n;

        if (!p)
                return buf_err(&r->in);
        TRY(client__conn_recv(r->conn, p, 8192, &r->patience, &n));
        if (n == 0)
                return err_static(ERR_CLOSED);
        r->got_bytes = true;
        r->in.n += n;
        return NULL;
}

static enum reply_body body_of(const struct http_reply *r)
{
        int status = r->head.status;

        if (r->is_head || status == 101 || status == 204 || status == 304)
                return REPLY_NONE;
        if (r->head.chunked)
                return REPLY_CHUNKED;
        return r->head.has_length ? REPLY_LENGTH : REPLY_UNTIL_CLOSE;
}

struct err *client__reply_advance(struct http_reply *r, bool *ret_continue)
{
        while (!r->have_head) {
                size_t len = 0;
                const char *why = "";

                switch (http_parse_response(buf_str(&r->in), &r->resume, &r->head, &len, &why)) {
                case HTTP_PARSE_MORE:
                        return NULL;
                case HTTP_PARSE_BAD:
                        return err_new(ERR_MALFORMED, "the answer is not HTTP: %s", why);
                case HTTP_PARSE_OK:
                        break;
                }
                if (r->head.status >= 200 || (r->head.status == 101 && r->upgrades)) {
                        r->have_head = true;
                        r->in_at = len;
                        break;
                }
                if (r->head.status == 101)
                        return err_new(ERR_MALFORMED, "the answer is an upgrade that was not asked for");
                if (r->head.status == 100 && ret_continue)
                        *ret_continue = true;
                memmove(r->in.p, r->in.p + len, r->in.n - len);
                r->in.n -= len;
                r->resume = 0;
        }
        r->body = body_of(r);
        r->left = r->head.has_length ? r->head.length : 0;
        r->ended = r->body == REPLY_NONE || (r->body == REPLY_LENGTH && r->left == 0);
        http_chunked_init(&r->chunked);
        r->rest = (struct str){ r->in.p + r->in_at, r->in.n - r->in_at };
        return NULL;
}

int http_reply_status(const struct http_reply *r)
{
        return r->head.status;
}

bool http_reply_header_at(const struct http_reply *r, unsigned i, struct str *ret_name, struct str *ret_value)
{
        if (i >= r->head.nheaders)
                return false;
        *ret_name = r->head.headers[i].name;
        *ret_value = r->head.headers[i].value;
        return true;
}

struct str http_reply_header(const struct http_reply *r, struct str name)
{
        for (unsigned i = 0; i < r->head.nheaders; i++)
                if (str_eq_nocase(r->head.headers[i].name, name))
                        return r->head.headers[i].value;
        return STR_NONE;
}

int64_t http_reply_length(const struct http_reply *r)
{
        return r->head.has_length && !r->head.chunked ? (int64_t)r->head.length : -1;
}

/* Up to n bytes of plain body: first what came with the head. 0 at the connection's end. */
static struct err *read_plain(struct http_reply *r, void *p, size_t n, size_t *ret_n)
{
        if (r->rest.n > 0) {
                n = MIN(n, r->rest.n);
                memcpy(p, r->rest.p, n);
                r->rest = str_skip(r->rest, n);
                *ret_n = n;
                return NULL;
        }
        return client__conn_recv(r->conn, p, n, &r->patience, ret_n);
}

static struct err *refill_raw(struct http_reply *r)
{
        size_t n;

        buf_clear(&r->raw); /* `rest` is used up */
        if (!buf_reserve(&r->raw, CLIENT_PIECE))
                return buf_err(&r->raw);
        TRY(client__conn_recv(r->conn, r->raw.p, CLIENT_PIECE, &r->patience, &n));
        if (n == 0)
                return err_new(ERR_CLOSED, "the answer ends early");
        r->raw.n = n;
        r->rest = buf_str(&r->raw);
        return NULL;
}

static struct err *read_chunked(struct http_reply *r, void *p, size_t n, size_t *ret_n)
{
        for (;;) {
                struct str data = STR_NONE, in;
                size_t plain = http_chunked_plain(&r->chunked);

                if (r->rest.n == 0 && plain > 0 && n >= 4096) { /* straight into the caller's memory */
                        size_t k;

                        TRY(client__conn_recv(r->conn, p, MIN(n, plain), &r->patience, &k));
                        if (k == 0)
                                return err_new(ERR_CLOSED, "the answer ends early");
                        http_chunked_took(&r->chunked, k);
                        *ret_n = k;
                        return NULL;
                }
                if (r->rest.n == 0)
                        TRY(refill_raw(r));
                size_t offered = MIN(r->rest.n, n); /* never more data than the caller takes */
                in = (struct str){ r->rest.p, offered };
                if (http_chunked_next(&r->chunked, &in, &data, &r->ended) == HTTP_PARSE_BAD)
                        return err_new(ERR_MALFORMED, "bad chunked coding in the answer");
                r->rest = str_skip(r->rest, offered - in.n);
                memcpy(p, data.p ? data.p : "", data.n);
                if (data.n > 0 || r->ended) {
                        *ret_n = data.n;
                        return NULL;
                }
        }
}

static struct err *read_body(struct http_reply *r, void *p, size_t n, size_t *ret_n)
{
        switch (r->body) {
        case REPLY_LENGTH:
                TRY(read_plain(r, p, (size_t)MIN((uint64_t)n, r->left), ret_n));
                if (*ret_n == 0)
                        return err_new(ERR_CLOSED, "the answer ends %llu bytes early", (unsigned long long)r->left);
                r->left -= *ret_n;
                r->ended = r->left == 0;
                return NULL;
        case REPLY_UNTIL_CLOSE:
                TRY(read_plain(r, p, n, ret_n));
                r->ended = *ret_n == 0;
                return NULL;
        case REPLY_CHUNKED:
                return read_chunked(r, p, n, ret_n);
        case REPLY_NONE:
                break;
        }
        *ret_n = 0;
        return NULL;
}

struct err *http_reply_read(struct http_reply *r, void *p, size_t n, size_t *ret_n)
{
        struct err *e = NULL;
        size_t got = 0;

        if (r->failed)
                return err_static(ERR_CLOSED);
        if (!r->ended && n > 0)
                e = read_body(r, p, n, &got);
        if (e) {
                r->failed = true;
                return e;
        }
        *ret_n = got;
        return NULL;
}

struct err *http_reply_read_all(struct http_reply *r, size_t max, struct buf *b)
{
        size_t total = 0;

        if (http_reply_length(r) > 0 && !r->is_head && (uint64_t)http_reply_length(r) > max)
                return err_new(ERR_TOO_LARGE, "the answer is longer than %zu bytes", max);
        for (;;) {
                char *p = buf_reserve(b, CLIENT_PIECE);
                size_t n;

                if (!p)
                        return buf_err(b);
                TRY(http_reply_read(r, p, CLIENT_PIECE, &n));
                if (n == 0 && r->ended)
                        return NULL;
                total += n;
                if (total > max)
                        return err_new(ERR_TOO_LARGE, "the answer is longer than %zu bytes", max);
                b->n += n;
        }
}

/* Reads what is left if it is short and already here, so that the connection can serve again. */
static void drain(struct http_reply *r)
{
        char scratch[4096];

        r->patience.idle_ns = 0;
        r->patience.total_deadline_ns = 0;
        for (unsigned i = 0; i < 16 && !r->ended && !r->failed; i++) {
                size_t n;
                struct err *e = http_reply_read(r, scratch, sizeof(scratch), &n);

                err_free(e); /* not here yet, or broken: closed below */
        }
}

void http_reply_close(struct http_reply *r)
{
        if (!r)
                return;
        if (r->conn && r->have_head && r->all_sent && r->head.status != 101 && r->head.keep_alive && r->body != REPLY_UNTIL_CLOSE) {
                drain(r);
                if (r->ended && !r->failed && r->rest.n == 0) {
                        client__pool_put(r->client, r->conn);
                        r->conn = NULL;
                }
        }
        client__conn_close(r->conn);
        buf_fini(&r->in);
        buf_fini(&r->raw);
        free(r);
}
