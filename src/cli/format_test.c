/* What people read: counts, sizes, times, the progress line; percentiles; exit codes; local trees. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/priv.h"
#include "os/file.h"

static void test_numbers(void **state)
{
        char b[32];
        (void)state;
        assert_string_equal(cli__count(0, b), "0");
        assert_string_equal(cli__count(999, b), "999");
        assert_string_equal(cli__count(1000, b), "1,000");
        assert_string_equal(cli__count(18446744073709551615u, b), "18,446,744,073,709,551,615");
        assert_string_equal(cli__bytes(0, b), "0 B");
        assert_string_equal(cli__bytes(1023, b), "1023 B");
        assert_string_equal(cli__bytes(1536, b), "1.5 KiB");
        assert_string_equal(cli__bytes((1 << 20) - 1, b), "1.0 MiB");
        assert_string_equal(cli__bytes(UINT64_MAX, b), "16.0 EiB");
        assert_string_equal(cli__elapsed(1500, b), "2 us");
        assert_string_equal(cli__elapsed(1234567, b), "1.23 ms");
        assert_string_equal(cli__elapsed(123456789, b), "123.5 ms");
        assert_string_equal(cli__elapsed(4500000000, b), "4.5 s");
        assert_string_equal(cli__elapsed(125000000000, b), "2m05s");
        assert_string_equal(cli__when(0, b), "-");
        assert_int_equal(strlen(cli__when(1795416227495734645, b)), 19);
}

static void test_progress(void **state)
{
        char line[256];
        struct cli_progress_view v = { .done = 50, .total = 100, .bytes = 1 << 20, .bytes_total = 2 << 20, .rate = 1 << 20 };
        (void)state;
        cli__progress_text(&v, 120, line, sizeof(line));
        assert_non_null(strstr(line, "50/100  1.0 MiB/2.0 MiB  1.0 MiB/s  ETA 0:01"));
        assert_non_null(strstr(line, "[####################-------------------]"));
        assert_true(strlen(line) < 120);
        cli__progress_text(&v, 50, line, sizeof(line));
        assert_null(strchr(line, '['));
        cli__progress_text(&v, 20, line, sizeof(line));
        assert_int_equal(strlen(line), 19);
        v.scanning = true;
        v.failed = 3;
        cli__progress_text(&v, 100, line, sizeof(line));
        assert_non_null(strstr(line, "50/100+"));
        assert_non_null(strstr(line, "ETA -:--  3 failed"));
        v = (struct cli_progress_view){ .rate = 0 };
        cli__progress_text(&v, 100, line, sizeof(line));
        assert_non_null(strstr(line, "0/0  0 B/0 B"));
        v = (struct cli_progress_view){ .bytes_total = 7200, .rate = 1 };
        cli__progress_text(&v, 100, line, sizeof(line));
        assert_non_null(strstr(line, "ETA 2:00:00"));
        v = (struct cli_progress_view){ .done = 5, .total = 3, .bytes = 9, .bytes_total = 3, .rate = 5 };
        cli__progress_text(&v, 100, line, sizeof(line));
        assert_null(strchr(strchr(line, '['), '-'));
}

static void test_percentiles(void **state)
{
        static struct cli_latency l;
        (void)state;
        assert_int_equal(cli__latency_pct(&l, 50), 0);
        for (int64_t i = 1; i <= 1000; i++)
                cli__latency_add(&l, i * 1000);
        const double want[][2] = { { 0, 1e3 }, { 50, 500e3 }, { 99, 990e3 }, { 100, 1000e3 } };
        for (size_t i = 0; i < ARRAY_LEN(want); i++) {
                double got = (double)cli__latency_pct(&l, want[i][0]);
                if (got < want[i][1] * 0.94 || got > want[i][1] * 1.06)
                        fail_msg("p%.0f is %.0f, expected %.0f", want[i][0], got, want[i][1]);
        }
        static struct cli_latency edge;
        cli__latency_add(&edge, -5);
        cli__latency_add(&edge, 0);
        cli__latency_add(&edge, INT64_MAX);
        assert_int_equal(cli__latency_pct(&edge, 50), 0);
        assert_true(cli__latency_pct(&edge, 100) > INT64_MAX / 20 * 17);
}

static void test_exit_codes(void **state)
{
        (void)state;
        assert_int_equal(cli__exit_code(ORLOP_OK), 0);
        assert_int_equal(cli__exit_code(ORLOP_FAILED), 1);
        assert_int_equal(cli__exit_code(ORLOP_CHECKSUM), 1);
        assert_int_equal(cli__exit_code(ORLOP_NOT_FOUND), 3);
        assert_int_equal(cli__exit_code(ORLOP_CONNECTION), 5);
        assert_int_equal(cli__exit_code(ORLOP_TIMEOUT), 5);
}

static void test_paths(void **state)
{
        static const char *const rows[][3] = {
                { "", "a", "a" }, { "x", "a", "x/a" }, { "x/", "a", "x/a" }, { "/", "a", "/a" }, { "x//", "a", "x//a" },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                AUTO_FREE char *p = cli__join(rows[i][0], rows[i][1]);
                assert_string_equal(p, rows[i][2]);
        }
        assert_string_equal(cli__basename("a/b"), "b");
        assert_string_equal(cli__basename("b"), "b");
        assert_string_equal(cli__basename("a/"), "");
}

struct found {
        char names[512];
        uint64_t bytes;
};

static bool on_file(void *arg, const char *path, const char *below, uint64_t size)
{
        struct found *f = arg;
        size_t n = strlen(f->names);
        assert_true(str_ends(str_of(path), str_of(below)));
        snprintf(f->names + n, sizeof(f->names) - n, "%s ", below);
        f->bytes += size;
        return strcmp(below, "stop") != 0;
}

static void make(const char *root, const char *name, const char *content)
{
        AUTO_FREE char *path = cli__join(root, name);
        assert_null(cli__make_parents(path));
        assert_null(file_replace(AT_FDCWD, path, str_of(content), 0644));
}

static void test_tree(void **state)
{
        char root[] = "/tmp/orlop-tree-XXXXXX";
        struct found f = { .names = "" };
        unsigned skipped;
        (void)state;
        assert_non_null(mkdtemp(root));
        make(root, "b", "12");
        make(root, "a/z", "3");
        make(root, "a/y/x", "45");
        AUTO_FREE char *loop = cli__join(root, "a/loop"), *dangling = cli__join(root, "nowhere"), *link = cli__join(root, "link");
        assert_int_equal(symlink(root, loop), 0);
        assert_int_equal(symlink("/nonexistent", dangling), 0);
        assert_int_equal(symlink("b", link), 0);
        assert_null(cli__tree_walk(root, on_file, &f, &skipped));
        assert_string_equal(f.names, "a/y/x a/z b link ");
        assert_int_equal(f.bytes, 7);
        assert_int_equal(skipped, 0);
        make(root, "stop", "");
        make(root, "zz", "");
        f = (struct found){ .names = "" };
        AUTO_FREE char *slash = cli__join(root, "");
        assert_null(cli__tree_walk(slash, on_file, &f, &skipped));
        assert_string_equal(f.names, "a/y/x a/z b link stop ");
        AUTO_ERR struct err *e = cli__tree_walk("/nonexistent", on_file, &f, &skipped);
        assert_int_equal(err_code(e), ERR_NOT_FOUND);
        assert_null(file_remove_tree(AT_FDCWD, root));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_numbers), cmocka_unit_test(test_progress), cmocka_unit_test(test_percentiles),
                cmocka_unit_test(test_exit_codes), cmocka_unit_test(test_paths), cmocka_unit_test(test_tree),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
