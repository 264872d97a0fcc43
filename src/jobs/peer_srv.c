/* jobs/peer_srv.c: what other nodes ask of this one about jobs: routes "/jobs/…".
 *
 * Each is answered from this node's memory, without asking others in turn (class PEER). All may be asked twice. Before
 * jobs_begin() they are refused: STARTING. */
#define LOG_FOLDER "jobs"
#include "jobs/peers.h"

#include "base/log.h"

#define MESSAGE_MAX ((size_t)1 << 20)
#define START_MAX ((size_t)80 << 20) /* lists of names */

static struct err *parse(struct str message, json_t **ret)
{
        TRY(json_parse(message, MESSAGE_MAX, ret));
        return json_is_object(*ret) ? NULL : err_new(ERR_MALFORMED, "expecting an object");
}

/* ---- what is done ---- */

struct err *jobs__peer_start(struct jobs *js, struct str message, struct buf *out)
{
        struct job_plan *plan;

        (void)out;
        TRY(job__message_read(message, &plan));
        if (strcmp(plan->kind->name, "promote") == 0) {
                struct err *e = job__promote_check(plan);

                if (e) {
                        job__plan_free(plan);
                        return e;
                }
        }
        return jobs__start_part(js, plan, false);
}

struct err *jobs__peer_abort(struct jobs *js, struct str message, struct buf *out)
{
        AUTO_JSON json_t *doc = NULL;
        struct job_query q;
        char why[256];

        (void)out;
        TRY(parse(message, &doc));
        TRY(jobs__query_read(doc, &q));
        str_copy(why, sizeof(why), json_str(json_object_get(doc, "why")));
        return jobs_abort(js, &q, why);
}

struct err *jobs__peer_query(struct jobs *js, struct str message, struct buf *out)
{
        AUTO_JSON json_t *doc = NULL;
        AUTO_ARENA struct arena a;
        struct job_query q;
        struct job_snap *snaps;
        struct json_w w;
        unsigned n;

        arena_init(&a, 64 * 1024, (size_t)32 << 20);
        TRY(parse(message, &doc));
        TRY(jobs__query_read(doc, &q));
        TRY(jobs_query(js, &q, &a, &snaps, &n));
        jw_init(&w, out, false);
        jw_object(&w, NULL);
        jw_array(&w, "snaps");
        for (unsigned i = 0; i < n; i++)
                jobs__snap_write(&w, &snaps[i]);
        jw_array_end(&w);
        jw_object_end(&w);
        return buf_err(out);
}

struct err *jobs__peer_summary(struct jobs *js, struct str message, struct buf *out)
{
        AUTO_JSON json_t *doc = NULL;
        AUTO_ARENA struct arena a;
        struct job_summary_row *rows;
        struct store_usage u = { .used = 0 };
        struct json_w w;
        char text[192];
        unsigned n;
        bool done;

        arena_init(&a, 64 * 1024, (size_t)64 << 20);
        TRY(parse(message, &doc));
        TRY(jobs__summary_here(js, json_str(json_object_get(doc, "id")), &a, &done, &rows, &n));
        if (js->node->store)
                store_usage(js->node->store, &u);
        jw_init(&w, out, false);
        jw_object(&w, NULL);
        jw_bool(&w, "done", done);
        jw_u64s(&w, "disks", u.used + u.avail);
        jw_array(&w, "rows");
        for (unsigned i = 0; i < n; i++) {
                jw_object(&w, NULL);
                jw_cstr(&w, "bck", bck_uname(&rows[i].bck, text));
                jw_u64s(&w, "objects", rows[i].sum.objects);
                jw_u64s(&w, "bytes", rows[i].sum.bytes);
                jw_u64s(&w, "min", rows[i].sum.min_size);
                jw_u64s(&w, "max", rows[i].sum.max_size);
                jw_object_end(&w);
        }
        jw_array_end(&w);
        jw_object_end(&w);
        return buf_err(out);
}

/* Whether there was one of this part before, which is replaced. */
static bool replace_locked(struct peers *p, const char *job, const struct job_part_end *end)
{
        LIST_FOREACH(pos, &p->ends) {
                struct told_end *t = LIST_ENTRY(pos, struct told_end, link);

                if (strcmp(t->job, job) == 0 && strcmp(t->end.target, end->target) == 0) {
                        t->end = *end;
                        return true;
                }
        }
        return false;
}

static struct err *keep_end(struct peers *p, struct str job, const struct job_part_end *end)
{
        struct told_end *t = calloc(1, sizeof(*t));
        bool kept = true;

        if (!t)
                return err_static(ERR_NO_MEMORY);
        str_copy(t->job, sizeof(t->job), job);
        t->end = *end;
        mutex_lock(&p->lock);
        if (replace_locked(p, t->job, end)) {
                kept = false;
        } else if (p->nends >= JOB_ENDS_MAX) {
                kept = false;
        } else {
                list_append(&p->ends, &t->link);
                p->nends++;
        }
        mutex_unlock(&p->lock);
        if (!kept)
                free(t);
        jobs__peers_wake(p);
        return NULL;
}

struct err *jobs__peer_done(struct jobs *js, struct str message, struct buf *out)
{
        struct raw {
                struct str id, target, err;
                uint64_t epoch;
                bool failed;
        } r = { .id = STR_NONE };
        static const struct json_field fields[] = {
                JSON_FIELD(struct raw, "id", JSON_F_STR, id),
                JSON_FIELD(struct raw, "target", JSON_F_STR, target),
                JSON_FIELD(struct raw, "epoch", JSON_F_U64S, epoch),
                JSON_FIELD(struct raw, "failed", JSON_F_BOOL, failed),
                JSON_FIELD(struct raw, "err", JSON_F_STR, err),
        };
        AUTO_JSON json_t *doc = NULL;
        struct job_part_end end;

        (void)out;
        TRY(parse(message, &doc));
        TRY(json_decode(doc, fields, ARRAY_LEN(fields), false, "end of a part", &r));
        if (!id_check(r.id))
                return err_new(ERR_INVALID, "not a job's id");
        if (!cluster_is_leader(js->node->cluster))
                return err_static(ERR_NOT_PRIMARY); /* it would keep what the leader must know */
        end = (struct job_part_end){ .epoch = r.epoch, .failed = r.failed };
        if (!str_copy(end.target, sizeof(end.target), r.target))
                return err_new(ERR_INVALID, "not a node's id");
        str_copy(end.err, sizeof(end.err), r.err);
        return keep_end(js->peers, r.id, &end);
}

/* ---- routes ---- */

static struct err *serve(struct rpc_req *rq, jobs_peer_fn *fn, size_t max)
{
        struct jobs *js = rq->ctx;
        AUTO_BUF struct buf out = BUF_INIT;
        struct str message;

        if (!atomic_load(&js->peers->ready))
                return err_static(ERR_STARTING);
        TRY(http_req_read_all(rq->http, max, &message));
        TRY(fn(js, message, &out));
        TRY(buf_err(&out));
        return rpc_reply_bytes(rq, buf_str(&out));
}

static struct err *on_start(struct rpc_req *rq)
{
        return serve(rq, jobs__peer_start, START_MAX);
}

static struct err *on_abort(struct rpc_req *rq)
{
        return serve(rq, jobs__peer_abort, MESSAGE_MAX);
}

static struct err *on_query(struct rpc_req *rq)
{
        return serve(rq, jobs__peer_query, MESSAGE_MAX);
}

static struct err *on_summary(struct rpc_req *rq)
{
        return serve(rq, jobs__peer_summary, MESSAGE_MAX);
}

static struct err *on_done(struct rpc_req *rq)
{
        return serve(rq, jobs__peer_done, MESSAGE_MAX);
}

static const struct rpc_route routes[] = {
        { .method = "POST", .path = "/jobs/start", .cls = POOL_PEER, .handle = on_start },
        { .method = "POST", .path = "/jobs/abort", .cls = POOL_PEER, .handle = on_abort },
        { .method = "POST", .path = "/jobs/query", .cls = POOL_PEER, .handle = on_query },
        { .method = "POST", .path = "/jobs/summary", .cls = POOL_PEER, .handle = on_summary },
        { .method = "POST", .path = "/jobs/done", .cls = POOL_PEER, .handle = on_done },
        { .method = NULL },
};

struct err *jobs__routes(struct jobs *js, struct rpc_server *s)
{
        return rpc_server_add(s, routes, js);
}
