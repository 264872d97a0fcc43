/* net/testapp/app.h: a small application on the server, for tests, conversations and measurements. Not part of any
 * product.
 *
 * What it serves (numbers by query; body bytes follow a fixed pattern, see testapp_pattern):
 *   /mem?n=        memory, answered on the loop           /wmem?n=       the same by a worker
 *   /file?n=&o=    file range, on the loop                /wfile?n=&o=   by a worker; Range is honoured by both
 *   /gen?n=&piece= generated, length unknown              /genlen?n=     generated, length announced
 *   /generr        a generator that fails at once         /gencut        one that fails after 64 KiB
 *   /echo          the request's body back                /count         its length in digits
 *   /take          as /count, taken as it comes          /whole         as /echo, received whole before (1 MiB)
 *   /early         403 without reading the body           /earlyloop     the same from the loop
 *   /pending       completed by another thread            /sleep?ms=     a worker that sleeps
 *   /gate          a worker that waits for testapp_gate_open */
#ifndef ORLOP_NET_TESTAPP_H
#define ORLOP_NET_TESTAPP_H

#include "net/server.h"

#define TESTAPP_BYTES ((size_t)16 << 20) /* of memory and of the file */

struct testapp;
/* Makes pattern, file and a pool of so many workers and waiting tasks per class; the server comes with testapp_serve.
 */
MUST_CHECK struct err *testapp_new(unsigned workers, unsigned queued, struct testapp **ret);
/* Creates and starts the server. `o` gives listeners, loops and limits; pool and app are filled in. */
MUST_CHECK struct err *testapp_serve(struct testapp *t, struct http_server_options *o);
/* The server, for stats and addresses. */
struct http_server *testapp_server(struct testapp *t);
/* Tasks that its workers did so far. */
uint64_t testapp_tasks(struct testapp *t);
/* Tasks that wait for one of its workers at this moment. */
unsigned testapp_queued(struct testapp *t);
/* Workers that wait in /gate at this moment. */
unsigned testapp_gated(struct testapp *t);
/* Lets everybody through /gate, from now on. */
void testapp_gate_open(struct testapp *t);
/* Drops the file from the page cache, where its file system can. */
void testapp_cool(struct testapp *t);
/* on_sent calls so far: all, and those with complete = true. */
void testapp_sent(struct testapp *t, unsigned *ret_all, unsigned *ret_complete);
/* Stops the server within ns and frees all. */
void testapp_free(struct testapp *t, int64_t ns);
/* Bodies of /take that ended early, so far. */
unsigned testapp_taken_early(struct testapp *t);
/* The first TESTAPP_BYTES bytes of every body. */
const char *testapp_bytes(const struct testapp *t);
/* Byte i of every body. */
static inline unsigned char testapp_pattern(uint64_t i)
{
        return (unsigned char)(i * 7 + (i >> 8) * 3 + (i >> 16));
}

#endif
