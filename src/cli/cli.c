/* cli/cli.c: one run: parse, open the handle, run the command, flush. */
#include "cli/cli.h"

#include <unistd.h>

#include "cli/priv.h"
#include "os/clock.h"

static int open_handle(struct cli *c, const struct cli_args *a)
{
        struct orlop_error error;
        int64_t timeout;
        struct err *e = cli_opt_duration(a, "timeout", 60 * NS_PER_SEC, &timeout);
        if (e)
                return cli__usage(a, e);
        const struct orlop_options o = {
                .endpoint = cli_opt(a, "endpoint"),
                .token = cli_opt(a, "token"),
                .ca_file = cli_opt(a, "ca-file"),
                .insecure = cli_has(a, "insecure"),
                .timeout_ms = (unsigned)MIN(MAX(timeout / NS_PER_MS, 1), (int64_t)INT32_MAX),
                .connections = 256,
        };
        if (!orlop_open(&o, &c->h, &error))
                return CLI_OK;
        int code = cli__fail(&error, "open");
        return error.code == ORLOP_INVALID ? CLI_USAGE : code;
}

static int run(struct cli *c, const struct cli_args *a)
{
        int code = a->command->offline ? CLI_OK : open_handle(c, a);
        if (!code)
                code = a->command->run(c, a);
        orlop_close(c->h);
        return cli__flush(code);
}

/* The texts that need no command to run; -1 when there is one to run. */
static int help_or_version(struct cli *c, const struct cli_args *a)
{
        if (a->version && !a->command)
                return cli__run_version(c, a);
        if (a->help && a->command)
                return cli__help_command(stdout, a->command), CLI_OK;
        if (a->help)
                return cli__help_all(stdout, a->group), CLI_OK;
        if (!a->command)
                return cli__help_all(stderr, a->group), CLI_USAGE;
        return -1;
}

int cli_main(int argc, char **argv)
{
        struct cli_args a;
        cli__signals();
        struct err *e = cli_args_parse(argc - 1, argv + 1, &a);
        if (e) {
                int code = cli__usage(&a, e);
                cli_args_fini(&a);
                return code;
        }
        struct cli c = {
                .program = argv[0],
                .json = cli_has(&a, "json"),
                .quiet = cli_has(&a, "quiet"),
                .tty_out = isatty(STDOUT_FILENO),
                .tty_err = isatty(STDERR_FILENO),
        };
        int code = help_or_version(&c, &a);
        code = code < 0 ? run(&c, &a) : cli__flush(code);
        cli_args_fini(&a);
        return code;
}
