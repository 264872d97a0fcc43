/* cluster/feed.c: the publisher: what engine and watch bring, in order, each index once, becomes the next snapshot.
 *
 * Both sources may run at the same time: documents up to an index that is here already are dropped, and those of a
 * command are final values, so that a state that has some of them loses nothing by taking them again. The state is on
 * disk before it is published: a restart needs nobody, and never goes back behind what was confirmed. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "os/clock.h"

struct feed_item {
        struct feed_item *next;
        uint64_t index;
        bool whole;
        size_t n;
        struct doc_ref **refs;
        bool *removed;
};

static void item_free(struct feed_item *i)
{
        for (size_t k = 0; i && k < i->n; k++)
                cluster__doc_unref(i->refs[k]);
        if (i) {
                free(i->refs);
                free(i->removed);
        }
        free(i);
}

static struct feed_item *item_new(uint64_t index, bool whole, const struct doc *docs, size_t n)
{
        struct feed_item *i = calloc(1, sizeof(*i));
        if (!i)
                return NULL;
        i->index = index;
        i->whole = whole;
        i->refs = calloc(n + 1, sizeof(*i->refs));
        i->removed = calloc(n + 1, sizeof(*i->removed));
        for (; i->refs && i->removed && i->n < n; i->n++) {
                const struct doc *d = &docs[i->n];
                i->refs[i->n] = cluster__doc_new(d->key, d->body.p ? d->body : STR(""), d->modified);
                i->removed[i->n] = !d->body.p;
                if (!i->refs[i->n])
                        break;
        }
        if (!i->refs || !i->removed || i->n < n) {
                item_free(i);
                return NULL;
        }
        return i;
}

void cluster__feed(struct many *m, uint64_t generation, uint64_t index, bool whole, const struct doc *docs, size_t n)
{
        LOCK_SCOPE(&m->feed);
        bool newer = generation > m->fed_generation;
        if (m->fed_last || generation < m->fed_generation || (!newer && index <= m->fed_index) || (newer && !whole))
                return;
        struct feed_item *i = item_new(index, whole, docs, n);
        if (!i) {
                /* Without this command nothing that follows is right. */
                log_error("out of memory for command %llu: this process stops taking part", (unsigned long long)index);
                m->broken = true;
                return;
        }
        m->fed_index = index;
        m->fed_generation = generation;
        if (m->last)
                m->last->next = i;
        else
                m->first = i;
        m->last = i;
        cond_signal(&m->fed);
}

uint64_t cluster__fed_index(struct many *m)
{
        LOCK_SCOPE(&m->feed);
        return m->fed_index;
}

static struct err *publish_item(struct many *m, const struct feed_item *i)
{
        struct cluster *c = m->c;
        struct doc *docs = calloc(i->n + 1, sizeof(*docs));
        if (!docs)
                return err_static(ERR_NO_MEMORY);
        for (size_t k = 0; k < i->n; k++)
                docs[k] = (struct doc){ i->refs[k]->key, i->removed[k] ? STR_NONE : i->refs[k]->body,
                                        i->refs[k]->modified };
        LOCK_SCOPE(&c->publish);
        struct prepared p;
        struct err *e = cluster__prepare(c, i->index, i->whole, docs, i->n, &p);
        free(docs);
        TRY(e);
        if (strcmp(p.state.uuid, c->id.uuid) != 0) {
                e = err_new(ERR_FOREIGN, "the state is that of cluster %s", p.state.uuid);
                cluster__prepared_fini(&p);
                return e;
        }
        e = cluster__state_write(c->dir, c->id.uuid, &p.table, p.index, STATE_FOLLOWED);
        if (e) {
                cluster__prepared_fini(&p);
                return e;
        }
        for (size_t k = 0; k < i->n; k++)
                if (i->removed[k])
                        cluster__watch_removed(m, i->index, i->refs[k]->key);
        uint64_t generation = p.state.generation;
        cluster__publish(c, &p);
        LOCK_SCOPE(&m->feed);
        m->fed_generation = MAX(m->fed_generation, generation);
        return NULL;
}

static void take(struct many *m, const struct feed_item *i)
{
        bool told = false;
        while (!m->broken) {
                struct err *e = publish_item(m, i);
                if (!e)
                        break;
                enum err_code code = err_code(e);
                bool again = code == ERR_NO_MEMORY || code == ERR_NO_SPACE || code == ERR_IO;
                if (!again) {
                        m->broken = true;
                        cluster__gate_revoke(&m->c->gate);
                }
                if (!told)
                        log_err(LOG_ERROR, LOG_FOLDER, e,
                                again ? "the next state can not be stored: trying again" :
                                        "the next state is not understood: this process stops taking part");
                else
                        err_free(e);
                told = true;
                if (atomic_load(&m->stopping))
                        return;
                if (again)
                        clock_sleep_ns(NS_PER_SEC / 2);
        }
        if (m->broken)
                return;
        cluster__gate_follow(m);
        cluster__watch_wake(m, NULL);
        cluster__duty_kick(m);
        cluster__beat_kick(m);
}

static void publisher_main(void *arg)
{
        struct many *m = arg;
        for (;;) {
                mutex_lock(&m->feed);
                while (!m->first && !atomic_load(&m->stopping))
                        (void)cond_wait_until(&m->fed, &m->feed, clock_mono_ns() + NS_PER_SEC / 5);
                struct feed_item *i = m->first;
                if (i) {
                        m->first = i->next;
                        if (!m->first)
                                m->last = NULL;
                }
                mutex_unlock(&m->feed);
                if (!i)
                        return;
                take(m, i);
                item_free(i);
        }
}

struct err *cluster__feed_drain(struct many *m, struct docs *table, uint64_t *ret_index)
{
        struct err *e = NULL;
        LOCK_SCOPE(&m->feed);
        while (m->first) {
                struct feed_item *i = m->first;
                m->first = i->next;
                if (i->whole)
                        cluster__docs_fini(table);
                for (size_t k = 0; !e && k < i->n; k++)
                        e = cluster__docs_put(table, i->refs[k]->key, i->removed[k] ? STR_NONE : i->refs[k]->body,
                                              i->refs[k]->modified);
                *ret_index = i->index;
                item_free(i);
        }
        m->last = NULL;
        return e;
}

struct err *cluster__feed_start(struct many *m)
{
        return thread_start(&m->publisher, "cl-publish", THREAD_WORKER, publisher_main, m);
}

void cluster__feed_stop(struct many *m)
{
        thread_join(m->publisher);
        m->publisher = NULL;
        LOCK_SCOPE(&m->feed);
        m->fed_last = true;
        while (m->first) {
                struct feed_item *i = m->first;
                m->first = i->next;
                item_free(i);
        }
        m->last = NULL;
}
