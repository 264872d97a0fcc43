/* Request heads: the same verdict however the input is cut, and an accepted head obeys the rules that the rest of the
 * server relies on. */
#include <stdlib.h>

#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_head whole, cut;

static void check_inside(struct str s, struct str in)
{
        ASSERT(!s.p || s.n == 0 || (s.p >= in.p && s.p + s.n <= in.p + in.n) || str_eq(s, STR("/")));
        for (size_t i = 0; i < s.n; i++)
                ASSERT(s.p[i] != '\r' && s.p[i] != '\n' && s.p[i] != '\0');
}

static void check_head(const struct http_head *h, struct str in)
{
        check_inside(h->method_text, in);
        check_inside(h->target, in);
        check_inside(h->path, in);
        check_inside(h->query, in);
        check_inside(h->host, in);
        ASSERT(h->nheaders <= HTTP_HEADERS_MAX && h->minor <= 1);
        ASSERT(!(h->chunked && h->has_length) && !(h->chunked && h->minor == 0));
        ASSERT(h->has_length || h->length == 0);
        ASSERT(h->length <= INT64_MAX);
        ASSERT(h->path.n > 0 && (h->path.p[0] == '/' || h->path.p[0] == '*'));
        for (unsigned i = 0; i < h->nheaders; i++) {
                check_inside(h->headers[i].name, in);
                check_inside(h->headers[i].value, in);
                ASSERT(h->headers[i].name.n > 0);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        /* A copy of the exact size: reading past it is seen. */
        char *copy = malloc(size ? size : 1);
        ASSERT(copy);
        if (size)
                memcpy(copy, data, size);
        struct str in = { copy, size };
        size_t resume = 0, len = 0, resume2 = 0, len2 = 0;
        enum err_code code = ERR_NONE, code2 = ERR_NONE;
        const char *why = NULL, *why2 = NULL;
        enum http_parse_result r = http_parse_request(in, &resume, &whole, &len, &code, &why), r2 = HTTP_PARSE_MORE;
        size_t step = size ? 1 + data[size - 1] % 7 : 1;
        for (size_t n = step; r2 == HTTP_PARSE_MORE && n < size + step; n += step)
                r2 = http_parse_request((struct str){ copy, MIN(n, size) }, &resume2, &cut, &len2, &code2, &why2);
        ASSERT(r == r2);
        ASSERT((r == HTTP_PARSE_BAD) == (why != NULL));
        if (r == HTTP_PARSE_OK) {
                ASSERT(len == len2 && len <= size && len >= 4);
                ASSERT(copy[len - 1] == '\n' && copy[len - 2] == '\r');
                ASSERT(whole.length == cut.length && whole.chunked == cut.chunked &&
                       whole.keep_alive == cut.keep_alive && whole.nheaders == cut.nheaders);
                check_head(&whole, in);
        }
        free(copy);
        return 0;
}
