/* store/cache.c: a hash table in shards, each with its lock, its clock hand and its part of the bounds. See cache.h for
 * what makes it coherent. */
#include "store/cache.h"

#define SHARDS 16u
#define SLOTS 512u /* change counters per shard */
#define BUCKETS_MIN 64u

struct slot {
        uint32_t generation; /* grows when a change begins and when it ends */
        uint32_t changing;   /* changes in progress */
};
struct shard {
        struct mutex lock;
        struct content **buckets;
        size_t nbuckets; /* power of two */
        struct list clock; /* the hand is its head: the next to be looked at comes first */
        size_t bytes, entries;
        unsigned files;
        uint64_t hits, misses;
        struct slot slots[SLOTS];
};
struct cache {
        size_t max_bytes; /* per shard */
        unsigned max_files;
        struct shard shards[SHARDS];
};

static struct shard *shard_of(struct cache *c, uint64_t digest)
{
        return &c->shards[digest >> 60];
}

static struct slot *slot_of(struct shard *sh, uint64_t digest)
{
        return &sh->slots[(digest >> 40) % SLOTS];
}

struct err *cache_new(size_t bytes, unsigned files, struct cache **ret)
{
        struct cache *c = calloc(1, sizeof *c);
        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->max_bytes = MAX(bytes / SHARDS, 1);
        c->max_files = MAX(files / SHARDS, 1);
        bool ok = true;
        for (unsigned i = 0; i < SHARDS; i++) {
                struct shard *sh = &c->shards[i];
                mutex_init(&sh->lock, "cache", RANK_STORE_CACHE);
                list_init(&sh->clock);
                sh->buckets = calloc(BUCKETS_MIN, sizeof *sh->buckets);
                sh->nbuckets = sh->buckets ? BUCKETS_MIN : 0;
                ok = ok && sh->buckets;
        }
        if (!ok) {
                cache_free(c);
                return err_static(ERR_NO_MEMORY);
        }
        *ret = c;
        return NULL;
}

void cache_free(struct cache *c)
{
        if (!c)
                return;
        cache_drop_all(c);
        for (unsigned i = 0; i < SHARDS; i++) {
                free(c->shards[i].buckets);
                mutex_fini(&c->shards[i].lock);
        }
        free(c);
}

static struct content **find_locked(struct shard *sh, const struct obj_key *key, uint64_t digest)
{
        struct content **pp = &sh->buckets[digest & (sh->nbuckets - 1)];
        while (*pp && ((*pp)->digest != digest || (*pp)->key.bid != key->bid || !str_eq((*pp)->key.name, key->name)))
                pp = &(*pp)->hash_next;
        return pp;
}

/* Takes x out; the cache's reference passes to the caller's list. */
static void remove_locked(struct shard *sh, struct content **pp, struct content **dropped)
{
        struct content *x = *pp;
        *pp = x->hash_next;
        list_remove(&x->clock);
        x->cached = false;
        sh->bytes -= x->cost;
        sh->files -= x->nslots;
        sh->entries--;
        x->hash_next = *dropped;
        *dropped = x;
}

/* Gives the references of removed contents back, outside of the lock. */
static void release(struct content *dropped)
{
        while (dropped) {
                struct content *x = dropped;
                dropped = x->hash_next;
                content__save_atime(x);
                content_unref(x);
        }
}

static void evict_locked(struct cache *c, struct shard *sh, struct content **dropped)
{
        /* Each content is looked at no more than twice: the first look takes its mark. */
        for (size_t looks = 2 * sh->entries; looks && (sh->bytes > c->max_bytes || sh->files > c->max_files); looks--) {
                struct content *x = LIST_ENTRY(sh->clock.next, struct content, clock);
                if (atomic_exchange_explicit(&x->hot, false, memory_order_relaxed)) {
                        list_remove(&x->clock);
                        list_append(&sh->clock, &x->clock);
                } else
                        remove_locked(sh, find_locked(sh, &x->key, x->digest), dropped);
        }
}

static void grow_locked(struct shard *sh)
{
        size_t n = sh->nbuckets * 2;
        struct content **buckets = calloc(n, sizeof *buckets);
        if (!buckets)
                return; /* Longer chains are slow, not wrong. */
        for (size_t i = 0; i < sh->nbuckets; i++)
                for (struct content *x = sh->buckets[i], *next; x; x = next) {
                        next = x->hash_next;
                        x->hash_next = buckets[x->digest & (n - 1)];
                        buckets[x->digest & (n - 1)] = x;
                }
        free(sh->buckets);
        sh->buckets = buckets;
        sh->nbuckets = n;
}

struct content *cache_get(struct cache *c, const struct obj_key *key, uint64_t digest, bool wait)
{
        struct shard *sh = shard_of(c, digest);
        if (wait)
                mutex_lock(&sh->lock);
        else if (!mutex_trylock(&sh->lock) && !mutex_trylock(&sh->lock))
                return NULL;
        struct content *x = *find_locked(sh, key, digest);
        if (x) {
                atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
                atomic_store_explicit(&x->hot, true, memory_order_relaxed);
                sh->hits++;
        } else
                sh->misses++;
        mutex_unlock(&sh->lock);
        return x;
}

struct content *cache_peek(struct cache *c, const struct obj_key *key, uint64_t digest)
{
        struct shard *sh = shard_of(c, digest);
        LOCK_SCOPE(&sh->lock);
        struct content *x = *find_locked(sh, key, digest);
        return x ? content_ref(x) : NULL;
}

uint64_t cache_ticket(struct cache *c, uint64_t digest)
{
        struct shard *sh = shard_of(c, digest);
        LOCK_SCOPE(&sh->lock);
        struct slot *slot = slot_of(sh, digest);
        return slot->changing ? 0 : (uint64_t)slot->generation + 1;
}

void cache_insert(struct cache *c, struct content *x, uint64_t ticket)
{
        struct shard *sh = shard_of(c, x->digest);
        struct content *dropped = NULL;
        mutex_lock(&sh->lock);
        struct slot *slot = slot_of(sh, x->digest);
        struct content **pp = find_locked(sh, &x->key, x->digest);
        if (!slot->changing && ticket == (uint64_t)slot->generation + 1 && x->cost <= c->max_bytes &&
            x->nslots <= c->max_files) {
                if (*pp) /* Another reader loaded the same. */
                        remove_locked(sh, pp, &dropped);
                if (sh->entries >= sh->nbuckets)
                        grow_locked(sh);
                struct content **head = &sh->buckets[x->digest & (sh->nbuckets - 1)];
                x->hash_next = *head;
                *head = x;
                list_append(&sh->clock, &x->clock);
                x->cached = true;
                atomic_fetch_add_explicit(&x->refs, 1, memory_order_relaxed);
                sh->bytes += x->cost;
                sh->files += x->nslots;
                sh->entries++;
                evict_locked(c, sh, &dropped);
        }
        mutex_unlock(&sh->lock);
        release(dropped);
}

void cache_change_begin(struct cache *c, const struct obj_key *key, uint64_t digest)
{
        struct shard *sh = shard_of(c, digest);
        struct content *dropped = NULL;
        mutex_lock(&sh->lock);
        struct slot *slot = slot_of(sh, digest);
        slot->generation++;
        slot->changing++;
        struct content **pp = find_locked(sh, key, digest);
        if (*pp)
                remove_locked(sh, pp, &dropped);
        mutex_unlock(&sh->lock);
        if (dropped)
                content_unref(dropped); /* Its time of access goes with the record. */
}

void cache_change_end(struct cache *c, uint64_t digest)
{
        struct shard *sh = shard_of(c, digest);
        LOCK_SCOPE(&sh->lock);
        struct slot *slot = slot_of(sh, digest);
        ASSERT(slot->changing);
        slot->generation++;
        slot->changing--;
}

void cache_drop(struct cache *c, bool (*which)(void *arg, const struct content *x), void *arg)
{
        for (unsigned i = 0; i < SHARDS; i++) {
                struct shard *sh = &c->shards[i];
                struct content *dropped = NULL;
                mutex_lock(&sh->lock);
                for (unsigned j = 0; j < SLOTS; j++)
                        sh->slots[j].generation++;
                for (size_t j = 0; j < sh->nbuckets; j++)
                        for (struct content **pp = &sh->buckets[j]; *pp;)
                                if (which(arg, *pp))
                                        remove_locked(sh, pp, &dropped);
                                else
                                        pp = &(*pp)->hash_next;
                mutex_unlock(&sh->lock);
                release(dropped);
        }
}

static bool any(void *arg, const struct content *x)
{
        (void)arg;
        (void)x;
        return true;
}

void cache_drop_all(struct cache *c)
{
        cache_drop(c, any, NULL);
}

void cache_drop_content(struct cache *c, struct content *x)
{
        struct shard *sh = shard_of(c, x->digest);
        struct content *dropped = NULL;
        mutex_lock(&sh->lock);
        if (x->cached)
                remove_locked(sh, find_locked(sh, &x->key, x->digest), &dropped);
        mutex_unlock(&sh->lock);
        if (dropped)
                content_unref(dropped);
}

void cache_stats(struct cache *c, struct store_stats *ret)
{
        for (unsigned i = 0; i < SHARDS; i++) {
                struct shard *sh = &c->shards[i];
                LOCK_SCOPE(&sh->lock);
                ret->cache_bytes += sh->bytes;
                ret->cache_entries += sh->entries;
                ret->cache_files += sh->files;
                ret->cache_hits += sh->hits;
                ret->cache_misses += sh->misses;
        }
}
