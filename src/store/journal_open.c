/* Opening the journal: which files there are, what they hold above the number that the database holds, and whether that
 * is all that was on stable storage.
 *
 * Files are taken in the order of their segments; each begins with the number after the last one of the file before,
 * also where that one ended in a torn record: its number was given again. Files that the database holds wholly, known by
 * the first number of the next one, are not read.
 *
 * Damage: a number is missing that a record or the note calls synced. What was read is synced before it counts. */
#include "store/journal_priv.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define LOG_FOLDER "store"
#include "base/buf.h"
#include "base/hash.h"
#include "base/log.h"
#include "os/file.h"

#define FILE_MAX ((size_t)2 << 30)

struct found {
        unsigned index;
        struct journal_facts facts;
        bool empty;
};
struct finder {
        struct journal *j;
        struct found file[JOURNAL_FILES_MAX]; /* once sorted, by segment */
        unsigned n;
        uint64_t next;   /* number that is expected */
        uint64_t synced; /* everything up to it was on stable storage */
        journal_apply_fn *apply;
        void *arg;
};

static struct err *collect(void *arg, const char *name, unsigned char type)
{
        struct finder *f = arg;
        struct str s = str_of(name), prefix = STR(JOURNAL_PREFIX);
        uint64_t index;

        (void)type;
        if (!str_starts(s, prefix) || !str_u64(str_skip(s, prefix.n), &index) || index > UINT32_MAX / 2)
                return NULL;
        if (f->n == JOURNAL_FILES_MAX)
                return err_new(ERR_CORRUPT, "more than %u files of the journal", JOURNAL_FILES_MAX);
        f->file[f->n++].index = (unsigned)index;
        return NULL;
}

static struct err *read_file(const struct finder *f, const struct found *x, struct buf *b)
{
        char name[32];

        journal_file_name(x->index, name);
        return file_read_all(f->j->dirfd, name, FILE_MAX, b);
}

/* The first record alone: enough to sort. */
static struct err *look_first(struct finder *f, struct found *x)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_FD int fd = -1;
        char name[32];
        struct stat st;
        size_t n = JOURNAL_BLOCK, got;

        journal_file_name(x->index, name);
        TRY(file_open(f->j->dirfd, name, O_RDONLY, 0, &fd));
        TRY(file_stat(fd, &st));
        x->empty = st.st_size == 0;
        for (;;) { /* again with all of it, if the record is longer */
                buf_clear(&b);
                if (!buf_reserve(&b, n))
                        return err_static(ERR_NO_MEMORY);
                TRY(file_pread(fd, b.p, n, 0, &got));
                journal_scan((struct str){ b.p, got }, f->j->place.id, f->j->place.flushed, &x->facts);
                if (x->facts.segment > 0 || n >= (size_t)st.st_size || n > FILE_MAX)
                        return NULL;
                n *= 8;
        }
}

static struct err *look_whole(struct finder *f, struct found *x)
{
        AUTO_BUF struct buf b = BUF_INIT;

        TRY(read_file(f, x, &b));
        journal_scan(buf_str(&b), f->j->place.id, f->j->place.flushed, &x->facts);
        f->synced = MAX(f->synced, x->facts.synced);
        f->j->segment = MAX(f->j->segment, x->facts.segment_max);
        return NULL;
}

static int by_segment(const void *a, const void *b)
{
        const struct found *x = a, *y = b;

        return x->facts.segment != y->facts.segment ? (x->facts.segment < y->facts.segment ? -1 : 1)
                                                    : (x->index < y->index ? -1 : 1);
}

/* Whether the database holds all of it: the next one begins no later than the number after. */
static bool is_held(const struct finder *f, unsigned i)
{
        return f->file[i].facts.segment > 0 && i + 1 < f->n &&
               f->file[i + 1].facts.first <= f->j->place.flushed + 1;
}

static struct err *look(struct finder *f)
{
        TRY(file_each(f->j->dirfd, ".", collect, f));
        for (unsigned i = 0; i < f->n; i++)
                TRY(look_first(f, &f->file[i]));
        qsort(f->file, f->n, sizeof(f->file[0]), by_segment);
        for (unsigned i = 0; i < f->n; i++) {
                if (!is_held(f, i))
                        TRY(look_whole(f, &f->file[i]));
                else
                        f->file[i].facts.last = f->file[i + 1].facts.first - 1;
                f->j->segment = MAX(f->j->segment, f->file[i].facts.segment_max);
        }
        return NULL;
}

static void read_note(struct finder *f)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_ERR struct err *e = file_read_all(f->j->dirfd, JOURNAL_NOTE, JOURNAL_NOTE_SIZE, &b);
        struct buf_reader r;
        uint64_t id, synced;

        if (e || b.n != JOURNAL_NOTE_SIZE || !str_starts(buf_str(&b), STR(JOURNAL_NOTE_MAGIC)))
                return;
        r = buf_reader_of(str_skip(buf_str(&b), 8));
        id = buf_get_u64(&r);
        synced = buf_get_u64(&r);
        if (id == f->j->place.id && buf_get_u32(&r) == hash_crc32c(0, b.p, 24))
                f->synced = MAX(f->synced, synced);
}

/* ---- what the database lacks ---- */

static struct err *datasync(const struct finder *f, const struct found *x)
{
        AUTO_FD int fd = -1;
        char name[32];

        journal_file_name(x->index, name);
        TRY(file_open(f->j->dirfd, name, O_RDONLY, 0, &fd));
        return file_datasync(fd);
}

static struct err *apply_file(struct finder *f, const struct found *x)
{
        AUTO_BUF struct buf b = BUF_INIT;
        size_t at = 0;
        uint64_t number;
        struct str payload;

        TRY(datasync(f, x));
        TRY(read_file(f, x, &b));
        while (f->next <= x->facts.last &&
               journal_next(buf_str(&b), f->j->place.id, x->facts.segment, &at, &number, &payload)) {
                if (number != f->next)
                        continue; /* held by the database */
                TRY(f->apply(f->arg, payload));
                f->next++;
        }
        return NULL;
}

/* Which files a missing number may have been in: the one whose row ends before it, and those that do not begin with a
 * record. */
static struct err *damaged(const struct finder *f)
{
        AUTO_BUF struct buf b = BUF_INIT;

        for (unsigned i = 0; i < f->n; i++)
                if ((f->file[i].facts.segment == 0 && !f->file[i].empty) || f->file[i].facts.last == f->next - 1)
                        buf_printf(&b, "%s" JOURNAL_PREFIX "%u", b.n ? ", " : "", f->file[i].index);
        return err_new(ERR_CORRUPT, "%s damaged: record %llu of the journal was on stable storage and is missing",
                       b.n ? buf_cstr(&b) : "a file is absent or", (unsigned long long)f->next);
}

/* Whether the newest file has lost its first record: then not even the numbers in it are known to follow the others. */
static bool is_headless(const struct finder *f)
{
        uint64_t segment = f->n ? f->file[f->n - 1].facts.segment : 0;

        for (unsigned i = 0; i < f->n && f->file[i].facts.segment == 0; i++)
                if (f->file[i].facts.segment_max > segment && f->file[i].facts.newest >= f->next)
                        return true;
        return false;
}

static struct err *replay(struct finder *f)
{
        if (is_headless(f))
                return damaged(f);
        for (unsigned i = 0; i < f->n; i++) {
                struct found *x = &f->file[i];

                if (x->facts.segment == 0 || x->facts.last < f->next)
                        continue;
                if (x->facts.first > f->next)
                        return damaged(f);
                TRY(apply_file(f, x));
        }
        return f->synced >= f->next ? damaged(f) : NULL;
}

/* Everything that can be read, bad places passed over. */
static struct err *rescue(struct finder *f)
{
        uint64_t last = f->next - 1;

        for (unsigned i = 0; i < f->n; i++) {
                AUTO_BUF struct buf b = BUF_INIT;
                struct found *x = &f->file[i];
                uint64_t segment = x->facts.segment ? x->facts.segment : x->facts.segment_max, number;
                struct str payload;
                size_t at = 0;

                TRY(read_file(f, x, &b));
                while (segment && journal_next(buf_str(&b), f->j->place.id, segment, &at, &number, &payload)) {
                        if (number < f->next)
                                continue;
                        TRY(f->apply(f->arg, payload));
                        last = MAX(last, number);
                }
                x->facts.last = MAX(x->facts.last, last);
        }
        f->next = MAX(last, f->synced) + 1;
        return NULL;
}

static struct err *open_in(struct journal *j, const char *dir, bool salvage, struct finder *f)
{
        TRY(file_open_dir(AT_FDCWD, dir, &j->dirfd));
        TRY(look(f));
        read_note(f);
        TRY(salvage ? rescue(f) : replay(f));
        for (unsigned i = 0; i < f->n; i++)
                j->file[i] = (struct journal_file){ .index = f->file[i].index,
                                                    .segment = f->file[i].facts.segment,
                                                    .last = f->file[i].facts.last };
        j->nfiles = f->n;
        j->last = j->synced = f->next - 1;
        return file_open(j->dirfd, JOURNAL_NOTE, O_RDWR | O_CREAT, 0600, &j->note);
}

struct id_finder {
        int dirfd;
        uint64_t id;
};

static struct err *find_id(void *arg, const char *name, unsigned char type)
{
        struct id_finder *f = arg;
        AUTO_BUF struct buf b = BUF_INIT;
        struct journal_facts facts;
        struct buf_reader r;
        uint64_t id;

        (void)type;
        if (!str_starts(str_of(name), STR(JOURNAL_PREFIX)))
                return NULL;
        TRY(file_read_all(f->dirfd, name, FILE_MAX, &b));
        r = buf_reader_of(str_skip(buf_str(&b), MIN(b.n, (size_t)16)));
        id = buf_get_u64(&r);
        journal_scan(buf_str(&b), id, 0, &facts);
        if (id && facts.segment > 0)
                f->id = id;
        return NULL;
}

struct err *journal_find_id(const char *dir, uint64_t *ret)
{
        AUTO_FD int fd = -1;
        struct id_finder f;

        TRY(file_open_dir(AT_FDCWD, dir, &fd));
        f = (struct id_finder){ fd, 0 };
        TRY(file_each(fd, ".", find_id, &f));
        *ret = f.id;
        return NULL;
}

struct err *journal_open(const char *dir, struct journal_place place, bool salvage, size_t segment,
                         journal_apply_fn *apply, void *arg, struct journal **ret)
{
        struct journal *j = calloc(1, sizeof(*j));
        struct finder *f = calloc(1, sizeof(*f));
        struct err *e;

        if (!j || !f) {
                free(j);
                free(f);
                return err_static(ERR_NO_MEMORY);
        }
        *j = (struct journal){ .place = place,
                               .segment_bytes = segment ? segment : JOURNAL_SEGMENT,
                               .dirfd = -1,
                               .note = -1,
                               .fd = -1,
                               .direct = -1 };
        *f = (struct finder){ .j = j, .next = place.flushed + 1, .apply = apply, .arg = arg };
        e = open_in(j, dir, salvage, f);
        free(f);
        if (e) {
                journal_close(j);
                return e;
        }
        *ret = j;
        return NULL;
}
