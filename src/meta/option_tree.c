/* meta/option_tree.c: dotted paths against nested objects, both ways: writing a table as a document, and walking a
 * document by the table. Documents are at most OPTION_DEPTH levels deep; deeper ones are unknown fields before any
 * recursion. */
#include <stdio.h>

#include "meta/option.h"

#define OPTION_PATH_MAX 96

static void nest_close(struct option_nest *n, unsigned depth)
{
        while (n->depth > depth) {
                jw_object_end(n->w);
                n->depth--;
        }
}

const char *option__nest_to(struct option_nest *n, const char *path)
{
        struct str rest = str_of(path);
        unsigned depth = 0;
        for (;;) {
                ptrdiff_t dot = str_find(rest, '.');
                if (dot < 0)
                        break;
                struct str section = { rest.p, (size_t)dot };
                if (depth >= n->depth || !str_eq(n->open[depth], section)) {
                        char key[48];
                        nest_close(n, depth);
                        ASSERT(depth < OPTION_DEPTH && str_copy(key, sizeof(key), section));
                        jw_object(n->w, key);
                        n->open[depth] = section;
                        n->depth++;
                }
                depth++;
                rest = str_skip(rest, (size_t)dot + 1);
        }
        nest_close(n, depth);
        return rest.p;
}

void option__nest_end(struct option_nest *n)
{
        nest_close(n, 0);
}

static char patch_lower(char c)
{
        return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static struct err *patch_unknown(struct str parent, const char *key)
{
        if (parent.n == 0)
                return err_new(ERR_UNKNOWN_FIELD, "found unknown field: %s", key);
        return err_new(ERR_UNKNOWN_FIELD, "found unknown field: %s (in " STR_FMT ")", key, STR_ARG(parent));
}

static struct err *patch_object(const json_t *doc, const struct option_patch *p, struct str parent, unsigned depth);

static struct err *patch_member(const char *key, const json_t *value, const struct option_patch *p, struct str parent,
                                unsigned depth)
{
        char path[OPTION_PATH_MAX];
        int len = snprintf(path, sizeof(path), STR_FMT "%s%s", STR_ARG(parent), parent.n ? "." : "", key);
        if (len < 0 || (size_t)len >= sizeof(path) || strchr(key, '.') || depth >= OPTION_DEPTH)
                return patch_unknown(parent, key);
        for (int i = 0; i < len; i++)
                path[i] = patch_lower(path[i]);
        struct str full = { path, (size_t)len };
        enum option_what what = p->find(p->arg, full);
        if (what == OPTION_UNKNOWN)
                return patch_unknown(parent, key);
        if (json_is_null(value))
                return NULL;
        return what == OPTION_LEAF ? p->set(p->arg, full, value) : patch_object(value, p, full, depth + 1);
}

static struct err *patch_object(const json_t *doc, const struct option_patch *p, struct str parent, unsigned depth)
{
        if (!json_is_object(doc))
                return err_new(ERR_MALFORMED, STR_FMT "%sexpecting an object", STR_ARG(parent), parent.n ? ": " : "");
        const char *key;
        json_t *value;
        json_object_foreach((json_t *)(uintptr_t)doc, key, value)
        {
                TRY(patch_member(key, value, p, parent, depth));
        }
        return NULL;
}

struct err *option__patch_walk(const json_t *doc, const struct option_patch *p)
{
        if (!doc || json_is_null(doc))
                return NULL;
        return patch_object(doc, p, STR_NONE, 0);
}
