/* api/reverse.c: /v1/reverse: a request for one node, named by the header Ais-Node-Id, asked through any gateway. What
 * is meant for this process is answered here; the rest goes to its member over the cluster port (relay.c). Of a node in
 * maintenance only the map is asked about its status: it may be away. */
#include "api/nodes.h"

#include "api/relay.h"

static struct err *named_node(struct api_req *r, const struct cluster_node **ret)
{
        struct str id = http_req_header(r->rq, STR("Ais-Node-Id"));
        if (id.n == 0)
                return err_new(ERR_INVALID, "missing node ID");
        const struct cluster_node *n = snapshot_node(r->snap, id);
        for (unsigned i = 0; n == NULL && i < r->snap->aside_count; i++)
                if (str_eq(id, str_of(r->snap->aside[i].id)))
                        n = &r->snap->aside[i];
        if (n == NULL)
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%lu", STR_ARG(id),
                               (unsigned long)r->snap->smap_version);
        *ret = n;
        return NULL;
}

/* wire: node_status as the map tells it. */
static struct err *status_by_map(struct api_req *r, const struct cluster_node *n)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct view_node v = { .snap = r->snap, .self = n };
        struct json_w w;
        api__json(r, &w, &b);
        api__view_absent_status(&w, &v, n->flags & NODE_DECOMMISSION ? "decommission" : "maintenance");
        return api_reply_json(r, &b);
}

/* "/v1/reverse/daemon/x?q" asks the node for "/v1/daemon/x?q". */
static struct err *pass_on(struct api_req *r, const struct cluster_node *n)
{
        const struct cluster_member *m = snapshot_member(r->snap, str_of(n->member));
        ptrdiff_t at = str_find_str(r->rq->head->target, STR("/reverse/"));
        if (m == NULL || at < 0)
                return api__bad_uri(r);
        struct str rest = str_skip(r->rq->head->target, (size_t)at + sizeof("/reverse") - 1);
        struct str target = str_printf(r->arena, "/v1" STR_FMT, STR_ARG(rest));
        if (target.p == NULL)
                return err_static(ERR_NO_MEMORY);
        return api__relay_member(r, m, target);
}

static struct err *answer_here(struct api_req *r)
{
        static const struct {
                enum http_method method;
                const char *resource;
                api_handler_fn *fn;
        } rows[] = {
                { HTTP_GET, "daemon", api__daemon_get },   { HTTP_PUT, "daemon", api__daemon_put },
                { HTTP_POST, "daemon", api__daemon_post }, { HTTP_DELETE, "daemon", api__daemon_delete },
                { HTTP_GET, "health", api__health_get },
        };
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (r->rq->method == rows[i].method && str_eq(r->items[0], str_of(rows[i].resource)))
                        return rows[i].fn(r);
        return err_new(ERR_NOT_IMPLEMENTED, "relaying '" STR_FMT " " STR_FMT "' is not implemented",
                       STR_ARG(r->rq->head->method_text), STR_ARG(r->rq->path));
}

struct err *api__reverse(struct api_req *r)
{
        const struct cluster_node *n;
        TRY(named_node(r, &n));
        if (r->nitems < 2)
                return api__bad_uri(r);
        if (!str_eq(r->items[1], STR("daemon")) && !str_eq(r->items[1], STR("health")))
                return err_new(ERR_NOT_IMPLEMENTED, "relaying '" STR_FMT " " STR_FMT "' is not implemented",
                               STR_ARG(r->rq->head->method_text), STR_ARG(r->rq->path));
        if ((n->flags & (NODE_MAINTENANCE | NODE_DECOMMISSION)) && r->rq->method == HTTP_GET &&
            str_eq(api_param(r, "what"), STR("node_status")))
                return status_by_map(r, n);
        if (!api__is_own(r, n))
                return pass_on(r, n);
        r->role_target = n->target;
        r->nitems--;
        memmove(r->items, r->items + 1, r->nitems * sizeof(r->items[0]));
        return answer_here(r);
}
