/* api/leave.c: see leave.h.
 *
 * Happy path of a decommission: flags (a new epoch without the target), document; rebalance; the target is clean; its
 * process is told to end; the member is removed; the document goes. Each step may be done twice: a primary that dies in
 * between leaves the rest to the next. A process that can not be told has ended already, or is removed all the same. */
#define LOG_FOLDER "api"
#include "api/leave.h"

#include <stdio.h>

#include "base/log.h"
#include "os/clock.h"

#define LOOK_NS (500 * NS_PER_MS)
#define TELL_NS (3 * NS_PER_SEC)
#define WISHES_MAX 64 /* looked after in one turn */
#define KEY_PREFIX "leave/"

static const char *const kind_names[] = {
        [LEAVE_MAINTENANCE] = "maintenance", [LEAVE_SHUTDOWN] = "shutdown", [LEAVE_DECOMMISSION] = "decommission"
};

/* ---- documents ---- */

static void wish_json(const struct leave_wish *w, struct buf *b)
{
        struct json_w j;
        jw_init(&j, b, false);
        jw_object(&j, NULL);
        jw_cstr(&j, "kind", kind_names[w->kind]);
        jw_bool(&j, "rm_user_data", w->rm_user_data);
        jw_bool(&j, "keep_initial_config", w->keep_initial_config);
        jw_bool(&j, "no_shutdown", w->no_shutdown);
        jw_bool(&j, "at_once", w->at_once);
        jw_object_end(&j);
}

static struct err *wish_parse(struct str text, struct leave_wish *ret)
{
        AUTO_JSON json_t *j = NULL;
        struct leave_wish w = { .kind = LEAVE_MAINTENANCE };
        TRY(json_parse(text, CONTROL_BODY_MAX, &j));
        struct str kind = json_str(json_object_get(j, "kind"));
        for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
                if (str_eq(kind, str_of(kind_names[i])))
                        w.kind = (enum leave_kind)i;
        w.rm_user_data = json_is_true(json_object_get(j, "rm_user_data"));
        w.keep_initial_config = json_is_true(json_object_get(j, "keep_initial_config"));
        w.no_shutdown = json_is_true(json_object_get(j, "no_shutdown"));
        w.at_once = json_is_true(json_object_get(j, "at_once"));
        *ret = w;
        return NULL;
}

static struct str key_of(const char *id, char buf[static NODE_ID_MAX + 16])
{
        snprintf(buf, NODE_ID_MAX + 16, KEY_PREFIX "%s", id);
        return str_of(buf);
}

struct err *api__leave_put(struct api *a, const char *id, const struct leave_wish *w)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char key[NODE_ID_MAX + 16];
        wish_json(w, &b);
        TRY(buf_err(&b));
        return cluster_doc_put(a->node->cluster, key_of(id, key), buf_str(&b));
}

struct err *api__leave_drop(struct api *a, const char *id)
{
        char key[NODE_ID_MAX + 16];
        return cluster_doc_put(a->node->cluster, key_of(id, key), STR_NONE);
}

bool api__leave_is_clean(const struct snapshot *s, const char *id)
{
        for (unsigned k = 0; k < s->placement.n; k++)
                if (strcmp(s->placement.ids[k], id) == 0)
                        return false;
        for (unsigned i = 0; i < s->earlier_count; i++)
                for (unsigned k = 0; k < s->earlier[i].n; k++)
                        if (s->earlier[i].pending[k] && strcmp(s->earlier[i].ids[k], id) == 0)
                                return false;
        return true;
}

/* ---- the process that ends ---- */

struct err *api__leave_tell(struct api *a, const struct cluster_member *m, const struct leave_wish *w)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct rpc_client *c = cluster_rpc(a->node->cluster);
        struct rpc_peer peer = { .port = m->port };
        if (c == NULL)
                return err_new(ERR_UNAVAILABLE, "this node has no cluster port");
        str_copy(peer.id, sizeof(peer.id), str_of(m->id));
        str_copy(peer.host, sizeof(peer.host), str_of(m->host));
        wish_json(w, &b);
        TRY(buf_err(&b));
        return rpc_call(c, &peer, "POST", "/node/end", buf_str(&b), clock_mono_ns() + TELL_NS, 0, NULL);
}

struct err *api__leave_here(struct api *a, const struct leave_wish *w)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(a->node->cluster);
        log_info("this node is told to leave the cluster: %s%s", kind_names[w->kind],
                 w->rm_user_data ? ", with its contents" : "");
        for (size_t i = 0; w->rm_user_data && a->node->store != NULL && i < s->bucket_count; i++)
                TRY(store_bucket_drop(a->node->store, s->buckets[i]->bid));
        if (!w->no_shutdown && a->shutdown != NULL)
                a->shutdown(a->shutdown_arg);
        return NULL;
}

struct err *api__leave_end(struct rpc_req *rq)
{
        struct api *a = rq->ctx;
        struct leave_wish w;
        struct str body;
        if (!atomic_load(&a->ready))
                return err_static(ERR_STARTING);
        TRY(http_req_read_all(rq->http, CONTROL_BODY_MAX, &body));
        TRY(wish_parse(body, &w));
        rq->resp->close = true;
        return api__leave_here(a, &w);
}

/* ---- the leader's duty ---- */

struct api_leave {
        struct api *api;
        struct thread *thread;
        struct mutex lock;
        struct cond wake;
        bool stop; /* guarded by lock */
};
struct wish {
        char id[NODE_ID_MAX + 1];
        struct leave_wish what;
};
struct wishes {
        struct wish list[WISHES_MAX];
        unsigned n;
};

static struct err *collect(void *arg, struct str key, struct str body)
{
        struct wishes *ws = arg;
        if (ws->n == WISHES_MAX)
                return NULL; /* the next turn's */
        struct wish *w = &ws->list[ws->n];
        struct err *e = wish_parse(body, &w->what);
        if (e != NULL) {
                log_err(LOG_WARN, LOG_FOLDER, e, "document " STR_FMT, STR_ARG(key));
                return NULL;
        }
        str_copy(w->id, sizeof(w->id), str_skip(key, sizeof(KEY_PREFIX) - 1));
        ws->n++;
        return NULL;
}

static void tell(struct api *a, const struct cluster_member *m, const struct leave_wish *w)
{
        struct err *e = api__leave_tell(a, m, w);
        if (e != NULL)
                log_info("member %s could not be told to end: %s", m->id, e->msg);
        err_free(e);
}

static struct err *finish(struct api *a, const struct snapshot *s, const struct wish *w)
{
        struct cluster *c = a->node->cluster;
        const struct cluster_member *m = snapshot_member(s, str_of(w->id));
        const struct cluster_node *n = snapshot_node(s, str_of(w->id));
        if (m == NULL) /* gone already */
                return api__leave_drop(a, w->id);
        unsigned flags = n != NULL && strcmp(m->target, w->id) == 0 ? n->flags : 0;
        if ((flags & (NODE_MAINTENANCE | NODE_DECOMMISSION)) && !(flags & NODE_POST_REBALANCE))
                TRY(cluster_node_set_flags(c, str_of(w->id), NODE_POST_REBALANCE, 0));
        if (w->what.kind != LEAVE_MAINTENANCE && m->up)
                tell(a, m, &w->what);
        if (w->what.kind == LEAVE_DECOMMISSION) {
                TRY(cluster_member_remove(c, str_of(m->id), w->what.at_once));
                log_info("member %s has left the cluster", m->id);
        }
        return api__leave_drop(a, w->id);
}

static struct err *look(struct api *a)
{
        AUTO_FREE struct wishes *ws = calloc(1, sizeof(*ws));
        if (ws == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(cluster_doc_each(a->node->cluster, STR(KEY_PREFIX), collect, ws));
        for (unsigned i = 0; i < ws->n && cluster_is_leader(a->node->cluster); i++) {
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(a->node->cluster);
                if (ws->list[i].what.at_once || api__leave_is_clean(s, ws->list[i].id))
                        log_err(LOG_WARN, LOG_FOLDER, finish(a, s, &ws->list[i]), "node %s leaves", ws->list[i].id);
        }
        return NULL;
}

static void run(void *arg)
{
        struct api_leave *l = arg;
        for (;;) {
                {
                        LOCK_SCOPE(&l->lock);
                        int64_t until = clock_mono_ns() + LOOK_NS;
                        while (!l->stop && cond_wait_until(&l->wake, &l->lock, until))
                                ;
                        if (l->stop)
                                return;
                }
                if (cluster_is_leader(l->api->node->cluster))
                        log_err(LOG_WARN, LOG_FOLDER, look(l->api), "nodes that leave");
        }
}

struct err *api__leave_start(struct api *a, struct api_leave **ret)
{
        struct api_leave *l = calloc(1, sizeof(*l));
        if (l == NULL)
                return err_static(ERR_NO_MEMORY);
        l->api = a;
        mutex_init(&l->lock, "api.leave", RANK_LEAF);
        cond_init(&l->wake);
        struct err *e = thread_start(&l->thread, "leave", THREAD_WORKER, run, l);
        if (e != NULL) {
                cond_fini(&l->wake);
                mutex_fini(&l->lock);
                free(l);
                return e;
        }
        *ret = l;
        return NULL;
}

void api__leave_stop(struct api_leave *l)
{
        if (l == NULL)
                return;
        mutex_lock(&l->lock);
        l->stop = true;
        cond_signal(&l->wake);
        mutex_unlock(&l->lock);
        thread_join(l->thread);
        cond_fini(&l->wake);
        mutex_fini(&l->lock);
        free(l);
}
