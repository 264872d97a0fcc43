/* s3/policy.c: evaluating a parsed policy, canned ACLs, and how the two and ownership decide together. Nothing
 * allocates; nothing fails. */
#include "s3/policy_priv.h"

/* Patterns of actions know no case. */
static bool action_fits(struct str pattern, struct str action)
{
        char p[128], a[128];
        if (!str_copy(p, sizeof(p), pattern) || !str_copy(a, sizeof(a), action))
                return false;
        for (char *c = p; *c != '\0'; c++)
                *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
        for (char *c = a; *c != '\0'; c++)
                *c = *c >= 'A' && *c <= 'Z' ? (char)(*c | 0x20) : *c;
        return str_glob(str_of(p), str_of(a));
}

static bool fits_principal(const struct s3__statement *s, const struct s3_ask *q)
{
        bool in = s->everybody;
        for (unsigned i = 0; i < s->users.n && !in; i++)
                in = q->user.p != NULL && str_eq(s->users.items[i], q->user);
        return in != s->not_principal;
}

static bool fits_action(const struct s3__statement *s, const struct s3_ask *q)
{
        bool in = false;
        for (unsigned i = 0; i < s->actions.n && !in; i++)
                in = action_fits(s->actions.items[i], q->action);
        return in != s->not_action;
}

static bool fits_resource(const struct s3__statement *s, const struct s3_ask *q)
{
        char text[13 + 256 + S3_KEY_MAX];
        struct str name = { text, 0 };
        bool in = false;
        ASSERT(q->bucket.n <= 255 && q->key.n <= S3_KEY_MAX);
        memcpy(text, "arn:aws:s3:::", 13);
        if (q->bucket.n != 0)
                memcpy(text + 13, q->bucket.p, q->bucket.n);
        name.n = 13 + q->bucket.n;
        if (q->key.n != 0) {
                text[name.n++] = '/';
                memcpy(text + name.n, q->key.p, q->key.n);
                name.n += q->key.n;
        }
        for (unsigned i = 0; i < s->resources.n && !in; i++)
                in = str_glob(s->resources.items[i], name);
        return in != s->not_resource;
}

static bool fits(const struct s3__statement *s, const struct s3_ask *q)
{
        if (!fits_principal(s, q) || !fits_action(s, q) || !fits_resource(s, q))
                return false;
        for (unsigned i = 0; i < s->nconditions; i++)
                if (!s3__condition_holds(&s->conditions[i], q))
                        return false;
        return true;
}

enum s3_verdict s3_policy_judge(const struct s3_policy *p, const struct s3_ask *q)
{
        enum s3_verdict v = S3_VERDICT_NONE;
        for (unsigned i = 0; p != NULL && i < p->n; i++) {
                if ((v == S3_VERDICT_ALLOW && p->statements[i].allow) || !fits(&p->statements[i], q))
                        continue;
                if (!p->statements[i].allow)
                        return S3_VERDICT_DENY;
                v = S3_VERDICT_ALLOW;
        }
        return v;
}

/* Conditions on these, with values that are no wildcard, keep the world out. */
static bool narrows(const struct s3__condition *c)
{
        if (c->negated || c->if_exists || c->set == SET_ALL)
                return false;
        if (c->key == S3_C_SOURCE_IP && c->kind == KIND_IP) {
                for (unsigned i = 0; i < c->values.n; i++)
                        if (str_ends(c->values.items[i], STR("/0")))
                                return false;
                return true;
        }
        if (c->key != S3_C_USERNAME && c->key != S3_C_USERID)
                return false;
        for (unsigned i = 0; i < c->values.n; i++)
                if (c->kind == KIND_LIKE && str_find(c->values.items[i], '*') >= 0)
                        return false;
        return c->kind == KIND_STRING || c->kind == KIND_LIKE || c->kind == KIND_NOCASE;
}

bool s3_policy_is_public(const struct s3_policy *p)
{
        for (unsigned i = 0; i < p->n; i++) {
                const struct s3__statement *s = &p->statements[i];
                bool open = s->allow && (s->not_principal ? !s->everybody : s->everybody);
                for (unsigned k = 0; k < s->nconditions && open; k++)
                        open = !narrows(&s->conditions[k]);
                if (open)
                        return true;
        }
        return false;
}

bool s3_policy_asks(const struct s3_policy *p, enum s3_condition c)
{
        for (unsigned i = 0; p != NULL && i < p->n; i++)
                for (unsigned k = 0; k < p->statements[i].nconditions; k++)
                        if (p->statements[i].conditions[k].key == c)
                                return true;
        return false;
}

/* ---- ACLs ---- */

static bool reads(enum s3_op op)
{
        return op == S3_OP_HEAD_BUCKET || op == S3_OP_LIST_OBJECTS || op == S3_OP_LIST_OBJECTS_V2 ||
               op == S3_OP_LIST_VERSIONS || op == S3_OP_LIST_UPLOADS || op == S3_OP_GET_OBJECT ||
               op == S3_OP_HEAD_OBJECT || op == S3_OP_GET_ATTRIBUTES;
}

static bool writes(enum s3_op op)
{
        return op == S3_OP_PUT_OBJECT || op == S3_OP_COPY_OBJECT || op == S3_OP_POST_OBJECT ||
               op == S3_OP_DELETE_OBJECT || op == S3_OP_DELETE_OBJECTS || op == S3_OP_CREATE_UPLOAD ||
               op == S3_OP_UPLOAD_PART || op == S3_OP_UPLOAD_PART_COPY || op == S3_OP_COMPLETE_UPLOAD;
}

bool s3_acl_allows(enum s3_acl acl, enum s3_op op, bool authenticated)
{
        switch (acl) {
        case S3_ACL_PUBLIC_READ_WRITE:
                return reads(op) || writes(op);
        case S3_ACL_PUBLIC_READ:
                return reads(op);
        case S3_ACL_AUTHENTICATED_READ:
                return authenticated && reads(op);
        case S3_ACL_PRIVATE:
        case S3_ACL_BUCKET_OWNER_READ:
        case S3_ACL_BUCKET_OWNER_FULL_CONTROL:
        case S3_ACL_COUNT:
                break;
        }
        return false;
}

bool s3_access_allowed(const struct s3_policy *p, const struct s3_ask *q, bool owner, enum s3_acl acl, enum s3_op op)
{
        if (owner && (op == S3_OP_GET_POLICY || op == S3_OP_PUT_POLICY || op == S3_OP_DELETE_POLICY))
                return true;
        switch (s3_policy_judge(p, q)) {
        case S3_VERDICT_DENY:
                return false;
        case S3_VERDICT_ALLOW:
                return true;
        case S3_VERDICT_NONE:
                break;
        }
        return owner || s3_acl_allows(acl, op, q->user.p != NULL);
}
