/* base/xml.h: XML in and out. Reading is expat, bounded, into a small tree in an arena; writing appends to a `struct
 * buf`. Pure; any thread; a tree belongs to its arena.
 *
 * Refused when reading: a document type (and with it every entity but the five of XML), text above the limits, more
 * than one encoding than UTF-8 and what expat refuses. Prefixes of namespaces are cut off names; namespaces are not
 * compared, because clients of S3 leave them out as they like. */
#ifndef ORLOP_BASE_XML_H
#define ORLOP_BASE_XML_H

#include "base/buf.h"

struct xml_attr {
        struct str name, value;
        const struct xml_attr *next;
};
struct xml_node {
        struct str name;              /* without prefix */
        struct str text;              /* all text of this element but its children's; blanks kept; p never null */
        const struct xml_attr *attrs; /* without xmlns */
        const struct xml_node *first, *next;
        unsigned count; /* of children */
};
struct xml_limits {
        size_t bytes;   /* of the text */
        unsigned depth; /* of nesting */
        unsigned nodes; /* elements and attributes */
};
/* Reads one document. MALFORMED (with line), TOO_LARGE (a limit), NO_MEMORY (arena full). The tree lives in the arena.
 */
MUST_CHECK struct err *xml_parse(struct arena *a, struct str text, const struct xml_limits *limits,
                                 const struct xml_node **ret);
/* First child of this name, or null. */
const struct xml_node *xml_child(const struct xml_node *n, const char *name);
/* Next sibling after n of the same name, or null. */
const struct xml_node *xml_same(const struct xml_node *n);
/* Text of the first child of this name, or STR_NONE. */
struct str xml_child_text(const struct xml_node *n, const char *name);
/* Value of an attribute, or STR_NONE. */
struct str xml_attr(const struct xml_node *n, const char *name);

/* The declaration, as first line. */
void xml_begin(struct buf *b);
/* Appends text, escaped; bytes that are no UTF-8 become U+FFFD. Control characters become references, as S3 sends them.
 */
void xml_escape(struct buf *b, struct str text);
/* <name> */
void xml_open(struct buf *b, const char *name);
/* <name xmlns="ns"> */
void xml_open_ns(struct buf *b, const char *name, const char *ns);
/* </name> */
void xml_close(struct buf *b, const char *name);
/* <name>text</name> */
void xml_text(struct buf *b, const char *name, struct str text);
/* <name>text</name> of a C string; nothing when text is null. */
void xml_cstr(struct buf *b, const char *name, const char *text);
/* <name>number</name> */
void xml_uint(struct buf *b, const char *name, uint64_t v);
/* <name>true</name> or false. */
void xml_bool(struct buf *b, const char *name, bool v);

#endif
