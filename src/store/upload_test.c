/* Uploads, appends and cleaning on a whole store: rules, threads, restarts, a random walk beside a model, faults of
 * files. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/space.h"
#include "store/upload.h"

enum { BUCKET = 7 };

static char base[64], paths[3][96];
static const char *path_list[3] = { paths[0], paths[1], paths[2] };
static unsigned npaths;
static struct store *store;

static void ok_at(struct err *e, int line)
{
        char text[512];

        if (e)
                fail_msg("line %d: %s", line, err_text(e, text, sizeof(text)));
}
#define OK(e) ok_at((e), __LINE__)

static void code_at(struct err *e, enum err_code want, int line)
{
        char text[512];

        if (err_code(e) != want)
                fail_msg("line %d: %s instead of %s", line, e ? err_text(e, text, sizeof(text)) : "success",
                         err_code_name(want));
        err_free(e);
}
#define CODE(e, want) code_at((e), (want), __LINE__)

static void open_store(void)
{
        struct store_options o = { .paths = path_list,
                                   .npaths = npaths,
                                   .cluster_uuid = "c",
                                   .target_id = "t",
                                   .node = 1,
                                   .small_max = 4096 };

        OK(store_open(&o, &store));
}

/* A restart; the double forgets, so tests that go on with what was stored are for the engine alone. */
static void reopen(void)
{
        store_close(store);
        open_store();
}

#ifdef ORLOP_STORE_MEM
static const bool remembers = false;
#else
static const bool remembers = true;
#endif

static int setup_n(unsigned n)
{
        const char *tmp = getenv("TMPDIR");

        (void)snprintf(base, sizeof(base), "%.40s/orlop-XXXXXX", tmp ? tmp : "/tmp");
        if (!mkdtemp(base))
                return -1;
        for (unsigned i = 0; i < ARRAY_LEN(paths); i++)
                (void)snprintf(paths[i], sizeof(paths[i]), "%s/d%u", base, i);
        npaths = n;
        open_store();
        return 0;
}

static int setup(void **state)
{
        (void)state;
        return setup_n(1);
}

static int setup2(void **state)
{
        (void)state;
        return setup_n(2);
}

static int teardown(void **state)
{
        (void)state;
        OK(fault_set(STR_NONE));
        store_close(store);
        OK(file_remove_tree(AT_FDCWD, base));
        return 0;
}

static void fill(uint64_t seed, char *p, size_t n)
{
        for (size_t i = 0; i < n; i++)
                p[i] = (char)(hash_mix(seed * 1000003 + i / 8) >> (i % 8 * 8));
}

static struct obj_key key_of(const char *name)
{
        return (struct obj_key){ BUCKET, str_of(name) };
}

static struct put_attrs plain(void)
{
        return (struct put_attrs){ .cksum_type = CKSUM_XXHASH, .versioned = true };
}

/* ---- parts and objects by seed and size ---- */

static struct err *try_part(const char *name, const char *id, unsigned part, uint64_t seed, size_t n)
{
        struct obj_key key = key_of(name);
        AUTO_FREE char *p = malloc(n + 1);
        char hex[CKSUM_HEX_MAX];
        struct put *put;
        struct err *e;

        fill(seed, p, n);
        TRY(store_upload_part_begin(store, &key, str_of(id), part, seed % 2 ? (int64_t)n : -1, &put));
        e = store_put_write(put, p, n / 3);
        if (!e)
                e = store_put_write(put, p + n / 3, n - n / 3);
        if (e) {
                store_put_abort(put);
                return e;
        }
        cksum_of(CKSUM_XXHASH, p, n, hex);
        return store_upload_part_commit(put, CKSUM_XXHASH, str_of(hex));
}

struct piece {
        uint64_t seed;
        size_t n;
};

static char *join(const struct piece *pieces, unsigned n, size_t *ret_size)
{
        size_t size = 0;
        char *p;

        for (unsigned i = 0; i < n; i++)
                size += pieces[i].n;
        p = malloc(size + 1);
        size = 0;
        for (unsigned i = 0; i < n; i++) {
                fill(pieces[i].seed, p + size, pieces[i].n);
                size += pieces[i].n;
        }
        *ret_size = size;
        return p;
}

static void check_object(const char *name, const struct piece *pieces, unsigned n, unsigned chunks)
{
        struct obj_key key = key_of(name);
        size_t size;
        AUTO_FREE char *want = join(pieces, n, &size), *got = malloc(size + 1);
        char hex[CKSUM_HEX_MAX];
        struct content *c;

        OK(store_open_object(store, &key, &c));
        assert_int_equal(content_meta(c)->size, size);
        assert_int_equal(content_meta(c)->chunks, chunks);
        OK(content_read(c, 0, got, size));
        assert_memory_equal(want, got, size);
        OK(content_verify(c, 0, size));
        cksum_of(CKSUM_XXHASH, want, size, hex);
        assert_true(str_eq(content_meta(c)->cksum, str_of(hex)));
        content_unref(c);
}

static void cleanup_finds(uint64_t want)
{
        uint64_t files = 0, bytes;

        OK(store_cleanup(store, 0, &files, &bytes));
        assert_int_equal(files, want);
}

/* Moves what was discarded to trash and empties it, so that cleanup_finds counts only what nobody has dropped. */
static void settle_trash(void)
{
        for (int i = 0; i < 3; i++) {
                uint64_t files, bytes;

                clock_sleep_ns(20 * NS_PER_MS);
                OK(store_cleanup(store, 0, &files, &bytes));
        }
}

/* ---- uploads ---- */

static void test_upload(void **state)
{
        struct obj_key key = key_of("dir/object"), other = key_of("dir/other");
        struct piece pieces[] = { { 1, 100000 }, { 2, 0 }, { 3, 70000 }, { 4, 5 } };
        unsigned all[] = { 1, 2, 3, 10000 }, missing[] = { 1, 4 }, unsorted[] = { 2, 1 };
        AUTO_ARENA struct arena a;
        struct put_attrs attrs = plain();
        struct upload_part *parts;
        struct upload_info *uploads;
        struct put_result r;
        struct put *put;
        char id[17];
        unsigned n;

        (void)state;
        arena_init(&a, 0, 0);
        OK(store_upload_create(store, &key, STR("\001k\001v"), id));
        OK(try_part("dir/object", id, 10000, 4, 5));
        OK(try_part("dir/object", id, 3, 3, 70000));
        OK(try_part("dir/object", id, 1, 99, 1234));
        OK(try_part("dir/object", id, 2, 2, 0));
        OK(try_part("dir/object", id, 1, 1, 100000)); /* the last one counts */
        if (remembers)
                reopen();
        OK(store_upload_parts(store, &key, str_of(id), &a, &parts, &n));
        assert_int_equal(n, 4);
        for (unsigned i = 0; i < n; i++) {
                assert_int_equal(parts[i].part, all[i]);
                assert_int_equal(parts[i].size, pieces[i].n);
                assert_int_equal(parts[i].cksum.n, 16);
        }
        OK(store_uploads(store, BUCKET, &a, &uploads, &n));
        assert_int_equal(n, 1);
        assert_true(str_eq(uploads[0].name, key.name) && str_eq(uploads[0].id, str_of(id)));

        CODE(store_upload_part_begin(store, &key, str_of(id), 0, -1, &put), ERR_INVALID);
        CODE(store_upload_part_begin(store, &key, str_of(id), 10001, -1, &put), ERR_INVALID);
        CODE(store_upload_part_begin(store, &key, STR("0123456789abcdef"), 1, -1, &put), ERR_UPLOAD_NOT_FOUND);
        CODE(store_upload_part_begin(store, &key, STR("../../etc/passwd"), 1, -1, &put), ERR_UPLOAD_NOT_FOUND);
        CODE(store_upload_part_begin(store, &other, str_of(id), 1, -1, &put), ERR_UPLOAD_NOT_FOUND);
        CODE(store_upload_parts(store, &other, str_of(id), &a, &parts, &n), ERR_UPLOAD_NOT_FOUND);
        CODE(store_upload_complete(store, &key, str_of(id), missing, 2, &attrs, &r), ERR_INVALID);
        CODE(store_upload_complete(store, &key, str_of(id), unsorted, 2, &attrs, &r), ERR_INVALID);
        CODE(store_upload_complete(store, &key, str_of(id), all, 0, &attrs, &r), ERR_INVALID);
        attrs.cond.kind = COND_PRESENT;
        CODE(store_upload_complete(store, &key, str_of(id), all, 4, &attrs, &r), ERR_PRECONDITION);
        attrs.cond.kind = COND_NONE;
        OK(store_upload_complete(store, &key, str_of(id), all, 4, &attrs, &r));
        assert_int_equal(r.version, 1);
        check_object("dir/object", pieces, 4, 4);
        CODE(store_upload_parts(store, &key, str_of(id), &a, &parts, &n), ERR_UPLOAD_NOT_FOUND);
        CODE(store_upload_complete(store, &key, str_of(id), all, 4, &attrs, &r), ERR_UPLOAD_NOT_FOUND);
        CODE(store_upload_abort(store, &key, str_of(id)), ERR_UPLOAD_NOT_FOUND);
        if (remembers)
                reopen();
        settle_trash();
        check_object("dir/object", pieces, 4, 4);

        struct content *c;
        OK(store_open_object(store, &key, &c));
        assert_true(str_eq(store_custom_get(content_meta(c)->custom, STR("k")), STR("v")));
        assert_int_equal(content_meta(c)->max_chunk_size, 100000);
        content_unref(c);
}

static void test_single_and_subset(void **state)
{
        struct obj_key key = key_of("x");
        struct put_attrs attrs = plain();
        unsigned one[] = { 5 }, two[] = { 2, 4 };
        struct put_result r;
        char id[17];

        (void)state;
        OK(store_upload_create(store, &key, STR_NONE, id));
        OK(try_part("x", id, 5, 9, 300000));
        OK(store_upload_complete(store, &key, str_of(id), one, 1, &attrs, &r));
        check_object("x", &(struct piece){ 9, 300000 }, 1, 1);

        OK(store_upload_create(store, &key, STR_NONE, id));
        for (unsigned i = 1; i <= 5; i++)
                OK(try_part("x", id, i, i, 10000 * i));
        OK(store_upload_complete(store, &key, str_of(id), two, 2, &attrs, &r));
        assert_int_equal(r.version, 2);
        check_object("x", (struct piece[]){ { 2, 20000 }, { 4, 40000 } }, 2, 2);
        settle_trash();
        cleanup_finds(0); /* parts that were not listed, and the former object, are gone */
        check_object("x", (struct piece[]){ { 2, 20000 }, { 4, 40000 } }, 2, 2);

        /* The same content again changes nothing, and ends the upload. */
        attrs.same_is_noop = true;
        OK(store_upload_create(store, &key, STR_NONE, id));
        OK(try_part("x", id, 2, 2, 20000));
        OK(try_part("x", id, 4, 4, 40000));
        OK(store_upload_complete(store, &key, str_of(id), two, 2, &attrs, &r));
        assert_true(r.noop);
        CODE(store_upload_abort(store, &key, str_of(id)), ERR_UPLOAD_NOT_FOUND);
        settle_trash();
        check_object("x", (struct piece[]){ { 2, 20000 }, { 4, 40000 } }, 2, 2);
}

static void test_abort_and_drop(void **state)
{
        struct obj_key key = key_of("x");
        AUTO_ARENA struct arena a;
        struct upload_info *uploads;
        struct put *late;
        char id[17], second[17], append[17];
        unsigned n;

        (void)state;
        arena_init(&a, 0, 0);
        OK(store_upload_create(store, &key, STR_NONE, id));
        OK(try_part("x", id, 1, 1, 50000));
        OK(store_upload_part_begin(store, &key, str_of(id), 2, -1, &late));
        OK(store_put_write(late, "abc", 3));
        OK(store_upload_abort(store, &key, str_of(id)));
        CODE(store_upload_part_commit(late, CKSUM_NONE, STR_NONE), ERR_UPLOAD_NOT_FOUND);
        settle_trash();
        cleanup_finds(0);

        OK(store_upload_create(store, &key, STR_NONE, second));
        OK(try_part("x", second, 1, 1, 50000));
        OK(store_append_begin(store, &key, STR_NONE, append, &late));
        OK(store_put_write(late, "abc", 3));
        OK(store_append_end(late, false));
        OK(store_uploads(store, BUCKET, &a, &uploads, &n));
        assert_int_equal(n, 1);
        OK(store_bucket_drop(store, BUCKET));
        OK(store_uploads(store, BUCKET, &a, &uploads, &n));
        assert_int_equal(n, 0);
        CODE(try_part("x", second, 2, 1, 10), ERR_UPLOAD_NOT_FOUND);
        CODE(store_append_begin(store, &key, str_of(append), append, &late), ERR_NOT_FOUND);
}

/* ---- threads ---- */

struct worker {
        struct thread *thread;
        const char *id;
        unsigned number;
        struct err *err;
};

static void upload_parts(void *arg)
{
        struct worker *w = arg;

        for (unsigned i = 0; i < 10 && !w->err; i++) {
                unsigned part = 1 + w->number * 10 + i;

                w->err = try_part("big", w->id, part, part, 1000 * part);
                if (!w->err) /* a part that all write: whoever comes last wins, whole */
                        w->err = try_part("big", w->id, 9999, 500 + w->number, 30000);
        }
}

static void test_threads(void **state)
{
        enum { WORKERS = 6 };
        struct worker w[WORKERS];
        struct piece pieces[WORKERS * 10];
        unsigned parts[WORKERS * 10], n;
        struct obj_key key = key_of("big");
        struct put_attrs attrs = plain();
        AUTO_ARENA struct arena a;
        struct upload_part *listed;
        struct put_result r;
        uint64_t files, bytes;
        char id[17];

        (void)state;
        arena_init(&a, 0, 0);
        OK(store_upload_create(store, &key, STR_NONE, id));
        for (unsigned i = 0; i < WORKERS; i++) {
                w[i] = (struct worker){ .id = id, .number = i };
                OK(thread_start(&w[i].thread, "upload", THREAD_WORKER, upload_parts, &w[i]));
        }
        OK(store_cleanup(store, 0, &files, &bytes)); /* beside parts in flight */
        for (unsigned i = 0; i < WORKERS; i++) {
                thread_join(w[i].thread);
                OK(w[i].err);
        }
        for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
                parts[i] = i + 1;
                pieces[i] = (struct piece){ i + 1, 1000 * (i + 1) };
        }
        OK(store_upload_parts(store, &key, str_of(id), &a, &listed, &n));
        assert_int_equal(n, ARRAY_LEN(parts) + 1);
        settle_trash();
        OK(store_upload_complete(store, &key, str_of(id), parts, ARRAY_LEN(parts), &attrs, &r));
        check_object("big", pieces, ARRAY_LEN(parts), ARRAY_LEN(parts));
        settle_trash();
        check_object("big", pieces, ARRAY_LEN(parts), ARRAY_LEN(parts));
}

/* ---- a random walk beside a model ---- */

enum { NAMES = 3, PARTS = 6 };

struct model {
        bool open;
        char id[17];
        struct piece part[PARTS + 1]; /* n 0: none */
        struct piece object[PARTS];
        unsigned nobject;
};

static void model_complete(struct model *m, const char *name, uint64_t rng)
{
        struct obj_key key = key_of(name);
        struct put_attrs attrs = plain();
        unsigned parts[PARTS], n = 0;
        struct piece object[PARTS];
        struct put_result r;

        for (unsigned i = 1; i <= PARTS; i++) {
                if (m->part[i].n == 0 || (rng >> i & 3) == 0)
                        continue;
                object[n] = m->part[i];
                parts[n++] = i;
        }
        if (n == 0)
                return;
        OK(store_upload_complete(store, &key, str_of(m->id), parts, n, &attrs, &r));
        memcpy(m->object, object, sizeof(object));
        m->nobject = n;
        m->open = false;
}

static void model_check(const struct model *m, const char *name)
{
        struct obj_key key = key_of(name);
        AUTO_ARENA struct arena a;
        struct upload_part *parts;
        unsigned n, at = 0;

        arena_init(&a, 0, 0);
        if (m->nobject)
                check_object(name, m->object, m->nobject, m->nobject);
        if (!m->open) {
                CODE(store_upload_parts(store, &key, str_of(*m->id ? m->id : "none"), &a, &parts, &n),
                     ERR_UPLOAD_NOT_FOUND);
                return;
        }
        OK(store_upload_parts(store, &key, str_of(m->id), &a, &parts, &n));
        for (unsigned i = 1; i <= PARTS; i++) {
                if (m->part[i].n == 0)
                        continue;
                assert_true(at < n);
                assert_int_equal(parts[at].part, i);
                assert_int_equal(parts[at].size, m->part[i].n);
                at++;
        }
        assert_int_equal(at, n);
}

static void test_model(void **state)
{
        static const char *const names[NAMES] = { "a", "a/b", "c" };
        struct model models[NAMES] = { 0 };
        uint64_t rng = 42;

        (void)state;
        for (unsigned step = 0; step < 300; step++) {
                unsigned which = (unsigned)((rng = hash_mix(rng + step)) % NAMES);
                struct model *m = &models[which];
                struct obj_key key = key_of(names[which]);
                unsigned part = 1 + (unsigned)(rng >> 8) % PARTS;
                size_t size = 1 + (size_t)(rng >> 20) % 90000;

                switch ((rng >> 40) % 8) {
                case 0:
                        if (m->open)
                                OK(store_upload_abort(store, &key, str_of(m->id)));
                        m->open = false;
                        break;
                case 1:
                        if (m->open)
                                model_complete(m, names[which], rng >> 44);
                        break;
                case 2:
                        if (remembers && step % 4 == 0)
                                reopen();
                        break;
                case 3:
                        settle_trash();
                        break;
                default:
                        if (!m->open) {
                                memset(m->part, 0, sizeof(m->part));
                                OK(store_upload_create(store, &key, STR_NONE, m->id));
                                m->open = true;
                        }
                        OK(try_part(names[which], m->id, part, step, size));
                        m->part[part] = (struct piece){ step, size };
                        break;
                }
                model_check(m, names[which]);
        }
        for (unsigned i = 0; i < NAMES; i++)
                model_check(&models[i], names[i]);
}

/* ---- appends ---- */

static struct err *try_append(const char *name, char id[17], bool fresh, uint64_t seed, size_t n)
{
        struct obj_key key = key_of(name);
        AUTO_FREE char *p = malloc(n + 1);
        struct put *put;
        struct err *e;

        fill(seed, p, n);
        TRY(store_append_begin(store, &key, fresh ? STR_NONE : str_of(id), id, &put));
        e = store_put_write(put, p, n);
        if (e) {
                store_put_abort(put);
                return e;
        }
        return store_append_end(put, false);
}

static void test_append(void **state)
{
        struct obj_key key = key_of("log");
        struct piece pieces[] = { { 1, 100000 }, { 2, 3 }, { 3, 65536 }, { 4, 200000 } };
        struct put_attrs attrs = plain();
        struct put_result r;
        struct put *first, *second;
        char id[17], again[17], hex[CKSUM_HEX_MAX];
        AUTO_FREE char *all = NULL;
        size_t size;

        (void)state;
        for (unsigned i = 0; i < 4; i++) {
                OK(try_append("log", id, i == 0, pieces[i].seed, pieces[i].n));
                if (i == 1 && remembers)
                        reopen();
                if (i == 2)
                        settle_trash();
        }
        OK(store_append_begin(store, &key, str_of(id), again, &first));
        assert_string_equal(id, again);
        CODE(store_append_begin(store, &key, str_of(id), again, &second), ERR_BUSY);
        CODE(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_NONE, STR_NONE, &r), ERR_BUSY);
        OK(store_put_write(first, "dropped", 7));
        store_put_abort(first); /* what this request brought was not acknowledged */
        CODE(store_append_begin(store, &key, STR("0123456789abcdef"), again, &second), ERR_NOT_FOUND);
        CODE(store_append_flush(store, &key, STR("nonsense"), &attrs, CKSUM_NONE, STR_NONE, &r), ERR_NOT_FOUND);
        CODE(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_MD5, STR("00112233445566778899aabbccddeeff"),
                                &r),
             ERR_BAD_CHECKSUM);
        attrs.cond.kind = COND_PRESENT;
        CODE(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_NONE, STR_NONE, &r), ERR_PRECONDITION);
        attrs.cond.kind = COND_NONE;
        settle_trash(); /* the content is finished now, but the handle still holds it */
        if (remembers)
                reopen();
        OK(try_append("log", id, false, 5, 10));
        struct piece more[] = { pieces[0], pieces[1], pieces[2], pieces[3], { 5, 10 } };
        all = join(more, 5, &size);
        cksum_of(CKSUM_MD5, all, size, hex);
        OK(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_MD5, str_of(hex), &r));
        check_object("log", more, 5, 0);
        CODE(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_NONE, STR_NONE, &r), ERR_NOT_FOUND);
        if (remembers)
                reopen();
        settle_trash();
        cleanup_finds(0);
        check_object("log", more, 5, 0);
}

static void test_append_small(void **state)
{
        struct obj_key key = key_of("log");
        struct put_attrs attrs = plain();
        struct put_result r;
        struct put *put;
        char id[17];

        (void)state;
        OK(try_append("log", id, true, 1, 100));
        OK(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_NONE, STR_NONE, &r));
        check_object("log", &(struct piece){ 1, 100 }, 1, 0);
        OK(try_append("log", id, true, 2, 50)); /* goes on behind the object */
        OK(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_NONE, STR_NONE, &r));
        assert_int_equal(r.version, 2);
        check_object("log", (struct piece[]){ { 1, 100 }, { 2, 50 } }, 2, 0);
        key = key_of("empty");
        OK(store_append_begin(store, &key, STR_NONE, id, &put));
        OK(store_append_end(put, true));
        OK(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_NONE, STR_NONE, &r));
        check_object("empty", NULL, 0, 0);
        settle_trash();
        cleanup_finds(0);
}

/* ---- faults of files: a clean error, nothing acknowledged is lost ---- */

static struct err *one_of_each(unsigned run, char append_id[17], char upload_id[17], size_t *appended)
{
        struct obj_key key = key_of("log");
        struct put_attrs attrs = plain();
        unsigned part[] = { 1 };
        struct put_result r;

        (void)run;
        TRY(try_part("up", upload_id, 1, 77, 90000));
        TRY(try_append("log", append_id, false, 1000 + *appended, 1000));
        *appended += 1000;
        key = key_of("up");
        TRY(store_upload_complete(store, &key, str_of(upload_id), part, 1, &attrs, &r));
        return NULL;
}

static void check_append(const char *id, size_t appended)
{
        struct obj_key key = key_of("log");
        struct put_attrs attrs = plain();
        struct put_result r;
        struct piece *pieces = calloc(appended / 1000 + 1, sizeof(*pieces));

        for (size_t i = 0; i < appended / 1000; i++)
                pieces[i] = (struct piece){ 1000 + i * 1000, 1000 };
        OK(store_append_flush(store, &key, str_of(id), &attrs, CKSUM_NONE, STR_NONE, &r));
        check_object("log", pieces, (unsigned)(appended / 1000), 0);
        free(pieces);
}

/* The fault met the journal: nothing is written until the next start, and whether the step happened is not known. */
static void begin_again(const struct obj_key *up, const char *upload_id, char append_id[17])
{
        struct obj_key log = key_of("log");
        struct put_attrs attrs = plain();
        struct put_result r;

        store_close(store);
        open_store();
        err_free(store_upload_abort(store, up, str_of(upload_id)));
        OK(store_append_flush(store, &log, str_of(append_id), &attrs, CKSUM_NONE, STR_NONE, &r));
        OK(store_delete(store, &log, NULL, false));
        OK(try_append("log", append_id, true, 1000, 1000));
}

static void test_faults(void **state)
{
        static const char *const classes[] = { "open", "pwrite",    "fdatasync", "fsync",
                                               "link", "ftruncate", "pread",     "fstat" };
        struct obj_key up = key_of("up"), log = key_of("log");
        char append_id[17], upload_id[17], spec[64];
        unsigned failed = 0;

        (void)state;
        for (unsigned c = 0; c < ARRAY_LEN(classes); c++) {
                size_t appended = 0;
                unsigned quiet = 0;

                err_free(store_delete(store, &log, NULL, false));
                OK(try_append("log", append_id, true, 1000, 1000));
                appended = 1000;
                for (unsigned n = 1; quiet < 2 && n < 40; n++) {
                        struct content *content;
                        struct err *e;

                        OK(store_upload_create(store, &up, STR_NONE, upload_id));
                        (void)snprintf(spec, sizeof(spec), "%s:%u:EIO", classes[c], n);
                        OK(fault_set(str_of(spec)));
                        e = one_of_each(n, append_id, upload_id, &appended);
                        OK(fault_set(STR_NONE));
                        failed += e != NULL;
                        quiet = e ? 0 : quiet + 1;
                        err_free(e);
                        err_free(store_upload_abort(store, &up, str_of(upload_id)));
                        e = store_open_object(store, &up, &content);
                        if (!e) { /* if it is there it is whole */
                                OK(content_verify(content, 0, 90000));
                                content_unref(content);
                        }
                        err_free(e);
                        if (atomic_load(&store->mp[0]->state) == MOUNTPATH_FAILED) {
                                begin_again(&up, upload_id, append_id);
                                appended = 1000;
                        }
                }
                check_append(append_id, appended);
        }
        print_message("%u faults\n", failed);
        assert_true(failed > 15);
        settle_trash();
        cleanup_finds(0);
}

/* ---- the process ends at any change of a file ---- */

/* One upload and one append with a flush; tells each acknowledgement by a letter. Never returns. */
static void crash_child(unsigned round, unsigned nth, int out)
{
        char name[32], id[17], append[17], spec[64], hex[CKSUM_HEX_MAX] = "";
        struct put_attrs attrs = plain();
        unsigned parts[] = { 1, 2 };
        struct obj_key key;
        struct put_result r;

        open_store();
        (void)snprintf(spec, sizeof(spec), "any:%u:%s", nth, nth % 2 ? "kill" : "kill-after");
        OK(fault_set(str_of(spec)));
        (void)snprintf(name, sizeof(name), "up%u", round);
        key = key_of(name);
        OK(store_upload_create(store, &key, STR_NONE, id));
        OK(try_part(name, id, 1, round, 70000));
        OK(try_part(name, id, 2, round + 1000, 100));
        OK(store_upload_complete(store, &key, str_of(id), parts, 2, &attrs, &r));
        OK(file_write_full(out, "u", 1));
        (void)snprintf(name, sizeof(name), "log%u", round);
        key = key_of(name);
        OK(try_append(name, append, true, round, 50000));
        (void)snprintf(hex, sizeof(hex), "a%s", append);
        OK(file_write_full(out, hex, 17));
        OK(try_append(name, append, false, round + 1000, 30000));
        OK(file_write_full(out, "b", 1));
        OK(store_append_flush(store, &key, str_of(append), &attrs, CKSUM_NONE, STR_NONE, &r));
        OK(file_write_full(out, "f", 1));
        _exit(0);
}

static bool object_is(const char *name, const struct piece *pieces, unsigned n, unsigned chunks)
{
        struct obj_key key = key_of(name);
        struct content *c;
        struct err *e = store_open_object(store, &key, &c);

        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return false;
        }
        OK(e);
        content_unref(c);
        check_object(name, pieces, n, chunks);
        return true;
}

static void crash_check(unsigned round, const char *told, size_t n)
{
        struct piece up[] = { { round, 70000 }, { round + 1000, 100 } },
                     log[] = { { round, 50000 }, { round + 1000, 30000 } };
        struct put_attrs attrs = plain();
        struct obj_key key;
        struct put_result r;
        char name[32];

        (void)snprintf(name, sizeof(name), "up%u", round);
        if (!object_is(name, up, 2, 2))
                assert_true(n == 0);
        (void)snprintf(name, sizeof(name), "log%u", round);
        key = key_of(name);
        if (object_is(name, log, 2, 0) || n < 18)
                return; /* flushed, or never acknowledged */
        assert_true(n < 20);
        OK(store_append_flush(store, &key, (struct str){ told + 2, 16 }, &attrs, CKSUM_NONE, STR_NONE, &r));
        struct content *c;
        OK(store_open_object(store, &key, &c));
        uint64_t size = content_meta(c)->size;
        content_unref(c);
        assert_true(size == 80000 || (size == 50000 && n == 18)); /* the second may have made it without being told */
        check_object(name, log, size == 80000 ? 2 : 1, 0);
}

static void test_crash(void **state)
{
        unsigned killed = 0;

        (void)state;
        if (!remembers)
                return;
        store_close(store);
        for (unsigned nth = 1; nth < 200; nth++) {
                char told[64];
                size_t n = 0, got = 1;
                int fd[2], status;
                pid_t pid;

                assert_int_equal(pipe(fd), 0);
                pid = fork();
                assert_true(pid >= 0);
                if (pid == 0)
                        crash_child(nth, nth, fd[1]);
                (void)close(fd[1]);
                while (got > 0 && n < sizeof(told)) {
                        OK(file_read(fd[0], told + n, sizeof(told) - n, &got));
                        n += got;
                }
                (void)close(fd[0]);
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFEXITED(status) ? WEXITSTATUS(status) == 0 : WTERMSIG(status) == SIGKILL);
                killed += WIFSIGNALED(status);
                open_store();
                crash_check(nth, told, n);
                if (!WIFSIGNALED(status))
                        break;
                store_close(store);
        }
        print_message("killed at %u calls\n", killed);
        assert_true(killed > 25);
        settle_trash();
        cleanup_finds(0);
}

/* ---- several mountpaths ---- */

static void test_moved(void **state)
{
        struct put_attrs attrs = plain();
        unsigned parts[] = { 1, 2 };
        char ids[8][17], appends[8][17], name[16];
        struct put_result r;

        (void)state;
        for (unsigned i = 0; i < 8; i++) {
                struct obj_key key = { BUCKET, STR_NONE };

                (void)snprintf(name, sizeof(name), "up%u", i);
                key.name = str_of(name);
                OK(store_upload_create(store, &key, STR_NONE, ids[i]));
                OK(try_part(name, ids[i], 1, i, 20000));
                (void)snprintf(name, sizeof(name), "log%u", i);
                OK(try_append(name, appends[i], true, i, 9000));
        }
        OK(file_mkdir(AT_FDCWD, paths[2], 0755));
        OK(store_mountpath_attach(store, paths[2], ""));
        for (unsigned i = 0; i < 8; i++) {
                struct obj_key key = { BUCKET, STR_NONE };

                (void)snprintf(name, sizeof(name), "up%u", i);
                key.name = str_of(name);
                OK(try_part(name, ids[i], 2, i + 10, 30000)); /* stays with the upload */
                OK(store_upload_complete(store, &key, str_of(ids[i]), parts, 2, &attrs, &r));
                check_object(name, (struct piece[]){ { i, 20000 }, { i + 10, 30000 } }, 2, 2);
                (void)snprintf(name, sizeof(name), "log%u", i);
                key.name = str_of(name);
                OK(try_append(name, appends[i], false, i + 20, 9000));
                OK(store_append_flush(store, &key, str_of(appends[i]), &attrs, CKSUM_NONE, STR_NONE, &r));
                check_object(name, (struct piece[]){ { i, 9000 }, { i + 20, 9000 } }, 2, 0);
        }
        settle_trash();
        cleanup_finds(0);
        for (unsigned i = 0; i < 8; i++) {
                (void)snprintf(name, sizeof(name), "up%u", i);
                check_object(name, (struct piece[]){ { i, 20000 }, { i + 10, 30000 } }, 2, 2);
        }
}

/* ---- cleaning and space ---- */

static void test_cleanup(void **state)
{
        struct content_dir *d = store->mp[0]->contents;
        struct content_writer *w;
        struct content_id orphan, flying;
        struct put *put;
        struct obj_key key = key_of("x");
        struct put_attrs attrs = plain();
        struct put_result r;
        uint64_t files, bytes;
        AUTO_FREE char *p = malloc(100000);

        (void)state;
        fill(1, p, 100000);
        OK(store_put_begin(store, &key, -1, &put));
        OK(store_put_write(put, p, 100000));
        for (unsigned i = 0; i < 2; i++) {
                OK(content_writer_new(d, -1, &w));
                OK(content_writer_write(w, p, 100000));
                *(i ? &flying : &orphan) = content_writer_id(w);
                OK(content_writer_finish(w, STR_NONE, true));
        }
        content_settled(d, orphan);
        OK(store_cleanup(store, 3600 * NS_PER_SEC, &files, &bytes)); /* too young */
        assert_int_equal(files, 0);
        OK(store_cleanup(store, 0, &files, &bytes));
        assert_int_equal(files, 1);
        assert_true(bytes >= 100000);
        content_settled(d, flying);
        OK(store_cleanup(store, 0, &files, &bytes));
        assert_int_equal(files, 1);
        OK(store_put_commit(put, &attrs, &r));
        cleanup_finds(0);
        struct content *c;
        OK(store_open_object(store, &key, &c));
        OK(content_verify(c, 0, 100000));
        content_unref(c);
}

static _Atomic bool stop_writing;

static void keep_writing(void *arg)
{
        struct worker *w = arg;
        AUTO_FREE char *p = malloc(50000);
        struct put_attrs attrs = plain();
        char name[32];

        fill(w->number, p, 50000);
        for (unsigned i = 0; !w->err && !stop_writing; i++) {
                struct obj_key key = { BUCKET, STR_NONE };
                struct put_result r;
                struct content *c;
                struct put *put;

                (void)snprintf(name, sizeof(name), "w%u-%u", w->number, i % 20);
                key.name = str_of(name);
                w->err = store_put_begin(store, &key, -1, &put);
                if (!w->err)
                        w->err = store_put_write(put, p, 50000);
                if (!w->err)
                        w->err = store_put_commit(put, &attrs, &r);
                if (!w->err)
                        w->err = store_open_object(store, &key, &c);
                if (!w->err) {
                        w->err = content_verify(c, 0, 50000);
                        content_unref(c);
                }
        }
}

/* Cleaning without a minimum age beside writers: nothing that was acknowledged goes. */
static void test_cleanup_beside_puts(void **state)
{
        struct worker w[3];
        uint64_t files, bytes;

        (void)state;
        stop_writing = false;
        for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
                w[i] = (struct worker){ .number = i };
                OK(thread_start(&w[i].thread, "writer", THREAD_WORKER, keep_writing, &w[i]));
        }
        for (unsigned i = 0; i < 60; i++)
                OK(store_cleanup(store, 0, &files, &bytes));
        stop_writing = true;
        for (unsigned i = 0; i < ARRAY_LEN(w); i++) {
                thread_join(w[i].thread);
                OK(w[i].err);
        }
}

static void test_space(void **state)
{
        struct watermarks w = { .cleanup_pct = 65, .low_pct = 75, .high_pct = 90, .out_of_space_pct = 95 },
                          full = { 0, 0, 0, 1 };
        struct obj_key key = key_of("x");
        struct store_usage u;
        struct put *put;
        char id[17];

        (void)state;
        assert_int_equal(store__space_state(SPACE_OK, 749, &w), SPACE_OK);
        assert_int_equal(store__space_state(SPACE_OK, 750, &w), SPACE_LOW);
        assert_int_equal(store__space_state(SPACE_LOW, 746, &w), SPACE_LOW);
        assert_int_equal(store__space_state(SPACE_LOW, 744, &w), SPACE_OK);
        assert_int_equal(store__space_state(SPACE_OK, 949, &w), SPACE_HIGH);
        assert_int_equal(store__space_state(SPACE_OUT, 946, &w), SPACE_OUT);
        assert_int_equal(store__space_state(SPACE_OUT, 944, &w), SPACE_HIGH);
        assert_int_equal(store__space_state(SPACE_OK, 1000, &w), SPACE_OUT);
        w.out_of_space_pct = 0; /* switched off */
        assert_int_equal(store__space_state(SPACE_OK, 1000, &w), SPACE_HIGH);

        store__space_tick(store);
        store_usage(store, &u);
        assert_true(u.used > 0 && u.avail > 0 && u.pct_max > 0 && u.pct_max <= 100 && u.pct_min <= u.pct_avg &&
                    u.pct_avg <= u.pct_max);
        store_set_watermarks(store, &full);
        store_usage(store, &u);
        assert_int_equal(u.state, SPACE_OUT);
        CODE(store_put_begin(store, &key, -1, &put), ERR_NO_SPACE);
        CODE(store_upload_create(store, &key, STR_NONE, id), ERR_NO_SPACE);
        CODE(store_append_begin(store, &key, STR_NONE, id, &put), ERR_NO_SPACE);
        full.out_of_space_pct = 100;
        store_set_watermarks(store, &full);
        OK(store_put_begin(store, &key, -1, &put));
        store_put_abort(put);
}

/* The example of docs/format/mountpath.md. */
static void test_example(void **state)
{
        static const char want_key[] = "000000000000000750303132333435363738396162636465660005";
        static const char want_value[] = "01640100000000000000020000000000000003000000000000000110"
                                         "3030313132323333343435353636373759fd7c2c";
        struct upload_key k = { 7, UPLOAD_ROW_PART, "0123456789abcdef", 5 };
        struct part_row row = { 100, 1, CKSUM_XXHASH, STR("0011223344556677"), { 2, 3 } };
        AUTO_BUF struct buf b = BUF_INIT;
        char raw[UPLOAD_KEY_MAX], hex[256];
        struct str key = upload_row_key(&k, raw);

        (void)state;
        str_to_hex(key.p, key.n, hex);
        assert_string_equal(hex, want_key);
        part_row_encode(key, &row, &b);
        str_to_hex(b.p, b.n, hex);
        assert_string_equal(hex, want_value);
}

/* Empty parts have no bytes to verify, so no descriptor either: what is asked for in pieces, and then as a whole, must
 * not trip over them. */
static void test_empty_parts(void **state)
{
        struct obj_key key = key_of("holes");
        struct piece pieces[] = { { 1, 70000 }, { 2, 0 }, { 3, 70000 }, { 4, 0 } };
        unsigned all[] = { 1, 2, 3, 4 }, n;
        const struct content_part *parts;
        struct put_attrs attrs = plain();
        AUTO_ARENA struct arena a;
        struct put_result r;
        struct content *c;
        int64_t sum = 0;
        char id[17];

        (void)state;
        arena_init(&a, 0, 0);
        OK(store_upload_create(store, &key, STR_NONE, id));
        for (unsigned i = 0; i < 4; i++)
                OK(try_part("holes", id, all[i], pieces[i].seed, pieces[i].n));
        OK(store_upload_complete(store, &key, str_of(id), all, 4, &attrs, &r));
        OK(store_open_object(store, &key, &c));
        OK(content_verify(c, 0, 70000));
        OK(content_verify(c, 70000, 70000));
        OK(content_parts(c, 0, 140000, &a, &parts, &n));
        for (unsigned i = 0; i < n; i++) {
                assert_true(parts[i].fd >= 0);
                sum += parts[i].length;
        }
        assert_int_equal(sum, 140000);
        content_unref(c);
        check_object("holes", pieces, 4, 4);
}

/* Descriptors of contents are bounded, also those of one object, and given back. */
static void test_files_bounded(void **state)
{
        struct obj_key key = key_of("many");
        struct put_attrs attrs = plain();
        struct put_result r;
        struct content *c;
        unsigned all[8];
        char id[17], p[8 * 100];

        (void)state;
        OK(store_upload_create(store, &key, STR_NONE, id));
        for (unsigned i = 0; i < 8; i++) {
                all[i] = i + 1;
                OK(try_part("many", id, all[i], i, 100));
        }
        OK(store_upload_complete(store, &key, str_of(id), all, 8, &attrs, &r));
        unsigned max = store->content_files_max;
        store->content_files_max = 5;
        OK(store_open_object(store, &key, &c));
        OK(content_read(c, 0, p, 500));
        CODE(content_read(c, 500, p, 100), ERR_BUSY);
        assert_int_equal(atomic_load(&store->content_files), 5);
        store->content_files_max = max;
        OK(content_read(c, 0, p, 800));
        assert_int_equal(atomic_load(&store->content_files), 8);
        content_unref(c);
        OK(store_delete(store, &key, NULL, false)); /* which drops it from the cache */
        for (int i = 0; i < 1000 && atomic_load(&store->content_files); i++)
                clock_sleep_ns(NS_PER_MS);
        assert_int_equal(atomic_load(&store->content_files), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_upload),      TEST(test_single_and_subset), TEST(test_abort_and_drop), TEST(test_threads),
                TEST(test_model),       TEST(test_append),            TEST(test_append_small),   TEST(test_faults),
                TEST(test_empty_parts), TEST(test_files_bounded),
                TEST(test_crash),        TEST(test_cleanup),     TEST(test_cleanup_beside_puts), TEST(test_space),
                cmocka_unit_test_setup_teardown(test_moved, setup2, teardown),
                cmocka_unit_test(test_example),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
