/* cli/bucket.c: commands on buckets and their properties. */
#include <inttypes.h>
#include <string.h>

#include "cli/priv.h"

static const char *text_of(const struct orlop_bucket *b, char buf[static 256])
{
        return orlop_uri_text(b, NULL, buf, 256);
}

/* ---- KEY=VALUE arguments into nested JSON, typed like what is there ---- */

static struct err *typed(const json_t *like, const char *key, struct str value, json_t **ret)
{
        bool b;
        int64_t n;
        if (json_is_boolean(like)) {
                if (!str_bool(value, &b))
                        return err_new(ERR_INVALID, "%s: expected true or false, not \"" STR_FMT "\"", key, STR_ARG(value));
                *ret = json_boolean(b);
        } else if (json_is_integer(like)) {
                if (!str_i64(value, &n))
                        return err_new(ERR_INVALID, "%s: expected a number, not \"" STR_FMT "\"", key, STR_ARG(value));
                *ret = json_integer(n);
        } else {
                *ret = json_stringn(value.p, value.n);
        }
        return *ret ? NULL : err_new(ERR_INVALID, "%s: the value is not UTF-8", key);
}

/* Puts one "a.b=v" into out; `like` is the document that knows the types. */
static struct err *set_path(json_t *out, const json_t *like, const char *arg)
{
        struct str value = str_of(arg), path = str_cut(&value, '=');
        AUTO_FREE char *key = str_dup(path);
        if (!strchr(arg, '=') || !path.n || !key)
                return err_new(ERR_INVALID, "expected KEY=VALUE, not \"%s\"", arg);
        for (;;) {
                struct str name = str_cut(&path, '.');
                AUTO_FREE char *part = str_dup(name);
                if (!part)
                        return err_static(ERR_NO_MEMORY);
                like = json_object_get(like, part);
                if (path.n) {
                        json_t *next = json_object_get(out, part);
                        if (!next)
                                json_object_set_new(out, part, next = json_object());
                        out = next;
                        continue;
                }
                json_t *leaf;
                TRY(typed(like, key, value, &leaf));
                json_object_set_new(out, part, leaf);
                return NULL;
        }
}

static struct err *props_of_args(const char *const *args, unsigned n, const json_t *like, char **ret)
{
        AUTO_JSON json_t *out = json_object();
        for (unsigned i = 0; i < n; i++)
                TRY(set_path(out, like, args[i]));
        *ret = json_dumps(out, JSON_COMPACT);
        return *ret ? NULL : err_static(ERR_NO_MEMORY);
}

/* ---- life ---- */

/* Types of properties before the bucket exists: the cluster's configuration has the same sections. */
static int create_props(struct cli *c, const struct cli_args *a, char **ret)
{
        AUTO_JSON json_t *config = NULL;
        unsigned n = 0;
        const char *list[CLI_OPTIONS_MAX + 1];
        for (const char *v; (v = cli_opt_nth(a, "props", n)); n++)
                list[n] = v;
        if (n == 0)
                return CLI_OK;
        int code = cli__get_json(c, "/v1/cluster", "what=cluster_config", NULL, NULL, &config);
        if (code)
                return code;
        struct err *e = props_of_args(list, n, config, ret);
        return e ? cli__usage(a, e) : CLI_OK;
}

int cli__run_bucket_create(struct cli *c, const struct cli_args *a)
{
        AUTO_FREE char *props = NULL;
        int code = create_props(c, a, &props), worst = CLI_OK;
        unsigned good = 0;
        if (code)
                return code;
        for (unsigned i = 0; i < a->npos; i++) {
                struct cli_uri u;
                struct orlop_error e;
                char uri[256];
                code = cli__uri_bucket(a->pos[i], &u);
                enum orlop_code r = code ? ORLOP_INVALID : orlop_bucket_create(c->h, &u.bucket, props, &e);
                bool exists = r == ORLOP_CONFLICT && cli_has(a, "ignore-existing");
                if (!code && r && !exists)
                        code = cli__fail(&e, "create %s", text_of(&u.bucket, uri));
                if (!code)
                        cli__say(c, exists ? "%s exists\n" : "%s created\n", text_of(&u.bucket, uri));
                good += code == CLI_OK;
                worst = worst ? worst : code;
        }
        return worst && good ? CLI_PARTIAL : worst;
}

struct emptiness {
        uint64_t objects;
};

static bool count_one(void *arg, const struct orlop_entry *e)
{
        struct emptiness *s = arg;
        (void)e;
        s->objects++;
        return false;
}

/* A bucket with objects goes only when asked for twice: --force, or "y" at the terminal. */
static int may_destroy(struct cli *c, const struct cli_args *a, const struct orlop_bucket *b)
{
        struct emptiness s = { 0 };
        struct orlop_error e;
        char uri[256], question[320];
        if (cli_has(a, "force"))
                return CLI_OK;
        enum orlop_code code = orlop_list(c->h, b, "", NULL, ORLOP_LIST_RECURSIVE, count_one, &s, &e);
        if (code && code != ORLOP_CANCELLED)
                return cli__fail(&e, "remove %s", text_of(b, uri));
        if (s.objects == 0)
                return CLI_OK;
        snprintf(question, sizeof(question), "%s is not empty. Remove it with all its objects?", text_of(b, uri));
        if (c->tty_err && cli__confirm(question))
                return CLI_OK;
        cli__error("%s is not empty: use --force to remove it with all its objects", uri);
        return CLI_FAILED;
}

int cli__run_bucket_rm(struct cli *c, const struct cli_args *a)
{
        int worst = CLI_OK;
        unsigned good = 0;
        for (unsigned i = 0; i < a->npos; i++) {
                struct cli_uri u;
                struct orlop_error e;
                char uri[256];
                int code = cli__uri_bucket(a->pos[i], &u);
                if (!code)
                        code = may_destroy(c, a, &u.bucket);
                if (!code && orlop_bucket_remove(c->h, &u.bucket, &e))
                        code = cli__fail(&e, "remove %s", text_of(&u.bucket, uri));
                if (!code)
                        cli__say(c, "%s removed\n", text_of(&u.bucket, uri));
                good += code == CLI_OK;
                worst = worst ? worst : code;
        }
        return worst && good ? CLI_PARTIAL : worst;
}

static int two_buckets(const struct cli_args *a, struct cli_uri *from, struct cli_uri *to)
{
        int code = cli__uri_bucket(a->pos[0], from);
        return code ? code : cli__uri_bucket(a->pos[1], to);
}

int cli__run_bucket_mv(struct cli *c, const struct cli_args *a)
{
        struct cli_uri from, to;
        struct orlop_error e;
        char job[64], uri[256];
        int code = two_buckets(a, &from, &to);
        if (code)
                return code;
        if (orlop_bucket_rename(c->h, &from.bucket, &to.bucket, job, &e))
                return cli__fail(&e, "rename %s", text_of(&from.bucket, uri));
        return cli__job_started(c, a, "rename", job);
}

int cli__run_bucket_cp(struct cli *c, const struct cli_args *a)
{
        struct cli_uri from, to;
        struct orlop_error e;
        char job[64], uri[256];
        int code = two_buckets(a, &from, &to);
        if (code)
                return code;
        if (orlop_bucket_copy(c->h, &from.bucket, &to.bucket, cli_opt(a, "prefix"), cli_opt(a, "prepend"), job, &e))
                return cli__fail(&e, "copy %s", text_of(&from.bucket, uri));
        return cli__job_started(c, a, "copy", job);
}

/* ---- lists ---- */

static bool print_bucket(void *arg, const struct orlop_bucket *b)
{
        const struct cli *c = arg;
        char uri[256];
        text_of(b, uri);
        if (c->json) {
                AUTO_BUF struct buf line = BUF_INIT;
                struct json_w w;
                jw_init(&w, &line, false);
                jw_object(&w, NULL);
                jw_cstr(&w, "uri", uri);
                jw_cstr(&w, "name", b->name);
                jw_cstr(&w, "provider", b->provider);
                jw_cstr(&w, "namespace", b->namespace_);
                jw_object_end(&w);
                printf("%s\n", buf_cstr(&line) ? buf_cstr(&line) : "");
        } else {
                printf("%s\n", uri);
        }
        return !cli__interrupted();
}

static void summary_json(const struct cli *c, const char *uri, const struct orlop_summary *s)
{
        struct buf b = BUF_INIT;
        struct json_w w;
        (void)c;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "uri", uri);
        jw_uint(&w, "objects", s->objects);
        jw_uint(&w, "bytes", s->bytes);
        jw_uint(&w, "min_size", s->min_size);
        jw_uint(&w, "avg_size", s->avg_size);
        jw_uint(&w, "max_size", s->max_size);
        jw_uint(&w, "disk_bytes", s->disk_bytes);
        jw_uint(&w, "used_pct", s->used_pct);
        cli__json_end(&w);
}

static bool print_summary(void *arg, const struct orlop_summary *s)
{
        const struct cli *c = arg;
        char uri[256], count[32], size[32], avg[32];
        text_of(&s->bucket, uri);
        if (c->json)
                summary_json(c, uri, s);
        else
                printf("%-40s  %14s objects  %12s  average %s\n", uri, cli__count(s->objects, count), cli__bytes(s->bytes, size),
                       cli__bytes(s->avg_size, avg));
        return !cli__interrupted();
}

/* "ais://" or "s3://" of `orlop ls s3://`; null for all. */
static const char *provider_arg(const struct cli_args *a, struct orlop_bucket *b, char object[static ORLOP_OBJECT_MAX + 1])
{
        return a->npos && !orlop_uri_parse(a->pos[0], b, object, NULL) ? b->provider : NULL;
}

int cli__run_bucket_ls(struct cli *c, const struct cli_args *a)
{
        struct orlop_bucket b;
        struct orlop_error e;
        char object[ORLOP_OBJECT_MAX + 1];
        enum orlop_code code = cli_has(a, "summary") ? orlop_bucket_summary(c->h, NULL, NULL, print_summary, c, &e)
                                                     : orlop_bucket_list(c->h, provider_arg(a, &b, object), print_bucket, c, &e);
        return code ? cli__fail(&e, "list buckets") : CLI_OK;
}

int cli__run_bucket_head(struct cli *c, const struct cli_args *a)
{
        struct cli_uri u;
        struct orlop_error e;
        char uri[256];
        int code = cli__uri_bucket(a->pos[0], &u);
        if (code)
                return code;
        if (orlop_bucket_summary(c->h, &u.bucket, NULL, print_summary, c, &e))
                return cli__fail(&e, "head %s", text_of(&u.bucket, uri));
        return CLI_OK;
}

/* ---- properties ---- */

int cli__run_props_show(struct cli *c, const struct cli_args *a)
{
        struct cli_uri u;
        struct orlop_error e;
        char uri[256];
        AUTO_FREE char *json = NULL;
        int code = cli__uri_bucket(a->pos[0], &u);
        if (code)
                return code;
        if (orlop_bucket_props(c->h, &u.bucket, &json, &e))
                return cli__fail(&e, "properties of %s", text_of(&u.bucket, uri));
        return cli__print_json(c, json, a->npos > 1 ? a->pos[1] : NULL);
}

int cli__run_props_set(struct cli *c, const struct cli_args *a)
{
        struct cli_uri u;
        struct orlop_error error;
        char uri[256], job[64];
        AUTO_FREE char *now = NULL, *patch = NULL;
        AUTO_JSON json_t *like = NULL;
        int code = cli__uri_bucket(a->pos[0], &u);
        if (code)
                return code;
        text_of(&u.bucket, uri);
        if (orlop_bucket_props(c->h, &u.bucket, &now, &error))
                return cli__fail(&error, "properties of %s", uri);
        struct err *e = json_parse(str_of(now), SIZE_MAX, &like);
        if (!e)
                e = props_of_args(a->pos + 1, a->npos - 1, like, &patch);
        if (e)
                return cli__usage(a, e);
        if (orlop_bucket_props_set(c->h, &u.bucket, patch, job, &error))
                return cli__fail(&error, "properties of %s", uri);
        if (job[0])
                return cli__job_started(c, a, "change of properties", job);
        cli__say(c, "%s: properties set\n", uri);
        return CLI_OK;
}

int cli__run_props_reset(struct cli *c, const struct cli_args *a)
{
        struct cli_uri u;
        struct orlop_error e;
        char uri[256];
        int code = cli__uri_bucket(a->pos[0], &u);
        if (code)
                return code;
        text_of(&u.bucket, uri);
        if (orlop_bucket_props_reset(c->h, &u.bucket, &e))
                return cli__fail(&e, "properties of %s", uri);
        cli__say(c, "%s: properties reset to the cluster's defaults\n", uri);
        return CLI_OK;
}
