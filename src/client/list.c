/* client/list.c: listing objects page by page. A page is asked for as JSON and handed out entry by entry; memory is one page. */
#include "client/priv.h"

#define LIST_NO_RECURSION 2048u
#define LIST_NAME_SIZE 32u
#define ENTRY_DIRECTORY 256u

struct list_state {
        char *uuid, *token; /* of the next page; heap */
        const char *prefix, *start_after;
        unsigned flags;
};

static void write_message(struct json_w *w, const struct list_state *s)
{
        bool details = s->flags & ORLOP_LIST_DETAILS;
        uint64_t flags = (s->flags & ORLOP_LIST_RECURSIVE ? 0 : LIST_NO_RECURSION) | (details ? 0 : LIST_NAME_SIZE);
        jw_object(w, NULL);
        jw_cstr(w, "uuid", s->uuid);
        jw_cstr(w, "prefix", s->prefix);
        jw_cstr(w, "props", details ? "name,size,checksum,atime,version,custom,copies,location" : "name,size");
        if (details)
                jw_cstr(w, "time_format", "2006-01-02T15:04:05Z07:00");
        if (s->start_after && !s->token)
                jw_cstr(w, "start_after", s->start_after);
        jw_cstr(w, "continuation_token", s->token);
        jw_u64s(w, "flags", flags);
        jw_uint(w, "pagesize", 0);
        jw_object_end(w);
}

static enum orlop_code ask_page(struct orlop *h, const struct orlop_bucket *b, const struct list_state *s, json_t **ret,
                                struct orlop_error *ret_error)
{
        AUTO_REQUEST struct client_request rq;
        AUTO_BUF struct buf value = BUF_INIT, body = BUF_INIT, reply = BUF_INIT;
        struct json_w w;
        jw_init(&w, &value, false);
        write_message(&w, s);
        client__request_init(&rq, "GET", "/v1/buckets");
        client__path_add(&rq, b->name);
        client__query_bucket(&rq, b);
        client__header_add(&rq, "Accept", "application/json");
        client__envelope(&body, "list", "", buf_cstr(&value));
        rq.body = buf_str(&body);
        enum orlop_code code = client__do(h, &rq, &reply, NULL, ret_error);
        if (code)
                return code;
        struct err *e = json_parse(buf_str(&reply), SIZE_MAX, ret);
        return e ? client__error_of(ret_error, err_wrap(e, "list of \"%s\"", b->name)) : ORLOP_OK;
}

static const char *text_of(const json_t *entry, const char *key)
{
        const char *v = json_string_value(json_object_get(entry, key));
        return v ? v : "";
}

static uint64_t number_of(const json_t *v)
{
        uint64_t n = 0;
        if (json_is_string(v))
                (void)str_u64(json_str(v), &n);
        else if (json_integer_value(v) > 0)
                n = (uint64_t)json_integer_value(v);
        return n;
}

static bool hand_out(const json_t *entries, bool (*fn)(void *arg, const struct orlop_entry *e), void *arg)
{
        for (size_t i = 0; i < json_array_size(entries); i++) {
                const json_t *j = json_array_get(entries, i);
                struct orlop_entry e = {
                        .name = text_of(j, "name"),
                        .size = number_of(json_object_get(j, "size")),
                        .dir = number_of(json_object_get(j, "flags")) & ENTRY_DIRECTORY,
                        .checksum = text_of(j, "checksum"),
                        .version = text_of(j, "version"),
                        .atime = text_of(j, "atime"),
                        .custom = text_of(j, "custom-md"),
                        .location = text_of(j, "location"),
                        .copies = (unsigned)MIN(number_of(json_object_get(j, "copies")), 1000u),
                };
                if (!fn(arg, &e))
                        return false;
        }
        return true;
}

/* Keeps what the next page is asked with; false at the end. A token that does not move on would list for ever. */
static bool next_page(struct list_state *s, const json_t *page, bool *ret_stuck)
{
        struct str token = json_str(json_object_get(page, "continuation_token"));
        *ret_stuck = s->token && str_eq(token, str_of(s->token));
        if (!token.n || *ret_stuck)
                return false;
        free(s->uuid);
        free(s->token);
        s->uuid = str_dup(json_str(json_object_get(page, "uuid")));
        s->token = str_dup(token);
        return true;
}

enum orlop_code orlop_list(struct orlop *h, const struct orlop_bucket *b, const char *prefix, const char *start_after, unsigned flags,
                           bool (*fn)(void *arg, const struct orlop_entry *e), void *arg, struct orlop_error *ret_error)
{
        struct list_state s = { .prefix = prefix, .start_after = start_after, .flags = flags };
        enum orlop_code code = ORLOP_OK;
        bool more = true, stuck = false;
        while (!code && more) {
                AUTO_JSON json_t *page = NULL;
                code = ask_page(h, b, &s, &page, ret_error);
                if (code)
                        break;
                if (!hand_out(json_object_get(page, "entries"), fn, arg))
                        code = client__error(ret_error, ORLOP_CANCELLED, "cancelled");
                more = next_page(&s, page, &stuck);
                if (!code && stuck)
                        code = client__error(ret_error, ORLOP_FAILED, "the server repeats the same page of the list");
                if (more && !s.token)
                        code = client__error(ret_error, ORLOP_NO_MEMORY, "out of memory");
        }
        free(s.uuid);
        free(s.token);
        return code;
}
