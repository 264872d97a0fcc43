/* base/json_read.c: JSON texts into jansson values, and values into structs by tables of fields.
 *
 * jansson recurses, so nesting is bounded by a scan before it sees the text. Integers beyond int64 (unsigned 64-bit digests
 * travel as JSON numbers) become reals instead of errors. Failures: ERR_MALFORMED, ERR_TOO_LARGE, ERR_UNKNOWN_FIELD, ERR_INVALID. */
#include "base/json.h"

#define JSON_DEPTH_MAX 64u
#define JSON_VALUES_MAX 2000000u /* each costs about 100 bytes */
#define JSON_FLAGS (JSON_REJECT_DUPLICATES | JSON_DECODE_ANY)

/* The end of the string literal that starts at i (the index after its closing quote, or n). */
static size_t json_skip_string(struct str s, size_t i)
{
        for (i++; i < s.n; i++) {
                if (s.p[i] == '\\')
                        i++;
                else if (s.p[i] == '"')
                        return i + 1;
        }
        return s.n;
}

/* Whether the text may be parsed: its depth and the number of its values are bounded before anything is made of it. */
static struct err *json_bounds(struct str s)
{
        unsigned depth = 0;
        size_t values = 1;
        for (size_t i = 0; i < s.n;) {
                char c = s.p[i];
                if (c == '"') {
                        i = json_skip_string(s, i);
                        continue;
                }
                if (c == '{' || c == '[') {
                        if (++depth > JSON_DEPTH_MAX)
                                return err_new(ERR_MALFORMED, "JSON nested deeper than %u", JSON_DEPTH_MAX);
                } else if ((c == '}' || c == ']') && depth) {
                        depth--;
                } else if (c == ',' && ++values > JSON_VALUES_MAX) {
                        return err_new(ERR_TOO_LARGE, "JSON of more than %u values", JSON_VALUES_MAX);
                }
                i++;
        }
        return NULL;
}

static bool json_number_char(char c)
{
        return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* Whether the number token is an integer that int64 cannot hold. */
static bool json_int_overflows(struct str num)
{
        int64_t v;
        for (size_t i = 0; i < num.n; i++)
                if (num.p[i] == '.' || num.p[i] == 'e' || num.p[i] == 'E')
                        return false;
        return !str_i64(num, &v);
}

/* A copy of the text in which integers beyond int64 end in ".0". */
static void json_widen(struct str s, struct buf *out)
{
        for (size_t i = 0; i < s.n;) {
                size_t start = i;
                if (s.p[i] == '"') {
                        i = json_skip_string(s, i);
                } else if (json_number_char(s.p[i])) {
                        while (i < s.n && json_number_char(s.p[i]))
                                i++;
                        struct str num = { s.p + start, i - start };
                        /* Only what starts like a number: the "e" of true and false stays as it is. */
                        bool digits = num.p[0] == '-' || (num.p[0] >= '0' && num.p[0] <= '9');
                        buf_adds(out, num);
                        if (digits && num.n >= 19 && json_int_overflows(num))
                                buf_adds(out, STR(".0"));
                        continue;
                } else {
                        i++;
                }
                buf_add(out, s.p + start, i - start);
        }
}

static struct err *json_load(struct str text, json_t **ret)
{
        json_error_t at;
        json_t *j = json_loadb(text.p ? text.p : "", text.n, JSON_FLAGS, &at);
        if (!j && json_error_code(&at) == json_error_numeric_overflow) {
                AUTO_BUF struct buf wide = BUF_INIT;
                json_widen(text, &wide);
                TRY(buf_err(&wide));
                j = json_loadb(wide.p, wide.n, JSON_FLAGS, &at);
        }
        if (!j && json_error_code(&at) == json_error_out_of_memory)
                return err_static(ERR_NO_MEMORY);
        if (!j)
                return err_new(ERR_MALFORMED, "JSON line %d column %d: %s", at.line, at.column, at.text);
        *ret = j;
        return NULL;
}

struct err *json_parse(struct str text, size_t max, json_t **ret)
{
        if (text.n > max)
                return err_new(ERR_TOO_LARGE, "JSON text of %zu bytes, at most %zu are taken", text.n, max);
        TRY(json_bounds(text));
        return json_load(text, ret);
}

struct str json_str(const json_t *j)
{
        return json_is_string(j) ? (struct str){ json_string_value(j), json_string_length(j) } : STR_NONE;
}

json_t *json_get_nocase(const json_t *obj, const char *key)
{
        json_t *exact = json_object_get(obj, key);
        if (exact)
                return json_is_null(exact) ? NULL : exact;
        const char *k;
        json_t *v;
        json_object_foreach((json_t *)(uintptr_t)obj, k, v)
        {
                if (!json_is_null(v) && str_eq_nocase(str_of(k), str_of(key)))
                        return v;
        }
        return NULL;
}

static const struct json_field *json_field_find(const struct json_field *fields, size_t n, struct str key)
{
        for (size_t i = 0; i < n; i++)
                if (str_eq_nocase(key, str_of(fields[i].key)))
                        return &fields[i];
        return NULL;
}

static bool json_get_u64(const json_t *j, uint64_t *ret)
{
        if (json_is_string(j))
                return str_u64(json_str(j), ret);
        if (!json_is_integer(j) || json_integer_value(j) < 0)
                return false;
        *ret = (uint64_t)json_integer_value(j);
        return true;
}

static bool json_get_i64(const json_t *j, int64_t *ret)
{
        if (json_is_string(j))
                return str_i64(json_str(j), ret);
        if (!json_is_integer(j))
                return false;
        *ret = json_integer_value(j);
        return true;
}

static bool json_get_size(const json_t *j, uint64_t *ret)
{
        return json_is_string(j) ? str_size(json_str(j), ret) : json_get_u64(j, ret);
}

static bool json_get_duration(const json_t *j, int64_t *ret)
{
        return json_is_string(j) ? str_duration(json_str(j), ret) : json_get_i64(j, ret);
}

/* Stores one value; false when its type or text is not what the kind asks for. */
static bool json_store(const json_t *j, enum json_kind kind, void *to)
{
        switch (kind) {
        case JSON_F_STR:
                if (json_is_string(j))
                        *(struct str *)to = json_str(j);
                return json_is_string(j);
        case JSON_F_BOOL:
                if (json_is_boolean(j))
                        *(bool *)to = json_is_true(j);
                return json_is_boolean(j);
        case JSON_F_INT:
                if (json_is_integer(j))
                        *(int64_t *)to = json_integer_value(j);
                return json_is_integer(j);
        case JSON_F_U64S:
                return json_get_u64(j, to);
        case JSON_F_I64S:
                return json_get_i64(j, to);
        case JSON_F_SIZE:
                return json_get_size(j, to);
        case JSON_F_DURATION:
                return json_get_duration(j, to);
        case JSON_F_OBJECT:
        case JSON_F_ARRAY:
                if (kind == JSON_F_OBJECT ? !json_is_object(j) : !json_is_array(j))
                        return false;
                /* fall through */
        case JSON_F_ANY:
                *(json_t **)to = (json_t *)(uintptr_t)j;
                return true;
        }
        return false;
}

static const char *json_kind_text(enum json_kind kind)
{
        switch (kind) {
        case JSON_F_STR:
                return "a string";
        case JSON_F_BOOL:
                return "true or false";
        case JSON_F_INT:
                return "an integer";
        case JSON_F_U64S:
        case JSON_F_I64S:
                return "an integer or a string of digits";
        case JSON_F_SIZE:
                return "a size like \"64MiB\"";
        case JSON_F_DURATION:
                return "a duration like \"10s\"";
        case JSON_F_OBJECT:
                return "an object";
        case JSON_F_ARRAY:
                return "an array";
        case JSON_F_ANY:
                break;
        }
        return "a value";
}

struct err *json_decode(const json_t *j, const struct json_field *fields, size_t n, bool strict, const char *what, void *out)
{
        if (!j || json_is_null(j))
                return NULL;
        if (!json_is_object(j))
                return err_new(ERR_INVALID, "%s: expected a JSON object", what);
        const char *key;
        json_t *v;
        json_object_foreach((json_t *)(uintptr_t)j, key, v)
        {
                const struct json_field *f = json_field_find(fields, n, str_of(key));
                if (!f && strict)
                        return err_new(ERR_UNKNOWN_FIELD, "%s: found unknown field: %s", what, key);
                if (!f || json_is_null(v))
                        continue;
                if (!json_store(v, f->kind, (char *)out + f->offset))
                        return err_new(ERR_INVALID, "%s: field \"%s\" must be %s", what, f->key, json_kind_text(f->kind));
                if (f->seen >= 0)
                        *(bool *)((char *)out + f->seen) = true;
        }
        return NULL;
}
