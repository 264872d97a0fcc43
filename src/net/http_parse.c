/* net/http_parse.c: heads of requests and responses (RFC 9112 §2–§7), in place.
 *
 * Two passes: head_end() finds the empty line that ends a head, going on where the last call stopped, so that a head
 * that arrives byte by byte costs linear time; then each line is judged once. A head is refused at the first byte that
 * the grammar forbids; there is no second reading of anything. */
#include "net/http_parse.h"

#include <strings.h>

#include "net/chars.h"

const char http_bad_version[] = "HTTP version is not supported";

const char *http_method_name(enum http_method m)
{
        static const char *const names[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "?" };
        return names[m];
}

static enum http_method method_of(struct str s)
{
        for (enum http_method m = HTTP_GET; m < HTTP_OTHER; m++) {
                if (str_eq(s, str_of(http_method_name(m))))
                        return m;
        }
        return HTTP_OTHER;
}

/* What went wrong with a head: the code and the text for the client. */
struct verdict {
        enum err_code err;
        const char *why;
};

static bool bad(struct verdict *v, enum err_code err, const char *why)
{
        v->err = err;
        v->why = why;
        return false;
}

enum end { END_FOUND, END_MORE, END_BARE_LF, END_LINE_TOO_LONG, END_HEAD_TOO_LONG };

/* Finds the empty line after in.p[base]. *resume: bytes that hold no end, kept between calls. *ret_first: the length of
 * the first line without its LF, as soon as that LF is here (or SIZE_MAX). */
static enum end head_end(struct str in, size_t base, size_t *resume, size_t *ret_len, size_t *ret_first)
{
        size_t i = MAX(*resume, base);
        *ret_first = SIZE_MAX;
        while (i < in.n) {
                const char *lf = memchr(in.p + i, '\n', in.n - i);
                if (!lf)
                        break;
                size_t at = (size_t)(lf - in.p);
                if (*ret_first == SIZE_MAX && !memchr(in.p + base, '\n', at - base))
                        *ret_first = at - base;
                if (at == base || in.p[at - 1] != '\r')
                        return END_BARE_LF;
                if (at == base + 1 || in.p[at - 2] == '\n') {
                        *ret_len = at + 1;
                        return at + 1 - base > HTTP_HEAD_MAX ? END_HEAD_TOO_LONG : END_FOUND;
                }
                i = at + 1;
        }
        *resume = in.n;
        if (in.n - base > HTTP_REQUEST_LINE_MAX && !memchr(in.p + base, '\n', HTTP_REQUEST_LINE_MAX))
                return END_LINE_TOO_LONG;
        return in.n - base > HTTP_HEAD_MAX ? END_HEAD_TOO_LONG : END_MORE;
}

/* Cuts the next line off *rest, without its CRLF. False for a bare CR or LF. */
static bool cut_line(struct str *rest, struct str *ret)
{
        const char *lf = memchr(rest->p, '\n', rest->n);
        if (!lf || lf == rest->p || lf[-1] != '\r')
                return false;
        *ret = (struct str){ rest->p, (size_t)(lf - 1 - rest->p) };
        *rest = str_skip(*rest, ret->n + 2);
        return true;
}

static bool all_of(struct str s, uint8_t cls)
{
        uint8_t all = cls;
        for (size_t i = 0; i < s.n; i++)
                all &= net__chars[(unsigned char)s.p[i]];
        return all != 0;
}

/* RFC 9112 §5: field-line = field-name ":" OWS field-value OWS. */
static bool parse_field(struct str line, struct http_header *ret, struct verdict *v)
{
        if (line.p[0] == ' ' || line.p[0] == '\t')
                return bad(v, ERR_MALFORMED, "folded header line");
        const char *colon = memchr(line.p, ':', line.n);
        if (!colon)
                return bad(v, ERR_MALFORMED, "header line without a colon");
        struct str name = { line.p, (size_t)(colon - line.p) };
        if (name.n == 0 || !all_of(name, CHAR_TOKEN))
                return bad(v, ERR_MALFORMED, "malformed header name");
        struct str value = str_skip(line, name.n + 1);
        while (value.n && (value.p[0] == ' ' || value.p[0] == '\t'))
                value = str_skip(value, 1);
        while (value.n && (value.p[value.n - 1] == ' ' || value.p[value.n - 1] == '\t'))
                value.n--;
        if (!all_of(value, CHAR_FIELD))
                return bad(v, ERR_MALFORMED, "control byte in a header value");
        *ret = (struct http_header){ name, value };
        return true;
}

/* What the framing fields of a head say, for requests and responses alike. */
struct framing {
        unsigned lengths, codings, hosts;
        bool chunked, close, keep_alive, expect_continue, expect_other;
        uint64_t length;
        struct str host;
};

/* RFC 9112 §6.2: digits only; a list or a second line is refused even when the values agree (§6.3 allows either). */
static bool take_length(struct framing *f, struct str value, struct verdict *v)
{
        if (f->lengths++)
                return bad(v, ERR_MALFORMED, "repeated Content-Length");
        if (value.n > 19 || !str_u64(value, &f->length) || f->length > INT64_MAX)
                return bad(v, ERR_MALFORMED, "malformed Content-Length");
        return true;
}

/* RFC 9112 §6.1: we understand a single "chunked". Other codings before a final "chunked" are well-formed, but unknown
 * to us. */
static bool take_coding(struct framing *f, struct str value, struct verdict *v)
{
        if (f->codings++)
                return bad(v, ERR_MALFORMED, "repeated Transfer-Encoding");
        if (str_eq_nocase(value, STR("chunked"))) {
                f->chunked = true;
                return true;
        }
        bool known = false;
        struct str rest = value, item = STR_NONE;
        while (rest.n) {
                known = known || str_eq_nocase(item, STR("chunked"));
                item = str_trim(str_cut(&rest, ','));
                if (item.n == 0 || !all_of(item, CHAR_TOKEN))
                        return bad(v, ERR_MALFORMED, "malformed Transfer-Encoding");
        }
        if (known || !str_eq_nocase(item, STR("chunked")))
                return bad(v, ERR_MALFORMED, "transfer coding does not end in a single chunked");
        return bad(v, ERR_UNSUPPORTED, "transfer coding is not supported");
}

static bool take_connection(struct framing *f, struct str value, struct verdict *v)
{
        while (value.n) {
                struct str item = str_trim(str_cut(&value, ','));
                if (!all_of(item, CHAR_TOKEN))
                        return bad(v, ERR_MALFORMED, "malformed Connection");
                if (str_eq_nocase(item, STR("close")))
                        f->close = true;
                else if (str_eq_nocase(item, STR("keep-alive")))
                        f->keep_alive = true;
        }
        return true;
}

static bool take_host(struct framing *f, struct str value, struct verdict *v)
{
        if (f->hosts++)
                return bad(v, ERR_MALFORMED, "repeated Host");
        if (!all_of(value, CHAR_HOST))
                return bad(v, ERR_MALFORMED, "malformed Host");
        f->host = value;
        return true;
}

static void take_expect(struct framing *f, struct str value)
{
        if (str_eq_nocase(value, STR("100-continue")))
                f->expect_continue = true;
        else
                f->expect_other = true;
}

static bool take_field(struct framing *f, const struct http_header *h, struct verdict *v)
{
        switch (h->name.n) {
        case 4:
                return strncasecmp(h->name.p, "host", 4) != 0 || take_host(f, h->value, v);
        case 6:
                if (strncasecmp(h->name.p, "expect", 6) == 0)
                        take_expect(f, h->value);
                return true;
        case 10:
                return strncasecmp(h->name.p, "connection", 10) != 0 || take_connection(f, h->value, v);
        case 14:
                return strncasecmp(h->name.p, "content-length", 14) != 0 || take_length(f, h->value, v);
        case 17:
                return strncasecmp(h->name.p, "transfer-encoding", 17) != 0 || take_coding(f, h->value, v);
        default:
                return true;
        }
}

/* All field lines up to the empty line, and the rules that hold for the framing fields together (RFC 9112 §6.3). */
static bool parse_fields(struct str rest, unsigned minor, struct http_header *ret, unsigned *ret_n,
                         struct framing *ret_f, struct verdict *v)
{
        unsigned n = 0;
        for (;;) {
                struct str line;
                if (!cut_line(&rest, &line))
                        return bad(v, ERR_MALFORMED, "bare CR or LF in the head");
                if (line.n == 0)
                        break;
                if (n == HTTP_HEADERS_MAX)
                        return bad(v, ERR_HEADERS_TOO_LARGE, "too many header lines");
                if (!parse_field(line, &ret[n], v) || !take_field(ret_f, &ret[n], v))
                        return false;
                n++;
        }
        if (ret_f->codings && ret_f->lengths)
                return bad(v, ERR_MALFORMED, "both Content-Length and Transfer-Encoding");
        if (ret_f->codings && minor == 0)
                return bad(v, ERR_MALFORMED, "Transfer-Encoding in HTTP/1.0");
        *ret_n = n;
        return true;
}

/* "HTTP/1.x". A later minor version is spoken to as 1.1 (RFC 9110 §2.5). */
static bool parse_version(struct str s, unsigned *ret_minor, struct verdict *v)
{
        if (s.n != 8 || memcmp(s.p, "HTTP/", 5) != 0 || s.p[6] != '.' || s.p[5] < '0' || s.p[5] > '9' || s.p[7] < '0' ||
            s.p[7] > '9')
                return bad(v, ERR_MALFORMED, "malformed HTTP version");
        if (s.p[5] != '1')
                return bad(v, ERR_UNSUPPORTED, http_bad_version);
        *ret_minor = s.p[7] == '0' ? 0 : 1;
        return true;
}

/* RFC 9112 §3.2. Sets target, path and query; *ret_authority is the one of absolute-form. */
static bool parse_target(struct str target, struct http_head *h, struct str *ret_authority, struct verdict *v)
{
        if (!all_of(target, CHAR_TARGET))
                return bad(v, ERR_MALFORMED, "forbidden byte in the request target");
        *ret_authority = STR_NONE;
        if (str_eq(target, STR("*")) && h->method == HTTP_OPTIONS) {
                h->target = h->path = target;
                h->query = STR_NONE;
                return true;
        }
        if (target.p[0] != '/') {
                size_t scheme = target.n > 7 && strncasecmp(target.p, "http://", 7) == 0    ? 7
                                : target.n > 8 && strncasecmp(target.p, "https://", 8) == 0 ? 8
                                                                                            : 0;
                if (!scheme)
                        return bad(v, ERR_MALFORMED, "malformed request target");
                struct str after = str_skip(target, scheme);
                ptrdiff_t slash = str_find(after, '/'), query = str_find(after, '?');
                if (query >= 0 && (slash < 0 || query < slash))
                        return bad(v, ERR_MALFORMED, "request target without a path");
                *ret_authority = slash < 0 ? after : (struct str){ after.p, (size_t)slash };
                if (ret_authority->n == 0)
                        return bad(v, ERR_MALFORMED, "request target without an authority");
                target = slash < 0 ? STR("/") : str_skip(after, (size_t)slash);
        }
        h->target = target;
        ptrdiff_t mark = str_find(target, '?');
        h->path = mark < 0 ? target : (struct str){ target.p, (size_t)mark };
        h->query = mark < 0 ? STR_NONE : str_skip(target, (size_t)mark + 1);
        return true;
}

/* method SP request-target SP HTTP-version, single blanks (RFC 9112 §3). */
static bool parse_request_line(struct str line, struct http_head *h, struct str *ret_authority, struct verdict *v)
{
        if (line.n > HTTP_REQUEST_LINE_MAX)
                return bad(v, ERR_URI_TOO_LONG, "request line too long");
        ptrdiff_t first = str_find(line, ' ');
        if (first <= 0 || !all_of((struct str){ line.p, (size_t)first }, CHAR_TOKEN))
                return bad(v, ERR_MALFORMED, "malformed request line");
        h->method_text = (struct str){ line.p, (size_t)first };
        h->method = method_of(h->method_text);
        struct str rest = str_skip(line, (size_t)first + 1);
        ptrdiff_t second = str_find(rest, ' ');
        if (second <= 0)
                return bad(v, ERR_MALFORMED, "malformed request line");
        return parse_version(str_skip(rest, (size_t)second + 1), &h->minor, v) &&
               parse_target((struct str){ rest.p, (size_t)second }, h, ret_authority, v);
}

static bool parse_request_head(struct str head, struct http_head *h, struct verdict *v)
{
        struct str rest = head, line, authority;
        if (!cut_line(&rest, &line))
                return bad(v, ERR_MALFORMED, "bare CR or LF in the head");
        struct framing f = { 0 };
        if (!parse_request_line(line, h, &authority, v) ||
            !parse_fields(rest, h->minor, h->headers, &h->nheaders, &f, v))
                return false;
        /* RFC 9112 §3.2: a 1.1 request has exactly one Host. An absolute-form with another authority is ambiguous:
         * refused rather than resolved. */
        if (f.hosts == 0 && h->minor > 0)
                return bad(v, ERR_MALFORMED, "missing Host");
        if (authority.p && (f.hosts == 0 || !str_eq_nocase(authority, f.host)))
                return bad(v, ERR_MALFORMED, "request target and Host disagree");
        h->host = f.host;
        h->keep_alive = !f.close && (h->minor > 0 || f.keep_alive);
        h->chunked = f.chunked;
        /* RFC 9110 §10.1.1: an expectation in a 1.0 request is ignored. */
        h->expect_continue = f.expect_continue && h->minor > 0;
        h->expect_other = f.expect_other && h->minor > 0;
        h->has_length = f.lengths > 0;
        h->length = f.lengths ? f.length : 0;
        return true;
}

/* A head that is not complete may already be hopeless: a request line is judged as soon as it is here (HTTP/0.9, other
 * protocols). */
static bool early_request_line(struct str in, size_t base, size_t first, struct verdict *v, struct http_head *scratch)
{
        struct str authority;
        return parse_request_line((struct str){ in.p + base, first - 1 }, scratch, &authority, v);
}

enum http_parse_result http_parse_request(struct str in, size_t *resume, struct http_head *ret, size_t *ret_len,
                                          enum err_code *ret_err, const char **ret_why)
{
        if (in.n == 0 || (in.n == 1 && in.p[0] == '\r'))
                return HTTP_PARSE_MORE;
        size_t base = in.p[0] == '\r' && in.p[1] == '\n' ? 2 : 0;
        size_t len = 0, first;
        struct verdict v = { ERR_NONE, NULL };
        bool good = true;
        switch (head_end(in, base, resume, &len, &first)) {
        case END_MORE:
                good = first == SIZE_MAX || early_request_line(in, base, first, &v, ret);
                if (good)
                        return HTTP_PARSE_MORE;
                break;
        case END_BARE_LF:
                good = bad(&v, ERR_MALFORMED, "bare LF in the head");
                break;
        case END_LINE_TOO_LONG:
                good = bad(&v, ERR_URI_TOO_LONG, "request line too long");
                break;
        case END_HEAD_TOO_LONG:
                good = bad(&v, ERR_HEADERS_TOO_LARGE, "request headers too large");
                break;
        case END_FOUND:
                good = parse_request_head((struct str){ in.p + base, len - base }, ret, &v);
                break;
        }
        if (!good) {
                *ret_err = v.err;
                *ret_why = v.why;
                return HTTP_PARSE_BAD;
        }
        *ret_len = len;
        return HTTP_PARSE_OK;
}

struct str http_head_find(const struct http_head *h, struct str name)
{
        for (unsigned i = 0; i < h->nheaders; i++) {
                if (str_eq_nocase(h->headers[i].name, name))
                        return h->headers[i].value;
        }
        return STR_NONE;
}

/* HTTP-version SP 3DIGIT [SP reason]. The grammar wants the second blank, but many servers drop it with an empty
 * reason, and nothing depends on it. */
static bool parse_status_line(struct str line, struct http_response_head *h, struct verdict *v)
{
        if (line.n < 12 || line.p[8] != ' ' || (line.n > 12 && line.p[12] != ' '))
                return bad(v, ERR_MALFORMED, "malformed status line");
        if (!parse_version((struct str){ line.p, 8 }, &h->minor, v))
                return false;
        uint64_t status;
        if (!str_u64((struct str){ line.p + 9, 3 }, &status) || status < 100 || status > 599)
                return bad(v, ERR_MALFORMED, "malformed status code");
        if (!all_of(str_skip(line, 12), CHAR_FIELD))
                return bad(v, ERR_MALFORMED, "control byte in the status line");
        h->status = (int)status;
        return true;
}

static bool parse_response_head(struct str head, struct http_response_head *h, struct verdict *v)
{
        struct str rest = head, line;
        if (!cut_line(&rest, &line))
                return bad(v, ERR_MALFORMED, "bare CR or LF in the head");
        struct framing f = { 0 };
        if (!parse_status_line(line, h, v) || !parse_fields(rest, h->minor, h->headers, &h->nheaders, &f, v))
                return false;
        h->keep_alive = !f.close && (h->minor > 0 || f.keep_alive);
        h->chunked = f.chunked;
        h->has_length = f.lengths > 0;
        h->length = f.lengths ? f.length : 0;
        return true;
}

enum http_parse_result http_parse_response(struct str in, size_t *resume, struct http_response_head *ret,
                                           size_t *ret_len, const char **ret_why)
{
        size_t len = 0, first;
        struct verdict v = { ERR_NONE, NULL };
        switch (head_end(in, 0, resume, &len, &first)) {
        case END_MORE:
                return HTTP_PARSE_MORE;
        case END_BARE_LF:
                *ret_why = "bare LF in the head";
                return HTTP_PARSE_BAD;
        case END_LINE_TOO_LONG:
        case END_HEAD_TOO_LONG:
                *ret_why = "response head too large";
                return HTTP_PARSE_BAD;
        case END_FOUND:
                break;
        }
        if (!parse_response_head((struct str){ in.p, len }, ret, &v)) {
                *ret_why = v.why;
                return HTTP_PARSE_BAD;
        }
        *ret_len = len;
        return HTTP_PARSE_OK;
}
