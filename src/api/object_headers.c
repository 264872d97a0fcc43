/* api/object_headers.c: an object's metadata as header lines, and back. */
#include "api/objects.h"

#define CUSTOM_MAX 8192 /* bytes of packed pairs */

static void line(struct buf *out, const char *name, struct str value)
{
        buf_adds(out, str_of(name));
        buf_add(out, ": ", 2);
        buf_adds(out, value);
        buf_add(out, "\r\n", 2);
}

void api__object_headers(const struct obj_meta *m, struct buf *out)
{
        buf_add(out, "Ais-Atime: ", 11);
        buf_addi(out, m->atime_ns);
        buf_add(out, "\r\n", 2);
        if (m->cksum_type != CKSUM_NONE && m->cksum.n > 0) {
                line(out, "Ais-Checksum-Type", str_of(cksum_type_name(m->cksum_type)));
                line(out, "Ais-Checksum-Value", m->cksum);
        }
        if (m->version > 0) {
                buf_add(out, "Ais-Version: ", 13);
                buf_addu(out, m->version);
                buf_add(out, "\r\n", 2);
        }
        struct str rest = m->custom, key, value;
        while (store_custom_next(&rest, &key, &value)) {
                if (store_custom_is_content(key))
                        continue;
                buf_add(out, "Ais-Custom-Md: ", 15);
                buf_adds(out, key);
                buf_addc(out, '=');
                buf_adds(out, value);
                buf_add(out, "\r\n", 2);
        }
}

void api_render_object(const struct obj_key *key, const struct obj_meta *meta, struct buf *out)
{
        (void)key;
        buf_adds(out, STR("Content-Type: application/octet-stream\r\n"));
        api__object_headers(meta, out);
        struct str etag = store_custom_get(meta->custom, STR("ETag"));
        if (etag.n > 0)
                line(out, "Etag", etag);
}

struct err *api__checksum_headers(struct api_req *r, bool *ret_has, enum cksum_type *ret_type, struct str *ret_value)
{
        struct str type = http_req_header(r->rq, STR("Ais-Checksum-Type"));
        struct str value = http_req_header(r->rq, STR("Ais-Checksum-Value"));
        *ret_has = false;
        if (type.n == 0)
                return NULL; /* wire: a value without a type is ignored */
        if (!cksum_type_parse(type, ret_type))
                return err_new(ERR_INVALID,
                               "invalid checksum type \"" STR_FMT
                               "\" (expecting [crc32c md5 sha256 sha512 xxhash xxhash2 none])",
                               STR_ARG(type));
        if (value.n == 0 || *ret_type == CKSUM_NONE)
                return NULL;
        static const size_t hex_length[] = { [CKSUM_XXHASH] = 16, [CKSUM_XXHASH2] = 16, [CKSUM_MD5] = 32,
                                             [CKSUM_CRC32C] = 8,  [CKSUM_SHA256] = 64,  [CKSUM_SHA512] = 128 };
        if (value.n > hex_length[*ret_type])
                return err_new(ERR_INVALID, "checksum: " STR_FMT " must be %zu hex chars", STR_ARG(type),
                               hex_length[*ret_type]);
        *ret_value = value;
        *ret_has = true;
        return NULL;
}

struct err *api__custom_headers(struct api_req *r, bool *ret_has, struct str *ret_packed)
{
        AUTO_BUF struct buf b = BUF_INIT;
        struct str v;
        unsigned n = 0;
        for (unsigned i = 0; http_req_header_next(r->rq, STR("Ais-Custom-Md"), &i, &v);) {
                struct str value = v;
                struct str key = str_trim(str_cut(&value, '='));
                if (key.n == 0 || key.n == v.n || store_custom_is_content(key))
                        return err_new(ERR_INVALID, "invalid custom metadata \"" STR_FMT "\" (expecting key=value)",
                                       STR_ARG(v));
                buf_add_lstr(&b, key);
                buf_add_lstr(&b, str_trim(value));
                n++;
        }
        if (b.n > CUSTOM_MAX)
                return err_new(ERR_INVALID, "custom metadata is too large (%zu bytes, at most %d)", b.n, CUSTOM_MAX);
        TRY(buf_err(&b));
        *ret_has = n > 0;
        *ret_packed = n > 0 ? str_arena(r->arena, buf_str(&b)) : STR_NONE;
        return NULL;
}
