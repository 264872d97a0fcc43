/* base/str_code.c: encodings of text: percent, hex, base64, UTF-8. Decoders refuse what an encoder would not write. */
#include "base/str.h"

static int str_hex_value(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

struct err *str_percent_decode(struct arena *a, struct str s, bool plus, struct str *ret)
{
        char *out = arena_alloc(a, s.n + 1);
        if (!out)
                return err_static(ERR_NO_MEMORY);
        size_t n = 0;
        for (size_t i = 0; i < s.n; i++) {
                if (s.p[i] == '%') {
                        int hi = s.n - i > 2 ? str_hex_value(s.p[i + 1]) : -1;
                        int lo = hi >= 0 ? str_hex_value(s.p[i + 2]) : -1;
                        if (hi < 0 || lo < 0)
                                return err_new(ERR_MALFORMED, "bad percent escape at byte %zu", i);
                        out[n++] = (char)(unsigned char)(hi << 4 | lo);
                        i += 2;
                } else {
                        out[n++] = plus && s.p[i] == '+' ? ' ' : s.p[i];
                }
        }
        out[n] = '\0';
        *ret = (struct str){ out, n };
        return NULL;
}

static bool str_unreserved(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_' || c == '~';
}

struct str str_percent_encode(struct arena *a, struct str s, bool keep_slash)
{
        size_t n = 0;
        for (size_t i = 0; i < s.n; i++)
                n += str_unreserved(s.p[i]) || (keep_slash && s.p[i] == '/') ? 1 : 3;
        char *out = arena_alloc(a, n + 1);
        if (!out)
                return STR_NONE;
        char *p = out;
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (str_unreserved(s.p[i]) || (keep_slash && c == '/')) {
                        *p++ = (char)c;
                } else {
                        *p++ = '%';
                        *p++ = "0123456789ABCDEF"[c >> 4];
                        *p++ = "0123456789ABCDEF"[c & 15];
                }
        }
        *p = '\0';
        return (struct str){ out, n };
}

void str_to_hex(const void *data, size_t n, char *out)
{
        const unsigned char *p = data;
        for (size_t i = 0; i < n; i++) {
                *out++ = "0123456789abcdef"[p[i] >> 4];
                *out++ = "0123456789abcdef"[p[i] & 15];
        }
        *out = '\0';
}

bool str_from_hex(struct str s, void *out, size_t n)
{
        if (s.n != n * 2)
                return false;
        for (size_t i = 0; i < s.n; i++)
                if (str_hex_value(s.p[i]) < 0)
                        return false;
        unsigned char *p = out;
        for (size_t i = 0; i < n; i++)
                p[i] = (unsigned char)(str_hex_value(s.p[2 * i]) << 4 | str_hex_value(s.p[2 * i + 1]));
        return true;
}

struct str str_base64(struct arena *a, const void *data, size_t n)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const unsigned char *in = data;
        size_t len = (n + 2) / 3 * 4;
        char *out = n < SIZE_MAX / 2 ? arena_alloc(a, len + 1) : NULL;
        if (!out)
                return STR_NONE;
        char *p = out;
        for (size_t i = 0; i < n; i += 3) {
                size_t have = MIN(n - i, (size_t)3);
                unsigned v = (unsigned)in[i] << 16;
                if (have > 1)
                        v |= (unsigned)in[i + 1] << 8;
                if (have > 2)
                        v |= in[i + 2];
                *p++ = digits[v >> 18 & 63];
                *p++ = digits[v >> 12 & 63];
                *p++ = have > 1 ? digits[v >> 6 & 63] : '=';
                *p++ = have > 2 ? digits[v & 63] : '=';
        }
        *p = '\0';
        return (struct str){ out, len };
}

struct str str_base64url(struct arena *a, const void *data, size_t n)
{
        struct str s = str_base64(a, data, n);
        char *p = (char *)(uintptr_t)s.p;
        if (!p)
                return STR_NONE;
        while (s.n && p[s.n - 1] == '=')
                s.n--;
        p[s.n] = '\0';
        for (size_t i = 0; i < s.n; i++) {
                if (p[i] == '+')
                        p[i] = '-';
                else if (p[i] == '/')
                        p[i] = '_';
        }
        return s;
}

static int str_base64_value(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        if (c == '+' || c == '-')
                return 62;
        return c == '/' || c == '_' ? 63 : -1;
}

struct err *str_base64_decode(struct arena *a, struct str s, struct str *ret)
{
        if (s.n && s.n % 4 == 0 && s.p[s.n - 1] == '=')
                s.n -= s.p[s.n - 2] == '=' ? 2 : 1;
        if (s.n % 4 == 1)
                return err_new(ERR_MALFORMED, "base64 text of %zu digits", s.n);
        char *out = arena_alloc(a, s.n / 4 * 3 + 4);
        if (!out)
                return err_static(ERR_NO_MEMORY);
        size_t n = 0;
        unsigned v = 0, bits = 0;
        for (size_t i = 0; i < s.n; i++) {
                int d = str_base64_value(s.p[i]);
                if (d < 0)
                        return err_new(ERR_MALFORMED, "bad base64 digit at byte %zu", i);
                v = (v << 6 | (unsigned)d) & 0xffffff;
                bits += 6;
                if (bits >= 8) {
                        bits -= 8;
                        out[n++] = (char)(unsigned char)(v >> bits);
                }
        }
        if (v & ((1u << bits) - 1))
                return err_new(ERR_MALFORMED, "base64 text ends in the middle of a byte");
        out[n] = '\0';
        *ret = (struct str){ out, n };
        return NULL;
}

/* Table 3-7 of the Unicode standard. */
size_t str_utf8_len(struct str s)
{
        const unsigned char *p = (const unsigned char *)s.p;
        size_t n = s.n;
        if (n == 0)
                return 0;
        unsigned char lo = 0x80, hi = 0xbf;
        size_t len;
        if (p[0] < 0x80)
                return 1;
        if (p[0] >= 0xc2 && p[0] <= 0xdf) {
                len = 2;
        } else if (p[0] >= 0xe0 && p[0] <= 0xef) {
                len = 3;
                if (p[0] == 0xe0)
                        lo = 0xa0;
                else if (p[0] == 0xed)
                        hi = 0x9f;
        } else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
                len = 4;
                if (p[0] == 0xf0)
                        lo = 0x90;
                else if (p[0] == 0xf4)
                        hi = 0x8f;
        } else {
                return 0;
        }
        if (n < len || p[1] < lo || p[1] > hi)
                return 0;
        for (size_t i = 2; i < len; i++)
                if (p[i] < 0x80 || p[i] > 0xbf)
                        return 0;
        return len;
}

bool str_is_utf8(struct str s)
{
        for (size_t i = 0; i < s.n;) {
                size_t len = str_utf8_len((struct str){ s.p + i, s.n - i });
                if (len == 0)
                        return false;
                i += len;
        }
        return true;
}
