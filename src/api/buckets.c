/* api/buckets.c: /v1/buckets: making, showing, changing and ending buckets; and the refusals of what is not built or
 * needs a remote bucket. */
#include "api/buckets.h"

#include <limits.h>

#include "api/relay.h"
#include "os/clock.h"

#define SPREAD_NS (2 * NS_PER_SEC) /* longer than a lease: who has not answered by then serves nothing */

void api__buckets_spread(struct api_req *r)
{
        cluster_spread(r->node->cluster, clock_mono_ns() + SPREAD_NS);
}

static struct err *changed(struct api_req *r)
{
        api__buckets_spread(r);
        api_reply_empty(r, 200);
        return NULL;
}

/* ---- create, destroy, show ---- */

static struct err *remote_refused(const struct bck *b)
{
        char text[192];

        return err_new(ERR_REMOTE_BUCKET_NOT_FOUND, "remote bucket \"%s\" does not exist (backend is not configured)",
                       bck_text(b, text));
}

/* Of this node; one that is no target has none to judge by. */
static unsigned active_mountpaths(const struct snapshot *s)
{
        unsigned n = 0;

        if (s->target == NULL)
                return UINT_MAX;
        for (size_t i = 0; i < s->mountpath_count; i++)
                n += s->mountpaths[i].enabled;
        return MAX(n, 1);
}

/* What this version can not do must not be switched on. */
static struct err *check_built(const struct bucket_props *before, const struct bucket_props *after)
{
        if (after->mirror.enabled && !(before && before->mirror.enabled))
                return err_new(ERR_NOT_IMPLEMENTED, "mirroring is not implemented");
        if (after->ec.enabled && !(before && before->ec.enabled))
                return err_new(ERR_NOT_IMPLEMENTED, "erasure coding is not implemented");
        if (after->rate_limit.frontend.enabled && !(before && before->rate_limit.frontend.enabled))
                return err_new(ERR_NOT_IMPLEMENTED, "limiting the rate of requests is not implemented");
        if (after->backend_bck.name[0])
                return err_new(ERR_MISSING_BACKEND,
                               "backend bucket: %s backend is missing in the cluster configuration",
                               provider_name(after->backend_bck.provider));
        return NULL;
}

static struct err *create(struct api_req *r)
{
        struct bucket_props props;
        uint64_t bid;

        if (bck_is_remote(&r->bck))
                return remote_refused(&r->bck);
        bucket_props_default(r->snap->config, r->bck.provider, &props);
        if (r->env.value) {
                if (!json_is_object(r->env.value))
                        return err_new(ERR_MALFORMED, "failed to unmarshal create-bck: expecting an object");
                TRY(bucket_props_update(&props, r->env.value, r->snap->target_count, active_mountpaths(r->snap), NULL));
        }
        TRY(check_built(NULL, &props));
        TRY(cluster_bucket_create(r->node->cluster, &r->bck, &props, &bid));
        return changed(r);
}

/* What it held is dropped by each target as it sees the change (flow/follow.c). */
static struct err *destroy(struct api_req *r)
{
        TRY(cluster_bucket_destroy(r->node->cluster, &r->bck, NULL));
        return changed(r);
}

struct err *api__bucket_props_header(struct api_req *r, const struct bucket *b)
{
        AUTO_BUF struct buf text = BUF_INIT;
        struct json_w w;

        jw_init(&w, &text, false);
        bucket_props_json(&w, NULL, b);
        TRY(buf_err(&text));
        http_resp_header(r->rs, "Ais-Bucket-Props", buf_str(&text));
        return NULL;
}

static struct err *head(struct api_req *r)
{
        if (api_param(r, "bsumm_remote").n) { /* a job */
                bool done = false;

                TRY(api__relay_primary(r, &done));
                if (done)
                        return NULL;
                if (!r->bucket) /* this node became the primary just now */
                        TRY(api_find_bucket(r, &r->bck, &r->bucket));
                return api__summary_head(r);
        }
        if (r->object.n)
                return err_new(ERR_INVALID,
                               "invalid request: prefix \"" STR_FMT "\" without query parameter bsumm_remote",
                               STR_ARG(r->object));
        TRY(api__bucket_props_header(r, r->bucket));
        api_reply_empty(r, 200);
        return NULL;
}

/* ---- properties ---- */

/* Not subject to the bucket's own access bits: while there are no users, nobody could give back what a mistake took
 * away. */
static struct err *set_props(struct api_req *r)
{
        struct bucket_props after = r->bucket->props;

        if (r->env.value && !json_is_object(r->env.value))
                return err_new(ERR_MALFORMED, "failed to unmarshal set-bprops: expecting an object");
        if (r->env.value) {
                TRY(bucket_props_update(&after, r->env.value, r->snap->target_count, active_mountpaths(r->snap), NULL));
                TRY(check_built(&r->bucket->props, &after));
                TRY(cluster_bucket_set_props(r->node->cluster, &r->bck, r->env.value, NULL, NULL));
        }
        return changed(r);
}

static struct err *reset_props(struct api_req *r)
{
        TRY(cluster_bucket_reset_props(r->node->cluster, &r->bck));
        return changed(r);
}

static struct err *unknown_patch(struct api_req *r)
{
        if (!r->env.doc)
                return err_new(ERR_MALFORMED, "failed to unmarshal the request's message: EOF (the body is empty)");
        return err_new(ERR_INVALID, "invalid action \"" STR_FMT "\" (expected one of [set-bprops reset-bprops])",
                       STR_ARG(r->env.action));
}

/* ---- what needs a remote bucket ---- */

static struct err *not_remote(struct api_req *r, const char *action)
{
        char text[192];

        return err_new(ERR_NOT_REMOTE_BUCKET, "%s: expecting remote bucket (have %s)", action, bck_text(&r->bck, text));
}

static struct err *evict(struct api_req *r)
{
        return not_remote(r, "evict-remote-bck"); /* wire: so named for the list form too */
}

static struct err *prefetch(struct api_req *r)
{
        return not_remote(r, "prefetch-listrange");
}

static struct err *create_inventory(struct api_req *r)
{
        return not_remote(r, "create-inventory");
}

static struct err *show_inventory(struct api_req *r)
{
        AUTO_BUF struct buf b = BUF_INIT;

        TRY(api__parse_bucket(r));
        TRY(api_find_bucket(r, &r->bck, &r->bucket));
        buf_adds(&b, STR("{}"));
        return api_reply_json(r, &b);
}

static struct err *destroy_inventory(struct api_req *r)
{
        char text[192];

        return err_new(ERR_NOT_FOUND, "%s: inventory does not exist", bck_text(&r->bck, text));
}

/* ---- what is not built: the errors that come first, then 501 ---- */

static struct err *make_n_copies(struct api_req *r)
{
        json_int_t n = json_integer_value(r->env.value);
        unsigned have = active_mountpaths(r->snap);

        if (!json_is_integer(r->env.value))
                return err_new(ERR_MALFORMED, "failed to unmarshal make-n-copies: expecting a number of copies");
        if (n < 1 || n > 32)
                return err_new(ERR_INVALID, "invalid number of copies %ld (expecting 1 to 32)", (long)n);
        if (n > have)
                return err_new(ERR_INVALID, "number of copies (%ld) exceeds the number of mountpaths (%u)", (long)n,
                               have);
        return err_new(ERR_NOT_IMPLEMENTED, "make-n-copies is not implemented");
}

struct ec_msg {
        int64_t data, parity;
        bool enabled;
};

static struct err *ec_encode(struct api_req *r)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct ec_msg, "data_slices", JSON_F_INT, data),
                JSON_FIELD(struct ec_msg, "parity_slices", JSON_F_INT, parity),
                JSON_FIELD(struct ec_msg, "enabled", JSON_F_BOOL, enabled),
        };
        AUTO_JSON json_t *doc = NULL;
        struct ec_msg m = { 0 };

        if (!json_is_string(r->env.value)) /* wire: JSON inside a string */
                return err_new(ERR_MALFORMED, "failed to unmarshal ec-encode: expecting a text with JSON inside");
        TRY_WRAP(json_parse(json_str(r->env.value), CONTROL_BODY_MAX, &doc), "failed to unmarshal ec-encode");
        if (!json_is_object(doc))
                return err_new(ERR_MALFORMED, "failed to unmarshal ec-encode: expecting an object");
        TRY(json_decode(doc, fields, ARRAY_LEN(fields), true, "ec-encode", &m));
        if (m.data < 1 || m.data > 32 || m.parity < 1 || m.parity > 32)
                return err_new(ERR_INVALID, "invalid number of slices (data %ld, parity %ld): expecting 1 to 32",
                               (long)m.data, (long)m.parity);
        if (m.data + m.parity + 1 > (int64_t)r->snap->target_count)
                return err_new(ERR_NOT_ENOUGH_TARGETS,
                               "not enough target nodes: EC configuration (D = %ld, P = %ld) requires at least %ld "
                               "targets (have %u)",
                               (long)m.data, (long)m.parity, (long)(m.data + m.parity + 1), r->snap->target_count);
        return err_new(ERR_NOT_IMPLEMENTED, "ec-encode is not implemented");
}

struct rechunk_msg {
        int64_t objsize_limit, chunk_size;
        struct str prefix;
        bool sync_remote;
};

static struct err *rechunk(struct api_req *r)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct rechunk_msg, "objsize-limit", JSON_F_INT, objsize_limit),
                JSON_FIELD(struct rechunk_msg, "chunk-size", JSON_F_INT, chunk_size),
                JSON_FIELD(struct rechunk_msg, "prefix", JSON_F_STR, prefix),
                JSON_FIELD(struct rechunk_msg, "sync-remote", JSON_F_BOOL, sync_remote),
        };
        struct rechunk_msg m = { .prefix = STR_NONE };

        TRY(api_value(r, fields, ARRAY_LEN(fields), "rechunk", &m));
        if (m.chunk_size <= 0)
                return err_new(ERR_INVALID, "chunk size is not set");
        return err_new(ERR_NOT_IMPLEMENTED, "rechunk is not implemented");
}

struct archive_msg {
        struct selection_msg sel;
        json_t *to;
        struct str name, mime, transaction;
        bool base_name, in_bucket_name, append;
};

static struct err *archive(struct api_req *r)
{
        static const struct json_field fields[] = {
                SELECTION_FIELDS(struct archive_msg, sel),
                JSON_FIELD(struct archive_msg, "tobck", JSON_F_OBJECT, to),
                JSON_FIELD(struct archive_msg, "archname", JSON_F_STR, name),
                JSON_FIELD(struct archive_msg, "mime", JSON_F_STR, mime),
                JSON_FIELD(struct archive_msg, "TxnUUID", JSON_F_STR, transaction),
                JSON_FIELD(struct archive_msg, "bnonly", JSON_F_BOOL, base_name),
                JSON_FIELD(struct archive_msg, "isbn", JSON_F_BOOL, in_bucket_name),
                JSON_FIELD(struct archive_msg, "aate", JSON_F_BOOL, append),
        };
        static const char *const extensions[] = { ".tar", ".tgz", ".tar.gz", ".zip", ".tar.lz4" };
        struct archive_msg m = { .name = STR_NONE };
        struct bck to;
        bool known = false;

        TRY(api_value(r, fields, ARRAY_LEN(fields), "archive", &m));
        TRY(api__decode_bck(m.to, &to));
        if (to.name[0] == '\0')
                return err_new(ERR_INVALID, "bucket name is missing");
        TRY(object_name_check(m.name));
        for (size_t i = 0; i < ARRAY_LEN(extensions); i++)
                known = known || str_ends(m.name, str_of(extensions[i])) || str_eq(m.mime, str_of(extensions[i])) ||
                        str_eq(m.mime, str_skip(str_of(extensions[i]), 1));
        if (!known)
                return err_new(ERR_INVALID,
                               "unknown archive extension of \"" STR_FMT
                               "\" (expecting one of [.tar .tgz .tar.gz .zip .tar.lz4])",
                               STR_ARG(m.name));
        return err_new(ERR_NOT_IMPLEMENTED, "archiving is not implemented");
}

static struct err *not_built(struct api_req *r)
{
        return err_new(ERR_NOT_IMPLEMENTED, "" STR_FMT " is not implemented", STR_ARG(r->env.action));
}

static struct err *shard_summary(struct api_req *r)
{
        TRY(api__parse_bucket(r));
        TRY(api_find_bucket(r, &r->bck, &r->bucket));
        return not_built(r);
}

static struct err *no_etl(struct api_req *r)
{
        (void)r;
        return err_new(ERR_UNSUPPORTED, "cannot use ETL in a build without ETL support - operation not supported");
}

const struct api_route api_routes_buckets[] = {
        { HTTP_GET, "buckets", "list", NEED_ENVELOPE, 0, api__bucket_list_any },
        { HTTP_GET, "buckets", "summary-bck", NEED_ENVELOPE | NEED_PRIMARY, 0, api__summary_get },
        { HTTP_GET, "buckets", "summary-shard", NEED_ENVELOPE, 0, shard_summary },
        { HTTP_GET, "buckets", "show-inventory", NEED_ENVELOPE, 0, show_inventory },
        { HTTP_GET, "buckets", NULL, NEED_NONE, 0, api__bucket_list_any },
        /* Without its bit too: clients read the properties before they change them, the access bits among them. */
        { HTTP_HEAD, "buckets", NULL, NEED_BUCKET, 0, head },
        { HTTP_POST, "buckets", "create-bck", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET_NAME, 0, create },
        { HTTP_POST, "buckets", "move-bck", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET, ACCESS_MOVE_BCK,
          api__bucket_move },
        { HTTP_POST, "buckets", "copy-bck", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET, ACCESS_GET | ACCESS_LIST,
          api__bucket_copy },
        { HTTP_POST, "buckets", "copy-listrange", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET, ACCESS_GET | ACCESS_LIST,
          api__bucket_copy_list },
        { HTTP_POST, "buckets", "etl-bck", NEED_ENVELOPE | NEED_BUCKET, 0, no_etl },
        { HTTP_POST, "buckets", "etl-listrange", NEED_ENVELOPE | NEED_BUCKET, 0, no_etl },
        { HTTP_POST, "buckets", "prefetch-listrange", NEED_ENVELOPE | NEED_BUCKET, 0, prefetch },
        { HTTP_POST, "buckets", "make-n-copies", NEED_ENVELOPE | NEED_BUCKET, 0, make_n_copies },
        { HTTP_POST, "buckets", "ec-encode", NEED_ENVELOPE | NEED_BUCKET, 0, ec_encode },
        { HTTP_POST, "buckets", "rechunk", NEED_ENVELOPE | NEED_BUCKET, 0, rechunk },
        { HTTP_POST, "buckets", "index-shard", NEED_ENVELOPE | NEED_BUCKET, 0, not_built },
        { HTTP_POST, "buckets", "create-inventory", NEED_ENVELOPE | NEED_BUCKET, 0, create_inventory },
        { HTTP_PUT, "buckets", "archive", NEED_ENVELOPE | NEED_BUCKET, 0, archive },
        { HTTP_PATCH, "buckets", "set-bprops", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET, 0, set_props },
        { HTTP_PATCH, "buckets", "reset-bprops", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET, 0, reset_props },
        { HTTP_PATCH, "buckets", NULL, NEED_ENVELOPE | NEED_BUCKET | NEED_ANY_ACTION, 0, unknown_patch },
        { HTTP_DELETE, "buckets", "destroy-bck", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET, ACCESS_DESTROY, destroy },
        { HTTP_DELETE, "buckets", "delete-listrange", NEED_ENVELOPE | NEED_PRIMARY | NEED_BUCKET, ACCESS_DELETE_OBJ,
          api__bucket_delete_list },
        { HTTP_DELETE, "buckets", "evict-listrange", NEED_ENVELOPE | NEED_BUCKET, 0, evict },
        { HTTP_DELETE, "buckets", "evict-remote-bck", NEED_ENVELOPE | NEED_BUCKET, 0, evict },
        { HTTP_DELETE, "buckets", "destroy-inventory", NEED_ENVELOPE | NEED_BUCKET, 0, destroy_inventory },
        { HTTP_GET, NULL, NULL, NEED_NONE, 0, NULL },
};
