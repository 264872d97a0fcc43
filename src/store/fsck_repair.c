/* The quarantine, and changes of rows.
 *
 * quarantine/ lies beside content/ and holds, until a person removes it (docs/format/mountpath.md):
 *   <16 hex digits>.row        a row that could not be read or whose content is bad
 *   <content id>[.self]        a content file with a wrong block, as it was
 *   records-<16 hex digits>/   the record files as they were before the engine repaired them */
#include <stdio.h>

#include "os/random.h"
#include "store/fsck_priv.h"

struct err *fsck_open_quarantine(struct fsck_disk *d)
{
        if (d->quarantine_fd >= 0)
                return NULL;
        TRY(file_mkdir(d->orlop_fd, "quarantine", 0700));
        TRY(file_open_dir(d->orlop_fd, "quarantine", &d->quarantine_fd));
        return file_sync(d->orlop_fd);
}

static struct err *write_row(struct fsck_disk *d, enum records_family family, struct str key, struct str value,
                             bool remove, bool sync)
{
        struct records_batch *b = records_batch_new();
        struct err *e;

        if (!b)
                return err_static(ERR_NO_MEMORY);
        if (remove)
                records_batch_delete(b, d->records, family, key);
        else
                records_batch_put(b, d->records, family, key, value);
        e = records_write(d->records, b, sync);
        records_batch_free(b);
        return e;
}

struct err *fsck_write_row(struct fsck_disk *d, enum records_family family, struct str key, struct str value,
                           bool remove)
{
        return write_row(d, family, key, value, remove, true);
}

struct err *fsck_write_row_unsynced(struct fsck_disk *d, enum records_family family, struct str key, struct str value)
{
        return write_row(d, family, key, value, false, false);
}

struct err *fsck_quarantine_row(struct fsck_disk *d, enum records_family family, struct str key, struct str value)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char name[32];

        TRY(fsck_open_quarantine(d));
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
        TRY(fsck_open_quarantine(d));
        return content_quarantine(d->contents, id, d->quarantine_fd);
}
