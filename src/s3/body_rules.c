/* s3/body_rules.c: what the headers of a request promise about its body. Fails with S3's code for a promise that is
 * malformed or given twice. */
#include "s3/body.h"

struct headers {
        const struct http_header *h;
        unsigned n;
};

static struct str find(const struct headers *h, const char *name)
{
        for (unsigned i = 0; i < h->n; i++)
                if (str_eq_nocase(h->h[i].name, str_of(name)))
                        return h->h[i].value;
        return STR_NONE;
}

static bool is_chunked(enum s3_payload p)
{
        return p == S3_PAYLOAD_STREAM || p == S3_PAYLOAD_STREAM_TRAILER || p == S3_PAYLOAD_STREAM_UNSIGNED_TRAILER;
}

static enum s3_code length_of(const struct headers *h, int64_t content_length, struct s3_body_rules *r,
                              struct s3_fault *f)
{
        uint64_t n;
        r->length = content_length;
        if (!is_chunked(r->payload))
                return S3_OK;
        struct str text = find(h, "x-amz-decoded-content-length");
        if (text.p == NULL)
                return s3_fault_set(f, S3_MISSING_CONTENT_LENGTH, NULL);
        if (!str_u64(text, &n) || n > INT64_MAX)
                return s3_fault_set(f, S3_INVALID_ARGUMENT, "x-amz-decoded-content-length is not a number");
        r->length = (int64_t)n;
        return S3_OK;
}

/* At most one value, in a header or announced for the trailer. */
static enum s3_code promised_cksum(const struct headers *h, struct s3_body_rules *r, struct s3_fault *f)
{
        enum s3_cksum k;
        for (unsigned i = 0; i < h->n; i++) {
                if (!s3_cksum_from_header(h->h[i].name, &k))
                        continue;
                if (r->cksum_known)
                        return s3_fault_set(
                                f, S3_INVALID_REQUEST,
                                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
                if (!s3_cksum_parse(k, h->h[i].value, r->cksum_value))
                        return s3_fault_set(f, S3_INVALID_REQUEST, "Value for %s header is invalid.",
                                            s3_cksum_header(k));
                r->cksum = k;
                r->cksum_known = true;
        }
        struct str trailer = find(h, "x-amz-trailer");
        if (trailer.p == NULL)
                return S3_OK;
        if (r->payload != S3_PAYLOAD_STREAM_TRAILER && r->payload != S3_PAYLOAD_STREAM_UNSIGNED_TRAILER)
                return s3_fault_set(f, S3_INVALID_REQUEST, "x-amz-trailer needs a body with a trailer");
        if (r->cksum_known || !s3_cksum_from_header(str_trim(trailer), &k))
                return s3_fault_set(f, S3_INVALID_REQUEST,
                                    "The value specified in the x-amz-trailer header is not supported");
        r->cksum = k;
        r->cksum_trails = true;
        return S3_OK;
}

enum s3_code s3_body_rules_of(const struct s3_sig *sig, const struct http_header *headers, unsigned nheaders,
                              int64_t content_length, struct s3_body_rules *ret, struct s3_fault *f)
{
        struct headers h = { headers, nheaders };
        struct s3_body_rules r = { .payload = sig->payload, .chain = sig->chain };
        enum s3_cksum named;
        memcpy(r.sha256, sig->sha256, sizeof(r.sha256));
        enum s3_code c = length_of(&h, content_length, &r, f);
        if (c == S3_OK)
                c = promised_cksum(&h, &r, f);
        if (c != S3_OK)
                return c;
        struct str md5 = find(&h, "content-md5"), algorithm = find(&h, "x-amz-sdk-checksum-algorithm");
        unsigned char value[S3_CKSUM_MAX];
        if (md5.p != NULL) {
                if (!s3_cksum_parse(S3_CKSUM_MD5, md5, value))
                        return s3_fault_set(f, S3_INVALID_DIGEST, NULL);
                r.has_md5 = true;
                memcpy(r.md5, value, sizeof(r.md5));
        }
        if (algorithm.p != NULL && str_eq_nocase(algorithm, STR("MD5")))
                algorithm = STR_NONE;
        if (algorithm.p != NULL && !s3_cksum_from_name(algorithm, &named))
                return s3_fault_set(f, S3_INVALID_REQUEST, "Checksum algorithm provided is unsupported.");
        if (algorithm.p != NULL && r.cksum == S3_CKSUM_NONE)
                return s3_fault_set(f, S3_INVALID_REQUEST,
                                    "x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or "
                                    "x-amz-trailer headers were found.");
        if (algorithm.p != NULL && named != r.cksum)
                return s3_fault_set(f, S3_INVALID_REQUEST, "Value for x-amz-sdk-checksum-algorithm header is invalid.");
        *ret = r;
        return S3_OK;
}

struct str s3_content_encoding(struct arena *a, struct str value)
{
        struct str kept = STR_NONE;
        while (value.n != 0) {
                struct str one = str_trim(str_cut(&value, ','));
                if (one.n == 0 || str_eq_nocase(one, STR("aws-chunked")))
                        continue;
                kept = kept.p == NULL ? str_arena(a, one)
                                      : str_printf(a, STR_FMT "," STR_FMT, STR_ARG(kept), STR_ARG(one));
        }
        return kept;
}
