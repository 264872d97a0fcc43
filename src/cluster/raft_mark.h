/* cluster/raft_mark.h (inside cluster): whether the directory of the ordered state is the one that this voter has always had.
 *
 * A voter whose log was lost, and with it the votes that it gave, must not come back under its old id: it could vote twice in one
 * term, and be counted for entries that it does not have. Two marks tell: one in the directory, one beside identity.json. */
#ifndef ORLOP_CLUSTER_RAFT_MARK_H
#define ORLOP_CLUSTER_RAFT_MARK_H

#include "base/err.h"

/* Makes the directory and both marks at a voter's first start; later both must be there. control_dir: open, where identity.json is.
 * Before the engine is opened. CORRUPT: the directory is gone, was emptied, or is another voter's; errors of files. */
MUST_CHECK struct err *raft__mark(int control_dir, const char *dir, uint64_t voter);

#endif
