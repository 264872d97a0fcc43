/* flow/peer_srv.c: what other members may ask about keys; peer_cli.c asks. Table of routes and values there.
 *
 * Copies are installed under the rules of rebalance: the sender's epoch must be the newest here, and open; this node must
 * own the key; and the sender must still be pending, so that a copy that was delayed on its way can not arrive after
 * everything was settled and its tombstone is gone. Small ones are gathered and committed together: one sync for many.
 *
 * Routes of class PEER never call others; WRITE and HEAD may have to settle first and are BACKEND. */
#include "flow/list_merge.h"
#include "flow/priv.h"

#include "flow/list_merge.h"
#include "os/thread.h"

#define NEWS_WAIT_NS (5 * NS_PER_SEC)
#define GEN_STEP (256u * 1024u)
#define BATCH_ITEMS 256u
#define BATCH_BYTES (1024u * 1024u)

/* ---- what is asked about ---- */

struct question {
        uint64_t bid;
        struct str name;
};

static struct err *read_question(struct rpc_req *rq, struct question *ret)
{
        struct node *n = rq->ctx;
        if (n->store == NULL)
                return err_static(ERR_NOT_OWNER);
        TRY(rpc_query_u64(rq, "bid", 0, &ret->bid));
        ret->name = rpc_query(rq, "name");
        return object_name_check(ret->name);
}

static struct err *reply_parcel(struct rpc_req *rq, const struct parcel *p)
{
        AUTO_BUF struct buf b = BUF_INIT;
        parcel_encode(p, &b);
        TRY(buf_err(&b));
        return rpc_reply_bytes(rq, buf_str(&b));
}

/* ---- records and contents ---- */

static struct err *do_record(struct rpc_req *rq)
{
        struct node *n = rq->ctx;
        struct question q;
        uint64_t epoch;
        TRY(read_question(rq, &q));
        TRY(rpc_query_u64(rq, "epoch", 0, &epoch));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        if (s->placement.epoch < epoch) /* until it is here, an older one might still act */
                return err_new(ERR_UNAVAILABLE, "epoch %lu is not here yet", (unsigned long)epoch);
        struct obj_key key = { q.bid, q.name };
        struct parcel p = { .bid = q.bid, .name = q.name, .no_content = true };
        struct err *e = store_record_head(n->store, &key, rq->http->arena, &p.meta);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                e = NULL;
                p.absent = true;
        }
        TRY(e);
        return reply_parcel(rq, &p);
}

/* A bucket that was made a moment ago may be known to the member that asks, and not here yet. *ret_snapshot is the
 * caller's to unpin, also after an error. */
static struct err *find_bucket(struct node *n, uint64_t bid, const struct snapshot **ret_snapshot,
                               const struct bucket **ret)
{
        *ret_snapshot = cluster_pin(n->cluster);
        *ret = snapshot_bucket_by_id(*ret_snapshot, bid);
        if (*ret != NULL)
                return NULL;
        TRY(cluster_sync(n->cluster, clock_mono_ns() + NEWS_WAIT_NS));
        cluster_unpin(*ret_snapshot);
        *ret_snapshot = cluster_pin(n->cluster);
        *ret = snapshot_bucket_by_id(*ret_snapshot, bid);
        if (*ret == NULL)
                return err_new(ERR_BUCKET_NOT_FOUND, "bucket %lu does not exist", (unsigned long)bid);
        return NULL;
}

static struct err *do_head(struct rpc_req *rq)
{
        struct node *n = rq->ctx;
        struct question q;
        TRY(read_question(rq, &q));
        AUTO_SNAPSHOT const struct snapshot *s = NULL;
        const struct bucket *b;
        TRY(find_bucket(n, q.bid, &s, &b));
        struct parcel p = { .bid = q.bid, .name = q.name, .no_content = true };
        TRY(flow_head(n, b, q.name, rq->http->arena, &p.meta));
        return reply_parcel(rq, &p);
}

struct reading {
        struct content *c;
        uint64_t at, end;
};

static struct err *read_next(void *arg, struct buf *out, bool *ret_end)
{
        struct reading *r = arg;
        size_t n = (size_t)MIN((uint64_t)GEN_STEP, r->end - r->at);
        char *p = buf_reserve(out, n);
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        TRY(content_read(r->c, r->at, p, n));
        out->n += n;
        r->at += n;
        *ret_end = r->at == r->end;
        return NULL;
}

static void read_release(void *arg)
{
        content_unref(((struct reading *)arg)->c);
}

/* Takes over c on success. */
static struct err *send_content(struct rpc_req *rq, struct content *c, uint64_t offset)
{
        uint64_t size = content_meta(c)->size;
        struct str mem = content_mem(c);
        if (offset > size)
                return err_new(ERR_RANGE, "offset %lu of %lu", (unsigned long)offset, (unsigned long)size);
        if (mem.p != NULL || offset == size) {
                struct str rest = mem.p != NULL ? str_skip(mem, offset) : STR_NONE;
                http_resp_mem(rq->resp, rest, content_release, c);
                return NULL;
        }
        if (content_range_ready(c, offset, size - offset)) {
                const struct content_part *parts;
                unsigned n;
                TRY(content_parts(c, offset, size - offset, rq->http->arena, &parts, &n));
                struct body_part *list = arena_alloc(rq->http->arena, n * sizeof(*list));
                if (list == NULL)
                        return err_static(ERR_NO_MEMORY);
                for (unsigned i = 0; i < n; i++)
                        list[i] = (struct body_part){ parts[i].fd, parts[i].offset, parts[i].length };
                http_resp_files(rq->resp, list, n, content_release, c);
                return NULL;
        }
        struct reading *r = arena_new(rq->http->arena, struct reading);
        if (r == NULL)
                return err_static(ERR_NO_MEMORY);
        *r = (struct reading){ c, offset, size };
        http_resp_gen(rq->resp, read_next, (int64_t)(size - offset), read_release, r);
        return NULL;
}

static struct err *do_object(struct rpc_req *rq)
{
        struct node *n = rq->ctx;
        struct question q;
        uint64_t hlc, node, offset;
        struct content *c;
        TRY(read_question(rq, &q));
        TRY(rpc_query_u64(rq, "hlc", 0, &hlc));
        TRY(rpc_query_u64(rq, "node", 0, &node));
        TRY(rpc_query_u64(rq, "offset", 0, &offset));
        struct obj_key key = { q.bid, q.name };
        struct err *e = store_open_object(n->store, &key, &c);
        if (err_code(e) == ERR_NOT_FOUND)
                return err_recode(e, ERR_CONFLICT, "not here any more");
        TRY(e);
        struct stamp stamp = content_meta(c)->stamp;
        e = stamp.hlc == hlc && stamp.node == node ? send_content(rq, c, offset) :
                                                     err_new(ERR_CONFLICT, "another version is here by now");
        if (e != NULL)
                content_unref(c);
        return e;
}

/* ---- copies ---- */

/* A small one that waits for the commit of its batch. */
struct item {
        struct receipt *in;
        struct parcel parcel; /* strings and data lie in the batch's arena */
        struct str data;
        uint64_t confirmed;
        unsigned slot;        /* of the results */
};
/* One call. */
struct receipt {
        struct node *node;
        uint64_t epoch;
        struct str from;
        struct parcel_result *results;
        unsigned nresults, cap;
        struct arena arena;   /* of the batch */
        struct item items[BATCH_ITEMS];
        unsigned nitems;
        size_t bytes;
        struct mutex lock;    /* RANK_LEAF; guards the rest, and the results while commits are under way */
        struct cond done;
        unsigned waiting;
        struct err *failed;   /* the first one */
};

static bool sender_is_pending(const struct snapshot *s, struct str from)
{
        for (unsigned i = 0; i < s->earlier_count; i++) {
                const struct placement *p = &s->earlier[i];
                for (unsigned k = 0; k < p->n; k++)
                        if (p->pending[k] && str_eq(str_of(p->ids[k]), from))
                                return true;
        }
        return false;
}

/* Whether this copy may be taken at all; *ret_confirmed: the epoch that its record gets. */
static struct err *judge(struct receipt *r, const struct parcel *p, bool *ret_bucket, uint64_t *ret_confirmed)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(r->node->cluster);
        if (s->placement.epoch != r->epoch)
                return err_new(ERR_CONFLICT, "epoch %lu is not the newest here", (unsigned long)r->epoch);
        if (cluster_open_epoch(r->node->cluster) < r->epoch)
                return err_new(ERR_UNAVAILABLE, "epoch %lu is not open yet", (unsigned long)r->epoch);
        if (!sender_is_pending(s, r->from))
                return err_new(ERR_CONFLICT, "target " STR_FMT " is not expected to have anything", STR_ARG(r->from));
        const struct bucket *b = snapshot_bucket_by_id(s, p->bid);
        *ret_bucket = b != NULL;
        if (b == NULL)
                return NULL;
        uint64_t digest = snapshot_digest(b, p->name);
        if (!snapshot_owns(s, digest))
                return err_new(ERR_CONFLICT, STR_FMT " is not this target's", STR_ARG(p->name));
        char from[NODE_ID_MAX + 1];
        str_copy(from, sizeof(from), r->from);
        /* If nobody else could have anything newer, this is the truth; else who acts on it will ask. */
        *ret_confirmed = flow__others_pending(s, digest, 0, from) ? 0 : r->epoch;
        return NULL;
}

static struct err *new_result(struct receipt *r, unsigned *ret)
{
        if (r->nresults == r->cap) {
                unsigned cap = MAX(2 * r->cap, 64u);
                struct parcel_result *more = realloc(r->results, cap * sizeof(*more));
                if (more == NULL)
                        return err_static(ERR_NO_MEMORY);
                r->results = more;
                r->cap = cap;
        }
        r->results[r->nresults] = (struct parcel_result){ .fate = PARCEL_FAILED };
        *ret = r->nresults++;
        return NULL;
}

static void count_taken(struct node *n, const struct parcel *p)
{
        atomic_fetch_add_explicit(&n->received.objects, 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&n->received.bytes, parcel_content_size(p), memory_order_relaxed);
}

static void item_done(void *arg, struct err *e, const struct put_result *result)
{
        struct item *it = arg;
        struct receipt *r = it->in;
        if (e == NULL)
                count_taken(r->node, &it->parcel);
        LOCK_SCOPE(&r->lock);
        if (e == NULL)
                r->results[it->slot] = (struct parcel_result){ PARCEL_TAKEN, result->superseded, result->stamp };
        else
                r->failed = err_first(r->failed, e);
        if (--r->waiting == 0)
                cond_signal(&r->done);
}

static struct err *read_item(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct str *rest = arg;
        n = MIN(n, rest->n);
        memcpy(p, rest->p, n);
        *rest = str_skip(*rest, n);
        *ret_n = n;
        return NULL;
}

/* Hands one over to its commit thread; when the queue is full, waits for it alone. */
static void submit(struct receipt *r, struct item *it)
{
        struct obj_key key = { it->parcel.bid, it->parcel.name };
        struct put_attrs attrs;
        struct parcel_result result;
        flow__given_attrs(&it->parcel, it->confirmed, &attrs);
        mutex_lock(&r->lock);
        r->waiting++;
        mutex_unlock(&r->lock);
        if (store_put_small_async(r->node->store, &key, it->data.p, it->data.n, &attrs, item_done, it))
                return;
        struct str rest = it->data;
        struct err *e = flow__install(r->node, &it->parcel, r->epoch, it->confirmed, read_item, &rest, &result);
        struct put_result as_put = { .stamp = result.winner, .superseded = result.superseded };
        item_done(it, e, &as_put);
}

/* Commits what was gathered, together. */
static struct err *flush(struct receipt *r)
{
        struct gate_pass pass;
        if (r->nitems == 0)
                return NULL;
        TRY(flow__enter_epoch(r->node, r->epoch, &pass));
        for (unsigned i = 0; i < r->nitems; i++) {
                store_clock_observe(r->node->store, r->items[i].parcel.meta.stamp.hlc);
                submit(r, &r->items[i]);
        }
        mutex_lock(&r->lock);
        while (r->waiting > 0)
                cond_wait(&r->done, &r->lock);
        struct err *e = r->failed;
        r->failed = NULL;
        mutex_unlock(&r->lock);
        r->nitems = 0;
        r->bytes = 0;
        arena_reset(&r->arena);
        return flow__end(r->node, pass, e);
}

static struct err *copy_parcel(struct arena *a, const struct parcel *p, struct parcel *ret)
{
        *ret = *p;
        ret->name = str_arena(a, p->name);
        ret->meta.cksum = str_arena(a, p->meta.cksum);
        ret->meta.custom = p->meta.custom.n > 0 ? str_arena(a, p->meta.custom) : STR_NONE;
        return ret->name.p != NULL && ret->meta.cksum.p != NULL && (ret->meta.custom.n == 0 || ret->meta.custom.p) ?
                       NULL :
                       err_static(ERR_NO_MEMORY);
}

static struct err *gather(struct receipt *r, struct parcel_stream *in, const struct parcel *p, uint64_t confirmed,
                          unsigned slot)
{
        if (r->nitems == BATCH_ITEMS || r->bytes + p->meta.size > BATCH_BYTES)
                TRY(flush(r));
        struct item *it = &r->items[r->nitems];
        char *data = arena_alloc(&r->arena, p->meta.size + 1);
        if (data == NULL)
                return err_static(ERR_NO_MEMORY);
        *it = (struct item){ .in = r, .data = { data, p->meta.size }, .confirmed = confirmed, .slot = slot };
        TRY(copy_parcel(&r->arena, p, &it->parcel));
        for (size_t at = 0, got = 1; got > 0; at += got)
                TRY(parcel_read(in, data + at, p->meta.size + 1 - at, &got));
        struct cksum_ctx *sum = cksum_new(p->meta.cksum_type);
        if (sum == NULL)
                return err_static(ERR_NO_MEMORY);
        cksum_update(sum, data, p->meta.size);
        struct err *e = flow__check_copy(p, sum);
        cksum_free(sum);
        if (err_code(e) == ERR_BAD_CHECKSUM) { /* this one's result says so; the others do not suffer */
                log_err(LOG_ERROR, LOG_FOLDER, e, "copy from " STR_FMT, STR_ARG(r->from));
                return NULL;
        }
        TRY(e);
        r->nitems++;
        r->bytes += p->meta.size;
        return NULL;
}

static struct err *read_stream(void *arg, void *p, size_t n, size_t *ret_n)
{
        return parcel_read(arg, p, n, ret_n);
}

static struct err *receive_one(struct receipt *r, struct parcel_stream *in, const struct parcel *p)
{
        unsigned slot;
        uint64_t confirmed = 0;
        bool bucket = false;
        struct parcel_result result;
        if (p->absent || p->meta.moved || p->no_content)
                return err_new(ERR_MALFORMED, "a copy without content");
        TRY(new_result(r, &slot));
        TRY(judge(r, p, &bucket, &confirmed));
        if (!bucket) {
                r->results[slot].fate = PARCEL_NO_BUCKET;
                return NULL;
        }
        if (!p->meta.tombstone && p->meta.size <= store_small_max(r->node->store))
                return gather(r, in, p, confirmed, slot);
        TRY(flow__install(r->node, p, r->epoch, confirmed, read_stream, in, &result));
        r->results[slot] = result;
        if (result.fate == PARCEL_TAKEN)
                count_taken(r->node, p);
        return NULL;
}

static struct err *receive_all(struct receipt *r, struct parcel_stream *in)
{
        for (;;) {
                struct parcel p;
                bool end;
                TRY(parcel_next(in, &end, &p));
                if (end)
                        return flush(r);
                TRY(receive_one(r, in, &p));
        }
}

static struct err *read_body(void *arg, void *p, size_t n, size_t *ret_n)
{
        return http_req_read(arg, p, n, ret_n);
}

static struct err *reply_results(struct rpc_req *rq, const struct receipt *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        for (unsigned i = 0; i < r->nresults; i++)
                parcel_result_encode(&r->results[i], &b);
        TRY(buf_err(&b));
        return rpc_reply_bytes(rq, buf_str(&b));
}

static struct err *do_objects(struct rpc_req *rq)
{
        struct node *n = rq->ctx;
        if (n->store == NULL)
                return err_static(ERR_NOT_OWNER);
        struct receipt *r = calloc(1, sizeof(*r));
        if (r == NULL)
                return err_static(ERR_NO_MEMORY);
        struct parcel_stream in = { .read = read_body, .arg = rq->http };
        r->node = n;
        r->from = rpc_query(rq, "from");
        arena_init(&r->arena, BATCH_BYTES / 4, 16 * BATCH_BYTES);
        mutex_init(&r->lock, "receipt", RANK_LEAF);
        cond_init(&r->done);
        struct err *e = rpc_query_u64(rq, "epoch", 0, &r->epoch);
        if (e == NULL)
                e = receive_all(r, &in);
        if (e == NULL)
                e = reply_results(rq, r);
        parcel_stream_fini(&in);
        arena_fini(&r->arena);
        cond_fini(&r->done);
        mutex_fini(&r->lock);
        free(r->results);
        free(r);
        return e;
}

/* ---- an ordinary write, sent by a node that has the bytes ---- */

static struct err *write_content(struct flow_put *put, struct parcel_stream *in)
{
        AUTO_FREE char *step = malloc(GEN_STEP);
        if (step == NULL)
                return err_static(ERR_NO_MEMORY);
        for (;;) {
                size_t got;
                TRY(parcel_read(in, step, GEN_STEP, &got));
                if (got == 0)
                        return NULL;
                TRY(flow_put_write(put, step, got));
        }
}

static struct err *write_parcel(struct rpc_req *rq, struct parcel_stream *in, const struct parcel *p,
                                struct parcel *ret)
{
        struct node *n = rq->ctx;
        AUTO_SNAPSHOT const struct snapshot *s = NULL;
        const struct bucket *b;
        uint64_t merge, absent;
        struct flow_put *put;
        bool noop;
        TRY(rpc_query_u64(rq, "merge", 0, &merge));
        TRY(rpc_query_u64(rq, "absent", 0, &absent));
        TRY(find_bucket(n, p->bid, &s, &b));
        struct flow_put_options o = { .size = (int64_t)p->meta.size,
                                      .custom = p->meta.custom,
                                      .has_custom = true,
                                      .custom_replace = merge == 0 };
        if (absent != 0)
                o.cond.kind = COND_ABSENT;
        TRY(flow_put_begin(n, b, p->name, &o, &put));
        struct err *e = write_content(put, in);
        if (e != NULL) {
                flow_put_abort(put);
                return e;
        }
        *ret = (struct parcel){ .bid = p->bid, .name = p->name, .no_content = true };
        return flow_put_commit(put, rq->http->arena, &ret->meta, &noop);
}

static struct err *do_write(struct rpc_req *rq)
{
        struct parcel_stream in = { .read = read_body, .arg = rq->http };
        struct parcel p, done;
        bool end;
        struct err *e = parcel_next(&in, &end, &p);
        if (e == NULL && (end || p.absent || p.no_content || p.meta.moved || p.meta.tombstone))
                e = err_new(ERR_MALFORMED, "a write without content");
        if (e == NULL)
                e = object_name_check(p.name);
        if (e == NULL)
                e = write_parcel(rq, &in, &p, &done);
        if (e == NULL)
                e = reply_parcel(rq, &done);
        parcel_stream_fini(&in);
        return e;
}

const struct rpc_route flow__peer_routes[] = {
        { .method = "GET", .path = "/data/record", .cls = POOL_PEER, .handle = do_record },
        { .method = "GET", .path = "/data/head", .cls = POOL_BACKEND, .handle = do_head },
        { .method = "GET", .path = "/data/object", .cls = POOL_PEER, .handle = do_object },
        { .method = "PUT", .path = "/data/objects", .cls = POOL_PEER, .handle = do_objects },
        { .method = "POST", .path = "/data/write", .cls = POOL_BACKEND, .handle = do_write },
        { .method = NULL },
};

struct err *flow_routes(struct node *n, struct rpc_server *s)
{
        TRY(rpc_server_add(s, flow__peer_routes, n));
        return rpc_server_add(s, flow__list_routes, n);
}
