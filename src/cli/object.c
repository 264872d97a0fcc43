/* cli/object.c: commands on objects that are not transfers: ls, head, rm, append, promote. */
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/priv.h"
#include "os/clock.h"

/* ---- ls ---- */

struct listing {
        const struct cli *cli;
        const struct orlop_bucket *bucket;
        bool details, summary;
        uint64_t objects, dirs, bytes;
};

static void entry_json(const struct listing *l, const struct orlop_entry *e)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, false); /* one line per object, so that lists stream */
        jw_object(&w, NULL);
        jw_cstr(&w, "name", e->name);
        if (e->dir) {
                jw_bool(&w, "dir", true);
        } else {
                jw_uint(&w, "size", e->size);
                if (l->details) {
                        jw_cstr(&w, "checksum", e->checksum);
                        jw_cstr(&w, "version", e->version);
                        jw_cstr(&w, "atime", e->atime);
                        jw_cstr(&w, "custom", e->custom);
                        jw_uint(&w, "copies", e->copies);
                        jw_cstr(&w, "location", e->location);
                }
        }
        jw_object_end(&w);
        buf_addc(&b, '\n');
        fwrite(b.p, 1, b.n, stdout);
}

static void entry_text(const struct listing *l, const struct orlop_entry *e)
{
        if (l->details) {
                char size[32];
                printf("%10s  %-20s  %4s  %-16s  ", e->dir ? "-" : cli__bytes(e->size, size), e->atime[0] ? e->atime : "-",
                       e->version[0] ? e->version : "-", e->checksum[0] ? e->checksum : "-");
        }
        cli__put_name(l->cli, e->name);
        putchar('\n');
}

static bool list_entry(void *arg, const struct orlop_entry *e)
{
        struct listing *l = arg;
        if (e->dir)
                l->dirs++;
        else
                l->objects++;
        l->bytes += e->size;
        if (l->summary)
                return !cli__interrupted();
        if (l->cli->json)
                entry_json(l, e);
        else
                entry_text(l, e);
        return !cli__interrupted() && !ferror(stdout);
}

static void list_totals(const struct listing *l, const char *uri)
{
        if (l->cli->json) {
                struct buf b = BUF_INIT;
                struct json_w w;
                cli__json_begin(l->cli, &w, &b);
                jw_cstr(&w, "uri", uri);
                jw_uint(&w, "objects", l->objects);
                jw_uint(&w, "bytes", l->bytes);
                cli__json_end(&w);
                return;
        }
        char count[32], size[32];
        printf("%s: %s objects, %s (%" PRIu64 " bytes)\n", uri, cli__count(l->objects, count), cli__bytes(l->bytes, size), l->bytes);
}

static int list_objects(struct cli *c, const struct cli_args *a, const char *text)
{
        struct cli_uri u;
        struct orlop_error e;
        char uri[ORLOP_OBJECT_MAX + 256];
        int code = cli__uri(text, &u);
        if (code)
                return code;
        const char *extra = cli_opt(a, "prefix");
        AUTO_FREE char *prefix = extra && u.object[0] ? cli__join(u.object, extra) : strdup(extra ? extra : u.object);
        if (!prefix)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        struct listing l = { .cli = c, .bucket = &u.bucket, .details = cli_has(a, "long"), .summary = cli_has(a, "summary") };
        bool deep = cli_has(a, "recursive") || l.summary;
        orlop_uri_text(&u.bucket, prefix[0] ? prefix : NULL, uri, sizeof(uri));
        enum orlop_code r = orlop_list(c->h, &u.bucket, prefix, cli_opt(a, "start-after"),
                                       (deep ? ORLOP_LIST_RECURSIVE : 0) | (l.details ? ORLOP_LIST_DETAILS : 0), list_entry, &l, &e);
        if (r == ORLOP_CANCELLED && ferror(stdout))
                return CLI_OK; /* told by cli__flush */
        if (r)
                return cli__fail(&e, "list %s", uri);
        if (l.summary)
                list_totals(&l, uri);
        return CLI_OK;
}

int cli__run_ls(struct cli *c, const struct cli_args *a)
{
        static const char *const schemes[] = { "ais://", "s3://", "gs://", "az://", "oc://" };
        for (size_t i = 0; i < ARRAY_LEN(schemes) && a->npos == 1; i++)
                if (strcmp(a->pos[0], schemes[i]) == 0)
                        return cli__run_bucket_ls(c, a);
        if (a->npos == 0)
                return cli__run_bucket_ls(c, a);
        for (unsigned i = 0; i < a->npos; i++) {
                int code = list_objects(c, a, a->pos[i]);
                if (code)
                        return code;
        }
        return CLI_OK;
}

/* ---- head ---- */

static void head_json(const struct cli *c, const char *uri, const struct orlop_info *i)
{
        struct buf b = BUF_INIT;
        struct json_w w;
        cli__json_begin(c, &w, &b);
        jw_cstr(&w, "uri", uri);
        jw_uint(&w, "size", i->size);
        jw_cstr(&w, "checksum_type", i->cksum_type);
        jw_cstr(&w, "checksum", i->cksum_value);
        jw_cstr(&w, "version", i->version);
        jw_int(&w, "atime_ns", i->atime_ns);
        jw_cstr(&w, "last_modified", i->last_modified);
        jw_cstr(&w, "etag", i->etag);
        jw_uint(&w, "copies", i->copies);
        jw_cstr(&w, "location", i->location);
        jw_object(&w, "custom");
        const char *kv = i->custom;
        for (unsigned k = 0; k < i->ncustom; k++, kv += strlen(kv) + 1) {
                struct str rest = str_of(kv), key = str_cut(&rest, '=');
                AUTO_FREE char *name = str_dup(key);
                if (name)
                        jw_str(&w, name, rest);
        }
        jw_object_end(&w);
        cli__json_end(&w);
}

static void head_text(const char *uri, const struct orlop_info *i)
{
        char size[32], when[32];
        printf("uri            %s\n", uri);
        printf("size           %" PRIu64 " (%s)\n", i->size, cli__bytes(i->size, size));
        printf("checksum       %s %s\n", i->cksum_type[0] ? i->cksum_type : "none", i->cksum_value);
        printf("version        %s\n", i->version[0] ? i->version : "-");
        printf("accessed       %s\n", cli__when(i->atime_ns, when));
        printf("modified       %s\n", i->last_modified[0] ? i->last_modified : "-");
        printf("etag           %s\n", i->etag[0] ? i->etag : "-");
        printf("copies         %u\n", i->copies);
        printf("location       %s\n", i->location[0] ? i->location : "-");
        const char *kv = i->custom;
        for (unsigned k = 0; k < i->ncustom; k++, kv += strlen(kv) + 1)
                printf("custom         %s\n", kv);
}

static int head_one(struct cli *c, const char *text)
{
        struct cli_uri u;
        struct orlop_info info;
        struct orlop_error e;
        char uri[ORLOP_OBJECT_MAX + 256];
        int code = cli__uri_object(text, &u);
        if (code)
                return code;
        orlop_uri_text(&u.bucket, u.object, uri, sizeof(uri));
        if (orlop_head(c->h, &u.bucket, u.object, &info, &e))
                return cli__fail(&e, "head %s", uri);
        if (c->json)
                head_json(c, uri, &info);
        else if (!c->quiet)
                head_text(uri, &info);
        return CLI_OK;
}

int cli__run_head(struct cli *c, const struct cli_args *a)
{
        int worst = CLI_OK;
        unsigned good = 0;
        for (unsigned i = 0; i < a->npos && !cli__interrupted(); i++) {
                int code = head_one(c, a->pos[i]);
                good += code == CLI_OK;
                worst = worst ? worst : code;
        }
        return worst && good ? CLI_PARTIAL : worst;
}

/* ---- rm ---- */

struct removal {
        struct cli *cli;
        struct cli_work work;
        struct cli_uri u;
        bool force;
};

static int remove_item(struct cli_work *w, struct cli_item *item)
{
        struct removal *r = w->arg;
        struct orlop_error e;
        struct cli_uri u;
        char uri[ORLOP_OBJECT_MAX + 256];
        if (cli__interrupted())
                return CLI_INTERRUPTED;
        int64_t start = clock_mono_ns();
        const struct orlop_bucket *b = &r->u.bucket;
        /* Several names of the command line may lie in several buckets. */
        if (item->to) {
                if (cli__uri(item->to, &u))
                        return CLI_USAGE;
                b = &u.bucket;
        }
        enum orlop_code code = orlop_remove(w->cli->h, b, item->from, &e);
        bool ok = !code || (code == ORLOP_NOT_FOUND && r->force && !strstr(e.tcode, "Bck"));
        cli__work_done(w, ok, start);
        if (ok)
                atomic_fetch_add(&w->progress.bytes, item->size);
        return ok ? CLI_OK : cli__fail(&e, "remove %s", orlop_uri_text(b, item->from, uri, sizeof(uri)));
}

static bool remove_found(void *arg, const struct orlop_entry *e)
{
        struct removal *r = arg;
        struct cli_item item = { .from = (char *)(uintptr_t)e->name, .size = e->size };
        atomic_fetch_add(&r->work.progress.total, 1);
        atomic_fetch_add(&r->work.progress.bytes_total, e->size);
        return cli__work_add(&r->work, &item);
}

static int remove_below(struct removal *r, const char *text)
{
        struct orlop_error e;
        char uri[ORLOP_OBJECT_MAX + 256];
        uint64_t before = atomic_load(&r->work.progress.total);
        orlop_uri_text(&r->u.bucket, r->u.object, uri, sizeof(uri));
        if (orlop_list(r->cli->h, &r->u.bucket, r->u.object, NULL, ORLOP_LIST_RECURSIVE, remove_found, r, &e))
                return cli__fail(&e, "list %s", uri);
        if (atomic_load(&r->work.progress.total) == before && !r->force) {
                cli__error("%s: no object begins with that", text);
                return CLI_NOT_FOUND;
        }
        return CLI_OK;
}

static int remove_named(struct removal *r, const char *text)
{
        struct cli_uri u;
        int code = cli__uri_object(text, &u);
        if (code)
                return code;
        char bucket[256];
        struct cli_item item = { .from = u.object, .to = (char *)(uintptr_t)orlop_uri_text(&u.bucket, NULL, bucket, sizeof(bucket)) };
        atomic_fetch_add(&r->work.progress.total, 1);
        cli__work_add(&r->work, &item);
        return CLI_OK;
}

/* Before a whole bucket or a tree is emptied, a person at a terminal is asked once. */
static bool remove_allowed(const struct cli *c, const struct cli_args *a)
{
        char question[ORLOP_OBJECT_MAX + 256];
        if (!cli_has(a, "recursive") || cli_has(a, "force") || !c->tty_err || !isatty(STDIN_FILENO))
                return true;
        snprintf(question, sizeof(question), "Remove all objects below %s%s?", a->pos[0], a->npos > 1 ? " and the others" : "");
        return cli__confirm(question);
}

static int remove_arg(struct removal *r, const char *text, bool recursive)
{
        if (!recursive)
                return remove_named(r, text);
        int code = cli__uri(text, &r->u);
        return code ? code : remove_below(r, text);
}

int cli__run_rm(struct cli *c, const struct cli_args *a)
{
        unsigned jobs;
        bool recursive = cli_has(a, "recursive");
        AUTO_FREE struct removal *r = calloc(1, sizeof(*r));
        struct err *e = r ? cli__jobs(a, &jobs) : err_static(ERR_NO_MEMORY);
        if (!e && recursive && a->npos > 1)
                e = err_new(ERR_INVALID, "rm -r takes one URI at a time");
        if (e)
                return cli__usage(a, e);
        if (!remove_allowed(c, a))
                return CLI_FAILED;
        r->cli = c;
        r->force = cli_has(a, "force");
        e = cli__work_start(&r->work, c, a, jobs, remove_item, r);
        if (e)
                return cli__fail_err(e);
        for (unsigned i = 0; i < a->npos && !cli__interrupted(); i++) {
                int none = CLI_OK, code = remove_arg(r, a->pos[i], recursive);
                if (code)
                        atomic_compare_exchange_strong(&r->work.worst, &none, code);
        }
        int code = cli__work_finish(&r->work);
        if (recursive && !code)
                cli__work_summary(&r->work, "rm");
        return code;
}

/* ---- append ---- */

struct append_source {
        FILE *f;
        bool seekable;
};

static bool append_read(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct append_source *s = arg;
        *ret_n = fread(p, 1, n, s->f);
        return !ferror(s->f) && !cli__interrupted();
}

static bool append_rewind(void *arg)
{
        struct append_source *s = arg;
        return fseeko(s->f, 0, SEEK_SET) == 0;
}

int cli__run_append(struct cli *c, const struct cli_args *a)
{
        struct cli_uri u;
        struct orlop_error e;
        char uri[ORLOP_OBJECT_MAX + 256];
        int code = cli__uri_object(a->pos[1], &u);
        if (code)
                return code;
        bool from_stdin = strcmp(a->pos[0], "-") == 0;
        struct append_source s = { from_stdin ? stdin : fopen(a->pos[0], "rb"), !from_stdin };
        if (!s.f) {
                cli__error("%s: cannot be opened", a->pos[0]);
                return CLI_NOT_FOUND;
        }
        struct orlop_source source = { -1, append_read, s.seekable ? append_rewind : NULL, &s };
        orlop_uri_text(&u.bucket, u.object, uri, sizeof(uri));
        enum orlop_code r = orlop_append(c->h, &u.bucket, u.object, &source, &e);
        if (!from_stdin)
                fclose(s.f);
        if (r)
                return cli__fail(&e, "append to %s", uri);
        cli__say(c, "appended to %s\n", uri);
        return CLI_OK;
}

/* ---- promote ---- */

int cli__run_promote(struct cli *c, const struct cli_args *a)
{
        struct cli_uri u;
        struct orlop_error e;
        char job[64];
        int code = cli__uri(a->pos[1], &u);
        if (code)
                return code;
        struct orlop_promote_options o = {
                .object = u.object,
                .recursive = cli_has(a, "recursive"),
                .overwrite = cli_has(a, "overwrite"),
                .remove_source = cli_has(a, "delete-source"),
        };
        if (orlop_promote(c->h, &u.bucket, a->pos[0], &o, job, &e))
                return cli__fail(&e, "promote %s", a->pos[0]);
        return cli__job_started(c, a, "promote", job);
}
