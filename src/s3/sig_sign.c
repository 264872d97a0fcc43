/* s3/sig_sign.c: signing: chunks of a body, requests, and requests for others. Fails only when memory is short or the
 * caller's path is not encoded. */
#include "s3/priv.h"

#include <stdio.h>

#include "s3/when.h"

#define EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

/* ---- chunks ---- */

static void chain_next(struct s3_sig_chain *c, const char *what, const char *middle,
                       const unsigned char sha256[static 32], char ret[static S3_SIGNATURE_CHARS + 1])
{
        char text[512], hex[2 * HASH_SHA256_BYTES + 1];
        unsigned char mac[HASH_SHA256_BYTES];
        str_to_hex(sha256, HASH_SHA256_BYTES, hex);
        int n = snprintf(text, sizeof(text), "%s\n%s\n%s\n%s\n%s%s", what, c->date, c->scope, c->previous, middle, hex);
        ASSERT(n > 0 && (size_t)n < sizeof(text));
        hash_hmac(&c->key, text, (size_t)n, mac);
        str_to_hex(mac, sizeof(mac), ret);
        memcpy(c->previous, ret, S3_SIGNATURE_CHARS + 1);
}

void s3_sig_chain_chunk(struct s3_sig_chain *c, const unsigned char sha256[static 32],
                        char ret[static S3_SIGNATURE_CHARS + 1])
{
        chain_next(c, "AWS4-HMAC-SHA256-PAYLOAD", EMPTY_SHA256 "\n", sha256, ret);
}

void s3_sig_chain_trailer(struct s3_sig_chain *c, const unsigned char sha256[static 32],
                          char ret[static S3_SIGNATURE_CHARS + 1])
{
        chain_next(c, "AWS4-HMAC-SHA256-TRAILER", "", sha256, ret);
}

/* ---- requests ---- */

static int by_name(const void *a, const void *b)
{
        return str_cmp(((const struct http_header *)a)->name, ((const struct http_header *)b)->name);
}

/* The request's headers and `more`, names in lower case, sorted; "a;b;c" of their names without repeats. */
static struct err *prepare(const struct s3_sig_request *rq, const struct http_header *more, unsigned nmore,
                           struct arena *a, struct s3_sig_request *ret, struct str *ret_names)
{
        unsigned n = rq->nheaders + nmore;
        struct http_header *h = arena_alloc(a, n * sizeof(*h));
        AUTO_BUF struct buf names = BUF_INIT;
        if (h == NULL)
                return err_static(ERR_NO_MEMORY);
        for (unsigned i = 0; i < n; i++) {
                h[i] = i < rq->nheaders ? rq->headers[i] : more[i - rq->nheaders];
                char *lower = arena_dup(a, h[i].name.p, h[i].name.n);
                if (lower == NULL)
                        return err_static(ERR_NO_MEMORY);
                for (size_t j = 0; j < h[i].name.n; j++)
                        if (lower[j] >= 'A' && lower[j] <= 'Z')
                                lower[j] = (char)(lower[j] | 0x20);
                h[i].name.p = lower;
        }
        qsort(h, n, sizeof(*h), by_name);
        for (unsigned i = 0; i < n; i++) {
                if (i > 0 && str_eq(h[i].name, h[i - 1].name))
                        continue;
                if (i > 0)
                        buf_addc(&names, ';');
                buf_adds(&names, h[i].name);
        }
        *ret = *rq;
        ret->headers = h;
        ret->nheaders = n;
        *ret_names = str_arena(a, buf_str(&names));
        return names.bad || ret_names->p == NULL ? err_static(ERR_NO_MEMORY) : NULL;
}

struct moment {
        char date[17], scope[S3_REGION_MAX + 32];
        struct hash_hmac_key key;
};

static struct err *moment_of(const struct s3_sig_signer *s, int64_t now_s, struct moment *m)
{
        if (s->region.n > S3_REGION_MAX || s->access_key.n > S3_ACCESS_KEY_MAX)
                return err_new(ERR_INVALID, "region or access key too long");
        s3_when_basic_text(now_s, m->date);
        snprintf(m->scope, sizeof(m->scope), "%.8s/" STR_FMT "/s3/aws4_request", m->date, STR_ARG(s->region));
        s3_sig_key(s->keys, s->secret, (struct str){ m->date, SIG_DAY_CHARS }, s->region, &m->key);
        return NULL;
}

static struct err *signature_of(const struct s3_sig_request *rq, struct str names, struct str payload,
                                const struct moment *m, struct arena *a, char ret[static S3_SIGNATURE_CHARS + 1])
{
        struct s3__canon c = { rq, names, STR_NONE, payload };
        unsigned char digest[HASH_SHA256_BYTES];
        switch (s3__canon_digest(&c, a, digest, NULL)) {
        case CANON_OK:
                s3__sign_digest(&m->key, m->date, m->scope, digest, ret);
                return NULL;
        case CANON_NO_MEMORY:
                return err_static(ERR_NO_MEMORY);
        case CANON_BAD_ESCAPE:
        case CANON_NO_HEADER:
                break;
        }
        return err_new(ERR_MALFORMED, "path or query to be signed has a bad escape");
}

struct err *s3_sig_authorize(const struct s3_sig_signer *s, const struct s3_sig_request *rq, struct str payload,
                             int64_t now_s, struct arena *a, struct buf *lines, struct s3_sig_chain *ret_chain)
{
        struct moment m;
        struct s3_sig_request full;
        struct str names;
        char signature[S3_SIGNATURE_CHARS + 1];
        TRY(moment_of(s, now_s, &m));
        const struct http_header more[] = { { STR("x-amz-date"), str_of(m.date) },
                                            { STR("x-amz-content-sha256"), payload } };
        TRY(prepare(rq, more, ARRAY_LEN(more), a, &full, &names));
        TRY(signature_of(&full, names, payload, &m, a, signature));
        buf_printf(lines, "x-amz-date: %s\r\nx-amz-content-sha256: " STR_FMT "\r\n", m.date, STR_ARG(payload));
        buf_printf(lines,
                   "Authorization: " SIG_ALGORITHM " Credential=" STR_FMT "/%s,SignedHeaders=" STR_FMT
                   ",Signature=%s\r\n",
                   STR_ARG(s->access_key), m.scope, STR_ARG(names), signature);
        if (ret_chain != NULL) {
                ret_chain->key = m.key;
                str_copy(ret_chain->date, sizeof(ret_chain->date), str_of(m.date));
                str_copy(ret_chain->scope, sizeof(ret_chain->scope), str_of(m.scope));
                str_copy(ret_chain->previous, sizeof(ret_chain->previous), str_of(signature));
        }
        explicit_bzero(&m.key, sizeof(m.key));
        return buf_err(lines);
}

struct err *s3_sig_presign(const struct s3_sig_signer *s, const struct s3_sig_request *rq, int64_t life_s,
                           int64_t now_s, struct arena *a, struct buf *query)
{
        struct moment m;
        struct s3_sig_request full;
        struct str names;
        char signature[S3_SIGNATURE_CHARS + 1];
        size_t start = query->n;
        if (life_s < 1 || life_s > S3_PRESIGNED_MAX_S)
                return err_new(ERR_INVALID, "a presigned request lives for 1 to %d seconds", S3_PRESIGNED_MAX_S);
        TRY(moment_of(s, now_s, &m));
        TRY(prepare(rq, NULL, 0, a, &full, &names));
        buf_adds(query, rq->query);
        if (rq->query.n != 0)
                buf_addc(query, '&');
        buf_adds(query, STR("X-Amz-Algorithm=" SIG_ALGORITHM "&X-Amz-Credential="));
        s3__encode(query, s->access_key, false);
        buf_adds(query, STR("%2F"));
        s3__encode(query, str_of(m.scope), false);
        buf_printf(query, "&X-Amz-Date=%s&X-Amz-Expires=%lld&X-Amz-SignedHeaders=", m.date, (long long)life_s);
        s3__encode(query, names, false);
        TRY(buf_err(query));
        full.query = (struct str){ query->p + start, query->n - start };
        struct err *e = signature_of(&full, names, STR(SIG_UNSIGNED), &m, a, signature);
        explicit_bzero(&m.key, sizeof(m.key));
        TRY(e);
        buf_printf(query, "&X-Amz-Signature=%s", signature);
        return buf_err(query);
}
