/* api/metrics_table.c: every metric name of the wire, what kind it is, and where its value comes from.
 *
 * The names are the contract with clients; those without a counter behind them here are told with the value 0. The kind
 * follows from the name's ending, as on the wire. A latency ("get.ns") carries the cumulative total: clients divide
 * differences by differences of the counter. */
#include "api/views.h"

#include "os/clock.h"

static const char *const both[] = {
        "append.n",     "del.n",         "err.append.n", "err.del.n",
        "err.get.n",    "err.getblob.n", "err.head.n",   "err.http.write.n",
        "err.kalive.n", "err.lst.n",     "err.put.n",    "err.ren.n",
        "get.n",        "get.ns",        "get.ns.total", "getblob.n",
        "head.n",       "kalive.ns",     "lst.n",        "lst.ns",
        "put.n",        "ren.n",         "state.flags",  "up.ns.time",
};
static const char *const proxy_only[] = {
        "acl.denied.n",      "acl.total.n",       "auth.expiredtoken.n", "auth.fail.n",
        "auth.invalidiss.n", "auth.invalidkid.n", "auth.invalidtoken.n", "auth.iss",
        "auth.jwks",         "auth.notoken.n",    "auth.success.n",      "auth.total.n",
};
static const char *const target_only[] = {
        "append.ns",
        "cleanup.store.n",
        "cleanup.store.size",
        "dl.ns.total",
        "dl.size",
        "err.dl.n",
        "err.fshc.n",
        "err.getbatch.n",
        "err.gfn.getbatch.n",
        "err.io.del.n",
        "err.io.get.n",
        "err.io.put.n",
        "err.lcache.n",
        "err.prefetch.n",
        "err.put.cksum.n",
        "err.soft.getbatch.n",
        "etl.inline.n",
        "etl.inline.ns.total",
        "etl.inline.size",
        "etl.offline.n",
        "etl.offline.ns.total",
        "etl.offline.size",
        "get.bps",
        "get.redir.ns",
        "get.size",
        "getbatch.file.n",
        "getbatch.file.size",
        "getbatch.gfn.n",
        "getbatch.n",
        "getbatch.obj.n",
        "getbatch.obj.size",
        "getbatch.rxwait.ns",
        "getbatch.throttle.ns",
        "getblob.size",
        "head.ns.total",
        "lcache.collision.n",
        "lcache.evicted.n",
        "lcache.flush.cold.n",
        "lru.evict.n",
        "lru.evict.size",
        "prefetch.blob.n",
        "prefetch.blob.rejected.n",
        "prefetch.blob.size",
        "prefetch.cold.n",
        "prefetch.cold.ns.total",
        "prefetch.cold.size",
        "put.bps",
        "put.ns",
        "put.ns.total",
        "put.redir.ns",
        "put.size",
        "ratelim.retry.get.n",
        "ratelim.retry.get.ns.total",
        "ratelim.retry.put.n",
        "ratelim.retry.put.ns.total",
        "remais.e2e.put.ns.total",
        "remais.get.n",
        "remais.get.ns.total",
        "remais.get.size",
        "remais.head.n",
        "remais.head.ns.total",
        "remais.put.n",
        "remais.put.ns.total",
        "remais.put.size",
        "remais.ver.change.n",
        "remais.ver.change.size",
        "remote.deleted.del.n",
        "stream.in.n",
        "stream.in.size",
        "stream.out.n",
        "stream.out.size",
        "ver.change.n",
        "ver.change.size",
};

static const char *kind_of(const char *name)
{
        static const struct {
                const char *ending, *kind;
        } kinds[] = {
                { "getbatch.rxwait.ns", "total" },
                { "getbatch.throttle.ns", "total" },
                { "up.ns.time", "special" },
                { "state.flags", "gauge" },
                { "auth.iss", "histogram" },
                { "auth.jwks", "histogram" },
                { ".ns.total", "total" },
                { ".size", "size" },
                { ".bps", "bw" },
                { ".ns", "latency" },
                { ".n", "counter" },
        };
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
                if (str_ends(str_of(name), str_of(kinds[i].ending)))
                        return kinds[i].kind;
        return "gauge";
}

static void tell(const char *const *names, size_t n, void (*fn)(void *arg, const char *name, const char *kind),
                 void *arg)
{
        for (size_t i = 0; i < n; i++)
                fn(arg, names[i], kind_of(names[i]));
}

void api__metric_names(bool target, void (*fn)(void *arg, const char *name, const char *kind), void *arg)
{
        tell(both, ARRAY_LEN(both), fn, arg);
        if (target)
                tell(target_only, ARRAY_LEN(target_only), fn, arg);
        else
                tell(proxy_only, ARRAY_LEN(proxy_only), fn, arg);
}

/* Which counter a name shows: its own, or for latencies and throughput the total it is computed from. */
static const char *source_of(const char *name)
{
        static const char *const other[][2] = {
                { "get.ns", "get.ns.total" }, { "put.ns", "put.ns.total" }, { "append.ns", "append.ns.total" },
                { "lst.ns", "lst.ns.total" }, { "get.bps", "get.size" },    { "put.bps", "put.size" },
        };
        for (size_t i = 0; i < ARRAY_LEN(other); i++)
                if (strcmp(other[i][0], name) == 0)
                        return other[i][1];
        return name;
}

int64_t api__metric_value(struct api_req *r, bool target, const char *name)
{
        static const struct {
                const char *name, *roles;
        } stats[] = {
#define X(id, wire, kind, roles) { wire, roles },
                FLOW_STATS(X)
#undef X
        };
        const char *source = source_of(name);

        if (strcmp(name, "up.ns.time") == 0)
                return clock_mono_ns() - r->node->stats.start_mono_ns;
        if (strcmp(name, "state.flags") == 0)
                return (int64_t)api__view_state_flags(r);
        for (size_t i = 0; i < ARRAY_LEN(stats); i++)
                if (strcmp(stats[i].name, source) == 0 && strchr(stats[i].roles, target ? 'T' : 'P'))
                        return stat_get(&r->node->stats, (enum flow_stat)i);
        return 0;
}
