/* cluster/change.c: the commands. Each: begin, decide against the state, edit the copy, commit. Errors leave everything
 * as it was. */
#include "cluster/priv.h"
#include "os/clock.h"

static struct err *bucket_missing(const struct bck *bck)
{
        char text[192];
        return err_new(ERR_BUCKET_NOT_FOUND, "bucket \"%s\" does not exist", bck_text(bck, text));
}

static struct err *bucket_exists(const struct bck *bck, enum err_code code)
{
        char text[192];
        return err_new(code, "bucket \"%s\" already exists", bck_text(bck, text));
}

/* The bucket's index, or an error that names it. */
static struct err *bucket_get(const struct state *s, const struct bck *bck, size_t *ret)
{
        bool found;
        size_t i = cluster__state_bucket_find(s, bck, &found);
        if (!found)
                return bucket_missing(bck);
        *ret = i;
        return NULL;
}

/* Puts an edited bucket into the place of the one at i. */
static struct err *bucket_replace(struct state *s, size_t i, const struct bucket *b)
{
        struct shared_bucket *sb = cluster__state_bucket_new(b);
        if (!sb)
                return err_static(ERR_NO_MEMORY);
        cluster__state_bucket_remove(s, i);
        return cluster__state_bucket_insert(s, sb);
}

static struct err *commit_buckets(struct change *ch)
{
        ch->next.bmd_version++;
        return cluster__change_commit(ch);
}

struct err *cluster_bucket_create(struct cluster *c, const struct bck *bck, const struct bucket_props *props,
                                  uint64_t *ret_bid)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(bck_name_check(str_of(bck->name)));
        TRY(cluster__change_begin(c, &ch));
        struct state *s = &ch.next;
        bool found;
        (void)cluster__state_bucket_find(s, bck, &found);
        if (found)
                return bucket_exists(bck, ERR_BUCKET_EXISTS);
        struct bucket b = { .bck = *bck, .origin = *bck, .created_ns = clock_wall_ns() };
        if (props)
                b.props = *props;
        else
                bucket_props_default(s->in_force->c, bck->provider, &b.props);
        s->next_bid = MAX(s->next_bid, c->bid_floor);
        b.bid = s->next_bid++;
        if (bck->provider == PROVIDER_AIS)
                b.bid |= BID_AIS;
        TRY(cluster__state_bucket_insert(s, cluster__state_bucket_new(&b)));
        TRY(commit_buckets(&ch));
        if (ret_bid)
                *ret_bid = b.bid;
        return NULL;
}

struct err *cluster_bucket_destroy(struct cluster *c, const struct bck *bck, uint64_t *ret_bid)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        size_t i;
        TRY(cluster__change_begin(c, &ch));
        TRY(bucket_get(&ch.next, bck, &i));
        uint64_t bid = ch.next.buckets[i]->b.bid;
        cluster__state_bucket_remove(&ch.next, i);
        TRY(commit_buckets(&ch));
        if (ret_bid)
                *ret_bid = bid;
        return NULL;
}

struct err *cluster_bucket_rename(struct cluster *c, const struct bck *from, const struct bck *to)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        char text[192];
        size_t i;
        bool found;
        TRY(bck_name_check(str_of(to->name)));
        if (bck_eq(from, to))
                return err_new(ERR_INVALID, "cannot rename bucket \"%s\" onto itself", bck_text(from, text));
        if (bck_is_remote(from) || bck_is_remote(to))
                return err_new(ERR_INVALID, "cannot rename bucket \"%s\": only local ais buckets can be renamed",
                               bck_text(from, text));
        TRY(cluster__change_begin(c, &ch));
        TRY(bucket_get(&ch.next, from, &i));
        (void)cluster__state_bucket_find(&ch.next, to, &found);
        if (found)
                return bucket_exists(to, ERR_BUCKET_EXISTS_TARGET);
        struct bucket b = ch.next.buckets[i]->b;
        b.bck = *to;
        TRY(bucket_replace(&ch.next, i, &b));
        return commit_buckets(&ch);
}

static unsigned mountpaths_enabled(const struct state *s)
{
        unsigned n = 0;
        for (size_t i = 0; i < s->mountpath_count; i++)
                n += s->mountpaths[i].enabled;
        return n;
}

struct err *cluster_bucket_set_props(struct cluster *c, const struct bck *bck, const json_t *patch,
                                     struct bucket_props *ret_old, struct bucket_props *ret_new)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        size_t i;
        bool changed;
        TRY(cluster__change_begin(c, &ch));
        TRY(bucket_get(&ch.next, bck, &i));
        struct bucket b = ch.next.buckets[i]->b, old = b;
        TRY(bucket_props_update(&b.props, patch, ch.next.epochs.current.n, mountpaths_enabled(&ch.next), &changed));
        if (changed) {
                TRY(bucket_replace(&ch.next, i, &b));
                TRY(commit_buckets(&ch));
        }
        if (ret_old)
                *ret_old = old.props;
        if (ret_new)
                *ret_new = b.props;
        return NULL;
}

struct err *cluster_bucket_edit_props(struct cluster *c, const struct bck *bck,
                                      struct err *(*fn)(void *arg, struct bucket_props *props), void *arg)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        size_t i;
        TRY(cluster__change_begin(c, &ch));
        TRY(bucket_get(&ch.next, bck, &i));
        struct bucket b = ch.next.buckets[i]->b;
        TRY(fn(arg, &b.props));
        /* Bytes, padding included: a difference that is none costs a version, no more. */
        if (memcmp(&b.props, &ch.next.buckets[i]->b.props, sizeof(b.props)) == 0)
                return NULL;
        TRY(bucket_replace(&ch.next, i, &b));
        return commit_buckets(&ch);
}

struct err *cluster_bucket_reset_props(struct cluster *c, const struct bck *bck)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        size_t i;
        TRY(cluster__change_begin(c, &ch));
        TRY(bucket_get(&ch.next, bck, &i));
        struct bucket b = ch.next.buckets[i]->b;
        bucket_props_default(ch.next.in_force->c, bck->provider, &b.props);
        TRY(bucket_replace(&ch.next, i, &b));
        return commit_buckets(&ch);
}
