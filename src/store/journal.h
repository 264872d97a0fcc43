/* store/journal.h (inside store): the log in front of the database of a mountpath (docs/adr/0010-own-journal.md).
 *
 * Records have numbers without gaps. One lies at a multiple of 4 KiB, so that a write that is cut short harms no older
 * one, and says up to which number everything was on stable storage when it was written: what is missing although a
 * later record, or the note beside the journal, says so is damage; what is missing otherwise was never acknowledged.
 * Files are written from their beginning again once the database holds what is in them, since a write that does not
 * make its file grow needs neither blocks nor an inode (docs/format/journal.md).
 *
 * Threads: one call at a time; the caller has a lock. All may block, but journal_record_*. */
#ifndef ORLOP_STORE_JOURNAL_H
#define ORLOP_STORE_JOURNAL_H

#include "base/err.h"
#include "base/str.h"

#define JOURNAL_BLOCK 4096u
#define JOURNAL_HEAD 64u
#define JOURNAL_PREFIX "journal-" /* of the files' names; a number follows */
#define JOURNAL_NOTE "synced" /* the note's name */
#define JOURNAL_SEGMENT ((size_t)32 << 20) /* when another file is taken */
#define JOURNAL_LIVE_MAX 3u /* files that hold what the database does not, before writers wait for it */

/* ---- a record being made ---- */

/* Bytes of a record; zeroed is an empty one. Memory is aligned for direct writes. */
struct journal_record {
        char *p;       /* room for the head, then the payload */
        size_t n, cap; /* with the head; 0: nothing was added */
        bool bad;      /* out of memory: journal_append says so */
};
/* Appends bytes to the payload. */
void journal_record_add(struct journal_record *r, const void *p, size_t n);
/* Empties it; memory of a large one is given back. */
void journal_record_clear(struct journal_record *r);
/* Ends it. */
void journal_record_fini(struct journal_record *r);

/* ---- reading ---- */

/* What one file shows. */
struct journal_facts {
        uint64_t segment;     /* of its first record; 0: it does not begin with one */
        uint64_t first, last; /* numbers of the unbroken row of records it begins with; 0: none */
        size_t end;           /* where that row ends */
        uint64_t synced;      /* the largest number that any record in it calls synced */
        uint64_t segment_max; /* of all records in it, those of former uses too */
        uint64_t newest;      /* number of the last record of that segment */
};
/* Looks through the bytes of a file for records of the journal with this id. What is missing up to the number `held`
 * does not break its row. Pure. */
void journal_scan(struct str file, uint64_t id, uint64_t held, struct journal_facts *ret);
/* The next record of this segment at or behind *at: true, its number and payload, and *at behind it. Bad places are
 * passed over. Pure. */
bool journal_next(struct str file, uint64_t id, uint64_t segment, size_t *at, uint64_t *ret_number,
                  struct str *ret_payload);

/* ---- the journal ---- */

/* What the database knows of its journal. */
struct journal_place {
        uint64_t id;      /* random: records of another journal, or in somebody's content, do not count */
        uint64_t flushed; /* the database holds all records up to this number */
};
struct journal;
typedef struct err *journal_apply_fn(void *arg, struct str payload);
/* Opens the journal in a directory and hands the payload of each record above place.flushed to apply, in order; they
 * are on stable storage then. A record that was never acknowledged as synced may be missing at the end; anything else
 * that is missing is CORRUPT, and the files concerned are named. salvage: whatever can be read is handed over. `segment`:
 * bytes of a file, 0: JOURNAL_SEGMENT. */
MUST_CHECK struct err *journal_open(const char *dir, struct journal_place place, bool salvage, size_t segment,
                                    journal_apply_fn *apply, void *arg, struct journal **ret);
/* The id of the journal in a directory, of which the database was lost: that of a file's first record; 0: there is
 * none. */
MUST_CHECK struct err *journal_find_id(const char *dir, uint64_t *ret);
/* Ends it; nothing is written. Null is fine. */
void journal_close(struct journal *j);
/* Writes a record. sync: it, and all before it, are on stable storage then; else it survives the end of the process.
 * After an error nothing more can be written. IO, NO_SPACE, NO_MEMORY. */
MUST_CHECK struct err *journal_append(struct journal *j, struct journal_record *r, bool sync);
/* Puts on stable storage what was written without sync. */
MUST_CHECK struct err *journal_sync(struct journal *j);
/* If the last record was synced, an empty one is added that says so, without sync: then damage in the last record is
 * known from within the journal, too. */
MUST_CHECK struct err *journal_seal(struct journal *j);
/* Number of the last record; the next one has the number after it. */
uint64_t journal_last(const struct journal *j);
/* The database holds all records up to this number, on stable storage: files are free again. */
void journal_flushed(struct journal *j, uint64_t number);
/* How many files hold records that the database does not. */
unsigned journal_live(const struct journal *j);

#endif
