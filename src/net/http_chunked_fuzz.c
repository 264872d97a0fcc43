/* Chunked bodies: decoding in pieces gives what decoding at once gives; and what an encoder makes of the input decodes
 * to the input. */
#include <stdio.h>

#include "base/buf.h"
#include "net/http_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* 1: complete, 0: more needed, -1: bad. */
static int decode(struct str in, size_t step, struct buf *out, size_t *ret_used)
{
        struct http_chunked c;
        http_chunked_init(&c);
        *ret_used = 0;
        while (*ret_used < in.n) {
                struct str piece = { in.p + *ret_used, MIN(step, in.n - *ret_used) }, data;
                size_t before = piece.n;
                bool end = false;
                enum http_parse_result r = http_chunked_next(&c, &piece, &data, &end);
                if (r == HTTP_PARSE_BAD)
                        return -1;
                buf_adds(out, data);
                *ret_used += before - piece.n;
                if (end)
                        return 1;
                ASSERT(before != piece.n); /* it always gets on */
        }
        return 0;
}

static void round_trip(struct str in, size_t chunk)
{
        AUTO_BUF struct buf coded = BUF_INIT, out = BUF_INIT;
        size_t used;
        for (size_t i = 0; i < in.n; i += chunk) {
                size_t n = MIN(chunk, in.n - i);
                buf_printf(&coded, "%zx\r\n", n);
                buf_add(&coded, in.p + i, n);
                buf_adds(&coded, STR("\r\n"));
        }
        buf_adds(&coded, STR("0\r\n\r\nrest"));
        ASSERT(decode(buf_str(&coded), 5, &out, &used) == 1);
        ASSERT(used == coded.n - 4 && str_eq(buf_str(&out), in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str in = { (const char *)data, size };
        AUTO_BUF struct buf a = BUF_INIT, b = BUF_INIT;
        size_t used_a, used_b;
        int ra = decode(in, SIZE_MAX, &a, &used_a), rb = decode(in, 1, &b, &used_b);
        ASSERT(ra == rb);
        if (ra == 1)
                ASSERT(used_a == used_b && str_eq(buf_str(&a), buf_str(&b)));
        if (size && size < 4096)
                round_trip(in, 1 + data[0] % 64);
        return 0;
}
