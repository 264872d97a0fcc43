/* daemon/node_files.h: settings out of the two files that nodes of the wire are started with: the cluster's configuration
 * (sections by the wire's names) and the node's own: where its state is, its addresses, its directories. Plain values;
 * main thread, before anything else runs. */
#ifndef ORLOP_DAEMON_NODE_FILES_H
#define ORLOP_DAEMON_NODE_FILES_H

#include "daemon/settings.h"

/* Reads s->local_config, and s->config if there is one, into those settings that nothing else has set: state, log
 * directory, addresses, directories, certificate, first values of the cluster's configuration. ERR_INVALID names the
 * file and the member. */
MUST_CHECK struct err *node_files_read(struct settings *s);

#endif
