/* cli/nodes.c: who the cluster is: cluster show, nodes, primary, token, join-help.
 *
 * The map of the wire lists nodes that are up. Members that are down, and what is not settled yet, come from
 * /v1/orlop/cluster, which servers of other makes do not have: then only the map is shown. */
#include <inttypes.h>
#include <string.h>

#include "cli/priv.h"
#include "os/clock.h"

enum { FLAG_NON_ELECTABLE = 1, FLAG_MAINTENANCE = 4, FLAG_DECOMMISSION = 8, FLAG_CLEAN = 16 };

struct view {
        struct cli *cli;
        json_t *smap;  /* owned */
        json_t *state; /* of /v1/orlop/cluster, owned; null: the server does not know it */
};
/* One line of the table. */
struct row {
        const char *id, *kind, *url, *member;
        char state[64];
        bool primary;
};

json_t *cli__cluster_state(struct cli *c)
{
        const struct orlop_call call = { .method = "GET", .path = "/v1/orlop/cluster", .header = { "Accept: application/json" } };
        struct orlop_reply *r;
        struct orlop_error e;
        json_t *state = NULL;
        size_t n;
        if (orlop_call(c->h, &call, &r, &e))
                return NULL;
        const char *text = orlop_reply_body(r, &n);
        err_free(json_parse((struct str){ text, n }, SIZE_MAX, &state));
        orlop_reply_free(r);
        return state;
}

static int view_read(struct view *v)
{
        int code = cli__get_json(v->cli, "/v1/daemon", "what=smap", NULL, NULL, &v->smap);
        if (!code)
                v->state = cli__cluster_state(v->cli);
        return code;
}

static void view_fini(struct view *v)
{
        json_decref(v->smap);
        json_decref(v->state);
}

/* ---- rows ---- */

static void state_text(uint64_t flags, char *buf, size_t size)
{
        const char *text = flags & FLAG_DECOMMISSION ? "decommission" : flags & FLAG_MAINTENANCE ? "maintenance" : "online";
        snprintf(buf, size, "%s%s", text, flags & FLAG_CLEAN ? ", empty" : flags & FLAG_NON_ELECTABLE ? ", not electable" : "");
}

/* The member that a node belongs to; "" when it is not known. */
static const char *member_of(const struct view *v, const char *key, const char *id)
{
        const json_t *members = json_object_get(v->state, "members");
        for (size_t i = 0; i < json_array_size(members); i++)
                if (strcmp(cli__field(json_array_get(members, i), key), id) == 0)
                        return cli__field(json_array_get(members, i), "id");
        return "";
}

static void each_in_map(const struct view *v, bool targets, void (*fn)(void *arg, const struct row *r), void *arg)
{
        const char *id, *kind = targets ? "target" : "proxy";
        const char *primary = cli__field(json_object_get(v->smap, "proxy_si"), "daemon_id");
        json_t *node;
        json_object_foreach(json_object_get(v->smap, targets ? "tmap" : "pmap"), id, node)
        {
                struct row r = { .id = id, .kind = kind, .url = cli__field(json_object_get(node, "public_net"), "direct_url"),
                                 .member = member_of(v, kind, id), .primary = !targets && strcmp(primary, id) == 0 };
                state_text(cli__number(node, "flags"), r.state, sizeof(r.state));
                fn(arg, &r);
        }
}

static void each_down(const struct view *v, void (*fn)(void *arg, const struct row *r), void *arg)
{
        static const char *const kinds[] = { "proxy", "target" };
        const json_t *members = json_object_get(v->state, "members");
        for (size_t i = 0; i < json_array_size(members); i++) {
                const json_t *m = json_array_get(members, i);
                char when[32];
                if (json_is_true(json_object_get(m, "up")))
                        continue;
                for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
                        struct row r = { .id = cli__field(m, kinds[k]), .kind = kinds[k], .url = "", .member = cli__field(m, "id") };
                        if (!r.id[0])
                                continue;
                        snprintf(r.state, sizeof(r.state), "down since %s", cli__when((int64_t)cli__number(m, "down"), when));
                        fn(arg, &r);
                }
        }
}

static void each_node(const struct view *v, void (*fn)(void *arg, const struct row *r), void *arg)
{
        each_in_map(v, false, fn, arg);
        each_in_map(v, true, fn, arg);
        each_down(v, fn, arg);
}

static void row_text(void *arg, const struct row *r)
{
        (void)arg;
        printf("  %-16s %-8s %-28s %-28s %s\n", r->id, r->primary ? "primary" : r->kind, r->state, r->url, r->member);
}

static void row_members(struct json_w *w, const struct row *r)
{
        jw_cstr(w, "id", r->id);
        jw_cstr(w, "kind", r->kind);
        jw_bool(w, "primary", r->primary);
        jw_cstr(w, "state", r->state);
        jw_cstr(w, "url", r->url);
        jw_cstr(w, "member", r->member);
}

static void row_in_array(void *arg, const struct row *r)
{
        jw_object(arg, NULL);
        row_members(arg, r);
        jw_object_end(arg);
}

static void row_line(void *arg, const struct row *r)
{
        struct json_w w;
        AUTO_BUF struct buf b = BUF_INIT;
        (void)arg;
        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        row_members(&w, r);
        jw_object_end(&w);
        printf("%s\n", buf_cstr(&b) ? buf_cstr(&b) : "");
}

int cli__run_cluster_nodes(struct cli *c, const struct cli_args *a)
{
        struct view v = { .cli = c };
        (void)a;
        int code = view_read(&v);
        if (!code)
                each_node(&v, c->json ? row_line : row_text, NULL);
        view_fini(&v);
        return code;
}

/* ---- show ---- */

void cli__cluster_pending(const json_t *state, struct buf *names, unsigned *ret_n)
{
        const json_t *earlier = json_object_get(state, "earlier");
        AUTO_JSON json_t *seen = json_object();
        unsigned n = 0;
        for (size_t i = 0; i < json_array_size(earlier); i++) {
                const json_t *pending = json_object_get(json_array_get(earlier, i), "pending");
                for (size_t k = 0; k < json_array_size(pending); k++) {
                        const char *id = json_string_value(json_array_get(pending, k));
                        if (!id || json_object_get(seen, id))
                                continue;
                        json_object_set_new(seen, id, json_true());
                        buf_printf(names, "%s%s", n ? ", " : "", id);
                        n++;
                }
        }
        *ret_n = n;
}

static void show_text(const struct view *v)
{
        AUTO_BUF struct buf pending = BUF_INIT;
        const json_t *primary = json_object_get(v->smap, "proxy_si"), *placement = json_object_get(v->state, "placement");
        unsigned n;
        printf("cluster    %s, map version %" PRIu64 "\nprimary    %s %s\n", cli__field(v->smap, "uuid"), cli__number(v->smap, "version"),
               cli__field(primary, "daemon_id"), cli__field(json_object_get(primary, "public_net"), "direct_url"));
        if (placement) {
                cli__cluster_pending(v->state, &pending, &n);
                printf("placement  epoch %" PRIu64 ", %zu targets, ", cli__number(placement, "epoch"),
                       json_array_size(json_object_get(placement, "targets")));
                if (json_is_true(json_object_get(v->state, "settled")))
                        printf("settled\n");
                else
                        printf("not settled: objects are still to come from %s\n", n ? buf_cstr(&pending) : "targets");
        }
        printf("nodes\n");
        each_node(v, row_text, NULL);
}

static void show_json(const struct view *v)
{
        struct buf b = BUF_INIT;
        struct json_w w;
        cli__json_begin(v->cli, &w, &b);
        jw_cstr(&w, "uuid", cli__field(v->smap, "uuid"));
        jw_uint(&w, "map_version", cli__number(v->smap, "version"));
        jw_cstr(&w, "primary", cli__field(json_object_get(v->smap, "proxy_si"), "daemon_id"));
        if (v->state) {
                jw_json(&w, "placement", json_object_get(v->state, "placement"));
                jw_json(&w, "earlier", json_object_get(v->state, "earlier"));
                jw_bool(&w, "settled", json_is_true(json_object_get(v->state, "settled")));
        }
        jw_array(&w, "nodes");
        each_node(v, row_in_array, &w);
        jw_array_end(&w);
        cli__json_end(&w);
}

int cli__run_cluster_show(struct cli *c, const struct cli_args *a)
{
        struct view v = { .cli = c };
        (void)a;
        int code = view_read(&v);
        if (!code && c->json)
                show_json(&v);
        else if (!code && !c->quiet)
                show_text(&v);
        view_fini(&v);
        return code;
}

/* ---- primary ---- */

int cli__run_primary(struct cli *c, const struct cli_args *a)
{
        struct view v = { .cli = c };
        (void)a;
        int code = view_read(&v);
        const json_t *p = json_object_get(v.smap, "proxy_si");
        if (!code && c->json) {
                struct buf b = BUF_INIT;
                struct json_w w;
                cli__json_begin(c, &w, &b);
                jw_cstr(&w, "id", cli__field(p, "daemon_id"));
                jw_cstr(&w, "url", cli__field(json_object_get(p, "public_net"), "direct_url"));
                cli__json_end(&w);
        } else if (!code) {
                cli__say(c, "%s  %s\n", cli__field(p, "daemon_id"), cli__field(json_object_get(p, "public_net"), "direct_url"));
        }
        view_fini(&v);
        return code;
}

int cli__run_primary_set(struct cli *c, const struct cli_args *a)
{
        AUTO_ARENA struct arena arena;
        struct orlop_reply *r;
        struct orlop_error e;
        arena_init(&arena, 0, 0);
        struct str id = str_percent_encode(&arena, str_of(a->pos[0]), false), path = str_printf(&arena, "/v1/cluster/proxy/" STR_FMT, STR_ARG(id));
        const struct orlop_call call = { .method = "PUT", .path = path.p };
        if (!path.p)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        if (orlop_call(c->h, &call, &r, &e))
                return cli__fail(&e, "primary %s", a->pos[0]);
        orlop_reply_free(r);
        cli__say(c, "%s is the primary\n", a->pos[0]);
        return CLI_OK;
}

/* ---- tokens ---- */

/* Asks for a token; the caller frees *ret. Prints failures. */
static int new_token(struct cli *c, const struct cli_args *a, int64_t *ret_ttl, uint64_t *ret_uses, char **ret)
{
        AUTO_BUF struct buf value = BUF_INIT;
        struct json_w w;
        struct err *e = cli_opt_duration(a, "ttl", 3600 * NS_PER_SEC, ret_ttl);
        if (!e)
                e = cli_opt_number(a, "uses", 1, 1000, 1, ret_uses);
        if (e)
                return cli__usage(a, e);
        jw_init(&w, &value, false);
        jw_object(&w, NULL);
        jw_int(&w, "ttl", *ret_ttl);
        jw_uint(&w, "uses", *ret_uses);
        jw_object_end(&w);
        return cli__act(c, "POST", "/v1/cluster", NULL, NULL, "orlop-token", "", buf_cstr(&value), ret);
}

int cli__run_token(struct cli *c, const struct cli_args *a)
{
        AUTO_FREE char *token = NULL;
        int64_t ttl;
        uint64_t uses;
        int code = new_token(c, a, &ttl, &uses, &token);
        if (code)
                return code;
        if (!c->json) {
                printf("%s\n", token);
                return CLI_OK;
        }
        struct buf b = BUF_INIT;
        struct json_w w;
        cli__json_begin(c, &w, &b);
        jw_cstr(&w, "token", token);
        jw_int(&w, "ttl_ns", ttl);
        jw_uint(&w, "uses", uses);
        cli__json_end(&w);
        return CLI_OK;
}

int cli__run_join_help(struct cli *c, const struct cli_args *a)
{
        AUTO_FREE char *token = NULL;
        char lives[32];
        int64_t ttl;
        uint64_t uses;
        int code = new_token(c, a, &ttl, &uses, &token);
        if (code)
                return code;
        printf("On each new machine, with its own addresses and directories:\n\n"
               "  orlopd --listen ADDRESS:8080 --cluster-listen ADDRESS:9080 --join '%s' DIR...\n\n"
               "The token lives %s and lets %" PRIu64 " in. --role target: it only stores; --role proxy: it only takes requests, and can\n"
               "become the primary. Once it has joined it starts without --join. \"orlop cluster nodes\" shows it; \"orlop cluster rebalance status\"\n"
               "shows how far objects have moved to it.\n",
               token, str_duration_text(ttl, lives), uses);
        return CLI_OK;
}
