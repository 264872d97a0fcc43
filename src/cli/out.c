/* cli/out.c: what the user reads: errors that say what to do, numbers for people, JSON for programs.
 *
 * stdout carries results alone; everything else goes to stderr. A reader of stdout that goes away ends the command quietly. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/priv.h"

void cli__error(const char *fmt, ...)
{
        char text[2048];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(text, sizeof(text), fmt, ap);
        va_end(ap);
        /* Names of objects come from elsewhere: no control bytes for the terminal. */
        for (char *p = text; *p; p++)
                if ((unsigned char)*p < 0x20 || *p == 0x7f)
                        *p = '?';
        fprintf(stderr, "orlop: %s\n", text);
}

const char *cli__field(const json_t *j, const char *key)
{
        const char *v = json_string_value(json_object_get(j, key));
        return v ? v : "";
}

uint64_t cli__number(const json_t *j, const char *key)
{
        const json_t *v = json_object_get(j, key);
        uint64_t n = 0;
        if (json_is_string(v))
                (void)str_u64(json_str(v), &n);
        else if (json_integer_value(v) > 0)
                n = (uint64_t)json_integer_value(v);
        return n;
}

int cli__exit_code(enum orlop_code code)
{
        switch (code) {
        case ORLOP_OK:
                return CLI_OK;
        case ORLOP_NOT_FOUND:
                return CLI_NOT_FOUND;
        case ORLOP_CONNECTION:
        case ORLOP_TIMEOUT:
                return CLI_CONNECTION;
        case ORLOP_CANCELLED:
                return cli__interrupted() ? CLI_INTERRUPTED : CLI_FAILED;
        default:
                return CLI_FAILED;
        }
}

static const char *advice(enum orlop_code code)
{
        switch (code) {
        case ORLOP_CONNECTION:
                return "is the server running? Start one with \"orlopd DIR\", or say where it is with --endpoint or ORLOP_ENDPOINT";
        case ORLOP_TIMEOUT:
                return "the server did not answer in time; --timeout sets how long to wait";
        case ORLOP_DENIED:
                return "give credentials with --token or ORLOP_TOKEN, and see the bucket's \"access\" property";
        case ORLOP_NO_SPACE:
                return "free space, or attach a disk with \"orlop mountpath attach\"";
        case ORLOP_BUSY:
                return "try again in a moment";
        default:
                return NULL;
        }
}

int cli__fail(const struct orlop_error *e, const char *fmt, ...)
{
        char what[1200];
        va_list ap;
        va_start(ap, fmt);
        vsnprintf(what, sizeof(what), fmt, ap);
        va_end(ap);
        if (e->code == ORLOP_CANCELLED && cli__interrupted())
                return CLI_INTERRUPTED;
        cli__error("%s: %s", what, e->message[0] ? e->message : orlop_code_text(e->code));
        const char *hint = advice(e->code);
        if (hint)
                cli__error("hint: %s", hint);
        return cli__exit_code(e->code);
}

int cli__fail_err(struct err *e)
{
        char text[1200];
        int code = err_code(e) == ERR_INVALID || err_code(e) == ERR_INVALID_NAME ? CLI_USAGE : CLI_FAILED;
        cli__error("%s", err_text(e, text, sizeof(text)));
        err_free(e);
        return code;
}

int cli__usage(const struct cli_args *a, struct err *e)
{
        char text[1200];
        cli__error("%s", err_text(e, text, sizeof(text)));
        err_free(e);
        if (a->command)
                fprintf(stderr, "usage: orlop %s %s\nTry \"orlop %s --help\".\n", a->command->name, a->command->synopsis, a->command->name);
        else
                fprintf(stderr, "Try \"orlop %s%s--help\".\n", a->group ? a->group : "", a->group ? " " : "");
        return CLI_USAGE;
}

void cli__say(const struct cli *c, const char *fmt, ...)
{
        if (c->json || c->quiet)
                return;
        va_list ap;
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
}

void cli__json_begin(const struct cli *c, struct json_w *w, struct buf *b)
{
        jw_init(w, b, c->tty_out);
        jw_object(w, NULL);
}

void cli__json_end(struct json_w *w)
{
        jw_object_end(w);
        buf_addc(w->b, '\n');
        fwrite(w->b->p, 1, w->b->n, stdout);
        buf_fini(w->b);
}

int cli__flush(int code)
{
        bool bad = fflush(stdout) != 0 || ferror(stdout);
        if (!bad)
                return code;
        if (errno != EPIPE)
                cli__error("write to standard output: %s", strerror(errno));
        return code ? code : CLI_FAILED;
}

/* ---- JSON documents as lines of "path  value" ---- */

struct flat {
        char path[512];
        struct str section;
        unsigned lines;
};

static bool in_section(const struct flat *f)
{
        struct str path = str_of(f->path);
        return f->section.n == 0 || str_eq(path, f->section) ||
               (str_starts(path, f->section) && (path.p[f->section.n] == '.' || path.p[f->section.n] == '['));
}

static void print_leaf(struct flat *f, const json_t *j)
{
        if (!in_section(f))
                return;
        AUTO_BUF struct buf b = BUF_INIT;
        if (json_is_string(j)) {
                buf_adds(&b, json_str(j));
        } else {
                struct json_w w;
                jw_init(&w, &b, false);
                jw_json(&w, NULL, j);
        }
        const char *text = buf_cstr(&b);
        printf("%-44s  %s\n", f->path, text && text[0] ? text : "-");
        f->lines++;
}

static void print_tree(struct flat *f, const json_t *j)
{
        size_t n = strlen(f->path);
        const char *key;
        json_t *v;
        if (json_is_object(j) && json_object_size(j)) {
                json_object_foreach((json_t *)(uintptr_t)j, key, v)
                {
                        snprintf(f->path + n, sizeof(f->path) - n, "%s%s", n ? "." : "", key);
                        print_tree(f, v);
                        f->path[n] = '\0';
                }
        } else if (json_is_array(j) && json_array_size(j)) {
                for (size_t i = 0; i < json_array_size(j); i++) {
                        snprintf(f->path + n, sizeof(f->path) - n, "[%zu]", i);
                        print_tree(f, json_array_get(j, i));
                        f->path[n] = '\0';
                }
        } else {
                print_leaf(f, j);
        }
}

/* The value at "a.b.c", null if there is none. */
static const json_t *descend(const json_t *j, struct str path)
{
        while (j && path.n) {
                struct str key = str_cut(&path, '.');
                AUTO_FREE char *name = str_dup(key);
                j = name ? json_object_get(j, name) : NULL;
        }
        return j;
}

int cli__print_json(const struct cli *c, const char *json, const char *section)
{
        AUTO_JSON json_t *j = NULL;
        struct err *e = json_parse(str_of(json), SIZE_MAX, &j);
        if (e)
                return cli__fail_err(err_wrap(e, "answer of the server"));
        const json_t *part = descend(j, str_of(section));
        if (!part) {
                cli__error("there is no section or key \"%s\"", section);
                return CLI_NOT_FOUND;
        }
        if (c->json) {
                AUTO_BUF struct buf b = BUF_INIT;
                struct json_w w;
                jw_init(&w, &b, c->tty_out);
                jw_json(&w, NULL, part);
                buf_addc(&b, '\n');
                fwrite(b.p, 1, b.n, stdout);
                return CLI_OK;
        }
        struct flat f = { .section = str_of(section) };
        print_tree(&f, j);
        return CLI_OK;
}

/* ---- numbers for people ---- */

const char *cli__count(uint64_t n, char buf[static 32])
{
        char digits[24];
        int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
        char *p = buf;
        for (int i = 0; i < len; i++) {
                if (i && (len - i) % 3 == 0)
                        *p++ = ',';
                *p++ = digits[i];
        }
        *p = '\0';
        return buf;
}

const char *cli__bytes(uint64_t n, char buf[static 32])
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        double v = (double)n;
        unsigned u = 0;
        /* 1023.96 would be printed as 1024.0: the next unit reads better. */
        while (v >= 1023.95 && u + 1 < ARRAY_LEN(units)) {
                v /= 1024;
                u++;
        }
        snprintf(buf, 32, u ? "%.1f %s" : "%.0f %s", v, units[u]);
        return buf;
}

const char *cli__elapsed(int64_t ns, char buf[static 32])
{
        double v = (double)ns;
        if (ns < 1000000)
                snprintf(buf, 32, "%.0f us", v / 1e3);
        else if (ns < 1000000000)
                snprintf(buf, 32, "%.*f ms", ns < 10000000 ? 2 : 1, v / 1e6);
        else if (ns < 60000000000)
                snprintf(buf, 32, "%.1f s", v / 1e9);
        else
                snprintf(buf, 32, "%" PRId64 "m%02" PRId64 "s", ns / 60000000000, ns / 1000000000 % 60);
        return buf;
}

const char *cli__when(int64_t wall_ns, char buf[static 32])
{
        time_t t = (time_t)(wall_ns / 1000000000);
        struct tm tm;
        if (wall_ns <= 0 || !localtime_r(&t, &tm) || !strftime(buf, 32, "%Y-%m-%d %H:%M:%S", &tm))
                snprintf(buf, 32, "-");
        return buf;
}

void cli__put_name(const struct cli *c, const char *name)
{
        if (!c->tty_out) {
                fputs(name, stdout);
                return;
        }
        for (const char *p = name; *p; p++)
                putchar((unsigned char)*p < 0x20 || *p == 0x7f ? '?' : *p);
}

bool cli__confirm(const char *question)
{
        char line[16];
        if (!isatty(STDIN_FILENO))
                return false;
        fprintf(stderr, "%s [y/N] ", question);
        return fgets(line, sizeof(line), stdin) && tolower((unsigned char)line[0]) == 'y';
}

/* ---- URIs of the command line ---- */

int cli__uri(const char *text, struct cli_uri *ret)
{
        struct orlop_error e;
        if (orlop_uri_parse(text, &ret->bucket, ret->object, &e)) {
                cli__error("%s", e.message);
                return CLI_USAGE;
        }
        if (ret->bucket.name[0])
                return 0;
        cli__error("\"%s\" names no bucket: expected ais://BUCKET or ais://BUCKET/OBJECT", text);
        return CLI_USAGE;
}

int cli__uri_object(const char *text, struct cli_uri *ret)
{
        int code = cli__uri(text, ret);
        if (!code && !ret->object[0]) {
                cli__error("\"%s\" names no object: expected ais://BUCKET/OBJECT", text);
                code = CLI_USAGE;
        }
        return code;
}

int cli__uri_bucket(const char *text, struct cli_uri *ret)
{
        int code = cli__uri(text, ret);
        if (!code && ret->object[0]) {
                cli__error("\"%s\" names an object: expected a bucket, ais://BUCKET", text);
                code = CLI_USAGE;
        }
        return code;
}
