/* api/health.c: GET /v1/health: whether the node is up, ready, or ready to rebalance; and its state in short (cii). */
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
        api_reply_empty(r, 200); /* this node is its cluster: once it answers, it is ready in every sense */
        return NULL;
}
