/* store/move.h (inside store): bringing an object from one mountpath of the store to another. */
#ifndef ORLOP_STORE_MOVE_H
#define ORLOP_STORE_MOVE_H

#include "store/priv.h"

/* Copies what `from` holds of this key to `to` (contents, then record with its stamp, durable) and then forgets it at
 * `from`. A newer record at `to` wins: then only the old copy is forgotten. NOT_FOUND: nothing lies there. *ret_bytes
 * (may be null) is what was copied. Caller is in the set. */
MUST_CHECK struct err *store__move(struct mountpath *from, struct mountpath *to, const struct obj_key *key,
                                   uint64_t *ret_bytes);
/* Copies an object under another key to the mountpath that is chosen for that: record with a new stamp, contents with
 * new ids. The old object stays. */
MUST_CHECK struct err *store__copy_as(struct mp_set *set, const struct obj_key *from, const struct obj_key *to,
                                      bool fast, struct stamp *ret_from_stamp);
/* Has the newest copy of an object lie on its chosen mountpath. NOT_FOUND. */
MUST_CHECK struct err *store__bring(struct mp_set *set, const struct obj_key *key);

#endif
