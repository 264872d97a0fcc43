/* store/peers.c: what every mountpath remembers of the others, so that a start with another set of directories knows
 * what may be missing or misplaced.
 *
 * Rows of RECORDS_META: "peers" the ids that were active together, "absent" the ids that were taken out and may come
 * back, "mixed" that objects may lie elsewhere than HRW says. A mountpath whose peers are not those of today has lived
 * in another set: the store is mixed until a resilver has looked at every record. Peers of old that are not here today
 * are absent: they may return with records that were replaced or deleted meanwhile. */
#include "store/mountpath.h"

static bool has(char (*ids)[32], unsigned n, const char *id)
{
        for (unsigned i = 0; i < n; i++)
                if (!strcmp(ids[i], id))
                        return true;
        return false;
}

static void add(char (*ids)[32], unsigned *n, const char *id)
{
        if (!has(ids, *n, id) && *n < STORE_MOUNTPATHS_MAX)
                str_copy(ids[(*n)++], 32, str_of(id));
}

static bool active(const struct mountpath *mp)
{
        int state = atomic_load(&mp->state);
        return atomic_load(&mp->open) && (state == MOUNTPATH_ACTIVE || state == MOUNTPATH_FAILED);
}

/* Reads a list of ids; absent row: *ret_found false. */
static struct err *get_ids(struct mountpath *mp, struct str row, char (*ids)[32], unsigned *n, bool *ret_found)
{
        AUTO_RECORDS_VALUE struct records_value v = { STR_NONE, NULL };
        struct err *e = records_get(mp->records, RECORDS_META, row, &v);
        *ret_found = !e;
        if (err_code(e) == ERR_NOT_FOUND)
                return NULL;
        TRY(e);
        struct buf_reader r = buf_reader_of(v.data);
        while (r.p != r.end && !r.bad) {
                char id[32];
                if (!str_copy(id, sizeof id, buf_get_lstr(&r)) || r.bad)
                        return err_new(ERR_CORRUPT, "list of mountpaths on %s", mp->path);
                add(ids, n, id);
        }
        return NULL;
}

static struct err *load_one(struct mountpath *mp, struct peers *p, char (*known)[32], unsigned *nknown,
                            unsigned *nwith_peers)
{
        char peers[STORE_MOUNTPATHS_MAX][32], unused[STORE_MOUNTPATHS_MAX][32];
        unsigned n = 0, nunused = 0;
        bool found, mixed;
        TRY(get_ids(mp, STR("peers"), peers, &n, &found));
        *nwith_peers += found;
        bool same = n == p->nactive;
        for (unsigned i = 0; i < n; i++) {
                add(known, nknown, peers[i]);
                same = same && has(p->active, p->nactive, peers[i]);
        }
        if (found && !same)
                p->mixed = true;
        TRY(get_ids(mp, STR("absent"), known, nknown, &found));
        TRY(get_ids(mp, STR("mixed"), unused, &nunused, &mixed));
        p->mixed |= mixed;
        return NULL;
}

struct err *peers__load(struct store *s, struct peers *ret)
{
        char known[STORE_MOUNTPATHS_MAX][32];
        unsigned nknown = 0, nwith = 0;
        memset(ret, 0, sizeof *ret);
        for (unsigned i = 0; i < s->nmp; i++)
                if (active(s->mp[i]))
                        add(ret->active, &ret->nactive, s->mp[i]->id);
        for (unsigned i = 0; i < s->nmp; i++)
                if (active(s->mp[i]))
                        TRY(load_one(s->mp[i], ret, known, &nknown, &nwith));
        if (nwith && nwith < ret->nactive) /* a new one among old ones */
                ret->mixed = true;
        for (unsigned i = 0; i < nknown; i++)
                if (!has(ret->active, ret->nactive, known[i]))
                        add(ret->absent, &ret->nabsent, known[i]);
        return NULL;
}

static void add_ids(struct buf *b, const char (*ids)[32], unsigned n)
{
        for (unsigned i = 0; i < n; i++)
                buf_add_lstr(b, str_of(ids[i]));
}

struct err *peers__save(struct store *s, const struct peers *p)
{
        AUTO_BUF struct buf active_ids = BUF_INIT, absent_ids = BUF_INIT;
        add_ids(&active_ids, p->active, p->nactive);
        add_ids(&absent_ids, p->absent, p->nabsent);
        TRY(buf_err(&active_ids));
        TRY(buf_err(&absent_ids));
        struct commit_row rows[3] = { { RECORDS_META, STR("peers"), buf_str(&active_ids), false },
                                      { RECORDS_META, STR("absent"), buf_str(&absent_ids), p->nabsent == 0 },
                                      { RECORDS_META, STR("mixed"), STR(""), !p->mixed } };
        for (unsigned i = 0; i < s->nmp; i++)
                if (active(s->mp[i]) && atomic_load(&s->mp[i]->state) != MOUNTPATH_FAILED)
                        TRY(store__commit_rows(s->mp[i], rows, 3, false));
        return NULL;
}

struct err *peers__set(struct store *s, const struct peers *p, struct mp_set **ret)
{
        struct mp_set *set = calloc(1, sizeof *set);
        if (!set)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < s->nmp; i++)
                if (active(s->mp[i]))
                        set->mp[set->n++] = s->mp[i];
        set->nall = set->n;
        for (unsigned i = 0; i < s->nmp; i++)
                if (atomic_load(&s->mp[i]->open) && !active(s->mp[i]))
                        set->mp[set->nall++] = s->mp[i];
        set->mixed = p->mixed || set->nall > set->n;
        set->tombstones = p->nabsent > 0;
        for (unsigned i = 0; i < s->nmp && !set->unopened; i++)
                if (atomic_load(&s->mp[i]->unopened))
                        set->unopened = s->mp[i];
        if (!set->n) {
                free(set);
                return err_new(ERR_INVALID, "no mountpath is active");
        }
        *ret = set;
        return NULL;
}
