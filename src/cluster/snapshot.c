/* cluster/snapshot.c: immutable views of the state, and looking things up in them.
 *
 * A snapshot is one allocation for its own arrays, and references to the buckets and the configuration that it shares
 * with its neighbours in time. Look-ups are open-addressing tables built once. Nothing here fails but building (out of
 * memory). */
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
        struct identity id;
        struct cluster_node nodes[2];
        struct cluster_member member;
        char (*ids)[NODE_ID_MAX + 1]; /* of the placement */
        uint64_t *digests;
        bool *pending;
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

static void node_fill(struct cluster_node *n, const char *id, const char *member, bool target, const struct state *s)
{
        str_copy(n->member, sizeof(n->member), str_of(member));
        str_copy(n->id, sizeof(n->id), str_of(id));
        n->target = target;
        n->flags = target ? 0 : NODE_IC;
        n->digest = placement_digest(str_of(n->id));
        memcpy(n->addr, s->addr, sizeof(n->addr));
}

static void fill_nodes(struct full *f, const struct state *s)
{
        node_fill(&f->nodes[0], f->id.proxy, f->id.member, false, s);
        node_fill(&f->nodes[1], f->id.target, f->id.member, true, s);
        f->pub.nodes = f->nodes;
        f->pub.node_count = 2;
        f->pub.proxy_count = f->pub.target_count = 1;
        f->pub.proxy = f->pub.primary = &f->nodes[0];
        f->pub.target = &f->nodes[1];
        struct cluster_member *m = &f->member;
        str_copy(m->id, sizeof(m->id), str_of(f->id.member));
        str_copy(m->proxy, sizeof(m->proxy), str_of(f->id.proxy));
        str_copy(m->target, sizeof(m->target), str_of(f->id.target));
        m->up = m->voter = true;
        m->joined_ns = f->id.created_ns;
        f->pub.member_id = m->id;
        f->pub.members = m;
        f->pub.member_count = 1;
}

/* The targets that take objects. False when out of memory; the caller frees. */
static bool fill_placement(struct full *f)
{
        unsigned n = 0;
        f->ids = calloc(f->pub.target_count + 1, sizeof(*f->ids));
        f->digests = calloc(f->pub.target_count + 1, sizeof(*f->digests));
        f->pending = calloc(f->pub.target_count + 1, sizeof(*f->pending));
        if (!f->ids || !f->digests || !f->pending)
                return false;
        for (unsigned i = 0; i < f->pub.node_count; i++) {
                const struct cluster_node *node = &f->nodes[i];
                if (!node->target || (node->flags & (NODE_MAINTENANCE | NODE_DECOMMISSION)))
                        continue;
                memcpy(f->ids[n], node->id, sizeof(node->id));
                f->digests[n++] = node->digest;
        }
        f->pub.placement = (struct placement){ 1, n, (const char (*)[NODE_ID_MAX + 1])f->ids, f->digests, f->pending };
        return true;
}

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
        free(f->ids);
        free(f->digests);
        free(f->pending);
        cluster__state_config_unref(f->config);
        cluster__state_fini(&f->keep);
        free(f);
}

struct snapshot *cluster__snapshot_new(const struct identity *id, const struct state *s, uint64_t seq)
{
        struct full *f = calloc(1, sizeof(*f));
        if (!f)
                return NULL;
        atomic_init(&f->refs, 1);
        f->id = *id;
        struct err *e = cluster__state_mountpaths_set(&f->keep, s->mountpaths, s->mountpath_count);
        if (e || !fill_buckets(f, s)) {
                err_free(e);
                full_free(f);
                return NULL;
        }
        fill_nodes(f, s);
        if (!fill_placement(f)) {
                full_free(f);
                return NULL;
        }
        f->config = cluster__state_config_ref(s->in_force);
        f->pub.seq = seq;
        f->pub.uuid = f->id.uuid;
        f->pub.creation_time = f->id.creation_time;
        f->pub.created_ns = f->id.created_ns;
        f->pub.smap_version = s->smap_version;
        f->pub.bmd_version = s->bmd_version;
        f->pub.config_version = s->config_version;
        f->pub.config = f->config->c;
        f->pub.mountpaths = f->keep.mountpaths;
        f->pub.mountpath_count = f->keep.mountpath_count;
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
