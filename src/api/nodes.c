/* api/nodes.c: what the routes of the cluster and of its nodes have in common. */
#include "api/nodes.h"

#include <stdatomic.h>

struct err *api__bad_uri(struct api_req *r)
{
        return err_new(ERR_INVALID, "invalid request URI: '" STR_FMT " " STR_FMT "' from %s",
                       STR_ARG(r->rq->head->method_text), STR_ARG(r->rq->path), r->rq->peer);
}

void api__json(struct api_req *r, struct json_w *w, struct buf *b)
{
        jw_init(w, b, api_wants_pretty(r));
}

struct err *api__common_what(struct api_req *r, struct str what, bool *ret_done)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;

        api__json(r, &w, &b);
        *ret_done = true;
        if (str_eq(what, STR("smap"))) {
                api__view_smap(&w, NULL, r->snap);
                return api_reply_json(r, &b);
        }
        if (str_eq(what, STR("bmd"))) {
                api__view_bmd(&w, NULL, r->snap);
                return api_reply_json(r, &b);
        }
        if (str_eq(what, STR("snode"))) {
                api__view_snode(&w, NULL, api_self(r));
                return api_reply_json(r, &b);
        }
        if (str_eq(what, STR("smapvote"))) {
                jw_object(&w, NULL);
                api__view_smap(&w, "smap", r->snap);
                api__view_bmd(&w, "bmd", r->snap);
                jw_null(&w, "rmd");
                jw_null(&w, "etlMD");
                jw_object(&w, "config");
                config_json(&w, r->snap->config);
                jw_object_end(&w);
                api__view_snode(&w, "si", api_self(r));
                jw_int(&w, "prime_time", r->snap->created_ns);
                jw_uint(&w, "flags", api__view_state_flags(r));
                jw_object_end(&w);
                return api_reply_json(r, &b);
        }
        *ret_done = false;
        return NULL;
}

struct config_change {
        struct api_req *r;
        enum config_scope scope;
};

static bool is_option(struct str key)
{
        return !str_eq(key, STR("transient")) && !str_eq(key, STR("what"));
}

/* What new buckets would inherit, and then not get, is refused when it is switched on. */
static struct err *check_built(const struct config *before, const struct config *after)
{
        static const char *const switches[] = { "mirror.enabled", "ec.enabled", "rate_limit.frontend.enabled" };

        for (size_t i = 0; i < ARRAY_LEN(switches); i++)
                if (config_bool(after, switches[i]) && !config_bool(before, switches[i]))
                        return err_new(ERR_NOT_IMPLEMENTED, "%s is not implemented", switches[i]);
        return NULL;
}

static struct err *apply_query(void *arg, struct config *c)
{
        const struct config_change *ch = arg;
        bool restart;

        for (unsigned i = 0; i < ch->r->nparams; i++)
                if (is_option(ch->r->params[i].key))
                        TRY(config_set(c, ch->r->params[i].key, ch->r->params[i].value, ch->scope, &restart));
        return check_built(ch->r->snap->config, c);
}

static struct err *apply_value(void *arg, struct config *c)
{
        const struct config_change *ch = arg;
        bool restart;

        TRY(config_apply(c, ch->r->env.value, ch->scope, &restart));
        return check_built(ch->r->snap->config, c);
}

/* The only node's configuration is the cluster's; one of several keeps its own values beside it. */
static struct err *edit(struct api_req *r, enum config_scope scope, struct err *(*fn)(void *arg, struct config *c))
{
        struct config_change ch = { r, scope };
        bool transient;

        TRY(api_param_bool(r, "transient", &transient));
        if (scope == CONFIG_SCOPE_NODE && r->snap->member_count > 1 && !transient)
                return cluster_config_edit_own(r->node->cluster, fn, &ch);
        return cluster_config_edit(r->node->cluster, fn, &ch, transient);
}

struct err *api__config_set_query(struct api_req *r, enum config_scope scope)
{
        bool any = false;

        for (unsigned i = 0; i < r->nparams; i++)
                any = any || is_option(r->params[i].key);
        if (!any)
                return err_new(ERR_INVALID, "no properties to update");
        TRY(edit(r, scope, apply_query));
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__config_set_value(struct api_req *r, enum config_scope scope)
{
        if (r->env.value && !json_is_object(r->env.value))
                return err_new(ERR_MALFORMED, "failed to unmarshal set-config: expecting an object");
        if (r->env.value)
                TRY(edit(r, scope, apply_value));
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__reset_stats(struct api_req *r)
{
        static const char *const names[] = {
#define X(id, wire, kind, roles) wire,
                FLOW_STATS(X)
#undef X
        };
        bool errors_only = json_is_true(r->env.value);

        if (r->env.value && !json_is_boolean(r->env.value))
                return err_new(ERR_MALFORMED, "failed to unmarshal reset-stats: expecting true (errors only) or false");
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
                if (!errors_only || str_starts(str_of(names[i]), STR("err.")))
                        atomic_store_explicit(&r->node->stats.v[i], 0, memory_order_relaxed);
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__load_x509(struct api_req *r)
{
        if (!r->api->tls)
                return err_new(ERR_INVALID, "invalid request to reload X509 certs (running plain HTTP)");
        TRY(tls_server_reload(r->api->tls));
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__reply_remote(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;

        buf_adds(&b, STR("{\"a\":[],\"ver\":0}"));
        return api_reply_json(r, &b);
}

struct bck_texts {
        struct str name, provider, uuid, ns;
        json_t *space;
};

struct err *api__decode_bck(const json_t *j, struct bck *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct bck_texts, "name", JSON_F_STR, name),
                JSON_FIELD(struct bck_texts, "provider", JSON_F_STR, provider),
                JSON_FIELD(struct bck_texts, "namespace", JSON_F_OBJECT, space),
        };
        static const struct json_field space[] = {
                JSON_FIELD(struct bck_texts, "uuid", JSON_F_STR, uuid),
                JSON_FIELD(struct bck_texts, "name", JSON_F_STR, ns),
        };
        struct bck_texts t = { .name = STR_NONE };
        AUTO_BUF struct buf b = BUF_INIT;

        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "bucket", &t));
        TRY(json_decode(t.space, space, ARRAY_LEN(space), true, "namespace", &t));
        if (t.name.n == 0) {
                *ret = (struct bck){ .name = "" };
                return NULL;
        }
        if (t.uuid.n || t.ns.n)
                buf_printf(&b, "@" STR_FMT "#" STR_FMT, STR_ARG(t.uuid), STR_ARG(t.ns));
        TRY(buf_err(&b));
        return bck_make(t.name, t.provider, buf_str(&b), ret);
}
