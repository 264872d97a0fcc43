/* cluster/docs.c: see docs.h. A sorted array: look-ups by bisection, visits in order, copies by pointer. */
#include "cluster/docs.h"

#include <stdlib.h>

struct doc_ref *cluster__doc_new(struct str key, struct str body, uint64_t modified)
{
        struct doc_ref *d = malloc(sizeof(*d) + key.n + body.n + 2);
        if (!d)
                return NULL;
        char *p = (char *)(d + 1);
        atomic_init(&d->refs, 1);
        d->modified = modified;
        d->key = (struct str){ p, key.n };
        d->body = (struct str){ p + key.n + 1, body.n };
        memcpy(p, key.p, key.n);
        p[key.n] = '\0';
        if (body.n)
                memcpy(p + key.n + 1, body.p, body.n);
        p[key.n + 1 + body.n] = '\0';
        return d;
}

struct doc_ref *cluster__doc_ref(struct doc_ref *d)
{
        atomic_fetch_add_explicit(&d->refs, 1, memory_order_relaxed);
        return d;
}

void cluster__doc_unref(struct doc_ref *d)
{
        if (d && atomic_fetch_sub_explicit(&d->refs, 1, memory_order_acq_rel) == 1)
                free(d);
}

struct err *cluster__docs_clone(const struct docs *d, struct docs *ret)
{
        struct docs to = { .n = d->n, .cap = d->n + 8, .bytes = d->bytes };
        to.list = calloc(to.cap, sizeof(*to.list));
        if (!to.list)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < d->n; i++)
                to.list[i] = cluster__doc_ref(d->list[i]);
        *ret = to;
        return NULL;
}

void cluster__docs_fini(struct docs *d)
{
        for (size_t i = 0; i < d->n; i++)
                cluster__doc_unref(d->list[i]);
        free(d->list);
        *d = (struct docs){ .n = 0 };
}

size_t cluster__docs_find(const struct docs *d, struct str key, bool *ret_found)
{
        size_t low = 0, high = d->n;
        while (low < high) {
                size_t mid = low + (high - low) / 2;
                int c = str_cmp(d->list[mid]->key, key);
                if (c == 0) {
                        *ret_found = true;
                        return mid;
                }
                if (c < 0)
                        low = mid + 1;
                else
                        high = mid;
        }
        *ret_found = false;
        return low;
}

const struct doc_ref *cluster__docs_get(const struct docs *d, struct str key)
{
        bool found;
        size_t i = cluster__docs_find(d, key, &found);
        return found ? d->list[i] : NULL;
}

static void remove_at(struct docs *d, size_t i)
{
        d->bytes -= d->list[i]->key.n + d->list[i]->body.n;
        cluster__doc_unref(d->list[i]);
        memmove(d->list + i, d->list + i + 1, (d->n - i - 1) * sizeof(*d->list));
        d->n--;
}

static struct err *make_room(struct docs *d)
{
        if (d->n < d->cap)
                return NULL;
        size_t cap = d->cap ? 2 * d->cap : 16;
        struct doc_ref **grown = realloc(d->list, cap * sizeof(*grown));
        if (!grown)
                return err_static(ERR_NO_MEMORY);
        d->list = grown;
        d->cap = cap;
        return NULL;
}

struct err *cluster__docs_put(struct docs *d, struct str key, struct str body, uint64_t modified)
{
        bool found;
        size_t i = cluster__docs_find(d, key, &found);
        if (!body.p) {
                if (found)
                        remove_at(d, i);
                return NULL;
        }
        struct doc_ref *new = cluster__doc_new(key, body, modified);
        struct err *e = new ? make_room(d) : err_static(ERR_NO_MEMORY);
        if (e) {
                cluster__doc_unref(new);
                return e;
        }
        if (found) {
                d->bytes -= d->list[i]->body.n;
                cluster__doc_unref(d->list[i]);
        } else {
                memmove(d->list + i + 1, d->list + i, (d->n - i) * sizeof(*d->list));
                d->n++;
                d->bytes += key.n;
        }
        d->list[i] = new;
        d->bytes += body.n;
        return NULL;
}
