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

/* entry.c */
/* Ready for a batch of n changes. */
MUST_CHECK struct err *decide_begin(struct committer *c, unsigned n);
/* After the batch was written or not: ends the changes of the cache. */
void decide_end(struct committer *c);
/* The entry of a key, loaded if it is new. set null: only what lies on this mountpath counts. */
MUST_CHECK struct err *entry_get(struct committer *c, const struct obj_key *key, const struct mp_set *set,
                                 struct entry **ret);
/* Whether there is an object. */
bool entry_alive(const struct entry *en);
/* Has a record's texts live as long as the batch. */
MUST_CHECK struct err *entry_keep_texts(struct committer *c, struct record *r);
/* Makes `r` the entry's record, here; small: the bytes of a small content that is new, else null. */
void entry_set(struct committer *c, struct entry *en, const struct record *r, struct str small);
/* Removes the entry's record here. */
void entry_remove(struct committer *c, struct entry *en);
/* A new stamp, larger than the entry's. */
struct stamp entry_stamp(struct committer *c, const struct entry *en);
/* Notes a stamp that another node gave, so that this one's will be larger, after a restart too. */
void entry_observe(struct committer *c, struct stamp stamp);

/* decide.c */
/* Decides one change: adds to c->batch and sets op->happened, or sets op->err or op->result.noop. */
void decide(struct committer *c, struct commit_op *op);
/* What the caller learns: this record. */
void decide_report(struct commit_op *op, const struct record *r, uint64_t old_version, bool noop, bool replaced);

/* decide_given.c: what other nodes hand over, and what is handed to them */
/* Whether what another node sent with this stamp takes the place of the entry's record. If not, that is reported, and
 * an equal record's epoch raised. */
bool decide_given_wins(struct committer *c, struct commit_op *op, struct entry *en, struct stamp stamp, uint64_t epoch);
/* COMMIT_TOMBSTONE. */
MUST_CHECK struct err *decide_tombstone(struct committer *c, struct commit_op *op);
/* COMMIT_MOVED. BUSY: the record lies on another mountpath. */
MUST_CHECK struct err *decide_moved(struct committer *c, struct commit_op *op);
/* COMMIT_CONFIRM. BUSY: the record lies on another mountpath. */
MUST_CHECK struct err *decide_confirm(struct committer *c, struct commit_op *op);
/* COMMIT_PURGE. NOT_FOUND. */
MUST_CHECK struct err *decide_purge(struct committer *c, struct commit_op *op);

#endif
