/* cli/man.c: the manual page orlop(1) in man macros, out of the table of commands. */
#include <string.h>

#include "cli/priv.h"

/* Text of roff: backslashes and leading dots or quotes would be commands; hyphens of options stay hyphens. */
static void roff(FILE *f, const char *text)
{
        bool start = true;
        for (const char *p = text; *p; p++) {
                if (start && (*p == '.' || *p == '\''))
                        fputs("\\&", f);
                if (*p == '\\')
                        fputs("\\e", f);
                else if (*p == '-')
                        fputs("\\-", f);
                else
                        fputc(*p, f);
                start = *p == '\n';
        }
}

static void roff_line(FILE *f, const char *macro, const char *text)
{
        fprintf(f, "%s", macro);
        roff(f, text);
        fputc('\n', f);
}

static void man_options(FILE *f, const struct cli_option *list)
{
        for (const struct cli_option *o = list; o && o->name; o++) {
                fprintf(f, ".TP\n");
                if (o->letter)
                        fprintf(f, "\\fB\\-%c\\fR, ", o->letter);
                fprintf(f, "\\fB\\-\\-");
                roff(f, o->name);
                fprintf(f, "\\fR");
                if (o->value) {
                        fprintf(f, " \\fI");
                        roff(f, o->value);
                        fprintf(f, "\\fR");
                }
                fputc('\n', f);
                roff_line(f, "", o->help);
        }
}

static void man_command(FILE *f, const struct cli_command *c)
{
        roff_line(f, ".SS orlop ", c->name);
        fprintf(f, "\\fBorlop ");
        roff(f, c->name);
        fprintf(f, "\\fR ");
        roff(f, c->synopsis);
        fprintf(f, "\n.PP\n");
        roff(f, c->summary);
        fprintf(f, ".\n");
        if (c->alias) {
                fprintf(f, "Also: \\fBorlop ");
                roff(f, c->alias);
                fprintf(f, "\\fR.\n");
        }
        if (c->details) {
                fprintf(f, ".PP\n");
                roff(f, c->details);
                fputc('\n', f);
        }
        man_options(f, c->options);
        if (c->examples) {
                fprintf(f, ".PP\n.EX\n");
                roff(f, c->examples);
                fprintf(f, "\n.EE\n");
        }
}

void cli__man(FILE *f)
{
        unsigned n;
        const struct cli_command *all = cli_commands(&n);
        fprintf(f, ".TH ORLOP 1 \"\" \"orlop %s\" \"User Commands\"\n", orlop_version());
        fprintf(f, ".SH NAME\norlop \\- the command line of the Orlop object store\n");
        fprintf(f, ".SH SYNOPSIS\n\\fBorlop\\fR \\fICOMMAND\\fR [\\fIOPTIONS\\fR] ...\n.SH DESCRIPTION\n");
        roff(f, "Talks to an Orlop cluster, or to any server of the same native interface. Objects are named ais://BUCKET/OBJECT; s3://, gs://, az:// and "
                "oc:// name buckets of remote providers. Results go to standard output, everything else to standard error; with --json results are JSON, one "
                "document per line. \"-\" stands for standard input or output.\n");
        fprintf(f, ".SH OPTIONS OF EVERY COMMAND\n");
        man_options(f, cli_global_options);
        fprintf(f, ".SH COMMANDS\n");
        for (unsigned i = 0; i < n; i++)
                man_command(f, &all[i]);
        fprintf(f, ".SH EXIT STATUS\n.TP\n0\nsuccess\n.TP\n1\nthe operation failed\n.TP\n2\nthe command line is wrong\n.TP\n3\nno such bucket, object, job or "
                   "node\n.TP\n4\nsome of several operations failed\n.TP\n5\nno connection, or no answer in time\n.TP\n130\ninterrupted\n");
        fprintf(f, ".SH ENVIRONMENT\n.TP\nORLOP_ENDPOINT, AIS_ENDPOINT\nURL of the cluster, when \\-\\-endpoint is not given; the first that is set counts\n"
                   ".TP\nORLOP_TOKEN, AIS_AUTHN_TOKEN\nbearer token\n.TP\nORLOP_CA_FILE\ncertificates to trust, PEM\n");
        fprintf(f, ".SH SEE ALSO\norlopd(8)\n");
}
