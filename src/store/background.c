/* store/background.c: two threads per store for what nobody waits for. One for what is short and must not wait: moving
 * contents to trash, closing descriptors, syncing what fast buckets wrote, sampling file systems, closing mountpaths that
 * were taken out. One for what may take minutes: removing dropped buckets, emptying trash.
 *
 * Work arrives by two lists without a bound of their own: each entry stands for a content that already took a
 * descriptor or a commit. What is lost when the process ends is found again: contents without a record by cleanup,
 * dropped buckets by their markers. */
#include "store/background.h"

#include <malloc.h>

#include "store/cache.h"

#define TICK_NS (NS_PER_SEC)
#define SPACE_TICKS 3
#define TRASH_TICKS 5
#define TEND_TICKS 5
#define REST_TENDS 2u /* tendings without a commit before a store is quiet */
#define TRASH_BATCH 256u

struct discard {
        struct list link;
        struct mountpath *mp;
        struct content_id id;
};
struct background {
        struct store *store;
        struct thread *thread, *slow;
        struct mutex lock; /* guards what follows */
        struct cond wake, wake_slow;
        struct list discards, closes;
        bool stop, trash, drop;
        /* the first thread's alone */
        uint64_t commits; /* when the records were tended last */
        unsigned quiet;   /* times since then without a commit */
};

void store__discard(struct mountpath *mp, struct content_id id)
{
        struct background *b = mp->store->background;
        struct discard *d = malloc(sizeof *d);
        if (!d)
                return; /* cleanup finds it */
        d->mp = mp;
        d->id = id;
        LOCK_SCOPE(&b->lock);
        list_append(&b->discards, &d->link);
        cond_signal(&b->wake);
}

void store__close_later(struct content *c)
{
        struct background *b = c->store->background;
        LOCK_SCOPE(&b->lock);
        list_append(&b->closes, &c->close_link);
        cond_signal(&b->wake);
}

void store__trash_kick(struct store *s)
{
        struct background *b = s->background;
        LOCK_SCOPE(&b->lock);
        b->trash = true; /* when it is due */
}

void background_drop_kick(struct background *b)
{
        LOCK_SCOPE(&b->lock);
        b->drop = true;
        cond_signal(&b->wake_slow);
}

static void take_list(struct list *from, struct list *to)
{
        list_init(to);
        if (list_empty(from))
                return;
        *to = *from;
        to->next->prev = to->prev->next = to;
        list_init(from);
}

static void run_closes(struct list *closes)
{
        LIST_FOREACH_SAFE(l, next, closes) {
                list_remove(l);
                content__free(LIST_ENTRY(l, struct content, close_link));
        }
}

static bool run_discards(struct list *discards)
{
        bool any = false;
        LIST_FOREACH_SAFE(l, next, discards) {
                struct discard *d = LIST_ENTRY(l, struct discard, link);
                list_remove(l);
                if (mountpath_enter(d->mp)) {
                        struct err *e = content_remove(d->mp->contents, d->id);
                        if (e)
                                log_err(LOG_WARN, LOG_FOLDER, e, "%s: content could not be moved to trash",
                                        d->mp->path);
                        mountpath_leave(d->mp);
                        any = true;
                }
                free(d);
        }
        return any;
}

/* Unlinks some of what lies in trash; true if there may be more. */
static bool empty_trash(struct store *s)
{
        bool more = false;
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++) {
                struct mountpath *mp = s->mp[i];
                uint64_t files = 0, bytes = 0;
                if (!mountpath_enter(mp))
                        continue;
                struct err *e = content_trash_empty(mp->contents, 0, TRASH_BATCH, &files, &bytes);
                mountpath_leave(mp);
                if (e)
                        log_err(LOG_WARN, LOG_FOLDER, e, "%s: trash could not be emptied", mp->path);
                more |= files >= TRASH_BATCH;
        }
        return more;
}

static void sync_fast(struct store *s)
{
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++)
                if (mountpath_enter(s->mp[i])) {
                        committer_sync_soon(s->mp[i]->committer);
                        mountpath_leave(s->mp[i]);
                }
}

/* After a burst of writes: first what gathered in memory is written out, then the memory goes back to the system. */
static void tend_records(struct store *s, struct background *b)
{
        uint64_t commits = atomic_load(&s->stat_commits);
        b->quiet = commits == b->commits ? b->quiet + 1 : 0;
        b->commits = commits;
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++)
                if (mountpath_enter(s->mp[i])) {
                        records_tend(s->mp[i]->records);
                        if (b->quiet == REST_TENDS)
                                records_rest(s->mp[i]->records);
                        mountpath_leave(s->mp[i]);
                }
        if (b->quiet == REST_TENDS + 1)
                (void)malloc_trim(0);
}

static void tick(struct store *s, struct background *b, unsigned n)
{
        sync_fast(s);
        if (n % TEND_TICKS == 0)
                tend_records(s, b);
        store__mountpaths_close_idle(s);
        store__mountpaths_revive(s);
        if (n % SPACE_TICKS == 0)
                store__space_tick(s);
}

static void background_thread(void *arg)
{
        struct background *b = arg;
        struct store *s = b->store;
        unsigned ticks = 0;
        int64_t next_tick = clock_mono_ns() + TICK_NS;
        for (bool stop = false; !stop;) {
                struct list discards, closes;
                mutex_lock(&b->lock);
                while (!b->stop && list_empty(&b->discards) && list_empty(&b->closes))
                        if (!cond_wait_until(&b->wake, &b->lock, next_tick))
                                break;
                take_list(&b->discards, &discards);
                take_list(&b->closes, &closes);
                stop = b->stop;
                mutex_unlock(&b->lock);
                run_closes(&closes);
                if (run_discards(&discards))
                        store__trash_kick(s);
                if (clock_mono_ns() >= next_tick && !stop) {
                        next_tick = clock_mono_ns() + TICK_NS;
                        tick(s, b, ++ticks);
                }
        }
}

/* What may take minutes, so that descriptors and fast writes do not wait for it: dropped buckets at once, trash when it
 * is due. */
static void slow_thread(void *arg)
{
        struct background *b = arg;
        struct store *s = b->store;
        bool trash = true; /* what the last run left */
        int64_t due = clock_mono_ns() + TICK_NS;
        for (;;) {
                mutex_lock(&b->lock);
                while (!b->stop && !b->drop)
                        if (!cond_wait_until(&b->wake_slow, &b->lock, due))
                                break;
                bool stop = b->stop, drop = b->drop;
                trash |= b->trash;
                b->drop = b->trash = false;
                mutex_unlock(&b->lock);
                if (stop)
                        return;
                if (drop)
                        store__drop_run(s);
                if (clock_mono_ns() < due)
                        continue;
                trash = trash && empty_trash(s);
                due = clock_mono_ns() + (trash ? 0 : TRASH_TICKS * TICK_NS);
        }
}

struct err *background_new(struct store *s, struct background **ret)
{
        struct background *b = calloc(1, sizeof *b);
        if (!b)
                return err_static(ERR_NO_MEMORY);
        b->store = s;
        mutex_init(&b->lock, "background", RANK_LEAF);
        cond_init(&b->wake);
        cond_init(&b->wake_slow);
        list_init(&b->discards);
        list_init(&b->closes);
        *ret = b;
        return NULL;
}

struct err *background_start(struct background *b)
{
        TRY(thread_start(&b->thread, "store", THREAD_OTHER, background_thread, b));
        return thread_start(&b->slow, "store-slow", THREAD_OTHER, slow_thread, b);
}

void background_stop(struct background *b)
{
        if (!b || !b->thread)
                return;
        mutex_lock(&b->lock);
        b->stop = true;
        cond_signal(&b->wake);
        cond_signal(&b->wake_slow);
        mutex_unlock(&b->lock);
        thread_join(b->thread);
        b->thread = NULL;
        if (b->slow)
                thread_join(b->slow);
        b->slow = NULL;
}

void background_free(struct background *b)
{
        if (!b)
                return;
        background_stop(b);
        run_closes(&b->closes);
        run_discards(&b->discards);
        cond_fini(&b->wake);
        cond_fini(&b->wake_slow);
        mutex_fini(&b->lock);
        free(b);
}
