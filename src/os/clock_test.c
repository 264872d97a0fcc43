/* Dates against gmtime over many years, and the clocks' promises. */
#include "os/test_util.h"

#include <string.h>
#include <time.h>

#include "os/clock.h"

static void test_known_dates(void **state)
{
        char buf[40];

        (void)state;
        assert_string_equal(clock_http_date(784111777 * NS_PER_SEC, buf), "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_string_equal(clock_http_date(0, buf), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_string_equal(clock_http_date(-1, buf), "Wed, 31 Dec 1969 23:59:59 GMT");
        assert_string_equal(clock_rfc3339(0, buf), "0001-01-01T00:00:00Z");
        assert_string_equal(clock_rfc3339(784111777 * NS_PER_SEC, buf), "1994-11-06T08:49:37Z");
        assert_string_equal(clock_rfc3339(784111777 * NS_PER_SEC + 120000, buf), "1994-11-06T08:49:37.00012Z");
        assert_string_equal(clock_rfc3339(784111777 * NS_PER_SEC + 1, buf), "1994-11-06T08:49:37.000000001Z");
}

static void test_against_libc(void **state)
{
        (void)state;
        for (int64_t t = -3000000000; t < 6000000000; t += 86399 * 7 + 1) {
                char ours[40], theirs[64];
                time_t tt = (time_t)t;
                struct tm tm;

                assert_non_null(gmtime_r(&tt, &tm));
                assert_true(strftime(theirs, sizeof(theirs), "%a, %d %b %Y %H:%M:%S GMT", &tm) > 0);
                assert_string_equal(clock_http_date(t * NS_PER_SEC, ours), theirs);
        }
}

static void test_clocks(void **state)
{
        int64_t wall, mono = clock_mono_ns();

        (void)state;
        clock_sleep_ns(10 * NS_PER_MS);
        clock_sleep_ns(-5);
        assert_true(clock_mono_ns() - mono >= 10 * NS_PER_MS);
        assert_true(llabs(clock_mono_coarse_ns() - clock_mono_ns()) < 100 * NS_PER_MS);
        wall = clock_wall_ns();
        clock_set_offset_ns(3600 * NS_PER_SEC);
        assert_true(clock_wall_ns() - wall >= 3600 * NS_PER_SEC);
        clock_set_offset_ns(0);
        assert_true(clock_wall_ns() - wall < 3600 * NS_PER_SEC);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_known_dates), cmocka_unit_test(test_against_libc),
                                            cmocka_unit_test(test_clocks) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
