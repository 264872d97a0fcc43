/* Names: what is accepted, what is refused, and the texts that clients parse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "meta/name.h"

static void assert_refused(struct err *e, enum err_code code)
{
        assert_non_null(e);
        assert_int_equal(err_code(e), code);
        err_free(e);
}

static void test_providers(void **state)
{
        (void)state;
        static const struct { const char *text; enum provider p;
        } good[] = {
                { "", PROVIDER_AIS },    { "ais", PROVIDER_AIS }, { "aws", PROVIDER_AWS },     { "s3", PROVIDER_AWS },
                { "gcp", PROVIDER_GCP }, { "gs", PROVIDER_GCP },  { "azure", PROVIDER_AZURE }, { "az", PROVIDER_AZURE },
                { "oci", PROVIDER_OCI }, { "oc", PROVIDER_OCI },
        };
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                enum provider p = PROVIDER_COUNT;
                assert_null(provider_parse(str_of(good[i].text), &p));
                assert_int_equal(p, good[i].p);
        }
        enum provider p;
        assert_refused(provider_parse(STR("ht"), &p), ERR_INVALID_PROVIDER);
        assert_refused(provider_parse(STR("AIS"), &p), ERR_INVALID_PROVIDER);
        assert_string_equal(provider_name(PROVIDER_AZURE), "azure");
        assert_string_equal(provider_scheme(PROVIDER_AWS), "s3");
}

static void test_bucket_names(void **state)
{
        (void)state;
        char longest[BUCKET_NAME_MAX + 2];
        memset(longest, 'a', sizeof(longest));
        assert_null(bck_name_check((struct str){ longest, BUCKET_NAME_MAX }));
        assert_null(bck_name_check(STR("A.b-c_9")));
        assert_null(bck_name_check(STR(".sys-inventory")));

        static const struct { const char *name, *text;
        } bad[] = {
                { "", "bucket name is missing" },
                { ".abc", "reserved bucket name \".abc\" (unknown system bucket)" },
                { "a/b", "bucket name is invalid: may only contain letters, numbers, dashes (-), underscores (_), and "
                         "dots (.)" },
                { "a..b", "bucket name is invalid: may only contain letters, numbers, dashes (-), underscores (_), and "
                          "dots (.)" },
        };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct err *e = bck_name_check(str_of(bad[i].name));
                assert_non_null(e);
                assert_string_equal(e->msg, bad[i].text);
                assert_refused(e, ERR_INVALID_NAME);
        }
        struct err *e = bck_name_check((struct str){ longest, BUCKET_NAME_MAX + 1 });
        assert_string_equal(e->msg, "bucket name is too long: 65 > 64(max length)");
        err_free(e);
}

static void test_namespaces_and_texts(void **state)
{
        (void)state;
        static const struct { const char *ns, *text, *ns_text, *uname; } good[] = {
                { "", "ais://b", "@#", "ais/@#/b/" },
                { "@#", "ais://b", "@#", "ais/@#/b/" },
                { "#ns1", "ais://#ns1/b", "@#ns1", "ais/@#ns1/b/" },
                { "@uuid", "ais://@uuid/b", "@uuid#", "ais/@uuid#/b/" },
                { "@uuid#ns", "ais://@uuid#ns/b", "@uuid#ns", "ais/@uuid#ns/b/" },
        };
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                struct bck b, back;
                char buf[192], ns[104];
                struct str object = STR("x");
                assert_null(bck_make(STR("b"), STR_NONE, str_of(good[i].ns), &b));
                assert_string_equal(bck_text(&b, buf), good[i].text);
                assert_string_equal(bck_ns_text(&b, ns), good[i].ns_text);
                assert_string_equal(bck_uname(&b, buf), good[i].uname);
                assert_null(uname_parse(str_of(buf), &back, &object));
                assert_true(bck_eq(&b, &back));
                assert_int_equal(object.n, 0);
                assert_null(uname_parse(str_of(buf), &back, NULL));
                assert_int_equal(bck_is_remote(&b), good[i].ns[0] == '@' && good[i].ns[1] == 'u');
        }
        struct bck b;
        char buf[192];
        assert_refused(bck_make(STR("b"), STR_NONE, STR("@-x#"), &b), ERR_INVALID_NAME);
        assert_refused(bck_make(STR("b"), STR_NONE, STR("#a/b"), &b), ERR_INVALID_NAME);
        assert_null(bck_make(STR("b"), STR("s3"), STR_NONE, &b));
        assert_string_equal(bck_text(&b, buf), "s3://b");
        assert_string_equal(bck_uname(&b, buf), "aws/@#/b/");
        assert_true(bck_is_remote(&b));
}

static void test_longest_texts_fit(void **state)
{
        (void)state;
        struct bck b = { .provider = PROVIDER_AZURE };
        char buf[192], ns[104];
        memset(b.name, 'n', BUCKET_NAME_MAX);
        memset(b.ns_uuid, 'u', NS_UUID_MAX);
        memset(b.ns_name, 's', NS_NAME_MAX);
        assert_int_equal(strlen(bck_uname(&b, buf)),
                         strlen("azure/@#//") + BUCKET_NAME_MAX + NS_UUID_MAX + NS_NAME_MAX);
        assert_int_equal(strlen(bck_text(&b, buf)), strlen("az://@#/") + BUCKET_NAME_MAX + NS_UUID_MAX + NS_NAME_MAX);
        assert_int_equal(strlen(bck_ns_text(&b, ns)), 2 + NS_UUID_MAX + NS_NAME_MAX);
}

static void test_unames(void **state)
{
        (void)state;
        struct bck b;
        struct str object;
        assert_null(uname_parse(STR("ais/@#/dst/a//b/c"), &b, &object));
        assert_string_equal(b.name, "dst");
        assert_true(str_eq(object, STR("a//b/c")));
        assert_refused(uname_parse(STR("ais/@#/dst/obj"), &b, NULL), ERR_INVALID_NAME);
        static const char *const bad[] = { "",        "/",      "ais",           "ais/@#",     "ais/@#/",
                                           "ais//b/", "/@#/b/", "ais/@#/b/../x", "ais/@#/.x/", "zz/@#/b/" };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct err *e = uname_parse(str_of(bad[i]), &b, &object);
                assert_non_null(e);
                err_free(e);
        }
}

static void test_object_names(void **state)
{
        (void)state;
        char longest[OBJECT_NAME_MAX + 1];
        memset(longest, 'x', sizeof(longest));
        assert_null(object_name_check((struct str){ longest, OBJECT_NAME_MAX }));
        assert_refused(object_name_check((struct str){ longest, OBJECT_NAME_MAX + 1 }), ERR_INVALID_NAME);
        static const char *const good[] = { "a",     "a/b",   "a//b", "/a",      "...",     "a/.b",
                                            "a/..b", "b../c", "~a",   "a b%?#+", "\xc3\xa9" };
        for (size_t i = 0; i < ARRAY_LEN(good); i++)
                assert_null(object_name_check(str_of(good[i])));
        static const char *const bad[] = { "",       "a/",   ".",    "..",  "./a",  "a/.",  "a/./b",
                                           "a/../b", "../a", "a/..", "~/a", "a\nb", "a\x7f" };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_refused(object_name_check(str_of(bad[i])), ERR_INVALID_NAME);
        assert_refused(object_name_check((struct str){ "a\0b", 3 }), ERR_INVALID_NAME);
}

static void test_prefixes(void **state)
{
        (void)state;
        static const struct {
                const char *in, *out;
        } good[] = { { "", "" }, { "a", "a" }, { "a/", "a/" }, { "a*", "a" }, { "*", "" }, { "a**", "a*" } };
        for (size_t i = 0; i < ARRAY_LEN(good); i++) {
                struct str s = str_of(good[i].in);
                assert_null(object_prefix_check(&s));
                assert_true(str_eq(s, str_of(good[i].out)));
        }
        static const char *const bad[] = { "../", "a/./", "..", "~/x", "a\tb" };
        for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
                struct str s = str_of(bad[i]);
                assert_refused(object_prefix_check(&s), ERR_INVALID_NAME);
                assert_ptr_equal(s.p, bad[i]);
        }
}

static void test_order_and_ids(void **state)
{
        (void)state;
        struct bck a, b;
        assert_null(bck_make(STR("b"), STR("ais"), STR_NONE, &a));
        assert_null(bck_make(STR("a"), STR("aws"), STR_NONE, &b));
        assert_true(bck_cmp(&a, &b) < 0); /* provider first */
        assert_null(bck_make(STR("a"), STR("ais"), STR("#n"), &b));
        assert_true(bck_cmp(&a, &b) < 0); /* then namespace */
        assert_int_equal(bck_cmp(&a, &a), 0);
        assert_true(id_check(STR("aB-_9")));
        assert_true(id_check(STR("x")));
        assert_false(id_check(STR("")));
        assert_false(id_check(STR("-a")));
        assert_false(id_check(STR("a_")));
        assert_false(id_check(STR("a.b")));
        assert_true(id_check(STR("01234567890123456789012345678901")));
        assert_false(id_check(STR("012345678901234567890123456789012")));
        assert_null(bck_make(STR(".sys-shardidx"), STR_NONE, STR_NONE, &a));
        assert_true(bck_is_system(&a));
        assert_false(bck_is_system(&b));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_providers),
                cmocka_unit_test(test_bucket_names),
                cmocka_unit_test(test_namespaces_and_texts),
                cmocka_unit_test(test_unames),
                cmocka_unit_test(test_longest_texts_fit),
                cmocka_unit_test(test_object_names),
                cmocka_unit_test(test_prefixes),
                cmocka_unit_test(test_order_and_ids),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
