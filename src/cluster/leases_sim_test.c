/* The rules of leases and epochs under random schedules: targets and leaders with clocks that run up to a tenth wrong,
 * pauses, restarts with an old state, lost and late messages, leaders that do not know yet that they were replaced.
 *
 * Two things must hold at every step. By leases and epochs alone, no two targets could begin to act on one key. With
 * rule 2 (who gains a key asks its earlier owners first), no two are at work on it, however long one of them was
 * stopped in the middle. Replayed by ORLOP_SEED, longer by ORLOP_STEPS. */
#include "cluster/test_util.h"

#include <string.h>

#include "base/hash.h"
#include "cluster/gate.h"
#include "cluster/leases.h"
#include "meta/placement.h"
#include "os/clock.h"
#include "os/random.h"

enum { TARGETS = 4, LEADERS = 3, KEYS = 6, STATES = 4096, MAIL = 256, STEP_US = 10000 };

static uint64_t rng;
static uint64_t rnd(uint64_t n)
{
        rng = hash_mix(rng + 0x9e3779b97f4a7c15);
        return rng % n;
}
static bool chance(unsigned per_million)
{
        return rnd(1000000) < per_million;
}

/* One state of the replicated log. */
struct world_state {
        struct epochs e;
        bool up[TARGETS], aside[TARGETS]; /* aside: in maintenance */
        uint64_t since[TARGETS];
        int owner[KEYS];               /* of the current placement */
        int earlier_owner[EPOCHS_EARLIER_HARD][KEYS];
};
struct process {
        double rate;
        int64_t clock; /* its own, ns */
        int64_t paused_until_us;
};
struct target {
        struct process p;
        struct gate g;
        unsigned seen;            /* index of the newest state here */
        uint64_t floor;           /* on its disk: the largest epoch confirmed */
        uint64_t confirmed, incarnation;
        int64_t next_beat;
        int only_leader;          /* cut off from the others until then; -1: from all */
        int64_t cut_until_us;
        bool holds[KEYS];
        unsigned slot[KEYS];
        int64_t hold_until_us[KEYS];
        uint64_t settled[KEYS];   /* epoch for which earlier owners were asked */
};
struct leader {
        struct process p;
        struct leases l;
        unsigned seen;
        int64_t fresh_until_us;   /* when replaced: until then it believes in itself */
};
struct mail {
        bool used, answer;
        int64_t due_us;
        int t, l;
        uint64_t incarnation, confirmed, open;
        int64_t sent; /* target's clock */
};

static struct {
        struct world_state *s;
        unsigned n; /* states; the newest is n - 1 */
        struct target t[TARGETS];
        struct leader l[LEADERS];
        int cur;    /* the leader */
        struct mail m[MAIL];
        int64_t now_us;
        uint64_t entries, epochs, downs, changes, restarts, stops;
} w;
static char names[TARGETS][16];

static void owners(struct world_state *s)
{
        for (unsigned k = 0; k < KEYS; k++) {
                for (int p = -1; p < (int)s->e.earlier_count; p++) {
                        const struct epoch_set *set = p < 0 ? &s->e.current : &s->e.earlier[p];
                        uint64_t digests[TARGETS];
                        int at = -1;
                        for (unsigned i = 0; i < set->n; i++)
                                digests[i] = placement_digest(str_of(set->targets[i].id));
                        if (set->n)
                                at = set->targets[placement_choose(digests, set->n, hash_mix(k + 77))].id[6] - '0';
                        *(p < 0 ? &s->owner[k] : &s->earlier_owner[p][k]) = at;
                }
        }
}

static struct world_state *newest(void)
{
        return &w.s[w.n - 1];
}

/* A copy of the newest state becomes the next one. */
static struct world_state *next_state(void)
{
        assert_true(w.n < STATES);
        struct world_state *s = &w.s[w.n];
        *s = w.s[w.n - 1];
        assert_ok(cluster__epochs_clone(&w.s[w.n - 1].e, &s->e));
        w.n++;
        return s;
}

static bool place(struct world_state *s, bool forced)
{
        const char *ids[TARGETS];
        unsigned n = 0;
        bool changed = false;
        for (unsigned i = 0; i < TARGETS; i++)
                if (s->up[i] && !s->aside[i])
                        ids[n++] = names[i];
        struct err *e = cluster__epochs_change(&s->e, ids, n, forced, &changed);
        w.epochs += changed;
        bool ok = !e;
        err_free(e);
        owners(s);
        return ok;
}

static void drop_state(void)
{
        w.n--;
        cluster__epochs_fini(&w.s[w.n].e);
}

static void tell(struct leader *l, unsigned index)
{
        const struct world_state *s = &w.s[index];
        struct lease_member list[TARGETS];
        for (unsigned i = 0; i < TARGETS; i++)
                list[i] = (struct lease_member){ names[i], names[i], s->up[i], s->since[i] };
        l->seen = index;
        assert_ok(cluster__leases_state(&l->l, list, TARGETS, l->p.clock));
}

static bool running(const struct process *p)
{
        return w.now_us >= p->paused_until_us;
}

/* ---- what happens ---- */

static void elect(int to)
{
        int from = w.cur;
        if (to == from)
                return;
        /* Two election time-outs by a clock that may be slow. */
        int64_t most = 2 * LEASE_ELECTION_NS / 1000 * 11 / 10;
        w.l[from].fresh_until_us = w.now_us + (chance(500000) ? most : (int64_t)rnd((uint64_t)most));
        w.cur = to;
        w.l[to].fresh_until_us = INT64_MAX;
        tell(&w.l[to], w.n - 1);
        cluster__leases_lead(&w.l[to].l, w.l[to].p.clock, false);
        w.changes++;
}

static void post(struct mail m)
{
        if (m.l < 0 || chance(100000))
                return; /* lost */
        m.due_us = w.now_us + (int64_t)(chance(30000) ? rnd(4000000) : rnd(60000));
        m.used = true;
        for (unsigned i = 0; i < MAIL; i++)
                if (!w.m[i].used) {
                        w.m[i] = m;
                        return;
                }
}

static void leader_duties(struct leader *l)
{
        if (!running(&l->p))
                return;
        if (!cluster__leases_tick(&l->l, l->p.clock))
                return;
        struct world_state *s = newest();
        (void)cluster__leases_open(&l->l, l->p.clock, &s->e);
        const char *dead = cluster__leases_dead(&l->l, l->p.clock, "", 0);
        if (dead) {
                s = next_state();
                int who = dead[6] - '0';
                cluster__leases_condemn(&l->l, names[who]);
                s->up[who] = false;
                if (!place(s, true))
                        drop_state();
                else
                        w.downs++;
                tell(l, w.n - 1);
                return;
        }
        for (int i = 0; i < TARGETS; i++) {
                if (s->up[i] || !cluster__leases_heard(&l->l, names[i], l->p.clock, NS_PER_SEC))
                        continue;
                s = next_state();
                s->up[i] = true;
                if (!place(s, false))
                        drop_state();
                else
                        s->since[i] = s->e.current.epoch;
                tell(l, w.n - 1);
                return;
        }
        if (chance(1500)) {
                s = next_state();
                int i = (int)rnd(TARGETS);
                s->aside[i] = !s->aside[i];
                if (!place(s, false))
                        drop_state();
                tell(l, w.n - 1);
        }
}

static void deliver(struct mail *m)
{
        struct target *t = &w.t[m->t];
        struct leader *l = &w.l[m->l];
        if (m->answer) {
                if (!running(&t->p)) {
                        m->due_us = t->p.paused_until_us;
                        return;
                }
                m->used = false;
                if (m->incarnation != t->incarnation)
                        return;
                cluster__gate_lease(&t->g, cluster__lease_end(m->sent));
                cluster__gate_open(&t->g, m->open);
                return;
        }
        if (!running(&l->p)) {
                m->due_us = l->p.paused_until_us;
                return;
        }
        m->used = false;
        bool fresh = w.now_us < l->fresh_until_us;
        if (cluster__leases_beat(&l->l, l->p.clock, fresh, names[m->t], m->incarnation, m->confirmed) != LEASE_GIVEN)
                return;
        struct mail answer = *m;
        answer.answer = true;
        answer.open = l->l.open;
        post(answer);
}

static void restart(struct target *t)
{
        for (unsigned k = 0; k < KEYS; k++)
                t->holds[k] = false;
        cluster__gate_init(&t->g);
        t->incarnation++;
        t->seen = t->seen - (unsigned)rnd(MIN(t->seen, 3u) + 1); /* what was on its disk may be older */
        t->confirmed = 0;
        memset(t->settled, 0, sizeof(t->settled));
        w.restarts++;
}

/* Rule 1: could it begin to act on this key now? */
static bool may_enter(const struct target *t, unsigned k)
{
        int me = (int)(t - w.t);
        const struct world_state *s = &w.s[t->seen];
        uint64_t epoch = s->e.current.epoch;
        if (t->g.newest >> 1 != epoch || epoch < t->floor || t->p.clock >= t->g.lease_until_ns || s->owner[k] != me)
                return false;
        for (unsigned i = 0; t->g.open < epoch && i < s->e.earlier_count; i++)
                if (s->e.earlier[i].epoch >= t->g.open && s->earlier_owner[i][k] != me)
                        return false;
        return true;
}

/* Rule 2: have those been asked that may hold something newer? */
static bool settle(struct target *t, unsigned k)
{
        int me = (int)(t - w.t);
        const struct world_state *s = &w.s[t->seen];
        if (t->settled[k] == s->e.current.epoch)
                return true;
        for (unsigned i = 0; i < s->e.earlier_count; i++) {
                int o = s->earlier_owner[i][k];
                if (o < 0 || o == me)
                        continue;
                bool pending = false;
                for (unsigned j = 0; j < s->e.earlier[i].n; j++)
                        pending |= s->e.earlier[i].targets[j].pending && s->e.earlier[i].targets[j].id[6] - '0' == o;
                /* It answers when it has confirmed this epoch itself. */
                if (pending && (!s->up[o] || !running(&w.t[o].p) || w.t[o].confirmed < s->e.current.epoch))
                        return false;
        }
        t->settled[k] = s->e.current.epoch;
        return true;
}

static void work(struct target *t, unsigned k)
{
        if (t->holds[k]) {
                if (w.now_us >= t->hold_until_us[k]) {
                        cluster__gate_leave(&t->g, t->slot[k]);
                        t->holds[k] = false;
                }
                return;
        }
        if (!may_enter(t, k) || !settle(t, k) || chance(700000))
                return;
        for (unsigned i = 0; i < TARGETS; i++)
                if (w.t[i].holds[k])
                        fail_msg("t=%lld us: target %d enters key %u while %u is inside", (long long)w.now_us,
                                 (int)(t - w.t), k, i);
        assert_true(cluster__gate_enter(&t->g, w.s[t->seen].e.current.epoch, t->p.clock, &t->slot[k]));
        t->holds[k] = true;
        t->hold_until_us[k] = w.now_us + (int64_t)(chance(2000) ? rnd(6000000) : rnd(30000));
        w.entries++;
}

static void target_step(struct target *t)
{
        int me = (int)(t - w.t);
        if (!running(&t->p))
                return;
        if (t->seen + 1 < w.n && chance(200000))
                t->seen += 1 + (unsigned)rnd(w.n - 1 - t->seen);
        uint64_t epoch = w.s[t->seen].e.current.epoch;
        if (epoch >= t->floor && cluster__gate_drained(&t->g))
                cluster__gate_move(&t->g, epoch);
        bool news = t->g.newest >> 1 == epoch && epoch > t->confirmed && cluster__gate_drained(&t->g);
        if (news) {
                t->floor = MAX(t->floor, epoch); /* synced first */
                t->confirmed = epoch;
        }
        if (news || t->p.clock >= t->next_beat) {
                t->next_beat = t->p.clock + NS_PER_SEC / 2;
                int l = chance(700000) ? w.cur : (int)rnd(LEADERS);
                if (w.now_us < t->cut_until_us)
                        l = t->only_leader;
                post((struct mail){ .t = me, .l = l, .incarnation = t->incarnation, .confirmed = t->confirmed,
                                    .sent = t->p.clock });
        }
        bool idle = true;
        for (unsigned k = 0; k < KEYS; k++) {
                work(t, k);
                idle &= !t->holds[k];
        }
        /* Clean: it has sent away what is not its own. */
        struct world_state *s = newest();
        if (idle && t->confirmed == s->e.current.epoch && chance(4000) && running(&w.l[w.cur].p) &&
            cluster__epochs_pending(&s->e, names[me])) {
                bool changed;
                s = next_state();
                assert_ok(cluster__epochs_clean(&s->e, names[me], t->confirmed, &changed));
                owners(s);
                tell(&w.l[w.cur], w.n - 1);
        }
}

static void mishaps(void)
{
        for (unsigned i = 0; i < TARGETS; i++) {
                struct target *t = &w.t[i];
                if (running(&t->p) && chance(250)) {
                        t->p.paused_until_us = w.now_us + (int64_t)rnd(12000000);
                        w.stops++;
                } else if (chance(150)) {
                        restart(t);
                }
                if (chance(500))
                        t->p.rate = chance(500000) ? 0.9 : 0.9 + (double)rnd(2001) / 10000;
                if (chance(300)) {
                        t->cut_until_us = w.now_us + (int64_t)rnd(8000000);
                        t->only_leader = chance(300000) ? -1 : w.cur;
                }
        }
        for (unsigned i = 0; i < LEADERS; i++) {
                struct leader *l = &w.l[i];
                if (running(&l->p) && chance(250)) {
                        l->p.paused_until_us = w.now_us + (int64_t)rnd(9000000);
                        w.stops++;
                }
                if (chance(500))
                        l->p.rate = chance(500000) ? 1.1 : 0.9 + (double)rnd(2001) / 10000;
        }
        if (chance(400) || (!running(&w.l[w.cur].p) && chance(15000)))
                elect((int)rnd(LEADERS));
}

static void check(void)
{
        for (unsigned k = 0; k < KEYS; k++) {
                int who = -1;
                for (int i = 0; i < TARGETS; i++) {
                        if (!may_enter(&w.t[i], k))
                                continue;
                        if (who >= 0)
                                fail_msg("t=%lld us: %d (epoch %llu) and %d (epoch %llu) may both act on key %u",
                                         (long long)w.now_us, who,
                                         (unsigned long long)w.s[w.t[who].seen].e.current.epoch, i,
                                         (unsigned long long)w.s[w.t[i].seen].e.current.epoch, k);
                        who = i;
                }
        }
}

/* Forgets states that nobody sees any more. */
static void compact(void)
{
        unsigned oldest = w.n - 1;
        for (unsigned i = 0; i < TARGETS; i++)
                oldest = MIN(oldest, w.t[i].seen > 3 ? w.t[i].seen - 3 : 0);
        for (unsigned i = 0; i < oldest; i++)
                cluster__epochs_fini(&w.s[i].e);
        memmove(w.s, w.s + oldest, (w.n - oldest) * sizeof(*w.s));
        w.n -= oldest;
        for (unsigned i = 0; i < TARGETS; i++)
                w.t[i].seen -= oldest;
}

/* young: as a cluster begins: one target founds it, the others join. */
static void begin(bool young)
{
        memset(&w, 0, sizeof(w));
        w.s = calloc(STATES, sizeof(*w.s));
        assert_non_null(w.s);
        const char *ids[TARGETS];
        for (int i = 0; i < TARGETS; i++) {
                snprintf(names[i], sizeof(names[i]), "target%d", i);
                ids[i] = names[i];
                w.s[0].up[i] = !young || i == 0;
                w.t[i].p = (struct process){ 1, (int64_t)rnd(1000) * NS_PER_SEC, 0 };
                cluster__gate_init(&w.t[i].g);
        }
        assert_ok(cluster__epochs_first(&w.s[0].e, ids, young ? 1 : TARGETS));
        owners(&w.s[0]);
        w.n = 1;
        for (int i = 0; i < LEADERS; i++) {
                w.l[i].p = (struct process){ 1, (int64_t)rnd(1000) * NS_PER_SEC, 0 };
                tell(&w.l[i], 0);
        }
        w.l[0].fresh_until_us = INT64_MAX;
        cluster__leases_lead(&w.l[0].l, w.l[0].p.clock, true); /* the cluster begins with it */
}

static void run(uint64_t steps)
{
        for (uint64_t i = 0; i < steps; i++) {
                w.now_us += STEP_US;
                for (unsigned k = 0; k < TARGETS; k++)
                        w.t[k].p.clock += (int64_t)(w.t[k].p.rate * STEP_US * 1000);
                for (unsigned k = 0; k < LEADERS; k++)
                        w.l[k].p.clock += (int64_t)(w.l[k].p.rate * STEP_US * 1000);
                mishaps();
                for (unsigned k = 0; k < MAIL; k++)
                        if (w.m[k].used && w.now_us >= w.m[k].due_us)
                                deliver(&w.m[k]);
                leader_duties(&w.l[w.cur]);
                for (unsigned k = 0; k < TARGETS; k++)
                        target_step(&w.t[k]);
                check();
                if (w.n > STATES / 2)
                        compact();
        }
}

static void end(void)
{
        for (unsigned i = 0; i < w.n; i++)
                cluster__epochs_fini(&w.s[i].e);
        free(w.s);
        for (unsigned i = 0; i < LEADERS; i++)
                cluster__leases_fini(&w.l[i].l);
}

static void seed(void)
{
        const char *text = getenv("ORLOP_SEED");
        rng = text ? strtoull(text, NULL, 10) : random_u64() % 1000000000;
        print_message("ORLOP_SEED=%llu\n", (unsigned long long)rng);
}

static void test_one_at_a_time(void **state)
{
        (void)state;
        const char *text = getenv("ORLOP_STEPS");
        uint64_t steps = text ? strtoull(text, NULL, 10) : 1500000;
        seed();
        begin(false);
        run(steps);
        print_message("entries %llu, epochs %llu, downs %llu, leaders %llu, restarts %llu, pauses %llu\n",
                      (unsigned long long)w.entries, (unsigned long long)w.epochs, (unsigned long long)w.downs,
                      (unsigned long long)w.changes, (unsigned long long)w.restarts, (unsigned long long)w.stops);
        /* A world in which nothing happens proves nothing. */
        assert_true(w.entries > steps / 50 && w.epochs > steps / 5000 && w.downs > steps / 50000 && w.changes > 10);
        end();
}

/* Who leads a cluster first waits for nobody: the others act within seconds, and still one at a time. */
static void test_first_seconds(void **state)
{
        (void)state;
        enum { WORLDS = 300, STEPS = 1500 };
        unsigned soon = 0;
        seed();
        for (unsigned i = 0; i < WORLDS; i++) {
                begin(true);
                run(300);
                soon += w.l[0].l.open > 1; /* three seconds: less than a leader's time of grace */
                run(STEPS - 300);
                end();
        }
        print_message("an epoch after the first was open within three seconds in %u of %d worlds\n", soon, WORLDS);
        assert_true(soon > WORLDS * 3 / 4);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_one_at_a_time), cmocka_unit_test(test_first_seconds) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
