/* jobs/query.c: questions about the jobs of this node: snapshots, filters, waiting; and asking jobs to end.
 * All under the core's lock, for a walk over a list of some thousand; nothing here fails but for memory. */
#define LOG_FOLDER "jobs"
#include "jobs/core.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"

#define LINGER_NS (20 * NS_PER_SEC) /* wire: a demand kind stays for a while, idle, before it is seen to end */

static bool named(const struct bck *b)
{
        return b->name[0] != '\0';
}

struct err *jobs__excludes(const struct job_snap *running, const struct job_kind *kind, const struct bck *src,
                           const struct bck *dst)
{
        bool same = running->kind == kind, resilver = strcmp(kind->name, "resilver") == 0,
             moves = strcmp(running->kind->name, "resilver") == 0 || strcmp(running->kind->name, "rebalance") == 0;

        /* What moves objects excludes what walks whole buckets; the same copy does not run twice. */
        if ((resilver && (same || running->kind->conflicts)) || (kind->conflicts && moves) ||
            (same && strcmp(kind->name, "copy-bck") == 0 && bck_eq(&running->src, src) && bck_eq(&running->dst, dst)))
                return err_new(ERR_CONFLICT, "%s[%s] is currently running, cannot run %s concurrently",
                               running->kind->name,
                               running->id, kind->name);
        return NULL;
}

/* A job of a demand kind that has done its work but is still shown as running: idle. */
static bool lingers(const struct job_snap *s)
{
        return s->kind->idle && s->end_ns != 0 && !s->aborted && clock_wall_ns() - s->end_ns < LINGER_NS;
}

static uint64_t received_of(const struct job *j, const _Atomic uint64_t *now, uint64_t until)
{
        return j->received.over ? until : atomic_load_explicit(now, memory_order_relaxed);
}

void jobs__snap_locked(const struct job *j, struct job_snap *ret)
{
        *ret = j->snap;
        ret->objects = atomic_load_explicit(&j->objects, memory_order_relaxed);
        ret->bytes = atomic_load_explicit(&j->bytes, memory_order_relaxed);
        ret->out_objects = atomic_load_explicit(&j->out_objects, memory_order_relaxed);
        ret->out_bytes = atomic_load_explicit(&j->out_bytes, memory_order_relaxed);
        ret->epoch = atomic_load_explicit(&j->epoch, memory_order_relaxed);
        if (j->received.counts) {
                ret->in_objects = received_of(j, &j->js->node->received.objects, j->received.until_objects) -
                                  j->received.from_objects;
                ret->in_bytes = received_of(j, &j->js->node->received.bytes, j->received.until_bytes) -
                                j->received.from_bytes;
        }
        ret->idle = j->snap.end_ns != 0; /* wire: a job that does not run is idle */
        if (lingers(&j->snap))
                ret->end_ns = 0;
}

struct err *jobs__with_result(struct jobs *js, const char *kind, struct str id,
                              struct err *(*fn)(void *arg, const struct job_snap *snap, void *result), void *arg)
{
        LOCK_SCOPE(&js->lock);
        LIST_FOREACH(pos, &js->all) {
                struct job *j = LIST_ENTRY(pos, struct job, link);
                struct job_snap snap;

                if (!str_eq(id, str_of(j->snap.id)) || strcmp(j->snap.kind->name, kind) != 0)
                        continue;
                jobs__snap_locked(j, &snap);
                return fn(arg, &snap, j->result);
        }
        return err_new(ERR_JOB_NOT_FOUND, "%s job " STR_FMT " does not exist", kind, STR_ARG(id));
}

static bool id_listed(struct str list, const char *id)
{
        while (list.n > 0)
                if (str_eq(str_trim(str_cut(&list, ',')), str_of(id)))
                        return true;
        return false;
}

bool jobs__matches(const struct job_snap *s, const struct job_query *q, const struct job_kind *kind)
{
        bool running = s->end_ns == 0;

        if (kind && s->kind != kind)
                return false;
        if (q->id.n > 0) {
                /* A demand kind that has ended still answers by id: clients wait for "idle", which an ended job is. */
                return id_listed(q->id, s->id) && (running || s->kind->idle || !q->has_active || !q->only_running);
        }
        if (q->has_active && q->only_running != running)
                return false;
        if (!q->has_active && q->only_running && !running)
                return false;
        if (named(&q->bck) && (named(&s->bck) || named(&s->src)))
                return bck_eq(&q->bck, &s->bck) || bck_eq(&q->bck, &s->src) || bck_eq(&q->bck, &s->dst);
        return true;
}

struct err *jobs_query(struct jobs *js, const struct job_query *q, struct arena *a, struct job_snap **ret,
                       unsigned *ret_n)
{
        const struct job_kind *kind = job_kind_find(q->kind); /* wire: an unknown kind is no filter */
        struct job_snap *out, s;
        unsigned n = 0, most = 0;

        LOCK_SCOPE(&js->lock);
        LIST_FOREACH(pos, &js->all) {
                jobs__snap_locked(LIST_ENTRY(pos, struct job, link), &s);
                most += jobs__matches(&s, q, kind);
        }
        out = arena_alloc(a, most * sizeof(*out));
        if (!out)
                return err_static(ERR_NO_MEMORY);
        LIST_FOREACH(pos, &js->all) {
                if (n == most)
                        break; /* no more than were counted: time goes by between the two loops */
                jobs__snap_locked(LIST_ENTRY(pos, struct job, link), &out[n]);
                n += jobs__matches(&out[n], q, kind);
        }
        *ret = out;
        *ret_n = n;
        return NULL;
}

struct err *jobs_abort(struct jobs *js, const struct job_query *q, const char *why)
{
        const struct job_kind *kind = job_kind_find(q->kind);

        LOCK_SCOPE(&js->lock);
        LIST_FOREACH(pos, &js->all) {
                struct job *j = LIST_ENTRY(pos, struct job, link);

                if (j->snap.end_ns != 0 || j->snap.aborted || !jobs__matches(&j->snap, q, kind))
                        continue;
                snprintf(j->snap.abort_err, sizeof(j->snap.abort_err), "%s[%s] aborted: %s", j->snap.kind->name,
                         j->snap.id, why);
                j->snap.aborted = true;
                atomic_store(&j->abort, true);
                log_info("%s[%s] is asked to stop: %s", j->snap.kind->name, j->snap.id, why);
        }
        return NULL;
}

struct job *jobs__find_locked(struct jobs *js, const char *id)
{
        LIST_FOREACH(pos, &js->all)
                if (strcmp(LIST_ENTRY(pos, struct job, link)->snap.id, id) == 0)
                        return LIST_ENTRY(pos, struct job, link);
        return NULL;
}

struct err *jobs_wait(struct jobs *js, const char *id, int64_t deadline_mono_ns, struct job_snap *ret)
{
        LOCK_SCOPE(&js->lock);
        for (;;) {
                struct job *j = jobs__find_locked(js, id); /* again each time: it may have been pruned */

                if (!j)
                        return err_new(ERR_JOB_NOT_FOUND, "job %s does not exist", id);
                if (j->snap.end_ns != 0) {
                        jobs__snap_locked(j, ret);
                        ret->end_ns = j->snap.end_ns;
                        return NULL;
                }
                if (!cond_wait_until(&js->ended, &js->lock, deadline_mono_ns))
                        return err_static(ERR_TIMEOUT);
        }
}
