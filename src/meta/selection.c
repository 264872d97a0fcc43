/* meta/selection.c: templates of object names.
 *
 * The three forms are tried in the wire's order: bash braces, at, fmt; a text that has none of their marks is a prefix.
 * A text that has the mark but not the form is an error, never silently a prefix: a job must not touch other objects
 * than its sender meant. */
#include "meta/selection.h"

#define SELECT_COUNT_MAX 10000000u

static struct err *select_bad(const char *form, struct str text, const char *why)
{
        return err_new(ERR_INVALID, "invalid '%s' template \"" STR_FMT "\": %s", form, STR_ARG(text), why);
}

/* Appends a range and counts the names; `before` is the text since the previous range. */
static struct err *select_add(struct selection *s, const char *form, struct str text, struct str before, uint64_t start,
                              uint64_t end, uint64_t step, size_t pad)
{
        if (start > end)
                return select_bad(form, text, "'start' cannot be greater than 'end'");
        if (step == 0)
                return select_bad(form, text, "'step' is non-positive");
        if (s->ranges == SELECT_RANGES_MAX)
                return select_bad(form, text, "too many ranges");
        if (pad > 20)
                return select_bad(form, text, "number is too wide");
        uint64_t n = (end - start) / step;
        if (n >= SELECT_COUNT_MAX || s->count > SELECT_COUNT_MAX / (n + 1))
                return select_bad(form, text, "too many values (more than 10000000)");
        s->count *= n + 1;
        s->range[s->ranges].before = before;
        s->range[s->ranges].start = start;
        s->range[s->ranges].end = end;
        s->range[s->ranges].step = step;
        s->range[s->ranges].pad = (unsigned)pad;
        s->ranges++;
        return NULL;
}

/* "0001..0010..3" */
static struct err *select_braces(struct selection *s, struct str text, struct str before, struct str inside)
{
        uint64_t start, end, step = 1;
        struct str first = inside, second, third = STR_NONE;
        ptrdiff_t dots = str_find_str(inside, STR(".."));
        if (dots < 0)
                return select_bad("bash", text, "expecting e.g. 'prefix-{0001..0010..1}-suffix'");
        first.n = (size_t)dots;
        second = str_skip(inside, first.n + 2);
        dots = str_find_str(second, STR(".."));
        if (dots >= 0) {
                third = str_skip(second, (size_t)dots + 2);
                second.n = (size_t)dots;
        }
        if (!str_u64(first, &start) || !str_u64(second, &end) || (dots >= 0 && !str_u64(third, &step)))
                return select_bad("bash", text, "expecting numbers between the braces");
        return select_add(s, "bash", text, before, start, end, step, MIN(first.n, second.n));
}

static struct err *select_bash(struct str text, struct selection *s)
{
        struct str rest = text;
        for (;;) {
                ptrdiff_t left = str_find(rest, '{');
                if (left < 0)
                        break;
                struct str before = { rest.p, (size_t)left };
                struct str tail = str_skip(rest, (size_t)left + 1);
                ptrdiff_t right = str_find(tail, '}');
                if (right < 0)
                        return select_bad("bash", text, "a brace is not closed");
                TRY(select_braces(s, text, before, (struct str){ tail.p, (size_t)right }));
                rest = str_skip(tail, (size_t)right + 1);
        }
        s->after = rest;
        return NULL;
}

static size_t select_digits(struct str s)
{
        size_t n = 0;
        while (n < s.n && s.p[n] >= '0' && s.p[n] <= '9')
                n++;
        return n;
}

static struct err *select_at(struct str text, struct selection *s)
{
        struct str rest = text;
        for (;;) {
                ptrdiff_t at = str_find(rest, '@');
                if (at < 0)
                        break;
                struct str before = { rest.p, (size_t)at };
                struct str tail = str_skip(rest, (size_t)at + 1);
                size_t digits = select_digits(tail);
                uint64_t end;
                if (!str_u64((struct str){ tail.p, digits }, &end))
                        return select_bad("at", text, "expecting e.g. 'prefix-@00100-suffix'");
                TRY(select_add(s, "at", text, before, 0, end, 1, digits));
                rest = str_skip(tail, digits);
        }
        s->after = rest;
        return NULL;
}

/* "p-%06d-s": as many names as the width has, from 0. Without a width there is no end, and the count limit refuses it.
 */
static struct err *select_fmt(struct str text, struct selection *s)
{
        ptrdiff_t percent = str_find(text, '%');
        struct str before = { text.p, (size_t)percent };
        struct str tail = str_skip(text, (size_t)percent + 1);
        ptrdiff_t d = str_find(tail, 'd');
        uint64_t width = 0;
        if (d < 0 || d == 1 ||
            (d > 1 && (tail.p[0] != '0' || !str_u64((struct str){ tail.p + 1, (size_t)d - 1 }, &width))))
                return select_bad("fmt", text, "expecting e.g. 'prefix-%06d-suffix'");
        uint64_t end = 1;
        for (uint64_t i = 0; i < width && end <= SELECT_COUNT_MAX; i++)
                end *= 10;
        if (width == 0)
                end = UINT64_MAX;
        TRY(select_add(s, "fmt", text, before, 0, end - 1, 1, (size_t)MIN(width, 64)));
        s->after = str_skip(tail, (size_t)d + 1);
        return NULL;
}

static bool select_has_one(struct str text, char c)
{
        ptrdiff_t i = str_find(text, c);
        return i >= 0 && str_find(str_skip(text, (size_t)i + 1), c) < 0;
}

struct err *selection_parse(struct str text, struct selection *ret)
{
        struct selection s = { .kind = SELECT_TEMPLATE, .count = 1 };
        if (text.n == 0 || str_eq(text, STR("*"))) {
                s.kind = SELECT_ALL;
                s.count = 0;
        } else if (str_find(text, '{') >= 0 && str_find(text, '}') >= 0) {
                TRY(select_bash(text, &s));
        } else if (str_find(text, '@') >= 0) {
                TRY(select_at(text, &s));
        } else if (select_has_one(text, '%')) {
                TRY(select_fmt(text, &s));
        } else {
                s.kind = SELECT_PREFIX;
                s.count = 0;
                s.prefix = text;
                if (text.p[text.n - 1] == '*')
                        s.prefix.n--;
        }
        *ret = s;
        return NULL;
}

void selection_name(const struct selection *s, uint64_t i, struct buf *b)
{
        ASSERT(s->kind == SELECT_TEMPLATE && i < s->count);
        uint64_t value[SELECT_RANGES_MAX];
        for (unsigned k = s->ranges; k-- > 0;) {
                uint64_t n = (s->range[k].end - s->range[k].start) / s->range[k].step + 1;
                value[k] = s->range[k].start + i % n * s->range[k].step;
                i /= n;
        }
        for (unsigned k = 0; k < s->ranges; k++) {
                buf_adds(b, s->range[k].before);
                buf_printf(b, "%0*llu", (int)s->range[k].pad, (unsigned long long)value[k]);
        }
        buf_adds(b, s->after);
}
