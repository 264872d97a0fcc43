/* jobs/steps.c: the next step of a part and of a job as a whole. See steps.h. */
#include "jobs/steps.h"

enum job_part_step job__part_step(const struct job_part_view *v)
{
        if (!v->takes_part || v->doc == JOB_DOC_ENDED)
                return v->part == JOB_PART_RUNS && v->doc == JOB_DOC_ENDED ? JOB_PART_STOP : JOB_PART_WAIT;
        switch (v->part) {
        case JOB_PART_NONE:
                return v->lost || v->doc == JOB_DOC_STOPPING ? JOB_PART_TELL_LOST : JOB_PART_START;
        case JOB_PART_RUNS:
                return v->doc == JOB_DOC_STOPPING ? JOB_PART_STOP : JOB_PART_WAIT;
        case JOB_PART_ENDED:
                break;
        }
        if (v->doc == JOB_DOC_RUNNING && !v->failed && v->change == JOB_CHANGE_AGAIN && v->part_epoch != v->epoch_now)
                return JOB_PART_AGAIN;
        return JOB_PART_TELL;
}

static const struct job_part_end *end_of(const struct job_whole_view *v, const char *target)
{
        for (unsigned i = 0; i < v->nends; i++)
                if (strcmp(v->ends[i].target, target) == 0)
                        return &v->ends[i];
        return NULL;
}

/* Keys that moved since may have moved past both their old and their new owner's work. */
static bool counts(const struct job_whole_view *v, const struct job_part_end *e)
{
        return v->change != JOB_CHANGE_AGAIN || e->epoch == v->epoch_now;
}

static bool all_ended(const struct job_whole_view *v)
{
        for (unsigned i = 0; i < v->ntargets; i++) {
                const struct job_part_end *e = end_of(v, v->targets[i]);

                if (!e || (v->doc == JOB_DOC_RUNNING && !counts(v, e)))
                        return false;
        }
        return v->ntargets > 0;
}

enum job_whole_step job__whole_step(const struct job_whole_view *v, const struct job_part_end **ret_why)
{
        *ret_why = NULL;
        switch (v->doc) {
        case JOB_DOC_ENDED:
                return JOB_WHOLE_WAIT;
        case JOB_DOC_STOPPING:
                return all_ended(v) || v->gone || v->since_ns > JOB_STOP_PATIENCE_NS ? JOB_WHOLE_END : JOB_WHOLE_WAIT;
        case JOB_DOC_RUNNING:
                break;
        }
        for (unsigned i = 0; i < v->nends; i++)
                if (v->ends[i].failed) { /* aborted on one target: aborted */
                        *ret_why = &v->ends[i];
                        return JOB_WHOLE_STOP;
                }
        if (v->superseded || v->gone)
                return JOB_WHOLE_STOP;
        return all_ended(v) ? JOB_WHOLE_END : JOB_WHOLE_WAIT;
}
