/* api/object_promote.c: POST promote: files of this machine become objects. The rules of what may be a source are the
 * job's. */
#include "api/objects.h"

#include "jobs/kinds.h"

struct err *api__object_promote(struct api_req *r)
{
        struct message { struct str tid, src, obj; bool rcr, ovw, dls, notshr; };
        static const struct json_field fields[] = {
                JSON_FIELD(struct message, "tid", JSON_F_STR, tid),
                JSON_FIELD(struct message, "src", JSON_F_STR, src),
                JSON_FIELD(struct message, "obj", JSON_F_STR, obj),
                JSON_FIELD(struct message, "rcr", JSON_F_BOOL, rcr),
                JSON_FIELD(struct message, "ovw", JSON_F_BOOL, ovw),
                JSON_FIELD(struct message, "dls", JSON_F_BOOL, dls),
                JSON_FIELD(struct message, "notshr", JSON_F_BOOL, notshr),
        };
        struct message m = { STR_NONE, STR_NONE, STR_NONE, false, false, false, false };
        char id[40];
        TRY(api_value(r, fields, ARRAY_LEN(fields), "promote", &m));
        if (m.src.n > 0 && r->env.name.n > 0 && !str_eq(m.src, r->env.name))
                return err_new(ERR_PROMOTE_SOURCE,
                               "promote: source is named twice and differs (\"" STR_FMT "\", \"" STR_FMT "\")",
                               STR_ARG(r->env.name), STR_ARG(m.src));
        const struct cluster_node *n = m.tid.n > 0 ? snapshot_node(r->snap, m.tid) : NULL;
        if (m.tid.n > 0 && (n == NULL || !n->target))
                return err_new(ERR_NODE_NOT_FOUND, "target " STR_FMT " does not exist", STR_ARG(m.tid));
        struct job_promote_options o = {
                .source = m.src.n > 0 ? m.src : r->env.name,
                .object = m.obj,
                .node = m.tid,
                .recursive = m.rcr,
                .overwrite = m.ovw,
                .delete_source = m.dls,
        };
        TRY(job_start_promote(r->api->jobs, r->bucket, &o, id));
        if (id[0] != '\0')
                api_reply_text(r, 200, str_of(id));
        else
                api_reply_empty(r, 200);
        return NULL;
}
