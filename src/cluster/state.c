/* cluster/state.c: the state as a value: copied for each change, sharing buckets and configurations that stay.
 *
 * Fails only with ERR_NO_MEMORY, and ERR_INVALID for a list of mountpaths. A half-built copy is always safe to
 * cluster__state_fini. */
#include <stdio.h>

#include "cluster/priv.h"

struct shared_bucket *cluster__state_bucket_new(const struct bucket *b)
{
        struct shared_bucket *s = calloc(1, sizeof(*s));
        if (!s)
                return NULL;
        atomic_init(&s->refs, 1);
        s->b = *b;
        return s;
}

struct shared_bucket *cluster__state_bucket_ref(struct shared_bucket *b)
{
        atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
        return b;
}

void cluster__state_bucket_unref(struct shared_bucket *b)
{
        if (b && atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
                free(b);
}

struct shared_config *cluster__state_config_new(struct config *c)
{
        struct shared_config *s = c ? calloc(1, sizeof(*s)) : NULL;
        if (!s) {
                config_free(c);
                return NULL;
        }
        atomic_init(&s->refs, 1);
        s->c = c;
        return s;
}

struct shared_config *cluster__state_config_ref(struct shared_config *c)
{
        atomic_fetch_add_explicit(&c->refs, 1, memory_order_relaxed);
        return c;
}

void cluster__state_config_unref(struct shared_config *c)
{
        if (!c || atomic_fetch_sub_explicit(&c->refs, 1, memory_order_acq_rel) != 1)
                return;
        config_free(c->c);
        free(c);
}

static void mountpaths_free(struct cluster_mountpath *mps, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                free((void *)(uintptr_t)mps[i].path);
                free((void *)(uintptr_t)mps[i].label);
        }
        free(mps);
}

static struct err *mountpaths_copy(const struct cluster_mountpath *from, size_t n, struct cluster_mountpath **ret)
{
        struct cluster_mountpath *to = calloc(n + 1, sizeof(*to));
        if (!to)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++) {
                to[i].path = strdup(from[i].path);
                to[i].label = strdup(from[i].label ? from[i].label : "");
                to[i].enabled = from[i].enabled;
                if (!to[i].path || !to[i].label) {
                        mountpaths_free(to, i + 1);
                        return err_static(ERR_NO_MEMORY);
                }
        }
        *ret = to;
        return NULL;
}

static int mountpath_cmp(const void *a, const void *b)
{
        const struct cluster_mountpath *x = a, *y = b;
        return strcmp(x->path, y->path);
}

struct err *cluster__state_mountpaths_set(struct state *s, const struct cluster_mountpath *mps, size_t n)
{
        if (n > CLUSTER_MOUNTPATHS_MAX)
                return err_new(ERR_INVALID, "too many mountpaths: %zu, at most %d", n, CLUSTER_MOUNTPATHS_MAX);
        struct cluster_mountpath *copy;
        TRY(mountpaths_copy(mps, n, &copy));
        qsort(copy, n, sizeof(*copy), mountpath_cmp);
        for (size_t i = 1; i < n; i++) {
                if (strcmp(copy[i - 1].path, copy[i].path) == 0) {
                        struct err *e = err_new(ERR_INVALID, "mountpath %s is given twice", copy[i].path);
                        mountpaths_free(copy, n);
                        return e;
                }
        }
        mountpaths_free(s->mountpaths, s->mountpath_count);
        s->mountpaths = copy;
        s->mountpath_count = n;
        return NULL;
}

struct err *cluster__state_clone(const struct state *s, struct state *ret)
{
        struct state to = *s;
        to.members = NULL;
        to.mountpaths = NULL;
        to.config = to.own = to.in_force = NULL;
        to.overrides = NULL;
        to.epochs = (struct epochs){ .earlier_count = 0 };
        to.docs = (struct docs){ .n = 0 };
        to.bucket_count = 0;
        to.buckets = calloc(s->bucket_count + 1, sizeof(*to.buckets));
        struct err *e = to.buckets ? cluster__epochs_clone(&s->epochs, &to.epochs) : err_static(ERR_NO_MEMORY);
        if (!e)
                e = cluster__docs_clone(&s->docs, &to.docs);
        to.mountpath_count = 0;
        if (!e)
                e = mountpaths_copy(s->mountpaths, s->mountpath_count, &to.mountpaths);
        if (!e) {
                to.mountpath_count = s->mountpath_count;
                to.members = calloc((size_t)s->member_count + 1, sizeof(*to.members));
                if (!to.members)
                        e = err_static(ERR_NO_MEMORY);
        }
        if (e) {
                cluster__state_fini(&to);
                return e;
        }
        if (s->member_count)
                memcpy(to.members, s->members, s->member_count * sizeof(*to.members));
        for (; to.bucket_count < s->bucket_count; to.bucket_count++)
                to.buckets[to.bucket_count] = cluster__state_bucket_ref(s->buckets[to.bucket_count]);
        to.config = s->config ? cluster__state_config_ref(s->config) : NULL;
        to.own = s->own ? cluster__state_config_ref(s->own) : NULL;
        to.in_force = s->in_force ? cluster__state_config_ref(s->in_force) : NULL;
        to.overrides = s->overrides ? cluster__doc_ref(s->overrides) : NULL;
        *ret = to;
        return NULL;
}

void cluster__state_fini(struct state *s)
{
        for (size_t i = 0; i < s->bucket_count; i++)
                cluster__state_bucket_unref(s->buckets[i]);
        free(s->buckets);
        cluster__state_config_unref(s->config);
        cluster__state_config_unref(s->own);
        cluster__state_config_unref(s->in_force);
        cluster__doc_unref(s->overrides);
        mountpaths_free(s->mountpaths, s->mountpath_count);
        cluster__epochs_fini(&s->epochs);
        free(s->members);
        cluster__docs_fini(&s->docs);
        memset(s, 0, sizeof(*s));
}

size_t cluster__state_bucket_find(const struct state *s, const struct bck *bck, bool *ret_found)
{
        size_t low = 0, high = s->bucket_count;
        while (low < high) {
                size_t mid = low + (high - low) / 2;
                int d = bck_cmp(&s->buckets[mid]->b.bck, bck);
                if (d == 0) {
                        *ret_found = true;
                        return mid;
                }
                if (d < 0)
                        low = mid + 1;
                else
                        high = mid;
        }
        *ret_found = false;
        return low;
}

struct err *cluster__state_bucket_insert(struct state *s, struct shared_bucket *b)
{
        struct shared_bucket **grown = b ? realloc(s->buckets, (s->bucket_count + 1) * sizeof(*grown)) : NULL;
        if (!grown) {
                cluster__state_bucket_unref(b);
                return err_static(ERR_NO_MEMORY);
        }
        s->buckets = grown;
        bool found;
        size_t i = cluster__state_bucket_find(s, &b->b.bck, &found);
        ASSERT(!found);
        memmove(grown + i + 1, grown + i, (s->bucket_count - i) * sizeof(*grown));
        grown[i] = b;
        s->bucket_count++;
        return NULL;
}

void cluster__state_bucket_remove(struct state *s, size_t i)
{
        ASSERT(i < s->bucket_count);
        cluster__state_bucket_unref(s->buckets[i]);
        memmove(s->buckets + i, s->buckets + i + 1, (s->bucket_count - i - 1) * sizeof(*s->buckets));
        s->bucket_count--;
}

/* ---- members ---- */

struct member *cluster__state_member(const struct state *s, struct str id)
{
        for (unsigned i = 0; i < s->member_count; i++)
                if (str_eq(id, str_of(s->members[i].m.id)))
                        return &s->members[i];
        return NULL;
}

struct member *cluster__state_member_of(const struct state *s, struct str id)
{
        for (unsigned i = 0; id.n && i < s->member_count; i++) {
                const struct cluster_member *m = &s->members[i].m;
                if (str_eq(id, str_of(m->id)) || str_eq(id, str_of(m->proxy)) || str_eq(id, str_of(m->target)))
                        return &s->members[i];
        }
        return NULL;
}

struct err *cluster__state_member_put(struct state *s, const struct member *m)
{
        struct member *have = cluster__state_member(s, str_of(m->m.id));
        if (have) {
                *have = *m;
                return NULL;
        }
        struct member *grown = realloc(s->members, ((size_t)s->member_count + 1) * sizeof(*grown));
        if (!grown)
                return err_static(ERR_NO_MEMORY);
        s->members = grown;
        unsigned i = s->member_count++;
        for (; i > 0 && strcmp(grown[i - 1].m.id, m->m.id) > 0; i--)
                grown[i] = grown[i - 1];
        grown[i] = *m;
        return NULL;
}

void cluster__state_member_remove(struct state *s, struct str id)
{
        struct member *m = cluster__state_member(s, id);
        if (!m)
                return;
        size_t i = (size_t)(m - s->members);
        memmove(m, m + 1, (s->member_count - i - 1) * sizeof(*m));
        s->member_count--;
}

static int id_cmp(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct err *cluster__state_place(struct state *s, bool forced)
{
        const char *ids[EPOCHS_TARGETS_MAX];
        unsigned n = 0;
        bool changed;
        for (unsigned i = 0; i < s->member_count; i++) {
                const struct cluster_member *m = &s->members[i].m;
                if (!m->up || !m->target[0] || (m->target_flags & (NODE_MAINTENANCE | NODE_DECOMMISSION)))
                        continue;
                if (n == ARRAY_LEN(ids))
                        return err_new(ERR_INVALID, "more than %zu targets", ARRAY_LEN(ids));
                ids[n++] = m->target;
        }
        qsort(ids, n, sizeof(ids[0]), id_cmp);
        return cluster__epochs_change(&s->epochs, ids, n, forced, &changed);
}

struct err *cluster__state_found(struct state *s, const struct identity *id, uint64_t feature_level)
{
        struct member m;
        const char *const ids[] = { id->target };
        memset(&m, 0, sizeof(m));
        str_copy(m.m.id, sizeof(m.m.id), str_of(id->member));
        str_copy(m.m.proxy, sizeof(m.m.proxy), str_of(id->proxy));
        str_copy(m.m.target, sizeof(m.m.target), str_of(id->target));
        m.m.up = true;
        m.m.voter = id->proxy[0];
        m.m.joined_ns = id->created_ns;
        m.voter_id = id->voter_id;
        m.since = 1;
        m.feature_level = feature_level;
        str_copy(s->uuid, sizeof(s->uuid), str_of(id->uuid));
        str_copy(s->primary, sizeof(s->primary), str_of(id->member));
        s->created_ns = id->created_ns;
        s->generation = 1;
        s->feature_level = feature_level;
        TRY(cluster__state_member_put(s, &m));
        return cluster__epochs_first(&s->epochs, ids, id->target[0] ? 1 : 0);
}

/* ---- configuration ---- */

/* Transient values over the next configuration. */
static struct err *in_force_over(const struct state *s, struct shared_config *own, struct shared_config **ret)
{
        *ret = NULL;
        if (s->in_force && s->own && s->in_force != s->own) {
                struct config *c = config_rebase(s->own->c, s->in_force->c, own->c);
                struct err *e = c ? config_check(c) : err_static(ERR_NO_MEMORY);
                if (err_code(e) == ERR_NO_MEMORY)
                        return e;
                if (!e && !config_eq(c, own->c))
                        *ret = cluster__state_config_new(c);
                else
                        config_free(c); /* what was meant for a while does not fit any more */
                err_free(e);
        }
        if (!*ret)
                *ret = cluster__state_config_ref(own);
        return NULL;
}

struct err *cluster__state_config_take(struct state *s, struct shared_config *next)
{
        struct shared_config *own = NULL, *in_force = NULL;
        struct err *e = cluster__own_config(next, s->overrides, &own);
        if (!e)
                e = in_force_over(s, own, &in_force);
        if (e) {
                cluster__state_config_unref(own);
                cluster__state_config_unref(next);
                return e;
        }
        cluster__state_config_unref(s->config);
        cluster__state_config_unref(s->own);
        cluster__state_config_unref(s->in_force);
        s->config = next;
        s->own = own;
        s->in_force = in_force;
        return NULL;
}

struct err *cluster__state_config_stamp(struct state *s, int64_t now_ns)
{
        char when[48], time[24];
        const struct member *primary = cluster__state_member(s, str_of(s->primary));
        const char *url = primary ? primary->addr[CLUSTER_NET_PUBLIC].url : NULL;
        const char *first = config_str_at(s->config->c, CONFIG_O_PROXY_ORIGINAL_URL);
        struct config_stamp stamp = { s->uuid, url, first[0] ? NULL : url, NULL, s->config_version };
        if (now_ns) {
                cluster__time_text(now_ns, time, sizeof(time));
                snprintf(when, sizeof(when), "%s +0000 UTC", time);
                stamp.lastupdate_time = when;
        }
        struct config *c = config_clone(s->config->c);
        struct err *e = c ? config_set_stamp(c, &stamp) : err_static(ERR_NO_MEMORY);
        if (e) {
                config_free(c);
                return e;
        }
        struct shared_config *next = cluster__state_config_new(c);
        if (!next)
                return err_static(ERR_NO_MEMORY);
        return cluster__state_config_take(s, next);
}
