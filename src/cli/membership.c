/* cli/membership.c: nodes that go into maintenance, leave or end, and the rebalance that follows: cluster maintenance,
 * decommission, remove, shutdown, rebalance.
 *
 * What follows a change is a job "g<number>"; --wait watches it, and until no target is waited for any more. How much
 * there is to move is an estimate: all objects, times the share of keys that have another owner now. */
#include <inttypes.h>
#include <string.h>

#include "cli/priv.h"
#include "os/clock.h"

#define POLL_NS (500 * NS_PER_MS)

/* ---- watching ---- */

struct moved {
        uint64_t objects, bytes;
        bool running, failed;
        char err[256];
};

static void add_snap(struct moved *m, const json_t *snap)
{
        const json_t *stats = json_object_get(snap, "stats");
        const char *end = json_string_value(json_object_get(snap, "end-time")), *err = json_string_value(json_object_get(snap, "err"));
        bool aborted = json_is_true(json_object_get(snap, "aborted"));
        m->objects += cli__number(stats, "out-objs");
        m->bytes += cli__number(stats, "out-bytes");
        m->running = m->running || (!aborted && (!end || !end[0] || strncmp(end, "0001-", 5) == 0));
        m->failed = m->failed || aborted || (err && err[0]);
        if (err && err[0])
                str_copy(m->err, sizeof(m->err), str_of(err));
}

/* Number of a rebalance's id, "g<number>": larger for a later one. */
static uint64_t number_of(const json_t *snap)
{
        uint64_t n;
        return str_u64(str_skip(str_of(cli__field(snap, "id")), 1), &n) ? n : 0;
}

static uint64_t newest_of(const json_t *nodes)
{
        uint64_t newest = 0;
        const char *node;
        json_t *snaps;
        json_object_foreach((json_t *)(uintptr_t)nodes, node, snaps)
                for (size_t i = 0; i < json_array_size(snaps); i++)
                        newest = MAX(newest, number_of(json_array_get(snaps, i)));
        return newest;
}

/* The rebalance of this id on all targets; "" the newest, which not all targets may have begun yet. CLI_NOT_FOUND, silently: there is none. */
static int read_moved(struct cli *c, const char *id, struct moved *m)
{
        AUTO_BUF struct buf body = BUF_INIT;
        AUTO_JSON json_t *nodes = NULL;
        struct json_w w;
        const char *node;
        json_t *snaps;
        bool any = false;
        *m = (struct moved){ .objects = 0 };
        jw_init(&w, &body, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "id", id);
        jw_cstr(&w, "kind", "rebalance");
        jw_object_end(&w);
        int code = cli__find_json(c, "/v1/cluster", "what=qryxstats", NULL, buf_cstr(&body), &nodes);
        if (code)
                return code;
        uint64_t newest = newest_of(nodes);
        json_object_foreach(nodes, node, snaps)
        {
                for (size_t i = 0; i < json_array_size(snaps); i++) {
                        const json_t *snap = json_array_get(snaps, i);
                        any = true;
                        if (id[0] || number_of(snap) == newest)
                                add_snap(m, snap);
                }
        }
        return any ? CLI_OK : CLI_NOT_FOUND;
}

static bool add_summary(void *arg, const struct orlop_summary *s)
{
        struct moved *all = arg;
        all->objects += s->objects;
        all->bytes += s->bytes;
        return !cli__interrupted();
}

static unsigned common(const json_t *a, const json_t *b)
{
        unsigned n = 0;
        for (size_t i = 0; i < json_array_size(a); i++)
                for (size_t k = 0; k < json_array_size(b); k++)
                        n += json_equal(json_array_get(a, i), json_array_get(b, k)) != 0;
        return n;
}

/* What has to move in all, about; nothing when it can not be told. */
static void estimate(struct cli *c, struct cli_progress *p)
{
        AUTO_JSON json_t *state = cli__cluster_state(c);
        const json_t *now = json_object_get(json_object_get(state, "placement"), "targets"),
                     *before = json_object_get(json_array_get(json_object_get(state, "earlier"), 0), "targets");
        struct moved all = { .objects = 0 };
        size_t most = MAX(json_array_size(now), json_array_size(before));
        struct orlop_error e;
        if (!p->shown || !json_array_size(before) || orlop_bucket_summary(c->h, NULL, NULL, add_summary, &all, &e))
                return;
        double share = 1.0 - (double)common(now, before) / (double)most;
        atomic_store(&p->total, (uint64_t)((double)all.objects * share));
        atomic_store(&p->bytes_total, (uint64_t)((double)all.bytes * share));
        atomic_store(&p->scanning, false);
}

static unsigned waited_for(struct cli *c)
{
        AUTO_BUF struct buf names = BUF_INIT;
        AUTO_JSON json_t *state = cli__cluster_state(c);
        unsigned n;
        cli__cluster_pending(state, &names, &n);
        return n;
}

/* Until the rebalance has ended and nothing is waited for. */
static int wait_rebalance(struct cli *c, const struct cli_args *a, const char *id, struct moved *m)
{
        struct cli_progress p;
        int code = CLI_OK;
        cli__progress_init(c, a, &p);
        estimate(c, &p);
        for (;;) {
                code = read_moved(c, id, m);
                if (code == CLI_NOT_FOUND && waited_for(c) > 0)
                        code = CLI_OK; /* the next part is about to start */
                else if (code || (!m->running && (m->failed || waited_for(c) == 0)))
                        break;
                atomic_store(&p.done, m->objects);
                atomic_store(&p.bytes, m->bytes);
                cli__progress_tick(&p);
                if (cli__interrupted()) {
                        code = CLI_INTERRUPTED;
                        break;
                }
                clock_sleep_ns(POLL_NS);
        }
        cli__progress_end(&p);
        if (code == CLI_NOT_FOUND)
                code = CLI_OK; /* nothing had to move */
        if (!code && m->failed) {
                cli__error("rebalance %s: %s", id, m->err[0] ? m->err : "aborted; the next one goes on where it stopped");
                code = CLI_FAILED;
        }
        return code;
}

/* ---- what a change reports ---- */

static void report_json(const struct cli *c, const char *what, const char *id, bool done, const struct moved *m)
{
        struct buf b = BUF_INIT;
        struct json_w w;
        cli__json_begin(c, &w, &b);
        jw_cstr(&w, "action", what);
        jw_cstr(&w, "rebalance", id);
        jw_bool(&w, "done", done);
        if (m) {
                jw_uint(&w, "objects", m->objects);
                jw_uint(&w, "bytes", m->bytes);
        }
        cli__json_end(&w);
}

static int report(struct cli *c, const struct cli_args *a, const char *what, const char *id)
{
        struct moved m = { .objects = 0 };
        char count[32], bytes[32];
        bool wait = cli_has(a, "wait") && id[0];
        int code = wait ? wait_rebalance(c, a, id, &m) : CLI_OK;
        if (code)
                return code;
        if (c->json)
                report_json(c, what, id, wait || !id[0], wait ? &m : NULL);
        else if (wait)
                cli__say(c, "%s: done, %s objects moved, %s\n", what, cli__count(m.objects, count), cli__bytes(m.bytes, bytes));
        else if (id[0])
                cli__say(c, "%s: rebalance %s moves objects; \"orlop cluster rebalance status\" follows it\n", what, id);
        else
                cli__say(c, "%s: done\n", what);
        return CLI_OK;
}

/* ---- changes ---- */

static int change(struct cli *c, const struct cli_args *a, const char *action, const char *what)
{
        AUTO_BUF struct buf value = BUF_INIT;
        AUTO_FREE char *id = NULL;
        struct json_w w;
        jw_init(&w, &value, false);
        jw_object(&w, NULL);
        jw_array(&w, "sids");
        for (unsigned i = 0; i < a->npos; i++)
                jw_cstr(&w, NULL, a->pos[i]);
        jw_array_end(&w);
        if (strcmp(action, "decommission-node") == 0) {
                jw_bool(&w, "rm_user_data", cli_has(a, "rm-data"));
                jw_bool(&w, "keep_initial_config", cli_has(a, "keep-config"));
                jw_bool(&w, "no_shutdown", cli_has(a, "no-shutdown"));
        }
        jw_bool(&w, "skip_rebalance", cli_has(a, "no-rebalance"));
        jw_object_end(&w);
        int code = cli__act(c, "PUT", "/v1/cluster", NULL, NULL, action, "", buf_cstr(&value), &id);
        return code ? code : report(c, a, what, id ? str_trim(str_of(id)).n ? id : "" : "");
}

int cli__run_maintenance(struct cli *c, const struct cli_args *a)
{
        bool start = strcmp(strrchr(a->command->name, ' ') + 1, "start") == 0;
        return change(c, a, start ? "start-maintenance" : "stop-maintenance", start ? "maintenance" : "back from maintenance");
}

int cli__run_decommission(struct cli *c, const struct cli_args *a)
{
        if (!cli_has(a, "force") && cli_has(a, "rm-data") && !cli__confirm("Remove what these nodes store, once it has moved?")) {
                cli__error("nothing done; --force does it without asking");
                return CLI_FAILED;
        }
        if (!cli_has(a, "force") && cli_has(a, "no-rebalance") && !cli__confirm("What only these nodes store will be gone. Let them leave?")) {
                cli__error("nothing done; --force does it without asking");
                return CLI_FAILED;
        }
        return change(c, a, "decommission-node", "decommission");
}

int cli__run_cluster_remove(struct cli *c, const struct cli_args *a)
{
        AUTO_ARENA struct arena arena;
        struct orlop_reply *r;
        struct orlop_error e;
        bool lost = cli_has(a, "lost");
        arena_init(&arena, 0, 0);
        if (lost && !cli_has(a, "force") && !cli__confirm("What only this node stores will be gone. Remove it?")) {
                cli__error("nothing done; --force does it without asking");
                return CLI_FAILED;
        }
        struct str id = str_percent_encode(&arena, str_of(a->pos[0]), false), path = str_printf(&arena, "/v1/orlop/members/" STR_FMT, STR_ARG(id));
        const struct orlop_call call = { .method = "DELETE", .path = path.p, .query = lost ? "lost=true" : NULL };
        if (!path.p)
                return cli__fail_err(err_static(ERR_NO_MEMORY));
        if (orlop_call(c->h, &call, &r, &e)) {
                int code = cli__fail(&e, "remove %s", a->pos[0]);
                if (e.status == 409 && !lost)
                        cli__error("\"orlop cluster rebalance status\" shows how far it is; --lost gives up what only this node has");
                return code;
        }
        orlop_reply_free(r);
        if (c->json)
                report_json(c, "remove", "", true, NULL);
        else
                cli__say(c, "%s removed\n", a->pos[0]);
        return CLI_OK;
}

int cli__run_cluster_shutdown(struct cli *c, const struct cli_args *a)
{
        if (a->npos)
                return change(c, a, "shutdown-node", "shutdown");
        if (!cli_has(a, "force") && !cli__confirm("Stop all nodes of the cluster?")) {
                cli__error("nothing done; --force does it without asking");
                return CLI_FAILED;
        }
        int code = cli__act(c, "PUT", "/v1/cluster", NULL, NULL, "shutdown", "", NULL, NULL);
        return code ? code : report(c, a, "shutdown", "");
}

/* ---- rebalance ---- */

int cli__run_rebalance_start(struct cli *c, const struct cli_args *a)
{
        AUTO_FREE char *id = NULL;
        int code = cli__act(c, "PUT", "/v1/cluster", NULL, NULL, "start", "", "{\"ID\":\"\",\"Kind\":\"rebalance\"}", &id);
        return code ? code : report(c, a, "rebalance", id ? id : "");
}

int cli__run_rebalance_stop(struct cli *c, const struct cli_args *a)
{
        (void)a;
        int code = cli__act(c, "PUT", "/v1/cluster", NULL, NULL, "stop", "", "{\"ID\":\"\",\"Kind\":\"rebalance\"}", NULL);
        if (!code && c->json)
                report_json(c, "rebalance stop", "", true, NULL);
        else if (!code)
                cli__say(c, "asked the rebalance to stop; \"orlop cluster rebalance start\" goes on\n");
        return code;
}

static void status_text(const struct cli *c, const struct moved *m, const char *state, const json_t *cluster)
{
        AUTO_BUF struct buf names = BUF_INIT;
        char count[32], bytes[32];
        unsigned n;
        cli__cluster_pending(cluster, &names, &n);
        if (c->json) {
                struct buf b = BUF_INIT;
                struct json_w w;
                cli__json_begin(c, &w, &b);
                jw_cstr(&w, "state", state);
                jw_uint(&w, "objects", m->objects);
                jw_uint(&w, "bytes", m->bytes);
                jw_cstr(&w, "err", m->err);
                jw_bool(&w, "settled", n == 0);
                jw_cstr(&w, "waits_for", buf_cstr(&names));
                cli__json_end(&w);
                return;
        }
        cli__say(c, "%s: %s objects moved, %s%s%s\n", state, cli__count(m->objects, count), cli__bytes(m->bytes, bytes), m->err[0] ? "; " : "",
                 m->err);
        if (n)
                cli__say(c, "waits for %s\n", buf_cstr(&names));
}

int cli__run_rebalance_status(struct cli *c, const struct cli_args *a)
{
        struct moved m = { .objects = 0 };
        int code = cli_has(a, "wait") ? wait_rebalance(c, a, "", &m) : CLI_OK;
        if (!code)
                code = read_moved(c, "", &m);
        if (code && code != CLI_NOT_FOUND)
                return code;
        AUTO_JSON json_t *cluster = cli__cluster_state(c);
        bool any = code != CLI_NOT_FOUND;
        status_text(c, &m, !any ? "no rebalance" : m.running ? "running" : m.failed ? "failed" : "finished", cluster);
        return any && !m.running && m.failed ? CLI_FAILED : CLI_OK;
}
