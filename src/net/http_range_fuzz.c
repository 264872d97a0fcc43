/* Ranges: what is accepted lies within the size. Queries: the pieces lie within the input and in order. */
#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint64_t sizes[] = { 0, 1, 10, 4096, UINT64_MAX };
        struct str in = { (const char *)data, size }, key, value;
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
                uint64_t offset = 0, length = 0;
                if (http_range(in, sizes[i], &offset, &length) == RANGE_ONE)
                        ASSERT(length > 0 && offset < sizes[i] && length <= sizes[i] - offset);
        }
        const char *last = in.p;
        while (http_query_next(&in, &key, &value)) {
                ASSERT(key.p >= last && value.p >= key.p + key.n);
                last = value.p + value.n;
        }
        return 0;
}
