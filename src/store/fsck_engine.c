/* Records that the engine can not read: the directory is set aside, the engine repairs it, and what its repair forgets
 * is brought back from the blob files; or, when rebuilding, they are begun anew. Everything that was there stays in
 * quarantine/records-<number>: links to files that the engine never changes, copies of the others. */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "os/random.h"
#include "store/fsck_priv.h"
#include "store/salvage.h"

enum { PIECE = 1 << 20 };

/* ---- setting aside ---- */

struct set_aside {
        int from, to;
};

static struct err *copy_file(const struct set_aside *a, int from, const char *name)
{
        AUTO_FREE char *piece = malloc(PIECE);
        AUTO_FD int to = -1;
        int64_t at = 0;

        if (!piece)
                return err_static(ERR_NO_MEMORY);
        TRY(file_open(a->to, name, O_CREAT | O_EXCL | O_WRONLY, 0600, &to));
        for (;;) {
                size_t n;

                TRY(file_pread(from, piece, PIECE, at, &n));
                if (n == 0)
                        return file_sync(to);
                TRY(file_pwrite_full(to, piece, n, at));
                at += (int64_t)n;
        }
}

/* Table and blob files are never changed by the engine: a second name keeps them. */
static struct err *set_aside_one(void *arg, const char *name, unsigned char type)
{
        const struct set_aside *a = arg;
        AUTO_FD int fd = -1;

        if (type != DT_REG && type != DT_UNKNOWN)
                return NULL;
        TRY(file_open(a->from, name, O_RDONLY, 0, &fd));
        if (str_ends(str_of(name), STR(".sst")) || str_ends(str_of(name), STR(".blob"))) {
                struct err *e = file_link_tmp(fd, a->to, name);

                if (!e)
                        return NULL;
                err_free(e); /* a file system without links: copy */
        }
        return copy_file(a, fd, name);
}

static struct err *set_aside(struct fsck_disk *d, char name[static 32])
{
        AUTO_FD int from = -1;
        AUTO_FD int to = -1;
        struct set_aside a;

        TRY(fsck_open_quarantine(d));
        (void)snprintf(name, 32, "records-%016llx", (unsigned long long)random_u64());
        TRY(file_mkdir(d->quarantine_fd, name, 0700));
        TRY(file_open_dir(d->quarantine_fd, name, &to));
        TRY(file_open_dir(d->orlop_fd, "records", &from));
        a = (struct set_aside){ from, to };
        TRY(file_each(from, ".", set_aside_one, &a));
        TRY(file_sync(to));
        return file_sync(d->quarantine_fd);
}

/* ---- values of blob files ---- */

/* Whether a small content that was found in a blob file is one that the records lack. */
static struct err *is_lacking(struct fsck_disk *d, struct str key, struct content_id id, size_t size, bool *ret)
{
        AUTO_RECORDS_VALUE struct records_value row = { STR_NONE, NULL }, small = { STR_NONE, NULL };
        struct content_id have;
        struct record r;
        struct str data;
        struct err *e = records_get(d->records, RECORDS_OBJECTS, key, &row);
        bool wanted;

        if (!e)
                e = record_decode(key, row.data, &r);
        if (e && !fsck_is_finding(e))
                return e;
        wanted = e ? d->fsck->mode == FSCK_REBUILD
                   : r.where == RECORD_SMALL && content_id_eq(r.id, id) && r.size == size;
        err_free(e);
        if (wanted) {
                e = records_get(d->records, RECORDS_SMALL, key, &small);
                if (!e)
                        e = record_small_decode(key, small.data, &have, &data);
                if (e && !fsck_is_finding(e))
                        return e;
                /* Ids of small contents are stamps: the larger is the newer. */
                wanted = e || have.hi < id.hi || (have.hi == id.hi && have.lo < id.lo);
                err_free(e);
        }
        *ret = wanted;
        return NULL;
}

static struct err *bring_back(void *arg, struct str key, struct str value)
{
        struct fsck_disk *d = arg;
        struct content_id id;
        struct str data;
        struct err *e = record_small_decode(key, value, &id, &data);
        bool lacking;

        if (e) { /* damaged, and known by our own checksum */
                err_free(e);
                return NULL;
        }
        TRY(is_lacking(d, key, id, data.n, &lacking));
        if (!lacking)
                return NULL;
        d->salvaged++;
        return fsck_write_row_unsynced(d, RECORDS_SMALL, key, value);
}

static struct err *salvage(struct fsck_disk *d, const char *name)
{
        AUTO_FD int fd = -1;

        TRY(file_open_dir(d->quarantine_fd, name, &fd));
        TRY_WRAP(salvage_blobs(fd, bring_back, d), "read blob files of quarantine/%s", name);
        if (d->salvaged > 0)
                fsck_say(d->fsck, "%s: %llu small contents were brought back from blob files", d->path,
                         (unsigned long long)d->salvaged);
        return records_sync(d->records);
}

/* ---- repairing ---- */

static struct err *begin_anew(struct fsck_disk *d)
{
        char name[32];
        struct stat st;
        struct err *e = file_stat_at(d->orlop_fd, "records", &st);

        if (!e) { /* what a failed repair left; what it was before is set aside already */
                TRY(fsck_open_quarantine(d));
                (void)snprintf(name, sizeof(name), "records-%016llx", (unsigned long long)random_u64());
                TRY(file_rename(d->orlop_fd, "records", d->quarantine_fd, name));
                TRY(file_sync(d->quarantine_fd));
        } else if (err_code(e) != ERR_NOT_FOUND) {
                return e;
        }
        err_free(e);
        TRY(records_open(d->fsck->env, d->records_dir, true, &d->records));
        TRY(file_sync(d->orlop_fd));
        fsck_say(d->fsck, "%s: records were begun anew", d->path);
        return NULL;
}

/* The engine's own rescue, on a directory of which a copy was kept. Records that stay closed are not an error unless
 * rebuilding. */
static struct err *repair(struct fsck_disk *d)
{
        char name[32];
        struct err *e;

        TRY_WRAP(set_aside(d, name), "set records aside");
        fsck_say(d->fsck, "%s: the record files as they are were kept as quarantine/%s", d->path, name);
        e = records_repair(d->fsck->env, d->records_dir);
        if (!e)
                e = records_open(d->fsck->env, d->records_dir, false, &d->records);
        if (e) {
                d->records = NULL;
                fsck_say_err(d->fsck, e, "%s: records could not be repaired", d->path);
                if (d->fsck->mode != FSCK_REBUILD)
                        return NULL;
                TRY(begin_anew(d));
        } else {
                fsck_say(d->fsck, "%s: records were repaired; objects may be missing", d->path);
                d->fsck->report.repaired++;
        }
        return salvage(d, name);
}

/* Whether the engine can walk through all tables. A damaged value in a blob file concerns one object only and is left
 * to the check of records. */
static struct err *walk_tables(struct fsck_disk *d)
{
        for (int f = 0; f < RECORDS_FAMILIES; f++) {
                struct records_iter *it;
                struct err *e;

                TRY(records_iter_new(d->records, (enum records_family)f, STR_NONE, STR_NONE, true, &it));
                for (records_iter_seek(it, STR_NONE); records_iter_valid(it); records_iter_next(it))
                        fsck_progress(d->fsck, d);
                e = records_iter_error(it);
                records_iter_free(it);
                if (e && f == RECORDS_SMALL && strstr(e->msg, ".sst") == NULL) {
                        err_free(e);
                        e = NULL;
                }
                TRY(e);
        }
        return NULL;
}

struct err *fsck_open_records(struct fsck_disk *d)
{
        struct err *e = records_open(d->fsck->env, d->records_dir, false, &d->records);
        bool absent = err_code(e) == ERR_NOT_FOUND;

        if (e)
                d->records = NULL;
        else if (d->fsck->mode != FSCK_CHECK) /* a check reports it while it reads the records */
                e = walk_tables(d);
        if (!e)
                return NULL;
        if (!absent && err_code(e) != ERR_CORRUPT && err_code(e) != ERR_IO)
                return e;
        d->lossy = d->fresh = true;
        d->fsck->report.corrupt++;
        if (absent) {
                err_free(e);
                fsck_say(d->fsck, "%s: there are no records", d->path);
        } else {
                fsck_say_err(d->fsck, e, "%s: records can not be read", d->path);
        }
        records_close_abruptly(d->records);
        d->records = NULL;
        if (d->fsck->mode != FSCK_CHECK && !absent)
                TRY(repair(d));
        if (d->fsck->mode == FSCK_REBUILD && absent)
                TRY(begin_anew(d));
        if (!d->records)
                fsck_say(d->fsck, "%s: --rebuild makes records from the content files", d->path);
        return NULL;
}
