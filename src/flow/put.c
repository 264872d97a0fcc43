/* flow/put.c: one write: bytes go to the store while the checksums that are needed are computed on the way.
 *
 * Two checksums at most: the bucket's (stored, returned) and, when the client sent one of another algorithm, the
 * client's (only compared). A mismatch drops the write: the object stays what it was. */
#include "flow/priv.h"

#include "os/clock.h"

struct flow_put {
        struct node *node;
        const struct bucket *bucket; /* borrowed from the caller's snapshot */
        char name[OBJECT_NAME_MAX + 1];
        size_t name_len;
        struct flow_put_options o;
        char verify_value[CKSUM_HEX_MAX];
        char *custom;
        struct put *put;
        struct cksum_ctx *stored, *verify; /* verify null: not asked for, or the same as stored */
        int64_t start_ns;
};

static enum cksum_type same_algorithm(enum cksum_type t)
{
        return t == CKSUM_XXHASH ? CKSUM_XXHASH2 : t;
}

void flow_put_attrs(const struct bucket *b, struct put_attrs *ret)
{
        *ret = (struct put_attrs){
                .cksum_type = b->props.checksum.type,
                .versioned = b->props.versioning.enabled,
                .fast = b->props.fast,
        };
}

static void put_free(struct flow_put *p)
{
        cksum_free(p->stored);
        cksum_free(p->verify);
        free(p->custom);
        free(p);
}

struct err *flow_put_set_custom(struct flow_put *p, struct str custom)
{
        char *copy = custom.n > 0 ? str_dup(custom) : NULL;
        if (custom.n > 0 && copy == NULL)
                return err_static(ERR_NO_MEMORY);
        free(p->custom);
        p->custom = copy;
        p->o.custom = (struct str){ copy, custom.n };
        return NULL;
}

static struct err *put_prepare(struct flow_put *p, const struct flow_put_options *o)
{
        if (o->has_custom)
                TRY(flow_put_set_custom(p, o->custom));
        if (o->verify && !str_copy(p->verify_value, sizeof(p->verify_value), o->verify_value))
                return err_new(ERR_INVALID, "checksum value is too long (%zu characters)", o->verify_value.n);
        enum cksum_type stored = p->bucket->props.checksum.type;
        p->stored = cksum_new(stored);
        if (p->stored == NULL)
                return err_static(ERR_NO_MEMORY);
        if (o->verify && o->verify_type != CKSUM_NONE && same_algorithm(o->verify_type) != same_algorithm(stored)) {
                p->verify = cksum_new(o->verify_type);
                if (p->verify == NULL)
                        return err_static(ERR_NO_MEMORY);
        }
        return NULL;
}

struct err *flow_put_begin(struct node *n, const struct bucket *b, struct str name, const struct flow_put_options *o,
                           struct flow_put **ret)
{
        TRY(flow__check_owner(n, b, name));
        struct flow_put *p = calloc(1, sizeof(*p));
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        p->node = n;
        p->bucket = b;
        p->o = *o;
        p->start_ns = clock_mono_ns();
        ASSERT(str_copy(p->name, sizeof(p->name), name));
        p->name_len = name.n;
        struct obj_key key = { b->bid, { p->name, p->name_len } };
        struct err *e = put_prepare(p, o);
        if (e == NULL)
                e = flow__object_err(store_put_begin(n->store, &key, o->size, &p->put), b, name);
        if (e != NULL) {
                put_free(p);
                return e;
        }
        *ret = p;
        return NULL;
}

struct err *flow_put_write(struct flow_put *p, const void *data, size_t len)
{
        cksum_update(p->stored, data, len);
        if (p->verify != NULL)
                cksum_update(p->verify, data, len);
        return flow__object_err(store_put_write(p->put, data, len), p->bucket, (struct str){ p->name, p->name_len });
}

/* Compares what the client announced with what arrived. */
static struct err *put_verify(struct flow_put *p, const char *stored_hex)
{
        if (!p->o.verify || p->o.verify_type == CKSUM_NONE)
                return NULL;
        char hex[CKSUM_HEX_MAX];
        if (p->verify != NULL)
                cksum_final(p->verify, hex);
        else
                str_copy(hex, sizeof(hex), str_of(stored_hex));
        if (str_eq_nocase(str_of(hex), str_of(p->verify_value)))
                return NULL;
        stat_add(&p->node->stats, STAT_ERR_PUT_CKSUM_N, 1);
        char text[192];
        return err_new(ERR_BAD_CHECKSUM, "BAD CHECKSUM: %s/%s: expected %s(%s), got %s(%s)",
                       bck_text(&p->bucket->bck, text), p->name, cksum_type_name(p->o.verify_type), p->verify_value,
                       cksum_type_name(p->o.verify_type), hex);
}

/* At the gate. Ends p->put whatever the outcome. */
static struct err *put_owned(struct flow_put *p, const struct put_attrs *attrs, struct put_result *ret)
{
        AUTO_OWN struct flow_ownership own = { NULL, 0, false };
        struct gate_pass pass;
        struct put *put = p->put;
        struct put_attrs a = *attrs;
        struct str name = { p->name, p->name_len };
        p->put = NULL;
        struct err *e = a.cond.kind == COND_NONE ? flow__begin_replace(p->node, p->bucket, name, &own, &pass) :
                                                   flow__begin(p->node, p->bucket, name, &own, &pass);
        if (e != NULL) {
                store_put_abort(put);
                return e;
        }
        a.same_is_noop = a.same_is_noop && !own.partial;
        return flow__end(p->node, pass, store_put_commit(put, &a, ret));
}

struct err *flow_put_commit(struct flow_put *p, struct arena *a, struct obj_meta *ret_meta, bool *ret_noop)
{
        struct put_attrs attrs;
        struct put_result result;
        char hex[CKSUM_HEX_MAX];
        uint64_t size = store_put_size(p->put);
        cksum_final(p->stored, hex);
        struct err *e = put_verify(p, hex);
        if (e != NULL) {
                flow_put_abort(p);
                return e;
        }
        flow_put_attrs(p->bucket, &attrs);
        attrs.cksum = str_of(hex);
        attrs.custom = p->o.custom;
        attrs.custom_mode = p->o.custom_replace ? CUSTOM_REPLACE : CUSTOM_MERGE;
        attrs.cond = p->o.cond;
        /* Wire rule: equal content is "nothing to do" only when the client sent a checksum and did not ask to skip the
         * comparison. */
        attrs.same_is_noop = p->o.verify && !p->o.skip_vc && attrs.cksum_type != CKSUM_NONE && p->o.custom.n == 0;
        e = put_owned(p, &attrs, &result);
        if (e != NULL) {
                e = flow__object_err(e, p->bucket, (struct str){ p->name, p->name_len });
                put_free(p);
                return e;
        }
        *ret_meta = (struct obj_meta){
                .stamp = result.stamp,
                .version = result.version,
                .size = size,
                .mtime_ns = result.mtime_ns,
                .atime_ns = result.atime_ns,
                .cksum_type = attrs.cksum_type,
                .cksum = str_arena(a, str_of(hex)),
                .custom = p->o.custom.n ? str_arena(a, p->o.custom) : STR_NONE,
                .copies = 1,
        };
        *ret_noop = result.noop;
        stat_add(&p->node->stats, STAT_PUT_N, 1);
        stat_add(&p->node->stats, STAT_PUT_SIZE, (int64_t)size);
        stat_add(&p->node->stats, STAT_PUT_NS_TOTAL, clock_mono_ns() - p->start_ns);
        put_free(p);
        return NULL;
}

void flow_put_abort(struct flow_put *p)
{
        if (p == NULL)
                return;
        store_put_abort(p->put);
        put_free(p);
}
