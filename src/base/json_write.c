/* base/json_write.c: JSON appended to a buffer without a tree in between.
 *
 * Failure is the buffer's: it turns bad, and the caller sees it in buf_err(). */
#include <math.h>
#include <stdio.h>

#include "base/json.h"

#define JSON_ONES 0x0101010101010101u
#define JSON_HIGHS 0x8080808080808080u

/* Whether all 8 bytes can be copied as they are: ASCII from 0x20, neither quote nor backslash. A borrow out of a lower byte can
 * only turn a clean byte into a suspect one when that lower byte is not clean itself. */
static bool json_clean8(const char *p)
{
        uint64_t x;
        memcpy(&x, p, sizeof(x));
        uint64_t quote = x ^ (JSON_ONES * '"'), back = x ^ (JSON_ONES * '\\');
        return ((x | (x - JSON_ONES * 0x20) | (quote - JSON_ONES) | (back - JSON_ONES)) & JSON_HIGHS) == 0;
}

/* Appends the one character that starts at s; returns how many bytes it took. */
static size_t json_quote_char(struct buf *b, struct str s)
{
        unsigned char c = (unsigned char)s.p[0];
        if (c == '"' || c == '\\') {
                char two[2] = { '\\', (char)c };
                buf_add(b, two, 2);
                return 1;
        }
        if (c < 0x20) {
                static const char shorts[] = "\b\f\n\r\t", letters[] = "bfnrt";
                const char *at = memchr(shorts, c, sizeof(shorts) - 1);
                if (at)
                        buf_printf(b, "\\%c", letters[at - shorts]);
                else
                        buf_printf(b, "\\u%04x", c);
                return 1;
        }
        size_t n = str_utf8_len(s);
        if (n)
                buf_add(b, s.p, n);
        else
                buf_add(b, "\xef\xbf\xbd", 3); /* U+FFFD */
        return n ? n : 1;
}

void json_quote(struct buf *b, struct str s)
{
        buf_addc(b, '"');
        size_t start = 0, i = 0;
        while (i < s.n) {
                if (i + 8 <= s.n && json_clean8(s.p + i)) {
                        i += 8;
                        continue;
                }
                unsigned char c = (unsigned char)s.p[i];
                if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
                        i++;
                        continue;
                }
                buf_add(b, s.p + start, i - start);
                i += json_quote_char(b, str_skip(s, i));
                start = i;
        }
        if (s.n > start)
                buf_add(b, s.p + start, s.n - start);
        buf_addc(b, '"');
}

void jw_init(struct json_w *w, struct buf *b, bool pretty)
{
        *w = (struct json_w){ .b = b, .pretty = pretty };
}

static void jw_newline(struct json_w *w)
{
        buf_addc(w->b, '\n');
        for (unsigned i = 0; i < w->depth; i++)
                buf_add(w->b, "    ", 4);
}

/* What stands before a value: comma, line break, key. */
static void jw_lead(struct json_w *w, const char *key)
{
        uint64_t bit = (uint64_t)1 << w->depth;
        if (w->has & bit)
                buf_addc(w->b, ',');
        w->has |= bit;
        if (w->pretty && w->depth)
                jw_newline(w);
        if (!key)
                return;
        json_quote(w->b, str_of(key));
        if (w->pretty)
                buf_add(w->b, ": ", 2);
        else
                buf_addc(w->b, ':');
}

static void jw_open(struct json_w *w, const char *key, char bracket)
{
        jw_lead(w, key);
        buf_addc(w->b, bracket);
        w->depth++;
        ASSERT(w->depth < 64);
        w->has &= ~((uint64_t)1 << w->depth);
}

static void jw_close(struct json_w *w, char bracket)
{
        ASSERT(w->depth > 0);
        bool any = w->has >> w->depth & 1;
        w->depth--;
        if (w->pretty && any)
                jw_newline(w);
        buf_addc(w->b, bracket);
}

void jw_object(struct json_w *w, const char *key)
{
        jw_open(w, key, '{');
}

void jw_object_end(struct json_w *w)
{
        jw_close(w, '}');
}

void jw_array(struct json_w *w, const char *key)
{
        jw_open(w, key, '[');
}

void jw_array_end(struct json_w *w)
{
        jw_close(w, ']');
}

void jw_str(struct json_w *w, const char *key, struct str v)
{
        jw_lead(w, key);
        json_quote(w->b, v);
}

void jw_strf(struct json_w *w, const char *key, const char *fmt, ...)
{
        AUTO_BUF struct buf text = BUF_INIT;
        va_list ap;
        va_start(ap, fmt);
        buf_vprintf(&text, fmt, ap);
        va_end(ap);
        if (text.bad)
                w->b->bad = true;
        jw_str(w, key, buf_str(&text));
}

void jw_int(struct json_w *w, const char *key, int64_t v)
{
        jw_lead(w, key);
        buf_addi(w->b, v);
}

void jw_uint(struct json_w *w, const char *key, uint64_t v)
{
        jw_lead(w, key);
        buf_addu(w->b, v);
}

void jw_u64s(struct json_w *w, const char *key, uint64_t v)
{
        jw_lead(w, key);
        buf_addc(w->b, '"');
        buf_addu(w->b, v);
        buf_addc(w->b, '"');
}

void jw_i64s(struct json_w *w, const char *key, int64_t v)
{
        jw_lead(w, key);
        buf_addc(w->b, '"');
        buf_addi(w->b, v);
        buf_addc(w->b, '"');
}

/* The shortest of 15 to 17 digits that reads back the same. JSON has no infinities and no use for -0:
 * they become 0. */
void jw_double(struct json_w *w, const char *key, double v)
{
        char text[40];
        if (!isfinite(v) || v == 0)
                v = 0;
        for (int digits = 15; digits <= 17; digits++) {
                snprintf(text, sizeof(text), "%.*g", digits, v);
                if (strtod(text, NULL) == v)
                        break;
        }
        jw_lead(w, key);
        buf_adds(w->b, str_of(text));
}

void jw_bool(struct json_w *w, const char *key, bool v)
{
        jw_lead(w, key);
        buf_adds(w->b, v ? STR("true") : STR("false"));
}

void jw_null(struct json_w *w, const char *key)
{
        jw_lead(w, key);
        buf_adds(w->b, STR("null"));
}

void jw_raw(struct json_w *w, const char *key, struct str json)
{
        jw_lead(w, key);
        buf_adds(w->b, json);
}

static void jw_json_members(struct json_w *w, const json_t *j)
{
        const char *k;
        json_t *v;
        json_object_foreach((json_t *)(uintptr_t)j, k, v)
                jw_json(w, k, v);
}

/* Recursion is bounded by the nesting that json_parse() lets in. */
void jw_json(struct json_w *w, const char *key, const json_t *j)
{
        switch (j ? json_typeof(j) : JSON_NULL) {
        case JSON_OBJECT:
                jw_object(w, key);
                jw_json_members(w, j);
                jw_object_end(w);
                break;
        case JSON_ARRAY:
                jw_array(w, key);
                for (size_t i = 0; i < json_array_size(j); i++)
                        jw_json(w, NULL, json_array_get(j, i));
                jw_array_end(w);
                break;
        case JSON_STRING:
                jw_str(w, key, json_str(j));
                break;
        case JSON_INTEGER:
                jw_int(w, key, json_integer_value(j));
                break;
        case JSON_REAL:
                jw_double(w, key, json_real_value(j));
                break;
        case JSON_TRUE:
        case JSON_FALSE:
                jw_bool(w, key, json_is_true(j));
                break;
        case JSON_NULL:
                jw_null(w, key);
                break;
        }
}
