/* Freshness of leadership as a function of what was heard and when the thread ran. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cluster/raft_fresh.h"

enum { T = 500 };
static const uint64_t three[] = { 1, 2, 3 }, five[] = { 1, 2, 3, 4, 5 }, two[] = { 1, 2 };

static void a_majority_must_have_been_heard_lately(void **state)
{
        struct raft_fresh f;
        (void)state;
        raft_fresh_init(&f, T, 1000);
        assert_int_equal(raft_fresh_until(&f, three, 3, 1, 1000), 0);
        raft_fresh_heard(&f, 2, 1010);
        assert_int_equal(raft_fresh_until(&f, three, 3, 1, 1020), 1510);
        assert_int_equal(raft_fresh_until(&f, three, 3, 1, 1510), 0);
        assert_int_equal(raft_fresh_until(&f, five, 5, 1, 1020), 0);
        raft_fresh_heard(&f, 5, 1005);
        assert_int_equal(raft_fresh_until(&f, five, 5, 1, 1020), 1505);
        raft_fresh_heard(&f, 3, 1015);
        assert_int_equal(raft_fresh_until(&f, five, 5, 1, 1020), 1510);
        assert_int_equal(raft_fresh_until(&f, two, 2, 1, 1020), 1510);
        raft_fresh_reset(&f);
        assert_int_equal(raft_fresh_until(&f, two, 2, 1, 1020), 0);
}

static void a_gap_takes_it_away_for_two_election_timeouts(void **state)
{
        struct raft_fresh f;
        (void)state;
        raft_fresh_init(&f, T, 1000);
        raft_fresh_run(&f, 1500);
        raft_fresh_heard(&f, 2, 1500);
        assert_true(raft_fresh_until(&f, three, 3, 1, 1500) > 0);
        raft_fresh_run(&f, 2001); /* one more than the time-out */
        raft_fresh_heard(&f, 2, 2001); /* an answer that lay in the socket */
        assert_int_equal(raft_fresh_until(&f, three, 3, 1, 2001), 0);
        for (int64_t t = 2010; t < 3001; t += 10) {
                raft_fresh_run(&f, t);
                raft_fresh_heard(&f, 2, t);
                assert_int_equal(raft_fresh_until(&f, three, 3, 1, t), 0);
        }
        raft_fresh_run(&f, 3001);
        assert_true(raft_fresh_until(&f, three, 3, 1, 3001) > 3001);
}

static void alone_there_is_nobody_to_lose_it_to(void **state)
{
        struct raft_fresh f;
        (void)state;
        raft_fresh_init(&f, T, 1000);
        raft_fresh_run(&f, 9000);
        assert_int_equal(raft_fresh_until(&f, three, 1, 1, 9000), 9000 + T);
}

static void more_peers_than_there_is_room_for(void **state)
{
        struct raft_fresh f;
        (void)state;
        raft_fresh_init(&f, T, 0);
        for (uint64_t id = 1; id <= RAFT_VOTERS_MAX + 2; id++)
                raft_fresh_heard(&f, id, (int64_t)id * 10);
        assert_int_equal(f.n, RAFT_VOTERS_MAX);
        assert_int_equal(raft_fresh_last_heard(&f, RAFT_VOTERS_MAX + 2), (RAFT_VOTERS_MAX + 2) * 10);
        assert_int_equal(raft_fresh_last_heard(&f, 1), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_majority_must_have_been_heard_lately),
                cmocka_unit_test(a_gap_takes_it_away_for_two_election_timeouts),
                cmocka_unit_test(alone_there_is_nobody_to_lose_it_to),
                cmocka_unit_test(more_peers_than_there_is_room_for),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
