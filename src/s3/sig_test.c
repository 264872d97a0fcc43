/* Signature Version 4: the examples of the S3 developer guide, what is refused, mutations of good requests, the signing
 * side, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/test_assert.h"
#include "os/clock.h"
#include "s3/priv.h"
#include "s3/when.h"

#define KEY "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define T2013 INT64_C(1369353600) /* 2013-05-24T00:00:00Z */
#define CRED "AWS4-HMAC-SHA256 Credential=" KEY "/20130524/us-east-1/s3/aws4_request,"

static bool find(void *arg, struct str access_key, struct str *ret_secret, const void **ret_user)
{
        if (!str_eq(access_key, STR(KEY)))
                return false;
        *ret_secret = STR(SECRET);
        *ret_user = arg;
        return true;
}

static const struct str region = { "us-east-1", 9 };
static int user_mark;

struct request {
        const char *method, *path, *query;
        const char *headers[24]; /* name, value, …, NULL */
};

static enum s3_code verify_at(const struct request *r, int64_t now_s, struct s3_sig *ret, struct s3_fault *f)
{
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        struct http_header h[16];
        struct s3_sig_request rq = { str_of(r->method), str_of(r->path), str_of(r->query ? r->query : ""), h, 0 };
        for (; r->headers[2 * rq.nheaders] != NULL; rq.nheaders++)
                h[rq.nheaders] = (struct http_header){ str_of(r->headers[2 * rq.nheaders]),
                                                       str_of(r->headers[2 * rq.nheaders + 1]) };
        struct s3_sig_rules rules = { &region, 1, now_s, find, &user_mark, NULL };
        struct s3_sig s;
        enum s3_code c = s3_sig_verify(&rules, &rq, &a, &s, f);
        if (c == S3_OK) {
                *ret = s;
                ret->access_key = STR_NONE; /* the arena ends here */
        }
        return c;
}

static void expect_at(const struct request *r, int64_t now_s, enum s3_code want)
{
        struct s3_sig s;
        struct s3_fault f = { .code = S3_OK };
        enum s3_code c = verify_at(r, now_s, &s, &f);
        if (c != want)
                fail_msg("%s %s?%s: %s (%s), not %s", r->method, r->path, r->query ? r->query : "", s3_code_name(c),
                         f.text, s3_code_name(want));
}

static void expect(const struct request *r, enum s3_code want)
{
        expect_at(r, T2013 + 10, want);
}

#define HOST "Host", "examplebucket.s3.amazonaws.com"
#define DATE "x-amz-date", "20130524T000000Z"
#define SHA(x) "x-amz-content-sha256", x

static const struct request guide[] = {
        { "GET",
          "/test.txt",
          NULL,
          { HOST, "Authorization",
            CRED "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,"
                 "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
            "Range", "bytes=0-9", SHA(EMPTY), DATE, NULL } },
        { "PUT",
          "/test%24file.text",
          NULL,
          { HOST, "Date", "Fri, 24 May 2013 00:00:00 GMT", "Authorization",
            CRED "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
                 "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
            DATE, "x-amz-storage-class", "REDUCED_REDUNDANCY",
            SHA("44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"), NULL } },
        { "GET",
          "/",
          "lifecycle",
          { HOST, "Authorization",
            CRED "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
                 "Signature=fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            DATE, SHA(EMPTY), NULL } },
        { "GET",
          "/",
          "max-keys=2&prefix=J",
          { HOST, "Authorization",
            CRED "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
                 "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            DATE, SHA(EMPTY), NULL } },
};
#define PRESIGNED(sig)                                                                                         \
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" \
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host&X-Amz-Signature=" sig
#define PRESIGNED_SIG "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
static const struct request presigned = { "GET", "/test.txt", PRESIGNED(PRESIGNED_SIG), { HOST, NULL } };

static void test_guide(void **state)
{
        (void)state;
        struct s3_sig s;
        struct s3_fault f;
        for (size_t i = 0; i < ARRAY_LEN(guide); i++)
                expect(&guide[i], S3_OK);
        assert_int_equal(verify_at(&guide[0], T2013, &s, &f), S3_OK);
        assert_int_equal(s.auth, S3_AUTH_HEADER);
        assert_ptr_equal(s.user, &user_mark);
        assert_int_equal(s.payload, S3_PAYLOAD_SHA256);
        unsigned char none[DIGEST_MAX];
        digest_of(DIGEST_SHA256, "", 0, none);
        assert_memory_equal(s.sha256, none, 32);
        assert_int_equal(verify_at(&presigned, T2013, &s, &f), S3_OK);
        assert_int_equal(s.auth, S3_AUTH_QUERY);
        assert_int_equal(s.payload, S3_PAYLOAD_UNSIGNED);
}

/* The canonical request itself, as the guide prints it. */
static void test_canonical(void **state)
{
        (void)state;
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        AUTO_BUF struct buf b = BUF_INIT;
        struct http_header h[] = { { STR("Host"), STR("h") },
                                   { STR("x-amz-meta-a"), STR("  one   two\t three ") },
                                   { STR("X-Amz-Meta-A"), STR("4") } };
        struct s3_sig_request rq = { STR("GET"), STR("/a%20b/%7e/%c3%A9//../+"), STR("b=2&a&a=%2b+x&=&c=%3d/"), h, 3 };
        struct s3__canon c = { &rq, STR("host;x-amz-meta-a"), STR_NONE, STR("P") };
        unsigned char d[32];
        assert_int_equal(s3__canon_digest(&c, &a, d, &b), CANON_OK);
        assert_string_equal(
                buf_cstr(&b),
                "GET\n/a%20b/~/%C3%A9//../%2B\na=&a=%2B%20x&b=2&c=%3D%2F\nhost:h\nx-amz-meta-a:one two three,4\n\n"
                "host;x-amz-meta-a\nP");
        rq.path = STR("/a%2");
        assert_int_equal(s3__canon_digest(&c, &a, d, NULL), CANON_BAD_ESCAPE);
        rq.path = STR("/");
        rq.query = STR("a=%zz");
        assert_int_equal(s3__canon_digest(&c, &a, d, NULL), CANON_BAD_ESCAPE);
        rq.query = STR("");
        c.signed_headers = STR("host;range");
        assert_int_equal(s3__canon_digest(&c, &a, d, NULL), CANON_NO_HEADER);
}

static void test_time(void **state)
{
        (void)state;
        expect_at(&guide[0], T2013 + 900, S3_OK);
        expect_at(&guide[0], T2013 + 901, S3_REQUEST_TIME_TOO_SKEWED);
        expect_at(&guide[0], T2013 - 900, S3_OK);
        expect_at(&guide[0], T2013 - 901, S3_REQUEST_TIME_TOO_SKEWED);
        expect_at(&presigned, T2013 + 86400, S3_OK);
        expect_at(&presigned, T2013 + 86401, S3_ACCESS_DENIED);
        expect_at(&presigned, T2013 - 900, S3_OK);
        expect_at(&presigned, T2013 - 901, S3_ACCESS_DENIED);
}

/* What is changed of a good request, and what comes of it. */
static void test_mutations(void **state)
{
        (void)state;
        struct request r = guide[0];
        r.method = "HEAD";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r = guide[0];
        r.path = "/test.tx";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.path = "/%74est.txt"; /* another spelling of the same */
        expect(&r, S3_OK);
        r.path = "/test.txt/";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.path = "//test.txt";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.path = "/%";
        expect(&r, S3_INVALID_URI);
        r = guide[0];
        r.query = "acl";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.query = "versionId=1";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r = guide[0];
        r.headers[1] = "other.s3.amazonaws.com";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r = guide[0];
        r.headers[5] = "bytes=0-99"; /* signed, so it counts */
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r = guide[0];
        r.headers[7] = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.headers[7] = "UNSIGNED-PAYLOAD";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.headers[7] = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD";
        expect(&r, S3_NOT_IMPLEMENTED);
        r.headers[7] = "nonsense";
        expect(&r, S3_INVALID_ARGUMENT);
        r = guide[0];
        r.headers[6] = "x-other";
        expect(&r, S3_MISSING_SECURITY_HEADER);
        r = guide[0];
        r.headers[9] = "20130524T000001Z";
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.headers[9] = "20130525T000000Z"; /* another day than the scope's */
        expect_at(&r, T2013 + 86400, S3_AUTH_HEADER_MALFORMED);
        r.headers[9] = "yesterday";
        expect(&r, S3_ACCESS_DENIED);
        r.headers[8] = "x-none";
        expect(&r, S3_ACCESS_DENIED);
        /* A header that is not signed, smuggled in: x-amz-* changes meanings. */
        r = guide[0];
        r.headers[10] = "X-Amz-Copy-Source";
        r.headers[11] = "/secret/file";
        r.headers[12] = NULL;
        expect(&r, S3_ACCESS_DENIED);
        r.headers[10] = "User-Agent";
        expect(&r, S3_OK);
        r.headers[10] = "Range"; /* a second value of a signed header */
        expect(&r, S3_SIGNATURE_DOES_NOT_MATCH);
        r.headers[10] = "Authorization";
        expect(&r, S3_INVALID_ARGUMENT);
        r.headers[10] = "x-amz-security-token";
        expect(&r, S3_INVALID_TOKEN);
}

#define SIG0 "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
#define NAMES0 "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date"

static void test_authorization(void **state)
{
        static const struct {
                const char *text;
                enum s3_code want;
        } cases[] = {
                { CRED " " NAMES0 " , " SIG0, S3_OK },
                { "AWS4-HMAC-SHA256 " NAMES0 "," SIG0 ",Credential=" KEY "/20130524/us-east-1/s3/aws4_request", S3_OK },
                { "", S3_ACCESS_DENIED },
                { "AWS4-HMAC-SHA256", S3_AUTH_HEADER_MALFORMED },
                { CRED NAMES0, S3_AUTH_HEADER_MALFORMED },
                { CRED NAMES0 "," SIG0 "," SIG0, S3_AUTH_HEADER_MALFORMED },
                { CRED NAMES0 "," SIG0 ",X=y", S3_AUTH_HEADER_MALFORMED },
                { CRED NAMES0 "," SIG0 "0", S3_AUTH_HEADER_MALFORMED },
                { CRED "SignedHeaders=range;x-amz-content-sha256;x-amz-date," SIG0, S3_AUTH_HEADER_MALFORMED },
                { CRED "SignedHeaders=Host;range;x-amz-content-sha256;x-amz-date," SIG0, S3_AUTH_HEADER_MALFORMED },
                { CRED "SignedHeaders=host;range;x-amz-content-sha256," SIG0, S3_ACCESS_DENIED },
                { CRED "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date;x-more," SIG0,
                  S3_SIGNATURE_DOES_NOT_MATCH },
                { "AWS4-HMAC-SHA256 Credential=" KEY "/20130524/us-west-1/s3/aws4_request," NAMES0 "," SIG0,
                  S3_AUTH_HEADER_MALFORMED },
                { "AWS4-HMAC-SHA256 Credential=" KEY "/20130524/us-east-1/ec2/aws4_request," NAMES0 "," SIG0,
                  S3_AUTH_HEADER_MALFORMED },
                { "AWS4-HMAC-SHA256 Credential=" KEY "/20130524/us-east-1/s3/aws5_request," NAMES0 "," SIG0,
                  S3_AUTH_HEADER_MALFORMED },
                { "AWS4-HMAC-SHA256 Credential=" KEY "/20130523/us-east-1/s3/aws4_request," NAMES0 "," SIG0,
                  S3_AUTH_HEADER_MALFORMED },
                { "AWS4-HMAC-SHA256 Credential=AKIAI/20130524/us-east-1/s3/aws4_request," NAMES0 "," SIG0,
                  S3_INVALID_ACCESS_KEY_ID },
                { "AWS4-HMAC-SHA256 Credential=/20130524/us-east-1/s3/aws4_request," NAMES0 "," SIG0,
                  S3_AUTH_HEADER_MALFORMED },
                { "AWS4-HMAC-SHA256 Credential=x," NAMES0 "," SIG0, S3_AUTH_HEADER_MALFORMED },
                { "AWS " KEY ":frJIUN8DYpKDtOLCwo//yllqDzg=", S3_INVALID_REQUEST },
                { "AWS4-ECDSA-P256-SHA256 Credential=x", S3_INVALID_REQUEST },
                { "Basic eDp5", S3_INVALID_ARGUMENT },
                { "Bearer abc.def", S3_OK },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct request r = guide[0];
                r.headers[3] = cases[i].text;
                expect(&r, cases[i].want);
        }
        struct request r = { "GET", "/", NULL, { HOST, NULL } };
        struct s3_sig s;
        struct s3_fault f;
        assert_int_equal(verify_at(&r, T2013, &s, &f), S3_OK);
        assert_int_equal(s.auth, S3_AUTH_ANONYMOUS);
        r.query = "AWSAccessKeyId=" KEY "&Expires=1&Signature=x";
        expect(&r, S3_INVALID_REQUEST);
        r = (struct request){ "PUT", "/", NULL, { HOST, SHA("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), NULL } };
        expect(&r, S3_INVALID_REQUEST);
        r.headers[3] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";
        assert_int_equal(verify_at(&r, T2013, &s, &f), S3_OK);
        assert_int_equal(s.payload, S3_PAYLOAD_STREAM_UNSIGNED_TRAILER);
        /* The wrong region is named in the answer. */
        r = guide[0];
        r.headers[3] = cases[12].text;
        assert_int_equal(verify_at(&r, T2013, &s, &f), S3_AUTH_HEADER_MALFORMED);
        assert_string_equal(f.field, "Region");
        assert_string_equal(f.value, "us-east-1");
}

static void test_presigned(void **state)
{
        static const struct {
                const char *path, *query;
                enum s3_code want;
        } cases[] = {
                { "/test.tx", PRESIGNED(PRESIGNED_SIG), S3_SIGNATURE_DOES_NOT_MATCH },
                { "/test.txt", PRESIGNED(PRESIGNED_SIG) "&acl", S3_SIGNATURE_DOES_NOT_MATCH },
                { "/test.txt", PRESIGNED(PRESIGNED_SIG) "&", S3_OK },
                { "/test.txt", PRESIGNED("beeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"),
                  S3_SIGNATURE_DOES_NOT_MATCH },
                { "/test.txt", PRESIGNED(PRESIGNED_SIG) "&X-Amz-Signature=" PRESIGNED_SIG, S3_AUTH_QUERY_PARAMETERS },
                { "/test.txt", PRESIGNED(PRESIGNED_SIG) "&X-Amz-Expires=1", S3_AUTH_QUERY_PARAMETERS },
                { "/test.txt", PRESIGNED(PRESIGNED_SIG) "&X-Amz%2dExpires=1", S3_AUTH_QUERY_PARAMETERS },
                { "/test.txt", PRESIGNED(PRESIGNED_SIG) "&X-Amz-Security-Token=1", S3_INVALID_TOKEN },
                { "/test.txt", "X-Amz-Signature=" PRESIGNED_SIG, S3_AUTH_QUERY_PARAMETERS },
                { "/test.txt",
                  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY
                  "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
                  "&X-Amz-Expires=604801&X-Amz-SignedHeaders=host&X-Amz-Signature=" PRESIGNED_SIG,
                  S3_AUTH_QUERY_PARAMETERS },
                { "/test.txt",
                  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY
                  "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
                  "&X-Amz-Expires=604800&X-Amz-SignedHeaders=host&X-Amz-Signature=" PRESIGNED_SIG,
                  S3_SIGNATURE_DOES_NOT_MATCH },
                { "/test.txt",
                  "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=" KEY
                  "%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z"
                  "&X-Amz-Expires=-1&X-Amz-SignedHeaders=host&X-Amz-Signature=" PRESIGNED_SIG,
                  S3_AUTH_QUERY_PARAMETERS },
        };
        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                struct request r = presigned;
                r.path = cases[i].path;
                r.query = cases[i].query;
                expect(&r, cases[i].want);
        }
        struct request r = presigned;
        r.headers[2] = "x-amz-acl";
        r.headers[3] = "public-read";
        r.headers[4] = NULL;
        expect(&r, S3_ACCESS_DENIED);
        r.headers[2] = "Authorization";
        expect(&r, S3_INVALID_ARGUMENT);
}

/* Streaming examples of the guide: 64 KiB of 'a', then 1 KiB, then nothing. */
static void test_chunks(void **state)
{
        static const struct request stream = {
                "PUT",
                "/examplebucket/chunkObject.txt",
                NULL,
                { "Host", "s3.amazonaws.com", DATE, "x-amz-storage-class", "REDUCED_REDUNDANCY", "Authorization",
                  CRED "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;x-amz-"
                       "decoded-content-length;"
                       "x-amz-storage-class,Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
                  SHA("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), "Content-Encoding", "aws-chunked",
                  "x-amz-decoded-content-length", "66560", "Content-Length", "66824", NULL }
        };
        (void)state;
        struct s3_sig s;
        struct s3_fault f;
        static char data[65536];
        unsigned char d[DIGEST_MAX];
        char sig[S3_SIGNATURE_CHARS + 1];
        memset(data, 'a', sizeof(data));
        assert_int_equal(verify_at(&stream, T2013, &s, &f), S3_OK);
        assert_int_equal(s.payload, S3_PAYLOAD_STREAM);
        digest_of(DIGEST_SHA256, data, 65536, d);
        s3_sig_chain_chunk(&s.chain, d, sig);
        assert_string_equal(sig, "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
        digest_of(DIGEST_SHA256, data, 1024, d);
        s3_sig_chain_chunk(&s.chain, d, sig);
        assert_string_equal(sig, "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
        digest_of(DIGEST_SHA256, data, 0, d);
        s3_sig_chain_chunk(&s.chain, d, sig);
        assert_string_equal(sig, "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
}

static void test_trailer(void **state)
{
        static const struct request stream = {
                "PUT",
                "/examplebucket/chunkObject.txt",
                NULL,
                { "Host", "s3.amazonaws.com", DATE, "x-amz-storage-class", "REDUCED_REDUNDANCY", "Authorization",
                  CRED "SignedHeaders=content-encoding;host;x-amz-content-sha256;x-amz-date;x-amz-decoded-content-"
                       "length;x-amz-storage-class;"
                       "x-amz-trailer,Signature=106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e",
                  SHA("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"), "Content-Encoding", "aws-chunked",
                  "x-amz-decoded-content-length", "66560", "x-amz-trailer", "x-amz-checksum-crc32c", NULL }
        };
        (void)state;
        struct s3_sig s;
        struct s3_fault f;
        static char data[65536];
        unsigned char d[DIGEST_MAX];
        char sig[S3_SIGNATURE_CHARS + 1];
        memset(data, 'a', sizeof(data));
        assert_int_equal(verify_at(&stream, T2013, &s, &f), S3_OK);
        assert_int_equal(s.payload, S3_PAYLOAD_STREAM_TRAILER);
        digest_of(DIGEST_SHA256, data, 65536, d);
        s3_sig_chain_chunk(&s.chain, d, sig);
        assert_string_equal(sig, "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2");
        digest_of(DIGEST_SHA256, data, 1024, d);
        s3_sig_chain_chunk(&s.chain, d, sig);
        assert_string_equal(sig, "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7");
        digest_of(DIGEST_SHA256, data, 0, d);
        s3_sig_chain_chunk(&s.chain, d, sig);
        assert_string_equal(sig, "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992");
        digest_of(DIGEST_SHA256, "x-amz-checksum-crc32c:sOO8/Q==\n", 31, d);
        s3_sig_chain_trailer(&s.chain, d, sig);
        assert_string_equal(sig, "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435");
}

/* The POST example of the guide. */
static void test_form(void **state)
{
        static const char policy[] = "eyAiZXhwaXJhdGlvbiI6ICIyMDE1LTEyLTMwVDEyOjAwOjAwLjAwMFoiLA0KICAiY29uZGl0aW9ucyI6I"
                                     "FsNCiAgICB7ImJ1Y2tldCI6ICJzaWd2NGV4YW1wbGVi"
                                     "dWNrZXQifSwNCiAgICBbInN0YXJ0cy13aXRoIiwgIiRrZXkiLCAidXNlci91c2VyMS8iXSwNCiAgICB7I"
                                     "mFjbCI6ICJwdWJsaWMtcmVhZCJ9LA0KICAgIHsic3Vj"
                                     "Y2Vzc19hY3Rpb25fcmVkaXJlY3QiOiAiaHR0cDovL3NpZ3Y0ZXhhbXBsZWJ1Y2tldC5zMy5hbWF6b25hd"
                                     "3MuY29tL3N1Y2Nlc3NmdWxfdXBsb2FkLmh0bWwifSwN"
                                     "CiAgICBbInN0YXJ0cy13aXRoIiwgIiRDb250ZW50LVR5cGUiLCAiaW1hZ2UvIl0sDQogICAgeyJ4LWFte"
                                     "i1tZXRhLXV1aWQiOiAiMTQzNjUxMjM2NTEyNzQifSwN"
                                     "CiAgICB7IngtYW16LXNlcnZlci1zaWRlLWVuY3J5cHRpb24iOiAiQUVTMjU2In0sDQogICAgWyJzdGFyd"
                                     "HMtd2l0aCIsICIkeC1hbXotbWV0YS10YWciLCAiIl0s"
                                     "DQoNCiAgICB7IngtYW16LWNyZWRlbnRpYWwiOiAiQUtJQUlPU0ZPRE5ON0VYQU1QTEUvMjAxNTEyMjkvd"
                                     "XMtZWFzdC0xL3MzL2F3czRfcmVxdWVzdCJ9LA0KICAg"
                                     "IHsieC1hbXotYWxnb3JpdGhtIjogIkFXUzQtSE1BQy1TSEEyNTYifSwNCiAgICB7IngtYW16LWRhdGUiO"
                                     "iAiMjAxNTEyMjlUMDAwMDAwWiIgfQ0KICBdDQp9";
        static const struct str sig = { "8afdbf4008c03f22c2cd3cdb72e4afbb1f6a588f3255ac628749a66d7f09699e", 64 };
        static const struct str cred = { KEY "/20151229/us-east-1/s3/aws4_request", sizeof(KEY) - 1 + 35 };
        (void)state;
        struct s3_sig_rules rules = { &region, 1, T2013, find, NULL, NULL };
        struct s3_sig s;
        struct s3_fault f;
        assert_int_equal(s3_sig_verify_form(&rules, STR("AWS4-HMAC-SHA256"), cred, STR("20151229T000000Z"),
                                            str_of(policy), sig, &s, &f),
                         S3_OK);
        assert_true(str_eq(s.access_key, STR(KEY)));
        assert_int_equal(s3_sig_verify_form(&rules, STR("AWS4-HMAC-SHA256"), cred, STR("20151229T000000Z"),
                                            str_skip(str_of(policy), 1), sig, &s, &f),
                         S3_SIGNATURE_DOES_NOT_MATCH);
        assert_int_equal(s3_sig_verify_form(&rules, STR("AWS4-HMAC-SHA256"), cred, STR("20151230T000000Z"),
                                            str_of(policy), sig, &s, &f),
                         S3_INVALID_ARGUMENT);
        assert_int_equal(
                s3_sig_verify_form(&rules, STR("AWS"), cred, STR("20151229T000000Z"), str_of(policy), sig, &s, &f),
                S3_INVALID_REQUEST);
}

/* What we sign ourselves passes, with and without the cache, and no byte of it may change. */
static void test_sign(void **state)
{
        (void)state;
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        struct s3_sig_keys *keys;
        assert_ok(s3_sig_keys_new(&keys));
        struct s3_sig_signer signer = { STR(KEY), STR(SECRET), region, keys };
        struct http_header h[4] = { { STR("Host"), STR("n1:9000") }, { STR("X-Amz-Meta-Two"), STR("a  b") } };
        struct s3_sig_request rq = { STR("PUT"), STR("/b/a%20key"), STR("partNumber=3&uploadId=u%2F"), h, 2 };
        for (unsigned turn = 0; turn < 3; turn++) {
                AUTO_BUF struct buf lines = BUF_INIT;
                struct s3_sig_chain chain;
                assert_ok(s3_sig_authorize(&signer, &rq, STR("STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), T2013, &a, &lines,
                                           &chain));
                struct str rest = buf_str(&lines);
                struct s3_sig_request got = rq;
                struct http_header all[8] = { h[0], h[1] };
                for (got.nheaders = 2; rest.n != 0;) {
                        struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
                        all[got.nheaders++] = (struct http_header){ name, str_trim(value) };
                }
                got.headers = all;
                struct s3_sig_rules rules = { NULL, 0, T2013 + 60, find, NULL, turn == 1 ? NULL : keys };
                struct s3_sig s;
                struct s3_fault f;
                assert_int_equal(s3_sig_verify(&rules, &got, &a, &s, &f), S3_OK);
                assert_string_equal(s.chain.previous, chain.previous);
                all[1].value = STR("a c");
                assert_int_equal(s3_sig_verify(&rules, &got, &a, &s, &f), S3_SIGNATURE_DOES_NOT_MATCH);

                AUTO_BUF struct buf q = BUF_INIT;
                rq.nheaders = 1;
                assert_ok(s3_sig_presign(&signer, &rq, 600, T2013, &a, &q));
                rq.nheaders = 2;
                struct s3_sig_request shared = { rq.method, rq.path, buf_str(&q), h, 1 };
                assert_int_equal(s3_sig_verify(&rules, &shared, &a, &s, &f), S3_OK);
                for (size_t i = 0; i < q.n; i++) {
                        char old = q.p[i];
                        q.p[i] = (char)(old ^ 4);
                        if (s3_sig_verify(&rules, &shared, &a, &s, &f) == S3_OK && s.auth != S3_AUTH_ANONYMOUS &&
                            !(q.p[i - 1] == '%' || q.p[i - 2] == '%'))
                                fail_msg("byte %zu: '%c' instead of '%c' was taken: " STR_FMT, i, q.p[i], old,
                                         STR_ARG(buf_str(&q)));
                        q.p[i] = old;
                }
        }
        s3_sig_keys_free(keys);
}

/* Many secrets, days and regions: what the cache gives is what is derived. */
static void test_keys(void **state)
{
        (void)state;
        struct s3_sig_keys *keys;
        assert_ok(s3_sig_keys_new(&keys));
        for (unsigned i = 0; i < 6000; i++) {
                char secret[32], day[9];
                struct hash_hmac_key k, plain;
                snprintf(secret, sizeof(secret), "secret%u", i % 1500);
                snprintf(day, sizeof(day), "201305%02u", 10 + i % 3);
                s3_sig_key(keys, str_of(secret), (struct str){ day, 8 }, region, &k);
                if (i % 17 != 0)
                        continue;
                s3_sig_key(NULL, str_of(secret), (struct str){ day, 8 }, region, &plain);
                unsigned char x[32], y[32];
                hash_hmac(&k, "m", 1, x);
                hash_hmac(&plain, "m", 1, y);
                assert_memory_equal(x, y, 32);
        }
        s3_sig_keys_free(keys);
}

static void test_when(void **state)
{
        (void)state;
        int64_t t;
        char b[25];
        assert_true(s3_when_basic(STR("20130524T000000Z"), &t) && t == T2013);
        assert_false(s3_when_basic(STR("20130230T000000Z"), &t));
        assert_false(s3_when_basic(STR("20130524T000000"), &t));
        assert_false(s3_when_basic(STR("20130524T240000Z"), &t));
        assert_true(s3_when_iso(STR("2000-02-29"), &t) && t == INT64_C(951782400) * NS_PER_SEC);
        assert_true(s3_when_iso(STR("2013-05-24T02:00:00.250+02:00"), &t) && t == T2013 * NS_PER_SEC + 250 * NS_PER_MS);
        assert_string_equal(s3_when_iso_text(t, b), "2013-05-24T00:00:00.250Z");
        assert_false(s3_when_iso(STR("2001-02-29"), &t));
        assert_false(s3_when_iso(STR("2001-02-28T"), &t));
        assert_true(s3_when_iso(STR("9999-12-31T00:00:00Z"), &t) && t > 0);
        assert_true(s3_when_http(STR("Fri, 24 May 2013 00:00:00 GMT"), &t) && t == T2013);
        assert_true(s3_when_http(STR("Friday, 24-May-13 00:00:00 GMT"), &t) && t == T2013);
        assert_true(s3_when_http(STR("Fri May 24 00:00:00 2013"), &t) && t == T2013);
        assert_false(s3_when_http(STR("Fri, 24 May 2013 00:00:00 CEST"), &t));
        assert_false(s3_when_http(STR(""), &t));
        for (int64_t s = 0; s < INT64_C(4102444800); s += 86400 * 13 + 7919) {
                assert_true(s3_when_basic((struct str){ s3_when_basic_text(s, b), 16 }, &t));
                assert_true(t == s);
        }
}

/* Time of this thread alone: others share the machine. */
static int64_t cpu_ns(void)
{
        struct timespec t;
        assert_int_equal(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t), 0);
        return (int64_t)t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

/* No verdict: the figure that the benchmark page quotes. */
static void test_cost(void **state)
{
        (void)state;
        AUTO_ARENA struct arena a;
        arena_init(&a, 16384, 1 << 20);
        struct s3_sig_keys *keys;
        assert_ok(s3_sig_keys_new(&keys));
        struct http_header h[8];
        const struct request *r = &guide[0];
        struct s3_sig_request rq = { str_of(r->method), str_of(r->path), STR(""), h, 0 };
        for (; r->headers[2 * rq.nheaders] != NULL; rq.nheaders++)
                h[rq.nheaders] = (struct http_header){ str_of(r->headers[2 * rq.nheaders]),
                                                       str_of(r->headers[2 * rq.nheaders + 1]) };
        for (unsigned cached = 0; cached < 2; cached++) {
                struct s3_sig_rules rules = { &region, 1, T2013, find, NULL, cached ? keys : NULL };
                const unsigned turns = 20000;
                int64_t start = cpu_ns();
                for (unsigned i = 0; i < turns; i++) {
                        struct s3_sig s;
                        struct s3_fault f;
                        arena_reset(&a);
                        assert_int_equal(s3_sig_verify(&rules, &rq, &a, &s, &f), S3_OK);
                }
                print_message("verify, signing key %s: %.2f us\n", cached ? "cached" : "derived",
                              (double)(cpu_ns() - start) / turns / 1000);
        }
        s3_sig_keys_free(keys);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_guide),         cmocka_unit_test(test_canonical),
                cmocka_unit_test(test_time),          cmocka_unit_test(test_mutations),
                cmocka_unit_test(test_authorization), cmocka_unit_test(test_presigned),
                cmocka_unit_test(test_chunks),        cmocka_unit_test(test_trailer),
                cmocka_unit_test(test_form),          cmocka_unit_test(test_sign),
                cmocka_unit_test(test_keys),          cmocka_unit_test(test_when),
                cmocka_unit_test(test_cost),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
