/* store/change.h (inside store): what change.c does at start. */
#ifndef ORLOP_STORE_CHANGE_H
#define ORLOP_STORE_CHANGE_H

#include "store/priv.h"

/* Ends the renames between mountpaths that a crash left half-done; the store is open. */
MUST_CHECK struct err *store__rename_recover(struct store *s, struct mountpath *mp);

#endif
