/* store/record.c: the bytes of keys, records and small contents (docs/format/record.md).
 *
 * A decoder believes nothing before the checksum over key and value held; after that a malformed member still is
 * ERR_CORRUPT, never a crash: the value may have been written by a program with a fault. An unknown format byte is
 * ERR_FORMAT: a later version wrote it. */
#include "store/record.h"

#define RECORD_FORMAT 1
#define SMALL_FORMAT 1

enum {
        FLAG_WHERE = 3, /* enum record_where */
        FLAG_TOMBSTONE = 4,
        FLAG_CUSTOM = 8,
        FLAG_CKSUM_TEXT = 16, /* the checksum is not hex of whole bytes: kept as text */
        FLAG_EPOCH = 32,
        FLAG_MOVED = 64,
        FLAGS_KNOWN = 127,
};

struct err *record_key(const struct obj_key *key, char *out, struct str *ret)
{
        if (key->name.n == 0 || key->name.n > 1024)
                return err_new(ERR_INVALID_NAME, "object name of %zu bytes", key->name.n);
        *ret = record_key_bound(key->bid, key->name, out);
        return NULL;
}

struct str record_key_bound(uint64_t bid, struct str name, char *out)
{
        for (int i = 0; i < 8; i++)
                out[i] = (char)(bid >> (56 - 8 * i));
        size_t n = MIN(name.n, (size_t)RECORD_KEY_MAX - 8);
        if (n)
                memcpy(out + 8, name.p, n);
        return (struct str){ out, 8 + n };
}

struct err *record_key_parse(struct str k, struct obj_key *ret)
{
        if (k.n < 9)
                return err_new(ERR_CORRUPT, "record key of %zu bytes", k.n);
        uint64_t bid = 0;
        for (int i = 0; i < 8; i++)
                bid = bid << 8 | (unsigned char)k.p[i];
        *ret = (struct obj_key){ bid, str_skip(k, 8) };
        return NULL;
}

static void add_id(struct buf *b, struct content_id id)
{
        buf_add_u64(b, id.hi);
        buf_add_u64(b, id.lo);
}

static struct content_id get_id(struct buf_reader *r)
{
        struct content_id id;
        id.hi = buf_get_u64(r);
        id.lo = buf_get_u64(r);
        return id;
}

/* Signed numbers, small ones in few bytes. */
static uint64_t zigzag(int64_t v)
{
        return (uint64_t)v << 1 ^ (uint64_t)(v >> 63);
}

static int64_t unzigzag(uint64_t v)
{
        return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

void record_encode(struct str k, const struct record *r, struct buf *b)
{
        size_t start = b->n, hex_n = strlen(r->cksum);
        unsigned char raw[CKSUM_HEX_MAX / 2];
        bool hex = hex_n % 2 == 0 && str_from_hex((struct str){ r->cksum, hex_n }, raw, hex_n / 2);
        if (hex) { /* Upper-case digits must come back as they were. */
                char again[CKSUM_HEX_MAX];
                str_to_hex(raw, hex_n / 2, again);
                hex = memcmp(again, r->cksum, hex_n) == 0;
        }
        unsigned flags = (unsigned)r->where | (r->tombstone ? FLAG_TOMBSTONE : 0u) | (r->custom.n ? FLAG_CUSTOM : 0u) |
                         (hex ? 0u : FLAG_CKSUM_TEXT) | (r->epoch ? FLAG_EPOCH : 0u) | (r->moved ? FLAG_MOVED : 0u);
        buf_addc(b, RECORD_FORMAT);
        buf_addc(b, (char)flags);
        buf_add_u64(b, r->stamp.hlc);
        buf_add_varint(b, r->stamp.node);
        buf_add_varint(b, r->size);
        buf_add_varint(b, r->version);
        buf_add_u64(b, (uint64_t)r->mtime_ns);
        buf_add_varint(b, zigzag(r->atime_ns - r->mtime_ns));
        if (r->epoch)
                buf_add_varint(b, r->epoch);
        buf_addc(b, (char)r->cksum_type);
        buf_add_lstr(b, hex ? (struct str){ (char *)raw, hex_n / 2 } : (struct str){ r->cksum, hex_n });
        if (r->where == RECORD_SMALL || r->where == RECORD_FILE)
                add_id(b, r->id);
        if (r->where == RECORD_CHUNKS) {
                buf_add_varint(b, r->nchunks);
                buf_add_varint(b, r->max_chunk_size);
                buf_add_lstr(b, r->chunks);
        }
        if (r->custom.n)
                buf_add_lstr(b, r->custom);
        if (!b->bad)
                buf_add_u32(b, hash_crc32c(hash_crc32c(0, k.p, k.n), b->p + start, b->n - start));
}

static struct err *damaged(const char *what)
{
        return err_new(ERR_CORRUPT, "record: %s", what);
}

/* Checks the frame and opens a reader on the members. */
static struct err *open_frame(struct str k, struct str v, struct buf_reader *ret, unsigned *ret_flags)
{
        if (v.n < 6)
                return damaged("too short");
        uint32_t crc;
        memcpy(&crc, v.p + v.n - 4, 4);
        if (hash_crc32c(hash_crc32c(0, k.p, k.n), v.p, v.n - 4) != crc)
                return damaged("checksum");
        if (v.p[0] != RECORD_FORMAT)
                return err_new(ERR_FORMAT, "record of format %d", v.p[0]);
        unsigned flags = (unsigned char)v.p[1];
        if (flags & ~(unsigned)FLAGS_KNOWN)
                return err_new(ERR_FORMAT, "record with unknown flags 0x%x", flags);
        *ret = buf_reader_of((struct str){ v.p + 2, v.n - 6 });
        *ret_flags = flags;
        return NULL;
}

/* The members that every reader wants. */
static void decode_head(struct buf_reader *r, unsigned flags, struct record *rec)
{
        rec->where = (enum record_where)(flags & FLAG_WHERE);
        rec->tombstone = flags & FLAG_TOMBSTONE;
        rec->moved = flags & FLAG_MOVED;
        rec->stamp.hlc = buf_get_u64(r);
        rec->stamp.node = (uint32_t)buf_get_varint(r);
        rec->size = buf_get_varint(r);
        rec->version = buf_get_varint(r);
        rec->mtime_ns = (int64_t)buf_get_u64(r);
        rec->atime_ns = (int64_t)((uint64_t)rec->mtime_ns + (uint64_t)unzigzag(buf_get_varint(r)));
        rec->epoch = flags & FLAG_EPOCH ? buf_get_varint(r) : 0;
}

struct err *record_decode_brief(struct str k, struct str v, struct record *ret)
{
        struct buf_reader r;
        unsigned flags;
        TRY(open_frame(k, v, &r, &flags));
        memset(ret, 0, sizeof *ret);
        decode_head(&r, flags, ret);
        return r.bad ? damaged("members") : NULL;
}

static struct err *decode_cksum(struct buf_reader *r, unsigned flags, struct record *rec)
{
        unsigned type = buf_get_u8(r);
        struct str value = buf_get_lstr(r);
        if (r->bad || type >= CKSUM_TYPE_COUNT)
                return damaged("checksum type");
        rec->cksum_type = (enum cksum_type)type;
        if (value.n > (flags & FLAG_CKSUM_TEXT ? CKSUM_HEX_MAX - 1 : (CKSUM_HEX_MAX - 1) / 2))
                return damaged("checksum length");
        if (!(flags & FLAG_CKSUM_TEXT))
                str_to_hex(value.p, value.n, rec->cksum);
        else if (memchr(value.p, 0, value.n))
                return damaged("checksum text");
        else
                str_copy(rec->cksum, sizeof rec->cksum, value);
        return NULL;
}

static struct err *decode_chunks(struct buf_reader *r, struct record *rec)
{
        uint64_t n = buf_get_varint(r);
        rec->max_chunk_size = buf_get_varint(r);
        rec->chunks = buf_get_lstr(r);
        if (r->bad || n == 0 || n > RECORD_CHUNKS_MAX)
                return damaged("chunks");
        rec->nchunks = (uint32_t)n;
        struct str rest = rec->chunks;
        struct record_chunk c;
        uint64_t sum = 0, count = 0;
        while (record_chunk_next(&rest, &c)) {
                if (c.size > rec->size - sum) /* also keeps the sum from wrapping */
                        return damaged("chunk sizes");
                sum += c.size;
                count++;
        }
        return rest.n || count != n || sum != rec->size ? damaged("chunk sizes") : NULL;
}

struct err *record_decode(struct str k, struct str v, struct record *ret)
{
        struct buf_reader r;
        unsigned flags;
        TRY(open_frame(k, v, &r, &flags));
        memset(ret, 0, sizeof *ret);
        decode_head(&r, flags, ret);
        TRY(decode_cksum(&r, flags, ret));
        if (ret->where == RECORD_SMALL || ret->where == RECORD_FILE)
                ret->id = get_id(&r);
        if (ret->where == RECORD_CHUNKS)
                TRY(decode_chunks(&r, ret));
        if (flags & FLAG_CUSTOM)
                ret->custom = buf_get_lstr(&r);
        if (r.bad || r.p != r.end)
                return damaged("members");
        if (ret->where == RECORD_EMPTY && ret->size != 0 && !ret->moved)
                return damaged("size without content");
        if (ret->where != RECORD_EMPTY && !record_alive(ret))
                return damaged("content of no object");
        return record_custom_check(ret->custom) ? NULL : damaged("custom pairs");
}

void record_chunk_add(struct buf *chunks, const struct record_chunk *c)
{
        add_id(chunks, c->id);
        buf_add_varint(chunks, c->size);
}

bool record_chunk_next(struct str *chunks, struct record_chunk *ret)
{
        struct buf_reader r = buf_reader_of(*chunks);
        struct record_chunk c = { .id = get_id(&r) };
        c.size = buf_get_varint(&r);
        if (r.bad)
                return false;
        *chunks = (struct str){ (const char *)r.p, (size_t)(r.end - r.p) };
        *ret = c;
        return true;
}

static uint32_t small_crc(struct str k, const char *head, struct str data)
{
        uint32_t crc = hash_crc32c(hash_crc32c(0, k.p, k.n), head, RECORD_SMALL_HEAD - 4);
        return hash_crc32c(crc, data.p, data.n);
}

void record_small_head(struct str k, struct content_id id, struct str data, char out[static RECORD_SMALL_HEAD])
{
        out[0] = SMALL_FORMAT;
        memcpy(out + 1, &id.hi, 8);
        memcpy(out + 9, &id.lo, 8);
        uint32_t crc = small_crc(k, out, data);
        memcpy(out + 17, &crc, 4);
}

struct err *record_small_decode(struct str k, struct str v, struct content_id *ret_id, struct str *ret_data)
{
        if (v.n < RECORD_SMALL_HEAD)
                return err_new(ERR_CORRUPT, "small content: too short");
        struct str data = str_skip(v, RECORD_SMALL_HEAD);
        uint32_t crc;
        memcpy(&crc, v.p + 17, 4);
        if (small_crc(k, v.p, data) != crc)
                return err_new(ERR_CORRUPT, "small content: checksum");
        if (v.p[0] != SMALL_FORMAT)
                return err_new(ERR_FORMAT, "small content of format %d", v.p[0]);
        memcpy(&ret_id->hi, v.p + 1, 8);
        memcpy(&ret_id->lo, v.p + 9, 8);
        *ret_data = data;
        return NULL;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "small contents and checksums are stored little-endian by memcpy");

void record_self_encode(const struct obj_key *key, const struct record *r, struct buf *b)
{
        char kb[RECORD_KEY_MAX];
        struct str k = record_key_bound(key->bid, key->name, kb);
        size_t start = b->n;
        for (int attempt = 0; attempt < 2; attempt++) {
                struct record rec = *r;
                if (attempt)
                        rec.custom = STR_NONE;
                b->n = start;
                buf_addc(b, RECORD_SELF_OBJECT);
                buf_add_u64(b, key->bid);
                buf_add_lstr(b, key->name);
                record_encode(k, &rec, b);
                if (b->n - start <= RECORD_SELF_MAX)
                        return;
        }
}

struct err *record_self_decode(struct str self, struct obj_key *ret_key, struct record *ret)
{
        struct buf_reader r = buf_reader_of(self);
        unsigned kind = buf_get_u8(&r);
        if (!r.bad && kind != RECORD_SELF_OBJECT)
                return err_new(ERR_INVALID, "self-description of kind %u", kind);
        struct obj_key key;
        key.bid = buf_get_u64(&r);
        key.name = buf_get_lstr(&r);
        if (r.bad || key.name.n == 0 || key.name.n > 1024)
                return err_new(ERR_CORRUPT, "self-description: key");
        char kb[RECORD_KEY_MAX];
        TRY_WRAP(record_decode(record_key_bound(key.bid, key.name, kb),
                               (struct str){ (const char *)r.p, (size_t)(r.end - r.p) }, ret),
                 "self-description");
        *ret_key = key;
        return NULL;
}
