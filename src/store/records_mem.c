/* store/records_mem.c: records.h in memory: the double for ThreadSanitizer builds and for tests of what lies above.
 * Nothing survives a close.
 *
 * One sorted list per family (a skip list), one lock for all: batches are atomic, readers copy what they return. */
#include "store/records.h"

#include "base/hash.h"
#include "os/fault.h"
#include "os/thread.h"

#define LEVELS 16

struct records_env {
        int unused;
};
struct node {
        char *key, *value;
        size_t key_n, value_n;
        struct node *next[LEVELS];
};
struct records {
        struct mutex lock;
        struct node head[RECORDS_FAMILIES];
        uint64_t count[RECORDS_FAMILIES];
        uint64_t seed;
};
struct change {
        enum { CHANGE_PUT, CHANGE_DELETE, CHANGE_RANGE } kind;
        enum records_family family;
        char *a, *b;
        size_t a_n, b_n;
};
struct records_batch {
        struct change *c;
        unsigned n, cap;
};
struct records_iter {
        struct records *r;
        enum records_family family;
        char *lower, *upper, *key, *value;
        size_t lower_n, upper_n, key_n, value_n;
        bool valid;
};

static void *dup_bytes(const void *p, size_t n)
{
        char *c = malloc(n + 1);
        ASSERT(c);
        if (n)
                memcpy(c, p, n);
        c[n] = 0;
        return c;
}

static struct str key_of(const struct node *n)
{
        return (struct str){ n->key, n->key_n };
}

/* The first node >= key; prev gets its predecessors. */
static struct node *find(struct records *r, enum records_family f, struct str key, struct node *prev[LEVELS])
{
        struct node *n = &r->head[f];
        for (int l = LEVELS - 1; l >= 0; l--) {
                while (n->next[l] && str_cmp(key_of(n->next[l]), key) < 0)
                        n = n->next[l];
                prev[l] = n;
        }
        return n->next[0];
}

static void remove_node(struct records *r, enum records_family f, struct node *n, struct node *prev[LEVELS])
{
        for (int l = 0; l < LEVELS; l++)
                if (prev[l]->next[l] == n)
                        prev[l]->next[l] = n->next[l];
        r->count[f]--;
        free(n->key);
        free(n->value);
        free(n);
}

static void put(struct records *r, const struct change *c)
{
        struct node *prev[LEVELS], *n = find(r, c->family, (struct str){ c->a, c->a_n }, prev);
        if (!n || !str_eq(key_of(n), (struct str){ c->a, c->a_n })) {
                n = calloc(1, sizeof *n);
                ASSERT(n);
                n->key = dup_bytes(c->a, c->a_n);
                n->key_n = c->a_n;
                uint64_t bits = r->seed = hash_mix(r->seed + 1);
                for (int l = 0; l < LEVELS && (l == 0 || (bits >> 2 * l & 3) == 0); l++) {
                        n->next[l] = prev[l]->next[l];
                        prev[l]->next[l] = n;
                }
                r->count[c->family]++;
        }
        free(n->value);
        n->value = dup_bytes(c->b, c->b_n);
        n->value_n = c->b_n;
}

struct err *records_env_new(size_t cache_bytes, struct records_env **ret)
{
        (void)cache_bytes;
        *ret = calloc(1, sizeof **ret);
        return *ret ? NULL : err_static(ERR_NO_MEMORY);
}

void records_env_free(struct records_env *e)
{
        free(e);
}

struct err *records_open(struct records_env *e, const char *dir, bool create, struct records **ret)
{
        (void)e;
        (void)dir;
        if (!create)
                return err_static(ERR_NOT_FOUND);
        struct records *r = calloc(1, sizeof *r);
        if (!r)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&r->lock, "records", RANK_LEAF);
        *ret = r;
        return NULL;
}

void records_close(struct records *r)
{
        if (!r)
                return;
        for (int f = 0; f < RECORDS_FAMILIES; f++)
                for (struct node *n = r->head[f].next[0], *next; n; n = next) {
                        next = n->next[0];
                        free(n->key);
                        free(n->value);
                        free(n);
                }
        mutex_fini(&r->lock);
        free(r);
}

void records_close_abruptly(struct records *r)
{
        records_close(r);
}

struct err *records_repair(struct records_env *e, const char *dir)
{
        (void)e;
        (void)dir;
        return NULL;
}

struct records_batch *records_batch_new(void)
{
        return calloc(1, sizeof(struct records_batch));
}

void records_batch_clear(struct records_batch *b)
{
        for (unsigned i = 0; i < b->n; i++) {
                free(b->c[i].a);
                free(b->c[i].b);
        }
        b->n = 0;
}

void records_batch_free(struct records_batch *b)
{
        if (!b)
                return;
        records_batch_clear(b);
        free(b->c);
        free(b);
}

static struct change *add(struct records_batch *b)
{
        if (b->n == b->cap) {
                b->cap = b->cap ? 2 * b->cap : 16;
                b->c = realloc(b->c, b->cap * sizeof *b->c);
                ASSERT(b->c);
        }
        return &b->c[b->n++];
}

void records_batch_put(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                       struct str value)
{
        records_batch_put2(b, r, f, key, value, STR_NONE);
}

void records_batch_put2(struct records_batch *b, struct records *r, enum records_family f, struct str key,
                        struct str head, struct str tail)
{
        (void)r;
        char *v = malloc(head.n + tail.n + 1);
        ASSERT(v);
        if (head.n)
                memcpy(v, head.p, head.n);
        if (tail.n)
                memcpy(v + head.n, tail.p, tail.n);
        *add(b) = (struct change){ CHANGE_PUT, f, dup_bytes(key.p, key.n), v, key.n, head.n + tail.n };
}

void records_batch_delete(struct records_batch *b, struct records *r, enum records_family f, struct str key)
{
        (void)r;
        *add(b) = (struct change){ CHANGE_DELETE, f, dup_bytes(key.p, key.n), NULL, key.n, 0 };
}

void records_batch_delete_range(struct records_batch *b, struct records *r, enum records_family f, struct str from,
                                struct str to)
{
        (void)r;
        *add(b) = (struct change){ CHANGE_RANGE, f, dup_bytes(from.p, from.n), dup_bytes(to.p, to.n), from.n, to.n };
}

unsigned records_batch_count(const struct records_batch *b)
{
        return b->n;
}

static void apply(struct records *r, const struct change *c)
{
        struct node *prev[LEVELS], *n;
        struct str from = { c->a, c->a_n };
        switch (c->kind) {
        case CHANGE_PUT:
                put(r, c);
                break;
        case CHANGE_DELETE:
                n = find(r, c->family, from, prev);
                if (n && str_eq(key_of(n), from))
                        remove_node(r, c->family, n, prev);
                break;
        case CHANGE_RANGE:
                while ((n = find(r, c->family, from, prev)) && str_cmp(key_of(n), (struct str){ c->b, c->b_n }) < 0)
                        remove_node(r, c->family, n, prev);
                break;
        }
}

struct err *records_write(struct records *r, struct records_batch *b, bool sync)
{
        (void)sync;
        int sys = UNLIKELY(fault_on) ? fault_before("records", true, NULL) : 0;
        if (sys)
                return err_sys(sys, "write records");
        LOCK_SCOPE(&r->lock);
        for (unsigned i = 0; i < b->n; i++)
                apply(r, &b->c[i]);
        return NULL;
}

struct err *records_sync(struct records *r)
{
        (void)r;
        return NULL;
}

struct err *records_get(struct records *r, enum records_family f, struct str key, struct records_value *ret)
{
        struct node *prev[LEVELS];
        LOCK_SCOPE(&r->lock);
        struct node *n = find(r, f, key, prev);
        if (!n || !str_eq(key_of(n), key))
                return err_static(ERR_NOT_FOUND);
        ret->pin = dup_bytes(n->value, n->value_n);
        ret->data = (struct str){ ret->pin, n->value_n };
        return NULL;
}

void records_value_release(struct records_value *v)
{
        free(v->pin);
        *v = (struct records_value){ STR_NONE, NULL };
}

struct err *records_iter_new(struct records *r, enum records_family f, struct str lower, struct str upper, bool bulk,
                             struct records_iter **ret)
{
        (void)bulk;
        struct records_iter *it = calloc(1, sizeof *it);
        if (!it)
                return err_static(ERR_NO_MEMORY);
        *it = (struct records_iter){ .r = r,
                                     .family = f,
                                     .lower = dup_bytes(lower.p, lower.n),
                                     .upper = dup_bytes(upper.p, upper.n),
                                     .lower_n = lower.n,
                                     .upper_n = upper.n };
        *ret = it;
        return NULL;
}

void records_iter_seek(struct records_iter *it, struct str key)
{
        struct node *prev[LEVELS];
        struct str lower = { it->lower, it->lower_n }, upper = { it->upper, it->upper_n };
        if (str_cmp(key, lower) < 0)
                key = lower;
        LOCK_SCOPE(&it->r->lock);
        struct node *n = find(it->r, it->family, key, prev);
        char *old_key = it->key, *old_value = it->value; /* `key` may lie in the old one */
        it->key = it->value = NULL;
        it->valid = n && (!upper.n || str_cmp(key_of(n), upper) < 0);
        if (it->valid) {
                it->key = dup_bytes(n->key, n->key_n);
                it->key_n = n->key_n;
                it->value = dup_bytes(n->value, n->value_n);
                it->value_n = n->value_n;
        }
        free(old_key);
        free(old_value);
}

/* The key and a zero byte: the smallest one after it. */
void records_iter_next(struct records_iter *it)
{
        records_iter_seek(it, (struct str){ it->key, it->key_n + 1 });
}

bool records_iter_valid(const struct records_iter *it)
{
        return it->valid;
}

struct str records_iter_key(const struct records_iter *it)
{
        return (struct str){ it->key, it->key_n };
}

struct str records_iter_value(const struct records_iter *it)
{
        return (struct str){ it->value, it->value_n };
}

struct err *records_iter_error(const struct records_iter *it)
{
        (void)it;
        return NULL;
}

void records_iter_free(struct records_iter *it)
{
        if (!it)
                return;
        free(it->lower);
        free(it->upper);
        free(it->key);
        free(it->value);
        free(it);
}

void records_compact(struct records *r, enum records_family f, struct str from, struct str to)
{
        (void)r;
        (void)f;
        (void)from;
        (void)to;
}

void records_tend(struct records *r)
{
        (void)r;
}

void records_rest(struct records *r)
{
        (void)r;
}

uint64_t records_estimate(struct records *r, enum records_family f)
{
        LOCK_SCOPE(&r->lock);
        return r->count[f];
}
