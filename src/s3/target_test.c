/* What requests ask for: hosts and paths, every operation, every sub-resource name that S3 has, headers, and what is
 * refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "s3/target.h"

static struct arena arena;
static const struct str domains[] = { { "s3.example.org", 14 } };

/* "METHOD host target" and header lines, as a head. */
static enum s3_code parse(const char *text, struct s3_target *t, struct s3_fault *f)
{
        struct http_head h = { .minor = 1 };
        struct str rest = str_of(text), line = str_cut(&rest, '\n');
        struct str m = str_cut(&line, ' ');
        h.host = str_cut(&line, ' ');
        h.query = line;
        h.path = str_cut(&h.query, '?');
        static const char *const names[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS" };
        h.method = HTTP_OTHER;
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
                if (str_eq(m, str_of(names[i])))
                        h.method = (enum http_method)i;
        while (rest.n != 0) {
                struct str v = str_cut(&rest, '\n'), n = str_cut(&v, ':');
                h.headers[h.nheaders++] = (struct http_header){ n, str_trim(v) };
        }
        struct s3_target_rules rules = { STR_NONE, domains, 1 };
        if (str_starts(h.path, STR("/s3/")) || str_eq(h.path, STR("/s3")))
                rules = (struct s3_target_rules){ STR("/s3"), NULL, 0 };
        arena_reset(&arena);
        return s3_target_parse(&rules, &h, &arena, t, f);
}

static void expect(const char *text, enum s3_op op, const char *bucket, const char *key)
{
        struct s3_target t;
        struct s3_fault f = { .code = S3_OK };
        if (parse(text, &t, &f) != S3_OK)
                fail_msg("%s: %s %s (%s)", text, s3_code_name(f.code), f.text, f.value);
        if (t.op != op)
                fail_msg("%s: %s, not %s", text, s3_op_name(t.op), s3_op_name(op));
        if (bucket != NULL && !str_eq(t.bucket, str_of(bucket)))
                fail_msg("%s: bucket " STR_FMT, text, STR_ARG(t.bucket));
        if (key != NULL && !str_eq(t.key, str_of(key)))
                fail_msg("%s: key " STR_FMT, text, STR_ARG(t.key));
}

static void refuse(const char *text, enum s3_code want)
{
        struct s3_target t;
        struct s3_fault f = { .code = S3_OK };
        enum s3_code c = parse(text, &t, &f);
        if (c != want)
                fail_msg("%s: %s, not %s", text, c == S3_OK ? s3_op_name(t.op) : s3_code_name(c), s3_code_name(want));
}

static void test_places(void **state)
{
        (void)state;
        expect("GET h:9000 /", S3_OP_LIST_BUCKETS, "", "");
        expect("GET h:9000 ", S3_OP_LIST_BUCKETS, "", "");
        expect("GET h /b", S3_OP_LIST_OBJECTS, "b", "");
        expect("GET h /b/", S3_OP_LIST_OBJECTS, "b", "");
        expect("GET h /b//k", S3_OP_GET_OBJECT, "b", "/k");
        expect("GET h /b/a%2Fb%20c+d/", S3_OP_GET_OBJECT, "b", "a/b c+d/");
        expect("GET h /b%2Fk", S3_OP_GET_OBJECT, "b", "k");
        expect("GET h /b/../x", S3_OP_GET_OBJECT, "b", "../x");
        expect("GET h /s3/b/k", S3_OP_GET_OBJECT, "b", "k");
        expect("GET h /s3", S3_OP_LIST_BUCKETS, "", "");
        expect("GET b.s3.example.org /k", S3_OP_GET_OBJECT, "b", "k");
        expect("GET a.B.S3.example.org:80 /", S3_OP_LIST_OBJECTS, "a.b", "");
        expect("GET s3.example.org /b/k", S3_OP_GET_OBJECT, "b", "k");
        expect("GET xs3.example.org /b/k", S3_OP_GET_OBJECT, "b", "k");
        expect("GET [::1]:9000 /b/k", S3_OP_GET_OBJECT, "b", "k");
        refuse("GET h //k", S3_INVALID_BUCKET_NAME);
        refuse("GET h /b/%", S3_INVALID_URI);
        refuse("GET h /b/%00", S3_INVALID_URI);
        refuse("GET h /b/%ff", S3_INVALID_URI);
        refuse("GET h /b%00/k", S3_INVALID_BUCKET_NAME);
        AUTO_BUF struct buf b = BUF_INIT;
        buf_adds(&b, STR("GET h /b/"));
        for (unsigned i = 0; i < 1024; i++)
                buf_addc(&b, 'k');
        expect(buf_cstr(&b), S3_OP_GET_OBJECT, "b", NULL);
        buf_addc(&b, 'k');
        refuse(buf_cstr(&b), S3_KEY_TOO_LONG);
}

static void test_ops(void **state)
{
        static const struct {
                const char *text;
                enum s3_op op;
        } cases[] = {
                { "PUT h /b", S3_OP_CREATE_BUCKET },
                { "HEAD h /b", S3_OP_HEAD_BUCKET },
                { "DELETE h /b", S3_OP_DELETE_BUCKET },
                { "GET h "
                  "/b?list-type=2&prefix=a%2Bb&delimiter=%2F&max-keys=3&fetch-owner=true&start-after=x&continuation-"
                  "token=t&encoding-type=url",
                  S3_OP_LIST_OBJECTS_V2 },
                { "GET h /b?marker=x&x-id=ListObjects&x-foo", S3_OP_LIST_OBJECTS },
                { "GET h /b?versions&key-marker=a&version-id-marker=b", S3_OP_LIST_VERSIONS },
                { "GET h /b?uploads=", S3_OP_LIST_UPLOADS },
                { "POST h /b?delete", S3_OP_DELETE_OBJECTS },
                { "POST h /b", S3_OP_POST_OBJECT },
                { "GET h /b/k?versionId=1&response-content-type=text/plain", S3_OP_GET_OBJECT },
                { "GET h /b/k?partNumber=2", S3_OP_GET_OBJECT },
                { "HEAD h /b/k?partNumber=2&versionId=3", S3_OP_HEAD_OBJECT },
                { "PUT h /b/k", S3_OP_PUT_OBJECT },
                { "PUT h /b/k\nx-amz-copy-source: /b/o", S3_OP_COPY_OBJECT },
                { "DELETE h /b/k?versionId=null", S3_OP_DELETE_OBJECT },
                { "POST h /b/k?uploads", S3_OP_CREATE_UPLOAD },
                { "PUT h /b/k?partNumber=10000&uploadId=u", S3_OP_UPLOAD_PART },
                { "PUT h /b/k?uploadId=u&partNumber=1\nX-Amz-Copy-Source: b/o\nx-amz-copy-source-range: bytes=0-1",
                  S3_OP_UPLOAD_PART_COPY },
                { "POST h /b/k?uploadId=u", S3_OP_COMPLETE_UPLOAD },
                { "DELETE h /b/k?uploadId=u", S3_OP_ABORT_UPLOAD },
                { "GET h /b/k?uploadId=u&max-parts=1&part-number-marker=3", S3_OP_LIST_PARTS },
                { "GET h /b/k?attributes\nx-amz-object-attributes: ETag", S3_OP_GET_ATTRIBUTES },
                { "PUT h /b/k?tagging&versionId=3", S3_OP_PUT_OBJECT_TAGGING },
                { "DELETE h /b/k?tagging", S3_OP_DELETE_OBJECT_TAGGING },
                { "PUT h /b?lifecycle", S3_OP_PUT_LIFECYCLE },
                { "DELETE h /b?lifecycle", S3_OP_DELETE_LIFECYCLE },
                { "OPTIONS h /b/k", S3_OP_PREFLIGHT },
                { "PUT h /b/k\nx-amz-meta-a: 1\nx-amz-meta-a: 2\nx-amz-acl: private", S3_OP_PUT_OBJECT },
                { "PUT h /b/k?X-Amz-Signature=0&x-amz-acl=private&X-Amz-Date=1", S3_OP_PUT_OBJECT },
                { "PUT h /b/k?X-Amz-Signature=0&x-amz-copy-source=%2Fb%2Fo", S3_OP_COPY_OBJECT },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
                expect(cases[i].text, cases[i].op, "b", NULL);
        struct s3_target t;
        struct s3_fault f;
        assert_int_equal(parse(cases[3].text, &t, &f), S3_OK);
        assert_true(str_eq(t.params[S3_P_PREFIX], STR("a+b")));
        assert_int_equal(parse(cases[16].text, &t, &f), S3_OK);
        assert_int_equal(t.part_number, 10000);
        assert_int_equal(parse(cases[28].text, &t, &f), S3_OK);
        assert_true(t.presigned && str_eq(s3_target_header(&t, "X-Amz-Acl"), STR("private")));
        /* every row of the table is reached by its own words */
        for (unsigned op = 1; op < S3_OP_PREFLIGHT; op++)
                assert_true(s3_op_action((enum s3_op)op, false)[0] != '\0');
        assert_string_equal(s3_op_action(S3_OP_GET_OBJECT, true), "s3:GetObjectVersion");
        assert_string_equal(s3_op_action(S3_OP_PUT_OBJECT, true), "s3:PutObject");
}

/* All sub-resource names of the S3 API reference. For each level and method it is its own operation, or it is refused:
 * never the plain one. */
static void test_every_sub_resource(void **state)
{
        static const char *const names[] = {
                "abac",
                "accelerate",
                "acl",
                "analytics",
                "annotation",
                "annotations",
                "attributes",
                "cors",
                "delete",
                "encryption",
                "events",
                "intelligent-tiering",
                "inventory",
                "legal-hold",
                "lifecycle",
                "list-type=2",
                "location",
                "logging",
                "metadata",
                "metadataConfiguration",
                "metadataInventoryTable",
                "metadataJournalTable",
                "metadataTable",
                "metrics",
                "notification",
                "object-lock",
                "ownershipControls",
                "policy",
                "policyStatus",
                "publicAccessBlock",
                "renameObject",
                "replication",
                "requestPayment",
                "restore",
                "retention",
                "select",
                "select-type=2",
                "session",
                "tagging",
                "torrent",
                "uploadId=u",
                "uploads",
                "versioning",
                "versions",
                "website",
                "policystatus",
                "ACL",
        };
        static const char *const methods[] = { "GET", "HEAD", "PUT", "POST", "DELETE", "PATCH" };
        static const char *const paths[] = { "/", "/b", "/b/k" };
        unsigned taken = 0;
        (void)state;
        for (size_t n = 0; n < ARRAY_LEN(names); n++) {
                for (size_t m = 0; m < ARRAY_LEN(methods); m++) {
                        for (size_t l = 0; l < ARRAY_LEN(paths); l++) {
                                char text[128];
                                struct s3_target t;
                                struct s3_fault f;
                                bool part = strcmp(names[n], "uploadId=u") == 0 && m == 2;
                                snprintf(text, sizeof(text), "%s h %s?%s%s", methods[m], paths[l], names[n],
                                         part ? "&partNumber=1" : "");
                                enum s3_code c = parse(text, &t, &f);
                                if (c != S3_OK) {
                                        assert_true(c == S3_NOT_IMPLEMENTED || c == S3_METHOD_NOT_ALLOWED ||
                                                    c == S3_INVALID_ARGUMENT);
                                        continue;
                                }
                                taken++;
                                /* a plain operation's name is never the answer */
                                if (t.op == S3_OP_LIST_BUCKETS || t.op == S3_OP_CREATE_BUCKET ||
                                    t.op == S3_OP_DELETE_BUCKET || t.op == S3_OP_HEAD_BUCKET ||
                                    t.op == S3_OP_LIST_OBJECTS || t.op == S3_OP_POST_OBJECT ||
                                    t.op == S3_OP_GET_OBJECT || t.op == S3_OP_HEAD_OBJECT || t.op == S3_OP_PUT_OBJECT ||
                                    t.op == S3_OP_DELETE_OBJECT || t.op == S3_OP_COPY_OBJECT)
                                        fail_msg("%s was taken for %s", text, s3_op_name(t.op));
                        }
                }
        }
        unsigned rows = 0; /* with a sub-resource, copies apart */
#define X(name, method, level, sub, action, version_action) rows += sub[0] != '\0' && strcmp(#method, "COPY") != 0;
        S3_OPS(X)
#undef X
        assert_int_equal(taken, rows);
}

static void test_refused(void **state)
{
        (void)state;
        refuse("DELETE h /b?acl", S3_METHOD_NOT_ALLOWED);
        refuse("POST h /b/k", S3_METHOD_NOT_ALLOWED);
        refuse("PATCH h /b/k", S3_METHOD_NOT_ALLOWED);
        refuse("PUT h /", S3_METHOD_NOT_ALLOWED);
        refuse("DELETE h /b?website", S3_NOT_IMPLEMENTED);
        refuse("DELETE h /b?unheard-of", S3_NOT_IMPLEMENTED);
        refuse("DELETE h /b?%61cl", S3_METHOD_NOT_ALLOWED);
        refuse("GET h /b/k?restore", S3_NOT_IMPLEMENTED);
        refuse("GET h /b?acl&policy", S3_INVALID_ARGUMENT);
        refuse("GET h /b?prefix=a&prefix=b", S3_INVALID_ARGUMENT);
        refuse("GET h /b?prefix=a&pref%69x=b", S3_INVALID_ARGUMENT);
        refuse("DELETE h /b?prefix=a", S3_INVALID_ARGUMENT);
        refuse("DELETE h /b?versionId=1", S3_INVALID_ARGUMENT);
        refuse("DELETE h /b?uploadId=1", S3_INVALID_ARGUMENT);
        refuse("DELETE h /b/k?partNumber=1", S3_INVALID_ARGUMENT);
        refuse("GET h /b?list-type=3", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?partNumber=1", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?uploadId=u", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?uploadId=u&partNumber=0", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?uploadId=u&partNumber=10001", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?uploadId=u&partNumber=-1", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?versionId=1", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?x-amz-acl=private", S3_NOT_IMPLEMENTED);
        refuse("PUT h /b/k\nx-amz-unheard-of: 1", S3_NOT_IMPLEMENTED);
        refuse("PUT h /b/k\nX-Amz-Write-Offset-Bytes: 1", S3_NOT_IMPLEMENTED);
        refuse("DELETE h /b/k\nx-amz-mfa: 1 2", S3_NOT_IMPLEMENTED);
        refuse("PUT h /b/k\nx-amz-grant-read: id=1", S3_NOT_IMPLEMENTED);
        refuse("PUT h /b/k\nx-amz-server-side-encryption-aws-kms-key-id: 1", S3_NOT_IMPLEMENTED);
        refuse("PUT h /b/k\nx-amz-acl: private\nX-Amz-Acl: public-read", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?X-Amz-Signature=0&x-amz-acl=private\nX-Amz-Acl: public-read", S3_INVALID_ARGUMENT);
        refuse("PUT h /b/k?X-Amz-Signature=0&x-amz-mfa=1", S3_NOT_IMPLEMENTED);
        refuse("PUT h /b/k?tagging\nx-amz-copy-source: /b/o", S3_NOT_IMPLEMENTED);
        refuse("GET h /b/k\nx-amz-copy-source: /b/o", S3_INVALID_ARGUMENT);
        refuse("GET h /b?prefix=%zz", S3_INVALID_URI);
}

static void test_count(void **state)
{
        static const struct {
                const char *value;
                enum s3_code want;
                unsigned n;
        } cases[] = { { NULL, S3_OK, 1000 },
                      { "", S3_OK, 1000 },
                      { "0", S3_OK, 0 },
                      { "7", S3_OK, 7 },
                      { "5000", S3_OK, 1000 },
                      { "-1", S3_INVALID_ARGUMENT, 0 },
                      { "blah", S3_INVALID_ARGUMENT, 0 },
                      { "2147483648", S3_INVALID_ARGUMENT, 0 } };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct s3_target t = { .op = S3_OP_LIST_OBJECTS };
                struct s3_fault f;
                unsigned n = 0;
                t.params[S3_P_MAX_KEYS] = str_of(cases[i].value);
                assert_int_equal(s3_target_count(&t, S3_P_MAX_KEYS, 1000, 1000, &n, &f), cases[i].want);
                assert_int_equal(n, cases[i].n);
        }
}

static void test_names(void **state)
{
        static const char *const good[] = { "abc", "a-b.c1",
                                            "123456789012345678901234567890123456789012345678901234567890123",
                                            "1.2.3" };
        static const char *const bad[] = { "ab",
                                           "1234567890123456789012345678901234567890123456789012345678901234",
                                           "Abc",
                                           "a_b",
                                           "-ab",
                                           "ab-",
                                           ".ab",
                                           "a..b",
                                           "192.168.5.4",
                                           "xn--abc",
                                           "abc-s3alias",
                                           "a/b",
                                           "" };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(good); i++)
                assert_true(s3_bucket_name_ok(str_of(good[i])));
        for (size_t i = 0; i < ARRAY_LEN(bad); i++)
                assert_false(s3_bucket_name_ok(str_of(bad[i])));
        struct str b, k, v;
        arena_reset(&arena);
        assert_true(s3_copy_source_parse(&arena, STR("/b/a%2Fk%3F?versionId=v1"), &b, &k, &v));
        assert_true(str_eq(b, STR("b")) && str_eq(k, STR("a/k?")) && str_eq(v, STR("v1")));
        assert_true(s3_copy_source_parse(&arena, STR("b/k"), &b, &k, &v) && v.p == NULL);
        assert_false(s3_copy_source_parse(&arena, STR("b"), &b, &k, &v));
        assert_false(s3_copy_source_parse(&arena, STR("/b/"), &b, &k, &v));
        assert_false(s3_copy_source_parse(&arena, STR("b/k?acl"), &b, &k, &v));
        assert_false(s3_copy_source_parse(&arena, STR("b/%k"), &b, &k, &v));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_places),  cmocka_unit_test(test_ops),   cmocka_unit_test(test_every_sub_resource),
                cmocka_unit_test(test_refused), cmocka_unit_test(test_count), cmocka_unit_test(test_names),
        };
        arena_init(&arena, 4096, 1 << 20);
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        arena_fini(&arena);
        return r;
}
