/* Times in a client's layout. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/buckets.h"

#define MOMENT INT64_C(1795414541735450000) /* Mon 2026-11-23 06:15:41.73545 UTC */

static void check(const char *layout, int64_t ns, const char *want)
{
        AUTO_BUF struct buf b = BUF_INIT;

        api__time_layout(&b, str_of(layout), ns);
        assert_string_equal(buf_cstr(&b), want);
}

static void test_layouts(void **state)
{
        (void)state;
        check("02 Jan 06 15:04 MST", MOMENT, "23 Nov 26 06:15 UTC");
        check("2006-01-02T15:04:05Z07:00", MOMENT, "2026-11-23T06:15:41Z");
        check("2006-01-02T15:04:05.999999999Z07:00", MOMENT, "2026-11-23T06:15:41.73545Z");
        check("2006-01-02T15:04:05.000Z0700", MOMENT, "2026-11-23T06:15:41.735Z");
        check("Mon Jan _2 15:04:05 2006", MOMENT, "Mon Nov 23 06:15:41 2026");
        check("Monday, 02-Jan-06 15:04:05 MST", MOMENT, "Monday, 23-Nov-26 06:15:41 UTC");
        check("Mon, 02 Jan 2006 15:04:05 -0700", MOMENT, "Mon, 23 Nov 2026 06:15:41 +0000");
        check("3:04PM", MOMENT, "6:15AM");
        check("03:04 pm January 2, 1/2/06", MOMENT, "06:15 am November 23, 11/23/26");
        check("xx", MOMENT, "xx");
        check("", MOMENT, "");
        check("3:04PM", 0, "12:00AM");
        check("2006-01-02", 0, "1970-01-01");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_layouts) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
