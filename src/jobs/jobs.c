/* jobs/jobs.c: the job core: identity, life, questions, history.
 *
 * A job: new (made under the lock, after the conflict check) → running (a pool worker calls its function) → ended. Only
 * the lock's owner changes what a snapshot shows; counters and the abort flag are atomic, so that steps never wait.
 * Ended jobs stay as history: one hour and at least the newest 1,024, never more than HISTORY_MAX. Failure: a job's
 * error ends it and is shown as its abort reason; the core itself fails only for memory and for a full pool. On close:
 * all jobs are asked to stop and waited for. */
#define LOG_FOLDER "jobs"
#include "jobs/priv.h"

#include <stdatomic.h>
#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/random.h"
#include "os/thread.h"

#define HISTORY_KEEP 1024
#define HISTORY_MAX 8192
#define HISTORY_AGE_NS (3600 * NS_PER_SEC)
#define LINGER_NS (20 * NS_PER_SEC) /* wire: a demand kind stays for a while, idle, before it is seen to end */
#define ID_LEN 10                   /* wire: 9 to 11 characters */
#define REST_EVERY_NS (5 * NS_PER_MS)
#define REST_MAX_NS (100 * NS_PER_MS)

struct job {
        struct pool_task task; /* the pool's */
        struct list link;      /* lock */
        struct jobs *js;
        struct job_snap snap; /* lock; kind, id, buckets immutable once linked */
        _Atomic uint64_t objects, bytes;
        atomic_bool abort;
        job_fn *run; /* worker's from here on */
        void *arg;
        void (*free_arg)(void *arg);
        int64_t step_ns;
        void *result; /* lock */
        void (*free_result)(void *);
};
struct jobs {
        struct node *node;
        struct pool *pool;
        struct mutex lock;
        struct cond ended; /* a job has ended */
        struct list all;   /* newest first */
        unsigned running, finished;
        bool closing;
};

struct err *jobs_new(struct node *n, struct pool *p, struct jobs **ret)
{
        struct jobs *js = calloc(1, sizeof(*js));

        if (!js)
                return err_static(ERR_NO_MEMORY);
        js->node = n;
        js->pool = p;
        mutex_init(&js->lock, "jobs", RANK_JOBS);
        cond_init(&js->ended);
        list_init(&js->all);
        *ret = js;
        return NULL;
}

static void job_free(struct job *j)
{
        if (j->free_arg)
                j->free_arg(j->arg);
        if (j->free_result)
                j->free_result(j->result);
        free(j);
}

void jobs_free(struct jobs *js)
{
        if (!js)
                return;
        mutex_lock(&js->lock);
        js->closing = true;
        LIST_FOREACH(pos, &js->all)
                atomic_store(&LIST_ENTRY(pos, struct job, link)->abort, true);
        while (js->running > 0)
                cond_wait(&js->ended, &js->lock);
        mutex_unlock(&js->lock);
        LIST_FOREACH_SAFE(pos, tmp, &js->all)
                job_free(LIST_ENTRY(pos, struct job, link));
        cond_fini(&js->ended);
        mutex_fini(&js->lock);
        free(js);
}

/* Forgets the oldest ended jobs. */
static void prune_locked(struct jobs *js, int64_t now_ns)
{
        struct list *pos = js->all.prev;

        while (pos != &js->all && js->finished > HISTORY_KEEP) {
                struct job *j = LIST_ENTRY(pos, struct job, link);

                pos = pos->prev;
                if (j->snap.end_ns == 0)
                        continue;
                if (js->finished <= HISTORY_MAX && now_ns - j->snap.end_ns < HISTORY_AGE_NS)
                        break;
                list_remove(&j->link);
                js->finished--;
                job_free(j);
        }
}

static bool named(const struct bck *b)
{
        return b->name[0] != '\0';
}

/* "Limited coexistence": what moves objects between disks excludes what walks whole buckets; the same copy does not run
 * twice. */
static struct err *conflict_locked(struct jobs *js, const struct job_kind *kind, const struct job_spec *spec)
{
        bool resilver = strcmp(kind->name, "resilver") == 0;

        LIST_FOREACH(pos, &js->all) {
                const struct job *j = LIST_ENTRY(pos, struct job, link);
                const struct job_snap *s = &j->snap;
                bool same = s->kind == kind, other_resilver = strcmp(s->kind->name, "resilver") == 0;

                if (s->end_ns != 0)
                        continue;
                if ((resilver && (same || s->kind->conflicts)) || (kind->conflicts && other_resilver) ||
                    (same && strcmp(kind->name, "copy-bck") == 0 && bck_eq(&s->src, &spec->src) &&
                     bck_eq(&s->dst, &spec->dst)))
                        return err_new(ERR_CONFLICT, "%s[%s] is currently running, cannot run %s concurrently",
                                       s->kind->name, s->id, kind->name);
        }
        return NULL;
}

static void make_id(const struct job_spec *spec, char id[static 40])
{
        char random[ID_LEN + 1];

        if (spec->id) {
                snprintf(id, 40, "%s", spec->id);
                return;
        }
        random_id(random, ID_LEN);
        snprintf(id, 40, "%s%s", spec->id_prefix ? spec->id_prefix : "", random);
}

static void job_end(struct job *j, struct err *e)
{
        struct jobs *js = j->js;
        char text[sizeof(j->snap.err)] = "";

        if (e)
                err_text(e, text, sizeof(text));
        if (e && err_code(e) != ERR_CANCELLED)
                log_warn("%s[%s]: %s", j->snap.kind->name, j->snap.id, text);
        else
                log_debug("%s[%s] ended", j->snap.kind->name, j->snap.id);
        if (j->free_arg)
                j->free_arg(j->arg);
        j->free_arg = NULL;
        j->arg = NULL;

        mutex_lock(&js->lock);
        j->snap.end_ns = clock_wall_ns();
        if (e && !(j->snap.aborted && err_code(e) == ERR_CANCELLED)) {
                snprintf(j->snap.err, sizeof(j->snap.err), "%s", text);
                if (!j->snap.aborted)
                        snprintf(j->snap.abort_err, sizeof(j->snap.abort_err), "%s", text);
                j->snap.aborted = true;
        }
        js->running--;
        js->finished++;
        cond_broadcast(&js->ended);
        mutex_unlock(&js->lock); /* from here on a pruner may free j */
        err_free(e);
}

static void run_task(struct pool_task *t)
{
        struct job *j = CONTAINER_OF(t, struct job, task);

        j->step_ns = clock_mono_ns();
        job_end(j, j->run(j, j->arg));
}

static struct err *make_job(struct jobs *js, const struct job_spec *spec, const struct job_kind **ret_kind,
                            struct job **ret)
{
        const struct job_kind *kind = job_kind_find(str_of(spec->kind));
        struct job *j;

        ASSERT(kind != NULL); /* kinds are named by our own code here */
        j = calloc(1, sizeof(*j));
        if (!j)
                return err_static(ERR_NO_MEMORY);
        j->js = js;
        j->snap.kind = kind;
        j->snap.bck = spec->bck;
        j->snap.src = spec->src;
        j->snap.dst = spec->dst;
        j->snap.start_ns = clock_wall_ns();
        memcpy(j->snap.ctlmsg, spec->ctlmsg, sizeof(j->snap.ctlmsg));
        j->snap.ctlmsg[sizeof(j->snap.ctlmsg) - 1] = '\0';
        make_id(spec, j->snap.id);
        list_init(&j->link);
        *ret_kind = kind;
        *ret = j;
        return NULL;
}

struct err *jobs_start(struct jobs *js, const struct job_spec *spec, char ret_id[static 40])
{
        const struct job_kind *kind;
        struct job *j;
        struct err *e = make_job(js, spec, &kind, &j);
        char id[40];

        if (e) {
                if (spec->free_arg)
                        spec->free_arg(spec->arg);
                return e;
        }
        j->run = spec->run;
        j->arg = spec->arg;
        j->free_arg = spec->free_arg;
        j->task.run = run_task;
        memcpy(id, j->snap.id, sizeof(id));

        mutex_lock(&js->lock);
        e = js->closing ? err_new(ERR_OVERLOAD, "the node is shutting down") : conflict_locked(js, kind, spec);
        if (!e && !pool_submit(js->pool, POOL_JOBS, &j->task))
                e = err_new(ERR_OVERLOAD, "too many jobs are running, cannot start %s", kind->name);
        if (!e) {
                list_prepend(&js->all, &j->link);
                js->running++;
                prune_locked(js, clock_wall_ns());
        }
        mutex_unlock(&js->lock);
        if (e) {
                job_free(j);
                return e;
        }
        memcpy(ret_id, id, sizeof(id));
        return NULL;
}

struct err *jobs__note_done(struct jobs *js, const struct job_spec *spec, char ret_id[static 40])
{
        const struct job_kind *kind;
        struct job *j;

        TRY(make_job(js, spec, &kind, &j));
        j->snap.end_ns = MAX(clock_wall_ns(), j->snap.start_ns + 1);
        memcpy(ret_id, j->snap.id, sizeof(j->snap.id));
        mutex_lock(&js->lock);
        list_prepend(&js->all, &j->link);
        js->finished++;
        prune_locked(js, clock_wall_ns());
        mutex_unlock(&js->lock);
        return NULL;
}

struct node *jobs__node(struct jobs *js)
{
        return js->node;
}

struct pool *job__pool(struct job *j)
{
        return j->js->pool;
}

bool job__aborted(struct job *j)
{
        return atomic_load_explicit(&j->abort, memory_order_relaxed);
}

struct node *job_node(struct job *j)
{
        return j->js->node;
}

/* Work and rest alternate: with n requests of clients in progress a job rests n/8 of the time that it worked, at most
 * REST_MAX_NS at once. */
static void rest(struct job *j)
{
        int64_t now = clock_mono_ns(), worked = now - j->step_ns;
        struct pool_stats ps;
        unsigned busy;

        if (worked < REST_EVERY_NS)
                return;
        pool_stats(j->js->pool, &ps);
        busy = ps.running[POOL_DATA] + ps.running[POOL_UPLOAD];
        if (busy > 0)
                clock_sleep_ns(MIN(worked * busy / 8, REST_MAX_NS));
        j->step_ns = clock_mono_ns();
}

bool job_go_on(struct job *j)
{
        if (atomic_load_explicit(&j->abort, memory_order_relaxed))
                return false;
        rest(j);
        return !atomic_load_explicit(&j->abort, memory_order_relaxed);
}

void job_progress(struct job *j, uint64_t objects, uint64_t bytes)
{
        atomic_fetch_add_explicit(&j->objects, objects, memory_order_relaxed);
        atomic_fetch_add_explicit(&j->bytes, bytes, memory_order_relaxed);
}

void job_note_error(struct job *j, struct err *e)
{
        LOCK_SCOPE(&j->js->lock);
        if (j->snap.err[0] == '\0') /* the first one is shown */
                err_text(e, j->snap.err, sizeof(j->snap.err));
        err_free(e);
}

struct err *job__cancelled(void)
{
        return err_static(ERR_CANCELLED);
}

void job__set_result(struct job *j, void *result, void (*free_result)(void *))
{
        LOCK_SCOPE(&j->js->lock);
        ASSERT(j->result == NULL);
        j->result = result;
        j->free_result = free_result;
}

void job__with_result(struct job *j, void (*fn)(void *arg, void *result), void *arg)
{
        LOCK_SCOPE(&j->js->lock);
        fn(arg, j->result);
}

/* A job of a demand kind that has done its work but is still shown as running: idle. */
static bool lingers(const struct job *j)
{
        const struct job_snap *s = &j->snap;

        return s->kind->idle && s->end_ns != 0 && !s->aborted && clock_wall_ns() - s->end_ns < LINGER_NS;
}

static void fill_snap(const struct job *j, struct job_snap *ret)
{
        *ret = j->snap;
        ret->objects = atomic_load_explicit(&j->objects, memory_order_relaxed);
        ret->bytes = atomic_load_explicit(&j->bytes, memory_order_relaxed);
        ret->idle = j->snap.end_ns != 0; /* wire: a job that does not run is idle */
        if (lingers(j))
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
                fill_snap(j, &snap);
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

static bool matches(const struct job *j, const struct job_query *q, const struct job_kind *kind)
{
        const struct job_snap *s = &j->snap;
        bool running = s->end_ns == 0 || lingers(j);

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
        struct job_snap *out;
        unsigned n = 0;

        LOCK_SCOPE(&js->lock);
        LIST_FOREACH(pos, &js->all)
                n += matches(LIST_ENTRY(pos, struct job, link), q, kind);
        out = arena_alloc(a, n * sizeof(*out));
        if (!out)
                return err_static(ERR_NO_MEMORY);
        n = 0;
        LIST_FOREACH(pos, &js->all) {
                const struct job *j = LIST_ENTRY(pos, struct job, link);

                if (matches(j, q, kind))
                        fill_snap(j, &out[n++]);
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

                if (j->snap.end_ns != 0 || j->snap.aborted || !matches(j, q, kind))
                        continue;
                snprintf(j->snap.abort_err, sizeof(j->snap.abort_err), "%s[%s] aborted: %s", j->snap.kind->name,
                         j->snap.id, why);
                j->snap.aborted = true;
                atomic_store(&j->abort, true);
                log_info("%s[%s] is asked to stop: %s", j->snap.kind->name, j->snap.id, why);
        }
        return NULL;
}

static struct job *find_locked(struct jobs *js, const char *id)
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
                struct job *j = find_locked(js, id); /* again each time: it may have been pruned */

                if (!j)
                        return err_new(ERR_JOB_NOT_FOUND, "job %s does not exist", id);
                if (j->snap.end_ns != 0) {
                        fill_snap(j, ret);
                        ret->end_ns = j->snap.end_ns;
                        return NULL;
                }
                if (!cond_wait_until(&js->ended, &js->lock, deadline_mono_ns))
                        return err_static(ERR_TIMEOUT);
        }
}
