/* base/buf.c: the growing buffer, and the little-endian reader that is its counterpart.
 *
 * Memory doubles. `cap` never exceeds `limit`, so that the inline buf_addc() needs one comparison; one byte more than
 * `cap` is always allocated for the NUL of buf_cstr(). After a failed append the buffer is `bad` until cleared. */
#include "base/buf.h"

#include <endian.h>
#include <stdio.h>

#define BUF_FIRST 256u

void buf_fini(struct buf *b)
{
        free(b->p);
        b->p = NULL;
        b->n = b->cap = 0;
        b->bad = false;
}

static bool buf_grow(struct buf *b, size_t n)
{
        if (n > SIZE_MAX / 4 || (b->limit && (b->n > b->limit || n > b->limit - b->n)))
                return false;
        size_t cap = MAX(MAX(b->cap * 2, b->n + n), (size_t)BUF_FIRST);
        if (b->limit)
                cap = MIN(cap, b->limit);
        char *p = realloc(b->p, cap + 1);
        if (!p)
                return false;
        b->p = p;
        b->cap = cap;
        return true;
}

char *buf_reserve(struct buf *b, size_t n)
{
        if (UNLIKELY(b->bad))
                return NULL;
        if (UNLIKELY(n > b->cap - b->n || !b->p) && !buf_grow(b, n)) {
                b->bad = true;
                return NULL;
        }
        return b->p + b->n;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
        if (n == 0)
                return;
        char *to = buf_reserve(b, n);
        if (!to)
                return;
        memcpy(to, p, n);
        b->n += n;
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
        va_list again;
        va_copy(again, ap);
        size_t room = b->p && !b->bad ? b->cap - b->n + 1 : 0;
        int text = vsnprintf(room ? b->p + b->n : NULL, room, fmt, ap);
        if (text < 0) {
                b->bad = true;
        } else if ((size_t)text < room) {
                b->n += (size_t)text;
        } else {
                char *to = buf_reserve(b, (size_t)text);
                if (to) {
                        vsnprintf(to, (size_t)text + 1, fmt, again);
                        b->n += (size_t)text;
                }
        }
        va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
        va_list ap;
        va_start(ap, fmt);
        buf_vprintf(b, fmt, ap);
        va_end(ap);
}

/* Two digits at a time: listings print a size for each of millions of names. */
static const char buf_digits[201] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
                                    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
                                    "8081828384858687888990919293949596979899";

void buf_addu(struct buf *b, uint64_t v)
{
        char text[20];
        char *p = text + sizeof(text);
        while (v >= 100) {
                p -= 2;
                memcpy(p, buf_digits + (v % 100) * 2, 2);
                v /= 100;
        }
        if (v >= 10) {
                p -= 2;
                memcpy(p, buf_digits + v * 2, 2);
        } else {
                *--p = (char)('0' + v);
        }
        buf_add(b, p, (size_t)(text + sizeof(text) - p));
}

void buf_addi(struct buf *b, int64_t v)
{
        if (v < 0) {
                buf_addc(b, '-');
                buf_addu(b, (uint64_t)-(v + 1) + 1);
        } else {
                buf_addu(b, (uint64_t)v);
        }
}

void buf_add_u16(struct buf *b, uint16_t v)
{
        v = htole16(v);
        buf_add(b, &v, sizeof(v));
}

void buf_add_u32(struct buf *b, uint32_t v)
{
        v = htole32(v);
        buf_add(b, &v, sizeof(v));
}

void buf_add_u64(struct buf *b, uint64_t v)
{
        v = htole64(v);
        buf_add(b, &v, sizeof(v));
}

void buf_add_varint(struct buf *b, uint64_t v)
{
        char text[10];
        size_t n = 0;
        for (; v >= 0x80; v >>= 7)
                text[n++] = (char)(unsigned char)(v | 0x80);
        text[n++] = (char)(unsigned char)v;
        buf_add(b, text, n);
}

void buf_add_lstr(struct buf *b, struct str s)
{
        buf_add_varint(b, s.n);
        buf_adds(b, s);
}

const char *buf_cstr(struct buf *b)
{
        if (b->bad)
                return NULL;
        if (!b->p)
                return "";
        b->p[b->n] = '\0';
        return b->p;
}

struct err *buf_err(const struct buf *b)
{
        if (LIKELY(!b->bad))
                return NULL;
        if (b->limit)
                return err_new(ERR_TOO_LARGE, "buffer limit of %zu bytes", b->limit);
        return err_static(ERR_NO_MEMORY);
}

char *buf_take(struct buf *b, size_t *ret_n)
{
        char *p = b->p;
        *ret_n = b->n;
        b->p = NULL;
        b->n = b->cap = 0;
        b->bad = false;
        return p;
}

struct str buf_get_bytes(struct buf_reader *r, size_t n)
{
        if (UNLIKELY(r->bad || (size_t)(r->end - r->p) < n)) {
                r->bad = true;
                return STR_NONE;
        }
        struct str s = { (const char *)r->p, n };
        if (n)
                r->p += n;
        return s;
}

uint8_t buf_get_u8(struct buf_reader *r)
{
        struct str s = buf_get_bytes(r, 1);
        return s.p ? (uint8_t)s.p[0] : 0;
}

uint16_t buf_get_u16(struct buf_reader *r)
{
        uint16_t v = 0;
        struct str s = buf_get_bytes(r, sizeof(v));
        if (s.p)
                memcpy(&v, s.p, sizeof(v));
        return le16toh(v);
}

uint32_t buf_get_u32(struct buf_reader *r)
{
        uint32_t v = 0;
        struct str s = buf_get_bytes(r, sizeof(v));
        if (s.p)
                memcpy(&v, s.p, sizeof(v));
        return le32toh(v);
}

uint64_t buf_get_u64(struct buf_reader *r)
{
        uint64_t v = 0;
        struct str s = buf_get_bytes(r, sizeof(v));
        if (s.p)
                memcpy(&v, s.p, sizeof(v));
        return le64toh(v);
}

uint64_t buf_get_varint(struct buf_reader *r)
{
        uint64_t v = 0;
        for (unsigned shift = 0; shift < 70; shift += 7) {
                uint8_t byte = buf_get_u8(r);
                /* The tenth byte has room for one bit. */
                if (r->bad || (shift == 63 && byte > 1))
                        break;
                v |= (uint64_t)(byte & 0x7f) << shift;
                if (byte < 0x80)
                        return v;
        }
        r->bad = true;
        return 0;
}

struct str buf_get_lstr(struct buf_reader *r)
{
        uint64_t n = buf_get_varint(r);
        return r->bad ? STR_NONE : buf_get_bytes(r, n);
}
