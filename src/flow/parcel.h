/* flow/parcel.h (inside flow): objects as they travel between nodes: a record, then its content. Format page:
 * docs/format/parcel.md. Pure, but for the reading of a stream.
 *
 * One parcel is {u32 length, record, content, CRC32C of the content}; a stream is any number of them. */
#ifndef ORLOP_FLOW_PARCEL_H
#define ORLOP_FLOW_PARCEL_H

#include "base/buf.h"
#include "store/object.h"

#define PARCEL_RECORD_MAX (72u * 1024u) /* bytes of an encoded record, without its length */

struct parcel {
        uint64_t bid;
        struct str name;
        bool absent;          /* there is no record of this key; of the rest only the name counts */
        bool no_content;      /* no bytes follow, whatever the size: a description alone */
        struct obj_meta meta; /* mountpath and copies do not travel */
};
/* Bytes of content that follow the record. */
uint64_t parcel_content_size(const struct parcel *p);
/* Appends length and record. */
void parcel_encode(const struct parcel *p, struct buf *b);
/* Decodes a record (without its length); borrowed. MALFORMED. */
MUST_CHECK struct err *parcel_decode(struct str record, struct parcel *ret);

/* A stream of parcels, read piece by piece. */
struct parcel_stream {
        struct err *(*read)(void *arg, void *p, size_t n, size_t *ret_n); /* 0: its end */
        void *arg;
        struct buf record;    /* of the current parcel */
        struct buf ahead;     /* read, not yet used: from at on */
        size_t at;
        uint64_t left;        /* bytes of content that are still to come */
        uint32_t crc;
        bool inside;          /* a parcel's content was not read to its end */
};
/* The next parcel, borrowed until the next call of this function; what was left of the content before is read and
 * checked. *ret_end instead at the end of the stream. MALFORMED, BAD_CHECKSUM, and what read returns. */
MUST_CHECK struct err *parcel_next(struct parcel_stream *s, bool *ret_end, struct parcel *ret);
/* The next up to n bytes of the current content; *ret_n = 0 at its end, when its checksum was found good. */
MUST_CHECK struct err *parcel_read(struct parcel_stream *s, void *p, size_t n, size_t *ret_n);
/* Ends it. */
void parcel_stream_fini(struct parcel_stream *s);

/* What became of a parcel. */
enum parcel_fate {
        PARCEL_TAKEN,      /* it is there, or something newer is */
        PARCEL_NO_BUCKET,  /* the receiver knows no such bucket */
        PARCEL_FAILED      /* not now */
};
struct parcel_result {
        enum parcel_fate fate;
        bool superseded;     /* something newer is there */
        struct stamp winner; /* what is there now */
};
#define PARCEL_RESULT 14 /* bytes */
/* Appends a result. */
void parcel_result_encode(const struct parcel_result *r, struct buf *b);
/* Decodes the i-th of a body of results. MALFORMED. */
MUST_CHECK struct err *parcel_result_decode(struct str body, size_t i, struct parcel_result *ret);

#endif
