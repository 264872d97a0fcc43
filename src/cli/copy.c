/* cli/copy.c: put, get, cp, mv and cat: which bytes go where. Each is a producer that names pairs, and workers that move them. */
#include <string.h>
#include <unistd.h>

#include "cli/priv.h"
#include "os/clock.h"
#include "os/file.h"

/* ---- uploads ---- */

struct upload {
        struct cli *cli;
        struct cli_work work;
        struct cli_put_how how;
        struct cli_uri to;
        const char *prefix; /* of the objects of this source */
        bool remove;
};

static int upload_item(struct cli_work *w, struct cli_item *item)
{
        struct upload *u = w->arg;
        if (item->shared)
                return cli__put_part(w, item);
        if (cli__interrupted())
                return CLI_INTERRUPTED;
        int code = cli__put_file(w, &u->how, item->from, &u->to.bucket, item->to);
        if (!code && u->remove && unlink(item->from) != 0) {
                cli__error("%s is stored but could not be removed", item->from);
                return CLI_FAILED;
        }
        return code;
}

/* Queues one file, in parts when it is large. */
static bool upload_add(struct upload *u, const char *path, const char *object, uint64_t size)
{
        if (strlen(object) > ORLOP_OBJECT_MAX) {
                cli__error("%s: object names have at most %d bytes, skipped", path, ORLOP_OBJECT_MAX);
                int none = CLI_OK;
                atomic_compare_exchange_strong(&u->work.worst, &none, CLI_FAILED);
                atomic_fetch_add(&u->work.progress.failed, 1);
                return true;
        }
        atomic_fetch_add(&u->work.progress.total, 1);
        atomic_fetch_add(&u->work.progress.bytes_total, size);
        if (size > u->how.part_above && !u->remove) {
                int none = CLI_OK, code = cli__put_parts(&u->work, &u->how, path, size, &u->to.bucket, object);
                if (code)
                        atomic_compare_exchange_strong(&u->work.worst, &none, code);
                return !cli__interrupted();
        }
        struct cli_item item = { .from = (char *)(uintptr_t)path, .to = (char *)(uintptr_t)object, .size = size };
        return cli__work_add(&u->work, &item);
}

static bool upload_found(void *arg, const char *path, const char *below, uint64_t size)
{
        struct upload *u = arg;
        AUTO_FREE char *object = cli__join(u->prefix, below);
        return object && upload_add(u, path, object, size);
}

/* One source of the command line. Returns an exit code for what cannot even start. */
static int upload_source(struct upload *u, const char *source, bool recursive, bool several)
{
        struct stat st;
        const char *object = u->to.object;
        size_t n = strlen(object);
        bool into = !n || object[n - 1] == '/' || several;
        if (strcmp(source, "-") == 0) {
                if (into) {
                        cli__error("standard input needs an object's name: ais://BUCKET/OBJECT");
                        return CLI_USAGE;
                }
                atomic_fetch_add(&u->work.progress.total, 1);
                return cli__put_stdin(&u->work, &u->how, &u->to.bucket, object);
        }
        if (stat(source, &st) != 0) {
                cli__error("%s: no such file or directory", source);
                return CLI_NOT_FOUND;
        }
        if (S_ISDIR(st.st_mode)) {
                if (!recursive) {
                        cli__error("%s is a directory: use -r to store all files below it", source);
                        return CLI_USAGE;
                }
                unsigned skipped = 0;
                u->prefix = object;
                struct err *e = cli__tree_walk(source, upload_found, u, &skipped);
                if (e)
                        return cli__fail_err(e);
                return skipped ? CLI_FAILED : CLI_OK;
        }
        AUTO_FREE char *name = cli__join(into ? object : "", into ? cli__basename(source) : object);
        if (!name)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        upload_add(u, source, name, (uint64_t)st.st_size);
        return CLI_OK;
}

int cli__upload(struct cli *c, const struct cli_args *a, const char *const *sources, unsigned n, const char *uri, bool remove, const char *verb)
{
        const char *custom[CLI_OPTIONS_MAX + 1];
        unsigned jobs;
        AUTO_FREE struct upload *u = calloc(1, sizeof(*u));
        if (!u)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        *u = (struct upload){ .cli = c, .remove = remove };
        int code = cli__uri(uri, &u->to);
        if (code)
                return code;
        struct err *e = cli__put_how(a, custom, &u->how);
        if (!e)
                e = cli__jobs(a, &jobs);
        if (e)
                return cli__usage(a, e);
        e = cli__work_start(&u->work, c, a, jobs, upload_item, u);
        if (e)
                return cli__fail_err(e);
        for (unsigned i = 0; i < n && !cli__interrupted(); i++) {
                int none = CLI_OK;
                code = upload_source(u, sources[i], cli_has(a, "recursive"), n > 1);
                if (code)
                        atomic_compare_exchange_strong(&u->work.worst, &none, code);
        }
        code = cli__work_finish(&u->work);
        if (atomic_load(&u->work.progress.done) || atomic_load(&u->work.progress.failed) || !code)
                cli__work_summary(&u->work, verb);
        return code;
}

/* ---- downloads ---- */

struct download {
        struct cli *cli;
        struct cli_work work;
        struct cli_uri from;
        const char *dest;
        const struct orlop_get_options *options; /* null: whole objects */
        size_t cut; /* bytes of a name that are not part of the local path */
        bool remove;
        bool (*add)(struct download *d, const struct orlop_entry *e);
};

static int remove_source(struct download *d, const char *object)
{
        struct orlop_error e;
        char uri[ORLOP_OBJECT_MAX + 256];
        if (orlop_remove(d->cli->h, &d->from.bucket, object, &e) && e.code != ORLOP_NOT_FOUND)
                return cli__fail(&e, "remove %s", orlop_uri_text(&d->from.bucket, object, uri, sizeof(uri)));
        return CLI_OK;
}

static int download_item(struct cli_work *w, struct cli_item *item)
{
        struct download *d = w->arg;
        if (cli__interrupted())
                return CLI_INTERRUPTED;
        int code = cli__get_file(w, d->options, &d->from.bucket, item->from, item->to);
        return !code && d->remove ? remove_source(d, item->from) : code;
}

static bool found_entry(void *arg, const struct orlop_entry *e)
{
        struct download *d = arg;
        if (e->dir)
                return true;
        atomic_fetch_add(&d->work.progress.total, 1);
        atomic_fetch_add(&d->work.progress.bytes_total, e->size);
        return d->add(d, e);
}

/* A name may hold empty elements but neither "." nor ".."; still, nothing outside the directory is ever written. */
static bool safe_below(const char *below)
{
        struct str rest = str_of(below);
        while (rest.n) {
                struct str part = str_cut(&rest, '/');
                if (str_eq(part, STR("..")) || str_eq(part, STR(".")))
                        return false;
        }
        return below[0] != '\0' && below[strlen(below) - 1] != '/';
}

static bool download_add(struct download *d, const struct orlop_entry *e)
{
        const char *below = e->name + MIN(d->cut, strlen(e->name));
        while (*below == '/')
                below++;
        if (!safe_below(below)) {
                int none = CLI_OK;
                cli__error("\"%s\" is no usable file name, skipped", e->name);
                atomic_compare_exchange_strong(&d->work.worst, &none, CLI_FAILED);
                return true;
        }
        AUTO_FREE char *path = cli__join(d->dest, below);
        struct cli_item item = { .from = (char *)(uintptr_t)e->name, .to = path, .size = e->size };
        return path && cli__work_add(&d->work, &item);
}

/* Names below "dir/" lose all of it; names that begin with "pre" lose what is before its last slash. */
static size_t cut_of(const char *prefix)
{
        const char *slash = strrchr(prefix, '/');
        return slash ? (size_t)(slash - prefix) + 1 : 0;
}

/* Lists and queues; returns an exit code for a list that failed. */
static int list_into(struct download *d)
{
        struct orlop_error e;
        char uri[ORLOP_OBJECT_MAX + 256];
        enum orlop_code code = orlop_list(d->cli->h, &d->from.bucket, d->from.object, NULL, ORLOP_LIST_RECURSIVE, found_entry, d, &e);
        if (!code && atomic_load(&d->work.progress.total) == 0) {
                cli__error("%s: no object begins with that", orlop_uri_text(&d->from.bucket, d->from.object, uri, sizeof(uri)));
                return CLI_NOT_FOUND;
        }
        return code ? cli__fail(&e, "list %s", orlop_uri_text(&d->from.bucket, d->from.object, uri, sizeof(uri))) : CLI_OK;
}

static void note(struct download *d, int code)
{
        int none = CLI_OK;
        if (code)
                atomic_compare_exchange_strong(&d->work.worst, &none, code);
}

/* "A-B", "A-" or "-N" into options. */
static struct err *parse_range(const char *text, struct orlop_get_options *ret)
{
        struct str rest = str_of(text), first = str_cut(&rest, '-');
        uint64_t a = 0, b = 0;
        bool ok = strchr(text, '-') && (first.n || rest.n) && (!first.n || str_u64(first, &a)) && (!rest.n || str_u64(rest, &b)) &&
                  a <= INT64_MAX / 2 && b <= INT64_MAX / 2 && (!first.n || !rest.n || a <= b) && (first.n || b > 0);
        if (!ok)
                return err_new(ERR_INVALID, "--range: expected FIRST-LAST, FIRST- or -COUNT in bytes, not \"%s\"", text);
        if (!first.n)
                ret->offset = -(int64_t)b;
        else
                *ret = (struct orlop_get_options){ .offset = (int64_t)a, .length = rest.n ? (int64_t)(b - a + 1) : 0 };
        return NULL;
}

static struct err *get_options(const struct cli_args *a, struct orlop_get_options *ret)
{
        const char *range = cli_opt(a, "range");
        *ret = (struct orlop_get_options){ 0 };
        if (range)
                TRY(parse_range(range, ret));
        ret->archive_path = cli_opt(a, "archpath");
        ret->no_verify = cli_has(a, "no-verify");
        return NULL;
}

static int download_one(struct download *d, const struct orlop_get_options *o, const char *dest)
{
        const char *base = o->archive_path ? cli__basename(o->archive_path) : cli__basename(d->from.object);
        size_t n = strlen(dest);
        bool into = cli__is_dir(dest) || (n && dest[n - 1] == '/');
        AUTO_FREE char *path = into ? cli__join(dest, base) : strdup(dest);
        if (!path)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        d->options = o;
        atomic_fetch_add(&d->work.progress.total, 1);
        struct cli_item item = { .from = d->from.object, .to = path };
        return cli__work_add(&d->work, &item) ? CLI_OK : CLI_FAILED;
}

int cli__download(struct cli *c, const struct cli_args *a, const char *uri, const char *dest, bool remove, const char *verb)
{
        struct orlop_get_options o;
        unsigned jobs;
        bool recursive = cli_has(a, "recursive"), to_stdout = strcmp(dest, "-") == 0;
        AUTO_FREE struct download *d = calloc(1, sizeof(*d));
        if (!d)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        *d = (struct download){ .cli = c, .dest = dest, .remove = remove, .add = download_add };
        int code = recursive ? cli__uri(uri, &d->from) : cli__uri_object(uri, &d->from);
        if (code)
                return code;
        struct err *e = get_options(a, &o);
        if (!e)
                e = cli__jobs(a, &jobs);
        if (!e && recursive && (to_stdout || cli_has(a, "range") || o.archive_path))
                e = err_new(ERR_INVALID, "-r goes with neither \"-\" nor --range nor --archpath");
        if (e)
                return cli__usage(a, e);
        e = cli__work_start(&d->work, c, a, to_stdout || !recursive ? 1 : jobs, download_item, d);
        if (e)
                return cli__fail_err(e);
        d->cut = cut_of(d->from.object);
        if (to_stdout) {
                code = cli__get_stdout(&d->work, &o, &d->from.bucket, d->from.object);
                if (!code && remove)
                        code = remove_source(d, d->from.object);
        } else {
                code = recursive ? list_into(d) : download_one(d, &o, dest);
        }
        note(d, code);
        code = cli__work_finish(&d->work);
        if (!to_stdout && (atomic_load(&d->work.progress.done) || atomic_load(&d->work.progress.failed)))
                cli__work_summary(&d->work, verb);
        return code;
}

/* ---- inside the cluster ---- */

struct remote {
        struct download from; /* its producer */
        struct cli_uri to;
        size_t cut;
};

static int remote_copy(struct remote *r, const char *from, const char *to)
{
        struct orlop_error e;
        char uri[ORLOP_OBJECT_MAX + 256];
        const struct orlop_bucket *b = &r->from.from.bucket;
        bool same = strcmp(b->name, r->to.bucket.name) == 0 && strcmp(b->provider, r->to.bucket.provider) == 0 &&
                    strcmp(b->namespace_, r->to.bucket.namespace_) == 0;
        if (same && strcmp(from, to) == 0) {
                cli__error("%s: source and destination are the same", orlop_uri_text(b, from, uri, sizeof(uri)));
                return CLI_FAILED;
        }
        enum orlop_code code = same && r->from.remove ? orlop_rename(r->from.cli->h, b, from, to, &e)
                                                      : orlop_copy(r->from.cli->h, b, from, &r->to.bucket, to, &e);
        if (code)
                return cli__fail(&e, "%s %s", r->from.remove ? "move" : "copy", orlop_uri_text(b, from, uri, sizeof(uri)));
        return r->from.remove && !same ? remove_source(&r->from, from) : CLI_OK;
}

static int remote_item(struct cli_work *w, struct cli_item *item)
{
        if (cli__interrupted())
                return CLI_INTERRUPTED;
        int64_t start = clock_mono_ns();
        int code = remote_copy(w->arg, item->from, item->to);
        cli__work_done(w, code == CLI_OK, start);
        if (!code)
                atomic_fetch_add(&w->progress.bytes, item->size);
        return code;
}

static bool remote_add(struct download *d, const struct orlop_entry *e)
{
        struct remote *r = CONTAINER_OF(d, struct remote, from);
        AUTO_FREE char *to = cli__join(r->to.object, e->name + MIN(r->cut, strlen(e->name)));
        struct cli_item item = { .from = (char *)(uintptr_t)e->name, .to = to, .size = e->size };
        return to && cli__work_add(&d->work, &item);
}

static int remote_one(struct remote *r)
{
        struct download *d = &r->from;
        const char *name = r->to.object;
        size_t n = strlen(name);
        bool into = !n || name[n - 1] == '/';
        AUTO_FREE char *to = cli__join(into ? name : "", into ? cli__basename(d->from.object) : name);
        if (!to)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        atomic_fetch_add(&d->work.progress.total, 1);
        struct cli_item item = { .from = d->from.object, .to = to };
        return cli__work_add(&d->work, &item) ? CLI_OK : CLI_FAILED;
}

/* Copies below their own source would be found by the list that feeds them, and copied again. */
static bool feeds_itself(const struct remote *r)
{
        const struct orlop_bucket *from = &r->from.from.bucket, *to = &r->to.bucket;
        return strcmp(from->name, to->name) == 0 && strcmp(from->provider, to->provider) == 0 &&
               strcmp(from->namespace_, to->namespace_) == 0 && str_starts(str_of(r->to.object), str_of(r->from.from.object));
}

static int remote(struct cli *c, const struct cli_args *a, const char *from, const char *to, bool remove, const char *verb)
{
        unsigned jobs;
        bool recursive = cli_has(a, "recursive");
        AUTO_FREE struct remote *r = calloc(1, sizeof(*r));
        if (!r)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        r->from = (struct download){ .cli = c, .remove = remove, .add = remote_add };
        int code = recursive ? cli__uri(from, &r->from.from) : cli__uri_object(from, &r->from.from);
        if (!code)
                code = cli__uri(to, &r->to);
        if (code)
                return code;
        struct err *e = cli__jobs(a, &jobs);
        if (!e && recursive && feeds_itself(r))
                e = err_new(ERR_INVALID, "%s -r: the destination lies within the source", verb);
        if (e)
                return cli__usage(a, e);
        e = cli__work_start(&r->from.work, c, a, jobs, remote_item, r);
        if (e)
                return cli__fail_err(e);
        r->cut = cut_of(r->from.from.object);
        code = recursive ? list_into(&r->from) : remote_one(r);
        note(&r->from, code);
        code = cli__work_finish(&r->from.work);
        if (atomic_load(&r->from.work.progress.done) || atomic_load(&r->from.work.progress.failed))
                cli__work_summary(&r->from.work, verb);
        return code;
}

/* ---- commands ---- */

int cli__run_put(struct cli *c, const struct cli_args *a)
{
        return cli__upload(c, a, a->pos, a->npos - 1, a->pos[a->npos - 1], false, "put");
}

int cli__run_get(struct cli *c, const struct cli_args *a)
{
        return cli__download(c, a, a->pos[0], a->npos > 1 ? a->pos[1] : ".", false, "get");
}

int cli__run_cat(struct cli *c, const struct cli_args *a)
{
        for (unsigned i = 0; i < a->npos; i++) {
                int code = cli__download(c, a, a->pos[i], "-", false, "cat");
                if (code)
                        return code;
        }
        return CLI_OK;
}

/* Without a scheme on either side nobody can tell which is local. */
static int copy_or_move(struct cli *c, const struct cli_args *a, bool remove)
{
        const char *verb = remove ? "mv" : "cp";
        const char *to = a->pos[a->npos - 1];
        bool to_remote = orlop_uri_has_scheme(to), from_remote = orlop_uri_has_scheme(a->pos[0]);
        for (unsigned i = 1; i + 1 < a->npos; i++)
                if (orlop_uri_has_scheme(a->pos[i]) != from_remote)
                        return cli__usage(a, err_new(ERR_INVALID, "sources must all be local, or all be remote"));
        if (!to_remote && !from_remote)
                return cli__usage(a, err_new(ERR_INVALID, "%s: source or destination must be a URI with a scheme, like ais://bucket/object", verb));
        if (!from_remote)
                return cli__upload(c, a, a->pos, a->npos - 1, to, remove, verb);
        for (unsigned i = 0; i + 1 < a->npos; i++) {
                int code = to_remote ? remote(c, a, a->pos[i], to, remove, verb) : cli__download(c, a, a->pos[i], to, remove, verb);
                if (code)
                        return code;
        }
        return CLI_OK;
}

int cli__run_cp(struct cli *c, const struct cli_args *a)
{
        return copy_or_move(c, a, false);
}

int cli__run_mv(struct cli *c, const struct cli_args *a)
{
        return copy_or_move(c, a, true);
}
