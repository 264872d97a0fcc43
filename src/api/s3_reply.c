/* api/s3_reply.c: what handlers of S3 take and give: headers, bodies, documents, errors. */
#define LOG_FOLDER "api"
#include "api/s3.h"

#include <stdarg.h>

#include "base/log.h"

struct err *s3_refuse(struct s3_req *q, enum s3_code code, const char *text, ...)
{
        char full[sizeof(q->fault.text)];
        va_list ap;
        if (text == NULL)
                return s3_judge(q, s3_fault_set(&q->fault, code, NULL));
        va_start(ap, text);
        vsnprintf(full, sizeof(full), text, ap);
        va_end(ap);
        return s3_judge(q, s3_fault_set(&q->fault, code, "%s", full));
}

struct err *s3_judge(struct s3_req *q, enum s3_code code)
{
        if (code == S3_OK)
                return NULL;
        q->fault.code = code;
        return err_static(ERR_INVALID);
}

struct str s3_header(const struct s3_req *q, const char *name)
{
        return s3_target_header(&q->t, name);
}

struct str s3_param(const struct s3_req *q, enum s3_param p)
{
        return q->t.params[p];
}

/* ---- bodies ---- */

struct err *s3_read(struct s3_req *q, void *p, size_t n, size_t *ret_n)
{
        struct err *e = s3_body_read(&q->body, p, n, ret_n);
        if (e != NULL && q->body.fault.code != S3_OK)
                q->fault = q->body.fault;
        else if (err_code(e) == ERR_CLOSED)
                s3_fault_set(&q->fault, S3_INCOMPLETE_BODY, NULL);
        else if (err_code(e) == ERR_TIMEOUT)
                s3_fault_set(&q->fault, S3_REQUEST_TIMEOUT, NULL);
        return e;
}

struct err *s3_read_all(struct s3_req *q, size_t max, struct str *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        for (;;) {
                char *p = buf_reserve(&b, 16384);
                size_t n;
                if (p == NULL)
                        return err_static(ERR_NO_MEMORY);
                TRY(s3_read(q, p, 16384, &n));
                b.n += n;
                if (n == 0)
                        break;
                if (b.n > max)
                        return s3_refuse(q, S3_MAX_MESSAGE_LENGTH, NULL);
        }
        char *text = arena_dup(q->r->arena, b.p, b.n);
        if (text == NULL)
                return err_static(ERR_NO_MEMORY);
        *ret = (struct str){ text, b.n };
        return NULL;
}

/* ---- answers ---- */

static void own_headers(struct s3_req *q)
{
        if (!q->passed_on) /* the edge adds them */
                http_resp_header(q->r->rs, "x-amz-request-id", str_of(q->id));
}

void s3_reply_empty(struct s3_req *q, int status)
{
        http_resp_status(q->r->rs, status);
        http_resp_mem(q->r->rs, STR_NONE, NULL, NULL);
}

struct err *s3_reply_xml(struct s3_req *q, struct buf *b)
{
        TRY(buf_err(b));
        size_t n;
        char *p = buf_take(b, &n);
        http_resp_status(q->r->rs, 200);
        http_resp_head_raw(q->r->rs, STR("Content-Type: application/xml\r\n"));
        http_resp_mem(q->r->rs, (struct str){ p, n }, free, p);
        return NULL;
}

/* The code of what went wrong: the handler's own, or what the error means to clients of S3. */
static void fault_of(struct s3_req *q, const struct err *e)
{
        char text[sizeof(q->fault.text)];
        if (q->fault.code != S3_OK)
                return;
        enum s3_code code = s3_code_of(e->code);
        err_text(e, text, sizeof(text));
        if (s3_code_status(code) < 500 && code != S3_NO_SUCH_KEY && code != S3_NO_SUCH_BUCKET)
                s3_fault_set(&q->fault, code, "%s", text);
        else
                s3_fault_set(&q->fault, code, NULL);
        if (s3_code_status(code) >= 500 && code != S3_NOT_IMPLEMENTED)
                log_warn("request %s: %s " STR_FMT ": %s", q->id, s3_op_name(q->t.op), STR_ARG(q->r->rq->path), text);
}

void s3_reply_err(struct s3_req *q, struct err *e)
{
        struct http_resp *rs = q->r->rs;
        AUTO_BUF struct buf b = BUF_INIT;
        char range[64] = "";
        fault_of(q, e);
        err_free(e);
        if (q->fault.code == S3_INVALID_RANGE && rs->head.n > 0 && rs->head.n < sizeof(range))
                str_copy(range, sizeof(range), buf_str(&rs->head)); /* its handler has set Content-Range */
        bool close = rs->close;
        http_resp_reset(rs);
        rs->close = close;
        http_resp_status(rs, s3_code_status(q->fault.code));
        own_headers(q);
        http_resp_head_raw(rs, str_of(range));
        if (rs->status == 503)
                http_resp_head_raw(rs, STR("Retry-After: 1\r\n"));
        if (q->fault.code == S3_NOT_MODIFIED || q->r->rq->method == HTTP_HEAD) {
                http_resp_mem(rs, STR_NONE, NULL, NULL);
                return;
        }
        s3_error_xml(&b, &q->fault, q->t.bucket, q->t.key, q->r->rq->path, str_of(q->id), STR("orlop"));
        http_resp_head_raw(rs, STR("Content-Type: application/xml\r\n"));
        struct str body = str_arena(q->r->arena, buf_str(&b));
        http_resp_mem(rs, body.p != NULL ? body : STR_NONE, NULL, NULL);
}
