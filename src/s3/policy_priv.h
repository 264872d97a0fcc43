/* s3/policy_priv.h (inside s3): a parsed policy. Immutable. */
#ifndef ORLOP_S3_POLICY_PRIV_H
#define ORLOP_S3_POLICY_PRIV_H

#include "s3/policy.h"

struct s3__list {
        struct str *items;
        unsigned n;
};
enum s3__kind { KIND_STRING, KIND_LIKE, KIND_NOCASE, KIND_NUMBER, KIND_DATE, KIND_BOOL, KIND_IP, KIND_NULL };
enum s3__compare { COMPARE_EQ, COMPARE_LT, COMPARE_LE, COMPARE_GT, COMPARE_GE };
enum s3__set { SET_NONE, SET_ANY, SET_ALL };
struct s3__condition {
        enum s3__kind kind;
        enum s3__compare compare;
        bool negated, if_exists;
        enum s3__set set;
        enum s3_condition key;
        struct str tag;
        struct s3__list values;
};
struct s3__statement {
        bool allow;
        bool not_principal, not_action, not_resource;
        bool everybody;        /* "*" */
        struct s3__list users; /* names */
        struct s3__list actions, resources;
        struct s3__condition *conditions;
        unsigned nconditions;
};
struct s3_policy {
        struct s3__statement *statements;
        unsigned n;
};

/* The operator's parts from its name ("ForAnyValue:StringNotLikeIfExists"). False if unknown. */
bool s3__operator_parse(struct str name, struct s3__condition *ret);
/* Whether a value of a policy can be compared at all (a number, a network …). */
bool s3__operator_takes(const struct s3__condition *c, struct str value);
/* Whether the request fits the condition. */
bool s3__condition_holds(const struct s3__condition *c, const struct s3_ask *q);

#endif
