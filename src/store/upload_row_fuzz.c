/* Keys and values of uploads' rows: {length of key, key, value}. What decodes must encode to the same bytes. */
#include "store/upload.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The checksum is made right, so that what lies behind it is reached. */
static void fix_crc(struct str key, struct buf *v)
{
        uint32_t crc;

        if (v->n < sizeof(crc))
                return;
        v->n -= sizeof(crc);
        crc = hash_crc32c(hash_crc32c(0, key.p, key.n), v->p, v->n);
        buf_add_u32(v, crc);
}

static void fuzz_value(struct str key, struct str v)
{
        AUTO_BUF struct buf again = BUF_INIT;
        struct upload_row upload;
        struct part_row part;
        struct append_row append;
        AUTO_ERR struct err *bad_upload = upload_row_decode(key, v, &upload);
        AUTO_ERR struct err *bad_part = part_row_decode(key, v, &part);
        AUTO_ERR struct err *bad_append = append_row_decode(key, v, &append);

        if (!bad_upload)
                upload_row_encode(key, &upload, &again);
        if (!bad_part)
                ASSERT(part.cksum_type < CKSUM_TYPE_COUNT && part.cksum.n < CKSUM_HEX_MAX);
        if (!bad_append)
                ASSERT(append.name.n <= v.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct buf_reader r = buf_reader_of((struct str){ (const char *)data, size });
        struct str key = buf_get_bytes(&r, buf_get_u8(&r));
        AUTO_BUF struct buf value = BUF_INIT;
        struct upload_key k;
        char raw[UPLOAD_KEY_MAX];

        if (r.bad)
                return 0;
        AUTO_ERR struct err *bad_key = upload_row_key_parse(key, &k);
        if (!bad_key)
                ASSERT(str_eq(upload_row_key(&k, raw), key)); /* one form only */
        fuzz_value(key, (struct str){ (const char *)r.p, (size_t)(r.end - r.p) });
        buf_add(&value, r.p, (size_t)(r.end - r.p));
        fix_crc(key, &value);
        fuzz_value(key, buf_str(&value));
        return 0;
}
