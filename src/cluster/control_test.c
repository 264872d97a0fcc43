/* The control plane without faults: identity, buckets, configuration, mountpaths, watchers, snapshots across threads.
 */
#include "cluster/test_util.h"

#include <string.h>

#include "base/log.h"
#include "meta/placement.h"
#include "os/clock.h"
#include "os/thread.h"

static char *dir;

static int setup(void **state)
{
        (void)state;
        assert_ok(log_set_levels(STR("warn")));
        dir = test_dir_new();
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        test_dir_free(dir);
        return 0;
}

static void test_first_start_and_reopen(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir), *second = NULL;
        const struct snapshot *s = cluster_pin(c);
        assert_true(id_check(str_of(s->uuid)) && strlen(s->uuid) >= 9);
        assert_int_equal(s->node_count, 2);
        assert_int_equal(s->proxy_count, 1);
        assert_int_equal(s->target_count, 1);
        assert_ptr_equal(s->primary, s->proxy);
        assert_false(s->proxy->target);
        assert_true(s->target->target);
        assert_true(strlen(s->proxy->id) >= 8 && strcmp(s->proxy->id, s->target->id) != 0);
        assert_true(s->target->digest == placement_digest(str_of(s->target->id)));
        assert_string_equal(s->target->addr[CLUSTER_NET_PUBLIC].url, "http://127.0.0.1:8080");
        assert_ptr_equal(snapshot_node(s, str_of(s->target->id)), s->target);
        assert_null(snapshot_node(s, STR("nobody")));
        assert_int_equal(strlen(s->creation_time), 19);
        assert_int_equal(s->bucket_count, 0);
        assert_string_equal(config_str(s->config, "uuid"), s->uuid);
        assert_string_equal(config_str(s->config, "proxy.primary_url"), "http://127.0.0.1:8080");
        struct cluster_opts o = test_opts(dir);
        assert_err(cluster_open(&o, &second), ERR_IN_USE);
        cluster_close(c); /* the snapshot outlives it */

        c = test_open(dir);
        const struct snapshot *t = cluster_pin(c);
        assert_string_equal(t->uuid, s->uuid);
        assert_string_equal(t->proxy->id, s->proxy->id);
        assert_string_equal(t->target->id, s->target->id);
        assert_string_equal(t->creation_time, s->creation_time);
        assert_int_equal(t->smap_version, s->smap_version);
        cluster_unpin(s);
        cluster_unpin(t);
        cluster_close(c);
}

static void test_given_identity(void **state)
{
        (void)state;
        struct cluster_opts o = test_opts(dir);
        struct cluster *c = NULL;
        o.target_id = "short";
        assert_err(cluster_open(&o, &c), ERR_INVALID);
        o.target_id = "target-01";
        o.proxy_id = "target-01";
        assert_err(cluster_open(&o, &c), ERR_INVALID);
        o.proxy_id = "proxy-01";
        o.cluster_uuid = "cluster01";
        assert_ok(cluster_open(&o, &c));
        const struct snapshot *s = cluster_pin(c);
        assert_string_equal(s->uuid, "cluster01");
        assert_string_equal(s->proxy->id, "proxy-01");
        assert_string_equal(s->target->id, "target-01");
        cluster_unpin(s);
        cluster_close(c);
        o.target_id = "target-02";
        assert_err(cluster_open(&o, &c), ERR_FOREIGN);
        o.target_id = NULL;
        o.cluster_uuid = "cluster02";
        assert_err(cluster_open(&o, &c), ERR_FOREIGN);
}

static void test_buckets(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        struct bck b = test_bck("b"), other, cloud;
        uint64_t first = test_create(c, "b"), second = test_create(c, "a"), third, cloudy, gone;
        assert_true(first >> 63 && second > first);
        struct err *e = cluster_bucket_create(c, &b, NULL, NULL);
        assert_string_equal(e->msg, "bucket \"ais://b\" already exists");
        assert_err(e, ERR_BUCKET_EXISTS);
        assert_ok(bck_make(STR("b"), STR_NONE, STR("#ns"), &other));
        assert_ok(bck_make(STR("b"), STR("aws"), STR_NONE, &cloud));
        assert_ok(cluster_bucket_create(c, &other, NULL, &third));
        assert_ok(cluster_bucket_create(c, &cloud, NULL, &cloudy));
        assert_false(cloudy >> 63);
        const struct snapshot *s = cluster_pin(c);
        assert_int_equal(s->bucket_count, 4);
        for (size_t i = 1; i < s->bucket_count; i++)
                assert_true(bck_cmp(&s->buckets[i - 1]->bck, &s->buckets[i]->bck) < 0);
        assert_true(snapshot_bucket(s, &b)->bid == first);
        assert_true(snapshot_bucket(s, &other)->bid == third);
        assert_true(snapshot_bucket(s, &cloud)->bid == cloudy);
        assert_true(snapshot_bucket_ais(s, STR("b"))->bid == first);
        assert_null(snapshot_bucket_ais(s, STR("zz")));
        assert_ptr_equal(snapshot_bucket_by_id(s, second), snapshot_bucket_ais(s, STR("a")));
        assert_null(snapshot_bucket_by_id(s, 4711));
        assert_true(snapshot_bucket(s, &b)->created_ns > 0);
        assert_int_equal(snapshot_bucket(s, &b)->props.mirror.copies, 2);
        assert_ptr_equal(snapshot_owner(s, &b, STR("x")), s->target);
        uint64_t version = s->bmd_version;

        struct bck d = test_bck("d"), missing = test_bck("zz");
        assert_ok(cluster_bucket_rename(c, &b, &d));
        assert_err(cluster_bucket_rename(c, &b, &d), ERR_BUCKET_NOT_FOUND);
        other = test_bck("a");
        assert_err(cluster_bucket_rename(c, &d, &other), ERR_BUCKET_EXISTS_TARGET);
        assert_err(cluster_bucket_rename(c, &d, &d), ERR_INVALID);
        assert_err(cluster_bucket_rename(c, &d, &cloud), ERR_INVALID);
        assert_ok(cluster_bucket_destroy(c, &other, &gone));
        assert_true(gone == second);
        e = cluster_bucket_destroy(c, &missing, NULL);
        assert_string_equal(e->msg, "bucket \"ais://zz\" does not exist");
        assert_err(e, ERR_BUCKET_NOT_FOUND);
        assert_non_null(snapshot_bucket(s, &b)); /* what was pinned does not change */
        cluster_unpin(s);
        s = cluster_pin(c);
        assert_int_equal(s->bucket_count, 3);
        assert_true(snapshot_bucket(s, &d)->bid == first);
        assert_int_equal(s->bmd_version, version + 2);
        cluster_unpin(s);
        cluster_close(c);

        c = test_open(dir);
        s = cluster_pin(c);
        assert_int_equal(s->bucket_count, 3);
        assert_true(snapshot_bucket(s, &d)->bid == first);
        assert_int_equal(s->bmd_version, version + 2);
        cluster_unpin(s);
        assert_true((test_create(c, "new") & ~(UINT64_C(1) << 63)) >
                    cloudy); /* ids of destroyed buckets do not come back */
        cluster_close(c);
}

static struct err *make_fast(void *arg, struct bucket_props *p)
{
        p->fast = *(bool *)arg;
        return NULL;
}

static struct err *refuse_props(void *arg, struct bucket_props *p)
{
        (void)arg;
        p->mirror.copies = 9;
        return err_new(ERR_ACCESS, "no");
}

static void test_props(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        struct bck b = test_bck("b"), missing = test_bck("zz");
        struct bucket_props before, after;
        test_create(c, "b");
        AUTO_JSON json_t *copies = json_pack("{s:{s:i}}", "mirror", "copies", 3), *bad = json_pack("{s:i}", "zz", 1);
        AUTO_JSON json_t *mirror = json_pack("{s:{s:b}}", "mirror", "enabled", 1),
                         *ec = json_pack("{s:{s:b}}", "ec", "enabled", 1);
        assert_ok(cluster_bucket_set_props(c, &b, copies, &before, &after));
        assert_int_equal(before.mirror.copies, 2);
        assert_int_equal(after.mirror.copies, 3);
        struct snapshot_cache cache = { 0 };
        uint64_t version = cluster_snapshot_cached(c, &cache)->bmd_version;
        assert_ok(cluster_bucket_set_props(c, &b, copies, NULL, NULL));
        assert_int_equal(cluster_snapshot_cached(c, &cache)->bmd_version, version); /* nothing changed */
        assert_err(cluster_bucket_set_props(c, &b, bad, NULL, NULL), ERR_UNKNOWN_FIELD);
        assert_err(cluster_bucket_set_props(c, &b, ec, NULL, NULL), ERR_NOT_ENOUGH_TARGETS);
        assert_err(cluster_bucket_set_props(c, &b, mirror, NULL, NULL), ERR_INVALID); /* no mountpaths yet */
        assert_err(cluster_bucket_set_props(c, &missing, copies, NULL, NULL), ERR_BUCKET_NOT_FOUND);
        const struct cluster_mountpath mps[] = { { "/a", "", true }, { "/b", "", true }, { "/c", "", true } };
        assert_ok(cluster_mountpaths_set(c, mps, 3));
        assert_ok(cluster_bucket_set_props(c, &b, mirror, NULL, NULL));
        bool fast = true;
        assert_ok(cluster_bucket_edit_props(c, &b, make_fast, &fast));
        version = cluster_snapshot_cached(c, &cache)->bmd_version;
        assert_ok(cluster_bucket_edit_props(c, &b, make_fast, &fast));
        assert_int_equal(cluster_snapshot_cached(c, &cache)->bmd_version, version);
        assert_err(cluster_bucket_edit_props(c, &b, refuse_props, NULL), ERR_ACCESS);
        snapshot_cache_drop(&cache);
        cluster_close(c);
        c = test_open(dir);
        const struct bucket *bucket = snapshot_bucket(cluster_snapshot_cached(c, &cache), &b);
        assert_true(bucket->props.fast && bucket->props.mirror.enabled);
        assert_int_equal(bucket->props.mirror.copies, 3);
        uint64_t bid = bucket->bid;
        assert_ok(cluster_bucket_reset_props(c, &b));
        bucket = snapshot_bucket(cluster_snapshot_cached(c, &cache), &b);
        assert_true(!bucket->props.fast && !bucket->props.mirror.enabled && bucket->bid == bid &&
                    bucket->created_ns > 0);
        snapshot_cache_drop(&cache);
        cluster_close(c);
}

static struct err *set_option(void *arg, struct config *c)
{
        const char *const *kv = arg;
        return config_set(c, str_of(kv[0]), str_of(kv[1]), CONFIG_SCOPE_CLUSTER, NULL);
}

static struct err *base_config(void *arg, struct config *c)
{
        (void)arg;
        return config_set(c, STR("space.out_of_space"), STR("97"), CONFIG_SCOPE_CLUSTER, NULL);
}

static void test_config(void **state)
{
        (void)state;
        const char *level[] = { "log.level", "4" }, *copies[] = { "mirror.copies", "4" },
                   *high[] = { "space.highwm", "10" }, *low[] = { "space.lowwm", "70" };
        struct cluster_opts o = test_opts(dir);
        o.config_base = base_config;
        struct cluster *c;
        struct snapshot_cache cache = { 0 };
        assert_ok(cluster_open(&o, &c));
        const struct snapshot *s = cluster_snapshot_cached(c, &cache);
        assert_int_equal(config_int(s->config, "space.out_of_space"), 97);
        uint64_t version = s->config_version;
        const struct config *unchanged = s->config;
        test_create(c, "b");
        assert_ptr_equal(cluster_snapshot_cached(c, &cache)->config, unchanged); /* watchers compare pointers */
        assert_ok(cluster_config_edit(c, set_option, level, false));
        assert_ok(cluster_config_edit(c, set_option, copies, true));
        assert_ok(cluster_config_edit(c, set_option, low, false));
        assert_err(cluster_config_edit(c, set_option, high, false), ERR_INVALID);
        s = cluster_snapshot_cached(c, &cache);
        assert_string_equal(config_str(s->config, "log.level"), "4");
        assert_int_equal(config_int(s->config, "mirror.copies"), 4);
        assert_int_equal(config_int(s->config, "space.lowwm"), 70);
        assert_int_equal(config_int(s->config, "space.highwm"), 90);
        assert_int_equal(s->config_version, version + 2);
        assert_int_equal(config_int(s->config, "config_version"), s->config_version);
        snapshot_cache_drop(&cache);
        cluster_close(c);

        assert_ok(cluster_open(&o, &c));
        s = cluster_snapshot_cached(c, &cache);
        assert_string_equal(config_str(s->config, "log.level"), "4");
        assert_int_equal(config_int(s->config, "mirror.copies"), 2); /* was transient */
        assert_ok(cluster_config_edit(c, set_option, copies, true));
        assert_ok(cluster_config_reset(c));
        s = cluster_snapshot_cached(c, &cache);
        assert_string_equal(config_str(s->config, "log.level"), "3");
        assert_int_equal(config_int(s->config, "mirror.copies"), 2);
        assert_int_equal(config_int(s->config, "space.out_of_space"), 97);
        assert_int_equal(s->config_version, version + 3);
        snapshot_cache_drop(&cache);
        cluster_close(c);
}

static void assert_config(struct cluster *c, const char *level, int64_t copies)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        assert_string_equal(config_str(s->config, "log.level"), level);
        assert_int_equal(config_int(s->config, "mirror.copies"), copies);
}

/* Three layers: the cluster's values, this process's own, transient ones. */
static void test_own_config(void **state)
{
        (void)state;
        const char *four[] = { "log.level", "4" }, *five[] = { "log.level", "5" }, *two[] = { "log.level", "2" },
                   *copies[] = { "mirror.copies", "3" };
        struct cluster *c = test_open(dir);
        assert_ok(cluster_config_edit_own(c, set_option, four));
        assert_config(c, "4", 2);
        assert_ok(cluster_config_edit(c, set_option, copies, false));
        assert_ok(cluster_config_edit(c, set_option, two, false)); /* the cluster's changes below it */
        assert_config(c, "4", 3);
        assert_ok(cluster_config_edit(c, set_option, five, true));
        assert_config(c, "5", 3);
        cluster_close(c);
        c = test_open(dir);
        assert_config(c, "4", 3);
        assert_ok(cluster_config_edit(c, set_option, five, true));
        assert_ok(cluster_config_drop_transient(c));
        assert_config(c, "4", 3);
        assert_ok(cluster_config_edit(c, set_option, five, true));
        assert_ok(cluster_config_reset_own(c));
        assert_config(c, "2", 3);
        cluster_close(c);
        c = test_open(dir);
        assert_config(c, "2", 3);
        cluster_close(c);
}

static void test_mountpaths_and_map(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        const struct cluster_mountpath mps[] = { { "/z", "slow", false }, { "/a", NULL, true } },
                                       twice[] = { { "/a", "", true }, { "/a", "", true } };
        assert_ok(cluster_mountpaths_set(c, mps, 2));
        assert_err(cluster_mountpaths_set(c, twice, 2), ERR_INVALID);
        assert_ok(cluster_smap_bump(c));
        const struct snapshot *s = cluster_pin(c);
        uint64_t version = s->smap_version;
        cluster_unpin(s);
        cluster_close(c);
        struct cluster_opts o = test_opts(dir);
        snprintf(o.addr[CLUSTER_NET_PUBLIC].url, sizeof(o.addr[0].url), "http://127.0.0.1:9999");
        assert_ok(cluster_open(&o, &c));
        s = cluster_pin(c);
        assert_int_equal(s->smap_version, version + 1); /* clients must learn the new address */
        assert_string_equal(s->primary->addr[CLUSTER_NET_PUBLIC].url, "http://127.0.0.1:9999");
        assert_int_equal(s->mountpath_count, 2);
        assert_string_equal(s->mountpaths[0].path, "/a");
        assert_true(s->mountpaths[0].enabled);
        assert_string_equal(s->mountpaths[1].label, "slow");
        assert_false(s->mountpaths[1].enabled);
        cluster_unpin(s);
        cluster_close(c);
}

struct seen {
        struct cluster *c;
        unsigned n;
        uint64_t last;
        bool in_order;
};

static void on_change(void *arg, const struct snapshot *before, const struct snapshot *after)
{
        struct seen *seen = arg;
        seen->in_order = before->seq + 1 == after->seq && (seen->n == 0 || before->seq == seen->last);
        seen->last = after->seq;
        seen->n++;
        AUTO_SNAPSHOT const struct snapshot *now = cluster_pin(seen->c); /* already visible */
        seen->in_order &= now == after;
}

static void test_watch(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        struct seen seen = { .c = c };
        struct bck b = test_bck("b");
        cluster_watch(c, on_change, &seen);
        test_create(c, "b");
        assert_err(cluster_bucket_create(c, &b, NULL, NULL), ERR_BUCKET_EXISTS); /* no change, no call */
        assert_ok(cluster_bucket_destroy(c, &b, NULL));
        assert_int_equal(seen.n, 2);
        assert_true(seen.in_order);
        cluster_close(c);
}

static void test_many_buckets(void **state)
{
        (void)state;
        enum { N = 300 };
        struct cluster *c = test_open(dir);
        uint64_t bids[N];
        char name[32];
        for (unsigned i = 0; i < N; i++) {
                snprintf(name, sizeof(name), "bucket-%u", i * 7919 % N);
                bids[i * 7919 % N] = test_create(c, name);
        }
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        assert_int_equal(s->bucket_count, N);
        for (unsigned i = 0; i < N; i++) {
                snprintf(name, sizeof(name), "bucket-%u", i);
                const struct bucket *b = snapshot_bucket_ais(s, str_of(name));
                assert_non_null(b);
                assert_true(b->bid == bids[i]);
                assert_ptr_equal(snapshot_bucket_by_id(s, bids[i]), b);
        }
        cluster_close(c);
}

struct reader {
        struct cluster *c;
        atomic_bool *stop;
        bool cached;
        uint64_t reads;
        bool bad;
        struct thread *t;
};

/* Every snapshot must be whole: bucket "keep" is always there, and versions never go back. */
static void read_snapshots(void *arg)
{
        struct reader *r = arg;
        struct snapshot_cache cache = { 0 };
        uint64_t last = 0;
        while (!atomic_load(r->stop)) {
                const struct snapshot *s = r->cached ? cluster_snapshot_cached(r->c, &cache) : cluster_pin(r->c);
                const struct snapshot *mine = snapshot_ref(s);
                r->bad |= s->seq < last || !snapshot_bucket_ais(s, STR("keep")) || !config_str(s->config, "uuid")[0];
                last = s->seq;
                if (!r->cached)
                        cluster_unpin(s);
                cluster_unpin(mine);
                r->reads++;
        }
        snapshot_cache_drop(&cache);
}

static void test_readers_and_changes(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        struct bck b = test_bck("flip");
        const char *level[] = { "log.level", "4" };
        atomic_bool stop = false;
        struct reader readers[4];
        test_create(c, "keep");
        for (unsigned i = 0; i < ARRAY_LEN(readers); i++) {
                readers[i] = (struct reader){ .c = c, .stop = &stop, .cached = i & 1 };
                assert_ok(thread_start(&readers[i].t, "reader", THREAD_LOOP, read_snapshots, &readers[i]));
        }
        for (unsigned i = 0; i < 40; i++) {
                assert_ok(cluster_bucket_create(c, &b, NULL, NULL));
                assert_ok(cluster_config_edit(c, set_option, level, true));
                assert_ok(cluster_bucket_destroy(c, &b, NULL));
        }
        atomic_store(&stop, true);
        for (unsigned i = 0; i < ARRAY_LEN(readers); i++) {
                thread_join(readers[i].t);
                assert_false(readers[i].bad);
                assert_true(readers[i].reads > 0);
        }
        cluster_close(c);
}

struct writer {
        struct cluster *c;
        unsigned id;
        uint64_t bids[20];
        struct thread *t;
};

static void create_buckets(void *arg)
{
        struct writer *w = arg;
        for (unsigned i = 0; i < ARRAY_LEN(w->bids); i++) {
                struct bck b = { .provider = PROVIDER_AIS };
                snprintf(b.name, sizeof(b.name), "w%u-%u", w->id, i);
                err_free(cluster_bucket_create(w->c, &b, NULL, &w->bids[i]));
        }
}

static void test_concurrent_changes(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        struct writer w[3];
        for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
                w[i] = (struct writer){ .c = c, .id = i };
                assert_ok(thread_start(&w[i].t, "writer", THREAD_WORKER, create_buckets, &w[i]));
        }
        for (unsigned i = 0; i < ARRAY_LEN(w); i++)
                thread_join(w[i].t);
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        assert_int_equal(s->bucket_count, ARRAY_LEN(w) * ARRAY_LEN(w[0].bids));
        for (unsigned i = 0; i < ARRAY_LEN(w); i++)
                for (unsigned k = 0; k < ARRAY_LEN(w[i].bids); k++)
                        assert_non_null(snapshot_bucket_by_id(s, w[i].bids[k]));
        cluster_close(c);
}

/* A rename keeps the digest; a new bucket of the old name has the old name's again. */
static void test_origin_survives_rename(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        struct bck a = test_bck("a"), b = test_bck("b");
        test_create(c, "a");
        assert_ok(cluster_bucket_rename(c, &a, &b));
        uint64_t want = placement_object_digest(&a, STR("x/y"));
        for (unsigned i = 0; i < 2; i++) {
                const struct snapshot *s = cluster_pin(c);
                assert_true(snapshot_digest(snapshot_bucket(s, &b), STR("x/y")) == want);
                assert_ptr_equal(snapshot_owner_of(s, want), s->target);
                assert_true(snapshot_owns(s, want) && !snapshot_is_unsettled(s, want));
                cluster_unpin(s);
                cluster_close(c);
                c = test_open(dir);
        }
        cluster_close(c);
}

static struct err *doc_text(void *arg, struct str key, struct str body)
{
        buf_printf(arg, STR_FMT "=" STR_FMT ";", STR_ARG(key), STR_ARG(body));
        return NULL;
}

static void test_documents(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        assert_ok(cluster_doc_put(c, STR("job/b"), STR("{\"x\":1}")));
        assert_ok(cluster_doc_put(c, STR("job/a"), STR("old")));
        assert_ok(cluster_doc_put(c, STR("job/a"), STR("new")));
        assert_ok(cluster_doc_put(c, STR("job/c"), STR("gone")));
        assert_ok(cluster_doc_put(c, STR("job/c"), STR_NONE));
        assert_ok(cluster_doc_put(c, STR("jobs/d"), STR("other")));
        assert_err(cluster_doc_put(c, STR("member/x"), STR("{}")), ERR_INVALID);
        assert_err(cluster_doc_put(c, STR("cluster"), STR("{}")), ERR_INVALID);
        assert_err(cluster_doc_put(c, STR("job"), STR("{}")), ERR_INVALID);
        for (unsigned i = 0; i < 2; i++) {
                AUTO_BUF struct buf text = BUF_INIT;
                assert_ok(cluster_doc_each(c, STR("job/"), doc_text, &text));
                assert_string_equal(buf_cstr(&text), "job/a=new;job/b={\"x\":1};");
                cluster_close(c);
                c = test_open(dir);
        }
        cluster_close(c);
}

/* What a cluster of one answers to the questions of many. */
static void test_alone(void **state)
{
        (void)state;
        struct cluster *c = test_open(dir);
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(c);
        struct gate_pass pass;
        assert_true(cluster_is_leader(c) && cluster_has_lease(c, INT64_MAX - 1));
        assert_int_equal(s->placement.epoch, 1);
        assert_int_equal(s->placement.n, 1);
        assert_string_equal(s->placement.ids[0], s->target->id);
        assert_int_equal(s->earlier_count, 0);
        assert_int_equal(cluster_open_epoch(c), 1);
        assert_true(cluster_gate_enter(c, 1, &pass));
        cluster_gate_leave(c, pass);
        assert_false(cluster_gate_enter(c, 2, &pass));
        assert_ok(cluster_wait_open(c, 1, 0));
        assert_err(cluster_wait_open(c, 2, 0), ERR_UNAVAILABLE);
        assert_ok(cluster_wait_smap(c, s->smap_version, 0));
        assert_ok(cluster_report_clean(c, 1));
        assert_err(cluster_report_clean(c, 2), ERR_CONFLICT);
        assert_string_equal(cluster_leader(s)->id, s->member_id);
        assert_ptr_equal(snapshot_member(s, str_of(s->target->id)), &s->members[0]);
        assert_null(snapshot_member(s, STR("nobody")));
        int64_t t = cluster_time_ns(c);
        clock_set_offset_ns(-NS_PER_SEC);
        assert_true(cluster_time_ns(c) >= t);
        clock_set_offset_ns(0);
        assert_err(cluster_set_primary(c, STR("nobody")), ERR_NODE_NOT_FOUND);
        assert_err(cluster_set_primary(c, str_of(s->target->id)), ERR_INVALID);
        assert_ok(cluster_set_primary(c, str_of(s->proxy->id)));
        cluster_close(c);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(test_first_start_and_reopen), T(test_given_identity), T(test_buckets),     T(test_props),
                T(test_config),                 T(test_own_config),         T(test_mountpaths_and_map), T(test_watch),   T(test_many_buckets),
                T(test_readers_and_changes),    T(test_concurrent_changes), T(test_origin_survives_rename), T(test_documents),
                T(test_alone),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
