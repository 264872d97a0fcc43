/* store/move.c: copies of records and contents between mountpaths, in an order that no crash turns into a loss:
 * contents, record, and only then the old copy goes.
 *
 * Contents copied for a record that in the end was not placed (a newer one came, or an error) are removed again, unless
 * the outcome is unknown. */
#include "store/move.h"

static void remove_files(struct mountpath *mp, const struct record *r, unsigned n)
{
        struct str rest = r->chunks;
        struct record_chunk c = { r->id, 0 };
        for (unsigned i = 0; i < n; i++) {
                if (r->where == RECORD_CHUNKS && !record_chunk_next(&rest, &c))
                        return;
                err_free(content_remove(mp->contents, c.id)); /* else cleanup's */
        }
}

static void settle_files(struct mountpath *mp, const struct record *r)
{
        struct str rest = r->chunks;
        struct record_chunk c;
        if (r->where == RECORD_FILE)
                content_settled(mp->contents, r->id);
        while (r->where == RECORD_CHUNKS && record_chunk_next(&rest, &c))
                content_settled(mp->contents, c.id);
}

/* The self-description of a copied content: the object's own for a single file; a chunk's is taken over as it is. */
static struct err *self_of(struct mountpath *from, const struct obj_key *key, const struct record *r,
                           struct record_chunk c, struct buf *b)
{
        buf_clear(b);
        if (r->where == RECORD_FILE) {
                record_self_encode(key, r, b);
                return buf_err(b);
        }
        struct content_file *f;
        TRY(content_file_open(from->contents, c.id, c.size, &f));
        struct err *e = content_file_self(f, b);
        content_file_close(f);
        return e;
}

/* Copies the content files of r to `to`; r names the copies afterwards, their list in `chunks`. */
static struct err *copy_files(struct mountpath *from, struct mountpath *to, const struct obj_key *key, struct record *r,
                              bool fast, struct buf *chunks)
{
        AUTO_BUF struct buf self = BUF_INIT;
        struct str rest = r->chunks;
        struct record copy = *r;
        struct record_chunk c = { r->id, r->size };
        unsigned done = 0, n = r->where == RECORD_FILE ? 1 : r->where == RECORD_CHUNKS ? r->nchunks : 0;
        struct err *e = NULL;
        for (; !e && done < n; done++) {
                if (r->where == RECORD_CHUNKS && !record_chunk_next(&rest, &c)) {
                        e = err_new(ERR_CORRUPT, "record: chunks");
                        break;
                }
                e = self_of(from, key, r, c, &self);
                if (!e)
                        e = store__content_copy(from, c.id, c.size, to, buf_str(&self), fast, &copy.id);
                if (e)
                        break;
                record_chunk_add(chunks, &(struct record_chunk){ copy.id, c.size });
        }
        if (r->where == RECORD_CHUNKS) {
                copy.id = r->id;
                copy.chunks = buf_str(chunks);
        }
        if (!e)
                e = buf_err(chunks);
        if (e) {
                remove_files(to, &copy, done);
                return e;
        }
        *r = copy;
        return NULL;
}

/* Places a record whose files were copied. */
static struct err *place(struct mountpath *to, const struct obj_key *key, const struct record *r, struct str small,
                         bool fast)
{
        struct commit_op op = { .kind = COMMIT_PLACE, .fast = fast, .key = *key, .record = r, .small = small };
        struct err *e = store__commit(to, &op);
        unsigned n = r->where == RECORD_FILE ? 1 : r->where == RECORD_CHUNKS ? r->nchunks : 0;
        if ((e && err_code(e) != ERR_IO && err_code(e) != ERR_NO_SPACE) || (!e && op.result.noop))
                remove_files(to, r, n);
        else
                settle_files(to, r);
        return e;
}

static struct err *get_small(struct mountpath *mp, const struct obj_key *key, const struct record *r, struct buf *b)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        char kb[RECORD_KEY_MAX];
        struct str k, data;
        struct content_id id;
        if (r->where != RECORD_SMALL)
                return NULL;
        TRY(record_key(key, kb, &k));
        TRY(records_get(mp->records, RECORDS_SMALL, k, &v));
        TRY(record_small_decode(k, v.data, &id, &data));
        if (!content_id_eq(id, r->id))
                return err_new(ERR_BUSY, "the object changed meanwhile");
        buf_adds(b, data);
        return buf_err(b);
}

/* The record that `mp` itself holds, tombstones too; texts in b. */
static struct err *get_here(struct mountpath *mp, const struct obj_key *key, struct buf *b, struct record *ret)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        char kb[RECORD_KEY_MAX];
        struct str k;
        TRY(record_key(key, kb, &k));
        TRY(records_get(mp->records, RECORDS_OBJECTS, k, &v));
        buf_adds(b, v.data);
        TRY(buf_err(b));
        return record_decode(k, buf_str(b), ret);
}

struct err *store__move(struct mountpath *from, struct mountpath *to, const struct obj_key *key, uint64_t *ret_bytes)
{
        AUTO_BUF struct buf b = BUF_INIT, chunks = BUF_INIT, small = BUF_INIT;
        struct record r;
        TRY(get_here(from, key, &b, &r));
        struct stamp stamp = r.stamp;
        TRY(get_small(from, key, &r, &small));
        TRY(copy_files(from, to, key, &r, false, &chunks));
        LOCK_SCOPE(&from->store->move_lock);
        TRY(place(to, key, &r, buf_str(&small), false));
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = stamp };
        struct commit_op op = { .kind = COMMIT_FORGET, .key = *key, .cond = &cond };
        struct err *e = store__commit(from, &op);
        if (err_code(e) == ERR_NOT_FOUND) /* changed or forgotten meanwhile by a newer write */
                e = NULL;
        if (!e && ret_bytes)
                *ret_bytes = r.size;
        return e;
}

struct err *store__copy_as(struct mp_set *set, const struct obj_key *from, const struct obj_key *to, bool fast,
                           struct stamp *ret_from_stamp)
{
        AUTO_BUF struct buf b = BUF_INIT, chunks = BUF_INIT, small = BUF_INIT;
        struct record r;
        struct mountpath *source, *target = store__set_choose(set, obj_key_digest(to));
        TRY(store__record_get(set, from, false, &b, &r, &source));
        struct stamp old = r.stamp;
        TRY(get_small(source, from, &r, &small));
        store__stamp_seen(source->store, r.stamp);
        r.stamp = store__stamp_next(source->store);
        r.epoch = atomic_load(&source->store->epoch);
        if (r.where == RECORD_SMALL)
                r.id = (struct content_id){ r.stamp.hlc, r.stamp.node };
        TRY(copy_files(source, target, to, &r, fast, &chunks));
        TRY(place(target, to, &r, buf_str(&small), fast));
        *ret_from_stamp = old;
        return NULL;
}

struct err *store__bring(struct mp_set *set, const struct obj_key *key)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct record r;
        struct mountpath *at, *chosen = store__set_choose(set, obj_key_digest(key));
        TRY(store__record_get(set, key, true, &b, &r, &at));
        if (at == chosen)
                return NULL;
        struct err *e = store__move(at, chosen, key, NULL);
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        return NULL; /* somebody else moved it */
}
