/* Tests of one store as its callers see it: objects, conditions, versions, ranges, scans, restarts. */
#include "store/test_store.h"

static struct str pattern(struct buf *b, size_t n, unsigned seed)
{
        buf_clear(b);
        char *p = buf_reserve(b, n + 1);
        assert_non_null(p);
        for (size_t i = 0; i < n; i++)
                p[i] = (char)(hash_mix(seed + i / 8) >> i % 8 * 8);
        b->n = n;
        return buf_str(b);
}

static void test_sizes(void **state)
{
        (void)state;
        struct test_store t;
        AUTO_BUF struct buf b = BUF_INIT;
        const size_t sizes[] = { 0, 1, 4096, 32768, 32769, 65536, 100000, 1 << 20, (1 << 20) + 1, 3500000 };
        char name[32];
        test_store_begin(&t, 1);
        for (int round = 0; round < 3; round++) {
                for (unsigned i = 0; i < ARRAY_LEN(sizes) && !round; i++) {
                        snprintf(name, sizeof name, "o/%u", i);
                        assert_ok(test_put(t.s, name, pattern(&b, sizes[i], i)));
                }
                for (unsigned i = 0; i < ARRAY_LEN(sizes); i++) {
                        snprintf(name, sizeof name, "o/%u", i);
                        assert_content(t.s, name, pattern(&b, sizes[i], i));
                }
#ifdef ORLOP_STORE_MEM
                break;
#endif
                if (round == 1)
                        test_store_reopen(&t);
        }
        test_store_end(&t);
}

static void test_ranges(void **state)
{
        (void)state;
        struct test_store t;
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_ARENA struct arena a;
        arena_init(&a, 1024, 0);
        test_store_begin(&t, 1);
        size_t n = 5 << 20;
        struct str data = pattern(&b, n, 5);
        assert_ok(test_put(t.s, "big", data));
        struct obj_key key = test_key("big");
        struct content *c;
        assert_ok(store_open_object(t.s, &key, &c));
        assert_null(content_mem(c).p);
        assert_false(content_range_ready(c, 0, 10));
        assert_null(store_cached(t.s, &key));
        const struct content_part *parts;
        unsigned np;
        assert_ok(content_parts(c, (1 << 20) - 5, 10, &a, &parts, &np));
        assert_int_equal(np, 1);
        assert_int_equal(parts[0].length, 10);
        char got[10];
        assert_int_equal(pread(parts[0].fd, got, 10, parts[0].offset), 10);
        assert_memory_equal(got, data.p + (1 << 20) - 5, 10);
        assert_true(content_range_ready(c, 100, 2 << 19));
        assert_false(content_range_ready(c, 100, 3 << 20));
        assert_ok(content_verify(c, 0, n));
        assert_true(content_range_ready(c, 0, n));
        struct content *again = store_cached(t.s, &key);
        assert_ptr_equal(again, c);
        content_unref(again);
        assert_code(content_read(c, n - 3, got, 4), ERR_RANGE);
        assert_code(content_verify(c, n + 1, 0), ERR_RANGE);
        content_unref(c);
        test_store_end(&t);
}

static void test_versions_and_conditions(void **state)
{
        (void)state;
        struct test_store t;
        struct put_result r, r2;
        test_store_begin(&t, 1);
        struct put_attrs a = {
                .versioned = true, .cksum_type = CKSUM_XXHASH, .cksum = STR("aa"), .same_is_noop = true
        };
        assert_ok(test_put_attrs(t.s, "v", STR("one"), &a, &r));
        assert_int_equal(r.version, 1);
        assert_false(r.noop || r.replaced);
        assert_ok(test_put_attrs(t.s, "v", STR("one"), &a, &r2));
        assert_true(r2.noop);
        assert_int_equal(r2.version, 1);
        assert_int_equal(r2.stamp.hlc, r.stamp.hlc);
        a.cksum = STR("bb");
        assert_ok(test_put_attrs(t.s, "v", STR("two"), &a, &r2));
        assert_int_equal(r2.version, 2);
        assert_int_equal(r2.old_version, 1);
        assert_true(r2.replaced && r2.stamp.hlc > r.stamp.hlc);
        a.cond = (struct obj_cond){ .kind = COND_ABSENT };
        a.cksum = STR("cc");
        assert_code(test_put_attrs(t.s, "v", STR("three"), &a, &r), ERR_PRECONDITION);
        a.cond = (struct obj_cond){ .kind = COND_CKSUM, .cksum = STR("bb") };
        assert_ok(test_put_attrs(t.s, "v", STR("three"), &a, &r));
        assert_code(test_put_attrs(t.s, "v", STR("four"), &a, &r), ERR_PRECONDITION);
        a.cond = (struct obj_cond){ .kind = COND_STAMP, .stamp = r.stamp };
        assert_code(test_put_attrs(t.s, "w", STR("x"), &a, &r2), ERR_PRECONDITION);
        assert_ok(test_put_attrs(t.s, "v", STR("five"), &a, &r2));
        a.cond = (struct obj_cond){ .kind = COND_PRESENT };
        assert_code(test_put_attrs(t.s, "w", STR("x"), &a, &r2), ERR_PRECONDITION);
        a.cond = (struct obj_cond){ .kind = COND_NOT_CKSUM, .cksum = STR("cc") };
        assert_code(test_put_attrs(t.s, "v", STR("x"), &a, &r2), ERR_PRECONDITION);
        assert_content(t.s, "v", STR("five"));
        struct obj_key key = test_key("v");
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = { 1, 1 } };
        assert_code(store_delete(t.s, &key, &cond, false), ERR_PRECONDITION);
        assert_ok(store_delete(t.s, &key, NULL, false));
        assert_code(store_delete(t.s, &key, NULL, false), ERR_NOT_FOUND);
        assert_absent(t.s, "v");
        a = (struct put_attrs){ .versioned = false };
        assert_ok(test_put_attrs(t.s, "v", STR("six"), &a, &r));
        assert_int_equal(r.version, 0);
        a.versioned = true;
        assert_ok(test_put_attrs(t.s, "v", STR("seven"), &a, &r));
        assert_int_equal(r.version, 1);
        test_store_end(&t);
}

static void test_custom(void **state)
{
        (void)state;
        struct test_store t;
        AUTO_ARENA struct arena ar;
        arena_init(&ar, 1024, 0);
        struct put_result r;
        struct obj_meta m;
        struct obj_key key = test_key("c");
        test_store_begin(&t, 1);
        struct put_attrs a = { .custom = STR("\001a\0011"), .versioned = true };
        assert_ok(test_put_attrs(t.s, "c", STR("x"), &a, &r));
        assert_ok(store_set_custom(t.s, &key, STR("\001b\0012"), false, false));
        assert_ok(store_head(t.s, &key, &ar, &m));
        assert_true(str_eq(m.custom, STR("\001a\0011\001b\0012")));
        assert_int_equal(m.version, 1);
        assert_true(m.stamp.hlc > r.stamp.hlc);
        assert_content(t.s, "c", STR("x"));
        assert_ok(store_set_custom(t.s, &key, STR("\001z\0019"), true, false));
        a = (struct put_attrs){ .custom = STR("\001y\0018"), .custom_mode = CUSTOM_MERGE };
        assert_ok(test_put_attrs(t.s, "c", STR("x2"), &a, &r));
        assert_ok(store_head(t.s, &key, &ar, &m));
        assert_true(str_eq(m.custom, STR("\001y\0018\001z\0019")));
        key = test_key("absent");
        assert_code(store_set_custom(t.s, &key, STR(""), true, false), ERR_NOT_FOUND);
        assert_code(store_set_custom(t.s, &key, STR("\005"), true, false), ERR_INVALID);
        test_store_end(&t);
}

/* Pairs that describe a content live as long as it does. */
static void test_content_pairs(void **state)
{
        (void)state;
        struct test_store t;
        AUTO_ARENA struct arena ar;
        arena_init(&ar, 1024, 0);
        struct put_result r;
        struct obj_meta m;
        struct obj_key key = test_key("c");
        test_store_begin(&t, 1);
        struct put_attrs a = { .custom = STR("\001a\0011\004s3:e\0015") };
        assert_ok(test_put_attrs(t.s, "c", STR("x"), &a, &r));
        assert_ok(store_set_custom(t.s, &key, STR("\001b\0012"), true, false));
        assert_ok(store_head(t.s, &key, &ar, &m));
        assert_true(str_eq(m.custom, STR("\001b\0012\004s3:e\0015")));
        assert_ok(store_set_custom(t.s, &key, STR("\004s3:e\0016"), false, false));
        assert_ok(store_head(t.s, &key, &ar, &m));
        assert_true(str_eq(m.custom, STR("\001b\0012\004s3:e\0016")));
        a = (struct put_attrs){ .custom = STR("\001y\0018"), .custom_mode = CUSTOM_MERGE };
        assert_ok(test_put_attrs(t.s, "c", STR("x2"), &a, &r));
        assert_ok(store_head(t.s, &key, &ar, &m));
        assert_true(str_eq(m.custom, STR("\001b\0012\001y\0018")));
        test_store_end(&t);
}

static void rename_all(struct test_store *t, size_t size)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct obj_key from = test_key("from"), to = test_key("dir/to");
        struct str data = pattern(&b, size, 9);
        assert_code(store_rename(t->s, &from, &to, false), ERR_NOT_FOUND);
        assert_ok(test_put(t->s, "from", data));
        assert_ok(test_put(t->s, "dir/to", STR("older")));
        assert_content(t->s, "from", data);
        assert_content(t->s, "dir/to", STR("older"));
        assert_ok(store_rename(t->s, &from, &to, false));
        assert_absent(t->s, "from");
        assert_content(t->s, "dir/to", data);
        assert_ok(store_rename(t->s, &to, &to, false));
        assert_content(t->s, "dir/to", data);
        struct obj_key other = { 2, STR("from") };
        assert_ok(store_rename(t->s, &to, &other, false));
        assert_absent(t->s, "dir/to");
        struct content *c;
        assert_ok(store_open_object(t->s, &other, &c));
        assert_int_equal(content_meta(c)->size, size);
        content_unref(c);
        assert_ok(store_delete(t->s, &other, NULL, false));
}

static void test_rename(void **state)
{
        (void)state;
        for (unsigned n = 1; n <= 3; n++) {
                struct test_store t;
                test_store_begin(&t, n);
                rename_all(&t, 0);
                rename_all(&t, 1000);
                rename_all(&t, 200000);
                test_store_end(&t);
        }
}

static void fill(struct store *s, unsigned n)
{
        char name[32];
        for (unsigned i = 0; i < n; i++) {
                snprintf(name, sizeof name, "%c/%05u", "abc"[i % 3], i);
                assert_ok(test_put(s, name, STR("x")));
        }
}

static unsigned count(struct store *s, struct str prefix, struct str after)
{
        struct scan *sc;
        struct str name;
        struct obj_meta m;
        char last[64] = "";
        unsigned n = 0;
        assert_ok(store_scan_open(s, 1, prefix, after, &sc));
        while (store_scan_next(sc, n % 2, &name, &m)) {
                assert_true(str_starts(name, prefix));
                assert_true(str_cmp(name, str_of(last)) > 0 && str_cmp(name, after) > 0);
                assert_int_equal(m.size, 1);
                str_copy(last, sizeof last, name);
                n++;
        }
        assert_ok(store_scan_close(sc));
        return n;
}

static void test_scan(void **state)
{
        (void)state;
        for (unsigned paths = 1; paths <= 3; paths += 2) {
                struct test_store t;
                test_store_begin(&t, paths);
                fill(t.s, 300);
                struct obj_key other = { 2, STR("a/other") }, gone = test_key("a/00003");
                struct put *p;
                struct put_result r;
                assert_ok(store_put_begin(t.s, &other, -1, &p));
                assert_ok(store_put_commit(p, &(struct put_attrs){ .fast = true }, &r));
                assert_int_equal(count(t.s, STR(""), STR("")), 300);
                assert_int_equal(count(t.s, STR("b"), STR("")), 100);
                assert_int_equal(count(t.s, STR("b/"), STR("b/00150")), 50);
                assert_int_equal(count(t.s, STR("b/"), STR("a")), 100);
                assert_int_equal(count(t.s, STR("b/"), STR("c")), 0);
                assert_int_equal(count(t.s, STR("zz"), STR("")), 0);
                assert_ok(store_delete(t.s, &gone, NULL, false));
                assert_int_equal(count(t.s, STR("a/"), STR("")), 99);
                struct scan *sc;
                struct str name;
                struct obj_meta m;
                assert_ok(store_scan_open(t.s, 1, STR(""), STR(""), &sc));
                assert_true(store_scan_next(sc, true, &name, &m));
                assert_true(str_eq(name, STR("a/00000")));
                assert_int_equal(m.version, 1);
                store_scan_seek(sc, STR("c/00002"));
                assert_true(store_scan_next(sc, false, &name, &m));
                assert_true(str_eq(name, STR("c/00002")));
                assert_true(store_scan_next(sc, false, &name, &m));
                assert_true(str_eq(name, STR("c/00005")));
                assert_ok(store_scan_close(sc));
                test_store_end(&t);
        }
}

static void wait_empty(struct store *s, struct mountpath *mp, uint64_t bid)
{
        char kb[RECORD_KEY_MAX];
        for (int i = 0; i < 500; i++) {
                struct records_iter *it;
                assert_ok(records_iter_new(mp->records, RECORDS_OBJECTS, record_key_bound(bid, STR_NONE, kb), STR_NONE,
                                           false, &it));
                records_iter_seek(it, STR_NONE);
                bool valid = records_iter_valid(it) && (unsigned char)records_iter_key(it).p[7] == bid;
                records_iter_free(it);
                if (!valid)
                        return;
                clock_sleep_ns(10 * NS_PER_MS);
        }
        (void)s;
        fail_msg("the bucket's records are still there");
}

static struct err *sum_bids(void *arg, uint64_t bid)
{
        *(uint64_t *)arg += bid;
        return NULL;
}

static void test_bucket_drop(void **state)
{
        (void)state;
        struct test_store t;
        AUTO_BUF struct buf b = BUF_INIT;
        test_store_begin(&t, 1);
        fill(t.s, 30);
        assert_ok(test_put(t.s, "large", pattern(&b, 100000, 1)));
        assert_content(t.s, "large", buf_str(&b));
        struct obj_key keep = { 2, STR("k") };
        struct put *p;
        struct put_result r;
        assert_ok(store_put_begin(t.s, &keep, -1, &p));
        assert_ok(store_put_write(p, "kept", 4));
        assert_ok(store_put_commit(p, &(struct put_attrs){ .fast = false }, &r));
        assert_ok(store_bucket_drop(t.s, 1));
        assert_absent(t.s, "large");
        assert_absent(t.s, "a/00000");
        assert_int_equal(count(t.s, STR(""), STR("")), 0);
        assert_code(test_put(t.s, "new", STR("x")), ERR_BUCKET_NOT_FOUND);
        wait_empty(t.s, t.s->mp[0], 1);
        struct content *c;
        assert_ok(store_open_object(t.s, &keep, &c));
        content_unref(c);
        uint64_t found = 0;
        assert_ok(store_buckets_each(t.s, sum_bids, &found));
        assert_int_equal(found, 2); /* of what is dropped nothing is said */
        assert_ok(store_bucket_drop(t.s, 2));
        found = 0;
        assert_ok(store_buckets_each(t.s, sum_bids, &found));
        assert_int_equal(found, 0);
        assert_code(store_open_object(t.s, &keep, &c), ERR_NOT_FOUND);
        test_store_end(&t);
}

struct async {
        _Atomic unsigned done, failed, hooks;
};

static void on_done(void *arg, struct err *e, const struct put_result *r)
{
        struct async *a = arg;
        if (e || !r->stamp.hlc)
                a->failed++;
        err_free(e);
        a->done++;
}

static void on_batch(void *arg)
{
        ((struct async *)arg)->hooks++;
}

static void test_async(void **state)
{
        (void)state;
        struct test_store t;
        struct async a = { 0 };
        static char data[500][32]; /* must live until it is stored */
        unsigned taken = 0;
        test_store_begin(&t, 1);
        store_set_batch_hook(t.s, on_batch, &a);
        for (unsigned i = 0; i < 500; i++) {
                char name[32], *text = data[i];
                snprintf(name, sizeof name, "n%u", i);
                snprintf(text, sizeof data[i], "data %u", i);
                struct obj_key key = test_key(name);
                struct put_attrs attrs = { .versioned = true };
                taken += store_put_small_async(t.s, &key, text, strlen(text), &attrs, on_done, &a);
        }
        while (a.done < taken)
                clock_sleep_ns(NS_PER_MS);
        assert_int_equal(a.failed, 0);
        assert_true(taken > 0 && a.hooks > 0);
        assert_content(t.s, "n0", STR("data 0"));
        struct obj_key key = test_key("too-long");
        AUTO_BUF struct buf b = BUF_INIT;
        pattern(&b, 40000, 1);
        assert_false(store_put_small_async(t.s, &key, b.p, b.n, &(struct put_attrs){ .fast = true }, on_done, &a));
        test_store_end(&t);
}

static void render(const struct obj_key *key, const struct obj_meta *m, struct buf *out)
{
        buf_printf(out, STR_FMT "=%llu", STR_ARG(key->name), (unsigned long long)m->size);
}

static void test_cache(void **state)
{
        (void)state;
        struct test_store t;
        struct obj_key key = test_key("hot");
        struct store_stats st;
        test_store_begin(&t, 1);
        store_close(t.s);
        t.o.render = render;
        t.o.cache_bytes = 16 * 20000;
        test_store_open(&t);
        assert_ok(test_put(t.s, "hot", STR("12345")));
        assert_null(store_cached(t.s, &key));
        assert_content(t.s, "hot", STR("12345"));
        struct content *c = store_cached(t.s, &key);
        assert_non_null(c);
        assert_true(str_eq(content_mem(c), STR("12345")));
        assert_true(str_eq(content_rendered(c), STR("hot=5")));
        assert_ok(test_put(t.s, "hot", STR("1234567")));
        assert_null(store_cached(t.s, &key));
        assert_true(str_eq(content_mem(c), STR("12345"))); /* what is held stays what it was */
        content_unref(c);
        assert_content(t.s, "hot", STR("1234567"));
        AUTO_BUF struct buf b = BUF_INIT;
        char name[32];
        for (unsigned i = 0; i < 400; i++) {
                snprintf(name, sizeof name, "f%u", i);
                assert_ok(test_put(t.s, name, pattern(&b, 5000, i)));
                assert_content(t.s, name, buf_str(&b));
                c = store_cached(t.s, &key); /* stays hot */
                if (c)
                        content_unref(c);
        }
        store_stats(t.s, &st);
        assert_true(st.cache_bytes <= 16 * 20000);
        assert_true(st.cache_entries > 16 && st.cache_entries < 400);
        test_store_end(&t);
}

static void test_names(void **state)
{
        (void)state;
        struct test_store t;
        char longest[1026];
        memset(longest, 'n', sizeof longest);
        longest[1025] = 0;
        test_store_begin(&t, 1);
        assert_code(test_put(t.s, longest, STR("x")), ERR_INVALID_NAME);
        longest[1024] = 0;
        assert_ok(test_put(t.s, longest, STR("x")));
        assert_content(t.s, longest, STR("x"));
        const char *names[] = { "a", "a/b", "a/b/c", "a//b", "..", "\xff\xfe", " " };
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
                assert_ok(test_put(t.s, names[i], str_of(names[i])));
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
                assert_content(t.s, names[i], str_of(names[i]));
        test_store_end(&t);
}

#ifndef ORLOP_STORE_MEM
static void test_restart(void **state)
{
        (void)state;
        struct test_store t;
        AUTO_BUF struct buf b = BUF_INIT;
        struct put_result r, r2;
        test_store_begin(&t, 2);
        fill(t.s, 50);
        assert_ok(test_put(t.s, "large", pattern(&b, 300000, 3)));
        assert_ok(test_put_attrs(t.s, "st", STR("1"), &(struct put_attrs){ .versioned = true }, &r));
        clock_set_offset_ns(-3600 * NS_PER_SEC); /* the clock goes back an hour over the restart */
        test_store_reopen(&t);
        assert_int_equal(
                count(t.s, STR("a/"), STR("")) + count(t.s, STR("b/"), STR("")) + count(t.s, STR("c/"), STR("")), 50);
        assert_content(t.s, "large", buf_str(&b));
        assert_ok(test_put_attrs(t.s, "st", STR("2"), &(struct put_attrs){ .versioned = true }, &r2));
        assert_true(r2.stamp.hlc > r.stamp.hlc);
        assert_int_equal(r2.version, 2);
        clock_set_offset_ns(0);
        struct store *second;
        assert_code(store_open(&t.o, &second), ERR_IN_USE);
        store_close(t.s);
        t.o.target_id = "another";
        assert_code(store_open(&t.o, &t.s), ERR_FOREIGN);
        t.o.target_id = "t1";
        test_store_open(&t);
        test_store_end(&t);
}
#endif

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sizes),
                cmocka_unit_test(test_ranges),
                cmocka_unit_test(test_versions_and_conditions),
                cmocka_unit_test(test_custom), cmocka_unit_test(test_content_pairs),
                cmocka_unit_test(test_rename),
                cmocka_unit_test(test_scan),
                cmocka_unit_test(test_bucket_drop),
                cmocka_unit_test(test_async),
                cmocka_unit_test(test_cache),
                cmocka_unit_test(test_names),
#ifndef ORLOP_STORE_MEM
                cmocka_unit_test(test_restart),
#endif
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
