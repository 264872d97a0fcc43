/* CORS and lifecycle documents: any text; what passes reads back from what is written, and is judged without surprise.
 */
#include "s3/cors.h"
#include "s3/lifecycle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        AUTO_ARENA struct arena a;
        struct s3_fault f;
        struct s3_cors cors;
        struct s3_life life, again;
        arena_init(&a, 4096, (size_t)4 << 20);
        struct str s = { (const char *)data, n };
        AUTO_BUF struct buf b = BUF_INIT;
        if (s3_cors_read(&a, s, &cors, &f) == S3_OK)
                (void)!s3_cors_preflight(&cors, STR("http://a.b"), STR("GET"), STR("x-amz-a,b"), &b, &f);
        buf_clear(&b);
        if (s3_life_read(&a, s, &life, &f) != S3_OK)
                return 0;
        s3_life_write(&b, &life);
        ASSERT(s3_life_read(&a, buf_str(&b), &again, &f) != S3_OK || again.n == life.n);
        struct s3_life_object o = { .key = STR("a/b"),
                                    .modified_ns = 1,
                                    .size = 100,
                                    .latest = (n & 1) != 0,
                                    .marker = (n & 2) != 0,
                                    .alone = (n & 4) != 0 };
        enum s3_life_action act = s3_life_judge(&life, &o, INT64_MAX, S3_LIFE_DAY_NS, NULL);
        ASSERT(act != S3_LIFE_EXPIRE || (o.latest && !o.marker));
        ASSERT(act != S3_LIFE_DELETE_VERSION || !o.latest);
        return 0;
}
