/* store/object.h: plain values that describe an object on this node: its key, its metadata, its conditions. */
#ifndef ORLOP_STORE_OBJECT_H
#define ORLOP_STORE_OBJECT_H

#include "base/hash.h"
#include "base/str.h"

struct obj_key {
        uint64_t bid;    /* bucket id */
        struct str name; /* bytes; borrowed */
};
/* Digest that chooses mountpath, cache shard and lock: XXH64(name, seed bid). */
static inline uint64_t obj_key_digest(const struct obj_key *k)
{
        return hash_xxh64(k->name.p, k->name.n, k->bid);
}

/* Total order of writes (hybrid logical clock, node). Larger wins everywhere. */
struct stamp {
        uint64_t hlc; /* ns of wall clock, never repeated nor going back on a node; low bits count */
        uint32_t node;
};

struct obj_meta {
        struct stamp stamp;
        uint64_t version;       /* what clients see; 0: none (versioning off) */
        uint64_t size;          /* bytes */
        int64_t mtime_ns;       /* wall clock of the commit */
        int64_t atime_ns;       /* last read or write; kept lazily */
        enum cksum_type cksum_type;
        struct str cksum;       /* hex; empty for none */
        struct str custom; /* packed pairs: repeated {LEB128-length key, LEB128-length value}; see store_custom_next */
        uint32_t chunks;        /* 0: one content; else number of chunks */
        uint64_t max_chunk_size;/* bytes, when chunked */
        unsigned mountpath;     /* index, for location texts (store_mountpath_info) */
        unsigned copies;        /* 1 */
        uint64_t epoch;         /* of the placement under which this node last confirmed the record; 0: none */
        bool tombstone;         /* deleted with this stamp: only store_record_head and scans of all tell of it */
        bool moved;             /* handed to another node: no content here; may be a tombstone besides */
};
/* Pairs whose key begins so describe this content alone: a write that merges pairs does not take them over from the content before, and a
 * replacement of the pairs keeps those that it does not name. The native API neither shows nor takes them. */
#define CUSTOM_CONTENT "s3:"
static inline bool store_custom_is_content(struct str key)
{
        return key.n >= sizeof(CUSTOM_CONTENT) - 1 && memcmp(key.p, CUSTOM_CONTENT, sizeof(CUSTOM_CONTENT) - 1) == 0;
}
/* Cuts the next pair off *custom. False at the end. */
bool store_custom_next(struct str *custom, struct str *ret_key, struct str *ret_value);
/* The value of a key, or STR_NONE. */
struct str store_custom_get(struct str custom, struct str key);
/* Merges packed pairs: those of `add` win; a pair with an empty value removes the key. Sorted by key. Appended to b. */
void store_custom_merge(struct str old, struct str add, struct buf *b);

/* What must hold for a write or delete to happen; decided at the commit point, atomically. */
struct obj_cond {
        enum { COND_NONE, COND_ABSENT, COND_PRESENT, COND_STAMP, COND_CKSUM, COND_NOT_CKSUM } kind;
        struct stamp stamp; /* COND_STAMP: the current record carries exactly this */
        struct str cksum;   /* COND_CKSUM, COND_NOT_CKSUM */
};

/* What a write records besides the bytes. */
struct put_attrs {
        enum cksum_type cksum_type;
        struct str cksum;     /* hex of the whole content, computed by the caller */
        struct str custom;    /* packed pairs */
        enum { CUSTOM_REPLACE, CUSTOM_MERGE } custom_mode; /* MERGE: into the pairs of the object's old record */
        bool versioned;       /* number = old + 1; else 0 */
        bool fast;            /* bucket's durability class: answer before it is on stable storage */
        bool same_is_noop;    /* old record with equal checksum type, checksum and size: nothing changes (wire rule) */
        struct obj_cond cond; /* ERR_PRECONDITION when it does not hold */
        int64_t atime_ns;     /* 0: now */
        /* A copy that another node sent, whose bytes the caller has verified. What follows is recorded as it is, custom
         * pairs are replaced, same_is_noop is ignored. Installed only if the stamp is larger than that of the record
         * here, tombstones and moved markers too, or equal to that of a moved marker: the object came back. An equal
         * stamp of an object leaves all as it is but the epoch, which may grow (result.noop). */
        bool given;
        struct stamp stamp;
        uint64_t version, epoch;
        int64_t mtime_ns;
};
struct put_result {
        struct stamp stamp;
        uint64_t version, old_version;
        int64_t mtime_ns, atime_ns;
        bool noop, replaced;
        bool superseded; /* given: the record here is newer and stays; the members above are its */
};

#endif
