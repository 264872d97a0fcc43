/* client/uri.c: texts that name buckets and objects. The rules of names are meta's; this file knows the schemes and where the parts are. */
#include <stdio.h>

#include "client/priv.h"
#include "meta/name.h"

static const struct {
        struct str scheme, provider;
} schemes[] = {
        { { "ais", 3 }, { "ais", 3 } },   { { "s3", 2 }, { "aws", 3 } },  { { "aws", 3 }, { "aws", 3 } },
        { { "gs", 2 }, { "gcp", 3 } },    { { "gcp", 3 }, { "gcp", 3 } }, { { "az", 2 }, { "azure", 5 } },
        { { "azure", 5 }, { "azure", 5 } }, { { "oc", 2 }, { "oci", 3 } }, { { "oci", 3 }, { "oci", 3 } },
};

/* The provider of "scheme://", cut off *s; "ais" without a scheme; STR_NONE for an unknown one. */
static struct str cut_scheme(struct str *s)
{
        ptrdiff_t at = str_find_str(*s, STR("://"));
        if (at < 0 || str_find((struct str){ s->p, (size_t)at }, '/') >= 0)
                return STR("ais");
        struct str scheme = { s->p, (size_t)at };
        *s = str_skip(*s, (size_t)at + 3);
        for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
                if (str_eq(scheme, schemes[i].scheme))
                        return schemes[i].provider;
        return STR_NONE;
}

bool orlop_uri_has_scheme(const char *text)
{
        struct str s = str_of(text), rest = s;
        return cut_scheme(&rest).p && rest.p != s.p;
}

enum orlop_code orlop_uri_parse(const char *uri, struct orlop_bucket *ret_bucket, char ret_object[static ORLOP_OBJECT_MAX + 1],
                                struct orlop_error *ret_error)
{
        struct str rest = str_of(uri);
        struct str provider = cut_scheme(&rest);
        if (!provider.p)
                return client__error(ret_error, ORLOP_INVALID, "\"%s\": unknown scheme, expected ais://, s3://, gs://, az:// or oc://", uri);
        struct str ns = STR_NONE;
        if (rest.n && (rest.p[0] == '@' || rest.p[0] == '#'))
                ns = str_cut(&rest, '/');
        struct str name = str_cut(&rest, '/');
        struct bck b = { .name = "" };
        if (name.n || ns.n || rest.n) {
                struct err *e = bck_make(name, provider, ns, &b);
                if (e)
                        return client__error_of(ret_error, err_wrap(e, "\"%s\"", uri));
        }
        if (rest.n > ORLOP_OBJECT_MAX)
                return client__error(ret_error, ORLOP_INVALID, "object name of %zu bytes, at most %d are possible", rest.n, ORLOP_OBJECT_MAX);
        *ret_bucket = (struct orlop_bucket){ 0 };
        str_copy(ret_bucket->name, sizeof(ret_bucket->name), name);
        str_copy(ret_bucket->provider, sizeof(ret_bucket->provider), provider);
        str_copy(ret_bucket->namespace_, sizeof(ret_bucket->namespace_), ns);
        str_copy(ret_object, ORLOP_OBJECT_MAX + 1, rest);
        return ORLOP_OK;
}

const char *orlop_uri_text(const struct orlop_bucket *b, const char *object, char *buf, size_t size)
{
        const char *scheme = b->provider;
        for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
                if (str_eq(schemes[i].provider, str_of(b->provider))) {
                        scheme = schemes[i].scheme.p;
                        break;
                }
        }
        snprintf(buf, size, "%s://%s%s%s%s%s", scheme, b->namespace_, b->namespace_[0] ? "/" : "", b->name, object ? "/" : "",
                 object ? object : "");
        return buf;
}
