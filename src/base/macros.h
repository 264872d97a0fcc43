/* base/macros.h: compiler attributes and small helpers that every file may use. No state. */
#ifndef ORLOP_BASE_MACROS_H
#define ORLOP_BASE_MACROS_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define NORETURN __attribute__((noreturn))
#define UNUSED __attribute__((unused))
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* An invariant of ours: kept in production. Never for input, disk or network. */
#define ASSERT(x)                                                                                                      \
        do {                                                                                                           \
                if (UNLIKELY(!(x)))                                                                                    \
                        assert_failed(#x, __FILE__, __LINE__);                                                         \
        } while (0)
/* Prints the failed condition and a backtrace on stderr, then aborts. */
NORETURN void assert_failed(const char *cond, const char *file, int line);

static inline void cleanup_free(void *p)
{
        free(*(void **)p);
}
/* A heap pointer that is freed when the variable leaves scope. */
#define AUTO_FREE __attribute__((cleanup(cleanup_free)))

#endif
