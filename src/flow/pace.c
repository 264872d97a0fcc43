/* flow/pace.c: how copying between nodes makes way for clients: while requests of theirs end here, fewer batches are
 * sent at a time, and after each piece a copy rests as long as it kept the disk busy. So it goes on, at half its pace,
 * however long the clients' work lasts.
 *
 * Each end of a copy looks at its own clients and rests for its own work only: resting for what the other end took
 * would add up. */
#include "flow/priv.h"

#include "flow/work.h"

#define LOOK_NS (20 * NS_PER_MS)    /* between two looks at the counters */
#define ACTIVE_NS (500 * NS_PER_MS) /* clients count as active for so long after a request */
#define REST_MAX_NS (50 * NS_PER_MS)

static int64_t requests(struct node *n)
{
        static const enum flow_stat counted[] = { STAT_GET_N, STAT_PUT_N,    STAT_HEAD_N, STAT_DEL_N,
                                                  STAT_LST_N, STAT_APPEND_N, STAT_REN_N };
        int64_t sum = 0;
        for (size_t i = 0; i < ARRAY_LEN(counted); i++)
                sum += stat_get(&n->stats, counted[i]);
        return sum;
}

bool flow__clients_active(struct node *n)
{
        struct flow_pace *p = n->work != NULL ? &n->work->pace : NULL;
        if (p == NULL)
                return false;
        int64_t now = clock_mono_ns(), looked = atomic_load(&p->looked_ns);
        if (now - looked >= LOOK_NS && atomic_compare_exchange_strong(&p->looked_ns, &looked, now)) {
                int64_t count = requests(n);
                if (atomic_exchange(&p->requests, count) != count)
                        atomic_store(&p->active_until_ns, now + ACTIVE_NS);
        }
        return now < atomic_load(&p->active_until_ns);
}

void flow__rest(struct node *n, int64_t worked_ns)
{
        ASSERT_MAY_BLOCK();
        if (worked_ns > 0 && flow__clients_active(n))
                clock_sleep_ns(MIN(worked_ns, REST_MAX_NS));
}
