/* Errors: messages, wrapping, codes from errno, the static ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"

static void test_new(void **state)
{
        (void)state;
        char text[64];
        AUTO_ERR struct err *e = err_new(ERR_INVALID, "n is %d", 7);
        assert_int_equal(e->code, ERR_INVALID);
        assert_string_equal(err_text(e, text, sizeof(text)), "n is 7");
        assert_int_equal(e->line, __LINE__ - 3);
}

static void test_errno(void **state)
{
        (void)state;
        static const struct {
                int errnum;
                enum err_code code;
        } rows[] = { { ENOENT, ERR_NOT_FOUND }, { ENOSPC, ERR_NO_SPACE }, { EDQUOT, ERR_NO_SPACE },
                     { ENOMEM, ERR_NO_MEMORY }, { EIO, ERR_IO },          { EACCES, ERR_IO } };
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO_ERR struct err *e = err_sys(rows[i].errnum, "open %s", "x");
                assert_int_equal(e->code, rows[i].code);
                assert_int_equal(e->sys, rows[i].errnum);
        }
        char text[80];
        AUTO_ERR struct err *e = err_sys(ENOENT, "open %s", "x");
        assert_string_equal(err_text(e, text, sizeof(text)), "open x: No such file or directory");
}

static struct err *fail_inner(void)
{
        return err_new(ERR_CORRUPT, "inner");
}

static struct err *fail_outer(void)
{
        TRY_WRAP(fail_inner(), "outer %d", 1);
        return NULL;
}

static void test_wrap(void **state)
{
        (void)state;
        char text[64];
        struct err *e = fail_outer();
        assert_int_equal(err_code(e), ERR_CORRUPT);
        assert_string_equal(err_text(e, text, sizeof(text)), "outer 1: inner");
        e = err_recode(e, ERR_IO, "top");
        assert_int_equal(err_code(e), ERR_IO);
        assert_string_equal(err_text(e, text, sizeof(text)), "top: outer 1: inner");
        char small[6];
        assert_string_equal(err_text(e, small, sizeof(small)), "top: ");
        err_free(e);
        assert_null(err_wrap(NULL, "nothing"));
}

static void test_static(void **state)
{
        (void)state;
        struct err *e = err_static(ERR_NOT_FOUND);
        assert_ptr_equal(e, err_static(ERR_NOT_FOUND));
        err_free(e);
        assert_int_equal(e->code, ERR_NOT_FOUND);
        err_free(err_wrap(e, "get x"));
        assert_int_equal(e->code, ERR_NOT_FOUND);
        assert_string_equal(e->msg, "does not exist");
}

static void test_table(void **state)
{
        (void)state;
        assert_string_equal(err_code_name(ERR_TIMEOUT), "TIMEOUT");
        assert_string_equal(err_code_text(ERR_TIMEOUT), "timed out");
        assert_true(err_code_retry(ERR_BUSY));
        assert_false(err_code_retry(ERR_CORRUPT));
        for (int c = 0; c < ERR_CODE_COUNT; c++)
                assert_true(err_code_name((enum err_code)c)[0] && err_code_text((enum err_code)c)[0]);
}

static void test_first(void **state)
{
        (void)state;
        struct err *a = err_new(ERR_IO, "a"), *b = err_new(ERR_INVALID, "b");
        assert_ptr_equal(err_first(a, b), a);
        assert_ptr_equal(err_first(NULL, a), a);
        assert_ptr_equal(err_first(a, NULL), a);
        err_free(a);
        assert_int_equal(err_code(NULL), ERR_NONE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_new),    cmocka_unit_test(test_errno), cmocka_unit_test(test_wrap),
                cmocka_unit_test(test_static), cmocka_unit_test(test_table), cmocka_unit_test(test_first),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
