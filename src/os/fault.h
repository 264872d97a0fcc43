/* os/fault.h: faults on purpose. Off costs one predictable branch.
 *
 * Two kinds. Call faults: the n-th call of a named class ("pwrite", "fdatasync", "rename" …) fails with an errno,
 * once or from then on, or transfers fewer bytes. Points: named places in our code
 * (`FAULT_POINT("store.commit.before")`) at which the process ends itself (SIGKILL) or an error is returned.
 * Specification text, by the environment variable ORLOP_FAULT or fault_set():
 *   "fdatasync:3:EIO"  third call fails once;  "pwrite:5+:ENOSPC"  fifth and later;  "write:2:short" half of it;
 *   "point:store.commit.before:1:kill"  first passage;  "any:17:kill"  the 17th mutating system call ends the
 *     process before it runs,
 *   "any:17:kill-after" after it;  "fdatasync:1+:hang" calls that never come back.  Several are separated by ';'.
 * With ORLOP_FAULT_COUNT=FILE the number of mutating calls is written to FILE at exit. Only in builds with
 * -DORLOP_FAULTS=1 (all but release packages; the option is on by default in this tree). Any thread. */
#ifndef ORLOP_OS_FAULT_H
#define ORLOP_OS_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

extern _Atomic bool fault_on; /* read at each call; set while threads run */

/* Parses and replaces the specification; empty switches all off. ERR_INVALID. */
MUST_CHECK struct err *fault_set(struct str spec);
/* errno to fail with before a call of this class, 0 to go on; *n may be shortened. May not return. */
int fault_before(const char *cls, bool mutating, size_t *n);
/* After a mutating call succeeded. May not return. */
void fault_after(const char *cls);
/* An error to return at this named point, or null. May not return. */
struct err *fault_point(const char *name);

#define FAULT_POINT(name)                                                                                              \
        do {                                                                                                           \
                if (UNLIKELY(fault_on))                                                                                \
                        TRY(fault_point(name));                                                                        \
        } while (0)

#endif
