/* cli/call.c: calls of the interface that liborlop has no function for, with their failures told. */
#include <string.h>

#include "cli/priv.h"

static enum orlop_code get_text(struct cli *c, const char *path, const char *query, const char *node, const char *body, struct orlop_reply **ret,
                                struct orlop_error *e)
{
        const struct orlop_call call = { .method = "GET", .path = path, .query = query, .node_id = node, .json = body,
                                         .header = { "Accept: application/json" } };
        return orlop_call(c->h, &call, ret, e);
}

int cli__find_json(struct cli *c, const char *path, const char *query, const char *node, const char *body, json_t **ret)
{
        struct orlop_reply *r = NULL;
        struct orlop_error error;
        size_t n;
        enum orlop_code code = get_text(c, path, query, node, body, &r, &error);
        if (code == ORLOP_NOT_FOUND)
                return CLI_NOT_FOUND;
        if (code)
                return cli__fail(&error, "%s", query ? query : path);
        const char *text = orlop_reply_body(r, &n);
        struct err *e = json_parse((struct str){ text, n }, SIZE_MAX, ret);
        orlop_reply_free(r);
        return e ? cli__fail_err(err_wrap(e, "answer of the server to %s", query ? query : path)) : CLI_OK;
}

int cli__get_json(struct cli *c, const char *path, const char *query, const char *node, const char *body, json_t **ret)
{
        int code = cli__find_json(c, path, query, node, body, ret);
        if (code == CLI_NOT_FOUND)
                cli__error("%s: the server does not have that", query ? query : path);
        return code;
}

int cli__act(struct cli *c, const char *method, const char *path, const char *query, const char *node, const char *action, const char *name,
             const char *value, char **ret_text)
{
        AUTO_BUF struct buf body = BUF_INIT;
        struct json_w w;
        struct orlop_reply *r;
        struct orlop_error error;
        jw_init(&w, &body, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "action", action);
        jw_cstr(&w, "name", name);
        if (value)
                jw_raw(&w, "value", str_of(value));
        else
                jw_null(&w, "value");
        jw_object_end(&w);
        const struct orlop_call call = { .method = method, .path = path, .query = query, .node_id = node, .json = buf_cstr(&body) };
        if (orlop_call(c->h, &call, &r, &error))
                return cli__fail(&error, "%s", action);
        if (ret_text)
                *ret_text = strdup(orlop_reply_body(r, NULL));
        orlop_reply_free(r);
        return CLI_OK;
}

int cli__target(struct cli *c, const struct cli_args *a, char ret[static 64])
{
        AUTO_JSON json_t *smap = NULL;
        const char *named = cli_opt(a, "node"), *id;
        json_t *node;
        if (named) {
                str_copy(ret, 64, str_of(named));
                return CLI_OK;
        }
        int code = cli__get_json(c, "/v1/daemon", "what=smap", NULL, NULL, &smap);
        if (code)
                return code;
        json_t *targets = json_object_get(smap, "tmap");
        if (json_object_size(targets) != 1) {
                cli__error("there are %zu storage nodes: name one with --node; \"orlop status\" lists them", json_object_size(targets));
                return CLI_USAGE;
        }
        json_object_foreach(targets, id, node)
                str_copy(ret, 64, str_of(id));
        return CLI_OK;
}
