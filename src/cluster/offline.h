/* cluster/offline.h: what can be done to the ordered state of a stopped voter: look at it, print it, and make it the
 * only voter when the others are lost.
 *
 * Threads: one. Everything blocks and needs room for a copy of the directory. Errors: NOT_FOUND (no state directory, or
 * no voter), IN_USE (a process runs on it), CORRUPT, FORMAT, IO. */
#ifndef ORLOP_CLUSTER_OFFLINE_H
#define ORLOP_CLUSTER_OFFLINE_H

#include "cluster/control.h"
#include "cluster/engine.h"

struct offline_voter {
        char cluster[CLUSTER_UUID_MAX + 1], member[NODE_ID_MAX + 1];
        uint64_t id;          /* as a voter */
        char address[272];    /* as the voters know it; "" when it is none of them */
        char dir[4096];       /* of the ordered state */
        struct raft_inspection now;
};
/* Reads who this is and what it has. Changes nothing. */
MUST_CHECK struct err *cluster_offline_inspect(const char *state_dir, struct offline_voter *ret);
/* Visits all documents, sorted by key: bodies hold secrets. Changes nothing. */
MUST_CHECK struct err *cluster_offline_export(const struct offline_voter *v,
                                              struct err *(*visit)(void *arg, const struct doc *d), void *arg);
/* Makes it the only voter; a copy of the directory stays beside it (".before-recover-N"). INVALID when it is none. */
MUST_CHECK struct err *cluster_offline_recover(const struct offline_voter *v);

#endif
