/* daemon/serve.h: the life of a node: everything is made in order, wired, served, and ended in reverse. Main thread. */
#ifndef ORLOP_DAEMON_SERVE_H
#define ORLOP_DAEMON_SERVE_H

#include "daemon/settings.h"

/* Runs the node until SIGTERM, SIGINT or a shutdown request. Blocks. Errors of the start (INVALID, IN_USE, FOREIGN, IO …); null after a clean end. */
MUST_CHECK struct err *serve(const struct settings *s);
/* `orlopd fsck`: the offline check. Returns the exit code: 0 clean, 1 findings, 2 usage or failure. */
int fsck_command(int argc, char **argv);
/* `orlopd control`: a stopped voter's ordered state. Returns the exit code: 0 done, 1 damaged or in use, 2 usage. */
int control_command(int argc, char **argv);

#endif
