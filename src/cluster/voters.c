/* cluster/voters.c: see voters.h. */
#include "cluster/voters.h"

#include <stddef.h>

static bool fit(const struct voter_candidate *c)
{
        return c->member && c->electable && c->up;
}

/* Voter before others, leader before voters, then who joined first, then the smaller id. */
static bool better(const struct voter_candidate *a, const struct voter_candidate *b)
{
        if (a->leader != b->leader)
                return a->leader;
        if (a->voting != b->voting)
                return a->voting;
        if (a->joined_ns != b->joined_ns)
                return a->joined_ns < b->joined_ns;
        return a->id < b->id;
}

static unsigned rank_of(const struct voter_candidate *list, unsigned n, const struct voter_candidate *c)
{
        unsigned rank = 0;
        for (unsigned i = 0; i < n; i++)
                rank += &list[i] != c && fit(&list[i]) && better(&list[i], c);
        return rank;
}

/* Live voters stay a majority when this one goes. */
static bool may_go(const struct voter_candidate *list, unsigned n, const struct voter_candidate *c)
{
        unsigned voters = 0, live = 0;
        for (unsigned i = 0; i < n; i++) {
                voters += list[i].voting;
                live += list[i].voting && list[i].up;
        }
        live -= c->up;
        return !c->leader && voters > 1 && live > (voters - 1) / 2;
}

/* A leader that others dial in vain gives way to a voter that they find, if there are more of those. */
static const struct voter_candidate *successor(const struct voter_candidate *list, unsigned n)
{
        const struct voter_candidate *best = NULL;
        bool moved = false;
        unsigned found = 0;
        for (unsigned i = 0; i < n; i++) {
                const struct voter_candidate *c = &list[i];
                moved |= c->leader && c->moved;
                if (!c->voting || c->leader || c->moved || !fit(c))
                        continue;
                found++;
                best = !best || better(c, best) ? c : best;
        }
        return moved && found > 1 ? best : NULL;
}

static unsigned odd(unsigned n)
{
        return n == 0 ? 1 : n > VOTERS_MAX ? VOTERS_MAX : n - (n % 2 == 0);
}

enum voter_step cluster__voters_step(const struct voter_candidate *list, unsigned n, uint64_t *ret_id)
{
        unsigned live = 0, absent = 0, voters = 0;
        const struct voter_candidate *add = NULL, *gone = NULL, *dead = NULL, *surplus = NULL, *moved = NULL,
                                     *stray = NULL;
        for (unsigned i = 0; i < n; i++) {
                live += fit(&list[i]);
                voters += list[i].voting;
                absent += list[i].voting && list[i].member && list[i].electable && !list[i].up;
        }
        for (unsigned i = 0; i < n; i++) {
                const struct voter_candidate *c = &list[i];
                bool goes = c->voting && may_go(list, n, c);
                bool wanted = fit(c) && rank_of(list, n, c) < odd(live);
                if (c->listed && !c->voting && (c->moved || !wanted)) /* has no say: may go at any time */
                        stray = c;
                if (!c->voting && wanted && (!add || better(c, add)))
                        add = c;
                if (goes && !(c->member && c->electable) && (!gone || better(gone, c)))
                        gone = c;
                if (goes && fit(c) && c->moved && (!moved || better(moved, c)))
                        moved = c;
                if (goes && !c->up && (!dead || better(dead, c)))
                        dead = c;
                if (goes && fit(c) && rank_of(list, n, c) >= odd(live) && (!surplus || better(surplus, c)))
                        surplus = c;
        }
        /* A voter that is down goes when another can take its place, and before that one comes: the number of those
         * that must answer does not grow. Else it stays: it may come back, and one voter is no better than two of
         * three. */
        const struct voter_candidate *leaves = gone ? gone : add ? dead : moved;
        if (!leaves && !add && voters > odd(live + absent))
                leaves = surplus;
        leaves = stray ? stray : leaves;
        if (leaves) {
                *ret_id = leaves->id;
                return VOTER_REMOVE;
        }
        if (add) {
                *ret_id = add->id;
                return VOTER_ADD;
        }
        const struct voter_candidate *next = successor(list, n);
        if (next) {
                *ret_id = next->id;
                return VOTER_HAND_OVER;
        }
        return VOTER_NOTHING;
}
