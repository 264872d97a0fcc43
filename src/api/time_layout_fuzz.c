/* A client's time layout: any bytes, any moment. Input: 8 bytes of time, then the layout. The text must not grow beyond what the
 * longest word of each byte allows. */
#include "api/buckets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO_BUF struct buf b = BUF_INIT;
        int64_t ns;

        if (size < sizeof(ns))
                return 0;
        memcpy(&ns, data, sizeof(ns));
        struct str layout = { (const char *)data + sizeof(ns), size - sizeof(ns) };
        api__time_layout(&b, layout, ns < 0 ? -(ns + 1) : ns);
        ASSERT(b.bad || b.n <= layout.n * 9);
        return 0;
}
