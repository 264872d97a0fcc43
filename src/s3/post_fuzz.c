/* Forms: the first byte chooses the steps; the second part of the input, behind a line of its own, is the policy. */
#include "s3/post.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct bytes {
        struct str rest;
        size_t step;
};

static struct err *give(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct bytes *s = arg;
        n = MIN(MIN(n, s->step), s->rest.n);
        if (n != 0)
                memcpy(p, s->rest.p, n);
        s->rest = str_skip(s->rest, n);
        *ret_n = n;
        return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        static struct s3_form form;
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        if (n < 1)
                return 0;
        struct str all = { (const char *)data + 1, n - 1 }, policy = STR_NONE;
        ptrdiff_t at = str_find_str(all, STR("\n====\n"));
        if (at >= 0) {
                policy = str_skip(all, (size_t)at + 6);
                all.n = (size_t)at;
        }
        struct bytes s = { all, 1u + data[0] };
        struct s3_fault f;
        struct err *e;
        if (s3_form_begin(&form, &a, STR("multipart/form-data; boundary=X"), give, &s, &f, &e) != S3_OK)
                return 0;
        struct s3_post_limits l;
        (void)s3_form_key(&form);
        if (s3_post_policy(policy, &form, STR("b"), 0, &l, &f) == S3_OK) {
                form.min = l.min;
                form.max = l.max;
        }
        for (uint64_t total = 0;;) {
                char p[64];
                size_t k;
                e = s3_form_read(&form, p, sizeof(p), &k);
                if (e != NULL) {
                        err_free(e);
                        return 0;
                }
                total += k;
                ASSERT(total <= form.max && total <= n);
                if (k == 0)
                        return 0;
        }
}
