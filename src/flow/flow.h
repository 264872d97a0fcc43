/* flow/flow.h: whole object operations on this node, for the fronts (api) and for jobs alike.
 *
 * A `struct node` is what they all work on: identity and state (cluster), disks (store), counters. It is made by the daemon and lives as long as the process.
 * Threads: workers; calls may wait for disks. Errors are the store's, plus BAD_CHECKSUM, INVALID, PROMOTE_SOURCE; object errors carry the wire's text
 * (`ais://bucket/object does not exist`) since clients parse it. */
#ifndef ORLOP_FLOW_FLOW_H
#define ORLOP_FLOW_FLOW_H

#include "cluster/control.h"
#include "flow/stats.h"
#include "meta/bucket.h"
#include "store/store.h"

struct node {
        struct cluster *cluster;
        struct store *store;
        struct flow_stats stats;
};

/* Opens for reading; NOT_FOUND with the wire's text. */
MUST_CHECK struct err *flow_open(struct node *n, const struct bucket *b, struct str name, struct content **ret);
/* Metadata; strings in the arena. */
MUST_CHECK struct err *flow_head(struct node *n, const struct bucket *b, struct str name, struct arena *a, struct obj_meta *ret);

struct flow_put_options {
        int64_t size;                 /* announced bytes, or -1 */
        bool verify;                  /* the client sent a checksum: */
        enum cksum_type verify_type;
        struct str verify_value;      /* hex, lower or upper case */
        struct str custom;            /* packed pairs */
        bool has_custom;
        bool skip_vc;                 /* do not compare with the old content */
        bool custom_replace;          /* else merged into the old set (wire rule) */
        struct obj_cond cond;
};
struct flow_put;
/* Begins a write. NO_SPACE. */
MUST_CHECK struct err *flow_put_begin(struct node *n, const struct bucket *b, struct str name, const struct flow_put_options *o, struct flow_put **ret);
/* Adds bytes; on error abort. */
MUST_CHECK struct err *flow_put_write(struct flow_put *p, const void *data, size_t len);
/* Checks the checksum (BAD_CHECKSUM), commits. Ends the put whatever the outcome. *ret_meta (strings in the arena) is what was stored; *ret_noop: same content, nothing changed. */
MUST_CHECK struct err *flow_put_commit(struct flow_put *p, struct arena *a, struct obj_meta *ret_meta, bool *ret_noop);
/* Drops it. Null is fine. */
void flow_put_abort(struct flow_put *p);
/* Fills the attributes that a bucket's properties decide (checksum type, versioning, durability). */
void flow_put_attrs(const struct bucket *b, struct put_attrs *ret);

/* Removes. NOT_FOUND (`ais://b/o doesn't exist`). */
MUST_CHECK struct err *flow_delete(struct node *n, const struct bucket *b, struct str name);
/* Copies one object, also between buckets; custom metadata goes along, the checksum is computed in the destination's type. *ret_bytes may be null. */
MUST_CHECK struct err *flow_copy(struct node *n, const struct bucket *from, struct str from_name, const struct bucket *to, struct str to_name,
                                 uint64_t *ret_bytes);
/* Stores a local file (opened below dirfd, no symbolic link) as an object. overwrite false: an existing object stays, which is no error; *ret_stored tells. */
MUST_CHECK struct err *flow_promote_file(struct node *n, const struct bucket *b, struct str name, int dirfd, const char *path, bool overwrite,
                                         bool *ret_stored, uint64_t *ret_bytes);

/* What one listing asks for. */
struct flow_list_options {
        struct str prefix, start_after;
        size_t page_size;    /* > 0 */
        bool no_recursion;   /* one level: deeper names are folded into directory entries "dir/" */
        bool no_dirs;        /* with no_recursion: directory entries are left out */
        bool full;           /* decode all of meta; else size, version, times only */
        bool local;          /* only what this process stores, whoever owns it; else the whole bucket: all targets */
        const char *target;  /* only what lies on this target; null: on any. Not with local */
        bool (*stop)(void *arg); /* asked after each entry: true ends the page. May be null */
};
struct flow_list_entry {
        struct str name;
        bool dir;
        const struct obj_meta *meta; /* null for directories; its mountpath is an index at its own target */
        const char *target;          /* id of the node that has it; null for directories */
        struct str mountpath, disk;  /* there; with full */
};
/* Visits entries in bytewise order of names until the page is full or stopped; *ret_more tells that (wire: a token even
 * if nothing follows), *ret_last its last name (arena). Every object that was acknowledged before the call and not
 * deleted during it is visited exactly once, also while objects move between targets. UNAVAILABLE: a target that may
 * hold some of them is down or does not answer; CORRUPT, IO: records can not be read there. Entries may have been
 * visited before an error. */
MUST_CHECK struct err *flow_list(struct node *n, const struct bucket *b, const struct flow_list_options *o, void (*visit)(void *arg, const struct flow_list_entry *e),
                                 void *arg, struct arena *a, bool *ret_more, struct str *ret_last);

struct flow_summary {
        uint64_t objects, bytes, min_size, max_size;
};
/* Counts a bucket (below a prefix). go_on may be null; false from it: CANCELLED. */
MUST_CHECK struct err *flow_summary(struct node *n, const struct bucket *b, struct str prefix, bool (*go_on)(void *arg, const struct flow_summary *so_far), void *arg,
                                    struct flow_summary *ret);

#endif
