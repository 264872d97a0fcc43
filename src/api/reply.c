/* api/reply.c: the forms of a successful answer. */
#include "api/priv.h"

void api_reply_empty(struct api_req *r, int status)
{
        http_resp_status(r->rs, status);
        http_resp_mem(r->rs, STR_NONE, NULL, NULL);
}

void api_reply_text(struct api_req *r, int status, struct str text)
{
        http_resp_status(r->rs, status);
        http_resp_head_raw(r->rs, STR("Content-Type: text/plain; charset=utf-8\r\n"));
        http_resp_mem(r->rs, str_arena(r->arena, text), NULL, NULL);
}

struct err *api_reply_buf(struct api_req *r, const char *content_type, struct buf *b)
{
        TRY(buf_err(b));
        TRY(api_reserve(r, b->n));
        size_t n;
        char *p = buf_take(b, &n);
        if (r->rs->status == 0)
                http_resp_status(r->rs, 200);
        http_resp_header(r->rs, "Content-Type", str_of(content_type));
        http_resp_mem(r->rs, (struct str){ p, n }, free, p);
        return NULL;
}

struct err *api_reply_json(struct api_req *r, struct buf *b)
{
        buf_addc(b, '\n');
        return api_reply_buf(r, "application/json; charset=utf-8", b);
}

bool api_wants_pretty(const struct api_req *r)
{
        return str_starts(http_req_header(r->rq, STR("User-Agent")), STR("Mozilla/5.0"));
}

bool api_accepts_msgpack(const struct api_req *r)
{
        struct str rest = http_req_header(r->rq, STR("Accept"));
        while (rest.n > 0)
                if (str_eq(str_trim(str_cut(&rest, ',')), STR("application/msgpack")))
                        return true;
        return false;
}
