/* cluster/raft_calls.c: what workers ask of the raft thread: proposals, fences, changes of voters, transfers; and what the
 * thread watches by itself: room on the disk, followers that stand still.
 *
 * Each call ends exactly once, with what libraft says of it. A full disk makes proposals NO_SPACE, or is silent on a leader,
 * so the room is watched: a leader without hands over. */
#define LOG_FOLDER "cluster"
#include "cluster/raft_core.h"

#include "base/log.h"
#include "os/clock.h"
#include "os/file.h"

void raft__call_end(struct raft_core *c, struct call *call, int rv)
{
        switch (rv) {
        case 0:
                raft__call_done(c->e, call, ERR_NONE, "");
                break;
        case RAFT_NOTLEADER:
                raft__call_done(c->e, call, ERR_NOT_PRIMARY, "this voter is not the leader");
                break;
        case RAFT_LEADERSHIPLOST:
        case RAFT_SHUTDOWN:
        case RAFT_CANCELED:
                raft__call_done(c->e, call, ERR_UNAVAILABLE, "leadership was lost: the outcome is unknown");
                break;
        case RAFT_CANTCHANGE:
        case RAFT_NOCONNECTION:
        case RAFT_BUSY:
                raft__call_done(c->e, call, ERR_BUSY, "another change is under way, or there is no connection");
                break;
        case RAFT_BADROLE:
        case RAFT_DUPLICATEID:
                raft__call_done(c->e, call, ERR_EXISTS, "it is so already");
                break;
        case RAFT_DUPLICATEADDRESS:
                raft__call_done(c->e, call, ERR_CONFLICT, "another voter has this address");
                break;
        case RAFT_BADID:
        case RAFT_NOTFOUND:
                raft__call_done(c->e, call, ERR_NOT_FOUND, "there is no such voter");
                break;
        case RAFT_NOSPACE:
                raft__call_done(c->e, call, ERR_NO_SPACE, "the disks of a majority are full");
                break;
        case RAFT_NOMEM:
                raft__call_done(c->e, call, ERR_NO_MEMORY, "out of memory");
                break;
        default:
                raft__call_done(c->e, call, ERR_IO, raft_strerror(rv));
                break;
        }
}

void raft__calls_end(struct raft_core *c, struct list *calls, int rv)
{
        while (!list_empty(calls)) {
                struct call *call = LIST_ENTRY(calls->next, struct call, link);
                list_remove(&call->link);
                raft__call_end(c, call, rv);
        }
}

struct proposal {
        struct raft_apply req;
        struct raft_core *c;
        struct call *call;
};

static void proposal_end(struct raft_core *c, struct call *call, uintptr_t result)
{
        enum doc_status status = (enum doc_status)(result & 3);

        call->index = result >> 2;
        if (result == RESULT_FROZEN)
                raft__call_end(c, call, RAFT_SHUTDOWN);
        else if (status == DOC_CONFLICT)
                raft__call_done(c->e, call, ERR_CONFLICT, "the state has changed in between");
        else if (status == DOC_TOTAL_TOO_LARGE)
                raft__call_done(c->e, call, ERR_TOO_LARGE, "the state of the cluster would pass its limit");
        else if (status == DOC_SEQUENCE_OLD)
                raft__call_done(c->e, call, ERR_INVALID, "this client has made later requests already");
        else
                raft__call_end(c, call, 0);
}

static void proposal_cb(struct raft_apply *req, int status, void *result)
{
        struct proposal *p = req->data;

        if (p->c->dirty && !p->c->closing)
                raft__publish(p->c, clock_mono_ns());
        if (status == 0)
                proposal_end(p->c, p->call, (uintptr_t)result);
        else
                raft__call_end(p->c, p->call, status == RAFT_NOTLEADER ? RAFT_LEADERSHIPLOST : status);
        free(p);
}

static bool handing_over(struct raft_core *c)
{
        return c->heir != 0 || raft_transferee(&c->raft) != 0;
}

/* Before the first segment of the log has been made, libraft believes that there is no room; while leadership is handed over, it
 * takes nothing. Both pass: the timer tries again. */
static void propose_later(struct raft_core *c, struct call *call, int rv)
{
        if (rv == RAFT_NOSPACE && c->low)
                raft__call_end(c, call, RAFT_NOSPACE);
        else if (clock_mono_ns() >= call->deadline_ns)
                raft__call_end(c, call, RAFT_CANCELED);
        else
                list_append(&c->again, &call->link);
}

void raft__propose(struct raft_core *c, struct call *call)
{
        size_t n = (call->command.n + 7) & ~(size_t)7;
        struct raft_buffer buf = { NULL, n };
        struct proposal *p;

        if (!c->ready) {
                raft__call_end(c, call, RAFT_NOTLEADER);
                return;
        }
        if (handing_over(c)) {
                propose_later(c, call, 0);
                return;
        }
        buf.base = raft_calloc(1, n);
        p = calloc(1, sizeof(*p));
        if (!buf.base || !p) {
                raft_free(buf.base);
                free(p);
                raft__call_end(c, call, RAFT_NOMEM);
                return;
        }
        memcpy(buf.base, call->command.p, call->command.n);
        *p = (struct proposal){ .req.data = p, .c = c, .call = call };
        int rv = raft_apply(&c->raft, &p->req, &buf, 1, proposal_cb);
        if (rv == 0)
                return;
        free(p);
        /* Any other error comes after libraft has taken the buffer: what was begun may be in the log. */
        if (rv == RAFT_NOTLEADER || rv == RAFT_NOSPACE)
                raft_free(buf.base);
        if (rv == RAFT_NOSPACE)
                propose_later(c, call, rv);
        else
                raft__call_end(c, call, rv == RAFT_NOTLEADER ? rv : RAFT_LEADERSHIPLOST);
}

void raft__fence_next(struct raft_core *c);

static void fence_cb(struct raft_barrier *req, int status)
{
        struct barrier *b = req->data;
        struct raft_core *c = b->c;

        c->fencing = false;
        if (status == 0 && !raft__still_leading(c, b->term))
                status = RAFT_LEADERSHIPLOST;
        if (c->dirty && !c->closing)
                raft__publish(c, clock_mono_ns());
        raft__calls_end(c, &b->calls, status);
        free(b);
        if (!c->closing)
                raft__fence_next(c);
}

/* One barrier for all that wait; the next one when it has come back. */
void raft__fence_next(struct raft_core *c)
{
        if (c->fencing || list_empty(&c->fences) || (c->ready && handing_over(c)))
                return;
        int rv = c->ready ? raft__barrier_start(c, fence_cb, &c->fences) : RAFT_NOTLEADER;
        if (rv == 0)
                c->fencing = true;
        else
                raft__calls_end(c, &c->fences, rv == RAFT_NOSPACE ? RAFT_LEADERSHIPLOST : rv);
}

static void change_cb(struct raft_change *req, int status)
{
        struct raft_core *c = req->data;
        struct call *call = c->change_call;

        c->change_call = NULL;
        if (!c->closing)
                raft__publish(c, clock_mono_ns());
        raft__call_end(c, call, status);
}

static void change(struct raft_core *c, struct call *call)
{
        static const int role[] = { [PLACE_SPARE] = RAFT_SPARE, [PLACE_STANDBY] = RAFT_STANDBY, [PLACE_VOTER] = RAFT_VOTER };
        int rv = RAFT_NOTLEADER;

        if (c->change_call || c->raft.legacy.change) {
                raft__call_end(c, call, RAFT_BUSY);
                return;
        }
        memset(&c->change, 0, sizeof(c->change));
        c->change.data = c;
        c->change_call = call;
        if (c->ready && call->kind == CALL_ADD)
                rv = raft_add(&c->raft, &c->change, call->id, call->address, change_cb);
        else if (c->ready && call->kind == CALL_ASSIGN)
                rv = raft_assign(&c->raft, &c->change, call->id, role[call->place], change_cb);
        else if (c->ready)
                rv = raft_remove(&c->raft, &c->change, call->id, change_cb);
        if (rv == 0)
                return;
        if (c->raft.legacy.change == &c->change) /* libraft forgets to, when an assignment fails */
                c->raft.legacy.change = NULL;
        c->change_call = NULL;
        raft__call_end(c, call, rv == RAFT_NOSPACE ? RAFT_BUSY : rv);
}

static void transfer_cb(struct raft_transfer *req)
{
        struct raft_core *c = req->data;
        struct call *call = c->transfer_call;

        c->transferring = false;
        c->transfer_call = NULL;
        if (call)
                raft__call_end(c, call, c->closing ? RAFT_SHUTDOWN : 0);
}

/* The voter that has most of the log, but for this one; 0: none. */
static uint64_t best_but(struct raft_core *c, uint64_t id)
{
        uint64_t best = 0;
        raft_index most = 0;

        for (unsigned i = 0; i < c->raft.configuration.n; i++) {
                const struct raft_server *s = &c->raft.configuration.servers[i];
                raft_index match = 0;
                if (s->role == RAFT_VOTER && s->id != id && s->id != c->raft.id && raft_match_index(&c->raft, s->id, &match) == 0 &&
                    match >= most) {
                        best = s->id;
                        most = match;
                }
        }
        return best;
}

/* libraft tells the heir to take over as soon as it has acknowledged anything, and the heir refuses while entries are on their
 * way to it, without a second try. So nothing is added until it has everything. */
void raft__hand_over(struct raft_core *c, int64_t now)
{
        raft_index match = 0;
        uint64_t heir = c->heir;

        if (heir == 0)
                return;
        bool complete = raft_match_index(&c->raft, heir, &match) == 0 && match == raft_last_index(&c->raft);
        if (c->led && !complete && now < c->heir_by_ns)
                return;
        c->heir = 0;
        struct call *call = c->transfer_call;
        memset(&c->transfer, 0, sizeof(c->transfer));
        c->transfer.data = c;
        int rv = c->led ? raft_transfer(&c->raft, &c->transfer, heir, transfer_cb) : RAFT_NOTLEADER;
        c->transferring = rv == 0;
        if (rv == 0)
                return;
        c->transfer_call = NULL;
        if (call)
                raft__call_end(c, call, rv);
}

/* call: null when a watch asks. id 0: to whoever has most of the log. */
static void transfer(struct raft_core *c, struct call *call, uint64_t id)
{
        uint64_t heir = id ? id : best_but(c, 0);

        if (c->transferring || c->heir || c->raft.transfer || !c->led || !heir) {
                if (call)
                        raft__call_end(c, call, !c->led ? RAFT_NOTLEADER : heir ? RAFT_BUSY : RAFT_NOTFOUND);
                return;
        }
        c->heir = heir;
        c->heir_by_ns = clock_mono_ns() + (int64_t)c->e->o.election_ms * NS_PER_MS;
        c->transfer_call = call;
        raft__hand_over(c, clock_mono_ns());
}

void raft__call_begin(struct raft_core *c, struct call *call)
{
        switch (call->kind) {
        case CALL_PROPOSE:
                raft__propose(c, call);
                break;
        case CALL_FENCE:
                list_append(&c->fences, &call->link);
                break;
        case CALL_ADD:
        case CALL_ASSIGN:
        case CALL_REMOVE:
                change(c, call);
                break;
        case CALL_TRANSFER:
                transfer(c, call, call->id);
                break;
        case CALL_ACCEPT:
                raft__accept_stream(c, call);
                break;
        }
}

/* The first call of a list that is guarded by the lock; null when empty. */
struct call *raft__call_take(struct engine *e)
{
        LOCK_SCOPE(&e->lock);
        if (list_empty(&e->calls))
                return NULL;
        struct call *call = LIST_ENTRY(e->calls.next, struct call, link);
        list_remove(&call->link);
        return call;
}

/* ---- what is watched ---- */

static void away(struct raft_core *c, int64_t now, uint64_t id)
{
        if (!c->led || c->raft.configuration.n < 2 || (c->away_ns && now - c->away_ns < AWAY_NS))
                return;
        c->away_ns = now;
        transfer(c, NULL, id);
}

/* A full disk under a leader is silent: the majority commits, and its own log stays behind. */
void raft__watch_disk(struct raft_core *c, int64_t now)
{
        struct fs_usage u;
        struct err *e = fs_usage(c->e->dir_fd, &u);

        if (e) {
                log_err(LOG_WARN, LOG_FOLDER, e, "room for the ordered state");
                return;
        }
        bool low = u.avail < c->e->o.min_free_bytes;
        if (low && !c->low)
                raft__alarm(c, "only %llu MiB of room are left for it", (unsigned long long)(u.avail >> 20));
        c->low = low;
        if (low)
                away(c, now, 0);
}

/* A follower whose log lost a tail that it had acknowledged answers for ever and stores nothing; another leader heals it. */
static void watch_follower(struct raft_core *c, struct follower *f, raft_id id, int64_t now)
{
        int64_t stall = (int64_t)c->e->o.stall_ms * NS_PER_MS, heard = raft_fresh_last_heard(&c->fresh, id);
        raft_index match = 0, last = raft_last_index(&c->raft);

        if (raft_match_index(&c->raft, id, &match) != 0)
                return;
        if (f->id != id || f->match != match || match >= last) {
                *f = (struct follower){ .id = id, .match = match, .since_ns = now };
                return;
        }
        if (f->told || now - f->since_ns < stall || heard == 0 ||
            now - heard > 4 * (int64_t)c->e->o.election_ms * NS_PER_MS)
                return;
        f->told = true;
        raft__alarm(c, "voter %llx answers, but stands still at entry %llu of %llu", id, match, last);
        uint64_t best = best_but(c, id);
        if (best)
                away(c, now, best);
}

void raft__watch_followers(struct raft_core *c, int64_t now)
{
        for (unsigned i = 0; i < c->raft.configuration.n && i < RAFT_VOTERS_MAX; i++) {
                const struct raft_server *s = &c->raft.configuration.servers[i];
                if (s->id != c->raft.id && s->role != RAFT_SPARE)
                        watch_follower(c, &c->follower[i], s->id, now);
        }
}
