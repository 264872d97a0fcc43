/* flow/list_merge.c: the merge of sorted sources by name and stamp. See list_merge.h for what a moved marker means. */
#include "flow/list_merge.h"

#include "os/clock.h"

#define LOOKS_MAX 2
/* What was read must not get old (list_cli.c): a long listing starts anew where it is now and then. */
#define AGE_MAX_NS (5 * NS_PER_SEC)
#define CLOCK_EVERY 512u
#define LOOK_WANT 64 /* rows that are probably wanted behind a name that is looked at again */

static int stamp_order(struct stamp a, struct stamp b)
{
        if (a.hlc != b.hlc)
                return a.hlc < b.hlc ? -1 : 1;
        return a.node == b.node ? 0 : a.node < b.node ? -1 : 1;
}

/* Whether a wins over b, which has the same name. */
static bool wins(const struct list_row *a, const struct list_row *b)
{
        int order = stamp_order(a->meta.stamp, b->meta.stamp);
        return order > 0 || (order == 0 && a->kind > b->kind);
}

void flow__list_merge_init(struct list_merge *m, struct list_source *const *src, unsigned n)
{
        m->src = src;
        m->n = n;
        m->given = NULL;
        m->name_n = 0;
        m->started = false;
        m->looks = 0;
        m->begun_ns = clock_mono_ns();
        m->since = 0;
}

static struct err *read_all(struct list_merge *m)
{
        for (unsigned i = 0; i < m->n; i++)
                TRY(m->src[i]->ops->next(m->src[i]));
        m->started = true;
        m->given = NULL;
        return NULL;
}

static struct err *restart_all(struct list_merge *m, struct str from, size_t want)
{
        for (unsigned i = 0; i < m->n; i++)
                TRY(m->src[i]->ops->restart(m->src[i], from, want));
        m->begun_ns = clock_mono_ns();
        m->started = false;
        return NULL;
}

struct err *flow__list_merge_seek(struct list_merge *m, struct str from, size_t want)
{
        for (unsigned i = 0; i < m->n; i++)
                TRY(m->src[i]->ops->seek(m->src[i], from, want));
        m->started = false;
        m->given = NULL;
        return NULL;
}

/* Leaves the current name: all sources that stand at it go on. */
static struct err *leave(struct list_merge *m)
{
        struct str name = { m->name, m->name_n };
        for (unsigned i = 0; i < m->n; i++) {
                struct list_source *s = m->src[i];
                if (s == m->given || (s->row && str_eq(s->row->name, name)))
                        TRY(s->ops->next(s));
        }
        m->given = NULL;
        return NULL;
}

/* The source whose row is in force for the smallest name; null at the end. */
static struct list_source *winner(struct list_merge *m)
{
        struct list_source *best = NULL;
        for (unsigned i = 0; i < m->n; i++) {
                struct list_source *s = m->src[i];
                int order = !s->row ? 1 : !best ? -1 : str_cmp(s->row->name, best->row->name);
                if (order < 0 || (order == 0 && wins(s->row, best->row)))
                        best = s;
        }
        return best;
}

/* What was read ahead is too old: from the name behind the current one on everything is read anew. */
static struct err *freshen(struct list_merge *m, size_t want)
{
        char from[LIST_FROM_MAX];
        m->since = 0;
        if (clock_mono_ns() - m->begun_ns < AGE_MAX_NS || !m->given)
                return NULL;
        bool dir = m->given->row->kind == LIST_DIR;
        size_t n = flow__list_behind((struct str){ m->name, m->name_n }, dir, from);
        return restart_all(m, (struct str){ from, n }, want);
}

/* The common case of a single source: nothing to compare, nobody else who could know better. */
static struct err *next_single(struct list_merge *m, const struct list_row **ret, const char **ret_target)
{
        struct list_source *s = m->src[0];
        do
                TRY(s->ops->next(s));
        while (s->row && s->row->kind < LIST_LIVE);
        *ret = s->row;
        *ret_target = s->target;
        return NULL;
}

static void take(struct list_merge *m, struct list_source *s)
{
        bool same = m->name_n == s->row->name.n && memcmp(m->name, s->row->name.p, m->name_n) == 0;
        if (!same)
                m->looks = 0;
        memcpy(m->name, s->row->name.p, s->row->name.n);
        m->name_n = s->row->name.n;
        m->given = s;
}

struct err *flow__list_merge_next(struct list_merge *m, size_t want, const struct list_row **ret,
                                  const char **ret_target)
{
        if (m->n == 1)
                return next_single(m, ret, ret_target);
        for (;;) {
                if (m->started && ++m->since >= CLOCK_EVERY)
                        TRY(freshen(m, want));
                TRY(m->started ? leave(m) : read_all(m));
                struct list_source *s = winner(m);
                if (!s) {
                        *ret = NULL;
                        return NULL;
                }
                take(m, s);
                if (s->row->kind >= LIST_LIVE) {
                        *ret = s->row;
                        *ret_target = s->target;
                        return NULL;
                }
                if (s->row->kind == LIST_MOVED && m->looks < LOOKS_MAX) {
                        m->looks++;
                        TRY(restart_all(m, (struct str){ m->name, m->name_n }, LOOK_WANT));
                }
        }
}
