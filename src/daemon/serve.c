/* daemon/serve.c: wiring of one node: log, cluster state, store, jobs, front, server; then signals until the end.
 *
 * Anything that fails during the start ends what was made before it, in reverse, and the error goes to main. During the end requests in flight get a deadline, then the node
 * leaves the cluster; the store is closed last, after the last commit. */
#define LOG_FOLDER "daemon"
#include "daemon/serve.h"

#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "api/api.h"
#include "base/log.h"
#include "daemon/cluster_port.h"
#include "daemon/ending.h"
#include "daemon/shares.h"
#include "flow/owner.h"
#include "os/clock.h"
#include "os/sock.h"
#include "os/sysinfo.h"

#define DRAIN_NS (15 * NS_PER_SEC) /* for requests in flight at the end */
#define END_NS (30 * NS_PER_SEC)   /* for the whole end */

struct service {
        const struct settings *set;
        struct shares shares;
        struct node node;
        struct http_app s3;
        struct pool *pool;
        struct logfile *log;
        struct tls_ctx *tls;
        struct jobs *jobs;
        struct api *api;
        struct http_server *server;
        struct cluster_port *port; /* null: a cluster of one */
        char url[160];
        char state_path[PATH_MAX]; /* absolute */
};

/* ---- what follows the configuration at run time ---- */

/* log.level: words by folder as in --log-level, or the wire's verbosity digit (4 and above: debug). */
static void apply_log_level(const char *level)
{
        uint64_t digit;
        struct str spec = str_of(level);
        if (str_u64(spec, &digit))
                spec = digit >= 4 ? STR("debug") : STR("info");
        log_err(LOG_WARN, LOG_FOLDER, log_set_levels(spec), "log.level");
}

static void apply_watermarks(struct store *s, const struct config *c)
{
        struct watermarks w = { (int)config_int(c, "space.cleanupwm"), (int)config_int(c, "space.lowwm"), (int)config_int(c, "space.highwm"),
                                (int)config_int(c, "space.out_of_space") };
        store_set_watermarks(s, &w);
}

static void on_change(void *arg, const struct snapshot *before, const struct snapshot *after)
{
        struct service *v = arg;
        if (v->node.store != NULL)
                flow_follow(&v->node, before, after);
        if (before->config == after->config)
                return;
        if (v->node.store != NULL)
                apply_watermarks(v->node.store, after->config);
        if (strcmp(config_str(before->config, "log.level"), config_str(after->config, "log.level")) != 0)
                apply_log_level(config_str(after->config, "log.level"));
}

/* ---- start, in order ---- */

static struct err *start_log(struct service *v)
{
        const struct settings *s = v->set;
        if (s->log_level.n > 0)
                TRY_WRAP(log_set_levels(s->log_level), "--log-level");
        if (s->log_format.n > 0 && !str_eq(s->log_format, STR("text")) && !str_eq(s->log_format, STR("json")))
                return err_new(ERR_INVALID, "--log-format: expecting text or json");
        log_set_json(str_eq(s->log_format, STR("json")));
        struct logfile_options o = { .dir = s->log_dir.p, .name = "orlopd", .max_size = 64u << 20, .max_total = 512u << 20, .to_stderr = true };
        return logfile_open(&o, &v->log);
}

/* The node that was meant, and no other one with its flags. */
static struct err *check_id(const struct settings *s, const struct snapshot *snap)
{
        const char *proxy = snap->proxy != NULL ? snap->proxy->id : "", *target = snap->target != NULL ? snap->target->id : "";
        if (s->daemon_id.n == 0 || str_eq(s->daemon_id, str_of(proxy)) || str_eq(s->daemon_id, str_of(target)) ||
            str_eq(s->daemon_id, str_of(snap->member_id)))
                return NULL;
        return err_new(ERR_INVALID, "--daemon-id " STR_FMT ": the node here is %s", STR_ARG(s->daemon_id), proxy[0] != '\0' ? proxy : target);
}

/* Beyond this machine nothing is served to people nobody has asked who they are. S3 asks once there is a key. */
static struct err *check_exposure(const struct settings *s, struct str address, const char *flag, bool keys)
{
        struct str host;
        uint16_t port;
        if (address.n == 0)
                return NULL;
        TRY_WRAP(sock_split_address(address, &host, &port), "%s", flag);
        if (sock_is_loopback(host) || keys)
                return NULL;
        if (!s->insecure)
                return err_new(ERR_FORBIDDEN, "refusing to listen on " STR_FMT " without credentials: use a loopback address, or --insecure if everyone "
                                              "who reaches this address may read and write everything", STR_ARG(address));
        log_warn("listening on " STR_FMT " without credentials (--insecure): everyone who reaches it may read and write everything", STR_ARG(address));
        return NULL;
}

static struct str environment(const char *name)
{
        const char *v = getenv(name);
        return v != NULL ? str_of(v) : STR_NONE;
}

static struct err *config_base(void *arg, struct config *c)
{
        const struct settings *s = arg;
        bool restart;
        return s->cluster == NULL ? NULL : config_apply(c, s->cluster, CONFIG_SCOPE_CLUSTER, &restart);
}

/* The server binds first (port 0 must be known before the map is made); requests wait for the start. */
static struct err *bind_server(struct service *v, const struct http_app *app)
{
        const struct settings *s = v->set;
        const struct http_listener l[] = { { .address = s->listen.p, .tls = v->tls }, { .address = s->s3_listen.p, .tls = v->tls, .app = &v->s3 } };
        uint64_t loops = 0;
        if (s->loops.n > 0 && (!str_u64(s->loops, &loops) || loops > 256))
                return err_new(ERR_INVALID, "--loops: expecting a number up to 256");
        struct http_server_options o = { .listeners = l, .nlisteners = s->s3_listen.n > 0 ? 2 : 1, .loops = (unsigned)loops, .pool = v->pool, .app = *app,
                                         .limits = { .max_connections = v->shares.connections } };
        return http_server_new(&o, &v->server);
}

/* What clients are told: the URL that was asked for, else the address bound, with a real address in place of a wildcard. */
static struct err *public_address(struct service *v, struct cluster_addr *ret)
{
        char bound[64], ip[64];
        struct str host;
        uint16_t port;
        struct str url = v->set->public_url;
        struct str address = str_of(http_server_address(v->server, 0, bound));
        if (url.n > 0 && str_find_str(url, STR("://")) < 0)
                return err_new(ERR_INVALID, "--public-url: expecting http://host:port or https://host:port");
        TRY_WRAP(address_told(url, address, ip, &host, &port), "public address");
        bool v6 = str_find(host, ':') >= 0;
        str_copy(ret->host, sizeof(ret->host), host);
        snprintf(ret->port, sizeof(ret->port), "%u", (unsigned)port);
        snprintf(ret->url, sizeof(ret->url), "%s://%s%s%s:%u", v->tls ? "https" : "http", v6 ? "[" : "", ret->host, v6 ? "]" : "", (unsigned)port);
        str_copy(v->url, sizeof(v->url), str_of(ret->url));
        return NULL;
}

static int64_t now_of(void *c)
{
        return cluster_time_ns(c);
}

static uint64_t largest_of(void *s)
{
        return store_clock_now(s);
}

static void observe_of(void *s, uint64_t hlc)
{
        store_clock_observe(s, hlc);
}

static const char *state_dir(const struct settings *s)
{
        return s->state.n > 0 ? s->state.p : s->dirs[0].p;
}

static struct err *open_cluster(struct service *v)
{
        struct cluster_opts o = { .state_dir = state_dir(v->set), .config_base = config_base };
        o.config_arg = (void *)(uintptr_t)v->set;
        TRY(public_address(v, &o.addr[CLUSTER_NET_PUBLIC]));
        o.addr[CLUSTER_NET_DATA] = o.addr[CLUSTER_NET_CONTROL] = o.addr[CLUSTER_NET_PUBLIC];
        if (v->port != NULL)
                cluster_port_options(v->port, v->pool, &o);
        TRY_WRAP(cluster_open(&o, &v->node.cluster), "state in %s", o.state_dir);
        cluster_watch(v->node.cluster, on_change, v);
        return NULL;
}

/* Tells the cluster's state which mountpaths this node has, if that has changed since the last start. */
static struct err *publish_mountpaths(struct service *v, const struct snapshot *snap)
{
        struct mountpath_info *have = calloc(CLUSTER_MOUNTPATHS_MAX, sizeof(*have));
        struct cluster_mountpath *list = calloc(CLUSTER_MOUNTPATHS_MAX, sizeof(*list));
        unsigned n = 0;
        struct err *e = have && list ? store_mountpaths(v->node.store, have, CLUSTER_MOUNTPATHS_MAX, &n) : err_static(ERR_NO_MEMORY);
        bool same = n == snap->mountpath_count;
        for (unsigned i = 0; e == NULL && i < n; i++) {
                list[i] = (struct cluster_mountpath){ have[i].path, have[i].label,
                                                      have[i].state != MOUNTPATH_DISABLED || have[i].unopened };
                bool found = false;
                for (size_t k = 0; k < snap->mountpath_count && !found; k++)
                        found = strcmp(snap->mountpaths[k].path, list[i].path) == 0 && snap->mountpaths[k].enabled == list[i].enabled;
                same = same && found;
        }
        if (e == NULL && !same)
                e = cluster_mountpaths_set(v->node.cluster, list, n);
        free(have);
        free(list);
        return e;
}

/* The directories of the command line, and those attached at run time. */
static struct err *open_store(struct service *v)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(v->node.cluster);
        const char *paths[SETTINGS_DIRS_MAX + CLUSTER_MOUNTPATHS_MAX], *labels[SETTINGS_DIRS_MAX + CLUSTER_MOUNTPATHS_MAX];
        bool known[SETTINGS_DIRS_MAX + CLUSTER_MOUNTPATHS_MAX] = { false };
        unsigned n = 0;
        for (; n < v->set->ndirs; n++) {
                TRY(file_mkdir_all(v->set->dirs[n].p, 0700));
                paths[n] = realpath(v->set->dirs[n].p, NULL);
                labels[n] = "";
                if (paths[n] == NULL)
                        return err_new(ERR_IO, "cannot resolve %s", v->set->dirs[n].p);
        }
        unsigned given = n;
        for (size_t i = 0; i < snap->mountpath_count; i++) {
                unsigned k = 0;
                while (k < given && strcmp(paths[k], snap->mountpaths[i].path) != 0)
                        k++;
                if (k < given) {
                        labels[k] = snap->mountpaths[i].label;
                        known[k] = true;
                } else {
                        paths[n] = snap->mountpaths[i].path;
                        known[n] = true;
                        labels[n++] = snap->mountpaths[i].label;
                }
        }
        struct store_options o = { .paths = paths, .labels = labels, .npaths = n, .known = known, .cluster_uuid = snap->uuid, .target_id = snap->target->id,
                                   .node = (uint32_t)snap->target->digest, .cache_bytes = v->shares.cache,
                                   .cache_files = v->shares.cache_files, .render = api_render_object, .clock = { now_of, v->node.cluster } };
        struct err *e = store_open(&o, &v->node.store);
        for (size_t i = 0; e == NULL && i < snap->mountpath_count; i++) {
                bool changed;
                if (!snap->mountpaths[i].enabled)
                        log_err(LOG_WARN, LOG_FOLDER, store_mountpath_disable(v->node.store, snap->mountpaths[i].path, true, &changed), "mountpath %s",
                                snap->mountpaths[i].path);
        }
        for (unsigned i = 0; i < given; i++)
                free((void *)(uintptr_t)paths[i]);
        TRY(e);
        apply_watermarks(v->node.store, snap->config);
        TRY(publish_mountpaths(v, snap));
        cluster_set_stamps(v->node.cluster, largest_of, observe_of, v->node.store);
        return NULL;
}

/* Requests ask for the end this way; the main thread is waiting for signals. */
static void ask_to_end(void *arg)
{
        (void)arg;
        kill(getpid(), SIGTERM);
}

/* In order: what fails ends the start; stop() takes down what was made. */
static struct err *start(struct service *v)
{
        const struct settings *s = v->set;
        uint64_t files = sysinfo_raise_nofile();
        TRY(start_log(v));
        if (files < 1024)
                log_warn("only %lu open files are allowed (ulimit -n): few connections can be served", (unsigned long)files);
        struct str access = environment("ORLOP_ACCESS_KEY");
        TRY(check_exposure(s, s->listen, "--listen", false));
        TRY(check_exposure(s, s->s3_listen, "--s3-listen", access.n > 0 || s->s3_keys.n > 0));
        TRY(shares_make(s, files, &v->shares));
        TRY(pool_new(&v->shares.workers, &v->pool));
        if (s->tls_cert.n > 0)
                TRY(tls_server_new(s->tls_cert.p, s->tls_key.p, &v->tls));
        struct api_options ao = { .node = &v->node, .pool = v->pool, .log = v->log, .tls = v->tls, .shutdown = ask_to_end,
                                  .state_dir = v->state_path, .log_dir = s->log_dir.p,
                                  .memory = v->shares.requests, .uploads = v->shares.uploads };
        ao.s3_keys = s->s3_keys.n > 0 ? s->s3_keys.p : NULL;
        ao.s3_access = access;
        ao.s3_secret = environment("ORLOP_SECRET_KEY");
        struct http_app app;
        TRY(cluster_port_new(s, state_dir(s), &v->port));
        TRY(file_mkdir_all(state_dir(s), 0700));
        if (realpath(state_dir(s), v->state_path) == NULL)
                return err_new(ERR_IO, "cannot resolve %s", state_dir(s));
        ao.rpc = cluster_port_rpc(v->port);
        TRY(api_new(&ao, &v->api));
        api_app(v->api, &app);
        api_s3_app(v->api, &v->s3);
        TRY(bind_server(v, &app));
        TRY(open_cluster(v));
        TRY(flow_start(&v->node));
        {
                AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(v->node.cluster);
                TRY(check_id(s, snap));
                if (snap->target != NULL) {
                        TRY(open_store(v));
                        flow_follow(&v->node, NULL, snap);
                }
        }
        TRY(jobs_new(&v->node, v->pool, &v->jobs));
        if (v->port != NULL) {
                TRY(flow_routes(&v->node, ao.rpc));
                TRY(jobs_join(v->jobs, ao.rpc));
        } else {
                TRY(flow_keep_buckets(&v->node, 0));
        }
        v->node.stats.start_mono_ns = clock_mono_ns();
        TRY(api_ready(v->api, v->jobs, v->url, v->server));
        TRY(cluster_port_start(v->port, &v->node, v->pool));
        TRY(jobs_begin(v->jobs));
        return http_server_start(v->server);
}

/* Clients first: what was begun ends well, as a node of the cluster, which holds its lease until then. */
static void stop(struct service *v)
{
        ending_begin(END_NS);
        ending_step("requests in progress");
        if (v->server != NULL)
                http_server_stop(v->server, clock_mono_ns() + DRAIN_NS);
        ending_step("leaving the cluster");
        if (v->api != NULL)
                api_stop(v->api);
        if (v->node.cluster != NULL)
                cluster_stop(v->node.cluster);
        cluster_port_stop(v->port);
        ending_step("jobs");
        if (v->jobs != NULL)
                jobs_free(v->jobs);
        ending_step("work of ended requests");
        if (v->pool != NULL)
                pool_free(v->pool);
        if (v->node.store != NULL) /* the store's last commits must not wake a server that is gone */
                store_set_batch_hook(v->node.store, NULL, NULL);
        if (v->server != NULL)
                http_server_free(v->server);
        ending_step("the store");
        if (v->node.store != NULL)
                store_close(v->node.store);
        flow_stop(&v->node);
        cluster_close(v->node.cluster);
        cluster_port_free(v->port);
        api_free(v->api);
        tls_ctx_free(v->tls);
        ending_done();
        if (v->log != NULL)
                logfile_close(v->log);
}

static void on_hangup(struct service *v)
{
        if (v->tls != NULL)
                log_err(LOG_ERROR, LOG_FOLDER, tls_server_reload(v->tls), "certificate (the old one stays in force)");
        log_err(LOG_WARN, LOG_FOLDER, logfile_rotate(v->log), "log rotation");
        log_info("reloaded");
}

static void wait_for_end(struct service *v, const sigset_t *signals)
{
        for (;;) {
                int sig;
                if (sigwait(signals, &sig) != 0)
                        continue;
                if (sig == SIGHUP) {
                        on_hangup(v);
                        continue;
                }
                log_info("ending (signal %d)", sig);
                return;
        }
}

struct err *serve(const struct settings *s)
{
        struct service v = { .set = s };
        sigset_t signals;
        sigemptyset(&signals);
        sigaddset(&signals, SIGTERM);
        sigaddset(&signals, SIGINT);
        sigaddset(&signals, SIGHUP);
        pthread_sigmask(SIG_BLOCK, &signals, NULL); /* before any thread exists */
        signal(SIGPIPE, SIG_IGN);
        struct err *e = start(&v);
        if (e == NULL) {
                fprintf(stderr, "ready %s\n", v.url);
                wait_for_end(&v, &signals);
        }
        stop(&v);
        return e;
}
