/* api/views.c: the wire's JSON pictures of cluster and node. Gathering reads the store's numbers and /proc; writing is
 * pure. */
#include "api/views.h"

#include <stdio.h>

#define STATE_OK 6u    /* cluster started, node started */
#define STATE_REBALANCING 8u
#define STATE_OOS 256u /* out of space */
#define STATE_MAINTENANCE 1024u
#define STATE_LOW_CAPACITY 2048u

static void add_metric(struct view_node *v, const char *name, int64_t value)
{
        if (v->nmetrics == VIEW_METRICS_MAX)
                return;
        str_copy(v->metrics[v->nmetrics].name, VIEW_NAME_MAX, str_of(name));
        v->metrics[v->nmetrics++].value = value;
}

struct metric_arg {
        struct api_req *r;
        struct view_node *v;
};

static void gather_metric(void *arg, const char *name, const char *kind)
{
        struct metric_arg *a = arg;
        int64_t value = api__metric_value(a->r, a->v->self->target, name);

        if (value != 0 || strcmp(kind, "histogram") == 0) /* wire: zero counters are left out */
                add_metric(a->v, name, value);
}

static void gather_disks(struct api_req *r, struct view_node *v)
{
        v->ndisks = api__disks(r, v->mountpaths, v->nmountpaths, v->disks);
        for (unsigned i = 0; i < v->ndisks; i++) {
                const struct view_disk *d = &v->disks[i];
                const struct {
                        const char *what;
                        int64_t value;
                } rows[] = { { "avg.rsize", d->ravg },
                             { "avg.wsize", d->wavg },
                             { "read.bps", d->rbps },
                             { "util", d->util },
                             { "write.bps", d->wbps } };
                char name[VIEW_NAME_MAX];

                for (size_t k = 0; k < ARRAY_LEN(rows); k++) {
                        snprintf(name, sizeof(name), "disk.%s.%s", d->name, rows[k].what);
                        add_metric(v, name, rows[k].value);
                }
        }
}

/* Whether a target may still hold something of an earlier placement. */
static bool is_pending(const struct snapshot *s, const struct cluster_node *n)
{
        for (unsigned i = 0; i < s->earlier_count; i++)
                for (unsigned k = 0; k < s->earlier[i].n; k++)
                        if (s->earlier[i].pending[k] && strcmp(s->earlier[i].ids[k], n->id) == 0)
                                return true;
        return false;
}

uint64_t api__view_state_flags(struct api_req *r)
{
        const struct cluster_node *self = api_self(r);
        struct store_usage u = { .state = SPACE_OK };
        uint64_t flags = STATE_OK;

        if (r->node->store)
                store_usage(r->node->store, &u);
        if (self->flags & (NODE_MAINTENANCE | NODE_DECOMMISSION))
                flags |= STATE_MAINTENANCE;
        if (self->target && is_pending(r->snap, self))
                flags |= STATE_REBALANCING;
        return flags | (u.state == SPACE_OUT ? STATE_OOS : u.state == SPACE_HIGH ? STATE_LOW_CAPACITY : 0);
}

struct err *api__view_gather(struct api_req *r, struct view_node *ret)
{
        struct view_node v = { .snap = r->snap, .self = api_self(r) };
        struct metric_arg a = { r, &v };

        v.metrics = arena_alloc(r->arena, VIEW_METRICS_MAX * sizeof(*v.metrics));
        if (!v.metrics)
                return err_static(ERR_NO_MEMORY);
        v.state_flags = api__view_state_flags(r);
        TRY(sysinfo_read(&v.sys));
        if (v.self->target) {
                v.mountpaths = arena_alloc(r->arena, CLUSTER_MOUNTPATHS_MAX * sizeof(*v.mountpaths));
                if (!v.mountpaths)
                        return err_static(ERR_NO_MEMORY);
                TRY(store_mountpaths(r->node->store, v.mountpaths, CLUSTER_MOUNTPATHS_MAX, &v.nmountpaths));
                store_usage(r->node->store, &v.usage);
                gather_disks(r, &v);
        }
        api__metric_names(v.self->target, gather_metric, &a);
        *ret = v;
        return NULL;
}

void api__view_bck(struct json_w *w, const char *key, const struct bck *b)
{
        jw_object(w, key);
        jw_cstr(w, "name", b->name);
        jw_cstr(w, "provider", b->name[0] ? provider_name(b->provider) : "");
        jw_object(w, "namespace");
        jw_cstr(w, "uuid", b->ns_uuid);
        jw_cstr(w, "name", b->ns_name);
        jw_object_end(w);
        jw_object_end(w);
}

void api__view_snode(struct json_w *w, const char *key, const struct cluster_node *n)
{
        static const char *const nets[CLUSTER_NETS] = { [CLUSTER_NET_PUBLIC] = "public_net",
                                                        [CLUSTER_NET_DATA] = "intra_data_net",
                                                        [CLUSTER_NET_CONTROL] = "intra_control_net" };

        jw_object(w, key);
        for (unsigned i = 0; i < CLUSTER_NETS; i++) {
                jw_object(w, nets[i]);
                jw_cstr(w, "node_ip_addr", n->addr[i].host);
                jw_cstr(w, "daemon_port", n->addr[i].port);
                jw_cstr(w, "direct_url", n->addr[i].url);
                jw_object_end(w);
        }
        jw_cstr(w, "daemon_type", n->target ? "target" : "proxy");
        jw_cstr(w, "daemon_id", n->id);
        jw_uint(w, "flags", n->flags);
        jw_uint(w, "id_digest", n->digest);
        jw_object_end(w);
}

static void node_map(struct json_w *w, const char *key, const struct snapshot *s, bool targets)
{
        jw_object(w, key);
        for (unsigned i = 0; i < s->node_count; i++)
                if (s->nodes[i].target == targets)
                        api__view_snode(w, s->nodes[i].id, &s->nodes[i]);
        for (unsigned i = 0; i < s->aside_count; i++)
                if (s->aside[i].target == targets)
                        api__view_snode(w, s->aside[i].id, &s->aside[i]);
        jw_object_end(w);
}

void api__view_smap(struct json_w *w, const char *key, const struct snapshot *s)
{
        jw_object(w, key);
        node_map(w, "pmap", s, false);
        api__view_snode(w, "proxy_si", s->primary);
        node_map(w, "tmap", s, true);
        jw_cstr(w, "uuid", s->uuid);
        jw_cstr(w, "creation_time", s->creation_time);
        jw_u64s(w, "version", s->smap_version);
        jw_object_end(w);
}

/* Buckets are sorted by provider, namespace, name: each level of the map opens when its key changes. */
void api__view_bmd(struct json_w *w, const char *key, const struct snapshot *s)
{
        const struct bck *prev = NULL;
        char ns[104], prev_ns[104];

        jw_object(w, key);
        jw_object(w, "providers");
        for (size_t i = 0; i < s->bucket_count; i++) {
                const struct bck *b = &s->buckets[i]->bck;
                bool new_provider = !prev || prev->provider != b->provider;
                bool new_ns = new_provider || strcmp(bck_ns_text(prev, prev_ns), bck_ns_text(b, ns)) != 0;

                if (prev && new_ns)
                        jw_object_end(w);
                if (prev && new_provider)
                        jw_object_end(w);
                if (new_provider)
                        jw_object(w, provider_name(b->provider));
                if (new_ns)
                        jw_object(w, bck_ns_text(b, ns));
                bucket_props_json(w, b->name, s->buckets[i]);
                prev = b;
        }
        if (prev) {
                jw_object_end(w);
                jw_object_end(w);
        }
        jw_object_end(w);
        jw_cstr(w, "uuid", s->uuid);
        jw_u64s(w, "version", s->bmd_version);
        jw_object_end(w);
}

void api__view_state(struct json_w *w, const char *key, const struct snapshot *s, uint64_t flags)
{
        jw_object(w, key);
        jw_object(w, "smap");
        jw_object(w, "Primary");
        jw_cstr(w, "pub_url", s->primary->addr[CLUSTER_NET_PUBLIC].url);
        jw_cstr(w, "control_url", s->primary->addr[CLUSTER_NET_CONTROL].url);
        jw_cstr(w, "id", s->primary->id);
        jw_object_end(w);
        jw_cstr(w, "uuid", s->uuid);
        jw_u64s(w, "version", s->smap_version);
        jw_object_end(w);
        jw_object(w, "bmd");
        jw_cstr(w, "uuid", s->uuid);
        jw_u64s(w, "version", s->bmd_version);
        jw_object_end(w);
        jw_object(w, "rmd");
        jw_cstr(w, "version", "0");
        jw_object_end(w);
        jw_object(w, "config");
        jw_u64s(w, "version", s->config_version);
        jw_object_end(w);
        jw_object(w, "etlmd");
        jw_cstr(w, "version", "0");
        jw_object_end(w);
        jw_uint(w, "flags", flags);
        jw_object_end(w);
}

static double percent(uint64_t part, uint64_t whole)
{
        return whole ? 100.0 * (double)part / (double)whole : 0;
}

void api__view_sysinfo(struct json_w *w, const char *key, const struct view_node *v, bool with_fs)
{
        const struct sysinfo_cpu_mem *s = &v->sys;

        jw_object(w, key);
        jw_uint(w, "mem_used", s->proc_resident);
        jw_uint(w, "mem_avail", s->mem_actual_free);
        jw_double(w, "pct_mem_used", percent(s->proc_resident, s->mem_total));
        jw_double(w, "pct_cpu_used", s->proc_cpu_pct);
        jw_object(w, "load_avg");
        jw_double(w, "One", s->load1);
        jw_double(w, "Five", s->load5);
        jw_double(w, "Fifteen", s->load15);
        jw_object_end(w);
        jw_int(w, "cpu_util", s->cpu_util_pct);
        jw_object(w, "mem");
        jw_uint(w, "Total", s->mem_total);
        jw_uint(w, "Used", s->mem_used);
        jw_uint(w, "Free", s->mem_free);
        jw_uint(w, "BuffCache", s->mem_buff_cache);
        jw_uint(w, "ActualFree", s->mem_actual_free);
        jw_uint(w, "ActualUsed", s->mem_actual_used);
        jw_uint(w, "SwapTotal", s->swap_total);
        jw_uint(w, "SwapFree", s->swap_free);
        jw_uint(w, "SwapUsed", s->swap_used);
        jw_object_end(w);
        jw_object(w, "proc");
        jw_object(w, "CPU");
        jw_uint(w, "User", s->cpu_user_ms);
        jw_uint(w, "System", s->cpu_system_ms);
        jw_uint(w, "Total", s->cpu_user_ms + s->cpu_system_ms);
        jw_int(w, "LastTime", 0);
        jw_double(w, "Percent", s->proc_cpu_pct);
        jw_object_end(w);
        jw_object(w, "Mem");
        jw_uint(w, "Size", s->proc_size);
        jw_uint(w, "Resident", s->proc_resident);
        jw_uint(w, "Share", s->proc_share);
        jw_object_end(w);
        jw_object_end(w);
        if (with_fs) {
                jw_u64s(w, "fs_used", v->usage.used);
                jw_u64s(w, "fs_capacity", v->usage.used + v->usage.avail);
                jw_int(w, "pct_fs_used", v->usage.pct_avg);
        }
        jw_object_end(w);
}

static int used_pct(const struct fs_usage *fs)
{
        return (int)percent(fs->used, fs->used + fs->avail);
}

/* Members of a capacity object that the caller opened. */
static void capacity_members(struct json_w *w, const struct view_node *v)
{
        if (!v->self->target) {
                jw_null(w, "mountpaths");
        } else {
                jw_object(w, "mountpaths");
                for (unsigned i = 0; i < v->nmountpaths; i++) {
                        const struct mountpath_info *m = &v->mountpaths[i];

                        if (m->state == MOUNTPATH_DISABLED)
                                continue;
                        jw_object(w, m->path);
                        jw_cstr(w, "mountpath_label", m->label);
                        jw_object(w, "fs");
                        jw_cstr(w, "Fs", m->fs.source);
                        jw_cstr(w, "FsType", m->fs.type);
                        jw_strf(w, "FsID", "%d,%d", (int)m->fs.fsid[0], (int)m->fs.fsid[1]);
                        jw_object_end(w);
                        jw_array(w, "disks");
                        if (m->fs.disk[0])
                                jw_strf(w, NULL, "%s%s", m->fs.disk, m->state == MOUNTPATH_FAILED ? "(faulted)" : "");
                        jw_array_end(w);
                        jw_u64s(w, "used", m->fs.used);
                        jw_u64s(w, "avail", m->fs.avail);
                        jw_int(w, "pct_used", used_pct(&m->fs));
                        jw_object_end(w);
                }
                jw_object_end(w);
        }
        jw_cstr(w, "cs_err", "");
        jw_u64s(w, "total_used", v->usage.used);
        jw_u64s(w, "total_avail", v->usage.avail);
        jw_int(w, "pct_max", v->usage.pct_max);
        jw_int(w, "pct_avg", v->usage.pct_avg);
        jw_int(w, "pct_min", v->usage.pct_min);
}

static void tracker(struct json_w *w, const struct view_node *v)
{
        jw_object(w, "tracker");
        for (unsigned i = 0; i < v->nmetrics; i++)
                jw_int(w, v->metrics[i].name, v->metrics[i].value);
        jw_object_end(w);
}

static void stats_members(struct json_w *w, const struct view_node *v)
{
        api__view_snode(w, "snode", v->self);
        tracker(w, v);
        jw_object(w, "capacity");
        capacity_members(w, v);
        jw_object_end(w);
}

void api__view_node_stats(struct json_w *w, const char *key, const struct view_node *v)
{
        jw_object(w, key);
        stats_members(w, v);
        jw_object_end(w);
}

void api__view_node_status(struct json_w *w, const struct view_node *v)
{
        jw_object(w, NULL);
        jw_cstr(w, "status", "");
        jw_cstr(w, "deployment", API_DEPLOYMENT);
        jw_cstr(w, "ais_version", API_VERSION);
        jw_cstr(w, "build_time", API_BUILD_TIME);
        jw_cstr(w, "k8s_pod_name", "");
        stats_members(w, v);
        api__view_state(w, "cluster", v->snap, v->state_flags);
        api__view_sysinfo(w, "sys_info", v, false);
        jw_u64s(w, "smap_version", v->snap->smap_version);
        jw_object_end(w);
}

void api__view_absent_status(struct json_w *w, const struct view_node *v, const char *status)
{
        static const char *const texts[] = { "deployment", "ais_version", "build_time", "k8s_pod_name" };
        static const char *const nothing[] = { "smap", "bmd", "rmd", "config", "etlmd" };

        jw_object(w, NULL);
        jw_cstr(w, "status", status);
        for (size_t i = 0; i < ARRAY_LEN(texts); i++)
                jw_cstr(w, texts[i], "");
        api__view_snode(w, "snode", v->self);
        jw_null(w, "tracker");
        jw_object(w, "capacity");
        capacity_members(w, v);
        jw_object_end(w);
        jw_object(w, "cluster");
        for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
                jw_object(w, nothing[i]);
                jw_cstr(w, "version", "0");
                jw_object_end(w);
        }
        jw_uint(w, "flags", 0);
        jw_object_end(w);
        api__view_sysinfo(w, "sys_info", v, false);
        jw_cstr(w, "smap_version", "0");
        jw_object_end(w);
}

void api__view_disk(struct json_w *w, const struct view_node *v)
{
        jw_object(w, NULL);
        jw_object(w, "AllDiskStats");
        for (unsigned i = 0; i < v->ndisks; i++) {
                const struct view_disk *d = &v->disks[i];

                jw_object(w, d->name);
                jw_int(w, "RBps", d->rbps);
                jw_int(w, "Ravg", d->ravg);
                jw_int(w, "WBps", d->wbps);
                jw_int(w, "Wavg", d->wavg);
                jw_int(w, "Util", d->util);
                jw_object_end(w);
        }
        jw_object_end(w);
        capacity_members(w, v);
        jw_object_end(w);
}

static void mountpath_list(struct json_w *w, const char *key, const struct view_node *v, bool disabled)
{
        jw_array(w, key);
        for (unsigned i = 0; i < v->nmountpaths; i++)
                if ((v->mountpaths[i].state != MOUNTPATH_ACTIVE) == disabled)
                        jw_cstr(w, NULL, v->mountpaths[i].path);
        jw_array_end(w);
}

void api__view_mountpaths(struct json_w *w, const char *key, const struct view_node *v)
{
        jw_object(w, key);
        mountpath_list(w, "available", v, false);
        jw_array(w, "waiting_dd");
        jw_array_end(w);
        mountpath_list(w, "disabled", v, true);
        jw_object_end(w);
}
