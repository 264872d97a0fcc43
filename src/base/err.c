/* base/err.c: errors as heap objects with the message in the same block.
 *
 * Making an error must never fail: when memory is short the result degrades to a shared static error of the code asked for
 * (or to the error we were about to wrap), so that callers never see null where they expect a failure. */
#include "base/err.h"

#include <errno.h>
#include <execinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
        const char *name, *text;
        bool retry;
} err_table[ERR_CODE_COUNT] = {
        [ERR_NONE] = { "NONE", "no error", false },
#define X(name, text, retry) [ERR_##name] = { #name, text, retry },
        ERR_CODES(X)
#undef X
};

/* One per code, never freed and never written. */
static struct err err_statics[ERR_CODE_COUNT] = {
        [ERR_NONE] = { ERR_NONE, 0, "no error", NULL, __FILE__, __LINE__ },
#define X(name, text, retry) [ERR_##name] = { ERR_##name, 0, text, NULL, __FILE__, __LINE__ },
        ERR_CODES(X)
#undef X
};

static bool err_is_static(const struct err *e)
{
        return e >= err_statics && e < err_statics + ERR_CODE_COUNT;
}

static bool err_code_valid(enum err_code code)
{
        return code > ERR_NONE && code < ERR_CODE_COUNT;
}

/* `suffix` (or null) is appended after ": ". Null when memory is short. */
static struct err *err_make(const char *file, int line, enum err_code code, int sys, struct err *cause,
                            const char *suffix, const char *fmt, va_list ap) __attribute__((format(printf, 7, 0)));
static struct err *err_make(const char *file, int line, enum err_code code, int sys, struct err *cause,
                            const char *suffix, const char *fmt, va_list ap)
{
        ASSERT(err_code_valid(code));
        va_list again;
        va_copy(again, ap);
        int text = vsnprintf(NULL, 0, fmt, again);
        va_end(again);
        if (text < 0)
                return NULL;
        size_t n = (size_t)text;
        size_t extra = suffix ? strlen(suffix) + 2 : 0;
        struct err *e = malloc(sizeof(*e) + n + extra + 1);
        if (!e)
                return NULL;
        char *msg = (char *)(e + 1);
        vsnprintf(msg, n + 1, fmt, ap);
        if (suffix)
                snprintf(msg + n, extra + 1, ": %s", suffix);
        *e = (struct err){ code, sys, msg, cause, file, line };
        return e;
}

struct err *err_new_at(const char *file, int line, enum err_code code, int sys, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        struct err *e = err_make(file, line, code, sys, NULL, NULL, fmt, ap);
        va_end(ap);
        return e ? e : err_static(ERR_NO_MEMORY);
}

static enum err_code err_code_of_errno(int errnum)
{
        switch (errnum) {
        case ENOENT:
                return ERR_NOT_FOUND;
        case ENOSPC:
        case EDQUOT:
                return ERR_NO_SPACE;
        case ENOMEM:
                return ERR_NO_MEMORY;
        default:
                return ERR_IO;
        }
}

struct err *err_sys_at(const char *file, int line, int errnum, const char *fmt, ...)
{
        char buf[128];
        const char *text = strerror_r(errnum, buf, sizeof(buf));
        va_list ap;
        va_start(ap, fmt);
        struct err *e = err_make(file, line, err_code_of_errno(errnum), errnum, NULL, text, fmt, ap);
        va_end(ap);
        return e ? e : err_static(ERR_NO_MEMORY);
}

struct err *err_wrap_at(const char *file, int line, struct err *e, const char *fmt, ...)
{
        if (!e)
                return NULL;
        va_list ap;
        va_start(ap, fmt);
        struct err *outer = err_make(file, line, e->code, e->sys, e, NULL, fmt, ap);
        va_end(ap);
        return outer ? outer : e;
}

struct err *err_recode_at(const char *file, int line, struct err *e, enum err_code code, const char *fmt, ...)
{
        if (!e)
                return NULL;
        va_list ap;
        va_start(ap, fmt);
        struct err *outer = err_make(file, line, code, e->sys, e, NULL, fmt, ap);
        va_end(ap);
        if (outer)
                return outer;
        err_free(e);
        return err_static(code);
}

struct err *err_static(enum err_code code)
{
        ASSERT(err_code_valid(code));
        return &err_statics[code];
}

void err_free(struct err *e)
{
        while (e && !err_is_static(e)) {
                struct err *cause = e->cause;
                free(e);
                e = cause;
        }
}

const char *err_text(const struct err *e, char *buf, size_t size)
{
        ASSERT(size > 0);
        size_t n = 0;
        buf[0] = '\0';
        for (bool first = true; e && n < size; e = e->cause, first = false) {
                int w = snprintf(buf + n, size - n, "%s%s", first ? "" : ": ", e->msg);
                if (w < 0)
                        break;
                n += (size_t)w;
        }
        return buf;
}

const char *err_code_name(enum err_code code)
{
        return (unsigned)code < ERR_CODE_COUNT ? err_table[code].name : "UNKNOWN";
}

const char *err_code_text(enum err_code code)
{
        return (unsigned)code < ERR_CODE_COUNT ? err_table[code].text : "unknown error";
}

bool err_code_retry(enum err_code code)
{
        return (unsigned)code < ERR_CODE_COUNT && err_table[code].retry;
}

struct err *err_first(struct err *first, struct err *second)
{
        if (!first)
                return second;
        err_free(second);
        return first;
}

void assert_failed(const char *cond, const char *file, int line)
{
        fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, cond);
        void *frames[64];
        backtrace_symbols_fd(frames, backtrace(frames, (int)ARRAY_LEN(frames)), STDERR_FILENO);
        abort();
}
