/* store/commit.c: the commit thread of a mountpath (docs/adr/0003-commit-thread.md).
 *
 * Changes wait in a bounded queue. The thread takes all that wait, decides each in order (decide.c), writes them as one
 * batch, synced when one of them is durable, and then completes them. While it syncs, the next batch gathers by itself:
 * the slower the disk, the larger the batches; there is no timer.
 *
 * Contents that a batch made garbage are discarded only once the batch is on stable storage: until then a power cut
 * would bring the old records back. A batch that was not synced is followed by a sync within a second (background.c
 * calls committer_sync_soon).
 *
 * Failure: when the write or the sync fails, nobody knows what is on the disk. Every change of the batch gets the
 * error, the mountpath becomes FAILED, and nothing is written to it any more: a later success would acknowledge what an
 * earlier failure may have lost. */
#include "store/commit_priv.h"

#include <semaphore.h>
#include <stdio.h>

#define QUEUE_MAX 4096u
#define QUEUE_BYTES_MAX ((size_t)32 << 20)
#define KEEP_ENCODED (64u * 1024u)

static size_t op_bytes(const struct commit_op *op)
{
        size_t n = op->key.name.n + op->to.name.n + op->small.n + op->chunks.n + 256;
        for (unsigned i = 0; i < op->nrows; i++)
                n += op->rows[i].key.n + op->rows[i].value.n;
        return n;
}

static bool has_room_locked(const struct committer *c)
{
        return c->queued < QUEUE_MAX && c->queued_bytes < QUEUE_BYTES_MAX;
}

static void enqueue_locked(struct committer *c, struct commit_op *op)
{
        op->bytes = op_bytes(op);
        list_append(&c->queue, &op->link);
        c->queued_bytes += op->bytes;
        if (c->queued++ == 0)
                cond_signal(&c->work);
}

static struct err *refused(const struct committer *c)
{
        return err_new(ERR_IO, "mountpath %s failed and takes no more writes", c->mp->path);
}

bool store__commit_async(struct mountpath *mp, struct commit_op *op)
{
        struct committer *c = mp->committer;
        if (!c || atomic_load(&c->failed))
                return false;
        LOCK_SCOPE(&c->lock);
        if (c->stop || !has_room_locked(c))
                return false;
        enqueue_locked(c, op);
        return true;
}

/* A caller waits on a semaphore rather than a condition: the one who wakes it holds no lock then, so that the caller
 * runs on at once; measured, a fifth of the time of a commit thread with 64 callers. */
static void wake(struct commit_op *op)
{
        sem_post(op->done_arg);
}

struct err *store__commit(struct mountpath *mp, struct commit_op *op)
{
        ASSERT_MAY_BLOCK();
        struct committer *c = mp->committer;
        sem_t done;
        sem_init(&done, 0, 0);
        op->done = wake;
        op->done_arg = &done;
        mutex_lock(&c->lock);
        while (!has_room_locked(c) && !c->stop)
                cond_wait(&c->room, &c->lock);
        bool taken = !c->stop && !atomic_load(&c->failed);
        if (taken)
                enqueue_locked(c, op);
        mutex_unlock(&c->lock);
        while (taken && sem_wait(&done)) /* interrupted: again */
                ;
        sem_destroy(&done);
        if (!taken)
                op->err = refused(c);
        struct err *e = op->err;
        op->err = NULL;
        return e;
}

struct err *store__commit_rows(struct mountpath *mp, const struct commit_row *rows, unsigned n, bool fast)
{
        struct commit_op op = { .kind = COMMIT_ROWS, .fast = fast, .rows = rows, .nrows = n };
        return store__commit(mp, &op);
}

static void sync_done(struct commit_op *op)
{
        err_free(op->err); /* the mountpath is FAILED then; said where it happened */
        free(op);
}

void committer_sync_soon(struct committer *c)
{
        if (!atomic_load(&c->unsynced) || atomic_load(&c->failed))
                return;
        struct commit_op *op = calloc(1, sizeof *op);
        if (!op)
                return;
        *op = (struct commit_op){ .kind = COMMIT_ROWS, .done = sync_done };
        if (!store__commit_async(c->mp, op))
                free(op);
}

/* ---- the thread ---- */

/* Removes the copies that newer records on this mountpath made superfluous. Not needed for truth: their stamps are
 * older. */
struct forget_op {
        struct commit_op op;
        struct obj_cond cond;
        char name[];
};

static void forget_done(struct commit_op *op)
{
        err_free(op->err);
        free(CONTAINER_OF(op, struct forget_op, op));
}

static void forget_copies(struct committer *c)
{
        for (unsigned i = 0; i < c->entries; i++) {
                const struct entry *en = c->list[i];
                struct forget_op *f = en->forget ? calloc(1, sizeof *f + en->key.name.n) : NULL;
                if (!f)
                        continue;
                memcpy(f->name, en->key.name.p, en->key.name.n);
                f->cond = (struct obj_cond){ .kind = COND_STAMP, .stamp = en->forget_stamp };
                f->op = (struct commit_op){ .kind = COMMIT_FORGET,
                                            .fast = true,
                                            .key = { en->key.bid, { f->name, en->key.name.n } },
                                            .cond = &f->cond,
                                            .done = forget_done };
                if (!store__commit_async(en->forget, &f->op))
                        free(f);
        }
}

static void discard_garbage(struct committer *c)
{
        for (size_t i = 0; i < c->ngarbage; i++)
                store__discard(c->mp, c->garbage[i].id);
        c->ngarbage = 0;
}

/* Gives the batch to the engine. `durable`: what was written before and without sync becomes durable with it. */
static struct err *write_batch(struct committer *c, bool durable)
{
        if (c->stamped) {
                uint64_t hlc = atomic_load(&c->mp->store->hlc);
                records_batch_put(c->batch, c->mp->records, RECORDS_META, STR("hlc"),
                                  (struct str){ (char *)&hlc, sizeof hlc });
        }
        unsigned n = records_batch_count(c->batch);
        if (!n && !(durable && atomic_load(&c->unsynced)))
                return NULL;
        FAULT_POINT("store.commit.before");
        TRY(n ? records_write(c->mp->records, c->batch, durable) : records_sync(c->mp->records));
        FAULT_POINT("store.commit.after");
        atomic_store(&c->unsynced, !durable);
        if (durable)
                discard_garbage(c);
        atomic_fetch_add_explicit(&c->mp->store->stat_batches, 1, memory_order_relaxed);
        return NULL;
}

/* Gives every change that has no error yet this one. */
static void fail_all(struct list *ops, enum err_code code, const char *text)
{
        LIST_FOREACH(l, ops) {
                struct commit_op *op = LIST_ENTRY(l, struct commit_op, link);
                if (op->err)
                        continue;
                op->happened = false;
                op->err = err_new(code, "%s", text);
        }
}

/* The batch was written halfway, or not durably: see the opening comment. */
static void fail_mountpath(struct committer *c, struct err *e, struct list *ops)
{
        char text[512];
        atomic_store(&c->failed, true);
        atomic_store(&c->mp->full, e->code == ERR_NO_SPACE);
        atomic_store(&c->mp->state, MOUNTPATH_FAILED);
        atomic_fetch_add(&c->mp->store->stat_io_errors, 1);
        c->ngarbage = 0; /* what the old records name must stay */
        fail_all(ops, e->code == ERR_NO_SPACE ? ERR_NO_SPACE : ERR_IO, err_text(e, text, sizeof text));
        log_err(LOG_ERROR, LOG_FOLDER, e, "mountpath %s takes no more writes", c->mp->path);
}

static void complete(struct committer *c, struct list *ops)
{
        struct store *s = c->mp->store;
        unsigned n = 0;
        LIST_FOREACH(l, ops) {
                const struct commit_op *op = LIST_ENTRY(l, struct commit_op, link);
                n += op->happened && op->kind != COMMIT_ROWS;
        }
        atomic_fetch_add_explicit(&s->stat_commits, n, memory_order_relaxed); /* before anyone is told */
        LIST_FOREACH_SAFE(l, next, ops) {
                struct commit_op *op = LIST_ENTRY(l, struct commit_op, link);
                list_remove(&op->link);
                op->done(op); /* op is gone */
        }
        atomic_fetch_add(&s->batch_hook_users, 1);
        void (*hook)(void *) = atomic_load(&s->batch_hook);
        if (hook)
                hook(atomic_load(&s->batch_hook_arg));
        atomic_fetch_sub(&s->batch_hook_users, 1);
}

/* Whether every change has been decided; false: all got an error and nothing may be written. */
static bool decide_all(struct committer *c, struct list *ops, unsigned n, bool *ret_durable)
{
        struct err *e = atomic_load(&c->failed) ? refused(c) : decide_begin(c, n);
        LIST_FOREACH(l, ops) {
                struct commit_op *op = LIST_ENTRY(l, struct commit_op, link);
                op->happened = false;
                op->err = NULL;
                if (e)
                        continue;
                decide(c, op);
                *ret_durable |= !op->fast && !op->err; /* a no-op too: what it relies on must be durable */
        }
        if (!e)
                return true;
        char text[256];
        fail_all(ops, e->code, err_text(e, text, sizeof text));
        err_free(e);
        return false;
}

static void run_batch(struct committer *c, struct list *ops, unsigned n)
{
        bool durable = false;
        if (decide_all(c, ops, n, &durable)) {
                struct err *e = write_batch(c, durable);
                if (!e)
                        forget_copies(c);
                decide_end(c);
                if (e)
                        fail_mountpath(c, e, ops);
        }
        complete(c, ops);
        records_batch_clear(c->batch);
        arena_reset(&c->arena);
        if (c->encoded.cap > KEEP_ENCODED)
                buf_fini(&c->encoded);
}

static void commit_thread(void *arg)
{
        struct committer *c = arg;
        for (;;) {
                struct list ops;
                list_init(&ops);
                mutex_lock(&c->lock);
                while (!c->queued && !c->stop)
                        cond_wait(&c->work, &c->lock);
                unsigned n = c->queued;
                bool full = !has_room_locked(c);
                if (n) { /* The whole queue becomes the batch. */
                        ops = c->queue;
                        ops.next->prev = ops.prev->next = &ops;
                        list_init(&c->queue);
                        c->queued = 0;
                        c->queued_bytes = 0;
                }
                if (full)
                        cond_broadcast(&c->room);
                mutex_unlock(&c->lock);
                if (!n)
                        return;
                run_batch(c, &ops, n);
        }
}

static void free_committer(struct committer *c)
{
        records_batch_free(c->batch);
        arena_fini(&c->arena);
        buf_fini(&c->encoded);
        free(c->table);
        free(c->list);
        free(c->garbage);
        cond_fini(&c->room);
        cond_fini(&c->work);
        mutex_fini(&c->lock);
        free(c);
}

struct err *committer_start(struct mountpath *mp, struct committer **ret)
{
        struct committer *c = calloc(1, sizeof *c);
        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->mp = mp;
        mutex_init(&c->lock, "commit queue", RANK_STORE_QUEUE);
        cond_init(&c->work);
        cond_init(&c->room);
        list_init(&c->queue);
        arena_init(&c->arena, 64 * 1024, (size_t)1 << 30); /* the queue's bound is the batch's */
        c->batch = records_batch_new();
        char name[16];
        snprintf(name, sizeof name, "commit-%u", mp->index);
        struct err *e =
                c->batch ? thread_start(&c->thread, name, THREAD_COMMIT, commit_thread, c) : err_static(ERR_NO_MEMORY);
        if (e) {
                free_committer(c);
                return e;
        }
        *ret = c;
        return NULL;
}

void committer_stop(struct committer *c)
{
        if (!c)
                return;
        committer_sync_soon(c); /* what fast buckets wrote, and the discards that wait for it */
        mutex_lock(&c->lock);
        c->stop = true;
        cond_broadcast(&c->work);
        cond_broadcast(&c->room);
        mutex_unlock(&c->lock);
        thread_join(c->thread);
        free_committer(c);
}
