/* flow/rebalance.c: rule 4 of docs/adr/0008-many-nodes.md: what is not this target's is sent to its owner, acknowledged,
 * and marked as moved.
 *
 * A pass walks all records; the walk fills batches by owner, up to `workers` threads send them. Small contents travel
 * many in a call, which its receiver commits with one sync; a large one travels alone. What fails stays, is counted, and
 * is met again by the next pass. A newer epoch ends the pass: its sends would be refused. */
#include "flow/priv.h"

#include <stdatomic.h>

#include "base/list.h"
#include "os/thread.h"

#define BATCH_ITEMS 256u
#define BATCH_BYTES (1024u * 1024u)
#define ALONE_BYTES (256u * 1024u) /* contents above it travel alone */
#define OWNERS_MAX 1024u
#define WORKERS_MAX 64u
#define SENDERS_BESIDE_CLIENTS 4u      /* while clients are at work (pace.c) */
#define LOOK_AGAIN_NS (50 * NS_PER_MS) /* whether they still are */
#define WALK_STEP 4096u            /* records per scan: an open one holds old states */
#define OPEN_WAIT_NS (10 * NS_PER_SEC)

/* ---- sending some records to one owner ---- */

struct batch {
        struct list link;
        char owner[NODE_ID_MAX + 1]; /* target */
        unsigned count;
        uint64_t bytes;
        struct obj_key keys[BATCH_ITEMS];
        struct arena arena; /* names */
};

static struct batch *batch_new(const char *owner)
{
        struct batch *b = calloc(1, sizeof(*b));
        if (b == NULL)
                return NULL;
        str_copy(b->owner, sizeof(b->owner), str_of(owner));
        arena_init(&b->arena, 8192, 0);
        return b;
}

static void batch_free(struct batch *b)
{
        if (b == NULL)
                return;
        arena_fini(&b->arena);
        free(b);
}

/* Makes one record ready to be sent. False: there is nothing to send any more. */
static struct err *prepare(struct node *n, const struct obj_key *key, struct arena *a, struct flow_sending *ret,
                           bool *ret_any)
{
        struct obj_meta m;
        *ret_any = false;
        struct err *e = store_record_head(n->store, key, a, &m);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return NULL;
        }
        TRY(e);
        if (m.moved)
                return NULL;
        *ret = (struct flow_sending){ .parcel = { .bid = key->bid, .name = key->name, .meta = m } };
        if (!m.tombstone) {
                TRY(store_open_object(n->store, key, &ret->source.content));
                ret->parcel.meta = *content_meta(ret->source.content); /* of this very content; lives as long */
                ret->source.size = ret->parcel.meta.size;
        }
        *ret_any = true;
        return NULL;
}

static void release(struct flow_sending *list, unsigned count)
{
        for (unsigned i = 0; i < count; i++)
                if (list[i].source.content != NULL)
                        content_unref(list[i].source.content);
}

struct sent {
        uint64_t objects, bytes, left;
};

/* After the acknowledgement: what became of one. */
static void count_marked(const struct flow_sending *s, struct err *e, struct sent *sum)
{
        if (e == NULL) {
                sum->objects++;
                sum->bytes += parcel_content_size(&s->parcel);
                return;
        }
        sum->left++;
        if (err_code(e) == ERR_PRECONDITION) /* another record by now: the next pass */
                err_free(e);
        else
                log_err(LOG_WARN, LOG_FOLDER, e, "a record that was handed over could not be marked");
}

/* After the acknowledgement; all together, since a sync is shared by those that are marked at the same time. */
static struct err *mark(struct node *n, const struct flow_sending *list, unsigned count, struct sent *sum)
{
        AUTO_FREE struct store_moved *moved = calloc(count, sizeof(*moved));
        AUTO_FREE struct obj_key *keys = calloc(count, sizeof(*keys));
        unsigned taken = 0;
        if (moved == NULL || keys == NULL)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < count; i++) {
                if (list[i].result.fate != PARCEL_TAKEN)
                        continue;
                keys[taken] = (struct obj_key){ list[i].parcel.bid, list[i].parcel.name };
                moved[taken] = (struct store_moved){ .key = &keys[taken], .stamp = list[i].parcel.meta.stamp };
                taken++;
        }
        store_mark_moved_all(n->store, moved, taken);
        sum->left += count - taken;
        for (unsigned i = 0, k = 0; i < count; i++)
                if (list[i].result.fate == PARCEL_TAKEN)
                        count_marked(&list[i], moved[k++].err, sum);
        return NULL;
}

static struct err *send_prepared(struct node *n, const struct snapshot *s, const char *owner, struct flow_sending *list,
                                 unsigned count, struct sent *sum)
{
        const struct cluster_member *m = snapshot_member(s, str_of(owner));
        if (count == 0)
                return NULL;
        if (m == NULL || !m->up) {
                sum->left += count;
                return NULL;
        }
        struct err *e = flow__peer_send(n, m, s->placement.epoch, list, count);
        if (err_code(e) == ERR_CONFLICT)
                return e;
        if (e != NULL) {
                log_err(LOG_WARN, LOG_FOLDER, e, "%u objects could not be handed over to %s", count, owner);
                sum->left += count;
                return NULL;
        }
        return mark(n, list, count, sum);
}

/* CONFLICT ends the pass; what else fails is counted as left. */
static struct err *send_batch(struct node *n, const struct snapshot *s, const struct batch *b, struct sent *sum)
{
        AUTO_FREE struct flow_sending *list = calloc(b->count, sizeof(*list));
        AUTO_ARENA struct arena a;
        unsigned count = 0;
        arena_init(&a, 16384, (size_t)BATCH_ITEMS * PARCEL_RECORD_MAX);
        if (list == NULL)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < b->count; i++) {
                bool any;
                struct err *e = prepare(n, &b->keys[i], &a, &list[count], &any);
                if (e != NULL) {
                        log_err(LOG_ERROR, LOG_FOLDER, e, STR_FMT " can not be handed over", STR_ARG(b->keys[i].name));
                        sum->left++;
                } else if (any) {
                        count++;
                }
        }
        struct err *e = send_prepared(n, s, b->owner, list, count, sum);
        release(list, count);
        return e;
}

struct err *flow_hand_over(struct node *n, uint64_t bid, struct str name, uint64_t *ret_bytes)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        const struct bucket *b = snapshot_bucket_by_id(s, bid);
        *ret_bytes = 0;
        if (n->store == NULL || b == NULL)
                return NULL;
        int i = placement_owner(&s->placement, snapshot_digest(b, name));
        if (i < 0)
                return err_new(ERR_UNAVAILABLE, "no target is active");
        if (s->target != NULL && strcmp(s->placement.ids[i], s->target->id) == 0)
                return NULL;
        struct batch *one = batch_new(s->placement.ids[i]);
        struct sent sum = { 0, 0, 0 };
        if (one == NULL)
                return err_static(ERR_NO_MEMORY);
        one->count = 1;
        one->keys[0] = (struct obj_key){ bid, name };
        struct err *e = send_batch(n, s, one, &sum);
        if (e == NULL && sum.left > 0)
                e = err_new(ERR_UNAVAILABLE, "target %s could not take it", one->owner);
        batch_free(one);
        TRY(e);
        *ret_bytes = sum.bytes;
        return NULL;
}

/* ---- a pass ---- */

struct pass;
struct sender {
        struct pass *pass;
        unsigned index;
        struct thread *thread;
};
struct pass {
        struct node *node;
        const struct snapshot *snap;
        unsigned workers;
        struct sender sender[WORKERS_MAX];
        struct batch *filling[OWNERS_MAX]; /* by index in the placement; the walker's */
        struct mutex lock;   /* RANK_FLOW; guards the rest */
        struct cond changed; /* a batch was queued, or taken */
        struct list queue;   /* struct batch */
        unsigned queued;
        bool no_more;
        struct err *failed;  /* ends the pass */
        struct flow_moved sum;
};

/* Whether this sender pauses for the clients' sake. */
static bool makes_way(struct pass *p, unsigned sender)
{
        return sender >= SENDERS_BESIDE_CLIENTS && flow__clients_active(p->node);
}

static struct batch *next_batch(struct pass *p, unsigned sender)
{
        LOCK_SCOPE(&p->lock);
        while (p->failed == NULL) {
                if (makes_way(p, sender) && !(p->no_more && list_empty(&p->queue)))
                        cond_wait_until(&p->changed, &p->lock, clock_mono_ns() + LOOK_AGAIN_NS);
                else if (list_empty(&p->queue) && !p->no_more)
                        cond_wait(&p->changed, &p->lock);
                else
                        break;
        }
        if (list_empty(&p->queue) || p->failed != NULL)
                return NULL;
        struct batch *b = LIST_ENTRY(p->queue.next, struct batch, link);
        list_remove(&b->link);
        p->queued--;
        cond_broadcast(&p->changed);
        return b;
}

static void send_queued(void *arg)
{
        struct sender *me = arg;
        struct pass *p = me->pass;
        struct batch *b;
        while ((b = next_batch(p, me->index)) != NULL) {
                struct sent sent = { 0, 0, 0 };
                struct err *e = send_batch(p->node, p->snap, b, &sent);
                batch_free(b);
                LOCK_SCOPE(&p->lock);
                p->sum.objects += sent.objects;
                p->sum.bytes += sent.bytes;
                p->sum.left += sent.left;
                p->failed = err_first(p->failed, e);
                if (e != NULL)
                        cond_broadcast(&p->changed);
        }
}

/* Whether the pass may go on; CANCELLED and CONFLICT end it. */
static struct err *may_go_on(struct pass *p, flow_go_on_fn *go_on, void *arg)
{
        struct flow_moved so_far;
        mutex_lock(&p->lock);
        so_far = p->sum;
        bool failed = p->failed != NULL;
        mutex_unlock(&p->lock);
        if (failed)
                return err_static(ERR_CANCELLED); /* the first error is the one that counts */
        AUTO_SNAPSHOT const struct snapshot *now = cluster_pin(p->node->cluster);
        if (now->placement.epoch != p->snap->placement.epoch)
                return err_new(ERR_CONFLICT, "epoch %lu is not the newest any more",
                               (unsigned long)p->snap->placement.epoch);
        return go_on == NULL || go_on(arg, &so_far) ? NULL : err_static(ERR_CANCELLED);
}

/* Hands a batch to the senders; waits while they have enough. Takes it. */
static void enqueue(struct pass *p, struct batch *b)
{
        LOCK_SCOPE(&p->lock);
        while (p->queued >= p->workers && p->failed == NULL)
                cond_wait(&p->changed, &p->lock);
        list_append(&p->queue, &b->link);
        p->queued++;
        cond_broadcast(&p->changed);
}

struct walk {
        struct pass *pass;
        flow_go_on_fn *go_on;
        void *arg;
        uint64_t bid;       /* where the next scan begins */
        struct buf after;
        bool ended;
        const struct bucket *bucket; /* of the last record */
};

static struct err *flush_owner(struct walk *w, unsigned owner)
{
        struct batch *b = w->pass->filling[owner];
        if (b == NULL)
                return NULL;
        TRY(may_go_on(w->pass, w->go_on, w->arg));
        w->pass->filling[owner] = NULL;
        enqueue(w->pass, b);
        return NULL;
}

/* Adds a record to its owner's batch. */
static struct err *add(struct walk *w, unsigned owner, const struct obj_key *key, uint64_t bytes)
{
        struct batch **at = &w->pass->filling[owner];
        if (*at != NULL &&
            ((*at)->count == BATCH_ITEMS || (*at)->bytes + bytes > BATCH_BYTES || bytes > ALONE_BYTES))
                TRY(flush_owner(w, owner));
        if (*at == NULL)
                *at = batch_new(w->pass->snap->placement.ids[owner]);
        if (*at == NULL)
                return err_static(ERR_NO_MEMORY);
        struct str name = str_arena(&(*at)->arena, key->name);
        if (name.p == NULL)
                return err_static(ERR_NO_MEMORY);
        (*at)->keys[(*at)->count++] = (struct obj_key){ key->bid, name };
        (*at)->bytes += bytes;
        return bytes > ALONE_BYTES ? flush_owner(w, owner) : NULL;
}

static struct err *visit(struct walk *w, const struct obj_key *key, const struct obj_meta *m)
{
        const struct snapshot *s = w->pass->snap;
        if (m->moved)
                return NULL;
        if (w->bucket == NULL || w->bucket->bid != key->bid)
                w->bucket = snapshot_bucket_by_id(s, key->bid);
        if (w->bucket == NULL) /* destroyed */
                return NULL;
        int owner = placement_owner(&s->placement, snapshot_digest(w->bucket, key->name));
        if (owner < 0 || (s->target != NULL && strcmp(s->placement.ids[owner], s->target->id) == 0))
                return NULL;
        return add(w, (unsigned)owner, key, m->tombstone ? 0 : m->size);
}

/* Some thousand records. */
static struct err *walk_some(struct walk *w)
{
        struct scan *sc;
        struct str name;
        struct obj_meta m;
        struct err *e = NULL;
        unsigned seen = 0;
        TRY(store_scan_open_node(w->pass->node->store, w->bid, buf_str(&w->after), &sc));
        w->ended = true;
        while (e == NULL && store_scan_next(sc, false, &name, &m)) {
                struct obj_key key = { store_scan_bid(sc), name };
                e = visit(w, &key, &m);
                if (e == NULL && ++seen == WALK_STEP) {
                        w->bid = key.bid;
                        buf_clear(&w->after);
                        buf_adds(&w->after, name);
                        e = buf_err(&w->after);
                        w->ended = false;
                        break;
                }
        }
        return err_first(e, store_scan_close(sc));
}

static struct err *walk(struct walk *w)
{
        while (!w->ended) {
                TRY(may_go_on(w->pass, w->go_on, w->arg));
                TRY(walk_some(w));
        }
        for (unsigned i = 0; i < w->pass->snap->placement.n; i++)
                TRY(flush_owner(w, i));
        return NULL;
}

static struct err *start_senders(struct pass *p, unsigned *ret_started)
{
        for (; *ret_started < p->workers; ++*ret_started) {
                struct sender *me = &p->sender[*ret_started];
                *me = (struct sender){ p, *ret_started, NULL };
                struct err *e = thread_start(&me->thread, "rebalance", THREAD_WORKER, send_queued, me);
                if (e != NULL && *ret_started == 0)
                        return e;
                if (e != NULL) { /* with fewer then */
                        err_free(e);
                        p->workers = *ret_started;
                }
        }
        return NULL;
}

static void pass_fini(struct pass *p)
{
        LIST_FOREACH_SAFE(at, next, &p->queue)
                batch_free(LIST_ENTRY(at, struct batch, link));
        for (unsigned i = 0; i < OWNERS_MAX; i++)
                batch_free(p->filling[i]);
        cond_fini(&p->changed);
        mutex_fini(&p->lock);
}

/* The pass itself; the lock and the list are ready. */
static struct err *run_pass(struct pass *p, flow_go_on_fn *go_on, void *arg)
{
        struct walk w = { .pass = p, .go_on = go_on, .arg = arg };
        unsigned started = 0;
        struct err *e = start_senders(p, &started);
        if (e == NULL)
                e = walk(&w);
        buf_fini(&w.after);
        mutex_lock(&p->lock);
        p->no_more = true;
        /* A pass that ends early does not send what still waits. */
        if (e != NULL && p->failed == NULL) {
                p->failed = e;
                e = NULL;
        }
        cond_broadcast(&p->changed);
        mutex_unlock(&p->lock);
        for (unsigned i = 0; i < started; i++)
                thread_join(p->sender[i].thread);
        err_free(e);
        return p->failed;
}

struct err *flow_rebalance_pass(struct node *n, uint64_t epoch, unsigned workers, flow_go_on_fn *go_on, void *arg,
                                struct flow_moved *ret)
{
        if (n->store == NULL) {
                *ret = (struct flow_moved){ 0, 0, 0 };
                return NULL;
        }
        /* Open: every gate of an older epoch is closed and empty, here too, so the walk meets all there is. */
        TRY(cluster_wait_open(n->cluster, epoch, clock_mono_ns() + OPEN_WAIT_NS));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        if (s->placement.epoch != epoch)
                return err_new(ERR_CONFLICT, "epoch %lu is not the newest any more", (unsigned long)epoch);
        if (s->placement.n > OWNERS_MAX)
                return err_new(ERR_UNSUPPORTED, "more than %u targets", OWNERS_MAX);
        AUTO_FREE struct pass *p = calloc(1, sizeof(*p));
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        p->node = n;
        p->snap = s;
        p->workers = MAX(1u, MIN(workers, WORKERS_MAX));
        mutex_init(&p->lock, "rebalance", RANK_FLOW);
        cond_init(&p->changed);
        list_init(&p->queue);
        struct err *e = run_pass(p, go_on, arg);
        if (e == NULL)
                *ret = p->sum;
        pass_fini(p);
        return e;
}
