/* client/request.c: paths, queries, headers and envelopes of requests. Failures stay in the buffers (`bad`) until the request is sent. */
#include "client/priv.h"

void client__request_init(struct client_request *rq, const char *method, const char *path)
{
        *rq = (struct client_request){ .method = method };
        buf_adds(&rq->target, str_of(path));
}

void client__request_fini(struct client_request *rq)
{
        buf_fini(&rq->target);
        buf_fini(&rq->head);
}

static bool plain_char(char c, bool keep_slash)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
               c == '~' || (keep_slash && c == '/');
}

static void add_encoded(struct buf *b, const char *text, bool keep_slash)
{
        for (; *text; text++) {
                if (plain_char(*text, keep_slash))
                        buf_addc(b, *text);
                else
                        buf_printf(b, "%%%02X", (unsigned char)*text);
        }
}

void client__path_add(struct client_request *rq, const char *text)
{
        ASSERT(!rq->has_query);
        buf_addc(&rq->target, '/');
        add_encoded(&rq->target, text, true);
}

void client__query_add(struct client_request *rq, const char *key, const char *value)
{
        buf_addc(&rq->target, rq->has_query ? '&' : '?');
        rq->has_query = true;
        buf_printf(&rq->target, "%s=", key);
        add_encoded(&rq->target, value, false);
}

void client__query_bucket(struct client_request *rq, const struct orlop_bucket *b)
{
        client__query_add(rq, "provider", b->provider);
        if (b->namespace_[0])
                client__query_add(rq, "namespace", b->namespace_);
}

void client__header_add(struct client_request *rq, const char *name, const char *value)
{
        for (const char *p = value; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        rq->head.bad = true;
        buf_printf(&rq->head, "%s: %s\r\n", name, value);
}

void client__envelope(struct buf *b, const char *action, const char *name, const char *value)
{
        struct json_w w;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "action", action);
        jw_cstr(&w, "name", name);
        if (value)
                jw_raw(&w, "value", str_of(value));
        else
                jw_null(&w, "value");
        jw_object_end(&w);
}

void client__uname(struct buf *b, const struct orlop_bucket *bck, const char *object)
{
        buf_printf(b, "%s/%s/%s/%s", bck->provider, bck->namespace_[0] ? bck->namespace_ : "@#", bck->name, object ? object : "");
}
