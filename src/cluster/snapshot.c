/* cluster/snapshot.c: immutable views of the state, and looking things up in them.
 *
 * A snapshot is one allocation for its own arrays, and references to the buckets and the configuration that it shares
 * with its neighbours in time. Look-ups are open-addressing tables built once. Nothing here fails but building (out of
 * memory). */
#include <stdio.h>

#include "base/hash.h"
#include "cluster/priv.h"
#include "meta/placement.h"

struct slot {
        uint64_t hash;
        const struct bucket *b; /* null: empty */
};

struct full {
        struct snapshot pub; /* first: the two are the same address */
        atomic_uint refs;
        char uuid[CLUSTER_UUID_MAX + 1], creation_time[24], member_id[NODE_ID_MAX + 1];
        struct cluster_node *nodes;     /* of the map; behind them those of this process and the primary, if they are not in it */
        struct cluster_member *members;
        struct placement *earlier;
        void *sets;                     /* memory of all placements */
        struct cluster_key keys[SNAPSHOT_KEYS_MAX];
        struct shared_config *config;
        struct shared_bucket **shared; /* with references */
        const struct bucket **buckets;
        struct slot *by_name, *by_id;
        size_t mask;
        struct state keep; /* mountpaths only */
};

static const struct full *full_of(const struct snapshot *s)
{
        return (const struct full *)(const void *)s;
}

static uint64_t name_hash(struct str name)
{
        return hash_xxh64(name.p, name.n, 0);
}

static void slot_put(struct slot *table, size_t mask, uint64_t hash, const struct bucket *b)
{
        size_t i = hash & mask;
        while (table[i].b)
                i = (i + 1) & mask;
        table[i] = (struct slot){ hash, b };
}

/* ---- nodes ---- */

static bool is_set_aside(unsigned flags)
{
        return flags & (NODE_MAINTENANCE | NODE_DECOMMISSION);
}

static void node_fill(struct cluster_node *n, const struct member *m, bool target)
{
        const char *id = target ? m->m.target : m->m.proxy;
        memset(n, 0, sizeof(*n));
        str_copy(n->id, sizeof(n->id), str_of(id));
        str_copy(n->member, sizeof(n->member), str_of(m->m.id));
        n->target = target;
        n->flags = target ? m->m.target_flags : m->m.proxy_flags;
        if (!target && !m->m.voter)
                n->flags |= NODE_NON_ELECTABLE;
        n->digest = placement_digest(str_of(n->id));
        memcpy(n->addr, m->addr, sizeof(n->addr));
        for (unsigned i = CLUSTER_NET_DATA; m->m.port && i < CLUSTER_NETS; i++) {
                bool v6 = strchr(m->m.host, ':') != NULL;
                str_copy(n->addr[i].host, sizeof(n->addr[i].host), str_of(m->m.host));
                snprintf(n->addr[i].port, sizeof(n->addr[i].port), "%u", m->m.port);
                snprintf(n->addr[i].url, sizeof(n->addr[i].url), "https://%s%s%s:%u", v6 ? "[" : "", m->m.host,
                         v6 ? "]" : "", m->m.port);
        }
}

static int node_cmp(const void *a, const void *b)
{
        const struct cluster_node *x = a, *y = b;
        return x->target != y->target ? (x->target ? 1 : -1) : strcmp(x->id, y->id);
}

/* The entry of a member's node: in the map, or behind it when the member is down. */
static const struct cluster_node *node_of(struct full *f, const struct member *m, bool target, unsigned *extra)
{
        const char *id = target ? m->m.target : m->m.proxy;
        if (!id[0])
                return NULL;
        for (unsigned i = 0; i < f->pub.node_count; i++)
                if (strcmp(f->nodes[i].id, id) == 0)
                        return &f->nodes[i];
        struct cluster_node *n = &f->nodes[f->pub.node_count + (*extra)++];
        node_fill(n, m, target);
        return n;
}

/* The primary and two others keep the collective's information (wire: IC members). */
static void mark_ic(struct full *f)
{
        unsigned others = 2;
        for (unsigned i = 0; i < f->pub.proxy_count; i++) {
                struct cluster_node *n = &f->nodes[i];
                bool primary = n == f->pub.primary;
                if (primary || (others && !is_set_aside(n->flags))) {
                        n->flags |= NODE_IC;
                        others -= !primary;
                }
        }
}

/* Behind those of the map: the nodes of processes that were shut down, or went down in maintenance. */
static void fill_aside(struct full *f, const struct state *s)
{
        struct cluster_node *aside = &f->nodes[f->pub.node_count];
        for (unsigned i = 0; i < s->member_count; i++) {
                const struct member *m = &s->members[i];
                if (!m->m.up && m->m.proxy[0] && (m->m.proxy_flags & NODE_MAINTENANCE))
                        node_fill(&aside[f->pub.aside_count++], m, false);
                if (!m->m.up && m->m.target[0] && (m->m.target_flags & NODE_MAINTENANCE))
                        node_fill(&aside[f->pub.aside_count++], m, true);
        }
        f->pub.aside = aside;
}

static bool fill_nodes(struct full *f, const struct state *s, const char *self)
{
        unsigned extra;
        f->nodes = calloc(2 * (size_t)s->member_count + 5, sizeof(*f->nodes));
        f->members = calloc((size_t)s->member_count + 1, sizeof(*f->members));
        if (!f->nodes || !f->members)
                return false;
        for (unsigned i = 0; i < s->member_count; i++) {
                const struct member *m = &s->members[i];
                f->members[i] = m->m;
                for (unsigned target = 0; m->m.up && target < 2; target++) {
                        if (!(target ? m->m.target[0] : m->m.proxy[0]))
                                continue;
                        node_fill(&f->nodes[f->pub.node_count++], m, target);
                        *(target ? &f->pub.target_count : &f->pub.proxy_count) += 1;
                }
        }
        qsort(f->nodes, f->pub.node_count, sizeof(*f->nodes), node_cmp);
        fill_aside(f, s);
        extra = f->pub.aside_count;
        f->pub.nodes = f->nodes;
        f->pub.members = f->members;
        f->pub.member_count = s->member_count;
        f->pub.member_id = f->member_id;
        const struct member *me = cluster__state_member(s, str_of(self));
        const struct member *primary = cluster__state_member(s, str_of(s->primary));
        if (me) {
                f->pub.proxy = node_of(f, me, false, &extra);
                f->pub.target = node_of(f, me, true, &extra);
        }
        if (primary)
                f->pub.primary = node_of(f, primary, false, &extra);
        if (!f->pub.primary) /* nobody has led yet, or it was removed: some proxy, for want of a better one */
                f->pub.primary = f->pub.proxy_count ? &f->nodes[0] : &f->nodes[f->pub.node_count + extra];
        mark_ic(f);
        return true;
}

/* ---- placements ---- */

static struct placement set_fill(const struct epoch_set *s, char (**ids)[NODE_ID_MAX + 1], uint64_t **digests,
                                 bool **pending)
{
        struct placement p = { s->epoch, s->n, (const char (*)[NODE_ID_MAX + 1])*ids, *digests, *pending };
        for (unsigned i = 0; i < s->n; i++) {
                memcpy((*ids)[i], s->targets[i].id, sizeof((*ids)[i]));
                (*digests)[i] = placement_digest(str_of(s->targets[i].id));
                (*pending)[i] = s->targets[i].pending;
        }
        *ids += s->n;
        *digests += s->n;
        *pending += s->n;
        return p;
}

static bool fill_placements(struct full *f, const struct state *s)
{
        size_t n = s->epochs.current.n;
        for (unsigned i = 0; i < s->epochs.earlier_count; i++)
                n += s->epochs.earlier[i].n;
        f->sets = calloc(n + 1, sizeof(uint64_t) + NODE_ID_MAX + 1 + sizeof(bool));
        f->earlier = calloc((size_t)s->epochs.earlier_count + 1, sizeof(*f->earlier));
        if (!f->sets || !f->earlier)
                return false;
        uint64_t *digests = f->sets;
        char(*ids)[NODE_ID_MAX + 1] = (void *)(digests + n);
        bool *pending = (void *)(ids + n);
        f->pub.placement = set_fill(&s->epochs.current, &ids, &digests, &pending);
        for (unsigned i = 0; i < s->epochs.earlier_count; i++)
                f->earlier[i] = set_fill(&s->epochs.earlier[i], &ids, &digests, &pending);
        f->pub.earlier = f->earlier;
        f->pub.earlier_count = s->epochs.earlier_count;
        f->pub.settled_hlc = s->settled_hlc;
        f->pub.tombstones = s->epochs.earlier_count > 0;
        for (unsigned i = 0; i < s->member_count; i++)
                f->pub.tombstones |= s->members[i].m.target[0] && !s->members[i].m.up;
        return true;
}

/* ---- buckets ---- */

/* False when out of memory; the caller frees. */
static bool fill_buckets(struct full *f, const struct state *s)
{
        size_t slots = 16;
        while (slots < 2 * s->bucket_count)
                slots *= 2;
        f->mask = slots - 1;
        f->shared = calloc(s->bucket_count + 1, sizeof(*f->shared));
        f->buckets = calloc(s->bucket_count + 1, sizeof(*f->buckets));
        f->by_name = calloc(slots, sizeof(*f->by_name));
        f->by_id = calloc(slots, sizeof(*f->by_id));
        if (!f->shared || !f->buckets || !f->by_name || !f->by_id)
                return false;
        for (size_t i = 0; i < s->bucket_count; i++) {
                f->shared[i] = cluster__state_bucket_ref(s->buckets[i]);
                const struct bucket *b = f->buckets[i] = &f->shared[i]->b;
                f->pub.bucket_count++;
                slot_put(f->by_name, f->mask, name_hash(str_of(b->bck.name)), b);
                slot_put(f->by_id, f->mask, hash_mix(b->bid), b);
        }
        f->pub.buckets = f->buckets;
        return true;
}

static void full_free(struct full *f)
{
        for (size_t i = 0; i < f->pub.bucket_count; i++)
                cluster__state_bucket_unref(f->shared[i]);
        free(f->shared);
        free(f->buckets);
        free(f->by_name);
        free(f->by_id);
        free(f->nodes);
        free(f->members);
        free(f->earlier);
        free(f->sets);
        memset(f->keys, 0, sizeof(f->keys));
        cluster__state_config_unref(f->config);
        cluster__state_fini(&f->keep);
        free(f);
}

struct snapshot *cluster__snapshot_new(const struct cluster *c, const struct state *s, uint64_t seq, uint64_t index)
{
        struct full *f = calloc(1, sizeof(*f));
        if (!f)
                return NULL;
        atomic_init(&f->refs, 1);
        str_copy(f->uuid, sizeof(f->uuid), str_of(s->uuid));
        str_copy(f->member_id, sizeof(f->member_id), str_of(c->id.member));
        cluster__time_text(s->created_ns, f->creation_time, sizeof(f->creation_time));
        struct err *e = cluster__state_mountpaths_set(&f->keep, s->mountpaths, s->mountpath_count);
        if (e || !fill_buckets(f, s) || !fill_nodes(f, s, c->id.member) || !fill_placements(f, s)) {
                err_free(e);
                full_free(f);
                return NULL;
        }
        f->config = cluster__state_config_ref(s->in_force);
        f->pub.seq = seq;
        f->pub.index = c->many ? index : 0;
        f->pub.uuid = f->uuid;
        f->pub.creation_time = f->creation_time;
        f->pub.created_ns = s->created_ns;
        f->pub.smap_version = s->smap_version;
        f->pub.bmd_version = s->bmd_version;
        f->pub.config_version = s->config_version;
        f->pub.config = f->config->c;
        f->pub.mountpaths = f->keep.mountpaths;
        f->pub.mountpath_count = f->keep.mountpath_count;
        f->pub.keys = f->keys;
        f->pub.key_count = cluster__keys_open(c, s, f->keys);
        return &f->pub;
}

const struct snapshot *snapshot_ref(const struct snapshot *s)
{
        struct full *f = (struct full *)(uintptr_t)full_of(s);
        unsigned before = atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
        ASSERT(before > 0);
        return s;
}

void cluster_unpin(const struct snapshot *s)
{
        if (!s)
                return;
        struct full *f = (struct full *)(uintptr_t)full_of(s);
        unsigned before = atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel);
        ASSERT(before > 0);
        if (before == 1)
                full_free(f);
}

const struct bucket *snapshot_bucket(const struct snapshot *s, const struct bck *bck)
{
        const struct full *f = full_of(s);
        uint64_t hash = name_hash(str_of(bck->name));
        for (size_t i = hash & f->mask; f->by_name[i].b; i = (i + 1) & f->mask)
                if (f->by_name[i].hash == hash && bck_eq(&f->by_name[i].b->bck, bck))
                        return f->by_name[i].b;
        return NULL;
}

const struct bucket *snapshot_bucket_ais(const struct snapshot *s, struct str name)
{
        const struct full *f = full_of(s);
        uint64_t hash = name_hash(name);
        for (size_t i = hash & f->mask; f->by_name[i].b; i = (i + 1) & f->mask) {
                const struct bck *b = &f->by_name[i].b->bck;
                if (f->by_name[i].hash == hash && b->provider == PROVIDER_AIS && !b->ns_uuid[0] && !b->ns_name[0] &&
                    str_eq(str_of(b->name), name))
                        return f->by_name[i].b;
        }
        return NULL;
}

const struct bucket *snapshot_bucket_by_id(const struct snapshot *s, uint64_t bid)
{
        const struct full *f = full_of(s);
        for (size_t i = hash_mix(bid) & f->mask; f->by_id[i].b; i = (i + 1) & f->mask)
                if (f->by_id[i].b->bid == bid)
                        return f->by_id[i].b;
        return NULL;
}

const struct cluster_node *snapshot_node(const struct snapshot *s, struct str id)
{
        for (unsigned i = 0; i < s->node_count; i++)
                if (str_eq(id, str_of(s->nodes[i].id)))
                        return &s->nodes[i];
        return NULL;
}
