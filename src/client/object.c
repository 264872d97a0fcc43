/* client/object.c: whole objects except reading them (get.c) and writing them in pieces (upload.c). */
#include <string.h>

#include "client/priv.h"

static void object_request(struct client_request *rq, const char *method, const struct orlop_bucket *b, const char *object)
{
        client__request_init(rq, method, "/v1/objects");
        client__path_add(rq, b->name);
        client__path_add(rq, object);
        client__query_bucket(rq, b);
}

static bool memory_read(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct orlop_memory *m = arg;
        size_t step = MIN(n, m->n - m->pos);
        if (step)
                memcpy(p, m->p + m->pos, step);
        m->pos += step;
        *ret_n = step;
        return true;
}

static bool memory_rewind(void *arg)
{
        ((struct orlop_memory *)arg)->pos = 0;
        return true;
}

struct orlop_source orlop_source_memory(struct orlop_memory *state)
{
        return (struct orlop_source){ (int64_t)state->n, memory_read, memory_rewind, state };
}

enum orlop_code orlop_put(struct orlop *h, const struct orlop_bucket *b, const char *object, const struct orlop_source *body,
                          const struct orlop_put_options *o, struct orlop_info *ret_info, struct orlop_error *ret_error)
{
        static const struct orlop_put_options none;
        AUTO_REQUEST struct client_request rq;
        if (!o)
                o = &none;
        object_request(&rq, "PUT", b, object);
        if (o->overwrite_unseen)
                client__query_add(&rq, "skip_vc", "true");
        if (o->cksum_type && o->cksum_value) {
                client__header_add(&rq, "Ais-Checksum-Type", o->cksum_type);
                client__header_add(&rq, "Ais-Checksum-Value", o->cksum_value);
        }
        for (const char *const *kv = o->custom; kv && *kv; kv++)
                client__header_add(&rq, "Ais-Custom-Md", *kv);
        rq.source = body;
        struct http_reply *r;
        enum orlop_code code = client__do(h, &rq, NULL, &r, ret_error);
        if (code)
                return code;
        if (ret_info) {
                client__info(r, ret_info);
                ret_info->size = body->length > 0 ? (uint64_t)body->length : 0;
        }
        http_reply_close(r);
        return ORLOP_OK;
}

enum orlop_code orlop_head(struct orlop *h, const struct orlop_bucket *b, const char *object, struct orlop_info *ret_info,
                           struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        object_request(&rq, "HEAD", b, object);
        client__query_add(&rq, "props", "name,size,checksum,atime,version,custom,location,copies,last-modified,etag");
        struct http_reply *r;
        enum orlop_code code = client__send(h, &rq, &r, ret_error);
        if (code == ORLOP_NOT_FOUND && ret_error) {
                char uri[ORLOP_OBJECT_MAX + 256];
                if (!strstr(ret_error->message, "://"))
                        client__error(ret_error, code, "%s does not exist", orlop_uri_text(b, object, uri, sizeof(uri)));
        }
        if (code)
                return code;
        client__info(r, ret_info);
        http_reply_close(r);
        return ORLOP_OK;
}

enum orlop_code orlop_remove(struct orlop *h, const struct orlop_bucket *b, const char *object, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        object_request(&rq, "DELETE", b, object);
        return client__do(h, &rq, NULL, NULL, ret_error);
}

enum orlop_code orlop_rename(struct orlop *h, const struct orlop_bucket *b, const char *from, const char *to, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf body = BUF_INIT;
        object_request(&rq, "POST", b, from);
        client__envelope(&body, "rename-obj", to, NULL);
        rq.body = buf_str(&body);
        return client__do(h, &rq, NULL, NULL, ret_error);
}

enum orlop_code orlop_copy(struct orlop *h, const struct orlop_bucket *from, const char *from_object, const struct orlop_bucket *to,
                           const char *to_object, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf uname = BUF_INIT;
        object_request(&rq, "PUT", from, from_object);
        client__uname(&uname, to, to_object);
        const char *text = buf_cstr(&uname);
        if (!text)
                return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        client__query_add(&rq, "object_to", text);
        return client__do(h, &rq, NULL, NULL, ret_error);
}

enum orlop_code orlop_set_custom(struct orlop *h, const struct orlop_bucket *b, const char *object, const char *const *custom, bool replace,
                                 struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf value = BUF_INIT, body = BUF_INIT;
        struct json_w w;
        jw_init(&w, &value, false);
        jw_object(&w, NULL);
        for (const char *const *kv = custom; *kv; kv++) {
                struct str rest = str_of(*kv), key = str_cut(&rest, '=');
                AUTO_FREE char *name = str_dup(key);
                if (!name || !key.n)
                        return client__error(ret_error, ORLOP_INVALID, "custom metadata \"%s\": expected key=value", *kv);
                jw_str(&w, name, rest);
        }
        jw_object_end(&w);
        object_request(&rq, "PATCH", b, object);
        if (replace)
                client__query_add(&rq, "set-new-custom", "true");
        client__envelope(&body, "", "", buf_cstr(&value));
        rq.body = buf_str(&body);
        return client__do(h, &rq, NULL, NULL, ret_error);
}

enum orlop_code orlop_promote(struct orlop *h, const struct orlop_bucket *b, const char *source, const struct orlop_promote_options *o,
                              char ret_job[static 64], struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf value = BUF_INIT, body = BUF_INIT, reply = BUF_INIT;
        struct json_w w;
        jw_init(&w, &value, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "src", source);
        jw_cstr(&w, "obj", o->object);
        jw_bool(&w, "rcr", o->recursive);
        jw_bool(&w, "ovw", o->overwrite);
        jw_bool(&w, "dls", o->remove_source);
        jw_object_end(&w);
        client__request_init(&rq, "POST", "/v1/objects");
        client__path_add(&rq, b->name);
        client__query_bucket(&rq, b);
        client__envelope(&body, "promote", source, buf_cstr(&value));
        rq.body = buf_str(&body);
        enum orlop_code code = client__do(h, &rq, &reply, NULL, ret_error);
        if (!code)
                str_copy(ret_job, 64, str_trim(buf_str(&reply)));
        return code;
}
