/* net/upgrade.c: a connection leaves HTTP.
 *
 * When the 101 is out, the socket, its TLS session and what was received behind the request go to a worker, and what is
 * left of the connection is closed: for the server it has ended. When no worker takes it, the taker is told at once
 * that there is nothing to take, since its argument is its own to free. */
#include <unistd.h>

#include "net/priv.h"

struct upgrade {
        struct pool_task work;
        http_taker_fn *taker;
        void *arg;
        int fd;
        struct tls_conn *tls;
        size_t early_n;
        char early[];
};

static void run_taker(struct pool_task *t)
{
        struct upgrade *u = CONTAINER_OF(t, struct upgrade, work);
        u->taker(u->arg, u->fd, u->tls, u->early, u->early_n);
        free(u);
}

void net__conn_upgrade(struct conn *c)
{
        struct exchange *x = c->x;
        size_t n = x->end - x->start;
        struct upgrade *u = malloc(sizeof(*u) + n);
        if (!u) { /* the exchange's reset tells the taker */
                net__conn_close(c);
                return;
        }
        loop_fd_remove(c->lp->loop, &c->w);
        *u = (struct upgrade){ .taker = x->rs.taker, .arg = x->rs.taker_arg, .fd = c->w.fd, .tls = c->tls };
        u->work.run = run_taker;
        u->early_n = n;
        memcpy(u->early, x->in + x->start, n);
        if (pool_submit(c->lp->server->pool, x->cls, &u->work)) {
                x->rs.taker = NULL;
                c->w.fd = -1;
                c->tls = NULL;
        } else {
                free(u);
        }
        net__conn_close(c);
}
