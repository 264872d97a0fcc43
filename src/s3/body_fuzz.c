/* Chunked bodies: the first byte chooses mode and steps. What is decoded is never longer than announced, and a signed
 * body never passes. */
#include "s3/body.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bytes {
        struct str rest;
        size_t step;
};

static struct err *give(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct bytes *s = arg;
        n = MIN(MIN(n, s->step), s->rest.n);
        if (n != 0)
                memcpy(p, s->rest.p, n);
        s->rest = str_skip(s->rest, n);
        *ret_n = n;
        return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const enum s3_payload modes[] = { S3_PAYLOAD_STREAM, S3_PAYLOAD_STREAM_TRAILER,
                                                 S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, S3_PAYLOAD_SHA256 };
        char p[256];
        if (n < 2)
                return 0;
        struct s3_body_rules r = { .payload = modes[data[0] & 3], .length = data[0] & 4 ? -1 : data[1] };
        r.cksum = data[0] & 8 ? S3_CKSUM_CRC32 : S3_CKSUM_NONE;
        r.cksum_trails = r.cksum != S3_CKSUM_NONE && r.payload != S3_PAYLOAD_STREAM && r.payload != S3_PAYLOAD_SHA256;
        struct bytes s = { { (const char *)data + 2, n - 2 }, 1u + (data[0] >> 4) * 3u };
        struct s3_body b;
        uint64_t total = 0;
        s3_body_init(&b, &r, give, &s);
        for (;;) {
                size_t k, ask = 1u + data[1] % sizeof(p);
                struct err *e = s3_body_read(&b, p, ask, &k);
                if (e != NULL) {
                        err_free(e);
                        ASSERT(r.length < 0 || total < (uint64_t)r.length || r.length == 0);
                        return 0;
                }
                ASSERT(k <= ask);
                if (k == 0)
                        break;
                total += k;
        }
        ASSERT(r.length < 0 || total == (uint64_t)r.length);
        ASSERT(r.payload != S3_PAYLOAD_STREAM && r.payload != S3_PAYLOAD_STREAM_TRAILER);
        return 0;
}
