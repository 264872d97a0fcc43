/* net/http.c: access to a request's headers, and building a response. No I/O. */
#include "net/http.h"

#include <stdio.h>

struct str http_req_header(const struct http_req *rq, struct str name)
{
        return http_head_find(rq->head, name);
}

bool http_req_header_next(const struct http_req *rq, struct str name, unsigned *i, struct str *ret_value)
{
        while (*i < rq->head->nheaders) {
                const struct http_header *h = &rq->head->headers[(*i)++];
                if (str_eq_nocase(h->name, name)) {
                        *ret_value = h->value;
                        return true;
                }
        }
        return false;
}

static bool is_control(char b)
{
        return ((unsigned char)b < 0x20 && b != '\t') || b == 0x7f;
}

/* A value that came from a client must not be able to end its line. */
static void add_escaped(struct buf *b, struct str value)
{
        size_t from = 0;
        for (size_t i = 0; i < value.n; i++) {
                if (!is_control(value.p[i]))
                        continue;
                buf_add(b, value.p + from, i - from);
                buf_printf(b, "%%%02X", (unsigned)(unsigned char)value.p[i]);
                from = i + 1;
        }
        buf_add(b, value.p + from, value.n - from);
}

void http_resp_header(struct http_resp *rs, const char *name, struct str value)
{
        buf_adds(&rs->head, str_of(name));
        buf_adds(&rs->head, STR(": "));
        if (value.n)
                add_escaped(&rs->head, value);
        buf_adds(&rs->head, STR("\r\n"));
}

void http_resp_headerf(struct http_resp *rs, const char *name, const char *fmt, ...)
{
        char text[128]; /* almost every formatted value is a number or two */
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        if (n < 0) {
                rs->head.bad = true;
        } else if ((size_t)n < sizeof(text)) {
                http_resp_header(rs, name, (struct str){ text, (size_t)n });
        } else {
                AUTO_BUF struct buf value = BUF_INIT;
                va_start(ap, fmt);
                buf_vprintf(&value, fmt, ap);
                va_end(ap);
                http_resp_header(rs, name, buf_str(&value));
                rs->head.bad = rs->head.bad || value.bad;
        }
}

void http_resp_head_raw(struct http_resp *rs, struct str lines)
{
        buf_adds(&rs->head, lines);
}

/* One body per response: a second one is a bug of the handler. */
static void set_body(struct http_resp *rs, enum body_kind kind, int64_t length, void (*release)(void *), void *arg)
{
        ASSERT(rs->kind == BODY_NONE && !rs->release);
        rs->kind = kind;
        rs->length = length;
        rs->release = release;
        rs->arg = arg;
}

void http_resp_mem(struct http_resp *rs, struct str body, void (*release)(void *), void *arg)
{
        set_body(rs, BODY_MEM, (int64_t)body.n, release, arg);
        rs->mem = body;
}

void http_resp_file(struct http_resp *rs, int fd, int64_t offset, int64_t length, void (*release)(void *), void *arg)
{
        ASSERT(offset >= 0 && length >= 0);
        set_body(rs, BODY_FILE, length, release, arg);
        rs->one = (struct body_part){ fd, offset, length };
        rs->parts = &rs->one;
        rs->nparts = 1;
}

void http_resp_files(struct http_resp *rs, const struct body_part *parts, unsigned n, void (*release)(void *),
                     void *arg)
{
        int64_t length = 0;
        for (unsigned i = 0; i < n; i++)
                length += parts[i].length;
        set_body(rs, BODY_FILE, length, release, arg);
        rs->parts = parts;
        rs->nparts = n;
}

void http_resp_gen(struct http_resp *rs, body_gen_fn *gen, int64_t length, void (*release)(void *), void *arg)
{
        set_body(rs, BODY_GEN, length, release, arg);
        rs->gen = gen;
}

void http_resp_head_length(struct http_resp *rs, int64_t length)
{
        set_body(rs, BODY_NONE, length, NULL, NULL);
}

/* Whether a header that is a list has this token. */
static bool list_has(const struct http_req *rq, struct str name, struct str token)
{
        struct str value;
        for (unsigned i = 0; http_req_header_next(rq, name, &i, &value);) {
                while (value.n) {
                        if (str_eq_nocase(str_trim(str_cut(&value, ',')), token))
                                return true;
                }
        }
        return false;
}

bool http_req_upgrades(const struct http_req *rq, struct str protocol)
{
        return rq->head->minor > 0 && rq->body_length == 0 && list_has(rq, STR("Connection"), STR("upgrade")) &&
               list_has(rq, STR("Upgrade"), protocol);
}

void http_resp_upgrade(struct http_resp *rs, const char *protocol, http_taker_fn *taker, void *arg)
{
        ASSERT(rs->kind == BODY_NONE && !rs->taker);
        rs->status = 101;
        http_resp_header(rs, "Upgrade", str_of(protocol));
        rs->taker = taker;
        rs->taker_arg = arg;
}

void http_resp_reset(struct http_resp *rs)
{
        struct buf head = rs->head;
        void *user = rs->user;
        if (rs->taker)
                rs->taker(rs->taker_arg, -1, NULL, NULL, 0);
        if (rs->release)
                rs->release(rs->arg);
        buf_clear(&head);
        *rs = (struct http_resp){ .head = head, .user = user };
}
