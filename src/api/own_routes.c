/* api/own_routes.c: /v1/orlop: what the wire has no words for: members and placements as they are, and forgetting a
 * member. */
#include "api/nodes.h"

static void write_member(struct api_req *r, struct json_w *w, const struct cluster_member *m)
{
        const struct snapshot *s = r->snap;
        const struct cluster_member *leader = cluster_leader(s);
        jw_object(w, NULL);
        jw_cstr(w, "id", m->id);
        jw_cstr(w, "proxy", m->proxy);
        jw_cstr(w, "target", m->target);
        jw_cstr(w, "host", m->host);
        jw_uint(w, "port", m->port);
        jw_bool(w, "up", m->up);
        jw_bool(w, "voter", m->voter);
        jw_bool(w, "votes", cluster_member_votes(r->node->cluster, m));
        jw_bool(w, "primary", leader == m);
        jw_uint(w, "proxy_flags", m->proxy_flags);
        jw_uint(w, "target_flags", m->target_flags);
        jw_int(w, "joined", m->joined_ns);
        jw_int(w, "down", m->down_ns);
        jw_object_end(w);
}

/* Members of an object: epoch, targets; of an earlier one also which of them are pending. */
static void write_placement(struct json_w *w, const struct placement *p, bool earlier)
{
        jw_u64s(w, "epoch", p->epoch);
        jw_array(w, "targets");
        for (unsigned i = 0; i < p->n; i++)
                jw_cstr(w, NULL, p->ids[i]);
        jw_array_end(w);
        if (!earlier)
                return;
        jw_array(w, "pending");
        for (unsigned i = 0; i < p->n; i++)
                if (p->pending[i])
                        jw_cstr(w, NULL, p->ids[i]);
        jw_array_end(w);
}

static struct err *get_cluster(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        const struct snapshot *s = r->snap;
        struct json_w w;
        api__json(r, &w, &b);
        jw_object(&w, NULL);
        jw_cstr(&w, "uuid", s->uuid);
        jw_u64s(&w, "index", s->index);
        jw_cstr(&w, "member", s->member_id);
        jw_array(&w, "members");
        for (unsigned i = 0; i < s->member_count; i++)
                write_member(r, &w, &s->members[i]);
        jw_array_end(&w);
        jw_object(&w, "placement");
        write_placement(&w, &s->placement, false);
        jw_object_end(&w);
        jw_u64s(&w, "open_epoch", cluster_open_epoch(r->node->cluster));
        jw_array(&w, "earlier");
        for (unsigned i = 0; i < s->earlier_count; i++) {
                jw_object(&w, NULL);
                write_placement(&w, &s->earlier[i], true);
                jw_object_end(&w);
        }
        jw_array_end(&w);
        jw_bool(&w, "settled", s->earlier_count == 0);
        jw_object_end(&w);
        return api_reply_json(r, &b);
}

static struct err *get(struct api_req *r)
{
        return r->nitems == 2 && str_eq(r->items[1], STR("cluster")) ? get_cluster(r) : api__bad_uri(r);
}

/* With lost=true what only that member holds is given up. */
static struct err *remove_member(struct api_req *r)
{
        bool lost;
        if (r->nitems != 3 || !str_eq(r->items[1], STR("members")))
                return api__bad_uri(r);
        TRY(api_param_bool(r, "lost", &lost));
        TRY(cluster_member_remove(r->node->cluster, r->items[2], lost));
        api_reply_empty(r, 200);
        return NULL;
}

const struct api_route api_routes_own[] = {
        { HTTP_GET, "orlop", NULL, NEED_NONE, 0, get },
        { HTTP_DELETE, "orlop", NULL, NEED_PRIMARY, 0, remove_member },
        { HTTP_GET, NULL, NULL, NEED_NONE, 0, NULL },
};
