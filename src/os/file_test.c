/* Files and directories in a fresh directory, with and without faults. */
#include "os/test_util.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "os/fault.h"
#include "os/file.h"

static char *root;
static int dir = -1;

static int setup(void **state)
{
        void *p = NULL;

        (void)state;
        if (test_dir_new(&p) != 0)
                return -1;
        root = p;
        assert_ok(file_open_dir(AT_FDCWD, root, &dir));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        cleanup_fd(&dir);
        assert_ok(file_remove_tree(AT_FDCWD, root));
        assert_int_not_equal(access(root, F_OK), 0);
        assert_ok(file_remove_tree(AT_FDCWD, root)); /* absent is fine */
        free(root);
        return 0;
}

static void test_read_write(void **state)
{
        AUTO_FD int fd = -1;
        AUTO_BUF struct buf b = BUF_INIT;
        struct stat st;
        char out[16];
        size_t n;

        (void)state;
        assert_ok(file_open(dir, "a", O_RDWR | O_CREAT | O_EXCL, 0600, &fd));
        assert_ok(file_pwrite_full(fd, "hello world", 11, 0));
        assert_ok(file_pread_full(fd, out, 5, 6));
        assert_memory_equal(out, "world", 5);
        assert_err(file_pread_full(fd, out, 6, 6), ERR_CORRUPT);
        assert_ok(file_pread(fd, out, 16, 11, &n));
        assert_int_equal(n, 0);
        assert_ok(file_datasync(fd));
        assert_ok(file_sync(fd));
        assert_ok(file_allocate(fd, 100000));
        assert_ok(file_stat(fd, &st));
        assert_int_equal(st.st_size, 11);
        assert_ok(file_truncate(fd, 5));
        file_writeback_hint(fd, 0, 5);
        file_readahead_hint(fd, 0, 5);
        assert_ok(file_read_all(dir, "a", 5, &b));
        assert_true(str_eq(buf_str(&b), STR("hello")));
        assert_err(file_read_all(dir, "a", 4, &b), ERR_TOO_LARGE);
        assert_err(file_read_all(dir, "absent", 4, &b), ERR_NOT_FOUND);
}

static void test_names(void **state)
{
        AUTO_FD int fd = -1, other = -1, tmp = -1;
        struct stat st;

        (void)state;
        assert_ok(file_open(dir, "one", O_WRONLY | O_CREAT, 0600, &fd));
        assert_err(file_open(dir, "one", O_WRONLY | O_CREAT | O_EXCL, 0600, &other), ERR_EXISTS);
        assert_ok(file_rename(dir, "one", dir, "two"));
        assert_err(file_rename(dir, "one", dir, "two"), ERR_NOT_FOUND);
        assert_err(file_stat_at(dir, "one", &st), ERR_NOT_FOUND);
        assert_ok(file_stat_at(dir, "two", &st));
        assert_int_equal(symlinkat("two", dir, "link"), 0);
        assert_err(file_open(dir, "link", O_RDONLY, 0, &other), ERR_IO); /* ELOOP */
        assert_ok(file_mkdir(dir, "d", 0700));
        assert_ok(file_mkdir(dir, "d", 0700));
        assert_err(file_mkdir(dir, "two", 0700), ERR_EXISTS);
        assert_err(file_mkdir(dir, "no/such", 0700), ERR_NOT_FOUND);
        assert_ok(file_rmdir(dir, "d"));
        assert_ok(file_unlink(dir, "two"));
        assert_err(file_unlink(dir, "two"), ERR_NOT_FOUND);
        struct err *e = file_open(dir, ".", O_TMPFILE | O_WRONLY, 0600, &tmp);
        if (e) { /* overlay and some others */
                err_free(e);
                return;
        }
        assert_ok(file_link_tmp(tmp, dir, "born"));
        assert_err(file_link_tmp(tmp, dir, "born"), ERR_EXISTS);
        assert_ok(file_stat_at(dir, "born", &st));
}

static struct err *count(void *arg, const char *name, unsigned char type)
{
        (void)name;
        (void)type;
        ++*(unsigned *)arg;
        return NULL;
}

static struct err *refuse(void *arg, const char *name, unsigned char type)
{
        (void)arg;
        (void)name;
        (void)type;
        return err_static(ERR_CANCELLED);
}

static void test_trees(void **state)
{
        char path[600], deep[200] = "";
        unsigned n = 0;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/t/u/v/w", root);
        assert_ok(file_mkdir_all(path, 0700));
        assert_ok(file_mkdir_all(path, 0700));
        assert_ok(file_replace(dir, "t/u/file", STR("x"), 0600));
        assert_int_equal(symlinkat("/", dir, "t/u/v/root"), 0); /* must be removed, not followed */
        assert_ok(file_each(dir, "t/u", count, &n));
        assert_int_equal(n, 2);
        assert_err(file_each(dir, "t/u", refuse, NULL), ERR_CANCELLED);
        assert_ok(file_remove_tree(dir, "t"));
        assert_err(file_each(dir, "t", count, &n), ERR_NOT_FOUND);
        for (unsigned i = 0; i < 20; i++)
                (void)snprintf(deep + strlen(deep), sizeof(deep) - strlen(deep), "/d%u", i);
        (void)snprintf(path, sizeof(path), "%s%s", root, deep);
        assert_ok(file_mkdir_all(path, 0700));
        assert_err(file_remove_tree(dir, "d0"), ERR_INVALID);
        assert_ok(file_rename(dir, "d0/d1/d2/d3/d4/d5/d6/d7/d8", dir, "half"));
        assert_ok(file_remove_tree(dir, "d0"));
        assert_ok(file_remove_tree(dir, "half"));
}

static void test_replace(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        static const char *const faults[] = { "open:2:EACCES", "write:1:EIO", "fsync:1:EIO", "rename:1:ENOSPC" };
        unsigned n = 0, after = 0;

        (void)state;
        assert_ok(file_replace(dir, "conf", STR("old"), 0600));
        assert_ok(file_replace(dir, "conf", STR("older"), 0600));
        assert_ok(file_each(dir, ".", count, &n));
#ifdef ORLOP_FAULTS
        for (unsigned i = 0; i < ARRAY_LEN(faults); i++) {
                assert_ok(fault_set(str_of(faults[i])));
                struct err *e = file_replace(dir, "conf", STR("new"), 0600);
                assert_non_null(e);
                err_free(e);
                assert_ok(fault_set(STR("")));
                buf_clear(&b);
                assert_ok(file_read_all(dir, "conf", 100, &b));
                assert_true(str_eq(buf_str(&b), STR("older")));
        }
        assert_ok(fault_set(STR("write:1:short;write:2:EINTR")));
        assert_ok(file_replace(dir, "conf", STR("newest"), 0600));
        assert_ok(fault_set(STR("")));
        buf_clear(&b);
        assert_ok(file_read_all(dir, "conf", 100, &b));
        assert_true(str_eq(buf_str(&b), STR("newest")));
#endif
        (void)faults;
        assert_ok(file_each(dir, ".", count, &after));
        assert_int_equal(after, n); /* no temporary file is left */
}

static void test_xattr_and_lock(void **state)
{
        AUTO_FD int a = -1, b = -1;
        AUTO_BUF struct buf v = BUF_INIT;
        char big[2000];

        (void)state;
        assert_ok(file_open(dir, "x", O_RDWR | O_CREAT, 0600, &a));
        assert_ok(file_open(dir, "x", O_RDWR, 0600, &b));
        assert_ok(file_lock(a));
        assert_err(file_lock(b), ERR_IN_USE);
        memset(big, 'v', sizeof(big));
        struct err *e = file_xattr_set(a, "user.orlop.t", big, sizeof(big));
        if (e) { /* a file system without attributes */
                err_free(e);
                return;
        }
        assert_ok(file_xattr_get(b, "user.orlop.t", &v));
        assert_int_equal(v.n, sizeof(big));
        assert_memory_equal(v.p, big, sizeof(big));
        assert_err(file_xattr_get(b, "user.orlop.none", &v), ERR_NOT_FOUND);
}

static void test_usage(void **state)
{
        struct fs_usage u;
        struct disk_stats d;

        (void)state;
        assert_ok(fs_usage(dir, &u));
        assert_true(u.total > 0 && u.used <= u.total && u.avail <= u.total);
        assert_true(u.type[0] != 0);
        if (u.disk[0])
                assert_ok(disk_stats(u.disk, &d));
        assert_err(disk_stats("no-such-disk", &d), ERR_NOT_FOUND);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_read_write), cmocka_unit_test(test_names),          cmocka_unit_test(test_trees),
                cmocka_unit_test(test_replace),    cmocka_unit_test(test_xattr_and_lock), cmocka_unit_test(test_usage),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
