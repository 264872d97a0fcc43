/* flow/work.h (inside flow): what a node's flow keeps in memory: flights of settling (settle.c), what is due
 * (follow.c), and whether clients are at work (pace.c). */
#ifndef ORLOP_FLOW_WORK_H
#define ORLOP_FLOW_WORK_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/list.h"
#include "os/thread.h"

/* What pace.c knows of the clients; times are clock_mono. */
struct flow_pace {
        _Atomic int64_t looked_ns, requests, active_until_ns;
};
struct flow_work {
        struct flow_pace pace;

        struct mutex lock;   /* RANK_FLOW; guards all below */
        struct cond landed;  /* a flight has ended */
        struct list flights; /* struct flight of settle.c */

        struct cond changed;     /* for the thread */
        struct thread *keeper;
        bool stopping;
        int64_t tombstones_off_ns; /* clock_mono when deletes need no tombstones any more; 0: nothing is due */
        int64_t purge_ns;          /* clock_mono of the next purge; 0: none */
        uint64_t purge_hlc;        /* what it removes */
        uint64_t purged_hlc;       /* what the last one removed */
};

#endif
