/* net/rpc_priv.h: how a failure travels between nodes: shared by rpc_server.c and rpc_client.c. */
#ifndef ORLOP_NET_RPC_PRIV_H
#define ORLOP_NET_RPC_PRIV_H

#include "net/rpc.h"

#define RPC_ERROR_MAX ((size_t)256 * 1024) /* of an error's JSON */

/* Appends {"code": …, "message": …} and the members of `extra` (null or an object) but those two. */
void rpc__error_write(enum err_code code, const char *message, const json_t *extra, struct buf *b);
/* The error that such a text stands for, its message prefixed by `peer`; never null. *ret_whole, if not null, gets the
 * JSON object when it is one (the caller's). */
struct err *rpc__error_read(struct str text, int status, const char *peer, json_t **ret_whole);
/* The HTTP status for whoever looks at the wire; callers go by the code. */
int rpc__error_status(enum err_code code);

#endif
