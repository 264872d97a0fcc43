/* flow/change.c: what changes an object without writing content here: delete, custom metadata, another name.
 *
 * A new name may be another target's. Then the content is copied to it under the rules of an ordinary write, and the
 * old name is removed if it still is what was copied; if it is not, whoever changed it did so after the rename. */
#include "flow/priv.h"

/* The wire's text for a delete differs from that of a read. */
static struct err *delete_err(struct err *e, const struct bucket *b, struct str name)
{
        char text[192];
        if (err_code(e) != ERR_NOT_FOUND)
                return flow__object_err(e, b, name);
        err_free(e);
        return err_new(ERR_NOT_FOUND, "%s/" STR_FMT " doesn't exist", bck_text(&b->bck, text), STR_ARG(name));
}

/* cond may be null. Bare errors. */
static struct err *delete_owned(struct node *n, const struct bucket *b, struct str name, const struct obj_cond *cond)
{
        AUTO_OWN struct flow_ownership own = { NULL, 0, false };
        struct obj_key key = { b->bid, name };
        struct gate_pass pass;
        TRY(flow__begin(n, b, name, &own, &pass));
        return flow__end(n, pass, store_delete(n->store, &key, cond, b->props.fast));
}

struct err *flow_delete(struct node *n, const struct bucket *b, struct str name)
{
        return delete_err(delete_owned(n, b, name, NULL), b, name);
}

struct err *flow_set_custom(struct node *n, const struct bucket *b, struct str name, struct str custom, bool replace)
{
        AUTO_OWN struct flow_ownership own = { NULL, 0, false };
        struct obj_key key = { b->bid, name };
        struct gate_pass pass;
        struct err *e = flow__begin(n, b, name, &own, &pass);
        if (e == NULL)
                e = flow__end(n, pass, store_set_custom(n->store, &key, custom, replace, b->props.fast));
        return flow__object_err(e, b, name);
}

/* ---- rename ---- */

/* Both names are this node's under one epoch, and settled; then the gate. NOT_OWNER: one of them is not. */
static struct err *begin_both(struct node *n, const struct bucket *b, struct str from, struct str to,
                              struct flow_ownership *ret, struct gate_pass *ret_pass)
{
        int64_t deadline = clock_mono_ns() + FLOW_WAIT_NS;
        for (;;) {
                AUTO_OWN struct flow_ownership of_to = { NULL, 0, false };
                TRY(flow_own(n, b, to, false, deadline, &of_to, NULL));
                TRY(flow__begin(n, b, from, ret, ret_pass));
                if (ret->snap->placement.epoch == of_to.snap->placement.epoch)
                        return NULL;
                struct err *e = flow_leave(n, *ret_pass); /* the epoch changed in between: again */
                flow_own_end(ret);
                TRY(e);
                if (clock_mono_ns() >= deadline)
                        return err_new(ERR_UNAVAILABLE, "the cluster's targets are changing");
        }
}

static struct err *rename_here(struct node *n, const struct bucket *b, struct str from, struct str to)
{
        AUTO_OWN struct flow_ownership own = { NULL, 0, false };
        struct obj_key old = { b->bid, from }, new = { b->bid, to };
        struct gate_pass pass;
        TRY(begin_both(n, b, from, to, &own, &pass));
        return flow__end(n, pass, store_rename(n->store, &old, &new, b->props.fast));
}

static struct err *rename_away(struct node *n, const struct bucket *b, struct str from, struct str to)
{
        struct content *c;
        TRY(flow_open(n, b, from, &c));
        const struct obj_meta *m = content_meta(c);
        struct obj_cond same = { .kind = COND_STAMP, .stamp = m->stamp };
        struct flow_source source = { .size = m->size, .content = c };
        struct flow_put_options o = {
                .size = (int64_t)m->size, .custom = m->custom, .has_custom = true, .custom_replace = true
        };
        struct err *e = flow__write_anywhere(n, b, to, &o, &source, NULL);
        content_unref(c);
        if (e == NULL)
                e = delete_owned(n, b, from, &same);
        if (err_code(e) != ERR_PRECONDITION && err_code(e) != ERR_NOT_FOUND)
                return e;
        err_free(e);
        return NULL;
}

struct err *flow_rename(struct node *n, const struct bucket *b, struct str from, struct str to)
{
        TRY(flow__check_owner(n, b, from));
        struct err *e = rename_here(n, b, from, to);
        if (err_code(e) == ERR_NOT_OWNER) {
                err_free(e);
                e = rename_away(n, b, from, to);
        }
        return err_code(e) == ERR_NOT_FOUND ? flow__object_err(e, b, from) : e;
}
