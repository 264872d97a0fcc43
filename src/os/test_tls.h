/* os/test_tls.h: two ends of a TLS connection in one thread. */
#ifndef ORLOP_OS_TEST_TLS_H
#define ORLOP_OS_TEST_TLS_H

#include "os/test_util.h"

#include <sys/socket.h>
#include <unistd.h>

#include "os/tls.h"

struct ends {
        int fd[2];
        struct tls_conn *server, *client;
};

/* Both ends shake hands; returns the client's and the server's last result. */
static inline void connect_ends(struct ends *e, struct tls_ctx *server, struct tls_ctx *client, const char *host,
                         enum tls_result r[2])
{
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, e->fd), 0);
        assert_ok(tls_conn_new(server, e->fd[0], NULL, &e->server));
        assert_ok(tls_conn_new(client, e->fd[1], host, &e->client));
        r[0] = r[1] = TLS_WANT_READ;
        for (unsigned i = 0; i < 20; i++) {
                if (r[0] == TLS_WANT_READ || r[0] == TLS_WANT_WRITE)
                        r[0] = tls_handshake(e->client);
                if (r[1] == TLS_WANT_READ || r[1] == TLS_WANT_WRITE)
                        r[1] = tls_handshake(e->server);
        }
}

static inline void free_ends(struct ends *e)
{
        tls_conn_free(e->client);
        tls_conn_free(e->server);
        (void)close(e->fd[0]);
        (void)close(e->fd[1]);
}

#endif
