/* cluster/relay.c: what a member that does not lead asks of the leader: that it is clean, how far the state has come, and
 * documents of other folders. */
#include "cluster/many.h"
#include "os/clock.h"

#include <stdio.h>

#define RELAY_WAIT_NS (10 * NS_PER_SEC)

static struct err *clean(struct cluster *c, const char *target, uint64_t epoch)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        bool changed;
        TRY(cluster__change_begin(c, &ch));
        TRY(cluster__epochs_clean(&ch.next.epochs, target, epoch, &changed));
        return changed ? cluster__change_commit(&ch) : NULL;
}

struct err *cluster_report_clean(struct cluster *c, uint64_t epoch)
{
        struct rpc_peer p;
        if (!c->many || cluster__many_leads(c->many))
                return clean(c, c->id.target, epoch);
        if (!cluster__leader_peer(c, &p))
                return err_new(ERR_UNAVAILABLE, "no leader is known");
        AUTO_JSON json_t *in = json_pack("{s:I}", "epoch", (json_int_t)epoch);
        return rpc_call_json(c->many->client, &p, "POST", "/cluster/clean", in, clock_mono_ns() + RELAY_WAIT_NS, NULL);
}

static struct err *handle_clean(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        AUTO_JSON json_t *j = NULL;
        if (!cluster__many_leads(m))
                return cluster__not_leader(m, rq);
        TRY(rpc_read_json(rq, &j));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(m->c);
        const struct cluster_member *x = snapshot_member(s, str_of(rq->peer_id));
        if (!x || !x->target[0])
                return err_new(ERR_INVALID, "%s is no target", rq->peer_id);
        TRY(clean(m->c, x->target, (uint64_t)json_integer_value(json_object_get(j, "epoch"))));
        return rpc_reply_json(rq, json_object());
}

static struct err *fenced_index(struct many *m, int64_t deadline, uint64_t *ret)
{
        TRY(engine_fence(m->engine, deadline));
        *ret = cluster__fed_index(m);
        return NULL;
}

struct err *cluster_sync(struct cluster *c, int64_t deadline_mono_ns)
{
        struct rpc_peer p;
        uint64_t index;
        if (!c->many)
                return NULL;
        if (cluster__many_leads(c->many)) {
                TRY(fenced_index(c->many, deadline_mono_ns, &index));
        } else {
                AUTO_JSON json_t *out = NULL;
                if (!cluster__leader_peer(c, &p))
                        return err_new(ERR_UNAVAILABLE, "no leader is known");
                struct err *e = rpc_call_json(c->many->client, &p, "GET", "/cluster/index", NULL, deadline_mono_ns, &out);
                if (e)
                        return err_recode(e, ERR_UNAVAILABLE, "ask the leader");
                index = (uint64_t)json_integer_value(json_object_get(out, "index"));
        }
        return cluster__wait_index(c, index, deadline_mono_ns);
}

static struct err *handle_index(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        uint64_t index;
        if (!cluster__many_leads(m))
                return cluster__not_leader(m, rq);
        TRY(fenced_index(m, clock_mono_ns() + RELAY_WAIT_NS, &index));
        return rpc_reply_json(rq, json_pack("{s:I}", "index", (json_int_t)index));
}

const struct rpc_route cluster__relay_routes[] = {
        { .method = "POST", .path = "/cluster/clean", .cls = POOL_CONTROL, .handle = handle_clean },
        { .method = "GET", .path = "/cluster/index", .cls = POOL_CONTROL, .handle = handle_index },
        { .method = NULL },
};
