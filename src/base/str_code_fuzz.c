/* Percent, base64 and UTF-8: what decodes must encode to something that decodes to the same. */
#include "base/buf.h"
#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str in = { (const char *)data, size }, out, back;
        AUTO_ARENA struct arena a;
        arena_init(&a, 0, 0);

        AUTO_ERR struct err *bad_percent = str_percent_decode(&a, in, false, &out);
        if (!bad_percent) {
                struct str coded = str_percent_encode(&a, out, true);
                AUTO_ERR struct err *e = str_percent_decode(&a, coded, true, &back);
                ASSERT(!e && str_eq(out, back));
        }
        AUTO_ERR struct err *bad_base64 = str_base64_decode(&a, in, &out);
        if (!bad_base64) {
                AUTO_ERR struct err *e = str_base64_decode(&a, str_base64(&a, out.p, out.n), &back);
                ASSERT(!e && str_eq(out, back));
                AUTO_ERR struct err *url = str_base64_decode(&a, str_base64url(&a, out.p, out.n), &back);
                ASSERT(!url && str_eq(out, back));
        }
        AUTO_BUF struct buf b = BUF_INIT;
        json_quote(&b, in);
        ASSERT(str_is_utf8(buf_str(&b)));

        struct buf_reader r = buf_reader_of(in);
        while (!r.bad && r.p < r.end)
                buf_get_lstr(&r);
        return 0;
}
