/* jobs/jobs.c: the job core: identity, life, history. Questions about jobs are in query.c.
 *
 * A job: new (made under the lock, after the conflict check) → running (a pool worker calls its function) → ended. Only
 * the lock's owner changes what a snapshot shows; counters and the abort flag are atomic, so that steps never wait.
 * Ended jobs stay as history: one hour and at least the newest 1,024, never more than HISTORY_MAX. Failure: a job's
 * error ends it and is shown as its abort reason; the core itself fails only for memory and for a full pool. On close:
 * all jobs are asked to stop and waited for. */
#define LOG_FOLDER "jobs"
#include "jobs/core.h"

#include <stdio.h>

#include "base/log.h"
#include "jobs/peers.h"
#include "os/clock.h"
#include "os/random.h"

#define HISTORY_KEEP 1024
#define HISTORY_MAX 8192
#define HISTORY_AGE_NS (3600 * NS_PER_SEC)
#define HELD_MAX ((size_t)512 << 20) /* bytes of arguments (lists of names) that all jobs hold together */
#define ID_LEN 10                   /* wire: 9 to 11 characters */
#define REST_EVERY_NS (5 * NS_PER_MS)
#define REST_MAX_NS (100 * NS_PER_MS)

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
        jobs__peers_stop(js->peers);
        mutex_lock(&js->lock);
        js->closing = true;
        LIST_FOREACH(pos, &js->all)
                atomic_store(&LIST_ENTRY(pos, struct job, link)->abort, true);
        while (js->running > 0)
                cond_wait(&js->ended, &js->lock);
        mutex_unlock(&js->lock);
        LIST_FOREACH_SAFE(pos, tmp, &js->all)
                job_free(LIST_ENTRY(pos, struct job, link));
        jobs__peers_free(js->peers);
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

static struct err *conflict_locked(struct jobs *js, const struct job_kind *kind, const struct job_spec *spec)
{
        LIST_FOREACH(pos, &js->all) {
                const struct job_snap *s = &LIST_ENTRY(pos, struct job, link)->snap;

                if (s->end_ns == 0)
                        TRY(jobs__excludes(s, kind, &spec->src, &spec->dst));
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
        js->held -= j->held;
        j->snap.end_ns = MAX(clock_wall_ns(), j->snap.start_ns + 1);
        if (e && !(j->snap.aborted && err_code(e) == ERR_CANCELLED)) {
                snprintf(j->snap.err, sizeof(j->snap.err), "%s", text);
                if (!j->snap.aborted)
                        snprintf(j->snap.abort_err, sizeof(j->snap.abort_err), "%s", text);
                j->snap.aborted = true;
        }
        js->running--;
        js->finished++;
        cond_broadcast(&js->ended);
        if (js->peers) /* under the lock: jobs_free() waits for it */
                jobs__peers_wake(js->peers);
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
        j->held = spec->held;
        atomic_init(&j->epoch, spec->epoch);
        memcpy(j->snap.ctlmsg, spec->ctlmsg, sizeof(j->snap.ctlmsg));
        j->snap.ctlmsg[sizeof(j->snap.ctlmsg) - 1] = '\0';
        make_id(spec, j->snap.id);
        list_init(&j->link);
        *ret_kind = kind;
        *ret = j;
        return NULL;
}

/* Whether the core has it already and it need not run again. A record that is to run again makes room, and leaves what
 * it has counted to its successor. */
static bool known_locked(struct jobs *js, const struct job_spec *spec, struct job *j)
{
        struct job *old = spec->id ? jobs__find_locked(js, spec->id) : NULL;

        if (!old)
                return false;
        if (old->snap.end_ns == 0 || !spec->again)
                return true;
        j->snap.start_ns = old->snap.start_ns;
        atomic_store(&j->objects, atomic_load(&old->objects));
        atomic_store(&j->bytes, atomic_load(&old->bytes));
        list_remove(&old->link);
        js->finished--;
        job_free(old);
        return false;
}

static struct err *admit_locked(struct jobs *js, const struct job_spec *spec, const struct job_kind *kind,
                                struct job *j)
{
        if (js->closing)
                return err_new(ERR_OVERLOAD, "the node is shutting down");
        TRY(conflict_locked(js, kind, spec));
        if (js->held > 0 && js->held + j->held > HELD_MAX)
                return err_new(ERR_OVERLOAD, "the lists of names of unfinished jobs are too large, cannot start %s",
                               kind->name);
        if (!pool_submit(js->pool, POOL_JOBS, &j->task))
                return err_new(ERR_OVERLOAD, "too many jobs are running, cannot start %s", kind->name);
        list_prepend(&js->all, &j->link);
        js->running++;
        js->held += j->held;
        prune_locked(js, clock_wall_ns());
        return NULL;
}

struct err *jobs_start(struct jobs *js, const struct job_spec *spec, char ret_id[static 40])
{
        const struct job_kind *kind;
        struct job *j;
        struct err *e = make_job(js, spec, &kind, &j);
        char id[40];
        bool known;

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
        known = known_locked(js, spec, j);
        if (!known)
                e = admit_locked(js, spec, kind, j);
        mutex_unlock(&js->lock);
        if (e || known)
                job_free(j);
        TRY(e);
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
        if (spec->id && jobs__find_locked(js, spec->id)) {
                mutex_unlock(&js->lock);
                job_free(j);
                return NULL;
        }
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

unsigned job__load(struct job *j)
{
        struct pool_stats ps;

        pool_stats(j->js->pool, &ps);
        return ps.running[POOL_DATA] + ps.running[POOL_UPLOAD];
}

/* Work and rest alternate: with n requests of clients in progress a job rests n/8 of the time that it worked, at most
 * REST_MAX_NS at once. */
static void rest(struct job *j)
{
        int64_t now = clock_mono_ns(), worked = now - atomic_load_explicit(&j->step_ns, memory_order_relaxed);
        unsigned busy;

        if (worked < REST_EVERY_NS)
                return;
        busy = job__load(j);
        if (busy > 0)
                clock_sleep_ns(MIN(worked * busy / 8, REST_MAX_NS));
        atomic_store_explicit(&j->step_ns, clock_mono_ns(), memory_order_relaxed);
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

void job__sent(struct job *j, uint64_t objects, uint64_t bytes)
{
        atomic_store_explicit(&j->out_objects, objects, memory_order_relaxed);
        atomic_store_explicit(&j->out_bytes, bytes, memory_order_relaxed);
}

void job__receives(struct job *j)
{
        struct jobs *js = j->js;
        uint64_t objects = atomic_load(&js->node->received.objects), bytes = atomic_load(&js->node->received.bytes);

        LOCK_SCOPE(&js->lock);
        LIST_FOREACH(pos, &js->all) {
                struct job *old = LIST_ENTRY(pos, struct job, link);

                if (!old->received.counts || old->received.over)
                        continue;
                old->received.over = true;
                old->received.until_objects = objects;
                old->received.until_bytes = bytes;
        }
        j->received.counts = true;
        j->received.from_objects = objects;
        j->received.from_bytes = bytes;
}

void job__set_epoch(struct job *j, uint64_t epoch)
{
        atomic_store_explicit(&j->epoch, epoch, memory_order_relaxed);
}

uint64_t job__epoch(const struct job *j)
{
        return atomic_load_explicit(&j->epoch, memory_order_relaxed);
}

const struct job_kind *job__kind(const struct job *j)
{
        return j->snap.kind;
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
