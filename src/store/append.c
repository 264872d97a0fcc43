/* Appends: a content that grows over several requests, and becomes an ordinary object when it is flushed.
 *
 * An append is an unfinished content file (content_resume.c) and a row {name, content id, size}, committed at the end
 * of each request: what that request brought is acknowledged then. A request works under the append's lock; another one
 * meanwhile gets BUSY.
 *
 * Flush: the content is read back and checked while the checksums are computed; then it is finished, and one batch
 * makes the record and removes the row. A crash between the two leaves the row, and the finished content in content/,
 * where the next flush finds it, and the next append copies it from. It is never taken back into work/: after an I/O
 * error of that batch a record may name it. */
#include "os/random.h"
#include "store/upload.h"

enum { COPY_PIECE = 256 * 1024 };

struct append_ext {
        struct upload_lock lock;
        char id[UPLOAD_ID + 1];
        int64_t created_ns;
        bool has_row;
};

static void append_end(struct put *p)
{
        struct append_ext *ext = p->ext;

        if (!ext)
                return;
        upload_unlock(&ext->lock);
        free(ext);
        p->ext = NULL;
}

static struct err *not_found(struct str id)
{
        return err_new(ERR_NOT_FOUND, "append handle \"" STR_FMT "\" does not exist", STR_ARG(id));
}

struct err *append_find(struct store *s, const struct obj_key *key, struct str id, struct buf *b,
                        struct append_row *ret, struct str *ret_key, struct mountpath **ret_mp)
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        struct str row_key, value;
        struct err *e = upload_find(s, key, UPLOAD_ROW_APPEND, id, b, &row_key, &value, &mp);

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return not_found(id);
        }
        TRY(e);
        TRY(append_row_decode(row_key, value, ret));
        if (!str_eq(ret->name, key->name))
                return not_found(id);
        *ret_key = row_key;
        *ret_mp = mp;
        mp = NULL;
        return NULL;
}

/* ---- beginning ---- */

/* A put with the append's lock taken. */
static struct err *new_put(struct store *s, const struct obj_key *key, struct str id, struct put **ret)
{
        struct append_ext *ext = calloc(1, sizeof(*ext));
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        struct put *p;
        struct err *e;

        if (!ext)
                return err_static(ERR_NO_MEMORY);
        if (!upload_trylock(s->uploads, key->bid, id, 0, false, &ext->lock)) {
                free(ext);
                return err_new(ERR_BUSY, "append \"" STR_FMT "\" is being worked on", STR_ARG(id));
        }
        memcpy(ext->id, id.p, UPLOAD_ID);
        e = upload_choose(s, key, &mp);
        if (!e)
                e = store__put_new(s, PUT_APPEND, key, mp, -1, 0, &p);
        if (e) {
                upload_unlock(&ext->lock);
                free(ext);
                return e;
        }
        p->ext = ext;
        p->ext_end = append_end;
        *ret = p;
        return NULL;
}

/* Begins with what the object holds now; nothing if there is none. */
static struct err *copy_object(struct put *p)
{
        AUTO_FREE char *piece = NULL;
        struct content *c;
        struct err *e = store_open_object(p->store, &p->key, &c);
        uint64_t size;

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        TRY(e);
        size = content_meta(c)->size;
        piece = malloc(COPY_PIECE);
        if (!piece)
                e = err_static(ERR_NO_MEMORY);
        for (uint64_t at = 0; at < size && !e;) {
                size_t n = (size_t)MIN(size - at, (uint64_t)COPY_PIECE);

                e = content_read(c, at, piece, n);
                if (!e)
                        e = store_put_write(p, piece, n);
                at += n;
        }
        content_unref(c);
        return e;
}

/* Begins with a finished content: see the opening comment. */
static struct err *copy_finished(struct put *p, struct mountpath *mp, const struct append_row *row)
{
        AUTO_FREE char *piece = malloc(COPY_PIECE);
        struct content_file *f;
        struct err *e = NULL;

        if (!piece)
                return err_static(ERR_NO_MEMORY);
        TRY(content_file_open(mp->contents, row->id, row->size, &f));
        for (uint64_t at = 0; at < row->size && !e;) {
                size_t n = (size_t)MIN(row->size - at, (uint64_t)COPY_PIECE);

                e = content_file_read(f, at, piece, n);
                if (!e)
                        e = store_put_write(p, piece, n);
                at += n;
        }
        content_file_close(f);
        return e;
}

/* The put that goes on with what the row tells of; it stays on the row's mountpath. */
static struct err *go_on(struct put *p)
{
        struct append_ext *ext = p->ext;
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        struct append_row row;
        struct str ignored;
        struct err *e;

        TRY(append_find(p->store, &p->key, str_of(ext->id), &b, &row, &ignored, &mp));
        ext->created_ns = row.created_ns;
        ext->has_row = true;
        if (mp != p->mp) { /* the set of mountpaths changed: the hold passes */
                struct mountpath *own = p->mp;

                p->mp = mp;
                mp = own;
        }
        e = content_writer_resume(p->mp->contents, row.id, row.size, &p->writer);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                e = copy_finished(p, p->mp, &row);
                return err_code(e) == ERR_NOT_FOUND ? err_recode(e, ERR_CORRUPT, "append %s", ext->id) : e;
        }
        TRY(e);
        p->size = row.size;
        return NULL;
}

struct err *store_append_begin(struct store *s, const struct obj_key *key, struct str id, char ret_id[static 17],
                               struct put **ret)
{
        char fresh[UPLOAD_ID + 1], raw[RECORD_KEY_MAX];
        struct str use = id, ignored;
        struct append_ext *ext;
        struct put *p = NULL;
        struct err *e;

        TRY(record_key(key, raw, &ignored)); /* the name's rules */
        if (id.n == 0) {
                random_id(fresh, UPLOAD_ID);
                use = str_of(fresh);
        } else if (!upload_id_valid(id)) {
                return not_found(id);
        }
        TRY(new_put(s, key, use, &p));
        ext = p->ext;
        ext->created_ns = clock_wall_ns();
        e = id.n == 0 ? copy_object(p) : go_on(p);
        if (e) {
                store__put_free(p);
                return err_wrap(e, "begin an append");
        }
        memcpy(ret_id, ext->id, UPLOAD_ID + 1);
        *ret = p;
        return NULL;
}

/* ---- the end of a request ---- */

static struct str row_key(const struct put *p, char raw[static UPLOAD_KEY_MAX])
{
        const struct append_ext *ext = p->ext;
        struct upload_key k = { .bid = p->key.bid, .kind = UPLOAD_ROW_APPEND };

        memcpy(k.id, ext->id, UPLOAD_ID);
        return upload_row_key(&k, raw);
}

static struct err *keep(struct put *p, bool fast)
{
        const struct append_ext *ext = p->ext;
        AUTO_BUF struct buf value = BUF_INIT;
        struct append_row row = { .name = p->key.name, .created_ns = ext->created_ns };
        struct commit_row change = { .family = RECORDS_UPLOADS };
        char raw[UPLOAD_KEY_MAX];
        struct content_writer *w;
        struct err *e;

        if (store__dropped(p->store, p->key.bid))
                return err_new(ERR_BUCKET_NOT_FOUND, "the bucket was removed");
        TRY(upload_need_writer(p));
        row.id = content_writer_id(p->writer);
        row.size = content_writer_size(p->writer);
        change.key = row_key(p, raw);
        append_row_encode(change.key, &row, &value);
        TRY(buf_err(&value));
        change.value = buf_str(&value);
        w = p->writer;
        p->writer = NULL;
        TRY(content_writer_suspend(w, fast));
        e = store__commit_rows(p->mp, &change, 1, fast);
        content_settled(p->mp->contents, row.id);
        return e;
}

struct err *store_append_end(struct put *p, bool fast)
{
        struct err *e;

        ASSERT(p->kind == PUT_APPEND);
        e = keep(p, fast);
        store__put_free(p);
        return e ? err_wrap(e, "append") : NULL;
}
