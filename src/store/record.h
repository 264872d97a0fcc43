/* store/record.h (inside store): how a record and a small content look as bytes. Format page: docs/format/record.md.
 * Pure; any thread.
 *
 * Each value ends in (or begins with) a CRC32C that covers its key too, so that a value that lies under a wrong key is
 * found; a small content carries the id that its record names, so that an old one is found. */
#ifndef ORLOP_STORE_RECORD_H
#define ORLOP_STORE_RECORD_H

#include "base/buf.h"
#include "store/content.h"
#include "store/object.h"

#define RECORD_KEY_MAX (8 + 1024 + 64) /* encoded key; names are at most 1,024 bytes */
#define RECORD_CUSTOM_MAX (64u * 1024u) /* bytes of packed custom pairs */
#define RECORD_CHUNKS_MAX 10000u

enum record_where {
        RECORD_EMPTY,  /* no bytes: size 0, a tombstone or a moved marker */
        RECORD_SMALL,  /* the value of the same key in RECORDS_SMALL; carries id */
        RECORD_FILE,   /* content file `id` */
        RECORD_CHUNKS, /* content files `chunks`, in order */
};
struct record {
        bool tombstone; /* deleted; kept while an older copy may come back */
        bool moved;     /* handed to another node: where is EMPTY, whatever the size */
        struct stamp stamp;
        uint64_t epoch; /* of the placement under which it was last confirmed; 0: none */
        uint64_t version, size;
        int64_t mtime_ns, atime_ns;
        enum cksum_type cksum_type;
        char cksum[CKSUM_HEX_MAX]; /* hex, "" for none */
        struct str custom;         /* packed pairs; borrowed */
        enum record_where where;
        struct content_id id;
        struct str chunks; /* packed, see record_chunk_next; borrowed */
        uint32_t nchunks;
        uint64_t max_chunk_size;
};

/* Key bytes {bid big-endian, name} into out (RECORD_KEY_MAX bytes); names longer than 1,024 bytes are ERR_INVALID_NAME,
 * empty ones too. */
MUST_CHECK struct err *record_key(const struct obj_key *key, char *out, struct str *ret);
/* The same without checks, for prefixes and bounds: any name that fits (longer ones are cut). */
struct str record_key_bound(uint64_t bid, struct str name, char *out);
/* Splits key bytes; the name is borrowed. ERR_CORRUPT. */
MUST_CHECK struct err *record_key_parse(struct str k, struct obj_key *ret);

/* Appends the encoded record. `k` is the encoded key. */
void record_encode(struct str k, const struct record *r, struct buf *b);
/* Decodes and checks; strings are borrowed from v. ERR_CORRUPT, ERR_FORMAT (written by a later version). */
MUST_CHECK struct err *record_decode(struct str k, struct str v, struct record *ret);
/* As record_decode, but only tombstone, moved, stamp, epoch, version, size, times, where; the rest is zero. For scans. */
MUST_CHECK struct err *record_decode_brief(struct str k, struct str v, struct record *ret);

struct record_chunk {
        struct content_id id;
        uint64_t size;
};
/* Appends one packed chunk. */
void record_chunk_add(struct buf *chunks, const struct record_chunk *c);
/* Cuts the next chunk off *chunks. False at the end. */
bool record_chunk_next(struct str *chunks, struct record_chunk *ret);

#define RECORD_SMALL_HEAD 21 /* bytes before the data of a small content */
/* Writes the head of a small content: format, id, checksum over key, id and data. */
void record_small_head(struct str k, struct content_id id, struct str data, char out[static RECORD_SMALL_HEAD]);
/* Checks a small content against its key; *ret_id is what it carries, *ret_data borrowed. ERR_CORRUPT. */
MUST_CHECK struct err *record_small_decode(struct str k, struct str v, struct content_id *ret_id, struct str *ret_data);

/* What a content file says of itself: {kind byte, …}. Kind 1: bid, name, encoded record. Further kinds belong to
 * uploads (store/upload.c). */
enum record_self_kind { RECORD_SELF_OBJECT = 1, RECORD_SELF_CHUNK = 2, RECORD_SELF_APPEND = 3 };
#define RECORD_SELF_MAX (8u * 1024u)
/* Appends the self-description of an object's only content; custom pairs are left out when it would pass
 * RECORD_SELF_MAX. */
void record_self_encode(const struct obj_key *key, const struct record *r, struct buf *b);
/* Decodes kind 1; borrowed from self. ERR_CORRUPT; INVALID for another kind. */
MUST_CHECK struct err *record_self_decode(struct str self, struct obj_key *ret_key, struct record *ret);
/* Whether packed pairs are well-formed. */
bool record_custom_check(struct str custom);

static inline bool content_id_eq(struct content_id a, struct content_id b)
{
        return a.hi == b.hi && a.lo == b.lo;
}
static inline int stamp_cmp(struct stamp a, struct stamp b)
{
        if (a.hlc != b.hlc)
                return a.hlc < b.hlc ? -1 : 1;
        return a.node == b.node ? 0 : a.node < b.node ? -1 : 1;
}
/* Whether it stands for an object. */
static inline bool record_alive(const struct record *r)
{
        return !r->tombstone && !r->moved;
}
/* Order of two records of a key: the larger stamp; of equal ones a moved marker counts less than what it speaks of. */
static inline int record_cmp(const struct record *a, const struct record *b)
{
        int order = stamp_cmp(a->stamp, b->stamp);
        return order || a->moved == b->moved ? order : a->moved ? -1 : 1;
}

#endif
