/* flow/list_srv.c: GET /data/list: a page of this target's part of a listing, for the node that merges (list_cli.c).
 *
 * Query: bid, epoch; prefix and from (names, percent-encoded; rows >= from); n and bytes bound the page; full, all,
 * dirs as in struct list_part. CONFLICT: another epoch is in force here. UNAVAILABLE: no lease. The page itself:
 * docs/format/list.md. */
#include "flow/list_merge.h"
#include "net/rpc.h"

#define BYTES_MAX (1u << 20)

struct page_query {
        struct list_part part;
        struct str from;
        uint64_t rows, bytes;
};

static struct err *read_query(const struct rpc_req *rq, struct page_query *q)
{
        uint64_t full, all, dirs;
        struct list_part *p = &q->part;
        TRY(rpc_query_u64(rq, "bid", 0, &p->bid));
        TRY(rpc_query_u64(rq, "epoch", 0, &p->epoch));
        TRY(rpc_query_u64(rq, "n", 1000, &q->rows));
        TRY(rpc_query_u64(rq, "bytes", BYTES_MAX, &q->bytes));
        TRY(rpc_query_u64(rq, "full", 0, &full));
        TRY(rpc_query_u64(rq, "all", 0, &all));
        TRY(rpc_query_u64(rq, "dirs", 0, &dirs));
        p->full = full;
        p->all = all;
        p->dirs = dirs;
        p->prefix = rpc_query(rq, "prefix");
        q->from = rpc_query(rq, "from");
        if (q->rows == 0 || q->from.n > LIST_FROM_MAX || p->prefix.n > OBJECT_NAME_MAX)
                return err_new(ERR_INVALID, "rows %lu, from of %zu bytes", (unsigned long)q->rows, q->from.n);
        return NULL;
}

/* Rows until the page is full; one more is looked at, to know whether there are more. */
static struct err *fill(const struct page_query *q, struct list_source *s, struct list_page_writer *w)
{
        char behind[LIST_FROM_MAX];
        size_t end = w->begin + (size_t)MIN(q->bytes, BYTES_MAX), behind_n = 0;
        TRY(s->ops->next(s));
        while (s->row && w->count < q->rows && w->b->n < end) {
                flow__list_page_add(w, s->row, s->row->meta.mountpath);
                behind_n = flow__list_behind(s->row->name, s->row->kind == LIST_DIR, behind);
                TRY(s->ops->next(s));
        }
        flow__list_page_end(w, s->row != NULL, (struct str){ behind, behind_n });
        return buf_err(w->b);
}

static struct err *make_page(struct node *n, const struct page_query *q, struct buf *b)
{
        struct list_place places[LIST_PLACES_MAX];
        struct list_page_writer w;
        struct list_source *s;
        TRY(flow__list_local_open(n, &q->part, q->from, &s));
        flow__list_page_begin(b, q->part.full ? places : NULL, q->part.full ? flow__list_places(n, places) : 0);
        flow__list_page_writer(&w, b, 0, q->part.full);
        struct err *e = fill(q, s, &w);
        flow__list_local_close(s);
        return e;
}

static struct err *get_list(struct rpc_req *rq)
{
        struct node *n = rq->ctx;
        AUTO_BUF struct buf b = BUF_INIT;
        struct page_query q;
        if (!n->store)
                return err_new(ERR_UNAVAILABLE, "this node stores nothing");
        TRY(read_query(rq, &q));
        TRY(make_page(n, &q, &b));
        size_t size;
        char *body = buf_take(&b, &size);
        http_resp_mem(rq->resp, (struct str){ body, size }, free, body);
        return NULL;
}

const struct rpc_route flow__list_routes[] = {
        { .method = "GET", .path = "/data/list", .cls = POOL_PEER, .handle = get_list },
        { .method = NULL },
};
