/* cli/work.c: a bounded queue of items and N worker threads.
 *
 * The main thread fills the queue and draws the progress line while it waits. An item's failure is printed by the worker and counted; the others go on.
 * Ctrl-C drops what is queued and lets what is in flight notice by itself. */
#include <string.h>

#include "cli/priv.h"
#include "os/clock.h"
#include "os/thread.h"

#define QUEUE_MAX 2048u
#define WORKERS_MAX 256u

struct cli_pool {
        struct cli_work *work;
        struct mutex lock; /* guards what follows */
        struct cond wake;  /* workers: an item came, or the end */
        struct cond room;  /* main: an item was taken, or finished */
        struct cli_item *first, **last;
        unsigned queued, busy;
        bool closed;
        struct thread *threads[WORKERS_MAX];
        unsigned nthreads;
};

static void item_free(struct cli_item *item)
{
        free(item->from);
        free(item->to);
        free(item);
}

static struct cli_item *take_locked(struct cli_pool *p)
{
        struct cli_item *item = p->first;
        if (!item)
                return NULL;
        p->first = item->next;
        if (!p->first)
                p->last = &p->first;
        p->queued--;
        p->busy++;
        return item;
}

static void note_exit(struct cli_work *w, int code)
{
        int none = CLI_OK;
        if (code)
                atomic_compare_exchange_strong(&w->worst, &none, code);
}

static void worker(void *arg)
{
        struct cli_pool *p = arg;
        mutex_lock(&p->lock);
        for (;;) {
                struct cli_item *item = take_locked(p);
                if (!item && p->closed)
                        break;
                if (!item) {
                        cond_wait(&p->wake, &p->lock);
                        continue;
                }
                mutex_unlock(&p->lock);
                /* Interrupted: the function still runs for items that share state, and sees the flag itself. */
                note_exit(p->work, p->work->fn(p->work, item));
                item_free(item);
                mutex_lock(&p->lock);
                p->busy--;
                cond_signal(&p->room);
        }
        mutex_unlock(&p->lock);
}

static void pool_end(struct cli_pool *p)
{
        mutex_lock(&p->lock);
        p->closed = true;
        cond_broadcast(&p->wake);
        mutex_unlock(&p->lock);
        for (unsigned i = 0; i < p->nthreads; i++)
                thread_join(p->threads[i]);
        cond_fini(&p->wake);
        cond_fini(&p->room);
        mutex_fini(&p->lock);
        free(p);
}

struct err *cli__work_start(struct cli_work *w, const struct cli *c, const struct cli_args *a, unsigned threads, cli_work_fn *fn, void *arg)
{
        ASSERT(threads > 0 && threads <= WORKERS_MAX);
        memset(w, 0, sizeof(*w));
        w->cli = c;
        w->fn = fn;
        w->arg = arg;
        cli__progress_init(c, a, &w->progress);
        struct cli_pool *p = calloc(1, sizeof(*p));
        if (!p)
                return err_static(ERR_NO_MEMORY);
        p->work = w;
        p->last = &p->first;
        mutex_init(&p->lock, "cli.work", RANK_LEAF);
        cond_init(&p->wake);
        cond_init(&p->room);
        w->pool = p;
        for (; p->nthreads < threads; p->nthreads++) {
                struct err *e = thread_start(&p->threads[p->nthreads], "orlop-work", THREAD_WORKER, worker, p);
                if (e && p->nthreads == 0) {
                        pool_end(p);
                        w->pool = NULL;
                        return e;
                }
                if (e) {
                        err_free(e); /* fewer threads do the same work */
                        break;
                }
        }
        return NULL;
}

/* Waits a little for room or an end, and draws. */
static void wait_locked(struct cli_work *w)
{
        struct cli_pool *p = w->pool;
        cond_wait_until(&p->room, &p->lock, clock_mono_ns() + NS_PER_SEC / 10);
        mutex_unlock(&p->lock);
        cli__progress_tick(&w->progress);
        mutex_lock(&p->lock);
}

static struct cli_item *item_copy(const struct cli_item *from)
{
        struct cli_item *item = malloc(sizeof(*item));
        if (!item)
                return NULL;
        *item = *from;
        item->next = NULL;
        item->from = from->from ? strdup(from->from) : NULL;
        item->to = from->to ? strdup(from->to) : NULL;
        if ((from->from && !item->from) || (from->to && !item->to)) {
                item_free(item);
                return NULL;
        }
        return item;
}

bool cli__work_add(struct cli_work *w, const struct cli_item *from)
{
        struct cli_pool *p = w->pool;
        struct cli_item *item = item_copy(from);
        if (!item) {
                cli__error("out of memory");
                note_exit(w, CLI_FAILED);
                return false;
        }
        mutex_lock(&p->lock);
        while (p->queued >= QUEUE_MAX && !cli__interrupted())
                wait_locked(w);
        bool ok = !cli__interrupted();
        if (ok) {
                *p->last = item;
                p->last = &item->next;
                p->queued++;
                cond_signal(&p->wake);
        }
        mutex_unlock(&p->lock);
        if (!ok)
                item_free(item);
        else
                cli__progress_tick(&w->progress);
        return ok;
}

int cli__work_finish(struct cli_work *w)
{
        struct cli_pool *p = w->pool;
        atomic_store(&w->progress.scanning, false);
        mutex_lock(&p->lock);
        while (p->queued || p->busy)
                wait_locked(w);
        mutex_unlock(&p->lock);
        pool_end(p);
        w->pool = NULL;
        cli__progress_end(&w->progress);
        if (cli__interrupted()) {
                cli__error("interrupted");
                return CLI_INTERRUPTED;
        }
        int worst = atomic_load(&w->worst);
        if (worst && atomic_load(&w->progress.done) > 0)
                return CLI_PARTIAL;
        return worst;
}

void cli__work_done(struct cli_work *w, bool ok, int64_t start_ns)
{
        if (ok) {
                atomic_fetch_add(&w->progress.done, 1);
                cli__latency_add(&w->latency, clock_mono_ns() - start_ns);
        } else {
                atomic_fetch_add(&w->progress.failed, 1);
        }
}

static void summary_text(const struct cli_work *w, const char *verb, int64_t ns, double rate, int64_t p50, int64_t p99)
{
        uint64_t objects = atomic_load(&w->progress.done), failed = atomic_load(&w->progress.failed);
        char count[32], size[32], speed[32], took[32], t50[32], t99[32], many[128] = "", bad[64] = "";
        if (objects > 1)
                snprintf(many, sizeof(many), ", %.0f objects/s, latency p50 %s p99 %s", (double)objects * 1e9 / (double)ns,
                         cli__elapsed(p50, t50), cli__elapsed(p99, t99));
        if (failed)
                snprintf(bad, sizeof(bad), ", %llu failed", (unsigned long long)failed);
        cli__say(w->cli, "%s: %s object%s, %s in %s, %s/s%s%s\n", verb, cli__count(objects, count), objects == 1 ? "" : "s",
                 cli__bytes(atomic_load(&w->progress.bytes), size), cli__elapsed(ns, took), cli__bytes((uint64_t)rate, speed), many, bad);
}

void cli__work_summary(struct cli_work *w, const char *verb)
{
        int64_t ns = MAX(clock_mono_ns() - w->progress.start_ns, 1);
        uint64_t objects = atomic_load(&w->progress.done), bytes = atomic_load(&w->progress.bytes), failed = atomic_load(&w->progress.failed);
        double rate = (double)bytes * 1e9 / (double)ns;
        int64_t p50 = cli__latency_pct(&w->latency, 50), p99 = cli__latency_pct(&w->latency, 99);
        if (w->cli->json) {
                struct buf b = BUF_INIT;
                struct json_w j;
                cli__json_begin(w->cli, &j, &b);
                jw_cstr(&j, "command", verb);
                jw_uint(&j, "objects", objects);
                jw_uint(&j, "bytes", bytes);
                jw_uint(&j, "failed", failed);
                jw_double(&j, "seconds", (double)ns / 1e9);
                jw_double(&j, "bytes_per_second", rate);
                jw_double(&j, "objects_per_second", (double)objects * 1e9 / (double)ns);
                jw_double(&j, "p50_ms", (double)p50 / 1e6);
                jw_double(&j, "p99_ms", (double)p99 / 1e6);
                cli__json_end(&j);
                return;
        }
        summary_text(w, verb, ns, rate, p50, p99);
}

struct err *cli__jobs(const struct cli_args *a, unsigned *ret)
{
        uint64_t n;
        TRY(cli_opt_number(a, "jobs", 1, WORKERS_MAX, 16, &n));
        *ret = (unsigned)n;
        return NULL;
}
