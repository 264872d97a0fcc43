/* flow/list_cli.c: the parts of other targets in a listing: pages of GET /data/list (list_srv.c).
 *
 * Pages of all targets are asked for at once, in rounds: the first round takes about what the caller wants in all,
 * divided among the targets, so that most listings need no other. When a target's page is taken up and more than it
 * will be needed, the next one is fetched in the background meanwhile, by one thread for the whole listing. Memory: two
 * pages per target, whose bytes are bounded by the number of targets.
 *
 * Threads: the caller's, and while a round is under way (`busy`) the reader's, which alone then touches the round's
 * calls. A failed call is remembered with its part and comes out of next(), so that names before it are not lost. */
#include "flow/list_merge.h"
#include "net/rpc.h"
#include "os/clock.h"
#include "os/thread.h"

#define ROWS_MIN ((size_t)64)
#define ROWS_MAX ((size_t)4096)
#define BYTES_ALL ((size_t)16 << 20) /* of pages of all targets together, about */
#define BYTES_MIN ((size_t)64 << 10)
#define BYTES_MAX ((size_t)512 << 10)
#define BODY_MAX ((size_t)4 << 20)   /* a page passes its bound by one row, and its head has the places */
/* Targets purge tombstones and markers half a minute after they have become useless. Pages that are further apart than
 * that could miss a name on its way from one target to another. */
#define AGE_MAX_NS (15 * NS_PER_SEC)

/* One target's part. */
struct part {
        struct list_source src;
        struct list_remotes *all;
        char target[NODE_ID_MAX + 1];
        struct rpc_peer peer;
        bool open, ready, more; /* cur is being read; next has come; there is more behind what is being read */
        bool held;              /* the current row was reached by a seek: it comes next */
        struct buf cur, next;
        struct list_page page;
        struct err *failed;     /* of the last call */
        char from[LIST_FROM_MAX]; /* more: where the next call begins */
        size_t from_n;
        size_t rows;            /* of the last call */
};
struct list_remotes {
        struct rpc_client *client;
        struct list_part part;
        unsigned targets;
        int64_t timeout_ns;
        size_t want, given;     /* rows the caller wants, and has got, since the last start */
        size_t bytes;           /* of a page */
        int64_t begun_ns;       /* all parts in use were read after it, the local one too */
        unsigned n;
        struct part *parts;
        /* The round under way. */
        struct rpc_fan *calls;
        struct part **asked;
        struct buf *lines; /* path and query of each call */
        unsigned ncalls;
        /* The reader; started when first needed. */
        struct thread *reader;
        struct mutex lock;
        struct cond changed;
        bool busy, quit; /* under lock */
};

/* ---- calls ---- */

static struct err *write_line(struct list_remotes *r, const struct part *p, size_t rows, struct buf *b)
{
        AUTO_ARENA struct arena a;
        arena_init(&a, 8192, 0);
        struct str prefix = str_percent_encode(&a, r->part.prefix, false),
                   from = str_percent_encode(&a, (struct str){ p->from, p->from_n }, false);
        buf_clear(b);
        buf_printf(b, "/data/list?bid=%lu&epoch=%lu&n=%zu&bytes=%zu", (unsigned long)r->part.bid,
                   (unsigned long)r->part.epoch, rows, r->bytes);
        buf_printf(b, "&full=%d&all=%d&dirs=%d&prefix=" STR_FMT "&from=" STR_FMT, r->part.full, r->part.all,
                   r->part.dirs, STR_ARG(prefix), STR_ARG(from));
        return buf_err(b);
}

/* How many rows of one target are about to be wanted. Targets have equal shares, give or take some. */
static size_t expected(const struct list_remotes *r, size_t before)
{
        size_t left = r->want > r->given ? r->want - r->given : 0, share = left / r->targets;
        size_t rows = left ? share + share / 8 + 32 : 2 * before;
        return MIN(MAX(rows, ROWS_MIN), ROWS_MAX);
}

/* Adds a call to the round that is being made; without memory for it the part has failed. */
static void ask(struct list_remotes *r, struct part *p)
{
        unsigned i = r->ncalls;
        p->rows = expected(r, p->rows);
        p->failed = write_line(r, p, p->rows, &r->lines[i]);
        if (p->failed)
                return;
        r->calls[i] = (struct rpc_fan){
                .peer = p->peer,
                .rq = { .method = "GET", .target = buf_str(&r->lines[i]), .max = BODY_MAX, .body = STR_NONE },
                .body = BUF_INIT,
        };
        r->asked[i] = p;
        r->ncalls++;
}

static void call(struct list_remotes *r)
{
        rpc_fanout(r->client, r->calls, r->ncalls, clock_mono_ns() + r->timeout_ns);
}

/* What a target says of itself is passed on; that it says nothing means that its names are not known. */
static struct err *call_error(const struct part *p, struct err *e)
{
        switch (err_code(e)) {
        case ERR_CONFLICT:
        case ERR_UNAVAILABLE:
        case ERR_CORRUPT:
        case ERR_NO_MEMORY:
                return err_wrap(e, "list of t[%s]", p->target);
        default:
                return err_recode(e, ERR_UNAVAILABLE, "cannot list: t[%s] does not answer", p->target);
        }
}

/* The round has ended: hands the answers to their parts. */
static void take_answers(struct list_remotes *r)
{
        for (unsigned i = 0; i < r->ncalls; i++) {
                struct part *p = r->asked[i];
                struct rpc_fan *c = &r->calls[i];
                if (c->err) {
                        p->failed = call_error(p, c->err);
                        buf_fini(&c->body);
                } else {
                        buf_fini(&p->next);
                        p->next = c->body;
                        p->ready = true;
                }
        }
        r->ncalls = 0;
}

static void read_ahead(void *arg)
{
        struct list_remotes *r = arg;
        LOCK_SCOPE(&r->lock);
        while (!r->quit) {
                if (!r->busy) {
                        cond_wait(&r->changed, &r->lock);
                        continue;
                }
                mutex_unlock(&r->lock);
                call(r);
                mutex_lock(&r->lock);
                r->busy = false;
                cond_broadcast(&r->changed);
        }
}

/* Waits for a round in the background, if there is one, and takes its answers. */
static void settle_round(struct list_remotes *r)
{
        if (r->ncalls == 0)
                return;
        mutex_lock(&r->lock);
        while (r->busy)
                cond_wait(&r->changed, &r->lock);
        mutex_unlock(&r->lock);
        take_answers(r);
}

/* In the background; here and now when there can be no thread. */
static void begin_round(struct list_remotes *r)
{
        struct err *e = r->reader ? NULL : thread_start(&r->reader, "list", THREAD_OTHER, read_ahead, r);
        if (e) {
                err_free(e);
                call(r);
                take_answers(r);
                return;
        }
        mutex_lock(&r->lock);
        r->busy = true;
        cond_broadcast(&r->changed);
        mutex_unlock(&r->lock);
}

/* ---- pages ---- */

static void drop_page(struct part *p)
{
        if (p->open)
                flow__list_page_close(&p->page);
        p->open = false;
        p->src.row = NULL;
}

static struct err *open_page(struct part *p)
{
        drop_page(p);
        struct buf b = p->cur;
        p->cur = p->next;
        p->next = b;
        p->ready = false;
        TRY_WRAP(flow__list_page_open(&p->page, buf_str(&p->cur)), "list of t[%s]", p->target);
        p->open = true;
        p->more = p->page.more;
        p->from_n = p->page.from.n;
        if (p->more)
                memcpy(p->from, p->page.from.p, p->from_n);
        return NULL;
}

/* Something is wanted that is not here: the next pages of all parts that have none. */
static void fetch(struct list_remotes *r)
{
        settle_round(r);
        for (unsigned i = 0; i < r->n; i++) {
                struct part *p = &r->parts[i];
                bool dry = !p->open || p->page.left == 0;
                if (dry && p->more && !p->ready && !p->failed)
                        ask(r, p);
        }
        call(r);
        take_answers(r);
}

/* A page was taken up: if it will not do, the one behind it is fetched now. */
static void look_ahead(struct part *p)
{
        struct list_remotes *r = p->all;
        if (!p->more || r->ncalls > 0 || expected(r, p->rows) <= p->page.left)
                return;
        for (unsigned i = 0; i < r->n; i++) {
                struct part *q = &r->parts[i];
                if (q->open && q->more && !q->ready && !q->failed && expected(r, q->rows) > q->page.left)
                        ask(r, q);
        }
        if (r->ncalls)
                begin_round(r);
}

static struct err *next_page(struct part *p)
{
        if (!p->ready)
                settle_round(p->all);
        if (!p->ready && !p->failed)
                fetch(p->all);
        if (!p->ready) {
                struct err *e = p->failed;
                p->failed = NULL;
                return e;
        }
        if (clock_mono_ns() - p->all->begun_ns > AGE_MAX_NS)
                return err_new(ERR_CONFLICT, "what was read of other targets is too old");
        TRY(open_page(p));
        look_ahead(p);
        return NULL;
}

static struct err *next(struct list_source *s)
{
        struct part *p = CONTAINER_OF(s, struct part, src);
        if (p->held) {
                p->held = false;
                return NULL;
        }
        for (;;) {
                s->row = NULL;
                if (p->open)
                        TRY_WRAP(flow__list_page_next(&p->page, &s->row), "list of t[%s]", p->target);
                if (s->row || !p->more) {
                        p->all->given += s->row != NULL;
                        return NULL;
                }
                TRY(next_page(p));
        }
}

/* Forgets all that was read; the next call begins at from. */
static void forget(struct part *p, struct str from)
{
        drop_page(p);
        p->held = p->ready = false;
        err_free(p->failed);
        p->failed = NULL;
        p->more = true;
        memcpy(p->from, from.p ? from.p : "", from.n);
        p->from_n = from.n;
        p->rows = 0;
}

/* Skips what is here; when that does not reach far enough, the next call begins there. */
static struct err *seek(struct list_source *s, struct str from, size_t want)
{
        struct part *p = CONTAINER_OF(s, struct part, src);
        (void)want;
        if (!p->open && !p->more)
                return NULL;
        while (p->open && (!s->row || str_cmp(s->row->name, from) < 0)) {
                TRY_WRAP(flow__list_page_next(&p->page, &s->row), "list of t[%s]", p->target);
                if (!s->row)
                        break;
        }
        p->held = s->row != NULL;
        if (p->held || !p->more)
                return NULL;
        settle_round(p->all);
        forget(p, from);
        return NULL;
}

static struct err *restart(struct list_source *s, struct str from, size_t want)
{
        struct part *p = CONTAINER_OF(s, struct part, src);
        settle_round(p->all);
        forget(p, from);
        p->all->want = want;
        p->all->given = 0;
        p->all->begun_ns = clock_mono_ns();
        return NULL;
}

/* ---- life ---- */

static const struct list_source_ops ops = { next, seek, restart };

static void part_init(struct part *p, struct list_remotes *r, const struct cluster_member *m, struct str from)
{
        p->all = r;
        str_copy(p->target, sizeof(p->target), str_of(m->target));
        str_copy(p->peer.id, sizeof(p->peer.id), str_of(m->id));
        str_copy(p->peer.host, sizeof(p->peer.host), str_of(m->host));
        p->peer.port = m->port;
        p->src.ops = &ops;
        p->src.target = p->target;
        forget(p, from);
}

struct err *flow__list_remotes_open(struct rpc_client *c, const struct cluster_member *const *members, unsigned n,
                                    const struct list_remote_options *o, struct list_remotes **ret)
{
        struct list_remotes *r = calloc(1, sizeof(*r));
        if (!r)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&r->lock, "list", RANK_FLOW);
        cond_init(&r->changed);
        r->client = c;
        r->part = *o->part;
        r->targets = o->targets;
        r->timeout_ns = o->timeout_ns;
        r->want = o->want;
        r->begun_ns = clock_mono_ns();
        r->bytes = MIN(MAX(BYTES_ALL / (2 * (size_t)n), BYTES_MIN), BYTES_MAX);
        r->parts = calloc(n, sizeof(*r->parts));
        r->calls = calloc(n, sizeof(*r->calls));
        r->asked = calloc(n, sizeof(*r->asked));
        r->lines = calloc(n, sizeof(*r->lines));
        if (!r->parts || !r->calls || !r->asked || !r->lines) {
                flow__list_remotes_close(r);
                return err_static(ERR_NO_MEMORY);
        }
        r->n = n;
        for (unsigned i = 0; i < n; i++)
                part_init(&r->parts[i], r, members[i], o->from);
        *ret = r;
        return NULL;
}

struct list_source *flow__list_remote(struct list_remotes *r, unsigned i)
{
        return &r->parts[i].src;
}

static void end_reader(struct list_remotes *r)
{
        settle_round(r);
        mutex_lock(&r->lock);
        r->quit = true;
        cond_broadcast(&r->changed);
        mutex_unlock(&r->lock);
        thread_join(r->reader);
}

void flow__list_remotes_close(struct list_remotes *r)
{
        if (!r)
                return;
        end_reader(r);
        for (unsigned i = 0; i < r->n; i++) {
                drop_page(&r->parts[i]);
                err_free(r->parts[i].failed);
                buf_fini(&r->parts[i].cur);
                buf_fini(&r->parts[i].next);
                buf_fini(&r->lines[i]);
        }
        cond_fini(&r->changed);
        mutex_fini(&r->lock);
        free(r->parts);
        free(r->calls);
        free(r->asked);
        free(r->lines);
        free(r);
}
