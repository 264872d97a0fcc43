/* A disk without room, and a state as large as it may be. The disk is a small tmpfs in a mount namespace of the test's own; where that
 * is not allowed, those tests are skipped. */
#include "cluster/raft_test_util.h"

#include <sched.h>
#include <sys/mount.h>

static bool have_namespace;

/* A file system of so many MiB in place of the directory of a node. */
static void small_disk(uint64_t id, unsigned mib)
{
        char options[32];

        if (!have_namespace) {
                print_message("needs to mount a small file system: not allowed here\n");
                skip();
        }
        snprintf(options, sizeof(options), "size=%um,mode=0700", mib);
        assert_ok(file_mkdir_all(nodes[id].dir, 0700));
        assert_int_equal(mount("none", nodes[id].dir, "tmpfs", 0, options), 0);
}

static int teardown(void **state)
{
        for (uint64_t id = 1; id <= NODES_MAX; id++) {
                node_close(id);
                if (have_namespace)
                        (void)umount2(nodes[id].dir, MNT_DETACH);
        }
        return nodes_teardown(state);
}

/* Takes what room there is. */
static void fill_disk(uint64_t id)
{
        AUTO_FD int fd = -1;
        char path[320];
        AUTO_FREE char *piece = calloc(1, 1 << 20);
        struct err *e = NULL;

        snprintf(path, sizeof(path), "%s/ballast", nodes[id].dir);
        assert_ok(file_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd));
        for (size_t n = 1 << 20; n >= 4096; n /= 2) {
                while (!e)
                        e = file_write_full(fd, piece, n);
                err_free(e);
                e = NULL;
        }
}

static void make_room(uint64_t id)
{
        char path[320];

        snprintf(path, sizeof(path), "%s/ballast", nodes[id].dir);
        assert_ok(file_unlink(AT_FDCWD, path));
}

static enum err_code put_large(uint64_t id, unsigned i)
{
        static char body[256 << 10];
        char key[32];

        memset(body, 'x', sizeof(body) - 1);
        snprintf(key, sizeof(key), "large/%u", i % 4);
        struct doc d = { str_of(key), str_of(body), DOC_ANY };
        struct err *e = engine_propose(nodes[id].e, &d, 1, soon(2), NULL);
        enum err_code code = err_code(e);
        err_free(e);
        return code;
}

static void alone_on_a_full_disk(void **state)
{
        enum err_code code = ERR_NONE;
        int64_t end;

        (void)state;
        nodes[1].min_free = 1 << 20;
        nodes[1].watch_ms = 100;
        small_disk(1, 64);
        node_open(1, true);
        the_leader();
        assert_int_equal(put_large(1, 0), ERR_NONE);
        fill_disk(1);
        for (unsigned i = 0; i < 300 && code == ERR_NONE; i++)
                code = put_large(1, i);
        assert_true(code == ERR_NO_SPACE || code == ERR_UNAVAILABLE);
        assert_true(nodes[1].mirror.alarms > 0);
        make_room(1);
        end = soon(30);
        while ((code = put_large(1, 0)) != ERR_NONE && clock_mono_ns() < end)
                clock_sleep_ns(100 * NS_PER_MS);
        assert_int_equal(code, ERR_NONE);
        node_close(1);
        node_open(1, false);
        the_leader();
}

static void a_leader_on_a_full_disk_hands_over(void **state)
{
        (void)state;
        for (uint64_t id = 1; id <= 3; id++) {
                nodes[id].min_free = 1 << 20;
                nodes[id].watch_ms = 100;
        }
        small_disk(1, 64);
        grow_to(3);
        uint64_t leader = the_leader();
        if (leader != 1) {
                assert_ok(engine_transfer(nodes[leader].e, 1, soon(10)));
                assert_int_equal(the_leader(), 1);
        }
        fill_disk(1);
        int64_t end = soon(10);
        while (the_leader() == 1 && clock_mono_ns() < end)
                clock_sleep_ns(20 * NS_PER_MS);
        assert_int_not_equal(the_leader(), 1);
        assert_true(nodes[1].mirror.alarms > 0);
        for (unsigned i = 0; i < 40; i++) { /* more than fits into the segments that are there */
                while (put_large(the_leader(), i) != ERR_NONE)
                        clock_sleep_ns(20 * NS_PER_MS);
        }
        make_room(1);
        assert_all_agree();
}

static void the_largest_state(void **state)
{
        AUTO_FREE char *body = NULL;
        char key[32];
        struct engine_status st;

        (void)state;
        if (!long_form()) {
                print_message("in the long form (ORLOP_RAFT_LONG=1)\n");
                skip();
        }
        body = malloc(DOC_BODY_MAX);
        assert_non_null(body);
        memset(body, 'x', DOC_BODY_MAX);
        grow_to(3);
        int64_t t0 = clock_mono_ns(), longest = 0;
        for (unsigned i = 0; i < 63; i++) {
                snprintf(key, sizeof(key), "large/%02u", i);
                struct doc d = { str_of(key), { body, DOC_BODY_MAX - 100 }, DOC_ANY };
                int64_t before = clock_mono_ns();
                assert_ok(engine_propose(nodes[the_leader()].e, &d, 1, soon(20), NULL));
                longest = MAX(longest, clock_mono_ns() - before);
        }
        int64_t t1 = clock_mono_ns();
        for (unsigned i = 0; i < 1100; i++) { /* a snapshot of all of it, while commands go on */
                int64_t before = clock_mono_ns();
                put_anywhere("small", "x");
                longest = MAX(longest, clock_mono_ns() - before);
        }
        add_node(4);
        int64_t t2 = clock_mono_ns();
        assert_all_agree();
        engine_status(nodes[the_leader()].e, &st);
        uint64_t follower = the_leader() == 3 ? 2 : 3;
        node_close(follower);
        int64_t t3 = clock_mono_ns();
        node_open(follower, false);
        print_message("state of %lu MiB: written in %ld ms, 1100 more and a fourth voter in %ld ms, longest wait %ld ms, restart %ld ms\n",
                      (unsigned long)(st.bytes >> 20), (long)((t1 - t0) / NS_PER_MS), (long)((t2 - t1) / NS_PER_MS),
                      (long)(longest / NS_PER_MS), (long)((clock_mono_ns() - t3) / NS_PER_MS));
        assert_all_agree();
}

#define T(f) cmocka_unit_test_setup_teardown(f, nodes_setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(alone_on_a_full_disk),
                T(a_leader_on_a_full_disk_hands_over),
                T(the_largest_state),
        };

        have_namespace = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
        return cmocka_run_group_tests(tests, NULL, NULL);
}
