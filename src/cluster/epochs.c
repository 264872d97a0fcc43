/* cluster/epochs.c: see epochs.h. Every function leaves *e valid, also when it fails. */
#include "cluster/epochs.h"

#include <stdlib.h>
#include <string.h>

static void set_fini(struct epoch_set *s)
{
        free(s->targets);
        *s = (struct epoch_set){ .epoch = 0 };
}

static struct err *set_clone(const struct epoch_set *s, struct epoch_set *ret)
{
        struct epoch_target *t = calloc((size_t)s->n + 1, sizeof(*t));
        if (!t)
                return err_static(ERR_NO_MEMORY);
        if (s->n)
                memcpy(t, s->targets, s->n * sizeof(*t));
        *ret = (struct epoch_set){ s->epoch, s->n, t };
        return NULL;
}

static struct err *set_new(uint64_t epoch, const char *const *ids, unsigned n, struct epoch_set *ret)
{
        if (n > EPOCHS_TARGETS_MAX)
                return err_new(ERR_INVALID, "%u targets, at most %d", n, EPOCHS_TARGETS_MAX);
        struct epoch_target *t = calloc((size_t)n + 1, sizeof(*t));
        if (!t)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n; i++) {
                ASSERT(i == 0 || strcmp(ids[i - 1], ids[i]) < 0);
                str_copy(t[i].id, sizeof(t[i].id), str_of(ids[i]));
        }
        *ret = (struct epoch_set){ epoch, n, t };
        return NULL;
}

static struct epoch_target *set_find(const struct epoch_set *s, const char *id)
{
        for (unsigned i = 0; i < s->n; i++)
                if (strcmp(s->targets[i].id, id) == 0)
                        return &s->targets[i];
        return NULL;
}

static bool set_is(const struct epoch_set *s, const char *const *ids, unsigned n)
{
        if (s->n != n)
                return false;
        for (unsigned i = 0; i < n; i++)
                if (strcmp(s->targets[i].id, ids[i]) != 0)
                        return false;
        return true;
}

struct err *cluster__epochs_clone(const struct epochs *e, struct epochs *ret)
{
        struct epochs to = { .earlier_count = 0 };
        struct err *err = set_clone(&e->current, &to.current);
        for (unsigned i = 0; !err && i < e->earlier_count; i++) {
                err = set_clone(&e->earlier[i], &to.earlier[i]);
                if (!err)
                        to.earlier_count++;
        }
        if (err) {
                cluster__epochs_fini(&to);
                return err;
        }
        *ret = to;
        return NULL;
}

void cluster__epochs_fini(struct epochs *e)
{
        set_fini(&e->current);
        for (unsigned i = 0; i < e->earlier_count; i++)
                set_fini(&e->earlier[i]);
        e->earlier_count = 0;
}

struct err *cluster__epochs_first(struct epochs *e, const char *const *ids, unsigned n)
{
        return set_new(1, ids, n, &e->current);
}

/* Placements that nobody is pending for are settled. */
static void drop_settled(struct epochs *e)
{
        unsigned kept = 0;
        for (unsigned i = 0; i < e->earlier_count; i++) {
                bool waits = false;
                for (unsigned k = 0; k < e->earlier[i].n; k++)
                        waits |= e->earlier[i].targets[k].pending;
                if (waits)
                        e->earlier[kept++] = e->earlier[i];
                else
                        set_fini(&e->earlier[i]);
        }
        e->earlier_count = kept;
}

struct err *cluster__epochs_change(struct epochs *e, const char *const *ids, unsigned n, bool forced, bool *ret_changed)
{
        *ret_changed = false;
        if (set_is(&e->current, ids, n))
                return NULL;
        /* One room more than is allowed when asked for: what follows by force must not run into the limit at once. */
        if (e->earlier_count >= (forced ? EPOCHS_EARLIER_HARD : CLUSTER_EARLIER_MAX))
                return err_new(ERR_CONFLICT, "%u earlier placements are not settled yet: wait for the rebalance to end",
                               e->earlier_count);
        struct epoch_set next;
        TRY(set_new(e->current.epoch + 1, ids, n, &next));
        if (e->current.n) {
                memmove(e->earlier + 1, e->earlier, e->earlier_count * sizeof(e->earlier[0]));
                e->earlier[0] = e->current;
                for (unsigned i = 0; i < e->current.n; i++)
                        e->earlier[0].targets[i].pending = true;
                e->earlier_count++;
        } else {
                set_fini(&e->current);
        }
        e->current = next;
        *ret_changed = true;
        return NULL;
}

bool cluster__epochs_strike(struct epochs *e, const char *target)
{
        bool changed = false;
        for (unsigned i = 0; i < e->earlier_count; i++) {
                struct epoch_target *t = set_find(&e->earlier[i], target);
                changed |= t && t->pending;
                if (t)
                        t->pending = false;
        }
        drop_settled(e);
        return changed;
}

struct err *cluster__epochs_clean(struct epochs *e, const char *target, uint64_t epoch, bool *ret_changed)
{
        if (epoch != e->current.epoch)
                return err_new(ERR_CONFLICT, "epoch %llu is over, this is %llu", (unsigned long long)epoch,
                               (unsigned long long)e->current.epoch);
        *ret_changed = cluster__epochs_strike(e, target);
        return NULL;
}

bool cluster__epochs_pending(const struct epochs *e, const char *target)
{
        for (unsigned i = 0; i < e->earlier_count; i++) {
                const struct epoch_target *t = set_find(&e->earlier[i], target);
                if (t && t->pending)
                        return true;
        }
        return false;
}

bool cluster__epochs_owns(const struct epochs *e, const char *target)
{
        return set_find(&e->current, target) != NULL;
}

bool cluster__epochs_must_confirm(const struct epochs *e, const char *target)
{
        for (unsigned i = 0; i < e->earlier_count; i++)
                if (set_find(&e->earlier[i], target))
                        return true;
        return false;
}
