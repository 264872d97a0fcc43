/* cli/help.c: --help, out of the table of commands. */
#include <string.h>

#include "cli/priv.h"

static void option_left(const struct cli_option *o, char *buf, size_t size)
{
        char letter[8] = "    ";
        if (o->letter)
                snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        snprintf(buf, size, "  %s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
}

static void print_options(FILE *f, const struct cli_option *list)
{
        for (const struct cli_option *o = list; o && o->name; o++) {
                char left[80];
                option_left(o, left, sizeof(left));
                fprintf(f, "%-30s  %s\n", left, o->help);
        }
}

void cli__help_command(FILE *f, const struct cli_command *c)
{
        fprintf(f, "orlop %s - %s\n\nusage: orlop %s %s\n", c->name, c->summary, c->name, c->synopsis);
        if (c->alias)
                fprintf(f, "       orlop %s is the same\n", c->alias);
        if (c->details)
                fprintf(f, "\n%s\n", c->details);
        if (c->options) {
                fprintf(f, "\noptions\n");
                print_options(f, c->options);
        }
        if (c->examples)
                fprintf(f, "\nexamples\n%s\n", c->examples);
        fprintf(f, "\noptions of every command\n");
        print_options(f, cli_global_options);
        fprintf(f, "\nexit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 partly failed, 5 no connection, 130 interrupted\n");
}

void cli__help_all(FILE *f, const char *group)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        size_t len = group ? strlen(group) : 0;
        if (group)
                fprintf(f, "usage: orlop %s COMMAND [OPTIONS]\n\n", group);
        else
                fprintf(f, "orlop - the command line of the Orlop object store\n\nusage: orlop COMMAND [OPTIONS] ...\n\ncommands\n");
        for (unsigned i = 0; i < n; i++) {
                if (group && (strncmp(all[i].name, group, len) != 0 || all[i].name[len] != ' '))
                        continue;
                fprintf(f, "  %-26s  %s\n", all[i].name, all[i].summary);
        }
        fprintf(f, "\noptions of every command\n");
        print_options(f, cli_global_options);
        fprintf(f, "\nObjects are named ais://BUCKET/OBJECT; the scheme may be left out where no local file is possible.\n"
                   "\"orlop COMMAND --help\" tells more.\n");
}
