/* cluster/epochs.h (inside cluster): which targets own keys, and since when: the placements of the state as a value, and
 * how they change (rules 1 to 4 of docs/adr/0008-many-nodes.md). Pure: no clock, no lock, no I/O.
 *
 * The current placement is the newest; an earlier one is kept until each of its targets has said that it holds nothing
 * foreign any more. Errors: NO_MEMORY and those named. */
#ifndef ORLOP_CLUSTER_EPOCHS_H
#define ORLOP_CLUSTER_EPOCHS_H

#include "cluster/control.h"

/* Changes that nobody asked for (a target is down) go on beyond CLUSTER_EARLIER_MAX, up to this. */
#define EPOCHS_EARLIER_HARD 64
#define EPOCHS_TARGETS_MAX 1024

struct epoch_target {
        char id[NODE_ID_MAX + 1];
        bool pending; /* may still hold something of this placement that is not its own */
};
struct epoch_set {
        uint64_t epoch;
        unsigned n;
        struct epoch_target *targets; /* sorted by id; heap */
};
struct epochs {
        struct epoch_set current; /* nothing pending */
        struct epoch_set earlier[EPOCHS_EARLIER_HARD]; /* newest first */
        unsigned earlier_count;
};

/* Copies; ret is independent. */
MUST_CHECK struct err *cluster__epochs_clone(const struct epochs *e, struct epochs *ret);
/* Frees and zeroes. */
void cluster__epochs_fini(struct epochs *e);
/* The first placement: epoch 1. ids sorted, without repetition. */
MUST_CHECK struct err *cluster__epochs_first(struct epochs *e, const char *const *ids, unsigned n);
/* Another set of targets becomes the next epoch; the same one changes nothing (*ret_changed false). The one before
 * becomes an earlier placement with all its targets pending. CONFLICT when too many are unsettled: CLUSTER_EARLIER_MAX,
 * forced: EPOCHS_EARLIER_HARD. */
MUST_CHECK struct err *cluster__epochs_change(struct epochs *e, const char *const *ids, unsigned n, bool forced,
                                              bool *ret_changed);
/* This target holds nothing foreign under this epoch: it is struck off every earlier placement; those without pending
 * targets are settled and go. CONFLICT when the epoch is not the current one. *ret_changed: whether anything differs. */
MUST_CHECK struct err *cluster__epochs_clean(struct epochs *e, const char *target, uint64_t epoch, bool *ret_changed);
/* What only this target held is given up. Returns whether anything differs. */
bool cluster__epochs_strike(struct epochs *e, const char *target);
/* Whether an earlier placement still waits for this target. */
bool cluster__epochs_pending(const struct epochs *e, const char *target);
/* Whether this target was an owner in the current placement. */
bool cluster__epochs_owns(const struct epochs *e, const char *target);
/* Whether this target may act under an epoch before the current one, and so must confirm before that is opened. */
bool cluster__epochs_must_confirm(const struct epochs *e, const char *target);

#endif
