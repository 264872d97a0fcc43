/* Random operations against an oracle in memory: objects of all sizes over several mountpaths, with restarts and
 * changes of the set of mountpaths between them. ORLOP_TEST_SEED replays a run; ORLOP_TEST_STEPS lengthens it. */
#include "store/test_store.h"

#define NAMES 60u

struct expected {
        bool present;
        uint64_t seed, version;
        size_t size;
        char custom; /* 0: none */
};
struct model {
        struct test_store t;
        struct expected x[NAMES];
        uint64_t random, steps;
        bool away; /* mountpath m1 is disabled */
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
        *x = n;
}

static void step_delete(struct model *m, unsigned i)
{
        char name[32];
        struct obj_key key = test_key(name_of(i, name));
        struct err *e = store_delete(m->t.s, &key, NULL, rnd(m, 2));
        assert_code(e, m->x[i].present ? ERR_NONE : ERR_NOT_FOUND);
        m->x[i] = (struct expected){ .present = false };
}

static void step_custom(struct model *m, unsigned i)
{
        char name[32], cb[4], c = (char)('A' + (char)rnd(m, 26));
        struct obj_key key = test_key(name_of(i, name));
        struct err *e = store_set_custom(m->t.s, &key, custom_of(c, cb), rnd(m, 2), rnd(m, 2));
        assert_code(e, m->x[i].present ? ERR_NONE : ERR_NOT_FOUND);
        if (m->x[i].present)
                m->x[i].custom = c;
}

static void step_rename(struct model *m, unsigned i)
{
        char a[32], b[32];
        unsigned j = (unsigned)rnd(m, NAMES);
        struct obj_key from = test_key(name_of(i, a)), to = test_key(name_of(j, b));
        struct err *e = store_rename(m->t.s, &from, &to, rnd(m, 2));
        assert_code(e, m->x[i].present ? ERR_NONE : ERR_NOT_FOUND);
        if (i != j && m->x[i].present) {
                m->x[j] = m->x[i];
                m->x[i] = (struct expected){ .present = false };
        }
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
                test_store_reopen(&m->t);
                m->away = false; /* all directories of the command line are opened */
#endif
                break;
        }
}

static void step(struct model *m)
{
        unsigned i = (unsigned)rnd(m, NAMES), dice = (unsigned)rnd(m, 1000);
        if (dice < 300)
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
                test_store_reopen(&m->t);
#endif
}

static void run(unsigned mountpaths)
{
        const char *seed = getenv("ORLOP_TEST_SEED"), *steps = getenv("ORLOP_TEST_STEPS");
        struct model *m = calloc(1, sizeof *m);
        m->random = seed ? strtoull(seed, NULL, 10) : (uint64_t)clock_wall_ns();
        m->steps = steps ? strtoull(steps, NULL, 10) : 3000;
        print_message("seed %llu, %u mountpaths\n", (unsigned long long)m->random, mountpaths);
        test_store_begin(&m->t, mountpaths);
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
        run(1);
}

static void test_three(void **state)
{
        (void)state;
        run(3);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_one), cmocka_unit_test(test_three) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
