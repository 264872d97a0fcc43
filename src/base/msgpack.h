/* base/msgpack.h: the msgpack encodings that the wire needs, appended to a `struct buf`. Smallest form of each value.
 * Source: the msgpack specification. Pure; any thread. */
#ifndef ORLOP_BASE_MSGPACK_H
#define ORLOP_BASE_MSGPACK_H

#include "base/buf.h"

/* A map of n pairs follows. */
void mp_map(struct buf *b, uint32_t n);
/* An array of n items follows. */
void mp_array(struct buf *b, uint32_t n);
/* A text. */
void mp_str(struct buf *b, struct str s);
/* An unsigned integer. */
void mp_uint(struct buf *b, uint64_t v);
/* A signed integer. */
void mp_int(struct buf *b, int64_t v);
/* true or false. */
void mp_bool(struct buf *b, bool v);
/* nil. */
void mp_nil(struct buf *b);

#endif
