/* cluster/leases.h (inside cluster): who may act, and who counts as dead: the leader's book of beats and the member's
 * end of it. Pure: time is an argument (clock_mono of the process that calls), nothing is locked.
 *
 * The leader writes down each beat; its answer is a lease that runs from the moment at which the member sent the beat.
 * So the member's lease always ends before the leader may call it dead, whatever the network and both processes do:
 *
 *   lease 2 s  x 1.1 (a slow clock at the member)  <  down 3 s  x 0.9 (a fast clock at the leader)
 *
 * A new leader, and one that stood still, knows nothing of leases given before: it declares nobody down, and opens no
 * epoch that is not settled, for a time in which those have run out: the old leader can believe in itself for two
 * election time-outs more, then its last lease runs. */
#ifndef ORLOP_CLUSTER_LEASES_H
#define ORLOP_CLUSTER_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/epochs.h"

#define LEASE_NS (2 * INT64_C(1000000000))      /* length of a lease */
#define LEASE_DOWN_NS (3 * INT64_C(1000000000)) /* silence after which a member is down */
#define LEASE_ELECTION_NS (500 * INT64_C(1000000))
/* A quarter more than lease + two elections: both clocks may be a tenth off. */
#define LEASE_GRACE_NS ((LEASE_NS + 2 * LEASE_ELECTION_NS) / 4 * 5)

/* ---- the leader's side ---- */

struct lease_entry {
        char id[NODE_ID_MAX + 1]; /* of the member */
        char target[NODE_ID_MAX + 1]; /* "": none */
        bool up;                  /* says the state */
        bool heard_ever;          /* by this leader */
        uint64_t since;           /* epoch with which it came (back): it may act under no earlier one */
        uint64_t incarnation;     /* newest heard of */
        uint64_t confirmed;
        int64_t heard_ns;
        bool gone;                /* it said that it ends: it acts no more until its next beat */
        bool waited;              /* and an epoch waits for it: no use to wait until its silence is long enough */
};
struct leases {
        bool leading;
        int64_t not_before_ns; /* no verdict earlier */
        int64_t last_tick_ns;
        uint64_t open;         /* newest epoch that was opened; 0: not known to this leader */
        struct lease_entry *list; /* sorted by member id; heap */
        unsigned n;
};
/* What one member looks like in the state. */
struct lease_member {
        const char *id, *target;
        bool up;
        uint64_t since;
};
/* Empties it. */
void cluster__leases_fini(struct leases *l);
/* Leadership begins (again). first: no process has ever led this cluster before, so no lease can be under way; then there
 * is no time of grace. */
void cluster__leases_lead(struct leases *l, int64_t now_ns, bool first);
/* Leadership ends. */
void cluster__leases_follow(struct leases *l);
/* The state as it is now; list sorted by id. Who is new, or up again, counts as heard at this moment. A member that
 * vanishes, or is down without having been condemned, may still hold a lease: it holds back openings and verdicts for the
 * time of grace. */
MUST_CHECK struct err *cluster__leases_state(struct leases *l, const struct lease_member *list, unsigned n,
                                             int64_t now_ns);
/* To be called often; notices that the process stood still. Returns false if it did. */
bool cluster__leases_tick(struct leases *l, int64_t now_ns);

enum lease_answer {
        LEASE_GIVEN,
        LEASE_NOT_LEADER,  /* not leading, or not freshly enough */
        LEASE_UNKNOWN,     /* no such member */
        LEASE_OLD_PROCESS, /* a later process of this member has been heard */
        LEASE_DOWN,        /* the state says down: it must come back first */
        LEASE_BEHIND,      /* it has not confirmed the epoch with which it came back */
};
/* A beat. fresh: the engine's word at this moment. */
enum lease_answer cluster__leases_beat(struct leases *l, int64_t now_ns, bool fresh, const char *id,
                                       uint64_t incarnation, uint64_t confirmed);
/* A member says that it has given up its lease and ends. It is not down yet: it may be back in a moment, and nothing need
 * move for that; unless an epoch waits for it. False: a later process of it is known, or it is not a member. */
bool cluster__leases_goodbye(struct leases *l, const char *id, uint64_t incarnation);
/* The i-th member that must be declared down now, or null. `self` never is. */
const char *cluster__leases_dead(const struct leases *l, int64_t now_ns, const char *self, unsigned i);
/* Before the command that declares it down: it gets no lease any more. If the command fails, the next
 * cluster__leases_state takes it back. */
void cluster__leases_condemn(struct leases *l, const char *id);
/* Opens the current epoch when all have confirmed it who could act under an earlier one. Returns the newest open one;
 * 0: not known. */
uint64_t cluster__leases_open(struct leases *l, int64_t now_ns, const struct epochs *e);
/* Whether this member has been heard within the last `within` ns. */
bool cluster__leases_heard(const struct leases *l, const char *id, int64_t now_ns, int64_t within_ns);

/* ---- the member's side ---- */

/* End of the lease that a beat sent at sent_ns has brought. */
static inline int64_t cluster__lease_end(int64_t sent_ns)
{
        return sent_ns + LEASE_NS;
}

#endif
