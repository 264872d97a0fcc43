/* client/handle.c: the handle, and calls of the interface that have no function of their own. */
#include <stdio.h>

#include "client/priv.h"
#include "os/clock.h"
#include "os/tls.h"

#define ORLOP_VERSION "0.1.0"
#define DEFAULT_ENDPOINT "http://127.0.0.1:8080"

/* The option, else the first environment variable that is set and not empty, else the default. */
static const char *pick(const char *option, const char *env1, const char *env2, const char *otherwise)
{
        if (option && option[0])
                return option;
        const char *v = getenv(env1);
        if (v && v[0])
                return v;
        v = env2 ? getenv(env2) : NULL;
        return v && v[0] ? v : otherwise;
}

/* A copy without trailing slashes, "http://" put in front of a bare host. */
static char *clean_endpoint(const char *text)
{
        struct str s = str_trim(str_of(text));
        while (s.n && s.p[s.n - 1] == '/')
                s.n--;
        AUTO_BUF struct buf b = BUF_INIT;
        if (str_find_str(s, STR("://")) < 0)
                buf_adds(&b, STR("http://"));
        buf_adds(&b, s);
        return buf_cstr(&b) ? str_dup(buf_str(&b)) : NULL;
}

static struct err *open_http(struct orlop *h, const struct orlop_options *o)
{
        TRY(http_endpoint_parse(str_of(h->endpoint), &h->at));
        const char *ca = pick(o->ca_file, "ORLOP_CA_FILE", NULL, NULL);
        if (h->at.tls || ca || o->insecure)
                TRY(tls_client_new(ca, o->insecure, &h->tls));
        int64_t timeout = (int64_t)(o->timeout_ms ? o->timeout_ms : 60000) * NS_PER_MS;
        const struct http_client_options ho = {
                .connect_timeout_ns = MIN(timeout, 10 * NS_PER_SEC),
                .idle_timeout_ns = timeout,
                .max_idle = o->connections ? o->connections : 64,
                .user_agent = h->user_agent,
                .tls = h->tls,
        };
        return http_client_new(&ho, &h->http);
}

enum orlop_code orlop_open(const struct orlop_options *o, struct orlop **ret, struct orlop_error *ret_error)
{
        static const struct orlop_options none;
        if (!o)
                o = &none;
        struct orlop *h = calloc(1, sizeof(*h));
        if (!h)
                return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        const char *token = pick(o->token, "ORLOP_TOKEN", "AIS_AUTHN_TOKEN", NULL);
        h->endpoint = clean_endpoint(pick(o->endpoint, "ORLOP_ENDPOINT", "AIS_ENDPOINT", DEFAULT_ENDPOINT));
        h->token = token ? str_dup(str_of(token)) : NULL;
        h->user_agent = str_dup(str_of(o->user_agent ? o->user_agent : "orlop/" ORLOP_VERSION));
        struct err *e = !h->endpoint || !h->user_agent || (token && !h->token) ? err_static(ERR_NO_MEMORY) : open_http(h, o);
        if (e) {
                e = h->endpoint ? err_wrap(e, "endpoint \"%s\"", h->endpoint) : e;
                orlop_close(h);
                enum orlop_code code = client__error_of(ret_error, e);
                return code;
        }
        *ret = h;
        return ORLOP_OK;
}

void orlop_close(struct orlop *h)
{
        if (!h)
                return;
        http_client_free(h->http);
        tls_ctx_free(h->tls);
        free(h->endpoint);
        free(h->token);
        free(h->user_agent);
        free(h);
}

const char *orlop_endpoint(const struct orlop *h)
{
        return h->endpoint;
}

const char *orlop_version(void)
{
        return ORLOP_VERSION;
}

/* ---- any call ---- */

struct orlop_reply {
        struct http_reply *http;
        struct buf body;
        struct buf header; /* the last value asked for */
};

static enum orlop_code call_send(struct orlop *h, const struct orlop_call *c, struct orlop_reply *reply, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        client__request_init(&rq, c->method, c->path);
        if (c->query && c->query[0])
                buf_printf(&rq.target, "?%s", c->query);
        if (c->node_id)
                client__header_add(&rq, "Ais-Node-Id", c->node_id);
        for (size_t i = 0; i < ARRAY_LEN(c->header) && c->header[i]; i++)
                buf_printf(&rq.head, "%s\r\n", c->header[i]);
        rq.body = str_of(c->json);
        return client__do(h, &rq, &reply->body, &reply->http, ret_error);
}

enum orlop_code orlop_call(struct orlop *h, const struct orlop_call *c, struct orlop_reply **ret, struct orlop_error *ret_error)
{
        struct orlop_reply *reply = calloc(1, sizeof(*reply));
        if (!reply)
                return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        enum orlop_code code = call_send(h, c, reply, ret_error);
        if (!code && !buf_cstr(&reply->body))
                code = client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        if (code) {
                orlop_reply_free(reply);
                return code;
        }
        *ret = reply;
        return ORLOP_OK;
}

int orlop_reply_status(const struct orlop_reply *r)
{
        return http_reply_status(r->http);
}

const char *orlop_reply_body(const struct orlop_reply *r, size_t *ret_n)
{
        if (ret_n)
                *ret_n = r->body.n;
        return r->body.p ? r->body.p : "";
}

const char *orlop_reply_header(const struct orlop_reply *r, const char *name)
{
        struct str v = http_reply_header(r->http, str_of(name));
        if (!v.p)
                return NULL;
        struct buf *b = &((struct orlop_reply *)(uintptr_t)r)->header;
        buf_clear(b);
        buf_adds(b, v);
        return buf_cstr(b);
}

void orlop_reply_free(struct orlop_reply *r)
{
        if (!r)
                return;
        http_reply_close(r->http);
        buf_fini(&r->body);
        buf_fini(&r->header);
        free(r);
}
