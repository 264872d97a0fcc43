/* store/entry.c: a key as a batch sees it: what is stored, then what the changes of the batch made of it; and the
 * additions to the batch. The commit thread's alone.
 *
 * An entry is loaded from the cache of contents or the records when it is first needed, then changed by each decision,
 * so that later changes of the same batch see the earlier ones.
 *
 * Mixed sets: the newest record of a key may lie on another mountpath. It counts as the old record here; the new one
 * gets a larger stamp and therefore wins at once, and the other copy is removed afterwards (commit.c). A delete leaves a
 * tombstone then, so that a crash before that removal brings nothing back. */
#include "store/commit_priv.h"

struct err *decide_begin(struct committer *c, unsigned n)
{
        unsigned size = 16;
        while (size < 4 * n)
                size *= 2;
        if (size > c->table_size) {
                struct entry **t = realloc(c->table, size * sizeof(struct entry *));
                struct entry **l = t ? realloc(c->list, size * sizeof(struct entry *)) : NULL;
                if (t)
                        c->table = t;
                if (!l)
                        return err_static(ERR_NO_MEMORY);
                c->list = l;
                c->table_size = size;
        }
        memset(c->table, 0, c->table_size * sizeof *c->table);
        c->entries = 0;
        c->stamped = false;
        return NULL;
}

void decide_end(struct committer *c)
{
        for (unsigned i = 0; i < c->entries; i++)
                if (c->list[i]->touched)
                        cache_change_end(c->mp->store->cache, c->list[i]->digest);
        c->entries = 0;
}

struct err *entry_keep_texts(struct committer *c, struct record *r)
{
        const char *custom = arena_dup(&c->arena, r->custom.p ? r->custom.p : "", r->custom.n);
        const char *chunks = arena_dup(&c->arena, r->chunks.p ? r->chunks.p : "", r->chunks.n);
        if (!custom || !chunks)
                return err_static(ERR_NO_MEMORY);
        r->custom.p = custom;
        r->chunks.p = chunks;
        return NULL;
}

/* The record of a key in one database. A record that can not be understood may be replaced or deleted, since it can not
 * be read either: absent. */
static struct err *load_from(struct committer *c, struct mountpath *mp, struct str k, bool *ret_present,
                             struct record *ret)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct err *e = records_get(mp->records, RECORDS_OBJECTS, k, &v);
        if (err_code(e) == ERR_NOT_FOUND) {
                *ret_present = false;
                return NULL;
        }
        TRY(e);
        e = record_decode(k, v.data, ret);
        if (err_code(e) == ERR_CORRUPT) {
                log_err(LOG_ERROR, LOG_FOLDER, e, "%s: a corrupt record is being replaced", mp->path);
                *ret_present = false;
                return NULL;
        }
        TRY(e);
        *ret_present = true;
        return entry_keep_texts(c, ret);
}

/* A newer record on another mountpath of a mixed set is the entry's. */
static struct err *load_elsewhere(struct committer *c, struct entry *en, const struct mp_set *set)
{
        for (unsigned i = 0; i < set->nall; i++) {
                struct record r;
                bool present;
                if (set->mp[i] == c->mp)
                        continue;
                TRY(load_from(c, set->mp[i], en->k, &present, &r));
                if (present && (!en->present || record_cmp(&r, &en->record) > 0)) {
                        en->present = true;
                        en->record = r;
                        en->other = set->mp[i];
                }
        }
        en->everywhere = true;
        return NULL;
}

/* set null: only what lies here counts. */
static struct err *load(struct committer *c, struct entry *en, const struct mp_set *set)
{
        struct content *x = set ? cache_peek(c->mp->store->cache, &en->key, en->digest) : NULL;
        if (x) {
                en->present = true;
                en->record = x->record;
                en->other = x->mp == c->mp ? NULL : x->mp;
                en->everywhere = true;
                struct err *e = entry_keep_texts(c, &en->record);
                content_unref(x);
                return e;
        }
        TRY(load_from(c, c->mp, en->k, &en->present, &en->record));
        return set && set->mixed ? load_elsewhere(c, en, set) : NULL;
}

struct err *entry_get(struct committer *c, const struct obj_key *key, const struct mp_set *set, struct entry **ret)
{
        uint64_t digest = obj_key_digest(key);
        unsigned at = (unsigned)digest & (c->table_size - 1);
        for (; c->table[at]; at = (at + 1) & (c->table_size - 1)) {
                struct entry *en = c->table[at];
                if (en->digest == digest && en->key.bid == key->bid && str_eq(en->key.name, key->name)) {
                        if (set && set->mixed && !en->everywhere) /* an earlier change of the batch cared for less */
                                TRY(load_elsewhere(c, en, set));
                        *ret = en;
                        return NULL;
                }
        }
        struct entry *en = arena_new(&c->arena, struct entry);
        char *kb = arena_alloc(&c->arena, 8 + key->name.n);
        if (!en || !kb)
                return err_static(ERR_NO_MEMORY);
        en->key = *key;
        en->digest = digest;
        TRY(record_key(key, kb, &en->k));
        TRY(load(c, en, set));
        c->table[at] = en;
        c->list[c->entries++] = en;
        *ret = en;
        return NULL;
}

bool entry_alive(const struct entry *en)
{
        return en->present && record_alive(&en->record);
}

/* ---- additions to the batch ---- */

static void touch(struct committer *c, struct entry *en)
{
        if (en->touched)
                return;
        en->touched = true;
        cache_change_begin(c->mp->store->cache, &en->key, en->digest);
}

static void add_garbage(struct committer *c, struct content_id id)
{
        if (c->ngarbage == c->garbage_cap) {
                size_t cap = c->garbage_cap ? 2 * c->garbage_cap : 64;
                struct garbage *g = realloc(c->garbage, cap * sizeof *g);
                if (!g)
                        return; /* cleanup finds it */
                c->garbage = g;
                c->garbage_cap = cap;
        }
        c->garbage[c->ngarbage++].id = id;
}

/* Content files of the entry's record on this mountpath are not needed any more, but for those that `next` names
 * too. */
static void drop_files(struct committer *c, const struct entry *en, const struct record *next)
{
        struct record_chunk chunk;
        struct str rest = en->record.chunks;
        if (!entry_alive(en) || en->other ||
            (next && next->where == en->record.where && content_id_eq(next->id, en->record.id) &&
             str_eq(next->chunks, rest)))
                return;
        if (en->record.where == RECORD_FILE)
                add_garbage(c, en->record.id);
        while (en->record.where == RECORD_CHUNKS && record_chunk_next(&rest, &chunk))
                add_garbage(c, chunk.id);
}

/* Makes `r` the entry's record, here. */
void entry_set(struct committer *c, struct entry *en, const struct record *r, struct str small)
{
        touch(c, en);
        drop_files(c, en, r);
        if (en->other) {
                en->forget = en->other;
                en->forget_stamp = en->record.stamp;
        }
        bool had_small = entry_alive(en) && !en->other && en->record.where == RECORD_SMALL;
        buf_clear(&c->encoded);
        record_encode(en->k, r, &c->encoded);
        ASSERT(!c->encoded.bad);
        records_batch_put(c->batch, c->mp->records, RECORDS_OBJECTS, en->k, buf_str(&c->encoded));
        if (r->where == RECORD_SMALL && small.p) {
                char head[RECORD_SMALL_HEAD];
                record_small_head(en->k, r->id, small, head);
                records_batch_put2(c->batch, c->mp->records, RECORDS_SMALL, en->k, (struct str){ head, sizeof head },
                                   small);
                en->small = small;
        } else if (r->where != RECORD_SMALL && (had_small || en->other)) /* an older record here may have had one too */
                records_batch_delete(c->batch, c->mp->records, RECORDS_SMALL, en->k);
        en->present = true;
        en->record = *r;
        en->other = NULL;
}

void entry_remove(struct committer *c, struct entry *en)
{
        touch(c, en);
        drop_files(c, en, NULL);
        records_batch_delete(c->batch, c->mp->records, RECORDS_OBJECTS, en->k);
        if (entry_alive(en) && en->record.where == RECORD_SMALL)
                records_batch_delete(c->batch, c->mp->records, RECORDS_SMALL, en->k);
        en->present = false;
}

struct stamp entry_stamp(struct committer *c, const struct entry *en)
{
        c->stamped = true;
        if (en->present)
                store__stamp_seen(c->mp->store, en->record.stamp);
        return store__stamp_next(c->mp->store);
}

void entry_observe(struct committer *c, struct stamp stamp)
{
        c->stamped = true;
        store__stamp_seen(c->mp->store, stamp);
}
