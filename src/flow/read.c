/* flow/read.c: opening and describing one object.
 *
 * A failure keeps the store's code and gets the text that clients parse: `<provider>://<bucket>/<object> does not
 * exist`. */
#include "flow/priv.h"

#include "os/clock.h"

struct err *flow__object_err(struct err *e, const struct bucket *b, struct str name)
{
        if (e == NULL || e->code == ERR_NOT_OWNER)
                return e;
        char text[192];
        bck_text(&b->bck, text);
        if (e->code != ERR_NOT_FOUND)
                return err_wrap(e, "%s/" STR_FMT, text, STR_ARG(name));
        err_free(e);
        return err_new(ERR_NOT_FOUND, "%s/" STR_FMT " does not exist", text, STR_ARG(name));
}

struct err *flow_open(struct node *n, const struct bucket *b, struct str name, struct content **ret)
{
        struct obj_key key = { b->bid, name };
        for (;;) {
                AUTO_OWN struct flow_ownership own = { NULL, 0, false };
                struct err *e = flow_own(n, b, name, false, clock_mono_ns() + FLOW_WAIT_NS, &own, NULL);
                if (e == NULL)
                        e = store_open_object(n->store, &key, ret);
                if (err_code(e) != ERR_NOT_FOUND || flow__is_current(n, &own))
                        return flow__object_err(e, b, name);
                err_free(e); /* it may have been handed over in between */
        }
}

static struct err *open_read(struct node *n, const struct bucket *b, struct str name, struct arena *a,
                             const struct cluster_member *source, struct flow_object *ret)
{
        struct obj_key key = { b->bid, name };
        struct flow_object o = { .content = NULL };
        if (source != NULL) {
                TRY(flow_relay_open(n, source, b, name, a, &o.meta, &o.relay));
        } else {
                TRY(store_open_object(n->store, &key, &o.content));
                o.meta = *content_meta(o.content);
        }
        *ret = o;
        return NULL;
}

struct err *flow_open_read(struct node *n, const struct bucket *b, struct str name, struct arena *a,
                           struct flow_object *ret)
{
        int64_t deadline = clock_mono_ns() + FLOW_WAIT_NS;
        for (;;) {
                AUTO_OWN struct flow_ownership own = { NULL, 0, false };
                const struct cluster_member *source = NULL;
                struct err *e = flow_own(n, b, name, true, deadline, &own, &source);
                if (e == NULL)
                        e = open_read(n, b, name, a, source, ret);
                bool again = err_code(e) == ERR_CONFLICT ||
                             (err_code(e) == ERR_NOT_FOUND && !flow__is_current(n, &own));
                if (!again || clock_mono_ns() >= deadline)
                        return flow__object_err(e, b, name);
                err_free(e); /* it was handed over in between */
        }
}

void flow_object_close(struct flow_object *o)
{
        if (o->content != NULL)
                content_unref(o->content);
        flow_relay_close(o->relay);
        *o = (struct flow_object){ .content = NULL };
}

struct err *flow_head(struct node *n, const struct bucket *b, struct str name, struct arena *a, struct obj_meta *ret)
{
        struct obj_key key = { b->bid, name };
        int64_t deadline = clock_mono_ns() + FLOW_WAIT_NS;
        for (;;) {
                AUTO_OWN struct flow_ownership own = { NULL, 0, false };
                const struct cluster_member *source = NULL;
                struct err *e = flow_own(n, b, name, true, deadline, &own, &source);
                if (e == NULL)
                        e = source == NULL ? store_head(n->store, &key, a, ret) :
                                             flow__peer_head(n, source, b, name, a, ret);
                bool again = err_code(e) == ERR_CONFLICT ||
                             (err_code(e) == ERR_NOT_FOUND && !flow__is_current(n, &own));
                if (!again || clock_mono_ns() >= deadline)
                        return flow__object_err(e, b, name);
                err_free(e);
        }
}
