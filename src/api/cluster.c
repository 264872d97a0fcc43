/* api/cluster.c: /v1/cluster: questions about the whole cluster, and changes of it. Questions are answered by the node
 * that was asked: it asks the others for their part at the same time. Changes are the leader's (NEED_PRIMARY); what
 * each node does for itself, it does when the leader asks it to. Nodes that come and go: members.c. */
#define LOG_FOLDER "api"
#include "api/members.h"
#include "api/nodes.h"
#include "api/relay.h"
#include "api/request.h"

#include "base/log.h"
#include "os/clock.h"

#define TOKEN_TTL_NS (3600 * NS_PER_SEC)
#define TOKEN_USES_MAX 1000
#define SPREAD_NS (2 * NS_PER_SEC)

/* ---- reading ---- */

static struct err *get_cluster_config(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;

        api__json(r, &w, &b);
        jw_object(&w, NULL);
        config_json(&w, r->snap->config);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

/* The other nodes of a kind, and what they say to `what`. */
static struct err *ask_others(struct api_req *r, bool targets, const char *what, struct api_ask **ret, unsigned *ret_n)
{
        struct api_ask *list = arena_alloc(r->arena, (r->snap->node_count + 1) * sizeof(*list));
        struct str target = str_printf(r->arena, "/v1/daemon?what=%s", what);
        unsigned n = 0;

        if (!list || !target.p)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < r->snap->node_count; i++) {
                const struct cluster_node *node = &r->snap->nodes[i];
                const struct cluster_member *m = snapshot_member(r->snap, str_of(node->member));

                if (node->target == targets && !api__is_own(r, node) && m && m->up)
                        list[n++] = (struct api_ask){ .node = node };
        }
        TRY(api__ask(r, "GET", target, STR_NONE, list, n));
        *ret = list;
        *ret_n = n;
        return NULL;
}

/* Members of an object, one for each node that was asked. */
static void write_answers(struct json_w *w, const struct api_ask *list, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                jw_raw(w, list[i].node->id, list[i].answer);
}

/* This process's target too, if it has one. */
static struct err *write_own_target(struct api_req *r, struct json_w *w,
                                    void (*write)(struct json_w *w, const char *key, const struct view_node *v))
{
        struct view_node v;

        if (!r->snap->target)
                return NULL;
        r->role_target = true;
        TRY(api__view_gather(r, &v));
        write(w, v.self->id, &v);
        return NULL;
}

static void write_sysinfo(struct json_w *w, const char *key, const struct view_node *v)
{
        api__view_sysinfo(w, key, v, true);
}

/* wire: the answering proxy leaves itself out. */
static struct err *get_sysinfo(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct api_ask *proxies, *targets;
        unsigned nproxies, ntargets;
        struct json_w w;

        TRY(ask_others(r, false, "sysinfo", &proxies, &nproxies));
        TRY(ask_others(r, true, "sysinfo", &targets, &ntargets));
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        jw_object(&w, "proxy");
        write_answers(&w, proxies, nproxies);
        jw_object_end(&w);
        jw_object(&w, "target");
        write_answers(&w, targets, ntargets);
        TRY(write_own_target(r, &w, write_sysinfo));
        jw_object_end(&w);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get_node_stats(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct api_ask *targets;
        unsigned ntargets;
        struct view_node v;
        struct json_w w;

        TRY(ask_others(r, true, "node_stats", &targets, &ntargets));
        api__json(r, &w, &b);
        TRY(api__view_gather(r, &v));
        jw_object(&w, NULL);
        api__view_node_stats(&w, "proxy", &v);
        jw_object(&w, "target");
        write_answers(&w, targets, ntargets);
        TRY(write_own_target(r, &w, api__view_node_stats));
        jw_object_end(&w);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get_mountpaths(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct api_ask *targets;
        unsigned ntargets;
        struct json_w w;

        TRY(ask_others(r, true, "mountpaths", &targets, &ntargets));
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        jw_object(&w, "targets");
        write_answers(&w, targets, ntargets);
        TRY(write_own_target(r, &w, api__view_mountpaths));
        jw_object_end(&w);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get_backends(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;

        buf_adds(&b, STR("[]"));
        return api_reply_json(r, &b);
}

static struct err *get_target_ips(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;

        for (unsigned i = 0; i < r->snap->node_count; i++) {
                const struct cluster_node *n = &r->snap->nodes[i];

                if (n->target)
                        buf_printf(&b, "%s%s,%s,%s", b.n ? "," : "", n->addr[CLUSTER_NET_PUBLIC].host,
                                   n->addr[CLUSTER_NET_CONTROL].host, n->addr[CLUSTER_NET_DATA].host);
        }
        TRY(buf_err(&b));
        api_reply_text(r, 200, buf_str(&b));
        return NULL;
}

static struct err *get(struct api_req *r)
{
        static const struct {
                const char *what;
                api_handler_fn *fn;
        } whats[] = {
                { "cluster_config", get_cluster_config }, { "sysinfo", get_sysinfo },
                { "node_stats", get_node_stats },         { "mountpaths", get_mountpaths },
                { "remote", api__reply_remote },          { "backends", get_backends },
                { "target_ips", get_target_ips },         { "status", api__job_status },
                { "status_all", api__job_status_all },    { "qryxstats", api__job_snaps },
                { "running_all", api__job_running },
        };
        struct str what = api_param(r, "what");
        bool done = false;

        if (r->nitems > 1)
                return api__bad_uri(r);
        TRY(api__common_what(r, what, &done));
        for (size_t i = 0; !done && i < ARRAY_LEN(whats); i++)
                if (str_eq(what, str_of(whats[i].what)))
                        return whats[i].fn(r);
        return done ? NULL : err_new(ERR_INVALID, "unexpected query [what=" STR_FMT "]", STR_ARG(what));
}

/* ---- changes by action ---- */

/* The same message to every other node, for itself. */
static struct err *tell_all(struct api_req *r)
{
        return api__ask_members(r, "PUT", STR("/v1/daemon"), r->body);
}

/* What is not written holds in each process by itself; what is, all nodes have before it is answered. */
static struct err *spread_config(struct api_req *r)
{
        bool transient;

        TRY(api_param_bool(r, "transient", &transient));
        if (!transient) {
                cluster_spread(r->node->cluster, clock_mono_ns() + SPREAD_NS);
                return NULL;
        }
        struct str target = str_printf(r->arena, "/v1/daemon/set-cluster-config?" STR_FMT, STR_ARG(r->rq->query));
        if (!target.p)
                return err_static(ERR_NO_MEMORY);
        return api__ask_members(r, "PUT", target, r->body);
}

static struct err *set_config(struct api_req *r)
{
        TRY(api__config_set_value(r, CONFIG_SCOPE_CLUSTER));
        return spread_config(r);
}

static struct err *reset_config(struct api_req *r)
{
        TRY(cluster_config_reset(r->node->cluster));
        cluster_spread(r->node->cluster, clock_mono_ns() + SPREAD_NS);
        api_reply_empty(r, 200);
        return api__ask_members(r, "PUT", STR("/v1/daemon/reset-cluster-config"), STR_NONE);
}

static struct err *rotate_logs(struct api_req *r)
{
        TRY(logfile_rotate(r->api->log));
        TRY(tell_all(r));
        api_reply_empty(r, 200);
        return NULL;
}

static struct err *reset_stats(struct api_req *r)
{
        TRY(api__reset_stats(r));
        return tell_all(r);
}

/* No backend keeps credentials yet: there is nothing to read again. */
static struct err *reload_creds(struct api_req *r)
{
        enum provider p;

        if (r->env.name.n)
                TRY(provider_parse(r->env.name, &p));
        api_reply_empty(r, 200);
        return NULL;
}

static struct err *clear_lcache(struct api_req *r)
{
        return err_new(ERR_UNSUPPORTED,
                       "cannot clear the metadata cache of node \"" STR_FMT "\" - operation not supported",
                       STR_ARG(r->env.name));
}

/* ---- changes by path ---- */

static struct err *attach_remote(struct api_req *r)
{
        struct str url = http_req_header(r->rq, STR("Ais-Remote-Ais-Url")),
                   alias = http_req_header(r->rq, STR("Ais-Remote-Ais-Alias"));

        if (!str_eq(api_param(r, "what"), STR("remote")))
                return err_new(ERR_INVALID, "unexpected query [what=" STR_FMT "]", STR_ARG(api_param(r, "what")));
        if (url.n == 0)
                return err_new(ERR_INVALID, "failed to attach remote cluster [alias " STR_FMT "]: empty url",
                               STR_ARG(alias));
        return err_new(ERR_NOT_IMPLEMENTED, "attaching remote clusters is not implemented");
}

static struct err *detach_remote(struct api_req *r)
{
        if (!str_eq(api_param(r, "what"), STR("remote")))
                return err_new(ERR_INVALID, "unexpected query [what=" STR_FMT "]", STR_ARG(api_param(r, "what")));
        return err_new(ERR_INVALID, "remote cluster config is empty");
}

static struct err *toggle_backend(struct api_req *r)
{
        const char *verb = str_eq(r->items[1], STR("enable-bend")) ? "enable" : "disable";
        struct str name = r->nitems == 3 ? r->items[2] : STR("");
        enum provider p = PROVIDER_AIS;
        struct err *e = provider_parse(name, &p);

        err_free(e);
        if (e || p == PROVIDER_AIS)
                return err_new(ERR_INVALID, "can only %s cloud backend (have \"" STR_FMT "\")", verb, STR_ARG(name));
        return err_new(ERR_INVALID, "backend \"%s\" is not configured, cannot %s", provider_name(p), verb);
}

/* All nodes, or the one that the path names. */
static struct err *load_x509(struct api_req *r)
{
        const struct cluster_node *n = r->nitems == 3 ? snapshot_node(r->snap, r->items[2]) : NULL;

        if (r->nitems == 3 && !n)
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%lu", STR_ARG(r->items[2]),
                               (unsigned long)r->snap->smap_version);
        if (n && !api__is_own(r, n)) {
                struct api_ask one = { .node = n };

                TRY(api__ask(r, "PUT", STR("/v1/daemon/load-x509"), STR_NONE, &one, 1));
                api_reply_empty(r, 200);
                return NULL;
        }
        TRY(api__load_x509(r));
        return n ? NULL : api__ask_members(r, "PUT", STR("/v1/daemon/load-x509"), STR_NONE);
}

static struct err *set_config_query(struct api_req *r)
{
        TRY(api__config_set_query(r, CONFIG_SCOPE_CLUSTER));
        return spread_config(r);
}

static struct err *put_path(struct api_req *r)
{
        static const struct {
                const char *item;
                api_handler_fn *fn;
        } rows[] = {
                { "set-config", set_config_query }, { "attach", attach_remote },        { "detach", detach_remote },
                { "enable-bend", toggle_backend },  { "disable-bend", toggle_backend }, { "load-x509", load_x509 },
                { "proxy", api__primary_set },
        };

        for (size_t i = 0; r->nitems > 1 && i < ARRAY_LEN(rows); i++)
                if (str_eq(r->items[1], str_of(rows[i].item)))
                        return rows[i].fn(r);
        if (r->nitems > 1)
                return api__bad_uri(r);
        if (!r->env.doc)
                return err_new(ERR_MALFORMED, "failed to unmarshal the request's message: EOF (the body is empty)");
        return err_new(ERR_INVALID, "invalid action \"" STR_FMT "\"", STR_ARG(r->env.action));
}

/* Actions come with the bare path; with a longer one the path decides. */
static struct err *put(struct api_req *r)
{
        static const struct {
                const char *action;
                api_handler_fn *fn;
        } rows[] = {
                { "set-config", set_config },
                { "reset-config", reset_config },
                { "rotate-logs", rotate_logs },
                { "reset-stats", reset_stats },
                { "reload-creds", reload_creds },
                { "clear-lcache", clear_lcache },
                { "shutdown", api__cluster_shutdown },
                { "decommission", api__cluster_decommission },
                { "start-maintenance", api__member_change },
                { "stop-maintenance", api__member_change },
                { "shutdown-node", api__member_change },
                { "decommission-node", api__member_change },
                { "rm-unsafe", api__member_change },
                { "start", api__job_start },
                { "stop", api__job_stop },
        };

        for (size_t i = 0; r->nitems == 1 && i < ARRAY_LEN(rows); i++)
                if (str_eq(r->env.action, str_of(rows[i].action)))
                        return rows[i].fn(r);
        return put_path(r);
}

struct token_args {
        int64_t ttl_ns, uses;
};

/* Ours: a token by which new nodes join; its text. */
static struct err *new_token(struct api_req *r)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct token_args, "ttl", JSON_F_DURATION, ttl_ns),
                JSON_FIELD(struct token_args, "uses", JSON_F_INT, uses),
        };
        struct token_args a = { .ttl_ns = TOKEN_TTL_NS, .uses = 1 };
        AUTO_BUF struct buf text = BUF_INIT;

        TRY(api_value(r, fields, ARRAY_LEN(fields), "orlop-token", &a));
        if (a.ttl_ns <= 0 || a.uses < 1 || a.uses > TOKEN_USES_MAX)
                return err_new(ERR_INVALID, "a token needs a lifetime above 0, and 1 to %d uses", TOKEN_USES_MAX);
        TRY(cluster_token_new(r->node->cluster, a.ttl_ns, (unsigned)a.uses, &text));
        TRY(buf_err(&text));
        api_reply_text(r, 200, buf_str(&text));
        return NULL;
}

/* Messages come with the bare path alone. */
static struct err *post_action(struct api_req *r)
{
        bool done = false;

        TRY(api__read_envelope(r, CONTROL_BODY_MAX));
        if (!str_eq(r->env.action, STR("orlop-token")))
                return api__bad_uri(r);
        TRY(api__relay_primary(r, &done));
        return done ? NULL : new_token(r);
}

static struct err *post(struct api_req *r)
{
        if (r->nitems == 1)
                return post_action(r);
        if (r->nitems == 2 && str_eq(r->items[1], STR("join-by-admin")))
                return err_new(ERR_NOT_IMPLEMENTED,
                               "nodes are not joined by others: a node joins with a token (orlop cluster token)");
        if (r->nitems == 2 && (str_eq(r->items[1], STR("autoreg")) || str_eq(r->items[1], STR("keepalive"))))
                return err_new(ERR_FORBIDDEN, "not expecting POST /v1/cluster/" STR_FMT " via pub-net",
                               STR_ARG(r->items[1]));
        return api__bad_uri(r);
}

static struct err *refuse_delete(struct api_req *r)
{
        (void)r;
        return err_new(ERR_FORBIDDEN, "not expecting DELETE /v1/cluster via pub-net");
}

const struct api_route api_routes_cluster[] = {
        { HTTP_GET, "cluster", NULL, NEED_NONE, 0, get },
        { HTTP_PUT, "cluster", NULL, NEED_ENVELOPE | NEED_ANY_ACTION | NEED_PRIMARY, 0, put },
        { HTTP_POST, "cluster", NULL, NEED_NONE, 0, post },
        { HTTP_DELETE, "cluster", NULL, NEED_NONE, 0, refuse_delete },
        { HTTP_GET, NULL, NULL, NEED_NONE, 0, NULL },
};
