/* cluster/docs.h (inside cluster): the documents of the state as a value: a sorted table that copies share.
 *
 * A document is immutable and counts its references; a table is owned by one thread, or guarded by its owner's lock.
 * Copying a table copies pointers. Only ERR_NO_MEMORY. */
#ifndef ORLOP_CLUSTER_DOCS_H
#define ORLOP_CLUSTER_DOCS_H

#include <stdatomic.h>

#include "cluster/engine.h"

struct doc_ref {
        atomic_uint refs;
        uint64_t modified;
        struct str key, body; /* in the same allocation; NUL-terminated */
};
struct docs {
        struct doc_ref **list; /* sorted by key */
        size_t n, cap;
        size_t bytes; /* of keys and bodies */
};

/* A document with one reference; null when out of memory. */
struct doc_ref *cluster__doc_new(struct str key, struct str body, uint64_t modified);
/* One more reference. */
struct doc_ref *cluster__doc_ref(struct doc_ref *d);
/* One less; null is fine. */
void cluster__doc_unref(struct doc_ref *d);
/* A copy that shares the documents. */
MUST_CHECK struct err *cluster__docs_clone(const struct docs *d, struct docs *ret);
/* Frees it; zeroes it. */
void cluster__docs_fini(struct docs *d);
/* The document of this key, or null. Borrowed. */
const struct doc_ref *cluster__docs_get(const struct docs *d, struct str key);
/* Index of the first document whose key is not less. */
size_t cluster__docs_find(const struct docs *d, struct str key, bool *ret_found);
/* Puts (replaces) or, with a null body, removes. */
MUST_CHECK struct err *cluster__docs_put(struct docs *d, struct str key, struct str body, uint64_t modified);

#endif
