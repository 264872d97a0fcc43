/* api/metrics.c: GET /metrics: Prometheus text, with the wire's metric names for both roles of this node, and our own
 * (orlop_…) for what the wire has no name for. Latencies and throughput are left out, as on the wire: they follow from
 * totals and counters. */
#include "api/nodes.h"

#include <stdio.h>

#include "os/clock.h"

struct out {
        struct api_req *r;
        struct buf *b;
        bool target;
        const char *id;
};

/* "get.n" → "get_count", "get.size" → "get_bytes", "x.ns.total" → "x_ns_total". */
static void prometheus_name(const char *name, const char *kind, char out[static VIEW_NAME_MAX + 8])
{
        struct str s = str_of(name);
        const char *ending = "";

        if (strcmp(kind, "counter") == 0) {
                s.n -= 2;
                ending = "_count";
        } else if (strcmp(kind, "size") == 0) {
                s.n -= 5;
                ending = "_bytes";
        }
        snprintf(out, VIEW_NAME_MAX + 8, STR_FMT "%s", STR_ARG(s), ending);
        for (char *p = out; *p; p++)
                if (*p == '.')
                        *p = '_';
}

static void sample(struct out *o, const char *name, const char *type, int64_t value)
{
        const char *role = o->target ? "target" : "proxy";

        buf_printf(o->b, "# TYPE ais_%s_%s %s\nais_%s_%s{node_id=\"%s\"} %ld\n", role, name, type, role, name, o->id,
                   (long)value);
}

static void histogram(struct out *o, const char *name)
{
        static const char *const bounds[] = { "0.05", "0.2", "5", "+Inf" };

        buf_printf(o->b, "# TYPE ais_proxy_%s histogram\n", name);
        for (size_t i = 0; i < ARRAY_LEN(bounds); i++)
                buf_printf(o->b, "ais_proxy_%s_bucket{node_id=\"%s\",le=\"%s\"} 0\n", name, o->id, bounds[i]);
        buf_printf(o->b, "ais_proxy_%s_sum{node_id=\"%s\"} 0\nais_proxy_%s_count{node_id=\"%s\"} 0\n", name, o->id,
                   name, o->id);
}

static void metric(void *arg, const char *name, const char *kind)
{
        struct out *o = arg;
        char text[VIEW_NAME_MAX + 8];

        if (strcmp(kind, "latency") == 0 || strcmp(kind, "bw") == 0)
                return;
        if (strcmp(name, "up.ns.time") == 0) {
                sample(o, "uptime", "gauge", api__metric_value(o->r, o->target, name) / NS_PER_SEC);
                return;
        }
        prometheus_name(name, kind, text);
        if (strcmp(kind, "histogram") == 0)
                histogram(o, text);
        else
                sample(o, text, strcmp(kind, "gauge") == 0 ? "gauge" : "counter",
                       api__metric_value(o->r, o->target, name));
}

static struct err *disks(struct out *o)
{
        struct mountpath_info *mps = arena_alloc(o->r->arena, CLUSTER_MOUNTPATHS_MAX * sizeof(*mps));
        struct view_disk d[API_DISKS_MAX];
        unsigned n, nd;

        if (!mps)
                return err_static(ERR_NO_MEMORY);
        TRY(store_mountpaths(o->r->node->store, mps, CLUSTER_MOUNTPATHS_MAX, &n));
        nd = api__disks(o->r, mps, n, d);
        static const char *const names[] = { "disk_read_bps", "disk_write_bps", "disk_avg_rsize", "disk_avg_wsize",
                                             "disk_util" };
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
                buf_printf(o->b, "# TYPE ais_target_%s gauge\n", names[k]);
                for (unsigned i = 0; i < nd; i++) {
                        const int64_t values[] = { d[i].rbps, d[i].wbps, d[i].ravg, d[i].wavg, d[i].util };

                        buf_printf(o->b, "ais_target_%s{disk=\"%s\",node_id=\"%s\"} %ld\n", names[k], d[i].name, o->id,
                                   (long)values[k]);
                }
        }
        return NULL;
}

static void own(struct buf *b, const char *name, const char *type, uint64_t value)
{
        buf_printf(b, "# TYPE orlop_%s %s\norlop_%s %lu\n", name, type, name, (unsigned long)value);
}

static void own_metrics(struct api_req *r, struct buf *b)
{
        struct http_server_stats hs = { 0 };
        struct store_stats ss;
        struct pool_stats ps;

        if (r->api->server)
                http_server_stats(r->api->server, &hs);
        pool_stats(r->api->pool, &ps);
        own(b, "http_connections_accepted_total", "counter", hs.accepted);
        own(b, "http_connections_open", "gauge", hs.open);
        own(b, "http_connections_idle", "gauge", hs.idle);
        own(b, "http_requests_total", "counter", hs.requests);
        own(b, "http_requests_refused_total", "counter", hs.refused);
        own(b, "http_received_bytes_total", "counter", hs.bytes_in);
        own(b, "http_sent_bytes_total", "counter", hs.bytes_out);
        own(b, "http_tails_parked", "gauge", hs.parked_tails);
        own(b, "worker_threads", "gauge", ps.threads);
        own(b, "worker_tasks_total", "counter", ps.done);
        own(b, "worker_refused_total", "counter", ps.refused);
        if (!r->node->store)
                return;
        store_stats(r->node->store, &ss);
        own(b, "store_cache_bytes", "gauge", ss.cache_bytes);
        own(b, "store_cache_entries", "gauge", ss.cache_entries);
        own(b, "store_cache_hits_total", "counter", ss.cache_hits);
        own(b, "store_cache_misses_total", "counter", ss.cache_misses);
        own(b, "store_commits_total", "counter", ss.commits);
        own(b, "store_commit_batches_total", "counter", ss.batches);
        own(b, "store_io_errors_total", "counter", ss.io_errors);
        own(b, "store_corrupt_total", "counter", ss.corrupt);
        own(b, "store_verified_bytes_total", "counter", ss.verify_bytes);
}

static void cluster_metrics(struct api_req *r, struct buf *b)
{
        const struct snapshot *s = r->snap;

        own(b, "cluster_members", "gauge", s->member_count);
        own(b, "cluster_state_index", "counter", s->index);
        own(b, "cluster_map_version", "counter", s->smap_version);
        own(b, "cluster_epoch", "counter", s->placement.epoch);
        own(b, "cluster_epoch_open", "counter", cluster_open_epoch(r->node->cluster));
        own(b, "cluster_placements_unsettled", "gauge", s->earlier_count);
        own(b, "cluster_leads", "gauge", cluster_is_leader(r->node->cluster));
        own(b, "cluster_lease_held", "gauge", cluster_has_lease(r->node->cluster, clock_mono_ns()));
}

struct err *api__metrics_get(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        const struct snapshot *s = r->snap;

        if (s->primary)
                buf_printf(&b, "# TYPE ais_node_primary_info gauge\n"
                               "ais_node_primary_info{node_id=\"%s\",primary_id=\"%s\"} 1\n",
                           s->proxy ? s->proxy->id : s->target->id, s->primary->id);
        if (s->proxy) {
                struct out proxy = { r, &b, false, s->proxy->id };

                api__metric_names(false, metric, &proxy);
        }
        if (s->target) {
                struct out target = { r, &b, true, s->target->id };

                api__metric_names(true, metric, &target);
                TRY(disks(&target));
        }
        cluster_metrics(r, &b);
        own_metrics(r, &b);
        return api_reply_buf(r, "text/plain; version=0.0.4; charset=utf-8", &b);
}
