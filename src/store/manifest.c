/* RocksDB's MANIFEST is a log file (its wiki page "Write Ahead Log File Format"): a row of blocks of 32 KiB. A record
 * never crosses a block: it is cut into fragments {masked CRC32C of type and payload, length of the payload, type,
 * payload}. A block's last bytes, too few for a fragment's head, are zero.
 *
 * Behind a bad fragment the place of the next one is not known, so every offset is tried; a checksum that fits by chance
 * will not be met. */
#include "store/manifest.h"

#include "base/buf.h"
#include "base/hash.h"
#include "os/file.h"

enum { BLOCK = 32768, HEAD = 7 };
enum fragment_type { FRAGMENT_FULL = 1, FRAGMENT_FIRST, FRAGMENT_MIDDLE, FRAGMENT_LAST };
#define FILE_MAX ((size_t)1 << 30)

struct fragment {
        enum fragment_type type;
        struct str payload;
};

static uint32_t u32_at(const char *p)
{
        const unsigned char *u = (const unsigned char *)p;

        return (uint32_t)u[0] | (uint32_t)u[1] << 8 | (uint32_t)u[2] << 16 | (uint32_t)u[3] << 24;
}

/* The fragment at this offset, if there is a whole one. */
static bool fragment_at(struct str file, size_t at, struct fragment *ret)
{
        size_t block_end = MIN((at / BLOCK + 1) * BLOCK, file.n), n;
        const char *p = file.p + at;
        uint32_t crc;

        if (at + HEAD > block_end)
                return false;
        n = (size_t)(unsigned char)p[4] | (size_t)(unsigned char)p[5] << 8;
        if (p[6] < FRAGMENT_FULL || p[6] > FRAGMENT_LAST || at + HEAD + n > block_end)
                return false;
        crc = hash_crc32c(0, p + 6, n + 1);
        if (((crc >> 15) | (crc << 17)) + 0xa282ead8u != u32_at(p))
                return false;
        *ret = (struct fragment){ (enum fragment_type)p[6], { p + HEAD, n } };
        return true;
}

/* Whether a whole record begins at or behind this offset. */
static bool record_behind(struct str file, size_t at)
{
        bool inside = false;

        while (at + HEAD <= file.n) {
                struct fragment f;

                if (!fragment_at(file, at, &f)) {
                        at++;
                        continue;
                }
                if (f.type == FRAGMENT_FULL || (f.type == FRAGMENT_LAST && inside))
                        return true;
                inside = f.type == FRAGMENT_FIRST || (inside && f.type == FRAGMENT_MIDDLE);
                at += HEAD + f.payload.n;
        }
        return false;
}

/* Where the next fragment begins: a block's last bytes hold none. */
static size_t skip_padding(size_t at)
{
        size_t left = BLOCK - at % BLOCK;

        return left < HEAD ? at + left : at;
}

bool manifest_is_cut(struct str manifest)
{
        size_t at = 0;

        while ((at = skip_padding(at)) < manifest.n) {
                struct fragment f;

                if (!fragment_at(manifest, at, &f))
                        return record_behind(manifest, at + 1);
                at += HEAD + f.payload.n;
        }
        return false;
}

struct err *manifest_check(const char *dir)
{
        AUTO_BUF struct buf current = BUF_INIT, manifest = BUF_INIT;
        AUTO_FD int fd = -1;
        char name[64];
        struct err *e;

        TRY(file_open_dir(AT_FDCWD, dir, &fd));
        e = file_read_all(fd, "CURRENT", sizeof(name), &current);
        if (!e && str_copy(name, sizeof(name), str_trim(buf_str(&current))) &&
            str_starts(str_of(name), STR("MANIFEST-")))
                e = file_read_all(fd, name, FILE_MAX, &manifest);
        if (e && e->code != ERR_NOT_FOUND && e->code != ERR_TOO_LARGE)
                return e;
        err_free(e); /* a new directory, or one that the engine will not like */
        return manifest_is_cut(buf_str(&manifest))
                       ? err_new(ERR_CORRUPT, "%s/%s is damaged: good records follow a bad one", dir, name)
                       : NULL;
}
