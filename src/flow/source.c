/* flow/source.c: writing bytes that lie here (a content, a file, memory, a relay) as an object of whoever owns its key.
 *
 * The owner may change while bytes are on their way; what was refused for that was not done, and is tried again. */
#include "flow/priv.h"

#define STEP (512u * 1024u) /* bytes per read */
#define TRIES 5

struct err *flow__source_read(const struct flow_source *s, uint64_t offset, void *p, size_t len)
{
        if (s->content != NULL) {
                struct str mem = content_mem(s->content);
                if (mem.p == NULL)
                        return content_read(s->content, offset, p, len);
                memcpy(p, mem.p + offset, len);
                return NULL;
        }
        if (s->relay != NULL)
                return flow_relay_read(s->relay, offset, p, len);
        if (s->append != NULL)
                return store_append_source_read(s->append, offset, p, len);
        if (s->mem.p != NULL) {
                memcpy(p, s->mem.p + offset, len);
                return NULL;
        }
        struct err *e = file_pread_full(s->fd, p, len, (int64_t)offset);
        return err_code(e) == ERR_CORRUPT ? err_recode(e, ERR_PROMOTE_SOURCE, "the file was cut while it was read") : e;
}

static struct err *write_bytes(const struct flow_source *s, struct flow_put *put)
{
        struct str mem = s->content != NULL ? content_mem(s->content) : s->mem;
        if (mem.p != NULL)
                return flow_put_write(put, mem.p, s->size);
        size_t step = (size_t)MIN(s->size, (uint64_t)STEP);
        AUTO_FREE char *p = malloc(step + 1);
        if (p == NULL)
                return err_static(ERR_NO_MEMORY);
        for (uint64_t at = 0; at < s->size;) {
                size_t n = (size_t)MIN((uint64_t)step, s->size - at);
                TRY(flow__source_read(s, at, p, n));
                TRY(flow_put_write(put, p, n));
                at += n;
        }
        return NULL;
}

static struct err *write_here(struct node *n, const struct bucket *b, struct str name,
                              const struct flow_put_options *o, const struct flow_source *s, uint64_t *ret_bytes)
{
        struct flow_put *put;
        TRY(flow_put_begin(n, b, name, o, &put));
        struct err *e = write_bytes(s, put);
        if (e != NULL) {
                flow_put_abort(put);
                return e;
        }
        AUTO_ARENA struct arena a;
        arena_init(&a, 512, 0);
        struct obj_meta done;
        bool noop;
        TRY(flow_put_commit(put, &a, &done, &noop));
        if (ret_bytes != NULL)
                *ret_bytes = done.size;
        return NULL;
}

/* NOT_OWNER: it is ours by now, or the other does not think that it is his. */
static struct err *write_away(struct node *n, const struct bucket *b, struct str name,
                              const struct flow_put_options *o, const struct flow_source *s, uint64_t *ret_bytes)
{
        AUTO_SNAPSHOT const struct snapshot *snap = cluster_pin(n->cluster);
        uint64_t digest = snapshot_digest(b, name);
        if (snapshot_owns(snap, digest))
                return err_static(ERR_NOT_OWNER);
        const struct cluster_node *owner = snapshot_owner_of(snap, digest);
        const struct cluster_member *m = owner != NULL ? snapshot_member(snap, str_of(owner->member)) : NULL;
        if (m == NULL)
                return err_new(ERR_UNAVAILABLE, "no target is active");
        return flow__peer_write(n, m, b, name, o, s, ret_bytes);
}

struct err *flow__write_anywhere(struct node *n, const struct bucket *b, struct str name,
                                 const struct flow_put_options *o, const struct flow_source *source,
                                 uint64_t *ret_bytes)
{
        for (unsigned i = 1;; i++) {
                struct err *e = flow__check_owner(n, b, name);
                bool away = e != NULL;
                err_free(e);
                e = away ? write_away(n, b, name, o, source, ret_bytes) :
                           write_here(n, b, name, o, source, ret_bytes);
                if (err_code(e) != ERR_NOT_OWNER)
                        return e;
                if (i == TRIES)
                        return err_recode(e, ERR_UNAVAILABLE, "the cluster's targets are changing");
                err_free(e);
                clock_sleep_ns(50 * NS_PER_MS);
        }
}
