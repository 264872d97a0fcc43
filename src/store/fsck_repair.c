/* What fsck does about damage: the quarantine, and records that the engine can not open.
 *
 * quarantine/ lies beside content/ and holds, until a person removes it:
 *   <16 hex digits>.row        a row that could not be read or whose content is bad: {family, key, value, CRC32C} (docs/format/mountpath.md)
 *   <content id>[.self]        a content file with a wrong block, as it was
 *   records-<16 hex digits>/   the record files as they were before the engine repaired them: links to its immutable files, copies of the others */
#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

#include "os/random.h"
#include "store/fsck_priv.h"

enum { COPY_MAX = 1 << 30, PIECE = 1 << 20 };

static struct err *open_quarantine(struct fsck_disk *d)
{
        if (d->quarantine_fd >= 0)
                return NULL;
        TRY(file_mkdir(d->orlop_fd, "quarantine", 0700));
        TRY(file_open_dir(d->orlop_fd, "quarantine", &d->quarantine_fd));
        return file_sync(d->orlop_fd);
}

struct err *fsck_write_row(struct fsck_disk *d, enum records_family family, struct str key, struct str value, bool remove)
{
        struct records_batch *b = records_batch_new();
        struct err *e;

        if (!b)
                return err_static(ERR_NO_MEMORY);
        if (remove)
                records_batch_delete(b, d->records, family, key);
        else
                records_batch_put(b, d->records, family, key, value);
        e = records_write(d->records, b, true);
        records_batch_free(b);
        return e;
}

struct err *fsck_quarantine_row(struct fsck_disk *d, enum records_family family, struct str key, struct str value)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char name[32];

        TRY(open_quarantine(d));
        buf_addc(&b, (char)family);
        buf_add_lstr(&b, key);
        buf_add_lstr(&b, value);
        TRY(buf_err(&b));
        buf_add_u32(&b, hash_crc32c(0, b.p, b.n));
        TRY(buf_err(&b));
        (void)snprintf(name, sizeof(name), "%016llx.row", (unsigned long long)random_u64());
        TRY(file_replace(d->quarantine_fd, name, buf_str(&b), 0600));
        TRY(fsck_write_row(d, family, key, STR_NONE, true));
        d->fsck->report.repaired++;
        return NULL;
}

struct err *fsck_quarantine_content(struct fsck_disk *d, struct content_id id)
{
        TRY(open_quarantine(d));
        return content_quarantine(d->contents, id, d->quarantine_fd);
}

/* ---- records that can not be opened ---- */

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
        AUTO_FD int from = -1, to = -1;
        struct set_aside a;

        TRY(open_quarantine(d));
        (void)snprintf(name, 32, "records-%016llx", (unsigned long long)random_u64());
        TRY(file_mkdir(d->quarantine_fd, name, 0700));
        TRY(file_open_dir(d->quarantine_fd, name, &to));
        TRY(file_open_dir(d->orlop_fd, "records", &from));
        a = (struct set_aside){ from, to };
        TRY(file_each(from, ".", set_aside_one, &a));
        TRY(file_sync(to));
        return file_sync(d->quarantine_fd);
}

/* The engine's own rescue, on a directory of which a copy was kept. */
static struct err *engine_repair(struct fsck_disk *d)
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
                return NULL;
        }
        fsck_say(d->fsck, "%s: records were repaired; objects may be missing", d->path);
        d->fsck->report.repaired++;
        return NULL;
}

static struct err *begin_anew(struct fsck_disk *d)
{
        char name[32];
        struct stat st;
        struct err *e = file_stat_at(d->orlop_fd, "records", &st);

        if (!e) { /* what is left of them after a failed repair; what they were is set aside already */
                TRY(open_quarantine(d));
                (void)snprintf(name, sizeof(name), "records-%016llx", (unsigned long long)random_u64());
                TRY(file_rename(d->orlop_fd, "records", d->quarantine_fd, name));
                TRY(file_sync(d->quarantine_fd));
        } else if (err_code(e) != ERR_NOT_FOUND) {
                return e;
        }
        err_free(e);
        TRY(records_open(d->fsck->env, d->records_dir, true, &d->records));
        TRY(file_sync(d->orlop_fd));
        d->fresh = true;
        fsck_say(d->fsck, "%s: records were begun anew", d->path);
        return NULL;
}

struct err *fsck_open_records(struct fsck_disk *d)
{
        struct err *e = records_open(d->fsck->env, d->records_dir, false, &d->records);
        bool absent = err_code(e) == ERR_NOT_FOUND;

        if (!e)
                return NULL;
        d->records = NULL;
        if (!absent && err_code(e) != ERR_CORRUPT && err_code(e) != ERR_IO)
                return e;
        d->lossy = true;
        d->fsck->report.corrupt++;
        if (absent) {
                err_free(e);
                fsck_say(d->fsck, "%s: there are no records", d->path);
        } else {
                fsck_say_err(d->fsck, e, "%s: records can not be opened", d->path);
                if (d->fsck->mode != FSCK_CHECK)
                        TRY(engine_repair(d));
        }
        if (d->records)
                return NULL;
        if (d->fsck->mode == FSCK_REBUILD)
                return begin_anew(d);
        fsck_say(d->fsck, "%s: --rebuild makes records from the content files", d->path);
        return NULL;
}
