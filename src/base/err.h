/* base/err.h: how functions fail.
 *
 * A function that can fail returns `struct err *`: null is success. The caller owns the error and either passes it on
 * (TRY, err_wrap) or ends it where it stops travelling (err_free, after logging once). Errors for misses that are
 * normal on hot paths (NOT_FOUND, PRECONDITION, NO_MEMORY, CLOSED, TIMEOUT) may be preallocated: err_free() knows them.
 * Threads: an error belongs to one thread at a time. Nothing blocks. */
#ifndef ORLOP_BASE_ERR_H
#define ORLOP_BASE_ERR_H

#include <stdbool.h>

#include "base/err_codes.h"
#include "base/macros.h"

enum err_code {
        ERR_NONE = 0,
#define X(name, text, retry) ERR_##name,
        ERR_CODES(X)
#undef X
                ERR_CODE_COUNT
};

struct err {
        enum err_code code;
        int sys;            /* errno, when the kernel said no; else 0 */
        const char *msg;    /* for humans; never null */
        struct err *cause;  /* what we were told from below, or null; owned */
        const char *file;
        int line;
};

/* A new error with a formatted message. Never null: when memory is short, the preallocated NO_MEMORY. */
#define err_new(code, ...) err_new_at(__FILE__, __LINE__, (code), 0, __VA_ARGS__)
/* As err_new, but from an errno value: ENOENT becomes NOT_FOUND, ENOSPC and EDQUOT NO_SPACE, ENOMEM NO_MEMORY, the rest
 * IO; the text of errno is appended. */
#define err_sys(errnum, ...) err_sys_at(__FILE__, __LINE__, (errnum), __VA_ARGS__)
/* Adds what *we* were doing. Takes ownership of `e`; the code stays that of `e`. */
#define err_wrap(e, ...) err_wrap_at(__FILE__, __LINE__, (e), __VA_ARGS__)
/* As err_wrap, with another code. */
#define err_recode(e, code, ...) err_recode_at(__FILE__, __LINE__, (e), (code), __VA_ARGS__)

/* See err_new. */
struct err *err_new_at(const char *file, int line, enum err_code code, int sys, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* See err_sys. */
struct err *err_sys_at(const char *file, int line, int errnum, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* See err_wrap. */
struct err *err_wrap_at(const char *file, int line, struct err *e, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* See err_recode. */
struct err *err_recode_at(const char *file, int line, struct err *e, enum err_code code, const char *fmt, ...)
        PRINTF_LIKE(5, 6);

/* A shared error of this code with the table's text, for hot paths: no allocation; err_free() leaves it alone. */
struct err *err_static(enum err_code code);

/* Ends an error and its causes. Null is fine. */
void err_free(struct err *e);
/* The code, or ERR_NONE for null. */
static inline enum err_code err_code(const struct err *e)
{
        return e ? e->code : ERR_NONE;
}
/* "outer: inner: innermost" into buf, always terminated; returns buf. */
const char *err_text(const struct err *e, char *buf, size_t size);
/* The table's name ("NOT_FOUND") and text of a code. */
const char *err_code_name(enum err_code code);
/* The table's text of a code. */
const char *err_code_text(enum err_code code);
/* Whether the same call may succeed a little later. */
bool err_code_retry(enum err_code code);

/* Keeps the first of two errors during cleanup; frees the other. */
struct err *err_first(struct err *first, struct err *second);

/* Returns the error, if any, to our caller (after scope cleanup). */
#define TRY(expr)                                                                                                      \
        do {                                                                                                           \
                struct err *try_err_ = (expr);                                                                         \
                if (UNLIKELY(try_err_ != NULL))                                                                        \
                        return try_err_;                                                                               \
        } while (0)
/* As TRY, wrapped. */
#define TRY_WRAP(expr, ...)                                                                                            \
        do {                                                                                                           \
                struct err *try_err_ = (expr);                                                                         \
                if (UNLIKELY(try_err_ != NULL))                                                                        \
                        return err_wrap(try_err_, __VA_ARGS__);                                                        \
        } while (0)

static inline void cleanup_err(struct err **e)
{
        err_free(*e);
}
#define AUTO_ERR __attribute__((cleanup(cleanup_err)))

#endif
