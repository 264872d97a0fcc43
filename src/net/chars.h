/* net/chars.h: classes of bytes in HTTP messages. Private to net. */
#ifndef ORLOP_NET_CHARS_H
#define ORLOP_NET_CHARS_H

#include <stdint.h>

enum {
        CHAR_TOKEN = 1,  /* tchar, RFC 9110 §5.6.2 */
        CHAR_FIELD = 2,  /* of a field value: HTAB, SP, visible, obs-text (RFC 9110 §5.5) */
        CHAR_TARGET = 4, /* visible ASCII but '#': a fragment is never sent */
        CHAR_HOST = 8,   /* unreserved, sub-delims, ':', '[', ']', '%' (RFC 3986 §3.2.2) */
        CHAR_HEX = 16,
};
extern const uint8_t net__chars[256];

#endif
