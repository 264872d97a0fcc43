/* Random numbers from the kernel. getrandom fails only when interrupted or before the kernel has gathered entropy
 * (then it waits); anything else would mean keys that can be guessed, so the process ends. */
#include "os/random.h"

#include <errno.h>
#include <sys/random.h>
#include <sys/types.h>

#include "base/macros.h"

void random_bytes(void *p, size_t n)
{
        char *at = p;

        while (n > 0) {
                ssize_t r = getrandom(at, n, 0);

                if (r < 0) {
                        ASSERT(errno == EINTR);
                        continue;
                }
                at += r;
                n -= (size_t)r;
        }
}

uint64_t random_u64(void)
{
        uint64_t v;

        random_bytes(&v, sizeof(v));
        return v;
}

void random_id(char *out, size_t len)
{
        static const char alphabet[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        unsigned char pool[64];
        size_t have = 0, at = 0;

        while (at < len) {
                unsigned char c;

                if (have == 0) {
                        random_bytes(pool, sizeof(pool));
                        have = sizeof(pool);
                }
                c = pool[--have] & 63;
                if (c < 62) /* else drawn again, so that all letters are equally likely */
                        out[at++] = alphabet[c];
        }
        out[len] = 0;
}
