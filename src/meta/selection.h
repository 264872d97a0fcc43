/* meta/selection.h: which objects a multi-object message means: an explicit list, a template, or a prefix. Pure; any
 * thread.
 *
 * Templates (wire-level fact): bash "p-{0001..0010..3}-s" with several ranges (rightmost fastest; pad = min of the two
 * literals' widths), at "p-@00100-s", fmt "p-%06d-s"; "" or "*" all; anything else is a prefix, one trailing '*'
 * dropped. At most 10,000,000 names. */
#ifndef ORLOP_META_SELECTION_H
#define ORLOP_META_SELECTION_H

#include "base/buf.h"

enum selection_kind { SELECT_ALL, SELECT_PREFIX, SELECT_TEMPLATE };
#define SELECT_RANGES_MAX 8
struct selection {
        enum selection_kind kind;
        struct str prefix;                          /* SELECT_PREFIX: borrowed from the text */
        unsigned ranges;
        struct { struct str before; uint64_t start, end, step; unsigned pad; } range[SELECT_RANGES_MAX];
        struct str after;
        uint64_t count; /* SELECT_TEMPLATE: names in all */
};
/* Parses a template text, which must outlive the result. ERR_INVALID. */
MUST_CHECK struct err *selection_parse(struct str text, struct selection *ret);
/* Appends the i-th name (0 <= i < count) of a SELECT_TEMPLATE to b. */
void selection_name(const struct selection *s, uint64_t i, struct buf *b);

#endif
