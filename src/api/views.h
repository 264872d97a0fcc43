/* api/views.h (inside api): the wire's pictures of cluster and node: JSON, and msgpack with its short keys where
 * clients ask for it.
 *
 * A `struct view_node` is gathered first (it reads files: workers only); writing it is pure. */
#ifndef ORLOP_API_VIEWS_H
#define ORLOP_API_VIEWS_H

#include "api/priv.h"
#include "os/sysinfo.h"

#define VIEW_METRICS_MAX 512
#define VIEW_NAME_MAX 64

struct view_metric {
        char name[VIEW_NAME_MAX];
        int64_t value;
};
struct view_disk {
        char name[32];
        int64_t rbps, ravg, wbps, wavg, util; /* bytes/s, bytes, percent */
};
/* What is asked about one node id (its proxy entry or its target entry). */
struct view_node {
        const struct cluster_node *self;
        const struct snapshot *snap;
        struct view_metric *metrics; /* without zero counters */
        unsigned nmetrics;
        struct mountpath_info *mountpaths; /* target only */
        unsigned nmountpaths;
        struct store_usage usage;              /* target only */
        struct view_disk disks[API_DISKS_MAX]; /* target only */
        unsigned ndisks;
        struct sysinfo_cpu_mem sys;
        uint64_t state_flags;
};
/* Gathers it, in the request's arena. role_target of the request decides which entry it is about. */
MUST_CHECK struct err *api__view_gather(struct api_req *r, struct view_node *ret);
/* State flags of the node (wire: NodeStateInfo.flags): 6 when all is well. */
uint64_t api__view_state_flags(struct api_req *r);

/* A bucket's name: {"name","provider","namespace"}; the empty name is all empty texts. */
void api__view_bck(struct json_w *w, const char *key, const struct bck *b);
/* Snode. */
void api__view_snode(struct json_w *w, const char *key, const struct cluster_node *n);
/* Smap. */
void api__view_smap(struct json_w *w, const char *key, const struct snapshot *s);
/* BMD. */
void api__view_bmd(struct json_w *w, const char *key, const struct snapshot *s);
/* NodeStateInfo. */
void api__view_state(struct json_w *w, const char *key, const struct snapshot *s, uint64_t flags);
/* MemCPUInfo; with capacity members for a target. */
void api__view_sysinfo(struct json_w *w, const char *key, const struct view_node *v, bool with_fs);
/* node_stats. */
void api__view_node_stats(struct json_w *w, const char *key, const struct view_node *v);
/* node_status. */
void api__view_node_status(struct json_w *w, const struct view_node *v);
/* node_status of a node that is not asked: what the map says of it. */
void api__view_absent_status(struct json_w *w, const struct view_node *v, const char *status);
/* disk: rates and capacity. */
void api__view_disk(struct json_w *w, const struct view_node *v);
/* Mountpath list: {"available","waiting_dd","disabled"}. */
void api__view_mountpaths(struct json_w *w, const char *key, const struct view_node *v);
/* The same three in msgpack. */
void api__pack_node_stats(struct buf *b, const struct view_node *v);
/* See api__pack_node_stats. */
void api__pack_node_status(struct buf *b, const struct view_node *v);
/* See api__pack_node_stats. */
void api__pack_disk(struct buf *b, const struct view_node *v);

/* Every metric name of a role, with its wire kind ("counter", "size", …): fn until all are told. */
void api__metric_names(bool target, void (*fn)(void *arg, const char *name, const char *kind), void *arg);
/* The value of a metric of this node; 0 for those it does not count. */
int64_t api__metric_value(struct api_req *r, bool target, const char *name);
/* Current rates of the disks below the mountpaths; n <= API_DISKS_MAX. */
unsigned api__disks(struct api_req *r, const struct mountpath_info *mps, unsigned nmps,
                    struct view_disk ret[static API_DISKS_MAX]);

#endif
