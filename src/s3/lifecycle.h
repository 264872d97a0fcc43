/* s3/lifecycle.h: rules by which objects, old versions and unfinished uploads end. Read, written, and judged as a pure
 * function of rules, object and time; any thread. Transitions to other storage classes are NotImplemented.
 *
 * Times: as in S3, a number of days is counted from the event and rounded up to the next midnight UTC. Another length
 * of the day (for tests) is not rounded. Source: "Managing the lifecycle of objects" of the Amazon S3 user guide. */
#ifndef ORLOP_S3_LIFECYCLE_H
#define ORLOP_S3_LIFECYCLE_H

#include "s3/read.h"

#define S3_LIFE_RULES_MAX 1000
#define S3_LIFE_DAY_NS (INT64_C(86400) * 1000000000)

struct s3_life_rule {
        struct str id;
        bool enabled;
        bool old_prefix;   /* the prefix stands beside Filter, as in the first version of the interface */
        bool anded;        /* the filter has an And */
        struct str prefix; /* p null: none given */
        struct s3_tags tags;
        bool has_greater, has_less;
        uint64_t greater, less; /* bytes, both exclusive */
        unsigned days;          /* 0: not given; of current versions */
        bool has_date;
        int64_t date_ns;
        bool expired_marker;
        unsigned noncurrent_days;  /* 0: not given */
        unsigned newer_noncurrent; /* so many are kept besides; 0: none */
        unsigned abort_days;       /* 0: not given */
};
struct s3_life {
        struct s3_life_rule *rules;
        unsigned n;
};
/* <LifecycleConfiguration>: 1 to 1000 rules; a rule without an id gets one. In the arena. */
MUST_CHECK enum s3_code s3_life_read(struct arena *a, struct str text, struct s3_life *ret, struct s3_fault *ret_fault);
/* The document of these rules. */
void s3_life_write(struct buf *b, const struct s3_life *l);

/* One version of an object, as the walk over a bucket sees it. */
struct s3_life_object {
        struct str key;
        const struct s3_tags *tags; /* null: none */
        uint64_t size;
        int64_t modified_ns;
        bool latest, marker;         /* marker: a delete marker */
        bool alone;                  /* the only version of its name */
        int64_t noncurrent_since_ns; /* not latest: when its successor was made */
        unsigned newer_noncurrent;   /* not latest: how many noncurrent versions are newer than this one */
};
enum s3_life_action {
        S3_LIFE_KEEP,
        S3_LIFE_EXPIRE,         /* the current version: delete it as a client would without naming a version */
        S3_LIFE_DELETE_VERSION, /* this version, for good */
        S3_LIFE_DELETE_MARKER,  /* a delete marker that hides nothing */
};
/* What becomes of a version now. *ret_rule (may be null) is the rule that says so. day_ns: S3_LIFE_DAY_NS. */
enum s3_life_action s3_life_judge(const struct s3_life *l, const struct s3_life_object *o, int64_t now_ns,
                                  int64_t day_ns, const struct s3_life_rule **ret_rule);
/* When the current version will expire, and by which rule: for x-amz-expiration. False: never. */
bool s3_life_expiry(const struct s3_life *l, const struct s3_life_object *o, int64_t day_ns, int64_t *ret_when_ns,
                    const struct s3_life_rule **ret_rule);
/* Whether an unfinished upload is to be aborted now. */
bool s3_life_aborts(const struct s3_life *l, struct str key, int64_t initiated_ns, int64_t now_ns, int64_t day_ns);

#endif
