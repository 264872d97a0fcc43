/* api/health.c: GET /v1/health: whether the node is up, ready, or ready to rebalance; and its state in short (cii). A
 * node is ready while it holds a lease: then it knows a primary, and that knows it. */
#include "api/nodes.h"

#include "os/clock.h"

struct err *api__health_get(struct api_req *r)
{
        int64_t up = clock_mono_ns() - r->api->start_mono_ns;
        bool cii, prr;

        TRY(api_param_bool(r, "cii", &cii));
        TRY(api_param_bool(r, "prr", &prr));
        if (cii && prr)
                return err_new(ERR_INVALID, "invalid health request: 'cii' and 'prr' exclude each other");
        http_resp_headerf(r->rs, "Ais-Cluster-Uptime", "%ld", (long)up);
        http_resp_headerf(r->rs, "Ais-Node-Uptime", "%ld", (long)up);
        if (cii) {
                AUTO_BUF struct buf b = BUF_INIT;
                struct json_w w;

                api__json(r, &w, &b);
                api__view_state(&w, NULL, r->snap, api__view_state_flags(r));
                return api_reply_json(r, &b);
        }
        if (!cluster_has_lease(r->node->cluster, clock_mono_ns()) || !cluster_leader(r->snap)) {
                http_resp_head_raw(r->rs, STR("Retry-After: 1\r\n"));
                api_reply_empty(r, 503); /* wire: without a body */
                return NULL;
        }
        api_reply_empty(r, 200);
        return NULL;
}
