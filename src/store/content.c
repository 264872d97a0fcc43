/* Writing content files.
 *
 * Happy path: an unnamed file (O_TMPFILE) in its fan-out directory; data goes out in pieces of 256 KiB while its
 * checksums are computed; then the footer, the name, one fdatasync of the file and one fsync of the directory. The name
 * comes before the sync on purpose: the file system's commit of the file then covers the name too, and the second sync
 * finds nothing left to do. A power cut in between leaves a named file with anything in it, which no record mentions:
 * garbage. Files that outlive requests are suspended and resumed by content_resume.c.
 *
 * Failures: an error of write or sync breaks the writer for good (the kernel may have dropped the pages); the file is
 * then dropped, or, when it was kept before, left to be cut back by the next resume. */
#include <errno.h>
#include <endian.h>
#include <unistd.h>

#include "base/hash.h"
#include "os/random.h"
#include "store/content_priv.h"

enum {
        PIECE = CONTENT_PIECE,
        FOOTER_ROOM = 1024,          /* so that a small content and its footer leave in one pwrite */
        WRITEBACK = 8 * 1024 * 1024, /* write-back is hinted every so many bytes */
};

uint64_t content_writer_size(const struct content_writer *w)
{
        return w->written + w->fill;
}

struct content_id content_writer_id(const struct content_writer *w)
{
        return w->id;
}

void content__writer_free(struct content_writer *w)
{
        cleanup_fd(&w->fd);
        buf_fini(&w->sums);
        free(w->piece);
        free(w);
}

struct content_writer *content__writer_alloc(struct content_dir *d, struct content_id id)
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
        struct content_writer *w = content__writer_alloc(d, id);
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
                content__writer_free(w);
                return err_wrap(e, "begin a content");
        }
        *ret = w;
        return NULL;
}

/* ---- writing ---- */

/* Takes bytes into the checksums. They follow `written` and what of the buffer was summed before: `at` is their place
 * in the data. */
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

struct err *content__writer_flush(struct content_writer *w)
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
                TRY(content__writer_flush(w));
        *ret_taken = take;
        return NULL;
}

struct err *content_writer_write(struct content_writer *w, const void *p, size_t n)
{
        const char *at = p;

        if (w->broken)
                return err_new(ERR_IO, "an earlier write to this content failed");
        if (n > CONTENT_SIZE_MAX - content_writer_size(w))
                return err_new(ERR_TOO_LARGE, "a content holds at most %llu bytes",
                               (unsigned long long)CONTENT_SIZE_MAX);
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
struct err *content__writer_close_sums(struct content_writer *w)
{
        if (content_writer_size(w) % CONTENT_BLOCK != 0)
                buf_add_u32(&w->sums, w->crc);
        return buf_err(&w->sums);
}

/* ---- the ends of a writer ---- */

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
        content__writer_free(w);
}

/* Writes what is buffered and the footer, in one piece if both fit. */
static struct err *write_footer(struct content_writer *w, struct str self)
{
        AUTO_BUF struct buf footer = BUF_INIT;

        TRY(content__writer_close_sums(w));
        content__footer_add(&footer, w->id, content_writer_size(w), buf_str(&w->sums), self);
        TRY(buf_err(&footer));
        if (w->piece && footer.n <= w->cap - w->fill) {
                memcpy(w->piece + w->fill, footer.p, footer.n);
                w->fill += footer.n;
                return content__writer_flush(w);
        }
        TRY(content__writer_flush(w));
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
        /* What was kept was acknowledged: it may lose its name in work/ only when it is whole. */
        if (w->kept && !fast)
                TRY(file_datasync(w->fd));
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
        content__writer_free(w);
        return NULL;
}
