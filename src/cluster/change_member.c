/* cluster/change_member.c: commands on members: flags, removal, another primary. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "os/clock.h"

#define SETTABLE (NODE_MAINTENANCE | NODE_DECOMMISSION | NODE_POST_REBALANCE | NODE_NON_ELECTABLE)
#define ASIDE (NODE_MAINTENANCE | NODE_DECOMMISSION)
#define TRANSFER_WAIT_NS (10 * NS_PER_SEC)

static struct err *unknown(struct str id)
{
        return err_new(ERR_NODE_NOT_FOUND, "node \"" STR_FMT "\" does not exist", STR_ARG(id));
}

struct err *cluster_node_set_flags(struct cluster *c, struct str id, unsigned set, unsigned clear)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(c, &ch));
        struct state *s = &ch.next;
        struct member *m = cluster__state_member_of(s, id);
        if (!m)
                return unknown(id);
        bool both = str_eq(id, str_of(m->m.id));
        bool proxy = m->m.proxy[0] && (both || str_eq(id, str_of(m->m.proxy)));
        bool target = m->m.target[0] && (both || str_eq(id, str_of(m->m.target)));
        set &= SETTABLE;
        clear &= SETTABLE;
        if (proxy && (set & ASIDE) && strcmp(s->primary, m->m.id) == 0)
                return err_new(ERR_INVALID, "node %s is the primary: make another one the primary first", m->m.proxy);
        if (proxy)
                m->m.proxy_flags = (m->m.proxy_flags | set) & ~clear;
        if (target)
                m->m.target_flags = (m->m.target_flags | set) & ~clear;
        TRY(cluster__state_place(s, false));
        return cluster__change_commit(&ch);
}

/* Whether something may be lost with this target: it owns keys, or has not said that it is clean. */
static bool may_hold(const struct state *s, const struct member *m)
{
        return m->m.target[0] &&
               (cluster__epochs_owns(&s->epochs, m->m.target) || cluster__epochs_pending(&s->epochs, m->m.target));
}

struct err *cluster_member_remove(struct cluster *c, struct str id, bool lost)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(c, &ch));
        struct state *s = &ch.next;
        struct member *m = cluster__state_member_of(s, id);
        if (!m)
                return unknown(id);
        if (strcmp(s->primary, m->m.id) == 0)
                return err_new(ERR_INVALID, "node %s is the primary: make another one the primary first", m->m.proxy);
        if (may_hold(s, m) && !lost)
                return err_new(ERR_CONFLICT, "target %s may still hold objects that nobody else has: wait for the rebalance, "
                                             "or say that they are lost", m->m.target);
        char target[NODE_ID_MAX + 1], member[NODE_ID_MAX + 1];
        str_copy(target, sizeof(target), str_of(m->m.target));
        str_copy(member, sizeof(member), str_of(m->m.id));
        cluster__state_member_remove(s, str_of(member));
        TRY(cluster__state_place(s, true));
        if (target[0])
                (void)cluster__epochs_strike(&s->epochs, target);
        TRY(cluster__change_commit(&ch));
        log_warn("member %s was removed%s", member, lost ? ": what only it held is given up" : "");
        return NULL;
}

struct err *cluster_set_primary(struct cluster *c, struct str proxy_id)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        const struct cluster_node *n = snapshot_node(s, proxy_id);
        if (!n)
                return unknown(proxy_id);
        if (n->target)
                return err_new(ERR_INVALID, "node %s is not a proxy", n->id);
        if (n->flags & (ASIDE | NODE_NON_ELECTABLE))
                return err_new(ERR_INVALID, "node %s is in maintenance, or may not be elected", n->id);
        if (n == s->primary || !c->many)
                return NULL;
        TRY(cluster__many_may_decide(c));
        mutex_lock(&c->publish);
        const struct member *m = cluster__state_member(&c->state, str_of(n->member));
        uint64_t voter = m ? m->voter_id : 0;
        mutex_unlock(&c->publish);
        struct raft_voter voters[RAFT_VOTERS_MAX];
        unsigned count = engine_voters(c->many->engine, voters);
        bool votes = false;
        for (unsigned i = 0; i < count; i++)
                votes |= voters[i].id == voter && voters[i].voting;
        if (!votes)
                return err_new(ERR_INVALID, "proxy %s is not among the voters", n->id);
        TRY(engine_transfer(c->many->engine, voter, clock_mono_ns() + TRANSFER_WAIT_NS));
        /* Done when the new one has taken over and said so. */
        int64_t deadline = clock_mono_ns() + TRANSFER_WAIT_NS;
        while (clock_mono_ns() < deadline) {
                AUTO_SNAPSHOT const struct snapshot *now = cluster_pin(c);
                if (str_eq(proxy_id, str_of(now->primary->id)))
                        return NULL;
                clock_sleep_ns(20 * NS_PER_MS);
        }
        return err_new(ERR_UNAVAILABLE, "node %s has not taken over in time", n->id);
}
