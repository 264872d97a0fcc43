/* A stopped voter's state directory: who it is, what it has, and being the only voter afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/test_assert.h"
#include "cluster/offline.h"
#include "os/clock.h"
#include "os/file.h"

#define ADDRESS "127.0.0.1:9080"
#define VOTER UINT64_C(77)

static char dir[128];

static void applied(void *arg, uint64_t index, bool whole, const struct doc *docs, size_t n)
{
        (void)arg, (void)index, (void)whole, (void)docs, (void)n;
}

static void role_changed(void *arg, const struct engine_role *role)
{
        (void)arg, (void)role;
}

static void alarm_raised(void *arg, const char *text)
{
        (void)arg, (void)text;
}

static struct err *no_dial(void *arg, uint64_t id, const char *address, int *ret_fd)
{
        (void)arg, (void)id, (void)address, (void)ret_fd;
        return err_static(ERR_CLOSED);
}

static int set_up(void **state)
{
        static const char doc[] = "{\"cluster\": \"ClusterUuid\", \"member\": \"member-one\", \"target\": \"\", "
                                  "\"proxy\": \"proxy-one\", \"voter\": \"77\", \"created\": \"1\"}\n";
        const char *tmp = getenv("TMPDIR");
        char path[200];
        AUTO_BUF struct buf b = BUF_INIT;
        (void)state;
        snprintf(dir, sizeof(dir), "%s/orlop-offline-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof(path), "%s/orlop/control", dir);
        assert_ok(file_mkdir_all(path, 0700));
        uint64_t sum = hash_xxh64(doc, strlen(doc), 0);
        buf_printf(&b, "orlop-identity.json 2 %zu %016lx\n%s", strlen(doc), (unsigned long)sum, doc);
        snprintf(path, sizeof(path), "%s/orlop/control/identity.json", dir);
        assert_ok(file_replace(AT_FDCWD, path, buf_str(&b), 0600));
        return 0;
}

static int tear_down(void **state)
{
        (void)state;
        assert_ok(file_remove_tree(AT_FDCWD, dir));
        return 0;
}

/* A voter that stored two documents and was stopped. */
static void make_voter(void)
{
        static const struct doc docs[] = { { STR("b"), STR("{\"x\":1}"), DOC_ANY }, { STR("a"), STR("2"), DOC_ANY } };
        char path[200];
        struct engine *e;
        snprintf(path, sizeof(path), "%s/orlop/raft", dir);
        struct raft_options o = { .dir = path, .id = VOTER, .address = ADDRESS, .bootstrap = true, .dial = no_dial,
                                  .events = { NULL, applied, role_changed, alarm_raised } };
        assert_ok(raft_engine_open(&o, &e));
        int64_t deadline = clock_mono_ns() + 20 * NS_PER_SEC;
        struct err *said = NULL;
        do { /* until it leads */
                err_free(said);
                clock_sleep_ns(20 * NS_PER_MS);
                said = engine_propose(e, docs, ARRAY_LEN(docs), deadline, NULL);
        } while (err_code(said) == ERR_NOT_PRIMARY && clock_mono_ns() < deadline);
        assert_ok(said);
        struct offline_voter v;
        assert_err(cluster_offline_inspect(dir, &v), ERR_IN_USE);
        engine_close(e);
}

static struct err *collect(void *arg, const struct doc *d)
{
        struct buf *b = arg;
        buf_adds(b, d->key);
        buf_addc(b, '=');
        buf_adds(b, d->body);
        buf_addc(b, ';');
        return NULL;
}

static void test_voter(void **state)
{
        struct offline_voter v;
        AUTO_BUF struct buf b = BUF_INIT;
        (void)state;
        assert_err(cluster_offline_inspect("/nonexistent", &v), ERR_NOT_FOUND);
        assert_err(cluster_offline_inspect(dir, &v), ERR_NOT_FOUND); /* a member, but no voter */
        make_voter();
        assert_ok(cluster_offline_inspect(dir, &v));
        assert_string_equal(v.cluster, "ClusterUuid");
        assert_string_equal(v.member, "member-one");
        assert_string_equal(v.address, ADDRESS);
        assert_int_equal(v.id, VOTER);
        assert_int_equal(v.now.voters, 1);
        assert_ok(cluster_offline_export(&v, collect, &b));
        assert_string_equal(buf_cstr(&b), "a=2;b={\"x\":1};");
        uint64_t hash = v.now.state_hash;
        assert_ok(cluster_offline_recover(&v));
        assert_ok(cluster_offline_inspect(dir, &v));
        assert_true(v.now.state_hash == hash);
        assert_int_equal(v.now.voters, 1);
        v.address[0] = '\0';
        assert_err(cluster_offline_recover(&v), ERR_INVALID);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(test_voter, set_up, tear_down) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
