/* A voter's directory that was lost, emptied or exchanged is not taken; one from before there were marks is. */
#include "cluster/raft_mark.h"
#include "cluster/test_util.h"

static char *base, raft_dir[400], raft_mark[420], own_mark[420];
static int control;

static int setup(void **state)
{
        (void)state;
        base = test_dir_new();
        snprintf(raft_dir, sizeof(raft_dir), "%s/raft", base);
        snprintf(raft_mark, sizeof(raft_mark), "%s/voter", raft_dir);
        snprintf(own_mark, sizeof(own_mark), "%s/voter", base);
        assert_ok(file_open_dir(AT_FDCWD, base, &control));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        cleanup_fd(&control);
        test_dir_free(base);
        return 0;
}

static void it_is_made_once(void **state)
{
        (void)state;
        assert_ok(raft__mark(control, raft_dir, 7));
        assert_ok(raft__mark(control, raft_dir, 7));
}

static void what_is_gone_is_missed(void **state)
{
        (void)state;
        assert_ok(raft__mark(control, raft_dir, 7));
        assert_ok(file_unlink(AT_FDCWD, raft_mark)); /* emptied */
        assert_err(raft__mark(control, raft_dir, 7), ERR_CORRUPT);
        assert_ok(file_remove_tree(AT_FDCWD, raft_dir));
        assert_err(raft__mark(control, raft_dir, 7), ERR_CORRUPT);
        assert_err(raft__mark(control, raft_dir, 7), ERR_CORRUPT); /* asking changes nothing */
}

static void another_voters_is_refused(void **state)
{
        (void)state;
        assert_ok(raft__mark(control, raft_dir, 7));
        assert_err(raft__mark(control, raft_dir, 8), ERR_CORRUPT);
        assert_ok(file_unlink(AT_FDCWD, own_mark));
        assert_err(raft__mark(control, raft_dir, 8), ERR_CORRUPT);
}

static void a_crash_between_the_two_is_a_start_made_again(void **state)
{
        (void)state;
        assert_ok(raft__mark(control, raft_dir, 7));
        assert_ok(file_unlink(AT_FDCWD, own_mark));
        assert_ok(raft__mark(control, raft_dir, 7));
        assert_ok(file_unlink(AT_FDCWD, own_mark)); /* neither: a directory of an earlier version */
        assert_ok(file_unlink(AT_FDCWD, raft_mark));
        assert_ok(raft__mark(control, raft_dir, 7));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(it_is_made_once),
                T(what_is_gone_is_missed),
                T(another_voters_is_refused),
                T(a_crash_between_the_two_is_a_start_made_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
