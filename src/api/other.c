/* api/other.c: the small resources: health, metrics, relayed requests; and those whose feature is not built, each
 * refused as clients expect. */
#include "api/nodes.h"

/* Reads a flat body of an administration request; {"id"} is all that matters here. */
static struct err *download_id(struct api_req *r, struct str *ret)
{
        AUTO_JSON json_t *doc = NULL;
        struct str body;

        TRY(http_req_read_all(r->rq, CONTROL_BODY_MAX, &body));
        if (str_trim(body).n == 0)
                return err_new(ERR_MALFORMED, "failed to unmarshal the download request: EOF (the body is empty)");
        TRY_WRAP(json_parse(body, CONTROL_BODY_MAX, &doc), "failed to unmarshal the download request");
        *ret = str_arena(r->arena, json_str(json_get_nocase(doc, "id")));
        return NULL;
}

/* No download ever ran: the list is empty, and no id is known. */
static struct err *download_get(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct str id;

        TRY(download_id(r, &id));
        if (id.n)
                return err_new(ERR_NOT_FOUND, "download job \"" STR_FMT "\" does not exist", STR_ARG(id));
        buf_adds(&b, STR("[]"));
        return api_reply_json(r, &b);
}

static struct err *download_post(struct api_req *r)
{
        (void)r;
        return err_new(ERR_NOT_IMPLEMENTED, "downloading is not implemented");
}

static struct err *download_delete(struct api_req *r)
{
        struct str id;

        TRY(download_id(r, &id));
        if (id.n == 0)
                return err_new(ERR_INVALID, "download job ID is missing");
        return err_new(ERR_NOT_FOUND, "download job \"" STR_FMT "\" does not exist", STR_ARG(id));
}

static struct err *sort_get(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;

        buf_adds(&b, STR("[]"));
        return api_reply_buf(r, "application/json", &b);
}

static struct err *sort_refuse(struct api_req *r)
{
        http_resp_status(r->rs, 501);
        http_resp_head_raw(r->rs,
                           STR("Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"));
        http_resp_mem(r->rs, STR("dsort not enabled\n"), NULL, NULL);
        return NULL;
}

static struct err *etl_refuse(struct api_req *r)
{
        (void)r;
        return err_new(ERR_UNSUPPORTED, "cannot use ETL in a build without ETL support - operation not supported");
}

/* The bucket that a batch's entry names must exist. */
static struct err *batch_bucket(struct api_req *r, struct str name, struct str provider)
{
        const struct bucket *found;
        struct bck b;

        if (name.n == 0)
                return NULL;
        TRY(bck_make(name, provider, STR(""), &b));
        return api_find_bucket(r, &b, &found);
}

static struct err *batch_refuse(struct api_req *r)
{
        AUTO_JSON json_t *doc = NULL;
        json_t *in, *entry;
        struct str body;
        size_t i;

        TRY(http_req_read_all(r->rq, CONTROL_BODY_MAX, &body));
        TRY_WRAP(json_parse(body, CONTROL_BODY_MAX, &doc), "failed to unmarshal the get-batch request");
        in = json_get_nocase(doc, "in");
        if (json_array_size(in) == 0)
                return err_new(ERR_INVALID, "moss: empty input");
        TRY(batch_bucket(r, r->nitems > 2 ? r->items[2] : STR(""), api_param(r, "provider")));
        json_array_foreach(in, i, entry)
                TRY(batch_bucket(r, json_str(json_get_nocase(entry, "bucket")),
                                 json_str(json_get_nocase(entry, "provider"))));
        return err_new(ERR_NOT_IMPLEMENTED, "get-batch is not implemented");
}

static struct err *tokens_refuse(struct api_req *r)
{
        if (http_req_header(r->rq, STR("Authorization")).n == 0)
                return err_new(ERR_UNAUTHORIZED, "token required");
        return err_new(ERR_NOT_IMPLEMENTED, "tokens are not checked by this version");
}

static struct err *s3_refuse(struct api_req *r)
{
        http_resp_status(r->rs, 501);
        http_resp_head_raw(r->rs, STR("Content-Type: application/xml\r\n"));
        http_resp_mem(r->rs,
                      STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NotImplemented</Code>"
                          "<Message>The S3 API is not implemented "
                          "yet</Message><Resource></Resource><RequestId></RequestId></Error>"),
                      NULL, NULL);
        return NULL;
}

#define ALL_METHODS(resource, fn)                                                                                      \
        { HTTP_GET, resource, NULL, NEED_NONE, 0, fn }, { HTTP_HEAD, resource, NULL, NEED_NONE, 0, fn },               \
                { HTTP_PUT, resource, NULL, NEED_NONE, 0, fn }, { HTTP_POST, resource, NULL, NEED_NONE, 0, fn },       \
        {                                                                                                              \
                HTTP_DELETE, resource, NULL, NEED_NONE, 0, fn                                                          \
        }

const struct api_route api_routes_other[] = {
        { HTTP_GET, "health", NULL, NEED_NONE, 0, api__health_get },
        { HTTP_GET, "metrics", NULL, NEED_NONE, 0, api__metrics_get },
        { HTTP_GET, "reverse", NULL, NEED_NONE, 0, api__reverse },
        { HTTP_HEAD, "reverse", NULL, NEED_NONE, 0, api__reverse },
        { HTTP_PUT, "reverse", NULL, NEED_ENVELOPE | NEED_ANY_ACTION, 0, api__reverse },
        { HTTP_POST, "reverse", NULL, NEED_ENVELOPE | NEED_ANY_ACTION, 0, api__reverse },
        { HTTP_PATCH, "reverse", NULL, NEED_ENVELOPE | NEED_ANY_ACTION, 0, api__reverse },
        { HTTP_DELETE, "reverse", NULL, NEED_ENVELOPE | NEED_ANY_ACTION, 0, api__reverse },
        { HTTP_GET, "download", NULL, NEED_NONE, 0, download_get },
        { HTTP_POST, "download", NULL, NEED_NONE, 0, download_post },
        { HTTP_DELETE, "download", NULL, NEED_NONE, 0, download_delete },
        { HTTP_GET, "sort", NULL, NEED_NONE, 0, sort_get },
        { HTTP_POST, "sort", NULL, NEED_NONE, 0, sort_refuse },
        { HTTP_DELETE, "sort", NULL, NEED_NONE, 0, sort_refuse },
        ALL_METHODS("etl", etl_refuse),
        { HTTP_GET, "ml", NULL, NEED_NONE, 0, batch_refuse },
        { HTTP_POST, "tokens", NULL, NEED_NONE, 0, tokens_refuse },
        { HTTP_DELETE, "tokens", NULL, NEED_NONE, 0, tokens_refuse },
        ALL_METHODS("s3", s3_refuse),
        { HTTP_GET, NULL, NULL, NEED_NONE, 0, NULL },
};
