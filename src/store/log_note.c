/* The note is 32 bytes: "orlopsyn", number of the log, its length, CRC32C of these, zero (docs/format/mountpath.md).
 *
 * The engine changes logs by itself, before a write or when it flushes, also from other threads. Our writes go to the
 * newest log, and a write makes its log longer: when the one that is open did not grow, the newest that is not empty is
 * looked for. */
#include "store/log_note.h"

#include <stdio.h>
#include <unistd.h>

#define LOG_FOLDER "store"
#include "base/hash.h"
#include "base/log.h"
#include "os/file.h"

#define MAGIC "orlopsyn"
enum { NOTE_SIZE = 32, NOTE_CHECKED = 24 };

bool log_note_read(int dirfd, struct log_note *ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct err *e = file_read_all(dirfd, LOG_NOTE_FILE, NOTE_SIZE, &b);
        struct buf_reader r;
        struct log_note note;

        if (e || b.n != NOTE_SIZE || !str_starts(buf_str(&b), STR(MAGIC))) {
                err_free(e);
                return false;
        }
        r = buf_reader_of(str_skip(buf_str(&b), sizeof(MAGIC) - 1));
        note.number = buf_get_u64(&r);
        note.length = buf_get_u64(&r);
        if (buf_get_u32(&r) != hash_crc32c(0, b.p, NOTE_CHECKED))
                return false;
        *ret = note;
        return true;
}

void log_note_remove(const char *dir)
{
        AUTO_FD int fd = -1;
        struct err *e = file_open_dir(AT_FDCWD, dir, &fd);

        if (!e)
                e = file_unlink(fd, LOG_NOTE_FILE);
        if (e && err_code(e) != ERR_NOT_FOUND) {
                log_err(LOG_WARN, LOG_FOLDER, e, "%s/" LOG_NOTE_FILE " could not be removed", dir);
                return;
        }
        err_free(e);
}

/* Without a note only the very last record is less sure: no reason to stop. */
static void fail(struct log_noter *n, struct err *e)
{
        if (!n->failed)
                log_err(LOG_WARN, LOG_FOLDER, e, "the length of the log could not be noted");
        else
                err_free(e);
        n->failed = true;
}

void log_noter_init(struct log_noter *n, const char *dir)
{
        struct err *e;

        *n = (struct log_noter){ .dirfd = -1, .note = -1, .log = -1 };
        e = file_open_dir(AT_FDCWD, dir, &n->dirfd);
        if (!e)
                e = file_open(n->dirfd, LOG_NOTE_FILE, O_RDWR | O_CREAT, 0600, &n->note);
        if (e)
                fail(n, e);
}

void log_noter_fini(struct log_noter *n)
{
        cleanup_fd(&n->log);
        cleanup_fd(&n->note);
        cleanup_fd(&n->dirfd);
}

static struct err *newest(void *arg, const char *name, unsigned char type)
{
        struct log_noter *n = arg;
        struct str s = str_of(name);
        uint64_t number;
        struct stat st;
        struct err *e;

        (void)type;
        if (!str_ends(s, STR(".log")) || !str_u64((struct str){ s.p, s.n - 4 }, &number) || number <= n->number)
                return NULL;
        e = file_stat_at(n->dirfd, name, &st);
        if (!e && st.st_size > 0)
                n->number = number;
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e); /* an old one, just removed */
        return NULL;
}

static struct err *find_log(struct log_noter *n)
{
        char name[32];

        cleanup_fd(&n->log);
        n->number = n->length = 0;
        TRY(file_each(n->dirfd, ".", newest, n));
        if (n->number == 0)
                return err_static(ERR_NOT_FOUND);
        (void)snprintf(name, sizeof(name), "%06llu.log", (unsigned long long)n->number);
        return file_open(n->dirfd, name, O_RDONLY, 0, &n->log);
}

static struct err *measure(struct log_noter *n)
{
        struct stat st = { 0 };

        if (n->log >= 0)
                TRY(file_stat(n->log, &st));
        if (n->log < 0 || (uint64_t)st.st_size <= n->length) {
                TRY(find_log(n));
                TRY(file_stat(n->log, &st));
        }
        n->length = (uint64_t)st.st_size;
        return NULL;
}

static struct err *write_note(const struct log_noter *n)
{
        AUTO_BUF struct buf b = BUF_INIT;

        buf_adds(&b, STR(MAGIC));
        buf_add_u64(&b, n->number);
        buf_add_u64(&b, n->length);
        TRY(buf_err(&b));
        buf_add_u32(&b, hash_crc32c(0, b.p, NOTE_CHECKED));
        buf_add_u32(&b, 0);
        TRY(buf_err(&b));
        return file_pwrite_full(n->note, b.p, b.n, 0);
}

void log_noter_written(struct log_noter *n, bool synced)
{
        struct err *e;

        if (n->note < 0)
                return;
        e = measure(n);
        if (!e && synced)
                e = write_note(n);
        if (e)
                fail(n, e);
}
