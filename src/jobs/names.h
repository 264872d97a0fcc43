/* jobs/names.h (inside jobs): the inside of a selection, for names.c and walk.c. Immutable once made. */
#ifndef ORLOP_JOBS_NAMES_H
#define ORLOP_JOBS_NAMES_H

#include "meta/selection.h"

struct job_names {
        struct buf text; /* all names one after another, or the template or prefix */
        uint32_t *ends;  /* explicit: end offset of each name */
        size_t n;
        bool none;            /* a list of no names */
        bool exact;           /* the text is a prefix to be taken as it is */
        struct selection sel; /* template, prefix */
};

#endif
