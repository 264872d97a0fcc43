/* s3/page.h: one page of a listing, over anything that can find the next name. Pure over callbacks; any thread; blocks
 * when they do.
 *
 * Names come in the order of their bytes. A common prefix costs one look-up, however many names it stands for: the walk
 * seeks past it. Names may carry a tail behind a NUL byte (older versions): prefix and delimiter look at the part
 * before it. */
#ifndef ORLOP_S3_PAGE_H
#define ORLOP_S3_PAGE_H

#include "base/arena.h"
#include "s3/code.h"

struct s3_page_ask {
        struct str prefix, delimiter; /* may be empty; the delimiter is any text */
        struct str from; /* the first name that may come, from one of the functions below; empty: the first */
        unsigned max;    /* entries and common prefixes; 0: none, and the page is not truncated */
};
/* Where names come from and go to. An error ends the page. */
struct s3_page_io {
        /* The first name that is not less than `from`; p null: none. `from` only grows from call to call. The name is
         * borrowed until the next call. */
        struct err *(*seek)(void *arg, struct str from, struct str *ret_name);
        /* A name that belongs to the page. */
        struct err *(*entry)(void *arg, struct str name);
        /* A common prefix that does. */
        struct err *(*prefix)(void *arg, struct str prefix);
};
struct s3_page_end {
        bool truncated;
        unsigned count;
        struct str last; /* what the page ended with; in the arena; empty: nothing */
        bool last_is_prefix;
};
/* Walks one page. */
MUST_CHECK struct err *s3_page(const struct s3_page_ask *ask, const struct s3_page_io *io, void *arg, struct arena *a,
                               struct s3_page_end *ret);

/* Where a page begins behind a marker of version 1, or start-after: a marker that is a common prefix stands for all of
 * its names. In the arena; p null: the arena is full. */
struct str s3_page_from_marker(struct arena *a, struct str marker, struct str prefix, struct str delimiter);
/* Where it begins behind every version of a name (key-marker without version-id-marker). Likewise. */
struct str s3_page_from_key(struct arena *a, struct str key);
/* The continuation token of version 2 for a page that ended so, and back: *ret_from for s3_page_ask; InvalidArgument if
 * it is none of ours. */
struct str s3_page_token(struct arena *a, const struct s3_page_end *end);
/* See above. */
MUST_CHECK enum s3_code s3_page_from_token(struct arena *a, struct str token, struct str *ret_from,
                                           struct s3_fault *ret_fault);

#endif
