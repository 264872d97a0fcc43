/* meta/option.c: values of options between text, JSON and numbers.
 *
 * Both ways in (text of "path=value", JSON of a document) end in option_check, so that no unchecked value enters a
 * table. Fails with ERR_INVALID, ERR_MALFORMED (JSON type), ERR_NO_MEMORY; *ret is written only on success. */
#include "meta/option.h"

#include <inttypes.h>
#include <stdio.h>

#define OPTION_TEXT_MAX 4096

void option__value_fini(struct option_value *v)
{
        free(v->s);
        v->s = NULL;
}

bool option__is_text(enum config_type t)
{
        return t == CONFIG_STR || t == CONFIG_JSON;
}

/* The largest unit that divides evenly: unlike str_size_text, exact. */
static const char *option_size_text(int64_t bytes, char buf[static 32])
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        unsigned u = 0;
        while (u + 1 < ARRAY_LEN(units) && bytes && bytes % 1024 == 0) {
                bytes /= 1024;
                u++;
        }
        snprintf(buf, 32, "%" PRId64 "%s", bytes, units[u]);
        return buf;
}

static const char *option_number_text(enum config_type t, int64_t v, char buf[static 32])
{
        if (t == CONFIG_SIZE)
                return option_size_text(v, buf);
        if (t == CONFIG_DURATION)
                return str_duration_text(v, buf);
        snprintf(buf, 32, "%" PRId64, v);
        return buf;
}

const char *option__range_text(const struct option *o, char *buf, size_t size)
{
        char lo[32], hi[32];
        buf[0] = '\0';
        if (o->words)
                snprintf(buf, size, "%s", o->words);
        else if (o->max == INT64_MAX)
                snprintf(buf, size, ">= %s", option_number_text(o->type, o->min, lo));
        else if (o->max)
                snprintf(buf, size, "[%s, %s]", option_number_text(o->type, o->min, lo),
                         option_number_text(o->type, o->max, hi));
        return buf;
}

static bool option_word_allowed(const char *words, struct str s)
{
        struct str rest = str_of(words);
        do {
                if (str_eq(str_cut(&rest, '|'), s))
                        return true;
        } while (rest.n);
        return false;
}

/* Range and words; zero becomes the default where the table says so. */
static struct err *option_check(const struct option *o, struct option_value *v)
{
        char range[160], text[32];
        if (option__is_text(o->type)) {
                if (o->words && !option_word_allowed(o->words, str_of(v->s)))
                        return err_new(ERR_INVALID, "invalid %s \"%s\" (expecting one of: %s)", o->path, v->s,
                                       o->words);
                return NULL;
        }
        if (o->type == CONFIG_BOOL || o->type == CONFIG_U64S)
                return NULL;
        if (v->i == 0 && (o->flags & F_OFF))
                return NULL;
        if (v->i < 0 && (o->flags & F_NEG))
                return NULL;
        if (v->i == 0 && (o->flags & F_Z)) {
                struct option_value d = { 0 };
                TRY(option__from_text(o, str_of(o->dflt), &d));
                v->i = d.i;
                return NULL;
        }
        if (o->max && (v->i < o->min || v->i > o->max))
                return err_new(ERR_INVALID, "invalid %s: %s (expected value in range %s%s)", o->path,
                               option_number_text(o->type, v->i, text), option__range_text(o, range, sizeof(range)),
                               o->flags & F_Z ? " or zero for default" : "");
        return NULL;
}

static bool option_number_parse(const struct option *o, struct str text, int64_t *ret)
{
        bool b;
        uint64_t u;
        switch (o->type) {
        case CONFIG_BOOL:
                if (!str_bool(text, &b))
                        return false;
                *ret = b;
                return true;
        case CONFIG_SIZE:
                if (!str_size(text, &u) || u > INT64_MAX)
                        return false;
                *ret = (int64_t)u;
                return true;
        case CONFIG_DURATION:
                return str_duration(text, ret);
        case CONFIG_U64S:
                if (!str_u64(text, &u))
                        return false;
                *ret = (int64_t)u;
                return true;
        default:
                return str_i64(text, ret);
        }
}

static const char *option_expects(enum config_type t)
{
        switch (t) {
        case CONFIG_BOOL:
                return "true or false";
        case CONFIG_SIZE:
                return "a size, e.g. 64MiB";
        case CONFIG_DURATION:
                return "a duration, e.g. 1m30s";
        case CONFIG_INT:
        case CONFIG_INTS:
                return "an integer";
        case CONFIG_U64S:
                return "a non-negative integer";
        default:
                return "text";
        }
}

/* Only what comes back from a JSON document as it went in. */
static struct err *option_text_check(const struct option *o, struct str text)
{
        if (text.n > OPTION_TEXT_MAX)
                return err_new(ERR_INVALID, "value of %s is too long: %zu > %d", o->path, text.n, OPTION_TEXT_MAX);
        for (size_t i = 0; i < text.n; i++)
                if ((unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f)
                        return err_new(ERR_INVALID, "invalid %s: control character at byte position %zu", o->path, i);
        if (!str_is_utf8(text))
                return err_new(ERR_INVALID, "invalid %s: not UTF-8", o->path);
        return NULL;
}

static struct err *option_text_set(const struct option *o, struct str text, struct option_value *v)
{
        TRY(option_text_check(o, text));
        v->s = str_dup(text);
        return v->s ? NULL : err_static(ERR_NO_MEMORY);
}

/* A list as JSON text from "[a b]" (the wire's path form), "none", or JSON. */
static struct err *option_list_set(const struct option *o, struct str text, struct option_value *v)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct json_w w;
        struct str rest = str_trim(text);
        TRY(option_text_check(o, text));
        if (str_starts(rest, STR("[")) && str_ends(rest, STR("]")))
                rest = (struct str){ rest.p + 1, rest.n - 2 };
        if (str_eq(rest, STR("none")))
                rest.n = 0;
        jw_init(&w, &b, false);
        jw_array(&w, NULL);
        while (rest.n) {
                struct str item = str_cut(&rest, ' ');
                if (item.n)
                        jw_str(&w, NULL, item);
        }
        jw_array_end(&w);
        TRY(buf_err(&b));
        return option_text_set(o, b.n > 2 ? buf_str(&b) : STR(""), v);
}

static struct err *option_json_set(const struct option *o, const json_t *j, struct option_value *v)
{
        bool list = o->flags & F_LIST;
        if (list ? !json_is_array(j) : !json_is_object(j))
                return err_new(ERR_MALFORMED, "%s: expecting %s", o->path, list ? "a list of strings" : "an object");
        size_t i;
        json_t *item;
        if (list) {
                json_array_foreach(j, i, item)
                {
                        if (!json_is_string(item))
                                return err_new(ERR_MALFORMED, "%s: expecting a list of strings", o->path);
                }
        }
        if (list && json_array_size(j) == 0)
                return option_text_set(o, STR(""), v);
        char *text = json_dumps(j, JSON_COMPACT | JSON_SORT_KEYS);
        if (!text)
                return err_static(ERR_NO_MEMORY);
        struct err *e = option_text_set(o, str_of(text), v);
        free(text);
        return e;
}

static struct err *option_doc_text(const struct option *o, struct str text, struct option_value *v)
{
        AUTO_JSON json_t *j = NULL;
        TRY_WRAP(json_parse(text, OPTION_TEXT_MAX, &j), "value of %s", o->path);
        return option_json_set(o, j, v);
}

struct err *option__from_text(const struct option *o, struct str text, struct option_value *ret)
{
        AUTO_OPTION_VALUE struct option_value v = { 0 };
        if (o->flags & F_DOC)
                TRY(option_doc_text(o, text, &v));
        else if (o->flags & F_LIST)
                TRY(option_list_set(o, text, &v));
        else if (o->type == CONFIG_STR)
                TRY(option_text_set(o, text, &v));
        else if (!option_number_parse(o, text, &v.i))
                return err_new(ERR_INVALID, "invalid %s \"" STR_FMT "\": expecting %s", o->path, STR_ARG(text),
                               option_expects(o->type));
        TRY(option_check(o, &v));
        *ret = v;
        v.s = NULL;
        return NULL;
}

/* Sizes and durations are strings, 64-bit texts are strings of digits; a number is taken for these too, since it can
 * not be mistaken. */
static bool option_json_type_fits(enum config_type t, const json_t *j)
{
        switch (t) {
        case CONFIG_BOOL:
                return json_is_boolean(j);
        case CONFIG_INT:
                return json_is_integer(j);
        case CONFIG_INTS:
        case CONFIG_U64S:
                return json_is_string(j) || json_is_integer(j);
        default:
                return json_is_string(j);
        }
}

struct err *option__from_json(const struct option *o, const json_t *j, struct option_value *ret)
{
        char digits[32];
        if (o->type == CONFIG_JSON) {
                AUTO_OPTION_VALUE struct option_value v = { 0 };
                TRY(option_json_set(o, j, &v));
                *ret = v;
                v.s = NULL;
                return NULL;
        }
        if (!option_json_type_fits(o->type, j))
                return err_new(ERR_MALFORMED, "%s: wrong type, expecting %s", o->path, option_expects(o->type));
        struct str text = json_str(j);
        if (json_is_boolean(j))
                text = json_is_true(j) ? STR("true") : STR("false");
        if (json_is_integer(j)) {
                snprintf(digits, sizeof(digits), "%" JSON_INTEGER_FORMAT, json_integer_value(j));
                text = str_of(digits);
        }
        return option__from_text(o, text, ret);
}

void option__write(const struct option *o, struct json_w *w, const char *key, int64_t i, const char *s)
{
        char text[32];
        switch (o->type) {
        case CONFIG_BOOL:
                jw_bool(w, key, i);
                break;
        case CONFIG_INT:
                jw_int(w, key, i);
                break;
        case CONFIG_INTS:
                jw_i64s(w, key, i);
                break;
        case CONFIG_U64S:
                jw_u64s(w, key, (uint64_t)i);
                break;
        case CONFIG_SIZE:
        case CONFIG_DURATION:
                jw_cstr(w, key, option_number_text(o->type, i, text));
                break;
        case CONFIG_STR:
                jw_cstr(w, key, s);
                break;
        case CONFIG_JSON:
                jw_raw(w, key, s[0] ? str_of(s) : STR("null"));
                break;
        }
}
