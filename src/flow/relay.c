/* flow/relay.c: reading a large content where it lies, while it has not yet been handed over to its owner.
 *
 * One stream from the other member as long as offsets follow each other, else a new one. When the other has handed it
 * over meanwhile, the same version is here, and is read here. */
#include "flow/priv.h"

struct flow_relay {
        struct node *node;
        struct rpc_peer peer;
        uint64_t bid, size;
        struct stamp stamp;
        struct http_reply *reply; /* open at `at`, or null */
        uint64_t at;
        struct content *local;    /* it has arrived */
        size_t name_n;
        char name[];
};

struct err *flow_relay_open(struct node *n, const struct cluster_member *from, const struct bucket *b, struct str name,
                            struct arena *a, struct obj_meta *ret_meta, struct flow_relay **ret)
{
        struct obj_meta m;
        TRY(flow__peer_head(n, from, b, name, a, &m));
        struct flow_relay *r = calloc(1, sizeof(*r) + name.n);
        if (r == NULL)
                return err_static(ERR_NO_MEMORY);
        r->node = n;
        r->peer = flow__peer_of(from);
        r->bid = b->bid;
        r->size = m.size;
        r->stamp = m.stamp;
        r->name_n = name.n;
        memcpy(r->name, name.p, name.n);
        struct err *e = flow__peer_open(n, &r->peer, r->bid, name, r->stamp, 0, &r->reply); /* pins it there */
        if (e != NULL) {
                flow_relay_close(r);
                return e;
        }
        *ret_meta = m;
        *ret = r;
        return NULL;
}

static struct err *open_local(struct flow_relay *r)
{
        struct obj_key key = { r->bid, { r->name, r->name_n } };
        struct content *c;
        struct err *e = store_open_object(r->node->store, &key, &c);
        if (err_code(e) == ERR_NOT_FOUND)
                return err_recode(e, ERR_CONFLICT, "the object was replaced while it was read");
        TRY(e);
        if (flow__stamp_cmp(content_meta(c)->stamp, r->stamp) != 0) {
                content_unref(c);
                return err_new(ERR_CONFLICT, "the object was replaced while it was read");
        }
        r->local = c;
        return NULL;
}

static struct err *seek(struct flow_relay *r, uint64_t offset)
{
        if (r->local != NULL || (r->reply != NULL && r->at == offset))
                return NULL;
        http_reply_close(r->reply);
        r->reply = NULL;
        r->at = offset;
        struct str name = { r->name, r->name_n };
        struct err *e = flow__peer_open(r->node, &r->peer, r->bid, name, r->stamp, offset, &r->reply);
        if (err_code(e) != ERR_CONFLICT)
                return e;
        err_free(e);
        return open_local(r);
}

static struct err *read_stream(struct flow_relay *r, char *p, size_t len)
{
        while (len > 0) {
                size_t got;
                TRY(http_reply_read(r->reply, p, len, &got));
                if (got == 0)
                        return err_new(ERR_CLOSED, "%s sent too little", r->peer.id);
                p += got;
                len -= got;
                r->at += got;
        }
        return NULL;
}

struct err *flow_relay_read(struct flow_relay *r, uint64_t offset, void *p, size_t len)
{
        ASSERT(offset <= r->size && len <= r->size - offset);
        if (len == 0)
                return NULL;
        TRY(seek(r, offset));
        if (r->local == NULL) {
                struct err *e = read_stream(r, p, len);
                if (e == NULL)
                        return NULL;
                err_free(e); /* once more: elsewhere, if it has moved */
                http_reply_close(r->reply);
                r->reply = NULL;
                TRY(seek(r, offset));
        }
        return r->local != NULL ? content_read(r->local, offset, p, len) : read_stream(r, p, len);
}

void flow_relay_close(struct flow_relay *r)
{
        if (r == NULL)
                return;
        http_reply_close(r->reply);
        if (r->local != NULL)
                content_unref(r->local);
        free(r);
}
