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

#include "base/test_assert.h"

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
