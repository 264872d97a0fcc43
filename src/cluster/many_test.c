/* Several members in one process, over loopback with the real TLS: joining, leading, dying, coming back, being removed. */
#include "cluster/test_member.h"

#include "base/log.h"
#include "cluster/many.h"
#include "os/thread.h"

enum { NODES = 5 };

static struct test_member nodes[NODES];
static struct pool *pool;

static void start_node(struct test_member *n, const char *token)
{
        test_member_place(n);
        assert_ok(test_member_open(n, token, NULL));
        test_member_listen(n, pool);
}

/* polite: hands leadership over first. */
static void stop_node(struct test_member *n, bool polite)
{
        if (!n->c)
                return;
        test_member_stop(n, polite);
        test_member_close(n);
}

static int setup(void **state)
{
        (void)state;
        assert_ok(log_set_levels(str_of(getenv("ORLOP_TEST_LOG") ? getenv("ORLOP_TEST_LOG") : "error")));
        memset(nodes, 0, sizeof(nodes));
        return test_pool_new(&pool) ? -1 : 0;
}

static int teardown(void **state)
{
        (void)state;
        for (unsigned i = 0; i < NODES; i++) {
                stop_node(&nodes[i], true);
                if (nodes[i].dir)
                        test_dir_free(nodes[i].dir);
        }
        pool_free(pool);
        return 0;
}

static struct test_member *leader(void)
{
        for (unsigned i = 0; i < NODES; i++)
                if (nodes[i].c && cluster_is_leader(nodes[i].c))
                        return &nodes[i];
        return NULL;
}

static bool someone_leads(void *arg)
{
        (void)arg;
        return leader() != NULL;
}

/* All who run hold a lease, see n targets in an open placement, and the same leader. */
static bool settled_at(void *arg)
{
        unsigned want = *(unsigned *)arg;
        struct test_member *l = leader();
        for (unsigned i = 0; l && i < NODES; i++) {
                if (!nodes[i].c)
                        continue;
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[i].c), *ls = cluster_pin(l->c);
                if (!cluster_has_lease(nodes[i].c, clock_mono_ns()) || s->placement.n != want ||
                    s->placement.epoch != ls->placement.epoch || cluster_open_epoch(nodes[i].c) < s->placement.epoch ||
                    strcmp(s->primary->id, ls->proxy->id) != 0)
                        return false;
        }
        return l != NULL;
}

static void assert_settled(unsigned targets, int64_t seconds)
{
        if (test_wait_until(settled_at, &targets, seconds))
                return;
        for (unsigned i = 0; i < NODES; i++) {
                if (!nodes[i].c)
                        continue;
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[i].c);
                print_message("node %u: index %llu, %u members, epoch %llu of %u, open %llu, %u earlier, lease %d, leads %d\n", i,
                              (unsigned long long)s->index, s->member_count, (unsigned long long)s->placement.epoch,
                              s->placement.n, (unsigned long long)cluster_open_epoch(nodes[i].c), s->earlier_count,
                              cluster_has_lease(nodes[i].c, clock_mono_ns()), cluster_is_leader(nodes[i].c));
        }
        fail_msg("not settled at %u targets", targets);
}

static char *token(unsigned uses)
{
        AUTO_BUF struct buf b = BUF_INIT;
        assert_ok(cluster_token_new(leader()->c, 60 * NS_PER_SEC, uses, &b));
        char *t = str_dup(buf_str(&b));
        assert_non_null(t);
        return t;
}

static void grow(unsigned n)
{
        start_node(&nodes[0], NULL);
        assert_true(test_wait_until(someone_leads, NULL, 10));
        char *t = token(n);
        for (unsigned i = 1; i < n; i++)
                start_node(&nodes[i], t);
        free(t);
}

static void clean_all(void)
{
        for (unsigned i = 0; i < NODES; i++) {
                if (!nodes[i].c)
                        continue;
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[i].c);
                if (s->target)
                        assert_ok(cluster_report_clean(nodes[i].c, s->placement.epoch));
        }
}

static void test_one_with_a_port(void **state)
{
        (void)state;
        /* A cluster of one, with a bucket, gets a port. */
        nodes[0].dir = test_dir_new();
        nodes[0].port = test_free_port();
        struct cluster *c = test_open(nodes[0].dir);
        uint64_t bid = test_create(c, "kept");
        cluster_close(c);
        for (unsigned i = 0; i < 3; i++) {
                start_node(&nodes[0], NULL);
                assert_settled(1, 10);
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[0].c);
                assert_true(snapshot_bucket_ais(s, STR("kept"))->bid == bid);
                assert_true(s->index > 0 && s->key_count == 1);
                char name[8];
                snprintf(name, sizeof(name), "b%u", i);
                test_create(nodes[0].c, name);
                stop_node(&nodes[0], i & 1);
        }
        struct cluster_opts o = test_opts(nodes[0].dir);
        assert_err(cluster_open(&o, &c), ERR_INVALID); /* no way back to a cluster of one */
        start_node(&nodes[0], NULL);
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[0].c);
        assert_int_equal(s->bucket_count, 4);
}

static void test_three(void **state)
{
        (void)state;
        grow(3);
        assert_settled(3, 15);
        struct cluster *l = leader()->c;
        uint64_t bid = test_create(l, "b");
        for (unsigned i = 0; i < 3; i++) {
                struct bck b = test_bck("b");
                assert_ok(cluster_sync(nodes[i].c, clock_mono_ns() + 5 * NS_PER_SEC));
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[i].c);
                assert_non_null(snapshot_bucket(s, &b));
                assert_true(snapshot_bucket(s, &b)->bid == bid);
                assert_int_equal(s->node_count, 6);
                if (nodes[i].c != l)
                        assert_err(cluster_bucket_destroy(nodes[i].c, &b, NULL), ERR_NOT_PRIMARY);
        }
        clean_all();
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(l);
        assert_int_equal(s->earlier_count, 0);
        assert_true(s->key_count == 1);
}

struct voting {
        unsigned want;
        const struct test_member *at; /* at its address of now; null: anybody */
};

static bool votes(void *arg)
{
        const struct voting *v = arg;
        struct raft_voter voters[RAFT_VOTERS_MAX];
        char address[64];
        struct test_member *l = leader();
        bool found = !v->at;
        unsigned n = l ? engine_voters(l->c->many->engine, voters) : 0, count = 0;
        snprintf(address, sizeof(address), "127.0.0.1:%u", v->at ? v->at->port : 0);
        for (unsigned i = 0; i < n; i++) {
                count += voters[i].voting;
                found |= voters[i].voting && strcmp(voters[i].address, address) == 0;
        }
        return count == v->want && found;
}

static struct err *count_doc(void *arg, struct str key, struct str body)
{
        (void)key;
        *(unsigned *)arg += body.n == 7;
        return NULL;
}

/* Whoever is told of a document passes it on; whoever is asked after a change knows it. */
static void test_any_member_is_asked(void **state)
{
        (void)state;
        nodes[2].role = CLUSTER_ROLE_TARGET;
        grow(3);
        assert_settled(3, 15);
        for (unsigned i = 0; i < 3; i++) {
                unsigned seen = 0;
                char key[16], name[16];
                snprintf(key, sizeof(key), "job/%u", i);
                assert_ok(cluster_doc_put(nodes[i].c, str_of(key), STR("{\"a\":1}")));
                assert_ok(cluster_doc_each(nodes[i].c, STR("job/"), count_doc, &seen));
                assert_int_equal(seen, i + 1); /* read your writes */
                assert_err(cluster_doc_put(nodes[i].c, STR("member/x"), STR("{}")), ERR_INVALID);
                snprintf(name, sizeof(name), "seen%u", i);
                test_create(leader()->c, name);
                cluster_spread(leader()->c, clock_mono_ns() + 5 * NS_PER_SEC);
                for (unsigned k = 0; k < 3; k++) {
                        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[k].c);
                        assert_non_null(snapshot_bucket_ais(s, str_of(name)));
                }
        }
        unsigned left = 0;
        assert_ok(cluster_doc_put(nodes[2].c, STR("job/1"), STR_NONE));
        assert_ok(cluster_doc_each(nodes[2].c, STR("job/"), count_doc, &left));
        assert_int_equal(left, 2);
}

/* A voter that comes back elsewhere votes from there: the others need it when one of them ends. */
static void test_voter_moves(void **state)
{
        (void)state;
        struct voting three = { .want = 3 };
        grow(3);
        assert_settled(3, 15);
        assert_true(test_wait_until(votes, &three, 15));
        for (unsigned turn = 0; turn < 2; turn++) { /* one that follows, then the leader */
                struct test_member *l = leader(), *moves = turn ? l : l == &nodes[2] ? &nodes[1] : &nodes[2];
                stop_node(moves, true);
                assert_true(test_wait_until(someone_leads, NULL, 10));
                moves->port = test_free_port();
                start_node(moves, NULL);
                three.at = moves;
                assert_true(test_wait_until(votes, &three, 30));
                assert_settled(3, 15);
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(leader()->c), *own = cluster_pin(moves->c);
                assert_int_equal(snapshot_member(s, str_of(own->member_id))->port, moves->port);
        }
        struct test_member *other = leader() == &nodes[0] || three.at == &nodes[0] ? &nodes[1] : &nodes[0];
        if (other == leader() || other == three.at)
                other = &nodes[2];
        stop_node(other, false);
        test_create(leader()->c, "by-two");
}

static void test_leader_dies_and_returns(void **state)
{
        (void)state;
        grow(3);
        assert_settled(3, 15);
        clock_sleep_ns(6 * NS_PER_SEC); /* voters */
        struct test_member *old = leader();
        test_create(old->c, "before");
        int64_t died = clock_mono_ns();
        stop_node(old, false);
        assert_true(test_wait_until(someone_leads, NULL, 10));
        print_message("a new leader after %lld ms\n", (long long)((clock_mono_ns() - died) / NS_PER_MS));
        assert_settled(2, 15);
        print_message("out of the map after %lld ms\n", (long long)((clock_mono_ns() - died) / NS_PER_MS));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(leader()->c);
        assert_non_null(snapshot_bucket_ais(s, STR("before")));
        assert_true(s->tombstones && s->earlier_count > 0);
        test_create(leader()->c, "between");
        start_node(old, NULL);
        assert_settled(3, 15);
        assert_ok(cluster_sync(old->c, clock_mono_ns() + 5 * NS_PER_SEC));
        AUTO_SNAPSHOT const struct snapshot *t = cluster_pin(old->c);
        assert_non_null(snapshot_bucket_ais(t, STR("between")));
        clean_all();
        /* Another primary by wish. */
        struct test_member *other = leader() == &nodes[0] ? &nodes[1] : &nodes[0];
        AUTO_SNAPSHOT const struct snapshot *o = cluster_pin(other->c);
        assert_ok(cluster_set_primary(leader()->c, str_of(o->proxy->id)));
        assert_true(test_wait_until(someone_leads, NULL, 5));
        assert_ptr_equal(leader(), other);
}

static void test_targets_follow(void **state)
{
        (void)state;
        nodes[1].role = CLUSTER_ROLE_TARGET;
        nodes[2].role = CLUSTER_ROLE_PROXY;
        grow(3);
        assert_settled(2, 15);
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(nodes[1].c), *p = cluster_pin(nodes[2].c);
        assert_true(!s->proxy && s->target && !p->target && p->proxy);
        /* Maintenance of a target is an epoch without it; it stays until it is clean. */
        char target[NODE_ID_MAX + 1];
        str_copy(target, sizeof(target), str_of(s->target->id));
        clean_all();
        assert_ok(cluster_node_set_flags(leader()->c, str_of(target), NODE_MAINTENANCE, 0));
        assert_settled(1, 10);
        assert_err(cluster_member_remove(leader()->c, str_of(target), false), ERR_CONFLICT);
        clean_all();
        assert_ok(cluster_member_remove(leader()->c, str_of(target), false));
        clock_sleep_ns(3 * NS_PER_SEC);
        assert_false(cluster_has_lease(nodes[1].c, clock_mono_ns()));
        stop_node(&nodes[1], true);
        AUTO_SNAPSHOT const struct snapshot *after = cluster_pin(leader()->c);
        assert_null(snapshot_node(after, str_of(target)));
        assert_int_equal(after->member_count, 2);
        assert_err(cluster_node_set_flags(leader()->c, str_of(after->primary->id), NODE_MAINTENANCE, 0), ERR_INVALID);
        assert_err(cluster_node_set_flags(leader()->c, STR("nobody"), NODE_MAINTENANCE, 0), ERR_NODE_NOT_FOUND);
}

static void test_tokens(void **state)
{
        (void)state;
        grow(1);
        char *once = token(1);
        nodes[2].dir = test_dir_new();
        nodes[2].port = test_free_port();
        start_node(&nodes[1], once);
        assert_err(test_member_open(&nodes[2], once, NULL), ERR_FORBIDDEN); /* used up */
        rpc_server_free(nodes[2].rpc);
        assert_err(test_member_open(&nodes[2], "orlop-join-eyJ4Ijp9", NULL), ERR_INVALID);
        rpc_server_free(nodes[2].rpc);
        /* Of another cluster, and of an authority that is not there. */
        char *other = token(5);
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        struct str plain, forged;
        assert_ok(str_base64_decode(&a, str_skip(str_of(other), strlen("orlop-join-")), &plain));
        for (unsigned i = 0; i < 2; i++) {
                AUTO_BUF struct buf text = BUF_INIT;
                buf_adds(&text, plain);
                char *at = strstr((char *)(uintptr_t)buf_cstr(&text), i ? "\"secret\":\"" : "\"authority\":\"");
                assert_non_null(at);
                at += i ? 12 : 15;
                *at = *at == 'a' ? 'b' : 'a';
                forged = str_base64url(&a, text.p, text.n);
                char t[2048];
                snprintf(t, sizeof(t), "orlop-join-" STR_FMT, STR_ARG(forged));
                int64_t began = clock_mono_ns();
                if (i) {
                        assert_err(test_member_open(&nodes[2], t, NULL), ERR_FORBIDDEN);
                        assert_true(clock_mono_ns() - began < 5 * NS_PER_SEC);
                        rpc_server_free(nodes[2].rpc);
                }
        }
        nodes[2].rpc = NULL;
        free(once);
        free(other);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(test_one_with_a_port), T(test_three), T(test_tokens), T(test_targets_follow),
                T(test_any_member_is_asked), T(test_voter_moves),
                T(test_leader_dies_and_returns),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
