/* store/change.c: changes that bring no bytes: delete, custom metadata, rename.
 *
 * In a mixed set the object may lie on another mountpath than the one whose commit thread decides; that one answers
 * BUSY, the object is brought there, and the change is tried again. Each round means that somebody moved or replaced it
 * meanwhile; the bound is against a fault of ours.
 *
 * A rename between two mountpaths can not be one batch: an intent is written first, then the copy, then the old name is
 * deleted (if it still is what was copied), then the intent is removed. After a crash the start deletes the old name if
 * the new one was made (rename_recover). Readers see the old name, both for a moment, or the new one. */
#include "store/change.h"

#include "store/move.h"

#define ROUNDS_MAX 16

struct err *store_delete(struct store *s, const struct obj_key *key, const struct obj_cond *cond, bool fast)
{
        struct mp_set *set = store__set_enter(s);
        struct commit_op op = { .kind = COMMIT_DELETE, .fast = fast, .key = *key, .cond = cond, .set = set };
        struct err *e = store__commit(store__set_choose(set, obj_key_digest(key)), &op);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                e = store__not_found(set, key);
        }
        store__set_leave(set);
        return e;
}

struct err *store__commit_here(struct mp_set *set, struct commit_op *op)
{
        struct mountpath *mp = store__set_choose(set, obj_key_digest(&op->key));
        for (int i = 0;; i++) {
                struct err *e = store__commit(mp, op);
                if (err_code(e) == ERR_NOT_FOUND) {
                        err_free(e);
                        return store__not_found(set, &op->key);
                }
                if (err_code(e) != ERR_BUSY || i == ROUNDS_MAX)
                        return e;
                err_free(e);
                TRY(store__bring(set, &op->key));
        }
}

struct err *store_set_custom(struct store *s, const struct obj_key *key, struct str custom, bool replace, bool fast)
{
        struct put_attrs a = { .custom = custom, .custom_mode = replace ? CUSTOM_REPLACE : CUSTOM_MERGE };
        if (!record_custom_check(custom))
                return err_new(ERR_INVALID, "malformed custom metadata");
        struct mp_set *set = store__set_enter(s);
        struct commit_op op = { .kind = COMMIT_CUSTOM, .fast = fast, .key = *key, .attrs = &a, .set = set };
        struct err *e = store__commit_here(set, &op);
        store__set_leave(set);
        return e;
}

/* ---- rename ---- */

/* The content goes on under the new name: its file, or the first of its chunks, says so itself, for rebuilds only;
 * nothing depends on it. */
static void describe_renamed(struct mp_set *set, const struct obj_key *to, bool fast)
{
        AUTO_BUF struct buf b = BUF_INIT, self = BUF_INIT;
        struct record r;
        struct mountpath *mp;
        struct err *e = store__record_get(set, to, false, &b, &r, &mp);
        if (!e && (r.where == RECORD_FILE || r.where == RECORD_CHUNKS)) {
                struct record_chunk first = { .id = r.id };
                struct str chunks = r.chunks;
                if (r.where == RECORD_CHUNKS)
                        (void)record_chunk_next(&chunks, &first);
                record_self_encode(to, &r, &self);
                e = buf_err(&self);
                if (!e)
                        e = content_file_set_self(mp->contents, first.id, buf_str(&self), fast);
        }
        if (err_code(e) != ERR_NONE && err_code(e) != ERR_NOT_FOUND) /* replaced or deleted by now */
                log_err(LOG_WARN, LOG_FOLDER, e, "a renamed content keeps its old self-description");
        else
                err_free(e);
}

static void intent_key(const struct obj_key *from, struct buf *b)
{
        buf_adds(b, STR("rename/"));
        buf_add_u64(b, __builtin_bswap64(from->bid));
        buf_adds(b, from->name);
}

static void intent_value(const struct obj_key *to, struct stamp from_stamp, struct stamp after, struct buf *b)
{
        buf_add_u64(b, from_stamp.hlc);
        buf_add_u32(b, from_stamp.node);
        buf_add_u64(b, after.hlc);
        buf_add_u64(b, to->bid);
        buf_add_lstr(b, to->name);
}

static struct err *delete_if_stamp(struct mp_set *set, const struct obj_key *key, struct stamp stamp, bool fast)
{
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = stamp };
        struct commit_op op = { .kind = COMMIT_DELETE, .fast = fast, .key = *key, .cond = &cond, .set = set };
        struct err *e = store__commit(store__set_choose(set, obj_key_digest(key)), &op);
        if (err_code(e) != ERR_PRECONDITION && err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e); /* The old name has a newer content, or none: it is not ours to delete. */
        return NULL;
}

static struct err *rename_across(struct store *s, struct mp_set *set, const struct obj_key *from,
                                 const struct obj_key *to, bool fast)
{
        AUTO_BUF struct buf b = BUF_INIT, k = BUF_INIT, v = BUF_INIT;
        struct record r;
        struct mountpath *mp = store__set_choose(set, obj_key_digest(from)), *at;
        struct stamp copied;
        TRY(store__record_get(set, from, false, &b, &r, &at));
        intent_key(from, &k);
        intent_value(to, r.stamp, store__stamp_next(s), &v);
        TRY(buf_err(&k));
        TRY(buf_err(&v));
        struct commit_row row = { RECORDS_META, buf_str(&k), buf_str(&v), false };
        TRY(store__commit_rows(mp, &row, 1, false));
        FAULT_POINT("store.rename.intent");
        struct err *e = store__copy_as(set, from, to, false, &copied);
        if (!e)
                e = fault_on ? fault_point("store.rename.copied") : NULL;
        if (!e)
                e = delete_if_stamp(set, from, copied, fast);
        row.remove = true;
        /* After a failure a power cut must not bring the intent back: by then the new name may be somebody else's. */
        return err_first(e, store__commit_rows(mp, &row, 1, !e));
}

struct err *store_rename(struct store *s, const struct obj_key *from, const struct obj_key *to, bool fast)
{
        char kb[RECORD_KEY_MAX];
        struct str k;
        TRY(record_key(to, kb, &k));
        struct mp_set *set = store__set_enter(s);
        struct err *e;
        if (store__set_choose(set, obj_key_digest(from)) == store__set_choose(set, obj_key_digest(to))) {
                struct commit_op op = { .kind = COMMIT_RENAME, .fast = fast, .key = *from, .to = *to, .set = set };
                e = store__commit_here(set, &op);
                if (!e && !op.result.noop)
                        describe_renamed(set, to, fast);
        } else
                e = rename_across(s, set, from, to, fast);
        store__set_leave(set);
        return e;
}

static struct err *recover_one(struct mp_set *set, struct mountpath *mp, struct str k, struct str v)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct buf_reader r = buf_reader_of(v);
        struct obj_key from, to;
        struct stamp stamp;
        struct record rec;
        struct mountpath *at;
        TRY(record_key_parse(str_skip(k, 7), &from));
        stamp.hlc = buf_get_u64(&r);
        stamp.node = buf_get_u32(&r);
        uint64_t after = buf_get_u64(&r);
        to.bid = buf_get_u64(&r);
        to.name = buf_get_lstr(&r);
        if (r.bad)
                return err_new(ERR_CORRUPT, "intent of a rename");
        struct err *e = store__record_get(set, &to, false, &b, &rec, &at);
        if (!e && rec.stamp.hlc > after) /* the copy was made: the rename happened */
                TRY(delete_if_stamp(set, &from, stamp, false));
        else if (err_code(e) == ERR_NOT_FOUND)
                err_free(e);
        else if (e) /* Whether it happened is not known, and later the new name may be somebody else's. */
                log_err(LOG_WARN, LOG_FOLDER, e, "a rename that a crash interrupted: both names stay");
        struct commit_row row = { RECORDS_META, k, STR_NONE, true };
        return store__commit_rows(mp, &row, 1, false);
}

struct err *store__rename_recover(struct store *s, struct mountpath *mp)
{
        struct records_iter *it;
        TRY(records_iter_new(mp->records, RECORDS_META, STR("rename/"), STR("rename0"), false, &it));
        struct mp_set *set = store__set_enter(s);
        struct err *e = NULL;
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it))
                e = recover_one(set, mp, records_iter_key(it), records_iter_value(it));
        store__set_leave(set);
        e = err_first(e, records_iter_error(it));
        records_iter_free(it);
        return e;
}
