/* store/change.h (inside store): what change.c does at start, and for other changes without bytes. */
#ifndef ORLOP_STORE_CHANGE_H
#define ORLOP_STORE_CHANGE_H

#include "store/priv.h"

/* Ends the renames between mountpaths that a crash left half-done; the store is open. */
MUST_CHECK struct err *store__rename_recover(struct store *s, struct mountpath *mp);
/* Hands a change to the commit thread of op->key's mountpath; in a mixed set the object is brought there first if need
 * be. The caller stands in the set. NOT_FOUND becomes IO while a mountpath could not be opened. */
MUST_CHECK struct err *store__commit_here(struct mp_set *set, struct commit_op *op);

#endif
