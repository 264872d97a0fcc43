/* Reading RocksDB's log files (its wiki page "Write Ahead Log File Format").
 *
 * A file is a row of blocks of 32 KiB. A record never crosses a block: it is cut into fragments {masked CRC32C of
 * type and payload, length of the payload, type, payload}. A block's last bytes, too few for a fragment's head, are
 * zero. A record's payload is a batch: sequence number, count, changes; our mark is the last of these.
 *
 * Up to the first bad fragment the fragments follow each other. Behind it the place of the next one is not known, so
 * every offset is tried; a checksum that fits by chance, and a mark besides, will not be met. A fragment counts only
 * when its record begins behind the bad place. */
#include "store/log_tail.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buf.h"
#include "base/hash.h"
#include "os/file.h"
#include "store/log_note.h"

enum { BLOCK = 32768, HEAD = 7, BATCH_HEAD = 12, TAG_LOG_DATA = 3 };
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

static uint64_t u64_at(const char *p)
{
        return u32_at(p) | (uint64_t)u32_at(p + 4) << 32;
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

static bool is_marked(struct str payload)
{
        static const char tail[] = { TAG_LOG_DATA, sizeof(LOG_TAIL_MARK) - 1 };
        struct str mark = STR(LOG_TAIL_MARK);

        if (!str_ends(payload, mark) || payload.n < mark.n + sizeof(tail))
                return false;
        return memcmp(payload.p + payload.n - mark.n - sizeof(tail), tail, sizeof(tail)) == 0;
}

/* Whether a whole record begins at or behind this offset; a marked one, if that is asked for. */
static bool record_behind(struct str file, size_t at, bool marked)
{
        bool inside = false;

        while (at + HEAD <= file.n) {
                struct fragment f;

                if (!fragment_at(file, at, &f)) {
                        at++;
                        continue;
                }
                if (f.type == FRAGMENT_FIRST)
                        inside = true;
                if ((f.type == FRAGMENT_FULL || (f.type == FRAGMENT_LAST && inside)) &&
                    (!marked || is_marked(f.payload)))
                        return true;
                if (f.type == FRAGMENT_FULL || f.type == FRAGMENT_LAST)
                        inside = false;
                at += HEAD + f.payload.n;
        }
        return false;
}

/* The record that is being put together. */
struct open_record {
        bool inside;
        char head[BATCH_HEAD]; /* may be cut by a fragment's end too */
        size_t head_n;
};

/* Takes the next fragment, and note of a whole record's numbers. False when a fragment stands where it can not. */
static bool follow(const struct fragment *f, struct open_record *o, struct log_facts *ret)
{
        bool begins = f->type == FRAGMENT_FULL || f->type == FRAGMENT_FIRST;
        size_t n;

        if (begins == o->inside)
                return false;
        if (begins)
                o->head_n = 0;
        n = MIN(f->payload.n, BATCH_HEAD - o->head_n);
        memcpy(o->head + o->head_n, f->payload.p, n);
        o->head_n += n;
        o->inside = f->type == FRAGMENT_FIRST || f->type == FRAGMENT_MIDDLE;
        if (o->inside)
                return true;
        if (o->head_n < BATCH_HEAD)
                return false;
        if (!ret->first_sequence)
                ret->first_sequence = u64_at(o->head);
        ret->next_sequence = u64_at(o->head) + u32_at(o->head + 8);
        return true;
}

/* Where the next fragment begins: a block's last bytes hold none. */
static size_t skip_padding(size_t at)
{
        size_t left = BLOCK - at % BLOCK;

        return left < HEAD ? at + left : at;
}

static bool all_zero(struct str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i])
                        return false;
        return true;
}

void log_tail_read(struct str file, struct log_facts *ret)
{
        size_t at = 0, record_at = 0;
        struct open_record o = { .inside = false };

        *ret = (struct log_facts){ .tail = LOG_TAIL_SOUND, .bad_at = -1 };
        while ((at = skip_padding(at)) < file.n) {
                struct fragment f;

                if (!o.inside)
                        record_at = at;
                if (!fragment_at(file, at, &f) || !follow(&f, &o, ret))
                        break;
                at += HEAD + f.payload.n;
                if (!o.inside)
                        ret->good = at;
        }
        if (at >= file.n && !o.inside)
                return;
        if (!o.inside && all_zero(str_skip(file, at)))
                return; /* space that was reserved */
        ret->bad_at = (int64_t)record_at;
        ret->tail = record_behind(file, MIN(at, file.n), true) ? LOG_TAIL_DAMAGED : LOG_TAIL_TORN;
}

bool log_tail_is_cut(struct str manifest)
{
        size_t at = 0;

        while ((at = skip_padding(at)) < manifest.n) {
                struct fragment f;

                if (!fragment_at(manifest, at, &f))
                        return record_behind(manifest, at + 1, false);
                at += HEAD + f.payload.n;
        }
        return false;
}

/* ---- a directory ---- */

struct log_files {
        size_t n, cap;
        uint64_t *number;
};

static struct err *collect(void *arg, const char *name, unsigned char type)
{
        struct log_files *l = arg;
        struct str s = str_of(name);
        uint64_t number;

        (void)type;
        if (!str_ends(s, STR(".log")) || !str_u64((struct str){ s.p, s.n - 4 }, &number))
                return NULL;
        if (l->n == l->cap) { /* one more with each start, until the engine writes out what they hold */
                size_t cap = l->cap ? l->cap * 2 : 16;
                uint64_t *more = reallocarray(l->number, cap, sizeof(*more));

                if (!more)
                        return err_static(ERR_NO_MEMORY);
                l->number = more;
                l->cap = cap;
        }
        l->number[l->n++] = number;
        return NULL;
}

static int by_number(const void *a, const void *b)
{
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

/* What follows a torn file must go on where it ends, else acknowledged records are missing in between. */
static enum log_tail judge_next(const struct log_facts *before, const struct log_facts *f)
{
        bool gap = before->tail == LOG_TAIL_TORN && f->first_sequence && f->first_sequence != before->next_sequence;

        return gap ? LOG_TAIL_DAMAGED : f->tail;
}

static struct err *judge_files(int fd, const struct log_files *files, enum log_tail *ret, char name[static 64])
{
        struct log_facts before = { .tail = LOG_TAIL_SOUND }, f;
        enum log_tail worst = LOG_TAIL_SOUND;
        struct log_note note = { 0, 0 };

        (void)log_note_read(fd, &note);
        for (size_t i = 0; i < files->n; i++) {
                AUTO_BUF struct buf b = BUF_INIT;
                AUTO_FD int log = -1;
                char file[64];
                enum log_tail here;

                (void)snprintf(file, sizeof(file), "%06llu.log", (unsigned long long)files->number[i]);
                TRY(file_read_all(fd, file, FILE_MAX, &b));
                TRY(file_open(fd, file, O_RDONLY, 0, &log));
                TRY_WRAP(file_datasync(log), "%s", file);
                log_tail_read(buf_str(&b), &f);
                here = judge_next(&before, &f);
                if (files->number[i] == note.number && f.good < note.length)
                        here = LOG_TAIL_DAMAGED;
                if (here > worst) {
                        worst = here;
                        (void)snprintf(name, 64, "%s", file);
                }
                before = f;
        }
        *ret = worst;
        return NULL;
}

struct err *log_tail_judge(const char *dir, enum log_tail *ret, char name[static 64])
{
        struct log_files files = { 0 };
        AUTO_FD int fd = -1;
        struct err *e;

        TRY(file_open_dir(AT_FDCWD, dir, &fd));
        e = file_each(fd, ".", collect, &files);
        if (!e && files.n > 0)
                qsort(files.number, files.n, sizeof(files.number[0]), by_number);
        if (!e)
                e = judge_files(fd, &files, ret, name);
        free(files.number);
        return e;
}

struct err *log_tail_check_manifest(const char *dir)
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
        return log_tail_is_cut(buf_str(&manifest))
                       ? err_new(ERR_CORRUPT, "%s/%s is damaged: good records follow a bad one", dir, name)
                       : NULL;
}
