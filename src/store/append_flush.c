/* Flushing an append: its content becomes the object, here, or, read piece by piece, on another node. See append.c for the order of things and what a
 * crash leaves. */
#include "store/upload.h"

enum { READ_PIECE = 256 * 1024 };

struct flush {
        struct store *store;
        const struct obj_key *key;
        struct mountpath *mp; /* where row and content lie; held */
        struct append_row row;
        struct str row_key;
        struct content_writer *writer; /* the unfinished content, or */
        struct content_file *file;     /* the finished one that a crash left */
        struct cksum_ctx *wanted, *expected;
        struct buf small;   /* its bytes, when it becomes a small content */
        bool keep_bytes;
        char hex[CKSUM_HEX_MAX];
};

/* ---- reading what there is ---- */

static struct err *open_content(struct flush *f)
{
        struct err *e = content_writer_resume(f->mp->contents, f->row.id, f->row.size, &f->writer);

        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        e = content_file_open(f->mp->contents, f->row.id, f->row.size, &f->file);
        return err_code(e) == ERR_NOT_FOUND ? err_recode(e, ERR_CORRUPT, "appended content is missing") : e;
}

static struct err *take_piece(void *arg, const void *p, size_t n)
{
        struct flush *f = arg;

        cksum_update(f->wanted, p, n);
        cksum_update(f->expected, p, n);
        if (!f->keep_bytes)
                return NULL;
        buf_add(&f->small, p, n);
        return buf_err(&f->small);
}

static struct err *read_file(struct flush *f)
{
        AUTO_FREE char *piece = malloc(READ_PIECE);

        if (!piece)
                return err_static(ERR_NO_MEMORY);
        for (uint64_t at = 0; at < f->row.size;) {
                size_t n = (size_t)MIN(f->row.size - at, (uint64_t)READ_PIECE);

                TRY(content_file_read(f->file, at, piece, n));
                TRY(take_piece(f, piece, n));
                at += n;
        }
        return NULL;
}

/* Reads all of it, if a checksum or the bytes are needed. */
static struct err *read_content(struct flush *f, enum cksum_type wanted, enum cksum_type expected)
{
        f->wanted = cksum_new(wanted);
        f->expected = cksum_new(expected);
        if (!f->wanted || !f->expected)
                return err_static(ERR_NO_MEMORY);
        if (wanted == CKSUM_NONE && expected == CKSUM_NONE && !f->keep_bytes)
                return NULL;
        return f->writer ? content_writer_read_back(f->writer, take_piece, f) : read_file(f);
}

static struct err *check_expected(struct flush *f, struct str expect)
{
        char hex[CKSUM_HEX_MAX];

        cksum_final(f->expected, hex);
        if (expect.n && !str_eq_nocase(expect, str_of(hex)))
                return err_new(ERR_BAD_CHECKSUM, "appended content has checksum %s, not " STR_FMT, hex,
                               STR_ARG(expect));
        return NULL;
}

/* ---- making the object ---- */

/* What fsck --rebuild would make of the content: version and stamp of the record are decided later, this stamp is a
 * little smaller. */
static struct err *describe(struct flush *f, const struct put_attrs *a, struct buf *self)
{
        int64_t now = clock_wall_ns();
        struct record r = { .stamp = store__stamp_next(f->store),
                            .size = f->row.size,
                            .mtime_ns = now,
                            .atime_ns = now,
                            .cksum_type = a->cksum_type,
                            .custom = a->custom,
                            .where = RECORD_FILE,
                            .id = f->row.id };

        (void)str_copy(r.cksum, sizeof(r.cksum), a->cksum);
        record_self_encode(f->key, &r, self);
        return buf_err(self);
}

/* A content file of its own on the mountpath that the key has now. */
static struct err *copy_over(struct flush *f, struct mountpath *target, const struct put_attrs *a,
                             struct content_id *ret)
{
        AUTO_BUF struct buf self = BUF_INIT;

        TRY(describe(f, a, &self));
        return store__content_copy(f->mp, f->row.id, f->row.size, target, buf_str(&self), false, ret);
}

static struct err *commit(struct flush *f, const struct put_attrs *a, struct put_result *ret)
{
        AUTO_SET struct mp_set *set = store__set_enter(f->store);
        struct mountpath *target = store__set_choose(set, obj_key_digest(f->key));
        struct commit_row row = { .family = RECORDS_UPLOADS, .key = f->row_key, .remove = true };
        struct commit_op op = { .kind = COMMIT_PUT,
                                .key = *f->key,
                                .attrs = a,
                                .size = f->row.size,
                                .id = f->row.id,
                                .set = set };
        bool moved = target != f->mp, file, kept;
        struct err *e;

        op.where = f->row.size == 0 ? RECORD_EMPTY : f->keep_bytes ? RECORD_SMALL : RECORD_FILE;
        file = op.where == RECORD_FILE;
        op.small = file ? STR_NONE : buf_str(&f->small);
        /* Else the appended file is dropped below, and a lost commit would want it back. */
        op.fast = a->fast && file && !moved;
        if (file && moved)
                TRY(copy_over(f, target, a, &op.id));
        op.rows = &row;
        op.nrows = moved ? 0 : 1;
        e = store__commit(target, &op);
        if (file && moved) {
                content_settled(target->contents, op.id);
                if (e ? err_code(e) != ERR_IO && err_code(e) != ERR_NO_SPACE : !op.happened)
                        store__discard(target, op.id);
        }
        TRY(e);
        if (moved || !op.happened) /* the batch could not take the row along */
                TRY(store__commit_rows(f->mp, &row, 1, false));
        kept = file && !moved && op.happened; /* the record names the appended file itself */
        if (!kept)
                store__discard(f->mp, f->row.id);
        err_free(content_work_remove(f->mp->contents, f->row.id)); /* what stays is found by cleanup */
        *ret = op.result;
        return NULL;
}

/* Gives the unfinished content its name in content/. */
static struct err *finish_content(struct flush *f, const struct put_attrs *a)
{
        AUTO_BUF struct buf self = BUF_INIT;
        struct content_writer *w = f->writer;

        TRY(describe(f, a, &self));
        f->writer = NULL;
        return content_writer_finish(w, buf_str(&self), a->fast);
}

static struct err *flush(struct flush *f, const struct put_attrs *attrs, enum cksum_type expect_type, struct str expect,
                         struct put_result *ret)
{
        struct put_attrs a = *attrs;
        bool own_sum = a.cksum.n == 0 && a.cksum_type != CKSUM_NONE;

        f->keep_bytes = f->row.size <= store_small_max(f->store);
        TRY(open_content(f));
        TRY(read_content(f, own_sum ? a.cksum_type : CKSUM_NONE, expect.n ? expect_type : CKSUM_NONE));
        TRY(check_expected(f, expect));
        if (own_sum) {
                cksum_final(f->wanted, f->hex);
                a.cksum = str_of(f->hex);
        }
        if (f->writer && !f->keep_bytes)
                TRY(finish_content(f, &a));
        return commit(f, &a, ret);
}

static void flush_fini(struct flush *f)
{
        content_writer_abort(f->writer); /* what was kept stays */
        content_file_close(f->file);
        cksum_free(f->wanted);
        cksum_free(f->expected);
        buf_fini(&f->small);
        if (f->mp) {
                content_settled(f->mp->contents, f->row.id);
                mountpath_leave(f->mp);
        }
}

struct err *store_append_flush(struct store *s, const struct obj_key *key, struct str id, const struct put_attrs *a,
                               enum cksum_type expect_type, struct str expect, struct put_result *ret)
{
        AUTO_UPLOAD_LOCK struct upload_lock lock = { .in = NULL };
        AUTO_BUF struct buf b = BUF_INIT;
        struct flush f = { .store = s, .key = key };
        struct err *e;

        if (upload_id_valid(id) && !upload_trylock(s->uploads, key->bid, id, 0, false, &lock))
                return err_new(ERR_BUSY, "append \"" STR_FMT "\" is being worked on", STR_ARG(id));
        TRY(append_find(s, key, id, &b, &f.row, &f.row_key, &f.mp));
        e = flush(&f, a, expect_type, expect, ret);
        flush_fini(&f);
        return e ? err_wrap(e, "flush an append") : NULL;
}

/* ---- for another node ---- */

struct append_source {
        struct upload_lock lock;
        struct buf row; /* what flush.row and row_key point into */
        struct flush flush;
};

static struct err *open_source(struct append_source *a, const struct obj_key *key, struct str id,
                               enum cksum_type expect_type, struct str expect)
{
        struct flush *f = &a->flush;
        struct put_attrs none = { .cksum_type = CKSUM_NONE };

        TRY(append_find(f->store, key, id, &a->row, &f->row, &f->row_key, &f->mp));
        f->keep_bytes = f->row.size <= store_small_max(f->store);
        TRY(open_content(f));
        TRY(read_content(f, CKSUM_NONE, expect.n ? expect_type : CKSUM_NONE));
        TRY(check_expected(f, expect));
        if (!f->writer || f->keep_bytes)
                return NULL;
        TRY(finish_content(f, &none)); /* only finished ones can be read in pieces; the row still names it */
        return content_file_open(f->mp->contents, f->row.id, f->row.size, &f->file);
}

struct err *store_append_open(struct store *s, const struct obj_key *key, struct str id, enum cksum_type expect_type,
                              struct str expect, struct append_source **ret, uint64_t *ret_size)
{
        struct append_source *a = calloc(1, sizeof(*a));
        struct err *e = NULL;

        if (!a)
                return err_static(ERR_NO_MEMORY);
        a->flush = (struct flush){ .store = s, .key = key };
        if (upload_id_valid(id) && !upload_trylock(s->uploads, key->bid, id, 0, false, &a->lock))
                e = err_new(ERR_BUSY, "append \"" STR_FMT "\" is being worked on", STR_ARG(id));
        if (!e)
                e = open_source(a, key, id, expect_type, expect);
        a->flush.key = NULL; /* the caller's */
        if (e) {
                err_free(store_append_close(a, false));
                return err_wrap(e, "open an append");
        }
        *ret = a;
        *ret_size = a->flush.row.size;
        return NULL;
}

struct err *store_append_source_read(struct append_source *a, uint64_t offset, void *p, size_t n)
{
        struct flush *f = &a->flush;

        ASSERT(offset <= f->row.size && n <= f->row.size - offset);
        if (!f->keep_bytes)
                return content_file_read(f->file, offset, p, n);
        memcpy(p, f->small.p + offset, n);
        return NULL;
}

struct err *store_append_close(struct append_source *a, bool drop)
{
        struct flush *f = &a->flush;
        struct commit_row row = { .family = RECORDS_UPLOADS, .key = f->row_key, .remove = true };
        struct err *e = drop ? store__commit_rows(f->mp, &row, 1, false) : NULL;

        if (drop && !e) {
                store__discard(f->mp, f->row.id);
                err_free(content_work_remove(f->mp->contents, f->row.id)); /* what stays is found by cleanup */
        }
        flush_fini(f);
        buf_fini(&a->row);
        upload_unlock(&a->lock);
        free(a);
        return e;
}
