/* s3/policy_parse.c: a policy's text into statements. The JSON tree is walked once and copied into the arena; whatever
 * the walk does not know is refused. */
#include "base/json.h"
#include "s3/policy_priv.h"

struct parsing {
        struct arena *a;
        struct s3_fault *f;
};

static enum s3_code bad(struct parsing *p, const char *text)
{
        return s3_fault_set(p->f, S3_MALFORMED_POLICY, "%s", text);
}

static enum s3_code short_of_memory(struct parsing *p)
{
        return s3_fault_set(p->f, S3_SLOW_DOWN, NULL);
}

/* A string or a list of strings; values of conditions may be booleans and numbers too. */
static enum s3_code read_list(struct parsing *p, const json_t *j, bool scalars, struct s3__list *ret)
{
        size_t n = json_is_array(j) ? json_array_size(j) : 1;
        struct s3__list l = { .items = arena_alloc(p->a, n * sizeof(*l.items)) };
        if (l.items == NULL)
                return short_of_memory(p);
        for (size_t i = 0; i < n; i++) {
                const json_t *one = json_is_array(j) ? json_array_get(j, i) : j;
                struct str s;
                if (json_is_string(one))
                        s = str_arena(p->a, json_str(one));
                else if (scalars && json_is_boolean(one))
                        s = json_is_true(one) ? STR("true") : STR("false");
                else if (scalars && json_is_integer(one))
                        s = str_printf(p->a, "%lld", (long long)json_integer_value(one));
                else
                        return bad(p, "a value must be a string or a list of strings");
                if (s.p == NULL)
                        return short_of_memory(p);
                if (str_find_str(s, STR("${")) >= 0)
                        return s3_fault_set(p->f, S3_NOT_IMPLEMENTED, "Policy variables are not supported");
                l.items[l.n++] = s;
        }
        if (l.n == 0)
                return bad(p, "a list must not be empty");
        *ret = l;
        return S3_OK;
}

/* ---- principals ---- */

/* The user that a principal names; p null if it is none of the forms that we know. */
static struct str user_of(struct str s)
{
        if (!str_starts(s, STR("arn:")))
                return s;
        struct str rest = s;
        (void)str_cut(&rest, ':');
        (void)str_cut(&rest, ':');
        struct str service = str_cut(&rest, ':');
        (void)str_cut(&rest, ':');
        struct str account = str_cut(&rest, ':');
        if (!str_eq(service, STR("iam")))
                return STR_NONE;
        if (str_starts(rest, STR("user/")) && rest.n > 5)
                return str_skip(rest, 5);
        return str_eq(rest, STR("root")) && account.n != 0 ? account : STR_NONE;
}

static enum s3_code read_principal(struct parsing *p, const json_t *j, struct s3__statement *s)
{
        const char *kind;
        json_t *value;
        if (json_is_string(j)) {
                s->everybody = str_eq(json_str(j), STR("*"));
                return s->everybody ? S3_OK : bad(p, "Invalid principal in policy");
        }
        if (!json_is_object(j) || json_object_size(j) == 0)
                return bad(p, "Invalid principal in policy");
        unsigned max = 0;
        json_object_foreach((json_t *)(uintptr_t)j, kind, value)
                max += (unsigned)(json_is_array(value) ? json_array_size(value) : 1);
        s->users.items = arena_alloc(p->a, max * sizeof(*s->users.items));
        if (s->users.items == NULL)
                return short_of_memory(p);
        json_object_foreach((json_t *)(uintptr_t)j, kind, value) {
                struct s3__list l;
                if (strcmp(kind, "AWS") != 0 && strcmp(kind, "CanonicalUser") != 0)
                        return bad(p, "Invalid principal in policy");
                enum s3_code c = read_list(p, value, false, &l);
                if (c != S3_OK)
                        return c;
                for (unsigned i = 0; i < l.n; i++) {
                        struct str user = user_of(l.items[i]);
                        if (str_eq(user, STR("*")))
                                s->everybody = true;
                        else if (user.n == 0 || str_find(user, '*') >= 0)
                                return bad(p, "Invalid principal in policy");
                        else
                                s->users.items[s->users.n++] = user;
                }
        }
        return S3_OK;
}

/* ---- actions and resources ---- */

static enum s3_code read_actions(struct parsing *p, const json_t *j, struct s3__statement *s)
{
        enum s3_code c = read_list(p, j, false, &s->actions);
        for (unsigned i = 0; c == S3_OK && i < s->actions.n; i++) {
                struct str a = s->actions.items[i];
                if (!str_eq(a, STR("*")) && !(a.n > 3 && str_eq_nocase((struct str){ a.p, 3 }, STR("s3:"))))
                        return bad(p, "Policy has invalid action");
        }
        return c;
}

static enum s3_code read_resources(struct parsing *p, const json_t *j, struct s3__statement *s)
{
        enum s3_code c = read_list(p, j, false, &s->resources);
        for (unsigned i = 0; c == S3_OK && i < s->resources.n; i++)
                if (!str_eq(s->resources.items[i], STR("*")) &&
                    !str_starts(s->resources.items[i], STR("arn:aws:s3:::")))
                        return bad(p, "Policy has invalid resource");
        return c;
}

/* ---- conditions ---- */

static bool find_key(struct str name, struct s3__condition *ret)
{
        static const struct str keys[S3_C_COUNT] = {
#define X(name, key) [S3_C_##name] = { key, sizeof(key) - 1 },
                S3_CONDITIONS(X)
#undef X
        };
        for (unsigned i = 0; i < S3_C_COUNT; i++) {
                struct str k = keys[i];
                bool tag = k.p[k.n - 1] == '/';
                if (tag ? name.n > k.n && str_eq_nocase((struct str){ name.p, k.n }, k) : str_eq_nocase(name, k)) {
                        ret->key = (enum s3_condition)i;
                        ret->tag = tag ? str_skip(name, k.n) : STR_NONE;
                        return true;
                }
        }
        return false;
}

static enum s3_code read_condition(struct parsing *p, struct s3__condition *c, const char *key, const json_t *values)
{
        if (!find_key(str_of(key), c))
                return bad(p, "Policy has an invalid condition key");
        if (c->tag.p != NULL && (c->tag = str_arena(p->a, c->tag)).p == NULL)
                return short_of_memory(p);
        enum s3_code code = read_list(p, values, true, &c->values);
        for (unsigned i = 0; code == S3_OK && i < c->values.n; i++)
                if (!s3__operator_takes(c, c->values.items[i]))
                        return bad(p, "Policy has an invalid condition value");
        return code;
}

static enum s3_code read_conditions(struct parsing *p, const json_t *j, struct s3__statement *s)
{
        const char *op, *key;
        json_t *keys, *values;
        unsigned max = 0;
        if (!json_is_object(j))
                return bad(p, "Condition must be an object");
        json_object_foreach((json_t *)(uintptr_t)j, op, keys)
                max += (unsigned)json_object_size(keys);
        s->conditions = arena_alloc(p->a, max * sizeof(*s->conditions));
        if (s->conditions == NULL)
                return short_of_memory(p);
        json_object_foreach((json_t *)(uintptr_t)j, op, keys) {
                struct s3__condition c = { .kind = KIND_STRING };
                if (!json_is_object(keys) || !s3__operator_parse(str_of(op), &c))
                        return bad(p, "Policy has an invalid condition operator");
                json_object_foreach(keys, key, values) {
                        enum s3_code code = read_condition(p, &c, key, values);
                        if (code != S3_OK)
                                return code;
                        s->conditions[s->nconditions++] = c;
                }
        }
        return S3_OK;
}

/* ---- statements ---- */

static enum s3_code read_element(struct parsing *p, const char *name, const json_t *j, struct s3__statement *s,
                                 unsigned *seen)
{
        static const char *const names[] = { "Sid",       "Effect",   "Principal",   "NotPrincipal", "Action",
                                             "NotAction", "Resource", "NotResource", "Condition" };
        static const unsigned parts[] = { 1, 2, 4, 4, 8, 8, 16, 16, 32 };
        unsigned i = 0;
        while (i < ARRAY_LEN(names) && strcmp(names[i], name) != 0)
                i++;
        if (i == ARRAY_LEN(names))
                return bad(p, "Policy has an unknown element");
        if ((*seen & parts[i]) != 0)
                return bad(p, "Policy has an element and its opposite");
        *seen |= parts[i];
        switch (i) {
        case 0:
                return json_is_string(j) ? S3_OK : bad(p, "Sid must be a string");
        case 1:
                s->allow = str_eq(json_str(j), STR("Allow"));
                return s->allow || str_eq(json_str(j), STR("Deny")) ? S3_OK : bad(p, "Invalid effect");
        case 2:
        case 3:
                s->not_principal = i == 3;
                return read_principal(p, j, s);
        case 4:
        case 5:
                s->not_action = i == 5;
                return read_actions(p, j, s);
        case 6:
        case 7:
                s->not_resource = i == 7;
                return read_resources(p, j, s);
        default:
                return read_conditions(p, j, s);
        }
}

static enum s3_code read_statement(struct parsing *p, const json_t *j, struct s3__statement *s)
{
        const char *name;
        json_t *value;
        unsigned seen = 0;
        *s = (struct s3__statement){ .allow = false };
        if (!json_is_object(j))
                return bad(p, "Statement must be an object");
        json_object_foreach((json_t *)(uintptr_t)j, name, value) {
                enum s3_code c = read_element(p, name, value, s, &seen);
                if (c != S3_OK)
                        return c;
        }
        return (seen & 30) == 30 ? S3_OK
                                 : bad(p, "Missing required field: Effect, Principal, Action and Resource are needed");
}

static enum s3_code read_policy(struct parsing *p, const json_t *j, struct s3_policy *ret)
{
        const char *name;
        json_t *value;
        if (!json_is_object(j))
                return bad(p, "Policies must be valid JSON and the first byte must be '{'");
        json_object_foreach((json_t *)(uintptr_t)j, name, value) {
                if (strcmp(name, "Version") == 0) {
                        if (!str_eq(json_str(value), STR("2012-10-17")) && !str_eq(json_str(value), STR("2008-10-17")))
                                return bad(p, "The policy must contain a valid version string");
                } else if (strcmp(name, "Id") == 0) {
                        if (!json_is_string(value))
                                return bad(p, "Id must be a string");
                } else if (strcmp(name, "Statement") != 0) {
                        return bad(p, "Policy has an unknown element");
                }
        }
        const json_t *list = json_object_get(j, "Statement");
        size_t n = json_is_array(list) ? json_array_size(list) : list != NULL;
        if (n == 0)
                return bad(p, "Missing required field Statement");
        ret->statements = arena_alloc(p->a, n * sizeof(*ret->statements));
        if (ret->statements == NULL)
                return short_of_memory(p);
        for (; ret->n < n; ret->n++) {
                enum s3_code c = read_statement(p, json_is_array(list) ? json_array_get(list, ret->n) : list,
                                                &ret->statements[ret->n]);
                if (c != S3_OK)
                        return c;
        }
        return S3_OK;
}

enum s3_code s3_policy_parse(struct arena *a, struct str text, const struct s3_policy **ret, struct s3_fault *f)
{
        struct parsing p = { a, f };
        AUTO_JSON json_t *j = NULL;
        struct err *e = json_parse(text, S3_POLICY_MAX, &j);
        if (e != NULL) {
                err_free(e);
                return text.n > S3_POLICY_MAX ? bad(&p, "Policy exceeds the maximum allowed size")
                                              : bad(&p, "Policies must be valid JSON");
        }
        struct s3_policy *policy = arena_new(a, struct s3_policy);
        if (policy == NULL)
                return short_of_memory(&p);
        enum s3_code c = read_policy(&p, j, policy);
        if (c == S3_OK)
                *ret = policy;
        return c;
}
