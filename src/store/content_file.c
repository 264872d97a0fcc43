/* Reading finished content files, block by block, each checked against the footer, which is read and checked once, at
 * open.
 *
 * A wrong checksum is ERR_CORRUPT with the file and block in its text; a file that ends early counts as corrupt too, an
 * error of the disk is ERR_IO. Nothing is tried again. The open file is immutable: any number of threads may read from
 * it. */
#include <endian.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/content_priv.h"

enum { READ_BLOCKS = 4 }; /* blocks per pread when only verifying: stays in the cache of the core */

struct content_file {
        struct content_dir *dir;
        struct content_id id;
        int fd;
        uint64_t size;
        uint32_t *sums; /* little-endian, one per block */
        struct buf footer; /* holds them */
};

/* Reads the whole footer: all that follows the data. */
static struct err *read_footer(int fd, uint64_t size, struct buf *b)
{
        uint64_t sums = content__blocks(size) * sizeof(uint32_t), n;
        struct stat st;
        char *p;

        TRY(file_stat(fd, &st));
        n = (uint64_t)st.st_size - size;
        if (size > CONTENT_SIZE_MAX || (uint64_t)st.st_size < size || n < sums + CONTENT_TRAILER ||
            n > sums + CONTENT_TRAILER + CONTENT_SELF_MAX)
                return err_new(ERR_CORRUPT, "file of %lld bytes can not hold %llu of data", (long long)st.st_size,
                               (unsigned long long)size);
        p = buf_reserve(b, (size_t)n);
        if (!p)
                return buf_err(b);
        TRY(file_pread_full(fd, p, (size_t)n, (int64_t)size));
        b->n = (size_t)n;
        return NULL;
}

static struct err *open_file(struct content_file *f, const char *path)
{
        struct str sums, self;

        TRY(file_open(f->dir->content_fd, path, O_RDONLY, 0, &f->fd));
        TRY(read_footer(f->fd, f->size, &f->footer));
        TRY(content__footer_parse(buf_str(&f->footer), f->id, f->size, &sums, &self));
        f->sums = (uint32_t *)(void *)f->footer.p; /* they come first, in memory from malloc */
        return NULL;
}

struct err *content_file_open(struct content_dir *d, struct content_id id, uint64_t size, struct content_file **ret)
{
        struct content_file *f = calloc(1, sizeof(*f));
        char path[CONTENT_PATH];
        struct err *e;

        if (!f)
                return err_static(ERR_NO_MEMORY);
        *f = (struct content_file){ .dir = d, .id = id, .fd = -1, .size = size };
        content__path(id, "", path);
        e = open_file(f, path);
        if (e) {
                content_file_close(f);
                return err_wrap(e, "content/%s", path);
        }
        *ret = f;
        return NULL;
}

struct err *content_file_open_any(struct content_dir *d, struct content_id id, struct content_file **ret)
{
        char path[CONTENT_PATH], trailer[CONTENT_TRAILER];
        AUTO_FD int fd = -1;
        struct buf_reader r;
        struct stat st;

        content__path(id, "", path);
        TRY(file_open(d->content_fd, path, O_RDONLY, 0, &fd));
        TRY(file_stat(fd, &st));
        if (st.st_size < (off_t)CONTENT_TRAILER)
                return err_new(ERR_CORRUPT, "content/%s: file of %lld bytes has no footer", path,
                               (long long)st.st_size);
        TRY(file_pread_full(fd, trailer, sizeof(trailer), st.st_size - (off_t)CONTENT_TRAILER));
        r = buf_reader_of((struct str){ trailer + 32, 8 });
        return content_file_open(d, id, buf_get_u64(&r), ret); /* which judges it */
}

void content_file_close(struct content_file *f)
{
        if (!f)
                return;
        cleanup_fd(&f->fd);
        buf_fini(&f->footer);
        free(f);
}

int content_file_fd(const struct content_file *f)
{
        return f->fd;
}

uint64_t content_file_size(const struct content_file *f)
{
        return f->size;
}

size_t content_file_memory(const struct content_file *f)
{
        return sizeof(*f) + f->footer.cap;
}

/* Checks whole blocks (the last of the file may be short) that stand in memory. */
static struct err *check_blocks(const struct content_file *f, uint64_t block, const char *p, size_t n)
{
        while (n > 0) {
                size_t len = MIN(n, (size_t)CONTENT_BLOCK);
                uint32_t crc = hash_crc32c(content__block_seed(f->id, block), p, len);

                if (UNLIKELY(crc != le32toh(f->sums[block]))) {
                        char path[CONTENT_PATH];

                        content__path(f->id, "", path);
                        return err_new(ERR_CORRUPT, "content/%s: block %llu has a wrong checksum", path,
                                       (unsigned long long)block);
                }
                block++;
                p += len;
                n -= len;
        }
        return NULL;
}

/* Bytes of the file from a block's start, at most max. */
static size_t bytes_from(const struct content_file *f, uint64_t block, size_t max)
{
        return (size_t)MIN(f->size - block * CONTENT_BLOCK, (uint64_t)max);
}

/* Reads and checks blocks into p. */
static struct err *read_blocks(struct content_file *f, uint64_t block, char *p, size_t n)
{
        struct err *e = file_pread_full(f->fd, p, n, (int64_t)(block * CONTENT_BLOCK));

        if (e) {
                char path[CONTENT_PATH];

                content__path(f->id, "", path);
                return err_wrap(e, "content/%s: block %llu", path, (unsigned long long)block);
        }
        return check_blocks(f, block, p, n);
}

static bool in_file(const struct content_file *f, uint64_t offset, uint64_t length)
{
        return offset <= f->size && length <= f->size - offset;
}

struct err *content_file_verify(struct content_file *f, uint64_t offset, uint64_t length)
{
        uint64_t block = offset / CONTENT_BLOCK, end;
        AUTO_FREE char *p = NULL;

        ASSERT(in_file(f, offset, length));
        if (length == 0)
                return NULL;
        end = content__blocks(offset + length);
        p = malloc(bytes_from(f, block, (size_t)MIN(end - block, READ_BLOCKS) * CONTENT_BLOCK));
        if (!p)
                return err_static(ERR_NO_MEMORY);
        for (; block < end; block += READ_BLOCKS) {
                size_t n = bytes_from(f, block, (size_t)MIN(end - block, READ_BLOCKS) * CONTENT_BLOCK);

                TRY(read_blocks(f, block, p, n));
        }
        return NULL;
}

/* Part of one block, by way of a buffer. */
static struct err *read_part(struct content_file *f, uint64_t offset, char *to, size_t n)
{
        uint64_t block = offset / CONTENT_BLOCK;
        size_t len = bytes_from(f, block, CONTENT_BLOCK);
        AUTO_FREE char *p = malloc(len);

        if (!p)
                return err_static(ERR_NO_MEMORY);
        TRY(read_blocks(f, block, p, len));
        memcpy(to, p + offset % CONTENT_BLOCK, n);
        return NULL;
}

struct err *content_file_read(struct content_file *f, uint64_t offset, void *p, size_t n)
{
        char *to = p;

        ASSERT(in_file(f, offset, n));
        while (n > 0) {
                size_t in_block = (size_t)(offset % CONTENT_BLOCK);
                size_t take = bytes_from(f, offset / CONTENT_BLOCK, CONTENT_BLOCK) -
                              in_block; /* to the end of this block */

                if (in_block > 0 || n < take) {
                        take = MIN(take, n);
                        TRY(read_part(f, offset, to, take));
                } else {
                        take = n == f->size - offset ? n : n - n % CONTENT_BLOCK;
                        TRY(read_blocks(f, offset / CONTENT_BLOCK, to, take));
                }
                offset += take;
                to += take;
                n -= take;
        }
        return NULL;
}

struct err *content_file_self(struct content_file *f, struct buf *b)
{
        AUTO_BUF struct buf file = BUF_INIT;
        struct str sums, self;
        char path[CONTENT_PATH];
        struct err *e;

        content__path(f->id, ".self", path);
        e = file_read_all(f->dir->content_fd, path, CONTENT_SELF_REPLACED_MAX + 64, &file);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                TRY(content__footer_parse(buf_str(&f->footer), f->id, f->size, &sums, &self));
        } else {
                if (err_code(e) == ERR_TOO_LARGE)
                        return err_recode(e, ERR_CORRUPT, "content/%s", path);
                TRY(e);
                TRY_WRAP(content__self_parse(buf_str(&file), f->id, &self), "content/%s", path);
        }
        buf_adds(b, self);
        return buf_err(b);
}

struct err *content_file_set_self(struct content_dir *d, struct content_id id, struct str self, bool fast)
{
        AUTO_BUF struct buf file = BUF_INIT;
        char path[CONTENT_PATH];
        struct stat st;

        (void)fast; /* a replacement that may be lost or torn would be worse than none */
        if (self.n > CONTENT_SELF_REPLACED_MAX)
                return err_new(ERR_TOO_LARGE, "description of %zu bytes", self.n);
        content__path(id, "", path);
        TRY(file_stat_at(d->content_fd, path, &st));
        content__path(id, ".self", path);
        content__self_add(&file, id, self);
        TRY(buf_err(&file));
        return file_replace(d->content_fd, path, buf_str(&file), 0600);
}
