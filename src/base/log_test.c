/* The log front: levels by folder, line forms, cutting, escaping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define LOG_FOLDER "base"
#include "base/json.h"
#include "base/log.h"

static struct {
        char line[8192];
        size_t n;
        unsigned count;
        enum log_level level;
} seen;

static void sink(void *arg, enum log_level level, const char *line, size_t n)
{
        assert_ptr_equal(arg, &seen);
        assert_true(n < sizeof(seen.line) && line[n - 1] == '\n');
        memcpy(seen.line, line, n);
        seen.line[n] = '\0';
        seen.n = n;
        seen.level = level;
        seen.count++;
}

static int setup(void **state)
{
        (void)state;
        memset(&seen, 0, sizeof(seen));
        log_set_sink(sink, &seen);
        log_set_json(false);
        assert_null(log_set_levels(STR("info")));
        return 0;
}

static void test_levels(void **state)
{
        (void)state;
        assert_true(log_enabled(LOG_INFO, "store") && !log_enabled(LOG_DEBUG, "store"));
        assert_null(log_set_levels(STR("warn,store=debug, net = error")));
        assert_true(log_enabled(LOG_DEBUG, "store"));
        assert_false(log_enabled(LOG_WARN, "net") || log_enabled(LOG_INFO, "api"));
        assert_true(log_enabled(LOG_WARN, "api") && log_enabled(LOG_ERROR, "net"));
        static const char *const bad[] = { "loud", "info,store=", "=debug", "store=debugg", "x", "info,averyveryverylongfoldername=warn" };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                AUTO_ERR struct err *e = log_set_levels(str_of(bad[i]));
                assert_int_equal(err_code(e), ERR_INVALID);
        }
        assert_true(log_enabled(LOG_DEBUG, "store"));
        assert_null(log_set_levels(STR("info")));
        assert_false(log_enabled(LOG_DEBUG, "store"));
        assert_true(log_enabled(LOG_INFO, "net"));
}

static void test_text(void **state)
{
        (void)state;
        log_debug("hidden");
        assert_int_equal(seen.count, 0);
        log_warn("name=%s n=%d", "a\nb", 5);
        assert_int_equal(seen.count, 1);
        assert_int_equal(seen.level, LOG_WARN);
        assert_int_equal(strncmp(seen.line, "WARN  20", 8), 0);
        assert_non_null(strstr(seen.line, "Z base: name=a\\x0ab n=5\n"));
}

static void test_cut(void **state)
{
        (void)state;
        log_info("%05000d", 1);
        assert_true(seen.n <= 4096);
        assert_string_equal(seen.line + seen.n - 4, "...\n");
        char controls[2001];
        memset(controls, '\x01', 2000);
        controls[2000] = '\0';
        log_info("%s", controls);
        assert_true(seen.n <= 4096);
        assert_string_equal(seen.line + seen.n - 4, "...\n");
}

static void test_json(void **state)
{
        (void)state;
        log_set_json(true);
        log_error("say \"%s\"", "x\ty");
        AUTO_JSON json_t *j = json_loads(seen.line, 0, NULL);
        assert_non_null(j);
        assert_string_equal(json_string_value(json_object_get(j, "level")), "error");
        assert_string_equal(json_string_value(json_object_get(j, "folder")), "base");
        assert_string_equal(json_string_value(json_object_get(j, "msg")), "say \"x\ty\"");
        char controls[4001];
        memset(controls, '\x01', 4000);
        controls[4000] = '\0';
        log_error("%s", controls);
        AUTO_JSON json_t *cut = json_loads(seen.line, 0, NULL);
        assert_non_null(cut);
}

static void test_err(void **state)
{
        (void)state;
        log_err(LOG_WARN, "store", err_wrap(err_new(ERR_IO, "disk"), "read %d", 3), "scrub bucket=%s", "b");
        assert_non_null(strstr(seen.line, " store: scrub bucket=b: read 3: disk code=IO at=log_test.c:"));
        unsigned before = seen.count;
        log_err(LOG_WARN, "store", NULL, "nothing");
        log_err(LOG_DEBUG, "store", err_new(ERR_IO, "freed all the same"), "hidden");
        assert_int_equal(seen.count, before);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_levels, setup), cmocka_unit_test_setup(test_text, setup),
                cmocka_unit_test_setup(test_cut, setup),    cmocka_unit_test_setup(test_json, setup),
                cmocka_unit_test_setup(test_err, setup),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
