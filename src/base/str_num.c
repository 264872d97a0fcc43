/* base/str_num.c: numbers, truth values, sizes and durations as text. Parsers accept nothing but what they describe and
 * refuse overflow; they never touch *ret when they return false. */
#include <inttypes.h>
#include <stdio.h>

#include "base/str.h"

static bool str_is_digit(char c)
{
        return c >= '0' && c <= '9';
}

bool str_u64(struct str s, uint64_t *ret)
{
        uint64_t v = 0;
        if (s.n == 0)
                return false;
        for (size_t i = 0; i < s.n; i++) {
                if (!str_is_digit(s.p[i]) || __builtin_mul_overflow(v, 10u, &v) ||
                    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
                        return false;
        }
        *ret = v;
        return true;
}

bool str_i64(struct str s, int64_t *ret)
{
        bool minus = s.n && s.p[0] == '-';
        uint64_t v;
        if (!str_u64(minus ? str_skip(s, 1) : s, &v) || v > (uint64_t)INT64_MAX + minus)
                return false;
        *ret = minus ? (int64_t)(0 - v) : (int64_t)v;
        return true;
}

static int str_hex_digit(char c)
{
        if (str_is_digit(c))
                return c - '0';
        c = (char)(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool str_hex64(struct str s, uint64_t *ret)
{
        uint64_t v = 0;
        if (s.n == 0)
                return false;
        for (size_t i = 0; i < s.n; i++) {
                int d = str_hex_digit(s.p[i]);
                if (d < 0 || v >> 60)
                        return false;
                v = v << 4 | (uint64_t)d;
        }
        *ret = v;
        return true;
}

bool str_bool(struct str s, bool *ret)
{
        static const char *const yes[] = { "true", "1", "t", "y", "yes", "on" };
        static const char *const no[] = { "", "false", "0", "f", "n", "no", "off" };
        for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
                if (str_eq_nocase(s, str_of(yes[i]))) {
                        *ret = true;
                        return true;
                }
        }
        for (size_t i = 0; i < ARRAY_LEN(no); i++) {
                if (str_eq_nocase(s, str_of(no[i]))) {
                        *ret = false;
                        return true;
                }
        }
        return false;
}

/* Cuts "12.345" off *s: the whole part, and the fraction as a number below *ret_scale. At least one digit. */
static bool str_decimal(struct str *s, uint64_t *ret_whole, uint64_t *ret_frac, uint64_t *ret_scale)
{
        size_t n = 0;
        while (n < s->n && str_is_digit(s->p[n]))
                n++;
        uint64_t whole = 0, frac = 0, scale = 1;
        if (n && !str_u64((struct str){ s->p, n }, &whole))
                return false;
        bool any = n > 0;
        *s = str_skip(*s, n);
        if (s->n && s->p[0] == '.') {
                *s = str_skip(*s, 1);
                for (; s->n && str_is_digit(s->p[0]); *s = str_skip(*s, 1)) {
                        any = true;
                        /* Digits beyond 1e-15 are below what any unit resolves. */
                        if (scale >= 1000000000000000u)
                                continue;
                        frac = frac * 10 + (uint64_t)(s->p[0] - '0');
                        scale *= 10;
                }
        }
        *ret_whole = whole;
        *ret_frac = frac;
        *ret_scale = scale;
        return any;
}

/* whole.frac units, or false when above `max`. */
static bool str_scale(uint64_t whole, uint64_t frac, uint64_t scale, uint64_t unit, uint64_t max, uint64_t *ret)
{
        unsigned __int128 v = (unsigned __int128)whole * unit + (unsigned __int128)frac * unit / scale;
        if (v > max)
                return false;
        *ret = (uint64_t)v;
        return true;
}

bool str_size(struct str s, uint64_t *ret_bytes)
{
        uint64_t whole, frac, scale;
        s = str_trim(s);
        if (!str_decimal(&s, &whole, &frac, &scale))
                return false;
        s = str_trim(s);
        unsigned shift = 0;
        if (s.n) {
                static const char units[] = "kmgtpe";
                const char *u = memchr(units, s.p[0] | 0x20, sizeof(units) - 1);
                if (u) {
                        shift = 10 * (unsigned)(u - units + 1);
                        s = str_skip(s, 1);
                        if (s.n && !str_eq_nocase(s, STR("b")) && !str_eq_nocase(s, STR("ib")))
                                return false;
                } else if (!str_eq_nocase(s, STR("b"))) {
                        return false;
                }
        }
        return str_scale(whole, frac, scale, (uint64_t)1 << shift, UINT64_MAX, ret_bytes);
}

/* "12", "12.5", "12.05": a number of hundredths without trailing zeros. */
static int str_hundredths(char *out, size_t size, uint64_t whole, unsigned hundredths, const char *unit)
{
        if (hundredths == 0)
                return snprintf(out, size, "%" PRIu64 "%s", whole, unit);
        if (hundredths % 10 == 0)
                return snprintf(out, size, "%" PRIu64 ".%u%s", whole, hundredths / 10, unit);
        return snprintf(out, size, "%" PRIu64 ".%02u%s", whole, hundredths, unit);
}

const char *str_size_text(uint64_t bytes, char buf[static 32])
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
        unsigned u = 0;
        while (u + 1 < ARRAY_LEN(units) && bytes >> (10 * (u + 1)))
                u++;
        uint64_t unit = (uint64_t)1 << (10 * u);
        unsigned frac = (unsigned)((unsigned __int128)(bytes % unit) * 100 / unit);
        str_hundredths(buf, 32, bytes / unit, frac, units[u]);
        return buf;
}

static const struct {
        struct str name;
        uint64_t ns;
} str_time_units[] = {
        { { "ns", 2 }, 1 },
        { { "us", 2 }, 1000 },
        { { "\xc2\xb5s", 3 }, 1000 }, /* micro sign */
        { { "\xce\xbcs", 3 }, 1000 }, /* Greek mu */
        { { "ms", 2 }, 1000000 },
        { { "s", 1 }, 1000000000 },
        { { "m", 1 }, (uint64_t)60 * 1000000000 },
        { { "h", 1 }, (uint64_t)3600 * 1000000000 },
};

/* The unit at the start of *s, cut off; 0 if there is none. */
static uint64_t str_time_unit(struct str *s)
{
        size_t n = 0;
        while (n < s->n && !str_is_digit(s->p[n]) && s->p[n] != '.')
                n++;
        struct str name = { s->p, n };
        for (size_t i = 0; i < ARRAY_LEN(str_time_units); i++) {
                if (str_eq(name, str_time_units[i].name)) {
                        *s = str_skip(*s, n);
                        return str_time_units[i].ns;
                }
        }
        return 0;
}

bool str_duration(struct str s, int64_t *ret_ns)
{
        bool minus = s.n && s.p[0] == '-';
        if (s.n && (s.p[0] == '-' || s.p[0] == '+'))
                s = str_skip(s, 1);
        if (s.n == 0)
                return false;
        uint64_t total = 0;
        if (str_eq(s, STR("0")))
                s.n = 0;
        while (s.n) {
                uint64_t whole, frac, scale, ns;
                if (!str_decimal(&s, &whole, &frac, &scale))
                        return false;
                uint64_t unit = str_time_unit(&s);
                if (!unit || !str_scale(whole, frac, scale, unit, INT64_MAX, &ns) ||
                    __builtin_add_overflow(total, ns, &total) || total > INT64_MAX)
                        return false;
        }
        *ret_ns = minus ? -(int64_t)total : (int64_t)total;
        return true;
}

/* v/unit with up to `digits` decimals, no trailing zeros. */
static void str_fraction(char *out, size_t size, uint64_t v, uint64_t unit, int digits, const char *name)
{
        char frac[16];
        snprintf(frac, sizeof(frac), "%0*" PRIu64, digits, v % unit);
        size_t n = v % unit ? strlen(frac) : 0;
        while (n && frac[n - 1] == '0')
                n--;
        snprintf(out, size, "%" PRIu64 "%s%.*s%s", v / unit, n ? "." : "", (int)n, frac, name);
}

const char *str_duration_text(int64_t ns, char buf[static 32])
{
        uint64_t v = ns < 0 ? 0 - (uint64_t)ns : (uint64_t)ns;
        char *p = buf;
        size_t size = 32;
        if (ns < 0) {
                *p++ = '-';
                size--;
        }
        if (v == 0) {
                snprintf(p, size, "0s");
        } else if (v < 1000) {
                snprintf(p, size, "%uns", (unsigned)v);
        } else if (v < 1000000) {
                str_fraction(p, size, v, 1000, 3, "\xc2\xb5s");
        } else if (v < 1000000000) {
                str_fraction(p, size, v, 1000000, 6, "ms");
        } else {
                const uint64_t minute = (uint64_t)60 * 1000000000;
                uint64_t hours = v / (60 * minute), minutes = v / minute % 60, rest = v % minute;
                int n = 0;
                if (hours)
                        n = snprintf(p, size, "%" PRIu64 "h%" PRIu64 "m", hours, minutes);
                else if (minutes)
                        n = snprintf(p, size, "%" PRIu64 "m", minutes);
                if (rest || n == 0)
                        str_fraction(p + n, size - (size_t)n, rest, 1000000000, 9, "s");
        }
        return buf;
}

const char *str_base36(uint64_t v, char buf[static 16])
{
        char text[16];
        size_t i = sizeof(text);
        text[--i] = '\0';
        do {
                text[--i] = "0123456789abcdefghijklmnopqrstuvwxyz"[v % 36];
                v /= 36;
        } while (v);
        memcpy(buf, text + i, sizeof(text) - i);
        return buf;
}
