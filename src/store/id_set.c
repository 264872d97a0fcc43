/* A sorted array of content ids. Fails only when memory is short. */
#include "store/id_set.h"

#include <stdlib.h>

struct err *id_set_add(struct id_set *s, struct content_id id)
{
        if (s->n == s->cap) {
                size_t cap = MAX(2 * s->cap, (size_t)256);
                struct content_id *more = realloc(s->id, cap * sizeof(*more));

                if (!more)
                        return err_static(ERR_NO_MEMORY);
                s->id = more;
                s->cap = cap;
        }
        s->id[s->n++] = id;
        return NULL;
}

static int id_cmp(const void *a, const void *b)
{
        const struct content_id *x = a, *y = b;

        if (x->hi != y->hi)
                return x->hi < y->hi ? -1 : 1;
        return x->lo == y->lo ? 0 : x->lo < y->lo ? -1 : 1;
}

void id_set_sort(struct id_set *s)
{
        if (s->n)
                qsort(s->id, s->n, sizeof(*s->id), id_cmp);
}

ptrdiff_t id_set_find(const struct id_set *s, struct content_id id)
{
        const struct content_id *found = s->n ? bsearch(&id, s->id, s->n, sizeof(id), id_cmp) : NULL;

        return found ? found - s->id : -1;
}

void id_set_fini(struct id_set *s)
{
        free(s->id);
        *s = (struct id_set){ NULL, 0, 0 };
}
