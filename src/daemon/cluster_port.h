/* daemon/cluster_port.h: the port by which the nodes of a cluster reach each other: what it is called by, its server,
 * and what this node does once it hears the others. A node without --cluster-listen has none: then the pointer is null,
 * which all functions but cluster_port_options() take. Main thread. */
#ifndef ORLOP_DAEMON_CLUSTER_PORT_H
#define ORLOP_DAEMON_CLUSTER_PORT_H

#include "cluster/control.h"
#include "daemon/settings.h"
#include "flow/flow.h"
#include "net/rpc.h"

struct cluster_port;

/* Judges the flags, before anything is made. *ret is null without --cluster-listen. INVALID: flags that contradict each
 * other or what state_dir holds; an address that other nodes could not use. */
MUST_CHECK struct err *cluster_port_new(const struct settings *s, const char *state_dir, struct cluster_port **ret);
/* Where routes are added; null if there is none. */
struct rpc_server *cluster_port_rpc(struct cluster_port *p);
/* Fills what opens a cluster with a port. Borrows p and the settings. */
void cluster_port_options(struct cluster_port *p, struct pool *pool, struct cluster_opts *o);
/* Listens, takes part, and drops in the background what was destroyed while this node was away. After all routes are
 * there. Blocks until this node holds a lease, or some seconds. IN_USE and other errors of the server. */
MUST_CHECK struct err *cluster_port_start(struct cluster_port *p, struct node *n, struct pool *pool);
/* Serves nobody any more. After cluster_stop(). */
void cluster_port_stop(struct cluster_port *p);
/* After the cluster is closed. */
void cluster_port_free(struct cluster_port *p);

/* The address of `told` ("host:port", with or without a scheme), else that of `bound`, with an address of this machine
 * in place of a wildcard. The host is one of buf or borrowed from the texts. INVALID. */
MUST_CHECK struct err *address_told(struct str told, struct str bound, char buf[static 64], struct str *ret_host,
                                    uint16_t *ret_port);

#endif
