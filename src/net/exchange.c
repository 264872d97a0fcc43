/* net/exchange.c: what one request needs, kept on a stack per loop so that the next request finds it warm in the cache.
 *
 * Spare exchanges keep their input buffer, the first chunk of their arena and their head buffers, as long as these are
 * small: memory does not stay with those who once had a large request. */
#include <stdlib.h>

#include "net/priv.h"

#define KEEP_HEAD ((size_t)8 * 1024)

static void drop_large(struct buf *b, size_t keep)
{
        if (b->cap > keep)
                buf_fini(b);
        else
                buf_clear(b);
}

struct exchange *net__exchange_take(struct net_loop *lp)
{
        struct exchange *x = lp->spare;
        if (x) {
                lp->spare = x->next;
                lp->nspare--;
                return x;
        }
        x = calloc(1, sizeof(*x));
        if (!x)
                return NULL;
        x->in = malloc(NET_IN_FIRST);
        if (!x->in) {
                free(x);
                return NULL;
        }
        x->cap = NET_IN_FIRST;
        arena_init(&x->arena, (size_t)4 * 1024, (size_t)64 << 20);
        x->rq.head = &x->head;
        x->rq.arena = &x->arena;
        return x;
}

void net__exchange_free(struct exchange *x)
{
        free(x->in);
        arena_fini(&x->arena);
        buf_fini(&x->rs.head);
        buf_fini(&x->out.head);
        buf_fini(&x->out.piece);
        buf_fini(&x->collected);
        free(x);
}

void net__exchange_give(struct net_loop *lp, struct exchange *x)
{
        if (lp->nspare >= NET_SPARE_MAX || x->cap > NET_IN_FIRST) {
                net__exchange_free(x);
                return;
        }
        x->conn = NULL;
        x->start = x->end = x->resume = 0;
        x->next = lp->spare;
        lp->spare = x;
        lp->nspare++;
}

void net__exchange_reset(struct exchange *x)
{
        http_resp_reset(&x->rs);
        x->rs.user = NULL;
        drop_large(&x->rs.head, KEEP_HEAD);
        drop_large(&x->out.head, KEEP_HEAD);
        drop_large(&x->out.piece, 0);
        x->out = (struct net_out){ .head = x->out.head };
        x->body = (struct net_body){ .ended = true };
        x->rq.body_mem = STR_NONE;
        drop_large(&x->collected, 0);
        ASSERT(!x->sink.end);
        x->active = false;
        arena_reset(&x->arena);
        if (x->start == x->end)
                x->start = x->end = 0;
}

bool net__exchange_room(struct exchange *x, size_t n)
{
        if (x->cap - x->end >= n)
                return true;
        if (x->start) {
                memmove(x->in, x->in + x->start, x->end - x->start);
                x->end -= x->start;
                x->start = 0;
        }
        if (x->cap - x->end >= n)
                return true;
        size_t cap = MAX(x->cap * 2, x->end + n);
        char *p = realloc(x->in, cap);
        if (!p)
                return false;
        x->in = p;
        x->cap = cap;
        return true;
}
