/* s3/sig_verify.c: who signed a request.
 *
 * The happy path: one kind of credentials is there, its parts are well-formed, the key is known, scope and time fit,
 * everything that must be signed is, and the signature over the canonical request is the one that was sent. Each of
 * these can fail, with S3's code for it. */
#include "s3/priv.h"

#include <stdio.h>

#include "s3/when.h"

/* The parts of a signature, as sent. */
struct parts {
        struct str credential, signed_headers, signature;
        struct str access_key, day, region; /* of the credential */
        struct str date_text;               /* "20130524T000000Z" */
        int64_t date_s;
        enum s3_code malformed; /* how a malformed part is called */
};

static struct str header(const struct s3_sig_request *rq, const char *name)
{
        for (unsigned i = 0; i < rq->nheaders; i++)
                if (str_eq_nocase(rq->headers[i].name, str_of(name)))
                        return rq->headers[i].value;
        return STR_NONE;
}

static unsigned header_count(const struct s3_sig_request *rq, const char *name)
{
        unsigned n = 0;
        for (unsigned i = 0; i < rq->nheaders; i++)
                n += str_eq_nocase(rq->headers[i].name, str_of(name));
        return n;
}

/* ---- the credential and the scope ---- */

/* Cuts the part behind the last `sep` off *s. */
static struct str cut_last(struct str *s, char sep)
{
        for (size_t i = s->n; i-- > 0;) {
                if (s->p[i] == sep) {
                        struct str last = str_skip(*s, i + 1);
                        s->n = i;
                        return last;
                }
        }
        return STR_NONE;
}

/* "<access key>/20130524/us-east-1/s3/aws4_request" */
static enum s3_code parse_credential(const struct s3_sig_rules *rules, struct parts *p, struct s3_fault *f)
{
        struct str rest = p->credential;
        struct str end = cut_last(&rest, '/'), service = cut_last(&rest, '/');
        p->region = cut_last(&rest, '/');
        p->day = cut_last(&rest, '/');
        p->access_key = rest;
        if (p->region.p == NULL || p->day.p == NULL || rest.n == 0 || rest.n > S3_ACCESS_KEY_MAX ||
            p->region.n > S3_REGION_MAX)
                return s3_fault_set(
                        f, p->malformed,
                        "The Credential is malformed; expecting \"<access key>/YYYYMMDD/REGION/SERVICE/aws4_request\"");
        if (!str_eq(end, STR("aws4_request")) || !str_eq(service, STR("s3")))
                return s3_fault_set(f, p->malformed, "The Credential's scope must end in \"/s3/aws4_request\"");
        bool known = rules->nregions == 0;
        for (unsigned i = 0; i < rules->nregions && !known; i++)
                known = str_eq(rules->regions[i], p->region);
        if (known)
                return S3_OK;
        s3_fault_set(f, p->malformed, "The region '" STR_FMT "' is wrong; expecting '" STR_FMT "'", STR_ARG(p->region),
                     STR_ARG(rules->regions[0]));
        f->field = "Region";
        str_copy(f->value, sizeof(f->value), rules->regions[0]);
        return f->code;
}

static enum s3_code check_parts(const struct s3_sig_rules *rules, struct parts *p, struct s3_fault *f)
{
        enum s3_code c = parse_credential(rules, p, f);
        if (c != S3_OK)
                return c;
        if (p->signature.n != S3_SIGNATURE_CHARS)
                return s3_fault_set(f, p->malformed, "The signature must have 64 hexadecimal digits");
        if (p->day.n != SIG_DAY_CHARS || !str_starts(p->date_text, p->day))
                return s3_fault_set(f, p->malformed, "The day of the Credential is not the day of the request");
        return S3_OK;
}

static enum s3_code find_key(const struct s3_sig_rules *rules, const struct parts *p, struct hash_hmac_key *ret_key,
                             const void **ret_user, struct s3_fault *f)
{
        struct str secret;
        if (!rules->find(rules->arg, p->access_key, &secret, ret_user))
                return s3_fault_set(f, S3_INVALID_ACCESS_KEY_ID, NULL);
        s3_sig_key(rules->keys, secret, p->day, p->region, ret_key);
        return S3_OK;
}

static void scope_text(const struct parts *p, char out[static S3_REGION_MAX + 32])
{
        snprintf(out, S3_REGION_MAX + 32, STR_FMT "/" STR_FMT "/s3/aws4_request", STR_ARG(p->day), STR_ARG(p->region));
}

/* ---- what must be signed ---- */

static bool is_listed(struct str list, struct str name)
{
        while (list.n != 0)
                if (str_eq_nocase(str_cut(&list, ';'), name))
                        return true;
        return false;
}

static bool is_lower(struct str s)
{
        for (size_t i = 0; i < s.n; i++)
                if ((s.p[i] >= 'A' && s.p[i] <= 'Z') || (unsigned char)s.p[i] <= ' ')
                        return false;
        return s.n != 0;
}

/* Host, and every x-amz-* header: what changes the meaning of a request must not be added by others. */
static enum s3_code check_signed_headers(const struct s3_sig_request *rq, const struct parts *p, struct s3_fault *f)
{
        if (!is_lower(p->signed_headers) || !is_listed(p->signed_headers, STR("host")))
                return s3_fault_set(f, p->malformed, "SignedHeaders must be in lower case and name \"host\"");
        for (unsigned i = 0; i < rq->nheaders; i++) {
                struct str name = rq->headers[i].name;
                if (name.n < 6 || !str_eq_nocase((struct str){ name.p, 6 }, STR("x-amz-")) ||
                    is_listed(p->signed_headers, name))
                        continue;
                s3_fault_set(f, S3_ACCESS_DENIED, "There were headers present in the request which were not signed");
                f->field = "HeadersNotSigned";
                str_copy(f->value, sizeof(f->value), name);
                return f->code;
        }
        return S3_OK;
}

static enum s3_code compare(const struct s3_sig_request *rq, const struct parts *p, const struct hash_hmac_key *key,
                            struct str payload, bool presigned, struct arena *a, struct s3_fault *f)
{
        struct s3__canon c = { rq, p->signed_headers, presigned ? STR("X-Amz-Signature") : STR_NONE, payload };
        unsigned char digest[HASH_SHA256_BYTES];
        char scope[S3_REGION_MAX + 32], date[17], expected[S3_SIGNATURE_CHARS + 1];
        switch (s3__canon_digest(&c, a, digest, NULL)) {
        case CANON_OK:
                break;
        case CANON_BAD_ESCAPE:
                return s3_fault_set(f, S3_INVALID_URI, NULL);
        case CANON_NO_MEMORY:
                return s3_fault_set(f, S3_SLOW_DOWN, NULL);
        case CANON_NO_HEADER:
                return s3_fault_set(f, S3_SIGNATURE_DOES_NOT_MATCH, "A header that SignedHeaders names was not sent");
        }
        scope_text(p, scope);
        str_copy(date, sizeof(date), p->date_text);
        s3__sign_digest(key, date, scope, digest, expected);
        if (!hash_equal_ct(expected, p->signature.p, S3_SIGNATURE_CHARS))
                return s3_fault_set(f, S3_SIGNATURE_DOES_NOT_MATCH, NULL);
        return S3_OK;
}

/* ---- the payload's word ---- */

static enum s3_code parse_payload(struct str word, struct s3_sig *ret, struct s3_fault *f)
{
        static const struct {
                struct str word;
                enum s3_payload payload;
        } words[] = {
                { { SIG_UNSIGNED, sizeof(SIG_UNSIGNED) - 1 }, S3_PAYLOAD_UNSIGNED },
                { { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", 34 }, S3_PAYLOAD_STREAM },
                { { "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", 42 }, S3_PAYLOAD_STREAM_TRAILER },
                { { "STREAMING-UNSIGNED-PAYLOAD-TRAILER", 34 }, S3_PAYLOAD_STREAM_UNSIGNED_TRAILER },
        };
        ret->payload = S3_PAYLOAD_UNSIGNED;
        if (word.p == NULL)
                return S3_OK;
        for (unsigned i = 0; i < ARRAY_LEN(words); i++) {
                if (str_eq(words[i].word, word)) {
                        ret->payload = words[i].payload;
                        return S3_OK;
                }
        }
        if (str_starts(word, STR("STREAMING-")))
                return s3_fault_set(f, S3_NOT_IMPLEMENTED, "This way of signing a body in chunks is not supported");
        ret->payload = S3_PAYLOAD_SHA256;
        if (str_from_hex(word, ret->sha256, sizeof(ret->sha256)))
                return S3_OK;
        s3_fault_set(f, S3_INVALID_ARGUMENT,
                     "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                     "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 "
                     "value");
        f->field = "ArgumentName";
        str_copy(f->value, sizeof(f->value), STR("x-amz-content-sha256"));
        return f->code;
}

static bool is_chained(enum s3_payload p)
{
        return p == S3_PAYLOAD_STREAM || p == S3_PAYLOAD_STREAM_TRAILER;
}

static void seed(struct s3_sig_chain *c, const struct parts *p, const struct hash_hmac_key *key)
{
        c->key = *key;
        scope_text(p, c->scope);
        str_copy(c->date, sizeof(c->date), p->date_text);
        str_copy(c->previous, sizeof(c->previous), p->signature);
}

/* ---- Authorization ---- */

/* "Credential=…, SignedHeaders=…, Signature=…", each once, in any order. */
static bool parse_authorization(struct str text, struct parts *p)
{
        while (text.n != 0) {
                struct str item = str_trim(str_cut(&text, ','));
                struct str value = item, key = str_cut(&value, '=');
                struct str *to = str_eq(key, STR("Credential"))      ? &p->credential
                                 : str_eq(key, STR("SignedHeaders")) ? &p->signed_headers
                                 : str_eq(key, STR("Signature"))     ? &p->signature
                                                                     : NULL;
                if (to == NULL || to->p != NULL || value.n == 0)
                        return false;
                *to = value;
        }
        return p->credential.p != NULL && p->signed_headers.p != NULL && p->signature.p != NULL;
}

static enum s3_code request_date(const struct s3_sig_request *rq, struct arena *a, struct parts *p, struct s3_fault *f)
{
        static const char text[] = "AWS authentication requires a valid Date or x-amz-date header";
        struct str date = header(rq, "x-amz-date");
        if (header_count(rq, "x-amz-date") > 1)
                return s3_fault_set(f, S3_ACCESS_DENIED, text);
        if (date.p != NULL && s3_when_basic(date, &p->date_s)) {
                p->date_text = date;
                return S3_OK;
        }
        /* The forms of HTTP are taken in either header; what is signed then is the short form. */
        if (date.p == NULL)
                date = header(rq, "date");
        if (date.p == NULL || (!s3_when_http(date, &p->date_s) && !s3_when_basic(date, &p->date_s)))
                return s3_fault_set(f, S3_ACCESS_DENIED, text);
        char basic[17];
        p->date_text = str_arena(a, str_of(s3_when_basic_text(p->date_s, basic)));
        return p->date_text.p != NULL ? S3_OK : s3_fault_set(f, S3_SLOW_DOWN, NULL);
}

static enum s3_code check_skew(int64_t now_s, int64_t date_s, struct s3_fault *f)
{
        if (date_s <= now_s + S3_SKEW_S && date_s >= now_s - S3_SKEW_S)
                return S3_OK;
        return s3_fault_set(f, S3_REQUEST_TIME_TOO_SKEWED, NULL);
}

static enum s3_code verify_header(const struct s3_sig_rules *rules, const struct s3_sig_request *rq, struct str text,
                                  struct arena *a, struct s3_sig *ret, struct s3_fault *f)
{
        struct parts p = { .malformed = S3_AUTH_HEADER_MALFORMED };
        struct str word = header(rq, "x-amz-content-sha256");
        struct hash_hmac_key key;
        enum s3_code c;
        if (!parse_authorization(text, &p))
                return s3_fault_set(f, S3_AUTH_HEADER_MALFORMED,
                                    "The authorization header must have Credential, SignedHeaders and Signature, once");
        if ((c = request_date(rq, a, &p, f)) != S3_OK || (c = check_parts(rules, &p, f)) != S3_OK ||
            (c = find_key(rules, &p, &key, &ret->user, f)) != S3_OK ||
            (c = check_skew(rules->now_s, p.date_s, f)) != S3_OK || (c = check_signed_headers(rq, &p, f)) != S3_OK)
                return c;
        if (word.p == NULL || header_count(rq, "x-amz-content-sha256") > 1)
                return s3_fault_set(f, S3_MISSING_SECURITY_HEADER,
                                    "Missing required header for this request: x-amz-content-sha256");
        if ((c = parse_payload(word, ret, f)) == S3_OK)
                c = compare(rq, &p, &key, word, false, a, f);
        if (c == S3_OK && is_chained(ret->payload))
                seed(&ret->chain, &p, &key);
        explicit_bzero(&key, sizeof(key));
        ret->auth = S3_AUTH_HEADER;
        ret->access_key = p.access_key;
        return c;
}

/* ---- X-Amz-* of the query ---- */

enum {
        Q_ALGORITHM,
        Q_CREDENTIAL,
        Q_DATE,
        Q_EXPIRES,
        Q_HEADERS,
        Q_SIGNATURE,
        Q_TOKEN,
        Q_SHA256,
        Q_V2_KEY,
        Q_V2_SIGNATURE,
        Q_COUNT
};
static const char *const query_names[Q_COUNT] = {
        "X-Amz-Algorithm", "X-Amz-Credential",     "X-Amz-Date",           "X-Amz-Expires",  "X-Amz-SignedHeaders",
        "X-Amz-Signature", "X-Amz-Security-Token", "X-Amz-Content-Sha256", "AWSAccessKeyId", "Signature"
};

/* Decoded values of the parameters above; p null where absent. */
static enum s3_code read_query(struct str query, struct arena *a, struct str out[static Q_COUNT], struct s3_fault *f)
{
        struct str key, value, plain;
        memset(out, 0, Q_COUNT * sizeof(*out));
        while (http_query_next(&query, &key, &value)) {
                struct err *e = str_percent_decode(a, key, true, &plain);
                unsigned i = 0;
                while (e == NULL && i < Q_COUNT && !str_eq(plain, str_of(query_names[i])))
                        i++;
                if (e == NULL && i == Q_COUNT)
                        continue;
                if (e == NULL)
                        e = str_percent_decode(a, value, true, &plain);
                bool bad = e != NULL;
                err_free(e);
                if (bad)
                        return s3_fault_set(f, S3_INVALID_URI, NULL);
                if (out[i].p != NULL)
                        return s3_fault_set(f, S3_AUTH_QUERY_PARAMETERS, "%s must be given once", query_names[i]);
                out[i] = plain;
        }
        return S3_OK;
}

static enum s3_code check_expiry(const struct s3_sig_rules *rules, struct str text, int64_t date_s, struct s3_fault *f)
{
        uint64_t life;
        if (!str_u64(text, &life) || life < 1)
                return s3_fault_set(f, S3_AUTH_QUERY_PARAMETERS, "X-Amz-Expires should be a positive number");
        if (life > S3_PRESIGNED_MAX_S)
                return s3_fault_set(f, S3_AUTH_QUERY_PARAMETERS,
                                    "X-Amz-Expires must be less than a week (in seconds); that is, at most 604800");
        if (date_s > rules->now_s + S3_SKEW_S)
                return s3_fault_set(f, S3_ACCESS_DENIED, "Request is not valid yet");
        if (rules->now_s > date_s + (int64_t)life)
                return s3_fault_set(f, S3_ACCESS_DENIED, "Request has expired");
        return S3_OK;
}

static enum s3_code verify_query(const struct s3_sig_rules *rules, const struct s3_sig_request *rq,
                                 const struct str q[static Q_COUNT], struct arena *a, struct s3_sig *ret,
                                 struct s3_fault *f)
{
        struct parts p = { .malformed = S3_AUTH_QUERY_PARAMETERS,
                           .credential = q[Q_CREDENTIAL],
                           .signed_headers = q[Q_HEADERS],
                           .signature = q[Q_SIGNATURE],
                           .date_text = q[Q_DATE] };
        struct hash_hmac_key key;
        enum s3_code c;
        for (unsigned i = Q_ALGORITHM; i <= Q_SIGNATURE; i++)
                if (q[i].n == 0)
                        return s3_fault_set(
                                f, S3_AUTH_QUERY_PARAMETERS,
                                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                                "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters");
        if (!str_eq(q[Q_ALGORITHM], STR(SIG_ALGORITHM)))
                return s3_fault_set(f, S3_AUTH_QUERY_PARAMETERS, "X-Amz-Algorithm only supports \"" SIG_ALGORITHM "\"");
        if (!s3_when_basic(p.date_text, &p.date_s))
                return s3_fault_set(f, S3_AUTH_QUERY_PARAMETERS,
                                    "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
        if ((c = check_parts(rules, &p, f)) != S3_OK || (c = find_key(rules, &p, &key, &ret->user, f)) != S3_OK ||
            (c = check_expiry(rules, q[Q_EXPIRES], p.date_s, f)) != S3_OK ||
            (c = check_signed_headers(rq, &p, f)) != S3_OK)
                return c;
        struct str in_header = header(rq, "x-amz-content-sha256");
        struct str word = in_header.p != NULL ? in_header : q[Q_SHA256];
        if ((in_header.p != NULL && q[Q_SHA256].p != NULL && !str_eq(in_header, q[Q_SHA256])) ||
            header_count(rq, "x-amz-content-sha256") > 1)
                return s3_fault_set(f, S3_INVALID_REQUEST, "x-amz-content-sha256 is given twice");
        if ((c = parse_payload(word, ret, f)) == S3_OK)
                c = compare(rq, &p, &key, word.p != NULL ? word : STR(SIG_UNSIGNED), true, a, f);
        if (c == S3_OK && is_chained(ret->payload))
                seed(&ret->chain, &p, &key);
        explicit_bzero(&key, sizeof(key));
        ret->auth = S3_AUTH_QUERY;
        ret->access_key = p.access_key;
        return c;
}

/* ---- which kind it is ---- */

static enum s3_code refuse_v2(struct s3_fault *f)
{
        return s3_fault_set(f, S3_INVALID_REQUEST,
                            "The authorization mechanism you have provided is not supported. Please use " SIG_ALGORITHM
                            ".");
}

static enum s3_code verify_anonymous(const struct s3_sig_request *rq, struct s3_sig *ret, struct s3_fault *f)
{
        enum s3_code c = parse_payload(header(rq, "x-amz-content-sha256"), ret, f);
        if (c == S3_OK && is_chained(ret->payload))
                return s3_fault_set(f, S3_INVALID_REQUEST, "Chunks can not be signed in a request that is not");
        return c;
}

static enum s3_code verify_any(const struct s3_sig_rules *rules, const struct s3_sig_request *rq, struct arena *a,
                               struct s3_sig *ret, struct s3_fault *f)
{
        struct str auth = header(rq, "authorization"), q[Q_COUNT];
        enum s3_code c = read_query(rq->query, a, q, f);
        if (c != S3_OK)
                return c;
        bool in_query = q[Q_ALGORITHM].p != NULL || q[Q_SIGNATURE].p != NULL || q[Q_CREDENTIAL].p != NULL;
        bool v2_query = q[Q_V2_KEY].p != NULL || q[Q_V2_SIGNATURE].p != NULL;
        if (header_count(rq, "authorization") > 1 || (auth.p != NULL && (in_query || v2_query)))
                return s3_fault_set(f, S3_INVALID_ARGUMENT, "Only one auth mechanism allowed");
        if (header(rq, "x-amz-security-token").p != NULL || q[Q_TOKEN].p != NULL)
                return s3_fault_set(f, S3_INVALID_TOKEN, "There are no session tokens here");
        if (v2_query)
                return refuse_v2(f);
        if (in_query)
                return verify_query(rules, rq, q, a, ret, f);
        if (auth.p == NULL)
                return verify_anonymous(rq, ret, f);
        if (auth.n == 0)
                return s3_fault_set(f, S3_ACCESS_DENIED, NULL);
        struct str rest = auth, word = str_cut(&rest, ' ');
        if (str_eq(word, STR(SIG_ALGORITHM)))
                return verify_header(rules, rq, rest, a, ret, f);
        if (str_eq_nocase(word, STR("Bearer"))) {
                ret->auth = S3_AUTH_BEARER;
                ret->bearer = str_trim(rest);
                return verify_anonymous(rq, ret, f);
        }
        if (str_eq(word, STR("AWS")) || str_starts(word, STR("AWS4-")))
                return refuse_v2(f);
        s3_fault_set(f, S3_INVALID_ARGUMENT, "Unsupported Authorization Type");
        f->field = "ArgumentName";
        str_copy(f->value, sizeof(f->value), STR("Authorization"));
        return f->code;
}

enum s3_code s3_sig_verify(const struct s3_sig_rules *rules, const struct s3_sig_request *rq, struct arena *a,
                           struct s3_sig *ret, struct s3_fault *ret_fault)
{
        struct s3_sig s = { .auth = S3_AUTH_ANONYMOUS };
        enum s3_code c = verify_any(rules, rq, a, &s, ret_fault);
        if (c == S3_OK)
                *ret = s;
        explicit_bzero(&s.chain, sizeof(s.chain));
        return c;
}

enum s3_code s3_sig_verify_form(const struct s3_sig_rules *rules, struct str algorithm, struct str credential,
                                struct str date, struct str policy, struct str signature, struct s3_sig *ret,
                                struct s3_fault *f)
{
        struct parts p = {
                .malformed = S3_INVALID_ARGUMENT, .credential = credential, .signature = signature, .date_text = date
        };
        struct hash_hmac_key key;
        unsigned char mac[HASH_SHA256_BYTES];
        char expected[S3_SIGNATURE_CHARS + 1];
        struct s3_sig s = { .auth = S3_AUTH_HEADER, .payload = S3_PAYLOAD_UNSIGNED };
        enum s3_code c;
        if (!str_eq(algorithm, STR(SIG_ALGORITHM)))
                return refuse_v2(f);
        if (!s3_when_basic(date, &p.date_s))
                return s3_fault_set(f, S3_INVALID_ARGUMENT, "x-amz-date of the form is not valid");
        if ((c = check_parts(rules, &p, f)) != S3_OK || (c = find_key(rules, &p, &key, &s.user, f)) != S3_OK)
                return c;
        hash_hmac(&key, policy.p, policy.n, mac);
        explicit_bzero(&key, sizeof(key));
        str_to_hex(mac, sizeof(mac), expected);
        if (!hash_equal_ct(expected, signature.p, S3_SIGNATURE_CHARS))
                return s3_fault_set(f, S3_SIGNATURE_DOES_NOT_MATCH, NULL);
        s.access_key = p.access_key;
        *ret = s;
        return S3_OK;
}
