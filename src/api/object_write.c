/* api/object_write.c: PUT of an object: content, or a copy of another.
 *
 * The body streams from the socket into the store while its checksums are computed; nothing is visible until the commit. A failure leaves the object as it was. */
#include "api/objects.h"

#define WRITE_STEP (256u * 1024)

/* Moves the request's body into a put that `write` feeds. */
static struct err *pump(struct api_req *r, struct flow_put *put)
{
        if (r->rq->body_mem.p != NULL)
                return flow_put_write(put, r->rq->body_mem.p, r->rq->body_mem.n);
        AUTO_FREE char *step = malloc(WRITE_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        for (;;) {
                size_t n;
                TRY(http_req_read(r->rq, step, WRITE_STEP, &n));
                if (n == 0)
                        return NULL;
                TRY(flow_put_write(put, step, n));
        }
}

static struct err *put_object(struct api_req *r)
{
        struct flow_put_options o = { .size = r->rq->body_length };
        TRY(api__checksum_headers(r, &o.verify, &o.verify_type, &o.verify_value));
        TRY(api__custom_headers(r, &o.has_custom, &o.custom));
        TRY(api_param_bool(r, "skip_vc", &o.skip_vc));
        struct flow_put *put;
        TRY(flow_put_begin(r->node, r->bucket, r->object, &o, &put));
        struct err *e = pump(r, put);
        if (e != NULL) {
                flow_put_abort(put);
                return e;
        }
        struct obj_meta m;
        bool noop;
        TRY(flow_put_commit(put, r->arena, &m, &noop));
        api_reply_empty(r, 200);
        if (!noop)
                api__object_headers(&m, &r->rs->head);
        return NULL;
}

/* PUT with object_to: the path names the source. */
static struct err *copy_object(struct api_req *r, struct str uname)
{
        struct bck bck;
        struct str name;
        const struct bucket *to;
        if (api_param(r, "etl_name").n > 0)
                return err_new(ERR_NOT_IMPLEMENTED, "copying through a transformation (etl_name) is not implemented yet");
        TRY_WRAP(uname_parse(uname, &bck, &name), "object_to");
        TRY(object_name_check(name));
        TRY(api_find_bucket(r, &bck, &to));
        TRY(api_check_access(r, to, ACCESS_PUT));
        TRY(api_check_access(r, r->bucket, ACCESS_GET));
        if (to->bid != r->bucket->bid || !str_eq(name, r->object))
                TRY(flow_copy(r->node, r->bucket, r->object, to, name, NULL));
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__object_put_any(struct api_req *r)
{
        r->role_target = true;
        struct str append = api_param(r, "append_type"), to = api_param(r, "object_to");
        if (api_param(r, "uploadId").p != NULL || api_param(r, "partNumber").p != NULL) {
                TRY(api_check_access(r, r->bucket, ACCESS_PUT));
                return api__upload_part(r);
        }
        if (append.p != NULL) {
                TRY(api_check_access(r, r->bucket, ACCESS_APPEND));
                return api__object_append(r);
        }
        if (api_param(r, "archpath").n > 0)
                return err_new(ERR_NOT_IMPLEMENTED, "appending to archives (query parameter archpath) is not implemented yet");
        if (to.p != NULL)
                return copy_object(r, to);
        TRY(api_check_access(r, r->bucket, ACCESS_PUT));
        return put_object(r);
}

void api__object_put_failed(struct api *a, struct http_req *rq, struct http_resp *rs, const struct snapshot *snap, struct err *e)
{
        struct api_req *r = arena_new(rq->arena, struct api_req);
        if (r == NULL) {
                err_free(e);
                http_resp_status(rs, 503);
                http_resp_mem(rs, STR_NONE, NULL, NULL);
                return;
        }
        r->api = a;
        r->node = a->node;
        r->rq = rq;
        r->rs = rs;
        r->snap = snap;
        r->arena = rq->arena;
        r->role_target = true;
        stat_add(&a->node->stats, STAT_ERR_PUT_N, 1);
        api_reply_err(r, e);
        r->snap = NULL;
}
