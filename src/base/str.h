/* base/str.h: a borrowed run of bytes, and what is done with text. A `struct str` owns nothing and need not end in NUL.
 * Pure; any thread. */
#ifndef ORLOP_BASE_STR_H
#define ORLOP_BASE_STR_H

#include <stdbool.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"

struct str {
        const char *p;
        size_t n;
};

#define STR(lit) ((struct str){ (lit), sizeof(lit) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

/* A str over a C string; null gives STR_NONE. */
static inline struct str str_of(const char *c)
{
        return (struct str){ c, c ? strlen(c) : 0 };
}
static inline bool str_eq(struct str a, struct str b)
{
        return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
static inline bool str_starts(struct str s, struct str prefix)
{
        return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}
static inline bool str_ends(struct str s, struct str suffix)
{
        return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}
static inline struct str str_skip(struct str s, size_t n)
{
        if (!s.p)
                return STR_NONE;
        return n >= s.n ? (struct str){ s.p + s.n, 0 } : (struct str){ s.p + n, s.n - n };
}
/* Bytewise order, shorter first: the order of listings. */
int str_cmp(struct str a, struct str b);
/* Equal without regard to ASCII case. */
bool str_eq_nocase(struct str a, struct str b);
/* Index of byte c, or -1. */
ptrdiff_t str_find(struct str s, char c);
/* Index of `needle`, or -1. */
ptrdiff_t str_find_str(struct str s, struct str needle);
/* Cuts *rest at the first `sep`: returns the part before it and leaves the part after; without `sep` returns all and
 * leaves {end,0}. */
struct str str_cut(struct str *rest, char sep);
/* Without leading and trailing blanks, tabs, CR, LF. */
struct str str_trim(struct str s);
/* A NUL-terminated heap copy; the caller frees. */
char *str_dup(struct str s);
/* A copy in the arena, NUL-terminated; null p when the arena is full. */
struct str str_arena(struct arena *a, struct str s);
/* Formatted text in the arena; null p when the arena is full. */
struct str str_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Copies into a char array, truncating, always terminated. Returns false if truncated. */
bool str_copy(char *dst, size_t size, struct str s);

/* Decimal, no sign, no blanks, no overflow: else false. */
bool str_u64(struct str s, uint64_t *ret);
/* Decimal with optional '-'. */
bool str_i64(struct str s, int64_t *ret);
/* Hexadecimal without prefix. */
bool str_hex64(struct str s, uint64_t *ret);
/* true,1,t,y,yes,on / false,0,f,n,no,off and empty, in any case; else false is returned. */
bool str_bool(struct str s, bool *ret);
/* IEC or SI size ("64MiB", "10MB", "1gib", "5k", "0B", plain bytes; binary multiples for both as the wire does). */
bool str_size(struct str s, uint64_t *ret_bytes);
/* "64MiB", "0B", "1TiB": the largest unit, up to two decimals. buf must hold 32 bytes; returns buf. */
const char *str_size_text(uint64_t bytes, char buf[static 32]);
/* Go duration ("2h0m", "10s", "100ms", "1h30m", "0"), in nanoseconds. */
bool str_duration(struct str s, int64_t *ret_ns);
/* The wire's duration text: Go's form with zero seconds dropped ("2h0m", "10s", "100ms"). buf holds 32; returns buf. */
const char *str_duration_text(int64_t ns, char buf[static 32]);
/* Unsigned number in base 36. buf holds 16; returns buf. */
const char *str_base36(uint64_t v, char buf[static 16]);

/* Percent-decoding into the arena. `plus` turns '+' into a blank (query values). Bad escapes: ERR_MALFORMED. */
MUST_CHECK struct err *str_percent_decode(struct arena *a, struct str s, bool plus, struct str *ret);
/* Percent-encodes what is not unreserved; '/' is kept when keep_slash. In the arena. */
struct str str_percent_encode(struct arena *a, struct str s, bool keep_slash);
/* Lower-case hex of n bytes into out (2n+1 bytes). */
void str_to_hex(const void *data, size_t n, char *out);
/* Bytes of a hex text; false if malformed or not exactly n bytes. */
bool str_from_hex(struct str s, void *out, size_t n);
/* Standard base64 with padding, in the arena. */
struct str str_base64(struct arena *a, const void *data, size_t n);
/* URL-safe base64 without padding (RFC 4648 §5), in the arena. */
struct str str_base64url(struct arena *a, const void *data, size_t n);
/* Decodes standard or URL-safe base64, padding optional, in the arena. ERR_MALFORMED. */
MUST_CHECK struct err *str_base64_decode(struct arena *a, struct str s, struct str *ret);
/* Length of the well-formed UTF-8 sequence at the start of s, or 0. */
size_t str_utf8_len(struct str s);
/* Whether s is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates). */
bool str_is_utf8(struct str s);
/* Shell-style match of * and ? over bytes. */
bool str_glob(struct str pattern, struct str s);

#endif
