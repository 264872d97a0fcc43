/* jobs/crew.c: several workers on one page of names, so that durable writes of one job share commits.
 *
 * The job's own worker always takes part; helpers are pool tasks that join if and when the pool has room. So a full
 * pool makes a job slower, never stuck: nobody waits for a helper that has not begun. A helper that begins after the
 * page is closed touches nothing of it and leaves. The first error stops all; the page is closed before it is returned.
 */
#include "jobs/priv.h"

#include <stdatomic.h>

#include "os/thread.h"

#define WORKERS_AUTO 8
#define WORKERS_MAX 32
#define NAMES_PER_HELPER 4 /* fewer names than this are not worth a helper */

struct crew;
struct helper {
        struct pool_task task;
        struct crew *crew;
};
struct crew {
        struct job *job; /* these, while not closed */
        const struct job_walk *walk;
        const struct bucket *bucket;
        const struct str *names;
        unsigned n;
        atomic_uint next;
        atomic_bool stop;
        atomic_uint refs;
        struct mutex lock;
        struct cond left;
        unsigned working;  /* lock: helpers on the page */
        bool closed;       /* lock */
        struct err *first; /* lock */
        struct helper helpers[WORKERS_MAX];
};

static void crew_unref(struct crew *c)
{
        if (atomic_fetch_sub(&c->refs, 1) != 1)
                return;
        cond_fini(&c->left);
        mutex_fini(&c->lock);
        free(c);
}

static void crew_fail(struct crew *c, struct err *e)
{
        atomic_store(&c->stop, true);
        LOCK_SCOPE(&c->lock);
        c->first = err_first(c->first, e);
}

static struct err *visit(struct crew *c, bool own, struct str name)
{
        unsigned tries = 0;

        for (;;) {
                bool ends = own ? !job_go_on(c->job) : job__aborted(c->job);
                struct err *e = ends ? job__cancelled() : c->walk->fn(c->job, c->bucket, name, c->walk->arg);

                if (!job__try_again(c->job, &e, &tries))
                        return e;
        }
}

/* Takes names until there are none. The job's worker rests between them, helpers do not. */
static void crew_work(struct crew *c, bool own)
{
        while (!atomic_load_explicit(&c->stop, memory_order_relaxed)) {
                unsigned i = atomic_fetch_add_explicit(&c->next, 1, memory_order_relaxed);
                struct err *e;

                if (i >= c->n)
                        return;
                e = visit(c, own, c->names[i]);
                if (e)
                        crew_fail(c, e);
        }
}

static void help(struct pool_task *t)
{
        struct crew *c = CONTAINER_OF(t, struct helper, task)->crew;
        bool join;

        mutex_lock(&c->lock);
        join = !c->closed;
        c->working += join;
        mutex_unlock(&c->lock);
        if (join) {
                crew_work(c, false);
                mutex_lock(&c->lock);
                c->working--;
                cond_signal(&c->left);
                mutex_unlock(&c->lock);
        }
        crew_unref(c);
}

static void call_helpers(struct crew *c)
{
        int64_t want = c->walk->workers == 0  ? WORKERS_AUTO
                       : c->walk->workers < 0 ? 1
                                              : MIN(c->walk->workers, WORKERS_MAX);
        unsigned helpers = MIN((unsigned)want - 1, c->n / NAMES_PER_HELPER);

        for (unsigned i = 0; i < helpers; i++) {
                c->helpers[i].crew = c;
                c->helpers[i].task.run = help;
                atomic_fetch_add(&c->refs, 1);
                if (!pool_submit(job__pool(c->job), POOL_JOBS, &c->helpers[i].task)) {
                        atomic_fetch_sub(&c->refs, 1); /* never the last: ours is held */
                        return;
                }
        }
}

struct err *job__crew_run(struct job *j, const struct job_walk *w, const struct bucket *b, const struct str *names,
                          unsigned n)
{
        struct crew *c = calloc(1, sizeof(*c));
        struct err *e;

        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->job = j;
        c->walk = w;
        c->bucket = b;
        c->names = names;
        c->n = n;
        atomic_init(&c->refs, 1);
        mutex_init(&c->lock, "crew", RANK_LEAF);
        cond_init(&c->left);
        call_helpers(c);
        crew_work(c, true);
        mutex_lock(&c->lock);
        c->closed = true;
        while (c->working > 0)
                cond_wait(&c->left, &c->lock);
        e = c->first;
        c->first = NULL;
        mutex_unlock(&c->lock);
        crew_unref(c);
        return e;
}
