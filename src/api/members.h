/* api/members.h (inside api): changes of who belongs to the cluster. Workers; on the leader. */
#ifndef ORLOP_API_MEMBERS_H
#define ORLOP_API_MEMBERS_H

#include "api/priv.h"

/* start-maintenance, stop-maintenance, shutdown-node, decommission-node, rm-unsafe. */
api_handler_fn api__member_change;
/* shutdown and decommission of the whole cluster. */
api_handler_fn api__cluster_shutdown, api__cluster_decommission;
/* PUT /v1/cluster/proxy/<id>: another primary. */
api_handler_fn api__primary_set;

#endif
