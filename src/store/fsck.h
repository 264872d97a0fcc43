/* store/fsck.h: the offline check of mountpaths: everything that is stored is read and judged. Takes the lock of each
 * directory (ERR_IN_USE while a daemon runs). */
#ifndef ORLOP_STORE_FSCK_H
#define ORLOP_STORE_FSCK_H

#include "base/err.h"

enum fsck_mode {
        FSCK_CHECK,   /* change nothing */
        FSCK_REPAIR,  /* quarantine what is corrupt, drop garbage, let RocksDB repair its files */
        FSCK_REBUILD  /* make records anew from what the content files say of themselves */
};
struct fsck_report {
        uint64_t objects, bytes, contents, corrupt, missing, orphans, repaired, rebuilt;
};
/* Checks each path; `say` gets one line per finding and progress lines (progress true). *ret_report is written on
 * success; findings are not an error. */
MUST_CHECK struct err *store_fsck(const char *const *paths, unsigned n, enum fsck_mode mode,
                                  void (*say)(void *arg, bool progress, const char *line), void *arg,
                                  struct fsck_report *ret_report);

#endif
