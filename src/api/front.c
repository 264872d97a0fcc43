/* api/front.c: the life of the front, and waiting for the cluster's state. */
#define LOG_FOLDER "api"
#include "api/core.h"
#include "api/hot.h"
#include "api/leave.h"
#include "api/relay.h"
#include "api/request.h"
#include "api/s3.h"
#include "api/s3_keys.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"
#include "os/sock.h"

#define UPLOADS_DEFAULT 1024u
#define RESERVE_DEFAULT ((size_t)256 << 20) /* a list of names of the largest size can be taken */

/* ---- waiting for a state ---- */

static void on_snapshot(void *arg, const struct snapshot *before, const struct snapshot *after)
{
        struct api *a = arg;
        (void)before;
        LOCK_SCOPE(&a->lock);
        a->index = after->index;
        cond_broadcast(&a->changed);
}

static bool is_here(struct api *a, uint64_t index)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(a->node->cluster);
        return s->index >= index;
}

struct err *api__wait_index(struct api *a, uint64_t index, int64_t deadline_mono_ns)
{
        if (is_here(a, index))
                return NULL;
        LOCK_SCOPE(&a->lock);
        while (a->index < index)
                if (!cond_wait_until(&a->changed, &a->lock, deadline_mono_ns))
                        return err_new(ERR_UNAVAILABLE, "state %lu of the cluster is not here yet",
                                       (unsigned long)index);
        return NULL;
}

/* ---- life ---- */

struct err *api_new(const struct api_options *o, struct api **ret)
{
        struct api *a = calloc(1, sizeof(*a));
        if (a == NULL)
                return err_static(ERR_NO_MEMORY);
        a->node = o->node;
        a->pool = o->pool;
        a->log = o->log;
        a->tls = o->tls;
        a->state_dir = o->state_dir;
        a->log_dir = o->log_dir;
        a->shutdown = o->shutdown;
        a->shutdown_arg = o->shutdown_arg;
        a->start_mono_ns = clock_mono_ns();
        a->reserve_max = o->memory ? o->memory : RESERVE_DEFAULT;
        a->uploads_max = o->uploads ? o->uploads : UPLOADS_DEFAULT;
        mutex_init(&a->lock, "api.changed", RANK_LEAF);
        cond_init(&a->changed);
        struct err *e = api__s3_keys_new(o->s3_keys, o->s3_access, o->s3_secret, &a->s3_keys);
        if (e == NULL && o->rpc != NULL)
                e = api__relay_routes(a, o->rpc);
        if (e == NULL && o->rpc != NULL)
                e = s3_pass_routes(a, o->rpc);
        if (e != NULL) {
                api_free(a);
                return e;
        }
        *ret = a;
        return NULL;
}

void api_free(struct api *a)
{
        if (a == NULL)
                return;
        api_stop(a);
        api__s3_keys_free(a->s3_keys);
        cond_fini(&a->changed);
        mutex_fini(&a->lock);
        free(a);
}

void api_stop(struct api *a)
{
        api__leave_stop(a->leave);
        a->leave = NULL;
}

static const char *id_of(const struct cluster_node *n)
{
        return n != NULL ? n->id : "none";
}

struct err *api_ready(struct api *a, struct jobs *jobs, const char *url, struct http_server *s)
{
        struct str rest = str_of(url), host;
        uint16_t port;
        str_copy(a->public_url, sizeof(a->public_url), rest);
        rest = str_skip(rest, (size_t)str_find_str(rest, STR("://")) + 3);
        TRY(sock_split_address(rest, &host, &port));
        str_copy(a->host, sizeof(a->host), host);
        snprintf(a->port, sizeof(a->port), "%u", (unsigned)port);
        a->jobs = jobs;
        a->server = s;
        if (a->node->store != NULL)
                store_set_batch_hook(a->node->store, api__hot_flush, a);
        cluster_watch(a->node->cluster, on_snapshot, a);
        if (cluster_rpc(a->node->cluster) != NULL)
                TRY(api__leave_start(a, &a->leave));
        atomic_store(&a->ready, true);
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(a->node->cluster);
        log_info("serving %s: cluster %s, proxy %s, target %s, %zu buckets", url, snap->uuid, id_of(snap->proxy),
                 id_of(snap->target), snap->bucket_count);
        return NULL;
}

void api_s3_app(struct api *a, struct http_app *ret)
{
        s3_app(a, ret);
}

void api_app(struct api *a, struct http_app *ret)
{
        *ret = (struct http_app){
                .ctx = a,
                .before_body = api__redirect_before_body,
                .on_loop = api__hot_on_loop,
                .handle = api__core_handle,
                .refuse = api__core_refuse,
                .on_sent = api__core_sent,
                .loop_init = api__hot_loop_init,
                .loop_fini = api__hot_loop_fini,
        };
}
