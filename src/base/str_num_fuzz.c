/* Sizes, durations and numbers: no overflow goes unseen, and our own text of a duration reads back exactly. */
#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str in = { (const char *)data, size };
        char text[32];
        int64_t ns, ns2, i;
        uint64_t bytes, bytes2, u;
        bool b;
        if (str_duration(in, &ns))
                ASSERT(str_duration(str_of(str_duration_text(ns, text)), &ns2) && ns == ns2);
        if (str_size(in, &bytes))
                ASSERT(str_size(str_of(str_size_text(bytes, text)), &bytes2) && bytes2 <= bytes);
        if (str_i64(in, &i)) {
                snprintf(text, sizeof(text), "%" PRId64, i);
                ASSERT(str_i64(str_of(text), &ns) && ns == i);
        }
        if (str_u64(in, &u)) {
                snprintf(text, sizeof(text), "%" PRIu64, u);
                ASSERT(str_u64(str_of(text), &bytes) && bytes == u);
        }
        (void)str_hex64(in, &u);
        (void)str_bool(in, &b);
        struct str rest = in;
        struct str pattern = str_cut(&rest, '\n');
        (void)str_glob(pattern, rest);
        return 0;
}
