/* jobs/gather.c: questions about the jobs of all nodes, and asking jobs to end everywhere.
 *
 * Snapshots are gathered from all targets at each question: a start answers when all have begun, so whoever has its
 * answer finds the job, at any node. A target that does not answer is asked again until it does, or is out of the map.
 * Jobs as wholes are read from their documents, after catching up with the leader. */
#define LOG_FOLDER "jobs"
#include "jobs/peers.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "os/clock.h"

#define ASK_TIMEOUT_NS (4 * NS_PER_SEC)
#define PATIENCE_NS (8 * NS_PER_SEC) /* longer than a target takes to leave the map */
#define PAUSE_NS (300 * NS_PER_MS)
#define SYNC_TIMEOUT_NS (3 * NS_PER_SEC)
#define ANSWER_MAX ((size_t)64 << 20)

struct question {
        const struct job_query *q;
        struct str id;   /* of a summary */
        const char *why; /* of an abort */
};

static void write_question(void *arg, const struct cluster_node *target, struct buf *b)
{
        const struct question *q = arg;
        struct json_w w;

        (void)target;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        if (q->q)
                jobs__query_write(&w, q->q);
        else
                jw_str(&w, "id", q->id);
        if (q->why)
                jw_cstr(&w, "why", q->why);
        jw_object_end(&w);
}

/* One who has not answered, but may yet; or null. */
static struct job_answer *silent(struct job_answer *a, unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                if (a[i].err && (!a[i].answered || err_code(a[i].err) == ERR_STARTING))
                        return &a[i];
        return NULL;
}

/* Asks until all targets of the map have answered: then *ret_snap (the caller unpins) is that map. */
static struct err *ask_all(struct jobs *js, const char *path, struct question *q, const struct snapshot **ret_snap,
                           struct job_answer **ret, unsigned *ret_n)
{
        struct job_ask ask = { .path = path, .write = write_question, .arg = q, .timeout_ns = ASK_TIMEOUT_NS };
        int64_t until = clock_mono_ns() + PATIENCE_NS;

        for (;;) {
                const struct snapshot *snap = cluster_pin(js->node->cluster);
                struct job_answer *a = NULL;
                unsigned n = 0;
                struct err *e = jobs__ask(js, snap, &ask, &a, &n);

                struct job_answer *who = e ? NULL : silent(a, n);

                if (!e && !who) {
                        *ret_snap = snap;
                        *ret = a;
                        *ret_n = n;
                        return NULL;
                }
                if (who && clock_mono_ns() > until) {
                        e = err_recode(who->err, ERR_UNAVAILABLE, "target %s does not answer", who->target->id);
                        who->err = NULL;
                }
                jobs__answers_free(a, n);
                cluster_unpin(snap);
                TRY(e);
                clock_sleep_ns(PAUSE_NS);
        }
}

/* ---- snapshots ---- */

static struct err *read_snaps(const struct job_answer *a, struct arena *arena, struct job_target_snaps *ret)
{
        AUTO_JSON json_t *doc = NULL;
        const json_t *list;
        size_t n;

        TRY(json_parse(buf_str(&a->body), ANSWER_MAX, &doc));
        list = json_object_get(doc, "snaps");
        n = json_array_size(list);
        str_copy(ret->target, sizeof(ret->target), str_of(a->target->id));
        ret->snaps = arena_alloc(arena, n * sizeof(*ret->snaps));
        if (!ret->snaps)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++) {
                struct err *e = jobs__snap_read(json_array_get(list, i), &ret->snaps[ret->n]);

                if (e)
                        log_err(LOG_DEBUG, LOG_FOLDER, e, "target %s", a->target->id); /* a kind of a newer version */
                else
                        ret->n++;
        }
        return NULL;
}

static struct err *query_here(struct jobs *js, const struct job_query *q, struct arena *a,
                              struct job_target_snaps **ret,
                              unsigned *ret_n)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);
        struct job_target_snaps *one = arena_new(a, struct job_target_snaps);

        if (!one)
                return err_static(ERR_NO_MEMORY);
        if (snap->target)
                str_copy(one->target, sizeof(one->target), str_of(snap->target->id));
        TRY(jobs_query(js, q, a, &one->snaps, &one->n));
        *ret = one;
        *ret_n = 1;
        return NULL;
}

struct err *jobs_query_all(struct jobs *js, const struct job_query *q, struct arena *a, struct job_target_snaps **ret,
                           unsigned *ret_n)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct question question = { .q = q };
        struct job_target_snaps *all;
        struct job_answer *answers;
        struct err *e = NULL;
        unsigned n;

        if (!js->peers)
                return query_here(js, q, a, ret, ret_n);
        TRY(ask_all(js, "/jobs/query", &question, &snap, &answers, &n));
        all = arena_zalloc(a, (n + 1) * sizeof(*all));
        if (!all)
                e = err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n && !e; i++) {
                e = answers[i].err;
                answers[i].err = NULL;
                if (!e)
                        e = read_snaps(&answers[i], a, &all[i]);
        }
        jobs__answers_free(answers, n);
        TRY(e);
        *ret = all;
        *ret_n = n;
        return NULL;
}

/* ---- jobs as wholes ---- */

struct statuses {
        const struct job_query *q;
        const struct job_kind *kind;
        struct arena *arena;
        struct job_snap *all;
        unsigned n, room;
};

static struct err *add_status(void *arg, struct job_doc *d)
{
        struct statuses *st = arg;
        struct job_snap s;

        job__doc_snap(d, &s);
        if (!s.kind->notifies || !jobs__matches(&s, st->q, st->kind))
                return NULL;
        if (st->n == st->room) {
                unsigned room = st->room ? 2 * st->room : 16;
                struct job_snap *more = arena_alloc(st->arena, room * sizeof(*more));

                if (!more)
                        return err_static(ERR_NO_MEMORY);
                if (st->n > 0)
                        memcpy(more, st->all, st->n * sizeof(*more));
                st->all = more;
                st->room = room;
        }
        st->all[st->n++] = s;
        return NULL;
}

static int newest_first(const void *a, const void *b)
{
        const struct job_snap *x = a, *y = b;

        return (x->start_ns < y->start_ns) - (x->start_ns > y->start_ns);
}

static struct err *status_here(struct jobs *js, const struct job_query *q, struct arena *a, struct job_snap **ret,
                               unsigned *ret_n)
{
        struct job_snap *all;
        unsigned n, kept = 0;

        TRY(jobs_query(js, q, a, &all, &n));
        for (unsigned i = 0; i < n; i++)
                if (all[i].kind->notifies)
                        all[kept++] = all[i];
        *ret = all;
        *ret_n = kept;
        return NULL;
}

struct err *jobs_status(struct jobs *js, const struct job_query *q, struct arena *a, struct job_snap **ret,
                        unsigned *ret_n)
{
        struct statuses st = { .q = q, .kind = job_kind_find(q->kind), .arena = a };
        struct err *behind;

        if (!js->peers)
                return status_here(js, q, a, ret, ret_n);
        behind = cluster_sync(js->node->cluster, clock_mono_ns() + SYNC_TIMEOUT_NS);
        struct err *e = jobs__doc_each(js, true, add_status, &st);
        if (e || (behind && st.n == 0)) /* not known here, but perhaps to the leader */
                return err_first(e, behind);
        err_free(behind);
        if (st.n > 0)
                qsort(st.all, st.n, sizeof(*st.all), newest_first);
        *ret = st.all;
        *ret_n = st.n;
        return NULL;
}

/* ---- the end of jobs ---- */

struct stopping {
        struct jobs *js;
        const struct job_query *q;
        const struct job_kind *kind;
        const char *why;
};

static struct err *stop_one(void *arg, struct job_doc *d)
{
        struct stopping *st = arg;
        struct job_snap s;

        job__doc_snap(d, &s);
        if (d->state != JOB_DOC_RUNNING || !jobs__matches(&s, st->q, st->kind))
                return NULL;
        d->state = JOB_DOC_STOPPING;
        d->changed_ns = clock_wall_ns();
        snprintf(d->abort_err, sizeof(d->abort_err), "%s[%s] aborted: %s", s.kind->name, s.id, st->why);
        return jobs__doc_put(st->js, d);
}

struct err *jobs_stop(struct jobs *js, const struct job_query *q, const char *why)
{
        struct stopping st = { js, q, job_kind_find(q->kind), why };
        struct question question = { .q = q, .why = why };
        struct job_ask ask = { .path = "/jobs/abort", .write = write_question, .arg = &question,
                               .timeout_ns = ASK_TIMEOUT_NS };
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct job_answer *answers;
        unsigned n;

        if (!js->peers)
                return jobs_abort(js, q, why);
        if (!cluster_is_leader(js->node->cluster) && (!st.kind || !st.kind->idle))
                return err_static(ERR_NOT_PRIMARY);
        TRY(jobs__doc_each(js, false, stop_one, &st));
        snap = cluster_pin(js->node->cluster);
        TRY(jobs__ask(js, snap, &ask, &answers, &n)); /* who does not answer finds it in the document */
        jobs__answers_free(answers, n);
        return NULL;
}

/* ---- summaries ---- */

static struct err *add_row(struct job_summary *sum, unsigned room, const json_t *item)
{
        struct raw {
                struct str bck;
                struct flow_summary s;
        } r = { .bck = STR_NONE };
        static const struct json_field fields[] = {
                JSON_FIELD(struct raw, "bck", JSON_F_STR, bck),
                JSON_FIELD(struct raw, "objects", JSON_F_U64S, s.objects),
                JSON_FIELD(struct raw, "bytes", JSON_F_U64S, s.bytes),
                JSON_FIELD(struct raw, "min", JSON_F_U64S, s.min_size),
                JSON_FIELD(struct raw, "max", JSON_F_U64S, s.max_size),
        };
        struct flow_summary *s;
        struct str object;
        struct bck bck;
        unsigned i = 0;

        TRY(json_decode(item, fields, ARRAY_LEN(fields), false, "row of a summary", &r));
        TRY(uname_parse(r.bck, &bck, &object));
        while (i < sum->n && !bck_eq(&sum->rows[i].bck, &bck))
                i++;
        if (i == room)
                return err_static(ERR_TOO_LARGE);
        s = &sum->rows[i].sum;
        if (i == sum->n) {
                sum->rows[sum->n++].bck = bck;
                *s = (struct flow_summary){ .objects = 0 };
        }
        if (r.s.objects > 0) {
                s->min_size = s->objects ? MIN(s->min_size, r.s.min_size) : r.s.min_size;
                s->max_size = MAX(s->max_size, r.s.max_size);
        }
        s->objects += r.s.objects;
        s->bytes += r.s.bytes;
        return NULL;
}

static struct err *add_rows(struct job_answer *a, unsigned room, struct job_summary *sum)
{
        AUTO_JSON json_t *doc = NULL;
        struct raw {
                bool done;
                uint64_t disks;
                json_t *rows;
        } r = { .done = false };
        static const struct json_field fields[] = {
                JSON_FIELD(struct raw, "done", JSON_F_BOOL, done),
                JSON_FIELD(struct raw, "disks", JSON_F_U64S, disks),
                JSON_FIELD(struct raw, "rows", JSON_F_ARRAY, rows),
        };
        struct err *e = a->err;

        a->err = NULL;
        TRY(e);
        TRY(json_parse(buf_str(&a->body), ANSWER_MAX, &doc));
        TRY(json_decode(doc, fields, ARRAY_LEN(fields), false, "summary", &r));
        sum->done = sum->done && r.done;
        sum->disks += r.disks;
        for (size_t i = 0; i < json_array_size(r.rows); i++)
                TRY(add_row(sum, room, json_array_get(r.rows, i)));
        return NULL;
}

static struct err *summary_alone(struct jobs *js, struct str id, struct arena *a, struct job_summary *ret)
{
        struct store_usage u;

        TRY(jobs__summary_here(js, id, a, &ret->done, &ret->rows, &ret->n));
        store_usage(js->node->store, &u);
        ret->disks = u.used + u.avail;
        return NULL;
}

struct err *job_summary_get(struct jobs *js, struct str id, struct arena *a, struct job_summary *ret)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct question question = { .id = id };
        struct job_summary sum = { .done = true };
        struct job_answer *answers;
        struct err *e = NULL;
        unsigned n, room;

        if (!js->peers)
                return summary_alone(js, id, a, ret);
        TRY(ask_all(js, "/jobs/summary", &question, &snap, &answers, &n));
        room = (unsigned)snap->bucket_count + 64; /* and some that were destroyed meanwhile */
        sum.rows = arena_alloc(a, room * sizeof(*sum.rows));
        if (!sum.rows)
                e = err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n && !e; i++)
                e = add_rows(&answers[i], room, &sum);
        jobs__answers_free(answers, n);
        TRY(e);
        *ret = sum;
        return NULL;
}
