/* store/mountpath_set.c: attach, detach, enable, disable: changes of the set of mountpaths while the store serves.
 *
 * A change is: withdraw the set (wait until nobody stands in it), open or close, have every active mountpath remember
 * the new set (synced), publish it. Requests wait meanwhile, for milliseconds. Taking one out with its objects moved
 * has two such changes, with the resilver between them: first it takes no new objects, then it is gone.
 *
 * What was taken out may come back with old records, so it is remembered as absent and deletes leave tombstones; only
 * one that was emptied is forgotten. */
#include "store/background.h"
#include "store/cache.h"
#include "store/change.h"
#include "store/mountpath.h"
#include "store/resilver.h"
#include "store/upload.h"

/* By its path; those that were detached too. */
static struct mountpath *find_any(struct store *s, const char *path)
{
        struct str p = str_of(path);
        while (p.n > 1 && p.p[p.n - 1] == '/')
                p.n--;
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++)
                if (str_eq(p, str_of(s->mp[i]->path)))
                        return s->mp[i];
        return NULL;
}

static struct mountpath *find(struct store *s, const char *path)
{
        struct mountpath *mp = find_any(s, path);
        return mp && !atomic_load(&mp->detached) ? mp : NULL;
}

static unsigned count_active(struct store *s)
{
        unsigned n = 0;
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++)
                n += atomic_load(&s->mp[i]->state) == MOUNTPATH_ACTIVE;
        return n;
}

/* Leaves the old set in force when the new one can not be made. The set is withdrawn. */
static struct err *publish(struct store *s, struct peers *p)
{
        struct mp_set *set;
        struct err *e = peers__save(s, p);
        if (!e)
                e = peers__set(s, p, &set);
        if (e) {
                struct mp_set *old = s->sets;
                atomic_store(&s->set, old);
                return e;
        }
        store__set_publish(s, set);
        return NULL;
}

/* A set changed: everything may lie elsewhere now. `gone`: an id that may not come back with anything. */
static struct err *remember_change(struct store *s, const char *gone, struct peers *p)
{
        TRY(peers__load(s, p));
        p->mixed = p->nactive > 1 || p->mixed;
        for (unsigned i = 0; gone && i < p->nabsent; i++)
                if (!strcmp(p->absent[i], gone)) {
                        memmove(p->absent[i], p->absent[i + 1], (p->nabsent - i - 1) * sizeof p->absent[0]);
                        p->nabsent--;
                        break;
                }
        return NULL;
}

static struct err *join(struct store *s, struct mountpath *mp)
{
        struct peers p;
        uint64_t files = 0, bytes = 0;
        TRY(mountpath__open(mp, MOUNTPATH_MAKE_INSIDE));
        struct err *e = store__drop_load(s, mp);
        if (!e)
                e = store__uploads_load(s, mp);
        if (!e)
                e = store__cleanup_mountpath(s, mp, 0, &files, &bytes);
        if (!e)
                e = remember_change(s, NULL, &p);
        if (!e) {
                p.mixed = true; /* what it holds was placed by another set */
                e = publish(s, &p);
        }
        if (e) {
                atomic_store(&mp->state, MOUNTPATH_DISABLED);
                atomic_store(&mp->open, false);
                while (atomic_load(&mp->users)) /* the background may look into it already */
                        clock_sleep_ns(NS_PER_MS);
                mountpath__close(mp);
        }
        return e;
}

/* Withdraws, joins, publishes; on error the old set goes on. */
static struct err *join_withdrawn(struct store *s, struct mountpath *mp)
{
        store__set_withdraw(s);
        struct err *e = join(s, mp);
        if (!atomic_load(&s->set))
                atomic_store(&s->set, s->sets);
        if (!e) {
                e = store__rename_recover(s, mp); /* what cannot be ended now is ended by the next start */
                if (e)
                        log_err(LOG_WARN, LOG_FOLDER, e, "%s: renames that a crash interrupted", mp->path);
                return NULL;
        }
        return e;
}

static struct err *check_attach(struct store *s, const char *path)
{
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++) {
                struct mountpath *mp = s->mp[i];
                if (!atomic_load(&mp->detached) && mountpath__nested(path, mp->path))
                        return err_new(ERR_INVALID, "mountpaths %s and %s are the same or nested", path, mp->path);
        }
        struct stat st;
        return file_stat_at(AT_FDCWD, path, &st);
}

struct err *store_mountpath_attach(struct store *s, const char *path, const char *label)
{
        ASSERT_MAY_BLOCK();
        LOCK_SCOPE(&s->lock);
        TRY_WRAP(check_attach(s, path), "attach mountpath %s", path);
        struct mountpath *mp = find_any(s, path);
        if (!mp) {
                TRY(mountpath__new(s, path, label, &mp));
                atomic_store(&mp->detached, true);
                s->mp[mp->index] = mp;
                atomic_fetch_add(&s->nmp, 1);
        }
        if (atomic_load(&mp->open))
                return err_new(ERR_BUSY, "mountpath %s is still being taken out", path);
        *mp->id = 0; /* another disk may lie there now */
        TRY(join_withdrawn(s, mp));
        atomic_store(&mp->detached, false);
        background_drop_kick(s->background);
        return NULL;
}

struct err *store_mountpath_enable(struct store *s, const char *path, bool *ret_changed)
{
        ASSERT_MAY_BLOCK();
        LOCK_SCOPE(&s->lock);
        struct mountpath *mp = find(s, path);
        if (!mp)
                return err_new(ERR_MOUNTPATH_NOT_FOUND, "mountpath %s does not exist", path);
        if (atomic_load(&mp->state) != MOUNTPATH_DISABLED) {
                *ret_changed = false;
                return NULL;
        }
        if (atomic_load(&mp->open))
                return err_new(ERR_BUSY, "mountpath %s is still being taken out", path);
        TRY(join_withdrawn(s, mp));
        *ret_changed = true;
        background_drop_kick(s->background);
        return NULL;
}

static bool lies_on(void *arg, const struct content *x)
{
        return x->mp == arg;
}

static void close_if_idle(struct mountpath *mp)
{
        if (atomic_load(&mp->open) && atomic_load(&mp->closing) && !atomic_load(&mp->users))
                mountpath__close(mp);
}

/* First step: it takes no new objects, but is looked at. */
static struct err *stop_placing(struct store *s, struct mountpath *mp)
{
        struct peers p;
        LOCK_SCOPE(&s->lock);
        store__set_withdraw(s);
        atomic_store(&mp->state, MOUNTPATH_DISABLED);
        struct err *e = remember_change(s, NULL, &p);
        if (!e) {
                p.mixed = true;
                e = publish(s, &p);
        }
        if (e) {
                atomic_store(&mp->state, MOUNTPATH_ACTIVE);
                atomic_store(&s->set, s->sets);
        }
        return e;
}

/* It holds nothing any more, so what it remembers of the others is of no use: it may come back as a new one. */
static struct err *forget_peers(struct mountpath *mp)
{
        const struct commit_row rows[3] = { { RECORDS_META, STR("peers"), STR_NONE, true },
                                            { RECORDS_META, STR("absent"), STR_NONE, true },
                                            { RECORDS_META, STR("mixed"), STR_NONE, true } };
        return store__commit_rows(mp, rows, 3, false);
}

/* Second step: it is gone. */
static struct err *leave(struct store *s, struct mountpath *mp, bool emptied)
{
        struct peers p;
        LOCK_SCOPE(&s->lock);
        if (!atomic_load(&mp->open) || atomic_load(&mp->closing))
                return NULL; /* somebody else took it out meanwhile */
        store__set_withdraw(s);
        atomic_store(&mp->closing, true);
        struct err *e = emptied ? forget_peers(mp) : NULL;
        if (!e)
                e = remember_change(s, emptied ? mp->id : NULL, &p);
        bool was_open = atomic_exchange(&mp->open, false); /* the set is made of the open ones */
        if (!e)
                e = publish(s, &p);
        atomic_store(&mp->open, was_open);
        if (e) {
                atomic_store(&mp->closing, false);
                atomic_store(&s->set, s->sets);
                return e;
        }
        cache_drop(s->cache, lies_on, mp);
        for (int i = 0; i < 200 && atomic_load(&mp->users); i++) /* then the background closes it */
                clock_sleep_ns(NS_PER_MS);
        close_if_idle(mp);
        return NULL;
}

/* One that could not be opened is given up by an operator: from now on what it holds counts as absent. */
static struct err *give_up(struct store *s, struct mountpath *mp)
{
        struct peers p;
        LOCK_SCOPE(&s->lock);
        if (!atomic_exchange(&mp->unopened, false))
                return NULL;
        store__set_withdraw(s);
        struct err *e = remember_change(s, NULL, &p);
        if (!e)
                e = publish(s, &p);
        if (e) {
                atomic_store(&mp->unopened, true);
                atomic_store(&s->set, s->sets);
        }
        return e;
}

struct in_progress {
        struct store *store;
        unsigned n;
        char id[UPLOAD_ID + 1]; /* of the first */
};

static struct err *count_upload(void *arg, const struct upload_key *k, struct str key, struct str value)
{
        struct in_progress *p = arg;
        (void)key;
        (void)value;
        if (k->kind != UPLOAD_ROW_PART && !store__dropped(p->store, k->bid) && p->n++ == 0)
                memcpy(p->id, k->id, sizeof p->id);
        return NULL;
}

/* Uploads and appends in progress do not move: they are finished or aborted first. */
static struct err *refuse_uploads(struct store *s, struct mountpath *mp)
{
        struct in_progress p = { .store = s };
        if (!mountpath_enter(mp))
                return NULL;
        struct err *e = upload_each_row(mp->records, STR_NONE, STR_NONE, count_upload, &p);
        mountpath_leave(mp);
        TRY(e);
        if (!p.n)
                return NULL;
        return err_new(ERR_CONFLICT, "mountpath %s holds %u uploads or appends in progress (one is %s): end them first",
                       mp->path, p.n, p.id);
}

static struct err *take_out(struct store *s, const char *path, bool no_resilver, bool detach, bool *ret_changed)
{
        ASSERT_MAY_BLOCK();
        mutex_lock(&s->lock);
        struct mountpath *mp = find(s, path);
        int state = mp ? atomic_load(&mp->state) : MOUNTPATH_DISABLED;
        unsigned nactive = count_active(s);
        mutex_unlock(&s->lock);
        if (!mp)
                return err_new(ERR_MOUNTPATH_NOT_FOUND, "mountpath %s does not exist", path);
        bool emptying = state == MOUNTPATH_DISABLED && atomic_load(&mp->open) && !atomic_load(&mp->closing);
        if (state == MOUNTPATH_DISABLED && !emptying) {
                *ret_changed = detach || atomic_load(&mp->unopened);
                TRY(give_up(s, mp));
                atomic_store(&mp->detached, detach);
                return NULL;
        }
        if (nactive <= 1 && state == MOUNTPATH_ACTIVE)
                return err_new(ERR_INVALID, "mountpath %s is the last active one", path);
        no_resilver |= state == MOUNTPATH_FAILED; /* it takes no writes: what it holds can not be forgotten there */
        if (!no_resilver)
                TRY(refuse_uploads(s, mp));
        if (!emptying) /* else an earlier call did, and was stopped by what can not be moved */
                TRY(stop_placing(s, mp));
        if (!no_resilver) {
                TRY_WRAP(store__empty(s, mp), "mountpath %s still holds objects", path);
                TRY(refuse_uploads(s, mp)); /* that began before it took no new ones */
        }
        TRY(leave(s, mp, !no_resilver));
        atomic_store(&mp->detached, detach);
        *ret_changed = true;
        return NULL;
}

struct err *store_mountpath_detach(struct store *s, const char *path, bool no_resilver, bool *ret_changed)
{
        return take_out(s, path, no_resilver, true, ret_changed);
}

struct err *store_mountpath_disable(struct store *s, const char *path, bool no_resilver, bool *ret_changed)
{
        return take_out(s, path, no_resilver, false, ret_changed);
}

void store__mountpaths_close_idle(struct store *s)
{
        if (!mutex_trylock(&s->lock))
                return;
        for (unsigned i = 0; i < s->nmp; i++)
                close_if_idle(s->mp[i]);
        mutex_unlock(&s->lock);
}

#define REVIVE_SPACE (UINT64_C(64) << 20)
#define REVIVE_TRIES 30

static struct err *reopen(struct mountpath *mp)
{
        mountpath__close(mp);
        for (int i = 1;; i++) {
                struct err *e = mountpath__open(mp, MOUNTPATH_MAKE_NOTHING);
                if (!e || i == REVIVE_TRIES)
                        return e;
                err_free(e);
                clock_sleep_ns(NS_PER_SEC);
        }
}

/* The engine refuses writes after one that failed, so the database is closed and opened again: what the failed batch
 * left of itself is decided by its recovery, as after a crash. An error of the disk itself is never tried again.
 * Requests wait meanwhile. If it can not be opened any more, the others go on without it; the last one takes the process
 * with it. */
static void revive(struct store *s, struct mountpath *mp)
{
        struct fs_usage fs;
        struct peers p;
        struct err *e = fs_usage(mp->orlop_fd, &fs);
        if (e || fs.avail < REVIVE_SPACE) {
                err_free(e);
                return;
        }
        store__set_withdraw(s);
        atomic_store(&mp->closing, true);
        if (!atomic_load(&mp->users)) { /* else the next tick tries */
                e = reopen(mp);
                atomic_store(&mp->full, false);
                cache_drop(s->cache, lies_on, mp); /* the failed batch may have come to life */
                if (!e)
                        log_info("%s: there is space again", mp->path);
        }
        atomic_store(&mp->closing, false);
        if (!e) { /* the same set */
                atomic_store(&s->set, s->sets);
                return;
        }
        log_err(LOG_ERROR, LOG_FOLDER, e, "%s: could not be opened again", mp->path);
        atomic_store(&mp->state, MOUNTPATH_DISABLED);
        atomic_store(&mp->unopened, true);
        e = remember_change(s, NULL, &p);
        if (!e)
                e = publish(s, &p);
        if (e) {
                log_err(LOG_ERROR, LOG_FOLDER, e, "no mountpath is left");
                abort();
        }
}

void store__mountpaths_revive(struct store *s)
{
        if (!mutex_trylock(&s->lock))
                return;
        for (unsigned i = 0; i < s->nmp; i++)
                if (atomic_load(&s->mp[i]->full) && atomic_load(&s->mp[i]->state) == MOUNTPATH_FAILED)
                        revive(s, s->mp[i]);
        mutex_unlock(&s->lock);
}

/* ---- what others see ---- */

struct err *store_mountpaths(struct store *s, struct mountpath_info *ret, unsigned max, unsigned *ret_n)
{
        ASSERT_MAY_BLOCK();
        unsigned n = 0;
        for (unsigned i = 0; i < atomic_load(&s->nmp) && n < max; i++) {
                struct mountpath *mp = s->mp[i];
                if (atomic_load(&mp->detached))
                        continue;
                struct mountpath_info *info = &ret[n++];
                memset(info, 0, sizeof *info);
                str_copy(info->path, sizeof info->path, str_of(mp->path));
                str_copy(info->label, sizeof info->label, str_of(mp->label));
                info->state = (enum mountpath_state)atomic_load(&mp->state);
                info->index = mp->index;
                info->unopened = atomic_load(&mp->unopened);
                if (!mountpath_enter(mp))
                        continue;
                err_free(fs_usage(mp->orlop_fd, &info->fs)); /* zero then */
                info->objects_estimate = records_estimate(mp->records, RECORDS_OBJECTS);
                mountpath_leave(mp);
        }
        *ret_n = n;
        return NULL;
}

static const struct mountpath *at(struct store *s, unsigned index)
{
        return index < atomic_load(&s->nmp) ? s->mp[index] : NULL;
}

const char *store_mountpath_path(struct store *s, unsigned index)
{
        return at(s, index) ? at(s, index)->path : "";
}

const char *store_mountpath_disk(struct store *s, unsigned index)
{
        return at(s, index) ? at(s, index)->disk : "";
}
