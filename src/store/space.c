/* How full the disks are, and what follows from it.
 *
 * A sample asks each distinct file system below the open mountpaths once. The fullest one decides the state: LOW, HIGH
 * (eviction may start) and OUT (puts are refused) begin at their marks and end half a percent below them, so that the
 * state does not flicker at a mark. Samples are taken by the background thread; while the state is HIGH or OUT, or
 * little is left, puts take one more themselves every quarter of a second, so that filling is noticed in time and
 * writes go on soon after space was made.
 *
 * Puts stop also when less than a reserve is left, whatever the mark: a start after a crash writes what the log holds
 * once more, and a node that can not start for want of space could not delete anything either.
 *
 * The share of a file system that is full is what df says: used / (used + available to ordinary users), rounded up. A
 * file system that can not be asked is left out of the sample. */
#include <stdatomic.h>

#include "store/priv.h"
#include "store/space.h"

enum { PERMILLE = 1000, HYSTERESIS_PERMILLE = 5 };
#define RESAMPLE_NS (250 * NS_PER_MS)
#define RESERVE ((uint64_t)96 << 20)      /* RocksDB's log of at most 64 MiB, and room for what is being written */
#define LITTLE_LEFT ((uint64_t)4 << 30)   /* could be used up between two samples of the background */

/* The reference's defaults; the configuration replaces them. */
static const struct watermarks default_marks = {
        .cleanup_pct = 65, .low_pct = 75, .high_pct = 90, .out_of_space_pct = 95
};

struct space {
        struct mutex lock; /* RANK_LEAF: guards the rest */
        struct watermarks marks;
        struct store_usage usage;
        int permille_max;
        uint64_t least_left; /* bytes on the file system that has the least */
        int64_t sampled_ns; /* monotonic; 0: never */
        bool sampling;
};

struct err *store__space_new(struct store *s, struct space **ret)
{
        struct space *sp = calloc(1, sizeof(*sp));

        (void)s;
        if (!sp)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&sp->lock, "store.space", RANK_LEAF);
        sp->marks = default_marks;
        *ret = sp;
        return NULL;
}

void store__space_free(struct space *sp)
{
        if (!sp)
                return;
        mutex_fini(&sp->lock);
        free(sp);
}

enum space_state store__space_state(enum space_state before, int permille, const struct watermarks *w)
{
        const int marks[] = {
                [SPACE_LOW] = w->low_pct * 10, [SPACE_HIGH] = w->high_pct * 10, [SPACE_OUT] = w->out_of_space_pct * 10
        };

        for (int st = SPACE_OUT; st > SPACE_OK; st--) {
                int mark = marks[st];

                if ((int)before >= st)
                        mark -= HYSTERESIS_PERMILLE;
                if (marks[st] > 0 && permille >= mark)
                        return (enum space_state)st;
        }
        return SPACE_OK;
}

static int permille_of(const struct fs_usage *fs)
{
        uint64_t all = fs->used + fs->avail;

        return all == 0 ? 0 : (int)(((double)fs->used * PERMILLE + (double)all - 1) / (double)all);
}

/* On a small file system the reserve is an eighth of it. */
static bool below_reserve(const struct fs_usage *fs)
{
        return fs->avail < MIN(RESERVE, fs->total / 8);
}

static bool same_fs(const struct fs_usage *a, const struct fs_usage *b)
{
        if (a->fsid[0] || a->fsid[1])
                return a->fsid[0] == b->fsid[0] && a->fsid[1] == b->fsid[1];
        return a->dev == b->dev;
}

/* The distinct file systems of the open mountpaths. */
static unsigned ask_all(struct store *s, struct fs_usage *fs)
{
        unsigned n = 0, nmp = atomic_load(&s->nmp);

        for (unsigned i = 0; i < nmp; i++) {
                struct mountpath *mp = s->mp[i];
                struct err *e;
                bool known = false;

                if (!mountpath_enter(mp))
                        continue;
                e = fs_usage(mp->orlop_fd, &fs[n]);
                mountpath_leave(mp);
                if (e) {
                        log_err(LOG_WARN, LOG_FOLDER, e, "usage of %s", mp->path);
                        continue;
                }
                for (unsigned k = 0; k < n; k++)
                        known = known || same_fs(&fs[k], &fs[n]);
                n += !known;
        }
        return n;
}

/* *ret_max: the fullest one's share, all of it when one is below its reserve. */
static void sum_up(const struct fs_usage *fs, unsigned n, struct store_usage *u, int *ret_max, uint64_t *ret_least)
{
        int min = PERMILLE, max = 0;
        uint64_t least = UINT64_MAX;
        bool reserve = false;
        int64_t sum = 0;

        *u = (struct store_usage){ 0 };
        for (unsigned i = 0; i < n; i++) {
                int permille = permille_of(&fs[i]);

                u->used += fs[i].used;
                u->avail += fs[i].avail;
                max = MAX(max, permille);
                min = MIN(min, permille);
                sum += permille;
                least = MIN(least, fs[i].avail);
                reserve |= below_reserve(&fs[i]);
        }
        u->pct_max = (max + 9) / 10;
        u->pct_min = n ? (min + 9) / 10 : 0;
        u->pct_avg = n ? (int)((sum / n + 9) / 10) : 0;
        *ret_max = reserve ? PERMILLE : max;
        *ret_least = least;
}

static const char *state_name(enum space_state st)
{
        static const char *const names[] = { "ok", "low", "high", "out of space" };

        return names[st];
}

static void sample(struct store *s, struct space *sp)
{
        struct fs_usage *fs = calloc(STORE_MOUNTPATHS_MAX, sizeof(*fs));
        struct store_usage u;
        enum space_state before, after;
        uint64_t least;
        unsigned n;
        int max;
        bool clean;

        if (!fs)
                return; /* the last sample stays */
        n = ask_all(s, fs);
        sum_up(fs, n, &u, &max, &least);
        free(fs);
        mutex_lock(&sp->lock);
        before = sp->usage.state;
        after = u.state = store__space_state(before, max, &sp->marks);
        sp->usage = u;
        sp->permille_max = max;
        sp->least_left = least;
        clean = sp->marks.cleanup_pct > 0 && max >= sp->marks.cleanup_pct * 10;
        mutex_unlock(&sp->lock);
        if (before != after)
                log_write(after > before ? LOG_WARN : LOG_INFO, LOG_FOLDER, "space: %s, fullest file system %d%%",
                          state_name(after), u.pct_max);
        if (clean)
                store__trash_kick(s);
}

/* One sample at a time: whoever comes while one is taken does without. */
static void sample_once(struct store *s, int64_t not_after_ns)
{
        struct space *sp = s->space;
        int64_t now = clock_mono_ns();

        mutex_lock(&sp->lock);
        if (sp->sampling || (sp->sampled_ns != 0 && sp->sampled_ns > not_after_ns)) {
                mutex_unlock(&sp->lock);
                return;
        }
        sp->sampling = true;
        mutex_unlock(&sp->lock);
        sample(s, sp);
        mutex_lock(&sp->lock);
        sp->sampling = false;
        sp->sampled_ns = now;
        mutex_unlock(&sp->lock);
}

void store__space_tick(struct store *s)
{
        sample_once(s, INT64_MAX);
}

struct err *store__space_check(struct store *s)
{
        struct space *sp = s->space;
        struct store_usage u;
        uint64_t least;
        int mark;

        mutex_lock(&sp->lock);
        u = sp->usage;
        least = sp->least_left;
        mutex_unlock(&sp->lock);
        if (LIKELY(u.state < SPACE_HIGH && least > LITTLE_LEFT))
                return NULL;
        if (thread_role() != THREAD_LOOP) /* it may block */
                sample_once(s, clock_mono_ns() - RESAMPLE_NS);
        mutex_lock(&sp->lock);
        u = sp->usage;
        mark = sp->marks.out_of_space_pct;
        least = sp->least_left;
        mutex_unlock(&sp->lock);
        if (u.state != SPACE_OUT)
                return NULL;
        return err_new(ERR_NO_SPACE,
                       "out of space: %d%% used, %llu MiB left; writes stop at %d%%, or at less than %llu MiB",
                       u.pct_max, (unsigned long long)(least >> 20), mark, (unsigned long long)(RESERVE >> 20));
}

void store_set_watermarks(struct store *s, const struct watermarks *w)
{
        struct space *sp = s->space;

        mutex_lock(&sp->lock);
        sp->marks = *w;
        sp->usage.state = store__space_state(sp->usage.state, sp->permille_max, w);
        mutex_unlock(&sp->lock);
}

void store_usage(struct store *s, struct store_usage *ret)
{
        struct space *sp = s->space;

        mutex_lock(&sp->lock);
        *ret = sp->usage;
        mutex_unlock(&sp->lock);
}
