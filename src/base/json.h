/* base/json.h: JSON in and out. Reading is jansson behind tables of fields; writing appends to a `struct buf`.
 * Pure; any thread; a document belongs to one thread.
 *
 * Wire strictness: object keys match without regard to case; inside an envelope's value an unknown key or a wrong type is an error
 * whose text contains "found unknown field: X"; null means absent; 64-bit numbers may be strings of digits (JSON_U64S). */
#ifndef ORLOP_BASE_JSON_H
#define ORLOP_BASE_JSON_H

#include <jansson.h>

#include "base/buf.h"

/* Parses one JSON text (any value), refusing trailing bytes, duplicate keys and nesting above 64. Caller json_decref()s.
 * ERR_MALFORMED with position. Text longer than `max` bytes, or more than 2,000,000 values: ERR_TOO_LARGE. */
MUST_CHECK struct err *json_parse(struct str text, size_t max, json_t **ret);
static inline void cleanup_json(json_t **j)
{
        json_decref(*j);
}
#define AUTO_JSON __attribute__((cleanup(cleanup_json)))

enum json_kind {
        JSON_F_STR,      /* struct str, borrowed from the document */
        JSON_F_BOOL,     /* bool */
        JSON_F_INT,      /* int64_t from a number */
        JSON_F_U64S,     /* uint64_t from a string of digits (a number is accepted too) */
        JSON_F_I64S,     /* int64_t likewise */
        JSON_F_SIZE,     /* uint64_t bytes from "10MiB" or a number */
        JSON_F_DURATION, /* int64_t ns from "10s" or a number of ns */
        JSON_F_ANY,      /* json_t *, borrowed */
        JSON_F_OBJECT,   /* json_t *, borrowed; must be an object */
        JSON_F_ARRAY,    /* json_t *, borrowed; must be an array */
};
struct json_field {
        const char *key;
        enum json_kind kind;
        size_t offset;  /* of the value in the target struct */
        ptrdiff_t seen; /* offset of a bool that tells presence, or -1 */
};
#define JSON_FIELD(type, key, kind, member) { key, kind, offsetof(type, member), -1 }
#define JSON_FIELD_SEEN(type, key, kind, member, seenm) { key, kind, offsetof(type, member), (ptrdiff_t)offsetof(type, seenm) }

/* Fills *out from an object by a table of n fields. Members without a key in the document are left as they are.
 * strict: an unknown key is ERR_UNKNOWN_FIELD. `what` names the message in errors. j null or JSON null: nothing happens. */
MUST_CHECK struct err *json_decode(const json_t *j, const struct json_field *fields, size_t n, bool strict, const char *what,
                                   void *out);
/* Case-insensitive look-up; null if absent or JSON null. */
json_t *json_get_nocase(const json_t *obj, const char *key);
/* A string value as str; STR_NONE if j is not a string. */
struct str json_str(const json_t *j);

/* Writer: commas and nesting by itself; text is escaped as the wire does (no HTML escaping; invalid UTF-8 becomes U+FFFD). */
struct json_w {
        struct buf *b;
        unsigned depth;
        uint64_t has; /* bit d: something was written at depth d */
        bool pretty;
};
/* Starts writing into b. */
void jw_init(struct json_w *w, struct buf *b, bool pretty);
/* key == null inside arrays and at the top. */
void jw_object(struct json_w *w, const char *key);
/* Ends the object. */
void jw_object_end(struct json_w *w);
/* Starts an array. */
void jw_array(struct json_w *w, const char *key);
/* Ends the array. */
void jw_array_end(struct json_w *w);
/* A string. */
void jw_str(struct json_w *w, const char *key, struct str v);
/* A C string. */
static inline void jw_cstr(struct json_w *w, const char *key, const char *v)
{
        jw_str(w, key, str_of(v ? v : ""));
}
/* A formatted string. */
void jw_strf(struct json_w *w, const char *key, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* A number. */
void jw_int(struct json_w *w, const char *key, int64_t v);
/* A number. */
void jw_uint(struct json_w *w, const char *key, uint64_t v);
/* A number as a string of digits (the wire's u64s and s64). */
void jw_u64s(struct json_w *w, const char *key, uint64_t v);
/* A number as a string of digits. */
void jw_i64s(struct json_w *w, const char *key, int64_t v);
/* A floating-point number. */
void jw_double(struct json_w *w, const char *key, double v);
/* true or false. */
void jw_bool(struct json_w *w, const char *key, bool v);
/* null. */
void jw_null(struct json_w *w, const char *key);
/* Bytes that are JSON already. */
void jw_raw(struct json_w *w, const char *key, struct str json);
/* A jansson value. */
void jw_json(struct json_w *w, const char *key, const json_t *j);
/* Appends s quoted and escaped. */
void json_quote(struct buf *b, struct str s);

#endif
