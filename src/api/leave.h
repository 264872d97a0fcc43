/* api/leave.h (inside api): nodes that leave: into maintenance, shut down, or for good.
 *
 * A node leaves when it is clean: nothing of any placement is waited for from it any more. Until then what was asked
 * for is a document of the cluster's state ("leave/<node id>"), so that a new primary goes on with it; whoever leads
 * looks after the documents, on one thread.
 * Threads: workers, but for the thread itself. */
#ifndef ORLOP_API_LEAVE_H
#define ORLOP_API_LEAVE_H

#include "api/priv.h"
#include "net/rpc.h"

enum leave_kind { LEAVE_MAINTENANCE, LEAVE_SHUTDOWN, LEAVE_DECOMMISSION };
struct leave_wish {
        enum leave_kind kind;
        bool rm_user_data, keep_initial_config, no_shutdown;
        bool at_once; /* does not wait until the node is clean: what only it holds stays on its disks */
};
/* Whether nothing is waited for from this node: it is no target of the current placement, and not pending in any. */
bool api__leave_is_clean(const struct snapshot *s, const char *id);
/* Writes down that a node is to leave once it is clean. Leader. */
MUST_CHECK struct err *api__leave_put(struct api *a, const char *id, const struct leave_wish *w);
/* Forgets it. Leader. */
MUST_CHECK struct err *api__leave_drop(struct api *a, const char *id);
/* Tells another member's process to end. */
MUST_CHECK struct err *api__leave_tell(struct api *a, const struct cluster_member *m, const struct leave_wish *w);
/* What that process does: removes its buckets' contents if so wished, asks the daemon to end. */
MUST_CHECK struct err *api__leave_here(struct api *a, const struct leave_wish *w);
/* POST /node/end of the cluster port. */
rpc_handler_fn api__leave_end;

struct api_leave;
/* Starts the thread that looks after the documents while this process leads. */
MUST_CHECK struct err *api__leave_start(struct api *a, struct api_leave **ret);
/* Ends it. Null is fine. */
void api__leave_stop(struct api_leave *l);

#endif
