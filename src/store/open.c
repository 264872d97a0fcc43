/* store/open.c: the life of a store: opening its mountpaths, recovery, closing in the order that loses nothing.
 *
 * Open: each mountpath by itself (identity, lock, records, contents, commit thread); one that can not be opened is
 * reported and stays DISABLED while others remain. Then what they remember of each other decides whether the set is
 * mixed, interrupted work is rolled on, and the background starts.
 *
 * Close: the background stops, the cache gives its contents back (their times of access become changes), the commit
 * threads end their queues, what they discarded is removed, and the mountpaths are closed. Callers have given all
 * contents, puts and scans back before. */
#include "store/background.h"
#include "store/cache.h"
#include "store/change.h"
#include "store/mountpath.h"
#include "os/sysinfo.h"

#include <limits.h>
#include <sys/resource.h>
#include <unistd.h>

#define CACHE_BYTES_DEFAULT ((size_t)64 << 20)
#define CACHE_FILES_MAX 8192u

static size_t default_cache_bytes(size_t wanted)
{
        long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
        size_t eighth = pages > 0 && page > 0 ? (size_t)pages * (size_t)page / 8 : CACHE_BYTES_DEFAULT;
        return MIN(wanted ? wanted : CACHE_BYTES_DEFAULT, eighth);
}

/* Descriptors that this process may have. */
static unsigned max_files(void)
{
        struct rlimit l;
        if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur > INT_MAX)
                return INT_MAX;
        return (unsigned)l.rlim_cur;
}

static unsigned default_cache_files(unsigned wanted)
{
        return wanted ? wanted : MIN(max_files() / 4, CACHE_FILES_MAX);
}

static struct err *set_options(struct store *s, const struct store_options *o)
{
        s->o = *o;
        if (!str_copy(s->cluster_uuid, sizeof s->cluster_uuid, str_of(o->cluster_uuid ? o->cluster_uuid : "")) ||
            !str_copy(s->target_id, sizeof s->target_id, str_of(o->target_id ? o->target_id : "")))
                return err_new(ERR_INVALID, "cluster or target id is too long");
        s->o.paths = s->o.labels = NULL; /* borrowed for the call only */
        s->o.known = NULL;
        s->o.cluster_uuid = s->cluster_uuid;
        s->o.target_id = s->target_id;
        s->o.small_max = o->small_max ? o->small_max : STORE_SMALL_MAX_DEFAULT;
        s->o.cache_bytes = default_cache_bytes(o->cache_bytes);
        s->o.cache_files = default_cache_files(o->cache_files);
        s->content_files_max = MAX(max_files() / 2, s->o.cache_files + 64);
        s->o.verify_expiry_ns = o->verify_expiry_ns ? o->verify_expiry_ns : 3600 * NS_PER_SEC;
        return NULL;
}

static struct err *check_paths(const struct store_options *o)
{
        if (!o->npaths || o->npaths > STORE_MOUNTPATHS_MAX)
                return err_new(ERR_INVALID, "%u mountpaths; want 1 to %u", o->npaths, STORE_MOUNTPATHS_MAX);
        for (unsigned i = 0; i < o->npaths; i++)
                for (unsigned j = 0; j < i; j++)
                        if (mountpath__nested(o->paths[i], o->paths[j]))
                                return err_new(ERR_INVALID, "mountpaths %s and %s are nested", o->paths[j],
                                               o->paths[i]);
        return NULL;
}

/* Opens all that can be opened. An error when none can. A directory of another cluster or in use is a mistake of
 * whoever starts: never passed over. */
static struct err *open_mountpaths(struct store *s, const struct store_options *o)
{
        struct err *first = NULL;
        unsigned opened = 0;
        for (unsigned i = 0; i < o->npaths; i++) {
                struct mountpath *mp;
                TRY(mountpath__new(s, o->paths[i], o->labels ? o->labels[i] : NULL, &mp));
                s->mp[s->nmp++] = mp;
                bool known = o->known && o->known[i];
                struct err *e = mountpath__open(mp, known ? MOUNTPATH_MAKE_NOTHING : MOUNTPATH_MAKE_ALL);
                if (!e) {
                        opened++;
                        continue;
                }
                enum err_code code = err_code(e);
                if (code == ERR_FOREIGN || code == ERR_IN_USE || code == ERR_FORMAT || code == ERR_INVALID) {
                        err_free(first);
                        return e;
                }
                char text[512];
                log_error("%s; it stays disabled, and what is not found elsewhere is an error until it is enabled or "
                          "detached",
                          err_text(e, text, sizeof text));
                atomic_store(&mp->unopened, true);
                first = err_first(first, e);
        }
        if (opened) {
                err_free(first);
                return NULL;
        }
        return first;
}

static struct err *first_set(struct store *s)
{
        struct peers p;
        struct mp_set *set;
        TRY(peers__load(s, &p));
        TRY(peers__save(s, &p));
        TRY(peers__set(s, &p, &set));
        LOCK_SCOPE(&s->lock);
        store__set_publish(s, set);
        if (set->mixed)
                log_info("objects may lie on any of %u mountpaths until a resilver has run", set->nall);
        return NULL;
}

static struct err *recover(struct store *s)
{
        for (unsigned i = 0; i < s->nmp; i++) {
                struct mountpath *mp = s->mp[i];
                uint64_t files = 0, bytes = 0;
                if (!atomic_load(&mp->open))
                        continue;
                TRY(store__drop_load(s, mp));
                TRY(store__uploads_load(s, mp));
                TRY(store__rename_recover(s, mp));
                struct err *e = store__cleanup_mountpath(s, mp, 0, &files, &bytes);
                if (e) /* what can not be told from garbage stays; objects are none the worse */
                        log_err(LOG_WARN, LOG_FOLDER, e, "%s: unfinished work was not cleaned", mp->path);
                if (files)
                        log_info("%s: removed %llu files of trash and unfinished work", mp->path,
                                 (unsigned long long)files);
        }
        return NULL;
}

static struct err *open_store(struct store *s, const struct store_options *o)
{
        TRY(set_options(s, o));
        TRY(check_paths(o));
        TRY(records_env_new(0, &s->env));
        TRY(cache_new(s->o.cache_bytes, s->o.cache_files, &s->cache));
        TRY(background_new(s, &s->background));
        TRY(store__space_new(s, &s->space));
        TRY(store__uploads_new(s, &s->uploads));
        TRY(open_mountpaths(s, o));
        TRY(first_set(s));
        TRY(recover(s));
        store__space_tick(s);
        TRY(background_start(s->background));
        store__trash_kick(s);
        background_drop_kick(s->background);
        return NULL;
}

struct err *store_open(const struct store_options *o, struct store **ret)
{
        ASSERT_MAY_BLOCK();
        struct store *s = calloc(1, sizeof *s);
        if (!s)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&s->lock, "store", RANK_STORE);
        mutex_init(&s->move_lock, "store moves", RANK_STORE_MPATH);
        mutex_init(&s->drop_lock, "dropped buckets", RANK_LEAF);
        struct err *e = open_store(s, o);
        if (e) {
                store_close(s);
                return e;
        }
        *ret = s;
        return NULL;
}

void store_close(struct store *s)
{
        if (!s)
                return;
        atomic_store(&s->stopping, true);
        background_stop(s->background);
        if (s->cache)
                cache_drop_all(s->cache);
        for (unsigned i = 0; i < s->nmp; i++) {
                struct mountpath *mp = s->mp[i];
                committer_stop(mp->committer);
                mp->committer = NULL;
        }
        background_free(s->background);
        cache_free(s->cache);
        store__uploads_free(s->uploads);
        for (unsigned i = 0; i < s->nmp; i++) {
                mountpath__close(s->mp[i]);
                free(s->mp[i]);
        }
        store__space_free(s->space);
        records_env_free(s->env);
        for (struct mp_set *set = s->sets, *older; set; set = older) {
                older = set->older;
                free(set);
        }
        free(s->dropped);
        mutex_fini(&s->drop_lock);
        mutex_fini(&s->move_lock);
        mutex_fini(&s->lock);
        free(s);
}

void store_stats(struct store *s, struct store_stats *ret)
{
        memset(ret, 0, sizeof *ret);
        cache_stats(s->cache, ret);
        ret->commits = atomic_load(&s->stat_commits);
        ret->batches = atomic_load(&s->stat_batches);
        ret->io_errors = atomic_load(&s->stat_io_errors);
        ret->corrupt = atomic_load(&s->stat_corrupt);
        ret->verify_bytes = atomic_load(&s->stat_verify_bytes);
}
