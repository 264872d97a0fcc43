/* base/xml_read.c: documents into trees. expat calls back for each start, end and run of text; the tree grows in the
 * arena. The first thing that is refused stops expat, and is what the caller gets. Text arrives in pieces: they gather
 * in one buffer per open element, and are copied at its end. */
#include <expat.h>

#include "base/xml.h"

#define DEPTH_MOST 64

struct level {
        struct xml_node *node;
        const struct xml_node **tail; /* where its next child is linked */
        size_t text_at;               /* its text in `text` begins here; that of closed children is gone */
};
struct reading {
        XML_Parser x;
        struct arena *a;
        struct xml_limits limits;
        unsigned depth, nodes;
        struct level levels[DEPTH_MOST];
        struct buf text;
        struct xml_node *root;
        struct err *failed;
};

static void stop(struct reading *r, struct err *e)
{
        r->failed = err_first(r->failed, e);
        XML_StopParser(r->x, XML_FALSE);
}

static struct str without_prefix(const char *name)
{
        const char *colon = strrchr(name, ':');
        return str_of(colon != NULL ? colon + 1 : name);
}

static bool add_attrs(struct reading *r, struct xml_node *n, const char **attrs)
{
        const struct xml_attr **tail = &n->attrs;
        for (; *attrs != NULL; attrs += 2) {
                if (str_starts(str_of(attrs[0]), STR("xmlns")))
                        continue;
                struct xml_attr *t = arena_new(r->a, struct xml_attr);
                if (t == NULL || ++r->nodes > r->limits.nodes)
                        return false;
                t->name = str_arena(r->a, without_prefix(attrs[0]));
                t->value = str_arena(r->a, str_of(attrs[1]));
                if (t->name.p == NULL || t->value.p == NULL)
                        return false;
                *tail = t;
                tail = &t->next;
        }
        return true;
}

static void on_start(void *arg, const char *name, const char **attrs)
{
        struct reading *r = arg;
        if (r->failed != NULL)
                return;
        if (r->depth >= MIN(r->limits.depth, DEPTH_MOST) || ++r->nodes > r->limits.nodes) {
                stop(r, err_new(ERR_TOO_LARGE, "XML of more than %u elements or %u levels", r->limits.nodes,
                                r->limits.depth));
                return;
        }
        struct xml_node *n = arena_new(r->a, struct xml_node);
        if (n != NULL)
                n->name = str_arena(r->a, without_prefix(name));
        if (n == NULL || n->name.p == NULL || !add_attrs(r, n, attrs)) {
                stop(r, err_new(ERR_TOO_LARGE, "XML too large"));
                return;
        }
        if (r->depth == 0) {
                r->root = n;
        } else {
                struct level *up = &r->levels[r->depth - 1];
                *up->tail = n;
                up->tail = &n->next;
                up->node->count++;
        }
        r->levels[r->depth++] = (struct level){ n, &n->first, r->text.n };
}

static void on_end(void *arg, const char *name)
{
        struct reading *r = arg;
        (void)name;
        if (r->failed != NULL)
                return;
        struct level *l = &r->levels[--r->depth];
        struct str all = buf_str(&r->text);
        l->node->text = str_arena(r->a, all.n > l->text_at ? str_skip(all, l->text_at) : STR(""));
        r->text.n = l->text_at;
        if (l->node->text.p == NULL || r->text.bad)
                stop(r, err_static(ERR_NO_MEMORY));
}

static void on_text(void *arg, const char *p, int n)
{
        struct reading *r = arg;
        if (r->failed == NULL && r->depth > 0)
                buf_add(&r->text, p, (size_t)n);
}

static void on_doctype(void *arg, const char *name, const char *sysid, const char *pubid, int internal)
{
        struct reading *r = arg;
        (void)name;
        (void)sysid;
        (void)pubid;
        (void)internal;
        stop(r, err_new(ERR_MALFORMED, "XML with a document type is not taken"));
}

static struct err *read_all(struct reading *r, struct str text)
{
        XML_SetUserData(r->x, r);
        XML_SetElementHandler(r->x, on_start, on_end);
        XML_SetCharacterDataHandler(r->x, on_text);
        XML_SetStartDoctypeDeclHandler(r->x, on_doctype);
        enum XML_Status s = XML_Parse(r->x, text.n != 0 ? text.p : "", (int)text.n, 1);
        if (r->failed != NULL)
                return r->failed;
        if (s != XML_STATUS_OK)
                return err_new(ERR_MALFORMED, "XML, line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(r->x),
                               XML_ErrorString(XML_GetErrorCode(r->x)));
        return NULL;
}

struct err *xml_parse(struct arena *a, struct str text, const struct xml_limits *limits, const struct xml_node **ret)
{
        if (text.n > limits->bytes || text.n > INT32_MAX)
                return err_new(ERR_TOO_LARGE, "XML text of %zu bytes, at most %zu are taken", text.n, limits->bytes);
        struct reading r = { .a = a, .limits = *limits, .text = BUF_INIT };
        r.x = XML_ParserCreate("UTF-8"); /* whatever the declaration says */
        if (r.x == NULL)
                return err_static(ERR_NO_MEMORY);
        struct err *e = read_all(&r, text);
        XML_ParserFree(r.x);
        buf_fini(&r.text);
        if (e == NULL)
                *ret = r.root;
        return e;
}

/* ---- looking into a tree ---- */

const struct xml_node *xml_child(const struct xml_node *n, const char *name)
{
        for (const struct xml_node *c = n->first; c != NULL; c = c->next)
                if (str_eq(c->name, str_of(name)))
                        return c;
        return NULL;
}

const struct xml_node *xml_same(const struct xml_node *n)
{
        for (const struct xml_node *c = n->next; c != NULL; c = c->next)
                if (str_eq(c->name, n->name))
                        return c;
        return NULL;
}

struct str xml_child_text(const struct xml_node *n, const char *name)
{
        const struct xml_node *c = xml_child(n, name);
        return c != NULL ? c->text : STR_NONE;
}

struct str xml_attr(const struct xml_node *n, const char *name)
{
        for (const struct xml_attr *t = n->attrs; t != NULL; t = t->next)
                if (str_eq(t->name, str_of(name)))
                        return t->value;
        return STR_NONE;
}
