/* cli/args.h: the table of commands, and what a command line says in its terms. Pure; one thread.
 *
 * One table is the source of parsing, --help, completion and the man page. */
#ifndef ORLOP_CLI_ARGS_H
#define ORLOP_CLI_ARGS_H

#include <stdbool.h>

#include "base/err.h"

/* What the shell may offer as a value. */
enum cli_complete { CLI_NOTHING, CLI_FILE, CLI_DIR, CLI_URI, CLI_BUCKET };

struct cli_option {
        char letter;       /* 0: none */
        const char *name;  /* without dashes; null ends a list */
        const char *value; /* what it takes ("N"), null: a flag */
        const char *help;
        enum cli_complete complete;
};

struct cli;
struct cli_args;
struct cli_command {
        const char *name;     /* one or more words: "bucket props set" */
        const char *alias;    /* another name, or null */
        const char *synopsis; /* positional arguments */
        const char *summary;  /* one line, no full stop */
        const char *details;  /* paragraphs for --help and the man page, or null */
        const char *examples; /* lines, or null */
        const struct cli_option *options; /* null: none */
        unsigned min_args, max_args;
        enum cli_complete complete; /* of positional arguments */
        bool offline;               /* needs no server */
        int (*run)(struct cli *c, const struct cli_args *a);
};
/* All commands, in the order of the help; *ret_n of them. */
const struct cli_command *cli_commands(unsigned *ret_n);
/* Options that every command takes. */
extern const struct cli_option cli_global_options[];

#define CLI_OPTIONS_MAX 64
struct cli_args {
        const struct cli_command *command; /* null: none was named */
        const char *group;                 /* first word, when it only begins several commands ("bucket") */
        const char **pos;                  /* positional arguments, null-terminated; heap */
        unsigned npos;
        struct {
                const struct cli_option *option;
                const char *value;
        } set[CLI_OPTIONS_MAX];
        unsigned nset;
        bool help, version;
};
/* Takes a command line (without argv[0]) apart. ERR_INVALID with a text for the user. End with cli_args_fini, on errors too. */
MUST_CHECK struct err *cli_args_parse(int argc, char **argv, struct cli_args *ret);
/* Frees what parsing allocated. */
void cli_args_fini(struct cli_args *a);
/* The last value given for an option ("" for a flag), null if it was not given. The name must be in some command's table or the global one. */
const char *cli_opt(const struct cli_args *a, const char *name);
/* The i-th value of a repeatable option, null past the end. */
const char *cli_opt_nth(const struct cli_args *a, const char *name, unsigned i);
/* Whether the option was given. */
bool cli_has(const struct cli_args *a, const char *name);
/* A number between min and max, or `otherwise` when not given. ERR_INVALID. */
MUST_CHECK struct err *cli_opt_number(const struct cli_args *a, const char *name, uint64_t min, uint64_t max, uint64_t otherwise,
                                      uint64_t *ret);
/* A size ("64MiB"). ERR_INVALID. */
MUST_CHECK struct err *cli_opt_size(const struct cli_args *a, const char *name, uint64_t otherwise, uint64_t *ret);
/* A duration ("10s") in ns. ERR_INVALID. */
MUST_CHECK struct err *cli_opt_duration(const struct cli_args *a, const char *name, int64_t otherwise, int64_t *ret);

#endif
