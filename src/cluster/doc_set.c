/* The set of documents: a sorted array of shared, immutable blocks.
 *
 * A command is read as a whole, its documents are sorted by key, every condition and the limit on the total are checked
 * against the set as it is; only then is the set touched, and nothing after that point can fail but memory, which is taken
 * before. So a command is done or not done, and the same on every member. */
#include "cluster/doc_set.h"

#include <stdlib.h>

#include "cluster/doc_code.h"

static void block_unref(struct doc_block *b)
{
        ASSERT(b->refs > 0);
        if (--b->refs == 0)
                free(b);
}

void doc_set_init(struct doc_set *s)
{
        *s = (struct doc_set){ 0 };
}

void doc_set_fini(struct doc_set *s)
{
        for (size_t i = 0; i < s->n; i++)
                block_unref(s->blocks[i]);
        free(s->blocks);
        free(s->changed);
        doc_set_init(s);
}

/* The place of a key: where it is, or where it would be. */
static size_t place_of(const struct doc_set *s, struct str key, bool *ret_found)
{
        size_t lo = 0, hi = s->n;

        *ret_found = false;
        while (lo < hi) {
                size_t mid = lo + (hi - lo) / 2;
                int c = str_cmp(s->blocks[mid]->doc.key, key);
                if (c == 0) {
                        *ret_found = true;
                        return mid;
                }
                if (c < 0)
                        lo = mid + 1;
                else
                        hi = mid;
        }
        return lo;
}

const struct doc *doc_set_find(const struct doc_set *s, struct str key)
{
        bool found;
        size_t i = place_of(s, key, &found);

        return found ? &s->blocks[i]->doc : NULL;
}

struct err *doc_set_all(const struct doc_set *s, struct doc **ret)
{
        struct doc *v = calloc(s->n ? s->n : 1, sizeof(*v));

        if (!v)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < s->n; i++)
                v[i] = s->blocks[i]->doc;
        *ret = v;
        return NULL;
}

static struct err *make_room(struct doc_set *s, size_t more)
{
        if (s->n + more > s->cap) {
                size_t cap = MAX(s->cap * 2, s->n + more + 16);
                void *v = realloc(s->blocks, cap * sizeof(*s->blocks));
                if (!v)
                        return err_static(ERR_NO_MEMORY);
                s->blocks = v;
                s->cap = cap;
        }
        if (more > s->changed_cap) {
                void *v = realloc(s->changed, more * sizeof(*s->changed));
                if (!v)
                        return err_static(ERR_NO_MEMORY);
                s->changed = v;
                s->changed_cap = more;
        }
        return NULL;
}

/* ---- the last result of each client ---- */

static struct doc_client *client_find(struct doc_set *s, uint64_t client)
{
        for (unsigned i = 0; i < s->n_clients; i++) {
                if (s->clients[i].client == client)
                        return &s->clients[i];
        }
        return NULL;
}

static void client_note(struct doc_set *s, struct doc_client now)
{
        struct doc_client *c = client_find(s, now.client);

        if (!c && s->n_clients < DOC_CLIENTS_MAX) {
                c = &s->clients[s->n_clients++];
        } else if (!c) {
                c = &s->clients[0];
                for (unsigned i = 1; i < s->n_clients; i++) {
                        if (s->clients[i].index < c->index)
                                c = &s->clients[i];
                }
        }
        if (c->client)
                s->hash -= doc__client_hash(c);
        *c = now;
        s->hash += doc__client_hash(c);
}

/* ---- applying ---- */

/* A document of a command, and the block that it becomes. */
struct step {
        struct doc doc;
        struct doc_block *block; /* null: removed */
};

static int step_order(const void *a, const void *b)
{
        return str_cmp(((const struct step *)a)->doc.key, ((const struct step *)b)->doc.key);
}

static void steps_free(struct step *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (v[i].block)
                        block_unref(v[i].block);
        }
        free(v);
}

/* Whether all conditions hold and the total stays within its limit. */
static enum doc_status check(const struct doc_set *s, const struct step *v, size_t n)
{
        uint64_t total = s->bytes;

        for (size_t i = 0; i < n; i++) {
                const struct doc *d = &v[i].doc;
                bool found;
                size_t at = place_of(s, d->key, &found);
                uint64_t is = found ? s->blocks[at]->doc.modified : 0;
                if (i > 0 && str_eq(d->key, v[i - 1].doc.key))
                        return DOC_CONFLICT;
                if (d->modified != DOC_ANY && d->modified != is)
                        return DOC_CONFLICT;
                if (found)
                        total -= s->blocks[at]->size;
                if (v[i].block)
                        total += v[i].block->size;
        }
        return total > DOC_TOTAL_MAX && total > s->bytes ? DOC_TOTAL_TOO_LARGE : DOC_DONE;
}

static void take_out(struct doc_set *s, size_t at)
{
        struct doc_block *b = s->blocks[at];

        s->bytes -= b->size;
        s->hash -= b->hash;
        block_unref(b);
}

static void put_step(struct doc_set *s, struct step *v, struct doc_result *r)
{
        bool found;
        size_t at = place_of(s, v->doc.key, &found);

        if (!found && !v->block)
                return;
        if (found)
                take_out(s, at);
        if (!v->block) {
                memmove(s->blocks + at, s->blocks + at + 1, (s->n - at - 1) * sizeof(*s->blocks));
                s->n--;
                s->changed[r->n++] = (struct doc){ v->doc.key, STR_NONE, r->index };
                return;
        }
        if (!found) {
                memmove(s->blocks + at + 1, s->blocks + at, (s->n - at) * sizeof(*s->blocks));
                s->n++;
        }
        s->blocks[at] = v->block;
        s->bytes += v->block->size;
        s->hash += v->block->hash;
        s->changed[r->n++] = v->block->doc;
        v->block = NULL;
}

/* The documents of a command, sorted, each with the block that it would become. */
static struct err *steps_make(const struct doc_set *s, uint64_t index, struct doc_command *c, struct step **ret)
{
        struct step *v = calloc(c->n ? c->n : 1, sizeof(*v));

        if (!v)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < c->n; i++) {
                v[i].doc = doc_command_next(c);
                if (!v[i].doc.body.p)
                        continue;
                const struct doc *old = doc_set_find(s, v[i].doc.key);
                uint64_t created = old ? CONTAINER_OF(old, struct doc_block, doc)->created : index;
                v[i].block = doc__block_new(v[i].doc.key, v[i].doc.body, created, index);
                if (!v[i].block) {
                        steps_free(v, c->n);
                        return err_static(ERR_NO_MEMORY);
                }
        }
        qsort(v, c->n, sizeof(*v), step_order);
        *ret = v;
        return NULL;
}

struct err *doc_set_apply(struct doc_set *s, uint64_t index, struct str command, struct doc_result *ret)
{
        struct doc_command c;
        struct step *v;

        TRY(doc_command_decode(command, &c));
        struct doc_result r = { .status = DOC_DONE, .index = index };
        const struct doc_client *last = c.client ? client_find(s, c.client) : NULL;
        if (last && c.sequence <= last->sequence) {
                bool same = c.sequence == last->sequence;
                s->index = index;
                *ret = (struct doc_result){ same ? last->status : DOC_SEQUENCE_OLD, same, same ? last->index : index, NULL, 0 };
                return NULL;
        }
        TRY(make_room(s, c.n));
        TRY(steps_make(s, index, &c, &v));
        r.status = check(s, v, c.n);
        for (unsigned i = 0; i < c.n && r.status == DOC_DONE; i++)
                put_step(s, &v[i], &r);
        steps_free(v, c.n);
        if (c.client)
                client_note(s, (struct doc_client){ c.client, c.sequence, index, r.status });
        s->index = index;
        r.docs = s->changed;
        *ret = r;
        return NULL;
}

/* ---- snapshots ---- */

struct err *doc_set_snapshot(const struct doc_set *s, struct doc_snapshot *ret)
{
        struct doc_snapshot p = { .n = s->n };

        p.blocks = calloc(s->n ? s->n : 1, sizeof(*p.blocks));
        p.head = doc__snapshot_head(s, &p.head_n);
        if (!p.blocks || !p.head) {
                free(p.blocks);
                free(p.head);
                return err_static(ERR_NO_MEMORY);
        }
        for (size_t i = 0; i < s->n; i++) {
                p.blocks[i] = s->blocks[i];
                p.blocks[i]->refs++;
        }
        *ret = p;
        return NULL;
}

void doc_snapshot_fini(struct doc_snapshot *p)
{
        for (size_t i = 0; i < p->n; i++)
                block_unref(p->blocks[i]);
        free(p->blocks);
        free(p->head);
        *p = (struct doc_snapshot){ 0 };
}

struct err *doc_set_restore(struct doc_set *s, struct str bytes)
{
        struct doc_set next;

        doc_set_init(&next);
        struct err *e = doc__snapshot_read(&next, bytes);
        if (e) {
                doc_set_fini(&next);
                return e;
        }
        doc_set_fini(s);
        *s = next;
        return NULL;
}
