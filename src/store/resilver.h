/* store/resilver.h (inside store): emptying a mountpath that takes no new objects. */
#ifndef ORLOP_STORE_RESILVER_H
#define ORLOP_STORE_RESILVER_H

#include "store/priv.h"

/* Moves all that lies on mp to where HRW of the current set wants it. mp is in the set, but not among those that are
 * chosen. CORRUPT: some objects can not be read and are still there, all others have been moved. */
MUST_CHECK struct err *store__empty(struct store *s, struct mountpath *mp);

#endif
