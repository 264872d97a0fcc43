/* store/manifest.h (inside store): whether RocksDB's MANIFEST is damaged in its middle.
 *
 * RocksDB may take a flipped length for the end of the file and forget the rest, although each record of it is synced. */
#ifndef ORLOP_STORE_MANIFEST_H
#define ORLOP_STORE_MANIFEST_H

#include "base/err.h"
#include "base/str.h"

/* Whether good records follow a bad one. Pure. */
bool manifest_is_cut(struct str manifest);
/* The same for the MANIFEST of a directory: CORRUPT. None there is fine. IO. */
MUST_CHECK struct err *manifest_check(const char *dir);

#endif
