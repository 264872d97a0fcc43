/* cluster/own_config.c: what this process has set for itself alone, and keeps: values laid over the cluster's configuration
 * (wire: set-config of one node). Kept in local.json as a nested document of just those values.
 *
 * Three layers: the cluster's, with these over it, with transient values over both. */
#include "cluster/priv.h"

struct err *cluster__own_config(struct shared_config *config, const struct doc_ref *overrides, struct shared_config **ret)
{
        AUTO_JSON json_t *patch = NULL;
        *ret = NULL;
        if (overrides) {
                struct config *c = config_clone(config->c);
                struct err *e = c ? json_parse(overrides->body, DOC_BODY_MAX, &patch) : err_static(ERR_NO_MEMORY);
                if (!e)
                        e = config_load_private(c, patch);
                if (!e)
                        e = config_check(c);
                if (!e)
                        *ret = cluster__state_config_new(c);
                else
                        config_free(c);
                if (err_code(e) == ERR_NO_MEMORY)
                        return e;
                err_free(e); /* it does not fit what the cluster has now */
        }
        if (!*ret)
                *ret = cluster__state_config_ref(config);
        return NULL;
}

static struct err *as_json(const struct config *c, json_t **ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        config_json_private(&w, c);
        jw_object_end(&w);
        TRY(buf_err(&b));
        return json_parse(buf_str(&b), DOC_BODY_MAX, ret);
}

/* Leaves that are different in `to` go to the same place of *out. */
static struct err *note_differences(const json_t *from, json_t *to, json_t *out)
{
        const char *key;
        json_t *value;
        json_object_foreach(to, key, value)
        {
                const json_t *before = json_object_get(from, key);
                if (json_equal(before, value))
                        continue;
                if (!json_is_object(value) || !json_is_object(before)) {
                        if (json_object_set(out, key, value))
                                return err_static(ERR_NO_MEMORY);
                        continue;
                }
                json_t *below = json_object_get(out, key);
                if (!below && json_object_set_new(out, key, below = json_object()))
                        return err_static(ERR_NO_MEMORY);
                TRY(note_differences(before, value, below));
        }
        return NULL;
}

static struct err *overrides_with(const struct state *s, const struct config *edited, struct doc_ref **ret)
{
        AUTO_JSON json_t *from = NULL, *to = NULL, *out = NULL;
        if (s->overrides)
                TRY(json_parse(s->overrides->body, DOC_BODY_MAX, &out));
        else
                out = json_object();
        TRY(as_json(s->own->c, &from));
        TRY(as_json(edited, &to));
        TRY(note_differences(from, to, out));
        char *text = json_dumps(out, JSON_COMPACT);
        *ret = text ? cluster__doc_new(STR(""), str_of(text), 0) : NULL;
        free(text);
        return *ret ? NULL : err_static(ERR_NO_MEMORY);
}

struct edit {
        struct err *(*fn)(void *arg, struct config *config);
        void *arg;
};

static struct err *edit_own(void *arg, struct state *s)
{
        const struct edit *edit = arg;
        struct doc_ref *overrides = NULL;
        struct config *config = config_clone(s->own->c);
        struct err *e = config ? edit->fn(edit->arg, config) : err_static(ERR_NO_MEMORY);
        if (!e)
                e = config_check(config);
        if (!e)
                e = overrides_with(s, config, &overrides);
        config_free(config);
        TRY(e);
        cluster__doc_unref(s->overrides);
        s->overrides = overrides;
        return cluster__state_config_take(s, cluster__state_config_ref(s->config));
}

static struct err *drop_own(void *arg, struct state *s)
{
        (void)arg;
        cluster__doc_unref(s->overrides);
        s->overrides = NULL;
        TRY(cluster__state_config_take(s, cluster__state_config_ref(s->config)));
        cluster__state_config_unref(s->in_force);
        s->in_force = cluster__state_config_ref(s->own);
        return NULL;
}

struct err *cluster_config_edit_own(struct cluster *c, struct err *(*fn)(void *arg, struct config *config), void *arg)
{
        struct edit edit = { fn, arg };
        return cluster__change_local(c, true, edit_own, &edit);
}

struct err *cluster_config_reset_own(struct cluster *c)
{
        return cluster__change_local(c, true, drop_own, NULL);
}
