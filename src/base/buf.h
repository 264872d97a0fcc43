/* base/buf.h: a growing byte buffer on the heap. Owned by one thread at a time.
 *
 * Appending never fails midway: when memory is short or `limit` is passed, the buffer turns `bad`, keeps what it has and
 * ignores further appends; callers check once at the end with buf_err(). */
#ifndef ORLOP_BASE_BUF_H
#define ORLOP_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

struct buf {
        char *p;
        size_t n, cap;
        size_t limit; /* 0: none */
        bool bad;
};

#define BUF_INIT { NULL, 0, 0, 0, false }

/* Empty; frees what it held. */
void buf_fini(struct buf *b);
/* Empty; keeps the memory. */
static inline void buf_clear(struct buf *b)
{
        b->n = 0;
        b->bad = false;
}
/* Room for n more bytes; returns where to write, or null when bad. The caller then adds to b->n. */
char *buf_reserve(struct buf *b, size_t n);
/* Appends n bytes. */
void buf_add(struct buf *b, const void *p, size_t n);
/* Appends one byte. */
static inline void buf_addc(struct buf *b, char c)
{
        if (LIKELY(b->n < b->cap && !b->bad))
                b->p[b->n++] = c;
        else
                buf_add(b, &c, 1);
}
static inline void buf_adds(struct buf *b, struct str s)
{
        buf_add(b, s.p, s.n);
}
/* Appends formatted text. */
void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Appends formatted text. */
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) __attribute__((format(printf, 2, 0)));
/* Appends a decimal number. */
void buf_addu(struct buf *b, uint64_t v);
/* Appends a decimal number. */
void buf_addi(struct buf *b, int64_t v);
/* Little-endian and variable-length (LEB128) integers, for our disk formats. */
void buf_add_u16(struct buf *b, uint16_t v);
/* Appends 4 bytes, little-endian. */
void buf_add_u32(struct buf *b, uint32_t v);
/* Appends 8 bytes, little-endian. */
void buf_add_u64(struct buf *b, uint64_t v);
/* Appends an unsigned LEB128 number. */
void buf_add_varint(struct buf *b, uint64_t v);
/* Appends a LEB128 length and the bytes. */
void buf_add_lstr(struct buf *b, struct str s);
/* The content as a NUL-terminated string (the NUL is not counted); "" when empty, null when bad. */
const char *buf_cstr(struct buf *b);
static inline struct str buf_str(const struct buf *b)
{
        return (struct str){ b->p, b->n };
}
/* Null when all appends went in; else ERR_NO_MEMORY or ERR_TOO_LARGE. */
MUST_CHECK struct err *buf_err(const struct buf *b);
/* The memory passes to the caller (free()); the buffer is empty again. */
char *buf_take(struct buf *b, size_t *ret_n);

/* Reads what the functions above wrote; `bad` is set, and zero returned, when the input is too short or malformed. */
struct buf_reader {
        const unsigned char *p, *end;
        bool bad;
};
static inline struct buf_reader buf_reader_of(struct str s)
{
        const unsigned char *p = (const unsigned char *)s.p;

        return (struct buf_reader){ p, p ? p + s.n : p, false };
}
/* 1 byte. */
uint8_t buf_get_u8(struct buf_reader *r);
/* 2 bytes, little-endian. */
uint16_t buf_get_u16(struct buf_reader *r);
/* 4 bytes, little-endian. */
uint32_t buf_get_u32(struct buf_reader *r);
/* 8 bytes, little-endian. */
uint64_t buf_get_u64(struct buf_reader *r);
/* An unsigned LEB128 number of at most 10 bytes. */
uint64_t buf_get_varint(struct buf_reader *r);
/* A LEB128 length and that many bytes, borrowed from the input. */
struct str buf_get_lstr(struct buf_reader *r);
/* n bytes, borrowed from the input. */
struct str buf_get_bytes(struct buf_reader *r, size_t n);

#define AUTO_BUF __attribute__((cleanup(buf_fini)))

#endif
