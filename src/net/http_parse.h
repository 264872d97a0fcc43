/* net/http_parse.h: HTTP/1.1 message syntax, strict by RFC 9112: reject, never repair. Pure; any thread.
 *
 * The head parser works in place on a buffer that holds the bytes received so far; nothing is copied, header values are trimmed of optional
 * blanks. Refused: obs-fold, bare CR or LF, blanks before the colon, control bytes, both Content-Length and Transfer-Encoding, differing or malformed
 * lengths, a transfer coding other than a single final "chunked", missing or repeated Host in 1.1, absolute-form with another authority than Host,
 * HTTP/0.9, HTTP/2 preface, unknown major versions. */
#ifndef ORLOP_NET_HTTP_PARSE_H
#define ORLOP_NET_HTTP_PARSE_H

#include <stdint.h>

#include "base/str.h"

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_PATCH, HTTP_OPTIONS, HTTP_OTHER };
/* "GET", … ; HTTP_OTHER: "?". */
const char *http_method_name(enum http_method m);

struct http_header {
        struct str name, value;
};
#define HTTP_HEADERS_MAX 100
#define HTTP_REQUEST_LINE_MAX (16 * 1024)
#define HTTP_HEAD_MAX (64 * 1024)

struct http_head {
        enum http_method method;
        struct str method_text; /* as sent */
        struct str target;      /* as sent; origin-form, or "*" for OPTIONS; the authority of absolute-form is cut off */
        struct str path, query; /* raw (still percent-encoded); query without '?' */
        struct str host;
        unsigned minor;         /* HTTP/1.minor: 0 or 1 */
        bool keep_alive;        /* as version and Connection say */
        bool chunked;
        bool expect_continue;
        bool expect_other;      /* an expectation we do not know: 417 */
        bool has_length;
        uint64_t length;
        unsigned nheaders;
        struct http_header headers[HTTP_HEADERS_MAX];
};
enum http_parse_result { HTTP_PARSE_OK, HTTP_PARSE_MORE, HTTP_PARSE_BAD };
extern const char http_bad_version[]; /* the text of an unknown major version: status 505 rather than 501 */
/* Parses a request head at the start of `in`. *resume is where the search for the end goes on (0 at first; kept between calls with MORE).
 * OK: *ret_len bytes belong to the head. BAD: *ret_err is a static error (MALFORMED, URI_TOO_LONG, HEADERS_TOO_LARGE, UNSUPPORTED = version or coding) and
 * *ret_why a static text. A single empty line before the request line is skipped (RFC 9112 §2.2). */
enum http_parse_result http_parse_request(struct str in, size_t *resume, struct http_head *ret, size_t *ret_len, enum err_code *ret_err,
                                          const char **ret_why);
/* First header of this name (ASCII case ignored), or STR_NONE. */
struct str http_head_find(const struct http_head *h, struct str name);

struct http_response_head {
        int status;
        unsigned minor;
        bool keep_alive, chunked, has_length;
        uint64_t length;
        unsigned nheaders;
        struct http_header headers[HTTP_HEADERS_MAX];
};
/* The same for a response's head (clients). */
enum http_parse_result http_parse_response(struct str in, size_t *resume, struct http_response_head *ret, size_t *ret_len, const char **ret_why);

/* Chunked coding, incremental. Trailers are parsed and dropped (at most 8 KiB); chunk extensions are refused beyond 32 bytes of chunk header. */
struct http_chunked {
        int state;
        uint64_t left;
        unsigned line;
        unsigned trailer;
};
/* Ready for the first byte. */
void http_chunked_init(struct http_chunked *c);
/* Consumes from *in and gives the next run of body bytes (borrowed from in; may be empty when more input is needed). *ret_end: the body is
 * complete. HTTP_PARSE_BAD for malformed input. */
enum http_parse_result http_chunked_next(struct http_chunked *c, struct str *in, struct str *ret_data, bool *ret_end);
/* Bytes of plain data that must come next: they may be received elsewhere than into the parser's input. 0 within the framing. */
size_t http_chunked_plain(const struct http_chunked *c);
/* Tells that n of those were received elsewhere. */
void http_chunked_took(struct http_chunked *c, size_t n);

/* "bytes=a-b" and its forms (RFC 9110 §14.1). */
enum range_kind { RANGE_NONE, RANGE_ONE, RANGE_MULTI, RANGE_UNSATISFIABLE, RANGE_MALFORMED };
/* Judges a Range value against a size; RANGE_ONE gives offset and length (clipped). */
enum range_kind http_range(struct str value, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length);

/* Iterates a raw query: cuts the next "key=value" (still encoded) off *query. False at the end. */
bool http_query_next(struct str *query, struct str *ret_key, struct str *ret_value);

#endif
