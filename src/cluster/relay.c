/* cluster/relay.c: what a member that does not lead asks of the leader: that it is clean, how far the state has come, and
 * documents of other folders; and what the leader asks of the others: that they have seen what it decided. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "os/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define RELAY_WAIT_NS (10 * NS_PER_SEC)
#define SEEN_WAIT_NS (3 * NS_PER_SEC)

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

/* ---- documents ---- */

struct err *cluster_doc_put(struct cluster *c, struct str key, struct str body)
{
        struct rpc_peer p;
        int64_t deadline = clock_mono_ns() + RELAY_WAIT_NS;
        if (!c->many || cluster__many_leads(c->many) || !cluster__leader_peer(c, &p))
                return cluster__doc_put(c, key, body);
        AUTO_JSON json_t *in = json_pack("{s:s%, s:s%}", "key", key.p, key.n, "body", body.p ? body.p : "", body.n);
        AUTO_JSON json_t *out = NULL;
        if (!in)
                return err_new(ERR_INVALID, "document \"" STR_FMT "\" is not text", STR_ARG(key));
        const char *method = body.p ? "PUT" : "DELETE";
        TRY(rpc_call_json(c->many->client, &p, method, "/cluster/doc", in, deadline, &out));
        return cluster__wait_index(c, (uint64_t)json_integer_value(json_object_get(out, "index")), deadline);
}

static struct err *handle_doc(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        AUTO_JSON json_t *j = NULL;
        bool removes = rq->http->method == HTTP_DELETE;
        if (!cluster__many_leads(m))
                return cluster__not_leader(m, rq);
        TRY(rpc_read_json(rq, &j));
        TRY(cluster__doc_put(m->c, json_str(json_object_get(j, "key")),
                             removes ? STR_NONE : json_str(json_object_get(j, "body"))));
        return rpc_reply_json(rq, json_pack("{s:I}", "index", (json_int_t)cluster__fed_index(m)));
}

/* ---- the leader asks ---- */

void cluster_spread(struct cluster *c, int64_t deadline_mono_ns)
{
        struct many *m = c->many;
        if (!m)
                return;
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        AUTO_FREE struct rpc_fan *calls = calloc((size_t)s->member_count + 1, sizeof(*calls));
        char target[64];
        size_t n = 0;
        snprintf(target, sizeof(target), "/cluster/seen?index=%llu", (unsigned long long)s->index);
        for (unsigned i = 0; calls && i < s->member_count; i++)
                if (s->members[i].up && strcmp(s->members[i].id, s->member_id) != 0)
                        calls[n++] = (struct rpc_fan){ .peer = cluster__peer_of(&s->members[i]),
                                                       .rq = { .method = "GET", .target = str_of(target) } };
        if (n > 0)
                rpc_fanout(m->client, calls, n, deadline_mono_ns);
        for (size_t i = 0; i < n; i++) {
                log_err(LOG_DEBUG, LOG_FOLDER, calls[i].err, "member %s may not know the newest state yet",
                        calls[i].peer.id);
                buf_fini(&calls[i].body);
        }
}

static struct err *handle_seen(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        uint64_t index;
        TRY(rpc_query_u64(rq, "index", 0, &index));
        TRY(cluster__wait_index(m->c, index, clock_mono_ns() + SEEN_WAIT_NS));
        return rpc_reply_json(rq, json_object());
}

const struct rpc_route cluster__relay_routes[] = {
        { .method = "POST", .path = "/cluster/clean", .cls = POOL_CONTROL, .handle = handle_clean },
        { .method = "GET", .path = "/cluster/index", .cls = POOL_CONTROL, .handle = handle_index },
        { .method = "PUT", .path = "/cluster/doc", .cls = POOL_CONTROL, .handle = handle_doc },
        { .method = "DELETE", .path = "/cluster/doc", .cls = POOL_CONTROL, .handle = handle_doc },
        { .method = "GET", .path = "/cluster/seen", .cls = POOL_PEER, .handle = handle_seen },
        { .method = NULL },
};
