/* flow/list_merge.h (inside flow): several targets' rows of one bucket as one listing.
 *
 * A source gives a target's rows in order of names. The merge hands out, name by name, the row with the largest stamp
 * (docs/adr/0008-many-nodes.md, rule 3); the lister makes entries of them: directories, page size, stop.
 *
 * An object that moves is at its old target, at its new one, or at both; it leaves a marker at the old one only after
 * it has arrived. Targets are not read at the same instant, though: the new one before it arrived, the old one after it
 * left. Then the marker alone is seen. So when a marker wins the sources are read anew from that name on; within one
 * epoch a name moves at most once, so the second of two such looks finds the object, or it is gone for good.
 *
 * Threads: one at a time. Errors are those of the sources. */
#ifndef ORLOP_FLOW_LIST_MERGE_H
#define ORLOP_FLOW_LIST_MERGE_H

#include "flow/flow.h"
#include "flow/list_page.h"
#include "net/rpc.h"

struct list_source;
struct list_source_ops {
        /* Goes to the next row: sets s->row (null at the end), valid until the next call on this source. */
        struct err *(*next)(struct list_source *s);
        /* Goes to the first row >= from, which is not before the current one; next() reads it. What was read ahead may
         * be used. `want`: about so many rows will be asked for, of all sources together. */
        struct err *(*seek)(struct list_source *s, struct str from, size_t want);
        /* The same, but nothing that was read before this call is used; from may lie before the current row. Called for
         * all sources of a merge, in their order: those of other targets first. */
        struct err *(*restart)(struct list_source *s, struct str from, size_t want);
};
struct list_source {
        const struct list_source_ops *ops;
        const struct list_row *row;
        const char *target; /* id of the node */
};

struct list_merge {
        struct list_source *const *src;
        unsigned n;
        struct list_source *given; /* whose row was handed out: it goes on first */
        char name[LIST_FROM_MAX];  /* of the last name that was dealt with, or position to start at */
        size_t name_n;
        bool started;
        unsigned looks; /* how often the sources were read anew for this name */
        int64_t begun_ns;
        unsigned since; /* rows since the clock was read */
};
/* A merge over sources that are at their start, which is `from` (>=). Sources are borrowed. */
void flow__list_merge_init(struct list_merge *m, struct list_source *const *src, unsigned n);
/* The next row that is in force, LIVE or DIR, and whose it is; *ret null at the end. Valid until the next call. */
MUST_CHECK struct err *flow__list_merge_next(struct list_merge *m, size_t want, const struct list_row **ret,
                                             const char **ret_target);
/* Goes on at the first name >= from, behind the current one. */
MUST_CHECK struct err *flow__list_merge_seek(struct list_merge *m, struct str from, size_t want);

/* One listing under way: what was asked, and how far it is. It outlives the merges that serve it. */
struct lister {
        const struct flow_list_options *o;
        void (*visit)(void *arg, const struct flow_list_entry *e);
        void *arg;
        size_t count;
        bool stopped;             /* full, or o->stop said so */
        char from[LIST_FROM_MAX]; /* where it goes on (>=) */
        size_t from_n;
        const char *only;         /* rows of this target alone; null: of all */
};
/* At the first position that options ask for. */
void flow__list_start(struct lister *l, const struct flow_list_options *o,
                 void (*visit)(void *arg, const struct flow_list_entry *e), void *arg);
/* Visits what the merge, which starts at l->from, gives, until the page is full or all is read. After an error the
 * listing can go on with another merge at l->from. */
MUST_CHECK struct err *flow__list_run(struct lister *l, struct list_merge *m);
/* Name of the entry that stopped it; the lister is of no further use. */
struct str flow__list_last(struct lister *l);

/* Length of the directory that `name` lies in below the prefix, with its '/', or 0. */
size_t flow__list_dir_length(struct str name, size_t prefix);
/* The first position behind a name, or behind all names that begin with dir (which ends in '/'). Returns its length. */
size_t flow__list_behind(struct str name, bool dir, char ret[static LIST_FROM_MAX]);

/* What is asked of each target. */
struct list_part {
        uint64_t bid, epoch;
        struct str prefix; /* borrowed */
        bool full;         /* all facts */
        bool all;          /* tombstones and moved markers too */
        bool dirs;         /* names below the first '/' behind the prefix are folded into DIR rows */
};
/* This process's own part: a scan of its store. It is the state of one moment at which this process held its lease and
 * knew of no newer epoch than the part's: else CONFLICT (epoch) or UNAVAILABLE. */
MUST_CHECK struct err *flow__list_local_open(struct node *n, const struct list_part *part, struct str from,
                                             struct list_source **ret);
/* Ends it. Null is fine. */
void flow__list_local_close(struct list_source *s);
/* Places of this process's store: all of 0 to n - 1, n <= LIST_PLACES_MAX. Texts live as long as the store. */
unsigned flow__list_places(struct node *n, struct list_place ret[static LIST_PLACES_MAX]);

/* The parts of other targets: pages by RPC, all of them fetched at once and one read ahead. */
struct list_remotes;
struct list_remote_options {
        const struct list_part *part; /* borrowed */
        struct str from;
        size_t want;         /* about so many rows will be asked for, of all targets together */
        unsigned targets;    /* all together, the local one too */
        int64_t timeout_ns;  /* of each call */
};
/* Parts of n members; a local part, if there is one, is opened after this. Errors come with the rows: UNAVAILABLE; and
 * CONFLICT, when the epoch has changed or what was read has become too old to go with what comes. */
MUST_CHECK struct err *flow__list_remotes_open(struct rpc_client *c, const struct cluster_member *const *members,
                                               unsigned n, const struct list_remote_options *o,
                                               struct list_remotes **ret);
/* The i-th of them. */
struct list_source *flow__list_remote(struct list_remotes *r, unsigned i);
/* Ends all; waits for a call under way. Null is fine. */
void flow__list_remotes_close(struct list_remotes *r);
/* The other end, GET /data/list: rows for flow_routes(), with the node as context. */
extern const struct rpc_route flow__list_routes[];

#endif
