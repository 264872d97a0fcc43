/* os/logfile.h: the log sink of the daemon: stderr, or a directory of files that rotate by size, or both; keeps the
 * tail for queries. */
#ifndef ORLOP_OS_LOGFILE_H
#define ORLOP_OS_LOGFILE_H

#include <stdint.h>

#include "base/buf.h"
#include "base/log.h"

struct logfile;
struct logfile_options {
        const char *dir;      /* null: stderr only */
        const char *name;     /* file name stem, "orlopd" */
        uint64_t max_size;    /* bytes before rotation */
        uint64_t max_total;   /* bytes of all files kept */
        bool to_stderr;       /* also when dir is set */
};
/* Opens the directory and becomes the log sink (base/log.h). */
MUST_CHECK struct err *logfile_open(const struct logfile_options *o, struct logfile **ret);
/* Restores stderr and closes. */
void logfile_close(struct logfile *l);
/* Starts a new file now. */
MUST_CHECK struct err *logfile_rotate(struct logfile *l);
/* The current file's content from `offset` on with lines of at least this level, at most max bytes. Without a
 * directory: the last 256 KiB of lines, kept in memory. */
MUST_CHECK struct err *logfile_read(struct logfile *l, enum log_level min, uint64_t offset, size_t max, struct buf *b);
/* All files as a gzip-compressed tar in b. */
MUST_CHECK struct err *logfile_read_all_targz(struct logfile *l, size_t max, struct buf *b);

#endif
