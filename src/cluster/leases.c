/* cluster/leases.c: see leases.h. The list is small and sorted; all look-ups are linear. */
#include "cluster/leases.h"

#include <stdlib.h>
#include <string.h>

void cluster__leases_fini(struct leases *l)
{
        free(l->list);
        *l = (struct leases){ .n = 0 };
}

static struct lease_entry *entry_of(const struct leases *l, const char *id)
{
        for (unsigned i = 0; i < l->n; i++)
                if (strcmp(l->list[i].id, id) == 0)
                        return &l->list[i];
        return NULL;
}

static void hold_back(struct leases *l, int64_t now_ns)
{
        l->not_before_ns = MAX(l->not_before_ns, now_ns + LEASE_GRACE_NS);
}

void cluster__leases_lead(struct leases *l, int64_t now_ns, bool first)
{
        l->leading = true;
        l->open = 0;
        l->last_tick_ns = now_ns;
        l->not_before_ns = first ? now_ns : now_ns + LEASE_GRACE_NS;
        for (unsigned i = 0; i < l->n; i++) {
                l->list[i].heard_ever = false;
                l->list[i].heard_ns = now_ns;
                l->list[i].confirmed = 0;
        }
}

void cluster__leases_follow(struct leases *l)
{
        l->leading = false;
        l->open = 0;
}

struct err *cluster__leases_state(struct leases *l, const struct lease_member *list, unsigned n, int64_t now_ns)
{
        struct lease_entry *next = calloc((size_t)n + 1, sizeof(*next));
        if (!next)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n; i++) {
                const struct lease_entry *old = entry_of(l, list[i].id);
                struct lease_entry *x = &next[i];
                if (old)
                        *x = *old;
                if (!old || (!old->up && list[i].up))
                        x->heard_ns = now_ns;
                str_copy(x->id, sizeof(x->id), str_of(list[i].id));
                str_copy(x->target, sizeof(x->target), str_of(list[i].target));
                x->up = list[i].up;
                x->since = list[i].since;
        }
        struct leases before = *l;
        l->list = next;
        l->n = n;
        for (unsigned i = 0; i < before.n; i++)
                if (before.list[i].up && (!entry_of(l, before.list[i].id) || !entry_of(l, before.list[i].id)->up))
                        hold_back(l, now_ns);
        free(before.list);
        return NULL;
}

bool cluster__leases_tick(struct leases *l, int64_t now_ns)
{
        bool stood = now_ns - l->last_tick_ns > LEASE_ELECTION_NS;
        l->last_tick_ns = now_ns;
        if (stood)
                hold_back(l, now_ns);
        return !stood;
}

enum lease_answer cluster__leases_beat(struct leases *l, int64_t now_ns, bool fresh, const char *id,
                                       uint64_t incarnation, uint64_t confirmed)
{
        if (!l->leading || !fresh)
                return LEASE_NOT_LEADER;
        struct lease_entry *x = entry_of(l, id);
        if (!x)
                return LEASE_UNKNOWN;
        if (incarnation < x->incarnation)
                return LEASE_OLD_PROCESS;
        x->incarnation = incarnation;
        x->heard_ever = true;
        x->heard_ns = now_ns;
        x->confirmed = confirmed;
        x->gone = x->waited = false;
        if (!x->up)
                return LEASE_DOWN;
        return confirmed < x->since ? LEASE_BEHIND : LEASE_GIVEN;
}

bool cluster__leases_goodbye(struct leases *l, const char *id, uint64_t incarnation)
{
        struct lease_entry *x = entry_of(l, id);
        if (!l->leading || !x || incarnation < x->incarnation)
                return false;
        x->gone = true;
        return true;
}

const char *cluster__leases_dead(const struct leases *l, int64_t now_ns, const char *self, unsigned i)
{
        if (!l->leading || now_ns < l->not_before_ns || now_ns - l->last_tick_ns > LEASE_ELECTION_NS)
                return NULL;
        for (unsigned k = 0; k < l->n; k++) {
                const struct lease_entry *x = &l->list[k];
                bool silent = now_ns - x->heard_ns > LEASE_DOWN_NS || (x->gone && x->waited);
                if (x->up && strcmp(x->id, self) != 0 && silent && i-- == 0)
                        return x->id;
        }
        return NULL;
}

void cluster__leases_condemn(struct leases *l, const char *id)
{
        struct lease_entry *x = entry_of(l, id);
        if (x)
                x->up = false;
}

uint64_t cluster__leases_open(struct leases *l, int64_t now_ns, const struct epochs *e)
{
        if (!l->leading || l->open == e->current.epoch)
                return l->leading ? l->open : 0;
        if (e->earlier_count) {
                if (now_ns < l->not_before_ns)
                        return l->open;
                for (unsigned i = 0; i < l->n; i++) {
                        struct lease_entry *x = &l->list[i];
                        x->waited = x->up && x->target[0] && x->confirmed < e->current.epoch &&
                                    cluster__epochs_must_confirm(e, x->target);
                        if (x->waited)
                                return l->open;
                }
        }
        l->open = e->current.epoch;
        return l->open;
}

bool cluster__leases_heard(const struct leases *l, const char *id, int64_t now_ns, int64_t within_ns)
{
        const struct lease_entry *x = entry_of(l, id);
        return x && x->heard_ever && now_ns - x->heard_ns <= within_ns;
}
