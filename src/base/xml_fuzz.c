/* Any text as a document: limits hold, the tree is whole, and what is written from it reads back as the same text. */
#include "base/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static unsigned walk(const struct xml_node *node, unsigned depth)
{
        unsigned total = 1, children = 0;
        ASSERT(depth <= 8 && node->text.p != NULL);
        for (const struct xml_node *c = node->first; c != NULL; c = c->next, children++)
                total += walk(c, depth + 1);
        ASSERT(children == node->count);
        return total;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const struct xml_limits limits = { 1 << 16, 8, 200 };
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        const struct xml_node *root, *again;
        struct err *e = xml_parse(&a, (struct str){ (const char *)data, n }, &limits, &root);
        if (e != NULL) {
                err_free(e);
                return 0;
        }
        ASSERT(walk(root, 1) <= 200);
        AUTO_BUF struct buf b = BUF_INIT;
        xml_begin(&b);
        xml_text(&b, "t", root->text);
        static const struct xml_limits wide = { 1 << 20, 8, 200 };
        e = xml_parse(&a, buf_str(&b), &wide, &again);
        ASSERT(e != NULL || str_eq(again->text, root->text));
        err_free(e);
        return 0;
}
