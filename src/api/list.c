/* api/list.c: listing buckets and objects: GET /v1/buckets[/B] with {"action":"list"}.
 *
 * An object page is encoded as it is listed (flow_list: from all targets), straight into one buffer: no tree, no memory
 * per entry. A page that grows beyond PAGE_BYTES_MAX ends there with a token, so that memory is bounded whatever page
 * size a client asks for; clients go on at the token in any case. In msgpack the number of entries goes in front of
 * them: room for it is left, and filled in at the end. */
#include "api/buckets.h"

#include <stdio.h>

#include "base/msgpack.h"
#include "os/clock.h"
#include "os/random.h"

#define PAGE_BYTES_MAX (16u << 20)
#define PAGE_DEFAULT 10000 /* wire */
#define TIME_FORMAT_MAX 64 /* applied to each entry */
#define UUID_LEN 10

/* ---- buckets ---- */

/* What a list of buckets is asked for. */
struct wanted {
        bool all_providers, any_namespace, any_remote, system;
        enum provider provider;
        char uuid[NS_UUID_MAX + 1], name[NS_NAME_MAX + 1]; /* of the namespace */
};

static bool is_wanted(const struct api_req *r, const struct wanted *w, const struct bck *b)
{
        if (!w->all_providers && b->provider != w->provider)
                return false;
        if (w->any_remote && !b->ns_uuid[0])
                return false;
        if (!w->any_namespace && (strcmp(b->ns_uuid, w->uuid) != 0 || strcmp(b->ns_name, w->name) != 0))
                return false;
        if (r->env.name.n)
                return str_eq(r->env.name, str_of(b->name));
        return w->system || !bck_is_system(b);
}

static struct err *decode_wanted(struct api_req *r, struct wanted *w)
{
        struct str provider = api_param(r, "provider"), space = api_param(r, "namespace"),
                   presence = api_param(r, "presence");
        bool here = str_eq(presence, STR("2")) ||
                    str_eq(presence, STR("3")); /* only what the cluster has: nobody else needs to be asked */

        *w = (struct wanted){ .all_providers = provider.n == 0 };
        w->any_remote = str_eq(space, STR("@@#")); /* wire: whatever remote cluster, any namespace of it */
        w->any_namespace = space.n == 0 || str_eq(space, STR("@")) || w->any_remote;
        TRY(api_param_bool(r, "sys", &w->system));
        if (provider.n)
                TRY(provider_parse(provider, &w->provider));
        if (w->provider != PROVIDER_AIS && !here)
                return err_new(ERR_MISSING_BACKEND, "%s backend is missing in the cluster configuration",
                               provider_name(w->provider));
        if (!w->any_namespace)
                TRY(namespace_parse(space, w->uuid, w->name));
        if (w->uuid[0] && !here)
                return err_new(ERR_NOT_FOUND, "remote cluster \"%s\" does not exist", w->uuid);
        return NULL;
}

static struct err *list_buckets(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct wanted wanted;
        unsigned n = 0;
        struct json_w w;

        TRY(decode_wanted(r, &wanted));
        api__json(r, &w, &b);
        jw_array(&w, NULL);
        for (size_t i = 0; i < r->snap->bucket_count; i++) /* sorted as the wire wants it */
                if (is_wanted(r, &wanted, &r->snap->buckets[i]->bck)) {
                        api__view_bck(&w, NULL, &r->snap->buckets[i]->bck);
                        n++;
                }
        jw_array_end(&w);
        if (n == 0 && r->env.name.n) { /* wire: a name that does not exist is null, not an empty list */
                buf_clear(&b);
                buf_adds(&b, STR("null"));
        }
        return api_reply_json(r, &b);
}

/* ---- objects: the request ---- */

enum list_flags {
        LIST_CACHED = 1,
        LIST_MISSING = 2,
        LIST_DELETED = 4,
        LIST_ARCHIVE = 8,
        LIST_NAME_ONLY = 16,
        LIST_NAME_SIZE = 32,
        LIST_NOT_CACHED = 512,
        LIST_NO_RECURSION = 2048,
        LIST_DIFF = 4096,
        LIST_INVENTORY = 32768
        /* wire: 8192, "no directories", has no effect: with LIST_NO_RECURSION they are listed, else never */
};
enum entry_flags { ENTRY_CACHED = 64, ENTRY_DIR = 256, ENTRY_CHUNKED = 8192 };

struct list_msg {
        struct str uuid, props, time_format, prefix, start_after, token, target;
        uint64_t flags;
        int64_t page_size;
        json_t *hdr;
        const char *target_id; /* of `target`; null: all */
};
/* Which members entries get. */
struct want {
        bool size, checksum, atime, version, location, custom, copies;
};
/* One page being made. */
struct page {
        struct buf b;
        bool msgpack;
        struct json_w w;
        struct want want;
        struct str time_format;
        struct api_req *r;
        struct buf scratch;
        size_t count;
};

static bool has(struct str csv, const char *word)
{
        return str_find_str(csv, str_of(word)) >= 0; /* wire: matched as a substring */
}

static void choose_props(const struct list_msg *m, struct want *w)
{
        struct str p = m->props;

        *w = (struct want){ .size = true };
        if (m->flags & LIST_NAME_ONLY || str_eq(p, STR("name"))) {
                w->size = false;
        } else if (p.n == 0) {
                w->checksum = w->atime = (m->flags & LIST_CACHED) != 0;
        } else if (!(m->flags & LIST_NAME_SIZE)) {
                *w = (struct want){ has(p, "size"),     has(p, "checksum"), has(p, "atime"), has(p, "version"),
                                    has(p, "location"), has(p, "custom"),   has(p, "copies") };
        }
}

static struct err *decode(struct api_req *r, struct list_msg *m)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct list_msg, "uuid", JSON_F_STR, uuid),
                JSON_FIELD(struct list_msg, "props", JSON_F_STR, props),
                JSON_FIELD(struct list_msg, "time_format", JSON_F_STR, time_format),
                JSON_FIELD(struct list_msg, "prefix", JSON_F_STR, prefix),
                JSON_FIELD(struct list_msg, "start_after", JSON_F_STR, start_after),
                JSON_FIELD(struct list_msg, "continuation_token", JSON_F_STR, token),
                JSON_FIELD(struct list_msg, "target", JSON_F_STR, target),
                JSON_FIELD(struct list_msg, "flags", JSON_F_U64S, flags),
                JSON_FIELD(struct list_msg, "pagesize", JSON_F_INT, page_size),
                JSON_FIELD(struct list_msg, "hdr", JSON_F_OBJECT, hdr),
        };
        *m = (struct list_msg){ .uuid = STR_NONE };
        return api_value(r, fields, ARRAY_LEN(fields), "list", m);
}

static struct err *check(struct api_req *r, struct list_msg *m)
{
        const uint64_t not_with_inventory = LIST_MISSING | LIST_DELETED | LIST_ARCHIVE | LIST_NOT_CACHED | LIST_DIFF;
        const struct cluster_node *target;
        char text[192];

        if (m->page_size < 0)
                return err_new(ERR_INVALID, "invalid pagesize %ld", (long)m->page_size);
        if (m->time_format.n > TIME_FORMAT_MAX)
                return err_new(ERR_INVALID, "time format of %zu bytes (at most %d)", m->time_format.n, TIME_FORMAT_MAX);
        if (m->uuid.n && (m->uuid.n < 9 || !id_check(m->uuid)))
                return err_new(ERR_INVALID, "list-objects: invalid UUID \"" STR_FMT "\"", STR_ARG(m->uuid));
        TRY(object_prefix_check(&m->prefix));
        if (m->target.n) {
                target = snapshot_node(r->snap, m->target);
                if (!target || !target->target)
                        return err_new(ERR_NODE_NOT_FOUND, "node " STR_FMT " not present in Smap v%lu",
                                       STR_ARG(m->target), (unsigned long)r->snap->smap_version);
                m->target_id = target->id;
        }
        if (m->flags & LIST_INVENTORY) {
                if (m->flags & not_with_inventory || m->start_after.n)
                        return err_new(ERR_INVALID, "listing by inventory: incompatible flags or start_after");
                return err_new(ERR_NOT_FOUND, "%s: inventory does not exist", bck_text(&r->bck, text));
        }
        if (m->flags & LIST_NOT_CACHED)
                return err_new(ERR_INVALID, "%s is not a remote bucket - cannot list 'not cached' objects",
                               bck_text(&r->bck, text));
        if (m->flags & LIST_DIFF)
                return err_new(ERR_INVALID,
                               "cannot perform remote versions check (or diff vs remote bucket): bucket %s does not "
                               "provide remote versioning info",
                               bck_text(&r->bck, text));
        if (m->flags & LIST_ARCHIVE)
                return err_new(ERR_NOT_IMPLEMENTED, "listing the contents of archives is not implemented");
        return NULL;
}

/* ---- objects: entries ---- */

static void custom_text(struct page *p, struct str custom)
{
        struct str key, value;
        const char *sep = "";

        buf_addc(&p->scratch, '[');
        while (store_custom_next(&custom, &key, &value)) {
                if (store_custom_is_content(key))
                        continue;
                buf_printf(&p->scratch, "%s" STR_FMT ":" STR_FMT, sep, STR_ARG(key), STR_ARG(value));
                sep = " ";
        }
        buf_addc(&p->scratch, ']');
}

/* The text members of an entry, in the wire's order; key is the JSON name or the msgpack one. */
static void add_text(struct page *p, const char *json_key, const char *msgpack_key, struct str v)
{
        if (p->msgpack) {
                mp_str(&p->b, str_of(msgpack_key));
                mp_str(&p->b, v);
                return;
        }
        buf_printf(&p->b, ",\"%s\":", json_key);
        json_quote(&p->b, v);
}

static void add_scratch(struct page *p, const char *json_key, const char *msgpack_key)
{
        add_text(p, json_key, msgpack_key, buf_str(&p->scratch));
        buf_clear(&p->scratch);
}

static uint32_t rich_members(const struct page *p, const struct obj_meta *m)
{
        const struct want *w = &p->want;

        return (uint32_t)((w->checksum && m->cksum.n) + (w->atime && m->atime_ns) + (w->version && m->version) +
                          w->location + (w->custom && m->custom.n) + w->copies);
}

static void add_rich(struct page *p, const struct flow_list_entry *e)
{
        const struct obj_meta *m = e->meta;
        const struct want *w = &p->want;

        if (w->checksum && m->cksum.n)
                add_text(p, "checksum", "cs", m->cksum);
        if (w->atime && m->atime_ns) {
                api__time_layout(&p->scratch, p->time_format, m->atime_ns);
                add_scratch(p, "atime", "a");
        }
        if (w->version && m->version) {
                buf_addu(&p->scratch, m->version);
                add_scratch(p, "version", "v");
        }
        if (w->location) {
                buf_printf(&p->scratch, "t[%s]:mp[" STR_FMT ", " STR_FMT "]", e->target, STR_ARG(e->mountpath),
                           STR_ARG(e->disk));
                add_scratch(p, "location", "t");
        }
        if (w->custom && m->custom.n) {
                custom_text(p, m->custom);
                add_scratch(p, "custom-md", "m");
        }
}

static void add_msgpack(struct page *p, const struct flow_list_entry *e, unsigned flags)
{
        const struct obj_meta *m = e->meta;
        bool size = m && p->want.size && m->size > 0;

        mp_map(&p->b, 2 + (uint32_t)size + (m ? rich_members(p, m) : 0));
        mp_str(&p->b, STR("n"));
        mp_str(&p->b, e->name);
        if (size) {
                mp_str(&p->b, STR("s"));
                mp_uint(&p->b, m->size);
        }
        if (m) {
                add_rich(p, e);
                if (p->want.copies) {
                        mp_str(&p->b, STR("c"));
                        mp_uint(&p->b, m->copies);
                }
        }
        mp_str(&p->b, STR("f"));
        mp_uint(&p->b, flags);
}

static void add_json(struct page *p, const struct flow_list_entry *e, unsigned flags)
{
        const struct obj_meta *m = e->meta;

        buf_adds(&p->b, p->count ? STR(",{\"name\":") : STR("{\"name\":"));
        json_quote(&p->b, e->name);
        if (m) {
                add_rich(p, e);
                if (p->want.size && m->size > 0) {
                        buf_adds(&p->b, STR(",\"size\":\""));
                        buf_addu(&p->b, m->size);
                        buf_addc(&p->b, '"');
                }
                if (p->want.copies) {
                        buf_adds(&p->b, STR(",\"copies\":"));
                        buf_addu(&p->b, m->copies);
                }
        }
        buf_adds(&p->b, STR(",\"flags\":"));
        buf_addu(&p->b, flags);
        buf_addc(&p->b, '}');
}

static void visit(void *arg, const struct flow_list_entry *e)
{
        struct page *p = arg;
        unsigned flags = e->dir ? ENTRY_DIR : ENTRY_CACHED | (e->meta->chunks ? ENTRY_CHUNKED : 0);

        if (p->msgpack)
                add_msgpack(p, e, flags);
        else
                add_json(p, e, flags);
        p->count++;
}

/* ---- objects: the page ---- */

static bool is_large(void *arg)
{
        const struct page *p = arg;

        return p->b.n >= PAGE_BYTES_MAX || p->b.bad;
}

static struct err *scan(struct api_req *r, const struct list_msg *m, struct page *p, struct str *ret_token)
{
        const struct want *w = &p->want;
        struct flow_list_options o = {
                .prefix = m->prefix,
                .start_after = m->token.n ? m->token : m->start_after,
                .page_size = m->page_size ? (size_t)m->page_size : PAGE_DEFAULT,
                .no_recursion = m->flags & LIST_NO_RECURSION,
                .full = w->checksum || w->location || w->custom || w->copies || w->atime,
                .target = m->target_id,
                .stop = is_large,
        };
        struct str last;
        bool more;

        TRY(flow_list(r->node, r->bucket, &o, visit, p, r->arena, &more, &last));
        *ret_token = more ? last : STR("");
        return buf_err(&p->b);
}

static struct err *page_msgpack(struct api_req *r, const struct list_msg *m, struct str uuid, struct page *p)
{
        struct str token;
        size_t count_at;

        mp_map(&p->b, 4);
        mp_str(&p->b, STR("UUID"));
        mp_str(&p->b, uuid);
        mp_str(&p->b, STR("Entries"));
        buf_addc(&p->b, (char)0xdd); /* array with a 32-bit count, big-endian */
        count_at = p->b.n;
        buf_add(&p->b, "\0\0\0\0", 4);
        TRY(scan(r, m, p, &token));
        for (unsigned i = 0; i < 4; i++)
                p->b.p[count_at + i] = (char)(p->count >> (24 - 8 * i));
        mp_str(&p->b, STR("ContinuationToken"));
        mp_str(&p->b, token);
        mp_str(&p->b, STR("Flags"));
        mp_uint(&p->b, 0);
        return api_reply_buf(r, "application/msgpack", &p->b);
}

static struct err *page_json(struct api_req *r, const struct list_msg *m, struct str uuid, struct page *p)
{
        AUTO_BUF struct buf entries = BUF_INIT;
        struct str token;

        TRY(scan(r, m, p, &token));
        entries = p->b; /* the token, known only now, goes in front */
        p->b = (struct buf)BUF_INIT;
        buf_adds(&p->b, STR("{\"uuid\":"));
        json_quote(&p->b, uuid);
        buf_adds(&p->b, STR(",\"continuation_token\":"));
        json_quote(&p->b, token);
        buf_adds(&p->b, STR(",\"entries\":"));
        if (p->count) {
                buf_addc(&p->b, '[');
                buf_adds(&p->b, buf_str(&entries));
                buf_addc(&p->b, ']');
        } else {
                buf_adds(&p->b, STR("null"));
        }
        buf_adds(&p->b, STR(",\"flags\":0}"));
        return api_reply_json(r, &p->b);
}

static struct err *list_objects(struct api_req *r)
{
        int64_t start = clock_mono_ns();
        struct page p = { .b = BUF_INIT, .scratch = BUF_INIT, .msgpack = api_accepts_msgpack(r), .r = r };
        char uuid[UUID_LEN + 1];
        struct list_msg m;
        struct err *e;

        TRY(api__parse_bucket(r));
        TRY(api_find_bucket(r, &r->bck, &r->bucket));
        TRY(api_check_access(r, r->bucket, ACCESS_LIST));
        TRY(decode(r, &m));
        TRY(check(r, &m));
        choose_props(&m, &p.want);
        p.time_format = m.time_format.n ? m.time_format : STR("02 Jan 06 15:04 MST");
        random_id(uuid, UUID_LEN);
        e = (p.msgpack ? page_msgpack : page_json)(r, &m, m.uuid.n ? m.uuid : str_of(uuid), &p);
        buf_fini(&p.b);
        buf_fini(&p.scratch);
        stat_add(&r->node->stats, e ? STAT_ERR_LST_N : STAT_LST_N, 1);
        stat_add(&r->node->stats, STAT_LST_NS_TOTAL, clock_mono_ns() - start);
        return e;
}

/* The value decides: an object (even empty) lists objects, null lists buckets; without a message the path does. */
struct err *api__bucket_list_any(struct api_req *r)
{
        bool path_bucket = r->nitems >= 2;

        if (r->object.n)
                return api__bad_uri(r);
        if (!r->env.doc)
                return path_bucket ? list_objects(r) : list_buckets(r);
        if (r->env.value) {
                if (!path_bucket)
                        return err_new(ERR_INVALID, "bucket name is missing");
                if (!json_is_object(r->env.value))
                        return err_new(ERR_MALFORMED, "failed to unmarshal list: expecting an object");
                return list_objects(r);
        }
        if (path_bucket && !str_eq(r->items[1], r->env.name))
                return err_new(ERR_INVALID, "bad list-buckets request: \"" STR_FMT "\" vs \"" STR_FMT "\"",
                               STR_ARG(r->items[1]), STR_ARG(r->env.name));
        return list_buckets(r);
}
