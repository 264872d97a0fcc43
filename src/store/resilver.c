/* store/resilver.c: moves every object to the mountpath that HRW gives it, and forgets older copies and tombstones that
 * nobody needs any more.
 *
 * Each mountpath's records are walked in order; a key that belongs elsewhere is moved (move.c: placed, then forgotten).
 * Requests go on meanwhile: a write that comes between wins by its stamp. The walk stands in the set for one key at a
 * time. Only a pass during which the set did not change proves that everything lies right; then the mixed mark goes.
 * Tombstones go when no absent mountpath can bring an old copy back, at the end of such a pass.
 *
 * An object that can not be read stays where it is, is said to the log and counted; all others are moved. The pass ends
 * with CORRUPT then, and the set stays mixed: the object goes on to answer with an error, not with "not found". */
#include "store/resilver.h"

#include "store/mountpath.h"
#include "store/move.h"

struct walk {
        struct store *store;
        bool (*go_on)(void *arg, uint64_t objects, uint64_t bytes);
        void *arg;
        uint64_t objects, bytes, seen;
        uint64_t corrupt; /* stay where they are */
        bool drop_tombstones;
};

static struct err *report(struct walk *w)
{
        if (atomic_load(&w->store->stopping) || (w->go_on && !w->go_on(w->arg, w->objects, w->bytes)))
                return err_new(ERR_CANCELLED, "resilver after %llu objects", (unsigned long long)w->objects);
        return NULL;
}

static void leave_corrupt(struct walk *w, const struct mountpath *mp, const struct obj_key *key, struct err *e)
{
        w->corrupt++;
        log_err(LOG_ERROR, LOG_FOLDER, e, "%s: " STR_FMT " of bucket %016llx can not be moved", mp->path,
                STR_ARG(key->name), (unsigned long long)key->bid);
}

/* The record of a key on one mountpath, in short; false if there is none that can be read. */
static bool brief_of(struct mountpath *mp, struct str k, struct record *ret)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct err *e = records_get(mp->records, RECORDS_OBJECTS, k, &v);
        if (!e)
                e = record_decode_brief(k, v.data, ret);
        bool found = !e;
        err_free(e);
        return found;
}

/* Whether a record still is the one that the walk read: then its content is missing, not replaced. */
static bool unchanged(struct mountpath *mp, struct str k, struct stamp stamp)
{
        struct record r;
        return brief_of(mp, k, &r) && record_alive(&r) && stamp_cmp(r.stamp, stamp) == 0;
}

/* An older copy that somebody is about to forget needs not be readable. */
static bool superseded(struct mountpath *chosen, struct str k, struct stamp stamp)
{
        struct record r;
        return brief_of(chosen, k, &r) && stamp_cmp(r.stamp, stamp) > 0;
}

static struct err *forget(struct mountpath *mp, const struct obj_key *key, enum commit_kind kind, struct stamp stamp)
{
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = stamp };
        struct commit_op op = { .kind = kind, .fast = true, .key = *key, .cond = &cond };
        struct err *e = store__commit(mp, &op);
        if (err_code(e) == ERR_NOT_FOUND)
                return NULL;
        return e;
}

/* Brings a record to the mountpath that it belongs to. */
static struct err *move_one(struct walk *w, struct mountpath *mp, struct mountpath *chosen, struct str k,
                            const struct obj_key *key, struct stamp stamp)
{
        uint64_t bytes = 0;
        struct err *e = store__move(mp, chosen, key, &bytes);
        bool gone = err_code(e) == ERR_NOT_FOUND || err_code(e) == ERR_BUSY;
        if (err_code(e) == ERR_CORRUPT || (gone && unchanged(mp, k, stamp))) {
                if (superseded(chosen, k, stamp)) {
                        err_free(e);
                        return forget(mp, key, COMMIT_FORGET, stamp);
                }
                leave_corrupt(w, mp, key, e);
                return NULL;
        }
        if (gone) { /* removed or replaced since the walk read it */
                err_free(e);
                return NULL;
        }
        TRY(e);
        w->objects++;
        w->bytes += bytes;
        return NULL;
}

/* What becomes of one record of mp. */
static struct err *visit(struct walk *w, struct mountpath *mp, struct str k, struct str v)
{
        struct obj_key key;
        struct record r;
        TRY(record_key_parse(k, &key));
        if (store__dropped(w->store, key.bid))
                return NULL;
        struct err *bad = record_decode_brief(k, v, &r);
        if (err_code(bad) == ERR_CORRUPT) {
                leave_corrupt(w, mp, &key, bad);
                return NULL;
        }
        TRY(bad);
        struct mp_set *set = store__set_enter(w->store);
        struct mountpath *chosen = store__set_choose(set, obj_key_digest(&key));
        struct err *e = NULL;
        if (chosen != mp) {
                e = move_one(w, mp, chosen, k, &key, r.stamp);
        } else if (r.tombstone && !r.moved && w->drop_tombstones && !set->mixed && !set->tombstones &&
                   !atomic_load(&w->store->tombstones)) /* no one left meanwhile, nor may other nodes have a copy */
                e = forget(mp, &key, COMMIT_PURGE, r.stamp);
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

static struct err *corrupt_left(const struct walk *w)
{
        if (!w->corrupt)
                return NULL;
        return err_new(ERR_CORRUPT, "%llu objects can not be read and stay where they are; see the log, and orlop fsck",
                       (unsigned long long)w->corrupt);
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
        TRY(corrupt_left(&w));
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
        TRY(walk_mountpath(&w, mp));
        return corrupt_left(&w);
}
