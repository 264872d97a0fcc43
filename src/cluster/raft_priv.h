/* cluster/raft_priv.h (raft*.c only): what the callers' side (raft_engine.c) and the raft thread (raft.c
 * and the files of raft_core.h) share.
 *
 * Callers hand the raft thread calls and wait; the thread publishes what it knows. Both under engine.lock, which is never held
 * while something waits or an event runs. Nothing here knows libraft. */
#ifndef ORLOP_CLUSTER_RAFT_PRIV_H
#define ORLOP_CLUSTER_RAFT_PRIV_H

#include "base/buf.h"
#include "base/list.h"
#include "cluster/doc_set.h"
#include "cluster/engine.h"
#include "os/thread.h"

enum call_kind { CALL_PROPOSE, CALL_FENCE, CALL_ADD, CALL_ASSIGN, CALL_REMOVE, CALL_TRANSFER, CALL_ACCEPT };
enum raft_place { PLACE_SPARE, PLACE_STANDBY, PLACE_VOTER };

/* One request of a worker. Two references: the worker's and the raft thread's. */
struct call {
        struct list link;       /* engine.calls, then a list of the raft thread's */
        enum call_kind kind;
        unsigned refs;
        bool done;
        struct cond cond;
        int64_t deadline_ns;
        enum err_code code;
        const char *why;        /* static text */
        uint64_t index;
        struct buf command;     /* CALL_PROPOSE */
        uint64_t id;            /* CALL_ADD, ASSIGN, REMOVE, TRANSFER, ACCEPT */
        enum raft_place place;  /* CALL_ASSIGN */
        char address[272];
        int fd;                 /* CALL_ACCEPT */
};

struct raft_member {
        struct raft_voter voter;
        enum raft_place place;
        uint64_t match;         /* leader: what it has stored */
};

/* What the raft thread knew when it last ran. */
struct raft_view {
        struct engine_status status;
        bool leading;           /* leader, ready or not */
        int64_t fresh_until_ns, last_run_ns;
        struct raft_member member[RAFT_VOTERS_MAX];
        unsigned members;
};

struct raft_core;
struct engine {
        struct raft_options o;  /* dir and address are copies of our own */
        int dir_fd;             /* locked */
        struct thread *thread;
        struct mutex lock;
        struct cond changed;    /* view or state of the thread */
        struct list calls;
        struct list dialed;     /* struct raft_dial that have ended */
        struct raft_core *core; /* not null: may be woken */
        bool started, ended, stopping;
        unsigned users;         /* workers inside a call */
        bool changing;          /* a change of voters or a transfer is under way */
        struct err *start_error;
        struct raft_view view;
};

/* ---- raft.c, raft_load.c ---- */

/* The raft thread: starts, serves, and ends when engine.stopping. */
void raft__run(void *engine);
/* Makes the thread look at engine.calls and the rest; the lock is held. */
void raft__wake_locked(struct engine *e);

struct raft_loaded {
        struct raft_inspection info;
        struct doc_set set;
};
/* Reads the directory as a start would (which tidies it). The set is that after all of the log. CORRUPT, IO, … */
MUST_CHECK struct err *raft__load(const char *dir, uint64_t id, const char *address, struct raft_loaded *ret);
/* Appends a configuration of this voter alone. */
MUST_CHECK struct err *raft__recover(const char *dir, uint64_t id, const char *address);

/* ---- raft_engine.c ---- */

/* Ends a call for its worker and drops the raft thread's reference. */
void raft__call_done(struct engine *e, struct call *c, enum err_code code, const char *why);

/* ---- raft_dir.c ---- */

/* Tries raft__load in a child process. CORRUPT also when the child crashed. */
MUST_CHECK struct err *raft__try(const char *dir, uint64_t id, const char *address);
/* Opens and locks a directory. IN_USE when another process has it. */
MUST_CHECK struct err *raft__lock_dir(const char *dir, int *ret_fd);
/* Copies the files of a directory to a new one. */
MUST_CHECK struct err *raft__copy_dir(const char *from, const char *to);
/* Whether the directory holds no state: nothing at all, or what the very first write left (then that is removed). */
MUST_CHECK struct err *raft__dir_fresh(const char *dir, bool *ret);

/* ---- raft_dial.c ---- */

/* One attempt to connect, on a thread of its own. */
struct raft_dial {
        struct list link;       /* of the raft thread: all that run */
        struct list ended;      /* engine.dialed */
        struct engine *engine;
        struct thread *thread;
        uint64_t id;
        char address[272];
        void *request;          /* raft_net.c's; null: nobody waits any more */
        int fd;                 /* -1: failed */
};
/* Starts one; null when it can not. It ends in engine.dialed. */
struct raft_dial *raft__dial_start(struct engine *e, uint64_t id, const char *address, void *request);
/* Waits for its thread, closes what it still has, frees it. */
void raft__dial_free(struct raft_dial *d);

#endif
