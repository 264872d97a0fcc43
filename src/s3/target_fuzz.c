/* Request targets: method, target, host and header lines. Whatever comes is an operation of the table with what it
 * needs, or refused. */
#include "s3/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static const struct str domain = { "s3.example.org", 14 };
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        if (n < 1)
                return 0;
        struct http_head h = { .method = (enum http_method)(data[0] % (HTTP_OTHER + 1)) };
        struct str rest = { (const char *)data + 1, n - 1 };
        h.query = str_cut(&rest, '\n');
        h.path = str_cut(&h.query, '?');
        h.host = str_cut(&rest, '\n');
        while (rest.n != 0 && h.nheaders < HTTP_HEADERS_MAX) {
                struct str v = str_cut(&rest, '\n'), name = str_cut(&v, ':');
                h.headers[h.nheaders++] = (struct http_header){ name, str_trim(v) };
        }
        struct s3_target_rules rules = { STR_NONE, &domain, 1 };
        struct s3_target t;
        struct s3_fault f;
        if (s3_target_parse(&rules, &h, &a, &t, &f) == S3_OK) {
                ASSERT(t.op != S3_OP_NONE && t.key.n <= S3_KEY_MAX && (t.level == S3_OBJECT) == (t.key.n != 0));
                ASSERT(t.op != S3_OP_UPLOAD_PART || (t.part_number >= 1 && t.params[S3_P_UPLOAD_ID].p != NULL));
        }
        struct str b, k, v;
        (void)s3_copy_source_parse(&a, h.path, &b, &k, &v);
        return 0;
}
