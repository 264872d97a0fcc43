/* Bodies of uploads: every mode in every cut of the source, every promise broken in turn; and of a broken one the last
 * byte never comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "s3/body.h"

/* A source that gives at most `step` bytes at a time. */
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

static struct s3_sig_chain chain_of(void)
{
        struct s3_sig_chain c = { .date = "20130524T000000Z", .scope = "20130524/us-east-1/s3/aws4_request" };
        s3_sig_key(NULL, STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), STR("20130524"), STR("us-east-1"), &c.key);
        memset(c.previous, '7', S3_SIGNATURE_CHARS);
        return c;
}

/* Encodes as a client does; chunk sizes vary. */
static void encode(struct buf *out, enum s3_payload mode, struct str data, size_t chunk, struct str trailer)
{
        struct s3_sig_chain c = chain_of();
        bool is_signed = mode != S3_PAYLOAD_STREAM_UNSIGNED_TRAILER;
        unsigned char d[DIGEST_MAX];
        char sig[S3_SIGNATURE_CHARS + 1];
        for (bool end = false; !end;) {
                struct str one = { data.p, MIN(chunk, data.n) };
                data = str_skip(data, one.n);
                end = one.n == 0;
                buf_printf(out, "%zx", one.n);
                if (is_signed) {
                        digest_of(DIGEST_SHA256, one.p, one.n, d);
                        s3_sig_chain_chunk(&c, d, sig);
                        buf_printf(out, ";chunk-signature=%s", sig);
                }
                buf_adds(out, STR("\r\n"));
                buf_adds(out, one);
                if (!end)
                        buf_adds(out, STR("\r\n"));
        }
        if (trailer.n != 0) {
                buf_adds(out, trailer);
                buf_adds(out, STR("\r\n"));
        }
        if (mode == S3_PAYLOAD_STREAM_TRAILER) {
                struct digest t;
                digest_init(&t, DIGEST_SHA256);
                digest_update(&t, trailer.p, trailer.n);
                digest_update(&t, "\n", 1);
                (void)digest_final(&t, d);
                s3_sig_chain_trailer(&c, d, sig);
                buf_printf(out, "x-amz-trailer-signature:%s\r\n", sig);
        }
        buf_adds(out, STR("\r\n"));
}

/* Reads all, `ask` bytes at a time; returns our verdict. */
static enum s3_code decode(const struct s3_body_rules *rules, struct str in, size_t step, size_t ask, struct buf *out)
{
        static char p[100000];
        struct bytes s = { in, step };
        struct s3_body b;
        size_t n;
        s3_body_init(&b, rules, give, &s);
        buf_clear(out);
        for (;;) {
                struct err *e = s3_body_read(&b, p, ask, &n);
                if (e != NULL) {
                        err_free(e);
                        assert_int_not_equal(b.fault.code, S3_OK);
                        e = s3_body_read(&b, p, ask, &n); /* stays refused */
                        assert_non_null(e);
                        err_free(e);
                        return b.fault.code;
                }
                if (n == 0)
                        break;
                buf_add(out, p, n);
        }
        assert_ok(s3_body_read(&b, p, ask, &n));
        assert_int_equal(n, 0);
        return S3_OK;
}

static char content[70001];
static unsigned char content_crc[S3_CKSUM_MAX], content_sha[DIGEST_MAX], content_md5[DIGEST_MAX];
static char content_trailer[64];

static int setup(void **state)
{
        char text[S3_CKSUM_TEXT_MAX];
        (void)state;
        for (size_t i = 0; i < sizeof(content); i++)
                content[i] = (char)(i * 31 + i / 255);
        struct s3_cksum_ctx c;
        s3_cksum_init(&c, S3_CKSUM_CRC32);
        s3_cksum_update(&c, content, sizeof(content));
        s3_cksum_final(&c, content_crc);
        digest_of(DIGEST_SHA256, content, sizeof(content), content_sha);
        digest_of(DIGEST_MD5, content, sizeof(content), content_md5);
        snprintf(content_trailer, sizeof(content_trailer), "x-amz-checksum-crc32:%s",
                 s3_cksum_text(S3_CKSUM_CRC32, content_crc, text));
        return 0;
}

static struct s3_body_rules rules_of(enum s3_payload mode)
{
        struct s3_body_rules r = { .payload = mode, .chain = chain_of(), .length = sizeof(content) };
        memcpy(r.sha256, content_sha, 32);
        memcpy(r.cksum_value, content_crc, 4);
        if (mode == S3_PAYLOAD_STREAM_TRAILER || mode == S3_PAYLOAD_STREAM_UNSIGNED_TRAILER) {
                r.cksum = S3_CKSUM_CRC32;
                r.cksum_trails = true;
        }
        return r;
}

static void make(struct buf *in, enum s3_payload mode, size_t chunk)
{
        struct str all = { content, sizeof(content) };
        buf_clear(in);
        if (mode == S3_PAYLOAD_UNSIGNED || mode == S3_PAYLOAD_SHA256)
                buf_adds(in, all);
        else
                encode(in, mode, all, chunk, mode == S3_PAYLOAD_STREAM ? STR_NONE : str_of(content_trailer));
}

static void test_good(void **state)
{
        static const size_t chunks[] = { 1000, 8192, 65536, 70001 }, steps[] = { 1, 7, 4096, 100000 },
                            asks[] = { 1, 2, 513, 65536 };
        (void)state;
        AUTO_BUF struct buf in = BUF_INIT;
        AUTO_BUF struct buf out = BUF_INIT;
        for (unsigned mode = 0; mode <= S3_PAYLOAD_STREAM_UNSIGNED_TRAILER; mode++) {
                struct s3_body_rules r = rules_of((enum s3_payload)mode);
                for (size_t c = 0; c < ARRAY_LEN(chunks); c++) {
                        make(&in, r.payload, chunks[c]);
                        for (size_t s = 0; s < ARRAY_LEN(steps); s++) {
                                for (size_t k = c % 2; k < ARRAY_LEN(asks); k += 2) {
                                        assert_int_equal(decode(&r, buf_str(&in), steps[s], asks[k], &out), S3_OK);
                                        assert_int_equal(out.n, sizeof(content));
                                        assert_memory_equal(out.p, content, sizeof(content));
                                }
                        }
                }
        }
}

static void test_empty(void **state)
{
        (void)state;
        AUTO_BUF struct buf in = BUF_INIT;
        AUTO_BUF struct buf out = BUF_INIT;
        struct s3_body_rules r = rules_of(S3_PAYLOAD_STREAM);
        r.length = 0;
        encode(&in, r.payload, STR(""), 10, STR_NONE);
        assert_int_equal(decode(&r, buf_str(&in), 5, 100, &out), S3_OK);
        assert_int_equal(out.n, 0);
        r = (struct s3_body_rules){ .payload = S3_PAYLOAD_UNSIGNED };
        assert_int_equal(decode(&r, STR(""), 5, 100, &out), S3_OK);
        digest_of(DIGEST_SHA256, "", 0, r.sha256);
        r.payload = S3_PAYLOAD_SHA256;
        assert_int_equal(decode(&r, STR(""), 5, 100, &out), S3_OK);
        r.sha256[0] ^= 1;
        assert_int_equal(decode(&r, STR(""), 5, 100, &out), S3_SHA256_MISMATCH);
}

/* Each bit of each byte, in steps: what is accepted must be the same content. */
static void test_flips(void **state)
{
        (void)state;
        AUTO_BUF struct buf in = BUF_INIT;
        AUTO_BUF struct buf out = BUF_INIT;
        for (unsigned mode = S3_PAYLOAD_SHA256; mode <= S3_PAYLOAD_STREAM_UNSIGNED_TRAILER; mode++) {
                struct s3_body_rules r = rules_of((enum s3_payload)mode);
                make(&in, r.payload, 65536);
                for (size_t i = 0; i < in.n; i += i < 200 || i > in.n - 400 || (i > 65500 && i < 65800) ? 1 : 997) {
                        in.p[i] ^= (char)(1 << i % 8);
                        enum s3_code c = decode(&r, buf_str(&in), 4096, 8192, &out);
                        if (c == S3_OK)
                                assert_memory_equal(out.p, content, sizeof(content));
                        else
                                assert_true(out.n < sizeof(content));
                        in.p[i] ^= (char)(1 << i % 8);
                }
                for (size_t n = 0; n<in.n; n += n + 300> in.n ? 1 : 1009) { /* cut short */
                        enum s3_code c = decode(&r, (struct str){ in.p, n }, 4096, 8192, &out);
                        if (c != S3_OK)
                                assert_true(out.n < sizeof(content));
                        else
                                assert_true(mode != S3_PAYLOAD_SHA256 &&
                                            n + 4 >= in.n); /* the last empty line may lack */
                }
        }
}

static void test_promises(void **state)
{
        (void)state;
        AUTO_BUF struct buf in = BUF_INIT;
        AUTO_BUF struct buf out = BUF_INIT;
        struct s3_body_rules r = rules_of(S3_PAYLOAD_UNSIGNED);
        make(&in, r.payload, 0);
        r.has_md5 = true;
        memcpy(r.md5, content_md5, 16);
        r.cksum = S3_CKSUM_CRC32;
        r.cksum_known = true;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_OK);
        r.md5[15] ^= 1;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_BAD_DIGEST);
        assert_int_equal(out.n, sizeof(content) - 1);
        r.md5[15] ^= 1;
        r.cksum_value[0] ^= 1;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_BAD_DIGEST);
        r.cksum_value[0] ^= 1;
        r.length++;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_INCOMPLETE_BODY);
        r.length -= 2;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_INCOMPLETE_BODY);

        r = rules_of(S3_PAYLOAD_STREAM);
        make(&in, r.payload, 8192);
        r.chain.previous[0] = '8';
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_SIGNATURE_DOES_NOT_MATCH);
        r = rules_of(S3_PAYLOAD_STREAM);
        r.length--;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_INCOMPLETE_BODY);
        r.length += 2;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_INCOMPLETE_BODY);
        r.length--;
        buf_adds(&in, STR("x"));
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_INVALID_REQUEST);
        /* An unsigned body does not pass for a signed one, nor a signed one without its trailer. */
        make(&in, S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, 8192);
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_SIGNATURE_DOES_NOT_MATCH);
        r = rules_of(S3_PAYLOAD_STREAM_TRAILER);
        make(&in, S3_PAYLOAD_STREAM, 8192);
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_MALFORMED_TRAILER);
        r.cksum_trails = false;
        r.cksum = S3_CKSUM_NONE;
        assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_SIGNATURE_DOES_NOT_MATCH);
}

static void test_framing(void **state)
{
        static const struct {
                const char *in;
                enum s3_code want;
        } cases[] = {
                { "3\r\nabc\r\n0\r\n\r\n", S3_OK },
                { "1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", S3_OK },
                { "3\r\nabc\r\n0\r\n", S3_OK },
                { "3\r\nabc\r\n0\r\n\r\n\r\n", S3_OK },
                { "3\r\nabc\r\n", S3_INCOMPLETE_BODY },
                { "3\r\nab", S3_INCOMPLETE_BODY },
                { "3\nabc\r\n0\r\n\r\n", S3_INVALID_REQUEST },
                { "3\r\nabcd\r\n0\r\n\r\n", S3_INVALID_REQUEST },
                { "x\r\nabc\r\n0\r\n\r\n", S3_INVALID_REQUEST },
                { "-3\r\nabc\r\n0\r\n\r\n", S3_INVALID_REQUEST },
                { "4\r\nabcd\r\n0\r\n\r\n", S3_INCOMPLETE_BODY },
                { "ffffffffffffffff\r\nabc\r\n0\r\n\r\n", S3_INCOMPLETE_BODY },
                { "10000000000000003\r\nabc\r\n0\r\n\r\n", S3_INVALID_REQUEST },
                { "3;chunk-signature=00\r\nabc\r\n0\r\n\r\n", S3_INVALID_REQUEST },
                { "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", S3_MALFORMED_TRAILER },
                { "3\r\nabc\r\n0\r\n\r\n3\r\nabc\r\n", S3_INVALID_REQUEST },
        };
        (void)state;
        AUTO_BUF struct buf out = BUF_INIT;
        struct s3_body_rules r = { .payload = S3_PAYLOAD_STREAM_UNSIGNED_TRAILER, .length = 3 };
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                for (size_t step = 1; step < 40; step += 6) {
                        enum s3_code c = decode(&r, str_of(cases[i].in), step, 1 + step, &out);
                        if (c != cases[i].want)
                                fail_msg("case %zu, step %zu: %s", i, step, s3_code_name(c));
                        assert_true((c == S3_OK) == (out.n == 3));
                }
        }
        AUTO_BUF struct buf in = BUF_INIT;
        for (unsigned i = 0; i < 2000; i++)
                buf_addc(&in, '0');
        assert_int_equal(decode(&r, buf_str(&in), 100, 100, &out), S3_INVALID_REQUEST);
}

/* Where nobody is asked who he is, signatures must be there but may be anything; what the content promises is checked
 * all the same. */
static void test_unproven(void **state)
{
        (void)state;
        AUTO_BUF struct buf in = BUF_INIT;
        AUTO_BUF struct buf out = BUF_INIT;
        for (unsigned mode = S3_PAYLOAD_STREAM; mode <= S3_PAYLOAD_STREAM_TRAILER; mode++) {
                struct s3_body_rules r = rules_of((enum s3_payload)mode);
                make(&in, r.payload, 8192);
                r.chain = (struct s3_sig_chain){ .date = "" };
                assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_SIGNATURE_DOES_NOT_MATCH);
                r.unproven = true;
                assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), S3_OK);
                assert_int_equal(out.n, sizeof(content));
                in.p[100] ^= 1; /* of the content */
                enum s3_code want = mode == S3_PAYLOAD_STREAM ? S3_OK : S3_BAD_DIGEST;
                assert_int_equal(decode(&r, buf_str(&in), 4096, 8192, &out), want);
        }
}

static void expect_rules(const struct s3_sig *sig, const struct http_header *h, unsigned n, enum s3_code want,
                         struct s3_body_rules *ret)
{
        struct s3_fault f;
        assert_int_equal(s3_body_rules_of(sig, h, n, 100, ret, &f), want);
}

static void test_rules(void **state)
{
        (void)state;
        struct s3_sig sig = { .payload = S3_PAYLOAD_UNSIGNED };
        struct s3_body_rules r;
        struct http_header h[] = { { STR("Content-MD5"), STR("1B2M2Y8AsgTpgAmY7PhCfg==") },
                                   { STR("X-Amz-Checksum-CRC32"), STR("y/Q5Jg==") },
                                   { STR("x-amz-sdk-checksum-algorithm"), STR("crc32") },
                                   { STR("x-amz-checksum-sha1"), STR("qZk+NkcGgWq6PiVxeFDCbJzQ2J0=") } };
        expect_rules(&sig, h, 3, S3_OK, &r);
        assert_true(r.has_md5 && r.cksum_known && r.cksum == S3_CKSUM_CRC32 && r.length == 100);
        expect_rules(&sig, h, 4, S3_INVALID_REQUEST, &r);
        h[2].value = STR("sha1");
        expect_rules(&sig, h, 3, S3_INVALID_REQUEST, &r);
        h[1].value = STR("y/Q5J");
        expect_rules(&sig, h, 2, S3_INVALID_REQUEST, &r);
        h[0].value = STR("");
        expect_rules(&sig, h, 1, S3_INVALID_DIGEST, &r);
        struct http_header t[] = { { STR("x-amz-decoded-content-length"), STR("42") },
                                   { STR("x-amz-trailer"), STR("x-amz-checksum-crc64nvme") } };
        expect_rules(&sig, t, 2, S3_INVALID_REQUEST, &r);
        sig.payload = S3_PAYLOAD_STREAM_UNSIGNED_TRAILER;
        expect_rules(&sig, t, 2, S3_OK, &r);
        assert_true(r.cksum_trails && r.cksum == S3_CKSUM_CRC64NVME && r.length == 42);
        expect_rules(&sig, t + 1, 1, S3_MISSING_CONTENT_LENGTH, &r);
        t[1].value = STR("x-amz-meta-x");
        expect_rules(&sig, t, 2, S3_INVALID_REQUEST, &r);
        AUTO_ARENA struct arena a;
        arena_init(&a, 256, 4096);
        assert_null(s3_content_encoding(&a, STR("aws-chunked")).p);
        assert_true(str_eq(s3_content_encoding(&a, STR("aws-chunked,gzip")), STR("gzip")));
        assert_true(str_eq(s3_content_encoding(&a, STR("br, AWS-Chunked , gzip")), STR("br,gzip")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),     cmocka_unit_test(test_empty),   cmocka_unit_test(test_flips),
                cmocka_unit_test(test_promises), cmocka_unit_test(test_framing), cmocka_unit_test(test_rules),
                cmocka_unit_test(test_unproven),
        };
        return cmocka_run_group_tests(tests, setup, NULL);
}
