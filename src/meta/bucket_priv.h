/* meta/bucket_priv.h: the table of bucket properties and the rules that concern several of them. For this folder alone.
 */
#ifndef ORLOP_META_BUCKET_PRIV_H
#define ORLOP_META_BUCKET_PRIV_H

#include "meta/bucket.h"
#include "meta/option.h"

/* How a property is kept. Those from PROP_BACKEND on are single members with code of their own. */
enum prop_kind {
        PROP_BOOL, PROP_I64, PROP_U64, PROP_TEXT, PROP_CKSUM,
        PROP_BACKEND, PROP_PROVIDER, PROP_RENAMED, PROP_BID, PROP_CREATED, PROP_FAST,
};
struct prop {
        enum prop_kind kind;
        size_t offset, size; /* in struct bucket_props */
        int inherits;        /* option of the configuration that new buckets take it from, or -1 */
        struct option own;   /* type and range where the configuration's do not fit; path null: they do */
};

/* The table in the order of the wire's document. */
const struct prop *bucket__prop(size_t i);
/* Its length. */
size_t bucket__prop_count(void);
/* Path, type and range of a row. */
const struct option *bucket__prop_option(const struct prop *p);
/* Index of a dotted path in any case, or -1. */
int bucket__prop_find(struct str path);
/* Whether some row lies below this path. */
bool bucket__prop_is_section(struct str path);
/* Value of a plain row as a number. */
int64_t bucket__prop_int(const struct prop *p, const struct bucket_props *b);
/* Stores the JSON value of a row, checked by the row's rules. */
MUST_CHECK struct err *bucket__prop_set_json(const struct prop *p, struct bucket_props *b, const json_t *j);

/* The rules of sections that buckets share with the configuration. all: also of sections that are switched off.
 * ERR_INVALID. */
MUST_CHECK struct err *bucket__sections_check(const struct bucket_props *p, bool all);
/* Feature flags that exclude each other. ERR_INVALID. */
MUST_CHECK struct err *bucket__features_check(uint64_t features);
/* A bucket's new properties as a whole, against the old ones and the cluster's size; may settle what follows from
 * others. */
MUST_CHECK struct err *bucket__props_check(const struct bucket_props *old, struct bucket_props *p, bool force,
                                           unsigned targets, unsigned mountpaths);

/* Feature bits that a bucket may have (wire); others are not inherited. */
#define BUCKET_FEATURES                                                                                                \
        ((1u << 1) | (1u << 4) | (1u << 9) | (1u << 11) | (1u << 12) | (1u << 14) | (1u << 18) | (1u << 21) |          \
         (1u << 24))

#endif
