/* meta/bucket_table.c: the table of bucket properties: one row per leaf of the wire's document, and how a row is
 * stored. Nothing fails but bucket__prop_set_json: ERR_MALFORMED, ERR_INVALID, ERR_INVALID_NAME, ERR_INVALID_PROVIDER,
 * ERR_UNKNOWN_FIELD. */
#include "meta/bucket_priv.h"

#include <stdio.h>

#define AT(member) offsetof(struct bucket_props, member), sizeof(((struct bucket_props *)0)->member)
#define NO_OPTION { NULL, CONFIG_BOOL, NULL, 0, 0, NULL, 0 }
/* INHERITED: path, type, range and default are those of the configuration's option. */
#define INHERITED(kind, member, o) { kind, AT(member), CONFIG_O_##o, NO_OPTION }
#define OWN(path, type, kind, member, min, max, flags)                                                                 \
        {                                                                                                              \
                kind, AT(member), -1,                                                                                  \
                {                                                                                                      \
                        path, CONFIG_##type, "", min, max, NULL, flags                                                 \
                }                                                                                                      \
        }
#define SINGLE(path, kind, flags) { kind, 0, 0, -1, { path, CONFIG_STR, "", 0, 0, NULL, flags } }
#define RATE(side, SIDE)                                                                                               \
        INHERITED(PROP_TEXT, rate_limit.side.per_op_max_tokens, RATE_LIMIT_##SIDE##_PER_OP_MAX_TOKENS),                \
                INHERITED(PROP_I64, rate_limit.side.interval_ns, RATE_LIMIT_##SIDE##_INTERVAL),                        \
                INHERITED(PROP_I64, rate_limit.side.max_tokens, RATE_LIMIT_##SIDE##_MAX_TOKENS),                       \
                INHERITED(PROP_BOOL, rate_limit.side.enabled, RATE_LIMIT_##SIDE##_ENABLED)

static const struct prop props[] = {
        SINGLE("backend_bck", PROP_BACKEND, 0),
        INHERITED(PROP_TEXT, write_policy_data, WRITE_POLICY_DATA),
        INHERITED(PROP_TEXT, write_policy_md, WRITE_POLICY_MD),
        SINGLE("provider", PROP_PROVIDER, F_OWN),
        SINGLE("Renamed", PROP_RENAMED, F_OWN),
        INHERITED(PROP_CKSUM, checksum.type, CHECKSUM_TYPE),
        INHERITED(PROP_BOOL, checksum.validate_cold_get, CHECKSUM_VALIDATE_COLD_GET),
        INHERITED(PROP_BOOL, checksum.validate_warm_get, CHECKSUM_VALIDATE_WARM_GET),
        INHERITED(PROP_BOOL, checksum.validate_obj_move, CHECKSUM_VALIDATE_OBJ_MOVE),
        INHERITED(PROP_BOOL, checksum.enable_read_range, CHECKSUM_ENABLE_READ_RANGE),
        OWN("extra.aws.cloud_region", STR, PROP_TEXT, extra.aws_region, 0, 0, F_OMIT),
        OWN("extra.aws.endpoint", STR, PROP_TEXT, extra.aws_endpoint, 0, 0, F_OMIT),
        OWN("extra.aws.profile", STR, PROP_TEXT, extra.aws_profile, 0, 0, F_OMIT),
        OWN("extra.aws.max_pagesize", INT, PROP_I64, extra.aws_max_pagesize, 0, 10000, F_OMIT),
        OWN("extra.aws.multipart_size", SIZE, PROP_U64, extra.aws_multipart_size, MIB(5), GIB(5), F_OMIT | F_OFF),
        OWN("extra.gcp.application_creds", STR, PROP_TEXT, extra.gcp_creds, 0, 0, F_OMIT),
        OWN("extra.oci.region", STR, PROP_TEXT, extra.oci_region, 0, 0, F_OMIT),
        OWN("extra.custom", STR, PROP_TEXT, extra.custom, 0, 0, F_OMIT),
        RATE(backend, BACKEND),
        INHERITED(PROP_I64, rate_limit.backend.num_retries, RATE_LIMIT_BACKEND_NUM_RETRIES),
        RATE(frontend, FRONTEND),
        INHERITED(PROP_I64, rate_limit.frontend.burst_size, RATE_LIMIT_FRONTEND_BURST_SIZE),
        INHERITED(PROP_TEXT, ec.compression, EC_COMPRESSION),
        INHERITED(PROP_I64, ec.bundle_multiplier, EC_BUNDLE_MULTIPLIER),
        INHERITED(PROP_I64, ec.burst_buffer, EC_BURST_BUFFER),
        INHERITED(PROP_I64, ec.objsize_limit, EC_OBJSIZE_LIMIT),
        INHERITED(PROP_I64, ec.data_slices, EC_DATA_SLICES),
        INHERITED(PROP_I64, ec.parity_slices, EC_PARITY_SLICES),
        INHERITED(PROP_BOOL, ec.enabled, EC_ENABLED),
        INHERITED(PROP_BOOL, ec.disk_only, EC_DISK_ONLY),
        INHERITED(PROP_U64, chunks.objsize_limit, CHUNKS_OBJSIZE_LIMIT),
        INHERITED(PROP_U64, chunks.max_monolithic_size, CHUNKS_MAX_MONOLITHIC_SIZE),
        INHERITED(PROP_U64, chunks.chunk_size, CHUNKS_CHUNK_SIZE),
        INHERITED(PROP_I64, chunks.checkpoint_every, CHUNKS_CHECKPOINT_EVERY),
        INHERITED(PROP_U64, chunks.flags, CHUNKS_FLAGS),
        /* One copy is how clients switch mirroring off, so the range is wider than the configuration's. */
        { PROP_I64, AT(mirror.copies), CONFIG_O_MIRROR_COPIES, { "mirror.copies", CONFIG_INT, "2", 1, 32, NULL, F_Z } },
        INHERITED(PROP_I64, mirror.burst_buffer, MIRROR_BURST_BUFFER),
        INHERITED(PROP_BOOL, mirror.enabled, MIRROR_ENABLED),
        INHERITED(PROP_I64, lru.dont_evict_time_ns, LRU_DONT_EVICT_TIME),
        INHERITED(PROP_I64, lru.capacity_upd_time_ns, LRU_CAPACITY_UPD_TIME),
        INHERITED(PROP_I64, lru.batch_size, LRU_BATCH_SIZE),
        INHERITED(PROP_BOOL, lru.enabled, LRU_ENABLED),
        OWN("access", U64S, PROP_U64, access, 0, 0, 0),
        { PROP_U64, AT(features), CONFIG_O_FEATURES, NO_OPTION },
        SINGLE("bid", PROP_BID, F_OWN),
        SINGLE("created", PROP_CREATED, F_OWN),
        INHERITED(PROP_BOOL, versioning.enabled, VERSIONING_ENABLED),
        INHERITED(PROP_BOOL, versioning.validate_warm_get, VERSIONING_VALIDATE_WARM_GET),
        INHERITED(PROP_BOOL, versioning.synchronize, VERSIONING_SYNCHRONIZE),
        SINGLE("durability", PROP_FAST, 0),
};

const struct prop *bucket__prop(size_t i)
{
        ASSERT(i < ARRAY_LEN(props));
        return &props[i];
}

size_t bucket__prop_count(void)
{
        return ARRAY_LEN(props);
}

const struct option *bucket__prop_option(const struct prop *p)
{
        return p->own.path ? &p->own : option__config((enum config_option)p->inherits);
}

int bucket__prop_find(struct str path)
{
        for (size_t i = 0; i < ARRAY_LEN(props); i++)
                if (str_eq_nocase(path, str_of(bucket__prop_option(&props[i])->path)))
                        return (int)i;
        return -1;
}

bool bucket__prop_is_section(struct str path)
{
        for (size_t i = 0; i < ARRAY_LEN(props); i++) {
                struct str p = str_of(bucket__prop_option(&props[i])->path);
                if (p.n > path.n && p.p[path.n] == '.' && str_starts(p, path))
                        return true;
        }
        return false;
}

static void *prop_at(const struct prop *p, struct bucket_props *b)
{
        return (char *)b + p->offset;
}

int64_t bucket__prop_int(const struct prop *p, const struct bucket_props *b)
{
        const void *at = (const char *)b + p->offset;
        if (p->kind == PROP_BOOL)
                return *(const bool *)at;
        ASSERT(p->kind == PROP_I64 || p->kind == PROP_U64);
        return *(const int64_t *)at; /* the same bits for both */
}

static struct err *prop_put(const struct prop *p, struct bucket_props *b, const struct option *o,
                            const struct option_value *v)
{
        switch (p->kind) {
        case PROP_BOOL:
                *(bool *)prop_at(p, b) = v->i;
                return NULL;
        case PROP_I64:
        case PROP_U64:
                *(int64_t *)prop_at(p, b) = v->i;
                return NULL;
        case PROP_TEXT:
                if (strlen(v->s) >= p->size)
                        return err_new(ERR_INVALID, "invalid %s: too long (%zu > %zu)", o->path, strlen(v->s),
                                       p->size - 1);
                str_copy(prop_at(p, b), p->size, str_of(v->s));
                return NULL;
        default:
                ASSERT(p->kind == PROP_CKSUM && cksum_type_parse(str_of(v->s), prop_at(p, b)));
                return NULL;
        }
}

struct prop_backend {
        struct str name, provider;
        const json_t *ns;
        bool has_name, has_provider;
};
struct prop_ns {
        struct str uuid, name;
};

/* {"name","provider","namespace"}; an absent member stays, an empty name and provider take the back end away. */
static struct err *prop_set_backend(struct bck *b, const json_t *j)
{
        static const struct json_field fields[] = {
                JSON_FIELD_SEEN(struct prop_backend, "name", JSON_F_STR, name, has_name),
                JSON_FIELD_SEEN(struct prop_backend, "provider", JSON_F_STR, provider, has_provider),
                JSON_FIELD(struct prop_backend, "namespace", JSON_F_OBJECT, ns),
        };
        static const struct json_field ns_fields[] = {
                JSON_FIELD(struct prop_ns, "uuid", JSON_F_STR, uuid),
                JSON_FIELD(struct prop_ns, "name", JSON_F_STR, name),
        };
        struct prop_backend in = { 0 };
        struct prop_ns ns = { STR_NONE, STR_NONE };
        char text[2 * NS_NAME_MAX + 2];
        TRY(json_decode(j, fields, ARRAY_LEN(fields), true, "backend_bck", &in));
        TRY(json_decode(in.ns, ns_fields, ARRAY_LEN(ns_fields), true, "backend_bck.namespace", &ns));
        struct bck now = *b;
        if (in.has_provider && in.provider.n)
                TRY(provider_parse(in.provider, &now.provider));
        if (in.has_name) {
                if (in.name.n)
                        TRY(bck_name_check(in.name));
                str_copy(now.name, sizeof(now.name), in.name);
        }
        if (in.ns) {
                snprintf(text, sizeof(text), "@" STR_FMT "#" STR_FMT, STR_ARG(ns.uuid), STR_ARG(ns.name));
                TRY(namespace_parse(str_of(text), now.ns_uuid, now.ns_name));
        }
        if (in.has_name && in.name.n == 0)
                now = (struct bck){ 0 };
        *b = now;
        return NULL;
}

struct err *bucket__prop_set_json(const struct prop *p, struct bucket_props *b, const json_t *j)
{
        if (p->kind == PROP_BACKEND)
                return prop_set_backend(&b->backend_bck, j);
        if (p->kind == PROP_FAST) {
                struct str s = json_str(j);
                if (!str_eq(s, STR("fast")) && !str_eq(s, STR("durable")))
                        return err_new(ERR_INVALID,
                                       "invalid durability \"" STR_FMT "\" (expecting one of: durable|fast)",
                                       STR_ARG(s));
                b->fast = str_eq(s, STR("fast"));
                return NULL;
        }
        ASSERT(p->kind < PROP_BACKEND);
        const struct option *o = bucket__prop_option(p);
        AUTO_OPTION_VALUE struct option_value v = { 0 };
        TRY(option__from_json(o, j, &v));
        return prop_put(p, b, o, &v);
}
