/* Log files as one tar.gz, made as it is written: never more than a piece of input in memory besides the result.
 *
 * The current file grows while it is packed, so each member's length is fixed when its header is written; a file
 * that shrank or vanished meanwhile (rotation) is filled with NULs or left out. */
#include <stdio.h>
#include <string.h>
#include <zlib.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/logfile_priv.h"

enum { TAR_BLOCK = 512, PIECE = 64 * 1024 };

struct packer {
        z_stream z;
        struct buf *out;
        size_t before, max;
};

static struct err *pack(struct packer *k, const void *p, size_t n, int flush)
{
        k->z.next_in = (Bytef *)(uintptr_t)p;
        k->z.avail_in = (uInt)n;
        for (;;) {
                char *room = buf_reserve(k->out, PIECE);
                int r;

                if (!room)
                        return buf_err(k->out);
                k->z.next_out = (Bytef *)room;
                k->z.avail_out = PIECE;
                r = deflate(&k->z, flush);
                ASSERT(r == Z_OK || r == Z_STREAM_END || r == Z_BUF_ERROR);
                k->out->n += PIECE - k->z.avail_out;
                if (k->out->n - k->before > k->max)
                        return err_new(ERR_TOO_LARGE, "logs are larger than %zu bytes", k->max);
                if (k->z.avail_out > 0)
                        return NULL;
        }
}

/* A ustar header (POSIX.1-2017, pax, "ustar Interchange Format"). */
static struct err *pack_header(struct packer *k, const char *name, uint64_t size, int64_t mtime_sec)
{
        char h[TAR_BLOCK];
        unsigned sum = 0;

        memset(h, 0, sizeof(h));
        (void)snprintf(h, 100, "%s", name);
        (void)snprintf(h + 100, 8, "%07o", 0640u);
        (void)snprintf(h + 108, 8, "%07o", 0u);
        (void)snprintf(h + 116, 8, "%07o", 0u);
        (void)snprintf(h + 124, 12, "%011llo", (unsigned long long)(size & 077777777777ull));
        (void)snprintf(h + 136, 12, "%011llo", (unsigned long long)(mtime_sec > 0 ? mtime_sec : 0) & 077777777777ull);
        memset(h + 148, ' ', 8);
        h[156] = '0';
        memcpy(h + 257, "ustar\00000", 8);
        for (unsigned i = 0; i < sizeof(h); i++)
                sum += (unsigned char)h[i];
        (void)snprintf(h + 148, 8, "%06o", sum);
        return pack(k, h, sizeof(h), Z_NO_FLUSH);
}

static struct err *pack_zeros(struct packer *k, uint64_t n)
{
        static const char zeros[TAR_BLOCK * 2];

        for (; n > 0; n -= MIN(n, sizeof(zeros)))
                TRY(pack(k, zeros, (size_t)MIN(n, sizeof(zeros)), Z_NO_FLUSH));
        return NULL;
}

static uint64_t padding(uint64_t size)
{
        return (TAR_BLOCK - size % TAR_BLOCK) % TAR_BLOCK;
}

static struct err *pack_file(struct packer *k, int dirfd, const char *name)
{
        AUTO_BUF struct buf piece = BUF_INIT;
        AUTO_FD int fd = -1;
        struct stat st;
        struct err *e = file_open(dirfd, name, O_RDONLY, 0, &fd);
        uint64_t at = 0, size;
        char *p;

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        if (e)
                return e;
        TRY(file_stat(fd, &st));
        p = buf_reserve(&piece, PIECE);
        if (!p)
                return buf_err(&piece);
        size = (uint64_t)st.st_size;
        TRY(pack_header(k, name, size, st.st_mtim.tv_sec));
        while (at < size) {
                size_t n;

                TRY(file_pread(fd, p, (size_t)MIN(size - at, (uint64_t)PIECE), (int64_t)at, &n));
                if (n == 0)
                        break;
                TRY(pack(k, p, n, Z_NO_FLUSH));
                at += n;
        }
        return pack_zeros(k, size - at + padding(size));
}

static struct err *pack_tail(struct packer *k, const char *stem, struct str tail)
{
        char name[LOGFILE_NAME_MAX];

        (void)snprintf(name, sizeof(name), "%.64s.log", stem);
        TRY(pack_header(k, name, tail.n, clock_wall_ns() / NS_PER_SEC));
        TRY(pack(k, tail.p, tail.n, Z_NO_FLUSH));
        return pack_zeros(k, padding(tail.n));
}

static struct err *pack_all(struct packer *k, int dirfd, const struct logfile_names *names, const char *stem,
                            struct str tail)
{
        for (unsigned i = 0; i < names->n; i++)
                TRY(pack_file(k, dirfd, names->name[i]));
        if (names->n == 0)
                TRY(pack_tail(k, stem, tail));
        TRY(pack_zeros(k, (uint64_t)TAR_BLOCK * 2));
        return pack(k, "", 0, Z_FINISH);
}

struct err *logfile__targz(int dirfd, const struct logfile_names *names, const char *stem, struct str tail, size_t max,
                           struct buf *b)
{
        struct packer k = { .out = b, .before = b->n, .max = max };
        struct err *e;

        if (deflateInit2(&k.z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) /* + 16: gzip framing */
                return err_static(ERR_NO_MEMORY);
        e = pack_all(&k, dirfd, names, stem, tail);
        (void)deflateEnd(&k.z);
        return e;
}
