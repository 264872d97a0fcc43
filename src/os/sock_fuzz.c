/* Any text as an address: what is taken lies within the input and says the same when written again. */
#include <stdio.h>

#include "os/sock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct str in = { (const char *)data, MIN(size, (size_t)512) }, host, again;
        uint16_t port, port_again;
        char text[600];
        struct err *e = sock_split_address(in, &host, &port);

        (void)sock_is_loopback(in);
        if (e) {
                err_free(e);
                return 0;
        }
        ASSERT(host.p >= in.p && host.p + host.n <= in.p + in.n);
        if (host.n == 0 || str_find(host, ']') >= 0)
                return 0; /* can not be written in brackets */
        (void)snprintf(text, sizeof(text), "[%.*s]:%u", STR_ARG(host), port);
        e = sock_split_address(str_of(text), &again, &port_again);
        ASSERT(!e && str_eq(host, again) && port == port_again);
        return 0;
}
