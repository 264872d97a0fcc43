/* cluster/duty.c: what the leader does of itself: takes over, declares members down and back, opens epochs, chooses
 * voters, rotates keys, raises the ceiling of time, ends the time of tombstones.
 *
 * One thread on each process that can lead; it sleeps until its engine leads. Every step is one change, decided against
 * the state of the moment and ordered under this leadership: who does not lead any more orders nothing. */
#define LOG_FOLDER "cluster"

#include "base/log.h"
#include "cluster/many.h"
#include "cluster/voters.h"
#include "os/clock.h"

#include <stdio.h>

#define TICK_NS (NS_PER_SEC / 10)
#define SLOW_NS NS_PER_SEC
/* Time may jump by so much with a new leader: less than what signed redirects live. */
#define CEILING_AHEAD_NS (20 * NS_PER_SEC)
#define PURGE_AFTER_NS (30 * NS_PER_SEC)
#define VOTER_WAIT_NS (8 * NS_PER_SEC)

void cluster__duty_kick(struct many *m)
{
        LOCK_SCOPE(&m->lease);
        m->duty_kicked = m->voters_kicked = true;
        cond_signal(&m->duty_now);
        cond_signal(&m->voters_now);
}

/* ---- taking over ---- */

static int64_t ceiling_of(const struct state *s)
{
        const struct doc_ref *d = cluster__docs_get(&s->docs, STR("time"));
        AUTO_JSON json_t *j = NULL;
        int64_t ns = 0;
        if (!d || !d->body.n)
                return 0;
        err_free(json_parse(d->body, DOC_BODY_MAX, &j));
        return str_i64(json_str(json_object_get(j, "ceiling")), &ns) ? ns : 0;
}

static struct err *set_ceiling(struct state *s, int64_t ns)
{
        char text[64];
        snprintf(text, sizeof(text), "{\"ceiling\":\"%lld\"}", (long long)ns);
        return cluster__docs_put(&s->docs, STR("time"), str_of(text), 0);
}

/* The state as the book of leases must see it; opens what can be opened. */
static struct err *tell_leases(struct many *m, bool lead)
{
        struct cluster *c = m->c;
        struct epochs epochs;
        struct lease_member *list = NULL;
        mutex_lock(&c->publish);
        const struct state *s = &c->state;
        struct err *e = cluster__epochs_clone(&s->epochs, &epochs);
        unsigned n = s->member_count;
        char(*ids)[2][NODE_ID_MAX + 1] = calloc((size_t)n + 1, sizeof(*ids));
        if (!e && !(ids && (list = calloc((size_t)n + 1, sizeof(*list))))) {
                cluster__epochs_fini(&epochs);
                e = err_static(ERR_NO_MEMORY);
        }
        for (unsigned i = 0; !e && i < n; i++) {
                const struct member *x = &s->members[i];
                str_copy(ids[i][0], sizeof(ids[i][0]), str_of(x->m.id));
                str_copy(ids[i][1], sizeof(ids[i][1]), str_of(x->m.target));
                list[i] = (struct lease_member){ ids[i][0], ids[i][1], x->m.up, x->since };
        }
        mutex_unlock(&c->publish);
        uint64_t before = 0, open = 0;
        if (!e) {
                LOCK_SCOPE(&m->lease);
                e = cluster__leases_state(&m->leases, list, n, clock_mono_ns());
                if (!e && lead) {
                        cluster__leases_lead(&m->leases, clock_mono_ns(), m->founder);
                        m->founder = false;
                }
                before = m->leases.open;
                open = e ? before : cluster__leases_open(&m->leases, clock_mono_ns(), &epochs);
                cluster__epochs_fini(&epochs);
        }
        free(list);
        free(ids);
        if (open != before) {
                cluster__gate_open(&c->gate, open);
                cluster__news(c);
                cluster__beat_kick(m);
        }
        return e;
}

/* Takes over what a member says of itself. */
static void describe(struct member *x, const struct member *self)
{
        x->m.incarnation = self->m.incarnation;
        x->m.port = self->m.port;
        x->m.voter = self->m.voter;
        x->feature_level = self->feature_level;
        memcpy(x->m.host, self->m.host, sizeof(x->m.host));
        memcpy(x->addr, self->addr, sizeof(x->addr));
}

static struct err *take_over(struct many *m)
{
        struct cluster *c = m->c;
        struct engine_status st;
        engine_status(m->engine, &st);
        TRY(cluster__wait_index(c, cluster__fed_index(m), clock_mono_ns() + 5 * NS_PER_SEC));
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin_duty(c, &ch));
        struct state *s = &ch.next;
        struct member *me = cluster__state_member(s, str_of(c->id.member));
        if (!me)
                return err_new(ERR_FOREIGN, "this process is not a member of the cluster any more");
        cluster__clock_lead(m, ceiling_of(s));
        TRY(set_ceiling(s, cluster__clock_now(m) + CEILING_AHEAD_NS));
        struct member self;
        cluster__many_self(m, &self);
        describe(me, &self);
        bool other = strcmp(s->primary, c->id.member) != 0;
        str_copy(s->primary, sizeof(s->primary), str_of(c->id.member));
        s->term = st.role.term;
        if (!me->m.up) {
                me->m.up = true;
                me->m.down_ns = 0;
                TRY(cluster__state_place(s, true));
                me->since = s->epochs.current.epoch;
        }
        bool key;
        TRY(cluster__keys_rotate(m, s, &key)); /* redirects need one from the beginning */
        /* The others' branch is lost: who has seen more of it must take this one as a whole. */
        bool recovered = m->recoveries > c->local.recoveries;
        if (recovered)
                s->generation++;
        if (other || !config_str_at(s->config->c, CONFIG_O_PROXY_PRIMARY_URL)[0]) {
                s->config_version++;
                TRY(cluster__state_config_stamp(s, clock_wall_ns()));
        }
        TRY(cluster__change_commit(&ch));
        if (recovered) {
                LOCK_SCOPE(&c->publish);
                struct local l = c->local;
                l.recoveries = m->recoveries;
                TRY(cluster__local_write(c->dir, c->id.uuid, &l, &c->state));
                c->local = l;
        }
        cluster__clock_ceiling(m, ceiling_of(s));
        TRY(tell_leases(m, true));
        atomic_store(&m->deciding, true);
        log_info("this process leads the cluster (term %llu)", (unsigned long long)st.role.term);
        cluster__beat_kick(m);
        return NULL;
}

static void step_down(struct many *m)
{
        atomic_store(&m->deciding, false);
        mutex_lock(&m->lease);
        cluster__leases_follow(&m->leases);
        m->news_count = 0;
        mutex_unlock(&m->lease);
        log_info("this process does not lead any more");
}

/* ---- members ---- */

static struct err *declare_down(struct many *m, const char *id)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(m->c, &ch));
        struct member *x = cluster__state_member(&ch.next, str_of(id));
        if (!x || !x->m.up)
                return NULL;
        x->m.up = false;
        x->m.down_ns = cluster__clock_now(m);
        TRY(cluster__state_place(&ch.next, true));
        log_warn("member %s has been silent for %d s: it is down", id, (int)(LEASE_DOWN_NS / NS_PER_SEC));
        return cluster__change_commit(&ch);
}

static struct err *bring_back(struct many *m, const char *id)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(m->c, &ch));
        struct member *x = cluster__state_member(&ch.next, str_of(id));
        if (!x || x->m.up)
                return NULL;
        x->m.up = true;
        x->m.down_ns = 0;
        TRY(cluster__state_place(&ch.next, false));
        x = cluster__state_member(&ch.next, str_of(id));
        x->since = ch.next.epochs.current.epoch;
        TRY(cluster__change_commit(&ch));
        log_info("member %s is up", id);
        return NULL;
}

static struct err *write_news(struct many *m, const struct member *news)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(m->c, &ch));
        struct member *x = cluster__state_member(&ch.next, str_of(news->m.id));
        if (!x)
                return NULL;
        describe(x, news);
        /* Documents of a newer kind may be written when all understand them. */
        uint64_t level = m->c->feature_level;
        for (unsigned i = 0; i < ch.next.member_count; i++)
                level = MIN(level, ch.next.members[i].feature_level);
        ch.next.feature_level = MAX(ch.next.feature_level, level);
        return cluster__change_commit(&ch);
}

static void members(struct many *m)
{
        char dead[8][NODE_ID_MAX + 1], back[8][NODE_ID_MAX + 1];
        unsigned dead_n = 0, back_n = 0;
        struct member news;
        bool have_news = false;
        int64_t now = clock_mono_ns();
        mutex_lock(&m->lease);
        for (const char *id; dead_n < ARRAY_LEN(dead) &&
                             (id = cluster__leases_dead(&m->leases, now, m->c->id.member, dead_n)) != NULL;)
                str_copy(dead[dead_n++], NODE_ID_MAX + 1, str_of(id));
        for (unsigned i = 0; i < dead_n; i++)
                cluster__leases_condemn(&m->leases, dead[i]);
        for (unsigned i = 0; i < m->leases.n && back_n < ARRAY_LEN(back); i++) {
                const struct lease_entry *x = &m->leases.list[i];
                if (!x->up && cluster__leases_heard(&m->leases, x->id, now, NS_PER_SEC))
                        str_copy(back[back_n++], NODE_ID_MAX + 1, str_of(x->id));
        }
        if (m->news_count) {
                news = m->news[--m->news_count];
                have_news = true;
        }
        mutex_unlock(&m->lease);
        for (unsigned i = 0; i < dead_n; i++)
                log_err(LOG_WARN, LOG_FOLDER, declare_down(m, dead[i]), "member %s can not be declared down", dead[i]);
        if (have_news)
                log_err(LOG_WARN, LOG_FOLDER, write_news(m, &news), "what member %s says of itself", news.m.id);
        for (unsigned i = 0; i < back_n; i++)
                log_err(LOG_WARN, LOG_FOLDER, bring_back(m, back[i]), "member %s can not come back", back[i]);
}

/* ---- voters ---- */

static unsigned candidates(struct many *m, struct voter_candidate *list, char (*addresses)[272], unsigned max)
{
        struct raft_voter voters[RAFT_VOTERS_MAX];
        unsigned n = 0, voters_n = engine_voters(m->engine, voters);
        struct cluster *c = m->c;
        LOCK_SCOPE(&c->publish);
        for (unsigned i = 0; i < c->state.member_count && n < max; i++) {
                const struct member *x = &c->state.members[i];
                if (!x->m.proxy[0] || !x->m.port)
                        continue;
                bool v6 = strchr(x->m.host, ':') != NULL;
                snprintf(addresses[n], sizeof(addresses[n]), "%s%s%s:%u", v6 ? "[" : "", x->m.host, v6 ? "]" : "",
                         x->m.port);
                struct voter_candidate *v = &list[n++];
                *v = (struct voter_candidate){
                        .id = x->voter_id,
                        .joined_ns = x->m.joined_ns,
                        .electable = x->m.voter && !(x->m.proxy_flags & (NODE_NON_ELECTABLE | NODE_MAINTENANCE |
                                                                         NODE_DECOMMISSION)),
                        .up = x->m.up,
                        .member = true,
                        .leader = x->voter_id == c->id.voter_id,
                };
        }
        for (unsigned k = 0; k < voters_n; k++) {
                unsigned i = 0;
                while (i < n && list[i].id != voters[k].id)
                        i++;
                if (i == n && n < max)
                        list[n++] = (struct voter_candidate){ .id = voters[k].id };
                if (i == n)
                        continue;
                list[i].voting = voters[k].voting;
                list[i].listed = true;
                list[i].moved = list[i].member && strcmp(voters[k].address, addresses[i]) != 0;
        }
        return n;
}

/* One step. True: it was made, and there may be another one. */
static bool voters(struct many *m)
{
        enum { MAX_PROXIES = 64 };
        static const char *const words[] = { "", "add", "remove", "hand leadership over to" };
        struct voter_candidate list[MAX_PROXIES];
        char(*addresses)[272] = calloc(MAX_PROXIES, sizeof(*addresses));
        if (!addresses)
                return false;
        unsigned n = candidates(m, list, addresses, MAX_PROXIES), at = 0;
        uint64_t id = 0;
        enum voter_step step = cluster__voters_step(list, n, &id);
        while (at < n && list[at].id != id)
                at++;
        struct err *e = NULL;
        int64_t deadline = clock_mono_ns() + VOTER_WAIT_NS;
        if (step == VOTER_ADD)
                e = engine_voter_add(m->engine, id, addresses[at], deadline);
        else if (step == VOTER_REMOVE)
                e = engine_voter_remove(m->engine, id, deadline);
        else if (step == VOTER_HAND_OVER)
                e = engine_transfer(m->engine, id, deadline);
        bool made = step != VOTER_NOTHING && !e;
        if (made)
                log_info("%s voter %s", words[step], addresses[at]);
        log_err(LOG_WARN, LOG_FOLDER, e, "%s voter %s", words[step], at < n ? addresses[at] : "");
        free(addresses);
        return made;
}

/* ---- slow duties ---- */

struct slow {
        int64_t next_ns;
        int64_t settled_since_ns; /* 0: something is not settled */
        uint64_t settled_mark;
        bool purged;
};

static struct err *keep_time_and_keys(struct many *m, struct slow *w)
{
        AUTO_CHANGE struct change ch = { .c = NULL };
        TRY(cluster__change_begin(m->c, &ch));
        struct state *s = &ch.next;
        int64_t now = clock_mono_ns(), ceiling = ceiling_of(s);
        bool key = false, raise = ceiling - cluster__clock_now(m) < CEILING_AHEAD_NS / 2, settle = false;
        if (raise)
                TRY(set_ceiling(s, cluster__clock_now(m) + CEILING_AHEAD_NS));
        TRY(cluster__keys_rotate(m, s, &key));
        bool unsettled = s->epochs.earlier_count > 0;
        for (unsigned i = 0; i < s->member_count; i++)
                unsettled |= s->members[i].m.target[0] && !s->members[i].m.up;
        if (unsettled) {
                w->settled_since_ns = 0;
                w->purged = false;
        } else if (!w->settled_since_ns) {
                w->settled_mark = (uint64_t)cluster_time_ns(m->c);
                mutex_lock(&m->lease);
                w->settled_mark = MAX(m->largest_heard, w->settled_mark);
                mutex_unlock(&m->lease);
                w->settled_since_ns = now;
        } else if (!w->purged && now - w->settled_since_ns > PURGE_AFTER_NS) {
                settle = w->settled_mark > s->settled_hlc;
                if (settle)
                        s->settled_hlc = w->settled_mark;
        }
        if (raise || key || settle)
                TRY(cluster__change_commit(&ch));
        if (settle)
                w->purged = true;
        if (raise)
                cluster__clock_ceiling(m, ceiling_of(s));
        return NULL;
}

/* Changes of voters wait for the other side: on a thread of their own, so that verdicts go on. */
static void voters_main(void *arg)
{
        struct many *m = arg;
        while (!atomic_load(&m->stopping)) {
                if (cluster__many_leads(m) && voters(m))
                        continue;
                LOCK_SCOPE(&m->lease);
                while (!m->voters_kicked && !atomic_load(&m->stopping))
                        if (!cond_wait_until(&m->voters_now, &m->lease, clock_mono_ns() + SLOW_NS))
                                break;
                m->voters_kicked = false;
        }
}

static void duty_main(void *arg)
{
        struct many *m = arg;
        struct slow slow = { .next_ns = 0 };
        struct thread *voter_thread = NULL;
        log_err(LOG_ERROR, LOG_FOLDER, thread_start(&voter_thread, "cl-voters", THREAD_WORKER, voters_main, m),
                "voters are not looked after");
        while (!atomic_load(&m->stopping)) {
                bool led = atomic_load(&m->led) && !atomic_load(&m->broken), deciding = atomic_load(&m->deciding);
                if (led && !deciding) {
                        slow = (struct slow){ .next_ns = 0 };
                        log_err(LOG_WARN, LOG_FOLDER, take_over(m), "take over the lead");
                } else if (!led && deciding) {
                        step_down(m);
                } else if (led) {
                        int64_t now = clock_mono_ns();
                        mutex_lock(&m->lease);
                        (void)cluster__leases_tick(&m->leases, now);
                        mutex_unlock(&m->lease);
                        members(m);
                        log_err(LOG_WARN, LOG_FOLDER, tell_leases(m, false), "the book of leases");
                        if (now >= slow.next_ns) {
                                log_err(LOG_WARN, LOG_FOLDER, keep_time_and_keys(m, &slow), "duties of the leader");
                                slow.next_ns = now + SLOW_NS;
                        }
                }
                LOCK_SCOPE(&m->lease);
                while (!m->duty_kicked && !atomic_load(&m->stopping))
                        if (!cond_wait_until(&m->duty_now, &m->lease, clock_mono_ns() + TICK_NS))
                                break;
                m->duty_kicked = false;
        }
        thread_join(voter_thread);
}

struct err *cluster__duties_start(struct many *m)
{
        return thread_start(&m->duty, "cl-duty", THREAD_WORKER, duty_main, m);
}

void cluster__duties_stop(struct many *m)
{
        cluster__duty_kick(m);
        thread_join(m->duty);
        m->duty = NULL;
}
