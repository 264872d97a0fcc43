/* api/sign.c: see sign.h. What is signed is written into a buffer on the stack, each part with its length, so that no
 * two requests give the same text; then one HMAC, compared whole. */
#include "api/sign.h"

#include "base/hash.h"
#include "os/clock.h"
#include "os/random.h"

#define KEYS_ACCEPTED 2 /* a key serves on while redirects that it signed are under way */
#define VERSION_LINE "orlop redirect 1\n"

/* ---- the text that is signed ---- */

struct text {
        char p[SIGN_TEXT_MAX];
        size_t n;
        bool bad; /* too long, or an escape that means nothing */
};

static void add(struct text *t, const void *p, size_t n)
{
        t->bad = t->bad || n > sizeof(t->p) - t->n;
        if (!t->bad && n > 0) {
                memcpy(t->p + t->n, p, n);
                t->n += n;
        }
}

static void add_number(struct text *t, uint64_t v)
{
        unsigned char b[8];
        for (unsigned i = 0; i < sizeof(b); i++)
                b[i] = (unsigned char)(v >> (8 * i));
        add(t, b, sizeof(b));
}

static int hex_digit(char c)
{
        if (c >= '0' && c <= '9')
                return c - '0';
        c = (char)(c | 0x20);
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Length and bytes of a text as it is meant: clients may write an escape in another way than we did. */
static void add_decoded(struct text *t, struct str s, bool plus)
{
        size_t at = t->n;
        add_number(t, 0);
        for (size_t i = 0; i < s.n && !t->bad; i++) {
                char c = s.p[i];
                if (plus && c == '+') {
                        c = ' ';
                } else if (c == '%') {
                        int hi = i + 2 < s.n ? hex_digit(s.p[i + 1]) : -1;
                        int lo = i + 2 < s.n ? hex_digit(s.p[i + 2]) : -1;
                        t->bad = t->bad || hi < 0 || lo < 0;
                        c = (char)(unsigned char)((unsigned)hi << 4 | (unsigned)lo);
                        i += 2;
                }
                add(t, &c, 1);
        }
        if (t->bad)
                return;
        size_t end = t->n;
        t->n = at;
        add_number(t, end - at - 8);
        t->n = end;
}

/* The method class: what answers GET answers HEAD too. */
static struct str method_class(enum http_method m)
{
        return m == HTTP_HEAD ? STR("GET") : str_of(http_method_name(m));
}

static bool has_body(enum http_method m)
{
        return m != HTTP_GET && m != HTTP_HEAD;
}

/* *ret_count: how often the signature's own parameter was met. */
static void write_text(struct text *t, const struct sign_request *rq, struct str query, unsigned *ret_count)
{
        struct str m = method_class(rq->method), key, value;
        t->n = 0;
        t->bad = false;
        *ret_count = 0;
        add(t, VERSION_LINE, sizeof(VERSION_LINE) - 1);
        add_decoded(t, m, false);
        add_decoded(t, str_of(rq->target), false);
        add_number(t, has_body(rq->method) ? (uint64_t)rq->length : 0);
        add_decoded(t, rq->path, false);
        while (http_query_next(&query, &key, &value)) {
                if (str_eq(key, STR("u"))) {
                        ++*ret_count;
                        continue;
                }
                add_decoded(t, key, true);
                add_decoded(t, value, true);
        }
}

static void sign(const struct cluster_key *key, const struct text *t, char out[static SIGN_HMAC_CHARS])
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        unsigned char mac[HASH_SHA256_BYTES + 1];
        hash_hmac_sha256(key->secret, sizeof(key->secret), t->p, t->n, mac);
        mac[HASH_SHA256_BYTES] = 0;
        for (unsigned i = 0, bit = 0; i < SIGN_HMAC_CHARS; i++, bit += 6) {
                unsigned at = bit / 8;
                unsigned two = (unsigned)mac[at] << 8 | (at + 1 < sizeof(mac) ? mac[at + 1] : 0u);
                out[i] = digits[two >> (10 - bit % 8) & 63];
        }
}

/* ---- the parameters ---- */

bool api__query_has(struct str query, const char *key)
{
        struct str k, v;
        while (http_query_next(&query, &k, &v))
                if (str_eq(k, str_of(key)))
                        return true;
        return false;
}

static struct str param(struct str query, const char *key)
{
        struct str k, v;
        while (http_query_next(&query, &k, &v))
                if (str_eq(k, str_of(key)))
                        return v;
        return STR_NONE;
}

static bool from_base36(struct str s, uint64_t *ret)
{
        uint64_t v = 0;
        if (s.n == 0 || s.n > 13)
                return false;
        for (size_t i = 0; i < s.n; i++) {
                char c = s.p[i];
                unsigned d = 36;
                if (c >= '0' && c <= '9')
                        d = (unsigned)(c - '0');
                else if (c >= 'a' && c <= 'z')
                        d = (unsigned)(c - 'a') + 10;
                if (d == 36 || __builtin_mul_overflow(v, 36, &v) || __builtin_add_overflow(v, d, &v))
                        return false;
        }
        *ret = v;
        return true;
}

/* x: "<nonce>-<expiry>-<hops>-<index>-<key id>". */
static bool parse_x(struct str x, struct sign_claims *ret, struct str *ret_key)
{
        struct str nonce = str_cut(&x, '-'), expiry = str_cut(&x, '-'), hops = str_cut(&x, '-'),
                   index = str_cut(&x, '-');
        uint64_t e, h;
        if (nonce.n == 0 || !from_base36(expiry, &e) || !from_base36(hops, &h) || !from_base36(index, &ret->index) ||
            e > INT64_MAX / (uint64_t)NS_PER_SEC || h > 99)
                return false;
        ret->expiry_s = (int64_t)e;
        ret->hops = (unsigned)h;
        *ret_key = x;
        return true;
}

static const struct cluster_key *find_key(const struct snapshot *s, struct str id)
{
        for (unsigned i = 0; i < MIN(s->key_count, KEYS_ACCEPTED); i++)
                if (str_eq(id, str_of(s->keys[i].id)))
                        return &s->keys[i];
        return NULL;
}

/* ---- checking and signing ---- */

enum sign_result api__sign_check(const struct snapshot *s, const struct sign_request *rq, int64_t now_ns,
                                 struct sign_claims *ret)
{
        struct sign_claims c = { .hops = 0 };
        struct str id;
        struct text t;
        unsigned count;
        char expected[SIGN_HMAC_CHARS];
        struct str u = param(rq->query, "u");
        if (u.p == NULL)
                return SIGN_NONE;
        if (!parse_x(param(rq->query, "x"), &c, &id) || !from_base36(param(rq->query, "vpams"), &c.smap_version))
                return SIGN_BAD;
        const struct cluster_key *key = find_key(s, id);
        if (key == NULL)
                return c.index > s->index ? SIGN_LATER : SIGN_BAD;
        if (u.n != SIGN_HMAC_CHARS)
                return SIGN_BAD;
        write_text(&t, rq, rq->query, &count);
        if (t.bad || count != 1)
                return SIGN_BAD;
        sign(key, &t, expected);
        if (!hash_equal_ct(expected, u.p, SIGN_HMAC_CHARS))
                return SIGN_BAD;
        /* The time is looked at last: until here it is only what somebody claims. */
        if (now_ns / NS_PER_SEC >= c.expiry_s || c.hops == 0)
                return SIGN_BAD;
        *ret = c;
        return SIGN_GOOD;
}

bool api__sign_add(const struct snapshot *s, const struct sign_request *rq, unsigned hops, int64_t now_ns,
                   struct buf *url, size_t query_at)
{
        struct text t;
        unsigned count;
        char version[16], nonce[16], expiry[16], hop[16], index[16], hmac[SIGN_HMAC_CHARS];
        if (s->key_count == 0)
                return true;
        buf_printf(url, "&vpams=%s&x=%s-%s-%s-%s-%s", str_base36(s->smap_version, version),
                   str_base36(random_u64(), nonce), str_base36((uint64_t)(now_ns / NS_PER_SEC + SIGN_LIFE_S), expiry),
                   str_base36(hops, hop), str_base36(s->index, index), s->keys[0].id);
        if (url->bad)
                return false;
        write_text(&t, rq, (struct str){ url->p + query_at, url->n - query_at }, &count);
        if (t.bad || count != 0)
                return false;
        sign(&s->keys[0], &t, hmac);
        buf_add(url, "&u=", 3);
        buf_add(url, hmac, sizeof(hmac));
        return !url->bad;
}
