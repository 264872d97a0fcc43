/* Writing content files.
 *
 * Happy path: an unnamed file (O_TMPFILE) in its fan-out directory; data goes out in pieces of 256 KiB while its checksums are computed; then the
 * footer, the name, one fdatasync of the file and one fsync of the directory. The name comes before the sync on purpose: the file system's
 * commit of the file then covers the name too, and the second sync finds nothing left to do. A power cut in between leaves a named file
 * with anything in it, which no record mentions: garbage.
 *
 * A suspended file has the name work/<id>, and beside it <id>.sum, a log of checksums: each suspend appends those of the blocks that are new or
 * have grown, after the data is synced. Data and log only grow, so a crash or an error at any moment leaves what was kept before readable
 * and protected.
 *
 * Failures: an error of write or sync breaks the writer for good (the kernel may have dropped the pages); the file is then dropped, or, when it was
 * kept before, left to be cut back by the next resume. */
#include <errno.h>
#include <endian.h>
#include <unistd.h>

#include "base/hash.h"
#include "os/random.h"
#include "store/content_priv.h"

enum {
        PIECE = 256 * 1024,           /* bytes per pwrite, and the buffer's bound */
        FOOTER_ROOM = 1024,           /* so that a small content and its footer leave in one pwrite */
        WRITEBACK = 8 * 1024 * 1024,  /* write-back is hinted every so many bytes */
        LOG_MAX = 256 * 1024 * 1024   /* longest checksum log that is read */
};

struct content_writer {
        struct content_dir *dir;
        struct content_id id;
        int fd;
        bool named;       /* work/<id> exists */
        bool kept;        /* it was suspended before: an abort must not delete it */
        bool broken;      /* a write failed */
        uint64_t written; /* bytes in the file; the buffer follows */
        uint64_t hinted;  /* write-back was asked for up to here */
        char *piece;      /* made when first needed */
        size_t fill, cap;
        uint32_t crc;     /* of the last, partial block */
        struct buf sums;  /* of the full blocks, little-endian */
        uint64_t log_end, log_size; /* end of the checksum log, and bytes of data it tells of */
};

uint64_t content_writer_size(const struct content_writer *w)
{
        return w->written + w->fill;
}

struct content_id content_writer_id(const struct content_writer *w)
{
        return w->id;
}

static void writer_free(struct content_writer *w)
{
        cleanup_fd(&w->fd);
        buf_fini(&w->sums);
        free(w->piece);
        free(w);
}

static struct content_writer *writer_alloc(struct content_dir *d, struct content_id id)
{
        struct content_writer *w = calloc(1, sizeof(*w));

        if (!w)
                return NULL;
        w->dir = d;
        w->id = id;
        w->fd = -1;
        return w;
}

/* File systems without O_TMPFILE say so by one of these. */
static bool no_tmpfile(const struct err *e)
{
        return e->sys == EOPNOTSUPP || e->sys == EISDIR || e->sys == EINVAL || e->sys == ENOSYS;
}

static struct err *open_new(struct content_writer *w)
{
        char path[CONTENT_PATH], name[CONTENT_NAME];
        struct err *e;

        if (!w->dir->no_tmpfile) {
                content__path(w->id, "", path);
                path[2] = '\0';
                e = file_open(w->dir->content_fd, path, O_TMPFILE | O_RDWR, 0600, &w->fd);
                if (!e || !no_tmpfile(e))
                        return e;
                err_free(e);
                w->dir->no_tmpfile = true;
        }
        content__name(w->id, name);
        TRY(file_open(w->dir->work_fd, name, O_CREAT | O_EXCL | O_RDWR, 0600, &w->fd));
        w->named = true;
        return NULL;
}

/* Enough for a content of the hinted size with its footer, at most a piece; at least a block, since hints may lie. */
static size_t buffer_size(int64_t size_hint)
{
        size_t want = PIECE;

        if (size_hint >= 0 && size_hint < PIECE - FOOTER_ROOM)
                want = (size_t)size_hint + FOOTER_ROOM;
        return MAX(want, (size_t)CONTENT_BLOCK);
}

struct err *content_writer_new(struct content_dir *d, int64_t size_hint, struct content_writer **ret)
{
        struct content_id id = { random_u64(), random_u64() };
        struct content_writer *w = writer_alloc(d, id);
        struct err *e;

        if (!w)
                return err_static(ERR_NO_MEMORY);
        w->cap = buffer_size(size_hint);
        e = content__flight_add(d, id);
        if (!e) {
                e = open_new(w);
                if (e)
                        content_settled(d, id);
        }
        if (e) {
                writer_free(w);
                return err_wrap(e, "begin a content");
        }
        *ret = w;
        return NULL;
}

/* ---- resume ---- */

/* Checks the last, partial block and goes on with its checksum. */
static struct err *resume_partial(struct content_writer *w, uint64_t size)
{
        size_t n = (size_t)(size % CONTENT_BLOCK);
        AUTO_FREE char *block = NULL;
        uint32_t want;

        if (n == 0)
                return NULL;
        block = malloc(n);
        if (!block)
                return err_static(ERR_NO_MEMORY);
        w->sums.n -= sizeof(want);
        memcpy(&want, w->sums.p + w->sums.n, sizeof(want));
        TRY(file_pread_full(w->fd, block, n, (int64_t)(size - n)));
        w->crc = hash_crc32c(content__block_seed(w->id, size / CONTENT_BLOCK), block, n);
        if (w->crc != le32toh(want))
                return err_new(ERR_CORRUPT, "block %llu has a wrong checksum", (unsigned long long)(size / CONTENT_BLOCK));
        return NULL;
}

static struct err *resume_file(struct content_writer *w, const char *name, uint64_t size)
{
        char log_name[CONTENT_NAME + 8];
        AUTO_BUF struct buf log = BUF_INIT;
        struct stat st;

        TRY(file_open(w->dir->work_fd, name, O_RDWR, 0, &w->fd));
        TRY(file_stat(w->fd, &st));
        if ((uint64_t)st.st_size < size)
                return err_new(ERR_CORRUPT, "%lld bytes are left of %llu", (long long)st.st_size, (unsigned long long)size);
        memcpy(log_name, name, CONTENT_NAME - 1);
        memcpy(log_name + CONTENT_NAME - 1, ".sum", 5);
        if (size > 0) {
                struct err *e = file_read_all(w->dir->work_fd, log_name, LOG_MAX, &log);

                if (e)
                        return err_recode(e, err_code(e) == ERR_NOT_FOUND ? ERR_CORRUPT : err_code(e), "read checksums");
        }
        TRY(content__log_replay(buf_str(&log), w->id, size, &w->sums, &w->log_end));
        TRY(resume_partial(w, size));
        if ((uint64_t)st.st_size > size)
                TRY(file_truncate(w->fd, (int64_t)size));
        return NULL;
}

struct err *content_writer_resume(struct content_dir *d, struct content_id id, uint64_t size, struct content_writer **ret)
{
        struct content_writer *w = writer_alloc(d, id);
        char name[CONTENT_NAME];
        struct err *e;

        if (!w)
                return err_static(ERR_NO_MEMORY);
        content__name(id, name);
        w->cap = PIECE;
        w->named = w->kept = true;
        w->written = w->hinted = w->log_size = size;
        e = content__flight_add(d, id);
        if (!e) {
                e = resume_file(w, name, size);
                if (e)
                        content_settled(d, id);
        }
        if (e) {
                writer_free(w);
                return err_wrap(e, "go on with work/%s", name);
        }
        *ret = w;
        return NULL;
}

/* ---- writing ---- */

/* Takes bytes into the checksums. They follow `written` and what of the buffer was summed before: `at` is their place in the data. */
static void sum(struct content_writer *w, uint64_t at, const char *p, size_t n)
{
        while (n > 0) {
                size_t in_block = (size_t)(at % CONTENT_BLOCK), take = MIN(n, CONTENT_BLOCK - in_block);

                if (in_block == 0)
                        w->crc = content__block_seed(w->id, at / CONTENT_BLOCK);
                w->crc = hash_crc32c(w->crc, p, take);
                if (in_block + take == CONTENT_BLOCK)
                        buf_add_u32(&w->sums, w->crc);
                at += take;
                p += take;
                n -= take;
        }
}

static struct err *put_out(struct content_writer *w, const char *p, size_t n)
{
        struct err *e = file_pwrite_full(w->fd, p, n, (int64_t)w->written);

        if (e) {
                w->broken = true;
                return e;
        }
        w->written += n;
        if (w->written - w->hinted >= WRITEBACK) {
                file_writeback_hint(w->fd, (int64_t)w->hinted, (int64_t)(w->written - w->hinted));
                w->hinted = w->written;
        }
        return NULL;
}

static struct err *flush(struct content_writer *w)
{
        if (w->fill == 0)
                return NULL;
        TRY(put_out(w, w->piece, w->fill));
        w->fill = 0;
        return NULL;
}

/* Copies what fits into the buffer, which is flushed when full or at a multiple of its size in the file. */
static struct err *buffer(struct content_writer *w, const char *p, size_t n, size_t *ret_taken)
{
        size_t take;

        if (!w->piece) {
                w->piece = malloc(w->cap);
                if (!w->piece) {
                        w->broken = true;
                        return err_static(ERR_NO_MEMORY);
                }
        }
        take = MIN(n, w->cap - w->fill);
        take = MIN(take, PIECE - (size_t)(content_writer_size(w) % PIECE));
        sum(w, content_writer_size(w), p, take);
        memcpy(w->piece + w->fill, p, take);
        w->fill += take;
        if (w->fill == w->cap || content_writer_size(w) % PIECE == 0)
                TRY(flush(w));
        *ret_taken = take;
        return NULL;
}

struct err *content_writer_write(struct content_writer *w, const void *p, size_t n)
{
        const char *at = p;

        if (w->broken)
                return err_new(ERR_IO, "an earlier write to this content failed");
        if (n > CONTENT_SIZE_MAX - content_writer_size(w))
                return err_new(ERR_TOO_LARGE, "a content holds at most %llu bytes", (unsigned long long)CONTENT_SIZE_MAX);
        while (n > 0) {
                size_t taken = 0;

                if (w->fill == 0 && n >= PIECE && w->written % CONTENT_BLOCK == 0) {
                        taken = PIECE;
                        sum(w, w->written, at, taken);
                        TRY(put_out(w, at, taken));
                } else {
                        TRY(buffer(w, at, n, &taken));
                }
                at += taken;
                n -= taken;
        }
        if (w->sums.bad) {
                w->broken = true;
                return buf_err(&w->sums);
        }
        return NULL;
}

/* Ends the checksums with that of the last, partial block. */
static struct err *close_sums(struct content_writer *w)
{
        if (content_writer_size(w) % CONTENT_BLOCK != 0)
                buf_add_u32(&w->sums, w->crc);
        return buf_err(&w->sums);
}

/* ---- the three ends of a writer ---- */

static void drop_name(struct content_writer *w)
{
        char name[CONTENT_NAME];

        if (!w->named || w->kept)
                return;
        content__name(w->id, name);
        err_free(file_unlink(w->dir->work_fd, name)); /* cleaning finds what stays */
}

void content_writer_abort(struct content_writer *w)
{
        if (!w)
                return;
        drop_name(w);
        content_settled(w->dir, w->id);
        writer_free(w);
}

/* Appends the checksums that changed since the last suspend to the log. */
static struct err *write_log(struct content_writer *w, const char *name, bool fast)
{
        char log_name[CONTENT_NAME + 8];
        uint64_t first = w->log_size / CONTENT_BLOCK;
        AUTO_BUF struct buf entry = BUF_INIT;
        AUTO_FD int fd = -1;

        memcpy(log_name, name, CONTENT_NAME - 1);
        memcpy(log_name + CONTENT_NAME - 1, ".sum", 5);
        content__log_add(&entry, w->id, w->log_end, w->written, first, str_skip(buf_str(&w->sums), (size_t)first * sizeof(uint32_t)));
        TRY(buf_err(&entry));
        TRY(file_open(w->dir->work_fd, log_name, O_CREAT | O_RDWR, 0600, &fd));
        TRY(file_truncate(fd, (int64_t)w->log_end)); /* what a failed suspend left */
        TRY(file_pwrite_full(fd, entry.p, entry.n, (int64_t)w->log_end));
        return fast ? NULL : file_datasync(fd);
}

static struct err *suspend(struct content_writer *w, bool fast)
{
        char name[CONTENT_NAME];

        if (w->broken)
                return err_new(ERR_IO, "an earlier write to this content failed");
        content__name(w->id, name);
        TRY(flush(w));
        TRY(close_sums(w));
        if (!fast)
                TRY(file_datasync(w->fd));
        if (!w->named) {
                TRY(file_link_tmp(w->fd, w->dir->work_fd, name));
                w->named = true;
        }
        TRY(write_log(w, name, fast));
        return fast ? NULL : file_sync(w->dir->work_fd);
}

struct err *content_writer_suspend(struct content_writer *w, bool fast)
{
        struct err *e = suspend(w, fast);

        if (e) {
                content_writer_abort(w);
                return err_wrap(e, "keep an unfinished content");
        }
        writer_free(w);
        return NULL;
}

/* Writes what is buffered and the footer, in one piece if both fit. */
static struct err *write_footer(struct content_writer *w, struct str self)
{
        AUTO_BUF struct buf footer = BUF_INIT;

        TRY(close_sums(w));
        content__footer_add(&footer, w->id, content_writer_size(w), buf_str(&w->sums), self);
        TRY(buf_err(&footer));
        if (w->piece && footer.n <= w->cap - w->fill) {
                memcpy(w->piece + w->fill, footer.p, footer.n);
                w->fill += footer.n;
                return flush(w);
        }
        TRY(flush(w));
        return put_out(w, footer.p, footer.n);
}

static struct err *finish(struct content_writer *w, struct str self, bool fast)
{
        char path[CONTENT_PATH], name[CONTENT_NAME];
        struct err *e;

        if (w->broken)
                return err_new(ERR_IO, "an earlier write to this content failed");
        TRY(write_footer(w, self));
        content__path(w->id, "", path);
        content__name(w->id, name);
        if (w->kept && !fast)
                TRY(file_datasync(w->fd)); /* its data was acknowledged: it may lose the name in work/ only when it is whole */
        if (w->named)
                TRY(file_rename(w->dir->work_fd, name, w->dir->content_fd, path));
        else
                TRY(file_link_tmp(w->fd, w->dir->content_fd, path));
        e = fast || w->kept ? NULL : file_datasync(w->fd);
        if (!e && !fast)
                e = content__sync_fanout(w->dir, w->id);
        if (e && !w->kept)
                err_free(file_unlink(w->dir->content_fd, path));
        w->named = false;
        return e;
}

struct err *content_writer_finish(struct content_writer *w, struct str self, bool fast)
{
        struct err *e;

        ASSERT(self.n <= CONTENT_SELF_MAX);
        e = finish(w, self, fast);
        if (e) {
                content_writer_abort(w);
                return err_wrap(e, "finish a content");
        }
        writer_free(w);
        return NULL;
}
