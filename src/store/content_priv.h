/* store/content_priv.h: what the content files of this folder share: the format's pieces and the three folders.
 * Format page: docs/format/content.md. */
#ifndef ORLOP_STORE_CONTENT_PRIV_H
#define ORLOP_STORE_CONTENT_PRIV_H

#include "base/buf.h"
#include "base/list.h"
#include "os/thread.h"
#include "store/content.h"

#define CONTENT_FANOUT 256u     /* directories below content/, by the first byte of the id */
#define CONTENT_TRAILER 48u     /* bytes at the very end of a finished file */
#define CONTENT_SELF_MAX 8192u  /* longest self-description */
#define CONTENT_NAME 33u        /* 32 hex digits and NUL */
#define CONTENT_PATH 48u        /* "ab/<name>.self" and NUL, with room */
#define CONTENT_SIZE_MAX ((uint64_t)1 << 44)
#define CONTENT_PIECE (256u * 1024u) /* bytes per pwrite, and the bound of a writer's buffer */
#define CONTENT_SELF_REPLACED_MAX (1024u * 1024u) /* a replaced one may list the chunks of an object */
#define CONTENT_FLIGHT_BUCKETS 64u

struct content_dir {
        int content_fd, work_fd, trash_fd;
        _Atomic bool no_tmpfile; /* the file system has no O_TMPFILE: unfinished files have names in work/ */
        struct mutex lock;       /* guards flight */
        struct list flight[CONTENT_FLIGHT_BUCKETS]; /* contents that no record names yet, but will */
};

struct content_writer {
        struct content_dir *dir;
        struct content_id id;
        int fd;
        bool named;       /* work/<id> exists */
        bool kept;        /* it was suspended before: an abort must not delete it */
        bool broken;      /* a write failed */
        uint64_t written; /* bytes in the file; the buffer follows */
        uint64_t hinted;  /* write-back was asked for up to here */
        char *piece;      /* made when first needed */
        size_t fill, cap;
        uint32_t crc;     /* of the last, partial block */
        struct buf sums;  /* of the full blocks, little-endian */
        uint64_t log_end, log_size; /* end of the checksum log, and bytes of data it tells of */
};

/* ---- content_format.c: pure ---- */

/* Number of blocks of so many bytes. */
uint64_t content__blocks(uint64_t size);
/* Checksum of {content id, block number}: the start value for the block's data. */
uint32_t content__block_seed(struct content_id id, uint64_t block);
/* 32 lower-case hex digits. */
void content__name(struct content_id id, char out[static CONTENT_NAME]);
/* "ab/<name><suffix>" below content/. */
void content__path(struct content_id id, const char *suffix, char out[static CONTENT_PATH]);
/* The id of a name of exactly 32 lower-case hex digits. */
bool content__name_parse(struct str name, struct content_id *ret);
/* Appends a whole footer: checksums (already little-endian), self-description, trailer. */
void content__footer_add(struct buf *b, struct content_id id, uint64_t size, struct str sums, struct str self);
/* Judges a whole footer (all bytes from `size` to the end of file). CORRUPT, FORMAT. Results are borrowed from it. */
MUST_CHECK struct err *content__footer_parse(struct str footer, struct content_id id, uint64_t size,
                                             struct str *ret_sums, struct str *ret_self);
/* Appends a replaced self-description, as it stands in "<name>.self". */
void content__self_add(struct buf *b, struct content_id id, struct str self);
/* Judges such a file. CORRUPT, FORMAT. Borrowed. */
MUST_CHECK struct err *content__self_parse(struct str file, struct content_id id, struct str *ret_self);
/* Appends one entry to the checksum log of an unfinished file: `sums` are those of the blocks from `first` on, at
 * `offset` of the log. */
void content__log_add(struct buf *b, struct content_id id, uint64_t offset, uint64_t size, uint64_t first,
                      struct str sums);
/* Replays a checksum log up to the entry that ends at `size` bytes of data: *sums then holds one checksum per block,
 * *ret_end is where that entry ends. CORRUPT when no such entry is whole. */
MUST_CHECK struct err *content__log_replay(struct str log, struct content_id id, uint64_t size, struct buf *sums,
                                           uint64_t *ret_end);

/* ---- content.c ---- */

/* A writer without a file; null when out of memory. */
struct content_writer *content__writer_alloc(struct content_dir *d, struct content_id id);
/* Closes and frees. */
void content__writer_free(struct content_writer *w);
/* Writes out what is buffered. */
MUST_CHECK struct err *content__writer_flush(struct content_writer *w);
/* Ends the checksums with that of the last, partial block. */
MUST_CHECK struct err *content__writer_close_sums(struct content_writer *w);

/* ---- content_dir.c ---- */

/* Says that a record will name this content soon: cleaning leaves it alone until content_settled(). Once per writer. */
MUST_CHECK struct err *content__flight_add(struct content_dir *d, struct content_id id);
/* Syncs the fan-out directory of an id. */
MUST_CHECK struct err *content__sync_fanout(struct content_dir *d, struct content_id id);

#endif
