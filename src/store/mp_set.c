/* store/mp_set.c: which mountpaths take part at a moment, who stands in them, and the stamps.
 *
 * A set is immutable; the store points to the current one, or to nothing while it is being changed. To enter is to
 * count oneself in and look again whether the set is still current; the changer takes the pointer away first and then
 * waits until the count is zero: one of both sees the other (sequential consistency). Sets are freed at the end of the
 * store: they are small and change when a person says so. */
#include "store/priv.h"

struct mp_set *store__set_try_enter(struct store *s)
{
        struct mp_set *set = atomic_load(&s->set);
        if (!set)
                return NULL;
        atomic_fetch_add(&set->users, 1);
        if (atomic_load(&s->set) == set)
                return set;
        atomic_fetch_sub(&set->users, 1);
        return NULL;
}

struct mp_set *store__set_enter(struct store *s)
{
        for (;;) {
                struct mp_set *set = store__set_try_enter(s);
                if (set)
                        return set;
                mutex_lock(&s->lock); /* whoever changes it holds the lock */
                mutex_unlock(&s->lock);
        }
}

void store__set_leave(struct mp_set *set)
{
        atomic_fetch_sub(&set->users, 1);
}

void store__set_withdraw(struct store *s)
{
        mutex_assert_held(&s->lock);
        struct mp_set *set = atomic_exchange(&s->set, NULL);
        while (set && atomic_load(&set->users)) /* bounded by the longest single read or commit */
                clock_sleep_ns(50 * NS_PER_US);
}

void store__set_publish(struct store *s, struct mp_set *set)
{
        mutex_assert_held(&s->lock);
        set->older = s->sets;
        s->sets = set;
        atomic_store(&s->set, set);
}

struct mountpath *store__set_choose(const struct mp_set *set, uint64_t digest)
{
        struct mountpath *best = set->mp[0];
        if (set->n == 1)
                return best;
        uint64_t best_weight = hash_mix(best->digest ^ digest);
        for (unsigned i = 1; i < set->n; i++) {
                uint64_t w = hash_mix(set->mp[i]->digest ^ digest);
                if (w > best_weight) {
                        best = set->mp[i];
                        best_weight = w;
                }
        }
        return best;
}

bool mountpath_enter(struct mountpath *mp)
{
        atomic_fetch_add(&mp->users, 1);
        if (atomic_load(&mp->open) && !atomic_load(&mp->closing))
                return true;
        atomic_fetch_sub(&mp->users, 1);
        return false;
}

void mountpath_leave(struct mountpath *mp)
{
        atomic_fetch_sub(&mp->users, 1);
}

struct stamp store__stamp_next(struct store *s)
{
        int64_t time = s->o.clock.now_ns ? s->o.clock.now_ns(s->o.clock.arg) : clock_wall_ns();
        uint64_t now = (uint64_t)MAX(time, (int64_t)0), last = atomic_load_explicit(&s->hlc, memory_order_relaxed), next;
        do
                next = MAX(now, last + 1);
        while (!atomic_compare_exchange_weak(&s->hlc, &last, next));
        return (struct stamp){ next, s->o.node };
}

void store__stamp_seen(struct store *s, struct stamp st)
{
        uint64_t last = atomic_load_explicit(&s->hlc, memory_order_relaxed);
        while (last < st.hlc && !atomic_compare_exchange_weak(&s->hlc, &last, st.hlc))
                ;
}

struct err *store__stamp_check(struct stamp st)
{
        return st.hlc && st.hlc < UINT64_MAX / 2 ? NULL
                                                 : err_new(ERR_INVALID, "stamp %llu", (unsigned long long)st.hlc);
}
