/* cluster/voters.h (inside cluster): which proxies should vote: a plan of one step. Pure.
 *
 * 1, 3, 5 or 7 vote: the largest odd number of live electable proxies. One change at a time, and never one that leaves
 * the live voters without a majority. Who votes and lives stays; among others the one that joined first. Who is on the way
 * when a change breaks off is led to its end, or taken out. A voter that is
 * reached elsewhere by now is removed and comes again with its new address; a leader hands over for that. */
#ifndef ORLOP_CLUSTER_VOTERS_H
#define ORLOP_CLUSTER_VOTERS_H

#include <stdbool.h>
#include <stdint.h>

#define VOTERS_MAX 7

struct voter_candidate {
        uint64_t id;       /* voter id, not 0 */
        int64_t joined_ns;
        bool electable;    /* a proxy that may vote: neither set aside nor in maintenance */
        bool up;
        bool voting;       /* now */
        bool member;       /* false: a voter that the state does not know (any more) */
        bool leader;
        bool moved;        /* votes under an address that is no longer its own */
        bool listed;       /* known to the voters without a vote: on its way to one, or from it */
};
enum voter_step { VOTER_NOTHING, VOTER_ADD, VOTER_REMOVE, VOTER_HAND_OVER };
/* The next step for n candidates (all voters of the moment are among them). *ret_id: whom to add, to remove, or to hand
 * leadership over to. */
enum voter_step cluster__voters_step(const struct voter_candidate *list, unsigned n, uint64_t *ret_id);

#endif
