/* Policies: statements, every operator, what is refused; canned ACLs; how they decide together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "s3/policy.h"

static struct arena arena;

/* Values of a request: "key=value" of conditions by their number. */
struct given {
        enum s3_condition c;
        const char *tag, *value;
};
struct request {
        const char *user, *action, *key;
        struct given given[4];
};

static bool value(void *arg, enum s3_condition c, struct str tag, unsigned i, struct str *ret)
{
        const struct request *r = arg;
        for (unsigned k = 0; k < ARRAY_LEN(r->given) && r->given[k].value != NULL; k++) {
                if (r->given[k].c != c || !str_eq(tag, str_of(r->given[k].tag)) || i-- != 0)
                        continue;
                *ret = str_of(r->given[k].value);
                return true;
        }
        return false;
}

static enum s3_code parse(const char *text, const struct s3_policy **ret)
{
        /* quotes are written as ' to be readable here */
        struct str s = str_arena(&arena, str_of(text));
        struct s3_fault f;
        for (char *c = (char *)(uintptr_t)s.p; *c != '\0'; c++)
                if (*c == '\'')
                        *c = '"';
        return s3_policy_parse(&arena, s, ret, &f);
}

static enum s3_verdict judge(const char *text, const struct request *r)
{
        const struct s3_policy *p;
        arena_reset(&arena);
        if (parse(text, &p) != S3_OK)
                fail_msg("not parsed: %s", text);
        struct s3_ask q = {
                str_of(r->user), str_of(r->action),   STR("b"), str_of(r->key), INT64_C(1700000000) * 1000000000,
                value,           (void *)(uintptr_t)r
        };
        return s3_policy_judge(p, &q);
}

#define ST(effect, principal, action, resource, more) \
        "{'Effect':'" effect "','Principal':" principal ",'Action':" action ",'Resource':" resource more "}"
#define POLICY(x) "{'Version':'2012-10-17','Id':'x','Statement':[" x "]}"
#define ALL "'arn:aws:s3:::b/*'"

static void test_statements(void **state)
{
        static const struct {
                const char *policy;
                struct request r;
                enum s3_verdict want;
        } cases[] = {
                { POLICY(ST("Allow", "'*'", "'s3:GetObject'", ALL, "")),
                  { NULL, "s3:GetObject", "k/1", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "'*'", "'s3:GetObject'", ALL, "")),
                  { NULL, "s3:PutObject", "k/1", { { 0 } } },
                  S3_VERDICT_NONE },
                { POLICY(ST("Allow", "'*'", "'s3:GetObject'", ALL, "")),
                  { NULL, "s3:GetObject", NULL, { { 0 } } },
                  S3_VERDICT_NONE },
                { POLICY(ST("Allow", "'*'", "'s3:GetObject'", "'arn:aws:s3:::b'", "")),
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_NONE },
                { POLICY(ST("Allow", "'*'", "'s3:ListBucket'", "['arn:aws:s3:::b','arn:aws:s3:::b/*']", "")),
                  { NULL, "s3:ListBucket", NULL, { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "'*'", "'s3:*'", "'arn:aws:s3:::other/*'", "")),
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_NONE },
                { POLICY(ST("Allow", "'*'", "'s3:*'", "'arn:aws:s3:::b/pub/?.txt'", "")),
                  { NULL, "s3:GetObject", "pub/a.txt", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "'*'", "['s3:Put*','S3:GETO*']", ALL, "")),
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "{'AWS':'*'}", "'*'", "'*'", "")),
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "{'AWS':['arn:aws:iam::x:user/ann','bob']}", "'*'", ALL, "")),
                  { "ann", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "{'AWS':['arn:aws:iam::x:user/ann','bob']}", "'*'", ALL, "")),
                  { "bob", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "{'AWS':['arn:aws:iam::x:user/ann','bob']}", "'*'", ALL, "")),
                  { "x", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_NONE },
                { POLICY(ST("Allow", "{'AWS':['arn:aws:iam::x:user/ann','bob']}", "'*'", ALL, "")),
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_NONE },
                { POLICY(ST("Allow", "{'AWS':'arn:aws:iam::ann:root'}", "'*'", ALL, "")),
                  { "ann", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { POLICY(ST("Allow", "{'CanonicalUser':'ann'}", "'*'", ALL, "")),
                  { "ann", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                /* deny outweighs, wherever it stands */
                { POLICY(ST("Allow", "'*'", "'*'", ALL, "") "," ST("Deny", "'*'", "'s3:Delete*'", ALL, "")),
                  { "ann", "s3:DeleteObject", "k", { { 0 } } },
                  S3_VERDICT_DENY },
                { POLICY(ST("Deny", "'*'", "'s3:Delete*'", ALL, "") "," ST("Allow", "'*'", "'*'", ALL, "")),
                  { "ann", "s3:DeleteObject", "k", { { 0 } } },
                  S3_VERDICT_DENY },
                { POLICY(ST("Deny", "'*'", "'s3:Delete*'", ALL, "") "," ST("Allow", "'*'", "'*'", ALL, "")),
                  { "ann", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                /* the Not forms */
                { "{'Statement':{'Effect':'Deny','NotPrincipal':{'AWS':'ann'},'Action':'*','Resource':'*'}}",
                  { "bob", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_DENY },
                { "{'Statement':{'Effect':'Deny','NotPrincipal':{'AWS':'ann'},'Action':'*','Resource':'*'}}",
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_DENY },
                { "{'Statement':{'Effect':'Deny','NotPrincipal':{'AWS':'ann'},'Action':'*','Resource':'*'}}",
                  { "ann", "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_NONE },
                { "{'Statement':{'Effect':'Allow','Principal':'*','NotAction':'s3:Put*','Resource':'*'}}",
                  { NULL, "s3:PutObject", "k", { { 0 } } },
                  S3_VERDICT_NONE },
                { "{'Statement':{'Effect':'Allow','Principal':'*','NotAction':'s3:Put*','Resource':'*'}}",
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
                { "{'Statement':{'Effect':'Allow','Principal':'*','Action':'*','NotResource':'arn:aws:s3:::b/secret/"
                  "*'}}",
                  { NULL, "s3:GetObject", "secret/1", { { 0 } } },
                  S3_VERDICT_NONE },
                { "{'Statement':{'Effect':'Allow','Principal':'*','Action':'*','NotResource':'arn:aws:s3:::b/secret/"
                  "*'}}",
                  { NULL, "s3:GetObject", "k", { { 0 } } },
                  S3_VERDICT_ALLOW },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++)
                if (judge(cases[i].policy, &cases[i].r) != cases[i].want)
                        fail_msg("case %zu: %s", i, cases[i].policy);
}

static void test_conditions(void **state)
{
        static const struct {
                const char *condition;
                struct given given[3];
                bool want;
        } cases[] = {
                { "'StringEquals':{'s3:prefix':'a'}", { { S3_C_PREFIX, NULL, "a" } }, true },
                { "'StringEquals':{'s3:prefix':['x','a']}", { { S3_C_PREFIX, NULL, "a" } }, true },
                { "'StringEquals':{'s3:prefix':'a'}", { { S3_C_PREFIX, NULL, "A" } }, false },
                { "'StringEquals':{'s3:prefix':'a'}", { { 0 } }, false },
                { "'StringEqualsIfExists':{'S3:Prefix':'a'}", { { 0 } }, true },
                { "'StringEqualsIfExists':{'s3:prefix':'a'}", { { S3_C_PREFIX, NULL, "b" } }, false },
                { "'StringNotEquals':{'s3:prefix':['a','b']}", { { S3_C_PREFIX, NULL, "c" } }, true },
                { "'StringNotEquals':{'s3:prefix':['a','b']}", { { S3_C_PREFIX, NULL, "b" } }, false },
                { "'StringNotEquals':{'s3:prefix':['a','b']}", { { 0 } }, true },
                { "'StringEqualsIgnoreCase':{'s3:prefix':'a'}", { { S3_C_PREFIX, NULL, "A" } }, true },
                { "'StringNotEqualsIgnoreCase':{'s3:prefix':'a'}", { { S3_C_PREFIX, NULL, "A" } }, false },
                { "'StringLike':{'s3:prefix':'home/*/x?'}", { { S3_C_PREFIX, NULL, "home/a/b/x1" } }, true },
                { "'StringNotLike':{'s3:prefix':'home/*'}", { { S3_C_PREFIX, NULL, "home/a" } }, false },
                { "'NumericLessThanEquals':{'s3:max-keys':'10'}", { { S3_C_MAX_KEYS, NULL, "10" } }, true },
                { "'NumericLessThan':{'s3:max-keys':10}", { { S3_C_MAX_KEYS, NULL, "10" } }, false },
                { "'NumericGreaterThan':{'s3:max-keys':'9'}", { { S3_C_MAX_KEYS, NULL, "10" } }, true },
                { "'NumericEquals':{'s3:max-keys':'1e1'}", { { S3_C_MAX_KEYS, NULL, "10" } }, true },
                { "'NumericNotEquals':{'s3:max-keys':'10'}", { { S3_C_MAX_KEYS, NULL, "10" } }, false },
                { "'NumericEquals':{'s3:max-keys':'10'}", { { S3_C_MAX_KEYS, NULL, "nan" } }, false },
                { "'DateGreaterThan':{'aws:CurrentTime':'2023-11-14T22:13:19Z'}", { { 0 } }, true },
                { "'DateLessThan':{'aws:CurrentTime':'2023-11-14T22:13:20Z'}", { { 0 } }, false },
                { "'DateLessThan':{'aws:EpochTime':'1700000001'}", { { 0 } }, true },
                { "'NumericGreaterThanEquals':{'aws:EpochTime':'1700000000'}", { { 0 } }, true },
                { "'Bool':{'aws:SecureTransport':'true'}", { { S3_C_SECURE_TRANSPORT, NULL, "true" } }, true },
                { "'Bool':{'aws:SecureTransport':false}", { { S3_C_SECURE_TRANSPORT, NULL, "true" } }, false },
                { "'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}", { { S3_C_SOURCE_IP, NULL, "10.1.2.3" } }, true },
                { "'IpAddress':{'aws:SourceIp':'10.1.0.0/15'}", { { S3_C_SOURCE_IP, NULL, "10.0.2.3" } }, true },
                { "'IpAddress':{'aws:SourceIp':'10.1.0.0/16'}", { { S3_C_SOURCE_IP, NULL, "10.2.2.3" } }, false },
                { "'IpAddress':{'aws:SourceIp':'10.1.2.3'}", { { S3_C_SOURCE_IP, NULL, "::ffff:10.1.2.3" } }, true },
                { "'IpAddress':{'aws:SourceIp':'2001:db8::/33'}",
                  { { S3_C_SOURCE_IP, NULL, "2001:db8:7fff::1" } },
                  true },
                { "'IpAddress':{'aws:SourceIp':'2001:db8::/33'}",
                  { { S3_C_SOURCE_IP, NULL, "2001:db8:8000::1" } },
                  false },
                { "'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}", { { S3_C_SOURCE_IP, NULL, "2001:db8::1" } }, false },
                { "'NotIpAddress':{'aws:SourceIp':'10.0.0.0/8'}", { { S3_C_SOURCE_IP, NULL, "10.1.2.3" } }, false },
                { "'Null':{'s3:x-amz-server-side-encryption':'true'}", { { 0 } }, true },
                { "'Null':{'s3:x-amz-server-side-encryption':'true'}", { { S3_C_SSE, NULL, "AES256" } }, false },
                { "'Null':{'s3:x-amz-server-side-encryption':false}", { { S3_C_SSE, NULL, "AES256" } }, true },
                { "'StringEquals':{'s3:ExistingObjectTag/Sec':'public'}",
                  { { S3_C_EXISTING_TAG, "Sec", "public" } },
                  true },
                { "'StringEquals':{'s3:ExistingObjectTag/Sec':'public'}",
                  { { S3_C_EXISTING_TAG, "sec", "public" } },
                  false },
                { "'StringEquals':{'s3:RequestObjectTag/a/b':'1'}", { { S3_C_REQUEST_TAG, "a/b", "1" } }, true },
                { "'ForAllValues:StringEquals':{'s3:RequestObjectTagKeys':['a','b']}",
                  { { S3_C_REQUEST_TAG_KEYS, NULL, "a" }, { S3_C_REQUEST_TAG_KEYS, NULL, "b" } },
                  true },
                { "'ForAllValues:StringEquals':{'s3:RequestObjectTagKeys':['a','b']}",
                  { { S3_C_REQUEST_TAG_KEYS, NULL, "a" }, { S3_C_REQUEST_TAG_KEYS, NULL, "c" } },
                  false },
                { "'ForAllValues:StringEquals':{'s3:RequestObjectTagKeys':['a','b']}", { { 0 } }, true },
                { "'ForAnyValue:StringEquals':{'s3:RequestObjectTagKeys':['a','b']}",
                  { { S3_C_REQUEST_TAG_KEYS, NULL, "c" }, { S3_C_REQUEST_TAG_KEYS, NULL, "b" } },
                  true },
                { "'ForAnyValue:StringEquals':{'s3:RequestObjectTagKeys':['a','b']}", { { 0 } }, false },
                { "'StringEquals':{'s3:prefix':'a','s3:delimiter':'/'}", { { S3_C_PREFIX, NULL, "a" } }, false },
                { "'StringEquals':{'s3:prefix':'a'},'Bool':{'aws:SecureTransport':'true'}",
                  { { S3_C_PREFIX, NULL, "a" }, { S3_C_SECURE_TRANSPORT, NULL, "true" } },
                  true },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                char text[512];
                struct request r = { NULL, "s3:GetObject", "k", { { 0 } } };
                memcpy(r.given, cases[i].given, sizeof(cases[i].given));
                snprintf(
                        text, sizeof(text),
                        "{'Statement':{'Effect':'Allow','Principal':'*','Action':'*','Resource':'*','Condition':{%s}}}",
                        cases[i].condition);
                if ((judge(text, &r) == S3_VERDICT_ALLOW) != cases[i].want)
                        fail_msg("condition %zu: %s", i, cases[i].condition);
        }
}

static void test_refused(void **state)
{
        static const struct {
                const char *text;
                enum s3_code want;
        } cases[] = {
                { "", S3_MALFORMED_POLICY },
                { "[]", S3_MALFORMED_POLICY },
                { "{}", S3_MALFORMED_POLICY },
                { "{'Statement':[]}", S3_MALFORMED_POLICY },
                { "{'Version':'2020-01-01','Statement':" ST("Allow", "'*'", "'*'", ALL, "") "}", S3_MALFORMED_POLICY },
                { "{'Extra':1,'Statement':" ST("Allow", "'*'", "'*'", ALL, "") "}", S3_MALFORMED_POLICY },
                { POLICY(ST("allow", "'*'", "'*'", ALL, "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'ann'", "'*'", ALL, "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "{'AWS':'arn:aws:iam::1:role/x'}", "'*'", ALL, "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "{'AWS':'a*'}", "'*'", ALL, "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "{'Service':'x'}", "'*'", ALL, "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'ec2:Run'", ALL, "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "[]", ALL, "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", "'b/*'", "")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", "'arn:aws:s3:::b/${aws:username}/*'", "")), S3_NOT_IMPLEMENTED },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Surprise':1")), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'NotAction':'s3:X'")), S3_MALFORMED_POLICY },
                { POLICY("{'Effect':'Allow','Principal':'*','Action':'*'}"), S3_MALFORMED_POLICY },
                { POLICY("{'Effect':'Allow','Action':'*','Resource':'*'}"), S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Condition':{'StringSounds':{'s3:prefix':'a'}}")),
                  S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Condition':{'StringEquals':{'s3:color':'a'}}")),
                  S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Condition':{'StringEquals':{'s3:ExistingObjectTag/':'a'}}")),
                  S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/33'}}")),
                  S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Condition':{'NumericEquals':{'s3:max-keys':'many'}}")),
                  S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Condition':{'Bool':{'aws:SecureTransport':'maybe'}}")),
                  S3_MALFORMED_POLICY },
                { POLICY(ST("Allow", "'*'", "'*'", ALL, ",'Condition':{'DateLessThan':{'aws:CurrentTime':'soon'}}")),
                  S3_MALFORMED_POLICY },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                const struct s3_policy *p;
                arena_reset(&arena);
                if (parse(cases[i].text, &p) != cases[i].want)
                        fail_msg("case %zu: %s", i, cases[i].text);
        }
}

static void expect_public(const char *text, bool want)
{
        const struct s3_policy *p;
        arena_reset(&arena);
        assert_int_equal(parse(text, &p), S3_OK);
        if (s3_policy_is_public(p) != want)
                fail_msg("%s", text);
}

static void test_public(void **state)
{
        (void)state;
        expect_public(POLICY(ST("Allow", "'*'", "'s3:*'", ALL, "")), true);
        expect_public(POLICY(ST("Deny", "'*'", "'s3:*'", ALL, "")), false);
        expect_public(POLICY(ST("Allow", "{'AWS':'ann'}", "'s3:*'", ALL, "")), false);
        expect_public(
                POLICY(ST("Allow", "'*'", "'s3:*'", ALL, ",'Condition':{'IpAddress':{'aws:SourceIp':'10.0.0.0/32'}}")),
                false);
        expect_public(
                POLICY(ST("Allow", "'*'", "'s3:*'", ALL, ",'Condition':{'IpAddress':{'aws:SourceIp':'0.0.0.0/0'}}")),
                true);
        expect_public(POLICY(ST("Allow", "'*'", "'s3:*'", ALL, ",'Condition':{'Bool':{'aws:SecureTransport':'true'}}")),
                      true);
        const struct s3_policy *p;
        assert_int_equal(parse(POLICY(ST("Allow", "'*'", "'*'", ALL,
                                         ",'Condition':{'StringEquals':{'s3:ExistingObjectTag/x':'a'}}")),
                               &p),
                         S3_OK);
        assert_true(s3_policy_asks(p, S3_C_EXISTING_TAG));
        assert_false(s3_policy_asks(p, S3_C_PREFIX));
        assert_false(s3_policy_asks(NULL, S3_C_PREFIX));
}

static void test_together(void **state)
{
        const struct s3_policy *deny, *allow;
        struct s3_ask ann = { .user = STR("ann"), .action = STR("s3:GetObject"), .bucket = STR("b"), .key = STR("k") },
                      nobody = ann;
        (void)state;
        nobody.user = STR_NONE;
        arena_reset(&arena);
        assert_int_equal(parse(POLICY(ST("Deny", "'*'", "'*'", "'*'", "")), &deny), S3_OK);
        assert_int_equal(parse(POLICY(ST("Allow", "{'AWS':'ann'}", "'s3:GetObject'", ALL, "")), &allow), S3_OK);
        assert_true(s3_access_allowed(NULL, &ann, true, S3_ACL_PRIVATE, S3_OP_GET_OBJECT));
        assert_false(s3_access_allowed(NULL, &ann, false, S3_ACL_PRIVATE, S3_OP_GET_OBJECT));
        assert_false(s3_access_allowed(deny, &ann, true, S3_ACL_PUBLIC_READ, S3_OP_GET_OBJECT));
        assert_true(s3_access_allowed(deny, &ann, true, S3_ACL_PRIVATE, S3_OP_DELETE_POLICY));
        assert_false(s3_access_allowed(deny, &ann, false, S3_ACL_PRIVATE, S3_OP_DELETE_POLICY));
        assert_true(s3_access_allowed(allow, &ann, false, S3_ACL_PRIVATE, S3_OP_GET_OBJECT));
        assert_false(s3_access_allowed(allow, &nobody, false, S3_ACL_PRIVATE, S3_OP_GET_OBJECT));
        assert_true(s3_access_allowed(NULL, &nobody, false, S3_ACL_PUBLIC_READ, S3_OP_GET_OBJECT));
        assert_false(s3_access_allowed(NULL, &nobody, false, S3_ACL_PUBLIC_READ, S3_OP_PUT_OBJECT));
        assert_true(s3_access_allowed(NULL, &nobody, false, S3_ACL_PUBLIC_READ_WRITE, S3_OP_PUT_OBJECT));
        assert_false(s3_access_allowed(NULL, &nobody, false, S3_ACL_AUTHENTICATED_READ, S3_OP_GET_OBJECT));
        assert_true(s3_access_allowed(NULL, &ann, false, S3_ACL_AUTHENTICATED_READ, S3_OP_GET_OBJECT));
        for (unsigned op = 1; op < S3_OP_COUNT; op++) /* what no canned ACL gives away */
                if (op == S3_OP_PUT_POLICY || op == S3_OP_PUT_BUCKET_ACL || op == S3_OP_PUT_OBJECT_ACL ||
                    op == S3_OP_DELETE_BUCKET || op == S3_OP_PUT_RETENTION)
                        assert_false(s3_acl_allows(S3_ACL_PUBLIC_READ_WRITE, (enum s3_op)op, true));
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_statements), cmocka_unit_test(test_conditions),
                                            cmocka_unit_test(test_refused), cmocka_unit_test(test_public),
                                            cmocka_unit_test(test_together) };
        arena_init(&arena, 4096, 1 << 20);
        int r = cmocka_run_group_tests(tests, NULL, NULL);
        arena_fini(&arena);
        return r;
}
