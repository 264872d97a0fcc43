/* Completing a multipart upload: its parts become the chunks of one record.
 *
 * Under the upload's lock: the listed parts are matched with those stored, the checksum of the whole is computed if it
 * is wanted and nobody knows it, and one batch makes the record and removes the rows of upload and parts. So there is
 * either the upload or the object, never both and never neither. Parts that were not listed are garbage afterwards.
 *
 * The parts lie on the mountpath that the key had when the upload began. If the set of mountpaths has changed since,
 * they are copied to the one that the key has now, since only its commit thread may decide about the key.
 *
 * On any error the upload stays as it was; after an I/O error of the commit nobody knows, and nothing is removed. */
#include "store/upload.h"

enum { READ_PIECE = 256 * 1024 };

struct completion {
        struct store *store;
        const struct obj_key *key;
        struct str id;
        struct mountpath *mp;     /* where rows and parts lie */
        struct mountpath *target; /* where the record goes */
        struct arena arena;       /* texts of parts and rows */
        struct listed {
                unsigned part;
                bool wanted;
                struct str row_key, cksum;
                enum cksum_type cksum_type;
                uint64_t size;
                struct content_id id; /* as stored */
                struct content_id final; /* as the record names it: a copy, if target is another mountpath */
        } *part;
        unsigned n, cap, nwanted, ncopied;
        uint64_t size, max_size; /* of the wanted ones */
};

/* ---- what there is, and what is wanted ---- */

static struct err *add_part(void *arg, unsigned part, struct str key, const struct part_row *row)
{
        struct completion *c = arg;
        struct listed *l;

        if (c->n == c->cap) {
                unsigned cap = MAX(2 * c->cap, 64u);
                struct listed *more = realloc(c->part, cap * sizeof(*more));

                if (!more)
                        return err_static(ERR_NO_MEMORY);
                c->part = more;
                c->cap = cap;
        }
        l = &c->part[c->n];
        *l = (struct listed){ .part = part,
                              .cksum_type = row->cksum_type,
                              .size = row->size,
                              .id = row->id,
                              .final = row->id };
        l->row_key = str_arena(&c->arena, key);
        l->cksum = str_arena(&c->arena, row->cksum);
        if (!l->row_key.p || (row->cksum.n && !l->cksum.p))
                return err_static(ERR_NO_MEMORY);
        c->n++;
        return NULL;
}

/* Both lists ascend. */
static struct err *match(struct completion *c, const unsigned *parts, unsigned n)
{
        unsigned at = 0;

        if (n == 0)
                return err_new(ERR_INVALID, "no parts are listed");
        for (unsigned i = 0; i < n; i++) {
                if (i > 0 && parts[i] <= parts[i - 1])
                        return err_new(ERR_INVALID, "part %u is listed after part %u", parts[i], parts[i - 1]);
                while (at < c->n && c->part[at].part < parts[i])
                        at++;
                if (at == c->n || c->part[at].part != parts[i])
                        return err_new(ERR_INVALID, "part %u was not uploaded", parts[i]);
                c->part[at].wanted = true;
                c->nwanted++;
                c->size += c->part[at].size;
                c->max_size = MAX(c->max_size, c->part[at].size);
        }
        return NULL;
}

/* ---- the checksum of the whole ---- */

static struct err *sum_part(struct completion *c, const struct listed *l, char *piece, struct cksum_ctx *ctx)
{
        struct content_file *f;
        struct err *e;

        TRY(content_file_open(c->mp->contents, l->id, l->size, &f));
        e = NULL;
        for (uint64_t at = 0; at < l->size && !e;) {
                size_t n = (size_t)MIN(l->size - at, (uint64_t)READ_PIECE);

                e = content_file_read(f, at, piece, n);
                if (!e)
                        cksum_update(ctx, piece, n);
                at += n;
        }
        content_file_close(f);
        return e;
}

static struct err *sum_all(struct completion *c, enum cksum_type type, char hex[static CKSUM_HEX_MAX])
{
        AUTO_FREE char *piece = malloc(READ_PIECE);
        struct cksum_ctx *ctx = cksum_new(type);
        struct err *e = piece && ctx ? NULL : err_static(ERR_NO_MEMORY);

        for (unsigned i = 0; i < c->n && !e; i++)
                if (c->part[i].wanted)
                        e = sum_part(c, &c->part[i], piece, ctx);
        if (!e)
                cksum_final(ctx, hex);
        cksum_free(ctx);
        return e ? err_wrap(e, "checksum of an upload") : NULL;
}

/* The caller's, the only part's, or a computed one. `hex` is the memory for the last two. */
static struct err *whole_checksum(struct completion *c, struct put_attrs *a, char hex[static CKSUM_HEX_MAX])
{
        if (a->cksum_type == CKSUM_NONE || a->cksum.n)
                return NULL;
        for (unsigned i = 0; i < c->n && c->nwanted == 1; i++) {
                const struct listed *l = &c->part[i];

                if (l->wanted && l->cksum_type == a->cksum_type && l->cksum.n) {
                        a->cksum = l->cksum;
                        return NULL;
                }
        }
        TRY(sum_all(c, a->cksum_type, hex));
        a->cksum = str_of(hex);
        return NULL;
}

/* ---- the commit ---- */

static struct err *copy_parts(struct completion *c)
{
        AUTO_BUF struct buf self = BUF_INIT;

        for (unsigned i = 0; i < c->n; i++) {
                struct listed *l = &c->part[i];

                if (!l->wanted)
                        continue;
                buf_clear(&self);
                part_self_encode(c->key, c->id, l->part, &self);
                TRY(buf_err(&self));
                TRY(store__content_copy(c->mp, l->id, l->size, c->target, buf_str(&self), false, &l->final));
                c->ncopied++;
        }
        return NULL;
}

/* Copies that did not become part of a record, or all copies once the outcome is known: cleanup may judge them. */
static void settle_copies(struct completion *c, bool drop)
{
        for (unsigned i = 0; i < c->n && c->ncopied > 0; i++) {
                struct listed *l = &c->part[i];

                if (!l->wanted || content_id_eq(l->id, l->final))
                        continue;
                content_settled(c->target->contents, l->final);
                if (drop)
                        store__discard(c->target, l->final);
                c->ncopied--;
        }
}

/* Rows that remove the upload and all its parts. */
static struct err *removals(struct completion *c, struct commit_row **ret)
{
        struct commit_row *rows = arena_alloc(&c->arena, (c->n + 1) * sizeof(*rows));
        struct upload_key k = { .bid = c->key->bid, .kind = UPLOAD_ROW };
        char *raw = arena_alloc(&c->arena, UPLOAD_KEY_MAX);

        if (!rows || !raw)
                return err_static(ERR_NO_MEMORY);
        memcpy(k.id, c->id.p, UPLOAD_ID);
        for (unsigned i = 0; i < c->n; i++)
                rows[i] = (struct commit_row){ .family = RECORDS_UPLOADS, .key = c->part[i].row_key, .remove = true };
        rows[c->n] = (struct commit_row){ .family = RECORDS_UPLOADS, .key = upload_row_key(&k, raw), .remove = true };
        *ret = rows;
        return NULL;
}

/* The object is there: parts that it does not consist of are garbage, all of them when they were copied or nothing
 * changed. */
static void drop_parts(struct completion *c, bool all)
{
        for (unsigned i = 0; i < c->n; i++)
                if (all || !c->part[i].wanted)
                        store__discard(c->mp, c->part[i].id);
}

static struct err *commit(struct completion *c, struct mp_set *set, const struct put_attrs *a, struct put_result *ret)
{
        AUTO_BUF struct buf chunks = BUF_INIT;
        /* Durable even for a fast bucket: parts are dropped next, which a lost commit would bring back. */
        struct commit_op op = { .kind = COMMIT_PUT,
                                .key = *c->key,
                                .attrs = a,
                                .size = c->size,
                                .where = RECORD_CHUNKS,
                                .nchunks = c->nwanted,
                                .max_chunk_size = c->max_size,
                                .set = set };
        bool moved = c->target != c->mp;
        struct commit_row *rows = NULL;
        struct err *e;

        for (unsigned i = 0; i < c->n; i++)
                if (c->part[i].wanted)
                        record_chunk_add(&chunks, &(struct record_chunk){ c->part[i].final, c->part[i].size });
        TRY(buf_err(&chunks));
        TRY(removals(c, &rows));
        op.chunks = buf_str(&chunks);
        op.rows = rows;
        op.nrows = moved ? 0 : c->n + 1;
        e = store__commit(c->target, &op);
        /* IO and NO_SPACE of the records leave the outcome open. */
        settle_copies(c, e ? err_code(e) != ERR_IO && err_code(e) != ERR_NO_SPACE : !op.happened);
        TRY(e);
        if (moved || !op.happened) { /* the batch could not take the rows along */
                e = store__commit_rows(c->mp, rows, c->n + 1, false);
                if (e)
                        log_err(LOG_WARN, LOG_FOLDER, e, "%s: a completed upload stays listed", c->mp->path);
                else
                        drop_parts(c, true);
        } else {
                drop_parts(c, false);
        }
        *ret = op.result;
        return NULL;
}

static struct content_id first_content(const struct completion *c)
{
        for (unsigned i = 0; i < c->n; i++)
                if (c->part[i].wanted)
                        return c->part[i].final;
        return (struct content_id){ 0, 0 };
}

static struct err *place(struct completion *c, const struct put_attrs *a, struct put_result *ret)
{
        AUTO_SET struct mp_set *set = store__set_enter(c->store);
        struct err *e;

        c->target = store__set_choose(set, obj_key_digest(c->key));
        if (!c->target)
                return err_new(ERR_IO, "no mountpath is active");
        if (c->target != c->mp) {
                e = copy_parts(c);
                if (e) {
                        settle_copies(c, true);
                        return err_wrap(e, "move an upload");
                }
        }
        return commit(c, set, a, ret);
}

static struct err *complete(struct completion *c, const unsigned *parts, unsigned n, const struct put_attrs *attrs,
                            struct put_result *ret)
{
        AUTO_BUF struct buf row_mem = BUF_INIT, custom = BUF_INIT;
        struct put_attrs a = *attrs;
        char hex[CKSUM_HEX_MAX];
        struct upload_row row;

        TRY(upload_open(c->store, c->key, c->id, &row_mem, &row, &c->mp));
        TRY(upload_each_part(c->mp, c->key->bid, c->id, add_part, c));
        TRY(match(c, parts, n));
        TRY(whole_checksum(c, &a, hex));
        store_custom_merge(row.custom, attrs->custom, &custom);
        TRY(buf_err(&custom));
        a.custom = buf_str(&custom);
        TRY(place(c, &a, ret));
        if (!ret->noop)
                upload_describe(c->store, c->key, ret->stamp, first_content(c), a.fast);
        return NULL;
}

struct err *store_upload_complete(struct store *s, const struct obj_key *key, struct str id, const unsigned *parts,
                                  unsigned n, const struct put_attrs *a, struct put_result *ret)
{
        AUTO_UPLOAD_LOCK struct upload_lock lock = { .in = NULL };
        struct completion c = { .store = s, .key = key, .id = id };
        struct err *e;

        arena_init(&c.arena, 0, 0);
        if (upload_id_valid(id))
                upload_lock(s->uploads, key->bid, id, 0, false, &lock);
        e = complete(&c, parts, n, a, ret);
        if (c.mp)
                mountpath_leave(c.mp);
        arena_fini(&c.arena);
        free(c.part);
        return e;
}

/* ---- the description ---- */

static struct err *describe(struct store *s, const struct obj_key *key, struct stamp stamp, struct content_id id,
                            bool fast)
{
        AUTO_SET struct mp_set *set = store__set_enter(s);
        AUTO_BUF struct buf b = BUF_INIT, self = BUF_INIT;
        char raw[RECORD_KEY_MAX];
        struct mountpath *mp;
        struct record r;

        TRY(store__record_get(set, key, false, &b, &r, &mp));
        if (stamp_cmp(r.stamp, stamp) != 0)
                return NULL; /* somebody else's by now */
        /* As record_self_encode, but with all chunks and pairs: a replaced description may be long. */
        buf_addc(&self, RECORD_SELF_OBJECT);
        buf_add_u64(&self, key->bid);
        buf_add_lstr(&self, key->name);
        record_encode(record_key_bound(key->bid, key->name, raw), &r, &self);
        TRY(buf_err(&self));
        return content_file_set_self(mp->contents, id, buf_str(&self), fast);
}

void upload_describe(struct store *s, const struct obj_key *key, struct stamp stamp, struct content_id id, bool fast)
{
        struct err *e = describe(s, key, stamp, id, fast);

        if (err_code(e) == ERR_NOT_FOUND) /* deleted or replaced meanwhile */
                err_free(e);
        else if (e)
                log_err(LOG_WARN, LOG_FOLDER, e, "a content could not be described");
}
