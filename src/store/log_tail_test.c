/* Log files written here by the format's rules, then cut or damaged at every place: torn or damaged, never mistaken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/hash.h"
#include "os/file.h"
#include "store/log_note.h"
#include "store/log_tail.h"

enum { BLOCK = 32768, RECORDS = 12 };

static void add_fragment(struct buf *b, unsigned char type, const char *p, size_t n)
{
        uint32_t crc = hash_crc32c(0, &type, 1);

        crc = hash_crc32c(crc, p, n);
        buf_add_u32(b, ((crc >> 15) | (crc << 17)) + 0xa282ead8u);
        buf_add_u16(b, (uint16_t)n);
        buf_addc(b, (char)type);
        buf_add(b, p, n);
}

static void add_record(struct buf *b, struct str payload)
{
        bool first = true, last;

        do {
                size_t left = BLOCK - b->n % BLOCK, n;

                if (left < 7) {
                        buf_add(b, "\0\0\0\0\0\0", left);
                        left = BLOCK;
                }
                n = MIN(payload.n, left - 7);
                last = n == payload.n;
                add_fragment(b, first && last ? 1 : first ? 2 : last ? 4 : 3, payload.p, n);
                payload = str_skip(payload, n);
                first = false;
        } while (!last);
}

/* A batch of one put of n bytes, marked or not. */
static void add_batch(struct buf *b, uint64_t sequence, size_t n, bool marked)
{
        AUTO_BUF struct buf p = BUF_INIT;

        buf_add_u64(&p, sequence);
        buf_add_u32(&p, 1);
        for (size_t i = 0; i < n; i++)
                buf_addc(&p, (char)(sequence * 7 + i));
        if (marked) {
                buf_addc(&p, 3);
                buf_add_lstr(&p, STR(LOG_TAIL_MARK));
        }
        add_record(b, buf_str(&p));
}

static size_t ends[RECORDS];

/* Records of many sizes, some across blocks; all marked, as when each was synced. */
static void make(struct buf *b, bool marked)
{
        static const size_t sizes[RECORDS] = { 10, 300, 5000, 27700, 3, 40000, 70000, 1, 900, 32768, 12, 6000 };

        for (unsigned i = 0; i < RECORDS; i++) {
                add_batch(b, 100 + i, sizes[i], marked);
                ends[i] = b->n;
        }
        assert_false(b->bad);
}

static unsigned record_of(size_t at)
{
        unsigned i = 0;

        while (i < RECORDS && at >= ends[i])
                i++;
        return i;
}

static void test_sound(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct log_facts f;

        (void)state;
        log_tail_read(STR(""), &f);
        assert_int_equal(f.tail, LOG_TAIL_SOUND);
        make(&b, true);
        log_tail_read(buf_str(&b), &f);
        assert_int_equal(f.tail, LOG_TAIL_SOUND);
        assert_int_equal(f.first_sequence, 100);
        assert_int_equal(f.next_sequence, 100 + RECORDS);
        for (unsigned i = 0; i < 100000; i++)
                buf_addc(&b, 0); /* reserved space */
        log_tail_read(buf_str(&b), &f);
        assert_int_equal(f.tail, LOG_TAIL_SOUND);
}

static void test_cut_anywhere(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct log_facts f;

        (void)state;
        make(&b, true);
        for (size_t n = 1; n < b.n; n += n % 997 == 0 ? 1 : 13) {
                unsigned i = record_of(n);
                bool whole = i > 0 && ends[i - 1] == n;

                log_tail_read((struct str){ b.p, n }, &f);
                if (f.tail == LOG_TAIL_SOUND) /* at the end of a record, or in padding */
                        assert_true(whole || n - ends[i - 1] < 7);
                else
                        assert_int_equal(f.tail, LOG_TAIL_TORN);
                assert_int_equal(f.next_sequence, i ? 100 + i : 0);
        }
}

static void test_flip_anywhere(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct log_facts f;

        (void)state;
        make(&b, true);
        for (size_t at = 0; at < b.n; at += 61) {
                unsigned i = record_of(at);

                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
                log_tail_read(buf_str(&b), &f);
                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
                if (f.tail == LOG_TAIL_SOUND)
                        fail_msg("a flip at %zu was not seen", at);
                /* In the last record it looks torn: nothing follows that says otherwise. */
                assert_int_equal(f.tail, i == RECORDS - 1 ? LOG_TAIL_TORN : LOG_TAIL_DAMAGED);
                assert_int_equal(f.next_sequence, i ? 100 + i : 0);
        }
}

/* A record's first fragment may be as short as what a block has left, its own head cut too. */
static void test_short_first_fragment(void **state)
{
        struct log_facts f;

        (void)state;
        for (size_t left = 0; left < 40; left++) {
                AUTO_BUF struct buf b = BUF_INIT;

                while (b.n < BLOCK - 6000)
                        add_batch(&b, 1 + b.n, 5000, true);
                add_batch(&b, 9000, BLOCK - b.n - left - 7 - 12 - 2 - sizeof(LOG_TAIL_MARK) + 1, true);
                assert_int_equal(b.n, BLOCK - left);
                add_batch(&b, 9001, 20, true);
                add_batch(&b, 9002, 20, true);
                log_tail_read(buf_str(&b), &f);
                assert_int_equal(f.tail, LOG_TAIL_SOUND);
                assert_int_equal(f.next_sequence, 9003);
        }
}

/* Without marks nothing tells that a record was on stable storage: a lost page in the middle is a torn end. */
static void test_unmarked(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct log_facts f;

        (void)state;
        make(&b, false);
        memset(b.p + 4096, 0, 4096);
        log_tail_read(buf_str(&b), &f);
        assert_int_equal(f.tail, LOG_TAIL_TORN);
        add_batch(&b, 100 + RECORDS, 10, true);
        log_tail_read(buf_str(&b), &f);
        assert_int_equal(f.tail, LOG_TAIL_DAMAGED);
}

/* The mark of a record that is itself torn speaks of those before it, not of itself. */
static void test_own_mark(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct log_facts f;

        (void)state;
        add_batch(&b, 1, 10, true);
        add_batch(&b, 2, 100000, true);
        memset(b.p + 4096, 0, 4096);
        log_tail_read(buf_str(&b), &f);
        assert_int_equal(f.tail, LOG_TAIL_TORN);
        assert_int_equal(f.next_sequence, 2);
}

static void test_manifest(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;

        (void)state;
        make(&b, false);
        assert_false(log_tail_is_cut(buf_str(&b)));
        for (size_t n = 0; n < b.n; n += 53)
                assert_false(log_tail_is_cut((struct str){ b.p, n })); /* torn */
        for (size_t at = 0; at < ends[RECORDS - 2]; at += 61) {
                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
                assert_true(log_tail_is_cut(buf_str(&b)));
                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
        }
}

static void test_directory(void **state)
{
        char dir[] = "/tmp/orlop-log-XXXXXX", name[64];
        AUTO_BUF struct buf a = BUF_INIT, b = BUF_INIT, c = BUF_INIT;
        AUTO_FD int fd = -1;
        enum log_tail t;

        (void)state;
        assert_non_null(mkdtemp(dir));
        assert_null(file_open_dir(AT_FDCWD, dir, &fd));
        assert_null(log_tail_judge(dir, &t, name));
        assert_int_equal(t, LOG_TAIL_SOUND);
        add_batch(&a, 1, 10, true);
        add_batch(&a, 2, 10, true);
        add_batch(&b, 3, 10, true);
        add_batch(&c, 4, 10, true);
        assert_null(file_replace(fd, "000009.log", buf_str(&a), 0600));
        assert_null(file_replace(fd, "000010.log", buf_str(&b), 0600));
        assert_null(file_replace(fd, "1000011.log", buf_str(&c), 0600));
        assert_null(log_tail_judge(dir, &t, name));
        assert_int_equal(t, LOG_TAIL_SOUND);
        /* A torn end that the next file continues is harmless; one with a gap behind it is not. */
        buf_add(&a, "torn", 4);
        assert_null(file_replace(fd, "000009.log", buf_str(&a), 0600));
        assert_null(log_tail_judge(dir, &t, name));
        assert_int_equal(t, LOG_TAIL_TORN);
        a.n -= 10;
        assert_null(file_replace(fd, "000009.log", buf_str(&a), 0600));
        assert_null(log_tail_judge(dir, &t, name));
        assert_int_equal(t, LOG_TAIL_DAMAGED);
        assert_string_equal(name, "000010.log");
        assert_null(file_remove_tree(AT_FDCWD, dir));
}

static enum log_tail judge(int fd, const char *dir, const char *file, struct str content)
{
        enum log_tail t;
        char name[64] = "";

        assert_null(file_replace(fd, file, content, 0600));
        assert_null(log_tail_judge(dir, &t, name));
        if (t == LOG_TAIL_DAMAGED)
                assert_string_equal(name, file);
        return t;
}

/* With a note of what was synced nothing of that may be missing, the last record too; without one it looks torn. */
static void test_note(void **state)
{
        char dir[] = "/tmp/orlop-log-XXXXXX";
        AUTO_BUF struct buf a = BUF_INIT, bad_note = BUF_INIT;
        AUTO_FD int fd = -1, log = -1;
        struct log_noter n;
        struct log_note note;
        size_t synced, all;

        (void)state;
        assert_non_null(mkdtemp(dir));
        assert_null(file_open_dir(AT_FDCWD, dir, &fd));
        assert_false(log_note_read(fd, &note));
        add_batch(&a, 1, 10, true);
        add_batch(&a, 2, 300, true);
        synced = a.n;
        assert_null(file_open(fd, "000012.log", O_RDWR | O_CREAT, 0600, &log));
        assert_null(file_pwrite_full(log, a.p, a.n, 0));
        assert_null(file_replace(fd, "000009.log", STR("an older one"), 0600));
        assert_null(file_replace(fd, "000014.log", STR(""), 0600)); /* made by a flush: nothing is in it yet */
        log_noter_init(&n, dir);
        log_noter_written(&n, true);
        assert_true(log_note_read(fd, &note));
        assert_int_equal(note.number, 12);
        assert_int_equal(note.length, synced);
        /* A write that was not synced is not noted. */
        add_batch(&a, 3, 20, true);
        all = a.n;
        assert_null(file_pwrite_full(log, a.p, a.n, 0));
        log_noter_written(&n, false);
        assert_true(log_note_read(fd, &note));
        assert_int_equal(note.length, synced);
        assert_null(file_unlink(fd, "000009.log"));
        assert_null(file_unlink(fd, "000014.log"));

        for (size_t at = 0; at < all; at += 3) {
                a.p[at] = (char)(a.p[at] ^ 1 << at % 8);
                assert_int_equal(judge(fd, dir, "000012.log", buf_str(&a)),
                                 at < synced ? LOG_TAIL_DAMAGED : LOG_TAIL_TORN);
                a.p[at] = (char)(a.p[at] ^ 1 << at % 8);
        }
        for (size_t cut = 0; cut < all; cut++)
                assert_int_equal(judge(fd, dir, "000012.log", (struct str){ a.p, cut }),
                                 cut < synced ? LOG_TAIL_DAMAGED : cut == synced ? LOG_TAIL_SOUND : LOG_TAIL_TORN);
        memset(a.p + synced - 200, 0, all - synced + 200); /* as space that was reserved looks */
        assert_int_equal(judge(fd, dir, "000012.log", buf_str(&a)), LOG_TAIL_DAMAGED);

        /* A damaged note says nothing, nor does one of a log that is gone. */
        assert_null(file_read_all(fd, LOG_NOTE_FILE, 64, &bad_note));
        for (size_t i = 0; i < 28; i++) {
                bad_note.p[i] ^= 16;
                assert_null(file_replace(fd, LOG_NOTE_FILE, buf_str(&bad_note), 0600));
                assert_false(log_note_read(fd, &note));
                bad_note.p[i] ^= 16;
        }
        assert_int_equal(judge(fd, dir, "000012.log", buf_str(&a)), LOG_TAIL_TORN);
        assert_null(file_replace(fd, LOG_NOTE_FILE, buf_str(&bad_note), 0600));
        assert_true(log_note_read(fd, &note));
        assert_null(file_rename(fd, "000012.log", fd, "000013.log"));
        assert_int_equal(judge(fd, dir, "000013.log", buf_str(&a)), LOG_TAIL_TORN);
        log_noter_fini(&n);
        log_note_remove(dir);
        assert_false(log_note_read(fd, &note));
        assert_null(file_remove_tree(AT_FDCWD, dir));
}

/* The engine changes logs when it likes: the next write is noted in the new one, a write that came before in the old. */
static void test_note_follows(void **state)
{
        char dir[] = "/tmp/orlop-log-XXXXXX";
        AUTO_FD int fd = -1;
        struct log_noter n;
        struct log_note note;

        (void)state;
        assert_non_null(mkdtemp(dir));
        assert_null(file_open_dir(AT_FDCWD, dir, &fd));
        log_noter_init(&n, dir);
        log_noter_written(&n, true); /* no log at all: said, no harm */
        assert_false(log_note_read(fd, &note));
        for (unsigned i = 10; i < 14; i++) {
                AUTO_FD int log = -1;
                char name[64];

                (void)snprintf(name, sizeof(name), "%06u.log", i);
                assert_null(file_open(fd, name, O_RDWR | O_CREAT, 0600, &log));
                for (int64_t k = 0; k < 3; k++) {
                        assert_null(file_pwrite_full(log, "0123456789", 10, 10 * k));
                        log_noter_written(&n, k > 0);
                        if (k == 0)
                                continue;
                        assert_true(log_note_read(fd, &note));
                        assert_int_equal(note.number, i);
                        assert_int_equal(note.length, 10 * (k + 1));
                }
        }
        log_noter_fini(&n);
        assert_null(file_remove_tree(AT_FDCWD, dir));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sound),
                cmocka_unit_test(test_cut_anywhere),
                cmocka_unit_test(test_flip_anywhere),
                cmocka_unit_test(test_unmarked),
                cmocka_unit_test(test_own_mark),
                cmocka_unit_test(test_directory),
                cmocka_unit_test(test_note),
                cmocka_unit_test(test_note_follows),
                cmocka_unit_test(test_short_first_fragment),
                cmocka_unit_test(test_manifest),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
