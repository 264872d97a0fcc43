/* Pages of a listing: what is written is read back, and what is damaged is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "flow/list_page.h"

static const struct list_place places[] = { { { "/data/0", 7 }, { "sda", 3 } }, { { "/data/1", 7 }, { "", 0 } } };

static struct list_row rows[] = {
        { .name = { "a", 1 }, .kind = LIST_LIVE,
          .meta = { .stamp = { 1000, 7 }, .size = 5, .version = 3, .mtime_ns = 990, .atime_ns = -4, .copies = 1 } },
        { .name = { "a/b", 3 }, .kind = LIST_DIR },
        { .name = { "a/bc", 4 }, .kind = LIST_TOMBSTONE, .meta = { .stamp = { UINT64_MAX, UINT32_MAX } } },
        { .name = { "a/bd\0x", 6 }, .kind = LIST_MOVED, .meta = { .stamp = { 1, 0 } } },
        { .name = { "\xff", 1 }, .kind = LIST_LIVE,
          .meta = { .stamp = { 5, 1 }, .size = UINT64_MAX, .mtime_ns = INT64_MAX, .atime_ns = INT64_MIN, .chunks = 9,
                    .max_chunk_size = 1 << 20, .copies = 2, .mountpath = 1 } },
};

static void fill_rows(void)
{
        rows[1].name = STR("a/");
        rows[0].meta.cksum_type = CKSUM_XXHASH2;
        rows[0].meta.cksum = STR("0123456789abcdef");
        rows[0].meta.custom = STR("\1k\1v");
}

static void write_page(struct buf *b, bool full, bool more)
{
        struct list_page_writer w;
        fill_rows();
        flow__list_page_begin(b, full ? places : NULL, 2);
        flow__list_page_writer(&w, b, 0, full);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                flow__list_page_add(&w, &rows[i], rows[i].meta.mountpath);
        flow__list_page_end(&w, more, STR("\xff\0"));
}

static void check_live(const struct list_row *r, const struct list_row *want, bool full)
{
        assert_int_equal(r->meta.size, want->meta.size);
        assert_int_equal(r->meta.version, want->meta.version);
        assert_int_equal(r->meta.mtime_ns, want->meta.mtime_ns);
        assert_int_equal(r->meta.atime_ns, want->meta.atime_ns);
        assert_int_equal(r->meta.chunks > 0, want->meta.chunks > 0);
        if (!full)
                return;
        assert_int_equal(r->meta.chunks, want->meta.chunks);
        assert_int_equal(r->meta.copies, want->meta.copies);
        assert_int_equal(r->meta.cksum_type, want->meta.cksum_type);
        assert_true(str_eq(r->meta.cksum, want->meta.cksum));
        assert_true(str_eq(r->meta.custom, want->meta.custom));
        assert_true(str_eq(r->place.path, places[want->meta.mountpath].path));
        assert_true(str_eq(r->place.disk, places[want->meta.mountpath].disk));
}

static void test_round_trip(void **state)
{
        (void)state;
        for (unsigned k = 0; k < 4; k++) {
                AUTO_BUF struct buf b = BUF_INIT;
                bool full = k & 1, more = k & 2;
                struct list_page p;
                const struct list_row *r;
                write_page(&b, full, more);
                assert_ok(flow__list_page_open(&p, buf_str(&b)));
                assert_int_equal(p.more, more);
                assert_int_equal(p.from.n, more ? 2 : 0);
                for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                        assert_ok(flow__list_page_next(&p, &r));
                        assert_non_null(r);
                        assert_true(str_eq(r->name, rows[i].name));
                        assert_int_equal(r->kind, rows[i].kind);
                        assert_true(r->meta.stamp.hlc == rows[i].meta.stamp.hlc);
                        assert_int_equal(r->meta.stamp.node, rows[i].meta.stamp.node);
                        if (r->kind == LIST_LIVE)
                                check_live(r, &rows[i], full);
                }
                assert_ok(flow__list_page_next(&p, &r));
                assert_null(r);
                flow__list_page_close(&p);
        }
}

static enum err_code read_page(struct str bytes)
{
        struct list_page p;
        const struct list_row *r = NULL;
        struct err *e = flow__list_page_open(&p, bytes);
        if (!e) {
                do
                        e = flow__list_page_next(&p, &r);
                while (!e && r);
                flow__list_page_close(&p);
        }
        enum err_code code = err_code(e);
        err_free(e);
        return code;
}

static void test_cut_off(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        write_page(&b, true, true);
        for (size_t n = 0; n < b.n; n++)
                assert_int_equal(read_page((struct str){ b.p, n }), ERR_MALFORMED);
        assert_int_equal(read_page(buf_str(&b)), ERR_NONE);
}

static void two_rows(struct buf *b, const char *first, const char *second)
{
        struct list_page_writer w;
        flow__list_page_begin(b, NULL, 0);
        flow__list_page_writer(&w, b, 0, false);
        flow__list_page_add(&w, &(struct list_row){ .name = str_of(first), .kind = LIST_MOVED }, 0);
        flow__list_page_add(&w, &(struct list_row){ .name = str_of(second), .kind = LIST_MOVED }, 0);
        flow__list_page_end(&w, false, STR_NONE);
}

/* Merging relies on the order of names, and on a next page that begins behind them. */
static void test_order(void **state)
{
        (void)state;
        static const char *const wrong[][2] = { { "b", "a" }, { "b", "b" }, { "ab", "a" }, { "ac", "ab" } };
        for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
                AUTO_BUF struct buf b = BUF_INIT;
                two_rows(&b, wrong[i][0], wrong[i][1]);
                assert_int_equal(read_page(buf_str(&b)), ERR_MALFORMED);
        }
        AUTO_BUF struct buf good = BUF_INIT;
        two_rows(&good, "a", "ab");
        assert_int_equal(read_page(buf_str(&good)), ERR_NONE);

        AUTO_BUF struct buf back = BUF_INIT;
        struct list_page_writer w;
        flow__list_page_begin(&back, NULL, 0);
        flow__list_page_writer(&w, &back, 0, false);
        flow__list_page_add(&w, &(struct list_row){ .name = STR("m"), .kind = LIST_MOVED }, 0);
        flow__list_page_end(&w, true, STR("m"));
        assert_int_equal(read_page(buf_str(&back)), ERR_MALFORMED);
}

static void test_version(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        write_page(&b, false, false);
        b.p[3] = 2;
        assert_int_equal(read_page(buf_str(&b)), ERR_FORMAT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_cut_off),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_version),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
