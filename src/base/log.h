/* base/log.h: the log front. One line per event: level, time, folder, message, then key=value fields; or one JSON object per line.
 *
 * Any thread; the line is formatted on the caller's stack (at most 4 KiB; longer text is cut with "...") and handed to the
 * sink in one call. Client bytes are escaped. Levels are per folder and may be changed at run time. The default sink is
 * write(2) to stderr; os replaces it with one that rotates files. Never log tokens, keys or signatures. */
#ifndef ORLOP_BASE_LOG_H
#define ORLOP_BASE_LOG_H

#include "base/err.h"
#include "base/str.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Each .c file that logs defines LOG_FOLDER ("store") before including this. */
#ifndef LOG_FOLDER
#define LOG_FOLDER "orlop"
#endif

#define log_at(level, ...)                                                                                             \
        do {                                                                                                           \
                if (log_enabled((level), LOG_FOLDER))                                                                  \
                        log_write((level), LOG_FOLDER, __VA_ARGS__);                                                   \
        } while (0)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_at(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_at(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)

/* Whether a line of this level from this folder would be written. Cheap. */
bool log_enabled(enum log_level level, const char *folder);
/* Formats and writes one line. */
void log_write(enum log_level level, const char *folder, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Logs an error with its causes and frees it: the place where it stops travelling. Null is fine. */
void log_err(enum log_level level, const char *folder, struct err *e, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* "info", or "info,store=debug,net=warn". ERR_INVALID for unknown words; then nothing changes. */
MUST_CHECK struct err *log_set_levels(struct str spec);
/* JSON lines instead of text. */
void log_set_json(bool json);
/* Replaces the sink; `line` ends with a newline. The sink may be called from any thread, several at once. */
typedef void log_sink_fn(void *arg, enum log_level level, const char *line, size_t n);
/* See log_sink_fn; null restores stderr. */
void log_set_sink(log_sink_fn *fn, void *arg);

#endif
