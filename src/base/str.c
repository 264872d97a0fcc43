/* base/str.c: comparing, searching and copying text. Numbers are in str_num.c, encodings in str_code.c. */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>

int str_cmp(struct str a, struct str b)
{
        size_t n = MIN(a.n, b.n);
        int c = n ? memcmp(a.p, b.p, n) : 0;
        if (c)
                return c;
        return (a.n > b.n) - (a.n < b.n);
}

static unsigned char str_lower(char c)
{
        unsigned char u = (unsigned char)c;
        return u >= 'A' && u <= 'Z' ? (unsigned char)(u | 0x20) : u;
}

bool str_eq_nocase(struct str a, struct str b)
{
        if (a.n != b.n)
                return false;
        for (size_t i = 0; i < a.n; i++)
                if (str_lower(a.p[i]) != str_lower(b.p[i]))
                        return false;
        return true;
}

ptrdiff_t str_find(struct str s, char c)
{
        const char *p = s.n ? memchr(s.p, c, s.n) : NULL;
        return p ? p - s.p : -1;
}

ptrdiff_t str_find_str(struct str s, struct str needle)
{
        if (needle.n == 0)
                return 0;
        const char *p = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;
        return p ? p - s.p : -1;
}

struct str str_cut(struct str *rest, char sep)
{
        struct str all = *rest;
        ptrdiff_t at = str_find(all, sep);
        if (at < 0) {
                *rest = str_skip(all, all.n);
                return all;
        }
        *rest = str_skip(all, (size_t)at + 1);
        return (struct str){ all.p, (size_t)at };
}

static bool str_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct str str_trim(struct str s)
{
        while (s.n && str_blank(s.p[0]))
                s = str_skip(s, 1);
        while (s.n && str_blank(s.p[s.n - 1]))
                s.n--;
        return s;
}

char *str_dup(struct str s)
{
        char *p = malloc(s.n + 1);
        if (!p)
                return NULL;
        if (s.n)
                memcpy(p, s.p, s.n);
        p[s.n] = '\0';
        return p;
}

struct str str_arena(struct arena *a, struct str s)
{
        char *p = arena_dup(a, s.p, s.n);
        return p ? (struct str){ p, s.n } : STR_NONE;
}

struct str str_printf(struct arena *a, const char *fmt, ...)
{
        va_list ap, again;
        va_start(ap, fmt);
        va_copy(again, ap);
        int n = vsnprintf(NULL, 0, fmt, ap);
        char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
        if (p)
                vsnprintf(p, (size_t)n + 1, fmt, again);
        va_end(again);
        va_end(ap);
        return p ? (struct str){ p, (size_t)n } : STR_NONE;
}

bool str_copy(char *dst, size_t size, struct str s)
{
        ASSERT(size > 0);
        size_t n = MIN(s.n, size - 1);
        if (n)
                memcpy(dst, s.p, n);
        dst[n] = '\0';
        return n == s.n;
}

/* Greedy with one remembered star: linear for ordinary patterns, O(n*m) at worst, never exponential. */
bool str_glob(struct str pattern, struct str s)
{
        size_t p = 0, i = 0, star = SIZE_MAX, resume = 0;
        while (i < s.n) {
                if (p < pattern.n && pattern.p[p] == '*') {
                        star = p++;
                        resume = i;
                } else if (p < pattern.n && (pattern.p[p] == '?' || pattern.p[p] == s.p[i])) {
                        p++;
                        i++;
                } else if (star != SIZE_MAX) {
                        p = star + 1;
                        i = ++resume;
                } else {
                        return false;
                }
        }
        while (p < pattern.n && pattern.p[p] == '*')
                p++;
        return p == pattern.n;
}
