/* The phases of fsck that begin with the rows: records with their contents, small contents, uploads, keys on several
 * mountpaths. */
#include "store/fsck_priv.h"

/* ---- reading ---- */

struct err *fsck_read_content(struct fsck_disk *d, struct content_id id, uint64_t size)
{
        struct content_file *f;
        struct err *e;

        d->fsck->report.contents++;
        TRY(content_file_open(d->contents, id, size, &f));
        e = NULL;
        for (uint64_t at = 0; at < size && !e;) { /* in steps, so that progress is seen within a large file */
                uint64_t n = MIN(size - at, (uint64_t)64 << 20);

                e = content_file_verify(f, at, n);
                d->fsck->bytes_read += n;
                at += n;
                fsck_progress(d->fsck, d);
        }
        content_file_close(f);
        return e;
}

static struct err *read_small(struct fsck_disk *d, struct str key, const struct record *r)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct content_id id;
        struct str data;

        TRY(records_get(d->records, RECORDS_SMALL, key, &v));
        TRY(record_small_decode(key, v.data, &id, &data));
        if (!content_id_eq(id, r->id) || data.n != r->size)
                return err_new(ERR_CORRUPT, "small content is of another version");
        d->fsck->bytes_read += data.n;
        return NULL;
}

/* Reads all of a record's content and names it; files that are bad are added to *bad. */
static struct err *read_object(struct fsck_disk *d, struct str key, const struct record *r, struct id_set *bad)
{
        struct str rest = r->chunks;
        struct record_chunk chunk;
        struct err *first = NULL;

        if (r->where == RECORD_SMALL)
                return read_small(d, key, r);
        if (r->where == RECORD_FILE) {
                TRY(id_set_add(&d->named, r->id));
                first = fsck_read_content(d, r->id, r->size);
                if (first && fsck_is_finding(first))
                        TRY(id_set_add(bad, r->id));
        }
        while (r->where == RECORD_CHUNKS && record_chunk_next(&rest, &chunk)) {
                struct err *e;

                TRY(id_set_add(&d->named, chunk.id));
                e = fsck_read_content(d, chunk.id, chunk.size);
                if (e && fsck_is_finding(e))
                        TRY(id_set_add(bad, chunk.id));
                first = err_first(first, e);
        }
        return first;
}

/* ---- records ---- */

/* The small content of a bad object, as far as it can be read; then its row goes. */
static struct err *quarantine_small(struct fsck_disk *d, struct str key)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct err *e = records_get(d->records, RECORDS_SMALL, key, &v);

        if (!e)
                return fsck_quarantine_row(d, RECORDS_SMALL, key, v.data);
        if (!fsck_is_finding(e))
                return e;
        err_free(e);
        return fsck_write_row(d, RECORDS_SMALL, key, STR_NONE, true);
}

/* Rows and bad files go to quarantine; chunks that are whole stay, named by nothing then, and are treated as orphans of
 * a lossy disk: kept. */
static struct err *quarantine_object(struct fsck_disk *d, struct str key, struct str value, const struct id_set *bad,
                                     bool small)
{
        for (size_t i = 0; i < bad->n; i++)
                TRY(fsck_quarantine_content(d, bad->id[i]));
        if (small)
                TRY(quarantine_small(d, key));
        return fsck_quarantine_row(d, RECORDS_OBJECTS, key, value);
}

static struct err *bad_object(struct fsck_disk *d, struct str key, struct str value, const struct id_set *bad,
                              bool small, struct err *e)
{
        struct obj_key k = { 0, key };
        char name[256];

        err_free(record_key_parse(key, &k));
        if (err_code(e) == ERR_NOT_FOUND)
                d->fsck->report.missing++;
        else
                d->fsck->report.corrupt++;
        fsck_say_err(d->fsck, e, "%s: object %s of bucket %016llx", d->path, fsck_name(k.name, name),
                     (unsigned long long)k.bid);
        if (d->fsck->mode == FSCK_CHECK)
                return NULL;
        d->lossy = true;
        return quarantine_object(d, key, value, bad, small);
}

static struct err *check_record(struct fsck_disk *d, struct str key, struct str value)
{
        struct id_set bad = { NULL, 0, 0 };
        struct obj_key k;
        struct record r;
        struct err *e = record_key_parse(key, &k);
        bool small = false;

        if (!e)
                e = record_decode(key, value, &r);
        if (!e) {
                d->max_hlc = MAX(d->max_hlc, r.stamp.hlc);
                if (!record_alive(&r))
                        return NULL;
                d->fsck->report.objects++;
                d->fsck->report.bytes += r.size;
                small = r.where == RECORD_SMALL;
                e = read_object(d, key, &r, &bad);
        } else {
                d->lossy = true; /* nobody knows which contents it names */
        }
        if (e && fsck_is_finding(e))
                e = bad_object(d, key, value, &bad, small, e);
        id_set_fini(&bad);
        return e;
}

/* An iterator that the engine stopped tells the file in its text. Rows behind that point are not seen. */
static struct err *end_of_rows(struct fsck_disk *d, struct records_iter *it, const char *what, struct err *e)
{
        if (!e)
                e = records_iter_error(it);
        else
                return e;
        if (!e || !fsck_is_finding(e))
                return e;
        d->lossy = true;
        d->fsck->report.corrupt++;
        fsck_say_err(d->fsck, e, "%s: %s from here on can not be read", d->path, what);
        return NULL;
}

struct err *fsck_records(struct fsck_disk *d)
{
        struct records_iter *it;
        struct err *e = NULL;

        TRY(records_iter_new(d->records, RECORDS_OBJECTS, STR_NONE, STR_NONE, true, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                e = check_record(d, records_iter_key(it), records_iter_value(it));
                fsck_progress(d->fsck, d);
        }
        e = end_of_rows(d, it, "records", e);
        records_iter_free(it);
        return e;
}

/* ---- small contents ---- */

/* A small content whose record was lost: its id is the stamp of its write, so that a record can be made; custom
 * metadata is gone. */
static struct err *rebuild_small(struct fsck_disk *d, struct str key, struct str value)
{
        struct record r = { .where = RECORD_SMALL, .version = 1, .cksum_type = CKSUM_XXHASH };
        AUTO_BUF struct buf b = BUF_INIT;
        struct str data;

        TRY(record_small_decode(key, value, &r.id, &data));
        r.stamp = (struct stamp){ r.id.hi, (uint32_t)r.id.lo };
        r.size = data.n;
        r.mtime_ns = r.atime_ns = (int64_t)r.id.hi;
        cksum_of(CKSUM_XXHASH, data.p, data.n, r.cksum);
        record_encode(key, &r, &b);
        TRY(buf_err(&b));
        TRY(fsck_write_row(d, RECORDS_OBJECTS, key, buf_str(&b), false));
        d->max_hlc = MAX(d->max_hlc, r.stamp.hlc);
        d->fsck->report.rebuilt++;
        return NULL;
}

static struct err *check_small(struct fsck_disk *d, struct str key, struct str value)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct record r;
        struct err *e = records_get(d->records, RECORDS_OBJECTS, key, &v);
        struct obj_key k;
        char name[256];

        if (!e) {
                e = record_decode(key, v.data, &r);
                if (!e && r.where == RECORD_SMALL)
                        return NULL; /* judged with its record */
                err_free(e);
        } else if (err_code(e) != ERR_NOT_FOUND) {
                return e;
        }
        TRY(record_key_parse(key, &k));
        if (d->fsck->mode == FSCK_REBUILD && d->lossy) {
                fsck_say(d->fsck, "%s: rebuilt %s of bucket %016llx without its custom metadata", d->path,
                         fsck_name(k.name, name), (unsigned long long)k.bid);
                return rebuild_small(d, key, value);
        }
        d->fsck->report.orphans++;
        fsck_say(d->fsck, "%s: small content without a record: %s of bucket %016llx", d->path, fsck_name(k.name, name),
                 (unsigned long long)k.bid);
        if (d->fsck->mode == FSCK_CHECK)
                return NULL;
        return fsck_quarantine_row(d, RECORDS_SMALL, key, value);
}

struct err *fsck_small(struct fsck_disk *d)
{
        struct records_iter *it;
        struct err *e = NULL;

        TRY(records_iter_new(d->records, RECORDS_SMALL, STR_NONE, STR_NONE, true, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                e = check_small(d, records_iter_key(it), records_iter_value(it));
                if (e && fsck_is_finding(e)) {
                        d->fsck->report.corrupt++;
                        d->lossy = true;
                        fsck_say_err(d->fsck, e, "%s: small content", d->path);
                        e = NULL;
                }
                fsck_progress(d->fsck, d);
        }
        e = end_of_rows(d, it, "small contents", e);
        records_iter_free(it);
        return e;
}

/* ---- uploads ---- */

/* A part or an append; what it names is kept whatever its state, but for bad parts when repairing. */
static struct err *check_part(struct fsck_disk *d, const struct upload_key *k, struct str key, struct str value)
{
        struct part_row row;
        struct err *e;

        TRY(part_row_decode(key, value, &row));
        TRY(id_set_add(&d->named, row.id));
        e = fsck_read_content(d, row.id, row.size);
        if (!e || !fsck_is_finding(e))
                return e;
        if (d->fsck->mode != FSCK_CHECK)
                TRY(fsck_quarantine_content(d, row.id));
        return err_wrap(e, "part %u of upload %s", k->part, k->id);
}

static struct err *check_append(struct fsck_disk *d, const struct upload_key *k, struct str key, struct str value)
{
        struct content_writer *w;
        struct append_row row;
        struct err *e;

        TRY(append_row_decode(key, value, &row));
        TRY(id_set_add(&d->named, row.id));
        if (d->fsck->mode == FSCK_CHECK)
                return NULL; /* to go on with it cuts what a crash left */
        e = content_writer_resume(d->contents, row.id, row.size, &w);
        if (!e)
                content_writer_abort(w);
        else if (err_code(e) == ERR_NOT_FOUND) { /* finished, but not yet an object */
                err_free(e);
                e = fsck_read_content(d, row.id, row.size);
        }
        return e ? err_wrap(e, "append %s", k->id) : NULL;
}

static struct err *check_upload_row(struct fsck_disk *d, struct str key, struct str value)
{
        struct upload_row row;
        struct upload_key k;

        TRY(upload_row_key_parse(key, &k));
        if (k.kind == UPLOAD_ROW_PART)
                return check_part(d, &k, key, value);
        if (k.kind == UPLOAD_ROW_APPEND)
                return check_append(d, &k, key, value);
        return upload_row_decode(key, value, &row);
}

struct err *fsck_uploads(struct fsck_disk *d)
{
        struct records_iter *it;
        struct err *e = NULL;

        TRY(records_iter_new(d->records, RECORDS_UPLOADS, STR_NONE, STR_NONE, true, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                e = check_upload_row(d, records_iter_key(it), records_iter_value(it));
                if (!e || !fsck_is_finding(e))
                        continue;
                d->lossy = true;
                if (err_code(e) == ERR_NOT_FOUND)
                        d->fsck->report.missing++;
                else
                        d->fsck->report.corrupt++;
                fsck_say_err(d->fsck, e, "%s: upload in progress", d->path);
                e = d->fsck->mode == FSCK_CHECK
                            ? NULL
                            : fsck_quarantine_row(d, RECORDS_UPLOADS, records_iter_key(it), records_iter_value(it));
        }
        e = end_of_rows(d, it, "uploads", e);
        records_iter_free(it);
        return e;
}

/* ---- names alone ---- */

static struct err *name_record(struct fsck_disk *d, struct str key, struct str value)
{
        struct record_chunk chunk;
        struct record r;
        struct err *e = record_decode(key, value, &r);

        if (e) { /* said already */
                err_free(e);
                return NULL;
        }
        if (r.where == RECORD_FILE)
                TRY(id_set_add(&d->named, r.id));
        for (struct str rest = r.chunks; r.where == RECORD_CHUNKS && record_chunk_next(&rest, &chunk);)
                TRY(id_set_add(&d->named, chunk.id));
        return NULL;
}

/* An error here was said before. */
static bool good(struct err *e)
{
        bool yes = !e;

        err_free(e);
        return yes;
}

static struct err *name_upload(void *arg, const struct upload_key *k, struct str key, struct str value)
{
        struct fsck_disk *d = arg;
        struct append_row append;
        struct part_row part;

        if (k->kind == UPLOAD_ROW_PART && good(part_row_decode(key, value, &part)))
                return id_set_add(&d->named, part.id);
        if (k->kind == UPLOAD_ROW_APPEND && good(append_row_decode(key, value, &append)))
                return id_set_add(&d->named, append.id);
        return NULL;
}

struct err *fsck_name_contents(struct fsck_disk *d)
{
        struct records_iter *it;
        struct err *e = NULL;

        id_set_fini(&d->named);
        TRY(records_iter_new(d->records, RECORDS_OBJECTS, STR_NONE, STR_NONE, true, &it));
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it))
                e = name_record(d, records_iter_key(it), records_iter_value(it));
        e = end_of_rows(d, it, "records", e);
        records_iter_free(it);
        TRY(e);
        TRY(upload_each_row(d->records, STR_NONE, STR_NONE, name_upload, d));
        id_set_sort(&d->named);
        return NULL;
}

/* ---- keys on several mountpaths ---- */

struct merge {
        struct fsck *fsck;
        struct records_iter *it[STORE_MOUNTPATHS_MAX]; /* null where there are no records */
};

/* The smallest key that any of them stands on; empty at the end. */
static struct str smallest(const struct merge *m)
{
        struct str best = STR_NONE;

        for (unsigned i = 0; i < m->fsck->n; i++) {
                struct str k;

                if (!m->it[i] || !records_iter_valid(m->it[i]))
                        continue;
                k = records_iter_key(m->it[i]);
                if (!best.p || str_cmp(k, best) < 0)
                        best = k;
        }
        return best;
}

/* Removes the row of an older copy; its contents are orphans then, found as such. */
static struct err *drop_copy(struct fsck_disk *d, struct str key, const struct record *r)
{
        TRY(fsck_write_row(d, RECORDS_OBJECTS, key, STR_NONE, true));
        if (r->where == RECORD_SMALL)
                TRY(fsck_write_row(d, RECORDS_SMALL, key, STR_NONE, true));
        if (r->where == RECORD_FILE)
                TRY(content_remove(d->contents, r->id));
        for (struct str rest = r->chunks; r->where == RECORD_CHUNKS;) {
                struct record_chunk chunk;

                if (!record_chunk_next(&rest, &chunk))
                        break;
                TRY(content_remove(d->contents, chunk.id));
        }
        d->fsck->report.repaired++;
        return NULL;
}

static struct err *judge_copies(const struct merge *m, struct str key)
{
        struct fsck *f = m->fsck;
        struct record r, best = { 0 };
        struct obj_key k;
        unsigned count = 0, winner = 0;
        char name[256];

        for (unsigned i = 0; i < f->n; i++) {
                struct err *e;

                if (!m->it[i] || !records_iter_valid(m->it[i]) || !str_eq(records_iter_key(m->it[i]), key))
                        continue;
                e = record_decode_brief(key, records_iter_value(m->it[i]), &r);
                if (e) { /* said already */
                        err_free(e);
                        continue;
                }
                if (count++ == 0 || record_cmp(&r, &best) > 0) {
                        best = r;
                        winner = i;
                }
        }
        if (count < 2)
                return NULL;
        TRY(record_key_parse(key, &k));
        f->report.orphans += count - 1;
        fsck_say(f, "object %s of bucket %016llx lies on %u mountpaths; the newest is on %s", fsck_name(k.name, name),
                 (unsigned long long)k.bid, count, f->disk[winner].path);
        for (unsigned i = 0; i < f->n && f->mode != FSCK_CHECK; i++) {
                struct err *e;

                if (i == winner || !m->it[i] || !records_iter_valid(m->it[i]) ||
                    !str_eq(records_iter_key(m->it[i]), key))
                        continue;
                e = record_decode(key, records_iter_value(m->it[i]), &r);
                if (!e)
                        TRY(drop_copy(&f->disk[i], key, &r));
                err_free(e);
        }
        return NULL;
}

static struct err *merge_all(struct merge *m)
{
        AUTO_BUF struct buf key = BUF_INIT;

        for (;;) {
                struct str k = smallest(m);

                if (!k.p)
                        return NULL; /* an iterator that failed has been reported by fsck_records */
                buf_clear(&key);
                buf_adds(&key, k);
                TRY(buf_err(&key));
                TRY(judge_copies(m, buf_str(&key)));
                for (unsigned i = 0; i < m->fsck->n; i++)
                        if (m->it[i] && records_iter_valid(m->it[i]) &&
                            str_eq(records_iter_key(m->it[i]), buf_str(&key)))
                                records_iter_next(m->it[i]);
        }
}

struct err *fsck_duplicates(struct fsck *f)
{
        struct merge m = { .fsck = f };
        struct err *e = NULL;

        for (unsigned i = 0; i < f->n && !e; i++) {
                if (!f->disk[i].records)
                        continue;
                e = records_iter_new(f->disk[i].records, RECORDS_OBJECTS, STR_NONE, STR_NONE, true, &m.it[i]);
                if (!e)
                        records_iter_seek(m.it[i], STR_NONE);
        }
        if (!e)
                e = merge_all(&m);
        for (unsigned i = 0; i < f->n; i++)
                records_iter_free(m.it[i]);
        return e;
}
