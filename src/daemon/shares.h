/* daemon/shares.h: how memory and descriptors that the process may use are shared out. Plain values; made once at the
 * start, after the limit of descriptors was raised. */
#ifndef ORLOP_DAEMON_SHARES_H
#define ORLOP_DAEMON_SHARES_H

#include <stddef.h>

#include "daemon/settings.h"
#include "os/pool.h"

struct shares {
        size_t requests;      /* bytes that requests in progress may hold together */
        size_t cache;         /* bytes of cached contents */
        struct pool_limits workers;
        unsigned connections; /* of clients */
        unsigned cache_files; /* descriptors of cached contents */
        unsigned uploads;     /* contents that are being received, each with a file */
};
/* By the settings, else by what the machine or the cgroup allows; `files` descriptors may be open. INVALID. */
MUST_CHECK struct err *shares_make(const struct settings *s, uint64_t files, struct shares *ret);

#endif
