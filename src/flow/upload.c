/* flow/upload.c: multipart uploads and appends: work that began at one target and stays there.
 *
 * Upload ids are "<id of the store><digest of the target, base 36>", append handles "<target>|<id of the store>||": any
 * node finds from them where the pieces lie. Should the object be another target's when it is finished, its content is
 * sent there as an ordinary write, and the pieces are dropped afterwards: a crash in between leaves an upload that can
 * be completed once more. */
#include "flow/priv.h"

#include <stdio.h>

#define STORE_ID 16u /* characters of the store's ids */

/* ---- uploads ---- */

static struct err *no_upload(struct str id)
{
        return err_new(ERR_UPLOAD_NOT_FOUND, "upload \"" STR_FMT "\" does not exist", STR_ARG(id));
}

/* Base 36, as str_base36 writes it. */
static bool parse_base36(struct str s, uint64_t *ret)
{
        uint64_t v = 0;
        if (s.n == 0 || s.n > 13)
                return false;
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                unsigned digit = c >= '0' && c <= '9' ? (unsigned)(c - '0') :
                                 c >= 'a' && c <= 'z' ? (unsigned)(c - 'a') + 10 :
                                                        36;
                if (digit == 36 || v > (UINT64_MAX - digit) / 36)
                        return false;
                v = v * 36 + digit;
        }
        *ret = v;
        return true;
}

const struct cluster_node *flow_upload_target(const struct snapshot *s, struct str id)
{
        uint64_t digest;
        if (id.n <= STORE_ID || !parse_base36(str_skip(id, STORE_ID), &digest))
                return NULL;
        for (unsigned i = 0; i < s->node_count; i++)
                if (s->nodes[i].target && s->nodes[i].digest == digest)
                        return &s->nodes[i];
        return NULL;
}

/* The store's id of an upload whose parts are here. NOT_OWNER, UPLOAD_NOT_FOUND. */
static struct err *own_upload(struct node *n, struct str id, struct str *ret)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        uint64_t digest;
        if (id.n <= STORE_ID || !parse_base36(str_skip(id, STORE_ID), &digest))
                return no_upload(id);
        if (n->store == NULL || s->target == NULL || s->target->digest != digest)
                return flow_upload_target(s, id) != NULL ? err_static(ERR_NOT_OWNER) : no_upload(id);
        *ret = (struct str){ id.p, STORE_ID };
        return NULL;
}

struct err *flow_upload_create(struct node *n, const struct bucket *b, struct str name, struct str custom,
                               char ret_id[static FLOW_UPLOAD_ID_MAX])
{
        TRY(flow__check_owner(n, b, name));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        struct obj_key key = { b->bid, name };
        char id[STORE_ID + 1], digest[16];
        TRY(store_upload_create(n->store, &key, custom, id));
        snprintf(ret_id, FLOW_UPLOAD_ID_MAX, "%s%s", id, str_base36(s->target->digest, digest));
        return NULL;
}

struct err *flow_upload_part_begin(struct node *n, const struct bucket *b, struct str name, struct str id,
                                   unsigned part, int64_t size_hint, struct put **ret)
{
        struct obj_key key = { b->bid, name };
        TRY(own_upload(n, id, &id));
        return store_upload_part_begin(n->store, &key, id, part, size_hint, ret);
}

struct err *flow_upload_parts(struct node *n, const struct bucket *b, struct str name, struct str id, struct arena *a,
                              struct upload_part **ret, unsigned *ret_n)
{
        struct obj_key key = { b->bid, name };
        TRY(own_upload(n, id, &id));
        return store_upload_parts(n->store, &key, id, a, ret, ret_n);
}

static struct err *complete_here(struct node *n, const struct bucket *b, const struct obj_key *key, struct str id,
                                 const unsigned *parts, unsigned nparts, const struct flow_put_options *o)
{
        AUTO_OWN struct flow_ownership own = { NULL, 0, false };
        struct gate_pass pass;
        struct put_attrs attrs;
        struct put_result result;
        flow_put_attrs(b, &attrs);
        attrs.custom = o->custom;
        attrs.cond = o->cond;
        TRY(flow__begin_replace(n, b, key->name, &own, &pass));
        return flow__end(n, pass, store_upload_complete(n->store, key, id, parts, nparts, &attrs, &result));
}

struct err *flow_upload_custom(struct node *n, const struct bucket *b, struct str name, struct str id, struct arena *a,
                               struct str *ret)
{
        struct obj_key key = { b->bid, name };
        TRY(own_upload(n, id, &id));
        return store_upload_custom(n->store, &key, id, a, ret);
}

/* The object is another target's by now: it is sent there whole, as an ordinary write. */
static struct err *complete_away(struct node *n, const struct bucket *b, const struct obj_key *key, struct str id,
                                 const unsigned *parts, unsigned nparts, const struct flow_put_options *given)
{
        AUTO_ARENA struct arena a;
        AUTO_BUF struct buf pairs = BUF_INIT;
        struct content *c;
        struct str custom;
        if (given->cond.kind != COND_NONE && given->cond.kind != COND_ABSENT)
                return err_new(ERR_UNAVAILABLE, "the object belongs to another target by now");
        arena_init(&a, 1024, 0);
        TRY(store_upload_open(n->store, key, id, parts, nparts, &a, &custom, &c));
        struct flow_source source = { .size = content_meta(c)->size, .content = c };
        store_custom_merge(custom, given->custom, &pairs);
        struct flow_put_options o = {
                .size = (int64_t)source.size, .custom = buf_str(&pairs), .has_custom = true, .custom_replace = true,
                .cond = given->cond
        };
        struct err *e = buf_err(&pairs);
        if (e == NULL)
                e = flow__write_anywhere(n, b, key->name, &o, &source, NULL);
        content_unref(c);
        TRY(e);
        log_err(LOG_WARN, LOG_FOLDER, store_upload_abort(n->store, key, id), "a completed upload stays listed");
        return NULL;
}

struct err *flow_upload_complete(struct node *n, const struct bucket *b, struct str name, struct str id,
                                 const unsigned *parts, unsigned nparts, const struct flow_put_options *o)
{
        static const struct flow_put_options none;
        struct obj_key key = { b->bid, name };
        if (o == NULL)
                o = &none;
        TRY(own_upload(n, id, &id));
        struct err *e = complete_here(n, b, &key, id, parts, nparts, o);
        if (err_code(e) != ERR_NOT_OWNER)
                return e;
        err_free(e);
        return complete_away(n, b, &key, id, parts, nparts, o);
}

struct err *flow_upload_abort(struct node *n, const struct bucket *b, struct str name, struct str id)
{
        struct obj_key key = { b->bid, name };
        TRY(own_upload(n, id, &id));
        return store_upload_abort(n->store, &key, id);
}

/* ---- appends ---- */

/* Both parts are empty for an empty handle. */
static struct err *parse_handle(struct str handle, struct str *ret_target, struct str *ret_id)
{
        *ret_target = *ret_id = STR_NONE;
        if (handle.n == 0)
                return NULL;
        struct str rest = handle;
        struct str target = str_cut(&rest, '|');
        struct str id = str_cut(&rest, '|');
        if (target.n == 0 || !id_check(id))
                return err_new(ERR_INVALID, "invalid APPEND handle \"" STR_FMT "\"", STR_ARG(handle));
        *ret_target = target;
        *ret_id = id;
        return NULL;
}

struct err *flow_append_target(const struct snapshot *s, struct str handle, const struct cluster_node **ret)
{
        struct str target, id;
        TRY(parse_handle(handle, &target, &id));
        *ret = target.n > 0 ? snapshot_node(s, target) : NULL;
        if (*ret != NULL && !(*ret)->target)
                *ret = NULL;
        return NULL;
}

/* The store's id of an append whose pieces are here. NOT_OWNER. */
static struct err *own_append(struct node *n, struct str handle, struct str *ret_id)
{
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        struct str target;
        TRY(parse_handle(handle, &target, ret_id));
        if (n->store == NULL || (target.n > 0 && (s->target == NULL || !str_eq(target, str_of(s->target->id)))))
                return err_static(ERR_NOT_OWNER);
        return NULL;
}

/* A new append starts with what the object holds: it must be this node's, and still be when it has been copied. */
static struct err *begin_new(struct node *n, const struct bucket *b, const struct obj_key *key, char id[static 17],
                             struct put **ret)
{
        int64_t deadline = clock_mono_ns() + FLOW_WAIT_NS;
        for (;;) {
                AUTO_OWN struct flow_ownership own = { NULL, 0, false };
                TRY(flow_own(n, b, key->name, false, deadline, &own, NULL));
                TRY(store_append_begin(n->store, key, STR_NONE, id, ret));
                if (flow__is_current(n, &own))
                        return NULL;
                store_put_abort(*ret);
                if (clock_mono_ns() >= deadline)
                        return err_new(ERR_UNAVAILABLE, "the cluster's targets are changing");
        }
}

struct err *flow_append_begin(struct node *n, const struct bucket *b, struct str name, struct str handle,
                              struct flow_append *ret)
{
        struct obj_key key = { b->bid, name };
        struct str id;
        char new_id[17];
        struct put *put;
        TRY(own_append(n, handle, &id));
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        if (id.n == 0)
                TRY(begin_new(n, b, &key, new_id, &put));
        else
                TRY(store_append_begin(n->store, &key, id, new_id, &put));
        *ret = (struct flow_append){ .put = put, .fast = b->props.fast };
        snprintf(ret->handle, sizeof(ret->handle), "%s|%s||", s->target != NULL ? s->target->id : "", new_id);
        return NULL;
}

struct err *flow_append_write(struct flow_append *a, const void *data, size_t len)
{
        return store_put_write(a->put, data, len);
}

struct err *flow_append_end(struct flow_append *a)
{
        return store_append_end(a->put, a->fast);
}

void flow_append_abort(struct flow_append *a)
{
        store_put_abort(a->put);
}

static struct err *flush_here(struct node *n, const struct bucket *b, const struct obj_key *key, struct str id,
                              const struct put_attrs *attrs, enum cksum_type expect_type, struct str expect)
{
        AUTO_OWN struct flow_ownership own = { NULL, 0, false };
        struct gate_pass pass;
        struct put_result result;
        TRY(flow__begin(n, b, key->name, &own, &pass));
        return flow__end(n, pass, store_append_flush(n->store, key, id, attrs, expect_type, expect, &result));
}

/* The object is another target's by now: the content is sent there whole, as an ordinary write. */
static struct err *flush_away(struct node *n, const struct bucket *b, const struct obj_key *key, struct str id,
                              enum cksum_type expect_type, struct str expect)
{
        struct flow_source source = { .size = 0 };
        TRY(store_append_open(n->store, key, id, expect_type, expect, &source.append, &source.size));
        struct flow_put_options o = { .size = (int64_t)source.size };
        struct err *e = flow__write_anywhere(n, b, key->name, &o, &source, NULL);
        struct err *later = store_append_close(source.append, e == NULL);
        if (e != NULL) {
                err_free(later);
                return e;
        }
        log_err(LOG_WARN, LOG_FOLDER, later, "a flushed append stays listed");
        return NULL;
}

struct err *flow_append_flush(struct node *n, const struct bucket *b, struct str name, struct str handle,
                              enum cksum_type expect_type, struct str expect)
{
        struct obj_key key = { b->bid, name };
        struct put_attrs attrs;
        struct str id;
        TRY(own_append(n, handle, &id));
        if (id.n == 0)
                return err_new(ERR_INVALID, "failed to flush APPEND: the handle is empty");
        flow_put_attrs(b, &attrs);
        attrs.custom_mode = CUSTOM_MERGE; /* an appended object is still the same object: it keeps its pairs */
        struct err *e = flush_here(n, b, &key, id, &attrs, expect_type, expect);
        if (err_code(e) != ERR_NOT_OWNER)
                return e;
        err_free(e);
        return flush_away(n, b, &key, id, expect_type, expect);
}
