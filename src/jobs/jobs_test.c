/* The job core alone: functions of the test in place of real work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "jobs/kinds.h"
#include "jobs/priv.h"
#include "os/clock.h"

struct fixture {
        struct node node;
        struct pool *pool;
        struct jobs *jobs;
};
static void ok(struct err *e)
{
        if (e)
                fail_msg("%s", e->msg);
}

static int setup(void **state)
{
        static const struct pool_limits limits = { .max_running = { [POOL_JOBS] = 4 }, .max_queued = { [POOL_JOBS] = 16 } };
        struct fixture *f = calloc(1, sizeof(*f));

        ok(pool_new(&limits, &f->pool));
        ok(jobs_new(&f->node, f->pool, &f->jobs));
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        jobs_free(f->jobs);
        pool_free(f->pool);
        free(f);
        return 0;
}

static struct err *succeed(struct job *j, void *arg)
{
        (void)arg;
        job_progress(j, 3, 300);
        return NULL;
}

static struct err *break_down(struct job *j, void *arg)
{
        (void)j;
        (void)arg;
        return err_new(ERR_NO_SPACE, "disk is full");
}

static struct err *note(struct job *j, void *arg)
{
        (void)arg;
        job_note_error(j, err_new(ERR_NOT_FOUND, "first"));
        job_note_error(j, err_new(ERR_NOT_FOUND, "second"));
        return NULL;
}

/* Runs until aborted; tells that it runs by *arg. */
static struct err *until_aborted(struct job *j, void *arg)
{
        atomic_store((atomic_int *)arg, 1);
        while (job_go_on(j))
                clock_sleep_ns(NS_PER_MS);
        return job__cancelled();
}

static void start(struct fixture *f, const char *kind, job_fn *run, void *arg, char id[static 40])
{
        struct job_spec spec = { .kind = kind, .run = run, .arg = arg };

        ok(jobs_start(f->jobs, &spec, id));
}

static struct job_snap ended(struct fixture *f, const char *id)
{
        struct job_snap s;

        ok(jobs_wait(f->jobs, id, clock_mono_ns() + 10 * NS_PER_SEC, &s));
        return s;
}

static unsigned count(struct fixture *f, const struct job_query *q)
{
        AUTO_ARENA struct arena a;
        struct job_snap *snaps;
        unsigned n;

        arena_init(&a, 0, 0);
        ok(jobs_query(f->jobs, q, &a, &snaps, &n));
        return n;
}

static void test_kinds(void **state)
{
        unsigned n;
        const struct job_kind *k = job_kinds(&n);

        (void)state;
        assert_int_equal(n, 34);
        for (unsigned i = 0; i < n; i++) {
                assert_ptr_equal(job_kind_find(str_of(k[i].name)), &k[i]);
                assert_ptr_equal(job_kind_find(str_of(k[i].display)), &k[i]);
        }
        assert_null(job_kind_find(STR("nothing")));
        assert_string_equal(job_kind_find(STR("copy-bucket"))->name, "copy-bck");
}

static void test_success(void **state)
{
        struct fixture *f = *state;
        struct job_snap s;
        char id[40];

        start(f, "lru", succeed, NULL, id);
        s = ended(f, id);
        assert_true(id_check(str_of(id)) && strlen(id) >= 9);
        assert_int_equal(s.objects, 3);
        assert_int_equal(s.bytes, 300);
        assert_true(s.end_ns >= s.start_ns && s.start_ns > 0);
        assert_true(s.idle && !s.aborted);
        assert_string_equal(s.err, "");
}

static void test_failure(void **state)
{
        struct fixture *f = *state;
        struct job_snap s;
        char id[40];

        start(f, "lru", break_down, NULL, id);
        s = ended(f, id);
        assert_true(s.aborted);
        assert_string_equal(s.err, "disk is full");
        assert_string_equal(s.abort_err, "disk is full");
        start(f, "lru", note, NULL, id);
        s = ended(f, id);
        assert_false(s.aborted);
        assert_string_equal(s.err, "first");
}

static void test_abort(void **state)
{
        struct fixture *f = *state;
        static atomic_int running;
        struct job_query q = { .id = STR_NONE };
        struct job_snap s;
        char id[40];

        atomic_store(&running, 0);
        start(f, "lru", until_aborted, &running, id);
        while (!atomic_load(&running))
                clock_sleep_ns(NS_PER_MS);
        q.id = str_of(id);
        q.only_running = q.has_active = true;
        assert_int_equal(count(f, &q), 1);
        ok(jobs_abort(f->jobs, &q, "user abort"));
        s = ended(f, id);
        assert_true(s.aborted);
        assert_non_null(strstr(s.abort_err, "user abort"));
        assert_string_equal(s.err, "");
        assert_int_equal(count(f, &q), 0); /* this kind does not idle: an ended job is not found among running ones */
        ok(jobs_abort(f->jobs, &q, "user abort")); /* nothing matches: fine */
}

static void test_query(void **state)
{
        struct fixture *f = *state;
        struct bck b = { .name = "one" }, other = { .name = "two" };
        struct job_spec spec = { .kind = "delete-listrange", .bck = b, .run = succeed };
        struct job_query q = { .kind = STR("delete-objects") };
        char first[40], second[40], both[100];

        ok(jobs_start(f->jobs, &spec, first));
        spec.id_prefix = "tco-";
        spec.kind = "copy-listrange";
        spec.bck = other;
        ok(jobs_start(f->jobs, &spec, second));
        ended(f, first);
        ended(f, second);
        assert_int_equal(strncmp(second, "tco-", 4), 0);
        assert_int_equal(count(f, &q), 1);
        q = (struct job_query){ .kind = STR("no such kind") }; /* wire: no filter */
        assert_int_equal(count(f, &q), 2);
        q = (struct job_query){ .bck = b };
        assert_int_equal(count(f, &q), 1);
        snprintf(both, sizeof(both), "%s,%s", first, second);
        q = (struct job_query){ .id = str_of(both) };
        assert_int_equal(count(f, &q), 2);
        q = (struct job_query){ .id = str_of(second), .has_active = true, .only_running = true };
        assert_int_equal(count(f, &q), 1); /* a demand kind: ended is idle */
        q = (struct job_query){ .has_active = true, .only_running = true };
        assert_int_equal(count(f, &q), 1); /* it lingers, idle */
        clock_set_offset_ns(30 * NS_PER_SEC);
        assert_int_equal(count(f, &q), 0);
        q = (struct job_query){ .has_active = true };
        assert_int_equal(count(f, &q), 2);
        clock_set_offset_ns(0);
}

static void test_conflict(void **state)
{
        struct fixture *f = *state;
        static atomic_int running;
        struct job_spec resilver = { .kind = "resilver", .run = succeed },
                        copy = { .kind = "copy-bck", .run = succeed };
        struct job_query all = { .id = STR_NONE };
        char id[40];
        struct err *e;

        start(f, "resilver", until_aborted, &running, id);
        e = jobs_start(f->jobs, &resilver, id);
        assert_int_equal(err_code(e), ERR_CONFLICT);
        err_free(e);
        e = jobs_start(f->jobs, &copy, id);
        assert_int_equal(err_code(e), ERR_CONFLICT);
        err_free(e);
        start(f, "lru", succeed, NULL, id); /* no conflict */
        ended(f, id);
        ok(jobs_abort(f->jobs, &all, "test"));
}

/* The same id twice is one job; a part that must work again takes its record over. */
static void test_known_id(void **state)
{
        struct fixture *f = *state;
        struct job_spec spec = { .kind = "delete-listrange", .id = "abcdefgh12", .run = succeed };
        struct job_query q = { .id = STR("abcdefgh12") };
        struct job_snap s;
        char id[40];

        ok(jobs_start(f->jobs, &spec, id));
        ended(f, id);
        ok(jobs_start(f->jobs, &spec, id));
        s = ended(f, id);
        assert_int_equal(s.objects, 3);
        assert_int_equal(count(f, &q), 1);
        spec.again = true;
        ok(jobs_start(f->jobs, &spec, id));
        s = ended(f, id);
        assert_int_equal(s.objects, 6);
        assert_int_equal(count(f, &q), 1);
}

/* Lists of names of all unfinished jobs together are bounded; one job alone may be as large as it likes. */
static void test_held(void **state)
{
        struct fixture *f = *state;
        static atomic_int running;
        struct job_spec large = { .kind = "lru", .run = until_aborted, .arg = &running, .held = (size_t)600 << 20 };
        struct job_spec small = { .kind = "lru", .run = succeed, .held = 1 };
        struct job_query all = { .id = STR_NONE };
        char id[40], other[40];
        struct err *e;

        ok(jobs_start(f->jobs, &large, id));
        e = jobs_start(f->jobs, &small, other);
        assert_int_equal(err_code(e), ERR_OVERLOAD);
        err_free(e);
        ok(jobs_abort(f->jobs, &all, "test"));
        ended(f, id);
        ok(jobs_start(f->jobs, &small, other));
        ended(f, other);
}

static void test_history(void **state)
{
        struct fixture *f = *state;
        struct job_spec spec = { .kind = "move-bck" };
        struct job_query all = { .id = STR_NONE };
        char id[40];

        for (unsigned i = 0; i < 1500; i++)
                ok(jobs__note_done(f->jobs, &spec, id));
        assert_int_equal(count(f, &all), 1500); /* younger than an hour */
        clock_set_offset_ns(2 * 3600 * NS_PER_SEC);
        ok(jobs__note_done(f->jobs, &spec, id));
        clock_set_offset_ns(0);
        assert_int_equal(count(f, &all), 1024);
        assert_int_not_equal(ended(f, id).end_ns, 0); /* the newest is among them */
}

static void test_wait_timeout(void **state)
{
        struct fixture *f = *state;
        static atomic_int running;
        struct job_snap s;
        char id[40];
        struct err *e;

        start(f, "lru", until_aborted, &running, id);
        e = jobs_wait(f->jobs, id, clock_mono_ns() + 10 * NS_PER_MS, &s);
        assert_int_equal(err_code(e), ERR_TIMEOUT);
        err_free(e);
        e = jobs_wait(f->jobs, "nobody", clock_mono_ns() + 10 * NS_PER_MS, &s);
        assert_int_equal(err_code(e), ERR_JOB_NOT_FOUND);
        err_free(e);
        /* the job is left running: the teardown aborts it and must not hang */
}

static void test_names(void **state)
{
        struct str list[] = { STR("a"), STR("b/c") }, bad[] = { STR("../x") };
        struct job_names *s;
        struct err *e;
        char text[128];

        (void)state;
        ok(job_names_new(list, 2, STR("ignored"), &s));
        assert_true(job__names_explicit(s));
        assert_string_equal(job_names_text(s, text), "list: 2 names");
        job_names_free(s);
        ok(job_names_new(NULL, 0, STR("a-{1..3}"), &s));
        assert_false(job__names_explicit(s));
        assert_string_equal(job_names_text(s, text), "template: a-{1..3}");
        job_names_free(s);
        ok(job_names_new(NULL, 0, STR(""), &s));
        assert_string_equal(job_names_text(s, text), "all objects");
        job_names_free(s);
        e = job_names_new(bad, 1, STR(""), &s);
        assert_int_equal(err_code(e), ERR_INVALID_NAME);
        err_free(e);
        e = job_names_new(NULL, 0, STR("a-{5..1}"), &s);
        assert_int_equal(err_code(e), ERR_INVALID);
        err_free(e);
}

static void check_name(const struct job_copy_options *o, const char *from, const char *to)
{
        AUTO_ARENA struct arena a;
        struct str got;

        arena_init(&a, 0, 0);
        got = job_copy_name(o, str_of(from), &a);
        if (!str_eq(got, str_of(to)))
                fail_msg("%s became " STR_FMT ", not %s", from, STR_ARG(got), to);
}

static void test_copy_name(void **state)
{
        struct job_extension ext[] = { { STR("jpg"), STR("png") }, { STR("tar"), STR(".tgz") } };
        struct job_copy_options plain = { .prepend = STR_NONE },
                                o = { .prepend = STR("x/"), .extensions = ext, .nextensions = 2 };

        (void)state;
        check_name(&plain, "a/b.jpg", "a/b.jpg");
        check_name(&o, "a/b.jpg", "x/a/b.png");
        check_name(&o, "a.tar", "x/a.tgz");
        check_name(&o, "a.jpg.gz", "x/a.jpg.gz");
        check_name(&o, "jpg", "x/jpg");
        check_name(&o, ".jpg", "x/.png");
}

static void test_start_refusals(void **state)
{
        struct fixture *f = *state;
        const struct bucket b = { .bck = { .name = "b" } };
        const struct {
                const char *kind;
                const struct bucket *bucket;
                enum err_code code;
        } rows[] = {
                { "load-lom-cache", NULL, ERR_INVALID },
                { "copy-bck", NULL, ERR_INVALID },
                { "copy-bck", &b, ERR_INVALID },
                { "prefetch-listrange", &b, ERR_NOT_REMOTE_BUCKET },
                { "blob-download", &b, ERR_NOT_REMOTE_BUCKET },
                { "rechunk", &b, ERR_NOT_IMPLEMENTED },
        };
        char id[40];

        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct job_start_args a = { .kind = job_kind_find(str_of(rows[i].kind)), .bucket = rows[i].bucket };
                struct err *e = job_start_kind(f->jobs, &a, id);

                assert_int_equal(err_code(e), rows[i].code);
                err_free(e);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_kinds),
                cmocka_unit_test_setup_teardown(test_success, setup, teardown),
                cmocka_unit_test_setup_teardown(test_failure, setup, teardown),
                cmocka_unit_test_setup_teardown(test_abort, setup, teardown),
                cmocka_unit_test_setup_teardown(test_query, setup, teardown),
                cmocka_unit_test_setup_teardown(test_conflict, setup, teardown),
                cmocka_unit_test_setup_teardown(test_known_id, setup, teardown),
                cmocka_unit_test_setup_teardown(test_held, setup, teardown),
                cmocka_unit_test_setup_teardown(test_history, setup, teardown),
                cmocka_unit_test_setup_teardown(test_wait_timeout, setup, teardown),
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_copy_name),
                cmocka_unit_test_setup_teardown(test_start_refusals, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
