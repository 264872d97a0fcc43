/* store/content.h (inside store): content files: immutable once finished, named by content id, verified by block
 * checksums that cover {content id, block number, data}. Format page: docs/format/content.md. Threads: any worker; a
 * writer or file belongs to one thread at a time, but reading from a finished file is free for all. */
#ifndef ORLOP_STORE_CONTENT_H
#define ORLOP_STORE_CONTENT_H

#include "os/file.h"
#include "store/object.h"

#define CONTENT_BLOCK (64u * 1024u) /* bytes per checksum */

struct content_dir; /* the content/, work/ and trash/ folders of one mountpath: descriptors and fan-out */
struct content_id {
        uint64_t hi, lo; /* random; never reused */
};

/* Opens or makes the three folders below the mountpath's orlop/ directory. */
MUST_CHECK struct err *content_dir_open(int orlop_fd, struct content_dir **ret);
/* Ends it. */
void content_dir_close(struct content_dir *d);

/* What a content file says of itself, so that records can be rebuilt: an encoded record or chunk description. Opaque
 * bytes here, at most 8 KiB. */
struct content_writer;
/* A new file in work/ (or O_TMPFILE); size_hint -1 if unknown. */
MUST_CHECK struct err *content_writer_new(struct content_dir *d, int64_t size_hint, struct content_writer **ret);
/* Goes on with an unfinished file of work/ by its id, cut to `size` bytes: for appends that outlive requests. */
MUST_CHECK struct err *content_writer_resume(struct content_dir *d, struct content_id id, uint64_t size,
                                             struct content_writer **ret);
/* Appends bytes; checksums are computed as they pass. */
MUST_CHECK struct err *content_writer_write(struct content_writer *w, const void *p, size_t n);
/* Bytes so far, and the id that the file will have. */
uint64_t content_writer_size(const struct content_writer *w);
/* See content_writer_size. */
struct content_id content_writer_id(const struct content_writer *w);
/* Keeps the unfinished file for content_writer_resume at exactly this size (data and checksums synced unless fast) and
 * ends the writer whatever the outcome; after an error the sizes kept before are still good. */
MUST_CHECK struct err *content_writer_suspend(struct content_writer *w, bool fast);
/* Reads back and checks what was written so far, in pieces, in order: for checksums of an append before it is finished.
 * CORRUPT, IO, or what fn returns. */
MUST_CHECK struct err *content_writer_read_back(struct content_writer *w,
                                                struct err *(*fn)(void *arg, const void *p, size_t n), void *arg);
/* Writes checksums and self-description, syncs unless fast, and gives the file its name in content/ (synced directory
 * too). Ends the writer whatever the outcome. */
MUST_CHECK struct err *content_writer_finish(struct content_writer *w, struct str self, bool fast);
/* A content that was finished or suspended is left alone by cleaning until this call, so that it is not taken for
 * garbage before its record is committed. The caller tells when the record that names it is durable, or that there will
 * be none. content_remove and content_work_remove imply it. */
void content_settled(struct content_dir *d, struct content_id id);
/* Whether a content waits for content_settled (or for its writer). */
bool content_in_flight(struct content_dir *d, struct content_id id);
/* Drops file and writer. Null is fine. */
void content_writer_abort(struct content_writer *w);

struct content_file; /* a finished content file, open */
/* Opens it, reads and checks its footer. `size` must be what the record says: else CORRUPT. NOT_FOUND. */
MUST_CHECK struct err *content_file_open(struct content_dir *d, struct content_id id, uint64_t size,
                                         struct content_file **ret);
/* As content_file_open with the size that the footer tells: for fsck, when the record is lost. */
MUST_CHECK struct err *content_file_open_any(struct content_dir *d, struct content_id id, struct content_file **ret);
/* Closes it. Null is fine. */
void content_file_close(struct content_file *f);
/* The descriptor; data starts at offset 0. */
int content_file_fd(const struct content_file *f);
/* Bytes of memory that the open file takes. */
size_t content_file_memory(const struct content_file *f);
/* Size of the data. */
uint64_t content_file_size(const struct content_file *f);
/* Reads the blocks of a range and checks them. CORRUPT names file and block. */
MUST_CHECK struct err *content_file_verify(struct content_file *f, uint64_t offset, uint64_t length);
/* Reads and checks; exactly n bytes. */
MUST_CHECK struct err *content_file_read(struct content_file *f, uint64_t offset, void *p, size_t n);
/* The self-description, in b: the replaced one if there is one. Only while the content_dir is open. */
MUST_CHECK struct err *content_file_self(struct content_file *f, struct buf *b);
/* Replaces the self-description (after a rename): a file of its own beside the content, replaced atomically and
 * durably, never the content. NOT_FOUND. At most 1 MiB: TOO_LARGE. */
MUST_CHECK struct err *content_file_set_self(struct content_dir *d, struct content_id id, struct str self, bool fast);
/* Moves a content to trash/ (unlinked by the background). Absent is fine. */
MUST_CHECK struct err *content_remove(struct content_dir *d, struct content_id id);
/* Removes an unfinished content of work/ with its checksums. Absent is fine. */
MUST_CHECK struct err *content_work_remove(struct content_dir *d, struct content_id id);
/* Moves a finished content as it is into another directory of the same file system. Absent is fine. */
MUST_CHECK struct err *content_quarantine(struct content_dir *d, struct content_id id, int quarantine_fd);
/* Deletes at most `max` entries of trash/ that are older than min_age_ns. */
MUST_CHECK struct err *content_trash_empty(struct content_dir *d, int64_t min_age_ns, unsigned max, uint64_t *ret_files,
                                           uint64_t *ret_bytes);
/* Deletes trash/ and work/ entries older than min_age_ns (0: all), but for the work ids that `keep` wants, and those in
 * flight. The first call of keep comes after the list of unfinished contents was made, so what keep knows must be no
 * older than that call. */
MUST_CHECK struct err *content_clean(struct content_dir *d, int64_t min_age_ns,
                                     bool (*keep)(void *arg, struct content_id id), void *arg, uint64_t *ret_files,
                                     uint64_t *ret_bytes);
/* Calls fn for each finished content (in no order), with size and mtime of its file. */
MUST_CHECK struct err *content_each(struct content_dir *d,
                                    struct err *(*fn)(void *arg, struct content_id id, const struct stat *st),
                                    void *arg);
/* As content_each for those whose id begins with a byte of first..last. */
MUST_CHECK struct err *content_each_of(struct content_dir *d, unsigned first, unsigned last,
                                       struct err *(*fn)(void *arg, struct content_id id, const struct stat *st),
                                       void *arg);

#endif
