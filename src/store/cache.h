/* store/cache.h (inside store): contents that readers share, found by key; bounded by memory and descriptors.
 *
 * Coherence: a commit thread calls cache_change_begin for a key before it writes the key's record and cache_change_end
 * after; between them nothing of that key is in the cache. A reader takes a ticket before it loads a record and hands
 * it over with the content: the content is cached only if no change of that key (or of one that shares its slot) began
 * or ended since. So what the cache holds is the newest committed record, and once a change was acknowledged nobody
 * gets an older one.
 *
 * Threads: any, loops too; a short lock per shard. */
#ifndef ORLOP_STORE_CACHE_H
#define ORLOP_STORE_CACHE_H

#include "store/priv.h"

#define CONTENT_GROUP (1u << 20) /* bytes per bit of what is verified */

/* One content file of a content. */
struct content_slot {
        struct content_id id;
        uint64_t offset, size; /* within the object */
        uint64_t group;        /* number of its first group */
        _Atomic(struct content_file *) file; /* opened when first needed, under content.lock; closed with the content */
};
/* One version of one object. Immutable but for what says otherwise. */
struct content {
        _Atomic unsigned refs;
        struct store *store;
        struct mountpath *mp;
        uint64_t digest;
        struct obj_key key;
        struct obj_meta meta;
        struct record record;
        char *text;      /* key, custom pairs, chunks */
        char *mem;       /* the bytes, when small; else null */
        struct buf rendered;
        unsigned nslots;
        struct content_slot *slots;
        struct mutex lock; /* opening and verifying; RANK_LEAF */
        uint64_t ngroups;
        _Atomic uint64_t *verified;       /* a bit per group */
        _Atomic uint64_t verified_groups; /* how many are set */
        _Atomic int64_t verified_ns;      /* monotonic: when the first of them was verified */
        _Atomic int64_t atime_ns;
        size_t cost;     /* bytes, for the cache */
        /* guarded by the shard's lock */
        struct content *hash_next;
        struct list clock;
        bool cached;
        _Atomic bool hot; /* read since the hand passed */
        struct list close_link; /* background's */
};

/* bytes and files bound what it holds. */
MUST_CHECK struct err *cache_new(size_t bytes, unsigned files, struct cache **ret);
/* Drops everything. Null is fine. */
void cache_free(struct cache *c);
/* A reference to the content of a key, or null. wait false: null too when the shard is busy. */
struct content *cache_get(struct cache *c, const struct obj_key *key, uint64_t digest, bool wait);
/* As cache_get for the commit thread: neither counted nor a reason to keep it. */
struct content *cache_peek(struct cache *c, const struct obj_key *key, uint64_t digest);
/* What cache_insert wants, taken before the record is loaded. */
uint64_t cache_ticket(struct cache *c, uint64_t digest);
/* Caches a content (with a reference of its own) unless its key changed since the ticket. */
void cache_insert(struct cache *c, struct content *x, uint64_t ticket);
/* A change of this key begins: what was cached is dropped. */
void cache_change_begin(struct cache *c, const struct obj_key *key, uint64_t digest);
/* The change ended, whatever its outcome. */
void cache_change_end(struct cache *c, uint64_t digest);
/* Drops the contents that `which` wants; none that is being loaded meanwhile gets in. */
void cache_drop(struct cache *c, bool (*which)(void *arg, const struct content *x), void *arg);
/* Drops all. */
void cache_drop_all(struct cache *c);
/* Drops one content, if it still is the cached one (found corrupt). */
void cache_drop_content(struct cache *c, struct content *x);
/* Numbers. */
void cache_stats(struct cache *c, struct store_stats *ret);

/* content_handle.c: makes a content of a record; strings are copied, small bytes too. */
MUST_CHECK struct err *content__new(struct store *s, struct mountpath *mp, const struct obj_key *key, uint64_t digest,
                                    const struct record *r, struct str small, struct content **ret);
/* Frees it, closing descriptors: not on a loop. */
void content__free(struct content *c);
/* Opens a slot's file, within the bound of all: BUSY. The content's mountpath is held. */
MUST_CHECK struct err *content__open_slot(struct content *c, struct content_slot *s, struct content_file **ret);
/* Whether all of it is in memory, or verified and not expired. */
bool content__ready(const struct content *c);
/* Writes the time of the last read to the record if it is much newer than what is stored. Never blocks. */
void content__save_atime(struct content *c);

#endif
