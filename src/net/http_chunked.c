/* net/http_chunked.c: the chunked transfer coding (RFC 9112 §7.1), byte by byte in its framing, in runs in its data.
 *
 * States: SIZE → (EXT →) SIZE_LF → DATA → DATA_CR → DATA_LF → SIZE …; a size of zero leads from SIZE_LF to TRAILER →
 * (NAME → VALUE → VALUE_LF → TRAILER …) → END_LF → DONE. Every CR must be followed by LF; anything else is BAD, and
 * stays BAD. */
#include "net/chars.h"
#include "net/http_parse.h"

#define CHUNK_LINE_MAX 32u
#define TRAILER_MAX (8u * 1024)

enum { SIZE, EXT, SIZE_LF, DATA, DATA_CR, DATA_LF, TRAILER, NAME, VALUE, VALUE_LF, END_LF, DONE, FAILED };

void http_chunked_init(struct http_chunked *c)
{
        *c = (struct http_chunked){ .state = SIZE };
}

size_t http_chunked_plain(const struct http_chunked *c)
{
        return c->state == DATA ? (size_t)MIN(c->left, (uint64_t)SIZE_MAX) : 0;
}

void http_chunked_took(struct http_chunked *c, size_t n)
{
        ASSERT(c->state == DATA && n <= c->left);
        c->left -= n;
        if (c->left == 0)
                c->state = DATA_CR;
}

static unsigned hex_digit(unsigned char b)
{
        return b <= 0x39 ? b - 0x30u : (b | 0x20u) - 0x57u; /* 0-9, A-F, a-f */
}

/* A byte of the line with the size. c->line counts its bytes; c->left is the size so far. */
static int step_size_line(struct http_chunked *c, unsigned char b)
{
        if (++c->line > CHUNK_LINE_MAX)
                return FAILED;
        if (c->state == SIZE && (net__chars[b] & CHAR_HEX)) {
                if (c->left > INT64_MAX >> 4)
                        return FAILED;
                c->left = c->left << 4 | hex_digit(b);
                return SIZE;
        }
        if (c->line == 1) /* no digit at all */
                return FAILED;
        if (b == '\r')
                return SIZE_LF;
        if (c->state == SIZE)
                return b == ';' ? EXT : FAILED;
        return net__chars[b] & CHAR_FIELD ? EXT : FAILED;
}

/* A byte after the last chunk: trailer lines are checked and dropped. */
static int step_trailer(struct http_chunked *c, unsigned char b)
{
        if (++c->trailer > TRAILER_MAX)
                return FAILED;
        switch (c->state) {
        case TRAILER:
                if (b == '\r')
                        return END_LF;
                return net__chars[b] & CHAR_TOKEN ? NAME : FAILED;
        case NAME:
                if (b == ':')
                        return VALUE;
                return net__chars[b] & CHAR_TOKEN ? NAME : FAILED;
        case VALUE:
                if (b == '\r')
                        return VALUE_LF;
                return net__chars[b] & CHAR_FIELD ? VALUE : FAILED;
        case VALUE_LF:
                return b == '\n' ? TRAILER : FAILED;
        default:
                return b == '\n' ? DONE : FAILED;
        }
}

static int step(struct http_chunked *c, unsigned char b)
{
        switch (c->state) {
        case SIZE:
        case EXT:
                return step_size_line(c, b);
        case SIZE_LF:
                if (b != '\n')
                        return FAILED;
                c->line = 0;
                return c->left ? DATA : TRAILER;
        case DATA_CR:
                return b == '\r' ? DATA_LF : FAILED;
        case DATA_LF:
                return b == '\n' ? SIZE : FAILED;
        default:
                return step_trailer(c, b);
        }
}

enum http_parse_result http_chunked_next(struct http_chunked *c, struct str *in, struct str *ret_data, bool *ret_end)
{
        while (in->n && c->state != DATA && c->state != DONE && c->state != FAILED) {
                c->state = step(c, (unsigned char)in->p[0]);
                *in = str_skip(*in, 1);
        }
        if (c->state == FAILED)
                return HTTP_PARSE_BAD;
        size_t n = c->state == DATA ? (size_t)MIN(c->left, (uint64_t)in->n) : 0;
        *ret_data = (struct str){ in->p, n };
        *ret_end = c->state == DONE;
        if (n) {
                *in = str_skip(*in, n);
                http_chunked_took(c, n);
        }
        return n || c->state == DONE ? HTTP_PARSE_OK : HTTP_PARSE_MORE;
}
