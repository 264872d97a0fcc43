/* daemon/fsck_command.c: `orlopd fsck`, which `orlop fsck` runs: checks directories that no daemon holds. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "daemon/serve.h"
#include "store/fsck.h"

#define DIRS_MAX 64

struct output {
        bool json, tty;
};

static void say(void *arg, bool progress, const char *line)
{
        struct output *o = arg;
        if (progress) {
                if (o->tty)
                        fprintf(stderr, "\r\033[K%s", line);
                return;
        }
        fprintf(o->json ? stderr : stdout, "%s%s\n", o->tty ? "\r\033[K" : "", line);
}

static void usage(FILE *f)
{
        fputs("usage: orlopd fsck [--repair | --rebuild] [--json] DIR [DIR...]\n\n"
              "Reads and judges everything that is stored below each DIR. No daemon may be running on it.\n\n"
              "  --repair   set corrupt contents aside (quarantine/), drop garbage, let the record database repair its files\n"
              "  --rebuild  make the records of large objects anew from what the content files say of themselves\n"
              "  --json     print the totals as JSON\n\n"
              "Exit code: 0 clean (or all repaired), 1 something is corrupt or missing, 2 the check could not be done.\n", f);
}

static void print_report(const struct output *o, const struct fsck_report *r)
{
        if (o->tty)
                fputs("\r\033[K", stderr);
        printf(o->json ? "{\"objects\":%lu,\"bytes\":%lu,\"contents\":%lu,\"corrupt\":%lu,\"missing\":%lu,\"orphans\":%lu,\"repaired\":%lu,\"rebuilt\":%lu}\n"
                       : "objects %lu, bytes %lu, content files %lu\ncorrupt %lu, missing %lu, orphans %lu, repaired %lu, rebuilt %lu\n",
               (unsigned long)r->objects, (unsigned long)r->bytes, (unsigned long)r->contents, (unsigned long)r->corrupt, (unsigned long)r->missing,
               (unsigned long)r->orphans, (unsigned long)r->repaired, (unsigned long)r->rebuilt);
}

int fsck_command(int argc, char **argv)
{
        const char *dirs[DIRS_MAX];
        unsigned n = 0;
        enum fsck_mode mode = FSCK_CHECK;
        struct output out = { false, isatty(STDERR_FILENO) };
        for (int i = 1; i < argc; i++) {
                if (strcmp(argv[i], "--repair") == 0) {
                        mode = FSCK_REPAIR;
                } else if (strcmp(argv[i], "--rebuild") == 0) {
                        mode = FSCK_REBUILD;
                } else if (strcmp(argv[i], "--json") == 0) {
                        out.json = true;
                } else if (strcmp(argv[i], "--help") == 0) {
                        usage(stdout);
                        return 0;
                } else if (argv[i][0] == '-' || n == DIRS_MAX) {
                        fprintf(stderr, "orlopd fsck: unexpected argument %s (see --help)\n", argv[i]);
                        return 2;
                } else {
                        dirs[n++] = argv[i];
                }
        }
        if (n == 0) {
                usage(stderr);
                return 2;
        }
        struct fsck_report report = { 0 };
        struct err *e = store_fsck(dirs, n, mode, say, &out, &report);
        if (e != NULL) {
                char text[2048];
                fprintf(stderr, "orlopd fsck: %s\n", err_text(e, text, sizeof(text)));
                err_free(e);
                return 2;
        }
        print_report(&out, &report);
        return report.corrupt + report.missing > report.repaired + report.rebuilt ? 1 : 0;
}
