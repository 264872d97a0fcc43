/* store/log_tail.h (inside store): whether RocksDB's log ends in a torn record, as after a power cut, or is damaged.
 *
 * RocksDB alone can not tell: it either drops everything from the first bad record on, acknowledged or not, or it
 * refuses to start after a power cut. So each batch that is written when everything before it is on stable storage
 * carries a mark (log_tail_mark). A bad record that such a batch follows was on stable storage once: damage. One that
 * nothing marked follows was never acknowledged: torn. Damage in the very last record, which nothing follows, is known
 * by the note of the log's synced length (log_note.h). */
#ifndef ORLOP_STORE_LOG_TAIL_H
#define ORLOP_STORE_LOG_TAIL_H

#include "base/err.h"
#include "base/str.h"

/* Appended to a batch as log data, which is written to the log and nowhere else. */
#define LOG_TAIL_MARK "orlop:synced"

enum log_tail { LOG_TAIL_SOUND, LOG_TAIL_TORN, LOG_TAIL_DAMAGED };
/* What one log file shows. */
struct log_facts {
        enum log_tail tail;
        int64_t bad_at;                   /* offset of the first bad record, or -1 */
        uint64_t good;                    /* length of the good records before it, or of all */
        uint64_t first_sequence,
                next_sequence; /* of the first good record; after the last one before bad_at. 0: none */
};
/* Whether good records follow a bad one in a MANIFEST, which has the same form and whose every record is synced: the
 * engine may take it for a torn end and forget the rest. Pure. */
bool log_tail_is_cut(struct str manifest);
/* The same for the MANIFEST of a directory: CORRUPT. None there is fine. IO. */
MUST_CHECK struct err *log_tail_check_manifest(const char *dir);
/* Judges the bytes of one log file. Pure. */
void log_tail_read(struct str file, struct log_facts *ret);
/* Judges all log files of a records directory, oldest first; none there is SOUND. A log that lacks something of what
 * was noted as synced (log_note.h) is DAMAGED, whatever it looks like. The name of the worst file goes to name. Syncs
 * them too: what is replayed, and kept in these files, must not be less durable than what will be written after it. IO. */
MUST_CHECK struct err *log_tail_judge(const char *dir, enum log_tail *ret, char name[static 64]);

#endif
