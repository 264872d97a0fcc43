/* base/hash.c: CRC32C, XXH64 and the placement mixer. The contexts over them are in cksum.c. */
#include "base/hash.h"

#include <isa-l/crc.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t hash_xxh64(const void *p, size_t n, uint64_t seed)
{
        return XXH64(p, n, seed);
}

/* ISA-L picks the instructions at run time; it neither inverts at the start nor at the end, and counts in int. */
uint32_t hash_crc32c(uint32_t crc, const void *p, size_t n)
{
        const unsigned char *pos = p;
        crc = ~crc;
        while (n > 0) {
                size_t step = MIN(n, (size_t)1 << 30);
                crc = crc32_iscsi((unsigned char *)(uintptr_t)pos, (int)step, crc);
                pos += step;
                n -= step;
        }
        return ~crc;
}

static uint64_t hash_rotl(uint64_t x, unsigned n)
{
        return x << n | x >> (64 - n);
}

/* The second word of the splitmix64 seed is all that the first output of xoshiro256** depends on. */
uint64_t hash_mix(uint64_t x)
{
        const uint64_t step = 0x9e3779b97f4a7c15u;
        uint64_t z = x + step;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z = (z ^ z >> 31) + step;
        z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
        z = (z ^ z >> 27) * 0x94d049bb133111ebu;
        z = (z ^ z >> 31) * 5;
        return hash_rotl(z, 7) * 9;
}
