/* cluster/raft_core.h (raft.c and the files beside it that say so): the raft thread's own: libraft and libuv, and all that
 * belongs to one instance of them. Nobody else includes libraft.
 *
 * Everything here runs on the raft thread, and before it serves on the thread that opens it. */
#ifndef ORLOP_CLUSTER_RAFT_CORE_H
#define ORLOP_CLUSTER_RAFT_CORE_H

#include <raft.h>
#include <raft/uv.h>
#undef MIN /* libuv brings <sys/param.h> */
#undef MAX

#include "cluster/raft_fresh.h"
#include "cluster/raft_priv.h"

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

/* A request of ours to libraft, with what waits for it. */
struct barrier {
        struct raft_barrier req;
        struct raft_core *c;
        raft_term term;
        struct list calls; /* empty: the one that makes a new leader ready */
};

/* ---- raft.c ---- */

/* An error of libraft's. */
MUST_CHECK struct err *raft__error(int rv, const char *what, const char *message);
/* Says what a person must look at: to the log, and to the events. */
PRINTF_LIKE(2, 3) void raft__alarm(struct raft_core *c, const char *fmt, ...);
/* Everything up to raft_init(). On error nothing is left open. */
MUST_CHECK struct err *raft__core_open(struct raft_core *c, const char *dir, uint64_t id, const char *address);
/* Ends what raft__core_open() began; raft_close() has been called. */
void raft__core_close(struct raft_core *c);
/* For raft_close(). */
void raft__closed(struct raft *r);
/* fn (raft_bootstrap, raft_recover) with a configuration of this voter alone. */
MUST_CHECK struct err *raft__alone(struct raft_core *c, int (*fn)(struct raft *, const struct raft_configuration *),
                                   const char *what);

/* ---- raft_state.c ---- */

/* Fills c->fsm. */
void raft__state_init(struct raft_core *c);
/* Reports all documents to the events, as at a start. */
void raft__report_whole(struct raft_core *c);

/* ---- raft_net.c ---- */

/* Fills c->transport, before raft_uv_init(). */
void raft__transport_init(struct raft_core *c);
/* Puts our calls in front of those of c->io, after raft_uv_init(). */
void raft__front_init(struct raft_core *c);
/* Hands libraft the streams that have been dialled. */
void raft__take_dialed(struct raft_core *c);
/* CALL_ACCEPT. */
void raft__accept_stream(struct raft_core *c, struct call *call);
/* Frees a snapshot that was to be installed. */
void raft__install_free(struct raft_message *m);
/* Lets a snapshot in that waited for our own. */
void raft__release_held(struct raft_core *c);

/* ---- raft_lead.c ---- */

/* Sends a barrier; the calls wait for it, and are given back when it can not be sent (RAFT_…). */
int raft__barrier_start(struct raft_core *c, raft_barrier_cb cb, struct list *calls);
/* Whether this voter still leads in the term that it led when something was begun. */
bool raft__still_leading(struct raft_core *c, raft_term term);
/* Looks what has changed: role, readiness, configuration. */
void raft__look(struct raft_core *c);
/* Makes what this thread knows the view of others. */
void raft__publish(struct raft_core *c, int64_t now);

/* ---- raft_calls.c ---- */

/* The first call that was handed over; null if there is none. */
struct call *raft__call_take(struct engine *e);
/* Begins it. */
void raft__call_begin(struct raft_core *c, struct call *call);
/* Ends it with what libraft says. */
void raft__call_end(struct raft_core *c, struct call *call, int rv);
/* Ends all of a list. */
void raft__calls_end(struct raft_core *c, struct list *calls, int rv);
/* A proposal, perhaps not for the first time. */
void raft__propose(struct raft_core *c, struct call *call);
/* Sends the barrier for those who wait for one. */
void raft__fence_next(struct raft_core *c);
/* Goes on with a transfer that waits for its heir. */
void raft__hand_over(struct raft_core *c, int64_t now);
/* Whether there is room; a leader without hands over. */
void raft__watch_disk(struct raft_core *c, int64_t now);
/* Whether followers stand still. */
void raft__watch_followers(struct raft_core *c, int64_t now);

#endif
