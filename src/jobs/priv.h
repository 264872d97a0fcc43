/* jobs/priv.h: what the job kinds share among themselves and with the core. */
#ifndef ORLOP_JOBS_PRIV_H
#define ORLOP_JOBS_PRIV_H

#include "jobs/plan.h"

/* Starts a job as its plan says: here, and on all other targets that take part. Takes the plan, also on error.
 * Errors as jobs_start(); NOT_PRIMARY for kinds that the leader must start; UNAVAILABLE. */
MUST_CHECK struct err *jobs__launch(struct jobs *js, struct job_plan *plan, char ret_id[static 40]);
/* Starts this node's part. Takes the plan, also on error. again: as in job_spec. */
MUST_CHECK struct err *jobs__start_part(struct jobs *js, struct job_plan *plan, bool again);
/* Whether a promote has something to do on this target. NOT_FOUND, PROMOTE_SOURCE. */
MUST_CHECK struct err *job__promote_check(const struct job_plan *plan);
/* Whether there can be other nodes. */
bool jobs__has_peers(const struct jobs *js);
/* The generic start of a rebalance. */
MUST_CHECK struct err *jobs__start_rebalance(struct jobs *js, const struct job_start_args *a, char ret_id[static 40]);
/* What this node's part of a summary has found so far. JOB_NOT_FOUND; its error. */
MUST_CHECK struct err *jobs__summary_here(struct jobs *js, struct str id, struct arena *a, bool *ret_done,
                                          struct job_summary_row **ret, unsigned *ret_n);
/* What a kind does with a plan; null: its parts do nothing. The functions are beside their kinds. */
job_fn *jobs__part_of(const struct job_kind *kind);
/* See jobs__part_of. */
struct err *job__copy(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__delete(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__promote(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__summary(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__cleanup(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__lru(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__resilver(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__load_cache(struct job *j, void *plan);
/* See jobs__part_of. */
struct err *job__rebalance(struct job *j, void *plan);
/* That of a plan that names a bucket. */
MUST_CHECK struct err *job__rebalance_bucket(struct job *j, const struct job_plan *plan);
/* A rebalance begins here: what arrives from other targets counts for it, and no longer for the one before. */
void job__receives(struct job *j);

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
        bool spread;     /* the names were given to this target alone: as job_plan.spread */
};
/* Visits the objects of a bucket that w->sel means and that this node owns, page by page, until an error of fn or an
 * abort (CANCELLED). Again, or CONFLICT, when the set of targets changes meanwhile, as the kind says. The bucket is
 * looked up again for each page by its id, so that a bucket that was destroyed meanwhile ends the job with
 * BUCKET_NOT_FOUND. */
MUST_CHECK struct err *job__each(struct job *j, const struct job_walk *w);
/* Visits these names, with the help of other pool workers if any are free; returns when none of them works any more. */
MUST_CHECK struct err *job__crew_run(struct job *j, const struct job_walk *w, const struct bucket *b,
                                     const struct str *names, unsigned n);
/* Waits a little and tells whether it is worth to do the same again: an owner that is not ready, while the set of
 * targets has stayed the same. Takes e when it is; *tries counts. */
bool job__try_again(struct job *j, struct err **e, unsigned *tries);
/* Whether this node does the work on a name: it owns it. */
bool job__is_ours(const struct snapshot *s, const struct bucket *b, struct str name);
/* Requests of clients in progress: what a job makes room for. */
unsigned job__load(struct job *j);
/* Sets what a rebalance has sent in all. */
void job__sent(struct job *j, uint64_t objects, uint64_t bytes);
/* The target set that the work is done under; see job_snap. */
void job__set_epoch(struct job *j, uint64_t epoch);
/* See job__set_epoch. */
uint64_t job__epoch(const struct job *j);
/* Whether the set of targets is still that of the epoch. */
bool job__same_targets(struct job *j, uint64_t epoch);
/* Whether what is not settled waits for something that does not happen by itself. */
bool job__is_stuck(struct job *j, const struct snapshot *s);
/* Its kind. */
const struct job_kind *job__kind(const struct job *j);
/* Sleeps, but not beyond an abort; false when aborted. */
bool job__sleep(struct job *j, int64_t ns);
/* The pool that jobs run on. */
struct pool *job__pool(struct job *j);
/* Whether the job has been asked to stop; for its helpers (the job itself asks job_go_on). */
bool job__aborted(struct job *j);
/* Number of explicit names; 0 for templates and prefixes. */
size_t job__names_count(const struct job_names *s);
/* The i-th explicit name. */
struct str job__names_at(const struct job_names *s, size_t i);
/* Text of a template or prefix; STR_NONE for lists, and for null. */
struct str job__names_form(const struct job_names *s);
/* Whether that text is a prefix to be taken as it is. */
bool job__names_is_prefix(const struct job_names *s);
/* Bytes in memory. */
size_t job__names_bytes(const struct job_names *s);
/* A list of no names. */
MUST_CHECK struct err *job__names_none(struct job_names **ret);
/* Whether a name that does not exist is worth an error: only when the client listed it. */
bool job__names_explicit(const struct job_names *sel);
/* A reference to the bucket's current state; the caller cluster_unpin()s *ret_snap. BUCKET_NOT_FOUND. */
MUST_CHECK struct err *job__bucket(struct job *j, uint64_t bid, const struct snapshot **ret_snap,
                                   const struct bucket **ret);
/* err_new(CANCELLED) for an aborted job. */
struct err *job__cancelled(void);

#endif
