/* flow/priv.h: what the files of this folder share. */
#ifndef ORLOP_FLOW_PRIV_H
#define ORLOP_FLOW_PRIV_H

#ifndef LOG_FOLDER
#define LOG_FOLDER "flow"
#endif
#include "base/log.h"
#include "flow/owner.h"
#include "flow/parcel.h"
#include "net/rpc.h"
#include "os/clock.h"

#define FLOW_WAIT_NS (10 * NS_PER_SEC) /* longest wait for an epoch to open or for other targets' answers */
#define FLOW_FETCH_MAX ((uint64_t)4 << 20) /* a content up to this is fetched before a reader gets it */

/* Gives a NOT_FOUND of the store the wire's text (`ais://b/o does not exist`); other errors are wrapped with the object's
 * name, but for NOT_OWNER. Takes e; null stays null. */
struct err *flow__object_err(struct err *e, const struct bucket *b, struct str name);

/* ---- owner.c ---- */

/* Early refusal of a write whose key is another target's, before anything is read from the client. NOT_OWNER. */
MUST_CHECK struct err *flow__check_owner(struct node *n, const struct bucket *b, struct str name);
/* What an operation does with a key: reads it, decides by what is there, or replaces it whatever it is. */
enum flow_use { FLOW_READS, FLOW_CHANGES, FLOW_REPLACES };
/* flow_own() for a write, and into the gate, as often as the epoch changes in between. Ends with flow__end() and
 * flow_own_end(). */
MUST_CHECK struct err *flow__begin(struct node *n, const struct bucket *b, struct str name, struct flow_ownership *ret,
                                   struct gate_pass *ret_pass);
/* As flow__begin() for a write that replaces the object whatever it is (rule 3 makes it right): a target that has been
 * down for a while need not be asked. Then ret->partial, and what is here must not decide anything. */
MUST_CHECK struct err *flow__begin_replace(struct node *n, const struct bucket *b, struct str name,
                                           struct flow_ownership *ret, struct gate_pass *ret_pass);
/* Leaves the gate after a commit that ended with e (taken); the operation's outcome. */
MUST_CHECK struct err *flow__end(struct node *n, struct gate_pass pass, struct err *e);
/* Whether the newest epoch here is still the ownership's: what was not found is then really absent. */
bool flow__is_current(struct node *n, const struct flow_ownership *o);

/* ---- source.c: bytes that become an object, here or elsewhere ---- */

struct flow_source {
        uint64_t size;
        struct content *content;  /* one of these: */
        struct flow_relay *relay;
        struct append_source *append;
        struct str mem;           /* p not null */
        int fd;                   /* a file, from its begin on; only if the others are null */
};
/* Exactly len bytes. */
MUST_CHECK struct err *flow__source_read(const struct flow_source *s, uint64_t offset, void *p, size_t len);
/* An ordinary write of this key by its owner, be it this node or another. ret (may be null) gets the size stored. */
MUST_CHECK struct err *flow__write_anywhere(struct node *n, const struct bucket *b, struct str name,
                                            const struct flow_put_options *o, const struct flow_source *source,
                                            uint64_t *ret_bytes);

/* ---- peer_cli.c: asking other members. Errors of the way there are UNAVAILABLE and name the target ---- */

/* What the member has of a key: live, tombstone or moved marker, or nothing (parcel.absent); strings in the arena.
 * UNAVAILABLE too while the member has not seen `epoch`. */
MUST_CHECK struct err *flow__peer_record(struct node *n, const struct cluster_member *m, uint64_t bid, struct str name,
                                         uint64_t epoch, int64_t deadline, struct arena *a, struct parcel *ret);
/* As flow_head, of an object that lies at another member. CONFLICT: not any more. */
MUST_CHECK struct err *flow__peer_head(struct node *n, const struct cluster_member *m, const struct bucket *b,
                                       struct str name, struct arena *a, struct obj_meta *ret);
/* As flow_head, by the owner. */
MUST_CHECK struct err *flow__peer_stat(struct node *n, const struct cluster_member *m, const struct bucket *b,
                                       struct str name, struct arena *a, struct obj_meta *ret);
/* Opens a content that carries this stamp, from an offset to its end. CONFLICT: it is not there any more. */
MUST_CHECK struct err *flow__peer_open(struct node *n, const struct rpc_peer *peer, uint64_t bid, struct str name,
                                       struct stamp stamp, uint64_t offset, struct http_reply **ret);
/* Has the owner write an object. NOT_OWNER: it says that it is none; else the errors of flow_put_commit. */
MUST_CHECK struct err *flow__peer_write(struct node *n, const struct cluster_member *m, const struct bucket *b,
                                        struct str name, const struct flow_put_options *o,
                                        const struct flow_source *s, uint64_t *ret_bytes);
/* One object on its way. */
struct flow_sending {
        struct parcel parcel;
        struct flow_source source;
        struct parcel_result result; /* out */
};
/* Sends records with their contents to their owner under this epoch and waits until it has taken them. CONFLICT:
 * another epoch there. */
MUST_CHECK struct err *flow__peer_send(struct node *n, const struct cluster_member *m, uint64_t epoch,
                                       struct flow_sending *list, unsigned count);
/* The other end: rows for flow_routes(), with the node as context. */
extern const struct rpc_route flow__peer_routes[];
/* The member as one that can be called. */
struct rpc_peer flow__peer_of(const struct cluster_member *m);

static inline int flow__stamp_cmp(struct stamp a, struct stamp b)
{
        if (a.hlc != b.hlc)
                return a.hlc < b.hlc ? -1 : 1;
        return a.node == b.node ? 0 : a.node < b.node ? -1 : 1;
}

/* ---- settle.c ---- */

/* Whether a target other than this one and `except` (a target's id, or null) may hold something newer of a key than a
 * record here that was confirmed under epoch `since`. */
bool flow__others_pending(const struct snapshot *s, uint64_t digest, uint64_t since, const char *except);

/* ---- pace.c ---- */

/* Whether clients' requests ended here a moment ago. Any thread. */
bool flow__clients_active(struct node *n);
/* After this much work of the disk for a copy: waits as long, or a bounded while, if clients are active. Workers. */
void flow__rest(struct node *n, int64_t worked_ns);

/* ---- install.c ---- */

/* Installs a copy (not absent, not moved) whose bytes `read` gives, at the gate of `epoch`, which it enters itself.
 * confirmed: the epoch to be recorded. CONFLICT: another epoch by now. */
typedef struct err *flow_read_fn(void *arg, void *p, size_t n, size_t *ret_n);
MUST_CHECK struct err *flow__install(struct node *n, const struct parcel *p, uint64_t epoch, uint64_t confirmed,
                                     flow_read_fn *read, void *arg, struct parcel_result *ret);
/* What is recorded of a copy; strings are the parcel's. */
void flow__given_attrs(const struct parcel *p, uint64_t confirmed, struct put_attrs *ret);
/* Compares the checksum of what arrived with the record's. BAD_CHECKSUM. */
MUST_CHECK struct err *flow__check_copy(const struct parcel *p, struct cksum_ctx *sum);
/* The gate of exactly this epoch; ends with flow__end(). CONFLICT, UNAVAILABLE. */
MUST_CHECK struct err *flow__enter_epoch(struct node *n, uint64_t epoch, struct gate_pass *ret);

/* Rule 2 for a key that this node owns under o->snap: *ret_source as in flow_own(); sets o->partial. CONFLICT: the epoch
 * changed. */
MUST_CHECK struct err *flow__settle(struct node *n, struct flow_ownership *o, uint64_t bid, struct str name,
                                    enum flow_use use, int64_t deadline, const struct cluster_member **ret_source);

#endif
