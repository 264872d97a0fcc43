/* Placement against vectors of the wire: clients compute the same numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "meta/placement.h"

static void test_digest_vectors(void **state)
{
        (void)state;
        assert_true(placement_digest(STR("Mprt38083")) == UINT64_C(10377351214980563958));
        assert_true(placement_digest(STR("ZCit38082")) == UINT64_C(3698478176858845402));
        assert_true(placement_digest(STR("TLSp38080")) == UINT64_C(4490282481014702309));
        assert_true(hash_mix(4573842) == UINT64_C(5026071747115404967));
        assert_true(hash_mix(0) == UINT64_C(1905207664160064169));
}

static void test_object_digest_is_that_of_the_uname(void **state)
{
        (void)state;
        struct bck b;
        assert_null(bck_make(STR("abc"), STR("gs"), STR("@u#n"), &b));
        const char *uname = "gcp/@u#n/abc/dir/obj";
        assert_true(placement_object_digest(&b, STR("dir/obj")) == hash_xxh64(uname, strlen(uname), PLACEMENT_SEED));
        assert_true(placement_object_digest(&b, STR("dir/obk")) != placement_object_digest(&b, STR("dir/obj")));
}

static void test_choice_is_even_and_stable(void **state)
{
        (void)state;
        struct bck b;
        uint64_t nodes[4];
        unsigned count[4] = { 0 }, moved = 0;
        for (size_t i = 0; i < 4; i++) {
                char id[16];
                snprintf(id, sizeof(id), "target%zu", i);
                nodes[i] = placement_digest(str_of(id));
        }
        assert_null(bck_make(STR("abc"), STR_NONE, STR_NONE, &b));
        for (unsigned i = 0; i < 8000; i++) {
                char name[32];
                snprintf(name, sizeof(name), "object-%u", i);
                uint64_t d = placement_object_digest(&b, str_of(name));
                size_t with4 = placement_choose(nodes, 4, d), with3 = placement_choose(nodes, 3, d);
                count[with4]++;
                moved += with4 != with3 && with4 != 3; /* only what the fourth node takes may move */
        }
        assert_int_equal(moved, 0);
        for (size_t i = 0; i < 4; i++)
                assert_in_range(count[i], 1800, 2200);
        assert_int_equal(placement_choose(nodes, 1, 42), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_digest_vectors),
                cmocka_unit_test(test_object_digest_is_that_of_the_uname),
                cmocka_unit_test(test_choice_is_even_and_stable),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
