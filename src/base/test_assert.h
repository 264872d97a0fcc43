/* base/test_assert.h: what tests of functions that return an error ask. For tests alone; after cmocka.h. */
#ifndef ORLOP_BASE_TEST_ASSERT_H
#define ORLOP_BASE_TEST_ASSERT_H

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

#endif
