/* os/test_util.h: what the tests of os share. */
#ifndef ORLOP_OS_TEST_UTIL_H
#define ORLOP_OS_TEST_UTIL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"

/* Fails the test with the error's text. */
#define assert_ok(expr)                                                                                                \
        do {                                                                                                           \
                struct err *ok_err_ = (expr);                                                                          \
                char ok_text_[512];                                                                                    \
                if (ok_err_)                                                                                           \
                        fail_msg("%s: %s", #expr, err_text(ok_err_, ok_text_, sizeof(ok_text_)));                      \
        } while (0)
/* Fails the test unless expr returns an error of this code. */
#define assert_err(expr, want)                                                                                         \
        do {                                                                                                           \
                struct err *err_err_ = (expr);                                                                         \
                enum err_code err_code_ = err_code(err_err_);                                                          \
                err_free(err_err_);                                                                                    \
                assert_string_equal(err_code_name(err_code_), err_code_name(want));                                    \
        } while (0)

/* A fresh directory in *state; removed by test_dir_free. */
static inline int test_dir_new(void **state)
{
        const char *tmp = getenv("TMPDIR");
        char *path = NULL;

        if (asprintf(&path, "%s/orlop-os-XXXXXX", tmp ? tmp : "/tmp") < 0 || !mkdtemp(path))
                return -1;
        *state = path;
        return 0;
}

#endif
