/* cluster/raft_state.c: libraft's state machine is a set of documents (doc_set.h).
 *
 * Version 2 of the interface: a snapshot is a list of pointers to living blocks, so that taking one does not stall the loop.
 * A command that can not be understood freezes this voter: nothing more is applied, no snapshot is taken, the thread ends. */
#define LOG_FOLDER "cluster"
#include "cluster/raft_core.h"

#include "base/log.h"

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
        raft__alarm(c, "this voter stops: %s", err_text(e, text, sizeof(text)));
        err_free(e);
}

void raft__report_whole(struct raft_core *c)
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
                raft__report_whole(c);
        return 0;
}


void raft__state_init(struct raft_core *c)
{
        c->fsm = (struct raft_fsm){ .version = 2, .data = c, .apply = fsm_apply, .snapshot = fsm_snapshot, .restore = fsm_restore,
                                    .snapshot_finalize = fsm_snapshot_finalize };
}
