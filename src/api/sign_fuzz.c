/* Signed queries: whatever comes, nothing is read beyond it and nothing is taken for good without the key. */
#include "api/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const struct cluster_key key = { "k1aaaaaa", { 1 } };
        struct snapshot s = { .keys = &key, .key_count = 1 };
        struct sign_claims c;
        struct str rest = { (const char *)data, n };
        struct str path = str_cut(&rest, '?');
        struct sign_request rq = { .method = HTTP_PUT, .path = path, .query = rest, .target = "tgt00001" };
        ASSERT(api__sign_check(&s, &rq, 0, &c) != SIGN_GOOD);
        return 0;
}
