/* cluster/doc_set.h (inside cluster): the documents of the cluster's state as a value, and the commands that change it.
 *
 * The same commands in the same order give the same set, byte for byte and hash for hash, on every member: no clock, no
 * randomness, no addresses. Documents are immutable blocks that sets and snapshots share by reference.
 * A set, its blocks and its snapshots belong to one thread; the bytes of a snapshot may be read by others meanwhile.
 * Formats: docs/format/raft.md. Nothing blocks. */
#ifndef ORLOP_CLUSTER_DOC_SET_H
#define ORLOP_CLUSTER_DOC_SET_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "cluster/engine.h"

#define DOC_COMMAND_MAX (2u * 1024u * 1024u) /* bytes of one command */
#define DOC_COMMAND_DOCS_MAX 8192u           /* documents of one command */
#define DOC_CLIENTS_MAX 256u                 /* clients whose last result is kept; the one idle for longest makes room */
#define DOC_SNAPSHOT_HEAD 64u                /* bytes of a snapshot's header */

enum doc_status { DOC_DONE, DOC_CONFLICT, DOC_TOTAL_TOO_LARGE, DOC_SEQUENCE_OLD };

/* ---- commands ---- */

struct doc_command {
        uint64_t client, sequence; /* client 0: the result is not kept */
        uint64_t wall_ns;          /* the leader's clock, for people */
        unsigned n;
        struct buf_reader docs;    /* the encoded documents, checked */
};
/* Encodes into *b (appended). INVALID (keys, twice the same key), TOO_LARGE, NO_MEMORY. */
MUST_CHECK struct err *doc_command_encode(struct buf *b, uint64_t client, uint64_t sequence, uint64_t wall_ns,
                                          const struct doc *docs, size_t n);
/* Checks all of a command and opens it; trailing padding is fine. CORRUPT; FORMAT for a format or type of a later version. */
MUST_CHECK struct err *doc_command_decode(struct str bytes, struct doc_command *ret);
/* The next of ret->n documents, borrowed from the bytes. */
struct doc doc_command_next(struct doc_command *c);

/* ---- the set ---- */

/* One document as it stands in a snapshot. */
struct doc_block {
        unsigned refs;
        uint32_t size; /* of bytes */
        uint64_t hash;
        struct doc doc;        /* points into bytes */
        uint64_t created;
        unsigned char bytes[]; /* the record of docs/format/raft.md */
};
struct doc_client {
        uint64_t client, sequence, index;
        enum doc_status status;
};
struct doc_set {
        struct doc_block **blocks; /* sorted by key */
        size_t n, cap;
        uint64_t index;            /* of the last command applied or restored */
        uint64_t bytes;            /* of all blocks */
        uint64_t hash;             /* sum of the hashes of blocks and clients */
        struct doc_client clients[DOC_CLIENTS_MAX];
        unsigned n_clients;
        struct doc *changed;       /* scratch of doc_set_apply */
        size_t changed_cap;
};
/* An empty set in the caller's memory. */
void doc_set_init(struct doc_set *s);
/* Drops all of it. */
void doc_set_fini(struct doc_set *s);
/* The document at this key; null if none. Borrowed until the set changes. */
const struct doc *doc_set_find(const struct doc_set *s, struct str key);
/* All documents as an array of s->n (the caller frees it; keys and bodies are borrowed). NO_MEMORY. */
MUST_CHECK struct err *doc_set_all(const struct doc_set *s, struct doc **ret);

struct doc_result {
        enum doc_status status;
        bool repeated;            /* applied before; nothing was done now */
        uint64_t index;           /* of the command that did it */
        const struct doc *docs;   /* what changed, sorted by key; valid as long as the command, and until the next apply */
        size_t n;
};
/* Applies the command of this log index, all or nothing. An error means that it can not be understood (CORRUPT, FORMAT)
 * or that memory is short; the set is as before. What a command may run into is in ret->status. */
MUST_CHECK struct err *doc_set_apply(struct doc_set *s, uint64_t index, struct str command, struct doc_result *ret);

/* ---- snapshots ---- */

struct doc_snapshot {
        struct doc_block **blocks; /* referenced */
        size_t n;
        unsigned char *head;       /* header and clients, which come first */
        size_t head_n;
};
/* Takes the set as it is, sharing all blocks. NO_MEMORY. */
MUST_CHECK struct err *doc_set_snapshot(const struct doc_set *s, struct doc_snapshot *ret);
/* Lets go of it. */
void doc_snapshot_fini(struct doc_snapshot *p);
/* Replaces the set by what the bytes of a snapshot hold, every checksum verified; an error leaves it as it was. CORRUPT,
 * FORMAT, NO_MEMORY. */
MUST_CHECK struct err *doc_set_restore(struct doc_set *s, struct str bytes);

#endif
