/* api/views_pack.c: node_status, node_stats and disk in msgpack with the wire's short keys (the wire's appendix on
 * msgpack layouts). Pure. */
#include "api/views.h"

#include <stdio.h>

#include "base/msgpack.h"

static void key(struct buf *b, const char *k)
{
        mp_str(b, str_of(k));
}

static void key_str(struct buf *b, const char *k, const char *v)
{
        key(b, k);
        mp_str(b, str_of(v));
}

static void key_int(struct buf *b, const char *k, int64_t v)
{
        key(b, k);
        mp_int(b, v);
}

static void key_uint(struct buf *b, const char *k, uint64_t v)
{
        key(b, k);
        mp_uint(b, v);
}

/* msgpack's 64-bit float: the front has no other use for it. */
static void key_double(struct buf *b, const char *k, double v)
{
        union {
                double d;
                uint64_t u;
        } bits = { .d = v };

        key(b, k);
        buf_addc(b, (char)0xcb);
        for (int shift = 56; shift >= 0; shift -= 8)
                buf_addc(b, (char)(bits.u >> shift));
}

static void pack_snode(struct buf *b, const struct cluster_node *n)
{
        static const char *const nets[CLUSTER_NETS] = {
                [CLUSTER_NET_PUBLIC] = "p", [CLUSTER_NET_DATA] = "d", [CLUSTER_NET_CONTROL] = "c"
        };
        char text[300];

        mp_map(b, 8);
        for (unsigned i = 0; i < CLUSTER_NETS; i++) {
                key(b, nets[i]);
                mp_map(b, 4);
                key_str(b, "h", n->addr[i].host);
                key_str(b, "p", n->addr[i].port);
                key_str(b, "u", n->addr[i].url);
                snprintf(text, sizeof(text), "%s:%s", n->addr[i].host, n->addr[i].port);
                key_str(b, "tcpEndpoint", text);
        }
        key_str(b, "t", n->target ? "target" : "proxy");
        key_str(b, "i", n->id);
        snprintf(text, sizeof(text), "%c[%s]", n->target ? 't' : 'p', n->id);
        key_str(b, "name", text);
        key_uint(b, "f", n->flags);
        key_uint(b, "g", n->digest);
}

static void pack_tracker(struct buf *b, const struct view_node *v)
{
        mp_map(b, v->nmetrics);
        for (unsigned i = 0; i < v->nmetrics; i++)
                key_int(b, v->metrics[i].name, v->metrics[i].value);
}

/* The seven members of a capacity map; the caller wrote the map's head. */
#define CAPACITY_MEMBERS 7
static void capacity_members(struct buf *b, const struct view_node *v)
{
        unsigned shown = 0;

        for (unsigned i = 0; i < v->nmountpaths; i++)
                shown += v->mountpaths[i].state != MOUNTPATH_DISABLED;
        key(b, "m");
        mp_map(b, shown);
        for (unsigned i = 0; i < v->nmountpaths; i++) {
                const struct mountpath_info *m = &v->mountpaths[i];
                uint64_t all = m->fs.used + m->fs.avail;

                if (m->state == MOUNTPATH_DISABLED)
                        continue;
                mp_str(b, str_of(m->path));
                mp_map(b, 4);
                key_str(b, "l", m->label);
                key(b, "f");
                mp_map(b, 3);
                key_str(b, "f", m->fs.source);
                key_str(b, "t", m->fs.type);
                key(b, "i");
                mp_array(b, 2);
                mp_int(b, (int)m->fs.fsid[0]);
                mp_int(b, (int)m->fs.fsid[1]);
                key(b, "d");
                mp_array(b, m->fs.disk[0] ? 1 : 0);
                if (m->fs.disk[0])
                        mp_str(b, str_of(m->fs.disk));
                key(b, "Capacity");
                mp_map(b, 3);
                key_uint(b, "u", m->fs.used);
                key_uint(b, "a", m->fs.avail);
                key_int(b, "p", all ? (int64_t)(m->fs.used * 100 / all) : 0);
        }
        key_str(b, "e", "");
        key_uint(b, "u", v->usage.used);
        key_uint(b, "a", v->usage.avail);
        key_int(b, "x", v->usage.pct_max);
        key_int(b, "v", v->usage.pct_avg);
        key_int(b, "n", v->usage.pct_min);
}

static void pack_capacity(struct buf *b, const struct view_node *v)
{
        mp_map(b, CAPACITY_MEMBERS);
        capacity_members(b, v);
}

static void pack_version(struct buf *b, const char *k, uint64_t version)
{
        key(b, k);
        mp_map(b, 1);
        key_uint(b, "Version", version);
}

static void pack_state(struct buf *b, const struct view_node *v)
{
        const struct snapshot *s = v->snap;

        mp_map(b, 6);
        key(b, "s");
        mp_map(b, 3);
        key(b, "Primary");
        mp_map(b, 3);
        key_str(b, "PubURL", s->primary->addr[CLUSTER_NET_PUBLIC].url);
        key_str(b, "CtrlURL", s->primary->addr[CLUSTER_NET_CONTROL].url);
        key_str(b, "ID", s->primary->id);
        key_str(b, "UUID", s->uuid);
        key_uint(b, "Version", s->smap_version);
        key(b, "b");
        mp_map(b, 2);
        key_str(b, "UUID", s->uuid);
        key_uint(b, "Version", s->bmd_version);
        pack_version(b, "r", 0);
        pack_version(b, "c", s->config_version);
        pack_version(b, "e", 0);
        key_uint(b, "f", v->state_flags);
}

static void pack_sysinfo(struct buf *b, const struct sysinfo_cpu_mem *s)
{
        mp_map(b, 8);
        key_uint(b, "u", s->proc_resident);
        key_uint(b, "a", s->mem_actual_free);
        key_double(b, "p", s->mem_total ? 100.0 * (double)s->proc_resident / (double)s->mem_total : 0);
        key_double(b, "c", s->proc_cpu_pct);
        key(b, "l");
        mp_map(b, 3);
        key_double(b, "o", s->load1);
        key_double(b, "f", s->load5);
        key_double(b, "t", s->load15);
        key_int(b, "t", s->cpu_util_pct);
        key(b, "m");
        mp_map(b, 9);
        key_uint(b, "t", s->mem_total);
        key_uint(b, "u", s->mem_used);
        key_uint(b, "f", s->mem_free);
        key_uint(b, "b", s->mem_buff_cache);
        key_uint(b, "af", s->mem_actual_free);
        key_uint(b, "au", s->mem_actual_used);
        key_uint(b, "st", s->swap_total);
        key_uint(b, "sf", s->swap_free);
        key_uint(b, "su", s->swap_used);
        key(b, "r");
        mp_map(b, 2);
        key(b, "c");
        mp_map(b, 5);
        key_uint(b, "u", s->cpu_user_ms);
        key_uint(b, "s", s->cpu_system_ms);
        key_uint(b, "t", s->cpu_user_ms + s->cpu_system_ms);
        key_int(b, "l", 0);
        key_double(b, "p", s->proc_cpu_pct);
        key(b, "m");
        mp_map(b, 3);
        key_uint(b, "s", s->proc_size);
        key_uint(b, "r", s->proc_resident);
        key_uint(b, "h", s->proc_share);
}

static void stats_members(struct buf *b, const struct view_node *v)
{
        key(b, "n");
        pack_snode(b, v->self);
        key(b, "t");
        pack_tracker(b, v);
        key(b, "x");
        pack_capacity(b, v);
}

void api__pack_node_stats(struct buf *b, const struct view_node *v)
{
        mp_map(b, 3);
        stats_members(b, v);
}

void api__pack_node_status(struct buf *b, const struct view_node *v)
{
        mp_map(b, 11);
        key_str(b, "s", "");
        key_str(b, "d", API_DEPLOYMENT);
        key_str(b, "v", API_VERSION);
        key_str(b, "b", API_BUILD_TIME);
        key_str(b, "k", "");
        stats_members(b, v);
        key(b, "c");
        pack_state(b, v);
        key(b, "y");
        pack_sysinfo(b, &v->sys);
        key_uint(b, "w", v->snap->smap_version);
}

void api__pack_disk(struct buf *b, const struct view_node *v)
{
        mp_map(b, 1 + CAPACITY_MEMBERS);
        key(b, "AllDiskStats");
        mp_map(b, v->ndisks);
        for (unsigned i = 0; i < v->ndisks; i++) {
                const struct view_disk *d = &v->disks[i];

                mp_str(b, str_of(d->name));
                mp_map(b, 5);
                key_int(b, "r", d->rbps);
                key_int(b, "s", d->ravg);
                key_int(b, "w", d->wbps);
                key_int(b, "x", d->wavg);
                key_int(b, "u", d->util);
        }
        capacity_members(b, v);
}
