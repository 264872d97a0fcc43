/* Writing the journal: records one after the other into a file, then into the next one.
 *
 * A synced record goes around the page cache where the file system can do that (O_DIRECT): the write is on its way to
 * the disk at once, and the sync that follows has nothing left to do but to flush the disk's cache. Others go to the page
 * cache. Both kinds mix: the kernel keeps them coherent, and no block is shared by two records.
 *
 * Before the first record of the next file, all of the last one is synced: only the newest file may end in what is not
 * on stable storage. Files that the database holds are used again, the oldest first; a new one grows the first time.
 *
 * After a failed write or sync the journal takes nothing more: what it holds is not known. */
#include "store/journal_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define LOG_FOLDER "store"
#include "base/hash.h"
#include "base/log.h"
#include "os/file.h"

#define KEEP_RECORD ((size_t)1 << 20)

/* ---- a record being made ---- */

static bool reserve(struct journal_record *r, size_t n)
{
        size_t cap = r->cap ? r->cap : 16 * JOURNAL_BLOCK;
        char *p;

        if (n <= r->cap)
                return true;
        while (cap < n)
                cap *= 2;
        p = aligned_alloc(JOURNAL_BLOCK, cap);
        if (!p) {
                r->bad = true;
                return false;
        }
        if (r->n > 0)
                memcpy(p, r->p, r->n);
        free(r->p);
        r->p = p;
        r->cap = cap;
        return true;
}

void journal_record_add(struct journal_record *r, const void *p, size_t n)
{
        size_t at = MAX(r->n, (size_t)JOURNAL_HEAD);

        if (r->bad || !reserve(r, at + n + JOURNAL_BLOCK)) /* and the padding */
                return;
        if (n > 0)
                memcpy(r->p + at, p, n);
        r->n = at + n;
}

void journal_record_clear(struct journal_record *r)
{
        if (r->cap > KEEP_RECORD)
                journal_record_fini(r);
        r->n = 0;
        r->bad = false;
}

void journal_record_fini(struct journal_record *r)
{
        free(r->p);
        *r = (struct journal_record){ NULL, 0, 0, false };
}

static void put(char *p, uint64_t v, unsigned bytes)
{
        for (unsigned i = 0; i < bytes; i++)
                p[i] = (char)(v >> (8 * i));
}

/* The layout is in docs/format/journal.md and, once more, in journal_scan.c. */
static void finish(const struct journal *j, struct journal_record *r, size_t padded)
{
        memset(r->p, 0, JOURNAL_HEAD);
        memset(r->p + r->n, 0, padded - r->n);
        memcpy(r->p, JOURNAL_MAGIC, 4);
        put(r->p + 8, r->n - JOURNAL_HEAD, 8);
        put(r->p + 16, j->place.id, 8);
        put(r->p + 24, j->segment, 8);
        put(r->p + 32, j->last + 1, 8);
        put(r->p + 40, j->synced, 8);
        put(r->p + 4, hash_crc32c(0, r->p + 8, r->n - 8), 4);
}

/* ---- the note ---- */

/* Not synced itself: a crash of the process leaves the page cache, so that it is exact; a power cut leaves an older one,
 * which is true as well. Without it only damage in the very last record is less sure to be seen: no reason to stop. */
static void write_note(struct journal *j)
{
        char b[JOURNAL_NOTE_SIZE] = JOURNAL_NOTE_MAGIC;
        struct err *e;

        put(b + 8, j->place.id, 8);
        put(b + 16, j->synced, 8);
        put(b + 24, hash_crc32c(0, b, 24), 4);
        e = file_pwrite_full(j->note, b, sizeof(b), 0);
        if (!e)
                return;
        if (!j->note_failed)
                log_err(LOG_WARN, LOG_FOLDER, e, "how much of the journal is synced could not be noted");
        else
                err_free(e);
        j->note_failed = true;
}

/* ---- files ---- */

void journal_file_name(unsigned index, char name[static 32])
{
        (void)snprintf(name, 32, JOURNAL_PREFIX "%u", index);
}

static bool is_free(const struct journal *j, const struct journal_file *f)
{
        return f != j->current && f->last <= j->place.flushed;
}

static struct journal_file *oldest_free(struct journal *j)
{
        struct journal_file *best = NULL;

        for (unsigned i = 0; i < j->nfiles; i++)
                if (is_free(j, &j->file[i]) && (!best || j->file[i].segment < best->segment))
                        best = &j->file[i];
        return best;
}

static struct err *make_file(struct journal *j, struct journal_file **ret)
{
        unsigned index = 0;
        char name[32];
        AUTO_FD int fd = -1;

        if (j->nfiles == JOURNAL_FILES_MAX)
                return err_new(ERR_BUSY, "the journal has %u files, and none is free", j->nfiles);
        for (unsigned i = 0; i < j->nfiles; i++)
                index = MAX(index, j->file[i].index + 1);
        journal_file_name(index, name);
        TRY(file_open(j->dirfd, name, O_RDWR | O_CREAT | O_EXCL, 0600, &fd));
        TRY(file_sync(j->dirfd));
        j->file[j->nfiles] = (struct journal_file){ .index = index };
        *ret = &j->file[j->nfiles++];
        return NULL;
}

/* The file that is written to; around the page cache if that is possible. */
static struct err *open_file(struct journal *j, const struct journal_file *f)
{
        char name[32];
        struct err *e;

        journal_file_name(f->index, name);
        cleanup_fd(&j->fd);
        cleanup_fd(&j->direct);
        TRY(file_open(j->dirfd, name, O_RDWR, 0, &j->fd));
        if (j->no_direct)
                return NULL;
        e = file_open(j->dirfd, name, O_RDWR | O_DIRECT, 0, &j->direct);
        if (e)
                j->no_direct = true; /* this file system can not */
        err_free(e);
        return NULL;
}

static struct err *next_file(struct journal *j)
{
        struct journal_file *f;

        if (j->current)
                TRY(journal_sync(j));
        f = oldest_free(j);
        if (!f)
                TRY(make_file(j, &f));
        TRY(open_file(j, f));
        j->current = f;
        j->segment++;
        j->at = 0;
        *f = (struct journal_file){ .index = f->index, .segment = j->segment, .last = j->last };
        return NULL;
}

/* ---- writing ---- */

static struct err *write_bytes(struct journal *j, const char *p, size_t n, bool sync)
{
        if (sync && j->direct >= 0) {
                struct err *e = file_pwrite_full(j->direct, p, n, (int64_t)j->at);

                if (!e || e->sys != EINVAL)
                        return e;
                err_free(e); /* opened, but not done */
                j->no_direct = true;
                cleanup_fd(&j->direct);
        }
        return file_pwrite_full(j->fd, p, n, (int64_t)j->at);
}

static struct err *append(struct journal *j, struct journal_record *r, bool sync)
{
        size_t padded = (r->n + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;

        if (!j->current || (j->at > 0 && j->at + padded > j->segment_bytes))
                TRY(next_file(j));
        finish(j, r, padded);
        TRY(write_bytes(j, r->p, padded, sync));
        if (sync)
                TRY(file_datasync(j->fd));
        j->at += padded;
        j->current->last = ++j->last;
        j->sealed = false;
        if (!sync)
                return NULL;
        j->synced = j->last;
        write_note(j);
        return NULL;
}

static struct err *refuse(const struct journal *j)
{
        return j->broken ? err_new(ERR_IO, "an earlier write to the journal failed") : NULL;
}

struct err *journal_append(struct journal *j, struct journal_record *r, bool sync)
{
        struct err *e;

        TRY(refuse(j));
        journal_record_add(r, NULL, 0);
        if (r->bad)
                return err_static(ERR_NO_MEMORY);
        e = append(j, r, sync);
        j->broken = e;
        return e ? err_wrap(e, "journal") : NULL;
}

struct err *journal_sync(struct journal *j)
{
        struct err *e;

        TRY(refuse(j));
        if (j->synced == j->last)
                return NULL;
        e = file_datasync(j->fd);
        if (e) {
                j->broken = true;
                return err_wrap(e, "journal");
        }
        j->synced = j->last;
        write_note(j);
        return NULL;
}

struct err *journal_seal(struct journal *j)
{
        struct journal_record r = { NULL, 0, 0, false };
        struct err *e;

        if (j->sealed || j->broken || !j->current || j->synced != j->last)
                return NULL;
        e = journal_append(j, &r, false);
        j->sealed = true;
        journal_record_fini(&r);
        return e;
}

uint64_t journal_last(const struct journal *j)
{
        return j->last;
}

void journal_flushed(struct journal *j, uint64_t number)
{
        j->place.flushed = MAX(j->place.flushed, number);
}

unsigned journal_live(const struct journal *j)
{
        unsigned n = 0;

        for (unsigned i = 0; i < j->nfiles; i++)
                n += j->file[i].last > j->place.flushed;
        return n;
}

void journal_close(struct journal *j)
{
        if (!j)
                return;
        cleanup_fd(&j->direct);
        cleanup_fd(&j->fd);
        cleanup_fd(&j->note);
        cleanup_fd(&j->dirfd);
        free(j);
}
