/* Records of the journal in the bytes of a file. A head of 64 bytes, all numbers little-endian:
 *
 *   0 "ojr1"   4 CRC32C of what follows, payload included   8 length of the payload   16 the journal's id
 *   24 segment   32 number of the record   40 everything up to this number was on stable storage   48 zero
 *
 * The payload follows, then zero to the next multiple of 4 KiB. Behind the newest record of a file that is used again
 * lie blocks of its former use, with a smaller segment; some of them are the middle of a record and look like nothing. */
#include "store/journal_priv.h"

#include "base/buf.h"
#include "base/hash.h"

struct record {
        uint64_t segment, number, synced;
        struct str payload;
        size_t size; /* with head and padding */
};

static bool record_at(struct str file, size_t at, uint64_t id, struct record *ret)
{
        struct buf_reader r;
        uint32_t crc;
        uint64_t n;

        if (at > file.n || file.n - at < JOURNAL_HEAD || memcmp(file.p + at, JOURNAL_MAGIC, 4) != 0)
                return false;
        r = buf_reader_of((struct str){ file.p + at + 4, JOURNAL_HEAD - 4 });
        crc = buf_get_u32(&r);
        n = buf_get_u64(&r);
        if (buf_get_u64(&r) != id || n > file.n - at - JOURNAL_HEAD)
                return false;
        ret->segment = buf_get_u64(&r);
        ret->number = buf_get_u64(&r);
        ret->synced = buf_get_u64(&r);
        ret->payload = (struct str){ file.p + at + JOURNAL_HEAD, (size_t)n };
        ret->size = (JOURNAL_HEAD + (size_t)n + JOURNAL_BLOCK - 1) / JOURNAL_BLOCK * JOURNAL_BLOCK;
        return hash_crc32c(0, file.p + at + 8, JOURNAL_HEAD - 8 + (size_t)n) == crc;
}

bool journal_next(struct str file, uint64_t id, uint64_t segment, size_t *at, uint64_t *ret_number,
                  struct str *ret_payload)
{
        struct record r;

        for (; *at < file.n; *at += JOURNAL_BLOCK)
                if (record_at(file, *at, id, &r) && r.segment == segment) {
                        *at += r.size;
                        *ret_number = r.number;
                        *ret_payload = r.payload;
                        return true;
                }
        return false;
}

void journal_scan(struct str file, uint64_t id, uint64_t held, struct journal_facts *ret)
{
        struct record r;
        bool unbroken = true;

        *ret = (struct journal_facts){ 0 };
        for (size_t at = 0; at < file.n;) {
                if (!record_at(file, at, id, &r)) {
                        at += JOURNAL_BLOCK;
                        continue;
                }
                ret->synced = MAX(ret->synced, r.synced);
                if (r.segment >= ret->segment_max) {
                        ret->segment_max = r.segment;
                        ret->newest = r.number;
                }
                if (at == 0) {
                        ret->segment = r.segment;
                        ret->first = r.number;
                } else if (!ret->segment || r.segment != ret->segment || r.number <= ret->last ||
                           (r.number != ret->last + 1 && r.number > held + 1)) {
                        unbroken = false;
                }
                at += r.size;
                if (unbroken) {
                        ret->last = r.number;
                        ret->end = at;
                }
        }
}
