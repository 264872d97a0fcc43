/* meta/name.c: the grammar of names. Each check walks the bytes once; messages are those that clients know from the
 * wire. Fails with ERR_INVALID_NAME or ERR_INVALID_PROVIDER only. */
#include "meta/name.h"

#include <stdio.h>

static const struct {
        const char *name, *scheme;
} providers[PROVIDER_COUNT] = {
        [PROVIDER_AIS] = { "ais", "ais" },  [PROVIDER_AWS] = { "aws", "s3" }, [PROVIDER_GCP] = { "gcp", "gs" },
        [PROVIDER_AZURE] = { "azure", "az" }, [PROVIDER_OCI] = { "oci", "oc" },
};

static const char *const system_buckets[] = { ".sys-inventory", ".sys-shardidx" };

#define NAME_CHARS "may only contain letters, numbers, dashes (-), underscores (_)"

const char *provider_name(enum provider p)
{
        ASSERT(p < PROVIDER_COUNT);
        return providers[p].name;
}

const char *provider_scheme(enum provider p)
{
        ASSERT(p < PROVIDER_COUNT);
        return providers[p].scheme;
}

struct err *provider_parse(struct str s, enum provider *ret)
{
        if (s.n == 0) {
                *ret = PROVIDER_AIS;
                return NULL;
        }
        for (unsigned p = 0; p < PROVIDER_COUNT; p++) {
                if (str_eq(s, str_of(providers[p].name)) || str_eq(s, str_of(providers[p].scheme))) {
                        *ret = (enum provider)p;
                        return NULL;
                }
        }
        return err_new(ERR_INVALID_PROVIDER,
                       "invalid backend provider \"" STR_FMT
                       "\": must be one of [ais, aws (s3), gcp (gs), azure (az), oci (oc)]",
                       STR_ARG(s));
}

static bool name_is_alnum(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* Letters, digits, '-', '_', and '.' but not "..". `what` begins the message. */
static struct err *name_check_chars(struct str s, size_t max, const char *what)
{
        if (s.n > max)
                return err_new(ERR_INVALID_NAME, "%s is too long: %zu > %zu(max length)", what, s.n, max);
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                if (name_is_alnum(c) || c == '-' || c == '_')
                        continue;
                bool twice = i + 1 < s.n && s.p[i + 1] == '.';
                if (c != '.' || twice)
                        return err_new(ERR_INVALID_NAME, "%s is invalid: " NAME_CHARS ", and dots (.)", what);
        }
        return NULL;
}

bool id_check(struct str id)
{
        if (id.n == 0 || id.n > NS_UUID_MAX)
                return false;
        for (size_t i = 0; i < id.n; i++) {
                char c = id.p[i];
                bool edge = i == 0 || i == id.n - 1;
                if (!name_is_alnum(c) && (edge || (c != '-' && c != '_')))
                        return false;
        }
        return true;
}

static bool name_is_system(struct str name)
{
        for (size_t i = 0; i < ARRAY_LEN(system_buckets); i++)
                if (str_eq(name, str_of(system_buckets[i])))
                        return true;
        return false;
}

struct err *bck_name_check(struct str name)
{
        if (name.n == 0)
                return err_new(ERR_INVALID_NAME, "bucket name is missing");
        if (name.p[0] == '.' && !name_is_system(name) && name.n <= BUCKET_NAME_MAX)
                return err_new(ERR_INVALID_NAME, "reserved bucket name \"" STR_FMT "\" (unknown system bucket)",
                               STR_ARG(name));
        return name_check_chars(name, BUCKET_NAME_MAX, "bucket name");
}

bool bck_is_system(const struct bck *b)
{
        return name_is_system(str_of(b->name));
}

bool bck_is_remote(const struct bck *b)
{
        return b->provider != PROVIDER_AIS || b->ns_uuid[0];
}

struct err *namespace_parse(struct str s, char ret_uuid[static NS_UUID_MAX + 1], char ret_name[static NS_NAME_MAX + 1])
{
        struct str name = s;
        if (name.n && name.p[0] == '@')
                name = str_skip(name, 1);
        struct str uuid = str_cut(&name, '#');
        TRY(name_check_chars(name, NS_NAME_MAX, "namespace"));
        if (uuid.n && !id_check(uuid))
                return err_new(ERR_INVALID_NAME,
                               "bucket namespace (uuid: \"" STR_FMT "\", name: \"" STR_FMT
                               "\") must be less than 32 characters and " NAME_CHARS,
                               STR_ARG(uuid), STR_ARG(name));
        str_copy(ret_uuid, NS_UUID_MAX + 1, uuid);
        str_copy(ret_name, NS_NAME_MAX + 1, name);
        return NULL;
}

struct err *bck_make(struct str name, struct str provider, struct str ns, struct bck *ret)
{
        struct bck b = { 0 };
        TRY(bck_name_check(name));
        TRY(provider_parse(provider, &b.provider));
        TRY(namespace_parse(ns, b.ns_uuid, b.ns_name));
        str_copy(b.name, sizeof(b.name), name);
        *ret = b;
        return NULL;
}

bool bck_eq(const struct bck *a, const struct bck *b)
{
        return a->provider == b->provider && strcmp(a->name, b->name) == 0 && strcmp(a->ns_uuid, b->ns_uuid) == 0 &&
               strcmp(a->ns_name, b->ns_name) == 0;
}

int bck_cmp(const struct bck *a, const struct bck *b)
{
        int d = strcmp(provider_name(a->provider), provider_name(b->provider));
        if (d == 0)
                d = strcmp(a->ns_uuid, b->ns_uuid);
        if (d == 0)
                d = strcmp(a->ns_name, b->ns_name);
        return d ? d : strcmp(a->name, b->name);
}

const char *bck_text(const struct bck *b, char buf[static 192])
{
        bool uuid = b->ns_uuid[0], ns = b->ns_name[0];
        snprintf(buf, 192, "%s://%s%s%s%s%s%s", provider_scheme(b->provider), uuid ? "@" : "", b->ns_uuid,
                 ns ? "#" : "", b->ns_name, uuid || ns ? "/" : "", b->name);
        return buf;
}

const char *bck_ns_text(const struct bck *b, char buf[static 104])
{
        snprintf(buf, 104, "@%s#%s", b->ns_uuid, b->ns_name);
        return buf;
}

const char *bck_uname(const struct bck *b, char buf[static 192])
{
        snprintf(buf, 192, "%s/@%s#%s/%s/", provider_name(b->provider), b->ns_uuid, b->ns_name, b->name);
        return buf;
}

struct err *uname_parse(struct str s, struct bck *ret, struct str *ret_object)
{
        struct str rest = s;
        struct str provider = str_cut(&rest, '/'), ns = str_cut(&rest, '/'), name = str_cut(&rest, '/');
        struct bck b;
        if (provider.n == 0 || ns.n == 0 || name.n == 0)
                return err_new(ERR_INVALID_NAME,
                               "invalid unique name \"" STR_FMT
                               "\" (expecting \"provider/@uuid#namespace/bucket/...\")",
                               STR_ARG(s));
        TRY_WRAP(bck_make(name, provider, ns, &b), "unique name \"" STR_FMT "\"", STR_ARG(s));
        if (rest.n && !ret_object)
                return err_new(ERR_INVALID_NAME,
                               "invalid unique name \"" STR_FMT "\": expecting a bucket, not an object", STR_ARG(s));
        if (rest.n)
                TRY(object_name_check(rest));
        *ret = b;
        if (ret_object)
                *ret_object = rest;
        return NULL;
}

/* The element rules that object names and prefixes share: no "." or "..", no leading "~/", no control bytes. */
static bool path_is_valid(struct str s)
{
        if (str_starts(s, STR("~/")))
                return false;
        for (size_t i = 0; i < s.n; i++)
                if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
                        return false;
        for (struct str rest = s; rest.n;) {
                struct str element = str_cut(&rest, '/');
                if (str_eq(element, STR(".")) || str_eq(element, STR("..")))
                        return false;
        }
        return true;
}

struct err *object_name_check(struct str name)
{
        if (name.n > OBJECT_NAME_MAX)
                return err_new(ERR_INVALID_NAME, "object name is too long: %zu > %d(max length)", name.n,
                               OBJECT_NAME_MAX);
        if (name.n == 0 || name.p[name.n - 1] == '/' || !path_is_valid(name))
                return err_new(ERR_INVALID_NAME, "invalid object name \"" STR_FMT "\"", STR_ARG(name));
        return NULL;
}

struct err *object_prefix_check(struct str *prefix)
{
        struct str s = *prefix;
        if (s.n && s.p[s.n - 1] == '*')
                s.n--;
        if (s.n > OBJECT_NAME_MAX)
                return err_new(ERR_INVALID_NAME, "prefix is too long: %zu > %d(max length)", s.n, OBJECT_NAME_MAX);
        if (!path_is_valid(s))
                return err_new(ERR_INVALID_NAME, "invalid prefix \"" STR_FMT "\"", STR_ARG(s));
        *prefix = s;
        return NULL;
}
