/* Fault specifications, and that each kind does what it says, in a child where it ends the process. */
#include "os/test_util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/fault.h"
#include "os/file.h"

#ifdef ORLOP_FAULTS

static void test_syntax(void **state)
{
        static const char *const good[] = { "",
                                            " ; ",
                                            "pwrite:1:EIO",
                                            "pwrite:5+:ENOSPC;fdatasync:1:EIO",
                                            "any:17:kill",
                                            "any:17:kill-after",
                                            "point:store.commit.before:1:kill",
                                            "write:2:short" };
        static const char *const bad[] = {
                "pwrite",
                "pwrite:",
                "pwrite:0:EIO",
                "pwrite:x:EIO",
                "pwrite:1:ENOTHING",
                "pwrite:1",
                ":1:EIO",
                "point::1:kill",
                "point:x:1:short",
                                           "point:x:1:hang",
                "pwrite:+:EIO",
                "pwrite:1:EIO:",
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1:EIO"
        };

        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(good); i++)
                assert_ok(fault_set(str_of(good[i])));
        for (unsigned i = 0; i < ARRAY_LEN(bad); i++)
                assert_err(fault_set(str_of(bad[i])), ERR_INVALID);
        assert_ok(fault_set(STR("")));
        assert_false(fault_on);
}

static struct err *pass(const char *name)
{
        FAULT_POINT(name);
        return NULL;
}

static void test_counts(void **state)
{
        size_t n = 100;

        (void)state;
        assert_ok(fault_set(STR("pwrite:2:EIO;fsync:2+:ENOSPC;write:1:short;point:here:2:EACCES")));
        assert_true(fault_on);
        assert_int_equal(fault_before("pwrite", true, NULL), 0);
        assert_int_equal(fault_before("fsync", true, NULL), 0);
        assert_int_equal(fault_before("pwrite", true, NULL), EIO);
        assert_int_equal(fault_before("pwrite", true, NULL), 0);
        assert_int_equal(fault_before("fsync", true, NULL), ENOSPC);
        assert_int_equal(fault_before("fsync", true, NULL), ENOSPC);
        assert_int_equal(fault_before("write", true, &n), 0);
        assert_int_equal(n, 50);
        assert_int_equal(fault_before("write", true, &n), 0);
        assert_int_equal(n, 50);
        assert_ok(pass("here"));
        assert_ok(pass("elsewhere"));
        assert_err(pass("here"), ERR_IO);
        assert_ok(pass("here"));
        assert_ok(fault_set(STR("")));
        assert_ok(pass("here"));
}

/* Writes three bytes one by one into the file under this specification; returns how many are there, whether killed
 * or not. */
static off_t written_under(const char *path, const char *spec, bool *ret_killed)
{
        pid_t pid = fork();
        int status = 0;
        struct stat st;

        if (pid == 0) {
                int fd = open(path, O_WRONLY | O_TRUNC);

                err_free(fault_set(str_of(spec)));
                for (int i = 0; i < 3; i++)
                        err_free(file_pwrite_full(fd, "x", 1, i));
                _exit(0);
        }
        assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
        *ret_killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
        assert_int_equal(stat(path, &st), 0);
        return st.st_size;
}

static void test_kill(void **state)
{
        char path[] = "/tmp/orlop-fault-XXXXXX";
        int fd = mkstemp(path);
        bool killed;

        (void)state;
        assert_true(fd >= 0);
        assert_int_equal(written_under(path, "", &killed), 3);
        assert_false(killed);
        assert_int_equal(written_under(path, "any:2:kill", &killed), 1);
        assert_true(killed);
        assert_int_equal(written_under(path, "any:2:kill-after", &killed), 2);
        assert_true(killed);
        assert_int_equal(written_under(path, "any:4:kill", &killed), 3);
        assert_false(killed);
        (void)close(fd);
        (void)unlink(path);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_syntax), cmocka_unit_test(test_counts),
                                            cmocka_unit_test(test_kill) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void test_refused(void **state)
{
        (void)state;
        assert_err(fault_set(STR("any:1:kill")), ERR_UNSUPPORTED);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_refused) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
