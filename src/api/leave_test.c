/* When a node may end: nothing of any placement is waited for from it. */
#include "cluster/test_util.h"

#include "api/leave.h"

static void test_clean(void **state)
{
        static const char ids[][NODE_ID_MAX + 1] = { "tgt00001", "tgt00002", "tgt00003" };
        static const bool none[3] = { false, false, false };
        bool pending[3] = { false, true, false };
        struct placement earlier[2] = { { .epoch = 2, .n = 3, .ids = ids, .pending = none },
                                        { .epoch = 1, .n = 3, .ids = ids, .pending = pending } };
        struct snapshot s = { .placement = { .epoch = 3, .n = 1, .ids = ids, .pending = none },
                              .earlier = earlier,
                              .earlier_count = 2 };
        (void)state;
        assert_false(api__leave_is_clean(&s, "tgt00001")); /* owns keys */
        assert_false(api__leave_is_clean(&s, "tgt00002")); /* the oldest placement waits for it */
        assert_true(api__leave_is_clean(&s, "tgt00003"));
        assert_true(api__leave_is_clean(&s, "prx00001"));
        pending[1] = false;
        assert_true(api__leave_is_clean(&s, "tgt00002"));
        s.earlier_count = 0;
        s.placement.n = 3;
        assert_false(api__leave_is_clean(&s, "tgt00003"));
}

/* A wish is a document of the state: it is there for the next primary, until it is dropped. */
static struct err *count(void *arg, struct str key, struct str body)
{
        unsigned *n = arg;
        assert_true(str_eq(key, STR("leave/tgt00001")));
        assert_true(str_find_str(body, STR("\"kind\":\"decommission\"")) > 0);
        assert_true(str_find_str(body, STR("\"rm_user_data\":true")) > 0);
        ++*n;
        return NULL;
}

static void test_document(void **state)
{
        char *dir = test_dir_new();
        struct node node = { .cluster = test_open(dir) };
        struct api api = { .node = &node };
        struct leave_wish w = { .kind = LEAVE_DECOMMISSION, .rm_user_data = true };
        unsigned n = 0;
        (void)state;
        assert_ok(api__leave_put(&api, "tgt00001", &w));
        cluster_close(node.cluster);
        node.cluster = test_open(dir);
        assert_ok(cluster_doc_each(node.cluster, STR("leave/"), count, &n));
        assert_int_equal(n, 1);
        assert_ok(api__leave_drop(&api, "tgt00001"));
        assert_ok(api__leave_drop(&api, "tgt00001"));
        assert_ok(cluster_doc_each(node.cluster, STR("leave/"), count, &n));
        assert_int_equal(n, 1);
        cluster_close(node.cluster);
        test_dir_free(dir);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_clean), cmocka_unit_test(test_document) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
