/* api/bucket_jobs.c: jobs that clients start on a bucket: copies, renames, deletion of many objects. Each answers with
 * the job's id as text. */
#include "api/buckets.h"

struct err *api__selection(struct api_req *r, const struct selection_msg *m, struct job_names **ret)
{
        size_t n = json_array_size(m->names);
        struct str *names = arena_alloc(r->arena, (n + 1) * sizeof(*names));

        if (!names)
                return err_static(ERR_NO_MEMORY);
        for (size_t i = 0; i < n; i++) {
                const json_t *item = json_array_get(m->names, i);

                if (!json_is_string(item))
                        return err_new(ERR_MALFORMED, "objnames: expecting a list of texts");
                names[i] = json_str(item);
        }
        return job_names_new(names, n, m->template_text, ret);
}

static struct err *reply_id(struct api_req *r, const char *id)
{
        api_reply_text(r, 200, str_of(id));
        return NULL;
}

/* ---- copies ---- */

struct copy_msg {
        struct selection_msg sel;
        json_t *ext, *to, *pipeline;
        struct str prepend, prefix, id, transaction;
        bool dry_run, force, latest, synchronize;
        int64_t timeout_ns;
};
#define COPY_FIELDS                                                                                                    \
        JSON_FIELD(struct copy_msg, "ext", JSON_F_OBJECT, ext),                                                        \
                JSON_FIELD(struct copy_msg, "prepend", JSON_F_STR, prepend),                                           \
                JSON_FIELD(struct copy_msg, "prefix", JSON_F_STR, prefix),                                             \
                JSON_FIELD(struct copy_msg, "dry_run", JSON_F_BOOL, dry_run),                                          \
                JSON_FIELD(struct copy_msg, "force", JSON_F_BOOL, force),                                              \
                JSON_FIELD(struct copy_msg, "latest-ver", JSON_F_BOOL, latest),                                        \
                JSON_FIELD(struct copy_msg, "synchronize", JSON_F_BOOL, synchronize),                                  \
                JSON_FIELD(struct copy_msg, "id", JSON_F_STR, id),                                                     \
                JSON_FIELD(struct copy_msg, "pipeline", JSON_F_ARRAY, pipeline),                                       \
                JSON_FIELD(struct copy_msg, "request_timeout", JSON_F_DURATION, timeout_ns)
#define LIMIT_FIELDS                                                                                                   \
        JSON_FIELD(struct copy_msg, "num-workers", JSON_F_INT, sel.limits.workers),                                    \
                JSON_FIELD(struct copy_msg, "coer", JSON_F_BOOL, sel.limits.continue_on_error),                        \
                JSON_FIELD(struct copy_msg, "non-recurs", JSON_F_BOOL, sel.non_recursive)

static struct err *copy_options(struct api_req *r, const struct copy_msg *m, struct job_copy_options *ret)
{
        struct job_extension *ext = arena_alloc(r->arena, (json_object_size(m->ext) + 1) * sizeof(*ext));
        unsigned n = 0;
        const char *key;
        json_t *value;

        if (!ext)
                return err_static(ERR_NO_MEMORY);
        json_object_foreach(m->ext, key, value) {
                if (!json_is_string(value))
                        return err_new(ERR_MALFORMED, "ext: expecting a map of texts");
                ext[n++] = (struct job_extension){ str_of(key), json_str(value) };
        }
        if (m->id.n || json_array_size(m->pipeline))
                return err_new(ERR_UNSUPPORTED,
                               "cannot use ETL in a build without ETL support - operation not supported");
        if (m->sel.non_recursive)
                return err_new(ERR_NOT_IMPLEMENTED, "non-recursive copying is not implemented");
        *ret = (struct job_copy_options){ m->prepend, ext, n, m->dry_run, m->synchronize, m->sel.limits };
        return NULL;
}

/* The destination; made with the source's properties if it does not exist. The caller unpins *ret_snap. */
static struct err *destination(struct api_req *r, const struct bck *to, const struct snapshot **ret_snap,
                               const struct bucket **ret)
{
        char text[192];

        if (bck_is_remote(to))
                return err_new(ERR_REMOTE_BUCKET_NOT_FOUND,
                               "remote bucket \"%s\" does not exist (backend is not configured)", bck_text(to, text));
        for (;;) {
                const struct snapshot *snap = cluster_pin(r->node->cluster);
                const struct bucket *b = snapshot_bucket(snap, to);
                struct err *e;
                uint64_t bid;

                if (b) {
                        *ret_snap = snap;
                        *ret = b;
                        return NULL;
                }
                cluster_unpin(snap);
                e = cluster_bucket_create(r->node->cluster, to, &r->bucket->props, &bid);
                if (e && err_code(e) != ERR_BUCKET_EXISTS)
                        return e;
                if (!e)
                        api__buckets_spread(r);
                err_free(e); /* somebody else made it: look again */
        }
}

static struct err *start_copy(struct api_req *r, bool list, const struct copy_msg *m, const struct bck *to_bck,
                              struct job_names *sel)
{
        AUTO_SNAPSHOT const struct snapshot *snap = NULL;
        struct job_copy_options o = { .dry_run = false };
        const struct bucket *to = r->bucket;
        struct bucket imagined;
        char id[40];
        struct err *e = copy_options(r, m, &o);

        if (!e && m->dry_run) { /* counts only: the destination need not exist */
                imagined = *r->bucket;
                imagined.bck = *to_bck;
                to = &imagined;
        } else if (!e) {
                e = destination(r, to_bck, &snap, &to);
                if (!e)
                        e = api_check_access(r, to, ACCESS_PUT | (m->synchronize ? ACCESS_DELETE_OBJ : 0));
        }
        if (e) {
                job_names_free(sel);
                return e;
        }
        TRY(job_start_copy(r->api->jobs, list, r->bucket, to, sel, &o, id));
        return reply_id(r, id);
}

static struct err *target_of(struct api_req *r, struct bck *ret)
{
        if (api_param(r, "bck_to").n == 0)
                return err_new(ERR_INVALID, "missing \"bck_to\" query parameter");
        return api_param_bck_to(r, ret);
}

struct err *api__bucket_copy(struct api_req *r)
{
        static const struct json_field fields[] = { COPY_FIELDS, LIMIT_FIELDS };
        struct copy_msg m = { .prefix = STR_NONE };
        struct job_names *sel = NULL;
        struct bck to;
        char text[192];

        TRY(target_of(r, &to));
        TRY(api_value(r, fields, ARRAY_LEN(fields), "copy-bck", &m));
        if (bck_eq(&to, &r->bck) && !m.dry_run)
                return err_new(ERR_INVALID, "cannot copy-bck bucket \"%s\" onto itself", bck_text(&to, text));
        if (m.synchronize && m.prepend.n)
                return err_new(ERR_INVALID,
                               "prepend option (\"" STR_FMT
                               "\") is incompatible with the request to synchronize buckets",
                               STR_ARG(m.prepend));
        TRY(object_prefix_check(&m.prefix));
        if (m.prefix.n)
                TRY(job_names_prefix(m.prefix, &sel));
        return start_copy(r, false, &m, &to, sel);
}

struct err *api__bucket_copy_list(struct api_req *r)
{
        static const struct json_field fields[] = {
                COPY_FIELDS,
                SELECTION_FIELDS(struct copy_msg, sel),
                JSON_FIELD(struct copy_msg, "tobck", JSON_F_OBJECT, to),
                JSON_FIELD(struct copy_msg, "TxnUUID", JSON_F_STR, transaction),
        };
        struct copy_msg m = { .prefix = STR_NONE };
        struct job_names *sel;
        struct bck to;

        TRY(api_value(r, fields, ARRAY_LEN(fields), "copy-listrange", &m));
        TRY(api__decode_bck(m.to, &to));
        if (to.name[0] == '\0')
                return err_new(ERR_INVALID, "bucket name is missing");
        TRY(api__selection(r, &m.sel, &sel));
        return start_copy(r, true, &m, &to, sel);
}

/* ---- rename, delete ---- */

struct err *api__bucket_move(struct api_req *r)
{
        char id[40], text[192];
        struct bck to;

        TRY(target_of(r, &to));
        if (bck_eq(&to, &r->bck))
                return err_new(ERR_INVALID, "cannot move-bck bucket \"%s\" onto itself", bck_text(&to, text));
        if (to.provider != r->bck.provider || bck_is_remote(&to))
                return err_new(ERR_INVALID, "cannot move-bck: expecting a destination bucket of provider %s",
                               provider_name(r->bck.provider));
        TRY(job_start_move(r->api->jobs, &r->bck, &to, id));
        api__buckets_spread(r);
        return reply_id(r, id);
}

struct err *api__bucket_delete_list(struct api_req *r)
{
        static const struct json_field fields[] = { SELECTION_FIELDS(struct selection_msg_box, sel) };
        struct selection_msg_box m = { .sel = { .template_text = STR_NONE } };
        struct job_names *sel;
        char id[40];

        TRY(api_value(r, fields, ARRAY_LEN(fields), "delete-listrange", &m));
        /* The wire takes an empty selection for "everything"; a message that says nothing must not empty a bucket. */
        if (json_array_size(m.sel.names) == 0 && m.sel.template_text.n == 0)
                return err_new(ERR_INVALID,
                               "delete-listrange: expecting objnames or a template (\"*\" for all objects)");
        if (m.sel.non_recursive)
                return err_new(ERR_NOT_IMPLEMENTED, "non-recursive deletion is not implemented");
        TRY(api__selection(r, &m.sel, &sel));
        TRY(job_start_delete(r->api->jobs, r->bucket, sel, &m.sel.limits, id));
        return reply_id(r, id);
}
