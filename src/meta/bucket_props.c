/* meta/bucket_props.c: defaults of new buckets, and partial updates.
 *
 * An update is decoded into a copy, checked as a whole against the old properties, and only then takes their place.
 * Fails with ERR_UNKNOWN_FIELD, ERR_MALFORMED, ERR_INVALID, ERR_NOT_ENOUGH_TARGETS, ERR_INVALID_NAME,
 * ERR_INVALID_PROVIDER. */
#include "meta/bucket_priv.h"

static void props_inherit(const struct config *c, const struct prop *p, struct bucket_props *b)
{
        enum config_option o = (enum config_option)p->inherits;
        void *at = (char *)b + p->offset;
        switch (p->kind) {
        case PROP_BOOL:
                *(bool *)at = config_bool_at(c, o);
                break;
        case PROP_I64:
        case PROP_U64:
                *(int64_t *)at = config_int_at(c, o);
                break;
        case PROP_TEXT:
                str_copy(at, p->size, str_of(config_str_at(c, o)));
                break;
        default:
                ASSERT(p->kind == PROP_CKSUM && cksum_type_parse(str_of(config_str_at(c, o)), at));
        }
}

void bucket_props_default(const struct config *c, enum provider p, struct bucket_props *ret)
{
        struct bucket_props b;
        memset(&b, 0, sizeof(b)); /* padding too: properties are compared as bytes */
        for (size_t i = 0; i < bucket__prop_count(); i++)
                if (bucket__prop(i)->inherits >= 0)
                        props_inherit(c, bucket__prop(i), &b);
        b.access = UINT64_MAX;
        b.features &= BUCKET_FEATURES;
        if (p == PROVIDER_AIS)
                b.lru.enabled = false; /* nowhere to fetch an evicted object from */
        else
                b.versioning.enabled = false; /* the back end decides */
        memcpy(ret, &b, sizeof(b));
}

struct props_patch {
        struct bucket_props props;
        bool force;
};

static enum option_what props_patch_find(void *arg, struct str path)
{
        (void)arg;
        int i = bucket__prop_find(path);
        if (i >= 0)
                return bucket__prop_option(bucket__prop((size_t)i))->flags & F_OWN ? OPTION_UNKNOWN : OPTION_LEAF;
        if (str_eq(path, STR("force")))
                return OPTION_LEAF;
        return bucket__prop_is_section(path) ? OPTION_SECTION : OPTION_UNKNOWN;
}

static struct err *props_patch_set(void *arg, struct str path, const json_t *j)
{
        struct props_patch *p = arg;
        int i = bucket__prop_find(path);
        if (i >= 0)
                return bucket__prop_set_json(bucket__prop((size_t)i), &p->props, j);
        if (!json_is_boolean(j))
                return err_new(ERR_MALFORMED, "force: wrong type, expecting true or false");
        p->force = json_is_true(j);
        return NULL;
}

/* Whether two property sets differ, row by row: texts may have different bytes behind their end. */
static bool props_differ(const struct bucket_props *a, const struct bucket_props *b)
{
        for (size_t i = 0; i < bucket__prop_count(); i++) {
                const struct prop *p = bucket__prop(i);
                const char *x = (const char *)a + p->offset, *y = (const char *)b + p->offset;
                if (p->kind < PROP_BACKEND && (p->kind == PROP_TEXT ? strcmp(x, y) : memcmp(x, y, p->size)) != 0)
                        return true;
        }
        return a->fast != b->fast || !bck_eq(&a->backend_bck, &b->backend_bck);
}

struct err *bucket_props_update(struct bucket_props *props, const json_t *patch, unsigned targets, unsigned mountpaths,
                                bool *ret_changed)
{
        struct props_patch p = { .props = *props };
        const struct option_patch walk = { props_patch_find, props_patch_set, &p };
        TRY(option__patch_walk(patch, &walk));
        TRY(bucket__props_check(props, &p.props, p.force, targets, mountpaths));
        if (ret_changed)
                *ret_changed = props_differ(props, &p.props);
        *props = p.props;
        return NULL;
}
