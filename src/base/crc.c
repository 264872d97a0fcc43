/* base/crc.c: CRC-32 and CRC-64/NVME, and joining the CRCs of two runs of bytes.
 *
 * All of them are reflected: bit i of a W-bit value is the coefficient of x^(W-1-i). A CRC of A followed by B is
 * CRC(A) * x^(8*|B|) + CRC(B) modulo the polynomial; the inversions at start and end cancel out.
 *
 * CRC-64/NVME is not in every ISA-L that we build with. Its fast form folds 64 bytes at a time with carry-less
 * multiplication (Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ", 2009); the 16 bytes
 * that are left are congruent to all that was read and go through the table, so that no final reduction is needed. The
 * constants are computed at the first use. */
#include <isa-l/crc.h>
#include <pthread.h>
#include <string.h>

#include "base/digest.h"
#include "base/macros.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_CLMUL 1
#else
#define HAVE_CLMUL 0
#endif

#define POLY_CRC32 0xedb88320u
#define POLY_CRC32C 0x82f63b78u
#define POLY_NVME 0x9a6c9329ac4bc9b5u
#define FOLD_MIN 256 /* shorter runs take the table */

/* ---- arithmetic of reflected polynomials of `width` bits ---- */

static uint64_t multiply(uint64_t a, uint64_t b, uint64_t poly, unsigned width)
{
        uint64_t product = 0;
        for (uint64_t bit = UINT64_C(1) << (width - 1); bit != 0; bit >>= 1) {
                if (a & bit)
                        product ^= b;
                b = b & 1 ? b >> 1 ^ poly : b >> 1;
        }
        return product;
}

/* x^n */
static uint64_t power(uint64_t n, uint64_t poly, unsigned width)
{
        uint64_t result = UINT64_C(1) << (width - 1); /* 1 */
        uint64_t square = UINT64_C(1) << (width - 2); /* x */
        for (; n != 0; n >>= 1) {
                if (n & 1)
                        result = multiply(result, square, poly, width);
                square = multiply(square, square, poly, width);
        }
        return result;
}

static uint64_t combine(uint64_t a, uint64_t b, uint64_t b_length, uint64_t poly, unsigned width)
{
        /* x^(8n) as (x^8)^n, since 8n may not fit. */
        uint64_t result = UINT64_C(1) << (width - 1), square = power(8, poly, width);
        for (uint64_t n = b_length; n != 0; n >>= 1) {
                if (n & 1)
                        result = multiply(result, square, poly, width);
                square = multiply(square, square, poly, width);
        }
        return multiply(a, result, poly, width) ^ b;
}

uint32_t hash_crc32_combine(uint32_t a, uint32_t b, uint64_t b_length)
{
        return (uint32_t)combine(a, b, b_length, POLY_CRC32, 32);
}

uint32_t hash_crc32c_combine(uint32_t a, uint32_t b, uint64_t b_length)
{
        return (uint32_t)combine(a, b, b_length, POLY_CRC32C, 32);
}

uint64_t hash_crc64nvme_combine(uint64_t a, uint64_t b, uint64_t b_length)
{
        return combine(a, b, b_length, POLY_NVME, 64);
}

/* ISA-L inverts at both ends by itself. */
uint32_t hash_crc32(uint32_t crc, const void *p, size_t n)
{
        return n == 0 ? crc : crc32_gzip_refl(crc, p, n);
}

/* ---- CRC-64/NVME ---- */

static struct {
        uint64_t table[8][256]; /* table[k][b]: byte b followed by k zero bytes */
        uint64_t fold512[2], fold128[2];
        bool clmul;
} nvme; /* immutable once made */
static pthread_once_t nvme_once = PTHREAD_ONCE_INIT;

static void nvme_make(void)
{
        for (unsigned b = 0; b < 256; b++) {
                uint64_t c = b;
                for (unsigned i = 0; i < 8; i++)
                        c = c & 1 ? c >> 1 ^ POLY_NVME : c >> 1;
                nvme.table[0][b] = c;
        }
        for (unsigned k = 1; k < 8; k++)
                for (unsigned b = 0; b < 256; b++)
                        nvme.table[k][b] = nvme.table[k - 1][b] >> 8 ^ nvme.table[0][nvme.table[k - 1][b] & 0xff];
        /* The product of two reflected values is shifted by one, hence the exponents below the round ones. */
        nvme.fold512[0] = power(512 + 64 - 1, POLY_NVME, 64);
        nvme.fold512[1] = power(512 - 1, POLY_NVME, 64);
        nvme.fold128[0] = power(128 + 64 - 1, POLY_NVME, 64);
        nvme.fold128[1] = power(128 - 1, POLY_NVME, 64);
#if HAVE_CLMUL
        __builtin_cpu_init();
        nvme.clmul = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse2");
#endif
}

/* Neither inverted at the start nor at the end. */
static uint64_t nvme_table(uint64_t crc, const unsigned char *p, size_t n)
{
        for (; n >= 8; p += 8, n -= 8) {
                uint64_t w = 0;
                for (unsigned i = 8; i-- > 0;)
                        w = w << 8 | p[i];
                w ^= crc;
                crc = 0;
                for (unsigned i = 0; i < 8; i++)
                        crc ^= nvme.table[7 - i][w >> (8 * i) & 0xff];
        }
        for (; n > 0; p++, n--)
                crc = crc >> 8 ^ nvme.table[0][(crc ^ *p) & 0xff];
        return crc;
}

#if HAVE_CLMUL
#define CLMUL __attribute__((target("pclmul,sse2")))

CLMUL static __m128i load(const unsigned char *p)
{
        return _mm_loadu_si128((const __m128i *)(const void *)p);
}

/* x, moved forward by the distance that k stands for, plus the bytes that are there. */
CLMUL static __m128i fold(__m128i x, __m128i k, __m128i there)
{
        __m128i low = _mm_clmulepi64_si128(x, k, 0x00), high = _mm_clmulepi64_si128(x, k, 0x11);
        return _mm_xor_si128(_mm_xor_si128(low, high), there);
}

/* Takes whole blocks of 16 bytes of at least FOLD_MIN; returns how many bytes, and their CRC in *crc. */
CLMUL static size_t nvme_fold(uint64_t *crc, const unsigned char *p, size_t n)
{
        const unsigned char *start = p;
        __m128i k512 = _mm_set_epi64x((long long)nvme.fold512[1], (long long)nvme.fold512[0]);
        __m128i k128 = _mm_set_epi64x((long long)nvme.fold128[1], (long long)nvme.fold128[0]);
        __m128i x0 = _mm_xor_si128(load(p), _mm_set_epi64x(0, (long long)*crc));
        __m128i x1 = load(p + 16), x2 = load(p + 32), x3 = load(p + 48);
        unsigned char rest[16];
        for (p += 64, n -= 64; n >= 64; p += 64, n -= 64) {
                x0 = fold(x0, k512, load(p));
                x1 = fold(x1, k512, load(p + 16));
                x2 = fold(x2, k512, load(p + 32));
                x3 = fold(x3, k512, load(p + 48));
        }
        x0 = fold(fold(fold(x0, k128, x1), k128, x2), k128, x3);
        for (; n >= 16; p += 16, n -= 16)
                x0 = fold(x0, k128, load(p));
        _mm_storeu_si128((__m128i *)(void *)rest, x0);
        *crc = nvme_table(0, rest, sizeof(rest));
        return (size_t)(p - start);
}
#endif

uint64_t hash_crc64nvme(uint64_t crc, const void *data, size_t n)
{
        const unsigned char *p = data;
        pthread_once(&nvme_once, nvme_make);
        crc = ~crc;
#if HAVE_CLMUL
        if (n >= FOLD_MIN && nvme.clmul) {
                size_t took = nvme_fold(&crc, p, n);
                p += took;
                n -= took;
        }
#endif
        return ~nvme_table(crc, p, n);
}
