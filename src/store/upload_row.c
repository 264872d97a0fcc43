/* Rows of uploads and appends as bytes. Pure; fuzzed by upload_row_fuzz.c.
 *
 *   key    {bucket id big-endian 8, kind 1, id 16, part number big-endian 2 for parts}
 *   value  {version 1, fields, CRC32C over key and all before} */
#include <endian.h>

#include "store/upload.h"

enum { ROW_VERSION = 1, ROW_HEAD = 8 + 1, ROW_PLAIN = ROW_HEAD + UPLOAD_ID };

bool upload_id_valid(struct str id)
{
        if (id.n != UPLOAD_ID)
                return false;
        for (size_t i = 0; i < id.n; i++) {
                char c = id.p[i];

                if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
                        return false;
        }
        return true;
}

static size_t put_head(uint64_t bid, enum upload_row_kind kind, struct str id, char *out)
{
        uint64_t be = htobe64(bid);

        ASSERT(id.n <= UPLOAD_ID);
        memcpy(out, &be, sizeof(be));
        out[8] = (char)kind;
        if (id.n)
                memcpy(out + ROW_HEAD, id.p, id.n);
        return ROW_HEAD + id.n;
}

struct str upload_row_key(const struct upload_key *k, char out[static UPLOAD_KEY_MAX])
{
        size_t n = put_head(k->bid, k->kind, (struct str){ k->id, UPLOAD_ID }, out);

        if (k->kind == UPLOAD_ROW_PART) {
                out[n++] = (char)(k->part >> 8);
                out[n++] = (char)(k->part & 0xff);
        }
        return (struct str){ out, n };
}

/* The end is the last byte plus one: kinds and the characters of ids are far below 255. */
struct str upload_row_range(uint64_t bid, enum upload_row_kind kind, struct str id, char from[static UPLOAD_KEY_MAX],
                            char end[static UPLOAD_KEY_MAX], struct str *ret_end)
{
        size_t n = put_head(bid, kind, id, from);

        memcpy(end, from, n);
        end[n - 1]++;
        *ret_end = (struct str){ end, n };
        return (struct str){ from, n };
}

struct err *upload_row_key_parse(struct str key, struct upload_key *ret)
{
        struct upload_key k = { 0 };
        uint64_t be;

        if (key.n < ROW_PLAIN || !upload_id_valid((struct str){ key.p + ROW_HEAD, UPLOAD_ID }))
                return err_new(ERR_CORRUPT, "key of an upload's row");
        memcpy(&be, key.p, sizeof(be));
        k.bid = be64toh(be);
        k.kind = (enum upload_row_kind)(unsigned char)key.p[8];
        memcpy(k.id, key.p + ROW_HEAD, UPLOAD_ID);
        if (k.kind == UPLOAD_ROW_PART) {
                if (key.n != ROW_PLAIN + 2)
                        return err_new(ERR_CORRUPT, "key of a part's row");
                k.part = (unsigned)(unsigned char)key.p[ROW_PLAIN] << 8 | (unsigned char)key.p[ROW_PLAIN + 1];
        } else if (key.n != ROW_PLAIN || (k.kind != UPLOAD_ROW && k.kind != UPLOAD_ROW_APPEND)) {
                return err_new(ERR_CORRUPT, "key of an upload's row");
        }
        *ret = k;
        return NULL;
}

static void end_value(struct str key, struct buf *b, size_t start)
{
        if (!b->bad)
                buf_add_u32(b, hash_crc32c(hash_crc32c(0, key.p, key.n), b->p + start, b->n - start));
}

/* Checks version and checksum; r then stands on the fields. */
static struct err *begin_value(struct str key, struct str v, struct buf_reader *r)
{
        uint32_t crc;

        if (v.n < 1 + sizeof(crc))
                return err_new(ERR_CORRUPT, "row of an upload is too short");
        memcpy(&crc, v.p + v.n - sizeof(crc), sizeof(crc));
        v.n -= sizeof(crc);
        if (hash_crc32c(hash_crc32c(0, key.p, key.n), v.p, v.n) != le32toh(crc))
                return err_new(ERR_CORRUPT, "row of an upload has a wrong checksum");
        *r = buf_reader_of(v);
        if (buf_get_u8(r) != ROW_VERSION)
                return err_new(ERR_FORMAT, "row of an upload has an unknown version");
        return NULL;
}

static struct err *finish_value(const struct buf_reader *r)
{
        return r->bad || r->p != r->end ? err_new(ERR_CORRUPT, "row of an upload is malformed") : NULL;
}

static void add_u8(struct buf *b, unsigned v)
{
        buf_addc(b, (char)(unsigned char)v);
}

void upload_row_encode(struct str key, const struct upload_row *r, struct buf *b)
{
        size_t start = b->n;

        add_u8(b, ROW_VERSION);
        buf_add_u64(b, (uint64_t)r->created_ns);
        buf_add_lstr(b, r->name);
        buf_add_lstr(b, r->custom);
        end_value(key, b, start);
}

struct err *upload_row_decode(struct str key, struct str v, struct upload_row *ret)
{
        struct buf_reader r;
        struct upload_row row;

        TRY(begin_value(key, v, &r));
        row.created_ns = (int64_t)buf_get_u64(&r);
        row.name = buf_get_lstr(&r);
        row.custom = buf_get_lstr(&r);
        TRY(finish_value(&r));
        *ret = row;
        return NULL;
}

void part_row_encode(struct str key, const struct part_row *r, struct buf *b)
{
        size_t start = b->n;

        add_u8(b, ROW_VERSION);
        buf_add_varint(b, r->size);
        buf_add_u64(b, (uint64_t)r->mtime_ns);
        buf_add_u64(b, r->id.hi);
        buf_add_u64(b, r->id.lo);
        add_u8(b, r->cksum_type);
        buf_add_lstr(b, r->cksum);
        end_value(key, b, start);
}

struct err *part_row_decode(struct str key, struct str v, struct part_row *ret)
{
        struct buf_reader r;
        struct part_row row;
        unsigned type;

        TRY(begin_value(key, v, &r));
        row.size = buf_get_varint(&r);
        row.mtime_ns = (int64_t)buf_get_u64(&r);
        row.id.hi = buf_get_u64(&r);
        row.id.lo = buf_get_u64(&r);
        type = buf_get_u8(&r);
        row.cksum = buf_get_lstr(&r);
        TRY(finish_value(&r));
        if (type >= CKSUM_TYPE_COUNT || row.cksum.n >= CKSUM_HEX_MAX)
                return err_new(ERR_CORRUPT, "row of a part has checksum type %u of %zu digits", type, row.cksum.n);
        row.cksum_type = (enum cksum_type)type;
        *ret = row;
        return NULL;
}

void append_row_encode(struct str key, const struct append_row *r, struct buf *b)
{
        size_t start = b->n;

        add_u8(b, ROW_VERSION);
        buf_add_u64(b, (uint64_t)r->created_ns);
        buf_add_varint(b, r->size);
        buf_add_u64(b, r->id.hi);
        buf_add_u64(b, r->id.lo);
        buf_add_lstr(b, r->name);
        end_value(key, b, start);
}

struct err *append_row_decode(struct str key, struct str v, struct append_row *ret)
{
        struct buf_reader r;
        struct append_row row;

        TRY(begin_value(key, v, &r));
        row.created_ns = (int64_t)buf_get_u64(&r);
        row.size = buf_get_varint(&r);
        row.id.hi = buf_get_u64(&r);
        row.id.lo = buf_get_u64(&r);
        row.name = buf_get_lstr(&r);
        TRY(finish_value(&r));
        *ret = row;
        return NULL;
}

void part_self_encode(const struct obj_key *key, struct str id, unsigned part, struct buf *b)
{
        add_u8(b, RECORD_SELF_CHUNK);
        buf_add_u64(b, key->bid);
        buf_add_lstr(b, key->name);
        buf_add_lstr(b, id);
        buf_add_varint(b, part);
}
