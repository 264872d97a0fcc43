/* cluster/change_config.c: commands on the configuration, on what this process has, and on documents of other folders. */
#include "cluster/many.h"
#include "cluster/priv.h"
#include "os/clock.h"

/* An edited and checked copy of `from`. */
static struct err *config_edited(const struct shared_config *from, struct err *(*fn)(void *arg, struct config *config),
                                 void *arg, struct shared_config **ret)
{
        struct config *config = config_clone(from->c);
        if (!config)
                return err_static(ERR_NO_MEMORY);
        struct err *e = fn(arg, config);
        if (!e)
                e = config_check(config);
        if (e) {
                config_free(config);
                return e;
        }
        struct shared_config *sc = cluster__state_config_new(config);
        if (!sc)
                return err_static(ERR_NO_MEMORY);
        *ret = sc;
        return NULL;
}

struct edit {
        struct err *(*fn)(void *arg, struct config *config);
        void *arg;
};

static struct err *edit_in_force(void *arg, struct state *s)
{
        const struct edit *edit = arg;
        struct shared_config *edited;
        TRY(config_edited(s->in_force, edit->fn, edit->arg, &edited));
        cluster__state_config_unref(s->in_force);
        s->in_force = edited;
        return NULL;
}

static struct err *drop_transient(void *arg, struct state *s)
{
        (void)arg;
        cluster__state_config_unref(s->in_force);
        s->in_force = cluster__state_config_ref(s->own);
        return NULL;
}

/* The persistent configuration becomes this one, with a new version. Takes the reference. */
static struct err *config_replace(struct change *ch, struct shared_config *next)
{
        struct state *s = &ch->next;
        TRY(cluster__state_config_take(s, next));
        s->config_version++;
        TRY(cluster__state_config_stamp(s, clock_wall_ns()));
        return cluster__change_commit(ch);
}

struct err *cluster_config_edit(struct cluster *c, struct err *(*fn)(void *arg, struct config *config), void *arg,
                                bool transient)
{
        struct edit edit = { fn, arg };
        if (transient)
                return cluster__change_local(c, false, edit_in_force, &edit);
        AUTO_CHANGE struct change ch = { .c = NULL };
        struct shared_config *edited;
        TRY(cluster__change_begin(c, &ch));
        TRY(config_edited(ch.next.config, fn, arg, &edited));
        return config_replace(&ch, edited);
}

struct err *cluster_config_drop_transient(struct cluster *c)
{
        return cluster__change_local(c, false, drop_transient, NULL);
}

struct err *cluster_config_reset(struct cluster *c)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        struct config *config;
        TRY(cluster__change_begin(c, &ch));
        TRY(cluster__config_base(c, &config));
        struct shared_config *sc = cluster__state_config_new(config);
        if (!sc)
                return err_static(ERR_NO_MEMORY);
        TRY(config_replace(&ch, sc));
        return cluster_config_drop_transient(c);
}

struct mountpath_list {
        const struct cluster_mountpath *mps;
        size_t n;
};

static struct err *replace_mountpaths(void *arg, struct state *s)
{
        const struct mountpath_list *l = arg;
        return cluster__state_mountpaths_set(s, l->mps, l->n);
}

struct err *cluster_mountpaths_set(struct cluster *c, const struct cluster_mountpath *mps, size_t n)
{
        struct mountpath_list l = { mps, n };
        return cluster__change_local(c, true, replace_mountpaths, &l);
}

struct err *cluster_smap_bump(struct cluster *c)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(c, &ch));
        ch.next.smap_version++;
        return cluster__change_commit(&ch);
}

/* Prefixes of documents that belong to other folders. */
static bool doc_is_foreign(struct str key)
{
        static const char *const own[] = { "cluster", "config", "bucket", "member", "key", "join", "ca", "time" };
        struct str first = str_cut(&key, '/');
        for (size_t i = 0; i < ARRAY_LEN(own); i++)
                if (str_eq(first, str_of(own[i])))
                        return false;
        return first.n > 0 && key.n > 0;
}

struct err *cluster__doc_put(struct cluster *c, struct str key, struct str body)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        if (!doc_is_foreign(key) || key.n > DOC_KEY_MAX)
                return err_new(ERR_INVALID, "document \"" STR_FMT "\" can not be changed", STR_ARG(key));
        if (body.p && !str_is_utf8(body))
                return err_new(ERR_INVALID, "document \"" STR_FMT "\" is not text", STR_ARG(key));
        if (body.n > DOC_BODY_MAX)
                return err_new(ERR_TOO_LARGE, "document \"" STR_FMT "\" has %zu bytes", STR_ARG(key), body.n);
        TRY(cluster__change_begin(c, &ch));
        const struct doc_ref *have = cluster__docs_get(&ch.next.docs, key);
        if (have ? body.p && str_eq(have->body, body) : !body.p)
                return NULL;
        TRY(cluster__docs_put(&ch.next.docs, key, body, 0));
        return cluster__change_commit(&ch);
}

struct err *cluster_doc_each(struct cluster *c, struct str prefix,
                             struct err *(*fn)(void *arg, struct str key, struct str body), void *arg)
{
        struct docs docs;
        mutex_lock(&c->publish);
        struct err *e = cluster__docs_clone(&c->state.docs, &docs);
        mutex_unlock(&c->publish);
        TRY(e);
        bool found;
        for (size_t i = cluster__docs_find(&docs, prefix, &found);
             !e && i < docs.n && str_starts(docs.list[i]->key, prefix); i++)
                e = fn(arg, docs.list[i]->key, docs.list[i]->body);
        cluster__docs_fini(&docs);
        return e;
}
