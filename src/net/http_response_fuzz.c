/* Response heads: nothing is read out of bounds, and what is accepted obeys the framing rules. */
#include <stdlib.h>

#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct http_response_head head;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        char *copy = malloc(size ? size : 1);
        ASSERT(copy);
        if (size)
                memcpy(copy, data, size);
        size_t resume = 0, len = 0;
        const char *why = NULL;
        enum http_parse_result r = HTTP_PARSE_MORE;
        for (size_t n = 1; r == HTTP_PARSE_MORE && n <= size; n += 1 + n / 2)
                r = http_parse_response((struct str){ copy, n }, &resume, &head, &len, &why);
        if (r == HTTP_PARSE_MORE)
                r = http_parse_response((struct str){ copy, size }, &resume, &head, &len, &why);
        ASSERT((r == HTTP_PARSE_BAD) == (why != NULL));
        if (r == HTTP_PARSE_OK) {
                ASSERT(len <= size && head.status >= 100 && head.status <= 599 && head.nheaders <= HTTP_HEADERS_MAX);
                ASSERT(!(head.chunked && head.has_length) && head.length <= INT64_MAX);
                for (unsigned i = 0; i < head.nheaders; i++)
                        ASSERT(head.headers[i].name.n > 0 && str_find(head.headers[i].value, (char)10) < 0);
        }
        free(copy);
        return 0;
}
