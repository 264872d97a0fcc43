/* Parcels: what is written is read again, in pieces of any size; what was changed or cut on its way is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "flow/parcel.h"

struct input {
        struct str rest;
        size_t step;
};

static struct err *read_some(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct input *in = arg;
        n = MIN(MIN(n, in->rest.n), in->step);
        memcpy(p, in->rest.p, n);
        in->rest = str_skip(in->rest, n);
        *ret_n = n;
        return NULL;
}

static void add(struct buf *b, const char *name, bool tombstone, struct str content)
{
        struct parcel p = { .bid = 9, .name = str_of(name) };
        p.meta = (struct obj_meta){ .stamp = { 1234567, 8 }, .epoch = 300, .version = 17, .size = content.n,
                                    .mtime_ns = -5, .atime_ns = 77, .cksum_type = CKSUM_XXHASH2,
                                    .cksum = STR("0123456789abcdef"), .custom = STR("\001a\001b"), .chunks = 3,
                                    .max_chunk_size = 70000, .tombstone = tombstone };
        parcel_encode(&p, b);
        buf_adds(b, content);
        buf_add_u32(b, hash_crc32c(0, content.p, content.n));
}

static void make(struct buf *b)
{
        add(b, "one", false, STR("the content of the first"));
        add(b, "two", true, STR(""));
        add(b, "three", false, STR(""));
        add(b, "four", false, STR("x"));
}

/* Reads all; the names in order, or the error. */
static struct err *read_all(struct str data, size_t step, bool skip, struct buf *names, struct buf *contents)
{
        struct input in = { data, step };
        struct parcel_stream s = { .read = read_some, .arg = &in };
        struct parcel p;
        struct err *e = NULL;
        bool end = false;
        while (e == NULL) {
                e = parcel_next(&s, &end, &p);
                if (e != NULL || end)
                        break;
                buf_adds(names, p.name);
                buf_addc(names, ';');
                char piece[5];
                for (size_t n = 1; e == NULL && n > 0 && !skip;) {
                        e = parcel_read(&s, piece, sizeof(piece), &n);
                        if (e == NULL)
                                buf_add(contents, piece, n);
                }
        }
        parcel_stream_fini(&s);
        return e;
}

static void test_round_trip(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        make(&b);
        struct parcel p;
        assert_ok(parcel_decode((struct str){ b.p + 4, (unsigned char)b.p[0] | (size_t)(unsigned char)b.p[1] << 8 }, &p));
        assert_true(p.bid == 9 && str_eq(p.name, STR("one")) && p.meta.stamp.hlc == 1234567 && p.meta.stamp.node == 8);
        assert_true(p.meta.epoch == 300 && p.meta.version == 17 && p.meta.size == 24 && p.meta.mtime_ns == -5);
        assert_true(p.meta.atime_ns == 77 && p.meta.cksum_type == CKSUM_XXHASH2 && p.meta.chunks == 3);
        assert_true(str_eq(p.meta.cksum, STR("0123456789abcdef")) && str_eq(p.meta.custom, STR("\001a\001b")));
        assert_true(p.meta.max_chunk_size == 70000 && !p.meta.tombstone && !p.meta.moved && !p.absent);
        for (size_t step = 1; step < b.n + 2; step++) {
                for (int skip = 0; skip < 2; skip++) {
                        AUTO_BUF struct buf names = BUF_INIT, contents = BUF_INIT;
                        assert_ok(read_all(buf_str(&b), step, skip != 0, &names, &contents));
                        assert_true(str_eq(buf_str(&names), STR("one;two;three;four;")));
                        if (!skip)
                                assert_true(str_eq(buf_str(&contents), STR("the content of the firstx")));
                }
        }
}

static void test_damage(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        make(&b);
        for (size_t at = 0; at < b.n; at++) {
                AUTO_BUF struct buf names = BUF_INIT, contents = BUF_INIT;
                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
                struct err *e = read_all(buf_str(&b), 13, at % 2 != 0, &names, &contents);
                assert_true(err_code(e) == ERR_MALFORMED || err_code(e) == ERR_BAD_CHECKSUM);
                err_free(e);
                b.p[at] = (char)(b.p[at] ^ 1 << at % 8);
        }
        unsigned whole = 0; /* a stream may end between two parcels, nowhere else */
        for (size_t cut = 0; cut < b.n; cut++) {
                AUTO_BUF struct buf names = BUF_INIT, contents = BUF_INIT;
                struct err *e = read_all((struct str){ b.p, cut }, 7, false, &names, &contents);
                assert_true(e == NULL || err_code(e) == ERR_MALFORMED);
                whole += e == NULL;
                err_free(e);
        }
        assert_int_equal(whole, 4);
}

static void test_results(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        struct parcel_result in = { PARCEL_NO_BUCKET, true, { UINT64_MAX - 3, 12 } }, out;
        parcel_result_encode(&(struct parcel_result){ .fate = PARCEL_TAKEN }, &b);
        parcel_result_encode(&in, &b);
        assert_int_equal(b.n, 2 * PARCEL_RESULT);
        assert_ok(parcel_result_decode(buf_str(&b), 1, &out));
        assert_true(out.fate == in.fate && out.superseded && out.winner.hlc == in.winner.hlc && out.winner.node == 12);
        assert_err(parcel_result_decode(buf_str(&b), 2, &out), ERR_MALFORMED);
        b.p[0] = 9;
        assert_err(parcel_result_decode(buf_str(&b), 0, &out), ERR_MALFORMED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_damage),
                cmocka_unit_test(test_results),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
