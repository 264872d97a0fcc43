/* cluster/watch.c: following: GET /cluster/watch?generation&from answers with the documents that changed since the index
 * `from`, or waits until there are some. A watcher that waits holds no thread; it is woken to ask again. Removals are
 * remembered for a while; who asks from before that gets the whole state.
 *
 * The other end is one thread: it follows whoever answers, as long as no engine of this process takes part. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "os/clock.h"

#include <stdio.h>

#define WATCH_WAIT_NS (2 * NS_PER_SEC)
#define WHOLE_MAX ((size_t)256 * 1024 * 1024)

struct watch_waiter {
        struct list link;
        struct rpc_req *rq;
};

/* ---- answering ---- */

void cluster__watch_removed(struct many *m, uint64_t index, struct str key)
{
        LOCK_SCOPE(&m->watch);
        if (m->removed_count == WATCH_REMOVED_MAX) {
                unsigned half = WATCH_REMOVED_MAX / 2;
                m->removed_floor = m->removed[half - 1].index;
                memmove(m->removed, m->removed + half, (WATCH_REMOVED_MAX - half) * sizeof(*m->removed));
                m->removed_count -= half;
        }
        m->removed[m->removed_count].index = index;
        str_copy(m->removed[m->removed_count++].key, DOC_KEY_MAX + 1, key);
}

/* "Ask again": there is something now, or the time is up. */
static void wake(struct watch_waiter *w)
{
        struct err *e = rpc_reply_json(w->rq, json_pack("{s:b}", "again", 1));
        struct rpc_req *rq = w->rq;
        free(w);
        rpc_complete(rq, e);
}

void cluster__watch_wake(struct many *m, const char *peer)
{
        struct list woken;
        list_init(&woken);
        mutex_lock(&m->watch);
        LIST_FOREACH_SAFE(l, next, &m->waiters) {
                if (peer && strcmp(LIST_ENTRY(l, struct watch_waiter, link)->rq->peer_id, peer) != 0)
                        continue;
                list_remove(l);
                list_append(&woken, l);
        }
        mutex_unlock(&m->watch);
        while (!list_empty(&woken)) {
                struct watch_waiter *w = LIST_ENTRY(woken.next, struct watch_waiter, link);
                list_remove(&w->link);
                wake(w);
        }
}

static uint64_t published(struct many *m)
{
        LOCK_SCOPE(&m->c->wait);
        return m->c->published;
}

static enum http_next watch_on_loop(struct rpc_req *rq, struct err **ret_err)
{
        struct many *m = rq->ctx;
        uint64_t from, generation;
        *ret_err = rpc_query_u64(rq, "from", 0, &from);
        if (!*ret_err)
                *ret_err = rpc_query_u64(rq, "generation", 0, &generation);
        if (*ret_err)
                return HTTP_ANSWERED;
        struct watch_waiter *w = calloc(1, sizeof(*w));
        if (!w || atomic_load(&m->stopping)) {
                free(w);
                *ret_err = err_new(ERR_UNAVAILABLE, "this process is stopping");
                return HTTP_ANSWERED;
        }
        w->rq = rq;
        LOCK_SCOPE(&m->watch);
        if (published(m) != from) {
                free(w);
                return HTTP_WORKER;
        }
        rq->user = w;
        rq->http->due_ns = clock_mono_ns() + WATCH_WAIT_NS;
        list_append(&m->waiters, &w->link);
        return HTTP_PENDING;
}

static void watch_on_wake(struct rpc_req *rq, enum http_wake why)
{
        (void)why;
        struct many *m = rq->ctx;
        struct watch_waiter *mine = NULL;
        mutex_lock(&m->watch);
        LIST_FOREACH(l, &m->waiters) {
                struct watch_waiter *w = LIST_ENTRY(l, struct watch_waiter, link);
                if (w->rq == rq) {
                        mine = w;
                        break;
                }
        }
        if (mine)
                list_remove(&mine->link);
        mutex_unlock(&m->watch);
        if (mine)
                wake(mine);
}

static void encode_doc(struct json_w *w, struct str key, uint64_t modified, struct str body)
{
        jw_array(w, NULL);
        jw_str(w, NULL, key);
        jw_u64s(w, NULL, modified);
        if (body.p)
                jw_str(w, NULL, body);
        else
                jw_null(w, NULL);
        jw_array_end(w);
}

static void encode_changes(struct many *m, uint64_t generation, uint64_t from, struct buf *b)
{
        struct cluster *c = m->c;
        struct json_w w;
        LOCK_SCOPE(&c->publish);
        mutex_lock(&m->watch);
        bool whole = from < m->removed_floor || generation != c->state.generation || from > c->index;
        jw_init(&w, b, false);
        jw_object(&w, NULL);
        jw_u64s(&w, "generation", c->state.generation);
        jw_u64s(&w, "index", c->index);
        jw_bool(&w, "whole", whole);
        jw_array(&w, "documents");
        for (unsigned i = 0; !whole && i < m->removed_count; i++)
                if (m->removed[i].index > from)
                        encode_doc(&w, str_of(m->removed[i].key), m->removed[i].index, STR_NONE);
        mutex_unlock(&m->watch);
        /* What was removed and made again comes after its removal. */
        for (size_t i = 0; i < c->table.n; i++)
                if (whole || c->table.list[i]->modified > from)
                        encode_doc(&w, c->table.list[i]->key, c->table.list[i]->modified, c->table.list[i]->body);
        jw_array_end(&w);
        jw_object_end(&w);
}

static struct err *handle_watch(struct rpc_req *rq)
{
        struct many *m = rq->ctx;
        uint64_t from, generation;
        TRY(rpc_query_u64(rq, "from", 0, &from));
        TRY(rpc_query_u64(rq, "generation", 0, &generation));
        AUTO_BUF struct buf b = BUF_INIT;
        encode_changes(m, generation, from, &b);
        TRY(buf_err(&b));
        return rpc_reply_bytes(rq, buf_str(&b));
}

const struct rpc_route cluster__watch_routes[] = {
        { .method = "GET", .path = "/cluster/watch", .cls = POOL_CONTROL, .handle = handle_watch,
          .on_loop = watch_on_loop, .on_wake = watch_on_wake },
        { .method = NULL },
};

/* ---- asking ---- */

struct err *cluster__watch_fetch(struct rpc_client *client, const struct rpc_peer *peer, uint64_t generation,
                                 uint64_t from, json_t **ret)
{
        AUTO_BUF struct buf b = BUF_INIT;
        char target[128];
        snprintf(target, sizeof(target), "/cluster/watch?generation=%llu&from=%llu", (unsigned long long)generation,
                 (unsigned long long)from);
        const struct rpc_request rq = { .method = "GET", .target = str_of(target), .max = WHOLE_MAX,
                                        .deadline_ns = clock_mono_ns() + 5 * WATCH_WAIT_NS };
        TRY(rpc_call_with(client, peer, &rq, &b));
        return json_parse(buf_str(&b), WHOLE_MAX, ret);
}

struct watch_doc {
        uint64_t generation, index;
        bool whole, again;
        const json_t *documents;
};

static struct err *answer_decode(const json_t *j, struct watch_doc *ret, struct doc **ret_docs, size_t *ret_n)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct watch_doc, "generation", JSON_F_U64S, generation),
                JSON_FIELD(struct watch_doc, "index", JSON_F_U64S, index),
                JSON_FIELD(struct watch_doc, "whole", JSON_F_BOOL, whole),
                JSON_FIELD(struct watch_doc, "again", JSON_F_BOOL, again),
                JSON_FIELD(struct watch_doc, "documents", JSON_F_ARRAY, documents),
        };
        struct watch_doc d = { .index = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "watch", &d));
        size_t n = json_array_size(d.documents);
        struct doc *docs = calloc(n + 1, sizeof(*docs));
        if (!docs)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++) {
                const json_t *x = json_array_get(d.documents, i);
                docs[i] = (struct doc){ json_str(json_array_get(x, 0)), json_str(json_array_get(x, 2)), 0 };
                if (!docs[i].key.n || !str_u64(json_str(json_array_get(x, 1)), &docs[i].modified)) {
                        free(docs);
                        return err_new(ERR_MALFORMED, "document %zu of a watch", i);
                }
        }
        *ret = d;
        *ret_docs = docs;
        *ret_n = n;
        return NULL;
}

struct err *cluster__watch_take(const json_t *j, struct docs *table, uint64_t *ret_index)
{
        struct watch_doc d;
        struct doc *docs;
        size_t n;
        TRY(answer_decode(j, &d, &docs, &n));
        struct err *e = d.whole && d.index ? NULL : err_new(ERR_MALFORMED, "not a whole state");
        for (size_t i = 0; !e && i < n; i++)
                e = cluster__docs_put(table, docs[i].key, docs[i].body, docs[i].modified);
        free(docs);
        *ret_index = d.index;
        return e;
}

static struct err *follow_once(struct many *m, const struct rpc_peer *peer)
{
        AUTO_JSON json_t *j = NULL;
        struct watch_doc d;
        struct doc *docs;
        size_t n;
        mutex_lock(&m->feed);
        uint64_t generation = m->fed_generation, from = m->fed_index;
        mutex_unlock(&m->feed);
        TRY(cluster__watch_fetch(m->client, peer, generation, from, &j));
        TRY(answer_decode(j, &d, &docs, &n));
        if (!d.again)
                cluster__feed(m, d.generation, d.index, d.whole, docs, n);
        free(docs);
        /* Behind us: it will catch up, another may be better. */
        return !d.again && d.generation <= generation && d.index < from ?
                       err_new(ERR_UNAVAILABLE, "%s is behind", peer->id) : NULL;
}

/* Whether an engine of this process brings the state. */
static bool takes_part(struct many *m)
{
        struct raft_voter voters[RAFT_VOTERS_MAX];
        unsigned n = m->engine ? engine_voters(m->engine, voters) : 0;
        for (unsigned i = 0; i < n; i++)
                if (voters[i].id == m->c->id.voter_id)
                        return atomic_load(&m->leader_voter) != 0;
        return false;
}

static bool choose(struct many *m, unsigned turn, struct rpc_peer *ret)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(m->c);
        if (turn == 0 && cluster__leader_peer(m->c, ret))
                return true;
        for (unsigned i = 0; i < s->member_count; i++) {
                const struct cluster_member *x = &s->members[(i + turn) % s->member_count];
                if (x->proxy[0] && x->port && strcmp(x->id, s->member_id) != 0) {
                        *ret = cluster__peer_of(x);
                        return true;
                }
        }
        return false;
}

static void follower_main(void *arg)
{
        struct many *m = arg;
        unsigned turn = 0;
        while (!atomic_load(&m->stopping)) {
                struct rpc_peer peer;
                if (takes_part(m) || !choose(m, turn, &peer)) {
                        clock_sleep_ns(NS_PER_SEC / 5);
                        continue;
                }
                struct err *e = follow_once(m, &peer);
                if (!e)
                        continue;
                log_err(LOG_DEBUG, LOG_FOLDER, e, "follow %s", peer.id);
                turn++;
                clock_sleep_ns(NS_PER_SEC / 10);
        }
}

struct err *cluster__watch_start(struct many *m)
{
        return thread_start(&m->follower, "cl-follow", THREAD_WORKER, follower_main, m);
}

void cluster__watch_stop(struct many *m)
{
        cluster__watch_wake(m, NULL);
        thread_join(m->follower);
        m->follower = NULL;
}
