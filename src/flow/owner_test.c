/* Ownership under changing targets: several nodes in one process, real stores, real connections, a cluster made by hand,
 * against an oracle. Targets join, leave, die and come back; passes of rebalance run to their end, are cut off, or run
 * beside the operations. What is read must be what was written last, exactly, with its version: never old, never
 * resurrected, never lost. UNAVAILABLE is right only while a target is down that may have something.
 *
 * ORLOP_TEST_SEED and ORLOP_TEST_STEPS repeat a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "flow/priv.h"
#include "meta/placement.h"
#include "os/file.h"
#include "os/random.h"
#include "os/sock.h"
#include "os/thread.h"

#define TARGETS 4
#define KEYS 40
#define BID (UINT64_C(1) << 63 | 5)
#define LARGE (FLOW_FETCH_MAX + 4096)
#define ROUTES_MAX 8

/* ---- a cluster made by hand ---- */

struct fake_placement {
        char ids[TARGETS][NODE_ID_MAX + 1];
        uint64_t digests[TARGETS];
        bool pending[TARGETS];
};
struct fake_snapshot {
        struct snapshot pub; /* first */
        _Atomic unsigned refs;
        struct cluster_node nodes[TARGETS];
        struct cluster_member members[TARGETS];
        struct placement earlier[CLUSTER_EARLIER_MAX];
        struct fake_placement lists[CLUSTER_EARLIER_MAX + 1];
};
struct cluster {
        struct mutex lock;
        struct cond drained;
        struct fake_snapshot *snap;
        uint64_t gate; /* epoch that may enter */
        unsigned inside;
        bool leased;
};
struct world_placement {
        uint64_t epoch;
        bool in[TARGETS], pending[TARGETS];
};
struct peer {
        struct node node;
        struct cluster cluster;
        char dir[160], id[32];
        struct rpc_route routes[ROUTES_MAX];
        struct rpc_server *rpc;
        struct http_server *server;
        uint16_t port;
        struct thread *pass; /* of rebalance, beside the operations */
        struct flow_moved moved;
        enum err_code pass_result;
};
static struct {
        struct peer peer[TARGETS];
        bool up[TARGETS];
        int64_t down_ns[TARGETS];
        struct world_placement now, earlier[CLUSTER_EARLIER_MAX];
        unsigned nearlier;
        bool tombstones;
        uint64_t settled_hlc, random;
        struct bucket bucket;
        char root[128];
        unsigned counts[9];
} w;
static _Atomic uint64_t open_epoch;
static struct pool *pool;
static struct rpc_client *client;

static struct fake_snapshot *fake_of(const struct snapshot *s)
{
        return (struct fake_snapshot *)(uintptr_t)s;
}

const struct snapshot *cluster_pin(struct cluster *c)
{
        LOCK_SCOPE(&c->lock);
        atomic_fetch_add(&c->snap->refs, 1);
        return &c->snap->pub;
}

const struct snapshot *snapshot_ref(const struct snapshot *s)
{
        atomic_fetch_add(&fake_of(s)->refs, 1);
        return s;
}

void cluster_unpin(const struct snapshot *s)
{
        if (s != NULL && atomic_fetch_sub(&fake_of(s)->refs, 1) == 1)
                free(fake_of(s));
}

bool cluster_has_lease(struct cluster *c, int64_t now)
{
        (void)now;
        LOCK_SCOPE(&c->lock);
        return c->leased;
}

int64_t cluster_time_ns(struct cluster *c)
{
        (void)c;
        return clock_wall_ns();
}

uint64_t cluster_open_epoch(struct cluster *c)
{
        LOCK_SCOPE(&c->lock);
        return MIN(atomic_load(&open_epoch), c->gate);
}

bool cluster_gate_enter(struct cluster *c, uint64_t epoch, struct gate_pass *ret)
{
        LOCK_SCOPE(&c->lock);
        ret->slot = 0;
        if (!c->leased || c->gate != epoch)
                return false;
        c->inside++;
        return true;
}

void cluster_gate_leave(struct cluster *c, struct gate_pass pass)
{
        (void)pass;
        LOCK_SCOPE(&c->lock);
        ASSERT(c->inside > 0);
        if (--c->inside == 0)
                cond_broadcast(&c->drained);
}

/* Whoever waits opens it: all gates are drained when an epoch is published here. */
struct err *cluster_wait_open(struct cluster *c, uint64_t epoch, int64_t deadline)
{
        (void)deadline;
        LOCK_SCOPE(&c->lock);
        ASSERT(epoch <= c->gate);
        if (epoch > atomic_load(&open_epoch))
                atomic_store(&open_epoch, epoch);
        return NULL;
}

struct rpc_client *cluster_rpc(struct cluster *c)
{
        (void)c;
        return client;
}

/* Everything is known at once here. */
struct err *cluster_sync(struct cluster *c, int64_t deadline)
{
        (void)c, (void)deadline;
        return NULL;
}

const struct bucket *snapshot_bucket_by_id(const struct snapshot *s, uint64_t bid)
{
        (void)s;
        return bid == BID ? &w.bucket : NULL;
}

const struct bucket *snapshot_bucket(const struct snapshot *s, const struct bck *bck)
{
        (void)s, (void)bck;
        return &w.bucket;
}

const struct cluster_node *snapshot_node(const struct snapshot *s, struct str id)
{
        for (unsigned i = 0; i < s->node_count; i++)
                if (str_eq(str_of(s->nodes[i].id), id))
                        return &s->nodes[i];
        return NULL;
}

/* ---- snapshots of the world ---- */

static void fill_placement(struct fake_placement *f, const struct world_placement *p, struct placement *ret)
{
        unsigned n = 0;
        for (unsigned i = 0; i < TARGETS; i++) {
                if (!p->in[i])
                        continue;
                memcpy(f->ids[n], w.peer[i].id, sizeof(w.peer[i].id));
                f->digests[n] = placement_digest(str_of(w.peer[i].id));
                f->pending[n++] = p->pending[i];
        }
        *ret = (struct placement){ p->epoch, n, (const char (*)[NODE_ID_MAX + 1])f->ids, f->digests, f->pending };
}

static struct fake_snapshot *snapshot_for(unsigned self)
{
        struct fake_snapshot *f = calloc(1, sizeof(*f));
        assert_non_null(f);
        f->refs = 1;
        for (unsigned i = 0; i < TARGETS; i++) {
                struct cluster_member *m = &f->members[i];
                struct cluster_node *n = &f->nodes[i];
                str_copy(m->target, sizeof(m->target), str_of(w.peer[i].id)); /* id "": nobody has a certificate */
                str_copy(m->host, sizeof(m->host), STR("127.0.0.1"));
                m->port = w.peer[i].port;
                m->up = w.up[i];
                m->down_ns = w.down_ns[i];
                str_copy(n->id, sizeof(n->id), str_of(w.peer[i].id));
                str_copy(n->member, sizeof(n->member), str_of(w.peer[i].id));
                n->target = true;
                n->digest = placement_digest(str_of(n->id));
        }
        struct snapshot *s = &f->pub;
        fill_placement(&f->lists[0], &w.now, &s->placement);
        for (unsigned i = 0; i < w.nearlier; i++)
                fill_placement(&f->lists[i + 1], &w.earlier[i], &f->earlier[i]);
        s->earlier = f->earlier;
        s->earlier_count = w.nearlier;
        s->nodes = f->nodes;
        s->node_count = s->target_count = TARGETS;
        s->members = f->members;
        s->member_count = TARGETS;
        s->target = &f->nodes[self];
        s->tombstones = w.tombstones;
        s->settled_hlc = w.settled_hlc;
        s->bmd_version = 1;
        return f;
}

/* As the cluster does: the snapshot, the watchers, the gate closes and drains; the epoch opens when all have done so, or
 * some time later. */
static void publish(bool open)
{
        for (unsigned i = 0; i < TARGETS; i++) {
                struct cluster *c = &w.peer[i].cluster;
                if (!w.up[i])
                        continue; /* knows nothing of it until it is back */
                struct fake_snapshot *next = snapshot_for(i);
                mutex_lock(&c->lock);
                struct fake_snapshot *old = c->snap;
                c->snap = next;
                bool moved = c->gate != w.now.epoch;
                c->gate = w.now.epoch;
                while (moved && c->inside > 0)
                        cond_wait(&c->drained, &c->lock);
                mutex_unlock(&c->lock);
                if (w.peer[i].node.store != NULL)
                        flow_follow(&w.peer[i].node, old != NULL ? &old->pub : NULL, &next->pub);
                if (old != NULL)
                        cluster_unpin(&old->pub);
        }
        if (open)
                atomic_store(&open_epoch, w.now.epoch);
}

static uint64_t rnd(uint64_t n)
{
        w.random ^= w.random << 13;
        w.random ^= w.random >> 7;
        w.random ^= w.random << 17;
        return w.random % n;
}

static unsigned count_in(const struct world_placement *p)
{
        unsigned n = 0;
        for (unsigned i = 0; i < TARGETS; i++)
                n += p->in[i];
        return n;
}

/* The set of targets is now this one. */
static void new_epoch(const bool in[TARGETS])
{
        ASSERT(w.nearlier < CLUSTER_EARLIER_MAX);
        memmove(w.earlier + 1, w.earlier, w.nearlier * sizeof(w.earlier[0]));
        w.nearlier++;
        w.earlier[0] = w.now;
        memcpy(w.earlier[0].pending, w.now.in, sizeof(w.now.in));
        w.now.epoch++;
        memcpy(w.now.in, in, sizeof(w.now.in));
        w.tombstones = true;
        publish(rnd(2));
}

/* ---- rebalance ---- */

struct budget {
        uint64_t left;
};

static bool within(void *arg, const struct flow_moved *so_far)
{
        struct budget *b = arg;
        (void)so_far;
        return b->left == 0 || --b->left > 0;
}

/* Everything is settled: what half a minute later would happen. */
static void all_settled(void)
{
        uint64_t hlc = 0;
        w.tombstones = false;
        for (unsigned i = 0; i < TARGETS; i++) {
                w.tombstones = w.tombstones || !w.up[i];
                hlc = MAX(hlc, store_clock_now(w.peer[i].node.store));
        }
        w.settled_hlc = ++hlc;
        publish(true);
        for (unsigned i = 0; i < TARGETS; i++) {
                uint64_t n;
                if (!w.up[i])
                        continue;
                store_set_tombstones(w.peer[i].node.store, w.tombstones);
                assert_ok(store_purge(w.peer[i].node.store, hlc, NULL, NULL, &n));
                w.counts[5] += (unsigned)n;
        }
        w.counts[6]++;
}

static void struck_off(unsigned target)
{
        unsigned kept = 0;
        for (unsigned i = 0; i < w.nearlier; i++) {
                bool any = false;
                w.earlier[i].pending[target] = false;
                for (unsigned k = 0; k < TARGETS; k++)
                        any = any || w.earlier[i].pending[k];
                if (any)
                        w.earlier[kept++] = w.earlier[i];
        }
        bool settled = kept == 0 && w.nearlier > 0;
        w.nearlier = kept;
        if (settled)
                all_settled();
        else
                publish(true);
}

static void join_pass(unsigned i);

static void run_pass(unsigned i, uint64_t budget)
{
        struct budget b = { budget };
        struct flow_moved moved;
        join_pass(i);
        struct err *e = flow_rebalance_pass(&w.peer[i].node, w.now.epoch, 3, within, &b, &moved);
        if (err_code(e) == ERR_CANCELLED) {
                err_free(e);
                return;
        }
        assert_ok(e);
        assert_int_equal(moved.left, 0); /* owners are never down */
        w.counts[4] += (unsigned)moved.objects;
        struck_off(i);
}

static void pass_beside(void *arg)
{
        struct peer *p = arg;
        struct err *e = flow_rebalance_pass(&p->node, w.now.epoch, 2, NULL, NULL, &p->moved);
        p->pass_result = err_code(e);
        err_free(e);
}

static void join_pass(unsigned i)
{
        struct peer *p = &w.peer[i];
        if (p->pass == NULL)
                return;
        thread_join(p->pass);
        p->pass = NULL;
        assert_true(p->pass_result == ERR_NONE || p->pass_result == ERR_CONFLICT);
        w.counts[7]++;
}

static void join_passes(void)
{
        for (unsigned i = 0; i < TARGETS; i++)
                join_pass(i);
}

/* ---- events ---- */

static void change_targets(void)
{
        bool in[TARGETS];
        unsigned i = (unsigned)rnd(TARGETS);
        if (w.nearlier >= 6)
                return;
        join_passes();
        memcpy(in, w.now.in, sizeof(in));
        switch (rnd(3)) {
        case 0: /* joins, or ends its maintenance */
                if (!w.up[i] || in[i])
                        return;
                in[i] = true;
                break;
        case 1: /* maintenance: it stays up as a source */
                if (!in[i] || count_in(&w.now) < 2)
                        return;
                in[i] = false;
                break;
        default: /* dies, or comes back with its disks */
                if (w.up[i] && (count_in(&w.now) < 3 || !in[i]))
                        return;
                for (unsigned k = 0; k < TARGETS; k++)
                        if (k != i && !w.up[k])
                                return; /* one at a time */
                w.up[i] = !w.up[i];
                in[i] = w.up[i];
                /* Known to be down just now, or for a while: then it is not waited for by who replaces. */
                w.down_ns[i] = clock_wall_ns() - (rnd(2) ? 0 : 10 * NS_PER_SEC);
                w.peer[i].cluster.leased = w.up[i];
                break;
        }
        w.counts[0]++;
        new_epoch(in);
}

static void move_something(void)
{
        unsigned i = (unsigned)rnd(TARGETS);
        if (!w.up[i])
                return;
        if (rnd(3) == 0 && w.peer[i].pass == NULL)
                assert_ok(thread_start(&w.peer[i].pass, "pass", THREAD_WORKER, pass_beside, &w.peer[i]));
        else if (rnd(2) == 0)
                run_pass(i, 1 + rnd(3));
        else {
                join_passes();
                run_pass(i, 0);
        }
}

/* ---- operations against the oracle ---- */

struct truth {
        bool exists;
        uint64_t version;
        uint32_t value;
        size_t size;
};
static struct truth truth[KEYS];
static char *bytes;

static void fill_value(uint32_t value, size_t n)
{
        uint64_t x = value * UINT64_C(0x9e3779b97f4a7c15) + 1;
        for (size_t i = 0; i < n; i++) {
                x ^= x << 13;
                x ^= x >> 7;
                x ^= x << 17;
                bytes[i] = (char)x;
        }
}

/* UNAVAILABLE is right: somebody is down that may have something of it. */
static bool may_be_unavailable(void)
{
        for (unsigned i = 0; i < w.nearlier; i++)
                for (unsigned k = 0; k < TARGETS; k++)
                        if (w.earlier[i].pending[k] && !w.up[k])
                                return true;
        return false;
}

static bool is_unavailable(struct err *e)
{
        char text[512];
        if (err_code(e) != ERR_UNAVAILABLE)
                return false;
        if (!may_be_unavailable())
                fail_msg("%s", err_text(e, text, sizeof(text)));
        err_free(e);
        w.counts[3]++;
        return true;
}

static struct node *owner(struct str name)
{
        const struct snapshot *s = &w.peer[0].cluster.snap->pub;
        for (unsigned i = 0; i < TARGETS; i++)
                if (w.up[i])
                        s = &w.peer[i].cluster.snap->pub;
        int k = placement_owner(&s->placement, snapshot_digest(&w.bucket, name));
        assert_true(k >= 0);
        for (unsigned i = 0; i < TARGETS; i++)
                if (strcmp(w.peer[i].id, s->placement.ids[k]) == 0)
                        return &w.peer[i].node;
        fail();
        return NULL;
}

static void check_others_refuse(struct node *own, struct str name)
{
        struct node *other = &w.peer[rnd(TARGETS)].node;
        AUTO_ARENA struct arena a;
        struct obj_meta m;
        arena_init(&a, 1024, 0);
        if (other == own)
                return;
        struct err *e = flow_head(other, &w.bucket, name, &a, &m);
        assert_true(err_code(e) == ERR_NOT_OWNER || err_code(e) == ERR_UNAVAILABLE);
        err_free(e);
}

static void do_put(unsigned k, struct str name)
{
        static uint32_t values;
        struct flow_put_options o = { .size = -1 };
        struct flow_put *put;
        AUTO_ARENA struct arena a;
        struct obj_meta m;
        bool noop, absent = rnd(4) == 0;
        size_t size = rnd(60) == 0 ? LARGE + rnd(9999) : rnd(4) == 0 ? 40000 + rnd(90000) : rnd(3000);
        arena_init(&a, 1024, 0);
        uint32_t value = ++values;
        fill_value(value, size);
        if (absent)
                o.cond.kind = COND_ABSENT;
        struct err *e = flow_put_begin(owner(name), &w.bucket, name, &o, &put);
        assert_ok(e);
        assert_ok(flow_put_write(put, bytes, size));
        e = flow_put_commit(put, &a, &m, &noop);
        if (is_unavailable(e))
                return;
        if (absent && truth[k].exists) {
                assert_err(e, ERR_PRECONDITION);
                return;
        }
        assert_ok(e);
        /* Who is down was not asked for the number. */
        bool passed_by = !absent && may_be_unavailable();
        if (!passed_by)
                assert_int_equal(m.version, truth[k].exists ? truth[k].version + 1 : 1);
        w.counts[8] += passed_by && m.version != (truth[k].exists ? truth[k].version + 1 : 1);
        truth[k] = (struct truth){ true, m.version, value, size };
}

static void read_object(struct flow_object *o, size_t size, char *p)
{
        if (o->relay != NULL) {
                size_t half = size / 2;
                assert_ok(flow_relay_read(o->relay, 0, p, half));
                assert_ok(flow_relay_read(o->relay, half, p + half, size - half));
                return;
        }
        if (content_mem(o->content).p != NULL)
                memcpy(p, content_mem(o->content).p, size);
        else
                assert_ok(content_read(o->content, 0, p, size));
}

static void do_get(unsigned k, struct str name)
{
        AUTO_ARENA struct arena a;
        struct flow_object o;
        arena_init(&a, 1024, 0);
        struct err *e = flow_open_read(owner(name), &w.bucket, name, &a, &o);
        if (is_unavailable(e))
                return;
        if (!truth[k].exists) {
                if (err_code(e) != ERR_NOT_FOUND)
                        fail_msg("%s: resurrected or another error", name.p);
                err_free(e);
                return;
        }
        assert_ok(e);
        assert_int_equal(o.meta.version, truth[k].version);
        assert_int_equal(o.meta.size, truth[k].size);
        AUTO_FREE char *got = malloc(truth[k].size + 1);
        read_object(&o, truth[k].size, got);
        flow_object_close(&o);
        fill_value(truth[k].value, truth[k].size);
        assert_memory_equal(got, bytes, truth[k].size);
        w.counts[1]++;
}

static void do_head(unsigned k, struct str name)
{
        AUTO_ARENA struct arena a;
        struct obj_meta m;
        arena_init(&a, 1024, 0);
        unsigned i = (unsigned)rnd(TARGETS);
        while (!w.up[i])
                i = (i + 1) % TARGETS;
        /* Its members have no certificates; what the owner of this node's snapshot is asked for is what counts. */
        struct err *e = flow_head(owner(name), &w.bucket, name, &a, &m);
        if (is_unavailable(e))
                return;
        assert_int_equal(err_code(e), truth[k].exists ? ERR_NONE : ERR_NOT_FOUND);
        if (e == NULL)
                assert_int_equal(m.version, truth[k].version);
        err_free(e);
}

static void do_delete(unsigned k, struct str name)
{
        struct err *e = flow_delete(owner(name), &w.bucket, name);
        if (is_unavailable(e))
                return;
        assert_int_equal(err_code(e), truth[k].exists ? ERR_NONE : ERR_NOT_FOUND);
        err_free(e);
        truth[k].exists = false;
        w.counts[2]++;
}

static void do_custom(unsigned k, struct str name)
{
        struct err *e = flow_set_custom(owner(name), &w.bucket, name, STR("\001a\001b"), true);
        if (is_unavailable(e))
                return;
        assert_int_equal(err_code(e), truth[k].exists ? ERR_NONE : ERR_NOT_FOUND);
        err_free(e);
}

static void operation(void)
{
        char text[32];
        unsigned k = (unsigned)rnd(KEYS);
        int n = snprintf(text, sizeof(text), "key-%u", k);
        struct str name = { text, (size_t)n };
        switch (rnd(10)) {
        case 0: case 1: case 2:
                do_put(k, name);
                break;
        case 3:
                do_delete(k, name);
                break;
        case 4:
                do_head(k, name);
                break;
        case 5:
                do_custom(k, name);
                break;
        case 6:
                check_others_refuse(owner(name), name);
                break;
        default:
                do_get(k, name);
                break;
        }
}

/* ---- the world begins and ends ---- */

static void open_server(struct peer *p)
{
        unsigned n = 0;
        for (; flow__peer_routes[n].method != NULL; n++) {
                p->routes[n] = flow__peer_routes[n];
                p->routes[n].anonymous = true; /* no certificates here */
        }
        ASSERT(n < ROUTES_MAX);
        assert_ok(rpc_server_new(&p->rpc));
        assert_ok(rpc_server_add(p->rpc, p->routes, &p->node));
        struct http_listener l = { .address = "127.0.0.1:0", .internal = true, .app = rpc_server_app(p->rpc) };
        struct http_server_options o = { .listeners = &l, .nlisteners = 1, .loops = 1, .pool = pool, .app = *l.app };
        assert_ok(http_server_new(&o, &p->server));
        assert_ok(http_server_start(p->server));
        char address[64];
        struct str host;
        assert_ok(sock_split_address(str_of(http_server_address(p->server, 0, address)), &host, &p->port));
}

static void open_peer(unsigned i)
{
        struct peer *p = &w.peer[i];
        snprintf(p->id, sizeof(p->id), "target-%u", i);
        snprintf(p->dir, sizeof(p->dir), "%s/%u", w.root, i);
        assert_int_equal(mkdir(p->dir, 0700), 0);
        const char *paths[] = { p->dir };
        struct store_options o = { .paths = paths, .npaths = 1, .cluster_uuid = "uuid", .target_id = p->id,
                                   .node = i + 1, .cache_bytes = 1 << 20 };
        mutex_init(&p->cluster.lock, "fake", RANK_CLUSTER);
        cond_init(&p->cluster.drained);
        p->node.cluster = &p->cluster;
        p->cluster.leased = true;
        assert_ok(store_open(&o, &p->node.store));
        open_server(p);
}

static int set_up(void **state)
{
        (void)state;
        memset(&w, 0, sizeof(w));
        memset(truth, 0, sizeof(truth));
        atomic_store(&open_epoch, 0);
        struct pool_limits limits = { { 8, 8, 8, 64, 8, 32 }, { 100, 100, 100, 100, 100, 100 } };
        struct rpc_client_options o = { .pool = NULL };
        bytes = malloc(LARGE + 10000);
        assert_ok(pool_new(&limits, &pool));
        assert_ok(rpc_client_new(&o, &client));
        const char *tmp = getenv("TMPDIR");
        snprintf(w.root, sizeof(w.root), "%s/orlop-owner-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(w.root));
        w.bucket = (struct bucket){ .bid = BID, .bck = { .provider = PROVIDER_AIS } };
        str_copy(w.bucket.bck.name, sizeof(w.bucket.bck.name), STR("b"));
        w.bucket.origin = w.bucket.bck;
        w.bucket.props.checksum.type = CKSUM_XXHASH2;
        w.bucket.props.versioning.enabled = true;
        for (unsigned i = 0; i < TARGETS; i++)
                open_peer(i);
        for (unsigned i = 0; i < TARGETS; i++)
                w.up[i] = true;
        w.now.epoch = 1;
        w.now.in[0] = true;
        publish(true);
        for (unsigned i = 0; i < TARGETS; i++)
                assert_ok(flow_start(&w.peer[i].node));
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        for (unsigned i = 0; i < TARGETS; i++) {
                struct peer *p = &w.peer[i];
                join_pass(i);
                http_server_stop(p->server, clock_mono_ns() + NS_PER_SEC);
                http_server_free(p->server);
                rpc_server_free(p->rpc);
                flow_stop(&p->node);
                store_close(p->node.store);
                cluster_unpin(&p->cluster.snap->pub);
                cond_fini(&p->cluster.drained);
                mutex_fini(&p->cluster.lock);
        }
        rpc_client_free(client);
        pool_free(pool);
        free(bytes);
        assert_ok(file_remove_tree(AT_FDCWD, w.root));
        return 0;
}

static uint64_t env_or(const char *name, uint64_t other)
{
        const char *t = getenv(name);
        uint64_t v;
        return t != NULL && str_u64(str_of(t), &v) ? v : other;
}

/* In the end all come back, everything moves to its place, and all is still as it should be. */
static void settle_everything(void)
{
        bool all[TARGETS];
        join_passes();
        for (unsigned i = 0; i < TARGETS; i++) {
                all[i] = w.up[i] = true;
                w.peer[i].cluster.leased = true;
        }
        new_epoch(all);
        for (unsigned i = 0; i < TARGETS; i++)
                run_pass(i, 0);
        assert_int_equal(w.nearlier, 0);
        for (unsigned k = 0; k < KEYS; k++) {
                char text[32];
                int n = snprintf(text, sizeof(text), "key-%u", k);
                do_get(k, (struct str){ text, (size_t)n });
        }
        for (unsigned i = 0; i < TARGETS; i++) { /* nothing is left of what moved or was deleted */
                struct scan *sc;
                struct str name;
                struct obj_meta m;
                assert_ok(store_scan_open_all(w.peer[i].node.store, BID, STR(""), STR(""), &sc));
                unsigned dead = 0, foreign = 0;
                while (store_scan_next(sc, true, &name, &m)) {
                        dead += m.moved || m.tombstone;
                        foreign += owner(name) != &w.peer[i].node;
                }
                assert_ok(store_scan_close(sc));
                assert_int_equal(dead, 0);
                assert_int_equal(foreign, 0);
        }
}

static void test_model(void **state)
{
        (void)state;
        uint64_t seed = env_or("ORLOP_TEST_SEED", (uint64_t)clock_wall_ns()), steps = env_or("ORLOP_TEST_STEPS", 3000);
        w.random = seed | 1;
        print_message("seed %lu\n", (unsigned long)seed);
        for (uint64_t i = 0; i < steps; i++) {
                uint64_t what = rnd(40);
                if (what == 0)
                        change_targets();
                else if (what < 3)
                        move_something();
                else
                        operation();
        }
        settle_everything();
        print_message("epochs %u, reads %u, deletes %u, unavailable %u, moved %u, purged %u, settled %u, beside %u, "
                      "replaced without the number %u\n",
                      w.counts[0], w.counts[1], w.counts[2], w.counts[3], w.counts[4], w.counts[5], w.counts[6],
                      w.counts[7], w.counts[8]);
        assert_true(w.counts[1] > 0);
}

/* An upload, a rename and a copy whose object is another target's when they are finished. */
static void test_elsewhere(void **state)
{
        (void)state;
        struct node *first = &w.peer[0].node;
        char id[FLOW_UPLOAD_ID_MAX];
        struct str name = STR("uploaded"), copied = STR("copied"), renamed = STR("renamed");
        const unsigned parts[] = { 1, 2 };
        struct put *put;
        AUTO_ARENA struct arena a;
        struct obj_meta m;
        arena_init(&a, 1024, 0);
        w.random = 12345;
        for (unsigned i = 0; i < 2; i++)
                w.up[i] = true;
        assert_ok(flow_upload_create(first, &w.bucket, name, STR("\001a\001b"), id));
        for (unsigned i = 0; i < 2; i++) {
                assert_ok(flow_upload_part_begin(first, &w.bucket, name, str_of(id), parts[i], 100000, &put));
                fill_value(i, 100000);
                assert_ok(store_put_write(put, bytes, 100000));
                assert_ok(store_upload_part_commit(put, CKSUM_NONE, STR("")));
        }
        struct flow_append small, large;
        struct str appended[] = { STR("appended"), STR("appended much") };
        assert_ok(flow_append_begin(first, &w.bucket, appended[0], STR_NONE, &small));
        assert_ok(flow_append_write(&small, bytes, 100));
        assert_ok(flow_append_end(&small));
        assert_ok(flow_append_begin(first, &w.bucket, appended[1], STR_NONE, &large));
        for (unsigned i = 0; i < 20; i++)
                assert_ok(flow_append_write(&large, bytes, 100000));
        assert_ok(flow_append_end(&large));
        bool in[TARGETS] = { false, true };
        new_epoch(in);
        assert_err(flow_append_flush(first, &w.bucket, appended[1], str_of(large.handle), CKSUM_MD5, STR("00")), ERR_BAD_CHECKSUM);
        assert_ok(flow_append_flush(first, &w.bucket, appended[0], str_of(small.handle), CKSUM_NONE, STR_NONE));
        assert_ok(flow_append_flush(first, &w.bucket, appended[1], str_of(large.handle), CKSUM_NONE, STR_NONE));
        assert_err(flow_append_flush(first, &w.bucket, appended[1], str_of(large.handle), CKSUM_NONE, STR_NONE), ERR_NOT_FOUND);
        for (unsigned i = 0; i < 2; i++) {
                struct content *c;
                assert_ok(flow_open(&w.peer[1].node, &w.bucket, appended[i], &c));
                assert_int_equal(content_meta(c)->size, i ? 2000000 : 100);
                AUTO_FREE char *got = malloc(100);
                struct flow_object o = { .content = c };
                read_object(&o, 100, got);
                assert_memory_equal(got, bytes, 100);
                content_unref(c);
        }
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(first->cluster);
        assert_ptr_equal(flow_upload_target(s, str_of(id)), &s->nodes[0]);
        assert_err(flow_upload_abort(&w.peer[1].node, &w.bucket, name, str_of(id)), ERR_NOT_OWNER);
        assert_ok(flow_upload_complete(first, &w.bucket, name, str_of(id), parts, 2, NULL));
        assert_err(flow_upload_abort(first, &w.bucket, name, str_of(id)), ERR_UPLOAD_NOT_FOUND);
        assert_err(flow_head(first, &w.bucket, name, &a, &m), ERR_NOT_OWNER);
        assert_ok(flow_head(&w.peer[1].node, &w.bucket, name, &a, &m));
        assert_true(m.size == 200000 && m.version == 1 && str_eq(m.custom, STR("\001a\001b")));
        assert_ok(flow_head_anywhere(first, &w.bucket, name, &a, &m));
        assert_int_equal(m.size, 200000);
        /* With two targets: names of both. */
        in[0] = true;
        new_epoch(in);
        for (unsigned i = 0; i < 2; i++)
                run_pass(i, 0);
        for (unsigned i = 0; i < 20; i++) {
                char text[32];
                int n = snprintf(text, sizeof(text), "to-%u", i);
                struct str to = { text, (size_t)n };
                assert_ok(flow_copy(owner(name), &w.bucket, name, &w.bucket, to, NULL));
                assert_ok(flow_head(owner(to), &w.bucket, to, &a, &m));
                assert_int_equal(m.size, 200000);
                assert_ok(flow_rename(owner(to), &w.bucket, to, i % 2 ? copied : renamed));
                assert_err(flow_head(owner(to), &w.bucket, to, &a, &m), ERR_NOT_FOUND);
                assert_ok(flow_head(owner(i % 2 ? copied : renamed), &w.bucket, i % 2 ? copied : renamed, &a, &m));
                assert_true(m.size == 200000 && str_eq(m.custom, STR("\001a\001b")));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_model, set_up, tear_down),
                cmocka_unit_test_setup_teardown(test_elsewhere, set_up, tear_down),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
