/* net/testapp/app.c: see app.h. */
#include "net/testapp/app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <unistd.h>

#include "os/clock.h"
#include "os/file.h"
#include "os/thread.h"

#define PENDING_MAX 4096u

struct testapp {
        struct pool *pool;
        struct http_server *server;
        char *pattern;
        int file;
        atomic_uint sent, complete, early;
        struct thread *completer;
        struct mutex lock;
        struct cond wake;
        struct http_req *pending[PENDING_MAX];
        unsigned npending;
        bool ending;
        struct cond gate;
        unsigned gated;  /* guarded by lock */
        bool gate_open;  /* guarded by lock */
};

struct gen {
        const char *p;
        uint64_t at, n, piece, fail_at;
};

static uint64_t param(const struct http_req *rq, const char *name, uint64_t def)
{
        struct str q = rq->query, key, value;
        uint64_t v;
        while (http_query_next(&q, &key, &value)) {
                if (str_eq(key, str_of(name)) && str_u64(value, &v))
                        return v;
        }
        return def;
}

static void answer_text(struct http_resp *rs, int status, struct str text)
{
        http_resp_status(rs, status);
        http_resp_header(rs, "Content-Type", STR("text/plain"));
        http_resp_mem(rs, text, NULL, NULL);
}

static void answer_range(struct testapp *t, struct http_req *rq, struct http_resp *rs, bool file)
{
        uint64_t size = MIN(param(rq, "n", 4096), TESTAPP_BYTES), offset = 0, length = size;
        switch (http_range(http_req_header(rq, STR("range")), size, &offset, &length)) {
        case RANGE_ONE:
                http_resp_status(rs, 206);
                http_resp_headerf(rs, "Content-Range", "bytes %llu-%llu/%llu", (unsigned long long)offset,
                                  (unsigned long long)(offset + length - 1), (unsigned long long)size);
                break;
        case RANGE_UNSATISFIABLE:
                answer_text(rs, 416, STR("range\n"));
                return;
        default:
                http_resp_status(rs, 200);
                break;
        }
        http_resp_head_raw(rs, STR("Content-Type: application/octet-stream\r\nX-Test: one\r\n"));
        if (file)
                http_resp_file(rs, t->file, (int64_t)offset, (int64_t)length, NULL, NULL);
        else
                http_resp_mem(rs, (struct str){ t->pattern + offset, length }, NULL, NULL);
}

static struct err *gen_step(void *arg, struct buf *out, bool *ret_end)
{
        struct gen *g = arg;
        if (g->at >= g->fail_at)
                return err_new(ERR_IO, "the generator failed on purpose");
        uint64_t n = MIN(g->piece, g->n - g->at);
        buf_add(out, g->p + g->at, n);
        g->at += n;
        *ret_end = g->at == g->n;
        return NULL;
}

static void answer_gen(struct testapp *t, struct http_req *rq, struct http_resp *rs, bool announced, uint64_t fail_at)
{
        struct gen *g = calloc(1, sizeof(*g));
        ASSERT(g);
        *g = (struct gen){ t->pattern, 0, MIN(param(rq, "n", 4096), TESTAPP_BYTES), MAX(param(rq, "piece", 65536), 1),
                           fail_at };
        http_resp_status(rs, 200);
        http_resp_gen(rs, gen_step, announced ? (int64_t)g->n : -1, free, g);
}

static void answer_echo(struct http_req *rq, struct http_resp *rs)
{
        struct str body;
        AUTO_ERR struct err *e = http_req_read_all(rq, TESTAPP_BYTES, &body);
        if (e)
                answer_text(rs, e->code == ERR_TIMEOUT ? 408 : e->code == ERR_TOO_LARGE ? 413 : 400, STR("body\n"));
        else
                answer_text(rs, 200, body);
}

static void answer_count(struct http_req *rq, struct http_resp *rs)
{
        static const size_t chunk = 65536;
        char *p = arena_alloc(rq->arena, chunk);
        uint64_t all = 0;
        size_t n = 0;
        AUTO_ERR struct err *e = NULL;
        ASSERT(p);
        do {
                e = http_req_read(rq, p, chunk, &n);
                for (size_t i = 0; !e && i < n; i += 997)
                        if ((unsigned char)p[i] != testapp_pattern(all + i))
                                e = err_new(ERR_CORRUPT, "byte %llu", (unsigned long long)(all + i));
                all += e ? 0 : n;
        } while (!e && n);
        if (e)
                answer_text(rs, e->code == ERR_TIMEOUT ? 408 : 400, STR("body\n"));
        else
                answer_text(rs, 200, str_printf(rq->arena, "%llu\n", (unsigned long long)all));
}

struct taking {
        struct testapp *t;
        struct http_req *rq;
        struct http_resp *rs;
        uint64_t all;
};

static struct err *take_step(void *arg, const void *p, size_t n)
{
        struct taking *k = arg;
        for (size_t i = 0; i < n; i += 97)
                if (((const unsigned char *)p)[i] != testapp_pattern(k->all + i))
                        return err_new(ERR_CORRUPT, "byte %llu", (unsigned long long)(k->all + i));
        k->all += n;
        return NULL;
}

static void take_end(void *arg, struct err *e)
{
        struct taking *k = arg;
        if (e) {
                atomic_fetch_add(&k->t->early, 1);
                answer_text(k->rs, e->code == ERR_TIMEOUT ? 408 : 400, STR("body\n"));
        } else {
                answer_text(k->rs, 200, str_printf(k->rq->arena, "%llu\n", (unsigned long long)k->all));
        }
        err_free(e);
}

static void answer_take(struct testapp *t, struct http_req *rq, struct http_resp *rs)
{
        static const struct http_sink sink = { take_step, take_end };
        struct taking *k = arena_new(rq->arena, struct taking);
        ASSERT(k);
        *k = (struct taking){ .t = t, .rq = rq, .rs = rs };
        http_req_receive(rq, &sink, k);
}

static void answer_gate(struct testapp *t, struct http_resp *rs)
{
        mutex_lock(&t->lock);
        t->gated++;
        while (!t->gate_open)
                cond_wait(&t->gate, &t->lock);
        t->gated--;
        mutex_unlock(&t->lock);
        answer_text(rs, 200, STR("through\n"));
}

static bool answer_quick(struct testapp *t, struct http_req *rq, struct http_resp *rs)
{
        if (str_eq(rq->path, STR("/mem")))
                answer_range(t, rq, rs, false);
        else if (str_eq(rq->path, STR("/file")))
                answer_range(t, rq, rs, true);
        else if (str_eq(rq->path, STR("/earlyloop")))
                answer_text(rs, 403, STR("no\n"));
        else if (str_eq(rq->path, STR("/echo")) && (rq->body_mem.p || rq->body_length == 0))
                answer_text(rs, 200, rq->body_mem);
        else
                return false;
        return true;
}

static bool before_body(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        (void)ctx;
        if (!str_eq(rq->path, STR("/before")))
                return false;
        rs->close = str_eq(rq->query, STR("close"));
        answer_text(rs, 307, STR("elsewhere\n"));
        return true;
}

static enum http_next on_loop(void *ctx, struct http_req *rq, struct http_resp *rs, enum pool_class *ret_class)
{
        struct testapp *t = ctx;
        if (answer_quick(t, rq, rs))
                return HTTP_ANSWERED;
        *ret_class = POOL_DATA;
        if (str_eq(rq->path, STR("/whole")))
                rq->collect = (size_t)1 << 20;
        if (!str_eq(rq->path, STR("/pending")))
                return HTTP_WORKER;
        answer_text(rs, 200, STR("pending\n"));
        mutex_lock(&t->lock);
        ASSERT(t->npending < PENDING_MAX);
        t->pending[t->npending++] = rq;
        cond_signal(&t->wake);
        mutex_unlock(&t->lock);
        return HTTP_PENDING;
}

static void handle(void *ctx, struct http_req *rq, struct http_resp *rs)
{
        struct testapp *t = ctx;
        if (str_eq(rq->path, STR("/wmem"))) {
                answer_range(t, rq, rs, false);
        } else if (str_eq(rq->path, STR("/wfile"))) {
                answer_range(t, rq, rs, true);
        } else if (str_eq(rq->path, STR("/gen"))) {
                answer_gen(t, rq, rs, false, UINT64_MAX);
        } else if (str_eq(rq->path, STR("/genlen"))) {
                answer_gen(t, rq, rs, true, UINT64_MAX);
        } else if (str_eq(rq->path, STR("/generr"))) {
                answer_gen(t, rq, rs, false, 0);
        } else if (str_eq(rq->path, STR("/gencut"))) {
                answer_gen(t, rq, rs, false, 65536);
        } else if (str_eq(rq->path, STR("/echo"))) {
                answer_echo(rq, rs);
        } else if (str_eq(rq->path, STR("/count"))) {
                answer_count(rq, rs);
        } else if (str_eq(rq->path, STR("/take"))) {
                answer_take(t, rq, rs);
        } else if (str_eq(rq->path, STR("/whole"))) {
                answer_echo(rq, rs);
        } else if (str_eq(rq->path, STR("/early"))) {
                answer_text(rs, 403, STR("no\n"));
        } else if (str_eq(rq->path, STR("/gate"))) {
                answer_gate(t, rs);
        } else if (str_eq(rq->path, STR("/sleep"))) {
                clock_sleep_ns((int64_t)param(rq, "ms", 100) * NS_PER_MS);
                answer_text(rs, 200, STR("slept\n"));
        } else {
                answer_text(rs, 404, STR("nothing here\n"));
        }
}

static void on_sent(void *ctx, struct http_req *rq, struct http_resp *rs, uint64_t bytes, bool complete)
{
        struct testapp *t = ctx;
        (void)rq;
        (void)rs;
        (void)bytes;
        atomic_fetch_add_explicit(&t->sent, 1, memory_order_relaxed);
        if (complete)
                atomic_fetch_add_explicit(&t->complete, 1, memory_order_relaxed);
}

/* Completes what on_loop left pending, in batches. */
static void completer_main(void *arg)
{
        struct testapp *t = arg;
        mutex_lock(&t->lock);
        for (;;) {
                while (!t->npending && !t->ending)
                        cond_wait(&t->wake, &t->lock);
                if (!t->npending)
                        break;
                while (t->npending)
                        http_server_complete_queue(t->pending[--t->npending]);
                http_server_complete_flush(t->server);
        }
        mutex_unlock(&t->lock);
}

static struct err *make_file(struct testapp *t)
{
        const char *tmp = getenv("TMPDIR");
        t->file = open(tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        if (t->file < 0)
                return err_sys(errno, "temporary file");
        TRY(file_write_full(t->file, t->pattern, TESTAPP_BYTES));
        return file_datasync(t->file);
}

void testapp_cool(struct testapp *t)
{
        (void)posix_fadvise(t->file, 0, 0, POSIX_FADV_DONTNEED);
}

uint64_t testapp_tasks(struct testapp *t)
{
        struct pool_stats s;
        pool_stats(t->pool, &s);
        return s.done;
}

unsigned testapp_queued(struct testapp *t)
{
        struct pool_stats s;
        unsigned sum = 0;
        pool_stats(t->pool, &s);
        for (unsigned i = 0; i < POOL_CLASS_COUNT; i++)
                sum += s.queued[i];
        return sum;
}

unsigned testapp_gated(struct testapp *t)
{
        LOCK_SCOPE(&t->lock);
        return t->gated;
}

void testapp_gate_open(struct testapp *t)
{
        LOCK_SCOPE(&t->lock);
        t->gate_open = true;
        cond_broadcast(&t->gate);
}

struct err *testapp_new(unsigned workers, unsigned queued, struct testapp **ret)
{
        struct testapp *t = calloc(1, sizeof(*t));
        struct pool_limits limits;
        for (unsigned i = 0; i < POOL_CLASS_COUNT; i++) {
                limits.max_running[i] = workers;
                limits.max_queued[i] = queued;
        }
        ASSERT(t);
        t->pattern = malloc(TESTAPP_BYTES);
        ASSERT(t->pattern);
        for (size_t i = 0; i < TESTAPP_BYTES; i++)
                t->pattern[i] = (char)testapp_pattern(i);
        mutex_init(&t->lock, "testapp", RANK_ANY);
        cond_init(&t->wake);
        cond_init(&t->gate);
        TRY(make_file(t));
        TRY(pool_new(&limits, &t->pool));
        *ret = t;
        return NULL;
}

struct err *testapp_serve(struct testapp *t, struct http_server_options *o)
{
        o->pool = t->pool;
        o->app = (struct http_app){ .ctx = t, .before_body = before_body, .on_loop = on_loop, .handle = handle, .on_sent = on_sent };
        TRY(http_server_new(o, &t->server));
        TRY(thread_start(&t->completer, "completer", THREAD_OTHER, completer_main, t));
        return http_server_start(t->server);
}

struct http_server *testapp_server(struct testapp *t)
{
        return t->server;
}

void testapp_sent(struct testapp *t, unsigned *ret_all, unsigned *ret_complete)
{
        *ret_all = atomic_load(&t->sent);
        *ret_complete = atomic_load(&t->complete);
}

const char *testapp_bytes(const struct testapp *t)
{
        return t->pattern;
}

unsigned testapp_taken_early(struct testapp *t)
{
        return atomic_load(&t->early);
}

void testapp_free(struct testapp *t, int64_t ns)
{
        if (t->server)
                http_server_stop(t->server, clock_mono_ns() + ns);
        mutex_lock(&t->lock);
        t->ending = true;
        cond_signal(&t->wake);
        mutex_unlock(&t->lock);
        thread_join(t->completer);
        pool_free(t->pool);
        http_server_free(t->server);
        (void)close(t->file);
        free(t->pattern);
        cond_fini(&t->wake);
        cond_fini(&t->gate);
        mutex_fini(&t->lock);
        free(t);
}
