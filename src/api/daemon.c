/* api/daemon.c: /v1/daemon: what one node tells about itself, and changes of that node. A node with both roles answers
 * for either of its ids; which one, role_target says.
 *
 * Changes of mountpaths go to the store first, then into the cluster's state, so that a crash between the two leaves a
 * directory that is found by name at the next start. */
#define LOG_FOLDER "api"
#include "api/nodes.h"

#include <stdio.h>

#include "base/log.h"

#include "os/clock.h"

#define LOG_TEXT_MAX (16 * 1024 * 1024)
#define LOG_ARCHIVE_MAX (128 * 1024 * 1024)

/* ---- reading ---- */

static struct err *get_config(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        const struct cluster_addr *a = api_self(r)->addr;
        struct json_w w;

        api__json(r, &w, &b);
        jw_object(&w, NULL);
        jw_object(&w, "fspaths");
        for (size_t i = 0; r->role_target && i < r->snap->mountpath_count; i++)
                jw_cstr(&w, r->snap->mountpaths[i].path, r->snap->mountpaths[i].label);
        jw_object_end(&w);
        jw_cstr(&w, "confdir", r->api->state_dir != NULL ? r->api->state_dir : "");
        jw_cstr(&w, "log_dir", r->api->log_dir != NULL ? r->api->log_dir : "");
        jw_object(&w, "test_fspaths");
        jw_cstr(&w, "root", "");
        jw_int(&w, "count", 0);
        jw_int(&w, "instance", 0);
        jw_object_end(&w);
        jw_object(&w, "host_net");
        jw_cstr(&w, "hostname", a[CLUSTER_NET_PUBLIC].host);
        jw_cstr(&w, "hostname_intra_control", a[CLUSTER_NET_CONTROL].host);
        jw_cstr(&w, "hostname_intra_data", a[CLUSTER_NET_DATA].host);
        jw_cstr(&w, "port", a[CLUSTER_NET_PUBLIC].port);
        jw_cstr(&w, "port_intra_control", a[CLUSTER_NET_CONTROL].port);
        jw_cstr(&w, "port_intra_data", a[CLUSTER_NET_DATA].port);
        jw_object_end(&w);
        config_json(&w, r->snap->config);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get_sysinfo(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v;
        struct json_w w;

        TRY(api__view_gather(r, &v));
        api__json(r, &w, &b);
        api__view_sysinfo(&w, NULL, &v, r->role_target);
        return api_reply_json(r, &b);
}

/* Of the three answers that also exist in msgpack. */
static struct err *get_numbers(struct api_req *r, void (*json)(struct json_w *w, const struct view_node *v),
                               void (*pack)(struct buf *b, const struct view_node *v))
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v;
        struct json_w w;

        TRY(api__view_gather(r, &v));
        if (api_accepts_msgpack(r)) {
                pack(&b, &v);
                return api_reply_buf(r, "application/msgpack", &b);
        }
        api__json(r, &w, &b);
        json(&w, &v);
        return api_reply_json(r, &b);
}

static void node_stats_json(struct json_w *w, const struct view_node *v)
{
        api__view_node_stats(w, NULL, v);
}

static struct err *get_node_stats(struct api_req *r)
{
        return get_numbers(r, node_stats_json, api__pack_node_stats);
}

static struct err *get_node_status(struct api_req *r)
{
        return get_numbers(r, api__view_node_status, api__pack_node_status);
}

static struct err *get_disk(struct api_req *r)
{
        return get_numbers(r, api__view_disk, api__pack_disk);
}

static void write_kind(void *arg, const char *name, const char *kind)
{
        jw_cstr(arg, name, kind);
}

static struct err *get_metrics(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v;
        struct json_w w;

        TRY(api__view_gather(r, &v));
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        api__metric_names(r->role_target, write_kind, &w);
        for (unsigned i = 0; i < v.ndisks; i++) {
                static const char *const parts[][2] = { { "avg.rsize", "gauge" },
                                                        { "avg.wsize", "gauge" },
                                                        { "read.bps", "compbw" },
                                                        { "util", "gauge" },
                                                        { "write.bps", "compbw" } };

                for (size_t k = 0; k < ARRAY_LEN(parts); k++) {
                        char name[VIEW_NAME_MAX];

                        snprintf(name, sizeof(name), "disk.%s.%s", v.disks[i].name, parts[k][0]);
                        jw_cstr(&w, name, parts[k][1]);
                }
        }
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get_version(struct api_req *r)
{
        api_reply_text(r, 200, STR(API_VERSION));
        return NULL;
}

static struct err *get_mountpaths(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v;
        struct json_w w;

        TRY(api__view_gather(r, &v));
        api__json(r, &w, &b);
        api__view_mountpaths(&w, NULL, &v);
        return api_reply_json(r, &b);
}

static struct err *get_log(struct api_req *r)
{
        static const struct {
                const char *name;
                enum log_level min;
        } severities[] = { { "", LOG_DEBUG }, { "info", LOG_INFO }, { "warning", LOG_WARN }, { "error", LOG_ERROR } };
        struct str severity = api_param(r, "severity"), text = api_param(r, "offset");
        AUTO_BUF struct buf b = BUF_INIT;
        uint64_t offset = 0;
        bool all;

        TRY(api_param_bool(r, "all", &all));
        if (text.n && !str_u64(text, &offset))
                return err_new(ERR_INVALID, "invalid log offset \"" STR_FMT "\"", STR_ARG(text));
        for (size_t i = 0; i < ARRAY_LEN(severities); i++) {
                if (!str_eq(severity, str_of(severities[i].name)))
                        continue;
                /* The reply reserves what it is; this is for what it is made of. */
                TRY(api_reserve(r, all ? LOG_ARCHIVE_MAX / 2 : LOG_TEXT_MAX));
                if (all) {
                        TRY(logfile_read_all_targz(r->api->log, LOG_ARCHIVE_MAX, &b));
                        return api_reply_buf(r, "application/x-gzip", &b);
                }
                TRY(logfile_read(r->api->log, severities[i].min, offset, LOG_TEXT_MAX, &b));
                return api_reply_buf(r, "text/plain; charset=utf-8", &b);
        }
        return err_new(ERR_INVALID, "unknown log severity \"" STR_FMT "\"", STR_ARG(severity));
}

static struct err *get_certificate(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct tls_cert_info c;
        char from[40], to[40];
        struct json_w w;

        if (!r->api->tls)
                return err_new(ERR_NOT_FOUND, "no TLS certificate: the node runs plain HTTP");
        TRY(tls_server_info(r->api->tls, &c));
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        jw_cstr(&w, "version", c.version);
        jw_cstr(&w, "issued-by", c.issuer);
        jw_cstr(&w, "serial-number", c.serial);
        jw_cstr(&w, "public-key-algorithm", c.public_key_algorithm);
        jw_cstr(&w, "signature-algorithm", c.signature_algorithm);
        jw_strf(&w, "valid", "from %s to %s", clock_rfc3339(c.not_before * NS_PER_SEC, from),
                clock_rfc3339(c.not_after * NS_PER_SEC, to));
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

struct err *api__daemon_get(struct api_req *r)
{
        static const struct {
                const char *what;
                bool target_only;
                api_handler_fn *fn;
        } whats[] = {
                { "config", false, get_config },
                { "sysinfo", false, get_sysinfo },
                { "node_stats", false, get_node_stats },
                { "node_status", false, get_node_status },
                { "metrics", false, get_metrics },
                { "software_version", false, get_version },
                { "log", false, get_log },
                { "tls_certificate", false, get_certificate },
                { "mountpaths", true, get_mountpaths },
                { "disk", true, get_disk },
                { "remote", true, api__reply_remote },
        };
        struct str what = api_param(r, "what");
        bool done = false;

        if (r->nitems > 1)
                return api__bad_uri(r);
        TRY(api__common_what(r, what, &done));
        if (done)
                return NULL;
        for (size_t i = 0; i < ARRAY_LEN(whats); i++)
                if (str_eq(what, str_of(whats[i].what)) && (r->role_target || !whats[i].target_only))
                        return whats[i].fn(r);
        return err_new(ERR_INVALID, "invalid '/v1/daemon' request: unrecognized 'what=" STR_FMT "' query",
                       STR_ARG(what));
}

/* ---- changing ---- */

/* The list in the cluster's state follows the store's. */
static struct err *save_mountpaths(struct api_req *r)
{
        struct mountpath_info *have = arena_alloc(r->arena, CLUSTER_MOUNTPATHS_MAX * sizeof(*have));
        struct cluster_mountpath *list = arena_alloc(r->arena, CLUSTER_MOUNTPATHS_MAX * sizeof(*list));
        unsigned n;

        if (!have || !list)
                return err_static(ERR_NO_MEMORY);
        TRY(store_mountpaths(r->node->store, have, CLUSTER_MOUNTPATHS_MAX, &n));
        for (unsigned i = 0; i < n; i++)
                list[i] = (struct cluster_mountpath){ have[i].path, have[i].label,
                                                      have[i].state != MOUNTPATH_DISABLED || have[i].unopened };
        return cluster_mountpaths_set(r->node->cluster, list, n);
}

/* Whether the store has it: MOUNTPATH_NOT_FOUND. */
static struct err *known_mountpath(struct api_req *r, const char *path)
{
        struct mountpath_info *have = arena_alloc(r->arena, CLUSTER_MOUNTPATHS_MAX * sizeof(*have));
        unsigned n;

        if (!have)
                return err_static(ERR_NO_MEMORY);
        TRY(store_mountpaths(r->node->store, have, CLUSTER_MOUNTPATHS_MAX, &n));
        for (unsigned i = 0; i < n; i++)
                if (strcmp(have[i].path, path) == 0)
                        return NULL;
        return err_new(ERR_MOUNTPATH_NOT_FOUND, "mountpath %s does not exist", path);
}

static struct err *mountpath_path(struct api_req *r, const char **ret)
{
        struct str path = json_str(r->env.value);

        while (path.n > 1 && path.p[path.n - 1] == '/')
                path.n--;
        if (path.n == 0 || path.p[0] != '/' || memchr(path.p, '\0', path.n))
                return err_new(ERR_INVALID, "invalid mountpath \"" STR_FMT "\": expecting an absolute path",
                               STR_ARG(path));
        path = str_arena(r->arena, path);
        if (!path.p)
                return err_static(ERR_NO_MEMORY);
        *ret = path.p;
        return NULL;
}

/* What is there by now is brought to where it belongs by a job; the change is made whether that starts or not. */
static struct err *after_mountpath(struct api_req *r, bool changed, bool resilver)
{
        if (changed)
                TRY(save_mountpaths(r));
        if (changed && resilver) {
                struct str why = str_printf(r->arena, STR_FMT, STR_ARG(r->env.action));

                log_err(LOG_WARN, LOG_FOLDER, jobs_resilver_of_change(r->api->jobs, why.p ? why.p : ""),
                        "resilver after a change of mountpaths");
        }
        api_reply_empty(r, changed ? 200 : 204);
        return NULL;
}

static struct err *put_mountpath(struct api_req *r)
{
        struct str label = str_arena(r->arena, api_param(r, "mountpath_label"));
        const char *path;
        struct stat st;
        bool no_resilver;

        if (!str_eq(r->env.action, STR("attach-mp")))
                return err_new(ERR_INVALID, "invalid action \"" STR_FMT "\"", STR_ARG(r->env.action));
        TRY(mountpath_path(r, &path));
        TRY(api_param_bool(r, "dntres", &no_resilver));
        TRY_WRAP(file_stat_at(AT_FDCWD, path, &st), "mountpath %s", path);
        if (!S_ISDIR(st.st_mode))
                return err_new(ERR_INVALID, "mountpath %s is not a directory", path);
        TRY(store_mountpath_attach(r->node->store, path, label.p ? label.p : ""));
        return after_mountpath(r, true, !no_resilver);
}

static struct err *post_mountpath(struct api_req *r)
{
        bool changed = false, no_resilver;
        const char *path;

        TRY(mountpath_path(r, &path));
        TRY(api_param_bool(r, "dntres", &no_resilver));
        if (str_eq(r->env.action, STR("enable-mp")))
                TRY(store_mountpath_enable(r->node->store, path, &changed));
        else if (str_eq(r->env.action, STR("disable-mp")))
                TRY(store_mountpath_disable(r->node->store, path, no_resilver, &changed));
        else if (str_eq(r->env.action, STR("rescan-mp")))
                TRY(known_mountpath(r, path)); /* disks are looked up at each question: nothing to scan */
        else if (str_eq(r->env.action, STR("fshc-mp")))
                return err_new(ERR_NOT_IMPLEMENTED, "checking a mountpath's health on request is not implemented");
        else
                return err_new(ERR_INVALID, "invalid action \"" STR_FMT "\"", STR_ARG(r->env.action));
        return after_mountpath(r, changed, !no_resilver);
}

static struct err *delete_mountpath(struct api_req *r)
{
        bool changed = false, no_resilver;
        const char *path;

        if (!str_eq(r->env.action, STR("detach-mp")))
                return err_new(ERR_INVALID, "invalid action \"" STR_FMT "\"", STR_ARG(r->env.action));
        TRY(mountpath_path(r, &path));
        TRY(api_param_bool(r, "dntres", &no_resilver));
        TRY(store_mountpath_detach(r->node->store, path, no_resilver, &changed));
        return after_mountpath(r, changed, !no_resilver);
}

static bool sub_path(const struct api_req *r, const char *name)
{
        return r->nitems == 2 && str_eq(r->items[1], str_of(name));
}

struct err *api__daemon_put(struct api_req *r)
{
        struct str action = r->env.action;

        if (sub_path(r, "mountpaths"))
                return r->role_target ? put_mountpath(r) : api__bad_uri(r);
        /* The leader's, for this process alone: transient values. */
        if (sub_path(r, "set-cluster-config") && r->internal)
                return r->env.doc ? api__config_set_value(r, CONFIG_SCOPE_CLUSTER) :
                                    api__config_set_query(r, CONFIG_SCOPE_CLUSTER);
        if (sub_path(r, "reset-cluster-config") && r->internal) {
                TRY(cluster_config_drop_transient(r->node->cluster));
                api_reply_empty(r, 200);
                return NULL;
        }
        if (sub_path(r, "set-config"))
                return api__config_set_query(r, CONFIG_SCOPE_NODE);
        if (sub_path(r, "load-x509"))
                return api__load_x509(r);
        if (r->nitems > 1)
                return api__bad_uri(r);
        if (str_eq(action, STR("set-config")))
                return api__config_set_value(r, CONFIG_SCOPE_NODE);
        if (str_eq(action, STR("reset-config"))) {
                if (r->snap->member_count > 1)
                        TRY(cluster_config_reset_own(r->node->cluster));
                else
                        TRY(cluster_config_reset(r->node->cluster));
        } else if (str_eq(action, STR("rotate-logs"))) {
                TRY(logfile_rotate(r->api->log));
        } else if (str_eq(action, STR("reset-stats"))) {
                return api__reset_stats(r);
        } else if (!r->env.doc) {
                return err_new(ERR_MALFORMED, "failed to unmarshal the request's message: EOF (the body is empty)");
        } else {
                return err_new(ERR_INVALID, "invalid action \"" STR_FMT "\"", STR_ARG(action));
        }
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__daemon_post(struct api_req *r)
{
        return sub_path(r, "mountpaths") && r->role_target ? post_mountpath(r) : api__bad_uri(r);
}

struct err *api__daemon_delete(struct api_req *r)
{
        return sub_path(r, "mountpaths") && r->role_target ? delete_mountpath(r) : api__bad_uri(r);
}

const struct api_route api_routes_daemon[] = {
        { HTTP_GET, "daemon", NULL, NEED_NONE, 0, api__daemon_get },
        { HTTP_PUT, "daemon", NULL, NEED_ENVELOPE | NEED_ANY_ACTION, 0, api__daemon_put },
        { HTTP_POST, "daemon", NULL, NEED_ENVELOPE | NEED_ANY_ACTION, 0, api__daemon_post },
        { HTTP_DELETE, "daemon", NULL, NEED_ENVELOPE | NEED_ANY_ACTION | NEED_MEMBER, 0, api__daemon_delete },
        { HTTP_GET, NULL, NULL, NEED_NONE, 0, NULL },
};
