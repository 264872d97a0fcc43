/* store/handover.c: what a node of a cluster says to its store beyond reading and writing: the cluster's clock and
 * epoch, tombstones, copies that went to another node, confirmations, and the purge of what is settled.
 *
 * All decisions are the commit thread's (decide_given.c). A purge walks the records as a resilver does; it removes a
 * tombstone only where no older copy can be left on a mountpath, else the next resilver would find that one alive. */
#include "store/change.h"

void store_clock_observe(struct store *s, uint64_t hlc)
{
        store__stamp_seen(s, (struct stamp){ hlc, 0 });
}

uint64_t store_clock_now(struct store *s)
{
        return atomic_load(&s->hlc);
}

void store_set_epoch(struct store *s, uint64_t epoch)
{
        atomic_store(&s->epoch, epoch);
}

void store_set_tombstones(struct store *s, bool on)
{
        atomic_store(&s->tombstones, on);
}

static struct err *commit_in_set(struct store *s, struct commit_op *op)
{
        ASSERT_MAY_BLOCK();
        struct mp_set *set = store__set_enter(s);
        op->set = set;
        struct err *e = store__commit_here(set, op);
        store__set_leave(set);
        return e;
}

struct err *store_mark_moved(struct store *s, const struct obj_key *key, struct stamp stamp)
{
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = stamp };
        struct commit_op op = { .kind = COMMIT_MOVED, .key = *key, .cond = &cond };
        return commit_in_set(s, &op);
}

/* ---- many that moved ---- */

struct marking {
        struct commit_op op;
        struct obj_cond cond;
        struct marks *all;
};
struct marks {
        struct mutex lock;
        struct cond done;
        unsigned waiting; /* under lock */
};

static void mark_done(struct commit_op *op)
{
        struct marks *all = CONTAINER_OF(op, struct marking, op)->all;
        LOCK_SCOPE(&all->lock);
        if (--all->waiting == 0)
                cond_signal(&all->done);
}

/* Hands over what the queues take; what they do not is UNAVAILABLE for now. */
static void mark_submit(struct mp_set *set, struct marks *all, struct marking *m, const struct store_moved *what)
{
        *m = (struct marking){ .all = all, .cond = { .kind = COND_STAMP, .stamp = what->stamp } };
        m->op = (struct commit_op){
                .kind = COMMIT_MOVED, .key = *what->key, .cond = &m->cond, .set = set, .done = mark_done
        };
        mutex_lock(&all->lock);
        all->waiting++;
        mutex_unlock(&all->lock);
        if (store__commit_async(store__set_choose(set, obj_key_digest(what->key)), &m->op))
                return;
        m->op.err = err_static(ERR_UNAVAILABLE);
        mark_done(&m->op);
}

static void mark_together(struct store *s, struct marking *marks, struct store_moved *list, unsigned n)
{
        struct marks all = { .waiting = 0 };
        mutex_init(&all.lock, "marks", RANK_LEAF);
        cond_init(&all.done);
        struct mp_set *set = store__set_enter(s);
        for (unsigned i = 0; i < n; i++)
                mark_submit(set, &all, &marks[i], &list[i]);
        mutex_lock(&all.lock);
        while (all.waiting > 0)
                cond_wait(&all.done, &all.lock);
        mutex_unlock(&all.lock);
        store__set_leave(set);
        cond_fini(&all.done);
        mutex_fini(&all.lock);
        for (unsigned i = 0; i < n; i++)
                list[i].err = marks[i].op.err;
}

void store_mark_moved_all(struct store *s, struct store_moved *list, unsigned n)
{
        ASSERT_MAY_BLOCK();
        AUTO_FREE struct marking *marks = n > 1 ? calloc(n, sizeof(*marks)) : NULL;
        if (marks)
                mark_together(s, marks, list, n);
        for (unsigned i = 0; i < n; i++) {
                enum err_code code = err_code(list[i].err);
                /* Its queue was full, or its record lies on another mountpath: alone, which sees to that. */
                if (marks && code != ERR_UNAVAILABLE && code != ERR_BUSY && code != ERR_NOT_FOUND)
                        continue;
                if (marks)
                        err_free(list[i].err);
                list[i].err = store_mark_moved(s, list[i].key, list[i].stamp);
        }
}

struct err *store_put_tombstone(struct store *s, const struct obj_key *key, struct stamp stamp, uint64_t epoch)
{
        int64_t now = clock_wall_ns();
        struct record t = { .tombstone = true, .stamp = stamp, .epoch = epoch, .mtime_ns = now, .atime_ns = now };
        struct commit_op op = { .kind = COMMIT_TOMBSTONE, .key = *key, .record = &t };
        TRY(store__stamp_check(stamp));
        return commit_in_set(s, &op);
}

struct err *store_confirm(struct store *s, const struct obj_key *key, struct stamp stamp, uint64_t epoch)
{
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = stamp };
        struct commit_op op = { .kind = COMMIT_CONFIRM, .fast = true, .key = *key, .cond = &cond, .epoch = epoch };
        return commit_in_set(s, &op);
}

/* ---- purge ---- */

struct purge {
        struct store *store;
        uint64_t before, n, seen;
        bool (*go_on)(void *arg);
        void *arg;
};

static struct err *purge_one(struct purge *p, struct mountpath *mp, struct str k, struct str v)
{
        struct obj_key key;
        struct record r;
        TRY(record_key_parse(k, &key));
        TRY(record_decode_brief(k, v, &r));
        if (record_alive(&r) || r.stamp.hlc >= p->before || store__dropped(p->store, key.bid))
                return NULL;
        struct obj_cond cond = { .kind = COND_STAMP, .stamp = r.stamp };
        struct commit_op op = { .kind = COMMIT_PURGE, .fast = true, .key = key, .cond = &cond };
        struct mp_set *set = store__set_enter(p->store);
        struct err *e = set->mixed || set->tombstones ? err_static(ERR_NOT_FOUND) : store__commit(mp, &op);
        store__set_leave(set);
        if (err_code(e) == ERR_NOT_FOUND) /* replaced meanwhile, or not to be removed now */
                return NULL;
        TRY(e);
        p->n++;
        return NULL;
}

static struct err *purge_mountpath(struct purge *p, struct mountpath *mp)
{
        struct records_iter *it;
        TRY(records_iter_new(mp->records, RECORDS_OBJECTS, STR_NONE, STR_NONE, true, &it));
        struct err *e = NULL;
        for (records_iter_seek(it, STR_NONE); !e && records_iter_valid(it); records_iter_next(it)) {
                e = purge_one(p, mp, records_iter_key(it), records_iter_value(it));
                if (err_code(e) == ERR_CORRUPT) { /* stays for fsck, and for whoever asks for that object */
                        err_free(e);
                        e = NULL;
                }
                if (!e && p->seen++ % 256 == 0 &&
                    (atomic_load(&p->store->stopping) || (p->go_on && !p->go_on(p->arg))))
                        e = err_static(ERR_CANCELLED);
        }
        e = err_first(e, records_iter_error(it));
        records_iter_free(it);
        return e;
}

struct err *store_purge(struct store *s, uint64_t hlc_before, bool (*go_on)(void *arg), void *arg, uint64_t *ret_n)
{
        ASSERT_MAY_BLOCK();
        struct purge p = { .store = s, .before = hlc_before, .go_on = go_on, .arg = arg };
        for (unsigned i = 0; i < atomic_load(&s->nmp); i++) {
                struct mountpath *mp = s->mp[i];
                if (!mountpath_enter(mp))
                        continue;
                struct err *e = atomic_load(&mp->state) == MOUNTPATH_FAILED ? NULL : purge_mountpath(&p, mp);
                mountpath_leave(mp);
                TRY(e);
        }
        *ret_n = p.n;
        return NULL;
}
