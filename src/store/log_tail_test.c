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

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sound),
                cmocka_unit_test(test_cut_anywhere),
                cmocka_unit_test(test_flip_anywhere),
                cmocka_unit_test(test_unmarked),
                cmocka_unit_test(test_own_mark),
                cmocka_unit_test(test_directory),
                cmocka_unit_test(test_short_first_fragment),
                cmocka_unit_test(test_manifest),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
