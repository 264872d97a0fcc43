/* client/priv.h: what the files of liborlop share. Inside, failures are `struct orlop_error` already: status and type code travel with them. */
#ifndef ORLOP_CLIENT_PRIV_H
#define ORLOP_CLIENT_PRIV_H

#include <stdatomic.h>

#include "base/json.h"
#include "client/orlop.h"
#include "net/http_client.h"

/* Immutable after orlop_open, but for the flag. */
struct orlop {
        char *endpoint;
        struct http_endpoint at; /* borrows endpoint */
        struct http_client *http;
        struct tls_ctx *tls;
        char *token;
        char *user_agent;
        atomic_bool redirects; /* a body was redirected: ask before sending the next ones */
};

struct client_request {
        const char *method;
        struct buf target;  /* path and query; "/v1/…" */
        struct buf head;    /* further header lines */
        struct str body;    /* used when source is null; p null: no body */
        const struct orlop_source *source;
        bool has_query;
};

/* ---- errors.c ---- */

/* Fills *ret (may be null); returns code. */
enum orlop_code client__error(struct orlop_error *ret, enum orlop_code code, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* From a local or network error; frees it. */
enum orlop_code client__error_of(struct orlop_error *ret, struct err *e);
/* From an answer with status 400 or above; text is its body (for HEAD: the Hdr-Error header). */
enum orlop_code client__error_status(struct orlop_error *ret, int status, struct str text);

/* ---- request.c ---- */

/* A request for "/v1/<part>"; end with client__request_fini. */
void client__request_init(struct client_request *rq, const char *method, const char *path);
/* Frees what it holds. */
void client__request_fini(struct client_request *rq);
/* Appends "/" and the percent-encoded text to the path (before any query); slashes inside are kept. */
void client__path_add(struct client_request *rq, const char *text);
/* Appends key=value, the value percent-encoded. */
void client__query_add(struct client_request *rq, const char *key, const char *value);
/* provider= and namespace= of a bucket. */
void client__query_bucket(struct client_request *rq, const struct orlop_bucket *b);
/* Appends a header line. Values with control bytes make the request fail. */
void client__header_add(struct client_request *rq, const char *name, const char *value);
/* The envelope {"action":…,"name":…,"value":…} in b; value is JSON text or null. */
void client__envelope(struct buf *b, const char *action, const char *name, const char *value);
/* "ais/@#/bucket/" or with object; what bck_to and object_to carry. */
void client__uname(struct buf *b, const struct orlop_bucket *bck, const char *object);
#define AUTO_REQUEST __attribute__((cleanup(client__request_fini)))

/* ---- send.c ---- */

/* Sends, follows redirects, waits a little when told to; the head of the final answer. Status 400 and above are errors. */
enum orlop_code client__send(struct orlop *h, struct client_request *rq, struct http_reply **ret, struct orlop_error *ret_error);
/* As client__send; the whole body (at most 256 MiB) goes into b, which may be null to drop it. Returns headers by *ret_reply if not null. */
enum orlop_code client__do(struct orlop *h, struct client_request *rq, struct buf *b, struct http_reply **ret_reply,
                           struct orlop_error *ret_error);
/* Copies a header's value, truncating; "" if absent. */
void client__copy_header(const struct http_reply *r, const char *name, char *dst, size_t size);
/* Facts of an object from the headers of an answer. */
void client__info(const struct http_reply *r, struct orlop_info *ret);

#endif
