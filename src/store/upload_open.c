/* Reading the parts of an upload as the one content that they are meant to become: for a node that must hand it to
 * another when the object is not its own any more. The upload stays as it is; if it is completed or dropped while its
 * parts are read, reading fails. */
#include "store/cache.h"
#include "store/upload.h"

struct gathering {
        const unsigned *parts;
        unsigned n, at; /* at: of those wanted, the next one */
        struct buf chunks;
        uint64_t size, max_size;
};

static struct err *gather(void *arg, unsigned part, struct str key, const struct part_row *row)
{
        struct gathering *g = arg;

        (void)key;
        if (g->at == g->n || g->parts[g->at] != part)
                return NULL;
        g->at++;
        g->size += row->size;
        g->max_size = MAX(g->max_size, row->size);
        record_chunk_add(&g->chunks, &(struct record_chunk){ row->id, row->size });
        return buf_err(&g->chunks);
}

static struct err *open_parts(struct store *s, const struct obj_key *key, struct str id, struct gathering *g,
                              struct arena *a, struct str *ret_custom, struct content **ret)
{
        AUTO_MOUNTPATH struct mountpath *mp = NULL;
        AUTO_BUF struct buf b = BUF_INIT;
        struct upload_row row;

        TRY(upload_open(s, key, id, &b, &row, &mp));
        TRY(upload_each_part(mp, key->bid, id, gather, g));
        if (g->at < g->n || g->n == 0)
                return err_new(ERR_INVALID, "part %u was not uploaded",
                               g->n ? g->parts[g->at] : 1);
        struct str custom = row.custom.n ? str_arena(a, row.custom) : STR_NONE;
        if (row.custom.n && !custom.p)
                return err_static(ERR_NO_MEMORY);
        struct record r = { .size = g->size,
                            .where = RECORD_CHUNKS,
                            .chunks = buf_str(&g->chunks),
                            .nchunks = g->n,
                            .max_chunk_size = g->max_size };
        TRY(content__new(s, mp, key, obj_key_digest(key), &r, STR_NONE, ret));
        *ret_custom = custom;
        return NULL;
}

struct err *store_upload_open(struct store *s, const struct obj_key *key, struct str id, const unsigned *parts,
                              unsigned n, struct arena *a, struct str *ret_custom, struct content **ret)
{
        struct gathering g = { .parts = parts, .n = n };
        struct err *e = open_parts(s, key, id, &g, a, ret_custom, ret);

        buf_fini(&g.chunks);
        return e;
}
