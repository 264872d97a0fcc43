/* cluster/state_v1.c: state.json as it was written before there were documents: read once, at the first start of a later
 * program. Strict; MALFORMED, NO_MEMORY. */
#include "cluster/priv.h"

struct bucket_doc {
        struct str name, provider, ns;
        const json_t *props;
};

static struct err *bucket_decode(const json_t *j, struct state *s)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct bucket_doc, "name", JSON_F_STR, name),
                JSON_FIELD(struct bucket_doc, "provider", JSON_F_STR, provider),
                JSON_FIELD(struct bucket_doc, "namespace", JSON_F_STR, ns),
                JSON_FIELD(struct bucket_doc, "props", JSON_F_OBJECT, props),
        };
        struct bucket_doc d = { .props = NULL };
        struct bck bck;
        struct bucket b;
        char text[192];
        bool found;
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "bucket", &d));
        TRY(bck_make(d.name, d.provider, d.ns, &bck));
        TRY_WRAP(bucket_from_json(d.props, &bck, &b), "bucket %s", bck_text(&bck, text));
        cluster__state_bucket_find(s, &bck, &found);
        if (found || (b.bid & ~BID_AIS) >= s->next_bid || (b.bid & ~BID_AIS) == 0)
                return err_new(ERR_MALFORMED, "bucket %s is there twice or has an id that was never given",
                               bck_text(&bck, text));
        return cluster__state_bucket_insert(s, cluster__state_bucket_new(&b));
}

struct state_doc {
        struct str cluster;
        uint64_t smap_version, bmd_version, config_version, next_bid;
        const json_t *urls, *mountpaths, *config, *buckets;
};
struct urls_doc {
        struct str url[CLUSTER_NETS];
};

static struct err *state_decode_parts(const struct state_doc *d, struct state *s)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct urls_doc, "public", JSON_F_STR, url[CLUSTER_NET_PUBLIC]),
                JSON_FIELD(struct urls_doc, "data", JSON_F_STR, url[CLUSTER_NET_DATA]),
                JSON_FIELD(struct urls_doc, "control", JSON_F_STR, url[CLUSTER_NET_CONTROL]),
        };
        struct urls_doc urls = { 0 }; /* not used any more: the member's document has them */
        TRY(json_decode(d->urls, fields, ARRAY_LEN(fields), true, "urls", &urls));
        TRY(cluster__mountpaths_decode(d->mountpaths, s));
        s->config = cluster__state_config_new(config_new());
        if (!s->config)
                return err_static(ERR_NO_MEMORY);
        s->in_force = cluster__state_config_ref(s->config);
        TRY_WRAP(config_load_private(s->config->c, d->config), "config");
        for (size_t i = 0; i < json_array_size(d->buckets); i++)
                TRY(bucket_decode(json_array_get(d->buckets, i), s));
        return NULL;
}

struct err *cluster__state_decode_v1(const json_t *j, const char *uuid, struct state *ret)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct state_doc, "cluster", JSON_F_STR, cluster),
                JSON_FIELD(struct state_doc, "smap_version", JSON_F_U64S, smap_version),
                JSON_FIELD(struct state_doc, "bmd_version", JSON_F_U64S, bmd_version),
                JSON_FIELD(struct state_doc, "config_version", JSON_F_U64S, config_version),
                JSON_FIELD(struct state_doc, "next_bid", JSON_F_U64S, next_bid),
                JSON_FIELD(struct state_doc, "urls", JSON_F_OBJECT, urls),
                JSON_FIELD(struct state_doc, "mountpaths", JSON_F_ARRAY, mountpaths),
                JSON_FIELD(struct state_doc, "config", JSON_F_OBJECT, config),
                JSON_FIELD(struct state_doc, "buckets", JSON_F_ARRAY, buckets),
        };
        struct state_doc d = { .next_bid = 0 };
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "state", &d));
        if (!d.urls || !d.mountpaths || !d.config || !d.buckets || d.next_bid == 0)
                return err_new(ERR_MALFORMED, "a part is missing");
        if (uuid && !str_eq(d.cluster, str_of(uuid)))
                return err_new(ERR_MALFORMED, "it belongs to cluster " STR_FMT ", not %s", STR_ARG(d.cluster), uuid);
        struct state s = { .smap_version = d.smap_version,
                           .bmd_version = d.bmd_version,
                           .config_version = d.config_version,
                           .next_bid = d.next_bid };
        struct err *e = state_decode_parts(&d, &s);
        if (e) {
                cluster__state_fini(&s);
                return e;
        }
        *ret = s;
        return NULL;
}
