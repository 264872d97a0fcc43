/* Metric names and kinds: the wire's lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/views.h"

struct seen {
        unsigned n;
        const char *name, *kind; /* looked for, found */
};

static void look(void *arg, const char *name, const char *kind)
{
        struct seen *s = arg;

        s->n++;
        if (s->name && strcmp(s->name, name) == 0)
                s->kind = kind;
}

static const char *kind_of(bool target, const char *name)
{
        struct seen s = { .name = name };

        api__metric_names(target, look, &s);
        return s.kind;
}

static void test_kinds(void **state)
{
        (void)state;
        assert_string_equal(kind_of(true, "get.n"), "counter");
        assert_string_equal(kind_of(true, "get.ns"), "latency");
        assert_string_equal(kind_of(true, "get.ns.total"), "total");
        assert_string_equal(kind_of(true, "get.bps"), "bw");
        assert_string_equal(kind_of(true, "get.size"), "size");
        assert_string_equal(kind_of(true, "getbatch.rxwait.ns"), "total");
        assert_string_equal(kind_of(true, "up.ns.time"), "special");
        assert_string_equal(kind_of(false, "state.flags"), "gauge");
        assert_string_equal(kind_of(false, "auth.iss"), "histogram");
        assert_null(kind_of(false, "put.size"));
        assert_null(kind_of(true, "acl.total.n"));
}

static void test_counts(void **state)
{
        struct seen proxy = { 0 }, target = { 0 };

        (void)state;
        api__metric_names(false, look, &proxy);
        api__metric_names(true, look, &target);
        assert_int_equal(proxy.n, 36);
        assert_true(target.n > proxy.n);
}

/* Every counter of ours is one of the wire's names: none is counted and never shown. */
static void test_counters_are_shown(void **state)
{
        (void)state;
#define X(id, wire, kind, roles)                                                                                       \
        if (strchr(roles, 'T') && strcmp(kind, "total") != 0)                                                          \
                assert_non_null(kind_of(true, wire));                                                                  \
        if (strchr(roles, 'P') && strcmp(kind, "total") != 0)                                                          \
                assert_non_null(kind_of(false, wire));
        FLOW_STATS(X)
#undef X
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_kinds), cmocka_unit_test(test_counts),
                                            cmocka_unit_test(test_counters_are_shown) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
