/* The log sink: rotation within its bounds, filters, the tail in memory, the archive. */
#define LOG_FOLDER "test"
#include "os/test_util.h"

#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "os/file.h"
#include "os/logfile.h"

static int teardown(void **state)
{
        assert_ok(file_remove_tree(AT_FDCWD, *state));
        free(*state);
        return 0;
}

struct sum {
        const char *dir;
        unsigned files;
        uint64_t bytes;
};

static struct err *add_size(void *arg, const char *name, unsigned char type)
{
        struct sum *s = arg;
        char path[600];
        struct stat st;

        (void)type;
        (void)snprintf(path, sizeof(path), "%s/%s", s->dir, name);
        assert_int_equal(stat(path, &st), 0);
        s->files++;
        s->bytes += (uint64_t)st.st_size;
        return NULL;
}

static void test_rotation(void **state)
{
        struct logfile_options o = { .dir = *state, .name = "orlopd", .max_size = 4096, .max_total = 16384 };
        struct logfile *l;
        struct sum s = { .dir = *state };
        AUTO_BUF struct buf b = BUF_INIT;

        assert_ok(logfile_open(&o, &l));
        for (unsigned i = 0; i < 500; i++)
                log_info("line %u of a test that fills files", i);
        assert_ok(file_each(AT_FDCWD, *state, add_size, &s));
        assert_true(s.files > 2);
        assert_true(s.bytes <= 16384 + 4096);
        assert_ok(logfile_read(l, LOG_DEBUG, 0, 65536, &b));
        assert_true(str_find_str(buf_str(&b), STR("line 499 ")) >= 0); /* the newest are in the current file */
        assert_true(str_find_str(buf_str(&b), STR("line 0 ")) < 0);
        buf_clear(&b);
        assert_ok(logfile_rotate(l));
        log_warn("bad");
        log_info("good");
        assert_ok(logfile_read(l, LOG_WARN, 0, 65536, &b));
        assert_true(str_find_str(buf_str(&b), STR("bad")) >= 0);
        assert_true(str_find_str(buf_str(&b), STR("good")) < 0);
        buf_clear(&b);
        assert_ok(logfile_read(l, LOG_DEBUG, 1 << 20, 65536, &b));
        assert_int_equal(b.n, 0);
        logfile_close(l);
}

static void test_archive(void **state)
{
        struct logfile_options o = { .dir = *state, .name = "orlopd", .max_size = 4096, .max_total = 1 << 20 };
        struct logfile *l;
        AUTO_BUF struct buf b = BUF_INIT, small = BUF_INIT;
        char *tar = calloc(1, 1 << 20);
        z_stream z = { .next_in = NULL };

        assert_ok(logfile_open(&o, &l));
        for (unsigned i = 0; i < 200; i++)
                log_info("archived %u", i);
        assert_ok(logfile_read_all_targz(l, 1 << 20, &b));
        assert_err(logfile_read_all_targz(l, 10, &small), ERR_TOO_LARGE);
        logfile_close(l);
        assert_non_null(tar);
        assert_int_equal(inflateInit2(&z, 15 + 16), Z_OK);
        z.next_in = (Bytef *)b.p;
        z.avail_in = (uInt)b.n;
        z.next_out = (Bytef *)tar;
        z.avail_out = 1 << 20;
        assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
        struct str text = { tar, z.total_out };
        assert_int_equal(z.total_out % 512, 0);
        assert_memory_equal(tar + 257, "ustar", 5);
        assert_true(str_find_str(text, STR("archived 0\n")) >= 0);
        assert_true(str_find_str(text, STR("archived 199\n")) >= 0);
        (void)inflateEnd(&z);
        free(tar);
}

static void test_tail(void **state)
{
        struct logfile_options o = { .name = "orlopd" };
        struct logfile *l;
        AUTO_BUF struct buf b = BUF_INIT;
        int saved = dup(STDERR_FILENO);

        (void)state;
        assert_non_null(freopen("/dev/null", "w", stderr));
        assert_ok(logfile_open(&o, &l));
        for (unsigned i = 0; i < 10000; i++)
                log_info("tail %u.", i);
        log_set_json(true);
        log_error("as json");
        log_set_json(false);
        assert_ok(logfile_read(l, LOG_DEBUG, 0, 1 << 20, &b));
        assert_true(b.n <= 256 * 1024 && b.n > 200 * 1024);
        assert_true(str_starts(buf_str(&b), STR("INFO"))); /* whole lines only */
        assert_true(str_find_str(buf_str(&b), STR("tail 9999.")) >= 0);
        buf_clear(&b);
        assert_ok(logfile_read(l, LOG_ERROR, 0, 1 << 20, &b));
        assert_true(str_find_str(buf_str(&b), STR("as json")) >= 0);
        assert_true(str_find_str(buf_str(&b), STR("tail")) < 0);
        buf_clear(&b);
        assert_ok(logfile_read_all_targz(l, 1 << 20, &b));
        assert_true(b.n > 100);
        logfile_close(l);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        (void)close(saved);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_rotation, test_dir_new, teardown),
                cmocka_unit_test_setup_teardown(test_archive, test_dir_new, teardown),
                cmocka_unit_test(test_tail),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
