/* fsck on directories that were damaged on purpose: what it finds, what it sets aside, what it rebuilds, and that it
 * leaves whole things alone. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/fsck.h"
#include "store/upload.h"

#ifdef ORLOP_STORE_MEM

/* The double forgets what it held when it is closed: there is nothing to check. */
int main(void)
{
        return 0;
}

#else

enum { BUCKET = 7, SMALL = 3000, LARGE = 150000 };

static char base[64], paths[2][96];
static const char *path_list[2] = { paths[0], paths[1] };
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
        if (store)
                store_close(store);
        store = NULL;
        OK(file_remove_tree(AT_FDCWD, base));
        return 0;
}

/* ---- objects: the bytes follow from the name ---- */

static void fill(const char *name, char *p, size_t n)
{
        uint64_t seed = hash_xxh64(name, strlen(name), 0);

        for (size_t i = 0; i < n; i++)
                p[i] = (char)(hash_mix(seed + i / 8) >> (i % 8 * 8));
}

static struct obj_key key_of(const char *name)
{
        return (struct obj_key){ BUCKET, str_of(name) };
}

static const struct put_attrs attrs = { .cksum_type = CKSUM_XXHASH, .versioned = true, .custom = { "\001k\001v", 4 } };

static void put(const char *name, size_t n)
{
        struct obj_key key = key_of(name);
        AUTO_FREE char *p = malloc(n + 1);
        char hex[CKSUM_HEX_MAX];
        struct put_attrs a = attrs;
        struct put_result r;
        struct put *w;

        fill(name, p, n);
        cksum_of(CKSUM_XXHASH, p, n, hex);
        a.cksum = str_of(hex);
        OK(store_put_begin(store, &key, -1, &w));
        OK(store_put_write(w, p, n));
        OK(store_put_commit(w, &a, &r));
}

static void put_chunks(const char *name, size_t n, unsigned chunks)
{
        struct obj_key key = key_of(name);
        AUTO_FREE char *p = malloc(n + 1);
        struct put_result r;
        unsigned parts[10];
        char id[17];

        fill(name, p, n);
        OK(store_upload_create(store, &key, STR_NONE, id));
        for (unsigned i = 0; i < chunks; i++) {
                size_t from = n / chunks * i, len = i + 1 == chunks ? n - from : n / chunks;
                struct put *w;

                parts[i] = i + 1;
                OK(store_upload_part_begin(store, &key, str_of(id), i + 1, -1, &w));
                OK(store_put_write(w, p + from, len));
                OK(store_upload_part_commit(w, CKSUM_NONE, STR_NONE));
        }
        OK(store_upload_complete(store, &key, str_of(id), parts, chunks, &attrs, &r));
}

static bool custom_lost; /* a rebuilt small content has none */

static struct err *get(const char *name, size_t n)
{
        struct obj_key key = key_of(name);
        AUTO_FREE char *want = malloc(n + 1), *got = malloc(n + 1);
        char hex[CKSUM_HEX_MAX];
        struct content *c;
        struct err *e;

        TRY(store_open_object(store, &key, &c));
        fill(name, want, n);
        cksum_of(CKSUM_XXHASH, want, n, hex);
        assert_int_equal(content_meta(c)->size, n);
        assert_true(str_eq(content_meta(c)->cksum, str_of(hex)));
        if (!custom_lost)
                assert_true(str_eq(store_custom_get(content_meta(c)->custom, STR("k")), STR("v")));
        e = content_read(c, 0, got, n);
        if (!e)
                assert_memory_equal(want, got, n);
        content_unref(c);
        return e;
}

/* 20 small, 10 large, 2 chunked objects; one upload and one append in progress. */
static void populate(void)
{
        struct obj_key key = key_of("upload");
        char name[32], id[17];
        struct put *w;

        for (unsigned i = 0; i < 20; i++) {
                (void)snprintf(name, sizeof(name), "small%u", i);
                put(name, SMALL);
        }
        for (unsigned i = 0; i < 10; i++) {
                (void)snprintf(name, sizeof(name), "large%u", i);
                put(name, LARGE);
        }
        put_chunks("chunks0", 500000, 3);
        put_chunks("chunks1", 70000, 1);
        OK(store_upload_create(store, &key, STR_NONE, id));
        OK(store_upload_part_begin(store, &key, str_of(id), 1, -1, &w));
        OK(store_put_write(w, "part", 4));
        OK(store_upload_part_commit(w, CKSUM_NONE, STR_NONE));
        OK(store_append_begin(store, &key, STR_NONE, id, &w));
        OK(store_put_write(w, "append", 6));
        OK(store_append_end(w, false));
}

enum { OBJECTS = 32, CONTENTS = 10 + 3 + 1 + 1 };

static unsigned readable(const char *prefix, unsigned n, size_t size)
{
        unsigned good = 0;
        char name[32];

        for (unsigned i = 0; i < n; i++) {
                struct err *e;

                (void)snprintf(name, sizeof(name), "%s%u", prefix, i);
                e = get(name, size);
                good += !e;
                err_free(e);
        }
        return good;
}

/* ---- running it ---- */

static char said[65536];
static size_t said_n;

static void say(void *arg, bool progress, const char *line)
{
        (void)arg;
        if (!progress && said_n < sizeof(said) - 1200)
                said_n += (size_t)snprintf(said + said_n, 1100, "%.1000s\n", line);
}

static struct fsck_report check(enum fsck_mode mode)
{
        struct fsck_report r;

        said_n = 0;
        said[0] = '\0';
        OK(store_fsck(path_list, npaths, mode, say, NULL, &r));
        return r;
}

static void close_store(void)
{
        store_close(store);
        store = NULL;
}

static void assert_clean(void)
{
        struct fsck_report r = check(FSCK_CHECK);

        if (r.corrupt || r.missing || r.orphans)
                fail_msg("not clean: corrupt %u missing %u orphans %u\n%s", (unsigned)r.corrupt, (unsigned)r.missing,
                         (unsigned)r.orphans, said);
}

/* ---- damage ---- */

struct pick {
        struct content_id id;
        uint64_t size;
        unsigned n;
};

static struct err *pick_one(void *arg, struct content_id id, const struct stat *st)
{
        struct pick *p = arg;

        if ((uint64_t)st->st_size < LARGE || st->st_size > LARGE + 4096)
                return NULL;
        p->id = id;
        p->n++;
        return NULL;
}

/* The content file of some large object. */
static void content_path(char out[static 400])
{
        char dir[256];
        struct content_dir *d;
        struct pick p = { .n = 0 };
        AUTO_FD int fd = -1;

        (void)snprintf(dir, sizeof(dir), "%s/orlop", paths[0]);
        OK(file_open_dir(AT_FDCWD, dir, &fd));
        OK(content_dir_open(fd, &d));
        OK(content_each(d, pick_one, &p));
        content_dir_close(d);
        assert_true(p.n > 0);
        (void)snprintf(out, 400, "%s/content/%02x/%016llx%016llx", dir, (unsigned)(p.id.hi >> 56),
                       (unsigned long long)p.id.hi, (unsigned long long)p.id.lo);
}

static void flip(const char *path, off_t at)
{
        AUTO_FD int fd = open(path, O_RDWR | O_CLOEXEC);
        char c;

        assert_true(fd >= 0);
        if (at < 0)
                at += lseek(fd, 0, SEEK_END);
        assert_int_equal(pread(fd, &c, 1, at), 1);
        c = (char)(c ^ 4);
        assert_int_equal(pwrite(fd, &c, 1, at), 1);
}

static void record_file(const char *suffix, char out[static 512])
{
        char dir[256];
        DIR *d;

        (void)snprintf(dir, sizeof(dir), "%s/orlop/records", paths[0]);
        d = opendir(dir);
        assert_non_null(d);
        out[0] = '\0';
        for (struct dirent *e; (e = readdir(d));)
                if (str_starts(str_of(e->d_name), str_of(suffix)) || str_ends(str_of(e->d_name), str_of(suffix)))
                        (void)snprintf(out, 512, "%s/%s", dir, e->d_name);
        closedir(d);
}

static void change_record(const char *name, enum records_family family, bool remove, size_t flip_at)
{
        struct records_env *env;
        struct records *r;
        struct records_batch *b = records_batch_new();
        struct obj_key key = key_of(name);
        struct records_value v;
        AUTO_BUF struct buf value = BUF_INIT;
        char dir[256], raw[RECORD_KEY_MAX];
        struct str k;

        (void)snprintf(dir, sizeof(dir), "%s/orlop/records", paths[0]);
        OK(records_env_new(0, &env));
        OK(records_open(env, dir, false, &r));
        OK(record_key(&key, raw, &k));
        OK(records_get(r, family, k, &v));
        buf_adds(&value, v.data);
        records_value_release(&v);
        value.p[flip_at] = (char)(value.p[flip_at] ^ 1);
        if (remove)
                records_batch_delete(b, r, family, k);
        else
                records_batch_put(b, r, family, k, buf_str(&value));
        OK(records_write(r, b, true));
        records_batch_free(b);
        records_close(r);
        records_env_free(env);
}

static unsigned quarantined(void)
{
        char dir[256];
        unsigned n = 0;
        DIR *d;

        (void)snprintf(dir, sizeof(dir), "%s/orlop/quarantine", paths[0]);
        d = opendir(dir);
        if (!d)
                return 0;
        for (struct dirent *e; (e = readdir(d));)
                n += e->d_name[0] != '.';
        closedir(d);
        return n;
}

/* ---- tests ---- */

static void test_whole(void **state)
{
        struct fsck_report r;

        (void)state;
        populate();
        CODE(store_fsck(path_list, 1, FSCK_CHECK, say, NULL, &r), ERR_IN_USE);
        close_store();
        r = check(FSCK_CHECK);
        assert_int_equal(r.objects, OBJECTS);
        assert_int_equal(r.bytes, 20 * SMALL + 10 * LARGE + 500000 + 70000);
        assert_int_equal(r.contents, CONTENTS);
        assert_clean();
        r = check(FSCK_REPAIR); /* finds nothing to do */
        assert_int_equal(r.repaired + r.rebuilt, 0);
        r = check(FSCK_REBUILD);
        assert_int_equal(r.repaired + r.rebuilt, 0);
        assert_int_equal(quarantined(), 0);
        CODE(store_fsck(&(const char *){ "/nonexistent" }, 1, FSCK_CHECK, say, NULL, &r), ERR_NOT_FOUND);
        CODE(store_fsck(path_list, 0, FSCK_CHECK, say, NULL, &r), ERR_INVALID);
        open_store();
        assert_int_equal(readable("small", 20, SMALL), 20);
        assert_int_equal(readable("large", 10, LARGE), 10);
        OK(get("chunks0", 500000));
        OK(get("chunks1", 70000));
}

static void test_corrupt_content(void **state)
{
        static const off_t places[] = { 0, LARGE / 2, LARGE - 1, LARGE + 1, -1, -30 };
        struct fsck_report r;
        char path[400];

        (void)state;
        populate();
        close_store();
        for (unsigned i = 0; i < ARRAY_LEN(places); i++) {
                content_path(path);
                flip(path, places[i]);
                r = check(FSCK_CHECK);
                assert_int_equal(r.corrupt, 1);
                assert_non_null(strstr(said, "large")); /* by name */
                flip(path, places[i]);
                assert_clean();
        }
        flip(path, 5);
        r = check(FSCK_REPAIR);
        assert_int_equal(r.corrupt, 1);
        assert_int_equal(r.repaired, 1);
        assert_int_equal(quarantined(), 2); /* row and content */
        assert_clean();
        open_store();
        assert_int_equal(readable("large", 10, LARGE), 9);
        assert_int_equal(readable("small", 20, SMALL), 20);
}

static void test_missing_and_orphans(void **state)
{
        struct fsck_report r;
        char path[400], moved[420];

        (void)state;
        populate();
        close_store();
        content_path(path);
        (void)snprintf(moved, sizeof(moved), "%s.away", path);
        assert_int_equal(rename(path, moved), 0);
        r = check(FSCK_CHECK);
        assert_int_equal(r.missing, 1);
        assert_int_equal(rename(moved, path), 0);
        assert_clean();

        change_record("large3", RECORDS_OBJECTS, true, 0); /* a content without a record */
        change_record("small3", RECORDS_OBJECTS, true, 0);
        r = check(FSCK_CHECK);
        assert_int_equal(r.orphans, 2);
        r = check(FSCK_REPAIR);
        assert_int_equal(r.orphans, 2);
        assert_clean();
        open_store();
        assert_int_equal(readable("large", 10, LARGE), 9);
        assert_int_equal(readable("small", 20, SMALL), 19);
}

static void test_corrupt_records(void **state)
{
        struct fsck_report r;

        (void)state;
        populate();
        close_store();
        change_record("large4", RECORDS_OBJECTS, false, 9);
        change_record("small4", RECORDS_SMALL, false, 100);
        change_record("small5", RECORDS_OBJECTS, false, 5);
        r = check(FSCK_CHECK);
        assert_int_equal(r.corrupt, 3);
        r = check(FSCK_REPAIR); /* the content of large4 may be somebody's: it stays */
        assert_int_equal(r.corrupt, 3);
        assert_true(quarantined() >= 3);
        r = check(FSCK_CHECK);
        assert_int_equal(r.corrupt, 0);
        open_store();
        assert_int_equal(readable("large", 10, LARGE), 9);
        assert_int_equal(readable("small", 20, SMALL), 18);
}

static void test_rebuild_one(void **state)
{
        struct fsck_report r;

        (void)state;
        populate();
        close_store();
        change_record("large4", RECORDS_OBJECTS, false, 9);
        change_record("chunks0", RECORDS_OBJECTS, false, 9);
        r = check(FSCK_REBUILD);
        assert_int_equal(r.corrupt, 2);
        assert_int_equal(r.rebuilt, 2);
        assert_clean();
        open_store();
        assert_int_equal(readable("large", 10, LARGE), 10);
        OK(get("chunks0", 500000));
        OK(get("chunks1", 70000));
}

static void test_rebuild_all(void **state)
{
        struct fsck_report r;
        char dir[256], moved[300];
        struct obj_key from = key_of("large7"), to = key_of("renamed0"), chunks = key_of("chunks1"),
                       other = key_of("renamed1");

        (void)state;
        populate();
        put("large2", LARGE); /* a newer version; the former waits in trash */
        OK(store_rename(store, &from, &to, false));
        OK(store_rename(store, &chunks, &other, false));
        close_store();
        (void)snprintf(dir, sizeof(dir), "%s/orlop/records", paths[0]);
        (void)snprintf(moved, sizeof(moved), "%s.lost", dir);
        assert_int_equal(rename(dir, moved), 0);
        r = check(FSCK_CHECK);
        assert_true(r.corrupt > 0);
        r = check(FSCK_REPAIR); /* not its business */
        assert_int_equal(r.rebuilt, 0);
        r = check(FSCK_REBUILD);
        assert_int_equal(r.rebuilt, 12);
        open_store();
        assert_int_equal(readable("large", 10, LARGE), 9);
        OK(get("chunks0", 500000));
        CODE(get("chunks1", 70000), ERR_NOT_FOUND);
        CODE(get("large7", LARGE), ERR_NOT_FOUND);
        struct content *c;
        OK(store_open_object(store, &to, &c));
        OK(content_verify(c, 0, LARGE));
        content_unref(c);
        OK(store_open_object(store, &other, &c));
        OK(content_verify(c, 0, 70000));
        content_unref(c);
        put("large1", LARGE); /* its stamp is larger than all that were rebuilt */
        OK(get("large1", LARGE));
}

/* Whatever happens to the files of the engine: fsck says so, never crashes, and what it leaves can be opened. */
static void test_engine_files(void **state)
{
        static const char *const files[] = { ".sst", ".blob", "MANIFEST", "CURRENT" };

        (void)state;
        teardown(NULL);
        for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
                for (unsigned where = 0; where < 3; where++) {
                        struct fsck_report r;
                        char path[512];
                        struct stat st;

                        setup_n(1);
                        populate();
                        close_store();
                        record_file(files[i], path);
                        assert_true(path[0]);
                        assert_int_equal(stat(path, &st), 0);
                        flip(path, st.st_size * (where + 1) / 4);
                        r = check(FSCK_CHECK);
                        if (r.corrupt == 0)
                                assert_int_equal(r.objects, OBJECTS); /* a bit that means nothing */
                        r = check(FSCK_REBUILD);
                        open_store();
                        assert_int_equal(readable("large", 10, LARGE), 10);
                        OK(get("chunks0", 500000));
                        custom_lost = true;
                        assert_true(readable("small", 20, SMALL) >= 19); /* one blob may be damaged */
                        custom_lost = false;
                        close_store();
                        assert_clean();
                        teardown(NULL);
                }
        }
        setup_n(1);
}

/* A lost file that the engine begins with must not pass for an empty store. */
static void test_lost_current(void **state)
{
        struct store_options o = {
                .paths = path_list, .npaths = 1, .cluster_uuid = "c", .target_id = "t", .node = 1, .small_max = 4096
        };
        char path[512];
        struct err *e;

        (void)state;
        populate();
        close_store();
        record_file("CURRENT", path);
        assert_int_equal(unlink(path), 0);
        e = store_open(&o, &store);
        assert_non_null(e);
        err_free(e);
        store = NULL;
        (void)check(FSCK_REBUILD);
        open_store();
        assert_int_equal(readable("large", 10, LARGE), 10);
        custom_lost = true;
        assert_int_equal(readable("small", 20, SMALL), 20);
        custom_lost = false;
}

static void test_duplicates(void **state)
{
        struct fsck_report r;
        struct records_env *env;
        struct records *rec[2];
        char dir[256], name[32];
        unsigned copied = 0;

        (void)state;
        populate();
        close_store();
        assert_clean();
        OK(records_env_new(0, &env));
        for (unsigned i = 0; i < 2; i++) {
                (void)snprintf(dir, sizeof(dir), "%s/orlop/records", paths[i]);
                OK(records_open(env, dir, false, &rec[i]));
        }
        for (unsigned i = 0; i < 20; i++) { /* older copies on the other mountpath */
                struct obj_key key;
                char raw[RECORD_KEY_MAX];
                struct records_value v = { STR_NONE, NULL };
                struct records_batch *b = records_batch_new();
                AUTO_BUF struct buf value = BUF_INIT;
                struct record record;
                struct str k;
                unsigned from = 0;

                (void)snprintf(name, sizeof(name), "small%u", i);
                key = key_of(name);
                OK(record_key(&key, raw, &k));
                if (records_get(rec[0], RECORDS_OBJECTS, k, &v)) {
                        from = 1;
                        OK(records_get(rec[1], RECORDS_OBJECTS, k, &v));
                }
                OK(record_decode(k, v.data, &record));
                record.where = RECORD_EMPTY;
                record.size = 0;
                record.stamp.hlc--;
                record_encode(k, &record, &value);
                records_batch_put(b, rec[1 - from], RECORDS_OBJECTS, k, buf_str(&value));
                OK(records_write(rec[1 - from], b, true));
                records_batch_free(b);
                records_value_release(&v);
                copied++;
        }
        for (unsigned i = 0; i < 2; i++)
                records_close(rec[i]);
        records_env_free(env);
        r = check(FSCK_CHECK);
        assert_int_equal(r.orphans, copied);
        r = check(FSCK_REPAIR);
        assert_int_equal(r.repaired, copied);
        assert_clean();
        open_store();
        assert_int_equal(readable("small", 20, SMALL), 20);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                TEST(test_whole),
                TEST(test_corrupt_content),
                TEST(test_missing_and_orphans),
                TEST(test_corrupt_records),
                TEST(test_rebuild_one),
                TEST(test_rebuild_all),
                TEST(test_engine_files),
                TEST(test_lost_current),
                cmocka_unit_test_setup_teardown(test_duplicates, setup2, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
