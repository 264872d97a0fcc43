/* cluster/raft_net.c: what libraft sends and receives: our own transport (dialled by threads, streams handed over), and two
 * calls in front of its raft_io.
 *
 *   - what arrives is counted for freshness; a snapshot is verified before libraft stores it, and waits while our own is being
 *     written (libraft 0.22.1 would follow a null pointer);
 *   - what is sent is counted, and refused once we close (a snapshot that was being read would meet an assertion). */
#include <unistd.h>

#include "cluster/raft_core.h"

#include "os/clock.h"

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
void raft__take_dialed(struct raft_core *c)
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

void raft__accept_stream(struct raft_core *c, struct call *call)
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

void raft__transport_init(struct raft_core *c)
{
        c->transport = (struct raft_uv_transport){ .version = 1, .impl = c, .init = transport_init, .listen = transport_listen,
                                                   .connect = transport_connect, .close = transport_close };
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

void raft__install_free(struct raft_message *m)
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
        raft__alarm(c, "voter %llx sent a snapshot that is refused: %s", m->server_id, err_text(e, text, sizeof(text)));
        err_free(e);
        return false;
}

void raft__look(struct raft_core *c);

static void receive_install(struct raft_core *c, struct raft_io *io, struct raft_message *m)
{
        if (c->raft.snapshot.installing || !install_sound(c, m)) { /* one is being installed: libraft would lose this one's memory */
                raft__install_free(m);
                return;
        }
        if (!c->raft.legacy.snapshot_taking) {
                c->recv(io, m);
                return;
        }
        if (c->holding)
                raft__install_free(&c->held);
        c->held = *m;
        c->holding = true;
        snprintf(c->held_address, sizeof(c->held_address), "%s", m->server_address);
        c->held.server_address = c->held_address;
}

void raft__release_held(struct raft_core *c)
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
                raft__look(c);
}

static int start_io(struct raft_io *io, unsigned msecs, raft_io_tick_cb tick, raft_io_recv_cb recv)
{
        struct raft_core *c = CONTAINER_OF(io, struct raft_core, io);

        c->recv = recv;
        return c->io_start(io, msecs, tick, receive);
}

void raft__front_init(struct raft_core *c)
{
        c->io_send = c->io.send;
        c->io_start = c->io.start;
        c->io.send = send_message;
        c->io.start = start_io;
}
