/* jobs/launch.c: starting a job as its plan says.
 *
 * Without a cluster port: the only part, here. Else the job's document first (not for kinds that live on demand, nor
 * for summaries, which only whoever asked looks at), then the message to all targets that take part. What a target
 * refuses ends the start: the others are told to stop, the document is removed. A target that does not answer finds
 * the document in the state and starts its part by itself; where there is none, or it does not hold the names, the
 * start fails.
 *
 * Long lists of names are not in the document. Each target gets the names that it owns, and the document is written
 * when all have them, so that nobody takes it for one whose names are lost. */
#define LOG_FOLDER "jobs"
#include "jobs/peers.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/random.h"

#define ID_LEN 10 /* wire: 9 to 11 characters */
#define RUNNING_MAX 256
#define START_TIMEOUT_NS (20 * NS_PER_SEC)
#define ABORT_TIMEOUT_NS (5 * NS_PER_SEC)

struct err *jobs__start_part(struct jobs *js, struct job_plan *plan, bool again)
{
        struct job_spec spec = { .kind = plan->kind->name, .bck = plan->bck, .src = plan->src, .dst = plan->dst,
                                 .id = plan->id,
                                 .again = again, .epoch = plan->epoch, .held = job__names_bytes(plan->names),
                                 .run = jobs__part_of(plan->kind), .arg = plan, .free_arg = job__plan_free_arg };
        char id[40];
        struct err *e;

        memcpy(spec.ctlmsg, plan->ctlmsg, sizeof(spec.ctlmsg));
        if (spec.run)
                return jobs_start(js, &spec, id);
        e = jobs__note_done(js, &spec, id);
        job__plan_free(plan);
        return e;
}

static bool has_document(const struct job_kind *kind)
{
        return !kind->idle && strcmp(kind->name, "summary-bck") != 0;
}

static void make_id(struct job_plan *p)
{
        char random[ID_LEN + 1];

        random_id(random, ID_LEN);
        snprintf(p->id, sizeof(p->id), "%s%s", strcmp(p->kind->name, "copy-listrange") == 0 ? "tco-" : "", random);
}

/* ---- what excludes the start ---- */

struct rivals {
        const struct job_plan *plan;
        unsigned running;
};

static struct err *check_rival(void *arg, struct job_doc *d)
{
        struct rivals *r = arg;
        struct job_snap s;

        r->running++;
        if (d->plan->node[0] != '\0' && r->plan->node[0] != '\0' && strcmp(d->plan->node, r->plan->node) != 0)
                return NULL; /* on different targets */
        job__doc_snap(d, &s);
        return jobs__excludes(&s, r->plan->kind, &r->plan->src, &r->plan->dst);
}

static struct err *check_rivals(struct jobs *js, const struct job_plan *plan)
{
        struct rivals r = { .plan = plan };

        TRY(jobs__doc_each(js, false, check_rival, &r));
        if (r.running >= RUNNING_MAX)
                return err_new(ERR_OVERLOAD, "too many jobs are running, cannot start %s", plan->kind->name);
        return NULL;
}

/* ---- telling the targets ---- */

struct start {
        const struct job_plan *plan;
        const struct snapshot *snap;
        const struct bucket *bucket; /* of the names */
        const struct cluster_node *target;
};

static bool belongs(void *arg, struct str name)
{
        const struct start *s = arg;
        const struct cluster_node *owner = snapshot_owner_of(s->snap, snapshot_digest(s->bucket, name));

        return owner && strcmp(owner->id, s->target->id) == 0;
}

static bool takes_part(void *arg, const struct cluster_node *target)
{
        const struct start *s = arg;

        return s->plan->node[0] == '\0' || strcmp(s->plan->node, target->id) == 0;
}

static void write_start(void *arg, const struct cluster_node *target, struct buf *b)
{
        struct start *s = arg;

        s->target = target;
        b->limit = UINT32_MAX;
        job__message_write(b, s->plan, s->plan->spread && s->bucket ? belongs : NULL, s);
}

static void write_abort(void *arg, const struct cluster_node *target, struct buf *b)
{
        const struct start *s = arg;
        struct job_query q = { .id = str_of(s->plan->id) };
        struct json_w w;

        (void)target;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jobs__query_write(&w, &q);
        jw_cstr(&w, "why", "it could not be started on all targets");
        jw_object_end(&w);
}

/* Whether a target's answer ends the start. heals: a target that has not heard of it starts its part by itself. */
static bool is_fatal(const struct job_answer *a, bool heals)
{
        if (!a->err)
                return false;
        return !heals || (a->answered && err_code(a->err) != ERR_STARTING && err_code(a->err) != ERR_UNAVAILABLE);
}

static struct err *start_everywhere(struct jobs *js, struct start *s, bool heals)
{
        struct job_ask ask = { .path = "/jobs/start", .write = write_start, .wanted = takes_part, .arg = s,
                               .timeout_ns = START_TIMEOUT_NS };
        struct job_answer *answers;
        unsigned n, absent = 0;
        struct err *e = NULL;

        TRY(jobs__ask(js, s->snap, &ask, &answers, &n));
        for (unsigned i = 0; i < n && !e; i++) {
                bool no_source = err_code(answers[i].err) == ERR_NOT_FOUND; /* nothing to promote there */

                absent += no_source;
                if (is_fatal(&answers[i], heals) && (!no_source || absent == n)) {
                        e = answers[i].err;
                        answers[i].err = NULL;
                }
        }
        jobs__answers_free(answers, n);
        if (n == 0)
                return err_new(ERR_UNAVAILABLE, "%s: there is no target to run it", s->plan->kind->name);
        return e;
}

static void stop_everywhere(struct jobs *js, struct start *s)
{
        struct job_ask ask = { .path = "/jobs/abort", .write = write_abort, .wanted = takes_part, .arg = s,
                               .timeout_ns = ABORT_TIMEOUT_NS };
        struct job_answer *answers;
        unsigned n;
        struct err *e = jobs__ask(js, s->snap, &ask, &answers, &n);

        if (!e)
                jobs__answers_free(answers, n);
        log_err(LOG_WARN, LOG_FOLDER, e, "%s[%s]: stopping its parts", s->plan->kind->name, s->plan->id);
}

/* ---- the whole ---- */

static struct err *start_documented(struct jobs *js, struct start *s, bool large)
{
        struct job_doc doc = { .state = JOB_DOC_RUNNING, .plan = (struct job_plan *)(uintptr_t)s->plan };
        struct err *e = NULL;

        if (!jobs__part_of(s->plan->kind)) { /* its work is done already */
                doc.state = JOB_DOC_ENDED;
                doc.changed_ns = clock_wall_ns();
        }
        if (!large)
                TRY(jobs__doc_put(js, &doc));
        e = start_everywhere(js, s, !large);
        if (!e && large)
                e = jobs__doc_put(js, &doc);
        if (!e)
                return NULL;
        stop_everywhere(js, s);
        if (!large)
                log_err(LOG_WARN, LOG_FOLDER, jobs__doc_remove(js, s->plan->id), "%s[%s]", s->plan->kind->name,
                        s->plan->id);
        return e;
}

static struct err *launch_all(struct jobs *js, struct job_plan *plan)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);
        struct start s = { .plan = plan, .snap = snap, .bucket = snapshot_bucket_by_id(snap, plan->bid) };
        bool large = job__names_bytes(plan->names) > JOB_NAMES_IN_DOCUMENT;
        struct err *e;

        TRY(job__plan_check(plan));
        if (has_document(plan->kind) && !cluster_is_leader(js->node->cluster))
                return err_static(ERR_NOT_PRIMARY);
        if (jobs__part_of(plan->kind))
                TRY(check_rivals(js, plan));
        plan->spread = large && !plan->copy.synchronize && s.bucket; /* what is pruned has other owners */
        if (has_document(plan->kind))
                return start_documented(js, &s, large);
        e = start_everywhere(js, &s, false);
        if (e)
                stop_everywhere(js, &s);
        return e;
}

struct err *jobs__launch(struct jobs *js, struct job_plan *plan, char ret_id[static 40])
{
        char id[40];
        struct err *e;

        if (plan->id[0] == '\0')
                make_id(plan);
        if (plan->epoch == 0) {
                AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(js->node->cluster);

                plan->epoch = snap->placement.epoch;
        }
        plan->start_ns = clock_wall_ns();
        memcpy(id, plan->id, sizeof(id));
        if (js->peers) {
                e = launch_all(js, plan);
                job__plan_free(plan);
        } else {
                e = jobs__start_part(js, plan, false);
        }
        TRY(e);
        memcpy(ret_id, id, sizeof(id));
        return NULL;
}
