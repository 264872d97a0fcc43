/* jobs/summary.c: summary-bck: counts objects and bytes of one bucket or of all, as far as they lie on this target.
 * The rows found so far are the job's result; they are replaced as the walk goes on, and stay with the job's history.
 * While objects move between targets, one may be counted twice or not at all. */
#include "jobs/priv.h"

#include "os/clock.h"

struct summary {
        unsigned n;
        struct job_summary_row rows[];
};
struct summary_args {
        struct summary *s; /* the job's result */
        unsigned at;       /* row being counted */
        struct job *job;
        int64_t shown_ns;
};
#define SHOW_EVERY_NS (100 * NS_PER_MS)

struct row_update {
        unsigned at;
        const struct flow_summary *sum;
};

static void set_row(void *arg, void *result)
{
        const struct row_update *u = arg;
        struct summary *s = result;

        s->rows[u->at].sum = *u->sum;
}

static bool go_on(void *arg, const struct flow_summary *so_far)
{
        struct summary_args *a = arg;
        int64_t now = clock_mono_coarse_ns();

        if (now - a->shown_ns >= SHOW_EVERY_NS) {
                struct row_update u = { a->at, so_far };

                a->shown_ns = now;
                job__with_result(a->job, set_row, &u);
        }
        return job_go_on(a->job);
}

static bool wanted(const struct job_plan *p, const struct bucket *b)
{
        return p->bid ? b->bid == p->bid : !bck_is_system(&b->bck);
}

/* A row for each bucket, empty as yet. */
static struct err *make_rows(struct job *j, const struct job_plan *p, struct summary **ret)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(job_node(j)->cluster);
        struct summary *s = calloc(1, sizeof(*s) + (snap->bucket_count + 1) * sizeof(s->rows[0]));

        if (!s)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < snap->bucket_count; i++)
                if (wanted(p, snap->buckets[i]))
                        s->rows[s->n++].bck = snap->buckets[i]->bck;
        if (p->bid && s->n == 0) /* destroyed meanwhile: an empty row */
                s->rows[s->n++].bck = p->bck;
        *ret = s;
        return NULL;
}

struct err *job__summary(struct job *j, void *plan)
{
        const struct job_plan *p = plan;
        struct summary_args a = { .job = j };

        if (p->bid) { /* waits until it is known here */
                AUTO_SNAPSHOT const struct snapshot *snap = NULL;
                const struct bucket *b;

                err_free(job__bucket(j, p->bid, &snap, &b));
        }
        TRY(make_rows(j, p, &a.s));
        job__set_result(j, a.s, free);
        for (a.at = 0; a.at < a.s->n; a.at++) {
                AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(job_node(j)->cluster);
                /* constant: read without the lock */
                const struct bucket *b = snapshot_bucket(snap, &a.s->rows[a.at].bck);
                struct row_update u = { .at = a.at };
                struct flow_summary sum;

                if (!b)
                        continue;
                TRY(flow_summary(job_node(j), b, p->under, go_on, &a, &sum));
                u.sum = &sum;
                job__with_result(j, set_row, &u);
                job_progress(j, sum.objects, sum.bytes);
        }
        return NULL;
}

struct err *job_start_summary(struct jobs *js, const struct bucket *b, struct str prefix, char ret_id[static 40])
{
        struct job_plan *p;
        struct err *e;

        TRY(object_prefix_check(&prefix));
        TRY(job__plan_new("summary-bck", &p));
        if (b) {
                p->bck = b->bck;
                p->bid = b->bid;
        }
        e = job__plan_text(p, prefix, &p->under);
        if (e) {
                job__plan_free(p);
                return e;
        }
        return jobs__launch(js, p, ret_id);
}

struct get_args {
        struct arena *arena;
        bool *ret_done;
        struct job_summary_row **ret;
        unsigned *ret_n;
};

static struct err *get(void *arg, const struct job_snap *snap, void *result)
{
        struct get_args *g = arg;
        const struct summary *s = result;
        unsigned n = s ? s->n : 0;
        struct job_summary_row *rows = arena_alloc(g->arena, n * sizeof(*rows));

        if (!rows)
                return err_static(ERR_NO_MEMORY);
        if (snap->end_ns != 0 && snap->abort_err[0] != '\0')
                return err_new(ERR_CANCELLED, "%s", snap->abort_err);
        if (n)
                memcpy(rows, s->rows, n * sizeof(*rows));
        *g->ret = rows;
        *g->ret_n = n;
        *g->ret_done = snap->end_ns != 0;
        return NULL;
}

struct err *jobs__summary_here(struct jobs *js, struct str id, struct arena *a, bool *ret_done,
                               struct job_summary_row **ret, unsigned *ret_n)
{
        struct get_args g = { a, ret_done, ret, ret_n };

        return jobs__with_result(js, "summary-bck", id, get, &g);
}
