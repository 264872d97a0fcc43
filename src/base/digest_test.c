/* Digests as values, and CRCs: published check values, every length against the definition bit by bit, joins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/hash.h"

static void fill(unsigned char *p, size_t n)
{
        uint64_t x = 42;
        for (size_t i = 0; i < n; i++) {
                x = hash_mix(x);
                p[i] = (unsigned char)x;
        }
}

/* The definition: one bit at a time. */
static uint64_t crc_bits(uint64_t poly, uint64_t ones, const unsigned char *p, size_t n)
{
        uint64_t c = ones;
        for (size_t i = 0; i < n; i++) {
                c ^= p[i];
                for (unsigned b = 0; b < 8; b++)
                        c = c & 1 ? c >> 1 ^ poly : c >> 1;
        }
        return c ^ ones;
}

static void expect_digest(enum digest_kind kind, const char *text, const char *want)
{
        unsigned char out[DIGEST_MAX];
        char hex[2 * DIGEST_MAX + 1];
        struct digest d, copy;
        digest_init(&d, kind);
        for (size_t i = 0; text[i] != '\0'; i++)
                digest_update(&d, text + i, 1);
        copy = d;
        size_t n = digest_final(&d, out);
        assert_int_equal(n, digest_size(kind));
        str_to_hex(out, n, hex);
        assert_string_equal(hex, want);
        digest_final(&copy, out);
        str_to_hex(out, n, hex);
        assert_string_equal(hex, want);
        digest_of(kind, text, strlen(text), out);
        str_to_hex(out, n, hex);
        assert_string_equal(hex, want);
}

/* RFC 1321 A.5, FIPS 180-2 appendix. */
static void test_digests(void **state)
{
        (void)state;
        expect_digest(DIGEST_MD5, "", "d41d8cd98f00b204e9800998ecf8427e");
        expect_digest(DIGEST_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0");
        expect_digest(DIGEST_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
        expect_digest(DIGEST_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        expect_digest(DIGEST_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
                      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

/* "check" values of the catalogue of parametrised CRC algorithms. */
static void test_check_values(void **state)
{
        (void)state;
        assert_int_equal(hash_crc32(0, "123456789", 9), 0xcbf43926u);
        assert_int_equal(hash_crc32c(0, "123456789", 9), 0xe3069283u);
        assert_true(hash_crc64nvme(0, "123456789", 9) == 0xae8b14860a799888u);
        assert_true(hash_crc64nvme(0, "", 0) == 0);
}

static void test_every_length(void **state)
{
        static unsigned char p[1200];
        (void)state;
        fill(p, sizeof(p));
        for (size_t n = 0; n < sizeof(p) - 3; n++) {
                assert_true(hash_crc64nvme(0, p + n % 3, n) == crc_bits(0x9a6c9329ac4bc9b5u, UINT64_MAX, p + n % 3, n));
                assert_int_equal(hash_crc32(0, p, n), crc_bits(0xedb88320u, UINT32_MAX, p, n));
        }
}

static void test_continue_and_combine(void **state)
{
        static unsigned char p[100000];
        (void)state;
        fill(p, sizeof(p));
        uint32_t a = hash_crc32(0, p, sizeof(p)), c = hash_crc32c(0, p, sizeof(p));
        uint64_t v = hash_crc64nvme(0, p, sizeof(p));
        static const size_t cuts[] = { 0, 1, 15, 256, 300, 4097, 65536, 99999, 100000 };
        for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
                size_t n = cuts[i], m = sizeof(p) - n;
                assert_int_equal(hash_crc32(hash_crc32(0, p, n), p + n, m), a);
                assert_true(hash_crc64nvme(hash_crc64nvme(0, p, n), p + n, m) == v);
                assert_int_equal(hash_crc32_combine(hash_crc32(0, p, n), hash_crc32(0, p + n, m), m), a);
                assert_int_equal(hash_crc32c_combine(hash_crc32c(0, p, n), hash_crc32c(0, p + n, m), m), c);
                assert_true(hash_crc64nvme_combine(hash_crc64nvme(0, p, n), hash_crc64nvme(0, p + n, m), m) == v);
        }
}

/* Lengths that no buffer has: joining with 5 TiB of zeros in one step is joining with its halves. */
static void test_combine_far(void **state)
{
        (void)state;
        uint64_t half = UINT64_C(5) << 39;
        assert_int_equal(hash_crc32_combine(7, 0, 2 * half),
                         hash_crc32_combine(hash_crc32_combine(7, 0, half), 0, half));
        assert_true(hash_crc64nvme_combine(7, 0, 2 * half) ==
                    hash_crc64nvme_combine(hash_crc64nvme_combine(7, 0, half), 0, half));
        assert_int_not_equal(hash_crc32_combine(7, 0, half), 7);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_digests),      cmocka_unit_test(test_check_values),
                cmocka_unit_test(test_every_length), cmocka_unit_test(test_continue_and_combine),
                cmocka_unit_test(test_combine_far),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
