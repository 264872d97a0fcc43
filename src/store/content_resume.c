/* Contents that outlive requests: suspend, resume, and reading back what is not finished.
 *
 * A suspended file has the name work/<id>, and beside it <id>.sum, a log of checksums: each suspend appends those of
 * the blocks that are new or have grown, after the data is synced. Data and log only grow, so a crash or an error at
 * any moment leaves what was kept before readable and protected. */
#include <endian.h>

#include "base/hash.h"
#include "store/content_priv.h"

enum { LOG_MAX = 256 * 1024 * 1024 }; /* longest checksum log that is read */

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
                return err_new(ERR_CORRUPT, "block %llu has a wrong checksum",
                               (unsigned long long)(size / CONTENT_BLOCK));
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
                return err_new(ERR_CORRUPT, "%lld bytes are left of %llu", (long long)st.st_size,
                               (unsigned long long)size);
        memcpy(log_name, name, CONTENT_NAME - 1);
        memcpy(log_name + CONTENT_NAME - 1, ".sum", 5);
        if (size > 0) {
                struct err *e = file_read_all(w->dir->work_fd, log_name, LOG_MAX, &log);

                if (e)
                        return err_recode(e, err_code(e) == ERR_NOT_FOUND ? ERR_CORRUPT : err_code(e),
                                          "read checksums");
        }
        TRY(content__log_replay(buf_str(&log), w->id, size, &w->sums, &w->log_end));
        TRY(resume_partial(w, size));
        if ((uint64_t)st.st_size > size)
                TRY(file_truncate(w->fd, (int64_t)size));
        return NULL;
}

struct err *content_writer_resume(struct content_dir *d, struct content_id id, uint64_t size,
                                  struct content_writer **ret)
{
        struct content_writer *w = content__writer_alloc(d, id);
        char name[CONTENT_NAME];
        struct err *e;

        if (!w)
                return err_static(ERR_NO_MEMORY);
        content__name(id, name);
        w->cap = CONTENT_PIECE;
        w->named = w->kept = true;
        w->written = w->hinted = w->log_size = size;
        e = content__flight_add(d, id);
        if (!e) {
                e = resume_file(w, name, size);
                if (e)
                        content_settled(d, id);
        }
        if (e) {
                content__writer_free(w);
                return err_wrap(e, "go on with work/%s", name);
        }
        *ret = w;
        return NULL;
}

/* ---- suspend ---- */

/* Appends the checksums that changed since the last suspend to the log. */
static struct err *write_log(struct content_writer *w, const char *name, bool fast)
{
        char log_name[CONTENT_NAME + 8];
        uint64_t first = w->log_size / CONTENT_BLOCK;
        AUTO_BUF struct buf entry = BUF_INIT;
        AUTO_FD int fd = -1;

        memcpy(log_name, name, CONTENT_NAME - 1);
        memcpy(log_name + CONTENT_NAME - 1, ".sum", 5);
        content__log_add(&entry, w->id, w->log_end, w->written, first,
                         str_skip(buf_str(&w->sums), (size_t)first * sizeof(uint32_t)));
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
        TRY(content__writer_flush(w));
        TRY(content__writer_close_sums(w));
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
        content__writer_free(w);
        return NULL;
}

/* ---- reading back ---- */

struct err *content_writer_read_back(struct content_writer *w, struct err *(*fn)(void *arg, const void *p, size_t n),
                                     void *arg)
{
        AUTO_FREE char *p = malloc(CONTENT_BLOCK);

        if (!p)
                return err_static(ERR_NO_MEMORY);
        if (w->broken)
                return err_new(ERR_IO, "an earlier write to this content failed");
        TRY(content__writer_flush(w));
        for (uint64_t block = 0; block < content__blocks(w->written); block++) {
                uint64_t at = block * CONTENT_BLOCK;
                size_t n = (size_t)MIN(w->written - at, (uint64_t)CONTENT_BLOCK);
                uint32_t want = w->crc; /* of a partial block */

                TRY(file_pread_full(w->fd, p, n, (int64_t)at));
                if (n == CONTENT_BLOCK) {
                        memcpy(&want, w->sums.p + block * sizeof(want), sizeof(want));
                        want = le32toh(want);
                }
                if (hash_crc32c(content__block_seed(w->id, block), p, n) != want)
                        return err_new(ERR_CORRUPT, "block %llu of an unfinished content has a wrong checksum",
                                       (unsigned long long)block);
                TRY(fn(arg, p, n));
        }
        return NULL;
}
