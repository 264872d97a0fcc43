/* os/logfile_priv.h: shared by logfile.c and logfile_tar.c. */
#ifndef ORLOP_OS_LOGFILE_PRIV_H
#define ORLOP_OS_LOGFILE_PRIV_H

#include "base/buf.h"

enum { LOGFILE_NAMES_MAX = 1024, LOGFILE_NAME_MAX = 128 };

struct logfile_names {
        unsigned n;
        char name[LOGFILE_NAMES_MAX][LOGFILE_NAME_MAX];
};

/* A gzip-compressed ustar of the named files in dirfd, or, without names, of `tail` as STEM.log. ERR_TOO_LARGE past
 * max bytes. */
MUST_CHECK struct err *logfile__targz(int dirfd, const struct logfile_names *names, const char *stem, struct str tail,
                                      size_t max, struct buf *b);

#endif
