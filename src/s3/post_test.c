/* Forms in every cut of the source, what is refused of them, and the policies that their makers signed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "s3/body.h"
#include "s3/post.h"

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

#define B "--XyZ\r\n"
#define FIELD(name, value) B "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n" value "\r\n"
#define FILE_HEAD                                                                                          \
        B "Content-Disposition: form-data; name=\"file\"; filename=\"C:\\dir\\a;b.txt\"\r\nContent-Type: " \
          "text/plain\r\n\r\n"
#define END "\r\n--XyZ--\r\n"
#define TYPE "multipart/form-data; boundary=XyZ"

static struct s3_form form;
static struct arena arena;

/* Reads a whole form by way of a body; the file's bytes into out. */
static enum s3_code read_form(const char *type, struct str in, size_t step, uint64_t min, uint64_t max, struct buf *out)
{
        struct bytes s = { in, step };
        struct s3_fault f = { .code = S3_OK };
        struct err *e;
        arena_reset(&arena);
        buf_clear(out);
        enum s3_code c = s3_form_begin(&form, &arena, str_of(type), give, &s, &f, &e);
        assert_null(e);
        if (c != S3_OK)
                return c;
        form.min = min;
        form.max = max;
        static struct s3_body b;
        struct s3_body_rules rules = { .payload = S3_PAYLOAD_UNSIGNED, .length = -1 };
        s3_body_init(&b, &rules, s3_form_read, &form);
        for (;;) {
                char p[100];
                size_t n;
                e = s3_body_read(&b, p, sizeof(p), &n);
                if (e != NULL) {
                        err_free(e);
                        assert_int_not_equal(form.fault.code, S3_OK);
                        return form.fault.code;
                }
                if (n == 0)
                        return S3_OK;
                buf_add(out, p, n);
        }
}

static void test_good(void **state)
{
        static const char content[] = "line\r\n--XyY\r\n-\r\n\r\n--Xy end\r";
        (void)state;
        AUTO_BUF struct buf in = BUF_INIT;
        AUTO_BUF struct buf out = BUF_INIT;
        buf_adds(&in,
                 STR(FIELD("kEy", "up/${filename}") FIELD("acl", "") FIELD("x-amz-meta-a", "two\r\nlines") FILE_HEAD));
        buf_adds(&in, str_of(content));
        buf_adds(&in, STR(END));
        for (size_t step = 1; step < in.n + 10; step += step < 40 ? 1 : 37) {
                assert_int_equal(read_form(TYPE, buf_str(&in), step, 0, UINT64_MAX, &out), S3_OK);
                assert_true(str_eq(buf_str(&out), str_of(content)));
                assert_int_equal(form.nfields, 3);
                assert_true(str_eq(s3_form_field(&form, "X-Amz-Meta-A"), STR("two\r\nlines")));
                assert_true(str_eq(s3_form_key(&form), STR("up/a;b.txt")));
                assert_true(str_eq(form.file_type, STR("text/plain")));
        }
        size_t n = sizeof(content) - 1;
        assert_int_equal(read_form("Multipart/Form-Data; charset=utf-8; boundary=\"XyZ\"", buf_str(&in), 9, n, n, &out),
                         S3_OK);
        assert_int_equal(read_form(TYPE, buf_str(&in), 9, n + 1, 100, &out), S3_ENTITY_TOO_SMALL);
        assert_true(out.n < n);
        assert_int_equal(read_form(TYPE, buf_str(&in), 9, 0, n - 1, &out), S3_ENTITY_TOO_LARGE);
        assert_true(out.n < n);
        assert_int_equal(read_form(TYPE, STR(FIELD("key", "k") FILE_HEAD END), 3, 0, 100, &out), S3_OK);
        assert_int_equal(out.n, 0);
}

static void test_refused(void **state)
{
        static const struct {
                const char *type, *in;
                enum s3_code want;
        } cases[] = {
                { "text/plain", FIELD("key", "k") FILE_HEAD "x" END, S3_PRECONDITION_FAILED },
                { "multipart/form-data", FIELD("key", "k") FILE_HEAD "x" END, S3_MALFORMED_POST },
                { TYPE, "", S3_MALFORMED_POST },
                { TYPE, "--Other\r\n", S3_MALFORMED_POST },
                { TYPE, B "Content-Disposition: form-data\r\n\r\nk\r\n", S3_MALFORMED_POST },
                { TYPE, B "Content-Disposition: form-data; name=\"key\"\r\n\r\nk", S3_MALFORMED_POST },
                { TYPE, FIELD("key", "k") "--XyZ--\r\n", S3_INVALID_ARGUMENT },
                { TYPE, FIELD("key", "k") FIELD("KEY", "l") FILE_HEAD "x" END, S3_INVALID_ARGUMENT },
                { TYPE, FIELD("key", "k") FILE_HEAD "x", S3_INCOMPLETE_BODY },
                { TYPE, FIELD("key", "k") FILE_HEAD "x\r\n--XyZ", S3_MALFORMED_POST },
                { TYPE, FIELD("key", "k") FILE_HEAD "x\r\n" FIELD("acl", "private") "--XyZ--\r\n", S3_MALFORMED_POST },
                { TYPE, FIELD("key", "k") FILE_HEAD "x" END "more", S3_MALFORMED_POST },
        };
        (void)state;
        AUTO_BUF struct buf out = BUF_INIT;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                for (size_t step = 1; step < 100; step += 13) {
                        enum s3_code c = read_form(cases[i].type, str_of(cases[i].in), step, 0, 100, &out);
                        if (c != cases[i].want)
                                fail_msg("case %zu: %s", i, s3_code_name(c));
                        assert_int_equal(out.n, 0);
                }
        }
        AUTO_BUF struct buf in = BUF_INIT;
        for (unsigned i = 0; i < 21; i++) {
                buf_printf(&in, B "Content-Disposition: form-data; name=\"f%u\"\r\n\r\n", i);
                for (unsigned k = 0; k < 1024; k++)
                        buf_addc(&in, 'x');
                buf_adds(&in, STR("\r\n"));
        }
        buf_adds(&in, STR(FILE_HEAD "x" END));
        assert_int_equal(read_form(TYPE, buf_str(&in), 4096, 0, 100, &out), S3_MAX_MESSAGE_LENGTH);
}

#define POLICY(conditions) "{\"expiration\":\"2030-01-01T12:00:00.000Z\",\"conditions\":[" conditions "]}"
#define BUCKET "{\"bucket\":\"b\"}"

static void test_policy(void **state)
{
        static const struct {
                const char *policy;
                enum s3_code want;
        } cases[] = {
                { POLICY(BUCKET ",[\"starts-with\",\"$key\",\"user/"
                                "\"],{\"acl\":\"private\"},[\"content-length-range\",1,\"10\"]"),
                  S3_OK },
                { POLICY("{\"bUcKeT\":\"b\"},[\"StArTs-WiTh\",\"$KeY\",\"\"],[\"eq\",\"$AcL\",\"private\"]"), S3_OK },
                { POLICY(BUCKET ",[\"starts-with\",\"$key\",\"other/\"],{\"acl\":\"private\"}"), S3_ACCESS_DENIED },
                { POLICY(BUCKET ",[\"starts-with\",\"$key\",\"\"],{\"acl\":\"Private\"}"), S3_ACCESS_DENIED },
                { POLICY(BUCKET ",[\"starts-with\",\"$key\",\"\"]"), S3_ACCESS_DENIED }, /* acl is not named */
                { POLICY("[\"starts-with\",\"$key\",\"\"],{\"acl\":\"private\"}"),
                  S3_ACCESS_DENIED }, /* nor is the bucket */
                { POLICY("{\"bucket\":\"c\"},[\"starts-with\",\"$key\",\"\"],{\"acl\":\"private\"}"),
                  S3_ACCESS_DENIED },
                { POLICY(BUCKET ",[\"starts-with\",\"$key\",\"\"],{\"acl\":\"private\"},[\"starts-with\",\"$x-amz-meta-"
                                "foo\",\"bar\"]"),
                  S3_ACCESS_DENIED },
                { POLICY(BUCKET ",[\"starts-with\",\"$key\",\"\"],{\"acl\":\"private\"},[\"content-length-range\",0]"),
                  S3_INVALID_POLICY_DOCUMENT },
                { POLICY(BUCKET
                         ",[\"starts-with\",\"$key\",\"\"],{\"acl\":\"private\"},[\"content-length-range\",-1,0]"),
                  S3_INVALID_POLICY_DOCUMENT },
                { POLICY(BUCKET ",[\"ends-with\",\"$key\",\"\"],{\"acl\":\"private\"}"), S3_INVALID_POLICY_DOCUMENT },
                { POLICY(""), S3_INVALID_POLICY_DOCUMENT },
                { "{\"expiration\":\"2030-01-01T12:00:00.000Z\"}", S3_INVALID_POLICY_DOCUMENT },
                { "{\"expiration\":\"2030-01-01T12:00:00.000Z\",\"CONDITIONS\":[" BUCKET "]}",
                  S3_INVALID_POLICY_DOCUMENT },
                { "{\"EXPIRATION\":\"2030-01-01T12:00:00.000Z\",\"conditions\":[" BUCKET "]}",
                  S3_INVALID_POLICY_DOCUMENT },
                { "{\"expiration\":\"2030-01-01 12:00:00\",\"conditions\":[" BUCKET "]}", S3_INVALID_POLICY_DOCUMENT },
                { "{\"expiration\":\"2020-01-01T12:00:00.000Z\",\"conditions\":[" BUCKET "]}", S3_ACCESS_DENIED },
                { "", S3_INVALID_POLICY_DOCUMENT },
        };
        (void)state;
        AUTO_BUF struct buf out = BUF_INIT;
        assert_int_equal(read_form(TYPE,
                                   STR(FIELD("key", "user/k") FIELD("acl", "private") FIELD("policy", "p") FIELD(
                                           "X-Amz-Signature", "s") FIELD("x-ignore-me", "1") FILE_HEAD "x" END),
                                   99, 0, 9, &out),
                         S3_OK);
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct s3_post_limits l = { 7, 7 };
                struct s3_fault f;
                enum s3_code c = s3_post_policy(str_of(cases[i].policy), &form, STR("b"),
                                                INT64_C(1700000000) * 1000000000, &l, &f);
                if (c != cases[i].want)
                        fail_msg("case %zu: %s %s", i, s3_code_name(c), f.text);
                if (i == 0)
                        assert_true(l.min == 1 && l.max == 10);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_refused),
                                            cmocka_unit_test(test_policy) };
        arena_init(&arena, 4096, 1 << 20);
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        arena_fini(&arena);
        return r;
}
