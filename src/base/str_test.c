/* Text: searching, numbers, sizes, durations, encodings; each with what must be refused. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/str.h"

static void test_compare(void **state)
{
        (void)state;
        assert_true(str_cmp(STR("a"), STR("b")) < 0);
        assert_true(str_cmp(STR("a"), STR("a/b")) < 0);
        assert_true(str_cmp(STR("\xff"), STR("a")) > 0);
        assert_int_equal(str_cmp(STR_NONE, STR("")), 0);
        assert_true(str_eq_nocase(STR("Content-LENGTH"), STR("content-length")));
        assert_false(str_eq_nocase(STR("[x"), STR("{x")));
        assert_true(str_starts(STR("abc"), STR("ab")) && !str_starts(STR("a"), STR("ab")));
        assert_true(str_ends(STR("a.tar"), STR(".tar")) && !str_ends(STR("ar"), STR(".tar")));
}

static void test_find(void **state)
{
        (void)state;
        assert_int_equal(str_find(STR("a=b"), '='), 1);
        assert_int_equal(str_find(STR_NONE, '='), -1);
        assert_int_equal(str_find_str(STR("xxab"), STR("ab")), 2);
        assert_int_equal(str_find_str(STR("a"), STR("ab")), -1);
        struct str rest = STR("a,b,,c");
        assert_true(str_eq(str_cut(&rest, ','), STR("a")));
        assert_true(str_eq(str_cut(&rest, ','), STR("b")));
        assert_true(str_eq(str_cut(&rest, ','), STR("")));
        assert_true(str_eq(str_cut(&rest, ','), STR("c")));
        assert_int_equal(rest.n, 0);
        assert_int_equal(str_cut(&rest, ',').n, 0);
        assert_true(str_eq(str_trim(STR(" \t x y\r\n")), STR("x y")));
        assert_int_equal(str_trim(STR("  ")).n, 0);
}

static void test_copies(void **state)
{
        (void)state;
        char small[4];
        assert_true(str_copy(small, sizeof(small), STR("abc")));
        assert_false(str_copy(small, sizeof(small), STR("abcd")));
        assert_string_equal(small, "abc");
        AUTO_FREE char *heap = str_dup(STR("xyz"));
        assert_string_equal(heap, "xyz");
        AUTO_ARENA struct arena a;
        arena_init(&a, 0, 8192);
        assert_string_equal(str_arena(&a, STR("in arena")).p, "in arena");
        assert_string_equal(str_printf(&a, "%d/%s", 5, "z").p, "5/z");
        assert_null(str_printf(&a, "%09000d", 5).p);
}

static void test_numbers(void **state)
{
        (void)state;
        uint64_t u = 7;
        int64_t i = 7;
        assert_true(str_u64(STR("18446744073709551615"), &u) && u == UINT64_MAX);
        assert_true(str_u64(STR("007"), &u) && u == 7);
        assert_false(str_u64(STR("18446744073709551616"), &u));
        assert_false(str_u64(STR(""), &u) || str_u64(STR("-1"), &u) || str_u64(STR(" 1"), &u) || str_u64(STR("1x"), &u));
        assert_true(str_i64(STR("-9223372036854775808"), &i) && i == INT64_MIN);
        assert_true(str_i64(STR("9223372036854775807"), &i) && i == INT64_MAX);
        assert_false(str_i64(STR("9223372036854775808"), &i));
        assert_false(str_i64(STR("-9223372036854775809"), &i) || str_i64(STR("-"), &i) || str_i64(STR("+1"), &i));
        assert_true(str_hex64(STR("ffFF"), &u) && u == 0xffff);
        assert_true(str_hex64(STR("ffffffffffffffff"), &u) && u == UINT64_MAX);
        assert_false(str_hex64(STR("10000000000000000"), &u) || str_hex64(STR("0x1"), &u) || str_hex64(STR(""), &u));
        char text[16];
        assert_string_equal(str_base36(0, text), "0");
        assert_string_equal(str_base36(35, text), "z");
        assert_string_equal(str_base36(UINT64_MAX, text), "3w5e11264sgsf");
}

static void test_bool(void **state)
{
        (void)state;
        static const char *const yes[] = { "true", "True", "1", "T", "y", "YES", "on" };
        static const char *const no[] = { "", "false", "False", "0", "f", "n", "no", "OFF" };
        bool b;
        for (size_t i = 0; i < ARRAY_LEN(yes); i++)
                assert_true(str_bool(str_of(yes[i]), &b) && b);
        for (size_t i = 0; i < ARRAY_LEN(no); i++)
                assert_true(str_bool(str_of(no[i]), &b) && !b);
        assert_false(str_bool(STR("maybe"), &b) || str_bool(STR("2"), &b));
}

static void test_size(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                uint64_t bytes;
        } good[] = {
                { "0", 0 },          { "0B", 0 },          { "123", 123 },
                { "5k", 5120 },      { "64MiB", 64 << 20 }, { "10MB", 10 << 20 },
                { "1gib", 1 << 30 }, { "1TiB", 1ull << 40 }, { "1.5KiB", 1536 },
                { " 2 kb ", 2048 },  { "15EiB", 15ull << 60 }, { "18446744073709551615", UINT64_MAX },
                { ".5k", 512 },      { "0.25m", 1 << 18 },
        };
        static const char *const bad[] = { "",     "k",    "-1",   "1x",   "1kk",  "1KiBs", "16EiB", "1 2",
                                           "1.2.3", ".",   "+1",   "0x10", "MiB",  "1bi",   "18446744073709551616" };
        uint64_t v = 42;
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                if (!str_size(str_of(good[i].text), &v) || v != good[i].bytes)
                        fail_msg("%s gave %" PRIu64, good[i].text, v);
        }
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                v = 42;
                if (str_size(str_of(bad[i]), &v) || v != 42)
                        fail_msg("%s was taken", bad[i]);
        }
        char text[32];
        assert_string_equal(str_size_text(0, text), "0B");
        assert_string_equal(str_size_text(1023, text), "1023B");
        assert_string_equal(str_size_text(64 << 20, text), "64MiB");
        assert_string_equal(str_size_text(1ull << 40, text), "1TiB");
        assert_string_equal(str_size_text(1536, text), "1.5KiB");
        assert_string_equal(str_size_text((1 << 20) + (1 << 16), text), "1.06MiB");
        assert_string_equal(str_size_text(UINT64_MAX, text), "15.99EiB");
}

static void test_duration(void **state)
{
        (void)state;
        const int64_t s = 1000000000;
        const struct {
                const char *text;
                int64_t ns;
        } good[] = {
                { "0", 0 },           { "10s", 10 * s },           { "2h0m", 7200 * s },     { "100ms", s / 10 },
                { "1h30m", 5400 * s }, { "1.5s", s + s / 2 },       { "-2m", -120 * s },      { "3us", 3000 },
                { "3\xc2\xb5s", 3000 }, { "1h2m3.004s", 3723 * s + 4000000 }, { "7ns", 7 },   { "+1s", s },
        };
        static const char *const bad[] = { "", "10", "s", "1x", "1s2", "1 s", "-", "9999999h", "1..5s", "--1s" };
        int64_t v = 42;
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                if (!str_duration(str_of(good[i].text), &v) || v != good[i].ns)
                        fail_msg("%s gave %" PRId64, good[i].text, v);
        }
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                v = 42;
                if (str_duration(str_of(bad[i]), &v) || v != 42)
                        fail_msg("%s was taken", bad[i]);
        }
        const struct {
                int64_t ns;
                const char *text;
        } texts[] = {
                { 0, "0s" },           { 7200 * s, "2h0m" },  { 10 * s, "10s" },        { s / 10, "100ms" },
                { 60 * s, "1m" },      { 90 * s, "1m30s" },   { s + s / 2, "1.5s" },    { -120 * s, "-2m" },
                { 7, "7ns" },          { 1500, "1.5\xc2\xb5s" }, { 3723 * s, "1h2m3s" }, { 300 * s, "5m" },
        };
        char text[32];
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                assert_string_equal(str_duration_text(texts[i].ns, text), texts[i].text);
        assert_string_equal(str_duration_text(INT64_MIN, text), "-2562047h47m16.854775808s");
}

static void test_percent(void **state)
{
        (void)state;
        AUTO_ARENA struct arena a;
        arena_init(&a, 0, 0);
        struct str out;
        assert_null(str_percent_decode(&a, STR("a%20b%2Fc+d"), false, &out));
        assert_true(str_eq(out, STR("a b/c+d")));
        assert_null(str_percent_decode(&a, STR("a+b%2b"), true, &out));
        assert_true(str_eq(out, STR("a b+")));
        assert_null(str_percent_decode(&a, STR("%00"), true, &out));
        assert_true(str_eq(out, STR("\0")));
        static const char *const bad[] = { "%", "%1", "a%g0", "%0g", "%%41", "abc%4" };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO_ERR struct err *e = str_percent_decode(&a, str_of(bad[i]), false, &out);
                assert_int_equal(err_code(e), ERR_MALFORMED);
        }
        assert_string_equal(str_percent_encode(&a, STR("a b/\xc3\xa9~"), true).p, "a%20b/%C3%A9~");
        assert_string_equal(str_percent_encode(&a, STR("a/b"), false).p, "a%2Fb");
}

static void test_hex_base64(void **state)
{
        (void)state;
        static const char *const plain[] = { "", "f", "fo", "foo", "foob", "fooba", "foobar" };
        static const char *const coded[] = { "", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy" };
        AUTO_ARENA struct arena a;
        arena_init(&a, 0, 0);
        struct str out;
        for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
                assert_string_equal(str_base64(&a, plain[i], strlen(plain[i])).p, coded[i]);
                assert_null(str_base64_decode(&a, str_of(coded[i]), &out));
                assert_string_equal(out.p, plain[i]);
        }
        assert_null(str_base64_decode(&a, STR("Zm8"), &out));
        assert_string_equal(out.p, "fo");
        assert_string_equal(str_base64url(&a, "\xff\xef", 2).p, "_-8");
        assert_string_equal(str_base64url(&a, "f", 1).p, "Zg");
        assert_int_equal(str_base64url(&a, "", 0).n, 0);
        assert_null(str_base64_decode(&a, STR("_-8"), &out));
        assert_memory_equal(out.p, "\xff\xef", 2);
        static const char *const bad[] = { "Z", "Zm9v=", "Zm9=v", "Zm 9", "=", "====", "Zh==" };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO_ERR struct err *e = str_base64_decode(&a, str_of(bad[i]), &out);
                assert_int_equal(err_code(e), ERR_MALFORMED);
        }
        char hex[7];
        unsigned char bin[3];
        str_to_hex("\x00\xab\x7f", 3, hex);
        assert_string_equal(hex, "00ab7f");
        assert_true(str_from_hex(STR("00AB7f"), bin, 3));
        assert_memory_equal(bin, "\x00\xab\x7f", 3);
        assert_false(str_from_hex(STR("00ab7"), bin, 3) || str_from_hex(STR("00ab7g"), bin, 3));
}

static void test_utf8(void **state)
{
        (void)state;
        static const char *const good[] = { "", "abc", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf" };
        static const char *const bad[] = { "\x80",         "\xc0\xaf",         "\xe0\x80\xaf", "\xed\xa0\x80",
                                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xc3",         "a\xe2\x82", "\xc3(" };
        for (size_t i = 0; i < ARRAY_LEN(good); i++)
                assert_true(str_is_utf8(str_of(good[i])));
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_false(str_is_utf8(str_of(bad[i])));
}

static void test_glob(void **state)
{
        (void)state;
        assert_true(str_glob(STR("*.tar"), STR("x.tar")));
        assert_true(str_glob(STR("a*b*c"), STR("aXbYbZc")));
        assert_true(str_glob(STR("a?c"), STR("abc")));
        assert_true(str_glob(STR("*"), STR("")) && str_glob(STR(""), STR("")));
        assert_false(str_glob(STR("a?c"), STR("ac")) || str_glob(STR("a*b"), STR("abc")) || str_glob(STR(""), STR("a")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_compare), cmocka_unit_test(test_find),       cmocka_unit_test(test_copies),
                cmocka_unit_test(test_numbers), cmocka_unit_test(test_bool),       cmocka_unit_test(test_size),
                cmocka_unit_test(test_duration), cmocka_unit_test(test_percent),   cmocka_unit_test(test_hex_base64),
                cmocka_unit_test(test_utf8),    cmocka_unit_test(test_glob),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
