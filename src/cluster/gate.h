/* cluster/gate.h (inside cluster): what stands between a decision about ownership and its commit (rule 1 of
 * docs/adr/0008-many-nodes.md).
 *
 * One epoch is the newest here; commits enter under it and are counted. Moving to a newer epoch turns entries under the
 * old one away at once; cluster__gate_drained() tells when the last commit that is still inside has left. Lock-free: an
 * entry is two atomic operations. Two counters suffice because an epoch is not moved on again before the one before it
 * is drained. */
#ifndef ORLOP_CLUSTER_GATE_H
#define ORLOP_CLUSTER_GATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct gate {
        _Atomic uint64_t newest; /* epoch << 1 | slot that counts */
        _Atomic uint64_t inside[2];
        _Atomic uint64_t open;   /* newest epoch that the leader has opened */
        _Atomic int64_t lease_until_ns; /* clock_mono */
};

/* Closed: no epoch, no lease. */
void cluster__gate_init(struct gate *g);
/* Makes this epoch the newest, if it is newer. The one before the last must be drained. One thread. */
void cluster__gate_move(struct gate *g, uint64_t epoch);
/* Whether no commit is inside under an epoch older than the newest. */
bool cluster__gate_drained(const struct gate *g);
/* The leader has opened this epoch; never goes back. */
void cluster__gate_open(struct gate *g, uint64_t epoch);
/* The lease now ends here; earlier ends than the one known are ignored. */
void cluster__gate_lease(struct gate *g, int64_t until_mono_ns);
/* Ends the lease at once. */
void cluster__gate_revoke(struct gate *g);
/* See cluster_gate_enter. */
bool cluster__gate_enter(struct gate *g, uint64_t epoch, int64_t now_mono_ns, unsigned *ret_slot);
/* See cluster_gate_leave. */
void cluster__gate_leave(struct gate *g, unsigned slot);

#endif
