/* store/resilver.c: moves every object to the mountpath that HRW gives it, and forgets older copies and tombstones that
 * nobody needs any more.
 *
 * Each mountpath's records are walked in order; a key that belongs elsewhere is moved (move.c: placed, then forgotten).
 * Requests go on meanwhile: a write that comes between wins by its stamp. The walk stands in the set for one key at a
 * time. Only a pass during which the set did not change proves that everything lies right; then the mixed mark goes.
 * Tombstones go when no absent mountpath can bring an old copy back, at the end of such a pass. */
#include "store/resilver.h"

#include "store/mountpath.h"
#include "store/move.h"

struct walk {
        struct store *store;
        bool (*go_on)(void *arg, uint64_t objects, uint64_t bytes);
        void *arg;
        uint64_t objects, bytes, seen;
        bool drop_tombstones;
};

static struct err *report(struct walk *w)
{
        if (atomic_load(&w->store->stopping) || (w->go_on && !w->go_on(w->arg, w->objects, w->bytes)))
                return err_new(ERR_CANCELLED, "resilver after %llu objects", (unsigned long long)w->objects);
        return NULL;
}

static struct err *forget_tombstone(struct mountpath *mp, const struct obj_key *key, struct stamp stamp)
{
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = stamp };
        struct commit_op op = { .kind = COMMIT_PURGE, .fast = true, .key = *key, .cond = &cond };
        struct err *e = store__commit(mp, &op);
        if (err_code(e) == ERR_NOT_FOUND)
                return NULL;
        return e;
}

/* What becomes of one record of mp. */
static struct err *visit(struct walk *w, struct mountpath *mp, struct str k, struct str v)
{
        struct obj_key key;
        struct record r;
        uint64_t bytes = 0;
        TRY(record_key_parse(k, &key));
        if (store__dropped(w->store, key.bid))
                return NULL;
        TRY(record_decode_brief(k, v, &r));
        struct mp_set *set = store__set_enter(w->store);
        struct mountpath *chosen = store__set_choose(set, obj_key_digest(&key));
        struct err *e = NULL;
        if (chosen != mp) {
                e = store__move(mp, chosen, &key, &bytes);
                if (err_code(e) == ERR_NOT_FOUND ||
                    err_code(e) == ERR_BUSY) /* removed or replaced since the walk read it */
                        e = NULL;
                w->objects += !e;
                w->bytes += bytes;
        } else if (r.tombstone && !r.moved && w->drop_tombstones && !set->mixed && !set->tombstones &&
                   !atomic_load(&w->store->tombstones)) /* no one left meanwhile, nor may other nodes have a copy */
                e = forget_tombstone(mp, &key, r.stamp);
        store__set_leave(set);
        return e;
}

static struct err *walk_mountpath(struct walk *w, struct mountpath *mp)
{
        struct records_iter *it;
        if (!mountpath_enter(mp))
                return err_new(ERR_BUSY, "mountpath %s is being taken out", mp->path);
        struct err *e = records_iter_new(mp->records, RECORDS_OBJECTS, STR_NONE, STR_NONE, true, &it);
        if (!e) {
                for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                        e = visit(w, mp, records_iter_key(it), records_iter_value(it));
                        if (!e && w->seen++ % 256 == 0)
                                e = report(w);
                }
                e = err_first(e, records_iter_error(it));
                records_iter_free(it);
        }
        mountpath_leave(mp);
        return e;
}

/* Everything lies where `set` wants it, if that still is the set: says so on all mountpaths. */
static struct err *settle(struct store *s, const struct mp_set *walked)
{
        struct peers p;
        struct mp_set *set;
        LOCK_SCOPE(&s->lock);
        if (atomic_load(&s->set) != walked)
                return NULL; /* the next resilver will */
        TRY(peers__load(s, &p));
        p.mixed = false;
        store__set_withdraw(s);
        struct err *e = peers__save(s, &p);
        if (!e)
                e = peers__set(s, &p, &set);
        if (e) {
                atomic_store(&s->set, s->sets);
                return e;
        }
        store__set_publish(s, set);
        return NULL;
}

struct err *store_resilver(struct store *s, bool (*go_on)(void *arg, uint64_t objects, uint64_t bytes), void *arg)
{
        ASSERT_MAY_BLOCK();
        struct walk w = { .store = s, .go_on = go_on, .arg = arg };
        const struct mp_set *set = atomic_load(&s->set);
        if (!set)
                return err_new(ERR_BUSY, "the mountpaths are being changed");
        for (unsigned i = 0; i < set->nall; i++)
                TRY(walk_mountpath(&w, set->mp[i]));
        if (set->mixed)
                TRY(settle(s, set));
        set = atomic_load(&s->set);
        if (!set || set->mixed || set->tombstones)
                return NULL;
        w.drop_tombstones = true; /* all older copies are gone now */
        for (unsigned i = 0; i < set->nall; i++)
                TRY(walk_mountpath(&w, set->mp[i]));
        return report(&w);
}

struct err *store__empty(struct store *s, struct mountpath *mp)
{
        struct walk w = { .store = s };
        return walk_mountpath(&w, mp);
}
