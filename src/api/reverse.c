/* api/reverse.c: /v1/reverse: a request for one node, named by the header Ais-Node-Id, asked through any gateway. Both
 * ids of this node are answered here. */
#include "api/nodes.h"

static struct err *choose_node(struct api_req *r)
{
        struct str id = http_req_header(r->rq, STR("Ais-Node-Id"));
        const struct cluster_node *n;

        if (id.n == 0)
                return err_new(ERR_INVALID, "missing node ID");
        n = snapshot_node(r->snap, id);
        if (!n)
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%lu", STR_ARG(id),
                               (unsigned long)r->snap->smap_version);
        r->role_target = n->target;
        if (r->nitems < 2)
                return api__bad_uri(r);
        r->nitems--;
        memmove(r->items, r->items + 1, r->nitems * sizeof(r->items[0]));
        return NULL;
}

struct err *api__reverse(struct api_req *r)
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

        TRY(choose_node(r));
        for (size_t i = 0; i < ARRAY_LEN(rows); i++)
                if (r->rq->method == rows[i].method && str_eq(r->items[0], str_of(rows[i].resource)))
                        return rows[i].fn(r);
        return err_new(ERR_NOT_IMPLEMENTED, "relaying '" STR_FMT " " STR_FMT "' is not implemented",
                       STR_ARG(r->rq->head->method_text), STR_ARG(r->rq->path));
}
