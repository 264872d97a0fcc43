/* client/errors.c: from what went wrong to what the caller sees. */
#include <stdio.h>

#include "client/priv.h"

static const char *const code_texts[] = {
        [ORLOP_OK] = "ok",
        [ORLOP_FAILED] = "failed",
        [ORLOP_INVALID] = "invalid argument",
        [ORLOP_NOT_FOUND] = "not found",
        [ORLOP_CONFLICT] = "conflict",
        [ORLOP_DENIED] = "access denied",
        [ORLOP_CHECKSUM] = "checksum mismatch",
        [ORLOP_RANGE] = "range outside the object",
        [ORLOP_BUSY] = "server is busy",
        [ORLOP_NO_SPACE] = "out of space",
        [ORLOP_UNSUPPORTED] = "not supported",
        [ORLOP_CONNECTION] = "no connection",
        [ORLOP_TIMEOUT] = "timed out",
        [ORLOP_CANCELLED] = "cancelled",
        [ORLOP_NO_MEMORY] = "out of memory",
};

const char *orlop_code_text(enum orlop_code code)
{
        return (unsigned)code < ARRAY_LEN(code_texts) ? code_texts[code] : "unknown";
}

enum orlop_code client__error(struct orlop_error *ret, enum orlop_code code, const char *fmt, ...)
{
        if (!ret)
                return code;
        va_list ap;
        *ret = (struct orlop_error){ .code = code };
        va_start(ap, fmt);
        vsnprintf(ret->message, sizeof(ret->message), fmt, ap);
        va_end(ap);
        return code;
}

static enum orlop_code code_of_err(enum err_code code)
{
        switch (code) {
        case ERR_TIMEOUT:
                return ORLOP_TIMEOUT;
        case ERR_CANCELLED:
                return ORLOP_CANCELLED;
        case ERR_NO_MEMORY:
                return ORLOP_NO_MEMORY;
        case ERR_INVALID:
        case ERR_INVALID_NAME:
        case ERR_INVALID_PROVIDER:
                return ORLOP_INVALID;
        case ERR_CLOSED:
        case ERR_IO:
        case ERR_NOT_FOUND: /* of a host name */
        case ERR_MALFORMED: /* not HTTP */
        case ERR_HEADERS_TOO_LARGE:
                return ORLOP_CONNECTION;
        default:
                return ORLOP_FAILED;
        }
}

enum orlop_code client__error_of(struct orlop_error *ret, struct err *e)
{
        char text[900];
        enum orlop_code code = code_of_err(err_code(e));
        client__error(ret, code, "%s", err_text(e, text, sizeof(text)));
        err_free(e);
        return code;
}

static enum orlop_code code_of_status(int status, struct str tcode)
{
        switch (status) {
        case 400:
                return ORLOP_INVALID;
        case 401:
        case 403:
                return ORLOP_DENIED;
        case 404:
        case 410:
                return ORLOP_NOT_FOUND;
        case 405:
        case 501:
                return ORLOP_UNSUPPORTED;
        case 409:
        case 412:
        case 423:
                return ORLOP_CONFLICT;
        case 416:
                return ORLOP_RANGE;
        case 429:
        case 503:
                return ORLOP_BUSY;
        case 507:
                return ORLOP_NO_SPACE;
        default:
                return str_eq(tcode, STR("ErrBadCksum")) ? ORLOP_CHECKSUM : ORLOP_FAILED;
        }
}

enum orlop_code client__error_status(struct orlop_error *ret, int status, struct str text)
{
        AUTO_JSON json_t *j = NULL;
        struct str tcode = STR_NONE, message = STR_NONE;
        err_free(json_parse(text, 1 << 20, &j)); /* an answer that is not JSON is its own message */
        if (json_is_object(j)) {
                tcode = json_str(json_object_get(j, "tcode"));
                message = json_str(json_object_get(j, "message"));
        }
        if (!message.n) {
                struct str rest = str_trim(text);
                message = str_trim(str_cut(&rest, '\n'));
        }
        enum orlop_code code = code_of_status(status, tcode);
        if (!ret)
                return code;
        if (message.n)
                client__error(ret, code, STR_FMT, STR_ARG(message));
        else
                client__error(ret, code, "%s (HTTP status %d)", orlop_code_text(code), status);
        ret->status = status;
        str_copy(ret->tcode, sizeof(ret->tcode), tcode);
        return code;
}
