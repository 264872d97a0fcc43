/* cli/latency.c: a histogram with 16 slots per octave. Adding is one atomic increment; percentiles are within 6 %. */
#include "cli/priv.h"

static unsigned slot_of(uint64_t ns)
{
        if (ns < 16)
                return (unsigned)ns;
        unsigned octave = 63u - (unsigned)__builtin_clzll(ns); /* at least 4 */
        return (octave - 3) * 16 + (unsigned)(ns >> (octave - 4) & 15);
}

/* Middle of the slot. */
static int64_t value_of(unsigned slot)
{
        if (slot < 16)
                return slot;
        unsigned octave = slot / 16 + 3;
        uint64_t width = (uint64_t)1 << (octave - 4);
        return (int64_t)((16 + slot % 16) * width + width / 2);
}

void cli__latency_add(struct cli_latency *l, int64_t ns)
{
        atomic_fetch_add_explicit(&l->slot[slot_of(ns < 0 ? 0 : (uint64_t)ns)], 1, memory_order_relaxed);
}

int64_t cli__latency_pct(const struct cli_latency *l, double pct)
{
        uint64_t total = 0, seen = 0;
        for (unsigned i = 0; i < CLI_LATENCY_SLOTS; i++)
                total += atomic_load(&l->slot[i]);
        if (total == 0)
                return 0;
        uint64_t want = (uint64_t)((double)(total - 1) * pct / 100.0);
        for (unsigned i = 0; i < CLI_LATENCY_SLOTS; i++) {
                seen += atomic_load(&l->slot[i]);
                if (seen > want)
                        return value_of(i);
        }
        return 0;
}
