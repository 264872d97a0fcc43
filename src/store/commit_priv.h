/* store/commit_priv.h: what commit.c (queue and thread) and decide.c (what a change does to the records) share. */
#ifndef ORLOP_STORE_COMMIT_PRIV_H
#define ORLOP_STORE_COMMIT_PRIV_H

#include "store/cache.h"

/* A key as this batch sees it: what is stored, then what the changes of the batch made of it. */
struct entry {
        struct obj_key key;
        uint64_t digest;
        struct str k;           /* encoded key */
        bool present;           /* a record, perhaps a tombstone */
        bool touched;           /* changed by this batch: cache_change_begin was called */
        bool everywhere;        /* mixed: all mountpaths were asked, not only this one */
        struct record record;   /* texts in the batch's arena */
        struct str small;       /* small content that this batch writes; null p: see the database */
        struct mountpath *other;  /* mixed: the record above lies there */
        struct mountpath *forget; /* where an older copy lies that this batch made superfluous */
        struct stamp forget_stamp;
};
/* A content that became garbage by a change of this batch. */
struct garbage {
        struct content_id id;
};
struct committer {
        struct mountpath *mp;
        struct thread *thread;
        struct mutex lock; /* guards the queue */
        struct cond work, room;
        struct list queue;
        unsigned queued;
        size_t queued_bytes;
        bool stop;
        _Atomic bool failed; /* a write or sync failed: nothing is written any more */
        _Atomic bool unsynced; /* written without sync since the last sync */
        /* the commit thread's alone */
        struct records_batch *batch;
        struct arena arena;
        struct buf encoded;
        struct entry **table;
        unsigned table_size, entries, entries_cap;
        struct entry **list;
        struct garbage *garbage; /* contents to discard once this batch is on stable storage */
        size_t ngarbage, garbage_cap;
        bool stamped;            /* the batch gives stamps: it carries the high-water too */
};

/* Ready for a batch of n changes. */
MUST_CHECK struct err *decide_begin(struct committer *c, unsigned n);
/* Decides one change: adds to c->batch and sets op->happened, or sets op->err or op->result.noop. */
void decide(struct committer *c, struct commit_op *op);
/* After the batch was written or not: ends the changes of the cache. */
void decide_end(struct committer *c);

#endif
