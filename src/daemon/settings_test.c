/* daemon/settings_test.c: how a node is started: the order of file, environment and flags, and the wire's node files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "daemon/settings.h"

static char dir[64];

static const char *file(const char *name, const char *text)
{
        static char path[4][128];
        static unsigned next;
        char *p = path[next++ % ARRAY_LEN(path)];
        snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
        FILE *f = fopen(p, "w");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
        return p;
}

static struct err *read_args(struct settings *s, const char *const *args, int n)
{
        char *argv[16] = { (char *)(uintptr_t) "orlopd" };
        for (int i = 0; i < n; i++)
                argv[i + 1] = (char *)(uintptr_t)args[i];
        *s = (struct settings){ .ndirs = 0 };
        return settings_read(s, n + 1, argv);
}
#define READ(s, ...) \
        read_args((s), (const char *const[]){ __VA_ARGS__ }, (int)ARRAY_LEN(((const char *const[]){ __VA_ARGS__ })))

static void assert_text(struct str have, const char *want)
{
        assert_int_equal(have.n, strlen(want));
        assert_memory_equal(have.p, want, have.n);
}

static void test_order(void **state)
{
        struct settings s;
        (void)state;
        const char *conf = file("o.json", "{\"listen\": \"127.0.0.1:1\", \"log_level\": \"warn\", \"mountpaths\": [\"/a\", \"/b\"]}");
        assert_ok(READ(&s, "--config", conf));
        assert_text(s.listen, "127.0.0.1:1");
        assert_text(s.log_level, "warn");
        assert_int_equal(s.ndirs, 2);
        settings_fini(&s);
        assert_ok(READ(&s, "--config", conf, "--listen=127.0.0.1:2", "/c"));
        assert_text(s.listen, "127.0.0.1:2");
        assert_int_equal(s.ndirs, 1);
        assert_text(s.dirs[0], "/c");
        settings_fini(&s);
        assert_ok(READ(&s, "/c"));
        assert_text(s.listen, "127.0.0.1:8080");
        settings_fini(&s);
}

static void test_refused(void **state)
{
        struct settings s;
        (void)state;
        assert_err(READ(&s, "--nothing", "/c"), ERR_INVALID);
        settings_fini(&s);
        assert_err(READ(&s, "--listen"), ERR_INVALID);
        settings_fini(&s);
        assert_err(READ(&s, "--init=perhaps", "/c"), ERR_INVALID);
        settings_fini(&s);
        assert_err(READ(&s, "--tls-cert", "/x", "/c"), ERR_INVALID);
        settings_fini(&s);
        assert_err(READ(&s, "--insecure"), ERR_INVALID); /* nowhere to store */
        settings_fini(&s);
        assert_err(READ(&s, "--config", file("bad.json", "{\"nothing\": 1}"), "/c"), ERR_INVALID);
        settings_fini(&s);
}

#define LOCAL(paths)                                                                                                   \
        "{\"confdir\": \"/n/conf\", \"log_dir\": \"/n/log\", \"host_net\": {\"hostname\": \"127.0.0.2,127.0.0.3\", "   \
        "\"hostname_intra_control\": \"\", \"hostname_intra_data\": \"\", \"port\": \"81\", "                          \
        "\"port_intra_control\": \"91\", \"port_intra_data\": \"101\"}, " paths "}"
#define CLUSTER                                                                                                        \
        "{\"uuid\": \"x\", \"config_version\": \"7\", \"proxy\": {\"primary_url\": \"http://p\"}, \"net\": {\"l4\": "  \
        "{\"proto\": \"tcp\"}, \"http\": {\"use_https\": true, \"server_crt\": \"/c.pem\", \"server_key\": "           \
        "\"/k.pem\"}}, \"space\": {\"highwm\": 91}}"

static void test_node_files(void **state)
{
        struct settings s;
        (void)state;
        const char *local = file("l.json", LOCAL("\"fspaths\": {\"/disk/1\": \"\", \"/disk/2\": \"x\"}"));
        const char *cluster = file("c.json", CLUSTER);
        char flag[160];
        snprintf(flag, sizeof(flag), "-local_config=%s", local);
        assert_ok(READ(&s, "-role=target", "-config", cluster, flag, "-daemon_id=t1", "-skip_startup", "-ntargets=3"));
        assert_text(s.role, "target");
        assert_text(s.daemon_id, "t1");
        assert_text(s.state, "/n/conf");
        assert_text(s.log_dir, "/n/log");
        assert_text(s.listen, "127.0.0.2:81");
        assert_text(s.cluster_listen, "127.0.0.2:91");
        assert_int_equal(s.ndirs, 2);
        assert_text(s.tls_cert, "/c.pem");
        assert_non_null(json_object_get(json_object_get(s.cluster, "space"), "highwm"));
        assert_null(json_object_get(s.cluster, "uuid"));
        assert_null(json_object_get(s.cluster, "proxy"));
        assert_null(json_object_get(json_object_get(s.cluster, "net"), "l4"));
        settings_fini(&s);
        assert_ok(READ(&s, flag, "-role", "target", "--listen", "127.0.0.1:5", "/other")); /* flags go first */
        assert_text(s.listen, "127.0.0.1:5");
        assert_int_equal(s.ndirs, 1);
        assert_null(s.cluster);
        settings_fini(&s);
        assert_ok(READ(&s, flag, "-role", "proxy"));
        assert_int_equal(s.ndirs, 1);
        assert_text(s.dirs[0], "/n/conf");
        settings_fini(&s);
}

static void test_numbered_paths(void **state)
{
        struct settings s;
        (void)state;
        assert_ok(READ(&s, "-local_config", file("n.json", LOCAL("\"fspaths\": {}, \"test_fspaths\": {\"root\": \"/m\", \"count\": 2, \"instance\": 4}"))));
        assert_int_equal(s.ndirs, 2);
        assert_text(s.dirs[1], "/m/mp2/4");
        settings_fini(&s);
        assert_err(READ(&s, "-local_config", file("m.json", LOCAL("\"test_fspaths\": {\"root\": \"/m\", \"count\": 99}"))), ERR_INVALID);
        settings_fini(&s);
        assert_err(READ(&s, "-local_config", file("u.json", "{\"host_net\": {\"prot\": \"1\"}}")), ERR_UNKNOWN_FIELD);
        settings_fini(&s);
        assert_err(READ(&s, "-local_config", file("a.json", "[]")), ERR_INVALID);
        settings_fini(&s);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_refused),
                cmocka_unit_test(test_node_files),
                cmocka_unit_test(test_numbered_paths),
        };
        snprintf(dir, sizeof(dir), "/tmp/orlop-settings-XXXXXX");
        if (mkdtemp(dir) == NULL)
                return 1;
        int failed = cmocka_run_group_tests(tests, NULL, NULL);
        static const char *const names[] = { "o", "bad", "l", "c", "n", "m", "u", "a" };
        for (size_t i = 0; i < ARRAY_LEN(names); i++) {
                char path[128];
                snprintf(path, sizeof(path), "%s/%s.json", dir, names[i]);
                unlink(path);
        }
        rmdir(dir);
        return failed;
}
