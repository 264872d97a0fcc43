/* s3/write_priv.h (inside s3): pieces of answers. */
#ifndef ORLOP_S3_WRITE_PRIV_H
#define ORLOP_S3_WRITE_PRIV_H

#include "s3/write.h"

/* Declaration and root, in S3's namespace. */
void s3__write_begin(struct buf *b, const char *name);
/* An element unless s.p is null. */
void s3__write_some(struct buf *b, const char *name, struct str s);
/* A moment, with milliseconds. */
void s3__write_time(struct buf *b, const char *name, int64_t ns);
/* <ETag>"…"</ETag> unless p is null. */
void s3__write_etag(struct buf *b, struct str etag);
/* An owner, unless null. */
void s3__write_owner(struct buf *b, const char *name, const struct s3_owner *o);
/* A key, percent-encoded when asked for. */
void s3__write_key(struct buf *b, const char *name, struct str key, bool url);

#endif
