/* cli/job.c: jobs that run in the cluster: list, start, wait, stop. */
#include <string.h>

#include "cli/priv.h"
#include "os/clock.h"

int cli__job_started(struct cli *c, const struct cli_args *a, const char *what, const char *id)
{
        struct orlop_error e;
        bool wait = cli_has(a, "wait") && id[0];
        if (wait && orlop_job_wait(c->h, id, 0, &e))
                return cli__fail(&e, "%s", what);
        if (c->json) {
                struct buf b = BUF_INIT;
                struct json_w w;
                cli__json_begin(c, &w, &b);
                jw_cstr(&w, "job", id);
                jw_bool(&w, "done", wait || !id[0]);
                cli__json_end(&w);
        } else if (!id[0] || wait) {
                cli__say(c, "%s: done\n", what);
        } else {
                cli__say(c, "%s: job %s started; follow it with \"orlop job wait %s\"\n", what, id, id);
        }
        return CLI_OK;
}

static int query(struct cli *c, const struct cli_args *a, const char *id, json_t **ret)
{
        AUTO_BUF struct buf body = BUF_INIT;
        struct json_w w;
        struct cli_uri u;
        jw_init(&w, &body, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "id", id);
        jw_cstr(&w, "kind", cli_opt(a, "kind"));
        if (cli_has(a, "running"))
                jw_bool(&w, "show_active", true);
        const char *bucket = cli_opt(a, "bucket");
        if (bucket) {
                int code = cli__uri_bucket(bucket, &u);
                if (code)
                        return code;
                jw_object(&w, "bck");
                jw_cstr(&w, "name", u.bucket.name);
                jw_cstr(&w, "provider", u.bucket.provider);
                jw_object_end(&w);
        }
        jw_object_end(&w);
        const char *text = buf_cstr(&body);
        return text ? cli__find_json(c, "/v1/cluster", "what=qryxstats", NULL, text, ret) : CLI_FAILED;
}

static const char *state_of(const json_t *snap)
{
        const char *end = cli__field(snap, "end-time");
        if (json_is_true(json_object_get(snap, "aborted")))
                return "aborted";
        if (end[0] && strncmp(end, "0001-", 5) != 0)
                return cli__field(snap, "err")[0] ? "failed" : "finished";
        return json_is_true(json_object_get(snap, "is_idle")) ? "idle" : "running";
}

static void bucket_of(const json_t *snap, char *buf, size_t size)
{
        static const char *const keys[] = { "bck", "src-bck" };
        buf[0] = '\0';
        for (size_t i = 0; i < ARRAY_LEN(keys) && !buf[0]; i++) {
                const json_t *b = json_object_get(snap, keys[i]);
                if (cli__field(b, "name")[0])
                        snprintf(buf, size, "%s://%s", cli__field(b, "provider"), cli__field(b, "name"));
        }
}

static void print_snap(const struct cli *c, const char *node, const json_t *snap)
{
        char bucket[128];
        const json_t *stats = json_object_get(snap, "stats");
        if (c->json) {
                AUTO_BUF struct buf b = BUF_INIT;
                struct json_w w;
                jw_init(&w, &b, false);
                jw_object(&w, NULL);
                jw_cstr(&w, "node", node);
                jw_cstr(&w, "state", state_of(snap));
                jw_json(&w, "snap", snap);
                jw_object_end(&w);
                buf_addc(&b, '\n');
                fwrite(b.p, 1, b.n, stdout);
                return;
        }
        bucket_of(snap, bucket, sizeof(bucket));
        printf("%-14s  %-20s  %-9s  %-20.19s  %10s objects  %s%s%s\n", cli__field(snap, "id"), cli__field(snap, "kind"), state_of(snap),
               cli__field(snap, "start-time"), cli__field(stats, "loc-objs"), bucket, cli__field(snap, "err")[0] ? "  " : "", cli__field(snap, "err"));
}

static int print_jobs(struct cli *c, const struct cli_args *a, const char *id)
{
        AUTO_JSON json_t *nodes = NULL;
        const char *node;
        json_t *snaps;
        size_t n = 0;
        int code = query(c, a, id, &nodes);
        if (code)
                return code == CLI_NOT_FOUND && !id[0] ? CLI_OK : code;
        json_object_foreach(nodes, node, snaps)
        {
                for (size_t i = 0; i < json_array_size(snaps); i++, n++)
                        print_snap(c, node, json_array_get(snaps, i));
        }
        return n || !id[0] ? CLI_OK : CLI_NOT_FOUND;
}

int cli__run_job_ls(struct cli *c, const struct cli_args *a)
{
        return print_jobs(c, a, "");
}

int cli__run_job_show(struct cli *c, const struct cli_args *a)
{
        int code = print_jobs(c, a, a->pos[0]);
        if (code == CLI_NOT_FOUND)
                cli__error("there is no job \"%s\"; see \"orlop job ls\"", a->pos[0]);
        return code;
}

int cli__run_job_wait(struct cli *c, const struct cli_args *a)
{
        struct orlop_error error;
        int64_t timeout;
        struct err *e = cli_opt_duration(a, "timeout", 0, &timeout);
        if (e)
                return cli__usage(a, e);
        uint64_t ms = (uint64_t)(timeout / NS_PER_MS);
        if (orlop_job_wait(c->h, a->pos[0], (unsigned)MIN(ms, (uint64_t)UINT32_MAX), &error))
                return error.code == ORLOP_TIMEOUT ? (cli__error("%s", error.message), CLI_FAILED) : cli__fail(&error, "wait for %s", a->pos[0]);
        cli__say(c, "job %s: done\n", a->pos[0]);
        return CLI_OK;
}

/* The value of start and stop: ID or Kind, a bucket, a node. */
static int args_message(const struct cli_args *a, const char *id, const char *kind, const char *bucket, struct buf *out)
{
        struct json_w w;
        struct cli_uri u;
        jw_init(&w, out, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "ID", id);
        jw_cstr(&w, "Kind", kind);
        if (cli_opt(a, "node"))
                jw_cstr(&w, "DaemonID", cli_opt(a, "node"));
        if (cli_has(a, "force"))
                jw_bool(&w, "Force", true);
        if (bucket) {
                int code = cli__uri_bucket(bucket, &u);
                if (code)
                        return code;
                jw_object(&w, "Bck");
                jw_cstr(&w, "name", u.bucket.name);
                jw_cstr(&w, "provider", u.bucket.provider);
                jw_object_end(&w);
        }
        jw_object_end(&w);
        return buf_cstr(out) ? CLI_OK : CLI_FAILED;
}

int cli__run_job_stop(struct cli *c, const struct cli_args *a)
{
        AUTO_BUF struct buf value = BUF_INIT;
        const char *kind = cli_opt(a, "kind"), *id = a->npos ? a->pos[0] : NULL;
        if (!id == !kind)
                return cli__usage(a, err_new(ERR_INVALID, "job stop: give either a job's identifier or --kind"));
        int code = args_message(a, id, kind, NULL, &value);
        if (!code && id) {
                AUTO_JSON json_t *nodes = NULL;
                code = query(c, a, id, &nodes); /* stopping nothing is no error on the wire; here it is */
                if (code == CLI_NOT_FOUND)
                        cli__error("there is no job \"%s\"", id);
        }
        if (!code)
                code = cli__act(c, "PUT", "/v1/cluster", NULL, NULL, "stop", "", buf_cstr(&value), NULL);
        if (!code)
                cli__say(c, "asked %s to stop\n", id ? id : kind);
        return code;
}

int cli__run_job_start(struct cli *c, const struct cli_args *a)
{
        AUTO_BUF struct buf value = BUF_INIT;
        AUTO_FREE char *id = NULL;
        const char *prefix = cli_opt(a, "prefix");
        if (strcmp(a->pos[0], "resilver") == 0 && !cli_opt(a, "node"))
                return cli__usage(a, err_new(ERR_INVALID, "job start resilver: it runs on one target: name it with --node"));
        int code = args_message(a, NULL, a->pos[0], a->npos > 1 ? a->pos[1] : NULL, &value);
        if (!code)
                code = cli__act(c, "PUT", "/v1/cluster", NULL, NULL, "start", prefix ? prefix : "", buf_cstr(&value), &id);
        return code ? code : cli__job_started(c, a, a->pos[0], id ? id : "");
}
