/* s3/sig_canon.c: the canonical request, fed into SHA-256 while it is made: no text of it is kept, whatever its size.
 * Only the query must be held, decoded and encoded anew, because it is sorted. Fails for bad escapes, a signed header
 * that is not there, and when the arena is full. */
#include "s3/priv.h"

#include <stdio.h>

#include "base/digest.h"

#define STAGE 512 /* bytes gathered before they are hashed */

struct sink {
        struct digest d;
        struct buf *copy;
        size_t n;
        char stage[STAGE];
};

static void flush(struct sink *k)
{
        digest_update(&k->d, k->stage, k->n);
        if (k->copy != NULL)
                buf_add(k->copy, k->stage, k->n);
        k->n = 0;
}

static void put(struct sink *k, char c)
{
        if (k->n == STAGE)
                flush(k);
        k->stage[k->n++] = c;
}

static void puts_(struct sink *k, struct str s)
{
        for (size_t i = 0; i < s.n; i++)
                put(k, s.p[i]);
}

static bool is_unreserved(unsigned char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
               c == '_' || c == '~';
}

static const char digits[] = "0123456789ABCDEF";

void s3__encode(struct buf *b, struct str s, bool keep_slash)
{
        for (size_t i = 0; i < s.n; i++) {
                unsigned char c = (unsigned char)s.p[i];
                if (is_unreserved(c) || (c == '/' && keep_slash)) {
                        buf_addc(b, (char)c);
                } else {
                        char esc[3] = { '%', digits[c >> 4], digits[c & 15] };
                        buf_add(b, esc, sizeof(esc));
                }
        }
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes on the fly and encodes anew. */
static bool put_path(struct sink *k, struct str path)
{
        if (path.n == 0)
                put(k, '/');
        for (size_t i = 0; i < path.n; i++) {
                unsigned char c = (unsigned char)path.p[i];
                if (c == '%') {
                        int hi = i + 2 < path.n ? hex_digit(path.p[i + 1]) : -1;
                        int lo = i + 2 < path.n ? hex_digit(path.p[i + 2]) : -1;
                        if (hi < 0 || lo < 0)
                                return false;
                        c = (unsigned char)((unsigned)hi << 4 | (unsigned)lo);
                        i += 2;
                }
                if (is_unreserved(c) || c == '/') {
                        put(k, (char)c);
                } else {
                        put(k, '%');
                        put(k, digits[c >> 4]);
                        put(k, digits[c & 15]);
                }
        }
        return true;
}

/* ---- query ---- */

struct param {
        struct str key, value; /* canonical */
};

static int by_key(const void *a, const void *b)
{
        const struct param *x = a, *y = b;
        int c = str_cmp(x->key, y->key);
        return c != 0 ? c : str_cmp(x->value, y->value);
}

static bool recode(struct arena *a, struct buf *scratch, struct str raw, struct str *ret_plain, struct str *ret)
{
        struct err *e = str_percent_decode(a, raw, true, ret_plain);
        if (e != NULL) {
                err_free(e);
                return false;
        }
        buf_clear(scratch);
        s3__encode(scratch, *ret_plain, false);
        *ret = str_arena(a, scratch->n != 0 ? buf_str(scratch) : STR(""));
        return !scratch->bad && ret->p != NULL;
}

static enum s3__canon_result put_query(struct sink *k, struct arena *a, struct str query, struct str skip)
{
        struct str rest = query, key, value, plain;
        AUTO_BUF struct buf scratch = BUF_INIT;
        size_t n = 0, max = 1;
        for (size_t i = 0; i < query.n; i++)
                max += query.p[i] == '&';
        struct param *params = arena_alloc(a, max * sizeof(*params));
        if (params == NULL)
                return CANON_NO_MEMORY;
        while (http_query_next(&rest, &key, &value)) {
                if (key.n == 0 && value.n == 0)
                        continue;
                ASSERT(n < max);
                if (!recode(a, &scratch, key, &plain, &params[n].key))
                        return CANON_BAD_ESCAPE;
                if (skip.n != 0 && str_eq(plain, skip))
                        continue;
                if (!recode(a, &scratch, value, &plain, &params[n].value))
                        return CANON_BAD_ESCAPE;
                n++;
        }
        qsort(params, n, sizeof(*params), by_key);
        for (size_t i = 0; i < n; i++) {
                if (i != 0)
                        put(k, '&');
                puts_(k, params[i].key);
                put(k, '=');
                puts_(k, params[i].value);
        }
        return CANON_OK;
}

/* ---- headers ---- */

/* Trimmed, and each run of blanks as one. */
static void put_value(struct sink *k, struct str v)
{
        v = str_trim(v);
        bool blank = false;
        for (size_t i = 0; i < v.n; i++) {
                bool b = v.p[i] == ' ' || v.p[i] == '\t';
                if (b && blank)
                        continue;
                blank = b;
                put(k, b ? ' ' : v.p[i]);
        }
}

static bool put_header(struct sink *k, const struct s3_sig_request *rq, struct str name)
{
        unsigned found = 0;
        puts_(k, name);
        put(k, ':');
        for (unsigned i = 0; i < rq->nheaders; i++) {
                if (!str_eq_nocase(rq->headers[i].name, name))
                        continue;
                if (found++ != 0)
                        put(k, ',');
                put_value(k, rq->headers[i].value);
        }
        put(k, '\n');
        return found != 0;
}

enum s3__canon_result s3__canon_digest(const struct s3__canon *c, struct arena *a, unsigned char ret[static 32],
                                       struct buf *copy)
{
        struct sink k = { .copy = copy };
        struct str names = c->signed_headers;
        digest_init(&k.d, DIGEST_SHA256);
        puts_(&k, c->rq->method);
        put(&k, '\n');
        if (!put_path(&k, c->rq->path))
                return CANON_BAD_ESCAPE;
        put(&k, '\n');
        enum s3__canon_result r = put_query(&k, a, c->rq->query, c->skip_param);
        if (r != CANON_OK)
                return r;
        put(&k, '\n');
        while (names.n != 0)
                if (!put_header(&k, c->rq, str_cut(&names, ';')))
                        return CANON_NO_HEADER;
        put(&k, '\n');
        puts_(&k, c->signed_headers);
        put(&k, '\n');
        puts_(&k, c->payload);
        flush(&k);
        (void)digest_final(&k.d, ret);
        return CANON_OK;
}

void s3__sign_digest(const struct hash_hmac_key *key, const char *date, const char *scope,
                     const unsigned char digest[static 32], char ret[static S3_SIGNATURE_CHARS + 1])
{
        char text[sizeof(SIG_ALGORITHM) + 17 + S3_REGION_MAX + 32 + 2 * HASH_SHA256_BYTES + 8],
                hex[2 * HASH_SHA256_BYTES + 1];
        unsigned char mac[HASH_SHA256_BYTES];
        str_to_hex(digest, HASH_SHA256_BYTES, hex);
        int n = snprintf(text, sizeof(text), SIG_ALGORITHM "\n%s\n%s\n%s", date, scope, hex);
        ASSERT(n > 0 && (size_t)n < sizeof(text));
        hash_hmac(key, text, (size_t)n, mac);
        str_to_hex(mac, sizeof(mac), ret);
}
