/* cluster/clock.c: the cluster's time: what the leader told last, and the monotonic clock since. The leader's own begins
 * at its wall clock, or at the ceiling in the state if that is later: no leader before it has told a later time. From
 * there it goes at half the pace until it meets the wall clock again, so that changes of leaders do not add up. Wall
 * clocks are looked at when leadership begins and never again, so that their jumps order nothing. */
#include "cluster/many.h"
#include "os/clock.h"

void cluster__clock_lead(struct many *m, int64_t ceiling_ns)
{
        LOCK_SCOPE(&m->clock);
        m->wall_ns = clock_wall_ns();
        m->base_ns = MAX(m->wall_ns, ceiling_ns);
        m->base_mono_ns = clock_mono_ns();
        m->ceiling_ns = m->base_ns;
}

void cluster__clock_ceiling(struct many *m, int64_t ceiling_ns)
{
        LOCK_SCOPE(&m->clock);
        m->ceiling_ns = ceiling_ns;
}

void cluster__clock_follow(struct many *m, int64_t told_ns)
{
        LOCK_SCOPE(&m->clock);
        m->base_ns = told_ns;
        m->wall_ns = 0;
        m->base_mono_ns = clock_mono_ns();
        m->ceiling_ns = INT64_MAX;
}

int64_t cluster__clock_now(struct many *m)
{
        LOCK_SCOPE(&m->clock);
        if (!m->base_ns)
                return 0;
        int64_t passed = clock_mono_ns() - m->base_mono_ns, now = m->base_ns + passed;
        if (m->wall_ns)
                now = MAX(m->wall_ns + passed, m->base_ns + passed / 2);
        return MIN(now, m->ceiling_ns);
}
