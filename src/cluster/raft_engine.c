/* The callers' side of the raft engine: each call is put in a queue, the raft thread is woken, the worker waits until the thread
 * has ended the call or the deadline has passed. What only asks reads the view that the thread has published.
 *
 * A call that passed its deadline stays with the raft thread, which drops it when libraft is done with it: its outcome is unknown.
 * engine_close() stops the thread, which ends all calls first. */
#include "cluster/raft_priv.h"

#include <stdlib.h>

#include "cluster/raft_fresh.h"
#include "os/clock.h"
#include "os/file.h"

#define RETRY_NS (50 * NS_PER_MS)  /* between tries of a change of voters */
#define CLOSE_ENOUGH 100           /* entries: a standby this near the end may vote */

/* ---- opening and closing ---- */

static void engine_free(struct engine *e)
{
        cleanup_fd(&e->dir_fd);
        cond_fini(&e->changed);
        mutex_fini(&e->lock);
        err_free(e->start_error);
        free((char *)(uintptr_t)e->o.dir);
        free((char *)(uintptr_t)e->o.address);
        free(e);
}

static struct err *engine_new(const struct raft_options *o, struct engine **ret)
{
        struct engine *e = calloc(1, sizeof(*e));

        if (!e)
                return err_static(ERR_NO_MEMORY);
        mutex_init(&e->lock, "cluster.raft", RANK_LEAF);
        cond_init(&e->changed);
        list_init(&e->calls);
        list_init(&e->dialed);
        e->o = *o;
        e->dir_fd = -1;
        e->o.dir = str_dup(str_of(o->dir));
        e->o.address = str_dup(str_of(o->address));
        e->o.election_ms = o->election_ms ? o->election_ms : 500;
        e->o.heartbeat_ms = o->heartbeat_ms ? o->heartbeat_ms : 50;
        e->o.min_free_bytes = o->min_free_bytes ? o->min_free_bytes : UINT64_C(256) << 20;
        e->o.watch_ms = o->watch_ms ? o->watch_ms : 5000;
        e->o.stall_ms = o->stall_ms ? o->stall_ms : 10000;
        if (!e->o.dir || !e->o.address) {
                engine_free(e);
                return err_static(ERR_NO_MEMORY);
        }
        *ret = e;
        return NULL;
}

static struct err *prepare(struct engine *e)
{
        bool fresh = false;

        TRY(file_mkdir_all(e->o.dir, 0700));
        TRY(raft__lock_dir(e->o.dir, &e->dir_fd));
        if (e->o.bootstrap)
                TRY(raft__dir_fresh(e->o.dir, &fresh));
        e->o.bootstrap = fresh;
        TRY(raft__try(e->o.dir, e->o.id, e->o.address));
        return thread_start(&e->thread, "raft", THREAD_OTHER, raft__run, e);
}

struct err *raft_engine_open(const struct raft_options *o, struct engine **ret)
{
        struct engine *e = NULL;

        ASSERT(o->id != 0 && o->dial);
        TRY(engine_new(o, &e));
        struct err *err = prepare(e);
        if (!err) {
                LOCK_SCOPE(&e->lock);
                while (!e->started && !e->ended)
                        cond_wait(&e->changed, &e->lock);
                err = e->start_error;
                e->start_error = NULL;
        }
        if (err) {
                thread_join(e->thread);
                engine_free(e);
                return err_wrap(err, "start of voter %llx", (unsigned long long)o->id);
        }
        *ret = e;
        return NULL;
}

void engine_close(struct engine *e)
{
        if (!e)
                return;
        mutex_lock(&e->lock);
        e->stopping = true;
        cond_broadcast(&e->changed);
        raft__wake_locked(e);
        mutex_unlock(&e->lock);
        thread_join(e->thread);
        mutex_lock(&e->lock);
        while (e->users > 0 || e->changing)
                cond_wait(&e->changed, &e->lock);
        mutex_unlock(&e->lock);
        engine_free(e);
}

/* ---- calls ---- */

static struct call *call_new(enum call_kind kind, int64_t deadline_ns)
{
        struct call *c = calloc(1, sizeof(*c));

        if (!c)
                return NULL;
        list_init(&c->link);
        cond_init(&c->cond);
        c->kind = kind;
        c->refs = 1;
        c->deadline_ns = deadline_ns;
        c->fd = -1;
        return c;
}

static void call_unref_locked(struct call *c)
{
        ASSERT(c->refs > 0);
        if (--c->refs > 0)
                return;
        buf_fini(&c->command);
        cond_fini(&c->cond);
        cleanup_fd(&c->fd);
        free(c);
}

void raft__call_done(struct engine *e, struct call *c, enum err_code code, const char *why)
{
        LOCK_SCOPE(&e->lock);

        c->code = code;
        c->why = why;
        c->done = true;
        list_remove(&c->link);
        cond_signal(&c->cond);
        call_unref_locked(c);
}

/* Hands the call over and waits; consumes the worker's reference. */
static struct err *call_run(struct engine *e, struct call *c, uint64_t *ret_index)
{
        struct err *err = NULL;

        mutex_lock(&e->lock);
        e->users++;
        if (e->stopping || !e->core) {
                err = err_new(ERR_UNAVAILABLE, "the ordered state is stopped");
        } else {
                c->refs++;
                list_append(&e->calls, &c->link);
                raft__wake_locked(e);
                while (!c->done && cond_wait_until(&c->cond, &e->lock, c->deadline_ns))
                        continue;
                if (!c->done)
                        err = err_new(ERR_UNAVAILABLE, "no majority has answered in time: the outcome is unknown");
                else if (c->code != ERR_NONE)
                        err = err_new(c->code, "%s", c->why);
                else if (ret_index)
                        *ret_index = c->index;
        }
        call_unref_locked(c);
        if (--e->users == 0 && e->stopping)
                cond_broadcast(&e->changed);
        mutex_unlock(&e->lock);
        return err;
}

struct err *engine_propose_once(struct engine *e, uint64_t client, uint64_t sequence, const struct doc *docs, size_t n,
                                int64_t deadline_mono_ns, uint64_t *ret_index)
{
        ASSERT_MAY_BLOCK();
        struct call *c = call_new(CALL_PROPOSE, deadline_mono_ns);

        if (!c)
                return err_static(ERR_NO_MEMORY);
        struct err *err = doc_command_encode(&c->command, client, sequence, (uint64_t)clock_wall_ns(), docs, n);
        if (err) {
                call_unref_locked(c); /* nobody else knows it yet */
                return err;
        }
        return call_run(e, c, ret_index);
}

struct err *engine_propose(struct engine *e, const struct doc *docs, size_t n, int64_t deadline_mono_ns, uint64_t *ret_index)
{
        return engine_propose_once(e, 0, 0, docs, n, deadline_mono_ns, ret_index);
}

struct err *engine_fence(struct engine *e, int64_t deadline_mono_ns)
{
        ASSERT_MAY_BLOCK();
        struct call *c = call_new(CALL_FENCE, deadline_mono_ns);

        return c ? call_run(e, c, NULL) : err_static(ERR_NO_MEMORY);
}

struct err *raft_engine_accept(struct engine *e, uint64_t id, const char *address, int fd)
{
        struct call *c = call_new(CALL_ACCEPT, clock_mono_ns() + 5 * NS_PER_SEC);

        if (!c || !str_copy(c->address, sizeof(c->address), str_of(address))) {
                cleanup_fd(&fd);
                if (c)
                        call_unref_locked(c);
                return c ? err_new(ERR_INVALID, "the voter's address is too long") : err_static(ERR_NO_MEMORY);
        }
        c->id = id;
        c->fd = fd;
        return call_run(e, c, NULL);
}

/* ---- what the thread has published ---- */

bool engine_is_fresh_leader(struct engine *e, uint64_t *ret_term)
{
        LOCK_SCOPE(&e->lock);
        const struct raft_view *v = &e->view;
        int64_t now = clock_mono_ns();

        if (!v->status.role.leader || now >= v->fresh_until_ns)
                return false;
        if (now - v->last_run_ns > (int64_t)e->o.election_ms * NS_PER_MS / 2)
                return false; /* it may have stood still, and does not know it yet */
        if (ret_term)
                *ret_term = v->status.role.term;
        return true;
}

unsigned engine_voters(struct engine *e, struct raft_voter ret[static RAFT_VOTERS_MAX])
{
        LOCK_SCOPE(&e->lock);

        for (unsigned i = 0; i < e->view.members; i++)
                ret[i] = e->view.member[i].voter;
        return e->view.members;
}

void engine_status(struct engine *e, struct engine_status *ret)
{
        LOCK_SCOPE(&e->lock);

        *ret = e->view.status;
}

/* ---- changes of voters: a few steps, each of which may have to be tried again ---- */

static struct err *change_begin(struct engine *e)
{
        LOCK_SCOPE(&e->lock);

        if (!e->view.leading)
                return err_static(ERR_NOT_PRIMARY);
        if (e->changing)
                return err_new(ERR_CONFLICT, "another change of the voters is under way");
        e->changing = true;
        return NULL;
}

static struct err *change_end(struct engine *e, struct err *result)
{
        LOCK_SCOPE(&e->lock);

        e->changing = false;
        if (e->stopping)
                cond_broadcast(&e->changed);
        return result;
}

/* The member as the leader sees it; false if there is none. NOT_PRIMARY when this is not the leader any more. */
static struct err *member_find(struct engine *e, uint64_t id, bool *ret_found, struct raft_member *ret, uint64_t *ret_last)
{
        LOCK_SCOPE(&e->lock);

        if (!e->view.leading)
                return err_new(ERR_UNAVAILABLE, "leadership was lost while the voters changed: look again");
        *ret_found = false;
        *ret_last = e->view.status.last_index;
        for (unsigned i = 0; i < e->view.members; i++) {
                if (e->view.member[i].voter.id == id) {
                        *ret_found = true;
                        *ret = e->view.member[i];
                }
        }
        return NULL;
}

/* Waits a little for a change of the view; UNAVAILABLE past the deadline or when it stops. */
static struct err *pause_until(struct engine *e, int64_t deadline)
{
        LOCK_SCOPE(&e->lock);
        int64_t until = clock_mono_ns() + RETRY_NS;

        while (!e->stopping && clock_mono_ns() < until)
                cond_wait_until(&e->changed, &e->lock, until);
        if (e->stopping || clock_mono_ns() >= deadline)
                return err_new(ERR_UNAVAILABLE, "the change of the voters did not end in time");
        return NULL;
}

static struct err *change_step(struct engine *e, enum call_kind kind, uint64_t id, const char *address, enum raft_place place,
                               int64_t deadline)
{
        struct call *c = call_new(kind, deadline);

        if (!c)
                return err_static(ERR_NO_MEMORY);
        c->id = id;
        c->place = place;
        if (!str_copy(c->address, sizeof(c->address), str_of(address ? address : ""))) {
                call_unref_locked(c);
                return err_new(ERR_INVALID, "the voter's address is too long");
        }
        struct err *err = call_run(e, c, NULL);
        /* busy: another change, no connection yet; exists: it is so already */
        if (err_code(err) == ERR_BUSY || err_code(err) == ERR_EXISTS) {
                err_free(err);
                return pause_until(e, deadline);
        }
        return err;
}

static struct err *add_steps(struct engine *e, uint64_t id, const char *address, int64_t deadline)
{
        for (;;) {
                struct raft_member m;
                bool found;
                uint64_t last;

                TRY(member_find(e, id, &found, &m, &last));
                if (!found) {
                        TRY(change_step(e, CALL_ADD, id, address, 0, deadline));
                } else if (strcmp(m.voter.address, address) != 0) {
                        return err_new(ERR_CONFLICT, "voter %llx has another address (%s)", (unsigned long long)id, m.voter.address);
                } else if (m.place == PLACE_VOTER) {
                        return NULL;
                } else if (m.place == PLACE_SPARE) {
                        TRY(change_step(e, CALL_ASSIGN, id, NULL, PLACE_STANDBY, deadline));
                } else if (m.match > 0 && m.match + CLOSE_ENOUGH >= last) {
                        TRY(change_step(e, CALL_ASSIGN, id, NULL, PLACE_VOTER, deadline));
                } else {
                        TRY(pause_until(e, deadline));
                }
        }
}

static struct err *remove_steps(struct engine *e, uint64_t id, int64_t deadline)
{
        for (;;) {
                struct raft_member m;
                bool found;
                uint64_t last;

                TRY(member_find(e, id, &found, &m, &last));
                if (!found)
                        return NULL;
                if (m.place == PLACE_SPARE)
                        TRY(change_step(e, CALL_REMOVE, id, NULL, 0, deadline));
                else
                        TRY(change_step(e, CALL_ASSIGN, id, NULL, PLACE_SPARE, deadline));
        }
}

struct err *engine_voter_add(struct engine *e, uint64_t id, const char *address, int64_t deadline_mono_ns)
{
        ASSERT_MAY_BLOCK();
        TRY(change_begin(e));
        return change_end(e, add_steps(e, id, address, deadline_mono_ns));
}

struct err *engine_voter_remove(struct engine *e, uint64_t id, int64_t deadline_mono_ns)
{
        ASSERT_MAY_BLOCK();
        if (id == e->o.id)
                return err_new(ERR_INVALID, "a leader can not remove itself: let another one lead first");
        TRY(change_begin(e));
        return change_end(e, remove_steps(e, id, deadline_mono_ns));
}

/* Waits until another one is known to lead; false when this one leads again or still, settled. */
static struct err *wait_handed(struct engine *e, int64_t deadline, bool *ret_handed)
{
        int64_t settled = clock_mono_ns() + 2 * (int64_t)e->o.election_ms * NS_PER_MS;
        LOCK_SCOPE(&e->lock);

        for (;;) {
                uint64_t leader = e->view.status.role.leader_id;
                *ret_handed = !e->view.leading && leader != 0 && leader != e->o.id;
                if (*ret_handed || (e->view.leading && clock_mono_ns() >= settled))
                        return NULL;
                if (e->stopping || clock_mono_ns() >= deadline)
                        return err_new(ERR_UNAVAILABLE, "no other voter has taken over in time");
                cond_wait_until(&e->changed, &e->lock, MIN(deadline, clock_mono_ns() + RETRY_NS));
        }
}

static struct err *transfer_steps(struct engine *e, uint64_t id, int64_t deadline)
{
        bool handed = false;

        while (!handed) {
                struct call *c = call_new(CALL_TRANSFER, deadline);
                if (!c)
                        return err_static(ERR_NO_MEMORY);
                c->id = id;
                struct err *err = call_run(e, c, NULL);
                if (err_code(err) == ERR_BUSY) {
                        err_free(err);
                        TRY(pause_until(e, deadline));
                        continue;
                }
                TRY(err);
                TRY(wait_handed(e, deadline, &handed));
        }
        return NULL;
}

struct err *engine_transfer(struct engine *e, uint64_t id, int64_t deadline_mono_ns)
{
        ASSERT_MAY_BLOCK();
        if (id == e->o.id)
                return err_new(ERR_INVALID, "this voter leads already");
        TRY(change_begin(e));
        return change_end(e, transfer_steps(e, id, deadline_mono_ns));
}
