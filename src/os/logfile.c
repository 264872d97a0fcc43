/* The daemon's log sink.
 *
 * With a directory: lines are appended to NAME.log; when it would pass max_size it is renamed to NAME.TIME.SEQ.log
 * and a new one begins; then the oldest are removed until all fit max_total. Without: stderr, and the last 256 KiB
 * in memory for queries.
 *
 * Called with a line, we can not report our own failure by a line: what can not be written to the file goes to
 * stderr instead, and rotation is tried again with the next line. System calls here do not pass the fault layer,
 * whose counts must not depend on how much is logged. `lock` guards all that changes. */
#include "os/logfile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/logfile_priv.h"
#include "os/thread.h"

enum { TAIL_SIZE = 256 * 1024, NAME_TEXT_MAX = 128 };

struct logfile {
        struct mutex lock;
        char name[64];
        uint64_t max_size, max_total;
        bool to_stderr;
        int dirfd, fd; /* -1 without a directory */
        uint64_t size;
        unsigned seq;
        char *tail; /* ring; null with a directory */
        uint64_t tail_end; /* bytes ever written to the ring */
};

static void current_name(const struct logfile *l, char out[static NAME_TEXT_MAX])
{
        (void)snprintf(out, NAME_TEXT_MAX, "%s.log", l->name);
}

static struct err *open_current(struct logfile *l)
{
        char name[NAME_TEXT_MAX];
        struct stat st;

        current_name(l, name);
        TRY(file_open(l->dirfd, name, O_WRONLY | O_APPEND | O_CREAT, 0640, &l->fd));
        TRY(file_stat(l->fd, &st));
        l->size = (uint64_t)st.st_size;
        return NULL;
}

struct collect {
        const struct logfile *l;
        struct logfile_names *names;
};

static struct err *collect_one(void *arg, const char *name, unsigned char type)
{
        const struct collect *c = arg;
        struct str s = str_of(name), stem = str_of(c->l->name);

        (void)type;
        if (!str_starts(s, stem) || !str_ends(s, STR(".log")) || s.n <= stem.n || s.p[stem.n] != '.')
                return NULL;
        if (c->names->n == LOGFILE_NAMES_MAX || !str_copy(c->names->name[c->names->n], LOGFILE_NAME_MAX, s))
                return NULL; /* more than we ever keep: left for the next rotation */
        c->names->n++;
        return NULL;
}

static int by_name(const void *a, const void *b)
{
        return strcmp(a, b);
}

/* All our files, oldest first; the current one last, as '.' of a time sorts before "log". */
static struct err *list_files(const struct logfile *l, struct logfile_names *names)
{
        struct collect c = { l, names };

        names->n = 0;
        TRY(file_each(l->dirfd, ".", collect_one, &c));
        qsort(names->name, names->n, sizeof(names->name[0]), by_name);
        return NULL;
}

static struct err *drop_oldest(const struct logfile *l)
{
        struct logfile_names *names = malloc(sizeof(*names));
        uint64_t size[LOGFILE_NAMES_MAX], total = 0;
        struct err *e;

        if (!names)
                return err_static(ERR_NO_MEMORY);
        e = list_files(l, names);
        for (unsigned i = 0; !e && i < names->n; i++) {
                struct stat st;

                size[i] = fstatat(l->dirfd, names->name[i], &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_size : 0;
                total += size[i];
        }
        for (unsigned i = 0; !e && i + 1 < names->n && total > l->max_total; i++) {
                (void)unlinkat(l->dirfd, names->name[i], 0);
                total -= size[i];
        }
        free(names);
        return e;
}

static struct err *rotate_locked(struct logfile *l)
{
        char name[NAME_TEXT_MAX], old[NAME_TEXT_MAX], when[40];
        int before = l->fd;
        struct err *e;

        current_name(l, name);
        (void)snprintf(old, sizeof(old), "%s.%.19s.%03u.log", l->name, clock_rfc3339(clock_wall_ns(), when),
                       l->seq++ % 1000);
        if (renameat(l->dirfd, name, l->dirfd, old) != 0 && errno != ENOENT)
                return err_sys(errno, "rename %s", name);
        l->fd = -1;
        e = open_current(l);
        if (e) {
                l->fd = before; /* go on in the renamed file */
                return e;
        }
        (void)close(before);
        return drop_oldest(l);
}

static void to_tail_locked(struct logfile *l, const char *line, size_t n)
{
        if (n > TAIL_SIZE)
                return;
        for (size_t done = 0; done < n;) {
                size_t at = (size_t)(l->tail_end % TAIL_SIZE), len = MIN(n - done, TAIL_SIZE - at);

                memcpy(l->tail + at, line + done, len);
                l->tail_end += len;
                done += len;
        }
}

static void write_raw(int fd, const char *p, size_t n)
{
        while (n > 0) {
                ssize_t r = write(fd, p, n);

                if (r < 0 && errno == EINTR)
                        continue;
                if (r <= 0)
                        return;
                p += r;
                n -= (size_t)r;
        }
}

static void sink(void *arg, enum log_level level, const char *line, size_t n)
{
        struct logfile *l = arg;
        bool written = false;

        (void)level;
        mutex_lock(&l->lock);
        if (l->fd >= 0) {
                if (l->size > 0 && l->size + n > l->max_size)
                        err_free(rotate_locked(l));
                written = write(l->fd, line, n) == (ssize_t)n;
                l->size += n;
        } else {
                to_tail_locked(l, line, n);
        }
        mutex_unlock(&l->lock);
        if (l->to_stderr || !written)
                write_raw(STDERR_FILENO, line, n);
}

static struct err *open_dir(struct logfile *l, const char *dir)
{
        TRY(file_mkdir_all(dir, 0750));
        TRY(file_open_dir(AT_FDCWD, dir, &l->dirfd));
        return open_current(l);
}

struct err *logfile_open(const struct logfile_options *o, struct logfile **ret)
{
        struct logfile *l = calloc(1, sizeof(*l));
        struct err *e = NULL;

        if (!l)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&l->lock, "logfile", RANK_LEAF);
        l->dirfd = l->fd = -1;
        l->max_size = o->max_size;
        l->max_total = o->max_total;
        l->to_stderr = o->to_stderr || !o->dir;
        if (!str_copy(l->name, sizeof(l->name), str_of(o->name)))
                e = err_new(ERR_INVALID, "log name is too long");
        else if (o->dir)
                e = open_dir(l, o->dir);
        else if (!(l->tail = malloc(TAIL_SIZE)))
                e = err_static(ERR_NO_MEMORY);
        if (e) {
                logfile_close(l);
                return err_wrap(e, "open log %s", o->dir ? o->dir : "");
        }
        log_set_sink(sink, l);
        *ret = l;
        return NULL;
}

void logfile_close(struct logfile *l)
{
        if (!l)
                return;
        log_set_sink(NULL, NULL);
        cleanup_fd(&l->fd);
        cleanup_fd(&l->dirfd);
        mutex_fini(&l->lock);
        free(l->tail);
        free(l);
}

struct err *logfile_rotate(struct logfile *l)
{
        LOCK_SCOPE(&l->lock);
        return l->fd >= 0 ? rotate_locked(l) : NULL;
}

/* The level of a line as base/log.h writes it: "WARN  …" or {"level":"warn",…}. */
static enum log_level line_level(struct str line)
{
        static const char letters[] = "diwe";
        struct str json = STR("{\"level\":\"");
        char c;
        const char *at;

        if (str_starts(line, json))
                line = str_skip(line, json.n);
        c = line.n ? (char)(line.p[0] | 0x20) : 'i';
        at = strchr(letters, c);
        return at && c ? (enum log_level)(at - letters) : LOG_INFO;
}

/* Appends the lines of `text` that count, as long as whole ones fit. */
static void add_lines(struct str text, enum log_level min, size_t max, struct buf *b)
{
        size_t before = b->n;

        while (text.n > 0) {
                struct str line = str_cut(&text, '\n');

                if (line_level(line) < min)
                        continue;
                if (b->n - before + line.n + 1 > max)
                        return;
                buf_adds(b, line);
                buf_addc(b, '\n');
        }
}

static struct err *read_tail(struct logfile *l, enum log_level min, uint64_t offset, size_t max, struct buf *b)
{
        AUTO_BUF struct buf all = BUF_INIT;
        struct str text;

        mutex_lock(&l->lock);
        uint64_t from = l->tail_end > TAIL_SIZE ? l->tail_end - TAIL_SIZE : 0;
        bool cut = from > 0;
        while (from < l->tail_end) {
                size_t at = (size_t)(from % TAIL_SIZE),
                       len = (size_t)MIN(l->tail_end - from, (uint64_t)(TAIL_SIZE - at));

                buf_add(&all, l->tail + at, len);
                from += len;
        }
        mutex_unlock(&l->lock);
        TRY(buf_err(&all));
        text = buf_str(&all);
        if (cut)
                (void)str_cut(&text, '\n'); /* the rest of a line that was overwritten */
        add_lines(str_skip(text, (size_t)MIN(offset, (uint64_t)text.n)), min, max, b);
        return buf_err(b);
}

struct err *logfile_read(struct logfile *l, enum log_level min, uint64_t offset, size_t max, struct buf *b)
{
        AUTO_BUF struct buf piece = BUF_INIT;
        AUTO_FD int fd = -1;
        char name[NAME_TEXT_MAX];
        struct stat st;
        size_t got = 0, want;
        char *p;

        if (l->tail)
                return read_tail(l, min, offset, max, b);
        current_name(l, name);
        TRY(file_open(l->dirfd, name, O_RDONLY, 0, &fd));
        TRY(file_stat(fd, &st));
        if (offset >= (uint64_t)st.st_size)
                return NULL;
        /* Filtering keeps a part only; reading a bounded multiple keeps memory bounded too. */
        want = (size_t)MIN((uint64_t)st.st_size - offset, (uint64_t)max * (min > LOG_DEBUG ? 8 : 1));
        p = buf_reserve(&piece, want);
        if (!p)
                return buf_err(&piece);
        while (got < want) {
                size_t n;

                TRY(file_pread(fd, p + got, want - got, (int64_t)(offset + got), &n));
                if (n == 0)
                        break;
                got += n;
        }
        while (got > 0 && p[got - 1] != '\n')
                got--; /* the part of a line at the end of the piece */
        add_lines((struct str){ p, got }, min, max, b);
        return buf_err(b);
}

struct err *logfile_read_all_targz(struct logfile *l, size_t max, struct buf *b)
{
        struct logfile_names *names = calloc(1, sizeof(*names));
        AUTO_BUF struct buf tail = BUF_INIT;
        struct err *e = NULL;

        if (!names)
                return err_static(ERR_NO_MEMORY);
        if (l->tail)
                e = read_tail(l, LOG_DEBUG, 0, TAIL_SIZE, &tail);
        else
                e = list_files(l, names);
        if (!e)
                e = logfile__targz(l->dirfd, names, l->name, buf_str(&tail), max, b);
        free(names);
        return e;
}
