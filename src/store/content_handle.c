/* store/content_handle.c: one version of one object, as readers hold it: its metadata, its bytes or its files, and what
 * of them has been verified.
 *
 * Files are opened when they are first needed (an object of 10,000 chunks costs one descriptor at first) and verified
 * by groups of 1 MiB; a group counts as verified until the expiry, counted from the first. Bytes in memory were
 * verified when they were read and do not expire. A content that proves corrupt leaves the cache. */
#include "store/cache.h"

#include <stdio.h>

static int64_t expiry_ns(const struct content *c)
{
        return c->store->o.verify_expiry_ns;
}

static struct err *make_slots(struct content *c, const struct record *r)
{
        if (r->where != RECORD_FILE && r->where != RECORD_CHUNKS)
                return NULL;
        c->nslots = r->where == RECORD_FILE ? 1 : r->nchunks;
        c->slots = calloc(c->nslots, sizeof *c->slots);
        if (!c->slots)
                return err_static(ERR_NO_MEMORY);
        struct str rest = r->chunks;
        uint64_t offset = 0;
        for (unsigned i = 0; i < c->nslots; i++) {
                struct record_chunk chunk = { r->id, r->size };
                if (r->where == RECORD_CHUNKS && !record_chunk_next(&rest, &chunk))
                        return err_new(ERR_CORRUPT, "record: chunks");
                c->slots[i].id = chunk.id;
                c->slots[i].offset = offset;
                c->slots[i].size = chunk.size;
                c->slots[i].group = c->ngroups;
                offset += chunk.size;
                c->ngroups += (chunk.size + CONTENT_GROUP - 1) / CONTENT_GROUP;
        }
        c->verified = calloc((c->ngroups + 63) / 64 + 1, sizeof *c->verified);
        return c->verified ? NULL : err_static(ERR_NO_MEMORY);
}

static struct err *copy_texts(struct content *c, const struct obj_key *key, const struct record *r)
{
        size_t n = key->name.n + r->custom.n + r->chunks.n;
        char *p = c->text = malloc(n + 1);
        if (!p)
                return err_static(ERR_NO_MEMORY);
        c->key = (struct obj_key){ key->bid, { p, key->name.n } };
        memcpy(p, key->name.p, key->name.n);
        p += key->name.n;
        if (r->custom.n)
                memcpy(p, r->custom.p, r->custom.n);
        c->record.custom = (struct str){ p, r->custom.n };
        p += r->custom.n;
        if (r->chunks.n)
                memcpy(p, r->chunks.p, r->chunks.n);
        c->record.chunks = (struct str){ p, r->chunks.n };
        return NULL;
}

void store__meta_of(const struct record *r, const struct mountpath *mp, struct obj_meta *ret)
{
        *ret = (struct obj_meta){ .stamp = r->stamp,
                                  .version = r->version,
                                  .size = r->size,
                                  .mtime_ns = r->mtime_ns,
                                  .atime_ns = r->atime_ns,
                                  .cksum_type = r->cksum_type,
                                  .cksum = str_of(r->cksum),
                                  .custom = r->custom,
                                  .chunks = r->where == RECORD_CHUNKS ? r->nchunks : 0,
                                  .max_chunk_size = r->max_chunk_size,
                                  .mountpath = mp->index,
                                  .copies = 1,
                                  .epoch = r->epoch,
                                  .tombstone = r->tombstone,
                                  .moved = r->moved };
}

struct err *content__new(struct store *s, struct mountpath *mp, const struct obj_key *key, uint64_t digest,
                         const struct record *r, struct str small, struct content **ret)
{
        struct content *c = calloc(1, sizeof *c);
        if (!c)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&c->lock, "content", RANK_LEAF);
        list_init(&c->clock);
        c->refs = 1;
        c->store = s;
        c->mp = mp;
        c->digest = digest;
        c->record = *r;
        c->atime_ns = r->atime_ns;
        struct err *e = copy_texts(c, key, r);
        if (!e)
                e = make_slots(c, r);
        if (!e && (r->where == RECORD_SMALL || r->where == RECORD_EMPTY)) {
                c->mem = malloc(small.n + 1);
                if (!c->mem)
                        e = err_static(ERR_NO_MEMORY);
                else if (small.n)
                        memcpy(c->mem, small.p, small.n);
        }
        if (e) {
                content__free(c);
                return e;
        }
        store__meta_of(&c->record, mp, &c->meta);
        if (s->o.render)
                s->o.render(&c->key, &c->meta, &c->rendered);
        c->cost = sizeof *c + key->name.n + r->custom.n + r->chunks.n + c->rendered.cap + (c->mem ? small.n : 0) +
                  c->nslots * sizeof *c->slots + c->ngroups / 8 + r->size / CONTENT_BLOCK * 4 * (c->nslots > 0);
        *ret = c;
        return NULL;
}

void content__free(struct content *c)
{
        for (unsigned i = 0; i < c->nslots && c->slots; i++) {
                struct content_file *f = atomic_load(&c->slots[i].file);
                if (f)
                        atomic_fetch_sub(&c->store->content_files, 1);
                content_file_close(f);
        }
        mutex_fini(&c->lock);
        buf_fini(&c->rendered);
        free(c->slots);
        free((void *)c->verified);
        free(c->mem);
        free(c->text);
        free(c);
}

struct content *content_ref(struct content *c)
{
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        return c;
}

void content_unref(struct content *c)
{
        if (atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
                return;
        if (c->nslots)
                store__close_later(c);
        else
                content__free(c);
}

void content_release(void *content)
{
        content_unref(content);
}

const struct obj_meta *content_meta(const struct content *c)
{
        return &c->meta;
}

struct str content_rendered(const struct content *c)
{
        return buf_str(&c->rendered);
}

struct str content_mem(const struct content *c)
{
        return c->mem ? (struct str){ c->mem, c->record.size } : STR_NONE;
}

void content_touch(struct content *c)
{
        atomic_store_explicit(&c->atime_ns, clock_wall_ns(), memory_order_relaxed);
}

static bool expired(const struct content *c)
{
        return clock_mono_coarse_ns() - atomic_load_explicit(&c->verified_ns, memory_order_relaxed) > expiry_ns(c);
}

static bool group_verified(const struct content *c, uint64_t g)
{
        return atomic_load_explicit(&c->verified[g / 64], memory_order_acquire) >> g % 64 & 1;
}

bool content__ready(const struct content *c)
{
        return c->mem || (atomic_load_explicit(&c->verified_groups, memory_order_acquire) == c->ngroups && !expired(c));
}

/* The first slot that reaches beyond offset. */
static unsigned slot_at(const struct content *c, uint64_t offset)
{
        unsigned lo = 0, hi = c->nslots;
        while (lo < hi) {
                unsigned mid = lo + (hi - lo) / 2;
                if (c->slots[mid].offset + c->slots[mid].size <= offset)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

bool content_range_ready(const struct content *c, uint64_t offset, uint64_t length)
{
        if (c->mem)
                return true;
        if (expired(c))
                return false;
        if (atomic_load_explicit(&c->verified_groups, memory_order_acquire) == c->ngroups)
                return true;
        for (unsigned i = slot_at(c, offset); i < c->nslots && c->slots[i].offset < offset + length; i++) {
                const struct content_slot *s = &c->slots[i];
                uint64_t from = MAX(offset, s->offset) - s->offset,
                         to = MIN(offset + length, s->offset + s->size) - s->offset;
                for (uint64_t g = from / CONTENT_GROUP; g * CONTENT_GROUP < to; g++)
                        if (!group_verified(c, s->group + g))
                                return false;
        }
        return true;
}

struct err *content__open_slot(struct content *c, struct content_slot *s, struct content_file **ret)
{
        struct store *st = c->store;
        struct err *e = NULL;
        if (atomic_fetch_add(&st->content_files, 1) >= st->content_files_max)
                e = err_new(ERR_BUSY, "%u content files are open already", st->content_files_max);
        if (!e)
                e = content_file_open(c->mp->contents, s->id, s->size, ret);
        if (e)
                atomic_fetch_sub(&st->content_files, 1);
        else
                atomic_store(&s->file, *ret);
        return e;
}

static struct err *open_slot_locked(struct content *c, struct content_slot *s, struct content_file **ret)
{
        struct content_file *f = atomic_load(&s->file);
        if (!f) {
                if (!mountpath_enter(c->mp))
                        return err_new(ERR_IO, "mountpath %s is not available", c->mp->path);
                struct err *e = content__open_slot(c, s, &f);
                mountpath_leave(c->mp);
                TRY(e);
        }
        *ret = f;
        return NULL;
}

/* Forgets what was verified too long ago. */
static void expire_locked(struct content *c)
{
        if (!expired(c))
                return;
        atomic_store(&c->verified_groups, 0);
        for (uint64_t i = 0; i * 64 < c->ngroups; i++)
                atomic_store(&c->verified[i], 0);
        atomic_store(&c->verified_ns, clock_mono_coarse_ns());
}

static struct err *verify_locked(struct content *c, uint64_t offset, uint64_t length)
{
        expire_locked(c);
        for (unsigned i = slot_at(c, offset); i < c->nslots && c->slots[i].offset < offset + length; i++) {
                struct content_slot *s = &c->slots[i];
                struct content_file *f;
                TRY(open_slot_locked(c, s, &f));
                uint64_t from = MAX(offset, s->offset) - s->offset,
                         to = MIN(offset + length, s->offset + s->size) - s->offset;
                for (uint64_t g = from / CONTENT_GROUP; g * CONTENT_GROUP < to; g++) {
                        if (group_verified(c, s->group + g))
                                continue;
                        uint64_t start = g * CONTENT_GROUP, n = MIN(CONTENT_GROUP, s->size - start);
                        TRY(content_file_verify(f, start, n));
                        atomic_fetch_add(&c->store->stat_verify_bytes, n);
                        atomic_fetch_or(&c->verified[(s->group + g) / 64], UINT64_C(1) << (s->group + g) % 64);
                        atomic_fetch_add(&c->verified_groups, 1);
                }
        }
        return NULL;
}

/* What a failed read of a content means for the store. */
static struct err *judge(struct content *c, struct err *e)
{
        if (!e)
                return NULL;
        enum err_code code = err_code(e);
        if (code == ERR_NOT_FOUND)
                code = ERR_CORRUPT; /* the record says that it is there */
        if (code == ERR_CORRUPT) {
                atomic_fetch_add(&c->store->stat_corrupt, 1);
                cache_drop_content(c->store->cache, c);
        } else if (code == ERR_IO)
                atomic_fetch_add(&c->store->stat_io_errors, 1);
        return err_recode(e, code, "object " STR_FMT " on %s", STR_ARG(c->key.name), c->mp->path);
}

static struct err *check_range(const struct content *c, uint64_t offset, uint64_t length)
{
        if (offset > c->record.size || length > c->record.size - offset)
                return err_new(ERR_RANGE, "bytes %llu+%llu of %llu", (unsigned long long)offset,
                               (unsigned long long)length, (unsigned long long)c->record.size);
        return NULL;
}

struct err *content_verify(struct content *c, uint64_t offset, uint64_t length)
{
        TRY(check_range(c, offset, length));
        if (content_range_ready(c, offset, length))
                return NULL;
        mutex_lock(&c->lock);
        struct err *e = verify_locked(c, offset, length);
        mutex_unlock(&c->lock);
        return judge(c, e);
}

struct err *content_parts(struct content *c, uint64_t offset, uint64_t length, struct arena *a,
                          const struct content_part **ret, unsigned *ret_n)
{
        if (c->mem)
                return err_new(ERR_INTERNAL, "a content in memory has no parts");
        TRY(content_verify(c, offset, length));
        unsigned first = slot_at(c, offset), end = first, n = 0;
        while (end < c->nslots && c->slots[end].offset < offset + length)
                end++;
        struct content_part *parts = arena_alloc(a, (end - first) * sizeof *parts);
        if (!parts)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = first; i < end; i++) {
                struct content_slot *s = &c->slots[i];
                struct content_file *f = atomic_load(&s->file);
                uint64_t from = MAX(offset, s->offset), to = MIN(offset + length, s->offset + s->size);
                if (from == to)
                        continue; /* an empty chunk: nothing was verified, so it may not be open */
                ASSERT(f); /* verified, hence open */
                parts[n++] =
                        (struct content_part){ content_file_fd(f), (int64_t)(from - s->offset), (int64_t)(to - from) };
        }
        *ret = parts;
        *ret_n = n;
        return NULL;
}

static struct err *read_slots(struct content *c, uint64_t offset, char *p, size_t n)
{
        for (unsigned i = slot_at(c, offset); n; i++) {
                struct content_slot *s = &c->slots[i];
                struct content_file *f = atomic_load(&s->file);
                if (!f) {
                        mutex_lock(&c->lock);
                        struct err *e = open_slot_locked(c, s, &f);
                        mutex_unlock(&c->lock);
                        TRY(e);
                }
                size_t part = (size_t)MIN((uint64_t)n, s->offset + s->size - offset);
                TRY(content_file_read(f, offset - s->offset, p, part));
                offset += part;
                p += part;
                n -= part;
        }
        return NULL;
}

struct err *content_read(struct content *c, uint64_t offset, void *p, size_t n)
{
        TRY(check_range(c, offset, n));
        if (!c->mem)
                return judge(c, read_slots(c, offset, p, n));
        if (n)
                memcpy(p, c->mem + offset, n);
        return NULL;
}

/* ---- the time of the last read ---- */

#define ATIME_LAZY_NS (10 * 60 * NS_PER_SEC) /* differences below it are not worth a write */

struct atime_op {
        struct commit_op op;
        struct obj_cond cond;
        char name[];
};

static void atime_done(struct commit_op *op)
{
        err_free(op->err); /* A lost time of access harms nobody. */
        free(CONTAINER_OF(op, struct atime_op, op));
}

void content__save_atime(struct content *c)
{
        int64_t atime = atomic_load_explicit(&c->atime_ns, memory_order_relaxed);
        if (atime - c->record.atime_ns < ATIME_LAZY_NS || atomic_load(&c->mp->state) != MOUNTPATH_ACTIVE)
                return;
        struct atime_op *a = calloc(1, sizeof *a + c->key.name.n);
        if (!a)
                return;
        memcpy(a->name, c->key.name.p, c->key.name.n);
        a->cond = (struct obj_cond){ .kind = COND_STAMP, .stamp = c->record.stamp };
        a->op = (struct commit_op){ .kind = COMMIT_ATIME,
                                    .fast = true,
                                    .key = { c->key.bid, { a->name, c->key.name.n } },
                                    .cond = &a->cond,
                                    .atime_ns = atime,
                                    .done = atime_done };
        bool taken = mountpath_enter(c->mp);
        if (taken) {
                taken = store__commit_async(c->mp, &a->op);
                mountpath_leave(c->mp);
        }
        if (!taken)
                free(a);
}
