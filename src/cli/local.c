/* cli/local.c: commands that need no server: version, completion, man; and fsck and control, which are the daemon's own offline tools under a
 * handier name. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "cli/priv.h"

int cli__run_version(struct cli *c, const struct cli_args *a)
{
        (void)a;
        if (!c->json) {
                printf("orlop %s\n", orlop_version());
                return CLI_OK;
        }
        struct buf b = BUF_INIT;
        struct json_w w;
        cli__json_begin(c, &w, &b);
        jw_cstr(&w, "version", orlop_version());
        cli__json_end(&w);
        return CLI_OK;
}

int cli__run_completion(struct cli *c, const struct cli_args *a)
{
        (void)c;
        if (cli__completion(stdout, a->pos[0]))
                return CLI_OK;
        return cli__usage(a, err_new(ERR_INVALID, "completion: expected bash, zsh or fish, not \"%s\"", a->pos[0]));
}

int cli__run_man(struct cli *c, const struct cli_args *a)
{
        (void)c;
        (void)a;
        cli__man(stdout);
        return CLI_OK;
}

/* The daemon that lies beside this program, else "orlopd" for the search path. */
static char *daemon_path(void)
{
        char self[4096];
        ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
        if (n > 0) {
                self[n] = '\0';
                const char *slash = strrchr(self, '/');
                AUTO_BUF struct buf path = BUF_INIT;
                buf_add(&path, self, slash ? (size_t)(slash - self) : 0);
                buf_adds(&path, STR("/orlopd"));
                const char *text = buf_cstr(&path);
                if (text && access(text, X_OK) == 0)
                        return strdup(text);
        }
        return strdup("orlopd");
}

/* Becomes `orlopd WORD...` with those flags that were given, and the arguments. */
static int run_daemon(const struct cli *c, const struct cli_args *a, const char *const *words, const char *const *flags)
{
        AUTO_FREE const char **argv = calloc(a->npos + 8, sizeof(*argv));
        AUTO_FREE char *path = daemon_path();
        size_t n = 0;
        if (!argv || !path)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        argv[n++] = "orlopd";
        for (unsigned i = 0; i < 2 && words[i]; i++)
                argv[n++] = words[i];
        for (unsigned i = 0; i < 2 && flags[i]; i++)
                if (cli_has(a, flags[i] + 2))
                        argv[n++] = flags[i];
        if (c->json)
                argv[n++] = "--json";
        for (unsigned i = 0; i < a->npos; i++)
                argv[n++] = a->pos[i];
        fflush(NULL);
        execvp(path, (char **)(uintptr_t)argv);
        cli__error("cannot run %s: %s. It must be installed beside orlop or be in the search path", path, strerror(errno));
        return CLI_FAILED;
}

int cli__run_fsck(struct cli *c, const struct cli_args *a)
{
        static const char *const words[] = { "fsck", NULL }, *const flags[] = { "--repair", "--rebuild" };
        return run_daemon(c, a, words, flags);
}

int cli__run_control(struct cli *c, const struct cli_args *a)
{
        const char *const words[] = { "control", strrchr(a->command->name, ' ') + 1 };
        static const char *const flags[] = { "--yes", NULL };
        return run_daemon(c, a, words, flags);
}
