/* api/summary.c: how much a bucket holds: HEAD /v1/buckets/B?bsumm_remote=… and GET with {"action":"summary-bck"}.
 * Both start a job and answer 202 with its id; asked again with that id they answer with what is known: 202 not yet,
 * 206 in part (HEAD alone), 200 all. */
#include "api/buckets.h"

static void write_summary(struct json_w *w, const struct job_summary_row *row, uint64_t disks)
{
        const struct flow_summary *s = &row->sum;

        jw_object(w, NULL);
        jw_cstr(w, "name", row->bck.name);
        jw_cstr(w, "provider", provider_name(row->bck.provider));
        jw_object(w, "namespace");
        jw_cstr(w, "uuid", row->bck.ns_uuid);
        jw_cstr(w, "name", row->bck.ns_name);
        jw_object_end(w);
        jw_object(w, "ObjCount");
        jw_u64s(w, "obj_count_present", s->objects);
        jw_u64s(w, "obj_count_remote", 0);
        jw_object_end(w);
        jw_object(w, "ObjSize");
        jw_uint(w, "obj_min_size", s->objects ? s->min_size : 0);
        jw_uint(w, "obj_avg_size", s->objects ? s->bytes / s->objects : 0);
        jw_uint(w, "obj_max_size", s->max_size);
        jw_object_end(w);
        jw_object(w, "TotalSize");
        jw_u64s(w, "size_on_disk", s->bytes);
        jw_u64s(w, "size_all_present_objs", s->bytes);
        jw_u64s(w, "size_all_remote_objs", 0);
        jw_u64s(w, "total_disks_size", disks);
        jw_object_end(w);
        jw_int(w, "used_pct", disks ? (int64_t)(s->bytes * 100 / disks) : 0);
        jw_bool(w, "is_present", true);
        jw_object_end(w);
}

/* wire: an unknown summary is "not found" like an object, where other questions about unknown jobs have a code of their
 * own. */
static struct err *found_so_far(struct api_req *r, struct str id, struct job_summary *ret)
{
        struct err *e = job_summary_get(r->api->jobs, id, r->arena, ret);

        return err_code(e) == ERR_JOB_NOT_FOUND ? err_recode(e, ERR_NOT_FOUND, "bucket summary") : e;
}

struct err *api__summary_head(struct api_req *r)
{
        struct str uuid = api_param(r, "uuid");
        AUTO_BUF struct buf b = BUF_INIT;
        struct job_summary sum;
        struct json_w w;
        char id[40];

        TRY(api_check_access(r, r->bucket, ACCESS_LIST));
        if (uuid.n == 0) {
                TRY(job_start_summary(r->api->jobs, r->bucket, r->object, id));
                http_resp_header(r->rs, "Ais-Xaction-Id", str_of(id));
                TRY(api__bucket_props_header(r, r->bucket));
                api_reply_empty(r, 202);
                return NULL;
        }
        TRY(found_so_far(r, uuid, &sum));
        jw_init(&w, &b, false);
        if (sum.n > 0)
                write_summary(&w, &sum.rows[0], sum.disks);
        TRY(buf_err(&b));
        http_resp_header(r->rs, "Ais-Xaction-Id", uuid);
        TRY(api__bucket_props_header(r, r->bucket));
        if (sum.n > 0)
                http_resp_header(r->rs, "Ais-Bucket-Summ", buf_str(&b));
        api_reply_empty(r, sum.done ? 200 : sum.n > 0 ? 206 : 202);
        return NULL;
}

struct summary_msg {
        struct str uuid, prefix;
        bool cached, present, dont_add;
};

struct err *api__summary_get(struct api_req *r)
{
        static const struct json_field fields[] = {
                JSON_FIELD(struct summary_msg, "uuid", JSON_F_STR, uuid),
                JSON_FIELD(struct summary_msg, "prefix", JSON_F_STR, prefix),
                JSON_FIELD(struct summary_msg, "cached", JSON_F_BOOL, cached),
                JSON_FIELD(struct summary_msg, "present", JSON_F_BOOL, present),
                JSON_FIELD(struct summary_msg, "dont_add_remote", JSON_F_BOOL, dont_add),
        };
        struct summary_msg m = { .uuid = STR_NONE };
        AUTO_BUF struct buf b = BUF_INIT;
        struct job_summary sum;
        struct json_w w;
        char id[40];

        TRY(api_value(r, fields, ARRAY_LEN(fields), "summary-bck", &m));
        if (r->nitems >= 2) {
                TRY(api__parse_bucket(r));
                TRY(api_find_bucket(r, &r->bck, &r->bucket));
                TRY(api_check_access(r, r->bucket, ACCESS_LIST));
        }
        if (m.uuid.n == 0) {
                TRY(job_start_summary(r->api->jobs, r->bucket, m.prefix, id));
                api_reply_text(r, 202, str_of(id));
                return NULL;
        }
        TRY(found_so_far(r, m.uuid, &sum));
        if (!sum.done) {
                api_reply_text(r, 202, m.uuid);
                return NULL;
        }
        api__json(r, &w, &b);
        jw_array(&w, NULL);
        for (unsigned i = 0; i < sum.n; i++)
                write_summary(&w, &sum.rows[i], sum.disks);
        jw_array_end(&w);
        return api_reply_json(r, &b);
}
