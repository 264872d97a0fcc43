/* client/upload.c: writing an object in pieces: append, and multipart uploads. */
#include <stdio.h>

#include "client/priv.h"

struct orlop_upload {
        struct orlop *h;
        struct orlop_bucket bucket;
        char *object;
        char id[128];
};

static void object_request(struct client_request *rq, const char *method, const struct orlop_bucket *b, const char *object)
{
        client__request_init(rq, method, "/v1/objects");
        client__path_add(rq, b->name);
        client__path_add(rq, object);
        client__query_bucket(rq, b);
}

/* ---- append: pieces go to a handle, flush makes them visible ---- */

static enum orlop_code append_step(struct orlop *h, const struct orlop_bucket *b, const char *object, const char *type, char *handle,
                                   size_t size, const struct orlop_source *body, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        object_request(&rq, "PUT", b, object);
        client__query_add(&rq, "append_type", type);
        client__query_add(&rq, "append_handle", handle);
        rq.source = body;
        struct http_reply *r;
        enum orlop_code code = client__do(h, &rq, NULL, &r, ret_error);
        if (code)
                return code;
        client__copy_header(r, "Ais-Append-Handle", handle, size);
        http_reply_close(r);
        return ORLOP_OK;
}

enum orlop_code orlop_append(struct orlop *h, const struct orlop_bucket *b, const char *object, const struct orlop_source *body,
                             struct orlop_error *ret_error)
{
        char handle[2048] = "";
        enum orlop_code code = append_step(h, b, object, "append", handle, sizeof(handle), body, ret_error);
        if (code)
                return code;
        if (!handle[0])
                return client__error(ret_error, ORLOP_FAILED, "the server gave no handle to append to");
        return append_step(h, b, object, "flush", handle, sizeof(handle), NULL, ret_error);
}

/* ---- multipart ---- */

enum orlop_code orlop_upload_begin(struct orlop *h, const struct orlop_bucket *b, const char *object, struct orlop_upload **ret,
                                   struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf body = BUF_INIT, reply = BUF_INIT;
        object_request(&rq, "POST", b, object);
        client__envelope(&body, "mpt-upload", "", NULL);
        rq.body = buf_str(&body);
        enum orlop_code code = client__do(h, &rq, &reply, NULL, ret_error);
        if (code)
                return code;
        struct orlop_upload *u = calloc(1, sizeof(*u));
        if (u)
                u->object = str_dup(str_of(object));
        if (!u || !u->object) {
                free(u);
                return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        }
        u->h = h;
        u->bucket = *b;
        struct str id = str_trim(buf_str(&reply));
        if (!id.n || !str_copy(u->id, sizeof(u->id), id)) {
                free(u->object);
                free(u);
                return client__error(ret_error, ORLOP_FAILED, "the server gave no usable upload identifier");
        }
        *ret = u;
        return ORLOP_OK;
}

enum orlop_code orlop_upload_part(struct orlop_upload *u, unsigned number, const struct orlop_source *body, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        char text[16];
        snprintf(text, sizeof(text), "%u", number);
        object_request(&rq, "PUT", &u->bucket, u->object);
        client__query_add(&rq, "uploadId", u->id);
        client__query_add(&rq, "partNumber", text);
        rq.source = body;
        return client__do(u->h, &rq, NULL, NULL, ret_error);
}

static void upload_free(struct orlop_upload *u)
{
        free(u->object);
        free(u);
}

enum orlop_code orlop_upload_complete(struct orlop_upload *u, unsigned nparts, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf value = BUF_INIT, body = BUF_INIT;
        struct json_w w;
        jw_init(&w, &value, false);
        jw_array(&w, NULL);
        for (unsigned i = 1; i <= nparts; i++) {
                jw_object(&w, NULL);
                jw_uint(&w, "part-number", i);
                jw_cstr(&w, "etag", "");
                jw_object_end(&w);
        }
        jw_array_end(&w);
        object_request(&rq, "POST", &u->bucket, u->object);
        client__query_add(&rq, "uploadId", u->id);
        client__envelope(&body, "mpt-complete", "", buf_cstr(&value));
        rq.body = buf_str(&body);
        enum orlop_code code = client__do(u->h, &rq, NULL, NULL, ret_error);
        if (!code)
                upload_free(u);
        return code;
}

void orlop_upload_abort(struct orlop_upload *u)
{
        if (!u)
                return;
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf body = BUF_INIT;
        object_request(&rq, "DELETE", &u->bucket, u->object);
        client__query_add(&rq, "uploadId", u->id);
        client__envelope(&body, "mpt-abort", "", NULL);
        rq.body = buf_str(&body);
        (void)client__do(u->h, &rq, NULL, NULL, NULL); /* the server forgets abandoned uploads by itself */
        upload_free(u);
}
