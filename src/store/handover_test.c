/* What nodes hand to each other: given stamps, tombstones, moved markers, epochs, the clock; and the scans that show them. */
#include "store/test_store.h"

static struct obj_meta record_of(struct store *s, const char *name)
{
        static struct arena a; /* texts live until the next call */
        struct obj_key key = test_key(name);
        struct obj_meta m = { .size = 0 };
        arena_fini(&a);
        arena_init(&a, 1024, 0);
        assert_ok(store_record_head(s, &key, &a, &m));
        return m;
}

static bool any_record(struct store *s, const char *name)
{
        AUTO_ARENA struct arena a;
        struct obj_key key = test_key(name);
        struct obj_meta m;
        arena_init(&a, 1024, 0);
        struct err *e = store_record_head(s, &key, &a, &m);
        if (e)
                assert_int_equal(err_code(e), ERR_NOT_FOUND);
        err_free(e);
        return !e;
}

/* A copy as another node sends it. */
static struct put_result give(struct store *s, const char *name, struct str data, struct stamp stamp, uint64_t version,
                              uint64_t epoch)
{
        char hex[CKSUM_HEX_MAX];
        struct put_result r;
        cksum_of(CKSUM_XXHASH, data.p, data.n, hex);
        struct put_attrs a = { .cksum_type = CKSUM_XXHASH,
                               .cksum = str_of(hex),
                               .custom = STR("\001k\001v"),
                               .given = true,
                               .stamp = stamp,
                               .version = version,
                               .epoch = epoch,
                               .mtime_ns = 1234567,
                               .atime_ns = 2345678 };
        assert_ok(test_put_attrs(s, name, data, &a, &r));
        return r;
}

static struct str large(char c)
{
        static char p[100000];
        memset(p, c, sizeof p);
        return (struct str){ p, sizeof p };
}

/* Files under content/ of all mountpaths, once the background has moved away what was replaced. */
static struct err *count_file(void *arg, struct content_id id, const struct stat *st)
{
        (void)id;
        (void)st;
        ++*(unsigned *)arg;
        return NULL;
}

static unsigned contents(struct store *s, unsigned want)
{
        unsigned n = 0;
        for (int i = 0; i < 500; i++) {
                n = 0;
                for (unsigned j = 0; j < s->nmp; j++)
                        if (mountpath_enter(s->mp[j])) {
                                assert_ok(content_each(s->mp[j]->contents, count_file, &n));
                                mountpath_leave(s->mp[j]);
                        }
                if (n == want)
                        break;
                clock_sleep_ns(10 * NS_PER_MS);
        }
        return n;
}

static void test_given(void **state)
{
        struct test_store t;
        struct put_result r;
        (void)state;
        test_store_begin(&t, 1);
        const struct stamp one = { 1000, 3 }, two = { 2000, 4 }, two_other = { 2000, 5 };
        r = give(t.s, "a", STR("one"), one, 17, 5);
        assert_false(r.superseded || r.noop || r.replaced);
        struct obj_meta m = record_of(t.s, "a");
        assert_int_equal(m.stamp.hlc, 1000);
        assert_int_equal(m.stamp.node, 3);
        assert_int_equal(m.version, 17);
        assert_int_equal(m.epoch, 5);
        assert_int_equal(m.mtime_ns, 1234567);
        assert_int_equal(m.atime_ns, 2345678);
        assert_true(str_eq(m.custom, STR("\001k\001v")));
        /* The larger stamp wins, in any order; the node decides between equal times. */
        r = give(t.s, "a", large('2'), two, 18, 5);
        assert_true(r.replaced && !r.superseded);
        assert_content(t.s, "a", large('2'));
        assert_int_equal(contents(t.s, 1), 1);
        r = give(t.s, "a", large('1'), one, 17, 9);
        assert_true(r.superseded && !r.noop);
        assert_int_equal(r.stamp.hlc, 2000);
        assert_content(t.s, "a", large('2'));
        assert_int_equal(contents(t.s, 1), 1); /* what lost left no file behind */
        assert_int_equal(record_of(t.s, "a").epoch, 5);
        r = give(t.s, "a", STR("other"), two_other, 19, 5);
        assert_false(r.superseded);
        assert_content(t.s, "a", STR("other"));
        /* Equal: nothing but the epoch. */
        r = give(t.s, "a", STR("other"), two_other, 19, 8);
        assert_true(r.noop && !r.superseded);
        assert_int_equal(record_of(t.s, "a").epoch, 8);
        r = give(t.s, "a", STR("other"), two_other, 19, 7);
        assert_true(r.noop);
        assert_int_equal(record_of(t.s, "a").epoch, 8);
        assert_content(t.s, "a", STR("other"));
        /* Own writes come after what was seen, and record the epoch that was set. */
        store_set_epoch(t.s, 11);
        uint64_t far = (uint64_t)clock_wall_ns() + 3600 * NS_PER_SEC;
        give(t.s, "future", STR("x"), (struct stamp){ far, 9 }, 1, 11);
        assert_true(store_clock_now(t.s) >= far);
        test_store_reopen(&t);
        assert_true(store_clock_now(t.s) >= far);
        assert_ok(test_put(t.s, "future", STR("y")));
        m = record_of(t.s, "future");
        assert_true(m.stamp.hlc > far);
        assert_int_equal(m.version, 2);
        assert_int_equal(m.epoch, 0); /* not kept over a restart */
        store_set_epoch(t.s, 12);
        assert_ok(test_put(t.s, "future", STR("z")));
        assert_int_equal(record_of(t.s, "future").epoch, 12);
        struct obj_key key = test_key("future");
        store_set_epoch(t.s, 13);
        assert_ok(store_set_custom(t.s, &key, STR("\001a\001b"), true, false));
        assert_int_equal(record_of(t.s, "future").epoch, 13);
        struct put *p;
        struct put_attrs bad = { .given = true };
        assert_ok(store_put_begin(t.s, &key, 0, &p));
        assert_code(store_put_commit(p, &bad, &r), ERR_INVALID);
        test_store_end(&t);
}

static void test_tombstones(void **state)
{
        struct test_store t;
        struct obj_key key = test_key("a"), b = test_key("b");
        (void)state;
        test_store_begin(&t, 1);
        assert_ok(test_put(t.s, "a", large('a')));
        assert_ok(store_delete(t.s, &key, NULL, false));
        assert_false(any_record(t.s, "a")); /* off */
        store_set_tombstones(t.s, true);
        store_set_epoch(t.s, 3);
        assert_ok(test_put(t.s, "a", large('a')));
        struct stamp live = record_of(t.s, "a").stamp;
        assert_ok(store_delete(t.s, &key, NULL, false));
        assert_absent(t.s, "a");
        struct obj_meta m = record_of(t.s, "a");
        assert_true(m.tombstone && !m.moved);
        assert_int_equal(m.epoch, 3);
        assert_true(m.stamp.hlc > live.hlc);
        assert_int_equal(contents(t.s, 0), 0);
        assert_code(store_delete(t.s, &key, NULL, false), ERR_NOT_FOUND);
        /* The copy that was deleted comes late. */
        assert_true(give(t.s, "a", STR("old"), live, 1, 3).superseded);
        assert_absent(t.s, "a");
        test_store_reopen(&t);
        assert_true(record_of(t.s, "a").tombstone);
        store_set_tombstones(t.s, true);
        assert_ok(test_put(t.s, "a", STR("new")));
        m = record_of(t.s, "a");
        assert_false(m.tombstone);
        assert_int_equal(m.version, 1);
        /* A rename buries the old name. */
        assert_ok(store_rename(t.s, &key, &b, false));
        assert_true(record_of(t.s, "a").tombstone);
        assert_content(t.s, "b", STR("new"));
        /* Given tombstones by the same rule. */
        m = record_of(t.s, "b");
        assert_ok(store_put_tombstone(t.s, &b, (struct stamp){ m.stamp.hlc - 1, 99 }, 7));
        assert_content(t.s, "b", STR("new"));
        assert_ok(store_put_tombstone(t.s, &b, (struct stamp){ m.stamp.hlc, 99 }, 7));
        assert_absent(t.s, "b");
        assert_int_equal(record_of(t.s, "b").epoch, 7);
        assert_ok(store_put_tombstone(t.s, &b, (struct stamp){ m.stamp.hlc, 99 }, 9));
        assert_int_equal(record_of(t.s, "b").epoch, 9);
        assert_code(store_put_tombstone(t.s, &b, (struct stamp){ UINT64_MAX, 99 }, 9), ERR_INVALID);
        struct obj_key none = test_key("never was here");
        assert_ok(store_put_tombstone(t.s, &none, (struct stamp){ 5, 1 }, 1));
        assert_true(record_of(t.s, "never was here").tombstone);
        test_store_end(&t);
}

static void check_moved(struct test_store *t, struct str data, unsigned files)
{
        struct obj_key key = test_key("a");
        assert_ok(test_put(t->s, "a", data));
        struct obj_meta live = record_of(t->s, "a");
        char cksum[CKSUM_HEX_MAX];
        str_copy(cksum, sizeof cksum, live.cksum);
        struct stamp stamp = live.stamp;
        assert_int_equal(contents(t->s, files), files);
        assert_code(store_mark_moved(t->s, &key, (struct stamp){ stamp.hlc - 1, stamp.node }), ERR_PRECONDITION);
        assert_content(t->s, "a", data);
        assert_ok(store_mark_moved(t->s, &key, stamp));
        assert_ok(store_mark_moved(t->s, &key, stamp));
        assert_absent(t->s, "a");
        assert_int_equal(contents(t->s, 0), 0);
        for (int i = 0; i < 2; i++) {
                struct obj_meta m = record_of(t->s, "a");
                assert_true(m.moved && !m.tombstone);
                assert_int_equal(m.size, data.n);
                assert_int_equal(m.version, live.version);
                assert_true(str_eq(m.cksum, str_of(cksum)));
                assert_int_equal(m.stamp.hlc, stamp.hlc);
#ifndef ORLOP_STORE_MEM
                test_store_reopen(t);
#endif
        }
        assert_code(store_confirm(t->s, &key, stamp, 5), ERR_PRECONDITION);
        assert_code(store_delete(t->s, &key, NULL, false), ERR_NOT_FOUND);
        assert_true(give(t->s, "a", STR("older"), (struct stamp){ stamp.hlc - 1, stamp.node }, 1, 6).superseded);
        /* It comes back with the same stamp. */
        struct put_result r = give(t->s, "a", data, stamp, 4, 6);
        assert_false(r.superseded || r.noop);
        assert_content(t->s, "a", data);
        assert_int_equal(record_of(t->s, "a").epoch, 6);
        assert_ok(store_mark_moved(t->s, &key, stamp));
        /* A write here, and what becomes of a marker of a tombstone. */
        assert_ok(test_put(t->s, "a", STR("local")));
        assert_content(t->s, "a", STR("local"));
        store_set_tombstones(t->s, true);
        assert_ok(store_delete(t->s, &key, NULL, false));
        stamp = record_of(t->s, "a").stamp;
        assert_ok(store_mark_moved(t->s, &key, stamp));
        struct obj_meta m = record_of(t->s, "a");
        assert_true(m.moved && m.tombstone);
        assert_ok(store_put_tombstone(t->s, &key, stamp, 8));
        m = record_of(t->s, "a");
        assert_true(!m.moved && m.tombstone);
        assert_code(store_mark_moved(t->s, &(struct obj_key){ 1, STR("unknown") }, stamp), ERR_PRECONDITION);
        store_set_tombstones(t->s, false);
}

static void test_moved(void **state)
{
        struct test_store t;
        (void)state;
        test_store_begin(&t, 1);
        check_moved(&t, STR(""), 0);
        check_moved(&t, STR("a small one"), 0);
        check_moved(&t, large('m'), 1);
        test_store_end(&t);
}

#define TOGETHER 100u

/* Names "t000" and on: every seventh with a stamp that is not its own, the last one unknown. */
static void check_together(struct store *s, uint64_t base)
{
        struct store_moved list[TOGETHER];
        struct obj_key keys[TOGETHER];
        char name[TOGETHER][8];
        for (unsigned i = 0; i < TOGETHER; i++) {
                snprintf(name[i], sizeof name[i], "t%03u", i);
                keys[i] = test_key(name[i]);
                if (i + 1 < TOGETHER)
                        give(s, name[i], i % 3 ? STR("small") : large('t'), (struct stamp){ base + i, 1 }, 1, 1);
                list[i] = (struct store_moved){ &keys[i], { base + i - (i % 7 == 0), 1 }, NULL };
        }
        store_mark_moved_all(s, list, TOGETHER);
        for (unsigned i = 0; i < TOGETHER; i++) {
                bool stays = i % 7 == 0 || i + 1 == TOGETHER;
                assert_int_equal(err_code(list[i].err), stays ? ERR_PRECONDITION : ERR_NONE);
                err_free(list[i].err);
                if (i + 1 < TOGETHER)
                        assert_int_equal(record_of(s, name[i]).moved, !stays);
        }
}

static void test_moved_together(void **state)
{
        struct test_store t;
        bool changed;
        (void)state;
        test_store_begin(&t, 3);
        store_mark_moved_all(t.s, NULL, 0);
        check_together(t.s, 1000);
        /* Some lie on another mountpath than the one they belong to. */
        assert_ok(store_mountpath_disable(t.s, t.path[1], false, &changed));
        check_together(t.s, 2000);
        assert_ok(store_mountpath_enable(t.s, t.path[1], &changed));
        check_together(t.s, 3000);
        test_store_end(&t);
}

static void test_confirm(void **state)
{
        struct test_store t;
        struct obj_key key = test_key("a");
        struct content *c;
        (void)state;
        test_store_begin(&t, 1);
        assert_ok(test_put(t.s, "a", large('a')));
        struct stamp stamp = record_of(t.s, "a").stamp;
        assert_ok(store_open_object(t.s, &key, &c));
        assert_int_equal(content_meta(c)->epoch, 0);
        content_unref(c);
        assert_ok(store_confirm(t.s, &key, stamp, 4));
        assert_ok(store_confirm(t.s, &key, stamp, 3));
        assert_int_equal(record_of(t.s, "a").epoch, 4);
        assert_ok(store_open_object(t.s, &key, &c)); /* the cache has the new epoch too */
        assert_int_equal(content_meta(c)->epoch, 4);
        content_unref(c);
        assert_content(t.s, "a", large('a'));
        assert_int_equal(contents(t.s, 1), 1);
        assert_code(store_confirm(t.s, &key, (struct stamp){ stamp.hlc + 1, 1 }, 5), ERR_PRECONDITION);
        store_set_tombstones(t.s, true);
        assert_ok(store_delete(t.s, &key, NULL, false));
        assert_ok(store_confirm(t.s, &key, record_of(t.s, "a").stamp, 6));
        assert_int_equal(record_of(t.s, "a").epoch, 6);
        assert_true(record_of(t.s, "a").tombstone);
        test_store_end(&t);
}

static int64_t fixed_time(void *arg)
{
        return *(int64_t *)arg;
}

static void test_clock(void **state)
{
        struct test_store t;
        int64_t time = 1000;
        (void)state;
        test_store_begin(&t, 1);
        store_close(t.s);
        t.o.clock.now_ns = fixed_time;
        t.o.clock.arg = &time;
        test_store_open(&t);
        assert_ok(test_put(t.s, "a", STR("1")));
        assert_int_equal(record_of(t.s, "a").stamp.hlc, 1000);
        assert_ok(test_put(t.s, "a", STR("2")));
        assert_int_equal(record_of(t.s, "a").stamp.hlc, 1001);
        time = 5000;
        assert_ok(test_put(t.s, "a", STR("3")));
        assert_int_equal(record_of(t.s, "a").stamp.hlc, 5000);
        time = 10; /* backwards */
        assert_ok(test_put(t.s, "a", STR("4")));
        assert_int_equal(record_of(t.s, "a").stamp.hlc, 5001);
        store_clock_observe(t.s, 9000);
        store_clock_observe(t.s, 8000);
        assert_int_equal(store_clock_now(t.s), 9000);
        assert_ok(test_put(t.s, "a", STR("5")));
        assert_int_equal(record_of(t.s, "a").stamp.hlc, 9001);
        test_store_reopen(&t);
        assert_true(store_clock_now(t.s) >= 9001);
        test_store_end(&t);
}

static bool never(void *arg)
{
        ++*(unsigned *)arg;
        return false;
}

static void test_purge(void **state)
{
        struct test_store t;
        char name[32];
        uint64_t n, before = 0;
        unsigned asked = 0;
        (void)state;
        test_store_begin(&t, 2);
        assert_ok(store_resilver(t.s, NULL, NULL));
        store_set_tombstones(t.s, true);
        for (unsigned i = 0; i < 40; i++) {
                snprintf(name, sizeof name, "o%02u", i);
                struct obj_key key = test_key(name);
                if (i == 20)
                        before = store_clock_now(t.s) + 1;
                assert_ok(test_put(t.s, name, STR("x")));
                if (i % 2)
                        assert_ok(store_delete(t.s, &key, NULL, false));
                else if (i % 4)
                        assert_ok(store_mark_moved(t.s, &key, record_of(t.s, name).stamp));
        }
        assert_code(store_purge(t.s, before, never, &asked, &n), ERR_CANCELLED);
        assert_int_equal(asked, 1);
        assert_ok(store_purge(t.s, before, NULL, NULL, &n));
        asked += (unsigned)n;
        for (unsigned i = 0; i < 40; i++) {
                snprintf(name, sizeof name, "o%02u", i);
                assert_int_equal(any_record(t.s, name), i >= 20 || i % 4 == 0);
        }
        assert_true(n >= 14 && n <= 15);
        /* A resilver leaves tombstones to the cluster while they are on. */
        assert_ok(store_resilver(t.s, NULL, NULL));
        assert_true(any_record(t.s, "o21"));
        assert_ok(store_purge(t.s, UINT64_MAX, NULL, NULL, &n));
        assert_int_equal(n, 15);
        assert_content(t.s, "o36", STR("x"));
        test_store_end(&t);
}

/* Not while an older copy may lie on a mountpath that is away. */
static void test_purge_waits(void **state)
{
        struct test_store t;
        struct obj_key key = test_key("a");
        bool changed;
        uint64_t n;
        (void)state;
        test_store_begin(&t, 2);
        store_set_tombstones(t.s, true);
        assert_ok(test_put(t.s, "a", STR("x")));
        assert_ok(store_mountpath_disable(t.s, t.path[1], true, &changed));
        assert_ok(test_put(t.s, "a", STR("y")));
        assert_ok(store_delete(t.s, &key, NULL, false));
        assert_ok(store_resilver(t.s, NULL, NULL));
        assert_ok(store_purge(t.s, UINT64_MAX, NULL, NULL, &n));
        assert_int_equal(n, 0);
        assert_ok(store_mountpath_enable(t.s, t.path[1], &changed));
        assert_absent(t.s, "a");
        assert_ok(store_resilver(t.s, NULL, NULL));
        assert_absent(t.s, "a");
        assert_ok(store_purge(t.s, UINT64_MAX, NULL, NULL, &n));
        assert_int_equal(n, 1);
        assert_absent(t.s, "a");
        test_store_end(&t);
}

/* Markers, tombstones and epochs follow when mountpaths come and go. */
static void test_mountpaths(void **state)
{
        struct test_store t;
        char name[32];
        bool changed;
        (void)state;
        test_store_begin(&t, 3);
        store_set_tombstones(t.s, true);
        for (unsigned i = 0; i < 60; i++) {
                snprintf(name, sizeof name, "o%02u", i);
                struct obj_key key = test_key(name);
                give(t.s, name, i % 2 ? STR("x") : large('x'), (struct stamp){ 1000 + i, 1 }, i, i);
                if (i % 3 == 1)
                        assert_ok(store_mark_moved(t.s, &key, (struct stamp){ 1000 + i, 1 }));
                if (i % 3 == 2)
                        assert_ok(store_put_tombstone(t.s, &key, (struct stamp){ 2000 + i, 1 }, i));
        }
        for (int round = 0; round < 4; round++) {
                if (round == 0)
                        assert_ok(store_mountpath_disable(t.s, t.path[1], false, &changed));
                if (round == 1)
                        assert_ok(store_mountpath_enable(t.s, t.path[1], &changed));
                if (round == 2)
                        assert_ok(store_resilver(t.s, NULL, NULL));
#ifndef ORLOP_STORE_MEM
                if (round == 3)
                        test_store_reopen(&t);
#endif
                for (unsigned i = 0; i < 60; i++) {
                        snprintf(name, sizeof name, "o%02u", i);
                        struct obj_meta m = record_of(t.s, name);
                        assert_int_equal(m.moved, i % 3 == 1);
                        assert_int_equal(m.tombstone, i % 3 == 2);
                        assert_int_equal(m.stamp.hlc, (i % 3 == 2 ? 2000 : 1000) + i);
                        assert_int_equal(m.epoch, i);
                        if (i % 3 == 0)
                                assert_content(t.s, name, i % 2 ? STR("x") : large('x'));
                        else
                                assert_absent(t.s, name);
                }
        }
        test_store_end(&t);
}

/* In a mixed set a record may lie on another mountpath than the one that decides. */
static void test_mixed(void **state)
{
        struct test_store t;
        char name[32];
        (void)state;
        test_store_begin(&t, 1);
        store_set_tombstones(t.s, true); /* else the resilver ends them */
        for (unsigned i = 0; i < 40; i++) {
                snprintf(name, sizeof name, "o%02u", i);
                give(t.s, name, i % 2 ? STR("x") : large('x'), (struct stamp){ 1000 + i, 1 }, i, 1);
        }
        assert_ok(store_mountpath_attach(t.s, t.path[1], NULL));
        for (unsigned i = 0; i < 40; i++) {
                snprintf(name, sizeof name, "o%02u", i);
                struct obj_key key = test_key(name);
                struct stamp stamp = { 1000 + i, 1 };
                switch (i % 5) {
                case 0:
                        assert_ok(store_confirm(t.s, &key, stamp, 7));
                        break;
                case 1:
                        assert_ok(store_mark_moved(t.s, &key, stamp));
                        break;
                case 2:
                        assert_ok(store_put_tombstone(t.s, &key, (struct stamp){ 1000 + i, 2 }, 7));
                        break;
                case 3:
                        assert_false(give(t.s, name, STR("y"), (struct stamp){ 1000 + i, 2 }, 9, 7).superseded);
                        break;
                default:
                        assert_true(give(t.s, name, STR("y"), (struct stamp){ 1000 + i, 0 }, 9, 7).superseded);
                        break;
                }
        }
        for (int round = 0; round < 2; round++) {
                for (unsigned i = 0; i < 40; i++) {
                        snprintf(name, sizeof name, "o%02u", i);
                        struct obj_meta m = record_of(t.s, name);
                        assert_int_equal(m.epoch, i % 5 == 0 || i % 5 == 2 || i % 5 == 3 ? 7 : 1);
                        assert_int_equal(m.moved, i % 5 == 1);
                        assert_int_equal(m.tombstone, i % 5 == 2);
                        if (i % 5 == 1 || i % 5 == 2)
                                assert_absent(t.s, name);
                        else
                                assert_content(t.s, name, i % 5 == 3 ? STR("y") : i % 2 ? STR("x") : large('x'));
                }
                assert_ok(store_resilver(t.s, NULL, NULL));
        }
        test_store_end(&t);
}

static void expect(struct scan *sc, const char *name, bool moved, bool tombstone)
{
        struct str got;
        struct obj_meta m;
        assert_true(store_scan_next(sc, false, &got, &m));
        assert_true(str_eq(got, str_of(name)));
        assert_int_equal(m.moved, moved);
        assert_int_equal(m.tombstone, tombstone);
        assert_true(m.stamp.hlc != 0);
        assert_int_equal(m.epoch, 21);
}

static void expect_end(struct scan *sc)
{
        struct str got;
        struct obj_meta m;
        assert_false(store_scan_next(sc, true, &got, &m));
        assert_ok(store_scan_close(sc));
}

static void test_scans(void **state)
{
        struct test_store t;
        struct scan *sc;
        struct obj_key key;
        (void)state;
        test_store_begin(&t, 2);
        store_set_tombstones(t.s, true);
        store_set_epoch(t.s, 21);
        const char *const names[] = { "a", "b", "c", "d" };
        for (unsigned i = 0; i < 4; i++)
                assert_ok(test_put(t.s, names[i], STR("x")));
        key = test_key("b");
        assert_ok(store_delete(t.s, &key, NULL, false));
        key = test_key("c");
        assert_ok(store_mark_moved(t.s, &key, record_of(t.s, "c").stamp));
        assert_ok(store_scan_open(t.s, 1, STR(""), STR(""), &sc));
        expect(sc, "a", false, false);
        expect(sc, "d", false, false);
        expect_end(sc);
        assert_ok(store_scan_open_all(t.s, 1, STR(""), STR("a"), &sc));
        expect(sc, "b", false, true);
        expect(sc, "c", true, false);
        expect(sc, "d", false, false);
        expect_end(sc);
        /* All buckets; one that was dropped is passed over. */
        const uint64_t bids[] = { 0, 5, 6, UINT64_MAX - 1, UINT64_MAX };
        for (unsigned i = 0; i < 5; i++) {
                struct put *p;
                struct put_attrs a = { .versioned = true };
                struct put_result r;
                key = (struct obj_key){ bids[i], STR("n") };
                assert_ok(store_put_begin(t.s, &key, 0, &p));
                assert_ok(store_put_commit(p, &a, &r));
        }
        assert_ok(store_bucket_drop(t.s, 5));
        assert_ok(store_bucket_drop(t.s, UINT64_MAX));
        assert_ok(store_scan_open_node(t.s, 0, STR(""), &sc));
        expect(sc, "n", false, false);
        assert_int_equal(store_scan_bid(sc), 0);
        expect(sc, "a", false, false);
        assert_int_equal(store_scan_bid(sc), 1);
        expect(sc, "b", false, true);
        expect(sc, "c", true, false);
        expect(sc, "d", false, false);
        expect(sc, "n", false, false);
        assert_int_equal(store_scan_bid(sc), 6);
        expect(sc, "n", false, false);
        assert_true(store_scan_bid(sc) == UINT64_MAX - 1);
        expect_end(sc);
        assert_ok(store_scan_open_node(t.s, 1, STR("c"), &sc)); /* where another one ended */
        expect(sc, "d", false, false);
        expect(sc, "n", false, false);
        assert_int_equal(store_scan_bid(sc), 6);
        assert_ok(store_scan_close(sc));
        test_store_end(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_given),
                cmocka_unit_test(test_tombstones),
                cmocka_unit_test(test_moved),
                cmocka_unit_test(test_moved_together),
                cmocka_unit_test(test_confirm),
                cmocka_unit_test(test_clock),
                cmocka_unit_test(test_purge),
                cmocka_unit_test(test_purge_waits),
                cmocka_unit_test(test_mountpaths),
                cmocka_unit_test(test_mixed),
                cmocka_unit_test(test_scans),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
