/* store/log_note.h (inside store): how much of RocksDB's log is on stable storage, noted beside it.
 *
 * The marks in the log (log_tail.h) tell of all records but the last one. So after each synced write the log's number and
 * length are written to the file `synced` of the records' directory, which is not synced itself: a crash of the process
 * leaves the page cache, so that the note is exact; a power cut leaves an older note, which is true as well, since a log
 * never shrinks. A note that is absent or damaged says nothing. Threads: one at a time (records.write_lock). */
#ifndef ORLOP_STORE_LOG_NOTE_H
#define ORLOP_STORE_LOG_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#define LOG_NOTE_FILE "synced"

/* The log with this number is on stable storage up to this length, which is the end of a record. */
struct log_note {
        uint64_t number, length;
};
/* Reads the note of a records directory; false when there is none, or it is damaged. May block. */
bool log_note_read(int dirfd, struct log_note *ret);
/* Removes it: the directory begins anew, and numbers of its logs may be used again. May block. */
void log_note_remove(const char *dir);

/* Follows the log that is being written. */
struct log_noter {
        int dirfd, note, log; /* -1: not open */
        uint64_t number, length; /* of the log, as of the last write */
        bool failed; /* said once */
};
/* Begins; what can not be opened is said to the log, and then nothing is noted. May block. */
void log_noter_init(struct log_noter *n, const char *dir);
/* Ends it; the note stays. */
void log_noter_fini(struct log_noter *n);
/* To be called after every write to the log; synced: all of it is on stable storage. */
void log_noter_written(struct log_noter *n, bool synced);

#endif
