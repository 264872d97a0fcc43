/* store/space.h (inside store): the rule by which usage becomes a state. Pure. */
#ifndef ORLOP_STORE_SPACE_H
#define ORLOP_STORE_SPACE_H

#include "store/store.h"

/* The state at this usage, given the state before: a state begins at its mark and ends half a percent below. A mark of
 * 0 is switched off. */
enum space_state store__space_state(enum space_state before, int permille, const struct watermarks *w);

#endif
