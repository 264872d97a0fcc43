/* store/journal_priv.h: what journal.c (writing), journal_open.c (what is there) and journal_scan.c (bytes) share. */
#ifndef ORLOP_STORE_JOURNAL_PRIV_H
#define ORLOP_STORE_JOURNAL_PRIV_H

#include "store/journal.h"

#define JOURNAL_MAGIC "ojr1"
#define JOURNAL_NOTE_MAGIC "orlopsyn"
#define JOURNAL_NOTE_SIZE 32u
#define JOURNAL_FILES_MAX 64u

struct journal_file {
        unsigned index;   /* of its name */
        uint64_t segment; /* grows with each use of a file; 0: no use that counts */
        uint64_t last;    /* number of the last record of that use */
};
struct journal {
        struct journal_place place;
        size_t segment_bytes;
        int dirfd, note;
        int fd, direct; /* of the file that is written to; direct -1: not possible */
        bool no_direct, note_failed;
        bool broken; /* a write or sync failed */
        bool sealed; /* the last record is a seal */
        uint64_t last, synced; /* numbers: of the last record; of the last one on stable storage */
        uint64_t segment;
        size_t at; /* where the next record goes */
        struct journal_file *current; /* null: nothing was written since the open */
        unsigned nfiles;
        struct journal_file file[JOURNAL_FILES_MAX];
};

/* The name of a file of the journal. */
void journal_file_name(unsigned index, char name[static 32]);

#endif
