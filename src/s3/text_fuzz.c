/* Small texts: moments, checksums, tokens, encodings, addresses of copies. What is read and written again is the same.
 */
#include "s3/body.h"
#include "s3/page.h"
#include "s3/target.h"
#include "s3/when.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        AUTO_ARENA struct arena a;
        struct str s = { (const char *)data, n }, bucket, key, version, from;
        struct s3_fault f;
        unsigned char value[S3_CKSUM_MAX];
        char text[S3_CKSUM_TEXT_MAX];
        int64_t t;
        arena_init(&a, 4096, 1 << 20);
        for (unsigned k = S3_CKSUM_CRC32; k < S3_CKSUM_COUNT; k++)
                if (s3_cksum_parse((enum s3_cksum)k, s, value))
                        ASSERT(str_eq(str_of(s3_cksum_text((enum s3_cksum)k, value, text)), s));
        if (s3_when_basic(s, &t) && s.p[13] != '6') /* a leap second is the next minute's first */
                ASSERT(str_eq(str_of(s3_when_basic_text(t, text)), s));
        if (s3_when_iso(s, &t))
                ASSERT(t >= -INT64_C(86400000000000));
        if (s3_when_http(s, &t))
                ASSERT(t >= 0);
        if (s3_page_from_token(&a, s, &from, &f) == S3_OK)
                ASSERT(from.n != 0);
        if (s3_copy_source_parse(&a, s, &bucket, &key, &version))
                ASSERT(bucket.n != 0 && key.n != 0 && key.n <= S3_KEY_MAX);
        (void)s3_content_encoding(&a, s);
        (void)s3_bucket_name_ok(s);
        return 0;
}
