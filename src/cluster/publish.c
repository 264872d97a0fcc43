/* cluster/publish.c: from ordered documents to the next snapshot: prepared as a whole on copies, then made current in one
 * step, then told to watchers and to those who wait. */
#include "cluster/many.h"
#include "os/clock.h"

/* ---- snapshots of the moment ---- */

const struct snapshot *cluster_pin(struct cluster *c)
{
        mutex_lock(&c->pin);
        const struct snapshot *s = snapshot_ref(c->current);
        mutex_unlock(&c->pin);
        return s;
}

const struct snapshot *cluster_snapshot_cached(struct cluster *c, struct snapshot_cache *cache)
{
        if (LIKELY(cache->s != NULL && cache->s->seq == atomic_load_explicit(&c->seq, memory_order_acquire)))
                return cache->s;
        snapshot_cache_drop(cache);
        cache->s = cluster_pin(c);
        return cache->s;
}

void snapshot_cache_drop(struct snapshot_cache *cache)
{
        cluster_unpin(cache->s);
        cache->s = NULL;
}

void cluster_watch(struct cluster *c, cluster_watch_fn *fn, void *arg)
{
        LOCK_SCOPE(&c->publish);
        ASSERT(c->watch_count < CLUSTER_WATCHES_MAX);
        c->watches[c->watch_count++] = (struct watch){ fn, arg };
}

/* ---- preparing ---- */

void cluster__prepared_fini(struct prepared *p)
{
        cluster__docs_fini(&p->table);
        cluster__state_fini(&p->state);
        cluster_unpin(p->snapshot);
        *p = (struct prepared){ .index = 0 };
}

static struct err *take_one(struct prepared *p, const struct doc *d)
{
        const struct doc_ref *have = cluster__docs_get(&p->table, d->key);
        bool same = have && d->body.p && str_eq(have->body, d->body);
        if (!have && !d->body.p)
                return NULL;
        TRY(cluster__docs_put(&p->table, d->key, d->body, d->modified));
        /* Decoded parts are shared by pointer as long as their document stays the same. */
        return same ? NULL : cluster__state_take(&p->state, d);
}

static int doc_cmp(const void *a, const void *b)
{
        return str_cmp((*(const struct doc *const *)a)->key, (*(const struct doc *const *)b)->key);
}

/* Removes what is not among these. */
static struct err *drop_others(struct prepared *p, const struct doc *docs, size_t n)
{
        const struct doc **sorted = calloc(n + 1, sizeof(*sorted));
        if (!sorted)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++)
                sorted[i] = &docs[i];
        qsort(sorted, n, sizeof(*sorted), doc_cmp);
        struct err *e = NULL;
        size_t k = 0;
        for (size_t i = 0; !e && i < p->table.n;) {
                struct doc_ref *d = cluster__doc_ref(p->table.list[i]);
                while (k < n && str_cmp(sorted[k]->key, d->key) < 0)
                        k++;
                if (k < n && str_eq(sorted[k]->key, d->key))
                        i++;
                else
                        e = take_one(p, &(struct doc){ d->key, STR_NONE, 0 });
                cluster__doc_unref(d);
        }
        free(sorted);
        return e;
}

static struct err *prepare(struct cluster *c, uint64_t index, bool whole, const struct doc *docs, size_t n,
                           struct prepared *p)
{
        TRY(cluster__docs_clone(&c->table, &p->table));
        TRY(cluster__state_clone(&c->state, &p->state));
        if (whole)
                TRY(drop_others(p, docs, n));
        for (size_t i = 0; i < n; i++)
                TRY(take_one(p, &docs[i]));
        if (!p->state.uuid[0] || !p->state.config)
                return err_new(ERR_MALFORMED, "the state lacks its document \"%s\"",
                               p->state.uuid[0] ? "config" : "cluster");
        p->index = index;
        p->snapshot = cluster__snapshot_new(c, &p->state, c->current ? c->current->seq + 1 : 1, index);
        return p->snapshot ? NULL : err_static(ERR_NO_MEMORY);
}

struct err *cluster__prepare(struct cluster *c, uint64_t index, bool whole, const struct doc *docs, size_t n,
                             struct prepared *ret)
{
        mutex_assert_held(&c->publish);
        struct prepared p = { .index = 0 };
        struct err *e = prepare(c, index, whole, docs, n, &p);
        if (!e && p.state.feature_level > c->feature_level)
                e = err_new(ERR_FORMAT, "the cluster's state has feature level %llu, this program understands %llu",
                            (unsigned long long)p.state.feature_level, (unsigned long long)c->feature_level);
        if (e) {
                cluster__prepared_fini(&p);
                return e;
        }
        *ret = p;
        return NULL;
}

struct err *cluster__prepare_local(struct cluster *c, struct state *s, struct prepared *ret)
{
        mutex_assert_held(&c->publish);
        struct prepared p = { .state = *s, .index = c->index };
        memset(s, 0, sizeof(*s));
        struct err *e = cluster__docs_clone(&c->table, &p.table);
        if (!e) {
                p.snapshot = cluster__snapshot_new(c, &p.state, c->current->seq + 1, c->index);
                e = p.snapshot ? NULL : err_static(ERR_NO_MEMORY);
        }
        if (e) {
                cluster__prepared_fini(&p);
                return e;
        }
        *ret = p;
        return NULL;
}

/* ---- publishing ---- */

void cluster__news(struct cluster *c)
{
        mutex_lock(&c->wait);
        cond_broadcast(&c->news);
        mutex_unlock(&c->wait);
}

void cluster__publish(struct cluster *c, struct prepared *p)
{
        mutex_assert_held(&c->publish);
        cluster__docs_fini(&c->table);
        cluster__state_fini(&c->state);
        c->table = p->table;
        c->state = p->state;
        c->index = p->index;
        struct snapshot *after = p->snapshot;
        memset(p, 0, sizeof(*p));
        mutex_lock(&c->pin);
        struct snapshot *before = c->current;
        c->current = after;
        atomic_store_explicit(&c->seq, after->seq, memory_order_release);
        mutex_unlock(&c->pin);
        /* Only who holds `publish` replaces `after`, so it lives as long as we need it. */
        for (unsigned i = 0; before && i < c->watch_count; i++)
                c->watches[i].fn(c->watches[i].arg, before, after);
        cluster_unpin(before);
        mutex_lock(&c->wait);
        c->published = c->index;
        atomic_store(&c->published_epoch, after->placement.epoch);
        cond_broadcast(&c->news);
        mutex_unlock(&c->wait);
}

struct err *cluster__wait_index(struct cluster *c, uint64_t index, int64_t deadline_mono_ns)
{
        LOCK_SCOPE(&c->wait);
        while (c->published < index)
                if (cluster__many_ends(c) || !cond_wait_until(&c->news, &c->wait, deadline_mono_ns))
                        return err_new(ERR_UNAVAILABLE, "command %llu has not arrived here in time",
                                       (unsigned long long)index);
        return NULL;
}

/* ---- waiting for a state ---- */

static struct err *wait_for(struct cluster *c, bool (*here)(struct cluster *c, const struct snapshot *s, uint64_t n),
                            uint64_t n, int64_t deadline_mono_ns, const char *what)
{
        ASSERT_MAY_BLOCK();
        for (;;) {
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
                if (here(c, s, n))
                        return NULL;
                LOCK_SCOPE(&c->wait);
                /* Published, or opened, between the look and the lock: look again. */
                if (atomic_load(&c->seq) != s->seq || here(c, s, n))
                        continue;
                if (cluster__many_ends(c) || !cond_wait_until(&c->news, &c->wait, deadline_mono_ns))
                        return err_new(ERR_UNAVAILABLE, "%s %llu is not here yet", what, (unsigned long long)n);
        }
}

static bool epoch_is_open(struct cluster *c, const struct snapshot *s, uint64_t epoch)
{
        return s->placement.epoch >= epoch && cluster_open_epoch(c) >= epoch;
}

static bool smap_is_here(struct cluster *c, const struct snapshot *s, uint64_t version)
{
        (void)c;
        return s->smap_version >= version;
}

struct err *cluster_wait_open(struct cluster *c, uint64_t epoch, int64_t deadline_mono_ns)
{
        return wait_for(c, epoch_is_open, epoch, deadline_mono_ns, "an open epoch");
}

struct err *cluster_wait_smap(struct cluster *c, uint64_t smap_version, int64_t deadline_mono_ns)
{
        return wait_for(c, smap_is_here, smap_version, deadline_mono_ns, "the cluster map of version");
}
