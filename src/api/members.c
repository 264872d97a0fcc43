/* api/members.c: nodes that go into maintenance and come back, that end, or leave for good; and the end of the whole
 * cluster.
 *
 * Flags of a target are a new set of owners; the answer names the rebalance that follows. Ending and leaving concern a
 * process: of one that is proxy and target both go, and it waits until the target is clean (leave.c). A set of owners
 * never becomes empty: the last active target stays. */
#define LOG_FOLDER "api"
#include "api/members.h"

#include "api/leave.h"
#include "base/log.h"

struct remove_args {
        struct str sid;
        json_t *sids;
        bool skip_rebalance, rm_user_data, keep_initial_config, no_shutdown;
};

static struct err *decode(struct api_req *r, struct remove_args *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct remove_args, "sid", JSON_F_STR, sid),
                JSON_FIELD(struct remove_args, "sids", JSON_F_ARRAY, sids),
                JSON_FIELD(struct remove_args, "skip_rebalance", JSON_F_BOOL, skip_rebalance),
                JSON_FIELD(struct remove_args, "rm_user_data", JSON_F_BOOL, rm_user_data),
                JSON_FIELD(struct remove_args, "keep_initial_config", JSON_F_BOOL, keep_initial_config),
                JSON_FIELD(struct remove_args, "no_shutdown", JSON_F_BOOL, no_shutdown),
        };
        return api_value(r, fields, ARRAY_LEN(fields), "membership change", ret);
}

/* ---- one node or several ---- */

enum member_action { START_MAINTENANCE, STOP_MAINTENANCE, SHUTDOWN_NODE, DECOMMISSION_NODE, REMOVE_UNSAFE };
static const char *const action_names[] = {
        [START_MAINTENANCE] = "start-maintenance",
        [STOP_MAINTENANCE] = "stop-maintenance",
        [SHUTDOWN_NODE] = "shutdown-node",
        [DECOMMISSION_NODE] = "decommission-node",
        [REMOVE_UNSAFE] = "rm-unsafe",
};

/* A node that a change is about. */
struct subject {
        const char *id;
        const struct cluster_member *member;
        const struct cluster_node *node; /* null: its member is down */
        bool target;
        unsigned flags;
};
struct change {
        enum member_action action;
        struct remove_args args;
        struct subject *list;
        unsigned n;
};

/* Whether it concerns the process rather than one of its nodes. */
static bool ends_process(enum member_action a)
{
        return a == SHUTDOWN_NODE || a == DECOMMISSION_NODE || a == REMOVE_UNSAFE;
}

static struct err *find_subject(struct api_req *r, struct str id, struct subject *ret)
{
        if (id.n < 8)
                return err_new(ERR_INVALID, "node ID \"" STR_FMT "\" is too short", STR_ARG(id));
        const struct cluster_member *m = snapshot_member(r->snap, id);
        if (m == NULL)
                return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%lu", STR_ARG(id),
                               (unsigned long)r->snap->smap_version);
        bool target = str_eq(id, str_of(m->target)) || m->proxy[0] == '\0';
        *ret = (struct subject){ .member = m, .target = target, .id = target ? m->target : m->proxy };
        ret->flags = target ? m->target_flags : m->proxy_flags;
        ret->node = snapshot_node(r->snap, str_of(ret->id));
        return NULL;
}

static struct err *check_subject(struct api_req *r, const struct change *c, const struct subject *s)
{
        char kind = s->target ? 't' : 'p';
        bool own = strcmp(s->member->id, r->snap->member_id) == 0;
        if (c->action != STOP_MAINTENANCE && own && (!s->target || ends_process(c->action)))
                return err_new(ERR_INVALID, "%c[%s] is the current primary, cannot perform action \"%s\" on itself",
                               kind, s->id, action_names[c->action]);
        if (c->action == REMOVE_UNSAFE && s->target && s->member->up && r->snap->earlier_count > 0)
                return err_new(ERR_CONFLICT, "t[%s] can not be removed while objects are on their way between targets "
                                             "(it is alive: decommission it, or wait)", s->id);
        if (c->action == START_MAINTENANCE && (s->flags & NODE_DECOMMISSION))
                return err_new(ERR_INVALID, "%c[%s] is currently being decommissioned", kind, s->id);
        return NULL;
}

static bool takes_target(const struct change *c, const char *id)
{
        for (unsigned i = 0; i < c->n; i++) {
                const struct subject *s = &c->list[i];
                const char *lost = s->target || ends_process(c->action) ? s->member->target : "";
                if (strcmp(lost, id) == 0)
                        return true;
        }
        return false;
}

/* Somebody must own the keys. */
static struct err *check_last(struct api_req *r, const struct change *c)
{
        const struct placement *p = &r->snap->placement;
        unsigned left = 0, taken = 0;
        const char *last = "";
        for (unsigned i = 0; i < p->n; i++) {
                bool takes = takes_target(c, p->ids[i]);
                left += !takes;
                taken += takes;
                last = takes ? p->ids[i] : last;
        }
        if (c->action == STOP_MAINTENANCE || taken == 0 || left > 0)
                return NULL;
        return err_new(ERR_INVALID, "t[%s] is the last active target, cannot perform action \"%s\" on it", last,
                       action_names[c->action]);
}

static struct err *decode_change(struct api_req *r, struct change *ret)
{
        struct change c = { .action = START_MAINTENANCE };
        for (size_t i = 0; i < ARRAY_LEN(action_names); i++)
                if (str_eq(r->env.action, str_of(action_names[i])))
                        c.action = (enum member_action)i;
        TRY(decode(r, &c.args));
        size_t n = json_array_size(c.args.sids);
        if (c.args.sid.n == 0 && n == 0)
                return err_new(ERR_INVALID, "invalid membership-change operation: missing node IDs");
        if (c.args.sid.n > 0 && n > 0)
                return err_new(ERR_INVALID, "invalid membership-change operation: 'sid' and 'sids' exclude each other");
        c.list = arena_alloc(r->arena, (n + 1) * sizeof(*c.list));
        if (c.list == NULL)
                return err_static(ERR_NO_MEMORY);
        c.n = (unsigned)(n > 0 ? n : 1);
        for (unsigned i = 0; i < c.n; i++) {
                TRY(find_subject(r, n > 0 ? json_str(json_array_get(c.args.sids, i)) : c.args.sid, &c.list[i]));
                TRY(check_subject(r, &c, &c.list[i]));
        }
        TRY(check_last(r, &c));
        *ret = c;
        return NULL;
}

/* The document first: if this primary dies in between, nothing is flagged for ever without one who looks after it. A
 * node without content is done at once, so its flags come first. */
static struct err *leave(struct api_req *r, const char *id, bool has_target, struct str flagged, unsigned flags,
                         const struct leave_wish *w)
{
        struct cluster *c = r->node->cluster;
        if (!has_target) {
                TRY(cluster_node_set_flags(c, flagged, flags, 0));
                return api__leave_put(r->api, id, w);
        }
        TRY(api__leave_put(r->api, id, w));
        struct err *e = cluster_node_set_flags(c, flagged, flags, 0);
        if (e != NULL)
                log_err(LOG_WARN, LOG_FOLDER, api__leave_drop(r->api, id), "a change that failed");
        return e;
}

static struct err *maintain(struct api_req *r, const struct subject *s)
{
        static const struct leave_wish wish = { .kind = LEAVE_MAINTENANCE };
        if ((s->flags & NODE_MAINTENANCE) != 0)
                return NULL; /* wire: skipped */
        if (!s->target)
                return cluster_node_set_flags(r->node->cluster, str_of(s->id), NODE_MAINTENANCE, 0);
        return leave(r, s->id, true, str_of(s->id), NODE_MAINTENANCE, &wish);
}

static struct err *end_process(struct api_req *r, const struct change *c, const struct subject *s)
{
        const struct cluster_member *m = s->member;
        bool decommission = c->action == DECOMMISSION_NODE;
        struct leave_wish w = { .kind = decommission ? LEAVE_DECOMMISSION : LEAVE_SHUTDOWN,
                                .rm_user_data = decommission && c->args.rm_user_data,
                                .keep_initial_config = c->args.keep_initial_config,
                                .no_shutdown = decommission && c->args.no_shutdown,
                                .at_once = c->args.skip_rebalance };
        bool has_target = m->target[0] != '\0';
        return leave(r, has_target ? m->target : m->proxy, has_target, str_of(m->id),
                     decommission ? NODE_DECOMMISSION : NODE_MAINTENANCE, &w);
}

static struct err *apply(struct api_req *r, const struct change *c, const struct subject *s)
{
        switch (c->action) {
        case START_MAINTENANCE:
                return maintain(r, s);
        case STOP_MAINTENANCE:
                if (!(s->flags & NODE_MAINTENANCE))
                        return NULL; /* wire: fine as well */
                TRY(api__leave_drop(r->api, s->id));
                /* Of both nodes of the process: it may have been shut down as a whole. */
                return cluster_node_set_flags(r->node->cluster, str_of(s->member->id), 0,
                                              NODE_MAINTENANCE | NODE_POST_REBALANCE);
        case REMOVE_UNSAFE:
                return cluster_member_remove(r->node->cluster, str_of(s->member->id), true);
        case SHUTDOWN_NODE:
        case DECOMMISSION_NODE:
                break;
        }
        return end_process(r, c, s);
}

/* One node's; without a rebalance if so wished: whatever epoch the change makes, nothing begins by itself. */
static struct err *change_one(struct api_req *r, const struct change *c, const struct subject *s)
{
        AUTO_SNAPSHOT const struct snapshot *before = cluster_pin(r->node->cluster);
        uint64_t next = before->placement.epoch + 1;
        if (!c->args.skip_rebalance)
                return apply(r, c, s);
        TRY(jobs_rebalance_skip(r->api->jobs, next, false));
        struct err *e = apply(r, c, s);
        AUTO_SNAPSHOT const struct snapshot *after = cluster_pin(r->node->cluster);
        if (after->placement.epoch < next)
                e = err_first(e, jobs_rebalance_skip(r->api->jobs, next, true));
        return e;
}

struct err *api__member_change(struct api_req *r)
{
        uint64_t before = r->snap->placement.epoch;
        struct change c = { .n = 0 };
        char id[40] = "";
        TRY(decode_change(r, &c));
        for (unsigned i = 0; i < c.n; i++) {
                TRY(change_one(r, &c, &c.list[i]));
                log_info("%s of node %s%s", action_names[c.action], c.list[i].id,
                         c.args.skip_rebalance ? ", without a rebalance" : "");
        }
        AUTO_SNAPSHOT const struct snapshot *after = cluster_pin(r->node->cluster);
        if (after->placement.epoch == before || c.args.skip_rebalance) {
                api_reply_empty(r, 200);
                return NULL;
        }
        /* The change is made, whatever becomes of the question. */
        log_err(LOG_WARN, LOG_FOLDER, jobs_rebalance_of_change(r->api->jobs, id), "rebalance after a change of members");
        if (id[0] != '\0')
                api_reply_text(r, 200, str_of(id));
        else
                api_reply_empty(r, 200);
        return NULL;
}

/* ---- all of them ---- */

/* Others first; the answer leaves before this process ends. */
static struct err *end_all(struct api_req *r, const struct leave_wish *w)
{
        for (unsigned i = 0; i < r->snap->member_count; i++) {
                const struct cluster_member *m = &r->snap->members[i];
                if (m->up && strcmp(m->id, r->snap->member_id) != 0)
                        log_err(LOG_WARN, LOG_FOLDER, api__leave_tell(r->api, m, w), "end of member %s", m->id);
        }
        http_resp_header(r->rs, "Connection", STR("close"));
        r->rs->close = true;
        api_reply_empty(r, 200);
        return api__leave_here(r->api, w);
}

struct err *api__cluster_shutdown(struct api_req *r)
{
        struct leave_wish w = { .kind = LEAVE_SHUTDOWN };
        log_info("shutdown is requested by %s", r->rq->peer);
        return end_all(r, &w);
}

/* With rm_user_data every bucket goes first. */
struct err *api__cluster_decommission(struct api_req *r)
{
        struct remove_args a = { .sid = STR_NONE };
        TRY(decode(r, &a));
        for (size_t i = 0; a.rm_user_data && i < r->snap->bucket_count; i++) {
                struct err *e = cluster_bucket_destroy(r->node->cluster, &r->snap->buckets[i]->bck, NULL);
                if (err_code(e) == ERR_BUCKET_NOT_FOUND) { /* destroyed by somebody else meanwhile */
                        err_free(e);
                        continue;
                }
                TRY(e);
        }
        struct leave_wish w = { .kind = LEAVE_DECOMMISSION,
                                .rm_user_data = a.rm_user_data,
                                .keep_initial_config = a.keep_initial_config,
                                .no_shutdown = a.no_shutdown };
        log_info("decommission of the cluster is requested by %s", r->rq->peer);
        return end_all(r, &w);
}

struct err *api__primary_set(struct api_req *r)
{
        if (r->nitems != 3)
                return err_new(ERR_INVALID, "URL '" STR_FMT "' is too short: expected 4 items, got %u",
                               STR_ARG(str_skip(r->rq->path, 1)), r->nitems + 1);
        const struct cluster_node *n = snapshot_node(r->snap, r->items[2]);
        if (n == NULL)
                return err_new(ERR_NODE_NOT_FOUND, "set-primary failure: node " STR_FMT " not present in Smap v%lu",
                               STR_ARG(r->items[2]), (unsigned long)r->snap->smap_version);
        if (n->target)
                return err_new(ERR_INVALID, "t[%s] is a target, cannot become the primary proxy", n->id);
        TRY(cluster_set_primary(r->node->cluster, r->items[2]));
        api_reply_empty(r, 200);
        return NULL;
}
