/* Who is at work on which upload or append: a short list of what is held now, as long as there are requests at work on
 * uploads.
 *
 * A part is committed under its own lock and a shared one of the upload; completing and aborting hold the upload alone.
 * Waiting is bounded by what the holders do: one commit, or, for complete, the reading of all parts. */
#include "store/upload.h"

struct err *store__uploads_new(struct store *s, struct uploads **ret)
{
        struct uploads *u = calloc(1, sizeof(*u));

        (void)s;
        if (!u)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&u->lock, "store.uploads", RANK_LEAF);
        cond_init(&u->changed);
        list_init(&u->held);
        *ret = u;
        return NULL;
}

void store__uploads_free(struct uploads *u)
{
        if (!u)
                return;
        ASSERT(list_empty(&u->held));
        cond_fini(&u->changed);
        mutex_fini(&u->lock);
        free(u);
}

static bool excluded_locked(const struct uploads *u, const struct upload_lock *l)
{
        LIST_FOREACH(pos, &u->held) {
                const struct upload_lock *h = LIST_ENTRY(pos, struct upload_lock, link);

                if (h->bid == l->bid && h->part == l->part && memcmp(h->id, l->id, UPLOAD_ID) == 0 &&
                    !(h->shared && l->shared))
                        return true;
        }
        return false;
}

static bool take(struct uploads *u, struct upload_lock *l, bool wait)
{
        LOCK_SCOPE(&u->lock);
        while (excluded_locked(u, l)) {
                if (!wait)
                        return false;
                cond_wait(&u->changed, &u->lock);
        }
        list_append(&u->held, &l->link);
        l->in = u;
        return true;
}

static void name_lock(uint64_t bid, struct str id, unsigned part, bool shared, struct upload_lock *l)
{
        ASSERT(id.n == UPLOAD_ID);
        *l = (struct upload_lock){ .bid = bid, .part = part, .shared = shared };
        memcpy(l->id, id.p, UPLOAD_ID);
}

void upload_lock(struct uploads *u, uint64_t bid, struct str id, unsigned part, bool shared, struct upload_lock *l)
{
        name_lock(bid, id, part, shared, l);
        (void)take(u, l, true);
}

bool upload_trylock(struct uploads *u, uint64_t bid, struct str id, unsigned part, bool shared, struct upload_lock *l)
{
        name_lock(bid, id, part, shared, l);
        return take(u, l, false);
}

void upload_unlock(struct upload_lock *l)
{
        struct uploads *u = l->in;

        if (!u)
                return;
        mutex_lock(&u->lock);
        list_remove(&l->link);
        l->in = NULL;
        cond_broadcast(&u->changed);
        mutex_unlock(&u->lock);
}
