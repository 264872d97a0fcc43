/* URIs of buckets and objects: what each part is, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "client/orlop.h"

static void test_good(void **state)
{
        static const struct {
                const char *uri, *provider, *ns, *bucket, *object;
        } rows[] = {
                { "ais://b/o", "ais", "", "b", "o" },
                { "b/o/p", "ais", "", "b", "o/p" },
                { "b", "ais", "", "b", "" },
                { "b/", "ais", "", "b", "" },
                { "b//x", "ais", "", "b", "/x" },
                { "s3://b/o", "aws", "", "b", "o" },
                { "gs://b", "gcp", "", "b", "" },
                { "az://b/x y", "azure", "", "b", "x y" },
                { "oc://b", "oci", "", "b", "" },
                { "ais://", "ais", "", "", "" },
                { "ais://@uuid#ns/b/o", "ais", "@uuid#ns", "b", "o" },
                { "ais://#ns/b", "ais", "#ns", "b", "" },
                { "b/x://y", "ais", "", "b", "x://y" },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct orlop_bucket b;
                struct orlop_error e;
                char object[ORLOP_OBJECT_MAX + 1];
                if (orlop_uri_parse(rows[i].uri, &b, object, &e))
                        fail_msg("%s: %s", rows[i].uri, e.message);
                assert_string_equal(b.provider, rows[i].provider);
                assert_string_equal(b.namespace_, rows[i].ns);
                assert_string_equal(b.name, rows[i].bucket);
                assert_string_equal(object, rows[i].object);
        }
}

static void test_bad(void **state)
{
        static const char *const rows[] = { "http://b/o", "ais:///o", "b*d/o", "a..b", "/x", "ais://@uuid#ns" };
        struct orlop_bucket b = { .name = "kept" };
        char object[ORLOP_OBJECT_MAX + 1] = "kept", text[ORLOP_OBJECT_MAX + 10];
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                struct orlop_error e;
                if (orlop_uri_parse(rows[i], &b, object, &e) != ORLOP_INVALID)
                        fail_msg("%s was taken", rows[i]);
                assert_true(e.message[0]);
        }
        memset(text, 'x', sizeof(text));
        memcpy(text, "b/", 2);
        text[ORLOP_OBJECT_MAX + 3] = '\0';
        assert_int_equal(orlop_uri_parse(text, &b, object, NULL), ORLOP_INVALID);
        text[ORLOP_OBJECT_MAX + 2] = '\0';
        assert_string_equal(b.name, "kept");
        assert_string_equal(object, "kept");
        assert_int_equal(orlop_uri_parse(text, &b, object, NULL), ORLOP_OK);
        assert_int_equal(strlen(object), ORLOP_OBJECT_MAX);
}

static void test_text(void **state)
{
        const struct orlop_bucket plain = { "b", "ais", "" }, cloud = { "b", "aws", "" }, remote = { "b", "ais", "@u#n" };
        char buf[64];
        (void)state;
        assert_string_equal(orlop_uri_text(&plain, NULL, buf, sizeof(buf)), "ais://b");
        assert_string_equal(orlop_uri_text(&cloud, "x/y", buf, sizeof(buf)), "s3://b/x/y");
        assert_string_equal(orlop_uri_text(&remote, "x", buf, sizeof(buf)), "ais://@u#n/b/x");
        assert_string_equal(orlop_uri_text(&plain, "x", buf, 8), "ais://b");
        assert_true(orlop_uri_has_scheme("ais://b") && orlop_uri_has_scheme("s3://"));
        assert_false(orlop_uri_has_scheme("b/o") || orlop_uri_has_scheme("./ais://b") || orlop_uri_has_scheme("http://x"));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_good), cmocka_unit_test(test_bad), cmocka_unit_test(test_text) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
