/* Tests of record.c and custom.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/record.h"

static void assert_ok(struct err *e)
{
        char text[512];
        if (e)
                fail_msg("%s", err_text(e, text, sizeof text));
}

static void assert_code(struct err *e, enum err_code code)
{
        assert_int_equal(err_code(e), code);
        err_free(e);
}

static struct record sample(void)
{
        struct record r = { .stamp = { UINT64_C(1700000000123456789), 7 },
                            .version = 3,
                            .size = 10,
                            .mtime_ns = INT64_C(1700000000000000000),
                            .atime_ns = INT64_C(1700000000000000000) - 5,
                            .cksum_type = CKSUM_XXHASH,
                            .cksum = "0123456789abcdef",
                            .where = RECORD_SMALL,
                            .id = { 1, UINT64_MAX },
                            .custom = { "\001k\001v", 4 } };
        return r;
}

static void same(const struct record *a, const struct record *b)
{
        assert_int_equal(a->tombstone, b->tombstone);
        assert_int_equal(a->moved, b->moved);
        assert_int_equal(a->epoch, b->epoch);
        assert_int_equal(stamp_cmp(a->stamp, b->stamp), 0);
        assert_int_equal(a->version, b->version);
        assert_int_equal(a->size, b->size);
        assert_int_equal(a->mtime_ns, b->mtime_ns);
        assert_int_equal(a->atime_ns, b->atime_ns);
        assert_int_equal(a->cksum_type, b->cksum_type);
        assert_string_equal(a->cksum, b->cksum);
        assert_int_equal(a->where, b->where);
        assert_true(content_id_eq(a->id, b->id));
        assert_true(str_eq(a->custom, b->custom));
        assert_true(str_eq(a->chunks, b->chunks));
        assert_int_equal(a->nchunks, b->nchunks);
        assert_int_equal(a->max_chunk_size, b->max_chunk_size);
}

static void round_trip(const struct record *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct record out;
        struct str k = STR("\0\0\0\0\0\0\0\1name");
        record_encode(k, r, &b);
        assert_ok(buf_err(&b));
        assert_ok(record_decode(k, buf_str(&b), &out));
        same(r, &out);
        assert_ok(record_decode_brief(k, buf_str(&b), &out));
        assert_int_equal(out.size, r->size);
        assert_int_equal(out.version, r->version);
        assert_int_equal(out.atime_ns, r->atime_ns);
        assert_int_equal(out.tombstone, r->tombstone);
        assert_int_equal(out.moved, r->moved);
        assert_int_equal(out.epoch, r->epoch);
}

static void test_round_trip(void **state)
{
        (void)state;
        struct record r = sample();
        round_trip(&r);
        r.where = RECORD_FILE;
        r.size = UINT64_C(1) << 40;
        str_copy(r.cksum, sizeof r.cksum, STR("0123456789ABCDEF")); /* not the form that hex would come back in */
        round_trip(&r);
        str_copy(r.cksum, sizeof r.cksum, STR("odd"));
        round_trip(&r);
        r = (struct record){ .tombstone = true, .stamp = { 5, 1 }, .mtime_ns = -7, .atime_ns = INT64_MAX };
        round_trip(&r);
        r.epoch = UINT64_MAX;
        round_trip(&r);
        r.moved = true;
        round_trip(&r);
        r = sample();
        r.epoch = 1;
        round_trip(&r);
        r.moved = true; /* the size of what was handed over, no content */
        r.where = RECORD_EMPTY;
        r.id = (struct content_id){ 0, 0 };
        round_trip(&r);
        r = sample();
        r.where = RECORD_CHUNKS;
        r.id = (struct content_id){ 0, 0 };
        AUTO_BUF struct buf chunks = BUF_INIT;
        for (uint64_t i = 0; i < 5; i++)
                record_chunk_add(&chunks, &(struct record_chunk){ { i, i * 9 }, 2 });
        r.chunks = buf_str(&chunks);
        r.nchunks = 5;
        r.max_chunk_size = 2;
        round_trip(&r);
}

/* What is no object has no content, and of equal stamps a marker counts less. */
static void test_dead(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT;
        struct record a = sample(), m = a, out;
        m.moved = true;
        assert_true(record_cmp(&a, &m) > 0 && record_cmp(&m, &a) < 0 && record_cmp(&m, &m) == 0);
        m.stamp.node++;
        assert_true(record_cmp(&m, &a) > 0);
        record_encode(STR("\0\0\0\0\0\0\0\1name"), &m, &b);
        assert_code(record_decode(STR("\0\0\0\0\0\0\0\1name"), buf_str(&b), &out), ERR_CORRUPT);
}

/* Every flipped bit of a value, every cut, and a wrong key are found. */
static void test_damage(void **state)
{
        (void)state;
        struct record r = sample(), out;
        AUTO_BUF struct buf b = BUF_INIT;
        struct str k = STR("\0\0\0\0\0\0\0\1name");
        record_encode(k, &r, &b);
        for (size_t bit = 0; bit < b.n * 8; bit++) {
                b.p[bit / 8] ^= (char)(1 << bit % 8);
                assert_code(record_decode(k, buf_str(&b), &out), ERR_CORRUPT);
                assert_code(record_decode_brief(k, buf_str(&b), &out), ERR_CORRUPT);
                b.p[bit / 8] ^= (char)(1 << bit % 8);
        }
        for (size_t n = 0; n < b.n; n++)
                assert_code(record_decode(k, (struct str){ b.p, n }, &out), ERR_CORRUPT);
        assert_code(record_decode(STR("\0\0\0\0\0\0\0\1namf"), buf_str(&b), &out), ERR_CORRUPT);
}

/* Well-framed nonsense: the checksum holds, the members do not. */
static void test_nonsense(void **state)
{
        (void)state;
        struct str k = STR("\0\0\0\0\0\0\0\1name");
        struct record out, r = sample();
        AUTO_BUF struct buf b = BUF_INIT;
        r.where = RECORD_EMPTY; /* with a size */
        record_encode(k, &r, &b);
        assert_code(record_decode(k, buf_str(&b), &out), ERR_CORRUPT);
        r = sample();
        r.custom = STR("\005ab");
        buf_clear(&b);
        record_encode(k, &r, &b);
        assert_code(record_decode(k, buf_str(&b), &out), ERR_CORRUPT);
        r = sample();
        r.where = RECORD_CHUNKS;
        AUTO_BUF struct buf chunks = BUF_INIT;
        record_chunk_add(&chunks, &(struct record_chunk){ { 1, 2 }, UINT64_MAX });
        record_chunk_add(&chunks, &(struct record_chunk){ { 1, 3 }, 11 }); /* the sum wraps to the size */
        r.chunks = buf_str(&chunks);
        r.nchunks = 2;
        buf_clear(&b);
        record_encode(k, &r, &b);
        assert_code(record_decode(k, buf_str(&b), &out), ERR_CORRUPT);
        char later[6] = { 2, 0 };
        uint32_t crc = hash_crc32c(hash_crc32c(0, k.p, k.n), later, 2);
        memcpy(later + 2, &crc, 4);
        assert_code(record_decode(k, (struct str){ later, 6 }, &out), ERR_FORMAT);
}

/* The worked example of docs/format/record.md. */
static void test_example(void **state)
{
        (void)state;
        struct record r = { .stamp = { 0x0102030405060708, 1 },
                            .version = 1,
                            .size = 5,
                            .mtime_ns = 1000000000,
                            .atime_ns = 1000000001,
                            .cksum_type = CKSUM_CRC32C,
                            .cksum = "9a71bb4c",
                            .where = RECORD_SMALL,
                            .id = { 2, 3 } };
        char kb[RECORD_KEY_MAX], hex[512];
        struct str k;
        assert_ok(record_key(&(struct obj_key){ 0x8000000000000001, STR("a/b") }, kb, &k));
        str_to_hex(k.p, k.n, hex);
        assert_string_equal(hex, "8000000000000001612f62");
        AUTO_BUF struct buf b = BUF_INIT;
        record_encode(k, &r, &b);
        str_to_hex(b.p, b.n, hex);
        assert_string_equal(hex, "0101" "0807060504030201" "01" "05" "01" "00ca9a3b00000000" "02" "04" "04" "9a71bb4c"
                                 "0200000000000000" "0300000000000000" "422675c9");
        char small[RECORD_SMALL_HEAD];
        record_small_head(k, r.id, STR("hello"), small);
        str_to_hex(small, sizeof small, hex);
        assert_string_equal(hex, "01" "0200000000000000" "0300000000000000" "08caa026");
}

static void test_keys(void **state)
{
        (void)state;
        char kb[RECORD_KEY_MAX], name[1025] = { 0 };
        struct str k;
        struct obj_key key;
        assert_code(record_key(&(struct obj_key){ 1, STR("") }, kb, &k), ERR_INVALID_NAME);
        assert_code(record_key(&(struct obj_key){ 1, { name, 1025 } }, kb, &k), ERR_INVALID_NAME);
        assert_ok(record_key(&(struct obj_key){ 0x1122334455667788, { name, 1024 } }, kb, &k));
        assert_ok(record_key_parse(k, &key));
        assert_int_equal(key.bid, 0x1122334455667788);
        assert_int_equal(key.name.n, 1024);
        assert_code(record_key_parse((struct str){ k.p, 8 }, &key), ERR_CORRUPT);
}

static void test_small(void **state)
{
        (void)state;
        char v[RECORD_SMALL_HEAD + 5];
        struct str k = STR("\0\0\0\0\0\0\0\1n"), data;
        struct content_id id;
        memcpy(v + RECORD_SMALL_HEAD, "hello", 5);
        record_small_head(k, (struct content_id){ 11, 12 }, STR("hello"), v);
        assert_ok(record_small_decode(k, (struct str){ v, sizeof v }, &id, &data));
        assert_true(str_eq(data, STR("hello")));
        assert_true(id.hi == 11 && id.lo == 12);
        for (size_t bit = 0; bit < sizeof v * 8; bit++) {
                v[bit / 8] ^= (char)(1 << bit % 8);
                assert_code(record_small_decode(k, (struct str){ v, sizeof v }, &id, &data), ERR_CORRUPT);
                v[bit / 8] ^= (char)(1 << bit % 8);
        }
        assert_code(record_small_decode(STR("\0\0\0\0\0\0\0\1m"), (struct str){ v, sizeof v }, &id, &data),
                    ERR_CORRUPT);
}

static void test_self(void **state)
{
        (void)state;
        AUTO_BUF struct buf b = BUF_INIT, custom = BUF_INIT;
        struct record r = sample(), out;
        struct obj_key key = { 9, STR("x/y") }, back;
        record_self_encode(&key, &r, &b);
        assert_ok(record_self_decode(buf_str(&b), &back, &out));
        assert_int_equal(back.bid, 9);
        assert_true(str_eq(back.name, key.name));
        same(&r, &out);
        char big[10000];
        memset(big, 'x', sizeof big);
        buf_add_lstr(&custom, STR("key"));
        buf_add_lstr(&custom, (struct str){ big, sizeof big });
        r.custom = buf_str(&custom);
        buf_clear(&b);
        record_self_encode(&key, &r, &b);
        assert_true(b.n <= RECORD_SELF_MAX);
        assert_ok(record_self_decode(buf_str(&b), &back, &out));
        assert_int_equal(out.custom.n, 0);
        b.p[0] = RECORD_SELF_CHUNK;
        assert_code(record_self_decode(buf_str(&b), &back, &out), ERR_INVALID);
}

static void test_custom(void **state)
{
        (void)state;
        AUTO_BUF struct buf a = BUF_INIT, d = BUF_INIT, m = BUF_INIT;
        buf_add_lstr(&a, STR("b"));
        buf_add_lstr(&a, STR("1"));
        buf_add_lstr(&a, STR("a"));
        buf_add_lstr(&a, STR("2"));
        buf_add_lstr(&d, STR("c"));
        buf_add_lstr(&d, STR("3"));
        buf_add_lstr(&d, STR("a"));
        buf_add_lstr(&d, STR("4"));
        buf_add_lstr(&d, STR("b"));
        buf_add_lstr(&d, STR(""));
        store_custom_merge(buf_str(&a), buf_str(&d), &m);
        assert_true(str_eq(buf_str(&m), STR("\001a\0014\001c\0013")));
        assert_true(str_eq(store_custom_get(buf_str(&m), STR("c")), STR("3")));
        assert_null(store_custom_get(buf_str(&m), STR("b")).p);
        assert_true(record_custom_check(buf_str(&m)));
        assert_false(record_custom_check(STR("\001a")));
        assert_false(record_custom_check(STR("\0\0")));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_round_trip), cmocka_unit_test(test_dead), cmocka_unit_test(test_damage), cmocka_unit_test(test_nonsense),
                cmocka_unit_test(test_example),    cmocka_unit_test(test_keys),   cmocka_unit_test(test_small),
                cmocka_unit_test(test_self),       cmocka_unit_test(test_custom),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
