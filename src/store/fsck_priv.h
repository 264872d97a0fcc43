/* store/fsck_priv.h: what the phases of fsck share. */
#ifndef ORLOP_STORE_FSCK_PRIV_H
#define ORLOP_STORE_FSCK_PRIV_H

#include "store/fsck.h"
#include "store/id_set.h"
#include "store/upload.h"

struct fsck;
/* One mountpath under examination. */
struct fsck_disk {
        struct fsck *fsck;
        const char *path;
        char records_dir[600];
        int orlop_fd;
        struct mountpath_identity identity;
        struct records *records;      /* null: can not be opened */
        struct content_dir *contents;
        int quarantine_fd;            /* -1 until something is put there */
        struct id_set named;          /* contents that records, uploads and appends name */
        bool lossy; /* records are missing or could not be read: what nobody names may still be somebody's */
        bool fresh;                   /* the records were begun anew or repaired by the engine */
        uint64_t salvaged;            /* small contents that came back from blob files */
        uint64_t max_hlc;             /* largest stamp seen */
};
struct fsck {
        enum fsck_mode mode;
        void (*say)(void *arg, bool progress, const char *line);
        void *arg;
        struct records_env *env;
        struct fsck_disk *disk;
        unsigned n;
        struct fsck_report report;
        uint64_t bytes_read;
        int64_t said_ns; /* when progress was last told */
};

/* ---- fsck.c ---- */

/* A finding: one line. */
void fsck_say(struct fsck *f, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* A finding that ends in an error's text; frees it. */
void fsck_say_err(struct fsck *f, struct err *e, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* One line of progress a second at most. */
void fsck_progress(struct fsck *f, const struct fsck_disk *d);
/* A name of 1,024 bytes for people: what is not printable as \xNN, cut at 200. */
const char *fsck_name(struct str name, char buf[static 256]);
/* Whether an error is about this content or record only, so that fsck says it and goes on. */
bool fsck_is_finding(const struct err *e);

/* ---- fsck_records.c ---- */

/* Every record decoded, every content opened and read. */
MUST_CHECK struct err *fsck_records(struct fsck_disk *d);
/* Small contents without a record. */
MUST_CHECK struct err *fsck_small(struct fsck_disk *d);
/* Uploads and appends. */
MUST_CHECK struct err *fsck_uploads(struct fsck_disk *d);
/* Names once more what records, uploads and appends name, without reading contents: after rebuilding. */
MUST_CHECK struct err *fsck_name_contents(struct fsck_disk *d);
/* Reads and checks a content file of this size. */
MUST_CHECK struct err *fsck_read_content(struct fsck_disk *d, struct content_id id, uint64_t size);
/* Keys that several mountpaths have. */
MUST_CHECK struct err *fsck_duplicates(struct fsck *f);

/* ---- fsck_contents.c ---- */

/* Contents that nothing names: garbage, or, when rebuilding, the objects that they describe. */
MUST_CHECK struct err *fsck_orphans(struct fsck_disk *d);

/* ---- fsck_repair.c ---- */

/* Has d->quarantine_fd open. */
MUST_CHECK struct err *fsck_open_quarantine(struct fsck_disk *d);
/* Copies a row into quarantine/ and removes it. */
MUST_CHECK struct err *fsck_quarantine_row(struct fsck_disk *d, enum records_family family, struct str key,
                                           struct str value);
/* Moves a content into quarantine/. */
MUST_CHECK struct err *fsck_quarantine_content(struct fsck_disk *d, struct content_id id);
/* One change, synced. remove: value is ignored. */
MUST_CHECK struct err *fsck_write_row(struct fsck_disk *d, enum records_family family, struct str key, struct str value,
                                      bool remove);
/* Puts a row without waiting for the disk: records_sync follows. */
MUST_CHECK struct err *fsck_write_row_unsynced(struct fsck_disk *d, enum records_family family, struct str key,
                                               struct str value);

/* ---- fsck_engine.c ---- */

/* Opens the records; when the engine can not open or read them: says so, and, as far as the mode allows, sets a copy
 * aside and lets the engine repair them, or begins them anew. d->records stays null when nothing helped. */
MUST_CHECK struct err *fsck_open_records(struct fsck_disk *d);

#endif
