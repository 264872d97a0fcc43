/* Signed requests: a request line and header lines, as a client could send them. Nothing is read beyond its end, and
 * nobody without the key passes. */
#include "s3/sig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool find(void *arg, struct str access_key, struct str *ret_secret, const void **ret_user)
{
        (void)access_key;
        *ret_secret = STR("a secret that no input knows: 6b1f0c");
        *ret_user = arg;
        return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const struct str region = { "us-east-1", 9 };
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        struct str rest = { (const char *)data, n };
        struct str target = str_cut(&rest, '\n'), method = str_cut(&target, ' '), query = target,
                   path = str_cut(&query, '?');
        struct http_header h[HTTP_HEADERS_MAX];
        struct s3_sig_request rq = { method, path, query, h, 0 };
        while (rest.n != 0 && rq.nheaders < HTTP_HEADERS_MAX) {
                struct str value = str_cut(&rest, '\n'), name = str_cut(&value, ':');
                h[rq.nheaders++] = (struct http_header){ name, str_trim(value) };
        }
        struct s3_sig_rules rules = { &region, 1, INT64_C(1369353600), find, NULL, NULL };
        struct s3_sig s;
        struct s3_fault f;
        if (s3_sig_verify(&rules, &rq, &a, &s, &f) == S3_OK)
                ASSERT(s.auth == S3_AUTH_ANONYMOUS || s.auth == S3_AUTH_BEARER);
        return 0;
}
