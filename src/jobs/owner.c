/* jobs/owner.c: what a part of a job must know of who owns what. */
#include "jobs/peers.h"
#include "os/clock.h"

#define TRIES_MAX 40
#define FIRST_PAUSE_NS (20 * NS_PER_MS)
#define LONGEST_PAUSE_NS (500 * NS_PER_MS)
#define NAP_NS (100 * NS_PER_MS)

bool job__is_ours(const struct snapshot *s, const struct bucket *b, struct str name)
{
        return (s->placement.n <= 1 && s->earlier_count == 0) || snapshot_owns(s, snapshot_digest(b, name));
}

bool job__same_targets(struct job *j, uint64_t epoch)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(job_node(j)->cluster);

        return snap->placement.epoch == epoch;
}

static bool is_up(const struct snapshot *s, const char *target)
{
        const struct cluster_member *m = snapshot_member(s, str_of(target));

        return m && m->up;
}

struct seek {
        uint64_t epoch;
        bool found;
};

static struct err *seek_rebalance(void *arg, struct job_doc *d)
{
        struct seek *s = arg;

        s->found = s->found || (strcmp(d->plan->kind->name, "rebalance") == 0 && d->plan->bid == 0 &&
                                d->plan->epoch == s->epoch);
        return NULL;
}

bool job__is_stuck(struct job *j, const struct snapshot *s)
{
        struct seek running = { .epoch = s->placement.epoch };

        if (s->earlier_count == 0)
                return false;
        for (unsigned i = 0; i < s->earlier_count; i++)
                for (unsigned k = 0; k < s->earlier[i].n; k++)
                        if (s->earlier[i].pending[k] && !is_up(s, s->earlier[i].ids[k]))
                                return true;
        err_free(jobs__doc_each(j->js, false, seek_rebalance, &running));
        return !running.found; /* switched off, stopped, or skipped */
}

bool job__sleep(struct job *j, int64_t ns)
{
        for (; ns > 0 && !job__aborted(j); ns -= NAP_NS)
                clock_sleep_ns(MIN(ns, NAP_NS));
        return !job__aborted(j);
}

bool job__try_again(struct job *j, struct err **e, unsigned *tries)
{
        int64_t pause = MIN(FIRST_PAUSE_NS << MIN(*tries, 10u), LONGEST_PAUSE_NS);

        if (err_code(*e) != ERR_UNAVAILABLE || *tries == TRIES_MAX)
                return false;
        ++*tries;
        if (!job__sleep(j, pause))
                return false;
        err_free(*e);
        *e = NULL;
        return true;
}
