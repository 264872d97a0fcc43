/* store/mountpath.h (inside store): the life of one mountpath, and what the set remembers. Caller holds store.lock, or
 * is alone. */
#ifndef ORLOP_STORE_MOUNTPATH_H
#define ORLOP_STORE_MOUNTPATH_H

#include "os/random.h"
#include "store/priv.h"

/* A mountpath with the next index, not open yet, not in the store yet. ERR_INVALID. */
MUST_CHECK struct err *mountpath__new(struct store *s, const char *path, const char *label, struct mountpath **ret);
enum mountpath_make {
        MOUNTPATH_MAKE_NOTHING, /* it was here before: NOT_FOUND */
        MOUNTPATH_MAKE_INSIDE,  /* the directory must be there, what lies in it may be made */
        MOUNTPATH_MAKE_ALL,
};
/* Opens all that lies in it; ACTIVE afterwards. */
MUST_CHECK struct err *mountpath__open(struct mountpath *mp, enum mountpath_make make);
/* Commits what waits and closes it; nobody is in it. Closing what is closed is fine. */
void mountpath__close(struct mountpath *mp);
/* Whether one path lies within the other, or both are the same. */
bool mountpath__nested(const char *a, const char *b);
/* Parses the text of an identity file. CORRUPT, FORMAT. */
MUST_CHECK struct err *mountpath__identity_parse(struct str text, struct mountpath_identity *ret);

/* What every active mountpath remembers of the set, so that a restart with others knows (peers.c). */
struct peers {
        char active[STORE_MOUNTPATHS_MAX][32];
        unsigned nactive;
        char absent[STORE_MOUNTPATHS_MAX][32]; /* may come back with old records: deletes leave tombstones */
        unsigned nabsent;
        bool mixed;
};
/* Reads what the active mountpaths remember and makes of it what holds now. */
MUST_CHECK struct err *peers__load(struct store *s, struct peers *ret);
/* Has all active mountpaths remember it, durably. */
MUST_CHECK struct err *peers__save(struct store *s, const struct peers *p);
/* A set of the active mountpaths; those of state DISABLED that are open are being emptied. */
MUST_CHECK struct err *peers__set(struct store *s, const struct peers *p, struct mp_set **ret);

#endif
