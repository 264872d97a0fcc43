/* flow/parcel.c: see parcel.h. Whatever comes in is judged before it is used: lengths, types, checksums of record and
 * content. */
#include "flow/parcel.h"

#include "meta/name.h"

enum { VERSION = 1, AHEAD = 64 * 1024 };
enum { FLAG_ABSENT = 1, FLAG_TOMBSTONE = 2, FLAG_MOVED = 4, FLAG_NO_CONTENT = 8, FLAGS = 15 };

uint64_t parcel_content_size(const struct parcel *p)
{
        return p->absent || p->no_content || p->meta.tombstone || p->meta.moved ? 0 : p->meta.size;
}

void parcel_encode(const struct parcel *p, struct buf *b)
{
        const struct obj_meta *m = &p->meta;
        size_t start = b->n;
        buf_add_u32(b, 0); /* the length, below */
        buf_addc(b, VERSION);
        buf_addc(b, (char)((p->absent ? FLAG_ABSENT : 0) | (m->tombstone ? FLAG_TOMBSTONE : 0) |
                           (m->moved ? FLAG_MOVED : 0) | (p->no_content ? FLAG_NO_CONTENT : 0)));
        buf_add_u64(b, p->bid);
        buf_add_lstr(b, p->name);
        buf_add_u64(b, m->stamp.hlc);
        buf_add_u32(b, m->stamp.node);
        buf_add_varint(b, m->epoch);
        buf_add_varint(b, m->version);
        buf_add_varint(b, m->size);
        buf_add_u64(b, (uint64_t)m->mtime_ns);
        buf_add_u64(b, (uint64_t)m->atime_ns);
        buf_addc(b, (char)m->cksum_type);
        buf_add_lstr(b, m->cksum);
        buf_add_lstr(b, m->custom);
        buf_add_varint(b, m->chunks);
        buf_add_varint(b, m->max_chunk_size);
        if (b->bad)
                return;
        buf_add_u32(b, hash_crc32c(0, b->p + start + 4, b->n - start - 4));
        if (b->bad)
                return;
        uint32_t length = (uint32_t)(b->n - start - 4);
        for (int i = 0; i < 4; i++)
                b->p[start + (size_t)i] = (char)(length >> 8 * i);
}

static struct err *malformed(const char *what)
{
        return err_new(ERR_MALFORMED, "parcel: %s", what);
}

struct err *parcel_decode(struct str record, struct parcel *ret)
{
        if (record.n < 8 || record.n > PARCEL_RECORD_MAX)
                return malformed("length");
        struct buf_reader tail = buf_reader_of(str_skip(record, record.n - 4));
        record.n -= 4;
        if (buf_get_u32(&tail) != hash_crc32c(0, record.p, record.n))
                return malformed("checksum of the record");
        struct buf_reader r = buf_reader_of(record);
        struct parcel p = { .no_content = false };
        if (buf_get_u8(&r) != VERSION)
                return malformed("version");
        uint8_t flags = buf_get_u8(&r);
        p.absent = flags & FLAG_ABSENT;
        p.meta.tombstone = flags & FLAG_TOMBSTONE;
        p.meta.moved = flags & FLAG_MOVED;
        p.no_content = flags & FLAG_NO_CONTENT;
        p.bid = buf_get_u64(&r);
        p.name = buf_get_lstr(&r);
        p.meta.stamp.hlc = buf_get_u64(&r);
        p.meta.stamp.node = buf_get_u32(&r);
        p.meta.epoch = buf_get_varint(&r);
        p.meta.version = buf_get_varint(&r);
        p.meta.size = buf_get_varint(&r);
        p.meta.mtime_ns = (int64_t)buf_get_u64(&r);
        p.meta.atime_ns = (int64_t)buf_get_u64(&r);
        uint8_t type = buf_get_u8(&r);
        p.meta.cksum = buf_get_lstr(&r);
        p.meta.custom = buf_get_lstr(&r);
        uint64_t chunks = buf_get_varint(&r);
        p.meta.max_chunk_size = buf_get_varint(&r);
        if (r.bad || r.p != r.end || (flags & ~FLAGS) != 0)
                return malformed("record");
        if (p.name.n == 0 || p.name.n > OBJECT_NAME_MAX)
                return malformed("name");
        if (type >= CKSUM_TYPE_COUNT || p.meta.cksum.n >= CKSUM_HEX_MAX || chunks > UINT32_MAX ||
            p.meta.size > (uint64_t)INT64_MAX / 2)
                return malformed("values");
        p.meta.cksum_type = (enum cksum_type)type;
        p.meta.chunks = (uint32_t)chunks;
        *ret = p;
        return NULL;
}

/* ---- streams ---- */

/* Reads on until `want` bytes are ahead, or the stream ends (*ret_have tells). */
static struct err *fill(struct parcel_stream *s, size_t want, size_t *ret_have)
{
        if (s->at > 0 && s->ahead.n - s->at < want) {
                memmove(s->ahead.p, s->ahead.p + s->at, s->ahead.n - s->at);
                s->ahead.n -= s->at;
                s->at = 0;
        }
        while (s->ahead.n - s->at < want) {
                size_t room = MAX(want, (size_t)AHEAD), n;
                char *p = buf_reserve(&s->ahead, room);
                if (p == NULL)
                        return err_static(ERR_NO_MEMORY);
                TRY(s->read(s->arg, p, room, &n));
                if (n == 0)
                        break;
                s->ahead.n += n;
        }
        *ret_have = s->ahead.n - s->at;
        return NULL;
}

static struct str ahead(const struct parcel_stream *s, size_t n)
{
        return (struct str){ s->ahead.p + s->at, n };
}

static struct err *get_u32(struct parcel_stream *s, const char *what, uint32_t *ret)
{
        size_t have;
        TRY(fill(s, 4, &have));
        if (have < 4)
                return malformed(what);
        struct buf_reader r = buf_reader_of(ahead(s, 4));
        *ret = buf_get_u32(&r);
        s->at += 4;
        return NULL;
}

/* Reads the rest of a content that nobody wanted. */
static struct err *skip_content(struct parcel_stream *s)
{
        char waste[4096];
        size_t n;
        while (s->inside)
                TRY(parcel_read(s, waste, sizeof(waste), &n));
        return NULL;
}

struct err *parcel_next(struct parcel_stream *s, bool *ret_end, struct parcel *ret)
{
        uint32_t length;
        size_t have;
        TRY(skip_content(s));
        TRY(fill(s, 1, &have));
        if (have == 0) {
                *ret_end = true;
                return NULL;
        }
        TRY(get_u32(s, "cut off", &length));
        if (length > PARCEL_RECORD_MAX)
                return malformed("length");
        TRY(fill(s, length, &have));
        if (have < length)
                return malformed("cut off");
        buf_clear(&s->record);
        buf_adds(&s->record, ahead(s, length));
        TRY(buf_err(&s->record));
        s->at += length;
        TRY(parcel_decode(buf_str(&s->record), ret));
        s->left = parcel_content_size(ret);
        s->crc = 0;
        s->inside = true;
        *ret_end = false;
        return NULL;
}

struct err *parcel_read(struct parcel_stream *s, void *p, size_t n, size_t *ret_n)
{
        size_t have;
        if (!s->inside) {
                *ret_n = 0;
                return NULL;
        }
        if (s->left == 0) {
                uint32_t crc;
                TRY(get_u32(s, "cut off", &crc));
                if (crc != s->crc)
                        return err_new(ERR_BAD_CHECKSUM, "parcel: the content is not what was sent");
                s->inside = false;
                *ret_n = 0;
                return NULL;
        }
        TRY(fill(s, 1, &have));
        if (have == 0)
                return malformed("cut off");
        n = MIN(n, have);
        n = (size_t)MIN((uint64_t)n, s->left);
        memcpy(p, s->ahead.p + s->at, n);
        s->crc = hash_crc32c(s->crc, p, n);
        s->at += n;
        s->left -= n;
        *ret_n = n;
        return NULL;
}

void parcel_stream_fini(struct parcel_stream *s)
{
        buf_fini(&s->record);
        buf_fini(&s->ahead);
}

/* ---- results ---- */

void parcel_result_encode(const struct parcel_result *r, struct buf *b)
{
        buf_addc(b, (char)r->fate);
        buf_addc(b, r->superseded);
        buf_add_u64(b, r->winner.hlc);
        buf_add_u32(b, r->winner.node);
}

struct err *parcel_result_decode(struct str body, size_t i, struct parcel_result *ret)
{
        if (body.n / PARCEL_RESULT <= i)
                return malformed("a result is missing");
        struct buf_reader r = buf_reader_of(str_skip(body, i * PARCEL_RESULT));
        uint8_t fate = buf_get_u8(&r), superseded = buf_get_u8(&r);
        if (fate > PARCEL_FAILED || superseded > 1)
                return malformed("result");
        *ret = (struct parcel_result){ (enum parcel_fate)fate, superseded, { 0, 0 } };
        ret->winner.hlc = buf_get_u64(&r);
        ret->winner.node = buf_get_u32(&r);
        return NULL;
}
