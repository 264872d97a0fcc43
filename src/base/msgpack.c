/* base/msgpack.c: each value in its smallest form, as the msgpack specification asks of encoders. */
#include "base/msgpack.h"

/* A type byte and an unsigned value of `size` bytes, big-endian. */
static void mp_head(struct buf *b, unsigned char type, uint64_t v, size_t size)
{
        char *p = buf_reserve(b, 1 + size);
        if (!p)
                return;
        p[0] = (char)type;
        for (size_t i = size; i > 0; i--, v >>= 8)
                p[i] = (char)(unsigned char)v;
        b->n += 1 + size;
}

void mp_map(struct buf *b, uint32_t n)
{
        if (n <= 15)
                mp_head(b, (unsigned char)(0x80 | n), 0, 0);
        else if (n <= UINT16_MAX)
                mp_head(b, 0xde, n, 2);
        else
                mp_head(b, 0xdf, n, 4);
}

void mp_array(struct buf *b, uint32_t n)
{
        if (n <= 15)
                mp_head(b, (unsigned char)(0x90 | n), 0, 0);
        else if (n <= UINT16_MAX)
                mp_head(b, 0xdc, n, 2);
        else
                mp_head(b, 0xdd, n, 4);
}

void mp_str(struct buf *b, struct str s)
{
        if (s.n <= 31)
                mp_head(b, (unsigned char)(0xa0 | s.n), 0, 0);
        else if (s.n <= UINT8_MAX)
                mp_head(b, 0xd9, s.n, 1);
        else if (s.n <= UINT16_MAX)
                mp_head(b, 0xda, s.n, 2);
        else if (s.n <= UINT32_MAX)
                mp_head(b, 0xdb, s.n, 4);
        else
                b->bad = true;
        buf_adds(b, s);
}

void mp_uint(struct buf *b, uint64_t v)
{
        if (v <= 0x7f)
                mp_head(b, (unsigned char)v, 0, 0);
        else if (v <= UINT8_MAX)
                mp_head(b, 0xcc, v, 1);
        else if (v <= UINT16_MAX)
                mp_head(b, 0xcd, v, 2);
        else if (v <= UINT32_MAX)
                mp_head(b, 0xce, v, 4);
        else
                mp_head(b, 0xcf, v, 8);
}

void mp_int(struct buf *b, int64_t v)
{
        if (v >= 0)
                mp_uint(b, (uint64_t)v);
        else if (v >= -32)
                mp_head(b, (unsigned char)(0xe0 | (v + 32)), 0, 0);
        else if (v >= INT8_MIN)
                mp_head(b, 0xd0, (uint64_t)v, 1);
        else if (v >= INT16_MIN)
                mp_head(b, 0xd1, (uint64_t)v, 2);
        else if (v >= INT32_MIN)
                mp_head(b, 0xd2, (uint64_t)v, 4);
        else
                mp_head(b, 0xd3, (uint64_t)v, 8);
}

void mp_bool(struct buf *b, bool v)
{
        mp_head(b, v ? 0xc3 : 0xc2, 0, 0);
}

void mp_nil(struct buf *b)
{
        mp_head(b, 0xc0, 0, 0);
}
