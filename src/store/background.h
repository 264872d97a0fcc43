/* store/background.h (inside store): life of the background thread, and what it calls. */
#ifndef ORLOP_STORE_BACKGROUND_H
#define ORLOP_STORE_BACKGROUND_H

#include "store/priv.h"

/* Its lists, ready to take work; no thread yet. */
MUST_CHECK struct err *background_new(struct store *s, struct background **ret);
/* Starts the threads. They touch mountpaths only through s->mp and mountpath_enter. */
MUST_CHECK struct err *background_start(struct background *b);
/* Ends the threads; work that still comes is kept. Null is fine. */
void background_stop(struct background *b);
/* Does the work that came after the stop, then frees. Before the mountpaths are closed. Null is fine. */
void background_free(struct background *b);
/* A bucket waits for its removal. */
void background_drop_kick(struct background *b);

/* drop.c: reads the markers of dropped buckets of a mountpath that was just opened. */
MUST_CHECK struct err *store__drop_load(struct store *s, struct mountpath *mp);
/* drop.c: removes what is left of dropped buckets, a bounded step at a time until nothing is left or the store ends. */
void store__drop_run(struct store *s);
/* mountpath_set.c: opens mountpaths again that failed for want of space, once there is some. */
void store__mountpaths_revive(struct store *s);
/* mountpath_set.c: closes mountpaths that were taken out and that nobody holds any more. */
void store__mountpaths_close_idle(struct store *s);

#endif
