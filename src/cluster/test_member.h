/* cluster/test_member.h: members of a cluster in one process, over loopback with the real TLS, for tests of this folder
 * and those above it. */
#ifndef ORLOP_CLUSTER_TEST_MEMBER_H
#define ORLOP_CLUSTER_TEST_MEMBER_H

#include "cluster/test_util.h"

#include <string.h>
#include <unistd.h>

#include "net/rpc.h"
#include "os/clock.h"
#include "os/pool.h"
#include "os/sock.h"
#include "os/tls.h"

struct test_member {
        char *dir; /* null: never started */
        uint16_t port;
        enum cluster_role role;
        struct cluster *c; /* null: not running */
        struct rpc_server *rpc;
        struct tls_ctx *tls;
        struct http_server *http;
};

static inline struct err *test_member_credentials(void *arg, const char *cert, const char *key, const char *ca)
{
        struct test_member *m = arg;
        const struct tls_pem pem = { cert, key, ca };
        return m->tls ? tls_ctx_set_pem(m->tls, &pem) : tls_mutual_server_new(&pem, &m->tls);
}

/* A port that is free, below the range of ephemeral ones. */
static inline uint16_t test_free_port(void)
{
        static unsigned next;
        for (;;) {
                uint16_t port = (uint16_t)(12000 + ((unsigned)getpid() * 16 + next++) % 18000);
                char address[32];
                int fd = -1;
                snprintf(address, sizeof(address), "127.0.0.1:%u", port);
                struct err *e = sock_listen(str_of(address), false, 1, &fd);
                cleanup_fd(&fd);
                if (!e)
                        return port;
                err_free(e);
        }
}

/* A directory and a port, at its first start. */
static inline void test_member_place(struct test_member *m)
{
        if (m->dir)
                return;
        m->dir = test_dir_new();
        m->port = test_free_port();
}

/* Opens its cluster; the caller adds routes and watchers before it listens. token null: a new cluster, or its own. */
static inline struct err *test_member_open(struct test_member *m, const char *token, struct pool *pool)
{
        struct cluster_opts o = test_opts(m->dir);
        TRY(rpc_server_new(&m->rpc));
        o.role = m->role;
        o.cluster_host = "127.0.0.1";
        o.cluster_port = m->port;
        o.rpc = m->rpc;
        o.pool = pool;
        o.join = token;
        o.credentials = test_member_credentials;
        o.credentials_arg = m;
        return cluster_open(&o, &m->c);
}

/* Serves its port and takes part. */
static inline void test_member_listen(struct test_member *m, struct pool *pool)
{
        char address[64];
        snprintf(address, sizeof(address), "127.0.0.1:%u", m->port);
        const struct http_listener l = { .address = address, .tls = m->tls, .internal = true };
        const struct http_server_options o = { .listeners = &l, .nlisteners = 1, .loops = 1, .pool = pool,
                                               .app = *rpc_server_app(m->rpc) };
        assert_ok(http_server_new(&o, &m->http));
        assert_ok(http_server_start(m->http));
        assert_ok(cluster_start(m->c, clock_mono_ns() + 15 * NS_PER_SEC));
}

/* In two steps, between which the owner ends what uses the cluster. polite: leadership is handed over first. */
static inline void test_member_stop(struct test_member *m, bool polite)
{
        if (polite)
                cluster_stop(m->c);
        http_server_stop(m->http, clock_mono_ns());
}

/* See test_member_stop. */
static inline void test_member_close(struct test_member *m)
{
        cluster_close(m->c);
        http_server_free(m->http);
        rpc_server_free(m->rpc);
        tls_ctx_free(m->tls);
        m->c = NULL;
        m->http = NULL;
        m->rpc = NULL;
        m->tls = NULL;
}

static inline bool test_wait_until(bool (*fn)(void *arg), void *arg, int64_t seconds)
{
        int64_t end = clock_mono_ns() + seconds * NS_PER_SEC;
        while (!fn(arg)) {
                if (clock_mono_ns() > end)
                        return false;
                clock_sleep_ns(20 * NS_PER_MS);
        }
        return true;
}

/* All classes the same, large enough for some members. */
static inline struct err *test_pool_new(struct pool **ret)
{
        struct pool_limits l = { { 0 }, { 0 } };
        for (unsigned i = 0; i < POOL_CLASS_COUNT; i++) {
                l.max_running[i] = 64;
                l.max_queued[i] = 256;
        }
        return pool_new(&l, ret);
}

#endif
