/* flow/install.c: taking over a copy that another node has: bytes are verified while they arrive, the record gets the
 * stamp that it was sent with, and the larger stamp wins (rule 3 of docs/adr/0008-many-nodes.md). */
#include "flow/priv.h"

#define STEP (256u * 1024u) /* bytes per read */

void flow__given_attrs(const struct parcel *p, uint64_t confirmed, struct put_attrs *ret)
{
        *ret = (struct put_attrs){
                .given = true,
                .stamp = p->meta.stamp,
                .version = p->meta.version,
                .epoch = confirmed,
                .mtime_ns = p->meta.mtime_ns,
                .atime_ns = p->meta.atime_ns,
                .cksum_type = p->meta.cksum_type,
                .cksum = p->meta.cksum,
                .custom = p->meta.custom,
                .custom_mode = CUSTOM_REPLACE,
        };
}

struct err *flow__enter_epoch(struct node *n, uint64_t epoch, struct gate_pass *ret)
{
        if (cluster_gate_enter(n->cluster, epoch, ret))
                return NULL;
        return cluster_has_lease(n->cluster, clock_mono_ns()) ?
                       err_new(ERR_CONFLICT, "epoch %lu is not the newest here", (unsigned long)epoch) :
                       err_new(ERR_UNAVAILABLE, "this target has no contact with the cluster's majority");
}

static struct err *take_tombstone(struct node *n, const struct parcel *p, uint64_t epoch, uint64_t confirmed,
                                  struct parcel_result *ret)
{
        struct obj_key key = { p->bid, p->name };
        struct gate_pass pass;
        TRY(flow__enter_epoch(n, epoch, &pass));
        TRY(flow__end(n, pass, store_put_tombstone(n->store, &key, p->meta.stamp, confirmed)));
        *ret = (struct parcel_result){ PARCEL_TAKEN, false, p->meta.stamp };
        return NULL;
}

/* Writes a piece; clients who are at work have their turn then, unless one may be waiting for this very copy. */
static struct err *write_piece(struct node *n, const struct parcel *p, struct put *put, const char *piece, size_t size)
{
        int64_t began = clock_mono_ns();
        TRY(store_put_write(put, piece, size));
        if (p->meta.size > FLOW_FETCH_MAX)
                flow__rest(n, clock_mono_ns() - began);
        return NULL;
}

static struct err *copy_bytes(struct node *n, const struct parcel *p, struct put *put, struct cksum_ctx *sum,
                              flow_read_fn *read, void *arg)
{
        size_t room = (size_t)MIN(p->meta.size + 1, (uint64_t)STEP), got; /* one more: to see that nothing follows */
        AUTO_FREE char *step = malloc(room);
        uint64_t total = 0;
        if (step == NULL || sum == NULL)
                return err_static(ERR_NO_MEMORY);
        for (;;) {
                TRY(read(arg, step, room, &got));
                if (got == 0)
                        break;
                cksum_update(sum, step, got);
                total += got;
                if (total > p->meta.size)
                        break;
                TRY(write_piece(n, p, put, step, got));
        }
        if (total != p->meta.size)
                return err_new(ERR_BAD_CHECKSUM, "a copy has another length than its record says");
        return NULL;
}

struct err *flow__check_copy(const struct parcel *p, struct cksum_ctx *sum)
{
        char hex[CKSUM_HEX_MAX];
        if (p->meta.cksum_type == CKSUM_NONE || p->meta.cksum.n == 0)
                return NULL;
        cksum_final(sum, hex);
        if (str_eq(str_of(hex), p->meta.cksum))
                return NULL;
        return err_new(ERR_BAD_CHECKSUM, "a copy of " STR_FMT " has checksum %s, its record says " STR_FMT,
                       STR_ARG(p->name), hex, STR_ARG(p->meta.cksum));
}

static struct err *take_content(struct node *n, const struct parcel *p, uint64_t epoch, uint64_t confirmed,
                                struct put *put, struct parcel_result *ret)
{
        struct put_attrs attrs;
        struct put_result result;
        struct gate_pass pass;
        flow__given_attrs(p, confirmed, &attrs);
        struct err *e = flow__enter_epoch(n, epoch, &pass);
        if (e != NULL) {
                store_put_abort(put);
                return e;
        }
        TRY(flow__end(n, pass, store_put_commit(put, &attrs, &result)));
        *ret = (struct parcel_result){ PARCEL_TAKEN, result.superseded, result.stamp };
        return NULL;
}

struct err *flow__install(struct node *n, const struct parcel *p, uint64_t epoch, uint64_t confirmed,
                          flow_read_fn *read, void *arg, struct parcel_result *ret)
{
        struct obj_key key = { p->bid, p->name };
        struct put *put;
        ASSERT(!p->absent && !p->meta.moved);
        store_clock_observe(n->store, p->meta.stamp.hlc);
        if (p->meta.tombstone)
                return take_tombstone(n, p, epoch, confirmed, ret);
        TRY(store_put_begin(n->store, &key, (int64_t)p->meta.size, &put));
        struct cksum_ctx *sum = cksum_new(p->meta.cksum_type);
        struct err *e = copy_bytes(n, p, put, sum, read, arg);
        if (e == NULL)
                e = flow__check_copy(p, sum);
        cksum_free(sum);
        if (e != NULL) {
                store_put_abort(put);
                return e;
        }
        return take_content(n, p, epoch, confirmed, put, ret);
}
