/* Any text as a URL: what is taken lies within it and names a host and a port. */
#include "net/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str url = { (const char *)data, MIN(size, (size_t)1024) };
        struct http_endpoint at;
        struct err *e = http_endpoint_parse(url, &at);

        if (e) {
                err_free(e);
                return 0;
        }
        ASSERT(at.port != 0 && at.host.n > 0);
        ASSERT(at.host.p >= url.p && at.host.p + at.host.n <= url.p + url.n);
        ASSERT(at.base.n == 0 || (at.base.p >= url.p && at.base.p + at.base.n <= url.p + url.n && at.base.p[0] == '/'));
        return 0;
}
