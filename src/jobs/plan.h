/* jobs/plan.h (inside jobs): what a job is to do, as a value that travels between nodes and is kept in the cluster's
 * state. Its JSON form is described in docs/format/jobs.md.
 *
 * A plan belongs to one owner; job__plan_free() ends it. Pure; any thread. */
#ifndef ORLOP_JOBS_PLAN_H
#define ORLOP_JOBS_PLAN_H

#include "jobs/kinds.h"

#define JOB_NAMES_IN_DOCUMENT ((size_t)256 << 10) /* bytes of a list of names that the cluster's state keeps */

struct job_plan {
        char id[40]; /* "": made at the start */
        const struct job_kind *kind;
        struct bck bck, src, dst; /* as shown */
        uint64_t bid, to_bid;     /* buckets to work on; 0: none, or all */
        char node[NODE_ID_MAX + 1]; /* the only target that takes part; "": all */
        char ctlmsg[256];
        int64_t start_ns;
        uint64_t epoch;            /* of the target set at the start */
        bool spread;               /* the names are only those of one target, by that epoch */
        bool lost;                 /* the list of names is no longer known: can not be started again */
        struct job_names *names;   /* null: all */
        struct job_copy_options copy; /* limits: of deletions, too */
        struct job_promote_options promote;
        struct str under; /* prefix of a summary, or of a rebalance of one bucket */
        struct arena arena; /* of the texts above */
};

/* An empty plan of a kind. */
MUST_CHECK struct err *job__plan_new(const char *kind, struct job_plan **ret);
/* Ends it, names included. Null is fine. */
void job__plan_free(struct job_plan *p);
/* For job_spec.free_arg. */
void job__plan_free_arg(void *p);
/* A copy of a text that lives as long as the plan; NO_MEMORY. */
MUST_CHECK struct err *job__plan_text(struct job_plan *p, struct str s, struct str *ret);

/* A bucket as a member of the JSON object that is being written; none, if it has no name. */
void job__bck_write(struct json_w *w, const char *key, const struct bck *b);
/* Reads one; an empty text leaves *ret as it is. INVALID. */
MUST_CHECK struct err *job__bck_read(struct str text, struct bck *ret);

/* Writes the plan as a JSON object. with_names: explicit names are members of it, else only their number is. */
void job__plan_write(struct json_w *w, const char *key, const struct job_plan *p, bool with_names);
/* Reads one. MALFORMED, INVALID, NO_MEMORY. */
MUST_CHECK struct err *job__plan_read(const json_t *doc, struct job_plan **ret);
/* UNSUPPORTED when a text of it can not be written as JSON. */
MUST_CHECK struct err *job__plan_check(const struct job_plan *p);

/* The message that starts a part: the plan, NUL, and each name with a NUL behind it. keep(arg, name) false: left out;
 * null: all. Errors of buf_err(b). */
void job__message_write(struct buf *b, const struct job_plan *p, bool (*keep)(void *arg, struct str name), void *arg);
/* Reads one. MALFORMED, INVALID_NAME, INVALID, NO_MEMORY. */
MUST_CHECK struct err *job__message_read(struct str message, struct job_plan **ret);

enum job_doc_state { JOB_DOC_RUNNING, JOB_DOC_STOPPING, JOB_DOC_ENDED };
/* A job's document: "job/<id>". */
struct job_doc {
        enum job_doc_state state;
        struct job_plan *plan;
        int64_t changed_ns; /* wall clock: of the stop, or of the end */
        char err[256], abort_err[256];
};
/* Frees the plan. */
void job__doc_fini(struct job_doc *d);
#define AUTO_JOB_DOC __attribute__((cleanup(job__doc_fini)))
/* The document's text. One that has ended does not keep names. */
MUST_CHECK struct err *job__doc_write(const struct job_doc *d, struct buf *b);
/* Reads one. MALFORMED, INVALID, NO_MEMORY. */
MUST_CHECK struct err *job__doc_read(struct str text, struct job_doc *ret);
/* Whether a document's text says that the job has ended: by its first bytes, without reading the rest. */
bool job__doc_has_ended(struct str text);
/* What it shows of the job as a whole. */
void job__doc_snap(const struct job_doc *d, struct job_snap *ret);

#endif
