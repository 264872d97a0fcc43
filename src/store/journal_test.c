/* The journal alone: what was written comes back in order; files are used again; an end that is cut or damaged is torn
 * where nothing says that it was synced, and damage otherwise; files that are lost are missed. */
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
#include "store/journal.h"
#include "store/manifest.h"

#define SEGMENT ((size_t)64 * 1024)
static const uint64_t id = 0x1122334455667788;

static char dir[128];
static struct journal *journal;
/* What a replay gave: numbers in the payloads, which begin with 8 bytes. */
static uint64_t seen_first, seen_last, seen_n;

static void ok_at(struct err *e, int line)
{
        char text[512];

        if (!e)
                return;
        fail_msg("line %d: %s", line, err_text(e, text, sizeof(text)));
}
#define OK(e) ok_at((e), __LINE__)

static struct err *see(void *arg, struct str payload)
{
        uint64_t n;

        (void)arg;
        assert_true(payload.n >= 8);
        memcpy(&n, payload.p, 8);
        for (size_t i = 8; i < payload.n; i++)
                assert_int_equal((unsigned char)payload.p[i], (n + i) & 0xff);
        if (seen_n > 0)
                assert_int_equal(n, seen_last + 1);
        else
                seen_first = n;
        seen_last = n;
        seen_n++;
        return NULL;
}

static struct err *try_open(uint64_t flushed, bool salvage)
{
        seen_first = seen_last = seen_n = 0;
        return journal_open(dir, (struct journal_place){ id, flushed }, salvage, SEGMENT, see, NULL, &journal);
}

static void end(void)
{
        journal_close(journal);
        journal = NULL;
}

/* Payload of this record: its number, and bytes that follow from it. */
static void add(uint64_t n, size_t size, bool sync)
{
        struct journal_record r = { NULL, 0, 0, false };

        journal_record_add(&r, &n, 8);
        for (size_t i = 8; i < size; i++) {
                char c = (char)(n + i);

                journal_record_add(&r, &c, 1);
        }
        OK(journal_append(journal, &r, sync));
        assert_int_equal(journal_last(journal), n);
        journal_record_fini(&r);
}

static int setup(void **state)
{
        const char *tmp = getenv("TMPDIR");

        (void)state;
        (void)snprintf(dir, sizeof(dir), "%.80s/orlop-journal-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(dir));
        OK(try_open(0, false));
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        end();
        OK(file_remove_tree(AT_FDCWD, dir));
        return 0;
}

static void path_of(const char *name, char path[static 200])
{
        (void)snprintf(path, 200, "%s/%s", dir, name);
}

static void remove_note(void)
{
        char path[200];

        path_of(JOURNAL_NOTE, path);
        assert_int_equal(unlink(path), 0);
}

static void flip(const char *name, int64_t at)
{
        char path[200], c;
        AUTO_FD int fd = -1;

        path_of(name, path);
        OK(file_open(AT_FDCWD, path, O_RDWR, 0, &fd));
        OK(file_pread_full(fd, &c, 1, at));
        c ^= 0x10;
        OK(file_pwrite_full(fd, &c, 1, at));
}

static void refuses(uint64_t flushed, const char *name)
{
        struct err *e = try_open(flushed, false);
        char text[512];

        assert_non_null(e);
        assert_int_equal(err_code(e), ERR_CORRUPT);
        assert_non_null(strstr(err_text(e, text, sizeof(text)), name));
        err_free(e);
}

static void test_replay(void **state)
{
        (void)state;
        for (uint64_t n = 1; n <= 40; n++)
                add(n, 8 + (size_t)n * 97 % 9000, n % 3 == 0);
        end();
        OK(try_open(0, false));
        assert_int_equal(seen_first, 1);
        assert_int_equal(seen_last, 40);
        for (uint64_t n = 41; n <= 50; n++)
                add(n, 100, true);
        end();
        OK(try_open(17, false));
        assert_int_equal(seen_first, 18);
        assert_int_equal(seen_last, 50);
        end();
        OK(try_open(50, false));
        assert_int_equal(seen_n, 0);
}

/* Files that are free are taken again, so that there are never many; what is held is not replayed. */
static void test_reuse(void **state)
{
        uint64_t held = 0;

        (void)state;
        for (uint64_t n = 1; n <= 400; n++) {
                if (n % 37 == 0) {
                        held = n - 5;
                        journal_flushed(journal, held);
                }
                add(n, 6000 + (size_t)(n * 131 % 3000), n % 4 != 0);
                if (n % 50 == 0) {
                        end();
                        OK(try_open(held, false));
                        assert_int_equal(seen_first, held + 1);
                        assert_int_equal(seen_last, n);
                }
                assert_true(journal_live(journal) <= 12);
        }
        end();
        for (unsigned i = 16; i < 24; i++) {
                char name[32], path[200];

                (void)snprintf(name, sizeof(name), JOURNAL_PREFIX "%u", i);
                path_of(name, path);
                assert_int_equal(access(path, F_OK), -1);
        }
}

/* A record longer than a file. */
static void test_large(void **state)
{
        (void)state;
        add(1, 100, true);
        add(2, 5 * SEGMENT, true);
        add(3, 3 * SEGMENT, false);
        add(4, 100, true);
        end();
        OK(try_open(0, false));
        assert_int_equal(seen_last, 4);
        end();
        OK(try_open(2, false));
        assert_int_equal(seen_first, 3);
        assert_int_equal(seen_last, 4);
}

/* Damage in each record that a later one or the note calls synced is found, and its file named. */
static void test_damage(void **state)
{
        (void)state;
        for (uint64_t n = 1; n <= 10; n++)
                add(n, 100, true);
        end();
        for (int64_t i = 0; i < 10; i++)
                for (int64_t at = 0; at < 164; at += 9) {
                        if (at >= 4096)
                                break;
                        flip(JOURNAL_PREFIX "0", i * 4096 + at);
                        refuses(0, JOURNAL_PREFIX "0");
                        flip(JOURNAL_PREFIX "0", i * 4096 + at);
                }
        flip(JOURNAL_PREFIX "0", 2 * 4096 + 500); /* padding */
        flip(JOURNAL_PREFIX "0", 7 * 4096 + 80);
        refuses(3, JOURNAL_PREFIX "0");
        OK(try_open(8, false)); /* it is held */
        assert_int_equal(seen_n, 2);
}

/* Without the note, the last record alone is not known to have been synced; a seal makes it known. */
static void test_torn(void **state)
{
        (void)state;
        for (uint64_t n = 1; n <= 10; n++)
                add(n, 100, true);
        end();
        remove_note();
        flip(JOURNAL_PREFIX "0", 9 * 4096 + 80);
        OK(try_open(0, false));
        assert_int_equal(seen_last, 9);
        for (uint64_t n = 10; n <= 12; n++) /* the number is given again, in another file */
                add(n, 200, true);
        end();
        for (int i = 0; i < 2; i++) {
                OK(try_open(0, false));
                assert_int_equal(seen_last, 12);
                end();
        }
        flip(JOURNAL_PREFIX "0", 4 * 4096 + 80);
        refuses(0, JOURNAL_PREFIX "0");
        flip(JOURNAL_PREFIX "0", 4 * 4096 + 80);
        OK(try_open(0, false));
        add(13, 100, true);
        OK(journal_seal(journal));
        OK(journal_seal(journal));
        assert_int_equal(journal_last(journal), 14);
        end();
        remove_note();
        flip(JOURNAL_PREFIX "2", 80);
        refuses(0, JOURNAL_PREFIX "2");
        refuses(13, JOURNAL_PREFIX "2"); /* what follows in it is not known to follow */
        OK(try_open(14, false));
}

/* What was written without sync may be missing, in any part; what was synced before it is there. */
static void test_unsynced(void **state)
{
        (void)state;
        for (uint64_t n = 1; n <= 5; n++)
                add(n, 100, true);
        for (uint64_t n = 6; n <= 10; n++)
                add(n, 5000, false);
        end();
        flip(JOURNAL_PREFIX "0", 5 * 4096 + 80);
        OK(try_open(0, false));
        assert_int_equal(seen_last, 5);
        add(6, 100, true); /* records 7 to 10 of before are still whole, and do not count */
        end();
        OK(try_open(0, false));
        assert_int_equal(seen_last, 6);
}

static void test_lost_files(void **state)
{
        char path[200];

        (void)state;
        for (uint64_t n = 1; n <= 40; n++)
                add(n, 4000, true);
        end();
        OK(try_open(20, false));
        end();
        path_of(JOURNAL_PREFIX "2", path);
        assert_int_equal(unlink(path), 0);
        refuses(20, "missing");
        path_of(JOURNAL_PREFIX "1", path);
        assert_int_equal(unlink(path), 0);
        refuses(0, "missing");
        OK(try_open(40, false));
}

/* A salvage hands over all that is whole, and the next open is clean. */
static void test_salvage(void **state)
{
        uint64_t found;

        (void)state;
        for (uint64_t n = 1; n <= 10; n++)
                add(n, 100, true);
        end();
        flip(JOURNAL_PREFIX "0", 9 * 4096 + 80);
        refuses(0, JOURNAL_PREFIX "0");
        OK(try_open(0, true));
        assert_int_equal(seen_n, 9);
        assert_int_equal(journal_last(journal), 10);
        end();
        OK(try_open(10, false));
        add(11, 100, true);
        end();
        OK(try_open(10, false));
        assert_int_equal(seen_first, 11);
        OK(journal_find_id(dir, &found));
        assert_true(found == id);
}

/* Records of another journal do not count, whatever they say. */
static void test_foreign(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_FD int fd = -1;
        char path[200];
        struct journal_facts f;

        (void)state;
        for (uint64_t n = 1; n <= 10; n++)
                add(n, 100, true);
        path_of(JOURNAL_PREFIX "0", path);
        OK(file_open(AT_FDCWD, path, O_RDONLY, 0, &fd));
        OK(file_read_all(AT_FDCWD, path, 1 << 20, &b));
        journal_scan(buf_str(&b), id, 0, &f);
        assert_int_equal(f.last, 10);
        assert_int_equal(f.synced, 9);
        journal_scan(buf_str(&b), id + 1, 0, &f);
        assert_int_equal(f.segment, 0);
        assert_int_equal(f.synced, 0);
}

/* The worked example of docs/format/journal.md. */
static void test_example(void **state)
{
        static const unsigned char want[JOURNAL_HEAD] = {
                0x6f, 0x6a, 0x72, 0x31, 0xf6, 0xaf, 0xbb, 0x81, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        };
        char path[200], got[JOURNAL_HEAD + 8];
        AUTO_FD int fd = -1;

        (void)state;
        add(1, 8, true);
        path_of(JOURNAL_PREFIX "0", path);
        OK(file_open(AT_FDCWD, path, O_RDONLY, 0, &fd));
        OK(file_pread_full(fd, got, sizeof(got), 0));
        assert_memory_equal(got, want, sizeof(want));
}

/* ---- the MANIFEST ---- */

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

static void add_fragments(struct buf *b, struct str payload)
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

static void test_manifest(void **state)
{
        AUTO_BUF struct buf b = BUF_INIT;
        size_t ends[RECORDS];
        char bytes[9000];

        (void)state;
        for (unsigned i = 0; i < RECORDS; i++) {
                memset(bytes, (int)('a' + i), sizeof(bytes));
                add_fragments(&b, (struct str){ bytes, 1000 + 700 * i });
                ends[i] = b.n;
        }
        assert_false(manifest_is_cut(buf_str(&b)));
        for (size_t n = 0; n < b.n; n += 53)
                assert_false(manifest_is_cut((struct str){ b.p, n })); /* torn */
        for (size_t at = 0; at < ends[RECORDS - 2]; at += 61) {
                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
                assert_true(manifest_is_cut(buf_str(&b)));
                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
        }
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_replay),     TEST(test_reuse),   TEST(test_large),   TEST(test_damage),  TEST(test_torn),
                TEST(test_unsynced),   TEST(test_lost_files), TEST(test_salvage), TEST(test_foreign), TEST(test_example),
                cmocka_unit_test(test_manifest),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
