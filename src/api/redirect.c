/* api/redirect.c: the one redirect that a node gives away although it could answer: the Python SDK's uploads over TLS.
 *
 * Over https the SDK asks twice: first with the real Content-Length, "Connection: close" and no body at all, only to
 * learn from a redirect where the bytes shall go; then there, with them. Any other answer would wait for a body that
 * never comes. So such a first question is sent back to where it came from, with the parameters that the wire's
 * redirects carry (pid, utm); they mark the second question. Nobody else is redirected. */
#include "api/hot.h"
#include "api/priv.h"

#include "os/clock.h"

static bool has_param(struct str query, const char *key)
{
        struct str k, v;
        while (http_query_next(&query, &k, &v))
                if (str_eq(k, str_of(key)))
                        return true;
        return false;
}

static bool asks_where(const struct http_req *rq)
{
        return rq->tls && !rq->head->keep_alive && rq->method == HTTP_PUT && rq->body_length > 0 &&
               str_starts(rq->path, STR("/v1/objects/")) &&
               str_starts(http_req_header(rq, STR("User-Agent")), STR("ais/python")) && !has_param(rq->query, "pid");
}

bool api__redirect_before_body(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        if (LIKELY(!asks_where(rq)))
                return false;
        struct api *a = ctx;
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(a->node->cluster);
        char utm[16];
        struct str host = rq->head->host; /* the name by which this client knows us */
        AUTO_BUF struct buf url = BUF_INIT;
        if (host.n > 0)
                buf_printf(&url, "https://" STR_FMT, STR_ARG(host));
        else
                buf_adds(&url, str_of(a->public_url));
        buf_printf(&url, STR_FMT "?" STR_FMT "%spid=%s&utm=%s", STR_ARG(rq->path), STR_ARG(rq->query),
                   rq->query.n > 0 ? "&" : "", snap->proxy->id, str_base36((uint64_t)clock_wall_ns(), utm));
        http_resp_status(rs, 307);
        http_resp_header(rs, "Location", buf_str(&url));
        http_resp_mem(rs, STR_NONE, NULL, NULL);
        rs->close = true;
        return true;
}
