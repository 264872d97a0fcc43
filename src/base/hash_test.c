/* Checksums against published vectors and vectors of the wire. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"

static void test_crc32c(void **state)
{
        (void)state;
        assert_int_equal(hash_crc32c(0, "123456789", 9), 0xe3069283);
        assert_int_equal(hash_crc32c(0, "", 0), 0);
        assert_int_equal(hash_crc32c(hash_crc32c(0, "1234", 4), "56789", 5), 0xe3069283);
        unsigned char zeros[32] = { 0 }; /* RFC 3720 B.4 */
        assert_int_equal(hash_crc32c(0, zeros, sizeof(zeros)), 0x8a9136aa);
}

static void test_xxh64(void **state)
{
        (void)state;
        assert_true(hash_xxh64("hello world", 11, 0) == 0x45ab6734b21e6968);
        assert_true(hash_xxh64("", 0, 0) == 0xef46db3751d8e999);
        assert_true(hash_xxh64("Mprt38083", 9, 1103515245) == 10377351214980563958u);
        assert_true(hash_xxh64("ZCit38082", 9, 1103515245) == 3698478176858845402u);
        assert_true(hash_xxh64("TLSp38080", 9, 1103515245) == 4490282481014702309u);
}

static void test_mix(void **state)
{
        (void)state;
        assert_true(hash_mix(4573842) == 5026071747115404967u);
        assert_true(hash_mix(0) == 1905207664160064169u);
}

static const struct {
        enum cksum_type type;
        const char *name, *hello; /* of "hello world" */
} rows[] = {
        { CKSUM_NONE, "none", "" },
        { CKSUM_XXHASH, "xxhash", "45ab6734b21e6968" },
        { CKSUM_XXHASH2, "xxhash2", "45ab6734b21e6968" },
        { CKSUM_MD5, "md5", "5eb63bbbe01eeed093cb22bb8f5acdc3" },
        { CKSUM_CRC32C, "crc32c", "c99465aa" },
        { CKSUM_SHA256, "sha256", "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9" },
        { CKSUM_SHA512, "sha512",
          "309ecc489c12d6eb4cc40f50c902f2b4d0ed77ee511a7c7a9bcd3ca86d4cd86f"
          "989dd35bc5ff499670da34255b45b0cfd830e81f605dcf7dc5542e93ae9cd76f" },
};

static void test_types(void **state)
{
        (void)state;
        assert_int_equal(ARRAY_LEN(rows), CKSUM_TYPE_COUNT);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                enum cksum_type t;
                char hex[CKSUM_HEX_MAX];
                assert_true(cksum_type_parse(str_of(rows[i].name), &t));
                assert_int_equal(t, rows[i].type);
                assert_string_equal(cksum_type_name(t), rows[i].name);
                cksum_of(t, "hello world", 11, hex);
                assert_string_equal(hex, rows[i].hello);
        }
        enum cksum_type t = CKSUM_MD5;
        assert_false(cksum_type_parse(STR("MD5"), &t));
        assert_false(cksum_type_parse(STR(""), &t));
        assert_int_equal(t, CKSUM_MD5);
}

static void test_contexts(void **state)
{
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                char hex[CKSUM_HEX_MAX], other[CKSUM_HEX_MAX], want[CKSUM_HEX_MAX];
                struct cksum_ctx *c = cksum_new(rows[i].type);
                assert_non_null(c);
                cksum_update(c, "hello ", 6);
                struct cksum_ctx *copy = cksum_clone(c);
                assert_non_null(copy);
                cksum_update(c, NULL, 0);
                cksum_update(c, "world", 5);
                cksum_update(copy, "you", 3);
                cksum_final(c, hex);
                cksum_final(copy, other);
                cksum_free(c);
                cksum_free(copy);
                assert_string_equal(hex, rows[i].hello);
                cksum_of(rows[i].type, "hello you", 9, want);
                assert_string_equal(other, want);
        }
        cksum_free(NULL);
}

/* RFC 4231: cases 1, 2 and 6, and a key of exactly one block. */
static void test_hmac(void **state)
{
        static const struct {
                unsigned char byte; /* the key is `n` of these, or `key` */
                const char *key;
                size_t n;
                const char *data, *want;
        } cases[] = {
                { 0x0b, NULL, 20, "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
                { 0, "Jefe", 4, "what do ya want for nothing?",
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
                { 0xaa, NULL, 131, "Test Using Larger Than Block-Size Key - Hash Key First",
                  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
                { 0, "", 0, "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                unsigned char key[131], out[HASH_SHA256_BYTES], again[HASH_SHA256_BYTES];
                char hex[2 * HASH_SHA256_BYTES + 1];
                struct hash_hmac_key k, before;
                memset(key, cases[i].byte, sizeof(key));
                if (cases[i].key)
                        memcpy(key, cases[i].key, cases[i].n);
                hash_hmac_sha256(key, cases[i].n, cases[i].data, strlen(cases[i].data), out);
                str_to_hex(out, sizeof(out), hex);
                assert_string_equal(hex, cases[i].want);
                hash_hmac_init(&k, key, cases[i].n);
                before = k;
                for (unsigned j = 0; j < 2; j++) { /* the key serves again */
                        hash_hmac(&k, cases[i].data, strlen(cases[i].data), again);
                        assert_true(hash_equal_ct(out, again, sizeof(out)));
                }
                assert_memory_equal(&before, &k, sizeof(k));
                again[31] ^= 1;
                assert_false(hash_equal_ct(out, again, sizeof(out)));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_crc32c), cmocka_unit_test(test_xxh64),    cmocka_unit_test(test_mix),
                cmocka_unit_test(test_types),  cmocka_unit_test(test_contexts), cmocka_unit_test(test_hmac),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
