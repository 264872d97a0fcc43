/* flow/pace_test.c: when copies make way for clients, and for how long. */
#include "flow/priv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "flow/work.h"

#define LOOK_NS (25 * NS_PER_MS)

static int64_t rest_ns(struct node *n, int64_t worked_ns)
{
        int64_t began = clock_mono_ns();
        flow__rest(n, worked_ns);
        return clock_mono_ns() - began;
}

static void test_nobody(void **state)
{
        struct node alone = { .work = NULL };
        struct flow_work work = { .stopping = false };
        struct node n = { .work = &work };
        (void)state;
        stat_add(&alone.stats, STAT_GET_N, 1);
        assert_false(flow__clients_active(&alone)); /* a cluster of one */
        assert_false(flow__clients_active(&n));
        assert_true(rest_ns(&n, 10 * NS_PER_SEC) < NS_PER_SEC);
}

static void test_clients(void **state)
{
        static const enum flow_stat kinds[] = { STAT_GET_N, STAT_PUT_N, STAT_HEAD_N, STAT_DEL_N, STAT_LST_N };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
                struct flow_work work = { .stopping = false };
                struct node n = { .work = &work };
                stat_add(&n.stats, kinds[i], 1);
                assert_true(flow__clients_active(&n));
                clock_sleep_ns(LOOK_NS); /* looks again: nobody came, but it was a moment ago */
                assert_true(flow__clients_active(&n));
        }
}

static void test_rest(void **state)
{
        struct flow_work work = { .stopping = false };
        struct node n = { .work = &work };
        (void)state;
        stat_add(&n.stats, STAT_PUT_N, 1);
        assert_true(rest_ns(&n, 20 * NS_PER_MS) >= 20 * NS_PER_MS); /* as long as it worked */
        stat_add(&n.stats, STAT_PUT_N, 1);
        clock_sleep_ns(LOOK_NS);
        assert_true(rest_ns(&n, 100 * NS_PER_SEC) < 10 * NS_PER_SEC); /* bounded */
        /* Half a second after the last one it is over. */
        clock_sleep_ns(700 * NS_PER_MS);
        assert_false(flow__clients_active(&n));
        assert_true(rest_ns(&n, 100 * NS_PER_SEC) < NS_PER_SEC);
        stat_add(&n.stats, STAT_PUT_N, 1);
        clock_sleep_ns(LOOK_NS);
        assert_true(flow__clients_active(&n));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nobody),
                cmocka_unit_test(test_clients),
                cmocka_unit_test(test_rest),
        };
        return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
