/* meta/placement.h: highest random weight, exactly as clients compute it (wire-level fact). Pure; any thread. */
#ifndef ORLOP_META_PLACEMENT_H
#define ORLOP_META_PLACEMENT_H

#include "meta/name.h"

#define PLACEMENT_SEED UINT64_C(1103515245)

/* XXH64(id, PLACEMENT_SEED): published as id_digest, of nodes and of mountpaths. */
uint64_t placement_digest(struct str id);
/* Digest of an object: XXH64 of "<provider>/@<uuid>#<ns>/<bucket>/<object>". No allocation. */
uint64_t placement_object_digest(const struct bck *bck, struct str object);
/* Index of the candidate with the largest hash_mix(candidate ^ digest); n > 0. */
size_t placement_choose(const uint64_t *candidates, size_t n, uint64_t digest);

#endif
