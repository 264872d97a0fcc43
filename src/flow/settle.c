/* flow/settle.c: rule 2 of docs/adr/0008-many-nodes.md: before the owner of a key acts, it takes over what an earlier
 * owner may have.
 *
 * A record that was confirmed under an epoch is the newest of all that were written up to its begin, and of what this
 * node wrote since. So those who are asked are the owners of the key in the unsettled placements from that epoch on,
 * while they are not clean. They can not change the key any more: their gates for those epochs are closed. All are
 * asked; the largest stamp is the truth. It is installed here, or the record here is confirmed. When nobody has
 * anything, nothing is remembered, and the next one asks again.
 *
 * A write that replaces the object whatever it is needs no answer to be right: its stamp is the larger one. So it does not
 * wait for targets that are down, once no stamp of theirs can be as large; but what is here is not confirmed then, and
 * the version's number and custom pairs go on from what could be reached.
 *
 * Operations on one key that need the same answer share one flight. Fails: UNAVAILABLE when one of those who must be
 * asked is down or does not answer; CONFLICT when what was seen has changed meanwhile: look again. */
#include "flow/priv.h"

#include "flow/work.h"

#define ATTEMPTS 3 /* of asking one target */
/* A target reads the time off its own clock for as long as its last lease runs, and may be a tenth too fast: after so much
 * more than when it was declared down, all its stamps are past. */
#define PAST_NS (3 * NS_PER_SEC)

/* ---- who must be asked ---- */

/* The member to be asked in this placement, or null. */
static const struct cluster_member *pending_owner(const struct snapshot *s, const struct placement *p, uint64_t digest,
                                                  uint64_t since, const char *except)
{
        int i = p->epoch >= since ? placement_owner(p, digest) : -1;
        if (i < 0 || !p->pending[i] || (s->target != NULL && strcmp(p->ids[i], s->target->id) == 0) ||
            (except != NULL && strcmp(p->ids[i], except) == 0))
                return NULL;
        return snapshot_member(s, str_of(p->ids[i])); /* null: removed for good */
}

bool flow__others_pending(const struct snapshot *s, uint64_t digest, uint64_t since, const char *except)
{
        for (unsigned i = 0; i < s->earlier_count; i++)
                if (pending_owner(s, &s->earlier[i], digest, since, except) != NULL)
                        return true;
        return false;
}

/* ---- one settling ---- */

struct settling {
        struct node *node;
        const struct snapshot *snap;
        uint64_t digest, epoch;
        struct obj_key key;
        enum flow_use use;
        int64_t deadline;
        struct arena arena;
        bool here;                  /* a record lies here: */
        struct obj_meta local;
        const struct cluster_member *asked[CLUSTER_EARLIER_MAX];
        unsigned nasked;
        bool partial;               /* somebody was passed by */
        const struct cluster_member *from; /* who has the newest, null: nobody */
        struct parcel newest;
};

static struct err *look_here(struct settling *s)
{
        struct err *e = store_record_head(s->node->store, &s->key, &s->arena, &s->local);
        s->here = e == NULL;
        if (err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        return NULL;
}

static struct err *ask(struct settling *s, const struct cluster_member *m, struct parcel *ret)
{
        for (unsigned i = 1;; i++) {
                struct err *e = flow__peer_record(s->node, m, s->key.bid, s->key.name, s->epoch, s->deadline,
                                                  &s->arena, ret);
                if (e == NULL)
                        return NULL;
                if (i == ATTEMPTS || clock_mono_ns() >= s->deadline)
                        return err_recode(e, ERR_UNAVAILABLE, "target %s may hold a newer version", m->target);
                err_free(e);
                clock_sleep_ns(i * 30 * NS_PER_MS);
        }
}

static struct err *ask_one(struct settling *s, const struct cluster_member *m)
{
        struct parcel p;
        for (unsigned i = 0; i < s->nasked; i++)
                if (s->asked[i] == m)
                        return NULL;
        if (s->nasked < ARRAY_LEN(s->asked))
                s->asked[s->nasked++] = m;
        if (!m->up && s->use == FLOW_REPLACES && cluster_time_ns(s->node->cluster) > m->down_ns + PAST_NS) {
                s->partial = true;
                return NULL;
        }
        if (!m->up)
                return err_new(ERR_UNAVAILABLE, "target %s is down and may hold a newer version", m->target);
        TRY(ask(s, m, &p));
        if (p.absent || p.meta.moved) /* what was moved is at its later owner, who is asked too, or is this node */
                return NULL;
        if (s->from == NULL || flow__stamp_cmp(p.meta.stamp, s->newest.meta.stamp) > 0) {
                s->from = m;
                s->newest = p;
        }
        return NULL;
}

static struct err *ask_all(struct settling *s)
{
        /* A moved marker was confirmed as a record, but its content may have changed elsewhere since. */
        uint64_t since = s->here && !s->local.moved ? s->local.epoch : 0;
        for (unsigned i = 0; i < s->snap->earlier_count; i++) {
                const struct cluster_member *m =
                        pending_owner(s->snap, &s->snap->earlier[i], s->digest, since, NULL);
                if (m != NULL)
                        TRY(ask_one(s, m));
        }
        return NULL;
}

static struct err *read_reply(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct err *e = http_reply_read(arg, p, n, ret_n);
        return e == NULL ? NULL : err_recode(e, ERR_UNAVAILABLE, "a content on its way was cut off");
}

static struct err *fetch(struct settling *s)
{
        struct rpc_peer peer = flow__peer_of(s->from);
        AUTO_REPLY struct http_reply *reply = NULL;
        struct parcel_result result;
        if (!s->newest.meta.tombstone)
                TRY(flow__peer_open(s->node, &peer, s->key.bid, s->key.name, s->newest.meta.stamp, 0, &reply));
        TRY(flow__install(s->node, &s->newest, s->epoch, s->partial ? 0 : s->epoch, read_reply, reply, &result));
        return result.superseded ? err_static(ERR_CONFLICT) : NULL;
}

static struct err *confirm(struct settling *s)
{
        if (!s->here || s->local.moved || s->local.epoch == s->epoch || s->partial)
                return NULL;
        struct err *e = store_confirm(s->node->store, &s->key, s->local.stamp, s->epoch);
        return err_code(e) == ERR_PRECONDITION ? err_recode(e, ERR_CONFLICT, "the record changed meanwhile") : e;
}

/* Whether the newest of the others replaces what lies here. */
static bool is_newer(const struct settling *s)
{
        if (s->from == NULL)
                return false;
        int order = s->here ? flow__stamp_cmp(s->newest.meta.stamp, s->local.stamp) : 1;
        return order > 0 || (order == 0 && s->local.moved);
}

/* *ret_source: a large content that a reader gets from there. */
static struct err *settle_key(struct settling *s, const struct cluster_member **ret_source)
{
        TRY(look_here(s));
        TRY(ask_all(s));
        if (!is_newer(s))
                return confirm(s);
        if (s->use != FLOW_READS || s->newest.meta.tombstone || s->newest.meta.size <= FLOW_FETCH_MAX)
                return fetch(s);
        *ret_source = s->from;
        return NULL;
}

static struct err *settle_alone(struct node *n, struct flow_ownership *o, uint64_t bid, struct str name,
                                enum flow_use use, int64_t deadline, const struct cluster_member **ret_source)
{
        struct settling s = { .node = n,
                              .snap = o->snap,
                              .digest = o->digest,
                              .epoch = o->snap->placement.epoch,
                              .key = { bid, name },
                              .use = use,
                              .deadline = deadline };
        arena_init(&s.arena, 2048, 0);
        struct err *e = settle_key(&s, ret_source);
        o->partial = s.partial;
        arena_fini(&s.arena);
        return e;
}

/* ---- flights ---- */

struct flight {
        struct list link;
        uint64_t bid, epoch;
        struct str name;
        enum flow_use use;
        bool done, partial;
        unsigned users; /* who still looks at it */
        enum err_code code;
        char text[256];
        const struct cluster_member *source; /* of the first one's snapshot */
        const struct snapshot *snap;
};

static struct flight *find_locked(struct flow_work *w, uint64_t bid, struct str name, uint64_t epoch, enum flow_use use)
{
        LIST_FOREACH(at, &w->flights) {
                struct flight *f = LIST_ENTRY(at, struct flight, link);
                if (f->bid == bid && f->epoch == epoch && f->use == use && str_eq(f->name, name))
                        return f;
        }
        return NULL;
}

static void unuse(struct flow_work *w, struct flight *f)
{
        mutex_lock(&w->lock);
        bool last = --f->users == 0;
        mutex_unlock(&w->lock);
        if (!last)
                return;
        cluster_unpin(f->snap);
        free(f);
}

static struct err *outcome(const struct flight *f, struct flow_ownership *mine,
                           const struct cluster_member **ret_source)
{
        if (f->code != ERR_NONE)
                return err_new(f->code, "%s", f->text);
        mine->partial = f->partial;
        if (f->source == NULL)
                return NULL;
        *ret_source = snapshot_member(mine->snap, str_of(f->source->id));
        return *ret_source != NULL ? NULL : err_static(ERR_CONFLICT);
}

/* Waits for another's flight, which counts this user. */
static struct err *join(struct flow_work *w, struct flight *f, struct flow_ownership *mine, int64_t deadline,
                        const struct cluster_member **ret_source)
{
        mutex_lock(&w->lock);
        bool in_time = true;
        while (!f->done && in_time)
                in_time = cond_wait_until(&w->landed, &w->lock, deadline);
        bool done = f->done;
        mutex_unlock(&w->lock);
        struct err *e = done ? outcome(f, mine, ret_source) :
                               err_new(ERR_UNAVAILABLE, "other targets were not asked in time");
        unuse(w, f);
        return e;
}

static void land(struct flow_work *w, struct flight *f, const struct err *e, bool partial,
                 const struct cluster_member *source)
{
        mutex_lock(&w->lock);
        list_remove(&f->link);
        f->done = true;
        f->code = err_code(e);
        f->partial = partial;
        f->source = source;
        if (e != NULL)
                err_text(e, f->text, sizeof(f->text));
        cond_broadcast(&w->landed);
        mutex_unlock(&w->lock);
        unuse(w, f);
}

struct err *flow__settle(struct node *n, struct flow_ownership *o, uint64_t bid, struct str name, enum flow_use use,
                         int64_t deadline, const struct cluster_member **ret_source)
{
        struct flow_work *w = n->work;
        if (w == NULL)
                return settle_alone(n, o, bid, name, use, deadline, ret_source);
        mutex_lock(&w->lock);
        struct flight *f = find_locked(w, bid, name, o->snap->placement.epoch, use);
        if (f != NULL) {
                f->users++;
                mutex_unlock(&w->lock);
                return join(w, f, o, deadline, ret_source);
        }
        f = calloc(1, sizeof(*f));
        if (f != NULL) {
                *f = (struct flight){ .bid = bid, .epoch = o->snap->placement.epoch, .name = name,
                                      .use = use, .users = 1, .snap = snapshot_ref(o->snap) };
                list_append(&w->flights, &f->link);
        }
        mutex_unlock(&w->lock);
        if (f == NULL)
                return err_static(ERR_NO_MEMORY);
        const struct cluster_member *source = NULL;
        struct err *e = settle_alone(n, o, bid, name, use, deadline, &source);
        land(w, f, e, o->partial, source);
        *ret_source = source;
        return e;
}
