/* cli/cluster.c: commands on the cluster: status, configuration, mountpaths, logs. */
#include <inttypes.h>
#include <string.h>

#include "cli/priv.h"
#include "os/clock.h"

/* ---- status ---- */

struct status {
        struct cli *cli;
        json_t *smap;   /* owned */
        json_t *nodes;  /* id → node_status, owned */
        int64_t uptime_ns, cluster_uptime_ns;
        int failed;
};

static int status_health(struct status *s)
{
        const struct orlop_call call = { .method = "GET", .path = "/v1/health" };
        struct orlop_reply *r;
        struct orlop_error e;
        if (orlop_call(s->cli->h, &call, &r, &e))
                return cli__fail(&e, "%s", orlop_endpoint(s->cli->h));
        const char *v = orlop_reply_header(r, "Ais-Node-Uptime");
        if (v)
                (void)str_i64(str_of(v), &s->uptime_ns);
        v = orlop_reply_header(r, "Ais-Cluster-Uptime");
        if (v)
                (void)str_i64(str_of(v), &s->cluster_uptime_ns);
        orlop_reply_free(r);
        return CLI_OK;
}

static void status_nodes(struct status *s, const char *map)
{
        const char *id;
        json_t *snode;
        json_object_foreach(json_object_get(s->smap, map), id, snode)
        {
                json_t *status = NULL;
                int code = cli__get_json(s->cli, "/v1/reverse/daemon", "what=node_status", id, NULL, &status);
                if (code)
                        s->failed = code;
                json_object_set_new(s->nodes, id, status ? status : json_object());
        }
}

static int status_read(struct status *s)
{
        int code = status_health(s);
        if (!code)
                code = cli__get_json(s->cli, "/v1/daemon", "what=smap", NULL, NULL, &s->smap);
        if (code)
                return code;
        s->nodes = json_object();
        status_nodes(s, "pmap");
        status_nodes(s, "tmap");
        return s->failed ? CLI_PARTIAL : CLI_OK;
}

static void uptime_text(int64_t ns, char buf[static 32])
{
        str_duration_text(ns / NS_PER_SEC * NS_PER_SEC, buf);
}

static void print_nodes(const struct status *s, const char *map, const char *role)
{
        const char *id;
        json_t *snode;
        json_object_foreach(json_object_get(s->smap, map), id, snode)
        {
                const json_t *st = json_object_get(s->nodes, id);
                const json_t *sys = json_object_get(st, "sys_info");
                const char *state = cli__field(st, "status");
                char mem[32];
                bool primary = strcmp(cli__field(json_object_get(s->smap, "proxy_si"), "daemon_id"), id) == 0 && role[0] == 'p';
                printf("  %-16s %-8s %-8s %-24s %-18s memory %s\n", id, primary ? "primary" : role, state[0] ? state : "online",
                       cli__field(json_object_get(snode, "public_net"), "direct_url"), cli__field(st, "ais_version"),
                       cli__bytes(cli__number(json_object_get(json_object_get(sys, "proc"), "Mem"), "Resident"), mem));
        }
}

static void print_capacity(const struct status *s)
{
        const char *id, *path;
        json_t *snode, *mp;
        json_object_foreach(json_object_get(s->smap, "tmap"), id, snode)
        {
                const json_t *cap = json_object_get(json_object_get(s->nodes, id), "capacity");
                json_object_foreach(json_object_get(cap, "mountpaths"), path, mp)
                {
                        char used[32], avail[32];
                        const json_t *fs = json_object_get(mp, "fs");
                        printf("  %-16s %-32s %-8s used %10s  free %10s  %3" PRIu64 "%%\n", id, path, cli__field(fs, "FsType"),
                               cli__bytes(cli__number(mp, "used"), used), cli__bytes(cli__number(mp, "avail"), avail), cli__number(mp, "pct_used"));
                }
                if (cli__field(cap, "cs_err")[0])
                        printf("  %-16s %s\n", id, cli__field(cap, "cs_err"));
        }
}

static void status_text(const struct status *s)
{
        char up[32], cluster_up[32];
        uptime_text(s->uptime_ns, up);
        uptime_text(s->cluster_uptime_ns, cluster_up);
        printf("endpoint   %s\ncluster    %s, map version %" PRIu64 "\nup         %s (this node %s)\n", orlop_endpoint(s->cli->h),
               cli__field(s->smap, "uuid"), cli__number(s->smap, "version"), cluster_up, up);
        printf("nodes\n");
        print_nodes(s, "pmap", "proxy");
        print_nodes(s, "tmap", "target");
        printf("capacity\n");
        print_capacity(s);
}

static void status_json(const struct status *s)
{
        struct buf b = BUF_INIT;
        struct json_w w;
        cli__json_begin(s->cli, &w, &b);
        jw_cstr(&w, "endpoint", orlop_endpoint(s->cli->h));
        jw_int(&w, "node_uptime_ns", s->uptime_ns);
        jw_int(&w, "cluster_uptime_ns", s->cluster_uptime_ns);
        jw_json(&w, "smap", s->smap);
        jw_json(&w, "nodes", s->nodes);
        cli__json_end(&w);
}

int cli__run_status(struct cli *c, const struct cli_args *a)
{
        struct status s = { .cli = c };
        (void)a;
        int code = status_read(&s);
        if (s.nodes && c->json)
                status_json(&s);
        else if (s.nodes && !c->quiet)
                status_text(&s);
        json_decref(s.smap);
        json_decref(s.nodes);
        return code;
}

/* ---- configuration ---- */

int cli__run_config_show(struct cli *c, const struct cli_args *a)
{
        const char *node = cli_opt(a, "node");
        const struct orlop_call cluster = { .method = "GET", .path = "/v1/cluster", .query = "what=cluster_config" };
        const struct orlop_call one = { .method = "GET", .path = "/v1/reverse/daemon", .query = "what=config", .node_id = node };
        struct orlop_reply *r;
        struct orlop_error e;
        if (orlop_call(c->h, node ? &one : &cluster, &r, &e))
                return cli__fail(&e, "configuration");
        int code = cli__print_json(c, orlop_reply_body(r, NULL), a->npos ? a->pos[0] : NULL);
        orlop_reply_free(r);
        return code;
}

/* "key=value&…" of the arguments, encoded. */
static struct err *config_query(const struct cli_args *a, struct buf *b)
{
        AUTO_ARENA struct arena arena;
        arena_init(&arena, 0, 0);
        for (unsigned i = 0; i < a->npos; i++) {
                struct str value = str_of(a->pos[i]), key = str_cut(&value, '=');
                if (!strchr(a->pos[i], '=') || !key.n)
                        return err_new(ERR_INVALID, "expected KEY=VALUE, not \"%s\"", a->pos[i]);
                if (i)
                        buf_addc(b, '&');
                buf_adds(b, str_percent_encode(&arena, key, false));
                buf_addc(b, '=');
                buf_adds(b, str_percent_encode(&arena, value, false));
        }
        if (cli_has(a, "transient"))
                buf_adds(b, STR("&transient=true"));
        return buf_err(b);
}

int cli__run_config_set(struct cli *c, const struct cli_args *a)
{
        AUTO_BUF struct buf q = BUF_INIT;
        const char *node = cli_opt(a, "node");
        struct orlop_reply *r;
        struct orlop_error error;
        struct err *e = config_query(a, &q);
        if (e)
                return cli__usage(a, e);
        const struct orlop_call call = { .method = "PUT", .path = node ? "/v1/reverse/daemon/set-config" : "/v1/cluster/set-config",
                                         .query = buf_cstr(&q), .node_id = node };
        if (orlop_call(c->h, &call, &r, &error))
                return cli__fail(&error, "configuration");
        orlop_reply_free(r);
        cli__say(c, "configuration set\n");
        return CLI_OK;
}

int cli__run_config_reset(struct cli *c, const struct cli_args *a)
{
        const char *node = cli_opt(a, "node");
        int code = cli__act(c, "PUT", node ? "/v1/reverse/daemon" : "/v1/cluster", NULL, node, "reset-config", "", NULL, NULL);
        if (!code)
                cli__say(c, "configuration reset\n");
        return code;
}

/* ---- mountpaths ---- */

static void print_mountpaths(const struct cli *c, const char *node, const json_t *lists)
{
        static const struct {
                const char *key, *state;
        } states[] = { { "available", "enabled" }, { "waiting_dd", "leaving" }, { "disabled", "disabled" } };
        for (size_t i = 0; i < ARRAY_LEN(states); i++) {
                const json_t *paths = json_object_get(lists, states[i].key);
                for (size_t k = 0; k < json_array_size(paths); k++) {
                        const char *path = json_string_value(json_array_get(paths, k));
                        if (c->json) {
                                AUTO_BUF struct buf b = BUF_INIT;
                                struct json_w w;
                                jw_init(&w, &b, false);
                                jw_object(&w, NULL);
                                jw_cstr(&w, "node", node);
                                jw_cstr(&w, "path", path);
                                jw_cstr(&w, "state", states[i].state);
                                jw_object_end(&w);
                                printf("%s\n", buf_cstr(&b) ? buf_cstr(&b) : "");
                        } else {
                                printf("%-16s %-9s %s\n", node, states[i].state, path ? path : "");
                        }
                }
        }
}

int cli__run_mountpath_ls(struct cli *c, const struct cli_args *a)
{
        AUTO_JSON json_t *all = NULL;
        const char *node, *only = cli_opt(a, "node");
        json_t *lists;
        bool found = !only;
        int code = cli__get_json(c, "/v1/cluster", "what=mountpaths", NULL, NULL, &all);
        if (code)
                return code;
        json_object_foreach(json_object_get(all, "targets"), node, lists)
        {
                if (only && strcmp(only, node) != 0)
                        continue;
                found = true;
                print_mountpaths(c, node, lists);
        }
        if (!found)
                cli__error("there is no storage node \"%s\"", only);
        return found ? CLI_OK : CLI_NOT_FOUND;
}

int cli__run_mountpath_change(struct cli *c, const struct cli_args *a)
{
        static const struct {
                const char *verb, *method, *action, *done;
        } changes[] = {
                { "attach", "PUT", "attach-mp", "attached" },
                { "detach", "DELETE", "detach-mp", "detached" },
                { "enable", "POST", "enable-mp", "enabled" },
                { "disable", "POST", "disable-mp", "disabled" },
        };
        AUTO_BUF struct buf path = BUF_INIT;
        char node[64];
        const char *verb = strrchr(a->command->name, ' ') + 1;
        int code = cli__target(c, a, node);
        if (code)
                return code;
        if (a->pos[0][0] != '/')
                return cli__usage(a, err_new(ERR_INVALID, "\"%s\": a mountpath is an absolute path on the storage node", a->pos[0]));
        json_quote(&path, str_of(a->pos[0]));
        for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
                if (strcmp(changes[i].verb, verb) != 0)
                        continue;
                code = cli__act(c, changes[i].method, "/v1/reverse/daemon/mountpaths", NULL, node, changes[i].action, "", buf_cstr(&path), NULL);
                if (!code)
                        cli__say(c, "%s %s\n", a->pos[0], changes[i].done);
        }
        return code;
}

/* ---- logs ---- */

static enum orlop_code read_log(struct cli *c, const char *node, const char *severity, uint64_t offset, struct orlop_reply **ret,
                                struct orlop_error *e)
{
        char query[96];
        snprintf(query, sizeof(query), "what=log%s%s&offset=%" PRIu64, severity ? "&severity=" : "", severity ? severity : "", offset);
        const struct orlop_call call = { .method = "GET", .path = "/v1/reverse/daemon", .query = query, .node_id = node };
        return orlop_call(c->h, &call, ret, e);
}

int cli__run_log(struct cli *c, const struct cli_args *a)
{
        char node[64];
        const char *severity = cli_opt(a, "severity");
        uint64_t offset = 0;
        if (severity && strcmp(severity, "info") != 0 && strcmp(severity, "warning") != 0 && strcmp(severity, "error") != 0)
                return cli__usage(a, err_new(ERR_INVALID, "--severity: expected info, warning or error"));
        int code = a->npos ? (str_copy(node, sizeof(node), str_of(a->pos[0])), CLI_OK) : cli__target(c, a, node);
        if (code)
                return code;
        do {
                struct orlop_reply *r;
                struct orlop_error e;
                size_t n;
                if (read_log(c, node, severity, offset, &r, &e))
                        return cli__fail(&e, "log of %s", node);
                const char *text = orlop_reply_body(r, &n);
                fwrite(text, 1, n, stdout);
                fflush(stdout);
                offset += n;
                orlop_reply_free(r);
                if (cli_has(a, "follow") && !n)
                        clock_sleep_ns(NS_PER_SEC);
        } while (cli_has(a, "follow") && !cli__interrupted() && !ferror(stdout));
        return cli__interrupted() ? CLI_INTERRUPTED : CLI_OK;
}
