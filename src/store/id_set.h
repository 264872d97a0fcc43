/* store/id_set.h (inside store): a set of content ids in memory: 16 bytes each. Added to, then sorted, then asked. */
#ifndef ORLOP_STORE_ID_SET_H
#define ORLOP_STORE_ID_SET_H

#include "store/content.h"

struct id_set {
        struct content_id *id;
        size_t n, cap;
};
/* Adds one; the set must be sorted again before it is asked. */
MUST_CHECK struct err *id_set_add(struct id_set *s, struct content_id id);
/* Makes it ready to be asked. */
void id_set_sort(struct id_set *s);
/* Index in s->id, or -1. */
ptrdiff_t id_set_find(const struct id_set *s, struct content_id id);
/* Empties it and gives its memory back. */
void id_set_fini(struct id_set *s);

#endif
