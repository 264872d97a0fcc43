/* jobs/kinds.h: starting the kinds that this node can run. Each call checks what it can at once and returns the id of a
 * job that does the rest.
 *
 * Threads: workers. Errors of all: CONFLICT, OVERLOAD, NO_MEMORY, and those of each call. ret_id holds at least 40
 * bytes. */
#ifndef ORLOP_JOBS_KINDS_H
#define ORLOP_JOBS_KINDS_H

#include "jobs/jobs.h"
#include "meta/selection.h"

/* Which objects a job works on: its own copy of a list of names or of a template. */
struct job_names;
/* names (n > 0) win over the template. With neither: all objects. INVALID_NAME, INVALID (template), NO_MEMORY. */
MUST_CHECK struct err *job_names_new(const struct str *names, size_t n, struct str template_text,
                                     struct job_names **ret);
/* All names that begin with this prefix, taken as it is. */
MUST_CHECK struct err *job_names_prefix(struct str prefix, struct job_names **ret);
/* Ends it. Null is fine. */
void job_names_free(struct job_names *s);
/* "template: a-{1..3}", "list: 3 names": for control messages; buf of 128; returns buf. */
const char *job_names_text(const struct job_names *s, char buf[static 128]);

/* Common wishes of multi-object jobs. */
struct job_limits {
        int64_t workers; /* 0 chosen here, -1 serial; below: INVALID */
        bool continue_on_error;
};

/* Deletes the selected objects. Takes sel, also on error. */
MUST_CHECK struct err *job_start_delete(struct jobs *js, const struct bucket *b, struct job_names *sel,
                                        const struct job_limits *l, char ret_id[static 40]);

struct job_extension {
        struct str from, to; /* without the dot */
};
struct job_copy_options {
        struct str prepend;
        const struct job_extension *extensions;
        unsigned nextensions;
        bool dry_run;     /* count only */
        bool synchronize; /* also remove from the destination what the source lacks */
        struct job_limits limits;
};
/* The name of a copy: extension exchanged first, then prepended. In the arena. */
struct str job_copy_name(const struct job_copy_options *o, struct str name, struct arena *a);
/* Copies what `sel` means from one bucket to another. list: the job is a copy-listrange (else copy-bck). Takes sel,
 * also on error. INVALID: synchronize together with prepend or extensions. */
MUST_CHECK struct err *job_start_copy(struct jobs *js, bool list, const struct bucket *from, const struct bucket *to,
                                      struct job_names *sel, const struct job_copy_options *o, char ret_id[static 40]);

/* Renames a bucket: done when the call returns; the job is its record. Errors of cluster_bucket_rename. */
MUST_CHECK struct err *job_start_move(struct jobs *js, const struct bck *from, const struct bck *to,
                                      char ret_id[static 40]);

struct job_promote_options {
        struct str source; /* absolute path below PROMOTE_ROOT */
        struct str object; /* destination name or prefix; may be empty */
        struct str node;   /* the target whose files are meant; empty: each its own */
        bool recursive, overwrite, delete_source;
};
#define PROMOTE_ROOT "/var/lib/ais/promote" /* wire-level constant: clients put files there */
/* Stores files as objects: at once when there are at most 16 (then ret_id is empty), else, or with other nodes, as a
 * job. PROMOTE_SOURCE; NOT_FOUND when the source does not exist. */
MUST_CHECK struct err *job_start_promote(struct jobs *js, const struct bucket *b, const struct job_promote_options *o,
                                         char ret_id[static 40]);

/* Counts one bucket below a prefix, or all buckets (b null). */
MUST_CHECK struct err *job_start_summary(struct jobs *js, const struct bucket *b, struct str prefix,
                                         char ret_id[static 40]);
struct job_summary_row {
        struct bck bck;
        struct flow_summary sum;
};
struct job_summary {
        struct job_summary_row *rows; /* in the arena */
        unsigned n;
        bool done;      /* complete */
        uint64_t disks; /* bytes of all disks of the targets that counted */
};
/* What a summary has found so far on all targets. JOB_NOT_FOUND; UNAVAILABLE; the job's own error when it failed. */
MUST_CHECK struct err *job_summary_get(struct jobs *js, struct str id, struct arena *a, struct job_summary *ret);

/* Arguments of the generic start. */
struct job_start_args {
        const struct job_kind *kind;
        const struct bucket *bucket; /* null: none */
        struct str node;             /* target id, or empty */
        struct str name;             /* envelope's name */
        bool force;
};
/* Starts lru, cleanup-store, resilver, rebalance, load-lom-cache. INVALID: a bucket or a node is missing; UNSUPPORTED;
 * NODE_NOT_FOUND; NOT_ENOUGH_TARGETS (rebalance); NOT_REMOTE_BUCKET; NOT_IMPLEMENTED. */
MUST_CHECK struct err *job_start_kind(struct jobs *js, const struct job_start_args *a, char ret_id[static 40]);

#endif
