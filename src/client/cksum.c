/* client/cksum.c: the checksum types of the wire for callers of the library. */
#include "base/hash.h"
#include "client/priv.h"

struct orlop_cksum {
        struct cksum_ctx *ctx;
};

struct orlop_cksum *orlop_cksum_new(const char *type)
{
        enum cksum_type t;
        if (!cksum_type_parse(str_of(type), &t) || t == CKSUM_NONE)
                return NULL;
        struct orlop_cksum *c = malloc(sizeof(*c));
        if (!c)
                return NULL;
        c->ctx = cksum_new(t);
        if (!c->ctx) {
                free(c);
                return NULL;
        }
        return c;
}

void orlop_cksum_update(struct orlop_cksum *c, const void *p, size_t n)
{
        cksum_update(c->ctx, p, n);
}

void orlop_cksum_final(struct orlop_cksum *c, char ret_hex[static 132])
{
        cksum_final(c->ctx, ret_hex);
        orlop_cksum_free(c);
}

void orlop_cksum_free(struct orlop_cksum *c)
{
        if (!c)
                return;
        cksum_free(c->ctx);
        free(c);
}
