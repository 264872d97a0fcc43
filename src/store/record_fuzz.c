/* Fuzz target of record.c: the first bytes are the key, the rest a value. What is decoded must encode to something that
 * decodes to the same. The checksum is repaired first, so that the members are reached. */
#include "store/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void again(struct str k, const struct record *r)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct record out;
        record_encode(k, r, &b);
        struct err *e = record_decode(k, buf_str(&b), &out);
        ASSERT(!e);
        ASSERT(out.size == r->size && out.version == r->version && out.where == r->where && out.moved == r->moved &&
               out.epoch == r->epoch &&
               str_eq(out.custom, r->custom) && str_eq(out.chunks, r->chunks));
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
        if (n < 10 + 6 || n > 1 << 16)
                return 0;
        AUTO_FREE char *copy = malloc(n);
        if (!copy)
                return 0;
        memcpy(copy, p, n);
        struct str k = { copy, 10 }, v = { copy + 10, n - 10 }, data;
        struct record r;
        struct content_id id;
        struct obj_key key;
        uint32_t crc = hash_crc32c(hash_crc32c(0, k.p, k.n), v.p, v.n - 4);
        memcpy(copy + n - 4, &crc, 4);
        struct err *e = record_decode(k, v, &r);
        if (!e)
                again(k, &r);
        err_free(e);
        err_free(record_decode_brief(k, v, &r));
        err_free(record_small_decode(k, v, &id, &data));
        err_free(record_self_decode((struct str){ copy, n }, &key, &r));
        AUTO_BUF struct buf m = BUF_INIT;
        struct str a = { copy, n / 2 }, b = { copy + n / 2, n - n / 2 };
        bool good = record_custom_check(a) && record_custom_check(b);
        store_custom_merge(a, b, &m);
        ASSERT(!good || record_custom_check(buf_str(&m)) || m.n > RECORD_CUSTOM_MAX);
        return 0;
}
