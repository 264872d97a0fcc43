/* store/salvage.h (inside store): values of blob files that the engine's repair does not bring back. For fsck alone. */
#ifndef ORLOP_STORE_SALVAGE_H
#define ORLOP_STORE_SALVAGE_H

#include "base/err.h"
#include "base/str.h"

#define SALVAGE_BLOB_MAX ((size_t)1 << 30) /* longest blob file that is read */

/* Cuts the next value off *file (the rest of a blob file, beginning behind its head), skipping what is damaged.
 * Borrowed. False at the end. The engine's checksum of the value is not looked at: small contents carry their own. */
bool salvage_blob_next(struct str *file, struct str *ret_key, struct str *ret_value);
/* Calls fn for every value in the blob files of a directory, in no order; one may come several times, in older versions
 * too. */
MUST_CHECK struct err *salvage_blobs(int dirfd, struct err *(*fn)(void *arg, struct str key, struct str value),
                                     void *arg);

#endif
