/* See raft_fresh.h. */
#include "cluster/raft_fresh.h"

#include "base/macros.h"

void raft_fresh_init(struct raft_fresh *f, int64_t election_ns, int64_t now)
{
        *f = (struct raft_fresh){ .election_ns = election_ns, .last_run_ns = now };
}

void raft_fresh_run(struct raft_fresh *f, int64_t now)
{
        if (now - f->last_run_ns > f->election_ns)
                f->not_before_ns = now + 2 * f->election_ns;
        f->last_run_ns = now;
}

void raft_fresh_reset(struct raft_fresh *f)
{
        f->n = 0;
}

void raft_fresh_heard(struct raft_fresh *f, uint64_t id, int64_t now)
{
        unsigned i = 0, oldest = 0;

        while (i < f->n && f->peer[i].id != id) {
                if (f->peer[i].heard_ns < f->peer[oldest].heard_ns)
                        oldest = i;
                i++;
        }
        if (i == f->n) {
                if (f->n < RAFT_VOTERS_MAX)
                        f->n++;
                else
                        i = oldest;
        }
        f->peer[i].id = id;
        f->peer[i].heard_ns = now;
}

int64_t raft_fresh_last_heard(const struct raft_fresh *f, uint64_t id)
{
        for (unsigned i = 0; i < f->n; i++) {
                if (f->peer[i].id == id)
                        return f->peer[i].heard_ns;
        }
        return 0;
}

int64_t raft_fresh_until(const struct raft_fresh *f, const uint64_t *voters, unsigned n, uint64_t self, int64_t now)
{
        int64_t when[RAFT_VOTERS_MAX]; /* when the others were heard, latest first */
        unsigned others = 0;

        if (n <= 1) /* nobody else can be chosen */
                return now + f->election_ns;
        if (now < f->not_before_ns)
                return 0;
        for (unsigned i = 0; i < n && others < RAFT_VOTERS_MAX; i++) {
                if (voters[i] == self)
                        continue;
                int64_t t = raft_fresh_last_heard(f, voters[i]);
                unsigned at = others++;
                for (; at > 0 && when[at - 1] < t; at--)
                        when[at] = when[at - 1];
                when[at] = t;
        }
        int64_t majority = when[n / 2 - 1]; /* with us, the n/2 heard last are more than half */
        if (majority == 0 || majority + f->election_ns <= now)
                return 0;
        return majority + f->election_ns;
}
