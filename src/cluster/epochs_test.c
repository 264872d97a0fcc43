/* Placements: changes, confirmations of cleanness, bounds; the plan of voters; the book of leases step by step. */
#include "cluster/test_util.h"

#include "cluster/leases.h"
#include "cluster/voters.h"
#include "os/clock.h"

static const char *const ab[] = { "a", "b" }, *const abc[] = { "a", "b", "c" }, *const bc[] = { "b", "c" };

static void test_placements(void **state)
{
        (void)state;
        struct epochs e = { .earlier_count = 0 }, copy;
        bool changed;
        assert_ok(cluster__epochs_first(&e, ab, 2));
        assert_ok(cluster__epochs_change(&e, ab, 2, false, &changed));
        assert_false(changed);
        assert_ok(cluster__epochs_change(&e, abc, 3, false, &changed));
        assert_true(changed && e.current.epoch == 2 && e.earlier_count == 1 && e.earlier[0].epoch == 1);
        assert_true(cluster__epochs_pending(&e, "a") && cluster__epochs_pending(&e, "b"));
        assert_false(cluster__epochs_pending(&e, "c") || cluster__epochs_must_confirm(&e, "c"));
        assert_ok(cluster__epochs_change(&e, bc, 2, false, &changed));
        assert_true(e.earlier_count == 2 && e.earlier[0].epoch == 2 && cluster__epochs_pending(&e, "c"));
        assert_false(cluster__epochs_owns(&e, "a"));
        assert_err(cluster__epochs_clean(&e, "a", 2, &changed), ERR_CONFLICT);
        assert_err(cluster__epochs_clean(&e, "a", 4, &changed), ERR_CONFLICT);
        assert_ok(cluster__epochs_clone(&e, &copy));
        assert_ok(cluster__epochs_clean(&e, "a", 3, &changed));
        assert_true(changed && e.earlier_count == 2);
        assert_true(cluster__epochs_must_confirm(&e, "a")); /* it owned in a placement that is kept */
        assert_ok(cluster__epochs_clean(&e, "a", 3, &changed));
        assert_false(changed);
        assert_ok(cluster__epochs_clean(&e, "b", 3, &changed));
        assert_int_equal(e.earlier_count, 1); /* the first one is settled, c is pending in the second */
        assert_int_equal(e.earlier[0].epoch, 2);
        assert_true(cluster__epochs_strike(&e, "c"));
        assert_int_equal(e.earlier_count, 0);
        assert_false(cluster__epochs_strike(&e, "c"));
        assert_int_equal(copy.earlier_count, 2); /* a copy is independent */
        cluster__epochs_fini(&copy);
        cluster__epochs_fini(&e);
}

static void test_bounds(void **state)
{
        (void)state;
        struct epochs e = { .earlier_count = 0 };
        bool changed;
        assert_ok(cluster__epochs_first(&e, ab, 2));
        for (unsigned i = 0; i < CLUSTER_EARLIER_MAX; i++)
                assert_ok(cluster__epochs_change(&e, i & 1 ? ab : abc, i & 1 ? 2 : 3, false, &changed));
        assert_err(cluster__epochs_change(&e, bc, 2, false, &changed), ERR_CONFLICT);
        for (unsigned i = CLUSTER_EARLIER_MAX; i < EPOCHS_EARLIER_HARD; i++)
                assert_ok(cluster__epochs_change(&e, i & 1 ? ab : abc, i & 1 ? 2 : 3, true, &changed));
        assert_err(cluster__epochs_change(&e, bc, 2, true, &changed), ERR_CONFLICT);
        assert_int_equal(e.current.epoch, EPOCHS_EARLIER_HARD + 1);
        for (unsigned i = 0; i < 3; i++)
                assert_ok(cluster__epochs_clean(&e, abc[i], e.current.epoch, &changed));
        assert_int_equal(e.earlier_count, 0);
        /* From nobody to somebody: there is nothing to wait for. */
        assert_ok(cluster__epochs_change(&e, NULL, 0, false, &changed));
        assert_ok(cluster__epochs_clean(&e, "a", e.current.epoch, &changed));
        assert_ok(cluster__epochs_clean(&e, "b", e.current.epoch, &changed));
        assert_ok(cluster__epochs_change(&e, ab, 2, false, &changed));
        assert_int_equal(e.earlier_count, 0);
        cluster__epochs_fini(&e);
}

static void leases_of(struct leases *l, bool up_b, uint64_t since_b, int64_t now)
{
        const struct lease_member list[] = { { "m-a", "a", true, 1 }, { "m-b", "b", up_b, since_b }, { "m-p", "", true, 1 } };
        assert_ok(cluster__leases_state(l, list, 3, now));
}

static void tick(struct leases *l, int64_t from, int64_t to)
{
        for (int64_t t = from; t <= to; t += LEASE_ELECTION_NS / 2)
                (void)cluster__leases_tick(l, t);
        (void)cluster__leases_tick(l, to);
}

static void test_leases(void **state)
{
        (void)state;
        struct leases l = { .n = 0 };
        int64_t t = 1000 * NS_PER_SEC;
        leases_of(&l, true, 1, t);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 1, 1), LEASE_NOT_LEADER);
        cluster__leases_lead(&l, t, false);
        assert_int_equal(cluster__leases_beat(&l, t, false, "m-a", 1, 1), LEASE_NOT_LEADER);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-x", 1, 1), LEASE_UNKNOWN);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 5, 1), LEASE_GIVEN);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 4, 1), LEASE_OLD_PROCESS);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 6, 1), LEASE_GIVEN);
        assert_true(cluster__leases_heard(&l, "m-a", t + NS_PER_SEC, NS_PER_SEC));
        assert_false(cluster__leases_heard(&l, "m-b", t, NS_PER_SEC));
        /* Nobody is declared down within the time of grace, then who was silent. */
        tick(&l, t, t + LEASE_GRACE_NS - 1);
        assert_null(cluster__leases_dead(&l, t + LEASE_GRACE_NS - 1, "m-p", 0));
        t += LEASE_GRACE_NS;
        tick(&l, t, t);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 6, 1), LEASE_GIVEN);
        assert_string_equal(cluster__leases_dead(&l, t, "m-p", 0), "m-b");
        assert_null(cluster__leases_dead(&l, t, "m-p", 1));
        leases_of(&l, false, 1, t);
        assert_null(cluster__leases_dead(&l, t, "m-p", 0));
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 1, 1), LEASE_DOWN);
        leases_of(&l, true, 3, t);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 1, 2), LEASE_BEHIND);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 1, 3), LEASE_GIVEN);
        /* A process that stood still gives everybody time again. */
        t += 20 * NS_PER_SEC;
        assert_null(cluster__leases_dead(&l, t, "m-p", 0));
        assert_false(cluster__leases_tick(&l, t));
        assert_null(cluster__leases_dead(&l, t, "m-p", 0));
        assert_true(cluster__leases_tick(&l, t + NS_PER_MS));
        assert_null(cluster__leases_dead(&l, t + NS_PER_MS, "m-p", 0));
        cluster__leases_follow(&l);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 6, 1), LEASE_NOT_LEADER);
        cluster__leases_fini(&l);
}

static void test_openings(void **state)
{
        (void)state;
        struct leases l = { .n = 0 };
        struct epochs e = { .earlier_count = 0 };
        bool changed;
        int64_t t = 1000 * NS_PER_SEC;
        leases_of(&l, true, 1, t);
        assert_ok(cluster__epochs_first(&e, ab, 2));
        assert_int_equal(cluster__leases_open(&l, t, &e), 0);
        cluster__leases_lead(&l, t, false);
        assert_int_equal(cluster__leases_open(&l, t, &e), 1); /* nothing earlier: nothing to wait for */
        assert_ok(cluster__epochs_change(&e, abc, 3, false, &changed));
        assert_int_equal(cluster__leases_open(&l, t, &e), 1);
        t += LEASE_GRACE_NS;
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 1, 2), LEASE_GIVEN);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 1, 1), LEASE_GIVEN);
        assert_int_equal(cluster__leases_open(&l, t, &e), 1);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 1, 2), LEASE_GIVEN);
        assert_int_equal(cluster__leases_open(&l, t, &e), 2);
        assert_ok(cluster__epochs_change(&e, ab, 2, false, &changed));
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 1, 3), LEASE_GIVEN);
        assert_int_equal(cluster__leases_open(&l, t, &e), 2);
        cluster__leases_condemn(&l, "m-b");
        leases_of(&l, false, 1, t); /* b is down: its lease has run out before */
        assert_int_equal(cluster__leases_open(&l, t, &e), 3);
        /* Who has said goodbye may come back, and is not waited for when that would hold others up. */
        tick(&l, t - LEASE_GRACE_NS, t);
        leases_of(&l, true, 1, t);
        assert_ok(cluster__epochs_change(&e, abc, 3, false, &changed));
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 2, 3), LEASE_GIVEN);
        assert_false(cluster__leases_goodbye(&l, "m-b", 1)); /* of an earlier process */
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 1, 4), LEASE_GIVEN);
        assert_int_equal(cluster__leases_open(&l, t, &e), 3);
        assert_null(cluster__leases_dead(&l, t, "m-p", 0));
        assert_true(cluster__leases_goodbye(&l, "m-b", 2));
        assert_string_equal(cluster__leases_dead(&l, t, "m-p", 0), "m-b");
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 3, 4), LEASE_GIVEN); /* its next process */
        assert_null(cluster__leases_dead(&l, t, "m-p", 0));
        assert_int_equal(cluster__leases_open(&l, t, &e), 4);
        assert_true(cluster__leases_goodbye(&l, "m-b", 3));
        assert_null(cluster__leases_dead(&l, t, "m-p", 0)); /* nobody waits */
        assert_ok(cluster__epochs_change(&e, ab, 2, false, &changed));
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-a", 1, 5), LEASE_GIVEN);
        assert_int_equal(cluster__leases_beat(&l, t, true, "m-b", 4, 5), LEASE_GIVEN);
        assert_int_equal(cluster__leases_open(&l, t, &e), 5);
        /* A member that vanishes while it may hold a lease holds the next opening back. */
        assert_ok(cluster__epochs_change(&e, abc, 3, false, &changed));
        const struct lease_member one[] = { { "m-b", "b", false, 1 }, { "m-p", "", true, 1 } };
        assert_ok(cluster__leases_state(&l, one, 2, t));
        assert_int_equal(cluster__leases_open(&l, t + LEASE_GRACE_NS - 1, &e), 5);
        assert_int_equal(cluster__leases_open(&l, t + LEASE_GRACE_NS, &e), 6);
        /* A new leader does not know what was opened before. */
        cluster__leases_follow(&l);
        cluster__leases_lead(&l, t, false);
        assert_int_equal(cluster__leases_open(&l, t, &e), 0);
        cluster__epochs_fini(&e);
        cluster__leases_fini(&l);
}

/* Performs steps until there are none; returns the number of voters. Live voters must keep a majority throughout. */
static unsigned settle_voters(struct voter_candidate *list, unsigned n, unsigned *ret_steps)
{
        for (*ret_steps = 0; *ret_steps < 50; (*ret_steps)++) {
                uint64_t id = 0;
                enum voter_step step = cluster__voters_step(list, n, &id);
                unsigned voters = 0, live = 0;
                for (unsigned i = 0; i < n; i++) {
                        if (list[i].id == id && step != VOTER_NOTHING) {
                                assert_true(step == VOTER_REMOVE ? list[i].voting || list[i].listed : !list[i].voting);
                                assert_false(step == VOTER_REMOVE && list[i].leader);
                                list[i].voting = list[i].listed = step == VOTER_ADD;
                        }
                        voters += list[i].voting;
                        live += list[i].voting && list[i].up;
                }
                if (step == VOTER_NOTHING)
                        return voters;
                assert_true(live > voters / 2);
        }
        fail_msg("no end");
        return 0;
}

static void test_voters(void **state)
{
        (void)state;
        static const unsigned want[] = { 0, 1, 1, 3, 3, 5, 5, 7, 7, 7, 7 };
        struct voter_candidate v[10];
        unsigned steps;
        for (unsigned n = 1; n <= ARRAY_LEN(v); n++) {
                for (unsigned i = 0; i < n; i++)
                        v[i] = (struct voter_candidate){ i + 1, (int64_t)i, true, true, i == 0, true, i == 0, false, false };
                assert_int_equal(settle_voters(v, n, &steps), want[n]);
                assert_int_equal(steps, want[n] - 1);
                for (unsigned i = 0; i < n; i++)
                        assert_true(v[i].voting == (i < want[n])); /* those that joined first */
        }
        /* One of three is down: it stays until another can take its place, then it is replaced. */
        for (unsigned i = 0; i < 4; i++)
                v[i] = (struct voter_candidate){ i + 1, (int64_t)i, i < 3, i != 1, i < 3, true, i == 0, false, false };
        assert_int_equal(settle_voters(v, 4, &steps), 3);
        assert_true(steps == 0 && v[1].voting);
        v[3].electable = true;
        assert_int_equal(settle_voters(v, 4, &steps), 3);
        assert_true(v[3].voting && !v[1].voting);
        v[1].up = true; /* back again: three of four stay as they are */
        assert_int_equal(settle_voters(v, 4, &steps), 3);
        assert_int_equal(steps, 0);
        /* Who is no member any more goes; then two are left, and one must do. */
        v[1].up = false;
        v[3].member = false;
        v[3].up = false;
        assert_int_equal(settle_voters(v, 4, &steps), 1);
        /* Two of three are down: nothing can be done, and nothing is tried. */
        for (unsigned i = 0; i < 5; i++)
                v[i] = (struct voter_candidate){ i + 1, (int64_t)i, true, i == 0 || i > 2, i < 3, true, i == 0, false, false };
        uint64_t id = 0;
        assert_int_equal(cluster__voters_step(v, 3, &id), VOTER_NOTHING);
        assert_true(cluster__voters_step(v, 5, &id) != VOTER_REMOVE);
        /* A change broke off: who came halfway is brought to its vote, or taken out where it is not wanted (any more). */
        for (unsigned i = 0; i < 4; i++)
                v[i] = (struct voter_candidate){ i + 1, (int64_t)i, i < 3, true, i < 2, true, i == 0, false, true };
        assert_int_equal(settle_voters(v, 4, &steps), 3);
        assert_int_equal(steps, 2);
        assert_true(v[2].voting && !v[3].voting && !v[3].listed);
        /* One votes under an old address: it goes, and comes again; the leader gives way to one that is found. */
        for (unsigned i = 0; i < 3; i++)
                v[i] = (struct voter_candidate){ i + 1, (int64_t)i, true, true, true, true, i == 0, i == 2, false };
        assert_int_equal(cluster__voters_step(v, 3, &id), VOTER_REMOVE);
        assert_int_equal(id, 3);
        v[1].up = false; /* then the leader would be alone */
        assert_int_equal(cluster__voters_step(v, 3, &id), VOTER_NOTHING);
        v[1].up = v[0].moved = true;
        v[2].moved = false;
        assert_int_equal(cluster__voters_step(v, 3, &id), VOTER_HAND_OVER);
        assert_int_equal(id, 2);
        v[2].up = false; /* two that find each other are needed */
        assert_int_equal(cluster__voters_step(v, 3, &id), VOTER_NOTHING);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_placements), cmocka_unit_test(test_bounds), cmocka_unit_test(test_leases),
                cmocka_unit_test(test_openings),   cmocka_unit_test(test_voters),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
