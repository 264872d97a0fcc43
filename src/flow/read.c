/* flow/read.c: opening, describing and removing one object.
 *
 * A failure keeps the store's code and gets the text that clients parse: `<provider>://<bucket>/<object> does not
 * exist`. */
#include "flow/priv.h"

#include "os/clock.h"

struct err *flow__object_err(struct err *e, const struct bucket *b, struct str name)
{
        if (e == NULL)
                return NULL;
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
        return flow__object_err(store_open_object(n->store, &key, ret), b, name);
}

struct err *flow_head(struct node *n, const struct bucket *b, struct str name, struct arena *a, struct obj_meta *ret)
{
        struct obj_key key = { b->bid, name };
        return flow__object_err(store_head(n->store, &key, a, ret), b, name);
}

struct err *flow_delete(struct node *n, const struct bucket *b, struct str name)
{
        struct obj_key key = { b->bid, name };
        struct err *e = store_delete(n->store, &key, NULL, b->props.fast);
        if (err_code(e) != ERR_NOT_FOUND)
                return flow__object_err(e, b, name);
        err_free(e);
        char text[192];
        /* The wire's text for a delete differs from that of a read. */
        return err_new(ERR_NOT_FOUND, "%s/" STR_FMT " doesn't exist", bck_text(&b->bck, text), STR_ARG(name));
}
