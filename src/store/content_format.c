/* The bytes of content files: block checksums, footer, replaced self-description, checksum log of unfinished files.
 * Pure.
 *
 * What is parsed here comes from a disk and may be anything: each parser judges lengths before it reads, checks the
 * checksum before it believes a field, and compares the id and size with what the caller knows from the record. Fuzzed
 * by content_fuzz.c. */
#include <endian.h>
#include <stdio.h>

#include "base/hash.h"
#include "store/content_priv.h"

static const char footer_magic[8] = "ORLOPcf\n";
static const char self_magic[8] = "ORLOPsd\n";
static const char log_magic[8] = "ORLOPcl\n";
enum { FOOTER_VERSION = 1, SELF_VERSION = 1 };

uint64_t content__blocks(uint64_t size)
{
        return size / CONTENT_BLOCK + (size % CONTENT_BLOCK != 0);
}

uint32_t content__block_seed(struct content_id id, uint64_t block)
{
        uint64_t head[3] = { htole64(id.hi), htole64(id.lo), htole64(block) };

        return hash_crc32c(0, head, sizeof(head));
}

void content__name(struct content_id id, char out[static CONTENT_NAME])
{
        uint64_t raw[2] = { htobe64(id.hi), htobe64(id.lo) };

        str_to_hex(raw, sizeof(raw), out);
}

void content__path(struct content_id id, const char *suffix, char out[static CONTENT_PATH])
{
        char name[CONTENT_NAME];

        content__name(id, name);
        (void)snprintf(out, CONTENT_PATH, "%.2s/%s%s", name, name, suffix);
}

bool content__name_parse(struct str name, struct content_id *ret)
{
        uint64_t raw[2];

        for (size_t i = 0; i < name.n; i++)
                if (name.p[i] >= 'A' && name.p[i] <= 'F')
                        return false;
        if (!str_from_hex(name, raw, sizeof(raw)))
                return false;
        *ret = (struct content_id){ be64toh(raw[0]), be64toh(raw[1]) };
        return true;
}

static void add_id(struct buf *b, struct content_id id)
{
        buf_add_u64(b, id.hi);
        buf_add_u64(b, id.lo);
}

/* Ends what began at `start` of b with the checksum of it. */
static void add_crc(struct buf *b, size_t start)
{
        if (!b->bad)
                buf_add_u32(b, hash_crc32c(0, b->p + start, b->n - start));
}

/* Whether the last four bytes are the checksum of those before. */
static bool crc_right(struct str s)
{
        uint32_t want;

        if (s.n < sizeof(want))
                return false;
        memcpy(&want, s.p + s.n - sizeof(want), sizeof(want));
        return hash_crc32c(0, s.p, s.n - sizeof(want)) == le32toh(want);
}

static bool get_id(struct buf_reader *r, struct content_id id)
{
        uint64_t hi = buf_get_u64(r), lo = buf_get_u64(r);

        return !r->bad && hi == id.hi && lo == id.lo;
}

void content__footer_add(struct buf *b, struct content_id id, uint64_t size, struct str sums, struct str self)
{
        size_t start = b->n;

        ASSERT(sums.n == content__blocks(size) * sizeof(uint32_t) && self.n <= CONTENT_SELF_MAX);
        buf_adds(b, sums);
        buf_adds(b, self);
        buf_add(b, footer_magic, sizeof(footer_magic));
        buf_add_u16(b, FOOTER_VERSION);
        buf_add_u16(b, 0); /* flags */
        buf_add_u32(b, (uint32_t)self.n);
        add_id(b, id);
        buf_add_u64(b, size);
        buf_add_u32(b, CONTENT_BLOCK);
        add_crc(b, start);
}

struct err *content__footer_parse(struct str footer, struct content_id id, uint64_t size, struct str *ret_sums,
                                  struct str *ret_self)
{
        uint64_t sums_n = content__blocks(size) * sizeof(uint32_t);
        struct buf_reader r;
        unsigned version, flags;
        uint64_t self_n;

        if (footer.n < CONTENT_TRAILER || footer.n - CONTENT_TRAILER < sums_n)
                return err_new(ERR_CORRUPT, "footer of %zu bytes is too short", footer.n);
        if (!crc_right(footer))
                return err_new(ERR_CORRUPT, "footer has a wrong checksum");
        r = buf_reader_of(str_skip(footer, footer.n - CONTENT_TRAILER));
        if (!str_eq(buf_get_bytes(&r, sizeof(footer_magic)), (struct str){ footer_magic, sizeof(footer_magic) }))
                return err_new(ERR_CORRUPT, "not the footer of a content file");
        version = buf_get_u16(&r);
        flags = buf_get_u16(&r);
        if (version != FOOTER_VERSION || flags != 0)
                return err_new(ERR_FORMAT, "footer of version %u, flags %x", version, flags);
        self_n = buf_get_u32(&r);
        if (!get_id(&r, id))
                return err_new(ERR_CORRUPT, "footer of another content");
        if (buf_get_u64(&r) != size || buf_get_u32(&r) != CONTENT_BLOCK)
                return err_new(ERR_CORRUPT, "footer tells another size");
        if (self_n > CONTENT_SELF_MAX || footer.n != sums_n + self_n + CONTENT_TRAILER)
                return err_new(ERR_CORRUPT, "footer has a wrong length");
        *ret_sums = (struct str){ footer.p, (size_t)sums_n };
        *ret_self = (struct str){ footer.p + sums_n, (size_t)self_n };
        return NULL;
}

void content__self_add(struct buf *b, struct content_id id, struct str self)
{
        size_t start = b->n;

        buf_add(b, self_magic, sizeof(self_magic));
        buf_add_u16(b, SELF_VERSION);
        buf_add_u16(b, 0);
        buf_add_u32(b, (uint32_t)self.n);
        add_id(b, id);
        buf_adds(b, self);
        add_crc(b, start);
}

struct err *content__self_parse(struct str file, struct content_id id, struct str *ret_self)
{
        struct buf_reader r = buf_reader_of(file);
        unsigned version, flags;
        size_t self_n;
        struct str self;

        if (!crc_right(file))
                return err_new(ERR_CORRUPT, "replaced description has a wrong checksum");
        if (!str_eq(buf_get_bytes(&r, sizeof(self_magic)), (struct str){ self_magic, sizeof(self_magic) }))
                return err_new(ERR_CORRUPT, "not a replaced description");
        version = buf_get_u16(&r);
        flags = buf_get_u16(&r);
        if (r.bad || version != SELF_VERSION || flags != 0)
                return err_new(ERR_FORMAT, "replaced description of version %u, flags %x", version, flags);
        self_n = buf_get_u32(&r);
        if (!get_id(&r, id))
                return err_new(ERR_CORRUPT, "replaced description of another content");
        self = buf_get_bytes(&r, self_n);
        if (r.bad || self_n > CONTENT_SELF_REPLACED_MAX || r.end - r.p != sizeof(uint32_t))
                return err_new(ERR_CORRUPT, "replaced description has a wrong length");
        *ret_self = self;
        return NULL;
}

/* The checksum of an entry also covers the content's id and the entry's place, which are not stored. */
static uint32_t log_seed(struct content_id id, uint64_t offset)
{
        uint64_t head[3] = { htole64(id.hi), htole64(id.lo), htole64(offset) };

        return hash_crc32c(0, head, sizeof(head));
}

void content__log_add(struct buf *b, struct content_id id, uint64_t offset, uint64_t size, uint64_t first,
                      struct str sums)
{
        size_t start = b->n;

        ASSERT(first + sums.n / sizeof(uint32_t) == content__blocks(size));
        buf_add(b, log_magic, sizeof(log_magic));
        buf_add_u64(b, size);
        buf_add_u64(b, first);
        buf_add_u64(b, sums.n);
        buf_adds(b, sums);
        if (!b->bad)
                buf_add_u32(b, hash_crc32c(log_seed(id, offset), b->p + start, b->n - start));
}

/* Takes one entry off r and applies it to *sums; false when it is torn, foreign or does not follow on the one before.
 */
static bool log_entry(struct buf_reader *r, struct content_id id, uint64_t offset, struct buf *sums, uint64_t *size)
{
        const unsigned char *start = r->p;
        struct str magic = buf_get_bytes(r, sizeof(log_magic)), data;
        uint64_t now = buf_get_u64(r), first = buf_get_u64(r), n = buf_get_u64(r);
        uint32_t crc;

        if (r->bad || !str_eq(magic, (struct str){ log_magic, sizeof(log_magic) }) || n > (size_t)(r->end - r->p))
                return false;
        data = buf_get_bytes(r, (size_t)n);
        crc = hash_crc32c(log_seed(id, offset), start, (size_t)(r->p - start));
        if (buf_get_u32(r) != crc || r->bad)
                return false;
        /* An entry starts with the block that was partial before: earlier ones never change. */
        if (now < *size || now > CONTENT_SIZE_MAX || first != *size / CONTENT_BLOCK || n % sizeof(uint32_t) != 0 ||
            first + n / sizeof(uint32_t) != content__blocks(now))
                return false;
        sums->n = (size_t)first * sizeof(uint32_t);
        buf_adds(sums, data);
        *size = now;
        return !sums->bad;
}

struct err *content__log_replay(struct str log, struct content_id id, uint64_t size, struct buf *sums,
                                uint64_t *ret_end)
{
        struct buf_reader r = buf_reader_of(log);
        uint64_t at = 0, end = 0;

        buf_clear(sums);
        while (at != size) {
                if (!log_entry(&r, id, end, sums, &at)) {
                        TRY(buf_err(sums));
                        return err_new(ERR_CORRUPT, "checksums of an unfinished content end at %llu of %llu bytes",
                                       (unsigned long long)at, (unsigned long long)size);
                }
                end = (uint64_t)((const char *)r.p - log.p);
                if (at > size)
                        return err_new(ERR_CORRUPT, "unfinished content was never kept at %llu bytes",
                                       (unsigned long long)size);
        }
        *ret_end = end;
        return NULL;
}
