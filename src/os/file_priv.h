/* os/file_priv.h: how file.c and dir.c make system calls. */
#ifndef ORLOP_OS_FILE_PRIV_H
#define ORLOP_OS_FILE_PRIV_H

#include <errno.h>

#include "os/fault.h"
#include "os/priv.h"

/* ret = call, or -1 with errno when a fault says so. `lenp`: a length that a fault may shorten before the call, or
 * null. */
#define CALL_ONCE(ret, cls, mutating, lenp, call)                                                                      \
        do {                                                                                                           \
                int fault_ = UNLIKELY(fault_on) ? fault_before((cls), (mutating), (lenp)) : 0;                         \
                if (UNLIKELY(fault_ != 0)) {                                                                           \
                        (ret) = -1;                                                                                    \
                        errno = fault_;                                                                                \
                } else {                                                                                               \
                        (ret) = (call);                                                                                \
                        if (UNLIKELY(fault_on) && (ret) >= 0)                                                          \
                                fault_after(cls);                                                                      \
                }                                                                                                      \
        } while (0)

/* As CALL_ONCE, again after EINTR. */
#define CALL(ret, cls, mutating, lenp, call)                                                                           \
        do {                                                                                                           \
                CALL_ONCE(ret, cls, mutating, lenp, call);                                                             \
        } while ((ret) < 0 && errno == EINTR)

#endif
