/* s3/read_bucket.c: the documents about buckets: location, versioning, object lock, encryption, access control,
 * notification. */
#include "s3/read.h"
#include "s3/read_priv.h"

#define NOTIFY_RULES_MAX 100u

enum s3_code s3_read_create_bucket(struct arena *a, struct str text, struct s3_create_bucket *ret, struct s3_fault *f)
{
        static const char *const names[] = { "LocationConstraint", "Tags", NULL };
        const struct xml_node *root, *tags;
        struct s3_create_bucket d = { .location = STR_NONE };
        if (str_trim(text).n == 0) {
                *ret = d;
                return S3_OK;
        }
        enum s3_code c = s3__read_root(a, text, "CreateBucketConfiguration", S3_READ_MAX, &root, f);
        if (c != S3_OK)
                return c;
        /* Location and Bucket are of directory buckets, another kind of store. */
        if (xml_child(root, "Location") != NULL || xml_child(root, "Bucket") != NULL)
                return s3_fault_set(f, S3_NOT_IMPLEMENTED, "Directory buckets are not supported");
        if ((c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        struct str location = str_trim(xml_child_text(root, "LocationConstraint"));
        if (location.n != 0)
                d.location = location;
        if ((tags = xml_child(root, "Tags")) != NULL &&
            (c = s3__read_tags(a, tags, S3_BUCKET_TAGS_MAX, &d.tags, f)) != S3_OK)
                return c;
        *ret = d;
        return S3_OK;
}

enum s3_code s3_read_versioning(struct arena *a, struct str text, enum s3_versioning *ret, struct s3_fault *f)
{
        static const char *const names[] = { "Status", "MfaDelete", NULL };
        const struct xml_node *root;
        enum s3_code c = s3__read_root(a, text, "VersioningConfiguration", S3_READ_MAX, &root, f);
        if (c != S3_OK || (c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        struct str status = str_trim(xml_child_text(root, "Status")), mfa = str_trim(xml_child_text(root, "MfaDelete"));
        if (mfa.n != 0 && !str_eq(mfa, STR("Disabled")))
                return s3_fault_set(f, S3_NOT_IMPLEMENTED, "MFA delete is not supported");
        bool enabled = str_eq(status, STR("Enabled"));
        if (!enabled && !str_eq(status, STR("Suspended")))
                return s3_fault_set(f, S3_ILLEGAL_VERSIONING, "The Versioning element must be specified");
        *ret = enabled ? S3_VERSIONING_ENABLED : S3_VERSIONING_SUSPENDED;
        return S3_OK;
}

/* ---- object lock ---- */

enum s3_code s3_read_object_lock(struct arena *a, struct str text, struct s3_object_lock *ret, struct s3_fault *f)
{
        static const char *const names[] = { "ObjectLockEnabled", "Rule", NULL }, *const inner[] = { "Mode", "Days",
                                                                                                     "Years", NULL };
        const struct xml_node *root, *rule, *d;
        struct s3_object_lock o = { .mode = S3_LOCK_NONE };
        enum s3_code c = s3__read_root(a, text, "ObjectLockConfiguration", S3_READ_MAX, &root, f);
        if (c != S3_OK || (c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        if (!str_eq(str_trim(xml_child_text(root, "ObjectLockEnabled")), STR("Enabled")))
                return s3__read_bad(f, NULL);
        if ((rule = xml_child(root, "Rule")) != NULL) {
                d = xml_child(rule, "DefaultRetention");
                if (d == NULL || rule->count != 1)
                        return s3__read_bad(f, NULL);
                if ((c = s3__read_only(d, inner, f)) != S3_OK)
                        return c;
                bool days = xml_child(d, "Days") != NULL, years = xml_child(d, "Years") != NULL;
                if (!s3_lock_mode_parse(str_trim(xml_child_text(d, "Mode")), &o.mode) || days == years || d->count != 2)
                        return s3__read_bad(f, NULL);
                if (days ? !s3__read_positive(xml_child_text(d, "Days"), &o.days)
                         : !s3__read_positive(xml_child_text(d, "Years"), &o.years))
                        return s3_fault_set(f, S3_INVALID_RETENTION_PERIOD,
                                            "Default retention period must be a positive integer value");
                if (o.days > 36500 || o.years > 100)
                        return s3_fault_set(f, S3_INVALID_RETENTION_PERIOD, "Default retention period too large");
        }
        *ret = o;
        return S3_OK;
}

/* ---- encryption ---- */

enum s3_code s3_read_encryption(struct arena *a, struct str text, struct s3_fault *f)
{
        static const char *const names[] = { "ApplyServerSideEncryptionByDefault", "BucketKeyEnabled", NULL };
        const struct xml_node *root, *by;
        enum s3_code c = s3__read_root(a, text, "ServerSideEncryptionConfiguration", S3_READ_MAX, &root, f);
        if (c != S3_OK)
                return c;
        if (root->count != 1 || !str_eq(root->first->name, STR("Rule")))
                return s3__read_bad(f, NULL);
        if ((c = s3__read_only(root->first, names, f)) != S3_OK)
                return c;
        by = xml_child(root->first, "ApplyServerSideEncryptionByDefault");
        if (by == NULL)
                return s3__read_bad(f, NULL);
        struct str algorithm = str_trim(xml_child_text(by, "SSEAlgorithm"));
        if (str_starts(algorithm, STR("aws:kms")))
                return s3_fault_set(f, S3_NOT_IMPLEMENTED, "Keys of a key management service are not supported");
        if (!str_eq(algorithm, STR("AES256")) || by->count != 1)
                return s3__read_bad(f, NULL);
        return S3_OK;
}

/* ---- access control ---- */

static const char *const acl_names[S3_ACL_COUNT] = {
        [S3_ACL_PRIVATE] = "private",
        [S3_ACL_PUBLIC_READ] = "public-read",
        [S3_ACL_PUBLIC_READ_WRITE] = "public-read-write",
        [S3_ACL_AUTHENTICATED_READ] = "authenticated-read",
        [S3_ACL_BUCKET_OWNER_READ] = "bucket-owner-read",
        [S3_ACL_BUCKET_OWNER_FULL_CONTROL] = "bucket-owner-full-control",
};

bool s3_acl_parse(struct str name, enum s3_acl *ret)
{
        for (unsigned i = 0; i < S3_ACL_COUNT; i++) {
                if (str_eq(name, str_of(acl_names[i]))) {
                        *ret = (enum s3_acl)i;
                        return true;
                }
        }
        return false;
}

const char *s3_acl_name(enum s3_acl acl)
{
        return acl_names[acl];
}

enum { GRANT_OWNER = 1, GRANT_ALL_READ = 2, GRANT_ALL_WRITE = 4, GRANT_AUTH_READ = 8 };

/* One grant as a bit; 0: one that no canned ACL has. */
static unsigned grant_bit(const struct xml_node *n, struct str owner)
{
        const struct xml_node *to = xml_child(n, "Grantee");
        struct str what = str_trim(xml_child_text(n, "Permission"));
        struct str uri = to != NULL ? str_trim(xml_child_text(to, "URI")) : STR_NONE;
        struct str id = to != NULL ? str_trim(xml_child_text(to, "ID")) : STR_NONE;
        if (id.n != 0)
                return str_eq(id, owner) && str_eq(what, STR("FULL_CONTROL")) ? GRANT_OWNER : 0;
        if (str_eq(uri, STR("http://acs.amazonaws.com/groups/global/AllUsers")))
                return str_eq(what, STR("READ")) ? GRANT_ALL_READ : str_eq(what, STR("WRITE")) ? GRANT_ALL_WRITE : 0;
        if (str_eq(uri, STR("http://acs.amazonaws.com/groups/global/AuthenticatedUsers")) && str_eq(what, STR("READ")))
                return GRANT_AUTH_READ;
        return 0;
}

enum s3_code s3_read_acl(struct arena *a, struct str text, struct str owner, enum s3_acl *ret, struct s3_fault *f)
{
        static const char *const names[] = { "Owner", "AccessControlList", NULL }, *const inner[] = { "Grant", NULL };
        const struct xml_node *root, *list;
        unsigned grants = 0;
        enum s3_code c = s3__read_root(a, text, "AccessControlPolicy", S3_READ_MAX, &root, f);
        if (c == S3_MALFORMED_XML || (c == S3_OK && (c = s3__read_only(root, names, f)) != S3_OK))
                return s3_fault_set(f, S3_MALFORMED_ACL, NULL);
        if (c != S3_OK)
                return c;
        if ((list = xml_child(root, "AccessControlList")) == NULL || s3__read_only(list, inner, f) != S3_OK)
                return s3_fault_set(f, S3_MALFORMED_ACL, NULL);
        const struct xml_node *o = xml_child(root, "Owner");
        struct str id = o != NULL ? str_trim(xml_child_text(o, "ID")) : STR_NONE;
        if (id.n != 0 && !str_eq(id, owner))
                return s3_fault_set(f, S3_ACCESS_DENIED, NULL);
        for (const struct xml_node *g = list->first; g != NULL; g = g->next) {
                unsigned bit = grant_bit(g, owner);
                if (bit == 0)
                        return s3_fault_set(
                                f, S3_NOT_IMPLEMENTED,
                                "Grants other than those of canned ACLs are not supported; use a bucket policy");
                grants |= bit;
        }
        switch (grants & ~(unsigned)GRANT_OWNER) {
        case 0:
                *ret = S3_ACL_PRIVATE;
                return S3_OK;
        case GRANT_ALL_READ:
                *ret = S3_ACL_PUBLIC_READ;
                return S3_OK;
        case GRANT_ALL_READ | GRANT_ALL_WRITE:
                *ret = S3_ACL_PUBLIC_READ_WRITE;
                return S3_OK;
        case GRANT_AUTH_READ:
                *ret = S3_ACL_AUTHENTICATED_READ;
                return S3_OK;
        default:
                return s3_fault_set(f, S3_NOT_IMPLEMENTED,
                                    "Grants other than those of canned ACLs are not supported; use a bucket policy");
        }
}

/* ---- notification ---- */

static enum s3_code read_filter(const struct xml_node *n, struct s3_notify_rule *r, struct s3_fault *f)
{
        const struct xml_node *filter = xml_child(n, "Filter"),
                              *key = filter != NULL ? xml_child(filter, "S3Key") : NULL;
        if (filter == NULL)
                return S3_OK;
        for (const struct xml_node *x = key != NULL ? key->first : NULL; x != NULL; x = x->next) {
                struct str name = str_trim(xml_child_text(x, "Name")), value = xml_child_text(x, "Value");
                struct str *to = str_eq_nocase(name, STR("prefix"))   ? &r->prefix
                                 : str_eq_nocase(name, STR("suffix")) ? &r->suffix
                                                                      : NULL;
                if (!str_eq(x->name, STR("FilterRule")) || to == NULL || to->p != NULL || value.p == NULL ||
                    value.n > 1024)
                        return s3_fault_set(f, S3_INVALID_ARGUMENT,
                                            "filter rule name must be either prefix or suffix, each at most once");
                *to = value;
        }
        return S3_OK;
}

static bool event_known(struct str e)
{
        static const char *const events[] = {
                "s3:ObjectCreated:*",
                "s3:ObjectCreated:Put",
                "s3:ObjectCreated:Post",
                "s3:ObjectCreated:Copy",
                "s3:ObjectCreated:CompleteMultipartUpload",
                "s3:ObjectRemoved:*",
                "s3:ObjectRemoved:Delete",
                "s3:ObjectRemoved:DeleteMarkerCreated",
                "s3:ObjectTagging:*",
                "s3:ObjectTagging:Put",
                "s3:ObjectTagging:Delete",
                "s3:LifecycleExpiration:*",
                "s3:LifecycleExpiration:Delete",
                "s3:LifecycleExpiration:DeleteMarkerCreated",
                "s3:ObjectAcl:Put",
        };
        for (unsigned i = 0; i < ARRAY_LEN(events); i++)
                if (str_eq(e, str_of(events[i])))
                        return true;
        return false;
}

static enum s3_code read_notify_rule(struct arena *a, const struct xml_node *n, struct s3_notify_rule *r,
                                     struct s3_fault *f)
{
        static const char *const names[] = { "Id", "Event", "Filter", "Topic", "Queue", "CloudFunction", NULL };
        static const char *const kinds[] = { "Topic", "Queue", "CloudFunction" };
        enum s3_code c = s3__read_only(n, names, f);
        if (c != S3_OK)
                return c;
        *r = (struct s3_notify_rule){ .id = str_trim(xml_child_text(n, "Id")) };
        r->kind = str_starts(n->name, STR("Topic"))   ? S3_NOTIFY_TOPIC
                  : str_starts(n->name, STR("Queue")) ? S3_NOTIFY_QUEUE
                                                      : S3_NOTIFY_FUNCTION;
        r->destination = str_trim(xml_child_text(n, kinds[r->kind]));
        r->events = arena_alloc(a, n->count * sizeof(*r->events));
        if (r->events == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        for (const struct xml_node *e = xml_child(n, "Event"); e != NULL; e = xml_same(e)) {
                r->events[r->nevents] = str_trim(e->text);
                if (!event_known(r->events[r->nevents++]))
                        return s3_fault_set(f, S3_INVALID_ARGUMENT, "The event is not supported for notifications");
        }
        if (r->nevents == 0 || r->destination.n == 0)
                return s3__read_bad(f, NULL);
        return read_filter(n, r, f);
}

enum s3_code s3_read_notification(struct arena *a, struct str text, struct s3_notify *ret, struct s3_fault *f)
{
        static const char *const names[] = { "TopicConfiguration", "QueueConfiguration", "CloudFunctionConfiguration",
                                             NULL };
        const struct xml_node *root;
        struct s3_notify d = { .n = 0 };
        enum s3_code c = s3__read_root(a, text, "NotificationConfiguration", S3_READ_MAX, &root, f);
        if (c != S3_OK)
                return c;
        if (xml_child(root, "EventBridgeConfiguration") != NULL)
                return s3_fault_set(f, S3_NOT_IMPLEMENTED, "Event buses are not supported");
        if ((c = s3__read_only(root, names, f)) != S3_OK)
                return c;
        if (root->count > NOTIFY_RULES_MAX)
                return s3_fault_set(f, S3_INVALID_ARGUMENT, "At most %u notification configurations are possible",
                                    NOTIFY_RULES_MAX);
        d.rules = arena_alloc(a, root->count * sizeof(*d.rules));
        if (d.rules == NULL)
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        for (const struct xml_node *n = root->first; n != NULL; n = n->next)
                if ((c = read_notify_rule(a, n, &d.rules[d.n++], f)) != S3_OK)
                        return c;
        *ret = d;
        return S3_OK;
}

bool s3_notify_matches(const struct s3_notify_rule *r, struct str event, struct str key)
{
        if ((r->prefix.p != NULL && !str_starts(key, r->prefix)) || (r->suffix.p != NULL && !str_ends(key, r->suffix)))
                return false;
        for (unsigned i = 0; i < r->nevents; i++) {
                struct str e = r->events[i];
                if (str_eq(e, event) || (str_ends(e, STR(":*")) && str_starts(event, (struct str){ e.p, e.n - 1 })))
                        return true;
        }
        return false;
}
