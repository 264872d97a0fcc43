/* Checksums: published values, base64 both ways, and objects from parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "s3/cksum.h"

static const char *text_of(enum s3_cksum k, const void *p, size_t n, char buf[static S3_CKSUM_TEXT_MAX])
{
        struct s3_cksum_ctx c;
        unsigned char v[S3_CKSUM_MAX];
        s3_cksum_init(&c, k);
        s3_cksum_update(&c, p, n / 2);
        s3_cksum_update(&c, (const char *)p + n / 2, n - n / 2);
        s3_cksum_final(&c, v);
        return s3_cksum_text(k, v, buf);
}

static void test_values(void **state)
{
        char b[S3_CKSUM_TEXT_MAX];
        (void)state;
        assert_string_equal(text_of(S3_CKSUM_CRC32, "123456789", 9, b), "y/Q5Jg==");
        assert_string_equal(text_of(S3_CKSUM_CRC32C, "123456789", 9, b), "4waSgw==");
        assert_string_equal(text_of(S3_CKSUM_CRC64NVME, "123456789", 9, b), "rosUhgp5mIg=");
        assert_string_equal(text_of(S3_CKSUM_SHA1, "abc", 3, b), "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=");
        assert_string_equal(text_of(S3_CKSUM_SHA256, "abc", 3, b), "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
        assert_string_equal(text_of(S3_CKSUM_MD5, "", 0, b), "1B2M2Y8AsgTpgAmY7PhCfg==");
        static char a[66560];
        memset(a, 'a', sizeof(a));
        assert_string_equal(text_of(S3_CKSUM_CRC32C, a, sizeof(a), b), "sOO8/Q=="); /* of the guide's trailer example */
}

static void test_parse(void **state)
{
        static const char *const bad[] = { "",         "y/Q5Jg",   "y/Q5Jg=",   "y/Q5Jg=g", "y/Q5Jh==",
                                           "y/Q5J===", "=/Q5Jg==", "y/Q5Jg== ", "y_Q5Jg==", "y/Q5JgAA" };
        unsigned char v[S3_CKSUM_MAX];
        enum s3_cksum k;
        (void)state;
        assert_true(s3_cksum_parse(S3_CKSUM_CRC32, STR("y/Q5Jg=="), v));
        assert_memory_equal(v, "\xcb\xf4\x39\x26", 4);
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_false(s3_cksum_parse(S3_CKSUM_CRC32, str_of(bad[i]), v));
        assert_true(s3_cksum_from_name(STR("crc64nvme"), &k) && k == S3_CKSUM_CRC64NVME);
        assert_false(s3_cksum_from_name(STR("MD5"), &k));
        assert_true(s3_cksum_from_header(STR("X-Amz-Checksum-Sha1"), &k) && k == S3_CKSUM_SHA1);
        assert_false(s3_cksum_from_header(STR("x-amz-checksum-type"), &k));
}

static void add_part(struct s3_cksum_parts *p, const char *at, size_t n)
{
        struct s3_cksum_ctx c;
        unsigned char v[S3_CKSUM_MAX];
        s3_cksum_init(&c, p->kind);
        s3_cksum_update(&c, at, n);
        s3_cksum_final(&c, v);
        s3_cksum_parts_add(p, v, n);
}

static void test_parts(void **state)
{
        static const enum s3_cksum full[] = { S3_CKSUM_CRC32, S3_CKSUM_CRC32C, S3_CKSUM_CRC64NVME };
        static char data[100000];
        char a[S3_CKSUM_TEXT_MAX], b[S3_CKSUM_TEXT_MAX];
        struct s3_cksum_parts p;
        (void)state;
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (char)(i * 7 + i / 251);
        for (size_t i = 0; i < ARRAY_LEN(full); i++) {
                s3_cksum_parts_init(&p, full[i], S3_CKSUM_FULL_OBJECT);
                add_part(&p, data, 70000);
                add_part(&p, data + 70000, 1);
                add_part(&p, data + 70001, 29999);
                assert_string_equal(s3_cksum_parts_text(&p, a), text_of(full[i], data, sizeof(data), b));
        }
        /* md5 of two md5s, as a client would compute it */
        struct s3_cksum_ctx c;
        unsigned char v[2][S3_CKSUM_MAX], sum[S3_CKSUM_MAX];
        char hex[33], want[40];
        for (unsigned i = 0; i < 2; i++) {
                s3_cksum_init(&c, S3_CKSUM_MD5);
                s3_cksum_update(&c, data + 50000 * i, 50000);
                s3_cksum_final(&c, v[i]);
        }
        s3_cksum_init(&c, S3_CKSUM_MD5);
        s3_cksum_update(&c, v[0], 16);
        s3_cksum_update(&c, v[1], 16);
        s3_cksum_final(&c, sum);
        str_to_hex(sum, 16, hex);
        snprintf(want, sizeof(want), "%s-2", hex);
        s3_cksum_parts_init(&p, S3_CKSUM_MD5, S3_CKSUM_COMPOSITE);
        add_part(&p, data, 50000);
        add_part(&p, data + 50000, 50000);
        assert_string_equal(s3_cksum_parts_text(&p, a), want);
        s3_cksum_parts_init(&p, S3_CKSUM_SHA256, S3_CKSUM_COMPOSITE);
        for (unsigned i = 0; i < S3_PARTS_MAX; i++)
                add_part(&p, data, 1);
        assert_true(str_ends(str_of(s3_cksum_parts_text(&p, a)), STR("=-10000")));
        assert_false(s3_cksum_type_possible(S3_CKSUM_SHA256, S3_CKSUM_FULL_OBJECT));
        assert_false(s3_cksum_type_possible(S3_CKSUM_CRC64NVME, S3_CKSUM_COMPOSITE));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_values), cmocka_unit_test(test_parse),
                                            cmocka_unit_test(test_parts) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
