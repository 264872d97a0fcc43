/* net/chars.c: the table of chars.h. */
#include "net/chars.h"

#define ALNUM_CLASS (CHAR_TOKEN | CHAR_FIELD | CHAR_TARGET | CHAR_HOST)
#define VISIBLE (CHAR_FIELD | CHAR_TARGET)

/* clang-format off */
const uint8_t net__chars[256] = {
        ['\t'] = CHAR_FIELD,
        [' '] = CHAR_FIELD,
        ['!'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['"'] = VISIBLE,
        ['#'] = CHAR_FIELD | CHAR_TOKEN,
        ['$'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['%'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['&'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['\''] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['('] = VISIBLE | CHAR_HOST,
        [')'] = VISIBLE | CHAR_HOST,
        ['*'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['+'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        [','] = VISIBLE | CHAR_HOST,
        ['-'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['.'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['/'] = VISIBLE,
        ['0' ... '9'] = ALNUM_CLASS | CHAR_HEX,
        [':'] = VISIBLE | CHAR_HOST,
        [';'] = VISIBLE | CHAR_HOST,
        ['<'] = VISIBLE,
        ['='] = VISIBLE | CHAR_HOST,
        ['>' ... '@'] = VISIBLE,
        ['A' ... 'F'] = ALNUM_CLASS | CHAR_HEX,
        ['G' ... 'Z'] = ALNUM_CLASS,
        ['['] = VISIBLE | CHAR_HOST,
        ['\\'] = VISIBLE,
        [']'] = VISIBLE | CHAR_HOST,
        ['^'] = VISIBLE | CHAR_TOKEN,
        ['_'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        ['`'] = VISIBLE | CHAR_TOKEN,
        ['a' ... 'f'] = ALNUM_CLASS | CHAR_HEX,
        ['g' ... 'z'] = ALNUM_CLASS,
        ['{'] = VISIBLE,
        ['|'] = VISIBLE | CHAR_TOKEN,
        ['}'] = VISIBLE,
        ['~'] = VISIBLE | CHAR_TOKEN | CHAR_HOST,
        [0x80 ... 0xff] = CHAR_FIELD,
};
/* clang-format on */
