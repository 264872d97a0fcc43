/* meta/bucket_json.c: a bucket's properties as the wire's document, and back out of our own stored state.
 *
 * Reading back is as strict as an update of a client, but all members may be there: a row that is missing is
 * ERR_MALFORMED unless it may be left out, so that a damaged or foreign document is not taken for defaults. */
#include "meta/bucket_priv.h"

static void json_write_bck(struct json_w *w, const char *key, const struct bck *b)
{
        jw_object(w, key);
        jw_cstr(w, "name", b->name);
        jw_cstr(w, "provider", b->name[0] ? provider_name(b->provider) : "");
        jw_object(w, "namespace");
        jw_cstr(w, "uuid", b->ns_uuid);
        jw_cstr(w, "name", b->ns_name);
        jw_object_end(w);
        jw_object_end(w);
}

static void json_write_plain(struct json_w *w, const char *key, const struct prop *p, const struct bucket_props *b)
{
        const struct option *o = bucket__prop_option(p);
        const void *at = (const char *)b + p->offset;
        int64_t i = 0;
        const char *s = NULL;
        if (p->kind == PROP_TEXT)
                s = at;
        else if (p->kind == PROP_CKSUM)
                s = cksum_type_name(*(const enum cksum_type *)at);
        else
                i = bucket__prop_int(p, b);
        if ((o->flags & F_OMIT) && (s ? !s[0] : i == 0))
                return;
        option__write(o, w, key, i, s);
}

static void json_write_prop(struct json_w *w, const char *key, const struct prop *p, const struct bucket *b)
{
        switch (p->kind) {
        case PROP_BACKEND:
                json_write_bck(w, key, &b->props.backend_bck);
                break;
        case PROP_PROVIDER:
                jw_cstr(w, key, provider_name(b->bck.provider));
                break;
        case PROP_RENAMED:
                jw_cstr(w, key, "");
                break;
        case PROP_BID:
                jw_u64s(w, key, b->bid);
                break;
        case PROP_CREATED:
                jw_i64s(w, key, b->created_ns);
                break;
        case PROP_FAST:
                if (b->props.fast)
                        jw_cstr(w, key, "fast");
                break;
        default:
                json_write_plain(w, key, p, &b->props);
        }
}

void bucket_props_json(struct json_w *w, const char *key, const struct bucket *b)
{
        struct option_nest nest = { .w = w };
        jw_object(w, key);
        for (size_t i = 0; i < bucket__prop_count(); i++) {
                const struct prop *p = bucket__prop(i);
                const char *leaf = option__nest_to(&nest, bucket__prop_option(p)->path);
                json_write_prop(w, leaf, p, b);
        }
        option__nest_end(&nest);
        jw_object_end(w);
}

struct json_bucket {
        struct bucket b;
        uint64_t seen; /* bit per row */
};

static enum option_what json_find(void *arg, struct str path)
{
        (void)arg;
        if (bucket__prop_find(path) >= 0)
                return OPTION_LEAF;
        return bucket__prop_is_section(path) ? OPTION_SECTION : OPTION_UNKNOWN;
}

static struct err *json_set(void *arg, struct str path, const json_t *j)
{
        struct json_bucket *in = arg;
        int i = bucket__prop_find(path);
        ASSERT(i >= 0);
        in->seen |= (uint64_t)1 << i;
        const struct prop *p = bucket__prop((size_t)i);
        int64_t created;
        switch (p->kind) {
        case PROP_PROVIDER:
                if (!str_eq(json_str(j), str_of(provider_name(in->b.bck.provider))))
                        return err_new(ERR_MALFORMED, "bucket of another provider");
                return NULL;
        case PROP_RENAMED:
                return NULL;
        case PROP_BID:
                if (!str_u64(json_str(j), &in->b.bid))
                        return err_new(ERR_MALFORMED, "invalid bucket id");
                return NULL;
        case PROP_CREATED:
                if (!str_i64(json_str(j), &created))
                        return err_new(ERR_MALFORMED, "invalid creation time");
                in->b.created_ns = created;
                return NULL;
        default:
                return bucket__prop_set_json(p, &in->b.props, j);
        }
}

struct err *bucket_from_json(const json_t *j, const struct bck *bck, struct bucket *ret)
{
        struct json_bucket in;
        memset(&in, 0, sizeof(in));
        in.b.bck = in.b.origin = *bck;
        ASSERT(bucket__prop_count() <= 64);
        const struct option_patch walk = { json_find, json_set, &in };
        TRY(option__patch_walk(j, &walk));
        for (size_t i = 0; i < bucket__prop_count(); i++) {
                const struct prop *p = bucket__prop(i);
                const struct option *o = bucket__prop_option(p);
                if (!(in.seen >> i & 1) && !(o->flags & F_OMIT) && p->kind != PROP_FAST)
                        return err_new(ERR_MALFORMED, "bucket properties without %s", o->path);
        }
        *ret = in.b;
        return NULL;
}
