/* Parts of other targets over real connections: three stores behind servers of their own, merged by name, against one
 * sorted table; many pages and few rows per page; pushed-down directories; all facts; a target that is gone, and one
 * that lives in another epoch. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/test_assert.h"
#include "flow/list_merge.h"
#include "net/rpc.h"
#include "os/clock.h"
#include "os/file.h"
#include "os/sock.h"

#define TARGETS 3
#define NAMES 4000u
#define BID (UINT64_C(1) << 63 | 7)

/* One target: a process in little. */
struct target {
        struct node node;
        char dir[160], id[16];
        struct rpc_route routes[2];
        struct rpc_server *rpc;
        struct http_server *server;
        struct cluster_member member;
        uint64_t epoch;
};
static struct target targets[TARGETS];
static struct pool *pool;
static struct rpc_client *client;
static char root[128];

/* ---- the stores ---- */

static void name_at(unsigned i, char ret[static 32])
{
        snprintf(ret, 32, "d%02u/%s%05u", i / 100, i % 7 ? "o" : "x/", i);
}

static unsigned owner_of(unsigned i)
{
        return i * 2654435761u >> 16 & 0xff ? (i * 2654435761u >> 20) % TARGETS : 0;
}

static void put_name(struct store *s, unsigned i)
{
        char name[32];
        name_at(i, name);
        struct obj_key key = { BID, str_of(name) };
        struct put_attrs a = { .fast = true, .versioned = true, .cksum_type = CKSUM_XXHASH2,
                               .cksum = STR("0123456789abcdef") };
        struct put_result result;
        struct put *p;
        assert_ok(store_put_begin(s, &key, i % 50, &p));
        char data[50] = { 0 };
        assert_ok(store_put_write(p, data, i % 50));
        assert_ok(store_put_commit(p, &a, &result));
}

static void open_store(struct target *t)
{
        char path[200];
        snprintf(path, sizeof(path), "%s/mp", t->dir);
        const char *paths[] = { path };
        struct store_options o = { .paths = paths, .npaths = 1, .cluster_uuid = "uuid", .target_id = t->id, .node = 1 };
        assert_ok(store_open(&o, &t->node.store));
}

static void open_cluster(struct target *t)
{
        struct cluster_opts o = { .state_dir = t->dir };
        for (unsigned i = 0; i < CLUSTER_NETS; i++)
                o.addr[i] = (struct cluster_addr){ "127.0.0.1", "8080", "http://127.0.0.1:8080" };
        assert_ok(cluster_open(&o, &t->node.cluster));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(t->node.cluster);
        t->epoch = s->placement.epoch;
}

static void open_server(struct target *t)
{
        t->routes[0] = flow__list_routes[0];
        t->routes[0].anonymous = true; /* no certificates here */
        assert_ok(rpc_server_new(&t->rpc));
        assert_ok(rpc_server_add(t->rpc, t->routes, &t->node));
        struct http_listener l = { .address = "127.0.0.1:0", .internal = true, .app = rpc_server_app(t->rpc) };
        struct http_server_options o = { .listeners = &l, .nlisteners = 1, .loops = 1, .pool = pool, .app = *l.app };
        assert_ok(http_server_new(&o, &t->server));
        assert_ok(http_server_start(t->server));
        char address[64];
        struct str host;
        str_copy(t->member.id, sizeof(t->member.id), str_of(""));
        str_copy(t->member.target, sizeof(t->member.target), str_of(t->id));
        assert_ok(sock_split_address(str_of(http_server_address(t->server, 0, address)), &host, &t->member.port));
        str_copy(t->member.host, sizeof(t->member.host), host);
}

static int set_up(void **state)
{
        (void)state;
        struct pool_limits limits = { { 4, 8, 4, 64, 4, 8 }, { 100, 100, 100, 100, 100, 100 } };
        struct rpc_client_options o = { .pool = NULL };
        assert_ok(pool_new(&limits, &pool));
        assert_ok(rpc_client_new(&o, &client));
        const char *tmp = getenv("TMPDIR");
        snprintf(root, sizeof(root), "%s/orlop-list-XXXXXX", tmp ? tmp : "/tmp");
        assert_non_null(mkdtemp(root));
        for (unsigned i = 0; i < TARGETS; i++) {
                struct target *t = &targets[i];
                snprintf(t->id, sizeof(t->id), "target-%u", i);
                snprintf(t->dir, sizeof(t->dir), "%s/%u", root, i);
                assert_int_equal(mkdir(t->dir, 0700), 0);
                open_store(t);
                open_cluster(t);
                open_server(t);
        }
        for (unsigned i = 0; i < NAMES; i++)
                put_name(targets[owner_of(i)].node.store, i);
        return 0;
}

static void end_server(struct target *t)
{
        if (!t->server)
                return;
        http_server_stop(t->server, clock_mono_ns() + NS_PER_SEC);
        http_server_free(t->server);
        t->server = NULL;
}

static int tear_down(void **state)
{
        (void)state;
        rpc_client_free(client);
        for (unsigned i = 0; i < TARGETS; i++) {
                end_server(&targets[i]);
                rpc_server_free(targets[i].rpc);
                store_close(targets[i].node.store);
                cluster_close(targets[i].node.cluster);
        }
        pool_free(pool);
        assert_ok(file_remove_tree(AT_FDCWD, root));
        return 0;
}

/* ---- listing ---- */

struct result {
        unsigned n, wrong;
        bool full;
        char last[64];
        unsigned expected; /* index of the next name, when nothing is folded */
        bool in_order;
};

static int compare_names(const void *a, const void *b)
{
        return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static char sorted_text[NAMES][32];
static const char *sorted[NAMES];

static void sort_names(void)
{
        for (unsigned i = 0; i < NAMES; i++) {
                name_at(i, sorted_text[i]);
                sorted[i] = sorted_text[i];
        }
        qsort(sorted, NAMES, sizeof(sorted[0]), compare_names);
}

static void check_facts(struct result *r, const struct flow_list_entry *e)
{
        uint64_t number = 0;
        assert_true(str_u64(str_skip(e->name, e->name.n - 5), &number));
        unsigned i = (unsigned)number;
        bool good = e->meta->size == i % 50 && strcmp(e->target, targets[owner_of(i)].id) == 0 && e->meta->version == 1;
        if (r->full)
                good = good && str_eq(e->meta->cksum, STR("0123456789abcdef")) &&
                       e->meta->cksum_type == CKSUM_XXHASH2 && str_starts(e->mountpath, str_of(root));
        r->wrong += !good;
}

static void collect(void *arg, const struct flow_list_entry *e)
{
        struct result *r = arg;
        if (!e->dir)
                check_facts(r, e);
        if (r->in_order && (r->expected >= NAMES || !str_eq(e->name, str_of(sorted[r->expected++]))))
                r->wrong++;
        assert_true(strlen(r->last) == 0 || str_cmp(str_of(r->last), e->name) < 0);
        str_copy(r->last, sizeof(r->last), e->name);
        r->n++;
}

/* All three by RPC, or the first one as this process's own part. want: what the parts are told, 0: the truth; a small
 * number makes many pages, most of them read ahead. fold: directories are folded here, not at the targets. */
static unsigned want;
static bool fold;
static struct err *list(const struct flow_list_options *o, bool local, uint64_t epoch, struct result *r, bool *ret_more)
{
        const struct cluster_member *members[TARGETS];
        struct list_part part = { .bid = BID, .epoch = epoch, .prefix = o->prefix, .full = o->full,
                                  .dirs = o->no_recursion && !fold };
        struct list_source *src[TARGETS], *own = NULL;
        struct list_remotes *remotes;
        struct lister l;
        struct list_merge m;
        unsigned n = 0;
        flow__list_start(&l, o, collect, r);
        struct str from = { l.from, l.from_n };
        for (unsigned i = local; i < TARGETS; i++)
                members[n++] = &targets[i].member;
        struct list_remote_options ro = { .part = &part, .from = from, .want = want ? want : o->page_size,
                                          .targets = TARGETS, .timeout_ns = 5 * NS_PER_SEC };
        assert_ok(flow__list_remotes_open(client, members, n, &ro, &remotes));
        for (unsigned i = 0; i < n; i++)
                src[i] = flow__list_remote(remotes, i);
        if (local) {
                assert_ok(flow__list_local_open(&targets[0].node, &part, from, &own));
                own->target = targets[0].id;
                src[n++] = own;
        }
        flow__list_merge_init(&m, src, n);
        struct err *e = flow__list_run(&l, &m);
        *ret_more = l.stopped;
        flow__list_local_close(own);
        flow__list_remotes_close(remotes);
        return e;
}

static void check_whole(size_t page_size, bool local, bool full)
{
        struct result r = { .full = full, .in_order = true };
        bool more = true;
        while (more) {
                char after[64];
                memcpy(after, r.last, sizeof(after));
                struct flow_list_options o = { .prefix = STR(""), .start_after = str_of(after), .page_size = page_size,
                                               .full = full };
                assert_ok(list(&o, local, targets[0].epoch, &r, &more));
        }
        assert_int_equal(r.n, NAMES);
        assert_int_equal(r.wrong, 0);
}

static void test_whole(void **state)
{
        (void)state;
        static const size_t sizes[] = { 1 << 20, NAMES, 1000, 333 };
        sort_names();
        for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
                for (unsigned k = 0; k < 8; k++) {
                        want = k & 4 ? 1 : 0;
                        check_whole(sizes[i], k & 1, k & 2);
                }
        want = 0;
}

/* Everything that was read is given up, also what a call under way brings. */
static void test_restart(void **state)
{
        (void)state;
        struct list_part part = { .bid = BID, .epoch = targets[0].epoch, .prefix = STR("") };
        struct list_remote_options o = { .part = &part, .from = STR(""), .want = 1, .targets = 1,
                                         .timeout_ns = 5 * NS_PER_SEC };
        const struct cluster_member *m = &targets[2].member;
        struct list_remotes *remotes;
        assert_ok(flow__list_remotes_open(client, &m, 1, &o, &remotes));
        struct list_source *s = flow__list_remote(remotes, 0);
        static const char *const places[] = { "d20/", "d05/", "d39/", "d00/" };
        for (size_t i = 0; i < ARRAY_LEN(places); i++) {
                assert_ok(s->ops->restart(s, str_of(places[i]), 1));
                for (unsigned k = 0; k < 70; k++) {
                        assert_ok(s->ops->next(s));
                        if (k == 0)
                                assert_true(str_starts(s->row->name, str_of(places[i])));
                        if (!s->row)
                                break;
                }
        }
        assert_ok(s->ops->seek(s, STR("d30/"), 1));
        assert_ok(s->ops->next(s));
        assert_true(str_starts(s->row->name, STR("d30/")));
        assert_ok(s->ops->seek(s, STR("d3"), 1)); /* where it is already */
        assert_ok(s->ops->next(s));
        assert_true(str_starts(s->row->name, STR("d30/")));
        assert_ok(s->ops->seek(s, STR("e"), 1));
        assert_ok(s->ops->next(s));
        assert_null(s->row);
        flow__list_remotes_close(remotes);
}

static void test_dirs(void **state)
{
        (void)state;
        for (unsigned k = 0; k < 4; k++) {
                bool local = k & 1, more;
                struct result r = { .n = 0 };
                fold = k & 2;

                struct flow_list_options o = { .prefix = STR(""), .start_after = STR(""), .page_size = 1000,
                                               .no_recursion = true };
                assert_ok(list(&o, local, targets[0].epoch, &r, &more));
                assert_false(more);
                assert_int_equal(r.n, NAMES / 100);
                o.prefix = STR("d07/");
                r = (struct result){ .n = 0 };
                assert_ok(list(&o, local, targets[0].epoch, &r, &more));
                assert_int_equal(r.wrong, 0);
                assert_int_equal(r.n, 100 - 15 + 1); /* the multiples of 7 from 700 to 799 lie in d07/x/ */
                assert_string_equal(r.last, "d07/x/");
        }
        fold = false;
}

static void test_prefix(void **state)
{
        (void)state;
        struct result r = { .n = 0 };
        bool more;
        struct flow_list_options o = { .prefix = STR("d1"), .start_after = STR("d12/"), .page_size = 5000 };
        assert_ok(list(&o, false, targets[0].epoch, &r, &more));
        assert_int_equal(r.n, 800); /* d12 to d19 */
        o.prefix = STR("e");
        r = (struct result){ .n = 0 };
        assert_ok(list(&o, false, targets[0].epoch, &r, &more));
        assert_int_equal(r.n, 0);
}

/* A target that lives in another epoch says so; one that does not answer makes the listing fail, by name. */
static void test_failures(void **state)
{
        (void)state;
        struct result r = { .n = 0 };
        bool more;
        char text[512];
        struct flow_list_options o = { .prefix = STR(""), .start_after = STR(""), .page_size = 5000 };
        assert_err(list(&o, false, targets[0].epoch + 1, &r, &more), ERR_CONFLICT);
        assert_int_equal(r.n, 0);
        end_server(&targets[1]);
        struct err *e = list(&o, false, targets[0].epoch, &r, &more);
        assert_int_equal(err_code(e), ERR_UNAVAILABLE);
        assert_non_null(strstr(err_text(e, text, sizeof(text)), "t[target-1]"));
        err_free(e);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whole),
                cmocka_unit_test(test_restart),
                cmocka_unit_test(test_dirs),
                cmocka_unit_test(test_prefix),
                cmocka_unit_test(test_failures),
        };
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
