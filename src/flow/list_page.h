/* flow/list_page.h (inside flow): a page of a target's part of a listing, as bytes between nodes. Format page:
 * docs/format/list.md. Pure; a page belongs to one thread.
 *
 * Names grow strictly within a page; what does not is MALFORMED, since merging relies on it. */
#ifndef ORLOP_FLOW_LIST_PAGE_H
#define ORLOP_FLOW_LIST_PAGE_H

#include "base/buf.h"
#include "meta/name.h"
#include "store/object.h"

#define LIST_FROM_MAX (OBJECT_NAME_MAX + 1) /* a position: a name, and one byte behind it */
#define LIST_PLACES_MAX 256u                /* mountpaths of one target */

/* What a target has under a name. The order is that of who wins with equal stamps: the larger one. */
enum list_kind {
        LIST_MOVED = 1,     /* was sent to its owner with this stamp */
        LIST_TOMBSTONE = 2, /* deleted with this stamp */
        LIST_LIVE = 3,
        LIST_DIR = 4 /* "dir/": something is live below it; no stamp */
};
struct list_place {
        struct str path, disk; /* of a mountpath */
};
struct list_row {
        struct str name;
        enum list_kind kind;
        struct obj_meta meta;     /* DIR: nothing; MOVED, TOMBSTONE: the stamp; `mountpath` is void */
        struct list_place place;  /* LIVE, in a full page */
};

/* Begins a page at the end of b. places (null: a brief page): where rows may lie, by index. */
void flow__list_page_begin(struct buf *b, const struct list_place *places, unsigned nplaces);
struct list_page_writer {
        struct buf *b;
        size_t begin;  /* of the page */
        bool full;
        uint32_t count;
        char last[OBJECT_NAME_MAX];
        size_t last_n;
};
/* A writer for the page that was begun at this offset of b. */
void flow__list_page_writer(struct list_page_writer *w, struct buf *b, size_t begin, bool full);
/* Adds a row; its name is greater than the one before. place: index into places. */
void flow__list_page_add(struct list_page_writer *w, const struct list_row *row, unsigned place);
/* Ends it. more: the target has rows behind it, from this position (>=) on. */
void flow__list_page_end(struct list_page_writer *w, bool more, struct str from);

/* A page being read. Borrows its bytes. */
struct list_page {
        struct buf_reader r;
        bool full, more;
        uint32_t left;   /* rows not read yet */
        struct str from; /* more: where the next page begins */
        unsigned nplaces;
        struct list_place *places; /* heap */
        char name[OBJECT_NAME_MAX];
        size_t name_n;
        struct list_row row;
};
/* Checks the head. MALFORMED; FORMAT for a later version. End with flow__list_page_close, only after success. */
MUST_CHECK struct err *flow__list_page_open(struct list_page *p, struct str bytes);
/* The next row, valid until the next call; null at the end. MALFORMED. */
MUST_CHECK struct err *flow__list_page_next(struct list_page *p, const struct list_row **ret);
/* Frees what it holds. All-zero is fine. */
void flow__list_page_close(struct list_page *p);

#endif
