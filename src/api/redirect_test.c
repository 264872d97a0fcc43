/* Whose is a request, and where it is sent: two targets and a proxy that know each other by their snapshots alone. */
#include "cluster/test_util.h"

#include "api/redirect.h"
#include "meta/placement.h"
#include "os/clock.h"

static struct cluster_key key = { "k1aaaaaa", { 1 } };

/* A state as three processes see it; T1 owns every key unless `owner` says T2. */
struct world {
        struct cluster_node nodes[3]; /* p1, t1, t2 */
        char ids[1][NODE_ID_MAX + 1];
        uint64_t digests[1];
        bool pending[1];
        struct snapshot as_p1, as_t1, as_t2, as_both;
        char *dir;
        struct node node;
        struct api api;
        struct arena arena;
};

static void node_init(struct cluster_node *n, const char *id, bool target)
{
        *n = (struct cluster_node){ .target = target, .digest = placement_digest(str_of(id)) };
        str_copy(n->id, sizeof(n->id), str_of(id));
        snprintf(n->addr[CLUSTER_NET_PUBLIC].url, sizeof(n->addr[0].url), "http://%s.test:8080", id);
}

static void own(struct world *w, unsigned target)
{
        str_copy(w->ids[0], sizeof(w->ids[0]), str_of(w->nodes[target].id));
        w->digests[0] = w->nodes[target].digest;
}

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));
        assert_non_null(w);
        node_init(&w->nodes[0], "prx00001", false);
        node_init(&w->nodes[1], "tgt00001", true);
        node_init(&w->nodes[2], "tgt00002", true);
        own(w, 1);
        struct snapshot s = { .smap_version = 5,
                              .index = 9,
                              .nodes = w->nodes,
                              .node_count = 3,
                              .proxy_count = 1,
                              .target_count = 2,
                              .primary = &w->nodes[0],
                              .member_count = 3,
                              .keys = &key,
                              .key_count = 1,
                              .placement = { .epoch = 1,
                                             .n = 1,
                                             .ids = (const char(*)[NODE_ID_MAX + 1]) w->ids,
                                             .digests = w->digests,
                                             .pending = w->pending } };
        w->as_p1 = w->as_t1 = w->as_t2 = w->as_both = s;
        w->as_p1.proxy = w->as_both.proxy = &w->nodes[0];
        w->as_t1.target = w->as_both.target = &w->nodes[1];
        w->as_t2.target = &w->nodes[2];
        w->dir = test_dir_new();
        w->node.cluster = test_open(w->dir); /* for its clock */
        w->api.node = &w->node;
        arena_init(&w->arena, 4096, 1 << 20);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;
        cluster_close(w->node.cluster);
        test_dir_free(w->dir);
        arena_fini(&w->arena);
        free(w);
        return 0;
}

/* A request as the server makes it of this target. */
struct ask {
        struct http_head head;
        struct http_req rq;
        struct http_resp rs;
};

static void ask_init(struct world *w, struct ask *a, enum http_method m, const char *target, int64_t length)
{
        *a = (struct ask){ .rs = { .head = BUF_INIT } };
        struct str rest = str_arena(&w->arena, str_of(target));
        a->rq = (struct http_req){ .head = &a->head, .method = m, .arena = &w->arena, .body_length = length };
        a->rq.path = str_cut(&rest, '?');
        a->rq.query = rest;
}

static void ask_fini(struct ask *a)
{
        http_resp_reset(&a->rs);
        buf_fini(&a->rs.head);
}

static enum route_kind route(struct world *w, const struct snapshot *s, enum http_method m, const char *target,
                             int64_t length)
{
        struct ask a;
        struct route r;
        ask_init(w, &a, m, target, length);
        api__route(&w->api, s, &a.rq, 1, NULL, &r);
        ask_fini(&a);
        return r.kind;
}

/* What a node answers: the path and query of its redirect, in the arena; "" if it does not redirect. *ret_status may be
 * null. */
static const char *redirected(struct world *w, const struct snapshot *s, enum http_method m, const char *target,
                              int64_t length, const char *expect_base)
{
        struct ask a;
        struct route r;
        ask_init(w, &a, m, target, length);
        api__route(&w->api, s, &a.rq, 1, NULL, &r);
        if (r.kind != ROUTE_AWAY) {
                ask_fini(&a);
                return "";
        }
        struct redirect d = { .base = str_of(r.owner->addr[CLUSTER_NET_PUBLIC].url),
                              .target = r.owner->id,
                              .path = a.rq.path,
                              .query = a.rq.query,
                              .hops = r.hops + 1 };
        assert_true(api__redirect(&w->api, s, &a.rq, &a.rs, &d));
        assert_int_equal(a.rs.status, m == HTTP_GET ? 301 : 307);
        assert_int_equal(a.rs.mem.n > 0, m == HTTP_GET);
        struct str head = buf_str(&a.rs.head);
        assert_true(str_starts(head, STR("Location: ")));
        head = str_skip(head, 10);
        struct str line = str_trim(str_cut(&head, '\n'));
        assert_true(str_starts(line, str_of(expect_base)));
        struct str to = str_arena(&w->arena, str_skip(line, strlen(expect_base)));
        ask_fini(&a);
        return to.p;
}

static void test_owner(void **state)
{
        struct world *w = *state;
        static const enum http_method all[] = { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_PATCH };
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
                assert_int_equal(route(w, &w->as_p1, all[i], "/v1/objects/b/o", 0), ROUTE_AWAY);
                assert_int_equal(route(w, &w->as_both, all[i], "/v1/objects/b/o", 0), ROUTE_HERE);
        }
        assert_int_equal(route(w, &w->as_t1, HTTP_GET, "/v1/objects/b/o", 0), ROUTE_HERE);
        assert_int_equal(route(w, &w->as_t1, HTTP_HEAD, "/v1/objects/b/o", 0), ROUTE_HERE);
        assert_int_equal(route(w, &w->as_t2, HTTP_GET, "/v1/objects/b/o", 0), ROUTE_AWAY);
}

static void test_changes_straight_to_a_target(void **state)
{
        struct world *w = *state;
        static const enum http_method changes[] = { HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_PATCH };
        for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
                assert_int_equal(route(w, &w->as_t1, changes[i], "/v1/objects/b/o", 0), ROUTE_UNMARKED);
                assert_int_equal(route(w, &w->as_t1, changes[i], "/v1/objects/b/o?pid=p", 0), ROUTE_UNMARKED);
                assert_int_equal(route(w, &w->as_t2, changes[i], "/v1/objects/b/o", 0), ROUTE_UNMARKED);
                assert_int_equal(route(w, &w->as_t1, changes[i], "/v1/objects/b/o?pid=p&utm=1", 0), ROUTE_FORBIDDEN);
                assert_int_equal(route(w, &w->as_t1, changes[i], "/v1/objects/b/o?pid=p&utm=1&u=x", 0),
                                 ROUTE_FORBIDDEN);
        }
        struct snapshot no_keys = w->as_t1;
        no_keys.key_count = 0;
        assert_int_equal(route(w, &no_keys, HTTP_PUT, "/v1/objects/b/o?pid=p&utm=1", 0), ROUTE_HERE);
}

static void test_a_redirect_is_taken(void **state)
{
        struct world *w = *state;
        static const enum http_method all[] = { HTTP_GET, HTTP_HEAD, HTTP_PUT, HTTP_POST, HTTP_DELETE, HTTP_PATCH };
        for (size_t i = 0; i < ARRAY_LEN(all); i++) {
                int64_t n = i < 2 ? 0 : 77;
                const char *to = redirected(w, &w->as_p1, all[i], "/v1/objects/b/o?provider=ais", n,
                                            "http://tgt00001.test:8080");
                assert_int_equal(route(w, &w->as_t1, all[i], to, n), ROUTE_HERE);
                assert_int_equal(route(w, &w->as_both, all[i], to, n), ROUTE_HERE);
                assert_int_equal(route(w, &w->as_t2, all[i], to, n), ROUTE_FORBIDDEN); /* it was sent to T1 */
                if (n > 0)
                        assert_int_equal(route(w, &w->as_t1, all[i], to, n + 1), ROUTE_FORBIDDEN);
        }
}

/* Each node on the way knows another owner; the third redirect is the last. */
static void test_hops(void **state)
{
        struct world *w = *state;
        const char *to = redirected(w, &w->as_p1, HTTP_PUT, "/v1/objects/b/o", 3, "http://tgt00001.test:8080");
        own(w, 2);
        to = redirected(w, &w->as_t1, HTTP_PUT, to, 3, "http://tgt00002.test:8080");
        own(w, 1);
        to = redirected(w, &w->as_t2, HTTP_PUT, to, 3, "http://tgt00001.test:8080");
        assert_true(strstr(to, "pid=tgt00002&") != NULL && strstr(to, "pid=prx00001&") == NULL);
        own(w, 2);
        assert_int_equal(route(w, &w->as_t1, HTTP_PUT, to, 3), ROUTE_LOST);
        own(w, 1);
        assert_int_equal(route(w, &w->as_t1, HTTP_PUT, to, 3), ROUTE_HERE);
}

static void test_sender_is_ahead(void **state)
{
        struct world *w = *state;
        struct ask a;
        struct route r;
        const char *to = redirected(w, &w->as_p1, HTTP_GET, "/v1/objects/b/o", 0, "http://tgt00001.test:8080");
        struct snapshot old = w->as_t1;
        ask_init(w, &a, HTTP_GET, to, 0);
        api__route(&w->api, &w->as_t1, &a.rq, 1, NULL, &r);
        assert_false(route_is_ahead(&r, &w->as_t1));
        old.index = 8;
        api__route(&w->api, &old, &a.rq, 1, NULL, &r);
        assert_true(route_is_ahead(&r, &old));
        old.index = 9;
        old.smap_version = 4;
        assert_true(route_is_ahead(&r, &old));
        ask_fini(&a);
}

static void test_query(void **state)
{
        struct world *w = *state;
        const char *to = redirected(w, &w->as_p1, HTTP_GET,
                                    "/v1/objects/b/o?&a&pid=x&b=&utm=1&&vpams=2&x=3&u=4&c=d%20e&", 0,
                                    "http://tgt00001.test:8080");
        assert_true(str_starts(str_of(to), STR("/v1/objects/b/o?a&b=&c=d%20e&pid=prx00001&utm=")));
        to = redirected(w, &w->as_p1, HTTP_GET, "/v1/objects/b/o", 0, "http://tgt00001.test:8080");
        assert_true(str_starts(str_of(to), STR("/v1/objects/b/o?pid=prx00001&utm=")));
        assert_int_equal(route(w, &w->as_t1, HTTP_GET, to, 0), ROUTE_HERE);
}

/* The page of a GET can not be made to say more than a link. */
static void test_page(void **state)
{
        struct world *w = *state;
        struct ask a;
        ask_init(w, &a, HTTP_GET, "/v1/objects/b/<\"'>?a&b", 0);
        struct redirect d = {
                .base = STR("http://h"), .target = "tgt00001", .path = a.rq.path, .query = a.rq.query, .hops = 1
        };
        assert_true(api__redirect(&w->api, &w->as_p1, &a.rq, &a.rs, &d));
        static const char begin[] =
                "<a href=\"http://h/v1/objects/b/&lt;&#34;&#39;&gt;?a&amp;b&amp;pid=prx00001&amp;utm=";
        assert_true(str_starts(a.rs.mem, str_of(begin)));
        assert_true(str_ends(a.rs.mem, STR("\">Moved Permanently</a>.\n\n")));
        ask_fini(&a);
}

static void test_nobody(void **state)
{
        struct world *w = *state;
        struct snapshot s = w->as_p1;
        s.placement.n = 0;
        assert_int_equal(route(w, &s, HTTP_GET, "/v1/objects/b/o", 0), ROUTE_LOST);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
                T(test_owner),
                T(test_changes_straight_to_a_target),
                T(test_a_redirect_is_taken),
                T(test_hops),
                T(test_sender_is_ahead),
                T(test_query),
                T(test_page),
                T(test_nobody),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
