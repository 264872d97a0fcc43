/* Tests of the commit thread and of the cache that it keeps coherent, with many threads. */
#include "store/test_store.h"

#include "store/commit_priv.h"

#define THREADS 16

struct shared {
        struct store *s;
        _Atomic unsigned wins, losses;
        _Atomic bool stop;
        _Atomic uint64_t acked[4]; /* by key */
        unsigned rounds;
        _Atomic unsigned bad;
        _Atomic uint8_t versions[THREADS * 200 + 1]; /* how often each was given */
};
struct actor {
        struct shared *sh;
        unsigned n;
};

/* An actor can not fail a test from its thread: it says why and ends the process. */
static NORETURN void give_up(const char *doing, struct err *e)
{
        char text[512];
        print_error("%s: %s\n", doing, e ? err_text(e, text, sizeof text) : "wrong bytes");
        abort();
}

static void run_actors(struct shared *sh, unsigned n, void (*fn)(void *arg))
{
        struct thread *t[THREADS];
        struct actor a[THREADS];
        for (unsigned i = 0; i < n; i++) {
                a[i] = (struct actor){ sh, i };
                assert_ok(thread_start(&t[i], "actor", THREAD_WORKER, fn, &a[i]));
        }
        for (unsigned i = 0; i < n; i++)
                thread_join(t[i]);
}

static bool put_if(struct store *s, const char *name, struct str data, struct obj_cond cond, struct put_result *r)
{
        struct put_attrs a = { .versioned = true, .cond = cond };
        struct err *e = test_put_attrs(s, name, data, &a, r);
        if (e && err_code(e) != ERR_PRECONDITION)
                give_up("conditional put", e);
        bool won = !e;
        err_free(e);
        return won;
}

/* Adds one to a counter by compare and set. */
static void counter_actor(void *arg)
{
        struct actor *a = arg;
        struct shared *sh = a->sh;
        struct obj_key key = test_key("counter");
        for (unsigned i = 0; i < sh->rounds;) {
                struct content *c;
                struct put_result r;
                char text[32] = "";
                struct err *e = store_open_object(sh->s, &key, &c);
                if (e)
                        give_up("open the counter", e);
                uint64_t v;
                e = content_read(c, 0, text, content_meta(c)->size);
                if (e || !str_u64(str_of(text), &v))
                        give_up("read the counter", e);
                snprintf(text, sizeof text, "%llu", (unsigned long long)v + 1);
                bool won = put_if(sh->s, "counter", str_of(text),
                                  (struct obj_cond){ .kind = COND_STAMP, .stamp = content_meta(c)->stamp }, &r);
                content_unref(c);
                if (won) {
                        i++;
                        sh->wins++;
                } else
                        sh->losses++;
        }
}

static void test_compare_and_set(void **state)
{
        (void)state;
        struct test_store t;
        struct put_result r;
        test_store_begin(&t, 1);
        struct shared sh = { .s = t.s, .rounds = 40 };
        assert_true(put_if(t.s, "counter", STR("0"), (struct obj_cond){ .kind = COND_ABSENT }, &r));
        run_actors(&sh, 8, counter_actor);
        assert_int_equal(sh.wins, 8 * 40);
        assert_content(t.s, "counter", STR("320"));
        assert_int_equal(test_version(t.s, "counter"), 321);
        test_store_end(&t);
}

static void version_actor(void *arg)
{
        struct actor *a = arg;
        for (unsigned i = 0; i < a->sh->rounds; i++) {
                struct put_result r;
                struct err *e = test_put_attrs(a->sh->s, "v", STR("data"),
                                               &(struct put_attrs){ .versioned = true, .fast = i % 2 }, &r);
                if (e)
                        give_up("put", e);
                if (r.version <= THREADS * 200)
                        a->sh->versions[r.version]++;
                if (r.old_version + 1 != r.version || test_version(a->sh->s, "v") < r.version)
                        a->sh->bad++;
        }
}

/* Every number is given once. */
static void test_numbering(void **state)
{
        (void)state;
        struct test_store t;
        test_store_begin(&t, 1);
        struct shared *sh = calloc(1, sizeof *sh);
        sh->s = t.s;
        sh->rounds = 100;
        run_actors(sh, THREADS, version_actor);
        assert_int_equal(sh->bad, 0);
        for (unsigned i = 1; i <= THREADS * 100; i++)
                assert_int_equal(sh->versions[i], 1);
        assert_int_equal(test_version(t.s, "v"), THREADS * 100);
        struct store_stats st;
        store_stats(t.s, &st);
        assert_int_equal(st.commits, THREADS * 100);
        assert_true(st.batches <= st.commits);
        free(sh);
        test_store_end(&t);
}

/* ---- coherence: once a value was acknowledged no reader gets an older one ---- */

static const char *const names[4] = { "k0", "k1", "k2", "k3" };

/* The value is the number at the start; every third one lies in a content file. */
static void writer(struct actor *a)
{
        struct shared *sh = a->sh;
        char *data = calloc(1, 50000);
        for (uint64_t v = 1; v <= sh->rounds; v++) {
                struct put_result r;
                snprintf(data, 50000, "%020llu", (unsigned long long)v);
                struct str s = { data, v % 3 ? 100 + v % 50 : 40000 };
                struct err *e = test_put_attrs(sh->s, names[a->n], s, &(struct put_attrs){ .fast = v % 4 }, &r);
                if (e)
                        give_up("put", e);
                atomic_store(&sh->acked[a->n], v);
                struct obj_key key = test_key(names[a->n]);
                e = v % 16 == 0 ? store_set_custom(sh->s, &key, STR("\001a\001b"), true, true) : NULL;
                if (e)
                        give_up("set custom", e);
        }
        free(data);
}

static uint64_t value_of(struct content *c)
{
        char text[21] = "";
        uint64_t v;
        struct err *e = content_read(c, 0, text, 20);
        if (e || !str_u64(str_of(text), &v))
                give_up("read a value", e);
        return v;
}

static void reader(struct actor *a)
{
        struct shared *sh = a->sh;
        uint64_t seen[4] = { 0 };
        for (unsigned i = 0; !atomic_load(&sh->stop); i++) {
                unsigned k = i % 4;
                struct obj_key key = test_key(names[k]);
                uint64_t acked = atomic_load(&sh->acked[k]);
                struct content *c = i % 3 ? store_cached(sh->s, &key) : NULL;
                if (!c) {
                        struct err *e = store_open_object(sh->s, &key, &c);
                        if (err_code(e) == ERR_NOT_FOUND && !acked && !seen[k]) {
                                err_free(e);
                                continue;
                        }
                        if (err_code(e) == ERR_BUSY) { /* the background closes descriptors later than we replace contents */
                                err_free(e);
                                clock_sleep_ns(NS_PER_MS);
                                continue;
                        }
                        if (e)
                                give_up("open", e);
                }
                uint64_t v = value_of(c);
                content_unref(c);
                if (v < acked || v < seen[k])
                        sh->bad++;
                seen[k] = v;
        }
}

static void coherence_actor(void *arg)
{
        struct actor *a = arg;
        if (a->n >= 4) {
                reader(a);
                return;
        }
        writer(a);
        bool all = true;
        for (unsigned i = 0; i < 4; i++)
                all = all && atomic_load(&a->sh->acked[i]) == a->sh->rounds;
        if (all)
                atomic_store(&a->sh->stop, true);
}

static void coherence(unsigned mountpaths)
{
        struct test_store t;
        test_store_begin(&t, mountpaths);
        struct shared *sh = calloc(1, sizeof *sh);
        sh->s = t.s;
        sh->rounds = 300;
        run_actors(sh, 8, coherence_actor);
        assert_int_equal(sh->bad, 0);
        struct store_stats st;
        store_stats(t.s, &st);
        assert_true(st.cache_hits > 0);
        assert_int_equal(st.corrupt, 0);
        free(sh);
        test_store_end(&t);
}

static void test_coherence(void **state)
{
        (void)state;
        coherence(1);
        coherence(3);
}

/* ---- the cache alone ---- */

static bool nothing(void *arg, const struct content *x)
{
        (void)arg;
        (void)x;
        return false;
}

static void test_tickets(void **state)
{
        (void)state;
        struct test_store t;
        struct cache *c;
        struct content *x;
        test_store_begin(&t, 1);
        struct obj_key key = test_key("k");
        uint64_t digest = obj_key_digest(&key);
        struct record r = { .where = RECORD_SMALL, .size = 3 };
        assert_ok(cache_new(1 << 20, 64, &c));
        assert_ok(content__new(t.s, t.s->mp[0], &key, digest, &r, STR("abc"), &x));
        uint64_t ticket = cache_ticket(c, digest);
        cache_change_begin(c, &key, digest);
        cache_insert(c, x, ticket);
        assert_null(cache_get(c, &key, digest, true));
        cache_insert(c, x, cache_ticket(c, digest)); /* taken while a change goes on */
        assert_null(cache_get(c, &key, digest, true));
        cache_change_end(c, digest);
        cache_insert(c, x, ticket);
        assert_null(cache_get(c, &key, digest, true));
        ticket = cache_ticket(c, digest);
        cache_drop(c, nothing, NULL); /* a drop ends tickets too */
        cache_insert(c, x, ticket);
        assert_null(cache_get(c, &key, digest, true));
        cache_insert(c, x, cache_ticket(c, digest));
        struct content *got = cache_get(c, &key, digest, true);
        assert_ptr_equal(got, x);
        content_unref(got);
        cache_change_begin(c, &key, digest);
        cache_change_end(c, digest);
        assert_null(cache_get(c, &key, digest, true));
        content_unref(x);
        cache_free(c);
        test_store_end(&t);
}

/* ---- one batch in a mixed set ---- */

/* Places a small object with this stamp and version on one mountpath, as a resilver does. */
static void place_at(struct mountpath *mp, const struct obj_key *key, uint64_t hlc, uint64_t version)
{
        struct record r = { .stamp = { hlc, 1 }, .version = version, .size = 5, .where = RECORD_SMALL, .id = { hlc, 1 } };
        struct commit_op op = { .kind = COMMIT_PLACE, .key = *key, .record = &r, .small = STR("bytes") };
        assert_ok(store__commit(mp, &op));
}

/* The newest copy lies on the second mountpath, an older one on the third. A batch of the first brings a change that
 * looks at all of them, and the older copy, in either order: the newest one must count, and stay. */
static void test_place_in_batch(void **state)
{
        (void)state;
        struct test_store t;
        struct committer *c;
        struct obj_key key = test_key("k");
        test_store_begin(&t, 3);
        place_at(t.s->mp[1], &key, 2000, 7);
        place_at(t.s->mp[2], &key, 1000, 3);
        struct mp_set *set = store__set_enter(t.s);
        struct mp_set mixed = { .mp = { t.s->mp[0], t.s->mp[1], t.s->mp[2] }, .n = 3, .nall = 3, .mixed = true };
        assert_ok(committer_start(t.s->mp[0], &c));
        struct record old = { .stamp = { 1000, 1 }, .version = 3, .size = 5, .where = RECORD_SMALL, .id = { 1000, 1 } };
        struct put_attrs a = { .versioned = true };
        for (int order = 0; order < 2; order++) {
                struct commit_op place = { .kind = COMMIT_PLACE, .key = key, .record = &old, .small = STR("bytes") };
                struct commit_op custom = { .kind = COMMIT_CUSTOM, .key = key, .attrs = &a, .set = &mixed };
                struct commit_op put = { .kind = COMMIT_PUT, .key = key, .attrs = &a, .set = &mixed };
                assert_ok(decide_begin(c, 3));
                if (order == 0) {
                        decide(c, &custom);
                        assert_code(custom.err, ERR_BUSY);
                }
                decide(c, &place);
                assert_null(place.err);
                if (order == 0) {
                        assert_true(place.result.noop);
                        assert_null(c->list[0]->forget);
                } else {
                        decide(c, &put);
                        assert_null(put.err);
                        assert_int_equal(put.result.version, 8);
                        assert_ptr_equal(c->list[0]->forget, t.s->mp[1]);
                }
                decide_end(c);
                records_batch_clear(c->batch);
                arena_reset(&c->arena);
        }
        committer_stop(c);
        store__set_leave(set);
        test_store_end(&t);
}

/* While a mountpath could not be opened, nobody knows whether a condition on what is not found holds. */
static void test_cond_unknown(void **state)
{
        (void)state;
        struct test_store t;
        struct committer *c;
        struct obj_key key = test_key("k");
        test_store_begin(&t, 1);
        struct mp_set unknown = { .mp = { t.s->mp[0] }, .n = 1, .nall = 1, .unopened = t.s->mp[0] };
        struct put_attrs a = { .cond = { .kind = COND_ABSENT } }, plain = { .versioned = true };
        struct commit_op absent = { .kind = COMMIT_PUT, .key = key, .attrs = &a, .set = &unknown },
                         put = { .kind = COMMIT_PUT, .key = key, .attrs = &plain, .set = &unknown };
        assert_ok(committer_start(t.s->mp[0], &c));
        assert_ok(decide_begin(c, 2));
        decide(c, &absent);
        assert_code(absent.err, ERR_IO);
        decide(c, &put);
        assert_null(put.err);
        decide_end(c);
        records_batch_clear(c->batch);
        committer_stop(c);
        test_store_end(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_compare_and_set),
                cmocka_unit_test(test_numbering),
                cmocka_unit_test(test_coherence),
                cmocka_unit_test(test_tickets),
                cmocka_unit_test(test_place_in_batch),
                cmocka_unit_test(test_cond_unknown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
