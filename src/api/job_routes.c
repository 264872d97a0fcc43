/* api/job_routes.c: starting, stopping and asking about jobs (/v1/cluster: start, stop, status, status_all, qryxstats,
 * running_all). */
#include "api/nodes.h"

#include <stdio.h>

#include "jobs/kinds.h"
#include "os/clock.h"

/* ---- start and stop ---- */

struct args {
        struct str id, kind, node;
        json_t *bck, *buckets;
        int64_t timeout_ns, flags;
        bool force, only_running;
};

static struct err *decode_args(struct api_req *r, struct args *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct args, "ID", JSON_F_STR, id),
                JSON_FIELD(struct args, "Kind", JSON_F_STR, kind),
                JSON_FIELD(struct args, "DaemonID", JSON_F_STR, node),
                JSON_FIELD(struct args, "Bck", JSON_F_OBJECT, bck),
                JSON_FIELD(struct args, "Buckets", JSON_F_ARRAY, buckets),
                JSON_FIELD(struct args, "Timeout", JSON_F_DURATION, timeout_ns),
                JSON_FIELD(struct args, "flags", JSON_F_INT, flags),
                JSON_FIELD(struct args, "Force", JSON_F_BOOL, force),
                JSON_FIELD(struct args, "OnlyRunning", JSON_F_BOOL, only_running),
        };
        return api_value(r, fields, ARRAY_LEN(fields), "job arguments", ret);
}

static struct err *known_kind(struct str name, const struct job_kind **ret)
{
        *ret = job_kind_find(name);
        if (!*ret)
                return err_new(ERR_INVALID, "invalid xaction (job) kind \"" STR_FMT "\"", STR_ARG(name));
        return NULL;
}

struct err *api__job_start(struct api_req *r)
{
        struct args a = { .id = STR_NONE };
        struct job_start_args s = { .name = r->env.name };
        struct bck bck = { .name = "" };
        char id[40];

        TRY(decode_args(r, &a));
        TRY(known_kind(a.kind, &s.kind));
        TRY(api__decode_bck(a.bck ? a.bck : json_array_get(a.buckets, 0), &bck));
        if (bck.name[0])
                TRY(api_find_bucket(r, &bck, &s.bucket));
        s.node = a.node;
        s.force = a.force;
        TRY(job_start_kind(r->api->jobs, &s, id));
        api_reply_text(r, 200, str_of(id));
        return NULL;
}

/* A node that leaves waits until it is empty: unless forced, its rebalance goes on. */
static struct err *check_leaving(struct api_req *r)
{
        for (unsigned i = 0; i < r->snap->node_count; i++) {
                const struct cluster_node *n = &r->snap->nodes[i];
                const char *why = n->flags & NODE_DECOMMISSION ? "is being decommissioned" :
                                                                 "goes into maintenance";
                bool emptied = n->flags & NODE_DECOMMISSION ||
                               (n->flags & (NODE_MAINTENANCE | NODE_POST_REBALANCE)) == NODE_MAINTENANCE;

                if (n->target && emptied)
                        return err_new(ERR_INVALID, "cannot abort rebalance while t[%s] %s (force to do so all the same)",
                                       n->id, why);
        }
        return NULL;
}

struct err *api__job_stop(struct api_req *r)
{
        struct args a = { .id = STR_NONE };
        struct job_query q = { .id = STR_NONE };
        const struct job_kind *kind;

        TRY(decode_args(r, &a));
        if (a.id.n == 0 && a.kind.n == 0)
                return err_new(ERR_INVALID, "cannot stop xaction given 'xa-[]' - expecting a valid kind and/or UUID");
        if (a.kind.n)
                TRY(known_kind(a.kind, &kind));
        TRY(api__decode_bck(a.bck, &q.bck));
        q.id = a.id;
        q.kind = a.kind;
        if (job_query_means_rebalance(&q) && !a.force)
                TRY(check_leaving(r));
        TRY(jobs_stop(r->api->jobs, &q, "user abort"));
        api_reply_empty(r, 200);
        return NULL;
}

/* ---- questions ---- */

struct query {
        struct str id, kind, node;
        json_t *bck, *buckets;
        bool active, has_active;
};

static struct err *decode_query(struct api_req *r, struct job_query *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct query, "id", JSON_F_STR, id),
                JSON_FIELD(struct query, "kind", JSON_F_STR, kind),
                JSON_FIELD(struct query, "node", JSON_F_STR, node),
                JSON_FIELD(struct query, "bck", JSON_F_OBJECT, bck),
                JSON_FIELD(struct query, "buckets", JSON_F_ARRAY, buckets),
                JSON_FIELD_SEEN(struct query, "show_active", JSON_F_BOOL, active, has_active),
        };
        struct query q = { .id = STR_NONE };
        AUTO_JSON json_t *doc = NULL;
        struct str body;

        TRY(http_req_read_all(r->rq, CONTROL_BODY_MAX, &body));
        if (str_trim(body).n == 0)
                return err_new(ERR_MALFORMED, "failed to unmarshal the job query: EOF (the body is empty)");
        TRY_WRAP(json_parse(body, CONTROL_BODY_MAX, &doc), "failed to unmarshal the job query");
        if (!json_is_object(doc))
                return err_new(ERR_MALFORMED, "failed to unmarshal the job query: expecting an object");
        TRY(json_decode(doc, fields, ARRAY_LEN(fields), false, "job query", &q));
        *ret = (struct job_query){ .id = str_arena(r->arena, q.id),
                                   .kind = str_arena(r->arena, q.kind),
                                   .only_running = q.active,
                                   .has_active = q.has_active };
        if (!ret->id.p || !ret->kind.p)
                return err_static(ERR_NO_MEMORY);
        return api__decode_bck(q.bck, &ret->bck);
}

/* For "status" and "status_all", where show_active=false asks for all, not for those that have ended (wire); and by id
 * also for one that runs no more: who waits for it must hear how it ended. */
static struct err *ask_status(struct api_req *r, struct job_query *q, struct job_snap **ret, unsigned *ret_n)
{
        TRY(decode_query(r, q));
        q->only_running = q->only_running && q->id.n == 0;
        q->has_active = q->only_running;
        return jobs_status(r->api->jobs, q, r->arena, ret, ret_n);
}

static void write_status(struct json_w *w, const struct job_snap *s)
{
        jw_object(w, NULL);
        jw_cstr(w, "kind", s->kind->name);
        jw_cstr(w, "uuid", s->id);
        jw_cstr(w, "err", s->err[0] ? s->err : s->abort_err);
        jw_int(w, "end_time", s->end_ns);
        jw_bool(w, "aborted", s->aborted && s->end_ns != 0);
        jw_object_end(w);
}

struct err *api__job_status(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct job_snap *snaps;
        struct job_query q;
        struct json_w w;
        unsigned n;

        TRY(ask_status(r, &q, &snaps, &n));
        if (n > 0) { /* the newest */
                api__json(r, &w, &b);
                write_status(&w, &snaps[0]);
                return api_reply_json(r, &b);
        }
        if (q.id.n)
                return err_new(ERR_NOT_FOUND, "x-[" STR_FMT "] does not exist", STR_ARG(q.id));
        return err_new(ERR_NOT_FOUND,
                       "nl ["
                       "x-" STR_FMT "] does not exist",
                       STR_ARG(q.kind));
}

struct err *api__job_status_all(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct job_snap *snaps;
        struct job_query q;
        struct json_w w;
        unsigned n;

        TRY(ask_status(r, &q, &snaps, &n));
        api__json(r, &w, &b);
        if (n == 0)
                jw_null(&w, NULL); /* wire: no list at all */
        else
                jw_array(&w, NULL);
        for (unsigned i = 0; i < n; i++)
                write_status(&w, &snaps[i]);
        if (n > 0)
                jw_array_end(&w);
        return api_reply_json(r, &b);
}

static void write_snap(struct json_w *w, const struct job_snap *s)
{
        char time[40];

        jw_object(w, NULL);
        jw_null(w, "ext");
        jw_cstr(w, "start-time", clock_rfc3339(s->start_ns, time));
        jw_cstr(w, "end-time", clock_rfc3339(s->end_ns, time));
        api__view_bck(w, "bck", &s->bck);
        api__view_bck(w, "src-bck", &s->src);
        api__view_bck(w, "dst-bck", &s->dst);
        jw_cstr(w, "id", s->id);
        jw_cstr(w, "kind", s->kind->name);
        if (s->ctlmsg[0])
                jw_cstr(w, "ctlmsg", s->ctlmsg);
        jw_cstr(w, "abort-err", s->abort_err);
        jw_cstr(w, "err", s->err);
        jw_cstr(w, "glob.id", "0");
        jw_object(w, "stats");
        jw_u64s(w, "loc-objs", s->objects);
        jw_u64s(w, "loc-bytes", s->bytes);
        jw_u64s(w, "out-objs", s->out_objects);
        jw_u64s(w, "out-bytes", s->out_bytes);
        jw_u64s(w, "in-objs", s->in_objects);
        jw_u64s(w, "in-bytes", s->in_bytes);
        jw_object_end(w);
        jw_bool(w, "aborted", s->aborted);
        jw_bool(w, "is_idle", s->idle);
        jw_object_end(w);
}

/* wire: a question for one job leaves out the targets that do not know it. */
static void write_target(struct json_w *w, const struct job_target_snaps *t, bool one_job)
{
        if (t->n == 0 && one_job)
                return;
        jw_array(w, t->target);
        for (unsigned i = t->n; i > 0; i--) /* wire: oldest first */
                write_snap(w, &t->snaps[i - 1]);
        jw_array_end(w);
}

struct err *api__job_snaps(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct job_target_snaps *all;
        struct job_query q;
        struct json_w w;
        unsigned n, found = 0;

        TRY(decode_query(r, &q));
        TRY(jobs_query_all(r->api->jobs, &q, r->arena, &all, &n));
        for (unsigned i = 0; i < n; i++)
                found += all[i].n;
        if (found == 0 && q.id.n)
                return err_new(ERR_JOB_NOT_FOUND, "\"x-[" STR_FMT "]\" not found", STR_ARG(q.id));
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        for (unsigned i = 0; i < n; i++)
                write_target(&w, &all[i], q.id.n > 0);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static int by_name(const void *a, const void *b)
{
        const struct job_snap *x = a, *y = b;
        int c = strcmp(x->kind->name, y->kind->name);

        return c ? c : strcmp(x->id, y->id);
}

/* The snapshots of all targets in one list. */
static struct err *flatten(struct api_req *r, const struct job_target_snaps *all, unsigned n, struct job_snap **ret,
                           unsigned *ret_n)
{
        unsigned sum = 0;

        for (unsigned i = 0; i < n; i++)
                sum += all[i].n;
        *ret = arena_alloc(r->arena, sum * sizeof(**ret));
        if (!*ret)
                return err_static(ERR_NO_MEMORY);
        sum = 0;
        for (unsigned i = 0; i < n; i++)
                for (unsigned k = 0; k < all[i].n; k++)
                        (*ret)[sum++] = all[i].snaps[k];
        *ret_n = sum;
        return NULL;
}

struct err *api__job_running(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct job_target_snaps *all;
        struct job_snap *snaps;
        struct job_query q;
        struct json_w w;
        unsigned n;

        TRY(decode_query(r, &q));
        q.has_active = q.only_running = true;
        TRY(jobs_query_all(r->api->jobs, &q, r->arena, &all, &n));
        TRY(flatten(r, all, n, &snaps, &n));
        if (n)
                qsort(snaps, n, sizeof(*snaps), by_name);
        api__json(r, &w, &b);
        jw_array(&w, NULL);
        for (unsigned i = 0; i < n; i++)
                /* one job runs on many targets */
                if (snaps[i].end_ns == 0 && (i == 0 || by_name(&snaps[i - 1], &snaps[i]) != 0))
                        jw_strf(&w, NULL, "%s[%s]", snaps[i].kind->name, snaps[i].id);
        jw_array_end(&w);
        return api_reply_json(r, &b);
}
