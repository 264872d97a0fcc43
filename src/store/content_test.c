/* Content files: round trips, every flipped bit, exchanged and stale blocks, unfinished files after crashes, faults at
 * each call. */
#include <endian.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/clock.h"
#include "os/fault.h"
#include "os/thread.h"
#include "store/content_priv.h"

static char base[64];
static int base_fd = -1;
static struct content_dir *dir;

static void ok_at(struct err *e, int line)
{
        char text[512];

        if (e)
                fail_msg("line %d: %s", line, err_text(e, text, sizeof(text)));
}
#define OK(e) ok_at((e), __LINE__)

static void code_at(struct err *e, enum err_code want, int line)
{
        if (err_code(e) != want)
                fail_msg("line %d: %s instead of %s", line, e ? e->msg : "success", err_code_name(want));
        err_free(e);
}
#define CODE(e, want) code_at((e), (want), __LINE__)

static int setup(void **state)
{
        const char *tmp = getenv("TMPDIR");

        (void)state;
        (void)snprintf(base, sizeof(base), "%.40s/orlop-XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(base))
                return -1;
        OK(file_open_dir(AT_FDCWD, base, &base_fd));
        OK(content_dir_open(base_fd, &dir));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        OK(fault_set(STR_NONE));
        content_dir_close(dir);
        cleanup_fd(&base_fd);
        OK(file_remove_tree(AT_FDCWD, base));
        return 0;
}

/* Data that differs at every offset. */
static void fill(uint64_t seed, uint64_t at, char *p, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                uint64_t x = (at + i + seed) * 0x9e3779b97f4a7c15u;

                p[i] = (char)(x >> 56);
        }
}

static char *data_of(uint64_t seed, size_t n)
{
        char *p = malloc(n + 1);

        assert_non_null(p);
        fill(seed, 0, p, n);
        return p;
}

/* A finished content, written in steps of this many bytes. */
static struct content_id make(const char *p, size_t n, size_t step, struct str self, bool fast)
{
        struct content_writer *w;
        struct content_id id;

        OK(content_writer_new(dir, step % 2 ? (int64_t)n : -1, &w));
        for (size_t at = 0; at < n; at += step)
                OK(content_writer_write(w, p + at, MIN(step, n - at)));
        assert_int_equal(content_writer_size(w), n);
        id = content_writer_id(w);
        OK(content_writer_finish(w, self, fast));
        assert_true(content_in_flight(dir, id));
        content_settled(dir, id);
        assert_false(content_in_flight(dir, id));
        return id;
}

static void check_same(struct content_id id, const char *p, size_t n)
{
        struct content_file *f;
        AUTO_FREE char *got = malloc(n + 1);
        unsigned rounds = n > 1 ? 20 : 1;

        OK(content_file_open(dir, id, n, &f));
        OK(content_file_verify(f, 0, n));
        OK(content_file_read(f, 0, got, n));
        assert_memory_equal(got, p, n);
        for (unsigned i = 0; i < rounds; i++) {
                size_t from = n ? (size_t)(hash_mix(i) % n) : 0, len = n - from;

                if (i % 2 && len)
                        len = (size_t)(hash_mix(i + 1000) % len);
                OK(content_file_read(f, from, got, len));
                assert_memory_equal(got, p + from, len);
                OK(content_file_verify(f, from, len));
        }
        assert_true(content_file_memory(f) > 0);
        content_file_close(f);
}

static void test_round_trip(void **state)
{
        static const size_t sizes[] = { 0,       1,       100,     4096,    65535,   65536,   65537,   131072,
                                        196625,  262143,  262144,  262145,  1048581, 9437184 };
        static const size_t steps[] = { 777, 65536, 300000, SIZE_MAX / 2 };
        AUTO_BUF struct buf self = BUF_INIT;

        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
                AUTO_FREE char *p = data_of(i, sizes[i]);

                for (unsigned k = 0; k < ARRAY_LEN(steps); k++) {
                        struct content_id id = make(p, sizes[i], steps[k], STR("I am this"), (i + k) % 3 == 0);
                        struct content_file *f;

                        check_same(id, p, sizes[i]);
                        OK(content_file_open(dir, id, sizes[i], &f));
                        buf_clear(&self);
                        OK(content_file_self(f, &self));
                        assert_true(str_eq(buf_str(&self), STR("I am this")));
                        content_file_close(f);
                        CODE(content_file_open(dir, id, sizes[i] + 1, &f), ERR_CORRUPT);
                        if (sizes[i])
                                CODE(content_file_open(dir, id, sizes[i] - 1, &f), ERR_CORRUPT);
                }
        }
}

static void test_large(void **state)
{
        enum { SIZE = 100 * 1024 * 1024, STEP = 1 << 20 };
        AUTO_FREE char *p = malloc(STEP), *got = malloc(STEP);
        struct content_writer *w;
        struct content_file *f;
        struct content_id id;
        int64_t start;

        (void)state;
        OK(content_writer_new(dir, SIZE, &w));
        for (uint64_t at = 0; at < SIZE; at += STEP) {
                memset(p, 0, STEP);
                fill(7, at, p, 512); /* mostly zeros: equal blocks must not be equal in checksum */
                OK(content_writer_write(w, p, STEP));
        }
        id = content_writer_id(w);
        OK(content_writer_finish(w, STR_NONE, true));
        OK(content_file_open(dir, id, SIZE, &f));
        for (uint64_t at = 0; at < SIZE; at += STEP) {
                memset(p, 0, STEP);
                fill(7, at, p, 512);
                OK(content_file_read(f, at, got, STEP));
                assert_memory_equal(p, got, STEP);
        }
        start = clock_mono_ns();
        OK(content_file_verify(f, 0, SIZE));
        print_message("verified %.1f GB/s\n", (double)SIZE / (double)(clock_mono_ns() - start));
        content_file_close(f);
}

static int open_raw(struct content_id id, off_t *size)
{
        char path[CONTENT_PATH];
        struct stat st;
        int fd;

        content__path(id, "", path);
        OK(file_open(dir->content_fd, path, O_RDWR, 0, &fd));
        OK(file_stat(fd, &st));
        *size = st.st_size;
        return fd;
}

/* Open, read all of the data and the self-description: the first error. */
static struct err *read_whole(struct content_id id, size_t n)
{
        struct content_file *f;
        struct err *e;

        TRY(content_file_open(dir, id, n, &f));
        e = content_file_verify(f, 0, n);
        content_file_close(f);
        return e;
}

static void test_every_bit(void **state)
{
        enum { N = 700 };
        AUTO_FREE char *p = data_of(1, N);
        struct content_id id = make(p, N, N, STR("bucket 1, name x, 700 bytes"), true);
        off_t size;
        AUTO_FD int fd = open_raw(id, &size);

        (void)state;
        OK(read_whole(id, N));
        for (off_t at = 0; at < size; at++) {
                for (unsigned bit = 0; bit < 8; bit++) {
                        unsigned char was, now;

                        assert_int_equal(pread(fd, &was, 1, at), 1);
                        now = (unsigned char)(was ^ 1u << bit);
                        assert_int_equal(pwrite(fd, &now, 1, at), 1);
                        CODE(read_whole(id, N), ERR_CORRUPT);
                        assert_int_equal(pwrite(fd, &was, 1, at), 1);
                }
        }
        while (size-- > 0) {
                assert_int_equal(ftruncate(fd, size), 0);
                CODE(read_whole(id, N), ERR_CORRUPT);
        }
}

static void test_grown(void **state)
{
        AUTO_FREE char *p = data_of(1, 5000);
        struct content_id id = make(p, 5000, 5000, STR("self"), true);
        off_t size;
        AUTO_FD int fd = open_raw(id, &size);

        (void)state;
        for (off_t more = 1; more < 100; more++) {
                assert_int_equal(ftruncate(fd, size + more), 0);
                CODE(read_whole(id, 5000), ERR_CORRUPT);
        }
}

static void copy_block(int from, off_t a, int to, off_t b, size_t n)
{
        AUTO_FREE char *p = malloc(n);

        assert_int_equal(pread(from, p, n, a), n);
        assert_int_equal(pwrite(to, p, n, b), n);
}

/* Blocks at a wrong place: of the same file, of another with the same size, and one with the same bytes that belongs to
 * an older content. */
static void test_misdirected(void **state)
{
        enum { N = 4 * CONTENT_BLOCK + 100 };
        AUTO_FREE char *p = data_of(1, N), *q = data_of(2, N), *got = malloc(N);
        struct content_id a = make(p, N, N, STR("a"), true), b = make(q, N, N, STR("b"), true), zero;
        off_t size;
        AUTO_FD int fa = open_raw(a, &size), fb = open_raw(b, &size);
        struct content_file *f;

        (void)state;
        copy_block(fb, CONTENT_BLOCK, fa, CONTENT_BLOCK, CONTENT_BLOCK);
        OK(content_file_open(dir, a, N, &f));
        CODE(content_file_verify(f, 0, N), ERR_CORRUPT);
        CODE(content_file_read(f, CONTENT_BLOCK + 5, got, 1), ERR_CORRUPT);
        OK(content_file_read(f, 0, got, CONTENT_BLOCK));
        OK(content_file_read(f, 2 * CONTENT_BLOCK, got, N - 2 * CONTENT_BLOCK));
        content_file_close(f);
        copy_block(fb, 0, fb, 2 * CONTENT_BLOCK, CONTENT_BLOCK);
        CODE(read_whole(b, N), ERR_CORRUPT);

        /* The whole file of another content under this name. */
        copy_block(fb, 0, fa, 0, (size_t)size);
        CODE(content_file_open(dir, a, N, &f), ERR_CORRUPT);

        /* Equal blocks: exchanging them changes nothing, but their checksums differ, so that a checksum can not be
         * exchanged either. */
        memset(p, 0, N);
        zero = make(p, N, N, STR_NONE, true);
        OK(content_file_open(dir, zero, N, &f));
        content_file_close(f);
        assert_int_not_equal(content__block_seed(zero, 0), content__block_seed(zero, 1));
        assert_int_not_equal(content__block_seed(zero, 0), content__block_seed(a, 0));
}

static void test_self(void **state)
{
        AUTO_FREE char *p = data_of(1, 1000), *big = data_of(9, CONTENT_SELF_REPLACED_MAX + 1);
        struct str self = { big, CONTENT_SELF_REPLACED_MAX };
        struct content_id id = make(p, 1000, 1000, STR("first"), false), none = { 1, 2 };
        struct content_file *f;
        AUTO_BUF struct buf b = BUF_INIT;
        char path[CONTENT_PATH], byte = 'x';
        AUTO_FD int fd = -1;

        (void)state;
        OK(content_file_set_self(dir, id, STR("second"), false));
        OK(content_file_set_self(dir, id, self, false));
        OK(content_file_open(dir, id, 1000, &f));
        OK(content_file_self(f, &b));
        assert_true(str_eq(buf_str(&b), self));
        OK(content_file_set_self(dir, id, STR("third"), true));
        buf_clear(&b);
        OK(content_file_self(f, &b));
        assert_true(str_eq(buf_str(&b), STR("third")));
        CODE(content_file_set_self(dir, none, STR("x"), false), ERR_NOT_FOUND);
        self.n++;
        CODE(content_file_set_self(dir, id, self, false), ERR_TOO_LARGE);
        content__path(id, ".self", path);
        OK(file_open(dir->content_fd, path, O_RDWR, 0, &fd));
        assert_int_equal(pwrite(fd, &byte, 1, 33), 1);
        CODE(content_file_self(f, &b), ERR_CORRUPT);
        OK(content_file_verify(f, 0, 1000)); /* the data is another matter */
        content_file_close(f);
        OK(content_remove(dir, id));
        CODE(file_open(dir->content_fd, path, O_RDONLY, 0, &fd), ERR_NOT_FOUND);
}

/* ---- unfinished files ---- */

static void spoil_tail(struct content_id id, uint64_t size)
{
        char name[CONTENT_NAME + 8];
        AUTO_FD int data = -1, log = -1;
        struct stat st;

        content__name(id, name);
        OK(file_open(dir->work_fd, name, O_RDWR, 0, &data));
        OK(file_pwrite_full(data, "garbage of a crash", 18, (int64_t)size));
        memcpy(name + CONTENT_NAME - 1, ".sum", 5);
        OK(file_open(dir->work_fd, name, O_RDWR, 0, &log));
        OK(file_stat(log, &st));
        OK(file_pwrite_full(log, "ORLOPcl\n and then nothing", 25, st.st_size));
}

struct compare {
        const char *p;
        size_t at;
};

static struct err *compare_piece(void *arg, const void *p, size_t n)
{
        struct compare *c = arg;

        assert_memory_equal(c->p + c->at, p, n);
        c->at += n;
        return NULL;
}

static void check_back(struct content_writer *w, const char *p, size_t n)
{
        struct compare c = { p, 0 };

        OK(content_writer_read_back(w, compare_piece, &c));
        assert_int_equal(c.at, n);
}

static void test_resume(void **state)
{
        enum { MAX_SIZE = 700000 };
        AUTO_FREE char *p = data_of(3, MAX_SIZE);

        (void)state;
        for (unsigned run = 0; run < 12; run++) {
                uint64_t rng = run, size = 0, before = 0;
                struct content_writer *w;
                struct content_id id;

                dir->no_tmpfile = run % 2;
                OK(content_writer_new(dir, -1, &w));
                id = content_writer_id(w);
                for (unsigned step = 0; step < 15; step++) {
                        size_t n = (size_t)((rng = hash_mix(rng + 1)) % 70000);

                        if (step % 5 == 4)
                                n = (size_t)(CONTENT_BLOCK - size % CONTENT_BLOCK); /* ends on a block */
                        if (size + n > MAX_SIZE)
                                break;
                        OK(content_writer_write(w, p + size, n));
                        before = size;
                        size += n;
                        OK(content_writer_suspend(w, run % 3 == 0));
                        assert_true(content_in_flight(dir, id));
                        content_settled(dir, id);
                        if (step % 3 == 1)
                                spoil_tail(id, size);
                        if (step % 4 == 2)
                                size = before; /* the record of the last one did not make it */
                        OK(content_writer_resume(dir, id, size, &w));
                        assert_int_equal(content_writer_size(w), size);
                        if (step % 5 == 3)
                                check_back(w, p, size);
                        if (step % 6 == 5) { /* a request that was given up */
                                OK(content_writer_write(w, "dropped", 7));
                                content_writer_abort(w);
                                OK(content_writer_resume(dir, id, size, &w));
                        }
                }
                OK(content_writer_finish(w, STR("done"), run % 2));
                check_same(id, p, size);
                CODE(content_writer_resume(dir, id, size, &w), ERR_NOT_FOUND);
                OK(content_work_remove(dir, id));
        }
        dir->no_tmpfile = false;
}

static void test_resume_damaged(void **state)
{
        enum { N = CONTENT_BLOCK + 1000 };
        AUTO_FREE char *p = data_of(3, N);
        struct content_writer *w;
        struct content_id id;
        char name[CONTENT_NAME + 8], byte;
        AUTO_FD int fd = -1, log = -1;
        struct stat st;

        (void)state;
        OK(content_writer_new(dir, -1, &w));
        id = content_writer_id(w);
        OK(content_writer_write(w, p, N));
        OK(content_writer_suspend(w, false));
        CODE(content_writer_resume(dir, id, N - 1, &w), ERR_CORRUPT);
        CODE(content_writer_resume(dir, id, N + 1, &w), ERR_CORRUPT);
        content__name(id, name);
        OK(file_open(dir->work_fd, name, O_RDWR, 0, &fd));
        byte = (char)(p[N - 1] ^ 1);
        OK(file_pwrite_full(fd, &byte, 1, N - 1));
        CODE(content_writer_resume(dir, id, N, &w), ERR_CORRUPT); /* the partial block is read */
        OK(file_pwrite_full(fd, p + N - 1, 1, N - 1));
        byte = (char)(p[5] ^ 1);
        OK(file_pwrite_full(fd, &byte, 1, 5));
        OK(content_writer_resume(dir, id, N, &w));
        OK(content_writer_write(w, p, 100));
        CODE(content_writer_read_back(w, compare_piece, &(struct compare){ p, 0 }), ERR_CORRUPT);
        OK(content_writer_finish(w, STR_NONE, true));
        CODE(read_whole(id, N + 100), ERR_CORRUPT); /* full blocks are judged by what they were when they came */

        OK(content_writer_new(dir, -1, &w));
        id = content_writer_id(w);
        OK(content_writer_write(w, p, N));
        OK(content_writer_suspend(w, false));
        content__name(id, name);
        memcpy(name + CONTENT_NAME - 1, ".sum", 5);
        OK(file_open(dir->work_fd, name, O_RDWR, 0, &log));
        OK(file_stat(log, &st));
        for (off_t at = 0; at < st.st_size; at++) {
                for (unsigned bit = 0; bit < 8; bit++) {
                        unsigned char was, now;

                        assert_int_equal(pread(log, &was, 1, at), 1);
                        now = (unsigned char)(was ^ 1u << bit);
                        assert_int_equal(pwrite(log, &now, 1, at), 1);
                        CODE(content_writer_resume(dir, id, N, &w), ERR_CORRUPT);
                        assert_int_equal(pwrite(log, &was, 1, at), 1);
                }
        }
        OK(content_writer_resume(dir, id, N, &w));
        content_writer_abort(w);
        OK(file_unlink(dir->work_fd, name));
        CODE(content_writer_resume(dir, id, N, &w), ERR_CORRUPT);
        content__name(id, name);
        OK(file_unlink(dir->work_fd, name));
        CODE(content_writer_resume(dir, id, N, &w), ERR_NOT_FOUND);
}

/* ---- folders ---- */

static struct err *count_one(void *arg, struct content_id id, const struct stat *st)
{
        (void)id;
        assert_true(st->st_size > 0);
        ++*(unsigned *)arg;
        return NULL;
}

static unsigned count(void)
{
        unsigned n = 0;

        OK(content_each(dir, count_one, &n));
        return n;
}

static bool keep_one(void *arg, struct content_id id)
{
        const struct content_id *want = arg;

        return want->hi == id.hi && want->lo == id.lo;
}

static void test_folders(void **state)
{
        AUTO_FREE char *p = data_of(3, 5000);
        struct content_id id[20], kept, dropped, moved;
        struct content_writer *w, *open_one;
        uint64_t files, bytes;
        AUTO_FD int fd = -1, other = -1;

        (void)state;
        for (unsigned i = 0; i < ARRAY_LEN(id); i++)
                id[i] = make(p, 5000, 5000, STR("s"), true);
        assert_int_equal(count(), 20);
        for (unsigned i = 0; i < 10; i++)
                OK(content_remove(dir, id[i]));
        OK(content_remove(dir, id[0])); /* absent is fine */
        assert_int_equal(count(), 10);
        CODE(read_whole(id[0], 5000), ERR_NOT_FOUND);
        OK(content_trash_empty(dir, 3600 * NS_PER_SEC, 100, &files, &bytes));
        assert_int_equal(files, 0);
        OK(content_trash_empty(dir, 0, 4, &files, &bytes));
        assert_int_equal(files, 4);

        OK(content_writer_new(dir, -1, &w));
        kept = content_writer_id(w);
        OK(content_writer_write(w, p, 10));
        OK(content_writer_suspend(w, true));
        OK(content_writer_new(dir, -1, &w));
        dropped = content_writer_id(w);
        OK(content_writer_write(w, p, 10));
        OK(content_writer_suspend(w, true));
        dir->no_tmpfile = true;
        OK(content_writer_new(dir, -1, &open_one)); /* has a name in work/ */
        dir->no_tmpfile = false;
        OK(file_mkdir(dir->trash_fd, "bucket", 0700));
        OK(file_open(dir->trash_fd, "bucket/x", O_CREAT | O_RDWR, 0600, &fd));
        OK(file_open(dir->content_fd, "00/.stray.1234", O_CREAT | O_RDWR, 0600, &other));
        content_settled(dir, kept);
        OK(content_clean(dir, 3600 * NS_PER_SEC, NULL, NULL, &files, &bytes));
        assert_int_equal(files, 0);
        OK(content_clean(dir, 0, keep_one, &kept, &files, &bytes));
        assert_int_equal(files, 6 + 1 + 1); /* trash, a directory in it, the stray; the one in flight stays */
        content_settled(dir, dropped);
        OK(content_clean(dir, 0, keep_one, &kept, &files, &bytes));
        assert_int_equal(files, 2); /* data and checksums */
        OK(content_writer_write(open_one, p, 5000));
        id[0] = content_writer_id(open_one);
        OK(content_writer_finish(open_one, STR_NONE, false));
        check_same(id[0], p, 5000);
        OK(content_writer_resume(dir, kept, 10, &w));
        content_writer_abort(w);
        OK(content_work_remove(dir, kept));
        assert_int_equal(count(), 11);

        moved = id[0];
        OK(content_file_set_self(dir, moved, STR("x"), false));
        OK(content_quarantine(dir, moved, base_fd));
        assert_int_equal(count(), 10);
        OK(content_quarantine(dir, moved, base_fd)); /* absent is fine */
}

/* ---- faults ---- */

static unsigned open_fds(void)
{
        unsigned n = 0;

        for (int i = 0; i < 256; i++)
                n += fcntl(i, F_GETFD) >= 0;
        return n;
}

/* A life of three contents: one finished at once, one by way of suspend and resume, one described anew. Stops at the
 * first error, leaving nothing open. */
static struct err *whole_life(const char *p, size_t n)
{
        struct content_writer *w;
        struct content_id id;
        struct err *e;

        TRY(content_writer_new(dir, (int64_t)n, &w));
        id = content_writer_id(w);
        e = content_writer_write(w, p, n);
        if (e) {
                content_writer_abort(w);
                return e;
        }
        TRY(content_writer_finish(w, STR("self"), false));
        content_settled(dir, id);
        TRY(read_whole(id, n)); /* what was acknowledged is there, whole */
        TRY(content_file_set_self(dir, id, STR("another"), false));

        TRY(content_writer_new(dir, -1, &w));
        id = content_writer_id(w);
        e = content_writer_write(w, p, n / 2);
        if (e) {
                content_writer_abort(w);
                return e;
        }
        TRY(content_writer_suspend(w, false));
        content_settled(dir, id);
        e = content_writer_resume(dir, id, n / 2, &w);
        if (!e) {
                e = content_writer_write(w, p + n / 2, n - n / 2);
                if (e)
                        content_writer_abort(w);
                else
                        e = content_writer_finish(w, STR("self"), false);
        }
        if (e) { /* what was kept is still there */
                struct err *again;

                OK(fault_set(STR_NONE));
                again = content_writer_resume(dir, id, n / 2, &w);
                if (!again)
                        content_writer_abort(w);
                else if (err_code(again) == ERR_NOT_FOUND) /* it has reached content/ already, whole */
                        check_same(id, p, n);
                else
                        OK(again);
                err_free(again);
                return e;
        }
        content_settled(dir, id);
        TRY(read_whole(id, n));
        return content_remove(dir, id);
}

static unsigned in_flight(void)
{
        unsigned n = 0;

        for (unsigned i = 0; i < CONTENT_FLIGHT_BUCKETS; i++)
                LIST_FOREACH(pos, &dir->flight[i])
                        n++;
        return n;
}

static void test_faults(void **state)
{
        static const char *const classes[] = { "open",   "pwrite",    "write", "fdatasync", "fsync", "link",
                                               "rename", "ftruncate", "fstat", "fstatat",   "read",  "pread" };
        static const char *const errors[] = { "EIO", "ENOSPC" };
        enum { N = 300000 };
        AUTO_FREE char *p = data_of(3, N);
        unsigned fds, total = 0;
        char spec[64];

        (void)state;
        OK(whole_life(p, N));
        fds = open_fds();
        for (unsigned c = 0; c < ARRAY_LEN(classes); c++) {
                for (unsigned k = 0; k < ARRAY_LEN(errors); k++) {
                        unsigned n, failed = 0, quiet = 0;

                        /* Beyond the last call of this class nothing fails any more. */
                        for (n = 1; quiet < 2 && n < 100; n++) {
                                struct err *e;

                                (void)snprintf(spec, sizeof(spec), "%s:%u:%s", classes[c], n, errors[k]);
                                OK(fault_set(str_of(spec)));
                                e = whole_life(p, N);
                                OK(fault_set(STR_NONE));
                                if (e) {
                                        assert_true(err_code(e) == (k ? ERR_NO_SPACE : ERR_IO));
                                        failed++;
                                        quiet = 0;
                                } else {
                                        quiet++;
                                }
                                err_free(e);
                                assert_int_equal(open_fds(), fds);
                                assert_int_equal(in_flight(), 0);
                        }
                        assert_true(n < 100);
                        total += failed;
                }
        }
        print_message("%u faults\n", total);
        assert_true(total > 40);
}

/* The kernel may write less than it was asked to; and a write that failed is never believed afterwards. */
static void test_short_and_broken(void **state)
{
        enum { N = 300000 };
        AUTO_FREE char *p = data_of(3, N);
        struct content_writer *w;
        uint64_t files, bytes;
        unsigned before;

        (void)state;
        OK(content_clean(dir, 0, NULL, NULL, &files, &bytes));
        for (unsigned n = 1; n < 4; n++) {
                char spec[32];

                (void)snprintf(spec, sizeof(spec), "pwrite:%u:short", n);
                OK(fault_set(str_of(spec)));
                check_same(make(p, N, N, STR("s"), true), p, N);
        }
        before = count();
        OK(fault_set(STR("pwrite:1:EIO")));
        OK(content_writer_new(dir, -1, &w));
        CODE(content_writer_write(w, p, N), ERR_IO);
        CODE(content_writer_write(w, p, 1), ERR_IO);
        CODE(content_writer_finish(w, STR_NONE, true), ERR_IO);
        OK(fault_set(STR("fdatasync:1:EIO")));
        OK(content_writer_new(dir, -1, &w));
        OK(content_writer_write(w, p, N));
        CODE(content_writer_finish(w, STR_NONE, false), ERR_IO);
        assert_int_equal(count(), before); /* no name was left behind */
        OK(fault_set(STR_NONE));
}

/* ---- threads ---- */

static void busy(void *arg)
{
        uint64_t seed = (uint64_t)(uintptr_t)arg;
        AUTO_FREE char *p = data_of(seed, 70000);

        for (unsigned i = 0; i < 30; i++) {
                struct content_id id = make(p, 70000, 10000, STR("t"), true);

                check_same(id, p, 70000);
                OK(content_remove(dir, id));
        }
}

static void test_threads(void **state)
{
        struct thread *t[4];
        uint64_t files, bytes;
        unsigned before = count();

        (void)state;
        for (uintptr_t i = 0; i < ARRAY_LEN(t); i++)
                OK(thread_start(&t[i], "busy", THREAD_WORKER, busy, (void *)i));
        for (unsigned i = 0; i < 20; i++)
                OK(content_clean(dir, 0, NULL, NULL, &files, &bytes));
        for (unsigned i = 0; i < ARRAY_LEN(t); i++)
                thread_join(t[i]);
        assert_int_equal(count(), before);
        assert_int_equal(in_flight(), 0);
}

/* The example of docs/format/content.md. */
static void test_example(void **state)
{
        static const char want[] = "68698343469c784f524c4f5063660a0100000001000000efcdab8967452301"
                                   "1032547698badcfe02000000000000000000010089418343";
        struct content_id id = { 0x0123456789abcdef, 0xfedcba9876543210 };
        uint32_t crc = htole32(hash_crc32c(content__block_seed(id, 0), "hi", 2));
        AUTO_BUF struct buf b = BUF_INIT;
        char hex[2 * 64], path[CONTENT_PATH];

        (void)state;
        buf_adds(&b, STR("hi"));
        content__footer_add(&b, id, 2, (struct str){ (const char *)&crc, sizeof(crc) }, STR("x"));
        assert_int_equal(b.n, 55);
        str_to_hex(b.p, b.n, hex);
        assert_string_equal(hex, want);
        content__path(id, "", path);
        assert_string_equal(path, "01/0123456789abcdeffedcba9876543210");
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_round_trip),     TEST(test_large),   TEST(test_every_bit), TEST(test_grown),
                TEST(test_misdirected),    TEST(test_self),    TEST(test_resume),    TEST(test_resume_damaged),
                TEST(test_folders),        TEST(test_faults),  TEST(test_short_and_broken), TEST(test_threads),
                cmocka_unit_test(test_example),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
