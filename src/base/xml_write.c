/* base/xml_write.c: XML appended to a buffer. Nothing fails here: the buffer keeps what went wrong. */
#include "base/xml.h"

void xml_begin(struct buf *b)
{
        buf_adds(b, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
}

static void add_char(struct buf *b, unsigned char c)
{
        switch (c) {
        case '&':
                buf_adds(b, STR("&amp;"));
                break;
        case '<':
                buf_adds(b, STR("&lt;"));
                break;
        case '>':
                buf_adds(b, STR("&gt;"));
                break;
        case '"':
                buf_adds(b, STR("&quot;"));
                break;
        default:
                buf_printf(b, "&#%u;", c);
        }
}

static bool is_plain(unsigned char c)
{
        return c >= 0x20 && c < 0x7f && c != '&' && c != '<' && c != '>' && c != '"';
}

void xml_escape(struct buf *b, struct str s)
{
        size_t i = 0, run = 0; /* s[run..i) needs no change */
        while (i < s.n) {
                unsigned char c = (unsigned char)s.p[i];
                size_t len = is_plain(c) || c == '\n' || c == '\t' ? 1 : c >= 0x80 ? str_utf8_len(str_skip(s, i)) : 0;
                if (len != 0) {
                        i += len;
                        continue;
                }
                buf_add(b, s.p + run, i - run);
                if (c >= 0x80)
                        buf_adds(b, STR("\xef\xbf\xbd"));
                else
                        add_char(b, c);
                run = ++i;
        }
        if (s.n > run)
                buf_add(b, s.p + run, s.n - run);
}

void xml_open(struct buf *b, const char *name)
{
        buf_addc(b, '<');
        buf_adds(b, str_of(name));
        buf_addc(b, '>');
}

void xml_open_ns(struct buf *b, const char *name, const char *ns)
{
        buf_addc(b, '<');
        buf_adds(b, str_of(name));
        buf_adds(b, STR(" xmlns=\""));
        buf_adds(b, str_of(ns));
        buf_adds(b, STR("\">"));
}

void xml_close(struct buf *b, const char *name)
{
        buf_adds(b, STR("</"));
        buf_adds(b, str_of(name));
        buf_addc(b, '>');
}

void xml_text(struct buf *b, const char *name, struct str text)
{
        xml_open(b, name);
        xml_escape(b, text);
        xml_close(b, name);
}

void xml_cstr(struct buf *b, const char *name, const char *text)
{
        if (text != NULL)
                xml_text(b, name, str_of(text));
}

void xml_uint(struct buf *b, const char *name, uint64_t v)
{
        xml_open(b, name);
        buf_addu(b, v);
        xml_close(b, name);
}

void xml_bool(struct buf *b, const char *name, bool v)
{
        xml_cstr(b, name, v ? "true" : "false");
}
