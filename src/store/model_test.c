/* Random operations against an oracle in memory: objects of all sizes over several mountpaths, with restarts and
 * changes of the set of mountpaths between them; and the same as a node of a cluster, with copies, tombstones and markers
 * whose stamps are given at random: the larger one wins, always. ORLOP_TEST_SEED replays a run; ORLOP_TEST_STEPS lengthens it. */
#include "store/test_store.h"

#define NAMES 60u

struct expected {
        bool present;
        uint64_t seed, version;
        size_t size;
        char custom; /* 0: none */
        /* as a node of a cluster */
        bool record, tombstone, moved;
        struct stamp stamp;
};
struct model {
        struct test_store t;
        struct expected x[NAMES];
        uint64_t random, steps;
        bool away; /* mountpath m1 is disabled */
        bool many; /* as a node of a cluster */
        struct buf data;
};

static uint64_t rnd(struct model *m, uint64_t n)
{
        return hash_mix(m->random += 0x9e3779b97f4a7c15) % n;
}

static const char *name_of(unsigned i, char out[32])
{
        snprintf(out, 32, "%s%02u", i % 3 ? "dir/" : "", i);
        return out;
}

static struct str data_of(struct model *m, uint64_t seed, size_t n)
{
        buf_clear(&m->data);
        char *p = buf_reserve(&m->data, n + 8);
        for (size_t i = 0; i < n; i += 8) {
                uint64_t v = hash_mix(seed + i);
                memcpy(p + i, &v, 8);
        }
        m->data.n = n;
        return (struct str){ p, n };
}

static size_t size_of(struct model *m)
{
        static const size_t limits[] = { 1, 100, 5000, 32769, 70000, 1200000 };
        return (size_t)rnd(m, limits[rnd(m, ARRAY_LEN(limits))]);
}

static struct str custom_of(char c, char out[4])
{
        memcpy(out, "\001k\001", 3);
        out[3] = c;
        return c ? (struct str){ out, 4 } : STR_NONE;
}

/* After a change that gave a stamp itself: it is larger than what was there. */
static void note(struct model *m, unsigned i)
{
        AUTO_ARENA struct arena a;
        char name[32];
        struct expected *x = &m->x[i];
        struct obj_key key = test_key(name_of(i, name));
        struct obj_meta meta;
        if (!m->many)
                return;
        arena_init(&a, 4096, 0);
        assert_ok(store_record_head(m->t.s, &key, &a, &meta));
        assert_true(!x->record || stamp_cmp(meta.stamp, x->stamp) > 0);
        assert_int_equal(meta.tombstone, !x->present);
        assert_false(meta.moved);
        x->record = true;
        x->tombstone = !x->present;
        x->moved = false;
        x->stamp = meta.stamp;
}

/* What another node sends: a copy or a delete, with a stamp near that of the record here. */
static void step_given(struct model *m, unsigned i)
{
        char name[32], hex[CKSUM_HEX_MAX], cb[4];
        struct expected *x = &m->x[i], n = { .record = true };
        struct obj_key key = test_key(name_of(i, name));
        /* Before the first write the clock says 0, which is no stamp. */
        n.stamp.hlc = MAX(x->record ? x->stamp.hlc : store_clock_now(m->t.s), (uint64_t)3) + rnd(m, 5) - 2;
        n.stamp.node = (uint32_t)rnd(m, 3) + 6;
        int order = x->record ? stamp_cmp(n.stamp, x->stamp) : 1;
        bool wins = order > 0 || (order == 0 && x->moved);
        n.tombstone = rnd(m, 3) == 0;
        if (n.tombstone) {
                assert_ok(store_put_tombstone(m->t.s, &key, n.stamp, 1));
        } else {
                n.present = true;
                n.seed = rnd(m, 1000000);
                n.size = size_of(m);
                n.version = rnd(m, 100) + 1;
                n.custom = (char)('a' + (char)rnd(m, 26));
                struct str data = data_of(m, n.seed, n.size);
                struct put_result r;
                cksum_of(CKSUM_XXHASH, data.p, data.n, hex);
                struct put_attrs a = { .cksum_type = CKSUM_XXHASH,
                                       .cksum = str_of(hex),
                                       .custom = custom_of(n.custom, cb),
                                       .fast = rnd(m, 2),
                                       .given = true,
                                       .stamp = n.stamp,
                                       .version = n.version,
                                       .mtime_ns = 5,
                                       .atime_ns = 6 };
                assert_ok(test_put_attrs(m->t.s, name, data, &a, &r));
                assert_int_equal(r.superseded, order < 0);
                assert_int_equal(r.noop, order == 0 && !wins);
        }
        if (wins)
                *x = n;
        assert_true(store_clock_now(m->t.s) >= x->stamp.hlc);
}

static void step_moved(struct model *m, unsigned i)
{
        char name[32];
        struct expected *x = &m->x[i];
        struct obj_key key = test_key(name_of(i, name));
        struct stamp stamp = x->stamp;
        if (rnd(m, 4) == 0)
                stamp.hlc++;
        bool holds = x->record && stamp_cmp(stamp, x->stamp) == 0;
        assert_code(rnd(m, 2) || !holds || x->moved ? store_mark_moved(m->t.s, &key, stamp)
                                                    : store_confirm(m->t.s, &key, stamp, rnd(m, 9)),
                    holds ? ERR_NONE : ERR_PRECONDITION);
        AUTO_ARENA struct arena a;
        struct obj_meta meta;
        arena_init(&a, 4096, 0);
        if (!x->record)
                return;
        assert_ok(store_record_head(m->t.s, &key, &a, &meta));
        assert_int_equal(stamp_cmp(meta.stamp, x->stamp), 0);
        assert_int_equal(meta.tombstone, x->tombstone);
        assert_true(meta.moved || !x->moved);
        x->moved = meta.moved;
        x->present = x->present && !meta.moved;
}

/* What is purged is old and no object; in a mixed set nothing is. */
static void step_purge(struct model *m)
{
        uint64_t before = store_clock_now(m->t.s) - rnd(m, (uint64_t)NS_PER_SEC), n, gone = 0;
        assert_ok(store_purge(m->t.s, before, NULL, NULL, &n));
        for (unsigned i = 0; i < NAMES; i++) {
                AUTO_ARENA struct arena a;
                char name[32];
                struct expected *x = &m->x[i];
                struct obj_key key = test_key(name_of(i, name));
                struct obj_meta meta;
                arena_init(&a, 4096, 0);
                struct err *e = store_record_head(m->t.s, &key, &a, &meta);
                if (err_code(e) == ERR_NOT_FOUND && x->record) {
                        assert_true(!x->present && x->stamp.hlc < before);
                        *x = (struct expected){ .present = false };
                        gone++;
                }
                assert_int_equal(!e, x->record);
                err_free(e);
        }
        assert_int_equal(gone, n);
}

static void step_put(struct model *m, unsigned i)
{
        char name[32], hex[CKSUM_HEX_MAX], cb[4];
        struct expected *x = &m->x[i], n = { .present = true,
                                             .seed = rnd(m, 1000000),
                                             .size = size_of(m),
                                             .custom = (char)(rnd(m, 2) ? 'a' + (char)rnd(m, 26) : 0) };
        struct str data = data_of(m, n.seed, n.size);
        struct put_result r;
        cksum_of(CKSUM_XXHASH, data.p, data.n, hex);
        struct put_attrs a = { .cksum_type = CKSUM_XXHASH,
                               .cksum = str_of(hex),
                               .versioned = true,
                               .fast = rnd(m, 2),
                               .custom = custom_of(n.custom, cb) };
        if (rnd(m, 4) == 0)
                a.cond.kind = rnd(m, 2) ? COND_ABSENT : COND_PRESENT;
        bool holds = a.cond.kind == COND_NONE || (a.cond.kind == COND_PRESENT) == x->present;
        struct err *e = test_put_attrs(m->t.s, name_of(i, name), data, &a, &r);
        if (!holds) {
                assert_code(e, ERR_PRECONDITION);
                return;
        }
        assert_ok(e);
        n.version = x->present ? x->version + 1 : 1;
        assert_int_equal(r.version, n.version);
        assert_int_equal(r.replaced, x->present);
        n.record = x->record;
        n.stamp = x->stamp;
        *x = n;
        note(m, i);
}

static void step_delete(struct model *m, unsigned i)
{
        char name[32];
        struct obj_key key = test_key(name_of(i, name));
        struct err *e = store_delete(m->t.s, &key, NULL, rnd(m, 2));
        assert_code(e, m->x[i].present ? ERR_NONE : ERR_NOT_FOUND);
        if (!m->x[i].present)
                return;
        m->x[i].present = false;
        note(m, i);
}

static void step_custom(struct model *m, unsigned i)
{
        char name[32], cb[4], c = (char)('A' + (char)rnd(m, 26));
        struct obj_key key = test_key(name_of(i, name));
        struct err *e = store_set_custom(m->t.s, &key, custom_of(c, cb), rnd(m, 2), rnd(m, 2));
        assert_code(e, m->x[i].present ? ERR_NONE : ERR_NOT_FOUND);
        if (!m->x[i].present)
                return;
        m->x[i].custom = c;
        note(m, i);
}

static void step_rename(struct model *m, unsigned i)
{
        char a[32], b[32];
        unsigned j = (unsigned)rnd(m, NAMES);
        struct obj_key from = test_key(name_of(i, a)), to = test_key(name_of(j, b));
        struct err *e = store_rename(m->t.s, &from, &to, rnd(m, 2));
        assert_code(e, m->x[i].present ? ERR_NONE : ERR_NOT_FOUND);
        if (i == j || !m->x[i].present)
                return;
        struct expected old = m->x[j];
        m->x[j] = m->x[i];
        m->x[j].record = old.record;
        m->x[j].stamp = old.stamp;
        m->x[i].present = false;
        note(m, j);
        note(m, i);
}

static void check_meta(const struct expected *x, const struct obj_meta *meta)
{
        char cb[4];
        assert_int_equal(meta->size, x->size);
        assert_int_equal(meta->version, x->version);
        assert_true(str_eq(meta->custom, custom_of(x->custom, cb)));
}

static void step_get(struct model *m, unsigned i)
{
        char name[32];
        struct expected *x = &m->x[i];
        struct obj_key key = test_key(name_of(i, name));
        struct content *c = rnd(m, 2) ? store_cached(m->t.s, &key) : NULL;
        if (!c) {
                struct err *e = store_open_object(m->t.s, &key, &c);
                assert_code(e, x->present ? ERR_NONE : ERR_NOT_FOUND);
                if (!x->present)
                        return;
        }
        assert_true(x->present);
        check_meta(x, content_meta(c));
        size_t from = (size_t)rnd(m, x->size + 1), n = (size_t)rnd(m, x->size - from + 1);
        char *got = malloc(n + 1);
        assert_ok(content_read(c, from, got, n));
        assert_memory_equal(got, data_of(m, x->seed, x->size).p + from, n);
        free(got);
        content_unref(c);
}

static void step_scan(struct model *m)
{
        struct scan *sc;
        struct str name;
        struct obj_meta meta;
        bool seen[NAMES] = { false };
        struct str prefix = rnd(m, 2) ? STR("dir/") : STR("");
        assert_ok(store_scan_open(m->t.s, 1, prefix, STR_NONE, &sc));
        while (store_scan_next(sc, true, &name, &meta)) {
                uint64_t i;
                assert_true(str_u64(str_skip(name, name.n - 2), &i) && i < NAMES);
                assert_false(seen[i]);
                seen[i] = true;
                assert_true(m->x[i].present);
                check_meta(&m->x[i], &meta);
        }
        assert_ok(store_scan_close(sc));
        for (unsigned i = 0; i < NAMES; i++)
                assert_int_equal(seen[i], m->x[i].present && (!prefix.n || i % 3));
}

#ifndef ORLOP_STORE_MEM /* which forgets */
static void reopen(struct model *m)
{
        test_store_reopen(&m->t);
        store_set_tombstones(m->t.s, m->many);
}
#endif

/* Another set of mountpaths. Taking one out moves its objects to the others. */
static void step_set(struct model *m)
{
        bool changed;
        switch (rnd(m, 3)) {
        case 0:
                if (m->away)
                        assert_ok(store_mountpath_enable(m->t.s, m->t.path[1], &changed));
                else
                        assert_ok(store_mountpath_disable(m->t.s, m->t.path[1], false, &changed));
                assert_true(changed);
                m->away = !m->away;
                break;
        case 1:
                assert_ok(store_resilver(m->t.s, NULL, NULL));
                break;
        default:
#ifndef ORLOP_STORE_MEM
                reopen(m);
                m->away = false; /* all directories of the command line are opened */
#endif
                break;
        }
}

static void step(struct model *m)
{
        unsigned i = (unsigned)rnd(m, NAMES), dice = (unsigned)rnd(m, 1000);
        if (m->many && rnd(m, 4) == 0) {
                if (dice < 500)
                        step_given(m, i);
                else if (dice < 980)
                        step_moved(m, i);
                else
                        step_purge(m);
        } else if (dice < 300)
                step_put(m, i);
        else if (dice < 400)
                step_delete(m, i);
        else if (dice < 480)
                step_custom(m, i);
        else if (dice < 560)
                step_rename(m, i);
        else if (dice < 940)
                step_get(m, i);
        else if (dice < 990)
                step_scan(m);
        else if (m->t.o.npaths > 1)
                step_set(m);
#ifndef ORLOP_STORE_MEM
        else if (dice < 993)
                reopen(m);
#endif
}

static void run(unsigned mountpaths, bool many)
{
        const char *seed = getenv("ORLOP_TEST_SEED"), *steps = getenv("ORLOP_TEST_STEPS");
        struct model *m = calloc(1, sizeof *m);
        m->random = seed ? strtoull(seed, NULL, 10) : (uint64_t)clock_wall_ns();
        m->steps = steps ? strtoull(steps, NULL, 10) : 3000;
        m->many = many;
        print_message("seed %llu, %u mountpaths%s\n", (unsigned long long)m->random, mountpaths,
                      many ? ", one of many nodes" : "");
        test_store_begin(&m->t, mountpaths);
        store_set_tombstones(m->t.s, many);
        for (uint64_t i = 0; i < m->steps; i++)
                step(m);
        step_scan(m);
        for (unsigned i = 0; i < NAMES; i++)
                step_get(m, i);
        struct store_stats st;
        store_stats(m->t.s, &st);
        assert_int_equal(st.corrupt, 0);
        test_store_end(&m->t);
        buf_fini(&m->data);
        free(m);
}

static void test_one(void **state)
{
        (void)state;
        run(1, false);
}

static void test_three(void **state)
{
        (void)state;
        run(3, false);
}

static void test_many(void **state)
{
        (void)state;
        run(1, true);
        run(3, true);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_one), cmocka_unit_test(test_three),
                                            cmocka_unit_test(test_many) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
