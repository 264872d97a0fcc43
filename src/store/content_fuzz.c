/* Everything of content files that is parsed from disk: footer, replaced description, checksum log. The first byte
 * chooses the parser, eight give the size of the data, and, half of the time, checksums are made right first, so that
 * fields behind them are reached. */
#include "base/hash.h"
#include "store/content_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct content_id fuzz_id = { 0x0123456789abcdef, 0xfedcba9876543210 };

static bool inside(struct str part, struct str whole)
{
        return part.n == 0 ||
               (part.p >= whole.p && part.n <= whole.n && (size_t)(part.p - whole.p) <= whole.n - part.n);
}

static void fix_crc(struct buf *b)
{
        uint32_t crc;

        if (b->n < sizeof(crc))
                return;
        crc = hash_crc32c(0, b->p, b->n - sizeof(crc));
        b->n -= sizeof(crc);
        buf_add_u32(b, crc);
}

static void fuzz_footer(struct str in, uint64_t size)
{
        struct str sums, self;
        AUTO_BUF struct buf again = BUF_INIT;
        AUTO_ERR struct err *e = content__footer_parse(in, fuzz_id, size, &sums, &self);

        if (e)
                return;
        ASSERT(inside(sums, in) && inside(self, in) && sums.n == content__blocks(size) * 4);
        content__footer_add(&again, fuzz_id, size, sums, self);
        ASSERT(str_eq(buf_str(&again), in)); /* one form only */
}

static void fuzz_self(struct str in)
{
        struct str self;
        AUTO_BUF struct buf again = BUF_INIT;
        AUTO_ERR struct err *e = content__self_parse(in, fuzz_id, &self);

        if (e)
                return;
        ASSERT(inside(self, in));
        content__self_add(&again, fuzz_id, self);
        ASSERT(str_eq(buf_str(&again), in));
}

/* A log of one made entry with the input behind it: the entry must be found, whatever follows. */
static void fuzz_log(struct str in, uint64_t size)
{
        AUTO_BUF struct buf log = BUF_INIT, sums = BUF_INIT;
        uint64_t end = 0;
        AUTO_ERR struct err *e = content__log_replay(in, fuzz_id, size, &sums, &end);

        if (!e)
                ASSERT(end <= in.n && sums.n == content__blocks(size) * 4);
        content__log_add(&log, fuzz_id, 0, 5, 0, STR("abcd"));
        buf_adds(&log, in);
        AUTO_ERR struct err *e2 = content__log_replay(buf_str(&log), fuzz_id, 5, &sums, &end);
        ASSERT(!e2 && str_eq(buf_str(&sums), STR("abcd")));
        err_free(content__log_replay(buf_str(&log), fuzz_id, size, &sums, &end));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct buf_reader r = buf_reader_of((struct str){ (const char *)data, size });
        unsigned what = buf_get_u8(&r);
        uint64_t bytes = buf_get_u64(&r) % (CONTENT_SIZE_MAX + 1);
        AUTO_BUF struct buf in = BUF_INIT;

        if (r.bad)
                return 0;
        buf_add(&in, r.p, (size_t)(r.end - r.p));
        if (what & 0x80)
                fix_crc(&in);
        if (what % 3 == 0)
                fuzz_footer(buf_str(&in), bytes);
        else if (what % 3 == 1)
                fuzz_self(buf_str(&in));
        else
                fuzz_log(buf_str(&in), bytes);
        return 0;
}
