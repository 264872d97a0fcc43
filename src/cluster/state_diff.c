/* cluster/state_diff.c: what a change has changed, as documents. Parts that two states share by pointer are equal without
 * a look at them, so that a change among many buckets encodes one. Only NO_MEMORY. */
#include <stdio.h>

#include "cluster/priv.h"

static struct err *add(struct diff *d, const struct docs *table, struct str key, struct str body)
{
        if (d->n == d->cap) {
                size_t cap = d->cap ? 2 * d->cap : 16;
                struct doc_ref **grown = realloc(d->list, cap * sizeof(*grown));
                if (!grown)
                        return err_static(ERR_NO_MEMORY);
                d->list = grown;
                struct doc *docs = realloc(d->docs, cap * sizeof(*docs));
                if (!docs)
                        return err_static(ERR_NO_MEMORY);
                d->docs = docs;
                d->cap = cap;
        }
        const struct doc_ref *have = cluster__docs_get(table, key);
        struct doc_ref *ref = cluster__doc_new(key, body.p ? body : STR(""), have ? have->modified : 0);
        if (!ref)
                return err_static(ERR_NO_MEMORY);
        d->list[d->n] = ref;
        d->docs[d->n++] = (struct doc){ ref->key, body.p ? ref->body : STR_NONE, ref->modified };
        return NULL;
}

/* Puts the document unless the table has just this text. */
static struct err *add_text(struct diff *d, const struct docs *table, struct str key, struct err *e, struct buf *b)
{
        if (!e) {
                const struct doc_ref *have = cluster__docs_get(table, key);
                if (!have || !str_eq(have->body, buf_str(b)))
                        e = add(d, table, key, buf_str(b));
        }
        buf_fini(b);
        return e;
}

static struct err *diff_members(struct diff *d, const struct state *from, const struct state *to,
                                const struct docs *table)
{
        char key[64];
        for (unsigned i = 0; i < to->member_count; i++) {
                const struct member *m = &to->members[i], *old = cluster__state_member(from, str_of(m->m.id));
                if (old && memcmp(old, m, sizeof(*m)) == 0)
                        continue;
                struct buf b = BUF_INIT;
                snprintf(key, sizeof(key), "member/%s", m->m.id);
                TRY(add_text(d, table, str_of(key), cluster__encode_member(m, &b), &b));
        }
        for (unsigned i = 0; i < from->member_count; i++) {
                if (cluster__state_member(to, str_of(from->members[i].m.id)))
                        continue;
                snprintf(key, sizeof(key), "member/%s", from->members[i].m.id);
                TRY(add(d, table, str_of(key), STR_NONE));
        }
        return NULL;
}

static struct str bucket_key(const struct bck *bck, char buf[static 256])
{
        char uname[192];
        snprintf(buf, 256, "bucket/%s", bck_uname(bck, uname));
        return str_of(buf);
}

static struct err *diff_buckets(struct diff *d, const struct state *from, const struct state *to,
                                const struct docs *table)
{
        char key[256];
        size_t i = 0, k = 0;
        while (i < from->bucket_count || k < to->bucket_count) {
                int order = i == from->bucket_count ? 1 :
                            k == to->bucket_count   ? -1 :
                                                      bck_cmp(&from->buckets[i]->b.bck, &to->buckets[k]->b.bck);
                if (order < 0) {
                        TRY(add(d, table, bucket_key(&from->buckets[i++]->b.bck, key), STR_NONE));
                        continue;
                }
                if (order > 0 || from->buckets[i] != to->buckets[k]) {
                        struct buf b = BUF_INIT;
                        const struct bucket *bucket = &to->buckets[k]->b;
                        TRY(add_text(d, table, bucket_key(&bucket->bck, key), cluster__encode_bucket(bucket, &b), &b));
                }
                i += order == 0;
                k++;
        }
        return NULL;
}

static struct err *diff_docs(struct diff *d, const struct state *from, const struct state *to, const struct docs *table)
{
        size_t i = 0, k = 0;
        while (i < from->docs.n || k < to->docs.n) {
                int order = i == from->docs.n ? 1 :
                            k == to->docs.n   ? -1 :
                                                str_cmp(from->docs.list[i]->key, to->docs.list[k]->key);
                if (order < 0) {
                        TRY(add(d, table, from->docs.list[i++]->key, STR_NONE));
                        continue;
                }
                if (order > 0 || from->docs.list[i] != to->docs.list[k])
                        TRY(add(d, table, to->docs.list[k]->key, to->docs.list[k]->body));
                i += order == 0;
                k++;
        }
        return NULL;
}

static struct err *diff_all(const struct state *from, const struct state *to, const struct docs *table, struct diff *d)
{
        struct buf b = BUF_INIT;
        if (from->config != to->config)
                TRY(add_text(d, table, STR("config"), cluster__encode_config(to->config->c, &b), &b));
        TRY(diff_members(d, from, to, table));
        TRY(diff_buckets(d, from, to, table));
        TRY(diff_docs(d, from, to, table));
        /* Last: when a state is brought along in several commands, this one says that it is complete. */
        return add_text(d, table, STR("cluster"), cluster__encode_cluster(to, &b), &b);
}

struct err *cluster__diff(const struct state *from, const struct state *to, const struct docs *table, struct diff *ret)
{
        struct diff d = { .n = 0 };
        struct err *e = diff_all(from, to, table, &d);
        if (e) {
                cluster__diff_fini(&d);
                return e;
        }
        *ret = d;
        return NULL;
}

void cluster__diff_fini(struct diff *d)
{
        for (size_t i = 0; i < d->n; i++)
                cluster__doc_unref(d->list[i]);
        free(d->list);
        free(d->docs);
        *d = (struct diff){ .n = 0 };
}
