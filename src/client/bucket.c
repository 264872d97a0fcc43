/* client/bucket.c: buckets as wholes: life, properties, lists, counting. */
#include <stdio.h>

#include "client/priv.h"
#include "os/clock.h"

#define POLL_FIRST_NS (20 * NS_PER_MS)
#define POLL_MAX_NS (500 * NS_PER_MS)

/* One call on /v1/buckets/<name> with an envelope; the answer's text goes to b (may be null). */
static enum orlop_code bucket_act(struct orlop *h, const char *method, const struct orlop_bucket *b, const struct orlop_bucket *to,
                                  const char *action, const char *value, struct buf *reply, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf body = BUF_INIT, uname = BUF_INIT;
        client__request_init(&rq, method, "/v1/buckets");
        client__path_add(&rq, b->name);
        client__query_bucket(&rq, b);
        if (to) {
                client__uname(&uname, to, NULL);
                const char *text = buf_cstr(&uname);
                client__query_add(&rq, "bck_to", text ? text : "");
        }
        client__envelope(&body, action, "", value);
        rq.body = buf_str(&body);
        return client__do(h, &rq, reply, NULL, ret_error);
}

/* As bucket_act for calls that answer with a job's identifier, or nothing. */
static enum orlop_code bucket_job(struct orlop *h, const char *method, const struct orlop_bucket *b, const struct orlop_bucket *to,
                                  const char *action, const char *value, char ret_job[static 64], struct orlop_error *ret_error)
{
        AUTO_BUF struct buf reply = BUF_INIT;
        enum orlop_code code = bucket_act(h, method, b, to, action, value, &reply, ret_error);
        if (!code)
                str_copy(ret_job, 64, str_trim(buf_str(&reply)));
        return code;
}

enum orlop_code orlop_bucket_create(struct orlop *h, const struct orlop_bucket *b, const char *props_json, struct orlop_error *ret_error)
{
        return bucket_act(h, "POST", b, NULL, "create-bck", props_json, NULL, ret_error);
}

enum orlop_code orlop_bucket_remove(struct orlop *h, const struct orlop_bucket *b, struct orlop_error *ret_error)
{
        return bucket_act(h, "DELETE", b, NULL, "destroy-bck", NULL, NULL, ret_error);
}

enum orlop_code orlop_bucket_rename(struct orlop *h, const struct orlop_bucket *from, const struct orlop_bucket *to, char ret_job[static 64],
                                    struct orlop_error *ret_error)
{
        return bucket_job(h, "POST", from, to, "move-bck", NULL, ret_job, ret_error);
}

enum orlop_code orlop_bucket_copy(struct orlop *h, const struct orlop_bucket *from, const struct orlop_bucket *to, const char *prefix,
                                  const char *prepend, char ret_job[static 64], struct orlop_error *ret_error)
{
        AUTO_BUF struct buf value = BUF_INIT;
        struct json_w w;
        jw_init(&w, &value, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "prefix", prefix);
        jw_cstr(&w, "prepend", prepend);
        jw_bool(&w, "dry_run", false);
        jw_bool(&w, "force", false);
        jw_object_end(&w);
        const char *text = buf_cstr(&value);
        if (!text)
                return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        return bucket_job(h, "POST", from, to, "copy-bck", text, ret_job, ret_error);
}

enum orlop_code orlop_bucket_props(struct orlop *h, const struct orlop_bucket *b, char **ret_json, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        client__request_init(&rq, "HEAD", "/v1/buckets");
        client__path_add(&rq, b->name);
        client__query_bucket(&rq, b);
        client__query_add(&rq, "dont_add_remote_bck_md", "true");
        struct http_reply *r;
        enum orlop_code code = client__send(h, &rq, &r, ret_error);
        if (code)
                return code;
        struct str props = http_reply_header(r, STR("Ais-Bucket-Props"));
        char *copy = props.n ? str_dup(props) : NULL;
        http_reply_close(r);
        if (!props.n)
                return client__error(ret_error, ORLOP_FAILED, "the answer carries no bucket properties");
        if (!copy)
                return client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        *ret_json = copy;
        return ORLOP_OK;
}

enum orlop_code orlop_bucket_props_set(struct orlop *h, const struct orlop_bucket *b, const char *props_json, char ret_job[static 64],
                                       struct orlop_error *ret_error)
{
        return bucket_job(h, "PATCH", b, NULL, "set-bprops", props_json, ret_job, ret_error);
}

enum orlop_code orlop_bucket_props_reset(struct orlop *h, const struct orlop_bucket *b, struct orlop_error *ret_error)
{
        return bucket_act(h, "PATCH", b, NULL, "reset-bprops", NULL, NULL, ret_error);
}

/* {"name","provider","namespace":{"uuid","name"}} */
static void read_bucket(const json_t *j, struct orlop_bucket *ret)
{
        *ret = (struct orlop_bucket){ 0 };
        str_copy(ret->name, sizeof(ret->name), json_str(json_object_get(j, "name")));
        str_copy(ret->provider, sizeof(ret->provider), json_str(json_object_get(j, "provider")));
        const json_t *ns = json_object_get(j, "namespace");
        struct str uuid = json_str(json_object_get(ns, "uuid")), name = json_str(json_object_get(ns, "name"));
        if (uuid.n || name.n)
                snprintf(ret->namespace_, sizeof(ret->namespace_), "%s" STR_FMT "%s" STR_FMT, uuid.n ? "@" : "", STR_ARG(uuid),
                         name.n ? "#" : "", STR_ARG(name));
}

static enum orlop_code parse_array(const struct buf *b, json_t **ret, struct orlop_error *ret_error)
{
        struct err *e = json_parse(buf_str(b), SIZE_MAX, ret);
        if (e)
                return client__error_of(ret_error, err_wrap(e, "answer of the server"));
        return ORLOP_OK;
}

enum orlop_code orlop_bucket_list(struct orlop *h, const char *provider, bool (*fn)(void *arg, const struct orlop_bucket *b), void *arg,
                                  struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf body = BUF_INIT, reply = BUF_INIT;
        AUTO_JSON json_t *j = NULL;
        client__request_init(&rq, "GET", "/v1/buckets");
        client__query_add(&rq, "presence", "2");
        if (provider)
                client__query_add(&rq, "provider", provider);
        client__envelope(&body, "list", "", NULL);
        rq.body = buf_str(&body);
        enum orlop_code code = client__do(h, &rq, &reply, NULL, ret_error);
        if (!code)
                code = parse_array(&reply, &j, ret_error);
        if (code)
                return code;
        for (size_t i = 0; i < json_array_size(j); i++) {
                struct orlop_bucket b;
                read_bucket(json_array_get(j, i), &b);
                if (!fn(arg, &b))
                        return client__error(ret_error, ORLOP_CANCELLED, "cancelled");
        }
        return ORLOP_OK;
}

/* ---- counting: a job on the server that is asked until it is done ---- */

static uint64_t number_of(const json_t *j, const char *section, const char *key)
{
        const json_t *v = json_object_get(json_object_get(j, section), key);
        uint64_t n = 0;
        if (json_is_string(v))
                (void)str_u64(json_str(v), &n);
        else if (json_is_integer(v) && json_integer_value(v) > 0)
                n = (uint64_t)json_integer_value(v);
        return n;
}

static void read_summary(const json_t *j, struct orlop_summary *ret)
{
        *ret = (struct orlop_summary){ 0 };
        read_bucket(j, &ret->bucket);
        ret->objects = number_of(j, "ObjCount", "obj_count_present");
        ret->bytes = number_of(j, "TotalSize", "size_all_present_objs");
        ret->disk_bytes = number_of(j, "TotalSize", "size_on_disk");
        ret->min_size = number_of(j, "ObjSize", "obj_min_size");
        ret->avg_size = number_of(j, "ObjSize", "obj_avg_size");
        ret->max_size = number_of(j, "ObjSize", "obj_max_size");
        json_int_t pct = json_integer_value(json_object_get(j, "used_pct"));
        ret->used_pct = pct > 0 && pct <= 100 ? (unsigned)pct : 0;
}

static enum orlop_code summary_ask(struct orlop *h, const struct orlop_bucket *b, const char *prefix, const char *uuid, struct buf *reply,
                                   int *ret_status, struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf body = BUF_INIT, value = BUF_INIT;
        struct json_w w;
        client__request_init(&rq, "GET", "/v1/buckets");
        client__path_add(&rq, b ? b->name : "");
        if (b)
                client__query_bucket(&rq, b);
        jw_init(&w, &value, false);
        jw_object(&w, NULL);
        jw_cstr(&w, "uuid", uuid);
        jw_cstr(&w, "prefix", prefix);
        jw_bool(&w, "cached", true);
        jw_bool(&w, "present", true);
        jw_object_end(&w);
        client__envelope(&body, "summary-bck", "", buf_cstr(&value));
        rq.body = buf_str(&body);
        struct http_reply *r;
        enum orlop_code code = client__do(h, &rq, reply, &r, ret_error);
        if (code)
                return code;
        *ret_status = http_reply_status(r);
        http_reply_close(r);
        return ORLOP_OK;
}

enum orlop_code orlop_bucket_summary(struct orlop *h, const struct orlop_bucket *b, const char *prefix,
                                     bool (*fn)(void *arg, const struct orlop_summary *s), void *arg, struct orlop_error *ret_error)
{
        AUTO_BUF struct buf reply = BUF_INIT;
        char uuid[64];
        int status;
        enum orlop_code code = summary_ask(h, b, prefix, "", &reply, &status, ret_error);
        if (code)
                return code;
        str_copy(uuid, sizeof(uuid), str_trim(buf_str(&reply)));
        for (int64_t wait = POLL_FIRST_NS; status == 202; wait = MIN(wait * 2, POLL_MAX_NS)) {
                clock_sleep_ns(wait);
                buf_clear(&reply);
                code = summary_ask(h, b, prefix, uuid, &reply, &status, ret_error);
                if (code)
                        return code;
        }
        AUTO_JSON json_t *j = NULL;
        code = parse_array(&reply, &j, ret_error);
        for (size_t i = 0; !code && i < json_array_size(j); i++) {
                struct orlop_summary s;
                read_summary(json_array_get(j, i), &s);
                if (!fn(arg, &s))
                        code = client__error(ret_error, ORLOP_CANCELLED, "cancelled");
        }
        return code;
}
