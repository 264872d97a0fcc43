/* Multipart uploads: beginning, parts, abort. Completing is in upload_complete.c, listing in upload_list.c.
 *
 * An upload is one row, each of its parts another one, written through the mountpath's commit thread like any change,
 * so that an upload survives a restart as far as it was acknowledged. A part's bytes are a finished content file from
 * the start; completing moves none of them.
 *
 * Part n is committed under a lock of its own, so that of two writers of one part number the last counts and the
 * content of the other goes to trash; parts of different numbers share a commit batch. A part that comes after the end
 * of its upload is refused at its commit.
 *
 * After an I/O error of a commit nobody knows whether the row is there: the content stays, and cleanup, which reads the
 * rows, decides. */
#include <stdatomic.h>
#include <stdlib.h>

#include "os/random.h"
#include "store/upload.h"

/* ---- finding ---- */

/* The mountpaths of the set, the key's own first, each held. */
static unsigned hold_all(struct store *s, const struct obj_key *key, struct mountpath **mp)
{
        AUTO_SET struct mp_set *set = store__set_enter(s);
        struct mountpath *own = store__set_choose(set, obj_key_digest(key));
        unsigned n = 0;

        if (own && mountpath_enter(own))
                mp[n++] = own;
        for (unsigned i = 0; i < set->nall; i++)
                if (set->mp[i] != own && mountpath_enter(set->mp[i]))
                        mp[n++] = set->mp[i];
        return n;
}

static struct err *get_row(struct mountpath *mp, struct str key, struct buf *b)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };

        TRY(records_get(mp->records, RECORDS_UPLOADS, key, &v));
        buf_clear(b);
        buf_adds(b, key);
        buf_adds(b, v.data);
        return buf_err(b);
}

struct err *upload_find(struct store *s, const struct obj_key *key, enum upload_row_kind kind, struct str id,
                        struct buf *b, struct str *ret_key, struct str *ret_value, struct mountpath **ret_mp)
{
        struct mountpath *mp[STORE_MOUNTPATHS_MAX], *found = NULL;
        struct upload_key k = { .bid = key->bid, .kind = kind };
        char raw[UPLOAD_KEY_MAX];
        struct err *e = err_static(ERR_NOT_FOUND);
        struct str row_key;
        unsigned n;

        if (!upload_id_valid(id) || store__dropped(s, key->bid))
                return e;
        memcpy(k.id, id.p, UPLOAD_ID);
        row_key = upload_row_key(&k, raw);
        n = hold_all(s, key, mp);
        for (unsigned i = 0; i < n && err_code(e) == ERR_NOT_FOUND; i++) {
                err_free(e);
                e = get_row(mp[i], row_key, b);
                if (!e)
                        found = mp[i];
        }
        for (unsigned i = 0; i < n; i++)
                if (mp[i] != found)
                        mountpath_leave(mp[i]);
        TRY(e);
        *ret_key = (struct str){ b->p, row_key.n };
        *ret_value = str_skip(buf_str(b), row_key.n);
        *ret_mp = found;
        return NULL;
}

struct err *upload_open(struct store *s, const struct obj_key *key, struct str id, struct buf *b,
                        struct upload_row *ret, struct mountpath **ret_mp)
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        struct str row_key, value;
        struct err *e = upload_find(s, key, UPLOAD_ROW, id, b, &row_key, &value, &mp);

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return err_new(ERR_UPLOAD_NOT_FOUND, "multipart upload \"" STR_FMT "\" does not exist", STR_ARG(id));
        }
        TRY(e);
        TRY(upload_row_decode(row_key, value, ret));
        if (!str_eq(ret->name, key->name))
                return err_new(ERR_UPLOAD_NOT_FOUND, "multipart upload \"" STR_FMT "\" is of another object",
                               STR_ARG(id));
        *ret_mp = mp;
        mp = NULL;
        return NULL;
}

struct err *store_upload_custom(struct store *s, const struct obj_key *key, struct str id, struct arena *a,
                                struct str *ret)
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        struct upload_row row;

        TRY(upload_open(s, key, id, &b, &row, &mp));
        *ret = str_arena(a, row.custom);
        return row.custom.n && !ret->p ? err_static(ERR_NO_MEMORY) : NULL;
}

struct err *upload_each_part(struct mountpath *mp, uint64_t bid, struct str id,
                             struct err *(*fn)(void *arg, unsigned part, struct str key, const struct part_row *row),
                             void *arg)
{
        char from[UPLOAD_KEY_MAX], to[UPLOAD_KEY_MAX];
        struct str end, start = upload_row_range(bid, UPLOAD_ROW_PART, id, from, to, &end);
        struct records_iter *it;
        struct err *e = NULL;

        TRY(records_iter_new(mp->records, RECORDS_UPLOADS, start, end, false, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                struct str key = records_iter_key(it);
                struct upload_key k;
                struct part_row row;

                e = upload_row_key_parse(key, &k);
                if (!e)
                        e = part_row_decode(key, records_iter_value(it), &row);
                if (!e)
                        e = fn(arg, k.part, key, &row);
        }
        if (!e)
                e = records_iter_error(it);
        records_iter_free(it);
        return e;
}

/* ---- beginning ---- */

struct err *upload_choose(struct store *s, const struct obj_key *key, struct mountpath **ret_mp)
{
        AUTO_SET struct mp_set *set = store__set_enter(s);
        struct mountpath *mp = store__set_choose(set, obj_key_digest(key));

        if (!mp || !mountpath_enter(mp))
                return err_new(ERR_IO, "no mountpath is active");
        *ret_mp = mp;
        return NULL;
}

struct err *store_upload_create(struct store *s, const struct obj_key *key, struct str custom, char ret_id[static 17])
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        AUTO_BUF struct buf value = BUF_INIT;
        struct upload_key k = { .bid = key->bid, .kind = UPLOAD_ROW };
        struct upload_row row = { key->name, custom, clock_wall_ns() };
        char raw[UPLOAD_KEY_MAX], record_raw[RECORD_KEY_MAX];
        struct commit_row change = { .family = RECORDS_UPLOADS };

        TRY(record_key(key, record_raw, &change.key)); /* the name's rules */
        TRY(store__space_check(s));
        if (store__dropped(s, key->bid))
                return err_new(ERR_BUCKET_NOT_FOUND, "the bucket was removed");
        if (custom.n > RECORD_CUSTOM_MAX || !record_custom_check(custom))
                return err_new(ERR_INVALID, "custom metadata of %zu bytes", custom.n);
        TRY(upload_choose(s, key, &mp));
        random_id(k.id, UPLOAD_ID);
        change.key = upload_row_key(&k, raw);
        upload_row_encode(change.key, &row, &value);
        TRY(buf_err(&value));
        change.value = buf_str(&value);
        TRY(store__commit_rows(mp, &change, 1, false));
        memcpy(ret_id, k.id, UPLOAD_ID + 1);
        return NULL;
}

/* ---- parts ---- */

struct part_ext {
        char id[UPLOAD_ID + 1];
        unsigned part;
};

static void part_end(struct put *p)
{
        free(p->ext);
        p->ext = NULL;
}

struct err *store_upload_part_begin(struct store *s, const struct obj_key *key, struct str id, unsigned part,
                                    int64_t size_hint, struct put **ret)
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        struct upload_row row;
        struct part_ext *ext;
        struct put *p;

        if (part < 1 || part > UPLOAD_PARTS_MAX)
                return err_new(ERR_INVALID, "part number %u is not within 1..%u", part, UPLOAD_PARTS_MAX);
        TRY(upload_open(s, key, id, &b, &row, &mp));
        TRY(store__put_new(s, PUT_PART, key, mp, size_hint, 0, &p));
        ext = calloc(1, sizeof(*ext));
        if (!ext) {
                store__put_free(p);
                return err_static(ERR_NO_MEMORY);
        }
        ext->part = part;
        memcpy(ext->id, id.p, UPLOAD_ID);
        p->ext = ext;
        p->ext_end = part_end;
        *ret = p;
        return NULL;
}

struct err *upload_need_writer(struct put *p)
{
        return p->writer ? NULL : content_writer_new(p->mp->contents, 0, &p->writer);
}

/* Makes the part's content; the writer is gone afterwards. */
static struct err *finish_content(struct put *p, const struct part_ext *ext, struct part_row *row)
{
        AUTO_BUF struct buf self = BUF_INIT;
        struct content_writer *w;

        TRY(upload_need_writer(p));
        row->id = content_writer_id(p->writer);
        row->size = content_writer_size(p->writer);
        part_self_encode(&p->key, str_of(ext->id), ext->part, &self);
        TRY(buf_err(&self));
        w = p->writer;
        p->writer = NULL;
        return content_writer_finish(w, buf_str(&self), false);
}

/* Writes the part's row; the content of a former part with this number is garbage then. */
static struct err *commit_part(struct put *p, const struct part_ext *ext, const struct part_row *row)
{
        struct store *s = p->store;
        struct upload_key k = { .bid = p->key.bid, .kind = UPLOAD_ROW };
        AUTO_UPLOAD_LOCK struct upload_lock whole = { .in = NULL }, one = { .in = NULL };
        AUTO_BUF struct buf old = BUF_INIT, value = BUF_INIT;
        struct commit_row change = { .family = RECORDS_UPLOADS };
        struct part_row former;
        char raw[UPLOAD_KEY_MAX];
        struct str id = str_of(ext->id);
        bool replaces = false;
        struct err *e;

        memcpy(k.id, ext->id, UPLOAD_ID);
        upload_lock(s->uploads, p->key.bid, id, 0, true, &whole);
        upload_lock(s->uploads, p->key.bid, id, ext->part, false, &one);
        e = store__dropped(s, p->key.bid) ? err_static(ERR_NOT_FOUND) : get_row(p->mp, upload_row_key(&k, raw), &old);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return err_new(ERR_UPLOAD_NOT_FOUND, "multipart upload \"%s\" has ended", ext->id);
        }
        TRY(e);
        k.kind = UPLOAD_ROW_PART;
        k.part = ext->part;
        change.key = upload_row_key(&k, raw);
        e = get_row(p->mp, change.key, &old);
        if (!e) {
                e = part_row_decode(change.key, str_skip(buf_str(&old), change.key.n), &former);
                replaces = !e; /* one that can not be read is replaced all the same; its content is left to cleanup */
        }
        err_free(e);
        part_row_encode(change.key, row, &value);
        TRY(buf_err(&value));
        change.value = buf_str(&value);
        TRY(store__commit_rows(p->mp, &change, 1, false));
        if (replaces)
                store__discard(p->mp, former.id);
        return NULL;
}

struct err *store_upload_part_commit(struct put *p, enum cksum_type type, struct str cksum)
{
        struct part_ext *ext = p->ext;
        struct part_row row = { .mtime_ns = clock_wall_ns(), .cksum_type = type, .cksum = cksum };
        struct err *e;

        ASSERT(p->kind == PUT_PART);
        if (cksum.n >= CKSUM_HEX_MAX)
                e = err_new(ERR_INVALID, "checksum of %zu digits", cksum.n);
        else
                e = finish_content(p, ext, &row);
        if (!e) {
                e = commit_part(p, ext, &row);
                content_settled(p->mp->contents, row.id);
                if (err_code(e) == ERR_UPLOAD_NOT_FOUND)
                        store__discard(p->mp, row.id);
        }
        store__put_free(p);
        return e;
}

/* ---- the end without an object ---- */

struct doomed {
        struct arena *arena;
        struct commit_row *row;
        struct content_id *id;
        unsigned n, cap;
};

static struct err *doom(struct doomed *d, struct str key, struct content_id id)
{
        if (d->n == d->cap) {
                unsigned cap = MAX(2 * d->cap, 64u);
                struct commit_row *rows = arena_alloc(d->arena, cap * sizeof(*rows));
                struct content_id *ids = arena_alloc(d->arena, cap * sizeof(*ids));

                if (!rows || !ids)
                        return err_static(ERR_NO_MEMORY);
                if (d->n) {
                        memcpy(rows, d->row, d->n * sizeof(*rows));
                        memcpy(ids, d->id, d->n * sizeof(*ids));
                }
                d->row = rows;
                d->id = ids;
                d->cap = cap;
        }
        d->row[d->n] = (struct commit_row){ .family = RECORDS_UPLOADS,
                                            .key = str_arena(d->arena, key),
                                            .remove = true };
        d->id[d->n] = id;
        if (!d->row[d->n].key.p)
                return err_static(ERR_NO_MEMORY);
        d->n++;
        return NULL;
}

static struct err *doom_part(void *arg, unsigned part, struct str key, const struct part_row *row)
{
        (void)part;
        return doom(arg, key, row->id);
}

struct err *store_upload_abort(struct store *s, const struct obj_key *key, struct str id)
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        AUTO_UPLOAD_LOCK struct upload_lock lock = { .in = NULL };
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_ARENA struct arena a;
        struct upload_row row;
        struct doomed d = { .arena = &a };
        struct upload_key k = { .bid = key->bid, .kind = UPLOAD_ROW };
        char raw[UPLOAD_KEY_MAX];

        arena_init(&a, 0, 0);
        if (upload_id_valid(id))
                upload_lock(s->uploads, key->bid, id, 0, false, &lock);
        TRY(upload_open(s, key, id, &b, &row, &mp));
        TRY(upload_each_part(mp, key->bid, id, doom_part, &d));
        memcpy(k.id, id.p, UPLOAD_ID);
        TRY(doom(&d, upload_row_key(&k, raw), (struct content_id){ 0, 0 }));
        TRY(store__commit_rows(mp, d.row, d.n, false));
        for (unsigned i = 0; i + 1 < d.n; i++)
                store__discard(mp, d.id[i]);
        return NULL;
}

/* ---- buckets and start ---- */

struct err *upload_each_row(struct records *r, struct str from, struct str to,
                            struct err *(*fn)(void *arg, const struct upload_key *k, struct str key, struct str value),
                            void *arg)
{
        struct records_iter *it;
        struct err *e = NULL;

        TRY(records_iter_new(r, RECORDS_UPLOADS, from, to, false, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                struct upload_key k;

                e = upload_row_key_parse(records_iter_key(it), &k);
                if (!e)
                        e = fn(arg, &k, records_iter_key(it), records_iter_value(it));
        }
        if (!e)
                e = records_iter_error(it);
        records_iter_free(it);
        return e;
}

static struct err *drop_row(void *arg, const struct upload_key *k, struct str key, struct str value)
{
        struct mountpath *mp = arg;
        struct part_row part;
        struct append_row append;
        struct err *e = NULL;

        if (k->kind == UPLOAD_ROW_PART) {
                e = part_row_decode(key, value, &part);
                if (!e)
                        store__discard(mp, part.id);
        } else if (k->kind == UPLOAD_ROW_APPEND) {
                e = append_row_decode(key, value, &append);
                if (!e)
                        e = content_work_remove(mp->contents, append.id);
                if (!e)
                        e = content_remove(mp->contents, append.id);
        }
        if (e)
                log_err(LOG_WARN, LOG_FOLDER, e, "%s: row of an upload of a removed bucket", mp->path);
        return NULL; /* what can not be read is left to cleanup */
}

void store__uploads_drop(struct store *s, struct mountpath *mp, uint64_t bid)
{
        char from[RECORD_KEY_MAX], to[RECORD_KEY_MAX];
        struct str start = record_key_bound(bid, STR_NONE, from),
                   end = bid == UINT64_MAX ? STR_NONE : record_key_bound(bid + 1, STR_NONE, to);
        struct err *e = upload_each_row(mp->records, start, end, drop_row, mp);

        (void)s;
        if (e)
                log_err(LOG_WARN, LOG_FOLDER, e, "%s: uploads of a removed bucket", mp->path);
}

/* Batches are atomic, so a crash leaves nothing to roll forward; what is there is only looked over. */
static struct err *look_at_row(void *arg, const struct upload_key *k, struct str key, struct str value)
{
        struct upload_row upload;
        struct part_row part;
        struct append_row append;

        ++*(uint64_t *)arg;
        if (k->kind == UPLOAD_ROW_PART)
                return part_row_decode(key, value, &part);
        if (k->kind == UPLOAD_ROW_APPEND)
                return append_row_decode(key, value, &append);
        return upload_row_decode(key, value, &upload);
}

struct err *store__uploads_load(struct store *s, struct mountpath *mp)
{
        uint64_t rows = 0;
        struct err *e = upload_each_row(mp->records, STR_NONE, STR_NONE, look_at_row, &rows);

        (void)s;
        if (err_code(e) == ERR_CORRUPT) { /* that upload will answer so; the others and all objects are well */
                log_err(LOG_ERROR, LOG_FOLDER, e, "%s: uploads in progress", mp->path);
                e = NULL;
        }
        if (rows)
                log_info("%s: %llu uploads, parts and appends in progress", mp->path, (unsigned long long)rows);
        return e;
}
