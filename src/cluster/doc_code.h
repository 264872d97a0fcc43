/* cluster/doc_code.h (doc_set.c and doc_code.c): bytes of documents, commands and snapshots. See docs/format/raft.md.
 * Pure. */
#ifndef ORLOP_CLUSTER_DOC_CODE_H
#define ORLOP_CLUSTER_DOC_CODE_H

#include "cluster/doc_set.h"

/* A new block with one reference; null when out of memory. */
struct doc_block *doc__block_new(struct str key, struct str body, uint64_t created, uint64_t modified);
/* What a client's last result adds to the hash of the state. */
uint64_t doc__client_hash(const struct doc_client *c);
/* Header and clients of a snapshot of this set; the caller frees; null when out of memory. */
unsigned char *doc__snapshot_head(const struct doc_set *s, size_t *ret_n);
/* Fills an empty set from the bytes of a snapshot. On error what was filled is the caller's to drop. */
MUST_CHECK struct err *doc__snapshot_read(struct doc_set *s, struct str bytes);

#endif
