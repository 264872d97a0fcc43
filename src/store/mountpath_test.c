/* Tests of the set of mountpaths: identity and lock, placement, attach, detach, disable, enable, what must not come
 * back. */
#include "store/test_store.h"

#include "store/mountpath.h"

#define N 60

static void put_all(struct store *s, unsigned from, unsigned to, const char *what)
{
        char name[32], data[64];
        for (unsigned i = from; i < to; i++) {
                snprintf(name, sizeof name, "o%03u", i);
                snprintf(data, sizeof data, "%s %u", what, i);
                assert_ok(test_put(s, name, str_of(data)));
        }
}

static void check_all(struct store *s, unsigned from, unsigned to, const char *what)
{
        char name[32], data[64];
        for (unsigned i = from; i < to; i++) {
                snprintf(name, sizeof name, "o%03u", i);
                snprintf(data, sizeof data, "%s %u", what, i);
                if (what)
                        assert_content(s, name, str_of(data));
                else
                        assert_absent(s, name);
        }
}

static unsigned count(struct store *s)
{
        struct scan *sc;
        struct str name;
        struct obj_meta m;
        unsigned n = 0;
        assert_ok(store_scan_open(s, 1, STR(""), STR(""), &sc));
        while (store_scan_next(sc, false, &name, &m))
                n++;
        assert_ok(store_scan_close(sc));
        return n;
}

/* Keys of a mountpath, tombstones too; `misplaced` counts those that HRW wants elsewhere. */
static unsigned keys_on(struct store *s, unsigned index, unsigned *misplaced)
{
        struct records_iter *it;
        struct mountpath *mp = s->mp[index];
        unsigned n = 0;
        assert_ok(records_iter_new(mp->records, RECORDS_OBJECTS, STR_NONE, STR_NONE, false, &it));
        struct mp_set *set = store__set_enter(s);
        for (records_iter_seek(it, STR_NONE); records_iter_valid(it); records_iter_next(it)) {
                struct obj_key key;
                assert_ok(record_key_parse(records_iter_key(it), &key));
                n++;
                *misplaced += store__set_choose(set, obj_key_digest(&key)) != mp;
        }
        store__set_leave(set);
        records_iter_free(it);
        return n;
}

static unsigned misplaced(struct store *s, unsigned mountpaths)
{
        unsigned n = 0;
        for (unsigned i = 0; i < mountpaths; i++)
                (void)keys_on(s, i, &n);
        return n;
}

static void test_placement(void **state)
{
        (void)state;
        struct test_store t;
        unsigned unused = 0;
        test_store_begin(&t, 3);
        put_all(t.s, 0, N, "first");
        check_all(t.s, 0, N, "first");
        for (unsigned i = 0; i < 3; i++)
                assert_true(keys_on(t.s, i, &unused) > N / 8);
        assert_int_equal(unused, 0);
        struct mountpath_info info[8];
        unsigned n;
        assert_ok(store_mountpaths(t.s, info, 8, &n));
        assert_int_equal(n, 3);
        assert_int_equal(info[1].state, MOUNTPATH_ACTIVE);
        assert_string_equal(info[2].path, t.path[2]);
        assert_string_equal(store_mountpath_path(t.s, 0), t.path[0]);
        assert_string_equal(store_mountpath_path(t.s, 9), "");
        assert_true(info[0].fs.total > 0);
        test_store_end(&t);
}

static void test_attach(void **state)
{
        (void)state;
        struct test_store t;
        test_store_begin(&t, 1);
        put_all(t.s, 0, N, "first");
        assert_code(store_mountpath_attach(t.s, t.path[0], NULL), ERR_INVALID);
        assert_code(store_mountpath_attach(t.s, t.dir, NULL), ERR_INVALID);
        assert_code(store_mountpath_attach(t.s, "/nonexistent/orlop", NULL), ERR_NOT_FOUND);
        assert_code(store_mountpath_attach(t.s, "relative", NULL), ERR_NOT_FOUND);
        assert_ok(store_mountpath_attach(t.s, t.path[1], "fast"));
        check_all(t.s, 0, N, "first");
        assert_int_equal(count(t.s), N);
        put_all(t.s, 0, N / 2, "second"); /* numbered after the old ones, wherever they lie */
        check_all(t.s, 0, N / 2, "second");
        check_all(t.s, N / 2, N, "first");
        assert_int_equal(test_version(t.s, "o001"), 2);
        assert_int_equal(count(t.s), N);
        assert_true(misplaced(t.s, 2) > 0);
        assert_ok(store_resilver(t.s, NULL, NULL));
        assert_int_equal(misplaced(t.s, 2), 0);
        assert_false(atomic_load(&t.s->set)->mixed);
        check_all(t.s, 0, N / 2, "second");
        check_all(t.s, N / 2, N, "first");
        test_store_end(&t);
}

static void test_detach(void **state)
{
        (void)state;
        struct test_store t;
        bool changed;
        AUTO_BUF struct buf big = BUF_INIT;
        for (unsigned i = 0; i < 20000; i++)
                buf_printf(&big, "%08u", i);
        test_store_begin(&t, 3);
        put_all(t.s, 0, N, "first");
        assert_ok(test_put(t.s, "big1", buf_str(&big)));
        assert_ok(test_put(t.s, "big2", buf_str(&big)));
        assert_ok(test_put(t.s, "big3", buf_str(&big)));
        assert_code(store_mountpath_detach(t.s, "/nonexistent/orlop", false, &changed), ERR_MOUNTPATH_NOT_FOUND);
        for (unsigned i = 0; i < 2; i++) {
                assert_ok(store_mountpath_detach(t.s, t.path[i], false, &changed));
                assert_true(changed);
                assert_code(store_mountpath_detach(t.s, t.path[i], false, &changed), ERR_MOUNTPATH_NOT_FOUND);
                check_all(t.s, 0, N, "first");
                assert_content(t.s, "big1", buf_str(&big));
                assert_content(t.s, "big2", buf_str(&big));
                assert_content(t.s, "big3", buf_str(&big));
                assert_int_equal(count(t.s), N + 3);
        }
        assert_code(store_mountpath_detach(t.s, t.path[2], false, &changed), ERR_INVALID);
        struct mountpath_info info[8];
        unsigned n;
        assert_ok(store_mountpaths(t.s, info, 8, &n));
        assert_int_equal(n, 1);
        assert_ok(store_mountpath_attach(t.s, t.path[0], NULL));
        assert_ok(test_put(t.s, "big1", STR("new")));
        assert_content(t.s, "big1", STR("new"));
        assert_int_equal(count(t.s), N + 3);
        assert_false(atomic_load(&t.s->set)->tombstones); /* they were emptied: nothing can come back */
        test_store_end(&t);
}

#ifndef ORLOP_STORE_MEM
/* What was deleted or replaced while a mountpath was away stays so when it comes back. */
static void test_no_resurrection(void **state)
{
        (void)state;
        struct test_store t;
        bool changed;
        test_store_begin(&t, 2);
        put_all(t.s, 0, N, "first");
        assert_ok(store_mountpath_disable(t.s, t.path[0], true, &changed));
        assert_true(changed);
        char name[32];
        unsigned here = count(t.s), gone = 0;
        assert_true(here > 0 && here < N);
        put_all(t.s, 0, N / 3, "second");
        for (unsigned i = N / 3; i < 2 * N / 3; i++) {
                snprintf(name, sizeof name, "o%03u", i);
                struct obj_key key = test_key(name);
                struct err *e = store_delete(t.s, &key, NULL, false);
                if (err_code(e) == ERR_NOT_FOUND) /* it lies on the one that is away: put, then delete */ {
                        err_free(e);
                        assert_ok(test_put(t.s, name, STR("short-lived")));
                        assert_ok(store_delete(t.s, &key, NULL, false));
                }
                gone++;
        }
        test_store_reopen(&t); /* the command line still names both: the disabled one is back */
        check_all(t.s, 0, N / 3, "second");
        check_all(t.s, N / 3, 2 * N / 3, NULL);
        check_all(t.s, 2 * N / 3, N, "first");
        assert_int_equal(count(t.s), N - gone);
        assert_ok(store_resilver(t.s, NULL, NULL));
        check_all(t.s, 0, N / 3, "second");
        check_all(t.s, N / 3, 2 * N / 3, NULL);
        check_all(t.s, 2 * N / 3, N, "first");
        unsigned wrong = 0;
        assert_int_equal(keys_on(t.s, 0, &wrong) + keys_on(t.s, 1, &wrong), N - gone); /* tombstones are gone too */
        assert_int_equal(wrong, 0);
        test_store_end(&t);
}

static void test_enable(void **state)
{
        (void)state;
        struct test_store t;
        bool changed;
        test_store_begin(&t, 2);
        put_all(t.s, 0, N, "first");
        assert_ok(store_mountpath_disable(t.s, t.path[1], true, &changed));
        put_all(t.s, 0, N / 2, "second");
        assert_ok(store_mountpath_enable(t.s, t.path[1], &changed));
        assert_true(changed);
        assert_ok(store_mountpath_enable(t.s, t.path[1], &changed));
        assert_false(changed);
        check_all(t.s, 0, N / 2, "second");
        check_all(t.s, N / 2, N, "first");
        assert_int_equal(count(t.s), N);
        test_store_end(&t);
}

/* A path that was in use before and is empty now, as when its disk is not mounted, is not taken for a new one. */
static void test_known_but_empty(void **state)
{
        (void)state;
        static const bool known[TEST_MOUNTPATHS] = { true, true };
        struct test_store t;
        struct mountpath_info info[4];
        AUTO_BUF struct buf b = BUF_INIT;
        char away[200];
        unsigned n;
        test_store_begin(&t, 2);
        put_all(t.s, 0, N, "first");
        store_close(t.s);
        snprintf(away, sizeof away, "%s/away", t.dir);
        assert_ok(file_rename(AT_FDCWD, t.path[1], AT_FDCWD, away));
        assert_ok(file_mkdir(AT_FDCWD, t.path[1], 0755));
        t.o.known = known;
        for (unsigned round = 0; round < 2; round++) {
                test_store_open(&t);
                assert_code(test_get(t.s, "nobody", &b), ERR_IO);
                assert_ok(store_mountpaths(t.s, info, 4, &n));
                assert_int_equal(n, 2);
                assert_true(info[1].unopened);
                assert_int_equal(info[1].state, MOUNTPATH_DISABLED);
                store_close(t.s);
        }
        assert_ok(file_remove_tree(AT_FDCWD, t.path[1]));
        assert_ok(file_rename(AT_FDCWD, away, AT_FDCWD, t.path[1]));
        test_store_open(&t);
        check_all(t.s, 0, N, "first");
        test_store_end(&t);
}

/* A mountpath leaves while a resilver drops tombstones: those of deletes since then must stay. */
struct late_leave {
        struct test_store *t;
        unsigned calls;
        bool deleted[256];
};

static bool leave_late(void *arg, uint64_t objects, uint64_t bytes)
{
        struct late_leave *l = arg;
        struct store *s = l->t->s;
        unsigned n = 0;
        bool changed;
        (void)objects;
        (void)bytes;
        if (++l->calls != 2) /* the first record of the second pass: 256 were seen in the first */
                return true;
        assert_ok(store_mountpath_disable(s, l->t->path[2], true, &changed));
        for (unsigned i = 0; i < 256; i++) {
                char name[32];
                snprintf(name, sizeof name, "o%03u", i);
                struct obj_key key = test_key(name);
                AUTO_BUF struct buf b = BUF_INIT;
                struct err *e = test_get(s, name, &b);
                if (err_code(e) == ERR_NOT_FOUND) { /* it is on the one that left */
                        err_free(e);
                        assert_ok(test_put(s, name, STR("short-lived")));
                        assert_ok(store_delete(s, &key, NULL, false));
                        l->deleted[i] = true;
                        n++;
                } else
                        assert_ok(e);
        }
        assert_true(n > 16);
        return true;
}

static void test_leave_during_resilver(void **state)
{
        (void)state;
        struct test_store t;
        struct late_leave l = { .t = &t };
        bool changed;
        test_store_begin(&t, 3);
        put_all(t.s, 0, 256, "first");
        err_free(store_resilver(t.s, leave_late, &l)); /* BUSY when it comes to the one that left */
        assert_true(l.calls >= 2);
        assert_ok(store_mountpath_enable(t.s, t.path[2], &changed));
        for (unsigned i = 0; i < 256; i++) {
                char name[32];
                snprintf(name, sizeof name, "o%03u", i);
                if (l.deleted[i])
                        assert_absent(t.s, name);
        }
        test_store_end(&t);
}

/* Other directories than last time. */
static void test_restarts(void **state)
{
        (void)state;
        struct test_store t;
        test_store_begin(&t, 1);
        put_all(t.s, 0, N, "first");
        t.o.npaths = 3;
        test_store_reopen(&t);
        check_all(t.s, 0, N, "first");
        put_all(t.s, 0, N, "second");
        t.o.paths = (const char *const[]){ t.path[2], t.path[1], t.path[0] };
        test_store_reopen(&t);
        check_all(t.s, 0, N, "second");
        assert_ok(store_resilver(t.s, NULL, NULL));
        t.o.paths = t.paths;
        t.o.npaths = 2;
        test_store_reopen(&t);
        unsigned left = count(t.s);
        assert_true(left < N);
        assert_true(atomic_load(&t.s->set)->tombstones);
        t.o.npaths = 3;
        test_store_reopen(&t);
        check_all(t.s, 0, N, "second");
        test_store_end(&t);
}
#endif /* ORLOP_STORE_MEM */

static void test_identity(void **state)
{
        (void)state;
        struct test_store t;
        char path[300];
        struct mountpath_identity id;
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_FD int fd = -1;
        test_store_begin(&t, 1);
        snprintf(path, sizeof path, "%s/orlop", t.path[0]);
        assert_ok(file_open_dir(AT_FDCWD, path, &fd));
        assert_ok(file_read_all(fd, "identity", 4096, &b));
        assert_ok(mountpath__identity_parse(buf_str(&b), &id));
        assert_string_equal(id.cluster_uuid, "c1");
        assert_string_equal(id.target_id, "t1");
        for (size_t i = 0; i < b.n; i++) {
                b.p[i] ^= 1;
                struct err *e = mountpath__identity_parse(buf_str(&b), &id);
                assert_true(err_code(e) == ERR_CORRUPT || err_code(e) == ERR_FORMAT || i + 1 == b.n);
                err_free(e);
                b.p[i] ^= 1;
                err_free(mountpath__identity_parse((struct str){ b.p, i }, &id));
        }
        /* Records without an identity are nobody's to take. */
        store_close(t.s);
        t.s = NULL;
        assert_ok(file_unlink(fd, "identity"));
        assert_ok(file_mkdir(fd, "records", 0700));
        assert_code(store_open(&t.o, &t.s), ERR_CORRUPT);
        test_store_end(&t);
}

#ifndef ORLOP_STORE_MEM
/* As a crash in the middle of a rename to another mountpath leaves it. */
static void plant_rename_intent(struct mountpath *mp, const struct obj_key *key)
{
        AUTO_BUF struct buf k = BUF_INIT, v = BUF_INIT;
        buf_adds(&k, STR("rename/"));
        buf_add_u64(&k, __builtin_bswap64(key->bid));
        buf_adds(&k, key->name);
        for (int i = 0; i < 28; i++) /* stamps, and the bucket of the new name */
                buf_addc(&v, 1);
        buf_add_lstr(&v, STR("new name"));
        struct commit_row row = { RECORDS_META, buf_str(&k), buf_str(&v), false };
        assert_ok(store__commit_rows(mp, &row, 1, false));
}

/* A mountpath that can not be opened: what is not found elsewhere is an error until it is given up, or opened after
 * all. */
static void test_unopened(void **state)
{
        (void)state;
        struct test_store t;
        unsigned errors = 0, found = 0, unused = 0, n;
        char name[32], identity[600];
        AUTO_BUF struct buf saved = BUF_INIT, b = BUF_INIT;
        bool changed;
        struct scan *sc;
        struct obj_key key = test_key("nobody");
        test_store_begin(&t, 2);
        put_all(t.s, 0, N, "first");
        n = keys_on(t.s, 1, &unused);
        plant_rename_intent(t.s->mp[0], &key);
        store_close(t.s);
        snprintf(identity, sizeof identity, "%s/orlop/identity", t.path[1]);
        assert_ok(file_read_all(AT_FDCWD, identity, 4096, &saved));
        for (unsigned round = 0; round < 2; round++) {
                assert_ok(file_replace(AT_FDCWD, identity, STR("garbage"), 0600));
                test_store_open(&t);
                errors = found = 0;
                for (unsigned i = 0; i < N; i++) {
                        snprintf(name, sizeof name, "o%03u", i);
                        struct err *e = test_get(t.s, name, &b);
                        errors += err_code(e) == ERR_IO;
                        found += !e;
                        err_free(e);
                }
                assert_int_equal(errors, n);
                assert_int_equal(found, N - n);
                assert_code(test_get(t.s, "nobody", &b), ERR_IO);
                assert_code(store_delete(t.s, &key, NULL, false), ERR_IO);
                assert_code(store_set_custom(t.s, &key, STR_NONE, true, false), ERR_IO);
                assert_code(store_rename(t.s, &key, &key, false), ERR_IO);
                assert_code(store_scan_open(t.s, 1, STR(""), STR(""), &sc), ERR_IO);
                if (round == 0) { /* repaired: all is back */
                        assert_ok(file_replace(AT_FDCWD, identity, buf_str(&saved), 0600));
                        assert_ok(store_mountpath_enable(t.s, t.path[1], &changed));
                        check_all(t.s, 0, N, "first");
                        assert_int_equal(count(t.s), N);
                        store_close(t.s);
                }
        }
        assert_ok(store_mountpath_detach(t.s, t.path[1], true, &changed)); /* given up */
        assert_true(changed);
        assert_code(test_get(t.s, "nobody", &b), ERR_NOT_FOUND);
        assert_int_equal(count(t.s), N - n);
        test_store_end(&t);
}

#endif

static void test_nested(void **state)
{
        (void)state;
        assert_true(mountpath__nested("/a/b", "/a/b"));
        assert_true(mountpath__nested("/a", "/a/b"));
        assert_true(mountpath__nested("/a/b/c", "/a/b"));
        assert_false(mountpath__nested("/a/b", "/a/bc"));
        assert_true(mountpath__nested("/", "/a"));
}

/* The path of an object's content file, and the mountpath that it lies on. */
static unsigned content_path(struct test_store *t, const char *name, char out[static 512])
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct obj_key key = test_key(name);
        struct record r;
        struct mountpath *mp;
        struct mp_set *set = store__set_enter(t->s);
        assert_ok(store__record_get(set, &key, false, &b, &r, &mp));
        store__set_leave(set);
        assert_int_equal(r.where, RECORD_FILE);
        snprintf(out, 512, "%.400s/orlop/content/%02x/%016llx%016llx", mp->path, (unsigned)(r.id.hi >> 56),
                 (unsigned long long)r.id.hi, (unsigned long long)r.id.lo);
        return mp->index;
}

/* One object whose content is damaged, or gone, keeps a mountpath from being emptied, but none of the others from being
 * moved; and it never turns into "not found". */
static void corrupt_object(bool missing)
{
        struct test_store t;
        static char data[50000];
        char name[32], path[512];
        bool changed;
        int bad = -1;
        test_store_begin(&t, 2);
        for (int i = 0; i < 20; i++) {
                snprintf(name, sizeof name, "o%02d", i);
                assert_ok(test_put(t.s, name, (struct str){ data, sizeof data }));
                if (content_path(&t, name, path) != 1 || bad >= 0)
                        continue;
                bad = i;
                if (missing)
                        assert_int_equal(unlink(path), 0);
                else {
                        AUTO_FD int fd = -1;
                        assert_ok(file_open(AT_FDCWD, path, O_RDWR, 0, &fd));
                        assert_ok(file_pwrite_full(fd, "x", 1, 30000));
                }
        }
        assert_true(bad >= 0);
        struct err *e = store_mountpath_detach(t.s, t.path[1], false, &changed);
        char text[512];
        assert_non_null(strstr(err_text(e, text, sizeof text), "1 objects can not be read"));
        assert_code(e, ERR_CORRUPT);
        assert_code(store_resilver(t.s, NULL, NULL), ERR_CORRUPT);
        unsigned there = 0;
        assert_int_equal(keys_on(t.s, 1, &there), 1);
        for (int round = 0; round < 2; round++) {
                for (int i = 0; i < 20; i++) {
                        struct buf b = BUF_INIT;
                        snprintf(name, sizeof name, "o%02d", i);
                        if (i != bad)
                                assert_content(t.s, name, ((struct str){ data, sizeof data }));
                        else if (round == 0)
                                assert_code(test_get(t.s, name, &b), ERR_CORRUPT);
                        else
                                assert_absent(t.s, name);
                        buf_fini(&b);
                }
                if (round)
                        break;
                snprintf(name, sizeof name, "o%02d", bad);
                struct obj_key key = test_key(name);
                assert_ok(store_delete(t.s, &key, NULL, false));
                changed = false;
                assert_ok(store_mountpath_detach(t.s, t.path[1], false, &changed));
                assert_true(changed);
        }
        test_store_end(&t);
}

static void test_corrupt_object(void **state)
{
        (void)state;
        corrupt_object(false);
        corrupt_object(true);
}

#ifndef ORLOP_STORE_MEM /* which forgets what was disabled */
/* The operator may give up what can not be read. */
static void test_corrupt_given_up(void **state)
{
        struct test_store t;
        static char data[50000];
        char name[32], path[512];
        bool changed;
        (void)state;
        test_store_begin(&t, 2);
        for (int i = 0; i < 20; i++) {
                snprintf(name, sizeof name, "o%02d", i);
                assert_ok(test_put(t.s, name, (struct str){ data, sizeof data }));
                if (content_path(&t, name, path) == 1)
                        break;
        }
        assert_int_equal(unlink(path), 0);
        assert_code(store_mountpath_disable(t.s, t.path[1], false, &changed), ERR_CORRUPT);
        assert_ok(store_mountpath_disable(t.s, t.path[1], true, &changed));
        assert_true(changed);
        assert_absent(t.s, name);
        assert_ok(store_mountpath_disable(t.s, t.path[1], false, &changed));
        assert_false(changed);
        assert_ok(store_mountpath_enable(t.s, t.path[1], &changed));
        struct buf b = BUF_INIT;
        assert_code(test_get(t.s, name, &b), ERR_CORRUPT);
        buf_fini(&b);
        test_store_end(&t);
}
#endif

/* Uploads and appends in progress do not move. */
static void test_uploads_in_progress(void **state)
{
        struct test_store t;
        char id[17], handle[17], name[32];
        struct put *p;
        struct obj_key key;
        bool changed;
        (void)state;
        test_store_begin(&t, 2);
        struct mp_set *set = store__set_enter(t.s);
        for (unsigned i = 0;; i++) {
                snprintf(name, sizeof name, "u%u", i);
                key = test_key(name);
                if (store__set_choose(set, obj_key_digest(&key))->index == 1)
                        break;
        }
        store__set_leave(set);
        assert_ok(store_upload_create(t.s, &key, STR_NONE, id));
        struct err *e = store_mountpath_detach(t.s, t.path[1], false, &changed);
        char text[512];
        assert_non_null(strstr(err_text(e, text, sizeof text), id));
        assert_code(e, ERR_CONFLICT);
        struct mountpath_info info[4];
        unsigned n;
        assert_ok(store_mountpaths(t.s, info, 4, &n));
        assert_int_equal(info[1].state, MOUNTPATH_ACTIVE); /* nothing was begun */
        assert_ok(store_upload_abort(t.s, &key, str_of(id)));
        assert_ok(store_append_begin(t.s, &key, STR_NONE, handle, &p));
        assert_ok(store_put_write(p, "some", 4));
        assert_ok(store_append_end(p, false));
        assert_code(store_mountpath_detach(t.s, t.path[1], false, &changed), ERR_CONFLICT);
        struct put_attrs a = { .versioned = true };
        struct put_result r;
        assert_ok(store_append_flush(t.s, &key, str_of(handle), &a, CKSUM_NONE, STR_NONE, &r));
        assert_ok(store_mountpath_detach(t.s, t.path[1], false, &changed));
        assert_content(t.s, name, STR("some"));
        test_store_end(&t);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_placement),       cmocka_unit_test(test_attach),
                cmocka_unit_test(test_detach),          cmocka_unit_test(test_identity),
                cmocka_unit_test(test_nested),
                cmocka_unit_test(test_corrupt_object),
                cmocka_unit_test(test_uploads_in_progress),
#ifndef ORLOP_STORE_MEM
                cmocka_unit_test(test_corrupt_given_up),
                cmocka_unit_test(test_enable),          cmocka_unit_test(test_restarts),
                cmocka_unit_test(test_no_resurrection),
                cmocka_unit_test(test_unopened),
                cmocka_unit_test(test_known_but_empty),
                cmocka_unit_test(test_leave_during_resilver),
#endif
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
