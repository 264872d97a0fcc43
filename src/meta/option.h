/* meta/option.h: one option of a table (configuration, bucket properties): how its value is read, checked and written.
 * For this folder alone. Pure; any thread. Errors: ERR_INVALID (value), ERR_MALFORMED (JSON type). */
#ifndef ORLOP_META_OPTION_H
#define ORLOP_META_OPTION_H

#include "base/json.h"
#include "meta/config.h"

enum {
        F_C = 1,
        F_R = 2,
        F_Z = 4,
        F_OFF = 8,
        F_NEG = 16,
        F_OMIT = 32,
        F_RO = 64,
        F_OWN = 128,
        F_SECRET = 256,
        F_LIST = 512,
        F_DOC = 1024,
};
#define KIB(n) ((int64_t)(n) << 10)
#define MIB(n) ((int64_t)(n) << 20)
#define GIB(n) ((int64_t)(n) << 30)
#define TIB(n) ((int64_t)(n) << 40)
#define MSECS(n) ((int64_t)(n) * 1000000)
#define SECS(n) ((int64_t)(n) * 1000000000)
#define MINS(n) (SECS(60) * (n))

struct option {
        const char *path;
        enum config_type type;
        const char *dflt;
        int64_t min, max;
        const char *words;
        unsigned flags;
};

/* A value on its way: i for flags and numbers (U64S as its bit pattern), s for text (heap, owned by whoever holds the
 * value). */
struct option_value {
        int64_t i;
        char *s;
};
#define AUTO_OPTION_VALUE __attribute__((cleanup(option__value_fini)))
/* Frees the text. */
void option__value_fini(struct option_value *v);

/* The row of the configuration's table. */
const struct option *option__config(enum config_option o);
/* Whether values of this type are text. */
bool option__is_text(enum config_type t);
/* Reads a value from text, as in "path=value". Checked. */
MUST_CHECK struct err *option__from_text(const struct option *o, struct str text, struct option_value *ret);
/* Reads a value from a JSON value of exactly the wire's type. Checked. */
MUST_CHECK struct err *option__from_json(const struct option *o, const json_t *j, struct option_value *ret);
/* Writes a value as member `key`; exact, so that option__from_json reads the same. */
void option__write(const struct option *o, struct json_w *w, const char *key, int64_t i, const char *s);
/* "[2, 32]", "immediate|never", "" when unbounded. */
const char *option__range_text(const struct option *o, char *buf, size_t size);

/* Opens and closes nested objects, so that members given by dotted paths in table order end up where they belong. */
#define OPTION_DEPTH 4
struct option_nest {
        struct json_w *w;
        struct str open[OPTION_DEPTH];
        unsigned depth;
};
/* Moves to the object that holds `path`; returns the last element: the member's key. path must outlive the nest. */
const char *option__nest_to(struct option_nest *n, const char *path);
/* Closes all. */
void option__nest_end(struct option_nest *n);

/* Walks a nested partial document. `find` says what a lower-case dotted path is; `set` takes a leaf's value. null
 * members are skipped. */
enum option_what { OPTION_UNKNOWN, OPTION_SECTION, OPTION_LEAF };
struct option_patch {
        enum option_what (*find)(void *arg, struct str path);
        struct err *(*set)(void *arg, struct str path, const json_t *j);
        void *arg;
};
/* ERR_UNKNOWN_FIELD `found unknown field: x`, ERR_MALFORMED, and errors of `set`; what was set before an error stays
 * set. */
MUST_CHECK struct err *option__patch_walk(const json_t *doc, const struct option_patch *p);

#endif
