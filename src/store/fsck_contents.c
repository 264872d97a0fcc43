/* Content files that nothing names.
 *
 * With whole records such a file is garbage: what a crash left between the file and its record, or a removal that was
 * not finished. If records were lost or unreadable it may be the only copy of an object: it stays, and --rebuild makes
 * a record of it, if it describes an object, is whole, and no record of that name on any mountpath is as new. Of
 * several contents of one name the largest stamp wins, in whatever order they are met. */
#include "store/fsck_priv.h"

/* The stamp of the newest record with this key on any mountpath. */
static struct err *newest_stamp(struct fsck *f, struct str key, struct stamp *ret)
{
        struct stamp best = { 0, 0 };

        for (unsigned i = 0; i < f->n; i++) {
                AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
                struct record r;
                struct err *e;

                if (!f->disk[i].records)
                        continue;
                e = records_get(f->disk[i].records, RECORDS_OBJECTS, key, &v);
                if (!e)
                        e = record_decode_brief(key, v.data, &r);
                if (!e && stamp_cmp(r.stamp, best) > 0)
                        best = r.stamp;
                if (e && !fsck_is_finding(e))
                        return e;
                err_free(e);
        }
        *ret = best;
        return NULL;
}

static struct err *read_chunks(struct fsck_disk *d, const struct record *r)
{
        struct record_chunk chunk;

        for (struct str rest = r->chunks; record_chunk_next(&rest, &chunk);)
                TRY(fsck_read_content(d, chunk.id, chunk.size));
        return NULL;
}

/* Makes a record of a content's self-description. INVALID: it does not describe an object. */
static struct err *rebuild(struct fsck_disk *d, struct content_file *file, struct content_id id, bool *ret_rebuilt)
{
        AUTO_BUF struct buf self = BUF_INIT, value = BUF_INIT;
        char raw[RECORD_KEY_MAX], name[256];
        struct stamp stamp;
        struct obj_key key;
        struct record r;
        struct str k;

        TRY(content_file_self(file, &self));
        TRY(record_self_decode(buf_str(&self), &key, &r));
        TRY(record_key(&key, raw, &k));
        if (r.where == RECORD_FILE) {
                if (r.size != content_file_size(file))
                        return err_new(ERR_CORRUPT, "describes an object of another size");
                r.id = id; /* a copy describes its original */
                TRY(content_file_verify(file, 0, r.size));
                d->fsck->bytes_read += r.size;
        } else if (r.where == RECORD_CHUNKS) {
                TRY(read_chunks(d, &r));
        } else {
                return err_new(ERR_INVALID, "does not describe a content file");
        }
        TRY(newest_stamp(d->fsck, k, &stamp));
        if (stamp_cmp(stamp, r.stamp) >= 0)
                return NULL; /* an older version */
        record_encode(k, &r, &value);
        TRY(buf_err(&value));
        TRY(fsck_write_row(d, RECORDS_OBJECTS, k, buf_str(&value), false));
        d->max_hlc = MAX(d->max_hlc, r.stamp.hlc);
        d->fsck->report.rebuilt++;
        *ret_rebuilt = true;
        fsck_say(d->fsck, "%s: rebuilt %s of bucket %016llx, %llu bytes", d->path, fsck_name(key.name, name),
                 (unsigned long long)key.bid, (unsigned long long)r.size);
        return NULL;
}

static struct err *try_rebuild(struct fsck_disk *d, struct content_id id, bool *ret_rebuilt)
{
        struct content_file *file;
        struct err *e;

        TRY(content_file_open_any(d->contents, id, &file));
        e = rebuild(d, file, id, ret_rebuilt);
        content_file_close(file);
        return e;
}

/* First round of rebuilding: whatever describes an object. */
static struct err *rebuild_one(void *arg, struct content_id id, const struct stat *st)
{
        struct fsck_disk *d = arg;
        bool rebuilt = false;
        struct err *e;

        (void)st;
        fsck_progress(d->fsck, d);
        if (id_set_find(&d->named, id) >= 0)
                return NULL;
        e = try_rebuild(d, id, &rebuilt);
        if (e && !fsck_is_finding(e))
                return e;
        if (err_code(e) == ERR_INVALID) /* a part: its object's description is with the first of them */
                err_free(e);
        else if (e)
                fsck_say_err(d->fsck, e, "%s: content %016llx%016llx can not be rebuilt", d->path,
                             (unsigned long long)id.hi, (unsigned long long)id.lo);
        return NULL;
}

static struct err *orphan(void *arg, struct content_id id, const struct stat *st)
{
        struct fsck_disk *d = arg;
        struct fsck *f = d->fsck;

        fsck_progress(f, d);
        if (id_set_find(&d->named, id) >= 0)
                return NULL;
        f->report.orphans++;
        if (f->mode == FSCK_CHECK || d->lossy) {
                fsck_say(f, "%s: content %016llx%016llx of %lld bytes is named by no record", d->path,
                         (unsigned long long)id.hi, (unsigned long long)id.lo, (long long)st->st_size);
                return NULL;
        }
        TRY(content_remove(d->contents, id));
        f->report.repaired++;
        return NULL;
}

struct err *fsck_orphans(struct fsck_disk *d)
{
        if (d->fsck->mode == FSCK_REBUILD && d->lossy) {
                TRY(content_each(d->contents, rebuild_one, d));
                TRY(fsck_name_contents(d));
        }
        return content_each(d->contents, orphan, d);
}
