/* jobs/peer_cli.c: asking other nodes about jobs. A node asks itself by a call instead of the network.
 * Fails as each answer says; a target that did not answer may, or may not, have done what was asked. */
#include "jobs/peers.h"

#include "os/clock.h"

#define ANSWER_MAX ((size_t)64 << 20)
#define TELL_TIMEOUT_NS (3 * NS_PER_SEC)

static const struct {
        const char *path;
        jobs_peer_fn *fn;
} here[] = {
        { "/jobs/start", jobs__peer_start },
        { "/jobs/abort", jobs__peer_abort },
        { "/jobs/query", jobs__peer_query },
        { "/jobs/summary", jobs__peer_summary },
};

static struct err *ask_self(struct jobs *js, const char *path, struct str message, struct buf *out)
{
        if (!atomic_load(&js->peers->ready))
                return err_static(ERR_STARTING);
        for (size_t i = 0; i < ARRAY_LEN(here); i++)
                if (strcmp(here[i].path, path) == 0)
                        return here[i].fn(js, message, out);
        return err_static(ERR_INTERNAL);
}

static struct err *peer_of(const struct snapshot *snap, const struct cluster_node *node, struct rpc_peer *ret)
{
        const struct cluster_member *m = snapshot_member(snap, str_of(node->member));

        if (!m || m->host[0] == '\0')
                return err_new(ERR_UNAVAILABLE, "node %s has no cluster port", node->id);
        str_copy(ret->id, sizeof(ret->id), str_of(m->id));
        str_copy(ret->host, sizeof(ret->host), str_of(m->host));
        ret->port = m->port;
        return NULL;
}

void jobs__answers_free(struct job_answer *a, unsigned n)
{
        for (unsigned i = 0; a && i < n; i++) {
                buf_fini(&a[i].body);
                err_free(a[i].err);
        }
        free(a);
}

/* One question under way. */
struct call {
        struct job_answer *answer;
        struct buf message;
};

static struct err *ask_some(struct jobs *js, const struct snapshot *snap, const struct job_ask *ask,
                            struct job_answer *answers,
                            unsigned n)
{
        AUTO_FREE struct rpc_fan *fans = calloc(n, sizeof(*fans));
        AUTO_FREE struct call *calls = calloc(n, sizeof(*calls));
        unsigned nfans = 0;
        struct err *e = NULL;

        if (!fans || !calls)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n && !e; i++) {
                struct job_answer *a = &answers[i];
                struct call *c = &calls[nfans];

                buf_clear(&c->message);
                ask->write(ask->arg, a->target, &c->message);
                e = buf_err(&c->message);
                if (e)
                        break;
                if (snap->target && strcmp(a->target->id, snap->target->id) == 0) {
                        a->err = ask_self(js, ask->path, buf_str(&c->message), &a->body);
                        a->answered = true;
                        continue;
                }
                a->err = peer_of(snap, a->target, &fans[nfans].peer);
                if (a->err)
                        continue;
                c->answer = a;
                fans[nfans].rq = (struct rpc_request){ .method = "POST", .target = str_of(ask->path),
                                                       .body = buf_str(&c->message),
                                                       .replay_any = true, .max = ANSWER_MAX,
                                                               .ret_answered = &a->answered };
                nfans++;
        }
        if (!e && nfans > 0)
                rpc_fanout(js->peers->rpc, fans, nfans, clock_mono_ns() + ask->timeout_ns);
        for (unsigned i = 0; i < n; i++)
                buf_fini(&calls[i].message);
        for (unsigned i = 0; i < nfans && !e; i++) {
                calls[i].answer->body = fans[i].body;
                calls[i].answer->err = fans[i].err;
                calls[i].answer->answered = calls[i].answer->answered || !fans[i].err;
        }
        return e;
}

struct err *jobs__ask(struct jobs *js, const struct snapshot *snap, const struct job_ask *ask, struct job_answer **ret,
                      unsigned *ret_n)
{
        struct job_answer *answers = calloc(snap->target_count + 1, sizeof(*answers));
        unsigned n = 0;
        struct err *e = NULL;

        if (!answers)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < snap->node_count && n < snap->target_count; i++)
                if (snap->nodes[i].target && (!ask->wanted || ask->wanted(ask->arg, &snap->nodes[i])))
                        answers[n++].target = &snap->nodes[i];
        if (n > 0)
                e = ask_some(js, snap, ask, answers, n);
        if (e) {
                jobs__answers_free(answers, n);
                return e;
        }
        *ret = answers;
        *ret_n = n;
        return NULL;
}

struct err *jobs__tell_done(struct jobs *js, const struct snapshot *snap, const char *id,
                            const struct job_part_end *end)
{
        const struct cluster_member *leader = cluster_leader(snap);
        AUTO_BUF struct buf b = BUF_INIT;
        struct rpc_peer peer = { .port = 0 };
        struct json_w w;

        jw_init(&w, &b, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "id", id);
        jw_cstr(&w, "target", end->target);
        jw_u64s(&w, "epoch", end->epoch);
        jw_bool(&w, "failed", end->failed);
        jw_cstr(&w, "err", end->err);
        jw_object_end(&w);
        TRY(buf_err(&b));
        if (cluster_is_leader(js->node->cluster))
                return jobs__peer_done(js, buf_str(&b), NULL);
        if (!leader || leader->host[0] == '\0')
                return err_new(ERR_UNAVAILABLE, "no leader is known");
        str_copy(peer.id, sizeof(peer.id), str_of(leader->id));
        str_copy(peer.host, sizeof(peer.host), str_of(leader->host));
        peer.port = leader->port;
        return rpc_call(js->peers->rpc, &peer, "POST", "/jobs/done", buf_str(&b), clock_mono_ns() + TELL_TIMEOUT_NS,
                        4096, NULL);
}
