/* Whether the library that this build is linked with commits only what it may: "Figure 8" of the Raft paper. A leader must not count
 * copies of an entry of an older term; 0.15 did, and lost what two voters had applied. Uses the library's own simulator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>
#include <raft.h>
#include <raft/fixture.h>

static int apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
        (void)buf;
        *result = NULL;
        ++*(unsigned *)fsm->data;
        return 0;
}

static int snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n)
{
        (void)fsm;
        (void)bufs;
        (void)n;
        return RAFT_BUSY;
}

static int restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
        (void)fsm;
        (void)buf;
        return RAFT_CORRUPT;
}

/* The log of each server when it starts: an entry of this term at index 2, besides the configuration at 1. */
static void add_entry(struct raft_fixture *f, unsigned server, raft_term term)
{
        struct raft_entry e = { .term = term, .type = RAFT_COMMAND, .buf = { raft_calloc(1, 8), 8 }, .batch = NULL };

        assert_non_null(e.buf.base);
        raft_fixture_add_entry(f, server, &e);
}

static bool has_applied(struct raft_fixture *f, void *arg)
{
        (void)f;
        return *(unsigned *)arg > 0;
}

/* Server 0 led in term 2 and stored an entry alone; server 2 led in term 3 and stored another alone; server 0 leads again in term 4 and
 * copies its old entry to server 1. Two of three have it now, and it must not be committed by that. */
static void an_entry_of_an_older_term_is_not_committed_by_its_copies(void **state)
{
        struct raft_fixture f;
        struct raft_configuration conf;
        struct raft_fsm fsm[3];
        unsigned applied[3] = { 0 };

        (void)state;
        assert_int_equal(raft_fixture_initialize(&f), 0);
        for (unsigned i = 0; i < 3; i++) {
                fsm[i] = (struct raft_fsm){ .version = 1, .data = &applied[i], .apply = apply, .snapshot = snapshot, .restore = restore };
                assert_int_equal(raft_fixture_grow(&f, &fsm[i]), 0);
        }
        assert_int_equal(raft_fixture_configuration(&f, 3, &conf), 0);
        assert_int_equal(raft_fixture_bootstrap(&f, &conf), 0);
        raft_configuration_close(&conf);
        add_entry(&f, 0, 2);
        add_entry(&f, 2, 3);
        raft_fixture_set_term(&f, 0, 3);
        raft_fixture_set_term(&f, 1, 3);
        raft_fixture_set_term(&f, 2, 3);
        assert_int_equal(raft_fixture_start(&f), 0);
        /* the third one is away; the first is chosen by itself and the second */
        raft_fixture_disconnect(&f, 0, 2);
        raft_fixture_disconnect(&f, 2, 0);
        raft_fixture_disconnect(&f, 1, 2);
        raft_fixture_disconnect(&f, 2, 1);
        raft_fixture_set_randomized_election_timeout(&f, 0, 1000);
        raft_fixture_set_randomized_election_timeout(&f, 1, 1900);
        raft_fixture_set_randomized_election_timeout(&f, 2, 1900);
        assert_true(raft_fixture_step_until_state_is(&f, 0, RAFT_LEADER, 20000));
        assert_int_equal(raft_current_term(raft_fixture_get(&f, 0)), 4);
        /* Step by step: before an entry of its own term is on two of three, nothing is committed or applied. */
        struct raft *leader = raft_fixture_get(&f, 0), *other = raft_fixture_get(&f, 1);
        bool copied = false;
        for (unsigned i = 0; i < 2000 && raft_commit_index(leader) < 2; i++) {
                raft_fixture_step(&f);
                copied |= raft_last_index(other) >= 2;
        }
        if (raft_commit_index(leader) < 2) { /* a library that adds no such entry by itself */
                assert_true(copied);
                assert_int_equal(applied[0] + applied[1], 0);
                struct raft_buffer buf = { raft_calloc(1, 8), 8 };
                static struct raft_apply req;
                assert_int_equal(raft_apply(leader, &req, &buf, 1, NULL), 0);
        } else {
                assert_true(raft_last_index(leader) >= 3 && raft_last_index(other) >= 3);
        }
        assert_true(raft_fixture_step_until(&f, has_applied, &applied[1], 5000));
        raft_fixture_close(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(an_entry_of_an_older_term_is_not_committed_by_its_copies),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
