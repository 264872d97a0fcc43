/* flow/peer_cli.c: calls to other members about keys; peer_srv.c answers them. Paths and values:
 *
 *   GET /data/record?bid&name&epoch              the record, as it is                        → one parcel record
 *   GET /data/head?bid&name                      the object, as its owner sees it            → one parcel record
 *   GET /data/object?bid&name&hlc&node&offset    the content with that stamp, to its end     → bytes
 *   PUT /data/objects?epoch&from                 a stream of parcels                         → a result for each
 *   POST /data/write?bid&name&merge&absent       one parcel: an ordinary write by the owner  → one parcel record
 *
 * An error on the way there is UNAVAILABLE: whether something was done is not known, and asking again does no harm. */
#include "flow/priv.h"

#include <stdio.h>

#define RECORD_WAIT_NS (5 * NS_PER_SEC)
#define STAT_WAIT_NS (15 * NS_PER_SEC) /* the other may have to settle first */
#define SILENCE_NS (30 * NS_PER_SEC)   /* of a peer that sends or takes content */

struct rpc_peer flow__peer_of(const struct cluster_member *m)
{
        struct rpc_peer p = { .port = m->port };
        str_copy(p.id, sizeof(p.id), str_of(m->id));
        str_copy(p.host, sizeof(p.host), str_of(m->host));
        return p;
}

/* What the other said about the object stays; the rest means that it could not be asked. */
static struct err *peer_err(struct err *e, const char *id)
{
        switch (err_code(e)) {
        case ERR_NONE:
        case ERR_NOT_FOUND:
        case ERR_BUCKET_NOT_FOUND:
        case ERR_CONFLICT:
        case ERR_NOT_OWNER:
        case ERR_PRECONDITION:
        case ERR_BAD_CHECKSUM:
        case ERR_NO_SPACE:
        case ERR_NO_MEMORY:
        case ERR_CORRUPT:
        case ERR_TOO_LARGE:
        case ERR_PROMOTE_SOURCE: /* of our own source */
                return e;
        default:
                return err_recode(e, ERR_UNAVAILABLE, "target %s can not be asked", id);
        }
}

static struct err *rpc_of(struct node *n, struct rpc_client **ret)
{
        *ret = cluster_rpc(n->cluster);
        return *ret != NULL ? NULL : err_new(ERR_UNAVAILABLE, "this node has no cluster port");
}

/* "<path>?bid=<bid>&name=<name>" */
static void target_of(struct buf *b, const char *path, uint64_t bid, struct str name, struct arena *a)
{
        struct str coded = str_percent_encode(a, name, false);
        if (coded.p == NULL)
                b->bad = true;
        buf_printf(b, "%s?bid=%lu&name=" STR_FMT, path, (unsigned long)bid, STR_ARG(coded));
}

static struct err *decode_copy(struct str body, struct arena *a, struct parcel *ret)
{
        if (body.n < 4)
                return err_new(ERR_MALFORMED, "answer of %zu bytes", body.n);
        const char *mine = arena_dup(a, body.p + 4, body.n - 4);
        return mine != NULL ? parcel_decode((struct str){ mine, body.n - 4 }, ret) : err_static(ERR_NO_MEMORY);
}

static struct err *ask_parcel(struct node *n, const struct cluster_member *m, struct buf *target, int64_t deadline,
                              struct arena *a, struct parcel *ret)
{
        AUTO_BUF struct buf body = BUF_INIT;
        struct rpc_client *c;
        struct rpc_peer peer = flow__peer_of(m);
        TRY(rpc_of(n, &c));
        TRY(buf_err(target));
        struct err *e = rpc_call(c, &peer, "GET", buf_cstr(target), STR_NONE, deadline, PARCEL_RECORD_MAX + 4, &body);
        if (e == NULL)
                e = decode_copy(buf_str(&body), a, ret);
        return peer_err(e, m->id);
}

struct err *flow__peer_record(struct node *n, const struct cluster_member *m, uint64_t bid, struct str name,
                              uint64_t epoch, int64_t deadline, struct arena *a, struct parcel *ret)
{
        AUTO_BUF struct buf target = BUF_INIT;
        target_of(&target, "/data/record", bid, name, a);
        buf_printf(&target, "&epoch=%lu", (unsigned long)epoch);
        TRY(ask_parcel(n, m, &target, MIN(deadline, clock_mono_ns() + RECORD_WAIT_NS), a, ret));
        if (ret->bid != bid || !str_eq(ret->name, name))
                return err_new(ERR_UNAVAILABLE, "target %s answered about another object", m->id);
        return NULL;
}

struct err *flow__peer_head(struct node *n, const struct cluster_member *m, const struct bucket *b, struct str name,
                            struct arena *a, struct obj_meta *ret)
{
        struct parcel p;
        TRY(flow__peer_record(n, m, b->bid, name, 0, INT64_MAX, a, &p));
        if (p.absent || p.meta.moved || p.meta.tombstone)
                return err_static(ERR_CONFLICT);
        *ret = p.meta;
        ret->copies = 1;
        return NULL;
}

struct err *flow__peer_stat(struct node *n, const struct cluster_member *m, const struct bucket *b, struct str name,
                            struct arena *a, struct obj_meta *ret)
{
        AUTO_BUF struct buf target = BUF_INIT;
        struct parcel p;
        target_of(&target, "/data/head", b->bid, name, a);
        TRY(ask_parcel(n, m, &target, clock_mono_ns() + STAT_WAIT_NS, a, &p));
        *ret = p.meta;
        ret->copies = 1;
        return NULL;
}

struct err *flow__peer_open(struct node *n, const struct rpc_peer *peer, uint64_t bid, struct str name,
                            struct stamp stamp, uint64_t offset, struct http_reply **ret)
{
        AUTO_BUF struct buf target = BUF_INIT;
        AUTO_ARENA struct arena a;
        struct rpc_client *c;
        arena_init(&a, 1024, 0);
        TRY(rpc_of(n, &c));
        target_of(&target, "/data/object", bid, name, &a);
        buf_printf(&target, "&hlc=%lu&node=%u&offset=%lu", (unsigned long)stamp.hlc, stamp.node, (unsigned long)offset);
        TRY(buf_err(&target));
        struct rpc_request rq = { .method = "GET", .target = buf_str(&target), .idle_timeout_ns = SILENCE_NS };
        return peer_err(rpc_send(c, peer, &rq, ret), peer->id);
}

/* ---- sending ---- */

/* A body made of parcels, as it is read by the client. */
struct outgoing {
        struct node *node;
        const struct flow_sending *list;
        unsigned count, at;   /* at: the current one */
        struct buf head;      /* its length and record; then its content; then the checksum */
        uint64_t pos;         /* within the current one */
        uint32_t crc;
};

static uint64_t outgoing_length(struct outgoing *o)
{
        uint64_t sum = 0;
        for (unsigned i = 0; i < o->count; i++) {
                buf_clear(&o->head);
                parcel_encode(&o->list[i].parcel, &o->head);
                sum += o->head.n + parcel_content_size(&o->list[i].parcel) + 4;
        }
        return sum;
}

static struct err *outgoing_begin(struct outgoing *o)
{
        buf_clear(&o->head);
        o->pos = 0;
        o->crc = 0;
        if (o->at < o->count)
                parcel_encode(&o->list[o->at].parcel, &o->head);
        return buf_err(&o->head);
}

static struct err *outgoing_rewind(void *arg)
{
        struct outgoing *o = arg;
        o->at = 0;
        return outgoing_begin(o);
}

/* The next piece of the current parcel, at most n bytes; never empty. */
static struct err *outgoing_piece(struct outgoing *o, char *p, size_t n, size_t *ret_n)
{
        const struct flow_sending *s = &o->list[o->at];
        uint64_t size = parcel_content_size(&s->parcel), head = o->head.n;
        if (o->pos < head) {
                n = (size_t)MIN((uint64_t)n, head - o->pos);
                memcpy(p, o->head.p + o->pos, n);
        } else if (o->pos < head + size) {
                n = (size_t)MIN((uint64_t)n, head + size - o->pos);
                int64_t began = clock_mono_ns();
                TRY(flow__source_read(&s->source, o->pos - head, p, n));
                if (size > FLOW_FETCH_MAX) /* no client waits for one like this */
                        flow__rest(o->node, clock_mono_ns() - began);
                o->crc = hash_crc32c(o->crc, p, n);
        } else {
                *p = (char)(o->crc >> 8 * (o->pos - head - size));
                n = 1;
        }
        o->pos += n;
        *ret_n = n;
        if (o->pos < head + size + 4)
                return NULL;
        o->at++;
        return outgoing_begin(o);
}

static struct err *outgoing_read(void *arg, void *p, size_t n, size_t *ret_n)
{
        struct outgoing *o = arg;
        size_t done = 0, piece;
        while (done < n && o->at < o->count) {
                TRY(outgoing_piece(o, (char *)p + done, n - done, &piece));
                done += piece;
        }
        *ret_n = done;
        return NULL;
}

static struct err *send_parcels(struct node *n, const struct cluster_member *m, const char *method, const char *target,
                                const struct flow_sending *list, unsigned count, size_t max, struct buf *answer)
{
        struct outgoing o = { .node = n, .list = list, .count = count };
        struct rpc_client *c;
        struct rpc_peer peer = flow__peer_of(m);
        TRY(rpc_of(n, &c));
        struct rpc_request rq = { .method = method,
                                  .target = str_of(target),
                                  .body_read = outgoing_read,
                                  .body_rewind = outgoing_rewind,
                                  .body_arg = &o,
                                  .body_length = (int64_t)outgoing_length(&o),
                                  .idle_timeout_ns = SILENCE_NS,
                                  .max = max };
        struct err *e = outgoing_rewind(&o);
        if (e == NULL)
                e = rpc_call_with(c, &peer, &rq, answer);
        buf_fini(&o.head);
        return peer_err(e, m->id);
}

struct err *flow__peer_send(struct node *n, const struct cluster_member *m, uint64_t epoch, struct flow_sending *list,
                            unsigned count)
{
        AUTO_BUF struct buf answer = BUF_INIT;
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        char target[128];
        snprintf(target, sizeof(target), "/data/objects?epoch=%lu&from=%s", (unsigned long)epoch,
                 s->target != NULL ? s->target->id : "");
        TRY(send_parcels(n, m, "PUT", target, list, count, (size_t)count * PARCEL_RESULT, &answer));
        for (unsigned i = 0; i < count; i++)
                TRY(peer_err(parcel_result_decode(buf_str(&answer), i, &list[i].result), m->id));
        return NULL;
}

struct err *flow__peer_write(struct node *n, const struct cluster_member *m, const struct bucket *b, struct str name,
                             const struct flow_put_options *o, const struct flow_source *s, uint64_t *ret_bytes)
{
        AUTO_BUF struct buf target = BUF_INIT, answer = BUF_INIT;
        AUTO_ARENA struct arena a;
        struct flow_sending one = { .parcel = { .bid = b->bid, .name = name }, .source = *s };
        struct parcel done;
        arena_init(&a, 1024, 0);
        one.parcel.meta.size = s->size;
        one.parcel.meta.custom = o->has_custom ? o->custom : STR_NONE;
        ASSERT(o->cond.kind == COND_NONE || o->cond.kind == COND_ABSENT);
        target_of(&target, "/data/write", b->bid, name, &a);
        buf_printf(&target, "&merge=%d&absent=%d", !o->custom_replace, o->cond.kind == COND_ABSENT);
        TRY(buf_err(&target));
        /* Not a PUT, which might be sent again by itself: a write that is done twice could undo another one. */
        TRY(send_parcels(n, m, "POST", buf_cstr(&target), &one, 1, PARCEL_RECORD_MAX + 4, &answer));
        TRY(peer_err(decode_copy(buf_str(&answer), &a, &done), m->id));
        if (ret_bytes != NULL)
                *ret_bytes = done.meta.size;
        return NULL;
}

struct err *flow_head_anywhere(struct node *n, const struct bucket *b, struct str name, struct arena *a,
                               struct obj_meta *ret)
{
        struct err *e = flow_head(n, b, name, a, ret);
        if (err_code(e) != ERR_NOT_OWNER)
                return e;
        err_free(e);
        AUTO_SNAPSHOT const struct snapshot *s = cluster_pin(n->cluster);
        const struct cluster_node *owner = snapshot_owner_of(s, snapshot_digest(b, name));
        const struct cluster_member *m = owner != NULL ? snapshot_member(s, str_of(owner->member)) : NULL;
        if (m == NULL)
                return err_new(ERR_UNAVAILABLE, "no target is active");
        e = flow__peer_stat(n, m, b, name, a, ret);
        return err_code(e) == ERR_NOT_OWNER ? err_recode(e, ERR_UNAVAILABLE, "the cluster's targets are changing") : e;
}
