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

struct flow_work;
struct node {
        struct cluster *cluster;
        struct store *store;    /* null: this process is no target; operations on objects are NOT_OWNER then */
        struct flow_stats stats;
        struct flow_received received;
        struct flow_work *work; /* flow/owner.h; null until flow_start(): fine for a cluster of one */
};

/* Opens for reading; NOT_FOUND with the wire's text. NOT_OWNER and UNAVAILABLE, here and below: see flow/owner.h. */
MUST_CHECK struct err *flow_open(struct node *n, const struct bucket *b, struct str name, struct content **ret);
/* What a reader gets: the content, or, while a large one has not yet arrived from its earlier owner, a way to read it
 * there (flow_relay_read of flow/owner.h). */
struct flow_relay;
struct flow_object {
        struct content *content;  /* null: relay */
        struct flow_relay *relay; /* null: content */
        struct obj_meta meta;     /* strings live as long as the object or the arena */
};
/* As flow_open, for readers: does not wait for a large content to be fetched. */
MUST_CHECK struct err *flow_open_read(struct node *n, const struct bucket *b, struct str name, struct arena *a, struct flow_object *ret);
/* Ends it. All-zero is fine. */
void flow_object_close(struct flow_object *o);
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
/* Replaces the custom pairs given at the begin (packed, copied): for what is known only when all bytes have passed. */
MUST_CHECK struct err *flow_put_set_custom(struct flow_put *p, struct str custom);
/* Checks the checksum (BAD_CHECKSUM), commits. Ends the put whatever the outcome. *ret_meta (strings in the arena) is what was stored; *ret_noop: same content, nothing changed. */
MUST_CHECK struct err *flow_put_commit(struct flow_put *p, struct arena *a, struct obj_meta *ret_meta, bool *ret_noop);
/* Drops it. Null is fine. */
void flow_put_abort(struct flow_put *p);
/* Fills the attributes that a bucket's properties decide (checksum type, versioning, durability). */
void flow_put_attrs(const struct bucket *b, struct put_attrs *ret);

/* Removes. NOT_FOUND (`ais://b/o doesn't exist`). */
MUST_CHECK struct err *flow_delete(struct node *n, const struct bucket *b, struct str name);
/* Changes custom metadata (packed pairs; replace false: merged, an empty value removes). NOT_FOUND. */
MUST_CHECK struct err *flow_set_custom(struct node *n, const struct bucket *b, struct str name, struct str custom, bool replace);
/* Another name within the bucket; an object of that name is replaced. When another target owns the new name, the object is copied there and the old one
 * removed if it is still the same: in between both can be seen. NOT_FOUND. */
MUST_CHECK struct err *flow_rename(struct node *n, const struct bucket *b, struct str from, struct str to);
/* As flow_head wherever the object lives: asks its owner. For jobs. */
MUST_CHECK struct err *flow_head_anywhere(struct node *n, const struct bucket *b, struct str name, struct arena *a, struct obj_meta *ret);

/* ---- appends: the handle names the target where the pieces gather, whoever owns the object by now ---- */

#define FLOW_HANDLE_MAX 64
struct flow_append {
        struct put *put;              /* inside */
        bool fast;
        char handle[FLOW_HANDLE_MAX]; /* for the next piece, and for the flush */
};
/* The target that a handle names: requests with it belong there. Null: the handle is empty (the owner) or no node of the cluster has that id; INVALID. */
MUST_CHECK struct err *flow_append_target(const struct snapshot *s, struct str handle, const struct cluster_node **ret);
/* Begins one piece; an empty handle starts a new append with a copy of the object's content, if there is one. NOT_OWNER: not this target's. BUSY. */
MUST_CHECK struct err *flow_append_begin(struct node *n, const struct bucket *b, struct str name, struct str handle, struct flow_append *ret);
/* Adds bytes; on error flow_append_abort(). */
MUST_CHECK struct err *flow_append_write(struct flow_append *a, const void *data, size_t len);
/* Keeps the piece. Ends it whatever the outcome. */
MUST_CHECK struct err *flow_append_end(struct flow_append *a);
/* Drops the piece. */
void flow_append_abort(struct flow_append *a);
/* Makes what was appended the object, here or at its owner. expect: hex, empty for none; BAD_CHECKSUM. */
MUST_CHECK struct err *flow_append_flush(struct node *n, const struct bucket *b, struct str name, struct str handle, enum cksum_type expect_type,
                                         struct str expect);

/* ---- multipart uploads: the id names the target that holds the parts, whoever owns the object by now ---- */

#define FLOW_UPLOAD_ID_MAX 32
/* The target that an upload id names: requests with it belong there. Null: no node of the cluster. */
const struct cluster_node *flow_upload_target(const struct snapshot *s, struct str id);
/* Starts one; custom: packed pairs for the object. NOT_OWNER. */
MUST_CHECK struct err *flow_upload_create(struct node *n, const struct bucket *b, struct str name, struct str custom, char ret_id[static FLOW_UPLOAD_ID_MAX]);
/* Begins writing a part (store_put_write, store_put_abort). UPLOAD_NOT_FOUND, NOT_OWNER: the parts are another target's. */
MUST_CHECK struct err *flow_upload_part_begin(struct node *n, const struct bucket *b, struct str name, struct str id, unsigned part, int64_t size_hint,
                                              struct put **ret);
/* Parts so far, ascending; in the arena. */
MUST_CHECK struct err *flow_upload_parts(struct node *n, const struct bucket *b, struct str name, struct str id, struct arena *a, struct upload_part **ret,
                                         unsigned *ret_n);
/* The packed pairs that it was started with; in the arena. */
MUST_CHECK struct err *flow_upload_custom(struct node *n, const struct bucket *b, struct str name, struct str id, struct arena *a, struct str *ret);
/* Makes the listed parts (ascending) the object, here or at its owner. Of o (may be null) custom, merged into the pairs of the upload, and cond count.
 * On error the upload stays. */
MUST_CHECK struct err *flow_upload_complete(struct node *n, const struct bucket *b, struct str name, struct str id, const unsigned *parts, unsigned nparts,
                                            const struct flow_put_options *o);
/* Drops it. UPLOAD_NOT_FOUND, NOT_OWNER. */
MUST_CHECK struct err *flow_upload_abort(struct node *n, const struct bucket *b, struct str name, struct str id);

/* Copies one object, also between buckets, to whoever owns the new name; custom metadata goes along, the checksum is computed in the destination's type. *ret_bytes may be null. */
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
        bool full;           /* all of meta, and the last read as it is known now; else size, version, times only */
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
