/* meta/config.h: the cluster's configuration: one table of every option (wire-level names, types, defaults, ranges),
 * from which JSON, updates by path, validation, documentation and help come. A `struct config` is a plain array of
 * values; pure; any thread reads an immutable one. */
#ifndef ORLOP_META_CONFIG_H
#define ORLOP_META_CONFIG_H

#include "base/json.h"

enum config_type {
        CONFIG_BOOL,
        CONFIG_INT,
        CONFIG_INTS,
        CONFIG_U64S,
        CONFIG_SIZE,
        CONFIG_DURATION,
        CONFIG_STR,
        CONFIG_JSON
};
/* CONFIG_INTS, CONFIG_U64S: numbers that are strings on the wire. CONFIG_JSON: a free subtree kept as text ("backend",
 * "auth.*" lists). */

#include "meta/config_table.h"

/* CONFIG_O_SPACE_OUT_OF_SPACE …: each option by name, for code that reads one often. */
enum config_option {
#define X(name, path, type, dflt, min, max, words, flags) CONFIG_O_##name,
        CONFIG_TABLE(X)
#undef X
                CONFIG_OPTION_COUNT
};

struct config; /* opaque; one value per option */

/* All defaults; null when out of memory. */
struct config *config_new(void);
/* A copy that can be changed. */
struct config *config_clone(const struct config *c);
/* Ends it. Null is fine. */
void config_free(struct config *c);
/* A copy of `onto` with what `edited` has made different from `base`, unless `onto` differs there, too: values that are
 * in force for a while, on top of a configuration that has changed meanwhile. Null when out of memory. */
struct config *config_rebase(const struct config *base, const struct config *edited, const struct config *onto);
/* Whether all values are equal. */
bool config_eq(const struct config *a, const struct config *b);

/* Typed look-up; another type is a bug (ASSERT). Constant time. */
bool config_bool_at(const struct config *c, enum config_option o);
/* See config_bool_at: numbers, sizes in bytes, durations in ns. */
int64_t config_int_at(const struct config *c, enum config_option o);
/* See config_bool_at: text and JSON text, borrowed. */
const char *config_str_at(const struct config *c, enum config_option o);
/* Typed look-up by path ("space.out_of_space"); an unknown path or another type is a bug (ASSERT). Searches the table:
 * hot paths use config_…_at. */
bool config_bool(const struct config *c, const char *path);
/* See config_bool: numbers, sizes in bytes, durations in ns. */
int64_t config_int(const struct config *c, const char *path);
/* See config_bool: text, borrowed. */
const char *config_str(const struct config *c, const char *path);

enum config_scope { CONFIG_SCOPE_CLUSTER, CONFIG_SCOPE_NODE };
/* Sets one value from text ("lru.enabled", "true"), range checked. Unknown: ERR_INVALID `unknown property "x.y"`. scope
 * NODE refuses cluster-wide sections with the wire's message (`mirror configuration can only be globally updated`). Old
 * names auth.enabled, auth.cluster_key.* are accepted. *ret_restart (may be null) tells whether the option takes effect
 * at the next start only. config_check is the caller's. */
MUST_CHECK struct err *config_set(struct config *c, struct str path, struct str value, enum config_scope scope,
                                  bool *ret_restart);
/* Applies a nested partial document (wire: ConfigToSet), strict; keys match in any case. All or nothing; config_check
 * is the caller's. ERR_UNKNOWN_FIELD, ERR_MALFORMED (type), ERR_INVALID (value, scope). */
MUST_CHECK struct err *config_apply(struct config *c, const json_t *patch, enum config_scope scope, bool *ret_restart);
/* What the cluster itself writes into its configuration: identity and version. Null members stay as they are. */
struct config_stamp {
        const char *uuid, *primary_url, *original_url, *lastupdate_time;
        uint64_t version;
};
/* Sets those values; clients can not. Only ERR_NO_MEMORY. */
MUST_CHECK struct err *config_set_stamp(struct config *c, const struct config_stamp *stamp);
/* Checks what concerns several values (watermarks in order, log sizes, timeouts). */
MUST_CHECK struct err *config_check(const struct config *c);
/* Writes all sections as members of the object being written (the caller opened it); secrets are censored. */
void config_json(struct json_w *w, const struct config *c);
/* As config_json, nothing censored: for our own stored state. */
void config_json_private(struct json_w *w, const struct config *c);

/* Reads what config_json_private wrote (sections of other versions that it does not know are refused). All or nothing.
 */
MUST_CHECK struct err *config_load_private(struct config *c, const json_t *doc);

/* The table, for documentation and completion: fn per option until it returns false. */
void config_each(bool (*fn)(void *arg, const char *path, enum config_type type, const char *default_text,
                            const char *range_text, bool cluster_only, bool restart),
                 void *arg);

#endif
