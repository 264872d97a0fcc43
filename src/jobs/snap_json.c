/* jobs/snap_json.c: questions about jobs and the snapshots that answer them, as nodes exchange them. Pure. */
#include "jobs/peers.h"

void jobs__query_write(struct json_w *w, const struct job_query *q)
{
        jw_str(w, "id", q->id);
        jw_str(w, "kind", q->kind);
        job__bck_write(w, "bck", &q->bck);
        jw_bool(w, "only_running", q->only_running);
        jw_bool(w, "has_active", q->has_active);
}

struct err *jobs__query_read(const json_t *doc, struct job_query *ret)
{
        struct raw {
                struct str id, kind, bck;
                bool only_running, has_active;
        } r = { .id = STR_NONE };
        static const struct json_field fields[] = {
                JSON_FIELD(struct raw, "id", JSON_F_STR, id),
                JSON_FIELD(struct raw, "kind", JSON_F_STR, kind),
                JSON_FIELD(struct raw, "bck", JSON_F_STR, bck),
                JSON_FIELD(struct raw, "only_running", JSON_F_BOOL, only_running),
                JSON_FIELD(struct raw, "has_active", JSON_F_BOOL, has_active),
        };

        TRY(json_decode(doc, fields, ARRAY_LEN(fields), false, "question about jobs", &r));
        *ret = (struct job_query){ .id = r.id, .kind = r.kind, .only_running = r.only_running,
                                   .has_active = r.has_active };
        return job__bck_read(r.bck, &ret->bck);
}

void jobs__snap_write(struct json_w *w, const struct job_snap *s)
{
        jw_object(w, NULL);
        jw_cstr(w, "id", s->id);
        jw_cstr(w, "kind", s->kind->name);
        job__bck_write(w, "bck", &s->bck);
        job__bck_write(w, "src", &s->src);
        job__bck_write(w, "dst", &s->dst);
        jw_i64s(w, "start", s->start_ns);
        jw_i64s(w, "end", s->end_ns);
        jw_u64s(w, "objects", s->objects);
        jw_u64s(w, "bytes", s->bytes);
        jw_u64s(w, "out_objects", s->out_objects);
        jw_u64s(w, "out_bytes", s->out_bytes);
        jw_u64s(w, "in_objects", s->in_objects);
        jw_u64s(w, "in_bytes", s->in_bytes);
        jw_u64s(w, "epoch", s->epoch);
        jw_bool(w, "aborted", s->aborted);
        jw_bool(w, "idle", s->idle);
        jw_cstr(w, "abort_err", s->abort_err);
        jw_cstr(w, "err", s->err);
        jw_cstr(w, "ctlmsg", s->ctlmsg);
        jw_object_end(w);
}

struct err *jobs__snap_read(const json_t *doc, struct job_snap *ret)
{
        struct raw {
                struct str id, kind, bck, src, dst, abort_err, err, ctlmsg;
                struct job_snap s;
        } r = { .id = STR_NONE };
        static const struct json_field fields[] = {
                JSON_FIELD(struct raw, "id", JSON_F_STR, id),
                JSON_FIELD(struct raw, "kind", JSON_F_STR, kind),
                JSON_FIELD(struct raw, "bck", JSON_F_STR, bck),
                JSON_FIELD(struct raw, "src", JSON_F_STR, src),
                JSON_FIELD(struct raw, "dst", JSON_F_STR, dst),
                JSON_FIELD(struct raw, "start", JSON_F_I64S, s.start_ns),
                JSON_FIELD(struct raw, "end", JSON_F_I64S, s.end_ns),
                JSON_FIELD(struct raw, "objects", JSON_F_U64S, s.objects),
                JSON_FIELD(struct raw, "bytes", JSON_F_U64S, s.bytes),
                JSON_FIELD(struct raw, "out_objects", JSON_F_U64S, s.out_objects),
                JSON_FIELD(struct raw, "out_bytes", JSON_F_U64S, s.out_bytes),
                JSON_FIELD(struct raw, "in_objects", JSON_F_U64S, s.in_objects),
                JSON_FIELD(struct raw, "in_bytes", JSON_F_U64S, s.in_bytes),
                JSON_FIELD(struct raw, "epoch", JSON_F_U64S, s.epoch),
                JSON_FIELD(struct raw, "aborted", JSON_F_BOOL, s.aborted),
                JSON_FIELD(struct raw, "idle", JSON_F_BOOL, s.idle),
                JSON_FIELD(struct raw, "abort_err", JSON_F_STR, abort_err),
                JSON_FIELD(struct raw, "err", JSON_F_STR, err),
                JSON_FIELD(struct raw, "ctlmsg", JSON_F_STR, ctlmsg),
        };

        if (!json_is_object(doc))
                return err_new(ERR_MALFORMED, "job's snapshot: expecting an object");
        TRY(json_decode(doc, fields, ARRAY_LEN(fields), false, "job's snapshot", &r));
        r.s.kind = job_kind_find(r.kind);
        if (!r.s.kind || !id_check(r.id))
                return err_new(ERR_INVALID, "job's snapshot: unknown kind or no id");
        TRY(job__bck_read(r.bck, &r.s.bck));
        TRY(job__bck_read(r.src, &r.s.src));
        TRY(job__bck_read(r.dst, &r.s.dst));
        str_copy(r.s.id, sizeof(r.s.id), r.id);
        str_copy(r.s.abort_err, sizeof(r.s.abort_err), r.abort_err);
        str_copy(r.s.err, sizeof(r.s.err), r.err);
        str_copy(r.s.ctlmsg, sizeof(r.s.ctlmsg), r.ctlmsg);
        *ret = r.s;
        return NULL;
}
