/* jobs/steps.h (inside jobs): what is to be done next about a job that has a document: at a target for its part, at the
 * leader for the whole. Pure: a view in, a step out. peers.c performs the steps, again and again, so that a step that
 * failed, or was lost with a node, is done later.
 *
 * A document: running → stopping → ended, or running → ended. A part: none → runs → ended, and none → runs again when
 * its node has restarted, ended → runs when keys have moved behind it. */
#ifndef ORLOP_JOBS_STEPS_H
#define ORLOP_JOBS_STEPS_H

#include "jobs/plan.h"

enum job_part { JOB_PART_NONE, JOB_PART_RUNS, JOB_PART_ENDED };
struct job_part_view {
        enum job_doc_state doc;
        enum job_change change; /* of the kind */
        bool takes_part;
        bool lost; /* it can not be started: the document does not hold the names */
        enum job_part part;
        bool failed;                    /* the part ended so */
        uint64_t part_epoch, epoch_now; /* of the set of targets */
};
enum job_part_step {
        JOB_PART_WAIT,
        JOB_PART_START,
        JOB_PART_AGAIN,     /* start it once more */
        JOB_PART_STOP,
        JOB_PART_TELL,      /* tell the leader how it ended */
        JOB_PART_TELL_LOST, /* tell the leader that it never will run here */
};
/* The target's next step. */
enum job_part_step job__part_step(const struct job_part_view *v);

/* The end of a part, as the leader was told. */
struct job_part_end {
        char target[NODE_ID_MAX + 1];
        uint64_t epoch;
        bool failed;
        char err[256];
};
struct job_whole_view {
        enum job_doc_state doc;
        enum job_change change;
        uint64_t epoch_now;
        int64_t since_ns;   /* how long it has been stopping */
        bool superseded;    /* there is a newer one of its kind that takes its place */
        bool gone;          /* the only target that takes part has left the cluster */
        const char *const *targets; /* those that take part, of the present map */
        unsigned ntargets;
        const struct job_part_end *ends;
        unsigned nends;
};
enum job_whole_step { JOB_WHOLE_WAIT, JOB_WHOLE_STOP, JOB_WHOLE_END };
/* for parts that are asked to stop, on targets that do not answer */
#define JOB_STOP_PATIENCE_NS (15 * INT64_C(1000000000))
/* The leader's next step; *ret_why is the end that decided it, or null. */
enum job_whole_step job__whole_step(const struct job_whole_view *v, const struct job_part_end **ret_why);

#endif
