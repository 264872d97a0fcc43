/* The command line: which command, which options, which arguments; what is refused. The table itself: no two options collide, texts are there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "cli/priv.h"

/* Splits at blanks and parses. */
static struct err *parse(const char *line, struct cli_args *a)
{
        static char copy[512];
        static char *argv[64];
        int argc = 0;
        str_copy(copy, sizeof(copy), str_of(line));
        for (char *p = copy; *p;) {
                argv[argc++] = p;
                p += strcspn(p, " ");
                if (*p)
                        *p++ = '\0';
        }
        return cli_args_parse(argc, argv, a);
}

static void good(const char *line, const char *command, struct cli_args *a)
{
        struct err *e = parse(line, a);
        if (e)
                fail_msg("%s: %s", line, e->msg);
        assert_string_equal(a->command->name, command);
}

static void test_commands(void **state)
{
        static const char *const rows[][2] = {
                { "ls", "ls" },
                { "bucket create x", "bucket create" },
                { "mb x", "bucket create" },
                { "bucket props set b k=v", "bucket props set" },
                { "stat b/o", "head" },
                { "--json ls", "ls" },
                { "--endpoint http://x bucket ls", "bucket ls" },
                { "--endpoint=http://x ls bucket", "ls" },
                { "bucket --json rm x", "bucket rm" },
                { "-q put a b", "put" },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct cli_args a;
                good(rows[i][0], rows[i][1], &a);
                cli_args_fini(&a);
        }
}

static void test_options(void **state)
{
        struct cli_args a;
        uint64_t n;
        (void)state;
        good("put -r --jobs 4 dir --custom a=1 ais://b --custom=b=2 -q", "put", &a);
        assert_int_equal(a.npos, 2);
        assert_string_equal(a.pos[0], "dir");
        assert_string_equal(a.pos[1], "ais://b");
        assert_null(a.pos[2]);
        assert_true(cli_has(&a, "recursive") && cli_has(&a, "quiet") && !cli_has(&a, "progress"));
        assert_null(cli_opt_number(&a, "jobs", 1, 100, 16, &n));
        assert_int_equal(n, 4);
        assert_string_equal(cli_opt_nth(&a, "custom", 0), "a=1");
        assert_string_equal(cli_opt_nth(&a, "custom", 1), "b=2");
        assert_null(cli_opt_nth(&a, "custom", 2));
        cli_args_fini(&a);
        good("put -rj8 dir b", "put", &a);
        assert_string_equal(cli_opt(&a, "jobs"), "8");
        cli_args_fini(&a);
        good("put - b -- -weird --name", "put", &a);
        assert_int_equal(a.npos, 4);
        assert_string_equal(a.pos[0], "-");
        assert_string_equal(a.pos[3], "--name");
        cli_args_fini(&a);
        good("ls -rlr", "ls", &a);
        assert_true(cli_has(&a, "long"));
        cli_args_fini(&a);
}

static void test_values(void **state)
{
        struct cli_args a;
        uint64_t n = 7;
        int64_t ns = 7;
        (void)state;
        good("put a b --jobs 0 --part-size 5x --timeout -3s", "put", &a);
        AUTO_ERR struct err *e1 = cli_opt_number(&a, "jobs", 1, 100, 16, &n);
        AUTO_ERR struct err *e2 = cli_opt_size(&a, "part-size", 1, &n);
        AUTO_ERR struct err *e3 = cli_opt_duration(&a, "timeout", 1, &ns);
        assert_int_equal(err_code(e1), ERR_INVALID);
        assert_int_equal(err_code(e2), ERR_INVALID);
        assert_int_equal(err_code(e3), ERR_INVALID);
        assert_true(n == 7 && ns == 7);
        cli_args_fini(&a);
        good("put a b --part-size 5MiB --timeout 2m", "put", &a);
        assert_null(cli_opt_size(&a, "part-size", 1, &n));
        assert_null(cli_opt_duration(&a, "timeout", 1, &ns));
        assert_int_equal(n, 5 << 20);
        assert_true(ns == 120000000000);
        cli_args_fini(&a);
}

static void test_refused(void **state)
{
        static const char *const rows[] = {
                "nope",       "bucket nope", "put a",     "put",       "ls --nope", "ls -z",        "put a b --jobs",
                "ls --json=x", "get a b c",  "head",      "version x", "put a b -j", "bucket props", "bucket props set b",
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct cli_args a;
                AUTO_ERR struct err *e = parse(rows[i], &a);
                if (err_code(e) != ERR_INVALID)
                        fail_msg("\"%s\" was taken", rows[i]);
                cli_args_fini(&a);
        }
}

static void test_no_command(void **state)
{
        struct cli_args a;
        (void)state;
        assert_null(parse("", &a));
        assert_true(!a.command && !a.group);
        cli_args_fini(&a);
        assert_null(parse("bucket --help", &a));
        assert_true(!a.command && a.help);
        assert_string_equal(a.group, "bucket");
        cli_args_fini(&a);
        assert_null(parse("put --help", &a));
        assert_true(a.command && a.help);
        cli_args_fini(&a);
        assert_null(parse("--version", &a));
        assert_true(a.version);
        cli_args_fini(&a);
}

static void check_options(const struct cli_option *list, const char *command)
{
        for (const struct cli_option *o = list; o && o->name; o++) {
                assert_true(o->help && o->help[0]);
                for (const struct cli_option *p = list; p != o; p++)
                        if (strcmp(p->name, o->name) == 0 || (p->letter && p->letter == o->letter))
                                fail_msg("%s: two options --%s", command, o->name);
                for (const struct cli_option *g = cli_global_options; list != cli_global_options && g->name; g++)
                        if (strcmp(g->name, o->name) == 0 || (g->letter && g->letter == o->letter))
                                fail_msg("%s: --%s is an option of all commands", command, o->name);
        }
}

static void test_table(void **state)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        (void)state;
        check_options(cli_global_options, "global");
        for (unsigned i = 0; i < n; i++) {
                check_options(all[i].options, all[i].name);
                assert_true(all[i].summary[0] && all[i].synopsis && all[i].run);
                assert_true(all[i].min_args <= all[i].max_args);
                for (unsigned k = 0; k < i; k++) {
                        assert_string_not_equal(all[i].name, all[k].name);
                        assert_true(!all[i].alias || strcmp(all[i].alias, all[k].name) != 0);
                }
        }
}

/* The manual page escapes hyphens. */
static bool mentions(char *text, const char *word)
{
        char *to = text;
        for (const char *p = text; *p; p++)
                if (p[0] != '\\' || p[1] != '-')
                        *to++ = *p;
        *to = '\0';
        return strstr(text, word) != NULL;
}

/* Each command must appear in every text that is made from the table. */
static void test_generated(void **state)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        (void)state;
        for (int kind = 0; kind < 5; kind++) {
                char *text = NULL;
                size_t size;
                FILE *f = open_memstream(&text, &size);
                if (kind == 0)
                        cli__help_all(f, NULL);
                else if (kind == 1)
                        cli__man(f);
                else
                        assert_true(cli__completion(f, kind == 2 ? "bash" : kind == 3 ? "zsh" : "fish"));
                fclose(f);
                for (unsigned i = 0; i < n; i++) {
                        const char *last = strrchr(all[i].name, ' ');
                        if (!mentions(text, last ? last + 1 : all[i].name))
                                fail_msg("text %d lacks %s", kind, all[i].name);
                }
                assert_null(strstr(text, "(null)"));
                free(text);
        }
        assert_false(cli__completion(stdout, "tcsh"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_commands),   cmocka_unit_test(test_options), cmocka_unit_test(test_values), cmocka_unit_test(test_refused),
                cmocka_unit_test(test_no_command), cmocka_unit_test(test_table),   cmocka_unit_test(test_generated),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
