/* The kinds that work on objects, over a real store and a real cluster state in a temporary directory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "jobs/kinds.h"
#include "os/clock.h"

struct fixture {
        char dir[64];
        struct node node;
        struct pool *pool;
        struct jobs *jobs;
        struct arena arena;
};

static void ok(struct err *e)
{
        char text[512];

        if (e)
                fail_msg("%s", err_text(e, text, sizeof(text)));
}

static int setup(void **state)
{
        static const struct pool_limits limits = { .max_running = { [POOL_JOBS] = 4 }, .max_queued = { [POOL_JOBS] = 16 } };
        struct fixture *f = calloc(1, sizeof(*f));
        struct cluster_opts co = { .state_dir = f->dir };
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        const char *paths[] = { f->dir };

        snprintf(f->dir, sizeof(f->dir), "/tmp/orlop-jobs-XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                co.addr[i] = (struct cluster_addr){ "127.0.0.1", "8080", "http://127.0.0.1:8080" };
        ok(cluster_open(&co, &f->node.cluster));
        snap = cluster_pin(f->node.cluster);
        struct store_options so = {
                .paths = paths, .npaths = 1, .cluster_uuid = snap->uuid, .target_id = snap->target->id, .node = 1
        };
        ok(store_open(&so, &f->node.store));
        ok(pool_new(&limits, &f->pool));
        ok(jobs_new(&f->node, f->pool, &f->jobs));
        arena_init(&f->arena, 0, 0);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        jobs_free(f->jobs);
        pool_free(f->pool);
        store_close(f->node.store);
        cluster_close(f->node.cluster);
        arena_fini(&f->arena);
        ok(file_remove_tree(AT_FDCWD, f->dir));
        free(f);
        return 0;
}

/* ---- helpers ---- */

static struct bck bck_named(const char *name)
{
        struct bck b = { .provider = PROVIDER_AIS };

        str_copy(b.name, sizeof(b.name), str_of(name));
        return b;
}

static void make_bucket(struct fixture *f, const char *name)
{
        struct bck b = bck_named(name);
        uint64_t bid;

        ok(cluster_bucket_create(f->node.cluster, &b, NULL, &bid));
}

/* Borrowed for the length of a statement or two: nobody destroys buckets here. */
static const struct bucket *bucket(struct fixture *f, const char *name, const struct snapshot **snap)
{
        struct bck b = bck_named(name);
        const struct bucket *found;

        *snap = cluster_pin(f->node.cluster);
        found = snapshot_bucket(*snap, &b);
        assert_non_null(found);
        return found;
}

static void put(struct fixture *f, const char *bck, const char *name, const char *content)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct flow_put_options o = { .size = (int64_t)strlen(content) };
        struct flow_put *p;
        struct obj_meta m;
        bool noop;

        ok(flow_put_begin(&f->node, bucket(f, bck, &snap), str_of(name), &o, &p));
        ok(flow_put_write(p, content, strlen(content)));
        ok(flow_put_commit(p, &f->arena, &m, &noop));
}

static bool exists(struct fixture *f, const char *bck, const char *name)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct obj_meta m;
        struct err *e = flow_head(&f->node, bucket(f, bck, &snap), str_of(name), &f->arena, &m);
        bool found = e == NULL;

        if (e)
                assert_int_equal(err_code(e), ERR_NOT_FOUND);
        err_free(e);
        return found;
}

static void put_many(struct fixture *f, const char *bck, unsigned n)
{
        char name[32];

        for (unsigned i = 0; i < n; i++) {
                snprintf(name, sizeof(name), "d%u/o-%05u.txt", i % 3, i);
                put(f, bck, name, "content");
        }
}

static uint64_t count(struct fixture *f, const char *bck)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct flow_summary s;

        ok(flow_summary(&f->node, bucket(f, bck, &snap), STR(""), NULL, NULL, &s));
        return s.objects;
}

static struct job_snap ended(struct fixture *f, const char *id)
{
        struct job_snap s;

        ok(jobs_wait(f->jobs, id, clock_mono_ns() + 60 * NS_PER_SEC, &s));
        return s;
}

static struct job_snap delete_list(struct fixture *f, const struct str *names, size_t n, const char *template_text)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct job_limits l = { 0 };
        struct job_names *sel;
        char id[40];

        ok(job_names_new(names, n, str_of(template_text), &sel));
        ok(job_start_delete(f->jobs, bucket(f, "a", &snap), sel, &l, id));
        return ended(f, id);
}

/* ---- tests ---- */

static void test_delete(void **state)
{
        struct fixture *f = *state;
        struct str names[] = { STR("d0/o-00000.txt"), STR("missing") };
        struct job_snap s;

        make_bucket(f, "a");
        put_many(f, "a", 3000);
        s = delete_list(f, names, 2, "");
        assert_int_equal(s.objects, 1);
        assert_false(s.aborted);
        assert_non_null(strstr(s.err, "missing")); /* listed by the client, and not there */
        s = delete_list(f, NULL, 0, "d1/o-{00001..00100..3}.txt");
        assert_int_equal(s.objects, 34);
        s = delete_list(f, NULL, 0, "d1/o-{00001..00100..3}.txt");
        assert_int_equal(s.objects, 0);
        assert_string_equal(s.err, ""); /* a template may name what is not there */
        s = delete_list(f, NULL, 0, "d2/");
        assert_int_equal(s.objects, 1000);
        assert_int_equal(count(f, "a"), 3000 - 1 - 34 - 1000);
        s = delete_list(f, NULL, 0, "*");
        assert_int_equal(count(f, "a"), 0);
}

static void test_delete_workers(void **state)
{
        struct fixture *f = *state;
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct job_limits l = { .workers = -2 };
        struct job_names *sel;
        char id[40];
        struct err *e;

        make_bucket(f, "a");
        ok(job_names_new(NULL, 0, STR("*"), &sel));
        e = job_start_delete(f->jobs, bucket(f, "a", &snap), sel, &l, id);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
}

static struct job_snap copy(struct fixture *f, bool list, const char *template_text, const struct job_copy_options *o)
{
        AUTO_SNAPSHOT const struct snapshot *s1 = NULL;
        AUTO_SNAPSHOT const struct snapshot *s2 = NULL;
        struct job_names *sel = NULL;
        char id[40];

        if (template_text)
                ok(job_names_new(NULL, 0, str_of(template_text), &sel));
        ok(job_start_copy(f->jobs, list, bucket(f, "a", &s1), bucket(f, "b", &s2), sel, o, id));
        return ended(f, id);
}

static void test_copy(void **state)
{
        struct fixture *f = *state;
        struct job_extension ext = { STR("txt"), STR("md") };
        struct job_copy_options plain = { .prepend = STR_NONE }, dry = { .dry_run = true },
                                renamed = { .prepend = STR("x/"), .extensions = &ext, .nextensions = 1 };
        struct job_snap s;

        make_bucket(f, "a");
        make_bucket(f, "b");
        put_many(f, "a", 1500);
        s = copy(f, false, NULL, &dry);
        assert_int_equal(s.objects, 1500);
        assert_int_equal(s.bytes, 1500 * 7);
        assert_int_equal(count(f, "b"), 0);
        s = copy(f, false, NULL, &plain);
        assert_int_equal(s.objects, 1500);
        assert_string_equal(s.kind->name, "copy-bck");
        assert_int_equal(count(f, "b"), 1500);
        s = copy(f, true, "d0/", &renamed);
        assert_int_equal(s.objects, 500);
        assert_int_equal(strncmp(s.id, "tco-", 4), 0);
        assert_true(exists(f, "b", "x/d0/o-00000.md"));
        assert_int_equal(count(f, "b"), 2000);
}

static void test_synchronize(void **state)
{
        struct fixture *f = *state;
        AUTO_SNAPSHOT const struct snapshot *s1 = NULL;
        AUTO_SNAPSHOT const struct snapshot *s2 = NULL;
        struct job_copy_options sync = { .synchronize = true }, both = { .synchronize = true, .prepend = STR("x") };
        char id[40];
        struct err *e;

        make_bucket(f, "a");
        make_bucket(f, "b");
        put(f, "a", "keep", "1");
        put(f, "b", "keep", "0");
        put(f, "b", "gone", "2");
        copy(f, false, NULL, &sync);
        assert_true(exists(f, "b", "keep"));
        assert_false(exists(f, "b", "gone"));
        e = job_start_copy(f->jobs, false, bucket(f, "a", &s1), bucket(f, "b", &s2), NULL, &both, id);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
}

static void test_bucket_vanishes(void **state)
{
        struct fixture *f = *state;
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct job_limits l = { 0 };
        struct bck gone = bck_named("a");
        const struct bucket *b;
        struct job_names *sel;
        struct job_snap s;
        uint64_t bid;
        char id[40];

        make_bucket(f, "a");
        b = bucket(f, "a", &snap);
        ok(cluster_bucket_destroy(f->node.cluster, &gone, &bid));
        ok(job_names_new(NULL, 0, STR("*"), &sel));
        ok(job_start_delete(f->jobs, b, sel, &l, id));
        s = ended(f, id);
        assert_true(s.aborted);
        assert_non_null(strstr(s.err, "destroyed"));
}

static void test_move(void **state)
{
        struct fixture *f = *state;
        struct bck from = bck_named("a"), to = bck_named("c"), taken = bck_named("b");
        struct job_snap s;
        char id[40];
        struct err *e;

        make_bucket(f, "a");
        make_bucket(f, "b");
        put(f, "a", "o", "1");
        e = job_start_move(f->jobs, &from, &taken, id);
        assert_int_equal(err_code(e), ERR_BUCKET_EXISTS_TARGET);
        err_free(e);
        ok(job_start_move(f->jobs, &from, &to, id));
        s = ended(f, id);
        assert_true(s.end_ns > 0 && !s.aborted);
        assert_true(exists(f, "c", "o"));
}

static void test_summary(void **state)
{
        struct fixture *f = *state;
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct job_summary sum;
        char id[40];
        struct err *e;

        make_bucket(f, "a");
        make_bucket(f, "b");
        put_many(f, "a", 30);
        put(f, "b", "o", "1");
        ok(job_start_summary(f->jobs, bucket(f, "a", &snap), STR("d1/"), id));
        ended(f, id);
        ok(job_summary_get(f->jobs, str_of(id), &f->arena, &sum));
        assert_true(sum.done && sum.disks > 0);
        assert_int_equal(sum.n, 1);
        assert_int_equal(sum.rows[0].sum.objects, 10);
        assert_int_equal(sum.rows[0].sum.bytes, 70);
        ok(job_start_summary(f->jobs, NULL, STR(""), id));
        ended(f, id);
        ok(job_summary_get(f->jobs, str_of(id), &f->arena, &sum));
        assert_int_equal(sum.n, 2);
        assert_string_equal(sum.rows[1].bck.name, "b");
        assert_int_equal(sum.rows[1].sum.objects, 1);
        e = job_summary_get(f->jobs, STR("nobody1234"), &f->arena, &sum);
        assert_int_equal(err_code(e), ERR_JOB_NOT_FOUND);
        err_free(e);
}

static void test_promote_refusals(void **state)
{
        struct fixture *f = *state;
        static const char *const sources[] = { "", "relative", "/etc/passwd", PROMOTE_ROOT "/../x",
                                               PROMOTE_ROOT "x/y" };
        char id[40];

        make_bucket(f, "a");
        for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
                struct job_promote_options o = { .source = str_of(sources[i]), .object = STR_NONE };
                AUTO_SNAPSHOT const struct snapshot *s = NULL;
                struct err *e = job_start_promote(f->jobs, bucket(f, "a", &s), &o, id);

                assert_int_equal(err_code(e), ERR_PROMOTE_SOURCE);
                err_free(e);
        }
        assert_int_equal(count(f, "a"), 0);
}

static void test_by_name(void **state)
{
        struct fixture *f = *state;
        static const char *const kinds[] = { "lru", "cleanup-store", "resilver", "load-lom-cache" };

        make_bucket(f, "a");
        put(f, "a", "o", "1");
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                AUTO_SNAPSHOT const struct snapshot *s = NULL;
                struct job_start_args args = { .kind = job_kind_find(str_of(kinds[i])), .bucket = bucket(f, "a", &s) };
                struct job_snap end;
                char id[40];

                args.node = str_of(s->target->id);
                ok(job_start_kind(f->jobs, &args, id));
                end = ended(f, id);
                assert_false(end.aborted);
                assert_string_equal(end.err, "");
        }
        assert_true(exists(f, "a", "o"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_delete, setup, teardown),
                cmocka_unit_test_setup_teardown(test_delete_workers, setup, teardown),
                cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
                cmocka_unit_test_setup_teardown(test_synchronize, setup, teardown),
                cmocka_unit_test_setup_teardown(test_bucket_vanishes, setup, teardown),
                cmocka_unit_test_setup_teardown(test_move, setup, teardown),
                cmocka_unit_test_setup_teardown(test_summary, setup, teardown),
                cmocka_unit_test_setup_teardown(test_promote_refusals, setup, teardown),
                cmocka_unit_test_setup_teardown(test_by_name, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
