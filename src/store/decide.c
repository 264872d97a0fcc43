/* store/decide.c: what one change does to the records of a mountpath: conditions, numbering, "same content", stamps.
 * Runs on the commit thread alone, in the order of the queue, so that every key is a linearizable register. What a
 * batch knows of a key, and how it changes it, is in entry.c.
 *
 * A decision that fails leaves the batch as it was: all that can fail comes before the first addition to it. */
#include "store/commit_priv.h"

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

static uint64_t epoch_of(const struct committer *c)
{
        return atomic_load_explicit(&c->mp->store->epoch, memory_order_relaxed);
}

/* ---- conditions ---- */

static struct err *check_cond(const struct entry *en, const struct mp_set *set, const struct obj_cond *cond)
{
        bool here = entry_alive(en), holds = true;
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
        return entry_alive(en) && a->cksum_type != CKSUM_NONE && a->cksum.n && en->record.cksum_type == a->cksum_type &&
               en->record.size == size && str_eq(str_of(en->record.cksum), a->cksum);
}

void decide_report(struct commit_op *op, const struct record *r, uint64_t old_version, bool noop, bool replaced)
{
        op->result = (struct put_result){ .stamp = r->stamp,
                                          .version = r->version,
                                          .old_version = old_version,
                                          .mtime_ns = r->mtime_ns,
                                          .atime_ns = r->atime_ns,
                                          .noop = noop,
                                          .replaced = replaced };
}

/* ---- the kinds ---- */

/* What stays of the old pairs: all that are the object's if `merge`, those that are its content's if `same_content`. */
static void kept_custom(struct str old, bool merge, bool same_content, struct buf *ret)
{
        struct str key, value;
        while (store_custom_next(&old, &key, &value))
                if (store_custom_is_content(key) ? same_content : merge) {
                        buf_add_lstr(ret, key);
                        buf_add_lstr(ret, value);
                }
}

/* The pairs that the new record has, in the batch's arena. */
static struct err *new_custom(struct committer *c, const struct entry *en, const struct put_attrs *a, bool same_content,
                              struct str *ret)
{
        AUTO_BUF struct buf old = BUF_INIT, b = BUF_INIT;
        if (!a->given && entry_alive(en))
                kept_custom(en->record.custom, a->custom_mode == CUSTOM_MERGE, same_content, &old);
        TRY(buf_err(&old));
        store_custom_merge(buf_str(&old), a->custom, &b);
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
        bool replaced = entry_alive(en);
        uint64_t old_version = replaced ? en->record.version : 0;
        if (a->given && !decide_given_wins(c, op, en, a->stamp, a->epoch))
                return NULL;
        if (a->same_is_noop && !a->given && same_content(en, a, op->size)) {
                decide_report(op, &en->record, old_version, true, false);
                return NULL;
        }
        TRY(new_custom(c, en, a, false, &custom));
        const char *chunks = arena_dup(&c->arena, op->chunks.p ? op->chunks.p : "", op->chunks.n);
        if (!chunks)
                return err_static(ERR_NO_MEMORY);
        int64_t now = clock_wall_ns();
        struct record r = { .stamp = a->given ? a->stamp : entry_stamp(c, en),
                            .epoch = a->given ? a->epoch : epoch_of(c),
                            .version = a->given ? a->version : a->versioned ? old_version + 1 : 0,
                            .size = op->size,
                            .mtime_ns = a->given ? a->mtime_ns : now,
                            .atime_ns = a->atime_ns ? a->atime_ns : now,
                            .cksum_type = a->cksum_type,
                            .custom = custom,
                            .where = op->where,
                            .id = op->id,
                            .chunks = { chunks, op->chunks.n },
                            .nchunks = op->nchunks,
                            .max_chunk_size = op->max_chunk_size };
        if (a->given)
                entry_observe(c, a->stamp);
        str_copy(r.cksum, sizeof r.cksum, a->cksum);
        if (op->where == RECORD_SMALL)
                r.id = (struct content_id){ r.stamp.hlc, r.stamp.node };
        entry_set(c, en, &r, op->small);
        decide_report(op, &r, old_version, false, replaced);
        op->happened = true;
        return NULL;
}

/* The record goes; a tombstone takes its place where an older copy may come back. */
static void bury(struct committer *c, const struct commit_op *op, struct entry *en, struct stamp stamp, int64_t now)
{
        struct record t = {
                .tombstone = true, .stamp = stamp, .epoch = epoch_of(c), .mtime_ns = now, .atime_ns = now
        };
        if (atomic_load(&c->mp->store->tombstones) || (op->set && (op->set->tombstones || op->set->mixed)))
                entry_set(c, en, &t, STR_NONE);
        else
                entry_remove(c, en);
}

static struct err *decide_delete(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, op->set, &en));
        if (!entry_alive(en))
                return err_static(ERR_NOT_FOUND);
        if (op->cond)
                TRY(check_cond(en, op->set, op->cond));
        uint64_t old_version = en->record.version;
        struct stamp stamp = entry_stamp(c, en);
        int64_t now = clock_wall_ns();
        bury(c, op, en, stamp, now);
        decide_report(op, &(struct record){ .stamp = stamp, .mtime_ns = now }, old_version, false, true);
        op->happened = true;
        return NULL;
}

static struct err *decide_custom(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        struct str custom;
        TRY(entry_get(c, &op->key, op->set, &en));
        if (!entry_alive(en))
                return err_static(ERR_NOT_FOUND);
        TRY(check_cond(en, op->set, &op->attrs->cond));
        if (en->other)
                /* change.c brings it here and tries again */
                return err_new(ERR_BUSY, "the object lies on %s", en->other->path);
        TRY(new_custom(c, en, op->attrs, true, &custom));
        struct record r = en->record;
        r.custom = custom;
        r.stamp = entry_stamp(c, en);
        r.epoch = epoch_of(c);
        entry_set(c, en, &r, STR_NONE);
        decide_report(op, &r, r.version, false, true);
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
        if (!entry_alive(from))
                return err_static(ERR_NOT_FOUND);
        if (from == to) {
                decide_report(op, &from->record, from->record.version, true, false);
                return NULL;
        }
        if (from->other)
                return err_new(ERR_BUSY, "the object lies on %s", from->other->path);
        if (from->record.where == RECORD_SMALL)
                TRY(small_of(c, from, &small));
        struct record r = from->record;
        bool replaced = entry_alive(to);
        store__stamp_seen(c->mp->store, r.stamp);
        r.stamp = entry_stamp(c, to);
        r.epoch = epoch_of(c);
        entry_set(c, to, &r, small);
        if (from->record.where != RECORD_SMALL)
                from->record.where = RECORD_EMPTY; /* its files go on under the new name */
        from->record.chunks = STR_NONE;
        bury(c, op, from, entry_stamp(c, from), clock_wall_ns());
        decide_report(op, &r, r.version, false, replaced);
        op->happened = true;
        return NULL;
}

static struct err *decide_place(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        /* What lies here decides: the newest elsewhere may be the one that is being placed. */
        TRY(entry_get(c, &op->key, NULL, &en));
        int order = en->present ? record_cmp(&en->record, op->record) : -1;
        if (order > 0 || (order == 0 && !en->other)) {
                decide_report(op, &en->record, en->record.version, true, false);
                return NULL;
        }
        struct record r = *op->record;
        TRY(entry_keep_texts(c, &r));
        entry_set(c, en, &r, op->small);
        store__stamp_seen(c->mp->store, r.stamp);
        decide_report(op, &r, r.version, false, false);
        op->happened = true;
        return NULL;
}

static struct err *decide_forget(struct committer *c, struct commit_op *op)
{
        struct entry *en;
        TRY(entry_get(c, &op->key, NULL, &en));
        if (!en->present || en->other || stamp_cmp(en->record.stamp, op->cond->stamp) != 0)
                return err_static(ERR_NOT_FOUND);
        entry_remove(c, en);
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
        entry_set(c, en, &r, STR_NONE);
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
        case COMMIT_PURGE:
                return decide_purge(c, op);
        case COMMIT_MOVED:
                return decide_moved(c, op);
        case COMMIT_TOMBSTONE:
                return decide_tombstone(c, op);
        case COMMIT_CONFIRM:
                return decide_confirm(c, op);
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
