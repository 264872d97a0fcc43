/* api/errors.c: the one map from error codes to what each protocol calls them, and the wire's error body.
 *
 * Native errors are JSON (for HEAD: the same JSON in the header Hdr-Error) with exactly the wire's fields. Clients find
 * the bucket or object in the message's text. */
#define LOG_FOLDER "api"
#include "api/priv.h"

#include "base/log.h"

static const struct api_error_row error_rows[ERR_CODE_COUNT] = {
        [ERR_INTERNAL] = { 500, "", "InternalError" },
        [ERR_NO_MEMORY] = { 503, "", "SlowDown" },
        [ERR_INVALID] = { 400, "", "InvalidArgument" },
        [ERR_INVALID_NAME] = { 400, "errInvalidPath", "InvalidArgument" },
        [ERR_INVALID_PROVIDER] = { 400, "ErrInvalidBackendProvider", "InvalidArgument" },
        [ERR_UNKNOWN_FIELD] = { 400, "", "InvalidRequest" },
        [ERR_MALFORMED] = { 400, "", "InvalidRequest" },
        [ERR_TOO_LARGE] = { 413, "", "EntityTooLarge" },
        [ERR_HEADERS_TOO_LARGE] = { 431, "", "RequestHeaderSectionTooLarge" },
        [ERR_URI_TOO_LONG] = { 414, "", "InvalidURI" },
        [ERR_BAD_METHOD] = { 405, "", "MethodNotAllowed" },
        [ERR_NOT_FOUND] = { 404, "ErrNotFound", "NoSuchKey" },
        [ERR_BUCKET_NOT_FOUND] = { 404, "ErrBckNotFound", "NoSuchBucket" },
        [ERR_REMOTE_BUCKET_NOT_FOUND] = { 404, "ErrRemoteBckNotFound", "NoSuchBucket" },
        [ERR_NODE_NOT_FOUND] = { 404, "errNodeNotFound", "InvalidArgument" },
        [ERR_MOUNTPATH_NOT_FOUND] = { 404, "ErrMpathNotFound", "InternalError" },
        [ERR_JOB_NOT_FOUND] = { 404, "ErrXactNotFound", "InvalidArgument" },
        [ERR_UPLOAD_NOT_FOUND] = { 404, "ErrNotFound", "NoSuchUpload" },
        [ERR_BUCKET_EXISTS] = { 409, "ErrBucketAlreadyExists", "BucketAlreadyExists" },
        [ERR_BUCKET_EXISTS_TARGET] = { 400, "ErrBucketAlreadyExists", "BucketAlreadyExists" },
        [ERR_EXISTS] = { 409, "", "InvalidRequest" },
        [ERR_BUSY] = { 409, "ErrBusy", "OperationAborted" },
        [ERR_CONFLICT] = { 409, "ErrLimitedCoexistence", "OperationAborted" },
        [ERR_LOCKED] = { 423, "", "OperationAborted" },
        [ERR_PRECONDITION] = { 412, "", "PreconditionFailed" },
        [ERR_NOT_MODIFIED] = { 304, "", "NotModified" },
        [ERR_RANGE] = { 416, "ErrRangeNotSatisfiable", "InvalidRange" },
        [ERR_MULTI_RANGE] = { 416, "ErrUnsupp", "InvalidRange" },
        [ERR_BAD_CHECKSUM] = { 500, "ErrBadCksum", "BadDigest" },
        [ERR_CORRUPT] = { 500, "ErrCorrupted", "InternalError" },
        [ERR_IO] = { 500, "", "InternalError" },
        [ERR_NO_SPACE] = { 507, "ErrCapExceeded", "InsufficientCapacity" },
        [ERR_ACCESS] = { 403, "ErrBucketAccessDenied", "AccessDenied" },
        [ERR_UNAUTHORIZED] = { 401, "", "AccessDenied" },
        [ERR_FORBIDDEN] = { 403, "", "AccessDenied" },
        [ERR_DIRECT_ACCESS] = { 403, "errDirectTargetAccess", "AccessDenied" },
        [ERR_RATE_LIMIT] = { 429, "ErrRateLimitFrontend", "SlowDown" },
        [ERR_OVERLOAD] = { 503, "", "SlowDown" },
        [ERR_STARTING] = { 503, "", "ServiceUnavailable" },
        [ERR_UNAVAILABLE] = { 503, "", "ServiceUnavailable" },
        [ERR_NOT_PRIMARY] = { 503, "", "ServiceUnavailable" },
        [ERR_NOT_OWNER] = { 503, "", "ServiceUnavailable" },
        [ERR_UNSUPPORTED] = { 501, "ErrUnsupp", "NotImplemented" },
        [ERR_NOT_IMPLEMENTED] = { 501, "ErrNotImpl", "NotImplemented" },
        [ERR_NOT_REMOTE_BUCKET] = { 400, "ErrNotRemoteBck", "InvalidRequest" },
        [ERR_MISSING_BACKEND] = { 400, "ErrMissingBackend", "InvalidRequest" },
        [ERR_PROMOTE_SOURCE] = { 400, "errInvalidPromoteSource", "InvalidArgument" },
        [ERR_NOT_ENOUGH_TARGETS] = { 400, "ErrNotEnoughTargets", "InvalidRequest" },
        [ERR_TIMEOUT] = { 408, "", "RequestTimeout" },
        [ERR_CANCELLED] = { 500, "ErrAborted", "InternalError" },
        [ERR_CLOSED] = { 400, "", "RequestTimeout" },
        [ERR_FORMAT] = { 500, "", "InternalError" },
        [ERR_FOREIGN] = { 400, "", "InvalidRequest" },
        [ERR_IN_USE] = { 400, "", "InvalidRequest" },
};

const struct api_error_row *api_error_row(enum err_code code)
{
        ASSERT(code > ERR_NONE && code < ERR_CODE_COUNT && error_rows[code].status != 0);
        return &error_rows[code];
}

static void error_json(const struct api_req *r, const char *message, const struct api_error_row *row, struct buf *b)
{
        struct json_w w;
        const struct cluster_node *self = r->snap != NULL ? api_self(r) : NULL;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        if (row->tcode[0] != '\0')
                jw_cstr(&w, "tcode", row->tcode);
        jw_cstr(&w, "message", message);
        jw_str(&w, "method", r->rq->head ? r->rq->head->method_text : STR("?"));
        struct str path;
        struct err *e = str_percent_decode(r->arena, r->rq->path, false, &path);
        jw_str(&w, "url_path", e == NULL ? path : r->rq->path);
        err_free(e);
        jw_cstr(&w, "remote_addr", r->rq->peer ? r->rq->peer : "");
        jw_cstr(&w, "caller", r->caller);
        jw_strf(&w, "node", "%c[%s]", self != NULL && self->target ? 't' : 'p', self ? self->id : "");
        jw_int(&w, "status", row->status);
        jw_object_end(&w);
}

const struct cluster_node *api_self(const struct api_req *r)
{
        const struct snapshot *s = r->snap;
        bool target = s->target != NULL && (r->role_target || s->proxy == NULL);
        return target ? s->target : s->proxy;
}

void api_reply_err(struct api_req *r, struct err *e)
{
        const struct api_error_row *row = api_error_row(e->code);
        char message[2048];
        err_text(e, message, sizeof(message));
        if (row->status >= 500 && row->status != 501 && row->status != 507)
                log_warn("request %lu: " STR_FMT " " STR_FMT ": %s (%s)", (unsigned long)r->rq->id,
                         STR_ARG(r->rq->head ? r->rq->head->method_text : STR("?")), STR_ARG(r->rq->path), message,
                         err_code_name(e->code));
        bool keep_range = e->code == ERR_RANGE; /* its handler has set Content-Range */
        char range[64] = "";
        if (keep_range && r->rs->head.n < sizeof(range))
                str_copy(range, sizeof(range), buf_str(&r->rs->head));
        bool close = r->rs->close;
        http_resp_reset(r->rs);
        r->rs->close = close;
        http_resp_status(r->rs, row->status);
        if (range[0] != '\0')
                http_resp_head_raw(r->rs, str_of(range));
        AUTO_BUF struct buf b = BUF_INIT;
        error_json(r, message, row, &b);
        http_resp_head_raw(r->rs, STR("Content-Type: application/json\r\nX-Content-Type-Options: nosniff\r\n"));
        if (row->status == 503)
                http_resp_head_raw(r->rs, STR("Retry-After: 1\r\n"));
        if (r->rq->method == HTTP_HEAD) {
                http_resp_header(r->rs, "Hdr-Error", buf_str(&b));
        } else {
                buf_addc(&b, '\n');
                struct str body = str_arena(r->arena, buf_str(&b));
                http_resp_mem(r->rs, body.p ? body : STR_NONE, NULL, NULL);
        }
        err_free(e);
}
