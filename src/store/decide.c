/* store/decide.c: what one change does to the records of a mountpath: conditions, numbering, "same content", stamps.
 * Runs on the commit thread alone, in the order of the queue, so that every key is a linearizable register.
 *
 * Each key that a batch touches has one entry: loaded from the cache of contents or the records when it is first
 * needed, then changed by each decision, so that later changes of the same batch see the earlier ones. A decision that
 * fails leaves the batch as it was: all that can fail comes before the first addition to it.
 *
 * Mixed sets: the newest record of a key may lie on another mountpath. It counts as the old record here; the new one
 * gets a larger stamp and therefore wins at once, and the other copy is removed afterwards (commit.c). A delete leaves
 * a tombstone then, so that a crash before that removal brings nothing back. */
#include "store/commit_priv.h"

/* ---- entries ---- */

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

static struct err *copy_record(struct committer *c, struct record *r)
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
        return copy_record(c, ret);
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
                if (present && (!en->present || stamp_cmp(r.stamp, en->record.stamp) > 0)) {
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
                struct err *e = copy_record(c, &en->record);
                content_unref(x);
                return e;
        }
        TRY(load_from(c, c->mp, en->k, &en->present, &en->record));
        return set && set->mixed ? load_elsewhere(c, en, set) : NULL;
}

static struct err *entry_get(struct committer *c, const struct obj_key *key, const struct mp_set *set,
                             struct entry **ret)
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

static bool alive(const struct entry *en)
{
        return en->present && !en->record.tombstone;
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
        if (!alive(en) || en->other ||
            (next && next->where == en->record.where && content_id_eq(next->id, en->record.id) &&
             str_eq(next->chunks, rest)))
                return;
        if (en->record.where == RECORD_FILE)
                add_garbage(c, en->record.id);
        while (en->record.where == RECORD_CHUNKS && record_chunk_next(&rest, &chunk))
                add_garbage(c, chunk.id);
}

/* Makes `r` the entry's record, here. */
static void set_record(struct committer *c, struct entry *en, const struct record *r, struct str small)
{
        touch(c, en);
        drop_files(c, en, r);
        if (en->other) {
                en->forget = en->other;
                en->forget_stamp = en->record.stamp;
        }
        bool had_small = alive(en) && !en->other && en->record.where == RECORD_SMALL;
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

/* Removes the entry's record here; a tombstone takes its place if an older copy may come back. */
static void remove_record(struct committer *c, struct entry *en, bool tombstone, struct stamp stamp, int64_t now)
{
        if (tombstone) {
                struct record t = { .tombstone = true, .stamp = stamp, .mtime_ns = now, .atime_ns = now };
                set_record(c, en, &t, STR_NONE);
                return;
        }
        touch(c, en);
        drop_files(c, en, NULL);
        records_batch_delete(c->batch, c->mp->records, RECORDS_OBJECTS, en->k);
        if (alive(en) && en->record.where == RECORD_SMALL)
                records_batch_delete(c->batch, c->mp->records, RECORDS_SMALL, en->k);
        en->present = false;
}

static void add_rows(struct committer *c, const struct commit_op *op)
{
        for (unsigned i = 0; i < op->nrows; i++) {
                const struct commit_row *r = &op->rows[i];
                if (r->remove)
                        records_batch_delete(c->batch, c->mp->records, r->family, r->key);
                else
                        records_batch_put(c->batch, c->mp->records, r->family, r->key, r->value);
        }
}

static struct stamp next_stamp(struct committer *c)
{
        c->stamped = true;
        return store__stamp_next(c->mp->store);
}

/* ---- conditions ---- */

static struct err *check_cond(const struct entry *en, const struct mp_set *set, const struct obj_cond *cond)
{
        bool here = alive(en), holds = true;
        if (cond->kind != COND_NONE && !en->present && set && set->unopened)
                return store__not_found(set, &en->key); /* not known */
        switch (cond->kind) {
        case COND_NONE:
                break;
        case COND_ABSENT:
                holds = !here;
                break;
        case COND_PRESENT:
                holds = here;
                break;
        case COND_STAMP:
                holds = here && stamp_cmp(en->record.stamp, cond->stamp) == 0;
                break;
        case COND_CKSUM:
                holds = here && str_eq(str_of(en->record.cksum), cond->cksum);
                break;
        case COND_NOT_CKSUM:
                holds = !here || !str_eq(str_of(en->record.cksum), cond->cksum);
                break;
        }
        return holds ? NULL : err_static(ERR_PRECONDITION);
}

static bool same_content(const struct entry *en, const struct put_attrs *a, uint64_t size)
{
        return alive(en) && a->cksum_type != CKSUM_NONE && a->cksum.n && en->record.cksum_type == a->cksum_type &&
               en->record.size == size && str_eq(str_of(en->record.cksum), a->cksum);
}

static void report(struct commit_op *op, const struct record *r, uint64_t old_version, bool noop, bool replaced)
{
        op->result = (struct put_result){ r->stamp, r->version, old_version, r->mtime_ns, r->atime_ns, noop, replaced };
}

/* ---- the kinds ---- */

/* The pairs that the new record has, in the batch's arena. */
static struct err *new_custom(struct committer *c, const struct entry *en, const struct put_attrs *a, struct str *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        record_custom_merge(a->custom_mode == CUSTOM_MERGE && alive(en) ? en->record.custom : STR_NONE, a->custom, &b);
        TRY(buf_err(&b));
        if (b.n > RECORD_CUSTOM_MAX)
                return err_new(ERR_TOO_LARGE, "custom metadata of %zu bytes", b.n);
        char *p = arena_dup(&c->arena, b.p ? b.p : "", b.n);
        if (!p)
                return err_static(ERR_NO_MEMORY);
        *ret = (struct str){ p, b.n };
        return NULL;
}

static struct err *decide_put(struct committer *c, struct commit_op *op)
{
        const struct put_attrs *a = op->attrs;
        struct entry *en;
        struct str custom;
        TRY(entry_get(c, &op->key, op->set, &en));
        TRY(check_cond(en, op->set, &a->cond));
        bool replaced = alive(en);
        uint64_t old_version = replaced ? en->record.version : 0;
        if (a->same_is_noop && same_content(en, a, op->size)) {
                report(op, &en->record, old_version, true, false);
                return NULL;
        }
        TRY(new_custom(c, en, a, &custom));
        const char *chunks = arena_dup(&c->arena, op->chunks.p ? op->chunks.p : "", op->chunks.n);
        if (!chunks)
                return err_static(ERR_NO_MEMORY);
        int64_t now = clock_wall_ns();
        struct record r = { .stamp = next_stamp(c),
                            .version = a->versioned ? old_version + 1 : 0,
                            .size = op->size,
                            .mtime_ns = now,
                            .atime_ns = a->atime_ns ? a->atime_ns : now,
                            .cksum_type = a->cksum_type,
                            .custom = custom,
                            .where = op->where,
                            .id = op->id,
                            .chunks = { chunks, op->chunks.n },
                            .nchunks = op->nchunks,
                            .max_chunk_size = op->max_chunk_size };
        str_copy(r.cksum, sizeof r.cksum, a->cksum);
        if (op->where == RECORD_SMALL)
                r.id = (struct content_id){ r.stamp.hlc, r.stamp.node };
        set_record(c, en, &r, op->small);
        report(op, &r, old_version, false, replaced);
        op->happened = true;
        return NULL;
}

static struct err *decide_delete(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, op->set, &en));
        if (!alive(en))
                return err_static(ERR_NOT_FOUND);
        if (op->cond)
                TRY(check_cond(en, op->set, op->cond));
        uint64_t old_version = en->record.version;
        struct stamp stamp = next_stamp(c);
        int64_t now = clock_wall_ns();
        remove_record(c, en, op->set && (op->set->tombstones || op->set->mixed), stamp, now);
        report(op, &(struct record){ .stamp = stamp, .mtime_ns = now }, old_version, false, true);
        op->happened = true;
        return NULL;
}

static struct err *decide_custom(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        struct str custom;
        TRY(entry_get(c, &op->key, op->set, &en));
        if (!alive(en))
                return err_static(ERR_NOT_FOUND);
        TRY(check_cond(en, op->set, &op->attrs->cond));
        if (en->other)
                /* change.c brings it here and tries again */
                return err_new(ERR_BUSY, "the object lies on %s", en->other->path);
        TRY(new_custom(c, en, op->attrs, &custom));
        struct record r = en->record;
        r.custom = custom;
        r.stamp = next_stamp(c);
        set_record(c, en, &r, STR_NONE);
        report(op, &r, r.version, false, true);
        op->happened = true;
        return NULL;
}

/* The bytes of an entry's small content, as of this batch; in the arena or borrowed from an op. */
static struct err *small_of(struct committer *c, const struct entry *en, struct str *ret)
{
        if (en->small.p) {
                *ret = en->small;
                return NULL;
        }
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct content_id id;
        struct str data;
        TRY(records_get(c->mp->records, RECORDS_SMALL, en->k, &v));
        TRY(record_small_decode(en->k, v.data, &id, &data));
        if (!content_id_eq(id, en->record.id))
                return err_new(ERR_CORRUPT, "small content of another version");
        char *p = arena_dup(&c->arena, data.p, data.n);
        if (!p)
                return err_static(ERR_NO_MEMORY);
        *ret = (struct str){ p, data.n };
        return NULL;
}

static struct err *decide_rename(struct committer *c, struct commit_op *op)
{
        struct entry *from, *to;
        struct str small = STR_NONE;
        TRY(entry_get(c, &op->key, op->set, &from));
        TRY(entry_get(c, &op->to, op->set, &to));
        if (!alive(from))
                return err_static(ERR_NOT_FOUND);
        if (from == to) {
                report(op, &from->record, from->record.version, true, false);
                return NULL;
        }
        if (from->other)
                return err_new(ERR_BUSY, "the object lies on %s", from->other->path);
        if (from->record.where == RECORD_SMALL)
                TRY(small_of(c, from, &small));
        struct record r = from->record;
        bool replaced = alive(to);
        r.stamp = next_stamp(c);
        set_record(c, to, &r, small);
        if (from->record.where != RECORD_SMALL)
                from->record.where = RECORD_EMPTY; /* its files go on under the new name */
        from->record.chunks = STR_NONE;
        remove_record(c, from, op->set && (op->set->tombstones || op->set->mixed), next_stamp(c), clock_wall_ns());
        report(op, &r, r.version, false, replaced);
        op->happened = true;
        return NULL;
}

static struct err *decide_place(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        /* What lies here decides: the newest elsewhere may be the one that is being placed. */
        TRY(entry_get(c, &op->key, NULL, &en));
        int order = en->present ? stamp_cmp(en->record.stamp, op->record->stamp) : -1;
        if (order > 0 || (order == 0 && !en->other)) {
                report(op, &en->record, en->record.version, true, false);
                return NULL;
        }
        struct record r = *op->record;
        TRY(copy_record(c, &r));
        set_record(c, en, &r, op->small);
        store__stamp_seen(c->mp->store, r.stamp);
        report(op, &r, r.version, false, false);
        op->happened = true;
        return NULL;
}

static struct err *decide_forget(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, NULL, &en));
        if (!en->present || en->other || stamp_cmp(en->record.stamp, op->cond->stamp) != 0)
                return err_static(ERR_NOT_FOUND);
        remove_record(c, en, false, en->record.stamp, 0);
        op->happened = true;
        return NULL;
}

static struct err *decide_atime(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, NULL, &en));
        if (en->other)
                return err_static(ERR_NOT_FOUND);
        TRY(check_cond(en, op->set, op->cond));
        struct record r = en->record;
        r.atime_ns = op->atime_ns;
        set_record(c, en, &r, STR_NONE);
        op->happened = true;
        return NULL;
}

static struct err *decide_kind(struct committer *c, struct commit_op *op)
{
        if ((op->kind != COMMIT_ROWS && store__dropped(c->mp->store, op->key.bid)) ||
            (op->kind == COMMIT_RENAME && store__dropped(c->mp->store, op->to.bid)))
                return err_new(ERR_BUCKET_NOT_FOUND, "the bucket was removed");
        switch (op->kind) {
        case COMMIT_PUT:
                return decide_put(c, op);
        case COMMIT_DELETE:
                return decide_delete(c, op);
        case COMMIT_CUSTOM:
                return decide_custom(c, op);
        case COMMIT_RENAME:
                return decide_rename(c, op);
        case COMMIT_PLACE:
                return decide_place(c, op);
        case COMMIT_FORGET:
                return decide_forget(c, op);
        case COMMIT_ATIME:
                return decide_atime(c, op);
        case COMMIT_ROWS:
                op->happened = true;
                return NULL;
        }
        return err_new(ERR_INTERNAL, "change of kind %d", (int)op->kind);
}

void decide(struct committer *c, struct commit_op *op)
{
        op->err = decide_kind(c, op);
        if (op->happened)
                add_rows(c, op);
}
