/* base/log.c: levels per folder, the line, and the sink.
 *
 * Formatting uses the caller's stack alone, so that logging works when memory is short; a line is cut rather than lost.
 * Folder slots are only ever added, their levels are atomics: readers take no lock. The clock is read here directly, since
 * base stands below os; a log line's time decides nothing. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/json.h"

#define LOG_LINE_MAX 4096u
#define LOG_FOLDERS_MAX 32u
#define LOG_LEVEL_DEFAULT (-1)

struct log_folder {
        char name[24];
        atomic_int level; /* LOG_LEVEL_DEFAULT: the common one */
};

static struct {
        pthread_mutex_t lock; /* guards changes */
        atomic_int common;
        atomic_int lowest; /* of all levels: most calls need no more than this */
        atomic_uint count;
        struct log_folder folders[LOG_FOLDERS_MAX];
        atomic_bool json;
        pthread_rwlock_t sink_lock; /* guards sink and arg */
        log_sink_fn *sink;
        void *arg;
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER,
                .sink_lock = PTHREAD_RWLOCK_INITIALIZER,
                .common = LOG_INFO,
                .lowest = LOG_INFO };

static const char *const log_names[] = { "debug", "info", "warn", "error" };

bool log_enabled(enum log_level level, const char *folder)
{
        if ((int)level < atomic_load_explicit(&log_state.lowest, memory_order_relaxed))
                return false;
        unsigned n = atomic_load_explicit(&log_state.count, memory_order_acquire);
        int at = LOG_LEVEL_DEFAULT;
        for (unsigned i = 0; i < n && at == LOG_LEVEL_DEFAULT; i++)
                if (strcmp(log_state.folders[i].name, folder) == 0)
                        at = atomic_load_explicit(&log_state.folders[i].level, memory_order_relaxed);
        if (at == LOG_LEVEL_DEFAULT)
                at = atomic_load_explicit(&log_state.common, memory_order_relaxed);
        return (int)level >= at;
}

static bool log_level_parse(struct str s, int *ret)
{
        for (unsigned i = 0; i < ARRAY_LEN(log_names); i++) {
                if (str_eq_nocase(s, str_of(log_names[i]))) {
                        *ret = (int)i;
                        return true;
                }
        }
        return false;
}

/* One change of a specification: name empty for the common level. */
struct log_change {
        struct str name;
        int level;
};

static struct err *log_parse(struct str spec, struct log_change *changes, size_t *ret_n)
{
        size_t n = 0;
        while (spec.n) {
                struct str level = str_trim(str_cut(&spec, ','));
                struct log_change c = { STR_NONE, LOG_INFO };
                if (str_find(level, '=') >= 0)
                        c.name = str_trim(str_cut(&level, '='));
                if (!log_level_parse(str_trim(level), &c.level))
                        return err_new(ERR_INVALID, "log level \"" STR_FMT "\": expected debug, info, warn or error",
                                       STR_ARG(level));
                if (c.name.n >= sizeof(log_state.folders[0].name) || (c.name.p && c.name.n == 0))
                        return err_new(ERR_INVALID, "log folder \"" STR_FMT "\" is not a folder's name", STR_ARG(c.name));
                if (n == LOG_FOLDERS_MAX)
                        return err_new(ERR_INVALID, "more than %u log levels", LOG_FOLDERS_MAX);
                changes[n++] = c;
        }
        *ret_n = n;
        return NULL;
}

/* The folder's slot, made if needed; null when all are taken. */
static struct log_folder *log_slot_locked(struct str name)
{
        unsigned n = atomic_load(&log_state.count);
        for (unsigned i = 0; i < n; i++)
                if (str_eq(str_of(log_state.folders[i].name), name))
                        return &log_state.folders[i];
        if (n == LOG_FOLDERS_MAX)
                return NULL;
        struct log_folder *f = &log_state.folders[n];
        str_copy(f->name, sizeof(f->name), name);
        atomic_store(&f->level, LOG_LEVEL_DEFAULT);
        atomic_store_explicit(&log_state.count, n + 1, memory_order_release);
        return f;
}

static struct err *log_apply_locked(const struct log_change *changes, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (changes[i].name.n && !log_slot_locked(changes[i].name))
                        return err_new(ERR_INVALID, "more than %u folders with a log level", LOG_FOLDERS_MAX);
        int common = LOG_INFO, lowest;
        for (size_t i = 0; i < n; i++)
                if (!changes[i].name.n)
                        common = changes[i].level;
        lowest = common;
        for (unsigned i = 0; i < atomic_load(&log_state.count); i++) {
                int level = LOG_LEVEL_DEFAULT;
                for (size_t k = 0; k < n; k++)
                        if (str_eq(changes[k].name, str_of(log_state.folders[i].name)))
                                level = changes[k].level;
                atomic_store(&log_state.folders[i].level, level);
                if (level != LOG_LEVEL_DEFAULT)
                        lowest = MIN(lowest, level);
        }
        atomic_store(&log_state.common, common);
        atomic_store(&log_state.lowest, lowest);
        return NULL;
}

struct err *log_set_levels(struct str spec)
{
        struct log_change changes[LOG_FOLDERS_MAX];
        size_t n = 0;
        TRY(log_parse(spec, changes, &n));
        pthread_mutex_lock(&log_state.lock);
        struct err *e = log_apply_locked(changes, n);
        pthread_mutex_unlock(&log_state.lock);
        return e;
}

void log_set_json(bool json)
{
        atomic_store(&log_state.json, json);
}

void log_set_sink(log_sink_fn *fn, void *arg)
{
        pthread_rwlock_wrlock(&log_state.sink_lock);
        log_state.sink = fn;
        log_state.arg = arg;
        pthread_rwlock_unlock(&log_state.sink_lock);
}

static void log_emit(enum log_level level, const char *line, size_t n)
{
        pthread_rwlock_rdlock(&log_state.sink_lock);
        if (log_state.sink)
                log_state.sink(log_state.arg, level, line, n);
        else if (write(STDERR_FILENO, line, n) < 0)
                (void)0; /* stderr is gone: nowhere to say so */
        pthread_rwlock_unlock(&log_state.sink_lock);
}

static size_t log_time(char *out, size_t size)
{
        struct timespec ts;
        struct tm tm;
        clock_gettime(CLOCK_REALTIME, &ts);
        gmtime_r(&ts.tv_sec, &tm);
        size_t n = strftime(out, size, "%Y-%m-%dT%H:%M:%S", &tm);
        return n + (size_t)snprintf(out + n, size - n, ".%06ldZ", ts.tv_nsec / 1000);
}

/* Appends text with control bytes as \xNN, up to `end`. */
static char *log_escape(char *p, const char *end, struct str s)
{
        for (size_t i = 0; i < s.n && end - p >= 4; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (c >= 0x20 && c != 0x7f) {
                        *p++ = (char)c;
                } else {
                        *p++ = '\\';
                        *p++ = 'x';
                        *p++ = "0123456789abcdef"[c >> 4];
                        *p++ = "0123456789abcdef"[c & 15];
                }
        }
        return p;
}

static size_t log_line_text(char *out, enum log_level level, const char *folder, struct str msg, bool cut)
{
        static const char *const padded[] = { "DEBUG", "INFO ", "WARN ", "ERROR" };
        char *end = out + LOG_LINE_MAX - 8;
        char *p = out + snprintf(out, 64, "%s ", padded[level]);
        p += log_time(p, 40);
        p += snprintf(p, 32, " %.24s: ", folder);
        char *body = p;
        p = log_escape(p, end, msg);
        if (cut || end - p < 4)
                p = stpcpy(MAX(p - 3, body), "...");
        *p++ = '\n';
        return (size_t)(p - out);
}

static size_t log_line_json(char *out, enum log_level level, const char *folder, struct str msg)
{
        char when[40];
        log_time(when, sizeof(when));
        /* A buffer over the caller's array: full to its capacity, it never reaches for the heap. */
        struct buf b = { out, 0, LOG_LINE_MAX - 8, LOG_LINE_MAX - 8, false };
        struct json_w w;
        for (;;) {
                buf_clear(&b);
                jw_init(&w, &b, false);
                jw_object(&w, NULL);
                jw_cstr(&w, "level", log_names[level]);
                jw_cstr(&w, "time", when);
                jw_cstr(&w, "folder", folder);
                jw_str(&w, "msg", msg);
                jw_object_end(&w);
                if (!b.bad || msg.n == 0)
                        break;
                msg.n /= 2; /* escaping made it longer than a line */
        }
        out[b.n] = '\n';
        return b.n + 1;
}

static void log_text(enum log_level level, const char *folder, struct str msg, bool cut)
{
        char line[LOG_LINE_MAX];
        size_t n = atomic_load_explicit(&log_state.json, memory_order_relaxed) ? log_line_json(line, level, folder, msg)
                                                                               : log_line_text(line, level, folder, msg, cut);
        log_emit(level, line, n);
}

void log_write(enum log_level level, const char *folder, const char *fmt, ...)
{
        char msg[LOG_LINE_MAX];
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(msg, sizeof(msg), fmt, ap);
        va_end(ap);
        if (n < 0)
                return;
        log_text(level, folder, (struct str){ msg, MIN((size_t)n, sizeof(msg) - 1) }, (size_t)n >= sizeof(msg));
}

void log_err(enum log_level level, const char *folder, struct err *e, const char *fmt, ...)
{
        if (!e)
                return;
        if (!log_enabled(level, folder)) {
                err_free(e);
                return;
        }
        char msg[LOG_LINE_MAX];
        va_list ap;
        va_start(ap, fmt);
        int n = vsnprintf(msg, sizeof(msg), fmt, ap);
        va_end(ap);
        size_t at = n < 0 ? 0 : MIN((size_t)n, sizeof(msg) - 1);
        if (at && at + 3 < sizeof(msg))
                at += (size_t)snprintf(msg + at, sizeof(msg) - at, ": ");
        if (at + 1 < sizeof(msg))
                err_text(e, msg + at, sizeof(msg) - at);
        at = strlen(msg);
        const char *file = strrchr(e->file, '/');
        char tail[96];
        int t = snprintf(tail, sizeof(tail), " code=%s at=%.48s:%d", err_code_name(e->code), file ? file + 1 : e->file, e->line);
        if (t > 0 && at + (size_t)t < sizeof(msg)) {
                memcpy(msg + at, tail, (size_t)t + 1);
                at += (size_t)t;
        }
        log_text(level, folder, (struct str){ msg, at }, at + 1 >= sizeof(msg));
        err_free(e);
}
