/* What a voter does with a damaged directory: a clear refusal, or healing; never a crash, never a silent lag. */
#include "cluster/raft_test_util.h"

#include <dirent.h>

struct wanted {
        const char *prefix;
        bool meta; /* the ".meta" of a snapshot */
        char name[256];
};

static struct err *match(void *arg, const char *name, unsigned char type)
{
        struct wanted *w = arg;
        size_t n = strlen(name);
        bool meta = n > 5 && strcmp(name + n - 5, ".meta") == 0;
        bool hit = *w->prefix ? strncmp(name, w->prefix, strlen(w->prefix)) == 0 : name[0] >= '0' && name[0] <= '9';

        (void)type;
        if (hit && meta == w->meta && strcmp(name, w->name) > 0)
                snprintf(w->name, sizeof(w->name), "%s", name);
        return NULL;
}

/* The last file of this kind in the directory of a node: "" for closed segments. */
static void open_file(uint64_t id, const char *prefix, int *ret_fd)
{
        struct wanted w = { .prefix = prefix };
        AUTO_FD int dir = -1;

        assert_ok(file_open_dir(AT_FDCWD, nodes[id].dir, &dir));
        assert_ok(file_each(dir, ".", match, &w));
        assert_true(w.name[0] != 0);
        assert_ok(file_open(dir, w.name, O_RDWR, 0, ret_fd));
}

static void flip(uint64_t id, const char *prefix, int64_t offset)
{
        AUTO_FD int fd = -1;
        unsigned char b;

        open_file(id, prefix, &fd);
        assert_ok(file_pread_full(fd, &b, 1, offset));
        b ^= 0x10;
        assert_ok(file_pwrite_full(fd, &b, 1, offset));
}

static void fill(unsigned n)
{
        char key[32];

        for (unsigned i = 0; i < n; i++) {
                snprintf(key, sizeof(key), "k%03u", i % 500);
                put_anywhere(key, "some text that is found again");
        }
}

/* A single voter with so many commands, closed cleanly: all segments are closed then. */
static void one_with(unsigned n)
{
        node_open(1, true);
        the_leader();
        fill(n);
        node_close(1);
}

static void a_flipped_closed_segment_is_refused(void **state)
{
        (void)state;
        one_with(50);
        flip(1, "", 400);
        assert_err(node_try_open(1, false), ERR_CORRUPT);
        assert_err(node_try_open(1, false), ERR_CORRUPT);
}

static void a_damaged_snapshot_is_refused(void **state)
{
        AUTO_FD int fd = -1;
        struct stat st;

        (void)state;
        one_with(1100);
        open_file(1, "snapshot-", &fd);
        assert_ok(file_stat(fd, &st));
        flip(1, "snapshot-", st.st_size / 2);
        assert_err(node_try_open(1, false), ERR_CORRUPT);
}

static void bad_metadata_is_refused(void **state)
{
        (void)state;
        one_with(5);
        flip(1, "metadata", 0);
        assert_err(node_try_open(1, false), ERR_CORRUPT);
}

static void a_term_without_a_log_is_refused(void **state)
{
        struct wanted w = { .prefix = "" };
        AUTO_FD int dir = -1;

        (void)state;
        one_with(5);
        node_open(1, false);
        node_close(1);
        assert_ok(file_open_dir(AT_FDCWD, nodes[1].dir, &dir));
        for (;;) {
                w.name[0] = 0;
                assert_ok(file_each(dir, ".", match, &w));
                if (!w.name[0])
                        break;
                assert_ok(file_unlink(dir, w.name));
        }
        struct err *e = node_try_open(1, true);
        if (!e) { /* term 1 and no vote: as a first start that was cut off leaves it */
                the_leader();
                assert_int_equal(nodes[1].mirror.n, 0);
        } else {
                assert_err(e, ERR_CORRUPT);
        }
}

/* Copies the directory of a running node, as a crash would leave it (open segments), to that of a node that is not open. */
static void crash_copy(uint64_t from, uint64_t to)
{
        char cmd[800];

        snprintf(cmd, sizeof(cmd), "cp -a --sparse=always '%s' '%s'", nodes[from].dir, nodes[to].dir);
        assert_int_equal(system(cmd), 0);
}

static void a_truncated_open_segment_is_no_crash(void **state)
{
        AUTO_FD int fd = -1;
        struct err *e;

        (void)state;
        node_open(1, true);
        the_leader();
        fill(30);
        crash_copy(1, 2);
        open_file(2, "open-", &fd);
        assert_ok(file_truncate(fd, 1000));
        snprintf(nodes[2].address, sizeof(nodes[2].address), "%s", nodes[1].address);
        nodes[2].id = 1; /* the same voter in another place */
        node_close(1);
        struct raft_options o = { .dir = nodes[2].dir, .id = 1, .address = nodes[1].address, .dial = node_dial,
                                  .events.arg = &nodes[2], .min_free_bytes = 1 };
        struct engine *engine = NULL;
        e = raft_engine_open(&o, &engine);
        assert_true(!e || err_code(e) == ERR_CORRUPT);
        err_free(e);
        engine_close(engine);
}

/* The end of what a follower had acknowledged is gone: it starts, stands still under the same leader, is noticed, and healed. */
static void a_lost_tail_is_healed(void **state)
{
        static char zeros[64 << 10];
        char cmd[800];
        AUTO_FD int fd = -1;

        (void)state;
        for (uint64_t id = 1; id <= 3; id++) {
                nodes[id].stall_ms = 1000;
                nodes[id].watch_ms = 200;
        }
        grow_to(3);
        fill(40);
        uint64_t follower = the_leader() == 3 ? 2 : 3;
        char kept[400];
        snprintf(kept, sizeof(kept), "%s.kept", nodes[follower].dir);
        snprintf(cmd, sizeof(cmd), "cp -a '%s' '%s'", nodes[follower].dir, kept);
        assert_int_equal(system(cmd), 0);
        node_close(follower);
        assert_ok(file_remove_tree(AT_FDCWD, nodes[follower].dir));
        assert_ok(file_rename(AT_FDCWD, kept, AT_FDCWD, nodes[follower].dir));
        open_file(follower, "open-", &fd);
        assert_ok(file_pwrite_full(fd, zeros, sizeof(zeros), 1500)); /* some of the last entries */
        node_open(follower, false);
        fill(3);
        int64_t end = soon(15);
        struct engine_status a, b;
        do {
                put_anywhere("beat", "x");
                clock_sleep_ns(100 * NS_PER_MS);
                engine_status(nodes[the_leader()].e, &a);
                engine_status(nodes[follower].e, &b);
        } while (b.applied_index + 5 < a.applied_index && clock_mono_ns() < end);
        assert_all_agree();
}

#define T(f) cmocka_unit_test_setup_teardown(f, nodes_setup, nodes_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                T(a_flipped_closed_segment_is_refused),
                T(a_damaged_snapshot_is_refused),
                T(bad_metadata_is_refused),
                T(a_term_without_a_log_is_refused),
                T(a_truncated_open_segment_is_no_crash),
                T(a_lost_tail_is_healed),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
