/* cluster/propose.c: the frame of a change: decided on a copy of the state, ordered as the documents that differ, and
 * done when the watchers have seen it.
 *
 * A cluster of one orders by replacing its file: what comes next is built as a whole first, so that memory can no longer
 * be short, then written, then published. If the write fails, the old file is written back, since the disk may hold
 * either, as after a crash: a bucket that goes on must not be missing at the next start. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "cluster/priv.h"

static struct err *change_begin(struct cluster *c, struct change *ch)
{
        mutex_lock(&c->change);
        *ch = (struct change){ .c = c };
        mutex_lock(&c->publish);
        struct err *e = cluster__state_clone(&c->state, &ch->now);
        mutex_unlock(&c->publish);
        if (!e)
                e = cluster__state_clone(&ch->now, &ch->next);
        if (e)
                cluster__change_end(ch);
        return e;
}

struct err *cluster__change_begin(struct cluster *c, struct change *ch)
{
        ASSERT_MAY_BLOCK();
        if (c->many)
                TRY(cluster__many_may_decide(c));
        return change_begin(c, ch);
}

struct err *cluster__change_begin_duty(struct cluster *c, struct change *ch)
{
        ASSERT_MAY_BLOCK();
        return change_begin(c, ch);
}

void cluster__change_end(struct change *ch)
{
        if (!ch->c)
                return;
        cluster__state_fini(&ch->next);
        cluster__state_fini(&ch->now);
        mutex_unlock(&ch->c->change);
        ch->c = NULL;
}

/* ---- a cluster of one ---- */

static struct err *write_alone(struct cluster *c, struct prepared *p)
{
        struct err *e = cluster__state_write(c->dir, c->id.uuid, &p->table, p->index, STATE_FILE_ENGINE);
        if (!e)
                return NULL;
        struct err *e2 = cluster__state_write(c->dir, c->id.uuid, &c->table, c->index, STATE_FILE_ENGINE);
        if (e2)
                log_err(LOG_ERROR, LOG_FOLDER, e2, "the state that stays in force could not be written back: "
                                                   "a restart may find the change that failed");
        return err_wrap(e, "write the cluster's state");
}

static struct err *order_alone(struct cluster *c, const struct diff *d)
{
        LOCK_SCOPE(&c->publish);
        uint64_t index = c->index + 1;
        for (size_t i = 0; i < d->n; i++)
                d->docs[i].modified = index;
        struct prepared p;
        TRY(cluster__prepare(c, index, false, d->docs, d->n, &p));
        struct err *e = write_alone(c, &p);
        if (e)
                cluster__prepared_fini(&p);
        else
                cluster__publish(c, &p);
        return e;
}

/* ---- versions ---- */

static bool seen_equal(const struct member *a, const struct member *b)
{
        return strcmp(a->m.proxy, b->m.proxy) == 0 && strcmp(a->m.target, b->m.target) == 0 &&
               strcmp(a->m.host, b->m.host) == 0 && a->m.port == b->m.port && a->m.up == b->m.up &&
               a->m.voter == b->m.voter && a->m.proxy_flags == b->m.proxy_flags &&
               a->m.target_flags == b->m.target_flags && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}

/* Whether clients would see another map. */
static bool map_differs(const struct state *a, const struct state *b)
{
        if (a->member_count != b->member_count || strcmp(a->primary, b->primary) != 0)
                return true;
        for (unsigned i = 0; i < a->member_count; i++)
                if (strcmp(a->members[i].m.id, b->members[i].m.id) != 0 || !seen_equal(&a->members[i], &b->members[i]))
                        return true;
        return false;
}

struct err *cluster__change_commit(struct change *ch)
{
        struct cluster *c = ch->c;
        if (ch->next.smap_version == ch->now.smap_version && map_differs(&ch->now, &ch->next))
                ch->next.smap_version++;
        mutex_lock(&c->publish);
        struct diff d;
        struct err *e = cluster__diff(&ch->now, &ch->next, &c->table, &d);
        mutex_unlock(&c->publish);
        TRY(e);
        if (d.n)
                e = c->many ? cluster__many_order(c, &d) : order_alone(c, &d);
        cluster__diff_fini(&d);
        /* What failed may be in force after all: never give its ids to others. */
        if (e)
                c->bid_floor = MAX(c->bid_floor, ch->next.next_bid);
        return e;
}

/* ---- of this process alone ---- */

static struct err *local_edited(struct cluster *c, bool durable, struct state *s, struct prepared *ret)
{
        TRY(cluster__prepare_local(c, s, ret));
        struct err *e = durable ? cluster__local_write(c->dir, c->id.uuid, &c->local, &ret->state) : NULL;
        if (!e)
                return NULL;
        cluster__prepared_fini(ret);
        struct err *e2 = cluster__local_write(c->dir, c->id.uuid, &c->local, &c->state);
        if (e2)
                log_err(LOG_ERROR, LOG_FOLDER, e2, "local.json could not be written back");
        return err_wrap(e, "write the node's state");
}

struct err *cluster__change_local(struct cluster *c, bool durable, struct err *(*fn)(void *arg, struct state *s),
                                  void *arg)
{
        ASSERT_MAY_BLOCK();
        LOCK_SCOPE(&c->publish);
        struct state s;
        struct prepared p;
        TRY(cluster__state_clone(&c->state, &s));
        struct err *e = fn(arg, &s);
        if (e) {
                cluster__state_fini(&s);
                return e;
        }
        TRY(local_edited(c, durable, &s, &p));
        cluster__publish(c, &p);
        return NULL;
}
