/* jobs/priv.h: what the job kinds share among themselves and with the core. */
#ifndef ORLOP_JOBS_PRIV_H
#define ORLOP_JOBS_PRIV_H

#include "jobs/kinds.h"

/* Records a job whose work the caller has done already: it appears as finished. ret_id as in jobs_start. Never refuses
 * for a conflict. */
MUST_CHECK struct err *jobs__note_done(struct jobs *js, const struct job_spec *spec, char ret_id[static 40]);
/* The node of a core. */
struct node *jobs__node(struct jobs *js);
/* Attaches what the job has found so far, for a later question about it; the job owns it. Set before the job starts to
 * work on it. */
void job__set_result(struct job *j, void *result, void (*free_result)(void *));
/* Runs fn with the job's result under the core's lock, on behalf of the job itself. */
void job__with_result(struct job *j, void (*fn)(void *arg, void *result), void *arg);
/* As job__with_result, by id, for those who ask: JOB_NOT_FOUND when no job of this kind has the id. */
MUST_CHECK struct err *jobs__with_result(struct jobs *js, const char *kind, struct str id,
                                         struct err *(*fn)(void *arg, const struct job_snap *snap, void *result),
                                         void *arg);

/* Does the job's work on one selected object. Several workers call it at once. */
typedef struct err *job_visit_fn(struct job *j, const struct bucket *b, struct str name, void *arg);
struct job_walk {
        uint64_t bid;
        const struct job_names *sel; /* null: all */
        job_visit_fn *fn;
        void *arg;
        int64_t workers; /* as job_limits.workers */
};
/* Visits the objects of a bucket that w->sel means, page by page, until an error of fn or an abort (CANCELLED). The
 * bucket is looked up again for each page by its id, so that a bucket that was destroyed meanwhile ends the job with
 * BUCKET_NOT_FOUND. */
MUST_CHECK struct err *job__each(struct job *j, const struct job_walk *w);
/* Visits these names, with the help of other pool workers if any are free; returns when none of them works any more. */
MUST_CHECK struct err *job__crew_run(struct job *j, const struct job_walk *w, const struct bucket *b,
                                     const struct str *names, unsigned n);
/* The pool that jobs run on. */
struct pool *job__pool(struct job *j);
/* Whether the job has been asked to stop; for its helpers (the job itself asks job_go_on). */
bool job__aborted(struct job *j);
/* Whether a name that does not exist is worth an error: only when the client listed it. */
bool job__names_explicit(const struct job_names *sel);
/* A reference to the bucket's current state; the caller cluster_unpin()s *ret_snap. BUCKET_NOT_FOUND. */
MUST_CHECK struct err *job__bucket(struct job *j, uint64_t bid, const struct snapshot **ret_snap,
                                   const struct bucket **ret);
/* err_new(CANCELLED) for an aborted job. */
struct err *job__cancelled(void);

/* Starters of the kinds that have no wishes of their own; job_start_kind chooses. Errors as there. */
struct err *job__start_cleanup(struct jobs *js, const struct job_start_args *a, char ret_id[static 40]) MUST_CHECK;
/* See job__start_cleanup. */
struct err *job__start_lru(struct jobs *js, const struct job_start_args *a, char ret_id[static 40]) MUST_CHECK;
/* See job__start_cleanup. */
struct err *job__start_resilver(struct jobs *js, const struct job_start_args *a, char ret_id[static 40]) MUST_CHECK;
/* See job__start_cleanup. */
struct err *job__start_load_cache(struct jobs *js, const struct job_start_args *a, char ret_id[static 40]) MUST_CHECK;

#endif
