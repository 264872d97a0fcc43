/* s3/read_priv.h (inside s3): what the readers of documents share. */
#ifndef ORLOP_S3_READ_PRIV_H
#define ORLOP_S3_READ_PRIV_H

#include "s3/read.h"

/* Parses a document with this root, at most `max` bytes: MalformedXML, MaxMessageLengthExceeded, SlowDown. */
MUST_CHECK enum s3_code s3__read_root(struct arena *a, struct str text, const char *name, size_t max,
                                      const struct xml_node **ret, struct s3_fault *ret_fault);
/* MalformedXML unless every child has one of these names (null-terminated). */
MUST_CHECK enum s3_code s3__read_only(const struct xml_node *n, const char *const *names, struct s3_fault *ret_fault);
/* The fault of a document that says what it should not; text may be null. */
enum s3_code s3__read_bad(struct s3_fault *f, const char *text);
/* How many children have this name. */
unsigned s3__read_count(const struct xml_node *n, const char *name);
/* A positive number of days or years; false if it is none. */
bool s3__read_positive(struct str s, unsigned *ret);
/* Tags that are children of n, each <Tag>. */
MUST_CHECK enum s3_code s3__read_tags(struct arena *a, const struct xml_node *n, unsigned most, struct s3_tags *ret,
                                      struct s3_fault *ret_fault);

#endif
