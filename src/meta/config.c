/* meta/config.c: the configuration as an array of values, one per row of the table.
 *
 * Changing goes through one function per way in (path and text, document); both check scope, then let option.c read the
 * value. Fails with ERR_INVALID, ERR_UNKNOWN_FIELD, ERR_MALFORMED, ERR_NO_MEMORY, and leaves the configuration as it
 * was. */
#include "meta/config.h"

#include <stdio.h>

#include "meta/option.h"

struct config {
        struct option_value v[CONFIG_OPTION_COUNT];
};

static const struct option options[CONFIG_OPTION_COUNT] = {
#define X(name, path, type, dflt, min, max, words, flags) { path, CONFIG_##type, dflt, min, max, words, flags },
        CONFIG_TABLE(X)
#undef X
};

#define CENSORED "**********"
#define CONFIG_PATH_MAX 96

const struct option *option__config(enum config_option o)
{
        ASSERT(o < CONFIG_OPTION_COUNT);
        return &options[o];
}

/* Index of a path, or -1. */
static int config_find(struct str path)
{
        for (int i = 0; i < CONFIG_OPTION_COUNT; i++)
                if (str_eq(path, str_of(options[i].path)))
                        return i;
        return -1;
}

static enum config_option config_must_find(const char *path)
{
        int i = config_find(str_of(path));
        ASSERT(i >= 0);
        return (enum config_option)i;
}

void config_free(struct config *c)
{
        if (!c)
                return;
        for (unsigned i = 0; i < CONFIG_OPTION_COUNT; i++)
                option__value_fini(&c->v[i]);
        free(c);
}

struct config *config_new(void)
{
        struct config *c = calloc(1, sizeof(*c));
        if (!c)
                return NULL;
        for (unsigned i = 0; i < CONFIG_OPTION_COUNT; i++) {
                struct err *e = option__from_text(&options[i], str_of(options[i].dflt), &c->v[i]);
                if (e) {
                        ASSERT(err_code(e) == ERR_NO_MEMORY);
                        config_free(c);
                        return NULL;
                }
        }
        return c;
}

struct config *config_clone(const struct config *c)
{
        struct config *to = calloc(1, sizeof(*to));
        if (!to)
                return NULL;
        for (unsigned i = 0; i < CONFIG_OPTION_COUNT; i++) {
                to->v[i].i = c->v[i].i;
                if (c->v[i].s && !(to->v[i].s = strdup(c->v[i].s))) {
                        config_free(to);
                        return NULL;
                }
        }
        return to;
}

static bool value_eq(const struct option_value *a, const struct option_value *b)
{
        return a->i == b->i && strcmp(a->s ? a->s : "", b->s ? b->s : "") == 0;
}

bool config_eq(const struct config *a, const struct config *b)
{
        for (unsigned i = 0; i < CONFIG_OPTION_COUNT; i++)
                if (!value_eq(&a->v[i], &b->v[i]))
                        return false;
        return true;
}

struct config *config_rebase(const struct config *base, const struct config *edited, const struct config *onto)
{
        struct config *to = config_clone(onto);
        for (unsigned i = 0; to && i < CONFIG_OPTION_COUNT; i++) {
                if (value_eq(&base->v[i], &edited->v[i]) || !value_eq(&base->v[i], &onto->v[i]))
                        continue;
                char *s = edited->v[i].s ? strdup(edited->v[i].s) : NULL;
                if (edited->v[i].s && !s) {
                        config_free(to);
                        return NULL;
                }
                option__value_fini(&to->v[i]);
                to->v[i].i = edited->v[i].i;
                to->v[i].s = s;
        }
        return to;
}

bool config_bool_at(const struct config *c, enum config_option o)
{
        ASSERT(o < CONFIG_OPTION_COUNT && options[o].type == CONFIG_BOOL);
        return c->v[o].i;
}

int64_t config_int_at(const struct config *c, enum config_option o)
{
        ASSERT(o < CONFIG_OPTION_COUNT && options[o].type != CONFIG_BOOL && !option__is_text(options[o].type));
        return c->v[o].i;
}

const char *config_str_at(const struct config *c, enum config_option o)
{
        ASSERT(o < CONFIG_OPTION_COUNT && option__is_text(options[o].type));
        return c->v[o].s;
}

bool config_bool(const struct config *c, const char *path)
{
        return config_bool_at(c, config_must_find(path));
}

int64_t config_int(const struct config *c, const char *path)
{
        return config_int_at(c, config_must_find(path));
}

const char *config_str(const struct config *c, const char *path)
{
        return config_str_at(c, config_must_find(path));
}

/* A path in lower case, with names of earlier versions of the wire replaced: auth.enabled, auth.cluster_key.*. Borrowed
 * from buf. */
static struct str config_path_now(struct str path, char buf[static CONFIG_PATH_MAX])
{
        const struct str old = STR("auth.cluster_key");
        char lower[CONFIG_PATH_MAX];
        size_t n = MIN(path.n, sizeof(lower) - 1);
        for (size_t i = 0; i < n; i++)
                lower[i] = path.p[i] >= 'A' && path.p[i] <= 'Z' ? (char)(path.p[i] + 32) : path.p[i];
        struct str p = { lower, n };
        if (path.n > n)
                p = STR_NONE; /* longer than any name */
        if (str_eq(p, STR("auth.enabled")))
                p = STR("auth.client_auth_required");
        const char *head = "";
        if (str_starts(p, old) && (p.n == old.n || p.p[old.n] == '.')) {
                head = "auth.intra_cluster";
                p = str_skip(p, old.n);
        }
        snprintf(buf, CONFIG_PATH_MAX, "%s" STR_FMT, head, STR_ARG(p));
        struct str now = str_of(buf);
        return str_eq(now, STR("auth.intra_cluster.enabled")) ? STR("auth.intra_cluster.request_auth") : now;
}

static struct err *config_scope_check(const struct option *o, enum config_scope scope)
{
        struct str section = str_of(o->path);
        section = str_cut(&section, '.');
        if (o->flags & F_RO)
                return err_new(ERR_INVALID, "property \"%s\" is readonly", o->path);
        if (scope == CONFIG_SCOPE_NODE && (o->flags & F_C))
                return err_new(ERR_INVALID, STR_FMT " configuration can only be globally updated", STR_ARG(section));
        return NULL;
}

static void config_put(struct config *c, int i, struct option_value v)
{
        option__value_fini(&c->v[i]);
        c->v[i] = v;
}

struct err *config_set(struct config *c, struct str path, struct str value, enum config_scope scope, bool *ret_restart)
{
        char buf[CONFIG_PATH_MAX];
        int i = config_find(config_path_now(path, buf));
        if (i < 0 || (options[i].flags & F_OWN))
                return err_new(ERR_INVALID, "unknown property \"" STR_FMT "\"", STR_ARG(path));
        TRY(config_scope_check(&options[i], scope));
        struct option_value v = { 0 };
        TRY(option__from_text(&options[i], value, &v));
        config_put(c, i, v);
        if (ret_restart)
                *ret_restart = options[i].flags & F_R;
        return NULL;
}

struct config_patch {
        struct config *c;
        enum config_scope scope;
        bool own; /* our own stored document: everything may be set */
        bool restart;
};

static enum option_what config_patch_find(void *arg, struct str path)
{
        const struct config_patch *p = arg;
        char buf[CONFIG_PATH_MAX];
        struct str now = config_path_now(path, buf);
        int i = config_find(now);
        if (i >= 0)
                return (options[i].flags & F_OWN) && !p->own ? OPTION_UNKNOWN : OPTION_LEAF;
        for (i = 0; i < CONFIG_OPTION_COUNT; i++) {
                struct str o = str_of(options[i].path);
                if (o.n > now.n && o.p[now.n] == '.' && str_starts(o, now))
                        return OPTION_SECTION;
        }
        return OPTION_UNKNOWN;
}

static struct err *config_patch_set(void *arg, struct str path, const json_t *j)
{
        struct config_patch *p = arg;
        char buf[CONFIG_PATH_MAX];
        int i = config_find(config_path_now(path, buf));
        ASSERT(i >= 0);
        if (!p->own)
                TRY(config_scope_check(&options[i], p->scope));
        struct option_value v = { 0 };
        TRY(option__from_json(&options[i], j, &v));
        config_put(p->c, i, v);
        p->restart |= (options[i].flags & F_R) != 0;
        return NULL;
}

/* On a copy, which takes the place of *c when all went well. */
static struct err *config_patch_run(struct config *c, const json_t *doc, struct config_patch *p)
{
        p->c = config_clone(c);
        if (!p->c)
                return err_static(ERR_NO_MEMORY);
        const struct option_patch walk = { config_patch_find, config_patch_set, p };
        struct err *e = option__patch_walk(doc, &walk);
        if (!e) {
                struct config old = *c;
                *c = *p->c;
                *p->c = old;
        }
        config_free(p->c);
        return e;
}

struct err *config_apply(struct config *c, const json_t *patch, enum config_scope scope, bool *ret_restart)
{
        struct config_patch p = { .scope = scope };
        TRY(config_patch_run(c, patch, &p));
        if (ret_restart)
                *ret_restart = p.restart;
        return NULL;
}

struct err *config_load_private(struct config *c, const json_t *doc)
{
        struct config_patch p = { .scope = CONFIG_SCOPE_CLUSTER, .own = true };
        return config_patch_run(c, doc, &p);
}

static struct err *config_stamp_text(struct config *c, enum config_option o, const char *text)
{
        if (!text)
                return NULL;
        struct option_value v = { 0, strdup(text) };
        if (!v.s)
                return err_static(ERR_NO_MEMORY);
        config_put(c, (int)o, v);
        return NULL;
}

struct err *config_set_stamp(struct config *c, const struct config_stamp *stamp)
{
        TRY(config_stamp_text(c, CONFIG_O_UUID, stamp->uuid));
        TRY(config_stamp_text(c, CONFIG_O_PROXY_PRIMARY_URL, stamp->primary_url));
        TRY(config_stamp_text(c, CONFIG_O_PROXY_ORIGINAL_URL, stamp->original_url));
        TRY(config_stamp_text(c, CONFIG_O_LASTUPDATE_TIME, stamp->lastupdate_time));
        c->v[CONFIG_O_CONFIG_VERSION].i = (int64_t)stamp->version;
        return NULL;
}

static bool config_is_empty(const struct option *o, const struct option_value *v)
{
        return option__is_text(o->type) ? v->s[0] == '\0' : v->i == 0;
}

static void config_write(struct json_w *w, const struct config *c, bool censor)
{
        struct option_nest nest = { .w = w };
        for (unsigned i = 0; i < CONFIG_OPTION_COUNT; i++) {
                const struct option *o = &options[i];
                if ((o->flags & F_OMIT) && config_is_empty(o, &c->v[i]))
                        continue;
                const char *key = option__nest_to(&nest, o->path);
                option__write(o, w, key, c->v[i].i, censor && (o->flags & F_SECRET) ? CENSORED : c->v[i].s);
        }
        option__nest_end(&nest);
}

/* A public key is no secret. */
static bool config_has_secret(const struct config *c)
{
        return !str_starts(str_of(c->v[CONFIG_O_AUTH_SIGNATURE_METHOD].s), STR("R"));
}

void config_json(struct json_w *w, const struct config *c)
{
        config_write(w, c, config_has_secret(c));
}

void config_json_private(struct json_w *w, const struct config *c)
{
        config_write(w, c, false);
}

void config_each(bool (*fn)(void *arg, const char *path, enum config_type type, const char *default_text,
                            const char *range_text, bool cluster_only, bool restart),
                 void *arg)
{
        for (unsigned i = 0; i < CONFIG_OPTION_COUNT; i++) {
                const struct option *o = &options[i];
                char range[160];
                if (!fn(arg, o->path, o->type, o->dflt, option__range_text(o, range, sizeof(range)), o->flags & F_C,
                        o->flags & F_R))
                        return;
        }
}
