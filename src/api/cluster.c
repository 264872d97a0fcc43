/* api/cluster.c: /v1/cluster: questions about the whole cluster, and changes of it. On one node the primary proxy and
 * the only target are this node. */
#define LOG_FOLDER "api"
#include "api/nodes.h"

#include "base/log.h"

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

/* wire: the answering primary leaves itself out. */
static struct err *get_sysinfo(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v;
        struct json_w w;

        r->role_target = true;
        TRY(api__view_gather(r, &v));
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        jw_object(&w, "proxy");
        jw_object_end(&w);
        jw_object(&w, "target");
        api__view_sysinfo(&w, v.self->id, &v, true);
        jw_object_end(&w);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get_node_stats(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v;
        struct json_w w;

        api__json(r, &w, &b);
        TRY(api__view_gather(r, &v));
        jw_object(&w, NULL);
        api__view_node_stats(&w, "proxy", &v);
        r->role_target = true;
        TRY(api__view_gather(r, &v));
        jw_object(&w, "target");
        api__view_node_stats(&w, v.self->id, &v);
        jw_object_end(&w);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get_mountpaths(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v;
        struct json_w w;

        r->role_target = true;
        TRY(api__view_gather(r, &v));
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        jw_object(&w, "targets");
        api__view_mountpaths(&w, v.self->id, &v);
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

static struct err *set_config(struct api_req *r)
{
        return api__config_set_value(r, CONFIG_SCOPE_CLUSTER);
}

static struct err *reset_config(struct api_req *r)
{
        TRY(cluster_config_reset(r->node->cluster));
        api_reply_empty(r, 200);
        return NULL;
}

static struct err *rotate_logs(struct api_req *r)
{
        TRY(logfile_rotate(r->api->log));
        api_reply_empty(r, 200);
        return NULL;
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

static struct err *shut_down(struct api_req *r)
{
        log_info("shutdown is requested by %s", r->rq->peer);
        http_resp_header(r->rs, "Connection", STR("close"));
        r->rs->close = true;
        api_reply_empty(r, 200);
        if (r->api->shutdown)
                r->api->shutdown(r->api->shutdown_arg);
        return NULL;
}

struct remove_args {
        struct str sid;
        json_t *sids;
        bool skip_rebalance, rm_user_data, keep_initial_config, no_shutdown;
};

static struct err *decode_remove(struct api_req *r, struct remove_args *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct remove_args, "sid", JSON_F_STR, sid),
                JSON_FIELD(struct remove_args, "sids", JSON_F_ARRAY, sids),
                JSON_FIELD(struct remove_args, "skip_rebalance", JSON_F_BOOL, skip_rebalance),
                JSON_FIELD(struct remove_args, "rm_user_data", JSON_F_BOOL, rm_user_data),
                JSON_FIELD(struct remove_args, "keep_initial_config", JSON_F_BOOL, keep_initial_config),
                JSON_FIELD(struct remove_args, "no_shutdown", JSON_F_BOOL, no_shutdown),
        };
        return api_value(r, fields, ARRAY_LEN(fields), "membership change", ret);
}

/* The whole cluster ends; with rm_user_data every bucket goes first. */
static struct err *decommission(struct api_req *r)
{
        struct remove_args a = { .sid = STR_NONE };

        TRY(decode_remove(r, &a));
        for (size_t i = 0; a.rm_user_data && i < r->snap->bucket_count; i++) {
                uint64_t bid;
                struct err *e = cluster_bucket_destroy(r->node->cluster, &r->snap->buckets[i]->bck, &bid);

                if (err_code(e) == ERR_BUCKET_NOT_FOUND) { /* destroyed by somebody else meanwhile */
                        err_free(e);
                        continue;
                }
                TRY(e);
                TRY(store_bucket_drop(r->node->store, bid));
        }
        if (!a.no_shutdown)
                return shut_down(r);
        api_reply_empty(r, 200);
        return NULL;
}

/* One node of a cluster of one can not leave it: each id is told why. */
static struct err *refuse_member(struct api_req *r, struct str id)
{
        const struct cluster_node *n = snapshot_node(r->snap, id);

        if (id.n < 8)
                return err_new(ERR_INVALID, "node ID \"" STR_FMT "\" is too short", STR_ARG(id));
        if (!n)
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%lu", STR_ARG(id),
                               (unsigned long)r->snap->smap_version);
        if (n == r->snap->primary)
                return err_new(ERR_INVALID,
                               "p[%s] is the current primary, cannot perform action \"" STR_FMT "\" on itself", n->id,
                               STR_ARG(r->env.action));
        return err_new(ERR_INVALID, "%c[%s] is the last active %s, cannot perform action \"" STR_FMT "\" on it",
                       n->target ? 't' : 'p', n->id, n->target ? "target" : "proxy", STR_ARG(r->env.action));
}

static struct err *member_change(struct api_req *r)
{
        struct remove_args a = { .sid = STR_NONE };

        TRY(decode_remove(r, &a));
        if (a.sid.n == 0 && json_array_size(a.sids) == 0)
                return err_new(ERR_INVALID, "invalid membership-change operation: missing node IDs");
        if (a.sid.n && json_array_size(a.sids))
                return err_new(ERR_INVALID, "invalid membership-change operation: 'sid' and 'sids' exclude each other");
        return refuse_member(r, a.sid.n ? a.sid : json_str(json_array_get(a.sids, 0)));
}

/* ---- changes by path ---- */

static struct err *set_primary(struct api_req *r)
{
        const struct cluster_node *n = r->nitems == 3 ? snapshot_node(r->snap, r->items[2]) : NULL;

        if (r->nitems != 3)
                return err_new(ERR_INVALID, "URL '" STR_FMT "' is too short: expected 4 items, got %u",
                               STR_ARG(str_skip(r->rq->path, 1)), r->nitems + 1);
        if (!n)
                return err_new(ERR_NODE_NOT_FOUND, "set-primary failure: node " STR_FMT " not present in Smap v%lu",
                               STR_ARG(r->items[2]), (unsigned long)r->snap->smap_version);
        if (n->target)
                return err_new(ERR_INVALID, "t[%s] is a target, cannot become the primary proxy", n->id);
        api_reply_empty(r, 200); /* the only proxy is the primary already */
        return NULL;
}

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

static struct err *load_x509(struct api_req *r)
{
        if (r->nitems == 3 && !snapshot_node(r->snap, r->items[2]))
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%lu", STR_ARG(r->items[2]),
                               (unsigned long)r->snap->smap_version);
        return api__load_x509(r);
}

static struct err *set_config_query(struct api_req *r)
{
        return api__config_set_query(r, CONFIG_SCOPE_CLUSTER);
}

static struct err *put_path(struct api_req *r)
{
        static const struct {
                const char *item;
                api_handler_fn *fn;
        } rows[] = {
                { "set-config", set_config_query }, { "attach", attach_remote },        { "detach", detach_remote },
                { "enable-bend", toggle_backend },  { "disable-bend", toggle_backend }, { "load-x509", load_x509 },
                { "proxy", set_primary },
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
                { "reset-stats", api__reset_stats },
                { "reload-creds", reload_creds },
                { "clear-lcache", clear_lcache },
                { "shutdown", shut_down },
                { "decommission", decommission },
                { "start-maintenance", member_change },
                { "stop-maintenance", member_change },
                { "shutdown-node", member_change },
                { "decommission-node", member_change },
                { "rm-unsafe", member_change },
                { "start", api__job_start },
                { "stop", api__job_stop },
        };

        for (size_t i = 0; r->nitems == 1 && i < ARRAY_LEN(rows); i++)
                if (str_eq(r->env.action, str_of(rows[i].action)))
                        return rows[i].fn(r);
        return put_path(r);
}

static struct err *post(struct api_req *r)
{
        if (r->nitems == 2 && str_eq(r->items[1], STR("join-by-admin")))
                return err_new(ERR_NOT_IMPLEMENTED, "joining nodes is not implemented");
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
        { HTTP_PUT, "cluster", NULL, NEED_ENVELOPE | NEED_ANY_ACTION, 0, put },
        { HTTP_POST, "cluster", NULL, NEED_NONE, 0, post },
        { HTTP_DELETE, "cluster", NULL, NEED_NONE, 0, refuse_delete },
        { HTTP_GET, NULL, NULL, NEED_NONE, 0, NULL },
};
