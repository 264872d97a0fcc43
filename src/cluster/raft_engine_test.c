/* The raft engine with voters in one process: alone, growing, handing over, shrinking, restarting, catching up by snapshot. */
#include "cluster/raft_test_util.h"

#include <stdatomic.h>

static void alone_it_keeps_what_was_acknowledged(void **state)
{
        char body[64];
        uint64_t index = 0, second = 0;
        struct engine_status st, again;

        (void)state;
        node_open(1, true);
        assert_int_equal(nodes[1].mirror.wholes, 1);
        assert_int_equal(nodes[1].mirror.n, 0);
        the_leader();
        assert_ok(put(1, "a", "1", 0, &index));
        mirror_get(&nodes[1], "a", body, sizeof(body));
        assert_string_equal(body, "1"); /* the event has run when the call returns */
        assert_err(put(1, "a", "2", 0, NULL), ERR_CONFLICT);
        assert_ok(put(1, "a", "3", index, &second));
        assert_true(second > index);
        assert_ok(engine_fence(nodes[1].e, soon(10)));
        assert_true(engine_is_fresh_leader(nodes[1].e, NULL));
        engine_status(nodes[1].e, &st);
        assert_int_equal(st.documents, 1);
        node_close(1);
        node_open(1, true); /* bootstrap means nothing to a directory in use */
        the_leader();
        engine_status(nodes[1].e, &again);
        assert_int_equal(again.state_hash, st.state_hash);
        mirror_get(&nodes[1], "a", body, sizeof(body));
        assert_string_equal(body, "3");
        assert_true(again.role.term >= st.role.term); /* alone, a term may go on */
}

static void one_process_at_a_time(void **state)
{
        struct raft_inspection in;

        (void)state;
        node_open(1, true);
        the_leader();
        struct engine *first = nodes[1].e;
        assert_err(node_try_open(1, false), ERR_IN_USE);
        nodes[1].e = first;
        assert_err(raft_inspect(nodes[1].dir, 1, nodes[1].address, &in), ERR_IN_USE);
}

static void a_request_made_again_is_applied_once(void **state)
{
        struct doc d = { STR("k"), STR("1"), 0 }, e = { STR("k"), STR("2"), DOC_ANY };
        uint64_t first = 0, again = 0;

        (void)state;
        node_open(1, true);
        the_leader();
        assert_ok(engine_propose_once(nodes[1].e, 9, 1, &d, 1, soon(10), &first));
        assert_ok(engine_propose_once(nodes[1].e, 9, 1, &d, 1, soon(10), &again));
        assert_int_equal(first, again);
        assert_ok(engine_propose_once(nodes[1].e, 9, 2, &e, 1, soon(10), &again));
        assert_true(again > first);
        assert_err(engine_propose_once(nodes[1].e, 9, 1, &d, 1, soon(10), NULL), ERR_INVALID);
        node_close(1);
        node_open(1, false); /* the memory of it is part of the state */
        the_leader();
        assert_ok(engine_propose_once(nodes[1].e, 9, 2, &e, 1, soon(10), &first));
        assert_int_equal(first, again);
}

static void followers_refuse_what_only_the_leader_may_do(void **state)
{
        struct raft_voter v[RAFT_VOTERS_MAX];

        (void)state;
        grow_to(3);
        uint64_t follower = the_leader() == 2 ? 3 : 2;
        struct engine *e = nodes[follower].e;
        assert_err(put(follower, "a", "1", DOC_ANY, NULL), ERR_NOT_PRIMARY);
        assert_err(engine_fence(e, soon(5)), ERR_NOT_PRIMARY);
        assert_err(engine_voter_add(e, 7, "x:1", soon(5)), ERR_NOT_PRIMARY);
        assert_err(engine_transfer(e, 0, soon(5)), ERR_NOT_PRIMARY);
        assert_err(engine_voter_remove(nodes[the_leader()].e, the_leader(), soon(5)), ERR_INVALID);
        assert_err(engine_voter_add(nodes[the_leader()].e, follower, "elsewhere:1", soon(5)), ERR_CONFLICT);
        assert_false(engine_is_fresh_leader(e, NULL));
        assert_int_equal(engine_voters(e, v), 3);
        assert_all_agree();
}

/* Without a majority nothing is acknowledged, no fence ends, and freshness is gone. */
static void a_minority_says_nothing(void **state)
{
        (void)state;
        grow_to(3);
        assert_ok(engine_transfer(nodes[the_leader()].e, the_leader() == 1 ? 0 : 1, soon(10)));
        uint64_t leader = the_leader();
        for (uint64_t id = 1; id <= 3; id++) {
                if (id != leader)
                        node_close(id);
        }
        clock_sleep_ns(2 * (int64_t)election_ms * NS_PER_MS + 100 * NS_PER_MS);
        assert_false(engine_is_fresh_leader(nodes[leader].e, NULL));
        struct doc d = { STR("lost"), STR("1"), DOC_ANY };
        struct err *e = engine_propose(nodes[leader].e, &d, 1, soon(1), NULL);
        assert_true(err_code(e) == ERR_NOT_PRIMARY || err_code(e) == ERR_UNAVAILABLE);
        err_free(e);
        e = engine_fence(nodes[leader].e, soon(1));
        assert_true(err_code(e) == ERR_NOT_PRIMARY || err_code(e) == ERR_UNAVAILABLE);
        err_free(e);
        for (uint64_t id = 1; id <= 3; id++) {
                if (id != leader)
                        node_open(id, false);
        }
        put_anywhere("found", "1");
        assert_all_agree();
}

/* ---- under load ---- */

static atomic_bool stop_writers;
static atomic_uint written;
static _Atomic int64_t longest_gap_ns;

static void *writer(void *arg)
{
        unsigned w = *(unsigned *)arg, i = 0;
        int64_t last = clock_mono_ns();

        while (!atomic_load(&stop_writers)) {
                char key[32], body[32];
                snprintf(key, sizeof(key), "w%u/%02u", w, i % 50);
                snprintf(body, sizeof(body), "%u", i);
                put_anywhere(key, body);
                int64_t now = clock_mono_ns(), longest = atomic_load(&longest_gap_ns);
                while (now - last > longest && !atomic_compare_exchange_weak(&longest_gap_ns, &longest, now - last))
                        continue;
                last = now;
                i++;
                atomic_fetch_add(&written, 1);
        }
        return NULL;
}

static pthread_t writers[4];
static unsigned writer_number[4];

static void load_start(unsigned n)
{
        atomic_store(&stop_writers, false);
        atomic_store(&written, 0);
        atomic_store(&longest_gap_ns, 0);
        for (unsigned i = 0; i < n; i++) {
                writer_number[i] = i;
                assert_int_equal(pthread_create(&writers[i], NULL, writer, &writer_number[i]), 0);
        }
}

static void load_stop(unsigned n)
{
        atomic_store(&stop_writers, true);
        for (unsigned i = 0; i < n; i++)
                pthread_join(writers[i], NULL);
}

static void transfer_somewhere(void)
{
        for (unsigned i = 0; i < 20; i++) {
                struct err *e = engine_transfer(nodes[the_leader()].e, 0, soon(10));
                if (!e)
                        return;
                err_free(e); /* led by another one already */
        }
        fail_msg("leadership can not be handed over");
}

static void grow_hand_over_and_shrink_under_load(void **state)
{
        int64_t took = 0;

        (void)state;
        grow_to(1);
        load_start(2);
        int64_t t0 = clock_mono_ns();
        grow_to(3);
        int64_t t3 = clock_mono_ns();
        grow_to(5);
        int64_t t5 = clock_mono_ns();
        atomic_store(&longest_gap_ns, 0);
        for (unsigned i = 0; i < 10; i++) {
                int64_t before = clock_mono_ns();
                transfer_somewhere();
                the_leader();
                took = MAX(took, clock_mono_ns() - before);
                clock_sleep_ns(20 * NS_PER_MS);
        }
        int64_t gap = atomic_load(&longest_gap_ns);
        /* a dead voter, then the one that leads */
        uint64_t dead = the_leader() == 5 ? 4 : 5;
        node_close(dead);
        assert_ok(engine_voter_remove(nodes[the_leader()].e, dead, soon(20)));
        uint64_t leaving = the_leader();
        transfer_somewhere();
        assert_ok(engine_voter_remove(nodes[the_leader()].e, leaving, soon(20)));
        put_anywhere("after", "removal");
        load_stop(2);
        node_close(leaving);
        assert_all_agree();
        /* both come back: with their data under the same id */
        add_node(leaving);
        add_node(dead);
        assert_all_agree();
        struct raft_voter v[RAFT_VOTERS_MAX];
        assert_int_equal(engine_voters(nodes[the_leader()].e, v), 5);
        print_message("grown to 3 in %ld ms, to 5 in %ld ms; 10 hand-overs, longest %ld ms, longest pause of a writer %ld ms; %u written\n",
                      (long)((t3 - t0) / NS_PER_MS), (long)((t5 - t3) / NS_PER_MS), (long)(took / NS_PER_MS),
                      (long)(gap / NS_PER_MS), atomic_load(&written));
}

static void one_that_is_far_behind_gets_a_snapshot(void **state)
{
        struct engine_status st;
        char key[32];

        (void)state;
        grow_to(3);
        uint64_t behind = the_leader() == 3 ? 2 : 3;
        node_close(behind);
        load_start(4);
        while (atomic_load(&written) < 3000)
                clock_sleep_ns(5 * NS_PER_MS);
        load_stop(4);
        engine_status(nodes[the_leader()].e, &st);
        assert_true(st.snapshot_index > 1000);
        node_open(behind, false);
        assert_all_agree();
        assert_true(nodes[behind].mirror.wholes >= 2); /* its own, then the one sent */
        node_close(behind);
        node_open(behind, false);
        assert_all_agree();
        add_node(4); /* and so does a newcomer */
        assert_all_agree();
        snprintf(key, sizeof(key), "w0/%02u", 7);
        char a[32], b[32];
        mirror_get(&nodes[1], key, a, sizeof(a));
        mirror_get(&nodes[4], key, b, sizeof(b));
        assert_string_equal(a, b);
}

static void *waiting_fence(void *arg)
{
        return engine_fence(((struct node *)arg)->e, soon(60));
}

static void closing_ends_what_waits(void **state)
{
        pthread_t t;
        void *end = NULL;

        (void)state;
        grow_to(3);
        uint64_t leader = the_leader();
        for (uint64_t id = 1; id <= 3; id++) {
                if (id != leader)
                        node_close(id);
        }
        assert_int_equal(pthread_create(&t, NULL, waiting_fence, &nodes[leader]), 0);
        clock_sleep_ns(30 * NS_PER_MS);
        node_close(leader); /* takes the lock of dials, which the fence does not */
        pthread_join(t, &end);
        assert_err((struct err *)end, ERR_UNAVAILABLE);
}

static void the_lost_quorum_is_recovered_on_purpose(void **state)
{
        struct raft_inspection in;
        struct engine_status before, after;
        struct stat st;
        char copy[400];

        (void)state;
        grow_to(3);
        for (unsigned i = 0; i < 20; i++) {
                char key[16];
                snprintf(key, sizeof(key), "k%u", i);
                put_anywhere(key, "v");
        }
        assert_all_agree();
        engine_status(nodes[1].e, &before);
        for (uint64_t id = 1; id <= 3; id++)
                node_close(id);
        assert_ok(file_remove_tree(AT_FDCWD, nodes[2].dir));
        assert_ok(file_remove_tree(AT_FDCWD, nodes[3].dir));
        assert_ok(raft_inspect(nodes[1].dir, 1, nodes[1].address, &in));
        assert_int_equal(in.voters, 3);
        assert_int_equal(in.state_hash, before.state_hash);
        assert_int_equal(in.last_index, before.last_index);
        assert_ok(raft_recover_alone(nodes[1].dir, 1, nodes[1].address));
        snprintf(copy, sizeof(copy), "%s.before-recover-1", nodes[1].dir);
        assert_ok(file_stat_at(AT_FDCWD, copy, &st));
        node_open(1, false);
        assert_int_equal(the_leader(), 1);
        engine_status(nodes[1].e, &after);
        assert_int_equal(after.state_hash, before.state_hash);
        assert_int_equal(after.documents, before.documents);
        add_node(4); /* others join with new ids */
        add_node(5);
        put_anywhere("new", "life");
        assert_all_agree();
        assert_ok(raft_recover_alone(copy, 1, nodes[1].address)); /* the copy is a directory like any other */
}

static struct err *count_doc(void *arg, const struct doc *d)
{
        unsigned *n = arg;

        assert_true(d->key.n > 0 && d->modified > 0);
        ++*n;
        return NULL;
}

static void it_can_be_looked_at_without_being_changed(void **state)
{
        struct raft_inspection in;
        unsigned n = 0;

        (void)state;
        assert_err(raft_inspect(nodes[1].dir, 1, nodes[1].address, &in), ERR_NOT_FOUND);
        node_open(1, true);
        for (unsigned i = 0; i < 30; i++) {
                char key[16];
                snprintf(key, sizeof(key), "k%02u", i);
                put_anywhere(key, "v");
        }
        node_close(1);
        assert_ok(raft_export(nodes[1].dir, 1, nodes[1].address, count_doc, &n));
        assert_int_equal(n, 30);
        assert_ok(raft_inspect(nodes[1].dir, 1, nodes[1].address, &in));
        assert_int_equal(in.documents, 30);
        assert_int_equal(in.voters, 1);
        assert_string_equal(in.voter[0].address, nodes[1].address);
        node_open(1, false);
        the_leader();
}

#define T(f) cmocka_unit_test_setup_teardown(f, nodes_setup, nodes_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(alone_it_keeps_what_was_acknowledged),
                T(one_process_at_a_time),
                T(a_request_made_again_is_applied_once),
                T(followers_refuse_what_only_the_leader_may_do),
                T(a_minority_says_nothing),
                T(grow_hand_over_and_shrink_under_load),
                T(one_that_is_far_behind_gets_a_snapshot),
                T(closing_ends_what_waits),
                T(the_lost_quorum_is_recovered_on_purpose),
                T(it_can_be_looked_at_without_being_changed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
