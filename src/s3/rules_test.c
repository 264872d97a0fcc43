/* CORS and lifecycle rules: read, refused, matched and judged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "s3/cors.h"
#include "s3/lifecycle.h"
#include "s3/when.h"

static struct arena arena;
static struct s3_fault fault;

/* ---- CORS ---- */

#define CORS(x) "<CORSConfiguration>" x "</CORSConfiguration>"
#define O(x) "<AllowedOrigin>" x "</AllowedOrigin>"
#define M(x) "<AllowedMethod>" x "</AllowedMethod>"
#define H(x) "<AllowedHeader>" x "</AllowedHeader>"

static void test_cors(void **state)
{
        struct s3_cors c;
        (void)state;
        assert_int_equal(
                s3_cors_read(
                        &arena,
                        STR(CORS("<CORSRule>" O("*.suffix") O("start*end") O("exact") M("GET") M("PUT") H("x-amz-*") H(
                                "content-type") "<ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>30</MaxAgeSeconds></"
                                                "CORSRule><CORSRule>" O("*") M("DELETE") "</CORSRule>")),
                        &c, &fault),
                S3_OK);
        assert_int_equal(c.n, 2);
        assert_ptr_equal(s3_cors_match(&c, STR("foo.suffix"), HTTP_GET, STR_NONE), &c.rules[0]);
        assert_ptr_equal(s3_cors_match(&c, STR("startend"), HTTP_PUT, STR_NONE), &c.rules[0]);
        assert_ptr_equal(s3_cors_match(&c, STR("start1end"), HTTP_PUT, STR("X-Amz-Meta-A, Content-Type")), &c.rules[0]);
        assert_null(s3_cors_match(&c, STR("start1end"), HTTP_PUT, STR("x-amz-a, x-other")));
        assert_null(s3_cors_match(&c, STR("start1end0"), HTTP_PUT, STR_NONE));
        assert_null(s3_cors_match(&c, STR("staend"), HTTP_PUT, STR_NONE));
        assert_null(s3_cors_match(&c, STR("Exact"), HTTP_GET, STR_NONE));
        assert_null(s3_cors_match(&c, STR("exact"), HTTP_POST, STR_NONE));
        assert_ptr_equal(s3_cors_match(&c, STR("anybody"), HTTP_DELETE, STR_NONE), &c.rules[1]);
        AUTO_BUF struct buf b = BUF_INIT;
        assert_int_equal(s3_cors_preflight(&c, STR("exact"), STR("GET"), STR("content-type"), &b, &fault), S3_OK);
        assert_string_equal(buf_cstr(&b),
                            "Access-Control-Allow-Origin: exact\r\nAccess-Control-Allow-Methods: GET, "
                            "PUT\r\nAccess-Control-Allow-Headers: content-type\r\n"
                            "Access-Control-Expose-Headers: ETag\r\nAccess-Control-Max-Age: "
                            "30\r\nAccess-Control-Allow-Credentials: true\r\n"
                            "Vary: Origin, Access-Control-Request-Headers, Access-Control-Request-Method\r\n");
        buf_clear(&b);
        assert_int_equal(s3_cors_preflight(&c, STR("x"), STR("DELETE"), STR_NONE, &b, &fault), S3_OK);
        assert_true(str_starts(buf_str(&b),
                               STR("Access-Control-Allow-Origin: *\r\nAccess-Control-Allow-Methods: DELETE\r\nVary")));
        assert_int_equal(s3_cors_preflight(&c, STR_NONE, STR("GET"), STR_NONE, &b, &fault), S3_INVALID_REQUEST);
        assert_int_equal(s3_cors_preflight(&c, STR("exact"), STR_NONE, STR_NONE, &b, &fault), S3_INVALID_REQUEST);
        assert_int_equal(s3_cors_preflight(&c, STR("exact"), STR("POST"), STR_NONE, &b, &fault), S3_ACCESS_DENIED);
        assert_int_equal(s3_cors_preflight(NULL, STR("exact"), STR("GET"), STR_NONE, &b, &fault), S3_ACCESS_DENIED);
}

static void test_cors_refused(void **state)
{
        static const struct {
                const char *text;
                enum s3_code want;
        } cases[] = {
                { CORS(""), S3_MALFORMED_XML },
                { CORS("<CORSRule>" O("*") "</CORSRule>"), S3_MALFORMED_XML },
                { CORS("<CORSRule>" M("GET") "</CORSRule>"), S3_MALFORMED_XML },
                { CORS("<CORSRule>" O("*") M("PATCH") "</CORSRule>"), S3_INVALID_REQUEST },
                { CORS("<CORSRule>" O("*a*") M("GET") "</CORSRule>"), S3_INVALID_REQUEST },
                { CORS("<CORSRule>" O("*") M("GET") H("*a*") "</CORSRule>"), S3_INVALID_REQUEST },
                { CORS("<CORSRule>" O("") M("GET") "</CORSRule>"), S3_MALFORMED_XML },
                { CORS("<CORSRule>" O("*") M("GET") "<MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>"), S3_MALFORMED_XML },
                { CORS("<CORSRule>" O("*") M("GET") "<Else/></CORSRule>"), S3_MALFORMED_XML },
        };
        struct s3_cors c;
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
                assert_int_equal(s3_cors_read(&arena, str_of(cases[i].text), &c, &fault), cases[i].want);
}

/* ---- lifecycle ---- */

#define LIFE(x) "<LifecycleConfiguration>" x "</LifecycleConfiguration>"
#define RULE(filter, actions) "<Rule>" filter "<Status>Enabled</Status>" actions "</Rule>"
#define FILTER(x) "<Filter>" x "</Filter>"
#define EXPIRE(x) "<Expiration>" x "</Expiration>"

static void read_life(const char *text, struct s3_life *l)
{
        enum s3_code c = s3_life_read(&arena, str_of(text), l, &fault);
        if (c != S3_OK)
                fail_msg("%s: %s %s", text, s3_code_name(c), fault.text);
}

static void test_life_refused(void **state)
{
        static const struct {
                const char *text;
                enum s3_code want;
        } cases[] = {
                { LIFE(""), S3_MALFORMED_XML },
                { LIFE(RULE("", EXPIRE("<Days>1</Days>"))), S3_MALFORMED_XML },
                { LIFE(RULE(FILTER(""), "")), S3_MALFORMED_XML },
                { LIFE(RULE("<Prefix>a</Prefix>" FILTER(""), EXPIRE("<Days>1</Days>"))), S3_MALFORMED_XML },
                { LIFE(RULE(FILTER(""), EXPIRE("<Days>0</Days>"))), S3_INVALID_ARGUMENT },
                { LIFE(RULE(FILTER(""), EXPIRE("<Days>-1</Days>"))), S3_INVALID_ARGUMENT },
                { LIFE(RULE(FILTER(""), EXPIRE("<Days>1</Days><Date>2030-01-01</Date>"))), S3_MALFORMED_XML },
                { LIFE(RULE(FILTER(""), EXPIRE("<Date>20200101</Date>"))), S3_MALFORMED_XML },
                { LIFE(RULE(FILTER(""), EXPIRE("<Date>2030-01-01T01:00:00Z</Date>"))), S3_INVALID_ARGUMENT },
                { LIFE("<Rule>" FILTER("") "<Status>enabled</Status>" EXPIRE("<Days>1</Days>") "</Rule>"),
                  S3_MALFORMED_XML },
                { LIFE(RULE("<ID>a</ID>" FILTER(""), EXPIRE("<Days>1</Days>"))
                               RULE("<ID>a</ID>" FILTER(""), EXPIRE("<Days>2</Days>"))),
                  S3_INVALID_ARGUMENT },
                { LIFE(RULE(FILTER(""), "<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>")),
                  S3_NOT_IMPLEMENTED },
                { LIFE(RULE(FILTER("<Tag><Key>a</Key><Value>b</Value></Tag>"),
                            EXPIRE("<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"))),
                  S3_INVALID_REQUEST },
                { LIFE(RULE(FILTER("<Prefix>a</Prefix><Prefix>b</Prefix>"), EXPIRE("<Days>1</Days>"))),
                  S3_MALFORMED_XML },
                { LIFE(RULE(FILTER("<And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan><ObjectSizeLessThan>5</"
                                   "ObjectSizeLessThan></And>"),
                            EXPIRE("<Days>1</Days>"))),
                  S3_INVALID_REQUEST },
                { LIFE(RULE(FILTER(""), "<NoncurrentVersionExpiration><NewerNoncurrentVersions>1</"
                                        "NewerNoncurrentVersions></NoncurrentVersionExpiration>")),
                  S3_MALFORMED_XML },
        };
        struct s3_life l;
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                enum s3_code c = s3_life_read(&arena, str_of(cases[i].text), &l, &fault);
                if (c != cases[i].want)
                        fail_msg("case %zu: %s", i, s3_code_name(c));
        }
}

/* What is written reads back as the same document. */
static void test_life_write(void **state)
{
        struct s3_life l, again;
        (void)state;
        read_life(LIFE(RULE("<ID>one</ID>" FILTER("<And><Prefix>a&lt;/</Prefix><Tag><Key>k</Key><Value>v</Value></"
                                                  "Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And>"),
                            EXPIRE("<Days>3</Days>") "<NoncurrentVersionExpiration><NoncurrentDays>4</"
                                                     "NoncurrentDays><NewerNoncurrentVersions>2</"
                                                     "NewerNoncurrentVersions></NoncurrentVersionExpiration>")
                               RULE("<Prefix/>",
                                    EXPIRE("<Date>2030-01-01T00:00:00Z</Date>") "<AbortIncompleteMultipartUpload><"
                                                                                "DaysAfterInitiation>7</"
                                                                                "DaysAfterInitiation></"
                                                                                "AbortIncompleteMultipartUpload>")
                                       RULE(FILTER(""),
                                            EXPIRE("<ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker>"))),
                  &l);
        AUTO_BUF struct buf b = BUF_INIT;
        AUTO_BUF struct buf c = BUF_INIT;
        s3_life_write(&b, &l);
        read_life(buf_cstr(&b), &again);
        s3_life_write(&c, &again);
        assert_string_equal(buf_cstr(&b), buf_cstr(&c));
        assert_true(str_find_str(buf_str(&b),
                                 STR("<Filter><And><Prefix>a&lt;/</Prefix><Tag><Key>k</Key><Value>v</Value></"
                                     "Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan></And></Filter>")) > 0);
        assert_true(str_starts(again.rules[1].id, STR("rule-2-")));
}

static int64_t at(const char *when)
{
        int64_t ns = 0;
        assert_true(s3_when_iso(str_of(when), &ns));
        return ns;
}

static void expect(const struct s3_life *l, const struct s3_life_object *o, const char *now, enum s3_life_action want)
{
        const struct s3_life_rule *by = NULL;
        enum s3_life_action a = s3_life_judge(l, o, at(now), S3_LIFE_DAY_NS, &by);
        assert_int_equal(a, want);
        assert_true((by != NULL) == (a != S3_LIFE_KEEP));
}

static void test_life_days(void **state)
{
        struct s3_life l;
        (void)state;
        read_life(LIFE(RULE(FILTER("<Prefix>a/</Prefix>"), EXPIRE("<Days>3</Days>"))), &l);
        struct s3_life_object o = { .key = STR("a/x"), .modified_ns = at("2024-02-27T10:00:00Z"), .latest = true };
        expect(&l, &o, "2024-03-01T23:59:59Z",
               S3_LIFE_KEEP); /* 3 days later is March 1st, 10:00; midnight after that is March 2nd */
        expect(&l, &o, "2024-03-02T00:00:00Z", S3_LIFE_EXPIRE);
        o.key = STR("b/x");
        expect(&l, &o, "2030-03-02T00:00:00Z", S3_LIFE_KEEP);
        o.key = STR("a/x");
        o.latest = false;
        expect(&l, &o, "2030-03-02T00:00:00Z", S3_LIFE_KEEP);
        o.latest = true;
        int64_t when;
        const struct s3_life_rule *by;
        assert_true(s3_life_expiry(&l, &o, S3_LIFE_DAY_NS, &when, &by));
        assert_true(when == at("2024-03-02"));
        assert_int_equal(s3_life_judge(&l, &o, o.modified_ns + 30, 10, NULL),
                         S3_LIFE_EXPIRE); /* a short day, not rounded */
        assert_int_equal(s3_life_judge(&l, &o, o.modified_ns + 29, 10, NULL), S3_LIFE_KEEP);
        l.rules[0].enabled = false;
        expect(&l, &o, "2030-03-02T00:00:00Z", S3_LIFE_KEEP);
        assert_false(s3_life_expiry(&l, &o, S3_LIFE_DAY_NS, &when, &by));
}

static void test_life_filters(void **state)
{
        struct s3_life l;
        struct s3_tag tag[] = { { STR("k"), STR("v") }, { STR("x"), STR("y") } };
        struct s3_tags tags = { tag, 2 };
        (void)state;
        read_life(LIFE(RULE(FILTER("<And><Tag><Key>k</Key><Value>v</Value></Tag><Tag><Key>x</Key><Value>y</Value></"
                                   "Tag><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
                                   "<ObjectSizeLessThan>10</ObjectSizeLessThan></And>"),
                            EXPIRE("<Date>2024-01-01</Date>"))),
                  &l);
        struct s3_life_object o = { .key = STR("a"), .latest = true, .size = 6, .tags = &tags };
        expect(&l, &o, "2023-12-31T23:59:59Z", S3_LIFE_KEEP);
        expect(&l, &o, "2024-01-01", S3_LIFE_EXPIRE);
        o.size = 5;
        expect(&l, &o, "2024-01-01", S3_LIFE_KEEP);
        o.size = 10;
        expect(&l, &o, "2024-01-01", S3_LIFE_KEEP);
        o.size = 9;
        tags.n = 1;
        expect(&l, &o, "2024-01-01", S3_LIFE_KEEP);
        o.tags = NULL;
        expect(&l, &o, "2024-01-01", S3_LIFE_KEEP);
}

static void test_life_versions(void **state)
{
        struct s3_life l;
        (void)state;
        read_life(LIFE(RULE(
                          FILTER(""),
                          "<NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays><NewerNoncurrentVersions>3</"
                          "NewerNoncurrentVersions></NoncurrentVersionExpiration>")
                               RULE(
                                       "<Prefix/>", EXPIRE("<ExpiredObjectDeleteMarker>true</"
                                                           "ExpiredObjectDeleteMarker>") "<AbortIncompleteMultipartUplo"
                                                                                         "ad><DaysAfterInitiation>1</"
                                                                                         "DaysAfterInitiation></"
                                                                                         "AbortIncompleteMultipartUploa"
                                                                                         "d>")),
                  &l);
        struct s3_life_object o = { .key = STR("a"), .noncurrent_since_ns = at("2024-01-01"), .newer_noncurrent = 3 };
        expect(&l, &o, "2024-01-02", S3_LIFE_KEEP);
        expect(&l, &o, "2024-01-03", S3_LIFE_DELETE_VERSION);
        o.newer_noncurrent = 2;
        expect(&l, &o, "2024-01-03", S3_LIFE_KEEP);
        o.marker = true; /* an old delete marker is an old version */
        o.newer_noncurrent = 3;
        expect(&l, &o, "2024-01-03", S3_LIFE_DELETE_VERSION);
        struct s3_life_object m = { .key = STR("a"), .latest = true, .marker = true };
        expect(&l, &m, "2024-01-03", S3_LIFE_KEEP);
        m.alone = true;
        expect(&l, &m, "2024-01-03", S3_LIFE_DELETE_MARKER);
        m.marker = false;
        expect(&l, &m, "2024-01-03", S3_LIFE_KEEP);
        assert_false(
                s3_life_aborts(&l, STR("a"), at("2024-01-01T05:00:00Z"), at("2024-01-02T23:00:00Z"), S3_LIFE_DAY_NS));
        assert_true(s3_life_aborts(&l, STR("a"), at("2024-01-01T05:00:00Z"), at("2024-01-03"), S3_LIFE_DAY_NS));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_cors),          cmocka_unit_test(test_cors_refused),
                cmocka_unit_test(test_life_refused),  cmocka_unit_test(test_life_write),
                cmocka_unit_test(test_life_days),     cmocka_unit_test(test_life_filters),
                cmocka_unit_test(test_life_versions),
        };
        arena_init(&arena, 65536, (size_t)16 << 20);
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        arena_fini(&arena);
        return r;
}
