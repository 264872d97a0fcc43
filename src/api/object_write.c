/* api/object_write.c: PUT of an object: content, or a copy of another.
 *
 * The body streams from the socket into the store while its checksums are computed; nothing is visible until the
 * commit. A failure leaves the object as it was. */
#include "api/objects.h"
#include "api/request.h"

static struct err *take(void *put, const void *p, size_t n)
{
        return flow_put_write(put, p, n);
}

static struct err *put_end(struct api_req *r, void *arg, struct err *e)
{
        struct flow_put *put = arg;
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

static struct err *put_object(struct api_req *r)
{
        struct flow_put_options o = { .size = r->rq->body_length };
        TRY(api__checksum_headers(r, &o.verify, &o.verify_type, &o.verify_value));
        TRY(api__custom_headers(r, &o.has_custom, &o.custom));
        TRY(api_param_bool(r, "skip_vc", &o.skip_vc));
        struct flow_put *put;
        TRY(flow_put_begin(r->node, r->bucket, r->object, &o, &put));
        return api__body_take(r, take, put_end, put);
}

/* PUT with object_to: the path names the source. */
static struct err *copy_object(struct api_req *r, struct str uname)
{
        struct bck bck;
        struct str name;
        const struct bucket *to;
        if (api_param(r, "etl_name").n > 0)
                return err_new(ERR_NOT_IMPLEMENTED,
                               "copying through a transformation (etl_name) is not implemented yet");
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
                return err_new(ERR_NOT_IMPLEMENTED,
                               "appending to archives (query parameter archpath) is not implemented yet");
        if (to.p != NULL)
                return copy_object(r, to);
        TRY(api_check_access(r, r->bucket, ACCESS_PUT));
        return put_object(r);
}

void api__object_put_failed(struct api *a, struct http_req *rq, struct http_resp *rs, const struct snapshot *snap,
                            struct err *e)
{
        struct api_req *r = api__request_new(a, rq, rs, snap);
        if (r == NULL) {
                err_free(e);
                return;
        }
        r->role_target = true;
        stat_add(&a->node->stats, STAT_ERR_PUT_N, 1);
        api_reply_err(r, e);
        r->snap = NULL;
}
