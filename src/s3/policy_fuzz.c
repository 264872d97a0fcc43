/* Policies: any text, judged for a request whose every condition has the same odd value. */
#include "s3/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool value(void *arg, enum s3_condition c, struct str tag, unsigned i, struct str *ret)
{
        (void)c;
        (void)tag;
        *ret = *(struct str *)arg;
        return i < 2;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
        AUTO_ARENA struct arena a;
        arena_init(&a, 4096, 1 << 20);
        struct str text = { (const char *)data, n }, odd = str_cut(&text, '\n');
        const struct s3_policy *p;
        struct s3_fault f;
        if (s3_policy_parse(&a, text, &p, &f) != S3_OK)
                return 0;
        struct s3_ask q = { STR("ann"), STR("s3:GetObject"), STR("b"), STR("k"), 0, value, &odd };
        enum s3_verdict v = s3_policy_judge(p, &q);
        ASSERT(v != S3_VERDICT_DENY || !s3_access_allowed(p, &q, true, S3_ACL_PUBLIC_READ, S3_OP_GET_OBJECT));
        (void)s3_policy_is_public(p);
        return 0;
}
