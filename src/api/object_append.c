/* api/object_append.c: the append API: pieces go to a work content that outlives requests; flush makes it the object.
 *
 * The handle is opaque to clients: "<target>|<append id>||". */
#include "api/objects.h"
#include "api/request.h"

#include "os/clock.h"

/* The append id in a handle; empty for none. */
static struct err *parse_handle(struct str handle, struct str *ret_id)
{
        *ret_id = STR_NONE;
        if (handle.n == 0)
                return NULL;
        struct str rest = handle;
        struct str target = str_cut(&rest, '|');
        struct str id = str_cut(&rest, '|');
        if (target.n == 0 || !id_check(id))
                return err_new(ERR_INVALID, "invalid APPEND handle \"" STR_FMT "\"", STR_ARG(handle));
        *ret_id = id;
        return NULL;
}

static struct err *take(void *put, const void *p, size_t n)
{
        return store_put_write(put, p, n);
}

static struct err *append(struct api_req *r, const struct obj_key *key, struct str id)
{
        struct put *put;
        char new_id[17];
        TRY(store_append_begin(r->node->store, key, id, new_id, &put));
        struct err *e = api__body_each(r, take, put);
        if (e != NULL) {
                store_put_abort(put);
                return e;
        }
        TRY(store_append_end(put, r->bucket->props.fast));
        api_reply_empty(r, 200);
        http_resp_headerf(r->rs, "Ais-Append-Handle", "%s|%s||", r->snap->target ? r->snap->target->id : "", new_id);
        stat_add(&r->node->stats, STAT_APPEND_N, 1);
        stat_add(&r->node->stats, STAT_APPEND_NS_TOTAL, clock_mono_ns() - r->rq->start_ns);
        return NULL;
}

static struct err *flush(struct api_req *r, const struct obj_key *key, struct str id)
{
        if (id.n == 0)
                return err_new(ERR_INVALID, "failed to flush APPEND: the handle is empty");
        bool has;
        enum cksum_type type = CKSUM_NONE;
        struct str value = STR_NONE;
        TRY(api__checksum_headers(r, &has, &type, &value));
        struct put_attrs attrs;
        struct put_result result;
        flow_put_attrs(r->bucket, &attrs);
        attrs.custom_mode = CUSTOM_MERGE; /* an appended object is still the same object: it keeps its pairs */
        TRY(store_append_flush(r->node->store, key, id, &attrs, has ? type : CKSUM_NONE, has ? value : STR_NONE,
                               &result));
        api_reply_empty(r, 200);
        return NULL;
}

struct err *api__object_append(struct api_req *r)
{
        struct obj_key key = { r->bucket->bid, r->object };
        struct str type = api_param(r, "append_type"), id;
        TRY(parse_handle(api_param(r, "append_handle"), &id));
        if (str_eq(type, STR("append")))
                return append(r, &key, id);
        if (str_eq(type, STR("flush")))
                return flush(r, &key, id);
        return err_new(ERR_INVALID, "invalid append_type \"" STR_FMT "\" (expecting append or flush)", STR_ARG(type));
}
