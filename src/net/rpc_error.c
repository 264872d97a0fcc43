/* net/rpc_error.c: a failure as JSON, and back.
 *
 * {"code": "NOT_FOUND", "message": "…"} and whatever else the handler wants its caller to know. The code's name is the
 * contract: numbers may differ between versions. A name that we do not know (a newer node's) becomes INTERNAL with that
 * name in the text; an answer that is no such JSON came from something that is no node of ours: MALFORMED. */
#include "net/rpc_priv.h"

#include <stdio.h>

int rpc__error_status(enum err_code code)
{
        switch (code) {
        case ERR_NOT_FOUND:
        case ERR_BUCKET_NOT_FOUND:
        case ERR_NODE_NOT_FOUND:
        case ERR_JOB_NOT_FOUND:
        case ERR_UPLOAD_NOT_FOUND:
                return 404;
        case ERR_UNAUTHORIZED:
                return 401;
        case ERR_FOREIGN:
        case ERR_FORBIDDEN:
        case ERR_ACCESS:
                return 403;
        case ERR_CONFLICT:
        case ERR_EXISTS:
                return 409;
        case ERR_TOO_LARGE:
                return 413;
        case ERR_URI_TOO_LONG:
                return 414;
        case ERR_HEADERS_TOO_LARGE:
                return 431;
        case ERR_INTERNAL:
        case ERR_CORRUPT:
        case ERR_IO:
                return 500;
        case ERR_NOT_IMPLEMENTED:
                return 501;
        default:
                return err_code_retry(code) ? 503 : 400;
        }
}

void rpc__error_write(enum err_code code, const char *message, const json_t *extra, struct buf *b)
{
        struct json_w w;
        const char *key;
        json_t *value;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "code", err_code_name(code));
        jw_cstr(&w, "message", message);
        json_object_foreach((json_t *)(uintptr_t)extra, key, value) {
                if (strcmp(key, "code") != 0 && strcmp(key, "message") != 0)
                        jw_json(&w, key, value);
        }
        jw_object_end(&w);
}

static enum err_code code_of(const char *name)
{
        for (int i = ERR_NONE + 1; i < ERR_CODE_COUNT; i++) {
                if (!strcmp(err_code_name((enum err_code)i), name))
                        return (enum err_code)i;
        }
        return ERR_NONE;
}

struct err *rpc__error_read(struct str text, int status, const char *peer, json_t **ret_whole)
{
        AUTO_JSON json_t *j = NULL;
        AUTO_ERR struct err *bad = json_parse(text, RPC_ERROR_MAX, &j);
        const char *name = bad ? NULL : json_string_value(json_object_get(j, "code"));
        const char *message = bad ? NULL : json_string_value(json_object_get(j, "message"));
        if (!name || !message)
                return err_new(ERR_MALFORMED, "%s: an answer with status %d that is not of a node", peer, status);
        enum err_code code = code_of(name);
        struct err *e = code == ERR_NONE ? err_new(ERR_INTERNAL, "%s: %s: %s", peer, name, message)
                                         : err_new(code, "%s: %s", peer, message);
        if (ret_whole)
                *ret_whole = json_incref(j);
        return e;
}
