/* Machine facts are plausible, and percentages appear at the second call. */
#include "os/test_util.h"

#include <string.h>

#include "os/clock.h"
#include "os/sysinfo.h"

static void test_read(void **state)
{
        struct sysinfo_cpu_mem a, b;
        volatile uint64_t work = 0;
        int64_t until;

        (void)state;
        assert_ok(sysinfo_read(&a));
        assert_true(a.mem_total > 0 && a.mem_free <= a.mem_total && a.mem_used <= a.mem_total);
        assert_true(a.proc_resident > 0 && a.proc_size >= a.proc_resident);
        assert_true(a.cpus >= 1);
        until = clock_mono_ns() + 150 * NS_PER_MS;
        while (clock_mono_ns() < until)
                work++;
        assert_ok(sysinfo_read(&b));
        assert_true(b.proc_cpu_pct > 0.5);
        assert_in_range(b.cpu_util_pct, 0, 100);
        assert_true(b.cpu_user_ms >= a.cpu_user_ms);
}

static void test_names(void **state)
{
        char name[300], tiny[3];

        (void)state;
        sysinfo_hostname(name, sizeof(name));
        assert_true(strlen(name) > 0);
        memset(tiny, 'x', sizeof(tiny));
        sysinfo_hostname(tiny, sizeof(tiny));
        assert_int_equal(tiny[2], 0);
        assert_true(sysinfo_raise_nofile() >= 256);
        assert_true(sysinfo_memory_limit() >= (uint64_t)16 << 20);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_read), cmocka_unit_test(test_names) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
