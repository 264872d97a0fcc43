/* s3/code.c: the tables of s3/code.h. A switch without default makes the compiler ask for a row when base gets a new
 * code. */
#include "s3/code.h"

#include <stdio.h>

#include "base/xml.h"

static const struct {
        const char *name, *text;
        int status;
} rows[S3_CODE_COUNT] = { [S3_OK] = { "", "", 200 },
#define X(name, code, status, text) [S3_##name] = { code, text, status },
                          S3_CODES(X)
#undef X
};

const char *s3_code_name(enum s3_code c)
{
        ASSERT((unsigned)c < S3_CODE_COUNT);
        return rows[c].name;
}

int s3_code_status(enum s3_code c)
{
        ASSERT((unsigned)c < S3_CODE_COUNT);
        return rows[c].status;
}

const char *s3_code_text(enum s3_code c)
{
        ASSERT((unsigned)c < S3_CODE_COUNT);
        return rows[c].text;
}

enum s3_code s3_code_of(enum err_code code)
{
        switch (code) {
        case ERR_NONE:
                return S3_OK;
        case ERR_NO_MEMORY:
        case ERR_RATE_LIMIT:
        case ERR_OVERLOAD:
                return S3_SLOW_DOWN;
        case ERR_INVALID:
        case ERR_INVALID_NAME:
        case ERR_INVALID_PROVIDER:
        case ERR_NODE_NOT_FOUND:
        case ERR_JOB_NOT_FOUND:
        case ERR_PROMOTE_SOURCE:
                return S3_INVALID_ARGUMENT;
        case ERR_UNKNOWN_FIELD:
        case ERR_MALFORMED:
        case ERR_EXISTS:
        case ERR_NOT_REMOTE_BUCKET:
        case ERR_MISSING_BACKEND:
        case ERR_NOT_ENOUGH_TARGETS:
        case ERR_FOREIGN:
        case ERR_IN_USE:
                return S3_INVALID_REQUEST;
        case ERR_TOO_LARGE:
                return S3_ENTITY_TOO_LARGE;
        case ERR_HEADERS_TOO_LARGE:
                return S3_REQUEST_HEADERS_TOO_LARGE;
        case ERR_URI_TOO_LONG:
                return S3_INVALID_URI;
        case ERR_BAD_METHOD:
                return S3_METHOD_NOT_ALLOWED;
        case ERR_NOT_FOUND:
                return S3_NO_SUCH_KEY;
        case ERR_BUCKET_NOT_FOUND:
        case ERR_REMOTE_BUCKET_NOT_FOUND:
                return S3_NO_SUCH_BUCKET;
        case ERR_UPLOAD_NOT_FOUND:
                return S3_NO_SUCH_UPLOAD;
        case ERR_BUCKET_EXISTS:
        case ERR_BUCKET_EXISTS_TARGET:
                return S3_BUCKET_ALREADY_EXISTS;
        case ERR_BUSY:
        case ERR_CONFLICT:
        case ERR_LOCKED:
                return S3_OPERATION_ABORTED;
        case ERR_PRECONDITION:
                return S3_PRECONDITION_FAILED;
        case ERR_NOT_MODIFIED:
                return S3_NOT_MODIFIED;
        case ERR_RANGE:
        case ERR_MULTI_RANGE:
                return S3_INVALID_RANGE;
        case ERR_BAD_CHECKSUM:
                return S3_BAD_DIGEST;
        case ERR_NO_SPACE:
                return S3_STORAGE_FULL;
        case ERR_ACCESS:
        case ERR_UNAUTHORIZED:
        case ERR_FORBIDDEN:
        case ERR_DIRECT_ACCESS:
                return S3_ACCESS_DENIED;
        case ERR_STARTING:
        case ERR_UNAVAILABLE:
        case ERR_NOT_PRIMARY:
        case ERR_NOT_OWNER:
                return S3_SERVICE_UNAVAILABLE;
        case ERR_UNSUPPORTED:
        case ERR_NOT_IMPLEMENTED:
                return S3_NOT_IMPLEMENTED;
        case ERR_TIMEOUT:
                return S3_REQUEST_TIMEOUT;
        case ERR_CLOSED:
                return S3_INCOMPLETE_BODY;
        case ERR_INTERNAL:
        case ERR_MOUNTPATH_NOT_FOUND:
        case ERR_CORRUPT:
        case ERR_IO:
        case ERR_CANCELLED:
        case ERR_FORMAT:
        case ERR_CODE_COUNT:
                break;
        }
        return S3_INTERNAL_ERROR;
}

enum s3_code s3_fault_set(struct s3_fault *f, enum s3_code c, const char *text, ...)
{
        *f = (struct s3_fault){ .code = c };
        if (text != NULL) {
                va_list ap;
                va_start(ap, text);
                vsnprintf(f->text, sizeof(f->text), text, ap);
                va_end(ap);
        }
        return c;
}

static void add_some(struct buf *b, const char *name, struct str s)
{
        if (s.n != 0)
                xml_text(b, name, s);
}

void s3_error_xml(struct buf *b, const struct s3_fault *f, struct str bucket, struct str key, struct str resource,
                  struct str request_id, struct str host_id)
{
        xml_begin(b);
        xml_open(b, "Error");
        xml_cstr(b, "Code", s3_code_name(f->code));
        xml_cstr(b, "Message", f->text[0] != '\0' ? f->text : s3_code_text(f->code));
        if (f->field != NULL)
                xml_cstr(b, f->field, f->value);
        add_some(b, "BucketName", bucket);
        add_some(b, "Key", key);
        xml_text(b, "Resource", resource);
        xml_text(b, "RequestId", request_id);
        xml_text(b, "HostId", host_id);
        xml_close(b, "Error");
}
