/* cluster/raft_lead.c: whether this voter leads, is ready to decide, and may believe so; and what others see of it.
 *
 * A timer looks at the state every 10 ms, since libraft tells nobody when it changes. On becoming leader a barrier is sent;
 * when it has come back in the same term, all earlier commands are applied here and this voter is ready. */
#include "cluster/raft_core.h"

#include "os/clock.h"

int raft__barrier_start(struct raft_core *c, raft_barrier_cb cb, struct list *calls)
{
        struct barrier *b = calloc(1, sizeof(*b));

        if (!b)
                return RAFT_NOMEM;
        b->req.data = b;
        b->c = c;
        b->term = raft_current_term(&c->raft);
        list_init(&b->calls);
        if (calls && !list_empty(calls)) {
                b->calls = *calls;
                b->calls.next->prev = b->calls.prev->next = &b->calls;
                list_init(calls);
        }
        int rv = raft_barrier(&c->raft, &b->req, cb);
        if (rv != 0) {
                if (!list_empty(&b->calls)) {
                        *calls = b->calls;
                        calls->next->prev = calls->prev->next = calls;
                }
                free(b);
        }
        return rv;
}

bool raft__still_leading(struct raft_core *c, raft_term term)
{
        return raft_state(&c->raft) == RAFT_LEADER && raft_current_term(&c->raft) == term;
}

static void ready_cb(struct raft_barrier *req, int status)
{
        struct barrier *b = req->data;
        struct raft_core *c = b->c;

        c->readying = false;
        if (status == 0 && c->led && c->led_term == b->term && raft__still_leading(c, b->term))
                c->ready = true;
        free(b);
        if (!c->closing)
                raft__look(c);
}

static int64_t fresh_until(struct raft_core *c, int64_t now)
{
        uint64_t voters[RAFT_VOTERS_MAX];
        unsigned n = 0;

        if (!c->ready)
                return 0;
        for (unsigned i = 0; i < c->raft.configuration.n && n < RAFT_VOTERS_MAX; i++) {
                if (c->raft.configuration.servers[i].role == RAFT_VOTER)
                        voters[n++] = c->raft.configuration.servers[i].id;
        }
        return raft_fresh_until(&c->fresh, voters, n, c->raft.id, now);
}

static void members_locked(struct raft_core *c, struct raft_view *v)
{
        const struct raft_configuration *conf = &c->raft.configuration;

        v->members = 0;
        for (unsigned i = 0; i < conf->n && v->members < RAFT_VOTERS_MAX; i++) {
                struct raft_member *m = &v->member[v->members++];
                *m = (struct raft_member){ .voter.id = conf->servers[i].id };
                str_copy(m->voter.address, sizeof(m->voter.address), str_of(conf->servers[i].address));
                m->voter.voting = conf->servers[i].role == RAFT_VOTER;
                m->place = m->voter.voting                             ? PLACE_VOTER
                           : conf->servers[i].role == RAFT_STANDBY ? PLACE_STANDBY
                                                                   : PLACE_SPARE;
        }
        c->seen_committed = c->raft.configuration_committed_index;
        c->seen_uncommitted = c->raft.configuration_uncommitted_index;
}

void raft__publish(struct raft_core *c, int64_t now)
{
        LOCK_SCOPE(&c->e->lock);
        struct raft_view *v = &c->e->view;
        bool conf = c->seen_committed != c->raft.configuration_committed_index ||
                    c->seen_uncommitted != c->raft.configuration_uncommitted_index || v->members != c->raft.configuration.n;
        bool news = conf || v->leading != c->led || memcmp(&v->status.role, &c->told, sizeof(c->told)) != 0;

        if (conf)
                members_locked(c, v);
        v->leading = c->led;
        v->fresh_until_ns = c->closing ? 0 : fresh_until(c, now);
        v->last_run_ns = now;
        v->status = (struct engine_status){
                .role = c->told,
                .last_index = raft_last_index(&c->raft),
                .applied_index = raft_last_applied(&c->raft),
                .snapshot_index = c->snapshot_index,
                .state_hash = c->set.hash,
                .documents = c->set.n,
                .bytes = c->set.bytes,
                .messages_sent = c->messages,
                .bytes_sent = c->bytes,
        };
        for (unsigned i = 0; c->led && i < v->members; i++) {
                raft_index match = 0;
                if (raft_match_index(&c->raft, v->member[i].voter.id, &match) == 0)
                        v->member[i].match = match;
        }
        c->dirty = false;
        if (news)
                cond_broadcast(&c->e->changed);
}

static void say_role(struct raft_core *c, int64_t now)
{
        struct engine_role role;
        raft_id leader = 0;
        const char *address = NULL;
        bool fresh = fresh_until(c, now) > now;

        memset(&role, 0, sizeof(role));
        raft_leader(&c->raft, &leader, &address);
        role.leader = c->ready;
        role.term = raft_current_term(&c->raft);
        role.leader_id = leader;
        bool same = memcmp(&role, &c->told, sizeof(role)) == 0 && fresh == c->told_fresh;
        c->told = role;
        c->told_fresh = fresh;
        if (same)
                return;
        raft__publish(c, now);
        if (c->running && c->e->o.events.role)
                c->e->o.events.role(c->e->o.events.arg, &role);
}

void raft__hand_over(struct raft_core *c, int64_t now);

/* Sees what has changed in libraft. */
void raft__look(struct raft_core *c)
{
        int64_t now = clock_mono_ns();
        raft_term term = raft_current_term(&c->raft);

        raft_fresh_run(&c->fresh, now);
        if (raft_state(&c->raft) != RAFT_LEADER) {
                c->led = c->ready = false;
        } else if (!c->led || c->led_term != term) {
                c->led = true;
                c->led_term = term;
                c->ready = false;
                raft_fresh_reset(&c->fresh);
                memset(c->follower, 0, sizeof(c->follower));
        }
        if (c->led && !c->ready && !c->readying)
                c->readying = raft__barrier_start(c, ready_cb, NULL) == 0;
        raft__hand_over(c, now);
        say_role(c, now);
}
