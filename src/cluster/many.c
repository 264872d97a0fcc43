/* cluster/many.c: what a cluster of one answers to the questions of many nodes: it leads, holds its lease for ever, and
 * every epoch is open. */
#include "cluster/priv.h"
#include "os/clock.h"

bool cluster_is_leader(struct cluster *c)
{
        (void)c;
        return true;
}

bool cluster_has_lease(struct cluster *c, int64_t now_mono_ns)
{
        return now_mono_ns < atomic_load_explicit(&c->gate.lease_until_ns, memory_order_relaxed);
}

int64_t cluster_time_ns(struct cluster *c)
{
        int64_t now = clock_wall_ns(), last = atomic_load(&c->last_time_ns);
        while (last < now)
                if (atomic_compare_exchange_weak(&c->last_time_ns, &last, now))
                        return now;
        return last;
}

uint64_t cluster_open_epoch(struct cluster *c)
{
        return atomic_load_explicit(&c->gate.open, memory_order_acquire);
}

bool cluster_gate_enter(struct cluster *c, uint64_t epoch, struct gate_pass *ret)
{
        return cluster__gate_enter(&c->gate, epoch, clock_mono_coarse_ns(), &ret->slot);
}

void cluster_gate_leave(struct cluster *c, struct gate_pass pass)
{
        cluster__gate_leave(&c->gate, pass.slot);
}

void cluster_set_stamps(struct cluster *c, uint64_t (*largest)(void *arg), void (*observe)(void *arg, uint64_t hlc),
                        void *arg)
{
        (void)c, (void)largest, (void)observe, (void)arg;
}

struct err *cluster_report_clean(struct cluster *c, uint64_t epoch)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        if (epoch == s->placement.epoch)
                return NULL;
        return err_new(ERR_CONFLICT, "epoch %llu is not the current one", (unsigned long long)epoch);
}

struct err *cluster_token_new(struct cluster *c, int64_t ttl_ns, unsigned uses, struct buf *ret_text)
{
        (void)c, (void)ttl_ns, (void)uses, (void)ret_text;
        return err_new(ERR_INVALID, "this node has no cluster port: start it with one before others can join");
}

struct err *cluster_node_set_flags(struct cluster *c, struct str id, unsigned set, unsigned clear)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        (void)clear;
        if (!snapshot_member(s, id))
                return err_new(ERR_NODE_NOT_FOUND, "node \"" STR_FMT "\" does not exist", STR_ARG(id));
        if (set & (NODE_MAINTENANCE | NODE_DECOMMISSION))
                return err_new(ERR_INVALID, "node %s is the primary", s->primary->id);
        return NULL;
}

struct err *cluster_member_remove(struct cluster *c, struct str id, bool lost)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        (void)lost;
        if (!snapshot_member(s, id))
                return err_new(ERR_NODE_NOT_FOUND, "node \"" STR_FMT "\" does not exist", STR_ARG(id));
        return err_new(ERR_INVALID, "node %s is the primary", s->primary->id);
}

struct err *cluster_set_primary(struct cluster *c, struct str proxy_id)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        const struct cluster_node *n = snapshot_node(s, proxy_id);
        if (!n)
                return err_new(ERR_NODE_NOT_FOUND, "node \"" STR_FMT "\" does not exist", STR_ARG(proxy_id));
        return n->target ? err_new(ERR_INVALID, "node %s is not a proxy", n->id) : NULL;
}

struct err *cluster_sync(struct cluster *c, int64_t deadline_mono_ns)
{
        (void)c, (void)deadline_mono_ns;
        return NULL;
}

struct rpc_client *cluster_rpc(struct cluster *c)
{
        (void)c;
        return NULL;
}

struct err *cluster_start(struct cluster *c, int64_t deadline_mono_ns)
{
        (void)c, (void)deadline_mono_ns;
        return NULL;
}

void cluster_stop(struct cluster *c)
{
        (void)c;
}
