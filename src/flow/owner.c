/* flow/owner.c: may this node act on a key now? (rules 1 and 2 of docs/adr/0008-many-nodes.md)
 *
 * A read is good when the key was owned, open, settled and leased at one moment within the request, and the record is
 * looked at after it: what a later owner writes by then is concurrent with the read. A write is good when all of that
 * still holds inside the gate of the same epoch. A new snapshot in between starts it all over, until the deadline. */
#include "flow/priv.h"

#include "os/clock.h"

#define LEASE_WAIT_NS (2 * NS_PER_SEC) /* an election, or a beat that was late; who is cut off for longer says so */
#define LEASE_LOOK_NS (10 * NS_PER_MS)

/* A cluster whose only target is this one, with nothing left elsewhere: every key is its own. */
static bool alone(const struct snapshot *s)
{
        return s->earlier_count == 0 && s->placement.n == 1 && s->target != NULL &&
               strcmp(s->placement.ids[0], s->target->id) == 0;
}

static bool owned_in(const struct placement *p, const struct snapshot *s, uint64_t digest)
{
        int i = placement_owner(p, digest);
        return i >= 0 && strcmp(p->ids[i], s->target->id) == 0;
}

/* Rule 1: until the newest epoch is open, only keys that this node owned all the way since the one that is. */
static bool is_open(struct node *n, const struct snapshot *s, uint64_t digest)
{
        uint64_t open = cluster_open_epoch(n->cluster);
        if (LIKELY(open >= s->placement.epoch))
                return true;
        for (unsigned i = 0; i < s->earlier_count; i++) {
                if (!owned_in(&s->earlier[i], s, digest))
                        return false;
                if (s->earlier[i].epoch <= open)
                        return true;
        }
        return false;
}

static struct err *no_lease(void)
{
        return err_new(ERR_UNAVAILABLE, "this target has no contact with the cluster's majority");
}

/* Most leases that are missing come back in a moment, and clients would only ask again. CONFLICT when it is here: what
 * was judged before may be old. */
static struct err *await_lease(struct node *n, int64_t deadline)
{
        int64_t end = MIN(deadline, clock_mono_ns() + LEASE_WAIT_NS);
        while (!cluster_has_lease(n->cluster, clock_mono_ns())) {
                if (clock_mono_ns() >= end)
                        return no_lease();
                clock_sleep_ns(LEASE_LOOK_NS);
        }
        return err_static(ERR_CONFLICT);
}

/* CONFLICT: the world has changed meanwhile, look again. */
static struct err *own_under(struct node *n, struct flow_ownership *o, const struct bucket *b, struct str name,
                             enum flow_use use, int64_t deadline, const struct cluster_member **ret_source)
{
        const struct snapshot *s = o->snap;
        bool all = alone(s);
        if (!all) {
                o->digest = snapshot_digest(b, name);
                if (!snapshot_owns(s, o->digest))
                        return err_static(ERR_NOT_OWNER);
        }
        if (!cluster_has_lease(n->cluster, clock_mono_ns()))
                return await_lease(n, deadline);
        if (all)
                return NULL;
        if (!is_open(n, s, o->digest)) {
                TRY(cluster_wait_open(n->cluster, s->placement.epoch, deadline));
                return err_static(ERR_CONFLICT);
        }
        return snapshot_is_unsettled(s, o->digest) ? flow__settle(n, o, b->bid, name, use, deadline, ret_source) :
                                                     NULL;
}

static struct err *own_for(struct node *n, const struct bucket *b, struct str name, enum flow_use use,
                           int64_t deadline_mono_ns, struct flow_ownership *ret,
                           const struct cluster_member **ret_source)
{
        if (n->store == NULL)
                return err_static(ERR_NOT_OWNER);
        for (;;) {
                struct flow_ownership o = { cluster_pin(n->cluster), 0, false };
                const struct cluster_member *source = NULL;
                struct err *e = own_under(n, &o, b, name, use, deadline_mono_ns, &source);
                if (e == NULL) {
                        *ret = o;
                        if (ret_source != NULL)
                                *ret_source = source;
                        return NULL;
                }
                flow_own_end(&o);
                if (err_code(e) != ERR_CONFLICT)
                        return e;
                err_free(e);
                if (clock_mono_ns() >= deadline_mono_ns)
                        return err_new(ERR_UNAVAILABLE, "the cluster's targets are changing");
        }
}

struct err *flow_own(struct node *n, const struct bucket *b, struct str name, bool for_read, int64_t deadline_mono_ns,
                     struct flow_ownership *ret, const struct cluster_member **ret_source)
{
        return own_for(n, b, name, for_read ? FLOW_READS : FLOW_CHANGES, deadline_mono_ns, ret, ret_source);
}

void flow_own_end(struct flow_ownership *o)
{
        cluster_unpin(o->snap);
        o->snap = NULL;
}

bool flow_owns_now(struct node *n, const struct snapshot *s, const struct bucket *b, struct str name,
                   int64_t now_mono_ns)
{
        if (n->store == NULL || s->target == NULL || !cluster_has_lease(n->cluster, now_mono_ns))
                return false;
        if (LIKELY(alone(s)))
                return true;
        uint64_t digest = snapshot_digest(b, name);
        return snapshot_owns(s, digest) && is_open(n, s, digest) && !snapshot_is_unsettled(s, digest);
}

/* ---- the gate ---- */

struct err *flow_enter(struct node *n, const struct flow_ownership *o, struct gate_pass *ret)
{
        if (LIKELY(cluster_gate_enter(n->cluster, o->snap->placement.epoch, ret)))
                return NULL;
        return cluster_has_lease(n->cluster, clock_mono_ns()) ? err_static(ERR_NOT_OWNER) : no_lease();
}

struct err *flow_leave(struct node *n, struct gate_pass pass)
{
        /* Asked before leaving: outside the gate the epoch may move on. */
        bool leased = cluster_has_lease(n->cluster, clock_mono_ns());
        cluster_gate_leave(n->cluster, pass);
        if (LIKELY(leased))
                return NULL;
        return err_new(ERR_UNAVAILABLE,
                       "this target lost contact with the cluster's majority: whether the change counts is not known");
}

bool flow_enter_now(struct node *n, const struct snapshot *s, const struct bucket *b, struct str name,
                    int64_t now_mono_ns, struct gate_pass *ret)
{
        return flow_owns_now(n, s, b, name, now_mono_ns) && cluster_gate_enter(n->cluster, s->placement.epoch, ret);
}

/* ---- for the operations of this folder ---- */

struct err *flow__check_owner(struct node *n, const struct bucket *b, struct str name)
{
        if (n->store == NULL)
                return err_static(ERR_NOT_OWNER);
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        return alone(s) || snapshot_owns(s, snapshot_digest(b, name)) ? NULL : err_static(ERR_NOT_OWNER);
}

static struct err *begin_for(struct node *n, const struct bucket *b, struct str name, enum flow_use use,
                             struct flow_ownership *ret, struct gate_pass *ret_pass)
{
        int64_t deadline = clock_mono_ns() + FLOW_WAIT_NS;
        for (;;) {
                struct flow_ownership o;
                TRY(own_for(n, b, name, use, deadline, &o, NULL));
                struct err *e = flow_enter(n, &o, ret_pass);
                if (e == NULL) {
                        *ret = o;
                        return NULL;
                }
                flow_own_end(&o);
                if (err_code(e) != ERR_NOT_OWNER || clock_mono_ns() >= deadline)
                        return e;
                err_free(e); /* the epoch changed in between: again */
        }
}

struct err *flow__begin(struct node *n, const struct bucket *b, struct str name, struct flow_ownership *ret,
                        struct gate_pass *ret_pass)
{
        return begin_for(n, b, name, FLOW_CHANGES, ret, ret_pass);
}

struct err *flow__begin_replace(struct node *n, const struct bucket *b, struct str name, struct flow_ownership *ret,
                                struct gate_pass *ret_pass)
{
        return begin_for(n, b, name, FLOW_REPLACES, ret, ret_pass);
}

struct err *flow__end(struct node *n, struct gate_pass pass, struct err *e)
{
        struct err *lost = flow_leave(n, pass);
        if (e == NULL)
                return lost;
        err_free(lost); /* nothing was changed; that was decided while the lease held */
        return e;
}

bool flow__is_current(struct node *n, const struct flow_ownership *o)
{
        if (o->snap == NULL)
                return true;
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        return s->placement.epoch == o->snap->placement.epoch;
}
