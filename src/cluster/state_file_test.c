/* The control plane's files against damage, failing calls, and a kill before and after every mutating system call. */
#include "cluster/test_util.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "os/fault.h"

static char *dir;
static int control = -1; /* dir/orlop/control */

static int setup(void **state)
{
        (void)state;
        assert_ok(log_set_levels(STR("warn")));
        dir = test_dir_new();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        assert_ok(fault_set(STR_NONE));
        cleanup_fd(&control);
        test_dir_free(dir);
        return 0;
}

static void make_state(void)
{
        struct cluster *c = test_open(dir);
        char path[256];
        test_create(c, "b");
        cluster_close(c);
        cleanup_fd(&control);
        snprintf(path, sizeof(path), "%s/orlop/control", dir);
        assert_ok(file_open_dir(AT_FDCWD, path, &control));
}

static void overwrite(const char *name, const void *p, size_t n)
{
        AUTO_FD int fd = -1;
        assert_ok(file_open(control, name, O_WRONLY | O_CREAT | O_TRUNC, 0600, &fd));
        assert_ok(file_write_full(fd, p, n));
}

/* Opening fails with this code, names the file, and leaves it alone. */
static void assert_refused(const char *name, enum err_code code)
{
        AUTO_BUF struct buf before = BUF_INIT, after = BUF_INIT;
        struct cluster_opts o = test_opts(dir);
        struct cluster *c = NULL;
        char text[512];
        err_free(file_read_all(control, name, SIZE_MAX / 2, &before));
        struct err *e = cluster_open(&o, &c);
        assert_non_null(e);
        assert_string_equal(err_code_name(err_code(e)), err_code_name(code));
        assert_non_null(strstr(err_text(e, text, sizeof(text)), name));
        err_free(e);
        err_free(file_read_all(control, name, SIZE_MAX / 2, &after));
        assert_true(str_eq(buf_str(&before), buf_str(&after)));
}

static void damage(const char *name)
{
        AUTO_BUF struct buf good = BUF_INIT;
        assert_ok(file_read_all(control, name, SIZE_MAX / 2, &good));
        size_t step = good.n > 400 ? good.n / 100 : 1;
        for (size_t i = 0; i < good.n; i += i < 64 ? 1 : step) {
                good.p[i] ^= 0x04;
                overwrite(name, good.p, good.n);
                struct cluster_opts o = test_opts(dir);
                struct cluster *c = NULL;
                struct err *e = cluster_open(&o, &c);
                if (!e)
                        fail_msg("%s: flipped bit at %zu not seen", name, i);
                /* A version that is not ours is another error than damage. */
                assert_true(err_code(e) == ERR_CORRUPT || err_code(e) == ERR_FORMAT);
                err_free(e);
                good.p[i] ^= 0x04;
        }
        overwrite(name, good.p, good.n - 1);
        assert_refused(name, ERR_CORRUPT);
        overwrite(name, good.p, 0);
        assert_refused(name, ERR_CORRUPT);
        overwrite(name, good.p, good.n);
        buf_addc(&good, 'x');
        overwrite(name, good.p, good.n);
        assert_refused(name, ERR_CORRUPT);
        overwrite(name, good.p, good.n - 1);
        cluster_close(test_open(dir));
}

static void test_damage(void **state)
{
        (void)state;
        make_state();
        damage("state.json");
        damage("identity.json");
        damage("local.json");
}

static void test_missing_and_foreign(void **state)
{
        (void)state;
        AUTO_BUF struct buf identity = BUF_INIT, st = BUF_INIT;
        make_state();
        assert_ok(file_read_all(control, "identity.json", SIZE_MAX / 2, &identity));
        assert_ok(file_read_all(control, "state.json", SIZE_MAX / 2, &st));
        assert_ok(file_unlink(control, "state.json"));
        assert_refused("state.json", ERR_CORRUPT);
        overwrite("state.json", st.p, st.n);
        assert_ok(file_unlink(control, "identity.json"));
        assert_refused("identity.json", ERR_CORRUPT); /* it has had a bucket: not a first start */
        char *version = strstr(buf_cstr(&identity), " 2 ");
        assert_non_null(version);
        version[1] = '3';
        overwrite("identity.json", identity.p, identity.n);
        assert_refused("identity.json", ERR_FORMAT);
        version[1] = '2';
        overwrite("identity.json", identity.p, identity.n);
        cluster_close(test_open(dir));

        /* The state file of another cluster. */
        char *first = dir;
        dir = test_dir_new();
        make_state();
        overwrite("state.json", st.p, st.n);
        assert_refused("state.json", ERR_CORRUPT);
        test_dir_free(dir);
        dir = first;
}

static void test_failing_calls(void **state)
{
        (void)state;
        static const char *const faults[] = {
                "open:1+:EIO",  "open:2:EACCES", "write:1:ENOSPC", "write:1:short;write:2:EIO", "fsync:1:EIO",
                "fsync:2:EIO", "rename:1:EIO",  "rename:1:ENOSPC",
        };
        struct cluster *c = test_open(dir);
        uint64_t newest = test_create(c, "keep");
        for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
                struct bck b = test_bck("b");
                uint64_t bid = 0;
                assert_ok(fault_set(str_of(faults[i])));
                struct err *e = cluster_bucket_create(c, &b, NULL, &bid);
                assert_ok(fault_set(STR_NONE));
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
                if (!e)
                        fail_msg("%s changed nothing", faults[i]);
                assert_int_equal(bid, 0);
                assert_int_equal(s->bucket_count, 1);
                assert_null(snapshot_bucket(s, &b));
                err_free(e);
                /* The next change repairs what the file may hold, and its id was never given. */
                char name[16];
                snprintf(name, sizeof(name), "x%u", i);
                uint64_t next = test_create(c, name);
                assert_true(next > newest + 1);
                newest = next;
                struct bck x = test_bck(name);
                assert_ok(cluster_bucket_destroy(c, &x, NULL));
        }
        cluster_close(c);
        c = test_open(dir);
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        assert_int_equal(s->bucket_count, 1);
        assert_non_null(snapshot_bucket_ais(s, STR("keep")));
        cluster_close(c);
}

/* Runs `work` in a child that is killed at its n-th mutating call. Returns how many bytes it acknowledged; *ret_ended
 * tells that it came to its end. */
static size_t run_killed(unsigned n, const char *how, void (*work)(int ack), bool *ret_ended)
{
        int pipes[2], status;
        char spec[64], acks[64];
        size_t total = 0;
        ssize_t got;
        snprintf(spec, sizeof(spec), "any:%u:%s", n, how);
        assert_int_equal(pipe(pipes), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)close(pipes[0]);
                err_free(fault_set(str_of(spec)));
                work(pipes[1]);
                _exit(0);
        }
        (void)close(pipes[1]);
        while ((got = read(pipes[0], acks, sizeof(acks))) > 0)
                total += (size_t)got;
        (void)close(pipes[0]);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        *ret_ended = WIFEXITED(status);
        return total;
}

/* Not through os: acknowledgements are no part of what is counted. */
static void acknowledge(int ack)
{
        if (write(ack, "x", 1) != 1)
                _exit(3);
}

static void child_first_start(int ack)
{
        struct cluster_opts o = test_opts(dir);
        struct cluster *c;
        struct err *e = cluster_open(&o, &c);
        if (e)
                _exit(4);
        acknowledge(ack);
}

static void test_killed_first_start(void **state)
{
        (void)state;
        static const char *const how[] = { "kill", "kill-after" };
        for (unsigned k = 0; k < ARRAY_LEN(how); k++) {
                bool ended = false;
                for (unsigned n = 1; !ended; n++) {
                        assert_true(n < 100);
                        (void)run_killed(n, how[k], child_first_start, &ended);
                        struct cluster *c = test_open(dir);
                        test_create(c, "b");
                        cluster_close(c);
                        assert_ok(file_remove_tree(AT_FDCWD, dir));
                        assert_ok(file_mkdir(AT_FDCWD, dir, 0700));
                }
        }
}

/* A destruction that fails when the file has its name already must not come to life with the next start: the bucket went
 * on, and what was written to it was acknowledged. */
static void test_failed_change_stays_undone(void **state)
{
        (void)state;
        struct bck keep = { .provider = PROVIDER_AIS, .name = "keep" };
        struct cluster *c = test_open(dir);
        test_create(c, "keep");
        assert_ok(fault_set(STR("fsync:2:EIO"))); /* the first is the file's, this is the directory's */
        assert_err(cluster_bucket_destroy(c, &keep, NULL), ERR_IO);
        assert_ok(fault_set(STR_NONE));
        cluster_close(c);
        c = test_open(dir);
        const struct snapshot *s = cluster_pin(c);
        assert_non_null(snapshot_bucket_ais(s, STR("keep")));
        cluster_unpin(s);
        cluster_close(c);
}

static void child_changes(int ack)
{
        struct cluster_opts o = test_opts(dir);
        struct cluster *c;
        if (cluster_open(&o, &c))
                _exit(4);
        for (unsigned i = 0; i < 3; i++) {
                struct bck b = { .provider = PROVIDER_AIS };
                snprintf(b.name, sizeof(b.name), "b%u", i);
                if (cluster_bucket_create(c, &b, NULL, NULL))
                        _exit(5);
                acknowledge(ack);
        }
        struct bck keep = { .provider = PROVIDER_AIS, .name = "keep" };
        if (cluster_bucket_destroy(c, &keep, NULL))
                _exit(6);
        acknowledge(ack);
}

static void check_after_crash(size_t acked, uint64_t oldest)
{
        struct cluster *c = test_open(dir);
        const struct snapshot *s = cluster_pin(c);
        size_t made = s->bucket_count - (snapshot_bucket_ais(s, STR("keep")) != NULL);
        bool destroyed = !snapshot_bucket_ais(s, STR("keep"));
        size_t done = made + destroyed;
        /* What was acknowledged is there; one more may be. */
        assert_true(done == acked || done == acked + 1);
        assert_true(!destroyed || made == 3);
        uint64_t highest = oldest;
        for (size_t i = 0; i < s->bucket_count; i++)
                highest = MAX(highest, s->buckets[i]->bid);
        cluster_unpin(s);
        assert_true(test_create(c, "after") > highest);
        cluster_close(c);
}

static void test_killed_changes(void **state)
{
        (void)state;
        static const char *const how[] = { "kill", "kill-after" };
        unsigned rounds = 0;
        for (unsigned k = 0; k < ARRAY_LEN(how); k++) {
                bool ended = false;
                for (unsigned n = 1; !ended; n++) {
                        assert_true(n < 200);
                        struct cluster *c = test_open(dir);
                        uint64_t bid = test_create(c, "keep");
                        cluster_close(c);
                        size_t acked = run_killed(n, how[k], child_changes, &ended);
                        check_after_crash(acked, bid);
                        rounds++;
                        assert_ok(file_remove_tree(AT_FDCWD, dir));
                        assert_ok(file_mkdir(AT_FDCWD, dir, 0700));
                }
        }
        assert_true(rounds > 20);
}

static void count_hidden(unsigned *n, const char *name)
{
        *n += name[0] == '.';
}

static struct err *count_entry(void *arg, const char *name, unsigned char type)
{
        (void)type;
        count_hidden(arg, name);
        return NULL;
}

static void test_unfinished_files_are_swept(void **state)
{
        (void)state;
        make_state();
        overwrite(".state.json.0123456789abcdef", "half", 4);
        overwrite(".identity.json.0123456789abcdef", "half", 4);
        cluster_close(test_open(dir));
        unsigned n = 0;
        assert_ok(file_each(control, ".", count_entry, &n));
        assert_int_equal(n, 0);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(test_damage),         T(test_missing_and_foreign), T(test_failing_calls),
                T(test_failed_change_stays_undone),
                T(test_killed_first_start), T(test_killed_changes),  T(test_unfinished_files_are_swept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
