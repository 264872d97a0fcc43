/* Jobs over three members in one process, over loopback with the real TLS: starting, asking anywhere, stopping, and
 * what a restart makes of a part. */
#include "cluster/test_member.h"

#include "base/log.h"
#include "flow/owner.h"
#include "jobs/kinds.h"
#include "os/thread.h"

enum { NODES = 3, MOVED = 60 };

struct member {
        struct test_member at;
        struct node node;
        struct jobs *jobs;
};
static struct member members[NODES];
static struct pool *pool;

/* ---- members ---- */

static void open_store(struct member *m)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(m->node.cluster);
        const char *paths[] = { m->at.dir };
        struct store_options so = { .paths = paths, .npaths = 1, .cluster_uuid = snap->uuid,
                                    .target_id = snap->target->id,
                                    .node = (uint32_t)snap->target->digest };

        assert_ok(store_open(&so, &m->node.store));
}

static void follow(void *arg, const struct snapshot *before, const struct snapshot *after)
{
        flow_follow(arg, before, after);
}

static void flow_now(struct member *m)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(m->node.cluster);

        flow_follow(&m->node, NULL, snap);
}

static void start_member(struct member *m, const char *token)
{
        test_member_place(&m->at);
        assert_ok(test_member_open(&m->at, token, pool));
        m->node.cluster = m->at.c;
        open_store(m);
        assert_ok(flow_start(&m->node));
        assert_ok(flow_routes(&m->node, m->at.rpc));
        flow_now(m);
        cluster_watch(m->node.cluster, follow, &m->node);
        assert_ok(jobs_new(&m->node, pool, &m->jobs));
        assert_ok(jobs_join(m->jobs, m->at.rpc));
        test_member_listen(&m->at, pool);
        assert_ok(jobs_begin(m->jobs));
}

static void stop_member(struct member *m)
{
        if (!m->node.cluster)
                return;
        test_member_stop(&m->at, true);
        jobs_free(m->jobs);
        flow_stop(&m->node);
        store_close(m->node.store);
        test_member_close(&m->at);
        m->node.cluster = NULL;
        m->node.store = NULL;
        m->jobs = NULL;
}

static struct member *leader(void)
{
        for (unsigned i = 0; i < NODES; i++)
                if (members[i].node.cluster && cluster_is_leader(members[i].node.cluster))
                        return &members[i];
        return NULL;
}

/* ---- waiting ---- */

static bool someone_leads(void *arg)
{
        (void)arg;
        return leader() != NULL;
}

/* Everybody sees three targets, with nothing left to move. */
static bool settled(void *arg)
{
        (void)arg;
        for (unsigned i = 0; i < NODES; i++) {
                AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(members[i].node.cluster);

                if (s->placement.n != NODES || !leader() ||
                    cluster_open_epoch(members[i].node.cluster) < s->placement.epoch ||
                    !cluster_has_lease(members[i].node.cluster, clock_mono_ns()) || s->earlier_count > 0)
                        return false;
        }
        return true;
}

/* ---- objects and jobs ---- */

static const struct bucket *bucket(struct member *m, const char *name, const struct snapshot **snap)
{
        struct bck b = test_bck(name);
        const struct bucket *found;

        *snap = cluster_pin(m->node.cluster);
        found = snapshot_bucket(*snap, &b);
        assert_non_null(found);
        return found;
}

static void put_at(struct member *m, const char *bck, const char *name)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct flow_put_options o = { .size = 7 };
        AUTO_ARENA struct arena a;
        struct flow_put *p;
        struct obj_meta meta;
        bool noop;

        arena_init(&a, 0, 0);
        assert_ok(flow_put_begin(&m->node, bucket(m, bck, &snap), str_of(name), &o, &p));
        assert_ok(flow_put_write(p, "content", 7));
        assert_ok(flow_put_commit(p, &a, &meta, &noop));
}

/* What the first member held before the others joined. */
static const char *moved_name(unsigned i, char buf[static 32])
{
        snprintf(buf, 32, "moved/%u", i);
        return buf;
}

static int setup(void **state)
{
        AUTO_BUF struct buf token = BUF_INIT;
        char name[32];

        (void)state;
        assert_ok(log_set_levels(str_of(getenv("ORLOP_TEST_LOG") ? getenv("ORLOP_TEST_LOG") : "error")));
        assert_ok(test_pool_new(&pool));
        start_member(&members[0], NULL);
        assert_true(test_wait_until(someone_leads, NULL, 30));
        test_create(members[0].node.cluster, "moved");
        for (unsigned i = 0; i < MOVED; i++)
                put_at(&members[0], "moved", moved_name(i, name));
        assert_ok(cluster_token_new(leader()->node.cluster, 60 * NS_PER_SEC, NODES, &token));
        for (unsigned i = 1; i < NODES; i++)
                start_member(&members[i], buf_cstr(&token));
        if (!test_wait_until(settled, NULL, 30))
                fail_msg("the cluster does not settle");
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        for (unsigned i = NODES; i > 0; i--)
                stop_member(&members[i - 1]);
        for (unsigned i = 0; i < NODES; i++)
                test_dir_free(members[i].at.dir);
        pool_free(pool);
        return 0;
}

/* ---- jobs ---- */

static void make_bucket(const char *name)
{
        test_create(leader()->node.cluster, name);
        for (unsigned i = 0; i < NODES; i++)
                assert_ok(cluster_sync(members[i].node.cluster, clock_mono_ns() + 10 * NS_PER_SEC));
}

static struct member *owner_of(const char *bck, struct str name)
{
        for (unsigned i = 0; i < NODES; i++) {
                AUTO_SNAPSHOT const struct snapshot *snap = NULL;
                const struct bucket *b = bucket(&members[i], bck, &snap);

                if (snapshot_owns(snap, snapshot_digest(b, name)))
                        return &members[i];
        }
        fail_msg("nobody owns " STR_FMT, STR_ARG(name));
        return NULL;
}

static void put(const char *bck, const char *name)
{
        put_at(owner_of(bck, str_of(name)), bck, name);
}

static struct job_snap status(struct member *m, const char *id)
{
        struct job_query q = { .id = str_of(id) };
        AUTO_ARENA struct arena a;
        struct job_snap *snaps;
        unsigned n;

        arena_init(&a, 0, 0);
        assert_ok(jobs_status(m->jobs, &q, &a, &snaps, &n));
        assert_int_equal(n, 1);
        return snaps[0];
}

struct waiting {
        struct member *at;
        const char *id;
        struct job_snap got;
};

static bool has_ended(void *arg)
{
        struct waiting *w = arg;

        w->got = status(w->at, w->id);
        return w->got.end_ns != 0;
}

static struct job_snap ended(struct member *m, const char *id)
{
        struct waiting w = { .at = m, .id = id };

        if (!test_wait_until(has_ended, &w, 30))
                fail_msg("job %s does not end", id);
        return w.got;
}

/* What all targets say of a job: the sum of its objects; *ret_n of them know it, *ret_running run it. */
static uint64_t gather(struct member *m, const char *id, unsigned *ret_n, unsigned *ret_running)
{
        struct job_query q = { .id = str_of(id) };
        struct job_target_snaps *all;
        AUTO_ARENA struct arena a;
        uint64_t objects = 0;
        unsigned n;

        arena_init(&a, 0, 0);
        assert_ok(jobs_query_all(m->jobs, &q, &a, &all, &n));
        assert_int_equal(n, NODES);
        *ret_n = *ret_running = 0;
        for (unsigned i = 0; i < n; i++)
                for (unsigned k = 0; k < all[i].n; k++) {
                        ++*ret_n;
                        *ret_running += all[i].snaps[k].end_ns == 0;
                        objects += all[i].snaps[k].objects;
                }
        return objects;
}

static void start_delete(struct member *m, const char *bck, struct str template_text, const struct str *list,
                         size_t nlist, char id[static 40])
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct job_limits l = { 0, false };
        struct job_names *sel;

        assert_ok(job_names_new(list, nlist, template_text, &sel));
        assert_ok(job_start_delete(m->jobs, bucket(m, bck, &snap), sel, &l, id));
}

/* ---- the tests ---- */

/* The joins of setup() were changes of the set of targets: what the first member held has moved to its owners, by a job
 * that ended; one by hand has another id, and nothing to do. */
static void test_rebalance(void **state)
{
        struct job_start_args a = { .kind = job_kind_find(STR("rebalance")) };
        struct job_query q = { .kind = STR("rebalance") };
        struct job_target_snaps *all;
        struct job_snap s, *snaps;
        AUTO_ARENA struct arena arena;
        char name[32], id[40], newest[40];
        uint64_t moved = 0;
        unsigned n;

        (void)state;
        arena_init(&arena, 0, 0);
        for (unsigned i = 0; i < MOVED; i++) {
                AUTO_SNAPSHOT const struct snapshot *snap = NULL;
                struct member *m = owner_of("moved", str_of(moved_name(i, name)));
                struct obj_meta meta;

                assert_ok(flow_head(&m->node, bucket(m, "moved", &snap), str_of(name), &arena, &meta));
        }
        assert_ok(jobs_status(members[1].jobs, &q, &arena, &snaps, &n));
        assert_true(n > 0);
        memcpy(newest, snaps[0].id, sizeof(newest));
        s = ended(&members[2], newest);
        assert_false(s.aborted);
        assert_ok(jobs_query_all(members[1].jobs, &q, &arena, &all, &n));
        for (unsigned i = 0; i < n; i++)
                for (unsigned k = 0; k < all[i].n; k++)
                        moved += all[i].snaps[k].out_objects;
        assert_true(moved > 0);
        assert_ok(job_start_kind(leader()->jobs, &a, id));
        assert_string_not_equal(id, newest);
        assert_true(strlen(id) == strlen(newest) && strcmp(id, newest) > 0);
        s = ended(&members[0], id);
        assert_false(s.aborted);
}

static void test_everywhere(void **state)
{
        struct job_start_args a = { .kind = job_kind_find(STR("lru")) };
        unsigned known, running;
        char id[40], other[40];
        struct err *e;

        (void)state;
        assert_ok(job_start_kind(leader()->jobs, &a, id));
        for (unsigned i = 0; i < NODES; i++) { /* known to all, at once */
                struct job_snap s = ended(&members[i], id);

                assert_false(s.aborted);
                assert_string_equal(s.kind->name, "lru");
                gather(&members[i], id, &known, &running);
                assert_int_equal(known, NODES);
                assert_int_equal(running, 0);
                if (&members[i] == leader())
                        continue;
                e = job_start_kind(members[i].jobs, &a, other); /* who asked is to pass it on */
                assert_int_equal(err_code(e), ERR_NOT_PRIMARY);
                err_free(e);
        }
}

static void test_each_name_once(void **state)
{
        static const char *const missing = "nobody/put/this";
        struct str list[31];
        char names[30][32], id[40];
        unsigned known, running;
        struct job_snap s;

        (void)state;
        make_bucket("names");
        for (unsigned i = 0; i < 30; i++) {
                snprintf(names[i], sizeof(names[i]), "o-%02u", i);
                put("names", names[i]);
                list[i] = str_of(names[i]);
        }
        list[30] = str_of(missing);
        start_delete(leader(), "names", STR(""), list, 31, id);
        s = ended(&members[1], id);
        assert_false(s.aborted);
        assert_non_null(strstr(s.err, missing)); /* told by one target, shown for the whole */
        assert_int_equal(gather(&members[2], id, &known, &running), 30);
        start_delete(leader(), "names", STR("o-{00..29}"), NULL, 0, id);
        ended(&members[2], id);
        assert_int_equal(gather(&members[1], id, &known, &running), 0); /* all are gone */
}

/* More names than the cluster's state takes: each target is sent its own. */
static void test_long_list(void **state)
{
        unsigned n = 12000, known, running;
        struct str *list = calloc(n, sizeof(*list));
        char *text = malloc(n * 48), id[40];
        struct job_snap s;

        (void)state;
        assert_true(list && text);
        make_bucket("long");
        for (unsigned i = 0; i < n; i++) {
                snprintf(text + i * 48, 48, "a/rather/long/name/of/an/object-%06u", i);
                list[i] = str_of(text + i * 48);
        }
        put("long", list[7].p);
        put("long", list[11999].p);
        start_delete(leader(), "long", STR(""), list, n, id);
        s = ended(&members[0], id);
        assert_false(s.aborted);
        assert_int_equal(gather(&members[0], id, &known, &running), 2);
        free(list);
        free(text);
}

static bool summed_up(void *arg)
{
        struct waiting *w = arg;
        struct job_summary sum;
        AUTO_ARENA struct arena a;

        arena_init(&a, 0, 0);
        assert_ok(job_summary_get(w->at->jobs, str_of(w->id), &a, &sum));
        if (!sum.done)
                return false;
        assert_int_equal(sum.n, 1);
        assert_int_equal(sum.rows[0].sum.objects, 20);
        assert_int_equal(sum.rows[0].sum.bytes, 140);
        assert_int_equal(sum.rows[0].sum.min_size, 7);
        return true;
}

static void test_summary(void **state)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct waiting w = { .at = &members[2] };
        struct job_summary sum;
        AUTO_ARENA struct arena a;
        char name[16], id[40];
        struct err *e;

        (void)state;
        arena_init(&a, 0, 0);
        make_bucket("sums");
        for (unsigned i = 0; i < 20; i++) {
                snprintf(name, sizeof(name), "s-%u", i);
                put("sums", name);
        }
        assert_ok(job_start_summary(members[1].jobs, bucket(&members[1], "sums", &snap), STR(""), id)); /* by anybody */
        w.id = id;
        assert_true(test_wait_until(summed_up, &w, 30));
        e = job_summary_get(members[0].jobs, STR("nobody12345"), &a, &sum);
        assert_int_equal(err_code(e), ERR_JOB_NOT_FOUND);
        err_free(e);
}

/* A long job: its target restarts and works again; then it is stopped, everywhere, by whoever leads. */
static void test_restart_and_stop(void **state)
{
        struct member *other = &members[leader() == &members[2] ? 1 : 2];
        unsigned known, running;
        char id[40];
        struct job_query q = { .id = str_of(id) };
        struct job_snap s;

        (void)state;
        make_bucket("slow");
        start_delete(leader(), "slow", STR("x-{0..9999999}"), NULL, 0, id);
        gather(other, id, &known, &running);
        assert_int_equal(running, NODES);
        stop_member(other);
        start_member(other, NULL);
        assert_true(test_wait_until(someone_leads, NULL, 30));
        int64_t until = clock_mono_ns() + 30 * NS_PER_SEC;
        do {
                if (clock_mono_ns() > until)
                        fail_msg("%u targets run the job, not all", running);
                clock_sleep_ns(100 * NS_PER_MS);
                gather(other, id, &known, &running);
        } while (running != NODES);
        s = status(other, id);
        assert_true(s.end_ns == 0 && !s.aborted);
        assert_ok(jobs_stop(leader()->jobs, &q, "user abort"));
        for (unsigned i = 0; i < NODES; i++) {
                s = ended(&members[i], id);
                assert_true(s.aborted);
                assert_non_null(strstr(s.abort_err, "user abort"));
        }
        gather(leader(), id, &known, &running);
        assert_int_equal(running, 0);
}

static void test_rename(void **state)
{
        struct bck from = test_bck("before"), to = test_bck("after");
        unsigned known, running;
        struct job_snap s;
        char id[40];

        (void)state;
        make_bucket("before");
        assert_ok(job_start_move(leader()->jobs, &from, &to, id));
        s = status(&members[1], id);
        assert_true(s.end_ns != 0 && !s.aborted);
        gather(&members[2], id, &known, &running);
        assert_int_equal(known, NODES);
        assert_int_equal(running, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rebalance), cmocka_unit_test(test_everywhere), cmocka_unit_test(test_each_name_once),
                cmocka_unit_test(test_long_list), cmocka_unit_test(test_summary),    cmocka_unit_test(test_rename),
                cmocka_unit_test(test_restart_and_stop),
        };

        return cmocka_run_group_tests(tests, setup, teardown);
}
