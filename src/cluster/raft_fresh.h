/* cluster/raft_fresh.h (raft engine only): whether a leader may still believe that it is one. Pure; the caller brings the time.
 *
 * A process may be stopped and continued, a thread starved. While it stood still the others may have chosen another leader, and
 * answers that lay in its sockets say nothing about now. So a gap between two looks at the clock that is longer than the election
 * time-out takes the freshness away for two election time-outs; and at all times a majority must have answered within the last one. */
#ifndef ORLOP_CLUSTER_RAFT_FRESH_H
#define ORLOP_CLUSTER_RAFT_FRESH_H

#include <stdbool.h>
#include <stdint.h>

#include "cluster/engine.h"

struct raft_fresh {
        int64_t election_ns;
        int64_t last_run_ns;   /* the thread was alive */
        int64_t not_before_ns; /* after a gap */
        struct {
                uint64_t id;
                int64_t heard_ns;
        } peer[RAFT_VOTERS_MAX];
        unsigned n;
};
/* Nobody was heard, and the thread runs at `now`. */
void raft_fresh_init(struct raft_fresh *f, int64_t election_ns, int64_t now);
/* The thread runs. */
void raft_fresh_run(struct raft_fresh *f, int64_t now);
/* A new term as leader: what was heard before does not count. */
void raft_fresh_reset(struct raft_fresh *f);
/* This voter has answered in the present term. */
void raft_fresh_heard(struct raft_fresh *f, uint64_t id, int64_t now);
/* When this one was last heard; 0: never. */
int64_t raft_fresh_last_heard(const struct raft_fresh *f, uint64_t id);
/* Until when freshness lasts if nothing more is heard: 0 if there is none now. voters: ids of all, self among them. */
int64_t raft_fresh_until(const struct raft_fresh *f, const uint64_t *voters, unsigned n, uint64_t self, int64_t now);

#endif
