/* A damaged blob file: whatever comes out lies within what went in, in order, and reading ends. With the first byte
 * odd, the head of a record is made right first. */
#include "base/buf.h"
#include "base/hash.h"
#include "store/salvage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct str rest, key, value;
        const char *at;

        if (size < 1 || size > 65536)
                return 0;
        buf_add(&b, data + 1, size - 1);
        if (b.n >= 32 && data[0] % 2) {
                uint32_t crc = hash_crc32c(0, b.p, 24);

                crc = (crc >> 15 | crc << 17) + 0xa282ead8u;
                memcpy(b.p + 24, &crc, sizeof(crc));
        }
        rest = buf_str(&b);
        at = rest.p;
        while (salvage_blob_next(&rest, &key, &value)) {
                ASSERT(key.n > 0 && key.p >= at + 32 && key.p + key.n == value.p && value.p + value.n <= b.p + b.n);
                at = value.p + value.n;
                ASSERT(rest.p == at);
        }
        return 0;
}
