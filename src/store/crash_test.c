/* Crashes and faults: a child process runs a fixed script and is killed before or after each changing system call, and
 * each batch of records; afterwards the store must hold what was acknowledged, and of the change in progress the old or
 * the new state, never neither. Then the same with errors instead of kills. RocksDB's own system calls are not under
 * os/fault.h; tests/crash covers those from outside. The double of the records survives nothing: this file is empty
 * then. */
#ifndef ORLOP_STORE_MEM
#include "store/test_store.h"

#include <signal.h>
#include <sys/wait.h>

#include "os/fault.h"
#include "store/journal.h"

#define OBJECTS 4

struct object {
        bool present;
        unsigned seed;
        size_t size;
        char custom;
};
struct world {
        struct object o[OBJECTS];
};
enum op_kind { PUT, DELETE, RENAME, CUSTOM, GIVE, GIVE_OLD, BURY, MOVED };
struct op {
        enum op_kind kind;
        unsigned object, other;
        size_t size;
        bool fast;
};
static const struct op script[] = {
        { PUT, 0, 0, 100, false },    { PUT, 1, 0, 90000, false }, { PUT, 0, 0, 200, false },
        { PUT, 1, 0, 120000, false }, { CUSTOM, 0, 0, 0, false },  { RENAME, 0, 2, 0, false },
        { RENAME, 1, 3, 0, false },   { CUSTOM, 3, 0, 0, false },  { PUT, 1, 0, 50, false },
        { RENAME, 3, 1, 0, false },   { DELETE, 1, 0, 0, false },  { PUT, 1, 0, 70000, false },
        { PUT, 1, 0, 10, false },     { PUT, 1, 0, 80000, false }, { DELETE, 2, 0, 0, false },
        { PUT, 2, 0, 0, false },      { RENAME, 1, 2, 0, false },  { PUT, 0, 0, 3000, false },
        { RENAME, 2, 0, 0, false },   { GIVE, 0, 0, 60000, false }, { GIVE_OLD, 0, 0, 50000, false },
        { MOVED, 0, 0, 0, false },    { GIVE, 0, 0, 200, false },  { MOVED, 0, 0, 0, false },
        { PUT, 0, 0, 40000, false },  { BURY, 0, 0, 0, false },    { GIVE, 1, 0, 50000, false },
};
#define STEPS ARRAY_LEN(script)
static const char *const object_names[OBJECTS] = { "zero", "dir/one", "two", "dir/three" };

static struct str data_of(unsigned seed, size_t n, char *buf)
{
        for (size_t i = 0; i < n; i++)
                buf[i] = (char)(seed * 31 + i / 7);
        return (struct str){ buf, n };
}

static struct str custom_of(char c, char out[4])
{
        memcpy(out, "\001k\001", 3);
        out[3] = c;
        return c ? (struct str){ out, 4 } : STR_NONE;
}

static void apply(struct world *w, unsigned step)
{
        const struct op *op = &script[step];
        struct object *o = &w->o[op->object];
        switch (op->kind) {
        case PUT:
        case GIVE:
                *o = (struct object){ .present = true, .seed = step, .size = op->size };
                break;
        case DELETE:
        case BURY:
        case MOVED:
                *o = (struct object){ .present = false };
                break;
        case GIVE_OLD:
                break;
        case RENAME:
                w->o[op->other] = *o;
                *o = (struct object){ .present = false };
                break;
        case CUSTOM:
                o->custom = (char)('a' + step);
                break;
        }
}

/* A copy from another node, newer than all here, or older than what is here. */
static struct err *give(struct store *s, const char *name, struct str data, bool old)
{
        struct put_attrs a = { .given = true, .version = 9, .epoch = 3, .mtime_ns = 1, .atime_ns = 1 };
        struct put_result r;
        a.stamp = (struct stamp){ old ? 5 : store_clock_now(s) + 10, 3 };
        TRY(test_put_attrs(s, name, data, &a, &r));
        return r.superseded == old ? NULL : err_new(ERR_INTERNAL, "the wrong stamp won");
}

static struct err *mark_moved(struct store *s, const struct obj_key *key)
{
        AUTO_ARENA struct arena a;
        struct obj_meta m;
        arena_init(&a, 4096, 0);
        TRY(store_record_head(s, key, &a, &m));
        return store_mark_moved(s, key, m.stamp);
}

static struct err *run_step(struct store *s, unsigned step, char *buf)
{
        const struct op *op = &script[step];
        struct obj_key key = test_key(object_names[op->object]), to = test_key(object_names[op->other]);
        char cb[4];
        struct put_result r;
        switch (op->kind) {
        case PUT:
                return test_put_attrs(s, object_names[op->object], data_of(step, op->size, buf),
                                      &(struct put_attrs){ .fast = op->fast }, &r);
        case DELETE:
                return store_delete(s, &key, NULL, op->fast);
        case RENAME:
                return store_rename(s, &key, &to, op->fast);
        case GIVE:
        case GIVE_OLD:
                return give(s, object_names[op->object], data_of(step, op->size, buf), op->kind == GIVE_OLD);
        case BURY:
                return store_put_tombstone(s, &key, (struct stamp){ store_clock_now(s) + 10, 3 }, 3);
        case MOVED:
                return mark_moved(s, &key);
        case CUSTOM:
                return store_set_custom(s, &key, custom_of((char)('a' + step), cb), true, op->fast);
        }
        return NULL;
}

static bool object_is(struct store *s, unsigned i, const struct object *want, char *buf)
{
        struct obj_key key = test_key(object_names[i]);
        struct content *c;
        char cb[4];
        struct err *e = store_open_object(s, &key, &c);
        if (err_code(e) == ERR_NOT_FOUND) {
                err_free(e);
                return !want->present;
        }
        assert_ok(e); /* CORRUPT is never right */
        AUTO_FREE char *got = malloc(content_meta(c)->size + 1);
        size_t n = content_meta(c)->size;
        assert_ok(content_read(c, 0, got, n));
        bool same = want->present && n == want->size && memcmp(got, data_of(want->seed, want->size, buf).p, n) == 0 &&
                    str_eq(content_meta(c)->custom, custom_of(want->custom, cb));
        content_unref(c);
        return same;
}

static bool world_is(struct store *s, const struct world *w, char *buf)
{
        for (unsigned i = 0; i < OBJECTS; i++)
                if (!object_is(s, i, &w->o[i], buf))
                        return false;
        return true;
}

/* Runs the script in a child with this fault; one byte per acknowledged step comes back. *ret_alive: it came to its
 * end. */
static unsigned run_child(struct test_store *t, const char *spec, char *buf, bool *ret_alive)
{
        int fd[2];
        assert_int_equal(pipe(fd), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (!pid) {
                close(fd[0]);
                if (store_open(&t->o, &t->s) || fault_set(str_of(spec)))
                        _exit(3);
                for (unsigned i = 0; i < STEPS; i++)
                        if (run_step(t->s, i, buf) || write(fd[1], "+", 1) != 1)
                                _exit(4);
                if (fault_set(STR("")))
                        _exit(5);
                _exit(0); /* no close: the end of a process is a crash too */
        }
        close(fd[1]);
        char acks[STEPS + 1];
        unsigned n = 0;
        for (ssize_t got; n < sizeof acks && (got = read(fd[0], acks + n, sizeof acks - n)) > 0;)
                n += (unsigned)got;
        close(fd[0]);
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        *ret_alive = WIFEXITED(status) && WEXITSTATUS(status) == 0;
        assert_true(*ret_alive || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
        return n;
}

/* After `acked` steps and a crash within the next: its old or new state. */
static void check_after(struct test_store *t, unsigned acked, const char *spec, char *buf)
{
        struct world w = { { { false, 0, 0, 0 } } };
        for (unsigned i = 0; i < acked; i++)
                apply(&w, i);
        test_store_open(t);
        bool ok = world_is(t->s, &w, buf);
        if (!ok && acked < STEPS) {
                apply(&w, acked);
                ok = world_is(t->s, &w, buf);
        }
        if (!ok)
                fail_msg("%s: after %u acknowledged steps the store holds neither the old nor the new state", spec,
                         acked);
        assert_ok(test_put(t->s, "after", STR("still writable")));
        for (unsigned i = 0; i < t->o.npaths; i++)
                atomic_store(&t->s->mp[i]->state, MOUNTPATH_FAILED); /* closes as a crash would, on top of the first */
        test_store_reopen(t);
        assert_content(t->s, "after", STR("still writable"));
        assert_true(world_is(t->s, &w, buf));
        store_close(t->s);
        t->s = NULL;
}

static void kill_everywhere(unsigned mountpaths, const char *action, unsigned stride)
{
        char *buf = malloc(200000), spec[64];
        bool alive = false;
        unsigned n;
        for (n = 1; !alive; n += stride) {
                struct test_store t;
                test_store_begin(&t, mountpaths);
                store_close(t.s);
                t.s = NULL;
                snprintf(spec, sizeof spec, "any:%u:%s", n, action);
                unsigned acked = run_child(&t, spec, buf, &alive);
                check_after(&t, acked, spec, buf);
                test_store_end(&t);
        }
        assert_true(n > 10);
        free(buf);
}

static unsigned stride(void)
{
        const char *all = getenv("ORLOP_TEST_ALL");
        return all && *all == '1' ? 1 : 5;
}

static void test_kill(void **state)
{
        (void)state;
        kill_everywhere(1, "kill", stride());
        kill_everywhere(1, "kill-after", stride());
}

static void test_kill_two(void **state)
{
        (void)state;
        kill_everywhere(2, "kill", stride());
}

static void test_points(void **state)
{
        (void)state;
        static const char *const points[] = { "store.commit.before", "store.commit.after", "store.rename.intent",
                                              "store.rename.copied" };
        char *buf = malloc(200000), spec[96];
        for (unsigned i = 0; i < ARRAY_LEN(points); i++)
                for (unsigned n = 1; n <= 9; n += 4) {
                        struct test_store t;
                        bool alive;
                        test_store_begin(&t, 3);
                        store_close(t.s);
                        t.s = NULL;
                        snprintf(spec, sizeof spec, "point:%s:%u:kill", points[i], n);
                        unsigned acked = run_child(&t, spec, buf, &alive);
                        check_after(&t, acked, spec, buf);
                        test_store_end(&t);
                }
        free(buf);
}

/* Out of space is over as soon as there is space: the mountpath takes writes again without a restart. */
static void wait_for_space(struct test_store *t)
{
        struct err *e = NULL;
        for (int i = 0; i < 100; i++) {
                err_free(e);
                e = test_put(t->s, "more", STR("x"));
                if (!e)
                        break;
                clock_sleep_ns(50 * NS_PER_MS);
        }
        assert_ok(e);
}

/* An error of a call: the step fails and changes nothing, or its outcome is unknown and the mountpath refuses writes;
 * nothing acknowledged is lost. */
static unsigned run_faulty(const char *spec, char *buf)
{
        struct test_store t;
        struct world w = { { { false, 0, 0, 0 } } };
        unsigned failed = 0, at = 0;
        test_store_begin(&t, 1);
        assert_ok(fault_set(str_of(spec)));
        for (unsigned i = 0; i < STEPS && !failed; i++) {
                struct err *e = run_step(t.s, i, buf);
                if (!e) {
                        apply(&w, i);
                        continue;
                }
                assert_true(err_code(e) == ERR_IO || err_code(e) == ERR_NO_SPACE);
                err_free(e);
                failed = 1;
                at = i;
        }
        assert_ok(fault_set(STR("")));
        bool refused = atomic_load(&t.s->mp[0]->state) == MOUNTPATH_FAILED;
        if (refused && !atomic_load(&t.s->mp[0]->full)) /* else the background may have opened it again by now */
                assert_code(test_put(t.s, "more", STR("x")), ERR_IO);
        else if (refused)
                wait_for_space(&t);
        else {
                assert_true(world_is(t.s, &w, buf));
                assert_ok(test_put(t.s, "more", STR("x")));
        }
        test_store_reopen(&t);
        bool ok = world_is(t.s, &w, buf);
        if (!ok && refused) {
                apply(&w, at);
                ok = world_is(t.s, &w, buf);
        }
        if (!ok)
                fail_msg("%s: lost", spec);
        test_store_end(&t);
        return failed;
}

static void test_errors(void **state)
{
        (void)state;
        static const char *const classes[] = { "records", "fdatasync", "fsync",  "pwrite",
                                               "write",   "open",      "rename", "link" };
        static const char *const errors[] = { "EIO", "ENOSPC" };
        char *buf = malloc(200000), spec[64];
        unsigned failed = 0;
        for (unsigned i = 0; i < ARRAY_LEN(classes); i++)
                for (unsigned n = 1; n <= 40; n += stride()) {
                        snprintf(spec, sizeof spec, "%s:%u:%s", classes[i], n, errors[n % 2]);
                        unsigned f = run_faulty(spec, buf);
                        failed += f;
                        if (!f)
                                break; /* no such call, or not so many */
                }
        assert_true(failed >= 5);
        free(buf);
}

/* The journal of records: an incomplete end that was not noted is what a power cut leaves; anything else is an error, not
 * a silent loss. */
static void damage_journal(bool cut, bool noted)
{
        struct test_store t;
        char dir[300], name[32];
        struct stat st;
        AUTO_FD int dirfd = -1;
        AUTO_FD int fd = -1;
        test_store_begin(&t, 1);
        for (unsigned i = 0; i < 50; i++) {
                snprintf(name, sizeof name, "n%u", i);
                assert_ok(test_put(t.s, name, STR("some content")));
        }
        atomic_store(&t.s->mp[0]->state, MOUNTPATH_FAILED); /* closes without writing out what is in memory */
        store_close(t.s);
        t.s = NULL;
        snprintf(dir, sizeof dir, "%s/orlop/records", t.path[0]);
        assert_ok(file_open_dir(AT_FDCWD, dir, &dirfd));
        assert_ok(file_open(dirfd, JOURNAL_PREFIX "0", O_RDWR, 0, &fd));
        assert_ok(file_stat(fd, &st));
        assert_true(st.st_size > 2000);
        if (!noted) /* as a power cut leaves it: a note that was not synced */
                assert_ok(file_unlink(dirfd, JOURNAL_NOTE));
        if (cut)
                assert_ok(file_truncate(fd, st.st_size - JOURNAL_BLOCK + 100));
        else {
                char b;
                int64_t at = st.st_size / 2 / JOURNAL_BLOCK * JOURNAL_BLOCK + 80;
                assert_ok(file_pread_full(fd, &b, 1, at));
                b ^= 4;
                assert_ok(file_pwrite_full(fd, &b, 1, at));
        }
        struct err *e = store_open(&t.o, &t.s);
        if (!cut || noted) {
                char text[1024];
                assert_non_null(strstr(err_text(e, text, sizeof text), t.path[0]));
                assert_non_null(strstr(text, JOURNAL_PREFIX "0"));
                assert_code(e, ERR_CORRUPT);
                t.s = NULL;
        } else {
                assert_ok(e);
                for (unsigned i = 0; i < 49; i++) {
                        snprintf(name, sizeof name, "n%u", i);
                        assert_content(t.s, name, STR("some content"));
                }
        }
        test_store_end(&t);
}

static void test_journal(void **state)
{
        (void)state;
        damage_journal(true, false);
        damage_journal(true, true);
        damage_journal(false, false);
        damage_journal(false, true);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_errors), cmocka_unit_test(test_journal),  cmocka_unit_test(test_points),
                cmocka_unit_test(test_kill),   cmocka_unit_test(test_kill_two),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
#else
int main(void)
{
        return 0;
}
#endif
