/* cluster/gate.c: see gate.h. An entry counts itself first and looks again afterwards; who moves the epoch changes it
 * first and looks at the counter afterwards. Both in one total order (sequential consistency), so at least one of them
 * sees the other. */
#include "cluster/gate.h"

#include "base/err.h"

void cluster__gate_init(struct gate *g)
{
        atomic_init(&g->newest, 0);
        atomic_init(&g->inside[0], 0);
        atomic_init(&g->inside[1], 0);
        atomic_init(&g->open, 0);
        atomic_init(&g->lease_until_ns, INT64_MIN);
}

void cluster__gate_move(struct gate *g, uint64_t epoch)
{
        uint64_t now = atomic_load(&g->newest);
        if (epoch <= now >> 1)
                return;
        ASSERT(cluster__gate_drained(g));
        atomic_store(&g->newest, epoch << 1 | (~now & 1));
}

bool cluster__gate_drained(const struct gate *g)
{
        uint64_t newest = atomic_load(&g->newest);
        return atomic_load(&g->inside[~newest & 1]) == 0;
}

void cluster__gate_open(struct gate *g, uint64_t epoch)
{
        uint64_t have = atomic_load(&g->open);
        while (have < epoch && !atomic_compare_exchange_weak(&g->open, &have, epoch))
                ;
}

void cluster__gate_lease(struct gate *g, int64_t until_mono_ns)
{
        int64_t have = atomic_load(&g->lease_until_ns);
        while (have < until_mono_ns && !atomic_compare_exchange_weak(&g->lease_until_ns, &have, until_mono_ns))
                ;
}

void cluster__gate_revoke(struct gate *g)
{
        atomic_store(&g->lease_until_ns, INT64_MIN);
}

bool cluster__gate_enter(struct gate *g, uint64_t epoch, int64_t now_mono_ns, unsigned *ret_slot)
{
        uint64_t newest = atomic_load(&g->newest);
        if (newest >> 1 != epoch)
                return false;
        unsigned slot = newest & 1;
        atomic_fetch_add(&g->inside[slot], 1);
        if (atomic_load(&g->newest) != newest || now_mono_ns >= atomic_load(&g->lease_until_ns)) {
                atomic_fetch_sub(&g->inside[slot], 1);
                return false;
        }
        *ret_slot = slot;
        return true;
}

void cluster__gate_leave(struct gate *g, unsigned slot)
{
        uint64_t before = atomic_fetch_sub(&g->inside[slot], 1);
        ASSERT(before > 0);
}
