/* s3/post_policy.c: the policy of a form against its fields. Each condition must hold, and each field must be named by
 * one, so that who has the form can not add to it. Names of fields and operators know no case; the document's own words
 * do. */
#include "base/json.h"
#include "s3/post.h"
#include "s3/when.h"

#define POLICY_MAX ((size_t)20 * 1024)

struct judging {
        const struct s3_form *form;
        struct str bucket;
        bool named[S3_FORM_FIELDS_MAX], bucket_named;
        struct s3_post_limits limits;
        struct s3_fault *f;
};

static enum s3_code bad(struct judging *j, const char *text)
{
        return s3_fault_set(j->f, S3_INVALID_POLICY_DOCUMENT, "Invalid Policy: %s", text);
}

static enum s3_code denied(struct judging *j, const char *text, struct str name)
{
        return s3_fault_set(j->f, S3_ACCESS_DENIED, "Invalid according to Policy: %s" STR_FMT, text, STR_ARG(name));
}

/* A field's value as the policy sees it; it counts as named. */
static struct str value_of(struct judging *j, struct str name)
{
        if (str_eq_nocase(name, STR("bucket"))) {
                j->bucket_named = true;
                return j->bucket;
        }
        for (unsigned i = 0; i < j->form->nfields; i++) {
                if (str_eq_nocase(j->form->fields[i].name, name)) {
                        j->named[i] = true;
                        return j->form->fields[i].value;
                }
        }
        return STR_NONE;
}

static bool number(const json_t *v, uint64_t *ret)
{
        if (json_is_string(v))
                return str_u64(json_str(v), ret);
        if (!json_is_integer(v) || json_integer_value(v) < 0)
                return false;
        *ret = (uint64_t)json_integer_value(v);
        return true;
}

static enum s3_code judge_list(struct judging *j, const json_t *c)
{
        struct str op = json_str(json_array_get(c, 0)), name = json_str(json_array_get(c, 1)),
                   want = json_str(json_array_get(c, 2));
        if (json_array_size(c) != 3 || op.p == NULL)
                return bad(j, "a condition must be an object or a list of three");
        if (str_eq_nocase(op, STR("content-length-range"))) {
                if (!number(json_array_get(c, 1), &j->limits.min) || !number(json_array_get(c, 2), &j->limits.max))
                        return bad(j, "content-length-range needs two numbers");
                return S3_OK;
        }
        bool starts = str_eq_nocase(op, STR("starts-with"));
        if ((!starts && !str_eq_nocase(op, STR("eq"))) || name.n < 2 || name.p[0] != '$' || want.p == NULL)
                return bad(j, "unknown condition");
        struct str have = value_of(j, str_skip(name, 1));
        bool ok = starts ? str_starts(have, want) : have.p != NULL && str_eq(have, want);
        return ok ? S3_OK : denied(j, "Policy Condition failed: ", name);
}

static enum s3_code judge_condition(struct judging *j, const json_t *c)
{
        const char *name;
        json_t *want;
        if (json_is_array(c))
                return judge_list(j, c);
        if (!json_is_object(c) || json_object_size(c) == 0)
                return bad(j, "a condition must be an object or a list of three");
        json_object_foreach((json_t *)(uintptr_t)c, name, want) {
                if (!json_is_string(want))
                        return bad(j, "a condition's value must be a string");
                struct str have = value_of(j, str_of(name));
                if (have.p == NULL || !str_eq(have, json_str(want)))
                        return denied(j, "Policy Condition failed: $", str_of(name));
        }
        return S3_OK;
}

static bool needs_no_condition(struct str name)
{
        static const char *const names[] = { "x-amz-signature", "policy", "file", "awsaccesskeyid", "signature" };
        for (unsigned i = 0; i < ARRAY_LEN(names); i++)
                if (str_eq_nocase(name, str_of(names[i])))
                        return true;
        return name.n > 9 && str_eq_nocase((struct str){ name.p, 9 }, STR("x-ignore-"));
}

static enum s3_code judge(struct judging *j, const json_t *doc, int64_t now_ns)
{
        const json_t *conditions = json_object_get(doc, "conditions");
        int64_t until;
        if (!s3_when_iso(json_str(json_object_get(doc, "expiration")), &until))
                return bad(j, "expiration is missing or malformed");
        if (!json_is_array(conditions) || json_array_size(conditions) == 0)
                return bad(j, "conditions are missing");
        if (now_ns >= until)
                return denied(j, "Policy expired.", STR_NONE);
        for (size_t i = 0; i < json_array_size(conditions); i++) {
                enum s3_code c = judge_condition(j, json_array_get(conditions, i));
                if (c != S3_OK)
                        return c;
        }
        for (unsigned i = 0; i < j->form->nfields; i++)
                if (!j->named[i] && !needs_no_condition(j->form->fields[i].name))
                        return denied(j, "Extra input fields: ", j->form->fields[i].name);
        return j->bucket_named ? S3_OK : denied(j, "Extra input fields: ", STR("bucket"));
}

enum s3_code s3_post_policy(struct str policy, const struct s3_form *f, struct str bucket, int64_t now_ns,
                            struct s3_post_limits *ret, struct s3_fault *fault)
{
        struct judging j = { .form = f, .bucket = bucket, .limits = { 0, UINT64_MAX }, .f = fault };
        AUTO_JSON json_t *doc = NULL;
        struct err *e = json_parse(policy, POLICY_MAX, &doc);
        if (e != NULL || !json_is_object(doc)) {
                err_free(e);
                return bad(&j, "it is not JSON");
        }
        enum s3_code c = judge(&j, doc, now_ns);
        if (c == S3_OK)
                *ret = j.limits;
        return c;
}
