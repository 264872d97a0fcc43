/* daemon/cluster_port.c: see cluster_port.h.
 *
 * What was destroyed while this node was away: its old state may lack buckets that hold objects, so nothing is dropped
 * before the leader has said how far the state has come. A thread asks until a leader answers; the node serves
 * meanwhile, since objects of buckets that do not exist are out of reach anyway. */
#define LOG_FOLDER "daemon"
#include "daemon/cluster_port.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "flow/owner.h"
#include "net/server.h"
#include "os/clock.h"
#include "os/sock.h"
#include "os/thread.h"
#include "os/tls.h"

#define LEASE_WAIT_NS (10 * NS_PER_SEC)
#define SYNC_WAIT_NS (2 * NS_PER_SEC)
#define SYNC_AGAIN_NS NS_PER_SEC
#define DRAIN_NS NS_PER_SEC

struct cluster_port {
        const struct settings *set;
        char host[256]; /* what other nodes are told */
        uint16_t port;
        struct rpc_server *rpc;
        struct tls_ctx *tls; /* once there are credentials */
        struct http_server *server;
        struct node *node;

        struct thread *returner; /* drops what was destroyed meanwhile */
        struct mutex lock;
        struct cond wake;
        bool stopping; /* guarded by lock */
};

/* ---- flags and addresses ---- */

struct err *address_told(struct str told, struct str bound, char buf[static 64], struct str *ret_host,
                         uint16_t *ret_port)
{
        ptrdiff_t scheme = str_find_str(told, STR("://"));
        struct str address = told.n == 0 ? bound : scheme < 0 ? told : str_skip(told, (size_t)scheme + 3);
        struct str host;
        TRY(sock_split_address(address, &host, ret_port));
        if (str_eq(host, STR("0.0.0.0")) || str_eq(host, STR("::")))
                host = str_of(sock_host_ip(buf));
        *ret_host = host;
        return NULL;
}

static bool is_role(struct str s)
{
        return s.n == 0 || str_eq(s, STR("both")) || str_eq(s, STR("proxy")) || str_eq(s, STR("target"));
}

/* A typing error must not make a second cluster out of what should be a node of the first. */
static struct err *check_beginning(const struct settings *s, const char *state_dir)
{
        char identity[4096];
        if (!is_role(s->role))
                return err_new(ERR_INVALID, "--role: expecting both, proxy or target, not \"" STR_FMT "\"",
                               STR_ARG(s->role));
        if (s->cluster_listen.n == 0 && (s->init || s->join.n > 0 || s->cluster_url.n > 0 ||
                                         (s->role.n > 0 && !str_eq(s->role, STR("both")))))
                return err_new(ERR_INVALID, "--init, --join, --role and --cluster-url want --cluster-listen HOST:PORT, "
                                            "by which the nodes reach each other");
        if (s->init && s->join.n > 0)
                return err_new(ERR_INVALID, "--init and --join exclude each other");
        if (s->cluster_listen.n == 0)
                return NULL;
        if (snprintf(identity, sizeof(identity), "%s/orlop/control/identity.json", state_dir) >=
                    (int)sizeof(identity) ||
            access(identity, F_OK) == 0)
                return NULL;
        if (s->daemon_id.n > 0)
                return err_new(ERR_INVALID, "--daemon-id " STR_FMT ": %s belongs to no node yet, and a new one gets its "
                                            "id from the cluster",
                               STR_ARG(s->daemon_id), state_dir);
        if (s->init || s->join.n > 0)
                return NULL;
        return err_new(ERR_INVALID,
                       "%s belongs to no cluster yet: --init makes a new cluster, --join TOKEN joins one (orlop "
                       "cluster token)",
                       state_dir);
}

/* Others must be able to use what they are told. Loopback is fine when it was asked for: all nodes on one machine. */
static struct err *find_address(struct cluster_port *p)
{
        const struct settings *s = p->set;
        struct str bound_host, host;
        uint16_t bound_port;
        char ip[64];
        TRY_WRAP(sock_split_address(s->cluster_listen, &bound_host, &bound_port), "--cluster-listen");
        if (bound_port == 0)
                return err_new(ERR_INVALID, "--cluster-listen " STR_FMT ": name a port, other nodes must find it again",
                               STR_ARG(s->cluster_listen));
        TRY_WRAP(address_told(s->cluster_url, s->cluster_listen, ip, &host, &p->port),
                 s->cluster_url.n > 0 ? "--cluster-url" : "--cluster-listen");
        if (p->port == 0 || !str_copy(p->host, sizeof(p->host), host))
                return err_new(ERR_INVALID, "--cluster-url " STR_FMT ": expecting HOST:PORT", STR_ARG(s->cluster_url));
        if (host.p == ip && sock_is_loopback(host))
                return err_new(ERR_INVALID,
                               "--cluster-listen " STR_FMT ": this machine has no address that other nodes reach; name "
                               "one in --cluster-listen, or tell them one with --cluster-url HOST:PORT",
                               STR_ARG(s->cluster_listen));
        if (host.p == ip)
                log_info("other nodes are told to connect to %s:%u (--cluster-url tells them something else)", p->host,
                         p->port);
        return NULL;
}

/* ---- the server ---- */

struct err *cluster_port_new(const struct settings *s, const char *state_dir, struct cluster_port **ret)
{
        TRY(check_beginning(s, state_dir));
        *ret = NULL;
        if (s->cluster_listen.n == 0)
                return NULL;
        struct cluster_port *p = calloc(1, sizeof(*p));
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        p->set = s;
        mutex_init(&p->lock, "daemon.cluster_port", RANK_LEAF);
        cond_init(&p->wake);
        struct err *e = find_address(p);
        if (e == NULL)
                e = rpc_server_new(&p->rpc);
        if (e != NULL) {
                cluster_port_free(p);
                return e;
        }
        *ret = p;
        return NULL;
}

struct rpc_server *cluster_port_rpc(struct cluster_port *p)
{
        return p != NULL ? p->rpc : NULL;
}

static struct err *on_credentials(void *arg, const char *cert, const char *key, const char *ca)
{
        struct cluster_port *p = arg;
        const struct tls_pem pem = { cert, key, ca };
        return p->tls != NULL ? tls_ctx_set_pem(p->tls, &pem) : tls_mutual_server_new(&pem, &p->tls);
}

void cluster_port_options(struct cluster_port *p, struct pool *pool, struct cluster_opts *o)
{
        const struct settings *s = p->set;
        struct cluster_addr *a = &o->addr[CLUSTER_NET_CONTROL];
        bool v6 = strchr(p->host, ':') != NULL;
        str_copy(a->host, sizeof(a->host), str_of(p->host));
        snprintf(a->port, sizeof(a->port), "%u", (unsigned)p->port);
        snprintf(a->url, sizeof(a->url), "https://%s%.255s%s:%u", v6 ? "[" : "", a->host, v6 ? "]" : "", (unsigned)p->port);
        o->addr[CLUSTER_NET_DATA] = *a;
        o->cluster_host = p->host;
        o->cluster_port = p->port;
        o->rpc = p->rpc;
        o->pool = pool;
        o->join = s->join.n > 0 ? s->join.p : NULL;
        o->non_electable = s->non_electable;
        o->old_level = str_u64(s->feature_level, &o->feature_level);
        o->credentials = on_credentials;
        o->credentials_arg = p;
        o->role = str_eq(s->role, STR("proxy"))    ? CLUSTER_ROLE_PROXY :
                  str_eq(s->role, STR("target")) ? CLUSTER_ROLE_TARGET :
                                                   CLUSTER_ROLE_BOTH;
}

/* ---- coming back ---- */

static bool wait_again(struct cluster_port *p)
{
        int64_t until = clock_mono_ns() + SYNC_AGAIN_NS;
        LOCK_SCOPE(&p->lock);
        while (!p->stopping && cond_wait_until(&p->wake, &p->lock, until))
                ;
        return !p->stopping;
}

static void come_back(void *arg)
{
        struct cluster_port *p = arg;
        bool told = false;
        for (;;) {
                struct err *e = flow_keep_buckets(p->node, clock_mono_ns() + SYNC_WAIT_NS);
                if (e == NULL)
                        return;
                bool tell = !told && err_code(e) != ERR_UNAVAILABLE; /* no leader: others speak of it */
                log_err(tell ? LOG_WARN : LOG_DEBUG, LOG_FOLDER, e,
                        "buckets that were destroyed while this node was away");
                told = told || tell;
                if (!wait_again(p))
                        return;
        }
}

struct err *cluster_port_start(struct cluster_port *p, struct node *n, struct pool *pool)
{
        if (p == NULL)
                return NULL;
        struct http_listener l = { .address = p->set->cluster_listen.p,
                                   .tls = p->tls,
                                   .internal = true,
                                   .app = rpc_server_app(p->rpc) };
        const struct http_server_options o = { .listeners = &l, .nlisteners = 1, .loops = 1, .pool = pool };
        p->node = n;
        TRY(http_server_new(&o, &p->server));
        TRY(http_server_start(p->server));
        TRY(cluster_start(n->cluster, clock_mono_ns() + LEASE_WAIT_NS));
        return thread_start(&p->returner, "returner", THREAD_WORKER, come_back, p);
}

void cluster_port_stop(struct cluster_port *p)
{
        if (p == NULL)
                return;
        mutex_lock(&p->lock);
        p->stopping = true;
        cond_signal(&p->wake);
        mutex_unlock(&p->lock);
        thread_join(p->returner);
        p->returner = NULL;
        if (p->server != NULL)
                http_server_stop(p->server, clock_mono_ns() + DRAIN_NS);
}

void cluster_port_free(struct cluster_port *p)
{
        if (p == NULL)
                return;
        if (p->server != NULL)
                http_server_free(p->server);
        rpc_server_free(p->rpc);
        tls_ctx_free(p->tls);
        cond_fini(&p->wake);
        mutex_fini(&p->lock);
        free(p);
}
