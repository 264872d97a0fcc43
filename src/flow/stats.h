/* flow/stats.h: the node's counters, under the wire's metric names. Relaxed atomics; any thread, loops too; reading is not a snapshot.
 *
 * X(id, wire name, wire kind, roles): roles P proxy, T target. Kinds: counter, size, total (ns), latency (average over the period, computed from the total and
 * the counter), bw. Prometheus names are made from these by api/metrics.c. */
#ifndef ORLOP_FLOW_STATS_H
#define ORLOP_FLOW_STATS_H

#include <stdatomic.h>
#include <stdint.h>

#define FLOW_STATS(X)                                                                                                  \
        X(GET_N, "get.n", "counter", "PT")                                                                             \
        X(PUT_N, "put.n", "counter", "PT")                                                                             \
        X(HEAD_N, "head.n", "counter", "PT")                                                                           \
        X(DEL_N, "del.n", "counter", "PT")                                                                             \
        X(APPEND_N, "append.n", "counter", "PT")                                                                       \
        X(REN_N, "ren.n", "counter", "PT")                                                                             \
        X(LST_N, "lst.n", "counter", "PT")                                                                             \
        X(ERR_GET_N, "err.get.n", "counter", "PT")                                                                     \
        X(ERR_PUT_N, "err.put.n", "counter", "PT")                                                                     \
        X(ERR_HEAD_N, "err.head.n", "counter", "PT")                                                                   \
        X(ERR_DEL_N, "err.del.n", "counter", "PT")                                                                     \
        X(ERR_APPEND_N, "err.append.n", "counter", "PT")                                                               \
        X(ERR_REN_N, "err.ren.n", "counter", "PT")                                                                     \
        X(ERR_LST_N, "err.lst.n", "counter", "PT")                                                                     \
        X(ERR_HTTP_WRITE_N, "err.http.write.n", "counter", "PT")                                                       \
        X(ERR_PUT_CKSUM_N, "err.put.cksum.n", "counter", "T")                                                          \
        X(ERR_IO_GET_N, "err.io.get.n", "counter", "T")                                                                \
        X(ERR_IO_PUT_N, "err.io.put.n", "counter", "T")                                                                \
        X(ERR_IO_DEL_N, "err.io.del.n", "counter", "T")                                                                \
        X(GET_NS_TOTAL, "get.ns.total", "total", "T")                                                                  \
        X(PUT_NS_TOTAL, "put.ns.total", "total", "T")                                                                  \
        X(HEAD_NS_TOTAL, "head.ns.total", "total", "T")                                                                \
        X(LST_NS_TOTAL, "lst.ns.total", "total", "PT")                                                                 \
        X(APPEND_NS_TOTAL, "append.ns.total", "total", "T")                                                            \
        X(GET_SIZE, "get.size", "size", "T")                                                                           \
        X(PUT_SIZE, "put.size", "size", "T")                                                                           \
        X(CLEANUP_N, "cleanup.store.n", "counter", "T")                                                                \
        X(CLEANUP_SIZE, "cleanup.store.size", "size", "T")                                                             \
        X(LRU_EVICT_N, "lru.evict.n", "counter", "T")                                                                  \
        X(LRU_EVICT_SIZE, "lru.evict.size", "size", "T")                                                               \
        X(ACL_TOTAL_N, "acl.total.n", "counter", "P")                                                                  \
        X(ACL_DENIED_N, "acl.denied.n", "counter", "P")

enum flow_stat {
#define X(id, name, kind, roles) STAT_##id,
        FLOW_STATS(X)
#undef X
                STAT_COUNT
};
struct flow_stats {
        _Atomic int64_t v[STAT_COUNT];
        int64_t start_mono_ns; /* up.ns.time is counted from here */
};
/* What other targets have handed over to this one since the start of the process: by rebalances. */
struct flow_received {
        _Atomic uint64_t objects, bytes;
};
static inline void stat_add(struct flow_stats *s, enum flow_stat id, int64_t n)
{
        atomic_fetch_add_explicit(&s->v[id], n, memory_order_relaxed);
}
static inline int64_t stat_get(struct flow_stats *s, enum flow_stat id)
{
        return atomic_load_explicit(&s->v[id], memory_order_relaxed);
}

#endif
