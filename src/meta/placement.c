/* meta/placement.c: highest random weight. Nothing here can fail; names were validated before. */
#include "meta/placement.h"

#include "base/hash.h"

uint64_t placement_digest(struct str id)
{
        return hash_xxh64(id.p, id.n, PLACEMENT_SEED);
}

uint64_t placement_object_digest(const struct bck *bck, struct str object)
{
        char name[192 + OBJECT_NAME_MAX];
        bck_uname(bck, name);
        size_t n = strlen(name);
        ASSERT(object.n <= OBJECT_NAME_MAX);
        if (object.n)
                memcpy(name + n, object.p, object.n);
        return hash_xxh64(name, n + object.n, PLACEMENT_SEED);
}

size_t placement_choose(const uint64_t *candidates, size_t n, uint64_t digest)
{
        ASSERT(n > 0);
        size_t best = 0;
        uint64_t weight = hash_mix(candidates[0] ^ digest);
        for (size_t i = 1; i < n; i++) {
                uint64_t w = hash_mix(candidates[i] ^ digest);
                if (w > weight) {
                        weight = w;
                        best = i;
                }
        }
        return best;
}
