/* net/pump.h: a plain socket for a connection that is TLS: for libraries that read and write a descriptor themselves.
 *
 * One end of a socket pair is the caller's; a thread of its own carries bytes between the other end and the peer until
 * either side ends. Meant for a few long-lived streams (consensus), not for data.
 * Threads: any. Nothing blocks but pumps_free(). */
#ifndef ORLOP_NET_PUMP_H
#define ORLOP_NET_PUMP_H

#include "base/err.h"
#include "base/str.h"

struct tls_conn;
struct pumps;
/* The set of pumps of one owner. */
MUST_CHECK struct err *pumps_new(struct pumps **ret);
/* Cuts all streams and waits for their threads. Null is fine. */
void pumps_free(struct pumps *p);
/* Takes over fd and tls (null: plain), also on error, and gives a connected stream socket, non-blocking, which the
 * caller closes. `early` are bytes that were received already: they come out first. */
MUST_CHECK struct err *pumps_add(struct pumps *p, int fd, struct tls_conn *tls, struct str early, int *ret_fd);

#endif
