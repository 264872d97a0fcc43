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
        to.buckets = calloc(s->bucket_count + 1, sizeof(*to.buckets));
        if (!to.buckets)
                return err_static(ERR_NO_MEMORY);
        struct err *e = mountpaths_copy(s->mountpaths, s->mountpath_count, &to.mountpaths);
        if (e) {
                free(to.buckets);
                return e;
        }
        e = cluster__docs_clone(&s->docs, &to.docs);
        if (e) {
                mountpaths_free(to.mountpaths, to.mountpath_count);
                free(to.buckets);
                return e;
        }
        for (size_t i = 0; i < s->bucket_count; i++)
                to.buckets[i] = cluster__state_bucket_ref(s->buckets[i]);
        cluster__state_config_ref(to.config);
        cluster__state_config_ref(to.in_force);
        *ret = to;
        return NULL;
}

void cluster__state_fini(struct state *s)
{
        for (size_t i = 0; i < s->bucket_count; i++)
                cluster__state_bucket_unref(s->buckets[i]);
        free(s->buckets);
        cluster__state_config_unref(s->config);
        cluster__state_config_unref(s->in_force);
        mountpaths_free(s->mountpaths, s->mountpath_count);
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

static struct err *config_stamped(struct shared_config *from, const struct config_stamp *stamp,
                                  struct shared_config **ret)
{
        struct config *c = config_clone(from->c);
        struct err *e = c ? config_set_stamp(c, stamp) : err_static(ERR_NO_MEMORY);
        if (e) {
                config_free(c);
                return e;
        }
        struct shared_config *s = cluster__state_config_new(c);
        if (!s)
                return err_static(ERR_NO_MEMORY);
        *ret = s;
        return NULL;
}

struct err *cluster__state_config_stamp(struct state *s, const struct identity *id, int64_t now_ns)
{
        char when[48], time[24];
        const char *url = s->addr[CLUSTER_NET_CONTROL].url;
        struct config_stamp stamp = { id->uuid, url, url, NULL, s->config_version };
        if (now_ns) {
                cluster__time_text(now_ns, time, sizeof(time));
                snprintf(when, sizeof(when), "%s +0000 UTC", time);
                stamp.lastupdate_time = when;
        }
        struct shared_config *config, *in_force;
        TRY(config_stamped(s->config, &stamp, &config));
        struct err *e = NULL;
        if (s->in_force == s->config)
                in_force = cluster__state_config_ref(config);
        else
                e = config_stamped(s->in_force, &stamp, &in_force);
        if (e) {
                cluster__state_config_unref(config);
                return e;
        }
        cluster__state_config_unref(s->config);
        cluster__state_config_unref(s->in_force);
        s->config = config;
        s->in_force = in_force;
        return NULL;
}
