/* The raft thread: libraft 0.22 behind the seam of engine.h. The only file that knows libraft.
 *
 * One thread, one libuv loop, nothing else on it. Workers hand over calls (raft_priv.h); a timer looks at the state every 10 ms,
 * since libraft tells nobody when it changes. On becoming leader a barrier is sent; when it has come back in the same term, all
 * earlier commands are applied here and this voter is ready to decide.
 *
 * libraft is given our own transport (dialled by threads, streams handed over), our state machine (doc_set.h; version 2: a
 * snapshot is a list of pointers to living blocks, so that taking one does not stall the loop), and its raft_io with two calls
 * of ours in front:
 *   - what arrives is counted for freshness; a snapshot is verified before libraft stores it, and waits while our own is being
 *     written (libraft 0.22.1 would follow a null pointer);
 *   - what is sent is counted, and refused once we close (a snapshot that was being read would meet an assertion).
 *
 * Failing: a full disk makes proposals NO_SPACE, or is silent on a leader, so the room is watched. A command that can not be
 * understood freezes this voter: nothing more is applied, no snapshot is taken, the thread ends with an alarm. Assertions
 * inside libraft end the process; the log is safe then. Closing: pending requests end with UNAVAILABLE, streams are closed,
 * threads that dial are waited for. */
#include <fcntl.h>
#include <raft.h>
#include <raft/uv.h>
#include <stdio.h>
#include <unistd.h>
#undef MIN /* libuv brings <sys/param.h> */
#undef MAX

#define LOG_FOLDER "cluster"
#include "base/log.h"
#include "cluster/raft_fresh.h"
#include "cluster/raft_priv.h"
#include "os/clock.h"
#include "os/file.h"

#ifdef __SANITIZE_THREAD__
/* The two libraries are not instrumented: libuv closes descriptors behind the sanitizer's back, so that their numbers seem to be shared
 * when they are used again (also those that a dialling thread made), and libraft formats its trace into one static buffer, whichever of its instances writes. */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
        return "called_from_lib:libuv.so.1\ncalled_from_lib:libraft.so.0\nrace:dial_main\n";
}
#endif

enum {
        TICK_MS = 10,
        SNAPSHOT_ENTRIES = 1024, /* a snapshot after so many, */
        SNAPSHOT_BYTES = 32 << 20, /* or when the log has grown by so much */
        TRAILING_ENTRIES = 256,  /* what stays in the log for voters that are a little behind */
        TRAILING_LARGE = 16,     /* when entries are large */
        CONNECT_RETRY_MS = 200,
        DISK_RETRY_MS = 1000,
        INSTALL_MS = 10000,
};
#define AWAY_NS (60 * NS_PER_SEC) /* between two transfers that a watch asks for */
#define RESULT_FROZEN UINTPTR_MAX

/* What a leader remembers of a follower, to see that it stands still. */
struct follower {
        uint64_t id, match;
        int64_t since_ns;
        bool told;
};

struct raft_core {
        struct engine *e; /* null: offline */
        uv_loop_t loop;
        uv_async_t wake;
        uv_timer_t timer;
        struct raft_uv_transport transport;
        raft_uv_accept_cb accept_cb;
        struct list dials; /* struct raft_dial */
        struct raft_io io;
        int (*io_send)(struct raft_io *, struct raft_io_send *, const struct raft_message *, raft_io_send_cb);
        int (*io_start)(struct raft_io *, unsigned, raft_io_tick_cb, raft_io_recv_cb);
        raft_io_recv_cb recv;
        struct raft_fsm fsm;
        struct raft raft;

        struct doc_set set;
        struct doc_snapshot snapshot; /* being written */
        uint64_t log_bytes, snapshot_index;

        bool led, ready, readying;
        raft_term led_term;
        struct raft_fresh fresh;
        struct engine_role told;
        bool told_fresh;

        struct list fences, again; /* calls: waiting for a barrier; proposals to be tried again */
        bool fencing;
        struct raft_change change;
        struct call *change_call;
        struct raft_transfer transfer;
        struct call *transfer_call;
        bool transferring;
        uint64_t heir;       /* is to lead as soon as it has all of the log; no entries are added until then */
        int64_t heir_by_ns;  /* at the latest */

        struct raft_message held; /* a snapshot to install, while ours is being written */
        char held_address[272];
        bool holding;

        int64_t next_disk_ns, next_still_ns, away_ns;
        bool low, frozen, running, closing, dirty;
        struct follower follower[RAFT_VOTERS_MAX];
        uint64_t messages, bytes;
        raft_index seen_committed, seen_uncommitted; /* configurations last published */
        char alarm[320];
};

static struct err *error_of(int rv, const char *what, const char *message)
{
        enum err_code code = ERR_IO;

        switch (rv) {
        case RAFT_NOMEM:
                return err_static(ERR_NO_MEMORY);
        case RAFT_CORRUPT:
        case RAFT_MALFORMED:
                code = ERR_CORRUPT;
                break;
        case RAFT_NOSPACE:
                code = ERR_NO_SPACE;
                break;
        case RAFT_CANTBOOTSTRAP:
                code = ERR_EXISTS;
                break;
        default:
                break;
        }
        return err_new(code, "%s: %s (%s)", what, message, raft_strerror(rv));
}

PRINTF_LIKE(2, 3) static void alarm_say(struct raft_core *c, const char *fmt, ...)
{
        va_list ap;

        va_start(ap, fmt);
        vsnprintf(c->alarm, sizeof(c->alarm), fmt, ap);
        va_end(ap);
        log_warn("ordered state: %s", c->alarm);
        if (c->e && c->e->o.events.alarm)
                c->e->o.events.alarm(c->e->o.events.arg, c->alarm);
}

/* ---- the state machine ---- */

static void report(struct raft_core *c, bool whole, const struct doc *docs, size_t n)
{
        c->dirty = true;
        if (c->running && c->e->o.events.applied)
                c->e->o.events.applied(c->e->o.events.arg, c->set.index, whole, docs, n);
}

static void freeze(struct raft_core *c, struct err *e)
{
        char text[200];

        c->frozen = true;
        alarm_say(c, "this voter stops: %s", err_text(e, text, sizeof(text)));
        err_free(e);
}

static void report_whole(struct raft_core *c)
{
        struct doc *docs;
        struct err *e = doc_set_all(&c->set, &docs);

        if (e) {
                freeze(c, e);
                return;
        }
        report(c, true, docs, c->set.n);
        free(docs);
}

/* libraft keeps the result for the request, if there is one here: index and status in the pointer, so nothing is owned. */
static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buf, void **result)
{
        struct raft_core *c = fsm->data;
        struct doc_result r;

        *result = (void *)RESULT_FROZEN;
        if (c->frozen)
                return 0;
        struct err *e = doc_set_apply(&c->set, c->raft.last_applied + 1, (struct str){ buf->base, buf->len }, &r);
        if (e) {
                freeze(c, e);
                return 0;
        }
        c->log_bytes += buf->len;
        if (c->log_bytes > SNAPSHOT_BYTES)
                raft_set_snapshot_threshold(&c->raft, 1);
        *result = (void *)(uintptr_t)(r.index << 2 | (uint64_t)r.status);
        report(c, false, r.docs, r.n);
        return 0;
}

static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
        struct raft_core *c = fsm->data;

        if (c->frozen || c->snapshot.head)
                return RAFT_BUSY;
        struct err *e = doc_set_snapshot(&c->set, &c->snapshot);
        struct raft_buffer *v = e ? NULL : raft_calloc(c->snapshot.n + 1, sizeof(*v));
        if (!v) {
                err_free(e);
                doc_snapshot_fini(&c->snapshot);
                return RAFT_NOMEM;
        }
        v[0] = (struct raft_buffer){ c->snapshot.head, c->snapshot.head_n };
        for (size_t i = 0; i < c->snapshot.n; i++)
                v[i + 1] = (struct raft_buffer){ c->snapshot.blocks[i]->bytes, c->snapshot.blocks[i]->size };
        raft_set_snapshot_trailing(&c->raft, c->log_bytes > SNAPSHOT_BYTES ? TRAILING_LARGE : TRAILING_ENTRIES);
        raft_set_snapshot_threshold(&c->raft, SNAPSHOT_ENTRIES);
        c->log_bytes = 0;
        c->snapshot_index = c->set.index;
        *bufs = v;
        *n_bufs = (unsigned)c->snapshot.n + 1;
        return 0;
}

static int fsm_snapshot_finalize(struct raft_fsm *fsm, struct raft_buffer *bufs[], unsigned *n_bufs)
{
        struct raft_core *c = fsm->data;

        raft_free(*bufs);
        *bufs = NULL;
        *n_bufs = 0;
        doc_snapshot_fini(&c->snapshot);
        return 0;
}

/* At the start, or after a snapshot from the leader was stored. The bytes are ours when it succeeds. */
static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buf)
{
        struct raft_core *c = fsm->data;
        struct err *e = doc_set_restore(&c->set, (struct str){ buf->base, buf->len });

        if (e && !c->running) {
                int rv = err_code(e) == ERR_NO_MEMORY ? RAFT_NOMEM : RAFT_CORRUPT;
                log_err(LOG_WARN, LOG_FOLDER, e, "the last snapshot");
                return rv;
        }
        raft_free(buf->base);
        if (e) {
                freeze(c, e);
                return 0;
        }
        c->snapshot_index = c->set.index;
        c->log_bytes = 0;
        if (c->running)
                report_whole(c);
        return 0;
}

/* ---- transport ---- */

static void stream_free(uv_handle_t *h)
{
        raft_free(h);
}

/* A stream over a socket of either kind, allocated as libraft frees it; null (and fd closed) when it can not be. */
static struct uv_stream_s *stream_of(struct raft_core *c, int fd)
{
        union uv_any_handle *h = raft_calloc(1, sizeof(*h));
        bool pipe = uv_guess_handle(fd) == UV_NAMED_PIPE;
        int rv = h ? (pipe ? uv_pipe_init(&c->loop, &h->pipe, 0) : uv_tcp_init(&c->loop, &h->tcp)) : UV_ENOMEM;

        if (rv != 0) {
                raft_free(h);
                close(fd);
                return NULL;
        }
        rv = pipe ? uv_pipe_open(&h->pipe, fd) : uv_tcp_open(&h->tcp, fd);
        if (rv != 0) {
                uv_close(&h->handle, stream_free);
                close(fd);
                return NULL;
        }
        return &h->stream;
}

static int transport_init(struct raft_uv_transport *t, raft_id id, const char *address)
{
        (void)t;
        (void)id;
        (void)address;
        return 0;
}

static int transport_listen(struct raft_uv_transport *t, raft_uv_accept_cb cb)
{
        struct raft_core *c = t->impl;

        c->accept_cb = cb;
        return 0;
}

static int transport_connect(struct raft_uv_transport *t, struct raft_uv_connect *req, raft_id id, const char *address,
                             raft_uv_connect_cb cb)
{
        struct raft_core *c = t->impl;
        struct raft_dial *d = raft__dial_start(c->e, id, address, req);

        if (!d)
                return RAFT_NOMEM;
        req->cb = cb;
        list_append(&c->dials, &d->link);
        return 0;
}

static void transport_close(struct raft_uv_transport *t, raft_uv_transport_close_cb cb)
{
        struct raft_core *c = t->impl;

        c->accept_cb = NULL;
        LIST_FOREACH(l, &c->dials) {
                struct raft_dial *d = LIST_ENTRY(l, struct raft_dial, link);
                struct raft_uv_connect *req = d->request;
                d->request = NULL;
                if (req)
                        req->cb(req, NULL, RAFT_CANCELED);
        }
        cb(t);
}

/* Attempts to connect that have ended. */
static void take_dialed(struct raft_core *c)
{
        for (;;) {
                struct raft_dial *d = NULL;
                mutex_lock(&c->e->lock);
                if (!list_empty(&c->e->dialed)) {
                        d = LIST_ENTRY(c->e->dialed.next, struct raft_dial, ended);
                        list_remove(&d->ended);
                }
                mutex_unlock(&c->e->lock);
                if (!d)
                        return;
                struct raft_uv_connect *req = d->request;
                if (req) {
                        struct uv_stream_s *s = d->fd >= 0 ? stream_of(c, d->fd) : NULL;
                        d->fd = -1;
                        d->request = NULL;
                        req->cb(req, s, s ? 0 : RAFT_NOCONNECTION);
                }
                raft__dial_free(d);
        }
}

static void accept_stream(struct raft_core *c, struct call *call)
{
        int fd = call->fd;

        if (!c->accept_cb) {
                raft__call_done(c->e, call, ERR_UNAVAILABLE, "the ordered state is not served yet");
                return;
        }
        call->fd = -1;
        struct uv_stream_s *s = stream_of(c, fd);
        if (s)
                c->accept_cb(&c->transport, call->id, call->address, s);
        raft__call_done(c->e, call, s ? ERR_NONE : ERR_IO, "the stream can not be used");
}

/* ---- in front of raft_io ---- */

static size_t message_size(const struct raft_message *m)
{
        size_t n = 16 + 64; /* preamble and header, about */

        if (m->type == RAFT_APPEND_ENTRIES) {
                for (unsigned i = 0; i < m->append_entries.n_entries; i++)
                        n += 16 + m->append_entries.entries[i].buf.len;
        } else if (m->type == RAFT_INSTALL_SNAPSHOT) {
                n += m->install_snapshot.data.len;
        }
        return n;
}

static int send_message(struct raft_io *io, struct raft_io_send *req, const struct raft_message *m, raft_io_send_cb cb)
{
        struct raft_core *c = CONTAINER_OF(io, struct raft_core, io);

        if (c->closing)
                return RAFT_CANCELED;
        c->messages++;
        c->bytes += message_size(m);
        return c->io_send(io, req, m, cb);
}

static void install_free(struct raft_message *m)
{
        raft_configuration_close(&m->install_snapshot.conf);
        raft_free(m->install_snapshot.data.base);
}

static bool install_sound(struct raft_core *c, const struct raft_message *m)
{
        struct doc_set probe;
        const struct raft_buffer *b = &m->install_snapshot.data;
        char text[200];

        doc_set_init(&probe);
        struct err *e = doc_set_restore(&probe, (struct str){ b->base, b->len });
        doc_set_fini(&probe);
        if (!e)
                return true;
        alarm_say(c, "voter %llx sent a snapshot that is refused: %s", m->server_id, err_text(e, text, sizeof(text)));
        err_free(e);
        return false;
}

static void look(struct raft_core *c);

static void receive_install(struct raft_core *c, struct raft_io *io, struct raft_message *m)
{
        if (c->raft.snapshot.installing || !install_sound(c, m)) { /* one is being installed: libraft would lose this one's memory */
                install_free(m);
                return;
        }
        if (!c->raft.legacy.snapshot_taking) {
                c->recv(io, m);
                return;
        }
        if (c->holding)
                install_free(&c->held);
        c->held = *m;
        c->holding = true;
        snprintf(c->held_address, sizeof(c->held_address), "%s", m->server_address);
        c->held.server_address = c->held_address;
}

static void release_held(struct raft_core *c)
{
        struct raft_message m = c->held;

        if (!c->holding || c->raft.legacy.snapshot_taking)
                return;
        c->holding = false;
        c->recv(&c->io, &m);
}

static void receive(struct raft_io *io, struct raft_message *m)
{
        struct raft_core *c = CONTAINER_OF(io, struct raft_core, io);

        if (m->type == RAFT_APPEND_ENTRIES_RESULT && c->led && m->append_entries_result.term == c->led_term)
                raft_fresh_heard(&c->fresh, m->server_id, clock_mono_ns());
        if (m->type == RAFT_INSTALL_SNAPSHOT && !c->closing)
                receive_install(c, io, m);
        else
                c->recv(io, m);
        if (!c->closing)
                look(c);
}

static int start_io(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
        struct raft_core *c = CONTAINER_OF(io, struct raft_core, io);

        c->recv = recv;
        return c->io_start(io, msecs, tick, receive);
}

/* ---- leadership ---- */

/* A request of ours to libraft, with what waits for it. */
struct barrier {
        struct raft_barrier req;
        struct raft_core *c;
        raft_term term;
        struct list calls; /* empty: the one that makes a new leader ready */
};

static int barrier_start(struct raft_core *c, raft_barrier_cb cb, struct list *calls)
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

static bool still_leading(struct raft_core *c, raft_term term)
{
        return raft_state(&c->raft) == RAFT_LEADER && raft_current_term(&c->raft) == term;
}

static void ready_cb(struct raft_barrier *req, int status)
{
        struct barrier *b = req->data;
        struct raft_core *c = b->c;

        c->readying = false;
        if (status == 0 && c->led && c->led_term == b->term && still_leading(c, b->term))
                c->ready = true;
        free(b);
        if (!c->closing)
                look(c);
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

static void publish(struct raft_core *c, int64_t now)
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
        publish(c, now);
        if (c->running && c->e->o.events.role)
                c->e->o.events.role(c->e->o.events.arg, &role);
}

static void hand_over(struct raft_core *c, int64_t now);

/* Sees what has changed in libraft. */
static void look(struct raft_core *c)
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
                c->readying = barrier_start(c, ready_cb, NULL) == 0;
        hand_over(c, now);
        say_role(c, now);
}

/* ---- calls ---- */

static void call_end(struct raft_core *c, struct call *call, int rv)
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

static void end_all(struct raft_core *c, struct list *calls, int rv)
{
        while (!list_empty(calls)) {
                struct call *call = LIST_ENTRY(calls->next, struct call, link);
                list_remove(&call->link);
                call_end(c, call, rv);
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
                call_end(c, call, RAFT_SHUTDOWN);
        else if (status == DOC_CONFLICT)
                raft__call_done(c->e, call, ERR_CONFLICT, "the state has changed in between");
        else if (status == DOC_TOTAL_TOO_LARGE)
                raft__call_done(c->e, call, ERR_TOO_LARGE, "the state of the cluster would pass its limit");
        else if (status == DOC_SEQUENCE_OLD)
                raft__call_done(c->e, call, ERR_INVALID, "this client has made later requests already");
        else
                call_end(c, call, 0);
}

static void proposal_cb(struct raft_apply *req, int status, void *result)
{
        struct proposal *p = req->data;

        if (p->c->dirty && !p->c->closing)
                publish(p->c, clock_mono_ns());
        if (status == 0)
                proposal_end(p->c, p->call, (uintptr_t)result);
        else
                call_end(p->c, p->call, status == RAFT_NOTLEADER ? RAFT_LEADERSHIPLOST : status);
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
                call_end(c, call, RAFT_NOSPACE);
        else if (clock_mono_ns() >= call->deadline_ns)
                call_end(c, call, RAFT_CANCELED);
        else
                list_append(&c->again, &call->link);
}

static void propose(struct raft_core *c, struct call *call)
{
        size_t n = (call->command.n + 7) & ~(size_t)7;
        struct raft_buffer buf = { NULL, n };
        struct proposal *p;

        if (!c->ready) {
                call_end(c, call, RAFT_NOTLEADER);
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
                call_end(c, call, RAFT_NOMEM);
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
                call_end(c, call, rv == RAFT_NOTLEADER ? rv : RAFT_LEADERSHIPLOST);
}

static void fence_next(struct raft_core *c);

static void fence_cb(struct raft_barrier *req, int status)
{
        struct barrier *b = req->data;
        struct raft_core *c = b->c;

        c->fencing = false;
        if (status == 0 && !still_leading(c, b->term))
                status = RAFT_LEADERSHIPLOST;
        if (c->dirty && !c->closing)
                publish(c, clock_mono_ns());
        end_all(c, &b->calls, status);
        free(b);
        if (!c->closing)
                fence_next(c);
}

/* One barrier for all that wait; the next one when it has come back. */
static void fence_next(struct raft_core *c)
{
        if (c->fencing || list_empty(&c->fences) || (c->ready && handing_over(c)))
                return;
        int rv = c->ready ? barrier_start(c, fence_cb, &c->fences) : RAFT_NOTLEADER;
        if (rv == 0)
                c->fencing = true;
        else
                end_all(c, &c->fences, rv == RAFT_NOSPACE ? RAFT_LEADERSHIPLOST : rv);
}

static void change_cb(struct raft_change *req, int status)
{
        struct raft_core *c = req->data;
        struct call *call = c->change_call;

        c->change_call = NULL;
        if (!c->closing)
                publish(c, clock_mono_ns());
        call_end(c, call, status);
}

static void change(struct raft_core *c, struct call *call)
{
        static const int role[] = { [PLACE_SPARE] = RAFT_SPARE, [PLACE_STANDBY] = RAFT_STANDBY, [PLACE_VOTER] = RAFT_VOTER };
        int rv = RAFT_NOTLEADER;

        if (c->change_call || c->raft.legacy.change) {
                call_end(c, call, RAFT_BUSY);
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
        call_end(c, call, rv == RAFT_NOSPACE ? RAFT_BUSY : rv);
}

static void transfer_cb(struct raft_transfer *req)
{
        struct raft_core *c = req->data;
        struct call *call = c->transfer_call;

        c->transferring = false;
        c->transfer_call = NULL;
        if (call)
                call_end(c, call, c->closing ? RAFT_SHUTDOWN : 0);
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
static void hand_over(struct raft_core *c, int64_t now)
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
                call_end(c, call, rv);
}

/* call: null when a watch asks. id 0: to whoever has most of the log. */
static void transfer(struct raft_core *c, struct call *call, uint64_t id)
{
        uint64_t heir = id ? id : best_but(c, 0);

        if (c->transferring || c->heir || c->raft.transfer || !c->led || !heir) {
                if (call)
                        call_end(c, call, !c->led ? RAFT_NOTLEADER : heir ? RAFT_BUSY : RAFT_NOTFOUND);
                return;
        }
        c->heir = heir;
        c->heir_by_ns = clock_mono_ns() + (int64_t)c->e->o.election_ms * NS_PER_MS;
        c->transfer_call = call;
        hand_over(c, clock_mono_ns());
}

static void begin(struct raft_core *c, struct call *call)
{
        switch (call->kind) {
        case CALL_PROPOSE:
                propose(c, call);
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
                accept_stream(c, call);
                break;
        }
}

/* The first call of a list that is guarded by the lock; null when empty. */
static struct call *take_call(struct engine *e)
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
static void watch_disk(struct raft_core *c, int64_t now)
{
        struct fs_usage u;
        struct err *e = fs_usage(c->e->dir_fd, &u);

        if (e) {
                log_err(LOG_WARN, LOG_FOLDER, e, "room for the ordered state");
                return;
        }
        bool low = u.avail < c->e->o.min_free_bytes;
        if (low && !c->low)
                alarm_say(c, "only %llu MiB of room are left for it", (unsigned long long)(u.avail >> 20));
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
        alarm_say(c, "voter %llx answers, but stands still at entry %llu of %llu", id, match, last);
        uint64_t best = best_but(c, id);
        if (best)
                away(c, now, best);
}

static void watch_followers(struct raft_core *c, int64_t now)
{
        for (unsigned i = 0; i < c->raft.configuration.n && i < RAFT_VOTERS_MAX; i++) {
                const struct raft_server *s = &c->raft.configuration.servers[i];
                if (s->id != c->raft.id && s->role != RAFT_SPARE)
                        watch_follower(c, &c->follower[i], s->id, now);
        }
}

/* ---- the thread ---- */

static void closed_cb(struct raft *r)
{
        (void)r; /* the loop ends when all its handles are closed */
}

static void begin_close(struct raft_core *c)
{
        struct engine *e = c->e;
        struct call *call;

        if (c->closing)
                return;
        c->led = c->ready = false;
        c->closing = true;
        memset(&c->told, 0, sizeof(c->told));
        publish(c, clock_mono_ns());
        mutex_lock(&e->lock);
        e->core = NULL; /* no more calls, nobody wakes us */
        mutex_unlock(&e->lock);
        while ((call = take_call(e)) != NULL)
                call_end(c, call, RAFT_SHUTDOWN);
        end_all(c, &c->again, RAFT_SHUTDOWN);
        end_all(c, &c->fences, RAFT_SHUTDOWN);
        if (c->heir && c->transfer_call)
                call_end(c, c->transfer_call, RAFT_SHUTDOWN);
        if (c->heir)
                c->transfer_call = NULL;
        c->heir = 0;
        if (c->holding)
                install_free(&c->held);
        c->holding = false;
        uv_close((uv_handle_t *)&c->timer, NULL);
        uv_close((uv_handle_t *)&c->wake, NULL);
        raft_close(&c->raft, closed_cb);
}

static bool must_stop(struct raft_core *c)
{
        LOCK_SCOPE(&c->e->lock);
        return c->e->stopping || c->frozen;
}

static void on_wake(uv_async_t *a)
{
        struct raft_core *c = a->data;
        struct call *call;

        if (c->closing)
                return;
        look(c);
        take_dialed(c);
        while ((call = take_call(c->e)) != NULL)
                begin(c, call);
        fence_next(c);
        if (must_stop(c))
                begin_close(c);
}

static void try_again(struct raft_core *c)
{
        struct list again = c->again;

        if (list_empty(&c->again))
                return;
        again.next->prev = again.prev->next = &again;
        list_init(&c->again);
        while (!list_empty(&again)) {
                struct call *call = LIST_ENTRY(again.next, struct call, link);
                list_remove(&call->link);
                propose(c, call);
        }
}

static void on_timer(uv_timer_t *t)
{
        struct raft_core *c = t->data;
        int64_t now = clock_mono_ns();

        look(c);
        release_held(c);
        try_again(c);
        fence_next(c);
        if (now >= c->next_disk_ns) {
                c->next_disk_ns = now + (int64_t)c->e->o.watch_ms * NS_PER_MS;
                watch_disk(c, now);
        }
        if (c->led && now >= c->next_still_ns) {
                c->next_still_ns = now + (int64_t)c->e->o.stall_ms * NS_PER_MS / 10;
                watch_followers(c, now);
        }
        publish(c, now);
        if (must_stop(c))
                begin_close(c);
}

void raft__wake_locked(struct engine *e)
{
        if (e->core)
                uv_async_send(&e->core->wake);
}

/* Everything up to raft_init(). On error nothing is left open. */
static struct err *core_open(struct raft_core *c, const char *dir, uint64_t id, const char *address)
{
        int rv = uv_loop_init(&c->loop);

        if (rv != 0)
                return err_new(ERR_IO, "event loop: %s", uv_strerror(rv));
        list_init(&c->dials);
        list_init(&c->fences);
        list_init(&c->again);
        doc_set_init(&c->set);
        c->transport = (struct raft_uv_transport){ .version = 1, .impl = c, .init = transport_init, .listen = transport_listen,
                                                   .connect = transport_connect, .close = transport_close };
        rv = raft_uv_init(&c->io, &c->loop, dir, &c->transport);
        if (rv != 0) {
                uv_loop_close(&c->loop);
                return error_of(rv, dir, c->io.errmsg);
        }
        c->io_send = c->io.send;
        c->io_start = c->io.start;
        c->io.send = send_message;
        c->io.start = start_io;
        raft_uv_set_auto_recovery(&c->io, false);
        raft_uv_set_connect_retry_delay(&c->io, CONNECT_RETRY_MS);
        raft_uv_set_disk_retry(&c->io, DISK_RETRY_MS);
        c->fsm = (struct raft_fsm){ .version = 2, .data = c, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore,
                                    .snapshot_finalize = fsm_snapshot_finalize };
        rv = raft_init(&c->raft, &c->io, &c->fsm, id, address);
        if (rv != 0) {
                struct err *e = error_of(rv, dir, c->raft.errmsg);
                raft_uv_close(&c->io);
                uv_loop_close(&c->loop);
                return e;
        }
        return NULL;
}

/* Ends what core_open() began; raft_close() has been called. */
static void core_close(struct raft_core *c)
{
        uv_run(&c->loop, UV_RUN_DEFAULT);
        raft_uv_close(&c->io);
        int rv = uv_loop_close(&c->loop);
        ASSERT(rv == 0);
        while (!list_empty(&c->dials))
                raft__dial_free(LIST_ENTRY(c->dials.next, struct raft_dial, link));
        ASSERT(!c->change_call && !c->transfer_call && list_empty(&c->fences));
        doc_set_fini(&c->set);
}

static struct err *alone(struct raft_core *c, int (*fn)(struct raft *, const struct raft_configuration *), const char *what)
{
        struct raft_configuration conf;

        raft_configuration_init(&conf);
        int rv = raft_configuration_add(&conf, c->raft.id, c->raft.address, RAFT_VOTER);
        if (rv == 0)
                rv = fn(&c->raft, &conf);
        raft_configuration_close(&conf);
        return rv == 0 ? NULL : error_of(rv, what, c->io.errmsg);
}

static struct err *core_start(struct raft_core *c)
{
        const struct raft_options *o = &c->e->o;

        raft_set_pre_vote(&c->raft, true);
        raft_set_election_timeout(&c->raft, o->election_ms);
        raft_set_heartbeat_timeout(&c->raft, o->heartbeat_ms);
        raft_set_install_snapshot_timeout(&c->raft, INSTALL_MS);
        raft_set_snapshot_threshold(&c->raft, SNAPSHOT_ENTRIES);
        raft_set_snapshot_trailing(&c->raft, TRAILING_ENTRIES);
        raft_fresh_init(&c->fresh, (int64_t)o->election_ms * NS_PER_MS, clock_mono_ns());
        if (o->bootstrap)
                TRY(alone(c, raft_bootstrap, "first start"));
        int rv = raft_start(&c->raft);
        return rv == 0 ? NULL : error_of(rv, o->dir, raft_errmsg(&c->raft));
}

static void serve(struct raft_core *c)
{
        uv_async_init(&c->loop, &c->wake, on_wake);
        uv_timer_init(&c->loop, &c->timer);
        c->wake.data = c->timer.data = c;
        uv_timer_start(&c->timer, on_timer, TICK_MS, TICK_MS);
        c->running = true;
        report_whole(c);
        look(c);
        publish(c, clock_mono_ns());
        mutex_lock(&c->e->lock);
        c->e->core = c;
        c->e->started = true;
        cond_broadcast(&c->e->changed);
        mutex_unlock(&c->e->lock);
        uv_run(&c->loop, UV_RUN_DEFAULT);
}

void raft__run(void *engine)
{
        struct engine *e = engine;
        struct raft_core *c = calloc(1, sizeof(*c));
        struct err *err = c ? NULL : err_static(ERR_NO_MEMORY);
        bool opened = false;

        if (!err) {
                c->e = e;
                err = core_open(c, e->o.dir, e->o.id, e->o.address);
                opened = !err;
        }
        if (!err)
                err = core_start(c);
        if (!err) {
                serve(c);
        } else if (opened) {
                c->closing = true;
                raft_close(&c->raft, closed_cb);
        }
        if (opened)
                core_close(c);
        free(c);
        LOCK_SCOPE(&e->lock);
        e->start_error = err;
        e->ended = true;
        cond_broadcast(&e->changed);
}

/* ---- offline ---- */

static void loaded_members(const struct raft_configuration *conf, struct raft_inspection *ret)
{
        ret->voters = 0;
        for (unsigned i = 0; i < conf->n && ret->voters < RAFT_VOTERS_MAX; i++) {
                struct raft_voter *v = &ret->voter[ret->voters++];
                v->id = conf->servers[i].id;
                v->voting = conf->servers[i].role == RAFT_VOTER;
                str_copy(v->address, sizeof(v->address), str_of(conf->servers[i].address));
        }
}

static struct err *loaded_entry(struct raft_core *c, const struct raft_entry *entry, raft_index index, struct raft_inspection *info)
{
        struct doc_result r;

        if (entry->type == RAFT_CHANGE) {
                struct raft_configuration conf;
                int rv = raft_configuration_decode(&entry->buf, &conf);
                if (rv != 0)
                        return error_of(rv, "an entry of the log", "configuration");
                loaded_members(&conf, info);
                raft_configuration_close(&conf);
        } else if (entry->type == RAFT_COMMAND) {
                return doc_set_apply(&c->set, index, (struct str){ entry->buf.base, entry->buf.len }, &r);
        }
        return NULL;
}

static void entries_free(struct raft_entry *v, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                if (i == 0 || v[i].batch != v[i - 1].batch)
                        raft_free(v[i].batch);
        }
        raft_free(v);
}

static void snapshot_free(struct raft_snapshot *s)
{
        if (!s)
                return;
        raft_configuration_close(&s->configuration);
        for (unsigned i = 0; i < s->n_bufs; i++)
                raft_free(s->bufs[i].base);
        raft_free(s->bufs);
        raft_free(s);
}

static struct err *load(struct raft_core *c, struct raft_inspection *info)
{
        struct raft_snapshot *s = NULL;
        struct raft_entry *entries = NULL;
        raft_term term;
        raft_id vote;
        raft_index start = 0, past = 0;
        size_t n = 0;
        struct err *e = NULL;
        int rv = c->io.load(&c->io, &term, &vote, &s, &start, &entries, &n);

        if (rv != 0)
                return error_of(rv, "raft directory", c->io.errmsg);
        info->term = term;
        if (s) {
                past = s->index;
                loaded_members(&s->configuration, info);
                e = doc_set_restore(&c->set, (struct str){ s->bufs[0].base, s->bufs[0].len });
        }
        info->last_index = n ? start + n - 1 : past;
        for (size_t i = 0; i < n && !e; i++) {
                if (start + i > past)
                        e = loaded_entry(c, &entries[i], start + i, info);
        }
        snapshot_free(s);
        if (entries)
                entries_free(entries, n);
        return e;
}

/* Opens a core, does fn, closes it. */
static struct err *offline(const char *dir, uint64_t id, const char *address, struct err *(*fn)(struct raft_core *, void *), void *arg)
{
        struct raft_core *c = calloc(1, sizeof(*c));

        if (!c)
                return err_static(ERR_NO_MEMORY);
        struct err *e = core_open(c, dir, id, address);
        if (!e) {
                e = fn(c, arg);
                c->closing = true;
                raft_close(&c->raft, closed_cb);
                core_close(c);
        }
        free(c);
        return e;
}

static struct err *load_into(struct raft_core *c, void *arg)
{
        struct raft_loaded *l = arg;

        TRY(load(c, &l->info));
        l->info.state_hash = c->set.hash;
        l->info.documents = c->set.n;
        l->set = c->set;
        doc_set_init(&c->set);
        return NULL;
}

struct err *raft__load(const char *dir, uint64_t id, const char *address, struct raft_loaded *ret)
{
        struct raft_loaded l = { 0 };

        TRY(offline(dir, id, address, load_into, &l));
        *ret = l;
        return NULL;
}

static struct err *recover_alone(struct raft_core *c, void *arg)
{
        (void)arg;
        return alone(c, raft_recover, "recovery");
}

struct err *raft__recover(const char *dir, uint64_t id, const char *address)
{
        return offline(dir, id, address, recover_alone, NULL);
}
