/* Templates: the three forms, their names in order, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meta/selection.h"

static void assert_names(const char *template, const char *joined)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct selection s;
        assert_null(selection_parse(str_of(template), &s));
        assert_int_equal(s.kind, SELECT_TEMPLATE);
        for (uint64_t i = 0; i < s.count; i++) {
                if (i)
                        buf_addc(&b, ' ');
                selection_name(&s, i, &b);
        }
        assert_string_equal(buf_cstr(&b), joined);
}

static void test_forms(void **state)
{
        (void)state;
        assert_names("p-{0001..0010..3}-s", "p-0001-s p-0004-s p-0007-s p-0010-s");
        assert_names("{1..3}", "1 2 3");
        assert_names("a{8..11}", "a8 a9 a10 a11");
        assert_names("a{08..11}", "a08 a09 a10 a11");
        assert_names("a{8..011}", "a8 a9 a10 a11"); /* the narrower of the two widths */
        assert_names("x{0..1}-{00..20..10}y", "x0-00y x0-10y x0-20y x1-00y x1-10y x1-20y");
        assert_names("p-@003-s", "p-000-s p-001-s p-002-s p-003-s");
        assert_names("@1@1", "00 01 10 11");
        assert_names("f-%01d", "f-0 f-1 f-2 f-3 f-4 f-5 f-6 f-7 f-8 f-9");
        struct selection s;
        assert_null(selection_parse(STR("f-%06d.tar"), &s));
        assert_int_equal(s.count, 1000000);
}

static void test_prefix_and_all(void **state)
{
        (void)state;
        struct selection s;
        assert_null(selection_parse(STR(""), &s));
        assert_int_equal(s.kind, SELECT_ALL);
        assert_null(selection_parse(STR("*"), &s));
        assert_int_equal(s.kind, SELECT_ALL);
        static const struct {
                const char *in, *out;
        } prefix[] = {
                { "abc", "abc" }, { "abc*", "abc" }, { "a}b", "a}b" }, { "a{b", "a{b" }, { "50%-60%", "50%-60%" }
        };
        for (size_t i = 0; i < ARRAY_LEN(prefix); i++) {
                assert_null(selection_parse(str_of(prefix[i].in), &s));
                assert_int_equal(s.kind, SELECT_PREFIX);
                assert_true(str_eq(s.prefix, str_of(prefix[i].out)));
        }
}

static void test_refused(void **state)
{
        (void)state;
        static const char *const bad[] = {
                "a{1..}",
                "a{..2}",
                "a{2..1}",
                "a{1..2..0}",
                "a{1..2..3..4}",
                "a{x..y}",
                "a{-1..2}",
                "}a{1..2",
                "a{}",
                "a{1..2}{",
                "a{0..99999999999999999999}",
                "a{0..10000000}",
                "a{0..9999}{0..9999}",
                "a@",
                "user@host",
                "a@20000000",
                "a%d",
                "a%6d",
                "a%x",
                "a%0d",
                "a%09d",
                "{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}{1..1}",
                "{0000000000000000000001..0000000000000000000002}",
        };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct selection s;
                struct err *e = selection_parse(str_of(bad[i]), &s);
                if (!e)
                        fail_msg("accepted: %s", bad[i]);
                assert_int_equal(err_code(e), ERR_INVALID);
                err_free(e);
        }
}

static void test_limit_is_reached(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        struct selection s;
        assert_null(selection_parse(STR("{0..9999999}"), &s));
        assert_int_equal(s.count, 10000000);
        selection_name(&s, s.count - 1, &b);
        assert_string_equal(buf_cstr(&b), "9999999");
        assert_null(selection_parse(STR("{0..18446744073709551615..18446744073709551615}"), &s));
        assert_int_equal(s.count, 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_forms),
                cmocka_unit_test(test_prefix_and_all),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_limit_is_reached),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
