/* Random numbers: they differ, and identifiers use their whole alphabet evenly. */
#include "os/test_util.h"

#include <ctype.h>
#include <string.h>

#include "os/random.h"

static void test_bytes(void **state)
{
        unsigned char a[1000], b[1000];

        (void)state;
        memset(a, 0, sizeof(a));
        memset(b, 0, sizeof(b));
        random_bytes(a, sizeof(a));
        random_bytes(b, sizeof(b));
        assert_memory_not_equal(a, b, sizeof(a));
        assert_true(random_u64() != random_u64());
}

static void test_ids(void **state)
{
        unsigned count[256] = { 0 };
        char id[101];

        (void)state;
        for (unsigned i = 0; i < 620; i++) {
                random_id(id, 100);
                assert_int_equal(strlen(id), 100);
                for (unsigned k = 0; k < 100; k++)
                        count[(unsigned char)id[k]]++;
        }
        for (unsigned c = 0; c < 256; c++) {
                if (!isalnum((int)c) || c > 127)
                        assert_int_equal(count[c], 0);
                else
                        assert_in_range(count[c], 750, 1250); /* 1,000 expected, sigma 32 */
        }
        random_id(id, 0);
        assert_string_equal(id, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_bytes), cmocka_unit_test(test_ids) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
