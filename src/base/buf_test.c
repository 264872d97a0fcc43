/* Buffers, their reader, and arenas: growth, limits, round trips, ceilings. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buf.h"

static void check_text(struct buf *b, const char *want)
{
        assert_string_equal(buf_cstr(b), want);
        buf_clear(b);
}

static void test_append(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        assert_string_equal(buf_cstr(&b), "");
        buf_adds(&b, STR("ab"));
        buf_addc(&b, 'c');
        buf_printf(&b, "-%d-%s", 42, "x");
        check_text(&b, "abc-42-x");
        for (int i = 0; i < 5000; i++)
                buf_addc(&b, (char)('a' + i % 26));
        assert_int_equal(b.n, 5000);
        assert_int_equal(b.p[4999], 'a' + 4999 % 26);
        buf_printf(&b, "%0600d", 1);
        assert_int_equal(b.n, 5600);
        assert_int_equal(b.p[5599], '1');
        assert_null(buf_err(&b));
}

static void test_numbers(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        static const uint64_t values[] = { 0, 9, 10, 99, 100, 101, 999, 1000, 123456789, UINT32_MAX, UINT64_MAX };
        for (size_t i = 0; i < ARRAY_LEN(values); i++) {
                char want[32];
                snprintf(want, sizeof(want), "%" PRIu64, values[i]);
                buf_addu(&b, values[i]);
                check_text(&b, want);
        }
        buf_addi(&b, INT64_MIN);
        check_text(&b, "-9223372036854775808");
        buf_addi(&b, -1);
        check_text(&b, "-1");
        buf_addi(&b, INT64_MAX);
        check_text(&b, "9223372036854775807");
}

static void test_limit(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        b.limit = 10;
        for (int i = 0; i < 10; i++)
                buf_addc(&b, 'x');
        assert_null(buf_err(&b));
        assert_string_equal(buf_cstr(&b), "xxxxxxxxxx");
        buf_addc(&b, 'y');
        AUTO_ERR struct err *e = buf_err(&b);
        assert_int_equal(err_code(e), ERR_TOO_LARGE);
        assert_int_equal(b.n, 10);
        assert_null(buf_cstr(&b));
        buf_clear(&b);
        buf_add(&b, "12345678901", 11);
        assert_true(b.bad);
        buf_clear(&b);
        buf_printf(&b, "%d", 12345);
        assert_string_equal(buf_cstr(&b), "12345");
        assert_null(buf_reserve(&b, SIZE_MAX));
}

static void test_take(void **state)
{
        (void)state;
        struct buf b = BUF_INIT;
        buf_adds(&b, STR("hello"));
        size_t n;
        AUTO_FREE char *p = buf_take(&b, &n);
        assert_int_equal(n, 5);
        assert_memory_equal(p, "hello", 5);
        assert_null(b.p);
        assert_int_equal(b.n, 0);
}

static void test_round_trip(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        static const uint64_t values[] = { 0, 1, 127, 128, 16383, 16384, UINT32_MAX, INT64_MAX, UINT64_MAX };
        buf_addc(&b, (char)0xfe);
        buf_add_u16(&b, 0x1234);
        buf_add_u32(&b, 0xdeadbeef);
        buf_add_u64(&b, 0x0123456789abcdef);
        for (size_t i = 0; i < ARRAY_LEN(values); i++)
                buf_add_varint(&b, values[i]);
        buf_add_lstr(&b, STR("name"));
        buf_add_lstr(&b, STR_NONE);
        assert_memory_equal(b.p + 1, "\x34\x12\xef\xbe\xad\xde", 6);

        struct buf_reader r = buf_reader_of(buf_str(&b));
        assert_int_equal(buf_get_u8(&r), 0xfe);
        assert_int_equal(buf_get_u16(&r), 0x1234);
        assert_int_equal(buf_get_u32(&r), 0xdeadbeef);
        assert_true(buf_get_u64(&r) == 0x0123456789abcdef);
        for (size_t i = 0; i < ARRAY_LEN(values); i++)
                assert_true(buf_get_varint(&r) == values[i]);
        assert_true(str_eq(buf_get_lstr(&r), STR("name")));
        assert_int_equal(buf_get_lstr(&r).n, 0);
        assert_false(r.bad);
        assert_ptr_equal(r.p, r.end);
        assert_int_equal(buf_get_u8(&r), 0);
        assert_true(r.bad);
}

static void test_reader_bad(void **state)
{
        (void)state;
        struct buf_reader r = buf_reader_of(STR("\x05" "abc"));
        assert_null(buf_get_lstr(&r).p);
        assert_true(r.bad);
        r = buf_reader_of(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
        assert_int_equal(buf_get_varint(&r), 0);
        assert_true(r.bad);
        r = buf_reader_of(STR("\x80\x80"));
        assert_int_equal(buf_get_varint(&r), 0);
        assert_true(r.bad);
        r = buf_reader_of(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
        assert_int_equal(buf_get_lstr(&r).n, 0);
        assert_true(r.bad);
        r = buf_reader_of(STR_NONE);
        assert_int_equal(buf_get_u32(&r), 0);
        assert_true(r.bad);
}

static void test_arena(void **state)
{
        (void)state;
        AUTO_ARENA struct arena a;
        arena_init(&a, 64, 4096);
        char *first = arena_alloc(&a, 0);
        assert_non_null(first);
        for (size_t n = 1; n < 100; n += 7) {
                char *p = arena_zalloc(&a, n);
                assert_non_null(p);
                assert_int_equal((uintptr_t)p % 16, 0);
                assert_int_equal(p[n - 1], 0);
                memset(p, 'x', n);
        }
        assert_string_equal(arena_dup(&a, "abc", 3), "abc");
        assert_null(arena_alloc(&a, 5000));
        volatile size_t absurd = SIZE_MAX;
        assert_null(arena_alloc(&a, absurd));
        size_t total = 0;
        while (arena_alloc(&a, 100))
                total += 100;
        assert_true(total > 1500 && total < 4096);
        assert_true(a.used <= 4096);
        arena_reset(&a);
        assert_int_equal(a.used, 64);
        assert_ptr_equal(arena_alloc(&a, 1), first);
}

static void test_arena_large_first(void **state)
{
        (void)state;
        AUTO_ARENA struct arena a;
        arena_init(&a, 0, 0);
        assert_non_null(arena_alloc(&a, 1 << 20));
        arena_reset(&a);
        assert_int_equal(a.used, 0);
        assert_non_null(arena_alloc(&a, 8));
        assert_int_equal(a.used, 4096);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_append),     cmocka_unit_test(test_numbers),    cmocka_unit_test(test_limit),
                cmocka_unit_test(test_take),       cmocka_unit_test(test_round_trip), cmocka_unit_test(test_reader_bad),
                cmocka_unit_test(test_arena),      cmocka_unit_test(test_arena_large_first),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
