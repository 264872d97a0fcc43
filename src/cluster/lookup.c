/* cluster/lookup.c: what is read off a snapshot about members, owners and placements. Nothing here can fail. */
#include "cluster/priv.h"
#include "meta/placement.h"

uint64_t snapshot_digest(const struct bucket *b, struct str object)
{
        return placement_object_digest(&b->origin, object);
}

int placement_owner(const struct placement *p, uint64_t digest)
{
        return p->n ? (int)placement_choose(p->digests, p->n, digest) : -1;
}

const struct cluster_node *snapshot_owner_of(const struct snapshot *s, uint64_t digest)
{
        if (s->placement.n == 0)
                return NULL;
        size_t i = placement_choose(s->placement.digests, s->placement.n, digest);
        return snapshot_node(s, str_of(s->placement.ids[i]));
}

const struct cluster_node *snapshot_owner(const struct snapshot *s, const struct bck *bck, struct str object)
{
        const struct bucket *b = snapshot_bucket(s, bck);
        return snapshot_owner_of(s, placement_object_digest(b ? &b->origin : bck, object));
}

bool snapshot_owns(const struct snapshot *s, uint64_t digest)
{
        int i = s->target ? placement_owner(&s->placement, digest) : -1;
        return i >= 0 && strcmp(s->placement.ids[i], s->target->id) == 0;
}

bool snapshot_is_unsettled(const struct snapshot *s, uint64_t digest)
{
        for (unsigned k = 0; k < s->earlier_count; k++) {
                const struct placement *p = &s->earlier[k];
                int i = placement_owner(p, digest);
                if (i >= 0 && p->pending[i] && !(s->target && strcmp(p->ids[i], s->target->id) == 0))
                        return true;
        }
        return false;
}

static bool is_id(struct str id, const char *have)
{
        return id.n > 0 && id.n <= NODE_ID_MAX && memcmp(id.p, have, id.n) == 0 && have[id.n] == '\0';
}

const struct cluster_member *snapshot_member(const struct snapshot *s, struct str id)
{
        for (unsigned i = 0; i < s->member_count; i++) {
                const struct cluster_member *m = &s->members[i];
                if (is_id(id, m->id) || is_id(id, m->proxy) || is_id(id, m->target))
                        return m;
        }
        return NULL;
}

const struct cluster_member *cluster_leader(const struct snapshot *s)
{
        return s->primary ? snapshot_member(s, str_of(s->primary->member)) : NULL;
}
